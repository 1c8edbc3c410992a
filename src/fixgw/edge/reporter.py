"""What the edge tells the engine each second, who is connected; and what it hears: who may not log on."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from fixgw.engine.turn import EdgeReport, EdgeSession, Ring
from fixgw.link import FRAME_MAX, LENGTH, SOCKET_NAME, EdgeReply, frame

log = structlog.get_logger("fixgw.edge")

REPORT_SECONDS = 1.0
FAILURES = 10  # one after the other, and it is said: an engine that starts again misses fewer
ANSWER_SECONDS = 5.0  # a turn of the engine can take a moment; longer, and the connection is made anew

_RING = frame(Ring())

_decode = msgspec.json.Decoder(EdgeReply).decode


class Reporter:
    """Speaks to the engine on the link in `data`, over one connection that is made anew when it is lost.

    `sessions` says who is connected; `disable` gets the names of the disabled sessions (any number) each time
    the engine answers. While it does not, what it said last stays true.
    """

    def __init__(
        self,
        data: Path,
        sessions: Callable[[], tuple[EdgeSession, ...]],
        disable: Callable[[frozenset[str]], None],
    ) -> None:
        self._path = data / SOCKET_NAME
        self._sessions = sessions
        self._disable = disable
        self._failures = 0  # one after the other
        self._writer: asyncio.StreamWriter | None = None

    def ring(self) -> None:
        """Wake the engine. One that cannot be reached, or is busy, is not waited for."""
        if self._writer is not None and not self._writer.transport.get_write_buffer_size():
            self._writer.write(_RING)

    async def run(self) -> None:
        """Go on until cancelled. Raises nothing else: an engine that is away is tried again each second."""
        while True:
            try:
                await self._speak()
            except (OSError, EOFError, msgspec.MsgspecError) as error:
                self._failures += 1
                if self._failures == FAILURES:
                    log.warning("engine does not hear", why=f"{type(error).__name__}: {error}".rstrip(": "))
            except Exception:
                log.exception("our mistake")
            await asyncio.sleep(REPORT_SECONDS)

    async def _speak(self) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(self._path)
        self._writer = writer
        try:
            while True:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._ask(reader, writer)
                self._failures = 0
                self._disable(frozenset(answer.disabled))
                await asyncio.sleep(REPORT_SECONDS)
        finally:
            self._writer = None
            writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> EdgeReply:
        writer.write(frame(EdgeReport(self._sessions())))
        await writer.drain()
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        if length > FRAME_MAX:
            raise EOFError(f"an answer of {length} bytes is too long")
        return _decode(await reader.readexactly(length))
