"""From the venue's order object to how an order stands. No I/O."""

from decimal import Decimal
from typing import NamedTuple

from fixgw.core.order import ZERO, OrdType, Side, TimeInForce, is_quantity
from fixgw.core.requests import VenueDetails, VenueOrder, VenueStatus
from fixgw.edge.venues.alphapoint.names import Names
from fixgw.edge.venues.alphapoint.replies import Keys, UnreadableError, amount, member, text_of, whole
from fixgw.edge.venues.contract import CancelReject

STATES = {
    "working": VenueStatus.OPEN,
    "rejected": VenueStatus.REJECTED,
    "canceled": VenueStatus.CANCELED,
    "expired": VenueStatus.EXPIRED,
    "fullyexecuted": VenueStatus.FILLED,
}
SIDES = {"buy": Side.BUY, "sell": Side.SELL, "short": Side.SELL_SHORT}
ORD_TYPES = {
    "market": OrdType.MARKET,
    "limit": OrdType.LIMIT,
    "stopmarket": OrdType.STOP,
    "stoplimit": OrdType.STOP_LIMIT,
    "trailingstopmarket": OrdType.STOP,  # learned by the stop price that it has when it is seen first
    "trailingstoplimit": OrdType.STOP_LIMIT,
    "blocktrade": OrdType.LIMIT,
}

_REASONS = {VenueStatus.REJECTED: "RejectReason", VenueStatus.CANCELED: "CancelReason"}
_STATE_NAMES = ("Unknown", "Working", "Rejected", "Canceled", "Expired", "FullyExecuted")
_SIDE_NAMES = ("Buy", "Sell", "Short", "Unknown")
_TYPE_NAMES = (
    "Unknown",
    "Market",
    "Limit",
    "StopMarket",
    "StopLimit",
    "TrailingStopMarket",
    "TrailingStopLimit",
    "BlockTrade",
)


PRICE_MAX = Decimal(10) ** 15


class NotOursError(Exception):
    """It is of an OMS, an account or an instrument that is not configured; the text says which."""


class Seen(NamedTuple):
    """How an order stands, and the ids that the object has for it: what was asked for can be compared."""

    order: VenueOrder
    venue_order_id: str
    number: int


def seen(keys: Keys, names: Names) -> Seen:
    """How the order of an order object stands. Raises NotOursError, and UnreadableError.

    An order that is not known here has the details that it can be learned by.
    """
    account_id = _account_id(keys, names)
    venue_order_id, number = str(whole(keys, "OrderId")), whole(keys, "ClientOrderId")
    if int(venue_order_id) <= 0:
        raise UnreadableError("OrderId is missing")
    order_id = names.order_id(venue_order_id, number, account_id)
    state = member(keys, "OrderState", _STATE_NAMES)
    if state not in STATES:
        raise UnreadableError(f"OrderState {text_of(state)!r} is unknown")
    status = STATES[state]
    cum_qty = _quantity(keys, "QuantityExecuted")
    details = None if order_id else _details(keys, names, account_id)
    reason = _REASONS.get(status)
    order = VenueOrder(
        names.oms_id,
        order_id,
        venue_order_id,
        status,
        cum_qty=cum_qty,
        avg_px=_avg_px(keys, cum_qty),
        triggered=_is_triggered(keys, cum_qty),
        text="" if reason is None else text_of(keys.get(reason)),
        details=details,
    )
    return Seen(order, venue_order_id, number)


def _account_id(keys: Keys, names: Names) -> int:
    oms, account = whole(keys, "OMSId"), whole(keys, "Account")
    if oms and oms != names.oms:
        raise NotOursError(f"OMS {oms}")
    if account not in names.our_account:
        raise NotOursError(f"account {account}")
    return names.our_account[account]


def _quantity(keys: Keys, key: str) -> Decimal:
    number = amount(keys, key)
    if number and not is_quantity(number):
        raise UnreadableError(f"{key} is too large")
    return number


def _avg_px(keys: Keys, cum_qty: Decimal) -> Decimal | None:
    """The average price of what was filled, from its value, which is the more exact one."""
    value = amount(keys, "GrossValueExecuted")
    if not cum_qty:
        return None
    avg_px = value / cum_qty if value else amount(keys, "AvgPrice")
    return avg_px if ZERO < avg_px < PRICE_MAX else None


def _is_triggered(keys: Keys, cum_qty: Decimal) -> bool:
    """Whether a stop order lives: a part of it was filled, or it is in the book."""
    ord_type = ORD_TYPES.get(member(keys, "OrderType", _TYPE_NAMES))
    if ord_type is None or not ord_type.has_trigger:
        return False
    return cum_qty > ZERO or "addedtobook" in text_of(keys.get("OrderFlag")).lower()


def _details(keys: Keys, names: Names, account_id: int) -> VenueDetails:
    """What an order is that was entered on the venue. It shows no time in force."""
    instrument = whole(keys, "Instrument")
    if instrument not in names.our_instrument:
        raise NotOursError(f"instrument {instrument}")
    side = SIDES.get(member(keys, "Side", _SIDE_NAMES))
    ord_type = ORD_TYPES.get(member(keys, "OrderType", _TYPE_NAMES))
    if side is None or ord_type is None:
        raise UnreadableError("its Side or OrderType is unknown")
    price = _quantity(keys, "Price") if ord_type.has_price else None
    stop_px = _quantity(keys, "StopPrice") if ord_type.has_trigger else None
    order_qty = _quantity(keys, "OrigQuantity") or _quantity(keys, "Quantity")
    if not order_qty or (price is not None and not price) or (stop_px is not None and not stop_px):
        raise UnreadableError("its quantity or its price is missing")
    instrument_id = names.our_instrument[instrument]
    return VenueDetails(
        account_id, instrument_id, side, ord_type, TimeInForce.GOOD_TILL_CANCEL, order_qty, price, stop_px
    )


def cancel_reject(keys: Keys, names: Names) -> CancelReject:
    """What a CancelOrderRejectEvent says. Raises NotOursError, and UnreadableError."""
    oms, account = whole(keys, "OMSId"), whole(keys, "AccountId")
    if (oms and oms != names.oms) or (account and account not in names.our_account):
        raise NotOursError(f"account {account}")
    venue_order_id = str(whole(keys, "OrderId"))
    text = text_of(keys.get("RejectReason")) or "the venue rejects the cancel"
    return CancelReject(text, names.order_id(venue_order_id), venue_order_id)
