"""SIGHUP in the engine: the configuration is read again, and what can change between two turns does.

An invalid configuration changes nothing. What needs a start (another set of sessions, OMSes or instruments,
`reset_at`, paths, ports, the journal) is only said: the supervisor starts the engine again for it.
"""

import signal
from collections.abc import Iterator
from types import FrameType

import structlog

from fixgw.config import Config, ConfigError, load
from fixgw.core.update import update_of
from fixgw.engine.desk import Desk

log = structlog.get_logger("fixgw")

STARTED_WITH = ("gateway", "fix", "journal", "log")  # the tables that an engine reads at its start alone


class Reload:
    """Reads the file of `config` again after each SIGHUP; `step` is to be called between turns."""

    def __init__(self, config: Config) -> None:
        self._config = self._started_with = config
        self._is_wanted = False
        signal.signal(signal.SIGHUP, self._want)

    def _want(self, _: int, __: FrameType | None) -> None:
        self._is_wanted = True

    def step(self, desk: Desk) -> None:
        """If it was asked for, read the configuration and have `desk` work by it."""
        if not self._is_wanted:
            return
        self._is_wanted = False
        try:
            config = load(self._config.path, look_outside=False)
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration not loaded", problem=problem, file=str(self._config.path))
            return
        except Exception:
            log.exception("configuration not loaded", file=str(self._config.path))
            return
        update = update_of(desk.directory, config.directory())
        desk.update(update, config.limits.reports_per_turn)
        changes = (*update.changes, *_changes(self._config, config, "limits"))
        left = (*update.left, *_changes(self._started_with, config, *STARTED_WITH))
        self._config = config
        log.info("configuration loaded", file=str(config.path), changes=changes, left_for_a_restart=left)


def _changes(old: Config, new: Config, *tables: str) -> Iterator[str]:
    """What is not the same in these tables (any number of lines)."""
    for table in tables:
        before, after = getattr(old, table).model_dump(), getattr(new, table).model_dump()
        for key, value in after.items():
            if before[key] != value:
                yield f"[{table}] {key}: {before[key]} -> {value}"
