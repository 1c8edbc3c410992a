"""Which order a request means: by OrderID(37), by OrigClOrdID(41) with or without Account(1), by both."""

from decimal import Decimal
from typing import Any

import pytest

from fixgw.core.directory import InstrumentName
from fixgw.core.errors import ErrorCode, Refusal, Subject
from fixgw.core.find import contradiction, find_order
from fixgw.core.order import Order, OrdStatus
from tests.core.build import (
    BTC_USD,
    COLLEAGUE,
    FOREIGN,
    OPERATOR,
    PRIVATE,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    cancel,
    order,
    order_status,
    state,
)


def everything(_: Order) -> bool:
    return True


def visible_to(*accounts: int) -> Any:
    return lambda held: held.account_id in accounts


def found(orders: list[Order], visible: Any = everything, **asked: Any) -> int | str | None:
    """The id of the order that an F of user 37 finds, None for none, or the detail of a 100."""
    return outcome(find_order(state(*orders), cancel(**{"order_id": None} | asked), visible))


def looked_up(orders: list[Order], visible: Any = everything, **asked: Any) -> int | str | None:
    """The same for an H."""
    return outcome(find_order(state(*orders), order_status(**asked), visible))


def outcome(result: Order | Refusal | None) -> int | str | None:
    if isinstance(result, Refusal):
        assert (result.code, result.subject) == (ErrorCode.INVALID_REQUEST, Subject.ORDER)
        return result.detail
    return None if result is None else result.order_id


OWN = order(1, cl_ord_id="x")
COLLEAGUES = order(2, cl_ord_id="x", user_id=COLLEAGUE)
FOREIGN_ONE = order(3, cl_ord_id="x", user_id=STRANGER, account_id=FOREIGN)
DONE = {"status": OrdStatus.FILLED}


def test_by_order_id() -> None:
    """OMSId and OrderId name one order."""
    assert found([OWN, COLLEAGUES], order_id=2) == 2


def test_by_an_order_id_that_nobody_has() -> None:
    """An OrderID(37) that is unknown, or cannot exist, names no order."""
    assert found([OWN], order_id=99) is None
    assert found([OWN], order_id=-1) is None


def test_what_is_not_visible_does_not_exist() -> None:
    """A named order that he cannot see is as one that does not exist."""
    assert found([FOREIGN_ONE], visible_to(SHARED), order_id=3) is None
    assert found([FOREIGN_ONE], visible_to(SHARED), orig_cl_ord_id="x", account_id=FOREIGN) is None


def test_no_name_at_all() -> None:
    """A request that names no order finds none."""
    assert found([OWN]) is None


def test_orig_cl_ord_id_alone_is_among_one_s_own() -> None:
    """OrigClOrdID(41) alone names an order that this session's user entered, no one else's."""
    assert found([OWN, COLLEAGUES], orig_cl_ord_id="x") == 1
    assert found([COLLEAGUES], orig_cl_ord_id="x") is None
    assert found([OWN], orig_cl_ord_id="y") is None


def test_an_order_that_an_operator_entered_for_another_is_his_own_to_find() -> None:
    """An Operator finds by OrigClOrdID(41) what he entered for another user, whatever the door."""
    entered = order(1, cl_ord_id="x", user_id=TRADER, entered_by=OPERATOR)
    assert found([entered], user_id=OPERATOR, session=SESSIONS[OPERATOR], orig_cl_ord_id="x") == 1
    assert found([entered], user_id=OPERATOR, session=None, orig_cl_ord_id="x") == 1
    assert found([entered], orig_cl_ord_id="x") == 1
    assert found([OWN], user_id=OPERATOR, session=SESSIONS[OPERATOR], orig_cl_ord_id="x") is None


def test_two_requests_without_a_session_are_not_the_same_session() -> None:
    """No session is not a session that two doors could share: a colleague's order stays a colleague's."""
    entered = order(2, cl_ord_id="x", user_id=COLLEAGUE, session=None)
    assert found([entered], session=None, orig_cl_ord_id="x") is None


def test_with_account_a_colleague_s_order_is_within_reach() -> None:
    """OMSId, AccountId and ClientOrderId name an order in a shared account, whoever entered it."""
    assert found([COLLEAGUES], orig_cl_ord_id="x", account_id=SHARED) == 2
    assert found([COLLEAGUES], orig_cl_ord_id="x", account_id=PRIVATE) is None


def test_one_s_own_order_comes_first() -> None:
    """In a shared account one's own order comes first, then the account's."""
    assert found([COLLEAGUES, order(4, cl_ord_id="x")], orig_cl_ord_id="x", account_id=SHARED) == 4


def test_a_user_named_narrows() -> None:
    """A user named with OrigClOrdID(41) means that user's order."""
    both = [OWN, COLLEAGUES]
    assert found(both, orig_cl_ord_id="x", owner_id=COLLEAGUE) == 2
    assert found(both, orig_cl_ord_id="x", account_id=SHARED, owner_id=COLLEAGUE) == 2
    assert found(both, orig_cl_ord_id="x", owner_id=STRANGER) is None


def test_several_left() -> None:
    """Several open orders left is 100: nobody guesses which one was meant."""
    several = [order(1, cl_ord_id="x"), order(2, cl_ord_id="x", account_id=PRIVATE)]
    assert found(several, orig_cl_ord_id="x") == "x names 2 open orders"
    assert found(several, orig_cl_ord_id="x", account_id=PRIVATE) == 2
    theirs = [order(number, cl_ord_id="x", user_id=COLLEAGUE) for number in (5, 6)]
    assert found(theirs, orig_cl_ord_id="x", account_id=SHARED) == "x names 2 open orders"


