"""A steady load for a long run: orders and cancels of three sessions, and now and then a mass cancel.

Each session keeps a few orders resting and cancels the oldest for each new one, so that the book stays small
and what grows is not the book.
"""

from collections import deque

from scripts.crash.plan import SYMBOLS, TRADERS, Ask

RESTING = 100  # orders of a session: enough that a mass cancel has something to do
MASS_EVERY = 2_000  # requests, of all sessions
MASS_SESSIONS = ("TRADER37", "TRADER39")  # what their q means without account and user is their own orders


class Load:
    """Requests without end, `rate` of them per second from the time `started` on (monotonic seconds)."""

    def __init__(self, rate: float, started: float, prefix: str) -> None:
        self._rate, self._started, self._prefix = rate, started, prefix
        self._made = 0
        self._resting: dict[str, deque[tuple[str, str]]] = {session: deque() for session in TRADERS}

    def due(self, now: float, at_most: int) -> list[Ask]:
        """What is to be asked by now, but not more than `at_most`: the rest is due later."""
        return self.take(min(int((now - self._started) * self._rate) - self._made, at_most))

    def take(self, count: int) -> list[Ask]:
        """The next `count` requests."""
        return [self._next() for _ in range(count)]

    def _next(self) -> Ask:
        self._made += 1
        if self._made % MASS_EVERY == 0:
            return self._mass_cancel(MASS_SESSIONS[self._made // MASS_EVERY % len(MASS_SESSIONS)])
        session = list(TRADERS)[self._made % len(TRADERS)]
        resting = self._resting[session]
        return self._order(session) if len(resting) < RESTING or self._made % 2 else self._cancel(session)

    def _order(self, session: str) -> Ask:
        cl_ord_id, symbol = f"{self._prefix}d{self._made}", SYMBOLS[self._made % len(SYMBOLS)]
        fields = [(11, cl_ord_id), (55, symbol), (54, 1), (38, 1), (40, 2), (44, 100), (59, 1)]
        self._resting[session].append((cl_ord_id, symbol))
        return Ask(session, "D", cl_ord_id, fields)

    def _cancel(self, session: str) -> Ask:
        cl_ord_id = f"{self._prefix}f{self._made}"
        orig, symbol = self._resting[session].popleft()
        fields = [(11, cl_ord_id), (41, orig), (55, symbol), (54, 1), (38, 1)]
        return Ask(session, "F", cl_ord_id, fields, orig)

    def _mass_cancel(self, session: str) -> Ask:
        cl_ord_id = f"{self._prefix}q{self._made}"
        self._resting[session].clear()
        return Ask(session, "q", cl_ord_id, [(11, cl_ord_id), (530, 7)])
