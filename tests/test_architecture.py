"""The house rules that no linter knows: who may import whom, and how a module is written."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fixgw import supervisor

SOURCES = Path(__file__).parents[1] / "src"
MODULES = {
    ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCES.rglob("*.py"))
}
CORE = sorted(name for name in MODULES if name.startswith("fixgw.core"))
EDGE = sorted(name for name in MODULES if name.startswith("fixgw.edge"))
DOORS = ("fixgw.fix", "fixgw.edge.api", "fixgw.edge.venues")
API_LIBRARIES = ("fastapi", "fastapi_offline", "starlette", "uvicorn", "httptools")
LINES_MAX = 500

CLOCKS_AND_CHANCE = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
}
CLOCKS_AND_CHANCE |= {"sqlite3", "subprocess", "tempfile", "threading", "time", "uuid", "io", "sys"}
"""Of the standard library, what does I/O, knows the time, or is not the same twice."""


def imports(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """The dotted names that `source` imports, at whatever depth; of `from a import b`, both a and a.b."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


@cache
def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    return imports(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def door_of(module: str) -> str | None:
    return next((door for door in DOORS if is_within(module, door)), None)


def reachable(module: str) -> set[str]:
    """The modules of the project that `module` imports, directly or through others."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting.extend(name for name in imports_of(here) if name in MODULES)
    return seen


def calls(source: str) -> Iterator[str]:
    """The last names of everything that `source` calls."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    yield name


# the walker itself


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a.b", {"a.b"}),
        ("import a as c, d", {"a", "d"}),
        ("from a import b", {"a", "a.b"}),
        ("from . import b", {"fixgw.core", "fixgw.core.b"}),
        ("from .b import c", {"fixgw.core.b", "fixgw.core.b.c"}),
        ("from ..fix import b", {"fixgw.fix", "fixgw.fix.b"}),
        ("def f():\n    import a", {"a"}),
        ("if TYPE_CHECKING:\n    from a import b", {"a", "a.b"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None", {"a"}),
        ("x = 'import a'", set()),
    ],
)
def test_the_walker_sees_every_import(source: str, found: set[str]) -> None:
    """An import counts wherever it stands and however it is written."""
    assert imports(source, "fixgw.core.here") == found


def test_the_walker_sees_the_project() -> None:
    """The rules below look at all modules, and those that they name are there."""
    assert {"fixgw", "fixgw.core.oms", "fixgw.engine.desk", "fixgw.fix.acceptor"} <= MODULES.keys()
    assert len(CORE) > 10
    assert "fixgw.edge.logon" in EDGE
    assert {"fixgw.core.oms", "fixgw.core.order"} <= reachable("fixgw.engine.desk")


# who may import whom


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_nothing_but_itself(module: str) -> None:
    """core: the standard library only, the encoding library aside."""
    for name in imports_of(module):
        top = name.split(".")[0]
        assert is_within(name, "fixgw.core") or top in sys.stdlib_module_names | {"msgspec"}, name


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_no_io_and_has_no_clock(module: str) -> None:
    """The core is pure: no I/O, no clock, no randomness; time and ids are passed in."""
    assert not {name.split(".")[0] for name in imports_of(module)} & CLOCKS_AND_CHANCE
    used = set(calls(MODULES[module].read_text(encoding="utf-8")))
    assert not used & {"now", "utcnow", "today", "open", "print", "input", "__import__", "import_module"}


def test_the_desk_imports_no_door() -> None:
    """The desk knows no door, not through others either: doors come to it."""
    reached = reachable("fixgw.engine.desk")
    assert not {name for name in reached if door_of(name)}
    assert "fixgw.config" not in reached


@pytest.mark.parametrize("module", [name for name in MODULES if door_of(name)])
def test_doors_do_not_import_one_another(module: str) -> None:
    """The FIX door, the API and the venues never import one another."""
    own = door_of(module)
    assert {door_of(name) for name in imports_of(module)} <= {own, None}


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("quickfix", ("fixgw.fix",)),
        ("asyncio", ("fixgw.edge",)),
        ("ssl", ("fixgw.edge", "fixgw.certify", "fixgw.send")),
        ("simplefix", ("fixgw.certify",)),
        ("httpx", ("fixgw.edge.venues",)),
        ("websockets", ("fixgw.edge",)),
        *((library, ("fixgw.edge.api",)) for library in API_LIBRARIES),
    ],
    ids=["quickfix", "asyncio", "ssl", "simplefix", "httpx", "websockets", *API_LIBRARIES],
)
def test_a_library_that_stays_in_its_package(library: str, packages: tuple[str, ...]) -> None:
    """QuickFIX is for the FIX door, asyncio and the network for the edge, what serves HTTP for the API.

    The certification kit and `fixgw send`, which are clients, have TLS of their own, the kit simplefix too.
    """
    importers = {
        name for name in MODULES if any(is_within(imported, library) for imported in imports_of(name))
    }
    assert not {name for name in importers if not any(is_within(name, package) for package in packages)}


