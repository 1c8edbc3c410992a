"""A proxy for tests between a gateway and its venue: it does to what passes what networks and venues may do.

It knows where an HTTP message and a WebSocket frame begin and end, and nothing of what they mean. It runs in
a thread of its own. Each HTTP request goes to the venue over a connection of its own, and is cut where the
venue itself is not there: only `refuse` makes a venue that refuses connections.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from enum import Enum, auto
from threading import Lock, Thread
from types import TracebackType
from typing import Any, TypeVar

from msgspec import Struct

from tests.gateway import free_port

HEAD_MAX = 1 << 20
SWAP_SECONDS = 0.5  # a frame that waits for one to overtake it waits no longer
DEADLINE_SECONDS = 10

_T = TypeVar("_T")


class Do(Enum):
    """What is done to a message that matches. The first four are about requests, the others about replies:
    the reply to an HTTP request that matches, and a WebSocket frame from the venue that itself matches.
    """

    LOSE_REQUEST = auto()  # it does not reach the venue, and nothing is answered
    CUT_REQUEST = auto()  # it does not reach the venue, and the connection is cut
    HOLD_REQUEST = auto()  # it reaches the venue after `seconds`
    ANSWER = auto()  # it does not reach the venue, and `reply` is answered; HTTP only
    LOSE_REPLY = auto()  # the venue has got the request, and nothing is answered
    CUT_REPLY = auto()  # the venue has got the request, and the connection is cut
    DELAY_REPLY = auto()  # it comes after `seconds`
    GARBLE = auto()  # its body is nonsense
    DUPLICATE = auto()  # it comes twice; WebSocket only
    SWAP = auto()  # it comes after the next one; WebSocket only


_OF_REQUESTS = frozenset({Do.LOSE_REQUEST, Do.CUT_REQUEST, Do.HOLD_REQUEST, Do.ANSWER})


class Fault(Struct):
    """What is done to the next `times` messages that contain `match`."""

    do: Do
    match: str
    times: int
    seconds: float = 0.0
    reply: bytes = b""


class Frame(Struct):
    """A WebSocket frame as it stands on the wire, and its payload in clear."""

    wire: bytes
    payload: bytes
    is_text: bool

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.payload.decode(errors="replace")


class Proxy:
    """Listens on `port` of loopback, and passes everything to `venue_port`; a context manager."""

    def __init__(self, venue_port: int) -> None:
        self.port = free_port()
        self.venue_port = venue_port
        self._faults: list[Fault] = []
        self._seen: list[str] = []
        self._lock = Lock()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the gateway finds it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self._loop.close()

    # commands, from any thread

    def put(
        self, do: Do, match: str = "", times: int = 1, *, seconds: float = 0.0, reply: bytes = b""
    ) -> None:
        """Do this to the next messages that contain `match`: of an HTTP request its method, path and body."""
        with self._lock:
            self._faults.append(Fault(do, match, times, seconds, reply))

    def answer(
        self, status_code: int, body: bytes = b"{}", match: str = "", times: int = 1, headers: str = ""
    ) -> None:
        """Answer HTTP requests that contain `match` in the venue's place; `headers` are whole lines."""
        head = f"HTTP/1.1 {status_code} Said by the proxy\r\nContent-Type: application/json\r\n{headers}"
        reply = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self.put(Do.ANSWER, match, times, reply=reply)

    def clear(self) -> None:
        """Pass everything from now on."""
        with self._lock:
            self._faults.clear()

    @property
    def left(self) -> int:
        """How many messages something would still be done to."""
        with self._lock:
            return sum(fault.times for fault in self._faults)

    def count(self, match: str) -> int:
        """How many requests, and frames of either side, came to the proxy that contain `match`."""
        with self._lock:
            return sum(match in text for text in self._seen)

    def cut(self) -> None:
        """Cut all connections that there are."""
        self._call(self._cut())

    def refuse(self) -> None:
        """Refuse connections from now on, and cut those that there are."""
        self._call(self._refuse())

    def listen(self) -> None:
        """Take connections again."""
        self._call(self._listen())

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_SECONDS)

    # in the thread

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=HEAD_MAX)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _stop(self) -> None:
        await self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for the transports to close

    def _fault(self, text: str, *, of_request: bool) -> Fault | None:
        """What is to be done to this message, once."""
        with self._lock:
            for fault in self._faults:
                if (fault.do in _OF_REQUESTS) is of_request and fault.times and fault.match in text:
                    fault.times -= 1
                    return fault
        return None

    def _see(self, text: str) -> None:
        with self._lock:
            self._seen.append(text)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while await self._pass_request(reader, writer):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass one HTTP request and its reply; False when nothing more can come on this connection."""
        head, body = await _message(reader)
        text = f"{head.split(b' HTTP/', 1)[0].decode()} {body.decode(errors='replace')}"
        self._see(text)
        is_upgrade = b"\r\nupgrade: websocket" in head.lower()
        fault = self._fault(text, of_request=True)
        if fault is not None:
            if fault.do is Do.ANSWER:
                writer.write(fault.reply)
                return True
            if not await self._goes(fault, reader):
                return False
        async with self._venue() as (venue_reader, venue):
            venue.write(_without_extensions(head) + body)
            fault = None if is_upgrade else self._fault(text, of_request=False)
            reply_head, reply_body = await _message(venue_reader)
            if fault is not None:
                if not await self._goes(fault, reader):
                    return False
                if fault.do is Do.GARBLE:
                    reply_body = b"}" * len(reply_body)
            writer.write(reply_head + reply_body)
            if is_upgrade and reply_head.split(b" ", 2)[1] == b"101":
                await self._frames(reader, writer, venue_reader, venue)
                return False
        return True

    @asynccontextmanager
    async def _venue(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to the venue. Raises OSError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.venue_port, limit=HEAD_MAX)
        self._writers.add(writer)
        try:
            yield reader, writer
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _goes(self, fault: Fault, reader: asyncio.StreamReader) -> bool:
        """Whether a message goes on after what is done to it."""
        match fault.do:
            case Do.LOSE_REQUEST | Do.LOSE_REPLY:
                while await reader.read(HEAD_MAX):  # silence, until the other side gives up
                    pass
                return False
            case Do.CUT_REQUEST | Do.CUT_REPLY:
                return False
            case Do.HOLD_REQUEST | Do.DELAY_REPLY:
                await asyncio.sleep(fault.seconds)
        return True

    async def _frames(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        venue_reader: asyncio.StreamReader,
        venue: asyncio.StreamWriter,
    ) -> None:
        """Pass frames both ways until either side ends."""
        ways = [
            asyncio.ensure_future(self._pass(reader, venue, is_request=True)),
            asyncio.ensure_future(self._pass(venue_reader, writer, is_request=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool
    ) -> None:
        held = b""
        next_frame: asyncio.Future[Frame] | None = None
        while True:
            next_frame = next_frame or asyncio.ensure_future(_frame(reader))
            try:
                await asyncio.wait([next_frame], timeout=SWAP_SECONDS if held else None)
            finally:  # also when both ways end at once, and nobody reads this one
                next_frame.add_done_callback(_look_at)
            if not next_frame.done():
                writer.write(held)
                held = b""
                continue
            frame, next_frame = next_frame.result(), None
            wire, fault = frame.wire, None
            if frame.is_text:
                self._see(frame.text)
                fault = self._fault(frame.text, of_request=is_request)
            match fault.do if fault is not None else None:
                case Do.LOSE_REQUEST | Do.LOSE_REPLY:
                    continue
                case Do.CUT_REQUEST | Do.CUT_REPLY:
                    return
                case Do.HOLD_REQUEST | Do.DELAY_REPLY:
                    assert fault is not None
                    await asyncio.sleep(fault.seconds)
                case Do.GARBLE:
                    wire = wire[: -len(frame.payload)] + b"}" * len(frame.payload)
                case Do.DUPLICATE:
                    wire += wire
                case Do.SWAP if not held:
                    held = wire
                    continue
            writer.write(wire + held)
            held = b""


def _look_at(ended: asyncio.Future[Frame]) -> None:
    """Have seen why it failed."""
    if not ended.cancelled():
        ended.exception()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """An HTTP message: its head with the empty line, and its body as it is on the wire. Raises EOFError."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict[str, str]()
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip().lower()
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size = await reader.readuntil(b"\r\n")
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            body += size + chunk
            if chunk == b"\r\n":
                return head, body
    return head, await reader.readexactly(int(fields.get("content-length", "0")))


def _without_extensions(head: bytes) -> bytes:
    """Without the offer to compress frames, which nobody could look into then."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"sec-websocket-extensions:"))


async def _frame(reader: asyncio.StreamReader) -> Frame:
    """A WebSocket frame (RFC 6455, section 5.2). Raises EOFError."""
    wire = await reader.readexactly(2)
    opcode, is_masked, size = wire[0] & 0x0F, wire[1] & 0x80, wire[1] & 0x7F
    if size >= 126:
        more = await reader.readexactly(2 if size == 126 else 8)
        size = struct.unpack(">H" if size == 126 else ">Q", more)[0]
        wire += more
    mask = await reader.readexactly(4) if is_masked else b""
    payload = await reader.readexactly(size)
    clear = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if mask else payload
    return Frame(wire + mask + payload, clear, is_text=opcode == 1)
