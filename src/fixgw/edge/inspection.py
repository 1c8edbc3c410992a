"""What is changed of a client's messages, or not passed on, because QuickFIX would not do what they ask."""

from collections.abc import Callable
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from fixgw.edge.frames import Cut, without_absurd_numbers

_MARKS = (b"\x0135=2\x01", b"\x0135=A\x01", b"\x0135=4\x01", b"\x0134=\x01")


class Passed(NamedTuple):
    """Frames in one piece as they go on; `is_end` if the connection has to end behind them."""

    data: bytes
    is_end: bool


def has_special(cut: Cut) -> bool:
    """Whether there is anything in these frames for which they have to be looked at one by one."""
    data = cut.data
    return any(mark in data for mark in _MARKS) or data.count(b"\x0134=") < len(cut.ends)


def for_the_engine(
    cut: Cut,
    resend: Callable[[bytes], bytes],
    log_on_again: Callable[[bytes], bytes],
    log: FilteringBoundLogger,
) -> Passed:
    """The same frames, but no ResendRequest for more than a piece, Logons as they may go on, no MsgSeqNum
    that QuickFIX would take for another one, and no message without one, which could not be answered.

    `resend` and `log_on_again` say what goes on in place of a ResendRequest(2) and a Logon(A); after a Logon
    in whose place nothing goes on, nothing else does. Of two MsgType(35) QuickFIX takes the last.
    """
    passed = []
    for frame in cut.frames():
        type_at = frame.rfind(b"\x0135=") + 1
        if b"\x0134=\x01" in frame or b"\x0134=" not in frame:
            log.warning("garbled", why="MsgSeqNum(34) is empty or missing")
        elif frame.startswith(b"35=2\x01", type_at):
            passed.append(resend(without_absurd_numbers(frame)))
        elif frame.startswith(b"35=4\x01", type_at):
            passed.append(without_absurd_numbers(frame))
        elif frame.startswith(b"35=A\x01", type_at):
            passed.append(log_on_again(frame))
            if not passed[-1]:
                return Passed(b"".join(passed), is_end=True)
        else:
            passed.append(frame)
    return Passed(b"".join(passed), is_end=False)
