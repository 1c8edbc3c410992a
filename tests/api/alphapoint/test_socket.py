"""One WebSocket by itself, with an engine that answers when it is told to: order, bounds, ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import WebSocket

from fixgw.config_tables import ApiTable
from fixgw.core.errors import not_authorized
from fixgw.core.events import OrderCanceled
from fixgw.core.requests import ApiRequest
from fixgw.edge.api.alphapoint import socket
from fixgw.edge.api.alphapoint.events import Listeners
from fixgw.edge.api.alphapoint.views import cancel_all_rejected
from fixgw.edge.api.connections import CONNECTION
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import Tokens, key_of
from fixgw.edge.engine_link import EngineAwayError, OnAnswer, Watch
from fixgw.engine.turn import Answered, Happened
from tests.api.alphapoint.client import OK, assert_refused
from tests.api.alphapoint.test_views import AT, REFERENCE, an_order

WHO = Identity(37, "trader37")
ACCOUNT = {"OMSId": 1, "AccountId": 14}
CANCELED = Happened(OrderCanceled(5, AT), an_order(), None, 1)


class Engine:
    """Takes requests, and answers the oldest when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[ApiRequest, OnAnswer]] = []
        self.watches: list[Watch] = []

    def ask(self, door: str, request: ApiRequest) -> "asyncio.Future[Answered]":
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self.ask_for(door, request, cast(OnAnswer, answer.set_result))
        return answer

    def ask_for(self, _: str, request: ApiRequest, answered: OnAnswer) -> None:
        self.asked.append((request, answered))

    def soon(self, do: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(do)

    def answer(self, number: int = 0, **what: Any) -> None:
        self.asked.pop(number)[1](Answered(1, **what))

    async def watch(
        self, accounts: Iterable[int], tell: Callable[[Happened], None], lost: Callable[[], None]
    ) -> Watch:
        self.watches.append(Watch(accounts, tell, lost))
        return self.watches[-1]

    def unwatch(self, watch: Watch) -> None:
        self.watches.remove(watch)


class Peer:
    """The other side of a WebSocket: what it sends, what it has received, and how it was closed."""

    def __init__(self) -> None:
        self.client = SimpleNamespace(host="127.0.0.1")
        self.scope: dict[str, object] = {"state": {CONNECTION: self}}
        self.is_open, self.is_paused = True, False
        self.received: list[dict[str, Any]] = []
        self.code: int | None = None
        self.take: Callable[[str], bool] = lambda _: False
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, number: int, function: str, **payload: object) -> None:
        text = json.dumps({"m": 0, "i": number, "n": function, "o": json.dumps(payload)})
        if not (self._coming.empty() and self.take(text)):
            self._coming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._coming.put_nowait({"type": "websocket.disconnect"})

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        return await self._coming.get()

    def write(self, texts: Iterable[str]) -> None:
        for frame in map(json.loads, texts):
            self.received.append({**frame, "o": json.loads(frame["o"])})

    def abort(self) -> None:
        pass

    async def close(self, code: int, _: str) -> None:
        self.code = code
        self.leave()

    @property
    def coming(self) -> int:
        """How many frames are not read yet."""
        return self._coming.qsize()


class Bench:
    """A served WebSocket, its peer and its engine."""

    def __init__(self, **settings: Any) -> None:
        self.peer = Peer()
        self.engine = Engine()
        self.tokens = Tokens(3600)
        table = ApiTable.model_construct(**settings)
        self.context = cast(
            Context,
            SimpleNamespace(
                door="alphapoint",
                omses=(1,),
                engine=self.engine,
                reference=SimpleNamespace(**vars(REFERENCE), directory=SimpleNamespace(users={}), email=str),
                tokens=self.tokens,
                rates=Rates(table.requests_per_second, table.requests_burst),
                settings=table,
            ),
        )
        self.listeners = Listeners()
        served = socket.Socket(self.context, cast(WebSocket, self.peer), self.listeners)
        self.serving = asyncio.ensure_future(served.run())

    async def log_in(self) -> str:
        token = self.tokens.issue(WHO)
        self.peer.send(0, "WebAuthenticateUser", SessionToken=token)
        await self.until(lambda: len(self.peer.received) == 1)
        self.peer.received.clear()
        return token

    async def subscribe(self, number: int = 8) -> None:
        self.peer.send(number, "SubscribeAccountEvents", **ACCOUNT)
        await self.until(lambda: bool(self.engine.asked))
        self.engine.answer()
        await self.until(lambda: bool(self.peer.received))
        self.peer.received.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def numbers(self) -> list[tuple[int, str]]:
        return [(frame["i"], frame["n"]) for frame in self.peer.received]


def on_a_bench(test: Callable[[Bench], Awaitable[None]], **settings: int) -> None:
    """Run `test` with a served WebSocket, which ends without a trace."""

    async def run() -> None:
        bench = Bench(**settings)
        await test(bench)
        bench.peer.leave()
        async with asyncio.timeout(5):
            await bench.serving
        assert not bench.engine.watches

    asyncio.run(run())


