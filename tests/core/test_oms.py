"""Decisions: each kind of request wrong in several ways at once, mended from the first check to the last.

The order of precedence is 100, 20, 104, 106, 101; a client order id that was used before comes ahead of all.
More than 500 lines, because the tables of one order of precedence belong side by side.
"""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.day import end_day, expire
from fixgw.core.decision import Asking, Decision, refuse
from fixgw.core.directory import CancelScope, InstrumentName, OmsName
from fixgw.core.errors import (
    ErrorCode,
    Failure,
    Refusal,
    Subject,
    failed,
    invalid,
    not_supported,
    server_error,
)
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    DayEnded,
    MassCancelAccepted,
    MassCancelRequested,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
    RequestRefused,
)
from fixgw.core.oms import decide
from fixgw.core.order import CancelRef, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import BusinessReject, OrderState
from fixgw.core.requests import (
    FillOrder,
    OrderAnswer,
    RequestKind,
    TriggerOrder,
    VenueRequest,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.venue import decide_venue
from tests.core.build import (
    AT,
    BTC_USD,
    CLOSED,
    COLLEAGUE,
    DAY_START,
    ETH_USD,
    FOREIGN,
    NOBODY,
    OPEN,
    OPERATOR,
    PRIVATE,
    READER,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    UNKNOWN_ACCOUNT,
    UNKNOWN_USER,
    YESTERDAY,
    Bench,
    cancel,
    directory,
    in_status,
    malformed,
    mass_cancel,
    mass_status,
    new_order,
    order,
    order_status,
    state,
    stop_order,
    two_omses,
    user,
)

USED = "o1"
NAMES_DISAGREE = OmsName(9, "SANDBOX")
UNKNOWN_OMS = OmsName(9)
UNSUPPORTED = not_supported("MinQty(110) is not supported")
DISAGREEING = InstrumentName("BTC-USD", "26")
UNKNOWN_INSTRUMENT = InstrumentName("NOPE")

Mend = tuple[dict[str, Any], int, str, str]
"""What is mended, and the code, the rule and the beginning of the detail that are left."""


def assert_mended_step_by_step(held: OmsState, worst: Asking, mends: list[Mend]) -> Asking:
    """Mend `worst` one thing at a time; after each, the next check down the order decides."""
    request = worst
    for changes, code, rule, detail in mends:
        request = replace(request, **changes)
        decision = decide(held, request, AT, 100)
        assert decision.refusal is not None, (changes, detail)
        assert (decision.refusal.code, decision.rule) == (code, rule), decision.refusal.detail
        assert decision.refusal.detail.startswith(detail)
        assert [type(event) for event in decision.events] == [RequestRefused]
        assert not decision.to_cancel
    return request


# D

WRONG_ORDER: dict[str, Any] = {
    "cl_ord_id": USED,
    "oms": NAMES_DISAGREE,
    "instrument": DISAGREEING,
    "account_id": FOREIGN,
    "unsupported": UNSUPPORTED,
    "side": None,
}


def test_a_new_order_wrong_in_every_way() -> None:
    """D of a Trading user: duplicate, then 100, 20, 104, 106, and nothing is left to refuse."""
    mended = assert_mended_step_by_step(
        state(order(1)),
        new_order(**WRONG_ORDER),
        [
            ({}, 101, "duplicate-id", "ClOrdID(11)=o1 was used before"),
            ({"cl_ord_id": "n1"}, 100, "contradiction", "PartyID(448)=9 with PartyRole(452)=16"),
            ({"oms": OmsName()}, 100, "contradiction", "Symbol(55)=BTC-USD and SecurityID(48)=26"),
            ({"instrument": UNKNOWN_INSTRUMENT}, 20, "account-not-own", "Account(1)=16"),
            ({"account_id": SHARED, "owner_id": COLLEAGUE}, 20, "enter-for-other", "only an operator"),
            ({"owner_id": None}, 104, "unknown-name", "Symbol(55)=NOPE is unknown"),
            ({"instrument": InstrumentName("BTC-USD")}, 106, "unsupported-field", "MinQty(110)"),
        ],
    )
    decision = decide(state(), replace(cast(Any, mended), unsupported=None, side=Side.BUY), AT, 100)
    assert decision.refusal is None
    assert decision.rule == "own-account"


def test_a_new_order_of_an_operator_wrong_in_every_way() -> None:
    """D of an Operator: he must name the account, which must be the user's; unknown names are told him."""
    assert_mended_step_by_step(
        state(order(1)),
        new_order(
            OPERATOR,
            owner_id=TRADER,
            oms=NAMES_DISAGREE,
            instrument=UNKNOWN_INSTRUMENT,
            unsupported=UNSUPPORTED,
            session="OPERATOR1",
        ),
        [
            ({}, 100, "contradiction", "PartyID(448)=9"),
            ({"oms": UNKNOWN_OMS}, 100, "contradiction", "Account(1) is missing"),
            ({"account_id": FOREIGN}, 100, "contradiction", "Account(1)=16 is not an account of user 37"),
            ({"account_id": UNKNOWN_ACCOUNT}, 104, "unknown-name", "Account(1)=99 is unknown"),
            (
                {"account_id": SHARED, "owner_id": UNKNOWN_USER},
                104,
                "unknown-name",
                "PartyID(448)=999 with PartyRole(452)=11 is unknown",
            ),
            ({"owner_id": TRADER}, 104, "unknown-name", "PartyID(448)=9 names no OMS of this user"),
            ({"oms": OmsName()}, 104, "unknown-name", "Symbol(55)=NOPE is unknown"),
            ({"instrument": InstrumentName("BTC-USD")}, 106, "unsupported-field", "MinQty(110)"),
        ],
    )


@pytest.mark.parametrize(
    "request_",
    [
        new_order(oms=UNKNOWN_OMS, instrument=DISAGREEING),
        mass_cancel(oms=UNKNOWN_OMS, scope=Scope(ScopeType.INSTRUMENT, DISAGREEING)),
        mass_status(oms=UNKNOWN_OMS, scope=Scope(ScopeType.INSTRUMENT, DISAGREEING)),
    ],
    ids=["D", "q", "AF"],
)
def test_a_contradiction_comes_before_an_unknown_oms(request_: Asking) -> None:
    """100 comes before 104: names of an instrument that disagree, on an OMS that is unknown."""
    decision = decide(state(), request_, AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.rule) == (100, "contradiction")


@pytest.mark.parametrize("user_id", [NOBODY, READER])
def test_a_new_order_without_permission(user_id: int) -> None:
    """No Trading and no Operator permission: 20 before anything unknown is told; 100 still comes first."""
    wrong = new_order(user_id, instrument=DISAGREEING, unsupported=UNSUPPORTED)
    assert_mended_step_by_step(
        state(),
        wrong,
        [
            ({}, 100, "contradiction", "Symbol(55)"),
            ({"instrument": UNKNOWN_INSTRUMENT}, 20, "no-permission", f"user {user_id} has neither"),
        ],
    )


def test_an_order_is_entered_as_it_was_asked_for() -> None:
    """D becomes an order with all that was asked for, in the user's default account if it names none."""
    request = new_order(
        side=Side.SELL_SHORT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        strategy="grid",
        product="MIS",
        content=55,
    )
    decision = decide(state(), request, AT, 100)
    entered = order(
        100,
        cl_ord_id="n1",
        account_id=SHARED,
        side=Side.SELL_SHORT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        strategy="grid",
        product="MIS",
        content=55,
        entered_at=AT,
    )
    assert decision == Decision((OrderEntered(entered),), rule="own-account")


@pytest.mark.parametrize(
    ("ord_type", "price", "stop_px", "status"),
    [
        (OrdType.MARKET, None, None, OrdStatus.NEW),
        (OrdType.LIMIT, Decimal(100), None, OrdStatus.NEW),
        (OrdType.STOP, None, Decimal(90), OrdStatus.PENDING_TRIGGER),
        (OrdType.STOP_LIMIT, Decimal(100), Decimal(90), OrdStatus.PENDING_TRIGGER),
    ],
)
def test_a_stop_rests_as_pending_on_its_trigger(
    ord_type: OrdType, price: Decimal | None, stop_px: Decimal | None, status: OrdStatus
) -> None:
    """OrdType 1, 2, 3, 4: a stop waits for its trigger, the others are live."""
    decision = decide(state(), new_order(ord_type=ord_type, price=price, stop_px=stop_px), AT, 100)
    (event,) = decision.events
    assert isinstance(event, OrderEntered)
    assert (event.order.status, event.order.price, event.order.stop_px) == (status, price, stop_px)


@pytest.mark.parametrize(
    ("user_id", "changes", "owner", "account_id", "rule"),
    [
        (TRADER, {}, TRADER, SHARED, "own-account"),
        (TRADER, {"account_id": PRIVATE}, TRADER, PRIVATE, "own-account"),
        (TRADER, {"owner_id": TRADER}, TRADER, SHARED, "own-account"),
        (OPERATOR, {"owner_id": TRADER, "account_id": PRIVATE}, TRADER, PRIVATE, "operator"),
        (OPERATOR, {"account_id": FOREIGN}, OPERATOR, FOREIGN, "operator"),
    ],
)
def test_whose_order_it_is(
    user_id: int, changes: dict[str, Any], owner: int, account_id: int, rule: str
) -> None:
    """An Operator may enter for another user (then it is that user's order), and names the account."""
    decision = decide(state(), new_order(user_id, **changes), AT, 100)
    (event,) = decision.events
    assert isinstance(event, OrderEntered)
    assert (event.order.user_id, event.order.account_id, decision.rule) == (owner, account_id, rule)
    assert event.order.session == SESSIONS[user_id]
    assert event.order.entered_by == (None if owner == user_id else user_id)


def test_an_operator_has_no_default_account() -> None:
    """Account absent means the user's default account; a user without one must name it: 100."""
    decision = decide(state(), new_order(OPERATOR), AT, 100)
    assert decision.refusal == invalid(
        "Account(1) is missing, and no default account applies", Subject.ACCOUNT
    )


def test_one_s_own_default_account_is_not_another_s() -> None:
    """An Operator who enters for another user must name the Account, whatever his own default is: 100."""
    trades_too = replace(user(OPERATOR), account_ids=frozenset({SHARED}), default_account_id=SHARED)
    held = state(reference_data=directory(users=[trades_too]))
    decision = decide(held, new_order(OPERATOR, owner_id=TRADER), AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.subject) == (100, Subject.ACCOUNT)
    assert decide(held, new_order(OPERATOR), AT, 100).refusal is None


def test_an_account_of_another_oms_is_out_of_reach() -> None:
    """An account is on one OMS: on another it is as one that is not his, for D as for q and AF."""
    held = state(reference_data=two_omses())
    for request in (new_order(account_id=20), mass_cancel(account_id=20), mass_status(account_id=20)):
        decision = decide(held, request, AT, 100)
        assert decision.refusal is not None
        assert (decision.refusal.code, decision.rule) == (ErrorCode.NOT_AUTHORIZED, "account-not-own")


def test_a_default_account_of_another_oms_does_not_apply() -> None:
    """Account absent means the user's default account, where the OMS has it; elsewhere it is missing, 100."""
    held = state(reference_data=two_omses(), oms_id=2)
    decision = decide(held, new_order(oms=OmsName(2)), AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.subject) == (100, Subject.ACCOUNT)
    assert decide(held, new_order(oms=OmsName(2), account_id=20), AT, 100).refusal is None


def test_a_duplicate_tells_a_new_order_of_the_existing_one() -> None:
    """A duplicate D is refused with the 39 of the existing order."""
    decision = decide(state(order(1)), new_order(cl_ord_id="o1"), AT, 100)
    (event,) = decision.events
    assert isinstance(event, RequestRefused)
    assert (event.order_id, event.refusal.failure) == (1, Failure.DUPLICATE_CL_ORD_ID)


def test_what_passed_its_checks_by_our_mistake_is_our_bug() -> None:
    """A value that is not supported has a 106 with it; without one, the fault is ours and is not entered."""
    with pytest.raises(AssertionError, match="not supported"):
        decide(state(), new_order(ord_type=None), AT, 100)


# F


def test_a_cancel_wrong_in_every_way() -> None:
    """F of a Trading user: duplicate, then the names of the OMS and of the order, then 20, then 104."""
    assert_mended_step_by_step(
        state(order(1), order(3, user_id=STRANGER, account_id=FOREIGN)),
        cancel(cl_ord_id=USED, oms=NAMES_DISAGREE, order_id=3, orig_cl_ord_id="o1", side="2"),
        [
            ({}, 101, "duplicate-id", "ClOrdID(11)=o1 was used before"),
            ({"cl_ord_id": "c1"}, 100, "contradiction", "PartyID(448)=9"),
            ({"oms": OmsName()}, 100, "contradiction", "OrderID(37)=3 and OrigClOrdID(41)=o1"),
            (
                {"orig_cl_ord_id": None, "account_id": FOREIGN, "owner_id": STRANGER},
                20,
                "account-not-own",
                "Account(1)=16",
            ),
            ({"account_id": None}, 20, "user-not-in-reach", "user 39 shares no account"),
            ({"owner_id": None}, 104, "unknown-order", "OrderID(37) names no order"),
            ({"order_id": None, "orig_cl_ord_id": "o3"}, 104, "unknown-order", "OrigClOrdID(41) names no"),
        ],
    )


def test_a_cancel_that_contradicts_its_order_in_every_way() -> None:
    """F: every field must be the order's, 100; only then is it too late, 101."""
    worst: dict[str, Any] = {
        "account_id": FOREIGN,
        "owner_id": STRANGER,
        "instrument": InstrumentName("ETH-USD"),
        "side": "2",
        "order_qty": Decimal(11),
    }
    assert_mended_step_by_step(
        state(in_status(OrdStatus.FILLED)),
        cancel(**worst),
        [
            ({}, 100, "contradiction", "Account(1)=16 is not the order's account"),
            ({"account_id": SHARED}, 100, "contradiction", "PartyID(448)=39"),
            ({"owner_id": TRADER}, 100, "contradiction", "Symbol(55) is ETH-USD"),
            ({"instrument": InstrumentName("BTC-USD")}, 100, "contradiction", "Side(54)=2"),
            ({"side": "1"}, 100, "contradiction", "OrderQty(38)=11"),
            ({"order_qty": Decimal(10)}, 101, "too-late", "too late to cancel, the order is FILLED"),
        ],
    )


def test_a_cancel_for_an_oms_that_is_unknown() -> None:
    """F: 20 comes before 104, for an OMS that is unknown as for everything else."""
    assert_mended_step_by_step(
        state(order(1)),
        cancel(oms=UNKNOWN_OMS, account_id=FOREIGN),
        [
            ({}, 20, "account-not-own", "Account(1)=16"),
            ({"account_id": None}, 104, "unknown-name", "PartyID(448)=9 names no OMS of this user"),
        ],
    )


@pytest.mark.parametrize("user_id", [NOBODY, READER])
def test_a_cancel_without_permission(user_id: int) -> None:
    """No Trading and no Operator permission: 20, whatever else is unknown, contradictory or too late."""
    assert_mended_step_by_step(
        state(in_status(OrdStatus.FILLED)),
        cancel(user_id, oms=NAMES_DISAGREE, order_id=99, side="2"),
        [
            ({}, 100, "contradiction", "PartyID(448)=9"),
            ({"oms": UNKNOWN_OMS}, 20, "no-permission", f"user {user_id} has neither"),
            ({"oms": OmsName()}, 20, "no-permission", f"user {user_id} has neither"),
            ({"order_id": 1}, 20, "no-permission", f"user {user_id} has neither"),
        ],
    )


def test_a_cancel_of_an_operator_wrong_in_every_way() -> None:
    """F of an Operator: what is unknown is told him, account before user before order."""
    assert_mended_step_by_step(
        state(order(1)),
        cancel(OPERATOR, oms=UNKNOWN_OMS, order_id=99, account_id=UNKNOWN_ACCOUNT, owner_id=UNKNOWN_USER),
        [
            ({}, 104, "unknown-name", "PartyID(448)=9 names no OMS of this user"),
            ({"oms": OmsName()}, 104, "unknown-name", "Account(1)=99 is unknown"),
            ({"account_id": SHARED}, 104, "unknown-name", "PartyID(448)=999"),
            ({"owner_id": TRADER}, 104, "unknown-order", "OrderID(37) names no order"),
        ],
    )


@pytest.mark.parametrize("status", OPEN, ids=lambda status: status.name)
def test_a_cancel_is_taken_on(status: OrdStatus) -> None:
    """F on an open order: it is to be canceled for the one who asked; a pending one is refused, 101."""
    decision = decide(state(in_status(status)), cancel(content=55), AT, 100)
    if status is OrdStatus.PENDING_CANCEL:
        pending = failed("a cancel of this order is pending already", Failure.ALREADY_PENDING)
        assert (decision.refusal, decision.rule) == (pending, "already-pending")
        assert decision.events == (RequestRefused(cancel(content=55), pending, AT, 1),)
    else:
        by = CancelRef(TRADER, SESSIONS[TRADER], "c1", None, 55, AT)
        assert decision == Decision((CancelRequested(1, by, AT),), rule="own-order", to_cancel=(1,))


@pytest.mark.parametrize("status", CLOSED, ids=lambda status: status.name)
def test_a_cancel_that_is_too_late(status: OrdStatus) -> None:
    """F on a closed order: 101, with the order, so that 9 carries its real 39."""
    decision = decide(state(in_status(status)), cancel(), AT, 100)
    late = failed(f"too late to cancel, the order is {status.name}", Failure.TOO_LATE)
    assert decision == Decision((RequestRefused(cancel(), late, AT, 1),), rule="too-late", refusal=late)


@pytest.mark.parametrize(
    ("user_id", "scope", "code", "rule"),
    [
        (COLLEAGUE, CancelScope.ACCOUNT, None, "own-account"),
        (COLLEAGUE, CancelScope.USER, 104, "unknown-order"),
        (OPERATOR, CancelScope.USER, None, "operator"),
        (STRANGER, CancelScope.ACCOUNT, 104, "unknown-order"),
    ],
)
def test_who_cancels_whose_order(user_id: int, scope: CancelScope, code: int | None, rule: str) -> None:
    """A colleague's order in a shared account is within reach; under "user" it is 104."""
    decision = decide(state(order(1), cancel_scope=scope), cancel(user_id), AT, 100)
    assert (decision.refusal and decision.refusal.code, decision.rule) == (code, rule)


def test_another_user_named_under_cancel_scope_user() -> None:
    """Under "user", another user named is 20."""
    held = state(order(1, user_id=COLLEAGUE), cancel_scope=CancelScope.USER)
    decision = decide(held, cancel(owner_id=COLLEAGUE), AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.rule) == (20, "cancel-scope-user")


def test_a_cancel_whose_id_was_used_for_another_user() -> None:
    """An id is used once by a user, whatever the door: also for an order that he entered for another."""
    bench = Bench(state())
    entered = new_order(OPERATOR, session=None, owner_id=TRADER, account_id=SHARED, cl_ord_id="x")
    assert bench.ask(entered).refusal is None
    decision = decide(bench.state, cancel(OPERATOR, session=None, cl_ord_id="x", order_id=99), AT, 200)
    assert decision.refusal == failed("ClOrdID(11)=x was used before", Failure.DUPLICATE_CL_ORD_ID)


@pytest.mark.parametrize(
    ("user_id", "named", "order_id"),
    [
        (TRADER, {"order_id": 2}, 2),
        (TRADER, {"order_id": None, "orig_cl_ord_id": "o2"}, 2),
        (TRADER, {"order_id": 99}, None),
        (TRADER, {"order_id": 2, "orig_cl_ord_id": "o1"}, None),
        (READER, {"order_id": 2, "account_id": SHARED}, None),
    ],
)
def test_a_duplicate_cancel_tells_the_order_that_it_meant(
    user_id: int, named: dict[str, Any], order_id: int | None
) -> None:
    """9 has the real 39 of the order that the cancel is for, where that is certain and he may cancel it."""
    held = state(order(1), in_status(OrdStatus.FILLED, 2))
    request = cancel(user_id, cl_ord_id=USED, account_id=SHARED)
    decision = decide(held, replace(request, **named), AT, 100)
    (event,) = decision.events
    assert isinstance(event, RequestRefused)
    assert (event.order_id, event.refusal.failure) == (order_id, Failure.DUPLICATE_CL_ORD_ID)


# q


def test_a_mass_cancel_wrong_in_every_way() -> None:
    """q of a Trading user: duplicate, then 100, 20, 104, 106, and nothing is left to refuse."""
    worst = mass_cancel(
        cl_ord_id=USED,
        oms=NAMES_DISAGREE,
        scope=Scope(ScopeType.INSTRUMENT, DISAGREEING),
        account_id=FOREIGN,
        side="7",
        unsupported=UNSUPPORTED,
    )
    mended = assert_mended_step_by_step(
        state(order(1)),
        worst,
        [
            ({}, 101, "duplicate-id", "ClOrdID(11)=o1 was used before"),
            ({"cl_ord_id": "q1"}, 100, "contradiction", "PartyID(448)=9"),
            ({"oms": UNKNOWN_OMS}, 100, "contradiction", "Symbol(55)=BTC-USD and SecurityID(48)=26"),
            ({"scope": Scope(ScopeType.INSTRUMENT, UNKNOWN_INSTRUMENT)}, 20, "account-not-own", "Account"),
            ({"account_id": None, "owner_id": COLLEAGUE}, 20, "user-not-self", "user 38 is not this user"),
            ({"owner_id": None}, 104, "unknown-name", "PartyID(448)=9 names no OMS of this user"),
            ({"oms": OmsName()}, 104, "unknown-name", "Symbol(55)=NOPE is unknown"),
            ({"scope": Scope(ScopeType.ALL)}, 106, "unsupported-field", "Side(54)=7"),
            ({"side": None}, 106, "unsupported-field", "MinQty(110)"),
        ],
    )
    decision = decide(state(order(1)), replace(cast(Any, mended), unsupported=None), AT, 100)
    assert (decision.refusal, decision.to_cancel, decision.rule) == (None, (1,), "own-user")


def test_a_mass_cancel_of_an_operator_wrong_in_every_way() -> None:
    """q of an Operator: what is unknown is told him."""
    assert_mended_step_by_step(
        state(order(1)),
        mass_cancel(
            OPERATOR,
            scope=Scope(ScopeType.PRODUCT, InstrumentName(product="9")),
            account_id=UNKNOWN_ACCOUNT,
            owner_id=UNKNOWN_USER,
            side="7",
        ),
        [
            ({}, 104, "unknown-name", "Product(460)=9 is unknown"),
            ({"scope": Scope(ScopeType.ALL)}, 104, "unknown-name", "Account(1)=99 is unknown"),
            ({"account_id": None}, 104, "unknown-name", "PartyID(448)=999"),
            ({"owner_id": None}, 106, "unsupported-field", "Side(54)=7"),
        ],
    )


@pytest.mark.parametrize(
    ("user_id", "rule"),
    [
        (NOBODY, "no-permission"),
        (READER, "no-permission"),
        (COLLEAGUE, "all-users-needs-operator"),
    ],
)
def test_a_mass_cancel_without_permission(user_id: int, rule: str) -> None:
    """No Trading permission, or the whole OMS without the special one: 20, before 104 and 106."""
    request = mass_cancel(user_id, scope=Scope(ScopeType.INSTRUMENT, UNKNOWN_INSTRUMENT), side="7")
    decision = decide(state(order(1)), request, AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.rule) == (20, rule)


def test_a_mass_cancel_under_cancel_scope_user() -> None:
    """Under "user", an account named without a user is 20; with oneself it is one's own orders in it."""
    held = state(order(1), order(2, user_id=COLLEAGUE), cancel_scope=CancelScope.USER)
    decision = decide(held, mass_cancel(account_id=SHARED), AT, 100)
    assert (decision.refusal and decision.refusal.code, decision.rule) == (20, "cancel-scope-user")
    assert decide(held, mass_cancel(account_id=SHARED, owner_id=TRADER), AT, 100).to_cancel == (1,)


def test_a_mass_cancel_in_two_events() -> None:
    """MassCancelRequested, then MassCancelAccepted with the set; what is pending already is in the set."""
    held = state(
        order(3),
        order(1),
        in_status(OrdStatus.PENDING_CANCEL, 2),
        order(4, user_id=COLLEAGUE),
        in_status(OrdStatus.FILLED, 5),
    )
    decision = decide(held, mass_cancel(), AT, 100)
    by = CancelRef(TRADER, SESSIONS[TRADER], "q1", 100)
    assert decision.events == (
        MassCancelRequested(100, mass_cancel(), CancelSelector(1, user_id=TRADER), AT),
        MassCancelAccepted(100, by, (1, 3), (2,), AT),
    )
    assert list(decision.to_cancel) == [1, 3]


def test_a_mass_cancel_that_matches_nothing() -> None:
    """A request that matches nothing is an explicit success with count 0."""
    decision = decide(state(), mass_cancel(), AT, 100)
    assert decision.refusal is None
    accepted = decision.events[1]
    assert isinstance(accepted, MassCancelAccepted)
    assert (accepted.order_ids, accepted.already_pending, decision.to_cancel) == ((), (), ())


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, [1, 2]),
        ({"account_id": SHARED}, [1, 3]),
        ({"account_id": SHARED, "owner_id": TRADER}, [1]),
        ({"account_id": SHARED, "owner_id": COLLEAGUE}, [3]),
        ({"account_id": SHARED, "owner_id": UNKNOWN_USER}, []),
        ({"owner_id": TRADER, "scope": Scope(ScopeType.INSTRUMENT, InstrumentName("ETH-USD"))}, [2]),
        ({"side": "2"}, [2]),
    ],
)
def test_which_orders_a_mass_cancel_reaches(changes: dict[str, Any], ids: list[int]) -> None:
    """Account, user, instrument and side are conjunctive; a shared account has a colleague's orders too."""
    held = state(
        order(1),
        order(2, account_id=PRIVATE, instrument_id=ETH_USD, side=Side.SELL),
        order(3, user_id=COLLEAGUE),
        order(4, user_id=STRANGER, account_id=FOREIGN),
    )
    assert decide(held, mass_cancel(**changes), AT, 100).to_cancel == tuple(ids)


