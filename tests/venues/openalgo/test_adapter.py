"""The adapter against a real server: another fixgw that serves OpenAlgo's API over its sandbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fixgw.config_tables import VenueTable
from fixgw.core.directory import Instrument
from fixgw.core.order import Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import FillOrder, TriggerOrder, VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import (
    CancelReject,
    Reach,
    UnknownOutcomeError,
    VenueAwayError,
    VenueRefusedError,
)
from fixgw.edge.venues.openalgo.adapter import OpenAlgo
from fixgw.edge.venues.place import Place
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway
from tests.wire import fresh
from tests.wire import order as fix_order

ALL = CancelSelector(1)
OPEN, CANCELED, FILLED = VenueStatus.OPEN, VenueStatus.CANCELED, VenueStatus.FILLED
DEADLINE_SECONDS = 20

_numbers = count(1)


def place_for(url: str, api_key: str = "key37", **settings: Any) -> Place:
    """The venue at `url`, as OMS 1 has it."""
    values: dict[str, Any] = {
        "name": "openalgo",
        "kind": "openalgo",
        "url": url,
        "oms": "SANDBOX",
        "accounts": {14: "1"},
        "instruments": {"BTC-USD": "BTC-USD", "ETH-USD": "SANDBOX:ETH-USD"},
        "requests_per_second": 1_000,
        "request_seconds": 5,
        "confirm_seconds": 1,
    }
    table = VenueTable.model_validate({**values, **settings})
    instruments = {
        Instrument(number, 1, symbol, "", "", "", "", ""): table.instruments[symbol]
        for number, symbol in ((25, "BTC-USD"), (26, "ETH-USD"))
    }
    return Place(1, table, "", api_key, "", dict(table.accounts), instruments)


def new(**fields: Any) -> Order:
    """An order that no venue has seen, different from all others."""
    made = Order(
        order_id=next(_numbers),
        oms_id=1,
        user_id=37,
        account_id=14,
        instrument_id=25,
        cl_ord_id="o",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(10),
        price=Decimal("64000.5"),
        stop_px=None,
        strategy=None,
        session="TRADER37",
        content=0,
        entered_at=datetime.now(UTC),
        status=OrdStatus.PENDING_NEW,
        venue_order_id=None,
        on_venue=False,
    )
    return replace(made, **fields)


class Scene:
    """An adapter that runs, and what it told."""

    def __init__(self, place: Place, transport: httpx.AsyncBaseTransport | None) -> None:
        self.told: list[VenueOrder | CancelReject] = []
        self.adapter = OpenAlgo(place, self.told.append, transport)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await asyncio.sleep(0.005)

    async def enter(self, order: Order) -> Order:
        """Place an order; with its id there, as the engine knows it then."""
        self.adapter.know(order)
        said = await self.adapter.place(order)
        assert said.status is OPEN
        return replace(order, venue_order_id=said.venue_order_id, status=OrdStatus.NEW, on_venue=True)

    def last(self, order: Order) -> VenueOrder | None:
        """What was told last of an order."""
        said = [one for one in self.told if isinstance(one, VenueOrder) and one.order_id == order.order_id]
        return said[-1] if said else None

    async def until_told(self, order: Order, status: VenueStatus) -> VenueOrder:
        """Wait until it is told that an order stands so."""
        await self.until(lambda: (last := self.last(order)) is not None and last.status is status)
        last = self.last(order)
        assert last is not None
        return last


@asynccontextmanager
async def running(place: Place, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Scene]:
    """An adapter that runs for as long as this is entered."""
    scene = Scene(place, transport)
    run = asyncio.ensure_future(scene.adapter.run())
    try:
        yield scene
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


def play(place: Place, script: Callable[[Scene], Awaitable[None]], *, is_up: bool = True) -> None:
    """Run the script beside the adapter, which is up when it begins."""

    async def both() -> None:
        async with running(place) as scene:
            if is_up:
                await scene.until(lambda: scene.adapter.is_up)
            await script(scene)

    asyncio.run(both())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("openalgo") / "data", api=True) as gateway:
        yield gateway


@pytest.fixture
def venue(served: Gateway) -> Gateway:
    """The server, with nothing open."""
    served.say(FindVenue())
    served.clean()
    return served


def url_of(gateway: Gateway) -> str:
    return f"http://127.0.0.1:{gateway.api_port}"


@pytest.mark.parametrize(
    "fields",
    [
        {"ord_type": OrdType.LIMIT, "price": Decimal("64000.5"), "side": Side.SELL},
        {"ord_type": OrdType.MARKET, "price": None},
        {"ord_type": OrdType.STOP_LIMIT, "stop_px": Decimal("63000.25")},
        {"ord_type": OrdType.STOP, "price": None, "stop_px": Decimal(63000), "side": Side.SELL},
        {"instrument_id": 26, "order_qty": Decimal("0.000000000001"), "product": "CNC"},
    ],
)
def test_an_order_is_entered_and_found_by_its_strategy(venue: Gateway, fields: dict[str, Any]) -> None:
    """Every type of order; by its id there, and without it."""

    async def script(scene: Scene) -> None:
        order = new(**fields)
        entered = await scene.enter(order)
        assert await scene.adapter.find(entered) == await scene.adapter.find(order)
        async with running(place_for(url_of(venue))) as other:  # it does not know the order's id there
            found = await other.adapter.find(order)
            [learned] = await other.adapter.open_orders(ALL)
        assert found is not None
        assert (found.venue_order_id, found.order_id) == (entered.venue_order_id, order.order_id)
        assert learned.details is not None
        for name in ("instrument_id", "side", "ord_type", "order_qty", "price", "stop_px"):
            assert getattr(learned.details, name) == getattr(order, name), name
        assert learned.details.account_id == 14

    play(place_for(url_of(venue)), script)


def test_an_order_that_the_venue_does_not_have_is_not_found(venue: Gateway) -> None:
    """By its strategy, and by an id."""

    async def script(scene: Scene) -> None:
        assert await scene.adapter.find(new()) is None
        assert await scene.adapter.find(new(venue_order_id="123456789")) is None

    play(place_for(url_of(venue)), script)


def test_a_cancel_ends_with_what_the_order_book_shows(venue: Gateway) -> None:
    """Canceled is told soon after the cancel's answer; one that is over cannot be canceled."""

    async def script(scene: Scene) -> None:
        order = await scene.enter(new())
        other = await scene.enter(new())
        assert await scene.adapter.cancel(order) is None  # type: ignore[func-returns-value]
        await scene.until_told(order, CANCELED)
        with pytest.raises(VenueRefusedError, match="too late"):
            await scene.adapter.cancel(order)
        assert [one.order_id for one in await scene.adapter.open_orders(None)] == [other.order_id]

    play(place_for(url_of(venue)), script)


