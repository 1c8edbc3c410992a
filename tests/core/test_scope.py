"""The seven scopes of a mass cancel: own fields, other scopes' fields, missing, unknown, contradictory."""

from typing import Any

import pytest

from fixgw.core.directory import InstrumentName
from fixgw.core.errors import ErrorCode, Refusal, Subject
from fixgw.core.scope import Scope, ScopeType
from tests.core.build import BTC_PERP, BTC_USD, ETH_USD, reference, two_omses

T = ScopeType

INSTRUMENT_FIELDS = {"symbol", "security_id", "product", "cfi_code", "security_type"}

FIELDS: dict[str, tuple[str, str, Subject]] = {
    "symbol": ("BTC-USD", "Symbol(55)", Subject.INSTRUMENT),
    "security_id": ("25", "SecurityID(48)", Subject.INSTRUMENT),
    "underlying_symbol": ("BTC", "UnderlyingSymbol(311)", Subject.UNDERLYING),
    "product": ("4", "Product(460)", Subject.PRODUCT),
    "cfi_code": ("IFXXXP", "CFICode(461)", Subject.CFI_CODE),
    "security_type": ("FOR", "SecurityType(167)", Subject.SECURITY_TYPE),
    "trading_session_id": ("DAY", "TradingSessionID(336)", Subject.TRADING_SESSION),
}
OWN = {
    T.INSTRUMENT: "symbol",
    T.UNDERLYING: "underlying_symbol",
    T.PRODUCT: "product",
    T.CFI_CODE: "cfi_code",
    T.SECURITY_TYPE: "security_type",
    T.TRADING_SESSION: "trading_session_id",
}
MAY_BESIDES = {T.INSTRUMENT: {"security_id", "product", "cfi_code", "security_type"}}


def scope(scope_type: ScopeType, **fields: str) -> Scope:
    named: dict[str, Any] = {name: value for name, value in fields.items() if name in INSTRUMENT_FIELDS}
    further: dict[str, Any] = {name: value for name, value in fields.items() if name not in INSTRUMENT_FIELDS}
    return Scope(scope_type, InstrumentName(**named), **further)


def values(*names: str) -> dict[str, str]:
    return {name: FIELDS[name][0] for name in names}


def test_the_scope_types_are_those_of_fix() -> None:
    """MassCancelRequestType(530) has the values 1 to 7; MassStatusReqType(585) knows 8 besides."""
    assert [scope_type.value for scope_type in ScopeType] == ["1", "2", "3", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize(("scope_type", "field"), list(OWN.items()), ids=lambda value: str(value))
def test_a_scope_with_its_own_field_is_well_formed(scope_type: ScopeType, field: str) -> None:
    """Each of the scopes 1 to 6 needs the one field that names its value."""
    assert scope(scope_type, **values(field)).problem() is None


@pytest.mark.parametrize("scope_type", [T.ALL, T.PARTY])
def test_a_scope_without_a_field_of_its_own(scope_type: ScopeType) -> None:
    """Scope 7 (and 8 of a mass status request) needs no field and names all instruments."""
    assert scope(scope_type).problem() is None
    assert scope(scope_type).instrument_ids(reference(), 1) is None


@pytest.mark.parametrize(("scope_type", "field"), list(OWN.items()), ids=lambda value: str(value))
def test_the_own_field_is_missing(scope_type: ScopeType, field: str) -> None:
    """100 when the field of the scope is missing, with the subject that MassCancelRejectReason(532) names."""
    _, label, subject = FIELDS[field]
    assert scope(scope_type).problem() == Refusal(ErrorCode.INVALID_REQUEST, f"{label} is missing", subject)


def test_security_id_alone_names_an_instrument() -> None:
    """Scope 1 takes Symbol(55) or SecurityID(48)."""
    assert scope(T.INSTRUMENT, security_id="26").problem() is None
    assert scope(T.INSTRUMENT, security_id="26").instrument_ids(reference(), 1) == frozenset({ETH_USD})


FOREIGN_FIELDS = [
    (scope_type, field)
    for scope_type in ScopeType
    for field in FIELDS
    if field != OWN.get(scope_type) and field not in MAY_BESIDES.get(scope_type, ())
]


@pytest.mark.parametrize(("scope_type", "field"), FOREIGN_FIELDS, ids=lambda value: str(value))
def test_a_field_that_belongs_to_another_scope_is_refused(scope_type: ScopeType, field: str) -> None:
    """A field that belongs to another scope, any of the seven, is 100: never widen, never guess."""
    own = values(OWN[scope_type]) if scope_type in OWN else {}
    refusal = scope(scope_type, **own, **values(field)).problem()
    assert refusal is not None
    assert refusal.code is ErrorCode.INVALID_REQUEST
    assert refusal.detail.startswith(f"{FIELDS[field][1]} does not belong to scope {scope_type.value}")
    assert refusal.subject is None


@pytest.mark.parametrize("field", sorted(MAY_BESIDES[T.INSTRUMENT]))
def test_further_instrument_fields_that_are_its_own(field: str) -> None:
    """Further Instrument fields in scope 1 are no other scope's when they are that instrument's own."""
    asked = scope(T.INSTRUMENT, **values("symbol", field))
    assert asked.problem() is None
    assert asked.instrument_ids(reference(), 1) == frozenset({BTC_USD})


@pytest.mark.parametrize(
    ("field", "value"),
    [("security_id", "26"), ("product", "12"), ("cfi_code", "FFSCSX"), ("security_type", "FUT")],
)
def test_further_instrument_fields_that_contradict(field: str, value: str) -> None:
    """Further Instrument fields in scope 1 must be that instrument's own, else 100."""
    asked = scope(T.INSTRUMENT, **{"symbol": "BTC-USD", field: value})
    assert asked.problem() is None
    refusal = asked.instrument_ids(reference(), 1)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, Subject.INSTRUMENT)


