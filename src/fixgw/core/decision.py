"""What a request leads to."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from fixgw.core.errors import Refusal
from fixgw.core.events import Event, RequestRefused
from fixgw.core.order import Order
from fixgw.core.reports import Report
from fixgw.core.requests import (
    CancelOrder,
    Malformed,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderHistory,
    OrderStatus,
)
from fixgw.core.selector import CancelSelector
from fixgw.core.status import reject_status

Asking = NewOrder | CancelOrder | MassCancel | OrderStatus | MassStatus | OrderHistory | Malformed


class Decision(Struct):
    """What a request leads to.

    `events` (any number) are to be applied, in order; `replies` (any number) are reports for the asker that
    come from no event; `rule` names what decided; `to_cancel` are ids of orders whose venue is to be asked,
    and `to_read` is what has to be read from the venue before it is known which orders are meant.
    """

    events: Sequence[Event] = ()
    replies: Sequence[Report] = ()
    rule: str = ""
    refusal: Refusal | None = None
    to_cancel: Sequence[int] = ()
    to_read: CancelSelector | None = None


def refuse(
    request: Asking, refusal: Refusal, at: datetime, rule: str, order: Order | None = None
) -> Decision:
    """The decision that refuses `request` as a whole; `order` is the one it meant, where that is certain."""
    if isinstance(request, OrderStatus | MassStatus | OrderHistory):
        return Decision(replies=reject_status(request, refusal), rule=rule, refusal=refusal)
    order_id = None if order is None else order.order_id
    return Decision((RequestRefused(request, refusal, at, order_id),), rule=rule, refusal=refusal)
