"""What each call asks the engine, and what it makes of the answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import Refusal, Subject, failed, invalid, not_found, not_supported
from fixgw.core.order import OrdStatus
from fixgw.core.requests import (
    ApiRequest,
    CancelOrder,
    MassCancel,
    MassStatus,
    OrderHistory,
    OrderStatus,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.api.alphapoint import enums, listing, models
from fixgw.edge.api.alphapoint.values import ID_MAX
from fixgw.edge.api.alphapoint.views import (
    OK,
    Body,
    Event,
    cancel_all_rejected,
    cancel_rejected,
    order_object,
    standard,
)
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.engine.turn import Answered

HISTORY_DEPTH = 100  # orders that GetOrdersHistory lists when it names no Depth
SECONDS_MAX = 10**11  # a time above it is in milliseconds: in seconds it would be after the year 5000
YEAR_9999 = 253_402_300_799  # seconds since 1970 at its end

EVERYTHING = Scope(ScopeType.ALL)


class Ask(NamedTuple):
    """A request for the engine, and what to make of its answer.

    `refused` is the reply to a refusal; `event` is what, in that case, subscribers are told besides.
    """

    request: ApiRequest
    answered: Callable[[Answered], object]
    refused: Callable[[Refusal], Body] = standard
    event: Callable[[Answered, Refusal], Event | None] | None = None

    def reply(self, answer: Answered) -> tuple[object, Event | None]:
        """The reply to the call, and the event besides."""
        refusal = answer.refusal
        if refusal is None:
            return self.answered(answer), None
        return self.refused(refusal), None if self.event is None else self.event(answer, refusal)


class Caller(NamedTuple):
    """Who asks, and what he asks with; `identity` is None only in a public call."""

    context: Context
    identity: Identity | None

    @property
    def user_id(self) -> int:
        """The user who asks."""
        assert self.identity is not None
        return self.identity.user_id


def oms_id_of(context: Context, oms_id: int | None) -> int | Refusal:
    """The OMS that is meant, by default the dialect's first; 104 for one that it does not reach."""
    if oms_id is None:
        return context.omses[0]
    if oms_id in context.omses:
        return oms_id
    return not_found(f"OMSId={oms_id} names no OMS of this user", Subject.OMS)


def ping(_: Caller, __: models.Nothing) -> object:
    """Whether somebody is there."""
    return {"msg": "PONG"}


def get_products(caller: Caller, asked: models.GetProducts) -> object:
    """What instruments trade, and what for."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    return listing.products(caller.context.reference.directory, oms_id, asked.ProductId)


def get_instruments(caller: Caller, asked: models.GetInstruments) -> object:
    """The instruments."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    return listing.instruments(caller.context.reference.directory, oms_id, asked.InstrumentId)


def get_enums(_: Caller, __: models.Nothing) -> object:
    """The enumerations, with the numbers that requests use and the names that replies use."""
    return listing.enumerations()


def get_user_accounts(caller: Caller, asked: models.GetUserAccounts) -> object:
    """The ids of the accounts of a user; of an operator, all that there are. The engine says who may know."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    owner_id = asked.UserId or caller.user_id

    def accounts(_: Answered) -> object:
        names = (context.reference.user_name(owner_id).lower(), context.reference.email(owner_id).lower())
        if asked.UserName is not None and asked.UserName.lower() not in names:
            return standard(invalid(f"UserName is not the name of the user {owner_id}"))
        directory = context.reference.directory
        user = directory.users.get(owner_id)
        known = directory.accounts.values()
        own = frozenset() if user is None else user.account_ids
        if user is not None and user.is_operator:
            own = frozenset(account.account_id for account in known)
        return sorted(one.account_id for one in known if one.oms_id == oms_id and one.account_id in own)

    return Ask(_may_see(caller, oms_id, owner_id=owner_id), accounts)


def get_account_info(caller: Caller, asked: models.OfAccount) -> object:
    """What is known of an account."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    body = {
        "OMSID": oms_id,
        "AccountId": asked.AccountId,
        "AccountName": caller.context.reference.account_name(asked.AccountId),
        "AccountHandle": None,
        "FirmId": None,
        "FirmName": None,
        "AccountType": "Asset",
        "FeeGroupID": 0,
        "ParentID": 0,
        "RiskType": "Normal",
        "VerificationLevel": 0,
        "FeeProductType": "BaseProduct",
        "FeeProduct": 0,
        "RefererId": 0,
        "SupportedVenueIds": [],
    }
    return may_see_account(caller, asked, body)


