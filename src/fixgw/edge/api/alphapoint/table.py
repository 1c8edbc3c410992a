"""The one table of calls: what drives the WebSocket, HTTP and the OpenAPI page."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from pydantic import BaseModel

from fixgw.core.errors import Refusal, failed, not_authorized, not_supported, server_error
from fixgw.edge.api.alphapoint import cancels, lookups, models, reference, replies
from fixgw.edge.api.alphapoint.asking import Caller
from fixgw.edge.api.alphapoint.keys import Pairs, read, shown
from fixgw.edge.api.alphapoint.sending import send_order
from fixgw.edge.api.alphapoint.views import Body, rejected, standard
from fixgw.edge.engine_link import EngineAwayError

NOT_LOGGED_IN = not_authorized("nobody is logged in here; log in with AuthenticateUser")


class Kind(Enum):
    """What a transport has to do for a call. LOGIN to SUBSCRIBE are its own; the others are `run`.

    A CANCEL is never refused for the rate of requests.
    """

    PUBLIC = auto()
    PLAIN = auto()
    ORDER = auto()
    CANCEL = auto()
    LOGIN = auto()
    LOGOUT = auto()
    SUBSCRIBE = auto()
    UNSUBSCRIBE = auto()


class Call(NamedTuple):
    """A call: how its request is read, what is done, how its reply looks, and an example of a request."""

    name: str
    kind: Kind
    model: type[BaseModel]
    run: Callable[[Caller, Any], object] | None
    reply: type[BaseModel]
    example: Mapping[str, object]
    summary: str

    @property
    def is_open(self) -> bool:
        """Whether it may be called without a login."""
        return self.kind in (Kind.PUBLIC, Kind.LOGIN)


_ORDER = {
    "InstrumentId": 25,
    "OMSId": 1,
    "AccountId": 14,
    "TimeInForce": 1,
    "ClientOrderId": 1,
    "OrderIdOCO": 0,
    "UseDisplayQuantity": False,
    "Side": 0,
    "Quantity": 1,
    "OrderType": 2,
    "PegPriceType": 3,
    "LimitPrice": 8800,
}
_LOGIN = {"UserName": "trader37", "Password": "trader37-demo"}
_ACCOUNT = {"AccountId": 14, "OMSId": 1}
_ORDER_ID = {"OMSId": 1, "AccountId": 14, "OrderId": 1}

CALLS: dict[str, Call] = {
    call.name: call
    for call in (
        Call(
            "Ping", Kind.PUBLIC, models.Nothing, reference.ping, replies.Pong, {}, "Whether somebody is there"
        ),
        Call(
            "GetProducts",
            Kind.PUBLIC,
            models.GetProducts,
            reference.get_products,
            replies.Products,
            {"OMSId": 1},
            "What instruments trade, and what for",
        ),
        Call(
            "GetInstruments",
            Kind.PUBLIC,
            models.GetInstruments,
            reference.get_instruments,
            replies.Instruments,
            {"OMSId": 1},
            "The instruments",
        ),
        Call("AuthenticateUser", Kind.LOGIN, models.Login, None, replies.LoggedIn, _LOGIN, "Log in"),
        Call("Authenticate", Kind.LOGIN, models.Login, None, replies.LoggedIn, _LOGIN, "Log in"),
        Call("WebAuthenticateUser", Kind.LOGIN, models.Login, None, replies.LoggedIn, _LOGIN, "Log in"),
        Call("LogOut", Kind.LOGOUT, models.Nothing, None, replies.StandardReply, {}, "End the login"),
        Call(
            "GetEnums",
            Kind.PLAIN,
            models.Nothing,
            reference.get_enums,
            replies.Enums,
            {},
            "The enumerations: numbers for requests, names in replies",
        ),
        Call(
            "GetUserAccounts",
            Kind.PLAIN,
            models.GetUserAccounts,
            reference.get_user_accounts,
            replies.Accounts,
            {"OMSId": 1, "UserId": 37},
            "The accounts of a user",
        ),
        Call(
            "GetAccountInfo",
            Kind.PLAIN,
            models.OfAccount,
            reference.get_account_info,
            replies.AccountInfo,
            _ACCOUNT,
            "What is known of an account",
        ),
        Call(
            "SendOrder", Kind.ORDER, models.SendOrder, send_order, replies.Accepted, _ORDER, "Enter an order"
        ),
        Call(
            "CancelOrder",
            Kind.CANCEL,
            models.CancelOrder,
            cancels.cancel_order,
            replies.StandardReply,
            _ORDER_ID,
            "Cancel one order",
        ),
        Call(
            "CancelAllOrders",
            Kind.CANCEL,
            models.CancelAllOrders,
            cancels.cancel_all_orders,
            replies.StandardReply,
            {"AccountId": 14, "UserId": 37, "OMSId": 1, "InstrumentId": 25},
            "Cancel every order that everything given fits",
        ),
        Call(
            "CancelReplaceOrder",
            Kind.CANCEL,
            models.Anything,
            cancels.cancel_replace_order,
            replies.StandardReply,
            {},
            "Not supported: always refused with 106",
        ),
        Call(
            "GetOpenOrders",
            Kind.PLAIN,
            models.GetOpenOrders,
            lookups.get_open_orders,
            replies.Orders,
            _ACCOUNT,
            "The open orders that a CancelAllOrders with the same keys would cancel",
        ),
        Call(
            "GetOrderStatus",
            Kind.PLAIN,
            models.GetOrderStatus,
            lookups.get_order_status,
            replies.Order,
            _ORDER_ID,
            "One order, whatever became of it",
        ),
        Call(
            "GetOrdersHistory",
            Kind.PLAIN,
            models.GetOrdersHistory,
            lookups.get_orders_history,
            replies.Orders,
            {"OMSId": 1, "AccountId": 14, "Depth": 20},
            "Known orders, open or closed, last changed first",
        ),
        Call(
            "SubscribeAccountEvents",
            Kind.SUBSCRIBE,
            models.OfAccount,
            None,
            replies.Subscribed,
            _ACCOUNT,
            "Be told what happens to the orders of an account (WebSocket only)",
        ),
        Call(
            "UnsubscribeAccountEvents",
            Kind.UNSUBSCRIBE,
            models.OfAccount,
            None,
            replies.Unsubscribed,
            _ACCOUNT,
            "Be told no more (WebSocket only)",
        ),
    )
}
"""Every call by its name."""


def begin(name: str, caller: Caller) -> Call | Body:
    """The call of this name, or the reply that `caller` may not call it at all, or not now."""
    call = CALLS.get(name)
    if call is None:
        return standard(not_supported(f"there is no function {shown(name)}"))
    if call.is_open:
        return call
    if caller.identity is None:
        return standard(NOT_LOGGED_IN)
    if call.kind is Kind.CANCEL or not (seconds := caller.context.rates.wait(caller.user_id)):
        return call
    why = f"too many requests; ask again in {seconds:.3f} seconds. Cancels are never refused for it"
    return refused(call, failed(why))


def run(call: Call, caller: Caller, pairs: Pairs) -> object:
    """What a call comes to whose work is its own: an `Ask`, or the reply."""
    assert call.run is not None
    asked = read(call.model, call.name, pairs)
    if isinstance(asked, Refusal):
        return refused(call, asked)
    return call.run(caller, asked)


def refused(call: Call, refusal: Refusal) -> Body:
    """The reply to a call that is refused."""
    return rejected(refusal) if call.kind is Kind.ORDER else standard(refusal)


def away(call: Call, error: EngineAwayError) -> Body:
    """The reply when the engine did not answer: it says whether anything can have been done."""
    return refused(call, server_error(str(error)))


def our_mistake(call: Call) -> Body:
    """The reply when an exception of our own came in between."""
    return refused(call, server_error("an internal error; whether anything was done is not known"))