# nothing leaks

LEAKS: list[tuple[str, Callable[..., Asking], dict[str, Any], dict[str, Any]]] = [
    ("D account", new_order, {"account_id": FOREIGN}, {"account_id": UNKNOWN_ACCOUNT}),
    ("D user", new_order, {"owner_id": STRANGER}, {"owner_id": UNKNOWN_USER}),
    ("D id in an account", new_order, {"account_id": FOREIGN, "cl_ord_id": "o3"}, {"account_id": FOREIGN}),
    ("D id of a user", new_order, {"owner_id": STRANGER, "cl_ord_id": "o3"}, {"owner_id": STRANGER}),
    ("F order", cancel, {"order_id": 3}, {"order_id": 99}),
    ("F closed order", cancel, {"order_id": 4}, {"order_id": 99}),
    ("F id", cancel, {"order_id": None, "orig_cl_ord_id": "o3"}, {"order_id": None, "orig_cl_ord_id": "no"}),
    (
        "F id and account",
        cancel,
        {"order_id": None, "orig_cl_ord_id": "o3", "account_id": FOREIGN},
        {"order_id": None, "orig_cl_ord_id": "o3", "account_id": UNKNOWN_ACCOUNT},
    ),
    (
        "F id and user",
        cancel,
        {"order_id": None, "orig_cl_ord_id": "o3", "owner_id": STRANGER},
        {"order_id": None, "orig_cl_ord_id": "o3", "owner_id": UNKNOWN_USER},
    ),
    ("F both ids", cancel, {"order_id": 3, "orig_cl_ord_id": "o1"}, {"order_id": 99, "orig_cl_ord_id": "o1"}),
    ("F used id", cancel, {"cl_ord_id": "o1", "order_id": 3}, {"cl_ord_id": "o1", "order_id": 99}),
    ("F other id", cancel, {"orig_cl_ord_id": "o3"}, {"orig_cl_ord_id": "no"}),
    (
        "F own id in an account",
        cancel,
        {"order_id": 99, "account_id": FOREIGN, "cl_ord_id": "o3"},
        {"order_id": 99, "account_id": FOREIGN},
    ),
    ("q account", mass_cancel, {"account_id": FOREIGN}, {"account_id": UNKNOWN_ACCOUNT}),
    ("q user", mass_cancel, {"owner_id": STRANGER}, {"owner_id": UNKNOWN_USER}),
    (
        "q account and user",
        mass_cancel,
        {"account_id": SHARED, "owner_id": STRANGER},
        {"account_id": SHARED, "owner_id": UNKNOWN_USER},
    ),
    ("q id in an account", mass_cancel, {"account_id": FOREIGN, "cl_ord_id": "o3"}, {"account_id": FOREIGN}),
    ("H order", order_status, {"order_id": 3}, {"order_id": 99}),
    ("H id", order_status, {"orig_cl_ord_id": "o3"}, {"orig_cl_ord_id": "no"}),
    (
        "H id and account",
        order_status,
        {"orig_cl_ord_id": "o3", "account_id": FOREIGN},
        {"orig_cl_ord_id": "o3", "account_id": UNKNOWN_ACCOUNT},
    ),
    ("AF account", mass_status, {"account_id": FOREIGN}, {"account_id": UNKNOWN_ACCOUNT}),
    ("AF user", mass_status, {"owner_id": STRANGER}, {"owner_id": UNKNOWN_USER}),
]


