"""The link: frames on a Unix socket that carry requests to the running engine, and the replies.

A frame is four bytes of length, big-endian, and a JSON document. A request is a `Said` or a `Question`, and
gets one `Answer`; a `Ring` only wakes the engine. Or it is `Asked` for an API client, one after the other
without waiting, and gets an `Answered` with its number; between those come the `Happened` that it watches.
The socket is `DATA/engine.sock`, for the same user only (mode 0600).
"""

import socket
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from stat import S_IRUSR, S_IWUSR
from typing import TypeVar, overload

import msgspec
from msgspec import Struct

from fixgw.core.requests import VenueRequest
from fixgw.engine.sandbox import SandboxCommand
from fixgw.engine.status import GatewayStatus
from fixgw.engine.turn import (
    Answered,
    Ask,
    EdgeReport,
    Happened,
    ReleaseLock,
    Ring,
    SessionCommand,
    Status,
    WatchOrders,
)
from fixgw.engine.venue_asks import ServeVenues, VenueAsk, VenueHealth, VenueSaid

FRAME_MAX = 1_048_576  # bytes; the largest request, the edge's report on very many sessions, is far smaller
CONNECTIONS_MAX = 32  # command line calls at one time
ASKED_PER_TURN = 16  # of one connection: about half a millisecond, which FIX sessions wait for
ENCODED_PER_TURN = 2_000  # of what one connection is told: a few milliseconds
UNSENT_MAX = 4_194_304  # bytes; no more is encoded for a peer that does not read
UNTOLD_MAX = 1_000_000  # what waits for a peer that does not read; then it is cut off
CLIENT_SECONDS = 30.0  # how long a command waits for the engine

SOCKET_NAME = "engine.sock"

Said = VenueRequest | SandboxCommand | SessionCommand | ReleaseLock
Question = Status | EdgeReport
Asked = Ask | WatchOrders | ServeVenues | VenueSaid | VenueHealth

LENGTH = struct.Struct(">I")

_encode = msgspec.json.Encoder().encode


class LinkError(Exception):
    """The engine cannot be reached, or does not understand; the text says why."""


class Reply(Struct, frozen=True, tag=True):
    """What became of a command: an errorcode (0 for done) and a detail for a person."""

    errorcode: int = 0
    detail: str = ""


class StatusReply(Struct, frozen=True, tag=True):
    """The answer to `Status`."""

    status: GatewayStatus


class EdgeReply(Struct, frozen=True, tag=True):
    """The answer to `EdgeReport`: the names of the sessions (any number) whose clients may not log on."""

    disabled: tuple[str, ...]


Answer = Reply | StatusReply | EdgeReply
"""What a request is answered with; a `Reply` with an errorcode, when it is not understood."""

Told = Answer | Answered | Happened | VenueAsk
Taken = tuple[Said | Question | Asked | Ring, Callable[[Told], None]]
"""A request, and the way to answer it: the same for all requests of a connection."""

_decode = msgspec.json.Decoder(Said | Question | Asked | Ring).decode
decode_told = msgspec.json.Decoder(Answered | Happened | VenueAsk).decode
_decode_answer: Callable[[bytes], Answer] = msgspec.json.Decoder(Answer).decode
_decode_answered: Callable[[bytes], Answered] = msgspec.json.Decoder(Answered).decode


def frame(said: Said | Question | Asked | Ring | Told) -> bytes:
    """What is said, as it goes over the link."""
    body = _encode(said)
    return LENGTH.pack(len(body)) + body


class _Connection:
    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.received = bytearray()
        self.told: deque[Told] = deque()
        self.to_send = bytearray()
        self.tell = self.told.append
        self.is_writable = True
        self.serves_venues = False

    def encode(self) -> None:
        """Make frames of what it is told, as many as there is time and room for."""
        for _ in range(min(len(self.told), ENCODED_PER_TURN)):
            if len(self.to_send) > UNSENT_MAX:
                return
            self.to_send += frame(self.told.popleft())

    @property
    def end(self) -> int:
        """Where the next frame ends, 0 if its length has not come."""
        return LENGTH.size + LENGTH.unpack_from(self.received)[0] if len(self.received) >= LENGTH.size else 0

    @property
    def can_wait(self) -> bool:
        """Whether what it is told can be sent with the answer to its next request, which is there already."""
        is_little = len(self.told) < ASKED_PER_TURN and not self.to_send
        return is_little and not self.serves_venues and 0 < self.end <= len(self.received)

    def frame(self) -> bytearray | None:
        """The next whole frame that has come in. Raises LinkError for one that is too long."""
        end = self.end
        if end > LENGTH.size + FRAME_MAX:
            raise LinkError(f"a frame of {end - LENGTH.size} bytes is too long")
        if not 0 < end <= len(self.received):
            return None
        found = self.received[LENGTH.size : end]
        del self.received[:end]
        return found


