"""What a request leads to: `decide` turns it into events and is pure; time and ids are passed in.

Every function here checks in the one order of `fixgw.core.errors.ErrorCode`; duplicates come first.
"""

from collections.abc import Sequence
from datetime import datetime

from fixgw.core import emergency, permissions, repetition
from fixgw.core.controls import Timer
from fixgw.core.decision import Asking, Decision, refuse
from fixgw.core.directory import Instrument, User
from fixgw.core.errors import (
    ALREADY_PENDING,
    ErrorCode,
    Failure,
    Refusal,
    Subject,
    failed,
    invalid,
    not_authorized,
    not_found,
)
from fixgw.core.events import (
    CancelRequested,
    ControlAnswered,
    DayEnded,
    Event,
    MassCancelAccepted,
    MassCancelRequested,
    OrderEntered,
    OrderExpired,
    TimerRanOut,
)
from fixgw.core.find import contradiction, find_order
from fixgw.core.narrow import Asked, oms_problem, read_selector, unknown_names, unsupported
from fixgw.core.order import NOBODY, CancelRef, Order, OrdStatus, OrdType, TimeInForce
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
from fixgw.core.state import OmsState, day_start_before
from fixgw.core.status import mass_status, order_history, order_status


def decide(state: OmsState, request: Asking, at: datetime, next_id: int) -> Decision:
    """What `request` leads to at the time `at` (aware UTC).

    `next_id` is the id that a new order, or a mass cancel, gets.
    """
    match request:
        case NewOrder():
            return _repeated(state, request, at) or _new_order(state, request, at, next_id)
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


def _new_order(state: OmsState, request: NewOrder, at: datetime, next_id: int) -> Decision:
    user = state.users[request.user_id]
    account_id = request.account_id
    if account_id is None and (request.owner_id in (None, user.user_id)):
        account_id = user.default_account_id
    owner_id = user.user_id if request.owner_id is None else request.owner_id
    oms = oms_problem(state, request, user)
    if oms is not None and oms.code is ErrorCode.INVALID_REQUEST:
        return refuse(request, oms, at, "contradiction")
    if account_id is None:
        missing = invalid("Account(1) is missing, and no default account applies", Subject.ACCOUNT)
        return refuse(request, missing, at, "contradiction")
    named = _read_new_order(state, request, user, owner_id, account_id)
    if isinstance(named, Refusal) and named.code is ErrorCode.INVALID_REQUEST:
        return refuse(request, named, at, "contradiction")
    ruling = permissions.may_enter(user, account_id, owner_id)
    if not ruling.allowed:
        return refuse(request, not_authorized(ruling.why), at, ruling.rule)
    instrument_id = None if isinstance(named, Refusal) else named.instrument_id
    locked = emergency.locked_out(state, account_id, owner_id, instrument_id, request.side, request.strategy)
    if locked is not None:
        return refuse(request, locked, at, "locked")
    if unknown := unknown_names(state, user, account_id, request.owner_id):
        return refuse(request, unknown, at, "unknown-name")
    if oms is not None:
        return refuse(request, oms, at, "unknown-name")
    if isinstance(named, Refusal):
        return refuse(request, named, at, "unknown-name")
    if request.unsupported is not None:
        return refuse(request, request.unsupported, at, "unsupported-field")
    order = _order(state, request, named, owner_id, account_id, at, next_id)
    return Decision((OrderEntered(order),), rule=ruling.rule)


def _read_new_order(
    state: OmsState, request: NewOrder, user: User, owner_id: int, account_id: int
) -> Instrument | Refusal:
    owner = state.users.get(owner_id)
    for_other = user.is_operator and owner is not None and owner is not user
    known = account_id in state.directory.accounts
    if for_other and owner is not None and known and account_id not in owner.account_ids:
        return invalid(f"Account(1)={account_id} is not an account of user {owner_id}", Subject.ACCOUNT)
    return state.directory.instrument(request.instrument, state.oms.oms_id)


def _order(
    state: OmsState,
    request: NewOrder,
    instrument: Instrument,
    owner_id: int,
    account_id: int,
    at: datetime,
    order_id: int,
) -> Order:
    if request.side is None or request.ord_type is None:
        raise AssertionError("a value that is not supported passed its check")
    return Order(  # by position: names cost four times as much
        order_id,
        state.oms.oms_id,
        owner_id,
        account_id,
        instrument.instrument_id,
        request.cl_ord_id,
        request.side,
        request.ord_type,
        request.time_in_force or TimeInForce.DAY,
        request.order_qty,
        request.price,
        request.stop_px,
        request.strategy,
        request.session or state.directory.first_session(owner_id),
        request.content,
        at,
        _first_status(state, request.ord_type),
        entered_by=None if owner_id == request.user_id else request.user_id,
        product=request.product,
        on_venue=state.oms.is_embedded,
    )


def _first_status(state: OmsState, ord_type: OrdType) -> OrdStatus:
    if not state.oms.is_embedded:
        return OrdStatus.PENDING_NEW
    return OrdStatus.PENDING_TRIGGER if ord_type.has_trigger else OrdStatus.NEW


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


def end_day(state: OmsState, at: datetime) -> DayEnded | None:
    """The event that the day has ended, when it has; the boundary is passed once and never back."""
    if at < state.next_day_end():
        return None
    return DayEnded(state.oms.oms_id, day_start_before(at, state.oms))


def expire(state: OmsState, order_id: int, at: datetime) -> OrderExpired | CancelRequested | None:
    """The event that a Day order of an earlier day expires; None when it need not.

    On a venue outside this process nothing expires by our word: there its cancel is requested, by nobody.
    """
    order = state.book.get(order_id)
    if order is None or not order.is_open or order.time_in_force is not TimeInForce.DAY:
        return None
    if order.entered_at >= state.day_start:
        return None
    if state.oms.is_embedded:
        return OrderExpired(order_id, at)
    if order.status is OrdStatus.PENDING_CANCEL:
        return None
    return CancelRequested(order_id, CancelRef(NOBODY, None, None, at=at), at)
