"""The orders of one venue that are open as far as is known, and those whose outcome is awaited."""

import asyncio
from collections.abc import Callable

from msgspec import Struct, field

from fixgw.core.order import Order
from fixgw.core.requests import OrderAnswer, Unknown, VenueOrder, VenueRequest, VenueStatus
from fixgw.edge.venues.contract import Adapter, CancelReject


class Awaited(Struct):
    """An order whose outcome is awaited, and since when (seconds of the loop's clock).

    `is_cancel`: that of its cancel, else that of its entry. `cancels` counts those that the venue took, or
    may have taken before this process began, `mistakes` those of our own on the way to it. `ended` is set
    when it is awaited no more.
    """

    order: Order
    is_cancel: bool
    since: float
    cancels: int = 0
    is_unknown: bool = False
    mistakes: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Table:
    """Says to the engine what a venue's words mean, and sees whether they are what was awaited.

    `mistake` is why the venue must not be asked any more; empty as long as it may.
    """

    def __init__(self, oms_id: int, adapter: Adapter, say: Callable[[VenueRequest], None]) -> None:
        self._oms_id = oms_id
        self._adapter = adapter
        self._say = say
        self._last_said: dict[int, VenueOrder] = {}  # of each open order; the engine has it, or will
        self.open: dict[int, Order] = {}
        self.awaited: dict[int, Awaited] = {}
        self.is_believed = False  # whether the engine has said which orders are its own
        self.mistake = ""

    @property
    def unknown(self) -> int:
        """How many outcomes are not known."""
        return sum(awaited.is_unknown for awaited in self.awaited.values())

    def know(self, order: Order) -> None:
        """It is open, as far as is known."""
        self._last_said.pop(order.order_id, None)
        self._adapter.know(order)
        self.open[order.order_id] = order

    def wait_for(self, order: Order, since: float, *, is_cancel: bool) -> Awaited:
        """Await the outcome of its cancel, or else of its entry, from `since` on (the loop's clock)."""
        self.know(order)
        self._end(order.order_id)
        awaited = self.awaited[order.order_id] = Awaited(order, is_cancel, since)
        return awaited

    def named(self, said: CancelReject) -> Awaited | None:
        """The order that a reject names, when its outcome is awaited."""
        if (found := self.awaited.get(said.order_id)) is not None or not said.venue_order_id:
            return found
        found_by_id = (
            one for one in self.awaited.values() if one.order.venue_order_id == said.venue_order_id
        )
        return next(found_by_id, None)

    def stands(self, said: VenueOrder) -> None:
        """Say how an order stands, and see whether that is what was awaited."""
        if not said.order_id and not self.is_believed:
            return  # it may be one of those that the engine is about to say: it is read again
        if said.status is VenueStatus.PENDING:
            return
        order_id = said.order_id
        if self._last_said.get(order_id) != said:
            self._say(said)
        awaited = self.awaited.get(order_id)
        if said.status is not VenueStatus.OPEN:
            self._last_said.pop(order_id, None)
            self._end(order_id)
            order = self.open.pop(order_id, None)
            if order is not None:
                self._adapter.forget(order)
            return
        if order_id in self.open:
            self._last_said[order_id] = said
        if awaited is not None and not awaited.is_cancel:
            self._end(order_id)

    def say_again(self) -> None:
        """A word was lost on its way to the engine: hold none back the next time."""
        self._last_said.clear()

    def _end(self, order_id: int) -> Awaited | None:
        """Its outcome is awaited no more."""
        awaited = self.awaited.pop(order_id, None)
        if awaited is not None:
            awaited.ended.set()
        return awaited

    def was_canceled(self, order_id: int) -> None:
        """The venue took a cancel of it, its own cancel-all included: what comes of that is to be seen."""
        if (awaited := self.awaited.get(order_id)) is not None:
            awaited.cancels += 1

    def answer(self, order_id: int, refused: str) -> None:
        """Say that its cancel was refused, when that is awaited."""
        if (awaited := self._end(order_id)) is not None and awaited.is_cancel:
            self._say(OrderAnswer(order_id, refused))

    def is_unknown(self, order_id: int, why: str) -> None:
        """Say that its outcome is not known, once."""
        awaited = self.awaited.get(order_id)
        if awaited is not None and not awaited.is_unknown:
            awaited.is_unknown = True
            what = "cancel" if awaited.is_cancel else "order"
            then = "is not asked any more" if self.mistake else "is being asked"
            self._say(Unknown(order_id, f"outcome of the {what} unknown, the venue {then}: {why}"))
