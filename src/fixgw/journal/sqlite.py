"""The embedded journal: SQLite in WAL mode, one transaction per turn of the engine (group commit)."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.order import ZERO, Order
from fixgw.core.reports import Report
from fixgw.journal.contract import (
    Batch,
    Counters,
    Entry,
    JournalError,
    Loaded,
    MassCancelRow,
    SandboxState,
    SessionNumbers,
    UsedId,
)

SCHEMA_VERSION = 1
BUSY_SECONDS = 2.0  # another process that only reads gives way within this
CHECKPOINT_COMMITS = 200  # a few megabytes of log: a checkpoint takes tens of milliseconds beside the engine
WAL_PAGES_MAX = 32_768  # 128 MiB of log: only a checkpoint thread that is far behind lets it come to that
SHARED_MAX = 16_384  # values that loaded orders share: more would take more memory than they save
CACHE_KIB = 8_192  # the pages at the end of every table, where nearly all writes go

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE turn (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, counters BLOB NOT NULL, entries BLOB NOT NULL);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, oms_id INTEGER NOT NULL, cl_ord_id TEXT, is_open INTEGER NOT NULL,
    entered_at INTEGER NOT NULL, body BLOB NOT NULL, canceled_at INTEGER);
CREATE INDEX orders_open ON orders (order_id) WHERE is_open;
CREATE INDEX orders_named ON orders (cl_ord_id);
CREATE TABLE used_id (
    seq INTEGER PRIMARY KEY, oms_id INTEGER NOT NULL, cl_ord_id TEXT NOT NULL, user_id INTEGER NOT NULL,
    content INTEGER NOT NULL, used_at INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (cl_ord_id, user_id, oms_id, content));
CREATE TABLE mass_cancel (mass_cancel_id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE session (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (
    session TEXT NOT NULL, position INTEGER NOT NULL, count INTEGER NOT NULL, epoch INTEGER,
    first_seq_num INTEGER, reports BLOB NOT NULL, PRIMARY KEY (session, position)) WITHOUT ROWID;
CREATE TABLE assigned (
    session TEXT NOT NULL, epoch INTEGER NOT NULL, first_seq_num INTEGER NOT NULL, position INTEGER NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY (session, epoch, first_seq_num)) WITHOUT ROWID;
"""

_CLOSED = "SELECT entered_at, body, canceled_at FROM orders WHERE NOT is_open ORDER BY order_id DESC"
_USED = "SELECT used_at, body, oms_id, cl_ord_id FROM used_id ORDER BY seq DESC"

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.msgpack.Encoder().encode
_order = msgspec.msgpack.Decoder(Order).decode
_use = msgspec.msgpack.Decoder(Use).decode
_reports = msgspec.msgpack.Decoder(list[Report]).decode
_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_numbers = msgspec.msgpack.Decoder(SessionNumbers).decode
_counters = msgspec.msgpack.Decoder(Counters).decode
_sandbox = msgspec.msgpack.Decoder(SandboxState).decode
_mass_cancel = msgspec.msgpack.Decoder(MassCancelRow).decode
_time = msgspec.msgpack.Decoder(datetime).decode


@lru_cache(maxsize=16)  # all of a turn has the same time
def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


