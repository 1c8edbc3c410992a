"""Faults around the cancel of one order: scenarios 101 to 149."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from fixgw.core import oms, permissions
from fixgw.core.errors import invalid
from fixgw.core.events import CancelRefused, Event, OrderCanceled, OrderTriggered, RequestRefused
from fixgw.core.order import ZERO, Order, OrdStatus
from fixgw.core.permissions import Ruling
from fixgw.core.reports import CancelReject, ExecType, Execution
from fixgw.core.requests import CancelOrder, ClientRequest
from fixgw.core.tell import UNSOLICITED, Told
from fixgw.engine import effects
from tests.mutants.shapes import Written, read, tells, written
from tests.mutants.switch import fault

YOUNG = timedelta(milliseconds=100)
"""For how long an acceptor with two threads may not know an order that it has taken."""

YES = Ruling(True, "wrong")


def is_young(order: Order) -> bool:
    """Whether the order was entered a moment ago."""
    return datetime.now(UTC) - order.entered_at < YOUNG


@written(101)
def canceled_order_leaves_something(report: Written) -> None:
    """LeavesQty(151) of a canceled order is its OrderQty(38)."""
    if report.has((35, "8"), (150, "4")):
        report.put(151, report.get(38) or "")


@written(102)
def short_sell_shown_as_sell(report: Written) -> None:
    """A short sale is reported as a sale."""
    if report.has((35, "8"), (54, "5")):
        report.put(54, "2")


@written(103)
def good_till_cancel_shown_as_day(report: Written) -> None:
    """TimeInForce(59) is not repeated."""
    if report.has((35, "8"), (59, "1")):
        report.put(59, "0")


@read(104)
def order_id_ignored(request: ClientRequest) -> ClientRequest:
    """An order is found by OrigClOrdID(41) only."""
    return replace(request, order_id=None) if isinstance(request, CancelOrder) else request


@read(105)
def order_id_wins(request: ClientRequest) -> ClientRequest:
    """With an OrderID(37), OrigClOrdID(41) is not looked at."""
    if isinstance(request, CancelOrder) and request.order_id is not None:
        return replace(request, orig_cl_ord_id=None)
    return request


@written(141)
def canceled_order_forgets_its_fills(report: Written) -> None:
    """CumQty(14) and AvgPx(6) of a canceled order are 0."""
    if report.has((35, "8"), (150, "4")) and report.get(41):
        report.put(14, "0")
        report.put(6, "0")


@written(107)
def fill_lifts_pending_cancel(report: Written) -> None:
    """A fill while a cancel is pending shows OrdStatus(39)=1."""
    if report.has((35, "8"), (150, "F"), (39, "6")):
        report.put(39, "1")


@written(108)
def filled_order_is_unknown(report: Written) -> None:
    """A cancel that came too late gets CxlRejReason(102)=1."""
    if report.has((35, "9"), (39, "2")):
        report.put(102, "1")


@written(109)
def filled_order_shown_as_canceled(report: Written) -> None:
    """The reject of a cancel of a filled order has OrdStatus(39)=4."""
    if report.has((35, "9"), (39, "2")):
        report.put(39, "4")


@tells(110)
def canceled_again(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """A cancel of a canceled order is said to have canceled it."""
    if not isinstance(event, RequestRefused):
        return told
    session, reject = told[0]
    if not isinstance(reject, CancelReject):
        return told
    if reject.order is None or reject.order.status is not OrdStatus.CANCELED:
        return told
    again = Execution(ExecType.CANCELED, 1, reject.order, reject.cl_ord_id, event.at, reject.orig_cl_ord_id)
    return [(session, again)]


@tells(112)
def unknown_order_is_not_answered(told: list[Told], *_: Any) -> list[Told]:
    """A cancel of an unknown order gets no answer at all."""
    return [one for one in told if not (isinstance(one[1], CancelReject) and one[1].order is None)]


@written(106)
def already_pending_is_too_late(report: Written) -> None:
    """A second cancel gets CxlRejReason(102)=0."""
    if report.has((35, "9"), (102, "3")):
        report.put(102, "0")


@fault(113, effects, "evolve")
def refused_cancel_takes_the_order(original: Any, state: Any, event: Event) -> Any:
    """A cancel that the venue refused is rejected, and the order is gone all the same."""
    before, after = original(state, event)
    if isinstance(event, CancelRefused) and before.pending_cancel.mass_cancel_id is None:
        state.book.put(after.to_canceled(event.at))
    return before, after


@fault(114, effects, "evolve")
def refused_cancel_stays_pending(original: Any, state: Any, event: Event) -> Any:
    """After a refused cancel the order takes no further one."""
    before, after = original(state, event)
    if isinstance(event, CancelRefused):
        state.book.put(before)
    return before, after


@written(115)
def reject_forgets_the_part_fill(report: Written) -> None:
    """The reject of a cancel of a part-filled order has OrdStatus(39)=0."""
    if report.has((35, "9"), (39, "1")):
        report.put(39, "0")


@fault(116, oms, "find_order")
def young_orders_are_unknown(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A cancel right behind its order does not find it."""
    return original(state, ask, lambda order: visible(order) and not is_young(order))


