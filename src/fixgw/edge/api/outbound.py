"""What goes out on one WebSocket: in order, never more than a client may let wait, and written together."""

import asyncio
from collections.abc import Callable

from fastapi import WebSocket, WebSocketDisconnect

from fixgw.edge.api.connections import CONNECTION, WebSocketConnection

TRY_AGAIN_LATER = 1013  # the close code of RFC 6455's registry for a client that is too slow
CLOSE_SECONDS = 1.0  # how long a client that does not read is given to take the last frame


class Outbound:
    """Takes texts for `websocket`, and sends each as a frame, once it is accepted.

    All texts until `soon` calls what it was given are written together, past the layers of the framework,
    which would write each by itself. One that gets more while over `backlog_bytes_max` wait is cut off: so a
    single text may be longer, as that with very many orders is. All methods are for the thread of one event
    loop; `run` ends when the connection is cut off.
    """

    def __init__(
        self,
        websocket: WebSocket,
        backlog_bytes_max: int,
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._websocket = websocket
        self._connection: WebSocketConnection = websocket.scope["state"][CONNECTION]
        self._connection.on_room = self._write
        self._loop = asyncio.get_running_loop()
        self._backlog_bytes_max = backlog_bytes_max
        self._soon = soon
        self._texts: list[bytes] = []  # in UTF-8
        self._bytes = 0
        self._ended = asyncio.Event()
        self._end: tuple[int, str] | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether nothing more is sent."""
        return self._end is not None

    def send(self, text: bytes) -> None:
        """Send `text` (UTF-8) after what waits already; never waits. Nothing is sent on what is cut off."""
        if self._bytes > self._backlog_bytes_max:
            self.cut_off(TRY_AGAIN_LATER, "too much waits for this client")
        if self._end is not None:
            return
        if not self._texts:
            self._soon(self._write)
        self._texts.append(text)
        self._bytes += len(text)

    def _write(self) -> None:
        """Write what waits, if the client has read what was written before."""
        if not self._texts or self._connection.is_paused:
            return
        texts, self._texts, self._bytes = self._texts, [], 0
        if self._connection.is_open:
            self._connection.write(texts)

    def cut_off(self, code: int, why: str) -> None:
        """Close the connection with a close code of RFC 6455; what waits is not sent any more."""
        if self._end is None:
            self._end = code, why
            self._texts.clear()
            self._ended.set()
            self._loop.call_later(CLOSE_SECONDS, self._connection.abort)

    async def run(self) -> None:
        """Wait until the connection is cut off, and close it. Raises nothing."""
        try:
            await self._ended.wait()
            if self._end is not None:
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
