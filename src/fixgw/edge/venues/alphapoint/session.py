"""The connection to an AlphaPoint venue: a WebSocket, and HTTP as long as there is none; and both's login."""

import asyncio
import time
from collections.abc import Callable
from random import SystemRandom
from urllib.parse import urlsplit

import structlog
from websockets.exceptions import WebSocketException

from fixgw.edge.venues.alphapoint import replies, requests
from fixgw.edge.venues.alphapoint.connection import Connection, Heard
from fixgw.edge.venues.alphapoint.http import Http
from fixgw.edge.venues.alphapoint.names import Names
from fixgw.edge.venues.alphapoint.replies import LoginRefusedError, UnreadableError
from fixgw.edge.venues.alphapoint.requests import Call
from fixgw.edge.venues.contract import VenueAwayError, VenueBusyError, VenueRefusedError
from fixgw.edge.venues.place import Place

log = structlog.get_logger("fixgw.venues")

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.2, 30.0  # between two attempts to connect
STEADY_SECONDS = 10.0  # a connection that has lasted so long makes the pauses short again
SOCKET_PATH = "/WSGateway/"
ENDED = "the connection to the venue has ended"

_chance = SystemRandom()


class Session:
    """Keeps logged in to the venue. `heard` gets every frame that is not a reply. For one event loop."""

    def __init__(self, place: Place, names: Names, heard: Heard) -> None:
        self._place = place
        self._settings = settings = place.settings
        self._names = names
        self._heard = heard
        self._url = settings.ws_url or socket_url(settings.url)
        self._seconds = float(settings.request_seconds)
        self._connection: Connection | None = None
        self._http = Http(settings.url, self._seconds, settings.requests_at_once)
        self._why = "not connected yet"
        self._nonce = 0

    @property
    def is_up(self) -> bool:
        """Whether it can be asked now: over a WebSocket, or else over HTTP."""
        return self._socket is not None or self._http.is_logged_in

    @property
    def why_away(self) -> str:
        """Why it cannot; empty while it can."""
        return "" if self.is_up else self._why or ENDED

    @property
    def _socket(self) -> Connection | None:
        """The WebSocket, when it is logged in and open."""
        connection = self._connection
        return connection if connection is not None and connection.is_open else None

    async def run(self) -> None:
        """Keep connected until cancelled."""
        loop = asyncio.get_running_loop()
        pause = PAUSE_SECONDS_MIN
        try:
            while True:
                began, is_refused = loop.time(), False
                try:
                    self._why = await self._keep_connection()
                except LoginRefusedError as error:
                    self._why, is_refused = str(error), True
                except (VenueAwayError, VenueBusyError) as error:
                    self._why = str(error)
                except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
                    self._why = f"the venue cannot be reached: {_words(error)}"
                except Exception:
                    log.exception("our mistake", venue=self._settings.name)
                    self._why = "our mistake; see the log"
                if is_refused:
                    self._http.log_out()
                    pause = PAUSE_SECONDS_MAX  # a venue locks a user that it has to refuse often
                else:
                    if loop.time() - began >= STEADY_SECONDS:
                        pause = PAUSE_SECONDS_MIN
                    await self._fall_back()
                log.warning(
                    "venue has no WebSocket", venue=self._settings.name, why=self._why, has_http=self.is_up
                )
                await asyncio.sleep(pause * _chance.uniform(0.5, 1.0))
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
        finally:
            await self._http.close()

    async def _keep_connection(self) -> str:
        """Connect, log in and listen until the connection ends; why it has."""
        connection = await Connection.opened(self._url, self._seconds, self._heard)
        listening = asyncio.ensure_future(connection.listen())
        try:
            credentials = self._credentials()
            function = "AuthenticateUser" if "APIKey" in credentials else "WebAuthenticateUser"
            login = await connection.call(Call(function, credentials))
            _read(login, replies.session_token)
            for account_id, account in self._names.accounts.items():
                reply = await connection.call(requests.subscribe(self._names, account))
                _may_listen(reply, account_id)
            self._connection = connection
            self._why = ""
            self._http.log_out()
            log.info("venue connected", venue=self._settings.name, accounts=len(self._names.accounts))
            return await listening
        finally:
            self._connection = None
            listening.cancel()
            await connection.close()

    async def _fall_back(self) -> None:
        """Log in over HTTP, unless that was done since there was a WebSocket."""
        if self._http.is_logged_in:
            return
        try:
            await self._http.log_in(self._credentials())
        except (VenueAwayError, LoginRefusedError) as error:
            self._why = f"{self._why}; over HTTP: {error}"

    def _credentials(self) -> dict[str, object]:
        """What logs in, and is used once. They are secrets."""
        place, settings = self._place, self._settings
        if not (settings.user_id and place.api_key and place.api_secret):
            return {"UserName": settings.username, "Password": place.password}
        self._nonce = max(self._nonce + 1, time.time_ns() // 1_000)
        return requests.signed(settings.user_id, place.api_key, place.api_secret, self._nonce)

    async def call(self, call: Call) -> object:
        """The reply to a call. Raises the contract's errors; a change is never sent twice."""
        if (connection := self._socket) is not None:
            return await connection.call(call)
        if not self._http.is_logged_in:
            raise VenueAwayError(self.why_away)
        reply = await self._http.call(call)
        if not _is_unknown_here(reply):
            return reply
        self._http.log_out()  # the login may be too old; nothing was done
        try:
            await self._http.log_in(self._credentials())
        except LoginRefusedError as error:
            self._why = str(error)
            raise VenueAwayError(self._why) from None
        return await self._http.call(call)

    async def log_in_anew(self) -> None:
        """The login is none any more: connect again. (Over HTTP that is seen, and done, by itself.)"""
        if (connection := self._socket) is not None:
            log.warning("venue has forgotten the login", venue=self._settings.name)
            await connection.close()


def socket_url(url: str) -> str:
    """The WebSocket of a venue whose HTTP is at `url`, when nothing else is said."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{SOCKET_PATH}"


def _read(reply: object, read: Callable[[object], object]) -> None:
    try:
        read(reply)
    except UnreadableError as error:
        raise VenueAwayError(f"the venue's answer to a login is not readable: {error}") from None


def _may_listen(reply: object, account_id: int) -> None:
    """Raises LoginRefusedError when the login may not see the account."""
    if isinstance(reply, dict) and (refused := replies.no(replies.keys_of(reply))) is not None:
        try:
            replies.raise_for(refused, is_change=False)
        except VenueRefusedError as error:
            raise LoginRefusedError(f"the venue does not show account {account_id}: {error}") from None
    _read(reply, replies.subscribed)


def _is_unknown_here(reply: object) -> bool:
    """Whether it is refused because nobody is logged in, or nobody who may do that."""
    refused = replies.no(replies.keys_of(reply)) if isinstance(reply, dict) else None
    return refused is not None and refused.code == replies.NOT_AUTHORIZED


def _words(error: Exception) -> str:
    """What went wrong, short: the type of the error, and the number of the system's."""
    return replies.text_of(f"{type(error).__name__}: {error}")
