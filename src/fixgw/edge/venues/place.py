"""What an adapter is made from."""

from datetime import time

from msgspec import Struct

from fixgw.config_tables import VenueTable
from fixgw.core.directory import Instrument


class Place(Struct, frozen=True):
    """What an adapter is made from: the venue's settings with its secrets, and names on both sides.

    `accounts` and `instruments` map ours to the venue's: an account's id, and an instrument. Day orders end
    at `day_end` (time of day, UTC).
    """

    oms_id: int
    settings: VenueTable
    password: str
    api_key: str
    api_secret: str
    accounts: dict[int, str]
    instruments: dict[Instrument, str]
    day_end: time = time(0, 0)

    def __repr__(self) -> str:
        return f"Place({self.settings.name!r}, OMS {self.oms_id})"
