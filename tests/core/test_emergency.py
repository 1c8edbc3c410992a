"""Locks, timers and guards: what a request leads to, and what each event makes of them."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fixgw.core import disconnect, emergency
from fixgw.core.controls import Controls, Guard, Lock, Timer, TimerKind
from fixgw.core.directory import Session
from fixgw.core.disconnect import CancelOn, DisconnectScope, OnDisconnect
from fixgw.core.errors import ErrorCode, server_error
from fixgw.core.events import (
    ControlAnswered,
    Event,
    Locked,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderEntered,
    RequestRefused,
    SessionGuarded,
    SessionLeft,
    TimerArmed,
    TimerDisarmed,
    TimerRanOut,
    Unlocked,
)
from fixgw.core.oms import decide, run_out
from fixgw.core.order import NOBODY, Side
from fixgw.core.selector import CancelSelector
from fixgw.core.state import AGAIN_AFTER, OmsState, evolve
from tests.core.build import (
    AT,
    BTC_USD,
    COLLEAGUE,
    ETH_USD,
    OPERATOR,
    PRIVATE,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    directory,
    mass_cancel,
    new_order,
    order,
    state,
    two_omses,
)

OWN = CancelSelector(1, user_id=TRADER)
MINUTE = 60_000
LATER = AT + timedelta(minutes=1)


def apply(held: OmsState, events: Iterable[Event]) -> list[Event]:
    """Apply them, and return them."""
    applied = list(events)
    for event in applied:
        evolve(held, event)
    return applied


def kinds(events: Iterable[Event]) -> list[type]:
    """What sort of events they are."""
    return [type(event) for event in events]


# Locks


@pytest.mark.parametrize(
    ("selector", "changes", "is_covered"),
    [
        (CancelSelector(1), {}, True),
        (CancelSelector(1, SHARED), {}, True),
        (CancelSelector(1, PRIVATE), {}, False),
        (CancelSelector(1, user_id=TRADER), {}, True),
        (CancelSelector(1, user_id=COLLEAGUE), {}, False),
        (CancelSelector(1, instrument_ids=frozenset({BTC_USD})), {}, True),
        (CancelSelector(1, instrument_ids=frozenset({ETH_USD})), {}, False),
        (CancelSelector(1, instrument_ids=frozenset({BTC_USD})), {"instrument_id": None}, False),
        (CancelSelector(1, side=Side.BUY), {}, True),
        (CancelSelector(1, side=Side.SELL), {}, False),
        (CancelSelector(1, side=Side.SELL), {"side": None}, False),
        (CancelSelector(1, strategy="grid"), {"strategy": "grid"}, True),
        (CancelSelector(1, strategy="grid"), {}, False),
    ],
)
def test_a_lock_covers_what_its_selector_names(
    selector: CancelSelector, changes: dict[str, object], is_covered: bool
) -> None:
    """Each dimension alone; what is not known of an order is not within a lock on it."""
    lock = Lock(1, selector, TRADER, "user 37", is_operators=False, at=AT)
    known = {"account_id": SHARED, "user_id": TRADER, "instrument_id": BTC_USD, "side": Side.BUY}
    assert lock.covers(**{**known, "strategy": None, **changes}) is is_covered  # type: ignore[arg-type]


@given(
    account=st.sampled_from([None, SHARED, PRIVATE]),
    user=st.sampled_from([None, TRADER, COLLEAGUE]),
    instruments=st.sampled_from([None, frozenset({BTC_USD}), frozenset({ETH_USD})]),
    side=st.sampled_from([None, Side.BUY, Side.SELL]),
)
def test_a_lock_covers_exactly_what_the_cancel_takes(
    account: int | None, user: int | None, instruments: frozenset[int] | None, side: Side | None
) -> None:
    """An order is within the lock when the mass cancel of the same selector would take it."""
    selector = CancelSelector(1, account, user, instruments, side)
    lock = Lock(1, selector, TRADER, "user 37", is_operators=False, at=AT)
    for resting in (order(), order(side=Side.SELL), order(account_id=PRIVATE), order(instrument_id=ETH_USD)):
        covered = lock.covers(
            resting.account_id, resting.user_id, resting.instrument_id, resting.side, resting.strategy
        )
        assert covered is selector.matches(resting)


def test_a_lock_comes_before_its_cancel() -> None:
    """One decision: locked first, so that nothing slips in between, then the cancel as ever."""
    held = state(order())
    decision = decide(held, mass_cancel(locks=True), AT, 100)
    assert kinds(decision.events) == [Locked, MassCancelRequested, MassCancelAccepted]
    assert decision.to_cancel == (1,)
    apply(held, decision.events)
    assert held.controls.locks == (Lock(100, OWN, TRADER, "user 37", is_operators=False, at=AT),)
    refused = decide(held, new_order(), AT, 101)
    assert refused.rule == "locked"
    assert refused.refusal is not None
    assert refused.refusal.code is ErrorCode.NOT_AUTHORIZED
    assert kinds(decide(held, new_order(COLLEAGUE), AT, 101).events) == [OrderEntered]


def test_a_lock_is_found_before_names_are_looked_up() -> None:
    """20 comes before 104: an unknown symbol of a locked user is locked, not unknown."""
    held = state()
    apply(held, decide(held, mass_cancel(locks=True), AT, 100).events)
    unknown = replace(new_order().instrument, symbol="NO-SUCH")
    assert decide(held, new_order(instrument=unknown), AT, 101).rule == "locked"


def test_unlocking() -> None:
    """By the one who locked, or an operator; on the very same scope; and nothing is canceled by it."""
    held = state(order())
    apply(held, decide(held, mass_cancel(locks=True), AT, 100).events)
    by_operator = mass_cancel(OPERATOR, owner_id=TRADER, locks=False, cl_ord_id="q2")
    for asked in (mass_cancel(locks=False, cl_ord_id="q2"), by_operator):
        decision = decide(held, asked, AT, 101)
        assert kinds(decision.events) == [Unlocked, ControlAnswered]
        assert decision.to_cancel == ()
    narrower = mass_cancel(locks=False, side="1", cl_ord_id="q3")
    assert decide(held, narrower, AT, 101).rule == "unknown-lock"
    apply(held, decide(held, mass_cancel(locks=False, cl_ord_id="q2"), AT, 101).events)
    assert held.controls == Controls()


def test_an_operators_lock_is_an_operators() -> None:
    """A trader on the same scope may not take it away; his own beside it he may, and is told of the other."""
    held = state()
    apply(held, decide(held, mass_cancel(OPERATOR, owner_id=TRADER, locks=True), AT, 100).events)
    refused = decide(held, mass_cancel(locks=False, cl_ord_id="q2"), AT, 101)
    assert (refused.rule, kinds(refused.events)) == ("lock-not-own", [RequestRefused])
    apply(held, decide(held, mass_cancel(locks=True, cl_ord_id="q3"), AT, 101).events)
    *_, answered = decide(held, mass_cancel(locks=False, cl_ord_id="q4"), AT, 102).events
    assert isinstance(answered, ControlAnswered)
    assert answered.text == f"{emergency.UNLOCKED}; 1 locks of others on the same scope stay"


def test_a_lock_of_the_command_line_says_who() -> None:
    """The gateway itself asks for whoever runs it; the person's name is in the lock."""
    held = state()
    asked = mass_cancel(session=None, cl_ord_id=None, locks=True, by="the operator ann")
    asked = replace(asked, user_id=NOBODY)
    apply(held, decide(held, asked, AT, 100).events)
    [lock] = held.controls.locks
    assert (lock.by, lock.is_operators, lock.selector) == ("the operator ann", True, CancelSelector(1))


