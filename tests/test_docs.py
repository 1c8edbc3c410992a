"""The documents stay true: what the code has is named in them, and what they show is what the code does."""

import ast
import re
import sys
from collections.abc import Iterator
from datetime import time
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.main import get_command

from fixgw import cli, exits
from fixgw.config_tables import LISTS
from fixgw.config_tables import TABLES as SINGLE
from fixgw.core.errors import ErrorCode, Failure, Refusal, Subject
from fixgw.core.reports import BusinessReject
from fixgw.fix import acceptor, application, inbound, outbound, reasons, settings
from fixgw.fix.dictionary import SOH, load
from tests.gateway import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TABLES = {**SINGLE, **LISTS}
KEYS = [(table, key) for table, model in TABLES.items() for key in model.model_fields]
DASH = "–"

Row = dict[str, str]


@cache
def read(name: str) -> str:
    """The text of a page, by its path from the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under the heading, up to the next one."""
    assert f"\n{heading}\n" in text, f"no heading {heading!r}"
    return re.split(r"\n#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1)[0]


def rows(text: str, first: str) -> list[Row]:
    """The rows of the table whose first column is called `first`, as column to cell."""
    lines = iter(text.splitlines())
    header = next((line for line in lines if line.startswith(f"| {first} |")), None)
    assert header is not None, f"no table with a first column {first!r}"
    columns = cells(header)
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        assert len(cells(line)) == len(columns), line
        found.append(dict(zip(columns, cells(line), strict=True)))
    return found


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


# The configuration


def shown(default: object) -> str:
    """A default as the documents write it: as TOML has it."""
    match default:
        case None:
            return "none"
        case Enum():
            return f'`"{default.value}"`'
        case time():
            return f"`{default:%H:%M:%S}`"
        case bool():
            return f"`{default}`".lower()
        case int():
            return f"`{default}`"
        case SecretStr():
            return f'`"{default.get_secret_value()}"`'
        case tuple():
            return "`[" + ", ".join(f'"{item}"' for item in default) + "]`"
        case _:
            return f'`"{default}"`'


@pytest.mark.parametrize("table", TABLES)
def test_the_page_on_configuration_has_every_key_with_its_default(table: str) -> None:
    """Every key of gateway.toml, no other, and the default that it has."""
    heading = f"### `[{table}]`" if table in SINGLE else f"### `[[{table}]]`"
    documented = {
        key.strip("`"): row["default"]
        for row in rows(section(read("docs/configuration.md"), heading), "key")
        for key in row["key"].split(", ")
    }
    fields = TABLES[table].model_fields
    expected = {
        key: "required" if field.is_required() else shown(field.get_default())
        for key, field in fields.items()
    }
    assert documented == expected


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_the_reference_configuration_explains_every_key(table: str, key: str) -> None:
    """A comment stands above the first use of a key, with nothing but other keys and its table between."""
    lines = read(f"config/{'bridge-alphapoint' if table == 'venue' else 'gateway'}.toml").splitlines()
    heading = f"[{table}]" if table in SINGLE else f"[[{table}]]"
    start = lines.index(heading)
    uses = (f"{key} =", f"[{table}.{key}]")
    use = next((number for number, line in enumerate(lines[start:], start) if line.startswith(uses)), None)
    assert use is not None, f"{heading} {key} is not in the reference configuration"
    above = next(
        line for line in reversed(lines[:use]) if not re.match(rf"[a-z_]+ =|{re.escape(heading)}", line)
    )
    assert above.startswith("#"), f"no comment on {heading} {key}"


@pytest.mark.parametrize(
    "setting", sorted(settings._REQUIRED.keys() | settings._OPTIONAL | set(settings._CHECKED))
)
def test_the_page_on_configuration_has_every_quickfix_setting(setting: str) -> None:
    """Every setting that may stand in quickfix.cfg."""
    assert f"`{setting}`" in section_of_cfg()


def test_the_page_on_configuration_has_the_values_that_must_be() -> None:
    """The settings whose value is fixed, and no others, with that value."""
    documented = {
        name: row["value"].strip("`")
        for row in rows(section_of_cfg(), "setting")
        for name in re.findall(r"`(\w+)`", row["setting"])
    }
    assert documented == {name: value for name, (value, _) in settings._REQUIRED.items()}


def section_of_cfg() -> str:
    return section(read("docs/configuration.md"), "## quickfix.cfg")


# The dialect


def tags_of(module: Any) -> Iterator[int]:
    """The tags that a module reads or writes, found in its source.

    That is: strings of digits that are looked up in fields, the integers given to `_tags` and `_fields`, what
    stands before a = in what is written, and the tags of the groups and of the scope's fields.
    """
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text):
                yield from (int(tag) for tag in re.findall(r"(?:^|\x01)([0-9]{1,5})=", text))
            case ast.Subscript(value=ast.Name(id="fields" | "party"), slice=ast.Constant(value=str() as tag)):
                yield int(tag)
            case ast.Compare(left=ast.Constant(value=str() as tag), ops=[ast.In() | ast.NotIn()]):
                yield from [int(tag)] if tag.isdecimal() else []
            case ast.Call(func=ast.Name(id="_tags" | "_add_group" | "_fields")):
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                yield from (value for value in constants(values) if isinstance(value, int))
            case ast.Call(func=ast.Attribute(attr="getField")):
                yield from (value for value in constants(node.args) if isinstance(value, int))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="named"))):
                pass  # not fields by tag, but parties by role
            case ast.Call(func=ast.Name(id="get") | ast.Attribute()):
                texts = (value for value in constants(node.args) if isinstance(value, str))
                yield from (int(value) for value in texts if value.isdecimal() and len(value) < 6)
            case ast.Tuple(elts=[ast.Constant(value=int() as tag), ast.Attribute()]):
                yield tag
            case _:
                pass


