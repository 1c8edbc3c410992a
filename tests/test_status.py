"""`fixgw status`, and what the edge says and is told each second."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fixgw import __version__
from fixgw.cli import app
from fixgw.engine.sandbox import HoldCancels
from fixgw.engine.turn import EdgeReport, EdgeSession, Status
from fixgw.link import EdgeReply, call
from tests.gateway import Gateway, until, write_config
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


def test_the_edges_report_is_shown_with_its_age(gateway: Gateway) -> None:
    """Address, certificate, counts, and rates between the last two reports of one connection."""
    reply: EdgeReply = call(gateway.data, reported(messages=1_000))
    assert reply.disabled == ()
    first = call(gateway.data, Status()).status
    until(lambda: (call(gateway.data, Status()).status.edge_report_age or 0) > 0.05)
    call(gateway.data, reported(messages=1_600, backlog=70))
    status = call(gateway.data, Status()).status
    assert first.edge_report_age is not None
    assert status.edge_report_age is not None
    assert 0 <= status.edge_report_age < 5
    found = {one.name: one for one in status.sessions}["TRADER37"].connection
    assert found is not None
    assert (found.address, found.certificate, found.since) == ("192.0.2.7", "trader37", LOGGED_ON_AT)
    assert (found.messages_in, found.messages_out, found.backlog) == (1_600, 3_200, 70)
    assert 0 < found.messages_in_per_second < 600 / 0.05
    assert found.messages_out_per_second == pytest.approx(2 * found.messages_in_per_second, abs=0.2)
    call(gateway.data, reported(messages=5, since=LOGGED_ON_AT + timedelta(hours=1)))
    again = {one.name: one for one in call(gateway.data, Status()).status.sessions}["TRADER37"].connection
    assert again is not None
    assert again.messages_in_per_second >= 0
    call(gateway.data, EdgeReport(()))
    assert session(gateway, "TRADER37")["connection"] is None


def test_a_person_gets_a_table(gateway: Gateway) -> None:
    """Every session in a line, with what the edge says of it."""
    call(gateway.data, reported(messages=1_234))
    said = CliRunner().invoke(app, ["status", "--data", str(gateway.data)])
    assert said.exit_code == 0
    for part in (f"fixgw {__version__}", "OMS 1 (SANDBOX)", "journal: turn", "READER50", "22:00:00", "1234"):
        assert part in said.stdout, said.stdout


def test_without_a_gateway_there_is_no_status(tmp_path: Path) -> None:
    """Exit code 1, and a line that says where nobody answers."""
    said = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    assert said.exit_code == 1
    assert "no gateway answers" in said.output