def answered(request: Asking) -> tuple[object, ...]:
    """Everything that the asker can see of the answer, the numbers and names that he gave left out."""
    held = state(
        order(1),
        order(3, user_id=STRANGER, account_id=FOREIGN),
        in_status(OrdStatus.FILLED, 4, user_id=STRANGER, account_id=FOREIGN),
    )
    decision = decide(held, request, AT, 100)
    shown = [
        (reply.order, reply.total, reply.last) if isinstance(reply, OrderState) else type(reply)
        for reply in decision.replies
    ]
    refusal = decision.refusal
    told = None if refusal is None else (refusal.code, re.sub(r"\d+|\bo3|\bno\b", "N", refusal.detail))
    order_ids = [event.order_id for event in decision.events if isinstance(event, RequestRefused)]
    return told, refusal and (refusal.subject, refusal.failure), order_ids, shown, list(decision.to_cancel)


@pytest.mark.parametrize(("name", "make", "not_his", "nonexistent"), LEAKS, ids=[leak[0] for leak in LEAKS])
def test_not_his_and_does_not_exist_are_one_answer(
    name: str, make: Callable[..., Asking], not_his: dict[str, Any], nonexistent: dict[str, Any]
) -> None:
    """For a Trading user "not yours" and "does not exist" are one answer, to the letter."""
    assert answered(make(TRADER, **not_his)) == answered(make(TRADER, **nonexistent)), name


