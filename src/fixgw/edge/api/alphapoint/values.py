"""The types of values in requests: what a number, an id, a flag or an enumeration may look like."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import IntEnum
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, WithJsonSchema

from fixgw.core.order import QUANTITY_DIGITS, is_quantity
from fixgw.edge.api.alphapoint.keys import shown

ID_MAX = 10**18 - 1  # of an account, a user, an instrument, an OMS, an order
LONG_MAX = 2**63 - 1

_EXACT = Context(prec=64, traps=[Inexact])
_ONE = Decimal(1)

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_FLAGS: dict[object, bool] = {"true": True, "false": False, "1": True, "0": False}

E = TypeVar("E", bound=IntEnum)


def _whole(value: object, most: int) -> int:
    if type(value) is int and 0 <= value <= most:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value) and (number := int(value)) <= most:
        return number
    raise ValueError(f"is {shown(value)}, not a whole number from 0 to {most}")


def _id(value: object) -> int:
    return _whole(value, ID_MAX)


def _optional_id(value: object) -> int | None:
    return None if value is None else _whole(value, ID_MAX) or None


def _named_id(value: object) -> int | None:
    """An id that narrows a cancel: a null or an empty text there is rather a mistake than a wish for all."""
    if value is None or value == "":
        raise ValueError("is empty; leave it out, or say 0, if all are meant")
    return _whole(value, ID_MAX) or None


def _long(value: object) -> int | None:
    return None if value is None else _whole(value, LONG_MAX) or None


def _amount(value: object) -> Decimal | None:
    if value is None:
        return None
    number = _decimal(value)
    if number is not None and (number == 0 or is_quantity(number)):
        return _plain(number) if number else None
    raise ValueError(f"is {shown(value)}, not a positive number of {QUANTITY_DIGITS}")


def _plain(number: Decimal) -> Decimal:
    """The same number without an exponent above 0, which few clients expect in JSON."""
    return number.quantize(_ONE) if number == number.to_integral_value() else number


def _decimal(value: object) -> Decimal | None:
    """The number without zeros at its end; None when it is none, or one of very many digits."""
    number = _any_decimal(value)
    if number is None or not number.is_finite():
        return None
    try:
        return number.normalize(_EXACT)
    except Inexact:
        return None


def _any_decimal(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if type(value) is int and 0 <= value <= LONG_MAX:
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


def _flag(value: object) -> bool:
    if value is None:
        return False
    found = _FLAGS.get(str(value).lower()) if isinstance(value, bool | int | str) else None
    if found is None:
        raise ValueError(f"is {shown(value)}, neither true nor false")
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise ValueError("is neither text nor a whole number")


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _member(value: object, kind: type[E], members: dict[object, E]) -> E | None:
    if value is None:
        return None
    key = value.lower() if isinstance(value, str) else value
    found = members.get(key) if type(key) in (int, str) else None
    if found is None:
        names = ", ".join(f"{member.value} {member.name}" for member in kind)
        raise ValueError(f"is {shown(value)}, not one of: {names}")
    return found


def member_of(kind: type[E]) -> BeforeValidator:
    """Reads a member of `kind` by its number, its number as text, or its name."""
    members: dict[object, E] = {}
    for member in kind:
        members |= {member.value: member, str(member.value): member, member.name.lower(): member}
    return BeforeValidator(lambda value: _member(value, kind, members))


def one_of(kind: type[IntEnum]) -> WithJsonSchema:
    """How `member_of` is documented."""
    numbers = [member.value for member in kind]
    names = [member.name for member in kind]
    return WithJsonSchema(
        {"anyOf": [{"type": "integer", "enum": numbers}, {"type": "string", "enum": names}]}
    )


_WHOLE = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_ID_SCHEMA = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": ID_MAX}, _WHOLE]})
_LONG_SCHEMA = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": LONG_MAX}, _WHOLE]})
_AMOUNT_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 10**15},
            {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,12})?$"},
        ]
    }
)
_TEXT_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})

Id = Annotated[int, BeforeValidator(_id), _ID_SCHEMA]
OptionalId = Annotated[int | None, BeforeValidator(_optional_id), _ID_SCHEMA]
NamedId = Annotated[int | None, BeforeValidator(_named_id), _ID_SCHEMA]
Long = Annotated[int | None, BeforeValidator(_long), _LONG_SCHEMA]
Amount = Annotated[Decimal | None, BeforeValidator(_amount), _AMOUNT_SCHEMA]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Text = Annotated[str | None, BeforeValidator(_optional_text), _TEXT_SCHEMA]
