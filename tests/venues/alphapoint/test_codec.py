"""What is asked of an AlphaPoint venue, and what is read from its answers, without a venue."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import VenueDetails, VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.alphapoint import orders, replies, requests
from fixgw.edge.venues.alphapoint.adapter import AlphaPoint
from fixgw.edge.venues.alphapoint.names import Names
from fixgw.edge.venues.alphapoint.orders import NotOursError
from fixgw.edge.venues.alphapoint.replies import CodedRefusalError, LoginRefusedError, UnreadableError
from fixgw.edge.venues.alphapoint.session import socket_url
from fixgw.edge.venues.client_ids import number_of
from fixgw.edge.venues.contract import (
    CancelReject,
    Reach,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)
from tests.venues.alphapoint.build import BTC, ETH, PRIVATE, SHARED, new, place_at

# the order object as the vendor's document shows it, with our account and instrument in it
DOCUMENTED: dict[str, Any] = {
    "Side": "Sell",
    "OrderId": 9849,
    "Price": 97,
    "Quantity": 1,
    "DisplayQuantity": 1,
    "Instrument": 25,
    "Account": 14,
    "AccountName": "sample",
    "OrderType": "Limit",
    "ClientOrderId": 3,
    "OrderState": "Working",
    "ReceiveTime": 1501354241987,
    "ReceiveTimeTicks": 636369510419870950,
    "LastUpdatedTime": 1501354241987,
    "LastUpdatedTimeTicks": 636369510419870950,
    "OrigQuantity": 3,
    "QuantityExecuted": 2,
    "GrossValueExecuted": 194.5,
    "ExecutableValue": 0,
    "AvgPrice": 97.3,
    "CounterPartyId": 0,
    "ChangeReason": "Trade",
    "OrigOrderId": 9849,
    "OrigClOrdId": 3,
    "EnteredBy": 1,
    "UserName": "admin",
    "IsQuote": False,
    "RejectReason": "",
    "IsLockedIn": False,
    "CancelReason": "",
    "OrderFlag": "AddedToBook",
    "UseMargin": False,
    "StopPrice": 0,
    "PegPriceType": "Last",
    "PegOffset": 0,
    "PegLimitOffset": 0,
    "ClientOrderIdUuid": None,
    "OMSId": 1,
}


def names() -> Names:
    """The names of the venue."""
    return Names(place_at(1))


def read(known: Names | None = None, **changes: Any) -> VenueOrder:
    """How the documented order stands, with changes to its object."""
    text = json.dumps({**DOCUMENTED, **changes})
    return orders.seen(replies.keys_of(replies.loads(text)), known or names()).order


# what is asked


def test_an_order_is_entered_with_all_that_it_is() -> None:
    """With the venue's names, numbers that are exact, and a ClientOrderId made from it."""
    order = new(order_qty=Decimal("0.000000000001"), price=Decimal("1E+3"), side=Side.SELL)
    call = requests.send_order(names(), order)
    assert call.is_change
    assert call.body.endswith('"LimitPrice":1000}')
    assert json.loads(call.body, parse_float=Decimal) == {
        "OMSId": 1,
        "AccountId": 14,
        "InstrumentId": 25,
        "ClientOrderId": number_of(order),
        "Side": 1,
        "OrderType": 2,
        "TimeInForce": 1,
        "Quantity": Decimal("0.000000000001"),
        "OrderIdOCO": 0,
        "UseDisplayQuantity": False,
        "LimitPrice": 1000,
    }


def test_a_stop_order_has_its_trigger() -> None:
    """And no limit price where it has none."""
    call = requests.send_order(names(), new(ord_type=OrdType.STOP, price=None, stop_px=Decimal("9.5")))
    assert (call.payload["OrderType"], call.payload["PegPriceType"]) == (3, 1)
    assert '"StopPrice":9.5' in call.body
    assert "LimitPrice" not in call.body


def test_a_frame_has_its_payload_as_text() -> None:
    """As the document shows it."""
    frame = json.loads(requests.get_open_orders(names(), 14).frame(8))
    assert frame == {"m": 0, "i": 8, "n": "GetOpenOrders", "o": '{"OMSId":1,"AccountId":14}'}


