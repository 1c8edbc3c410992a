"""When a client is gone or silent: what is canceled on disconnect, timers that run out, locks taken away."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import perf_counter_ns

from msgspec.structs import replace

from fixgw.core import emergency
from fixgw.core.controls import Timer
from fixgw.core.decision import Decision
from fixgw.core.directory import Directory, Session
from fixgw.core.disconnect import agreed
from fixgw.core.errors import Refusal, Subject, not_found
from fixgw.core.events import Event, TimerArmed, Unlocked
from fixgw.core.state import AGAIN_AFTER, OmsState
from fixgw.engine.record import Record
from fixgw.engine.turn import Presence, ReleaseLock, Way

CarryOut = Callable[[OmsState, Timer], tuple[Decision, Sequence[Event]] | None]


class Alarm:
    """Does what `fixgw.core.emergency` says. `apply` applies an event and notes what it changed.

    `carry_out` does what a timer asks; it returns None, and does nothing, while its venue is out of reach.
    """

    def __init__(
        self,
        directory: Directory,
        states: dict[int, OmsState],
        take_id: Callable[[], int],
        record: Record,
        apply: Callable[[OmsState, Event], None],
        carry_out: CarryOut,
    ) -> None:
        self._directory = directory
        self._states = states
        self._take_id = take_id
        self._record = record
        self._apply = apply
        self._carry_out = carry_out
        self._resets: set[str] = set()
        self.is_stopping = False

    def start(self, at: datetime) -> None:
        """The gateway is back: whoever was logged on when it ended has its window to come back."""
        sessions = self._directory.sessions
        self._happen(emergency.started(self._states, sessions, at, self._take_id), "start", at)

    def will_reset(self, session: str) -> None:
        """Its client, which is logged on, is logged out by us now, to begin anew: as at a clean stop."""
        self._resets.add(session)

    def stop(self, at: datetime) -> None:
        """The gateway stops cleanly, whoever has not said goodbye."""
        for session in self._directory.sessions.values():
            self._happen(emergency.stopped(self._states, session, at), "stop", at)

    def presence(self, presence: Presence, at: datetime) -> None:
        """The client of a session came or went."""
        session = self._directory.sessions[presence.session]
        is_reset = presence.session in self._resets
        self._resets.discard(presence.session)
        if presence.way is Way.LOGGED_ON:
            terms = agreed(session.on_disconnect, presence.asked)
            if isinstance(terms, str):  # the configuration has changed since its Logon was taken
                terms = session.on_disconnect
            happened = emergency.logged_on(self._states, session, terms, at)
        else:
            happened = self._left(session, at, presence.way, is_reset=is_reset)
        self._happen(happened, presence.way.value, at)

    def _left(self, session: Session, at: datetime, way: Way, *, is_reset: bool) -> emergency.Told:
        if self.is_stopping or is_reset:
            yield from emergency.stopped(self._states, session, at)
        if not self.is_stopping:
            said_goodbye = way is Way.LOGGED_OUT
            yield from emergency.left(self._states, session, at, self._take_id, said_goodbye=said_goodbye)

    def _happen(self, happened: emergency.Told, why: str, at: datetime) -> None:
        for state, event in happened:
            self._apply(state, event)
            name = type(event).__name__
            self._record.other("session", name, state.oms.oms_id, (event,), at)
            self._record.line("cancel on disconnect", at, happened=name, why=why)

    def is_due(self, now: datetime) -> bool:
        """Whether a timer has run out."""
        return any(timer.due_at <= now for state in self._states.values() for timer in state.controls.due)

    def run_out(self, at: datetime) -> None:
        """Do what the timers ask that have run out; one whose venue is out of reach is tried again."""
        for state in self._states.values():
            for timer in state.controls.due:
                if timer.due_at > at:
                    continue
                started = perf_counter_ns()
                done = self._carry_out(state, timer)
                if done is None:
                    again = TimerArmed(replace(timer, due_at=at + AGAIN_AFTER), at)
                    self._happen(iter([(state, again)]), "its venue is out of reach", at)
                else:
                    self._record.timer(timer, state.oms.oms_id, *done, at, started)

    def release(self, said: ReleaseLock, at: datetime) -> Refusal | None:
        """Take a lock away; why there is none of this id."""
        for state in self._states.values():
            if state.controls.lock(said.lock_id) is not None:
                event = Unlocked(said.lock_id, said.by, at)
                self._apply(state, event)
                self._record.other("console", "Unlocked", state.oms.oms_id, (event,), at)
                self._record.line("unlocked", at, lock=said.lock_id, by=said.by)
                return None
        return not_found(f"there is no lock {said.lock_id}", Subject.ORDER)
