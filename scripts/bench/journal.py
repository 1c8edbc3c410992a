"""The journal's part of the benchmark: how long a start takes, and how much a request adds to the disk.

`load` starts a gateway on a journal with a million open orders; `unfolded` on one whose last 2,000 turns, of
48 requests each, are not in state.db yet, the worst that a kill leaves; `growth` enters 20,000 orders and
cancels them; `commands` times `fixgw journal ...` on the journal of a million orders.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.console import Console
from rich.table import Table

from fixgw.core.directory import InstrumentName
from fixgw.core.events import OrderEntered
from fixgw.core.order import Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import ExecType, Execution
from fixgw.core.requests import NewOrder
from fixgw.journal.contract import Assigned, Batch, Counters, Entry, Queued, SessionNumbers
from fixgw.journal.fold import WAITING_MAX
from fixgw.journal.sqlite import SqliteJournal
from scripts.bench import client
from scripts.bench.bench import gateway_in

SESSION = "TRADER37"
PER_TURN = 48  # requests that come together when one client sends as fast as it can, 200 of them unanswered
OPEN_ORDERS = 1_000_000
REQUESTS = 20_000

out = Console(highlight=False)


def write(path: Path, orders: int, days_ago: int = 0) -> None:
    """Make a journal with so many open orders, in turns of PER_TURN, as a gateway would have written it then.

    The client has reset its session since, so that a start has no reports to put back into QuickFIX's store.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = SqliteJournal(path, "normal")
    began = datetime.now(UTC) - timedelta(days=days_ago, hours=1)
    for first in range(1, orders + 1, PER_TURN):
        ids = range(first, min(first + PER_TURN, orders + 1))
        journal.commit(_turn(ids, began + timedelta(milliseconds=first)))
    end = orders + 1
    numbers = SessionNumbers(SESSION, 2, queued=orders, sent=orders)
    journal.commit(
        Batch(sessions=[numbers], counters=Counters(end, end), clean_stop=True, at=datetime.now(UTC))
    )
    journal.close()


def _turn(ids: range, at: datetime) -> Batch:
    """The turn that enters the orders with these ids."""
    orders = [_order(number, at) for number in ids]
    reports = [Execution(ExecType.NEW, order.order_id, order, order.cl_ord_id, at) for order in orders]
    first, end = ids.start - 1, ids.stop - 1
    return Batch(
        entries=[_entry(order, at) for order in orders],
        orders=orders,
        at=at,
        queued=[Queued(SESSION, first, reports)],
        assigned=[Assigned(SESSION, 1, first + 2, first, len(ids), at)],
        sessions=[SessionNumbers(SESSION, 1, end + 2, end + 2, end + 1, end, end)],
        counters=Counters(end + 1, end + 1),
    )


def _order(number: int, at: datetime) -> Order:
    """An order whose quantity and price few others have."""
    return Order(
        order_id=number,
        oms_id=1,
        user_id=37,
        account_id=14 + number % 2,
        instrument_id=25 + number % 3,
        cl_ord_id=f"a{number}",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(f"{1 + number % 977}.{number % 89:02}"),
        price=Decimal(f"{60_000 + number % 5_003}.{number % 97:02}"),
        stop_px=None,
        strategy=None,
        session=SESSION,
        content=number * 2_654_435_761 % 2**32,
        entered_at=at,
        status=OrdStatus.NEW,
    )


def _entry(order: Order, at: datetime) -> Entry:
    seq_num = order.order_id + 1
    request = NewOrder(
        user_id=37,
        session=SESSION,
        cl_ord_id=order.cl_ord_id,
        content=order.content,
        ref_seq_num=seq_num,
        instrument=InstrumentName(symbol="BTC-USD"),
        side=order.side,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        order_qty=order.order_qty,
        price=order.price,
    )
    events = (OrderEntered(order),)
    return Entry(
        at, "fix", "D", 1, 37, "own-account", 0, events, SESSION, 1, seq_num, order.cl_ord_id, request
    )


def start(root: Path) -> tuple[str, str]:
    """Seconds from the start of a gateway to its ready line, and those of the processor that its engine took.

    The second says more on a machine that others use too.
    """
    started = time.perf_counter()
    with gateway_in(root, "full") as server:
        seconds = time.perf_counter() - started
        stat = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
        return f"{seconds:.1f}", f"{(int(stat[11]) + int(stat[12])) / os.sysconf('SC_CLK_TCK'):.1f}"


