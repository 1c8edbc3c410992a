"""The adapter against what real OpenAlgo servers do wrong, and what their API leaves open."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fixgw.core.order import Order, OrdStatus, Side
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.contract import (
    CancelReject,
    Reach,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from tests.venues.openalgo.test_adapter import ALL, CANCELED, OPEN, Scene, new, place_for, running

KEY = "secret-key"


class Server:
    """An OpenAlgo server of a broker that says little and does odd things. `rows` is its order book."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.replies: dict[str, list[httpx.Response | Exception]] = {}
        self.mode: dict[str, str] = {}
        self.has_strategies = True

    def reply(self, call: str, status_code: int, body: Any = None, **headers: str) -> None:
        """Answer the next such call so."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.replies.setdefault(call, []).append(
            httpx.Response(status_code, content=content, headers=headers)
        )

    def fail(self, call: str, error: type[httpx.TransportError]) -> None:
        """Have the next such call fail so."""
        self.replies.setdefault(call, []).append(error("broken"))

    def count(self, call: str) -> int:
        """How often this was asked."""
        return sum(name == call for name, _ in self.asked)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer a request: by the next reply that was laid down for it, else as it should be."""
        await asyncio.sleep(0)
        call = request.url.path.removeprefix("/api/v1/")
        said = json.loads(request.content)
        assert said.pop("apikey") == KEY
        self.asked.append((call, said))
        if waiting := self.replies.get(call):
            reply = waiting.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply
        status_code, body = getattr(self, call)(said)
        return httpx.Response(status_code, json=body | self.mode)

    def placeorder(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take the order."""
        order_id = f"v{len(self.rows) + 1}"
        self.rows[order_id] = {**said, "orderid": order_id, "order_status": "open"}
        if not self.has_strategies:
            del self.rows[order_id]["strategy"]
        return 200, {"status": "success", "orderid": order_id}

    def orderbook(self, _: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """All orders."""
        return 200, {"status": "success", "data": {"orders": list(self.rows.values()), "statistics": {}}}

    def orderstatus(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One order."""
        row = self.rows.get(said["orderid"])
        if row is None:
            return 404, {"status": "error", "message": f"Order {said['orderid']} not found"}
        return 200, {"status": "success", "data": row}

    def cancelorder(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Cancel one order that is open."""
        row = self.rows[said["orderid"]]
        if row["order_status"] not in ("open", "trigger pending"):
            return 400, {"status": "error", "message": "Order cannot be cancelled"}
        row["order_status"] = "cancelled"
        return 200, {"status": "success", "orderid": said["orderid"]}

    def cancelallorder(self, _: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Cancel what is open, whatever its strategy; not what waits for its trigger."""
        canceled = [row["orderid"] for row in self.rows.values() if row["order_status"] == "open"]
        for order_id in canceled:
            self.rows[order_id]["order_status"] = "cancelled"
        return 200, {"status": "success", "canceled_orders": canceled, "failed_cancellations": []}


def play(script: Callable[[Scene, Server], Awaitable[None]], *, is_up: bool = True, **settings: Any) -> None:
    """Run the script beside an adapter whose venue is such a server."""

    async def both() -> None:
        server = Server()
        server.mode = {"mode": settings["mode"]} if "mode" in settings else {}
        place = place_for("http://127.0.0.1:9", KEY, **settings)
        async with running(place, httpx.MockTransport(server.handle)) as scene:
            if is_up:
                await scene.until(lambda: scene.adapter.is_up)
            await script(scene, server)

    asyncio.run(both())


def entered(order: Order, venue_order_id: str) -> Order:
    """As the engine knows it when the venue has confirmed it."""
    return replace(order, venue_order_id=venue_order_id, status=OrdStatus.NEW, on_venue=True)


def test_a_placeorder_says_what_the_api_wants() -> None:
    """Numbers as text, a strategy of the order's own, and the product."""

    async def script(scene: Scene, server: Server) -> None:
        order = new(order_qty=Decimal("1E+1"), side=Side.SELL_SHORT)
        await scene.adapter.place(order)
        [asked] = [said for call, said in server.asked if call == "placeorder"]
        assert asked == {
            "strategy": name_of(order),
            "exchange": "SANDBOX",
            "symbol": "BTC-USD",
            "action": "SELL",
            "quantity": "10",
            "pricetype": "LIMIT",
            "product": "CNC",
            "price": "64000.5",
            "trigger_price": "0",
            "disclosed_quantity": "0",
        }

    play(script, product="CNC")


@pytest.mark.parametrize(
    ("status_code", "body", "error"),
    [
        (400, {"status": "error", "message": "no lots"}, VenueRefusedError),
        (403, {"status": "error", "message": "Invalid openalgo apikey"}, VenueRefusedError),
        (429, {"message": "10 per 1 second"}, VenueBusyError),
        (
            500,
            {"status": "error", "message": "Failed to place order due to internal error"},
            UnknownOutcomeError,
        ),
        (504, b"<html>time-out</html>", UnknownOutcomeError),
        (200, b"", UnknownOutcomeError),
        (200, b'{"status": "success", "ord', UnknownOutcomeError),
        (200, {"status": "success", "orderid": None}, UnknownOutcomeError),
        (200, {"status": "success", "message": "queued", "mode": "semi_auto"}, VenueMistakenError),
    ],
)
def test_an_order_ends_in_what_surely_is_so(status_code: int, body: Any, error: type[Exception]) -> None:
    """Refused is not done; everything that leaves room is unknown."""

    async def script(scene: Scene, server: Server) -> None:
        server.reply("placeorder", status_code, body)
        with pytest.raises(error):
            await scene.adapter.place(new())
        assert server.count("placeorder") == 1

    play(script)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.ConnectError, VenueAwayError),
        (httpx.ConnectTimeout, VenueAwayError),
        (httpx.PoolTimeout, VenueAwayError),
        (httpx.ReadTimeout, UnknownOutcomeError),
        (httpx.WriteError, UnknownOutcomeError),
        (httpx.ReadError, UnknownOutcomeError),
        (httpx.RemoteProtocolError, UnknownOutcomeError),
    ],
)
def test_only_what_was_surely_not_sent_is_away(
    fault: type[httpx.TransportError], error: type[Exception]
) -> None:
    """A connection that was not made; one that is lost later leaves the outcome unknown."""

    async def script(scene: Scene, server: Server) -> None:
        server.fail("cancelorder", fault)
        with pytest.raises(error):
            await scene.adapter.cancel(new(venue_order_id="v1"))

    play(script)


