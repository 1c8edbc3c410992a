"""A client order id is used once: what a request gets whose ClOrdID(11) was used before.

An id is taken when its user used it since the last end of day, for whatever request, or when an open order
of that user or account has it. With PossResend(97)=Y and the same content the current state is told again.
"""

from datetime import datetime

from msgspec.structs import replace

from fixgw.core.errors import Failure, Refusal, failed
from fixgw.core.order import Order
from fixgw.core.reports import OrderRefused, OrderState, Report
from fixgw.core.requests import CancelOrder, MassCancel, NewOrder
from fixgw.core.state import OmsState

Identified = NewOrder | CancelOrder | MassCancel


def answer(state: OmsState, request: Identified, at: datetime) -> Refusal | Report | None:
    """None for an id that is free; else the report to tell again, or the refusal (101) for a duplicate."""
    if request.cl_ord_id is None or not state.book.is_known(request.cl_ord_id):
        return None
    orders = _orders(state, request)
    uses = [
        use
        for use in state.book.uses(request.cl_ord_id)
        if use.user_id == request.user_id and use.used_at >= state.day_start
    ]
    if not orders and not uses:
        return None
    if request.poss_resend:
        for order in orders:
            own = order.is_of(request.user_id)
            if isinstance(request, NewOrder) and own and order.content == request.content:
                return OrderState(order, at, request)
        for use in uses:
            if use.kind is request.kind and use.content == request.content and use.answer is not None:
                return _again(use.answer)
    return failed(f"ClOrdID(11)={request.cl_ord_id} was used before", Failure.DUPLICATE_CL_ORD_ID)


def existing_order(state: OmsState, request: Identified) -> Order | None:
    """The order that has the id of `request` already, one's own first; None when no order has it.

    Only a New Order Single is told about it (FIX 4.4, volume 4, appendix D: OrdStatus of the existing order).
    """
    orders = _orders(state, request) if isinstance(request, NewOrder) else []
    return orders[0] if orders else None


def is_used(state: OmsState, user_id: int, cl_ord_id: str) -> bool:
    """Whether a request or an order of this user has the id since the last end of day."""
    book = state.book
    return any(
        order.is_of(user_id) and (order.is_open or order.entered_at >= state.day_start)
        for order in book.named(cl_ord_id)
    ) or any(use.user_id == user_id and use.used_at >= state.day_start for use in book.uses(cl_ord_id))


def _orders(state: OmsState, request: Identified) -> list[Order]:
    """The orders that keep the id from being used, one's own first; none that the asker must not know of."""
    user = state.users[request.user_id]
    account_id = request.account_id
    users = {request.user_id}
    if isinstance(request, NewOrder):
        account_id = user.default_account_id if account_id is None else account_id
        if request.owner_id is not None and user.is_operator:
            users.add(request.owner_id)
    if account_id not in user.account_ids and not user.is_operator:
        account_id = None

    def own(order: Order) -> bool:
        return order.user_id in users or order.entered_by == request.user_id

    named = state.book.named(request.cl_ord_id or "")
    mine = [order for order in named if own(order) and (order.is_open or order.entered_at >= state.day_start)]
    others = [order for order in named if not own(order) and order.is_open and order.account_id == account_id]
    return mine + others


def _again(report: Report) -> Report:
    return replace(report, as_status=True) if isinstance(report, OrderRefused) else report
