"""A client of the dialect: REST calls, and a WebSocket whose messages are kept apart by their type."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from fixgw.edge.api.coinapi_ems.models import OrderExecutionReport
from tests.gateway import Gateway
from tests.wire import fresh

PATIENCE = 10.0  # seconds; what is not there by then is missing
ORDER = {
    "exchange_id": "SANDBOX",
    "symbol_id_exchange": "BTC-USD",
    "amount_order": 0.045,
    "price": 0.0783,
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
}

Json = dict[str, Any]


def new_order(**changes: object) -> Json:
    """A good new order under a fresh id, with changes."""
    return {**ORDER, "client_order_id": fresh("ems-"), **changes}


def read(text: str | bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


class Rest:
    """Calls with one key. Each gives the status and the body."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        base = f"http://127.0.0.1:{gateway.api_port}"
        self._client = httpx.Client(base_url=base, headers={"X-CoinAPI-Key": key}, timeout=PATIENCE)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        """POST with JSON, or with bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._answer(self._client.post(path, content=content))

    def get(self, path: str, **query: str) -> tuple[int, Any]:
        """GET with a query."""
        return self._answer(self._client.get(path, params=query or None))

    def _answer(self, reply: httpx.Response) -> tuple[int, Any]:
        assert reply.headers["content-type"] == "application/json"
        return reply.status_code, read(reply.content)

    def enter(self, **changes: object) -> Json:
        """Enter an order, which must be taken on; its report."""
        status, report = self.post("/v1/orders", new_order(**changes))
        assert (status, report["status"]) == (200, "NEW"), report
        OrderExecutionReport.model_validate(report)
        return dict(report)

    def open_ids(self, exchange_id: str = "SANDBOX") -> list[str]:
        """The exchange_order_id of each open order."""
        status, reports = self.get("/v1/orders", exchange_id=exchange_id)
        assert status == 200, reports
        return [report["exchange_order_id"] for report in reports]

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


class Socket:
    """A WebSocket with one key, a context manager. `first` is its first message.

    After `begin`, `snapshots` are the orders by exchange_id.
    """

    def __init__(self, gateway: Gateway, key: str, path: str = "/v1/") -> None:
        url = f"ws://127.0.0.1:{gateway.api_port}{path}"
        self._connect = connect(url, additional_headers={"X-CoinAPI-Key": key}, max_queue=None)
        self._socket: ClientConnection
        self.first: Json = {}
        self.snapshots: dict[str, list[Json]] = {}
        self.heartbeats = 0

    def begin(self, count: int) -> "Socket":
        """Take so many snapshots."""
        while len(self.snapshots) < count:
            message = self.receive()
            assert message["type"] == "ORDER_EXEC_REPORT_SNAPSHOT", message
            self.snapshots[message["exchange_id"]] = message["data"]
        return self

    def __enter__(self) -> "Socket":
        self._socket = self._connect.__enter__()
        self.first = self.receive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connect.__exit__(kind, error, trace)

    def send(self, message: object) -> str:
        """Send JSON, or text as it is; the text that was sent."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._socket.send(text)
        return text

    def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        self._socket.send(data)

    def receive(self) -> Json:
        """The next message. Raises ConnectionClosed."""
        return dict(read(self._socket.recv(PATIENCE)))

    def next(self) -> Json:
        """The next message that is no heartbeat."""
        while True:
            message = self.receive()
            if message["type"] != "SERVER_INFO" or not message["is_running"]:
                return message
            self.heartbeats += 1

    def until(self, is_last: Callable[[Json], bool]) -> list[Json]:
        """Messages but heartbeats, up to and with the one that is the last."""
        found = [self.next()]
        while not is_last(found[-1]):
            found.append(self.next())
        return found

    def report(self, status: str) -> Json:
        """The next message, which must be a report with this status."""
        message = self.next()
        assert (message["type"], message.get("status")) == ("ORDER_EXEC_REPORT_UPDATE", status), message
        OrderExecutionReport.model_validate(message)
        return message

    def quiet(self) -> None:
        """Assert that nothing but the answer to one more message is on its way."""
        text = self.send({"type": f"quiet {time.monotonic_ns()}"})
        found = self.next()
        assert (found["type"], found.get("rejected_message")) == ("MESSAGE_REJECT", text), found
