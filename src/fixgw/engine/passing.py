"""What time brings without anybody asking: ends of days, Day orders that expire, and what is forgotten."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from fixgw.core.day import end_day, expire
from fixgw.core.events import CancelRequested, Event
from fixgw.core.state import OmsState
from fixgw.engine.record import Record
from fixgw.engine.turn import Limits
from fixgw.engine.venues import Venues
from fixgw.journal.contract import Journal

SECOND = timedelta(seconds=1)


class Passing:
    """Lets time pass for all OMSes. `happened` applies an event, and queues what is told of it."""

    def __init__(
        self,
        states: Mapping[int, OmsState],
        journal: Journal,
        record: Record,
        venues: Venues,
        happened: Callable[[OmsState, Event], None],
        now: datetime,
    ) -> None:
        self._states = states
        self._journal = journal
        self._record = record
        self._venues = venues
        self._happened = happened
        self._forget_at = now
        self._expiring: deque[tuple[OmsState, int]] = deque()
        for state in states.values():
            self._look_through(state)

    def _look_through(self, state: OmsState) -> None:
        """Look at all open orders, which may have expired: some of them in each turn."""
        self._expiring.extend((state, order_id) for order_id in state.book.open_ids())

    @property
    def has_work(self) -> bool:
        """Whether there are orders left to be looked at."""
        return bool(self._expiring)

    def is_due(self, now: datetime) -> bool:
        """Whether an end of day has come (`now` is aware UTC)."""
        return any(now >= state.next_day_end() for state in self._states.values())

    def to(self, now: datetime, limits: Limits) -> None:
        """It is `now` (aware UTC): end the days that are over, and forget what was closed long ago."""
        for state in self._states.values():
            if (event := end_day(state, now)) is not None:
                self._happened(state, event)
                self._record.other("clock", "DayEnded", state.oms.oms_id, (event,), now)
                self._look_through(state)
                self._record.line("day ended", now, oms=state.oms.oms_id)
        self._forget(now, limits)

    def _forget(self, now: datetime, limits: Limits) -> None:
        """What is old is looked for once a second, because nobody else needs that memory."""
        before, is_second, has_more = now - limits.closed_for, now >= self._forget_at, False
        for state in self._states.values():
            book = state.book
            if book.is_full or (is_second and book.has_old(before)):
                book.forget(before, limits.expire_per_turn, self._journal.settled)
                has_more |= book.has_old(before)
        if is_second and not has_more:
            self._forget_at = now + SECOND

    def expire_some(self, now: datetime, limits: Limits) -> None:
        """Have those Day orders of an earlier day expire that come next."""
        for _ in range(min(len(self._expiring), limits.expire_per_turn)):
            state, order_id = self._expiring.popleft()
            expired = expire(state, order_id, now)
            if expired is not None:
                self._happened(state, expired)
                self._record.other("clock", type(expired).__name__, state.oms.oms_id, (expired,), now)
                if isinstance(expired, CancelRequested):
                    self._venues.cancel(state, (order_id,), None)