def test_an_order_whose_answer_is_lost_is_found_by_its_strategy() -> None:
    """And told under its own id, with its id there."""

    async def script(scene: Scene, server: Server) -> None:
        order = new()
        scene.adapter.know(order)
        server.placeorder({"strategy": name_of(order), "exchange": "SANDBOX", "symbol": "BTC-USD"})
        server.reply("placeorder", 504)
        with pytest.raises(UnknownOutcomeError):
            await scene.adapter.place(order)
        assert (await scene.until_told(order, OPEN)).venue_order_id == "v1"
        await scene.adapter.cancel(order)
        await scene.until_told(order, CANCELED)

    play(script)


def test_an_order_that_may_be_there_without_its_strategy_is_not_said_to_be_lost() -> None:
    """Some brokers' order books have no strategies: nobody can say which order that is."""

    async def script(scene: Scene, server: Server) -> None:
        server.has_strategies = False
        order = new()
        scene.adapter.know(order)
        server.placeorder(scene.adapter._names.to_place(order))
        with pytest.raises(UnknownOutcomeError, match="its order v1 may be this one"):
            await scene.adapter.find(order)
        assert await scene.adapter.find(new(side=Side.SELL)) is None
        [told] = scene.told  # it is there, whosever it is, and can be canceled
        assert isinstance(told, VenueOrder)
        assert told.details is not None

    play(script)


def test_an_order_that_is_on_its_way_is_not_taken_for_another_ones() -> None:
    """An order book that shows it before its answer has come, without a strategy."""

    async def script(scene: Scene, server: Server) -> None:
        server.has_strategies = False
        order = new()

        async def slowly(request: httpx.Request) -> httpx.Response:
            reply = await server.handle(request)
            if request.url.path.endswith("placeorder"):
                assert await scene.adapter.open_orders(None) == []
            return reply

        scene.adapter._http = httpx.AsyncClient(
            base_url="http://127.0.0.1:9/api/v1/", transport=httpx.MockTransport(slowly)
        )
        assert (await scene.adapter.place(order)).venue_order_id == "v1"
        await scene.until_told(order, OPEN)
        assert all(isinstance(said, VenueOrder) and said.order_id == order.order_id for said in scene.told)

    play(script)


