"""The controls from the command line, and what they do to clients of the API."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixgw.cli import app
from tests.api.alphapoint.client import Web, order
from tests.gateway import Gateway
from tests.wire import mass


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with its API."""
    with Gateway(tmp_path_factory.mktemp("doors") / "data", api=True) as running:
        yield running


@pytest.fixture
def web(gateway: Gateway) -> Iterator[Web]:
    """User 37 over HTTP; no order is open."""
    gateway.clean()
    client = Web(gateway.api_port, "trader37")
    yield client
    client.http.close()


def fixgw(gateway: Gateway, *words: str) -> Result:
    """Run a command on the gateway."""
    return CliRunner().invoke(app, [*words, "--data", str(gateway.data)])


def test_a_killed_user_is_out_on_every_door_until_he_is_unlocked(gateway: Gateway, web: Web) -> None:
    """`fixgw kill` cancels what he entered over the API, and keeps his orders out there and on FIX."""
    trader = gateway.ready("TRADER37")
    entered = web.post("SendOrder", **order())
    trader.expect(f"8|150=0|37={entered['OrderId']}")
    killed = fixgw(gateway, "kill", "--user", "37")
    assert killed.exit_code == 0
    found = re.fullmatch(
        r"SANDBOX: 1 orders canceled, 0 pending, 0 not canceled\nlocks in force: (\d+); see 'fixgw status'\n",
        killed.output,
    )
    assert found is not None
    trader.expect(f"8|150=4|37={entered['OrderId']}|58=canceled by an operator's kill switch")
    refused = web.post("SendOrder", **order())
    assert (refused["status"], refused["errorcode"]) == ("Rejected", 20)
    assert refused["detail"].startswith("new orders are locked by the operator")
    assert web.post("GetOpenOrders", OMSId=1, AccountId=14) == []
    assert web.post("CancelAllOrders", OMSId=1, AccountId=14)["result"] is True
    trader.send("q", *mass("under-a-lock"))
    trader.expect("r|531=7|533=0")
    lock_id = found[1]
    shown = fixgw(gateway, "status").output
    assert f"lock {lock_id}: new orders of OMS 1 (user 37) are refused, by the operator " in shown
    [lock] = json.loads(fixgw(gateway, "status", "--json").output)["locks"]
    assert lock["lock_id"] == int(lock_id)
    codes = [fixgw(gateway, "unlock", lock_id).exit_code for _ in range(2)]
    assert codes == [0, 1]
    assert web.post("SendOrder", **order())["status"] == "Accepted"
    trader.drain()


def test_kill_says_what_it_needs(gateway: Gateway) -> None:
    """Nothing named, or everything and something: it asks back, and nothing is canceled."""
    for words in ((), ("--all", "--user", "37"), ("--all", "--oms", "NO-SUCH")):
        said = fixgw(gateway, "kill", *words)
        assert said.exit_code == 2
    refused = fixgw(gateway, "kill", "--user", "999")
    assert refused.exit_code == 1
    assert "PartyID(448)=999" in refused.output
    assert "locks in force" not in fixgw(gateway, "kill", "--all", "--no-lock").output


def test_without_a_gateway_it_says_so(tmp_path: Path) -> None:
    """Exit code 1, and where nobody answered."""
    for words in (("kill", "--all"), ("unlock", "1")):
        said = CliRunner().invoke(app, [*words, "--data", str(tmp_path)])
        assert said.exit_code == 1
        assert str(tmp_path) in said.output.replace("\n", "")
