"""What OpenAlgo's readers take and what they refuse: pure, and fed with everything that JSON can say."""

import json
import string
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fixgw.core.order import is_quantity
from fixgw.edge.api.openalgo import questions
from fixgw.edge.api.openalgo.questions import NO_ORDER, BadRequestError, Question, read, read_json

JSON = "application/json"
PLACE = {
    "apikey": "key37",
    "strategy": "S1",
    "exchange": "SANDBOX",
    "symbol": "BTC-USD",
    "action": "BUY",
    "quantity": "2",
}
CANCEL = {"apikey": "key37", "strategy": "S1", "orderid": "17"}
MODELS: list[type[Question]] = [
    questions.PlaceOrder,
    questions.CancelOrder,
    questions.CancelAllOrder,
    questions.OrderBook,
    questions.OrderStatus,
]

values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)
numbers = some.decimals(min_value=Decimal("0.000000000001"), max_value=Decimal(10) ** 15 - 1, places=12)


def asked(said: dict[str, Any], model: type[Question] = questions.PlaceOrder) -> Any:
    return read(model, read_json(JSON, json.dumps(said).encode()))


def asked_or_refused(said: dict[str, Any], model: type[Question]) -> str:
    try:
        return repr(asked(said, model))
    except BadRequestError as error:
        return str(error)


def mistakes(said: dict[str, Any], model: type[Question] = questions.PlaceOrder) -> str:
    with pytest.raises(BadRequestError) as caught:
        asked(said, model)
    return str(caught.value)


# the body


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_read(content_type: str) -> None:
    assert read_json(content_type, b'{"a":1.10}') == {"a": Decimal("1.10")}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused_by_name(content_type: str) -> None:
    with pytest.raises(BadRequestError, match="Content-Type must be application/json"):
        read_json(content_type, b"{}")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a":NaN}', "NaN is no number"),
        (b'{"a":1e9999999999999999999}', "not JSON"),
        (b"[" * 60_000, "nested too deeply"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"strategy":"S1","strategy":"S2"}', "a key twice"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadRequestError, match=why):
        read_json(JSON, body)


@given(some.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(BadRequestError):
        assert isinstance(read_json(JSON, body), dict)


# the fields


def test_what_is_left_out_of_an_order_has_the_documented_value() -> None:
    order = asked(PLACE)
    assert (order.pricetype, order.product, order.price, order.trigger_price) == ("MARKET", "MIS", 0, 0)


@given(
    some.sampled_from(MODELS),
    some.dictionaries(some.sampled_from([*PLACE, *CANCEL, "price"]) | some.text(), values),
)
def test_anything_is_read_or_refused_in_words_without_the_key(
    model: type[Question], said: dict[str, Any]
) -> None:
    """Nothing escapes but BadRequestError, and no value is shown: one of them may be a secret."""
    shown = asked_or_refused({**said, "apikey": "the-secret-key"}, model)
    assert shown
    assert "the-secret-key" not in shown


@given(numbers, some.booleans())
def test_a_number_is_exact_as_text_and_as_number(number: Decimal, as_text: bool) -> None:
    """No float is between: what is read is what was written."""
    body = json.dumps(PLACE | {"quantity": "?"}).replace('"?"', f'"{number}"' if as_text else f"{number}")
    quantity = read(questions.PlaceOrder, read_json(JSON, body.encode())).quantity
    assert quantity == number


@given(some.integers(1, 9), some.integers(0, 14))
def test_an_exponent_is_read(digit: int, exponent: int) -> None:
    assert asked(PLACE | {"quantity": f"{digit}e{exponent}"}).quantity == digit * 10**exponent


@given(some.decimals() | some.text(alphabet=string.printable, max_size=20))
def test_a_quantity_that_is_read_is_one(said: Decimal | str) -> None:
    with suppress(BadRequestError):
        assert is_quantity(asked(PLACE | {"quantity": str(said)}).quantity)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"quantity": "0"}, "quantity must be a positive number"),
        ({"quantity": "-1"}, "quantity must be a positive number"),
        ({"quantity": "1e15"}, "at most 15 digits before and 12 after the point"),
        ({"quantity": "0.0000000000001"}, "at most 15 digits before and 12 after the point"),
        ({"quantity": True}, "quantity must be a number"),
        ({"quantity": "٣"}, "quantity must be a number"),
        ({"quantity": None}, "quantity must be a number"),
        ({"action": "HOLD"}, "action must be 'BUY', 'SELL', 'buy' or 'sell'"),
        ({"pricetype": "STOP"}, "pricetype must be 'MARKET', 'LIMIT', 'SL' or 'SL-M'"),
        ({"product": "NORMAL"}, "product must be 'MIS', 'NRML' or 'CNC'"),
        ({"disclosed_quantity": 1}, "disclosed_quantity must be 0"),
        ({"price": "64000"}, "price must be 0 or left out: pricetype MARKET has none"),
        (
            {"pricetype": "SL-M", "trigger_price": 1, "price": 1},
            "price must be 0 or left out: pricetype SL-M",
        ),
        ({"pricetype": "LIMIT", "price": 1, "trigger_price": 1}, "trigger_price must be 0 or left out"),
        ({"pricetype": "LIMIT"}, "price is missing: an order of pricetype LIMIT needs one"),
        ({"pricetype": "SL", "price": "1"}, "trigger_price is missing: an order of pricetype SL needs one"),
        ({"pricetype": "SL-M"}, "trigger_price is missing: an order of pricetype SL-M needs one"),
        ({"pricetype": "LIMIT", "price": "-1"}, "price must be 0 or a positive number"),
        ({"strategy": ""}, "strategy must not be empty"),
        ({"strategy": 1}, "strategy must be text"),
        ({"strategy": "x" * 65}, "strategy must have at most 64 characters"),
        ({"strategy": "\x00"}, "strategy must be printable"),
        ({"strategy": "\ud800"}, "strategy must be printable"),
        ({"symbol": None}, "symbol must be text"),
        ({"target": "1"}, "target is not known here"),
        ({"\n": "1"}, "a field is not known here"),
        ({"apikey": ""}, "apikey must not be empty"),
        ({"apikey": "x" * 257}, "apikey must have at most 256 characters"),
    ],
)
def test_a_field_that_is_wrong_is_named(change: dict[str, Any], why: str) -> None:
    assert why in mistakes(PLACE | change)


@pytest.mark.parametrize("field", PLACE)
def test_a_field_that_is_missing_is_named(field: str) -> None:
    said = {name: value for name, value in PLACE.items() if name != field}
    assert mistakes(said) == f"{field} is missing"


def test_all_mistakes_are_told_at_once() -> None:
    assert mistakes({"apikey": "x", "orderid": []}, questions.CancelOrder) == (
        "strategy is missing; orderid must be the id of an order, as text"
    )


@pytest.mark.parametrize(
    ("said", "order_id"),
    [("17", 17), (17, 17), ("9" * 18, 10**18 - 1)]
    + [(wrong, NO_ORDER) for wrong in ("017", "1.5", "-1", "abc", "9" * 19, 1.5, 10**30, -3, "٣")],
)
def test_an_order_id_of_whatever_form_names_an_order_or_none(said: object, order_id: int) -> None:
    """An id of another server names no order, which is 404 and not a mistake."""
    assert asked(CANCEL | {"orderid": said}, questions.CancelOrder).orderid == order_id


@pytest.mark.parametrize("said", [None, "", [], {}, True])
def test_what_can_be_no_order_id_is_refused(said: object) -> None:
    assert "orderid must be the id of an order" in mistakes(CANCEL | {"orderid": said}, questions.CancelOrder)
