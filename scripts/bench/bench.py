"""The benchmark: fixgw beside a bare QuickFIX acceptor, in one run, with one client. Prints tables.

Contestants, each in processes of its own: (a) bare QuickFIX in Python under `start()`, (b) the same under
`poll()`, (c) fixgw's engine with `journal.sync = "normal"`, (d) with "full", (e) as (c) through the edge,
which is what clients meet, (f) the same over TLS, and (g) as (b), but with a row committed to SQLite before
each answer, without which something can be lost. The rounds are interleaved, and a ratio is the median of the
rounds' ratios, because the machine is shared: what matters is who is faster beside whom.
"""

import argparse
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.console import Console
from rich.table import Table
from tests.lone_engine import SECRET

from fixgw import certificates
from fixgw.core.book import OrderBook
from fixgw.core.order import Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.selector import CancelSelector
from scripts.bench import client
from scripts.bench.bare import free_port

ROUND_TRIPS = 2_000
ROUNDS = 5
ORDERS = 20_000
MASS = 10_000
RESTING = 200_000

out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass(frozen=True)
class Server:
    """A running contestant; `pid` is the process that does the work, `context` is for TLS."""

    pid: int
    port: int
    bare: bool
    password: str = ""
    context: ssl.SSLContext | None = None

    def log_on(self) -> client.Session:
        """The one client that all contestants face."""
        if self.bare:
            return client.log_on(self.port, "TRADER37", "FIXGW")
        return client.log_on(self.port, "TRADER37", "FIXGW", "TRADER37", self.password, context=self.context)

    def resident_bytes(self) -> int:
        """What the process holds in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096


@contextmanager
def bare(mode: str, *options: str) -> Iterator[Server]:
    """A bare acceptor under `start` or `poll`."""
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "bare.py"), "--mode", mode, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout is not None else ""
        yield Server(process.pid, int(line.split()[1]), True)
        process.terminate()


class Door(StrEnum):
    """The port of fixgw that the client connects to."""

    ENGINE = "the engine's own"
    PLAIN = "the edge's"
    TLS = "the edge's, with TLS"


@contextmanager
def gateway(sync: str, door: Door = Door.ENGINE) -> Iterator[Server]:
    """fixgw with the reference configuration but for `journal.sync`, on a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory,
        gateway_in(Path(directory), sync, door) as one,
    ):
        yield one


@contextmanager
def gateway_in(root: Path, sync: str, door: Door = Door.ENGINE) -> Iterator[Server]:
    """The same on the data directory `root`/data; its log is `root`/log. Raises RuntimeError with the log."""
    toml = (ROOT / "config" / "gateway.toml").read_text().replace('sync = "full"', f'sync = "{sync}"')
    context = None
    if door is Door.TLS:
        certificates.make(root / "tls", [], [], datetime.now(UTC))
        toml = toml.replace(
            '\ncertificate = ""\nkey = ""', '\ncertificate = "tls/server.pem"\nkey = "tls/server.key"'
        )
        context = ssl.create_default_context(cafile=str(root / "tls" / "ca.pem"))
    (root / "gateway.toml").write_text(toml)
    cfg = (ROOT / "config" / "quickfix.cfg").read_text()
    (root / "quickfix.cfg").write_text(cfg.replace("../spec/", f"{ROOT}/spec/"))
    port = free_port()
    module, password = (
        ("fixgw", "trader37-demo") if door is not Door.ENGINE else ("tests.lone_engine", SECRET)
    )
    command = [sys.executable, "-m", module, "serve", "--config", str(root / "gateway.toml")]
    command += ["--data", str(root / "data"), "--fix-port", str(port), "--no-api"]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    with process:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError((root / "log").read_text())
        yield Server(int((root / "data" / "lock").read_text()), port, False, password, context)
        process.terminate()


