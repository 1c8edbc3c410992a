"""The keeper of a venue, with a venue that does exactly what a test says."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from fixgw.config_tables import VenueTable
from fixgw.core.order import CancelRef, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import OrderAnswer, ScopeRead, Unknown, VenueOrder, VenueRequest, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues import keeper as keeper_module
from fixgw.edge.venues.contract import (
    CancelReject,
    Reach,
    Tell,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.keeper import Keeper
from fixgw.engine.venue_asks import Believed, CancelOrders, PlaceOrder, ReadScope

AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
ALL = CancelSelector(1)
OPEN, CANCELED, FILLED = VenueStatus.OPEN, VenueStatus.CANCELED, VenueStatus.FILLED


class Scripted:
    """A venue whose orders are in `orders`, and that fails once with each error that is put into `errors`."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.orders: dict[int, VenueOrder] = {}
        self.asked: list[str] = []
        self.errors: dict[str, list[Exception]] = {}
        self.reaches = Reach.FAN_OUT
        self.places = OPEN  # how an order stands that was taken
        self.acts = True  # whether a cancel does anything
        self.tells = True  # whether it says so by itself
        self.is_up = True
        self.why_away = ""
        self.finds_together = False

    def know(self, order: Order) -> None:
        """It knows them all."""

    def forget(self, order: Order) -> None:
        """It forgets nothing."""

    async def run(self) -> None:
        """It is connected all the time."""
        await asyncio.Event().wait()

    def reach(self, _: CancelSelector) -> Reach:
        """As the test says."""
        return self.reaches

    def _fail(self, what: str) -> None:
        self.asked.append(what)
        waiting = self.errors.get(what.split()[0])
        if waiting:
            raise waiting.pop(0)

    async def place(self, order: Order) -> VenueOrder:
        """Take the order, unless an error is due; a time-out comes after it was taken."""
        try:
            self._fail(f"place {order.order_id}")
        except UnknownOutcomeError:
            if self.acts:
                self.orders[order.order_id] = stands(order.order_id)
            raise
        self.orders[order.order_id] = stands(order.order_id, self.places)
        return self.orders[order.order_id]

    async def cancel(self, order: Order) -> VenueOrder | None:
        """Cancel it; what comes of it is said by itself, or not at all."""
        self._fail(f"cancel {order.order_id}")
        self._end(order.order_id)
        return None

    def _end(self, order_id: int) -> None:
        if self.acts and self.orders[order_id].status is OPEN:
            self.orders[order_id] = replace(self.orders[order_id], status=CANCELED)
            if self.tells:
                asyncio.get_running_loop().call_soon(self.tell, self.orders[order_id])

    async def cancel_all(self, _: CancelSelector) -> None:
        """Cancel everything."""
        self._fail("cancel_all")
        for order_id in self.orders:
            self._end(order_id)

    async def open_orders(self, _: CancelSelector | None) -> Sequence[VenueOrder]:
        """All that are open."""
        self._fail("open_orders")
        return [said for said in self.orders.values() if said.status is OPEN]

    async def find(self, order: Order) -> VenueOrder | None:
        """How it stands."""
        self._fail(f"find {order.order_id}")
        return self.orders.get(order.order_id)


