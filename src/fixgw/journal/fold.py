"""The state that the journal's turns add up to, kept in a database of its own beside the engine.

A turn is one row of the journal. What a start or a question needs from many turns (open orders, ids in use,
the sessions' numbers, where a report is) stands in tables that are brought up to date a little later, by SQL
alone: it runs in a thread that holds the interpreter for microseconds only, and on another database, so that
the engine waits for neither. After a crash the missing turns are folded in first; nothing depends on when.

As long as the journal has every turn from the first one on, the state can be made from it anew. A compaction
(see `compact`) forgets old turns: from then on the two files belong together, and `why_apart` says when they
do not.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this module)

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread
from typing import BinaryIO

from fixgw.journal.contract import JournalError

STATE_NAME = "state.db"
SCHEMA_VERSION = 4
BUSY_SECONDS = 2.0  # another process that only reads gives way within this
QUIET_SECONDS = 0.25  # without a turn for so long, what waits is folded in
WAITING_MAX = 2_000  # turns that wait for their fold at most under load: a second's work for a start
TIME_EVERY = 100  # turns between two whose time is noted: so many are read in vain to find a time
AT_A_TIME = 500  # turns in one transaction: a few megabytes of pages

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, oms_id INTEGER NOT NULL, cl_ord_id TEXT, is_open INTEGER NOT NULL,
    entered_at INTEGER NOT NULL, body TEXT NOT NULL, canceled_at INTEGER);
CREATE INDEX orders_open ON orders (order_id) WHERE is_open;
CREATE INDEX orders_named ON orders (cl_ord_id);
CREATE TABLE used_id (
    seq INTEGER PRIMARY KEY, oms_id INTEGER NOT NULL, cl_ord_id TEXT NOT NULL, user_id INTEGER NOT NULL,
    content INTEGER NOT NULL, used_at INTEGER NOT NULL, body TEXT NOT NULL,
    UNIQUE (cl_ord_id, user_id, oms_id, content));
CREATE TABLE mass_cancel (mass_cancel_id INTEGER PRIMARY KEY, is_done INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE session (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (
    session TEXT NOT NULL, position INTEGER NOT NULL, count INTEGER NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (session, position)) WITHOUT ROWID;
CREATE TABLE assigned (
    session TEXT NOT NULL, epoch INTEGER NOT NULL, first_seq_num INTEGER NOT NULL, position INTEGER NOT NULL,
    count INTEGER NOT NULL, at INTEGER NOT NULL, again INTEGER NOT NULL,
    PRIMARY KEY (session, epoch, first_seq_num)
) WITHOUT ROWID;
CREATE INDEX assigned_position ON assigned (session, position);
CREATE TABLE order_turn (
    order_id INTEGER NOT NULL, turn INTEGER NOT NULL, PRIMARY KEY (order_id, turn)) WITHOUT ROWID;
CREATE TABLE turn_time (
    latest INTEGER NOT NULL, turn INTEGER NOT NULL, PRIMARY KEY (latest, turn)) WITHOUT ROWID;
CREATE TABLE kept (turn INTEGER PRIMARY KEY, reports TEXT NOT NULL);
INSERT INTO meta VALUES ('folded', 0), ('folded_at', 0), ('first_turn', 1);
"""
# order_turn: the turns that are about an order. turn_time: no turn up to this one has a later time than
# `latest`; a row for some of the turns. kept: reports of forgotten turns that a client may still have to be
# sent. The meta `first_turn` is the first turn that the journal has to have.

_RANGE = "WHERE t.seq > :after AND t.seq <= :last ORDER BY t.seq"


def _columns(count: int) -> str:
    return ", ".join(f"json_extract(row.value, '$[{number}]')" for number in range(count))


