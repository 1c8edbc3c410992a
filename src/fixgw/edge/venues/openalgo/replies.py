"""What an OpenAlgo server's replies mean: the table of its HTTP statuses, and how bodies are read. Pure.

The servers in use differ by the broker behind them: keys are missing, numbers are text, and a body may be
anything. Nothing here raises but the errors of the contract.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from fixgw.core.errors import ErrorCode
from fixgw.core.order import ZERO, is_quantity
from fixgw.core.requests import VenueStatus
from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)

WORDS_MAX = 200  # of a venue's text, in characters: enough for every reason that was seen
PAUSE_SECONDS = 1.0  # after a 429 that does not say how long
PAUSE_SECONDS_MAX = 60.0
ID_MAX = 64  # of an order's id, in characters


class NoSuchOrderError(VenueRefusedError):
    """The venue has no order with this id."""


class Meaning(Struct, frozen=True):
    """What replies with an HTTP status from `first` to `last` mean.

    `error` is what the adapter raises; `code` is what a client is told with, None where nothing is told yet.
    """

    first: int
    last: int
    error: type[Exception]
    code: ErrorCode | None
    text: str


MEANINGS = (
    Meaning(429, 429, VenueBusyError, None, "too many requests"),
    Meaning(403, 403, VenueRefusedError, ErrorCode.OPERATION_FAILED, "the key is wrong, or may not do this"),
    Meaning(404, 404, NoSuchOrderError, ErrorCode.OPERATION_FAILED, "the order is unknown"),
    Meaning(408, 408, UnknownOutcomeError, None, "time-out"),
    Meaning(400, 499, VenueRefusedError, ErrorCode.OPERATION_FAILED, "refused"),
    Meaning(500, 599, UnknownOutcomeError, None, "the server or its broker failed"),
    Meaning(100, 399, UnknownOutcomeError, None, "a reply that the API does not have"),
)
"""Every HTTP status but a 200 with `"status": "success"`: the first that fits."""

STATUSES = {
    "open": VenueStatus.OPEN,
    "trigger pending": VenueStatus.OPEN,
    "complete": VenueStatus.FILLED,
    "cancelled": VenueStatus.CANCELED,
    "rejected": VenueStatus.REJECTED,
}

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Row(Struct, frozen=True):
    """One order of an order book, as far as its server says anything of it.

    `status` is the server's own word. None: not said, or not to be read. `price` and the like of 0 are none.
    """

    order_id: str
    exchange: str
    symbol: str
    action: str
    pricetype: str
    status: str
    strategy: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it can still be canceled; a status that is not known is no end."""
        return STATUSES.get(self.status, VenueStatus.OPEN) is VenueStatus.OPEN


def read(status_code: int, body: bytes, retry_after: str | None, mode: str) -> dict[str, Any]:
    """What a reply that is a success says. Raises VenueMistakenError, VenueRefusedError, VenueBusyError and
    UnknownOutcomeError.

    `mode` is the one that the server must be in, wherever it says so.
    """
    said = _object(body)
    if said is not None and isinstance(said.get("mode"), str) and said["mode"] != mode:
        raise VenueMistakenError(
            f"the venue is in mode {words(said['mode'])}, and {mode} is configured: "
            f"have it switched back, and start again"
        )
    if status_code == 200 and said is not None and said.get("status") == "success":
        return said
    meaning = next((one for one in MEANINGS if one.first <= status_code <= one.last), MEANINGS[-1])
    told = words(said.get("message")) if said is not None else ""
    why = told or f"{meaning.text} (HTTP {status_code})"
    if meaning.error is VenueBusyError:
        raise VenueBusyError(why, _seconds(retry_after))
    raise meaning.error(why)


