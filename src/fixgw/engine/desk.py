"""The desk: takes requests in one total order, decides, journals, and only then hands out reports."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from time import perf_counter_ns
from typing import Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from fixgw.core.directory import Directory, PendingCancelReports
from fixgw.core.errors import Refusal, Subject, not_found, server_error
from fixgw.core.events import CancelRequested, Event
from fixgw.core.oms import Decision, decide, decide_venue, end_day, expire, refuse
from fixgw.core.order import Order
from fixgw.core.reports import Report
from fixgw.core.requests import CancelOrder, ClientRequest, OrderStatus, VenueRequest
from fixgw.core.state import OmsState, day_start_before, evolve
from fixgw.core.tell import Pending, tell
from fixgw.engine.changes import Changes, requester_of
from fixgw.engine.outbox import Outbox
from fixgw.engine.sandbox import (
    RefuseCancel,
    Sandbox,
    SandboxCommand,
    pending_cancels,
)
from fixgw.journal.contract import Entry, Journal, Loaded, SessionNumbers

log = structlog.get_logger("fixgw.desk")


class Arrival(Struct, frozen=True, gc=False):
    """A request of a FIX client as it came in: `msg_seq_num` in the session's `epoch`."""

    session: str
    epoch: int
    msg_seq_num: int
    msg_type: str
    request: ClientRequest


class Command(Struct):
    """A venue's word, or an order to the sandbox, from the link; `answer` is told what became of it."""

    said: VenueRequest | SandboxCommand
    answer: Callable[[Refusal | None], None]


class SessionDoor(Protocol):
    """What the desk needs of the door that sends to FIX sessions."""

    def numbers(self, session: str) -> tuple[int, int]:
        """The next inbound and the next outbound MsgSeqNum of `session`."""
        ...

    def send(self, session: str, reports: Sequence[Report], first_seq_num: int) -> None:
        """Send `reports`, which are journaled as carrying the numbers from `first_seq_num` on."""
        ...


class Limits(Struct, frozen=True):
    """The desk's bounds. `closed_for` and `closed_max` (a count) bound how long closed orders are known."""

    reports_per_turn: int = 500
    expire_per_turn: int = 500
    closed_for: timedelta = timedelta(hours=24)
    closed_max: int = 200_000


def _can_mean(request: CancelOrder | OrderStatus, order: Order) -> bool:
    """Whether a request that names `order` by its ClOrdID may mean it: then nothing older is looked for."""
    return order.is_of(request.user_id) or order.account_id == request.account_id


def _always(_: str, __: int) -> bool:
    """Pending Cancel is to be reported: no end is known yet."""
    return True


