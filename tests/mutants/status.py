"""Faults in the status of orders: scenarios 301 to 349."""

from typing import Any

from msgspec.structs import replace

from fixgw.core import narrow, oms, permissions, status
from fixgw.core.errors import Subject, invalid
from fixgw.core.order import Order, OrdStatus
from fixgw.core.permissions import Ruling
from fixgw.core.reports import OrderState
from fixgw.core.scope import ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from tests.mutants.orders import YES, is_young
from tests.mutants.shapes import Written, looks, written
from tests.mutants.switch import fault


def is_status(report: Written) -> bool:
    """Whether it is the state of an order that was asked for."""
    return report.has((35, "8"), (150, "I"))


@written(301)
def status_looks_like_news(report: Written) -> None:
    """The answer to a status request has ExecType(150)=0."""
    if is_status(report):
        report.put(150, "0")


@fault(302, oms, "order_status")
def unknown_status_is_not_answered(original: Any, *args: Any) -> Any:
    """A status request for an unknown order gets no answer."""
    replies, rule = original(*args)
    return ((), rule) if rule == "unknown-order" else (replies, rule)


@written(303)
def status_forgets_the_part_fill(report: Written) -> None:
    """OrdStatus(39) of a part-filled order is 0."""
    if is_status(report) and report.get(39) == "1":
        report.put(39, "0")