# Timers


def test_a_timer_is_armed_refreshed_and_disarmed() -> None:
    """One timer for a session and a scope, whatever asks for it."""
    held = state(order())
    armed = mass_cancel(dead_man_ms=MINUTE)
    assert kinds(apply(held, decide(held, armed, AT, 100).events)) == [TimerArmed, ControlAnswered]
    [timer] = held.controls.timers
    assert timer == Timer(100, TimerKind.DEAD_MAN, SESSIONS[TRADER], armed, OWN, LATER, MINUTE)
    again = mass_cancel(dead_man_ms=2 * MINUTE, cl_ord_id="q2")
    apply(held, decide(held, again, LATER, 101).events)
    [timer] = held.controls.timers
    assert (timer.timer_id, timer.due_at, timer.request) == (100, LATER + timedelta(minutes=2), again)
    other = mass_cancel(dead_man_ms=0, side="1", cl_ord_id="q3")
    assert decide(held, other, LATER, 102).rule == "unknown-timer"
    disarmed = decide(held, mass_cancel(dead_man_ms=0, cl_ord_id="q4"), LATER, 102)
    assert kinds(apply(held, disarmed.events)) == [TimerDisarmed, ControlAnswered]
    assert held.controls.timers == ()


@pytest.mark.parametrize("locks", [None, True])
def test_a_timer_that_runs_out_asks_what_it_was_armed_with(locks: bool | None) -> None:
    """Its mass cancel, and its lock; the timer is gone once that is accepted."""
    held = state(order(), order(2, user_id=COLLEAGUE))
    apply(held, decide(held, mass_cancel(dead_man_ms=MINUTE, locks=locks), AT, 100).events)
    [timer] = held.controls.due
    decision = run_out(held, timer, LATER, 101)
    assert decision.rule == "dead-man"
    assert decision.to_cancel == (1,)
    locked = [Locked] if locks else []
    assert kinds(decision.events) == [TimerRanOut, *locked, MassCancelRequested, MassCancelAccepted]
    first, *others = decision.events
    evolve(held, first)
    assert held.controls.due == ()
    assert held.controls.timers[0].mass_cancel_id == 101
    apply(held, others)
    assert held.controls.timers == ()
    assert len(held.controls.locks) == bool(locks)


