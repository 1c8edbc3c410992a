"""`fixgw journal compact` and `backup`: what is needed stays, and a kill at any moment costs nothing."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixgw.core.errors import ErrorCode
from fixgw.core.events import OrderEntered
from fixgw.core.reports import CancelReject, Execution, Report
from fixgw.engine.sandbox import ReleaseCancels
from fixgw.engine.turn import Limits
from fixgw.journal import backup as copying
from fixgw.journal import compact as compacting
from fixgw.journal.backup import backup
from fixgw.journal.compact import Compacted, compact
from fixgw.journal.contract import (
    Assigned,
    Batch,
    Counters,
    Entry,
    JournalError,
    Queued,
    SessionNumbers,
)
from fixgw.journal.sqlite import SqliteJournal
from fixgw.journal.verify import verify
from tests.gateway import ROOT
from tests.journals import (
    AWAY,
    CANCELED,
    CANCELED_TOO,
    EXPIRED,
    FILLED,
    OLD,
    OPEN,
    PENDING,
    REFUSED,
    Years,
    copy,
    edit,
    live,
    load,
    rows,
)
from tests.test_desk import NOW
from tests.test_journal import order, report
from tests.wire import Client, cancel
from tests.wire import order as order_fields

AFTER = NOW + timedelta(hours=1)
FIRST_NEW = 16  # the first turn of the last days


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal in which something of everything has happened, over sixty days."""
    return live(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(lived, tmp_path / "data"))


@pytest.fixture(autouse=True)
def nothing_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of the few reports here would stay."""
    monkeypatch.setattr(compacting, "ON_THEIR_WAY_MAX", 0)


def shorten(data: Path, days: int = 30) -> Compacted:
    """Compact it an hour after the last that happened."""
    return compact(data, keep_days=days, now=AFTER)


def problems(data: Path) -> list[str]:
    """What `verify` finds wrong."""
    return [finding.text for finding in verify(data) if finding.is_problem]


def test_what_a_start_needs_stays(data: Path) -> None:
    """Open orders, those closed today, the day's ids, numbers, unfinished mass cancels, reports that wait."""
    before = load(data)
    done = shorten(data)
    assert (done.first_turn, done.turns) == (FIRST_NEW, FIRST_NEW - 1)
    assert load(data) == before
    assert problems(data) == []
    assert shorten(data).turns == 0
    assert load(data) == before


def test_what_is_old_and_closed_is_forgotten(data: Path) -> None:
    """Turns, closed orders and used ids from before the days to keep; what was closed since stays."""
    done = shorten(data)
    assert (done.orders, done.used_ids, done.kept_reports) == (2, 5, 3)
    journal = SqliteJournal(data / "journal.db")
    known = [number for number in range(1, 11) if journal.order(number) is not None]
    assert known == [OPEN, EXPIRED, REFUSED, FILLED, PENDING]
    assert CANCELED not in known
    assert CANCELED_TOO not in known
    assert journal.uses(1, "c-late") == []
    assert len(journal.uses(1, "c-pending")) == 1
    journal.close()
    assert [seq for (seq,) in rows(data / "journal.db", "SELECT seq FROM turn")] == list(range(FIRST_NEW, 23))
    assert list(rows(data / "state.db", "SELECT DISTINCT turn FROM order_turn WHERE turn < 16")) == []


def test_the_files_become_smaller(tmp_path: Path) -> None:
    """The room is given back to the disk, and the sizes are said."""
    journal = SqliteJournal(tmp_path / "journal.db", "normal")
    for number in range(1, 2_000):
        at = NOW - timedelta(days=60 if number < 1_900 else 1)
        closed = order(number, entered_at=at).to_canceled(at)
        queued = Queued("TRADER37", number - 1, [report(number)])
        numbers = SessionNumbers("TRADER37", queued=number, sent=number)
        journal.commit(
            Batch(
                orders=[closed], at=at, queued=[queued], sessions=[numbers], counters=Counters(number + 1, 1)
            )
        )
    journal.close()
    done = shorten(tmp_path)
    assert done.turns == 1_899
    assert done.orders == 1_899
    for name, size in done.bytes_before.items():
        assert done.bytes_after[name] == (tmp_path / name).stat().st_size < size / 5


@pytest.mark.parametrize("days_later", [0, 90])
def test_a_gateway_goes_on_from_it_as_before(data: Path, days_later: int) -> None:
    """The same requests get the same answers on the compacted journal and on the whole one."""
    whole = copy(data, "whole")
    at = AFTER + timedelta(days=days_later)
    assert compact(data, keep_days=30, now=at).first_turn == FIRST_NEW
    told = [_go_on(directory, at) for directory in (data, whole)]
    assert told[0] == told[1]
    assert len(told[0]) == 7
    assert problems(data) == []