@tells(117)
def owner_is_not_told(told: list[Told], event: Event, before: Order | None, _: Order | None) -> list[Told]:
    """Who entered an order does not hear that somebody else has canceled it."""
    ref = before.pending_cancel if before is not None else None
    if not isinstance(event, OrderCanceled) or ref is None or ref.mass_cancel_id is not None:
        return told
    return [one for one in told if one[0] == ref.session]


@written(118)
def unsolicited_cancel_forgets_the_fills(report: Written) -> None:
    """CumQty(14) and AvgPx(6) are 0 in the report of an unsolicited cancel."""
    if report.has((35, "8"), (150, "4")) and report.get(41) is None:
        report.put(14, "0")
        report.put(6, "0")


@written(119)
def unsolicited_cancel_tells_who(report: Written) -> None:
    """The owner reads who has canceled his order."""
    if report.has((58, UNSOLICITED)):
        report.put(58, "canceled by OPERATOR1")


@tells(120)
def owner_gets_the_answer_of_the_canceler(
    told: list[Told], event: Event, before: Order | None, _: Order | None
) -> list[Told]:
    """The unsolicited report has the ClOrdID(11) of somebody else's request."""
    ref = before.pending_cancel if before is not None else None
    if not isinstance(event, OrderCanceled) or ref is None:
        return told
    return [
        (session, replace(report, cl_ord_id=ref.cl_ord_id, orig_cl_ord_id=report.cl_ord_id))
        if isinstance(report, Execution) and session != ref.session
        else (session, report)
        for session, report in told
    ]


@fault(121, permissions, "may_cancel")
def only_ones_own_orders(original: Any, user: Any, order: Order, scope: Any) -> Ruling:
    """A colleague's orders in a shared account are out of reach."""
    ruling: Ruling = original(user, order, scope)
    return Ruling(False, "wrong") if ruling.rule == "own-account" else ruling


