"""What a request leads to: `decide` turns it into events and is pure; time and ids are passed in.

Every function here checks in the one order of `fixgw.core.errors.ErrorCode`; duplicates come first.
"""

from collections.abc import Sequence
from datetime import datetime

from fixgw.core import emergency, permissions, repetition
from fixgw.core.controls import Timer
from fixgw.core.decision import Asking, Decision, refuse
from fixgw.core.directory import User
from fixgw.core.entry import new_order
from fixgw.core.errors import (
    ALREADY_PENDING,
    ErrorCode,
    Failure,
    Refusal,
    Subject,
    failed,
    not_authorized,
    not_found,
)
from fixgw.core.events import (
    CancelRequested,
    ControlAnswered,
    Event,
    MassCancelAccepted,
    MassCancelRequested,
    TimerRanOut,
)
from fixgw.core.find import contradiction, find_order
from fixgw.core.narrow import Asked, oms_problem, read_selector, unknown_names, unsupported
from fixgw.core.order import NOBODY, CancelRef, Order, OrdStatus
from fixgw.core.reports import BusinessReject, Report
from fixgw.core.requests import (
    CancelOrder,
    Malformed,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderHistory,
    OrderStatus,
    RequestKind,
)
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.status import mass_status, order_history, order_status


def decide(state: OmsState, request: Asking, at: datetime, next_id: int) -> Decision:
    """What `request` leads to at the time `at` (aware UTC).

    `next_id` is the id that a new order, or a mass cancel, gets.
    """
    match request:
        case NewOrder():
            return _repeated(state, request, at) or new_order(state, request, at, next_id)
        case CancelOrder():
            return _repeated(state, request, at) or _cancel_order(state, request, at)
        case MassCancel():
            return _repeated(state, request, at) or _mass_cancel(state, request, at, next_id)
        case OrderStatus():
            return _reply(order_status(state, request, at))
        case MassStatus():
            return _reply(mass_status(state, request, at))
        case OrderHistory():
            return _reply(order_history(state, request, at))
        case _:
            return _malformed(request, at)


def _repeated(state: OmsState, request: NewOrder | CancelOrder | MassCancel, at: datetime) -> Decision | None:
    """What a request leads to whose ClOrdID was used before; None for one that is new."""
    repeated = repetition.answer(state, request, at)
    if repeated is None:
        return None
    if isinstance(repeated, Refusal):
        return refuse(request, repeated, at, "duplicate-id", _meant(state, request))
    return Decision(replies=(repeated,), rule="poss-resend")


def _meant(state: OmsState, request: NewOrder | CancelOrder | MassCancel) -> Order | None:
    """The order that the refusal of a duplicate tells the state of, where that is certain."""
    if not isinstance(request, CancelOrder):
        return repetition.existing_order(state, request)
    user, scope = state.users[request.user_id], state.oms.cancel_scope
    found = find_order(state, request, lambda order: permissions.may_cancel(user, order, scope).allowed)
    return found if isinstance(found, Order) else None


def _reply(answer: tuple[Sequence[Report], str]) -> Decision:
    replies, rule = answer
    first = replies[0] if replies else None
    refusal = first.refusal if isinstance(first, BusinessReject) else None
    return Decision(replies=replies, rule=rule, refusal=refusal)


def _malformed(request: Malformed, at: datetime) -> Decision:
    kinds = (
        RequestKind.NEW_ORDER_SINGLE,
        RequestKind.ORDER_CANCEL_REQUEST,
        RequestKind.ORDER_MASS_CANCEL_REQUEST,
    )
    if request.echo_id and request.kind in kinds:
        return refuse(request, request.refusal, at, "syntax")
    reject = BusinessReject(
        request.ref_seq_num,
        request.msg_type,
        request.refusal,
        (request.req_id or request.cl_ord_id) if request.echo_id else None,
        unsupported_type=request.kind is RequestKind.UNSUPPORTED,
    )
    return Decision(replies=(reject,), rule="syntax", refusal=request.refusal)


def _cancel_order(state: OmsState, request: CancelOrder, at: datetime) -> Decision:
    user = state.users[request.user_id]
    oms = oms_problem(state, request, user)
    if oms is not None and oms.code is ErrorCode.INVALID_REQUEST:
        return refuse(request, oms, at, "contradiction")
    may = permissions.may_trade(user)
    if not may.allowed:
        return refuse(request, not_authorized(may.why), at, may.rule)
    if oms is not None:
        return _no_such_order(state, request, user, at, oms)
    scope = state.oms.cancel_scope
    found = find_order(state, request, lambda order: permissions.may_cancel(user, order, scope).allowed)
    if isinstance(found, Refusal):
        return refuse(request, found, at, "contradiction")
    if found is None:
        return _no_such_order(state, request, user, at, None)
    if wrong := contradiction(state, request, found):
        return refuse(request, wrong, at, "contradiction", found)
    rule = permissions.may_cancel(user, found, scope).rule
    if found.pending_cancel is not None:
        return refuse(request, ALREADY_PENDING, at, "already-pending", found)
    if not found.is_open:
        refusal = failed(f"too late to cancel, the order is {found.status.name}", Failure.TOO_LATE)
        return refuse(request, refusal, at, "too-late", found)
    ref = CancelRef(user.user_id, request.session, request.cl_ord_id, None, request.content, at)
    event = CancelRequested(found.order_id, ref, at)
    return Decision((event,), rule=rule, to_cancel=(found.order_id,))


