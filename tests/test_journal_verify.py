"""`fixgw journal verify`: a sound journal has no problems, and each kind of damage is named."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fixgw.core.requests import ScopeRead, VenueStatus
from fixgw.journal.contract import Batch, Counters, JournalError
from fixgw.journal.sqlite import SqliteJournal
from fixgw.journal.verify import verify
from tests.journals import CANCELED, EXPIRED, FILLED, HELD, PARTLY, PENDING, REFUSED, copy, edit, live
from tests.test_venue_desk import VenueBench, stands
from tests.wire import mass


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal in which something of everything has happened."""
    return live(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(lived, tmp_path / "data"))


def problems(data: Path) -> list[str]:
    """What is wrong with the journal in `data`."""
    return [finding.text for finding in verify(data) if finding.is_problem]


def turn_with(data: Path, text: str) -> int:
    """The first turn whose audit trail holds `text`."""
    with sqlite3.connect(data / "journal.db") as db:
        found: int = db.execute("SELECT seq FROM turn WHERE instr(entries, ?)", (text,)).fetchone()[0]
    db.close()
    return found


def test_a_sound_journal_has_no_problems(data: Path) -> None:
    """Everything is read, replayed and folded anew, and counted; nothing is changed, and no file is left."""
    before = sorted((path.name, path.read_bytes()) for path in data.glob("*.db*"))
    findings = list(verify(data))
    assert [finding.text for finding in findings if finding.is_problem] == []
    text = "\n".join(finding.text for finding in findings)
    assert "turns 1 to 22: 22 read and replayed" in text
    assert "7 orders entered, 3 mass cancels" in text
    assert "open orders: 3 are the same" in text
    assert "the same as made anew from the turns up to 22" in text
    assert sorted((path.name, path.read_bytes()) for path in data.glob("*.db*")) == before


def test_turns_that_are_not_folded_in_yet_are_no_problem(data: Path) -> None:
    """As it is beside a running gateway, or after a crash: the state is looked at as of its last turn."""
    journal = SqliteJournal(data / "journal.db")
    last = journal._db.execute("SELECT max(seq) FROM turn").fetchone()[0]
    for number in range(3):
        journal.commit(Batch(counters=Counters(50, 500 + number)))
    assert problems(data) == []
    assert any(f"turns 1 to {last + 3}" in finding.text for finding in verify(data))
    journal.close()


def test_a_state_that_is_not_there_is_made_anew(data: Path) -> None:
    """Without state.db a complete journal is as good; it is said."""
    (data / "state.db").unlink()
    assert problems(data) == []
    assert any("the next start makes it anew" in finding.text for finding in verify(data))


def test_a_mass_cancel_on_a_venue_is_answered_later(tmp_path: Path) -> None:
    """When the venue has said which orders it has: until then nothing is missing, and from then on it is."""
    bench = VenueBench(tmp_path)
    for number in (1, 2):
        bench.resting(f"a{number}", number)
    for mass_cancel_id, refused in ((3, "no connection"), (4, None)):
        bench.ask("q", mass(f"m{mass_cancel_id}"))
        assert problems(tmp_path) == []
        bench.hear(ScopeRead(1, mass_cancel_id, refused))
    bench.hear_together([stands(number, VenueStatus.CANCELED) for number in (1, 2)])
    bench.journal.close()
    assert problems(tmp_path) == []
    answered = turn_with(tmp_path, "MassCancelAccepted")
    journal_edit(
        f"UPDATE turn SET reports = NULL, numbers = json_remove(numbers, '$.queued') WHERE seq = {answered}"
    )(tmp_path)
    assert f"turn {answered}: TRADER37: mass cancel 4 has no answer" in problems(tmp_path)


Damage = Callable[[Path], None]


def journal_edit(*statements: str) -> Damage:
    """Damage to journal.db."""
    return lambda data: edit(data / "journal.db", *statements)


def state_edit(*statements: str) -> Damage:
    """Damage to state.db."""
    return lambda data: edit(data / "state.db", *statements)


def set_json(column: str, seq: int, path: str, value: str) -> Damage:
    """Another value in the JSON of one turn."""
    return journal_edit(
        f"UPDATE turn SET {column} = json_set({column}, '{path}', json('{value}')) WHERE seq = {seq}"
    )