_FOLD = (
    f"""INSERT INTO orders SELECT {_columns(6)}, NULL FROM log.turn t, json_each(t.orders) row {_RANGE}
    ON CONFLICT (order_id) DO UPDATE SET is_open=excluded.is_open, body=excluded.body""",
    f"""UPDATE orders SET is_open=0, canceled_at=c.at
    FROM (SELECT row.value AS order_id, t.at AS at FROM log.turn t, json_each(t.canceled) row {_RANGE}) c
    WHERE orders.order_id = c.order_id""",
    f"""INSERT INTO used_id SELECT NULL, {_columns(6)} FROM log.turn t, json_each(t.used_ids) row {_RANGE}
    ON CONFLICT (cl_ord_id, user_id, oms_id, content)
    DO UPDATE SET used_at=excluded.used_at, body=excluded.body""",
    f"""INSERT INTO outbox SELECT {_columns(3)}, t.seq
    FROM log.turn t, json_each(t.numbers, '$.queued') row {_RANGE}""",
    f"""INSERT INTO assigned SELECT {_columns(7)}
    FROM log.turn t, json_each(t.numbers, '$.assigned') row {_RANGE}""",
    f"""INSERT OR REPLACE INTO session SELECT {_columns(2)}
    FROM log.turn t, json_each(t.numbers, '$.sessions') row {_RANGE}""",
    f"""INSERT OR REPLACE INTO mass_cancel SELECT {_columns(3)}
    FROM log.turn t, json_each(t.numbers, '$.mass_cancels') row {_RANGE}""",
    "DELETE FROM mass_cancel WHERE is_done",
    f"""INSERT OR REPLACE INTO meta SELECT {_columns(2)}
    FROM log.turn t, json_each(t.numbers, '$.meta') row {_RANGE}""",
    f"""INSERT OR IGNORE INTO order_turn SELECT row.value, t.seq
    FROM log.turn t, json_each(t.numbers, '$.order_ids') row {_RANGE}""",
    f"""INSERT INTO turn_time
    SELECT max(m.latest, (SELECT max(at) FROM log.turn WHERE seq > m.turn AND seq <= :last)), :last
    FROM (SELECT coalesce(max(latest), 0) AS latest, coalesce(max(turn), 0) AS turn FROM turn_time) m
    WHERE :last >= m.turn + {TIME_EVERY}""",
    "UPDATE meta SET value = :last WHERE key = 'folded'",
    "UPDATE meta SET value = (SELECT at FROM log.turn WHERE seq = :last) WHERE key = 'folded_at'",
)


_NOT_FOLDED = "WHERE t.seq > (SELECT value FROM main.meta WHERE key = 'folded')"

VIEWS = f"""
CREATE TEMP VIEW all_outbox (session, position, count, turn) AS SELECT * FROM main.outbox
UNION ALL SELECT {_columns(3)}, t.seq FROM log.turn t, json_each(t.numbers, '$.queued') row {_NOT_FOLDED};
CREATE TEMP VIEW all_assigned (session, epoch, first_seq_num, position, count, at, again) AS
SELECT * FROM main.assigned
UNION ALL SELECT {_columns(7)} FROM log.turn t, json_each(t.numbers, '$.assigned') row {_NOT_FOLDED};
"""
"""For a connection that reads the state and has the log attached: two tables with what waits for its fold."""

REPORTS = (
    "coalesce((SELECT reports FROM log.turn WHERE seq = o.turn), "
    "(SELECT reports FROM main.kept WHERE turn = o.turn))"
)
"""The reports of the row `o` of an outbox: JSON, a list for each session; all of its turn, or those kept."""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables of a state with nothing folded in. Raises sqlite3.Error."""
    db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def fold(db: sqlite3.Connection, after: int, last: int) -> None:
    """Fold the turns above `after`, up to and with `last`, into `db`, to which the log is attached.

    One transaction; raises sqlite3.Error, and then nothing is changed.
    """
    span = {"after": after, "last": last}
    try:
        db.execute("BEGIN")
        for statement in _FOLD:
            db.execute(statement, span)
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def why_apart(state: sqlite3.Connection, journal: sqlite3.Connection) -> str | None:
    """Why a state and a journal do not belong together; None when they do. Raises sqlite3.Error.

    The state is looked at first, because a gateway that runs on both writes the journal first.
    """
    keys = ("folded", "folded_at", "first_turn")
    marks: dict[str, int] = dict(state.execute(f"SELECT key, value FROM meta WHERE key IN {keys}"))
    folded, first_turn = marks["folded"], marks["first_turn"]
    first, last = journal.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM turn").fetchone()
    if first > first_turn or folded < first - 1:
        return (
            f"the journal was compacted and begins with turn {first}, and what came before is not in "
            f"{STATE_NAME}, which is lost or older: restore both files together, from one backup"
        )
    at = journal.execute("SELECT at FROM turn WHERE seq = ?", (folded,)).fetchone()
    if folded <= last and at in (None, (marks["folded_at"],)):
        return None
    cure = "restore both files together, from one backup"
    if first == 1 and last:
        cure = f"move {STATE_NAME} away, and it is made anew, or {cure}"
    return f"{STATE_NAME} was made from another journal (to turn {folded}; this one ends with {last}): {cure}"


def code_of(error: Exception) -> int:
    """SQLite's primary result code; SQLITE_ERROR when the error has none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _put_aside(journal: Path, state: Path, why: str) -> None:
    """Have the state made anew. Raises JournalError when the journal has not got all that it is made from."""
    db = sqlite3.connect(journal, timeout=BUSY_SECONDS)
    (first,) = db.execute("SELECT min(seq) FROM turn").fetchone()
    db.close()
    if first != 1:
        both = "restore both files together, from one backup"
        raise JournalError(f"cannot use {state}: {why}; it cannot be made from {journal} alone: {both}")
    from structlog import get_logger  # a command that only reads need not wait for it

    get_logger("fixgw.journal").warning("state made anew", state=str(state), why=why)
    state.replace(state.with_name(f"{state.name}.aside"))
    for name in (f"{state.name}-wal", f"{state.name}-shm"):
        state.with_name(name).unlink(missing_ok=True)