def test_the_supervisor_loads_no_quickfix() -> None:
    """The supervisor must outlive whatever QuickFIX does: it has none of it, not through others either."""
    reached = reachable("fixgw.supervisor")
    assert {"fixgw.watch", "fixgw.child", "fixgw.config"} <= reached
    assert not [name for name in reached if "quickfix" in imports_of(name)]


@pytest.mark.parametrize("module", EDGE)
def test_the_edge_is_not_the_engine(module: str) -> None:
    """The edge holds no truth: it knows no journal, and of the engine only the messages of the link."""
    for name in imports_of(module):
        assert not is_within(name, "fixgw.journal"), name
        messages = ("fixgw.engine.turn", "fixgw.engine.venue_asks")
        assert not is_within(name, "fixgw.engine") or any(is_within(name, one) for one in messages), name


@pytest.mark.parametrize("module", EDGE)
def test_the_edge_loads_no_quickfix(module: str) -> None:
    """Not through others either; and none of what only the command line or the journal needs."""
    for name in reachable(module):
        libraries = {imported.split(".")[0] for imported in imports_of(name)}
        assert not libraries & {"quickfix", "sqlite3", "typer", "rich"}, name


def test_nor_does_the_edge_load_rich_through_structlog() -> None:
    """It would, where rich is installed, but for the way in which its process is begun."""
    command = [*supervisor.EDGE, "--help"]
    command.insert(1, "-Ximporttime")
    found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines()}
    assert {"structlog.dev", "fixgw.edge.front"} <= loaded
    assert not [name for name in loaded if name.startswith("rich.")]


@pytest.mark.parametrize("module", ["fixgw.edge.__main__", "fixgw.engine.__main__", "fixgw.supervisor"])
def test_fix_starts_without_what_serves_the_api(module: str) -> None:
    """The other processes do not load it, not through others either."""
    assert not [name for name in reachable(module) if is_within(name, "fixgw.edge.api")]


@pytest.mark.parametrize("module", [name for name in MODULES if is_within(name, "fixgw.certify")])
def test_the_certification_kit_is_no_part_of_the_gateway(module: str) -> None:
    """It shares names and values of FIX with it, and no code that decides, keeps or sends."""
    shared = {
        "fixgw",
        "fixgw.certify",
        "fixgw.fix",
        "fixgw.fix.decode",
        "fixgw.fix.dictionary",
        "fixgw.secret_text",
    }
    own = {name for name in reachable(module) if not is_within(name, "fixgw.certify")}
    assert own <= shared


@pytest.mark.parametrize(
    "module", ["fixgw.cli", "fixgw.certify_commands", "fixgw.certify_client_command", "fixgw.send_command"]
)
def test_the_command_line_loads_the_certification_kit_late(module: str) -> None:
    """Only who certifies loads it: no module of the command line imports it at its top."""
    tops = ast.parse(MODULES[module].read_text(encoding="utf-8")).body
    at_top = ast.Module([node for node in tops if isinstance(node, ast.Import | ast.ImportFrom)], [])
    found = imports(ast.unparse(at_top), module)
    assert not [name for name in found if is_within(name, "fixgw.certify")]


def test_nothing_is_imported_by_its_name_in_a_string() -> None:
    """An import that the walker cannot see would be none of these rules' business: there is none."""
    for name, path in MODULES.items():
        assert not {"import_module", "__import__"} & set(calls(path.read_text(encoding="utf-8"))), name


# how a module is written


def docstring_of(module: str) -> str:
    return ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""


@pytest.mark.parametrize("module", MODULES)
def test_every_module_opens_with_a_docstring(module: str) -> None:
    """A module opens with one sentence."""
    first = docstring_of(module).partition("\n\n")[0]
    assert first.rstrip().endswith((".", ":", "!", "?")), f"{module} opens with {first!r}"


@pytest.mark.parametrize("module", MODULES)
def test_a_long_module_says_why(module: str) -> None:
    """Above 500 lines the top of the file says why it is so long, in a sentence about its lines."""
    lines = MODULES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= LINES_MAX or "lines" in docstring_of(module), f"{module} has {lines} lines"
