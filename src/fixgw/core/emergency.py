"""Controls for the bad day: what a mass cancel request leads to that asks for more, or less, than a cancel.

A dry run cancels nothing. A lock keeps new orders of the scope out, until whoever locked, or an operator,
unlocks; cancels and status are never locked. A dead-man timer cancels when its session falls silent. Cancel
on disconnect is such a timer that the gateway arms itself. FIX 4.4 has none of these: the tags are our own.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from fixgw.core import disconnect
from fixgw.core.controls import Guard, Lock, Timer, TimerKind
from fixgw.core.decision import Decision, refuse
from fixgw.core.directory import Session, User
from fixgw.core.disconnect import DisconnectScope, OnDisconnect
from fixgw.core.errors import Refusal, Subject, not_authorized, not_found
from fixgw.core.events import (
    ControlAnswered,
    Event,
    Locked,
    MassCancelRequested,
    SessionGuarded,
    SessionLeft,
    TimerArmed,
    TimerDisarmed,
    Unlocked,
)
from fixgw.core.order import NOBODY, Side
from fixgw.core.requests import MassCancel
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState

ON_DISCONNECT = "canceled on disconnect"
DRY_RUN = "dry run: nothing was canceled"
UNLOCKED = "new orders are unlocked; nothing was canceled"
DISARMED = "the dead-man timer is disarmed; nothing was canceled"

NextId = Callable[[], int]
Told = Iterator[tuple[OmsState, Event]]


def honour(
    state: OmsState,
    request: MassCancel,
    selector: CancelSelector,
    user: User,
    rule: str,
    at: datetime,
    next_id: int,
) -> Decision | None:
    """What a permitted `request` leads to that cancels nothing now; None for one that does."""
    if request.is_dry_run:
        if not state.oms.is_embedded:  # the venue may have more orders of this scope than are known here
            requested = MassCancelRequested(next_id, request, selector, at)
            return Decision((requested,), rule=rule, to_read=selector)
        return Decision((shown(state, next_id, request, selector, at),), rule=rule)
    if request.locks is False:
        return _unlock(state, request, selector, user, rule, at, next_id)
    if request.dead_man_ms is not None:
        return _dead_man(state, request, selector, rule, at, next_id)
    return None


def shown(
    state: OmsState, control_id: int, request: MassCancel, selector: CancelSelector, at: datetime
) -> ControlAnswered:
    """What a dry run finds."""
    found = tuple(order.order_id for order in state.book.select(selector))
    return ControlAnswered(control_id, request, DRY_RUN, found, at)


def _unlock(
    state: OmsState,
    request: MassCancel,
    selector: CancelSelector,
    user: User,
    rule: str,
    at: datetime,
    next_id: int,
) -> Decision:
    locks = [lock for lock in state.controls.locks if lock.selector == selector]
    if not locks:
        missing = not_found("LockOrders(20011)=N: no lock has exactly this scope", Subject.ORDER)
        return refuse(request, missing, at, "unknown-lock")
    own = [lock for lock in locks if user.is_operator or _is_his(lock, user)]
    if not own:
        why = f"new orders were locked by {locks[0].by}, who unlocks them, or an operator"
        return refuse(request, not_authorized(why), at, "lock-not-own")
    left = len(locks) - len(own)
    text = UNLOCKED if not left else f"{UNLOCKED}; {left} locks of others on the same scope stay"
    taken = tuple(Unlocked(lock.lock_id, _said_by(user), at) for lock in own)
    return Decision((*taken, ControlAnswered(next_id, request, text, (), at)), rule=rule)


def _is_his(lock: Lock, user: User) -> bool:
    return lock.user_id == user.user_id and not lock.is_operators


def _said_by(user: User) -> str:
    return f"{'operator' if user.is_operator else 'user'} {user.user_id}"


def lock(request: MassCancel, selector: CancelSelector, user: User, at: datetime, lock_id: int) -> Locked:
    """The lock that `request` sets."""
    by = request.by if user.user_id == NOBODY else _said_by(user)
    return Locked(Lock(lock_id, selector, user.user_id, by, user.is_operator, at))


def locked_out(
    state: OmsState,
    account_id: int,
    user_id: int,
    instrument_id: int | None,
    side: Side | None,
    strategy: str | None,
) -> Refusal | None:
    """Why a new order of these is refused: a lock covers it. Says who locked, and how to unlock."""
    for found in state.controls.locks:
        if found.covers(account_id, user_id, instrument_id, side, strategy):
            who = "an operator" if found.is_operators else f"{found.by}, or an operator,"
            return not_authorized(
                f"new orders are locked by {found.by} since {found.at:%H:%M:%S} UTC (lock {found.lock_id}): "
                f"{who} unlocks with LockOrders(20011)=N and the same scope, or with "
                f"'fixgw unlock {found.lock_id}'"
            )
    return None


def _dead_man(
    state: OmsState, request: MassCancel, selector: CancelSelector, rule: str, at: datetime, next_id: int
) -> Decision:
    window_ms, session = request.dead_man_ms or 0, request.session or ""
    running = state.controls.timer_of(session, selector)
    if not window_ms:
        if running is None:
            missing = not_found("DeadManTimer(20010)=0: no timer has exactly this scope", Subject.ORDER)
            return refuse(request, missing, at, "unknown-timer")
        disarmed = TimerDisarmed(running.timer_id, at)
        return Decision((disarmed, ControlAnswered(next_id, request, DISARMED, (), at)), rule=rule)
    due_at = at + timedelta(milliseconds=window_ms)
    timer_id = next_id if running is None else running.timer_id
    timer = Timer(timer_id, TimerKind.DEAD_MAN, session, request, selector, due_at, window_ms)
    text = f"the dead-man timer runs out in {window_ms} ms; nothing was canceled"
    return Decision((TimerArmed(timer, at), ControlAnswered(next_id, request, text, (), at)), rule=rule)


def logged_on(states: dict[int, OmsState], session: Session, terms: OnDisconnect, at: datetime) -> Told:
    """The client of `session` is there under these `terms`: what waited for its return is called off."""
    for state in states.values():
        for timer in state.controls.due:
            if timer.kind is TimerKind.DISCONNECT and timer.session == session.name:
                yield state, TimerDisarmed(timer.timer_id, at)
    home = states[session.oms_id]
    found = home.controls.guard(session.name)
    if terms.cancel_on is disconnect.CancelOn.OFF:
        if found is not None:
            yield home, SessionLeft(session.name, at)
    elif found is None or found.terms != terms:
        yield home, SessionGuarded(Guard(session.name, terms), at)


def left(
    states: dict[int, OmsState], session: Session, at: datetime, next_id: NextId, *, said_goodbye: bool
) -> Told:
    """The client of `session` is gone: if its terms say so, its orders have until the end of the window."""
    guard = states[session.oms_id].controls.guard(session.name)
    if guard is not None:
        yield states[session.oms_id], SessionLeft(session.name, at)
        if guard.terms.fires(said_goodbye=said_goodbye):
            yield from _on_disconnect(states, session, guard.terms, at, next_id)


def stopped(states: dict[int, OmsState], session: Session, at: datetime) -> Told:
    """The gateway stops cleanly: that its client goes is no disconnect, unless the terms say so."""
    guard = states[session.oms_id].controls.guard(session.name)
    if guard is not None and not guard.terms.on_restart:
        yield states[session.oms_id], SessionLeft(session.name, at)


def started(states: dict[int, OmsState], sessions: dict[str, Session], at: datetime, next_id: NextId) -> Told:
    """The gateway is back: whoever was logged on when it ended counts as disconnected from now on.

    A window that was open has its whole length again: nobody could come back meanwhile.
    """
    for state in states.values():
        for timer in state.controls.due:
            due_at = at + timedelta(milliseconds=timer.window_ms)
            if timer.kind is TimerKind.DISCONNECT and timer.due_at < due_at:
                yield state, TimerArmed(replace(timer, due_at=due_at), at)
    for state in states.values():
        for guard in state.controls.guards:
            yield state, SessionLeft(guard.session, at)
            if guard.session in sessions:
                yield from _on_disconnect(states, sessions[guard.session], guard.terms, at, next_id)


def _on_disconnect(
    states: dict[int, OmsState], session: Session, terms: OnDisconnect, at: datetime, next_id: NextId
) -> Told:
    due_at = at + timedelta(milliseconds=terms.window_ms)
    for state in states.values():
        user = state.users.get(session.user_id)
        if user is None or state.oms.oms_id not in user.oms_ids:
            continue
        for selector, account_id in _gone(state.oms.oms_id, session, user, terms.scope):
            request = MassCancel(
                user_id=session.user_id,
                scope=Scope(ScopeType.ALL),
                account_id=account_id,
                owner_id=selector.user_id,
                reason=ON_DISCONNECT,
            )
            kind = TimerKind.DISCONNECT
            timer = Timer(next_id(), kind, session.name, request, selector, due_at, terms.window_ms)
            yield state, TimerArmed(timer, at)


def _gone(
    oms_id: int, session: Session, user: User, scope: DisconnectScope
) -> Iterator[tuple[CancelSelector, int | None]]:
    if scope is DisconnectScope.ACCOUNT:
        for account_id in sorted(user.account_ids):
            yield CancelSelector(oms_id, account_id), account_id
    elif scope is DisconnectScope.USER:
        yield CancelSelector(oms_id, user_id=user.user_id), None
    else:
        yield CancelSelector(oms_id, session=session.name), None
