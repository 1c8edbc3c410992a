"""Faults that an acceptor can have, and the switch between them.

A fault stands in for one function of the gateway. All faults are compiled into one engine and one edge (see
`wrong_gateway`); a file names the one that is active, so that one gateway serves them all, one after another.
"""

import importlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SWITCH = "FIXGW_FAULT"
"""The environment variable that holds the path of the file with the active fault's name."""

MODULES = ("orders", "repeated", "selection", "reports", "status", "sessions", "refusals", "controls")
"""The modules of this package that hold faults."""

Original = Callable[..., Any]
Wrong = Callable[..., Any]


class Fault(NamedTuple):
    """One function that is wrong in one way.

    `scenario` is the number of the one that it is made for, though others may notice it too. `wrong` is
    called with the original function of `owner` before the arguments. Several may share one name.
    """

    name: str
    scenario: int
    says: str
    owner: Any
    attribute: str
    wrong: Wrong


FAULTS: list[Fault] = []


def add(scenario: int, owner: Any, attribute: str, wrong: Wrong, named: Callable[..., Any]) -> None:
    """Register `wrong`; name and meaning are those of the function `named`."""
    name = named.__name__.strip("_").replace("_", "-")
    FAULTS.append(Fault(name, scenario, (named.__doc__ or "").strip(), owner, attribute, wrong))


def fault(scenario: int, owner: Any, attribute: str) -> Callable[[Wrong], Wrong]:
    """Have the decorated function stand in for `owner.attribute`."""

    def register(wrong: Wrong) -> Wrong:
        add(scenario, owner, attribute, wrong, wrong)
        return wrong

    return register


def load() -> list[Fault]:
    """Every fault there is."""
    for name in MODULES:
        importlib.import_module(f"tests.mutants.{name}")
    return FAULTS


def names_by_scenario() -> dict[int, list[str]]:
    """The names of the faults that each scenario is made to notice."""
    found: dict[int, list[str]] = {}
    for one in load():
        names = found.setdefault(one.scenario, [])
        if one.name not in names:
            names.append(one.name)
    return found


def install(switch: Path) -> None:
    """Put a dispatcher in the place of everything that some fault changes."""
    places: defaultdict[tuple[Any, str], dict[str, Wrong]] = defaultdict(dict)
    for one in load():
        places[one.owner, one.attribute][one.name] = one.wrong
    for (owner, attribute), wrongs in places.items():
        setattr(owner, attribute, _dispatcher(getattr(owner, attribute), wrongs, switch))


def _dispatcher(original: Original, wrongs: dict[str, Wrong], switch: Path) -> Original:
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        wrong = wrongs.get(switch.read_text())
        return original(*args, **kwargs) if wrong is None else wrong(original, *args, **kwargs)

    return dispatched