class Scene:
    """A keeper and its venue, and what the engine was told."""

    def __init__(self, **settings: object) -> None:
        self.said: list[VenueRequest] = []
        values: dict[str, object] = {
            "name": "venue",
            "kind": "alphapoint",
            "url": "http://127.0.0.1:1",
            "accounts": {14: "1"},
            "instruments": {"BTC-USD": "1"},
            "requests_per_second": 10_000,
            "confirm_seconds": 1,
            "poll_seconds": 3600,
        }
        made: list[Scripted] = []

        def make(tell: Tell) -> Scripted:
            made.append(Scripted(tell))
            return made[0]

        settings_ = VenueTable.model_validate({**values, **settings})
        self.keeper = Keeper(1, settings_, make, self.said.append)
        [self.venue] = made

    def resting(self, *numbers: int) -> None:
        """Orders that rest on the venue, and that the engine believes in."""
        for number in numbers:
            self.venue.orders[number] = stands(number)
        self.keeper.ask(Believed(1, tuple(order(number) for number in numbers), last=True))

    def cancel(self, *numbers: int, selector: CancelSelector | None = None) -> None:
        """The engine asks for the cancel of these orders."""
        self.keeper.ask(CancelOrders(1, tuple(pending(order(number)) for number in numbers), selector))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds."""
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_idle(self) -> None:
        """Wait until nothing is awaited any more."""
        await self.until(lambda: self.keeper.health.waiting == 0)


def order(number: int, **fields: object) -> Order:
    """An order that the venue has confirmed."""
    made = Order(
        order_id=number,
        oms_id=1,
        user_id=37,
        account_id=14,
        instrument_id=25,
        cl_ord_id=f"o{number}",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(10),
        price=Decimal(100),
        stop_px=None,
        strategy=None,
        session="TRADER37",
        content=0,
        entered_at=AT,
        status=OrdStatus.NEW,
        venue_order_id=f"v{number}",
    )
    return replace(made, **fields)


def new(number: int) -> Order:
    """An order that the venue has not seen."""
    return order(number, status=OrdStatus.PENDING_NEW, venue_order_id=None, on_venue=False)


def pending(made: Order) -> Order:
    """With its cancel pending."""
    return made.to_pending_cancel(CancelRef(37, "TRADER37", "c"), AT)


def stands(number: int, status: VenueStatus = OPEN) -> VenueOrder:
    """The venue's word on an order."""
    return VenueOrder(1, number, f"v{number}", status)


def play(scene: Scene, script: Callable[[], Awaitable[None]]) -> None:
    """Run the script beside the keeper."""

    async def both() -> None:
        running = asyncio.ensure_future(scene.keeper.run())
        try:
            await scene.until(lambda: "open_orders" in scene.venue.asked or not scene.venue.is_up)
            scene.venue.asked.clear()
            scene.said.clear()
            await script()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


def test_an_order_is_sent_once_and_what_the_venue_answers_is_said() -> None:
    """Taken, or refused with the venue's reason."""
    scene = Scene()
    scene.venue.errors["place"] = [VenueRefusedError("no money")]

    async def script() -> None:
        scene.keeper.ask(PlaceOrder(new(1)))
        await scene.until_idle()
        scene.keeper.ask(PlaceOrder(new(2)))
        await scene.until_idle()

    play(scene, script)
    assert scene.said == [VenueOrder(1, 1, "", VenueStatus.REJECTED, text="no money"), stands(2)]
    assert scene.venue.asked == ["place 1", "place 2"]


def test_an_order_whose_outcome_is_unknown_is_never_sent_again() -> None:
    """It is said at once, and looked for until it is found."""
    scene = Scene()
    scene.venue.errors["place"] = [UnknownOutcomeError("time-out")]

    async def script() -> None:
        scene.keeper.ask(PlaceOrder(new(1)))
        await scene.until(lambda: bool(scene.said))
        assert scene.keeper.health.unknown == 1
        await scene.until_idle()

    play(scene, script)
    first, last = scene.said
    assert isinstance(first, Unknown)
    assert "time-out" in first.text
    assert last == stands(1)
    assert scene.venue.asked.count("place 1") == 1


def test_an_order_that_its_venue_has_not_confirmed_is_looked_at_until_it_has() -> None:
    """Nothing is said of it before, and it is in the venue's hands: never lost, never sent again."""
    scene = Scene()
    scene.venue.places = VenueStatus.PENDING

    async def script() -> None:
        scene.keeper.ask(PlaceOrder(new(1)))
        await scene.until(lambda: "find 1" in scene.venue.asked)
        assert scene.said == []
        scene.venue.orders[1] = stands(1)
        await scene.until_idle()

    play(scene, script)
    assert scene.said == [stands(1)]
    assert scene.venue.asked.count("place 1") == 1


