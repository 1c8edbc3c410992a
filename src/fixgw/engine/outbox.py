"""The outbox: reports queued per session, and which outbound MsgSeqNum each of them will carry."""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace

from fixgw.core.reports import Report
from fixgw.journal.contract import Assigned, Queued, SessionNumbers


class Outbox:
    """The reports of all sessions that were queued and have no MsgSeqNum yet, and the sessions' numbers.

    What is queued for a session that is not among the `configured` ones stays in the journal for the day
    that it is configured again.
    """

    def __init__(
        self,
        numbers: dict[str, SessionNumbers],
        waiting: dict[str, list[Report]],
        configured: Container[str],
    ) -> None:
        self.numbers = numbers
        self._configured = configured
        self._waiting = {
            name: deque(reports) for name, reports in waiting.items() if reports and name in configured
        }
        self._new: dict[str, list[Report]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, session: str, report: Report) -> None:
        """Queue `report` for `session`."""
        new = self._new.get(session)
        if new is None:
            self._new[session] = [report]
        else:
            new.append(report)

    def take_new(self) -> list[Queued]:
        """What was put since the last call, with its positions; from now on it waits to be sent."""
        queued = []
        for session, reports in self._new.items():
            numbers = self.of(session)
            queued.append(Queued(session, numbers.queued, reports))
            self.numbers[session] = replace(numbers, queued=numbers.queued + len(reports))
            if session in self._configured:
                self._waiting.setdefault(session, deque()).extend(reports)
        self._new = {}
        return queued

    def of(self, session: str) -> SessionNumbers:
        """The numbers of `session`; those of a new one when it is not known."""
        return self.numbers.get(session) or SessionNumbers(session)

    def share(self, at_most: int) -> Iterator[tuple[str, int]]:
        """How many reports each waiting session may send in this turn, `at_most` in all, evenly shared."""
        left = at_most
        waiting = sorted(self._waiting.items(), key=lambda item: len(item[1]))
        for rank, (session, reports) in enumerate(waiting):
            count = min(len(reports), max(1, left // (len(waiting) - rank)))
            if left <= 0:
                return
            left -= count
            yield session, count

    def assign(self, session: str, first_seq_num: int, count: int) -> Assigned:
        """Give the first `count` waiting reports of `session` the numbers from `first_seq_num` on."""
        numbers = self.of(session)
        self.numbers[session] = replace(numbers, next_out=first_seq_num + count, sent=numbers.sent + count)
        return Assigned(session, numbers.epoch, first_seq_num, numbers.sent, count)

    def take(self, session: str, count: int) -> Sequence[Report]:
        """Take out the first `count` waiting reports, in order: they are sent now."""
        waiting = self._waiting[session]
        taken = list(islice(waiting, count))
        if count == len(waiting):
            del self._waiting[session]
        else:
            for _ in range(count):
                waiting.popleft()
        return taken
