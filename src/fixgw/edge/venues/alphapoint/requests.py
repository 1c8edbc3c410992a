"""What is asked of the venue: each call's name and payload, and both as they go out. No I/O."""

import hashlib
import hmac
from decimal import Decimal
from typing import NamedTuple

import msgspec

from fixgw.core.order import Order, OrdType, Side
from fixgw.edge.venues.alphapoint.names import Names
from fixgw.edge.venues.client_ids import number_of

GOOD_TILL_CANCEL = 1
LAST_PRICE = 1  # PegPriceType: what the trigger of a stop order looks at
HISTORY_DEPTH = 200  # closed orders of an account that are looked through for one

SIDES = {Side.BUY: 0, Side.SELL: 1, Side.SELL_SHORT: 2}
ORDER_TYPES = {OrdType.MARKET: 1, OrdType.LIMIT: 2, OrdType.STOP: 3, OrdType.STOP_LIMIT: 4}

_encode = msgspec.json.encode


class Call(NamedTuple):
    """A function and its payload, in which secrets may be. `is_change`: it matters whether it was done.

    `is_list`: the answer may be long.
    """

    function: str
    payload: dict[str, object]
    is_change: bool = False
    is_list: bool = False

    def __repr__(self) -> str:
        return f"Call({self.function!r})"

    @property
    def body(self) -> str:
        """The payload as JSON."""
        return _encode(self.payload).decode()

    def frame(self, number: int) -> str:
        """The request frame with this `number`, which its reply will carry."""
        return _encode({"m": 0, "i": number, "n": self.function, "o": self.body}).decode()


def signed(user_id: str, api_key: str, api_secret: str, nonce: int) -> dict[str, object]:
    """The credentials of a login by key; each `nonce` is for one login. They are secrets."""
    message = f"{nonce}{user_id}{api_key}"
    signature = hmac.new(api_secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return {"APIKey": api_key, "Signature": signature, "UserId": user_id, "Nonce": str(nonce)}


def subscribe(names: Names, account: int) -> Call:
    """Be told what happens to the orders of an account."""
    return Call("SubscribeAccountEvents", {"OMSId": names.oms, "AccountId": account})


def send_order(names: Names, order: Order) -> Call:
    """Enter `order`, with a ClientOrderId that is made from it."""
    payload: dict[str, object] = {
        "OMSId": names.oms,
        "AccountId": names.accounts[order.account_id],
        "InstrumentId": names.instruments[order.instrument_id],
        "ClientOrderId": number_of(order),
        "Side": SIDES[order.side],
        "OrderType": ORDER_TYPES[order.ord_type],
        "TimeInForce": GOOD_TILL_CANCEL,
        "Quantity": _number(order.order_qty),
        "OrderIdOCO": 0,
        "UseDisplayQuantity": False,
    }
    if order.price is not None:
        payload["LimitPrice"] = _number(order.price)
    if order.stop_px is not None:
        payload["StopPrice"] = _number(order.stop_px)
        payload["PegPriceType"] = LAST_PRICE
    return Call("SendOrder", payload, is_change=True)


def cancel_order(names: Names, order: Order, venue_order_id: str | None) -> Call:
    """Cancel one order, by its id there when that is known, else by its ClientOrderId.

    The key is spelled ClOrderId from version 3.4 of the document on, and a key that is unknown is ignored.
    """
    payload: dict[str, object] = {"OMSId": names.oms}
    if venue_order_id is not None:
        payload["OrderId"] = int(venue_order_id)
    else:
        number = number_of(order)
        payload["AccountId"] = names.accounts[order.account_id]
        payload |= {"ClientOrderId": number, "ClOrderId": number}
    return Call("CancelOrder", payload, is_change=True)


def cancel_all_orders(names: Names, account: int, instrument: int | None) -> Call:
    """Cancel the orders of an account, all of them or those of one instrument.

    The document spells the key IntrumentId from version 3.4 on: a venue that ignored the one it does not know
    would cancel everything, so both are there.
    """
    payload: dict[str, object] = {"OMSId": names.oms, "AccountId": account}
    if instrument is not None:
        payload |= {"InstrumentId": instrument, "IntrumentId": instrument}
    return Call("CancelAllOrders", payload, is_change=True)


def get_open_orders(names: Names, account: int) -> Call:
    """The open orders of an account."""
    return Call("GetOpenOrders", {"OMSId": names.oms, "AccountId": account}, is_list=True)


def get_order_status(names: Names, order: Order, venue_order_id: str | None) -> Call:
    """One order, by its id there when that is known, else by its ClientOrderId."""
    payload: dict[str, object] = {"OMSId": names.oms, "AccountId": names.accounts[order.account_id]}
    if venue_order_id is not None:
        payload["OrderId"] = int(venue_order_id)
    else:
        payload["ClientOrderId"] = number_of(order)
    return Call("GetOrderStatus", payload)


def get_orders_history(names: Names, account: int) -> Call:
    """The orders of an account that changed last, open or closed."""
    payload: dict[str, object] = {"OMSId": names.oms, "AccountId": account, "Depth": HISTORY_DEPTH}
    return Call("GetOrdersHistory", payload, is_list=True)


def _number(number: Decimal) -> msgspec.Raw:
    """A JSON number as exact as it is, without an exponent."""
    return msgspec.Raw(f"{number:f}".encode())
