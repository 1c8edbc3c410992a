"""What a session is told, in words that no door owns; the outbox of the journal holds these."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from fixgw.core.errors import Refusal
from fixgw.core.order import Code, Order
from fixgw.core.requests import ClientRequest, Malformed, MassCancel, NewOrder, OrderHistory


class ExecType(Code):
    """ExecType(150), the values that are sent."""

    NEW = "0"
    CANCELED = "4"
    PENDING_CANCEL = "6"
    REJECTED = "8"
    PENDING_NEW = "A"
    EXPIRED = "C"
    RESTATED = "D"
    TRADE = "F"
    ORDER_STATUS = "I"


class Execution(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """ExecutionReport(8) of something that happened to an order; `order` is as it stood right after.

    `cl_ord_id` is ClOrdID(11) of this report; `orig_cl_ord_id` is there when it answers a cancel.
    """

    exec_type: ExecType
    exec_id: int
    order: Order
    cl_ord_id: str | None
    at: datetime
    orig_cl_ord_id: str | None = None
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    text: str | None = None


class OrderRefused(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """ExecutionReport(8) that refuses a New Order Single.

    `existing` is the order that has its ClOrdID already. `as_status` makes it the answer to a repetition.
    """

    exec_id: int
    request: NewOrder | Malformed
    refusal: Refusal
    at: datetime
    existing: Order | None = None
    as_status: bool = False


class OrderState(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """ExecutionReport(8) with ExecType(150)=I: an order's state, or that there is no such order.

    `total` and `last` belong to a mass status request (None and False for a single one).
    """

    order: Order | None
    at: datetime
    request: ClientRequest | OrderHistory
    total: int | None = None
    last: bool = False


class CancelReject(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """OrderCancelReject(9). `order` is the order as it stands where that is certain, else None."""

    cl_ord_id: str | None
    orig_cl_ord_id: str | None
    order: Order | None
    refusal: Refusal
    at: datetime


class MassCancelReport(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """OrderMassCancelReport(r).

    `total_affected` is TotalAffectedOrders(533). `affected` are pairs (OrderID, ClOrdID) for the group
    NoAffectedOrders(534), empty above the session's limit; with `completed`, `not_affected` are the same
    pairs for NoNotAffectedOrders(1370) and `total_affected` counts the canceled ones. `text` is what there is
    to say of one that was not refused.
    """

    mass_cancel_id: int
    request: MassCancel | Malformed
    at: datetime
    refusal: Refusal | None = None
    total_affected: int = 0
    affected: tuple[tuple[int | str, str | None], ...] = ()
    completed: bool = False
    not_affected: tuple[tuple[int | str, str | None], ...] = ()
    text: str = ""


class BusinessReject(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """BusinessMessageReject(j), for requests that have no answer of their own to be refused with.

    `ref_id` is BusinessRejectRefID(379); None where the request's id cannot be echoed.
    """

    ref_seq_num: int
    ref_msg_type: str
    refusal: Refusal
    ref_id: str | None = None
    unsupported_type: bool = False


Report = Execution | OrderRefused | OrderState | CancelReject | MassCancelReport | BusinessReject


class Again(Struct, frozen=True):
    """A report that the session may have had before its numbers began anew: PossResend(97)=Y is on it."""

    report: Report


Outgoing = Report | Again
