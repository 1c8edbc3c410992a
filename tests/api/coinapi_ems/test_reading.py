"""What a client wrote becomes a request, or a problem that says what is wrong with which field."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import OrdType, Side, TimeInForce, is_quantity
from fixgw.core.requests import CancelOrder, MassCancel, NewOrder
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.api.coinapi_ems.names import Exchange, Exchanges
from fixgw.edge.api.coinapi_ems.problems import Problem
from fixgw.edge.api.coinapi_ems.reading import (
    Asked,
    read_cancel,
    read_cancel_all,
    read_new_order,
    read_object,
)
from fixgw.edge.api.coinapi_ems.views import encode
from tests.core.build import directory, two_omses

EXCHANGES = Exchanges(directory(), (1,))
READERS = (read_new_order, read_cancel, read_cancel_all)
ORDER = {
    "exchange_id": "SANDBOX",
    "client_order_id": "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
    "symbol_id_exchange": "BTC-USD",
    "amount_order": 0.045,
    "price": 0.0783,
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
}


def body(**changes: Any) -> dict[str, object]:
    """The documented example of a new order as it is read, with changes; None takes a key away."""
    changed = {key: value for key, value in (ORDER | changes).items() if value is not None}
    found = read_object(json.dumps(changed))
    assert not isinstance(found, Problem)
    return found


def problem(found: object) -> str:
    assert isinstance(found, Problem), found
    assert found.status == 400
    return found.message


def test_the_documented_new_order_is_read() -> None:
    """Numbers exactly, the account left to the user's default one."""
    asked = read_new_order(body(), EXCHANGES, 37)
    assert asked == Asked(
        Exchange(1, "SANDBOX"),
        NewOrder(
            user_id=37,
            oms=OmsName(1, "SANDBOX"),
            cl_ord_id="6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
            instrument=InstrumentName("BTC-USD"),
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCEL,
            order_qty=Decimal("0.045"),
            price=Decimal("0.0783"),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exchange_id": None}, "exchange_id is missing"),
        ({"exchange_id": 1}, "exchange_id is not a text"),
        ({"exchange_id": "KRAKEN"}, "exchange_id names no exchange that this API reaches (there is SANDBOX)"),
        ({"exchange_id": "KRAKEN/14"}, "exchange_id names no exchange"),
        ({"exchange_id": "SANDBOX/"}, "exchange_id: what follows SANDBOX/ is the number of an account"),
        ({"exchange_id": "SANDBOX/JOHN"}, "exchange_id: what follows SANDBOX/ is the number of an account"),
        ({"exchange_id": "SANDBOX/0"}, "exchange_id: what follows SANDBOX/ is the number of an account"),
        ({"client_order_id": None}, "client_order_id is missing"),
        ({"client_order_id": ""}, "client_order_id is not 1 to 64 printable ASCII characters"),
        ({"client_order_id": "a b"}, "client_order_id is not 1 to 64 printable ASCII characters"),
        ({"client_order_id": "\ud800"}, "client_order_id is not a text"),
        ({"client_order_id": 7}, "client_order_id is not a text"),
        ({"symbol_id_exchange": None}, "symbol_id_exchange is missing: it, or symbol_id_coinapi"),
        ({"symbol_id_coinapi": "SANDBOX_SPOT_X_Y"}, "symbol_id_coinapi names no instrument of SANDBOX"),
        ({"symbol_id_coinapi": "SANDBOX_SPOT_ETH_USD"}, "name different instruments"),
        ({"amount_order": None}, "amount_order is missing"),
        ({"amount_order": "1"}, "amount_order is not a number"),
        ({"amount_order": True}, "amount_order is not a number"),
        ({"amount_order": 0}, "amount_order is not a positive number of at most 15 digits before"),
        ({"amount_order": -1}, "amount_order is not a positive number"),
        ({"price": 1e15}, "price is not a positive number"),
        ({"price": 1e-13}, "price is not a positive number"),
        ({"side": "HOLD"}, "side is HOLD, not BUY or SELL"),
        ({"side": "buy"}, "side is buy, not BUY or SELL"),
        ({"order_type": "MARKET"}, "order_type is MARKET, not LIMIT"),
        ({"order_type": None}, "order_type is missing"),
        (
            {"time_in_force": "FILL_OR_KILL"},
            "time_in_force is FILL_OR_KILL, not GOOD_TILL_CANCEL or GOOD_TILL_TIME_OMS",
        ),
        ({"time_in_force": "GOOD_TILL_TIME_OMS"}, "expire_time must be the end of the day"),
        (
            {"time_in_force": "GOOD_TILL_TIME_OMS", "expire_time": "2000-01-01T00:00:00Z"},
            "expire_time must be the end of the day",
        ),
        ({"expire_time": "2030-01-01"}, "expire_time does not belong to time_in_force GOOD_TILL_CANCEL"),
        ({"exec_inst": ["MAKER_OR_CANCEL"]}, "exec_inst is not supported"),
        ({"amount": 1}, "amount is not a key of this request; there are amount_order, client_order_id"),
        ({"type": "ORDER_NEW_SINGLE_REQUEST"}, "type is not a key of this request"),
    ],
)
def test_a_wrong_field_of_a_new_order_is_named(changes: dict[str, Any], why: str) -> None:
    assert why in problem(read_new_order(body(**changes), EXCHANGES, 37))


