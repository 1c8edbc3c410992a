"""The sequence numbers of a session between two calls, in a small file that one call at a time has."""

import fcntl
import os
import re
from pathlib import Path
from types import TracebackType

_LINE = re.compile(r"([0-9]{10}) ([0-9]{10})\n")


class NumbersError(Exception):
    """The file cannot be used; the text says why and what to do."""


class Numbers:
    """The next MsgSeqNum(34) that is sent, and the next that is expected; 1 and 1 where there is no file yet.

    A context manager: the file is locked as long as it is open. Opening raises NumbersError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent = self.expected = 1
        self.is_first = True  # nobody has used the session from here before

    def __enter__(self) -> "Numbers":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise NumbersError(
                f"the sequence numbers cannot be kept: {self.path}: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError:
            os.close(self._file)
            raise NumbersError("another `fixgw send` uses this session now") from None
        except NumbersError:
            os.close(self._file)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def save(self, sent: int, expected: int) -> None:
        """Keep the two next numbers."""
        if (sent, expected) != (self.sent, self.expected) or self.is_first:
            os.pwrite(self._file, f"{sent:010} {expected:010}\n".encode(), 0)
            self.sent, self.expected, self.is_first = sent, expected, False

    def _read(self) -> None:
        text = os.pread(self._file, 100, 0).decode("ascii", "replace")
        found = _LINE.fullmatch(text)
        if found:
            self.sent, self.expected, self.is_first = int(found[1]), int(found[2]), False
        elif text:
            raise NumbersError(
                f"{self.path} does not hold two sequence numbers: put it right, or remove it and say --reset"
            )


def path_of(directory: Path, sender: str, target: str, host: str, port: int) -> Path:
    """The file of a session in `directory`."""
    name = f"{sender}-{target}-{host}-{port}"
    return directory / re.sub(r"[^A-Za-z0-9.-]", "_", name)


def default_directory(command: str) -> Path:
    """$XDG_STATE_HOME/fixgw/COMMAND, as the XDG base directory specification has it."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "fixgw" / command
