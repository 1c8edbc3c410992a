"""JSON as venues write it, its numbers exact."""

import json
from decimal import Decimal

import msgspec

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_decode_text = json.JSONDecoder(parse_float=Decimal, parse_constant=_constant).decode


def decode(text: str) -> object:
    """What `text` says, with numbers as int and Decimal.

    Raises ValueError, ArithmeticError and RecursionError.
    """
    try:
        return _decode(text)
    except ValueError:  # it may be a half surrogate pair, in a text that was cut off: that can be read still
        return _decode_text(text)