# What happened in which turn of tests.journals: 4 cancels an order, 10 takes on two by a mass cancel, 12 ends
# it, 15 queues for a session that is not there, 16 enters an order, 18 fills it, 20 asks for a cancel.
DAMAGES: dict[str, tuple[Damage, str]] = {
    "turn-missing": (journal_edit("DELETE FROM turn WHERE seq = 5"), "turn 5 is missing"),
    "turns-missing": (journal_edit("DELETE FROM turn WHERE seq IN (5, 6)"), "turns 5 to 6 are missing"),
    "first-turn-missing": (journal_edit("DELETE FROM turn WHERE seq = 1"), "begins with turn 2"),
    "no-json": (journal_edit("UPDATE turn SET entries = '[' WHERE seq = 3"), "turn 3 cannot be read"),
    "unknown-event": (set_json("entries", 18, "$[0][7][0][0]", '"OrderVanished"'), "turn 18 cannot be read"),
    "unknown-report": (set_json("reports", 18, "$.TRADER37[0][0]", '"Rumour"'), "turn 18 cannot be read"),
    "used-id-unread": (set_json("used_ids", 4, "$[0][5][1]", '"Z"'), "turn 4 cannot be read"),
    "order-differs": (set_json("orders", 18, "$[0][5][18]", '"9"'), f"turn 18: order {FILLED} is stored as"),
    "order-columns": (set_json("orders", 18, "$[0][3]", "true"), f"order {FILLED} is stored in columns"),
    "order-from-nowhere": (
        journal_edit("UPDATE turn SET orders = (SELECT orders FROM turn WHERE seq = 16) WHERE seq = 17"),
        f"turn 17: order {EXPIRED} is stored, and no event",
    ),
    "order-not-stored": (
        journal_edit("UPDATE turn SET orders = NULL WHERE seq = 20"),
        f"turn 20: order {PENDING} was changed by an event, and is not stored",
    ),
    "canceled-from-nowhere": (
        journal_edit(f"UPDATE turn SET canceled = '[{REFUSED}]' WHERE seq = 18"),
        f"turn 18: order {REFUSED} is stored, and no event",
    ),
    "canceled-and-not": (
        journal_edit(f"UPDATE turn SET canceled = '[{FILLED}]' WHERE seq = 18"),
        f"order {FILLED} is stored as canceled, and once more",
    ),
    "canceled-twice": (
        journal_edit("UPDATE turn SET entries = (SELECT entries FROM turn WHERE seq = 4) WHERE seq = 5"),
        f"turn 5: CancelRequested of order {CANCELED}, which is not open",
    ),
    "impossible": (
        set_json("entries", 18, "$[0][7][0]", f'["OrderTriggered",{FILLED},"2026-03-05T12:00:02Z"]'),
        f"turn 18: OrderTriggered cannot be: order {FILLED}: waits for no trigger",
    ),
    "mass-cancel-canceled": (
        set_json("numbers", 12, "$.mass_cancels[0][2].canceled", "2"),
        f"turn 12: mass cancel {PARTLY} is stored as 0 left, 2 canceled, 1 not; by the events 0, 1, 1",
    ),
    "mass-cancel-left": (
        set_json("numbers", 14, "$.mass_cancels[0][2].left", "3"),
        f"mass cancel {HELD} is stored as 3 left",
    ),
    "mass-cancel-unstored": (
        journal_edit("UPDATE turn SET numbers = json_remove(numbers, '$.mass_cancels') WHERE seq = 14"),
        f"the count of mass cancel {HELD} has changed, and is not stored",
    ),
    "mass-cancel-told": (
        set_json("reports", 10, "$.TRADER39[0][5]", "7"),
        f"mass cancel {PARTLY}: 7 orders told as affected, by the events 2",
    ),
    "counters-back": (
        set_json("numbers", 17, "$.counters.next_exec_id", "5"),
        "turn 17: the counters went back",
    ),
    "no-counters": (
        journal_edit("UPDATE turn SET numbers = json_remove(numbers, '$.counters') WHERE seq = 22"),
        "the last turn has no counters",
    ),
    "id-twice": (set_json("numbers", 16, "$.counters.next_id", "8"), "turn 16: the id 8 is given out"),
    "epoch-back": (
        set_json("numbers", 17, "$.sessions[0][1].epoch", "0"),
        "turn 17: TRADER37: the epoch went back from 1 to 0",
    ),
    "next-out-back": (
        set_json("numbers", 17, "$.sessions[0][1].next_out", "2"),
        "turn 17: TRADER37: next_out went back from 8 to 2",
    ),
    "last-in-back": (
        set_json("numbers", 18, "$.sessions[0][1].last_in", "3"),
        "turn 18: TRADER37: last_in went back from 7 to 3",
    ),
    "number-twice": (
        set_json("numbers", 17, "$.assigned[0][2]", "7"),
        "TRADER37: MsgSeqNum 7 of epoch 1 is given out, but 8 of epoch 1 is the next",
    ),
    "position-skipped": (
        set_json("numbers", 17, "$.queued[0][1]", "9"),
        "TRADER37: reports are queued at position 9, but 7 is the next",
    ),
    "sent-skipped": (
        set_json("numbers", 17, "$.assigned[0][3]", "6"),
        "TRADER37: numbers are given to position 6, but 7 is the next",
    ),
    "again-before-it-was": (
        set_json("numbers", 17, "$.assigned[0][6]", "true"),
        "TRADER37: reports up to position 8 are sent again that never were",
    ),
    "report-missing": (set_json("reports", 15, "$.AWAY[3]", "null"), "turn 15 cannot be read"),
    "report-lost": (
        journal_edit("UPDATE turn SET reports = json_remove(reports, '$.AWAY[0]') WHERE seq = 15"),
        "AWAY: 3 reports have a position, 2 are there",
    ),
    "report-without-position": (
        journal_edit("UPDATE turn SET numbers = json_remove(numbers, '$.queued') WHERE seq = 15"),
        "AWAY: its reports have no position",
    ),
    "sent-above-queued": (set_json("numbers", 15, "$.sessions[0][1].sent", "7"), "sent is 7, above queued"),
    "done-twice": (
        set_json("entries", 5, "$[0][10]", "4"),
        "turn 5: TRADER37: MsgSeqNum 4 of epoch 1 is done after 4",
    ),
    "not-counted": (
        set_json("numbers", 5, "$.sessions[0][1].last_in", "4"),
        "request 5 is done, and not counted",
    ),
    "not-answered": (
        journal_edit(
            "UPDATE turn SET reports = NULL, numbers = json_remove(numbers, '$.queued') WHERE seq = 5"
        ),
        "TRADER37: request 5 has no answer",
    ),
    "state-order": (
        state_edit(f"UPDATE orders SET is_open = 1 WHERE order_id = {CANCELED}"),
        f"order {CANCELED} is both canceled and open",
    ),
    "state-open": (
        state_edit(f"DELETE FROM orders WHERE order_id = {PENDING}"),
        f"order {PENDING} is open by its events, not in state.db",
    ),
    "state-body": (
        state_edit(f"UPDATE orders SET body = json_set(body, '$[9]', '11') WHERE order_id = {PENDING}"),
        f"order {PENDING} is another one in state.db",
    ),
    "state-id": (
        state_edit("DELETE FROM used_id WHERE cl_ord_id = 'c-late'"),
        "state.db, table used_id: there is",
    ),
    "state-index": (
        state_edit("DELETE FROM order_turn WHERE turn = 5"),
        "state.db, table order_turn: there is",
    ),
    "state-outbox": (
        state_edit("DELETE FROM outbox WHERE session = 'TRADER37' AND position = 3"),
        "the outbox of TRADER37 has a gap before position 4",
    ),
    "state-of-another": (
        state_edit("UPDATE meta SET value = value + 1 WHERE key = 'folded_at'"),
        "state.db was made from another journal (to turn 22; this one ends with 22): move state.db away",
    ),
    "journal-older": (
        journal_edit("DELETE FROM turn WHERE seq > 20"),
        "state.db was made from another journal (to turn 22; this one ends with 20)",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(data: Path, name: str) -> None:
    """Each thing that is checked, broken alone: a line names it."""
    damage, expected = DAMAGES[name]
    damage(data)
    found = problems(data)
    assert [text for text in found if expected in text], found


def test_a_file_with_bad_pages_is_a_problem(data: Path) -> None:
    """Bytes that the disk has lost: SQLite finds it, and the check goes as far as it can."""
    path = data / "journal.db"
    content = bytearray(path.read_bytes())
    content[4096:12_288] = b"\xff" * 8_192
    path.write_bytes(content)
    assert any("journal.db is damaged" in text for text in problems(data))


def test_a_compacted_journal_without_its_state_is_a_problem(data: Path) -> None:
    """What was forgotten is in state.db alone."""
    edit(data / "journal.db", "DELETE FROM turn WHERE seq < 16")
    edit(data / "state.db", "UPDATE meta SET value = 16 WHERE key = 'first_turn'")
    (data / "state.db").unlink()
    [problem] = [text for text in problems(data) if "compacted" in text]
    assert "begins with turn 16, and there is no state.db" in problem


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("journal.db", None, "there is no journal"),
        ("journal.db", b"no database" * 1_000, "cannot read the journal .*file is not a database"),
        ("state.db", b"no database" * 1_000, "cannot read the journal .*file is not a database"),
    ],
)
def test_what_cannot_be_read_is_said(data: Path, name: str, content: bytes | None, message: str) -> None:
    """No file, or none of SQLite's: no verdict, but an error."""
    (data / name).unlink()
    if content is not None:
        (data / name).write_bytes(content)
    with pytest.raises(JournalError, match=message):
        problems(data)