def words(said: object) -> str:
    """A venue's text as far as it can be shown: printable, on one line, and not endless; "" for no text."""
    if isinstance(said, Mapping) or (isinstance(said, list) and said):
        said = msgspec.json.encode(said).decode()  # which field is wrong, with why
    if not isinstance(said, str):
        return ""
    shown = "".join(char if char.isprintable() else " " for char in said[: 4 * WORDS_MAX])
    return " ".join(shown.split())[:WORDS_MAX]


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after or PAUSE_SECONDS)
    except ValueError:  # a date
        return PAUSE_SECONDS
    return min(max(seconds, 0.1), PAUSE_SECONDS_MAX) if isfinite(seconds) else PAUSE_SECONDS


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = _decode(body)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def read_order_id(said: Mapping[str, Any]) -> str:
    """The id of the order that was entered. Raises UnknownOutcomeError: a success without one is none."""
    order_id = _id(said.get("orderid"))
    if not order_id:
        raise UnknownOutcomeError("the venue says success and gives no orderid")
    return order_id


def read_book(said: Mapping[str, Any]) -> tuple[list[Row], int]:
    """The orders of an order book, and how many entries were no orders. Raises UnknownOutcomeError."""
    data = said.get("data")
    orders = data.get("orders") if isinstance(data, Mapping) else None
    if not isinstance(orders, list):
        raise UnknownOutcomeError("the venue's order book cannot be read: it has no data.orders")
    rows = [row for row in map(_row, orders) if row is not None]
    return rows, len(orders) - len(rows)


def read_order(said: Mapping[str, Any]) -> Row:
    """The order of an order status. Raises UnknownOutcomeError."""
    row = _row(said.get("data"))
    if row is None:
        raise UnknownOutcomeError("the venue's order status cannot be read: data is no order")
    return row


def _row(said: object) -> Row | None:
    if not isinstance(said, Mapping):
        return None
    order_id = _id(said.get("orderid"))
    status = _word(said.get("order_status")).lower()
    if not order_id or not status:
        return None
    strategy = said.get("strategy")
    return Row(
        order_id,
        _word(said.get("exchange")),
        _word(said.get("symbol")),
        _word(said.get("action")).upper(),
        _word(said.get("pricetype")).upper(),
        status,
        strategy if isinstance(strategy, str) and strategy else None,
        _positive(said.get("quantity")),
        _positive(said.get("price")),
        _positive(said.get("trigger_price")),
        _filled(said),
        _positive(said.get("average_price")),
        words(said.get("rejection_reason")),
    )


def _filled(said: Mapping[str, Any]) -> Decimal | None:
    """What was filled; where only what is pending is said, the rest, but not of an order that has ended."""
    filled = _number(said.get("filled_quantity"))
    if filled is not None:
        return filled if is_quantity(filled) else ZERO
    quantity, pending = _positive(said.get("quantity")), _number(said.get("pending_quantity"))
    if quantity is None or pending is None or not is_quantity(pending) or pending > quantity:
        return None
    return quantity - pending


def _id(said: object) -> str:
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    if not isinstance(said, str):
        return ""
    said = said.strip()
    return said if said.isprintable() and len(said) <= ID_MAX else ""


def _word(said: object) -> str:
    return said.strip() if isinstance(said, str) else ""


def _number(said: object) -> Decimal | None:
    """A number, also one in text."""
    if isinstance(said, bool) or not isinstance(said, int | str | Decimal):
        return None
    try:
        number = Decimal(said)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _positive(said: object) -> Decimal | None:
    number = _number(said)
    return number if number is not None and is_quantity(number) else None


def read_failures(said: Mapping[str, Any]) -> dict[str, str]:
    """Why a cancel of all could not cancel what it did not, by the order's id; "" where that is not said.

    Brokers say it in four ways: {orderid, reason}, {orderid, message}, {orderId, error}, and a bare id.
    """
    failures = said.get("failed_cancellations")
    return dict(_failures(failures)) if isinstance(failures, list) else {}


def _failures(failures: list[object]) -> Iterator[tuple[str, str]]:
    for failure in failures:
        if isinstance(failure, Mapping):
            ids = (_id(failure.get(key)) for key in ("orderid", "orderId", "order_id"))
            reasons = (words(failure.get(key)) for key in ("reason", "message", "error"))
            order_id, reason = next(filter(None, ids), ""), next(filter(None, reasons), "")
        else:
            order_id, reason = _id(failure), ""
        if order_id:
            yield order_id, reason


def read_canceled(said: Mapping[str, Any]) -> int:
    """How many orders a cancel of all says that it canceled."""
    canceled = said.get("canceled_orders")
    return len(canceled) if isinstance(canceled, list) else 0
