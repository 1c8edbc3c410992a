"""Faults in what is said of a mass cancel: scenarios 240 to 259 and 280 to 299."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from fixgw.core import oms
from fixgw.core.events import (
    CancelRefused,
    Event,
    MassCancelAccepted,
    OrderCanceled,
    OrderFilled,
    OrdersCanceled,
)
from fixgw.core.order import ZERO, Order, OrdStatus
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport, Outgoing, Report
from fixgw.core.tell import Told
from fixgw.engine import effects
from fixgw.fix.acceptor import Acceptor
from tests.mutants.shapes import Written, misses, tells, written
from tests.mutants.switch import fault

SCOPE_TAGS = (55, 48, 22, 311, 460, 461, 167, 336)


def _is_of_mass_cancel(before: Order | None) -> bool:
    ref = before.pending_cancel if before is not None else None
    return ref is not None and ref.mass_cancel_id is not None


@fault(240, Acceptor, "send")
def report_comes_last(
    original: Any, self: Any, session: str, reports: Sequence[Outgoing], *numbered: Any
) -> None:
    """The OrderMassCancelReport(r) comes after the ends of the orders."""
    original(self, session, sorted(reports, key=lambda one: isinstance(one, MassCancelReport)), *numbered)


@written(241)
def one_too_many(report: Written) -> None:
    """TotalAffectedOrders(533) is one too high."""
    if report.has((35, "r")) and report.get(533) not in (None, "0"):
        report.put(533, str(int(report.get(533) or 0) + 1))


@written(242)
def affected_orders_are_not_listed(report: Written) -> None:
    """NoAffectedOrders(534) is missing."""
    if report.has((35, "r")):
        report.drop(534, 41, 535)


@written(243)
def affected_orders_by_one_id(report: Written) -> None:
    """AffectedOrderID(535) is the same for all orders."""
    if report.has((35, "r")) and report.get(535):
        report.put(535, report.get(535) or "")


@written(244)
def ends_with_the_orders_id(report: Written) -> None:
    """The ends have the ClOrdID(11) of the order in the place of the request's."""
    if report.has((35, "8"), (150, "4")) and report.get(41):
        report.put(11, report.get(41) or "")


@written(245)
def ends_without_the_orders_id(report: Written) -> None:
    """The ends have no OrigClOrdID(41)."""
    if report.has((35, "8"), (150, "4")):
        report.drop(41)


@written(246)
def empty_scope_is_refused(report: Written) -> None:
    """A mass cancel that finds nothing is refused."""
    if report.has((35, "r"), (533, "0")):
        report.drop(533)
        report.put(531, "0")
        report.put(532, "99")


@written(247)
def response_is_always_all(report: Written) -> None:
    """MassCancelResponse(531) is 7 whatever was asked."""
    if report.has((35, "r")) and report.get(531) != "0":
        report.put(531, "7")


@written(248)
def scope_is_not_repeated(report: Written) -> None:
    """The report does not say which instrument it is about."""
    if report.has((35, "r")):
        report.drop(*SCOPE_TAGS)


@written(249)
def side_is_not_repeated(report: Written) -> None:
    """The report does not repeat Side(54)."""
    if report.has((35, "r")):
        report.drop(54)


@written(250)
def report_without_an_id(report: Written) -> None:
    """OrderID(37) of the report is NONE although it was accepted."""
    if report.has((35, "r")):
        report.put(37, "NONE")


@tells(251)
def refused_one_is_not_told(told: list[Told], event: Event, before: Order | None, _: Any) -> list[Told]:
    """An order that the venue did not cancel gets no end."""
    return [] if isinstance(event, CancelRefused) and _is_of_mass_cancel(before) else told


@fault(252, effects, "evolve")
def refused_one_is_gone(original: Any, state: Any, event: Event) -> Any:
    """An order that the venue did not cancel is taken for canceled later."""
    before, after = original(state, event)
    if isinstance(event, CancelRefused) and _is_of_mass_cancel(before):
        state.book.put(after.to_canceled(event.at))
    return before, after