class LinkServer:
    """The engine's end: it never blocks, and is bounded in connections, in frame size, and in what it keeps.

    A connection is asked for its next request when it has taken the answers to those before. `gone` is told
    the way to answer of each connection that has ended.
    """

    def __init__(self, path: Path, gone: Callable[[Callable[[Told], None]], None] = lambda _: None) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._gone = gone
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(S_IRUSR | S_IWUSR)
        self._listener.listen(CONNECTIONS_MAX)
        self._listener.setblocking(False)
        self._selector = DefaultSelector()
        self._selector.register(self._listener, EVENT_READ)
        self._connections: dict[int, _Connection] = {}

    def take(self, asked_max: int = ASKED_PER_TURN) -> list[Taken]:
        """What was said since the last call, at most so many of a connection, with the way to answer each."""
        for key, events in self._selector.select(0):
            if key.fileobj is self._listener:
                self._accept()
            elif events & EVENT_WRITE:
                self._connections[key.fd].is_writable = True
                self._selector.modify(key.fileobj, EVENT_READ)
            elif len(self._connections[key.fd].received) <= FRAME_MAX:
                self._receive(self._connections[key.fd])
        taken: list[Taken] = []
        for connection in list(self._connections.values()):
            if connection.received and not connection.to_send and len(connection.told) < ASKED_PER_TURN:
                taken += self._requests(connection, asked_max)
        return taken

    def wait(self, seconds: float) -> bool:
        """Sleep until something can be taken or sent, so many seconds at most; whether something can."""
        return bool(self._selector.select(seconds))

    def flush(self, *, together: bool = False) -> bool:
        """Send what the connections were told, as far as they take it; whether more is to be sent at once.

        If they get it `together`, a connection whose next request is there already waits for its answer, too:
        so small turns, which let others come between, do not wake up its peer more often.
        """
        has_more = False
        for connection in list(self._connections.values()):
            if together and connection.told and connection.can_wait:
                has_more = True
            elif connection.is_writable and (connection.told or connection.to_send):
                is_late = bool(connection.to_send)  # its next requests had to wait for that
                self._send(connection)
                has_more |= connection.is_writable and bool(
                    connection.told or (is_late and connection.received)
                )
            elif len(connection.told) > UNTOLD_MAX:
                self._drop(connection)
        return has_more

    def ask_venues(self) -> None:
        """Send at once what venues are asked: it waits for nothing that others are told."""
        for connection in list(self._connections.values()):
            if connection.serves_venues and connection.is_writable and connection.told:
                self._send(connection)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:  # it is gone again, or there is no descriptor for it: it is looked at again
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            peer.close()
            return
        peer.setblocking(False)
        self._connections[peer.fileno()] = _Connection(peer)
        self._selector.register(peer, EVENT_READ)

    def _receive(self, connection: _Connection) -> None:
        try:
            received = connection.peer.recv(65_536)
        except OSError:
            received = b""
        connection.received += received
        if not received:
            self._drop(connection)

    def _requests(self, connection: _Connection, asked_max: int) -> list[Taken]:
        taken: list[Taken] = []
        try:
            while len(taken) < asked_max and (frame := connection.frame()) is not None:
                said = _decode(frame)
                connection.serves_venues |= isinstance(said, ServeVenues)
                taken.append((said, connection.tell))
                if isinstance(said, VenueSaid) or not isinstance(said, Asked | Ring):
                    break  # many words are enough for one turn
        except LinkError:
            self._drop(connection)
        except msgspec.MsgspecError as error:
            connection.tell(Reply(100, f"not a command: {error}"))
        return taken

    def _send(self, connection: _Connection) -> None:
        """Send what the peer takes; while it does not take all, nothing more is read from it."""
        connection.encode()
        try:
            del connection.to_send[: connection.peer.send(connection.to_send)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        if connection.to_send:
            connection.is_writable = False
            self._selector.modify(connection.peer, EVENT_WRITE)

    def _drop(self, connection: _Connection) -> None:
        descriptor = connection.peer.fileno()
        if descriptor in self._connections:
            self._selector.unregister(connection.peer)
            del self._connections[descriptor]
            connection.peer.close()
            self._gone(connection.tell)

    def close(self) -> None:
        """Close every connection and remove the socket."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)


@overload
def call(data: Path, said: Said) -> Reply: ...


@overload
def call(data: Path, said: Status) -> StatusReply: ...


@overload
def call(data: Path, said: EdgeReport) -> EdgeReply: ...


def call(data: Path, said: Said | Question) -> Answer:
    """Say something to the engine that runs on the directory `data`, and wait for what becomes of it.

    Raises LinkError when no engine answers within CLIENT_SECONDS, or one that does not understand.
    """
    answer = _exchange(data, said, _decode_answer)
    if isinstance(answer, Reply) and isinstance(said, Question):
        raise LinkError(f"the gateway on {data} does not understand: {answer.detail}")
    return answer


def ask(data: Path, said: Ask) -> Answered:
    """Ask the engine that runs on the directory `data` something as an API client does; raises LinkError."""
    return _exchange(data, said, _decode_answered)


_Decoded = TypeVar("_Decoded")


def _exchange(data: Path, said: Said | Question | Ask, decode: Callable[[bytes], _Decoded]) -> _Decoded:
    path = data / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(CLIENT_SECONDS)
        try:
            peer.connect(str(path))
            peer.sendall(frame(said))
            (length,) = LENGTH.unpack(_exactly(peer, LENGTH.size))
            return decode(_exactly(peer, length))
        except OSError as error:
            raise LinkError(f"no gateway answers at {path}: {error}") from error
        except msgspec.MsgspecError as error:
            raise LinkError(f"the gateway at {path} is of another release: {error}") from error


def _exactly(peer: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = peer.recv(count - len(received))
        if not part:
            raise LinkError("the gateway closed the link")
        received += part
    return received
