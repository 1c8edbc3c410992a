"""The reference data: what names an OMS, an instrument, and who shares an account with whom."""

from pathlib import Path

import pytest

from fixgw.config import load
from fixgw.core.directory import Directory, InstrumentName, OmsName, Permission, Session, User
from fixgw.core.errors import ErrorCode, Refusal, Subject
from tests.core.build import (
    BTC_USD,
    COLLEAGUE,
    ETH_USD,
    NOBODY,
    OPERATOR,
    READER,
    STRANGER,
    TRADER,
    UNKNOWN_USER,
    directory,
    reference,
    two_omses,
)

GATEWAY_TOML = Path(__file__).parents[2] / "config" / "gateway.toml"


def tables(data: Directory) -> tuple[object, ...]:
    return data.omses, data.instruments, data.accounts, data.users, data.sessions


def test_the_reference_configuration_is_the_one_that_ships() -> None:
    """Documentation, demo and tests refer to one configuration: that of config/gateway.toml."""
    assert tables(reference()) == tables(load(GATEWAY_TOML).directory())


@pytest.mark.parametrize(
    ("permissions", "operator", "trader"),
    [
        ((), False, False),
        ((Permission.ACCOUNT_READ_ONLY,), False, False),
        ((Permission.TRADING,), False, True),
        ((Permission.OPERATOR,), True, False),
        ((Permission.TRADING, Permission.OPERATOR), True, True),
    ],
)
def test_what_a_user_is(permissions: tuple[Permission, ...], *, operator: bool, trader: bool) -> None:
    """Trading, Operator and AccountReadOnly are granted one by one; no one is anything by default."""
    made = User(7, frozenset({1}), permissions=frozenset(permissions))
    assert (made.is_operator, made.is_trader) == (operator, trader)


# OMS

OMS_NAMES = [
    (OmsName(), 1),
    (OmsName(oms_id=2), 2),
    (OmsName(oms_id=9), 9),
    (OmsName(name="OTHER"), 2),
    (OmsName(name="NOPE"), -1),
    (OmsName(2, "OTHER"), 2),
]


@pytest.mark.parametrize(("name", "expected"), OMS_NAMES)
def test_an_oms_is_named_by_id_by_name_by_both_or_not_at_all(name: OmsName, expected: int) -> None:
    """NoPartyIDs{452=16} or SecurityExchange(207) names the OMS; absent, it is the session's."""
    assert two_omses().oms(name, default=1) == expected


@pytest.mark.parametrize("name", [OmsName(1, "OTHER"), OmsName(9, "OTHER"), OmsName(1, "NOPE")])
def test_two_names_of_an_oms_must_agree(name: OmsName) -> None:
    """PartyID(448) with PartyRole(452)=16 and SecurityExchange(207) that disagree are 100."""
    refusal = two_omses().oms(name, default=1)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, Subject.OMS)
    assert "SecurityExchange(207)" in refusal.detail


# instruments


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (InstrumentName("BTC-USD"), BTC_USD),
        (InstrumentName(security_id="26"), ETH_USD),
        (InstrumentName("BTC-USD", "25"), BTC_USD),
        (InstrumentName("BTC-USD", "25", "4", "IFXXXP", "FOR"), BTC_USD),
        (InstrumentName(security_id="25", product="4"), BTC_USD),
    ],
)
def test_an_instrument_is_named_by_symbol_or_security_id(name: InstrumentName, expected: int) -> None:
    """Symbol(55), or SecurityID(48) with SecurityIDSource(22)=8, or both when they agree."""
    assert reference().instrument(name, 1) == reference().instruments[expected]


CONTRADICTIONS = [
    (InstrumentName("BTC-USD", "26"), "Symbol(55)=BTC-USD and SecurityID(48)=26 name different instruments"),
    (InstrumentName("BTC-USD", "99"), "Symbol(55)=BTC-USD and SecurityID(48)=99 name different instruments"),
    (InstrumentName("NOPE", "25"), "Symbol(55)=NOPE and SecurityID(48)=25 name different instruments"),
    (InstrumentName("BTC-USD", product="12"), "Product(460) is 12, that of BTC-USD is 4"),
    (InstrumentName("BTC-USD", cfi_code="FFSCSX"), "CFICode(461) is FFSCSX, that of BTC-USD is IFXXXP"),
    (InstrumentName("BTC-USD", security_type="FUT"), "SecurityType(167) is FUT, that of BTC-USD is FOR"),
]


