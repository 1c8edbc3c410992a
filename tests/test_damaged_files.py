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
from fixgw.fix.filestore import Stored, StoreError, vouch
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


# QuickFIX's message store

NAMES = {"A": "FIX.4.4-FIXGW-A"}


def stored(directory: Path, *messages: tuple[int, str]) -> dict[str, Path]:
    """The files of a session whose store holds these messages, as QuickFIX writes them."""
    files = {kind: directory / f"{NAMES['A']}.{kind}" for kind in ("body", "header", "seqnums")}
    header, body, last = "", "", 0
    for last, text in messages:
        header += f"{last},{len(body)},{len(text)} "
        body += text
    files["header"].write_text(header)
    files["body"].write_text(body)
    files["seqnums"].write_text(f"{last + 1:020} : {7:020}")
    return files


def message(number: int) -> str:
    """A message of its own length."""
    return f"8=FIX.4.4\x0158={'x' * number}\x01"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A store in order, with three messages in it, the last one under a number that was used before."""
    vouch(tmp_path)
    return stored(tmp_path, (1, message(1)), (2, message(2)), (2, message(3)), (3, message(4)))


def look(files: dict[str, Path]) -> Stored:
    """What is found of the session."""
    return filestore.look(files["body"].parent, NAMES)["A"]


def test_a_store_in_order(files: dict[str, Path]) -> None:
    """Everything is held, and nothing is changed."""
    before = {kind: file.read_bytes() for kind, file in files.items()}
    assert look(files) == Stored(is_whole=True, is_sure=True, last=3, held=frozenset({1, 2, 3}))
    assert {kind: file.read_bytes() for kind, file in files.items()} == before


@pytest.mark.parametrize("left", [b"4,12", b"4,128,", b"4,1,999 ", b"\0" * 9 + b" ", b"x "])
def test_a_record_that_is_torn_is_taken_out(files: dict[str, Path], left: bytes) -> None:
    """What is appended behind it could not be found again."""
    whole = files["header"].read_bytes()
    files["header"].write_bytes(whole + left)
    found = look(files)
    assert (found.is_whole, found.held) == (False, frozenset({1, 2, 3}))
    assert files["header"].read_bytes() == whole
    found = look(files)
    assert (found.is_whole, found.is_sure) == (True, False)


def test_a_message_that_is_not_there_is_not_held(files: dict[str, Path]) -> None:
    """A loss of power left nothing but zeros of one message, and half of the last one."""
    body = files["body"].read_bytes()
    start = body.index(message(2).encode())
    zeros = b"\0" * len(message(2))
    files["body"].write_bytes(body[:start] + zeros + body[start + len(zeros) : -5])
    assert look(files) == Stored(is_whole=False, is_sure=True, last=3, held=frozenset({1, 2}))
    assert files["header"].read_bytes().count(b" ") == 2


@pytest.mark.parametrize("kind", ["body", "header", "seqnums"])
def test_a_file_that_is_gone_is_missed(files: dict[str, Path], kind: str) -> None:
    """Whichever it is; and the start after this one knows it too."""
    files[kind].unlink()
    assert not look(files).is_whole
    files[kind].touch()
    assert not look(files).is_sure


def test_the_machine_went_down(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written last may be missing."""
    monkeypatch.setattr(filestore, "boot_id", lambda: "another start")
    assert look(files) == Stored(is_whole=True, is_sure=False, last=3, held=frozenset({1, 2, 3}))
    vouch(files["body"].parent)
    assert look(files).is_sure


def test_a_system_that_does_not_say_when_it_started(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sure there."""
    monkeypatch.setattr(filestore, "boot_id", str)
    vouch(files["body"].parent)
    assert not look(files).is_sure


def test_the_latest_of_very_many_messages_are_looked_at(tmp_path: Path) -> None:
    """A record further back is QuickFIX's own business, as long as the latest are in order."""
    vouch(tmp_path)
    count = filestore.CHECKED_MAX + 5
    files = stored(tmp_path, *((number, message(1)) for number in range(1, count + 1)))
    found = look(files)
    assert (found.is_whole, found.last, len(found.held)) == (True, count, filestore.CHECKED_MAX)
    files["body"].write_bytes(files["body"].read_bytes()[:-1])
    found = look(files)
    assert (found.is_whole, found.last, len(found.held)) == (False, count, count - 1)


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the place of its directory, a directory in the place of a file."""
    (tmp_path / "fix").touch()
    with pytest.raises(StoreError, match=f"cannot use the message store {tmp_path / 'fix'}: "):
        filestore.look(tmp_path / "fix", NAMES)
    files = stored(tmp_path, (1, message(1)))
    files["body"].unlink()
    files["body"].mkdir()
    with pytest.raises(StoreError, match=f"cannot use the message store {files['body']}: Is a directory"):
        look(files)