def test_a_cancel_that_the_venue_refuses_is_refused_with_its_reason(venue: Gateway) -> None:
    """And one of an order that it does not have."""

    async def script(scene: Scene) -> None:
        order = await scene.enter(new())
        venue.say(RefuseCancel(int(order.venue_order_id or 0), "in the auction"))
        with pytest.raises(VenueRefusedError, match="in the auction"):
            await scene.adapter.cancel(order)
        with pytest.raises(VenueRefusedError, match="none of your orders"):
            await scene.adapter.cancel(new(venue_order_id="123456789"))

    play(place_for(url_of(venue)), script)


def test_what_happens_to_an_order_is_told(venue: Gateway) -> None:
    """A trigger, a fill in part with its price, and the end: each once."""

    async def script(scene: Scene) -> None:
        order = await scene.enter(new(ord_type=OrdType.STOP_LIMIT, stop_px=Decimal(63000)))
        await scene.until(lambda: scene.last(order) is not None)
        assert await scene.adapter.find(order) == scene.last(order)
        venue.say(TriggerOrder(int(order.venue_order_id or 0)))
        await scene.until(lambda: (last := scene.last(order)) is not None and last.triggered)
        venue.say(FillOrder(int(order.venue_order_id or 0), Decimal(4), Decimal("63990.5")))
        await scene.until(lambda: (last := scene.last(order)) is not None and last.cum_qty == 4)
        assert scene.told[-1] == VenueOrder(
            1,
            order.order_id,
            order.venue_order_id or "",
            OPEN,
            Decimal(4),
            Decimal("63990.5"),
            triggered=True,
        )
        venue.say(FillOrder(int(order.venue_order_id or 0), Decimal(6), Decimal("63990.5")))
        last = await scene.until_told(order, FILLED)
        assert (last.cum_qty, last.avg_px) == (Decimal(10), Decimal("63990.5"))
        told = [one for one in scene.told if isinstance(one, VenueOrder) and one.order_id == order.order_id]
        assert len(told) == 4

    play(place_for(url_of(venue)), script)


