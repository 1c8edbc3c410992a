"""What a new configuration means for a gateway that runs: what changed, and what each change takes."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct
from pydantic import BaseModel

from fixgw.config import Config
from fixgw.config_tables import SessionTable
from fixgw.fix.settings import SessionSettings


class Consequence(StrEnum):
    """What a change takes to be in force."""

    RELOAD = "it is passed on to the engine, the edge and the API"
    API = "the API restarts"
    ENGINE = "the engine restarts"
    START = "the gateway has to be stopped and started"


_BY_TABLE = {
    "gateway": Consequence.START,
    "fix": Consequence.START,
    "api": Consequence.API,
    "supervisor": Consequence.START,
    "log": Consequence.START,
    "journal": Consequence.ENGINE,
    "oms": Consequence.ENGINE,
    "instrument": Consequence.ENGINE,
    "dialect": Consequence.API,
}
"""The tables that are more than a reload."""
_BY_KEY = {("fix", "settings"): Consequence.ENGINE, ("api", "enabled"): Consequence.START}
"""The keys that are not as their tables."""


class InForce(Struct, frozen=True):
    """A configuration and the QuickFIX settings of the file that it names, both as they were read."""

    config: Config
    settings: SessionSettings


def read(config: Config) -> InForce:
    """The configuration with its QuickFIX settings. Raises OSError."""
    return InForce(config, config.fix_settings)


def changes(old: InForce, new: InForce) -> Mapping[Consequence, tuple[str, ...]]:
    """What is not the same, by the names that a person knows it by, for each consequence that there is."""
    found: dict[Consequence, list[str]] = {}
    for consequence, name in _changes(old.config, new.config):
        found.setdefault(consequence, []).append(name)
    if old.settings != new.settings:
        found.setdefault(Consequence.ENGINE, []).append(new.settings.path.name)
    return {consequence: tuple(names) for consequence, names in found.items()}


def kept(old: InForce, new: InForce) -> InForce:
    """`new`, but with what only a new start changes as it was: what is in force after a reload."""
    tables = {name: getattr(old.config, name) for name, of in _BY_TABLE.items() if of is Consequence.START}
    tables["fix"] = old.config.fix.model_copy(update={"settings": new.config.fix.settings})
    tables["api"] = new.config.api.model_copy(update={"enabled": old.config.api.enabled})
    return InForce(new.config.model_copy(update=tables), new.settings)


def _changes(old: Config, new: Config) -> Iterator[tuple[Consequence, str]]:
    for name in Config.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        of = _BY_TABLE.get(name, Consequence.RELOAD)
        if before == after or name == "path":
            continue
        if isinstance(before, BaseModel):
            for key in _differing(before, after):
                yield _BY_KEY.get((name, key), of), f"[{name}] {key}"
        elif name == "session":
            yield from _session_changes(before, after)
        else:
            yield of, f"[[{name}]]"


def _session_changes(
    old: tuple[SessionTable, ...], new: tuple[SessionTable, ...]
) -> Iterator[tuple[Consequence, str]]:
    before, after = ({row.comp_id: row for row in rows} for rows in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Consequence.ENGINE, f"[[session]] {name}"
            continue
        for key in _differing(before[name], after[name]):
            of = Consequence.ENGINE if key == "reset_at" else Consequence.RELOAD
            yield of, f"[[session]] {name} {key}"


def _differing(before: BaseModel, after: BaseModel) -> Iterator[str]:
    for key in type(before).model_fields:
        if getattr(before, key) != getattr(after, key):
            yield key
