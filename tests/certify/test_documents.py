"""docs/certification.md says what is: keys of the profile, flags, and an example that can be read."""

import re
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from fixgw import cli
from fixgw.certify import profile
from fixgw.certify.grammar import BY_ITSELF, KEYED
from fixgw.certify.parser import parse
from tests.gateway import ROOT

PAGE = (ROOT / "docs" / "certification.md").read_text(encoding="utf-8")
TABLES: dict[str, type[BaseModel]] = {
    "[connection]": profile.Connection,
    "[roles.NAME]": profile.Role,
    "[instruments.X]": profile.Instrument,
    "[clean_up]": profile.CleanUp,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_table_is_documented(table: str) -> None:
    """And no other."""
    rows = re.findall(rf"^\| `{re.escape(table)}` ([^|]*) \|", PAGE, re.MULTILINE)
    documented = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert documented == set(TABLES[table].model_fields)


def test_every_table_and_key_of_the_profile_is_documented() -> None:
    """Those that are no table of their own."""
    for key in profile.Profile.model_fields.keys() - {"directory"}:
        assert re.search(rf"^\| `(\[{key}\b|{key}`)", PAGE, re.MULTILINE), key


def test_every_flag_is_documented() -> None:
    """The flags of `fixgw certify`."""
    top: Any = get_command(cli.app)
    flags = {flag for one in top.commands["certify"].params for flag in one.opts if flag.startswith("--")}
    for flag in flags - {"--help"}:
        assert f"`{flag}" in PAGE, flag


def test_every_placeholder_is_documented() -> None:
    """Those of the profile, and those of the session."""
    for word in {*KEYED, *BY_ITSELF}:
        assert re.search(rf"`\{{{word}\b", PAGE), word


def test_the_example_is_a_script() -> None:
    """It can be read as it stands."""
    example = re.search(r"```text\n(title: .*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert len(parse(example[1], "901-example.fix").steps) == 9


def test_every_kind_of_step_is_documented() -> None:
    """By the word that it begins with."""
    for word in ("logon", "connect", "logout", "cut", "control", "pause", "ask", "any order"):
        assert f"| `{word}" in PAGE, word
