"""From what a client wrote to a core request, or to the problem with it. Nothing here raises on any input."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Generic, NamedTuple, TypeVar

from fixgw.core.order import QUANTITY_DIGITS, OrdType, Side, TimeInForce, is_quantity
from fixgw.core.requests import ApiRequest, CancelOrder, MassCancel, NewOrder
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.api.coinapi_ems.names import Exchange, Exchanges
from fixgw.edge.api.coinapi_ems.problems import Problem, RejectReason, invalid

SHOWN_MAX = 96  # characters of what a client wrote that an answer repeats: an exchange_id has at most 83

Body = Mapping[str, object]

_CLIENT_ORDER_ID = re.compile(r"[\x21-\x7e]{1,64}")  # it has to stand in a FIX report, too
_ORDER_ID = re.compile(r"[0-9]{1,18}")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can escape and nothing can encode
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_ORDER_TYPES = {"LIMIT": OrdType.LIMIT}
_TIMES_IN_FORCE = {
    "GOOD_TILL_CANCEL": TimeInForce.GOOD_TILL_CANCEL,
    "GOOD_TILL_TIME_OMS": TimeInForce.DAY,  # at the end of the day, and at no other time
}

NEW_ORDER_KEYS = frozenset(
    {
        "exchange_id",
        "client_order_id",
        "symbol_id_exchange",
        "symbol_id_coinapi",
        "amount_order",
        "price",
        "side",
        "order_type",
        "time_in_force",
        "expire_time",
        "exec_inst",
    }
)
CANCEL_KEYS = frozenset({"exchange_id", "exchange_order_id", "client_order_id"})
CANCEL_ALL_KEYS = frozenset({"exchange_id"})


class _FieldError(Exception):
    """A field is missing or wrong; the text says which, and what it may be."""


_R = TypeVar("_R", bound=ApiRequest, covariant=True)


class Asked(NamedTuple, Generic[_R]):
    """What a client asks for, and where."""

    exchange: Exchange
    request: _R


def read_object(text: str | bytes) -> dict[str, object] | Problem:
    """The JSON object that `text` is, its numbers exact (Decimal)."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        read = json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_number,
            object_pairs_hook=_no_key_twice,
        )
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        return invalid(f"this is not JSON as RFC 8259 has it: {why}", reason=RejectReason.JSON_ERROR)
    if not isinstance(read, dict):
        return invalid("this is JSON, but not an object", reason=RejectReason.JSON_ERROR)
    return read


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all measure
        raise ValueError(f"{text[:32]} is too large") from None


def _no_number(text: str) -> Decimal:
    raise ValueError(f"{text} is not a number")


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key is there twice")
    return read


def read_new_order(body: Body, exchanges: Exchanges, user_id: int) -> Asked[NewOrder] | Problem:
    """The new order that `body` asks for."""
    try:
        exchange = _exchange(body, exchanges, NEW_ORDER_KEYS)
        cl_ord_id = _client_order_id(_text(body, "client_order_id"))
        instrument = exchanges.instrument(
            exchange, _text_or_none(body, "symbol_id_exchange"), _text_or_none(body, "symbol_id_coinapi")
        )
        if isinstance(instrument, str):
            raise _FieldError(instrument)
        request = NewOrder(
            user_id=user_id,
            oms=exchange.oms,
            cl_ord_id=cl_ord_id,
            instrument=instrument,
            side=_SIDES[_one_of(body, "side", _SIDES)],
            ord_type=_ORDER_TYPES[_one_of(body, "order_type", _ORDER_TYPES)],
            time_in_force=_TIMES_IN_FORCE[_one_of(body, "time_in_force", _TIMES_IN_FORCE)],
            order_qty=_quantity(body, "amount_order"),
            price=_quantity(body, "price"),
            account_id=exchange.account_id,
        )
        _check_expire_time(body, request.time_in_force, exchanges.next_day_end(exchange.oms_id))
        if body.get("exec_inst") not in (None, []):
            raise _FieldError("exec_inst is not supported: leave it out")
    except _FieldError as error:
        return _problem(error, body)
    return Asked(exchange, request)


