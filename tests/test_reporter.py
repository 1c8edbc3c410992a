"""The edge's reports to the engine: each second, over the real link, and over restarts of the engine."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from fixgw.edge import reporter
from fixgw.edge.reporter import Reporter
from fixgw.engine.turn import EdgeReport, EdgeSession
from fixgw.link import SOCKET_NAME, EdgeReply, LinkServer

ONE = EdgeSession("TRADER37", "127.0.0.1", "", datetime(2026, 11, 21, tzinfo=UTC), 1, 2, 300, 400, 0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "REPORT_SECONDS", 0.01)


@contextmanager
def engine(data: Path, *disabled: str) -> Iterator[list[object]]:
    """The engine's end of the link in a thread; what it was told."""
    server, ends = LinkServer(data / SOCKET_NAME), threading.Event()
    told: list[object] = []

    def serve() -> None:
        while not ends.is_set():
            for said, answer in server.take():
                told.append(said)
                answer(EdgeReply(disabled))
            server.flush()
            time.sleep(0.001)
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield told
    finally:
        ends.set()
        thread.join()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, for 20 seconds at most."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def while_reporting(
    data: Path,
    scene: Callable[[list[frozenset[str]]], Awaitable[None]],
    sessions: Callable[[], tuple[EdgeSession, ...]] = lambda: (ONE,),
) -> None:
    """Play a scene beside a reporter, with what it hears; assert that the reporter still runs at its end."""

    async def play() -> None:
        heard: list[frozenset[str]] = []
        task = asyncio.ensure_future(Reporter(data, sessions, heard.append).run())
        await scene(heard)
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(play())


def test_it_says_who_is_connected_and_hears_who_is_disabled(tmp_path: Path) -> None:
    """Again and again, the first time at once."""

    async def scene(heard: list[frozenset[str]]) -> None:
        with engine(tmp_path, "TRADER38", "READER50") as told:
            await until(lambda: len(heard) > 2)
        assert told[:2] == [EdgeReport((ONE,))] * 2
        assert set(heard) == {frozenset({"TRADER38", "READER50"})}

    while_reporting(tmp_path, scene)


def test_it_finds_the_engine_again_after_a_restart(tmp_path: Path) -> None:
    """It may be away at the start as well, and when it is away for long, that is said once."""

    async def scene(heard: list[frozenset[str]]) -> None:
        for number in range(3):
            await until(lambda: len(said) > number)  # noqa: B023
            with engine(tmp_path, f"{number}"):
                await until(lambda: frozenset({f"{number}"}) in heard)  # noqa: B023

    with structlog.testing.capture_logs() as said:
        while_reporting(tmp_path, scene)
    assert [line["event"] for line in said] == ["engine does not hear"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        struct.pack(">I", 5),
        struct.pack(">I", 1 << 31),
        struct.pack(">I", 4) + b"null",
        struct.pack(">I", 16) + b'{"type":"Reply"}',
        b"\xff" * 100,
    ],
)
def test_an_engine_that_talks_nonsense_or_not_at_all_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """The next one is heard."""
    monkeypatch.setattr(reporter, "ANSWER_SECONDS", 0.2)

    async def scene(heard: list[frozenset[str]]) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / SOCKET_NAME))
            listener.listen()
            listener.setblocking(False)
            peer, _ = await asyncio.get_running_loop().sock_accept(listener)
            with peer:
                peer.sendall(answer)
                again, _ = await asyncio.get_running_loop().sock_accept(listener)
                again.close()
        assert heard == []
        with engine(tmp_path):
            await until(lambda: frozenset[str]() in heard)

    while_reporting(tmp_path, scene)


def test_a_mistake_of_the_edge_does_not_end_it(tmp_path: Path) -> None:
    """It is logged, and tried again."""
    mistakes = iter([True, True, False])

    def sessions() -> tuple[EdgeSession, ...]:
        if next(mistakes, False):
            raise ValueError("a mistake")
        return ()

    async def scene(heard: list[frozenset[str]]) -> None:
        with engine(tmp_path) as told:
            await until(lambda: bool(heard))
        assert told[0] == EdgeReport(())

    with structlog.testing.capture_logs() as said:
        while_reporting(tmp_path, scene, sessions)
    assert [line["event"] for line in said if line["log_level"] == "error"] == ["our mistake"] * 2
