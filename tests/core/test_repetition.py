"""A client order id is used once; with PossResend(97)=Y the same request gets its answer again."""

from datetime import timedelta
from typing import Any

import pytest

from fixgw.core.book import Use
from fixgw.core.errors import ErrorCode, Failure, Refusal, failed, not_authorized
from fixgw.core.order import OrdStatus
from fixgw.core.repetition import Identified, answer, existing_order, is_used
from fixgw.core.reports import CancelReject, MassCancelReport, OrderRefused, OrderState, Report
from fixgw.core.requests import RequestKind
from fixgw.core.state import OmsState
from tests.core.build import (
    AT,
    COLLEAGUE,
    DAY_START,
    FOREIGN,
    OPERATOR,
    PRIVATE,
    READER,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    YESTERDAY,
    cancel,
    in_status,
    mass_cancel,
    new_order,
    order,
    state,
)

ALL_KINDS = [new_order, cancel, mass_cancel]
DUPLICATE = Refusal(
    ErrorCode.OPERATION_FAILED, "ClOrdID(11)=x was used before", failure=Failure.DUPLICATE_CL_ORD_ID
)


def used(kind: RequestKind = RequestKind.ORDER_CANCEL_REQUEST, **changes: Any) -> Use:
    values: dict[str, Any] = {"user_id": TRADER, "content": 7, "used_at": AT, "answer": None}
    return Use(**{"kind": kind} | values | changes)


def with_use(use: Use) -> OmsState:
    made = state()
    made.book.use("x", use)
    return made


def asks(make: Any, user_id: int = TRADER, **changes: Any) -> Identified:
    request: Identified = make(user_id, cl_ord_id="x", **changes)
    return request


@pytest.mark.parametrize(("make", "kind"), list(zip(ALL_KINDS, "DFq", strict=True)))
def test_the_kind_of_a_request_is_its_message(make: Any, kind: str) -> None:
    """D, F and q are the messages that use up a ClOrdID(11)."""
    assert asks(make).kind.value == kind


@pytest.mark.parametrize("make", ALL_KINDS)
def test_an_id_that_is_free(make: Any) -> None:
    """An id that nobody used, or no id at all, stops no request."""
    held = state(order(1))
    assert answer(held, asks(make), AT) is None
    assert answer(held, make(cl_ord_id=None), AT) is None


@pytest.mark.parametrize("make", ALL_KINDS)
@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.name)
def test_an_id_of_one_s_own_order_of_today_is_taken(make: Any, status: OrdStatus) -> None:
    """Over D, F and q together: an id this user used since the end of the last day is taken, open or not."""
    held = state(in_status(status, cl_ord_id="x"))
    assert answer(held, asks(make), AT) == DUPLICATE


@pytest.mark.parametrize("make", ALL_KINDS)
@pytest.mark.parametrize("kind", "DFq")
def test_an_id_of_another_request_of_today_is_taken(make: Any, kind: str) -> None:
    """An id is used up by any answer, a refusal included, whatever the request."""
    assert answer(with_use(used(RequestKind(kind))), asks(make), AT) == DUPLICATE


@pytest.mark.parametrize(
    ("entered_at", "status", "taken"),
    [
        (DAY_START, OrdStatus.FILLED, True),
        (DAY_START - timedelta(microseconds=1), OrdStatus.FILLED, False),
        (YESTERDAY, OrdStatus.NEW, True),
        (YESTERDAY, OrdStatus.PENDING_CANCEL, True),
    ],
)
def test_an_id_is_free_again_after_the_end_of_the_day(
    entered_at: Any, status: OrdStatus, *, taken: bool
) -> None:
    """After day_end an id may be used again, unless an open order still has it."""
    held = state(in_status(status, cl_ord_id="x", entered_at=entered_at))
    assert answer(held, asks(new_order), AT) == (DUPLICATE if taken else None)
    assert is_used(held, TRADER, "x") is taken


@pytest.mark.parametrize(
    ("used_at", "taken"), [(DAY_START, True), (DAY_START - timedelta(microseconds=1), False)]
)
def test_a_use_is_free_again_after_the_end_of_the_day(used_at: Any, *, taken: bool) -> None:
    """The same for the ids of F and q, and of requests that were refused."""
    held = with_use(used(used_at=used_at))
    assert answer(held, asks(cancel), AT) == (DUPLICATE if taken else None)
    assert is_used(held, TRADER, "x") is taken