@fault(122, oms, "find_order")
def newest_of_that_name(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """Of several orders with one ClOrdID the newest is taken, whosever it is."""
    named = state.book.named(ask.orig_cl_ord_id or "")
    return named[-1] if len(named) > 1 else original(state, ask, visible)


@fault(123, oms, "find_order")
def ids_are_global(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A ClOrdID alone reaches a colleague's order."""
    named = [order for order in state.book.named(ask.orig_cl_ord_id or "") if visible(order)]
    return named[-1] if len(named) == 1 else original(state, ask, visible)


@fault(124, permissions, "may_cancel")
def everybody_may_cancel_by_order_id(original: Any, user: Any, order: Order, scope: Any) -> Ruling:
    """Whoever knows an OrderID(37) cancels the order."""
    return YES if permissions.may_trade(user).allowed else original(user, order, scope)


@fault(125, oms, "contradiction")
def side_is_not_compared(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """Side(54) may be anything."""
    return original(state, replace(ask, side=None), order)


@fault(126, oms, "contradiction")
def instrument_is_not_compared(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """Symbol(55) may be anything."""
    return original(state, replace(ask, instrument=type(ask.instrument)()), order)


@fault(127, oms, "contradiction")
def quantity_is_not_compared(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """OrderQty(38) may be above the order's."""
    return original(state, replace(ask, order_qty=None), order)


@fault(128, oms, "contradiction")
def lower_quantity_is_refused(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """OrderQty(38) must be the order's to the letter."""
    if ask.order_qty < order.order_qty:
        return invalid(f"OrderQty(38)={ask.order_qty} is not the order's")
    return original(state, ask, order)


@fault(129, oms, "contradiction")
def account_is_not_compared(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """Account(1) may be anything."""
    return original(state, replace(ask, account_id=None), order)


@fault(130, oms, "find_order")
def waiting_stops_are_unknown(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """A stop order cannot be canceled before its trigger."""
    return original(state, ask, lambda order: visible(order) and not order.waits_for_trigger)


@tells(131)
def trigger_is_not_told(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """Nobody hears that a stop order was triggered."""
    return [] if isinstance(event, OrderTriggered) else told


@written(132)
def trigger_lifts_pending_cancel(report: Written) -> None:
    """A trigger while a cancel is pending shows OrdStatus(39)=0."""
    if report.has((35, "8"), (150, "D"), (39, "6")):
        report.put(39, "0")


@written(133)
def one_exec_id_for_all(report: Written) -> None:
    """Each ExecutionReport(8) has the same ExecID(17)."""
    if report.has((35, "8")):
        report.put(17, "1")


@written(134)
def another_exec_id_for_the_owner(report: Written) -> None:
    """Two sessions get two ExecID(17) of one event."""
    if report.has((58, UNSOLICITED)):
        report.put(17, f"{report.get(17)}0")


@fault(135, oms, "find_order")
def entered_by_another_is_not_his(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """An order that an operator entered for a user cannot be canceled by the user."""
    return original(state, ask, lambda order: visible(order) and order.entered_by in (None, ask.user_id))


@written(136)
def quantities_in_floats(report: Written) -> None:
    """LeavesQty(151) is calculated in binary."""
    if report.has((35, "8"), (150, "F")) and report.get(151) != "0":
        report.put(151, repr(float(report.get(38) or 0) - float(report.get(14) or 0)))


@fault(137, oms, "contradiction")
def security_id_is_not_understood(original: Any, state: Any, ask: Any, order: Order) -> Any:
    """An order is canceled by Symbol(55) only."""
    if ask.instrument.security_id is not None:
        return invalid("Symbol(55) is missing")
    return original(state, ask, order)


@written(138)
def average_is_the_last_price(report: Written) -> None:
    """AvgPx(6) is the price of the last fill."""
    if report.has((35, "8"), (150, "F")):
        report.put(6, report.get(31) or "")


@written(139)
def pending_cancel_leaves_nothing(report: Written) -> None:
    """LeavesQty(151) is 0 while a cancel is pending."""
    if report.has((35, "8"), (150, "6")):
        report.put(151, "0")


@written(140)
def reject_without_what_it_answers(report: Written) -> None:
    """An OrderCancelReject(9) says CxlRejResponseTo(434)=2, the answer to a replace."""
    if report.has((35, "9")):
        report.put(434, "2")


@written(142)
def pending_order_shown_as_new(report: Written) -> None:
    """The reject of a second cancel has OrdStatus(39)=0."""
    if report.has((35, "9"), (102, "3")):
        report.put(39, "0")


@fault(143, oms, "find_order")
def user_of_a_cancel_is_ignored(original: Any, state: Any, ask: Any, visible: Any) -> Any:
    """The user whom a cancel names is not looked at, so that a colleague's order is unknown."""
    return original(state, replace(ask, owner_id=None), visible)


@fault(144, effects, "evolve")
def refused_cancel_takes_back_the_fills(original: Any, state: Any, event: Event) -> Any:
    """After a refused cancel the order stands as it was entered."""
    before, after = original(state, event)
    if isinstance(event, CancelRefused) and before.pending_cancel.mass_cancel_id is None:
        after = replace(after, cum_qty=ZERO, gross_value=ZERO, status=OrdStatus.NEW)
        state.book.put(after)
    return before, after


@written(145)
def triggered_stop_does_not_work(report: Written) -> None:
    """WorkingIndicator(636) of a stop that was triggered and filled in part is N."""
    if report.has((35, "8"), (150, "F"), (636, "Y")):
        report.put(636, "N")