def load(orders: int) -> None:
    """How long a start takes with so many open orders, beside an empty gateway."""
    table = _table("a start", "open orders", "seconds", "of the processor", "to reach")
    for count, goal in ((0, ""), (orders, "10")):
        with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
            root = Path(directory)
            if count:
                write(root / "data" / "journal.db", count)
            table.add_row(f"{count:,}", *start(root), goal)
    out.print(table)


def unfolded() -> None:
    """How long a start takes when as many turns as may wait have to be folded in first."""
    with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
        root = Path(directory)
        write(root / "data" / "journal.db", WAITING_MAX * PER_TURN)
        folded = start(root)
        (root / "data" / "state.db").unlink()
        anew = start(root)
    table = _table(f"a start with {WAITING_MAX * PER_TURN:,} orders", "", "seconds", "of the processor")
    table.add_row("every turn is folded in", *folded)
    table.add_row(f"{WAITING_MAX:,} turns have to be folded in", *anew)
    out.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def growth(requests: int, window: int) -> None:
    """What so many orders, and as many cancels of them, take on the disk, for each request.

    At most `window` of them are unanswered at one time: with 1 each request has a turn of its own.
    """
    with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
        root = Path(directory)
        with gateway_in(root, "normal") as server, server.log_on() as session:
            orders = [session.new_order_single(f"a{number}") for number in range(requests)]
            client.throughput(session, orders, window=window)
            cancels = [session.order_cancel_request(f"c{number}", f"a{number}") for number in range(requests)]
            client.throughput(session, cancels, window=window)
            running = sizes(root)
        stopped = sizes(root)
    title = f"{requests:,} D and {requests:,} F on one session, {window} unanswered"
    table = _table(title, "", "while running", "after the stop", "bytes for each request")
    for name, size in stopped.items():
        each = f"{size / requests / 2:,.0f}" if size else ""
        table.add_row(name, f"{running[name]:,}", f"{size:,}", each)
    out.print(table)


def commands(orders: int) -> None:
    """How long the commands take on the journal that `load` starts from, but that it is sixty days old."""
    table = _table(f"fixgw journal, {orders:,} requests in the journal", "", "seconds")
    with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
        data = Path(directory) / "data"
        write(data / "journal.db", orders, days_ago=60)
        for arguments in (
            ("show", "--order", str(orders // 2)),
            ("show", "--session", SESSION, "--limit", "10"),
            ("show", "--since", datetime.now(UTC).isoformat()),
            ("show",),
            ("verify",),
            ("backup", str(Path(directory) / "backup")),
            ("compact",),
        ):
            started = time.perf_counter()
            command = [sys.executable, "-m", "fixgw", "journal", *arguments, "--data", str(data)]
            subprocess.run(command, check=True, capture_output=True)
            said = " ".join(part for part in arguments if directory not in part)
            table.add_row(said, f"{time.perf_counter() - started:.1f}")
    out.print(table)


def sizes(root: Path) -> dict[str, int]:
    """The bytes of the files that grow."""
    data = root / "data"
    names = ("journal.db", "journal.db-wal", "state.db", "state.db-wal")
    found = {name: (data / name).stat().st_size if (data / name).exists() else 0 for name in names}
    found["fix/"] = sum(path.stat().st_size for path in (data / "fix").iterdir())
    found["log lines"] = (root / "log").stat().st_size
    return found


def main() -> None:
    """Run the parts that are asked for; all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help="load, unfolded, growth, commands (default: all)")
    parser.add_argument("--orders", type=int, default=OPEN_ORDERS, help="open orders of load and commands")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="orders, and cancels, of growth")
    parser.add_argument("--window", type=int, default=200, help="unanswered requests of growth at most")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "load": lambda: load(arguments.orders),
        "unfolded": unfolded,
        "growth": lambda: growth(arguments.requests, arguments.window),
        "commands": lambda: commands(arguments.orders),
    }
    for name in arguments.part or parts:
        parts[name]()


if __name__ == "__main__":
    main()
