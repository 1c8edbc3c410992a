"""The adapter of AlphaPoint and a real venue that speaks it: another fixgw."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import FillOrder, TriggerOrder, VenueDetails, VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import UnknownOutcomeError, VenueAwayError, VenueRefusedError
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from fixgw.link import Reply, Said
from tests.api.alphapoint.client import Web
from tests.gateway import Gateway, free_port
from tests.venues.alphapoint.build import BTC, ETH, PRIVATE, SECRETS, SHARED, Scene, new, place_at, running

OPEN, FILLED, CANCELED = VenueStatus.OPEN, VenueStatus.FILLED, VenueStatus.CANCELED
Script = Callable[[Scene], Awaitable[None]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The venue."""
    with Gateway(tmp_path_factory.mktemp("venue") / "data", api=True) as venue:
        yield venue


@pytest.fixture
def venue(gateway: Gateway) -> Gateway:
    """The venue, with no order open and nothing held."""
    gateway.clean()
    return gateway


def say(venue: Gateway, said: Said) -> None:
    """Have the sandbox behind the venue do something."""
    assert venue.say(said) == Reply()


def play(venue: Gateway, script: Script, **settings: Any) -> None:
    """Run `script` with an adapter that is connected."""

    async def played() -> None:
        async with running(place_at(venue.api_port, **settings)) as scene:
            await script(scene)

    asyncio.run(played())


def fallen_back() -> dict[str, str]:
    """Settings with which there is no WebSocket."""
    return {"ws_url": f"ws://127.0.0.1:{free_port()}/WSGateway/"}


@pytest.mark.parametrize("by", ["key", "password", "HTTP"])
def test_an_order_is_entered_found_listed_and_canceled(venue: Gateway, by: str) -> None:
    """Whatever the login, and whether over a WebSocket or over HTTP."""

    async def script(scene: Scene) -> None:
        adapter = scene.adapter
        order = await scene.placed()
        (listed,) = await adapter.open_orders(None)
        assert (listed.order_id, listed.status, listed.details) == (order.order_id, OPEN, None)
        assert await adapter.find(order) == listed
        assert await adapter.cancel(order) is None
        if by != "HTTP":
            await scene.until_status(order, CANCELED)
        found = await adapter.find(order)
        assert found is not None
        assert found.status is CANCELED
        assert await adapter.open_orders(None) == []
        assert bool(scene.heard) is (by != "HTTP")

    play(venue, script, with_password=by == "password", **(fallen_back() if by == "HTTP" else {}))


def test_what_was_filled_is_told(venue: Gateway) -> None:
    """In parts, and in whole, with the average price of all."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        there = int((await scene.until_status(order, OPEN)).venue_order_id)
        await asyncio.to_thread(say, venue, FillOrder(there, Decimal("0.5"), Decimal(100)))
        await scene.until(lambda: (said := scene.stands(order)) is not None and said.cum_qty > 0)
        said = scene.stands(order)
        assert said is not None
        assert (said.status, said.cum_qty, said.avg_px) == (OPEN, Decimal("0.5"), Decimal(100))
        await asyncio.to_thread(say, venue, FillOrder(there, Decimal(1), Decimal(97)))
        said = await scene.until_status(order, FILLED)
        assert (said.cum_qty, said.avg_px) == (Decimal("1.5"), Decimal(98))

    play(venue, script)


@pytest.mark.parametrize("ord_type", [OrdType.STOP, OrdType.STOP_LIMIT])
def test_a_stop_order_waits_for_its_trigger(venue: Gateway, ord_type: OrdType) -> None:
    """And it is told when that is reached."""

    async def script(scene: Scene) -> None:
        price = Decimal(100) if ord_type.has_price else None
        order = await scene.placed(ord_type=ord_type, price=price, stop_px=Decimal(110), side=Side.SELL_SHORT)
        said = await scene.until_status(order, OPEN)
        assert not said.triggered
        await asyncio.to_thread(say, venue, TriggerOrder(int(said.venue_order_id)))
        await scene.until(lambda: (now := scene.stands(order)) is not None and now.triggered)

    play(venue, script)


def test_an_order_of_which_only_the_client_id_is_known(venue: Gateway) -> None:
    """After a restart it is found by that, and canceled by it."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        async with running(place_at(venue.api_port)) as later:
            later.adapter.know(order)
            assert await later.adapter.cancel(order) is None
            await later.until_status(order, CANCELED)
        async with running(place_at(venue.api_port)) as later:
            found = await later.adapter.find(order)
            assert found is not None
            assert (found.order_id, found.status) == (0, CANCELED)  # nobody has made it known
            later.adapter.know(order)
            found = await later.adapter.find(order)
            assert found is not None
            assert (found.order_id, found.status) == (order.order_id, CANCELED)
            assert await later.adapter.find(new()) is None
            with pytest.raises(VenueRefusedError, match="errorcode 104"):
                await later.adapter.cancel(new())

    play(venue, script)