@pytest.mark.parametrize(("name", "detail"), CONTRADICTIONS)
def test_names_of_an_instrument_must_agree(name: InstrumentName, detail: str) -> None:
    """Fields that name different instruments, or are not that instrument's own, are 100 and named."""
    assert reference().instrument(name, 1) == Refusal(ErrorCode.INVALID_REQUEST, detail, Subject.INSTRUMENT)


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        (InstrumentName("NOPE"), "Symbol(55)=NOPE is unknown"),
        (InstrumentName(security_id="99"), "SecurityID(48)=99 is unknown"),
        (InstrumentName("NOPE", "99"), "Symbol(55)=NOPE is unknown"),
    ],
)
def test_an_unknown_instrument_is_not_found(name: InstrumentName, detail: str) -> None:
    """An instrument that the table does not hold is 104."""
    assert reference().instrument(name, 1) == Refusal(
        ErrorCode.RESOURCE_NOT_FOUND, detail, Subject.INSTRUMENT
    )


def test_an_instrument_belongs_to_its_oms() -> None:
    """The same Symbol(55) on two OMSes is two instruments; one's SecurityID(48) is unknown on the other."""
    data = two_omses()
    assert data.instrument(InstrumentName("BTC-USD"), 2) == data.instruments[30]
    assert isinstance(data.instrument(InstrumentName(security_id="30"), 1), Refusal)


ORDER_NAMES = [
    (InstrumentName(), None),
    (InstrumentName("BTC-USD", "25", "4", "IFXXXP", "FOR"), None),
    (InstrumentName("ETH-USD"), "Symbol(55)"),
    (InstrumentName(security_id="26"), "SecurityID(48)"),
    (InstrumentName("BTC-USD", "26"), "SecurityID(48)"),
    (InstrumentName(product="12"), "Product(460)"),
    (InstrumentName(cfi_code="FFSCSX"), "CFICode(461)"),
    (InstrumentName(security_type="FUT"), "SecurityType(167)"),
]


@pytest.mark.parametrize(("name", "field"), ORDER_NAMES)
def test_what_is_said_of_an_order_s_instrument_must_be_its_own(
    name: InstrumentName, field: str | None
) -> None:
    """Symbol and SecurityID in F must be the order's, else 100 naming the field."""
    refusal = name.contradiction(reference().instruments[BTC_USD])
    if field is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, Subject.INSTRUMENT)
        assert refusal.detail.startswith(f"{field} is ")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (InstrumentName(), False),
        (InstrumentName("BTC-USD"), True),
        (InstrumentName(security_id="25"), True),
        (InstrumentName(product="4", cfi_code="IFXXXP", security_type="FOR"), False),
    ],
)
def test_what_names_an_instrument_at_all(name: InstrumentName, *, given: bool) -> None:
    """Product, CFICode and SecurityType are properties of an instrument; they do not name one."""
    assert name.is_given is given


# accounts


@pytest.mark.parametrize(
    ("user_id", "other_id", "shares"),
    [
        (TRADER, TRADER, True),
        (TRADER, COLLEAGUE, True),
        (COLLEAGUE, TRADER, True),
        (TRADER, READER, True),
        (TRADER, STRANGER, False),
        (TRADER, OPERATOR, False),
        (OPERATOR, OPERATOR, True),
        (TRADER, UNKNOWN_USER, False),
        (NOBODY, STRANGER, False),
    ],
)
def test_who_shares_an_account(user_id: int, other_id: int, *, shares: bool) -> None:
    """A user may belong to several accounts and an account to several users."""
    data = directory()
    assert data.shares_account(data.users[user_id], other_id) is shares


@pytest.mark.parametrize(("user_id", "name"), [(TRADER, "TRADER37"), (UNKNOWN_USER, None)])
def test_a_user_s_first_session(user_id: int, name: str | None) -> None:
    """An order from elsewhere is told to its user's first configured session, if he has one."""
    data = reference()
    data.sessions["SECOND37"] = Session("SECOND37", TRADER, 1)
    assert data.first_session(user_id) == name
