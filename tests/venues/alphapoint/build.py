"""A venue that an adapter is made for, orders for it, and an adapter that runs.

Our names differ from the venue's on purpose: account 7 is its 14, account 8 its 15; instruments 500, 501 and
502 are its 25, 26 and 27. The login is its user 37's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from fixgw.config_tables import VenueTable
from fixgw.core.directory import Instrument
from fixgw.core.order import Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.edge.venues.alphapoint.adapter import AlphaPoint
from fixgw.edge.venues.contract import CancelReject
from fixgw.edge.venues.place import Place

PATIENCE = 15.0
SHARED, PRIVATE = 7, 8
BTC, ETH, PERP = 500, 501, 502
SECRETS = ("secret37", "trader37-demo", "wrong")

_ids = count(1)


def place_at(port: int, *, with_password: bool = False, **settings: Any) -> Place:
    """The venue on this port of loopback, with the login of its user 37."""
    login = {"username": "trader37"} if with_password else {"user_id": "37"}
    table = VenueTable.model_validate(
        {
            "name": "there",
            "kind": "alphapoint",
            "url": f"http://127.0.0.1:{port}",
            "oms": "1",
            "accounts": {SHARED: "14", PRIVATE: "15"},
            "instruments": {"BTC": "25", "ETH": "26", "PERP": "27"},
            "request_seconds": 3,
            **login,
            **settings,
        }
    )
    instruments = {
        Instrument(instrument_id, 1, symbol, symbol, "4", "FOR", "IFXXXP", "DAY"): table.instruments[symbol]
        for instrument_id, symbol in ((BTC, "BTC"), (ETH, "ETH"), (PERP, "PERP"))
    }
    password = "trader37-demo" if with_password else ""
    key, secret = ("", "") if with_password else ("key37", "secret37")
    return Place(1, table, password, key, secret, dict(table.accounts), instruments)


def new(**changes: Any) -> Order:
    """An order that its venue has not confirmed, with an id that no other has."""
    values: dict[str, Any] = {
        "order_id": next(_ids),
        "oms_id": 1,
        "user_id": 99,
        "account_id": SHARED,
        "instrument_id": BTC,
        "cl_ord_id": "c1",
        "side": Side.BUY,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        "order_qty": Decimal("1.5"),
        "price": Decimal("100.25"),
        "stop_px": None,
        "strategy": None,
        "session": "S",
        "content": 0,
        "entered_at": datetime.now(UTC) + timedelta(milliseconds=next(_ids)),
        "status": OrdStatus.PENDING_NEW,
        "on_venue": False,
    }
    return Order(**{**values, **changes})


class Scene:
    """An adapter that runs, and what it has said by itself."""

    def __init__(self, place: Place) -> None:
        self.heard: list[VenueOrder | CancelReject] = []
        self.adapter = AlphaPoint(place, self.heard.append)

    def stands(self, order: Order) -> VenueOrder | None:
        """What was said last of an order."""
        said = [one for one in self.heard if isinstance(one, VenueOrder) and one.order_id == order.order_id]
        return said[-1] if said else None

    def rejects(self) -> list[CancelReject]:
        """The cancels that were rejected."""
        return [one for one in self.heard if isinstance(one, CancelReject)]

    async def placed(self, **changes: Any) -> Order:
        """A new order that the venue has accepted."""
        order = new(**changes)
        self.adapter.know(order)
        assert (await self.adapter.place(order)).status is VenueStatus.OPEN
        return order

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_status(self, order: Order, status: VenueStatus) -> VenueOrder:
        """Wait until the venue has said that the order stands so."""
        await self.until(lambda: (said := self.stands(order)) is not None and said.status is status)
        said = self.stands(order)
        assert said is not None
        return said


@asynccontextmanager
async def running(place: Place, *, up: bool = True) -> AsyncIterator[Scene]:
    """An adapter that is connected, unless it need not be `up`."""
    scene = Scene(place)
    task = asyncio.ensure_future(scene.adapter.run())
    try:
        if up:
            await scene.until(lambda: scene.adapter.is_up)
        yield scene
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
