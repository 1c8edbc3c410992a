"""What one session's flood costs another: the median round trip of an F beside it, and in peace.

A quiet session cancels its orders one by one. Beside it another session, in a process of its own, sends as
fast as its socket takes it: F of orders that nobody knows, OrderMassCancelRequest(q) that finds nothing, or
100 NewOrderSingle(D) and a q that cancels them, over and over. Both come through the edge.
"""

import argparse
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.table import Table
from tests.gateway import Gateway, write_config

from scripts.bench import client
from scripts.bench.bench import out
from scripts.bench.beside import beside

ROUNDS = 3
ROUND_TRIPS = 500
REFILL = 100  # orders that are entered before each q
CHUNK = 64  # messages that are encoded at one time
GOAL_MILLISECONDS = 5.0
QUIET, LOUD = "TRADER37", "TRADER39"


def unknown(session: client.Session, number: int) -> bytes:
    """F of an order that nobody knows."""
    return session.order_cancel_request(f"c{number}", f"u{number}")


def nothing(session: client.Session, number: int) -> bytes:
    """q that finds nothing."""
    return session.order_mass_cancel_request(f"q{number}")


def hundred(session: client.Session, number: int) -> bytes:
    """One of 100 D, or the q that cancels them."""
    if number % (REFILL + 1) < REFILL:
        return session.new_order_single(f"d{number}", account="16")
    return session.order_mass_cancel_request(f"q{number}")


FLOODS: dict[str, tuple[str, Callable[[client.Session, int], bytes]]] = {
    "unknown": ("F of unknown orders", unknown),
    "nothing": ("q that finds nothing", nothing),
    "hundred": (f"{REFILL} D, and a q that cancels them", hundred),
}


def flood(port: int, kind: str) -> None:
    """Send without a pause until stdin ends; print a line at the beginning, and the messages per second."""
    make = FLOODS[kind][1]
    session = client.log_on(port, LOUD, "FIXGW", LOUD, f"{LOUD.lower()}-demo")
    print("going", flush=True)
    numbers, to_send, answers, started = count(), memoryview(b""), 0, time.perf_counter()
    with session.connection as peer:
        peer.setblocking(False)
        while not select.select([sys.stdin], [], [], 0)[0]:
            if not to_send:
                to_send = memoryview(b"".join(make(session, next(numbers)) for _ in range(CHUNK)))
            readable, writable, _ = select.select([peer], [peer], [], client.TIMEOUT_SECONDS)
            if readable:
                answers += peer.recv(client.RECEIVE_BYTES).count(client.CHECKSUM)
            if writable:
                to_send = to_send[peer.send(to_send) :]
        print(answers / (time.perf_counter() - started), flush=True)


def cancel(session: client.Session, name: str) -> list[float]:
    """Enter orders, and cancel them one by one; the seconds that each took."""
    ids = [f"{name}{number}" for number in range(ROUND_TRIPS)]
    client.throughput(session, [session.new_order_single(one, account="14") for one in ids])
    return client.round_trips(session, [session.order_cancel_request(f"c{one}", one) for one in ids])


def main(given: Sequence[str] | None = None) -> None:
    """Measure each flood, in rounds."""
    if sys.argv[1:2] == ["flood"]:
        flood(int(sys.argv[2]), sys.argv[3])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="*", help=f"{', '.join(FLOODS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args(given)
    table = Table(title=f"{ROUND_TRIPS} F one by one, {arguments.rounds} rounds", title_justify="left")
    for column in ("beside another session's", "answers to it", "quiet", "beside it", "99 %", "more"):
        table.add_column(column, justify="left" if column.startswith("beside a") else "right")
    for kind in arguments.kind or FLOODS:
        table.add_row(FLOODS[kind][0], *_row(kind, arguments.rounds))
    out.print(table)
    out.print(f"to reach: at most {GOAL_MILLISECONDS:g} ms more\n")


def _row(kind: str, rounds: int) -> list[str]:
    quiet: list[float] = []
    busy: list[float] = []
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
        config = write_config(Path(directory) / "config", ('sync = "full"', 'sync = "normal"'))
        with Gateway(Path(directory) / "data", config) as gateway:
            for number in range(rounds):
                out.print(f"{FLOODS[kind][0]}: round {number + 1} of {rounds}", end="\r")
                with client.log_on(gateway.port, QUIET, "FIXGW", QUIET, "trader37-demo") as session:
                    cancel(session, f"w{number}-")  # a warm-up
                    quiet += cancel(session, f"q{number}-")
                    with beside(__file__, "flood", str(gateway.port), kind) as found:
                        busy += cancel(session, f"b{number}-")
                    rates += found
    medians = [statistics.median(took) * 1e3 for took in (quiet, busy)]
    return [
        f"{statistics.median(rates):,.0f}/s",
        f"{medians[0]:.2f} ms",
        f"{medians[1]:.2f} ms",
        f"{client.percentile(busy, 99) * 1e3:.1f} ms",
        f"{medians[1] - medians[0]:.2f} ms",
    ]


if __name__ == "__main__":
    main()
