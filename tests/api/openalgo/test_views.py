"""How orders and refusals look in OpenAlgo's API."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fixgw.core.errors import ErrorCode, Failure, Refusal, Subject
from fixgw.core.order import OrdStatus, OrdType, Side, TimeInForce
from fixgw.edge.api.openalgo import replies, views
from fixgw.edge.api.openalgo.views import order_row, order_status
from tests.core.build import AT, TRADER, directory, in_status, order, ref, stop_order


def test_an_order_has_all_sixteen_keys() -> None:
    limit = order(17, strategy="S1", product="CNC", entered_at=AT.replace(month=3, day=5, hour=9, minute=7))
    assert order_row(limit, directory()) == {
        "orderid": "17",
        "symbol": "BTC-USD",
        "exchange": "SANDBOX",
        "action": "BUY",
        "quantity": Decimal(10),
        "price": Decimal(100),
        "trigger_price": Decimal(0),
        "pricetype": "LIMIT",
        "product": "CNC",
        "order_status": "open",
        "timestamp": f"05-Mar-{AT.year} 09:07:{AT.second:02}",
        "strategy": "S1",
        "filled_quantity": Decimal(0),
        "pending_quantity": Decimal(10),
        "average_price": Decimal(0),
        "rejection_reason": "",
    }


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (OrdStatus.NEW, "open"),
        (OrdStatus.PARTIALLY_FILLED, "open"),
        (OrdStatus.PENDING_CANCEL, "open"),
        (OrdStatus.PENDING_TRIGGER, "trigger pending"),
        (OrdStatus.FILLED, "complete"),
        (OrdStatus.CANCELED, "cancelled"),
        (OrdStatus.EXPIRED, "cancelled"),
        (OrdStatus.REJECTED, "rejected"),
    ],
)
def test_every_state_has_a_status(status: OrdStatus, shown: str) -> None:
    assert order_status(in_status(status)) == shown


def test_an_order_that_waits_for_its_trigger_does_so_while_a_cancel_is_pending() -> None:
    waiting = stop_order(status=OrdStatus.PENDING_CANCEL, pending_cancel=ref(TRADER))
    assert order_status(waiting) == "trigger pending"


@pytest.mark.parametrize(
    ("ord_type", "shown"),
    [
        (OrdType.MARKET, "MARKET"),
        (OrdType.LIMIT, "LIMIT"),
        (OrdType.STOP_LIMIT, "SL"),
        (OrdType.STOP, "SL-M"),
    ],
)
def test_every_type_of_order_has_a_pricetype(ord_type: OrdType, shown: str) -> None:
    assert order_row(order(ord_type=ord_type), directory())["pricetype"] == shown


@pytest.mark.parametrize(
    ("time_in_force", "shown"), [(TimeInForce.DAY, "MIS"), (TimeInForce.GOOD_TILL_CANCEL, "NRML")]
)
def test_an_order_of_another_door_shows_the_product_that_lasts_as_long(
    time_in_force: TimeInForce, shown: str
) -> None:
    row = order_row(order(time_in_force=time_in_force, side=Side.SELL_SHORT), directory())
    assert (row["product"], row["action"], row["strategy"]) == (shown, "SELL", "")


def test_the_statistics_count_what_can_still_be_canceled_as_open() -> None:
    orders = [in_status(status, number) for number, status in enumerate(OrdStatus, 1)]
    statistics = views.order_book(orders, directory()).body["data"]["statistics"]
    assert statistics == {
        "total_buy_orders": len(orders),
        "total_sell_orders": 0,
        "total_completed_orders": 1,
        "total_open_orders": 5,
        "total_rejected_orders": 1,
    }


@given(some.decimals(min_value=Decimal("1e-12"), max_value=Decimal(10) ** 14, places=12))
def test_numbers_are_written_exactly(number: Decimal) -> None:
    """No float is between: a client that reads decimals gets what is known here."""
    reply = views.order_book([order(order_qty=number, price=number)], directory())
    body = views.encode(reply.body)
    replies.OrderBook.model_validate_json(body)
    row = json.loads(body, parse_float=Decimal, parse_int=Decimal)["data"]["orders"][0]
    assert (row["quantity"], row["price"]) == (number, number)


def test_the_outcome_of_every_order_is_told() -> None:
    assert views.canceled([3, 4], [(5, "no")]).body == {
        "status": "success",
        "message": "Canceled 2 orders. Failed to cancel 1 orders.",
        "canceled_orders": ["3", "4"],
        "failed_cancellations": [{"orderid": "5", "reason": "no"}],
        "mode": "live",
    }


@pytest.mark.parametrize(
    ("refusal", "status_code"),
    [
        (Refusal(ErrorCode.INVALID_REQUEST, "no"), 400),
        (Refusal(ErrorCode.NOT_AUTHORIZED, "no"), 403),
        (Refusal(ErrorCode.RESOURCE_NOT_FOUND, "no", Subject.INSTRUMENT), 400),
        (Refusal(ErrorCode.OPERATION_NOT_SUPPORTED, "no"), 400),
        (Refusal(ErrorCode.OPERATION_FAILED, "no", failure=Failure.TOO_LATE), 400),
        (Refusal(ErrorCode.SERVER_ERROR, "no", failure=Failure.VENUE_AWAY), 500),
    ],
)
def test_every_code_has_a_status_of_http(refusal: Refusal, status_code: int) -> None:
    reply = views.refused(refusal)
    assert (reply.status_code, reply.body) == (status_code, {"status": "error", "message": "no"})


def test_a_refusal_speaks_of_the_fields_of_this_api() -> None:
    refusal = Refusal(ErrorCode.RESOURCE_NOT_FOUND, "Symbol(55)=DOGE is unknown", Subject.INSTRUMENT)
    assert views.reason(refusal) == "symbol=DOGE is unknown"


@pytest.mark.parametrize(("seconds", "shown"), [(0.001, 1), (1.0, 1), (1.2, 2)])
def test_too_many_requests_say_when_to_come_back_and_have_no_status(seconds: float, shown: int) -> None:
    reply = views.too_many(seconds)
    assert (reply.status_code, reply.retry_after) == (429, shown)
    assert reply.body == {"message": f"too many requests; the next one may come in {shown} s"}
