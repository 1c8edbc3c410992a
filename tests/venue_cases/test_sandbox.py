"""The venue cases on the embedded sandbox, without a wire."""

from collections.abc import Iterator

import pytest

from tests.venue_cases.cases import Case, cases_for
from tests.venue_cases.stage import Stage, opened


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all cases."""
    with opened("sandbox", tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.mark.parametrize("case", cases_for("sandbox"), ids=str)
def test_case(stage: Stage, case: Case) -> None:
    """Each of the list."""
    case.run(stage)
