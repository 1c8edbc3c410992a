"""From refusals to FIX 4.4's reject reasons: the columns of docs/error-codes.md. No I/O."""

from fixgw.core.errors import ErrorCode, Failure, Refusal, Subject
from fixgw.core.reports import BusinessReject

_SCOPE_REASONS = {
    Subject.INSTRUMENT: 1,
    Subject.UNDERLYING: 2,
    Subject.PRODUCT: 3,
    Subject.CFI_CODE: 4,
    Subject.SECURITY_TYPE: 5,
    Subject.TRADING_SESSION: 6,
}
_OTHER = 99


def cxl_rej_reason(refusal: Refusal) -> int:
    """CxlRejReason(102) of an OrderCancelReject(9)."""
    match refusal.code:
        case ErrorCode.NOT_AUTHORIZED | ErrorCode.OPERATION_NOT_SUPPORTED:
            return 2
        case ErrorCode.RESOURCE_NOT_FOUND:
            return 1
        case ErrorCode.OPERATION_FAILED:
            reasons = {Failure.TOO_LATE: 0, Failure.ALREADY_PENDING: 3, Failure.DUPLICATE_CL_ORD_ID: 6}
            return _OTHER if refusal.failure is None else reasons.get(refusal.failure, _OTHER)
        case _:
            return _OTHER


def mass_cancel_reject_reason(refusal: Refusal) -> int:
    """MassCancelRejectReason(532) of an OrderMassCancelReport(r)."""
    match refusal.code:
        case ErrorCode.INVALID_REQUEST | ErrorCode.RESOURCE_NOT_FOUND:
            return _OTHER if refusal.subject is None else _SCOPE_REASONS.get(refusal.subject, _OTHER)
        case ErrorCode.OPERATION_NOT_SUPPORTED:
            return 0
        case _:
            return _OTHER


def ord_rej_reason(refusal: Refusal) -> int:
    """OrdRejReason(103) of an ExecutionReport(8) that refuses a New Order Single."""
    match refusal.code:
        case ErrorCode.NOT_AUTHORIZED:
            return 0
        case ErrorCode.RESOURCE_NOT_FOUND:
            reasons = {Subject.INSTRUMENT: 1, Subject.ACCOUNT: 15}
            return _OTHER if refusal.subject is None else reasons.get(refusal.subject, _OTHER)
        case ErrorCode.OPERATION_NOT_SUPPORTED:
            return 11
        case ErrorCode.OPERATION_FAILED if refusal.failure is Failure.DUPLICATE_CL_ORD_ID:
            return 6
        case _:
            return _OTHER


def business_reject_reason(reject: BusinessReject) -> int:
    """BusinessRejectReason(380) of a BusinessMessageReject(j)."""
    if reject.unsupported_type:
        return 3
    match reject.refusal.code:
        case ErrorCode.NOT_AUTHORIZED:
            return 6
        case ErrorCode.RESOURCE_NOT_FOUND:
            return 2 if reject.refusal.subject in _SCOPE_REASONS else 1
        case _:
            return 0
