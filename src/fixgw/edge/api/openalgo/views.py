"""How orders and answers look in OpenAlgo's API. Quantities and prices are exact numbers."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fixgw.core.directory import Directory
from fixgw.core.errors import ErrorCode, Refusal, Subject
from fixgw.core.order import ZERO, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.edge.api.wording import worded

MODE = "live"  # a real server may be in a mode in which orders are played only; this one has none
FIELDS = {
    "Symbol(55)": "symbol",
    "OrderQty(38)": "quantity",
    "Price(44)": "price",
    "StopPx(99)": "trigger_price",
    "Side(54)": "action",
    "OrdType(40)": "pricetype",
    "OrderID(37)": "orderid",
    "SecurityExchange(207)": "exchange",
}
"""What the fields that a refusal can name are called here."""

_PRICE_TYPES = {
    OrdType.MARKET: "MARKET",
    OrdType.LIMIT: "LIMIT",
    OrdType.STOP_LIMIT: "SL",
    OrdType.STOP: "SL-M",
}
_ENDS = {OrdStatus.FILLED: "complete", OrdStatus.REJECTED: "rejected"}
_PRODUCTS = {TimeInForce.DAY: "MIS", TimeInForce.GOOD_TILL_CANCEL: "NRML"}
_STATUS_CODES = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.NOT_AUTHORIZED: 403,
    ErrorCode.RESOURCE_NOT_FOUND: 400,
    ErrorCode.OPERATION_NOT_SUPPORTED: 400,
    ErrorCode.OPERATION_FAILED: 400,
    ErrorCode.SERVER_ERROR: 500,
}

encode = msgspec.json.Encoder(decimal_format="number").encode


class Reply(Struct, frozen=True):
    """An answer: the HTTP status code and the JSON body. `retry_after` is a header, in seconds."""

    status_code: int
    body: dict[str, Any]
    retry_after: int | None = None


def order_row(order: Order, directory: Directory) -> dict[str, Any]:
    """One order with all 16 keys of the order book."""
    instrument = directory.instruments.get(order.instrument_id)
    return {
        "orderid": str(order.order_id),
        "symbol": str(order.instrument_id) if instrument is None else instrument.symbol,
        "exchange": directory.omses[order.oms_id].name,
        "action": "BUY" if order.side is Side.BUY else "SELL",
        "quantity": order.order_qty,
        "price": order.price or ZERO,
        "trigger_price": order.stop_px or ZERO,
        "pricetype": _PRICE_TYPES[order.ord_type],
        "product": order.product or _PRODUCTS[order.time_in_force],
        "order_status": order_status(order),
        "timestamp": order.entered_at.strftime("%d-%b-%Y %H:%M:%S"),
        "strategy": order.strategy or "",
        "filled_quantity": order.cum_qty,
        "pending_quantity": order.leaves_qty,
        "average_price": order.avg_px,
        "rejection_reason": "",
    }


def order_status(order: Order) -> str:
    """One of open, `trigger pending`, complete, cancelled, rejected; a pending cancel changes none."""
    if order.is_open:
        return "trigger pending" if order.waits_for_trigger else "open"
    return _ENDS.get(order.status, "cancelled")


def order_book(orders: Sequence[Order], directory: Directory) -> Reply:
    """These orders (any number), and how many there are of each sort."""
    rows = [order_row(order, directory) for order in orders]
    statuses = [row["order_status"] for row in rows]
    buys = sum(row["action"] == "BUY" for row in rows)
    statistics = {
        "total_buy_orders": buys,
        "total_sell_orders": len(rows) - buys,
        "total_completed_orders": statuses.count("complete"),
        "total_open_orders": sum(order.is_open for order in orders),
        "total_rejected_orders": statuses.count("rejected"),
    }
    return Reply(200, {"status": "success", "data": {"orders": rows, "statistics": statistics}})


def canceled(canceled_ids: Sequence[int], failures: Sequence[tuple[int, str]]) -> Reply:
    """The outcome of every order of a cancel of all: ids of those canceled, and why others could not be."""
    message = f"Canceled {len(canceled_ids)} orders. Failed to cancel {len(failures)} orders."
    failed_cancellations = [{"orderid": str(order_id), "reason": reason} for order_id, reason in failures]
    return Reply(
        200,
        {
            "status": "success",
            "message": message,
            "canceled_orders": [str(order_id) for order_id in canceled_ids],
            "failed_cancellations": failed_cancellations,
            "mode": MODE,
        },
    )


def one_order(order_id: int) -> Reply:
    """An order was entered, or is canceled."""
    return Reply(200, {"status": "success", "orderid": str(order_id)})


def error(status_code: int, message: str) -> Reply:
    """What is wrong, in words."""
    return Reply(status_code, {"status": "error", "message": message})


def too_many(seconds: float) -> Reply:
    """Requests come too fast. The body has no `status`, as that of a real server."""
    wait = max(1, -int(-seconds // 1))
    return Reply(429, {"message": f"too many requests; the next one may come in {wait} s"}, retry_after=wait)


def refused(refusal: Refusal) -> Reply:
    """A request was refused as a whole."""
    return error(_STATUS_CODES[refusal.code], reason(refusal))


def no_such_order() -> Reply:
    """None of the user's orders has the id that was given."""
    return error(404, "orderid names none of your orders")


def reason(refusal: Refusal) -> str:
    """Why something was refused, in the words of this API."""
    return worded(refusal.detail, FIELDS)


def is_unknown_order(refusal: Refusal) -> bool:
    """Whether a request for one order was refused because the user has none with this id.

    An order of somebody else is not the user's, even where they share an account.
    """
    if refusal.subject is Subject.USER:
        return refusal.code is ErrorCode.INVALID_REQUEST
    return refusal.code is ErrorCode.RESOURCE_NOT_FOUND


def is_unknown_oms(refusal: Refusal) -> bool:
    """Whether a request was refused because the user has nothing on that OMS."""
    return refusal.code is ErrorCode.RESOURCE_NOT_FOUND and refusal.subject is Subject.OMS
