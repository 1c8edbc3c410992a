"""A bare FastAPI app on uvicorn, the API's yardstick: answers every request and every frame with a constant.

It reads nothing, decides nothing and remembers nothing, so it shows what these libraries can reach at most
with the settings that fixgw gives them. It prints `ready` and its port, and ends on SIGTERM or SIGINT.
"""

import asyncio
import json

import uvicorn
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect

from fixgw.edge.api.server import HEADERS
from fixgw.edge.process import bound

STANDARD_REPLY = '{"result":true,"errormsg":null,"errorcode":0,"detail":null}'
REPLY_FRAME = json.dumps({"m": 1, "i": 2, "n": "CancelOrder", "o": STANDARD_REPLY})

app = FastAPI()


@app.post("/AP/{function}")
async def answer() -> Response:
    """Answer any function."""
    return Response(STANDARD_REPLY, media_type="application/json")


@app.websocket("/WSGateway/")
async def answer_frames(websocket: WebSocket) -> None:
    """Answer each frame."""
    await websocket.accept()
    try:
        while True:
            await websocket.receive_text()
            await websocket.send_text(REPLY_FRAME)
    except WebSocketDisconnect:
        pass


async def serve() -> None:
    """Serve on a free port of loopback."""
    listener = bound("127.0.0.1", 0)
    listener.listen()
    print(f"ready {listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=HEADERS,
    )
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    asyncio.run(serve())
