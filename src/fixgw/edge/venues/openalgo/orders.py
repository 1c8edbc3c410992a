"""How an order is entered on an OpenAlgo server, and what a row of its order book says of one. Pure."""

from fixgw.core.order import ZERO, Order, OrdType, Side, TimeInForce
from fixgw.core.requests import VenueDetails, VenueOrder, VenueStatus
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.openalgo.replies import STATUSES, Row
from fixgw.edge.venues.place import Place

_PRICE_TYPES = {
    OrdType.MARKET: "MARKET",
    OrdType.LIMIT: "LIMIT",
    OrdType.STOP_LIMIT: "SL",
    OrdType.STOP: "SL-M",
}
_ORD_TYPES = {price_type: ord_type for ord_type, price_type in _PRICE_TYPES.items()}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_PRODUCTS = {TimeInForce.DAY: "MIS", TimeInForce.GOOD_TILL_CANCEL: "NRML"}


class Names:
    """The names of what is ours on one OpenAlgo server: the account of its key, and instruments by exchange
    and symbol.
    """

    def __init__(self, place: Place) -> None:
        self._oms_id = place.oms_id
        self._settings = place.settings
        [self.account_id] = place.accounts
        self._symbols = {
            instrument.instrument_id: self._symbol(name) for instrument, name in place.instruments.items()
        }
        self._instruments = {symbol: instrument_id for instrument_id, symbol in self._symbols.items()}

    def _symbol(self, name: str) -> tuple[str, str]:
        """The exchange and the symbol that a configured name means."""
        exchange, has_exchange, symbol = name.partition(":")
        return (exchange, symbol) if has_exchange else (self._settings.oms, name)

    def is_ours(self, row: Row) -> bool:
        """Whether its instrument is one of those that are configured."""
        return (row.exchange, row.symbol) in self._instruments

    def to_place(self, order: Order) -> dict[str, str]:
        """The fields of a placeorder, its key aside."""
        exchange, symbol = self._symbols[order.instrument_id]
        return {
            "strategy": name_of(order),
            "exchange": exchange,
            "symbol": symbol,
            "action": "BUY" if order.side is Side.BUY else "SELL",
            "quantity": f"{order.order_qty.normalize():f}",
            "pricetype": _PRICE_TYPES[order.ord_type],
            "product": order.product or self._settings.product or _PRODUCTS[order.time_in_force],
            "price": "0" if order.price is None else f"{order.price.normalize():f}",
            "trigger_price": "0" if order.stop_px is None else f"{order.stop_px.normalize():f}",
            "disclosed_quantity": "0",
        }

    def stands(self, row: Row, order_id: int) -> VenueOrder | None:
        """What a row says of an order; `order_id` 0: one that is not known here.

        None where that cannot be said: of an order that is not known here its status or what it is.
        """
        details = None
        if not order_id:
            details = self._details(row)
            if details is None or row.status not in STATUSES:
                return None
        status = STATUSES.get(row.status, VenueStatus.OPEN)
        filled = row.quantity if status is VenueStatus.FILLED and row.filled is None else row.filled
        return VenueOrder(
            self._oms_id,
            order_id,
            row.order_id,
            status,
            filled or ZERO,
            row.average_price,
            row.status == "open",
            row.text,
            details,
        )

    def _details(self, row: Row) -> VenueDetails | None:
        instrument_id = self._instruments.get((row.exchange, row.symbol))
        side, ord_type = _SIDES.get(row.action), _ORD_TYPES.get(row.pricetype)
        if instrument_id is None or side is None or ord_type is None or row.quantity is None:
            return None
        price = row.price if ord_type.has_price else None
        stop_px = row.trigger_price if ord_type.has_trigger else None
        if (ord_type.has_price and price is None) or (ord_type.has_trigger and stop_px is None):
            return None
        return VenueDetails(
            self.account_id, instrument_id, side, ord_type, TimeInForce.DAY, row.quantity, price, stop_px
        )

    def is_like(self, row: Row, order: Order) -> bool:
        """Whether `order` may be this row, which carries no strategy: nothing in it contradicts."""
        details = self._details(row)
        return details is None or (
            details.instrument_id == order.instrument_id
            and (details.side is Side.BUY) == (order.side is Side.BUY)
            and details.order_qty == order.order_qty
            and details.price in (order.price, None)
        )
