"""Shortens the journal of a stopped gateway: forgets what is old and what nobody needs any more.

Needed are: every turn of the days to keep, and the last one, which holds the counters; in the state all that
is open or unfinished, and what was closed or used in turns that stay. Reports that are older stay when they
have no MsgSeqNum yet, or were sent to a client that was away and has not asked for them since, and the latest
of each session stay: when a connection is lost, nobody knows which of them have arrived.

The order of the steps makes it safe to be killed between any two: the state forgets first, in one
transaction, and keeps the reports that are needed of the turns that go; then the journal forgets turns from
the oldest on; then both files give the room back. A gateway can start from what each step leaves.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this module)

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
from msgspec import Struct

from fixgw.core.order import Order
from fixgw.journal.contract import JournalError, SessionNumbers
from fixgw.journal.fold import REPORTS, STATE_NAME
from fixgw.journal.reading import JOURNAL_NAME
from fixgw.journal.rows import EPOCH, MICROSECOND
from fixgw.journal.sqlite import SqliteJournal

KEEP_DAYS_MIN = 1  # a day's ids and their answers stay anyway
DAY = 86_400_000_000  # microseconds: a client order id is remembered for its day
ON_THEIR_WAY_MAX = 10_000  # reports of a session, two megabytes, that a lost connection can have swallowed
DELETED_AT_A_TIME = 2_000  # turns in one transaction: about a megabyte of log

_FIELDS = Order.__struct_fields__
_CLOSED_AT = (  # microseconds; the time of a cancel stands beside the order, that of another end in it
    "coalesce(canceled_at, 1000000 * CAST(strftime('%s', coalesce("
    f"json_extract(body, '$[{_FIELDS.index('changed_at')}]'), "
    f"json_extract(body, '$[{_FIELDS.index('entered_at')}]'))) AS INTEGER))"
)

_reports = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_numbers = msgspec.json.Decoder(SessionNumbers).decode
_encode = msgspec.json.Encoder().encode


class Compacted(Struct, frozen=True):
    """What a compaction did: counts of what was forgotten, and the bytes of both files before and after."""

    first_turn: int
    turns: int
    orders: int
    used_ids: int
    kept_reports: int
    bytes_before: dict[str, int]
    bytes_after: dict[str, int]


def compact(data: Path, *, keep_days: int, now: datetime) -> Compacted:
    """Forget what is older than `keep_days` days before `now` (aware UTC) in the directory `data`.

    The last day before the last turn stays whatever `now` is: a start goes on from that turn's time. No
    gateway may run on it. Raises JournalError, also when there is no journal or the disk is full; then
    nothing is lost, and a gateway starts from it as before.
    """
    path = data / JOURNAL_NAME
    if not path.is_file():
        raise JournalError(f"there is no journal {path}")
    before = _sizes(data)
    SqliteJournal(path).close()  # folds in what is not yet, and checks that the files belong together
    try:
        forgotten = _forget(data, (now - timedelta(days=keep_days) - EPOCH) // MICROSECOND)
    except sqlite3.Error as error:
        kept = "nothing that is needed is lost, and a gateway can start from it"
        raise JournalError(f"cannot compact the journal {path} to the end: {error}; {kept}") from error
    return Compacted(*forgotten, before, _sizes(data))


def _sizes(data: Path) -> dict[str, int]:
    """The bytes of both files, with their logs."""
    return {
        name: sum(part.stat().st_size for part in data.glob(f"{name}*"))
        for name in (JOURNAL_NAME, STATE_NAME)
    }


def _forget(data: Path, before: int) -> tuple[int, int, int, int, int]:
    """Forget what is from before this time (microseconds since 1970). Raises sqlite3.Error."""
    db = sqlite3.connect(data / STATE_NAME, isolation_level=None)
    try:
        db.execute("ATTACH ? AS log", (str(data / JOURNAL_NAME),))
        for name in ("main", "log"):
            db.execute(f"PRAGMA {name}.synchronous=FULL")  # each step waits until the one before is on disk
            db.execute(
                f"PRAGMA {name}.secure_delete=OFF"
            )  # the VACUUM drops those pages without a look at them
        first_turn, before = _first_kept(db, before)
        orders, used_ids = _shorten_state(db, first_turn, before) if first_turn > 1 else (0, 0)
        turns = _shorten_journal(db, first_turn)
        kept: int = db.execute("SELECT total(count) FROM outbox WHERE turn < ?", (first_turn,)).fetchone()[0]
        for name in ("main", "log"):
            if db.execute(f"PRAGMA {name}.freelist_count").fetchone()[0]:
                db.execute(f"VACUUM {name}")
            db.execute(f"PRAGMA {name}.wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        db.close()
    return first_turn, turns, orders, used_ids, int(kept)


def _first_kept(db: sqlite3.Connection, before: int) -> tuple[int, int]:
    """The first turn that stays; and the time (microseconds) before which closed orders go.

    All turns from the first one that is not too old stay, whatever the clock did since.
    """
    last, at = db.execute("SELECT seq, at FROM log.turn ORDER BY seq DESC LIMIT 1").fetchone() or (1, 0)
    before = min(before, at - DAY)
    row = db.execute("SELECT seq FROM log.turn WHERE at >= ? ORDER BY seq LIMIT 1", (before,)).fetchone()
    return row[0] if row else last, before


def first_needed(numbers: SessionNumbers) -> int:
    """The position from which on the reports of a session may still have to be sent, or sent again."""
    undelivered = [position for _, position, _ in numbers.undelivered]
    latest = max(0, numbers.sent - ON_THEIR_WAY_MAX)
    return min([latest, *undelivered, *(position for position, _ in numbers.again)])


def _shorten_state(db: sqlite3.Connection, first_turn: int, before: int) -> tuple[int, int]:
    """Forget in the state what the turns from `first_turn` on do not need; how many orders and used ids."""
    span = {"first_turn": first_turn, "before": before}
    db.execute("CREATE TEMP TABLE needed (session TEXT PRIMARY KEY, position INTEGER NOT NULL)")
    db.execute("CREATE TEMP TABLE staying (turn INTEGER PRIMARY KEY, reports TEXT NOT NULL)")
    db.execute("BEGIN IMMEDIATE")
    sessions = [_numbers(body) for (body,) in db.execute("SELECT body FROM session")]
    rows = [(numbers.name, first_needed(numbers)) for numbers in sessions]
    db.executemany("INSERT INTO needed VALUES (?, ?)", rows)
    db.executemany("INSERT INTO staying VALUES (?, ?)", _staying(db, first_turn))
    for statement in _SHORTEN:
        db.execute(statement, span)
    orders = db.execute(_FORGET_ORDERS, span).rowcount
    used_ids = db.execute("DELETE FROM used_id WHERE used_at < :before", span).rowcount
    db.execute("COMMIT")
    return orders, used_ids


_SHORTEN = (
    "DELETE FROM kept",
    "INSERT INTO kept SELECT turn, reports FROM staying",
    """DELETE FROM outbox WHERE turn < :first_turn
    AND position + count <= (SELECT n.position FROM needed n WHERE n.session = outbox.session)""",
    # from here on `needed` says where what is there begins, so that no number is left without its report
    """UPDATE needed SET position =
    coalesce((SELECT min(o.position) FROM outbox o WHERE o.session = needed.session), position)""",
    """DELETE FROM assigned WHERE position + count <=
    (SELECT n.position FROM needed n WHERE n.session = assigned.session)""",
    """UPDATE assigned SET first_seq_num = first_seq_num + n.position - assigned.position,
    count = count - (n.position - assigned.position), position = n.position
    FROM needed n WHERE n.session = assigned.session AND assigned.position < n.position""",
    "DELETE FROM order_turn WHERE turn < :first_turn",
    "DELETE FROM turn_time WHERE turn < :first_turn",
    "UPDATE meta SET value = :first_turn WHERE key = 'first_turn'",
)

_FORGET_ORDERS = f"DELETE FROM orders WHERE NOT is_open AND entered_at < :before AND {_CLOSED_AT} < :before"


def _staying(db: sqlite3.Connection, first_turn: int) -> Iterator[tuple[int, str]]:
    """The turns before `first_turn` with reports that have to stay, and those reports of theirs."""
    rows = db.execute(
        f"SELECT o.turn, o.session, {REPORTS} FROM outbox o JOIN needed n ON n.session = o.session "
        "WHERE o.turn < ? AND o.position + o.count > n.position ORDER BY o.turn",
        (first_turn,),
    )
    for turn, group in groupby(rows, itemgetter(0)):
        reports = {session: _reports(body)[session] for _, session, body in group}
        yield turn, _encode(reports).decode()


def _shorten_journal(db: sqlite3.Connection, first_turn: int) -> int:
    """Forget the turns before `first_turn`, from the oldest on, so that there is never a gap; how many."""
    count = 0
    while (oldest := db.execute("SELECT min(seq) FROM log.turn").fetchone()[0] or first_turn) < first_turn:
        end = min(first_turn, oldest + DELETED_AT_A_TIME)
        count += db.execute("DELETE FROM log.turn WHERE seq < ?", (end,)).rowcount
    return count