def _check_expire_time(body: Body, time_in_force: TimeInForce | None, day_end: datetime) -> None:
    """An order that ends by itself ends with the day: whoever wants another time must not get this one."""
    said = body.get("expire_time")
    if time_in_force is not TimeInForce.DAY:
        if said is not None:
            raise _FieldError("expire_time does not belong to time_in_force GOOD_TILL_CANCEL")
        return
    try:
        ends = None if not isinstance(said, str) else datetime.fromisoformat(said)
    except ValueError:
        ends = None
    if ends is None or ends.tzinfo is None or ends != day_end:
        raise _FieldError(f"expire_time must be the end of the day, {day_end:%Y-%m-%dT%H:%M:%S}Z")


def read_cancel(body: Body, exchanges: Exchanges, user_id: int) -> Asked[CancelOrder] | Problem:
    """The cancel of one order that `body` asks for."""
    try:
        exchange = _exchange(body, exchanges, CANCEL_KEYS)
        order_id = _order_id(body)
        cl_ord_id = _text_or_none(body, "client_order_id")
        if order_id is None and cl_ord_id is None:
            raise _FieldError("exchange_order_id is missing: it, or client_order_id, names the order")
        request = CancelOrder(
            user_id=user_id,
            oms=exchange.oms,
            order_id=order_id,
            orig_cl_ord_id=None if cl_ord_id is None else _client_order_id(cl_ord_id),
            account_id=exchange.account_id,
        )
    except _FieldError as error:
        return _problem(error, body)
    return Asked(exchange, request)


def read_cancel_all(body: Body, exchanges: Exchanges, user_id: int) -> Asked[MassCancel] | Problem:
    """The cancel of all orders that `body` asks for: the user's own, or those of the account it names."""
    try:
        exchange = _exchange(body, exchanges, CANCEL_ALL_KEYS)
    except _FieldError as error:
        return _problem(error, body)
    request = MassCancel(
        user_id=user_id,
        oms=exchange.oms,
        scope=Scope(ScopeType.ALL),
        account_id=exchange.account_id,
        owner_id=user_id if exchange.account_id is None else None,
    )
    return Asked(exchange, request)


def is_client_order_id(text: str) -> bool:
    """Whether `text` can be one: 1 to 64 printable ASCII characters without spaces, as FIX has them."""
    return _CLIENT_ORDER_ID.fullmatch(text) is not None


def _client_order_id(text: str) -> str:
    if not is_client_order_id(text):
        raise _FieldError("client_order_id is not 1 to 64 printable ASCII characters without spaces")
    return text


def _problem(error: _FieldError, body: Body) -> Problem:
    exchange_id = body.get("exchange_id")
    return invalid(str(error), _shown(exchange_id) if isinstance(exchange_id, str) else "")


def _exchange(body: Body, exchanges: Exchanges, keys: frozenset[str]) -> Exchange:
    unknown = [key for key in body if key not in keys]
    if unknown:
        raise _FieldError(f"{_shown(unknown[0])} is not a key of this request; there are {_listed(keys)}")
    found = exchanges.read(_text(body, "exchange_id"))
    if isinstance(found, str):
        raise _FieldError(found)
    return found


def _text_or_none(body: Body, key: str) -> str | None:
    value = body.get(key)
    if value is None or (isinstance(value, str) and not _SURROGATE.search(value)):
        return value
    raise _FieldError(f"{key} is not a text")


def _text(body: Body, key: str) -> str:
    value = _text_or_none(body, key)
    if value is None:
        raise _FieldError(f"{key} is missing")
    return value


def _one_of(body: Body, key: str, values: Iterable[str]) -> str:
    value = _text(body, key)
    if value not in values:
        raise _FieldError(f"{key} is {_shown(value)}, not {' or '.join(values)}")
    return value


def _quantity(body: Body, key: str) -> Decimal:
    value = body.get(key)
    if value is None:
        raise _FieldError(f"{key} is missing")
    if not isinstance(value, Decimal):
        raise _FieldError(f"{key} is not a number")
    if not is_quantity(value):
        raise _FieldError(f"{key} is not a positive number of {QUANTITY_DIGITS}")
    return value


def _order_id(body: Body) -> int | None:
    """The order that exchange_order_id names, -1 for one that cannot be; some clients send it as a number."""
    value = body.get("exchange_order_id")
    if value is None:
        return None
    if not isinstance(value, str | Decimal):
        raise _FieldError("exchange_order_id is not a text")
    text = str(value)
    return int(text) if _ORDER_ID.fullmatch(text) else -1


def _listed(keys: frozenset[str]) -> str:
    return ", ".join(sorted(keys))


def _shown(value: str) -> str:
    """`value` as it can stand in an answer: short, printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in value[:SHOWN_MAX])
