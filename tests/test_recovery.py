"""After a crash QuickFIX's numbers and store are mended from the journal; ends of day are passed once."""

import shutil
import sqlite3
from pathlib import Path

import msgspec

from fixgw.journal.contract import SessionNumbers
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
    with sqlite3.connect(tmp_path / "data" / "journal.db") as db:
        (body,) = db.execute("SELECT body FROM session WHERE name='TRADER37'").fetchone()
        numbers = msgspec.msgpack.decode(body, type=SessionNumbers)
        behind = msgspec.structs.replace(numbers, next_in=numbers.next_in - 1, last_in=numbers.last_in - 1)
        db.execute("UPDATE session SET body=? WHERE name='TRADER37'", (msgspec.msgpack.encode(behind),))
    db.close()
    gateway.start()
    assert trader.logon().type == "A"
    answer = trader.next()
    assert (answer.type, answer[11], answer[102]) == ("9", "c1", "6")
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
    with sqlite3.connect(tmp_path / "data" / "journal.db") as db:
        rows = db.execute("SELECT order_id, body FROM orders").fetchall()
        for order_id, body in rows:
            fields = msgspec.msgpack.decode(body)
            position = next(i for i, value in enumerate(fields) if hasattr(value, "year"))
            fields[position] = fields[position].replace(year=fields[position].year - 1)
            db.execute(
                "UPDATE orders SET body=?, entered_at=0 WHERE order_id=?",
                (msgspec.msgpack.encode(fields), order_id),
            )
    db.close()
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
