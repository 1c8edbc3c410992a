"""What a NewOrderSingle(D) leads to. The checks come in the one order of `fixgw.core.errors.ErrorCode`."""

from datetime import datetime

from fixgw.core import emergency, permissions
from fixgw.core.decision import Decision, refuse
from fixgw.core.directory import Instrument, User
from fixgw.core.errors import ErrorCode, Refusal, Subject, invalid, not_authorized
from fixgw.core.events import OrderEntered
from fixgw.core.narrow import oms_problem, unknown_names
from fixgw.core.order import Order, OrdStatus, OrdType, TimeInForce
from fixgw.core.requests import NewOrder
from fixgw.core.state import OmsState


def new_order(state: OmsState, request: NewOrder, at: datetime, next_id: int) -> Decision:
    """What a new order leads to: it is entered, with the id `next_id`, or refused."""
    user = state.users[request.user_id]
    account_id = request.account_id
    if account_id is None and (request.owner_id in (None, user.user_id)):
        account_id = user.default_account_id
    owner_id = user.user_id if request.owner_id is None else request.owner_id
    oms = oms_problem(state, request, user)
    if oms is not None and oms.code is ErrorCode.INVALID_REQUEST:
        return refuse(request, oms, at, "contradiction")
    if account_id is None:
        missing = invalid("Account(1) is missing, and no default account applies", Subject.ACCOUNT)
        return refuse(request, missing, at, "contradiction")
    named = _read_new_order(state, request, user, owner_id, account_id)
    if isinstance(named, Refusal) and named.code is ErrorCode.INVALID_REQUEST:
        return refuse(request, named, at, "contradiction")
    ruling = permissions.may_enter(user, account_id, owner_id)
    if not ruling.allowed:
        return refuse(request, not_authorized(ruling.why), at, ruling.rule)
    instrument_id = None if isinstance(named, Refusal) else named.instrument_id
    locked = emergency.locked_out(state, account_id, owner_id, instrument_id, request.side, request.strategy)
    if locked is not None:
        return refuse(request, locked, at, "locked")
    if unknown := unknown_names(state, user, account_id, request.owner_id):
        return refuse(request, unknown, at, "unknown-name")
    if oms is not None:
        return refuse(request, oms, at, "unknown-name")
    if isinstance(named, Refusal):
        return refuse(request, named, at, "unknown-name")
    if request.unsupported is not None:
        return refuse(request, request.unsupported, at, "unsupported-field")
    order = _order(state, request, named, owner_id, account_id, at, next_id)
    return Decision((OrderEntered(order),), rule=ruling.rule)


def _read_new_order(
    state: OmsState, request: NewOrder, user: User, owner_id: int, account_id: int
) -> Instrument | Refusal:
    owner = state.users.get(owner_id)
    for_other = user.is_operator and owner is not None and owner is not user
    known = account_id in state.directory.accounts
    if for_other and owner is not None and known and account_id not in owner.account_ids:
        return invalid(f"Account(1)={account_id} is not an account of user {owner_id}", Subject.ACCOUNT)
    return state.directory.instrument(request.instrument, state.oms.oms_id)


def _order(
    state: OmsState,
    request: NewOrder,
    instrument: Instrument,
    owner_id: int,
    account_id: int,
    at: datetime,
    order_id: int,
) -> Order:
    if request.side is None or request.ord_type is None:
        raise AssertionError("a value that is not supported passed its check")
    return Order(  # by position: names cost four times as much
        order_id,
        state.oms.oms_id,
        owner_id,
        account_id,
        instrument.instrument_id,
        request.cl_ord_id,
        request.side,
        request.ord_type,
        request.time_in_force or TimeInForce.DAY,
        request.order_qty,
        request.price,
        request.stop_px,
        request.strategy,
        request.session or state.directory.first_session(owner_id),
        request.content,
        at,
        _first_status(state, request.ord_type),
        entered_by=None if owner_id == request.user_id else request.user_id,
        product=request.product,
        on_venue=state.oms.is_embedded,
    )


def _first_status(state: OmsState, ord_type: OrdType) -> OrdStatus:
    if not state.oms.is_embedded:
        return OrdStatus.PENDING_NEW
    return OrdStatus.PENDING_TRIGGER if ord_type.has_trigger else OrdStatus.NEW
