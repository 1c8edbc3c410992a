"""From what a mass request names to the one selector that it asks for."""

from typing import Any

import pytest

from fixgw.core.directory import DefaultScope, InstrumentName, OmsName
from fixgw.core.errors import ErrorCode, Refusal, Subject, not_supported
from fixgw.core.narrow import Asked, oms_problem, read_selector, unknown_names, unsupported
from fixgw.core.order import Side
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from tests.core.build import (
    BTC_PERP,
    BTC_USD,
    COLLEAGUE,
    OPERATOR,
    PRIVATE,
    READER,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    UNKNOWN_ACCOUNT,
    UNKNOWN_USER,
    cancel,
    directory,
    mass_cancel,
    mass_status,
    new_order,
    order_status,
    state,
    two_omses,
    user,
)

UNDERLYING_BTC = Scope(ScopeType.UNDERLYING, underlying_symbol="BTC")
UNKNOWN_SYMBOL = Scope(ScopeType.INSTRUMENT, InstrumentName("NOPE"))
DISAGREEING = Scope(ScopeType.INSTRUMENT, InstrumentName("BTC-USD", "26"))
OTHER_NAMES = OmsName(2, "SANDBOX")
UNKNOWN_OMS = OmsName(name="NOPE")


def read(user_id: int = TRADER, make: Any = mass_cancel, **changes: Any) -> Asked | Refusal:
    return read_selector(state(), make(user_id, **changes), user(user_id))


BOTH = pytest.mark.parametrize("make", [mass_cancel, mass_status])


@BOTH
@pytest.mark.parametrize(
    ("user_id", "selector"),
    [
        (TRADER, CancelSelector(1, user_id=TRADER)),
        (COLLEAGUE, CancelSelector(1)),
        (OPERATOR, CancelSelector(1)),
    ],
)
def test_the_session_s_default_scope(make: Any, user_id: int, selector: CancelSelector) -> None:
    """q and AF that name neither account nor user mean what is configured: the user's own orders, or all."""
    assert read(user_id, make) == Asked(selector)


def test_the_default_scope_is_the_session_s_not_the_user_s() -> None:
    """The default scope is a setting of the session that asks."""
    own = directory(sessions={SESSIONS[COLLEAGUE]: {"default_scope": DefaultScope.OWN}})
    made = state(reference_data=own)
    assert read_selector(made, mass_cancel(COLLEAGUE), user(COLLEAGUE)) == Asked(
        CancelSelector(1, user_id=COLLEAGUE)
    )


@BOTH
def test_a_door_without_sessions_has_no_default_scope(make: Any) -> None:
    """A request that did not come over FIX means what it says: nothing named is the whole OMS."""
    assert read(TRADER, make, session=None) == Asked(CancelSelector(1))


@BOTH
@pytest.mark.parametrize(
    ("named", "selector"),
    [
        ({"account_id": PRIVATE}, CancelSelector(1, account_id=PRIVATE)),
        ({"owner_id": COLLEAGUE}, CancelSelector(1, user_id=COLLEAGUE)),
        (
            {"account_id": SHARED, "owner_id": COLLEAGUE},
            CancelSelector(1, account_id=SHARED, user_id=COLLEAGUE),
        ),
        (
            {"scope": UNDERLYING_BTC},
            CancelSelector(1, user_id=TRADER, instrument_ids=frozenset({BTC_USD, BTC_PERP})),
        ),
        ({"side": "2"}, CancelSelector(1, user_id=TRADER, side=Side.SELL)),
        (
            {"account_id": SHARED, "owner_id": TRADER, "scope": UNDERLYING_BTC, "side": "1"},
            CancelSelector(1, SHARED, TRADER, frozenset({BTC_USD, BTC_PERP}), Side.BUY),
        ),
    ],
)
def test_all_that_is_named_narrows(make: Any, named: dict[str, Any], selector: CancelSelector) -> None:
    """Account, user, instruments and Side narrow, all conjunctive; naming one turns the default scope off."""
    assert read(TRADER, make, **named) == Asked(selector)


def test_a_strategy_narrows_a_mass_cancel() -> None:
    """The strategy label is a dimension of a mass cancel."""
    assert read(strategy="grid") == Asked(CancelSelector(1, user_id=TRADER, strategy="grid"))


# refused with 100


@BOTH
@pytest.mark.parametrize(
    ("changes", "subject"),
    [({"oms": OTHER_NAMES}, Subject.OMS), ({"scope": DISAGREEING}, Subject.INSTRUMENT)],
)
def test_only_contradictions_are_refused_before_permission(
    make: Any, changes: dict[str, Any], subject: Subject
) -> None:
    """100 is checked before 20: names that disagree refuse at once."""
    refusal = read(TRADER, make, **changes)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, subject)


def test_scope_8_needs_a_user() -> None:
    """MassStatusReqType(585)=8 needs a user, else 100."""
    refusal = read(make=mass_status, scope=Scope(ScopeType.PARTY))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, Subject.USER)
    named = read(make=mass_status, scope=Scope(ScopeType.PARTY), owner_id=TRADER)
    assert named == Asked(CancelSelector(1, user_id=TRADER))


# told only after permission


@BOTH
@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"oms": UNKNOWN_OMS}, Subject.OMS),
        ({"scope": UNKNOWN_SYMBOL}, Subject.INSTRUMENT),
        ({"oms": UNKNOWN_OMS, "scope": UNKNOWN_SYMBOL}, Subject.OMS),
        ({"scope": Scope(ScopeType.UNDERLYING, underlying_symbol="NOPE")}, Subject.UNDERLYING),
    ],
)
def test_an_unknown_name_waits_for_its_turn(make: Any, changes: dict[str, Any], subject: Subject) -> None:
    """104 comes after 20: what is unknown is kept until permission was checked."""
    asked = read(TRADER, make, **changes)
    assert isinstance(asked, Asked)
    assert asked.unknown is not None
    assert (asked.unknown.code, asked.unknown.subject) == (ErrorCode.RESOURCE_NOT_FOUND, subject)


