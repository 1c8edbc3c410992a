"""Copies a journal while its gateway runs, or while none does, so that a gateway can start from the copy."""

import os
import sqlite3
from pathlib import Path

from fixgw.journal import fold
from fixgw.journal.contract import JournalError
from fixgw.journal.reading import JOURNAL_NAME, Reader

UNFINISHED = ".unfinished"


def backup(data: Path, target: Path) -> dict[str, int]:
    """Copy both files of the directory `data` into the directory `target`; their names and bytes.

    The state is copied first: the turns that come meanwhile are in the journal's copy, and the next start
    folds them in. The other way round the state could have turns that the journal has not. A copy has its
    name only when both are whole and on disk. Raises JournalError; `target` may not have a journal.
    """
    for name in (fold.STATE_NAME, JOURNAL_NAME):
        if (target / name).exists():
            raise JournalError(f"there is a {name} in {target} already")
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Reader(data) as reader:
            if reader.state is None and reader.span()[0] > 1:
                raise JournalError(f"{data} has no {fold.STATE_NAME}, which its compacted journal needs")
            if reader.state is not None:
                _copy(reader.state, target / (fold.STATE_NAME + UNFINISHED))
            _copy(reader.journal, target / (JOURNAL_NAME + UNFINISHED))
        return _finish(target)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"cannot copy the journal to {target}: {error}") from error


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Copy a database as it is at one moment."""
    path.unlink(missing_ok=True)
    copy = sqlite3.connect(path, isolation_level=None)
    try:
        source.backup(copy)  # all pages in one step: a copy in portions begins again after each commit
    finally:
        copy.close()


def _finish(target: Path) -> dict[str, int]:
    """Check that the copies belong together, and give them their names, the journal last."""
    sizes = {}
    state, journal = (target / (name + UNFINISHED) for name in (fold.STATE_NAME, JOURNAL_NAME))
    if state.exists():
        _check(state, journal)
    for path in (state, journal):
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            sizes[path.name.removesuffix(UNFINISHED)] = path.stat().st_size
            path.rename(path.with_name(path.name.removesuffix(UNFINISHED)))
    directory = os.open(target, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return sizes


def _check(state: Path, journal: Path) -> None:
    connections = [sqlite3.connect(path, isolation_level=None) for path in (state, journal)]
    try:
        apart = fold.why_apart(*connections)
    finally:
        for connection in connections:
            connection.close()
    if apart is not None:  # a compaction came between the two
        raise JournalError(f"the copies do not belong together, try again: {apart}")
