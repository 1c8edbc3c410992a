"""The edge's end of the link against a real engine: order, what is told, kills and large answers."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
import structlog

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import ErrorCode
from fixgw.core.events import CancelRequested, OrderCanceled, OrderEntered, OrderFilled
from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import (
    CancelOrder,
    FillOrder,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderAnswer,
    OrderStatus,
    Unknown,
    VenueRequest,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.engine_link import WAITING_MAX, EngineAwayError, EngineLink
from fixgw.engine.sandbox import HoldCancels, ReleaseCancels
from fixgw.engine.turn import Answered, Happened
from tests.gateway import Gateway
from tests.wire import Client, fresh

DOOR = "test"
OMS = OmsName(oms_id=1)
EVERYTHING = Scope(ScopeType.ALL)
MANY = 20_000
LISTED = 9_000
AT_ONCE = 5_000  # requests under way while the many are entered
STALL_SECONDS = 2.0  # for a loaded machine; a quiet one takes a quarter of it
SHORT_SECONDS = 0.4


@asynccontextmanager
async def linked(gateway: Gateway, answer_seconds: float = 30.0) -> AsyncIterator[EngineLink]:
    """A link to the engine of `gateway`, which is up."""
    link = EngineLink(gateway.data, answer_seconds)
    running = asyncio.ensure_future(link.run())
    try:
        await holds(lambda: link.is_up)
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def holds(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def new_order(account_id: int = 14, user_id: int = 37, cl_ord_id: str | None = None) -> NewOrder:
    """A good order."""
    return NewOrder(
        user_id=user_id,
        oms=OMS,
        cl_ord_id=cl_ord_id,
        instrument=InstrumentName(security_id="25"),
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal(10),
        price=Decimal(100),
        account_id=account_id,
    )


async def entered(link: EngineLink, account_id: int = 14, user_id: int = 37) -> int:
    """The id of an order that rests now."""
    [order] = (await link.ask(DOOR, new_order(account_id, user_id))).orders
    return order.order_id


def cancel(order_id: int, user_id: int = 37) -> CancelOrder:
    """The cancel of this order."""
    return CancelOrder(user_id=user_id, oms=OMS, order_id=order_id)


def names(heard: list[Happened]) -> list[tuple[str, int]]:
    """What happened, and to which order."""
    return [(type(one.event).__name__, one.order.order_id) for one in heard]


def nothing() -> None:
    """For a watch that is not to lose anything."""


def test_what_answers_lead_to_is_done_when_all_of_them_are_told(gateway: Gateway) -> None:
    """Before anything else that the event loop has to do; what nothing was told before waits for its turn."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        done: list[str] = []
        async with linked(gateway) as link:
            request = cancel(await entered(link))

            def answered(_: object) -> None:
                loop.call_soon(done.append, "later")
                link.soon(fail)
                link.soon(lambda: done.append("told"))
                done.append("answered")

            def fail() -> None:
                raise ValueError("our mistake")

            link.ask_for(DOOR, request, answered)
            await holds(lambda: len(done) == 3)
            assert done == ["answered", "told", "later"]
            link.soon(lambda: done.append("soon"))
            assert "soon" not in done
            await asyncio.sleep(0)
            assert done[-1] == "soon"

    asyncio.run(run())


def test_requests_without_waiting_are_decided_in_their_order(gateway: Gateway) -> None:
    """An order entered, canceled, canceled again, and asked for, in one go: each answer is its request's."""

    async def run() -> None:
        async with linked(gateway) as link:
            first = await entered(link)
            futures = []
            for number in range(first + 1, first + 201):
                futures.append(link.ask(DOOR, new_order(cl_ord_id=f"p{number}")))
                futures.append(link.ask(DOOR, cancel(number)))
                futures.append(link.ask(DOOR, cancel(number)))
                futures.append(link.ask(DOOR, OrderStatus(user_id=37, oms=OMS, order_id=number)))
            answers = await asyncio.gather(*futures)
            for position, number in enumerate(range(first + 1, first + 201)):
                new, canceled, too_late, status = answers[4 * position : 4 * position + 4]
                assert [order.order_id for order in new.orders] == [number]
                assert new.orders[0].cl_ord_id == f"p{number}"
                assert [order.order_id for order in canceled.orders] == [number]
                assert not canceled.orders[0].is_open
                assert too_late.refusal is not None
                assert too_late.refusal.code is ErrorCode.OPERATION_FAILED
                assert [order.order_id for order in status.orders] == [number]

    asyncio.run(run())


