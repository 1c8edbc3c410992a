"""What GetProducts, GetInstruments and GetEnums list, made from the configuration's instruments."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from fixgw.core.directory import Directory, Instrument
from fixgw.edge.api.alphapoint import enums
from fixgw.edge.api.alphapoint.views import Body

SPOT = "FOR"  # SecurityType(167) of what is traded for money at once: foreign exchange
NO_CURRENCY = "XXX"  # ISO 4217's code where there is no currency
NATIONAL = frozenset({"AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NZD", "SGD", "USD"})
DECIMAL_PLACES = 12  # what a quantity or a price may have after the point
INCREMENT = Decimal(1).scaleb(-DECIMAL_PLACES)


class Pair(Struct, frozen=True):
    """What an instrument trades, and what for. No two instruments of an OMS have the same."""

    instrument: Instrument
    base: str
    quote: str


@lru_cache(maxsize=8)  # everybody may ask; the instruments of a Directory do not change
def pairs(directory: Directory, oms_id: int) -> tuple[Pair, ...]:
    """The pair of each instrument of this OMS, in the order of their ids.

    A spot instrument that is called as BTC-USD is BTC for USD; any other is a product of its own, for the
    money that its underlying is traded for.
    """
    own = sorted(
        (one for one in directory.instruments.values() if one.oms_id == oms_id),
        key=lambda one: one.instrument_id,
    )
    quotes = {one.underlying_symbol: _parts(one)[1] for one in reversed(own) if _is_spot(one)}
    default = next((_parts(one)[1] for one in own if _is_spot(one)), NO_CURRENCY)
    found: list[Pair] = []
    taken: set[tuple[str, str]] = set()
    for one in sorted(own, key=lambda one: not _is_spot(one)):
        quote = quotes.get(one.underlying_symbol, default)
        choices = [(one.symbol, quote), (f"{one.symbol}.{one.instrument_id}", quote)]
        if _is_spot(one):
            choices.insert(0, _parts(one))
        base, quote = next(choice for choice in choices if choice not in taken)
        taken.add((base, quote))
        found.append(Pair(one, base, quote))
    return tuple(sorted(found, key=lambda pair: pair.instrument.instrument_id))


def _parts(instrument: Instrument) -> tuple[str, str]:
    base, _, quote = instrument.symbol.replace("/", "-").rpartition("-")
    return base, quote


def _is_spot(instrument: Instrument) -> bool:
    return instrument.security_type == SPOT and all(_parts(instrument))


def _product_ids(found: Iterable[Pair]) -> dict[str, int]:
    """A number for each product, from 1, in the order in which the instruments name them."""
    names = dict.fromkeys(name for pair in found for name in (pair.base, pair.quote))
    return {name: number for number, name in enumerate(names, 1)}


def products(directory: Directory, oms_id: int, product_id: int | None = None) -> list[Body]:
    """The products of this OMS, or the one that is asked for."""
    found = pairs(directory, oms_id)
    contracts = {pair.base for pair in found if not _is_spot(pair.instrument)}
    return [
        {
            "OMSId": oms_id,
            "ProductId": number,
            "Product": name,
            "ProductFullName": name,
            "MasterDataUniqueProductSymbol": "",
            "ProductType": _product_type(name, contracts),
            "DecimalPlaces": DECIMAL_PLACES,
            "TickSize": INCREMENT,
            "DepositEnabled": False,
            "WithdrawEnabled": False,
            "NoFees": True,
            "IsDisabled": False,
            "MarginEnabled": False,
        }
        for name, number in _product_ids(found).items()
        if product_id in (None, number)
    ]


def _product_type(name: str, contracts: set[str]) -> str:
    if name in NATIONAL:
        return "NationalCurrency"
    return "Contract" if name in contracts else "CryptoCurrency"


def instruments(directory: Directory, oms_id: int, instrument_id: int | None = None) -> list[Body]:
    """The instruments of this OMS, or the one that is asked for."""
    found = pairs(directory, oms_id)
    ids = _product_ids(found)
    return [
        _instrument(pair, ids, index)
        for index, pair in enumerate(found)
        if instrument_id in (None, pair.instrument.instrument_id)
    ]


def _instrument(pair: Pair, ids: dict[str, int], index: int) -> Body:
    instrument = pair.instrument
    return {
        "OMSId": instrument.oms_id,
        "InstrumentId": instrument.instrument_id,
        "Symbol": instrument.symbol,
        "Product1": ids[pair.base],
        "Product1Symbol": pair.base,
        "Product2": ids[pair.quote],
        "Product2Symbol": pair.quote,
        "InstrumentType": "Standard",
        "VenueInstrumentId": instrument.instrument_id,
        "VenueId": 1,
        "SortIndex": index,
        "SessionStatus": "Running",
        "PreviousSessionStatus": "Stopped",
        "SelfTradePrevention": False,
        "QuantityIncrement": INCREMENT,
        "PriceIncrement": INCREMENT,
        "MinimumQuantity": INCREMENT,
        "MinimumPrice": INCREMENT,
        "VenueSymbol": instrument.symbol,
        "IsDisable": False,
    }


def enumerations() -> list[Body]:
    """Every enumeration with its members."""
    return [
        {
            "Class": "Order",
            "Property": kind.__name__,
            "Enums": [{"Name": one.name, "Number": one.value, "Description": one.name} for one in kind],
        }
        for kind in enums.ALL
    ]
