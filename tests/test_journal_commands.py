"""The commands `fixgw journal ...` on the journal of a real gateway: beside it, and when it has stopped."""

import json
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels
from fixgw.journal import compact as compacting
from fixgw.journal.compact import compact
from fixgw.journal.contract import Batch
from fixgw.journal.sqlite import SqliteJournal
from tests.gateway import ROOT, Gateway
from tests.journals import copy, edit, rows
from tests.test_cli import fixgw
from tests.wire import Client, cancel, mass, order, without


def shown(data: Path, *arguments: str) -> list[str]:
    """What `fixgw journal show` says, without the times."""
    said = fixgw("journal", "show", "--data", str(data), *arguments)
    assert said.returncode == 0, said.stderr
    return [line.partition("  ")[2] for line in said.stdout.splitlines()]


def verified(data: Path) -> str:
    """What `fixgw journal verify` says of a sound journal."""
    said = fixgw("journal", "verify", "--data", str(data))
    assert (said.returncode, said.stderr) == (0, ""), said.stdout
    return said.stdout


def age(data: Path) -> None:
    """Make every turn but the last one more than a year old, and the state anew from them."""
    year = 366 * 86_400_000_000
    edit(data / "journal.db", f"UPDATE turn SET at = at - {year} WHERE seq < (SELECT max(seq) FROM turn)")
    (data / "state.db").unlink()
    SqliteJournal(data / "journal.db").close()


def forget(data: Path) -> int:
    """Age the journal and compact it; the first turn that is left."""
    age(data)
    return compact(data, keep_days=30, now=datetime.now(UTC)).first_turn


def traded(gateway: Gateway) -> Client:
    """A client that entered three orders and canceled two, one of them by a mass cancel of an operator's."""
    trader, operator = gateway.client("TRADER37"), gateway.client("OPERATOR1")
    for name in ("a1", "a2", "a3"):
        trader.send("D", *order(name))
        trader.next()
    trader.send("F", *cancel("c1", "a1"))
    trader.next()
    trader.send("F", *cancel("c2", "a1"))
    trader.next()
    trader.send("D", *without(order("a4"), 44))
    trader.next()
    gateway.say(FillOrder(2, Decimal(10)))
    trader.next()
    operator.send("q", *mass("k1", "7", (1, 14)))
    operator.drain()
    operator.logout()
    trader.next()
    trader.send("D", *order("a5", (59, "1")))
    trader.next()
    return trader


ORDER_ONE = [
    "TRADER37 D 2, user 37  order 1 entered: BUY 10 at 100 LIMIT DAY, instrument 25, account 14, for user 37 "
    "with ClOrdID a1, TRADER37 is told (rule own-account)",
    "TRADER37 F 5, user 37  order 1: cancel requested with ClOrdID c1 (rule own-order)",
    "TRADER37 F 5, user 37  order 1 canceled",
    "TRADER37 F 6, user 37  request c2 for order 1 refused: Operation Failed (errorcode 101): too late "
    "to cancel, the order is CANCELED (rule too-late)",
]


def test_the_audit_trail_of_a_real_gateway(tmp_path: Path) -> None:
    """Who canceled what, by which rule; the same beside the gateway, and after it has stopped."""
    with Gateway(tmp_path / "data") as gateway:
        traded(gateway)
        running = shown(gateway.data)
        assert shown(gateway.data, "--order", "1") == ORDER_ONE
        assert "no problems" in verified(gateway.data)
    data = tmp_path / "data"
    assert shown(data) == running
    assert shown(data, "--order", "1") == ORDER_ONE
    assert shown(data, "--order", "2")[1:] == ["link FillOrder  order 2 filled: 10 at 100"]
    assert [line.partition("user 1  ")[2] for line in shown(data, "--order", "3")][1:] == [
        "mass cancel 4 with ClOrdID k1 takes on 1 order: 3",
        "order 3 canceled",
    ]
    asked = shown(data, "--session", "OPERATOR1")
    assert [line.partition("  ")[0] for line in asked[:3]] == ["OPERATOR1 q 2, user 1"] * 3
    assert [line.partition(":  ")[2] for line in asked[3:]] == [
        "OrderMassCancelReport with ClOrdID k1: 1 affected",
        "ExecutionReport CANCELED of order 3 with ClOrdID k1, CANCELED",
    ]
    refused = [line for line in running if "request a4 refused: Invalid Request" in line]
    assert len(refused) == 1
    assert sorted(path.name for path in data.glob("*.db*")) == ["journal.db", "state.db"]
    assert "5 orders entered" not in verified(data)
    assert "4 orders entered, 1 mass cancels" in verified(data)


