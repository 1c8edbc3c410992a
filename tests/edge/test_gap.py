"""What is kept behind a gap, against a model of QuickFIX's own queue."""

from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.frames import Framer
from fixgw.edge.gap import OVERHEAD, Gap
from fixgw.fix.framing import message


def order(seq_num: int) -> bytes:
    """A message of the client's."""
    return message(b"FIX.4.4", b"35=D\x0134=%d\x0111=x\x01" % seq_num)


def resend_request(begin: int) -> bytes:
    """The engine misses everything from `begin` on."""
    return message(b"FIX.4.4", b"35=2\x0134=9\x017=%d\x0116=0\x01" % begin)


def gap_fill(seq_num: int, new: int) -> bytes:
    """The client leaves numbers out."""
    return message(b"FIX.4.4", b"35=4\x0134=%d\x0143=Y\x01123=Y\x0136=%d\x01" % (seq_num, new))


def sent(gap: Gap, *frames: bytes) -> None:
    """Let the client send these in one piece."""
    gap.sent(Framer(65_536).feed(b"".join(frames)))


def asked(gap: Gap, begin: int) -> None:
    """Let the engine ask."""
    gap.asked(Framer(65_536).feed(resend_request(begin)))


def test_nothing_is_kept_without_a_gap() -> None:
    gap = Gap()
    for seq_num in range(1, 100):
        sent(gap, order(seq_num))
    assert gap.kept == 0


def test_what_the_engine_asks_because_of_counts_too() -> None:
    gap = Gap()
    sent(gap, order(5), order(6))
    asked(gap, 3)
    assert gap.kept == 2 * (len(order(5)) + OVERHEAD)
    sent(gap, gap_fill(3, 5))
    assert gap.kept == 0


@given(st.lists(st.integers(3, 30), max_size=60))
def test_what_is_kept_is_what_is_not_due_yet(numbers: list[int]) -> None:
    gap, due, queue = Gap(), 3, set[int]()
    asked(gap, due)
    for number in numbers:
        sent(gap, order(number))
        if number == due:
            due += 1
        elif number > due:
            queue.add(number)
        while due in queue:
            queue.remove(due)
            due += 1
        assert gap.kept == sum(len(order(one)) + OVERHEAD for one in queue)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_whatever_comes_never_raises(values: list[bytes]) -> None:
    gap = Gap()
    asked(gap, 1)
    for value in values:
        for fields in (b"35=D\x0134=", b"35=4\x0134=1\x0136=", b"35=4\x0134=1\x01123=Y\x0136="):
            sent(gap, message(b"FIX.4.4", fields + value.replace(b"\x01", b"") + b"\x01"))
