"""Faults around ids that are used twice and PossResend(97)=Y: scenarios 150 to 169."""

from datetime import datetime
from typing import Any

from fixgw.core import repetition
from fixgw.core.errors import ALREADY_PENDING, Failure, Refusal, failed
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport, OrderRefused, OrderState
from fixgw.core.requests import CancelOrder, MassCancel, NewOrder
from fixgw.core.state import OmsState
from tests.mutants.switch import fault

TWICE = failed("used before", Failure.DUPLICATE_CL_ORD_ID)


@fault(150, repetition, "answer")
def duplicate_order_is_taken(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A second order with the same ClOrdID(11) is entered."""
    if isinstance(request, NewOrder) and not request.poss_resend:
        return None
    return original(state, request, at)


@fault(151, repetition, "answer")
def id_is_free_when_the_order_is_closed(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A ClOrdID(11) may be used again as soon as its order is canceled."""
    if isinstance(request, NewOrder) and not any(
        order.is_open for order in state.book.named(request.cl_ord_id or "")
    ):
        return None
    return original(state, request, at)


@fault(111, repetition, "answer")
def order_is_entered_again(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """An order that comes again with PossResend(97)=Y is entered twice."""
    if isinstance(request, NewOrder) and request.poss_resend:
        return None
    return original(state, request, at)


@fault(153, repetition, "answer")
def poss_resend_is_always_a_duplicate(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """What has PossResend(97)=Y is refused although it comes for the first time."""
    return original(state, request, at) or (TWICE if request.poss_resend else None)


@fault(154, repetition, "answer")
def content_is_not_compared(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A different order with PossResend(97)=Y is taken for the first one."""
    found = original(state, request, at)
    orders = state.book.named(request.cl_ord_id or "")
    if isinstance(found, Refusal) and isinstance(request, NewOrder) and request.poss_resend and orders:
        return OrderState(orders[0], at, request)
    return found


@fault(155, repetition, "answer")
def orders_and_cancels_have_ids_of_their_own(
    original: Any, state: OmsState, request: Any, at: datetime
) -> Any:
    """A cancel may have the ClOrdID(11) of an order."""
    if isinstance(request, CancelOrder) and state.book.named(request.cl_ord_id or ""):
        return None
    return original(state, request, at)


@fault(156, repetition, "answer")
def duplicate_cancel_is_taken(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A second cancel with the same ClOrdID(11) is looked at as if it were a new one."""
    if isinstance(request, CancelOrder) and not state.book.named(request.cl_ord_id or ""):
        return None
    return original(state, request, at)


@fault(157, repetition, "answer")
def repeated_cancel_is_a_duplicate(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A cancel that comes again with PossResend(97)=Y is refused."""
    found = original(state, request, at)
    return TWICE if isinstance(request, CancelOrder) and found is not None else found


@fault(158, repetition, "answer")
def duplicate_mass_cancel_is_taken(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A second mass cancel with the same ClOrdID(11) is carried out."""
    if isinstance(request, MassCancel) and not request.poss_resend:
        return None
    return original(state, request, at)


@fault(159, repetition, "answer")
def mass_cancel_is_done_twice(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A mass cancel that comes again with PossResend(97)=Y cancels what was entered meanwhile."""
    if isinstance(request, MassCancel) and request.poss_resend:
        return None
    return original(state, request, at)


@fault(160, repetition, "answer")
def another_mass_cancel_is_the_same(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A different mass cancel with PossResend(97)=Y gets the answer of the first one."""
    found = original(state, request, at)
    if isinstance(found, Refusal) and isinstance(request, MassCancel) and request.poss_resend:
        answers = [use.answer for use in state.book.uses(request.cl_ord_id or "") if use.answer is not None]
        return answers[0] if answers else found
    return found


@fault(161, repetition, "answer")
def refused_requests_leave_their_id_free(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A ClOrdID(11) that was answered with a refusal may be used again."""
    is_done = any(one.request.cl_ord_id == request.cl_ord_id for one in state.mass_cancels.values())
    is_order = bool(state.book.named(request.cl_ord_id or ""))
    return None if not is_done and not is_order else original(state, request, at)


@fault(162, repetition, "answer")
def permission_comes_before_duplicates(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """Somebody without rights is told so before it is seen that the ClOrdID(11) was used."""
    user = state.users[request.user_id]
    if isinstance(request, MassCancel) and request.account_id not in (None, *user.account_ids):
        return None
    return original(state, request, at)


@fault(163, repetition, "answer")
def ids_are_one_users_only(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A colleague may enter an order with the ClOrdID(11) of an open one in the shared account."""
    named = state.book.named(request.cl_ord_id or "")
    if isinstance(request, NewOrder) and all(not order.is_of(request.user_id) for order in named):
        return None
    return original(state, request, at)


@fault(164, repetition, "answer")
def closed_order_is_a_duplicate(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """An order that comes again with PossResend(97)=Y after its end is refused."""
    found = original(state, request, at)
    is_closed = isinstance(found, OrderState) and found.order is not None and not found.order.is_open
    return TWICE if is_closed else found


@fault(165, repetition, "answer")
def repeated_pending_cancel_is_rejected(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A cancel that comes again with PossResend(97)=Y while it is pending is rejected."""
    found = original(state, request, at)
    is_pending = isinstance(found, Execution) and found.exec_type is ExecType.PENDING_CANCEL
    return ALREADY_PENDING if is_pending else found


@fault(166, repetition, "answer")
def rejected_cancel_is_tried_again(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A cancel that was rejected and comes again with PossResend(97)=Y is carried out."""
    found = original(state, request, at)
    return None if isinstance(found, CancelReject) else found


@fault(167, repetition, "answer")
def refused_mass_cancel_is_a_duplicate(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """A mass cancel that was refused and comes again with PossResend(97)=Y is called a duplicate."""
    found = original(state, request, at)
    is_refused = isinstance(found, MassCancelReport) and found.refusal is not None
    return TWICE if is_refused else found


@fault(168, repetition, "answer")
def rejected_order_is_rejected_again(original: Any, state: OmsState, request: Any, at: datetime) -> Any:
    """The rejection of an order is told again as if it had happened again."""
    found = original(state, request, at)
    return found.refusal if isinstance(found, OrderRefused) else found
