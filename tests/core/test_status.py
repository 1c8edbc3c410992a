"""Status requests: H and AF look within one's own orders and accounts, and change nothing."""

from typing import Any

import pytest

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import ErrorCode, Subject, not_supported
from fixgw.core.order import OrdStatus
from fixgw.core.reports import BusinessReject, OrderState
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.status import mass_status, order_status
from tests.core import build
from tests.core.build import (
    AT,
    COLLEAGUE,
    ETH_USD,
    FOREIGN,
    NOBODY,
    OPERATOR,
    PRIVATE,
    READER,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    UNKNOWN_ACCOUNT,
    UNKNOWN_USER,
    directory,
    in_status,
    order,
    state,
)

OWN = order(1)
OWN_PRIVATE = order(2, account_id=PRIVATE, instrument_id=ETH_USD)
COLLEAGUES = order(3, user_id=COLLEAGUE)
FOREIGN_ONE = order(4, user_id=STRANGER, account_id=FOREIGN)
CLOSED_ONE = in_status(OrdStatus.FILLED, 5)
BOOK = (OWN, OWN_PRIVATE, COLLEAGUES, FOREIGN_ONE, CLOSED_ONE)


def asks(user_id: int = TRADER, **changes: Any) -> tuple[OrderState | BusinessReject, str]:
    """The answer to an H, which is always one report."""
    (report,), rule = order_status(state(*BOOK), build.order_status(user_id, **changes), AT)
    assert isinstance(report, OrderState | BusinessReject)
    return report, rule


def mass(user_id: int = TRADER, **changes: Any) -> tuple[list[int] | int, str]:
    """The ids that an AF shows, or the code of its refusal; and the rule."""
    reports, rule = mass_status(state(*BOOK), build.mass_status(user_id, **changes), AT)
    if isinstance(reports[0], BusinessReject):
        assert len(reports) == 1
        return reports[0].refusal.code.value, rule
    return [
        report.order.order_id for report in reports if isinstance(report, OrderState) and report.order
    ], rule


# H


@pytest.mark.parametrize(
    ("user_id", "order_id", "rule"),
    [
        (TRADER, 1, "own-order"),
        (TRADER, 3, "own-account"),
        (TRADER, 5, "own-order"),
        (READER, 1, "own-account"),
        (OPERATOR, 4, "operator"),
    ],
)
def test_an_order_within_reach_shows_its_state(user_id: int, order_id: int, rule: str) -> None:
    """H is answered with the order's current state, closed ones included."""
    request = build.order_status(user_id, order_id=order_id)
    held = state(*BOOK)
    assert order_status(held, request, AT) == ((OrderState(held.book[order_id], AT, request),), rule)


UNKNOWN = [
    (TRADER, {"order_id": 4}),
    (TRADER, {"order_id": 99}),
    (TRADER, {"orig_cl_ord_id": "o4"}),
    (TRADER, {"orig_cl_ord_id": "nope"}),
    (TRADER, {"orig_cl_ord_id": "o4", "account_id": FOREIGN}),
    (TRADER, {"orig_cl_ord_id": "o4", "owner_id": STRANGER}),
    (TRADER, {"orig_cl_ord_id": "o4", "account_id": UNKNOWN_ACCOUNT}),
    (TRADER, {"orig_cl_ord_id": "o4", "owner_id": UNKNOWN_USER}),
    (READER, {"order_id": 2}),
    (TRADER, {"oms": OmsName(9)}),
    (TRADER, {"oms": OmsName(name="NOPE"), "order_id": 1}),
]


@pytest.mark.parametrize(("user_id", "named"), UNKNOWN)
def test_unknown_or_not_yours_is_one_answer(user_id: int, named: dict[str, Any]) -> None:
    """Unknown or not yours: 8 with 150=I, 39=8, 103=5, 37=NONE; nothing leaks."""
    report, rule = asks(user_id, **named)
    assert isinstance(report, OrderState)
    assert (report.order, report.total, report.last, rule) == (None, None, False, "unknown-order")