@tells(253)
def already_pending_counts_twice(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """An order whose cancel is pending already is counted twice."""
    if not isinstance(event, MassCancelAccepted):
        return told
    more = len(event.already_pending)
    return [
        (session, replace(report, total_affected=report.total_affected + more))
        if isinstance(report, MassCancelReport)
        else (session, report)
        for session, report in told
    ]


@fault(254, oms, "_accept")
def already_pending_is_left_out(original: Any, *args: Any) -> Any:
    """An order whose cancel is pending already is not in the set."""
    return replace(original(*args), already_pending=())


@tells(255)
def pending_is_not_told(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """That a mass cancel takes time is not said of its orders."""
    if not isinstance(event, MassCancelAccepted):
        return told
    return [
        one
        for one in told
        if not (isinstance(one[1], Execution) and one[1].exec_type is ExecType.PENDING_CANCEL)
    ]


@tells(256)
def filled_one_has_no_end(told: list[Told], event: Event, before: Order | None, _: Any) -> list[Told]:
    """An order that is filled before the mass cancel reaches it gets no OrderCancelReject(9)."""
    if isinstance(event, OrderFilled) and _is_of_mass_cancel(before):
        return [one for one in told if not isinstance(one[1], CancelReject)]
    return told


@tells(257)
def fill_with_the_id_of_the_mass_cancel(
    told: list[Told], event: Event, before: Order | None, _: Any
) -> list[Told]:
    """A fill meanwhile has the ClOrdID(11) of the mass cancel."""
    ref = before.pending_cancel if before is not None else None
    if not isinstance(event, OrderFilled) or ref is None:
        return told
    return [
        (session, replace(report, cl_ord_id=ref.cl_ord_id) if isinstance(report, Execution) else report)
        for session, report in told
    ]


def _ends_of_mass_cancel(event: Event, before: Order | None) -> bool:
    return isinstance(event, OrdersCanceled) or (
        isinstance(event, OrderCanceled) and _is_of_mass_cancel(before)
    )


def _is_unsolicited(report: Report) -> bool:
    return isinstance(report, Execution) and report.orig_cl_ord_id is None


@tells(258)
def owners_are_not_told(told: list[Told], event: Event, before: Order | None, _: Any) -> list[Told]:
    """Who entered the orders does not hear of somebody else's mass cancel."""
    if not _ends_of_mass_cancel(event, before):
        return told
    return [(session, report) for session, report in told if not _is_unsolicited(report)]


@tells(259)
def orders_of_others_have_no_end(told: list[Told], event: Event, before: Order | None, _: Any) -> list[Told]:
    """Who asked gets the ends of his own orders only."""
    if not _ends_of_mass_cancel(event, before):
        return told
    return [
        (session, report)
        for session, report in told
        if not isinstance(report, Execution) or report.order.session == session
    ]


@tells(280)
def second_mass_cancel_has_no_ends(told: list[Told], event: Event, *_: Any) -> list[Told]:
    """Orders that are pending already get no end of a second mass cancel."""
    if not isinstance(event, MassCancelAccepted):
        return told
    return [one for one in told if not isinstance(one[1], CancelReject)]


@written(281)
def account_in_the_report(report: Written) -> None:
    """The report has an Account(1), which FIX 4.4 does not have there."""
    if report.has((35, "r")):
        report.put(1, "14")


@written(282)
def pending_is_an_end(report: Written) -> None:
    """Pending orders of a mass cancel are reported as canceled."""
    if report.has((35, "8"), (150, "6")):
        report.put(150, "4")
        report.put(39, "4")
        report.put(151, "0")


@tells(283)
def unsolicited_ends_of_a_mass_cancel_have_its_id(
    told: list[Told], event: Event, before: Order | None, _: Any
) -> list[Told]:
    """Owners see the ClOrdID(11) of somebody else's mass cancel."""
    if not _ends_of_mass_cancel(event, before):
        return told
    answers = [report for _, report in told if isinstance(report, Execution) and not _is_unsolicited(report)]
    return [
        (session, replace(report, cl_ord_id=answers[0].cl_ord_id))
        if isinstance(report, Execution) and _is_unsolicited(report)
        else (session, report)
        for session, report in told
    ]


@tells(290)
def end_of_a_mass_cancel_is_not_told(told: list[Told], *_: Any) -> list[Told]:
    """There is no second report when the last order has ended."""
    return [one for one in told if not (isinstance(one[1], MassCancelReport) and one[1].completed)]


@written(291)
def survivors_are_not_listed(report: Written) -> None:
    """The second report does not list the orders that were not canceled."""
    report.drop(1370, 1371, 1372)


@written(292)
def error_code_is_no_field(report: Written) -> None:
    """ErrorCode(20002) is missing."""
    report.drop(20002)


@written(293)
def reject_does_not_say_whose_order(report: Written) -> None:
    """Account(1) and the user are missing in a reject."""
    if report.has((35, "9")):
        report.drop(1, 453, 448, 447, 452)


@tells(284)
def canceler_gets_ends_that_are_not_his(
    told: list[Told], event: Event, before: Order | None, _: Any
) -> list[Told]:
    """OPERATOR1, whose mass cancel came too late, is told of the end all the same."""
    ref = before.pending_cancel if before is not None else None
    if not isinstance(event, OrderCanceled) or ref is None or ref.session in (None, "OPERATOR1"):
        return told
    return [*told, *(("OPERATOR1", report) for session, report in told if session == ref.session)]


@fault(285, effects, "evolve")
def refused_one_takes_back_its_fills(original: Any, state: Any, event: Event) -> Any:
    """After its cancel was refused an order of a mass cancel stands as it was entered."""
    before, after = original(state, event)
    if isinstance(event, CancelRefused) and _is_of_mass_cancel(before):
        after = replace(after, cum_qty=ZERO, gross_value=ZERO, status=OrdStatus.NEW)
        state.book.put(after)
    return before, after


@misses(286)
def refused_once_is_left_alone(order: Order) -> bool:
    """An order that a mass cancel could not cancel is left out of the next one."""
    return order.status is OrdStatus.NEW and order.changed_at is not None