def test_an_order_that_never_reached_its_venue_is_rejected_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so long that it cannot be on its way any more."""
    monkeypatch.setattr(keeper_module, "LOST_SECONDS", 0.5)
    scene = Scene()
    scene.venue.acts = False
    scene.venue.errors["place"] = [UnknownOutcomeError("time-out")]

    async def script() -> None:
        scene.keeper.ask(PlaceOrder(new(1)))
        await scene.until_idle()

    play(scene, script)
    last = scene.said[-1]
    assert isinstance(last, VenueOrder)
    assert last.status is VenueStatus.REJECTED
    assert scene.venue.asked.count("place 1") == 1


def test_a_cancel_ends_with_what_the_venue_says_by_itself() -> None:
    """Its acknowledgement is none."""
    scene = Scene()
    scene.resting(1, 2)

    async def script() -> None:
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    assert scene.said == [stands(1, CANCELED)]
    assert scene.venue.asked == ["cancel 1"]


def test_a_venue_that_says_nothing_by_itself_is_looked_at() -> None:
    """After `confirm_seconds`."""
    scene = Scene()
    scene.venue.tells = False

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    assert scene.said == [stands(1, CANCELED)]
    assert scene.venue.asked == ["cancel 1", "find 1"]


def test_a_refused_cancel_of_an_order_that_is_over_says_how_it_ended() -> None:
    """A fill that overtook it is a fill; only of an order that is open the refusal is said."""
    scene = Scene()
    scene.venue.errors["cancel"] = [VenueRefusedError("too late"), VenueRefusedError("in the auction")]

    async def script() -> None:
        scene.resting(1, 2)
        scene.venue.orders[1] = stands(1, FILLED)
        scene.cancel(1)
        await scene.until_idle()
        scene.cancel(2)
        await scene.until_idle()

    play(scene, script)
    assert scene.said == [stands(1, FILLED), stands(2), OrderAnswer(2, "in the auction")]


def test_a_cancel_that_is_rejected_after_its_acknowledgement_is_refused() -> None:
    """Acknowledged, then rejected by an event."""
    scene = Scene()
    scene.venue.acts = False

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until(lambda: "cancel 1" in scene.venue.asked)
        scene.venue.tell(CancelReject("Order Not Found", venue_order_id="v1"))
        await scene.until_idle()

    play(scene, script)
    assert scene.said[-1] == OrderAnswer(1, "Order Not Found")


@pytest.mark.parametrize("was_done", [True, False])
def test_a_cancel_without_an_answer_is_unknown_until_it_is_seen(was_done: bool) -> None:
    """Timeout then canceled; timeout then still open, where it is sent again, which is safe."""
    scene = Scene()
    scene.venue.errors["cancel"] = [UnknownOutcomeError("504")]

    async def script() -> None:
        scene.resting(1)
        if was_done:
            scene.venue.orders[1] = stands(1, CANCELED)
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    assert isinstance(scene.said[0], Unknown)
    assert scene.said[-1] == stands(1, CANCELED)
    assert scene.venue.asked.count("cancel 1") == (1 if was_done else 2)


def test_a_cancel_that_cannot_be_looked_after_stays_unknown_and_is_no_refusal() -> None:
    """It is not sent again before it was seen that the order is open, and nothing is made up meanwhile."""
    scene = Scene()
    scene.venue.errors["cancel"] = [UnknownOutcomeError("504")]
    scene.venue.errors["find"] = [UnknownOutcomeError("time-out"), VenueAwayError("no connection")]

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    assert [type(said).__name__ for said in scene.said] == ["Unknown", "VenueOrder", "VenueOrder"]
    assert scene.said[-1] == stands(1, CANCELED)
    assert scene.venue.asked == ["cancel 1", "find 1", "find 1", "find 1", "cancel 1"]


def test_a_mistake_of_an_adapter_does_not_end_its_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the adapter is started again."""
    monkeypatch.setattr(keeper_module, "HEALTH_SECONDS", 0.01)
    runs: list[int] = []

    async def run(_: Scripted) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("ours")
        await asyncio.Event().wait()

    monkeypatch.setattr(Scripted, "run", run)
    scene = Scene()

    async def script() -> None:
        await scene.until(lambda: len(runs) == 3)

    play(scene, script)