CONTESTANTS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "(a) bare, start()": lambda: bare("start"),
    "(b) bare, poll()": lambda: bare("poll"),
    "(c) fixgw, normal": lambda: gateway("normal"),
    "(d) fixgw, full": lambda: gateway("full"),
    "(e) as (c), through the edge": lambda: gateway("normal", Door.PLAIN),
    "(f) as (c), edge and TLS": lambda: gateway("normal", Door.TLS),
    "(g) as (b), with a commit": lambda: bare("poll", "--commit"),
}


def cancel_all_one_by_one(server: Server, orders: int) -> tuple[float, float]:
    """F on `orders` resting orders: requests per second, and the median round trip in microseconds."""
    with server.log_on() as session:
        if not server.bare:
            for first in range(0, orders + ROUND_TRIPS, 10_000):
                count = min(10_000, orders + ROUND_TRIPS - first)
                client.throughput(session, [session.new_order_single(f"a{first + i}") for i in range(count)])
        cancels = [session.order_cancel_request(f"c{i}", f"a{i}") for i in range(orders)]
        rate = client.throughput(session, cancels).per_second
        single = [session.order_cancel_request(f"d{i}", f"a{orders + i}") for i in range(ROUND_TRIPS)]
        return rate, statistics.median(client.round_trips(session, single)) * 1e6


