"""The frames on a WebSocket: `{"m":0,"i":2,"n":"Ping","o":"{}"}`, from text and to text. No I/O."""

import re
from enum import IntEnum

from msgspec import Struct

from fixgw.core.errors import Refusal, invalid
from fixgw.edge.api.alphapoint.keys import Pairs, pairs_of, shown
from fixgw.edge.api.alphapoint.values import LONG_MAX
from fixgw.edge.api.alphapoint.views import OK, encode

_FUNCTION = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


class FrameType(IntEnum):
    """What a frame is: `m`."""

    REQUEST = 0
    REPLY = 1
    SUBSCRIBE = 2
    EVENT = 3
    UNSUBSCRIBE = 4
    ERROR = 5


class Frame(Struct, frozen=True):
    """A request: its number `i`, which the reply echoes, its function `n`, and the payload `o`."""

    number: int
    function: str
    payload: Pairs


class _Outgoing(Struct):
    """A frame to the client."""

    m: FrameType
    i: int
    n: str
    o: str


class BadFrame(Struct, frozen=True):
    """A frame that is no request, and why; its number and function as far as they can be read."""

    number: int
    function: str
    refusal: Refusal


_KEYS = frozenset(("m", "i", "n", "o"))
_OK_PAYLOAD = encode(OK).decode()

_PREFIXES: dict[int, str] = {
    FrameType.REQUEST: "",
    FrameType.SUBSCRIBE: "Subscribe",
    FrameType.UNSUBSCRIBE: "Unsubscribe",
}
"""The types that a client sends, and how the functions begin that it may call with them."""


def parse(text: str) -> Frame | BadFrame:
    """The request in a frame. Reads on after a first mistake, so that the answer echoes what it can."""
    pairs = pairs_of(text, "the frame")
    if not isinstance(pairs, tuple):
        return BadFrame(0, "", pairs)
    found: dict[str, object] = {}
    problem = None if pairs else invalid("the frame is empty")
    for key, value in pairs:
        name = key.lower()
        if name not in _KEYS:
            problem = problem or invalid(f"{shown(key)} is not a key of a frame; its keys are: m, i, n, o")
        elif name in found and not _is_same(found[name], value):
            problem = problem or invalid(f"{name} is given twice")
        else:
            found[name] = value
    number, function = _whole(found.get("i")), found.get("n")
    if not isinstance(function, str) or _FUNCTION.fullmatch(function) is None:
        problem = problem or invalid("n is missing, or is not the name of a function")
        function = ""
    if number is None:
        problem = problem or invalid(f"i is missing, or is not a whole number from {-LONG_MAX} to {LONG_MAX}")
        number = 0
    payload = _payload(found.get("o"))
    problem = problem or _wrong_type(_whole(found.get("m")), function)
    if not isinstance(payload, tuple):
        return BadFrame(number, function, problem or payload)
    return Frame(number, function, payload) if problem is None else BadFrame(number, function, problem)


def _is_same(first: object, second: object) -> bool:
    """Whether both are one value; those with parts are wrong anyway, and may be too deep to compare."""
    return not isinstance(first, tuple | list) and first == second


def _whole(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            return None
    return value if type(value) is int and -LONG_MAX <= value <= LONG_MAX else None


def _wrong_type(frame_type: int | None, function: str) -> Refusal | None:
    prefix = None if frame_type is None else _PREFIXES.get(frame_type)
    if prefix is None:
        return invalid("m is missing, or is none of 0 (request), 2 (subscribe) and 4 (unsubscribe)")
    if not function.startswith(prefix):
        return invalid(f"m is {frame_type}, but {shown(function)} is no function to {prefix.lower()}")
    return None


def _payload(payload: object) -> Pairs | Refusal:
    if payload is None:
        return ()
    if not isinstance(payload, str):
        return invalid("o is not text: the payload is JSON, written as a string")
    return pairs_of(payload, "o")


def write(frame_type: FrameType, number: int, function: str, body: object) -> bytes:
    """A frame as it goes out: UTF-8."""
    payload = _OK_PAYLOAD if body is OK else encode(body).decode()
    return encode(_Outgoing(frame_type, number, function, payload))
