"""One WebSocket to the venue: requests and their replies by number, and what the venue says by itself."""

import asyncio
from collections.abc import Callable
from itertools import count

import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from fixgw.edge.venues.alphapoint import replies
from fixgw.edge.venues.alphapoint.replies import Frame, UnreadableError
from fixgw.edge.venues.alphapoint.requests import Call
from fixgw.edge.venues.contract import UnknownOutcomeError, VenueAwayError
from fixgw.edge.venues.socket import Socket

log = structlog.get_logger("fixgw.venues")

FRAME_BYTES_MAX = 64 * 2**20  # a list of some ten thousand open orders, twice encoded
CLOSE_SECONDS = 1.0
SILENT_TIMES = 2  # `seconds` in which nothing came, neither the answer to a ping, nor a part of a frame
PART_BYTES = 16_384  # so many came in a time: a long answer is on its way
LIST_TIMES = 3  # `seconds` that a venue may take to put a list of orders together

Heard = Callable[[Frame], None]
"""Gets each frame that is not a reply."""


class Connection:
    """One connection from its beginning to its end, for one event loop.

    An answer is waited for `seconds`, and a list for some times that, and as long as it is coming in. A peer
    of whom nothing has come for twice as long is gone; a ping that it has not answered while it sends a long
    frame proves nothing, because the answer has to wait for the end of that.
    """

    def __init__(self, websocket: Socket, seconds: float, heard: Heard) -> None:
        self._websocket = websocket
        self._seconds = seconds
        self._heard = heard
        self._numbers = count(2, 2)
        self._waiting: dict[int, asyncio.Future[Frame | None]] = {}  # None: the connection has ended

    @classmethod
    async def opened(cls, url: str, seconds: float, heard: Heard) -> "Connection":
        """A new one. Raises OSError, TimeoutError and WebSocketException."""
        websocket = await connect(
            url,
            open_timeout=seconds,
            close_timeout=CLOSE_SECONDS,
            ping_interval=seconds,
            ping_timeout=None,  # `_watch` sees whether it is there
            create_connection=Socket,
            max_size=FRAME_BYTES_MAX,
            compression=None,
            proxy=True if url.startswith("wss:") else None,  # no proxy hears what is not encrypted
        )
        assert isinstance(websocket, Socket)
        return cls(websocket, seconds, heard)

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return self._websocket.state is State.OPEN

    async def listen(self) -> str:
        """Take what comes until the connection ends; why it has ended, for a person."""
        watching = asyncio.ensure_future(self._watch())
        try:
            async for text in self._websocket:
                self._take(text)
        except ConnectionClosed:
            pass
        finally:
            watching.cancel()
            self._lose()
        if watching.done() and not watching.cancelled():
            return f"nothing has come from the venue for {SILENT_TIMES * self._seconds:g} s"
        websocket = self._websocket
        why = replies.text_of(websocket.close_reason) or "without a reason"
        return f"the connection has ended ({websocket.close_code}, {why})"

    async def _watch(self) -> None:
        """Give the connection up when nothing comes any more."""
        websocket = self._websocket
        websocket.received_at = websocket.loop.time()
        while (left := websocket.received_at + SILENT_TIMES * self._seconds - websocket.loop.time()) > 0:
            await asyncio.sleep(left)
            await asyncio.sleep(0)  # what has come in the meantime is taken first
        websocket.transport.abort()

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
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def call(self, call: Call) -> object:
        """The reply to a call. Raises VenueAwayError and, once a change was sent, UnknownOutcomeError."""
        if not self.is_open:
            raise VenueAwayError("the connection to the venue has ended")
        number = next(self._numbers)
        waiting: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(self._seconds):
                await self._websocket.send(call.frame(number))
                if not call.is_list:
                    await waiting
            if call.is_list:
                await self._wait_for_list(waiting)
            frame = waiting.result()
            if frame is None:
                raise _vain(call, "the connection ended before the answer")
            return replies.loads(frame.payload)
        except ConnectionClosed:
            raise _vain(call, "the connection ended while it was asked") from None
        except TimeoutError:
            seconds = self._seconds * (LIST_TIMES if call.is_list else 1)
            raise _vain(call, f"no answer within {seconds:g} s") from None
        except UnreadableError as error:
            raise _vain(call, f"the answer is not readable: {error}") from None
        finally:
            self._waiting.pop(number, None)

    async def _wait_for_list(self, waiting: asyncio.Future[Frame | None]) -> None:
        """Wait for an answer that may be long. Raises TimeoutError."""
        times = LIST_TIMES
        while times:
            before = self._websocket.received
            await asyncio.wait([waiting], timeout=self._seconds)
            if waiting.done():
                return
            if self._websocket.received - before < PART_BYTES:
                times -= 1
        raise TimeoutError

    async def close(self) -> None:
        """End it."""
        await self._websocket.close()


def _vain(call: Call, why: str) -> UnknownOutcomeError | VenueAwayError:
    """What it means that a call was sent and has no answer."""
    return (UnknownOutcomeError if call.is_change else VenueAwayError)(f"{call.function}: {why}")
