"""The requests and replies of the dialect as models, for the page that describes the API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ExchangeId = Annotated[
    str,
    Field(
        description="The exchange, or one account on it as NAME/account.", examples=["SANDBOX", "SANDBOX/15"]
    ),
]
ClientOrderId = Annotated[
    str,
    Field(
        pattern=r"^[\x21-\x7e]{1,64}$",
        description="The client's own id of the order.",
        examples=["6ab36bc1-344d-432e-ac6d-0bf44ee64c2b"],
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewOrderRequest(_Request):
    """A new order. One of symbol_id_exchange and symbol_id_coinapi names the instrument; both must agree."""

    exchange_id: ExchangeId
    client_order_id: ClientOrderId
    symbol_id_exchange: str | None = None
    symbol_id_coinapi: str | None = None
    amount_order: Annotated[float, Field(gt=0, lt=10**15, description="At most 12 digits after the point.")]
    price: Annotated[float, Field(gt=0, lt=10**15, description="At most 12 digits after the point.")]
    side: Literal["BUY", "SELL"]
    order_type: Literal["LIMIT"]
    time_in_force: Literal["GOOD_TILL_CANCEL", "GOOD_TILL_TIME_OMS"]
    expire_time: Annotated[
        str | None, Field(description="With GOOD_TILL_TIME_OMS: the end of the day, and no other time.")
    ] = None
    exec_inst: Annotated[list[str] | None, Field(max_length=0, description="Not supported.")] = None


class CancelRequest(_Request):
    """The cancel of one order, by one of its ids or by both, which must agree."""

    exchange_id: ExchangeId
    exchange_order_id: str | None = None
    client_order_id: ClientOrderId | None = None


class CancelAllRequest(_Request):
    """The cancel of all of the user's own orders on an exchange, or of all orders in an account on it."""

    exchange_id: ExchangeId


class Fill(BaseModel):
    """One fill of an order."""

    time: str
    price: float
    amount: float


class OrderExecutionReport(BaseModel):
    """An order as it stands. order_type and price are as documented for every order entered here."""

    type: Literal["ORDER_EXEC_REPORT_UPDATE"]
    exchange_id: ExchangeId
    client_order_id: Annotated[
        str, Field(description="Empty for an order that was entered elsewhere without one.")
    ]
    client_order_id_format_exchange: str
    symbol_id_exchange: str
    symbol_id_coinapi: str
    amount_order: float
    price: Annotated[float | None, Field(description="null for an order that has none.")]
    side: Literal["BUY", "SELL"]
    order_type: Literal["LIMIT", "MARKET", "STOP", "STOP_LIMIT"]
    time_in_force: Literal["GOOD_TILL_CANCEL", "GOOD_TILL_TIME_OMS"]
    expire_time: Annotated[str, Field(description="Only there with GOOD_TILL_TIME_OMS.")] = ""
    exec_inst: list[str]
    exchange_order_id: str
    amount_open: Annotated[float, Field(description="0 when the order is at its end.")]
    amount_filled: float
    avg_px: Annotated[float, Field(description="0 when nothing is filled.")]
    status: Literal[
        "RECEIVED",
        "ROUTING",
        "ROUTED",
        "NEW",
        "PENDING_CANCEL",
        "PARTIALLY_FILLED",
        "FILLED",
        "CANCELED",
        "REJECTED",
    ]
    status_history: list[list[str]]
    error_message: str
    fills: list[Fill]


class Message(BaseModel):
    """The MessageReject schema without a reject_reason: the request was carried out."""

    type: Literal["MESSAGE"]
    exchange_id: ExchangeId
    message: str


class MessageReject(BaseModel):
    """Why a request was refused, or what of it is not known."""

    type: Literal["MESSAGE_REJECT"]
    reject_reason: Literal[
        "OTHER",
        "EXCHANGE_UNREACHABLE",
        "EXCHANGE_RESPONSE_TIMEOUT",
        "ORDER_ID_NOT_FOUND",
        "INVALID_TYPE",
        "METHOD_NOT_SUPPORTED",
        "JSON_ERROR",
    ]
    exchange_id: str
    message: str
    rejected_message: str


class ValidationError(BaseModel):
    """What is wrong with a request, in `errors`."""

    type: str
    title: str
    status: int
    traceId: str  # noqa: N815
    errors: str


REPORT_EXAMPLE: dict[str, Any] = {
    "type": "ORDER_EXEC_REPORT_UPDATE",
    "exchange_id": "SANDBOX",
    "client_order_id": "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
    "client_order_id_format_exchange": "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
    "symbol_id_exchange": "BTC-USD",
    "symbol_id_coinapi": "SANDBOX_SPOT_BTC_USD",
    "amount_order": 0.045,
    "price": 0.0783,
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
    "exec_inst": [],
    "exchange_order_id": "1",
    "amount_open": 0.045,
    "amount_filled": 0,
    "avg_px": 0,
    "status": "NEW",
    "status_history": [["RECEIVED", "2026-05-27T11:16:20.167770Z"], ["NEW", "2026-05-27T11:16:20.167770Z"]],
    "error_message": "",
    "fills": [],
}
REQUEST_EXAMPLE: dict[str, Any] = {
    key: REPORT_EXAMPLE[key]
    for key in (
        "exchange_id",
        "client_order_id",
        "symbol_id_exchange",
        "amount_order",
        "price",
        "side",
        "order_type",
        "time_in_force",
    )
}
CANCELED_EXAMPLE: dict[str, Any] = REPORT_EXAMPLE | {
    "status": "CANCELED",
    "amount_open": 0,
    "status_history": [
        ["RECEIVED", "2026-05-27T11:16:20.167770Z"],
        ["CANCELED", "2026-05-27T11:16:31.002415Z"],
    ],
}
MESSAGE_EXAMPLE: dict[str, Any] = {
    "type": "MESSAGE",
    "exchange_id": "SANDBOX",
    "message": "3 orders were open: 3 canceled, 0 pending, 0 not canceled",
}
REJECT_EXAMPLE: dict[str, Any] = {
    "type": "MESSAGE_REJECT",
    "reject_reason": "EXCHANGE_UNREACHABLE",
    "exchange_id": "SANDBOX",
    "message": "the engine is away; nothing was sent to it: try again",
    "rejected_message": '{"exchange_id": "SANDBOX"}',
}
ERROR_EXAMPLE: dict[str, Any] = {
    "type": "https://httpwg.org/specs/rfc9110.html#status.400",
    "title": "One or more validation errors occurred.",
    "status": 400,
    "traceId": "0f4c1a6c7d9b4e0a8d6e3b52a9c71f60",
    "errors": "Invalid Request (errorcode 100): exchange_id names no exchange that this API reaches "
    "(there is SANDBOX)",
}