def test_a_cancel_names_its_order_by_one_of_its_ids() -> None:
    """By the venue's; else by ours, in both spellings, with the account that it needs."""
    order = new(account_id=PRIVATE)
    number = number_of(order)
    assert requests.cancel_order(names(), order, "17").payload == {"OMSId": 1, "OrderId": 17}
    by_number = {"OMSId": 1, "AccountId": 15, "ClientOrderId": number, "ClOrderId": number}
    assert requests.cancel_order(names(), order, None).payload == by_number


def test_a_cancel_all_of_an_instrument_is_never_one_of_everything() -> None:
    """Both spellings of the key are there: a venue ignores the one that it does not know."""
    both = {"OMSId": 1, "AccountId": 14, "InstrumentId": 25, "IntrumentId": 25}
    assert requests.cancel_all_orders(names(), 14, 25).payload == both
    assert requests.cancel_all_orders(names(), 14, None).payload == {"OMSId": 1, "AccountId": 14}


def test_a_signature_is_the_documented_one() -> None:
    """HMAC-SHA256 of nonce, user id and key, in lower-case hex."""
    signed = requests.signed("37", "key37", "secret37", 1700000000000)
    assert signed == {
        "APIKey": "key37",
        "Signature": "8962c31c92a29133167513785bc511978dd707977ff708cd7905add27145e117",
        "UserId": "37",
        "Nonce": "1700000000000",
    }


def test_a_call_does_not_show_what_is_in_it() -> None:
    """A login is a call too."""
    assert repr(requests.Call("AuthenticateUser", {"Password": "x"})) == "Call('AuthenticateUser')"


@pytest.mark.parametrize(
    ("given", "reach"),
    [
        ({"user_id": 1, "account_id": SHARED, "instrument_ids": frozenset({BTC})}, Reach.FAN_OUT),
        ({"user_id": 1, "account_id": SHARED}, Reach.FAN_OUT),
        ({"user_id": 1, "instrument_ids": frozenset({BTC})}, Reach.FAN_OUT),
        ({"user_id": 1}, Reach.FAN_OUT),
        ({"account_id": SHARED, "instrument_ids": frozenset({BTC})}, Reach.NATIVE),
        ({"account_id": SHARED}, Reach.NATIVE),
        ({"instrument_ids": frozenset({BTC})}, Reach.FAN_OUT),
        ({}, Reach.FAN_OUT),
        ({"account_id": SHARED, "instrument_ids": frozenset({BTC, ETH})}, Reach.FAN_OUT),
        ({"account_id": SHARED, "instrument_ids": frozenset()}, Reach.FAN_OUT),
        ({"account_id": SHARED, "side": Side.BUY}, Reach.FAN_OUT),
        ({"account_id": SHARED, "strategy": "s"}, Reach.FAN_OUT),
    ],
)
def test_what_the_cancel_all_of_the_venue_reaches(given: dict[str, Any], reach: Reach) -> None:
    """The eight rows, and what narrows besides: native only what it reaches exactly."""
    adapter = AlphaPoint(place_at(1), lambda _: None)
    assert adapter.reach(CancelSelector(1, **given)) is reach


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/WSGateway/"),
        ("https://api.example.com/x/", "wss://api.example.com/x/WSGateway/"),
    ],
)
def test_where_the_websocket_is(url: str, socket: str) -> None:
    """Beside the venue's HTTP, unless it is said."""
    assert socket_url(url) == socket


# what is read


def test_an_order_that_is_not_known_has_what_it_is() -> None:
    """It can be learned from the documented object."""
    details = VenueDetails(
        SHARED,
        BTC,
        Side.SELL,
        OrdType.LIMIT,
        TimeInForce.GOOD_TILL_CANCEL,
        Decimal(3),
        price=Decimal(97),
    )
    expected = VenueOrder(1, 0, "9849", VenueStatus.OPEN, Decimal(2), Decimal("97.25"), details=details)
    assert read() == expected


