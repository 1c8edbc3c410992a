"""The documented error codes in their one order of precedence, and a refusal that carries one of them."""

from enum import IntEnum, StrEnum

from msgspec import Struct


class ErrorCode(IntEnum):
    """The documented error codes, written in the order in which they are checked: the first hit wins.

    The order is the same in the checks of `fixgw.core.oms`, in the tests and in `docs/error-codes.md`.
    """

    INVALID_REQUEST = 100
    NOT_AUTHORIZED = 20
    RESOURCE_NOT_FOUND = 104
    OPERATION_NOT_SUPPORTED = 106
    OPERATION_FAILED = 101
    SERVER_ERROR = 102

    @property
    def message(self) -> str:
        """The documented text (`errormsg`) of this code; clients compare it to the letter."""
        return _MESSAGES[self]


_MESSAGES = {
    ErrorCode.INVALID_REQUEST: "Invalid Request",
    ErrorCode.NOT_AUTHORIZED: "Not Authorized",
    ErrorCode.RESOURCE_NOT_FOUND: "Resource Not Found",
    ErrorCode.OPERATION_NOT_SUPPORTED: "Operation Not Supported",
    ErrorCode.OPERATION_FAILED: "Operation Failed",
    ErrorCode.SERVER_ERROR: "Server Error",
}


class Subject(StrEnum):
    """What a refusal is about. FIX has reject reasons of its own for some of these."""

    INSTRUMENT = "instrument"
    UNDERLYING = "underlying"
    PRODUCT = "product"
    CFI_CODE = "cfi_code"
    SECURITY_TYPE = "security_type"
    TRADING_SESSION = "trading_session"
    ACCOUNT = "account"
    USER = "user"
    OMS = "oms"
    ORDER = "order"


class Failure(StrEnum):
    """Why an operation failed (101; 102 for a venue that is away), where a door distinguishes it."""

    TOO_LATE = "too_late"
    ALREADY_PENDING = "already_pending"
    DUPLICATE_CL_ORD_ID = "duplicate_cl_ord_id"
    ORDER_RATE = "order_rate"
    VENUE_AWAY = "venue_away"


class Refusal(Struct, frozen=True, array_like=True, gc=False):
    """Why a request, or the cancel of one order, was refused.

    `detail` is for a person and names field and tag where the mistake is the peer's.
    """

    code: ErrorCode
    detail: str
    subject: Subject | None = None
    failure: Failure | None = None

    @property
    def text(self) -> str:
        """The documented message, the code and the detail: what stands in Text(58)."""
        return f"{self.code.message} (errorcode {self.code.value}): {self.detail}"


def invalid(detail: str, subject: Subject | None = None) -> Refusal:
    """A refusal with 100 Invalid Request: malformed, missing or contradictory fields."""
    return Refusal(ErrorCode.INVALID_REQUEST, detail, subject)


def not_authorized(detail: str) -> Refusal:
    """A refusal with 20 Not Authorized."""
    return Refusal(ErrorCode.NOT_AUTHORIZED, detail)


def not_found(detail: str, subject: Subject) -> Refusal:
    """A refusal with 104 Resource Not Found."""
    return Refusal(ErrorCode.RESOURCE_NOT_FOUND, detail, subject)


def not_supported(detail: str) -> Refusal:
    """A refusal with 106 Operation Not Supported."""
    return Refusal(ErrorCode.OPERATION_NOT_SUPPORTED, detail)


def failed(detail: str, failure: Failure | None = None) -> Refusal:
    """A refusal with 101 Operation Failed."""
    return Refusal(ErrorCode.OPERATION_FAILED, detail, failure=failure)


def server_error(detail: str, failure: Failure | None = None) -> Refusal:
    """A refusal with 102 Server Error: the fault is ours, or the venue's."""
    return Refusal(ErrorCode.SERVER_ERROR, detail, failure=failure)


ALREADY_PENDING = failed("a cancel of this order is pending already", Failure.ALREADY_PENDING)
"""Why a second cancel of an order is refused while the first one is on its way."""