# requests that cannot be read


@pytest.mark.parametrize("kind", "DFq")
def test_a_malformed_request_is_refused_with_its_own_answer(kind: str) -> None:
    """What is wrong with a field of D, F or q is answered with its 8, 9 or r, the ClOrdID used or not."""
    request = malformed(RequestKind(kind), cl_ord_id=USED)
    decision = decide(state(order(1)), request, AT, 100)
    assert decision == Decision(
        (RequestRefused(request, request.refusal, AT),), rule="syntax", refusal=request.refusal
    )


@pytest.mark.parametrize(
    ("kind", "changes", "ref_id", "unsupported_type"),
    [
        ("H", {"req_id": "r1"}, "r1", False),
        ("H", {}, "m1", False),
        ("AF", {"req_id": "s1", "cl_ord_id": None}, "s1", False),
        ("D", {"echo_id": False, "cl_ord_id": None}, None, False),
        ("F", {"echo_id": False, "cl_ord_id": None}, None, False),
        ("q", {"echo_id": False, "cl_ord_id": None}, None, False),
        ("AF", {"echo_id": False, "req_id": None}, None, False),
        ("?", {"echo_id": False, "msg_type": "G"}, None, True),
    ],
)
def test_a_malformed_request_without_an_answer_of_its_own(
    kind: str, changes: dict[str, Any], ref_id: str | None, *, unsupported_type: bool
) -> None:
    """j for H and AF, where the id cannot be echoed, and for unsupported types; nothing happens by it."""
    request = malformed(RequestKind(kind), **changes)
    decision = decide(state(), request, AT, 100)
    reject = BusinessReject(2, request.msg_type, request.refusal, ref_id, unsupported_type=unsupported_type)
    assert decision == Decision(replies=(reject,), rule="syntax", refusal=request.refusal)


