"""The requests of the dialect, with the spelling of their keys; they are read by `keys.read`.

A key that the document has spelled in several ways has the others in `also`.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fixgw.edge.api.alphapoint import enums
from fixgw.edge.api.alphapoint.values import (
    Amount,
    Flag,
    Id,
    Long,
    NamedId,
    OptionalId,
    Text,
    member_of,
    one_of,
)

_Side = Annotated[enums.Side, member_of(enums.Side), one_of(enums.Side)]
_OrderType = Annotated[enums.OrderType, member_of(enums.OrderType), one_of(enums.OrderType)]
_TimeInForce = Annotated[enums.TimeInForce | None, member_of(enums.TimeInForce), one_of(enums.TimeInForce)]
_PegPriceType = Annotated[
    enums.PegPriceType | None, member_of(enums.PegPriceType), one_of(enums.PegPriceType)
]

CLIENT_ORDER_ID = Field(default=None, json_schema_extra={"also": ["ClOrderId"]})
INSTRUMENT_ID = Field(default=None, json_schema_extra={"also": ["IntrumentId"]})  # docs from 3.4 on
SECRET = Field(default=None, repr=False)


class Message(BaseModel):
    """A request. Its values never show in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Nothing(Message):
    """A request without keys."""


class Anything(BaseModel):
    """A request that is refused whatever is in it."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)


class Login(Message):
    """AuthenticateUser, Authenticate and WebAuthenticateUser: one of the three forms of credentials."""

    APIKey: Text = SECRET
    Signature: Text = SECRET
    UserId: Text = None
    Nonce: Text = SECRET
    UserName: Text = None
    Password: Text = SECRET
    SessionToken: Text = SECRET
    grant_type: Text = None


class SendOrder(Message):
    """A new order. Quantities are in units of the instrument, prices in its quote currency."""

    OMSId: Id
    AccountId: Id
    InstrumentId: Id
    Side: _Side
    OrderType: _OrderType
    Quantity: Amount
    TimeInForce: _TimeInForce = None
    LimitPrice: Amount = None
    StopPrice: Amount = None
    ClientOrderId: Long = CLIENT_ORDER_ID
    OrderIdOCO: Long = None
    UseDisplayQuantity: Flag = False
    DisplayQuantity: Amount = None
    PegPriceType: _PegPriceType = None
    PegOffset: Amount = None
    LimitOffset: Amount = None
    TrailingAmount: Amount = None
    UseMargin: Flag = False


class CancelOrder(Message):
    """The cancel of one order: by OrderId, by AccountId and ClientOrderId, or by both."""

    OMSId: Id
    AccountId: OptionalId = None
    OrderId: Long = None
    ClientOrderId: Long = CLIENT_ORDER_ID


class CancelAllOrders(Message):
    """The cancel of all orders that everything given fits. 0 and absent: all."""

    OMSId: Id
    AccountId: NamedId = None
    UserId: NamedId = None
    InstrumentId: NamedId = INSTRUMENT_ID


class GetOpenOrders(CancelAllOrders):
    """The open orders that a CancelAllOrders with the same keys would cancel."""


class GetOrdersHistory(Message):
    """Known orders, open or closed, last changed first: `Depth` of them after `StartIndex`."""

    OMSId: Id
    AccountId: NamedId = None
    UserId: NamedId = None
    InstrumentId: NamedId = INSTRUMENT_ID
    Side: Annotated[enums.Side | None, member_of(enums.Side), one_of(enums.Side)] = None
    StartTimestamp: Long = None
    Depth: Long = None
    StartIndex: Long = None
    EndTimestamp: Long = None
    OrderId: Long = None
    ClientOrderId: Long = CLIENT_ORDER_ID
    OriginalOrderId: Long = None
    OriginalClientOrderId: Long = None


class GetOrderStatus(Message):
    """The state of one order: by OrderId, or by AccountId and ClientOrderId."""

    OMSId: Id
    AccountId: OptionalId = None
    OrderId: Long = None
    ClientOrderId: Long = CLIENT_ORDER_ID


class OfAccount(Message):
    """SubscribeAccountEvents, UnsubscribeAccountEvents and GetAccountInfo."""

    OMSId: Id
    AccountId: Id


class GetUserAccounts(Message):
    """The accounts of a user, by default of the one who asks."""

    OMSId: OptionalId = None
    UserId: OptionalId = None
    UserName: Text = None


class GetProducts(Message):
    """All products, or one."""

    OMSId: OptionalId = None
    ProductId: OptionalId = None


class GetInstruments(Message):
    """All instruments, or one."""

    OMSId: OptionalId = None
    InstrumentId: OptionalId = INSTRUMENT_ID
