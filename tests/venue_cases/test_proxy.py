"""The proxy that stands before a venue in tests does what it is told, and nothing else."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.gateway import until
from tests.venue_cases.proxy import Do, Proxy


class Echo(BaseHTTPRequestHandler):
    """Answers what it is asked."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        """The body again."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(body.decode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    Echo.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Proxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=httpx.Timeout(5, read=1)) as client:
        yield client


def ask(client: httpx.Client, body: str = "hello") -> str:
    """What is answered."""
    return client.post("/some/path", content=body).text


def test_everything_passes_and_is_counted(proxy: Proxy, client: httpx.Client) -> None:
    """Also a long body, and one that comes in chunks."""
    assert ask(client) == "hello"
    assert ask(client, "x" * 300_000) == "x" * 300_000
    assert proxy.count("POST /some/path hello") == 1
    assert proxy.count("/some/path") == 2


@pytest.mark.parametrize(
    ("do", "error", "was_asked"),
    [
        (Do.LOSE_REQUEST, httpx.ReadTimeout, False),
        (Do.CUT_REQUEST, httpx.RemoteProtocolError | httpx.ReadError, False),
        (Do.LOSE_REPLY, httpx.ReadTimeout, True),
        (Do.CUT_REPLY, httpx.RemoteProtocolError | httpx.ReadError, True),
    ],
)
def test_a_request_or_its_reply_is_lost(
    proxy: Proxy, client: httpx.Client, do: Do, error: type[Exception], was_asked: bool
) -> None:
    """Only the venue knows which of them; what does not match passes."""
    proxy.put(do, "hello")
    assert ask(client, "other") == "other"
    with pytest.raises(httpx.TransportError) as raised:
        ask(client)
    assert isinstance(raised.value, error)
    assert ("hello" in Echo.asked) is was_asked
    assert proxy.left == 0
    assert ask(client) == "hello"


def test_a_reply_is_late_or_garbled_or_made_up(proxy: Proxy, client: httpx.Client) -> None:
    """A late one can be too late."""
    proxy.put(Do.DELAY_REPLY, seconds=0.1)
    assert ask(client) == "hello"
    proxy.put(Do.DELAY_REPLY, seconds=2)
    with pytest.raises(httpx.ReadTimeout):
        ask(client, "late")
    assert "late" in Echo.asked
    proxy.put(Do.GARBLE)
    assert ask(client) == "}}}}}"
    proxy.answer(429, b'{"message": "slow"}', times=2, headers="Retry-After: 3\r\n")
    for _ in range(2):
        reply = client.post("/", content="never")
        assert (reply.status_code, reply.json(), reply.headers["retry-after"]) == (
            429,
            {"message": "slow"},
            "3",
        )
    assert "never" not in Echo.asked
    proxy.answer(490, match="hello")
    proxy.clear()
    assert ask(client) == "hello"


def test_connections_are_cut_and_refused(proxy: Proxy, client: httpx.Client) -> None:
    """And taken again, on the same port."""
    assert ask(client) == "hello"
    proxy.cut()
    assert ask(client) == "hello"
    proxy.refuse()
    with pytest.raises(httpx.ConnectError):
        ask(client)
    proxy.listen()
    assert ask(client) == "hello"


@pytest.fixture
def frames() -> Iterator[tuple[Proxy, ClientConnection]]:
    """A WebSocket to a venue that answers each text with two."""

    def answer(socket: ServerConnection) -> None:
        for said in socket:
            socket.send(f"1 {said!s}")
            socket.send(f"2 {said!s}")

    with serve(answer, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with (
            Proxy(server.socket.getsockname()[1]) as proxy,
            connect(f"ws://127.0.0.1:{proxy.port}", close_timeout=1) as socket,
        ):
            yield proxy, socket
        server.shutdown()


def heard(socket: ClientConnection, said: str, count: int) -> list[str]:
    """The next frames after saying this, of any length."""
    socket.send(said)
    return [str(socket.recv(timeout=5))[:5] for _ in range(count)]


def test_frames_pass_are_lost_doubled_and_swapped(frames: tuple[Proxy, ClientConnection]) -> None:
    """Of either side, by what is in them."""
    proxy, socket = frames
    assert heard(socket, "a", 2) == ["1 a", "2 a"]
    assert heard(socket, "long" * 20_000, 2) == ["1 lon", "2 lon"]
    proxy.put(Do.DUPLICATE, "1 b")
    assert heard(socket, "b", 3) == ["1 b", "1 b", "2 b"]
    proxy.put(Do.SWAP, "1 c")
    assert heard(socket, "c", 2) == ["2 c", "1 c"]
    proxy.put(Do.SWAP, "2 d")
    assert heard(socket, "d", 2) == ["1 d", "2 d"]  # nothing overtakes it in time
    proxy.put(Do.GARBLE, "1 e")
    assert heard(socket, "e", 2) == ["}}}", "2 e"]
    proxy.put(Do.LOSE_REPLY, "1 f")
    assert heard(socket, "f", 1) == ["2 f"]
    proxy.put(Do.LOSE_REQUEST, "g")
    socket.send("g")
    proxy.put(Do.DELAY_REPLY, "1 h", seconds=0.05)
    assert heard(socket, "h", 2) == ["1 h", "2 h"]
    assert proxy.left == 0


@pytest.mark.parametrize("do", [Do.CUT_REQUEST, Do.CUT_REPLY, None])
def test_a_websocket_is_cut(frames: tuple[Proxy, ClientConnection], do: Do | None) -> None:
    """At a frame, or when that is said."""
    proxy, socket = frames
    if do is None:
        proxy.cut()
    else:
        proxy.put(do, "now")
        socket.send("now")
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=5)
    until(lambda: proxy.left == 0)
