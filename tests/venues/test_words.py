"""How venues' words go to the engine: together, in order, and without waiting where little is awaited."""

import asyncio
import time
from collections.abc import Sequence

from fixgw.core.requests import Unknown, VenueRequest
from fixgw.edge.venues.words import STREAM_FROM, STREAM_SECONDS, Words
from fixgw.engine.venue_asks import WORDS_MAX

SAID = [Unknown(number, "no answer") for number in range(2 * WORDS_MAX + 3)]


class Sent:
    """The messages that were sent, and when; `awaited` is what venues still owe."""

    def __init__(self) -> None:
        self.messages: list[Sequence[VenueRequest]] = []
        self.times: list[float] = []
        self.awaited = 0
        self.words = Words(self._send, lambda: self.awaited)

    def _send(self, words: Sequence[VenueRequest]) -> None:
        self.messages.append(words)
        self.times.append(time.monotonic())

    @property
    def sizes(self) -> list[int]:
        """The number of words in each message."""
        return [len(words) for words in self.messages]


def test_many_words_leave_as_full_messages_while_more_are_said() -> None:
    """So the engine begins while others are read; what is left follows in the next round of the loop."""

    async def run() -> None:
        sent = Sent()
        for word in SAID:
            sent.words.say(word)
        assert sent.sizes == [WORDS_MAX, WORDS_MAX]
        await asyncio.sleep(0)
        assert [word for words in sent.messages for word in words] == SAID
        sent.words.say(SAID[0])
        await asyncio.sleep(0)
        assert sent.sizes == [WORDS_MAX, WORDS_MAX, 3, 1]

    asyncio.run(run())


def test_in_a_stream_words_are_let_come_together() -> None:
    """The first leaves at once; those after it when the time is over, in their order."""

    async def run() -> None:
        sent = Sent()
        sent.awaited = STREAM_FROM + 1
        for word in SAID[:5]:
            sent.words.say(word)
            await asyncio.sleep(0)
        while len(sent.messages) < 2:
            await asyncio.sleep(0.001)
        assert sent.messages == [SAID[:1], SAID[1:5]]
        assert sent.times[1] - sent.times[0] >= 0.9 * STREAM_SECONDS

    asyncio.run(run())


def test_the_end_of_a_stream_waits_for_nothing() -> None:
    """When little is awaited any more, a word leaves at once, with those that waited before it."""

    async def run() -> None:
        sent = Sent()
        sent.awaited = STREAM_FROM + 1
        sent.words.say(SAID[0])
        await asyncio.sleep(0)
        sent.words.say(SAID[1])
        sent.awaited = STREAM_FROM
        sent.words.say(SAID[2])
        await asyncio.sleep(0)
        assert sent.messages == [SAID[:1], SAID[1:3]]
        await asyncio.sleep(2 * STREAM_SECONDS)
        assert len(sent.messages) == 2

    asyncio.run(run())
