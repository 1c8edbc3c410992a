"""The replies and events of the dialect, for the OpenAPI page; `views` makes them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, RootModel


class Body(BaseModel):
    """A reply; it has exactly these keys."""

    model_config = ConfigDict(extra="forbid")


class StandardReply(Body):
    """The reply of calls that return nothing, and of every call that is refused."""

    result: bool
    errormsg: str | None
    errorcode: Literal[0, 100, 20, 104, 106, 101, 102]
    detail: str | None


class Pong(Body):
    """The reply of Ping."""

    msg: Literal["PONG"]


class LoginUser(Body):
    """Who has logged in."""

    UserId: int
    UserName: str
    Email: str
    EmailVerified: bool
    AccountId: int
    OMSId: int
    Use2FA: bool


class LoggedIn(Body):
    """The reply of a login."""

    Authenticated: Literal[True]
    SessionToken: str
    User: LoginUser
    Locked: bool
    Requires2FA: bool
    EnforceEnable2FA: bool
    TwoFAType: None
    TwoFAToken: None
    errormsg: None


class NotLoggedIn(Body):
    """The reply of a login that failed; it does not say what was wrong."""

    Authenticated: Literal[False]
    Locked: bool
    errormsg: str


class Accepted(Body):
    """The reply of SendOrder when the order was taken on."""

    status: Literal["Accepted"]
    errormsg: Literal[""]
    OrderId: int


class Rejected(BaseModel):
    """The reply of SendOrder when the order was refused. `detail` is there unless `errormsg` says it all."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["Rejected"]
    errormsg: str
    errorcode: Literal[100, 20, 104, 106, 101, 102]
    detail: str = ""


class Order(Body):
    """An order. `Quantity` is what remains; times are Unix milliseconds, ticks are .NET's."""

    Side: str
    OrderId: int
    Price: float
    Quantity: float
    DisplayQuantity: float
    Instrument: int
    Account: int
    AccountName: str
    OrderType: str
    ClientOrderId: int
    OrderState: str
    ReceiveTime: int
    ReceiveTimeTicks: int
    LastUpdatedTime: int
    LastUpdatedTimeTicks: int
    OrigQuantity: float
    QuantityExecuted: float
    GrossValueExecuted: float
    ExecutableValue: float
    AvgPrice: float
    CounterPartyId: int
    ChangeReason: str
    OrigOrderId: int
    OrigClOrdId: int
    EnteredBy: int
    UserName: str
    IsQuote: bool
    InsideAsk: float
    InsideAskSize: float
    InsideBid: float
    InsideBidSize: float
    LastTradePrice: float
    RejectReason: str
    IsLockedIn: bool
    CancelReason: str
    OrderFlag: str
    UseMargin: bool
    StopPrice: float
    PegPriceType: str
    PegOffset: float
    PegLimitOffset: float
    IpAddress: str | None
    IPv6a: int
    IPv6b: int
    ClientOrderIdUuid: str | None
    OMSId: int


class Orders(RootModel[list[Order]]):
    """The reply of GetOpenOrders and GetOrdersHistory."""


class Accounts(RootModel[list[int]]):
    """The reply of GetUserAccounts."""


class AccountInfo(Body):
    """The reply of GetAccountInfo."""

    OMSID: int
    AccountId: int
    AccountName: str
    AccountHandle: str | None
    FirmId: str | None
    FirmName: str | None
    AccountType: str
    FeeGroupID: int
    ParentID: int
    RiskType: str
    VerificationLevel: int
    FeeProductType: str
    FeeProduct: int
    RefererId: int
    SupportedVenueIds: list[int]


class Product(Body):
    """A product: what an instrument trades, or what it is paid in."""

    OMSId: int
    ProductId: int
    Product: str
    ProductFullName: str
    MasterDataUniqueProductSymbol: str
    ProductType: str
    DecimalPlaces: int
    TickSize: float
    DepositEnabled: bool
    WithdrawEnabled: bool
    NoFees: bool
    IsDisabled: bool
    MarginEnabled: bool


class Products(RootModel[list[Product]]):
    """The reply of GetProducts."""


class Instrument(Body):
    """An instrument."""

    OMSId: int
    InstrumentId: int
    Symbol: str
    Product1: int
    Product1Symbol: str
    Product2: int
    Product2Symbol: str
    InstrumentType: str
    VenueInstrumentId: int
    VenueId: int
    SortIndex: int
    SessionStatus: str
    PreviousSessionStatus: str
    SelfTradePrevention: bool
    QuantityIncrement: float
    PriceIncrement: float
    MinimumQuantity: float
    MinimumPrice: float
    VenueSymbol: str
    IsDisable: bool


class Instruments(RootModel[list[Instrument]]):
    """The reply of GetInstruments."""


class EnumMember(Body):
    """A member of an enumeration."""

    Name: str
    Number: int
    Description: str


class EnumList(Body):
    """An enumeration."""

    Class: str
    Property: str
    Enums: list[EnumMember]


class Enums(RootModel[list[EnumList]]):
    """The reply of GetEnums."""


class Subscribed(Body):
    """The reply of SubscribeAccountEvents."""

    Subscribed: bool


class Unsubscribed(Body):
    """The reply of UnsubscribeAccountEvents."""

    Unsubscribed: bool


class OrderTradeEvent(Body):
    """An order was filled, in part or to its end. `TradeTime` is in .NET ticks."""

    OMSId: int
    TradeId: int
    OrderId: int
    AccountId: int
    ClientOrderId: int
    InstrumentId: int
    Side: str
    Quantity: float
    Price: float
    Value: float
    TradeTime: int
    ContraAcctId: int | None
    OrderTradeRevision: int
    Direction: str


class CancelOrderRejectEvent(Body):
    """The cancel of an order was refused, or came to nothing."""

    OMSId: int
    AccountId: int
    OrderId: int
    OrderRevision: int
    OrderType: str
    InstrumentId: int
    Status: Literal["Rejected"]
    RejectReason: str


class CancelAllOrdersRejectEvent(Body):
    """A CancelAllOrders of this user was refused."""

    OMSId: int
    AccountId: int
    InstrumentId: int
    Status: Literal["Rejected"]
    RejectReason: str
