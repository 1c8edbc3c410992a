"""docs/bridge.md says of every kind of mass cancel how each adapter carries it out."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fixgw.config import load
from fixgw.core.order import Side
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.adapters import ADAPTERS, place_of
from fixgw.edge.venues.contract import Adapter, Reach
from fixgw.edge.venues.openalgo.adapter import OpenAlgo
from tests.gateway import ROOT
from tests.venue_cases.bridge import KINDS, bridge_config

PAGE = (ROOT / "docs" / "bridge.md").read_text(encoding="utf-8")
REACHED = {
    "7": None,
    "1; 2 to 6 of one instrument": frozenset({25}),
    "2 to 6 of several": frozenset({25, 26}),
}


@dataclass(frozen=True)
class Row:
    """What a row of the table names, and how each kind carries it out."""

    user_id: int | None
    account_id: int | None
    instrument_ids: frozenset[int] | None
    reaches: tuple[str, ...]


def rows() -> list[Row]:
    """The table."""
    section = PAGE.split("\n## Which mass cancels are the venue's own\n", 1)[1].split("\n## ", 1)[0]
    found = []
    for line in [line for line in section.splitlines() if line.startswith("|")][2:]:
        user, account, scope, *reaches = (cell.strip() for cell in line.strip("|").split("|"))
        named = (37 if user == "named" else None, 14 if account == "named" else None, REACHED[scope])
        found.append(Row(*named, tuple(reaches)))
    return found


def made(kind: str, directory: Path) -> Adapter:
    """An adapter that has seen that nothing else is open on its venue."""
    config = load(bridge_config(directory, kind, "http://127.0.0.1:1"))
    adapter = ADAPTERS[kind](place_of(config, config.directory(), config.oms[0]), lambda _: None)
    if isinstance(adapter, OpenAlgo):
        adapter._ledger.take([], 0)
    return adapter


def test_the_table_has_every_row() -> None:
    """User and account, named or not, with each kind of scope: the eight rows of the selector, and more."""
    named = {(row.user_id, row.account_id, row.instrument_ids) for row in rows()}
    assert named == {
        (user, account, instruments)
        for user in (37, None)
        for account in (14, None)
        for instruments in REACHED.values()
    }
    assert len(rows()) == len(named)


@pytest.mark.parametrize("kind", KINDS)
def test_each_adapter_does_as_the_table_says(kind: str, tmp_path: Path) -> None:
    """With a side or a strategy besides, every one is fanned out."""
    adapter = made(kind, tmp_path)
    for row in rows():
        named = CancelSelector(1, row.account_id, row.user_id, row.instrument_ids)
        assert adapter.reach(named).value == row.reaches[KINDS.index(kind)], row
        for side, strategy in ((Side.BUY, None), (None, "S1"), (Side.SELL, "S1")):
            narrower = CancelSelector(1, row.account_id, row.user_id, row.instrument_ids, side, strategy)
            assert adapter.reach(narrower) is Reach.FAN_OUT
