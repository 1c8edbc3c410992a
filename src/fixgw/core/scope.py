"""The seven scopes of a mass cancel or a mass status request, and the instruments that each one names."""

from enum import StrEnum

from msgspec import Struct

from fixgw.core.directory import Directory, Instrument, InstrumentName
from fixgw.core.errors import Refusal, Subject, invalid, not_found


class ScopeType(StrEnum):
    """MassCancelRequestType(530), and MassStatusReqType(585), which knows PARTY besides."""

    INSTRUMENT = "1"
    UNDERLYING = "2"
    PRODUCT = "3"
    CFI_CODE = "4"
    SECURITY_TYPE = "5"
    TRADING_SESSION = "6"
    ALL = "7"
    PARTY = "8"


class Scope(Struct, frozen=True, array_like=True, gc=False):
    """A scope as it was asked for, each value as the peer wrote it."""

    type: ScopeType
    instrument: InstrumentName = InstrumentName()
    underlying_symbol: str | None = None
    trading_session_id: str | None = None

    def problem(self) -> Refusal | None:
        """Why the fields do not fit the type: the scope's own is missing, or another scope's is there.

        A field that belongs to another scope is refused, because to ignore it could widen the cancel.
        The further Instrument fields of an instrument are looked at when the instrument is known.
        """
        own = _FIELDS.get(self.type)
        named = self.instrument
        present = [
            ("Symbol(55)", named.symbol, Subject.INSTRUMENT),
            ("SecurityID(48)", named.security_id, Subject.INSTRUMENT),
            ("UnderlyingSymbol(311)", self.underlying_symbol, Subject.UNDERLYING),
            ("Product(460)", named.product, Subject.PRODUCT),
            ("CFICode(461)", named.cfi_code, Subject.CFI_CODE),
            ("SecurityType(167)", named.security_type, Subject.SECURITY_TYPE),
            ("TradingSessionID(336)", self.trading_session_id, Subject.TRADING_SESSION),
        ]
        further = (Subject.PRODUCT, Subject.CFI_CODE, Subject.SECURITY_TYPE)
        for field, value, subject in present:
            if value is None or (own and subject is own[0]):
                continue
            if self.type is ScopeType.INSTRUMENT and subject in further:
                continue
            return invalid(f"{field} does not belong to scope {self.type.value} ({self.type.name})")
        if own and all(value is None for _, value, subject in present if subject is own[0]):
            return invalid(f"{own[1]} is missing", own[0])
        return None

    def instrument_ids(self, directory: Directory, oms_id: int) -> frozenset[int] | Refusal | None:
        """The set of InstrumentIds it names, None for all; 100 for names that disagree, 104 for unknown."""
        if self.type is ScopeType.INSTRUMENT:
            found = directory.instrument(self.instrument, oms_id)
            return found if isinstance(found, Refusal) else frozenset({found.instrument_id})
        if self.type not in _FIELDS:
            return None
        subject, field = _FIELDS[self.type]
        wanted = self._value()
        matching = frozenset(
            instrument.instrument_id
            for instrument in directory.instruments.values()
            if instrument.oms_id == oms_id and _value_of(instrument, self.type) == wanted
        )
        return matching or not_found(f"{field}={wanted} is unknown", subject)

    def _value(self) -> str | None:
        return {
            ScopeType.UNDERLYING: self.underlying_symbol,
            ScopeType.PRODUCT: self.instrument.product,
            ScopeType.CFI_CODE: self.instrument.cfi_code,
            ScopeType.SECURITY_TYPE: self.instrument.security_type,
            ScopeType.TRADING_SESSION: self.trading_session_id,
        }[self.type]


_FIELDS: dict[ScopeType, tuple[Subject, str]] = {
    ScopeType.INSTRUMENT: (Subject.INSTRUMENT, "Symbol(55)"),
    ScopeType.UNDERLYING: (Subject.UNDERLYING, "UnderlyingSymbol(311)"),
    ScopeType.PRODUCT: (Subject.PRODUCT, "Product(460)"),
    ScopeType.CFI_CODE: (Subject.CFI_CODE, "CFICode(461)"),
    ScopeType.SECURITY_TYPE: (Subject.SECURITY_TYPE, "SecurityType(167)"),
    ScopeType.TRADING_SESSION: (Subject.TRADING_SESSION, "TradingSessionID(336)"),
}


def _value_of(instrument: Instrument, scope_type: ScopeType) -> str:
    return {
        ScopeType.UNDERLYING: instrument.underlying_symbol,
        ScopeType.PRODUCT: instrument.product,
        ScopeType.CFI_CODE: instrument.cfi_code,
        ScopeType.SECURITY_TYPE: instrument.security_type,
        ScopeType.TRADING_SESSION: instrument.trading_session_id,
    }[scope_type]