def test_answers_and_what_is_told_come_in_the_order_in_which_they_were(gateway: Gateway) -> None:
    """When something is told, exactly the answers that came before it are there.

    So a list that was asked for, and what is told from then on, are together what is true.
    """

    async def run() -> None:
        async with linked(gateway) as link:
            asking: list[asyncio.Future[Answered]] = []
            came: list[tuple[str, int]] = []

            def tell(told: Happened) -> None:
                came.append((type(told.event).__name__, sum(answer.done() for answer in asking)))

            watch = await link.watch([14], tell, nothing)
            number = await entered(link, 15)
            for _ in range(20):
                asking.append(link.ask(DOOR, new_order()))
                listing = MassStatus(user_id=39, oms=OMS, scope=EVERYTHING, req_id="x", account_id=16)
                asking.append(link.ask(DOOR, listing))
                asking.append(link.ask(DOOR, cancel(number := number + 1)))
            await asyncio.gather(*asking)
            await holds(lambda: len(came) == 40)
            link.unwatch(watch)
            for place in range(20):
                first = 3 * place
                assert came[2 * place : 2 * place + 2] == [
                    ("OrderEntered", first),
                    ("OrderCanceled", first + 2),
                ]

    asyncio.run(run())


def test_a_watch_hears_in_order_of_its_accounts_alone(gateway: Gateway) -> None:
    """Whoever did it, through whatever door; an account of another watch is not its business."""

    async def run() -> None:
        trader = await asyncio.to_thread(gateway.ready, "TRADER37")
        async with linked(gateway) as link:
            shared: list[Happened] = []
            both: list[Happened] = []
            of_14 = await link.watch([14], shared.append, nothing)
            of_both = await link.watch([14, 15], both.append, nothing)
            ours = await entered(link)
            other = await entered(link, 15)
            await entered(link, 16, 39)
            await asyncio.to_thread(trader.drain)
            over_fix = int((await asyncio.to_thread(trader.rest)).order_id)
            assert (await asyncio.to_thread(gateway.say, FillOrder(ours, Decimal(4)))).errorcode == 0
            await asyncio.to_thread(gateway.say, HoldCancels())
            await link.ask(DOOR, cancel(ours))
            await asyncio.to_thread(gateway.say, ReleaseCancels())
            await link.ask(DOOR, cancel(other))
            await link.ask(DOOR, cancel(over_fix, 38))
            await holds(lambda: len(shared) == 6 and len(both) == 8)
            assert names(shared) == [
                (OrderEntered.__name__, ours),
                (OrderEntered.__name__, over_fix),
                (OrderFilled.__name__, ours),
                (CancelRequested.__name__, ours),
                (OrderCanceled.__name__, ours),
                (OrderCanceled.__name__, over_fix),
            ]
            assert [one for one in names(both) if one[1] != other] == names(shared)
            assert [one.order.leaves_qty for one in shared] == [10, 10, 6, 6, 0, 0]
            link.unwatch(of_14)
            link.unwatch(of_both)
        await asyncio.to_thread(trader.drain)

    asyncio.run(run())


def test_after_an_unwatch_nothing_more_is_heard(gateway: Gateway) -> None:
    """Not even of what the engine has told already; and another watch of the same account goes on."""

    async def run() -> None:
        async with linked(gateway) as link:
            stays: list[Happened] = []
            goes: list[Happened] = []
            staying = await link.watch([14], stays.append, nothing)
            going = await link.watch([14, 15], goes.append, nothing)
            await entered(link)
            await holds(lambda: len(stays) == len(goes) == 1)
            asked = [link.ask(DOOR, new_order()) for _ in range(10)]
            link.unwatch(going)
            await asyncio.gather(*asked)
            await entered(link, 15)
            await entered(link)
            await holds(lambda: len(stays) == 12)
            assert len(goes) == 1
            link.unwatch(staying)
            await entered(link)
            await entered(link)
            assert len(stays) == 12
            again: list[Happened] = []
            await link.watch([14], again.append, nothing)
            await entered(link)
            await holds(lambda: len(again) == 1)

    asyncio.run(run())


