"""How the ends of cancels are heard, and for how long they are waited for."""

import asyncio
from decimal import Decimal

from fixgw.core.errors import failed
from fixgw.core.events import CancelRefused, CancelRequested, OrderCanceled, OrderExpired, OrderFilled
from fixgw.core.order import OrdStatus
from fixgw.edge.api.openalgo.ends import Ends
from fixgw.engine.turn import Happened
from tests.core.build import AT, in_status, ref

SECONDS = 30.0
NO = failed("the venue says no")


def canceled(order_id: int) -> Happened:
    return Happened(OrderCanceled(order_id, AT), in_status(OrdStatus.CANCELED, order_id))


def refused(order_id: int) -> Happened:
    return Happened(CancelRefused(order_id, NO, AT), in_status(OrdStatus.NEW, order_id))


def requested(order_id: int) -> Happened:
    return Happened(CancelRequested(order_id, ref(), AT), in_status(OrdStatus.PENDING_CANCEL, order_id))


def filled(order_id: int, status: OrdStatus) -> Happened:
    return Happened(OrderFilled(order_id, Decimal(1), Decimal(1), AT), in_status(status, order_id))


def test_ends_are_heard_before_and_while_they_are_waited_for() -> None:
    async def run() -> None:
        ends = Ends()
        ends.tell(canceled(1))
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, ends.tell, refused(2))
        loop.call_later(0.02, ends.tell, canceled(9))
        loop.call_later(0.03, ends.tell, filled(3, OrdStatus.FILLED))
        expired = Happened(OrderExpired(4, AT), in_status(OrdStatus.EXPIRED, 4))
        loop.call_later(0.04, ends.tell, expired)
        assert await ends.wait((1, 2, 3, 4), SECONDS) == {
            1: None,
            2: NO,
            3: failed("too late to cancel, the order is FILLED"),
            4: failed("too late to cancel, the order is EXPIRED"),
        }

    asyncio.run(run())


def test_a_fill_in_part_is_no_end() -> None:
    async def run() -> None:
        ends = Ends()
        ends.tell(filled(1, OrdStatus.PENDING_CANCEL))
        assert await ends.wait((1,), 0.01) == {}

    asyncio.run(run())


def test_the_end_of_an_earlier_cancel_is_not_that_of_this_one() -> None:
    async def run() -> None:
        ends = Ends()
        ends.tell(refused(1))
        ends.tell(requested(1))
        assert ends.refused(1) is None
        assert await ends.wait((1,), 0.01) == {}

    asyncio.run(run())


def test_what_is_not_known_in_time_is_left_out() -> None:
    async def run() -> None:
        ends = Ends()
        ends.tell(canceled(1))
        assert await ends.wait((1, 2), 0.01) == {1: None}

    asyncio.run(run())


def test_nothing_is_waited_for_once_nothing_more_can_be_heard() -> None:
    async def run() -> None:
        ends = Ends()
        ends.tell(canceled(1))
        asyncio.get_running_loop().call_later(0.01, ends.lost)
        assert await ends.wait((1, 2), SECONDS) == {1: None}

    asyncio.run(run())


def test_no_orders_are_not_waited_for() -> None:
    assert asyncio.run(Ends().wait((), 0.0)) == {}
