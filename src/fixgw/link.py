"""The link: frames on a Unix socket that carry requests to the running engine, and the replies.

A frame is four bytes of length, big-endian, and a JSON document. A request is one of `Said`; the reply is
a `Reply`. The socket is `DATA/engine.sock`, for the same user only (mode 0600).
"""

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from stat import S_IRUSR, S_IWUSR

import msgspec
from msgspec import Struct

from fixgw.core.requests import VenueRequest
from fixgw.engine.sandbox import SandboxCommand
from fixgw.engine.turn import ResetSession

FRAME_MAX = 1_048_576  # bytes; the largest command is far smaller
CONNECTIONS_MAX = 32  # command line calls at one time
CLIENT_SECONDS = 30.0  # how long a command waits for the engine

SOCKET_NAME = "engine.sock"

Said = VenueRequest | SandboxCommand | ResetSession

_decode = msgspec.json.Decoder(Said).decode
_encode = msgspec.json.encode
_LENGTH = struct.Struct(">I")


class LinkError(Exception):
    """The engine cannot be reached, or does not understand; the text says why."""


class Reply(Struct):
    """What became of a command: an errorcode (0 for done) and a detail for a person."""

    errorcode: int = 0
    detail: str = ""


class _Connection:
    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.buffer = bytearray()

    def frames(self) -> list[bytes]:
        """The whole frames that have come in so far. Raises LinkError for one that is too long."""
        found = []
        while len(self.buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self.buffer)
            if length > FRAME_MAX:
                raise LinkError(f"a frame of {length} bytes is too long")
            end = _LENGTH.size + length
            if len(self.buffer) < end:
                break
            found.append(bytes(self.buffer[_LENGTH.size : end]))
            del self.buffer[:end]
        return found


class LinkServer:
    """The engine's end: non-blocking, and bounded in connections and frame size."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(S_IRUSR | S_IWUSR)
        self._listener.listen(CONNECTIONS_MAX)
        self._listener.setblocking(False)
        self._selector = DefaultSelector()
        self._selector.register(self._listener, EVENT_READ)
        self._connections: dict[int, _Connection] = {}

    def take(self) -> list[tuple[Said, Callable[[Reply], None]]]:
        """What was said since the last call (any number), each with the way to answer it."""
        taken: list[tuple[Said, Callable[[Reply], None]]] = []
        for key, _ in self._selector.select(0):
            if key.fileobj is self._listener:
                self._accept()
            else:
                taken += self._read(self._connections[key.fd])
        return taken

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        if len(self._connections) >= CONNECTIONS_MAX:
            peer.close()
            return
        peer.setblocking(False)
        self._connections[peer.fileno()] = _Connection(peer)
        self._selector.register(peer, EVENT_READ)

    def _read(self, connection: _Connection) -> list[tuple[Said, Callable[[Reply], None]]]:
        taken: list[tuple[Said, Callable[[Reply], None]]] = []
        try:
            received = connection.peer.recv(65_536)
            connection.buffer += received
            frames = connection.frames()
        except (OSError, LinkError):
            received, frames = b"", []

        def answer(reply: Reply) -> None:
            self._answer(connection, reply)

        for frame in frames:
            try:
                taken.append((_decode(frame), answer))
            except msgspec.MsgspecError as error:
                answer(Reply(100, f"not a command: {error}"))
        if not received:
            self._drop(connection)
        return taken

    def _answer(self, connection: _Connection, reply: Reply) -> None:
        body = _encode(reply)
        try:
            connection.peer.sendall(_LENGTH.pack(len(body)) + body)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        descriptor = connection.peer.fileno()
        if descriptor in self._connections:
            self._selector.unregister(connection.peer)
            del self._connections[descriptor]
            connection.peer.close()

    def close(self) -> None:
        """Close every connection and remove the socket."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)


def call(data: Path, said: Said) -> Reply:
    """Say something to the engine that runs on the directory `data`, and wait for what becomes of it.

    Raises LinkError when no engine answers within CLIENT_SECONDS.
    """
    body = _encode(said)
    path = data / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(CLIENT_SECONDS)
        try:
            peer.connect(str(path))
            peer.sendall(_LENGTH.pack(len(body)) + body)
            (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size))
            return msgspec.json.decode(_exactly(peer, length), type=Reply)
        except OSError as error:
            raise LinkError(f"no gateway answers at {path}: {error}") from error


def _exactly(peer: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = peer.recv(count - len(received))
        if not part:
            raise LinkError("the gateway closed the link")
        received += part
    return received
