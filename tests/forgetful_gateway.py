"""The real engine without one step of its recovery: reports that QuickFIX did not store are not put back."""

import sys

from fixgw.journal.contract import Assigned
from fixgw.journal.sqlite import SqliteJournal
from tests import lone_engine


def _nothing(_: SqliteJournal, __: str, ___: int, ____: int) -> list[Assigned]:
    return []


if __name__ == "__main__":
    SqliteJournal.assigned_from = _nothing  # type: ignore[assignment, method-assign]
    lone_engine.run(sys.argv[1:])