def test_an_order_that_is_rejected_after_it_was_taken_is_rejected_with_the_reason() -> None:
    """Brokers take an order and reject it a moment later."""

    async def script(scene: Scene, server: Server) -> None:
        row = {"orderid": "v1", "order_status": "rejected", "rejection_reason": "insufficient funds"}
        server.reply("orderstatus", 200, {"status": "success", "data": row})
        said = await scene.adapter.place(new())
        assert (said.status, said.text) == (VenueStatus.REJECTED, "insufficient funds")

    play(script)


@pytest.mark.parametrize("reply", [(404, None), (500, None), (429, None), (200, b"x")])
def test_an_order_that_was_taken_is_taken_whatever_looking_at_it_says(reply: tuple[int, Any]) -> None:
    """Its own answer was a success."""

    async def script(scene: Scene, server: Server) -> None:
        server.reply("orderstatus", *reply)
        assert (await scene.adapter.place(new())).status is OPEN

    play(script)


def test_orders_that_a_cancel_of_all_leaves_are_shown_as_open() -> None:
    """It skips those that wait for a trigger, and says success."""

    async def script(scene: Scene, server: Server) -> None:
        for _ in range(3):
            await scene.adapter.place(new())
        server.rows["v2"]["order_status"] = "trigger pending"
        await scene.adapter.open_orders(ALL)
        assert scene.adapter.reach(ALL) is Reach.NATIVE
        await scene.adapter.cancel_all(ALL)
        assert [said.venue_order_id for said in await scene.adapter.open_orders(ALL)] == ["v2"]
        assert scene.adapter.reach(ALL) is Reach.NATIVE

    play(script)


def test_a_broker_that_cancels_nothing_and_says_success_is_not_asked_so_again() -> None:
    """ "Canceled 0 orders", because it could not read its own order book."""

    async def script(scene: Scene, server: Server) -> None:
        await scene.adapter.place(new())
        await scene.adapter.open_orders(ALL)
        empty = {"status": "success", "canceled_orders": [], "failed_cancellations": []}
        server.reply("cancelallorder", 200, {**empty, "message": "Canceled 0 orders."})
        await scene.adapter.cancel_all(ALL)
        assert scene.adapter.reach(ALL) is Reach.FAN_OUT

    play(script)


def test_an_order_book_that_lacks_what_it_had_proves_nothing() -> None:
    """A broker that cannot be read has an empty one: no order is lost for that, and no cancel-all is sent."""

    async def script(scene: Scene, server: Server) -> None:
        await scene.adapter.place(new())
        await scene.adapter.open_orders(ALL)
        rows, server.rows = server.rows, {}
        assert await scene.adapter.open_orders(ALL) == []
        assert scene.adapter.reach(ALL) is Reach.FAN_OUT
        with pytest.raises(UnknownOutcomeError, match="not whole"):
            await scene.adapter.find(new())
        server.rows = rows
        assert await scene.adapter.find(new()) is None
        assert scene.adapter.reach(ALL) is Reach.NATIVE

    play(script)


def test_why_a_cancel_of_all_failed_is_said_when_the_order_stays_open() -> None:
    """With the refusal of the order's own cancel, or when that was taken and did nothing."""

    async def script(scene: Scene, server: Server) -> None:
        orders = [new(), new()]
        for order in orders:
            await scene.adapter.place(order)
        failures = [{"orderid": "v1", "reason": "frozen"}, {"orderId": "v2", "error": "auction"}]
        server.reply("cancelallorder", 200, {"status": "success", "failed_cancellations": failures})
        await scene.adapter.cancel_all(ALL)
        server.reply("cancelorder", 400, {"status": "error", "message": "no"})
        with pytest.raises(VenueRefusedError, match="no; to its cancel of all orders the venue said: frozen"):
            await scene.adapter.cancel(entered(orders[0], "v1"))
        server.reply("cancelorder", 200, {"status": "success"})
        await scene.adapter.cancel(entered(orders[1], "v2"))
        await scene.until(lambda: any(isinstance(said, CancelReject) for said in scene.told))
        assert scene.told[-1] == CancelReject("auction", orders[1].order_id, "v2")

    play(script)