def test_an_unknown_instrument_selects_nothing() -> None:
    """Never widen: a selector of which a name is unknown names no instrument at all."""
    asked = read(scope=UNKNOWN_SYMBOL)
    assert isinstance(asked, Asked)
    assert asked.selector.instrument_ids == frozenset()


# OMS

EVERY_KIND = [new_order, cancel, mass_cancel, order_status, mass_status]


@pytest.mark.parametrize("make", EVERY_KIND)
@pytest.mark.parametrize("name", [OmsName(), OmsName(1), OmsName(name="SANDBOX"), OmsName(1, "SANDBOX")])
def test_the_session_s_oms(make: Any, name: OmsName) -> None:
    """OMS absent: the session's; named: it has to be it."""
    assert oms_problem(state(), make(oms=name), user(TRADER)) is None


@pytest.mark.parametrize("make", EVERY_KIND)
def test_an_oms_named_in_two_ways(make: Any) -> None:
    """Party role 16 and SecurityExchange(207) must agree, else 100."""
    problem = oms_problem(state(), make(oms=OTHER_NAMES), user(TRADER))
    assert problem is not None
    assert (problem.code, problem.subject) == (ErrorCode.INVALID_REQUEST, Subject.OMS)


def test_an_oms_that_is_unknown_or_not_his() -> None:
    """Nothing leaks: an OMS that is not his and one that does not exist are one answer, 104."""
    data = two_omses()
    here, there = state(reference_data=data), state(reference_data=data, oms_id=2)
    colleague = data.users[COLLEAGUE]
    asked = [
        (here, mass_cancel(oms=OmsName(9)), data.users[TRADER], "PartyID(448)=9"),
        (here, mass_cancel(oms=UNKNOWN_OMS), data.users[TRADER], "SecurityExchange(207)=NOPE"),
        (here, mass_cancel(COLLEAGUE, oms=OmsName(2)), colleague, "PartyID(448)=2"),
        (there, mass_cancel(COLLEAGUE, oms=OmsName(2)), colleague, "PartyID(448)=2"),
        (there, mass_cancel(COLLEAGUE, oms=OmsName(name="OTHER")), colleague, "SecurityExchange(207)=OTHER"),
    ]
    for held, request, asker, named in asked:
        detail = f"{named} names no OMS of this user"
        assert oms_problem(held, request, asker) == Refusal(ErrorCode.RESOURCE_NOT_FOUND, detail, Subject.OMS)
    assert oms_problem(there, mass_cancel(oms=OmsName(name="OTHER")), data.users[TRADER]) is None


# names


@pytest.mark.parametrize(
    ("account_id", "owner_id", "expected"),
    [
        (None, None, None),
        (SHARED, TRADER, None),
        (UNKNOWN_ACCOUNT, TRADER, ("Account(1)=99 is unknown", Subject.ACCOUNT)),
        (UNKNOWN_ACCOUNT, UNKNOWN_USER, ("Account(1)=99 is unknown", Subject.ACCOUNT)),
        (SHARED, UNKNOWN_USER, ("PartyID(448)=999 with PartyRole(452)=11 is unknown", Subject.USER)),
    ],
)
def test_an_operator_is_told_what_is_unknown(
    account_id: int | None, owner_id: int | None, expected: tuple[str, Subject] | None
) -> None:
    """An account or user that does not exist is 104 for an Operator."""
    refusal = unknown_names(state(), user(OPERATOR), account_id, owner_id)
    if expected is None:
        assert refusal is None
    else:
        assert refusal == Refusal(ErrorCode.RESOURCE_NOT_FOUND, *expected)


@pytest.mark.parametrize("user_id", [TRADER, STRANGER, READER])
def test_others_must_not_learn_it(user_id: int) -> None:
    """Whether an account or user exists is told to Operators only."""
    assert unknown_names(state(), user(user_id), UNKNOWN_ACCOUNT, UNKNOWN_USER) is None


def test_an_account_of_another_oms_is_unknown() -> None:
    """An account belongs to one OMS: on another it is unknown."""
    data = two_omses()
    refusal = unknown_names(state(reference_data=data), data.users[OPERATOR], 20, None)
    assert refusal == Refusal(ErrorCode.RESOURCE_NOT_FOUND, "Account(1)=20 is unknown", Subject.ACCOUNT)


# filters


@BOTH
@pytest.mark.parametrize("side", [None, "1", "2", "5"])
def test_a_side_that_is_honoured(make: Any, side: str | None) -> None:
    """Side(54) is a filter of q and AF."""
    assert unsupported(make(side=side)) is None


@BOTH
@pytest.mark.parametrize("side", ["7", "8", "B", ""])
def test_a_side_that_cannot_be_honoured(make: Any, side: str) -> None:
    """Side(54) is honoured or refused, never ignored: 106."""
    expected = not_supported(f"Side(54)={side} is not supported as a filter")
    assert unsupported(make(side=side)) == expected


@BOTH
def test_what_else_cannot_be_honoured(make: Any) -> None:
    """Anything else that narrows and that nobody can honour is 106, as the door read it; Side comes first."""
    refusal = not_supported("MaturityMonthYear(200) is not supported")
    assert unsupported(make(unsupported=refusal)) == refusal
    assert unsupported(make(unsupported=refusal, side="7")) != refusal