def test_a_cancel_of_an_order_that_is_forgotten_names_no_order(data: Path) -> None:
    """104 instead of 101: that is what a compaction changes for a client."""
    codes = []
    for days in (100, 30):
        shorten(data, days)
        bench = _restarted(data, AFTER)
        [refused] = bench.ask("F", cancel(f"c-{days}", "NONE", (37, CANCELED)), now=AFTER)
        assert isinstance(refused, CancelReject)
        codes.append(refused.refusal.code)
        bench.journal.close()
    assert codes == [ErrorCode.OPERATION_FAILED, ErrorCode.RESOURCE_NOT_FOUND]


def _restarted(data: Path, at: datetime) -> Years:
    """A bench on the journal in `data`, whose clients go on above the numbers that they have used."""
    bench = Years(data, Limits())
    bench.restart(at)
    for name in ("TRADER37", "TRADER39"):
        numbers = bench.desk.outbox.of(name)
        bench.door.next_out[name] = numbers.next_out
        bench.clients[name] = Client(0, name)
        bench.clients[name].sent = numbers.last_in + 1
    return bench


def _go_on(data: Path, at: datetime) -> list[Report]:
    """Ask again what was asked last, release the held cancels, cancel an old order; what is told."""
    bench = _restarted(data, at)
    told = bench.repeat("F", cancel("c-pending", "pending"), "TRADER37", at)
    told += bench.ask("D", order_fields("new"), now=at)
    bench.tell(ReleaseCancels(), at)
    told += bench.door.take()
    told += bench.ask("F", cancel("c-open", "open"), now=at)
    told += bench.ask("F", cancel("c-pending", "pending"), now=at)
    bench.journal.close()
    return told


@pytest.mark.parametrize("days", [-400, 400])
def test_the_last_day_stays_whatever_the_clock_says(data: Path, days: int) -> None:
    """The ids of the day and their answers, and the turn with the counters: a start goes on from its time."""
    before = load(data)
    done = compact(data, keep_days=0, now=NOW + timedelta(days=days))
    assert done.first_turn == (FIRST_NEW if days > 0 else 1)
    assert load(data) == before
    assert problems(data) == []


def test_of_turns_that_are_all_old_the_last_one_stays(tmp_path: Path) -> None:
    """It holds the counters: ids go on from where they were."""
    journal = SqliteJournal(tmp_path / "journal.db")
    for number in range(5):
        at = NOW - timedelta(days=200 - 20 * number)
        journal.commit(Batch(counters=Counters(10 + number, 20), at=at))
    journal.close()
    assert shorten(tmp_path).first_turn == 5
    assert load(tmp_path).counters == Counters(14, 20)
    assert problems(tmp_path) == []


def test_reports_that_wait_are_kept_as_long_as_they_wait(data: Path) -> None:
    """Kept over several compactions; when they are sent they go, and so do the numbers that they had."""
    shorten(data)
    assert compact(data, keep_days=1, now=AFTER + timedelta(days=400)).kept_reports == 3
    assert [one.exec_id for one in load(data).outbox[AWAY] if isinstance(one, Execution)] == [102, 103]
    journal = SqliteJournal(data / "journal.db")
    assert journal.assigned(AWAY, 1, 1, 99) == [Assigned(AWAY, 1, 1, 0, 1, OLD + timedelta(seconds=3))]
    numbers = SessionNumbers(AWAY, next_out=4, queued=3, sent=3)
    last = journal.load(since=NOW, closed_max=0).counters
    journal.commit(
        Batch(assigned=[Assigned(AWAY, 1, 2, 1, 2, NOW)], sessions=[numbers], counters=last, at=AFTER)
    )
    journal.close()
    assert load(data).outbox[AWAY] == []
    done = compact(data, keep_days=1, now=AFTER + timedelta(days=401))
    assert done.kept_reports == 0
    journal = SqliteJournal(data / "journal.db")
    assert journal.assigned(AWAY, 1, 1, 99) == []
    journal.close()
    assert problems(data) == []


