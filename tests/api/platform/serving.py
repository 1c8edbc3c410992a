"""A real port of the API in this process, with routes of the tests' own in place of a dialect."""

import asyncio
import socket
import ssl
import threading
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path
from types import TracebackType

import structlog
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, PlainTextResponse

from fixgw.config import load
from fixgw.config_tables import ApiTable
from fixgw.edge.api import app
from fixgw.edge.api.context import Context, Reference
from fixgw.edge.api.dialects import Dialect
from fixgw.edge.api.identity import Identities
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.outbound import Outbound
from fixgw.edge.api.server import Server, take_logs
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineLink
from fixgw.edge.process import bound
from fixgw.logs import configure
from tests.gateway import ROOT

STEP_SECONDS = 0.02
BIG = 1_000  # bytes of each text of a flood


def routes(context: Context) -> APIRouter:
    """What the tests ask for."""
    router = APIRouter()

    @router.post("/echo")
    @router.get("/echo")
    async def echo(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse({"bytes": len(body), "door": context.door})

    @router.get("/late")
    async def late() -> JSONResponse:
        await asyncio.sleep(0.5)
        return JSONResponse({"late": True})

    @router.get("/much")
    async def much(megabytes: int) -> PlainTextResponse:
        return PlainTextResponse("x" * megabytes * 2**20)

    @router.get("/wrong")
    async def wrong() -> JSONResponse:
        raise ValueError("an injected mistake")

    @router.websocket("/ws/echo")
    async def websocket_echo(websocket: WebSocket) -> None:
        await websocket.accept()
        outbound = Outbound(
            websocket, context.settings.backlog_bytes_max, asyncio.get_running_loop().call_soon
        )
        writer = asyncio.ensure_future(outbound.run())
        with suppress(WebSocketDisconnect):
            while True:
                outbound.send((await websocket.receive_text()).encode())
        outbound.cut_off(1000, "the client has gone")
        await writer

    async def until_gone(websocket: WebSocket, outbound: Outbound, writer: asyncio.Future[None]) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()
        outbound.cut_off(1000, "the client has gone")
        await writer

    @router.websocket("/ws/flood")
    async def flood(websocket: WebSocket) -> None:
        await websocket.accept()
        outbound = Outbound(
            websocket, context.settings.backlog_bytes_max, asyncio.get_running_loop().call_soon
        )
        writer = asyncio.ensure_future(outbound.run())
        for _ in range(int(websocket.query_params["texts"])):
            outbound.send(b"x" * BIG)
            if int(websocket.query_params.get("pause", "0")):
                await asyncio.sleep(0)
        if not outbound.is_cut_off:
            outbound.send(b"the last")
        await until_gone(websocket, outbound, writer)

    @router.websocket("/ws/long")
    async def long(websocket: WebSocket) -> None:
        await websocket.accept()
        outbound = Outbound(
            websocket, context.settings.backlog_bytes_max, asyncio.get_running_loop().call_soon
        )
        writer = asyncio.ensure_future(outbound.run())
        outbound.send(b"x" * int(websocket.query_params["bytes"]))
        await asyncio.sleep(0.1)
        outbound.send(b"the last")
        await until_gone(websocket, outbound, writer)

    return router


class Serving:
    """A context manager: a port that serves `routes` in a thread, by the limits of [api] and `limits`."""

    def __init__(self, context: ssl.SSLContext | None = None, **limits: int) -> None:
        self._tls = context
        self._settings = ApiTable.model_validate(limits)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._listens = threading.Event()
        self._stopped = asyncio.Event()
        self.port = 0
        self.server: Server

    def __enter__(self) -> "Serving":
        self._thread.start()
        assert self._listens.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join(60)
        self._loop.close()
        structlog.reset_defaults()

    def stop(self) -> None:
        """Let it begin to stop."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        configure("json", "error", StringIO())
        structlog.configure(cache_logger_on_first_use=False)  # other tests look at what is logged
        take_logs()
        listener = bound("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        config = load(ROOT / "config" / "gateway.toml")
        identities = Identities([], time.time())
        context = Context(
            "tests",
            (1,),
            EngineLink(Path("nowhere"), 10),
            Reference(config),
            identities,
            Tokens(3_600),
            Rates(200, 400),
            self._settings,
        )
        served = [app.Served("tests", "/here", context)]
        dialects = {"tests": Dialect(routes, "The tests' own.")}
        self.server = Server(
            app.build(served, dialects, self._settings.body_bytes_max), listener, self._settings, self._tls
        )
        self.server.listen()
        self._listens.set()
        while not self._stopped.is_set():
            self.server.step()
            with suppress(TimeoutError):
                async with asyncio.timeout(STEP_SECONDS):
                    await self._stopped.wait()
        self.server.stop()
        await self.server.close(2.0)
        identities.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=10)

    def connect(self) -> socket.socket:
        """A connection, over which bytes can be sent as they are."""
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def upgraded(self, path: str) -> socket.socket:
        """A WebSocket, of which nobody reads but who has this connection."""
        connection = self.connect()
        request = f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        request += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return connection


def received(connection: socket.socket, seconds: float = 10.0) -> bytes:
    """Everything that comes until the connection ends, which has to be within so many seconds."""
    deadline = time.monotonic() + seconds
    found = b""
    while True:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            part = connection.recv(65_536)
        except ConnectionError:
            return found
        if not part:
            return found
        found += part