def test_replies_keep_the_order_of_the_requests() -> None:
    """Also those that are known at once."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        for number, function in ((2, "CancelAllOrders"), (4, "Ping"), (6, "Foo"), (8, "CancelAllOrders")):
            bench.peer.send(number, function, **(ACCOUNT if "Cancel" in function else {}))
        bench.peer.send(10, "Ping")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        await bench.settle()
        assert bench.numbers == []
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 3)
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 5)
        assert [number for number, _ in bench.numbers] == [2, 4, 6, 8, 10]

    on_a_bench(test)


def test_what_comes_behind_a_login_waits_for_it() -> None:
    """Also what could be done at once; and what comes behind that waits, too."""

    async def test(bench: Bench) -> None:
        bench.peer.send(0, "WebAuthenticateUser", SessionToken=bench.tokens.issue(WHO))
        bench.peer.send(2, "CancelAllOrders", **ACCOUNT)
        bench.peer.send(4, "Ping")
        await bench.until(lambda: bool(bench.engine.asked))
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 3)
        assert [number for number, _ in bench.numbers] == [0, 2, 4]
        assert bench.peer.received[1]["o"] == OK

    on_a_bench(test)


def test_what_can_be_done_at_once_is_done_before_the_loop_goes_on() -> None:
    """A request that comes while nothing waits is with the engine when its frame has been read."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(2, "CancelAllOrders", **ACCOUNT)
        assert len(bench.engine.asked) == 1
        assert bench.peer.coming == 0
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 1)

    on_a_bench(test)


def test_an_event_overtakes_no_reply_that_was_decided_before_it() -> None:
    """Although the event loop has not come to that reply yet; but it waits for none that was not."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        await bench.subscribe()
        for number in (2, 4):
            bench.peer.send(number, "GetOpenOrders", **ACCOUNT)
        await bench.until(lambda: len(bench.engine.asked) == 2)
        bench.engine.watches[0].tell(CANCELED)
        bench.engine.answer()
        bench.engine.watches[0].tell(CANCELED)
        bench.engine.answer()
        bench.engine.watches[0].tell(CANCELED)
        await bench.until(lambda: len(bench.peer.received) == 5)
        state, listed = (8, "OrderStateEvent"), "GetOpenOrders"
        assert bench.numbers == [state, (2, listed), state, (4, listed), state]

    on_a_bench(test)


def test_no_event_overtakes_the_reply_of_its_subscription() -> None:
    """What happens in between waits."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(8, "SubscribeAccountEvents", **ACCOUNT)
        await bench.until(lambda: bool(bench.engine.asked))
        watch = bench.engine.watch

        async def watch_and_tell(*args: Any) -> Watch:
            watching = await watch(*args)
            watching.tell(CANCELED)
            return watching

        bench.engine.watch = cast(Any, watch_and_tell)  # type: ignore[method-assign]
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 2)
        assert bench.numbers == [(8, "SubscribeAccountEvents"), (8, "OrderStateEvent")]

    on_a_bench(test)


def test_who_is_not_allowed_is_not_told() -> None:
    """The engine's refusal is the reply, and nothing is watched."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(8, "SubscribeAccountEvents", **ACCOUNT)
        await bench.until(lambda: bool(bench.engine.asked))
        bench.engine.answer(refusal=not_authorized("Account(1)=14 is not an account of this user"))
        await bench.until(lambda: bool(bench.peer.received))
        assert_refused(bench.peer.received[0]["o"], 20, "AccountId=14")
        assert not bench.engine.watches

    on_a_bench(test)


def test_subscriptions_are_bounded() -> None:
    """101 above the bound; again to the same account is no more of them."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        await bench.subscribe()
        await bench.subscribe(9)
        assert len(bench.engine.watches) == 1
        bench.peer.send(10, "SubscribeAccountEvents", OMSId=1, AccountId=15)
        await bench.until(lambda: bool(bench.peer.received))
        assert_refused(bench.peer.received[0]["o"], 101, "1 accounts")

    on_a_bench(test, subscriptions_max=1)


def test_cancels_are_never_refused_for_the_rate() -> None:
    """All else is, with the time to wait."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        for number in range(4):
            bench.peer.send(number, "GetEnums")
        bench.peer.send(4, "CancelAllOrders", **ACCOUNT)
        bench.peer.send(5, "SendOrder", **ACCOUNT)
        await bench.until(lambda: bool(bench.engine.asked))
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 6)
        assert_refused(bench.peer.received[3]["o"], 101, "too many requests")
        assert bench.peer.received[4]["o"] == OK
        assert bench.peer.received[5]["o"]["status"] == "Rejected"

    on_a_bench(test, requests_per_second=1, requests_burst=2)


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_engine_that_is_away_is_102(was_sent: bool) -> None:
    """With what that means for the request."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(2, "CancelAllOrders", **ACCOUNT)
        await bench.until(lambda: bool(bench.engine.asked))
        bench.engine.asked.pop()[1](EngineAwayError("so it is", was_sent=was_sent))
        await bench.until(lambda: bool(bench.peer.received))
        assert_refused(bench.peer.received[0]["o"], 102, "so it is")

    on_a_bench(test)


