"""The API's benchmark: fixgw beside a bare FastAPI app on uvicorn, in one run, with one client.

The bare app answers a constant; fixgw cancels resting orders and journals it. The goal is read on clients
that each wait for an answer before they ask again, as clients of these APIs do; one connection with many
requests under way stands beside it. Then FIX: how long the answer to an OrderCancelRequest(F) takes while the
API is under load, beside how long it takes in peace. Both contestants are there all the time, and each load
is put on the one and then on the other, because a machine that is shared changes its speed within seconds.
A ratio is the median of the rounds' ratios.
"""

import argparse
import asyncio
import json
import select
import statistics
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.table import Table
from tests.gateway import Gateway, until, write_config

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import NewOrder
from fixgw.edge.engine_link import EngineLink
from fixgw.engine.turn import Status
from fixgw.link import call
from scripts.bench import api_client, client
from scripts.bench.api_client import Http, Load, WebSocket, post, text_frame
from scripts.bench.bench import out, ratio
from scripts.bench.beside import beside

ROUNDS = 5
ORDERS = 10_000
LONE = 1_000  # requests of a client that is alone and waits: they take longer, and the machine has rest
LOAD_ORDERS = 60_000  # canceled one after the other while FIX is measured
FIX_ROUND_TRIPS = 2_000
ENTERED_AT_ONCE = 5_000
FREE = "a user without a FIX session, so that nobody is told of what happens to his orders"
USER, ACCOUNT, NAME, PASSWORD = 60, 17, "trader60", "trader37-demo"
PATH = "/WSGateway/"
DONE = b"true"  # in every good answer, of the bare app too
BARE, OURS = "bare FastAPI", "fixgw"


class Server(NamedTuple):
    """A running contestant; `ids` are the orders that can be canceled, the next one at the end."""

    port: int
    token: str
    ids: list[int]
    gateway: Gateway | None

    def frames(self, function: str, count: int) -> list[bytes]:
        """So many requests as frames, each with a number of its own."""
        return [
            text_frame(json.dumps({"m": 0, "i": 2 * number, "n": function, "o": self._body(function)}))
            for number in range(count)
        ]

    def posts(self, function: str, count: int) -> list[bytes]:
        """So many requests for HTTP."""
        headers = {"APToken": self.token}
        return [post(f"/AP/{function}", self._body(function), headers) for _ in range(count)]

    def _body(self, function: str) -> str:
        if function == "CancelOrder":
            return json.dumps({"OMSId": 1, "OrderId": self.ids.pop()})
        return json.dumps({"OMSId": 1, "AccountId": ACCOUNT})

    def websocket(self) -> WebSocket:
        """A WebSocket that is logged in."""
        websocket = WebSocket(self.port, PATH)
        body = json.dumps({"UserName": NAME, "Password": PASSWORD})
        frame = {"m": 0, "i": 0, "n": "WebAuthenticateUser", "o": body}
        api_client.load([websocket], [text_frame(json.dumps(frame))], window=1, mark=DONE)
        return websocket


@contextmanager
def bare(orders: int) -> Iterator[Server]:
    """The bare app, which knows no orders."""
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "bare_api.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout is not None else ""
        try:
            yield Server(int(line.split()[1]), "x", list(range(orders)), None)
        finally:
            process.terminate()


@contextmanager
def ours(orders: int) -> Iterator[Server]:
    """fixgw with the reference configuration, `journal.sync = "normal"`, and orders of one more user."""
    with tempfile.TemporaryDirectory(prefix="fixgw-bench-") as directory:
        config = write_config(Path(directory) / "config", ('sync = "full"', 'sync = "normal"'))
        text = config.read_text()
        hashed = text.partition('username = "trader37"\n')[2].partition("\n")[0]
        config.write_text(
            f"{text}\n# {FREE}\n[[account]]\nid = {ACCOUNT}\noms = 1\n"
            f'[[user]]\nid = {USER}\noms = [1]\naccounts = [{ACCOUNT}]\npermissions = ["Trading"]\n'
            f'[[api_user]]\nusername = "{NAME}"\n{hashed}\nuser = {USER}\napi_key = "key60"\n'
            'api_secret = "secret60"\n'
        )
        with Gateway(Path(directory) / "data", config, api=True) as gateway:
            ids = asyncio.run(entered(gateway, orders))
            with Http(gateway.api_port) as http:
                basic = b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
                http.send(post("/AP/Authenticate", "", {"Authorization": f"Basic {basic}"}))
                token = json.loads(http.receive()[0])["SessionToken"]
            yield Server(gateway.api_port, token, ids, gateway)


