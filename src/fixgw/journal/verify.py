"""Checks a journal: that both of its files are intact, and that what stands in them adds up."""

import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec
from msgspec import Struct

from fixgw.core.order import Order
from fixgw.journal import fold
from fixgw.journal.reading import JOURNAL_NAME, Reader, decode, uri_of
from fixgw.journal.replay import Replay

DAMAGES_MAX = 20  # of one file that SQLite finds damaged: the first ones say enough
FOLDED_AT_A_TIME = 2_000  # turns: nobody waits for this copy of the state, so the fewest transactions

_TABLES = {
    "orders": "order_id",
    "used_id": "seq",
    "mass_cancel": "mass_cancel_id",
    "session": "name",
    "outbox": "session, position",
    "assigned": "session, epoch, first_seq_num",
    "order_turn": "order_id, turn",
    "kept": "turn",
    "meta": "key",
}
"""The tables of the state that depend on the turns alone, with their keys."""

_order = msgspec.json.Decoder(Order).decode


class Finding(Struct, frozen=True):
    """A line for a person: something that was checked and is good, or a problem."""

    text: str
    is_problem: bool = False


def verify(data: Path) -> Iterator[Finding]:
    """Check the journal in the directory `data`; what is found, as it is found.

    Changes nothing; a gateway may run on it meanwhile. Raises JournalError when a file cannot be read.
    """
    with Reader(data) as reader:
        try:
            yield from _verify(reader)
        except sqlite3.Error as error:
            yield Finding(f"cannot go on: {error}", is_problem=True)


def _verify(reader: Reader) -> Iterator[Finding]:
    yield from _intact(reader.journal, JOURNAL_NAME)
    if reader.state is not None:
        yield from _intact(reader.state, fold.STATE_NAME)
        reader.state.execute("BEGIN")  # one moment of it; turns that come later are left out below
    folded = reader.folded()
    first, last = reader.span()
    fits = False
    if reader.state is not None:
        apart = fold.why_apart(reader.state, reader.journal)
        if apart is not None:
            yield Finding(apart, is_problem=True)
        fits = apart is None
    elif first > 1:
        text = f"the journal was compacted and begins with turn {first}, and there is no {fold.STATE_NAME}"
        yield Finding(text, is_problem=True)
    else:
        yield Finding(f"there is no {fold.STATE_NAME}: the next start makes it anew")
    yield from _replay(reader, first, last, folded if fits else 0)
    if fits and reader.state is not None:
        yield from _verify_state(reader, reader.state, first, folded)


def _intact(db: sqlite3.Connection, name: str) -> Iterator[Finding]:
    try:
        damages = [text for (text,) in db.execute(f"PRAGMA integrity_check({DAMAGES_MAX})")]
    except sqlite3.DatabaseError as error:
        damages = [str(error)]
    if damages == ["ok"]:
        yield Finding(f"{name}: SQLite finds it intact")
    else:
        yield from (Finding(f"{name} is damaged: {damage}", is_problem=True) for damage in damages)


def _replay(reader: Reader, first: int, last: int, folded: int) -> Iterator[Finding]:
    """Replay all turns, and compare the open orders with the state's when it has been folded so far."""
    replay = Replay(complete=first == 1)
    for row in reader.rows(first, last):
        try:
            turn = decode(row)
        except msgspec.MsgspecError as error:
            problems = [*replay.pass_over(row[0]), f"turn {row[0]} cannot be read: {error}"]
        else:
            problems = list(replay.take(turn))
        yield from (Finding(problem, is_problem=True) for problem in problems)
        if row[0] == folded:
            yield from _compare_open(reader, replay)
    yield from (Finding(problem, is_problem=True) for problem in replay.end())
    counted = replay.counted
    if last:
        yield Finding(f"turns {first:,} to {last:,}: {counted.turns:,} read and replayed")
    else:
        yield Finding("turns: there are none yet")
    yield Finding(
        f"in them: {counted.requests:,} requests, {counted.events:,} events, {counted.orders:,} orders "
        f"entered, {counted.mass_cancels:,} mass cancels, {counted.reports:,} reports"
    )


