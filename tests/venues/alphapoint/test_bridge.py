"""A gateway whose venue speaks AlphaPoint, from a FIX client to the orders on the venue."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixgw.config import ConfigError, load
from fixgw.config_tables import VenueTable
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.link import Reply
from tests.api.alphapoint.client import Web
from tests.gateway import ROOT
from tests.venue_cases.bridge import Bridge
from tests.wire import Client, cancel, fresh, mass, order

pytestmark = pytest.mark.bridge

EXAMPLE = ROOT / "config" / "bridge-alphapoint.toml"


def test_the_example_is_a_configuration_that_explains_every_key() -> None:
    """It loads, and every key of [[venue]] is in it, with a comment above."""
    config = load(EXAMPLE)
    (venue,) = config.venue
    assert (venue.kind, config.oms[0].venue) == ("alphapoint", venue.name)
    assert tomllib.loads(EXAMPLE.read_text())["venue"][0].keys() == VenueTable.model_fields.keys()
    lines = EXAMPLE.read_text().splitlines()
    for key in VenueTable.model_fields:
        use = next(at for at, line in enumerate(lines) if line.startswith((f"[venue.{key}]", f"{key} =")))
        above = next(line for line in reversed(lines[:use]) if " =" not in line)
        assert above.startswith("#"), key


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('oms = "1"', 'oms = "SANDBOX"', "oms: SANDBOX is not a number"),
        ('14 = "14"', '14 = "x"', "accounts: x is not a number"),
        ('BTC-USD = "25"', 'BTC-USD = "025"', "instruments: 025 is not a number"),
        ('user_id = "1"', 'user_id = ""', "to log in it needs"),
        ("http://127.0.0.1", "http://example.com", "without TLS"),
    ],
)
def test_a_mistake_of_the_venue_is_said_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    """With the key that it is in."""
    text = EXAMPLE.read_text()
    assert old in text
    (tmp_path / "bridge-quickfix.cfg").write_text(
        (ROOT / "config" / "bridge-quickfix.cfg").read_text().replace("../spec", str(ROOT / "spec"))
    )
    (tmp_path / "gateway.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "gateway.toml", look_outside=False)
    assert any(said in problem for problem in refused.value.problems), refused.value.problems


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The two gateways, the venue being up."""
    with Bridge(tmp_path_factory.mktemp("bridge"), "alphapoint") as running:
        client = ready(running, "TRADER39")
        while entered(client)[1] != "0":  # the venue is not up yet
            pass
        client.send("q", *mass(fresh("q")))
        client.until(lambda message: message.type == "8" and message[39] == "4")
        yield running


def ready(bridge: Bridge, name: str) -> Client:
    """A FIX client of the bridge, which the tests share."""
    assert bridge.front is not None
    return bridge.front.ready(name)


def entered(client: Client) -> tuple[str, str]:
    """A new order, and the OrdStatus(39) that it has when it is no longer pending."""
    cl_ord_id = fresh("o")
    client.send("D", *order(cl_ord_id))
    told = client.until(lambda m: m.type == "8" and m[11] == cl_ord_id and m[39] != "A")
    return cl_ord_id, str(told[-1][39])


def test_an_order_is_entered_on_the_venue_and_canceled_there(bridge: Bridge) -> None:
    """New when the venue has it, canceled when the venue says so."""
    client = ready(bridge, "TRADER37")
    cl_ord_id, status = entered(client)
    assert status == "0"
    client.send("F", *cancel(fresh("x"), cl_ord_id))
    told = client.until(lambda message: message.type in ("8", "9") and message[39] != "6")
    assert (told[-1].type, told[-1][39]) == ("8", "4")


def test_a_mass_cancel_is_counted_and_each_end_is_told(bridge: Bridge) -> None:
    """With the venue's own cancel-all for an account, which takes nothing else."""
    client = ready(bridge, "TRADER37")
    ours = {entered(client)[0] for _ in range(3)}
    client.send("D", *order(other := fresh("o"), (1, 15)))
    client.until(lambda message: message.type == "8" and message[11] == other and message[39] == "0")
    client.send("q", *mass(fresh("q"), "7", (1, 14)))
    told = client.until(lambda message: message.type == "r")
    assert told[-1][533] == "3"
    ended: set[str] = set()
    while ended != ours:
        told = client.until(lambda message: message.type == "8" and message[39] == "4")
        ended.add(str(told[-1][41]))
    client.send("F", *cancel(fresh("x"), other, (1, 15)))
    client.until(lambda message: message.type == "8" and message[39] == "4")


def test_an_order_that_was_entered_on_the_venue_is_within_reach(bridge: Bridge) -> None:
    """A mass cancel of the account takes it along."""
    web = Web(bridge.back.api_port, "trader38")
    there = web.enter(AccountId=14)
    operator = ready(bridge, "OPERATOR1")
    operator.send("q", *mass(fresh("q"), "7", (1, 14)))
    told = operator.until(lambda message: message.type == "r")
    assert told[-1][533] == "1"
    operator.until(lambda message: message.type == "8" and message[39] == "4")
    assert web.state(there) == "Canceled"
    web.http.close()


def test_a_cancel_that_the_venue_rejects_later_is_rejected(bridge: Bridge) -> None:
    """With the venue's reason; and the order rests."""
    client = ready(bridge, "TRADER37")
    cl_ord_id, _ = entered(client)
    web = Web(bridge.back.api_port, "trader37")
    (there,) = [one["OrderId"] for one in web.post("GetOpenOrders", OMSId=1, AccountId=14)]
    for said in (HoldCancels(), RefuseCancel(there, "in an auction")):
        assert bridge.back.say(said) == Reply()
    client.send("F", *cancel(fresh("x"), cl_ord_id))
    assert client.until(lambda message: message[39] == "6")[-1].type == "8"
    assert bridge.back.say(ReleaseCancels()) == Reply()
    told = client.until(lambda message: message.type == "9")
    assert "in an auction" in str(told[-1][58])
    client.send("F", *cancel(fresh("x"), cl_ord_id))
    client.until(lambda message: message.type == "8" and message[39] == "4")
    web.http.close()
