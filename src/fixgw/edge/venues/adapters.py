"""The adapters there are, by the kind of the venue."""

from collections.abc import Callable
from pathlib import Path

from fixgw.config import Config
from fixgw.config_tables import OmsTable
from fixgw.core.directory import Directory
from fixgw.edge.venues.alphapoint.adapter import AlphaPoint
from fixgw.edge.venues.coinapi_ems.adapter import CoinapiEms
from fixgw.edge.venues.contract import Adapter, Tell
from fixgw.edge.venues.openalgo.adapter import OpenAlgo
from fixgw.edge.venues.place import Place
from fixgw.secret_text import secret_text

Make = Callable[[Place, Tell], Adapter]

ADAPTERS: dict[str, Make] = {"alphapoint": AlphaPoint, "coinapi_ems": CoinapiEms, "openalgo": OpenAlgo}


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
        oms.day_end,
    )