def test_an_order_of_ours_is_known_by_its_client_id_then_by_its_own() -> None:
    """In its own account only; and after its end for what comes late."""
    order, known = new(), names()
    known.know(order)
    number = number_of(order)
    assert read(known, ClientOrderId=number, Account=15).order_id == 0
    assert read(known, ClientOrderId=str(number)).order_id == order.order_id
    assert read(known, ClientOrderId=0).order_id == order.order_id
    assert read(known, ClientOrderId=number, OrderId=1).order_id == 0
    assert known.venue_order_id(order) == "9849"
    known.forget(order)
    assert read(known, ClientOrderId=0).order_id == order.order_id
    known.forget(new())


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"OrderState": "Canceled", "CancelReason": "UserModified"}, VenueStatus.CANCELED, "UserModified"),
        ({"OrderState": 2, "RejectReason": "No\nfunds"}, VenueStatus.REJECTED, "No?funds"),
        ({"OrderState": "4"}, VenueStatus.EXPIRED, ""),
        ({"OrderState": "FULLYEXECUTED"}, VenueStatus.FILLED, ""),
    ],
)
def test_where_an_order_stands(changes: dict[str, Any], status: VenueStatus, text: str) -> None:
    """By the name of the state, or its number."""
    said = read(**changes)
    assert (said.status, said.text) == (status, text)


@pytest.mark.parametrize(
    ("changes", "px"),
    [
        ({}, "97.25"),
        ({"GrossValueExecuted": 0}, "97.3"),
        ({"GrossValueExecuted": 0, "AvgPrice": "0.1234567890123456"}, "0.123456789012"),
        ({"GrossValueExecuted": 0, "AvgPrice": 0}, "None"),
        ({"QuantityExecuted": 0}, "None"),
        ({"GrossValueExecuted": 1e20, "QuantityExecuted": "0.000000000001"}, "None"),
    ],
)
def test_the_average_price(changes: dict[str, Any], px: str) -> None:
    """From the value, which is exact, or as it is said; none that could be no price."""
    assert str(read(**changes).avg_px) == px


@pytest.mark.parametrize(
    ("changes", "triggered"),
    [
        ({"OrderType": "StopLimit", "OrderFlag": "0", "QuantityExecuted": 0}, False),
        ({"OrderType": "StopLimit", "OrderFlag": "0"}, True),
        ({"OrderType": 3, "OrderFlag": "AddedToBook", "QuantityExecuted": 0}, True),
        ({"OrderType": "Limit"}, False),
    ],
)
def test_whether_a_stop_order_lives(changes: dict[str, Any], triggered: bool) -> None:
    """When it is in the book, or filled in part."""
    assert read(**changes, StopPrice=90).triggered is triggered


@pytest.mark.parametrize(
    "changes",
    [
        {"OrderState": "Thinking"},
        {"OrderState": None},
        {"OrderState": 17},
        {"OrderState": "0"},
        {"OrderId": None},
        {"OrderId": "x"},
        {"OrderId": 1.5},
        {"OrderId": True},
        {"QuantityExecuted": "NaN"},
        {"QuantityExecuted": -1},
        {"QuantityExecuted": True},
        {"QuantityExecuted": 10**15},
        {"Side": "Unknown"},
        {"OrderType": 0},
        {"OrigQuantity": 0, "Quantity": 0},
        {"Price": 0},
        {"OrderType": "StopMarket"},
    ],
    ids=str,
)
def test_an_order_object_that_cannot_be_read(changes: dict[str, Any]) -> None:
    """Its mistake is named."""
    with pytest.raises(UnreadableError):
        read(**changes)


@pytest.mark.parametrize("changes", [{"Account": 99}, {"OMSId": 2}, {"Instrument": 99}], ids=str)
def test_an_order_that_is_none_of_ours(changes: dict[str, Any]) -> None:
    """Of an OMS, an account or an instrument that is not configured."""
    with pytest.raises(NotOursError):
        read(**changes)


