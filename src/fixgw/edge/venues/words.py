"""Gathers the words of venues into messages to the engine, which decides and commits each in one turn."""

import asyncio
from collections.abc import Callable, Sequence

from fixgw.core.requests import VenueRequest
from fixgw.engine.venue_asks import WORDS_MAX

STREAM_SECONDS = 0.005  # between two messages of a stream
STREAM_FROM = 20  # outcomes that are awaited: with more, there is a stream


class Words:
    """Has `send` send what is said in one round of the event loop, or in a stream in STREAM_SECONDS.

    There is a stream while `awaited`, the number of outcomes that venues still owe, is above STREAM_FROM:
    then a turn of the engine for each of them would cost more than they are worth a few milliseconds earlier.
    All methods are for the thread of one event loop.
    """

    def __init__(self, send: Callable[[Sequence[VenueRequest]], None], awaited: Callable[[], int]) -> None:
        self._send = send
        self._awaited = awaited
        self._words: list[VenueRequest] = []
        self._sent_at = 0.0
        self._timer: asyncio.Handle | None = None
        self._is_soon = False

    def say(self, said: VenueRequest) -> None:
        """Say it to the engine; what was said before comes before it."""
        self._words.append(said)
        if len(self._words) == WORDS_MAX:  # the engine begins while more is read
            self._say()
            return
        loop = asyncio.get_running_loop()
        due = self._sent_at + STREAM_SECONDS
        if loop.time() >= due or self._awaited() <= STREAM_FROM:
            if not self._is_soon:
                self._is_soon = True
                loop.call_soon(self._say)
        elif self._timer is None:
            self._timer = loop.call_at(due, self._say)

    def _say(self) -> None:
        self._is_soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._words:
            words, self._words = self._words, []
            self._sent_at = asyncio.get_running_loop().time()
            self._send(words)
