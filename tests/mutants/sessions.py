"""Faults of the FIX session and of what outlives a connection: scenarios 401 to 449."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from fixgw.core.order import Order
from fixgw.core.reports import Again
from fixgw.core.requests import OrderAnswer
from fixgw.core.state import OmsState
from fixgw.edge.verifier import Verifier
from fixgw.engine.delivery import Delivery
from fixgw.engine.desk import Desk
from fixgw.engine.turn import Command
from tests.mutants.shapes import Frame, comes_in, goes_out
from tests.mutants.switch import fault

WORD_MAX = 10  # characters of a TestReqID(112) that a careless acceptor keeps

_numbers: dict[str, int] = {}  # the last MsgSeqNum of each client, for an edge that looks at it
_epochs: dict[int, int] = {}  # of the session behind each pending cancel, in the last turn
_away: set[str] = set()  # the sessions that were away in the last turn


@goes_out(401)
def heartbeat_is_ones_own(frame: Frame) -> None:
    """The answer to a Logon has a HeartBtInt(108) of the acceptor's choice."""
    if frame.type == "A":
        frame.put(108, "60")


@fault(402, Verifier, "check")
async def any_password_will_do(*_: Any) -> None:
    """The password is not looked at."""


@goes_out(403)
def test_request_word_is_cut(frame: Frame) -> None:
    """The answer to a TestRequest(1) has a part of its TestReqID(112)."""
    if frame.type == "0" and frame.get(112):
        frame.put(112, (frame.get(112) or "")[:WORD_MAX])


@goes_out(404)
def logout_is_not_answered(frame: Frame) -> None:
    """A Logout(5) is answered by the end of the connection only."""
    if frame.type == "5":
        frame.put(35, "0")


@goes_out(405)
def reset_is_not_confirmed(frame: Frame) -> None:
    """ResetSeqNumFlag(141)=Y is not repeated."""
    if frame.type == "A":
        frame.drop(141)


@goes_out(406)
def nothing_is_resent(frame: Frame) -> None:
    """A ResendRequest(2) is answered by gap fills only."""
    if frame.type in "89" and frame.get(43):
        frame.become_gap_fill()


@goes_out(407)
def resent_without_poss_dup(frame: Frame) -> None:
    """What is sent again does not say so."""
    if frame.type == "8":
        frame.drop(43)


@goes_out(408)
def mass_cancel_report_is_not_resent(frame: Frame) -> None:
    """An OrderMassCancelReport(r) that got lost stays lost."""
    if frame.type == "r" and frame.get(43):
        frame.become_gap_fill()


@comes_in(409)
def poss_dup_is_not_understood(frame: Frame) -> None:
    """A message that comes again with PossDupFlag(43)=Y ends the session."""
    if frame.type == "F":
        frame.drop(43)


@comes_in(410)
def low_numbers_are_ignored(frame: Frame) -> None:
    """A MsgSeqNum(34) that is too low, without PossDupFlag(43), is passed over in silence."""
    name, number = frame.get(49) or "", int(frame.get(34) or 0)
    if frame.type == "F" and number <= _numbers.get(name, 0):
        frame.is_dropped = True
    _numbers[name] = number


@goes_out(411)
def gap_is_not_asked_for(frame: Frame) -> None:
    """A gap in the MsgSeqNums is not asked for."""
    frame.is_dropped = frame.type == "2"


@comes_in(412)
def resent_orders_are_dropped(frame: Frame) -> None:
    """An order that is sent again after a gap is not entered."""
    if frame.type == "D" and frame.get(43) == "Y":
        frame.is_dropped = True


@comes_in(413)
def gap_fill_is_not_understood(frame: Frame) -> None:
    """A SequenceReset(4) is ignored."""
    frame.is_dropped = frame.type == "4"


@comes_in(414)
def resends_begin_at_one(frame: Frame) -> None:
    """BeginSeqNo(7) of a ResendRequest(2) is ignored."""
    if frame.type == "2":
        frame.put(7, "1")


@goes_out(415)
def original_time_is_missing(frame: Frame) -> None:
    """What is sent again has no OrigSendingTime(122)."""
    frame.drop(122)


@goes_out(416)
def gap_fill_is_a_reset(frame: Frame) -> None:
    """Session messages are skipped by a SequenceReset(4) without GapFillFlag(123)."""
    if frame.type == "4":
        frame.drop(123)


@goes_out(418)
def reject_names_no_field(frame: Frame) -> None:
    """A Reject(3) has no RefTagID(371)."""
    if frame.type == "3":
        frame.drop(371)