def test_another_version_is_not_read(data: Path) -> None:
    """A journal of another release says nothing that this one could check."""
    edit_version = sqlite3.connect(data / "journal.db")
    edit_version.execute("PRAGMA user_version = 99")
    edit_version.close()
    with pytest.raises(JournalError, match=r"journal\.db is of version 99, this release reads"):
        problems(data)


def test_a_copy_on_a_disk_that_is_read_only_can_be_checked(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup on such a disk: nothing has to be written to read it."""
    monkeypatch.setattr("os.access", lambda *_: False)
    assert problems(data) == []
    assert sorted(path.name for path in data.glob("*.db*")) == ["journal.db", "state.db"]


def test_the_log_of_a_killed_gateway_is_read_and_left(data: Path) -> None:
    """What a kill left in the logs counts, and stays where it is for the next start."""
    journal = SqliteJournal(data / "journal.db")
    journal.commit(Batch(counters=Counters(50, 500)))
    killed = copy(data, "killed")
    journal.close()
    before = {path.name: path.read_bytes() for path in killed.glob("*.db*") if not path.name.endswith("-shm")}
    assert "journal.db-wal" in before
    assert problems(killed) == []
    assert {name: (killed / name).read_bytes() for name in before} == before
    assert any("turns 1 to 23" in finding.text for finding in verify(killed))
