"""The embedded journal: SQLite in WAL mode, one row and one transaction per turn of the engine."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import msgspec

from fixgw.core.book import Use
from fixgw.core.order import Order
from fixgw.core.reports import Report
from fixgw.journal import loading, outboxes
from fixgw.journal.contract import (
    Assigned,
    Batch,
    Entry,
    JournalError,
    JournalStatus,
    Loaded,
    Sent,
)
from fixgw.journal.fold import STATE_NAME, VIEWS, Fold, code_of
from fixgw.journal.rows import EPOCH, MICROSECOND, entries_of, stored_order, turn_row

SCHEMA_VERSION = 4
BUSY_SECONDS = 2.0  # another process that only reads gives way within this
WAL_PAGES_MAX = 32_768  # 128 MiB of log: only a fold that is far behind lets it come to that
CACHE_KIB = 8_192  # pages of the tables: those of a start's questions

_SCHEMA = """
CREATE TABLE turn (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, numbers TEXT NOT NULL, canceled TEXT, orders TEXT,
    used_ids TEXT, reports TEXT, entries TEXT);
"""

_CURES = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "its disk does not work, is full, or is not a local one",
    sqlite3.SQLITE_READONLY: "the file and its directory must be writable",
    sqlite3.SQLITE_CANTOPEN: "the file and its directory must be writable",
    sqlite3.SQLITE_BUSY: "another program has locked it: end that one",
    sqlite3.SQLITE_CORRUPT: "move state.db away, it is made anew; if that is no help, restore a backup",
    sqlite3.SQLITE_NOTADB: "restore a backup",
}
"""What to do, by SQLite's primary result code."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_use = msgspec.json.Decoder(Use).decode


def _reads(
    method: Callable[Concatenate["SqliteJournal", _P], _T],
) -> Callable[Concatenate["SqliteJournal", _P], _T]:
    """Have `method` raise JournalError for whatever it meets in a damaged file."""

    @wraps(method)
    def reading(self: "SqliteJournal", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, *args, **kwargs)
        except (sqlite3.Error, msgspec.MsgspecError, LookupError) as error:
            raise self._failed("read", error) from error

    return reading


def _cure(error: Exception) -> str:
    """What to do about an error of SQLite; empty when it says it itself."""
    if not isinstance(error, sqlite3.Error):
        return f"; {_CURES[sqlite3.SQLITE_CORRUPT]}"
    cure = _CURES.get(code_of(error))
    return f"; {cure}" if cure else ""


