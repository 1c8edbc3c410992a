"""An EMS over real sockets that answers exactly what a test says, byte for byte."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.venues.coinapi_ems.rig import Scene, beside, place

Json = dict[str, Any]

HANG = b"hang"  # no answer at all
DROP = b""  # the connection is closed instead
REPORT: Json = {
    "type": "ORDER_EXEC_REPORT_UPDATE",
    "exchange_id": "SANDBOX/14",
    "client_order_id": "theirs",
    "symbol_id_exchange": "BTC-USD",
    "symbol_id_coinapi": "SANDBOX_SPOT_BTC_USD",
    "amount_order": 10,
    "price": 100.5,
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
    "exec_inst": [],
    "exchange_order_id": "x1",
    "amount_open": 10,
    "amount_filled": 0,
    "avg_px": 0,
    "status": "NEW",
    "status_history": [],
    "error_message": "",
    "fills": [],
}


def http(status: int, body: object = b"", *headers: str, content_type: str = "application/json") -> bytes:
    """A reply of HTTP."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Words", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + content


def reject(reason: str, **fields: object) -> Json:
    """A MessageReject."""
    return {"type": "MESSAGE_REJECT", "reject_reason": reason, "message": "words", **fields}


class Venue:
    """Answers each path of REST (with a method before it, or without) with what stands in `replies`.

    It beats as long as `beats`, and sends a WebSocket to `redirect` if that is given. `asked` has the method,
    the path and the body of each request.
    """

    def __init__(self) -> None:
        self.replies: dict[str, bytes] = {"/v1/orders": http(200, b"[]")}
        self.asked: list[tuple[str, str, Any]] = []
        self.beats = True
        self.sockets: list[ServerConnection] = []
        self.connections = 0
        self.redirect = ""

    async def run(self, script: Callable[["Venue", str, str], Awaitable[None]]) -> None:
        """Serve as long as the script runs, which is given the addresses."""
        rest = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        stream: Server
        async with rest, serve(self._stream, "127.0.0.1", 0, process_request=self._handshake) as stream:
            ports = [server.sockets[0].getsockname()[1] for server in (rest, stream)]
            await script(self, f"http://127.0.0.1:{ports[0]}", f"ws://127.0.0.1:{ports[1]}/v1/")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
                content = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
                method, path, _ = head.split(" ", 2)
                path = path.partition("?")[0]
                self.asked.append((method, path, json.loads(content) if content else None))
                reply = self.replies.get(path, http(404, reject("ORDER_ID_NOT_FOUND")))
                reply = self.replies.get(f"{method} {path}", reply)
                if reply == HANG:
                    await asyncio.sleep(60)
                if reply == DROP:
                    return
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _handshake(self, connection: ServerConnection, _: Request) -> Response | None:
        if not self.redirect:
            return None
        response = connection.respond(HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = self.redirect
        return response

    async def _stream(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.sockets.append(socket)
        try:
            while True:
                if self.beats:
                    await socket.send(json.dumps(info()))
                await asyncio.sleep(0.1)
        except ConnectionClosed:
            return
        finally:
            self.sockets.remove(socket)

    async def say(self, *messages: object) -> None:
        """Say these on the WebSocket: JSON, or text or bytes as they are."""
        for message in messages:
            raw = message if isinstance(message, str | bytes) else json.dumps(message)
            for socket in list(self.sockets):
                await socket.send(raw)

    def changes(self) -> list[tuple[str, str, Any]]:
        """What it was asked to change."""
        return [asked for asked in self.asked if asked[0] == "POST"]


def info(*, is_running: bool = True) -> Json:
    """A heartbeat."""
    return {"type": "SERVER_INFO", "exchange_id": "SANDBOX", "is_running": is_running}


def played(script: Callable[[Scene, Venue], Awaitable[None]], **settings: Any) -> Scene:
    """Run the script beside an adapter that is connected to a scripted venue; the scene."""
    scenes: list[Scene] = []

    async def with_addresses(venue: Venue, url: str, ws_url: str) -> None:
        where = place(url, ws_url=ws_url, **{"request_seconds": 1, **settings})
        scenes.append(await beside(where, lambda scene: script(scene, venue)))

    asyncio.run(Venue().run(with_addresses))
    return scenes[0]
