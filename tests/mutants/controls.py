"""Faults in dry runs, lockouts and the kill switch: scenarios 601 to 620."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fixgw.core import emergency, oms, repetition
from fixgw.core.controls import Controls, Lock
from fixgw.core.decision import Decision, refuse
from fixgw.core.errors import not_authorized
from fixgw.core.events import (
    ControlAnswered,
    Event,
    OrderCanceled,
    Unlocked,
)
from fixgw.core.narrow import Asked, read_selector
from fixgw.core.order import Order, OrdStatus
from fixgw.core.requests import ClientRequest, MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.engine.alarm import Alarm
from fixgw.engine.turn import Presence, Way
from fixgw.fix.inbound import Inbound
from tests.mutants.shapes import Written, read, tells, written
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


@written(607)
def dry_run_of_nothing_is_refused(report: Written) -> None:
    """A dry run that finds nothing is refused."""
    if report.has((35, "r"), (533, "0"), (20012, "Y")):
        report.drop(533)
        report.put(531, "0")
        report.put(532, "99")


@fault(608, emergency, "shown")
def dry_run_leaves_out_the_pending(original: Any, state: OmsState, *args: Any) -> Any:
    """A dry run does not count orders whose cancel is pending."""
    found = original(state, *args)
    kept = [key for key in found.order_ids if state.book[key].status is not OrdStatus.PENDING_CANCEL]
    return replace(found, order_ids=tuple(kept))


@fault(619, Lock, "covers")
def lock_ignores_the_side(original: Any, self: Lock, *args: Any) -> Any:
    """A lock of one side keeps both out."""
    return original(replace(self, selector=replace(self.selector, side=None)), *args)


@fault(620, oms, "_new_order")
def operators_pass_locks(original: Any, state: OmsState, request: Any, user: Any, *args: Any) -> Any:
    """What an operator enters for a user passes the user's lock."""
    kept = state.controls
    if user.is_operator:
        state.controls = Controls()
    try:
        return original(state, request, user, *args)
    finally:
        state.controls = kept