def test_the_open_one_of_several() -> None:
    """A client order id can have been used on an earlier day: the open order is meant."""
    reused = [order(1, cl_ord_id="x", **DONE), order(2, cl_ord_id="x"), order(3, cl_ord_id="x", **DONE)]
    assert found(reused, orig_cl_ord_id="x") == 2


def test_the_newest_of_several_closed_ones() -> None:
    """When all that had the id are closed the newest is meant, so that "too late" tells its state."""
    reused = [order(1, cl_ord_id="x", **DONE), order(2, cl_ord_id="x", status=OrdStatus.CANCELED)]
    assert found(reused, orig_cl_ord_id="x") == 2


# both ids

DISAGREE = "OrderID(37)={} and OrigClOrdID(41)=x name different orders"


@pytest.mark.parametrize(
    ("order_id", "orig", "expected"),
    [
        (1, "x", 1),
        (1, "o4", "OrderID(37)=1 and OrigClOrdID(41)=o4 name different orders"),
        (1, "nope", "OrderID(37)=1 and OrigClOrdID(41)=nope name different orders"),
        (4, "x", DISAGREE.format(4)),
        (99, "x", DISAGREE.format(99)),
        (99, "nope", None),
    ],
)
def test_two_identifiers_must_agree(order_id: int, orig: str, expected: int | str | None) -> None:
    """If two identifiers are given both must name the same order, else 100."""
    assert found([OWN, order(4)], order_id=order_id, orig_cl_ord_id=orig) == expected


def test_a_disagreement_tells_nothing_about_what_is_not_visible() -> None:
    """Another's OrderID(37) beside one's own OrigClOrdID(41) is answered as an unknown one."""
    orders = [OWN, FOREIGN_ONE]
    assert found(orders, visible_to(SHARED), order_id=3, orig_cl_ord_id="x") == DISAGREE.format(3)
    assert found(orders, visible_to(SHARED), order_id=99, orig_cl_ord_id="x") == DISAGREE.format(99)


# status requests


def test_a_status_request_is_by_order_id_else_by_cl_ord_id() -> None:
    """H finds by 37, else by 11; ClOrdID(11) is required by FIX and does not have to agree."""
    assert looked_up([OWN, order(4)], order_id=4, orig_cl_ord_id="x") == 4
    assert looked_up([OWN], order_id=99, orig_cl_ord_id="x") is None
    assert looked_up([OWN], orig_cl_ord_id="x") == 1


def test_a_status_request_sees_the_account_s_orders_too() -> None:
    """H looks within one's own orders and accounts, one's own first."""
    assert looked_up([COLLEAGUES], orig_cl_ord_id="x") == 2
    assert looked_up([COLLEAGUES, order(4, cl_ord_id="x")], orig_cl_ord_id="x") == 4
    assert looked_up([FOREIGN_ONE], visible_to(SHARED), orig_cl_ord_id="x") is None


# contradictions

MATCHING: dict[str, Any] = {
    "account_id": SHARED,
    "owner_id": TRADER,
    "instrument": InstrumentName("BTC-USD", str(BTC_USD)),
    "side": "1",
    "order_qty": Decimal(10),
}
CONTRADICTING = [
    ("account_id", PRIVATE, "Account(1)=15 is not the order's account", Subject.ACCOUNT),
    ("owner_id", COLLEAGUE, "PartyID(448)=38 with PartyRole(452)=11 is not the order's user", Subject.USER),
    ("instrument", InstrumentName("ETH-USD"), "Symbol(55) is ETH-USD", Subject.INSTRUMENT),
    ("instrument", InstrumentName(security_id="26"), "SecurityID(48) is 26", Subject.INSTRUMENT),
    ("side", "2", "Side(54)=2 is not the order's side 1", None),
    ("side", "?", "Side(54)=? is not the order's side 1", None),
    ("order_qty", Decimal("10.5"), "OrderQty(38)=10.5 is above the order's 10", None),
]


@pytest.mark.parametrize(("field", "value", "detail", "subject"), CONTRADICTING)
def test_a_field_that_is_not_the_order_s(
    field: str, value: object, detail: str, subject: Subject | None
) -> None:
    """Account, user, instrument and side must be the order's, OrderQty not above it, else 100 naming it."""
    refusal = contradiction(state(), cancel(**MATCHING | {field: value}), order())
    assert refusal is not None
    assert (refusal.code, refusal.subject) == (ErrorCode.INVALID_REQUEST, subject)
    assert refusal.detail.startswith(detail)


def test_fields_that_are_the_order_s() -> None:
    """What repeats the order's own values contradicts nothing; nor does what is left out, or less."""
    for request in (
        cancel(**MATCHING),
        cancel(instrument=InstrumentName(), side=None, order_qty=None),
        cancel(**MATCHING | {"order_qty": Decimal("0.5")}),
        order_status(account_id=SHARED, owner_id=TRADER),
        order_status(side=None),
    ):
        assert contradiction(state(), request, order()) is None


def test_an_instrument_that_is_configured_no_more() -> None:
    """An order outlives its instrument's configuration: what cannot be compared contradicts nothing."""
    left = order(1, instrument_id=99)
    assert contradiction(state(), cancel(), left) is None
    refusal = contradiction(state(), cancel(side="2"), left)
    assert refusal is not None
    assert refusal.detail.startswith("Side(54)=2")


def test_what_contradicts_in_a_status_request() -> None:
    """H is held to the order's fields as F is."""
    refusal = contradiction(state(), order_status(side="2"), order())
    assert refusal is not None
    assert refusal.detail == "Side(54)=2 is not the order's side 1"
