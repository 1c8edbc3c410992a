"""The adapter against a real fixgw that serves the dialect."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import FillOrder, VenueDetails, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import VenueAwayError, VenueRefusedError
from fixgw.edge.venues.place import Place
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway
from tests.venues.coinapi_ems.rig import CANCELED, FILLED, OPEN, Scene, learned, new, place, play
from tests.wire import fresh, order

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The venue."""
    with Gateway(tmp_path_factory.mktemp("venue") / "data", api=True) as gateway:
        yield gateway


@pytest.fixture
def venue(running: Gateway) -> Gateway:
    """The venue, without any order."""
    running.clean()
    return running


def at(venue: Gateway, **settings: object) -> Place:
    """The venue for OPERATOR1, who sees the accounts 14 and 15."""
    return place(f"http://127.0.0.1:{venue.api_port}", **settings)  # type: ignore[arg-type]


def enter_there(venue: Gateway, account: int = 14) -> str:
    """An order that another client enters on the venue; its OrderID there."""
    client = venue.ready("TRADER37")
    client.send("D", *order(fresh("there"), (1, account), (59, 1)))
    return str(client.until(lambda message: message.type == "8")[-1][37])


def test_an_order_is_placed_and_canceled_and_both_are_told(venue: Gateway) -> None:
    """The reply, what the WebSocket tells by itself, and what can be found, are the same."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        told = await scene.hears(made.order_id, OPEN)
        assert told.venue_order_id == made.venue_order_id
        assert [said.order_id for said in await scene.adapter.open_orders(None)] == [made.order_id]
        assert await scene.adapter.find(made) == told
        said = await scene.adapter.cancel(made)
        assert said is not None
        assert said.status is CANCELED
        await scene.hears(made.order_id, CANCELED)
        found = await scene.adapter.find(made)
        assert found is not None
        assert found.status is CANCELED
        assert await scene.adapter.open_orders(None) == []

    play(at(venue), script)


def test_an_order_whose_id_there_is_not_known_is_found_and_canceled_by_our_name(venue: Gateway) -> None:
    """As after a time-out, or after a restart in between."""

    made = new()

    async def place_it(scene: Scene) -> None:
        await scene.adapter.place(made)

    async def find_it(scene: Scene) -> None:
        scene.adapter.know(made)
        found = await scene.adapter.find(made)
        assert found is not None
        assert (found.order_id, found.status) == (made.order_id, OPEN)

    async def cancel_it(scene: Scene) -> None:
        scene.adapter.know(made)
        said = await scene.adapter.cancel(made)
        assert said is not None
        assert said.status is CANCELED

    for script in (place_it, find_it, cancel_it):
        play(at(venue), script)


def test_an_order_that_the_venue_has_not_is_not_found(venue: Gateway) -> None:
    """And its cancel is refused in the venue's words."""

    async def script(scene: Scene) -> None:
        made = new()
        assert await scene.adapter.find(made) is None
        with pytest.raises(VenueRefusedError, match="ORDER_ID_NOT_FOUND"):
            await scene.adapter.cancel(made)

    play(at(venue), script)


def test_fills_are_told_in_all(venue: Gateway) -> None:
    """What was filled is cumulative, with the average price of all."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        there = int(made.venue_order_id or 0)
        venue.say(FillOrder(there, Decimal(1), Decimal(100)))
        venue.say(FillOrder(there, Decimal(3), Decimal(104)))
        await scene.until(lambda: any(getattr(said, "cum_qty", 0) == 4 for said in scene.told))
        found = await scene.adapter.find(made)
        assert found is not None
        assert (found.status, found.cum_qty, found.avg_px) == (OPEN, Decimal(4), Decimal(103))
        venue.say(FillOrder(there, Decimal(6), Decimal(100)))
        told = await scene.hears(made.order_id, FILLED)
        assert told.cum_qty == 10
        said = await scene.adapter.cancel(made)
        assert said is not None
        assert said.status is FILLED

    play(at(venue), script)


def test_a_cancel_that_is_held_is_not_done_until_it_is_told(venue: Gateway) -> None:
    """PENDING_CANCEL is no answer."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        venue.say(HoldCancels())
        assert await scene.adapter.cancel(made) is None
        found = await scene.adapter.find(made)
        assert found is not None
        assert found.status is OPEN
        assert await scene.adapter.cancel(made) is None
        venue.say(ReleaseCancels())
        await scene.hears(made.order_id, CANCELED)

    play(at(venue), script)


def test_a_cancel_that_is_refused_at_once_is_refused(venue: Gateway) -> None:
    """The reply says so."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        venue.say(RefuseCancel(int(made.venue_order_id or 0), "in the auction"))
        with pytest.raises(VenueRefusedError, match="in the auction"):
            await scene.adapter.cancel(made)

    play(at(venue), script)


def test_a_cancel_that_is_refused_later_is_told(venue: Gateway) -> None:
    """PENDING_CANCEL, then NEW again."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        venue.say(HoldCancels())
        venue.say(RefuseCancel(int(made.venue_order_id or 0), "in the auction"))
        assert await scene.adapter.cancel(made) is None
        venue.say(ReleaseCancels())
        rejected = await scene.rejection()
        assert (rejected.order_id, rejected.venue_order_id) == (made.order_id, made.venue_order_id)
        assert "in the auction" in rejected.text

    play(at(venue), script)


