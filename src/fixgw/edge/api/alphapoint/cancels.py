"""CancelOrder and CancelAllOrders: from the message to a cancel, and what its answer means."""

from functools import partial

from fixgw.core.directory import OmsName
from fixgw.core.errors import Refusal, failed, not_supported
from fixgw.core.order import OrdStatus
from fixgw.core.requests import CancelOrder, MassCancel
from fixgw.edge.api.alphapoint import models
from fixgw.edge.api.alphapoint.asking import (
    Ask,
    Caller,
    cl_ord_id_of,
    names_no_order,
    oms_id_of,
    order_id_of,
    scope_of,
)
from fixgw.edge.api.alphapoint.views import OK, Event, cancel_all_rejected, cancel_rejected, standard
from fixgw.engine.turn import Answered


def cancel_order(caller: Caller, asked: models.CancelOrder) -> object:
    """Cancel one order."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    problem = oms_id if isinstance(oms_id, Refusal) else names_no_order(asked)
    if problem is not None:
        return standard(problem)
    request = CancelOrder(
        user_id=caller.user_id,
        oms=OmsName(asked.OMSId),
        order_id=order_id_of(asked.OrderId),
        orig_cl_ord_id=cl_ord_id_of(asked.ClientOrderId),
        account_id=asked.AccountId,
    )
    return Ask(request, _canceled, event=partial(_cancel_refused, asked))


def _canceled(answer: Answered) -> object:
    """Received is not canceled: a pending cancel is a success, one that the venue has refused is none."""
    order = answer.orders[0]
    if order.is_open and order.status is not OrdStatus.PENDING_CANCEL:
        return standard(failed(f"the venue refused the cancel; order {order.order_id} rests as before"))
    return OK


def _cancel_refused(asked: models.CancelOrder, answer: Answered, refusal: Refusal) -> Event | None:
    order = answer.orders[0] if answer.orders else None
    return cancel_rejected(asked.OMSId, asked.AccountId or 0, asked.OrderId or 0, order, refusal)


def cancel_all_orders(caller: Caller, asked: models.CancelAllOrders) -> object:
    """Cancel every order that everything given fits."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    request = MassCancel(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=scope_of(asked.InstrumentId),
        account_id=asked.AccountId,
        owner_id=asked.UserId,
    )
    return Ask(request, lambda _: OK, event=partial(_cancel_all_refused, asked))


def _cancel_all_refused(asked: models.CancelAllOrders, _: Answered, refusal: Refusal) -> Event:
    return cancel_all_rejected(asked.OMSId, asked.AccountId or 0, asked.InstrumentId or 0, refusal)


def cancel_replace_order(_: Caller, __: models.Anything) -> object:
    """Not supported."""
    why = "CancelReplaceOrder is not supported; cancel the order with CancelOrder and enter another"
    return standard(not_supported(why))