def test_a_venue_that_takes_cancels_and_does_nothing_is_given_up_visibly() -> None:
    """After some cancels that it took: the order is still open, and the client is told."""
    scene = Scene()
    scene.venue.acts = False

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    last = scene.said[-1]
    assert isinstance(last, OrderAnswer)
    assert "still has the order open" in (last.refused or "")
    assert scene.venue.asked.count("cancel 1") == keeper_module.CANCELS_MAX


def test_a_pause_that_the_venue_asks_for_is_made() -> None:
    """429: wait and go on."""
    scene = Scene()
    scene.venue.errors["cancel"] = [VenueBusyError("slow down", 0.2), VenueBusyError("slow down", 0.2)]

    async def script() -> None:
        scene.resting(1)
        began = asyncio.get_running_loop().time()
        scene.cancel(1)
        await scene.until_idle()
        assert asyncio.get_running_loop().time() - began > 0.4

    play(scene, script)
    assert scene.said == [stands(1, CANCELED)]


@pytest.mark.parametrize(("when_away", "said"), [("answer", "OrderAnswer"), ("wait", "VenueOrder")])
def test_a_cancel_that_was_not_sent_is_answered_or_waits(when_away: str, said: str) -> None:
    """As the venue's settings say."""
    scene = Scene(when_away=when_away)
    scene.venue.errors["cancel"] = [VenueAwayError("no connection")]

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until_idle()

    play(scene, script)
    last = scene.said[-1]
    assert type(last).__name__ == said
    if isinstance(last, OrderAnswer):  # a long reason must not hide what matters: Text(58) has an end
        assert last.refused == "nothing was sent to the venue: no connection"


def test_a_native_cancel_all_is_used_where_it_reaches_exactly_the_set() -> None:
    """And what it left is canceled one by one: its answer means nothing."""
    scene = Scene()
    scene.venue.reaches = Reach.NATIVE
    scene.venue.errors["cancel_all"] = []

    async def script() -> None:
        scene.resting(1, 2, 3)
        scene.cancel(1, 2, 3, selector=ALL)
        await scene.until_idle()
        scene.venue.acts = False
        scene.resting(4, 5)
        scene.cancel(4, 5, selector=ALL)
        await scene.until(lambda: "cancel 4" in scene.venue.asked)
        scene.venue.acts = True
        await scene.until_idle()

    play(scene, script)
    assert {one for one in scene.said if isinstance(one, VenueOrder) and one.status is CANCELED} == {
        stands(number, CANCELED) for number in range(1, 6)
    }
    assert scene.venue.asked.count("cancel_all") == 2
    assert "cancel 1" not in scene.venue.asked


def test_a_scope_is_read_with_those_that_are_no_longer_there() -> None:
    """What is believed open and is not listed is looked for, before the set is fixed."""
    scene = Scene()

    async def script() -> None:
        scene.resting(1, 2)
        scene.venue.orders[1] = stands(1, FILLED)
        scene.keeper.ask(ReadScope(7, ALL))
        await scene.until(lambda: isinstance(scene.said[-1] if scene.said else None, ScopeRead))
        scene.venue.errors["open_orders"] = [VenueAwayError("no connection")]
        scene.keeper.ask(ReadScope(8, ALL))
        await scene.until(lambda: len(scene.said) > 3)
        scene.venue.errors["open_orders"] = [VenueMistakenError("it is in mode analyze")]
        scene.keeper.ask(ReadScope(9, ALL))
        await scene.until(lambda: len(scene.said) > 4)

    play(scene, script)
    assert scene.said[:3] == [stands(2), stands(1, FILLED), ScopeRead(1, 7)]
    for said in scene.said[3:]:
        assert isinstance(said, ScopeRead)
        assert said.refused