def test_filters_and_json_on_the_command_line(tmp_path: Path) -> None:
    """--since takes an ISO time, UTC unless it says otherwise; --limit the newest; --json is for machines."""
    with Gateway(tmp_path / "data") as gateway:
        traded(gateway)
    data = ("--data", str(tmp_path / "data"))
    lines = fixgw("journal", "show", *data, "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    half = events[5]["at"]
    later = [line for line, event in zip(lines, events, strict=True) if event["at"] >= half]
    for since in (half, half.removesuffix("Z"), half.replace("Z", "+00:00")):
        assert fixgw("journal", "show", *data, "--json", "--since", since).stdout.splitlines() == later
    assert fixgw("journal", "show", *data, "--json", "--limit", "2").stdout.splitlines() == lines[-2:]
    canceled = fixgw(
        "journal", "show", *data, "--json", "--order", "1", "--session", "TRADER37", "--limit", "3"
    )
    assert [json.loads(line).get("event", {}).get("type") for line in canceled.stdout.splitlines()] == [
        None,
        "RequestRefused",
        None,
    ]
    nothing = fixgw("journal", "show", *data, "--order", "77")
    assert (nothing.returncode, nothing.stdout, "nothing in the journal fits" in nothing.stderr) == (
        0,
        "",
        True,
    )
    wrong = fixgw("journal", "show", *data, "--since", "yesterday")
    assert (wrong.returncode, "is not a time like" in wrong.stderr) == (2, True)


def test_a_compaction_needs_the_gateway_stopped(tmp_path: Path) -> None:
    """It takes the directory's lock; then it says what it forgot, and the sizes before and after."""
    with Gateway(tmp_path / "data") as gateway:
        gateway.client("TRADER37").rest()
        refused = fixgw("journal", "compact", "--data", str(gateway.data))
        assert (refused.returncode, "another gateway runs on" in refused.stderr) == (69, True)
    done = fixgw("journal", "compact", "--data", str(tmp_path / "data"), "--keep-days", "1")
    assert done.returncode == 0
    first, *sizes = done.stdout.splitlines()
    assert first == "forgot 0 turns, 0 closed orders and 0 used ids; the journal begins with turn 1"
    assert [line.split(":")[0] for line in sizes] == ["journal.db", "state.db"]
    assert all("bytes before" in line and "after" in line for line in sizes)
    assert fixgw("journal", "compact", "--data", str(tmp_path / "data"), "--keep-days", "0").returncode == 2


def test_exit_codes(tmp_path: Path) -> None:
    """1 for a journal that does not add up, 74 for one that cannot be read."""
    for command in (("verify",), ("show",), ("compact",), ("backup", str(tmp_path / "target"))):
        said = fixgw("journal", *command, "--data", str(tmp_path / "nothing"))
        assert (said.returncode, "there is no journal" in said.stderr) == (74, True)
    assert not (tmp_path / "nothing").exists()
    journal = SqliteJournal(tmp_path / "journal.db")
    for _ in range(3):
        journal.commit(Batch())
    journal.close()
    edit(tmp_path / "journal.db", "DELETE FROM turn WHERE seq = 2")
    said = fixgw("journal", "verify", "--data", str(tmp_path))
    assert said.returncode == 1
    assert "problem: turn 2 is missing" in said.stdout.splitlines()
    assert said.stdout.splitlines()[-1] == "2 problems"
    edit(tmp_path / "journal.db", "UPDATE turn SET entries = 'x'")
    said = fixgw("journal", "show", "--data", str(tmp_path))
    assert (said.returncode, "JSON is malformed" in said.stderr) == (74, True)


def test_a_client_gets_what_it_missed_after_a_compaction(tmp_path: Path) -> None:
    """The journal has forgotten those turns, and not what a client may have missed; also without `fix/`."""
    gateway = Gateway(tmp_path / "data").start()
    trader = traded(gateway)
    trader.logout()
    assert gateway.stop() == 0
    assert forget(tmp_path / "data") > 10
    shutil.rmtree(tmp_path / "data" / "fix")
    gateway.start()
    trader.expected = 2
    assert trader.logon().type == "A"
    again = [trader.next() for _ in range(9)]
    assert [report[11] for report in again] == ["a1", "a2", "a3", "c1", "c2", "a4", "a2", "a3", "a5"]
    trader.send("F", *cancel("c5", "a5"))
    assert trader.next()[150] == "4"
    assert gateway.stop() == 0
    assert "no problems" in verified(tmp_path / "data")


def test_what_a_compaction_forgot_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more reports than may be on their way the old ones are gone: a SequenceReset goes over them."""
    monkeypatch.setattr(compacting, "ON_THEIR_WAY_MAX", 0)
    gateway = Gateway(tmp_path / "data").start()
    trader = traded(gateway)
    trader.logout()
    assert gateway.stop() == 0
    forget(tmp_path / "data")
    gateway.start()
    trader.expected = 2
    assert trader.logon().type == "A"
    trader.quiet()
    trader.send("F", *cancel("c5", "a5"))
    assert trader.next()[150] == "4"
    assert gateway.stop() == 0


def test_a_start_without_the_state_of_a_compacted_journal_is_refused(tmp_path: Path) -> None:
    """Exit code 74, and a word on what to do, instead of a start with a part."""
    with Gateway(tmp_path / "data") as gateway:
        traded(gateway)
    forget(tmp_path / "data")
    (tmp_path / "data" / "state.db").unlink()
    refused = fixgw("serve", "--data", str(tmp_path / "data"), "--fix-port", str(gateway.port), "--no-api")
    assert refused.returncode == 74
    assert "the journal was compacted" in refused.stderr
    assert "restore both files together, from one backup" in refused.stderr


@pytest.mark.long
def test_a_gateway_starts_after_a_compaction_that_was_killed(tmp_path: Path) -> None:
    """kill -9 before either file has forgotten anything, between the two, and before they become smaller."""
    with Gateway(tmp_path / "data") as gateway:
        traded(gateway)
    age(tmp_path / "data")
    marks = []
    for number, sql in enumerate(("COMMIT", "DELETE FROM log.turn", "VACUUM")):
        data = Path(shutil.copytree(tmp_path / "data", tmp_path / f"killed-{number}"))
        _kill_compaction(data, sql)
        looked_at = copy(data, f"looked-at-{number}")  # to look at a file would tidy it up
        first = next(rows(looked_at / "journal.db", "SELECT min(seq) FROM turn"))
        mark = next(rows(looked_at / "state.db", "SELECT value FROM meta WHERE key = 'first_turn'"))
        marks.append((first != (1,), mark != (1,)))
        with Gateway(data) as restarted:
            trader = restarted.client("TRADER37")
            trader.send("AF", (584, "s1"), (585, "7"))
            assert trader.next()[11] == "a5"
            trader.send("F", *cancel("c5", "a5"))
            assert trader.next()[150] == "4"
        assert "no problems" in verified(data)
    assert marks == [(False, False), (False, True), (True, True)]


def _kill_compaction(data: Path, sql: str) -> None:
    """Compact, and kill it before the statement that begins with `sql`."""
    now = datetime.now(UTC).isoformat()
    command = [sys.executable, "-m", "tests.killed_compaction", str(data), now, "before", sql]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == -signal.SIGKILL


def test_a_gateway_starts_from_a_backup(tmp_path: Path) -> None:
    """A copy made beside a running gateway has every order, also those that are not folded in yet."""
    with Gateway(tmp_path / "data") as gateway:
        trader = traded(gateway)
        gateway.say(HoldCancels())
        trader.send("F", *cancel("c5", "a5"))
        assert trader.next()[150] == "6"
        said = fixgw("journal", "backup", str(tmp_path / "backup"), "--data", str(gateway.data))
        assert said.returncode == 0
        assert [line.split(":")[0].rpartition("/")[2] for line in said.stdout.splitlines()] == [
            "state.db",
            "journal.db",
        ]
    assert "no problems" in verified(tmp_path / "backup")
    with Gateway(tmp_path / "backup") as restored:
        trader = restored.client("TRADER37")
        trader.send("AF", (584, "s1"), (585, "7"))
        assert (trader.next()[11], restored.log_lines("recovered")[0].count("TRADER37")) == ("a5", 1)


def test_what_is_left_of_an_order_whose_turns_are_forgotten(tmp_path: Path) -> None:
    """The command says so, and how the order stands."""
    with Gateway(tmp_path / "data") as gateway:
        traded(gateway)
    forget(tmp_path / "data")
    said = fixgw("journal", "show", "--data", str(tmp_path / "data"), "--order", "5")
    assert said.stdout == ""
    assert "was forgotten by a compaction" in said.stderr
    assert "by user 37, is NEW" in said.stderr
