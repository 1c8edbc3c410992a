"""What a client of OpenAlgo's API can ask: one model for each call, which reads it and describes it."""

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from fixgw.core.order import QUANTITY_DIGITS, ZERO, is_quantity

NO_ORDER = -1
"""The id of an order that cannot exist: a text that is no id of ours names no order, which is no mistake."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_ORDER_ID = re.compile(r"[1-9][0-9]{0,17}")
_NUMBER_TEXT = r"^[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?$"


class BadRequestError(Exception):
    """A request that cannot be read; its text tells a person what is wrong with which field."""


def read_json(content_type: str, body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, its numbers as Decimal. Raises BadRequestError.

    A key that is there twice is refused, because nobody can say which of its values was meant.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadRequestError("the header Content-Type must be application/json")
    try:
        said = json.loads(
            body, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number, object_pairs_hook=_object
        )
    except RecursionError:
        raise BadRequestError("the body is nested too deeply") from None
    except (ValueError, ArithmeticError) as error:  # no UTF-8 is a ValueError too; 1e9999999999999999999
        raise BadRequestError(f"the body is not JSON that can be read: {error}") from None
    if not isinstance(said, dict):
        raise BadRequestError("the body must be a JSON object")
    return said


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadRequestError("the body has a key twice")
    return members


def _number(said: object) -> Decimal:
    """A number as it was written, also as text."""
    number = said
    if isinstance(said, str) and _NUMBER.fullmatch(said):
        number = Decimal(said)
    if not isinstance(number, Decimal):
        raise ValueError("must be a number")
    return number


def _quantity(number: Decimal) -> Decimal:
    if not is_quantity(number):
        raise ValueError(f"must be a positive number of {QUANTITY_DIGITS}")
    return number


def _price(number: Decimal) -> Decimal:
    if number != ZERO and not is_quantity(number):
        raise ValueError(f"must be 0 or a positive number of {QUANTITY_DIGITS}")
    return number


def _nothing_hidden(number: Decimal) -> Decimal:
    if number != ZERO:
        raise ValueError("must be 0: an order is always disclosed as a whole")
    return ZERO


def _word(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


def _order_id(said: object) -> int:
    text = f"{said:f}" if isinstance(said, Decimal) and abs(said.adjusted()) <= 40 else said
    if not isinstance(text, str) or not text:
        raise ValueError("must be the id of an order, as text")
    return int(text) if _ORDER_ID.fullmatch(text) else NO_ORDER


_Number = BeforeValidator(_number)
_NUMBER_SCHEMA: list[dict[str, Any]] = [{"type": "string", "pattern": _NUMBER_TEXT}, {"type": "number"}]

Quantity = Annotated[
    Decimal, _Number, AfterValidator(_quantity), WithJsonSchema({"anyOf": _NUMBER_SCHEMA, "examples": ["2"]})
]
Price = Annotated[
    Decimal, _Number, AfterValidator(_price), WithJsonSchema({"anyOf": _NUMBER_SCHEMA, "examples": ["64000"]})
]
Disclosed = Annotated[Decimal, _Number, AfterValidator(_nothing_hidden), WithJsonSchema({"enum": ["0", 0]})]
Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_word)]
OrderId = Annotated[
    int,
    BeforeValidator(_order_id),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}], "examples": ["17"]}),
]


class Question(BaseModel):
    """What every request has: the key that says who asks. A field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    apikey: Annotated[
        SecretStr,
        Field(min_length=1, max_length=256, description="The user's key, `api_key` in `[[api_user]]`"),
    ]


class OrderBook(Question):
    """The user's orders of today, and those of earlier days that are open."""


class _WithStrategy(Question):
    strategy: Annotated[Word, Field(description="The name of the strategy that asks", examples=["S1"])]


class CancelAllOrder(_WithStrategy):
    """Cancel the user's open orders of this strategy, those pending on a trigger included."""


class CancelOrder(_WithStrategy):
    """Cancel one of the user's orders. `strategy` is not compared: the id says which order is meant."""

    orderid: OrderId


class OrderStatus(_WithStrategy):
    """One of the user's orders. `strategy` is not compared: the id says which order is meant."""

    orderid: OrderId


class PlaceOrder(_WithStrategy):
    """Enter an order into the user's default account, good for today."""

    exchange: Annotated[Word, Field(description="The name of the OMS", examples=["SANDBOX"])]
    symbol: Annotated[Word, Field(description="The symbol of the instrument", examples=["BTC-USD"])]
    action: Annotated[Literal["BUY", "SELL", "buy", "sell"], Field(examples=["BUY"])]
    quantity: Quantity
    pricetype: Annotated[Literal["MARKET", "LIMIT", "SL", "SL-M"], Field(examples=["LIMIT"])] = "MARKET"
    product: Annotated[Literal["MIS", "NRML", "CNC"], Field(examples=["MIS"])] = "MIS"
    price: Annotated[Price, Field(description="Of LIMIT and SL; 0 is none")] = ZERO
    trigger_price: Annotated[Price, Field(description="Of SL and SL-M; 0 is none")] = ZERO
    disclosed_quantity: Disclosed = ZERO

    @model_validator(mode="after")
    def _prices_fit(self) -> Self:
        for field, given, needed in (
            ("price", self.price, self.pricetype in ("LIMIT", "SL")),
            ("trigger_price", self.trigger_price, self.pricetype in ("SL", "SL-M")),
        ):
            if needed and given == ZERO:
                raise ValueError(f"{field} is missing: an order of pricetype {self.pricetype} needs one")
            if given != ZERO and not needed:
                raise ValueError(f"{field} must be 0 or left out: pricetype {self.pricetype} has none")
        return self


_Asked = TypeVar("_Asked", bound=Question)


def read(model: type[_Asked], said: dict[str, Any]) -> _Asked:
    """What `said` asks. Raises BadRequestError, which names each field that is wrong and shows no values."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        raise BadRequestError("; ".join(map(_words, mistakes))) from None


def _words(mistake: ErrorDetails) -> str:
    """One mistake as pydantic found it, for a person."""
    field = ".".join(str(part) for part in mistake["loc"])
    context = mistake.get("ctx", {})
    match mistake["type"]:
        case "missing":
            return f"{field} is missing"
        case "extra_forbidden":
            name = field if field.isprintable() and len(field) <= 64 else "a field"
            return f"{name} is not known here"
        case "string_type":
            return f"{field} must be text"
        case "string_unicode":
            return f"{field} must be printable"
        case "string_too_short":
            return f"{field} must not be empty"
        case "string_too_long" | "too_long":
            return f"{field} must have at most {context.get('max_length')} characters"
        case "too_short":
            return f"{field} must not be empty"
        case "literal_error":
            return f"{field} must be {context['expected']}"
        case "value_error":
            return f"{field} {context['error']}".strip()
        case _:
            return f"{field}: {mistake['msg']}"
