"""What is told in this dialect: the order object, events, and the standard reply."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from fixgw.core.errors import ErrorCode, Failure, Refusal
from fixgw.core.events import (
    CancelRefused,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
)
from fixgw.core.order import Order, OrdStatus, OrdType
from fixgw.edge.api.alphapoint.enums import ORDER_TYPE_NAMES, SIDE_NAMES, STATE_NAMES
from fixgw.edge.api.alphapoint.values import LONG_MAX
from fixgw.edge.api.context import Reference
from fixgw.edge.api.wording import worded
from fixgw.engine.turn import Happened

Body = dict[str, object]

encode = msgspec.json.Encoder(decimal_format="number").encode
"""JSON as it goes out: numbers as exact as they are."""

FIELDS = {
    "Account(1)": "AccountId",
    "OrderID(37)": "OrderId",
    "OrigClOrdID(41)": "ClientOrderId",
    "ClOrdID(11)": "ClientOrderId",
    "SecurityID(48)": "InstrumentId",
    "Symbol(55)": "InstrumentId",
    "Side(54)": "Side",
    "OrderQty(38)": "Quantity",
    "Price(44)": "LimitPrice",
    "StopPx(99)": "StopPrice",
    "OrdType(40)": "OrderType",
    "TimeInForce(59)": "TimeInForce",
    "PartyID(448)": "OMSId",
    "PartyID(448) with PartyRole(452)=11": "UserId",
    "PartyID(448) with PartyRole(452)=16": "OMSId",
}
"""What the fields in a refusal's detail are called here."""

AVG_PRICE_DIGITS = Decimal("1e-12")  # the precision of AvgPrice, which can be a recurring decimal
OK: Body = {"result": True, "errormsg": None, "errorcode": 0, "detail": None}
"""The standard reply of success."""

_TICKS_AT_1970 = 621_355_968_000_000_000  # .NET counts 100 ns from the year 1


class Event(NamedTuple):
    """An event for those who are subscribed to an account; 0 is for every account."""

    name: str
    account_id: int
    body: Body


def standard(refusal: Refusal) -> Body:
    """The standard reply of a refusal."""
    code = refusal.code
    detail = worded(refusal.detail, FIELDS)
    return {"result": False, "errormsg": code.message, "errorcode": code.value, "detail": detail}


def rejected(refusal: Refusal) -> Body:
    """SendOrder's reply of a refusal: the message as one word; a duplicate has its documented one."""
    if refusal.failure is Failure.DUPLICATE_CL_ORD_ID:
        return {"status": "Rejected", "errormsg": "Invalid_ClientOrderId", "errorcode": refusal.code.value}
    word = refusal.code.message.replace(" ", "_")
    detail = worded(refusal.detail, FIELDS)
    return {"status": "Rejected", "errormsg": word, "errorcode": refusal.code.value, "detail": detail}


def milliseconds(at: datetime) -> int:
    """`at` in milliseconds since 1970."""
    return ticks(at) // 10_000 - _TICKS_AT_1970 // 10_000


def ticks(at: datetime) -> int:
    """`at` in .NET ticks."""
    since = at.timestamp()
    return _TICKS_AT_1970 + int(since) * 10_000_000 + at.microsecond * 10


def client_order_id(order: Order) -> int:
    """The order's client order id when it is a canonical 64-bit number, else 0."""
    text = order.cl_ord_id
    if text is None or len(text) > 19 or not (text.isascii() and text.isdigit()) or text[0] == "0":
        return 0
    number = int(text)
    return number if number <= LONG_MAX else 0


def _change_reason(order: Order, state: str) -> str:
    if state == "Canceled":
        return "UserModified"
    if state == "Expired":
        return "Expired"
    if state == "Rejected":
        return "NewInputRejected"
    return "Trade" if order.cum_qty else "NewInputAccepted"


def _order_flag(order: Order) -> str:
    if order.ord_type is OrdType.MARKET or order.waits_for_trigger:
        return "0"
    if order.status in (OrdStatus.CANCELED, OrdStatus.EXPIRED):
        return "AddedToBook, RemovedFromBook"
    return "AddedToBook"


