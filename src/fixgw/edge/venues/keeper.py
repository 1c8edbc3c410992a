"""Does on one venue what the engine asks, and says what became of it, however long that takes.

Every order whose outcome is awaited is in one table. Its outcome comes from what the venue says by itself, or
from looking: a cancel's acknowledgement, a time-out or a lost connection are none. An order is sent once. A
cancel is sent again as long as the venue still has the order and has not refused it: that is safe.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

import structlog
from msgspec import Struct

from fixgw.config_tables import VenueTable
from fixgw.core.order import ZERO, Order, OrdStatus
from fixgw.core.requests import OrderAnswer, ScopeRead, Unknown, VenueOrder, VenueRequest, VenueStatus
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
from fixgw.edge.venues.slots import Slots, Urgency
from fixgw.engine.venue_asks import Believed, CancelOrders, PlaceOrder, ReadScope, VenueAsk, VenueHealth

log = structlog.get_logger("fixgw.venues")

CANCELS_MAX = 5  # of one order, each after a look that showed it still open
LOOK_SECONDS_MAX = 30.0  # between two looks at an order whose outcome stays unknown
LOST_SECONDS = 30.0  # an order that the venue does not show for so long after it was sent has not reached it
HEALTH_SECONDS = 1.0

_T = TypeVar("_T")


class Awaited(Struct):
    """An order whose outcome is awaited, and since when (seconds of the loop's clock).

    `is_cancel`: that of its cancel, else that of its entry. `looks` and `cancels` count what was tried.
    """

    order: Order
    is_cancel: bool
    since: float
    cancels: int = 0
    looks: int = 0
    is_unknown: bool = False


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
        self._say = say
        self._slots = Slots(settings.requests_at_once, settings.requests_per_second)
        self._open: dict[int, Order] = {}
        self._awaited: dict[int, Awaited] = {}
        self._is_believed = False  # whether the engine has said which orders are its own
        self._tasks: set[asyncio.Task[None]] = set()
        self._seconds = 0.0
        self._mistake = ""

    @property
    def health(self) -> VenueHealth:
        """How the venue is now."""
        adapter = self._adapter
        return VenueHealth(
            0,
            self._oms_id,
            is_up=adapter.is_up and not self._mistake,
            why=self._mistake or adapter.why_away,
            seconds=round(self._seconds, 4),
            waiting=len(self._awaited) + self._slots.waiting,
            unknown=sum(awaited.is_unknown for awaited in self._awaited.values()),
        )

    async def run(self) -> None:
        """Keep the venue until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._connect())
            group.create_task(self._read_again())

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
                self._await(order, is_cancel=False)
                self._start(self._place(order))
            case CancelOrders():
                for order in ask.orders:
                    self._await(order, is_cancel=True)
                self._start(self._cancel(ask.orders, ask.selector))
            case ReadScope():
                self._start(self._read_scope(ask))
            case Believed():
                self._believe(ask)

    def heard(self, said: VenueOrder | CancelReject) -> None:
        """Take what the venue says by itself."""
        if isinstance(said, VenueOrder):
            self._stands(said)
            return
        awaited = self._awaited.get(said.order_id) or self._by_venue_id(said.venue_order_id)
        if awaited is not None and awaited.is_cancel:
            self._start(self._refused(awaited, said.text))

    def _by_venue_id(self, venue_order_id: str) -> Awaited | None:
        if not venue_order_id:
            return None
        found = (one for one in self._awaited.values() if one.order.venue_order_id == venue_order_id)
        return next(found, None)

    def _start(self, work: Awaitable[None]) -> None:
        async def fenced() -> None:
            try:
                await work
            except VenueMistakenError as error:
                self._mistake = str(error)
                log.error(
                    "venue is not the one that is configured", venue=self._settings.name, why=str(error)
                )
            except Exception:
                log.exception("our mistake", venue=self._settings.name)

        task = asyncio.ensure_future(fenced())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _await(self, order: Order, *, is_cancel: bool) -> Awaited:
        self._adapter.know(order)
        self._open[order.order_id] = order
        awaited = Awaited(order, is_cancel, asyncio.get_running_loop().time())
        self._awaited[order.order_id] = awaited
        return awaited

    def _stands(self, said: VenueOrder) -> None:
        """Say how an order stands, and see whether that is what was awaited."""
        if not said.order_id and not self._is_believed:
            return  # it may be one of those that the engine is about to say: it is read again
        if said.status is VenueStatus.PENDING:
            return
        self._say(said)
        order_id = said.order_id
        awaited = self._awaited.get(order_id)
        if said.status is not VenueStatus.OPEN:
            self._awaited.pop(order_id, None)
            order = self._open.pop(order_id, None)
            if order is not None:
                self._adapter.forget(order)
        elif awaited is not None and not awaited.is_cancel:
            del self._awaited[order_id]

    # asking

    async def _asked(self, urgency: Urgency, request: Callable[[], Awaitable[_T]]) -> _T:
        """Ask the venue something when it is its turn; again after each pause that the venue asks for."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._slots.take(urgency):
                began = loop.time()
                try:
                    answer = await request()
                except VenueBusyError as busy:
                    self._slots.pause(busy.seconds)
                    continue
                self._seconds = loop.time() - began
                return answer

    async def _place(self, order: Order) -> None:
        try:
            said = await self._asked(Urgency.ORDER, partial(self._adapter.place, order))
        except (VenueRefusedError, VenueAwayError) as error:
            self._stands(VenueOrder(self._oms_id, order.order_id, "", VenueStatus.REJECTED, text=str(error)))
        except UnknownOutcomeError as error:
            self._is_unknown(order.order_id, str(error))
            await self._look_until_known(order.order_id)
        else:
            self._stands(said)
            if said.status is VenueStatus.PENDING:
                await self._look_until_known(order.order_id)

    async def _cancel(self, orders: Sequence[Order], selector: CancelSelector | None) -> None:
        if selector is not None and len(orders) > 1 and self._adapter.reach(selector) is Reach.NATIVE:
            try:
                await self._asked(Urgency.CANCEL, partial(self._adapter.cancel_all, selector))
            except VenueAwayError as error:
                await self._away(orders, str(error))
                return
            except UnknownOutcomeError as error:
                for order in orders:
                    self._is_unknown(order.order_id, str(error))
            except VenueRefusedError as error:
                log.warning("venue refused its cancel-all", venue=self._settings.name, why=str(error))
            else:
                await asyncio.sleep(self._settings.confirm_seconds)
            await self._look_at_all(orders)
        for order in self._first(orders):
            if order.order_id in self._awaited:
                self._start(self._cancel_one(order.order_id))

    def _first(self, orders: Iterable[Order]) -> list[Order]:
        """The orders in the order in which they are canceled."""
        if self._settings.cancel_first == "largest":
            return sorted(orders, key=_exposure, reverse=True)
        return list(orders)

    async def _cancel_one(self, order_id: int) -> None:
        """Cancel one order until its end is known. It is sent again only to an order that was seen open."""
        while (awaited := self._awaited.get(order_id)) is not None:
            if awaited.cancels == CANCELS_MAX:
                self._answer(order_id, f"the venue took {CANCELS_MAX} cancels and still has the order open")
                return
            awaited.cancels += 1
            order = awaited.order
            try:
                said = await self._asked(Urgency.CANCEL, partial(self._adapter.cancel, order))
            except VenueRefusedError as error:
                await self._refused(awaited, str(error))
                return
            except VenueAwayError as error:
                awaited.cancels -= 1
                if not await self._away([order], str(error)):
                    return
                continue
            except UnknownOutcomeError as error:
                self._is_unknown(order_id, str(error))
            else:
                if said is not None:
                    self._stands(said)
            await self._wait_for_end(order_id)
            await self._look_until_seen(order_id)

    async def _away(self, orders: Sequence[Order], why: str) -> bool:
        """The venue is away and nothing was sent: wait for it, or say so. Whether it was waited for."""
        if self._settings.when_away == "answer" and not any(
            (awaited := self._awaited.get(order.order_id)) is not None and awaited.is_unknown
            for order in orders
        ):
            for order in orders:
                self._answer(order.order_id, f"{why}; nothing was sent to the venue")
            return False
        while not self._adapter.is_up:
            await asyncio.sleep(0.1)
        return True

    async def _refused(self, awaited: Awaited, why: str) -> None:
        """The venue refused a cancel: the order may have ended before, which is what is said then."""
        await self._look(awaited.order.order_id)
        self._answer(awaited.order.order_id, why)

    def _answer(self, order_id: int, refused: str) -> None:
        if (awaited := self._awaited.pop(order_id, None)) is not None and awaited.is_cancel:
            self._say(OrderAnswer(order_id, refused))

    def _is_unknown(self, order_id: int, why: str) -> None:
        awaited = self._awaited.get(order_id)
        if awaited is not None and not awaited.is_unknown:
            awaited.is_unknown = True
            what = "cancel" if awaited.is_cancel else "order"
            self._say(Unknown(order_id, f"outcome of the {what} unknown: {why}; the venue is being asked"))

    # looking

    async def _wait_for_end(self, order_id: int) -> None:
        """Give the venue the time to say it by itself."""
        until = asyncio.get_running_loop().time() + self._settings.confirm_seconds
        while order_id in self._awaited and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)

    async def _look(self, order_id: int) -> bool:
        """See how an awaited order stands, and say it. False when that cannot be seen."""
        awaited = self._awaited.get(order_id)
        if awaited is None:
            return True
        order = awaited.order
        try:
            said = await self._asked(Urgency.LOOK, partial(self._adapter.find, order))
        except (VenueAwayError, UnknownOutcomeError, VenueRefusedError) as error:
            self._is_unknown(order_id, str(error))
            return False
        if said is not None:
            awaited.is_unknown = False
            self._stands(said)
            return True
        lost = asyncio.get_running_loop().time() - awaited.since > LOST_SECONDS
        if lost and not order.on_venue:
            why = "the venue does not have this order"
            self._stands(VenueOrder(self._oms_id, order_id, "", VenueStatus.REJECTED, text=why))
            return True
        return False

    async def _look_until_seen(self, order_id: int) -> None:
        """Look, less and less often, until it is seen how an order stands."""
        pause = float(self._settings.confirm_seconds)
        while not await self._look(order_id):
            await asyncio.sleep(pause)
            pause = min(pause * 2, LOOK_SECONDS_MAX)

    async def _look_until_known(self, order_id: int) -> None:
        """Look again and again, less and less often, until the outcome of an order is known."""
        pause = float(self._settings.confirm_seconds)
        while order_id in self._awaited:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LOOK_SECONDS_MAX)
            await self._look(order_id)

    async def _look_at_all(self, orders: Sequence[Order]) -> None:
        """See how many orders stand with one look at all that are open."""
        try:
            listed = await self._asked(Urgency.LOOK, partial(self._adapter.open_orders, None))
        except (VenueAwayError, UnknownOutcomeError, VenueRefusedError):
            return
        still = {said.order_id for said in listed}
        for order in orders:
            if order.order_id not in still:
                await self._look(order.order_id)

    async def _read(self, selector: CancelSelector | None) -> None:
        """Read the venue's open orders, say them, and find those that are believed open and are not there."""
        before = set(self._open)
        listed = await self._asked(Urgency.LOOK, partial(self._adapter.open_orders, selector))
        for said in listed:
            self._stands(said)
        there = {said.order_id for said in listed} | {said.venue_order_id for said in listed}
        for order_id in before & self._open.keys():
            order = self._open[order_id]
            if order_id in there or order.venue_order_id in there or not _is_within(order, selector):
                continue
            try:
                said_of = await self._asked(Urgency.LOOK, partial(self._adapter.find, order))
            except UnknownOutcomeError:  # this one cannot be said; the others are looked at all the same
                continue
            if said_of is not None:
                self._stands(said_of)

    async def _read_scope(self, ask: ReadScope) -> None:
        if self._adapter.reach(ask.selector) is Reach.REFUSED:
            self._say(ScopeRead(self._oms_id, ask.mass_cancel_id, "this venue cannot do that"))
            return
        try:
            await self._read(ask.selector)
        except (VenueAwayError, VenueRefusedError, UnknownOutcomeError) as error:
            self._say(
                ScopeRead(self._oms_id, ask.mass_cancel_id, f"the venue's orders cannot be read: {error}")
            )
            return
        self._say(ScopeRead(self._oms_id, ask.mass_cancel_id))

    async def _read_again(self) -> None:
        """Read the venue's orders when it comes back, and from time to time."""
        was_up = False
        read_at = pause = 0.0
        loop = asyncio.get_running_loop()
        while True:
            is_up = self._adapter.is_up and not self._mistake
            if is_up and (not was_up or loop.time() >= read_at):
                read_at = loop.time() + self._settings.poll_seconds
                try:
                    await self._read(None)
                except (VenueAwayError, VenueRefusedError, UnknownOutcomeError) as error:
                    pause = min(max(pause * 2, 0.5), LOOK_SECONDS_MAX)
                    read_at = loop.time() + pause
                    log.warning("venue's orders not read", venue=self._settings.name, why=str(error))
                except VenueMistakenError as error:
                    self._mistake = str(error)
                    log.error("venue is another one", venue=self._settings.name, why=str(error))
                else:
                    pause = 0.0
            was_up = is_up
            await asyncio.sleep(0.1)

    # beginning

    def _believe(self, ask: Believed) -> None:
        """Take over what the engine believes: what was asked before is found out, and never asked again."""
        for order in ask.orders:
            self._adapter.know(order)
            self._open[order.order_id] = order
            if order.order_id in self._awaited:
                continue
            if order.status is OrdStatus.PENDING_NEW:
                self._await(order, is_cancel=False)
                self._start(self._look_until_known(order.order_id))
            elif order.status is OrdStatus.PENDING_CANCEL:
                self._await(order, is_cancel=True)
                self._start(self._take_up(order.order_id))
        self._is_believed = self._is_believed or ask.last

    async def _take_up(self, order_id: int) -> None:
        """A cancel that may have been sent or not: see, and send it when the order is still open."""
        await self._look(order_id)
        await self._cancel_one(order_id)


def _exposure(order: Order) -> Decimal:
    return order.leaves_qty * (order.price or order.stop_px or ZERO)


def _is_within(order: Order, selector: CancelSelector | None) -> bool:
    return selector is None or selector.matches(order)
