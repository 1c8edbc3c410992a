"""How the venues' process says words to the engine: together, in order, and without waiting for the last."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixgw.config import load
from fixgw.core.requests import Unknown, VenueRequest
from fixgw.edge.engine_link import EngineLink
from fixgw.edge.venues.__main__ import Venues
from fixgw.engine.turn import Answered
from fixgw.engine.venue_asks import WORDS_MAX
from tests.venue_cases.bridge import bridge_config


def test_many_words_leave_as_full_messages_while_more_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the engine begins while others are read; what is left follows in the next round of the loop."""
    messages: list[Sequence[VenueRequest]] = []

    def say(_: EngineLink, words: Sequence[VenueRequest]) -> "asyncio.Future[Answered]":
        messages.append(words)
        return asyncio.get_running_loop().create_future()

    async def run() -> None:
        config = load(bridge_config(tmp_path, "alphapoint", "http://127.0.0.1:1"), look_outside=False)
        venues = Venues(config, tmp_path)
        words = [Unknown(number, "no answer") for number in range(2 * WORDS_MAX + 3)]
        for word in words:
            venues._say(word)
        assert [len(message) for message in messages] == [WORDS_MAX, WORDS_MAX]
        await asyncio.sleep(0)
        assert [word for message in messages for word in message] == words
        venues._say(words[0])
        await asyncio.sleep(0)
        assert [len(message) for message in messages] == [WORDS_MAX, WORDS_MAX, 3, 1]

    monkeypatch.setattr(EngineLink, "say", say)
    asyncio.run(run())
