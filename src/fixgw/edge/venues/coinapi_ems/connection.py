"""The WebSocket on which the EMS says by itself what happens: kept open, and watched for its heartbeat."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import SystemRandom

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from fixgw.edge.venues.coinapi_ems.replies import STATUSES
from fixgw.edge.venues.socket import Socket

log = structlog.get_logger("fixgw.venues")

SILENT_SECONDS = 5.0  # the heartbeat comes each second
PAUSE_SECONDS = 0.2  # before the first try to connect again; twice as long before each further one
PAUSE_SECONDS_MAX = 30.0
STEADY_SECONDS = 10.0  # a connection that was up for less does not shorten the next pause
MESSAGE_BYTES_MAX = 64 * 2**20  # a snapshot is one message: about 100,000 orders

_chance = SystemRandom()
_quiet = logging.getLogger("fixgw.venues.websocket")
_quiet.setLevel(logging.WARNING)  # below, the library logs the headers of its handshake, and so the key


class _Connect(connect):
    """Goes where it is told and nowhere else: the library would take the key along to another address."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """A redirect is an error."""
        return exc


class LostError(Exception):
    """The connection is of no use any more; the text says why."""


class Connection:
    """Keeps the WebSocket of the venue `name` open. `url` is its address, `headers` prove who connects.

    `heard` takes each message, and may raise LostError. Once it says that the venue runs, `begin` finds out
    whether it can be used, and raises LostError if not; then the connection `is_up`.
    """

    def __init__(
        self,
        name: str,
        url: str,
        headers: dict[str, str],
        seconds: float,
        heard: Callable[[str | bytes], bool],
        begin: Callable[[], Awaitable[None]],
    ) -> None:
        self._log = log.bind(venue=name)
        self._url = url
        self._headers = headers
        self._seconds = seconds
        self._heard = heard
        self._begin = begin
        self.why_away = "not connected yet"

    @property
    def is_up(self) -> bool:
        """Whether it is open, and the venue can be used."""
        return not self.why_away

    async def run(self) -> None:
        """Keep it open until cancelled."""
        pause, clock = PAUSE_SECONDS, asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._once()
            except Exception as error:
                if self.is_up and clock() - began > STEADY_SECONDS:
                    pause = PAUSE_SECONDS
                self._lost(error)
            finally:
                self.why_away = self.why_away or "not connected"
            await asyncio.sleep(pause * _chance.uniform(0.5, 1.0))
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def _lost(self, error: Exception) -> None:
        why = _why(error)
        if why is None:
            self._log.exception("our mistake")
            why = "the fault is fixgw's"
        if why != self.why_away:
            self._log.warning("venue away", why=why)
        self.why_away = why

    async def _once(self) -> None:
        """Connect, and listen until the connection is lost."""
        context = ssl.create_default_context() if self._url.startswith("wss:") else None
        async with _Connect(
            self._url,
            additional_headers=self._headers,
            open_timeout=self._seconds,
            close_timeout=1.0,
            max_size=MESSAGE_BYTES_MAX,
            proxy=None,
            ping_interval=None,  # there is a heartbeat
            create_connection=Socket,
            ssl=context,
            logger=_quiet,
        ) as socket:
            await self._until_running(socket)
            await self._begin()
            self.why_away = ""
            self._log.info("venue up")
            assert isinstance(socket, Socket)
            await self._listen(socket)

    async def _until_running(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                while not self._heard(await socket.recv()):
                    pass
        except TimeoutError:
            raise LostError("the venue does not say that the exchange runs") from None

    async def _listen(self, socket: Socket) -> None:
        """Take messages. Raises TimeoutError when nothing comes any more; a long one may take its time."""
        left = SILENT_SECONDS
        while left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):  # around many: it costs as much as a message
                    while True:
                        self._heard(await socket.recv())
            left = socket.received_at + SILENT_SECONDS - socket.loop.time()
        raise TimeoutError


def _why(error: Exception) -> str | None:
    """Why the connection is lost, None for an error that is no such thing. Nothing secret is in it."""
    match error:
        case LostError():
            return str(error)
        case InvalidStatus(response=response):
            status = response.status_code
            return STATUSES.get(status, f"the venue refuses the WebSocket: HTTP {status}")
        case TimeoutError():
            return "the venue is silent"
        case WebSocketException():
            return f"the WebSocket is closed: {type(error).__name__}"
        case OSError():
            return f"no connection: {error}"
    return None
