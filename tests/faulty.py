"""`fixgw` with a fault in it: `python -m tests.faulty --plan FILE serve ...`.

One place of the engine, named in POINTS or STATEMENTS, fails from the Nth time on that it is reached since
the plan was written. The plan, in FILE, is one line, `before|after POINT N FAULT`; without one nothing fails.
It is read each time that a point is reached, so that a test can write it while the gateway runs.
"""

import errno
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from fixgw.journal.contract import JournalError
from tests import lone_engine

POINTS = {
    "take": "fixgw.engine.desk:Desk._take",  # QuickFIX counted the message and the engine has it
    "commit": "fixgw.journal.sqlite:SqliteJournal.commit",
    "send": "quickfix:Session.send",  # of a report
    "turn": "fixgw.engine.desk:Desk.turn",
    "mend": "fixgw.fix.recovery:mend",  # one session at a start
    "resume": "fixgw.engine.desk:Desk.resume",
    "last-poll": "fixgw.fix.acceptor:Acceptor.close",  # after the Logouts of a clean stop
    "last-commit": "fixgw.engine.desk:Desk.close",
    "close": "fixgw.journal.sqlite:SqliteJournal.close",
    "epoch": "fixgw.engine.epochs:Epochs._change",  # a step of a reset is committed
    "wipe": "fixgw.fix.acceptor:Acceptor.reset",  # QuickFIX's store is wiped, by our own will
    "fold": "fixgw.journal.fold:fold",
}
"""Functions of the engine, as module:name."""

STATEMENTS = {
    "insert": "INSERT INTO turn",
    "fold-begins": "INSERT INTO orders",
    "fold-ends": "UPDATE meta SET value = :last",
}
"""Statements that SQLite is given, by how they begin."""

ERRORS: dict[str, Callable[[], Exception]] = {
    "io": lambda: sqlite3.OperationalError("disk I/O error"),
    "full": lambda: sqlite3.OperationalError("database or disk is full"),
    "readonly": lambda: sqlite3.OperationalError("attempt to write a readonly database"),
    "journal": lambda: JournalError("cannot write the journal: an injected error"),
    "ENOSPC": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "EIO": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
}
"""Faults that raise. Besides there are `kill`; `tear`: killed while the next commit is written; and
`numbers`: from now on QuickFIX finds the disk full when it writes a session's numbers."""

TORN_AT = 10_000  # bytes of SQLite's log: two pages of 4,096 and a part of the third


class Plan:
    """What is to fail, as the file says at the moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._text = ""
        self._reached = 0

    def reach(self, when: str, point: str) -> None:
        """A point was reached. Fails as planned."""
        text = self._file.read_text() if self._file.exists() else ""
        if text != self._text:
            self._text, self._reached = text, 0
        if text:
            self._look(when, point, *text.split())

    def _look(self, when: str, point: str, planned_when: str, planned: str, number: str, fault: str) -> None:
        if (when, point) == (planned_when, planned):
            self._reached += 1
            if self._reached >= int(number):
                self._fail(fault)

    def _fail(self, fault: str) -> None:
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "tear":
            self._tear()
        elif fault == "numbers":
            _make_no_room_for_numbers()
        else:
            raise ERRORS[fault]()

    def _tear(self) -> None:
        """Let the kernel end the process in the middle of its next commit: some pages are written by then."""
        journal = sqlite3.connect(self._file.parent / "data" / "journal.db")
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log begins anew: so it has to grow
        journal.close()
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (TORN_AT, TORN_AT))


def _make_no_room_for_numbers() -> None:
    full = os.open("/dev/full", os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the directory's own
            if os.readlink(f"/proc/self/fd/{name}").endswith(".seqnums"):
                os.dup2(full, int(name))


def main() -> None:
    """Run the command line with the faults in place."""
    plan = Plan(Path(sys.argv[sys.argv.index("--plan") + 1]))
    for point, target in POINTS.items():
        _watch_function(plan, point, target)
    _watch_statements(plan)
    lone_engine.run(sys.argv[3:])


def _watch_function(plan: Plan, point: str, target: str) -> None:
    owner_name, _, name = target.replace(":", ".").rpartition(".")
    owner, original = resolve_name(owner_name), resolve_name(target)

    @wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        plan.reach("before", point)
        result = original(*args, **kwargs)
        plan.reach("after", point)
        return result

    setattr(owner, name, watched)


def _watch_statements(plan: Plan) -> None:
    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
            point = next((name for name, start in STATEMENTS.items() if statement.startswith(start)), None)
            if point is None:
                return super().execute(statement, *args)
            plan.reach("before", point)
            cursor = super().execute(statement, *args)
            plan.reach("after", point)
            return cursor

    connect = sqlite3.connect

    def watching(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return connect(*args, factory=Connection, **kwargs)

    sqlite3.connect = watching  # type: ignore[assignment]


if __name__ == "__main__":
    main()
