"""Tries a venue without changing anything there: connects, logs in, and reads the open orders."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from fixgw.config import Config
from fixgw.core.directory import EMBEDDED
from fixgw.core.requests import VenueOrder
from fixgw.edge.venues.adapters import ADAPTERS, place_of
from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)

POLL_SECONDS = 0.05


class Checked(Struct, frozen=True):
    """What came of a check: the venue's open orders (any number), or `why` it cannot be used."""

    orders: Sequence[VenueOrder] = ()
    why: str = ""


def check(config: Config, name: str, seconds: float = 10.0) -> Checked:
    """Try the venue `name`, for `seconds` at most.

    Raises KeyError for one that is not configured, and SecretError.
    """
    oms = next((oms for oms in config.oms if oms.venue == name and name != EMBEDDED), None)
    if oms is None:
        raise KeyError(name)
    place = place_of(config, config.directory(), oms)

    async def tried() -> Checked:
        adapter = ADAPTERS[place.settings.kind](place, lambda _: None)
        running = asyncio.ensure_future(adapter.run())
        try:
            async with asyncio.timeout(seconds):
                while not adapter.is_up:
                    await asyncio.sleep(POLL_SECONDS)
                return Checked(await adapter.open_orders(None))
        except TimeoutError:
            return Checked(why=adapter.why_away or f"no answer within {seconds:g} s")
        except (
            VenueAwayError,
            VenueBusyError,
            VenueRefusedError,
            UnknownOutcomeError,
            VenueMistakenError,
        ) as error:
            return Checked(why=str(error))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return asyncio.run(tried())
