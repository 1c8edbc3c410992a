"""QuickFIX's message store as it was left, looked at before QuickFIX opens it: what of it is whole.

QuickFIX writes a message into a session's `.body`, where it stands into its `.header`, and then the next
numbers into its `.seqnums`, and never waits for the disk. It believes what it finds: it reads up to the first
record that is torn, appends behind it, and closes the connection when a message is not where a record says.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

CHECKED_MAX = 10_000  # messages of a session that are read: more than a client is behind, in 20 ms

_NAMES = ("body", "header", "seqnums")
_RECORD = re.compile(rb"(\d{1,18}),(\d{1,18}),(\d{1,9})")  # MsgSeqNum, where in the body, length
_NUMBERS = re.compile(rb"\d+ : \d+")
_VOUCHER = "boot"  # the file that names the start of the machine since which the store is whole
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StoreError(Exception):
    """The message store cannot be read or written; the text says why."""


class Stored(Struct, frozen=True):
    """What the files of a session hold.

    `held` are the MsgSeqNums of messages that can be read: of the last CHECKED_MAX, or of all when the files
    are not whole. `last` is the highest MsgSeqNum, 0 when there is none. `is_whole`: no file is missing, and
    nothing in them is torn. `is_sure`: what was written is there, because the machine did not go down since.
    """

    is_whole: bool = True
    is_sure: bool = True
    last: int = 0
    held: frozenset[int] = frozenset()


def look(directory: Path, names: Mapping[str, str]) -> dict[str, Stored]:
    """What the files of each session hold; `names` are what QuickFIX calls them. Raises StoreError.

    A record whose message cannot be read is taken out. When something is missing, the store is not vouched
    for from now on, so that the start after one that was killed knows it too.
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
    body, header, seqnums = (directory / f"{name}.{kind}" for kind in _NAMES)
    is_whole = all(path.exists() for path in (body, header, seqnums))
    for path in (body, header, seqnums) if is_whole else ():
        path.open("r+b").close()  # QuickFIX would not say which one it cannot write
    is_whole = is_whole and _NUMBERS.match(seqnums.read_bytes()) is not None
    *records, torn = header.read_bytes().split(b" ") if header.exists() else [b""]
    recent = records[-CHECKED_MAX:]
    held = _readable(recent, body)
    is_torn = bool(torn) or len(held) < len(recent)
    if is_torn or not is_whole:
        (directory / _VOUCHER).unlink(missing_ok=True)
    if is_torn:
        held = _readable(records, body)
        _rewrite(header, [record for _, record in held])
    last = max((int(found[1]) for record in recent if (found := _RECORD.fullmatch(record))), default=0)
    return Stored(is_whole and not is_torn, is_sure, last, frozenset(number for number, _ in held))


def _readable(records: Iterable[bytes], body: Path) -> list[tuple[int, bytes]]:
    """Those of `records` whose message is in the file `body`, with its MsgSeqNum."""
    if not body.exists():
        return []
    readable = []
    with body.open("rb") as file:
        for record in records:
            found = _RECORD.fullmatch(record)
            if found is not None:
                number, start, length = map(int, found.groups())
                message = os.pread(file.fileno(), length, start)
                if len(message) == length and message.startswith(b"8=FIX") and message.endswith(b"\x01"):
                    readable.append((number, record))
    return readable


def _rewrite(header: Path, records: Iterable[bytes]) -> None:
    new = header.with_suffix(".new")
    new.write_bytes(b"".join(record + b" " for record in records))
    new.replace(header)


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
    """Say that the store is whole now, and what is written into it is there until the machine goes down.

    Raises StoreError.
    """
    if not _is_vouched_for(directory):
        with _failing(directory):
            (directory / _VOUCHER).write_text(boot_id())
