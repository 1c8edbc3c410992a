"""A venue that answers exactly what a test says, however wrong that is: on a WebSocket, and over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from ssl import SSLContext
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

LOGGED_IN: dict[str, Any] = {"Authenticated": True, "SessionToken": "t0ken"}
HANG_UP = object()
SILENCE = object()


class Rough:
    """Answers by function: a payload as text, or whatever can be JSON; SILENCE; or HANG_UP.

    Over HTTP an answer can also be a status with headers and a text. `asked` is what was asked. What is
    `slow` is answered in so many parts with half a second between, in which nothing else is read.
    """

    def __init__(self) -> None:
        self.port = 0
        self.socket_port = 0
        self.answers: dict[str, Any] = {
            "AuthenticateUser": LOGGED_IN,
            "SubscribeAccountEvents": {"Subscribed": True},
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.socket: ServerConnection | None = None
        self.slow: dict[str, int] = {}

    async def event(self, name: str, payload: object, kind: int = 3) -> None:
        """Send a frame by itself."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        assert self.socket is not None
        await self.socket.send(json.dumps({"m": kind, "i": 0, "n": name, "o": text}))

    async def raw(self, text: str) -> None:
        """Send what need not be a frame."""
        assert self.socket is not None
        await self.socket.send(text)

    async def take_socket(self, socket: ServerConnection) -> None:
        """Serve one WebSocket."""
        self.socket = socket
        async for text in socket:
            frame = json.loads(text)
            self.asked.append((frame["n"], json.loads(frame["o"])))
            answer = self.answers.get(frame["n"], SILENCE)
            if answer is HANG_UP:
                await socket.close(1011)
                return
            if answer is not SILENCE:
                payload = answer if isinstance(answer, str) else json.dumps(answer)
                reply = {"M": 1, "I": str(frame["i"]), "N": frame["n"], "O": payload}
                await self._send(socket, json.dumps(reply), self.slow.get(frame["n"], 1))

    async def _send(self, socket: ServerConnection, text: str, parts: int) -> None:
        if parts == 1:
            await socket.send(text)
            return
        size = -(-len(text) // parts)

        async def slowly() -> AsyncIterator[str]:
            for start in range(0, len(text), size):
                yield text[start : start + size]
                await asyncio.sleep(0.5)

        socket.transport.pause_reading()
        await socket.send(slowly())
        socket.transport.resume_reading()

    async def take_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request over HTTP."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")),
                0,
            )
            body = await reader.readexactly(length)
            function = head.split()[1].rpartition("/")[2]
            self.asked.append((function, json.loads(body or b"{}")))
            answer = self.answers.get(function, SILENCE)
            if answer is SILENCE:
                await reader.read()  # until the client gives up
            elif answer is not HANG_UP:
                status, headers, text = answer if isinstance(answer, tuple) else (200, "", json.dumps(answer))
                start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{headers}Connection: close\r\n"
                writer.write(f"{start}Content-Length: {len(text)}\r\n\r\n{text}".encode())
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def rough(tls: SSLContext | None = None) -> AsyncIterator[Rough]:
    """Such a venue, on two ports of its own."""
    venue = Rough()
    http = await asyncio.start_server(venue.take_http, "127.0.0.1", 0, ssl=tls)
    async with http, serve(venue.take_socket, "127.0.0.1", 0, ssl=tls) as sockets:
        venue.port = http.sockets[0].getsockname()[1]
        venue.socket_port = next(iter(sockets.sockets)).getsockname()[1]
        yield venue
