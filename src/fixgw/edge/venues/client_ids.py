"""Client order ids for venues: made from the order itself, so that the same order always has the same one.

A venue may want a 64-bit number, or a text, and may keep those of other clients beside ours.
"""

from datetime import UTC, datetime, timedelta

from fixgw.core.order import Order

PREFIX = "fixgw-"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ORDER_BITS = 20
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def number_of(order: Order) -> int:
    """A positive number below 2^63: when the order was entered, in milliseconds, and the end of its id.

    Two orders of one gateway have the same only if a million others were entered in the same millisecond.
    """
    milliseconds = (order.entered_at - _EPOCH) // _MILLISECOND
    return milliseconds << _ORDER_BITS | order.order_id & (1 << _ORDER_BITS) - 1


def name_of(order: Order) -> str:
    """The same as a text of at most 19 characters: "fixgw-" and the number in letters and digits."""
    number, digits = number_of(order), ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return PREFIX + digits
