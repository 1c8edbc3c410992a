"""A load client for any HTTP or WebSocket server: raw sockets, requests encoded beforehand, no library.

Both contestants of the API's benchmark face this same client: `WebSocket` and `Http`, then `load`. A client's
frames are masked with zeros, which is a mask like any other and costs nothing.
"""

import socket
import statistics
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from scripts.bench.client import RECEIVE_BYTES, TIMEOUT_SECONDS

TEXT: Final = 0x81  # the last frame of a text
PING: Final = 0x89
MASKED: Final = 0x80
NO_MASK: Final = b"\0\0\0\0"
SHORT_MAX: Final = 125  # bytes; the longest payload whose length fits the second byte of a frame
UPGRADE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HEAD_END: Final = b"\r\n\r\n"
CONTENT_LENGTH: Final = b"content-length:"


class UnexpectedAnswerError(Exception):
    """The server said something that spoils the measurement; the text shows it."""


class Connection(Protocol):
    """What the measurements need of a connection."""

    socket: socket.socket

    def send(self, data: bytes) -> None:
        """Send encoded requests."""
        ...

    def receive(self) -> list[bytes]:
        """The whole answers, one or more, that have come; waits for the first."""
        ...


class _Socket:
    """A connection to a server on loopback; a context manager that closes it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def _more(self) -> None:
        came = self.socket.recv(RECEIVE_BYTES)
        if not came:
            raise ConnectionError("the server closed the connection")
        self._received += came


class WebSocket(_Socket):
    """A WebSocket of text frames without extensions."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(port)
        self.send(UPGRADE.format(path=path, port=port).encode())
        while HEAD_END not in self._received:
            self._more()
        head, _, self._received = self._received.partition(HEAD_END)
        if not head.startswith(b"HTTP/1.1 101"):
            raise UnexpectedAnswerError(head.decode("latin-1"))

    def receive(self) -> list[bytes]:
        """The payloads of the whole frames, one or more, that have come; waits for the first."""
        while not (found := self._frames()):
            self._more()
        return found

    def _frames(self) -> list[bytes]:
        data, start, found = self._received, 0, []
        while len(data) - start >= 2:
            length, begin = data[start + 1], start + 2
            if length > SHORT_MAX:
                size = 2 if length == SHORT_MAX + 1 else 8
                if len(data) < begin + size:
                    break
                length = int.from_bytes(data[begin : begin + size])
                begin += size
            end = begin + length
            if len(data) < end:
                break
            if data[start] == TEXT:
                found.append(data[begin:end])
            elif data[start] != PING:  # there is no time to be kept awake in
                raise UnexpectedAnswerError(repr(data[start:end]))
            start = end
        self._received = data[start:]
        return found


class Http(_Socket):
    """A connection that is kept alive; an answer is its body."""

    def receive(self) -> list[bytes]:
        """The body of the answer, for which it waits, in a list. Raises UnexpectedAnswerError if not 200."""
        while HEAD_END not in self._received:
            self._more()
        head, _, rest = self._received.partition(HEAD_END)
        if not head.startswith(b"HTTP/1.1 200"):
            raise UnexpectedAnswerError((head + rest).decode("latin-1"))
        length = int(head.lower().partition(CONTENT_LENGTH)[2].partition(b"\r\n")[0])
        while len(self._received) < len(head) + len(HEAD_END) + length:
            self._more()
        body = self._received[len(head) + len(HEAD_END) :]
        self._received = body[length:]
        return [body[:length]]


def text_frame(text: str) -> bytes:
    """A client's frame with this text."""
    payload = text.encode()
    if len(payload) <= SHORT_MAX:
        return struct.pack(">BB", TEXT, MASKED | len(payload)) + NO_MASK + payload
    return struct.pack(">BBH", TEXT, MASKED | SHORT_MAX + 1, len(payload)) + NO_MASK + payload


def post(path: str, body: str, headers: dict[str, str]) -> bytes:
    """A POST of JSON."""
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    payload = body.encode()
    return f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


def _check(answers: Sequence[bytes], mark: bytes) -> int:
    for answer in answers:
        if mark not in answer:
            raise UnexpectedAnswerError(answer.decode("utf-8", "replace"))
    return len(answers)


class Load(NamedTuple):
    """What a load came to: requests per second, the median seconds from a request to its answer, and which
    part of the time the client itself worked (near 1.0, it would be the client that is measured).
    """

    per_second: float
    median: float
    busy: float


def load(
    connections: Sequence[Connection],
    requests: Sequence[bytes],
    *,
    window: int,
    mark: bytes,
    is_over: Callable[[], bool] = lambda: False,
) -> Load:
    """Send `requests` over the connections, each with at most `window` unanswered, until all have their
    answers, or it is over. Over HTTP the window is 1.

    Raises UnexpectedAnswerError for an answer without `mark` in it.
    """
    left = iter(requests)
    sent_at: dict[Connection, deque[float]] = {connection: deque() for connection in connections}
    took: list[float] = []
    started, worked = time.perf_counter(), time.process_time()

    def send(connection: Connection, count: int) -> None:
        if together := list(islice(left, count)):
            sent_at[connection].extend([time.perf_counter()] * len(together))
            connection.send(b"".join(together))

    with DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, EVENT_READ, connection)
            send(connection, window)
        while len(took) < len(requests) and not is_over():
            for key, _ in selector.select(TIMEOUT_SECONDS):
                count = _check(key.data.receive(), mark)
                now = time.perf_counter()
                took += [now - sent_at[key.data].popleft() for _ in range(count)]
                send(key.data, count)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    return Load(len(took) / seconds, statistics.median(took), worked / seconds)
