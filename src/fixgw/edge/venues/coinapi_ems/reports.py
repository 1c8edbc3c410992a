"""Execution reports and the other messages of the EMS, read from JSON. Pure."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from fixgw.core.order import ZERO, is_quantity
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.edge.venues import exact_json

TEXT_MAX = 300  # characters of a venue's words that are handed on
ID_MAX = 128

STATUSES = {
    "RECEIVED": VenueStatus.PENDING,  # by the EMS; the exchange has not confirmed these three
    "ROUTING": VenueStatus.PENDING,
    "ROUTED": VenueStatus.PENDING,
    "NEW": VenueStatus.OPEN,
    "PENDING_CANCEL": VenueStatus.OPEN,
    "PARTIALLY_FILLED": VenueStatus.OPEN,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "REJECTED": VenueStatus.REJECTED,
}
"""What each documented `status` says of an order."""

_EXACT = Decimal("1e-12")
_NO_NUMBER = Decimal("NaN")
_TOO_LARGE = 10**15


class UnreadableError(ValueError):
    """What came is not what the EMS documents; the text says what is wrong with it."""


class Report(Struct, frozen=True):
    """An execution report, as far as it is of use here.

    An id that is not there is empty. `venue_status` is None for a status that is not documented; numbers that
    are missing are None, `amount_filled` then is 0.
    """

    exchange_id: str
    client_order_id: str
    exchange_order_id: str
    status: str
    venue_status: VenueStatus | None
    symbols: tuple[str, ...] = ()
    side: str = ""
    time_in_force: str = ""
    amount_order: Decimal | None = None
    price: Decimal | None = None
    amount_filled: Decimal = ZERO
    avg_px: Decimal | None = None
    error_message: str = ""

    @property
    def venue_order_id(self) -> str:
        """The id that the order goes by there: the client's where the exchange has given none."""
        return self.exchange_order_id or self.client_order_id

    def stands(self, oms_id: int, order_id: int, unknown: VenueStatus) -> VenueOrder:
        """The same in our words, about our order `order_id`; a status that is not documented is `unknown`.

        amount_open is not looked at: it may keep its value when the order has ended.
        """
        return VenueOrder(
            oms_id,
            order_id,
            self.venue_order_id,
            self.venue_status or unknown,
            self.amount_filled,
            self.avg_px,
            text=self.error_message,
        )


class ServerInfo(Struct, frozen=True):
    """SERVER_INFO, the heartbeat of an exchange; `exchange_id` may be empty."""

    exchange_id: str
    is_running: bool


class MessageReject(Struct, frozen=True):
    """MESSAGE_REJECT: why a message was refused, and that message's type and ids, where it can be read."""

    reason: str
    text: str
    rejected_type: str = ""
    client_order_id: str = ""
    exchange_order_id: str = ""
    is_order: bool = False


Message = ServerInfo | Report | MessageReject


