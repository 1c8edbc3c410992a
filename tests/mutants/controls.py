"""Faults in the controls for the bad day: scenarios 601 to 649."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fixgw import server
from fixgw.core import emergency, oms, permissions, repetition
from fixgw.core.controls import Controls, Lock, TimerKind
from fixgw.core.decision import Decision, refuse
from fixgw.core.disconnect import OnDisconnect
from fixgw.core.errors import not_authorized
from fixgw.core.events import ControlAnswered, Event, OrderCanceled, TimerArmed, TimerDisarmed, Unlocked
from fixgw.core.narrow import Asked, read_selector
from fixgw.core.order import Order
from fixgw.core.permissions import Ruling
from fixgw.core.reports import Execution
from fixgw.core.requests import ClientRequest, MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.edge import logon
from fixgw.engine import alarm, desk
from fixgw.engine.alarm import Alarm
from fixgw.engine.turn import Presence, Way
from fixgw.fix.inbound import DEAD_MAN_MS, Inbound
from tests.mutants.orders import YES
from tests.mutants.shapes import read, tells
from tests.mutants.switch import fault


@fault(601, emergency, "honour")
def dry_run_cancels(original: Any, state: OmsState, request: MassCancel, *args: Any) -> Any:
    """A dry run is carried out."""
    return original(state, replace(request, is_dry_run=False), *args)


@fault(602, emergency, "shown")
def dry_run_ignores_the_side(
    original: Any, state: OmsState, number: int, request: Any, asked: Any, at: datetime
) -> Any:
    """A dry run shows both sides whatever was asked."""
    return original(state, number, request, replace(asked, side=None), at)


@fault(603, repetition, "answer")
def dry_run_uses_no_id(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """After a dry run the same ClOrdID(11) is taken for the cancel."""
    named = state.book.named(request.cl_ord_id or "")
    return None if isinstance(request, MassCancel) and not named else original(state, request, at)


@fault(604, oms, "_mass_cancel")
def dry_run_shows_foreign_accounts(
    original: Any, state: OmsState, request: MassCancel, user: Any, at: datetime, number: int
) -> Any:
    """A dry run needs no permission."""
    asked = read_selector(state, request, user)
    if request.is_dry_run and isinstance(asked, Asked):
        return Decision((emergency.shown(state, number, request, asked.selector, at),))
    return original(state, request, user, at, number)


@read(605)
def dry_run_is_not_understood(request: ClientRequest) -> ClientRequest:
    """On a session that does not know DryRun(20012) it is ignored."""
    return replace(request, unsupported=None) if isinstance(request, MassCancel) else request


@fault(606, Inbound, "_controls")
def dry_run_beside_a_lock_is_ignored(original: Any, self: Any, fields: dict[str, str], session: Any) -> Any:
    """Of a dry run and a lock in one request the lock is done."""
    kept = {tag: value for tag, value in fields.items() if tag != "20012" or "20011" not in fields}
    return original(self, kept, session)


@fault(611, emergency, "locked_out")
def lock_keeps_nothing_out(*_: Any) -> None:
    """Orders are entered within a lock."""


@fault(612, Lock, "covers")
def lock_ignores_the_instrument(
    original: Any, self: Lock, account_id: int, user_id: int, _: Any, *args: Any
) -> Any:
    """A lock of one instrument keeps all of them out."""
    wide = replace(self, selector=replace(self.selector, instrument_ids=None))
    return original(wide, account_id, user_id, None, *args)


@fault(613, oms, "_cancel_order")
def cancels_are_locked_too(original: Any, state: OmsState, request: Any, user: Any, at: datetime) -> Any:
    """Within a lock nothing can be canceled."""
    if any(lock.user_id == user.user_id for lock in state.controls.locks):
        return refuse(request, not_authorized("locked"), at, "wrong")
    return original(state, request, user, at)


@fault(614, emergency, "_unlock")
def unlock_opens_another_scope(
    original: Any, state: OmsState, request: Any, selector: CancelSelector, *args: Any
) -> Any:
    """An unlock opens whatever lock there is."""
    locks = state.controls.locks
    return original(state, request, locks[0].selector if locks else selector, *args)


@tells(615)
def killed_orders_are_not_told(
    told: list[Told], event: Event, before: Order | None, _: Order | None
) -> list[Told]:
    """Who entered an order does not hear that the kill switch has canceled it."""
    ref = before.pending_cancel if before is not None else None
    is_killed = isinstance(event, OrderCanceled) and ref is not None and ref.session is None
    return [] if is_killed else told


@fault(616, Alarm, "presence")
def lock_ends_with_its_session(original: Any, self: Alarm, presence: Presence, at: datetime) -> None:
    """Who logs off takes his locks with him."""
    original(self, presence, at)
    user_id = self._directory.sessions[presence.session].user_id
    if presence.way is not Way.LOGGED_ON:
        for state in self._states.values():
            for lock in state.controls.locks:
                if lock.user_id == user_id:
                    self._apply(state, Unlocked(lock.lock_id, "wrong", at))


@fault(617, Controls, "with_lock")
def locks_add_up(_: Any, self: Controls, lock: Lock) -> Controls:
    """The same scope is locked twice."""
    return replace(self, locks=(*self.locks, lock))


@fault(617, emergency, "_unlock")
def _locks_add_up(original: Any, *args: Any) -> Any:
    decision = original(*args)
    unlocked = [event for event in decision.events if isinstance(event, Unlocked)]
    answered = [event for event in decision.events if isinstance(event, ControlAnswered)]
    return replace(decision, events=(*unlocked[:1], *answered)) if answered else decision


@fault(618, oms, "_cancel_all")
def lock_does_not_cancel(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *args: Any
) -> Any:
    """A request to lock and cancel locks only."""
    decision = original(state, request, selector, *args)
    if not request.locks:
        return decision
    kept = tuple(
        replace(event, order_ids=()) if hasattr(event, "order_ids") else event for event in decision.events
    )
    return Decision(kept, rule=decision.rule)


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
