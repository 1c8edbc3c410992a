"""The venue cases that every run plays: a choice for each kind; `make cases` plays them all."""

from collections.abc import Iterator

import pytest

from tests.venue_cases.bridge import KINDS
from tests.venue_cases.cases import CASES
from tests.venue_cases.stage import Stage, opened

PLAYED = {
    "alphapoint": (1, 2, 3, 4, 5, 8, 9, 19),
    "coinapi_ems": (2, 3, 4, 8, 9, 12, 15, 16),
    "openalgo": (1, 2, 3, 8, 9, 15, 19),
}
"""By their numbers: those that wait for little, and a restart."""


@pytest.fixture(scope="module", params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all cases of a kind."""
    with opened(request.param, tmp_path_factory.mktemp("stage")) as stage:
        yield stage


def test_cases_of_the_choice(stage: Stage) -> None:
    """Each passes, one after the other."""
    for number in PLAYED[stage.kind]:
        CASES[number - 1].run(stage)