REFUSED = [
    (NOBODY, {}, 20, "no-permission"),
    (NOBODY, {"oms": OmsName(9)}, 20, "no-permission"),
    (NOBODY, {"oms": OmsName(9, "SANDBOX")}, 100, "contradiction"),
    (TRADER, {"oms": OmsName(9, "SANDBOX")}, 100, "contradiction"),
    (TRADER, {"side": "2"}, 100, "contradiction"),
    (TRADER, {"instrument": InstrumentName("ETH-USD")}, 100, "contradiction"),
    (TRADER, {"order_id": 3, "owner_id": TRADER}, 100, "contradiction"),
    (TRADER, {"order_id": 3, "account_id": PRIVATE}, 100, "contradiction"),
]


@pytest.mark.parametrize(("user_id", "changes", "code", "rule"), REFUSED)
def test_a_status_request_that_is_refused(
    user_id: int, changes: dict[str, Any], code: int, rule: str
) -> None:
    """A refused H is a j, because H has no answer of its own to be refused with; 100 before 20."""
    report, decided = asks(user_id, **changes)
    assert isinstance(report, BusinessReject)
    assert (report.refusal.code, decided) == (code, rule)
    assert (report.ref_msg_type, report.ref_seq_num, report.ref_id) == ("H", 2, "o1")


def test_several_orders_of_one_name() -> None:
    """Several open orders that H may mean: 100, as for a cancel."""
    twice = state(order(1, cl_ord_id="x"), order(2, cl_ord_id="x", account_id=PRIVATE))
    (report,), rule = order_status(twice, build.order_status(cl_ord_id="x", orig_cl_ord_id="x"), AT)
    assert isinstance(report, BusinessReject)
    assert (report.refusal.code, rule, report.ref_id) == (100, "contradiction", "x")


def test_a_refused_status_request_is_named_by_its_own_id() -> None:
    """j carries 379 = the request's id: OrdStatusReqID(790) where it has one."""
    report, _ = asks(NOBODY, req_id="r1")
    assert isinstance(report, BusinessReject)
    assert report.ref_id == "r1"


# AF


@pytest.mark.parametrize(
    ("user_id", "changes", "ids", "rule"),
    [
        (TRADER, {}, [1, 2], "own-user"),
        (TRADER, {"account_id": SHARED}, [1, 3], "own-account"),
        (TRADER, {"account_id": SHARED, "owner_id": COLLEAGUE}, [3], "own-account"),
        (TRADER, {"scope": Scope(ScopeType.INSTRUMENT, InstrumentName("ETH-USD"))}, [2], "own-user"),
        (TRADER, {"scope": Scope(ScopeType.PARTY), "owner_id": TRADER}, [1, 2], "own-user"),
        (TRADER, {"side": "2"}, [], "own-user"),
        (READER, {"account_id": SHARED}, [1, 3], "own-account"),
        (READER, {}, [], "own-user"),
        (OPERATOR, {}, [1, 2, 3, 4], "operator"),
        (OPERATOR, {"owner_id": STRANGER}, [4], "operator"),
    ],
)
def test_a_mass_status_request_shows_what_a_mass_cancel_reaches(
    user_id: int, changes: dict[str, Any], ids: list[int], rule: str
) -> None:
    """AF through the same parser and default scope as q: the open orders of the scope, no closed one."""
    assert mass(user_id, **changes) == (ids, rule)


def test_each_report_carries_the_total_and_the_last_one_says_so() -> None:
    """911 = total on each, 912=N and on the last Y."""
    request = build.mass_status(OPERATOR)
    reports, _ = mass_status(state(*BOOK), request, AT)
    assert reports == [
        OrderState(OWN, AT, request, total=4),
        OrderState(OWN_PRIVATE, AT, request, total=4),
        OrderState(COLLEAGUES, AT, request, total=4),
        OrderState(FOREIGN_ONE, AT, request, total=4, last=True),
    ]


def test_none_is_one_report_that_says_so() -> None:
    """No order: one 8 with 911=0 and 912=Y."""
    request = build.mass_status()
    assert mass_status(state(), request, AT) == (
        (OrderState(None, AT, request, total=0, last=True),),
        "own-user",
    )


