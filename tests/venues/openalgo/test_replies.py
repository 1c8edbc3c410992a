"""What an OpenAlgo server's replies mean, as documents, real servers and nobody at all would send them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.openalgo import replies
from fixgw.edge.venues.openalgo.replies import MEANINGS, NoSuchOrderError, Row

ROW = {
    "orderid": "24111900210153",
    "symbol": "SBIN",
    "exchange": "NSE",
    "action": "BUY",
    "quantity": "2",
    "price": 854.7,
    "trigger_price": 0,
    "pricetype": "LIMIT",
    "product": "MIS",
    "order_status": "open",
    "timestamp": "19-Nov-2024 09:40:00",
    "strategy": "fixgw-1",
    "filled_quantity": 1,
    "pending_quantity": 1,
    "average_price": "854.5",
    "rejection_reason": "",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted([*ROW, "data", "orders"])), inner),
)


def read(said: Any, status_code: int = 200, retry_after: str | None = None, mode: str = "live") -> Any:
    """Read a body, which may be bytes."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return replies.read(status_code, body, retry_after, mode)


def rows(*said: Any) -> list[Row]:
    """The rows of an order book."""
    return replies.read_book(read({"status": "success", "data": {"orders": list(said)}}))[0]


def test_a_row_of_the_order_book_is_read_to_the_digit() -> None:
    """Numbers are numbers or text, and exact."""
    [row] = rows(ROW)
    assert row == Row(
        "24111900210153",
        "NSE",
        "SBIN",
        "BUY",
        "LIMIT",
        "open",
        "fixgw-1",
        Decimal(2),
        Decimal("854.7"),
        None,
        Decimal(1),
        Decimal("854.5"),
        "",
    )


@pytest.mark.parametrize(
    ("status_code", "said", "error", "text"),
    [
        (
            403,
            {"status": "error", "message": "Invalid openalgo apikey"},
            VenueRefusedError,
            "Invalid openalgo",
        ),
        (
            400,
            {"status": "error", "message": {"quantity": ["Missing data"]}},
            VenueRefusedError,
            "Missing data",
        ),
        (404, {"status": "error", "message": "Order 5 not found"}, NoSuchOrderError, "Order 5 not found"),
        (404, b"<html>not here</html>", NoSuchOrderError, "HTTP 404"),
        (429, {"message": "10 per 1 second"}, VenueBusyError, "10 per 1 second"),
        (
            500,
            {"status": "error", "message": "Failed to place order"},
            UnknownOutcomeError,
            "Failed to place",
        ),
        (502, b"", UnknownOutcomeError, "HTTP 502"),
        (504, b"gateway time-out", UnknownOutcomeError, "HTTP 504"),
        (408, b"", UnknownOutcomeError, "time-out"),
        (302, b"", UnknownOutcomeError, "HTTP 302"),
        (200, b"", UnknownOutcomeError, "HTTP 200"),
        (200, b"{", UnknownOutcomeError, "HTTP 200"),
        (200, b"[" * 100_000, UnknownOutcomeError, "HTTP 200"),
        (200, [], UnknownOutcomeError, "HTTP 200"),
        (200, {"status": "error", "message": "odd"}, UnknownOutcomeError, "odd"),
        (200, {"orderid": "1"}, UnknownOutcomeError, "HTTP 200"),
    ],
)
def test_every_reply_that_is_no_success_has_its_meaning(
    status_code: int, said: Any, error: type[Exception], text: str
) -> None:
    """What surely was not done is refused; a success that is none, and every 5xx, may have been done."""
    with pytest.raises(error, match=text):
        read(said, status_code)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (None, 1.0),
        ("3", 3.0),
        ("0", 0.1),
        ("1e9", 60.0),
        ("nan", 1.0),
        ("Sat, 21 Nov 2026 10:00:00 GMT", 1.0),
    ],
)
def test_a_pause_is_as_long_as_the_venue_asks_for(retry_after: str | None, seconds: float) -> None:
    """Retry-After in seconds, within bounds; one second without it."""
    with pytest.raises(VenueBusyError) as busy:
        read({"message": "slow down"}, 429, retry_after)
    assert busy.value.seconds == seconds


@pytest.mark.parametrize("status_code", [200, 400, 500])
def test_another_mode_than_the_configured_one_stops_everything(status_code: int) -> None:
    """Wherever a reply says it: a server that was switched plays orders only, or does not play any more."""
    with pytest.raises(VenueMistakenError, match="mode analyze, and live is configured"):
        read({"status": "success", "mode": "analyze"}, status_code)
    assert read({"status": "success", "mode": "live"})["mode"] == "live"
    assert read({"status": "success", "mode": "analyze"}, mode="analyze")


