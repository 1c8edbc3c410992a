"""Files that are damaged: what of them is used, what is made anew, and what is said."""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixgw.fix import filestore
from fixgw.fix.filestore import Stored, StoreError, lay_out, vouch
from fixgw.journal.contract import Batch, JournalError, Queued, SessionNumbers
from fixgw.journal.sqlite import SCHEMA_VERSION, SqliteJournal
from tests.test_journal import order as resting
from tests.test_journal import report

PAGE = 4_096  # bytes, SQLite's


def overwrite(file: Path, page: int = 1) -> None:
    """Overwrite a page in the middle of the file with rubbish, the first one by default."""
    with file.open("r+b") as opened:
        opened.seek((page - 1) * PAGE)
        opened.write(b"rubbish!" * (PAGE // 8))


def newer(file: Path) -> None:
    """Make it a file of the next version."""
    with closing(sqlite3.connect(file)) as opened:
        (version,) = opened.execute("PRAGMA user_version").fetchone()
        opened.execute(f"PRAGMA user_version={version + 1}")


def halve(file: Path) -> None:
    """Cut off the second half of the file."""
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)


def commit(path: Path, *numbers: int) -> None:
    """A turn for each of the orders, as a run of the gateway leaves them."""
    with closing(SqliteJournal(path, "normal")) as journal:
        for number in numbers:
            journal.commit(Batch(orders=[resting(number)], at=datetime.now(UTC)))


def orders(path: Path) -> list[int]:
    """The orders that a start finds."""
    with closing(SqliteJournal(path, "normal")) as journal:
        loaded = journal.load(since=datetime(2026, 1, 1, tzinfo=UTC), closed_max=10)
    return [one.order_id for one in loaded.orders]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with three orders in it."""
    path = tmp_path / "journal.db"
    commit(path, 1, 2, 3)
    return path


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (overwrite, "file is not a database; restore a backup"),
        (lambda file: overwrite(file, page=2), "database disk image is malformed; move state.db away"),
        (halve, "database disk image is malformed; move state.db away"),
        (lambda file: os.truncate(file, 0), "journal.db is gone, "),
        (Path.unlink, "journal.db is gone, "),
        (newer, f"is of version {SCHEMA_VERSION + 1}, this release reads version {SCHEMA_VERSION}"),
    ],
    ids=["first-page", "another-page", "cut-off", "empty", "gone", "newer"],
)
def test_the_journal_is_damaged(path: Path, damage: Callable[[Path], None], said: str) -> None:
    """It is not opened, now or again, until it is put back; then everything is there."""
    backup = shutil.copy(path, path.with_name("backup"))
    damage(path)
    for _ in range(2):
        with pytest.raises(JournalError, match=re.escape(said)):
            SqliteJournal(path)
    shutil.move(backup, path)
    assert orders(path) == [1, 2, 3]


def test_an_older_journal_is_put_back(tmp_path: Path) -> None:
    """The state is ahead of it: new turns would be taken for old ones, so somebody has to look."""
    path, older = tmp_path / "journal.db", tmp_path / "older"
    commit(path, 1, 2)
    shutil.copy(path, older)
    commit(path, 3, 4, 5)
    older.replace(path)
    with pytest.raises(JournalError, match=r"state\.db was made from another journal .* move state\.db away"):
        SqliteJournal(path)
    (tmp_path / "state.db").unlink()
    commit(path, 6)
    assert orders(path) == [1, 2, 6]
    commit(path, 7, 8)
    assert orders(path) == [1, 2, 6, 7, 8]


def strange(file: Path) -> None:
    """Put a database of somebody else in its place."""
    file.unlink()
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE orders (x)")


@pytest.mark.parametrize(
    "damage",
    [overwrite, halve, Path.unlink, newer, strange],
    ids=["first-page", "cut-off", "gone", "newer", "strange"],
)
def test_the_state_is_damaged(path: Path, damage: Callable[[Path], None]) -> None:
    """It is made from the journal again."""
    damage(path.with_name("state.db"))
    commit(path, 4)
    assert orders(path) == [1, 2, 3, 4]


def test_the_state_is_damaged_inside(path: Path) -> None:
    """What is seen only when it is read is said, with what helps; and it does help."""
    state = path.with_name("state.db")
    with closing(sqlite3.connect(state)) as opened:
        (page,) = opened.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'session'").fetchone()
    overwrite(state, page)
    with pytest.raises(JournalError, match=r"malformed; move state\.db away, it is made anew"):
        orders(path)
    state.rename(path.with_name("moved"))
    assert orders(path) == [1, 2, 3]


def test_the_state_cannot_be_opened(path: Path) -> None:
    """Neither a directory in its place nor anything else is taken for a state that is damaged."""
    state = path.with_name("state.db")
    state.unlink()
    state.mkdir()
    with pytest.raises(JournalError, match=f"cannot fold the journal into {state}: unable to open"):
        SqliteJournal(path)
    state.rmdir()
    assert orders(path) == [1, 2, 3]


def test_a_turn_that_no_one_can_read_is_said_whoever_asks(path: Path) -> None:
    """The journal's pages are in order, what stands in them is not."""
    with closing(SqliteJournal(path, "normal")) as journal:
        journal.commit(Batch(queued=[Queued("A", 0, [report(1)])], sessions=[SessionNumbers("A", queued=1)]))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE turn SET reports = '{' WHERE reports IS NOT NULL")
        with pytest.raises(JournalError, match=r"cannot read the journal .*; move state\.db away"):
            journal.reports("A", 0, 1)


# QuickFIX's files

NAMES = {"A": "FIX.4.4-FIXGW-A"}
KINDS = ("body", "header", "seqnums", "session")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The files of a session, in order."""
    vouch(tmp_path)
    files = {kind: tmp_path / f"{NAMES['A']}.{kind}" for kind in KINDS}
    for file in files.values():
        file.touch()
    files["seqnums"].write_text(f"{5:020} : {7:020}")
    return files


def look(files: dict[str, Path]) -> Stored:
    """What is found of the session."""
    return filestore.look(files["body"].parent, NAMES)["A"]


def test_files_in_order(files: dict[str, Path]) -> None:
    """Nothing is changed."""
    before = {kind: file.read_bytes() for kind, file in files.items()}
    assert look(files) == Stored(is_whole=True, is_sure=True)
    assert {kind: file.read_bytes() for kind, file in files.items()} == before


def test_numbers_that_are_gone_are_missed(files: dict[str, Path]) -> None:
    """The start after this one knows it too."""
    files["seqnums"].unlink()
    assert look(files) == Stored(is_whole=False, is_sure=True)
    files["seqnums"].write_text(f"{1:020} : {1:020}")
    assert look(files) == Stored(is_whole=True, is_sure=False)


@pytest.mark.parametrize("left", [b"", b"\0" * 43, b" " * 43, b"5 7"])
def test_numbers_that_cannot_be_read_are_missed(files: dict[str, Path], left: bytes) -> None:
    """A loss of power left something else there."""
    files["seqnums"].write_bytes(left)
    assert not look(files).is_whole


@pytest.mark.parametrize("kind", ["body", "header", "session"])
def test_what_holds_no_number_is_not_missed(files: dict[str, Path], kind: str) -> None:
    """It is written anew whenever it is needed."""
    files[kind].unlink()
    assert look(files) == Stored(is_whole=True, is_sure=True)


def test_the_machine_went_down(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written last may be missing."""
    monkeypatch.setattr(filestore, "boot_id", lambda: "another start")
    assert look(files) == Stored(is_whole=True, is_sure=False)
    vouch(files["body"].parent)
    assert look(files).is_sure


def test_a_system_that_does_not_say_when_it_started(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sure there."""
    monkeypatch.setattr(filestore, "boot_id", str)
    vouch(files["body"].parent)
    assert not look(files).is_sure


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, kind: str, files: dict[str, Path]) -> None:
    """A directory in its place, and a file in the place of their directory."""
    files[kind].unlink()
    files[kind].mkdir()
    with pytest.raises(StoreError, match=f"cannot use the message store {files[kind]}: Is a directory"):
        look(files)
    (tmp_path / "fix").touch()
    with pytest.raises(StoreError, match=f"cannot use the message store {tmp_path / 'fix'}: "):
        filestore.look(tmp_path / "fix", NAMES)


def test_messages_are_laid_out_in_the_place_of_others(files: dict[str, Path]) -> None:
    """As QuickFIX writes them: MsgSeqNum, where it begins in the body, and its length."""
    directory = files["body"].parent
    lay_out(directory, NAMES["A"], [(7, b"seven"), (9, b"nine!!")])
    assert files["body"].read_bytes() == b"sevennine!!"
    assert files["header"].read_bytes() == b"7,0,5 9,5,6 "
    lay_out(directory, NAMES["A"], [])
    assert files["body"].read_bytes() == files["header"].read_bytes() == b""
    assert {file.name for file in directory.iterdir()} == {file.name for file in files.values()} | {"boot"}


def test_messages_that_cannot_be_laid_out(files: dict[str, Path]) -> None:
    """It is said why, and which file."""
    files["body"].unlink()
    files["body"].mkdir()
    with pytest.raises(StoreError, match=f"cannot use the message store {files['body']}: Is a directory"):
        lay_out(files["body"].parent, NAMES["A"], [(1, b"one")])
