"""One port of the API over real sockets: its bounds, what it refuses, and its page."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from fixgw.edge.api import connections
from tests.api.platform.serving import BIG, Serving, received
from tests.gateway import until

REQUEST = b"GET /here/echo HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A port that the tests of this file share."""
    with Serving(frame_bytes_max=4_096, body_bytes_max=4_096, backlog_bytes_max=65_536) as found:
        yield found


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=f"http://127.0.0.1:{serving.port}", trust_env=False) as found:
        yield found


def raw(serving: Serving, *parts: bytes, seconds: float = 10.0) -> bytes:
    """The answer to bytes that are sent as they are, until the server ends the connection."""
    with closing(serving.connect()) as connection:
        for part in parts:
            connection.sendall(part)
        return received(connection, seconds)


def detail(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    return str(json.loads(body)["detail"])


def sending(connection: socket.socket, part: bytes, pause: float = 0.0) -> float:
    """Send `part` again and again until the connection ends; when that was. Fails after 20 s."""
    deadline = time.monotonic() + 20
    while True:
        now = time.monotonic()
        assert now < deadline
        try:
            connection.sendall(part)
        except ConnectionError:
            return now
        time.sleep(pause)


def read_to_end(websocket: ClientConnection) -> tuple[list[str], Close]:
    """Everything that comes, and with what the connection ended."""
    texts: list[str] = []
    while True:
        try:
            texts.append(str(websocket.recv(10)))
        except ConnectionClosed as closed:
            return texts, closed.rcvd or Close(1006, "")


# the page


def test_the_page_of_documentation_needs_no_other_site(client: httpx.Client) -> None:
    """All that it loads is served here, and the browser is told to load nothing else."""
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("/*", "").replace("<!--", "").split("<script>")[0]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f'"/docs/files/{name}"' in page.text
        assert client.get(f"/docs/files/{name}").status_code == 200
    assert client.get("/docs/files/../__init__.py").status_code == 404


def test_the_description_names_the_routes_with_their_prefix(client: httpx.Client) -> None:
    """Each under the tag of its dialect, which says how one logs in."""
    found = client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    assert found["paths"]["/here/echo"]["get"]["tags"] == ["tests /here"]
    assert found["tags"] == [{"name": "tests /here", "description": "The tests' own."}]


def test_no_answer_says_what_serves_or_may_be_kept(client: httpx.Client) -> None:
    """No server header, no CORS headers; nothing is stored, and nothing is taken for another type."""
    headers = client.get("/here/echo").headers
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control")]
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_our_own_mistake_is_an_answer_without_detail_of_it(client: httpx.Client) -> None:
    """500 in JSON, and the server goes on."""
    found = client.get("/here/wrong")
    assert found.status_code == 500
    assert "injected" not in found.text
    assert client.get("/here/echo").json() == {"bytes": 0, "door": "tests"}


# bodies, frames, headers


def test_a_body_may_be_so_long_and_no_longer(client: httpx.Client) -> None:
    """413 in JSON, with a length that is said before, and in chunks too; then the connection goes on."""
    for size, status in ((4_096, 200), (4_097, 413), (1_000_000, 413), (0, 200)):
        found = client.post("/here/echo", content=b"x" * size)
        assert found.status_code == status
        assert found.json() == (
            {"bytes": size, "door": "tests"}
            if status == 200
            else {"detail": "the body has more than 4096 bytes"}
        )
        chunks = (b"x" * 1_000 for _ in range(size // 1_000 + 1))
        found = client.post("/here/echo", content=chunks)
        assert found.status_code == (200 if size // 1_000 + 1 <= 4 else 413)


def test_a_frame_may_be_so_long_and_no_longer(serving: Serving) -> None:
    """A longer message ends its connection with 1009, in one frame or in many."""
    for message in ("x" * 4_097, ["x" * 1_000] * 5):
        with connect(f"ws://127.0.0.1:{serving.port}/here/ws/echo") as websocket:
            websocket.send("x" * 4_096)
            assert len(websocket.recv(10)) == 4_096
            with suppress(ConnectionClosed):  # it may come before all fragments are sent
                websocket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x82\x82" + b"\0" * 4 + b"{}", 1003), (b"\x81\x82" + b"\0" * 4 + b"\xff\xfe", 1007)],
    ids=["binary", "no UTF-8"],
)
def test_a_frame_is_text(serving: Serving, frame: bytes, code: int) -> None:
    """Anything else ends its connection, and the dialects never see it."""
    with closing(serving.upgraded("/here/ws/echo")) as connection:
        connection.sendall(frame)
        assert received(connection)[:4] == b"\x88\x02" + code.to_bytes(2)


def test_a_message_has_so_many_fragments(serving: Serving) -> None:
    """Empty ones would cost memory and count as no bytes."""
    with connect(f"ws://127.0.0.1:{serving.port}/here/ws/echo") as websocket:
        with pytest.raises(ConnectionClosed):
            websocket.send([""] * 200_000)
        with pytest.raises(ConnectionClosed):
            websocket.recv(10)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /here/echo HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 200_000,
        b"GET /here/echo HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 200_000,
        b"GET /here/echo HTTP/1.1\r\n" + b"X: y\r\n" * 50_000,
    ],
    ids=["one that does not end", "one that ends", "the path", "many"],
)
def test_headers_may_be_so_long_and_no_longer(serving: Serving, request_: bytes) -> None:
    """431, and the connection ends."""
    answer = raw(serving, request_)
    assert answer == b"" or (answer.startswith(b"HTTP/1.1 431") and "16384 bytes" in detail(answer))
    assert raw(serving, REQUEST[:-2] + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"8=FIX.4.4|9=5|",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: here\r\n\r\n",
        b"CONNECT here:80 HTTP/1.1\r\nHost: here\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(serving: Serving, request_: bytes) -> None:
    """400, and the connection ends: nothing is read in two ways."""
    answer = raw(serving, request_)
    assert answer.startswith(b"HTTP/1.1 400")
    assert "HTTP/1.1" in detail(answer)


# where a request comes from


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
    ],
)
def test_the_page_of_another_site_is_refused(
    serving: Serving, client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    """By HTTP and by WebSocket: a browser could send credentials with it that it remembers."""
    headers = {name: value.format(port=serving.port) for name, value in headers.items()}
    assert client.get("/here/echo", headers=headers).status_code == status
    assert client.get("/docs", headers=headers).status_code == (status if "Origin" in headers else 200)
    url = f"ws://127.0.0.1:{serving.port}/here/ws/echo"
    if status == 200:
        with connect(url, additional_headers=headers) as websocket:
            websocket.send("hello")
            assert websocket.recv(10) == "hello"
    else:
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers)
        assert refused.value.response.status_code == status
        assert b"detail" in (refused.value.response.body or b"")


