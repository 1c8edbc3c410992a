"""The desk: takes requests in one total order, decides, journals, and only then hands out reports."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from time import perf_counter_ns
from typing import Any

import structlog
from msgspec.structs import replace

from fixgw.core import repetition
from fixgw.core.controls import Timer
from fixgw.core.decision import Decision, refuse
from fixgw.core.directory import Directory
from fixgw.core.errors import Refusal, Subject, not_authorized, not_found, server_error
from fixgw.core.events import (
    Event,
)
from fixgw.core.oms import (
    decide,
    run_out,
    waiting_mass_cancel,
)
from fixgw.core.requests import (
    ApiRequest,
    CancelOrder,
    ClientRequest,
    FillOrder,
    NewOrder,
    ScopeRead,
    TriggerOrder,
    VenueRequest,
)
from fixgw.core.state import OmsState
from fixgw.core.update import Update
from fixgw.engine.alarm import Alarm
from fixgw.engine.answers import Answers, Tell, answered
from fixgw.engine.changes import Changes
from fixgw.engine.delivery import Delivery
from fixgw.engine.effects import Effects
from fixgw.engine.epochs import Epochs
from fixgw.engine.outbox import Outbox
from fixgw.engine.passing import Passing
from fixgw.engine.rate import Rates
from fixgw.engine.recall import Recall
from fixgw.engine.record import Record
from fixgw.engine.restored import restored
from fixgw.engine.sandbox import (
    RefuseCancel,
    Sandbox,
    SandboxCommand,
    elsewhere,
    pending_cancels,
)
from fixgw.engine.sessions import Sessions
from fixgw.engine.turn import (
    CONSOLE,
    Answered,
    Arrival,
    Ask,
    Command,
    Limits,
    Line,
    Presence,
    ReleaseLock,
    SessionCommand,
    SessionDoor,
)
from fixgw.engine.venue_asks import VenueAsk, VenueSaid
from fixgw.engine.venue_words import VenueWords
from fixgw.engine.venues import Venues
from fixgw.journal.contract import Journal, Loaded, SessionNumbers

log = structlog.get_logger("fixgw.desk")

UNCOMMITTED_MAX = 250  # a quarter of what a recovery goes further than the journal when a store is lost


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
        log_requests: Callable[[list[Line]], None],
    ) -> None:
        self.directory = directory
        self._journal = journal
        self._limits = limits
        self._at = now
        self._sandbox = Sandbox(loaded.sandbox)
        self.answers = Answers()
        self.venues = Venues(self._sandbox, self.answers.put)
        self._changes = Changes(loaded.counters)
        self._record = Record(self._changes, log_requests)
        self.outbox = Outbox(loaded.sessions, loaded.outbox, directory.sessions)
        self._recall = Recall(journal, self.outbox)
        self._delivery = Delivery(
            directory,
            journal,
            self._changes,
            self.outbox,
            self.answers,
            self._record,
            self._sandbox,
            now,
        )
        self._rates = Rates()
        schedule = {
            session.name: session.reset_at
            for session in directory.sessions.values()
            if session.reset_at is not None
        }
        self.epochs = Epochs(self.outbox, schedule, self._commit_numbers, now)
        self.states = {
            oms_id: restored(oms_id, directory, loaded, limits.closed_max, now) for oms_id in directory.omses
        }
        self._effects = Effects(directory, self._changes, self.outbox, self.answers, self.venues)
        happened = self._effects.happened
        self._passing = Passing(self.states, journal, self._record, self.venues, happened, now)
        self.alarm = Alarm(
            directory,
            self.states,
            self._changes.take_id,
            self._record,
            happened,
            self._carry_out,
        )
        self._words = VenueWords(
            self.states, self._changes, self._record, self.answers, self.venues, happened
        )
        self._sessions = Sessions(self.outbox, self.epochs, self._commit_numbers, self.alarm.will_reset)

    def _commit_numbers(self, sessions: Sequence[SessionNumbers], at: datetime) -> None:
        batch = self._changes.take(at)
        batch.sessions = sessions
        self._journal.commit(batch)

    def resume(self, door: SessionDoor, now: datetime) -> None:
        """Ask the venue about cancels that were on their way when the engine stopped.

        That the engine runs, and the numbers that it begins with, are committed whatever there is to do: the
        journal's last word must not be a clean stop any more when the first message is counted, and a journal
        that cannot be written is to be noticed before the port opens. Raises JournalError.
        """
        self._at = now
        self._delivery.moved = self._last_in()
        self.alarm.start(now)
        for answer in self._sandbox.cancel(pending_cancels(self._embedded)):
            self._words.said(answer, "restart", now)
        for state in self.states.values():
            for mass_cancel_id in state.mass_cancels:
                if (waiting := waiting_mass_cancel(state, mass_cancel_id)) is not None:
                    self.venues.read(state, mass_cancel_id, waiting[1], now)
        self._end_turn(door)

    def turn(
        self,
        door: SessionDoor,
        arrivals: Iterable[Arrival | Presence],
        commands: Iterable[Command],
        now: datetime,
        asked: Iterable[tuple[Ask, Tell]] = (),
        heard: Iterable[tuple[VenueSaid, Tell]] = (),
    ) -> None:
        """One turn: everything that arrived is decided, committed in one transaction, and then told.

        `now` is aware UTC. Raises JournalError, and whatever `door` raises when it cannot send.
        """
        self._at = now
        self._pass_time(now)
        for arrival in arrivals:
            if isinstance(arrival, Presence):
                self.alarm.presence(arrival, now)
            else:
                self._take(arrival)
        for ask, answer in asked:
            self._ask(ask, answer)
        for words, answer in heard:
            refused = self._words.heard(words.words, "link", now)
            self.answers.put(answer, Answered(words.number, refused=tuple(refused)))
        answers = [(command, self._command(command.said)) for command in commands]
        self._end_turn(door)
        for session in self.epochs.due(now):
            self._sessions.reset(session, now, door, "schedule")
        for command, refusal in answers:
            if isinstance(command.said, SessionCommand) and refusal is None:
                self._sessions.do(command.said, now, door)
            command.answer(refusal)

    def serve_venues(self, tell: Callable[[VenueAsk], None], oms_ids: Iterable[int]) -> None:
        """Have the process behind `tell` serve the venues of these OMSes."""
        states = [self.states[oms_id] for oms_id in oms_ids if oms_id in self.states]
        self.venues.serve(tell, [state for state in states if not state.oms.is_embedded])
        self.answers.hand_out()

    def gone(self, tell: Callable[[Any], None]) -> None:
        """Nobody is behind `tell` any more."""
        self.answers.forget(tell)
        self.venues.forget(tell)

    def update(self, update: Update, reports_per_turn: int) -> None:
        """Work by other accounts, users, settings of sessions and limits from the next request on."""
        self.directory.take(update.accounts, update.users, update.sessions)
        for state in self.states.values():
            state.read_users()
        self._limits = replace(self._limits, reports_per_turn=reports_per_turn)

    @property
    def has_work(self) -> bool:
        """Whether a turn is due although nothing arrived."""
        return bool(self.outbox) or self._passing.has_work

    def is_due(self, now: datetime) -> bool:
        """Whether an end of day, or a scheduled reset, has come (`now` is aware UTC)."""
        timed = (self._passing, self.alarm, self.venues)
        return any(one.is_due(now) for one in timed) or bool(self.epochs.due(now))

    def keep_numbers(self, door: SessionDoor) -> None:
        """Commit the numbers of sessions that sent many messages of their own: heartbeats, answers to tests.

        QuickFIX's files, when they are lost, take those numbers with them. Raises JournalError.
        """
        for name in self.directory.sessions:
            numbers = self.outbox.of(name)
            if door.numbers(name)[1] - numbers.next_out >= UNCOMMITTED_MAX:
                self._delivery.moved.setdefault(name, numbers.last_in)
        if self._delivery.moved:
            self._end_turn(door)

    def close(self, door: SessionDoor) -> None:
        """Commit the last numbers of every session, and that this was a clean stop. Raises JournalError."""
        self.alarm.stop(self._at)
        self._delivery.moved = self._last_in()
        self._end_turn(door, clean_stop=True)

    def _end_turn(self, door: SessionDoor, *, clean_stop: bool = False) -> None:
        self._delivery.end_turn(door, self._at, self._limits.reports_per_turn, clean_stop=clean_stop)

    def _last_in(self) -> dict[str, int]:
        return {session: self.outbox.of(session).last_in for session in self.directory.sessions}

    def _take(self, arrival: Arrival) -> None:
        session = arrival.session
        numbers = self.outbox.of(session)
        last_in = self._delivery.moved.get(session, numbers.last_in)
        if arrival.epoch == numbers.epoch:
            if arrival.msg_seq_num <= last_in:
                self._record.line("seen before", self._at, session=session, msg_seq_num=arrival.msg_seq_num)
                return
            last_in = arrival.msg_seq_num
        self._delivery.moved[session] = last_in
        self._delivery.asking.add(session)
        started = perf_counter_ns()
        request = arrival.request
        state = self._state_for(request, self.directory.sessions[session].oms_id)
        decision = self._decide(state, request)
        events = self._effects.decided(state, request, decision, self._at)
        self._record.arrival(arrival, state.oms.oms_id, decision, events, self._at, started)

    def _ask(self, ask: Ask, answer: Tell) -> None:
        """Decide what an API client asks. The `answer` waits for the commit."""
        started = perf_counter_ns()
        request = ask.request
        is_known = request.user_id in self.directory.users or ask.door == CONSOLE
        if not is_known:  # it was asked before the configuration changed
            refusal = not_authorized(f"user {request.user_id} is configured no more")
            self.answers.put(answer, Answered(ask.number, refusal))
            return
        state = self._state_for(request, next(iter(self.states)))
        decision = self._decide(state, request)
        events = self._effects.decided(state, request, decision, self._at)
        self._record.ask(ask, state.oms.oms_id, decision, events, self._at, started)
        if decision.to_read is None:
            self.answers.put(answer, answered(ask, state, decision, events))
        else:
            self.answers.wait(self._changes.next_id - 1, answer, ask.number)

    def _state_for(self, request: ClientRequest | ApiRequest, default: int) -> OmsState:
        """The state of the OMS that `request` names; where it cannot be had, that of the OMS `default`."""
        if request.oms.oms_id is not None or request.oms.name is not None:
            oms_id = self.directory.oms(request.oms, default)
            granted = self.states[default].users[request.user_id].oms_ids
            if not isinstance(oms_id, Refusal) and oms_id in self.states and oms_id in granted:
                return self.states[oms_id]
        return self.states[default]

    def _decide(self, state: OmsState, request: ClientRequest | ApiRequest) -> Decision:
        self._changes.keep_clear(state)
        self._recall.for_request(state, request, self._changes.next_id)
        try:
            if isinstance(request, NewOrder) and (over := self._above_rate(state, request)) is not None:
                return refuse(request, over, self._at, "order-rate")
            decision = decide(state, request, self._at, self._changes.next_id)
            if (away := self.venues.away(state, decision, self._at)) is not None:
                meant = decision.to_cancel[0] if isinstance(request, CancelOrder) else 0
                return refuse(request, away, self._at, "venue-away", state.book.get(meant))
            return decision
        except Exception:
            log.exception("our mistake", request=repr(request))
            refusal = server_error("an internal error; nothing was changed")
            return refuse(request, refusal, self._at, "our-mistake")

    def _carry_out(self, state: OmsState, timer: Timer) -> tuple[Decision, Sequence[Event]] | None:
        """Do what a timer asks that has run out; None when its venue is out of reach."""
        decision = run_out(state, timer, self._at, self._changes.next_id)
        if self.venues.away(state, decision, self._at) is not None:
            return None
        return decision, self._effects.decided(state, timer.request, decision, self._at)

    def _above_rate(self, state: OmsState, request: NewOrder) -> Refusal | None:
        """Why an order is one too many for its session now; a repetition is none, and is not counted."""
        if request.session is None:
            return None
        session = self.directory.sessions[request.session]
        if session.orders_per_second and repetition.answer(state, request, self._at) is not None:
            return None
        return self._rates.take(session, self._at)

    def _command(self, said: VenueRequest | SandboxCommand | SessionCommand | ReleaseLock) -> Refusal | None:
        if isinstance(said, ReleaseLock):
            return self.alarm.release(said, self._at)
        if isinstance(said, SessionCommand):
            known = said.session in self.directory.sessions
            return None if known else not_found(f"there is no session {said.session}", Subject.ORDER)
        if isinstance(said, RefuseCancel | FillOrder | TriggerOrder):
            wrong = elsewhere(said.order_id, self._words.state_of(said.order_id))
            if wrong is not None:
                return wrong
        if not isinstance(said, SandboxCommand):
            return self._words.said(said, "link", self._at)
        for answer in self._sandbox.told(said, self._embedded):
            self._words.said(answer, "link", self._at)
        return None

    @property
    def _embedded(self) -> list[OmsState]:
        """The states of the OMSes whose orders live on the sandbox."""
        return [state for state in self.states.values() if state.oms.is_embedded]

    def _pass_time(self, now: datetime) -> None:
        self._passing.to(now, self._limits)
        self.alarm.run_out(now)
        for state, mass_cancel_id in self.venues.overdue(now):
            seconds = f"{state.oms.scope_timeout.total_seconds():g} s"
            why = f"the orders on the venue could not be read within {seconds}"
            self._words.scope_read(state, ScopeRead(state.oms.oms_id, mass_cancel_id, why), "clock", now)
        self._passing.expire_some(now, self._limits)
