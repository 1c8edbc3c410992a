"""Who is told what: from an event to the reports that sessions get.

The requester gets his answer on his session. The order's own session, if it is another one, gets only the
end. One report of an event per session, never two (FIX 4.4 leaves this open; it is our documented choice).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import get_args

from msgspec.structs import replace

from fixgw.core.errors import ALREADY_PENDING, Failure, Refusal, failed
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    ControlAnswered,
    Event,
    MassCancelAccepted,
    MassCancelRefused,
    OrderAccepted,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrdersCanceled,
    OrderTriggered,
    OutcomeUnknown,
    RequestRefused,
)
from fixgw.core.order import NOBODY, CancelRef, Order
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport, OrderRefused, Report
from fixgw.core.requests import CancelOrder, Malformed, MassCancel, NewOrder, RequestKind
from fixgw.core.state import MassCancelProgress, OmsState

UNSOLICITED = "canceled, not at the request of this session"

Told = tuple[str, Report]
NextId = Callable[[], int]
Pending = Callable[[str, int], bool]


def tell(
    state: OmsState,
    event: Event,
    before: Order | None,
    after: Order | None,
    *,
    next_exec_id: NextId,
    shows_pending: Pending,
) -> Sequence[Told]:
    """The reports (any number), each with the name of the session that gets it, in their order.

    `before` and `after` are the order as it was and is. `shows_pending` says for a session and an order id
    whether Pending Cancel is to be reported: when the end is not known yet, or the session always wants it.
    """
    if isinstance(event, OrderEntered):
        return _entered(event.order, next_exec_id)
    if isinstance(event, _CHANGES):
        if before is None or after is None:
            raise AssertionError(event)
        if isinstance(event, OrderCanceled):
            return _canceled(state, event, before, after, next_exec_id)
        return list(_order_changed(state, event, before, after, next_exec_id))
    return list(_request_decided(state, event, after, next_exec_id, shows_pending))


def _entered(order: Order, next_exec_id: NextId) -> Sequence[Told]:
    if order.session is None:
        return ()
    kind = ExecType.NEW if order.on_venue else ExecType.PENDING_NEW
    return ((order.session, Execution(kind, next_exec_id(), order, order.cl_ord_id, order.entered_at)),)


def _request_decided(
    state: OmsState, event: Event, after: Order | None, next_exec_id: NextId, shows_pending: Pending
) -> Iterator[Told]:
    match event:
        case RequestRefused():
            if event.request.session is not None:
                yield event.request.session, _refusal(state, event, next_exec_id)
        case CancelRequested(ref=ref):
            if ref.session is not None and after is not None and shows_pending(ref.session, event.order_id):
                yield (
                    ref.session,
                    _for_requester(ExecType.PENDING_CANCEL, ref, after, event.at, next_exec_id()),
                )
        case MassCancelRefused():
            request = state.mass_cancels[event.mass_cancel_id].request
            if request.session is not None:
                yield request.session, MassCancelReport(0, request, event.at, event.refusal)
        case MassCancelAccepted():
            yield from _accepted(state, event, next_exec_id, shows_pending)
        case OrdersCanceled():
            yield from _all_canceled(state, event, next_exec_id)
        case ControlAnswered():
            if event.request.session is not None:
                yield event.request.session, _control_answered(state, event, event.request.session)
        case _:
            return


def _refusal(state: OmsState, event: RequestRefused, next_exec_id: NextId) -> Report:
    request = event.request
    order = None if event.order_id is None else state.book.get(event.order_id)
    match request:
        case NewOrder() | Malformed(kind=RequestKind.NEW_ORDER_SINGLE):
            return OrderRefused(next_exec_id(), request, event.refusal, event.at, order)
        case CancelOrder() | Malformed(kind=RequestKind.ORDER_CANCEL_REQUEST):
            orig = request.orig_cl_ord_id if order is None else order.cl_ord_id
            return CancelReject(request.cl_ord_id, orig, order, event.refusal, event.at)
        case MassCancel() | Malformed():
            return MassCancelReport(0, request, event.at, event.refusal)
    raise AssertionError(request)


def _control_answered(state: OmsState, event: ControlAnswered, session: str) -> MassCancelReport:
    return MassCancelReport(
        event.control_id,
        event.request,
        event.at,
        total_affected=len(event.order_ids),
        affected=_affected(state, session, event.order_ids),
        text=event.text,
    )


def _affected(state: OmsState, session: str, ids: Sequence[int]) -> tuple[tuple[int | str, str | None], ...]:
    """The orders as a report lists them; none when the session's limit is below their number."""
    settings = state.directory.sessions.get(session)
    listed = ids if settings is not None and len(ids) <= settings.affected_orders_max else ()
    return tuple(_listed(state.book.get(order_id), order_id) for order_id in listed)


