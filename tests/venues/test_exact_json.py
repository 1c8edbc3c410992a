"""JSON of venues: exact numbers, and what else can be read."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.venues import exact_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters())
    | st.sampled_from(["\ud83d", "\ud800x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES, st.booleans())
def test_what_is_written_is_read(value: object, is_ascii: bool) -> None:
    """Half a surrogate pair, which is what is left of a text that was cut off, included."""
    assert exact_json.decode(json.dumps(value, ensure_ascii=is_ascii)) == value


@pytest.mark.parametrize(
    "text",
    [
        "0.30000000000000004",
        "1.10",
        "1e400",
        "-0.0",
        "123456789012345678901234567890",
        "9223372036854775808",
        "7",
    ],
)
def test_numbers_are_exact(text: str) -> None:
    """None of them goes through a float."""
    number = exact_json.decode(text)
    assert isinstance(number, int | Decimal)
    assert Decimal(number) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["", "NaN", "[Infinity]", "{", "1 2", "'a'", "[" * 100_000, "1e99999999999999999999"]
)
def test_what_is_no_json_raises_what_is_said(text: str) -> None:
    """And nothing else."""
    with pytest.raises((ValueError, ArithmeticError, RecursionError)):
        exact_json.decode(text)
