"""An order, its states, and the one table of legal transitions."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

ZERO = Decimal(0)
NOBODY = 0
"""The user of an order that was entered on its venue: no request can name this user."""
THEIRS = "venue:"
"""Goes before the venue's id of such an order in OrderID(37) where that could also be an id of ours."""
QUANTITY_DIGITS = "at most 15 digits before and 12 after the point"
"""What a quantity or a price may have: sums and differences then stay exact in the 28 digits of Decimal."""

_TOO_LARGE = Decimal(10) ** 15


def is_quantity(number: Decimal) -> bool:
    """Whether `number` can be a quantity or a price: finite, positive, and of QUANTITY_DIGITS."""
    if not number.is_finite() or not ZERO < number < _TOO_LARGE:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -12


class Code(StrEnum):
    """An enumeration whose values are FIX's; hashed as strings are, because an Enum's own hash is slow."""

    __hash__ = str.__hash__


class Side(Code):
    """Side(54), the values that can be entered."""

    BUY = "1"
    SELL = "2"
    SELL_SHORT = "5"


SIDES = {side.value: side for side in Side}
"""The sides by their FIX value."""


class OrdType(Code):
    """OrdType(40), the values that can be entered."""

    MARKET = "1"
    LIMIT = "2"
    STOP = "3"
    STOP_LIMIT = "4"

    @property
    def has_price(self) -> bool:
        """Whether Price(44) belongs to it."""
        return self in _PRICED

    @property
    def has_trigger(self) -> bool:
        """Whether StopPx(99) belongs to it."""
        return self in _TRIGGERED


_PRICED = frozenset({OrdType.LIMIT, OrdType.STOP_LIMIT})
_TRIGGERED = frozenset({OrdType.STOP, OrdType.STOP_LIMIT})


class TimeInForce(Code):
    """TimeInForce(59), the values that can be entered."""

    DAY = "0"
    GOOD_TILL_CANCEL = "1"


class OrdStatus(Code):
    """OrdStatus(39), and one state that FIX shows as New: pending on its trigger."""

    PENDING_NEW = "A"
    NEW = "0"
    PENDING_TRIGGER = "T"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    PENDING_CANCEL = "6"
    CANCELED = "4"
    REJECTED = "8"
    EXPIRED = "C"


_S = OrdStatus