@pytest.mark.parametrize("make", ALL_KINDS)
def test_an_id_that_another_user_used(make: Any) -> None:
    """Client order ids are a user's own: another user's use, or order elsewhere, takes nothing."""
    theirs = state(order(1, cl_ord_id="x", user_id=STRANGER, account_id=FOREIGN))
    theirs.book.use("x", used(user_id=STRANGER))
    assert answer(theirs, asks(make), AT) is None
    assert not is_used(theirs, TRADER, "x")


@pytest.mark.parametrize(
    ("account_id", "status", "taken"),
    [
        (SHARED, OrdStatus.NEW, True),
        (None, OrdStatus.NEW, True),
        (PRIVATE, OrdStatus.NEW, False),
        (SHARED, OrdStatus.FILLED, False),
    ],
)
def test_an_open_order_of_the_account_takes_its_id(
    account_id: int | None, status: OrdStatus, *, taken: bool
) -> None:
    """An open order of that account has the id: refused; the account of a D without one is the default."""
    held = state(in_status(status, cl_ord_id="x", user_id=COLLEAGUE))
    result = answer(held, asks(new_order, account_id=account_id), AT)
    assert result == (DUPLICATE if taken else None)


@pytest.mark.parametrize("make", [cancel, mass_cancel])
def test_an_open_order_of_the_account_that_a_cancel_names(make: Any) -> None:
    """F and q have no default account: the one they name counts."""
    held = state(order(1, cl_ord_id="x", user_id=COLLEAGUE))
    assert answer(held, asks(make, account_id=SHARED), AT) == DUPLICATE
    assert answer(held, asks(make), AT) is None


@pytest.mark.parametrize("make", ALL_KINDS)
def test_an_account_out_of_reach_tells_nothing(make: Any) -> None:
    """An account that is not his: whether an order in it has the id must not show."""
    held = state(order(1, cl_ord_id="x"))
    assert answer(held, asks(make, STRANGER, account_id=SHARED), AT) is None
    assert answer(held, asks(make, READER, account_id=SHARED), AT) == DUPLICATE
    assert answer(held, asks(make, OPERATOR, account_id=SHARED), AT) == DUPLICATE


def test_a_user_out_of_reach_tells_nothing() -> None:
    """A D for another user counts that user's ids for an Operator, who may enter it, and for no one else."""
    held = state(order(1, cl_ord_id="x", status=OrdStatus.FILLED))
    assert answer(held, asks(new_order, STRANGER, owner_id=TRADER), AT) is None
    assert answer(held, asks(new_order, OPERATOR, owner_id=TRADER, account_id=PRIVATE), AT) == DUPLICATE
    assert answer(held, asks(new_order, OPERATOR, owner_id=COLLEAGUE, account_id=PRIVATE), AT) is None


@pytest.mark.parametrize("make", ALL_KINDS)
def test_an_id_that_an_operator_used_for_another_user(make: Any) -> None:
    """The id of an order entered for another user is used by both, whatever the door."""
    held = state(order(1, cl_ord_id="x", entered_by=OPERATOR, session=None, status=OrdStatus.FILLED))
    assert answer(held, asks(make, OPERATOR), AT) == DUPLICATE
    assert answer(held, asks(make, OPERATOR, session=None), AT) == DUPLICATE
    assert answer(held, asks(make, TRADER), AT) == DUPLICATE
    assert answer(held, asks(make, COLLEAGUE), AT) is None
    assert is_used(held, OPERATOR, "x")
    assert is_used(held, TRADER, "x")
    assert not is_used(held, COLLEAGUE, "x")


# the existing order


def test_a_new_order_is_told_of_the_order_that_has_its_id() -> None:
    """The 8 that refuses a duplicate D carries the 39 of the existing order; one's own comes first."""
    own, theirs = order(1, cl_ord_id="x", account_id=PRIVATE), order(2, cl_ord_id="x", user_id=COLLEAGUE)
    assert existing_order(state(theirs, own), asks(new_order)) == own
    assert existing_order(state(theirs), asks(new_order)) == theirs
    assert existing_order(state(), asks(new_order)) is None


@pytest.mark.parametrize("make", [cancel, mass_cancel])
def test_a_cancel_is_not_told_of_it(make: Any) -> None:
    """In F and q the id is the cancel's own: the order that has it is not the one that was meant."""
    assert existing_order(state(order(1, cl_ord_id="x")), asks(make)) is None


# PossResend(97)=Y

