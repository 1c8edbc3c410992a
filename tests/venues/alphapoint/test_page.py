"""docs/bridge-alphapoint.md says what the adapter does with each errorcode."""

from fixgw.core.errors import ErrorCode
from fixgw.edge.venues.alphapoint.replies import MEANINGS
from fixgw.edge.venues.contract import VenueRefusedError
from tests.gateway import ROOT

PAGE = (ROOT / "docs" / "bridge-alphapoint.md").read_text(encoding="utf-8")


def test_the_page_has_every_errorcode_with_what_it_means() -> None:
    """And what a client is told then."""
    section = PAGE.split("\n## Errors\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    documented = {row[0]: row[1:3] for row in rows if row[0].startswith("errorcode ")}
    assert {f"errorcode {code}" for code in MEANINGS} <= documented.keys()
    assert {ErrorCode(code) for code in MEANINGS if code in list(ErrorCode)} == set(ErrorCode)
    for code, meaning in MEANINGS.items():
        is_refused = meaning is VenueRefusedError
        what, told = documented[f"errorcode {code}"]
        assert what.startswith("refused" if is_refused else "outcome unknown"), code
        assert told == ("101" if is_refused else "–"), code
