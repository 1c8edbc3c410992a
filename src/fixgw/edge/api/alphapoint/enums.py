"""The enumerations of the dialect: their names and numbers, and how those that we serve map to the core."""

from enum import IntEnum

from fixgw.core import order as core
from fixgw.core.order import OrdStatus


class Side(IntEnum):
    """Side of an order."""

    Buy = 0
    Sell = 1
    Short = 2
    Unknown = 3


class OrderType(IntEnum):
    """Type of an order."""

    Unknown = 0
    Market = 1
    Limit = 2
    StopMarket = 3
    StopLimit = 4
    TrailingStopMarket = 5
    TrailingStopLimit = 6
    BlockTrade = 7


class TimeInForce(IntEnum):
    """How long an order is good."""

    Unknown = 0
    GTC = 1
    OPG = 2
    IOC = 3
    FOK = 4
    GTX = 5
    GTD = 6


class PegPriceType(IntEnum):
    """Which price a stop or a pegged order looks at."""

    Unknown = 0
    Last = 1
    Bid = 2
    Ask = 3
    Midpoint = 4


class OrderState(IntEnum):
    """State of an order. There is none for a partial fill or a pending cancel: both are Working."""

    Unknown = 0
    Working = 1
    Rejected = 2
    Canceled = 3
    Expired = 4
    FullyExecuted = 5


class ChangeReason(IntEnum):
    """Why an order changed last."""

    Unknown = 0
    NewInputAccepted = 1
    NewInputRejected = 2
    OtherRejected = 3
    Expired = 4
    Trade = 5
    SystemCanceled_NoMoreMarket = 6
    SystemCanceled_BelowMinimum = 7
    SystemCanceled_PriceCollar = 8
    SystemCanceled_MarginFailed = 9
    UserModified = 100


SIDES = {Side.Buy: core.Side.BUY, Side.Sell: core.Side.SELL, Side.Short: core.Side.SELL_SHORT}
"""The sides that can be entered."""

ORDER_TYPES = {
    OrderType.Market: core.OrdType.MARKET,
    OrderType.Limit: core.OrdType.LIMIT,
    OrderType.StopMarket: core.OrdType.STOP,
    OrderType.StopLimit: core.OrdType.STOP_LIMIT,
}
"""The order types that can be entered."""

TIMES_IN_FORCE = {TimeInForce.GTC: core.TimeInForce.GOOD_TILL_CANCEL}
"""The times in force that can be entered."""

SIDE_NAMES = {side: name.name for name, side in SIDES.items()}
"""What a side is called in a reply."""

ORDER_TYPE_NAMES = {ord_type: name.name for name, ord_type in ORDER_TYPES.items()}
"""What an order type is called in a reply."""

STATE_NAMES = {
    OrdStatus.FILLED: OrderState.FullyExecuted.name,
    OrdStatus.CANCELED: OrderState.Canceled.name,
    OrdStatus.REJECTED: OrderState.Rejected.name,
    OrdStatus.EXPIRED: OrderState.Expired.name,
}
"""What a terminal state is called in a reply; all others are Working."""

ALL: tuple[type[IntEnum], ...] = (Side, OrderType, TimeInForce, PegPriceType, OrderState, ChangeReason)
"""What GetEnums lists, in its order."""
