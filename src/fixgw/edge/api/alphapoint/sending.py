"""SendOrder: from the message to a new order; what cannot be honoured is refused, never ignored."""

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import Refusal, invalid, not_supported
from fixgw.core.requests import NewOrder
from fixgw.edge.api.alphapoint import enums, models
from fixgw.edge.api.alphapoint.asking import Ask, Caller, oms_id_of
from fixgw.edge.api.alphapoint.enums import OrderType, PegPriceType, TimeInForce
from fixgw.edge.api.alphapoint.views import Body, rejected
from fixgw.engine.turn import Answered

LIMITED = (OrderType.Limit, OrderType.StopLimit)
STOPS = (OrderType.StopMarket, OrderType.StopLimit)


def send_order(caller: Caller, asked: models.SendOrder) -> object:
    """Enter an order."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    problem = oms_id if isinstance(oms_id, Refusal) else _contradiction(asked)
    if problem is not None or asked.Quantity is None:
        return rejected(problem or invalid("Quantity is missing"))
    request = NewOrder(
        user_id=caller.user_id,
        oms=OmsName(asked.OMSId),
        cl_ord_id=None if asked.ClientOrderId is None else str(asked.ClientOrderId),
        instrument=InstrumentName(security_id=str(asked.InstrumentId)),
        side=enums.SIDES.get(asked.Side),
        ord_type=enums.ORDER_TYPES.get(asked.OrderType),
        time_in_force=enums.TIMES_IN_FORCE.get(_time_in_force(asked)),
        order_qty=asked.Quantity,
        account_id=asked.AccountId,
        price=asked.LimitPrice,
        stop_px=asked.StopPrice,
        unsupported=_beyond(asked),
        side_text=asked.Side.name,
    )
    return Ask(request, _accepted, refused=rejected)


def _accepted(answer: Answered) -> Body:
    return {"status": "Accepted", "errormsg": "", "OrderId": answer.orders[0].order_id}


def _contradiction(asked: models.SendOrder) -> Refusal | None:
    """Why the fields do not fit together (100)."""
    kind = asked.OrderType
    if asked.Quantity is None:
        return invalid("Quantity is missing, or 0")
    if asked.LimitPrice is None and kind in LIMITED:
        return invalid(f"LimitPrice is missing, as OrderType={kind.name} needs it")
    if asked.StopPrice is None and kind in STOPS:
        return invalid(f"StopPrice is missing, as OrderType={kind.name} needs it")
    if asked.StopPrice is not None and kind in (OrderType.Limit, OrderType.Market):
        return invalid(f"StopPrice does not belong to OrderType={kind.name}")
    return None


def _time_in_force(asked: models.SendOrder) -> TimeInForce:
    return TimeInForce.GTC if asked.TimeInForce is None else asked.TimeInForce


def _beyond(asked: models.SendOrder) -> Refusal | None:
    """106 for what we cannot honour: a value that the core has not got, or a field that is not neutral."""
    for field, value, known in (
        ("Side", asked.Side, enums.SIDES),
        ("OrderType", asked.OrderType, enums.ORDER_TYPES),
        ("TimeInForce", _time_in_force(asked), enums.TIMES_IN_FORCE),
    ):
        if value not in known:
            return not_supported(f"{field}={value.name} is not supported")
    if asked.OrderType is OrderType.Market and asked.LimitPrice is not None:
        return not_supported("LimitPrice is not supported for OrderType=Market")
    looks_at_last = asked.PegPriceType in (None, PegPriceType.Unknown, PegPriceType.Last)
    if asked.OrderType in STOPS and asked.PegPriceType is not None and not looks_at_last:
        return not_supported(f"PegPriceType={asked.PegPriceType.name} is not supported for a stop order")
    if asked.DisplayQuantity is not None and asked.DisplayQuantity != asked.Quantity:
        return not_supported("DisplayQuantity is not supported, unless it is the Quantity")
    for field in (
        "UseDisplayQuantity",
        "OrderIdOCO",
        "PegOffset",
        "LimitOffset",
        "TrailingAmount",
        "UseMargin",
    ):
        if getattr(asked, field):
            return not_supported(f"{field} is not supported; leave it out")
    return None
