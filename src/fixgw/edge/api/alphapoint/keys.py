"""From JSON or a query to a message: keys without regard to case, and nothing that is not understood."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fixgw.core.errors import Refusal, invalid

Pairs = tuple[tuple[str, object], ...]
"""The keys and values of one JSON object or one query, in order; a key may be there twice."""

SHOWN_MAX = 40  # characters of what a peer sent that are shown to him again

M = TypeVar("M", bound=BaseModel)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=tuple, parse_float=Decimal, parse_constant=_constant)


def shown(value: object) -> str:
    """`value` as it can stand in an answer: short, printable ASCII."""
    text = "".join(char if " " <= char <= "~" else "?" for char in _text(value)[: SHOWN_MAX + 1])
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _text(value: object) -> str:
    """`value` as text; no value of a message has parts, and those may be nested too deeply to write them."""
    if isinstance(value, tuple | list):
        return "an object or a list"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def pairs_of(text: str, what: str) -> Pairs | Refusal:
    """The pairs of the one JSON object that `text` is, none when it is empty; numbers stay exact.

    `what` is what it is called in a refusal (100).
    """
    text = text.strip()
    if not text:
        return ()
    if not text.startswith("{"):
        return invalid(f"{what} is not a JSON object")
    try:
        found: Pairs
        found, end = _decoder.raw_decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        return invalid(f"{what} is not JSON")
    return found if end == len(text) else invalid(f"{what} is not JSON")


def read(model: type[M], name: str, pairs: Iterable[tuple[str, object]]) -> M | Refusal:
    """The message `name`, of the type `model`, that is made of `pairs`.

    A refusal (100) for a key that it has not got, for two spellings of a key whose values differ, and for a
    value that is missing or wrong. What a null means is the field's to say; a required one is missing then.
    """
    spellings = _spellings(model)
    found: dict[str, object] = {}
    for key, value in pairs:
        field = spellings.get(key) or spellings.get(key.lower())
        if field is None and model.model_config.get("extra") == "allow":
            continue
        if field is None:
            known = ", ".join(model.model_fields)
            return invalid(f"{shown(key)} is not a key of {name}; its keys are: {known or 'none'}")
        if field in found and _text(found[field]) != _text(value):
            return invalid(f"{field} is given twice, as {shown(found[field])} and as {shown(value)}")
        found[field] = value
    for field, value in list(found.items()):
        if value is None and model.model_fields[field].is_required():
            del found[field]
    try:
        return model.model_validate(found)
    except ValidationError as error:
        return _problem(error)


def _problem(error: ValidationError) -> Refusal:
    """What is wrong, by the first mistake; the values of secrets are never in it."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return invalid(f"{field} is missing")
    why = first.get("ctx", {}).get("error", first["msg"])
    return invalid(f"{field} {why}")


@lru_cache(maxsize=64)
def _spellings(model: type[BaseModel]) -> Mapping[str, str]:
    """The field of each spelling: of each field's own name, that in lower case, and its documented others."""
    found = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        also = extra.get("also", []) if isinstance(extra, dict) else []
        assert isinstance(also, list)
        for spelling in (name, *map(str, also)):
            found[spelling] = found[spelling.lower()] = name
    return found
