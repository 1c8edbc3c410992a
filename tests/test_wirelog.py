"""The wire log on a real disk: every message once, and no disk that keeps one from going on."""

import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from fixgw.edge import wireline, wirelog
from fixgw.edge.wirelog import WireLog
from tests.gateway import until
from tests.test_disks import disk, fill
from tests.test_wireline import framed

MORNING = datetime(2026, 11, 21, 7, 31, 46, 987_528, UTC).timestamp()
FILE = "TRADER37-20261121.log"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., WireLog]]:
    """Begin a log in `tmp_path`/wire, or elsewhere; it is closed at the end."""
    made = []

    def begin(directory: Path = tmp_path / "wire", keep_days: int = 30) -> WireLog:
        made.append(WireLog(directory, keep_days, clock))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def message(number: int, size: int = 0) -> bytes:
    return framed(b"35=0\x0134=%d\x0158=%b\x01" % (number, b"x" * size))


def numbers(file: Path) -> list[int]:
    """The MsgSeqNums of the messages in a file, each of which must be readable; those missing as below 0."""
    found = []
    for line in file.read_text("ascii").splitlines():
        read = wireline.read(line)
        if read is None:
            _, direction, count, rest = line.split(maxsplit=3)
            assert (direction, rest) == ("--", "messages are missing here")
            found.append(-int(count))
        else:
            found.append(int(read.message.split(b"\x0134=")[1].split(b"\x01")[0]))
    return found


def test_a_message_has_a_line_with_time_and_direction(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """Several in one piece have one each; passwords are not in it; only the owner can read it."""
    log = make()
    log.take("TRADER37", b"in", framed(b"35=A\x0134=1\x01554=hunter2\x01") + message(2))
    log.take("TRADER37", b"out", message(1))
    log.take("OPERATOR1", b"out", message(7))
    log.flush()
    at = "2026-11-21T07:31:46.987528Z"
    assert (tmp_path / "wire" / FILE).read_text() == (
        f"{at} in  8=FIX.4.4|9=22|35=A|34=1|554=***|10=000|\n"
        f"{at} in  8=FIX.4.4|9=14|35=0|34=2|58=|10=000|\n"
        f"{at} out 8=FIX.4.4|9=14|35=0|34=1|58=|10=000|\n"
    )
    assert numbers(tmp_path / "wire" / "OPERATOR1-20261121.log") == [7]
    assert stat.S_IMODE((tmp_path / "wire").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "wire" / FILE).stat().st_mode) == 0o600


