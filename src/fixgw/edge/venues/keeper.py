"""Does on one venue what the engine asks, and says what became of it, however long that takes.

Every order whose outcome is awaited is in one table. Its outcome comes from what the venue says by itself, or
from looking: a cancel's acknowledgement, a time-out or a lost connection are none. An order is sent once. A
cancel is sent again as long as the venue still has the order and has not refused it: that is safe.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial

import structlog

from fixgw.config_tables import VenueTable
from fixgw.core.order import ZERO, Order, OrdStatus
from fixgw.core.requests import VenueOrder, VenueRequest, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import (
    Adapter,
    CancelReject,
    Reach,
    Tell,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.reading import Reader
from fixgw.edge.venues.slots import Slots, Urgency
from fixgw.edge.venues.table import Awaited, Table
from fixgw.engine.venue_asks import Believed, CancelOrders, PlaceOrder, ReadScope, VenueAsk, VenueHealth

log = structlog.get_logger("fixgw.venues")

CANCELS_MAX = 5  # of one order, each after a look that showed it still open
LOOK_SECONDS_MAX = 30.0  # between two looks at an order whose outcome stays unknown
LOST_SECONDS = 30.0  # an order that the venue does not show for so long after it was sent has not reached it
HEALTH_SECONDS = 1.0


class Keeper:
    """Keeps one venue, whose adapter is what `make` makes. `say` hands the venue's words to the engine.

    All methods are for one event loop.
    """

    def __init__(
        self,
        oms_id: int,
        settings: VenueTable,
        make: Callable[[Tell], Adapter],
        say: Callable[[VenueRequest], None],
    ) -> None:
        self._oms_id = oms_id
        self._settings = settings
        self._adapter = make(self.heard)
        self._slots = Slots(settings.requests_at_once, settings.requests_per_second)
        self._table = Table(oms_id, self._adapter, say)
        self._reader = Reader(oms_id, settings, self._adapter, self._slots, self._table, say)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def health(self) -> VenueHealth:
        """How the venue is now."""
        adapter = self._adapter
        return VenueHealth(
            0,
            self._oms_id,
            is_up=adapter.is_up and not self._table.mistake,
            why=self._table.mistake or adapter.why_away,
            seconds=round(self._slots.seconds, 4),
            waiting=self.awaited + self._slots.waiting,
            unknown=self._table.unknown,
        )

    @property
    def awaited(self) -> int:
        """How many outcomes the venue still owes."""
        return len(self._table.awaited)

    async def run(self) -> None:
        """Keep the venue until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._connect())
                group.create_task(self._reader.run())
        finally:
            for task in self._tasks:
                task.cancel()

    async def _connect(self) -> None:
        """Keep the adapter connected, also after a mistake of its own."""
        while True:
            try:
                await self._adapter.run()
            except Exception:
                log.exception("our mistake", venue=self._settings.name)
            await asyncio.sleep(HEALTH_SECONDS)

    def ask(self, ask: VenueAsk) -> None:
        """Do what the engine asks."""
        match ask:
            case PlaceOrder(order=order):
                self._start(self._place(order), [self._await(order, is_cancel=False)])
            case CancelOrders():
                awaited = [self._await(order, is_cancel=True) for order in ask.orders]
                self._start(self._cancel(ask.orders, ask.selector), awaited)
            case ReadScope():
                self._start(self._reader.read_scope(ask))
            case Believed():
                self._believe(ask)

    def say_again(self) -> None:
        """A word was lost on its way to the engine: hold none back that is said again."""
        self._table.say_again()

    def heard(self, said: VenueOrder | CancelReject) -> None:
        """Take what the venue says by itself."""
        if isinstance(said, VenueOrder):
            self._table.stands(said)
            return
        awaited = self._table.named(said)
        if awaited is not None and awaited.is_cancel:
            self._start(self._refused(awaited, said.text))

    def _start(self, work: Awaitable[None], about: Sequence[Awaited] = ()) -> None:
        """Do `work`, in which the outcome of these orders is found out."""

        async def fenced() -> None:
            try:
                await work
            except VenueMistakenError as error:
                self._table.mistake = str(error)
                log.error(
                    "venue is not the one that is configured", venue=self._settings.name, why=str(error)
                )
                self._are_unknown(about, str(error))
            except Exception:
                log.exception("our mistake", venue=self._settings.name)
                self._are_unknown(about, "a mistake of fixgw's own, which is in its log")
                for awaited in about:
                    if self._is_awaited(awaited):
                        self._start(self._begin_again(awaited), [awaited])

        task = asyncio.ensure_future(fenced())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _are_unknown(self, about: Iterable[Awaited], why: str) -> None:
        for awaited in about:
            if self._is_awaited(awaited):
                self._table.is_unknown(awaited.order.order_id, why)

    async def _begin_again(self, awaited: Awaited) -> None:
        """After a mistake of ours, find out about an order as after a restart, less and less often."""
        pause = min(self._settings.confirm_seconds * 2**awaited.mistakes, LOOK_SECONDS_MAX)
        awaited.mistakes += 1
        await self._wait_for_end(awaited.order.order_id, pause)
        if self._is_awaited(awaited):
            order_id = awaited.order.order_id
            await (self._take_up(order_id) if awaited.is_cancel else self._look_until_known(order_id))

    def _await(self, order: Order, *, is_cancel: bool) -> Awaited:
        return self._table.wait_for(order, asyncio.get_running_loop().time(), is_cancel=is_cancel)

    # asking

    async def _place(self, order: Order) -> None:
        try:
            said = await self._slots.ask(Urgency.ORDER, partial(self._adapter.place, order))
        except VenueRefusedError as error:
            self._rejected(order, str(error))
        except VenueAwayError as error:
            self._rejected(order, _not_sent(error))
        except UnknownOutcomeError as error:
            self._table.is_unknown(order.order_id, str(error))
            await self._look_until_known(order.order_id)
        else:
            self._table.stands(said)
            if said.status is VenueStatus.PENDING:
                await self._look_until_known(order.order_id)

    def _rejected(self, order: Order, why: str) -> None:
        self._table.stands(VenueOrder(self._oms_id, order.order_id, "", VenueStatus.REJECTED, text=why))

    async def _cancel(self, orders: Sequence[Order], selector: CancelSelector | None) -> None:
        if selector is not None and len(orders) > 1 and self._adapter.reach(selector) is Reach.NATIVE:
            try:
                await self._slots.ask(Urgency.CANCEL, partial(self._adapter.cancel_all, selector))
            except VenueAwayError as error:
                if not await self._away(orders, error):
                    return
            except VenueRefusedError as error:
                log.warning("venue refused its cancel-all", venue=self._settings.name, why=str(error))
            except UnknownOutcomeError as error:
                for order in orders:
                    self._table.is_unknown(order.order_id, str(error))
                await asyncio.sleep(self._settings.confirm_seconds)
            else:
                for order in orders:
                    self._table.was_canceled(order.order_id)
                await asyncio.sleep(self._settings.confirm_seconds)
            await self._look_at_all(orders)
        for order in self._first(orders):
            if (awaited := self._table.awaited.get(order.order_id)) is not None:
                self._start(self._cancel_one(order.order_id), [awaited])

    def _first(self, orders: Iterable[Order]) -> list[Order]:
        """The orders in the order in which they are canceled."""
        if self._settings.cancel_first == "largest":
            return sorted(orders, key=_exposure, reverse=True)
        return list(orders)

    async def _cancel_one(self, order_id: int) -> None:
        """Cancel one order until its end is known; again after each look that shows it still open."""
        awaited = self._table.awaited.get(order_id)
        if awaited is None:
            return
        order, pause = awaited.order, float(self._settings.confirm_seconds)
        while self._is_awaited(awaited) and awaited.cancels < CANCELS_MAX:
            try:
                said = await self._slots.ask(Urgency.CANCEL, partial(self._adapter.cancel, order))
            except VenueRefusedError as error:
                await self._refused(awaited, str(error))
                return
            except VenueAwayError as error:
                if not await self._away([order], error):
                    return
                await self._wait_for_end(order_id, pause)  # it may be up, and away behind that
                pause = min(pause * 2, LOOK_SECONDS_MAX)
                continue
            except UnknownOutcomeError as error:
                self._table.is_unknown(order_id, str(error))
                await self._look(order_id)  # the venue may know already
                await self._wait_for_end(order_id, pause)
                pause = min(pause * 2, LOOK_SECONDS_MAX)
            else:
                self._table.was_canceled(order_id)
                if said is not None:
                    self._table.stands(said)
                await self._wait_for_end(order_id, self._settings.confirm_seconds)
            while not await self._look(order_id):
                await self._wait_for_end(order_id, pause)
                pause = min(pause * 2, LOOK_SECONDS_MAX)
        if self._is_awaited(awaited):
            self._table.answer(order_id, f"the venue took {CANCELS_MAX} cancels and still has the order open")

    def _is_awaited(self, awaited: Awaited) -> bool:
        """Whether this outcome is awaited still, and not that of a later cancel of the order."""
        return self._table.awaited.get(awaited.order.order_id) is awaited

    async def _away(self, orders: Sequence[Order], error: VenueAwayError) -> bool:
        """The venue is away and nothing was sent: wait for it, or say so. Whether it was waited for."""
        about = [self._table.awaited[one.order_id] for one in orders if one.order_id in self._table.awaited]
        if self._settings.when_away == "answer" and not any(one.is_unknown or one.cancels for one in about):
            for one in about:
                self._table.answer(one.order.order_id, _not_sent(error))
            return False
        for one in about:
            if one.cancels:  # this time nothing was sent; what was sent before may still be done
                self._table.is_unknown(one.order.order_id, str(error))
        while not self._adapter.is_up:
            await asyncio.sleep(0.1)
        return True

    async def _refused(self, awaited: Awaited, why: str) -> None:
        """The venue refused a cancel: the order may have ended before, which is what is said then."""
        await self._look(awaited.order.order_id)
        self._table.answer(awaited.order.order_id, why)

    # looking

    async def _wait_for_end(self, order_id: int, seconds: float) -> None:
        """Give the venue the time to say it by itself."""
        awaited = self._table.awaited.get(order_id)
        if awaited is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await awaited.ended.wait()

    async def _look(self, order_id: int) -> bool:
        """See how an awaited order stands, and say it. False when that could not be seen."""
        awaited = self._table.awaited.get(order_id)
        if awaited is None:
            return True
        order = awaited.order
        try:
            if self._adapter.finds_together:  # very many who wait for one answer must not take all turns
                said = await self._adapter.find(order)
            else:
                said = await self._slots.ask(Urgency.LOOK, partial(self._adapter.find, order))
        except VenueBusyError as busy:
            self._slots.pause(busy.seconds)
            return False
        except (VenueAwayError, UnknownOutcomeError, VenueRefusedError) as error:
            self._table.is_unknown(order_id, str(error))
            return False
        if said is not None:
            awaited.is_unknown = False
            self._table.stands(said)
            return True
        why = "the venue does not have this order"
        if order.on_venue:  # any more; how it ended cannot be made up
            self._table.is_unknown(order_id, why)
        elif asyncio.get_running_loop().time() - awaited.since > LOST_SECONDS:
            self._rejected(order, why)
            return True
        return False

    async def _look_until_known(self, order_id: int) -> None:
        """Look again and again, less and less often, until the outcome of an order is known."""
        pause = float(self._settings.confirm_seconds)
        while order_id in self._table.awaited:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LOOK_SECONDS_MAX)
            await self._look(order_id)

    async def _look_at_all(self, orders: Sequence[Order]) -> None:
        """See how many orders stand with one look at all that are open, unless none is awaited any more."""
        if not any(order.order_id in self._table.awaited for order in orders):
            return
        try:
            listed = await self._slots.ask(Urgency.LOOK, partial(self._adapter.open_orders, None))
        except (VenueAwayError, UnknownOutcomeError, VenueRefusedError):
            return
        still = {said.order_id for said in listed}
        for order in orders:
            if order.order_id not in still:
                await self._look(order.order_id)

    # beginning

    def _believe(self, ask: Believed) -> None:
        """Take over what the engine believes: what was asked before is found out, and never asked again."""
        for order in ask.orders:
            self._table.know(order)
            if order.order_id in self._table.awaited:
                continue
            if order.status is OrdStatus.PENDING_NEW:
                self._start(self._look_until_known(order.order_id), [self._await(order, is_cancel=False)])
            elif order.status is OrdStatus.PENDING_CANCEL:
                awaited = self._await(order, is_cancel=True)
                self._table.was_canceled(order.order_id)  # as far as anybody knows
                self._start(self._take_up(order.order_id), [awaited])
        self._table.is_believed = self._table.is_believed or ask.last

    async def _take_up(self, order_id: int) -> None:
        """A cancel that may have been sent or not: see, and send it when the order is still open."""
        await self._look(order_id)
        await self._cancel_one(order_id)


def _exposure(order: Order) -> Decimal:
    return order.leaves_qty * (order.price or order.stop_px or ZERO)


def _not_sent(error: VenueAwayError) -> str:
    """What is told of it. The reason may be long, and Text(58) has an end."""
    return f"nothing was sent to the venue: {error}"