RESENT: dict[str, Any] = {"poss_resend": True}


def test_a_resent_order_gets_its_current_state() -> None:
    """D with 97=Y and the same content: 8 150=I with the order's state, and nothing done twice."""
    held = in_status(OrdStatus.PARTIALLY_FILLED, cl_ord_id="x", content=7)
    request = asks(new_order, **RESENT)
    assert answer(state(held), request, AT) == OrderState(held, AT, request)


@pytest.mark.parametrize(
    "changes",
    [{"content": 8, "poss_resend": True}, {"content": 7, "poss_resend": False}],
    ids=["other content", "no PossResend"],
)
def test_other_content_or_no_poss_resend_is_a_duplicate(changes: dict[str, Any]) -> None:
    """With other content, or without 97=Y: the refusal."""
    assert answer(state(order(cl_ord_id="x", content=7)), asks(new_order, **changes), AT) == DUPLICATE
    told_again = with_use(used(answer=REJECTED))
    assert answer(told_again, asks(cancel, **changes), AT) == DUPLICATE


@pytest.mark.parametrize("make", [cancel, mass_cancel])
def test_a_resent_cancel_with_the_id_of_an_order(make: Any) -> None:
    """The same id and content of another kind of message is no repetition."""
    assert answer(state(order(cl_ord_id="x", content=7)), asks(make, **RESENT), AT) == DUPLICATE


REJECTED = CancelReject("x", "o1", order(), failed("too late", Failure.TOO_LATE), AT)
REFUSED = OrderRefused(5, new_order(cl_ord_id="x"), not_authorized("no"), AT)
REPORTED = MassCancelReport(9, mass_cancel(cl_ord_id="x"), AT, total_affected=3)

AGAIN = [
    (
        new_order,
        RequestKind.NEW_ORDER_SINGLE,
        REFUSED,
        OrderRefused(5, REFUSED.request, REFUSED.refusal, AT, as_status=True),
    ),
    (cancel, RequestKind.ORDER_CANCEL_REQUEST, REJECTED, REJECTED),
    (mass_cancel, RequestKind.ORDER_MASS_CANCEL_REQUEST, REPORTED, REPORTED),
]


@pytest.mark.parametrize(("make", "kind", "first", "again"), AGAIN)
def test_a_resent_request_gets_its_last_answer(
    make: Any, kind: RequestKind, first: Report, again: Report
) -> None:
    """97=Y, same content: F its last 8 or 9, q the same r, a refused D its refusal as a status."""
    assert answer(with_use(used(kind, answer=first)), asks(make, **RESENT), AT) == again


@pytest.mark.parametrize(
    "use",
    [
        used(RequestKind.ORDER_MASS_CANCEL_REQUEST, answer=REPORTED),
        used(content=8, answer=REJECTED),
        used(answer=None),
    ],
    ids=["another kind", "other content", "never answered"],
)
def test_what_is_no_repetition_is_a_duplicate(use: Use) -> None:
    """Only the same message gets its answer again, and only when there was one."""
    assert answer(with_use(use), asks(cancel, **RESENT), AT) == DUPLICATE


def test_a_resent_order_of_a_colleague_is_a_duplicate() -> None:
    """The same content from another user is another request: he is not told that he has an order."""
    held = state(order(cl_ord_id="x", content=7, user_id=COLLEAGUE))
    assert answer(held, asks(new_order, **RESENT), AT) == DUPLICATE


def test_no_session_is_not_a_session_of_one_s_own() -> None:
    """The same holds where neither came on a FIX session: None is no session that the two share."""
    held = state(order(cl_ord_id="x", content=7, user_id=COLLEAGUE, session=None))
    assert answer(held, asks(new_order, session=None, **RESENT), AT) == DUPLICATE


def test_an_order_that_was_entered_for_another_is_repeated() -> None:
    """An Operator's resent D for another user finds the order that he entered."""
    held = order(cl_ord_id="x", content=7, session=SESSIONS[OPERATOR], entered_by=OPERATOR)
    request = asks(new_order, OPERATOR, owner_id=TRADER, account_id=SHARED, **RESENT)
    assert answer(state(held), request, AT) == OrderState(held, AT, request)


def test_another_user_s_answer_is_not_told() -> None:
    """A repetition gets its own answer, never that of another user with the same id and content."""
    held = with_use(used(user_id=COLLEAGUE, answer=REJECTED))
    assert answer(held, asks(cancel, **RESENT), AT) is None
