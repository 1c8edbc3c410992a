"""The end of a day, and the Day orders that expire with it."""

from datetime import datetime

from fixgw.core.events import CancelRequested, DayEnded, OrderExpired
from fixgw.core.order import NOBODY, CancelRef, OrdStatus, TimeInForce
from fixgw.core.state import OmsState, day_start_before


def end_day(state: OmsState, at: datetime) -> DayEnded | None:
    """The event that the day has ended, when it has; the boundary is passed once and never back."""
    if at < state.next_day_end():
        return None
    return DayEnded(state.oms.oms_id, day_start_before(at, state.oms))


def expire(state: OmsState, order_id: int, at: datetime) -> OrderExpired | CancelRequested | None:
    """The event that a Day order of an earlier day expires; None when it need not.

    On a venue outside this process nothing expires by our word: there its cancel is requested, by nobody.
    """
    order = state.book.get(order_id)
    if order is None or not order.is_open or order.time_in_force is not TimeInForce.DAY:
        return None
    if order.entered_at >= state.day_start:
        return None
    if state.oms.is_embedded:
        return OrderExpired(order_id, at)
    if order.status is OrdStatus.PENDING_CANCEL:
        return None
    return CancelRequested(order_id, CancelRef(NOBODY, None, None, at=at), at)
