"""Disks that are full, broken, locked or read-only: it stops, says why, and goes on afterwards."""

import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from fixgw.journal.fold import BUSY_SECONDS
from tests.counterparty import Counterparty
from tests.lone_engine import SECRET
from tests.rig import Rig, wait_until
from tests.wire import cancel, fresh

DISK = 4 << 20  # bytes of a disk that is to be full: a new gateway takes a tenth of it
EXIT_IO, EXIT_UNAVAILABLE = 74, 69
JOURNAL = "cannot write the journal"


@contextmanager
def disk(directory: Path) -> Iterator[Path]:
    """A small disk of its own on `directory`/disk; only root can have one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    place = directory / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"this root cannot mount a disk: {made.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Fill the disk to its last byte; the file that did it."""
    file = place / "filler"
    with file.open("ab", buffering=0) as filler:
        for size in (65_536, 4_096, 1):
            with suppress(OSError):
                while True:
                    filler.write(b"x" * size)
    return file


def ask_until_it_ends(rig: Rig, pause: float = 0.0) -> None:
    """Ask for orders, one after the other: as long as a page has room, they still go through."""
    with suppress(OSError):
        while True:
            rig.trader.enter()
            rig.trader.drain()
            time.sleep(pause)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A real full disk: the journal, its log, the message store and the rest are on it."""
    with disk(tmp_path) as place:
        rig = Rig(tmp_path, place / "data")
        rig.trader.enter(3)
        rig.trader.drain()
        filler = fill(place)
        ask_until_it_ends(rig)
        rig.ends(EXIT_IO, "; make room on its disk")
        rig.ends_at_start(EXIT_IO)
        filler.unlink()
        rig.restart()
        rig.kill()
        shutil.rmtree(place / "data")  # and a first start
        filler = fill(place)
        rig.ends_at_start(EXIT_UNAVAILABLE, "cannot use the data directory")
        filler.unlink()
        rig.gateway.start()
        rig.kill()


def test_only_the_disk_of_the_state_is_full(tmp_path: Path) -> None:
    """The journal can be written, what is made from it cannot: nothing is committed any more."""
    with disk(tmp_path) as place:
        rig = Rig(tmp_path)
        rig.kill()
        data = rig.gateway.data
        for file in data.glob("state.db*"):
            file.unlink()
        (data / "state.db").symlink_to(place / "state.db")
        rig.restart()
        filler = fill(place)
        ask_until_it_ends(rig, pause=0.6)  # seconds: the fold waits until it is quiet
        rig.ends(EXIT_IO, f"cannot fold the journal into {data}/state.db: database or disk is full")
        rig.ends_at_start(EXIT_IO, "state.db: database or disk is full; make room on its disk")
        filler.unlink()
        rig.restart()
        rig.kill()


def limit(rig: Rig, size: int) -> None:
    """From now on no file of the gateway can become longer than `size` bytes."""
    assert rig.gateway.process is not None
    resource.prlimit(rig.gateway.process.pid, resource.RLIMIT_FSIZE, (size, size))


def test_the_log_of_the_journal_cannot_grow(rig: Rig) -> None:
    """The same without a disk of its own: a commit that is written in part is none."""
    rig.trader.enter(200)
    rig.trader.drain()
    size = max(file.stat().st_size for file in (*rig.gateway.data.glob("journal.db*"), rig.gateway.log))
    limit(rig, size + 10_000)
    rig.work()
    ask_until_it_ends(rig)
    rig.ends(EXIT_IO, JOURNAL)
    rig.restart()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param("io", "disk I/O error", marks=pytest.mark.long),
        ("full", "database or disk is full"),
    ],
)
def test_a_commit_fails(rig: Rig, fault: str, said: str) -> None:
    """Whatever it is that SQLite says: nothing of the turn is told, and everything is asked for again."""
    rig.plan(f"before insert 2 {fault}")
    rig.trader.enter()
    rig.trader.drain()
    rig.work()
    rig.ends(EXIT_IO, f"{JOURNAL} {rig.gateway.data}/journal.db: {said}")
    rig.restart()


def test_any_journal_fails(rig: Rig) -> None:
    """The same for what a journal of another make raises."""
    rig.plan("before commit 1 journal")
    rig.work()
    rig.ends(EXIT_IO, "an injected error")
    rig.restart()


def test_a_reset_cannot_be_committed(rig: Rig) -> None:
    """The commit inside QuickFIX's callback: the client was not answered, and may go on as it was."""
    rig.plan("before insert 1 io")
    trader = rig.gateway.client("TRADER39", logon=False)
    with pytest.raises(ConnectionError):
        trader.logon(reset=True)
    rig.ends(EXIT_IO, "disk I/O error")
    rig.restart()


@pytest.mark.parametrize("plan", ["after fold-ends 1 full", "before fold 1 EIO"])
def test_the_fold_fails(rig: Rig, plan: str) -> None:
    """What was told stays told; the next request finds a gateway that stops before it commits anything."""
    rig.plan(plan)
    ask_until_it_ends(rig, pause=0.6)
    rig.ends(EXIT_IO, f"cannot fold the journal into {rig.gateway.data}/state.db: ")
    rig.restart()


def test_the_fold_fails_at_a_stop(rig: Rig) -> None:
    """Everything is committed by then; the next start folds it in."""
    rig.trader.enter(2)
    rig.trader.drain()
    rig.plan("before fold-begins 1 full")
    rig.stop()
    rig.ends(EXIT_IO, "cannot fold the journal into")
    assert rig.restart()["after"] == "clean stop"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of another program that writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


