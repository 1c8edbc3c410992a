"""How much of what a client sends is with the engine at one time: whoever sends very much waits for himself.

The engine decides in one turn whatever has reached it, and everybody waits for the end of a turn. So of each
session only some messages are given to it before it has answered; the others wait here, in order. They are
fewer while other sessions send something, too: small turns cost the engine more for each message.
"""

import math
from collections import deque

from fixgw.edge.frames import Cut

WITH_ENGINE_MAX = 16  # messages without an answer: one to two milliseconds of the engine's work
ALONE_MAX = 128  # the same for a session beside which no other was heard for COMPANY_SECONDS
COMPANY_SECONDS = 5.0
WAITING_BYTES = 262_144  # of a session; above, its client is not read, and so its end is not noticed either
PATIENCE_SECONDS = 0.01  # for answers: some messages get none, such as Heartbeats and repetitions


class Company:
    """When sessions were heard, so that each knows whether it is alone. `now` is seconds from any point."""

    def __init__(self) -> None:
        self._last = ""
        self._last_at = self._others_at = -math.inf  # the last one's time, and that of another before it

    def heard(self, session: str, now: float) -> None:
        """`session` has sent something."""
        if session != self._last:
            self._last, self._others_at = session, self._last_at
        self._last_at = now

    def most(self, session: str, now: float) -> int:
        """How many messages of `session` the engine may have without an answer."""
        others_at = self._others_at if session == self._last else self._last_at
        return ALONE_MAX if now - others_at > COMPANY_SECONDS else WITH_ENGINE_MAX


class Window:
    """Messages of one session on their way to the engine, which has `most` of them without an answer.

    An answer is any message of the engine's to the session: nearly every request gets at least one.
    """

    def __init__(self) -> None:
        self._cuts: deque[Cut] = deque()
        self._gone = 0  # messages of the first cut that have gone on
        self._waiting = 0
        self._bytes = 0  # of what waits
        self._with_engine = 0
        self.most = WITH_ENGINE_MAX

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    @property
    def is_answered(self) -> bool:
        """Whether nothing waits, here or at the engine, as far as is known."""
        return not self._waiting and not self._with_engine

    @property
    def is_full(self) -> bool:
        """Whether no more should be read from the client."""
        return self._bytes > WAITING_BYTES

    def put(self, cut: Cut) -> None:
        """Have messages (any number) wait behind the others."""
        if cut.ends:
            self._cuts.append(cut)
            self._waiting += len(cut.ends)
            self._bytes += len(cut.data)

    def answered(self, count: int) -> None:
        """The engine has sent so many messages to the session."""
        self._with_engine = max(0, self._with_engine - count)

    def give_up(self) -> None:
        """Expect no more answers to what the engine has."""
        self._with_engine = 0

    def next(self) -> Cut | None:
        """Take out what may go to the engine next; None when it has to answer first, or nothing waits.

        Where many wait, half of them go together: each write costs both sides.
        """
        room = self.most - self._with_engine
        if room < min(self._waiting, self.most // 2):
            return None
        return self._take(room)

    def rest(self) -> Cut | None:
        """Take out some of what waits, whatever the engine has; None when nothing does."""
        return self._take(self._waiting)

    def drop(self) -> None:
        """Forget what waits."""
        self._cuts.clear()
        self._gone = self._waiting = self._bytes = 0

    def _take(self, most: int) -> Cut | None:
        if not self._cuts:
            return None
        data, ends = self._cuts[0]
        first, last = self._gone, min(self._gone + most, len(ends))
        self._gone = last
        if last == len(ends):
            self._cuts.popleft()
            self._gone = 0
        self._waiting -= last - first
        self._with_engine += last - first
        start = ends[first - 1] if first else 0
        self._bytes -= ends[last - 1] - start
        if last - first == len(ends):
            return Cut(data, ends)
        return Cut(data[start : ends[last - 1]], [end - start for end in ends[first:last]])