def test_what_was_asked_before_is_found_out_and_no_order_is_sent_again() -> None:
    """A pending order is looked for; a pending cancel is looked at, and sent if the order is open."""
    scene = Scene()

    async def script() -> None:
        scene.venue.orders = {1: stands(1), 2: stands(2), 3: stands(3, CANCELED)}
        believed = (new(1), pending(order(2)), pending(order(3)))
        scene.keeper.ask(Believed(1, believed, last=True))
        await scene.until_idle()

    play(scene, script)
    assert stands(1) in scene.said
    assert {stands(2, CANCELED), stands(3, CANCELED)} <= set(scene.said)
    assert not [asked for asked in scene.venue.asked if asked.startswith("place")]
    assert scene.venue.asked.count("cancel 2") == 1
    assert "cancel 3" not in scene.venue.asked


def test_a_venue_that_is_another_one_is_not_asked_any_more() -> None:
    """The switch of a whole server: go on with nothing, and say so."""
    scene = Scene()
    scene.venue.errors["cancel"] = [VenueMistakenError("mode is analyze, not live")]

    async def script() -> None:
        scene.resting(1)
        scene.cancel(1)
        await scene.until(lambda: not scene.keeper.health.is_up)
        assert "analyze" in scene.keeper.health.why

    play(scene, script)
    [unknown] = scene.said
    assert isinstance(unknown, Unknown)
    assert "not asked any more" in unknown.text
    assert "analyze" in unknown.text


def test_the_largest_orders_are_canceled_first_where_it_is_wanted() -> None:
    """Most exposed first is a setting."""
    scene = Scene(cancel_first="largest", requests_at_once=1)

    async def script() -> None:
        for number in (1, 2, 3):
            scene.venue.orders[number] = stands(number)
        orders = [order(1, price=Decimal(5)), order(2, price=Decimal(50)), order(3, price=Decimal(20))]
        scene.keeper.ask(CancelOrders(1, tuple(map(pending, orders)), ALL))
        await scene.until_idle()

    play(scene, script)
    assert [asked for asked in scene.venue.asked if asked.startswith("cancel")] == [
        "cancel 2",
        "cancel 3",
        "cancel 1",
    ]


def test_one_order_that_nobody_can_say_anything_of_does_not_stop_a_mass_cancel() -> None:
    """The scope is read all the same, and the other orders are looked at."""
    scene = Scene()
    scene.venue.errors["find"] = [UnknownOutcomeError("it may be one of several")]

    async def script() -> None:
        scene.resting(1, 2)
        scene.venue.orders[1] = scene.venue.orders[2] = stands(2, CANCELED)
        scene.keeper.ask(ReadScope(7, ALL))
        await scene.until(lambda: bool(scene.said) and isinstance(scene.said[-1], ScopeRead))

    play(scene, script)
    assert scene.said == [stands(2, CANCELED), ScopeRead(1, 7)]


def test_nothing_is_learned_before_it_is_known_what_is_ours() -> None:
    """An order of ours whose id on the venue is not known yet must not become a second one."""
    scene = Scene(poll_seconds=1)
    there = replace(stands(0), venue_order_id="there")

    async def script() -> None:
        scene.venue.tell(there)
        assert scene.said == []
        scene.venue.orders[0] = there
        scene.resting(1)
        scene.venue.tell(there)
        assert scene.said == [there]
        scene.said.clear()
        await scene.until(lambda: there in scene.said)

    play(scene, script)


