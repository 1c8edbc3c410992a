"""The embedded journal: SQLite in WAL mode, one row and one transaction per turn of the engine."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.controls import Controls
from fixgw.core.events import MassCancelAccepted, RequestRefused
from fixgw.core.order import ZERO, Order
from fixgw.core.reports import Report
from fixgw.journal import outboxes
from fixgw.journal.contract import (
    Assigned,
    Batch,
    Counters,
    Entry,
    JournalError,
    JournalStatus,
    Loaded,
    MassCancelRow,
    SandboxState,
    Sent,
    SessionNumbers,
    UsedId,
)
from fixgw.journal.fold import STATE_NAME, VIEWS, Fold, code_of
from fixgw.journal.outboxes import EPOCH, MICROSECOND

SCHEMA_VERSION = 2
BUSY_SECONDS = 2.0  # another process that only reads gives way within this
WAL_PAGES_MAX = 32_768  # 128 MiB of log: only a fold that is far behind lets it come to that
SHARED_MAX = 16_384  # values that loaded orders share: more would take more memory than they save
DECODED_AT_A_TIME = 1_000  # orders: more would only take more memory for their text
CACHE_KIB = 8_192  # pages of the tables: those of a start's questions

_SCHEMA = """
CREATE TABLE turn (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, numbers TEXT NOT NULL, canceled TEXT, orders TEXT,
    used_ids TEXT, reports TEXT, entries TEXT);
