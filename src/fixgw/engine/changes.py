"""What a turn has changed so far, gathered into the one batch that the journal commits."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from fixgw.core import repetition
from fixgw.core.book import Use
from fixgw.core.controls import Controls
from fixgw.core.errors import Failure
from fixgw.core.events import (
    CancelRequested,
    ControlAnswered,
    DayEnded,
    Event,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderCanceled,
    OrderEntered,
    OrdersCanceled,
    RequestRefused,
)
from fixgw.core.order import CancelRef, Order
from fixgw.core.reports import CancelReject, Execution, Report
from fixgw.core.requests import MassStatus, OrderStatus, RequestKind
from fixgw.core.state import CONTROL_EVENTS, OmsState
from fixgw.journal.contract import Batch, Counters, Entry, MassCancelRow, UsedId

Told = tuple[Report, int]  # a report and its position in the outbox of the session that asked


class Changes:
    """The changes of the current turn, and the counters, which live on.

    `next_id` is the next id of an order or a mass cancel, `last_exec_id` the last ExecID(17) given out.
    """

    def __init__(self, counters: Counters) -> None:
        self.next_id = counters.next_id
        self.last_exec_id = counters.next_exec_id - 1
        self.entries: list[Entry] = []
        self._orders: dict[int, Order] = {}
        self._pending: set[int] = set()  # of the orders, those that only became Pending Cancel
        self._canceled: list[int] = []
        self._used: dict[tuple[int, str, int, int], UsedId] = {}
        self._mass_cancels: dict[int, OmsState] = {}
        self._begun: set[int] = set()  # the mass cancels that were requested since the last commit
        self._day_starts: dict[int, datetime] = {}
        self._controls: dict[int, Controls] = {}
        self._noted: dict[int, Controls] = {}

    def keep_clear(self, state: OmsState) -> None:
        """Give out no id under which an order is shown already that was entered on its venue."""
        while not state.oms.is_embedded and state.book.is_shown(str(self.next_id)):
            self.next_id += 1

    def next_exec_id(self) -> int:
        """A new ExecID(17)."""
        self.last_exec_id += 1
        return self.last_exec_id

    def take_id(self) -> int:
        """A new id, as orders and mass cancels have one."""
        self.next_id += 1
        return self.next_id - 1

    def note(self, state: OmsState, event: Event, before: Order | None, after: Order | None) -> None:
        """Note what `event`, which was just applied, has changed."""
        if after is None:
            self._note_other(state, event)
        elif before is None:
            self.next_id += 1
            self._orders[after.order_id] = after
        else:
            self._note_order(event, after)
            ref = before.pending_cancel
            if ref is not None and ref.mass_cancel_id is not None:
                self._mass_cancels[ref.mass_cancel_id] = state

    def _note_other(self, state: OmsState, event: Event) -> None:
        """Note what an event has changed that is not about one order."""
        match event:
            case MassCancelRequested():
                self.next_id += 1
                self._begun.add(event.mass_cancel_id)
                self._mass_cancels[event.mass_cancel_id] = state
            case MassCancelRefused():
                self._mass_cancels[event.mass_cancel_id] = state
            case MassCancelAccepted():
                orders, book = self._orders, state.book
                self._pending.update([number for number in event.order_ids if number not in orders])
                orders.update([(number, book[number]) for number in event.order_ids])
                self._mass_cancels[event.mass_cancel_id] = state
            case OrdersCanceled():
                self._note_canceled([state.book[order_id] for order_id in event.order_ids])
                self._mass_cancels[event.mass_cancel_id] = state
            case DayEnded():
                self._day_starts[event.oms_id] = state.day_start
            case ControlAnswered():
                if event.control_id in state.mass_cancels:
                    self._mass_cancels[event.control_id] = state
                else:
                    self.next_id += 1
            case _:
                pass
        oms_id = state.oms.oms_id
        if isinstance(event, CONTROL_EVENTS) and self._noted.get(oms_id) is not state.controls:
            self._controls[oms_id] = self._noted[oms_id] = state.controls

    def _note_order(self, event: Event, order: Order) -> None:
        """Note the state of an order; of one that was canceled and nothing else, only that it was."""
        if isinstance(event, OrderCanceled):
            self._note_canceled((order,))
            return
        order_id = order.order_id
        if isinstance(event, CancelRequested) and order_id not in self._orders:
            self._pending.add(order_id)
        else:
            self._pending.discard(order_id)
        self._orders[order_id] = order

    def _note_canceled(self, canceled: Iterable[Order]) -> None:
        orders, pending = self._orders, self._pending
        for order in canceled:
            order_id = order.order_id
            if order_id in pending:
                pending.remove(order_id)
                del orders[order_id]
                self._canceled.append(order_id)
            elif order_id in orders:
                orders[order_id] = order
            else:
                self._canceled.append(order_id)

    def remember(self, state: OmsState, event: Event, before: Order | None, told: list[Told]) -> None:
        """Keep the client order id that `event` used up, and where the answer is that a repetition gets."""
        found = _use_of(state, event, before, told)
        if found is not None:
            cl_ord_id, use = found
            state.book.use(cl_ord_id, use)
            key = (state.oms.oms_id, cl_ord_id, use.user_id, use.content)
            self._used[key] = UsedId(state.oms.oms_id, cl_ord_id, use)

    def take(self, at: datetime) -> Batch:
        """All changes since the last call, which were made at the time `at`."""
        batch = Batch(
            entries=self.entries,
            orders=list(self._orders.values()),
            canceled=self._canceled,
            at=at,
            used_ids=list(self._used.values()),
            mass_cancels=list(self._mass_cancel_rows()),
            day_starts=list(self._day_starts.items()),
            controls=list(self._controls.items()),
            counters=Counters(self.next_id, self.last_exec_id + 1),
        )
        self.entries, self._orders, self._pending, self._canceled = [], {}, set(), []
        self._used, self._mass_cancels, self._day_starts, self._controls = {}, {}, {}, {}
        self._begun = set()
        return batch

    def _mass_cancel_rows(self) -> Iterator[MassCancelRow]:
        """How far those are that have changed. One that began and ended since then, no start has to know."""
        for mass_cancel_id, state in self._mass_cancels.items():
            progress = state.mass_cancels[mass_cancel_id]
            if progress.is_done:
                del state.mass_cancels[mass_cancel_id]
                if mass_cancel_id in self._begun:
                    continue
            yield MassCancelRow(
                state.oms.oms_id,
                mass_cancel_id,
                progress.request,
                progress.left,
                progress.canceled,
                tuple(progress.not_affected),
                progress.selector,
                progress.accepted,
            )


def requester_of(event: Event, before: Order | None) -> CancelRef | None:
    """Who asked for the cancel that `event` is about; None when it is about none."""
    if before is not None and before.pending_cancel is not None:
        return before.pending_cancel
    match event:
        case OrderEntered():
            return None
        case CancelRequested() | MassCancelAccepted():
            return event.ref
    return None


def _use_of(state: OmsState, event: Event, before: Order | None, told: list[Told]) -> tuple[str, Use] | None:
    """The client order id that `event` concerns with its use; None when it is about none."""
    if before is not None and before.pending_cancel is not None:
        return _use_of_end(before.pending_cancel, told)
    first = told[0][1] if told else -1
    match event:
        case OrderEntered():
            return None
        case CancelRequested():
            return _cancel_use(event.ref, first)
        case RequestRefused(request=request, refusal=refusal):
            if request.cl_ord_id is None or isinstance(request, OrderStatus | MassStatus):
                return None
            if refusal.failure in (Failure.DUPLICATE_CL_ORD_ID, Failure.ORDER_RATE) or repetition.is_used(
                state, request.user_id, request.cl_ord_id
            ):
                return None
            user_id, session = request.user_id, request.session
            use = Use(user_id, request.kind, request.content, event.at, None, session, first)
            return request.cl_ord_id, use
        case ControlAnswered(request=wanted):
            if wanted.cl_ord_id is None:
                return None
            kind = RequestKind.ORDER_MASS_CANCEL_REQUEST
            use = Use(wanted.user_id, kind, wanted.content, event.at, None, wanted.session, first)
            return wanted.cl_ord_id, use
        case MassCancelRequested(request=asked) if asked.cl_ord_id is not None:
            kind = RequestKind.ORDER_MASS_CANCEL_REQUEST
            use = Use(asked.user_id, kind, asked.content, event.at, None, asked.session)
            return asked.cl_ord_id, use
        case MassCancelRefused():
            request = state.mass_cancels[event.mass_cancel_id].request
            if request.cl_ord_id is None:
                return None
            kind = RequestKind.ORDER_MASS_CANCEL_REQUEST
            use = Use(request.user_id, kind, request.content, event.at, None, request.session, first)
            return request.cl_ord_id, use
        case MassCancelAccepted(ref=asker) if asker.cl_ord_id is not None:
            request = state.mass_cancels[event.mass_cancel_id].request
            kind = RequestKind.ORDER_MASS_CANCEL_REQUEST
            use = Use(asker.user_id, kind, request.content, event.at, None, asker.session, first)
            return asker.cl_ord_id, use
    return None


def _use_of_end(ref: CancelRef, told: list[Told]) -> tuple[str, Use] | None:
    """The id of the request behind `ref` with its use, when one of the reports answers it."""
    if ref.mass_cancel_id is not None:
        return None
    for report, position in told:
        if (isinstance(report, Execution) and report.orig_cl_ord_id) or isinstance(report, CancelReject):
            return _cancel_use(ref, position)
    return None


def _cancel_use(ref: CancelRef, position: int) -> tuple[str, Use] | None:
    if ref.cl_ord_id is None or ref.at is None:
        return None
    kind = RequestKind.ORDER_CANCEL_REQUEST
    return ref.cl_ord_id, Use(ref.user_id, kind, ref.content, ref.at, None, ref.session, position)
