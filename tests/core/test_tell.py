"""Who is told what: the requester his answer, the order's own session the end; 533 = final 8s + 9s.

More than 500 lines, because every event is told for each kind of requester.
"""

from decimal import Decimal
from typing import Any

import pytest

from fixgw.core.decision import Decision, refuse
from fixgw.core.directory import DefaultScope
from fixgw.core.errors import Failure, failed, invalid, not_authorized, server_error
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    DayEnded,
    Event,
    MassCancelAccepted,
    MassCancelRequested,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
    RequestRefused,
)
from fixgw.core.order import Order, OrdStatus
from fixgw.core.reports import (
    BusinessReject,
    CancelReject,
    ExecType,
    Execution,
    MassCancelReport,
    OrderRefused,
    Report,
)
from fixgw.core.requests import FillOrder, OrderAnswer, RequestKind, TriggerOrder
from fixgw.core.selector import CancelSelector
from fixgw.core.tell import UNSOLICITED, tell
from tests.core.build import (
    AT,
    COLLEAGUE,
    DAY_START,
    OPERATOR,
    SESSIONS,
    SHARED,
    TRADER,
    Bench,
    cancel,
    directory,
    in_status,
    malformed,
    mass_cancel,
    mass_status,
    new_order,
    order,
    order_status,
    ref,
    state,
    stop_order,
)

OWNER, ASKER = SESSIONS[TRADER], SESSIONS[COLLEAGUE]
OPS = SESSIONS[OPERATOR]


def brief(report: Report) -> str:
    """A report in a line: its message, what it is, 11, 41, 39, and what else matters."""
    match report:
        case Execution():
            words = [f"8 {report.exec_type.name}", f"11={report.cl_ord_id}"]
            if report.orig_cl_ord_id is not None:
                words.append(f"41={report.orig_cl_ord_id}")
            words.append(f"39={report.order.status.value}")
            if report.last_qty is not None:
                words.append(f"32={report.last_qty} 31={report.last_px}")
            if report.text is not None:
                words.append(f"58={report.text}")
        case CancelReject():
            words = ["9", f"11={report.cl_ord_id}", f"41={report.orig_cl_ord_id}"]
            words.append(f"39={report.order.status if report.order else 8}")
            words.append(str(report.refusal.failure or report.refusal.code.value))
        case MassCancelReport(refusal=None):
            words = ["r", f"11={report.request.cl_ord_id}", f"37={report.mass_cancel_id}"]
            words.append(f"533={report.total_affected}")
            words.append(f"534={','.join(f'{number}/{name}' for number, name in report.affected)}")
            if report.completed:
                words.append(f"completed 1370={','.join(f'{n}/{name}' for n, name in report.not_affected)}")
        case _:
            words = [type(report).__name__]
    return " ".join(words)


def told(bench: Bench) -> list[tuple[str, str]]:
    return [(session, brief(report)) for session, report in bench.take_told()]


def bench_of(*orders: Order, always_pending: bool = False, **sessions: dict[str, Any]) -> Bench:
    """A bench of the reference configuration; `TRADER37={...}` changes a session's settings."""
    return Bench(state(*orders, reference_data=directory(sessions=sessions)), always_pending=always_pending)


def of(event: Event, before: Order | None, after: Order | None, *orders: Order) -> list[tuple[str, Report]]:
    """What `event` alone tells, with every pending cancel shown and 5 as the next ExecID."""
    return list(
        tell(
            state(*orders),
            event,
            before,
            after,
            next_exec_id=lambda: 5,
            shows_pending=lambda _session, _id: True,
        )
    )


# entered


def test_an_entered_order_is_told_to_its_session() -> None:
    """D that is accepted: one 8 with 150=0 on the session it came from."""
    assert of(OrderEntered(order(1)), None, order(1)) == [
        (OWNER, Execution(ExecType.NEW, 5, order(1), "o1", order(1).entered_at))
    ]


def test_an_order_without_a_session_is_told_to_nobody() -> None:
    """An order whose user has no session is told to nobody."""
    assert of(OrderEntered(order(1, session=None)), None, order(1, session=None)) == []


@pytest.mark.parametrize("user_id", [TRADER, OPERATOR])
def test_an_order_from_another_door_is_told_to_its_user_s_first_session(user_id: int) -> None:
    """For an order from another door its user's first configured session is told, whoever entered it."""
    bench = bench_of()
    bench.ask(new_order(user_id, session=None, owner_id=TRADER, account_id=SHARED, cl_ord_id="x"))
    bench.take_told()
    bench.say(OrderAnswer(100))
    assert told(bench) == [(OWNER, f"8 CANCELED 11=x 39=4 58={UNSOLICITED}")]