def test_canceling_all_of_an_account_reaches_exactly_that_account(venue: Gateway) -> None:
    """Orders of others in it, too; those in another account stay."""

    async def script(scene: Scene) -> None:
        mine = await scene.enter()
        elsewhere = await scene.enter(account_id=15)
        enter_there(venue)
        kept = enter_there(venue, 15)
        await scene.adapter.cancel_all(CancelSelector(1, account_id=14))
        await scene.hears(mine.order_id, CANCELED)
        left = await scene.adapter.open_orders(None)
        assert {said.venue_order_id for said in left} == {elsewhere.venue_order_id, kept}

    play(at(venue), script)


def test_an_order_that_another_entered_there_is_learned_and_canceled_by_its_id(venue: Gateway) -> None:
    """It is listed with what it is, can be found while it is open, and its cancel is certain."""

    async def script(scene: Scene) -> None:
        there = enter_there(venue, 15)
        [said] = await scene.adapter.open_orders(CancelSelector(1, account_id=15))
        assert (said.order_id, said.venue_order_id, said.status) == (0, there, OPEN)
        assert said.details == VenueDetails(
            15,
            25,
            Side.BUY,
            OrdType.LIMIT,
            TimeInForce.GOOD_TILL_CANCEL,
            Decimal(10),
            Decimal(100),
        )
        made = learned(said)
        scene.adapter.know(made)
        found = await scene.adapter.find(made)
        assert found is not None
        assert found.order_id == made.order_id
        ended = await scene.adapter.cancel(made)
        assert ended is not None
        assert (ended.order_id, ended.status) == (made.order_id, CANCELED)

    play(at(venue), script)


def test_what_the_dialect_has_no_words_for_is_not_sent(venue: Gateway) -> None:
    """Market and stop orders, and short sales."""

    async def script(scene: Scene) -> None:
        for fields in (
            {"ord_type": OrdType.MARKET, "price": None},
            {"ord_type": OrdType.STOP, "stop_px": Decimal(1), "price": None},
            {"ord_type": OrdType.STOP_LIMIT, "stop_px": Decimal(1)},
            {"side": Side.SELL_SHORT},
        ):
            with pytest.raises(VenueRefusedError, match="nothing was sent"):
                await scene.adapter.place(new(**fields))
        assert await scene.adapter.open_orders(None) == []

    play(at(venue), script)


def test_a_day_order_is_sent_with_its_end(venue: Gateway) -> None:
    """It is never sent as one that lives longer, and is a Day order there, too."""

    async def script(scene: Scene) -> None:
        made = await scene.enter(time_in_force=TimeInForce.DAY)
        client = venue.ready("OPERATOR1")
        client.send("H", (11, "status"), (37, made.venue_order_id), (55, "BTC-USD"), (54, 1))
        assert client.until(lambda message: message.type == "8")[-1][59] == "0"
        await scene.adapter.cancel(made)
        with pytest.raises(VenueRefusedError, match="the end of the day"):
            await scene.adapter.place(new(time_in_force=TimeInForce.DAY, entered_at=LONG_AGO))

    play(at(venue), script)


def test_an_exchange_that_is_away_is_490_and_nothing_was_sent(venue: Gateway) -> None:
    """Orders and cancels alike; it is no time-out."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        venue.say(LoseVenue())
        try:
            with pytest.raises(VenueAwayError, match="unreachable"):
                await scene.adapter.place(new())
            with pytest.raises(VenueAwayError, match="unreachable"):
                await scene.adapter.cancel(made)
        finally:
            venue.say(FindVenue())

    play(at(venue), script)


def test_a_name_that_was_used_is_rejected_and_its_order_is_untouched(venue: Gateway) -> None:
    """As a report, with 200."""

    async def script(scene: Scene) -> None:
        made = await scene.enter()
        said = await scene.adapter.place(made)
        assert said.status is VenueStatus.REJECTED
        assert said.text
        [listed] = await scene.adapter.open_orders(None)
        assert (listed.venue_order_id, listed.status) == (made.venue_order_id, OPEN)

    play(at(venue), script)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"key": "key99"}, "does not accept the api_key"),
        ({"oms": "KRAKEN"}, "does not say that the exchange runs"),
        ({"accounts": {14: "999"}}, "errorcode"),
    ],
)
def test_a_venue_that_cannot_be_used_is_away_and_says_why(
    venue: Gateway, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], why: str
) -> None:
    """A wrong key, a wrong exchange, a wrong account: none is up, and no key is shown."""
    monkeypatch.setattr("fixgw.edge.venues.coinapi_ems.connection.SILENT_SECONDS", 2.0)

    async def script(scene: Scene) -> None:
        await scene.until(lambda: why in scene.adapter.why_away)
        assert not scene.adapter.is_up
        assert "key99" not in scene.adapter.why_away

    play(at(venue, **settings), script, until_up=False)


def test_a_venue_that_stops_is_away_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And can be used again, at once."""
    monkeypatch.setattr("fixgw.edge.venues.coinapi_ems.connection.PAUSE_SECONDS_MAX", 0.4)
    with Gateway(tmp_path / "data", api=True) as venue:

        async def script(scene: Scene) -> None:
            made = await scene.enter()
            venue.kill_api(signal.SIGKILL)
            await scene.until(lambda: not scene.adapter.is_up)
            assert scene.adapter.why_away
            await scene.up()
            assert [said.order_id for said in await scene.adapter.open_orders(None)] == [made.order_id]
            await scene.adapter.cancel(made)
            await scene.hears(made.order_id, CANCELED)

        play(at(venue), script)
