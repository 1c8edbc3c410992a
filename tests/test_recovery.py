"""After a crash QuickFIX's numbers and store are mended from the journal; ends of day are passed once."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from fixgw.journal.contract import Batch
from fixgw.journal.sqlite import SqliteJournal
from tests.gateway import Gateway, write_config
from tests.wire import Client, cancel, order


def crashed(tmp_path: Path) -> tuple[Gateway, Client]:
    """A gateway that was killed after it had answered two orders and a cancel."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    for name in ("a1", "a2"):
        trader.send("D", *order(name))
        trader.next()
    trader.send("F", *cancel("c1", "a1"))
    trader.next()
    gateway.kill()
    return gateway, trader


@pytest.mark.parametrize("is_crashed", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_copy_says_when_the_report_was_sent_first(tmp_path: Path, is_crashed: bool) -> None:
    """OrigSendingTime(122) is the SendingTime(52) of the first, also after a crash in between."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    first = []
    for name in ("a1", "a2", "a3"):
        trader.send("D", *order(name))
        first.append(trader.next())
    if is_crashed:
        gateway.kill()
        gateway.start()
        trader.expected = 2
        assert trader.logon().type == "A"
    else:
        trader.expected = 2
        trader.send("2", (7, 2), (16, 0))
    again = [trader.next() for _ in first]
    assert [one[122] for one in again] == [one[52] for one in first]
    assert gateway.stop() == 0


def test_a_lost_store_is_mended_from_the_journal(tmp_path: Path) -> None:
    """QuickFIX's files are gone: the client still gets every report, with its own number."""
    gateway, trader = crashed(tmp_path)
    shutil.rmtree(tmp_path / "data" / "fix")
    gateway.start()
    trader.expected = 2  # the client asks for everything since its Logon again
    assert trader.logon().type == "A"
    again = [trader.next() for _ in range(3)]
    assert [(report[34], report[11], report[43]) for report in again] == [
        ("2", "a1", "Y"),
        ("3", "a2", "Y"),
        ("4", "c1", "Y"),
    ]
    trader.send("F", *cancel("c2", "a2"))
    assert trader.next()[150] == "4"
    assert gateway.stop() == 0


def test_a_message_that_was_counted_but_not_committed_comes_again(tmp_path: Path) -> None:
    """A crash between QuickFIX's count and the commit: the client is asked to send it again.

    Here the request itself was committed, so what comes again is told that its id was used before.
    """
    gateway, trader = crashed(tmp_path)
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    loaded = journal.load(since=datetime.now(UTC), closed_max=10)
    numbers = loaded.sessions["TRADER37"]
    behind = replace(numbers, next_in=numbers.next_in - 1, last_in=numbers.last_in - 1)
    journal.commit(Batch(sessions=[behind], counters=loaded.counters))
    journal.close()
    gateway.start()
    assert trader.logon().type == "A"
    answer = trader.next()
    assert (answer.type, answer[11], answer[102]) == ("9", "c1", "6")
    assert gateway.stop() == 0


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(False, id="after-a-clean-stop"),
        pytest.param(True, id="on-the-first-day", marks=pytest.mark.long),
    ],
)
def test_the_first_request_of_a_run_is_not_lost_in_a_crash(tmp_path: Path, first: bool) -> None:
    """Counted by QuickFIX, killed before the first commit: the clean stop before that says nothing."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37", logon=False)
    if not first:
        assert trader.logon().type == "A"
        trader.logout()
        assert gateway.stop() == 0
        gateway.start()
    assert trader.logon().type == "A"
    trader.encode("D", order("a1"))  # the client has sent it
    gateway.kill()
    numbers = next((tmp_path / "data" / "fix").glob("*TRADER37*.seqnums"))
    out, _, _ = numbers.read_text().partition(" : ")
    numbers.write_text(f"{out} : {trader.sent:010}")  # and QuickFIX had counted it
    gateway.start()
    assert trader.logon().type == "A"
    assert trader.next()[11] == "a1"
    assert gateway.stop() == 0


def test_what_was_processed_is_not_processed_again(tmp_path: Path) -> None:
    """The store forgets what came in: what the journal has processed is not applied again."""
    gateway, trader = crashed(tmp_path)
    numbers = next((tmp_path / "data" / "fix").glob("*TRADER37*.seqnums"))
    out, _, _ = numbers.read_text().partition(" : ")
    numbers.write_text(f"{out} : {2:010}")
    gateway.start()
    assert trader.logon().type == "A"
    trader.quiet()
    trader.send("F", *cancel("c2", "a2"))
    assert trader.next()[11] == "c2"
    assert gateway.stop() == 0


def test_a_day_order_expires_once_and_its_id_is_free_again(tmp_path: Path) -> None:
    """Day orders expire at the end of the day, also when it passed while the gateway was stopped."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    trader.send("D", *order("day", (59, "0")))
    trader.send("D", *order("gtc", (59, "1")))
    assert [trader.next()[150] for _ in range(2)] == ["0", "0"]
    trader.logout()
    assert gateway.stop() == 0
    # the same data under a configuration whose day ended a moment ago: as if a night had passed
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    loaded = journal.load(since=datetime.now(UTC), closed_max=10)
    last_year = timedelta(days=365)
    orders = [replace(order, entered_at=order.entered_at - last_year) for order in loaded.orders]
    journal.commit(Batch(orders=orders, counters=loaded.counters, clean_stop=True))
    journal.close()
    gateway.start()
    assert trader.logon().type == "A"
    expired = trader.next()
    assert (expired[150], expired[39], expired[11], expired[151]) == ("C", "C", "day", "0")
    trader.send("D", *order("day"))
    assert trader.next()[150] == "0"
    trader.send("D", *order("gtc"))
    assert trader.next()[103] == "6"
    assert gateway.stop() == 0


def test_another_release_of_the_configuration_can_take_a_session_away(tmp_path: Path) -> None:
    """Orders and reports of a session that is configured no more harm nobody."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER39")
    trader.send("D", *order("a1"))
    trader.next()
    trader.logout()
    assert gateway.stop() == 0
    text = (Path(__file__).parents[1] / "config" / "gateway.toml").read_text()
    start = text.index('[[session]]\ncomp_id = "TRADER39"')
    block = text[start : text.index("[[session]]", start + 1)]
    gateway.config = write_config(
        tmp_path / "config", (block, ""), cfg=(("[SESSION]\nTargetCompID=TRADER39\n", ""),)
    )
    gateway.start()
    operator = gateway.client("OPERATOR1")
    operator.send("q", (11, "k1"), (530, "7"), (60, "20260101-00:00:00"))
    assert operator.next()[533] == "1"
    assert operator.next()[41] == "a1"
    assert gateway.stop() == 0