@fault(304, status, "find_order")
def canceled_orders_are_unknown(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A closed order is forgotten at once."""
    return original(state, ask, lambda order: visible(order) and order.is_open)


@written(305)
def pending_looks_new(report: Written) -> None:
    """OrdStatus(39) of an order whose cancel is pending is 0."""
    if is_status(report) and report.get(39) == "6":
        report.put(39, "0")


@fault(306, status, "find_order")
def status_by_cl_ord_id_only(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A status request cannot name its order by OrderID(37)."""
    return original(state, replace(ask, order_id=None), visible)


@fault(307, permissions, "may_look_at")
def everybody_sees_everything(*_: Any) -> Ruling:
    """Any order can be looked at by anybody."""
    return YES


@fault(308, permissions, "may_look_at")
def readers_see_nothing(original: Any, user: Any, order: Order) -> Any:
    """Who may look at an account does not see the orders of others in it."""
    return original(user, order) if user.is_trader or user.is_operator else Ruling(False, "wrong")


@written(309)
def request_id_is_not_repeated(report: Written) -> None:
    """OrdStatusReqID(790) is missing."""
    report.drop(790)


@fault(310, status, "contradiction")
def status_compares_nothing(*_: Any) -> None:
    """Side(54) of a status request may be anything."""


@fault(311, status, "find_order")
def young_orders_have_no_status(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A status request right behind its order does not find it."""
    return original(state, ask, lambda order: visible(order) and not is_young(order))


@written(312)
def status_leaves_something(report: Written) -> None:
    """LeavesQty(151) of a canceled order is what was not filled."""
    if is_status(report) and report.get(39) == "4":
        report.put(151, str(int(report.get(38) or 0) - int(report.get(14) or 0)))


@written(313)
def filled_shown_as_part_filled(report: Written) -> None:
    """OrdStatus(39) of a filled order is 1."""
    if is_status(report) and report.get(39) == "2":
        report.put(39, "1")


@written(314)
def status_has_an_exec_id(report: Written) -> None:
    """ExecID(17) of a status is that of an event."""
    if is_status(report):
        report.put(17, "77")


@written(321)
def total_is_off_by_one(report: Written) -> None:
    """TotNumReports(911) is one too high."""
    if report.get(911) not in (None, "0"):
        report.put(911, str(int(report.get(911) or 0) + 1))


@written(322)
def last_is_never_said(report: Written) -> None:
    """LastRptRequested(912) is N on every report."""
    if report.get(912):
        report.put(912, "N")


@fault(323, oms, "mass_status")
def empty_status_is_not_answered(original: Any, *args: Any) -> Any:
    """A mass status request that finds nothing gets no answer."""
    replies, rule = original(*args)
    is_empty = len(replies) == 1 and isinstance(replies[0], OrderState) and replies[0].order is None
    return ((), rule) if is_empty else (replies, rule)


def _is(request: Any, scope: ScopeType) -> bool:
    return bool(request.scope.type is scope)


@looks(324)
def status_ignores_the_symbol(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 1 shows every instrument."""
    return replace(asked, instrument_ids=None) if _is(request, ScopeType.INSTRUMENT) else asked


@looks(325)
def status_of_one_instrument_on_the_underlying(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 2 shows the first instrument on the underlying only."""
    if not _is(request, ScopeType.UNDERLYING):
        return asked
    return replace(asked, instrument_ids=frozenset({min(asked.instrument_ids or {0})}))


@looks(326)
def status_ignores_the_product(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 3 shows every product."""
    return replace(asked, instrument_ids=None) if _is(request, ScopeType.PRODUCT) else asked


@looks(327)
def status_of_one_instrument_of_the_cfi_code(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 4 shows the last instrument only."""
    if not _is(request, ScopeType.CFI_CODE):
        return asked
    return replace(asked, instrument_ids=frozenset({max(asked.instrument_ids or {0})}))


@looks(328)
def status_ignores_the_security_type(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 5 shows every security type."""
    return replace(asked, instrument_ids=None) if _is(request, ScopeType.SECURITY_TYPE) else asked


@looks(329)
def status_ignores_the_trading_session(asked: CancelSelector, request: Any) -> CancelSelector:
    """Scope 6 shows every trading session."""
    return replace(asked, instrument_ids=None) if _is(request, ScopeType.TRADING_SESSION) else asked


@looks(330)
def status_ignores_the_side(asked: CancelSelector, _: Any) -> CancelSelector:
    """Side(54) of a mass status request is ignored."""
    return replace(asked, side=None)


@looks(331)
def status_ignores_the_account(asked: CancelSelector, request: Any) -> CancelSelector:
    """Account(1) of a mass status request is ignored."""
    if asked.account_id is None:
        return asked
    return replace(asked, account_id=None, user_id=request.user_id)


@fault(332, oms, "mass_status")
def closed_orders_are_shown(original: Any, state: OmsState, request: Any, at: Any) -> Any:
    """A mass status request shows orders that are closed."""
    replies, rule = original(state, request, at)
    asked = narrow.read_selector(state, request, state.users[request.user_id])
    known = state.book.history(asked.selector, None, 2)  # type: ignore[union-attr]
    closed = [OrderState(order, at, request, total=len(replies)) for order in known if not order.is_open]
    return [*closed, *replies], rule


@fault(333, status, "read_selector")
def party_scope_is_unknown(original: Any, state: Any, request: Any, user: Any) -> Any:
    """Scope 8 is refused."""
    return (
        invalid("scope 8", Subject.USER) if _is(request, ScopeType.PARTY) else original(state, request, user)
    )


def _granted(original: Any, rule: str, *args: Any) -> Ruling:
    ruling: Ruling = original(*args)
    return YES if ruling.rule == rule else ruling


@fault(334, permissions, "may_look_at_all")
def foreign_accounts_are_shown(original: Any, *args: Any) -> Ruling:
    """Any Account(1) can be looked at by anybody."""
    return _granted(original, "account-not-own", *args)


@fault(335, permissions, "may_look_at_all")
def traders_see_everything(original: Any, *args: Any) -> Ruling:
    """All users of the OMS can be looked at by anybody."""
    return _granted(original, "all-users-needs-operator", *args)


@written(336)
def reason_is_always_other(report: Written) -> None:
    """BusinessRejectReason(380) is 0 whatever is wrong."""
    if report.has((35, "j")):
        report.put(380, "0")


@fault(337, permissions, "may_look_at_all")
def readers_see_no_account(original: Any, user: Any, selector: Any) -> Any:
    """Who may look at an account gets no list of its orders."""
    return original(user, selector) if user.is_trader or user.is_operator else Ruling(False, "wrong", "no")


@written(338)
def mass_request_id_is_not_repeated(report: Written) -> None:
    """MassStatusReqID(584) is another one."""
    if report.get(584):
        report.put(584, "another")


@fault(339, oms, "mass_status")
def pending_orders_are_not_shown(original: Any, *args: Any) -> Any:
    """An order whose cancel is pending is not among the open ones."""
    replies, rule = original(*args)
    kept = [
        one for one in replies if not (one.order is not None and one.order.status is OrdStatus.PENDING_CANCEL)
    ]
    return kept, rule


@fault(340, oms, "mass_status")
def stops_are_not_shown(original: Any, *args: Any) -> Any:
    """A stop that waits for its trigger is not among the open orders."""
    replies, rule = original(*args)
    return [one for one in replies if one.order is None or not one.order.waits_for_trigger], rule


@fault(341, permissions, "may_look_at_all")
def foreign_users_are_shown(original: Any, *args: Any) -> Ruling:
    """Any user can be looked at by anybody."""
    return _granted(original, "user-not-self", *args)


@written(315)
def request_id_of_an_unknown_order_is_lost(report: Written) -> None:
    """OrdStatusReqID(790) is repeated for known orders only."""
    if report.has((37, "NONE")):
        report.drop(790)


@looks(342)
def account_lifts_the_side(asked: CancelSelector, _: Any) -> CancelSelector:
    """With an Account(1) the Side(54) of a mass status request is ignored."""
    return replace(asked, side=None) if asked.account_id is not None else asked