def read_json(content: str | bytes) -> object:
    """JSON with exact numbers. Raises UnreadableError."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return exact_json.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnreadableError("it is no JSON") from None


def read_messages(content: str | bytes) -> Iterator[Message]:
    """What one message of the WebSocket says, a snapshot's reports one by one. Raises UnreadableError.

    A type that is not known says nothing, and neither does a report in a snapshot that cannot be read: the
    list of open orders is read as well.
    """
    body = read_json(content)
    if not isinstance(body, dict):
        raise UnreadableError("it is no object")
    match body.get("type"):
        case "SERVER_INFO":
            yield ServerInfo(_word(body.get("exchange_id")), body.get("is_running") is not False)
        case "ORDER_EXEC_REPORT_UPDATE":
            yield read_report(body)
        case "ORDER_EXEC_REPORT_SNAPSHOT":
            exchange_id, listed = _word(body.get("exchange_id")), body.get("data")
            for item in listed if isinstance(listed, list) else ():
                try:
                    yield read_report(item, exchange_id)
                except UnreadableError:
                    continue
        case "MESSAGE_REJECT":
            yield read_reject(body)


def read_report(body: object, exchange_id: str = "") -> Report:
    """One execution report; without an exchange_id it is about `exchange_id`. Raises UnreadableError."""
    if not isinstance(body, dict):
        raise UnreadableError("a report is no object")
    client_order_id, exchange_order_id = _word(body.get("client_order_id")), body.get("exchange_order_id")
    found = _word(exchange_order_id)
    if not found and exchange_order_id not in (None, ""):
        raise UnreadableError("exchange_order_id is no printable ASCII")
    if not client_order_id and not found:
        raise UnreadableError("a report has neither client_order_id nor exchange_order_id")
    status = body.get("status")
    if not isinstance(status, str):
        raise UnreadableError("a report has no status")
    avg_px = _number(body, "avg_px")
    return Report(
        exchange_id=_word(body.get("exchange_id")) or exchange_id,
        client_order_id=client_order_id,
        exchange_order_id=found,
        status=text_of(status),
        venue_status=STATUSES.get(status),
        symbols=tuple(
            filter(None, (_word(body.get("symbol_id_exchange")), _word(body.get("symbol_id_coinapi"))))
        ),
        side=_word(body.get("side")),
        time_in_force=_word(body.get("time_in_force")),
        amount_order=_number(body, "amount_order"),
        price=_number(body, "price"),
        amount_filled=_number(body, "amount_filled") or ZERO,
        avg_px=avg_px if avg_px is not None and is_quantity(avg_px) else None,
        error_message=text_of(body.get("error_message")),
    )


def read_reject(body: dict[str, Any]) -> MessageReject:
    """A MessageReject, with what it tells about the message that it rejects."""
    reason = text_of(body.get("reject_reason"))
    text = " ".join(filter(None, (reason, text_of(body.get("message")))))
    rejected = body.get("rejected_message")
    if isinstance(rejected, str):
        try:
            rejected = read_json(rejected)
        except UnreadableError:
            rejected = None
    if not isinstance(rejected, dict):
        return MessageReject(reason, text)
    return MessageReject(
        reason,
        text,
        _word(rejected.get("type")),
        _word(rejected.get("client_order_id")),
        _word(rejected.get("exchange_order_id")),
        is_order="amount_order" in rejected,
    )


def text_of(value: object) -> str:
    """A venue's words, as they can be handed on: one line of printable ASCII, not too long; else empty."""
    if not value or not isinstance(value, str):
        return ""
    if len(value) <= TEXT_MAX and value.isascii() and value.isprintable():
        return " ".join(value.split())
    ascii_text = value[: 2 * TEXT_MAX].encode("ascii", "replace").decode()
    printable = "".join(char if char.isprintable() else " " for char in ascii_text)
    return " ".join(printable.split())[:TEXT_MAX]


def _word(value: object) -> str:
    """An id or a name; empty when it is none that can be handed on."""
    if not isinstance(value, str):
        if type(value) is not int and not isinstance(value, Decimal):
            return ""
        value = str(value)
    return value.strip() if len(value) <= ID_MAX and value.isascii() and value.isprintable() else ""


def _number(body: dict[str, Any], key: str) -> Decimal | None:
    """A number of at most 12 digits after the point, rounded if it has more; None when it is not there."""
    value = body.get(key)
    if value is None or value == "":
        return None
    if type(value) is int and 0 <= value < _TOO_LARGE:
        return Decimal(value)
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else _NO_NUMBER
        if number.is_finite() and ZERO <= number < _TOO_LARGE:
            return plain(number.quantize(_EXACT))
    except InvalidOperation:
        pass
    raise UnreadableError(f"{key} is no number that an order can have")


def plain(number: Decimal) -> Decimal:
    """The same number without an exponent, and without zeros at its end."""
    return Decimal(f"{number.normalize():f}")