async def entered(
    gateway: Gateway, count: int, *, user_id: int = USER, account_id: int = ACCOUNT
) -> list[int]:
    """The ids of so many orders of this user that rest now, the oldest last."""
    link = EngineLink(gateway.data, client.TIMEOUT_SECONDS)
    running = asyncio.ensure_future(link.run())
    while not link.is_up:
        await asyncio.sleep(0.01)
    order = NewOrder(
        user_id=user_id,
        oms=OmsName(oms_id=1),
        instrument=InstrumentName(security_id="25"),
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(1),
        price=Decimal(1),
        account_id=account_id,
    )
    ids: list[int] = []
    for first in range(0, count, ENTERED_AT_ONCE):
        asked = [link.ask("bench", order) for _ in range(min(ENTERED_AT_ONCE, count - first))]
        ids += [answer.orders[0].order_id for answer in await asyncio.gather(*asked)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return ids[::-1]


class Shape(NamedTuple):
    """A load: so many clients, each with so many requests under way."""

    transport: str
    clients: int
    window: int

    @property
    def text(self) -> str:
        """Its name in the table."""
        return f"{self.transport}, {self.clients} x {self.window}"

    def measure(self, function: str, server: Server, count: int) -> Load:
        """Put it on a server, with `count` requests after a tenth of them as a warm-up."""
        with ExitStack() as stack:
            connections: list[WebSocket] | list[Http]
            if self.transport == WEBSOCKET:
                connections = [stack.enter_context(server.websocket()) for _ in range(self.clients)]
                make = server.frames
            else:
                connections = [stack.enter_context(Http(server.port)) for _ in range(self.clients)]
                make = server.posts
            api_client.load(connections, make(function, count // 10), window=self.window, mark=DONE)
            return api_client.load(connections, make(function, count), window=self.window, mark=DONE)

    def of(self, count: int) -> int:
        """How many requests it has where `count` are asked for."""
        return min(count, LONE) if self.clients == self.window == 1 else count


WEBSOCKET = "WebSocket"
SHAPES = (
    Shape(WEBSOCKET, 1, 1),
    Shape(WEBSOCKET, 8, 1),
    Shape(WEBSOCKET, 16, 1),
    Shape(WEBSOCKET, 1, 8),
    Shape(WEBSOCKET, 1, 64),
    Shape("HTTP", 1, 1),
    Shape("HTTP", 8, 1),
)
GOAL = (SHAPES[1], SHAPES[2])
BUSY = (SHAPES[2], SHAPES[4])  # beside FIX: clients that wait, and the most that one connection brings
FUNCTIONS = ("CancelOrder", "CancelAllOrders")  # in this order: the first leaves the second no orders


def requests(rounds: int, count: int) -> None:
    """The tables of requests per second and medians beside the bare app."""
    kinds = [(function, shape) for function in FUNCTIONS for shape in SHAPES]
    loads: dict[tuple[str, Shape, str], list[Load]] = {
        (*kind, name): [] for kind in kinds for name in (BARE, OURS)
    }
    needed = sum(shape.of(count) + shape.of(count) // 10 for shape in SHAPES)
    for number in range(rounds):
        with bare(needed) as yardstick, ours(needed) as server:
            for function, shape in kinds:
                out.print(f"round {number + 1} of {rounds}: {function}, {shape.text}", end="\r")
                rest(server)
                for name, contestant in ((BARE, yardstick), (OURS, server)):
                    found = shape.measure(function, contestant, shape.of(count))
                    loads[function, shape, name].append(found)
    for function in FUNCTIONS:
        table = Table(title=f"{function}, {count:,} requests, {rounds} rounds", title_justify="left")
        for column in ("clients x under way", BARE, OURS, "of bare", "median, bare", OURS, "client busy"):
            table.add_column(column, justify="left" if column.startswith("clients") else "right")
        for shape in SHAPES:
            table.add_row(*_row(shape, loads[function, shape, BARE], loads[function, shape, OURS]))
        out.print(table)
    shapes = " and ".join(shape.text for shape in GOAL)
    out.print(f"to reach: 0.40 of bare with {shapes}\n")


def rest(server: Server) -> None:
    """Wait until fixgw has nothing to do: its journal would fold while the bare app is measured."""
    assert server.gateway is not None
    data = server.gateway.data
    until(lambda: call(data, Status()).status.journal.turns_not_folded == 0)


def _row(shape: Shape, yardstick: list[Load], found: list[Load]) -> list[str]:
    rates = [[load.per_second for load in loads] for loads in (yardstick, found)]
    medians = [statistics.median(load.median for load in loads) * 1e6 for loads in (yardstick, found)]
    busy = [statistics.median(load.busy for load in loads) for loads in (yardstick, found)]
    return [
        shape.text,
        *(f"{statistics.median(values):,.0f}/s" for values in rates),
        f"{ratio(rates[1], rates[0]):.2f}",
        *(f"{value:,.0f} us" for value in medians),
        f"{busy[0]:.0%}, {busy[1]:.0%}",
    ]


def fix_beside(rounds: int) -> None:
    """The median round trip of an F in peace, and while the API is busy, for each load."""
    peace: dict[Shape, list[float]] = {shape: [] for shape in BUSY}
    busy: dict[Shape, list[float]] = {shape: [] for shape in BUSY}
    loads: dict[Shape, list[float]] = {shape: [] for shape in BUSY}
    for number in range(rounds):
        out.print(f"round {number + 1} of {rounds}: FIX beside the API", end="\r")
        with ours(LOAD_ORDERS * len(BUSY)) as server:
            assert server.gateway is not None
            port = server.gateway.port
            with client.log_on(port, "TRADER37", "FIXGW", "TRADER37", "trader37-demo") as session:
                parts = 1 + 2 * len(BUSY)
                orders = [session.new_order_single(f"a{i}") for i in range(parts * FIX_ROUND_TRIPS)]
                client.throughput(session, orders)
                cancel(session, 0)  # a warm-up
                for place, shape in enumerate(BUSY):
                    peace[shape].append(cancel(session, 2 * place + 1))
                    first = server.ids[-1] + place * LOAD_ORDERS
                    with beside(__file__, "load", str(server.port), str(first), str(place)) as load_of_round:
                        busy[shape].append(cancel(session, 2 * place + 2))
                    loads[shape] += load_of_round
    table = Table(title=f"{FIX_ROUND_TRIPS:,} F one by one, {rounds} rounds", title_justify="left")
    for column in ("clients x under way", "CancelOrder beside it", "in peace", "beside it", "of peace"):
        table.add_column(column, justify="left" if column.startswith("clients") else "right")
    for shape in BUSY:
        table.add_row(
            shape.text,
            f"{statistics.median(loads[shape]):,.0f}/s",
            f"{statistics.median(peace[shape]):,.0f} us",
            f"{statistics.median(busy[shape]):,.0f} us",
            f"{ratio(busy[shape], peace[shape]):.2f}",
        )
    out.print(table)
    out.print("to reach: at most 2.00 of peace\n")


def cancel(session: client.Session, part: int) -> float:
    """The median round trip, in microseconds, of the F on a part of the orders."""
    numbers = range(part * FIX_ROUND_TRIPS, (part + 1) * FIX_ROUND_TRIPS)
    requests = [session.order_cancel_request(f"c{i}", f"a{i}") for i in numbers]
    return statistics.median(client.round_trips(session, requests)) * 1e6


def load(port: int, first: int, shape: Shape) -> None:
    """Cancel order after order until stdin ends; print a line at the beginning, and the rate at the end."""
    server = Server(port, "", list(range(first + LOAD_ORDERS - 1, first - 1, -1)), None)
    frames = server.frames("CancelOrder", LOAD_ORDERS)
    with ExitStack() as stack:
        websockets = [stack.enter_context(server.websocket()) for _ in range(shape.clients)]
        print("going", flush=True)
        done = api_client.load(
            websockets, frames, window=shape.window, mark=DONE, is_over=lambda: _ended(sys.stdin.fileno())
        )
    print(done.per_second, flush=True)


def _ended(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def main(given: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for; all by default."""
    if sys.argv[1:2] == ["load"]:
        load(int(sys.argv[2]), int(sys.argv[3]), BUSY[int(sys.argv[4])])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help="requests, fix (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=ORDERS)
    arguments = parser.parse_args(given)
    parts: dict[str, Callable[[], None]] = {
        "requests": lambda: requests(arguments.rounds, arguments.requests),
        "fix": lambda: fix_beside(arguments.rounds),
    }
    for name in arguments.part or parts:
        parts[name]()


if __name__ == "__main__":
    main()
