"""One WebSocket to the venue: requests and their replies by number, and what the venue says by itself."""

import asyncio
from collections.abc import Callable
from itertools import count

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from fixgw.edge.venues.alphapoint import replies
from fixgw.edge.venues.alphapoint.replies import Frame, UnreadableError
from fixgw.edge.venues.alphapoint.requests import Call
from fixgw.edge.venues.contract import UnknownOutcomeError, VenueAwayError

log = structlog.get_logger("fixgw.venues")

FRAME_BYTES_MAX = 64 * 2**20  # a list of some ten thousand open orders, twice encoded
CLOSE_SECONDS = 1.0

Heard = Callable[[Frame], None]
"""Gets each frame that is not a reply."""


class Connection:
    """One connection from its beginning to its end, for one event loop.

    An answer is waited for `seconds`. A peer that has not answered a ping for as long is gone.
    """

    def __init__(self, websocket: ClientConnection, seconds: float, heard: Heard) -> None:
        self._websocket = websocket
        self._seconds = seconds
        self._heard = heard
        self._numbers = count(2, 2)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    @classmethod
    async def opened(cls, url: str, seconds: float, heard: Heard) -> "Connection":
        """A new one. Raises OSError, TimeoutError and WebSocketException."""
        websocket = await connect(
            url,
            open_timeout=seconds,
            close_timeout=CLOSE_SECONDS,
            ping_interval=seconds,
            ping_timeout=seconds,
            max_size=FRAME_BYTES_MAX,
            compression=None,
        )
        return cls(websocket, seconds, heard)

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return self._websocket.state is State.OPEN

    async def listen(self) -> str:
        """Take what comes until the connection ends; why it has ended, for a person."""
        try:
            async for text in self._websocket:
                self._take(text)
        except ConnectionClosed:
            pass
        finally:
            self._lose()
        websocket = self._websocket
        why = replies.text_of(websocket.close_reason) or "without a reason"
        return f"the connection has ended ({websocket.close_code}, {why})"

    def _take(self, text: str | bytes) -> None:
        try:
            frame = replies.frame(text)
        except UnreadableError as error:
            log.warning("venue's frame not readable", why=str(error))
            return
        waiting = None
        if frame.kind != replies.EVENT:
            waiting = self._waiting.pop(frame.number, None)
        if waiting is None:
            self._heard(frame)
        elif not waiting.done():
            waiting.set_result(frame)

    def _lose(self) -> None:
        """Nothing more comes: whoever waits does so in vain."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    async def call(self, call: Call) -> object:
        """The reply to a call. Raises VenueAwayError and, once a change was sent, UnknownOutcomeError."""
        if not self.is_open:
            raise VenueAwayError("the connection to the venue has ended")
        number = next(self._numbers)
        waiting: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(self._seconds):
                await self._websocket.send(call.frame(number))
                await asyncio.wait([waiting])
            if waiting.cancelled():
                raise _vain(call, "the connection ended before the answer")
            return replies.loads(waiting.result().payload)
        except ConnectionClosed:
            raise _vain(call, "the connection ended while it was asked") from None
        except TimeoutError:
            raise _vain(call, f"no answer within {self._seconds:g} s") from None
        except UnreadableError as error:
            raise _vain(call, f"the answer is not readable: {error}") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """End it."""
        await self._websocket.close()


def _vain(call: Call, why: str) -> UnknownOutcomeError | VenueAwayError:
    """What it means that a call was sent and has no answer."""
    return (UnknownOutcomeError if call.is_change else VenueAwayError)(f"{call.function}: {why}")
