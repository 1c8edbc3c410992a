"""What needs no venue: reading, names, known orders, and the table of what a cancel-all reaches."""

import json
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fixgw.core.order import NOBODY, OrdType, Side, TimeInForce, is_quantity
from fixgw.core.requests import VenueDetails, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.coinapi_ems import known as known_module
from fixgw.edge.venues.coinapi_ems.adapter import REACHES, CoinapiEms
from fixgw.edge.venues.coinapi_ems.known import Known
from fixgw.edge.venues.coinapi_ems.names import Names
from fixgw.edge.venues.coinapi_ems.replies import PAUSE_SECONDS_MAX, REASONS, read_reply
from fixgw.edge.venues.coinapi_ems.reports import (
    ID_MAX,
    STATUSES,
    TEXT_MAX,
    MessageReject,
    Report,
    ServerInfo,
    UnreadableError,
    read_json,
    read_messages,
    read_report,
)
from fixgw.edge.venues.contract import (
    Reach,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)
from fixgw.secret_text import SecretError
from tests.venues.coinapi_ems.rig import new, place
from tests.venues.coinapi_ems.scripted import REPORT

DOCUMENTED = """{
  "type": "ORDER_EXEC_REPORT_UPDATE",
  "exchange_id": "KRAKEN",
  "client_order_id": "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
  "symbol_id_exchange": "XBT/USDT",
  "symbol_id_coinapi": "KRAKEN_SPOT_BTC_USDT",
  "amount_order": 0.045,
  "price": 0.0783,
  "side": "BUY",
  "order_type": "LIMIT",
  "time_in_force": "GOOD_TILL_CANCEL",
  "expire_time": "2020-01-01T10:45:20.1677709Z",
  "exec_inst": ["MAKER_OR_CANCEL"],
  "client_order_id_format_exchange": "f81211e2-27c4-b86a-8143-01088ba9222c",
  "exchange_order_id": "3456456754",
  "amount_open": 0.22,
  "amount_filled": 0,
  "avg_px": 0.0783,
  "status": "NEW",
  "status_history": [["string", "string"]],
  "error_message": "{\\"result\\":\\"error\\",\\"reason\\":\\"InsufficientFunds\\"}",
  "fills": [{"time": "2020-01-01T10:45:20.1677709Z", "price": 10799.2, "amount": 0.002}]
}"""
"""The vendor's own example of a report."""

CONTRACT = (UnknownOutcomeError, VenueAwayError, VenueBusyError, VenueRefusedError)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
texts = st.text(max_size=30) | st.sampled_from(["", "\x01", "\ud800", "8=FIX", "x" * 1000, "1e999999999"])


def as_read(body: dict[str, Any]) -> Report:
    """The report that this is, as JSON."""
    return read_report(read_json(json.dumps(body)))


def odd(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same object with some of its values replaced by others, or gone."""
    gone = object()
    changes = st.dictionaries(st.sampled_from(sorted(body)), values | texts | st.just(gone), max_size=5)
    return changes.map(
        lambda found: {key: value for key, value in {**body, **found}.items() if value is not gone}
    )


# Reports


def test_the_documented_report_is_read_exactly() -> None:
    """The vendor's example, with decimal numbers."""
    [report] = read_messages(DOCUMENTED)
    assert report == Report(
        exchange_id="KRAKEN",
        client_order_id="6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
        exchange_order_id="3456456754",
        status="NEW",
        venue_status=VenueStatus.OPEN,
        symbols=("XBT/USDT", "KRAKEN_SPOT_BTC_USDT"),
        side="BUY",
        time_in_force="GOOD_TILL_CANCEL",
        amount_order=Decimal("0.045"),
        price=Decimal("0.0783"),
        amount_filled=Decimal(0),
        avg_px=Decimal("0.0783"),
        error_message='{"result":"error","reason":"InsufficientFunds"}',
    )


@pytest.mark.parametrize("status", STATUSES)
def test_every_documented_status_is_known(status: str) -> None:
    """Nine of them, and three of those are the EMS's own."""
    assert len(STATUSES) == 9
    report = as_read({**REPORT, "status": status})
    assert report.venue_status is STATUSES[status]
    is_pending = status in ("RECEIVED", "ROUTING", "ROUTED")
    assert (report.venue_status is VenueStatus.PENDING) == is_pending


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.5", Decimal("0.5")),
        (3, Decimal(3)),
        (100.0, Decimal(100)),
        ("1E+2", Decimal(100)),
        (0.30000000000000004, Decimal("0.3")),
        ("", Decimal(0)),
        (None, Decimal(0)),
    ],
)
def test_a_number_is_read_as_a_number_or_a_text(value: object, number: Decimal) -> None:
    """With at most 12 digits after the point, which is more than a real one has."""
    [report] = read_messages(json.dumps({**REPORT, "amount_filled": value}))
    assert isinstance(report, Report)
    assert report.amount_filled == number
    assert "E" not in str(report.amount_filled)