def test_venues_words_are_answered_together(gateway: Gateway) -> None:
    """With those that cannot be; the others are heard."""

    async def run() -> None:
        async with linked(gateway) as link:
            first, second = await entered(link), await entered(link)
            words: list[VenueRequest] = [
                OrderAnswer(first),
                OrderAnswer(second, "no"),
                Unknown(first, "late"),
                OrderAnswer(second),
            ]
            answered = await link.say(words)
            assert answered.refusal is None
            assert [(order_id, refusal.code) for order_id, refusal in answered.refused] == [
                (second, ErrorCode.OPERATION_FAILED),
                (first, ErrorCode.OPERATION_FAILED),
            ]
            asked = [OrderStatus(user_id=37, oms=OMS, order_id=number) for number in (first, second)]
            for one in asked:
                assert not (await link.ask(DOOR, one)).orders[0].is_open

    asyncio.run(run())


def test_one_who_fails_when_told_harms_nobody_else(gateway: Gateway) -> None:
    """Neither the link nor the other watches; it is logged as our mistake."""

    async def run() -> None:
        async with linked(gateway) as link:

            def fails(told: Happened) -> None:
                raise ValueError(told)

            heard: list[Happened] = []
            await link.watch([14], fails, nothing)
            await link.watch([14], heard.append, nothing)
            with structlog.testing.capture_logs() as logs:
                for _ in range(5):
                    await entered(link)
                await holds(lambda: len(heard) == 5)
            assert [line["event"] for line in logs] == ["our mistake"] * 5

    asyncio.run(run())


def test_a_text_that_cannot_be_sent_is_refused_and_leaves_nothing_behind(gateway: Gateway) -> None:
    """Half a surrogate pair is no text: the one who asks is told, and the next request is answered."""

    async def run() -> None:
        async with linked(gateway, SHORT_SECONDS) as link:
            with pytest.raises(UnicodeEncodeError):
                link.ask(DOOR, new_order(cl_ord_id="\ud800"))
            assert (await link.ask(DOOR, new_order())).orders

    asyncio.run(run())


def test_without_an_engine_nothing_is_sent(gateway: Gateway) -> None:
    """And it is said so, before the first connection too."""

    async def run() -> None:
        link = EngineLink(gateway.data, 10)
        with pytest.raises(EngineAwayError) as raised:
            await link.ask(DOOR, new_order())
        assert not raised.value.was_sent
        with pytest.raises(EngineAwayError) as raised:
            await link.watch([14], lambda _: None, nothing)
        assert not raised.value.was_sent

    asyncio.run(run())


def test_what_is_not_answered_in_time_is_given_up(gateway: Gateway) -> None:
    """Its outcome is not known; it is carried out, and its answer is not taken for another's."""

    async def run() -> None:
        async with linked(gateway, SHORT_SECONDS) as link:
            before = await entered(link)
            engine = gateway.engine
            os.kill(engine, signal.SIGSTOP)
            try:
                late = link.ask(DOOR, new_order())
                with pytest.raises(EngineAwayError, match=r"0\.4 s") as raised:
                    await late
                assert raised.value.was_sent
            finally:
                os.kill(engine, signal.SIGCONT)
            [answer] = await asyncio.gather(link.ask(DOOR, new_order()))
            assert [order.order_id for order in answer.orders] == [before + 2]

    asyncio.run(run())


def test_too_much_at_once_is_refused_unsent(gateway: Gateway) -> None:
    """What waits for the engine is bounded; all that was sent is answered."""

    async def run() -> None:
        async with linked(gateway, 60) as link:
            status = OrderStatus(user_id=37, oms=OMS, order_id=1)
            asked = [link.ask(DOOR, status) for _ in range(WAITING_MAX + 1)]
            with pytest.raises(EngineAwayError) as raised:
                await asked.pop()
            assert not raised.value.was_sent
            assert len(await asyncio.gather(*asked)) == WAITING_MAX

    asyncio.run(run())