def test_a_timer_whose_mass_cancel_could_not_be_read_is_due_again() -> None:
    """What a venue could not say in time is asked again: the orders are still there."""
    held = state()
    apply(held, decide(held, mass_cancel(dead_man_ms=MINUTE), AT, 100).events)
    [timer] = held.controls.due
    ran_out, requested, _ = run_out(held, timer, LATER, 101).events
    apply(held, (ran_out, requested, MassCancelRefused(101, server_error("no answer"), LATER)))
    [timer] = held.controls.due
    assert timer.due_at == LATER + AGAIN_AFTER


# Cancel on disconnect


@pytest.mark.parametrize("cancel_on", CancelOn)
@pytest.mark.parametrize("said_goodbye", [True, False])
def test_which_way_of_leaving_fires(cancel_on: CancelOn, said_goodbye: bool) -> None:
    """The four settings times the two ways."""
    fires = {CancelOn.OFF: set(), CancelOn.DISCONNECT: {False}, CancelOn.LOGOUT: {True}}
    expected = said_goodbye in fires.get(cancel_on, {True, False})
    assert OnDisconnect(cancel_on).fires(said_goodbye=said_goodbye) is expected


@pytest.mark.parametrize(
    ("configured", "asked", "terms"),
    [
        (OnDisconnect(), None, OnDisconnect()),
        (OnDisconnect(may_override=True), "N", OnDisconnect(may_override=True)),
        (
            OnDisconnect(may_override=True),
            "Y",
            OnDisconnect(CancelOn.BOTH, DisconnectScope.USER, may_override=True),
        ),
        (
            OnDisconnect(CancelOn.LOGOUT, DisconnectScope.ACCOUNT, 5, may_override=True),
            "Y",
            OnDisconnect(CancelOn.LOGOUT, DisconnectScope.ACCOUNT, 5, may_override=True),
        ),
        (
            OnDisconnect(CancelOn.LOGOUT, DisconnectScope.ACCOUNT, 5, may_override=True),
            "S",
            OnDisconnect(CancelOn.LOGOUT, DisconnectScope.SESSION, 5, may_override=True),
        ),
        (OnDisconnect(), "Y", f"{disconnect.FIELD} is not allowed for this session"),
        (OnDisconnect(), "N", f"{disconnect.FIELD} is not allowed for this session"),
        (OnDisconnect(may_override=True), "X", f"{disconnect.FIELD} is neither Y, S nor N"),
    ],
)
def test_the_terms_that_a_logon_gets(
    configured: OnDisconnect, asked: str | None, terms: OnDisconnect | str
) -> None:
    """What is configured, or what is asked for where that is allowed; never something in silence."""
    assert disconnect.agreed(configured, asked) == terms


def session(scope: DisconnectScope = DisconnectScope.SESSION, **changes: object) -> Session:
    """User 37's session with cancel on disconnect."""
    terms = replace(OnDisconnect(CancelOn.DISCONNECT, scope, MINUTE), **changes)
    return replace(directory().sessions[SESSIONS[TRADER]], on_disconnect=terms)


def log_on(states: dict[int, OmsState], of: Session) -> list[type]:
    """Log its client on; what happened."""
    told = [(held, event) for held, event in emergency.logged_on(states, of, of.on_disconnect, AT)]
    for held, event in told:
        evolve(held, event)
    return [type(event) for _, event in told]


def leave(states: dict[int, OmsState], of: Session, *, said_goodbye: bool = False) -> list[type]:
    """Have its client gone; what happened."""
    happened = []
    numbers = count(500)
    for held, event in emergency.left(states, of, AT, lambda: next(numbers), said_goodbye=said_goodbye):
        evolve(held, event)
        happened.append(type(event))
    return happened


