"""Reading a journal without touching it: beside the gateway that runs on it, or when none does.

Turns never change once they are committed, and only a compaction, which needs a stopped gateway, removes
some. So they are read in portions, each in a transaction of its own: a reader keeps nothing from being
written back, however long it takes.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this module)

import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from fixgw.core.book import Use
from fixgw.core.order import Order
from fixgw.core.reports import Report
from fixgw.journal import fold
from fixgw.journal.contract import Entry, JournalError
from fixgw.journal.rows import EPOCH, MICROSECOND, TurnNumbers, entries_of
from fixgw.journal.sqlite import SCHEMA_VERSION

JOURNAL_NAME = "journal.db"
BUSY_SECONDS = 5.0  # the gateway's own writes take milliseconds
PORTION = 100  # turns read at one time: a few megabytes

OrderRow = tuple[int, int, str | None, bool, int, Order]
UsedRow = tuple[int, str, int, int, int, Use]


class Turn(Struct, frozen=True):
    """A turn of the engine as it was committed: a row of the journal, decoded.

    `at` is None for a turn without a time. The rows are those that were folded into the state.
    """

    seq: int
    at: datetime | None
    numbers: TurnNumbers
    canceled: list[int]
    orders: list[OrderRow]
    used_ids: list[UsedRow]
    reports: dict[str, list[Report]]
    entries: list[Entry]


_numbers = msgspec.json.Decoder(TurnNumbers).decode
_canceled = msgspec.json.Decoder(list[int]).decode
_orders = msgspec.json.Decoder(list[OrderRow]).decode
_used_ids = msgspec.json.Decoder(list[UsedRow]).decode
_reports = msgspec.json.Decoder(dict[str, list[Report]]).decode

_COLUMNS = "seq, at, numbers, canceled, orders, used_ids, reports, entries"


def time_of(micros: int) -> datetime:
    """The aware UTC time that is `micros` microseconds after 1970."""
    return EPOCH + micros * MICROSECOND


def decode(row: tuple[Any, ...]) -> Turn:
    """A row of the journal as a turn. Raises msgspec.MsgspecError for one that cannot be read."""
    seq, at, numbers, canceled, orders, used_ids, reports, entries = row
    return Turn(
        seq,
        time_of(at) if at else None,
        _numbers(numbers),
        _canceled(canceled or "[]"),
        _orders(orders or "[]"),
        _used_ids(used_ids or "[]"),
        _reports(reports or "{}"),
        entries_of(entries or "[]"),
    )


def uri_of(path: Path) -> str:
    """The database `path` for a connection that cannot change it.

    A database that is in use, or was when its process died, has its log beside it, which stays as it is. For
    one without, SQLite would leave an empty log behind: it is opened so that the log is taken away again.
    """
    uri, log = path.absolute().as_uri(), path.with_name(f"{path.name}-wal")
    if log.exists():
        return f"{uri}?mode=ro"
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return f"{uri}?mode=rw"
    return f"{uri}?mode=ro&immutable=1"  # a disk that is read-only, for example


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection to the database `path` that cannot change it. Raises sqlite3.Error."""
    db = sqlite3.connect(uri_of(path), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA query_only=1")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


class Reader:
    """The two files of the data directory `data`, open to be read; a context manager.

    `state` is None when there is no state.db. Raises JournalError when a file cannot be read, or is of a
    version that this release does not read.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / JOURNAL_NAME
        if not self.path.is_file():
            raise JournalError(f"there is no journal {self.path}")
        try:
            self.journal = open_read_only(self.path)
            path = data / fold.STATE_NAME
            self.state = open_read_only(path) if path.is_file() and path.stat().st_size else None
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {self.path}: {error}") from error
        self._check_version(self.journal, self.path, SCHEMA_VERSION)
        if self.state is not None:
            self._check_version(self.state, path, fold.SCHEMA_VERSION)

    def _check_version(self, db: sqlite3.Connection, path: Path, known: int) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != known:
            self.close()
            raise JournalError(f"{path} is of version {version}, this release reads version {known}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for db in (self.journal, self.state):
            if db is not None:
                db.close()

    def span(self) -> tuple[int, int]:
        """The numbers of the first and the last turn that the journal has; (1, 0) when it has none."""
        first, last = self.journal.execute(
            "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM turn"
        ).fetchone()
        return first, last

    def folded(self) -> int:
        """The last turn that is folded into the state; 0 when there is no state."""
        if self.state is None:
            return 0
        number: int = self.state.execute("SELECT value FROM meta WHERE key = 'folded'").fetchone()[0]
        return number

    def rows(
        self, first: int, last: int, columns: str = _COLUMNS, *, newest_first: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of the turns from `first` to `last` that are there (any number), in order or backwards.

        `columns` begins with seq.
        """
        while first <= last:
            rows = self.journal.execute(
                f"SELECT {columns} FROM turn WHERE seq BETWEEN ? AND ? "
                f"ORDER BY seq {'DESC' if newest_first else ''} LIMIT {PORTION}",
                (first, last),
            ).fetchall()
            if not rows:
                return
            yield from rows
            if newest_first:
                last = rows[-1][0] - 1
            else:
                first = rows[-1][0] + 1

    def row(self, seq: int, columns: str = _COLUMNS) -> tuple[Any, ...] | None:
        """The row of one turn; None when it is not there."""
        found: tuple[Any, ...] | None = self.journal.execute(
            f"SELECT {columns} FROM turn WHERE seq = ?", (seq,)
        ).fetchone()
        return found
