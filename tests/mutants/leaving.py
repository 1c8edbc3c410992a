"""Faults in cancel on disconnect: scenarios 651 to 679."""

from typing import Any

from msgspec.structs import replace

from fixgw import server
from fixgw.core import emergency
from fixgw.core.controls import TimerKind
from fixgw.core.disconnect import CancelOn, DisconnectScope, OnDisconnect
from fixgw.core.events import CancelRefused, Event, OrderCanceled, TimerArmed, TimerDisarmed
from fixgw.core.order import Order
from fixgw.core.reports import Execution
from fixgw.core.tell import Told
from fixgw.edge import logon
from fixgw.engine import alarm
from fixgw.engine.alarm import Alarm
from fixgw.engine.turn import Presence
from tests.mutants.shapes import Frame, Written, goes_out, misses, tells, written
from tests.mutants.switch import add, fault
from tests.mutants.timers import lost

_asked: dict[OnDisconnect, str] = {}  # what the last Logon under these terms asked for
_left: dict[str, int] = {}  # how often each session has left


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


def disconnect_is_lost_while_the_venue_is_away() -> None:
    """A connection that is lost while the venue is out of reach has nothing canceled."""


add(671, Alarm, "run_out", lost(TimerKind.DISCONNECT), disconnect_is_lost_while_the_venue_is_away)


@tells(667)
def answer_becomes_unsolicited(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """A cancel that was pending when its client was lost is told as if nobody had asked for it."""
    if not isinstance(event, OrderCanceled):
        return told
    return [
        (session, replace(report, cl_ord_id=report.orig_cl_ord_id, orig_cl_ord_id=None))
        if isinstance(report, Execution) and report.orig_cl_ord_id
        else (session, report)
        for session, report in told
    ]


@written(668)
def disconnect_forgets_the_fills(report: Written) -> None:
    """CumQty(14) of an order that is canceled on disconnect is 0."""
    if report.has((35, "8"), (150, "4"), (58, emergency.ON_DISCONNECT)):
        report.put(14, "0")


@goes_out(669)
def told_again_without_the_reason(frame: Frame) -> None:
    """What is told after a reset does not say why."""
    if frame.get(97) == "Y":
        frame.drop(58)


def refused_logon_is_a_return() -> None:
    """A Logon that may not ask is taken, and calls the cancel off."""


for _owner in (logon, server):
    add(670, _owner, "agreed", _ignored, refused_logon_is_a_return)


@misses(672)
def stops_outlive_a_disconnect(order: Order) -> bool:
    """A stop that waits for its trigger is not canceled."""
    return order.waits_for_trigger


@fault(673, alarm, "agreed")
def wish_counts_one_way(original: Any, configured: OnDisconnect, asked: str | None) -> Any:
    """8013=Y counts a lost connection only."""
    found = original(configured, asked)
    return replace(found, cancel_on=CancelOn.DISCONNECT) if asked == "Y" else found


@fault(674, Alarm, "presence")
def reset_is_no_return(original: Any, self: Alarm, presence: Presence, at: Any) -> None:
    """A client that begins its numbers anew is taken for a new one: what waits goes on."""
    kept = [(state, state.controls.due) for state in self._states.values()]
    original(self, presence, at)
    for state, timers in kept:
        for timer in timers:
            if timer.kind is TimerKind.DISCONNECT:
                self._happen(iter([(state, TimerArmed(timer, at))]), "wrong", at)


@fault(675, emergency, "_on_disconnect")
def second_disconnect_does_not_count(original: Any, states: Any, session: Any, *rest: Any) -> Any:
    """After one return a client may stay away for ever."""
    _left[session.name] = _left.get(session.name, 0) + 1
    return iter(()) if _left[session.name] > 1 else original(states, session, *rest)
