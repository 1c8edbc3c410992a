"""What the engine has the venues' process do, and what that says besides a venue's word."""

from msgspec import Struct

from fixgw.core.order import Order
from fixgw.core.requests import VenueRequest
from fixgw.core.selector import CancelSelector

WORDS_MAX = 100  # two milliseconds of the engine at most, which FIX sessions wait for


class PlaceOrder(Struct, frozen=True, tag=True, array_like=True):
    """Enter this order on its venue: once, and never again by itself."""

    order: Order


class CancelOrders(Struct, frozen=True, tag=True, array_like=True):
    """Cancel these orders (any number), and no others, on the venue of the OMS.

    `selector` is what the mass cancel that took them on selects by; None for the cancel of one order.
    """

    oms_id: int
    orders: tuple[Order, ...]
    selector: CancelSelector | None = None


class ReadScope(Struct, frozen=True, tag=True, array_like=True):
    """Say every open order that the venue has within `selector`, and then `ScopeRead`."""

    mass_cancel_id: int
    selector: CancelSelector


class Believed(Struct, frozen=True, tag=True, array_like=True):
    """The orders of an OMS that are open as far as is known here: find out how each of them stands.

    Said at the beginning, when the venues' process takes an OMS over, and in parts; `last` is the last one.
    Of those that wait for their venue's confirmation, or for the end of a cancel, nobody knows whether the
    venue was asked.
    """

    oms_id: int
    orders: tuple[Order, ...]
    last: bool


VenueAsk = PlaceOrder | CancelOrders | ReadScope | Believed


class ServeVenues(Struct, frozen=True, tag=True, array_like=True):
    """This connection is the venues' process, and takes over these OMSes (any number of ids)."""

    number: int
    oms_ids: frozenset[int]


class VenueSaid(Struct, frozen=True, tag=True, array_like=True):
    """Words of venues, in their order: at least one, and WORDS_MAX at most, which one turn decides.

    They are answered together, under this `number`, when they are committed.
    """

    number: int
    words: tuple[VenueRequest, ...]


class VenueHealth(Struct, frozen=True, tag=True, array_like=True):
    """How the venue of an OMS is, said at each change and each second.

    `why` is for a person, empty while it `is_up`. `seconds` is how long its last answer took; `waiting`
    counts what it has been asked and has not answered, `unknown` the outcomes that are not known.
    """

    number: int
    oms_id: int
    is_up: bool
    why: str = ""
    seconds: float = 0.0
    waiting: int = 0
    unknown: int = 0