def constants(nodes: list[ast.expr]) -> Iterator[object]:
    for node in nodes:
        inner = node.value if isinstance(node, ast.Starred) else node
        if isinstance(inner, ast.Tuple):
            yield from constants(inner.elts)
        elif isinstance(inner, ast.Constant):
            yield inner.value


READ_OR_WRITTEN = sorted(
    {
        *tags_of(inbound),
        *tags_of(outbound),
        *tags_of(acceptor),
        *tags_of(application),
        *map(int, inbound._NEW_ORDER_TAGS | inbound._SCOPE_TAGS | inbound._MAY_DIFFER),
    }
)


def test_the_tags_are_found_in_the_code() -> None:
    """The search finds what is known to be there, one for each way of reading and writing."""
    assert {11, 38, 41, 48, 102, 336, 448, 534, 535, 554, 790, 1370, 1371, 1372, 20002} <= set(
        READ_OR_WRITTEN
    )


@pytest.mark.parametrize("tag", READ_OR_WRITTEN)
def test_the_page_on_the_dialect_has_every_tag(tag: int) -> None:
    """Every tag that is read or written, as name(tag)."""
    assert load().label(tag) in read("docs/fix-dialect.md")


RAW = [
    pytest.param(line, id=f"{page.name}:{number}")
    for page in PAGES
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    if line.startswith("8=FIX")
]


@pytest.mark.parametrize("line", RAW)
def test_every_message_that_is_shown_is_a_good_one(line: str) -> None:
    """The examples are whole messages: length, sum, required fields and groups; only bad values are shown."""
    problems = load().validate(line.replace("|", SOH))
    assert [problem for problem in problems if "is not one of its values" not in problem] == []


# The error codes


def error_rows() -> list[Row]:
    return rows(read("docs/error-codes.md"), "code")


def about(row: Row) -> str:
    return row["about"].strip("`")


def refusals(row: Row) -> list[Refusal]:
    """The refusals that a row stands for: `other` is everything that has no row of its own."""
    code, name = ErrorCode(int(row["code"])), about(row)
    if name in set(Subject):
        return [Refusal(code, "", Subject(name))]
    if name in set(Failure):
        return [Refusal(code, "", failure=Failure(name))]
    own = {about(other) for other in error_rows() if other["code"] == row["code"]}
    subjects = [subject for subject in Subject if subject not in own]
    return [Refusal(code, ""), *(Refusal(code, "", subject) for subject in subjects)]


@pytest.mark.parametrize("row", error_rows(), ids=lambda row: f"{row['code']}-{about(row)}")
def test_the_table_of_error_codes_has_the_numbers_of_the_code(row: Row) -> None:
    """Text, 102, 532, 103 and 380 of each row are what the code makes of such a refusal."""
    unsupported_type = about(row) == "message_type"
    for refusal in refusals(row):
        assert row["text"] == refusal.code.message
        reject = BusinessReject(1, "q", refusal, unsupported_type=unsupported_type)
        made = {
            "102": reasons.cxl_rej_reason(refusal),
            "532": reasons.mass_cancel_reject_reason(refusal),
            "103": reasons.ord_rej_reason(refusal),
            "380": reasons.business_reject_reason(reject),
        }
        documented = {column: row[column] for column in made if row[column] != DASH}
        assert documented
        assert documented == {column: str(made[column]) for column in documented}


def test_the_table_of_error_codes_is_complete_and_in_order() -> None:
    """Every code, in the order of precedence; every failure; every subject that FIX has a reason for."""
    found = error_rows()
    assert list(dict.fromkeys(int(row["code"]) for row in found)) == [code.value for code in ErrorCode]
    abouts = {about(row) for row in found}
    assert set(Failure) <= abouts
    assert set(reasons._SCOPE_REASONS) | {Subject.ACCOUNT} <= abouts
    for code in ErrorCode:
        assert "other" in {about(row) for row in found if row["code"] == str(code.value)}


# Operations


def test_the_page_on_operations_has_every_exit_code() -> None:
    """Every exit code, under its name, and 2, which is the command line's own."""
    documented = {
        row["name"].strip("`"): int(row["code"])
        for row in rows(section(read("docs/operations.md"), "## Exit codes"), "code")
    }
    constants = {name: value for name, value in vars(exits).items() if name.startswith("EXIT_")}
    assert documented == {**constants, "": 2}


def commands() -> list[str]:
    top: Any = get_command(cli.app)
    return [
        f"{name} {inner}" if inner else name
        for name, command in top.commands.items()
        for inner in (getattr(command, "commands", None) or [""])
    ]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    """Every command of the command line, as one types it."""
    pages = [page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md"]
    assert any(f"fixgw {command}" in page for page in pages)


def test_every_flag_of_serve_is_documented() -> None:
    """The flags of `fixgw serve`."""
    top: Any = get_command(cli.app)
    flags = {flag for parameter in top.commands["serve"].params for flag in parameter.opts} - {"--help"}
    table = rows(section(read("docs/configuration.md"), "## Flags of `fixgw serve`"), "flag")
    assert {row["flag"].strip("`").split()[0] for row in table} == flags


# All pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links lead to files that exist, and to headings that exist in them."""
    text = without_code(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get: lower case, hyphens for spaces, no other punctuation."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    """No absolute path of this checkout, this environment or this user."""
    text = page.read_text(encoding="utf-8")
    for path in {ROOT, Path.home(), Path(sys.prefix)}:
        if len(path.parts) > 1:
            assert not re.search(rf"(?<![\w.]){re.escape(str(path))}(?![\w-])", text), path
