"""Faults in dead-man timers: scenarios 631 to 649."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from fixgw.core import emergency, oms
from fixgw.core.controls import Controls, Timer, TimerKind
from fixgw.core.decision import Decision
from fixgw.core.directory import Session
from fixgw.core.events import (
    ControlAnswered,
    Event,
    MassCancelAccepted,
    TimerArmed,
    TimerDisarmed,
)
from fixgw.core.reports import MassCancelReport
from fixgw.core.requests import MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.engine import desk
from fixgw.engine.alarm import Alarm
from fixgw.fix.inbound import Inbound
from tests.mutants.locks import permitted
from tests.mutants.shapes import tells
from tests.mutants.switch import add, fault

AGAIN_AFTER = timedelta(milliseconds=300)
SHORTEST_MS, LONGEST_MS = 100, 86_400_000


@tells(631)
def dead_man_is_silent(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """A timer that runs out cancels without an OrderMassCancelReport(r) of its own."""
    if not isinstance(event, MassCancelAccepted):
        return told
    return [one for one in told if not isinstance(one[1], MassCancelReport) or one[1].completed]


@fault(632, emergency, "_dead_man")
def dead_man_runs_out_at_once(original: Any, state: OmsState, request: MassCancel, *rest: Any) -> Decision:
    """A timer runs out as soon as it is armed."""
    decision: Decision = original(state, request, *rest)
    due_at = rest[2]
    events = [
        replace(event, timer=replace(event.timer, due_at=due_at)) if isinstance(event, TimerArmed) else event
        for event in decision.events
    ]
    return replace(decision, events=events)


def _answered_only(decision: Decision) -> Decision:
    """The decision that says so, and does nothing."""
    done = (TimerArmed, TimerDisarmed)
    return replace(decision, events=[one for one in decision.events if not isinstance(one, done)])


@fault(633, emergency, "_dead_man")
def dead_man_keeps_its_first_time(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *rest: Any
) -> Decision:
    """A timer that is set anew runs out when it would have."""
    decision: Decision = original(state, request, selector, *rest)
    is_running = state.controls.timer_of(request.session or "", selector) is not None
    return _answered_only(decision) if request.dead_man_ms and is_running else decision


@fault(634, emergency, "_dead_man")
def disarming_does_nothing(original: Any, state: OmsState, request: MassCancel, *rest: Any) -> Decision:
    """A timer that was disarmed runs out all the same."""
    decision: Decision = original(state, request, *rest)
    return decision if request.dead_man_ms else _answered_only(decision)


@fault(635, emergency, "_dead_man")
def disarming_disarms_all(
    original: Any,
    state: OmsState,
    request: MassCancel,
    selector: CancelSelector,
    rule: str,
    at: datetime,
    next_id: int,
) -> Decision:
    """The scope of a request that disarms is not looked at."""
    if request.dead_man_ms:
        return original(state, request, selector, rule, at, next_id)  # type: ignore[no-any-return]
    disarmed = [TimerDisarmed(timer.timer_id, at) for timer in state.controls.due]
    return Decision((*disarmed, ControlAnswered(next_id, request, emergency.DISARMED, (), at)), rule=rule)


@fault(636, desk, "run_out")
def dead_man_takes_everything(original: Any, state: OmsState, timer: Timer, *rest: Any) -> Any:
    """A timer for one instrument cancels all of its user's orders."""
    everything = CancelSelector(state.oms.oms_id, user_id=timer.request.user_id)
    return original(state, replace(timer, selector=everything), *rest)


@fault(637, Controls, "timer_of")
def one_timer_for_a_session(_: Any, self: Controls, session: str, *__: Any) -> Timer | None:
    """A second timer takes the place of the first, whatever its scope."""
    return next((one for one in self.due if one.session == session and one.kind is TimerKind.DEAD_MAN), None)