EXPANDED = [
    (T.INSTRUMENT, "symbol", "BTC-PERP", {BTC_PERP}),
    (T.UNDERLYING, "underlying_symbol", "BTC", {BTC_USD, BTC_PERP}),
    (T.UNDERLYING, "underlying_symbol", "ETH", {ETH_USD}),
    (T.PRODUCT, "product", "4", {BTC_USD, ETH_USD}),
    (T.PRODUCT, "product", "12", {BTC_PERP}),
    (T.CFI_CODE, "cfi_code", "IFXXXP", {BTC_USD, ETH_USD}),
    (T.CFI_CODE, "cfi_code", "FFSCSX", {BTC_PERP}),
    (T.SECURITY_TYPE, "security_type", "FOR", {BTC_USD, ETH_USD}),
    (T.SECURITY_TYPE, "security_type", "FUT", {BTC_PERP}),
    (T.TRADING_SESSION, "trading_session_id", "DAY", {BTC_USD, ETH_USD}),
    (T.TRADING_SESSION, "trading_session_id", "EVENING", {BTC_PERP}),
]


@pytest.mark.parametrize(("scope_type", "field", "value", "expected"), EXPANDED)
def test_a_scope_expands_through_the_instrument_table(
    scope_type: ScopeType, field: str, value: str, expected: set[int]
) -> None:
    """Scopes 1 to 6 become the set of instruments that have the value."""
    assert scope(scope_type, **{field: value}).instrument_ids(reference(), 1) == frozenset(expected)


@pytest.mark.parametrize(("scope_type", "field"), list(OWN.items()), ids=lambda value: str(value))
def test_an_unknown_value_is_not_found(scope_type: ScopeType, field: str) -> None:
    """An unknown value of a scope is 104, with the subject that MassCancelRejectReason(532) names."""
    _, label, subject = FIELDS[field]
    assert scope(scope_type, **{field: "NOPE"}).instrument_ids(reference(), 1) == Refusal(
        ErrorCode.RESOURCE_NOT_FOUND, f"{label}=NOPE is unknown", subject
    )


def test_a_value_is_compared_to_the_letter() -> None:
    """A scope names what it says: no case folding, no prefix."""
    for value in ("btc", "BTC ", "BT"):
        assert isinstance(
            scope(T.UNDERLYING, underlying_symbol=value).instrument_ids(reference(), 1), Refusal
        )


@pytest.mark.parametrize(
    ("scope_type", "field", "value"),
    [(T.INSTRUMENT, "symbol", "BTC-USD"), (T.UNDERLYING, "underlying_symbol", "BTC")],
)
def test_a_scope_stays_on_its_oms(scope_type: ScopeType, field: str, value: str) -> None:
    """A selector names one OMS: instruments of another one are not in the set."""
    assert scope(scope_type, **{field: value}).instrument_ids(two_omses(), 2) == frozenset({30})