class SqliteJournal:
    """A journal in the file `path`, with `state.db` beside it, which is made from it (see `fold`).

    A turn is committed as one row. `sync` is "full" (survives a loss of power) or "normal" (survives the
    crash of the process only). Raises JournalError when it cannot be opened or is of a newer version.
    """

    def __init__(self, path: Path, sync: Literal["full", "normal"] = "full") -> None:
        self._path, self._state_path = path, path.with_name(STATE_NAME)
        self._last_at: datetime | None = None
        if self._state_path.exists() and not (path.exists() and path.stat().st_size):
            raise JournalError(
                f"the journal {path} is gone, {self._state_path} is not: put it back, or move both away"
            )
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if sync == 'full' else 'NORMAL'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
            self._prepare()
        except sqlite3.Error as error:
            raise self._failed("open", error) from error
        try:
            self._fold = Fold(path, self._state_path, syncs=sync == "normal")
            self._state = sqlite3.connect(self._state_path, timeout=BUSY_SECONDS, isolation_level=None)
            self._state.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            self._state.execute("PRAGMA temp_store=MEMORY")
            self._state.execute("ATTACH ? AS log", (str(path),))
            self._state.executescript(VIEWS)
        except (sqlite3.Error, OSError) as error:
            raise self._state_failed(error) from error

    def _failed(self, what: str, error: Exception) -> JournalError:
        return JournalError(f"cannot {what} the journal {self._path}: {error}{_cure(error)}")

    def _state_failed(self, error: Exception) -> JournalError:
        """The error of a turn that could not be folded in: the journal has it, `state.db` has not."""
        return JournalError(f"cannot fold the journal into {self._state_path}: {error}{_cure(error)}")

    def _prepare(self) -> None:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            known = f"this release reads version {SCHEMA_VERSION}"
            raise JournalError(f"the journal {self._path} is of version {version}, {known}")

    @property
    def settled(self) -> datetime:
        """What was committed before this time is seen by `order`, `orders_named` and `uses`."""
        return EPOCH + self._fold.folded_at * MICROSECOND

    @property
    def status(self) -> JournalStatus:
        """How far it is, without asking the disk."""
        return JournalStatus(self._fold.committed, self._fold.waiting, self._last_at)

    def commit(self, batch: Batch) -> None:
        """Make `batch` durable as a whole before returning. Raises JournalError; then nothing of it is."""
        try:
            self._fold.before_commit()
        except Exception as error:
            raise self._state_failed(error) from error
        try:
            done = self._db.execute("INSERT INTO turn VALUES (NULL,?,?,?,?,?,?,?)", turn_row(batch))
        except sqlite3.Error as error:
            raise self._failed("write", error) from error
        self._fold.after_commit(done.lastrowid or 0)
        self._last_at = batch.at

    def load(self, *, since: datetime, closed_max: int) -> Loaded:
        """What a start needs. Raises JournalError, also for content that cannot be read."""
        try:
            self._fold.catch_up()
        except sqlite3.Error as error:
            raise self._state_failed(error) from error
        return self._load(since, closed_max)

    @_reads
    def _load(self, since: datetime, closed_max: int) -> Loaded:
        loaded = loading.load(self._state, self._db, since, closed_max)
        self._last_at = loaded.last_at
        return loaded

    @_reads
    def reports(self, session: str, position: int, count: int) -> list[Report]:
        """`count` reports of the session's outbox from `position` on. Raises JournalError."""
        return outboxes.reports(self._state, session, position, position + count)

    @_reads
    def assigned(self, session: str, epoch: int, first: int, last: int) -> list[Assigned]:
        """The blocks with MsgSeqNums of `epoch` from `first` to `last`, cut. Raises JournalError."""
        return outboxes.assigned(self._state, session, epoch, first, last)

    @_reads
    def sent(self, session: str, epoch: int, first: int, last: int) -> list[Sent]:
        """The reports with MsgSeqNums of `epoch` from `first` to `last`. Raises JournalError."""
        return outboxes.sent(self._state, session, epoch, first, last)

    @_reads
    def order(self, order_id: int) -> Order | None:
        """The order with this id, however old. Raises JournalError."""
        rows = self._query("SELECT body, canceled_at FROM orders WHERE order_id=?", (order_id,))
        return stored_order(*rows[0]) if rows else None

    @_reads
    def orders_named(self, oms_id: int, cl_ord_id: str) -> list[Order]:
        """The orders that ever had this ClOrdID on this OMS, oldest first. Raises JournalError."""
        rows = self._query(
            "SELECT body, canceled_at FROM orders WHERE cl_ord_id=? AND oms_id=? ORDER BY order_id",
            (cl_ord_id, oms_id),
        )
        return [stored_order(*row) for row in rows]

    @_reads
    def uses(self, oms_id: int, cl_ord_id: str) -> list[Use]:
        """The other uses of this id on this OMS, oldest first. Raises JournalError."""
        rows = self._query(
            "SELECT body FROM used_id WHERE cl_ord_id=? AND oms_id=? ORDER BY seq", (cl_ord_id, oms_id)
        )
        return [_use(body) for (body,) in rows]

    def entries(self) -> Iterable[Entry]:
        """The audit trail, oldest first (any length). Raises JournalError."""
        cursor = self._db.execute("SELECT entries FROM turn WHERE entries IS NOT NULL ORDER BY seq")
        while rows := cursor.fetchmany(1_000):
            for (body,) in rows:
                yield from entries_of(body)

    def _query(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._state.execute(statement, parameters).fetchall()

    def close(self) -> None:
        """Write back the log into the file and close it. Raises JournalError."""
        try:
            self._state.close()
            self._fold.close()
        except sqlite3.Error as error:
            raise self._state_failed(error) from error
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
        except sqlite3.Error as error:
            raise self._failed("close", error) from error