TRANSITIONS: dict[OrdStatus, frozenset[OrdStatus]] = {
    _S.PENDING_NEW: frozenset({_S.NEW, _S.PENDING_TRIGGER, _S.PENDING_CANCEL, _S.REJECTED}),
    _S.NEW: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED}),
    _S.PENDING_TRIGGER: frozenset({_S.NEW, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED}),
    _S.PARTIALLY_FILLED: frozenset(
        {_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED}
    ),
    _S.PENDING_CANCEL: frozenset(
        {
            _S.PENDING_CANCEL,  # a partial fill while the cancel is on its way
            _S.NEW,  # these three: the cancel was refused, the order rests as before
            _S.PENDING_TRIGGER,
            _S.PARTIALLY_FILLED,
            _S.FILLED,
            _S.CANCELED,
            _S.EXPIRED,
            _S.PENDING_NEW,  # the cancel was refused, and the venue has not confirmed the order yet
            _S.REJECTED,  # the venue does not take the order that is being canceled
        }
    ),
    _S.FILLED: frozenset(),
    _S.CANCELED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""The one table of legal transitions. A state with no way out is a terminal one."""

_OPEN = frozenset(status for status, ways_out in TRANSITIONS.items() if ways_out)


class IllegalTransitionError(Exception):
    """A bug of ours: an event would take an order where the table does not let it go."""


class CancelRef(Struct, frozen=True, array_like=True, gc=False):
    """Who asked for the cancel that is pending on an order.

    `session` and `cl_ord_id` are those of the request; None for one that did not come over FIX.
    `mass_cancel_id` is the id of the mass cancel that the order was taken on by, None for a single one;
    `content` and `at` are the digest and the time of a single one, for PossResend(97)=Y.
    """

    user_id: int
    session: str | None
    cl_ord_id: str | None
    mass_cancel_id: int | None = None
    content: int = 0
    at: datetime | None = None


class Order(Struct, frozen=True, array_like=True, gc=False):
    """An order as it stands. Quantities are in units of the instrument, prices in its quote currency.

    `entered_by` is the user who entered it for `user_id`, None when that is himself. `session` is the FIX
    session that is told what happens to it, `content` a digest of the New Order
    Single it came in (for PossResend), `pending_cancel` names the request behind PENDING_CANCEL. `strategy`
    and `product` are labels that the client gave it; `product` is OpenAlgo's and changes nothing here. An
    order on a venue outside this process has its id there in `venue_order_id` as soon as it is known, and is
    `on_venue` when the venue has confirmed it.
    """

    order_id: int
    oms_id: int
    user_id: int
    account_id: int
    instrument_id: int
    cl_ord_id: str | None
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    order_qty: Decimal
    price: Decimal | None
    stop_px: Decimal | None
    strategy: str | None
    session: str | None
    content: int
    entered_at: datetime
    status: OrdStatus
    triggered: bool = False
    cum_qty: Decimal = ZERO
    gross_value: Decimal = ZERO
    pending_cancel: CancelRef | None = None
    changed_at: datetime | None = None
    entered_by: int | None = None
    product: str | None = None
    venue_order_id: str | None = None
    on_venue: bool = True

    @property
    def shown_id(self) -> str:
        """OrderID(37): ours; the venue's for an order that was entered there.

        Before one that could be ours, because it was given out before this order was known, stands THEIRS: so
        that it stays the same, and ids that are given out later keep clear of it.
        """
        theirs = self.venue_order_id
        if self.user_id != NOBODY or theirs is None:
            return str(self.order_id)
        is_like_ours = theirs.isdecimal() and (theirs.startswith("0") or int(theirs) < self.order_id)
        return f"{THEIRS}{theirs}" if is_like_ours else theirs

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status in _OPEN

    def is_of(self, user_id: int) -> bool:
        """Whether it is an order of this user, or one that he entered for another."""
        return user_id in (self.user_id, self.entered_by)

    @property
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151): what is still open; 0 in a terminal state (FIX 4.4, volume 4, ExecutionReport)."""
        return self.order_qty - self.cum_qty if self.status in _OPEN else ZERO

    @property
    def avg_px(self) -> Decimal:
        """AvgPx(6): the average price of what was filled, 0 when nothing was."""
        return self.gross_value / self.cum_qty if self.cum_qty else ZERO

    @property
    def waits_for_trigger(self) -> bool:
        """Whether it is a stop order that has not been triggered, whatever else is pending on it."""
        return self.stop_px is not None and not self.triggered

    @property
    def resting_status(self) -> OrdStatus:
        """The state it rests in when no cancel is pending."""
        if not self.on_venue:
            return OrdStatus.PENDING_NEW
        if self.cum_qty:
            return OrdStatus.PARTIALLY_FILLED
        return OrdStatus.PENDING_TRIGGER if self.waits_for_trigger else OrdStatus.NEW

    def _allowed(self, status: OrdStatus) -> OrdStatus:
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransitionError(f"order {self.order_id}: {self.status.name} to {status.name}")
        return status

    def to_pending_cancel(self, ref: CancelRef, at: datetime) -> "Order":
        """With the cancel `ref` pending. Raises IllegalTransitionError."""
        if self.pending_cancel is not None:
            raise IllegalTransitionError(f"order {self.order_id}: a cancel is pending already")
        status = self._allowed(OrdStatus.PENDING_CANCEL)
        return replace(self, status=status, changed_at=at, pending_cancel=ref)

    def to_accepted(self, venue_order_id: str, at: datetime) -> "Order":
        """Confirmed by its venue. Raises IllegalTransitionError."""
        if self.on_venue:
            raise IllegalTransitionError(f"order {self.order_id}: is confirmed already")
        order = replace(self, on_venue=True, venue_order_id=venue_order_id, changed_at=at)
        pending = self.status is OrdStatus.PENDING_CANCEL
        return order if pending else replace(order, status=self._allowed(order.resting_status))

    def to_rejected(self, at: datetime) -> "Order":
        """Not taken by its venue. Raises IllegalTransitionError."""
        if self.on_venue:
            raise IllegalTransitionError(f"order {self.order_id}: is confirmed already")
        return replace(self, status=self._allowed(OrdStatus.REJECTED), changed_at=at, pending_cancel=None)

    def to_canceled(self, at: datetime) -> "Order":
        """Canceled, for whatever reason. Raises IllegalTransitionError."""
        return replace(self, status=self._allowed(OrdStatus.CANCELED), changed_at=at, pending_cancel=None)

    def to_cancel_refused(self, at: datetime) -> "Order":
        """Resting again after its cancel was refused. Raises IllegalTransitionError."""
        if self.status is not OrdStatus.PENDING_CANCEL:
            raise IllegalTransitionError(f"order {self.order_id}: no cancel is pending")
        return replace(self, status=self._allowed(self.resting_status), changed_at=at, pending_cancel=None)

    def to_triggered(self, at: datetime) -> "Order":
        """Triggered: a stop order becomes a live one. Raises IllegalTransitionError."""
        if not self.waits_for_trigger:
            raise IllegalTransitionError(f"order {self.order_id}: waits for no trigger")
        pending = self.status is OrdStatus.PENDING_CANCEL
        status = self._allowed(self.status if pending else OrdStatus.NEW)
        return replace(self, status=status, changed_at=at, triggered=True)

    def to_filled(self, last_qty: Decimal, last_px: Decimal, at: datetime) -> "Order":
        """With one more fill. Raises IllegalTransitionError, also above LeavesQty and before a trigger."""
        if self.waits_for_trigger or not ZERO < last_qty <= self.leaves_qty:
            raise IllegalTransitionError(
                f"order {self.order_id}: cannot fill {last_qty} of {self.leaves_qty}"
            )
        cum_qty = self.cum_qty + last_qty
        gross_value = self.gross_value + last_qty * last_px
        if cum_qty == self.order_qty:
            return replace(
                self,
                status=self._allowed(OrdStatus.FILLED),
                changed_at=at,
                cum_qty=cum_qty,
                gross_value=gross_value,
                pending_cancel=None,
            )
        pending = self.status is OrdStatus.PENDING_CANCEL
        status = self._allowed(self.status if pending else OrdStatus.PARTIALLY_FILLED)
        return replace(self, status=status, changed_at=at, cum_qty=cum_qty, gross_value=gross_value)

    def to_expired(self, at: datetime) -> "Order":
        """Expired at the end of its day. Raises IllegalTransitionError."""
        return replace(self, status=self._allowed(OrdStatus.EXPIRED), changed_at=at, pending_cancel=None)