def test_no_number_is_left_without_its_report(tmp_path: Path) -> None:
    """A block of numbers over several turns, some of which are forgotten: what is left of it is right."""
    journal = SqliteJournal(tmp_path / "journal.db")
    for number in range(6):
        at = NOW - timedelta(days=60 if number < 3 else 0)
        numbers = SessionNumbers("S", next_out=1, queued=2 * number + 2)
        queued = [Queued("S", 2 * number, [report(2 * number), report(2 * number + 1)])]
        journal.commit(Batch(queued=queued, sessions=[numbers], counters=Counters(1, 1), at=at))
    numbers = SessionNumbers("S", next_out=15, queued=12, sent=12)
    blocks = [Assigned("S", 1, 3, 0, 9, NOW), Assigned("S", 1, 12, 9, 3, NOW)]
    journal.commit(Batch(assigned=blocks, sessions=[numbers], counters=Counters(1, 1), at=NOW))
    assert journal.assigned("S", 1, 1, 99) == blocks
    journal.close()
    assert shorten(tmp_path).turns == 3
    journal = SqliteJournal(tmp_path / "journal.db")
    assert journal.assigned("S", 1, 1, 99) == [
        Assigned("S", 1, 9, 6, 3, NOW),
        Assigned("S", 1, 12, 9, 3, NOW),
    ]
    assert journal.assigned("S", 1, 11, 99) == [
        Assigned("S", 1, 11, 8, 1, NOW),
        Assigned("S", 1, 12, 9, 3, NOW),
    ]
    assert journal.reports("S", 6, 3) == [report(6), report(7), report(8)]
    journal.close()
    assert problems(tmp_path) == []


def test_reports_that_were_not_delivered_are_kept(tmp_path: Path) -> None:
    """Sent while the client was away, or left by an earlier epoch: they go out again, however old."""
    journal = SqliteJournal(tmp_path / "journal.db")
    old, undelivered = NOW - timedelta(days=60), ((4, 3, 2),)
    numbers = SessionNumbers("S", next_out=6, queued=5, sent=5, undelivered=undelivered)
    queued = [Queued("S", 0, [report(number) for number in range(5)])]
    assigned = [Assigned("S", 1, 1, 0, 5, NOW)]
    batch = Batch(queued=queued, assigned=assigned, sessions=[numbers], counters=Counters(1, 1), at=old)
    journal.commit(batch)
    journal.commit(Batch(counters=Counters(1, 1), at=NOW))
    journal.close()
    assert shorten(tmp_path).first_turn == 2
    journal = SqliteJournal(tmp_path / "journal.db")
    assert journal.reports("S", 3, 2) == [report(3), report(4)]
    anew = SessionNumbers("S", 2, queued=5, sent=5, again=((3, 2),))
    journal.commit(Batch(sessions=[anew], counters=Counters(1, 1), at=NOW))
    journal.close()
    assert compact(tmp_path, keep_days=1, now=AFTER + timedelta(days=90)).kept_reports == 5
    journal = SqliteJournal(tmp_path / "journal.db")
    assert journal.reports("S", 3, 2) == [report(3), report(4)]
    done = SessionNumbers("S", 2, next_out=3, queued=5, sent=5)
    again = [Assigned("S", 2, 1, 3, 2, NOW, again=True)]
    journal.commit(Batch(assigned=again, sessions=[done], counters=Counters(1, 1), at=NOW))
    journal.close()
    assert problems(tmp_path) == []
    assert compact(tmp_path, keep_days=1, now=AFTER + timedelta(days=90)).kept_reports == 0
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("numbers", "position"),
    [
        (SessionNumbers("S", queued=9, sent=7), 7),
        (SessionNumbers("S"), 0),
        (SessionNumbers("S", queued=9, sent=7, undelivered=((12, 5, 2),)), 5),
        (SessionNumbers("S", queued=9, sent=7, undelivered=((12, 5, 2),), again=((3, 1), (4, 1))), 3),
    ],
)
def test_which_reports_may_still_have_to_be_sent(numbers: SessionNumbers, position: int) -> None:
    """Those without a number, those that were sent while the client was away, those of an earlier epoch."""
    assert compacting.first_needed(numbers) == position


def test_the_latest_reports_may_not_have_arrived(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """A connection that was lost can have swallowed them: a client that comes back can ask for them."""
    monkeypatch.setattr(compacting, "ON_THEIR_WAY_MAX", 4)
    assert compacting.first_needed(SessionNumbers("S", queued=9, sent=7)) == 3
    journal = SqliteJournal(data / "journal.db")
    before = {name: journal.sent(name, 1, 1, 999) for name in load(data).sessions}
    journal.close()
    assert max(map(len, before.values())) > 4
    shorten(data)
    journal = SqliteJournal(data / "journal.db")
    for name, sent in before.items():
        assert journal.sent(name, 1, 1, 999)[-4:] == sent[-4:]
    journal.close()
    assert problems(data) == []


def _killed(data: Path, what: str, number: int) -> subprocess.CompletedProcess[str]:
    """Compact in a process that kills itself then."""
    command = [
        sys.executable,
        "-m",
        "tests.killed_compaction",
        str(data),
        AFTER.isoformat(),
        what,
        str(number),
    ]
    return subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, text=True)


