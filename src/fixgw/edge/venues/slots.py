"""How much is asked of a venue at once and in a second, and who goes first: cancels, orders, looks."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

from fixgw.edge.venues.contract import VenueBusyError

_T = TypeVar("_T")


class Urgency(IntEnum):
    """Who goes before whom."""

    CANCEL = 0
    ORDER = 1
    LOOK = 2


class Slots:
    """Lets `at_once` requests be under way, and `per_second` of them begin.

    After a quiet time as many as `at_once` begin together; then they are spread over the second.
    """

    def __init__(self, at_once: int, per_second: float) -> None:
        self._free = at_once
        self._gap = 1.0 / per_second
        self._burst = min(at_once, per_second)
        self._next = 0.0  # when the next one may begin
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._arrived = count()
        self.seconds = 0.0  # how long the last answer took
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait to begin."""
        return len(self._waiting)

    async def ask(self, urgency: Urgency, request: Callable[[], Awaitable[_T]]) -> _T:
        """What `request` brings when it is its turn; it is made again after each pause that is asked for."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._turn(urgency)
            began = clock()
            try:
                answer = await request()
            except VenueBusyError as busy:
                self.pause(busy.seconds)
                continue
            finally:
                self._give_back()
            self.seconds = clock() - began
            return answer

    async def _turn(self, urgency: Urgency) -> None:
        """Wait for one's turn, which is to be given back."""
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (urgency, next(self._arrived), turn))
        self._step()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def pause(self, seconds: float) -> None:
        """Let nothing begin for so long: the venue asks for it."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now + seconds + self._burst * self._gap)

    def _give_back(self) -> None:
        self._free += 1
        self._step()

    def _step(self) -> None:
        """Let those begin whose turn it is."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._free:
            if self._waiting[0][2].done():  # it was cancelled
                heappop(self._waiting)
                continue
            now = loop.time()
            if self._next - now > (self._burst - 1) * self._gap + 1e-9:
                if self._timer is None or self._timer.cancelled() or self._timer.when() <= now:
                    self._timer = loop.call_at(self._next - (self._burst - 1) * self._gap, self._step)
                return
            _, _, turn = heappop(self._waiting)
            self._next = max(self._next, now) + self._gap
            self._free -= 1
            turn.set_result(None)
