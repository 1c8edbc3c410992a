"""Connections of API clients: uvicorn's protocols, bounded so that one client does not take what all need.

Nobody waits for a client: a request has to come whole within REQUEST_SECONDS, and what waits for a client has
to move within STALL_SECONDS. Both are looked at by `step`, once a second, so that they cost no timers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from uvicorn import Config
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

REQUEST_SECONDS = 10.0  # for a whole request, from its first byte or the connection's begin
STALL_SECONDS = 20.0  # for the next byte to be taken, of what waits for a client or is left at its end
HEAD_BYTES_MAX = 16_384  # of a request's line and headers; real ones have less than 2,000
LINGER_SECONDS = 1.0  # that a WebSocket is read on whose client was told why it ends
PINGS_MAX = 100  # that are answered while writing is paused; a client's keepalive sends one in some seconds
FRAGMENTS_MAX = 1_024  # of one WebSocket message: they could be empty, and be counted by no other bound
NO_HTTP = (400, "this is no request of HTTP/1.1 that can be read")
TOO_LONG = (431, f"the line and headers of a request have at most {HEAD_BYTES_MAX} bytes")
CONNECTION = "connection"
"""In the state of a WebSocket's scope: its `WebSocketConnection`."""


class Connected(ServerState):
    """The connections of one port, counted in all and by address."""

    def __init__(self, connections_max: int, connections_per_address_max: int) -> None:
        super().__init__()
        self._max = connections_max
        self._per_address_max = connections_per_address_max
        self._counts: Counter[str] = Counter()
        self._addresses: dict[asyncio.BaseTransport, str] = {}

    @property
    def total(self) -> int:
        """How many there are."""
        return self._counts.total()

    def enter(self, address: str) -> bool:
        """Count a connection from `address`, if there may be one more."""
        if self.total >= self._max or self._counts[address] >= self._per_address_max:
            return False
        self._counts[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A connection from `address` has ended."""
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def begin(self, transport: asyncio.BaseTransport, address: str) -> None:
        """A connection that was counted has this transport, until it is lost."""
        self._addresses[transport] = address

    def lost(self, transport: asyncio.BaseTransport) -> None:
        """The connection with this transport has ended."""
        address = self._addresses.pop(transport, None)
        if address is not None:
            self.leave(address)

    def step(self, now: float) -> None:
        """End the connections that are due. `now` is the event loop's time."""
        for connection in list(self.connections):
            if isinstance(connection, HttpConnection | WebSocketConnection):
                connection.step(now)


class _Stall:
    """Whether a client takes what waits for it, while nothing is added: writing is paused, or at its end."""

    def __init__(self) -> None:
        self.is_paused = False
        self._left = 0
        self._since: float | None = None

    def is_over(self, transport: asyncio.Transport, now: float) -> bool:
        """Whether nothing was taken for too long."""
        left = transport.get_write_buffer_size()
        if not (self.is_paused or transport.is_closing()):
            self._since = None
        elif self._since is None or left < self._left:
            self._since = now
        self._left = left
        return self._since is not None and now - self._since > STALL_SECONDS


class HttpConnection(HttpToolsProtocol):
    """A connection that has not become a WebSocket, from `address`."""

    def __init__(self, config: Config, state: Connected, address: str) -> None:
        super().__init__(config, state, {})
        self._connected = state
        self._address = address
        self._stall = _Stall()
        self._is_in_head = True
        self._head_bytes = 0
        self._awaited_since: float | None = None
        self._wrong = NO_HTTP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has begun."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self._connected.begin(transport, self._address)
        self._awaited_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        super().connection_lost(exc)
        self._connected.lost(self.transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(*TOO_LONG)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._awaited_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """A request's headers are read."""
        self._is_in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            self._wrong = TOO_LONG
            raise ValueError("too long")  # which the parser makes an error of the request
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        super().on_message_complete()
        self._is_in_head, self._head_bytes = True, 0
        self._awaited_since = None

    def send_400_response(self, _: str) -> None:
        """Answer what is no HTTP, or has too long a head."""
        self._refuse(*self._wrong)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        super().pause_writing()
        self._stall.is_paused = True

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stall.is_paused = False

    def step(self, now: float) -> None:
        """End it if it is due."""
        if self._stall.is_over(self.transport, now):
            self.transport.abort()
        elif self._awaited_since is not None and now - self._awaited_since > REQUEST_SECONDS:
            if self.flow.read_paused:  # it is not the client that keeps the request from getting on
                self._awaited_since = now
            else:
                self._refuse(408, f"a request has to come whole within {REQUEST_SECONDS:g} s")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer what never becomes a request, and close; without an answer, if another is on its way."""
        self._awaited_since = None
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(response(status, detail))
            self.transport.close()
        else:
            self.transport.abort()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket.

    `on_room` is called when there is room for more to write, or the connection has ended. `take` gets each
    text before which none waits, and says whether it has taken it; if not, it is received as usual.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connected = server_state
        self._stall = _Stall()
        self._began = self.loop.time()
        self._pings = 0  # that came since writing is paused
        self._is_over = False
        self.on_room: Callable[[], None] = lambda: None
        self.take: Callable[[str], bool] = lambda _: False

    @property
    def is_open(self) -> bool:
        """Whether something can be written."""
        return self.conn.state is State.OPEN and not self.transport.is_closing()

    @property
    def is_paused(self) -> bool:
        """Whether the client has to read first."""
        return self._stall.is_paused

    def write(self, texts: Iterable[bytes]) -> None:
        """Send each text (UTF-8) as a frame, all of them at once; it has to be open."""
        for text in texts:
            self.conn.send_text(text)
        self.transport.write(b"".join(self.conn.data_to_send()))

    def abort(self) -> None:
        """End it at once."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        super().connection_lost(exc)
        if isinstance(self._connected, Connected):
            self._connected.lost(self.transport)
        self.on_room()

    def data_received(self, data: bytes) -> None:
        """Read on; what comes after the end is dropped."""
        if not self._is_over:
            super().data_received(data)

    def handle_cont(self, event: Frame) -> None:
        """A message goes on."""
        if len(self.frames) >= FRAGMENTS_MAX:
            self.transport.abort()
        else:
            super().handle_cont(event)

    def handle_bytes(self, _: Frame) -> None:
        """Refuse what is not text: every dialect is JSON."""
        self._refuse(CloseCode.UNSUPPORTED_DATA)

    def send_receive_event_to_app(self) -> None:
        """A message is whole: hand it on, if it is text at all.

        Unlike the library's, this reads on while only one message waits: two system calls less for each. And
        what can be taken at once does not go through a queue, and wakes no task.
        """
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._refuse(CloseCode.INVALID_DATA)
            return
        if self.queue.empty() and self.take(text):
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        if self.queue.qsize() > 1 and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _refuse(self, code: CloseCode) -> None:
        """Close the connection for what the client has sent."""
        if not self.close_sent:
            self.conn.send_close(code)
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Say why it ends, and end it when the client does, or in LINGER_SECONDS.

        At once would be too soon: what he still sends would reset it, and he might never read why.
        """
        assert self.conn.close_sent is not None
        self._is_over = self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": self.conn.close_sent.code})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says; it is told when nobody is there any more to take it."""
        await self.writable.wait()
        if self._is_over:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # it was refused, which the library would log as our mistake

    def handle_ping(self) -> None:
        """Answer a ping. The answers to very many that come while the client does not read would pile up."""
        answers = b"".join(self.conn.data_to_send())
        self._pings += self._stall.is_paused
        if self._pings <= PINGS_MAX:
            self.transport.write(answers)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        super().pause_writing()
        self._stall.is_paused = True

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stall.is_paused, self._pings = False, 0
        self.on_room()

    async def run_asgi(self) -> None:
        """Have the application work on it."""
        self.scope["state"][CONNECTION] = self
        await super().run_asgi()

    def step(self, now: float) -> None:
        """End it if it is due. A handshake that cannot be read is not answered by the library."""
        is_late = not self.handshake_complete and now - self._began > REQUEST_SECONDS
        if is_late or self._stall.is_over(self.transport, now):
            self.transport.abort()


def response(status: int, detail: str) -> bytes:
    """A whole answer of JSON, after which the connection ends."""
    body = msgspec.json.encode({"detail": detail})
    head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    return STATUS_LINE[status] + head + body