# repetitions and status


def test_a_repetition_gets_a_reply_and_no_event() -> None:
    """With 97=Y and the same content the current state again, and nothing is done twice."""
    request = new_order(cl_ord_id="o1", content=1, poss_resend=True)
    decision = decide(state(order(1)), request, AT, 100)
    assert decision == Decision(replies=(OrderState(order(1), AT, request),), rule="poss-resend")


def test_a_status_request_is_a_reply_and_no_event() -> None:
    """H and AF change nothing, use up no id, and are answered at once."""
    held = state(order(1))
    one, all_of_them = decide(held, order_status(), AT, 100), decide(held, mass_status(), AT, 100)
    assert one == Decision(replies=(OrderState(order(1), AT, order_status()),), rule="own-order")
    assert list(all_of_them.replies) == [OrderState(order(1), AT, mass_status(), total=1, last=True)]
    assert (all_of_them.events, all_of_them.rule) == ((), "own-user")


def test_a_refused_status_request_says_so() -> None:
    """The refusal of an H or AF is known to the log as any other."""
    decision = decide(state(order(1)), mass_status(account_id=FOREIGN), AT, 100)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.rule, decision.events) == (20, "account-not-own", ())


def test_our_own_mistake_is_a_server_error() -> None:
    """102 Server Error is ours: the request is refused as a whole, with the order it meant."""
    broken = server_error("an internal error; nothing was changed")
    assert refuse(cancel(), broken, AT, "our-mistake", order(1)) == Decision(
        (RequestRefused(cancel(), broken, AT, 1),), rule="our-mistake", refusal=broken
    )


