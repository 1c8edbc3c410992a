"""What a venue says of an order, and the events that it leads to. Pure: time is passed in.

The sandbox says each thing once and in order. A venue outside this process may say anything twice, late, or
after something newer: what is taken from it is how an order stands and what was filled in all, and whatever
that adds to what is known are the events. Nothing takes an order out of an end that it has reached.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from fixgw.core.errors import Failure, Refusal, Subject, failed, invalid, not_found
from fixgw.core.events import (
    CancelRefused,
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrdersCanceled,
    OrderTriggered,
    OutcomeUnknown,
)
from fixgw.core.order import NOBODY, QUANTITY_DIGITS, ZERO, Order, OrdStatus, is_quantity
from fixgw.core.requests import (
    FillOrder,
    OrderAnswer,
    TriggerOrder,
    Unknown,
    VenueOrder,
    VenueRequest,
    VenueStatus,
)
from fixgw.core.state import OmsState, OrderEvent, change

HIGHEST = Decimal(10) ** 15  # of a price; above it rounding would not fit into 28 digits
PRICE_DIGITS = 12  # after the point: those of a fill that is known by the average price of all


def decide_venue(
    state: OmsState, said: VenueRequest, at: datetime, next_id: int
) -> Sequence[Event] | Refusal:
    """The events (any number) that a venue's word leads to, or why it cannot be true of the order.

    `next_id` is the id of an order that is not known here yet.
    """
    match said:
        case OrderAnswer() | TriggerOrder() | Unknown():
            pass
        case FillOrder():
            if wrong := _fill_problem(said):
                return wrong
        case VenueOrder():
            return _stands(state, said, at, next_id)
        case _:
            raise AssertionError(said)
    order = state.book.get(said.order_id)
    if order is None:
        return not_found(f"order {said.order_id} is unknown", Subject.ORDER)
    if not order.is_open:
        return failed(f"order {said.order_id} is {order.status.name} already", Failure.TOO_LATE)
    match said:
        case OrderAnswer():
            return _answer(order, said, at)
        case Unknown():
            return (OutcomeUnknown(order.order_id, said.text, at),)
        case TriggerOrder():
            if not order.waits_for_trigger:
                return failed(f"order {order.order_id} waits for no trigger")
            return (OrderTriggered(order.order_id, at),)
        case _:
            return _fill(order, said, at)


def decide_answers(
    state: OmsState, answers: Iterable[OrderAnswer], mass_cancel_id: int | None, at: datetime
) -> Iterator[Event]:
    """The events (any number) that a venue's answers (any number) to the cancels of one request lead to.

    The orders are those that the mass cancel took on, or, without its id, any others whose cancel is pending.
    Raises AssertionError when an answer cannot be true.
    """
    for is_end, run in groupby(answers, lambda answer: answer.refused is None):
        if is_end and mass_cancel_id is not None:
            yield OrdersCanceled(mass_cancel_id, tuple(answer.order_id for answer in run), at)
            continue
        for answer in run:
            said = _answer(state.book[answer.order_id], answer, at)
            if isinstance(said, Refusal):
                raise AssertionError(said)
            yield from said


def ends_of(state: OmsState, said: VenueOrder) -> int | None:
    """The mass cancel that took on the order of which a venue says that it is canceled, and nothing else new.

    The ends of one mass cancel that are said together can be one event. None for any other word.
    """
    if said.status is not VenueStatus.CANCELED or not said.order_id:
        return None
    order = state.book.get(said.order_id)
    if order is None or order.pending_cancel is None or not order.on_venue:
        return None
    if said.cum_qty > order.cum_qty or (order.waits_for_trigger and said.triggered):
        return None
    return order.pending_cancel.mass_cancel_id


def _answer(order: Order, said: OrderAnswer, at: datetime) -> Sequence[Event] | Refusal:
    if said.refused is None:
        if order.status is OrdStatus.PENDING_NEW:
            return failed(f"order {order.order_id} is not confirmed by its venue yet")
        return (OrderCanceled(order.order_id, at),)
    if order.status is not OrdStatus.PENDING_CANCEL:
        return failed(f"no cancel of order {order.order_id} is pending")
    return (CancelRefused(order.order_id, failed(said.refused), at),)


def _fill_problem(said: FillOrder) -> Refusal | None:
    for name, number in (("quantity", said.last_qty), ("price", said.last_px)):
        if number is not None and not is_quantity(number):
            return invalid(f"{name} {number} is not a positive number of {QUANTITY_DIGITS}")
    return None


def _fill(order: Order, said: FillOrder, at: datetime) -> Sequence[Event] | Refusal:
    if order.waits_for_trigger:
        return failed(f"order {order.order_id} waits for its trigger")
    last_px = order.price or order.stop_px if said.last_px is None else said.last_px
    if last_px is None:
        return invalid(f"order {order.order_id} has no price of its own: a price is needed")
    if said.last_qty > order.leaves_qty:
        return invalid(f"quantity {said.last_qty} is above the {order.leaves_qty} that are left")
    return (OrderFilled(order.order_id, said.last_qty, last_px, at),)


def _stands(state: OmsState, said: VenueOrder, at: datetime, next_id: int) -> Sequence[Event] | Refusal:
    """What is new in how a venue says that an order stands."""
    if said.status is VenueStatus.PENDING:
        return ()
    order = state.book.get(said.order_id) if said.order_id else state.book.on_venue(said.venue_order_id)
    events: list[Event] = []
    if order is None:
        if said.details is None or said.status is not VenueStatus.OPEN:
            return ()
        order = _learned(state, said, at, next_id)
        events.append(OrderEntered(order))
    if order.is_open:
        for event in _news(order, said, at):
            order = change(order, event)
            events.append(event)
    return events


def _news(order: Order, said: VenueOrder, at: datetime) -> Iterator[OrderEvent]:
    """The events that are missing between `order` and what is said of it, in the order of their kind."""
    order_id, status = order.order_id, said.status
    if not order.on_venue:
        if status is VenueStatus.REJECTED:
            yield OrderRejected(order_id, failed(said.text or "the venue rejected the order"), at)
            return
        yield OrderAccepted(order_id, said.venue_order_id, at)
    last_qty = min(said.cum_qty, order.order_qty) - order.cum_qty
    if status is VenueStatus.FILLED:
        last_qty = order.leaves_qty
    if order.waits_for_trigger and (said.triggered or last_qty > ZERO):
        yield OrderTriggered(order_id, at)
    if last_qty > ZERO:
        yield OrderFilled(order_id, last_qty, _last_px(order, said, last_qty), at)
        if last_qty == order.leaves_qty:
            return
    if status in (VenueStatus.CANCELED, VenueStatus.REJECTED):
        yield OrderCanceled(order_id, at)
    elif status is VenueStatus.EXPIRED:
        yield OrderExpired(order_id, at)


def _last_px(order: Order, said: VenueOrder, last_qty: Decimal) -> Decimal:
    """The price of what was filled since, from the average price of all: that is what venues agree on."""
    if said.avg_px is not None:
        px = (said.avg_px * (order.cum_qty + last_qty) - order.gross_value) / last_qty
        if ZERO < px < HIGHEST and is_quantity(px := round(px, PRICE_DIGITS).normalize()):
            return px
        if is_quantity(said.avg_px):
            return said.avg_px
    return order.price or order.stop_px or ZERO


def _learned(state: OmsState, said: VenueOrder, at: datetime, order_id: int) -> Order:
    """An order that was entered on its venue, as it was before anything that is said of it."""
    details = said.details
    if details is None:
        raise AssertionError(said)
    return Order(
        order_id=order_id,
        oms_id=state.oms.oms_id,
        user_id=NOBODY,
        account_id=details.account_id,
        instrument_id=details.instrument_id,
        cl_ord_id=None,
        side=details.side,
        ord_type=details.ord_type,
        time_in_force=details.time_in_force,
        order_qty=details.order_qty,
        price=details.price,
        stop_px=details.stop_px,
        strategy=None,
        session=None,
        content=0,
        entered_at=at,
        status=OrdStatus.PENDING_TRIGGER if details.ord_type.has_trigger else OrdStatus.NEW,
        venue_order_id=said.venue_order_id,
    )
