"""The same calls over HTTP, while there is no WebSocket."""

import asyncio
from collections.abc import Mapping
from ssl import create_default_context

import httpx

from fixgw.edge.venues.alphapoint import replies
from fixgw.edge.venues.alphapoint.connection import LIST_TIMES
from fixgw.edge.venues.alphapoint.replies import LoginRefusedError, UnreadableError
from fixgw.edge.venues.alphapoint.requests import Call
from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)

KEEP_ALIVE_SECONDS = 2.0  # servers end an idle connection after 5 s or more: a request must not meet that
WHOLE = 3  # times `seconds`: connecting, sending and reading may each take that long
TOKEN = "APToken"  # noqa: S105 - the name of a header


class Http:
    """Asks over HTTP, logged in or not. An answer is waited for `seconds`, a list some times that.

    For one event loop.
    """

    def __init__(self, url: str, seconds: float, at_once: int) -> None:
        self._url = url.rstrip("/") + "/AP/"
        self._seconds = seconds
        self._token = ""
        self._client = httpx.AsyncClient(
            timeout=seconds,
            verify=create_default_context(),
            trust_env=url.startswith("https:"),  # no proxy hears what is not encrypted
            limits=httpx.Limits(max_connections=at_once, keepalive_expiry=KEEP_ALIVE_SECONDS),
        )

    @property
    def is_logged_in(self) -> bool:
        """Whether there is a login, as far as is known."""
        return bool(self._token)

    async def log_in(self, credentials: Mapping[str, object]) -> None:
        """Log in by a signature's headers, or by name and password.

        Raises LoginRefusedError and VenueAwayError.
        """
        name, password = credentials.get("UserName"), credentials.get("Password")
        auth = (str(name), str(password)) if name is not None else None
        headers = {} if auth else {key: str(value) for key, value in credentials.items()}
        try:
            async with asyncio.timeout(WHOLE * self._seconds):
                response = await self._client.get(self._url + "AuthenticateUser", headers=headers, auth=auth)
            if response.status_code in (401, 403):
                raise LoginRefusedError(f"the venue refuses the login: HTTP {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise VenueAwayError(f"the venue answers a login with HTTP {response.status_code}")
            self._token = replies.session_token(replies.loads(response.text))
            if not self._token:
                raise VenueAwayError("the venue's answer to a login has no SessionToken")
        except (httpx.HTTPError, TimeoutError) as error:
            raise VenueAwayError(f"the venue cannot be reached: {_words(error)}") from None
        except UnreadableError as error:
            raise VenueAwayError(f"the venue's answer to a login is not readable: {error}") from None

    def log_out(self) -> None:
        """Forget the login: it is none any more."""
        self._token = ""

    async def call(self, call: Call) -> object:
        """The reply to a call.

        Raises VenueAwayError, VenueBusyError, VenueRefusedError and, once a change was sent,
        UnknownOutcomeError. A login that can be of no use any more is forgotten.
        """
        headers = {"Content-Type": "application/json", TOKEN: self._token}
        seconds = self._seconds * (LIST_TIMES if call.is_list else 1)
        try:
            async with asyncio.timeout(WHOLE * seconds):
                url = self._url + call.function
                response = await self._client.post(url, content=call.body, headers=headers, timeout=seconds)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.log_out()
            raise VenueAwayError(f"the venue cannot be reached: {_words(error)}") from None
        except httpx.PoolTimeout:
            raise VenueAwayError("the venue answers too slowly: too much is asked already") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise _vain(call, _words(error)) from None
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise VenueBusyError("too many requests", _pause(response.headers.get("Retry-After", "")))
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            self.log_out()
            raise VenueRefusedError(f"the venue refuses the login: HTTP {status}")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _vain(call, f"HTTP {status}")
        if status != httpx.codes.OK:
            raise VenueRefusedError(f"the venue refuses {call.function}: HTTP {status}")
        try:
            return replies.loads(response.text)
        except UnreadableError as error:
            raise _vain(call, f"the answer is not readable: {error}") from None

    async def close(self) -> None:
        """End its connections."""
        await self._client.aclose()


def _vain(call: Call, why: str) -> UnknownOutcomeError | VenueAwayError:
    """What it means that a call was sent and has no answer that says what was done."""
    return (UnknownOutcomeError if call.is_change else VenueAwayError)(f"{call.function}: {why}")


def _words(error: Exception) -> str:
    """What went wrong. Only of a connection that was not made: other texts may have a header in them."""
    name = type(error).__name__
    return replies.text_of(f"{name}: {error}") if isinstance(error, httpx.ConnectError) else name


def _pause(retry_after: str) -> float:
    """The seconds that Retry-After asks for."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return replies.BUSY_SECONDS
    return min(max(seconds, 0.0), replies.BUSY_SECONDS_MAX) if seconds == seconds else replies.BUSY_SECONDS
