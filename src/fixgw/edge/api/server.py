"""One port of the API: takes connections, counts them, and gives them to uvicorn's protocols."""

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from contextlib import suppress
from email.utils import formatdate

import structlog
from starlette.types import ASGIApp
from uvicorn import Config

from fixgw.config_tables import ApiTable
from fixgw.edge.api.connections import (
    REQUEST_SECONDS,
    Connected,
    HttpConnection,
    WebSocketConnection,
    response,
)
from fixgw.edge.process import KERNEL_QUEUE

log = structlog.get_logger("fixgw.api")

KEEP_ALIVE_SECONDS = 60  # between two requests on one connection
TLS_CLOSE_SECONDS = 5.0
FULL_SECONDS = 0.1  # without descriptors: then accepting is tried again
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
NO_TEXT = "Invalid UTF-8 sequence received from client."  # as uvicorn says it, with a traceback
HEADERS = [
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'"),
]
"""Of every answer. Inline script and style are those of the documentation, which alone has any."""


class Server:
    """Serves `app` on `listener`, a socket that has its port. `context` is TLS for new connections."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, settings: ApiTable, context: ssl.SSLContext | None
    ) -> None:
        self.context = context
        self._listener = listener
        self._connected = Connected(settings.connections_max, settings.connections_per_address_max)
        self._config = Config(
            app,
            http=HttpConnection,
            ws=WebSocketConnection,
            ws_max_size=settings.frame_bytes_max,
            ws_per_message_deflate=False,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=HEADERS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._accepting: asyncio.Task[None] | None = None
        self._beginning: set[asyncio.Task[None]] = set()
        self._refused: Counter[str] = Counter()
        self.step()

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._connected.total

    def listen(self) -> None:
        """Take connections from now on. Raises OSError."""
        self._listener.listen(KERNEL_QUEUE)
        self._accepting = asyncio.ensure_future(self._accept())

    def step(self) -> None:
        """Do what is due each second: end connections, say what was refused."""
        date = formatdate(usegmt=True).encode("ascii")
        self._connected.default_headers = [(b"date", date), *self._config.encoded_headers]
        self._connected.step(asyncio.get_running_loop().time())
        if self._refused:
            address, count = self._refused.most_common(1)[0]
            log.warning("too many connections", refused=self._refused.total(), most_of=address, count=count)
            self._refused.clear()

    def stop(self) -> None:
        """Take no new connections."""
        if self._accepting is not None:
            self._accepting.cancel()
        self._listener.close()

    async def close(self, seconds: float) -> None:
        """End all connections: each when its request is answered, and all after so many seconds."""
        for task in self._beginning:
            task.cancel()
        for connection in list(self._connected.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._connected.connections:
                    await asyncio.sleep(0.01)
        for connection in list(self._connected.connections):
            connection.transport.abort()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, name = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in FULL:
                    log.warning("cannot accept", why=error.strerror, connections=self._connected.total)
                    await asyncio.sleep(FULL_SECONDS)
                continue
            address = str(name[0])
            if self._connected.enter(address):
                task = asyncio.ensure_future(self._begin(peer, address))
                self._beginning.add(task)
                task.add_done_callback(self._beginning.discard)
            else:
                self._refused[address] += 1
                self._turn_away(peer)

    async def _begin(self, peer: socket.socket, address: str) -> None:
        """Have a connection begin, with its TLS handshake if there is one."""
        loop = asyncio.get_running_loop()
        connection = HttpConnection(self._config, self._connected, address)
        is_tls = self.context is not None
        try:
            await loop.connect_accepted_socket(
                lambda: connection,
                peer,
                ssl=self.context,
                ssl_handshake_timeout=REQUEST_SECONDS if is_tls else None,
                ssl_shutdown_timeout=TLS_CLOSE_SECONDS if is_tls else None,
            )
        except OSError as error:  # of which ssl.SSLError is one
            log.debug("refused", address=address, why=str(error) or type(error).__name__)
        finally:
            if connection.transport is None:
                peer.close()
                self._connected.leave(address)

    def _turn_away(self, peer: socket.socket) -> None:
        """Refuse a connection that is one too many."""
        with suppress(OSError):
            if self.context is None:
                peer.send(response(503, "there are too many connections; close some, or try again later"))
        peer.close()


class LogHandler(logging.Handler):
    """Writes what uvicorn says to our log: its errors, which are ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one; that a client's text is none is not our mistake, and it is told so by 1007."""
        if record.getMessage() == NO_TEXT:
            return
        log.error("our mistake", why=record.getMessage(), exc_info=record.exc_info)


def take_logs() -> None:
    """Have what uvicorn says in our log. Its lesser lines are left out: they have paths with keys in them."""
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.handlers = [LogHandler()]
        logger.propagate = False