def test_an_order_that_was_entered_there_is_told_with_what_it_is(venue: Gateway) -> None:
    """Of the account of the key; from the next time on under our id, when it has got one."""

    async def script(scene: Scene) -> None:
        venue.ready("TRADER37").send("D", *fix_order(fresh("there")))
        await scene.until(lambda: bool(scene.told))
        [said] = scene.told
        assert isinstance(said, VenueOrder)
        assert said.order_id == 0
        assert said.details is not None
        learned = new(user_id=0, venue_order_id=said.venue_order_id, status=OrdStatus.NEW, on_venue=True)
        scene.adapter.know(learned)
        await scene.adapter.cancel(learned)
        await scene.until_told(learned, CANCELED)

    play(place_for(url_of(venue), poll_seconds=1), script)


def test_a_cancel_of_all_reaches_what_the_key_has_and_nothing_is_believed_of_it(venue: Gateway) -> None:
    """This server cancels by strategy: it reaches nothing, and is used no more."""

    async def script(scene: Scene) -> None:
        await scene.enter(new())
        await scene.adapter.open_orders(ALL)
        assert scene.adapter.reach(ALL) is Reach.NATIVE
        await scene.adapter.cancel_all(ALL)
        assert len(await scene.adapter.open_orders(ALL)) == 1
        assert scene.adapter.reach(ALL) is Reach.FAN_OUT

    play(place_for(url_of(venue)), script)


def test_a_cancel_all_would_hit_what_is_not_ours_and_is_not_used_then(venue: Gateway) -> None:
    """An open order in an instrument that is not configured here."""
    trader = venue.ready("TRADER37")
    trader.send("D", *fix_order(fresh("perp"), symbol="BTC-PERP"))
    trader.until(lambda message: message.type == "8")

    async def script(scene: Scene) -> None:
        assert await scene.adapter.open_orders(ALL) == []
        assert scene.adapter.reach(ALL) is Reach.FAN_OUT
        assert scene.told == []

    play(place_for(url_of(venue)), script)


def test_an_outcome_that_the_venue_does_not_know_is_unknown_and_told_when_it_is(venue: Gateway) -> None:
    """A cancel that is held there: 500 after a while, and the end when it comes."""

    async def script(scene: Scene) -> None:
        order = await scene.enter(new())
        venue.say(HoldCancels())
        with pytest.raises(UnknownOutcomeError, match="did not answer"):
            await scene.adapter.cancel(order)
        assert (await scene.adapter.find(order) or scene.told[-1]) == scene.last(order)
        venue.say(ReleaseCancels())
        await scene.until_told(order, CANCELED)

    play(place_for(url_of(venue), request_seconds=1), script)


def test_a_venue_that_cannot_reach_its_exchange_may_have_done_it(venue: Gateway) -> None:
    """500 says nothing for certain."""

    async def script(scene: Scene) -> None:
        venue.say(LoseVenue())
        with pytest.raises(UnknownOutcomeError, match="out of reach"):
            await scene.adapter.place(new())

    play(place_for(url_of(venue)), script)


def test_wrong_credentials_are_said_and_never_shown(venue: Gateway) -> None:
    """The venue counts as away, with the server's words."""

    async def script(scene: Scene) -> None:
        await scene.until(lambda: "Invalid openalgo apikey" in scene.adapter.why_away)
        assert not scene.adapter.is_up
        with pytest.raises(VenueAwayError, match="Invalid openalgo apikey"):
            await scene.adapter.place(new())
        with pytest.raises(VenueRefusedError) as refused:
            await scene.adapter.open_orders(None)
        assert "secret-key" not in repr(refused.value) + repr(scene.adapter)

    play(place_for(url_of(venue), api_key="secret-key"), script, is_up=False)


def test_a_server_that_is_killed_is_away_and_comes_back(venue: Gateway) -> None:
    """Nothing is sent meanwhile; orders are known as before when it is back."""

    async def script(scene: Scene) -> None:
        order = await scene.enter(new())
        pid = venue.api_pid
        await asyncio.to_thread(venue.kill_api)
        with pytest.raises(VenueAwayError, match="no connection"):
            await scene.adapter.cancel(order)
        assert not scene.adapter.is_up
        await asyncio.to_thread(venue.until_api_ready, pid)
        await scene.until(lambda: scene.adapter.is_up)
        await scene.adapter.cancel(order)
        await scene.until_told(order, CANCELED)

    play(place_for(url_of(venue)), script)


def test_a_server_that_is_not_there_is_away(venue: Gateway) -> None:
    """Nothing was sent."""

    async def script(scene: Scene) -> None:
        await scene.until(lambda: "no connection" in scene.adapter.why_away)
        with pytest.raises(VenueAwayError, match="no connection"):
            await scene.adapter.cancel(new(venue_order_id="1"))

    del venue
    play(place_for("http://127.0.0.1:9"), script, is_up=False)
