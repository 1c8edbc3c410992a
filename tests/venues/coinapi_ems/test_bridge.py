"""A gateway whose venue speaks the dialect, from a FIX client to the orders on the venue; and its page."""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fixgw.config import ConfigError, load
from fixgw.config_tables import VenueTable
from fixgw.core.errors import ErrorCode
from fixgw.core.requests import FillOrder
from fixgw.edge.venues.adapters import ADAPTERS, place_of
from fixgw.edge.venues.coinapi_ems.adapter import REACHES
from fixgw.edge.venues.coinapi_ems.replies import REASONS
from fixgw.edge.venues.coinapi_ems.replies import STATUSES as WORDS
from fixgw.edge.venues.coinapi_ems.reports import STATUSES
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from tests.api.coinapi_ems.client import Rest
from tests.gateway import ROOT, until
from tests.venue_cases.bridge import Bridge
from tests.wire import Client, Message, cancel, fresh, mass, order

pytestmark = pytest.mark.bridge

EXAMPLE = ROOT / "config" / "bridge-coinapi-ems.toml"
PAGE = (ROOT / "docs" / "bridge-coinapi-ems.md").read_text(encoding="utf-8")


# The example and the page


def test_the_example_is_a_configuration_that_explains_every_key() -> None:
    """It loads, an adapter is made from it, and every key of [[venue]] is in it, with a comment above."""
    config = load(EXAMPLE)
    [oms] = config.oms
    place = place_of(config, config.directory(), oms)
    assert place.settings.kind == "coinapi_ems"
    adapter = ADAPTERS[place.settings.kind](place, lambda _: None)
    assert "key1" not in repr(adapter)
    assert tomllib.loads(EXAMPLE.read_text())["venue"][0].keys() == VenueTable.model_fields.keys()
    lines = EXAMPLE.read_text().splitlines()
    for key in VenueTable.model_fields:
        use = next(at for at, line in enumerate(lines) if line.startswith((f"[venue.{key}]", f"{key} =")))
        above = next(line for line in reversed(lines[:use]) if " =" not in line)
        assert above.startswith("#"), key


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('oms = "SANDBOX"', 'oms = "SANDBOX/14"', "oms: SANDBOX/14 has an account in it"),
        ('oms = "SANDBOX"', 'oms = ""', "oms: is missing"),
        ('api_key = "key1"', 'api_key = ""', "to log in it needs api_key"),
        ('14 = "14"\n15 = "15"', '14 = "-"\n15 = "-"', "accounts: - is there 2 times"),
        ("http://127.0.0.1", "http://example.com", "without TLS"),
    ],
)
def test_a_mistake_of_the_venue_is_said_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    """With the key that it is in."""
    text = EXAMPLE.read_text()
    assert old in text
    (tmp_path / "quickfix.cfg").write_text(
        (ROOT / "config" / "quickfix.cfg").read_text().replace("../spec", str(ROOT / "spec"))
    )
    (tmp_path / "gateway.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "gateway.toml", look_outside=False)
    assert any(said in problem for problem in refused.value.problems), refused.value.problems


def cells(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of the page."""
    text = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_page_has_every_status_of_an_order() -> None:
    """And what it is taken as."""
    documented = {
        word.strip("` "): row[1] for row in cells("How an order stands") for word in row[0].split(",")
    }
    assert documented.keys() - {"anything else"} == STATUSES.keys()
    for word, status in STATUSES.items():
        assert documented[word].startswith(status.value), word


def test_the_page_has_what_each_mass_cancel_is_carried_out_by() -> None:
    """The eight rows of the table in the code."""
    documented = {
        (row[0] != "–", row[1] != "–", row[2] != "–"): "native" in row[3] for row in cells("Mass cancels")
    }
    assert documented == {key: reach.value == "native" for key, reach in REACHES.items()}


def test_the_page_has_every_reply_that_is_an_error() -> None:
    """Every reject_reason and every status that has words of its own, with codes that there are."""
    rows = cells("Errors")
    text = "\n".join(row[0] for row in rows)
    for word in (*REASONS, *map(str, WORDS)):
        assert word in text, word
    assert {row[-1] for row in rows} <= {"–", "0", *(str(int(code)) for code in ErrorCode)}


# The bridge


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The two gateways, the venue being up."""
    with Bridge(tmp_path_factory.mktemp("bridge"), "coinapi_ems") as running:
        client = ready(running, "TRADER39")
        while entered(client)[1] != "0":  # the venue is not up yet
            pass
        client.send("q", *mass(fresh("q")))
        client.until(lambda message: message.type == "8" and message[39] == "4")
        yield running


@pytest.fixture(scope="module")
def rest(bridge: Bridge) -> Iterator[Rest]:
    """Calls to the venue, by another than the bridge."""
    made = Rest(bridge.back, "key37")
    yield made
    made.close()


def ready(bridge: Bridge, name: str = "TRADER37") -> Client:
    """A FIX client of the bridge, which the tests share."""
    assert bridge.front is not None
    return bridge.front.ready(name)


def entered(client: Client, account: int | None = None) -> tuple[str, str]:
    """A new Day order, and the OrdStatus(39) that it has when it is no longer pending."""
    cl_ord_id = fresh("o")
    client.send("D", *order(cl_ord_id, *([] if account is None else [(1, account)])))
    told = client.until(lambda m: m.type == "8" and m[11] == cl_ord_id and m[39] != "A")
    return cl_ord_id, str(told[-1][39])


def ended(client: Client, cl_ord_id: str, *extra: tuple[int, object]) -> Message:
    """Cancel an order; the last that is told of it."""
    client.send("F", *cancel(fresh("x"), cl_ord_id, *extra))
    return client.until(lambda message: message.type in ("8", "9") and message[39] != "6")[-1]


def there(rest: Rest, account: int = 14) -> str:
    """The only open order on the venue, by its id there."""
    [number] = rest.open_ids(f"SANDBOX/{account}")
    return number


def test_an_order_is_entered_on_the_venue_and_canceled_there(bridge: Bridge, rest: Rest) -> None:
    """New when the venue has it, canceled when the venue says so."""
    client = ready(bridge)
    cl_ord_id, status = entered(client)
    assert status == "0"
    assert there(rest)
    told = ended(client, cl_ord_id)
    assert (told.type, told[39]) == ("8", "4")
    assert rest.open_ids("SANDBOX/14") == []


def test_fills_are_told(bridge: Bridge, rest: Rest) -> None:
    """One by one, with what each adds."""
    client = ready(bridge)
    cl_ord_id, _ = entered(client)
    bridge.back.say(FillOrder(int(there(rest)), Decimal(4)))
    told = client.until(lambda message: message.type == "8" and message[39] == "1")[-1]
    assert (told[150], told[14], told[32], told[151]) == ("F", "4", "4", "6")
    assert ended(client, cl_ord_id)[14] == "4"


def test_a_mass_cancel_is_counted_and_each_end_is_told(bridge: Bridge) -> None:
    """With the venue's own cancel-all for an account, which takes nothing else."""
    client = ready(bridge)
    ours = {entered(client)[0] for _ in range(3)}
    other, _ = entered(client, 15)
    client.send("q", *mass(fresh("q"), "7", (1, 14)))
    told = client.until(lambda message: message.type == "r")
    assert told[-1][533] == "3"
    found: set[str] = set()
    while found != ours:
        told = client.until(lambda message: message.type == "8" and message[39] == "4")
        found.add(str(told[-1][41]))
    assert ended(client, other, (1, 15))[39] == "4"


def test_an_order_that_was_entered_on_the_venue_is_within_reach(bridge: Bridge, rest: Rest) -> None:
    """A mass cancel of the account takes it along."""
    rest.enter(exchange_id="SANDBOX/14")
    operator = ready(bridge, "OPERATOR1")
    operator.send("q", *mass(fresh("q"), "7", (1, 14)))
    assert operator.until(lambda message: message.type == "r")[-1][533] == "1"
    operator.until(lambda message: message.type == "8" and message[39] == "4")
    assert rest.open_ids("SANDBOX/14") == []


def test_a_cancel_that_the_venue_rejects_later_is_rejected(bridge: Bridge, rest: Rest) -> None:
    """With the venue's reason; and the order rests."""
    client = ready(bridge)
    cl_ord_id, _ = entered(client)
    bridge.back.say(HoldCancels())
    bridge.back.say(RefuseCancel(int(there(rest)), "in an auction"))
    client.send("F", *cancel(fresh("x"), cl_ord_id))
    assert client.until(lambda message: message[39] == "6")[-1].type == "8"
    until(lambda: rest.get("/v1/orders", exchange_id="SANDBOX/14")[1][0]["status"] == "PENDING_CANCEL")
    bridge.back.say(ReleaseCancels())
    told = client.until(lambda message: message.type == "9")
    assert "in an auction" in str(told[-1][58])
    assert ended(client, cl_ord_id)[39] == "4"


def test_what_the_venue_does_not_take_is_rejected_with_the_reason(bridge: Bridge, rest: Rest) -> None:
    """A market order: nothing was sent."""
    client, before = ready(bridge), rest.open_ids("SANDBOX/14")
    fields = [pair for pair in order(fresh("o")) if pair[0] not in (40, 44)]
    client.send("D", *fields, (40, 1))
    told = client.until(lambda message: message.type == "8" and message[39] == "8")[-1]
    assert "limit orders only" in str(told[58])
    assert rest.open_ids("SANDBOX/14") == before
