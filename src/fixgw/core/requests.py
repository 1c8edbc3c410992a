"""What a door can ask: imperative, frozen. The same structs travel over the link."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import Refusal
from fixgw.core.order import ZERO, OrdType, Side, TimeInForce
from fixgw.core.scope import Scope


class RequestKind(StrEnum):
    """The FIX message that a request came in, or would have come in; its value is the MsgType(35)."""

    NEW_ORDER_SINGLE = "D"
    ORDER_CANCEL_REQUEST = "F"
    ORDER_MASS_CANCEL_REQUEST = "q"
    ORDER_STATUS_REQUEST = "H"
    ORDER_MASS_STATUS_REQUEST = "AF"
    UNSUPPORTED = "?"
    ORDER_HISTORY = "history"  # no FIX message asks for closed orders


class Request(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What every request of a client has.

    `user_id` is who asks; `session` the FIX session it came on, None for another door. `cl_ord_id` is
    the request's own ClOrdID(11). `content` is a digest of everything but what PossResend(97) allows to
    differ. `ref_seq_num` is the inbound MsgSeqNum(34), for a BusinessMessageReject.
    """

    user_id: int
    session: str | None = None
    oms: OmsName = OmsName()
    cl_ord_id: str | None = None
    content: int = 0
    poss_resend: bool = False
    ref_seq_num: int = 0


class NewOrder(Request, frozen=True, tag=True, array_like=True, gc=False):
    """New Order Single (D). `owner_id` is the user named in it; None is the one who asks. `strategy` and
    `product` are labels.

    A field that holds a value we do not know is None here, and `unsupported` says which: that refusal
    (106) has its place after those for permission (20) and unknown names (104).
    """

    kind: ClassVar[RequestKind] = RequestKind.NEW_ORDER_SINGLE

    instrument: InstrumentName
    side: Side | None
    ord_type: OrdType | None
    time_in_force: TimeInForce | None
    order_qty: Decimal
    account_id: int | None = None
    owner_id: int | None = None
    price: Decimal | None = None
    stop_px: Decimal | None = None
    strategy: str | None = None
    unsupported: Refusal | None = None
    side_text: str = ""
    product: str | None = None


class CancelOrder(Request, frozen=True, tag=True, array_like=True, gc=False):
    """Order Cancel Request (F): one order, named by `order_id`, by `orig_cl_ord_id`, or by both.

    `order_id` is -1 for one that cannot be ours; then `venue_order_id` may be its id on the venue. The rest,
    where given, must be the order's own.
    """

    kind: ClassVar[RequestKind] = RequestKind.ORDER_CANCEL_REQUEST

    order_id: int | None = None
    orig_cl_ord_id: str | None = None
    account_id: int | None = None
    owner_id: int | None = None
    instrument: InstrumentName = InstrumentName()
    side: str | None = None
    order_qty: Decimal | None = None
    venue_order_id: str | None = None


class MassCancel(Request, frozen=True, tag=True, array_like=True, gc=False):
    """Order Mass Cancel Request (q): every order of the scope, narrowed by all else that is given.

    `unsupported` is there when something was given that narrows and that we cannot honour (106).

    With `dead_man_ms` it happens so many milliseconds later, unless it is asked again before; 0 calls that
    off. With `locks` it also locks new orders of the scope; False takes the lock away, and cancels nothing.
    A dry run says what would be canceled. `reason` is what the owner of an order is told when nobody asked
    for it on a session, and `by` is then the person who did.
    """

    kind: ClassVar[RequestKind] = RequestKind.ORDER_MASS_CANCEL_REQUEST

    scope: Scope
    account_id: int | None = None
    owner_id: int | None = None
    side: str | None = None
    strategy: str | None = None
    unsupported: Refusal | None = None
    dead_man_ms: int | None = None
    locks: bool | None = None
    is_dry_run: bool = False
    reason: str = ""
    by: str = ""


class OrderStatus(Request, frozen=True, tag=True, array_like=True, gc=False):
    """Order Status Request (H): one order, named by `order_id`, else by `orig_cl_ord_id` (its ClOrdID).

    `venue_order_id` is as in a CancelOrder.
    """

    kind: ClassVar[RequestKind] = RequestKind.ORDER_STATUS_REQUEST

    order_id: int | None = None
    orig_cl_ord_id: str | None = None
    account_id: int | None = None
    owner_id: int | None = None
    instrument: InstrumentName = InstrumentName()
    side: str | None = None
    req_id: str | None = None
    venue_order_id: str | None = None