class Desk:
    """The single writer of all OMS state. `turn` raises JournalError: then nothing of it was handed out.

    `log_requests` takes a line for each request of a turn, after its commit.
    """

    def __init__(
        self,
        directory: Directory,
        journal: Journal,
        loaded: Loaded,
        limits: Limits,
        now: datetime,
        log_requests: Callable[[list[dict[str, object]]], None],
    ) -> None:
        self._directory = directory
        self._log_requests = log_requests
        self._journal = journal
        self._limits = limits
        self._at = now
        self._sandbox = Sandbox(loaded.sandbox)
        self._changes = Changes(loaded.counters)
        self._moved: set[str] = set()
        self._lines: list[dict[str, object]] = []
        self._always_pending = {
            session.name
            for session in directory.sessions.values()
            if session.pending_cancel is PendingCancelReports.ALWAYS
        }
        self._expiring: deque[tuple[OmsState, int]] = deque()
        self.outbox = Outbox(loaded.sessions, loaded.outbox, directory.sessions)
        self.states = {oms_id: self._restored(oms_id, loaded) for oms_id in directory.omses}

    def _restored(self, oms_id: int, loaded: Loaded) -> OmsState:
        oms = self._directory.omses[oms_id]
        day_start = loaded.day_starts.get(oms_id, day_start_before(self._at, oms))
        state = OmsState(oms, self._directory, day_start=day_start, closed_max=self._limits.closed_max)
        state.recall(
            (order for order in loaded.orders if order.oms_id == oms_id),
            ((used.cl_ord_id, used.use) for used in loaded.used_ids if used.oms_id == oms_id),
        )
        if not loaded.complete:
            state.book.complete_since = self._at
        for row in loaded.mass_cancels:
            if row.oms_id == oms_id:
                state.restore(row.mass_cancel_id, row.request, row.left, row.canceled, row.not_affected)
        self._expiring.extend((state, order_id) for order_id in state.book.open_ids())
        return state

    def resume(self, door: SessionDoor, now: datetime) -> None:
        """Ask the venue about cancels that were on their way when the engine stopped."""
        self._at = now
        for answer in self._sandbox.cancel(pending_cancels(self.states.values())):
            self._venue_said(answer, "restart")
        self._commit_and_send(door)

    def turn(
        self, door: SessionDoor, arrivals: Iterable[Arrival], commands: Iterable[Command], now: datetime
    ) -> None:
        """One turn: everything that arrived is decided, committed in one transaction, and then told.

        `now` is aware UTC. Raises JournalError, and whatever `door` raises when it cannot send.
        """
        self._at = now
        self._pass_time()
        for arrival in arrivals:
            self._take(arrival)
        answers = [(command, self._command(command.said)) for command in commands]
        self._commit_and_send(door)
        for command, refusal in answers:
            command.answer(refusal)

    @property
    def has_work(self) -> bool:
        """Whether a turn is due although nothing arrived."""
        return bool(self.outbox) or bool(self._expiring)

    def is_day_over(self, now: datetime) -> bool:
        """Whether an end of day has to be passed (`now` is aware UTC)."""
        return any(now >= state.next_day_end() for state in self.states.values())

    def new_epoch(self, session: str) -> int:
        """Commit that the numbers of `session` begin anew; returns the new epoch. Raises JournalError."""
        old = self.outbox.of(session)
        new = SessionNumbers(session, old.epoch + 1, queued=old.queued, sent=old.sent)
        batch = self._changes.take(self._at)
        batch.sessions = [new]
        self._journal.commit(batch)
        self.outbox.numbers[session] = new
        return new.epoch

    def close(self, door: SessionDoor) -> None:
        """Commit the last numbers of every session, and that this was a clean stop. Raises JournalError."""
        self._moved.update(self._directory.sessions)
        self._commit_and_send(door, clean_stop=True)

    def _take(self, arrival: Arrival) -> None:
        numbers = self.outbox.of(arrival.session)
        if arrival.epoch == numbers.epoch:
            if arrival.msg_seq_num <= numbers.last_in:
                self._line("seen before", session=arrival.session, msg_seq_num=arrival.msg_seq_num)
                return
            self.outbox.numbers[arrival.session] = replace(numbers, last_in=arrival.msg_seq_num)
        self._moved.add(arrival.session)
        started = perf_counter_ns()
        state = self._state_for(arrival.request)
        decision = self._decide(state, arrival.request)
        events = self._apply(state, arrival.request, decision)
        self._record(arrival, state, decision, events, (perf_counter_ns() - started) // 1000)

    def _record(
        self, arrival: Arrival, state: OmsState, decision: Decision, events: Sequence[Event], micros: int
    ) -> None:
        request, refusal = arrival.request, decision.refusal
        self._changes.entries.append(
            Entry(
                self._at,
                "fix",
                arrival.msg_type,
                state.oms.oms_id,
                request.user_id,
                decision.rule,
                0 if refusal is None else refusal.code.value,
                events,
                arrival.session,
                arrival.epoch,
                arrival.msg_seq_num,
                request.cl_ord_id,
                request,
            )
        )
        line: dict[str, object] = {
            "at": self._at,
            "event": "request",
            "level": "info",
            "session": arrival.session,
            "msg_seq_num": arrival.msg_seq_num,
            "msg_type": arrival.msg_type,
            "user": request.user_id,
            "cl_ord_id": request.cl_ord_id,
            "decision": "accepted" if refusal is None else "refused",
            "rule": decision.rule,
            "orders": len(decision.to_cancel),
            "micros": micros,
        }
        if refusal is not None:
            line["errorcode"] = refusal.code.value
            line["detail"] = refusal.detail
        self._lines.append(line)

    def _line(self, event: str, **what: object) -> None:
        self._lines.append({"at": self._at, "event": event, "level": "info", **what})

    def _state_for(self, request: ClientRequest) -> OmsState:
        session = self._directory.sessions[request.session or ""]
        if request.oms.oms_id is not None or request.oms.name is not None:
            oms_id = self._directory.oms(request.oms, session.oms_id)
            granted = self._directory.users[request.user_id].oms_ids
            if not isinstance(oms_id, Refusal) and oms_id in self.states and oms_id in granted:
                return self.states[oms_id]
        return self.states[session.oms_id]

    def _decide(self, state: OmsState, request: ClientRequest) -> Decision:
        self._recall(state, request)
        try:
            return decide(state, request, self._at, self._changes.next_id)
        except Exception:
            log.exception("our mistake", request=repr(request))
            refusal = server_error("an internal error; nothing was changed")
            return refuse(request, refusal, self._at, "our-mistake")

    def _recall(self, state: OmsState, request: ClientRequest) -> None:
        """Ask the journal for what memory no longer knows and this request may mean."""
        book, oms_id = state.book, state.oms.oms_id
        cl_ord_id = request.cl_ord_id
        if (
            cl_ord_id is not None
            and book.complete_since is not None
            and book.complete_since >= state.day_start
        ):
            uses = self._journal.uses(oms_id, cl_ord_id)
            state.recall(self._journal.orders_named(oms_id, cl_ord_id), ((cl_ord_id, use) for use in uses))
        if not isinstance(request, CancelOrder | OrderStatus):
            return
        order_id, name = request.order_id, request.orig_cl_ord_id
        if order_id is not None and 0 < order_id < self._changes.next_id and book.get(order_id) is None:
            order = self._journal.order(order_id)
            if order is not None and order.oms_id == oms_id:
                state.recall((order,))
        if name is not None and not any(_can_mean(request, order) for order in book.named(name)):
            state.recall(self._journal.orders_named(oms_id, name))

    def _apply(self, state: OmsState, request: ClientRequest, decision: Decision) -> Sequence[Event]:
        if request.session is not None:
            for reply in decision.replies:
                self.outbox.put(request.session, reply)
        changes = [(event, *evolve(state, event)) for event in decision.events]
        answers = self._sandbox.cancel(decision.to_cancel)
        ends = {answer.order_id for answer in answers}

        def shows_pending(session: str, order_id: int) -> bool:
            return order_id not in ends or session in self._always_pending

        for event, before, after in changes:
            ref = event.ref if isinstance(event, CancelRequested) else None
            if ref is not None and after is not None and not shows_pending(ref.session or "", after.order_id):
                self._changes.note(state, event, before, after)  # its end is told below, in this same turn
            else:
                self._applied(state, event, before, after, shows_pending)
        if not answers:
            return decision.events
        events = list(decision.events)
        for answer in answers:
            said = decide_venue(state, answer, self._at)
            if isinstance(said, Refusal):
                raise AssertionError(said)
            events.append(said)
            self._applied(state, said, *evolve(state, said), shows_pending)
        return events

    def _applied(
        self,
        state: OmsState,
        event: Event,
        before: Order | None,
        after: Order | None,
        shows_pending: Pending = _always,
    ) -> None:
        """Queue the reports of an event that was just applied, and note what the journal has to store."""
        changes = self._changes
        changes.note(state, event, before, after)
        reports = tell(
            state, event, before, after, next_exec_id=changes.next_exec_id, shows_pending=shows_pending
        )
        ref = requester_of(event, before)
        if before is not None and ref is not None and ref.mass_cancel_id is not None:
            for session, report in reports:  # the answer of a mass cancel is its r, which was kept before
                self.outbox.put(session, report)
            return
        told: list[Report] = []
        for session, report in reports:
            self.outbox.put(session, report)
            if ref is None or session == ref.session:
                told.append(report)
        changes.remember(state, event, before, told)

    def _command(self, said: VenueRequest | SandboxCommand) -> Refusal | None:
        if not isinstance(said, SandboxCommand):
            return self._venue_said(said, "link")
        if isinstance(said, RefuseCancel) and self._state_of(said.order_id) is None:
            return not_found(f"order {said.order_id} is unknown", Subject.ORDER)
        for answer in self._sandbox.told(said, self.states.values()):
            self._venue_said(answer, "link")
        return None

    def _venue_said(self, said: VenueRequest, door: str) -> Refusal | None:
        state = self._state_of(said.order_id)
        if state is None:
            return not_found(f"order {said.order_id} is unknown", Subject.ORDER)
        try:
            event = decide_venue(state, said, self._at)
        except Exception:
            log.exception("our mistake", said=repr(said))
            return server_error("an internal error; nothing was changed")
        if isinstance(event, Refusal):
            return event
        self._applied(state, event, *evolve(state, event))
        self._enter(door, type(said).__name__, state, (event,), said)
        self._line("venue", said=type(said).__name__, order_id=said.order_id)
        return None

    def _state_of(self, order_id: int) -> OmsState | None:
        """The state of the OMS that knows this order."""
        return next((state for state in self.states.values() if state.book.get(order_id) is not None), None)

    def _enter(
        self,
        door: str,
        kind: str,
        state: OmsState,
        events: Sequence[Event],
        request: VenueRequest | None = None,
    ) -> None:
        entry = Entry(self._at, door, kind, state.oms.oms_id, 0, door, 0, events, request=request)
        self._changes.entries.append(entry)

    def _pass_time(self) -> None:
        for state in self.states.values():
            if (event := end_day(state, self._at)) is not None:
                self._applied(state, event, *evolve(state, event))
                self._enter("clock", "DayEnded", state, (event,))
                self._expiring.extend((state, order_id) for order_id in state.book.open_ids())
                self._line("day ended", oms=state.oms.oms_id)
            state.book.forget(self._at - self._limits.closed_for, self._limits.expire_per_turn)
        for _ in range(min(len(self._expiring), self._limits.expire_per_turn)):
            state, order_id = self._expiring.popleft()
            expired = expire(state, order_id, self._at)
            if expired is not None:
                self._applied(state, expired, *evolve(state, expired))
                self._enter("clock", "OrderExpired", state, (expired,))

    def _commit_and_send(self, door: SessionDoor, *, clean_stop: bool = False) -> None:
        queued = self.outbox.take_new()
        sessions = self._moved.union(block.session for block in queued)
        assigned = []
        for session, count in list(self.outbox.share(self._limits.reports_per_turn)):
            assigned.append(self.outbox.assign(session, door.numbers(session)[1], count))
        sending = {block.session for block in assigned}
        sessions |= sending
        for session in sessions.intersection(self._directory.sessions):
            next_in, next_out = door.numbers(session)
            numbers = self.outbox.of(session)
            if session in sending:
                next_out = numbers.next_out
            self.outbox.numbers[session] = replace(numbers, next_in=next_in, next_out=next_out)
        batch = self._changes.take(self._at)
        if sessions or batch.entries or self._sandbox.changed or clean_stop:
            batch.queued, batch.assigned, batch.clean_stop = queued, assigned, clean_stop
            batch.sessions = [self.outbox.of(session) for session in sessions]
            batch.sandbox = self._sandbox.state if self._sandbox.changed else None
            self._journal.commit(batch)
        self._moved.clear()
        self._sandbox.changed = False
        for block in assigned:
            door.send(block.session, self.outbox.take(block.session, block.count), block.first_seq_num)
        if self._lines:
            self._log_requests(self._lines)
            self._lines = []
