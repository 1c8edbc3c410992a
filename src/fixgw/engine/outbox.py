"""The outbox: reports queued per session, and which outbound MsgSeqNum each of them will carry."""

from collections import deque
from collections.abc import Container, Iterable, Sequence
from itertools import islice

from fixgw.core.reports import Report
from fixgw.journal.contract import SessionNumbers

MANY = 50  # reports waiting for one session: more come of a mass cancel or a mass status request


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
        self._numbers: dict[str, SessionNumbers] = {}
        self._configured = configured
        self._again: set[str] = set()  # the sessions that an earlier epoch left something for
        self._waiting = {
            name: deque(reports) for name, reports in waiting.items() if reports and name in configured
        }
        self._new: dict[str, list[Report]] = {}
        for one in numbers.values():
            self.keep(one)

    def keep(self, numbers: SessionNumbers) -> None:
        """Take the new numbers of a session."""
        self._numbers[numbers.name] = numbers
        if numbers.again and numbers.name in self._configured:
            self._again.add(numbers.name)
        else:
            self._again.discard(numbers.name)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._again)

    def put(self, session: str, report: Report) -> int:
        """Queue `report` for `session`; the position it gets."""
        try:  # nearly always: it has some already
            new = self._new[session]
        except KeyError:
            new = self._new[session] = []
        new.append(report)
        return self.of(session).queued + len(new) - 1

    def report(self, session: str, position: int) -> Report | None:
        """The report at this position, if it is one of those put since the last turn."""
        number = position - self.of(session).queued
        return self._new[session][number] if number >= 0 else None

    def take_new(self) -> dict[str, list[Report]]:
        """What was put for each session since the last call; from now on it waits to be sent."""
        new, self._new = self._new, {}
        for session, reports in new.items():
            if session in self._configured:
                self._waiting.setdefault(session, deque()).extend(reports)
        return new

    def of(self, session: str) -> SessionNumbers:
        """The numbers of `session`; those of a new one when it is not known."""
        return self._numbers.get(session) or SessionNumbers(session)

    def share(self, at_most: int) -> dict[str, int]:
        """How many reports each waiting session may send in this turn, `at_most` in all, evenly shared."""
        sizes = {session: len(reports) for session, reports in self._waiting.items()}
        for session in self._again:
            sizes[session] = self._numbers[session].again[0][1]  # one block, before anything newer
        shares: dict[str, int] = {}
        left = len(sizes)
        for session in sorted(sizes, key=sizes.__getitem__):
            if at_most <= 0:
                break
            shares[session] = min(sizes[session], max(1, at_most // left))
            at_most -= shares[session]
            left -= 1
        return shares

    def keeps_waiting(self, sessions: Iterable[str]) -> bool:
        """Whether one of `sessions`, for which few reports wait or none, comes behind the many of another."""
        most = max(map(len, self._waiting.values()), default=0)
        return most > MANY and any(len(self._waiting.get(session, ())) <= MANY for session in sessions)

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
