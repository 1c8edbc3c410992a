"""QuickFIX's files of a session: its next numbers, and what a client asks for again.

QuickFIX keeps the next numbers in `.seqnums`, and never waits for the disk. No message is stored when it is
sent (PersistMessages=N): the journal has every report. When a client asks for some again, they are written
into `.body` and `.header`, where QuickFIX finds them, in the place of those that were asked for before.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

_NUMBERS = re.compile(rb"(\d+) : (\d+)")  # outbound, inbound
_VOUCHER = "boot"  # the file that names the start of the machine since which the numbers are whole
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StoreError(Exception):
    """The message store cannot be read or written; the text says why."""


class Spare:
    """A file descriptor that is kept for the files here: strangers may have used up all others.

    While it is entered as a context manager, one can be opened.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._keep()

    def _keep(self) -> None:
        with suppress(OSError):  # another thread may have taken it
            self._descriptor = os.open(os.devnull, os.O_RDONLY)

    def __enter__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __exit__(self, *_: object) -> None:
        self._keep()


class Stored(Struct, frozen=True):
    """What the files of a session hold.

    `is_whole`: the numbers are there. `is_sure`: they are the last ones, because the machine did not go down
    since.
    """

    is_whole: bool = True
    is_sure: bool = True


def look(directory: Path, names: Mapping[str, str]) -> dict[str, Stored]:
    """What the files of each session hold; `names` are what QuickFIX calls them. Raises StoreError.

    When numbers are missing, the store is not vouched for from now on, so that the start after one that was
    killed knows it too.
    """
    is_sure = _is_vouched_for(directory)
    with _failing(directory):
        directory.mkdir(exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):  # a reset deletes the files and makes them anew
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))
        return {session: _look(directory, name, is_sure) for session, name in names.items()}


@contextmanager
def _failing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = error.filename or directory
        raise StoreError(f"cannot use the message store {what}: {error.strerror}") from error


def _look(directory: Path, name: str, is_sure: bool) -> Stored:
    for path in (directory / f"{name}.{kind}" for kind in ("body", "header", "seqnums", "session")):
        with suppress(FileNotFoundError):
            path.open("r+b").close()  # QuickFIX would not say which one it cannot write
    is_whole = stored_numbers(directory, name) is not None
    if not is_whole:
        (directory / _VOUCHER).unlink(missing_ok=True)
    return Stored(is_whole, is_sure)


def stored_numbers(directory: Path, name: str) -> tuple[int, int] | None:
    """The next inbound and the next outbound MsgSeqNum in the files `name`; None when they are not there."""
    with suppress(OSError):
        if found := _NUMBERS.match((directory / f"{name}.seqnums").read_bytes()):
            return int(found[2]), int(found[1])
    return None


def lay_out(directory: Path, name: str, messages: Sequence[tuple[int, bytes]]) -> None:
    """Have the files `name` hold `messages` (any number) under their MsgSeqNums, and nothing else.

    QuickFIX reads them when it is told to refresh the session. Raises StoreError.
    """
    header, start = [], 0
    for number, message in messages:
        header.append(b"%d,%d,%d " % (number, start, len(message)))
        start += len(message)
    with _failing(directory):
        for kind, parts in (("body", [message for _, message in messages]), ("header", header)):
            file = directory / f"{name}.{kind}"  # QuickFIX has it open; to replace it would wait for the disk
            file.unlink(missing_ok=True)
            file.write_bytes(b"".join(parts))


def boot_id() -> str:
    """What is another one each time that the machine has started; empty where the system does not say."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def _is_vouched_for(directory: Path) -> bool:
    with suppress(OSError):
        return (directory / _VOUCHER).read_text() == boot_id() != ""
    return False


def vouch(directory: Path) -> None:
    """Say that the numbers are whole now, and what is written is there until the machine goes down.

    Raises StoreError.
    """
    if not _is_vouched_for(directory):
        with _failing(directory):
            (directory / _VOUCHER).write_text(boot_id())