def test_a_decision_changes_nothing() -> None:
    """Deciding is pure: it reads the state, and only events change it."""
    held = state(order(1), in_status(OrdStatus.FILLED, 2))
    held.book.use("x", Use(TRADER, RequestKind.ORDER_CANCEL_REQUEST, 7, AT))
    for request in (new_order(), cancel(), mass_cancel(), mass_cancel(account_id=FOREIGN), order_status()):
        assert decide(held, request, AT, 100) == decide(held, request, AT, 100)
    assert list(held.book) == [order(1), in_status(OrdStatus.FILLED, 2)]
    assert held.mass_cancels == {}


# a venue's words

WAITING = stop_order(1)
MARKET = order(1, ord_type=OrdType.MARKET, price=None)
VENUE_REFUSES: list[tuple[Order | None, VenueRequest, int, str]] = [
    (None, OrderAnswer(1), 104, "order 1 is unknown"),
    (None, TriggerOrder(1), 104, "order 1 is unknown"),
    (None, FillOrder(1, Decimal(1)), 104, "order 1 is unknown"),
    (in_status(OrdStatus.FILLED), TriggerOrder(1), 101, "order 1 is FILLED already"),
    (in_status(OrdStatus.CANCELED), OrderAnswer(1), 101, "order 1 is CANCELED already"),
    (in_status(OrdStatus.EXPIRED), OrderAnswer(1, "no"), 101, "order 1 is EXPIRED already"),
    (in_status(OrdStatus.FILLED), FillOrder(1, Decimal(1)), 101, "order 1 is FILLED already"),
    (order(1), TriggerOrder(1), 101, "order 1 waits for no trigger"),
    (WAITING, FillOrder(1, Decimal(1)), 101, "order 1 waits for its trigger"),
    (order(1), FillOrder(1, Decimal(11)), 100, "quantity 11 is "),
    (order(1), FillOrder(1, Decimal(0)), 100, "quantity 0 is "),
    (order(1), FillOrder(1, Decimal("NaN")), 100, "quantity NaN is "),
    (order(1), FillOrder(1, Decimal("1e-13")), 100, "quantity 1E-13 is "),
    (order(1), FillOrder(1, Decimal(1), Decimal(-1)), 100, "price -1 is "),
    (order(1), FillOrder(1, Decimal(1), Decimal(0)), 100, "price 0 is "),
    (order(1), FillOrder(1, Decimal(1), Decimal("1e15")), 100, "price 1E+15 is "),
    (MARKET, FillOrder(1, Decimal(1)), 100, "order 1 has no price of its own"),
]


