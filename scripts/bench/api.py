"""The API's benchmark: fixgw beside a bare FastAPI app on uvicorn, in one run, with one client.

The bare app answers a constant; fixgw cancels resting orders and journals it. Then FIX: how long the answer
to an OrderCancelRequest(F) takes while the API is under the load of the WebSocket's CancelOrder, beside how
long it takes in peace. The rounds are interleaved, and a ratio is the median of the rounds' ratios.
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
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

from rich.table import Table
from tests.gateway import Gateway, write_config

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import NewOrder
from fixgw.edge.engine_link import EngineLink
from scripts.bench import api_client, client
from scripts.bench.api_client import Http, WebSocket, post, text_frame
from scripts.bench.bench import out, ratio

ROUNDS = 5
ORDERS = 10_000
ROUND_TRIPS = 1_000
WINDOWS = (8, 64)  # frames under way on one WebSocket
CONNECTIONS = 8  # for HTTP, each with one request under way
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
        api_client.round_trips(websocket, [text_frame(json.dumps(frame))], mark=DONE)
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


async def entered(gateway: Gateway, count: int) -> list[int]:
    """The ids of so many orders that rest now, the oldest last."""
    link = EngineLink(gateway.data, client.TIMEOUT_SECONDS)
    running = asyncio.ensure_future(link.run())
    while not link.is_up:
        await asyncio.sleep(0.01)
    order = NewOrder(
        user_id=USER,
        oms=OmsName(oms_id=1),
        instrument=InstrumentName(security_id="25"),
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(1),
        price=Decimal(1),
        account_id=ACCOUNT,
    )
    ids: list[int] = []
    for first in range(0, count, ENTERED_AT_ONCE):
        asked = [link.ask("bench", order) for _ in range(min(ENTERED_AT_ONCE, count - first))]
        ids += [answer.orders[0].order_id for answer in await asyncio.gather(*asked)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return ids[::-1]


class Figures(NamedTuple):
    """Of one kind of request on one contestant, a value for each round."""

    rates: list[float]
    trips: list[float]


def over_websocket(function: str, window: int, server: Server, count: int) -> tuple[float, float]:
    """Requests per second, and the median round trip in microseconds."""
    with server.websocket() as websocket:
        api_client.throughput(websocket, server.frames(function, count // 10), window=window, mark=DONE)
        requests = server.frames(function, count)
        rate = api_client.throughput(websocket, requests, window=window, mark=DONE).per_second
        single = api_client.round_trips(websocket, server.frames(function, ROUND_TRIPS), mark=DONE)
        return rate, statistics.median(single) * 1e6


def over_http(function: str, server: Server, count: int) -> tuple[float, float]:
    """The same over HTTP, on several connections."""
    with ExitStack() as stack:
        connections = [stack.enter_context(Http(server.port)) for _ in range(CONNECTIONS)]
        api_client.throughput_of_many(connections, server.posts(function, count // 10), mark=DONE)
        rate = api_client.throughput_of_many(connections, server.posts(function, count), mark=DONE).per_second
        single = api_client.round_trips(connections[0], server.posts(function, ROUND_TRIPS), mark=DONE)
        return rate, statistics.median(single) * 1e6


def _kinds(function: str) -> dict[str, Callable[[Server, int], tuple[float, float]]]:
    """What is measured of a function, by its name in the table."""
    found: dict[str, Callable[[Server, int], tuple[float, float]]] = {
        f"{function}, WebSocket, {window} under way": partial(over_websocket, function, window)
        for window in WINDOWS
    }
    return {**found, f"{function}, HTTP, {CONNECTIONS} connections": partial(over_http, function)}


KINDS = {**_kinds("CancelOrder"), **_kinds("CancelAllOrders")}  # in this order: the second leaves no orders


def requests(rounds: int, count: int) -> None:
    """The table of requests per second and round trips beside the bare app."""
    figures = {(kind, name): Figures([], []) for kind in KINDS for name in (BARE, OURS)}
    needed = (len(WINDOWS) + 1) * (count + count // 10 + ROUND_TRIPS)
    for number in range(rounds):
        for name, start in ((BARE, bare), (OURS, ours)):
            with start(needed) as server:
                for kind, measure in KINDS.items():
                    out.print(f"round {number + 1} of {rounds}: {name}, {kind}", end="\r")
                    rate, trip = measure(server, count)
                    figures[kind, name].rates.append(rate)
                    figures[kind, name].trips.append(trip)
    table = Table(title=f"{count:,} requests each, {rounds} rounds", title_justify="left")
    for column in ("", BARE, OURS, "of bare", "median round trip, bare", OURS, "of bare"):
        table.add_column(column, justify="right" if column else "left")
    for kind in KINDS:
        yardstick, found = figures[kind, BARE], figures[kind, OURS]
        table.add_row(
            kind,
            f"{statistics.median(yardstick.rates):,.0f}/s",
            f"{statistics.median(found.rates):,.0f}/s",
            f"{ratio(found.rates, yardstick.rates):.2f}",
            f"{statistics.median(yardstick.trips):,.0f} us",
            f"{statistics.median(found.trips):,.0f} us",
            f"{ratio(found.trips, yardstick.trips):.2f}",
        )
    out.print(table)
    out.print("to reach: 0.40 of bare over WebSocket\n")


def fix_beside(rounds: int) -> None:
    """The median round trip of an F in peace, and while the API is busy."""
    peace, busy, loads = [], [], []
    for number in range(rounds):
        out.print(f"round {number + 1} of {rounds}: FIX beside the API", end="\r")
        with ours(LOAD_ORDERS) as server:
            assert server.gateway is not None
            port = server.gateway.port
            with client.log_on(port, "TRADER37", "FIXGW", "TRADER37", "trader37-demo") as session:
                orders = [session.new_order_single(f"a{i}") for i in range(3 * FIX_ROUND_TRIPS)]
                client.throughput(session, orders)
                cancel(session, 0)  # a warm-up
                peace.append(cancel(session, 1))
                with load_of(server) as loads_of_round:
                    busy.append(cancel(session, 2))
                loads += loads_of_round
    table = Table(title=f"{FIX_ROUND_TRIPS:,} F one by one, {rounds} rounds", title_justify="left")
    for column in ("CancelOrder over WebSocket beside it", "in peace", "beside it", "of peace"):
        table.add_column(column, justify="right")
    table.add_row(
        f"{statistics.median(loads):,.0f}/s",
        f"{statistics.median(peace):,.0f} us",
        f"{statistics.median(busy):,.0f} us",
        f"{ratio(busy, peace):.2f}",
    )
    out.print(table)
    out.print("to reach: at most 2.00 of peace\n")


def cancel(session: client.Session, part: int) -> float:
    """The median round trip, in microseconds, of the F on a part of the orders."""
    numbers = range(part * FIX_ROUND_TRIPS, (part + 1) * FIX_ROUND_TRIPS)
    requests = [session.order_cancel_request(f"c{i}", f"a{i}") for i in numbers]
    return statistics.median(client.round_trips(session, requests)) * 1e6


@contextmanager
def load_of(server: Server) -> Iterator[list[float]]:
    """CancelOrder over a WebSocket, from another process; its requests per second are there at the end."""
    command = [sys.executable, __file__, "load", str(server.port), str(server.ids[-1])]
    found: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield found
            if process.poll() is not None:
                raise RuntimeError("the load was over before the measurement was")
        finally:
            process.stdin.close()
        found.append(float(process.stdout.readline()))


def load(port: int, first: int) -> None:
    """Cancel order after order until stdin ends; print a line at the beginning, and the rate at the end."""
    server = Server(port, "", list(range(first + LOAD_ORDERS - 1, first - 1, -1)), None)
    frames = server.frames("CancelOrder", LOAD_ORDERS)
    with server.websocket() as websocket:
        print("going", flush=True)
        done = api_client.throughput(
            websocket, frames, window=max(WINDOWS), mark=DONE, is_over=lambda: _ended(sys.stdin.fileno())
        )
    print(done.per_second, flush=True)


def _ended(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def main(given: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for; all by default."""
    if sys.argv[1:2] == ["load"]:
        load(int(sys.argv[2]), int(sys.argv[3]))
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