@pytest.mark.parametrize("value", [-1, "NaN", "Infinity", 10**15, "1e999999999", "x", [], True, 1e300])
def test_what_is_no_number_of_an_order_makes_a_report_unreadable(value: object) -> None:
    """It is not taken for 0."""
    with pytest.raises(UnreadableError, match="amount_filled"):
        list(read_messages(json.dumps({**REPORT, "amount_filled": value})))


def test_the_other_messages_are_read() -> None:
    """The heartbeat, and a rejection with what it rejects."""
    info = {"type": "SERVER_INFO", "exchange_id": "KRAKEN", "is_running": False}
    assert list(read_messages(json.dumps(info))) == [ServerInfo("KRAKEN", is_running=False)]
    assert list(read_messages('{"type": "SERVER_INFO"}')) == [ServerInfo("", is_running=True)]
    reject = {
        "type": "MESSAGE_REJECT",
        "reject_reason": "OTHER",
        "exchange_id": "KRAKEN",
        "message": "Object has missing required property 'exchange_id'.",
        "rejected_message": '{"type": "ORDER_CANCEL_SINGLE_REQUEST", "client_order_id": "c1"}',
    }
    assert list(read_messages(json.dumps(reject))) == [
        MessageReject(
            "OTHER",
            "OTHER Object has missing required property 'exchange_id'.",
            "ORDER_CANCEL_SINGLE_REQUEST",
            "c1",
        )
    ]


def is_shown(text: str, most: int) -> bool:
    return text.isascii() and (not text or text.isprintable()) and len(text) <= most


@settings(deadline=None)
@given(odd(json.loads(DOCUMENTED)))
def test_whatever_a_report_has_it_is_read_or_unreadable(body: dict[str, Any]) -> None:
    """And what is read can be handed on: numbers that orders can have, and texts that FIX can carry."""
    try:
        found = list(read_messages(json.dumps(body)))
    except UnreadableError:
        return
    for report in found:
        if isinstance(report, Report):
            assert report.venue_order_id
            assert is_shown(report.venue_order_id, ID_MAX)
            assert is_shown(report.error_message, TEXT_MAX)
            assert report.amount_filled >= 0
            assert report.avg_px is None or is_quantity(report.avg_px)


@settings(deadline=None)
@given(st.text() | st.binary() | values.map(json.dumps))
def test_whatever_comes_over_the_websocket_is_read_or_unreadable(content: str | bytes) -> None:
    """No other exception than the one."""
    try:
        list(read_messages(content))
    except UnreadableError:
        return


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "1e99999999999999999999", "1" * 10_000, b"\xff\xfe", "NaN"]
)
def test_json_that_breaks_readers_is_unreadable_or_read(content: str | bytes) -> None:
    """Too deep, too large, not UTF-8."""
    try:
        read_json(content)
    except UnreadableError:
        return


# Replies


