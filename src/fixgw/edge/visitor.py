"""A connection before its Logon is answered: it costs little, and can be ended at any moment."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from typing import cast

from fixgw.edge.frames import Framer
from fixgw.edge.tls import certificate_names

SHUTDOWN_SECONDS = 3.0  # for the end of TLS on a connection that is closed
GARBLED_MAX = 65_536  # bytes before the first message: more is no client that lost a byte


class Stage(IntEnum):
    """How far a visitor is; where room is needed, the lowest goes first."""

    REFUSED = 0
    SILENT = 1
    CHECKED = 2


class Visitor(asyncio.Protocol):
    """Waits for the first whole message of a connection. `rest` is what came behind it, one read at most.

    `first_frame` gets the message, or a ConnectionError when none is going to come.
    """

    def __init__(self, peer: socket.socket, address: str, longest: int) -> None:
        self.peer = peer
        self.address = address
        self.stage = Stage.SILENT
        self.certificate_names: frozenset[str] | None = None
        self.rest = b""
        self.first_frame: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._framer = Framer(longest)
        self._transport: asyncio.Transport | None = None

    async def connect(self, context: ssl.SSLContext | None, seconds: float) -> None:
        """Begin to read, after a TLS handshake if there is a context. Raises OSError and ssl.SSLError."""
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self,
            self.peer,
            ssl=context,
            ssl_handshake_timeout=None if context is None else seconds,
            ssl_shutdown_timeout=None if context is None else SHUTDOWN_SECONDS,
        )

    @property
    def is_gone(self) -> bool:
        """Whether its connection has ended."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, and any handshake is done."""
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificate_names = certificate_names(tls)

    def data_received(self, data: bytes) -> None:
        """Look for the first message; then stop reading."""
        if self.first_frame.done():
            self.rest += data
            return
        cut = self._framer.feed(data)
        if cut.ends:
            self.rest = cut.data[cut.ends[0] :] + self._framer.rest
            self.first_frame.set_result(cut.data[: cut.ends[0]])
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()
        elif self._framer.garbled > GARBLED_MAX:
            self.first_frame.set_exception(ConnectionError(f"{self._framer.garbled} bytes that are no FIX"))

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone by itself, or was ended."""
        if not self.first_frame.done():
            self.first_frame.set_exception(error or ConnectionError("it was closed before a Logon"))
        self.first_frame.exception() if not self.first_frame.cancelled() else None

    def give_up(self) -> asyncio.Transport | None:
        """Its connection, for who takes it over; None when it has ended."""
        return None if self.is_gone else self._transport

    def say_last(self, message: bytes) -> None:
        """Send a last message and close."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(message)
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is None:
            self.peer.close()
        else:
            self._transport.abort()


def to_end(visitors: Iterable[Visitor]) -> Visitor:
    """Who has to make room: of the address with the most visitors the lowest in stage, of those the oldest.

    `visitors` (at least one) are in the order in which they came. So one address cannot drive out another.
    """
    visitors = list(visitors)
    busiest, _ = Counter(visitor.address for visitor in visitors).most_common(1)[0]
    return min((visitor for visitor in visitors if visitor.address == busiest), key=lambda one: one.stage)
