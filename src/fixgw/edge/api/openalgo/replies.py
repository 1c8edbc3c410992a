"""What OpenAlgo's API answers, as models: they describe it on the OpenAPI page, with an example of each."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Row(_Answer):
    """One order. Quantities and prices are exact numbers; 0 is no price. `timestamp` is UTC."""

    orderid: str
    symbol: str
    exchange: str
    action: Literal["BUY", "SELL"]
    quantity: float
    price: float
    trigger_price: float
    pricetype: Literal["MARKET", "LIMIT", "SL", "SL-M"]
    product: Literal["MIS", "NRML", "CNC"]
    order_status: Literal["open", "trigger pending", "complete", "cancelled", "rejected"]
    timestamp: str
    strategy: str
    filled_quantity: float
    pending_quantity: float
    average_price: float
    rejection_reason: str


class Statistics(_Answer):
    """How many of the orders are of which sort. Open are those that a cancel could still end."""

    total_buy_orders: int
    total_sell_orders: int
    total_completed_orders: int
    total_open_orders: int
    total_rejected_orders: int


class Book(_Answer):
    """The orders, the newest first."""

    orders: list[Row]
    statistics: Statistics


class OrderBook(_Answer):
    """The order book."""

    status: Literal["success"]
    data: Book


class OrderStatus(_Answer):
    """One order."""

    status: Literal["success"]
    data: Row


class OneOrder(_Answer):
    """An order was entered, or is canceled."""

    status: Literal["success"]
    orderid: str


class FailedCancellation(_Answer):
    """An order that could not be canceled, and why; or whose outcome is not known yet."""

    orderid: str
    reason: str


class CanceledAll(_Answer):
    """The outcome of every order that the request was about."""

    status: Literal["success"]
    message: str
    canceled_orders: list[str]
    failed_cancellations: list[FailedCancellation]
    mode: Literal["live"]


class Error(_Answer):
    """What is wrong, in words."""

    status: Literal["error"]
    message: str


class TooMany(_Answer):
    """Requests come too fast. There is no `status`."""

    message: str


_ROW: dict[str, Any] = {
    "orderid": "17",
    "symbol": "BTC-USD",
    "exchange": "SANDBOX",
    "action": "BUY",
    "quantity": 2,
    "price": 64000,
    "trigger_price": 0,
    "pricetype": "LIMIT",
    "product": "MIS",
    "order_status": "open",
    "timestamp": "21-Nov-2026 09:30:00",
    "strategy": "S1",
    "filled_quantity": 0.5,
    "pending_quantity": 1.5,
    "average_price": 64000,
    "rejection_reason": "",
}
_STATISTICS = {
    "total_buy_orders": 1,
    "total_sell_orders": 0,
    "total_completed_orders": 0,
    "total_open_orders": 1,
    "total_rejected_orders": 0,
}

EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    OneOrder: {"status": "success", "orderid": "17"},
    OrderStatus: {"status": "success", "data": _ROW},
    OrderBook: {"status": "success", "data": {"orders": [_ROW], "statistics": _STATISTICS}},
    CanceledAll: {
        "status": "success",
        "message": "Canceled 2 orders. Failed to cancel 1 orders.",
        "canceled_orders": ["17", "18"],
        "failed_cancellations": [{"orderid": "19", "reason": "the venue says no"}],
        "mode": "live",
    },
    TooMany: {"message": "too many requests; the next one may come in 1 s"},
}
"""An example of each answer."""
