"""The wire log: every message of every session, in a file for each session and day.

The way of a message only puts it into a queue; a thread writes it, a moment later. What the disk does not
take is kept up to a bound, then dropped and counted: no disk stops or slows a message. Where messages are
missing, the file says how many.
"""

import os
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import structlog

from fixgw.edge.wireline import SOH, escape, is_plain, messages, redact

log = structlog.get_logger("fixgw.edge")

WRITE_SECONDS = 0.25  # between two looks at what there is to write
AT_A_TIME, AT_A_TIME_BYTES = 100, 32_768  # entries, bytes: 0.2 ms for which the event loop may have to wait
PAUSE_SECONDS = 0.000_1  # at least; and as long as the work took: half of the time is the event loop's
WRITE_AT = 262_144  # bytes
WAITING_MAX = 64 << 20  # bytes of memory for what waits for the thread
ENTRY_BYTES = 256  # what an entry of the queue takes besides its messages
UNWRITTEN_MAX = 1 << 20  # bytes for each file that the disk did not take, and that are tried again
WARN_SECONDS = 10.0  # between two warnings about the same trouble
CLOSE_SECONDS = 5.0  # how long `flush` and `close` wait for the disk

TIME_BYTES = len(b"2026-11-21T07:31:46.987528Z")
_MISSING = b""  # in the place of the direction, in the queue: so many messages were dropped
_NAME = re.compile(r".+-([0-9]{8})\.log", re.ASCII)
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT


