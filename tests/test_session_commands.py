"""`fixgw session disable`, `enable` and `logout` on a running gateway."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fixgw.cli import app
from fixgw.engine.turn import EdgeReport, Status
from fixgw.link import call
from tests.gateway import Gateway
from tests.wire import PATIENCE, Client, fresh, mass

DISABLED = "session disabled by the operator"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of its own."""
    with Gateway(tmp_path / "data") as running:
        yield running


def command(gateway: Gateway, what: str, name: str = "TRADER37") -> None:
    """Run `fixgw session`; it must be done."""
    said = CliRunner().invoke(app, ["session", what, name, "--data", str(gateway.data)])
    assert (said.exit_code, said.output) == (0, "done\n")


def logged_out(client: Client, text: str) -> None:
    """The client gets this Logout, and its connection ends."""
    assert client.expect("5")[58] == text
    with pytest.raises((ConnectionError, socket.timeout)):
        client.receive()
    client.close()


def refused(client: Client, *, resets: bool) -> None:
    """A Logon is answered by a Logout: the engine's, with the next number, or the edge's, with the first."""
    client.connect()
    if resets:
        client.sent = client.expected = 1
    flag = ((141, "Y"),) if resets else ()
    client.send("A", (98, 0), (108, 30), (553, client.username), (554, client.password), *flag)
    answer = client._read(PATIENCE)
    assert answer.type == "5"
    client.expected += int(answer[34]) == client.expected
    client.close()


def comes_back(client: Client, *, resets: bool = False) -> None:
    """Log on as soon as the edge has heard that it may, which takes up to a second."""
    deadline, expected = time.monotonic() + PATIENCE, client.expected
    while True:
        try:
            if client.logon(reset=resets).type == "A":
                return
        except AssertionError:  # the edge's Logout has a number that is none of the session's
            assert time.monotonic() < deadline
        client.close()
        client.expected = expected
        time.sleep(0.05)


def is_disabled(gateway: Gateway, name: str = "TRADER37") -> bool:
    """What the status and the answer to the edge say."""
    status = call(gateway.data, Status()).status
    shown = next(session.is_disabled for session in status.sessions if session.name == name)
    assert (name in call(gateway.data, EdgeReport(())).disabled) == shown
    return shown


@pytest.mark.parametrize(
    "resets", [pytest.param(False, marks=pytest.mark.long, id="goes on"), pytest.param(True, id="141=Y")]
)
def test_a_disabled_client_is_out_until_it_is_enabled(gateway: Gateway, *, resets: bool) -> None:
    """It is logged out at once, its Logons count for nothing, and it comes back with its numbers."""
    trader, other = gateway.client("TRADER37"), gateway.client("TRADER38")
    trader.rest()
    command(gateway, "disable")
    logged_out(trader, DISABLED)
    assert is_disabled(gateway)
    sent, expected = trader.sent, trader.expected
    for _ in range(3):
        refused(trader, resets=resets)
        if resets:
            trader.sent, trader.expected = sent, expected
    other.rest()
    command(gateway, "enable")
    assert not is_disabled(gateway)
    comes_back(trader)
    trader.rest()
    trader.quiet()


def test_a_session_stays_disabled_over_restarts_and_resets(gateway: Gateway) -> None:
    """A crash, a clean stop, and a reset of its numbers by hand."""
    trader = gateway.client("TRADER37")
    command(gateway, "disable")
    logged_out(trader, DISABLED)
    gateway.kill()
    gateway.start()
    assert is_disabled(gateway)
    command(gateway, "reset")
    assert is_disabled(gateway)
    assert gateway.stop() == 0
    gateway.start()
    assert is_disabled(gateway)
    refused(trader, resets=True)
    command(gateway, "enable")
    gateway.kill()
    gateway.start()
    assert not is_disabled(gateway)
    comes_back(trader, resets=True)


def test_the_orders_of_a_disabled_session_can_be_canceled_and_it_is_told_later(gateway: Gateway) -> None:
    """Its reports wait for it as for any client that is away."""
    trader, operator = gateway.client("TRADER37"), gateway.client("OPERATOR1")
    resting = trader.rest()
    command(gateway, "disable")
    logged_out(trader, DISABLED)
    operator.send("q", *mass(fresh("m")))
    operator.expect("r|533=1")
    operator.expect(f"8|150=4|37={resting.order_id}")
    command(gateway, "enable")
    comes_back(trader)
    trader.expect(f"8|150=4|37={resting.order_id}|43=Y")


def test_a_client_that_is_logged_out_may_come_back(gateway: Gateway) -> None:
    """With its own numbers, at once."""
    trader = gateway.client("TRADER37")
    for _ in range(3):
        trader.rest()
        command(gateway, "logout")
        logged_out(trader, "logged out by the operator")
        assert not is_disabled(gateway)
        assert trader.logon().type == "A"
    trader.quiet()


def test_a_client_that_is_away_can_be_disabled_and_logged_out(gateway: Gateway) -> None:
    """Nobody is there to be told; twice is the same as once."""
    command(gateway, "logout")
    for what, disabled in (("disable", True), ("disable", True), ("enable", False), ("enable", False)):
        command(gateway, what)
        assert is_disabled(gateway) == disabled
    trader = gateway.client("TRADER37", logon=False)
    comes_back(trader, resets=True)
    trader.rest()


def test_a_session_that_is_not_there_is_104(gateway: Gateway) -> None:
    """Nothing is done, and the command says so."""
    for what in ("disable", "enable", "logout", "reset"):
        said = CliRunner().invoke(app, ["session", what, "NOBODY", "--data", str(gateway.data)])
        assert said.exit_code == 1, what
        assert "errorcode 104" in said.output
        assert "there is no session NOBODY" in said.output


def test_who_said_so_is_logged(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's name, also behind sudo."""
    monkeypatch.setenv("SUDO_USER", "alice")
    for what, event in (
        ("disable", "session disabled"),
        ("enable", "session enabled"),
        ("logout", "session logged out"),
    ):
        command(gateway, what, "TRADER39")
        line = json.loads(gateway.log_lines(f'"{event}"')[0])
        assert (line["session"], line["by"]) == ("TRADER39", "alice")