def test_the_documented_reject_of_a_cancel() -> None:
    """The document's example, with our account."""
    keys = {"OMSId": 1, "AccountId": "14", "OrderId": 5, "OrderRevision": 0, "OrderType": "Unknown"}
    keys |= {"InstrumentId": 0, "Status": "Rejected", "RejectReason": "Order Not Found"}
    assert orders.cancel_reject(replies.keys_of(keys), names()) == CancelReject("Order Not Found", 0, "5")
    with pytest.raises(NotOursError):
        orders.cancel_reject(replies.keys_of({**keys, "AccountId": 99}), names())


@pytest.mark.parametrize(
    ("code", "of_change", "of_look"),
    [
        (20, VenueRefusedError, VenueRefusedError),
        (100, VenueRefusedError, VenueRefusedError),
        (101, VenueRefusedError, VenueRefusedError),
        (102, UnknownOutcomeError, VenueAwayError),
        (104, VenueRefusedError, VenueRefusedError),
        (106, VenueRefusedError, VenueRefusedError),
        (107, UnknownOutcomeError, VenueAwayError),
        ("x", VenueRefusedError, VenueRefusedError),
    ],
)
def test_what_a_code_means(code: object, of_change: type[Exception], of_look: type[Exception]) -> None:
    """The table of codes."""
    for reply in (
        {"result": False, "errormsg": "Some Message", "errorcode": code, "detail": "why"},
        {"status": "Rejected", "errormsg": "Some Message", "errorcode": code, "detail": "why"},
    ):
        refused = replies.no(replies.keys_of(reply))
        assert refused is not None
        for is_change, error in ((True, of_change), (False, of_look)):
            with pytest.raises(error, match="Some Message: why"):
                replies.raise_for(refused, is_change=is_change)


def test_a_venue_that_is_asked_too_often_wants_a_pause() -> None:
    """Of the seconds that it says, and no more than a minute."""
    said = {"result": False, "errormsg": "Operation Failed", "errorcode": 101}
    for detail, seconds in (("too many requests; ask again in 0.125 seconds", 0.125), ("throttled", 1.0)):
        refused = replies.no(replies.keys_of({**said, "detail": detail}))
        assert refused is not None
        with pytest.raises(VenueBusyError) as busy:
            replies.raise_for(refused, is_change=True)
        assert busy.value.seconds == seconds


def test_an_order_is_accepted_only_with_an_id() -> None:
    """As the document has it."""
    assert replies.accepted({"status": "Accepted", "errormsg": "", "OrderId": 123}) == "123"
    for wrong in ({"status": "Accepted"}, {"status": "Accepted", "OrderId": 0}, {"OrderId": 1}):
        with pytest.raises(UnreadableError):
            replies.accepted(wrong)


# whatever is read

TEXT = st.text("aE19.-+ \x01\u0663\ud800", max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | TEXT
    | st.sampled_from(["Working", "Buy", "Limit", "1", "-1", "1e999999999", "٣", "9" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = [*DOCUMENTED, "AccountId", "result", "status", "errorcode", "errormsg", "detail", "Authenticated"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_an_object_is_read_or_is_not_and_nothing_else_happens(changes: dict[str, Any]) -> None:
    """Whatever is in it: never another exception."""
    keys = replies.keys_of({**DOCUMENTED, **changes})
    for reader in (orders.seen, orders.cancel_reject):
        with contextlib.suppress(UnreadableError, NotOursError):
            reader(keys, names())
    for read_reply in (replies.accepted, replies.standard, replies.session_token, replies.subscribed):
        with contextlib.suppress(UnreadableError, LoginRefusedError):
            read_reply(changes)
    refused = replies.no(replies.keys_of(changes))
    assert refused is None or isinstance(refused, CodedRefusalError)


@given(VALUES)
def test_a_reply_of_any_kind_is_read_or_is_not(value: object) -> None:
    """Also where an object is expected."""
    for reader in (replies.accepted, replies.standard, replies.session_token, replies.subscribed):
        with contextlib.suppress(UnreadableError, LoginRefusedError):
            reader(value)


@given(TEXT | st.binary() | st.sampled_from(['{"m":1,"i":9e999,"n":{},"o":[]}', "[" * 5000, "9" * 5000]))
def test_a_frame_is_read_or_is_not(text: str | bytes) -> None:
    """Whatever comes."""
    with contextlib.suppress(UnreadableError):
        replies.frame(text)