# refused


def test_each_request_is_refused_with_its_own_message() -> None:
    """Every request gets exactly one first answer: its refusal in an 8, a 9 or an r."""
    no = not_authorized("no")
    answers = [
        of(RequestRefused(request, no, AT), None, None) for request in (new_order(), cancel(), mass_cancel())
    ]
    assert answers == [
        [(OWNER, OrderRefused(5, new_order(), no, AT))],
        [(OWNER, CancelReject("c1", None, None, no, AT))],
        [(OWNER, MassCancelReport(0, mass_cancel(), AT, no))],
    ]


@pytest.mark.parametrize("kind", "DFq")
def test_each_malformed_request_too(kind: str) -> None:
    """F without OrderQty(38) is a 9, D the same an 8, q an r: with what could be read of it."""
    request = malformed(RequestKind(kind), orig_cl_ord_id="o1")
    expected: dict[str, Report] = {
        "D": OrderRefused(5, request, request.refusal, AT),
        "F": CancelReject("m1", "o1", None, request.refusal, AT),
        "q": MassCancelReport(0, request, AT, request.refusal),
    }
    assert of(RequestRefused(request, request.refusal, AT), None, None) == [(OWNER, expected[kind])]


@pytest.mark.parametrize("make", [order_status, mass_status])
def test_a_status_request_that_failed_by_our_mistake_gets_a_reject(make: Any) -> None:
    """102 on H and AF is a j as every other refusal of them: exactly one first answer, always."""
    request, broken = make(), server_error("an internal error; nothing was changed")
    msg_type, ref_id = ("H", "o1") if make is order_status else ("AF", "s1")
    reject = BusinessReject(2, msg_type, broken, ref_id)
    assert refuse(request, broken, AT, "our-mistake") == Decision(
        replies=(reject,), rule="our-mistake", refusal=broken
    )


@pytest.mark.parametrize("make", [order_status, mass_status])
def test_a_refused_status_request_is_no_event(make: Any) -> None:
    """H and AF use up no id and leave no event: one that says so is our bug."""
    with pytest.raises(AssertionError):
        of(RequestRefused(make(), invalid("x"), AT), None, None)


def test_the_refusal_of_a_cancel_names_its_order_where_that_is_certain() -> None:
    """9 carries the order's OrderID(37), its ClOrdID in 41 and its real 39; else 41 as it was asked."""
    late = failed("too late", Failure.TOO_LATE)
    filled = in_status(OrdStatus.FILLED)
    assert of(RequestRefused(cancel(), late, AT, 1), None, None, filled) == [
        (OWNER, CancelReject("c1", "o1", filled, late, AT))
    ]
    asked = cancel(orig_cl_ord_id="nope")
    assert of(RequestRefused(asked, late, AT), None, None) == [
        (OWNER, CancelReject("c1", "nope", None, late, AT))
    ]


def test_a_duplicate_order_is_told_of_the_existing_one() -> None:
    """The 8 that refuses a duplicate D has the 39 of the existing order."""
    again = failed("ClOrdID(11)=o1 was used before", Failure.DUPLICATE_CL_ORD_ID)
    assert of(RequestRefused(new_order(), again, AT, 1), None, None, order(1)) == [
        (OWNER, OrderRefused(5, new_order(), again, AT, order(1)))
    ]


def test_a_refused_request_of_another_door_is_told_to_no_session() -> None:
    """A request that came on no session is answered by its own door."""
    for request in (new_order(session=None), cancel(session=None), mass_cancel(session=None)):
        assert of(RequestRefused(request, invalid("x"), AT), None, None) == []


# one cancel

