"""The real engine without one step of its recovery: what a client asks for again is found nowhere."""

import sys

from fixgw.journal.sqlite import SqliteJournal
from tests import lone_engine

if __name__ == "__main__":
    setattr(SqliteJournal, "sent", lambda *_: [])  # noqa: B010 (mypy knows what it should be)
    lone_engine.run(sys.argv[1:])
