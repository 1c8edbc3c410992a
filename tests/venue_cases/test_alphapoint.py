"""The venue cases on a venue that speaks alphapoint: another gateway, over sockets."""

from collections.abc import Iterator

import pytest

from tests.venue_cases.cases import Case, cases_for
from tests.venue_cases.stage import Stage, opened


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all cases."""
    with opened("alphapoint", tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.mark.parametrize("case", cases_for("alphapoint"), ids=str)
def test_case(stage: Stage, case: Case) -> None:
    """Each of the list."""
    case.run(stage)