@pytest.mark.parametrize(
    ("selector", "left"),
    [
        (CancelSelector(1, SHARED), {"private"}),
        (CancelSelector(1, SHARED, instrument_ids=frozenset({BTC})), {"private", "eth"}),
    ],
    ids=["account", "account and instrument"],
)
def test_a_cancel_all_reaches_exactly_its_scope(
    venue: Gateway, selector: CancelSelector, left: set[str]
) -> None:
    """The account, or the account and the instrument, and nothing beside it."""

    async def script(scene: Scene) -> None:
        orders = {
            "btc": await scene.placed(),
            "eth": await scene.placed(instrument_id=ETH),
            "private": await scene.placed(account_id=PRIVATE),
        }
        await scene.adapter.cancel_all(selector)
        for name in orders.keys() - left:
            await scene.until_status(orders[name], CANCELED)
        still = {one.order_id for one in await scene.adapter.open_orders(None)}
        assert still == {orders[name].order_id for name in left}
        listed = await scene.adapter.open_orders(CancelSelector(1, PRIVATE))
        assert [one.order_id for one in listed] == [orders["private"].order_id]

    play(venue, script)


def test_a_cancel_that_the_venue_holds_is_taken_on_and_not_done(venue: Gateway) -> None:
    """Asked again, it is on its way already, which is no refusal; its end is told."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        await asyncio.to_thread(say, venue, HoldCancels())
        assert await scene.adapter.cancel(order) is None
        assert await scene.adapter.cancel(order) is None
        found = await scene.adapter.find(order)
        assert found is not None
        assert found.status is OPEN
        await asyncio.to_thread(say, venue, ReleaseCancels())
        await scene.until_status(order, CANCELED)
        assert scene.rejects() == []

    play(venue, script)


def test_a_cancel_that_is_rejected_after_it_was_taken_on(venue: Gateway) -> None:
    """The event names the order, and why."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        there = int((await scene.until_status(order, OPEN)).venue_order_id)
        await asyncio.to_thread(say, venue, HoldCancels())
        assert await scene.adapter.cancel(order) is None
        await asyncio.to_thread(say, venue, RefuseCancel(there, "in an auction"))
        await asyncio.to_thread(say, venue, ReleaseCancels())
        await scene.until(lambda: bool(scene.rejects()))
        (reject,) = scene.rejects()
        assert (reject.order_id, reject.venue_order_id) == (order.order_id, str(there))
        assert "in an auction" in reject.text

    play(venue, script)


def test_what_the_venue_refuses_is_refused(venue: Gateway) -> None:
    """With its own reason, and its code."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        with pytest.raises(VenueRefusedError, match=r"Invalid_ClientOrderId \(errorcode 101\)"):
            await scene.adapter.place(order)
        await scene.adapter.cancel(order)
        await scene.until_status(order, CANCELED)
        with pytest.raises(VenueRefusedError, match="too late to cancel"):
            await scene.adapter.cancel(order)

    play(venue, script)


def test_a_server_error_means_that_nobody_knows(venue: Gateway) -> None:
    """A change may have been done, whatever the venue says with it."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        await asyncio.to_thread(say, venue, LoseVenue())
        try:
            with pytest.raises(UnknownOutcomeError, match="errorcode 102"):
                await scene.adapter.place(new())
            with pytest.raises(UnknownOutcomeError, match="errorcode 102"):
                await scene.adapter.cancel(order)
        finally:
            await asyncio.to_thread(say, venue, FindVenue())

    play(venue, script)


