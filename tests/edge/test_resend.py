"""ResendRequests in pieces, against a model of how QuickFIX serves them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.resend import PATIENCE_SECONDS, Resends
from fixgw.fix.framing import message

PIECE = 10


def request(begin: int | str, end: int | str, seq_num: int = 7) -> bytes:
    """A client's ResendRequest."""
    fields = (
        f"35=2\x0134={seq_num}\x0149=CLIENT\x0156=FIXGW\x0152=20260101-00:00:00\x017={begin}\x0116={end}\x01"
    )
    return message(b"FIX.4.4", fields.encode())


def asked(frame: bytes) -> tuple[int, int]:
    """The range of a ResendRequest."""
    fields = dict(part.partition(b"=")[::2] for part in frame.split(b"\x01"))
    return int(fields[b"7"]), int(fields[b"16"])


def report(seq_num: int, *, again: bool = False) -> bytes:
    """A message of the engine's."""
    dup = b"43=Y\x01" if again else b""
    return message(b"FIX.4.4", b"35=8\x0134=%d\x01%s58=x\x01" % (seq_num, dup))


def gap(seq_num: int, new: int) -> bytes:
    """A gap fill."""
    return message(b"FIX.4.4", b"35=4\x0134=%d\x0143=Y\x01123=Y\x0136=%d\x01" % (seq_num, new))


def served(begin: int, end: int, last: int, session_messages: frozenset[int]) -> bytes:
    """What QuickFIX sends for a ResendRequest: reports again, and its own messages as gaps."""
    end = last if end == 0 or end > last else end
    sent, filled = b"", 0
    for seq_num in range(begin, end + 1):
        if seq_num in session_messages:
            filled = filled or seq_num
            continue
        if filled:
            sent += gap(filled, seq_num)
            filled = 0
        sent += report(seq_num, again=True)
    return sent + (gap(filled, end + 1) if filled else b"")


def covered(sent: bytes) -> set[int]:
    """The numbers that these messages of the engine's stand for."""
    numbers: set[int] = set()
    for frame in sent.split(b"8=FIX.4.4")[1:]:
        fields = dict(part.partition(b"=")[::2] for part in frame.split(b"\x01"))
        first = int(fields[b"34"])
        numbers |= set(range(first, int(fields.get(b"36", b"%d" % (first + 1)))))
    return numbers


def resends() -> Resends:
    """A new one, with small pieces."""
    return Resends(65_536, lambda: b"20260101-00:00:01", PIECE)


def test_a_short_range_goes_on_as_it_came() -> None:
    one = resends()
    one.went_out(report(5), 0.0)
    frame = request(1, 0)
    assert one.asked(frame, 0.0) == frame
    assert one.next(0.0) == b""


def test_a_long_range_is_asked_for_piece_by_piece() -> None:
    one = resends()
    one.went_out(report(25), 0.0)
    assert asked(one.asked(request(1, 0), 0.0)) == (1, 10)
    assert one.next(0.0) == b""
    one.went_out(served(1, 9, 25, frozenset()), 0.0)
    assert one.next(0.0) == b"", "a message of the piece is still missing"
    one.went_out(report(26) + report(10, again=True), 0.0)
    assert asked(one.next(0.0)) == (11, 20)
    one.went_out(gap(11, 21), 0.0)
    assert asked(one.next(0.0)) == (21, 25)
    one.went_out(served(21, 25, 26, frozenset()), 0.0)
    assert one.next(0.0) == b""
    assert not one.is_waiting


def test_what_is_new_waits_for_the_end_of_a_long_resend() -> None:
    """The client gets everything in order, and asks for nothing a second time."""
    one = resends()
    one.went_out(report(15), 0.0)
    one.asked(request(1, 0), 0.0)
    assert one.went_out(report(16) + served(1, 10, 16, frozenset()), 0.0).data == served(
        1, 10, 16, frozenset()
    )
    assert asked(one.next(0.0)) == (11, 15)
    assert one.went_out(report(17), 0.0).data == b""
    last = served(11, 15, 17, frozenset())
    assert one.went_out(last, 0.0).data == last + report(16) + report(17)
    assert one.went_out(report(18), 0.0).data == report(18)


