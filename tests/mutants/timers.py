"""Faults in dead-man timers and cancel on disconnect: scenarios 631 to 669."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from fixgw import server
from fixgw.core import emergency, oms
from fixgw.core.controls import Controls, Timer, TimerKind
from fixgw.core.decision import Decision
from fixgw.core.directory import Session
from fixgw.core.disconnect import CancelOn, DisconnectScope, OnDisconnect
from fixgw.core.events import (
    CancelRefused,
    ControlAnswered,
    Event,
    MassCancelAccepted,
    TimerArmed,
    TimerDisarmed,
)
from fixgw.core.order import Order
from fixgw.core.reports import MassCancelReport
from fixgw.core.requests import MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.edge import logon
from fixgw.engine import alarm, desk
from fixgw.fix.inbound import Inbound
from tests.mutants.locks import permitted
from tests.mutants.shapes import Written, tells, written
from tests.mutants.switch import add, fault

AGAIN_AFTER = timedelta(milliseconds=300)
SHORTEST_MS, LONGEST_MS = 100, 86_400_000

_asked: dict[OnDisconnect, str] = {}  # what the last Logon under these terms asked for


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


@fault(651, OnDisconnect, "fires")
def nobody_is_guarded(*_: Any, **__: Any) -> bool:
    """A lost connection has nothing canceled."""
    return False


@fault(652, OnDisconnect, "fires")
def logout_is_a_disconnect(original: Any, self: OnDisconnect, **_: Any) -> Any:
    """A Logout(5) counts as a lost connection."""
    return original(self, said_goodbye=False)


@fault(653, OnDisconnect, "fires")
def logout_never_cancels(original: Any, self: OnDisconnect, *, said_goodbye: bool) -> bool:
    """A Logout(5) has nothing canceled, whatever is configured."""
    return not said_goodbye and bool(original(self, said_goodbye=said_goodbye))


@fault(654, OnDisconnect, "fires")
def every_leaving_cancels(_: Any, self: OnDisconnect, **__: Any) -> bool:
    """Where one way of leaving counts, both do."""
    return self.cancel_on is not CancelOn.OFF


@fault(655, emergency, "logged_on")
def return_calls_nothing_off(original: Any, *args: Any) -> Any:
    """A client that is back in time loses its orders all the same."""
    return (one for one in original(*args) if not isinstance(one[1], TimerDisarmed))


@fault(656, emergency, "_on_disconnect")
def window_is_ignored(original: Any, states: Any, session: Any, terms: OnDisconnect, *rest: Any) -> Any:
    """The orders are canceled at once, whatever the window."""
    return original(states, session, replace(terms, window_ms=0), *rest)


@fault(657, emergency, "_on_disconnect")
def session_means_user(original: Any, states: Any, session: Any, terms: OnDisconnect, *rest: Any) -> Any:
    """The orders of the whole user are canceled."""
    return original(states, session, replace(terms, scope=DisconnectScope.USER), *rest)


@fault(658, emergency, "_on_disconnect")
def account_means_session(original: Any, states: Any, session: Any, terms: OnDisconnect, *rest: Any) -> Any:
    """Of the account's orders those of the session only are canceled."""
    return original(states, session, replace(terms, scope=DisconnectScope.SESSION), *rest)


@written(659)
def filled_order_shown_as_canceled_on_disconnect(report: Written) -> None:
    """An order that was filled while its client was away is told as canceled."""
    if report.has((35, "8"), (150, "F")):
        report.put(150, "4")
        report.put(39, "4")


@tells(660)
def refused_cancel_on_disconnect_is_not_told(
    told: list[Told], event: Event, _: Order | None, __: Order | None
) -> list[Told]:
    """Nobody hears of an order that could not be canceled."""
    return [] if isinstance(event, CancelRefused) else told


@fault(661, alarm, "agreed")
def user_is_taken_for_session(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """8013=Y is taken for S."""
    return original(configured, "S" if asked == "Y" else asked)


@fault(662, alarm, "agreed")
def session_is_taken_for_user(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """8013=S is taken for Y."""
    return original(configured, "Y" if asked == "S" else asked)


@fault(663, alarm, "agreed")
def wish_for_none_is_ignored(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """8013=N is ignored."""
    return original(configured, None if asked == "N" else asked)


@fault(664, alarm, "agreed")
def wish_outlives_its_logon(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """What one Logon has asked for holds for the next as well."""
    if asked is not None:
        _asked[configured] = asked
    return original(configured, _asked.get(configured))


def _ignored(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    found = original(configured, asked)
    return configured if isinstance(found, str) else found


def wish_that_cannot_be_had_is_ignored() -> None:
    """A Logon that may not ask is taken, and nothing said of it."""


def unknown_wish_is_ignored() -> None:
    """A Logon that asks for nothing known is taken, and nothing said of it."""


for _owner in (logon, server):
    add(665, _owner, "agreed", _ignored, wish_that_cannot_be_had_is_ignored)
    add(666, _owner, "agreed", _ignored, unknown_wish_is_ignored)