CANCELS = [
    # who asks, and what he and the owner are told when the order is canceled
    (TRADER, [(OWNER, "8 CANCELED 11=c1 41=o1 39=4")]),
    (COLLEAGUE, [(ASKER, "8 CANCELED 11=c1 41=o1 39=4"), (OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}")]),
    (OPERATOR, [(OPS, "8 CANCELED 11=c1 41=o1 39=4"), (OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}")]),
]


@pytest.mark.parametrize(("user_id", "expected"), CANCELS)
def test_the_requester_gets_his_answer_and_the_owner_the_end(
    user_id: int, expected: list[tuple[str, str]]
) -> None:
    """150=4 with 11 = the cancel's and 41 = the order's; the owner's own session: 11 = the order's, no 41."""
    bench = bench_of(order(1))
    bench.ask(cancel(user_id))
    assert told(bench) == expected


def test_the_text_of_an_unsolicited_end_names_no_one() -> None:
    """The owner's session is not told who ended his order."""
    assert not any(name in UNSOLICITED for name in (*SESSIONS.values(), *map(str, SESSIONS)))


def test_a_cancel_of_another_door_is_unsolicited_for_the_owner() -> None:
    """A requester without a session: the owner's session gets the end, unsolicited."""
    bench = bench_of(order(1))
    bench.ask(cancel(session=None))
    assert told(bench) == [(OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}")]


def test_an_end_that_nobody_asked_for() -> None:
    """What a venue cancels by itself is reported as unsolicited."""
    bench = bench_of(order(1))
    bench.say(OrderAnswer(1))
    assert told(bench) == [(OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}")]


def test_an_order_of_no_session_ends_unheard() -> None:
    """An order without a session: only who asked for the cancel is told."""
    bench = bench_of(order(1, session=None), order(2, session=None))
    bench.ask(cancel())
    assert told(bench) == [(OWNER, "8 CANCELED 11=c1 41=o1 39=4")]
    bench.say(OrderAnswer(2))
    assert told(bench) == []


def test_one_event_has_one_exec_id() -> None:
    """Requester and owner are told of the same event: one ExecID(17), one report per session."""
    bench = bench_of(order(1))
    bench.ask(cancel(OPERATOR))
    ids = [report.exec_id for _, report in bench.take_told() if isinstance(report, Execution)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_an_order_without_a_client_order_id() -> None:
    """Entered elsewhere: 11 left out of unsolicited 8s, 41=NONE where the cancel is answered."""
    bench = bench_of(order(1, cl_ord_id=None))
    bench.ask(cancel(COLLEAGUE))
    assert told(bench) == [
        (ASKER, "8 CANCELED 11=c1 41=NONE 39=4"),
        (OWNER, f"8 CANCELED 11=None 39=4 58={UNSOLICITED}"),
    ]


# pending


@pytest.mark.parametrize("user_id", [TRADER, COLLEAGUE])
def test_a_pending_cancel_is_told_to_the_requester_only(user_id: int) -> None:
    """8 with 150=6 if the end is not known in the same turn; the owner's session gets only the end."""
    bench = bench_of(order(1))
    bench.holds = True
    bench.ask(cancel(user_id))
    assert told(bench) == [(SESSIONS[user_id], "8 PENDING_CANCEL 11=c1 41=o1 39=6")]
    bench.release()
    assert told(bench)[0] == (SESSIONS[user_id], "8 CANCELED 11=c1 41=o1 39=4")


def test_a_pending_cancel_of_another_door_is_told_to_no_session() -> None:
    """A requester without a session gets no 150=6, nor does the owner."""
    bench = bench_of(order(1))
    bench.holds = True
    bench.ask(cancel(session=None))
    assert told(bench) == []


def test_pending_cancel_always() -> None:
    """`pending_cancel = "always"` sends 150=6 also when the end is known at once, before it."""
    bench = bench_of(order(1), order(2), always_pending=True)
    bench.ask(cancel())
    assert told(bench) == [
        (OWNER, "8 PENDING_CANCEL 11=c1 41=o1 39=6"),
        (OWNER, "8 CANCELED 11=c1 41=o1 39=4"),
    ]
    bench.ask(mass_cancel(OPERATOR))
    assert [line for _, line in told(bench)] == [
        "r 11=q1 37=101 533=1 534=2/o2",
        "8 PENDING_CANCEL 11=q1 41=o2 39=6",
        "8 CANCELED 11=q1 41=o2 39=4",
        f"8 CANCELED 11=o2 39=4 58={UNSOLICITED}",
    ]


# while a cancel is pending


def pending_bench(user_id: int) -> Bench:
    bench = bench_of(order(1))
    bench.holds = True
    bench.ask(cancel(user_id))
    bench.take_told()
    return bench


@pytest.mark.parametrize("user_id", [TRADER, COLLEAGUE])
def test_a_fill_while_a_cancel_is_pending(user_id: int) -> None:
    """8 150=F with 11 = the order's own id and 39=6, to the order's session."""
    bench = pending_bench(user_id)
    bench.say(FillOrder(1, Decimal(4)))
    assert told(bench) == [(OWNER, "8 TRADE 11=o1 39=6 32=4 31=100")]


@pytest.mark.parametrize("user_id", [TRADER, COLLEAGUE])
def test_the_fill_that_completes_the_order_refuses_the_cancel(user_id: int) -> None:
    """The fill that completes the order has 39=2, and then 9 with 39=2 and too late."""
    bench = pending_bench(user_id)
    bench.say(FillOrder(1, Decimal(10)))
    assert told(bench) == [
        (OWNER, "8 TRADE 11=o1 39=2 32=10 31=100"),
        (SESSIONS[user_id], "9 11=c1 41=o1 39=2 too_late"),
    ]


@pytest.mark.parametrize("user_id", [TRADER, COLLEAGUE])
def test_an_expiry_refuses_the_cancel(user_id: int) -> None:
    """An order that expires while its cancel is pending: 8 150=C, then 9 with 39=C and too late."""
    bench = pending_bench(user_id)
    bench.apply(OrderExpired(1, AT))
    assert told(bench) == [
        (OWNER, "8 EXPIRED 11=o1 39=C"),
        (SESSIONS[user_id], "9 11=c1 41=o1 39=C too_late"),
    ]


@pytest.mark.parametrize("user_id", [TRADER, COLLEAGUE])
def test_a_venue_that_refuses_the_cancel(user_id: int) -> None:
    """Refused: 9 with the order's real 39 to the requester; the owner's order did not end, he is not told."""
    bench = pending_bench(user_id)
    bench.say(OrderAnswer(1, "in the auction"))
    assert told(bench) == [(SESSIONS[user_id], "9 11=c1 41=o1 39=0 101")]


def test_a_refused_cancel_of_another_door_is_told_to_no_session() -> None:
    """The same for a requester without a session: nobody is told, and a fill goes to the owner alone."""
    bench = bench_of(order(1))
    bench.holds = True
    bench.ask(cancel(session=None))
    bench.say(OrderAnswer(1, "in the auction"))
    assert told(bench) == []
    bench.ask(cancel(session=None, cl_ord_id="c2"))
    bench.say(FillOrder(1, Decimal(10)))
    assert told(bench) == [(OWNER, "8 TRADE 11=o1 39=2 32=10 31=100")]


def test_a_trigger_while_a_cancel_is_pending() -> None:
    """A trigger is told to the order's session and answers no cancel."""
    bench = bench_of(stop_order(1))
    bench.holds = True
    bench.ask(cancel())
    bench.take_told()
    bench.say(TriggerOrder(1))
    assert told(bench) == [(OWNER, "8 RESTATED 11=o1 39=6 58=triggered")]


# without a cancel


@pytest.mark.parametrize(
    ("held", "event", "line"),
    [
        (order(1), OrderFilled(1, Decimal(4), Decimal(99), AT), "8 TRADE 11=o1 39=1 32=4 31=99"),
        (order(1), OrderFilled(1, Decimal(10), Decimal(99), AT), "8 TRADE 11=o1 39=2 32=10 31=99"),
        (stop_order(1), OrderTriggered(1, AT), "8 RESTATED 11=o1 39=0 58=triggered"),
        (order(1), OrderExpired(1, AT), "8 EXPIRED 11=o1 39=C"),
        (order(1), OrderCanceled(1, AT), f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}"),
    ],
)
def test_what_happens_to_an_order_is_told_to_its_session(held: Order, event: Event, line: str) -> None:
    """The session that an order came from is told what happens to it."""
    bench = bench_of(held)
    bench.apply(event)
    assert told(bench) == [(OWNER, line)]


def test_what_is_told_to_nobody() -> None:
    """That a mass cancel was asked for, and that a day ended, is told by what follows from it."""
    requested = MassCancelRequested(100, mass_cancel(), CancelSelector(1), AT)
    assert of(requested, None, None) == []
    assert of(DayEnded(1, DAY_START), None, None) == []
    assert of(CancelRequested(1, ref(), AT), None, None) == []


@pytest.mark.parametrize("event", [OrderCanceled(1, AT), CancelRefused(1, failed("no"), AT)])
def test_a_change_of_no_order_is_our_bug(event: Event) -> None:
    """An event of an order comes with the order before and after: without them the fault is ours."""
    with pytest.raises(AssertionError):
        of(event, order(1), None)
    with pytest.raises(AssertionError):
        of(event, None, order(1))


# mass cancels


def test_r_comes_first_then_one_end_for_each_order() -> None:
    """r first with 533 and the group, then for each order one 8 with 11 = q's and 41 = the order's."""
    bench = bench_of(order(2), order(1))
    bench.ask(mass_cancel())
    assert told(bench) == [
        (OWNER, "r 11=q1 37=100 533=2 534=1/o1,2/o2"),
        (OWNER, "8 CANCELED 11=q1 41=o1 39=4"),
        (OWNER, "8 CANCELED 11=q1 41=o2 39=4"),
    ]


def test_nothing_to_cancel_is_a_success() -> None:
    """533=0 is a success."""
    bench = bench_of()
    bench.ask(mass_cancel())
    assert told(bench) == [(OWNER, "r 11=q1 37=100 533=0 534=")]


def test_a_mass_cancel_that_ends_in_every_way() -> None:
    """Final 8s and 9s are 533 in number: canceled, refused, filled, expired, and already pending at once."""
    pending = in_status(OrdStatus.PENDING_CANCEL, 5, pending_cancel=ref(COLLEAGUE, "c0"))
    bench = bench_of(*(order(number) for number in range(1, 5)), pending)
    bench.holds = True
    bench.ask(mass_cancel(OPERATOR))
    assert told(bench) == [
        (OPS, "r 11=q1 37=100 533=5 534=1/o1,2/o2,3/o3,4/o4,5/o5"),
        (OPS, "9 11=q1 41=o5 39=6 already_pending"),
        *((OPS, f"8 PENDING_CANCEL 11=q1 41=o{number} 39=6") for number in range(1, 5)),
    ]
    bench.say(OrderAnswer(1))
    bench.say(OrderAnswer(2, "in the auction"))
    bench.say(FillOrder(3, Decimal(3)))
    bench.say(FillOrder(3, Decimal(7)))
    bench.apply(OrderExpired(4, AT))
    bench.say(OrderAnswer(5))
    assert told(bench) == [
        (OPS, "8 CANCELED 11=q1 41=o1 39=4"),
        (OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}"),
        (OPS, "9 11=q1 41=o2 39=0 101"),
        (OWNER, "8 TRADE 11=o3 39=6 32=3 31=100"),
        (OWNER, "8 TRADE 11=o3 39=2 32=7 31=100"),
        (OPS, "9 11=q1 41=o3 39=2 too_late"),
        (OWNER, "8 EXPIRED 11=o4 39=C"),
        (OPS, "9 11=q1 41=o4 39=C too_late"),
        (ASKER, "8 CANCELED 11=c0 41=o5 39=4"),
        (OWNER, f"8 CANCELED 11=o5 39=4 58={UNSOLICITED}"),
    ]


def test_the_requester_s_own_orders_are_told_once() -> None:
    """One report of an event per session, never two."""
    bench = bench_of(order(1), order(2, user_id=COLLEAGUE))
    bench.ask(mass_cancel(account_id=SHARED))
    assert told(bench) == [
        (OWNER, "r 11=q1 37=100 533=2 534=1/o1,2/o2"),
        (OWNER, "8 CANCELED 11=q1 41=o1 39=4"),
        (OWNER, "8 CANCELED 11=q1 41=o2 39=4"),
        (ASKER, f"8 CANCELED 11=o2 39=4 58={UNSOLICITED}"),
    ]


@pytest.mark.parametrize(("most", "group"), [(2, "1/o1,2/o2"), (1, ""), (0, "")])
def test_the_group_of_affected_orders_has_a_bound(most: int, group: str) -> None:
    """534 when there are at most so many of them (configurable); 533 counts all the same."""
    bench = bench_of(order(1), order(2), TRADER37={"affected_orders_max": most})
    bench.ask(mass_cancel())
    assert told(bench)[0] == (OWNER, f"r 11=q1 37=100 533=2 534={group}")


def test_a_mass_cancel_of_another_door() -> None:
    """A requester without a session gets no r; each order's own session gets the end, unsolicited."""
    bench = bench_of(order(1), order(2, session=None))
    bench.ask(mass_cancel(OPERATOR, session=None))
    assert told(bench) == [(OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}")]


def test_an_order_that_ended_meanwhile_is_not_told_as_pending() -> None:
    """150=6 says that a cancel is pending: it is not sent for an order that has ended."""
    held = state(in_status(OrdStatus.CANCELED))
    held.restore(100, mass_cancel(), 1, 0, (), selector=CancelSelector(1))
    accepted = MassCancelAccepted(100, ref(cl_ord_id="q1", mass_cancel_id=100), (1,), (), AT)
    reports = tell(
        held, accepted, None, None, next_exec_id=lambda: 5, shows_pending=lambda _session, _id: True
    )
    assert [type(report) for _, report in reports] == [MassCancelReport]


# the extended dialect

EXTENDED = {"extended": True}


def test_the_extended_dialect_has_a_second_r() -> None:
    """A second r when the last order is done: same 37 and 11, 533 = canceled, 1370 = not canceled."""
    bench = bench_of(order(1), order(2), in_status(OrdStatus.PENDING_CANCEL, 3), TRADER37=EXTENDED)
    bench.refusing.add(2)
    bench.ask(mass_cancel())
    assert told(bench) == [
        (OWNER, "r 11=q1 37=100 533=3 534=1/o1,2/o2,3/o3"),
        (OWNER, "9 11=q1 41=o3 39=6 already_pending"),
        (OWNER, "8 CANCELED 11=q1 41=o1 39=4"),
        (OWNER, "9 11=q1 41=o2 39=0 101"),
        (OWNER, "r 11=q1 37=100 533=1 534= completed 1370=3/o3,2/o2"),
    ]


@pytest.mark.parametrize("orders", [(), (in_status(OrdStatus.PENDING_CANCEL, 1),)], ids=["none", "pending"])
def test_the_second_r_comes_at_once_when_nothing_is_left(orders: tuple[Order, ...]) -> None:
    """With nothing to wait for, the mass cancel is complete as soon as it is accepted."""
    bench = bench_of(*orders, TRADER37=EXTENDED)
    bench.ask(mass_cancel())
    lines = [line for _, line in told(bench)]
    group = "1/o1" if orders else ""
    assert lines[0] == f"r 11=q1 37=100 533={len(orders)} 534={group}"
    assert lines[-1] == f"r 11=q1 37=100 533=0 534= completed 1370={group}"


def test_the_second_r_waits_for_the_last_order() -> None:
    """It comes with the last end, whatever that is, and once."""
    bench = bench_of(order(1), order(2), TRADER37=EXTENDED)
    bench.holds = True
    bench.ask(mass_cancel())
    bench.say(OrderAnswer(1))
    assert not any("completed" in line for _, line in told(bench))
    bench.say(FillOrder(2, Decimal(10)))
    assert told(bench)[-1] == (OWNER, "r 11=q1 37=100 533=1 534= completed 1370=2/o2")
    bench.ask(mass_cancel(cl_ord_id="q2"))
    assert [line for _, line in told(bench)] == [
        "r 11=q2 37=101 533=0 534=",
        "r 11=q2 37=101 533=0 534= completed 1370=",
    ]


def test_the_strict_dialect_has_none() -> None:
    """A stock client's dictionary knows no second r: only the extended dialect gets it."""
    bench = bench_of(order(1), OPERATOR1=EXTENDED)
    bench.ask(mass_cancel())
    assert not any("completed" in line for _, line in told(bench))


def test_a_single_cancel_has_no_second_r() -> None:
    """The second r belongs to mass cancels."""
    bench = bench_of(order(1), TRADER37=EXTENDED)
    bench.ask(cancel())
    assert told(bench) == [(OWNER, "8 CANCELED 11=c1 41=o1 39=4")]


def test_a_requester_s_session_that_is_configured_no_more() -> None:
    """What was under way when a session was taken out of the configuration still ends for the others."""
    held = state(in_status(OrdStatus.PENDING_CANCEL, 1, pending_cancel=GONE))
    held.restore(100, mass_cancel(OPERATOR, session="GONE"), 1, 0, (), selector=CancelSelector(1))
    bench = Bench(held)
    bench.release()
    assert (OWNER, f"8 CANCELED 11=o1 39=4 58={UNSOLICITED}") in told(bench)


GONE = ref(OPERATOR, "q1", session="GONE", mass_cancel_id=100)


def test_default_scope_of_the_asking_session() -> None:
    """r counts what the session's default scope took on, not what the user could have named."""
    bench = bench_of(order(1), order(2, user_id=COLLEAGUE), TRADER38={"default_scope": DefaultScope.OWN})
    bench.ask(mass_cancel(COLLEAGUE))
    assert told(bench)[0] == (ASKER, "r 11=q1 37=100 533=1 534=2/o2")