@settings(deadline=None)
@given(
    st.integers(100, 599) | st.sampled_from([200, 400, 404, 429, 490, 500, 504]),
    st.binary(max_size=30)
    | odd(json.loads(DOCUMENTED)).map(json.dumps).map(str.encode)
    | values.map(json.dumps).map(str.encode),
    texts,
    st.booleans(),
)
def test_whatever_a_reply_is_it_is_read_or_one_of_the_errors(
    status: int, content: bytes, retry_after: str, changes: bool
) -> None:
    """What merely reads has no unknown outcome, and a pause has a longest."""
    found: Exception | None = None
    try:
        read_reply(status, content, retry_after, changes=changes)
    except CONTRACT as error:
        found = error
    if found is None:
        assert 200 <= status < 300
        return
    assert str(found)
    assert is_shown(str(found), 2 * TEXT_MAX)
    assert changes or not isinstance(found, UnknownOutcomeError)
    if isinstance(found, VenueBusyError):
        assert 0 <= found.seconds <= PAUSE_SECONDS_MAX


@pytest.mark.parametrize("reason", REASONS)
def test_every_documented_reason_has_its_error(reason: str) -> None:
    """With 200 and with 400."""
    content = json.dumps({"type": "MESSAGE_REJECT", "reject_reason": reason, "message": "words"}).encode()
    for status in (200, 400):
        with pytest.raises(REASONS[reason], match=f"{reason} words"):
            read_reply(status, content, changes=True)


# Names


def test_an_order_is_sent_with_the_names_of_its_venue() -> None:
    """The exchange with the account, our name for the order, and exact numbers."""
    order = new(order_qty=Decimal("1E+2"), price=Decimal("0.10"), side=Side.SELL)
    assert Names(place("http://127.0.0.1:1")).new_order(order) == {
        "exchange_id": "SANDBOX/14",
        "client_order_id": name_of(order),
        "symbol_id_exchange": "BTC-USD",
        "amount_order": Decimal(100),
        "price": Decimal("0.1"),
        "side": "SELL",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
        "exec_inst": [],
    }


def test_a_symbol_of_coinapi_is_told_by_its_exchange() -> None:
    """EXCHANGE_ before it; everything else is the exchange's own."""
    names = Names(place("http://127.0.0.1:1", symbol="SANDBOX_SPOT_BTC_USD"))
    body = names.new_order(new())
    assert body["symbol_id_coinapi"] == "SANDBOX_SPOT_BTC_USD"
    assert "symbol_id_exchange" not in body
    assert names.details(as_read(REPORT)) is not None


@pytest.mark.parametrize(
    ("entered", "ends"),
    [((5, 12, 0), "2026-03-05T17:00:00.000000Z"), ((5, 17, 0), "2026-03-06T17:00:00.000000Z")],
)
def test_a_day_order_has_its_end(entered: tuple[int, int, int], ends: str) -> None:
    """The first end of day after it was entered."""
    day, hour, minute = entered
    order = new(time_in_force=TimeInForce.DAY, entered_at=datetime(2026, 3, day, hour, minute, tzinfo=UTC))
    where = replace(place("http://127.0.0.1:1"), day_end=time(17, 0))
    body = Names(where).new_order(order)
    assert (body["time_in_force"], body["expire_time"]) == ("GOOD_TILL_TIME_OMS", ends)


@pytest.mark.parametrize(
    ("exchange_id", "asked", "account_id"),
    [
        ("SANDBOX/14", None, 14),
        ("SANDBOX/14", 15, 14),
        ("SANDBOX", None, 15),
        ("SANDBOX", 14, 14),
        ("SANDBOX/99", 14, None),
        ("KRAKEN/14", 14, None),
        ("SANDBOX2", 14, None),
    ],
)
def test_the_account_of_an_exchange_id(exchange_id: str, asked: int | None, account_id: int | None) -> None:
    """That which it names; else the one that was asked for, else the one that is the exchange itself."""
    names = Names(place("http://127.0.0.1:1", accounts={14: "14", 15: "-"}))
    assert names.account_id(exchange_id, asked) == account_id
    assert [names.exchange_id(one) for one in (14, 15)] == ["SANDBOX/14", "SANDBOX"]
    without = Names(place("http://127.0.0.1:1", accounts={14: "14"}))
    assert without.account_id("SANDBOX") is None


