"""The dialects that can be served, by their names in the configuration."""

from collections.abc import Callable

from fastapi import APIRouter
from msgspec import Struct

from fixgw.edge.api.alphapoint import routes as alphapoint
from fixgw.edge.api.coinapi_ems import routes as coinapi_ems
from fixgw.edge.api.context import Context
from fixgw.edge.api.openalgo import routes as openalgo


class Dialect(Struct, frozen=True):
    """A dialect: what makes its routes, and what its documentation says first, with how one logs in."""

    router: Callable[[Context], APIRouter]
    about: str


DIALECTS: dict[str, Dialect] = {
    "alphapoint": Dialect(alphapoint.router, alphapoint.ABOUT),
    "coinapi_ems": Dialect(coinapi_ems.router, coinapi_ems.ABOUT),
    "openalgo": Dialect(openalgo.router, openalgo.ABOUT),
}