def may_see_account(caller: Caller, asked: models.OfAccount, body: object) -> Ask:
    """Asks whether this account is within the caller's reach; `body` is the reply if it is.

    The edge decides nothing: the engine is asked for the orders of the account, and one is enough.
    """
    return Ask(_may_see(caller, asked.OMSId, account_id=asked.AccountId), lambda _: body)


def _may_see(
    caller: Caller, oms_id: int, *, account_id: int | None = None, owner_id: int | None = None
) -> OrderHistory:
    return OrderHistory(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=EVERYTHING,
        account_id=account_id,
        owner_id=owner_id,
        most=1,
    )


def cancel_order(caller: Caller, asked: models.CancelOrder) -> object:
    """Cancel one order."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    problem = oms_id if isinstance(oms_id, Refusal) else _names_no_order(asked)
    if problem is not None:
        return standard(problem)
    request = CancelOrder(
        user_id=caller.user_id,
        oms=OmsName(asked.OMSId),
        order_id=_order_id(asked.OrderId),
        orig_cl_ord_id=_text(asked.ClientOrderId),
        account_id=asked.AccountId,
    )
    return Ask(request, _canceled, event=partial(_cancel_refused, asked))


def _names_no_order(asked: models.CancelOrder | models.GetOrderStatus) -> Refusal | None:
    """Why this names no order: OMSId and ClientOrderId alone may fit several."""
    if asked.OrderId is not None:
        return None
    if asked.ClientOrderId is None:
        return invalid("OrderId is missing; name the order by it, or by AccountId and ClientOrderId")
    if asked.AccountId is None:
        return invalid("AccountId is missing, as ClientOrderId needs it; or name the order by OrderId")
    return None


def _order_id(order_id: int | None) -> int | None:
    """-1 for an id that no order can have."""
    return -1 if order_id is not None and order_id > ID_MAX else order_id


def _text(client_order_id: int | None) -> str | None:
    return None if client_order_id is None else str(client_order_id)


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
        scope=_scope(asked.InstrumentId),
        account_id=asked.AccountId,
        owner_id=asked.UserId,
    )
    return Ask(request, lambda _: OK, event=partial(_cancel_all_refused, asked))


def _scope(instrument_id: int | None) -> Scope:
    if instrument_id is None:
        return EVERYTHING
    return Scope(ScopeType.INSTRUMENT, InstrumentName(security_id=str(instrument_id)))


def _cancel_all_refused(asked: models.CancelAllOrders, _: Answered, refusal: Refusal) -> Event:
    return cancel_all_rejected(asked.OMSId, asked.AccountId or 0, asked.InstrumentId or 0, refusal)


def cancel_replace_order(_: Caller, __: models.Anything) -> object:
    """Not supported."""
    why = "CancelReplaceOrder is not supported; cancel the order with CancelOrder and enter another"
    return standard(not_supported(why))


def get_open_orders(caller: Caller, asked: models.GetOpenOrders) -> object:
    """The open orders that a CancelAllOrders with the same keys would cancel."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    request = MassStatus(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=_scope(asked.InstrumentId),
        req_id="api",
        most=context.settings.orders_max,
        account_id=asked.AccountId,
        owner_id=asked.UserId,
    )
    return Ask(request, partial(_orders, context))


def _orders(context: Context, answer: Answered) -> object:
    return [order_object(order, context.reference) for order in answer.orders]


def get_order_status(caller: Caller, asked: models.GetOrderStatus) -> object:
    """One order, whatever became of it."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    problem = oms_id if isinstance(oms_id, Refusal) else _names_no_order(asked)
    if problem is None and asked.OrderId is not None and asked.ClientOrderId is not None:
        problem = invalid("OrderId and ClientOrderId are both given; name the order by one of them")
    if problem is not None:
        return standard(problem)
    request = OrderStatus(
        user_id=caller.user_id,
        oms=OmsName(asked.OMSId),
        order_id=_order_id(asked.OrderId),
        orig_cl_ord_id=_text(asked.ClientOrderId),
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
        scope=_scope(asked.InstrumentId),
        account_id=asked.AccountId,
        owner_id=asked.UserId,
        side=None if side is None else side.value,
        unsupported=_beyond_history(asked),
        since=since,
        most=depth,
        skip=skip,
    )
    return Ask(request, partial(_orders, context))


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
