"""The list of the venue cases is the one that docs/bridge.md shows."""

from pathlib import Path

from tests.venue_cases.cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "bridge.md"


def test_the_page_has_every_case_with_its_number_and_name() -> None:
    """And why it is not played on the sandbox, where it is not."""
    shown = PAGE.read_text().split("\n## How it is shown\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in shown.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert rows == [f"| {one.number} | {one.name} | {one.why_not_sandbox or 'yes'} |" for one in CASES]


def test_no_two_cases_have_one_name() -> None:
    """And each has words on what is expected."""
    assert len({one.name for one in CASES}) == len(CASES)
    assert all(one.play.__doc__ for one in CASES)