@pytest.mark.parametrize(
    "ends", ["2026-03-06T00:00:00Z", "2026-03-06T00:00:00.0000000Z", "2026-03-06T01:00+01:00"]
)
def test_an_order_that_ends_with_its_day_is_a_day_order(ends: str) -> None:
    """GOOD_TILL_TIME_OMS as reports show it; orders end at no other time, nor without one."""
    exchanges = Exchanges(directory(), (1,), lambda: datetime(2026, 3, 5, 12, tzinfo=UTC))
    asked = read_new_order(body(time_in_force="GOOD_TILL_TIME_OMS", expire_time=ends), exchanges, 37)
    assert isinstance(asked, Asked)
    assert asked.request.time_in_force is TimeInForce.DAY
    for wrong in (None, "2026-03-07T00:00:00Z", "2026-03-06T00:00:00", "today", ""):
        refused = read_new_order(body(time_in_force="GOOD_TILL_TIME_OMS", expire_time=wrong), exchanges, 37)
        assert "expire_time must be the end of the day, 2026-03-06T00:00:00Z" in problem(refused)


def test_what_is_empty_may_be_sent() -> None:
    """Clients made by machines send keys that they do not use."""
    read = {**body(), "expire_time": None, "exec_inst": [], "symbol_id_coinapi": None}
    assert read_new_order(read, EXCHANGES, 37) == read_new_order(body(), EXCHANGES, 37)


def test_an_instrument_has_a_coinapi_symbol() -> None:
    """By itself, or together with the exchange's own."""
    symbols = [EXCHANGES.symbol_id(found) for found in directory().instruments.values()]
    assert symbols == ["SANDBOX_SPOT_BTC_USD", "SANDBOX_SPOT_ETH_USD", "SANDBOX_FTS_BTC_PERP"]
    alone = body(symbol_id_exchange=None, symbol_id_coinapi="SANDBOX_SPOT_BTC_USD")
    both = body(symbol_id_coinapi="SANDBOX_SPOT_BTC_USD")
    for read in (alone, both):
        asked = read_new_order(read, EXCHANGES, 37)
        assert not isinstance(asked, Problem)
        assert asked.request.instrument == InstrumentName("BTC-USD")


def test_an_account_is_named_after_the_exchange() -> None:
    for text, account_id in (("SANDBOX", None), ("SANDBOX/15", 15), ("SANDBOX/015", 15)):
        asked = read_cancel_all({"exchange_id": text}, EXCHANGES, 37)
        assert not isinstance(asked, Problem)
        assert asked.request.account_id == account_id


def test_a_cancel_of_all_means_the_users_own_unless_an_account_is_named() -> None:
    """Never wider than the user's own orders by leaving something out."""
    sandbox, all_orders = OmsName(1, "SANDBOX"), Scope(ScopeType.ALL)
    assert read_cancel_all({"exchange_id": "SANDBOX"}, EXCHANGES, 37) == Asked(
        Exchange(1, "SANDBOX"), MassCancel(user_id=37, oms=sandbox, scope=all_orders, owner_id=37)
    )
    assert read_cancel_all({"exchange_id": "SANDBOX/15"}, EXCHANGES, 37) == Asked(
        Exchange(1, "SANDBOX", 15), MassCancel(user_id=37, oms=sandbox, scope=all_orders, account_id=15)
    )
    narrower = {"exchange_id": "SANDBOX", "symbol_id_exchange": "BTC-USD"}
    assert "symbol_id_exchange is not a key" in problem(read_cancel_all(narrower, EXCHANGES, 37))