def _no_such_order(
    state: OmsState, request: CancelOrder, user: User, at: datetime, oms: Refusal | None
) -> Decision:
    ruling = permissions.may_name(
        user, request.account_id, request.owner_id, state.oms.cancel_scope, state.directory
    )
    if not ruling.allowed:
        return refuse(request, not_authorized(ruling.why), at, ruling.rule)
    if unknown := oms or unknown_names(state, user, request.account_id, request.owner_id):
        return refuse(request, unknown, at, "unknown-name")
    named = "OrigClOrdID(41)" if request.order_id is None else "OrderID(37)"
    return refuse(request, not_found(f"{named} names no order", Subject.ORDER), at, "unknown-order")


def _mass_cancel(state: OmsState, request: MassCancel, at: datetime, next_id: int) -> Decision:
    user = state.users[request.user_id]
    asked = read_selector(state, request, user)
    if isinstance(asked, Refusal):
        return refuse(request, asked, at, "contradiction")
    ruling = permissions.may_cancel_all(user, asked.selector, state.oms.cancel_scope)
    if not ruling.allowed:
        return refuse(request, not_authorized(ruling.why), at, ruling.rule)
    if refusal := _cannot(state, asked, user, request):
        rule = "unsupported-field" if refusal.code is ErrorCode.OPERATION_NOT_SUPPORTED else "unknown-name"
        return refuse(request, refusal, at, rule)
    honoured = emergency.honour(state, request, asked.selector, user, ruling.rule, at, next_id)
    if honoured is not None:
        return honoured
    return _cancel_all(state, request, asked.selector, user, ruling.rule, at, next_id)


def _cancel_all(
    state: OmsState,
    request: MassCancel,
    selector: CancelSelector,
    user: User,
    rule: str,
    at: datetime,
    next_id: int,
    before: Sequence[Event] = (),
) -> Decision:
    locked = (emergency.lock(request, selector, user, at, next_id),) if request.locks else ()
    events = (*before, *locked, MassCancelRequested(next_id, request, selector, at))
    if not state.oms.is_embedded:  # the venue may have more orders of this scope than are known here
        return Decision(events, rule=rule, to_read=selector)
    accepted = _accept(state, next_id, request, selector, at)
    return Decision((*events, accepted), rule=rule, to_cancel=accepted.order_ids)


def run_out(state: OmsState, timer: Timer, at: datetime, next_id: int) -> Decision:
    """What happens when `timer` has run out: it asks for what was permitted when it was armed."""
    user = state.users.get(timer.request.user_id, state.users[NOBODY])
    ran_out = TimerRanOut(timer.timer_id, next_id, at)
    rule = timer.kind.value.replace(" ", "-")
    return _cancel_all(state, timer.request, timer.selector, user, rule, at, next_id, (ran_out,))


def _accept(
    state: OmsState, mass_cancel_id: int, request: MassCancel, selector: CancelSelector, at: datetime
) -> MassCancelAccepted:
    ref = CancelRef(request.user_id, request.session, request.cl_ord_id, mass_cancel_id)
    ids: list[int] = []
    pending: list[int] = []
    for order in state.book.select(selector):
        (pending if order.status is OrdStatus.PENDING_CANCEL else ids).append(order.order_id)
    return MassCancelAccepted(mass_cancel_id, ref, tuple(ids), tuple(pending), at)


def accept_mass_cancel(
    state: OmsState, mass_cancel_id: int, at: datetime
) -> tuple[MassCancelAccepted | ControlAnswered, CancelSelector] | None:
    """Fix the set of a mass cancel that waits for it, now that its scope was read; and what it selects by.

    A dry run is answered with it.
    None when none waits under this id.
    """
    waiting = waiting_mass_cancel(state, mass_cancel_id)
    if waiting is None:
        return None
    request, selector = waiting
    if request.is_dry_run:
        return emergency.shown(state, mass_cancel_id, request, selector, at), selector
    return _accept(state, mass_cancel_id, request, selector, at), selector


def waiting_mass_cancel(state: OmsState, mass_cancel_id: int) -> tuple[MassCancel, CancelSelector] | None:
    """A mass cancel whose scope is being read, and what it selects by; None when none is under this id."""
    progress = state.mass_cancels.get(mass_cancel_id)
    if progress is None or progress.accepted:
        return None
    return progress.request, progress.selector


def _cannot(state: OmsState, asked: Asked, user: User, request: MassCancel) -> Refusal | None:
    if asked.unknown is not None:
        return asked.unknown
    if unknown := unknown_names(state, user, asked.selector.account_id, asked.selector.user_id):
        return unknown
    return unsupported(request)