class _Checkpoints:
    """Copies the log back into the file beside the engine's thread, which would stall on it for milliseconds.

    It only calls SQLite, which lets go of the interpreter meanwhile, on a connection of its own. Should it
    fail or fall behind, the writer does it at WAL_PAGES_MAX.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._commits = 0
        self._wanted = Signal()
        self._closing = False
        self._thread = Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def after_commit(self) -> None:
        """Count a commit; every CHECKPOINT_COMMITS a checkpoint is due."""
        self._commits += 1
        if self._commits >= CHECKPOINT_COMMITS:
            self._commits = 0
            self._wanted.set()

    def _run(self) -> None:
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                db.close()
                return
            with suppress(sqlite3.Error):
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wanted.set()
        self._thread.join()


class SqliteJournal:
    """A journal in the file `path`. Raises JournalError when it cannot be opened or is of a newer version.

    `sync` is "full" (survives a loss of power) or "normal" (survives the crash of the process only).
    """

    def __init__(self, path: Path, sync: Literal["full", "normal"] = "full") -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if sync == 'full' else 'NORMAL'}")
            self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
            self._prepare()
            self._checkpoints = _Checkpoints(path)
            self._clean_stop: bool | None = None  # not known: the first commit writes it
        except sqlite3.Error as error:
            raise self._failed("open", error) from error

    def _failed(self, what: str, error: Exception) -> JournalError:
        return JournalError(f"cannot {what} the journal {self._path}: {error}")

    def _prepare(self) -> None:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self._path} is of version {version}, this release reads up to {SCHEMA_VERSION}"
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")

    def commit(self, batch: Batch) -> None:
        """Make `batch` durable as a whole before returning. Raises JournalError; then nothing of it is."""
        db = self._db
        try:
            db.execute("BEGIN")
            self._write(batch)
            db.execute("COMMIT")
            self._clean_stop = batch.clean_stop
            self._checkpoints.after_commit()
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise self._failed("write", error) from error

    def _write(self, batch: Batch) -> None:
        db = self._db
        if batch.counters is not None:
            at = 0 if batch.at is None else _micros(batch.at)
            row4 = (at, _encode(batch.counters), _encode(batch.entries))
            db.execute("INSERT INTO turn VALUES (NULL,?,?,?)", row4)
        if batch.orders:
            db.executemany(
                "INSERT INTO orders VALUES (?,?,?,?,?,?,NULL) ON CONFLICT (order_id) DO UPDATE SET "
                "is_open=excluded.is_open, body=excluded.body",
                map(_order_row, batch.orders),
            )
        if batch.canceled and batch.at is not None:
            db.execute(
                "UPDATE orders SET is_open=0, canceled_at=? "
                "WHERE order_id IN (SELECT value FROM json_each(?))",
                (_micros(batch.at), msgspec.json.encode(batch.canceled).decode()),
            )
        if batch.used_ids:
            db.executemany(
                "INSERT INTO used_id VALUES (NULL,?,?,?,?,?,?) "
                "ON CONFLICT (cl_ord_id, user_id, oms_id, content) "
                "DO UPDATE SET used_at=excluded.used_at, body=excluded.body",
                map(_used_row, batch.used_ids),
            )
        blocks = {block.session: block for block in batch.assigned}
        for queued in batch.queued:
            session, position, count = queued.session, queued.position, len(queued.reports)
            block = blocks.get(session)
            epoch = first_seq_num = None
            if block is not None and (block.position, block.count) == (position, count):
                epoch, first_seq_num = (
                    block.epoch,
                    block.first_seq_num,
                )  # the usual case: queued and sent at once
                del blocks[session]
            row6 = (session, position, count, epoch, first_seq_num, _encode(queued.reports))
            db.execute("INSERT INTO outbox VALUES (?,?,?,?,?,?)", row6)
        for block in blocks.values():
            row5 = (block.session, block.epoch, block.first_seq_num, block.position, block.count)
            db.execute("INSERT INTO assigned VALUES (?,?,?,?,?)", row5)
        for numbers in batch.sessions:
            db.execute("INSERT OR REPLACE INTO session VALUES (?,?)", (numbers.name, _encode(numbers)))
        self._write_rare(batch)

    def _write_rare(self, batch: Batch) -> None:
        for row in batch.mass_cancels:
            if row.left == 0:
                self._db.execute("DELETE FROM mass_cancel WHERE mass_cancel_id=?", (row.mass_cancel_id,))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO mass_cancel VALUES (?,?)", (row.mass_cancel_id, _encode(row))
                )
        meta: list[tuple[str, bytes]] = []
        if batch.clean_stop is not self._clean_stop:
            meta.append(("clean_stop", _encode(batch.clean_stop)))
        meta.extend((f"day_start {oms_id}", _encode(start)) for oms_id, start in batch.day_starts)
        if batch.sandbox is not None:
            meta.append(("sandbox", _encode(batch.sandbox)))
        if meta:
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?,?)", meta)

    def load(self, *, since: datetime, closed_max: int) -> Loaded:
        """What a start needs. Raises JournalError, also for content that cannot be read."""
        try:
            return self._load(since, closed_max)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise self._failed("read", error) from error

    def _load(self, since: datetime, closed_max: int) -> Loaded:
        db = self._db
        meta: dict[str, bytes] = dict(db.execute("SELECT key, value FROM meta").fetchall())
        sessions = {
            name: _numbers(body) for name, body in db.execute("SELECT name, body FROM session").fetchall()
        }
        closed, all_orders = _newest(
            db.execute(_CLOSED), since, closed_max, lambda row: _stored_order(row[1], row[2])
        )
        used, all_used = _newest(
            db.execute(_USED), since, closed_max, lambda row: UsedId(row[2], row[3], _use(row[1]))
        )
        opened = list(_shared(db.execute("SELECT body FROM orders WHERE is_open ORDER BY order_id")))
        counters = db.execute("SELECT counters FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
        sandbox = meta.get("sandbox")
        return Loaded(
            orders=closed + opened,
            used_ids=used,
            mass_cancels=[_mass_cancel(body) for (body,) in db.execute("SELECT body FROM mass_cancel")],
            sessions=sessions,
            outbox={name: self._outbox(name, numbers.sent) for name, numbers in sessions.items()},
            day_starts={
                int(key.split()[1]): _time(value)
                for key, value in meta.items()
                if key.startswith("day_start ")
            },
            counters=Counters() if counters is None else _counters(counters[0]),
            sandbox=SandboxState() if sandbox is None else _sandbox(sandbox),
            clean_stop="clean_stop" not in meta or bool(msgspec.msgpack.decode(meta["clean_stop"])),
            complete=all_orders and all_used,
        )

    def _outbox(self, session: str, position: int) -> list[Report]:
        reports: list[Report] = []
        rows = self._db.execute(
            "SELECT position, reports FROM outbox WHERE session=? AND position+count>? ORDER BY position",
            (session, position),
        )
        for first, body in rows:
            reports.extend(_reports(body)[max(0, position - first) :])
        return reports

    def assigned_from(self, session: str, epoch: int, seq_num: int) -> list[tuple[int, Report]]:
        """The reports that carry the MsgSeqNum `seq_num` or a higher one, with it. Raises JournalError."""
        blocks = self._query(
            "SELECT first_seq_num, position, count FROM assigned "
            "WHERE session=?1 AND epoch=?2 AND first_seq_num+count>?3 "
            "UNION ALL SELECT first_seq_num, position, count FROM outbox "
            "WHERE session=?1 AND epoch=?2 AND first_seq_num+count>?3 ORDER BY first_seq_num",
            (session, epoch, seq_num),
        )
        if not blocks:
            return []
        start = blocks[0][1]
        reports = self._outbox(session, start)
        return [
            (first + number, reports[position - start + number])
            for first, position, count in blocks
            for number in range(count)
            if first + number >= seq_num
        ]

    def order(self, order_id: int) -> Order | None:
        """The order with this id, however old. Raises JournalError."""
        rows = self._query("SELECT body, canceled_at FROM orders WHERE order_id=?", (order_id,))
        return _stored_order(*rows[0]) if rows else None

    def orders_named(self, oms_id: int, cl_ord_id: str) -> list[Order]:
        """The orders that ever had this ClOrdID on this OMS, oldest first. Raises JournalError."""
        rows = self._query(
            "SELECT body, canceled_at FROM orders WHERE cl_ord_id=? AND oms_id=? ORDER BY order_id",
            (cl_ord_id, oms_id),
        )
        return [_stored_order(*row) for row in rows]

    def uses(self, oms_id: int, cl_ord_id: str) -> list[Use]:
        """The other uses of this id on this OMS, oldest first. Raises JournalError."""
        rows = self._query(
            "SELECT body FROM used_id WHERE cl_ord_id=? AND oms_id=? ORDER BY seq", (cl_ord_id, oms_id)
        )
        return [_use(body) for (body,) in rows]

    def entries(self) -> Iterable[Entry]:
        """The audit trail, oldest first (any length). Raises JournalError."""
        cursor = self._db.execute("SELECT entries FROM turn ORDER BY seq")
        while rows := cursor.fetchmany(1_000):
            for (body,) in rows:
                yield from _entries(body)

    def _query(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed("read", error) from error

    def close(self) -> None:
        """Write back the log into the file and close it. Raises JournalError."""
        try:
            self._checkpoints.close()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
        except sqlite3.Error as error:
            raise self._failed("close", error) from error


def _stored_order(body: bytes, canceled_at: int | None) -> Order:
    """An order as it stands: a cancel that was all that happened to it is stored beside its body."""
    order = _order(body)
    return order if canceled_at is None else order.to_canceled(_EPOCH + canceled_at * _MICROSECOND)


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


def _shared(rows: Iterable[tuple[bytes]]) -> Iterator[Order]:
    """Orders that share what many of them have in common: a million take a fifth less memory for it."""
    seen: dict[object, Any] = {}

    def share(key: object, value: _T) -> _T:
        found: _T = seen.get(key, value)
        if found is value and len(seen) < SHARED_MAX:
            seen[key] = value
        return found

    for (body,) in rows:
        order = _order(body)
        quantity, price = order.order_qty, order.price
        yield replace(
            order,
            session=share(order.session, order.session),
            entered_at=share(order.entered_at, order.entered_at),
            order_qty=share((quantity, quantity.as_tuple().exponent), quantity),  # 1.0 is not written as 1
            price=price and share((price, price.as_tuple().exponent), price),
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
        _encode(order),
    )


def _used_row(used: UsedId) -> tuple[object, ...]:
    use = used.use
    return (used.oms_id, used.cl_ord_id, use.user_id, use.content, _micros(use.used_at), _encode(use))