def test_a_killed_engine_is_noticed_and_the_next_one_is_found(gateway: Gateway) -> None:
    """What was under way has an unknown outcome, watches are told that they are lost, and all begins anew."""

    async def run() -> None:
        async with linked(gateway) as link:
            lost: list[str] = []
            heard: list[Happened] = []
            await link.watch([14], heard.append, lambda: lost.append("first"))
            await link.watch([15], heard.append, lambda: lost.append("second"))
            closed = await link.watch([14], heard.append, lambda: lost.append("closed"))
            link.unwatch(closed)
            rests = await entered(link)
            await holds(lambda: len(heard) == 1)
            os.kill(gateway.engine, signal.SIGSTOP)
            under_way = [link.ask(DOOR, cancel(rests)) for _ in range(3)]
            watching = asyncio.ensure_future(link.watch([16], heard.append, lambda: lost.append("late")))
            await asyncio.sleep(0)  # now they are sent
            await asyncio.to_thread(gateway.kill_engine)
            for ended in await asyncio.gather(*under_way, watching, return_exceptions=True):
                assert isinstance(ended, EngineAwayError)
                assert ended.was_sent
            assert set(lost) - {"late"} == {"first", "second"}
            assert not link.is_up
            with pytest.raises(EngineAwayError) as raised:
                await link.ask(DOOR, cancel(rests))
            assert not raised.value.was_sent
            await asyncio.to_thread(gateway.until_ready)
            await holds(lambda: link.is_up)
            [order] = (await link.ask(DOOR, OrderStatus(user_id=37, oms=OMS, order_id=rests))).orders
            assert order.is_open
            assert len(heard) == 1
            again: list[Happened] = []
            await link.watch([14], again.append, nothing)
            await link.ask(DOOR, cancel(rests))
            await holds(lambda: len(again) == 1)
            assert names(again) == [(OrderCanceled.__name__, rests)]
            assert len(heard) == 1

    asyncio.run(run())


class RoundTrips:
    """A FIX client that asks again and again; `longest` is the longest it waited, in seconds."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._goes_on = True
        self.longest = 0.0
        self.count = 0

    def run(self) -> None:
        """Ask until told to stop, in a thread."""
        while self._goes_on:
            started = time.monotonic()
            self._client.send("H", (11, fresh("h")), (37, "1"), (55, "BTC-USD"), (54, "1"))
            self._client.next()
            self.longest = max(self.longest, time.monotonic() - started)
            self.count += 1
            time.sleep(0.002)

    def stop(self) -> None:
        """No more."""
        self._goes_on = False


def test_very_many_orders_are_listed_canceled_and_told_of_whole(gateway: Gateway) -> None:
    """And a FIX client beside it waits for a fraction of a second at most."""
    gateway.clean()

    async def run() -> None:
        stranger = await asyncio.to_thread(gateway.client, "TRADER39")
        trips = RoundTrips(stranger)
        async with linked(gateway, 60) as link:
            heard: list[Happened] = []
            await link.watch([14, 15], heard.append, nothing)
            ids: list[int] = []
            for first in range(0, MANY, AT_ONCE):
                accounts = [15 if number < LISTED else 14 for number in range(first, first + AT_ONCE)]
                answers = await asyncio.gather(*(link.ask(DOOR, new_order(one)) for one in accounts))
                ids += [order.order_id for answer in answers for order in answer.orders]
            await holds(lambda: len(heard) == MANY)
            asking = asyncio.ensure_future(asyncio.to_thread(trips.run))
            listing = MassStatus(
                user_id=37, oms=OMS, scope=EVERYTHING, account_id=15, req_id="api", most=LISTED
            )
            listed = await link.ask(DOOR, listing)
            assert [order.order_id for order in listed.orders] == ids[:LISTED]
            assert all(order.is_open for order in listed.orders)
            del heard[:]
            canceled: Answered = await link.ask(DOOR, MassCancel(user_id=1, oms=OMS, scope=EVERYTHING))
            assert list(canceled.canceled) == ids
            assert not canceled.pending
            assert not canceled.refused
            await holds(lambda: len(heard) == MANY)
            assert names(heard) == [(OrderCanceled.__name__, number) for number in ids]
            trips.stop()
            await asking
        assert trips.count > 1
        assert trips.longest < STALL_SECONDS

    asyncio.run(run())
