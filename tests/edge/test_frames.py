"""Where a message begins and ends: whole frames come through as they are, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.frames import Framer, without_absurd_numbers
from fixgw.fix.framing import check_sum, message

LONGEST = 4_096

bodies = st.binary(max_size=600).map(lambda text: b"35=D\x0158=" + text.replace(b"\x01", b"") + b"\x01")
frames = st.tuples(st.sampled_from([b"FIX.4.4", b"FIX.4.2", b"FIXT.1.1"]), bodies).map(
    lambda made: message(*made)
)
noise = st.binary(max_size=60).filter(lambda data: b"8" not in data)


def fed(data: bytes, sizes: list[int]) -> tuple[list[bytes], int]:
    """The frames found when `data` comes in parts of these sizes, and the bytes left out."""
    framer = Framer(LONGEST)
    found: list[bytes] = []
    for size in sizes:
        found += framer.feed(data[:size]).frames()
        data = data[size:]
    found += framer.feed(data).frames()
    return found, framer.garbled


sizes = st.lists(st.integers(0, 300), max_size=20)


@given(st.binary(max_size=2_000))
def test_a_check_sum_is_the_sum_of_the_bytes(data: bytes) -> None:
    assert check_sum(data) == sum(data) % 256


@given(st.lists(frames, max_size=8), sizes)
def test_frames_come_through_as_they_are_however_they_are_split(sent: list[bytes], parts: list[int]) -> None:
    assert fed(b"".join(sent), parts) == (sent, 0)


@given(st.lists(st.tuples(noise, frames), min_size=1, max_size=8), sizes)
def test_what_stands_between_frames_is_left_out(sent: list[tuple[bytes, bytes]], parts: list[int]) -> None:
    data = b"".join(garbage + frame for garbage, frame in sent)
    expected = [frame for _, frame in sent], sum(len(garbage) for garbage, _ in sent)
    assert fed(data, parts) == expected


@given(st.binary(max_size=3_000), sizes)
def test_whatever_comes_never_raises_and_little_is_kept(data: bytes, parts: list[int]) -> None:
    framer = Framer(LONGEST)
    for size in [*parts, len(data)]:
        framer.feed(data[:size])
        data = data[size:]
        assert len(framer.rest) <= LONGEST


def broken(frame: bytes) -> dict[str, bytes]:
    """The same frame with one thing wrong."""
    at = frame.index(b"\x019=") + 3
    end = frame.index(b"\x01", at)
    length = int(frame[at:end])
    return {
        "another check sum": frame[:-4] + b"%03d\x01" % ((int(frame[-4:-1]) + 1) % 256),
        "no check sum": frame[:-7],
        "too short a length": frame[:at] + b"%d" % (length - 1) + frame[end:],
        "a negative length": frame[:at] + b"-5" + frame[end:],
        "a length that is no number": frame[:at] + b"x" + frame[end:],
        "no length": frame[: at - 2] + frame[end + 1 :],
        "a giant length": frame[:at] + b"999999999" + frame[end:],
        "a length beyond the longest": frame[:at] + b"9999" + frame[end:],
        "no type": frame.replace(b"\x0135=D\x01", b"\x0136=D\x01"),
        "another beginning": b"9" + frame[1:],
    }


@given(bodies, bodies)
def test_a_garbled_frame_is_left_out_and_the_next_one_found(first: bytes, second: bytes) -> None:
    good = message(b"FIX.4.4", second)
    for what, bad in broken(message(b"FIX.4.4", first)).items():
        found, garbled = fed(bad + good, [])
        assert found == [good], what
        assert garbled == len(bad), what


def test_a_frame_that_seems_longer_than_it_is_takes_nothing_with_it() -> None:
    """Its BodyLength reaches into the frames behind it, which are found again once that is clear."""
    good = message(b"FIX.4.4", b"35=0\x01")
    bad = message(b"FIX.4.4", b"35=D\x0158=x\x01").replace(b"9=10\x01", b"9=60\x01")
    assert fed(bad + good * 5, [])[0] == [good] * 5


def test_endless_garbage_is_not_kept() -> None:
    framer = Framer(LONGEST)
    for _ in range(100):
        framer.feed(b"x" * 10_000)
        assert len(framer.rest) < 10
    assert framer.feed(b"8=F").data == b""
    good = message(b"FIX.4.4", b"35=0\x01")
    assert framer.feed(good[3:]).data == good


def test_frames_in_a_garbled_frame_are_not_looked_at() -> None:
    """Each byte is summed up once, or a peer could have the same bytes summed up thousands of times."""
    inner = message(b"FIX.4.4", b"35=0\x0158=inner\x01")
    outer = message(b"FIX.4.4", b"35=0\x0158=" + inner)
    assert fed(outer, []) == ([outer], 0)
    garbled = outer[:-4] + b"%03d\x01" % ((int(outer[-4:-1]) + 1) % 256)
    assert fed(garbled + inner, []) == ([inner], len(garbled))


def test_numbers_that_no_message_can_have_become_unreadable() -> None:
    """So that they are rejected, and not taken modulo 2 to the 64th."""
    body = b"35=2\x0134=5\x01%s"
    good = message(b"FIX.4.4", body % b"7=999999999\x0116=0\x01")
    assert without_absurd_numbers(good) == good
    bad = message(b"FIX.4.4", body % b"7=9223372036854775808\x0116=1\x0136=-10000000000\x01")
    assert without_absurd_numbers(bad) == message(b"FIX.4.4", body % b"7=x\x0116=1\x0136=x\x01")