@pytest.mark.parametrize(
    ("scope", "selectors"),
    [
        (DisconnectScope.SESSION, [CancelSelector(1, session=SESSIONS[TRADER])]),
        (DisconnectScope.USER, [OWN]),
        (DisconnectScope.ACCOUNT, [CancelSelector(1, SHARED), CancelSelector(1, PRIVATE)]),
    ],
)
def test_a_client_that_is_gone_has_its_window(
    scope: DisconnectScope, selectors: list[CancelSelector]
) -> None:
    """Guarded at the Logon, a timer for each selector when it is gone, all called off at its return."""
    held = state()
    states, of = {1: held}, session(scope)
    assert log_on(states, of) == [SessionGuarded]
    assert held.controls.guard(of.name) == Guard(of.name, of.on_disconnect)
    assert log_on(states, of) == []
    assert leave(states, of) == [SessionLeft] + [TimerArmed] * len(selectors)
    assert [timer.selector for timer in held.controls.due] == selectors
    assert {(timer.due_at, timer.kind) for timer in held.controls.due} == {(LATER, TimerKind.DISCONNECT)}
    assert {timer.request.reason for timer in held.controls.due} == {emergency.ON_DISCONNECT}
    assert log_on(states, of) == [TimerDisarmed] * len(selectors) + [SessionGuarded]
    assert held.controls.due == ()


def test_a_client_that_is_not_guarded_just_goes() -> None:
    """Off, or the other way of leaving: no timer."""
    held = state()
    states, of = {1: held}, session()
    assert leave(states, of) == []
    log_on(states, of)
    assert leave(states, of, said_goodbye=True) == [SessionLeft]
    log_on(states, of)
    off = session(cancel_on=CancelOn.OFF)
    assert log_on(states, off) == [SessionLeft]
    assert log_on(states, off) == []


def test_every_oms_of_the_user_is_reached() -> None:
    """The session is of OMS 1, its user trades on OMS 2 as well; who is not granted one is not there."""
    data = two_omses()
    states = {oms_id: state(reference_data=data, oms_id=oms_id) for oms_id in (1, 2)}
    of = session(DisconnectScope.ACCOUNT)
    log_on(states, of)
    leave(states, of)
    assert [timer.selector.account_id for timer in states[1].controls.due] == [SHARED, PRIVATE]
    assert [timer.selector.account_id for timer in states[2].controls.due] == [20]
    stranger = replace(of, name=SESSIONS[STRANGER], user_id=STRANGER)
    log_on(states, stranger)
    leave(states, stranger)
    assert len(states[2].controls.due) == 1


@pytest.mark.parametrize("on_restart", [True, False])
def test_a_clean_stop_is_no_disconnect_unless_so_configured(on_restart: bool) -> None:
    """The guard is gone with the stop, or stays and counts at the start."""
    held = state()
    states, of = {1: held}, session(on_restart=on_restart)
    log_on(states, of)
    stopped = apply(held, (event for _, event in emergency.stopped(states, of, AT)))
    assert kinds(stopped) == ([] if on_restart else [SessionLeft])
    started = list(emergency.started(states, {of.name: of}, AT, lambda: 500))
    assert kinds(event for _, event in started) == ([SessionLeft, TimerArmed] if on_restart else [])


def test_after_a_crash_every_window_begins_anew() -> None:
    """Who was logged on is gone since the start; a window that was open has its length again."""
    held = state()
    states, of = {1: held}, session()
    log_on(states, of)
    leave(states, of)
    other = replace(session(), name=SESSIONS[COLLEAGUE], user_id=COLLEAGUE)
    log_on(states, other)
    gone = replace(session(), name="GONE")
    log_on(states, gone)
    back = AT + timedelta(seconds=30)
    known = {one.name: one for one in (of, other)}
    apply(held, (event for _, event in emergency.started(states, known, back, lambda: 600)))
    due = {timer.session: timer.due_at for timer in held.controls.due}
    assert due == dict.fromkeys((of.name, other.name), back + timedelta(minutes=1))
    assert held.controls.guards == ()


def test_what_nobody_asked_for_keeps_the_rights_of_the_gateway() -> None:
    """The user of a timer is configured no more: what was permitted when it was armed happens."""
    held = state(order())
    apply(held, decide(held, mass_cancel(dead_man_ms=MINUTE), AT, 100).events)
    [timer] = held.controls.due
    del held.users[TRADER]
    assert run_out(held, timer, LATER, 101).to_cancel == (1,)