def _compare_open(reader: Reader, replay: Replay) -> Iterator[Finding]:
    """The open orders that the events make, beside those of the state, which come from what is stored."""
    if reader.state is None:
        return
    expected = dict(replay.orders.open)
    complete, older = replay.orders.complete, 0
    for order_id, body in reader.state.execute("SELECT order_id, body FROM orders WHERE is_open"):
        known = expected.pop(order_id, None)
        if known is None and not complete:
            older += 1
        elif known is None:
            yield Finding(
                f"order {order_id} is open in {fold.STATE_NAME}, not by its events", is_problem=True
            )
        elif known != _order(body):
            yield Finding(f"order {order_id} is another one in {fold.STATE_NAME}: {body}", is_problem=True)
    for order_id in expected:
        yield Finding(f"order {order_id} is open by its events, not in {fold.STATE_NAME}", is_problem=True)
    text = f"open orders: {len(replay.orders.open):,} are the same by the events and in {fold.STATE_NAME}"
    yield Finding(text + (f", {older:,} are from before the first turn" if older else ""))


def _verify_state(reader: Reader, state: sqlite3.Connection, first: int, folded: int) -> Iterator[Finding]:
    yield from _consistent(state, first)
    compacted = state.execute("SELECT value FROM meta WHERE key = 'first_turn'").fetchone()[0] > 1
    if compacted:
        text = f"{fold.STATE_NAME} cannot be made anew to compare it, because the journal was compacted"
        yield Finding(f"{text}; it has turns to {folded:,}")
        return
    with tempfile.TemporaryDirectory(prefix="fixgw-verify-") as directory:
        fresh = sqlite3.connect(Path(directory) / "fresh.db", isolation_level=None, uri=True)
        try:
            _fold_anew(fresh, reader.path, folded)
            yield from _compare(state, fresh)
        finally:
            fresh.close()
    yield Finding(f"{fold.STATE_NAME}: the same as made anew from the turns up to {folded:,}")


def _fold_anew(fresh: sqlite3.Connection, journal: Path, folded: int) -> None:
    for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # thrown away at the end
        fresh.execute(f"PRAGMA {pragma}")
    fold.prepare(fresh)
    fresh.execute("ATTACH ? AS log", (uri_of(journal),))
    for after in range(0, folded, FOLDED_AT_A_TIME):
        fold.fold(fresh, after, min(folded, after + FOLDED_AT_A_TIME))


def _compare(state: sqlite3.Connection, fresh: sqlite3.Connection) -> Iterator[Finding]:
    """The first difference of each table."""
    for table, key in _TABLES.items():
        query = f"SELECT * FROM main.{table} ORDER BY {key}"  # noqa: S608 (names of this module)
        for row, expected in zip_longest(state.execute(query), fresh.execute(query)):
            if row != expected:
                text = f"{fold.STATE_NAME}, table {table}: there is {row}, by the turns it is {expected}"
                yield Finding(text, is_problem=True)
                break


_WRONG = {
    "order {} is both canceled and open": (
        "SELECT order_id FROM orders WHERE is_open AND canceled_at IS NOT NULL"
    ),
    "the outbox of {} has a gap before position {}": (
        "SELECT session, position FROM (SELECT session, position, lag(position + count) "
        "OVER (PARTITION BY session ORDER BY position) AS before FROM outbox) WHERE before <> position"
    ),
    "the reports of {} at position {}, in turn {}, are lost": (
        "SELECT session, position, turn FROM outbox WHERE turn < :first "
        "AND turn NOT IN (SELECT turn FROM kept)"
    ),
    "{}: the numbers from {} on are given to reports at position {}, which are lost": (
        "SELECT session, first_seq_num, position FROM assigned a WHERE position < "
        "coalesce((SELECT min(position) FROM outbox o WHERE o.session = a.session), position + 1)"
    ),
}


def _consistent(state: sqlite3.Connection, first: int) -> Iterator[Finding]:
    """What is wrong with the state by itself, whatever it was made from."""
    for text, query in _WRONG.items():
        for row in state.execute(query, {"first": first} if ":first" in query else {}):
            yield Finding(f"{fold.STATE_NAME}: {text.format(*row)}", is_problem=True)