@pytest.fixture(scope="module")
def counted(lived: Path) -> dict[str, int]:
    """How many statements, and how much of SQLite's work, a compaction of the journal is."""
    return {
        what: int(_killed(copy(lived, f"count-{what}"), what, 1_000_000).stdout)
        for what in ("statement", "work")
    }


@pytest.mark.parametrize("share", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("what", ["statement", "work"])
def test_a_kill_at_any_moment_costs_nothing(
    data: Path, counted: dict[str, int], what: str, share: float
) -> None:
    """kill -9 between two statements, or in the middle of SQLite's work: a start is as before.

    The next compaction does the rest.
    """
    before = load(data)
    assert _killed(data, what, int(counted[what] * share)).returncode == -signal.SIGKILL
    left = copy(data, "left")
    assert problems(left) == []
    assert load(left) == before
    done = shorten(left)
    assert (done.first_turn, load(left)) == (FIRST_NEW, before)
    assert problems(left) == []
    assert [row[0] for row in rows(left / "journal.db", "PRAGMA freelist_count")] == [0]


APART = "the journal was compacted and begins with turn 16, and what came before is not in state.db, which is"
OTHER = r"state\.db was made from another journal \(to turn {}; this one ends with {}\): {}"


def _lose_state(data: Path, _: Path) -> None:
    (data / "state.db").unlink()


def _empty_state(data: Path, _: Path) -> None:
    (data / "state.db").write_bytes(b"")


def _state_of_before(data: Path, before: Path) -> None:
    shutil.copy(before / "state.db", data / "state.db")


@pytest.mark.parametrize("spoil", [_lose_state, _empty_state, _state_of_before])
def test_a_start_without_the_right_state_is_refused(data: Path, spoil: Callable[[Path, Path], None]) -> None:
    """After a compaction state.db cannot be made anew: no start with a part, but a word on what to do."""
    before = copy(data, "before")
    shorten(data)
    spoil(data, before)
    had_state = (data / "state.db").exists()
    for _ in range(2):
        with pytest.raises(JournalError, match=f"{APART} lost or older: restore both files together"):
            SqliteJournal(data / "journal.db")
    assert (data / "state.db").exists() == had_state
    assert any(APART[:51] in problem for problem in problems(data))


def test_a_start_with_an_older_journal_is_refused(data: Path) -> None:
    """A journal of an older backup beside a newer state: what the state has more would never be told."""
    edit(data / "journal.db", "DELETE FROM turn WHERE seq > 20")
    cure = r"move state\.db away, and it is made anew, or restore both files together"
    with pytest.raises(JournalError, match=OTHER.format(22, 20, cure)):
        SqliteJournal(data / "journal.db")
    (data / "state.db").unlink()
    assert load(data).counters == Counters(10, 205)


def test_a_start_with_another_journal_is_refused(data: Path) -> None:
    """Two histories of the same length: the time of the last turn folded tells them apart."""
    edit(data / "journal.db", "UPDATE turn SET at = at + 1 WHERE seq = 22")
    with pytest.raises(JournalError, match=OTHER.format(22, 22, "move")):
        SqliteJournal(data / "journal.db")
    shutil.copy(data / "state.db", data / "kept.db")
    (data / "journal.db").unlink()
    with pytest.raises(JournalError, match=r"the journal .* is gone, .* is not: put it back"):
        SqliteJournal(data / "journal.db")


def test_a_state_of_another_version_is_made_anew_or_refused(data: Path) -> None:
    """A state that another release made is put aside, as long as the journal has all that it is made from."""
    before = load(data)
    of_another_version(data)
    assert load(data) == before
    assert (data / "state.db.aside").exists()
    shorten(data)
    of_another_version(data)
    with pytest.raises(JournalError, match=r"it is of version 77, .* restore both files together"):
        load(data)


def of_another_version(data: Path) -> None:
    """Have the state say that another release made it."""
    db = sqlite3.connect(data / "state.db")
    db.execute("PRAGMA user_version = 77")
    db.close()


def test_a_lost_state_of_a_whole_journal_is_made_anew(data: Path) -> None:
    """Also when the log of the old one is still there: it does not belong to the new file."""
    before = load(data)
    journal = SqliteJournal(data / "journal.db")
    entry = Entry(AFTER, "fix", "D", 1, 37, "own-account", 0, (OrderEntered(order(99)),))
    journal.commit(Batch(entries=[entry], orders=[order(99)], counters=Counters(100, 300), at=AFTER))
    journal._fold.catch_up()
    killed = copy(data, "killed")
    journal.close()
    assert (killed / "state.db-wal").stat().st_size > 0
    (killed / "state.db").unlink()
    assert [one.order_id for one in load(killed).orders] == [*(one.order_id for one in before.orders), 99]
    assert problems(killed) == []


def test_a_compaction_says_what_it_cannot_do(data: Path, tmp_path: Path) -> None:
    """No journal: an error, and none is made."""
    with pytest.raises(JournalError, match="there is no journal"):
        shorten(tmp_path)
    assert not (tmp_path / "journal.db").exists()
    (data / "journal.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(JournalError, match="not a database"):
        shorten(data)


def test_a_full_disk_leaves_a_good_journal(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room for the copy that gives the rest back is not there: it is said, and a start is as before."""
    before, connect = load(data), sqlite3.connect

    class Full(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if sql.startswith("VACUUM"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, parameters)

    def full(path: Path, **settings: Any) -> sqlite3.Connection:
        return connect(path, factory=sqlite3.Connection if "timeout" in settings else Full, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", full)
        with pytest.raises(
            JournalError, match=r"disk is full; nothing that is needed is lost, and a gateway"
        ):
            shorten(data)
    assert problems(data) == []
    assert load(data) == before
    assert shorten(data).first_turn == FIRST_NEW


# Backups


def test_a_backup_is_made_while_turns_are_committed(tmp_path: Path) -> None:
    """A gateway can start from the copy: what was committed before it began is there, as a whole."""
    data, target = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    journal = SqliteJournal(data / "journal.db", "normal")
    stopping = threading.Event()
    copied: list[int] = []

    def copy_three_times() -> None:
        for number in range(3):
            least = journal_end[0]
            backup(data, target / str(number))
            copied.append(least)
        stopping.set()

    journal_end = [0]
    thread = threading.Thread(target=copy_three_times)
    thread.start()
    while not stopping.is_set() or journal_end[0] < 500:
        number = journal_end[0] + 1
        at = NOW + timedelta(microseconds=number)
        entry = Entry(at, "fix", "D", 1, 37, "r", 0, (OrderEntered(order(number)),))
        journal.commit(
            Batch(entries=[entry], orders=[order(number)], counters=Counters(number + 1, 1), at=at)
        )
        journal_end[0] = number
    thread.join()
    journal.close()
    assert len(copied) == 3
    for number, least in enumerate(copied):
        there = target / str(number)
        assert sorted(path.name for path in there.iterdir()) == ["journal.db", "state.db"]
        assert problems(there) == []
        assert len(load(there).orders) >= least


def test_a_backup_of_a_compacted_journal(data: Path, tmp_path: Path) -> None:
    """Both files, which belong together; the sizes are said."""
    shorten(data)
    before = load(data)
    sizes = backup(data, tmp_path / "new" / "backup")
    assert sizes == {name: (tmp_path / "new" / "backup" / name).stat().st_size for name in sizes}
    assert list(sizes) == ["state.db", "journal.db"]
    assert load(tmp_path / "new" / "backup") == before


def test_a_backup_replaces_nothing_and_says_what_it_cannot_do(data: Path, tmp_path: Path) -> None:
    """A directory that has a journal is left alone; a journal without its state is no backup."""
    backup(data, tmp_path / "backup")
    kept = (tmp_path / "backup" / "journal.db").read_bytes()
    with pytest.raises(JournalError, match=r"there is a state\.db in .* already"):
        backup(data, tmp_path / "backup")
    assert (tmp_path / "backup" / "journal.db").read_bytes() == kept
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot copy the journal"):
        backup(data, tmp_path / "file")
    shorten(data)
    (data / "state.db").unlink()
    with pytest.raises(JournalError, match=r"has no state\.db, which its compacted journal needs"):
        backup(data, tmp_path / "other")


def test_a_compaction_between_the_two_copies_is_noticed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies that do not belong together are not taken for a backup."""
    original = copying._copy

    def slow(source: sqlite3.Connection, path: Path) -> None:
        original(source, path)
        if path.name.startswith("state"):
            shorten(data)

    monkeypatch.setattr(copying, "_copy", slow)
    with pytest.raises(JournalError, match="the copies do not belong together, try again"):
        backup(data, tmp_path / "backup")
    monkeypatch.undo()
    assert list(backup(data, tmp_path / "backup")) == ["state.db", "journal.db"]
    assert problems(tmp_path / "backup") == []
