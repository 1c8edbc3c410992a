"""What every venue's adapter can do, and what it says: one contract, whatever the venue speaks.

An adapter speaks one venue's dialect and nothing more. What to ask, when, how often, what an answer means for
an order and what is done when none comes is the keeper's.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder
from fixgw.core.selector import CancelSelector


class VenueRefusedError(Exception):
    """The venue said no: what was asked is not done, and will not be. The text is the venue's own reason."""


class VenueAwayError(Exception):
    """The venue cannot be asked: nothing was sent. The text says why."""


class VenueBusyError(Exception):
    """The venue asks for a pause (429): nothing was done. `seconds` is how long."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class UnknownOutcomeError(Exception):
    """Something was sent, and whether it was done is not known. The text says what went wrong."""


class VenueMistakenError(Exception):
    """The venue is not the one that is configured (another mode, another account): go on with nothing."""


class Reach(StrEnum):
    """How a mass cancel is carried out."""

    NATIVE = "native"  # the venue's own cancel-all reaches exactly these orders
    FAN_OUT = "fan-out"  # one cancel for each order


class CancelReject(Struct, frozen=True):
    """The venue took a cancel, and said later that it cannot do it. The order is named by either id."""

    text: str
    order_id: int = 0
    venue_order_id: str = ""


class Adapter(Protocol):
    """One venue. All methods are for one event loop, and may be called at the same time.

    `tell` hears what the venue says by itself (in any order, twice, late: whatever it says): how an order
    stands, or that a cancel it had taken was rejected. `changed` is called when the connection comes or goes.
    Every method but `reach` raises VenueAwayError, VenueBusyError, VenueRefusedError, UnknownOutcomeError or
    VenueMistakenError, and nothing else.
    """

    @property
    def is_up(self) -> bool:
        """Whether it can be asked now."""
        ...

    @property
    def why_away(self) -> str:
        """Why it cannot, for a person; empty while it can."""
        ...

    @property
    def finds_together(self) -> bool:
        """Whether `find` reads all orders at once for whoever asks meanwhile, and needs no turn."""
        ...

    def know(self, order: Order) -> None:
        """From now on say what happens to this order under its order_id."""
        ...

    def forget(self, order: Order) -> None:
        """It has ended, and nothing more is said of it."""
        ...

    async def run(self) -> None:
        """Keep connected until cancelled: log in, listen, come back with growing pauses and jitter."""
        ...

    def reach(self, selector: CancelSelector) -> Reach:
        """How a mass cancel of this scope is carried out. From the table of capabilities; asks nobody."""
        ...

    async def place(self, order: Order) -> VenueOrder:
        """Enter `order`, once; how it stands. It can be found later by what `order` itself says."""
        ...

    async def cancel(self, order: Order) -> VenueOrder | None:
        """Ask for the cancel of one order. How it stands where the answer says so for certain, else None."""
        ...

    async def cancel_all(self, selector: CancelSelector) -> None:
        """The venue's own cancel-all, for a selector whose reach is NATIVE. Its answer means nothing."""
        ...

    async def open_orders(self, selector: CancelSelector | None) -> Sequence[VenueOrder]:
        """The open orders on the venue (any number) within `selector`, or more of them; None: all."""
        ...

    async def find(self, order: Order) -> VenueOrder | None:
        """How `order` stands, by its id there or by its client id; None: the venue has no such order."""
        ...


Tell = Callable[[VenueOrder | CancelReject], None]
