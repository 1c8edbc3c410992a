"""What becomes of cancels whose end is not known at once: heard from the engine, for a while."""

import asyncio
from collections.abc import Iterable

from fixgw.core.errors import Refusal, failed
from fixgw.core.events import CancelRefused, CancelRequested, OrderCanceled, OrderExpired, OrderFilled
from fixgw.engine.turn import Happened


class Ends:
    """The end of each cancel, as a watch hears of it from before the request to after its answer.

    An end is None for an order that was canceled, else why it could not be.
    """

    def __init__(self) -> None:
        self._ends: dict[int, Refusal | None] = {}
        self._is_lost = False
        self._news = asyncio.Event()

    def tell(self, happened: Happened) -> None:
        """Hear what happened to an order."""
        order = happened.order
        match happened.event:
            case CancelRequested():  # what was heard before is the end of an earlier cancel
                self._ends.pop(order.order_id, None)
                return
            case OrderCanceled():
                self._ends[order.order_id] = None
            case CancelRefused(refusal=refusal):
                self._ends[order.order_id] = refusal
            case OrderFilled() | OrderExpired() if not order.is_open:
                self._ends[order.order_id] = failed(f"too late to cancel, the order is {order.status.name}")
            case _:
                return
        self._news.set()

    def lost(self) -> None:
        """Nothing more is heard."""
        self._is_lost = True
        self._news.set()

    def refused(self, order_id: int) -> Refusal | None:
        """Why the last cancel of this order that was heard of could not be; None when nothing says so."""
        return self._ends.get(order_id)

    async def wait(self, order_ids: Iterable[int], seconds: float) -> dict[int, Refusal | None]:
        """The ends of these orders' cancels (any number of ids) that are known within so many seconds."""
        left = set(order_ids)
        known: dict[int, Refusal | None] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    for order_id in [order_id for order_id in left if order_id in self._ends]:
                        known[order_id] = self._ends[order_id]
                        left.remove(order_id)
                    if not left or self._is_lost:
                        return known
                    await self._news.wait()
        except TimeoutError:
            return known
