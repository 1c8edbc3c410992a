"""What is told: the replies have the keys that are documented, and numbers are as they were."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import TypeAdapter

from fixgw.core.directory import Directory, Instrument
from fixgw.core.errors import failed
from fixgw.core.events import CancelRefused, CancelRequested, OrderFilled
from fixgw.core.order import CancelRef, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.edge.api.alphapoint import listing, replies
from fixgw.edge.api.alphapoint.views import (
    OK,
    cancel_all_rejected,
    client_order_id,
    encode,
    events_of,
    milliseconds,
    order_object,
    rejected,
    standard,
    ticks,
)
from fixgw.edge.api.context import Reference
from fixgw.engine.turn import Happened
from tests.api.alphapoint.client import ORDER_KEYS

AT = datetime(2026, 11, 21, 12, 30, 15, 999_999, tzinfo=UTC)
REFERENCE = cast(Reference, SimpleNamespace(account_name=str, user_name=lambda user_id: f"user{user_id}"))


def an_order(**changes: Any) -> Order:
    """An order of user 37 that rests."""
    order = Order(
        order_id=5,
        oms_id=1,
        user_id=37,
        account_id=14,
        instrument_id=25,
        cl_ord_id="77",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        order_qty=Decimal("1.5"),
        price=Decimal("8800.123456789012"),
        stop_px=None,
        strategy=None,
        session=None,
        content=0,
        entered_at=AT,
        status=OrdStatus.NEW,
    )
    return replace(order, **changes)


def test_the_order_object_is_as_documented() -> None:
    """In its keys and their order; numbers are as exact as they were."""
    body = order_object(an_order(), REFERENCE)
    assert list(body) == ORDER_KEYS == list(replies.Order.model_fields)
    assert b'"Price":8800.123456789012,' in encode(body)
    replies.Order.model_validate_json(encode(body))


@pytest.mark.parametrize(
    ("changes", "state", "reason", "quantity"),
    [
        ({}, "Working", "NewInputAccepted", "1.5"),
        ({"status": OrdStatus.PENDING_CANCEL}, "Working", "NewInputAccepted", "1.5"),
        ({"status": OrdStatus.PARTIALLY_FILLED, "cum_qty": Decimal(1)}, "Working", "Trade", "0.5"),
        ({"status": OrdStatus.FILLED, "cum_qty": Decimal("1.5")}, "FullyExecuted", "Trade", "0"),
        ({"status": OrdStatus.CANCELED, "cum_qty": Decimal(1)}, "Canceled", "UserModified", "0"),
        ({"status": OrdStatus.EXPIRED}, "Expired", "Expired", "0"),
        ({"status": OrdStatus.REJECTED}, "Rejected", "NewInputRejected", "0"),
    ],
)
def test_states(changes: dict[str, Any], state: str, reason: str, quantity: str) -> None:
    """There is none for a partial fill or a pending cancel; Quantity is what remains."""
    body = order_object(an_order(**changes), REFERENCE)
    assert (body["OrderState"], body["ChangeReason"], body["Quantity"]) == (state, reason, Decimal(quantity))


def test_an_average_that_recurs_is_rounded() -> None:
    """To twelve digits after the point."""
    order = an_order(status=OrdStatus.PARTIALLY_FILLED, cum_qty=Decimal("0.3"), gross_value=Decimal(1))
    assert order_object(order, REFERENCE)["AvgPrice"] == Decimal("3.333333333333")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (None, 0),
        ("77", 77),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), 0),
        ("0", 0),
        ("077", 0),
        ("-5", 0),
        ("a7", 0),
        ("٧", 0),
        ("9" * 64, 0),
    ],
)
def test_a_client_order_id_that_is_no_64_bit_number_is_0(text: str | None, number: int) -> None:
    """Two ids must not look like one: only the canonical spelling of a number is that number."""
    assert client_order_id(an_order(cl_ord_id=text)) == number


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times(at: datetime) -> None:
    """Milliseconds since 1970, and 100 nanoseconds since the year 1."""
    assert ticks(at) == (at - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    assert milliseconds(at) == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_events_are_as_documented() -> None:
    """In their keys; what this dialect does not show is no event."""
    order, ref = an_order(), CancelRef(37, None, None)
    (trade, state) = events_of(
        Happened(OrderFilled(5, Decimal(1), Decimal(9), AT), order, None, 8), REFERENCE
    )
    assert (trade.name, state.name) == ("OrderTradeEvent", "OrderStateEvent")
    assert list(trade.body) == list(replies.OrderTradeEvent.model_fields)
    refused = failed("ClOrdID(11) is odd")
    (reject,) = events_of(Happened(CancelRefused(5, refused, AT), order, ref), REFERENCE)
    assert list(reject.body) == list(replies.CancelOrderRejectEvent.model_fields)
    assert reject.body["RejectReason"] == "ClientOrderId is odd"
    assert events_of(Happened(CancelRequested(5, ref, AT), order, ref), REFERENCE) == []
    body = cancel_all_rejected(1, 14, 25, refused).body
    assert list(body) == list(replies.CancelAllOrdersRejectEvent.model_fields)


def test_replies_are_as_documented() -> None:
    """The standard reply, and SendOrder's."""
    for body in (OK, standard(failed("x"))):
        replies.StandardReply.model_validate(body)
        assert list(body) == list(replies.StandardReply.model_fields)
    replies.Rejected.model_validate(rejected(failed("x")))
    TypeAdapter(replies.Enums).validate_python(listing.enumerations())


INSTRUMENTS = st.builds(
    Instrument,
    instrument_id=st.integers(1, 10**6),
    oms_id=st.just(1),
    symbol=st.from_regex(r"[AB.-]{1,6}", fullmatch=True),
    underlying_symbol=st.sampled_from("AB"),
    product=st.just("4"),
    security_type=st.sampled_from(["FOR", "FUT"]),
    cfi_code=st.just("IFXXXP"),
    trading_session_id=st.just("DAY"),
)


@given(
    st.lists(
        INSTRUMENTS,
        max_size=8,
        unique_by=(lambda one: one.symbol, lambda one: one.instrument_id),
    )
)
def test_no_two_instruments_have_the_same_pair(instruments: list[Instrument]) -> None:
    """A client that knows markets by their pair would mix them up; and every product is listed."""
    directory = Directory([], instruments, [], [], [])
    listed = [
        replies.Instrument.model_validate_json(encode(one)) for one in listing.instruments(directory, 1)
    ]
    assert [one.InstrumentId for one in listed] == sorted(one.instrument_id for one in instruments)
    pairs = [(one.Product1Symbol, one.Product2Symbol) for one in listed]
    assert len(set(pairs)) == len(pairs)
    assert all(base and quote for base, quote in pairs)
    products = {one["ProductId"]: one["Product"] for one in listing.products(directory, 1)}
    assert len(set(products.values())) == len(products)
    for one in listed:
        assert (products[one.Product1], products[one.Product2]) == (one.Product1Symbol, one.Product2Symbol)
