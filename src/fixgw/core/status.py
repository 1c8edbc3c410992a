"""Status requests: the documented way to see what a cancel did. They change nothing."""

from collections.abc import Sequence
from datetime import datetime

from fixgw.core import permissions
from fixgw.core.errors import ErrorCode, Refusal, failed, not_authorized
from fixgw.core.find import contradiction, find_order
from fixgw.core.narrow import oms_problem, read_selector, unknown_names, unsupported
from fixgw.core.reports import BusinessReject, OrderState, Report
from fixgw.core.requests import MassStatus, OrderHistory, OrderStatus
from fixgw.core.state import OmsState

Answer = tuple[Sequence[Report], str]


def order_status(state: OmsState, request: OrderStatus, at: datetime) -> Answer:
    """The answer to an Order Status Request (H): one report; and the name of the rule that decided."""
    user = state.users[request.user_id]
    oms = oms_problem(state, request, user)
    if oms is not None and oms.code is ErrorCode.INVALID_REQUEST:
        return reject_status(request, oms), "contradiction"
    may = permissions.may_look(user)
    if not may.allowed:
        return reject_status(request, not_authorized(may.why)), may.rule
    found = None
    if oms is None:
        found = find_order(state, request, lambda order: permissions.may_look_at(user, order).allowed)
    if isinstance(found, Refusal):
        return reject_status(request, found), "contradiction"
    if found is None:
        return (OrderState(None, at, request),), "unknown-order"
    if wrong := contradiction(state, request, found):
        return reject_status(request, wrong), "contradiction"
    return (OrderState(found, at, request),), permissions.may_look_at(user, found).rule


def mass_status(state: OmsState, request: MassStatus, at: datetime) -> Answer:
    """The answer to an Order Mass Status Request (AF): a report for each open order of the scope."""
    user = state.users[request.user_id]
    asked = read_selector(state, request, user)
    if isinstance(asked, Refusal):
        return reject_status(request, asked), "contradiction"
    ruling = permissions.may_look_at_all(user, asked.selector)
    if not ruling.allowed:
        return reject_status(request, not_authorized(ruling.why)), ruling.rule
    unknown = asked.unknown or unknown_names(state, user, asked.selector.account_id, asked.selector.user_id)
    if unknown is not None:
        return reject_status(request, unknown), "unknown-name"
    if cannot := unsupported(request):
        return reject_status(request, cannot), "unsupported-field"
    orders = state.book.select(asked.selector)
    most = _max_status_reports(state, request)
    if most is not None and len(orders) > most:
        bound = f"the {most} of one answer" if request.session is None else f"max_status_reports ({most})"
        refusal = failed(f"{len(orders)} orders, more than {bound}: narrow the scope")
        return reject_status(request, refusal), "max-status-reports"
    if not orders:
        return (OrderState(None, at, request, total=0, last=True),), ruling.rule
    total = len(orders)
    return [
        OrderState(order, at, request, total=total, last=number == total)
        for number, order in enumerate(orders, 1)
    ], ruling.rule


def order_history(state: OmsState, request: OrderHistory, at: datetime) -> Answer:
    """The answer to a request for orders whatever became of them: a report for each, last changed first."""
    user = state.users[request.user_id]
    asked = read_selector(state, request, user)
    if isinstance(asked, Refusal):
        return reject_status(request, asked), "contradiction"
    selector = asked.selector
    ruling = permissions.may_look_at_all(user, selector)
    if not ruling.allowed:
        return reject_status(request, not_authorized(ruling.why)), ruling.rule
    unknown = asked.unknown or unknown_names(state, user, selector.account_id, selector.user_id)
    if unknown is not None:
        return reject_status(request, unknown), "unknown-name"
    if cannot := unsupported(request):
        return reject_status(request, cannot), "unsupported-field"
    found = state.book.history(selector, request.since, request.skip + request.most)
    return [OrderState(order, at, request) for order in found[request.skip :]], ruling.rule


def _max_status_reports(state: OmsState, request: MassStatus) -> int | None:
    if request.session is None:
        return request.most
    return state.directory.sessions[request.session].max_status_reports


def reject_status(request: OrderStatus | MassStatus | OrderHistory, refusal: Refusal) -> Sequence[Report]:
    """A status request has no refusal of its own: one BusinessMessageReject."""
    ref_id = None if isinstance(request, OrderHistory) else request.req_id
    if isinstance(request, OrderStatus):
        ref_id = ref_id or request.cl_ord_id
    return (BusinessReject(request.ref_seq_num, request.kind.value, refusal, ref_id),)
