"""`fixgw status`, and what the edge says and is told each second."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fixgw import __version__
from fixgw.cli import app
from fixgw.engine.overview import Overview
from fixgw.engine.sandbox import HoldCancels
from fixgw.engine.status import ConnectionStatus
from fixgw.engine.turn import EdgeReport, EdgeSession, Limits, Status
from fixgw.link import call
from fixgw.status_command import show
from tests.gateway import Gateway, until, write_config
from tests.test_desk import NOW, Bench
from tests.wire import cancel, fresh, mass

LOGGED_ON_AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a session that resets each evening."""
    path = tmp_path_factory.mktemp("status")
    config = write_config(path / "config", ('reset_at = "never"', "reset_at = 22:00:00"))
    with Gateway(path / "data", config) as running:
        yield running


def reported(*, messages: int, since: datetime = LOGGED_ON_AT, backlog: int = 0) -> EdgeReport:
    """The edge's report of one connection."""
    one = EdgeSession("TRADER37", "192.0.2.7", "trader37", since, messages, 2 * messages, 100, 200, backlog)
    return EdgeReport((one,))


def test_the_status_says_what_is_there(gateway: Gateway) -> None:
    """Version, orders, pending cancels, the journal, and each session with its numbers."""
    before = call(gateway.data, Status()).status
    assert (before.version, before.omses[0].name) == (__version__, "SANDBOX")
    trader = gateway.client("TRADER37")
    trader.rest()
    gateway.say(HoldCancels())
    trader.send("F", *cancel(fresh("c"), trader.rest().cl_ord_id))
    trader.expect("8|150=6")
    status = call(gateway.data, Status()).status
    oms = status.omses[0]
    assert (oms.open_orders, oms.pending_cancels) == (2, 1)
    assert status.since == before.since <= datetime.now(UTC)
    assert status.journal.last_turn > before.journal.last_turn
    assert status.journal.last_commit_at is not None
    assert before.since < status.journal.last_commit_at <= datetime.now(UTC)
    until(lambda: call(gateway.data, Status()).status.journal.turns_not_folded == 0)
    found = {session.name: session for session in status.sessions}
    assert list(found) == ["TRADER37", "TRADER38", "TRADER39", "OPERATOR1", "READER50"]
    one = found["TRADER37"]
    assert (one.is_logged_on, one.is_disabled, one.epoch) == (True, False, 2)
    assert (one.next_in, one.next_out, one.undelivered) == (trader.sent, trader.expected, 0)
    assert str(one.reset_at) == "22:00:00"
    assert (found["TRADER38"].is_logged_on, found["TRADER38"].reset_at) == (False, None)
    gateway.clean()
    assert call(gateway.data, Status()).status.omses[0].pending_cancels == 0


def test_what_a_client_has_not_got_is_counted(gateway: Gateway) -> None:
    """Reports that wait for a client that is away, until it has asked for them."""
    trader, operator = gateway.client("TRADER38"), gateway.ready("OPERATOR1")
    trader.rest()
    trader.rest()
    trader.logout()
    until(lambda: not session(gateway, "TRADER38")["is_logged_on"])
    operator.send("q", *mass(fresh("m")))
    operator.expect("r|533=2")
    operator.drain()
    assert session(gateway, "TRADER38")["undelivered"] == 2
    assert trader.logon().type == "A"
    trader.next()
    trader.next()
    trader.drain()
    assert session(gateway, "TRADER38")["undelivered"] == 0


def session(gateway: Gateway, name: str) -> dict[str, object]:
    """What `fixgw status --json` says of a session."""
    said = CliRunner().invoke(app, ["status", "--json", "--data", str(gateway.data)])
    assert said.exit_code == 0, said.output
    found: dict[str, object] = next(row for row in json.loads(said.stdout)["sessions"] if row["name"] == name)
    return found


def test_the_edge_is_heard(gateway: Gateway) -> None:
    """It reports each second who is connected, from where, and how much was said."""
    trader = gateway.ready("TRADER39")
    trader.rest()
    until(lambda: session(gateway, "TRADER39")["connection"] is not None)
    connection = session(gateway, "TRADER39")["connection"]
    assert isinstance(connection, dict)
    assert (connection["address"], connection["certificate"], connection["backlog"]) == (
        trader.address,
        "",
        0,
    )
    assert session(gateway, "READER50")["connection"] is None
    said = CliRunner().invoke(app, ["status", "--data", str(gateway.data)])
    assert said.exit_code == 0
    for part in (f"fixgw {__version__}", "OMS 1 (SANDBOX)", "journal: turn", "edge: reported", "READER50"):
        assert part in said.stdout, said.stdout


# what the engine makes of a report


@pytest.fixture
def overview(tmp_path: Path) -> Iterator[Overview]:
    """Of a desk without an edge."""
    bench = Bench(tmp_path, Limits())
    yield Overview("1.2.3", NOW, bench.desk, bench.journal, bench.door)
    bench.journal.close()


def connection(overview: Overview, at: datetime) -> ConnectionStatus | None:
    """TRADER37's, as the status has it."""
    return {one.name: one for one in overview.status(at).sessions}["TRADER37"].connection


def test_rates_are_those_between_the_last_two_reports(overview: Overview) -> None:
    """Messages per second, of one connection; those of a new one count from its Logon on."""
    assert overview.status(NOW).edge_report_age is None
    assert overview.take(reported(messages=1_000), NOW) == ()
    first = connection(overview, NOW)
    assert first is not None
    assert (first.address, first.certificate, first.since) == ("192.0.2.7", "trader37", LOGGED_ON_AT)
    assert (first.messages_in_per_second, first.messages_out_per_second) == (0, 0)
    later = NOW + timedelta(seconds=2)
    overview.take(reported(messages=1_600, backlog=70), later)
    second = connection(overview, later)
    assert second is not None
    assert (second.messages_in, second.messages_out, second.backlog) == (1_600, 3_200, 70)
    assert (second.messages_in_per_second, second.messages_out_per_second) == (300, 600)
    assert overview.status(later + timedelta(seconds=3)).edge_report_age == 3
    overview.take(reported(messages=5, since=later), later + timedelta(seconds=1))
    again = connection(overview, later)
    assert again is not None
    assert again.messages_in_per_second == 5
    overview.take(EdgeReport(()), later + timedelta(seconds=2))
    assert connection(overview, later) is None


def test_a_person_sees_all_of_it(overview: Overview) -> None:
    """Every field of the status is shown."""
    overview.take(reported(messages=1_234, backlog=56), NOW)
    out = Console(file=StringIO(), width=250)
    show(overview.status(NOW + timedelta(seconds=4)), out)
    assert isinstance(out.file, StringIO)
    text = out.file.getvalue()
    for part in ("fixgw 1.2.3", "4.0 seconds ago", "192.0.2.7", "trader37", "1234", "2468", "56", "READER50"):
        assert part in text, text


def test_without_a_gateway_there_is_no_status(tmp_path: Path) -> None:
    """Exit code 1, and a line that says where nobody answers."""
    said = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    assert said.exit_code == 1
    assert "no gateway answers" in said.output
