"""A compaction that kills itself, as kill -9 does: before a statement, or in the middle of SQLite's work.

`python -m tests.killed_compaction DATA NOW statement N` dies before the statement with the number N (0 is the
first); with `work N` after N times fifty steps of SQLite's machine; with `before SQL` before the statement
that begins so. One that comes to its end prints how many there were.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from fixgw.journal import compact

STEPS = 50


class Dying(sqlite3.Connection):
    """A connection that counts what it is asked to do, and what SQLite does for it."""

    counted: ClassVar[dict[str, int]] = {"statement": 0, "work": 0}
    last: ClassVar[dict[str, int]] = {}
    dies_before: ClassVar[str | None] = None

    def count(self, what: str) -> int:
        """One more statement, or fifty more steps."""
        if self.counted[what] == self.last.get(what):
            os.kill(os.getpid(), signal.SIGKILL)
        self.counted[what] += 1
        return 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Count, then do it."""
        self.count("statement")
        if self.dies_before is not None and sql.startswith(self.dies_before):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Count, then do it."""
        self.count("statement")
        return super().executemany(sql, parameters)


def main() -> None:
    """Compact, and die."""
    data, now, what, when = sys.argv[1:]
    if what == "before":
        Dying.dies_before = when
    else:
        Dying.last[what] = int(when)
    connect = sqlite3.connect

    def dying(path: Path, **settings: Any) -> sqlite3.Connection:
        is_ours = "timeout" not in settings  # a journal's own connections have one
        connection = connect(path, factory=Dying if is_ours else sqlite3.Connection, **settings)
        if not isinstance(connection, Dying):
            return connection
        connection.set_progress_handler(lambda: connection.count("work"), STEPS)
        return connection

    sqlite3.connect = dying  # type: ignore[assignment]
    compact.compact(Path(data), keep_days=30, now=datetime.fromisoformat(now))
    sys.stdout.write(str(Dying.counted.get(what)))


if __name__ == "__main__":
    main()