"""

_CLOSED = "SELECT entered_at, body, canceled_at FROM orders WHERE NOT is_open ORDER BY order_id DESC"
_USED = "SELECT used_at, body, oms_id, cl_ord_id FROM used_id ORDER BY seq DESC"

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
_encode = msgspec.json.Encoder().encode
_order = msgspec.json.Decoder(Order).decode
_orders = msgspec.json.Decoder(list[Order]).decode
_use = msgspec.json.Decoder(Use).decode
_entries = msgspec.json.Decoder(list[Entry]).decode
_numbers = msgspec.json.Decoder(SessionNumbers).decode
_sandbox = msgspec.json.Decoder(SandboxState).decode
_controls = msgspec.json.Decoder(Controls).decode
_mass_cancel = msgspec.json.Decoder(MassCancelRow).decode


@lru_cache(maxsize=16)  # all of a turn has the same time
def _micros(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


class TurnNumbers(msgspec.Struct, omit_defaults=True):
    """The small things of a turn: numbers, positions, marks; the rows of the tables as `fold` reads them.

    `order_ids` are those of all orders that the turn is about: changed by it, or named in vain.
    """

    counters: Counters | None = None
    clean_stop: bool = False
    queued: list[tuple[str, int, int]] = []
    assigned: list[tuple[str, int, int, int, int, bool]] = []
    sessions: list[tuple[str, SessionNumbers]] = []
    mass_cancels: list[tuple[int, bool, MassCancelRow]] = []
    meta: list[tuple[str, str]] = []
    order_ids: list[int] = []


_turn_numbers = msgspec.json.Decoder(TurnNumbers).decode


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
            done = self._db.execute("INSERT INTO turn VALUES (NULL,?,?,?,?,?,?,?)", _turn_row(batch))
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
        db = self._state
        meta: dict[str, str] = dict(db.execute("SELECT key, value FROM meta").fetchall())
        sessions = {
            name: _numbers(body) for name, body in db.execute("SELECT name, body FROM session").fetchall()
        }
        closed, all_orders = _newest(
            db.execute(_CLOSED), since, closed_max, lambda row: stored_order(row[1], row[2])
        )
        used, all_used = _newest(
            db.execute(_USED), since, closed_max, lambda row: UsedId(row[2], row[3], _use(row[1]))
        )
        opened = list(
            _shared(_decoded(db.execute("SELECT body FROM orders WHERE is_open ORDER BY order_id")))
        )
        sandbox = meta.get("sandbox")
        last = self._db.execute("SELECT numbers, at FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
        numbers = None if last is None else _turn_numbers(last[0])
        self._last_at = None if last is None else EPOCH + last[1] * MICROSECOND
        return Loaded(
            orders=closed + opened,
            used_ids=used,
            mass_cancels=[_mass_cancel(body) for (body,) in db.execute("SELECT body FROM mass_cancel")],
            sessions=sessions,
            outbox={
                name: outboxes.reports(db, name, numbers.sent, numbers.queued)
                for name, numbers in sessions.items()
            },
            day_starts={
                int(key.split()[1]): datetime.fromisoformat(value)
                for key, value in meta.items()
                if key.startswith("day_start ")
            },
            counters=(numbers and numbers.counters) or Counters(),
            sandbox=SandboxState() if sandbox is None else _sandbox(sandbox),
            clean_stop=numbers is None or numbers.clean_stop,
            complete=all_orders and all_used,
            last_at=self._last_at,
            controls={
                int(key.split()[1]): _controls(value)
                for key, value in meta.items()
                if key.startswith("controls ")
            },
        )

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
                yield from _entries(body)

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


def _turn_row(batch: Batch) -> tuple[int | str | None, ...]:
    """`batch` as a row of the table turn. Its columns hold JSON, for `fold` and for people."""
    numbers = TurnNumbers(
        batch.counters,
        batch.clean_stop,
        [(block.session, block.position, len(block.reports)) for block in batch.queued],
        [
            (block.session, block.epoch, block.first_seq_num, block.position, block.count, block.again)
            for block in batch.assigned
        ],
        [(session.name, session) for session in batch.sessions],
        [(row.mass_cancel_id, row.is_done, row) for row in batch.mass_cancels],
        [(f"day_start {oms_id}", start.isoformat()) for oms_id, start in batch.day_starts],
    )
    numbers.meta += [(f"controls {oms_id}", _json(controls)) for oms_id, controls in batch.controls]
    numbers.order_ids = _order_ids(batch)
    if batch.sandbox is not None:
        numbers.meta.append(("sandbox", _json(batch.sandbox)))
    return (
        0 if batch.at is None else _micros(batch.at),
        _json(numbers),
        _json(batch.canceled) if batch.canceled else None,
        _json([_order_row(order) for order in batch.orders]) if batch.orders else None,
        _json([_used_row(used) for used in batch.used_ids]) if batch.used_ids else None,
        _json({block.session: block.reports for block in batch.queued}) if batch.queued else None,
        _json(batch.entries) if batch.entries else None,
    )


def _order_ids(batch: Batch) -> list[int]:
    """The ids of all orders that `batch` is about, for the audit trail of one of them."""
    found = [order.order_id for order in batch.orders]
    found += batch.canceled
    for entry in batch.entries:
        if entry.errorcode or entry.kind == "q":
            for event in entry.events[:4]:  # a mass cancel has its orders' ends after them
                if isinstance(event, RequestRefused) and event.order_id is not None:
                    found.append(event.order_id)
                elif isinstance(event, MassCancelAccepted):
                    found += event.already_pending
    return found


def _json(value: object) -> str:
    return _encode(value).decode()


def stored_order(body: str, canceled_at: int | None) -> Order:
    """An order as it stands: a cancel that was all that happened to it is stored beside its body."""
    order = _order(body)
    return order if canceled_at is None else order.to_canceled(EPOCH + canceled_at * MICROSECOND)


def _newest(
    rows: Iterable[tuple[Any, ...]], since: datetime, most: int, decode: Callable[[tuple[Any, ...]], _T]
) -> tuple[list[_T], bool]:
    """Of `rows`, newest first, those since `since`, decoded, oldest first; and whether `most` was enough."""
    start = _micros(since)
    found: list[_T] = []
    for row in rows:
        if row[0] < start:
            break
        if len(found) == most:
            return found[::-1], False
        found.append(decode(row))
    return found[::-1], True


def _decoded(bodies: sqlite3.Cursor) -> Iterator[Order]:
    """The orders with these bodies (any number); many at one time, which is a sixth faster."""
    while rows := bodies.fetchmany(DECODED_AT_A_TIME):
        yield from _orders(f"[{','.join([body for (body,) in rows])}]")


def _shared(orders: Iterable[Order]) -> Iterator[Order]:
    """Orders that share what many of them have in common: a million take a fifth less memory for it."""
    numbers: dict[str, Decimal] = {}  # by their text: 1.0 is not written as 1, and text is hashed fast
    sessions: dict[str | None, str | None] = {}
    entered_at: datetime | None = None

    def share(number: Decimal) -> Decimal:
        text = str(number)
        found = numbers.get(text)
        if found is None:
            found = number
            if len(numbers) < SHARED_MAX:
                numbers[text] = number
        return found

    for order in orders:
        price = order.price
        if order.entered_at != entered_at:  # those of one turn, which come together, have the same time
            entered_at = order.entered_at
        yield replace(
            order,
            session=sessions.setdefault(order.session, order.session),
            entered_at=entered_at,
            order_qty=share(order.order_qty),
            price=price and share(price),
            cum_qty=order.cum_qty or ZERO,
            gross_value=order.gross_value or ZERO,
        )


def _order_row(order: Order) -> tuple[object, ...]:
    return (
        order.order_id,
        order.oms_id,
        order.cl_ord_id,
        order.is_open,
        _micros(order.entered_at),
        order,
    )


def _used_row(used: UsedId) -> tuple[object, ...]:
    use = used.use
    return (used.oms_id, used.cl_ord_id, use.user_id, use.content, _micros(use.used_at), use)
