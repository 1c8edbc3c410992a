"""What the venue says: frames, standard replies, and the values in its objects. No I/O.

Keys are matched without regard to case, numbers may come as text, members of an enumeration by their number
or their name.
"""

import re
from contextlib import suppress
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

from fixgw.core.order import ZERO
from fixgw.edge.venues import exact_json
from fixgw.edge.venues.contract import (
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)

REPLY, EVENT, ERROR = 1, 3, 5  # `m` of the frames that a venue sends

NOT_AUTHORIZED = 20
INVALID_REQUEST = 100
OPERATION_FAILED = 101
SERVER_ERROR = 102
NOT_FOUND = 104
NOT_SUPPORTED = 106
IN_PROCESS = 107
MEANINGS: dict[int, type[Exception]] = {
    NOT_AUTHORIZED: VenueRefusedError,
    INVALID_REQUEST: VenueRefusedError,
    OPERATION_FAILED: VenueRefusedError,
    SERVER_ERROR: UnknownOutcomeError,
    NOT_FOUND: VenueRefusedError,
    NOT_SUPPORTED: VenueRefusedError,
    IN_PROCESS: UnknownOutcomeError,
}
"""What each errorcode means after a change; one that is not documented is a refusal. After a look that is
refused for an outcome that is not known, the venue could not be asked.
"""

BUSY_SECONDS = 1.0  # the pause that is made when the venue does not say how long
BUSY_SECONDS_MAX = 60.0
TEXT_MAX = 200  # characters of the venue's that are passed on
WHOLE_MAX = 1 << 63
AMOUNT_MAX = Decimal(10) ** 27
DIGITS = Decimal("1e-12")  # what a quantity or a price can be as exact as