@goes_out(419)
def reject_reason_is_always_the_same(frame: Frame) -> None:
    """SessionRejectReason(373) is 0 whatever is wrong."""
    if frame.type == "3":
        frame.put(373, "0")


@comes_in(420)
def check_sum_is_not_looked_at(frame: Frame) -> None:
    """A message with a wrong CheckSum(10) is taken for good."""
    frame.drop(10)


def _gone(desk: Desk, door: Any) -> list[str]:
    """The sessions that went away since the last turn."""
    now = {name for name in desk.directory.sessions if door.is_away(name)}
    gone = now - _away
    _away.clear()
    _away.update(now)
    return sorted(gone)


@fault(421, Desk, "is_due")
def orders_end_with_their_connection(*_: Any) -> bool:
    """A client that loses its connection loses its orders, without having asked for that."""
    return True


@fault(421, Desk, "turn")
def _orders_end_with_their_connection(
    original: Any, self: Desk, door: Any, arrivals: Any, commands: Sequence[Command], *args: Any
) -> None:
    gone = _gone(self, door)
    ended = [
        Command(OrderAnswer(order_id), lambda _: None)
        for state in self.states.values()
        for order_id in state.book.open_ids()
        if state.book[order_id].session in gone
    ]
    original(self, door, arrivals, [*commands, *ended], *args)


def _pending(desk: Desk) -> list[tuple[OmsState, Order, int]]:
    """The orders whose cancel is pending, and the epoch of the session that asked for it."""
    orders = [
        (state, state.book[order_id]) for state in desk.states.values() for order_id in state.book.open_ids()
    ]
    refs = [(state, order, order.pending_cancel) for state, order in orders]
    return [
        (state, order, desk.outbox.of(ref.session).epoch)
        for state, order, ref in refs
        if ref is not None and ref.session is not None
    ]


@fault(422, Desk, "turn")
def pending_cancels_end_with_their_connection(original: Any, self: Desk, door: Any, *args: Any) -> None:
    """A cancel that is pending is forgotten when its client loses the connection."""
    for state, order, _ in _pending(self):
        if order.pending_cancel is not None and door.is_away(order.pending_cancel.session):
            state.book.put(replace(order, status=order.resting_status, pending_cancel=None))
    original(self, door, *args)


@comes_in(423)
def sender_is_not_looked_at(frame: Frame) -> None:
    """SenderCompID(49) may be anybody's once the session is logged on."""
    frame.put(49, "TRADER37")


@goes_out(425)
def silence_is_not_filled(frame: Frame) -> None:
    """No Heartbeat(0) is sent but in answer to a TestRequest(1)."""
    frame.is_dropped = frame.type == "0" and frame.get(112) is None


@fault(426, Delivery, "_reports")
def told_again_as_if_new(original: Any, self: Delivery, block: Any) -> Any:
    """What an earlier epoch left undelivered comes without PossResend(97)."""
    return [one.report if isinstance(one, Again) else one for one in original(self, block)]


@goes_out(433)
def numbers_begin_anew_at_each_logon(frame: Frame) -> None:
    """Each Logon begins at MsgSeqNum 1."""
    if frame.type == "A" and frame.get(141) is None:
        frame.put(34, "1")


@fault(427, Desk, "turn")
def pending_cancels_end_with_a_reset(original: Any, self: Desk, *args: Any) -> None:
    """A reset of the sequence numbers forgets the cancels that are pending."""
    for state, order, epoch in _pending(self):
        if _epochs.get(order.order_id, epoch) != epoch:
            state.book.put(replace(order, status=order.resting_status, pending_cancel=None))
    original(self, *args)
    for _, order, epoch in _pending(self):
        _epochs[order.order_id] = epoch


@goes_out(428)
def ends_of_a_mass_cancel_are_not_resent(frame: Frame) -> None:
    """In a resend the ends of a mass cancel are skipped."""
    if frame.type == "8" and frame.get(43) and frame.get(41):
        frame.become_gap_fill()


@comes_in(434)
def resent_cancels_are_dropped(frame: Frame) -> None:
    """A cancel that was sent while its client was logged off is not done."""
    if frame.type == "F" and frame.get(43) == "Y":
        frame.is_dropped = True


@comes_in(435)
def resent_mass_cancels_are_dropped(frame: Frame) -> None:
    """A mass cancel that was sent while its client was logged off is not done."""
    if frame.type == "q" and frame.get(43) == "Y":
        frame.is_dropped = True
