"""What goes out on one WebSocket: in order, by one writer, and never more than a client may let wait."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from fixgw.edge.api.connections import ABORT

log = structlog.get_logger("fixgw.api")

TRY_AGAIN_LATER = 1013  # the close code of RFC 6455's registry for a client that is too slow
CLOSE_SECONDS = 1.0  # how long a client that does not read is given to take the last frame


class Outbound:
    """Takes texts for `websocket`, which is accepted, and sends each as a frame.

    One that gets more while over `backlog_bytes_max` wait is cut off: so a single text may be longer, as that
    with very many orders is. All methods are for the thread of one event
    loop; `run` is the writer's task, and ends when the connection does.
    """

    def __init__(self, websocket: WebSocket, backlog_bytes_max: int) -> None:
        self._websocket = websocket
        self._backlog_bytes_max = backlog_bytes_max
        self._texts: deque[tuple[str, int]] = deque()  # with their bytes
        self._bytes = 0
        self._news = asyncio.Event()
        self._end: tuple[int, str] | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether nothing more is sent."""
        return self._end is not None

    def send(self, text: str) -> None:
        """Send `text` after what waits already; never waits. Nothing is sent on what is cut off."""
        if self._bytes > self._backlog_bytes_max:
            self.cut_off(TRY_AGAIN_LATER, "too much waits for this client")
        if self._end is not None:
            return
        size = len(text) if text.isascii() else len(text.encode())
        self._texts.append((text, size))
        self._bytes += size
        self._news.set()

    def cut_off(self, code: int, why: str) -> None:
        """Close the connection with a close code of RFC 6455; what waits is not sent any more."""
        if self._end is None:
            self._end = code, why
            self._texts.clear()
            self._news.set()
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abort)

    async def run(self) -> None:
        """Send until the connection ends or is cut off. Raises nothing."""
        try:
            while self._end is None:
                await self._news.wait()
                self._news.clear()
                while self._texts:
                    text, size = self._texts.popleft()
                    await self._websocket.send_text(text)
                    self._bytes -= size
            await self._websocket.close(*self._end)
        except (
            WebSocketDisconnect,
            RuntimeError,
        ):  # the latter: it is closed already, by the other side or ours
            return
        finally:
            if self._end is None:
                self._end = 1006, "the connection has ended"
            self._texts.clear()

    def _abort(self) -> None:
        abort: Callable[[], None] | None = self._websocket.scope.get("state", {}).get(ABORT)
        if abort is not None:
            abort()