def test_a_mistake_of_ours_is_102() -> None:
    """It is logged, and says that the outcome is not known."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(2, "GetOrderStatus", OMSId=1, OrderId=5)
        bench.peer.send(4, "Ping")
        await bench.until(lambda: bool(bench.engine.asked))
        bench.engine.answer()  # without the order that it must have
        await bench.until(lambda: len(bench.peer.received) == 2)
        assert_refused(bench.peer.received[0]["o"], 102, "internal error")

    on_a_bench(test)


def test_no_more_is_read_than_can_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until answers come."""
    monkeypatch.setattr(socket, "WAITING_MAX", 3)

    async def test(bench: Bench) -> None:
        await bench.log_in()
        for number in range(10):
            bench.peer.send(number, "CancelAllOrders", **ACCOUNT)
        await bench.settle()
        assert (len(bench.engine.asked), bench.peer.coming) == (3, 6)
        bench.engine.answer()
        await bench.settle()
        assert (len(bench.engine.asked), bench.peer.coming) == (3, 5)
        while bench.engine.asked:
            bench.engine.answer()
            await bench.settle()
        assert [number for number, _ in bench.numbers] == list(range(10))

    on_a_bench(test)


def test_what_waits_for_an_answer_is_bounded() -> None:
    """Events that came after it, and could not overtake it, are too many: 1013."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        await bench.subscribe()
        for number in (2, 4):
            bench.peer.send(number, "CancelAllOrders", **ACCOUNT)
        await bench.until(lambda: len(bench.engine.asked) == 2)
        bench.engine.answer(1)  # which waits for the first one's
        for _ in range(10):
            bench.engine.watches[0].tell(CANCELED)
        await bench.until(lambda: bench.peer.code is not None)
        assert bench.peer.code == 1013

    on_a_bench(test, backlog_bytes_max=5_000)


def test_replies_that_are_known_wait_in_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those behind one that the engine has not answered."""
    monkeypatch.setattr(socket, "WAITING_MAX", 3)

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(0, "CancelAllOrders", **ACCOUNT)
        for number in range(1, 10):
            bench.peer.send(number, "Ping")
        await bench.settle()
        assert bench.peer.coming == 6
        bench.engine.answer()
        await bench.until(lambda: len(bench.peer.received) == 10)

    on_a_bench(test)


def test_who_does_not_log_in_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """1008, whatever else he asks."""
    monkeypatch.setattr(socket, "LOGIN_SECONDS", 0.01)

    async def test(bench: Bench) -> None:
        bench.peer.send(2, "Ping")
        await bench.until(lambda: bench.peer.code is not None)
        assert bench.peer.code == 1008

    on_a_bench(test)


def test_who_logs_out_has_to_log_in_again_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the connection is closed, too."""
    monkeypatch.setattr(socket, "LOGIN_SECONDS", 0.01)

    async def test(bench: Bench) -> None:
        await bench.log_in()
        bench.peer.send(2, "LogOut")
        await bench.until(lambda: bench.peer.code is not None)
        assert (bench.peer.code, bench.numbers) == (1008, [(2, "LogOut")])

    on_a_bench(test)


def test_a_login_that_is_revoked_ends_the_events() -> None:
    """A LogOut elsewhere, or other credentials: nothing more is told."""

    async def test(bench: Bench) -> None:
        token = await bench.log_in()
        await bench.subscribe()
        bench.tokens.revoke(token)
        bench.engine.watches[0].tell(CANCELED)
        await bench.until(lambda: bench.peer.code is not None)
        assert (bench.peer.code, bench.numbers) == (1008, [])

    on_a_bench(test)


def test_a_login_that_is_revoked_closes_the_connection_at_once() -> None:
    """Not when something happens next: a reject is not told any more, either."""

    async def test(bench: Bench) -> None:
        token = await bench.log_in()
        await bench.subscribe()
        bench.tokens.revoke(token)
        bench.listeners.tell(WHO.user_id, cancel_all_rejected(1, 14, 0, not_authorized("no")))
        await bench.until(lambda: bench.peer.code is not None)
        assert (bench.peer.code, bench.numbers) == (1008, [])

    on_a_bench(test)


def test_what_may_have_been_missed_closes_the_connection() -> None:
    """1012: subscribe and read anew."""

    async def test(bench: Bench) -> None:
        await bench.log_in()
        await bench.subscribe()
        bench.engine.watches[0].lost()
        await bench.until(lambda: bench.peer.code is not None)
        assert bench.peer.code == 1012

    on_a_bench(test)


def test_a_login_lives_as_long_as_its_connection() -> None:
    """A client that only listens does not lose it: its token is used for it, again and again."""

    async def test(bench: Bench) -> None:
        used: list[bytes] = []
        use = bench.tokens.use
        bench.tokens.use = lambda key: used.append(key) or use(key)  # type: ignore[method-assign, func-returns-value]
        token = await bench.log_in()
        await bench.until(lambda: len(used) > 5)
        assert set(used) == {key_of(token)}

    on_a_bench(test, token_seconds=0)
