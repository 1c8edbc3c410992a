"""What stands around every dialect: where a request may come from, its length, and our own mistakes."""

from collections.abc import Iterable

import msgspec
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("fixgw.api")

PAGE_PATHS = ("/docs", "/openapi.json")
"""What a page of another site may link to."""


class Guard:
    """Refuses what a page of another site sends, and bodies of more than `body_bytes_max`, in front of `app`.

    A browser may send credentials that it remembers with any page's requests, so those of other sites' pages
    are refused; and there are no CORS headers. A body is read before `app` is called. What `app` raises is
    our mistake: it is logged, and goes no further.
    """

    def __init__(self, app: ASGIApp, body_bytes_max: int) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if is_from_elsewhere(headers, scope["path"]):
            await _refuse(scope, receive, send, 403, "the page that sends this is not the gateway's own")
        elif scope["type"] == "http" and (b"content-length" in headers or b"transfer-encoding" in headers):
            await self._read(scope, receive, send, headers.get(b"content-length", b"0"))
        else:
            await self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:  # `app` has answered it
            log.exception("our mistake", path=scope["path"])

    async def _read(self, scope: Scope, receive: Receive, send: Send, length: bytes) -> None:
        """Read the body, and have `app` receive it as a whole."""
        body = bytearray()
        is_whole = False
        is_too_long = int(length) > self._body_bytes_max
        while not (is_whole or is_too_long):
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
            is_too_long = len(body) > self._body_bytes_max
        if is_too_long:
            detail = f"the body has more than {self._body_bytes_max} bytes"
            await _refuse(scope, receive, send, 413, detail)
            return
        waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_whole() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._call(scope, receive_whole, send)


def is_from_elsewhere(headers: dict[bytes, bytes], path: str) -> bool:
    """Whether a browser says that the page of another site sends this."""
    origin = headers.get(b"origin")
    if origin is not None:
        return origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower()
    site = headers.get(b"sec-fetch-site", b"none")
    return site not in (b"none", b"same-origin") and path not in PAGE_PATHS


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    """Answer a request, or the handshake of a WebSocket, with plain JSON."""
    kind = "http"
    if scope["type"] == "websocket":
        kind = "websocket.http"
        await receive()  # the handshake
    body = msgspec.json.encode({"detail": detail})
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": f"{kind}.response.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": body})
