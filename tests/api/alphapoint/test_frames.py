"""Frames: never an exception, and a reply that can always be written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.errors import ErrorCode
from fixgw.edge.api.alphapoint.frames import BadFrame, Frame, FrameType, parse, write
from fixgw.edge.api.alphapoint.views import standard

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.lists(st.none(), max_size=2)
)


@given(st.text() | st.dictionaries(st.sampled_from("mMiInNoOx"), VALUES).map(json.dumps))
def test_whatever_comes_is_a_request_or_is_answered(text: str) -> None:
    """The answer is a frame, with a number and a payload that is JSON in JSON."""
    found = parse(text)
    if isinstance(found, Frame):
        answer = write(FrameType.REPLY, found.number, found.function, {})
    else:
        assert isinstance(found, BadFrame)
        assert found.refusal.code is ErrorCode.INVALID_REQUEST
        answer = write(FrameType.ERROR, found.number, found.function, standard(found.refusal))
    frame = json.loads(answer)
    assert list(frame) == ["m", "i", "n", "o"]
    assert isinstance(json.loads(frame["o"]), dict)


@pytest.mark.parametrize("depth", [300, 480, 500, 700, 900, 990, 1_000, 5_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deeply_is_answered_wherever_it_stands(depth: int, begin: str, end: str) -> None:
    """Also twice, where the two would have to be compared."""
    deep = f"{begin * depth}1{end * depth}"
    for name in "mino":
        found = parse(f'{{"m":0,"i":2,"n":"Ping","{name}":{deep},"{name.upper()}":{deep}}}')
        assert isinstance(found, BadFrame)
        assert found.refusal.code is ErrorCode.INVALID_REQUEST
        twice = parse(f'{{"{name}":{deep},"{name}":{deep}}}')
        assert isinstance(twice, BadFrame)


@given(
    number=st.integers(-(2**63) + 1, 2**63 - 1),
    function=st.from_regex(r"[A-Za-z0-9]{1,30}", fullmatch=True),
    payload=st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9), max_size=4),
)
def test_a_request_is_read_as_it_was_written(number: int, function: str, payload: dict[str, object]) -> None:
    """The payload is JSON in JSON."""
    found = parse(json.dumps({"m": 0, "i": number, "n": function, "o": json.dumps(payload)}))
    assert found == Frame(number, function, tuple(payload.items()))
