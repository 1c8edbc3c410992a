"""GetOpenOrders, GetOrderStatus and GetOrdersHistory: what there is, and what became of it."""

from datetime import UTC, datetime
from functools import partial

from fixgw.core.directory import OmsName
from fixgw.core.errors import Refusal, failed, invalid, not_supported
from fixgw.core.requests import MassStatus, OrderHistory, OrderStatus
from fixgw.edge.api.alphapoint import enums, models
from fixgw.edge.api.alphapoint.asking import (
    Ask,
    Caller,
    cl_ord_id_of,
    names_no_order,
    oms_id_of,
    order_id_of,
    scope_of,
)
from fixgw.edge.api.alphapoint.views import order_object, standard
from fixgw.edge.api.context import Context
from fixgw.engine.turn import Answered

HISTORY_DEPTH = 100  # orders that GetOrdersHistory lists when it names no Depth
SECONDS_MAX = 10**11  # a time above it is in milliseconds: in seconds it would be after the year 5000
YEAR_9999 = 253_402_300_799  # seconds since 1970 at its end


def get_open_orders(caller: Caller, asked: models.GetOpenOrders) -> object:
    """The open orders that a CancelAllOrders with the same keys would cancel."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    request = MassStatus(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=scope_of(asked.InstrumentId),
        req_id="api",
        most=context.settings.orders_max,
        account_id=asked.AccountId,
        owner_id=asked.UserId,
    )
    return Ask(request, partial(_listed, context))


def _listed(context: Context, answer: Answered) -> object:
    return [order_object(order, context.reference) for order in answer.orders]


def get_order_status(caller: Caller, asked: models.GetOrderStatus) -> object:
    """One order, whatever became of it."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    problem = oms_id if isinstance(oms_id, Refusal) else names_no_order(asked)
    if problem is None and asked.OrderId is not None and asked.ClientOrderId is not None:
        problem = invalid("OrderId and ClientOrderId are both given; name the order by one of them")
    if problem is not None:
        return standard(problem)
    request = OrderStatus(
        user_id=caller.user_id,
        oms=OmsName(asked.OMSId),
        order_id=order_id_of(asked.OrderId),
        orig_cl_ord_id=cl_ord_id_of(asked.ClientOrderId),
        account_id=asked.AccountId,
    )
    return Ask(request, lambda answer: order_object(answer.orders[0], context.reference))


def get_orders_history(caller: Caller, asked: models.GetOrdersHistory) -> object:
    """Known orders, open or closed, last changed first."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    depth = HISTORY_DEPTH if asked.Depth is None else asked.Depth
    skip, most = asked.StartIndex or 0, context.settings.orders_max
    if skip + depth > most:
        why = f"StartIndex and Depth reach further than {most} orders: narrow what is asked for"
        return standard(failed(why))
    since = None
    if asked.StartTimestamp is not None:
        since = _time(asked.StartTimestamp)
        if since is None:
            return standard(invalid("StartTimestamp is after the year 9999"))
    side = enums.SIDES.get(asked.Side) if asked.Side is not None else None
    request = OrderHistory(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=scope_of(asked.InstrumentId),
        account_id=asked.AccountId,
        owner_id=asked.UserId,
        side=None if side is None else side.value,
        unsupported=_beyond_history(asked),
        since=since,
        most=depth,
        skip=skip,
    )
    return Ask(request, partial(_listed, context))


def _beyond_history(asked: models.GetOrdersHistory) -> Refusal | None:
    """106 for a filter that cannot be honoured: it is refused, never ignored."""
    for field in ("EndTimestamp", "OrderId", "ClientOrderId", "OriginalOrderId", "OriginalClientOrderId"):
        if getattr(asked, field) is not None:
            return not_supported(f"{field} is not supported as a filter")
    if asked.Side is not None and asked.Side not in enums.SIDES:
        return not_supported(f"Side={asked.Side.name} is not supported as a filter")
    return None


def _time(timestamp: int) -> datetime | None:
    """A time since 1970, in seconds or, what cannot be seconds, in milliseconds; None when there is none."""
    milliseconds = timestamp if timestamp > SECONDS_MAX else timestamp * 1_000
    seconds, rest = divmod(milliseconds, 1_000)
    if seconds > YEAR_9999:
        return None
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1_000)
