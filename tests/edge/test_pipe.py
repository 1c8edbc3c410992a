"""A session's connection by itself: how much of a flood the engine is given, and what becomes of the rest."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from fixgw.edge import pipe
from fixgw.edge.doorbell import Doorbell
from fixgw.edge.frames import Framer
from fixgw.edge.pipe import STREAM_MESSAGES, Limits, Pipe
from fixgw.edge.sides import EngineSide
from fixgw.edge.window import ALONE_MAX, WITH_ENGINE_MAX, Company
from fixgw.fix.framing import message

TOGETHER = WITH_ENGINE_MAX // 2
LIMITS = Limits(65_536, 1_000_000, 1_000_000_000, 16_777_216)


class Transport:
    """One side's connection: what was written to it, and whether it is read."""

    def __init__(self) -> None:
        self.written = b""
        self.is_read, self.has_eof, self.is_aborted = True, False, False

    def write(self, data: bytes) -> None:
        assert not self.has_eof
        self.written += data

    def write_eof(self) -> None:
        self.has_eof = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def set_protocol(self, _: asyncio.BaseProtocol) -> None:
        pass

    @property
    def numbers(self) -> list[int]:
        """The MsgSeqNums of what was written."""
        frames = Framer(65_536).feed(self.written).frames()
        return [int(frame.partition(b"\x0134=")[2].partition(b"\x01")[0]) for frame in frames]


class Piped:
    """A session that is logged on; what the engine has got of it since."""

    def __init__(self, company: Company) -> None:
        self.client, self.engine = Transport(), Transport()
        self.company = company
        self.pipe = Pipe(
            "A",
            "127.0.0.1",
            "",
            30,
            LIMITS,
            lambda *_: None,
            lambda frame: frame,
            self.company,
            Doorbell(),
        )
        EngineSide(self.pipe).connection_made(cast(asyncio.Transport, self.engine))
        self.pipe.begin(cast(asyncio.Transport, self.client), said(1), said(1), b"")
        self.answer(1)
        self.engine.written = b""

    def answer(self, count: int) -> None:
        """Have the engine send so many messages."""
        self.pipe.from_engine(b"".join(said(number) for number in range(count)))


def said(number: int, text: bytes = b"") -> bytes:
    """A message with this MsgSeqNum."""
    return message(b"FIX.4.4", b"35=F\x0134=%d\x0158=x%s\x01" % (number, text))


def flood(count: int, text: bytes = b"") -> bytes:
    """So many messages, numbered from 2 on."""
    return b"".join(said(number, text) for number in range(2, count + 2))


def with_a_session(test: Callable[[Piped], Awaitable[None]]) -> None:
    """Run `test` with a session beside which another one sends something, too."""

    async def run() -> None:
        company = Company()
        company.heard("B", asyncio.get_running_loop().time())
        await test(Piped(company))

    asyncio.run(run())


async def holds(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.001)


def test_of_a_flood_the_engine_gets_more_only_for_its_answers() -> None:
    """So a turn of the engine has only so much of one session, and others wait for no more than that."""

    async def test(piped: Piped) -> None:
        piped.pipe.from_client(flood(1_000))
        assert piped.engine.numbers == list(range(2, WITH_ENGINE_MAX + 2))
        piped.answer(TOGETHER)
        assert len(piped.engine.numbers) == WITH_ENGINE_MAX + TOGETHER
        while len(piped.engine.numbers) < 1_000:
            piped.answer(WITH_ENGINE_MAX)
        assert piped.engine.numbers == list(range(2, 1_002))

    with_a_session(test)


def test_a_session_that_is_alone_gives_the_engine_more() -> None:
    """Small turns cost the engine more for each message, and here they would be for nobody's sake."""

    async def run() -> None:
        piped = Piped(Company())
        piped.pipe.from_client(flood(1_000))
        assert len(piped.engine.numbers) == ALONE_MAX
        piped.company.heard("B", asyncio.get_running_loop().time())
        piped.answer(ALONE_MAX)
        assert len(piped.engine.numbers) == ALONE_MAX + WITH_ENGINE_MAX

    asyncio.run(run())


def test_an_engine_that_has_no_answer_gets_more_in_time() -> None:
    """To Heartbeats and to what it has seen before there is none."""

    async def test(piped: Piped) -> None:
        piped.pipe.from_client(flood(100))
        await holds(lambda: len(piped.engine.numbers) == 100)
        assert piped.engine.numbers == list(range(2, 102))

    with_a_session(test)


def test_a_client_with_much_that_waits_is_not_read() -> None:
    """Until less does."""

    async def test(piped: Piped) -> None:
        piped.pipe.from_client(flood(80, b"x" * 5_000))
        assert not piped.client.is_read
        piped.answer(WITH_ENGINE_MAX)
        assert piped.client.is_read

    with_a_session(test)


def test_what_a_client_has_sent_reaches_the_engine_before_its_end_does() -> None:
    """In no larger pieces than if it were still there."""

    async def test(piped: Piped) -> None:
        piped.pipe.from_client(flood(100))
        piped.pipe.client_lost()
        assert len(piped.engine.numbers) == WITH_ENGINE_MAX
        assert not piped.engine.has_eof
        await holds(lambda: piped.engine.has_eof)
        assert piped.engine.numbers == list(range(2, 102))

    with_a_session(test)


def test_whoever_is_cut_off_is_so_at_once() -> None:
    """What was read of him reaches the engine all the same."""

    async def test(piped: Piped) -> None:
        piped.pipe.from_client(flood(100))
        piped.pipe.cut_off()
        assert piped.engine.numbers == list(range(2, 102))
        assert piped.engine.has_eof
        assert piped.client.is_aborted

    with_a_session(test)


def test_a_stream_of_reports_is_let_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each reading the next one waits for a moment; the first are there at once, none is lost."""

    async def test(piped: Piped) -> None:
        monkeypatch.setattr(pipe, "STREAM_SECONDS", math.inf)
        piped.answer(STREAM_MESSAGES // 2)
        assert piped.engine.is_read
        for _ in range(3):
            before = len(piped.client.numbers)
            piped.answer(STREAM_MESSAGES)
            assert len(piped.client.numbers) == before + STREAM_MESSAGES
            assert not piped.engine.is_read
            await holds(lambda: piped.engine.is_read)
        monkeypatch.setattr(pipe, "STREAM_SECONDS", 0.0)
        piped.answer(STREAM_MESSAGES)
        assert piped.engine.is_read  # they come so slowly that each would wait for nothing

    with_a_session(test)


def test_an_answer_that_is_waited_for_is_passed_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a stream: whoever asks has the engine read all the time, until it has answered."""

    async def test(piped: Piped) -> None:
        monkeypatch.setattr(pipe, "STREAM_SECONDS", math.inf)
        piped.answer(10 * STREAM_MESSAGES)
        assert not piped.engine.is_read
        for number in range(2, 5):
            piped.pipe.from_client(said(number))
            assert piped.engine.is_read
            piped.answer(1)
            assert piped.engine.is_read
        piped.pipe.from_client(flood(WITH_ENGINE_MAX + 1))
        for _ in range(WITH_ENGINE_MAX):
            piped.answer(1)
            assert piped.engine.is_read

    with_a_session(test)