def _of_mass_cancel(state: OmsState, event: MassCancelAccepted, request: MassCancel) -> str:
    """What there is to say of a mass cancel that was accepted: why it came, and that it locks."""
    said = "the dead-man timer ran out" if request.dead_man_ms else ""
    lock = state.controls.lock(event.mass_cancel_id)
    if lock is None:
        return said
    return f"{said}{'; ' if said else ''}new orders are locked (lock {lock.lock_id})"


def _accepted(
    state: OmsState, event: MassCancelAccepted, next_exec_id: NextId, shows_pending: Pending
) -> Iterator[Told]:
    session = event.ref.session
    if session is None:
        return
    book = state.book
    ids = sorted(event.order_ids + event.already_pending)
    progress = state.mass_cancels[event.mass_cancel_id]
    yield (
        session,
        MassCancelReport(
            event.mass_cancel_id,
            progress.request,
            event.at,
            total_affected=len(ids),
            affected=_affected(state, session, ids),
            text=_of_mass_cancel(state, event, progress.request),
        ),
    )
    for order_id in event.already_pending:
        yield session, _reject(event.ref, book[order_id], ALREADY_PENDING, event)
    for order_id in event.order_ids:
        if shows_pending(session, order_id):
            pending = book[order_id]
            if pending.is_open:
                yield (
                    session,
                    _for_requester(ExecType.PENDING_CANCEL, event.ref, pending, event.at, next_exec_id()),
                )
    if not event.order_ids:
        yield from _completed(state, progress, event)


def _canceled(
    state: OmsState, event: OrderCanceled, before: Order, after: Order, next_exec_id: NextId
) -> Sequence[Told]:
    ref, exec_id = before.pending_cancel, next_exec_id()
    if ref is None or ref.session is None:
        if after.session is None:
            return ()
        return (_to_owner(after.session, event, after, exec_id, _reason(state, ref) or UNSOLICITED),)
    told: list[Told] = [
        (ref.session, _for_requester(ExecType.CANCELED, ref, after, event.at, exec_id)),
    ]
    if after.session is not None and after.session != ref.session:
        told.append(_to_owner(after.session, event, after, exec_id))
    if ref.mass_cancel_id is not None:
        told += _completed_by(state, ref.mass_cancel_id, event)
    return told


def _all_canceled(state: OmsState, event: OrdersCanceled, next_exec_id: NextId) -> Iterator[Told]:
    request, book, at = state.mass_cancels[event.mass_cancel_id].request, state.book, event.at
    requester, cl_ord_id = request.session, request.cl_ord_id
    why = request.reason or UNSOLICITED
    for order_id in event.order_ids:
        order, exec_id = book[order_id], next_exec_id()
        owner = order.session
        if requester is not None:
            orig_cl_ord_id = order.cl_ord_id or "NONE"
            yield requester, Execution(ExecType.CANCELED, exec_id, order, cl_ord_id, at, orig_cl_ord_id)
        if owner is not None and owner != requester:
            yield _to_owner(owner, event, order, exec_id, UNSOLICITED if requester else why)
    if requester is not None:
        yield from _completed_by(state, event.mass_cancel_id, event)


_Change = (
    OrderFilled
    | OrderExpired
    | OrderTriggered
    | CancelRefused
    | OrderAccepted
    | OrderRejected
    | OutcomeUnknown
)
_CHANGES = get_args(OrderCanceled | _Change)
_AnyChange = OrderCanceled | OrdersCanceled | _Change


def _order_changed(
    state: OmsState, event: _Change, before: Order, after: Order, next_exec_id: NextId
) -> Iterator[Told]:
    ref = before.pending_cancel
    requester = None if ref is None else ref.session
    if isinstance(event, OutcomeUnknown):
        yield from _unknown(event, after, next_exec_id)
        return
    elif isinstance(event, CancelRefused):
        reason = _reason(state, ref)
        if reason and after.session is not None:
            said = f"could not be {reason}: {event.refusal.text}"
            kind = ExecType.ORDER_STATUS
            report = Execution(kind, next_exec_id(), after, after.cl_ord_id, event.at, text=said)
            yield after.session, report
    else:
        exec_id = next_exec_id()
        if after.session is not None:
            yield _to_owner(after.session, event, after, exec_id, _reason(state, ref) or UNSOLICITED)
    if ref is None or requester is None or after.pending_cancel is not None:
        return
    refusal = (
        event.refusal
        if isinstance(event, CancelRefused)
        else failed(f"too late to cancel, the order is {after.status.name}", Failure.TOO_LATE)
    )
    yield requester, _reject(ref, after, refusal, event)
    if ref.mass_cancel_id is not None:
        yield from _completed_by(state, ref.mass_cancel_id, event)


