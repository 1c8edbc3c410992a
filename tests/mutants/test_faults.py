"""Each scenario of the catalogue has a fault that it notices; a sample of them is played here.

`make certify` plays all of them (`scripts/faults.py`).
"""

from collections.abc import Iterator

import pytest

from fixgw.certify import catalogue
from tests.mutants import switch
from tests.mutants.matrix import WrongGateway

SCRIPTS = {script.number: script for script in catalogue.load()}
FAULTS = switch.names_by_scenario()
SAMPLE = [101, 107, 124, 133, 159, 203, 211, 222, 234, 240, 252, 261, 291, 321, 421, 501, 511, 542, 602, 612]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongGateway]:
    """One for all faults."""
    with WrongGateway(tmp_path_factory.mktemp("wrong")) as running:
        yield running


def test_every_scenario_has_a_fault_of_its_own() -> None:
    """One that is made for it, whatever others notice it too."""
    assert sorted(set(SCRIPTS) - set(FAULTS)) == []
    assert sorted(set(FAULTS) - set(SCRIPTS)) == []


def test_every_fault_has_a_name_of_its_own() -> None:
    """And says what is wrong; one name may stand for changes in several places."""
    names = [name for names in FAULTS.values() for name in names]
    assert len(names) == len(set(names))
    assert {one.name for one in switch.load() if one.says.endswith(".")} == set(names)


@pytest.mark.parametrize("number", SAMPLE)
def test_a_fault_is_noticed(gateway: WrongGateway, number: int) -> None:
    """The true gateway passes; the one with the fault fails where the scenario looks at an answer."""
    for fault in FAULTS[number]:
        verdict = gateway.verdict(SCRIPTS[number], fault)
        assert verdict.problem == ""
        assert verdict.noticed, f"{number} does not notice {fault}"