class WireLog:
    """Writes DIRECTORY/SESSION-YYYYMMDD.log, by the UTC day of each message.

    Files whose day is more than `keep_days` ago are removed. `clock` gives seconds since 1970.
    """

    def __init__(self, directory: Path, keep_days: int, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._queue: deque[tuple[float, str, bytes, bytes]] = deque()
        # Bytes that ever entered the queue, and that left it. Each is changed by one thread alone.
        self._taken = self._left = 0
        self._dropped = Counter[str]()  # messages that found the queue full, by session
        self._loss = _Loss("it waits for the disk")
        self._second = -1  # the second of `_second_text` and `_name_end`, which are made once for all of it
        self._second_text, self._name_end = b"", ""
        self._files = _Files(directory, timedelta(days=keep_days))
        self._wanted, self._written = Event(), Event()
        self._is_closing = False
        self._thread = Thread(target=self._run, name="wire log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many messages could not be written so far."""
        return self._loss.count + self._files.loss.count

    def take(self, session: str, direction: bytes, data: bytes) -> None:
        """Note whole messages, one or many, that came (`in`) or went (`out`) just now for a CompID."""
        if self._taken - self._left > WAITING_MAX:
            count = len(messages(data))
            self._dropped[session] += count
            self._loss.add(count)
            return
        if self._dropped:
            self._note_dropped()
        self._taken += len(data) + ENTRY_BYTES
        self._queue.append((self._clock(), session, direction, data))

    def _note_dropped(self) -> None:
        at = self._clock()
        self._queue.extend((at, session, _MISSING, b"%d" % count) for session, count in self._dropped.items())
        self._taken += len(self._dropped) * ENTRY_BYTES
        self._dropped.clear()

    def flush(self) -> None:
        """Wait until what was taken so far is written, CLOSE_SECONDS at most."""
        for _ in range(2):  # what is under way may have begun before the last message came
            self._written.clear()
            self._wanted.set()
            self._written.wait(CLOSE_SECONDS / 2)

    def close(self) -> None:
        """Write what is left, and end; after CLOSE_SECONDS without it."""
        self._is_closing = True
        self._wanted.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wanted.wait(WRITE_SECONDS)
            is_last = self._is_closing
            self._wanted.clear()
            self._files.remove_old(datetime.fromtimestamp(self._clock(), UTC).date())
            made = 0
            while self._queue:
                began = time.monotonic()
                made += self._make_lines()
                if made > WRITE_AT:
                    self._files.write()
                    made = 0
                time.sleep(max(PAUSE_SECONDS, time.monotonic() - began))
            self._files.write(is_last=is_last)
            self._loss.say(is_last=is_last)
            self._written.set()

    def _make_lines(self) -> int:
        """Make lines of the oldest of the queue: as many as the event loop can wait for; their bytes."""
        some: list[tuple[float, str, bytes, bytes]] = []
        size = 0
        while self._queue and len(some) < AT_A_TIME and size < AT_A_TIME_BYTES:
            entry = self._queue.popleft()
            some.append(entry)
            size += len(entry[3])
        are_plain = is_plain(b"".join([entry[3] for entry in some]))
        by_session: dict[str, list[bytes]] = {}
        for at, session, direction, data in some:
            second = int(at)
            if second != self._second:
                self._begin_second(second)
                by_session.clear()
            lines = by_session.get(session)
            if lines is None:
                lines = by_session[session] = self._files.lines(session + self._name_end)
            begin = b"%b.%06dZ %-3b " % (self._second_text, (at - second) * 1e6, direction)
            if direction is _MISSING:
                lines.append(_missing_line(begin[:TIME_BYTES], int(data)))
            elif are_plain or is_plain(data):
                lines += [b"%b%b\n" % (begin, message) for message in messages(data)]
            else:
                lines += [b"%b%b\n" % (begin, escape(redact(message))) for message in messages(data)]
        size += len(some) * ENTRY_BYTES
        self._left += size
        return size

    def _begin_second(self, second: int) -> None:
        moment = datetime.fromtimestamp(second, UTC)
        self._second = second
        self._second_text = moment.strftime("%Y-%m-%dT%H:%M:%S").encode()
        self._name_end = f"-{moment:%Y%m%d}.log"


class _Loss:
    """Messages that were lost, and the warnings: one at once, and then one each WARN_SECONDS."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.count = self._said = 0
        self._say_at = 0.0

    def add(self, count: int) -> None:
        self.count += count
        self.say()

    def say(self, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if self.count > self._said and (is_last or now >= self._say_at):
            log.warning("wire log incomplete", count=self.count - self._said, in_all=self.count, why=self.why)
            self._said, self._say_at = self.count, now + WARN_SECONDS


class _Unwritten:
    """What is to be written to a file: lines, and before them how many are missing, from which time on."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.missing = 0
        self._missing_from = b""

    def data(self) -> bytes:
        """All of it, as it is written."""
        data = b"".join(self.lines).replace(SOH, b"|")
        return _missing_line(self._missing_from, self.missing) + data if self.missing else data

    def keep(self) -> int:
        """Keep the lines for another time, unless they are too many; how many are lost."""
        whole = b"".join(self.lines)
        if len(whole) < UNWRITTEN_MAX:
            self.lines = [whole]
            return 0
        return self.lose()

    def lose(self) -> int:
        """Forget the lines; how many are lost."""
        whole = b"".join(self.lines)
        self.lines.clear()
        self._missing_from = self._missing_from or whole[:TIME_BYTES]
        count = whole.count(b"\n")
        self.missing += count
        return count


class _Files:
    """Appends to the files. Each is opened for each time, so that any of them may be moved or removed."""

    def __init__(self, directory: Path, keep: timedelta) -> None:
        self.loss = _Loss("it cannot be written")
        self._directory = directory
        self._keep = keep
        self._today: date | None = None
        self._unwritten: defaultdict[str, _Unwritten] = defaultdict(_Unwritten)  # by the name of the file

    def lines(self, name: str) -> list[bytes]:
        """Where lines for the file of this name are added, until the next `write`. SOH may stand for `|`."""
        return self._unwritten[name].lines

    def write(self, *, is_last: bool = False) -> None:
        """Write what there is, and keep what the disk does not take, unless this is the last time."""
        for name, unwritten in list(self._unwritten.items()):
            try:
                self._append(name, unwritten.data())
            except OSError as error:
                self.loss.why = f"{self._directory / name}: {error.strerror}"
                self.loss.add(unwritten.lose() if is_last else unwritten.keep())
            else:
                del self._unwritten[name]
        self.loss.say(is_last=is_last or not self._unwritten)

    def _append(self, name: str, data: bytes) -> None:
        """Append whole lines or nothing. Raises OSError."""
        descriptor = self._open(name)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a kill has torn the last line
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        try:
            return os.open(self._directory / name, _APPEND, mode=0o600)
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._directory / name, _APPEND, mode=0o600)

    def remove_old(self, today: date) -> None:
        """Remove the files whose day is too long ago, when a day (UTC) begins, and at the first call."""
        if today == self._today:
            return
        self._today = today
        for file in self._directory.glob("*.log"):
            with suppress(ValueError, OSError):  # no day; or it is gone already, or must stay
                found = _NAME.fullmatch(file.name)
                if found and datetime.strptime(found[1], "%Y%m%d").date() < today - self._keep:  # noqa: DTZ007
                    file.unlink()


def _missing_line(at: bytes, count: int) -> bytes:
    return b"%b --  %d messages are missing here\n" % (at, count)