def test_a_cancel_whose_outcome_stays_unknown_is_sent_again_with_growing_pauses_and_never_given_up() -> None:
    """The venue took none of them, so that it is not refused after some."""
    scene = Scene()
    scene.venue.acts = scene.venue.tells = False
    scene.venue.errors["cancel"] = [UnknownOutcomeError("504")] * 100
    at: list[float] = []

    async def script() -> None:
        clock = asyncio.get_running_loop().time
        scene.resting(1)
        scene.cancel(1)
        for sent in (1, 2, 3):
            await scene.until(lambda sent=sent: scene.venue.asked.count("cancel 1") == sent)  # type: ignore[misc]
            at.append(clock())
        scene.venue.orders[1] = stands(1, CANCELED)
        await scene.until_idle()

    play(scene, script)
    assert at[1] - at[0] > 0.9
    assert at[2] - at[1] > 1.8
    assert [said for said in scene.said if isinstance(said, OrderAnswer)] == []
    assert scene.said[-1] == stands(1, CANCELED)


def test_a_venue_whose_orders_cannot_be_read_is_not_asked_all_the_time() -> None:
    """With growing pauses, until it has said them."""
    scene = Scene()
    scene.venue.errors["open_orders"] = []

    async def script() -> None:
        scene.venue.is_up = False
        await asyncio.sleep(0.2)
        scene.venue.errors["open_orders"] = [VenueAwayError("no")] * 3
        scene.venue.is_up = True
        began = asyncio.get_running_loop().time()
        await scene.until(lambda: scene.venue.asked.count("open_orders") == 4)
        assert asyncio.get_running_loop().time() - began > 1.2

    play(scene, script)


def test_orders_that_end_while_the_venue_is_read_do_not_stop_the_reading() -> None:
    """A look at one of them may take long, and meanwhile the venue says of another one that it has ended."""
    scene = Scene(poll_seconds=1)

    async def find(order: Order) -> VenueOrder:
        for number in (1, 2):
            scene.venue.tell(stands(number, CANCELED))
        return stands(order.order_id, CANCELED)

    scene.venue.find = find  # type: ignore[method-assign]

    async def script() -> None:
        scene.resting(1, 2)
        scene.venue.orders.clear()
        await scene.until(lambda: scene.venue.asked.count("open_orders") == 2)

    play(scene, script)


def test_a_cancel_all_waits_for_a_venue_that_is_away_where_that_is_wanted() -> None:
    """And is carried out then."""
    scene = Scene(when_away="wait")
    scene.venue.reaches = Reach.NATIVE
    scene.venue.errors["cancel_all"] = [VenueAwayError("no connection")]

    async def script() -> None:
        scene.resting(1, 2)
        scene.cancel(1, 2, selector=ALL)
        await scene.until_idle()

    play(scene, script)
    assert {stands(1, CANCELED), stands(2, CANCELED)} <= set(scene.said)


def test_what_the_engine_has_heard_of_an_order_is_not_said_again() -> None:
    """Until something changes, a word was lost, or the engine says anew what it believes."""
    scene = Scene()
    partly = replace(stands(1), cum_qty=Decimal(4))

    async def script() -> None:
        scene.resting(1)
        said: list[VenueRequest] = []
        for word, expected in ((stands(1), 1), (stands(1), 1), (partly, 2), (partly, 2), (stands(1), 3)):
            scene.keeper.heard(word)
            said = scene.said
            assert len(said) == expected
        scene.keeper.say_again()
        scene.keeper.heard(stands(1))
        scene.keeper.heard(stands(1))
        assert len(said) == 4
        scene.keeper.ask(Believed(1, (order(1),), last=True))
        scene.keeper.heard(stands(1))
        assert len(said) == 5
        scene.keeper.heard(stands(1, CANCELED))
        assert said[-1] == stands(1, CANCELED)

    play(scene, script)


