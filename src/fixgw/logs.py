"""Log lines: JSON, or readable on a terminal; gathered during a turn and written together."""

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from io import FileIO, TextIOWrapper
from typing import IO, TYPE_CHECKING, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from fixgw.engine.turn import Line
from fixgw.fix.decode import redact

if TYPE_CHECKING:
    from typing_extensions import Buffer

FLUSH_AT = 65_536  # characters: what is buffered at most before it is written


_encode = msgspec.json.Encoder(enc_hook=str).encode


class LineBuffer:
    """A logger for structlog that gathers lines and writes them when it is flushed, or full.

    `lost` counts the lines that could not be written; once it can be written again, a line says how many.
    """

    def __init__(self, file: IO[str], *, as_json: bool, with_requests: bool = True) -> None:
        self.as_json = as_json
        self.with_requests = with_requests
        self._file = file
        self._lines: list[str] = []
        self._size = 0
        self.lost = self._said_lost = 0

    def msg(self, line: str) -> None:
        """Take a line."""
        self._lines.append(line)
        self._size += len(line)
        if self._size > FLUSH_AT:
            self.flush()

    debug = info = warning = error = exception = msg

    def critical(self, line: str) -> None:
        """Take a line and write everything at once: the process is about to end."""
        self.msg(line)
        self.flush()

    def requests(self, lines: Iterable[Line]) -> None:
        """Take one line for each request of a turn (any number), the short way: there are many of them."""
        if not self.with_requests:
            return
        if self.as_json:
            for line in lines:
                self.msg(_encode(line).decode())
        else:
            for line in lines:
                fields = line if isinstance(line, dict) else msgspec.structs.asdict(line)
                said = {key: value for key, value in fields.items() if key not in ("at", "level")}
                structlog.get_logger().info(**said)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._lines:
            lines, self._lines, self._size = self._lines, [], 0
            try:
                self._file.write("\n".join(lines) + "\n")
                self._file.flush()
            except OSError:  # the journal is the record; a log that cannot be written must not stop a cancel
                self.lost += len(lines)
                return
            if self.lost > self._said_lost:
                structlog.get_logger("fixgw.logs").warning("lines lost", count=self.lost - self._said_lost)
                self._said_lost = self.lost


def _json(_: WrappedLogger, level: str, event: EventDict) -> str:
    """The whole way to a JSON line in one step, because each request takes it."""
    line = {"at": datetime.now(UTC), "level": level}
    line.update(event)
    _redacted(_, level, line)
    try:
        return _encode(line).decode()
    except UnicodeEncodeError:
        return _encode({key: ascii(value) for key, value in line.items()}).decode()


def _timestamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return event


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """No password ever: raw messages in any value lose theirs."""
    for key, value in event.items():
        if type(value) is str and "=" in value:
            event[key] = redact(value)
    return event


class _Raw(FileIO):
    """A file that takes all of what is written, or says that it does not, and keeps nothing back."""

    def write(self, data: "Buffer") -> int:
        """Write all of `data`, which a signal or a disk that fills up can cut. Raises OSError."""
        left = memoryview(data)
        while left:
            written = super().write(left)
            if written is None:
                raise BlockingIOError("the reader does not read")
            left = left[written:]
        return memoryview(data).nbytes


def _unbuffered(stream: TextIO) -> IO[str]:
    """What writes where `stream` writes, and keeps nothing back.

    A line that a full disk did not take would wait in a buffer, and fail the process at its end (code 120).
    """
    try:
        raw = _Raw(stream.fileno(), "w", closefd=False)
    except OSError:  # it is none of the system's
        return stream
    return TextIOWrapper(raw, stream.encoding, stream.errors, write_through=True)


def configure(
    log_format: Literal["auto", "json", "text"], level: str, file: IO[str] | None = None
) -> LineBuffer:
    """Send all log lines to `file` (default: stderr); "auto" is text on a terminal, JSON elsewhere."""
    file = _unbuffered(sys.stderr) if file is None else file
    text = log_format == "text" or (log_format == "auto" and file.isatty())
    buffer = LineBuffer(file, as_json=not text, with_requests=level in ("debug", "info"))
    processors: list[structlog.typing.Processor]
    if text:
        render = structlog.dev.ConsoleRenderer(
            colors=file.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # another would show what variables hold
        )
        processors = [structlog.processors.add_log_level, _timestamp, _redacted, render]
    else:
        processors = [structlog.processors.format_exc_info, _json]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: buffer,
        cache_logger_on_first_use=True,
    )
    return buffer
