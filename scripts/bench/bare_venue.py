"""Bare clients of the three dialects: cancel the open orders of one account and confirm each, and no more.

They are the yardstick of the bridge's benchmark: httpx and websockets straight against the venue, with the
same number of requests under way and the same rate. They keep no journal, tell nobody, and give up at the
first thing that is not as expected.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect

from fixgw.edge.venues.slots import Slots, Urgency
from scripts.bench.client import TIMEOUT_SECONDS, UnexpectedAnswerError

ACCOUNT = 14
BYTES_MAX = 64 * 2**20


class Limits(NamedTuple):
    """How much is asked of a venue at once, and how many requests begin in a second."""

    at_once: int
    per_second: int


class Canceler(Protocol):
    """A bare client that is logged in."""

    async def cancel(self, *, is_native: bool) -> int:
        """Read the open orders, cancel them, confirm each; how many there were.

        `is_native` with the venue's own cancel-all, else with one cancel for each.
        """
        ...


async def measured(opened: AbstractAsyncContextManager[Canceler], orders: int, *, is_native: bool) -> float:
    """How long a client needs for `orders` orders, in seconds; its login is not in it."""
    async with opened as canceler, asyncio.timeout(TIMEOUT_SECONDS):
        started = time.perf_counter()
        found = await canceler.cancel(is_native=is_native)
        seconds = time.perf_counter() - started
    if found != orders:
        raise UnexpectedAnswerError(f"{found} orders and not {orders}", b"")
    return seconds


async def _each(ids: Iterable[str], limits: Limits, ask: Callable[[str], Awaitable[object]]) -> None:
    """Ask for each of these, with as many under way and as fast as the limits have it."""
    slots = Slots(*limits)
    async with asyncio.TaskGroup() as group:
        for one in ids:
            group.create_task(slots.ask(Urgency.CANCEL, partial(ask, one)))


def _expect(*, is_so: bool, said: object) -> None:
    if not is_so:
        raise UnexpectedAnswerError("not as expected", repr(said)[:300].encode())


class AlphaPoint:
    """Frames on one WebSocket; an order has ended when its OrderStateEvent says so."""

    def __init__(self, socket: ClientConnection, limits: Limits) -> None:
        self._socket = socket
        self._limits = limits
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._left: set[str] = set()
        self._ended: set[str] = set()
        self._is_over = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, limits: Limits) -> AsyncIterator["AlphaPoint"]:
        """One that is logged in and subscribed."""
        url = f"ws://127.0.0.1:{port}/WSGateway/"
        async with connect(url, max_size=BYTES_MAX, compression=None, proxy=None) as socket:
            made = cls(socket, limits)
            listening = asyncio.ensure_future(made._listen())
            await made._ask("WebAuthenticateUser", UserName="operator1", Password="operator1-demo")
            await made._ask("SubscribeAccountEvents", OMSId=1, AccountId=ACCOUNT)
            yield made
            listening.cancel()

    async def _listen(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            payload = json.loads(frame["o"])
            if frame["m"] != 3:
                self._waiting.pop(frame["i"]).set_result(payload)
            elif frame["n"] == "OrderStateEvent" and payload["OrderState"] == "Canceled":
                self._ended.add(str(payload["OrderId"]))
                if self._left and self._left <= self._ended:
                    self._is_over.set()

    async def _ask(self, function: str, **payload: object) -> Any:  # noqa: ANN401 - JSON
        self._number += 2
        waiting = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        frame = {"m": 0, "i": self._number, "n": function, "o": json.dumps(payload)}
        await self._socket.send(json.dumps(frame))
        return await waiting

    async def _cancel_one(self, order_id: str) -> None:
        said = await self._ask("CancelOrder", OMSId=1, OrderId=int(order_id))
        _expect(is_so=said["result"], said=said)

    async def cancel(self, *, is_native: bool) -> int:
        """See Canceler."""
        listed = await self._ask("GetOpenOrders", OMSId=1, AccountId=ACCOUNT)
        self._left = {str(one["OrderId"]) for one in listed}
        if is_native:
            said = await self._ask("CancelAllOrders", OMSId=1, AccountId=ACCOUNT)
            _expect(is_so=said["result"], said=said)
        else:
            await _each(self._left, self._limits, self._cancel_one)
        await self._is_over.wait()
        return len(self._left)


class CoinapiEms:
    """REST, and reports from the WebSocket: an order has ended when its report says CANCELED."""

    def __init__(self, http: httpx.AsyncClient, socket: ClientConnection, limits: Limits) -> None:
        self._http = http
        self._socket = socket
        self._limits = limits
        self._left: set[str] = set()
        self._ended: set[str] = set()
        self._is_over = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, limits: Limits) -> AsyncIterator["CoinapiEms"]:
        """One whose WebSocket has its snapshot behind it."""
        headers = {"X-CoinAPI-Key": "key1"}
        socket_url = f"ws://127.0.0.1:{port}/v1/"
        async with (
            _http(port, limits, headers) as http,
            connect(
                socket_url, additional_headers=headers, max_size=BYTES_MAX, compression=None, proxy=None
            ) as socket,
        ):
            made = cls(http, socket, limits)
            while json.loads(await socket.recv())["type"] != "ORDER_EXEC_REPORT_SNAPSHOT":
                pass
            listening = asyncio.ensure_future(made._listen())
            yield made
            listening.cancel()

    async def _listen(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if message["type"] == "ORDER_EXEC_REPORT_UPDATE" and message["status"] == "CANCELED":
                self._ended.add(message["exchange_order_id"])
                if self._left and self._left <= self._ended:
                    self._is_over.set()

    async def _cancel_one(self, order_id: str) -> None:
        reply = await self._http.post(
            "/v1/orders/cancel", json={"exchange_id": self._exchange, "exchange_order_id": order_id}
        )
        _expect(is_so=reply.status_code == 200, said=reply.text)

    _exchange = f"SANDBOX/{ACCOUNT}"

    async def cancel(self, *, is_native: bool) -> int:
        """See Canceler."""
        listed = (await self._http.get("/v1/orders", params={"exchange_id": self._exchange})).json()
        self._left = {one["exchange_order_id"] for one in listed}
        if is_native:
            reply = await self._http.post("/v1/orders/cancel/all", json={"exchange_id": self._exchange})
            _expect(is_so=reply.status_code == 200, said=reply.text)
        else:
            await _each(self._left, self._limits, self._cancel_one)
        await self._is_over.wait()
        return len(self._left)


class OpenAlgo:
    """REST; an order has ended when the order book, read again, says cancelled.

    Its own cancel-all would be one of a strategy, because fixgw as the venue honours that: it is not used.
    """

    def __init__(self, http: httpx.AsyncClient, limits: Limits) -> None:
        self._http = http
        self._limits = limits

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, limits: Limits) -> AsyncIterator["OpenAlgo"]:
        """One with its connections to be made."""
        async with _http(port, limits, {}) as http:
            yield cls(http, limits)

    async def _ask(self, call: str, **fields: str) -> Any:  # noqa: ANN401 - JSON
        reply = await self._http.post(f"/api/v1/{call}", json={"apikey": "key37", **fields})
        said = reply.json()
        _expect(is_so=said["status"] == "success", said=said)
        return said

    async def _cancel_one(self, order_id: str) -> None:
        await self._ask("cancelorder", strategy="bench", orderid=order_id)

    async def _of(self, *statuses: str) -> set[str]:
        book = (await self._ask("orderbook"))["data"]["orders"]
        return {one["orderid"] for one in book if one["order_status"] in statuses}

    async def cancel(self, *, is_native: bool) -> int:
        """See Canceler."""
        _expect(is_so=not is_native, said="a cancel-all")
        left = await self._of("open")
        await _each(left, self._limits, self._cancel_one)
        while not left <= await self._of("cancelled"):
            pass
        return len(left)


@asynccontextmanager
async def _http(port: int, limits: Limits, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=limits.at_once),
    ) as http:
        yield http


OPENED: dict[str, Callable[[int, Limits], AbstractAsyncContextManager[Canceler]]] = {
    "alphapoint": AlphaPoint.opened,
    "coinapi_ems": CoinapiEms.opened,
    "openalgo": OpenAlgo.opened,
}
"""Makes one for the venue that serves the dialect on a port of loopback."""