def test_a_server_in_another_mode_is_never_asked_again() -> None:
    """Nothing is sent to a venue that is not the configured one."""

    async def script(scene: Scene, server: Server) -> None:
        order = entered(new(), "v1")
        server.reply("cancelorder", 200, {"status": "success", "orderid": "v1", "mode": "analyze"})
        with pytest.raises(VenueMistakenError, match="mode analyze"):
            await scene.adapter.cancel(order)
        assert not scene.adapter.is_up
        assert "mode analyze" in scene.adapter.why_away
        asked = len(server.asked)
        with pytest.raises(VenueMistakenError):
            await scene.adapter.cancel(order)
        with pytest.raises(VenueMistakenError):
            await scene.adapter.place(new())
        assert len(server.asked) == asked

    play(script)


def test_a_server_that_does_not_say_that_it_only_plays_is_not_played_with() -> None:
    """Where analyze is configured, an order book of a live server says no mode."""

    async def script(scene: Scene, server: Server) -> None:
        await scene.adapter.place(new())
        server.mode = {}
        with pytest.raises(VenueMistakenError, match="does not say that it is in mode analyze"):
            await scene.adapter.open_orders(None)

    play(script, mode="analyze")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((500, {"status": "error", "message": "session expired"}), "session expired"),
        ((403, {"status": "error", "message": "Invalid openalgo apikey"}), "Invalid openalgo apikey"),
        ((200, b"{"), "HTTP 200"),
        ((200, {"status": "success", "data": {}}), "data.orders"),
        ((400, {"status": "error", "message": f"what is {KEY}?"}), r"what is \(key\)"),
    ],
)
def test_a_server_whose_order_book_cannot_be_read_is_away_until_it_can(
    reply: tuple[int, Any], why: str
) -> None:
    """Without it nothing can be confirmed: no order is entered, and cancels are tried all the same."""

    async def script(scene: Scene, server: Server) -> None:
        order = new()
        await scene.adapter.place(order)
        for _ in range(3):
            server.reply("orderbook", *reply)
        await scene.until(lambda: not scene.adapter.is_up)
        with pytest.raises(VenueAwayError, match=why):
            await scene.adapter.place(new())
        await scene.adapter.cancel(order)
        await scene.until(lambda: scene.adapter.is_up)
        await scene.until_told(order, CANCELED)

    play(script)


def test_a_pause_that_the_server_asks_for_is_made_and_it_stays_up() -> None:
    """Of a cancel it is said; the order book is read again after it."""

    async def script(scene: Scene, server: Server) -> None:
        order = new()
        await scene.adapter.place(order)
        pause = {"Retry-After": "0.2"}
        server.reply("cancelorder", 429, {"message": "slow down"}, **pause)
        with pytest.raises(VenueBusyError) as busy:
            await scene.adapter.cancel(order)
        assert busy.value.seconds == 0.2
        server.replies["orderbook"] = []
        server.reply("orderbook", 429, {"message": "slow down"}, **pause)
        await scene.until(lambda: not server.replies["orderbook"])
        await scene.adapter.cancel(order)
        await scene.until_told(order, CANCELED)
        assert scene.adapter.is_up

    play(script)


def test_many_who_look_at_once_have_one_order_book_read() -> None:
    """One that was begun after each of them asked."""

    async def script(scene: Scene, server: Server) -> None:
        orders = [new() for _ in range(20)]
        for order in orders:
            await scene.adapter.place(order)
        before = server.count("orderbook")
        found = await asyncio.gather(*map(scene.adapter.find, orders))
        assert [said.order_id for said in found if said is not None] == [one.order_id for one in orders]
        assert server.count("orderbook") - before <= 4

    play(script)


@pytest.mark.parametrize("named", range(16))
def test_only_the_whole_account_is_in_reach_of_a_cancel_of_all(named: int) -> None:
    """The eight rows of user, account and instrument, and the same with a side: two of them are."""
    selector = CancelSelector(
        1,
        14 if named & 1 else None,
        37 if named & 2 else None,
        frozenset({25}) if named & 4 else None,
        Side.BUY if named & 8 else None,
    )

    async def script(scene: Scene, _: Server) -> None:
        assert scene.adapter.reach(selector) is (Reach.NATIVE if named < 2 else Reach.FAN_OUT)
        assert scene.adapter.reach(replace(selector, strategy="S1")) is Reach.FAN_OUT

    play(script)