@pytest.mark.parametrize(
    ("failure", "found"),
    [
        ({"orderid": "7", "reason": "frozen"}, {"7": "frozen"}),
        ({"orderid": "7", "message": "frozen"}, {"7": "frozen"}),
        ({"orderId": 7, "error": "frozen"}, {"7": "frozen"}),
        ("7", {"7": ""}),
        (7, {"7": ""}),
        ({"reason": "frozen"}, {}),
        (None, {}),
        ([], {}),
        ({"orderid": "7"}, {"7": ""}),
        ({"orderid": "7", "reason": None, "message": {"why": "frozen"}}, {"7": '{"why":"frozen"}'}),
    ],
)
def test_failed_cancellations_are_read_in_all_their_shapes(failure: Any, found: dict[str, str]) -> None:
    """Brokers have four of them; what has no id says nothing."""
    assert replies.read_failures({"failed_cancellations": [failure]}) == found
    assert replies.read_failures({"failed_cancellations": failure}) == ({} if failure != [failure] else found)


@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ({}, Decimal(1)),
        ({"filled_quantity": "0.5"}, Decimal("0.5")),
        ({"filled_quantity": None}, Decimal(1)),
        ({"filled_quantity": None, "pending_quantity": "x"}, None),
        ({"filled_quantity": None, "pending_quantity": 0}, None),  # ended: says nothing of what was filled
        ({"filled_quantity": None, "pending_quantity": 3}, None),
        ({"filled_quantity": -1}, Decimal(0)),
        ({"filled_quantity": "NaN"}, Decimal(1)),
        ({"filled_quantity": True, "pending_quantity": None}, None),
    ],
)
def test_what_was_filled_is_read_as_far_as_it_is_said(
    changes: dict[str, Any], filled: Decimal | None
) -> None:
    """Not every broker says it."""
    [row] = rows(ROW | changes)
    assert row.filled == filled


def test_an_entry_that_is_no_order_is_counted() -> None:
    """The order book is not whole then."""
    said = {"status": "success", "data": {"orders": [ROW, {}, None, ROW | {"orderid": " "}]}}
    found, unreadable = replies.read_book(read(said))
    assert (len(found), unreadable) == (1, 3)


@pytest.mark.parametrize("data", [None, [], {}, {"orders": None}, {"orders": {}}])
def test_an_order_book_without_orders_is_none(data: Any) -> None:
    """It is not an empty one."""
    with pytest.raises(UnknownOutcomeError):
        replies.read_book(read({"status": "success", "data": data}))


@pytest.mark.parametrize("order_id", [None, "", " ", True, [], "a\nb", "x" * 65])
def test_a_success_without_an_order_id_is_an_unknown_outcome(order_id: Any) -> None:
    """The order may be there."""
    with pytest.raises(UnknownOutcomeError):
        replies.read_order_id({"orderid": order_id})


def test_every_http_status_has_a_meaning() -> None:
    """The table has no hole."""
    for status_code in range(100, 600):
        assert any(one.first <= status_code <= one.last for one in MEANINGS)


@given(st.integers(100, 599), st.binary() | JSON.map(lambda said: json.dumps(said).encode()), st.text())
def test_whatever_is_replied_ends_in_an_error_of_the_contract(
    status_code: int, body: bytes, retry_after: str
) -> None:
    """Or in an object; it always says why."""
    try:
        assert isinstance(replies.read(status_code, body, retry_after, "live"), dict)
    except (VenueRefusedError, VenueBusyError, UnknownOutcomeError, VenueMistakenError) as error:
        why = str(error)
    else:
        why = "none"
    assert why


@given(JSON)
def test_whatever_an_order_book_holds_is_read_or_an_error_of_the_contract(said: Any) -> None:
    """Numbers that are read are numbers that an order can have."""
    body = json.dumps({"status": "success", "data": {"orders": [said, ROW]}}).encode()
    try:
        found, unreadable = replies.read_book(replies.read(200, body, None, "live"))
    except UnknownOutcomeError:
        return  # no JSON: a number that JSON does not have
    assert len(found) + unreadable == 2
    for row in found:
        assert row.order_id
        assert row.status
        for number in (row.quantity, row.price, row.trigger_price, row.average_price):
            assert number is None or number > 0


@given(JSON)
def test_whatever_a_cancel_of_all_answers_is_read(said: Any) -> None:
    """Without any error."""
    answer = {"canceled_orders": said, "failed_cancellations": said}
    assert replies.read_canceled(answer) >= 0
    assert all(isinstance(why, str) for why in replies.read_failures(answer).values())