@pytest.mark.parametrize(("held", "said", "code", "detail"), VENUE_REFUSES)
def test_a_venue_s_word_that_cannot_be_true(
    held: Order | None, said: VenueRequest, code: int, detail: str
) -> None:
    """A venue's word that the order's state contradicts changes nothing, and the venue is told why."""
    refusal = decide_venue(state(*([held] if held else [])), said, AT, 100)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.detail.startswith(detail)
    assert refusal.subject is (Subject.ORDER if code == 104 else None)
    assert (refusal.failure is Failure.TOO_LATE) is detail.endswith("already")


@pytest.mark.parametrize(
    ("held", "said", "event"),
    [
        (in_status(OrdStatus.PENDING_CANCEL), OrderAnswer(1), OrderCanceled(1, AT)),
        (order(1), OrderAnswer(1), OrderCanceled(1, AT)),
        (
            in_status(OrdStatus.PENDING_CANCEL),
            OrderAnswer(1, "in the auction"),
            CancelRefused(1, failed("in the auction"), AT),
        ),
        (WAITING, TriggerOrder(1), OrderTriggered(1, AT)),
        (order(1), FillOrder(1, Decimal(4)), OrderFilled(1, Decimal(4), Decimal(100), AT)),
        (
            order(1),
            FillOrder(1, Decimal(10), Decimal(99)),
            OrderFilled(1, Decimal(10), Decimal(99), AT),
        ),
        (MARKET, FillOrder(1, Decimal(1), Decimal(7)), OrderFilled(1, Decimal(1), Decimal(7), AT)),
        (
            WAITING.to_triggered(AT),
            FillOrder(1, Decimal(1)),
            OrderFilled(1, Decimal(1), Decimal(90), AT),
        ),
    ],
)
def test_a_venue_s_word_becomes_an_event(held: Order, said: VenueRequest, event: object) -> None:
    """Canceled (asked for or not), refused, triggered, filled at its price or the order's own."""
    assert decide_venue(state(held), said, AT, 100) == (event,)