def test_no_method_asks_what_other_sites_may_do(client: httpx.Client) -> None:
    """A preflight of CORS is answered with nothing that allows anything."""
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    found = client.options("/here/echo", headers=asked)
    assert found.status_code == 403
    assert not [name for name in found.headers if name.startswith("access-control")]


# slow clients


def test_a_request_has_to_come_in_time(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 for one that does not, whatever part of it is missing; and nothing at all is too little too."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    post = b"POST /here/echo HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n"
    for part in (b"", b"GET /he", REQUEST[:-2]):
        answer = raw(serving, part, seconds=5)
        assert answer.startswith(b"HTTP/1.1 408")
        assert "0.3 s" in detail(answer)
    assert raw(serving, post + b"x", seconds=5) == b""


def test_a_request_that_trickles_in_is_cut_off(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte in time is not enough."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    began = time.monotonic()
    with closing(serving.connect()) as connection:
        trickle = sending(connection, b"G", pause=0.02)
        assert trickle < began + 4


@pytest.mark.parametrize(
    "headers", [b"X: " + b"x" * 9_000 + b"\r\n", b"X: y\r\n" * 200, b""], ids=["long", "many", "few"]
)
def test_a_handshake_that_comes_to_nothing_is_cut_off(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, headers: bytes
) -> None:
    """Also one that the library does not even answer."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    upgrade = b"GET /here/ws/echo HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    assert b"101" not in raw(serving, upgrade + headers + b"\r\n", seconds=5)


def test_a_kept_connection_may_be_idle(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two requests nothing is owed; nor while one is worked on."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with httpx.Client(base_url=f"http://127.0.0.1:{serving.port}", trust_env=False) as one:
        assert one.get("/here/late").status_code == 200
        time.sleep(0.5)
        assert one.get("/here/echo").status_code == 200


def test_who_does_not_take_his_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that the kernel has no room for waits for its client, as long as he takes some of it."""
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    with Serving() as serving, closing(serving.connect()) as connection:
        connection.sendall(REQUEST.replace(b"/echo", b"/much?megabytes=50"))
        until(lambda: serving.server.connections == 1)
        until(lambda: serving.server.connections == 0)


def test_a_websocket_that_does_not_read_is_cut_off(serving: Serving) -> None:
    """Nothing waits for it beyond `backlog_bytes_max` and what the kernel holds; the others go on."""
    with connect(f"ws://127.0.0.1:{serving.port}/here/ws/echo") as other:
        with connect(f"ws://127.0.0.1:{serving.port}/here/ws/flood?texts=40000&pause=1") as websocket:
            other.send("still here")
            assert other.recv(10) == "still here"
            time.sleep(1.5)  # without reading
            texts, _ = read_to_end(websocket)
        assert len(texts) * BIG < 30_000_000
        assert "the last" not in texts
        other.send("still here")
        assert other.recv(10) == "still here"


def test_a_burst_beyond_the_backlog_is_cut_off_with_1013(serving: Serving) -> None:
    """A client that reads is told why; what waits is not sent any more."""
    with connect(f"ws://127.0.0.1:{serving.port}/here/ws/flood?texts=100") as websocket:
        texts, end = read_to_end(websocket)
        assert len(texts) < 100
        assert (end.code, "waits" in end.reason) == (1013, True)


def test_a_single_text_may_be_longer_than_the_backlog(serving: Serving) -> None:
    """A reply with very many orders is for a client that reads."""
    with connect(f"ws://127.0.0.1:{serving.port}/here/ws/long?bytes=500000", max_size=None) as websocket:
        assert len(websocket.recv(10)) == 500_000
        assert websocket.recv(10) == "the last"


def test_a_burst_within_the_backlog_arrives_in_order(serving: Serving) -> None:
    """All of it."""
    with connect(f"ws://127.0.0.1:{serving.port}/here/ws/flood?texts=60") as websocket:
        assert [len(websocket.recv(10)) for _ in range(60)] == [BIG] * 60
        assert websocket.recv(10) == "the last"


# the end


def test_a_stop_lets_requests_end() -> None:
    """What was asked is answered, and whoever asks nothing is closed at once; a WebSocket with 1012."""
    with ThreadPoolExecutor(1) as threads:
        with Serving() as serving:
            url = f"127.0.0.1:{serving.port}/here"
            with connect(f"ws://{url}/ws/echo") as websocket, closing(serving.connect()) as idle:
                late = threads.submit(httpx.get, f"http://{url}/late", trust_env=False)
                until(lambda: serving.server.connections == 3)
                time.sleep(0.1)  # so that it is asked
                serving.stop()
                assert received(idle) == b""
                assert read_to_end(websocket)[1].code == 1012
        assert late.result(5).json() == {"late": True}


# how many


def test_one_address_has_so_many_connections() -> None:
    """503 above it, without waiting; each that ends makes room, WebSockets too."""
    with Serving(connections_per_address_max=3) as serving:
        url = f"ws://127.0.0.1:{serving.port}/here/ws/echo"
        for _ in range(3):
            with closing(serving.connect()), closing(serving.connect()), connect(url) as websocket:
                until(lambda: serving.server.connections == 3)
                answer = raw(serving)
                assert answer.startswith(b"HTTP/1.1 503")
                assert "too many connections" in detail(answer)
                websocket.send("hello")
                assert websocket.recv(10) == "hello"
            until(lambda: serving.server.connections == 0)


def test_a_port_has_so_many_connections() -> None:
    """The bound on all holds for every address."""
    with Serving(connections_max=2) as serving:
        with closing(serving.connect()), closing(serving.connect()):
            until(lambda: serving.server.connections == 2)
            assert raw(serving).startswith(b"HTTP/1.1 503")
        until(lambda: serving.server.connections == 0)
        assert raw(serving, REQUEST[:-2] + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_pings_of_who_does_not_read_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answers would."""
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    ping = b"\x89\xfd" + b"\0" * 4 + b"x" * 125
    with Serving() as serving, closing(serving.upgraded("/here/ws/echo")) as connection:
        sending(connection, ping * 100)


def test_a_ping_during_a_burst_is_answered() -> None:
    """A client that has much to read has a keepalive, too: it is not cut off for it."""
    path = "/here/ws/flood?texts=20000"
    with Serving(backlog_bytes_max=2**30) as serving, closing(serving.upgraded(path)) as connection:
        for _ in range(20):
            connection.sendall(b"\x89\x83" + bytes(4) + b"abc")
            time.sleep(0.02)  # long enough for the kernel to have no room any more
        found = bytearray()
        while b"the last" not in found[-10_000:]:
            part = connection.recv(1 << 20)
            assert part, "cut off"
            found += part
        assert found.count(b"\x8a\x03abc") == 20


@pytest.mark.parametrize("first", [b"\x81" + b"x" * 2_000_000, b"\x82" + b"x" * 200])
def test_who_sends_on_after_a_wrong_frame_reads_why_it_ends(serving: Serving, first: bytes) -> None:
    """What is on its way from him does not reset the connection."""
    size = len(first) - 1
    head = first[:1] + (struct.pack(">BQ", 0xFF, size) if size > 65_535 else struct.pack(">BH", 0xFE, size))
    for _ in range(20):
        with closing(serving.upgraded("/here/ws/echo")) as connection:
            with suppress(ConnectionError):  # an early end would be one here
                connection.sendall(head + bytes(4) + first[1:])
                for _ in range(50):
                    connection.sendall(b"\x81\x82" + bytes(4) + b"{}")
            assert received(connection)[:1] == b"\x88"


def test_a_websocket_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when less waits for it than `backlog_bytes_max`."""
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    path = "/here/ws/flood?texts=20000"
    with Serving(backlog_bytes_max=2**30) as serving, closing(serving.upgraded(path)):
        assert serving.server.connections == 1
        until(lambda: serving.server.connections == 0)
