"""Reads a venue's open orders: when it comes back, from time to time, and before a mass cancel."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from fixgw.config_tables import VenueTable
from fixgw.core.order import Order
from fixgw.core.requests import ScopeRead, VenueRequest
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import (
    Adapter,
    UnknownOutcomeError,
    VenueAwayError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.slots import Slots, Urgency
from fixgw.edge.venues.table import Table
from fixgw.engine.venue_asks import ReadScope

log = structlog.get_logger("fixgw.venues")

TICK_SECONDS = 0.1
AGAIN_SECONDS = 0.2  # after a reading that failed; then twice as long each time
AGAIN_SECONDS_MAX = 30.0


class Reader:
    """Reads the orders of the venue of an OMS, and says them. All methods are for one event loop."""

    def __init__(
        self,
        oms_id: int,
        settings: VenueTable,
        adapter: Adapter,
        slots: Slots,
        table: Table,
        say: Callable[[VenueRequest], None],
    ) -> None:
        self._oms_id = oms_id
        self._settings = settings
        self._adapter = adapter
        self._slots = slots
        self._table = table
        self._say = say

    async def run(self) -> None:
        """Read when it comes back, and from time to time, until cancelled."""
        clock = asyncio.get_running_loop().time
        was_up, read_at, again = False, 0.0, AGAIN_SECONDS
        while True:
            is_up = self._adapter.is_up and not self._table.mistake
            if is_up and (not was_up or clock() >= read_at):
                if await self._has_read():
                    read_at, again = clock() + self._settings.poll_seconds, AGAIN_SECONDS
                else:
                    read_at, again = clock() + again, min(2 * again, AGAIN_SECONDS_MAX)
            was_up = is_up
            await asyncio.sleep(TICK_SECONDS)

    async def _has_read(self) -> bool:
        try:
            await self._read(None)
        except (VenueAwayError, VenueRefusedError, UnknownOutcomeError) as error:
            log.warning("venue's orders not read", venue=self._settings.name, why=str(error))
        except VenueMistakenError as error:
            self._table.mistake = str(error)
            log.error("venue is another one", venue=self._settings.name, why=str(error))
        except Exception:
            log.exception("our mistake", venue=self._settings.name)
        else:
            return True
        return False

    async def _read(self, selector: CancelSelector | None) -> None:
        """Read the venue's open orders, say them, and find those that are believed open and are not there."""
        before = set(self._table.open)
        listed = await self._slots.ask(Urgency.LOOK, partial(self._adapter.open_orders, selector))
        for said in listed:
            self._table.stands(said)
        there = {said.order_id for said in listed} | {said.venue_order_id for said in listed}
        for order_id in before:
            order = self._table.open.get(order_id)
            if order is None:  # it has ended while the others were looked at
                continue
            if order_id in there or order.venue_order_id in there or not _is_within(order, selector):
                continue
            try:
                said_of = await self._slots.ask(Urgency.LOOK, partial(self._adapter.find, order))
            except UnknownOutcomeError:  # this one cannot be said; the others are looked at all the same
                continue
            if said_of is not None:
                self._table.stands(said_of)

    async def read_scope(self, ask: ReadScope) -> None:
        """Say the orders that a mass cancel may reach, and that this was all, or why it was not."""
        try:
            await self._read(ask.selector)
        except (VenueAwayError, VenueRefusedError, UnknownOutcomeError, VenueMistakenError) as error:
            if isinstance(error, VenueMistakenError):
                self._table.mistake = str(error)
            self._say(
                ScopeRead(self._oms_id, ask.mass_cancel_id, f"the venue's orders cannot be read: {error}")
            )
            return
        self._say(ScopeRead(self._oms_id, ask.mass_cancel_id))


def _is_within(order: Order, selector: CancelSelector | None) -> bool:
    return selector is None or selector.matches(order)
