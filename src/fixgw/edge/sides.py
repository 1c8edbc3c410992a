"""asyncio's callbacks of a session's two connections: each tells its pipe."""

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from fixgw.edge.pipe import Pipe


class ClientSide(asyncio.Protocol):
    """asyncio's callbacks of the client's connection."""

    def __init__(self, pipe: "Pipe") -> None:
        self._pipe = pipe

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._pipe.from_client(data)

    def eof_received(self) -> bool:
        """The client sends nothing more: no FIX session goes on one way, so the connection is closed."""
        return False

    def resume_writing(self) -> None:
        """It has read."""
        self._pipe.client_drained()

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone."""
        self._pipe.client_lost()


class EngineSide(asyncio.Protocol):
    """asyncio's callbacks of the engine's connection."""

    def __init__(self, pipe: "Pipe") -> None:
        self._pipe = pipe

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._pipe.engine_made(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Bytes of the engine."""
        self._pipe.from_engine(data)

    def pause_writing(self) -> None:
        """It does not read."""
        self._pipe.engine_full(is_full=True)

    def resume_writing(self) -> None:
        """It reads again."""
        self._pipe.engine_full(is_full=False)

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone."""
        self._pipe.engine_lost()
