"""Orders as execution reports: the documented keys, with values that are known."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from fixgw.config import load
from fixgw.core.directory import Oms
from fixgw.core.errors import failed
from fixgw.core.events import CancelRefused, OrderCanceled, OrderFilled
from fixgw.core.order import Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.edge.api.coinapi_ems.models import OrderExecutionReport
from fixgw.edge.api.coinapi_ems.names import Exchange, Exchanges
from fixgw.edge.api.coinapi_ems.problems import Problem
from fixgw.edge.api.coinapi_ems.reading import read_new_order
from fixgw.edge.api.coinapi_ems.views import EXPIRED, Views, encode, expire_time
from fixgw.edge.api.context import Reference
from fixgw.engine.turn import Answered, Happened
from tests.api.coinapi_ems.test_reading import ORDER, body
from tests.core.build import AT, PRIVATE, in_status, order, stop_order
from tests.gateway import ROOT

REFERENCE = Reference(load(ROOT / "config" / "gateway.toml"))
VIEWS = Views(Exchanges(REFERENCE.directory, (1,)), REFERENCE, 37)
SANDBOX = Exchange(1, "SANDBOX")


def good_till_cancel(**changes: Any) -> Order:
    return order(**{"time_in_force": TimeInForce.GOOD_TILL_CANCEL} | changes)


def test_a_report_has_every_documented_key() -> None:
    assert VIEWS.report(good_till_cancel()) == {
        "type": "ORDER_EXEC_REPORT_UPDATE",
        "exchange_id": "SANDBOX",
        "client_order_id": "o1",
        "client_order_id_format_exchange": "o1",
        "symbol_id_exchange": "BTC-USD",
        "symbol_id_coinapi": "SANDBOX_SPOT_BTC_USD",
        "amount_order": Decimal(10),
        "price": Decimal(100),
        "side": "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
        "exec_inst": [],
        "exchange_order_id": "1",
        "amount_open": Decimal(10),
        "amount_filled": Decimal(0),
        "avg_px": Decimal(0),
        "status": "NEW",
        "status_history": [
            ["RECEIVED", "2024-03-05T11:00:00.000000Z"],
            ["NEW", "2024-03-05T11:00:00.000000Z"],
        ],
        "error_message": "",
        "fills": [],
    }


@pytest.mark.parametrize("status", OrdStatus)
def test_every_state_has_a_documented_status_and_nothing_open_at_its_end(status: OrdStatus) -> None:
    held = in_status(status, changed_at=AT)
    report = VIEWS.report(held)
    OrderExecutionReport.model_validate_json(encode(report))
    assert report["amount_open"] == held.leaves_qty
    entered = "2024-03-05T11:00:00.000000Z"
    changed = "2024-03-05T12:00:00.000000Z"
    assert report["status_history"] == [["RECEIVED", entered], [report["status"], changed]]
    assert (report["error_message"] == EXPIRED) is (status is OrdStatus.EXPIRED)


def test_a_day_order_expires_at_the_next_end_of_day() -> None:
    """The dialect has no Day orders: they are GOOD_TILL_TIME_OMS."""
    report = VIEWS.report(order())
    assert report["time_in_force"] == "GOOD_TILL_TIME_OMS"
    assert report["expire_time"] == "2024-03-06T00:00:00.000000Z"
    at_its_end = order(entered_at=datetime(2024, 3, 5, 21, tzinfo=UTC))
    assert expire_time(at_its_end, Oms(1, "X", day_end=time(21))) == datetime(2024, 3, 6, 21, tzinfo=UTC)
    before = order(entered_at=datetime(2024, 3, 5, 20, 59, 59, tzinfo=UTC))
    assert expire_time(before, Oms(1, "X", day_end=time(21))) == datetime(2024, 3, 5, 21, tzinfo=UTC)


def test_what_only_fix_has_is_shown_as_it_is() -> None:
    """Orders from elsewhere: of other types, sold short, without a client order id, without a price."""
    market = VIEWS.report(good_till_cancel(ord_type=OrdType.MARKET, price=None, cl_ord_id=None))
    assert (market["order_type"], market["price"], market["client_order_id"]) == ("MARKET", None, "")
    stop = VIEWS.report(stop_order())
    assert (stop["order_type"], stop["price"], stop["status"]) == ("STOP", None, "NEW")
    assert VIEWS.report(good_till_cancel(side=Side.SELL_SHORT))["side"] == "SELL"
    OrderExecutionReport.model_validate_json(encode(market))


def test_the_exchange_is_named_so_that_it_can_be_asked_again() -> None:
    """The default account by the OMS alone, another with its number, and as the client named it."""
    assert VIEWS.report(good_till_cancel())["exchange_id"] == "SANDBOX"
    assert VIEWS.report(good_till_cancel(account_id=PRIVATE))["exchange_id"] == "SANDBOX/15"
    assert VIEWS.report(good_till_cancel(account_id=PRIVATE), SANDBOX)["exchange_id"] == "SANDBOX/15"
    assert VIEWS.report(good_till_cancel(), SANDBOX.at(14))["exchange_id"] == "SANDBOX/14"


def test_numbers_are_written_exactly() -> None:
    amount, price = Decimal("123456789012345.123456789012"), Decimal("0.000000000001")
    report = encode(VIEWS.report(good_till_cancel(order_qty=amount, price=price)))
    assert b'"amount_order":123456789012345.123456789012,"price":1E-12,' in report


def test_an_average_price_may_recur() -> None:
    filled = (
        good_till_cancel().to_filled(Decimal(1), Decimal(100), AT).to_filled(Decimal(2), Decimal(101), AT)
    )
    report = VIEWS.report(filled)
    assert report["avg_px"] == Decimal("100.666666666667")
    assert (report["amount_filled"], report["amount_open"], report["fills"]) == (3, 7, [])


def test_what_happens_is_told_with_what_is_known_of_it() -> None:
    resting = good_till_cancel()
    filled = VIEWS.happened(
        Happened(OrderFilled(1, Decimal(4), Decimal(99), AT), resting.to_filled(Decimal(4), Decimal(99), AT))
    )
    assert filled["status"] == "PARTIALLY_FILLED"
    assert filled["fills"] == [
        {"time": "2024-03-05T12:00:00.000000Z", "price": Decimal(99), "amount": Decimal(4)}
    ]
    refused = VIEWS.happened(Happened(CancelRefused(1, failed("in transit"), AT), resting))
    assert refused["error_message"] == "Operation Failed (errorcode 101): in transit"
    canceled = VIEWS.happened(Happened(OrderCanceled(1, AT), resting.to_canceled(AT)))
    assert (canceled["status"], canceled["amount_open"], canceled["error_message"]) == ("CANCELED", 0, "")


def test_a_cancel_that_the_venue_refused_at_once_is_answered_with_its_reason() -> None:
    resting = good_till_cancel()
    answered = Answered(1, orders=(resting,), refused=((resting.order_id, failed("in transit")),))
    found = VIEWS.canceled(answered, SANDBOX)
    assert (found["status"], found["error_message"]) == (
        "NEW",
        "Operation Failed (errorcode 101): in transit",
    )
    pending = Answered(1, orders=(in_status(OrdStatus.PENDING_CANCEL),))
    assert VIEWS.canceled(pending, SANDBOX)["error_message"] == ""


def test_a_rejected_order_has_no_id_of_the_exchange() -> None:
    asked = read_new_order(body(), Exchanges(REFERENCE.directory, (1,)), 37)
    assert not isinstance(asked, Problem)
    report = VIEWS.rejected(asked.request, asked.exchange, AT, "why")
    assert report.keys() == VIEWS.report(good_till_cancel()).keys()
    assert (report["status"], report["exchange_order_id"], report["error_message"]) == ("REJECTED", "", "why")
    assert report["amount_open"] == 0
    assert {key: report[key] for key in ("client_order_id", "symbol_id_exchange", "side")} == {
        key: ORDER[key] for key in ("client_order_id", "symbol_id_exchange", "side")
    }
    OrderExecutionReport.model_validate_json(encode(report))
