"""Why a request is not answered with what it asked for: as an HTTP reply, and as a message on a WebSocket."""

from enum import StrEnum
from uuid import uuid4

from msgspec import Struct

from fixgw.core.errors import ErrorCode, Failure, Refusal, Subject
from fixgw.edge.api.coinapi_ems.names import said
from fixgw.edge.engine_link import EngineAwayError

BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
UNREACHABLE = 490  # the dialect's own
SERVER_ERROR = 500
TIMEOUT = 504


class RejectReason(StrEnum):
    """The documented reasons of a MessageReject."""

    OTHER = "OTHER"
    EXCHANGE_UNREACHABLE = "EXCHANGE_UNREACHABLE"
    EXCHANGE_RESPONSE_TIMEOUT = "EXCHANGE_RESPONSE_TIMEOUT"
    ORDER_ID_NOT_FOUND = "ORDER_ID_NOT_FOUND"
    INVALID_TYPE = "INVALID_TYPE"
    METHOD_NOT_SUPPORTED = "METHOD_NOT_SUPPORTED"
    JSON_ERROR = "JSON_ERROR"


_TITLES = {
    BAD_REQUEST: "One or more validation errors occurred.",
    UNAUTHORIZED: "Unauthorized",
    TOO_MANY_REQUESTS: "Too many requests",
    SERVER_ERROR: "Server Error",
}
"""What has the form of a validation error; everything else is a MessageReject."""


class Problem(Struct, frozen=True):
    """A status of HTTP, the reason that a WebSocket is told, and a message for a person.

    `retry_after` is in seconds, 0 where there is nothing to wait for.
    """

    status: int
    reason: RejectReason
    message: str
    exchange_id: str = ""
    retry_after: float = 0.0

    def body(self, rejected: str) -> dict[str, object]:
        """The body of the HTTP reply to the request `rejected`."""
        title = _TITLES.get(self.status)
        if title is None:
            return self.message_reject(rejected)
        return {
            "type": f"https://httpwg.org/specs/rfc9110.html#status.{self.status}",
            "title": title,
            "status": self.status,
            "traceId": uuid4().hex,
            "errors": self.message,
        }

    def message_reject(self, rejected: str) -> dict[str, object]:
        """The MESSAGE_REJECT that says it of the message `rejected`."""
        return {
            "type": "MESSAGE_REJECT",
            "reject_reason": self.reason.value,
            "exchange_id": self.exchange_id,
            "message": self.message,
            "rejected_message": rejected,
        }


def invalid(detail: str, exchange_id: str = "", reason: RejectReason = RejectReason.OTHER) -> Problem:
    """A request that is malformed: 100 Invalid Request."""
    return Problem(BAD_REQUEST, reason, _coded(ErrorCode.INVALID_REQUEST, detail), exchange_id)


def no_order(detail: str) -> Problem:
    """An order that is not known: 104 Resource Not Found."""
    message = _coded(ErrorCode.RESOURCE_NOT_FOUND, detail)
    return Problem(NOT_FOUND, RejectReason.ORDER_ID_NOT_FOUND, message)


def _coded(code: ErrorCode, detail: str) -> str:
    return Refusal(code, detail).text


def too_many(wait: float) -> Problem:
    """More requests of a user than he may make; in `wait` seconds one may come again."""
    message = f"more requests than this key may make: try again in {wait:.3f} s (cancels always go on)"
    return Problem(TOO_MANY_REQUESTS, RejectReason.OTHER, message, retry_after=wait)


UNKNOWN_KEY = Problem(
    UNAUTHORIZED,
    RejectReason.OTHER,
    "give an API key that is good, in the header X-CoinAPI-Key or as the parameter apikey of the query",
)
OUR_FAULT = Problem(SERVER_ERROR, RejectReason.OTHER, "Server Error (errorcode 102): the fault is fixgw's")


def text_of(refusal: Refusal) -> str:
    """A refusal in the words of this dialect."""
    return _coded(refusal.code, said(refusal.detail))


def refused(refusal: Refusal, exchange_id: str) -> Problem:
    """What a refusal of the engine is in this dialect."""
    status, reason = BAD_REQUEST, RejectReason.OTHER
    if refusal.failure is Failure.VENUE_AWAY:
        status, reason = UNREACHABLE, RejectReason.EXCHANGE_UNREACHABLE
    elif refusal.code is ErrorCode.RESOURCE_NOT_FOUND and refusal.subject is Subject.ORDER:
        status, reason = NOT_FOUND, RejectReason.ORDER_ID_NOT_FOUND
    elif refusal.code is ErrorCode.OPERATION_NOT_SUPPORTED:
        reason = RejectReason.METHOD_NOT_SUPPORTED
    elif refusal.code is ErrorCode.SERVER_ERROR:
        status = SERVER_ERROR
    return Problem(status, reason, text_of(refusal), exchange_id)


def away(error: EngineAwayError, exchange_id: str, *, changes: bool) -> Problem:
    """The engine did not answer. What `changes` nothing has no outcome that could be unknown."""
    if error.was_sent and changes:
        status, reason = TIMEOUT, RejectReason.EXCHANGE_RESPONSE_TIMEOUT
        what = "ask for the orders again to see what became of it"
    else:
        status, reason, what = UNREACHABLE, RejectReason.EXCHANGE_UNREACHABLE, "try again"
    return Problem(status, reason, f"{error}: {what}", exchange_id)
