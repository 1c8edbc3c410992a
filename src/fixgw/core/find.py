"""Which order a request for one order means: OMS + OrderId, or OMS + Account + ClientOrderId.

Source: the identification rule of CancelOrder in the API document, and FIX 4.4's OrigClOrdID(41).
"""

from collections.abc import Callable

from fixgw.core.errors import Refusal, Subject, invalid
from fixgw.core.order import NOBODY, THEIRS, Order
from fixgw.core.requests import CancelOrder, OrderStatus
from fixgw.core.state import OmsState

Visible = Callable[[Order], bool]


def find_order(state: OmsState, ask: CancelOrder | OrderStatus, visible: Visible) -> Order | Refusal | None:
    """The one order that `ask` names, None when there is none, 100 when its names disagree or fit several.

    An order that is not `visible` to the asker does not exist for him.
    """
    if ask.order_id is None:
        return _by_cl_ord_id(state, ask, visible)
    found = _by_order_id(state, ask, visible)
    if isinstance(found, Refusal):
        return found
    if ask.orig_cl_ord_id is None or isinstance(ask, OrderStatus):
        return found
    if found is None:
        other = _by_cl_ord_id(state, ask, visible)
        if other is None or isinstance(other, Refusal):
            return None
    elif found.cl_ord_id == ask.orig_cl_ord_id:
        return found
    return invalid(
        f"OrderID(37)={ask.order_id} and OrigClOrdID(41)={ask.orig_cl_ord_id} name different orders",
        Subject.ORDER,
    )


def _by_order_id(state: OmsState, ask: CancelOrder | OrderStatus, visible: Visible) -> Order | Refusal | None:
    """By our id; or by the venue's, under which an order is shown that was entered there."""
    named = ask.venue_order_id
    ours = state.book.get(ask.order_id or 0)
    if ours is not None and (not visible(ours) or (ours.user_id == NOBODY and named is not None)):
        ours = None
    theirs = None if named is None else state.book.on_venue(named.removeprefix(THEIRS))
    if theirs is not None and (theirs.user_id != NOBODY or not visible(theirs)):
        theirs = None
    if theirs is not None and named != theirs.shown_id and named == theirs.venue_order_id:
        theirs = None  # by that number alone ours is meant
    if ours is not None and theirs is not None:
        return invalid(f"OrderID(37)={ask.venue_order_id} names two orders, one of them the venue's own")
    return ours or theirs


def _by_cl_ord_id(
    state: OmsState, ask: CancelOrder | OrderStatus, visible: Visible
) -> Order | Refusal | None:
    if ask.orig_cl_ord_id is None:
        return None

    account_id, owner_id = ask.account_id, ask.owner_id
    own_only = account_id is None and owner_id is None and isinstance(ask, CancelOrder)
    mine: list[Order] = []
    others: list[Order] = []
    for order in state.book.named(ask.orig_cl_ord_id):
        own = order.is_of(ask.user_id)
        if own_only and not own:
            continue
        if account_id is not None and order.account_id != account_id:
            continue
        if owner_id is not None and order.user_id != owner_id:
            continue
        if visible(order):
            (mine if own else others).append(order)
    group = mine or others
    if len(group) <= 1:
        return group[0] if group else None
    still_open = [order for order in group if order.is_open]
    if len(still_open) > 1:
        return invalid(f"{ask.orig_cl_ord_id} names {len(still_open)} open orders", Subject.ORDER)
    return still_open[0] if still_open else group[-1]


def contradiction(state: OmsState, ask: CancelOrder | OrderStatus, order: Order) -> Refusal | None:
    """Why `ask` cannot mean `order` although its ids name it; None when every other field is the order's."""
    if ask.account_id is not None and ask.account_id != order.account_id:
        return invalid(f"Account(1)={ask.account_id} is not the order's account", Subject.ACCOUNT)
    if ask.owner_id is not None and ask.owner_id != order.user_id:
        return invalid(
            f"PartyID(448)={ask.owner_id} with PartyRole(452)=11 is not the order's user", Subject.USER
        )
    instrument = state.directory.instruments.get(order.instrument_id)
    if instrument is not None and (refusal := ask.instrument.contradiction(instrument)):
        return refusal
    if ask.side is not None and ask.side != order.side:
        return invalid(f"Side(54)={ask.side} is not the order's side {order.side.value}")
    if isinstance(ask, CancelOrder) and ask.order_qty is not None and ask.order_qty > order.order_qty:
        return invalid(f"OrderQty(38)={ask.order_qty} is above the order's {order.order_qty}")
    return None
