"""Faults in dead-man timers and in cancel on disconnect: scenarios 621 to 649."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from fixgw import server
from fixgw.core import emergency, oms, permissions
from fixgw.core.controls import TimerKind
from fixgw.core.decision import Decision
from fixgw.core.disconnect import CancelOn, OnDisconnect
from fixgw.core.events import (
    CancelRefused,
    Event,
    OrderCanceled,
    OrderFilled,
    TimerArmed,
    TimerDisarmed,
)
from fixgw.core.order import Order
from fixgw.core.permissions import Ruling
from fixgw.core.reports import Execution
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.edge import logon
from fixgw.engine import alarm, desk
from fixgw.engine.alarm import Alarm
from fixgw.engine.desk import Desk
from fixgw.engine.turn import Presence, Way
from fixgw.fix.inbound import DEAD_MAN_MS, Inbound
from tests.mutants.orders import YES
from tests.mutants.shapes import Written, tells, written
from tests.mutants.switch import fault


@fault(621, Alarm, "run_out")
def timer_never_runs_out(*_: Any) -> None:
    """A dead-man timer is armed, and nothing happens."""


@fault(622, emergency, "_dead_man")
def timer_is_not_set_anew(original: Any, state: OmsState, *args: Any) -> Any:
    """A sign of life is acknowledged, and the timer runs on."""
    decision = original(state, *args)
    running = [timer.timer_id for timer in state.controls.due]
    kept = [
        event
        for event in decision.events
        if not (isinstance(event, TimerArmed) and event.timer.timer_id in running)
    ]
    return Decision(tuple(kept), rule=decision.rule, refusal=decision.refusal)


@fault(623, emergency, "_dead_man")
def timer_is_not_disarmed(original: Any, *args: Any) -> Any:
    """A timer that was disarmed runs out all the same."""
    decision = original(*args)
    kept = tuple(event for event in decision.events if not isinstance(event, TimerDisarmed))
    return Decision(kept, rule=decision.rule, refusal=decision.refusal)


@fault(624, Alarm, "presence")
def timer_ends_with_its_connection(original: Any, self: Alarm, presence: Presence, at: datetime) -> None:
    """A client that is gone takes its dead-man timer with it."""
    original(self, presence, at)
    if presence.way is not Way.LOGGED_ON:
        for state in self._states.values():
            for timer in state.controls.due:
                if timer.session == presence.session and timer.kind is TimerKind.DEAD_MAN:
                    self._apply(state, TimerDisarmed(timer.timer_id, at))


@fault(625, desk, "run_out")
def timer_does_not_lock(original: Any, state: OmsState, timer: Any, *args: Any) -> Any:
    """A timer that should lock cancels only."""
    return original(state, replace(timer, request=replace(timer.request, locks=None)), *args)


@fault(626, desk, "run_out")
def timer_cancels_every_instrument(original: Any, state: OmsState, timer: Any, *args: Any) -> Any:
    """A timer for one instrument cancels all of them."""
    return original(state, replace(timer, selector=replace(timer.selector, instrument_ids=None)), *args)


@fault(627, Inbound, "_controls")
def too_short_a_time_is_the_longest(original: Any, self: Any, fields: dict[str, str], session: Any) -> Any:
    """A dead-man timer that is too short is taken for the longest one."""
    timer = fields.get("20010", "")
    if timer.isdecimal() and 0 < int(timer) < DEAD_MAN_MS[0]:
        fields = {**fields, "20010": str(DEAD_MAN_MS[-1])}
    return original(self, fields, session)


@fault(631, emergency, "left")
def nothing_happens_on_disconnect(*_: Any, **__: Any) -> Any:
    """Orders stay when their client is gone, although that was not agreed."""
    return iter(())


@fault(632, emergency, "logged_on")
def return_does_not_help(original: Any, *args: Any) -> Any:
    """Who comes back within the window loses his orders all the same."""
    return (told for told in original(*args) if not isinstance(told[1], TimerDisarmed))


@fault(633, emergency, "left")
def logout_does_not_count(original: Any, *args: Any, said_goodbye: bool) -> Any:
    """Orders stay when their client logs out, although that was not agreed."""
    return iter(()) if said_goodbye else original(*args, said_goodbye=said_goodbye)


@fault(634, alarm, "agreed")
def no_means_yes(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """Whoever asks for no cancel on disconnect gets one."""
    return original(configured, "Y" if asked == "N" else asked)


@fault(635, alarm, "agreed")
def session_means_user(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """Cancel on disconnect of a session's orders takes all of the user's."""
    return original(configured, "Y" if asked == "S" else asked)


@fault(636, logon, "agreed")
@fault(636, server, "agreed")
@fault(636, alarm, "agreed")
def what_is_not_allowed_is_ignored(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """A client that may not ask for cancel on disconnect gets in, and does not have it."""
    return original(configured, asked if configured.may_override else None)


@fault(637, emergency, "_gone")
def disconnect_takes_everybodys_orders(original: Any, oms_id: int, *args: Any) -> Any:
    """When one client is gone the orders of all others go with him."""
    return [(CancelSelector(oms_id), None) for _ in original(oms_id, *args)]


@tells(638)
def disconnect_is_not_said(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """Text(58) of an order that was canceled on disconnect says nothing of it."""
    if not isinstance(event, OrderCanceled):
        return told
    return [
        (session, replace(report, text=None) if isinstance(report, Execution) else report)
        for session, report in told
    ]


@fault(639, permissions, "may_cancel_all")
def anybody_arms_anything(original: Any, *args: Any) -> Ruling:
    """A timer, a lock or a dry run of a foreign user needs no permission."""
    ruling: Ruling = original(*args)
    return YES if ruling.rule == "user-not-self" else ruling


@fault(628, Desk, "_carry_out")
def timer_is_lost_with_the_venue(original: Any, self: Desk, state: OmsState, timer: Any) -> Any:
    """A timer that runs out while the venue is out of reach is forgotten."""
    done = original(self, state, timer)
    if done is None:
        self.alarm._apply(state, TimerDisarmed(timer.timer_id, self._at))
    return (Decision(), ()) if done is None else done


@written(629)
def timer_that_finds_nothing_failed(report: Written) -> None:
    """A timer that finds no orders is reported as refused."""
    if report.has((35, "r"), (533, "0")) and "ran out" in (report.get(58) or ""):
        report.drop(533)
        report.put(531, "0")
        report.put(532, "99")


@fault(630, oms, "_accept")
def timer_leaves_out_the_pending(
    original: Any, state: OmsState, number: int, request: Any, *args: Any
) -> Any:
    """A timer that runs out does not count orders whose cancel is pending."""
    found = original(state, number, request, *args)
    return found if request.dead_man_ms is None else replace(found, already_pending=())


@tells(640)
def fills_are_not_told(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """Nobody hears of a fill."""
    return [] if isinstance(event, OrderFilled) else told


@tells(641)
def refusal_on_disconnect_is_not_told(
    told: list[Told], event: Event, before: Order | None, _: Order | None
) -> list[Told]:
    """A client believes that its order was canceled on disconnect, and it is there."""
    ref = before.pending_cancel if before is not None else None
    return [] if isinstance(event, CancelRefused) and ref is not None and ref.session is None else told


@fault(642, emergency, "logged_on")
def return_is_a_delay(original: Any, states: Any, session: Any, terms: Any, at: datetime) -> Any:
    """Who comes back within the window gets another second."""
    timers = {timer.timer_id: timer for state in states.values() for timer in state.controls.due}
    for state, event in original(states, session, terms, at):
        if isinstance(event, TimerDisarmed):
            later = replace(timers[event.timer_id], due_at=at + timedelta(seconds=1))
            yield state, TimerArmed(later, at)
        else:
            yield state, event


@tells(643)
def pending_cancel_loses_its_id(
    told: list[Told], event: Event, before: Order | None, _: Order | None
) -> list[Told]:
    """A cancel that was pending at the disconnect is answered as if nobody had asked for it."""
    ref = before.pending_cancel if before is not None else None
    if not isinstance(event, OrderCanceled) or ref is None or ref.session is None:
        return told
    return [
        (session, replace(report, cl_ord_id=report.orig_cl_ord_id, orig_cl_ord_id=None))
        if isinstance(report, Execution)
        else (session, report)
        for session, report in told
    ]


@fault(644, emergency, "logged_on")
def wish_is_ignored_at_the_return(original: Any, states: Any, session: Any, terms: Any, at: datetime) -> Any:
    """Who comes back and wants no cancel on disconnect any more loses his orders all the same."""
    is_off = terms.cancel_on is CancelOn.OFF
    found = original(states, session, terms, at)
    return (told for told in found if not (is_off and isinstance(told[1], TimerDisarmed)))
