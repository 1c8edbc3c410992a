"""An adapter and its venue for tests: what it tells is kept, and scripts run beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from msgspec.structs import replace

from fixgw.config_tables import VenueTable
from fixgw.core.directory import Instrument
from fixgw.core.order import NOBODY, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.edge.venues.coinapi_ems.adapter import CoinapiEms
from fixgw.edge.venues.contract import CancelReject
from fixgw.edge.venues.place import Place

PATIENCE = 15.0  # seconds; what has not come by then is missing
OPEN, CANCELED, FILLED = VenueStatus.OPEN, VenueStatus.CANCELED, VenueStatus.FILLED

_numbers = count(1)


def place(
    url: str,
    *,
    key: str = "key1",
    accounts: dict[int, str] | None = None,
    symbol: str = "BTC-USD",
    **settings: object,
) -> Place:
    """The exchange SANDBOX at `url`, with one instrument, 25, and accounts 14 and 15."""
    values: dict[str, object] = {
        "name": "outside",
        "kind": "coinapi_ems",
        "url": url,
        "oms": "SANDBOX",
        "api_key": key,
        "accounts": accounts or {14: "14", 15: "15"},
        "instruments": {"BTC-USD": symbol},
        "request_seconds": 2,
    }
    table = VenueTable.model_validate({**values, **settings})
    instrument = Instrument(25, 1, "BTC-USD", "BTC", "4", "FOR", "IFXXXP", "DAY")
    return Place(1, table, "", key, "", dict(table.accounts), {instrument: symbol})


def new(**fields: object) -> Order:
    """An order that its venue has not seen yet: limit, good till canceled."""
    number = next(_numbers)
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
        price=Decimal("100.5"),
        stop_px=None,
        strategy=None,
        session="TRADER37",
        content=0,
        entered_at=datetime.now(UTC),
        status=OrdStatus.PENDING_NEW,
        on_venue=False,
    )
    return replace(made, **fields)


def learned(said: VenueOrder) -> Order:
    """The order that is made here of what was said about one that was entered on the venue."""
    assert said.details is not None
    return new(
        user_id=NOBODY,
        account_id=said.details.account_id,
        status=OrdStatus.NEW,
        on_venue=True,
        venue_order_id=said.venue_order_id,
    )


class Scene:
    """An adapter, and what it `told`."""

    def __init__(self, where: Place) -> None:
        self.told: list[VenueOrder | CancelReject] = []
        self.adapter = CoinapiEms(where, self.told.append)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)

    async def up(self) -> None:
        """Wait until the venue is up."""
        await self.until(lambda: self.adapter.is_up)

    async def hears(self, order_id: int, status: VenueStatus) -> VenueOrder:
        """Wait until it is told that this order stands so; the last that was told of it."""

        def found() -> list[VenueOrder]:
            return [
                said
                for said in self.told
                if isinstance(said, VenueOrder) and (said.order_id, said.status) == (order_id, status)
            ]

        await self.until(lambda: bool(found()))
        return found()[-1]

    async def rejection(self) -> CancelReject:
        """Wait for the first CancelReject."""
        await self.until(lambda: any(isinstance(said, CancelReject) for said in self.told))
        return next(said for said in self.told if isinstance(said, CancelReject))

    async def enter(self, **fields: object) -> Order:
        """Place an order, which must be taken; the order as it is then."""
        order = new(**fields)
        self.adapter.know(order)
        said = await self.adapter.place(order)
        assert (said.order_id, said.status) == (order.order_id, OPEN), said
        return replace(order, status=OrdStatus.NEW, on_venue=True, venue_order_id=said.venue_order_id)


async def beside(where: Place, script: Callable[[Scene], Awaitable[None]], *, until_up: bool = True) -> Scene:
    """Run the script beside an adapter, which is up when it begins unless it need not be."""
    scene = Scene(where)
    running = asyncio.ensure_future(scene.adapter.run())
    try:
        if until_up:
            await scene.up()
        await script(scene)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return scene


def play(where: Place, script: Callable[[Scene], Awaitable[None]], *, until_up: bool = True) -> Scene:
    """The same, in an event loop of its own."""
    return asyncio.run(beside(where, script, until_up=until_up))