def test_another_program_locks_the_journal_for_a_moment(rig: Rig) -> None:
    """It waits."""
    with locked(rig.gateway.data / "journal.db"):
        rig.work()
        time.sleep(0.3)
    rig.check()


def test_another_program_locks_the_journal(rig: Rig) -> None:
    """It waits no longer than BUSY_SECONDS; nor does a start."""
    with locked(rig.gateway.data / "journal.db"):
        rig.work()
        rig.ends(EXIT_IO, f"{JOURNAL} {rig.gateway.data}/journal.db: database is locked; another program")
    rig.restart()


def test_another_program_locks_the_state(rig: Rig) -> None:
    """There is time: the fold is tried again."""
    with locked(rig.gateway.data / "state.db"):
        rig.work()
        rig.check()
        time.sleep(BUSY_SECONDS + 1)
        rig.check()
    rig.check()
    wait_until(lambda: is_folded(rig))


def is_folded(rig: Rig) -> bool:
    with closing(sqlite3.connect(rig.gateway.data / "state.db")) as state:
        (folded,) = state.execute("SELECT value FROM meta WHERE key = 'folded'").fetchone()
    with closing(sqlite3.connect(rig.gateway.data / "journal.db")) as journal:
        (last,) = journal.execute("SELECT max(seq) FROM turn").fetchone()
    return bool(folded == last)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Make a file or a directory one that cannot be written, for root as well."""
    if os.geteuid() == 0:
        mounted = ["mount", "--bind", str(path), str(path)]
        if subprocess.run(mounted, capture_output=True, check=False).returncode:
            pytest.skip("this root cannot mount")
        subprocess.run(["mount", "-o", "remount,ro,bind", str(path)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
    else:
        mode = path.stat().st_mode
        path.chmod(mode & ~0o222)
        try:
            yield
        finally:
            path.chmod(mode)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("", 69, "cannot use the data directory {data}: "),
        (
            "journal.db",
            EXIT_IO,
            JOURNAL + " {data}/journal.db: attempt to write a readonly database; the file",
        ),
        ("fix", EXIT_IO, "cannot use the message store {data}/fix"),
    ],
)
def test_it_cannot_be_written_at_a_start(rig: Rig, name: str, code: int, said: str) -> None:
    """A file or a directory that cannot be written: it does not start, and says which one it is."""
    rig.trader.enter()
    rig.kill()
    data = rig.gateway.data
    with read_only(data / name):
        rig.ends_at_start(code, said.format(data=data))
    rig.restart()


def test_the_number_of_a_report_cannot_be_stored(rig: Rig) -> None:
    """What QuickFIX did not send is sent after the restart."""
    rig.plan("before send 1 numbers")
    rig.trader.enter()
    rig.ends(EXIT_IO, "TRADER37: QuickFIX could not store the number of a report; its message store")
    rig.restart()


def test_the_number_of_a_message_of_quickfix_cannot_be_stored(rig: Rig) -> None:
    """An answer to a TestRequest, a Logon: QuickFIX would go on and never answer this client again."""
    rig.plan("after send 1 numbers")
    rig.trader.enter()
    rig.trader.receive()
    rig.trader.send("1", (112, "x"))
    rig.ends(EXIT_IO, "TRADER37: QuickFIX could not store its numbers; its message store")
    rig.restart()


def test_what_a_client_asks_for_again_cannot_be_laid_out(rig: Rig) -> None:
    """It gets it after the restart."""
    rig.trader.close()
    rig.operator.mass_cancel()
    rig.operator.drain()
    in_the_way = rig.store / "FIX.4.4-FIXGW-TRADER37.body"
    in_the_way.unlink()
    in_the_way.mkdir()
    with suppress(ConnectionError):
        rig.trader.come_back()
    rig.ends(EXIT_IO, f"TRADER37: cannot use the message store {in_the_way}: Is a directory; its message")
    in_the_way.rmdir()
    rig.restart()


def test_the_disk_of_the_log_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops nothing: cancels go through, and a stop is a clean one, however Python buffers its output."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    rig = Rig(tmp_path)
    rig.trader.enter(3)
    rig.trader.drain()
    rig.kill()
    rig.gateway.log = Path("/dev/full")
    rig.gateway.start()
    rig.come_back()
    rig.work()
    rig.check()
    rig.stop()
    rig.ends(0)


def test_the_journal_is_damaged_where_nobody_has_looked(rig: Rig) -> None:
    """A start does not read everything; who asks for what is damaged makes the gateway stop."""
    client = Counterparty(rig.gateway.port, "TRADER39")
    client.password = SECRET
    client.come_back()
    asked = cancel(fresh("c"), client.rest().cl_ord_id)
    client.send("F", *asked)
    client.drain()
    with closing(sqlite3.connect(rig.gateway.data / "journal.db", isolation_level=None)) as journal:
        seq, reports = journal.execute("SELECT seq, reports FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
        journal.execute("UPDATE turn SET reports = ? WHERE seq = ?", (reports[:-20], seq))
        client.send("F", *asked, header=((97, "Y"),))
        client.lose()
        rig.ends(EXIT_IO, "cannot read the journal")
        journal.execute("UPDATE turn SET reports = ? WHERE seq = ?", (reports, seq))
    rig.restart()


def test_the_journal_is_damaged(rig: Rig) -> None:
    """It does not start, and changes nothing, until the journal is there again."""
    rig.stop()
    rig.ends(0)
    journal = rig.gateway.data / "journal.db"
    backup = shutil.copy(journal, journal.with_name("backup"))
    os.truncate(journal, journal.stat().st_size // 2)
    rig.ends_at_start(EXIT_IO, "database disk image is malformed; ")
    shutil.move(backup, journal)
    rig.restart()
