"""The audit trail: what the journal says happened, found by order, by session and by time.

Turns are read in portions, and of an order or a session only those that are about it, which the state knows;
turns that are not folded in yet are looked through. So it takes no more memory for a long journal.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this module)

from collections.abc import Container, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from fixgw.core.events import (
    Event,
    MassCancelAccepted,
    OrderEntered,
)
from fixgw.core.order import Order
from fixgw.core.reports import BusinessReject, MassCancelReport, OrderRefused, Report
from fixgw.journal.contract import Entry
from fixgw.journal.reading import Reader, time_of
from fixgw.journal.rows import EPOCH, MICROSECOND, TurnNumbers, entries_of, stored_order

PORTION = 1_000  # numbers of turns that are looked up at one time
AFTER_ALL = 2**62  # above every turn and position

_COLUMNS = "seq, at, numbers, reports, entries"

_numbers = msgspec.json.Decoder(TurnNumbers).decode
_reports = msgspec.json.Decoder(dict[str, list[Report]]).decode


class Wanted(Struct, frozen=True):
    """What is asked for; None: all of it. `since` is aware; `limit` is a count, of the newest lines."""

    order_id: int | None = None
    session: str | None = None
    since: datetime | None = None
    limit: int | None = None


class Happened(Struct, frozen=True):
    """An event, with the request that it came from; no event for a request that changed nothing."""

    turn: int
    entry: Entry
    event: Event | None


class Told(Struct, frozen=True):
    """A report that was put into the outbox of a session, and its MsgSeqNum (0: it has none yet)."""

    turn: int
    at: datetime | None
    session: str
    epoch: int
    msg_seq_num: int
    report: Report


Line = Happened | Told


def trail(reader: Reader, wanted: Wanted) -> Iterator[Line]:
    """The lines that are wanted (any number), oldest first.

    With a limit they are gathered from the newest on; else they come as they are read. Raises sqlite3.Error,
    and msgspec.MsgspecError for a turn that cannot be read.
    """
    if wanted.limit is None:
        yield from _Search(reader, wanted).lines(newest_first=False)
    else:
        newest = list(islice(_Search(reader, wanted).lines(newest_first=True), wanted.limit))
        yield from reversed(newest)


def remembered(reader: Reader, order_id: int) -> Order | None:
    """The order as the state knows it, also when its turns are forgotten. Raises sqlite3.Error."""
    if reader.state is None:
        return None
    query = "SELECT body, canceled_at FROM orders WHERE order_id = ?"
    row = reader.state.execute(query, (order_id,)).fetchone()
    return None if row is None else stored_order(*row)


class _Search:
    def __init__(self, reader: Reader, wanted: Wanted) -> None:
        self._reader = reader
        self._wanted = wanted
        self._first, self._last = reader.span()
        self._folded = reader.folded()
        if wanted.since is not None:
            self._first = max(self._first, self._first_since(wanted.since))
        self._given: list[tuple[int, int, int, int]] = []  # numbers given by turns that are not folded in yet
        if wanted.session is not None:
            for _, numbers in reader.rows(self._folded + 1, self._last, "seq, numbers"):
                blocks = (block for block in _numbers(numbers).assigned if block[0] == wanted.session)
                self._given += [(block[1], block[2], block[3], block[4]) for block in blocks]

    def _first_since(self, since: datetime) -> int:
        """A turn before which none is as late as `since`: few turns before the first that is."""
        if self._reader.state is None:
            return 1
        row = self._reader.state.execute(
            "SELECT turn FROM turn_time WHERE latest < ? ORDER BY latest DESC, turn DESC LIMIT 1",
            ((since - EPOCH) // MICROSECOND,),
        ).fetchone()
        return 1 if row is None else row[0] + 1

    def lines(self, *, newest_first: bool) -> Iterator[Line]:
        """All lines that are wanted, in order or backwards."""
        for row in self._rows(newest_first=newest_first):
            lines = [line for line in self._lines_of(row) if self._is_wanted(line)]
            yield from reversed(lines) if newest_first else lines

    def _rows(self, *, newest_first: bool) -> Iterator[tuple[Any, ...]]:
        """The turns that may hold something, in order or backwards."""
        wanted, reader = self._wanted, self._reader
        if wanted.order_id is None and wanted.session is None:
            yield from reader.rows(self._first, self._last, _COLUMNS, newest_first=newest_first)
            return
        folded = self._indexed(newest_first=newest_first)
        waiting = self._not_folded(newest_first=newest_first)
        for seqs in (waiting, folded) if newest_first else (folded, waiting):
            for seq in seqs:
                row = reader.row(seq, _COLUMNS)
                if row is not None:  # else it was forgotten by a compaction
                    yield row

    def _indexed(self, *, newest_first: bool) -> Iterator[int]:
        """Of the turns that are folded in, those about the order; without one, those about the session."""
        state, wanted = self._reader.state, self._wanted
        if state is None:
            return
        owner: int | str | None = wanted.order_id
        table, column, key = "order_turn", "order_id", "turn"
        if owner is None:
            owner, table, column, key = wanted.session, "outbox", "session", "position"
        further, order, after = ("<", "DESC", AFTER_ALL) if newest_first else (">", "ASC", -1)
        query = (
            f"SELECT {key}, turn FROM {table} WHERE {column} = ? AND {key} {further} ? "
            f"AND turn BETWEEN ? AND ? ORDER BY {key} {order} LIMIT {PORTION}"
        )
        while rows := state.execute(query, (owner, after, self._first, self._folded)).fetchall():
            yield from (turn for _, turn in rows)
            after = rows[-1][0]

    def _not_folded(self, *, newest_first: bool) -> Iterator[int]:
        wanted = self._wanted
        low = max(self._first, self._folded + 1)
        for seq, body in self._reader.rows(low, self._last, "seq, numbers", newest_first=newest_first):
            numbers = _numbers(body)
            if wanted.order_id is not None:
                if wanted.order_id in numbers.order_ids:
                    yield seq
            elif any(name == wanted.session for name, _, _ in numbers.queued):
                yield seq

    def _lines_of(self, row: tuple[Any, ...]) -> Iterator[Line]:
        """The lines of a turn: what happened, then what the session that is asked for was told."""
        seq, at, numbers, reports, entries = row
        for entry in entries_of(entries or "[]"):
            for event in entry.events or (None,):
                yield Happened(seq, entry, event)
        session = self._wanted.session
        if session is None or reports is None:
            return
        for name, position, count in _numbers(numbers).queued:
            if name == session:
                given = self._numbers_given(position, count)
                for place, report in enumerate(_reports(reports)[session], position):
                    yield Told(seq, time_of(at) if at else None, session, *given.get(place, (0, 0)), report)

    def _numbers_given(self, position: int, count: int) -> dict[int, tuple[int, int]]:
        """Epoch and MsgSeqNum of those of the `count` reports from `position` on that have any, by position.

        The first that each got: one that was sent again in a later epoch has another one there.
        """
        blocks = self._given
        if self._reader.state is not None:
            blocks = [
                *self._reader.state.execute(
                    "SELECT epoch, first_seq_num, position, count FROM assigned WHERE session = ?1 "
                    "AND position < ?2 + ?3 AND position >= coalesce((SELECT max(position) FROM assigned "
                    "WHERE session = ?1 AND position <= ?2), 0) ORDER BY epoch, first_seq_num",
                    (self._wanted.session, position, count),
                ),
                *blocks,
            ]
        given: dict[int, tuple[int, int]] = {}
        for epoch, first_seq_num, start, size in blocks:
            for place in range(max(start, position), min(start + size, position + count)):
                given.setdefault(place, (epoch, first_seq_num + place - start))
        return given

    def _is_wanted(self, line: Line) -> bool:
        wanted = self._wanted
        source = line if isinstance(line, Told) else line.entry
        at, session = source.at, source.session
        order_ids = _ids_of_report(line.report) if isinstance(line, Told) else _ids_of_event(line.event)
        return (
            (wanted.session is None or session == wanted.session)
            and (wanted.order_id is None or wanted.order_id in order_ids)
            and (wanted.since is None or (at is not None and at >= wanted.since))
        )


def _ids_of_event(event: Event | None) -> Container[int | None]:
    """The ids of the orders that an event is about."""
    match event:
        case OrderEntered(order=order):
            return (order.order_id,)
        case MassCancelAccepted():
            return event.order_ids + event.already_pending
        case _:
            return (getattr(event, "order_id", None),)


def _ids_of_report(report: Report) -> Container[int | str | None]:
    """The ids of the orders that a report is about."""
    match report:
        case MassCancelReport():
            return [order_id for order_id, _ in report.affected + report.not_affected]
        case BusinessReject():
            return ()
        case OrderRefused():
            order = report.existing
        case _:
            order = report.order
    return () if order is None else (order.order_id,)