class Fold:
    """Keeps the database `state` up to date with the turns in the database `log`.

    A state that cannot be read is put aside and made anew, as long as the log is complete. `folded_at` is the
    time (microseconds since 1970) of the last turn that is in it, `committed` the number of the last turn in
    the log. `syncs` says that a commit to the log does not wait for the disk: then a fold does. Raises
    sqlite3.Error and OSError, and JournalError for files that do not belong together.
    """

    def __init__(self, log: Path, state: Path, *, syncs: bool = False) -> None:
        self._lock = Lock()
        self._wanted = Signal()
        self._closing = False
        self._error: Exception | None = None
        self._wal = log.with_name(f"{log.name}-wal") if syncs else None
        self._wal_file: BinaryIO | None = None
        is_new = not state.exists()
        self._db = self._connect(state)
        try:
            unusable = self._open()
            if unusable is not None:
                self._db.close()
                _put_aside(log, state, unusable)
                self._db = self._connect(state)
                self._open()
            self._begin(log)
        except BaseException:
            self._db.close()
            if is_new:
                state.unlink(missing_ok=True)
            raise
        self._thread = Thread(target=self._run, name="fold", daemon=True)
        self._thread.start()

    def _connect(self, state: Path) -> sqlite3.Connection:
        return sqlite3.connect(state, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    def _open(self) -> str | None:
        """Open the state; why it cannot be used, None when it can."""
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA temp_store=MEMORY")  # strangers may have used up all descriptors
            self._db.execute("PRAGMA synchronous=NORMAL")  # what a loss of power takes is folded in again
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                prepare(self._db)
            elif version != SCHEMA_VERSION:
                return f"it is of version {version}, this release reads version {SCHEMA_VERSION}"
            self._marks()
        except sqlite3.DatabaseError as error:
            if code_of(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
                raise
            return str(error)
        return None

    def _begin(self, log: Path) -> None:
        self._db.execute("ATTACH ? AS log", (str(log),))
        if apart := why_apart(self._db, self._db):
            raise JournalError(f"cannot open the journal {log}: {apart}")
        self._folded, self.folded_at = self._marks()
        self._have_it_on_disk()
        self.catch_up()
        self.committed = self._folded

    def _marks(self) -> tuple[int, int]:
        rows = dict(self._db.execute("SELECT key, value FROM meta WHERE key IN ('folded', 'folded_at')"))
        return rows["folded"], rows["folded_at"]

    def catch_up(self) -> None:
        """Fold in every turn that is committed. Raises sqlite3.Error."""
        with self._lock:
            last = self._db.execute("SELECT max(seq) FROM log.turn").fetchone()[0] or 0
            if self._folded < last:
                self._have_it_on_disk()
            while self._folded < last:
                end = min(last, self._folded + AT_A_TIME)
                fold(self._db, self._folded, end)
                self._folded, self.folded_at = self._marks()

    def _have_it_on_disk(self) -> None:
        """See that a loss of power cannot take turns that the state has: they would be missing for ever."""
        if self._wal is not None:
            with suppress(FileNotFoundError):
                self._wal_file = self._wal_file or self._wal.open("rb")  # and it stays open: see temp_store
                os.fsync(self._wal_file.fileno())

    @property
    def waiting(self) -> int:
        """How many turns are not folded in."""
        return max(0, self.committed - self._folded)

    def before_commit(self) -> None:
        """Raises the error that kept an earlier turn from being folded in."""
        if self._error is not None:
            raise self._error

    def after_commit(self, seq: int) -> None:
        """Note the turn that was committed last."""
        self.committed = seq
        if seq - self._folded >= WAITING_MAX:
            self._wanted.set()

    def _run(self) -> None:
        seen = 0
        while not self._closing:
            wanted = self._wanted.wait(QUIET_SECONDS)
            self._wanted.clear()
            committed = self.committed
            if not (wanted or self._folded < committed == seen):
                seen = committed
                continue
            try:
                self.catch_up()
            except Exception as error:
                if code_of(error) == sqlite3.SQLITE_BUSY:
                    continue  # somebody has locked it: there is time
                self._error = error
                return
            with suppress(sqlite3.Error), self._lock:  # a reader may be in the way: then the next time
                self._db.execute("PRAGMA log.wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Fold in what is left, and end. Raises sqlite3.Error."""
        self._closing = True
        self._wanted.set()
        self._thread.join()
        self.catch_up()
        self._db.execute("DETACH log")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        if self._wal_file is not None:
            self._wal_file.close()
