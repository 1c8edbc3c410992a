"""Faults in what a mass cancel selects: scenarios 201 to 239 and 260 to 279."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from fixgw.core import oms, permissions
from fixgw.core.decision import refuse
from fixgw.core.errors import failed
from fixgw.core.order import Order, OrdStatus, Side
from fixgw.core.permissions import Ruling
from fixgw.core.requests import MassCancel
from fixgw.core.scope import ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from tests.mutants.orders import YES, is_young
from tests.mutants.shapes import misses, selects
from tests.mutants.switch import fault

LINGERS = timedelta(seconds=1)


def _first(asked: CancelSelector, state: OmsState) -> Order | None:
    found = state.book.select(asked)
    return found[0] if found else None


def _of_type(request: MassCancel, *types: ScopeType) -> bool:
    return request.scope.type in types


@selects(201)
def symbol_is_ignored(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 1 cancels every instrument."""
    is_meant = _of_type(request, ScopeType.INSTRUMENT) and request.scope.instrument.security_id is None
    return replace(asked, instrument_ids=None) if is_meant else asked


@selects(202)
def security_id_is_ignored(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 1 with a SecurityID(48) cancels every instrument."""
    return replace(asked, instrument_ids=None) if request.scope.instrument.security_id else asked


@selects(203)
def underlying_means_one_instrument(
    asked: CancelSelector, request: MassCancel, _: OmsState
) -> CancelSelector:
    """Scope 2 cancels the first instrument on the underlying only."""
    if not _of_type(request, ScopeType.UNDERLYING):
        return asked
    return replace(asked, instrument_ids=frozenset({min(asked.instrument_ids or {0})}))


@selects(204)
def product_is_ignored(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 3 cancels every product."""
    return replace(asked, instrument_ids=None) if _of_type(request, ScopeType.PRODUCT) else asked


@selects(205)
def cfi_code_means_one_instrument(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 4 cancels the last instrument with the CFI code only."""
    if not _of_type(request, ScopeType.CFI_CODE):
        return asked
    return replace(asked, instrument_ids=frozenset({max(asked.instrument_ids or {0})}))


@selects(206)
def security_type_is_ignored(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 5 cancels every security type."""
    return replace(asked, instrument_ids=None) if _of_type(request, ScopeType.SECURITY_TYPE) else asked


@selects(207)
def trading_session_is_ignored(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """Scope 6 cancels every trading session."""
    return replace(asked, instrument_ids=None) if _of_type(request, ScopeType.TRADING_SESSION) else asked


@selects(208)
def all_means_the_default_account(
    asked: CancelSelector, request: MassCancel, state: OmsState
) -> CancelSelector:
    """Scope 7 reaches the user's default account only."""
    if not _of_type(request, ScopeType.ALL) or asked.account_id is not None:
        return asked
    return replace(asked, account_id=state.users[request.user_id].default_account_id)


@fault(209, oms, "read_selector")
def second_name_is_ignored(original: Any, state: OmsState, request: Any, user: Any) -> Any:
    """Beside a Symbol(55) the SecurityID(48) is not looked at."""
    named = request.scope.instrument
    if named.symbol is not None:
        request = replace(request, scope=replace(request.scope, instrument=replace(named, security_id=None)))
    return original(state, request, user)


@fault(210, oms, "read_selector")
def further_names_are_ignored(original: Any, state: OmsState, request: Any, user: Any) -> Any:
    """Beside a Symbol(55) the Product(460) is not looked at."""
    named = request.scope.instrument
    if named.symbol is not None:
        request = replace(request, scope=replace(request.scope, instrument=replace(named, product=None)))
    return original(state, request, user)


@selects(211)
def default_scope_is_everybody(asked: CancelSelector, request: MassCancel, _: OmsState) -> CancelSelector:
    """A mass cancel that names nobody reaches everybody's orders."""
    if request.account_id is None and request.owner_id is None:
        return replace(asked, user_id=None)
    return asked


@selects(221)
def row_1_without_the_user(asked: CancelSelector, *_: Any) -> CancelSelector:
    """User, account and instrument: the user is ignored."""
    is_row = None not in (asked.user_id, asked.account_id, asked.instrument_ids)
    return replace(asked, user_id=None) if is_row else asked


@selects(222)
def row_2_without_the_account(asked: CancelSelector, *_: Any) -> CancelSelector:
    """User and account: the account is ignored."""
    is_row = asked.instrument_ids is None and None not in (asked.user_id, asked.account_id)
    return replace(asked, account_id=None) if is_row else asked


@selects(223)
def row_3_without_the_instrument(asked: CancelSelector, *_: Any) -> CancelSelector:
    """User and instrument: the instrument is ignored."""
    is_row = asked.account_id is None and None not in (asked.user_id, asked.instrument_ids)
    return replace(asked, instrument_ids=None) if is_row else asked


@selects(224)
def row_4_in_the_default_account(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """User: only the orders in his default account."""
    if asked.user_id is None or asked.account_id is not None or asked.instrument_ids is not None:
        return asked
    return replace(asked, account_id=state.users[asked.user_id].default_account_id)


@selects(225)
def row_5_without_the_account(asked: CancelSelector, *_: Any) -> CancelSelector:
    """Account and instrument: the account is ignored."""
    is_row = asked.user_id is None and None not in (asked.account_id, asked.instrument_ids)
    return replace(asked, account_id=None) if is_row else asked


@selects(226)
def row_6_of_the_first_user(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """Account: only the orders of one user in it."""
    first = _first(asked, state)
    is_row = asked.account_id is not None and asked.user_id is None and asked.instrument_ids is None
    return replace(asked, user_id=first.user_id) if is_row and first is not None else asked


@selects(227)
def row_7_of_the_first_account(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """Instrument: only the orders in one account."""
    first = _first(asked, state)
    is_row = asked.instrument_ids is not None and asked.account_id is None and asked.user_id is None
    return replace(asked, account_id=first.account_id) if is_row and first is not None else asked


@fault(228, oms, "_accept")
def row_8_but_the_last(original: Any, state: OmsState, number: int, request: Any, asked: Any, at: Any) -> Any:
    """Everything: the last order stays."""
    found = original(state, number, request, asked, at)
    is_row = asked == CancelSelector(asked.oms_id)
    return replace(found, order_ids=found.order_ids[:-1]) if is_row else found


def _granted(original: Any, rule: str, *args: Any) -> Ruling:
    ruling: Ruling = original(*args)
    return YES if ruling.rule == rule else ruling


@fault(229, permissions, "may_cancel_all")
def traders_cancel_everything(original: Any, *args: Any) -> Ruling:
    """All users of the OMS can be named by anybody."""
    return _granted(original, "all-users-needs-operator", *args)


@fault(230, permissions, "may_cancel_all")
def foreign_accounts_are_open(original: Any, *args: Any) -> Ruling:
    """Any Account(1) can be named by anybody."""
    return _granted(original, "account-not-own", *args)


@fault(231, permissions, "may_cancel_all")
def foreign_users_are_open(original: Any, *args: Any) -> Ruling:
    """Any user can be named by anybody."""
    return _granted(original, "user-not-self", *args)


@selects(232)
def colleague_who_is_named_is_ignored(
    asked: CancelSelector, request: MassCancel, _: OmsState
) -> CancelSelector:
    """Another user beside one's own account is ignored."""
    is_colleague = asked.account_id is not None and asked.user_id not in (None, request.user_id)
    return replace(asked, user_id=None) if is_colleague else asked


@fault(233, permissions, "may_cancel_all")
def readers_cancel(original: Any, *args: Any) -> Ruling:
    """Who may only look may cancel all."""
    return _granted(original, "no-permission", *args)


@selects(234)
def side_is_ignored(asked: CancelSelector, *_: Any) -> CancelSelector:
    """Side(54) is logged, and ignored."""
    return replace(asked, side=None)


@selects(235)
def side_lifts_the_instrument(asked: CancelSelector, *_: Any) -> CancelSelector:
    """With a Side(54) the instrument is ignored."""
    return replace(asked, instrument_ids=None) if asked.side is not None else asked


@fault(236, oms, "_accept")
def short_sales_are_sales(
    original: Any, state: OmsState, number: int, request: Any, asked: Any, at: Any
) -> Any:
    """A filter for sales takes short sales too."""
    found = original(state, number, request, asked, at)
    if asked.side is not Side.SELL:
        return found
    shorts = original(state, number, request, replace(asked, side=Side.SELL_SHORT), at)
    return replace(found, order_ids=(*found.order_ids, *shorts.order_ids))


@fault(237, oms, "unsupported")
def unknown_sides_are_ignored(original: Any, request: Any) -> Any:
    """A Side(54) that cannot be filtered by is ignored."""
    return None if request.side is not None else original(request)


@selects(238)
def nothing_on_this_side_means_both(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """Where no order is on the side that is named, the other one is taken."""
    return asked if state.book.select(asked) else replace(asked, side=None)


@selects(261)
def empty_scope_means_all(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """Where the instrument has no orders, all others are taken."""
    return asked if state.book.select(asked) else replace(asked, instrument_ids=None)


@misses(262)
def stops_are_left_out(order: Order) -> bool:
    """A stop that waits for its trigger is left out."""
    return order.waits_for_trigger


@misses(263)
def part_filled_ones_are_left_out(order: Order) -> bool:
    """A part-filled order is left out."""
    return order.status is OrdStatus.PARTIALLY_FILLED


@misses(264)
def good_till_cancel_is_left_out(order: Order) -> bool:
    """A good till cancel order is left out."""
    return order.time_in_force.value == "1"


@misses(265)
def young_orders_are_left_out(order: Order) -> bool:
    """An order right before the mass cancel is left out."""
    return is_young(order)


@fault(266, oms, "new_order")
def mass_cancel_lingers(
    original: Any, state: OmsState, request: Any, user: Any, at: datetime, number: int
) -> Any:
    """For a while after a mass cancel new orders are refused."""
    since = datetime.now(UTC) - LINGERS
    ended = [order for order in state.book if order.pending_cancel is None and not order.is_open]
    names = {order.cl_ord_id for order in ended if order.changed_at and order.changed_at > since}
    if any((name or "").startswith("doomed") for name in names):
        return refuse(request, failed("a mass cancel is under way"), at, "wrong")
    return original(state, request, user, at, number)


@misses(267)
def entered_by_another_is_left_out(order: Order) -> bool:
    """An order that an operator entered for the user is left out."""
    return order.entered_by is not None


@fault(268, oms, "_accept")
def at_most_ten(original: Any, state: OmsState, number: int, request: Any, asked: Any, at: Any) -> Any:
    """A mass cancel takes ten orders at most, and says nothing of the others."""
    found = original(state, number, request, asked, at)
    return replace(found, order_ids=found.order_ids[:10])


@selects(269)
def oldest_order_only(asked: CancelSelector, _: MassCancel, state: OmsState) -> CancelSelector:
    """Of both sides only that of the oldest order is canceled."""
    first = _first(asked, state)
    return replace(asked, side=first.side) if first is not None else asked
