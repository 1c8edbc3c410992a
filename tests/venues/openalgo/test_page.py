"""docs/bridge-openalgo.md and the example configuration say what the adapter does."""

import re
from pathlib import Path

import pytest

from fixgw.config import ConfigError, load
from fixgw.config_tables import VenueTable
from fixgw.edge.venues.adapters import ADAPTERS, place_of
from fixgw.edge.venues.openalgo.replies import MEANINGS, STATUSES
from tests.gateway import ROOT
from tests.venues.openalgo.test_adapter import Scene

EXAMPLE = ROOT / "config" / "bridge-openalgo.toml"
PAGE = (ROOT / "docs" / "bridge-openalgo.md").read_text(encoding="utf-8")
NOT_OPENALGO = {"ws_url", "username", "password", "user_id", "api_secret"}


def cells(heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    text = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_example_is_a_whole_configuration() -> None:
    """It is loaded, and an adapter is made from it."""
    config = load(EXAMPLE)
    [oms] = config.oms
    place = place_of(config, config.directory(), oms)
    assert place.api_key == "key37"
    assert ADAPTERS[place.settings.kind] is not None
    assert "key37" not in repr(Scene(place, None).adapter)


@pytest.mark.parametrize("key", sorted(VenueTable.model_fields.keys() - NOT_OPENALGO))
def test_the_example_explains_every_key(key: str) -> None:
    """A comment stands above each key of [[venue]] that matters here, but those that stand together."""
    text = EXAMPLE.read_text(encoding="utf-8").split("[[venue]]\n", 1)[1]
    assert re.search(rf"^# .*\n(\w+ = .*\n)?(\[venue\.{key}\]|{key} = )", text, re.MULTILINE)


def test_the_page_has_every_status_of_an_order() -> None:
    """And what it is taken as."""
    documented = {row[0].strip("`"): row[1] for row in cells("How an order stands")}
    assert documented.keys() - {"anything else"} == STATUSES.keys()
    for word, status in STATUSES.items():
        assert documented[word].startswith(status.value)


def test_the_page_has_every_meaning_of_a_reply() -> None:
    """The HTTP statuses of the table in the code, with the errorcode that a client is told."""
    documented = cells("Errors")
    for meaning in MEANINGS:
        first = str(meaning.first) if meaning.last - meaning.first < 99 else f"{meaning.first // 100}xx"
        row = next(row for row in documented if first in row[0])
        assert row[-1] == ("–" if meaning.code is None else str(int(meaning.code)))


def test_an_instrument_needs_an_exchange(tmp_path: Path) -> None:
    """Its own, or that of the venue."""
    for name in ("bridge-openalgo.toml", "bridge-quickfix.cfg"):
        text = (ROOT / "config" / name).read_text().replace("../spec/", f"{ROOT / 'spec'}/")
        (tmp_path / name).write_text(text.replace('oms = "SANDBOX"\n', ""))
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "bridge-openalgo.toml")
    assert any("BTC-USD has no exchange: write EXCHANGE:BTC-USD" in line for line in error.value.problems)