def requests(rounds: int, orders: int) -> None:
    """The table of requests per second and round trips, and the ratios that count."""
    rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    trips: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, start in CONTESTANTS.items():
            out.print(f"round {number + 1} of {rounds}: {name}", end="\r")
            with start() as server:
                rate, trip = cancel_all_one_by_one(server, orders)
            rates[name].append(rate)
            trips[name].append(trip)
    table = Table(title=f"{orders:,} F on resting orders, one session, {rounds} rounds", title_justify="left")
    for column in (
        "",
        "requests/s",
        "of (a)",
        "of (b)",
        "of (c)",
        "median round trip",
        "of (b)",
        "above (c)",
    ):
        table.add_column(column, justify="right" if column else "left")
    a, b, c, *_ = CONTESTANTS
    for name in CONTESTANTS:
        table.add_row(
            name,
            f"{statistics.median(rates[name]):,.0f}",
            f"{ratio(rates[name], rates[a]):.2f}",
            f"{ratio(rates[name], rates[b]):.2f}",
            f"{ratio(rates[name], rates[c]):.2f}",
            f"{statistics.median(trips[name]):,.0f} us",
            f"{ratio(trips[name], trips[b]):.2f}",
            f"{difference(trips[name], trips[c]):+,.0f} us",
        )
    out.print(table)
    out.print("to reach: (c) 0.90 of (a), 0.65 of (b), round trip 2.00 of (b)")
    out.print("          (e) and (f) 0.90 of (c), (e) round trip at most 100 us above (c)\n")


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def difference(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of the rounds' differences."""
    return statistics.median(one - other for one, other in zip(ones, others, strict=True))


def mass_cancel(rounds: int, orders: int) -> None:
    """One q over `orders` orders beside as many F: when r is there, and when the last report is."""
    firsts, lasts = [], []
    for _ in range(rounds):
        with gateway("normal") as server, server.log_on() as session:
            client.throughput(session, [session.new_order_single(f"a{i}") for i in range(orders)])
            cancels = [session.order_cancel_request(f"c{i}", f"a{i}") for i in range(orders)]
            one_by_one = client.throughput(session, cancels).seconds
            client.throughput(session, [session.new_order_single(f"b{i}") for i in range(orders)])
            started = time.perf_counter()
            session.send(session.order_mass_cancel_request("m1"))
            first, reports = 0.0, 0
            while reports < orders:
                whole = session.receive()
                first = first or time.perf_counter() - started
                reports += whole.count(client.EXECUTION_REPORT)
            firsts.append(first / one_by_one)
            lasts.append((time.perf_counter() - started) / one_by_one)
    table = Table(title=f"one q over {orders:,} orders beside {orders:,} F on (c)", title_justify="left")
    table.add_column("")
    table.add_column("of the time of the F", justify="right")
    table.add_column("to reach", justify="right")
    table.add_row("every order is out of the book, r is there", f"{statistics.median(firsts):.3f}", "0.100")
    table.add_row("the last report is there", f"{statistics.median(lasts):.3f}", "0.500")
    out.print(table)


def selection() -> None:
    """Selecting the 100 orders of one account, with 10,000 and with 1,000,000 resting.

    Once for the same account over and over, and once for another one each time, which with a million orders
    comes from memory that no cache of the processor holds.
    """
    books = {size: _book(size) for size in (10_000, 1_000_000)}
    table = Table(title="selecting the 100 orders of one account", title_justify="left")
    for column in ("", "10,000 resting", "1,000,000 resting", "ratio", "to reach"):
        table.add_column(column, justify="right" if column else "left")
    for title, accounts in (("the same account each time", 1), ("another account each time", 100)):
        times: dict[int, list[float]] = {size: [] for size in books}
        for number in range(2_000):
            for size, book in books.items():
                selector = CancelSelector(1, account_id=number % accounts * (size // 10_000))
                started = time.perf_counter()
                found = book.select(selector)
                times[size].append(time.perf_counter() - started)
                if len(found) != 100:
                    raise RuntimeError(f"{len(found)} orders")
        few, many = (statistics.median(times[size]) * 1e6 for size in books)
        table.add_row(title, f"{few:.1f} us", f"{many:.1f} us", f"{many / few:.2f}", "1.30")
    out.print(table)


def _book(size: int) -> OrderBook:
    """A book of `size` orders, 100 in each account, spread over it."""
    book = OrderBook(1_000)
    now = datetime.now(UTC)
    accounts = size // 100
    for number in range(size):
        book.put(
            Order(
                order_id=number + 1,
                oms_id=1,
                user_id=number % 1_000,
                account_id=number % accounts,
                instrument_id=25 + number % 3,
                cl_ord_id=f"a{number}",
                side=Side.BUY,
                ord_type=OrdType.LIMIT,
                time_in_force=TimeInForce.DAY,
                order_qty=Decimal(1),
                price=Decimal(100),
                stop_px=None,
                strategy=None,
                session="TRADER37",
                content=0,
                entered_at=now,
                status=OrdStatus.NEW,
            )
        )
    return book


def memory(orders: int) -> None:
    """What `orders` resting orders take in the gateway's memory beyond an empty one."""
    with gateway("normal") as server, server.log_on() as session:
        empty = server.resident_bytes()
        for first in range(0, orders, 10_000):
            now = client.utc_now()
            client.throughput(session, [_varied_order(session, first + i, now) for i in range(10_000)])
        each = (server.resident_bytes() - empty) / orders
    table = Table(title=f"memory of {orders:,} resting orders", title_justify="left")
    for column in ("bytes each", "to reach"):
        table.add_column(column, justify="right")
    table.add_row(f"{each:,.0f}", "1,000")
    out.print(table)


def _varied_order(session: client.Session, number: int, now: str) -> bytes:
    """An order whose quantity and price few others have."""
    symbol = ("BTC-USD", "ETH-USD", "BTC-PERP")[number % 3]
    qty, price = f"{1 + number % 977}.{number % 89:02}", f"{60_000 + number % 5_003}.{number % 97:02}"
    fields: list[tuple[int, object]] = [
        (11, f"a{number}"),
        (1, 14 + number % 2),
        (55, symbol),
        (54, 1),
        (60, now),
        (38, qty),
    ]
    return session.build("D", [*fields, (40, 2), (44, price), (59, 1)], now)


def main() -> None:
    """Run the parts that are asked for; all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help="requests, mass, selection, memory (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--orders", type=int, default=ORDERS)
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "requests": lambda: requests(arguments.rounds, arguments.orders),
        "mass": lambda: mass_cancel(arguments.rounds, MASS),
        "selection": selection,
        "memory": lambda: memory(RESTING),
    }
    for name in arguments.part or parts:
        parts[name]()


if __name__ == "__main__":
    main()
