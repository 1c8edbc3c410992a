"""What a reply over HTTP means, and which of the contract's errors it is. Pure."""

from math import isfinite

from fixgw.edge.venues.coinapi_ems.reports import UnreadableError, read_json, read_reject, text_of
from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)

PAUSE_SECONDS = 1.0  # after a 429 that names no time
PAUSE_SECONDS_MAX = 60.0

UNREACHABLE = 490  # the dialect's own


class NoSuchOrderError(VenueRefusedError):
    """The venue has no order of that name."""


OTHER, TIMEOUT = "OTHER", "EXCHANGE_RESPONSE_TIMEOUT"
REASONS: dict[str, type[Exception]] = {
    OTHER: VenueRefusedError,
    "EXCHANGE_UNREACHABLE": VenueAwayError,
    TIMEOUT: UnknownOutcomeError,
    "ORDER_ID_NOT_FOUND": NoSuchOrderError,
    "INVALID_TYPE": VenueRefusedError,
    "METHOD_NOT_SUPPORTED": VenueRefusedError,
    "JSON_ERROR": VenueRefusedError,
}
"""What a reject_reason in a reply below 490 means; one that is not documented is taken for OTHER."""

STATUSES: dict[int, str] = {
    401: "the venue does not accept the api_key",
    403: "the venue does not allow it to this api_key",
    UNREACHABLE: "the exchange is unreachable from the venue",
    504: "the exchange has not answered the venue in time",
}
"""What is said of these, beside the venue's own words."""


def read_reply(status: int, content: bytes, retry_after: str = "", *, changes: bool) -> object:
    """The body of a reply that grants what was asked; None for an empty one.

    Raises what the contract has, where it does not. An outcome can be unknown only of what `changes`
    something; what merely reads was not answered.
    """
    body, is_json = _read(content)
    words = _words(status, body)
    if status == 429:
        raise VenueBusyError(words, _pause(retry_after))
    if status == UNREACHABLE:
        raise VenueAwayError(f"{words}; nothing was sent to it")
    if 200 <= status < 300 or 400 <= status < 500:
        reason = _reason(body)
        if reason is not None:
            kind: type[Exception] = NoSuchOrderError if status == 404 else VenueRefusedError
            known = REASONS.get(reason, VenueRefusedError)
            raise _error(kind if known is VenueRefusedError else known, words, changes=changes)
        if status >= 400:
            is_elsewhere = status == 404 and not changes  # what answered is not the EMS
            raise (VenueAwayError if is_elsewhere else VenueRefusedError)(words)
        if is_json or not content.strip():
            return body
        words = f"the venue's answer cannot be read (HTTP {status})"
    raise _error(UnknownOutcomeError, words, changes=changes)


def _error(kind: type[Exception], why: str, *, changes: bool) -> Exception:
    """This error; for what changes nothing no outcome is unknown, it could only not be asked."""
    return VenueAwayError(why) if kind is UnknownOutcomeError and not changes else kind(why)


def _read(content: bytes) -> tuple[object, bool]:
    """The body, and whether it is JSON: told by the content, because the content type may be misspelt."""
    try:
        return read_json(content), True
    except UnreadableError:
        return None, False


def _reason(body: object) -> str | None:
    """The reject_reason, None where there is none."""
    if not isinstance(body, dict) or body.get("reject_reason") is None:
        return None
    return text_of(body["reject_reason"]) or OTHER


def _words(status: int, body: object) -> str:
    """What is wrong, for a person: the venue's own words, if it has any."""
    said = ""
    if isinstance(body, dict):
        if _reason(body) is not None:
            said = read_reject(body).text
        elif status >= 400:
            said = _errors(body.get("errors")) or text_of(body.get("title")) or text_of(body.get("message"))
    meant = STATUSES.get(status, "" if said else f"the venue answered HTTP {status}")
    return ": ".join(filter(None, (meant, said)))


def _errors(errors: object) -> str:
    """The `errors` of a validation error: a text, or lists of texts by field."""
    if not isinstance(errors, dict):
        return text_of(errors)
    found = []
    for field, texts in errors.items():
        listed = texts if isinstance(texts, list) else [texts]
        found.append(f"{field}: {' '.join(text_of(one) for one in listed)}")
    return text_of("; ".join(found))


def _pause(retry_after: str) -> float:
    """The seconds of a Retry-After header; a date is not read."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return PAUSE_SECONDS
    return min(max(seconds, 0.0), PAUSE_SECONDS_MAX) if isfinite(seconds) else PAUSE_SECONDS