@fault(638, Inbound, "_controls")
def short_times_are_lengthened(original: Any, self: Any, fields: dict[str, str], session: Any) -> Any:
    """A timer that is too short is taken for one of the shortest time."""
    asked = int(fields.get("20010", "0"))
    changed = {"20010": str(SHORTEST_MS)} if 0 < asked < SHORTEST_MS else {}
    return original(self, {**fields, **changed}, session)


@fault(639, Inbound, "_controls")
def long_times_are_shortened(original: Any, self: Any, fields: dict[str, str], session: Any) -> Any:
    """A timer that is too long is taken for one of the longest time."""
    changed = {"20010": str(LONGEST_MS)} if int(fields.get("20010", "0")) > LONGEST_MS else {}
    return original(self, {**fields, **changed}, session)


@fault(640, oms, "_mass_cancel")
def anybody_arms_a_timer(original: Any, state: OmsState, request: MassCancel, *rest: Any) -> Any:
    """A timer needs no permission, because it cancels nothing yet."""
    if request.dead_man_ms:
        return permitted(original, state, request, *rest)
    return original(state, request, *rest)


@fault(641, emergency, "left")
def dead_man_ends_with_its_connection(
    original: Any, states: dict[int, OmsState], session: Session, at: datetime, *rest: Any, **how: Any
) -> Any:
    """A timer is gone with the connection of whoever has armed it."""
    yield from original(states, session, at, *rest, **how)
    for state in states.values():
        for timer in state.controls.due:
            if timer.kind is TimerKind.DEAD_MAN and timer.session == session.name:
                yield state, TimerDisarmed(timer.timer_id, at)


@fault(642, emergency, "_dead_man")
def dead_man_locks_when_armed(
    original: Any,
    state: OmsState,
    request: MassCancel,
    selector: CancelSelector,
    rule: str,
    at: datetime,
    next_id: int,
) -> Decision:
    """A timer that locks as well locks as soon as it is armed."""
    decision: Decision = original(state, request, selector, rule, at, next_id)
    if not request.locks:
        return decision
    lock = emergency.lock(request, selector, state.users[request.user_id], at, next_id)
    return replace(decision, events=(lock, *decision.events))


@fault(643, Controls, "settled")
def dead_man_runs_out_again(original: Any, self: Controls, mass_cancel_id: int, *_: Any) -> Any:
    """A timer that has run out runs on."""
    return original(self, mass_cancel_id, datetime.now(UTC) + AGAIN_AFTER)


@fault(644, emergency, "_dead_man")
def dead_man_keeps_its_first_id(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *rest: Any
) -> Decision:
    """A timer that is set anew runs out with the ClOrdID(11) of the first request."""
    decision: Decision = original(state, request, selector, *rest)
    running = state.controls.timer_of(request.session or "", selector)
    if running is None:
        return decision
    first = running.request
    events = [
        replace(event, timer=replace(event.timer, request=first)) if isinstance(event, TimerArmed) else event
        for event in decision.events
    ]
    return replace(decision, events=events)


def lost(kind: TimerKind) -> Any:
    """A timer of this kind that cannot be carried out is not tried again."""

    def wrong(original: Any, self: Alarm, at: datetime) -> None:
        due = {timer for state in self._states.values() for timer in state.controls.due if timer.due_at <= at}
        numbers = {timer.timer_id for timer in due if timer.kind is kind}
        original(self, at)
        for state in self._states.values():
            for timer in state.controls.due:
                if timer.timer_id in numbers:
                    self._happen(iter([(state, TimerDisarmed(timer.timer_id, at))]), "wrong", at)

    return wrong


def dead_man_is_lost_while_the_venue_is_away() -> None:
    """A timer that runs out while its venue is out of reach is gone."""


add(645, Alarm, "run_out", lost(TimerKind.DEAD_MAN), dead_man_is_lost_while_the_venue_is_away)


@fault(646, oms, "_accept")
def dead_man_forgets_what_is_pending(original: Any, *args: Any) -> MassCancelAccepted:
    """An order whose cancel is pending is not counted, and not told."""
    found: MassCancelAccepted = original(*args)
    return replace(found, already_pending=())