UNSUPPORTED = not_supported("MaturityMonthYear(200) is not supported")
UNKNOWN_SYMBOL = Scope(ScopeType.INSTRUMENT, InstrumentName("NOPE"))
DISAGREEING = Scope(ScopeType.INSTRUMENT, InstrumentName("BTC-USD", "26"))

REFUSED_MASS = [
    # wrong in every way, then one thing less each time
    (TRADER, {"scope": DISAGREEING, "account_id": FOREIGN, "unsupported": UNSUPPORTED}, 100, "contradiction"),
    (NOBODY, {"scope": UNKNOWN_SYMBOL, "unsupported": UNSUPPORTED}, 20, "no-permission"),
    (
        TRADER,
        {"scope": UNKNOWN_SYMBOL, "account_id": FOREIGN, "unsupported": UNSUPPORTED},
        20,
        "account-not-own",
    ),
    (TRADER, {"scope": UNKNOWN_SYMBOL, "unsupported": UNSUPPORTED}, 104, "unknown-name"),
    (TRADER, {"side": "7", "unsupported": UNSUPPORTED}, 106, "unsupported-field"),
    (TRADER, {"unsupported": UNSUPPORTED}, 106, "unsupported-field"),
    (TRADER, {"owner_id": COLLEAGUE}, 20, "user-not-self"),
    (COLLEAGUE, {}, 20, "all-users-needs-operator"),
    (TRADER, {"account_id": FOREIGN}, 20, "account-not-own"),
    (TRADER, {"account_id": UNKNOWN_ACCOUNT}, 20, "account-not-own"),
    (OPERATOR, {"account_id": UNKNOWN_ACCOUNT}, 104, "unknown-name"),
    (OPERATOR, {"owner_id": UNKNOWN_USER}, 104, "unknown-name"),
    (OPERATOR, {"oms": OmsName(9)}, 104, "unknown-name"),
    (TRADER, {"scope": Scope(ScopeType.PARTY)}, 100, "contradiction"),
]


@pytest.mark.parametrize(("user_id", "changes", "code", "rule"), REFUSED_MASS)
def test_a_mass_status_request_that_is_refused(
    user_id: int, changes: dict[str, Any], code: int, rule: str
) -> None:
    """A refused AF is a j with its 584, in the one order 100, 20, 104, 106."""
    assert mass(user_id, **changes) == (code, rule)
    reports, _ = mass_status(state(*BOOK), build.mass_status(user_id, **changes), AT)
    assert isinstance(reports[0], BusinessReject)
    assert (reports[0].ref_msg_type, reports[0].ref_seq_num, reports[0].ref_id) == ("AF", 2, "s1")


def test_the_subject_of_what_is_unknown() -> None:
    """380 tells an unknown security from another unknown name, so the refusal says what it is about."""
    reports, _ = mass_status(state(), build.mass_status(scope=UNKNOWN_SYMBOL), AT)
    assert isinstance(reports[0], BusinessReject)
    assert reports[0].refusal.subject is Subject.INSTRUMENT


@pytest.mark.parametrize(("most", "code"), [(1, 101), (2, None)])
def test_more_than_max_status_reports(most: int, code: int | None) -> None:
    """More orders than `max_status_reports`: j, not a part of them."""
    data = directory(sessions={SESSIONS[TRADER]: {"max_status_reports": most}})
    reports, rule = mass_status(state(*BOOK, reference_data=data), build.mass_status(), AT)
    if code is None:
        assert len(reports) == 2
    else:
        assert isinstance(reports[0], BusinessReject)
        assert (reports[0].refusal.code, rule) == (ErrorCode.OPERATION_FAILED, "max-status-reports")
        assert "max_status_reports (1)" in reports[0].refusal.detail


def test_a_door_without_sessions_has_no_such_bound() -> None:
    """`max_status_reports` is a session's setting."""
    reports, rule = mass_status(state(*BOOK), build.mass_status(OPERATOR, session=None), AT)
    assert (len(reports), rule) == (4, "operator")


def test_looking_changes_nothing() -> None:
    """H and AF are the documented way to verify a cancel: they change nothing themselves."""
    held = state(*BOOK)
    order_status(held, build.order_status(), AT)
    mass_status(held, build.mass_status(), AT)
    assert tuple(held.book) == BOOK
    assert not held.book.is_known("s1")