@pytest.mark.parametrize("where", ["cancel", "find", "cancel_all", "open_orders"])
def test_a_mistake_of_ours_leaves_no_cancel_behind(where: str) -> None:
    """Its outcome is unknown, which is said, and it is found out all the same."""
    scene = Scene()
    scene.venue.reaches = Reach.NATIVE
    scene.venue.tells = where != "find"
    scene.venue.acts = where not in ("cancel", "open_orders")

    async def script() -> None:
        scene.resting(1, 2)
        selector = ALL if where in ("cancel_all", "open_orders") else None
        scene.venue.errors[where] = [RuntimeError("a mistake")]
        scene.cancel(1, 2, selector=selector)
        await scene.until(lambda: any(isinstance(said, Unknown) for said in scene.said))
        assert scene.keeper.health.unknown
        scene.venue.acts = True
        await scene.until_idle()

    play(scene, script)
    told = [said for said in scene.said if isinstance(said, Unknown)]
    assert all("a mistake of fixgw's own" in said.text for said in told)
    assert {stands(1, CANCELED), stands(2, CANCELED)} <= set(scene.said)
    assert scene.keeper.health.unknown == 0


def test_a_mistake_of_ours_sends_no_order_twice() -> None:
    """It is looked for, as one whose answer was lost."""
    scene = Scene()
    scene.venue.errors["place"] = [RuntimeError("a mistake")]

    async def script() -> None:
        scene.keeper.ask(PlaceOrder(new(1)))
        await scene.until(lambda: bool(scene.said))
        scene.venue.orders[1] = stands(1)  # it had been sent
        await scene.until_idle()

    play(scene, script)
    unknown, last = scene.said
    assert isinstance(unknown, Unknown)
    assert last == stands(1)
    assert scene.venue.asked.count("place 1") == 1


def test_those_who_wait_for_one_look_take_no_turns() -> None:
    """With one request at once, a cancel goes out while others are looked at; the venue gets its pause."""
    scene = Scene(requests_at_once=1)
    scene.venue.finds_together = True
    scene.venue.tells = False
    scene.venue.errors["find"] = [VenueBusyError("slow down", 0.2)]

    async def script() -> None:
        scene.resting(1, 2, 3)
        scene.cancel(1, 2)
        await scene.until(lambda: any(asked.startswith("find") for asked in scene.venue.asked))
        scene.cancel(3)
        await scene.until_idle()

    play(scene, script)
    assert set(scene.said) == {stands(1, CANCELED), stands(2, CANCELED), stands(3, CANCELED)}


@pytest.mark.parametrize("is_native", [True, False])
def test_a_cancel_that_was_sent_before_is_not_said_to_have_not_been(*, is_native: bool) -> None:
    """The venue took one, and is away for the next: the first may still be done, so nobody knows."""
    scene = Scene()
    scene.venue.reaches = Reach.NATIVE
    scene.venue.acts = False

    async def script() -> None:
        scene.resting(1, 2)
        scene.cancel(1, 2, selector=ALL if is_native else None)
        await scene.until(lambda: bool({"cancel_all", "cancel 1"} & set(scene.venue.asked)))
        scene.venue.errors["cancel"] = [VenueAwayError("no connection")] * 2
        await scene.until(lambda: sum(isinstance(said, Unknown) for said in scene.said) == 2)
        scene.venue.acts = True
        await scene.until_idle()

    play(scene, script)
    assert not any(isinstance(said, OrderAnswer) for said in scene.said)
    assert {stands(1, CANCELED), stands(2, CANCELED)} <= set(scene.said)


def test_a_cancel_that_may_have_been_sent_before_a_restart_is_not_said_to_have_not_been() -> None:
    """Nobody knows: it is found out."""
    scene = Scene()
    scene.venue.acts = False

    async def script() -> None:
        scene.venue.orders[1] = stands(1)
        scene.venue.errors["cancel"] = [VenueAwayError("no connection")]
        scene.keeper.ask(Believed(1, (pending(order(1)),), last=True))
        await scene.until(lambda: any(isinstance(said, Unknown) for said in scene.said))
        scene.venue.acts = True
        await scene.until_idle()

    play(scene, script)
    assert not any(isinstance(said, OrderAnswer) for said in scene.said)
    assert scene.said[-1] == stands(1, CANCELED)