def test_what_is_held_does_not_come_again_before_it_comes() -> None:
    """It would be below the number that the client expects, without PossDupFlag(43)."""
    one = resends()
    one.went_out(report(15), 0.0)
    one.asked(request(1, 0), 0.0)
    one.went_out(report(16), 0.0)
    assert asked(one.asked(request(12, 0, seq_num=8), 0.0)) == (12, 12)
    assert asked(one.asked(request(16, 0, seq_num=9), 0.0)) == (15, 15)
    one.went_out(served(1, 10, 16, frozenset()), 0.0)
    assert asked(one.next(0.0)) == (11, 15)


def test_what_is_held_is_released_at_the_end_of_the_connection() -> None:
    one = resends()
    one.went_out(report(15), 0.0)
    one.asked(request(1, 0), 0.0)
    one.went_out(report(16), 0.0)
    assert one.release().data == report(16)
    assert one.release().data == b""


def test_a_piece_is_a_message_that_the_client_could_have_sent() -> None:
    one = resends()
    one.went_out(report(25), 0.0)
    piece = one.asked(request(1, 0, seq_num=42), 0.0)
    body = b"35=2\x0134=42\x0149=CLIENT\x0156=FIXGW\x0152=20260101-00:00:01\x017=1\x0116=10\x01"
    assert piece == message(b"FIX.4.4", body)


def test_what_makes_no_sense_is_left_to_the_engine() -> None:
    one = resends()
    one.went_out(report(25), 0.0)
    for begin, end in ((0, 0), (30, 0), (9, 3), ("x", 0), (1, "-1"), (1, ""), ("9" * 30, 0)):
        frame = request(begin, end)
        assert one.asked(frame, 0.0) == frame
        assert one.next(0.0) == b""


def test_a_piece_that_never_ends_is_waited_for_only_so_long() -> None:
    one = resends()
    one.went_out(report(25), 0.0)
    one.asked(request(1, 0), 0.0)
    assert one.next(PATIENCE_SECONDS) == b""
    assert asked(one.next(PATIENCE_SECONDS + 0.1)) == (11, 20)


ranges = st.tuples(st.integers(1, 60), st.one_of(st.just(0), st.integers(1, 80)))


@given(
    st.lists(st.tuples(ranges, st.integers(0, 4)), min_size=1, max_size=8),
    st.frozensets(st.integers(1, 60), max_size=30),
)
def test_everything_asked_for_comes_and_no_piece_is_long(
    requests: list[tuple[tuple[int, int], int]], session_messages: frozenset[int]
) -> None:
    """Several requests, some while others are being served: each number asked for is served by the end."""
    one, last = resends(), 60
    one.went_out(report(last), 0.0)
    wanted: set[int] = set()
    got: set[int] = set()
    waiting: list[bytes] = []

    def serve() -> None:
        begin, end = asked(waiting.pop(0))
        if begin <= last and (end == 0 or end >= begin):
            sent = served(begin, end, last, session_messages)
            numbers = covered(sent)
            assert len(numbers) <= PIECE
            got.update(numbers)
            one.went_out(sent, 0.0)

    for number, ((begin, end), rounds) in enumerate(requests):
        wanted |= set(range(begin, (last if end == 0 else min(end, last)) + 1))
        waiting.append(one.asked(request(begin, end, number + 1), 0.0))
        for _ in range(rounds):
            if waiting:
                serve()
            if piece := one.next(0.0):
                waiting.append(piece)
    for _ in range(200):
        if waiting:
            serve()
        if piece := one.next(0.0):
            waiting.append(piece)
    assert wanted <= got
    assert not one.is_waiting


def test_the_others_come_first_between_two_pieces() -> None:
    """For as long as they had to wait; and not for a client that was slow to read."""
    one = resends()
    one.went_out(report(3 * PIECE), 0.0)
    one.asked(request(1, 0), 5.0)
    assert one.pause(5.04) is None  # it is on its way
    one.went_out(served(1, PIECE, 3 * PIECE, frozenset()), 0.0)
    assert one.pause(5.04) == pytest.approx(0.04)
    assert one.pause(9.0) == pytest.approx(0.2)
    assert asked(one.next(9.0)) == (PIECE + 1, 2 * PIECE)
    one.went_out(served(PIECE + 1, 2 * PIECE, 3 * PIECE, frozenset()), 0.0)
    one.next(9.0)
    one.went_out(served(2 * PIECE + 1, 3 * PIECE, 3 * PIECE, frozenset()), 0.0)
    assert one.pause(9.1) is None  # there is none left
