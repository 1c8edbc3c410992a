"""The numbers in a journal's turns, and what in them does not add up: counters, MsgSeqNums, positions."""

from collections.abc import Iterator

from msgspec import Struct

from fixgw.core.events import (
    ControlAnswered,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderEntered,
)
from fixgw.journal.contract import Counters, Entry, SessionNumbers
from fixgw.journal.reading import Turn


class _Session(Struct):
    """What is known of a session; None for what the first turn that is there will tell."""

    numbers: SessionNumbers | None
    queued: int | None  # the position after the last report that was queued
    sent: int | None  # the position after the last report that was given a number
    free: tuple[int, int] = (0, 0)  # epoch and MsgSeqNum after the last number given out
    asked: tuple[int, int] = (0, 0)  # epoch and MsgSeqNum of the last request


class Numbers:
    """The counters, and for each session the MsgSeqNums, the positions in its outbox, and its answers."""

    def __init__(self, *, complete: bool) -> None:
        self.last_has_counters = True
        self._complete = complete
        self._counters = Counters()
        self._sessions: dict[str, _Session] = {}
        self._waiting: dict[int, str] = {}  # mass cancels whose orders the venue has not said yet, and whose

    def take(self, turn: Turn) -> Iterator[str]:
        """What is wrong with the numbers of `turn`."""
        yield from self._take_counters(turn)
        yield from self._take_queued(turn)
        yield from self._take_assigned(turn)
        for name, numbers in turn.numbers.sessions:
            for problem in _follow(self._of(name), numbers):
                yield f"{name}: {problem}"
        yield from self._take_requests(turn)

    def _of(self, name: str) -> _Session:
        session = self._sessions.get(name)
        if session is None:
            known = (SessionNumbers(name), 0, 0) if self._complete else (None, None, None)
            session = self._sessions[name] = _Session(*known)
        return session

    def _take_counters(self, turn: Turn) -> Iterator[str]:
        old, new = self._counters, turn.numbers.counters
        self.last_has_counters = new is not None
        if new is None:
            return
        if new.next_id < old.next_id or new.next_exec_id < old.next_exec_id:
            yield f"the counters went back from {old} to {new}"
        given = (
            event.order.order_id if isinstance(event, OrderEntered) else event.mass_cancel_id
            for entry in turn.entries
            for event in entry.events
            if isinstance(event, OrderEntered | MassCancelRequested)
        )
        for number in given:
            if not old.next_id <= number < new.next_id:
                yield f"the id {number} is given out, but next_id goes from {old.next_id} to {new.next_id}"
        self._counters = new

    def _take_queued(self, turn: Turn) -> Iterator[str]:
        for name, position, count in turn.numbers.queued:
            session = self._of(name)
            if session.queued not in (None, position):
                yield f"{name}: reports are queued at position {position}, but {session.queued} is the next"
            session.queued = position + count
            there = len(turn.reports.get(name, ()))
            if there != count:
                yield f"{name}: {count} reports have a position, {there} are there"
        for name in turn.reports.keys() - {name for name, _, _ in turn.numbers.queued}:
            yield f"{name}: its reports have no position"

    def _take_assigned(self, turn: Turn) -> Iterator[str]:
        for name, epoch, first, position, count, _, again in turn.numbers.assigned:
            session = self._of(name)
            if (epoch, first) < session.free:
                free = "{1} of epoch {0}".format(*session.free)
                yield f"{name}: MsgSeqNum {first} of epoch {epoch} is given out, but {free} is the next"
            session.free = (epoch, first + count)
            if again:
                if session.sent is not None and position + count > session.sent:
                    yield f"{name}: reports up to position {position + count} are sent again that never were"
                continue
            if session.sent not in (None, position):
                yield f"{name}: numbers are given to position {position}, but {session.sent} is the next"
            session.sent = position + count

    def _take_requests(self, turn: Turn) -> Iterator[str]:
        rows = dict(turn.numbers.sessions)
        for entry in turn.entries:
            name = entry.session
            if name is None:
                continue
            session, asked = self._of(name), (entry.epoch, entry.msg_seq_num)
            if asked <= session.asked:
                yield f"{name}: MsgSeqNum {asked[1]} of epoch {asked[0]} is done after {session.asked[1]}"
            session.asked = asked
            numbers = rows.get(name)
            if numbers is None or (numbers.epoch == entry.epoch and numbers.last_in < entry.msg_seq_num):
                yield f"{name}: request {entry.msg_seq_num} is done, and not counted"
            if name not in turn.reports and not self._waits(entry, name):
                yield f"{name}: request {entry.msg_seq_num} has no answer"
        for entry in turn.entries:
            for mass_cancel_id in _answered(entry):
                asker = self._waiting.pop(mass_cancel_id, None)
                if asker is not None and asker not in turn.reports:
                    yield f"{asker}: mass cancel {mass_cancel_id} has no answer"

    def _waits(self, entry: Entry, name: str) -> bool:
        """Whether a request is a mass cancel that is answered when its venue has said which orders it has."""
        asked = {event.mass_cancel_id for event in entry.events if isinstance(event, MassCancelRequested)}
        waiting = asked.difference(_answered(entry))
        self._waiting.update(dict.fromkeys(waiting, name))
        return bool(waiting)


def _answered(entry: Entry) -> Iterator[int]:
    """The mass cancels that are answered by what happened."""
    for event in entry.events:
        if isinstance(event, MassCancelAccepted | MassCancelRefused):
            yield event.mass_cancel_id
        elif isinstance(event, ControlAnswered):
            yield event.control_id


def _follow(session: _Session, new: SessionNumbers) -> Iterator[str]:
    """What is wrong with the numbers that a session has after a turn."""
    old, session.numbers = session.numbers, new
    if old is not None and new.epoch < old.epoch:
        yield f"the epoch went back from {old.epoch} to {new.epoch}"
    if old is not None and new.epoch == old.epoch:
        for what in ("next_in", "next_out", "last_in"):
            before, after = getattr(old, what), getattr(new, what)
            if after < before:
                yield f"{what} went back from {before} to {after}"
    if session.free[0] == new.epoch and new.next_out < session.free[1]:
        yield f"next_out is {new.next_out}, but numbers are given out up to before {session.free[1]}"
    for what in ("queued", "sent"):
        known, stored = getattr(session, what), getattr(new, what)
        if known not in (None, stored):
            yield f"{what} is {stored}, by the reports it is {known}"
        setattr(session, what, stored)
    if new.sent > new.queued:
        yield f"sent is {new.sent}, above queued, which is {new.queued}"
