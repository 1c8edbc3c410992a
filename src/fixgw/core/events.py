"""What has happened: facts, frozen; what the journal holds."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from fixgw.core.controls import Guard, Lock, Timer
from fixgw.core.errors import Refusal
from fixgw.core.order import CancelRef, Order
from fixgw.core.requests import ClientRequest, MassCancel
from fixgw.core.selector import CancelSelector


class OrderEntered(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """An order was taken on; `order` is as it stands since."""

    order: Order


class RequestRefused(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A request was refused as a whole. `order_id` is the order it meant, where that is certain."""

    request: ClientRequest
    refusal: Refusal
    at: datetime
    order_id: int | None = None


class CancelRequested(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The cancel of one order was accepted: the order is Pending Cancel until its end is known."""

    order_id: int
    ref: CancelRef
    at: datetime


class MassCancelRequested(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A mass cancel was accepted: `selector` is what it asks for; which orders that is comes next."""

    mass_cancel_id: int
    request: MassCancel
    selector: CancelSelector
    at: datetime


class MassCancelRefused(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """What a mass cancel reaches could not be read from the venue: nothing was sent there."""

    mass_cancel_id: int
    refusal: Refusal
    at: datetime


class MassCancelAccepted(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The set of a mass cancel is known.

    `order_ids` become Pending Cancel; the `already_pending` are in the set too and end at once. Both are
    sequences of order ids, in the order in which the orders were entered.
    """

    mass_cancel_id: int
    ref: CancelRef
    order_ids: tuple[int, ...]
    already_pending: tuple[int, ...]
    at: datetime


class ControlAnswered(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A mass cancel request was honoured that cancels nothing itself.

    `order_ids` (any number) are those that a dry run found; `text` says what was done instead.
    """

    control_id: int
    request: MassCancel
    text: str
    order_ids: tuple[int, ...]
    at: datetime


class Locked(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """New orders of a scope are locked."""

    lock: Lock


class Unlocked(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A lock was taken away; `by` says in words by whom."""

    lock_id: int
    by: str
    at: datetime


class TimerArmed(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A timer runs, or runs anew."""

    timer: Timer
    at: datetime


class TimerDisarmed(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A timer was called off."""

    timer_id: int
    at: datetime


class TimerRanOut(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A timer ran out: its mass cancel follows."""

    timer_id: int
    mass_cancel_id: int
    at: datetime


class SessionGuarded(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The client of a session logged on whose orders are canceled when it is gone."""

    guard: Guard
    at: datetime


class SessionLeft(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The client of such a session is gone, or watched no more."""

    session: str
    at: datetime


class OrderAccepted(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The venue has an order, under an id of its own."""

    order_id: int
    venue_order_id: str
    at: datetime


class OrderRejected(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The venue did not take an order."""

    order_id: int
    refusal: Refusal
    at: datetime


class OutcomeUnknown(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Whether the venue did what was last asked of it about an order is not known yet, and why (`text`)."""

    order_id: int
    text: str
    at: datetime


class OrderCanceled(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """An order is canceled."""

    order_id: int
    at: datetime


class OrdersCanceled(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Orders (any number) that one mass cancel took on are canceled: an OrderCanceled for each."""

    mass_cancel_id: int
    order_ids: tuple[int, ...]
    at: datetime


class CancelRefused(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The cancel that was pending on an order was refused by its venue: the order rests as before."""

    order_id: int
    refusal: Refusal
    at: datetime


class OrderTriggered(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A stop order was triggered."""

    order_id: int
    at: datetime


class OrderFilled(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """An order was filled, in part or to its end."""

    order_id: int
    last_qty: Decimal
    last_px: Decimal
    at: datetime


class OrderExpired(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A Day order expired at the end of its day."""

    order_id: int
    at: datetime


class DayEnded(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The day of an OMS ended at `boundary`: client order ids used before it may be used again."""

    oms_id: int
    boundary: datetime


Event = (
    OrderEntered
    | RequestRefused
    | CancelRequested
    | MassCancelRequested
    | MassCancelAccepted
    | MassCancelRefused
    | OrderAccepted
    | OrderRejected
    | OutcomeUnknown
    | OrderCanceled
    | OrdersCanceled
    | CancelRefused
    | OrderTriggered
    | OrderFilled
    | OrderExpired
    | DayEnded
    | ControlAnswered
    | Locked
    | Unlocked
    | TimerArmed
    | TimerDisarmed
    | TimerRanOut
    | SessionGuarded
    | SessionLeft
)


def single(events: Iterable[Event]) -> Iterator[Event]:
    """The events (any number), with an OrderCanceled for each order in place of what stands for many."""
    for event in events:
        if isinstance(event, OrdersCanceled):
            for order_id in event.order_ids:
                yield OrderCanceled(order_id, event.at)
        else:
            yield event
