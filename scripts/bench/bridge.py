"""The bridge's benchmark: one q over the orders on a venue, beside a bare client of the venue's dialect.

The venue is another fixgw. What is measured is the time from the q to the last report that it leads to, and
beside it the time that the bare client (`scripts/bench/bare_venue.py`) needs to read as many orders, cancel
them in the same way, and have each of them confirmed. Both have the same number of requests under way and the
same rate, and each a venue of its own, so that neither hears of the other's orders. The rounds are
interleaved, and a ratio is the median of the rounds' ratios.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.table import Table
from tests.gateway import until
from tests.venue_cases.bridge import KINDS, Bridge

from fixgw.engine.turn import Status
from fixgw.link import call
from scripts.bench import client
from scripts.bench.api import entered
from scripts.bench.bare_venue import ACCOUNT, OPENED, Limits, measured
from scripts.bench.bench import out, ratio

ROUNDS = 5
ORDERS = 1_000
ENTERED_AT_ONCE = 100
GOAL = 1.5
IDLE_SECONDS = 0.1  # before a round, for what came in the meantime
HEARTBEAT_SECONDS = 60  # the most there is: the session rests while the bare client works
OWNER = {"alphapoint": 1, "coinapi_ems": 1, "openalgo": 37}  # whose key the bridge has
UNLIMITED = Limits(16, 10_000)
LIMITED = Limits(8, 200)


class Way(NamedTuple):
    """How a set is canceled, and what a q says so that it is: all of the account, or one side of it."""

    name: str
    is_native: bool
    fields: tuple[tuple[int, object], ...]


NATIVE = Way("its cancel-all", True, ((1, ACCOUNT),))
FAN_OUT = Way("one by one", False, ((1, ACCOUNT), (54, 1)))
WAYS = {"alphapoint": (NATIVE, FAN_OUT), "coinapi_ems": (NATIVE, FAN_OUT), "openalgo": (FAN_OUT,)}


class Contest:
    """A bridge with its venue, and the same venue for the bare client; a context manager."""

    def __init__(self, directory: Path, kind: str, limits: Limits) -> None:
        self._kind = kind
        self._limits = limits
        defaults = {"request_seconds": 5, "confirm_seconds": 2, "poll_seconds": 5}
        self._bridge = Bridge(
            directory / "bridge",
            kind,
            requests_at_once=limits.at_once,
            requests_per_second=limits.per_second,
            **defaults,
        )
        self._bare = Bridge(directory / "bare", kind).back
        self._count = 0

    def __enter__(self) -> "Contest":
        self._bare.start()
        self._bridge.start()
        assert self._bridge.front is not None
        data = self._bridge.front.data
        until(lambda: all(venue.is_up for venue in call(data, Status()).status.venues))
        self._session = client.log_on(
            self._bridge.front.port, "TRADER37", "FIXGW", "TRADER37", "trader37-demo", HEARTBEAT_SECONDS
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._session.__exit__(None, None, None)
        self._bridge.stop()
        self._bare.stop()

    def bridged(self, way: Way, orders: int) -> float:
        """The seconds from a q to the last of its reports."""
        session, self._count = self._session, self._count + 1
        session.receive_idle(IDLE_SECONDS)
        names = [f"{self._count}-{number}" for number in range(orders)]
        entered = [session.new_order_single(name, account=str(ACCOUNT)) for name in names]
        client.throughput(
            session, entered, window=ENTERED_AT_ONCE, answer=NEW, also_expected=(client.EXECUTION_REPORT,)
        )
        now = client.utc_now()
        fields = [(11, f"q{self._count}"), (530, 7), (60, now), *way.fields]
        request = session.build("q", fields, now)
        started = time.perf_counter()
        session.send(request)
        ended = 0
        while ended < orders:
            ended += session.receive().count(client.CANCELED)
        return time.perf_counter() - started

    def bare(self, way: Way, orders: int) -> float:
        """The seconds that the bare client needs."""
        asyncio.run(entered(self._bare, orders, user_id=OWNER[self._kind], account_id=ACCOUNT))
        canceler = OPENED[self._kind](self._bare.api_port, self._limits)
        return asyncio.run(measured(canceler, orders, is_native=way.is_native))


NEW = b"\x01150=0\x01"


def compare(kinds: Sequence[str], rounds: int, orders: int, limits: Limits) -> None:
    """Print the table."""
    table = Table(
        title=f"one q over {orders:,} orders, {rounds} rounds, {limits.at_once} requests under way, "
        f"{limits.per_second:,} a second at most",
        title_justify="left",
    )
    for column in ("venue", "canceled by", "bare", "the bridge", "of bare", "to reach"):
        table.add_column(column, justify="left" if column in ("venue", "canceled by") else "right")
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory,
            Contest(Path(directory), kind, limits) as contest,
        ):
            for way in WAYS[kind]:
                took: dict[str, list[float]] = {"bare": [], "bridge": []}
                for number in range(rounds + 1):
                    out.print(f"round {number} of {rounds}: {kind}, {way.name}", end="\r")
                    bare, bridged = contest.bare(way, orders), contest.bridged(way, orders)
                    if number:  # the first is a warm-up
                        took["bare"].append(bare)
                        took["bridge"].append(bridged)
                table.add_row(
                    kind,
                    way.name,
                    *(f"{statistics.median(values):.2f} s" for values in took.values()),
                    f"{ratio(took['bridge'], took['bare']):.2f}",
                    f"{GOAL:.2f}",
                )
    out.print(table)


def main() -> None:
    """Run what is asked for; all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="*", help=f"{', '.join(KINDS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--orders", type=int, default=ORDERS)
    arguments = parser.parse_args()
    for limits in (UNLIMITED, LIMITED):
        compare(arguments.kind or KINDS, arguments.rounds, arguments.orders, limits)


if __name__ == "__main__":
    main()
