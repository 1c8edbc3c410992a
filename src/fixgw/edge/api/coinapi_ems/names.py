"""What the dialect calls things: an exchange, an account on it, an instrument, a field."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from fixgw.core.directory import Directory, Instrument, InstrumentName, OmsName
from fixgw.core.state import day_start_before
from fixgw.edge.api.wording import worded

_ACCOUNT = re.compile(r"[0-9]{1,18}")

_KINDS = {"I": "SPOT", "F": "FTS", "O": "OPT"}
"""By the first letter of a CFI code (ISO 10962), what stands in the middle of a CoinAPI symbol."""

_FIELDS = {
    "Account(1)": "account",
    "ClOrdID(11)": "client_order_id",
    "OrderID(37)": "exchange_order_id",
    "OrderQty(38)": "amount_order",
    "OrigClOrdID(41)": "client_order_id",
    "Price(44)": "price",
    "SecurityID(48)": "symbol_id_exchange",
    "Side(54)": "side",
    "Symbol(55)": "symbol_id_exchange",
    "SecurityExchange(207)": "exchange_id",
    "PartyID(448)": "exchange_id",
    "PartyID(448) with PartyRole(452)=11": "user",
    "PartyID(448) with PartyRole(452)=16": "exchange_id",
}


def said(detail: str) -> str:
    """The detail of a refusal, in the field names of this dialect."""
    return worded(detail, _FIELDS)


class Exchange(Struct, frozen=True):
    """An OMS as the dialect names it, and one account on it if one is named."""

    oms_id: int
    name: str
    account_id: int | None = None

    @property
    def text(self) -> str:
        """The exchange_id: NAME, or NAME/account."""
        return self.name if self.account_id is None else f"{self.name}/{self.account_id}"

    @property
    def oms(self) -> OmsName:
        """How a request names it."""
        return OmsName(self.oms_id, self.name)

    def at(self, account_id: int) -> "Exchange":
        """An account on it."""
        return Exchange(self.oms_id, self.name, account_id)


class Exchanges:
    """The OMSes that the dialect reaches, and the instruments on them: those of the start.

    `clock` gives the time (aware UTC).
    """

    def __init__(
        self,
        directory: Directory,
        oms_ids: tuple[int, ...],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._omses = directory.omses
        self.all = tuple(Exchange(oms_id, directory.omses[oms_id].name) for oms_id in oms_ids)
        self._by_name = {exchange.name: exchange for exchange in self.all}
        self._names = {exchange.oms_id: exchange.name for exchange in self.all}
        self._symbol_ids: dict[int, str] = {}
        self._by_symbol_id: dict[tuple[int, str], list[str]] = {}
        for instrument in directory.instruments.values():
            if instrument.oms_id in self._names:
                symbol_id = _symbol_id(self._names[instrument.oms_id], instrument)
                self._symbol_ids[instrument.instrument_id] = symbol_id
                self._by_symbol_id.setdefault((instrument.oms_id, symbol_id), []).append(instrument.symbol)

    def next_day_end(self, oms_id: int) -> datetime:
        """When the Day orders of an OMS expire that are entered now (aware UTC)."""
        return day_start_before(self._clock(), self._omses[oms_id]) + timedelta(days=1)

    def read(self, exchange_id: str) -> Exchange | str:
        """The exchange that is named; a text says why it is none."""
        if exchange := self._by_name.get(exchange_id):
            return exchange
        name, slash, account = exchange_id.rpartition("/")
        found = self._by_name.get(name) if slash else None
        if found is None:
            there = ", ".join(self._by_name)
            return f"exchange_id names no exchange that this API reaches (there is {there})"
        if _ACCOUNT.fullmatch(account) is None or not int(account):
            return f"exchange_id: what follows {name}/ is the number of an account"
        return found.at(int(account))

    def has(self, oms_id: int) -> bool:
        """Whether this OMS is one of them."""
        return oms_id in self._names

    def of(self, oms_id: int) -> Exchange:
        """The exchange that is this OMS, which is one of them."""
        return Exchange(oms_id, self._names[oms_id])

    def symbol_id(self, instrument: Instrument) -> str:
        """The symbol_id_coinapi, as SANDBOX_SPOT_BTC_USD for BTC-USD; empty when it came after the start."""
        return self._symbol_ids.get(instrument.instrument_id, "")

    def instrument(
        self, exchange: Exchange, symbol_id_exchange: str | None, symbol_id_coinapi: str | None
    ) -> InstrumentName | str:
        """The instrument that is named in one way or in both, which must agree; a text says what is wrong."""
        if symbol_id_coinapi is None:
            if symbol_id_exchange is None:
                return "symbol_id_exchange is missing: it, or symbol_id_coinapi, names the instrument"
            return InstrumentName(symbol=symbol_id_exchange)
        found = self._by_symbol_id.get((exchange.oms_id, symbol_id_coinapi), [])
        if not found:
            return f"symbol_id_coinapi names no instrument of {exchange.name}"
        if symbol_id_exchange is None:
            if len(found) > 1:
                return f"symbol_id_coinapi names {len(found)} instruments: give symbol_id_exchange"
            return InstrumentName(symbol=found[0])
        if symbol_id_exchange not in found:
            return "symbol_id_exchange and symbol_id_coinapi name different instruments"
        return InstrumentName(symbol=symbol_id_exchange)


def _symbol_id(name: str, instrument: Instrument) -> str:
    kind = _KINDS.get(instrument.cfi_code[0], "CONTRACT")
    symbol = re.sub(r"[-/]", "_", instrument.symbol)
    return f"{name}_{kind}_{symbol}"
