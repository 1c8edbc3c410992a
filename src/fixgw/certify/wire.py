"""All connections of a run, read by one thread: who waits for one of them serves the others meanwhile."""

import selectors
import socket
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

SLICE_SECONDS = 0.5  # how long is slept at most before heartbeats are looked after


class Heard(NamedTuple):
    """A message, or with an empty `raw` an event of the connection, in the order of all sessions."""

    at: datetime
    role: str
    is_sent: bool
    raw: str
    event: str = ""


class Reader(Protocol):
    """Who is told that something came on a connection, and now and then that time has passed."""

    def read(self) -> None:
        """Read what has come."""

    def keep_alive(self) -> None:
        """Do what is due."""


class Wire:
    """All sessions of a run, and all that was said on them (`heard`)."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._selector = selectors.DefaultSelector()

    def add(self, line: socket.socket, reader: Reader) -> None:
        """From now on read this connection."""
        self._selector.register(line, selectors.EVENT_READ, reader)

    def remove(self, line: socket.socket) -> None:
        """Read it no more."""
        self._selector.unregister(line)

    def pump(self, seconds: float) -> None:
        """Read what has come, at most so many seconds; returns once something was read."""
        readers: list[Reader] = [key.data for key in self._selector.get_map().values()]
        for reader in readers:
            reader.keep_alive()
        if not readers:
            time.sleep(max(0.0, min(seconds, SLICE_SECONDS)))
        for key, _ in self._selector.select(max(0.0, min(seconds, SLICE_SECONDS))) if readers else ():
            key.data.read()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Serve all sessions until `condition` holds; False when it does not within so many seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            self.pump(left)
            if left <= 0:  # looked once more: a busy machine may have kept this thread away
                return condition()
        return True
