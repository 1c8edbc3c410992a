"""The adapters there are, by the kind of the venue."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from fixgw.config import Config
from fixgw.config_tables import OmsTable, VenueTable
from fixgw.core.directory import Directory, Instrument
from fixgw.edge.venues.contract import Adapter, Tell
from fixgw.edge.venues.openalgo.adapter import OpenAlgo
from fixgw.secret_text import secret_text


class Place(Struct, frozen=True):
    """What an adapter is made from: the venue's settings with its secrets, and names on both sides.

    `accounts` and `instruments` map ours to the venue's: an account's id, and an instrument.
    """

    oms_id: int
    settings: VenueTable
    password: str
    api_key: str
    api_secret: str
    accounts: dict[int, str]
    instruments: dict[Instrument, str]


Make = Callable[[Place, Tell], Adapter]

ADAPTERS: dict[str, Make] = {"openalgo": OpenAlgo}


def place_of(config: Config, directory: Directory, oms: OmsTable) -> Place:
    """The venue that `oms` is on. Raises SecretError."""
    settings = next(venue for venue in config.venue if venue.name == oms.venue)
    where: Path = config.path.parent

    def secret(name: str) -> str:
        said = getattr(settings, name)
        return secret_text(said, where) if said.get_secret_value() else ""

    here = [one for one in directory.instruments.values() if one.oms_id == oms.id]
    return Place(
        oms.id,
        settings,
        secret("password"),
        secret("api_key"),
        secret("api_secret"),
        dict(settings.accounts),
        {one: settings.instruments[one.symbol] for one in here},
    )