def test_orders_of_others_are_learned_where_their_account_is_ours(venue: Gateway) -> None:
    """With what they are; those of an account that is not configured are left out."""

    async def script(scene: Scene) -> None:
        def entered(username: str, account: int) -> int:
            web = Web(venue.api_port, username)
            with closing(web.http):
                return web.enter(AccountId=account, ClientOrderId=77, Quantity=1, LimitPrice="90.5")

        stranger = await asyncio.to_thread(entered, "trader39", 16)
        there = await asyncio.to_thread(entered, "trader38", 14)
        assert stranger != there
        await scene.until(lambda: bool(scene.heard))
        (said,) = scene.heard
        assert isinstance(said, VenueOrder)
        details = VenueDetails(
            SHARED,
            BTC,
            Side.BUY,
            OrdType.LIMIT,
            TimeInForce.GOOD_TILL_CANCEL,
            Decimal(1),
            price=Decimal("90.5"),
        )
        assert said == VenueOrder(1, 0, str(there), OPEN, details=details)
        assert await scene.adapter.open_orders(None) == [said]
        learned = new(venue_order_id=str(there), on_venue=True)
        scene.adapter.know(learned)
        await scene.adapter.cancel(learned)
        await scene.until_status(learned, CANCELED)
        scene.adapter.forget(learned)
        found = await scene.adapter.find(learned)
        assert found is not None
        assert found.order_id == learned.order_id

    play(venue, script)


@pytest.mark.parametrize("with_socket", [True, False])
def test_wrong_credentials_are_no_connection(
    venue: Gateway, capsys: pytest.CaptureFixture[str], *, with_socket: bool
) -> None:
    """It says why, and no secret."""
    place = replace(place_at(venue.api_port), api_secret="wrong")
    if not with_socket:
        settings = place.settings.model_copy(update=fallen_back())
        place = replace(place, settings=settings)

    async def script() -> None:
        async with running(place, up=False) as scene:
            await scene.until(lambda: "refuses the login" in scene.adapter.why_away)
            assert not scene.adapter.is_up
            with pytest.raises(VenueAwayError, match="Invalid username or password"):
                await scene.adapter.place(new())
            assert not any(secret in scene.adapter.why_away for secret in SECRETS)

    asyncio.run(script())
    printed = "".join(capsys.readouterr())
    assert not any(secret in printed for secret in SECRETS)
    assert not any(secret in repr(place) for secret in SECRETS)


def test_an_account_that_the_login_may_not_see_is_no_connection(venue: Gateway) -> None:
    """It is said which."""

    async def script() -> None:
        place = place_at(venue.api_port, accounts={SHARED: "14", PRIVATE: "16"})
        async with running(place, up=False) as scene:
            await scene.until(lambda: f"account {PRIVATE}" in scene.adapter.why_away)
            assert not scene.adapter.is_up

    asyncio.run(script())


def test_a_venue_that_is_killed_is_away_until_it_is_back(venue: Gateway) -> None:
    """Then it is subscribed to again, and the orders are those that they were."""

    async def script(scene: Scene) -> None:
        order = await scene.placed()
        before = venue.api_pid
        await asyncio.to_thread(venue.kill_api)
        await scene.until(lambda: not scene.adapter.is_up)
        assert scene.adapter.why_away
        with pytest.raises(VenueAwayError):
            await scene.adapter.cancel(order)
        await asyncio.to_thread(venue.until_api_ready, before)
        await scene.until(lambda: scene.adapter._session._socket is not None)
        await scene.adapter.cancel(order)
        await scene.until_status(order, CANCELED)

    play(venue, script)