_EXACT = Context(prec=64)
_BUSY = re.compile(r"too many requests|rate limit|throttl", re.IGNORECASE)
_SECONDS = re.compile(r"in ([0-9]{1,6}(?:\.[0-9]{1,6})?) s")
_PENDING = re.compile(r"pending already|already pending", re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class UnreadableError(Exception):
    """What the venue said makes no sense; the text says what of it."""


class CodedRefusalError(VenueRefusedError):
    """The venue said no, with one of its codes; 0 when it gave none."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


class Keys:
    """A JSON object, in which a key is found as it is documented, or else without regard to case."""

    def __init__(self, given: dict[str, object]) -> None:
        self._given = given
        self._lowered: dict[str, object] | None = None

    def get(self, key: str) -> object:
        """The value of this documented key, None when it is not there."""
        try:  # nearly always: a venue spells its keys as its document does
            return self._given[key]
        except KeyError:
            pass
        if self._lowered is None:
            self._lowered = {one.lower(): value for one, value in self._given.items()}
        return self._lowered.get(key.lower())


class Frame(NamedTuple):
    """A frame: its type `m`, its number `i`, its function `n`, and the payload `o`, which is not read yet."""

    kind: int
    number: int
    function: str
    payload: str


def loads(text: str) -> object:
    """JSON whose numbers are exact. Raises UnreadableError."""
    try:
        return exact_json.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnreadableError("it is not JSON") from None


def keys_of(value: object) -> Keys:
    """The keys of a JSON object. Raises UnreadableError."""
    if not isinstance(value, dict):
        raise UnreadableError("it is not an object")
    return Keys(value)


def frame(text: str | bytes) -> Frame:
    """The frame that `text` is. Raises UnreadableError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    keys = keys_of(loads(text))
    payload = keys.get("o")
    if payload is not None and not isinstance(payload, str):
        raise UnreadableError("o is not text")
    return Frame(whole(keys, "m"), whole(keys, "i"), text_of(keys.get("n")), payload or "")


def whole(keys: Keys, key: str) -> int:
    """A whole number of 64 bits, as number or text; 0 when it is not there. Raises UnreadableError."""
    value = keys.get(key)
    if type(value) is int and -WHOLE_MAX < value < WHOLE_MAX:
        return value
    if value is None:
        return 0
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < AMOUNT_MAX and value == int(value):
        value = int(value)
    if type(value) is not int or abs(value) >= WHOLE_MAX:
        raise UnreadableError(f"{key} is not a whole number")
    return value


def amount(keys: Keys, key: str) -> Decimal:
    """A number of at least 0, as number or text, of 12 digits after the point; 0 when it is not there.

    Raises UnreadableError.
    """
    value = keys.get(key)
    if value is None or (value == 0 and type(value) is int):
        return ZERO
    number = Decimal("NaN")
    if isinstance(value, int | str | Decimal) and not isinstance(value, bool):
        with suppress(InvalidOperation, ValueError):
            number = Decimal(value)
    if not number.is_finite() or not 0 <= number < AMOUNT_MAX:
        raise UnreadableError(f"{key} is not a number of at least 0")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -12:
        number = number.quantize(DIGITS, context=_EXACT)
    return number.normalize(_EXACT)


def text_of(value: object) -> str:
    """A text as it may be passed on: short and printable; empty when it is none."""
    if not isinstance(value, str):
        return ""
    value = value[:TEXT_MAX]
    if value.isascii() and value.isprintable():
        return value
    return "".join(char if " " <= char <= "~" else "?" for char in value)


def member(keys: Keys, key: str, names: tuple[str, ...]) -> str:
    """A member of an enumeration, in lower case: `names` are those with numbers, from 0 on. "" for none.

    Raises UnreadableError for a number that is not one of its.
    """
    value = keys.get(key)
    if isinstance(value, str) and not value.isdecimal():
        return value.lower()
    number = whole(keys, key)
    if value is None:
        return ""
    if not 0 <= number < len(names):
        raise UnreadableError(f"{key} is not one of its values")
    return names[number].lower()


def no(keys: Keys) -> CodedRefusalError | None:
    """What a reply refuses, if that is what it does: by the standard reply or by SendOrder's own."""
    is_refused = keys.get("result") is False or text_of(keys.get("status")).lower() == "rejected"
    if not is_refused:
        return None
    code = _code(keys)
    said = [text_of(keys.get(key)) for key in ("errormsg", "detail")]
    why = ": ".join(one for one in said if one) or "the venue gives no reason"
    return CodedRefusalError(f"{why} (errorcode {code})" if code else why, code)


def _code(keys: Keys) -> int:
    try:
        return whole(keys, "errorcode")
    except UnreadableError:
        return 0


def raise_for(refused: CodedRefusalError, *, is_change: bool) -> None:
    """Raise what a refusal means, as MEANINGS has it; or VenueBusyError where it says so in words."""
    why = str(refused)
    if MEANINGS.get(refused.code, VenueRefusedError) is VenueRefusedError:
        if _BUSY.search(why):
            said = _SECONDS.search(why)
            seconds = float(said[1]) if said else BUSY_SECONDS
            raise VenueBusyError(why, min(seconds, BUSY_SECONDS_MAX))
        raise refused
    if is_change:
        raise UnknownOutcomeError(why)
    raise VenueAwayError(why)


def is_pending_already(refused: VenueRefusedError | str) -> bool:
    """Whether a cancel is refused because one is on its way: that is what was wanted."""
    return _PENDING.search(str(refused)) is not None


def standard(reply: object) -> None:
    """Nothing, when the standard reply says that something was taken on. Raises UnreadableError."""
    if keys_of(reply).get("result") is not True:
        raise UnreadableError("it is not the standard reply")


def subscribed(reply: object) -> None:
    """Nothing, when the reply says so. Raises UnreadableError."""
    if keys_of(reply).get("Subscribed") is not True:
        raise UnreadableError("it does not say Subscribed")


def accepted(reply: object) -> str:
    """The id on the venue of the order that it accepted. Raises UnreadableError."""
    keys = keys_of(reply)
    order_id = whole(keys, "OrderId")
    if text_of(keys.get("status")).lower() != "accepted" or order_id <= 0:
        raise UnreadableError("it says neither Accepted nor Rejected")
    return str(order_id)


class LoginRefusedError(Exception):
    """The venue does not let us in. The text says why, and has no secret in it."""


def session_token(reply: object) -> str:
    """The token of a login that succeeded; empty when it has none.

    Raises LoginRefusedError, and UnreadableError.
    """
    keys = keys_of(reply)
    if keys.get("Requires2FA") is True:
        raise LoginRefusedError("the venue wants a second factor: use an API key, or a user without 2FA")
    if keys.get("Authenticated") is True:
        token = keys.get("SessionToken")
        return token if isinstance(token, str) and token.isascii() and token.isprintable() else ""
    if keys.get("Locked") is True:
        raise LoginRefusedError("the venue has locked this user")
    if keys.get("Authenticated") is False or keys.get("result") is False:
        why = text_of(keys.get("errormsg")) or "it gives no reason"
        detail = text_of(keys.get("detail"))
        raise LoginRefusedError(f"the venue refuses the login: {why}{': ' if detail else ''}{detail}")
    raise UnreadableError("it does not say Authenticated")
