"""The catalogue as it ships, and what is chosen of it."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from fixgw.certify import catalogue
from fixgw.certify.parser import ScriptError
from fixgw.certify.profile import load as load_profile
from tests.certify.build import HEADER
from tests.gateway import ROOT

SCRIPTS = catalogue.load()
CITED = re.compile(r"(docs/[a-z-]+\.md), ([A-Z][^:;)]*)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the table of scenarios."""
    path = ROOT / "scripts" / "generate_catalogue.py"
    spec = importlib.util.spec_from_file_location("generate_catalogue", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_scenarios_is_up_to_date(generator: ModuleType) -> None:
    """docs/certification.md lists what ships; `python scripts/generate_catalogue.py` writes it."""
    text = (ROOT / "docs" / "certification.md").read_text()
    assert generator.page(text) == text, "run scripts/generate_catalogue.py"


def test_every_script_applies_to_fixgw() -> None:
    """Its own profile lacks nothing that a script needs, but for a session with the extended dialect."""
    own = load_profile(ROOT / "config" / "certify-fixgw.toml")
    lacking = {own.lacks(script) for script in SCRIPTS}
    assert lacking == {"", "the profile has no roles.EXTENDED"}


def test_every_feature_is_explained_and_used() -> None:
    """In docs/certification.md, once; and the profile of fixgw offers what some script needs."""
    own = load_profile(ROOT / "config" / "certify-fixgw.toml")
    needed = {need for script in SCRIPTS for need in script.needs}
    text = (ROOT / "docs" / "certification.md").read_text()
    assert {feature: text.count(f"\n| `{feature}` | ") for feature in needed} == dict.fromkeys(needed, 1)
    assert own.features == needed


def test_every_rule_cites_a_source() -> None:
    """A page of FIX, of the API's document, or of docs/, whose section must be there under that name."""
    sources = ("FIX 4.4 Volume ", "CancelAllOrders, ", "CancelOrder, ", "SendOrder, ", "GetO", "docs/")
    for script in SCRIPTS:
        assert script.rule.startswith(sources), script.path
        for page, section in CITED.findall(script.rule):
            headings = HEADING.findall((ROOT / page).read_text())
            assert any(heading.startswith(section) for heading in headings), f"{script.path}: {section}"


def test_each_has_a_title_of_its_own() -> None:
    """As its number, so that a report can be read."""
    assert len({script.title for script in SCRIPTS}) == len(SCRIPTS)


def test_scripts_are_in_the_order_of_their_numbers() -> None:
    """Whatever order a directory is read in."""
    numbers = [script.number for script in SCRIPTS]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(("only", "numbers"), [("101", {101}), ("1xx", {1}), ("10x, 2xx", {10, 2})])
def test_what_is_chosen(only: str, numbers: set[int]) -> None:
    """By number, by ten or by hundred."""
    chosen = catalogue.choose(SCRIPTS, only)
    assert chosen
    for script in chosen:
        assert {script.number, script.number // 10, script.number // 100} & numbers


def test_the_short_catalogue() -> None:
    """Some of all, which can be narrowed further."""
    chosen = catalogue.choose(SCRIPTS, is_short=True)
    assert 0 < len(chosen) < len(SCRIPTS)
    assert all(script.is_short for script in catalogue.choose(SCRIPTS, "1xx", is_short=True))


@pytest.mark.parametrize("only", ["1", "x", "1x1", "101-103", "101,", "abc"])
def test_numbers_that_are_none(only: str) -> None:
    """What may stand there is said."""
    with pytest.raises(ScriptError, match="--only takes numbers as 101, 2xx or 31x"):
        catalogue.choose(SCRIPTS, only)


def test_a_number_that_no_scenario_has() -> None:
    """Nothing to play is a mistake, not a success."""
    with pytest.raises(ScriptError, match="no scenario has a number as 999"):
        catalogue.choose(SCRIPTS, "999")


def test_scenarios_of_a_desk(tmp_path: Path) -> None:
    """They are added; a number that is taken is told with both names."""
    (tmp_path / "901-ours.fix").write_text(HEADER + "logon TRADER\n")
    (tmp_path / "notes.txt").write_text("nothing to do with it")
    assert [script.name for script in catalogue.load(tmp_path) if script.number > 900] == ["ours"]
    (tmp_path / "101-ours.fix").write_text(HEADER + "logon TRADER\n")
    with pytest.raises(ScriptError, match=r"101-ours.fix: number 101 is that of scenarios/101-"):
        catalogue.load(tmp_path)


def test_a_directory_that_holds_no_scenario(tmp_path: Path) -> None:
    """It is a mistake in the command line: nothing of one's own would be played."""
    with pytest.raises(ScriptError, match="there is no scenario"):
        catalogue.load(tmp_path)