def order_object(order: Order, reference: Reference) -> Body:
    """The order as all calls and events show it: 46 keys; what we do not know has its neutral value."""
    state = STATE_NAMES.get(order.status, "Working")
    own_id = client_order_id(order)
    changed_at = order.changed_at or order.entered_at
    avg_price = order.avg_px.quantize(AVG_PRICE_DIGITS).normalize() if order.cum_qty else 0
    return {
        "Side": SIDE_NAMES[order.side],
        "OrderId": order.order_id,
        "Price": order.price or 0,
        "Quantity": order.leaves_qty,
        "DisplayQuantity": order.order_qty - order.cum_qty,
        "Instrument": order.instrument_id,
        "Account": order.account_id,
        "AccountName": reference.account_name(order.account_id),
        "OrderType": ORDER_TYPE_NAMES[order.ord_type],
        "ClientOrderId": own_id,
        "OrderState": state,
        "ReceiveTime": milliseconds(order.entered_at),
        "ReceiveTimeTicks": ticks(order.entered_at),
        "LastUpdatedTime": milliseconds(changed_at),
        "LastUpdatedTimeTicks": ticks(changed_at),
        "OrigQuantity": order.order_qty,
        "QuantityExecuted": order.cum_qty,
        "GrossValueExecuted": order.gross_value,
        "ExecutableValue": 0,
        "AvgPrice": avg_price,
        "CounterPartyId": 0,
        "ChangeReason": _change_reason(order, state),
        "OrigOrderId": order.order_id,
        "OrigClOrdId": own_id,
        "EnteredBy": order.entered_by or order.user_id,
        "UserName": reference.user_name(order.user_id),
        "IsQuote": False,
        "InsideAsk": 0,
        "InsideAskSize": 0,
        "InsideBid": 0,
        "InsideBidSize": 0,
        "LastTradePrice": 0,
        "RejectReason": "",
        "IsLockedIn": False,
        "CancelReason": "UserModified" if state == "Canceled" else "",
        "OrderFlag": _order_flag(order),
        "UseMargin": False,
        "StopPrice": order.stop_px or 0,
        "PegPriceType": "Unknown" if order.stop_px is None else "Last",
        "PegOffset": 0,
        "PegLimitOffset": 0,
        "IpAddress": None,
        "IPv6a": 0,
        "IPv6b": 0,
        "ClientOrderIdUuid": None,
        "OMSId": order.oms_id,
    }


def _trade(told: Happened, event: OrderFilled) -> Body:
    order = told.order
    return {
        "OMSId": order.oms_id,
        "TradeId": told.exec_id,
        "OrderId": order.order_id,
        "AccountId": order.account_id,
        "ClientOrderId": client_order_id(order),
        "InstrumentId": order.instrument_id,
        "Side": SIDE_NAMES[order.side],
        "Quantity": event.last_qty,
        "Price": event.last_px,
        "Value": event.last_qty * event.last_px,
        "TradeTime": ticks(event.at),
        "ContraAcctId": None,
        "OrderTradeRevision": 1,
        "Direction": "NoChange",
    }


def events_of(told: Happened, reference: Reference) -> list[Event]:
    """The events that tell what happened; none for what this dialect does not show, as a pending cancel."""
    order = told.order
    found = []
    match told.event:
        case OrderFilled() as event:
            found.append(Event("OrderTradeEvent", order.account_id, _trade(told, event)))
        case CancelRefused() as event:
            body = _cancel_rejected(order, worded(event.refusal.detail, FIELDS))
            return [Event("CancelOrderRejectEvent", order.account_id, body)]
        case OrderEntered() | OrderCanceled() | OrderExpired() | OrderTriggered():
            pass
        case _:
            return []
    found.append(Event("OrderStateEvent", order.account_id, order_object(order, reference)))
    return found


def _cancel_rejected(order: Order, why: str) -> Body:
    return {
        "OMSId": order.oms_id,
        "AccountId": order.account_id,
        "OrderId": order.order_id,
        "OrderRevision": 0,
        "OrderType": ORDER_TYPE_NAMES[order.ord_type],
        "InstrumentId": order.instrument_id,
        "Status": "Rejected",
        "RejectReason": why,
    }


def cancel_rejected(
    oms_id: int, account_id: int, order_id: int, order: Order | None, refusal: Refusal
) -> Event | None:
    """The event that a CancelOrder was refused; none when no account can be told."""
    if order is not None:
        body = _cancel_rejected(order, worded(refusal.detail, FIELDS))
        return Event("CancelOrderRejectEvent", order.account_id, body)
    if not account_id:
        return None
    is_unknown = refusal.code is ErrorCode.RESOURCE_NOT_FOUND
    body = {
        "OMSId": oms_id,
        "AccountId": account_id,
        "OrderId": order_id,
        "OrderRevision": 0,
        "OrderType": "Unknown",
        "InstrumentId": 0,
        "Status": "Rejected",
        "RejectReason": "Order Not Found" if is_unknown else worded(refusal.detail, FIELDS),
    }
    return Event("CancelOrderRejectEvent", account_id, body)


def cancel_all_rejected(oms_id: int, account_id: int, instrument_id: int, refusal: Refusal) -> Event:
    """The event that a CancelAllOrders was refused."""
    body: Body = {
        "OMSId": oms_id,
        "AccountId": account_id,
        "InstrumentId": instrument_id,
        "Status": "Rejected",
        "RejectReason": worded(refusal.detail, FIELDS),
    }
    return Event("CancelAllOrdersRejectEvent", account_id, body)