def _reason(state: OmsState, ref: CancelRef | None) -> str:
    """Why an order is canceled that no session asked the cancel of; empty for all others."""
    if ref is None or ref.session is not None or ref.mass_cancel_id is None:
        return ""
    progress = state.mass_cancels.get(ref.mass_cancel_id)
    return "" if progress is None else progress.request.reason


def _listed(order: Order | None, order_id: int, cl_ord_id: str | None = None) -> tuple[int | str, str | None]:
    """An order as the report of a mass cancel lists it: OrderID and ClOrdID."""
    if order is None:
        return order_id, cl_ord_id
    return order.shown_id if order.user_id == NOBODY else order_id, order.cl_ord_id


def _unknown(event: OutcomeUnknown, order: Order, next_exec_id: NextId) -> Iterator[Told]:
    """Tell whoever waits for the outcome that it is not known yet; the order stays as it is."""
    ref = order.pending_cancel
    if ref is not None:
        if ref.session is not None:
            report = _for_requester(ExecType.PENDING_CANCEL, ref, order, event.at, next_exec_id())
            yield ref.session, replace(report, text=event.text)
    elif order.session is not None:
        kind = ExecType.ORDER_STATUS if order.on_venue else ExecType.PENDING_NEW
        report = Execution(kind, next_exec_id(), order, order.cl_ord_id, event.at, text=event.text)
        yield order.session, report


def _to_owner(
    session: str,
    event: _AnyChange,
    order: Order,
    exec_id: int,
    unsolicited: str = UNSOLICITED,
) -> Told:
    match event:
        case OrderFilled():
            report = Execution(
                ExecType.TRADE,
                exec_id,
                order,
                order.cl_ord_id,
                event.at,
                last_qty=event.last_qty,
                last_px=event.last_px,
            )
        case OrderAccepted():
            report = Execution(ExecType.NEW, exec_id, order, order.cl_ord_id, event.at)
        case OrderRejected():
            said = event.refusal.text
            report = Execution(ExecType.REJECTED, exec_id, order, order.cl_ord_id, event.at, text=said)
        case OrderExpired():
            report = Execution(ExecType.EXPIRED, exec_id, order, order.cl_ord_id, event.at)
        case OrderTriggered():
            report = Execution(ExecType.RESTATED, exec_id, order, order.cl_ord_id, event.at, text="triggered")
        case _:
            report = Execution(ExecType.CANCELED, exec_id, order, order.cl_ord_id, event.at, text=unsolicited)
    return session, report


def _for_requester(
    exec_type: ExecType, ref: CancelRef, order: Order, at: datetime, exec_id: int
) -> Execution:
    return Execution(exec_type, exec_id, order, ref.cl_ord_id, at, order.cl_ord_id or "NONE")


def _reject(
    ref: CancelRef, order: Order, refusal: Refusal, event: _Change | MassCancelAccepted
) -> CancelReject:
    return CancelReject(ref.cl_ord_id, order.cl_ord_id, order, refusal, event.at)


def _completed_by(state: OmsState, mass_cancel_id: int, event: _AnyChange) -> Iterable[Told]:
    """What is told of a mass cancel when this was the end of its last order."""
    progress = state.mass_cancels[mass_cancel_id]
    return () if progress.left else _completed(state, progress, event)


def _completed(
    state: OmsState,
    progress: MassCancelProgress,
    event: _AnyChange | MassCancelAccepted,
) -> Iterator[Told]:
    session = progress.request.session
    settings = None if session is None else state.directory.sessions.get(session)
    if session is None or settings is None or not settings.extended:
        return
    yield (
        session,
        MassCancelReport(
            progress.mass_cancel_id,
            progress.request,
            event.at,
            total_affected=progress.canceled,
            completed=True,
            not_affected=tuple(
                _listed(state.book.get(order_id), order_id, cl_ord_id)
                for order_id, cl_ord_id in progress.not_affected
            ),
        ),
    )
