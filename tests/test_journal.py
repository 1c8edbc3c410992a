"""The SQLite journal: what is committed is loaded again, as a whole or not at all."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.events import OrderCanceled, OrderEntered
from fixgw.core.order import CancelRef, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import Again, ExecType, Execution
from fixgw.core.requests import MassCancel, RequestKind
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.journal import fold
from fixgw.journal.contract import (
    Assigned,
    Batch,
    Counters,
    Entry,
    JournalError,
    MassCancelRow,
    Queued,
    SandboxState,
    Sent,
    SessionNumbers,
    UsedId,
)
from fixgw.journal.sqlite import SCHEMA_VERSION, SqliteJournal

AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
SINCE = AT - timedelta(days=1)


def order(order_id: int, **changes: object) -> Order:
    """An order that rests."""
    made = Order(
        order_id=order_id,
        oms_id=1,
        user_id=37,
        account_id=14,
        instrument_id=25,
        cl_ord_id=f"a{order_id}",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal("1.0"),
        price=Decimal("100.50"),
        stop_px=None,
        strategy=None,
        session="TRADER37",
        content=7,
        entered_at=AT,
        status=OrdStatus.NEW,
    )
    return replace(made, **changes)


def report(number: int) -> Execution:
    """A report that names its number."""
    return Execution(ExecType.NEW, number, order(number), f"a{number}", AT)


def settle(journal: SqliteJournal, at: datetime) -> None:
    """Wait until what was committed before or at `at` can be asked for."""
    deadline = time.monotonic() + 5
    while journal.settled < at and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    """An empty journal."""
    made = SqliteJournal(path)
    yield made
    made.close()


def test_an_empty_journal_starts_at_one(journal: SqliteJournal) -> None:
    """A first start: no orders, counters at 1, a clean stop behind it."""
    loaded = journal.load(since=SINCE, closed_max=10)
    assert (loaded.orders, loaded.sessions, loaded.counters) == ([], {}, Counters(1, 1))
    assert loaded.clean_stop
    assert loaded.complete


def test_everything_of_a_batch_is_loaded_again(journal: SqliteJournal) -> None:
    """Orders, ids, counters, numbers, unfinished mass cancels, the outbox, the sandbox."""
    resting, pending = order(1), order(2).to_pending_cancel(CancelRef(37, "TRADER37", "m1", 3), AT)
    use = Use(37, RequestKind.ORDER_CANCEL_REQUEST, 9, AT, report(1))
    request = MassCancel(user_id=37, session="TRADER37", cl_ord_id="m1", scope=Scope(ScopeType.ALL))
    row = MassCancelRow(1, 3, request, 1, 0, ((4, "a4"),), CancelSelector(1))
    numbers = SessionNumbers("TRADER37", 2, next_in=7, next_out=9, last_in=6, queued=3, sent=1)
    journal.commit(
        Batch(
            orders=[resting, pending],
            used_ids=[UsedId(1, "c1", use)],
            mass_cancels=[row],
            queued=[Queued("TRADER37", 0, [report(1), report(2), report(3)])],
            assigned=[Assigned("TRADER37", 2, 8, 0, 1, AT)],
            sessions=[numbers],
            day_starts=[(1, AT)],
            counters=Counters(5, 6),
            sandbox=SandboxState(holds=True, refusing={2: "no"}),
        )
    )
    loaded = journal.load(since=SINCE, closed_max=10)
    assert loaded.orders == [resting, pending]
    assert str(loaded.orders[0].order_qty) == "1.0"
    assert loaded.used_ids == [UsedId(1, "c1", use)]
    assert loaded.mass_cancels == [row]
    assert loaded.sessions == {"TRADER37": numbers}
    assert loaded.outbox == {"TRADER37": [report(2), report(3)]}
    assert loaded.day_starts == {1: AT}
    assert (loaded.counters, loaded.sandbox) == (Counters(5, 6), SandboxState(holds=True, refusing={2: "no"}))
    assert not loaded.clean_stop
    assert journal.assigned("TRADER37", 2, 1, 99) == [Assigned("TRADER37", 2, 8, 0, 1, AT)]
    assert journal.reports("TRADER37", 0, 2) == [report(1), report(2)]
    assert journal.reports("TRADER37", 2, 5) == [report(3)]
    assert journal.assigned("TRADER37", 1, 1, 99) == []


@pytest.mark.parametrize("is_folded", [True, False])
def test_what_was_sent_is_found_by_its_number(journal: SqliteJournal, is_folded: bool) -> None:
    """Under the number and the time that it was sent with; numbers without a report are left out."""
    later = AT + timedelta(seconds=1)
    queued = [Queued("A", 0, [report(number) for number in range(1, 8)])]
    numbers = SessionNumbers("A", next_out=13, queued=7, sent=6)
    journal.commit(Batch(at=AT, queued=queued, assigned=[Assigned("A", 1, 2, 0, 3, AT)], sessions=[numbers]))
    more = [
        Assigned("A", 1, 5, 3, 1, later),
        Assigned("A", 1, 7, 1, 2, later, again=True),
        Assigned("A", 1, 10, 4, 2, later),
    ]
    for block in more:
        journal.commit(Batch(at=AT, assigned=[block], sessions=[numbers]))
    if is_folded:
        journal.load(since=SINCE, closed_max=10)
    everything = [
        Sent(2, AT, report(1)),
        Sent(3, AT, report(2)),
        Sent(4, AT, report(3)),
        Sent(5, later, report(4)),
        Sent(7, later, Again(report(2))),
        Sent(8, later, Again(report(3))),
        Sent(10, later, report(5)),
        Sent(11, later, report(6)),
    ]
    for first in range(1, 13):
        for last in range(first - 1, 14):
            wanted = [sent for sent in everything if first <= sent.seq_num <= last]
            assert journal.sent("A", 1, first, last) == wanted
    assert journal.sent("A", 2, 1, 99) == journal.sent("B", 1, 1, 99) == []


def test_a_cancel_beside_the_body_is_read_as_the_order_it_makes(journal: SqliteJournal) -> None:
    """An order that was canceled and nothing else is stored as canceled, without its body again."""
    journal.commit(Batch(orders=[order(1), order(2)]))
    later = AT + timedelta(minutes=1)
    journal.commit(Batch(canceled=[1], at=later))
    canceled = order(1).to_canceled(later)
    settle(journal, later)
    assert journal.order(1) == canceled
    assert journal.orders_named(1, "a1") == [canceled]
    assert journal.load(since=SINCE, closed_max=10).orders == [canceled, order(2)]


def test_a_batch_is_durable_as_a_whole_or_not_at_all(journal: SqliteJournal) -> None:
    """The disk is full in the middle of a commit: nothing of it is there, and there is room for less."""
    journal.commit(Batch(orders=[order(1)]))
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages + 3}")
    with pytest.raises(JournalError, match=r"cannot write the journal .* full"):
        journal.commit(Batch(orders=[order(number) for number in range(2, 500)]))
    journal.commit(Batch(orders=[order(500)]))
    assert journal.load(since=SINCE, closed_max=10).orders == [order(1), order(500)]


def test_a_start_loads_the_newest_closed_orders_and_says_when_there_are_more(journal: SqliteJournal) -> None:
    """Closed orders and used ids are bounded in number; then the journal has to be asked."""
    closed = [order(number).to_canceled(AT) for number in range(1, 6)]
    journal.commit(Batch(orders=[*closed, order(6)]))
    some = journal.load(since=SINCE, closed_max=3)
    assert [one.order_id for one in some.orders] == [3, 4, 5, 6]
    assert not some.complete
    assert journal.load(since=SINCE, closed_max=5).complete
    assert [one.order_id for one in journal.load(since=AT + timedelta(1), closed_max=5).orders] == [6]


def test_the_audit_trail_keeps_every_request_in_order(journal: SqliteJournal) -> None:
    """Who asked what, when, by which rule, and what came of it."""
    first = Entry(AT, "fix", "D", 1, 37, "own-account", 0, (OrderEntered(order(1)),), "TRADER37", 1, 2, "a1")
    second = Entry(AT, "fix", "F", 1, 37, "own-order", 0, (OrderCanceled(1, AT),), "TRADER37", 1, 3, "c1")
    journal.commit(Batch(entries=[first], counters=Counters(2, 2), at=AT))
    journal.commit(Batch(entries=[second], counters=Counters(2, 3), at=AT))
    kept = list(journal.entries())
    assert [(entry.kind, entry.cl_ord_id, list(entry.events)) for entry in kept] == [
        ("D", "a1", [OrderEntered(order(1))]),
        ("F", "c1", [OrderCanceled(1, AT)]),
    ]


def test_a_newer_journal_is_refused(path: Path) -> None:
    """A journal of a newer release is left alone."""
    SqliteJournal(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(JournalError, match=f"is of version {SCHEMA_VERSION + 1}"):
        SqliteJournal(path)


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    """A damaged file: a clear cause, and no start."""
    path.write_bytes(b"this is no database" * 1_000)
    with pytest.raises(JournalError, match="cannot open the journal"):
        SqliteJournal(path)


@pytest.mark.parametrize(("sync", "expected"), [("normal", ["on disk", "folded"]), ("full", ["folded"])])
def test_the_state_has_no_turn_that_the_disk_has_not(
    path: Path, monkeypatch: pytest.MonkeyPatch, sync: Literal["normal", "full"], expected: list[str]
) -> None:
    """A loss of power may take turns from the journal, but none of those that the state was made from."""
    done: list[str] = []
    original = fold.fold

    def noted(db: sqlite3.Connection, after: int, last: int) -> None:
        done.append("folded")
        original(db, after, last)

    journal = SqliteJournal(path, sync)
    journal.commit(Batch(orders=[order(1)]))
    monkeypatch.setattr(fold, "fold", noted)
    monkeypatch.setattr("os.fsync", lambda _: done.append("on disk"))
    journal._fold.catch_up()
    assert done == expected
    monkeypatch.undo()
    journal.close()
