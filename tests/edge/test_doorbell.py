"""The engine sleeps when it has nothing to do, and is woken by what the edge sends it."""

import asyncio
import sys
import time
from pathlib import Path

from fixgw.edge.doorbell import AWAKE_SECONDS, Doorbell
from fixgw.edge.reporter import Reporter
from fixgw.engine.turn import Ring
from fixgw.link import SOCKET_NAME, LinkServer
from tests.gateway import Gateway

REQUESTS = 40
HEARTBEATS = 40
SECONDS = 0.5  # without a ring the engine sleeps until the edge's next report, up to a second


def test_it_rings_after_a_while() -> None:
    """At the first message, and at each that comes when the engine may be asleep again."""
    bell, rung = Doorbell(), []
    bell.ring = lambda: rung.append(now)
    for now in (5.0, 5.0, 5.0 + AWAKE_SECONDS / 2, 5.0 + AWAKE_SECONDS, 5.1, 5.1, 9.0):
        bell.sent(now)
    assert rung == [5.0, 5.1, 9.0]


def test_nobody_hears_it() -> None:
    """As long as the edge has no connection with the engine's link."""
    Doorbell().sent(1.0)
    Reporter(Path("nowhere"), tuple, lambda _: None).ring()


def test_it_is_heard_and_not_answered(tmp_path: Path) -> None:
    """A ring wakes who waits; as many as the engine can miss are not sent to one that does not listen."""

    async def scene() -> int:
        reporter = Reporter(tmp_path, tuple, lambda _: None)
        task = asyncio.ensure_future(reporter.run())
        while not server.take():
            await asyncio.sleep(0.001)
        assert not server.wait(0)
        reporter.ring()
        assert server.wait(5)
        assert [said for said, _ in server.take()] == [Ring()]
        for _ in range(3):
            reporter.ring()
        assert [said for said, _ in server.take()] == [Ring()] * 3  # they keep nothing waiting behind them
        for _ in range(100_000):
            reporter.ring()
        task.cancel()
        waiting = reporter._writer
        assert waiting is not None
        return waiting.transport.get_write_buffer_size()

    server = LinkServer(tmp_path / SOCKET_NAME)
    assert asyncio.run(scene()) < 100
    server.close()


def test_an_engine_that_sleeps_long_answers_at_once(tmp_path: Path) -> None:
    """It sleeps for seconds here; also when nothing but Heartbeats has come for a while."""
    gateway = Gateway(tmp_path / "data", command=(sys.executable, "-m", "tests.odd_engine", "sleepy"))
    with gateway:
        trader = gateway.client("TRADER37")
        took = []
        for number in range(REQUESTS):
            time.sleep(0.02)
            for _ in range(HEARTBEATS * (number % 2)):
                trader.send("0")
                time.sleep(AWAKE_SECONDS / 5)
            began = time.monotonic()
            trader.rest()
            took.append(time.monotonic() - began)
        assert max(took) < SECONDS
        trader.close()