class MassStatus(Request, frozen=True, tag=True, array_like=True, gc=False):
    """Order Mass Status Request (AF): the open orders of a scope, read exactly as a mass cancel reads it.

    `most` bounds the number of orders for a door without sessions; a session has a setting.
    """

    kind: ClassVar[RequestKind] = RequestKind.ORDER_MASS_STATUS_REQUEST

    scope: Scope
    req_id: str
    most: int | None = None
    account_id: int | None = None
    owner_id: int | None = None
    side: str | None = None
    unsupported: Refusal | None = None


class OrderHistory(Request, frozen=True, tag=True, array_like=True, gc=False):
    """The orders of a scope that are known, open or closed, last changed first: `most` after `skip` of them.

    Closed orders are known for as long as [journal] closed_seconds and closed_max say. With `since` (aware
    UTC) only those entered since then.
    """

    kind: ClassVar[RequestKind] = RequestKind.ORDER_HISTORY

    scope: Scope
    account_id: int | None = None
    owner_id: int | None = None
    side: str | None = None
    unsupported: Refusal | None = None
    since: datetime | None = None
    most: int = 1_000
    skip: int = 0


class Malformed(Request, frozen=True, tag=True, array_like=True, gc=False):
    """A request that cannot be read, with the refusal it gets and what its answer has to echo.

    `echo_id` is False where the request's own id cannot be echoed: then the answer is a
    BusinessMessageReject, and no id is used up.
    """

    kind: RequestKind
    msg_type: str
    refusal: Refusal
    echo_id: bool = True
    instrument: InstrumentName = InstrumentName()
    side: str | None = None
    orig_cl_ord_id: str | None = None
    scope: Scope | None = None
    req_id: str | None = None


ClientRequest = NewOrder | CancelOrder | MassCancel | OrderStatus | MassStatus | Malformed

ApiRequest = NewOrder | CancelOrder | MassCancel | OrderStatus | MassStatus | OrderHistory
"""What a client of the API can ask: a door that answers each request by itself, and reads before it asks."""


class OrderAnswer(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A venue's word on one cancel: canceled when `refused` is None, else why it was not."""

    order_id: int
    refused: str | None = None


class FillOrder(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A fill on a venue. Without `last_px` at the order's own price."""

    order_id: int
    last_qty: Decimal
    last_px: Decimal | None = None


class TriggerOrder(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A stop order's trigger was reached on its venue."""

    order_id: int


class VenueStatus(StrEnum):
    """Where an order stands on its venue; PENDING: the venue has it, and has not confirmed it yet."""

    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class VenueDetails(Struct, frozen=True, array_like=True):
    """What an order is that was entered on its venue."""

    account_id: int
    instrument_id: int
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    order_qty: Decimal
    price: Decimal | None = None
    stop_px: Decimal | None = None


class VenueOrder(Struct, frozen=True, tag=True, array_like=True):
    """What a venue outside this process says of an order: how it stands, and what was filled of it in all.

    Said twice, or after something newer, it changes nothing. `order_id` is 0 for an order that was entered
    there; while it is not known here, `details` say what it is. `text` is the venue's reason for an end.
    """

    oms_id: int
    order_id: int
    venue_order_id: str
    status: VenueStatus
    cum_qty: Decimal = ZERO
    avg_px: Decimal | None = None
    triggered: bool = False
    text: str = ""
    details: VenueDetails | None = None


class VenueOrders(Struct, frozen=True, tag=True, array_like=True):
    """What a venue said of orders (any number), one after the other, that led to one event."""

    orders: tuple[VenueOrder, ...]


class Unknown(Struct, frozen=True, tag=True, array_like=True):
    """Whether the venue did what was last asked of it about an order cannot be said yet; `text` says why."""

    order_id: int
    text: str


class ScopeRead(Struct, frozen=True, tag=True, array_like=True):
    """The orders that a mass cancel may reach were read from the venue, and were said before this.

    `refused` is why they could not be.
    """

    oms_id: int
    mass_cancel_id: int
    refused: str | None = None


VenueRequest = OrderAnswer | FillOrder | TriggerOrder | VenueOrder | Unknown | ScopeRead
