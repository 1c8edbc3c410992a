"""Orders as the dialect shows them: execution reports."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from fixgw.core.directory import Instrument, Oms
from fixgw.core.events import CancelRefused, OrderFilled
from fixgw.core.order import ZERO, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import NewOrder
from fixgw.core.state import day_start_before
from fixgw.edge.api.coinapi_ems.names import Exchange, Exchanges
from fixgw.edge.api.coinapi_ems.problems import text_of
from fixgw.edge.api.context import Reference
from fixgw.engine.turn import Answered, Happened

Report = dict[str, object]

REPORT = "ORDER_EXEC_REPORT_UPDATE"
EXPIRED = "the order expired at the end of its day"
ORDERS_PER_TURN = 200  # are shown before others get their turn: a few milliseconds

_AVG_PX_DIGITS = Decimal("1e-12")

_STATUSES = {
    OrdStatus.PENDING_NEW: "ROUTED",
    OrdStatus.NEW: "NEW",
    OrdStatus.PENDING_TRIGGER: "NEW",
    OrdStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrdStatus.FILLED: "FILLED",
    OrdStatus.PENDING_CANCEL: "PENDING_CANCEL",
    OrdStatus.CANCELED: "CANCELED",
    OrdStatus.REJECTED: "REJECTED",
    OrdStatus.EXPIRED: "CANCELED",
}
_ORDER_TYPES = {
    OrdType.LIMIT: "LIMIT",
    OrdType.MARKET: "MARKET",  # these three are FIX's: the dialect has no words for them
    OrdType.STOP: "STOP",
    OrdType.STOP_LIMIT: "STOP_LIMIT",
}
_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL", Side.SELL_SHORT: "SELL"}
_TIMES_IN_FORCE = {
    TimeInForce.GOOD_TILL_CANCEL: "GOOD_TILL_CANCEL",
    TimeInForce.DAY: "GOOD_TILL_TIME_OMS",  # with expire_time
}

encode = msgspec.json.Encoder(decimal_format="number").encode
"""Writes what is shown as JSON, decimal numbers exactly."""


def array(encoded: Iterable[bytes]) -> msgspec.Raw:
    """The JSON array of what is encoded already."""
    return msgspec.Raw(b"[" + b",".join(encoded) + b"]")


def timestamp(at: datetime) -> str:
    """`at` (aware UTC) as the dialect writes it."""
    return f"{at.isoformat(timespec='microseconds')[:-6]}Z"


def expire_time(order: Order, oms: Oms) -> datetime:
    """When a Day order expires: the first end of day after it was entered."""
    return day_start_before(order.entered_at, oms) + timedelta(days=1)


class Views:
    """Shows orders to one user."""

    def __init__(self, exchanges: Exchanges, reference: Reference, user_id: int) -> None:
        self._exchanges = exchanges
        self._reference = reference
        self._user_id = user_id

    def exchange_of(self, order: Order) -> Exchange:
        """Where the order is: the OMS alone stands for the user's default account on it."""
        exchange = self._exchanges.of(order.oms_id)
        user = self._reference.directory.users.get(self._user_id)
        if user is not None and user.default_account_id == order.account_id:
            return exchange
        return exchange.at(order.account_id)

    def report(
        self,
        order: Order,
        asked: Exchange | None = None,
        error_message: str = "",
        fills: Sequence[Report] = (),
    ) -> Report:
        """The report on an order. Where `asked` named its account, exchange_id names it too."""
        directory = self._reference.directory
        exchange = self.exchange_of(order)
        if asked is not None and asked.account_id == order.account_id:
            exchange = asked
        status = _STATUSES[order.status]
        instrument = directory.instruments.get(order.instrument_id)
        shown = self._named(exchange, order.cl_ord_id or "", instrument) | {
            "amount_order": order.order_qty,
            "price": order.price,
            "side": _SIDES[order.side],
            "order_type": _ORDER_TYPES[order.ord_type],
            "time_in_force": _TIMES_IN_FORCE[order.time_in_force],
            "exec_inst": [],
            "exchange_order_id": str(order.order_id),
            "amount_open": order.leaves_qty,
            "amount_filled": order.cum_qty,
            "avg_px": order.avg_px.quantize(_AVG_PX_DIGITS).normalize() if order.cum_qty else ZERO,
            "status": status,
            "status_history": [
                ["RECEIVED", timestamp(order.entered_at)],
                [status, timestamp(order.changed_at or order.entered_at)],
            ],
            "error_message": error_message or (EXPIRED if order.status is OrdStatus.EXPIRED else ""),
            "fills": list(fills),
        }
        if order.time_in_force is TimeInForce.DAY:
            shown["expire_time"] = timestamp(expire_time(order, directory.omses[order.oms_id]))
        return shown

    async def encoded(self, orders: Iterable[Order], asked: Exchange | None = None) -> list[bytes]:
        """The reports on many orders, each as JSON. Others get their turn in between."""
        found = []
        for number, order in enumerate(orders, 1):
            found.append(encode(self.report(order, asked)))
            if number % ORDERS_PER_TURN == 0:
                await asyncio.sleep(0)
        return found

    def _named(self, exchange: Exchange, client_order_id: str, instrument: Instrument | None) -> Report:
        return {
            "type": REPORT,
            "exchange_id": exchange.text,
            "client_order_id": client_order_id,
            "client_order_id_format_exchange": client_order_id,
            "symbol_id_exchange": "" if instrument is None else instrument.symbol,
            "symbol_id_coinapi": "" if instrument is None else self._exchanges.symbol_id(instrument),
        }

    def happened(self, told: Happened) -> Report:
        """The report on what happened to an order, with its fill or with why its cancel was refused."""
        match told.event:
            case OrderFilled(last_qty=amount, last_px=price, at=at):
                fill: Report = {"time": timestamp(at), "price": price, "amount": amount}
                return self.report(told.order, fills=[fill])
            case CancelRefused(refusal=refusal):
                return self.report(told.order, error_message=text_of(refusal))
        return self.report(told.order)

    def canceled(self, answered: Answered, asked: Exchange) -> Report:
        """The report that answers an accepted cancel, with why the venue refused it at once, if it did."""
        [order] = answered.orders
        refused = dict(answered.refused).get(order.order_id)
        return self.report(order, asked, "" if refused is None else text_of(refused))

    def rejected(self, request: NewOrder, asked: Exchange, at: datetime, why: str) -> Report:
        """The report on an order that was not taken on, and that has no exchange_order_id."""
        assert request.side is not None
        found = self._reference.directory.instrument(request.instrument, asked.oms_id)
        instrument = found if isinstance(found, Instrument) else None
        return self._named(asked, request.cl_ord_id or "", instrument) | {
            "amount_order": request.order_qty,
            "price": request.price,
            "side": _SIDES[request.side],
            "order_type": "LIMIT",
            "time_in_force": "GOOD_TILL_CANCEL",
            "exec_inst": [],
            "exchange_order_id": "",
            "amount_open": ZERO,
            "amount_filled": ZERO,
            "avg_px": ZERO,
            "status": "REJECTED",
            "status_history": [["RECEIVED", timestamp(at)], ["REJECTED", timestamp(at)]],
            "error_message": why,
            "fills": [],
        }
