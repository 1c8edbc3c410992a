"""Reads the sessions' outboxes: reports by their position, and by the MsgSeqNums that they were given.

The functions take a connection that has the `VIEWS` of `fold`. They raise sqlite3.Error, msgspec.MsgspecError
and LookupError for what is damaged.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this package)

import sqlite3

import msgspec

from fixgw.core.reports import Again, Report
from fixgw.journal.contract import Assigned, Sent
from fixgw.journal.fold import REPORTS
from fixgw.journal.rows import EPOCH, MICROSECOND

_reports = msgspec.json.Decoder(dict[str, list[Report]]).decode


def reports(db: sqlite3.Connection, session: str, start: int, end: int) -> list[Report]:
    """Those reports of `session` that are there, from the position `start` up to before `end`, in order."""
    rows = db.execute(
        f"SELECT o.position, {REPORTS} FROM all_outbox o "
        "WHERE o.session=?1 AND o.position<?3 AND o.position+o.count>?2 AND o.position>=coalesce("
        "(SELECT max(position) FROM outbox WHERE session=?1 AND position<=?2), 0) ORDER BY o.position",
        (session, start, end),
    )
    found: list[Report] = []
    for first, body in rows:
        found.extend(_reports(body)[session][max(0, start - first) : end - first])
    return found


def assigned(db: sqlite3.Connection, session: str, epoch: int, first: int, last: int) -> list[Assigned]:
    """The blocks (any number) with MsgSeqNums of `epoch` from `first` to `last`, cut at both ends."""
    rows = db.execute(
        "SELECT first_seq_num, position, count, again, at FROM all_assigned WHERE session=?1 AND epoch=?2 "
        "AND first_seq_num<=?4 AND first_seq_num+count>?3 AND first_seq_num>=coalesce((SELECT "
        "max(first_seq_num) FROM assigned WHERE session=?1 AND epoch=?2 AND first_seq_num<=?3), 0) "
        "ORDER BY first_seq_num",
        (session, epoch, first, last),
    )
    blocks = []
    for begin, position, count, again, at in rows:
        cut, end = max(0, first - begin), min(count, last + 1 - begin)
        sent_at = EPOCH + at * MICROSECOND
        blocks.append(Assigned(session, epoch, begin + cut, position + cut, end - cut, sent_at, bool(again)))
    return blocks


def sent(db: sqlite3.Connection, session: str, epoch: int, first: int, last: int) -> list[Sent]:
    """The reports (any number) with MsgSeqNums of `epoch` from `first` to `last`, in order."""
    found = []
    for run in _runs(assigned(db, session, epoch, first, last)):
        start, end = run[0].position, _end(run[-1])
        there = reports(db, session, start, end)
        if len(there) < end - start:
            raise LookupError(f"reports of {session} from position {start} to {end} are missing")
        for block in run:
            for place in range(block.count):
                report = there[block.position - start + place]
                again = Again(report) if block.again else report
                found.append(Sent(block.first_seq_num + place, block.at, again))
    return found


def _runs(blocks: list[Assigned]) -> list[list[Assigned]]:
    """Those together that follow each other in the outbox: one question finds the reports of all of them."""
    runs: list[list[Assigned]] = []
    for one in blocks:
        if runs and _end(runs[-1][-1]) == one.position:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _end(block: Assigned) -> int:
    """The position behind it."""
    return block.position + block.count
