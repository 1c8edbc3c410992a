"""What things are called on both sides, and the bodies of the requests. Pure."""

from datetime import UTC, datetime, time, timedelta

from fixgw.core.order import Order, OrdType, Side, TimeInForce, is_quantity
from fixgw.core.requests import VenueDetails
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.coinapi_ems.reports import Report, plain
from fixgw.edge.venues.contract import VenueRefusedError
from fixgw.edge.venues.place import Place

WHOLE = "-"
"""What an account is mapped to that is the exchange itself: its exchange_id has no account in it."""

_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
_SIDES_BACK = {word: side for side, word in _SIDES.items()}

Body = dict[str, object]


class Names:
    """The names of one venue's exchange, accounts and instruments."""

    def __init__(self, place: Place) -> None:
        self.exchange = place.settings.oms
        self.account_ids = tuple(place.accounts)
        self._oms_id = place.oms_id
        self._accounts = place.accounts
        self._account_ids = {name: account_id for account_id, name in place.accounts.items()}
        self._symbols = {one.instrument_id: name for one, name in place.instruments.items()}
        self._instrument_ids = {name: one.instrument_id for one, name in place.instruments.items()}
        self._day_end = place.day_end

    def exchange_id(self, account_id: int) -> str:
        """The exchange_id of an account: EXCHANGE/account, or EXCHANGE for the one that is WHOLE."""
        name = self._accounts[account_id]
        return self.exchange if name == WHOLE else f"{self.exchange}/{name}"

    def has_name(self, account_id: int) -> bool:
        """Whether the account's exchange_id names it, and so reaches nothing else."""
        return self._accounts.get(account_id, WHOLE) != WHOLE

    def is_here(self, exchange_id: str) -> bool:
        """Whether that is our exchange, or an account on it."""
        return exchange_id.partition("/")[0] == self.exchange

    def account_id(self, exchange_id: str, asked: int | None = None) -> int | None:
        """Our account of an exchange_id; one that names none is `asked`, the one whose orders were asked for.

        None for an account that is not ours, and where it cannot be said.
        """
        if exchange_id == self.exchange:
            return self._account_ids.get(WHOLE) if asked is None else asked
        name = exchange_id.removeprefix(f"{self.exchange}/")
        return None if name == exchange_id else self._account_ids.get(name)

    def details(self, report: Report, asked: int | None = None) -> VenueDetails | None:
        """What an order is that was entered there; None when its account or instrument is not ours.

        An order with a price is a limit order, and one without is a market order: there are no other words.
        """
        account_id = self.account_id(report.exchange_id, asked)
        found = (self._instrument_ids.get(name) for name in report.symbols)
        instrument_id = next((one for one in found if one is not None), None)
        side, amount = _SIDES_BACK.get(report.side), report.amount_order
        if account_id is None or instrument_id is None or side is None:
            return None
        if amount is None or not is_quantity(amount):
            return None
        price = report.price if report.price is not None and is_quantity(report.price) else None
        ends = report.time_in_force.startswith("GOOD_TILL_TIME")
        return VenueDetails(
            account_id,
            instrument_id,
            side,
            OrdType.MARKET if price is None else OrdType.LIMIT,
            TimeInForce.DAY if ends else TimeInForce.GOOD_TILL_CANCEL,
            amount,
            price,
        )

    def new_order(self, order: Order) -> Body:
        """The body that enters `order`. Raises VenueRefusedError for one that the EMS has no words for."""
        if order.ord_type is not OrdType.LIMIT:
            raise VenueRefusedError(
                f"the venue takes limit orders only, and OrdType(40) is {order.ord_type}: nothing was sent"
            )
        if order.side not in _SIDES:
            raise VenueRefusedError(
                f"the venue takes Side(54) 1 and 2 only, and it is {order.side}: nothing was sent"
            )
        symbol = self._symbols[order.instrument_id]
        by = "coinapi" if symbol.startswith(f"{self.exchange}_") else "exchange"
        body: Body = {
            "exchange_id": self.exchange_id(order.account_id),
            "client_order_id": name_of(order),
            f"symbol_id_{by}": symbol,
            "amount_order": plain(order.order_qty),
            "price": None if order.price is None else plain(order.price),
            "side": _SIDES[order.side],
            "order_type": "LIMIT",
            "time_in_force": "GOOD_TILL_CANCEL",
            "exec_inst": [],
        }
        if order.time_in_force is TimeInForce.DAY:
            ends = _end_of_day(order.entered_at, self._day_end)
            body |= {"time_in_force": "GOOD_TILL_TIME_OMS", "expire_time": f"{ends:%Y-%m-%dT%H:%M:%S.%f}Z"}
        return body

    def cancel(self, order: Order, exchange_order_id: str, client_order_id: str) -> Body:
        """The body that cancels `order`, by its id there if that is known."""
        body: Body = {"exchange_id": self.exchange_id(order.account_id)}
        if exchange_order_id:
            return body | {"exchange_order_id": exchange_order_id}
        return body | {"client_order_id": client_order_id}


def _end_of_day(at: datetime, day_end: time) -> datetime:
    """The first end of day after `at` (both UTC)."""
    end = datetime.combine(at.date(), day_end, UTC)
    return end if end > at else end + timedelta(days=1)