def test_an_order_that_was_entered_there_is_what_its_report_says() -> None:
    """Without a price it is a market order; one that ends by itself is a Day order."""
    names = Names(place("http://127.0.0.1:1"))
    expected = VenueDetails(
        14, 25, Side.BUY, OrdType.LIMIT, TimeInForce.GOOD_TILL_CANCEL, Decimal(10), Decimal("100.5")
    )
    assert names.details(as_read(REPORT)) == expected
    market = {**REPORT, "price": None, "order_type": "STOP", "time_in_force": "GOOD_TILL_TIME_OMS"}
    assert names.details(as_read(market)) == replace(
        expected, ord_type=OrdType.MARKET, time_in_force=TimeInForce.DAY, price=None
    )


# Known orders


def report(client: str = "", exchange: str = "") -> Report:
    return as_read({**REPORT, "client_order_id": client, "exchange_order_id": exchange})


def test_an_order_is_known_by_either_id_and_its_own_names_are_learned() -> None:
    """Ours by our name, one of others by its id there; a name that was used before is no proof."""
    known = Known()
    ours, theirs = new(), new(user_id=NOBODY, venue_order_id="x2")
    known.know(ours)
    known.know(theirs)
    assert known.order_id(report(name_of(ours), "x1")) == ours.order_id
    assert known.order_id(report("", "x1")) == ours.order_id
    assert known.exchange_order_id(ours) == "x1"
    assert known.order_id(report(name_of(ours), "x9")) == 0
    assert known.order_id(report(name_of(theirs), "")) == 0
    assert known.client_order_id(theirs) == ""
    assert known.order_id(report("theirs", "x2")) == theirs.order_id
    assert known.client_order_id(theirs) == "theirs"
    assert known.order_id(report("", "x3")) == 0


def test_orders_that_have_ended_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first; one that is known again is not."""
    monkeypatch.setattr(known_module, "ENDED_MAX", 2)
    known = Known()
    orders = [new(venue_order_id=f"x{number}") for number in range(4)]
    for order in orders:
        known.know(order)
        known.forget(order)
        known.know(orders[0])
    known.forget(new())
    found = [known.order_id(report(name_of(order))) for order in orders]
    assert found == [orders[0].order_id, 0, orders[2].order_id, orders[3].order_id]


# What a cancel-all reaches


@pytest.mark.parametrize(("user", "account", "instrument"), list(product([True, False], repeat=3)))
def test_only_all_of_one_account_is_a_cancel_all_of_the_venue(
    user: bool, account: bool, instrument: bool
) -> None:
    """The eight rows of the truth table; with a side or a strategy besides, every one is fanned out."""
    adapter = CoinapiEms(place("http://127.0.0.1:1", accounts={14: "14", 15: "-"}), lambda _: None)
    selector = CancelSelector(
        1,
        account_id=14 if account else None,
        user_id=37 if user else None,
        instrument_ids=frozenset({25}) if instrument else None,
    )
    is_native = account and not user and not instrument
    assert adapter.reach(selector) is REACHES[user, account, instrument]
    assert (adapter.reach(selector) is Reach.NATIVE) == is_native
    assert adapter.reach(replace(selector, side=Side.BUY)) is Reach.FAN_OUT
    assert adapter.reach(replace(selector, strategy="S1")) is Reach.FAN_OUT
    assert adapter.reach(replace(selector, account_id=15)) is Reach.FAN_OUT


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    """It would fail later, with the key in the error's text."""
    with pytest.raises(SecretError) as refused:
        CoinapiEms(place("http://127.0.0.1:1", key="very\nsecret"), lambda _: None)
    assert "secret" not in str(refused.value)
