"""From JSON and queries to messages: never an exception, and nothing that is ignored."""

import json
from decimal import Decimal
from itertools import product
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fixgw.config_tables import ApiTable
from fixgw.core.directory import Directory
from fixgw.core.errors import ErrorCode, Refusal
from fixgw.core.order import is_quantity
from fixgw.edge.api.alphapoint import models
from fixgw.edge.api.alphapoint.asking import Ask, Caller
from fixgw.edge.api.alphapoint.keys import pairs_of, read, shown
from fixgw.edge.api.alphapoint.table import CALLS
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity

CALLER = Caller(
    cast(
        Context,
        SimpleNamespace(
            omses=(1,),
            settings=ApiTable(),
            reference=SimpleNamespace(directory=Directory([], [], [], [], []), account_name=str),
        ),
    ),
    Identity(37, "trader37"),
)
KEYS = sorted(
    {key for call in CALLS.values() for key in call.model.model_fields} | {"IntrumentId", "ClOrderId"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=20),
    st.sampled_from(["25", "0", "Buy", "IOC", "1.5", "1e5", "true", "", " 25", "２５", "+1"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.tuples(inner, inner), max_leaves=4
)
SPELLED = st.sampled_from(KEYS).flatmap(lambda key: st.sampled_from([key, key.lower(), key.upper()]))
PAIRS = st.lists(st.tuples(SPELLED | st.text(max_size=8), VALUES), max_size=8)
GOOD = {call.name: list(call.example.items()) for call in CALLS.values()}


@given(call=st.sampled_from(sorted(CALLS)), pairs=PAIRS, is_near=st.booleans(), data=st.data())
def test_whatever_comes_is_a_message_or_a_refusal(
    call: str, pairs: list[tuple[str, object]], is_near: bool, data: st.DataObject
) -> None:
    """Of every call, also near to a good one; a refusal is 100 and can be written down."""
    if is_near:
        fields = sorted(CALLS[call].model.model_fields)
        changes = data.draw(st.dictionaries(st.sampled_from(fields), SCALARS, max_size=3)) if fields else {}
        pairs = list({**dict(GOOD[call]), **changes}.items())
    found = read(CALLS[call].model, call, pairs)
    assert isinstance(found, CALLS[call].model | Refusal)
    run = CALLS[call].run
    if run is not None and not isinstance(found, Refusal):
        assert isinstance(run(CALLER, found), Ask | dict | list)
    if isinstance(found, Refusal):
        assert found.code is ErrorCode.INVALID_REQUEST
        assert found.detail.isascii()
        assert found.detail.isprintable()


@given(st.text() | st.text(alphabet='{}[]":,0123456789.eE- nultrefas\\ud'))
def test_whatever_is_sent_is_pairs_or_a_refusal(text: str) -> None:
    """Pairs have keys that are text."""
    found = pairs_of(text, "the body")
    if not isinstance(found, Refusal):
        assert all(isinstance(key, str) for key, _ in found)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=5))
def test_an_object_is_read_as_it_is(said: dict[str, object]) -> None:
    """Every key, in order."""
    assert pairs_of(json.dumps(said), "the body") == tuple(said.items())


@given(st.decimals(min_value=0, max_value=10**16, allow_nan=False, allow_infinity=False, places=14))
def test_quantities_are_exact(number: Decimal) -> None:
    """As numbers and as text, up to the digits that the core has; never rounded."""
    rest = [("OMSId", 1), ("AccountId", 1), ("InstrumentId", 1), ("Side", 0), ("OrderType", 1)]
    for text in (f'{{"Quantity":{number}}}', f'{{"Quantity":"{number}"}}'):
        pairs = pairs_of(text, "it")
        assert not isinstance(pairs, Refusal)
        found = read(models.SendOrder, "SendOrder", [*rest, *pairs])
        if isinstance(found, Refusal):
            assert not is_quantity(number)
            assert number != 0
        else:
            assert found.Quantity == (number or None)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("19010." + "0" * 28, "19010"),
        ("0.1e1", "1"),
        ("1e-12", "0.000000000001"),
    ],
)
def test_a_quantity_has_one_spelling(said: str, number: str) -> None:
    """Without zeros at its end, which some clients send many of, and without an exponent above 0."""
    rest = [("OMSId", 1), ("AccountId", 1), ("InstrumentId", 1), ("Side", 0), ("OrderType", 1)]
    for value in (said, Decimal(said)):
        found = read(models.SendOrder, "SendOrder", [*rest, ("Quantity", value)])
        assert isinstance(found, models.SendOrder)
        assert found.Quantity is not None
        assert format(found.Quantity, "f") == number
        assert "+" not in str(found.Quantity)


@pytest.mark.parametrize(
    "text", ['{"a":NaN}', '{"a":Infinity}', '{"a":1}}', "null", "[" * 100_000, '{"a":' * 9_999]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    """Also what Python's own reader would take, and what is too deep for it."""
    assert isinstance(pairs_of(text, "the body"), Refusal)


@pytest.mark.parametrize(
    ("first", "second"), list(product(["InstrumentId", "IntrumentId", "INTRUMENTID"], repeat=2))
)
def test_two_spellings_must_agree(first: str, second: str) -> None:
    """A number and its text are the same; 0 and 25 are not."""
    same = read(models.CancelAllOrders, "CancelAllOrders", [("OMSId", 1), (first, 25), (second, "25")])
    assert isinstance(same, models.CancelAllOrders)
    assert same.InstrumentId == 25
    other = read(models.CancelAllOrders, "CancelAllOrders", [("OMSId", 1), (first, 25), (second, 0)])
    assert isinstance(other, Refusal)
    assert other.detail == "InstrumentId is given twice, as 25 and as 0"


def test_what_is_nested_deeply_is_refused_wherever_it_stands() -> None:
    """As any value of a wrong type: by a refusal, and never by an exception."""
    for depth in (2, 490, 700, 900):
        pairs = pairs_of('{"deep":' + '{"a":' * depth + "1" + "}" * depth + "}", "the body")
        assert not isinstance(pairs, Refusal)
        for call in CALLS.values():
            for field in call.model.model_fields:
                found = read(call.model, call.name, [(field, pairs[0][1]), (field.lower(), pairs[0][1])])
                assert isinstance(found, Refusal)


@pytest.mark.parametrize(("said", "as_json"), [(None, "null"), (True, "true"), (25, "25"), ("x", "x")])
def test_a_value_is_shown_as_json_has_it(said: object, as_json: str) -> None:
    """It is not Python that the client writes."""
    assert shown(said) == as_json


def test_secrets_do_not_show() -> None:
    """Neither in a message nor in a refusal of one."""
    payload: list[tuple[str, object]] = [
        ("Password", "pa55"),
        ("SessionToken", "t0ken"),
        ("Signature", "s1gn"),
    ]
    found = read(models.Login, "AuthenticateUser", payload)
    assert isinstance(found, models.Login)
    assert not any(secret in repr(found) for secret in ("pa55", "t0ken", "s1gn"))
    refused = read(models.Login, "AuthenticateUser", [("Password", ["pa55"])])
    assert isinstance(refused, Refusal)
    assert "pa55" not in refused.detail


def test_a_model_has_no_two_keys_that_look_alike() -> None:
    """Keys are matched without regard to case."""
    for call in CALLS.values():
        assert issubclass(call.model, BaseModel)
        names = [name.lower() for name in call.model.model_fields]
        assert len(set(names)) == len(names)


def test_what_is_shown_is_short_ascii() -> None:
    """Whatever it was."""
    assert shown("ä\n" + "x" * 100) == "??" + "x" * 38 + "..."