@pytest.mark.parametrize(
    ("ids", "order_id", "client_id"),
    [
        ({"exchange_order_id": "1234567"}, 1234567, None),
        ({"exchange_order_id": Decimal(3456456754)}, 3456456754, None),
        ({"exchange_order_id": "90832ASASAS89789-1112"}, -1, None),
        ({"exchange_order_id": Decimal("1.5")}, -1, None),
        ({"exchange_order_id": "9" * 19}, -1, None),
        ({"client_order_id": "d8574207d9e3b16a4a5511753eeef1751"}, None, "d8574207d9e3b16a4a5511753eeef1751"),
        ({"exchange_order_id": "1", "client_order_id": "o1"}, 1, "o1"),
        ({"exchange_order_id": None, "client_order_id": "o1"}, None, "o1"),
    ],
)
def test_a_cancel_names_its_order(
    ids: dict[str, object], order_id: int | None, client_id: str | None
) -> None:
    """By either id or both; an exchange_order_id that is none of ours names no order."""
    asked = read_cancel({"exchange_id": "SANDBOX", **ids}, EXCHANGES, 37)
    assert not isinstance(asked, Problem)
    assert asked.request == CancelOrder(
        user_id=37, oms=OmsName(1, "SANDBOX"), order_id=order_id, orig_cl_ord_id=client_id
    )


def test_a_cancel_without_an_order_is_refused() -> None:
    none = read_cancel({"exchange_id": "SANDBOX"}, EXCHANGES, 37)
    assert "exchange_order_id is missing" in problem(none)
    truth = read_cancel({"exchange_id": "SANDBOX", "exchange_order_id": True}, EXCHANGES, 37)
    assert "exchange_order_id is not a text" in problem(truth)


def test_only_the_omses_of_the_dialect_are_reached() -> None:
    both = Exchanges(two_omses(), (1,))
    assert isinstance(both.read(two_omses().omses[1].name), Exchange)
    assert isinstance(both.read(two_omses().omses[2].name), str)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":NaN}', "NaN is not a number"),
        (b'{"a":1e99999999999999999999}', "is too large"),
        (b'{"exchange_id":"A","exchange_id":"B"}', "a key is there twice"),
        (b"[" * 60_000, "nested too deeply"),
        (b"[]", "not an object"),
        (b'"SANDBOX"', "not an object"),
    ],
)
def test_what_is_no_json_object_is_refused(text: bytes, why: str) -> None:
    assert why in problem(read_object(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*ORDER, "symbol_id_coinapi", "exchange_order_id", "exec_inst", "expire_time", "type"])
VALUES = JSON | st.sampled_from(["SANDBOX", "SANDBOX/14", "BTC-USD", "SANDBOX_SPOT_BTC_USD", "7", "BUY"])


@given(st.binary(max_size=50) | st.text(max_size=50) | JSON.map(json.dumps))
def test_any_bytes_are_an_object_or_a_problem(text: str | bytes) -> None:
    """Nothing raises, and what is wrong can be said in JSON."""
    found = read_object(text)
    if isinstance(found, Problem):
        encode(found.body("x"))
        encode(found.message_reject("x"))


@given(st.dictionaries(KEYS, VALUES))
def test_any_object_is_a_request_or_a_problem(wanted: dict[str, object]) -> None:
    """A number that is taken is a quantity, and an id can be sent back; a problem can be said in JSON."""
    read = read_object(json.dumps({**ORDER, **wanted}))
    for text in (read, read_object(json.dumps(wanted))):
        if isinstance(text, Problem):
            continue
        for reader in READERS:
            asked = reader(text, EXCHANGES, 37)
            if isinstance(asked, Problem):
                encode(asked.body("x"))
                encode(asked.message_reject("x"))
            elif isinstance(asked.request, NewOrder):
                assert is_quantity(asked.request.order_qty)
                assert asked.request.cl_ord_id is not None
                assert asked.request.cl_ord_id.isascii()
            else:
                assert asked.exchange.oms_id == 1
