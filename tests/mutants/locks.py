"""Faults in dry runs, locks and the kill switch: scenarios 601 to 629."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fixgw.core import emergency, oms
from fixgw.core.controls import Controls, Lock
from fixgw.core.decision import Decision, refuse
from fixgw.core.directory import Session, User
from fixgw.core.errors import Refusal, not_authorized
from fixgw.core.events import CancelRequested, ControlAnswered, Unlocked
from fixgw.core.narrow import read_selector
from fixgw.core.order import NOBODY, CancelRef, OrdStatus
from fixgw.core.requests import ClientRequest, MassCancel, NewOrder
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.engine import changes, desk
from fixgw.engine.alarm import Alarm
from fixgw.fix.inbound import Inbound
from tests.mutants.shapes import read, selects
from tests.mutants.switch import fault


def canceling(decision: Decision, state: OmsState, selector: CancelSelector, at: datetime) -> Decision:
    """The decision, and besides everything within `selector` is canceled."""
    found = [order.order_id for order in state.book.select(selector)]
    cancels = [CancelRequested(number, CancelRef(NOBODY, None, None, at=at), at) for number in found]
    return Decision((*decision.events, *cancels), rule=decision.rule, to_cancel=found)


def permitted(
    original: Any, state: OmsState, request: MassCancel, user: Any, at: datetime, next_id: int
) -> Decision:
    """What a mass cancel leads to without a look at permissions; a refusal of another kind stays one."""
    asked = read_selector(state, request, user)
    if isinstance(asked, Refusal):
        return original(state, request, user, at, next_id)  # type: ignore[no-any-return]
    done = emergency.honour(state, request, asked.selector, user, "wrong", at, next_id)
    if done is not None:
        return done
    return oms._cancel_all(state, request, asked.selector, user, "wrong", at, next_id)


@fault(601, emergency, "honour")
def dry_run_cancels(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *rest: Any
) -> Any:
    """A dry run says that it cancels nothing, and cancels."""
    decision = original(state, request, selector, *rest)
    return canceling(decision, state, selector, rest[2]) if request.is_dry_run else decision


@fault(602, emergency, "shown")
def dry_run_ignores_the_side(
    original: Any, state: OmsState, number: int, request: MassCancel, selector: CancelSelector, at: datetime
) -> Any:
    """A dry run shows both sides."""
    return original(state, number, request, replace(selector, side=None), at)


@fault(603, emergency, "shown")
def dry_run_sees_one_session(
    original: Any, state: OmsState, number: int, request: MassCancel, *rest: Any
) -> ControlAnswered:
    """A dry run shows the orders that were entered on this session, and not all that would be canceled."""
    found: ControlAnswered = original(state, number, request, *rest)
    kept = tuple(key for key in found.order_ids if state.book[key].session == request.session)
    return replace(found, order_ids=kept)


@fault(604, oms, "_mass_cancel")
def anybody_looks_with_a_dry_run(original: Any, state: OmsState, request: MassCancel, *rest: Any) -> Any:
    """A dry run needs no permission, because it cancels nothing."""
    if request.is_dry_run:
        return permitted(original, state, request, *rest)
    return original(state, request, *rest)


@fault(605, Inbound, "_controls")
def dry_run_forgets_the_other_control(original: Any, self: Any, fields: dict[str, str], session: Any) -> Any:
    """A dry run with another control is a dry run."""
    if session.extended and fields.get("20012") == "Y":
        return None, None, True
    return original(self, fields, session)


@fault(606, changes, "_use_of")
def dry_run_leaves_its_id_free(original: Any, state: OmsState, event: Any, *rest: Any) -> Any:
    """The ClOrdID(11) of a dry run may be used again."""
    return None if isinstance(event, ControlAnswered) else original(state, event, *rest)


@read(607)
def strict_dialect_ignores_the_controls(request: ClientRequest) -> ClientRequest:
    """Where the controls are not known, their fields are ignored."""
    return replace(request, unsupported=None) if isinstance(request, MassCancel) else request


@fault(611, emergency, "locked_out")
def lock_only_cancels(*_: Any) -> None:
    """A lock keeps no new order out."""


@fault(612, emergency, "locked_out")
def lock_is_not_explained(original: Any, *args: Any) -> Refusal | None:
    """An order that is locked out is told nothing but that."""
    return None if original(*args) is None else not_authorized("new orders are locked")


@fault(613, oms, "_cancel_order")
def lock_keeps_cancels_out(original: Any, state: OmsState, request: Any, user: Any, at: datetime) -> Any:
    """An F under a lock is refused."""
    if state.controls.locks:
        return refuse(request, not_authorized("locked"), at, "locked")
    return original(state, request, user, at)


@fault(614, oms, "order_status")
def lock_keeps_status_out(original: Any, state: OmsState, *rest: Any) -> Any:
    """A status request under a lock is not answered."""
    return ((), "locked") if state.controls.locks else original(state, *rest)


@fault(615, Lock, "covers")
def lock_ignores_the_side(
    original: Any, self: Lock, account: Any, user: Any, instrument: Any, _: Any, strategy: Any
) -> Any:
    """A lock of one side keeps both out."""
    return original(self, account, user, instrument, self.selector.side, strategy)


@fault(615, Lock, "covers")
def lock_ignores_the_user(original: Any, self: Lock, account: Any, _: Any, *rest: Any) -> Any:
    """A lock of one user keeps all users out."""
    return original(self, account, self.selector.user_id, *rest)


@fault(615, Lock, "covers")
def lock_ignores_the_instrument(
    original: Any, self: Lock, account: Any, user: Any, _: Any, side: Any, strategy: Any
) -> Any:
    """A lock of one instrument keeps all out."""
    named = min(self.selector.instrument_ids or {0})
    return original(self, account, user, named, side, strategy)


@fault(616, Lock, "covers")
def lock_ignores_the_account(original: Any, self: Lock, _: Any, *rest: Any) -> Any:
    """A lock of one account keeps all accounts out."""
    return original(self, self.selector.account_id, *rest)


@fault(617, oms, "_mass_cancel")
def anybody_locks_anything(original: Any, state: OmsState, request: MassCancel, *rest: Any) -> Any:
    """A lock needs no permission."""
    if request.locks:
        return permitted(original, state, request, *rest)
    return original(state, request, *rest)


@fault(618, emergency, "_is_his")
def anybody_unlocks(*_: Any) -> bool:
    """Whoever is locked out may unlock."""
    return True


@fault(619, emergency, "_unlock")
def any_unlock_opens_everything(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *rest: Any
) -> Any:
    """The scope of an unlock is not looked at."""
    meant = state.controls.locks[0].selector if state.controls.locks else selector
    return original(state, request, meant, *rest)


@fault(620, emergency, "honour")
def unlock_cancels(
    original: Any, state: OmsState, request: MassCancel, selector: CancelSelector, *rest: Any
) -> Any:
    """An unlock cancels as a mass cancel does."""
    decision = original(state, request, selector, *rest)
    return canceling(decision, state, selector, rest[2]) if request.locks is False else decision


@fault(621, Controls, "with_lock")
def locks_pile_up(_: Any, self: Controls, lock: Lock) -> Controls:
    """The same scope locked twice has to be unlocked twice."""
    return replace(self, locks=(*self.locks, lock))


@fault(621, emergency, "_unlock")
def _locks_pile_up(original: Any, *args: Any) -> Decision:
    decision: Decision = original(*args)
    return replace(decision, events=decision.events[-2:])


@fault(622, emergency, "left")
def lock_ends_with_its_connection(
    original: Any, states: dict[int, OmsState], session: Session, at: datetime, *rest: Any, **how: Any
) -> Any:
    """A lock is gone with the connection of whoever has locked."""
    yield from original(states, session, at, *rest, **how)
    for state in states.values():
        for lock in state.controls.locks:
            if lock.user_id == session.user_id:
                yield state, Unlocked(lock.lock_id, "wrong", at)


@fault(623, Alarm, "release")
def unlock_command_does_nothing(*_: Any) -> None:
    """A lock that is taken away by its number stays."""


@selects(624)
def kill_switch_kills_everybody(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """A kill switch for one user takes the orders of all."""
    return replace(asked, user_id=None) if request.reason else asked


@fault(625, desk, "decide")
def lock_comes_before_repetition(
    original: Any, state: OmsState, request: Any, at: datetime, next_id: int
) -> Any:
    """An order that comes again under a lock is rejected as locked."""
    if isinstance(request, NewOrder) and state.controls.locks:
        return refuse(request, not_authorized("new orders are locked"), at, "locked")
    return original(state, request, at, next_id)


@fault(626, oms, "new_order")
def operators_are_never_locked_out(
    original: Any, state: OmsState, request: Any, user: User, *rest: Any
) -> Any:
    """What an operator enters for somebody is taken, whatever is locked."""
    kept = state.controls
    if user.is_operator:
        state.controls = replace(kept, locks=())
    try:
        return original(state, request, user, *rest)
    finally:
        state.controls = kept


@fault(627, Lock, "covers")
def lock_takes_one_instrument(
    original: Any, self: Lock, account: Any, user: Any, instrument: Any, *rest: Any
) -> bool:
    """A lock of an underlying keeps the first instrument on it out, and no other."""
    named = self.selector.instrument_ids
    is_other = bool(named) and instrument != min(named or {0})
    return not is_other and bool(original(self, account, user, instrument, *rest))


@fault(608, emergency, "shown")
def dry_run_leaves_out_the_pending(original: Any, state: OmsState, *args: Any) -> ControlAnswered:
    """A dry run does not count orders whose cancel is pending."""
    found: ControlAnswered = original(state, *args)
    kept = [key for key in found.order_ids if state.book[key].status is not OrdStatus.PENDING_CANCEL]
    return replace(found, order_ids=tuple(kept))


@selects(611)
def lock_does_not_cancel(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """A request to lock and cancel locks only."""
    return replace(asked, instrument_ids=frozenset()) if request.locks else asked