def test_it_is_written_soon_without_being_asked(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """Whoever looks at the file sees what was said a moment ago."""
    make().take("TRADER37", b"in", message(1))
    until((tmp_path / "wire" / FILE).exists)


def test_many_messages_are_all_there_in_order(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """Those as well that wait when it is closed."""
    log = make()
    for number in range(0, 30_000, 3):
        log.take("TRADER37", b"in", message(number) + message(number + 1, 200) + message(number + 2))
    log.close()
    assert numbers(tmp_path / "wire" / FILE) == list(range(30_000))
    assert log.lost == 0


def test_a_day_has_its_own_file(make: Callable[..., WireLog], tmp_path: Path, clock: Clock) -> None:
    """The day is that of the message, in UTC, whenever it is written."""
    log = make()
    clock.now = datetime(2026, 11, 21, 23, 59, 59, 999_999, UTC).timestamp()
    log.take("TRADER37", b"in", message(1))
    clock.now += 0.000_001
    log.take("TRADER37", b"in", message(2))
    log.flush()
    assert numbers(tmp_path / "wire" / FILE) == [1]
    assert numbers(tmp_path / "wire" / "TRADER37-20261122.log") == [2]


def test_old_files_are_removed_at_the_start_and_each_day(
    make: Callable[..., WireLog], tmp_path: Path, clock: Clock
) -> None:
    """By the day in their name; what is not a file of the wire log stays."""
    place = tmp_path / "wire"
    place.mkdir()
    names = [f"X-Y.Z-202611{day}.log" for day in (17, 18, 19, 20)]
    others = ["notes.log", "T-20261199.log", "T-2026111.log", "T-20200101.log.gz"]
    for name in (*names, *others):
        (place / name).touch()
    log = make(keep_days=2)
    log.flush()
    assert {file.name for file in place.iterdir()} == {*names[2:], *others}
    log.take("TRADER37", b"in", message(1))
    log.flush()
    clock.now += 2 * 86_400
    log.flush()
    assert {file.name for file in place.iterdir()} == {FILE, *others}


def test_a_file_that_is_moved_away_is_made_anew(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """And so is the whole directory."""
    log = make()
    file = tmp_path / "wire" / FILE
    log.take("TRADER37", b"in", message(1))
    log.flush()
    file.rename(tmp_path / "rotated")
    log.take("TRADER37", b"in", message(2))
    log.flush()
    assert (numbers(tmp_path / "rotated"), numbers(file)) == ([1], [2])
    shutil.rmtree(tmp_path / "wire")
    log.take("TRADER37", b"in", message(3))
    log.flush()
    assert numbers(file) == [3]


def test_a_line_that_a_kill_has_torn_stays_alone(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """What is written after it has a line of its own."""
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / FILE).write_text("2026-11-21T07:31")
    log = make()
    log.take("TRADER37", b"in", message(1))
    log.flush()
    torn, whole = (tmp_path / "wire" / FILE).read_text().splitlines()
    assert torn == "2026-11-21T07:31"
    assert wireline.read(whole) is not None


def test_a_disk_that_is_full_for_a_while_loses_nothing(make: Callable[..., WireLog], tmp_path: Path) -> None:
    """As long as it is not too much; a line is never written in part."""
    with disk(tmp_path) as place:
        log = make(place / "wire")
        log.take("TRADER37", b"in", message(1))
        log.flush()
        filler = fill(place)
        for number in range(2, 300):
            log.take("TRADER37", b"in", message(number, 200))
            if number % 100 == 0:
                log.flush()
                assert (place / "wire" / FILE).read_bytes()[-1:] == b"\n"
        filler.unlink()
        log.flush()
        assert numbers(place / "wire" / FILE) == list(range(1, 300))
        assert log.lost == 0


def test_a_disk_that_stays_full_loses_lines_and_says_how_many(
    make: Callable[..., WireLog], tmp_path: Path
) -> None:
    """In the gateway's log, and in the file where they are missing."""
    with disk(tmp_path) as place, structlog.testing.capture_logs() as said:
        log = make(place / "wire")
        log.take("TRADER37", b"in", message(1))
        log.flush()
        filler = fill(place)
        size = wirelog.UNWRITTEN_MAX // 1_000
        for number in range(2, 2_000):
            log.take("TRADER37", b"in", message(number, size))
        log.flush()
        lost = log.lost
        assert 0 < lost < 2_000
        filler.unlink()
        log.take("TRADER37", b"in", message(2_000))
        log.close()
        assert numbers(place / "wire" / FILE) == [1, -lost, *range(2 + lost, 2_001)]
    warnings = [line for line in said if line["event"] == "wire log incomplete"]
    assert sum(line["count"] for line in warnings) == lost
    assert "No space left on device" in warnings[0]["why"]


def test_what_waits_for_the_thread_is_bounded(
    make: Callable[..., WireLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs: what comes meanwhile is dropped, and the file says where."""
    monkeypatch.setattr(wirelog, "WAITING_MAX", 10_000)
    hangs, goes_on, write = threading.Event(), threading.Event(), os.write

    def slow_write(descriptor: int, data: bytes) -> int:
        hangs.set()
        goes_on.wait()
        return write(descriptor, data)

    log = make()
    with structlog.testing.capture_logs() as said, monkeypatch.context() as patch:
        patch.setattr(os, "write", slow_write)
        log.take("TRADER37", b"in", message(0))
        assert hangs.wait(10)
        for number in range(1, 201, 2):
            log.take("TRADER37", b"in", message(number) + message(number + 1))
        goes_on.set()
        log.flush()
        log.take("TRADER37", b"in", message(201))
        log.close()
    assert 0 < log.lost < 200
    assert numbers(tmp_path / "wire" / FILE) == [*range(201 - log.lost), -log.lost, 201]
    assert sum(line["count"] for line in said) == log.lost


def test_a_place_where_nothing_can_be_written_stops_nothing(
    make: Callable[..., WireLog], tmp_path: Path
) -> None:
    """It begins to write as soon as there is a directory."""
    (tmp_path / "wire").write_text("not a directory")
    log = make()
    log.take("TRADER37", b"in", message(1))
    log.flush()
    (tmp_path / "wire").unlink()
    log.take("TRADER37", b"in", message(2))
    log.flush()
    assert numbers(tmp_path / "wire" / FILE) == [1, 2]