@pytest.mark.parametrize(
    "status", [status for status in OPEN if status is not OrdStatus.PENDING_CANCEL], ids=lambda s: s.name
)
def test_a_venue_refuses_only_a_cancel_that_is_pending(status: OrdStatus) -> None:
    """A refusal of a cancel that nobody asked for, or that was answered already, cannot be true: 101."""
    refusal = decide_venue(state(in_status(status)), OrderAnswer(1, "in the auction"), AT, 100)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.OPERATION_FAILED


def test_a_venue_cancels_nothing_that_it_has_not_confirmed() -> None:
    """The cancel of an order that is Pending New was never asked for: 101."""
    held = in_status(OrdStatus.PENDING_NEW, on_venue=False)
    refusal = decide_venue(state(held), OrderAnswer(1), AT, 100)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.OPERATION_FAILED


@pytest.mark.parametrize("quantity", ["0", "-1"])
@pytest.mark.parametrize(
    "held", [None, in_status(OrdStatus.FILLED), WAITING], ids=["none", "closed", "waits"]
)
def test_a_fill_of_nothing_is_malformed(held: Order | None, quantity: str) -> None:
    """The one order of precedence holds for a venue too: 100 before 104 and 101."""
    refusal = decide_venue(state(*([held] if held else [])), FillOrder(1, Decimal(quantity)), AT, 100)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.INVALID_REQUEST


def test_a_venue_s_word_of_a_kind_we_do_not_know_is_our_bug() -> None:
    """What no venue can say raises, and is answered at the fence."""
    with pytest.raises(AssertionError):
        decide_venue(state(order(1)), cast(VenueRequest, OrderCanceled(1, AT)), AT, 100)


# the end of the day

MIDNIGHT = DAY_START + timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("at", "boundary"),
    [
        (MIDNIGHT - MICROSECOND, None),
        (MIDNIGHT, MIDNIGHT),
        (MIDNIGHT + MICROSECOND, MIDNIGHT),
        (MIDNIGHT + timedelta(days=3, hours=5), MIDNIGHT + timedelta(days=3)),
        (DAY_START - timedelta(days=2), None),
    ],
)
def test_the_boundary_is_passed_once_and_never_back(at: datetime, boundary: datetime | None) -> None:
    """The end of the day is passed when the clock says so, however late, and never back."""
    bench = Bench(state())
    event = end_day(bench.state, at)
    assert event == (None if boundary is None else DayEnded(1, boundary))
    if event is not None:
        bench.apply(event)
        assert end_day(bench.state, at) is None
        assert end_day(bench.state, DAY_START) is None


def test_the_day_ends_when_the_oms_says_so() -> None:
    """`day_end` is per OMS."""
    data = directory()
    data.omses[1] = replace(data.omses[1], day_end=time(17, 30))
    held = state(reference_data=data)
    held.day_start = DAY_START + timedelta(hours=17, minutes=30)
    ends = held.day_start + timedelta(days=1)
    assert held.next_day_end() == ends
    assert end_day(held, ends - MICROSECOND) is None
    assert end_day(held, ends + timedelta(hours=3)) == DayEnded(1, ends)


@pytest.mark.parametrize(
    ("held", "expires"),
    [
        (order(1, entered_at=YESTERDAY), True),
        (order(1, entered_at=DAY_START - MICROSECOND), True),
        (order(1, entered_at=DAY_START), False),
        (order(1, entered_at=YESTERDAY, time_in_force=TimeInForce.GOOD_TILL_CANCEL), False),
        (in_status(OrdStatus.PENDING_CANCEL, entered_at=YESTERDAY), True),
        (stop_order(1, entered_at=YESTERDAY), True),
        (in_status(OrdStatus.CANCELED, entered_at=YESTERDAY), False),
        (None, False),
    ],
)
def test_day_orders_of_an_earlier_day_expire(held: Order | None, *, expires: bool) -> None:
    """Day orders expire at day_end; orders of the day, GTC orders and closed ones do not."""
    event = expire(state(*([held] if held else [])), 1, AT)
    assert event == (OrderExpired(1, AT) if expires else None)


def test_the_reference_instrument_is_what_the_order_says() -> None:
    """An instrument named by SecurityID(48) is the same as by Symbol(55)."""
    decision = decide(state(), new_order(instrument=InstrumentName(security_id="25")), AT, 100)
    (event,) = decision.events
    assert isinstance(event, OrderEntered)
    assert event.order.instrument_id == BTC_USD
