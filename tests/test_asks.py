"""What API clients ask, at the desk: answered after the commit, told to FIX sessions, and journaled."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import ErrorCode, Failure
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    OrderCanceled,
    OrderEntered,
    OrderFilled,
    OrderTriggered,
)
from fixgw.core.order import OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport, OrderRefused
from fixgw.core.requests import (
    ApiRequest,
    CancelOrder,
    FillOrder,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderHistory,
    OrderStatus,
    TriggerOrder,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.engine.sandbox import (
    FindVenue,
    HoldCancels,
    LoseVenue,
    RefuseCancel,
    ReleaseCancels,
    SandboxCommand,
)
from fixgw.engine.turn import Answered, Ask, Command, Happened, Limits
from fixgw.journal.contract import Batch, Entry
from tests.test_desk import NOW, Bench
from tests.wire import cancel, mass, order

OMS = OmsName(1)
ALL = Scope(ScopeType.ALL)


class ApiBench(Bench):
    """A desk that API clients ask, too."""

    def __init__(self, directory: Path) -> None:
        self.heard: list[Answered | Happened] = []
        super().__init__(directory, Limits())

    def api(self, *requests: ApiRequest) -> list[Answered]:
        """Ask in one turn; the answers."""
        asks = [
            (Ask(number, "alphapoint", request), self.heard.append) for number, request in enumerate(requests)
        ]
        before = len(self.heard)
        self.desk.turn(self.door, [], [], NOW, asks)
        found = [said for said in self.heard[before:] if isinstance(said, Answered)]
        assert [said.number for said in found] == list(range(len(requests)))
        return found

    def venue(self, said: SandboxCommand | FillOrder | TriggerOrder) -> None:
        """The venue does something."""
        self.desk.turn(self.door, [], [Command(said, lambda _: None)], NOW)

    def watch(self, *accounts: int) -> list[Happened]:
        """A list that fills with what happens to the orders of these accounts."""
        told: list[Happened] = []

        def tell(said: Answered | Happened) -> None:
            assert isinstance(said, Happened)
            told.append(said)

        self.desk.answers.watch(tell, frozenset(accounts))
        return told

    def enter(self, user_id: int = 37, **fields: object) -> int:
        """Enter an order over the API; its id."""
        [answered] = self.api(new(user_id, **fields))
        assert answered.refusal is None
        return answered.orders[0].order_id


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ApiBench]:
    """A desk on a journal of its own."""
    made = ApiBench(tmp_path)
    yield made
    made.journal.close()


def new(user_id: int = 37, **fields: object) -> NewOrder:
    """A limit order to buy 10 BTC-USD."""
    values: dict[str, object] = {
        "oms": OMS,
        "instrument": InstrumentName(security_id="25"),
        "side": Side.BUY,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        "order_qty": Decimal(10),
        "price": Decimal(100),
    }
    return NewOrder(user_id=user_id, **{**values, **fields})  # type: ignore[arg-type]


def test_an_order_of_the_api_is_told_to_its_users_first_session(bench: ApiBench) -> None:
    """For an order from the API: its user's first configured session."""
    [answered] = bench.api(new(cl_ord_id="77"))
    [made] = answered.orders
    assert (made.order_id, made.account_id, made.user_id, made.session) == (1, 14, 37, "TRADER37")
    [report] = bench.door.take()
    assert isinstance(report, Execution)
    assert (report.exec_type, report.cl_ord_id) == (ExecType.NEW, "77")
    bench.api(CancelOrder(user_id=37, oms=OMS, order_id=1))
    [report] = bench.door.take()
    assert isinstance(report, Execution)
    assert (report.exec_type, report.cl_ord_id, report.orig_cl_ord_id) == (ExecType.CANCELED, "77", None)


def test_a_cancel_over_the_api_of_a_fix_order_is_unsolicited_there(bench: ApiBench) -> None:
    """The order's own session gets the end, and no one's name."""
    bench.ask("D", order("a1"))
    [answered] = bench.api(CancelOrder(user_id=38, oms=OMS, order_id=1))
    assert answered.refusal is None
    assert [made.status for made in answered.orders] == [OrdStatus.CANCELED]
    [report] = bench.door.take()
    assert isinstance(report, Execution)
    assert (report.cl_ord_id, report.orig_cl_ord_id) == ("a1", None)
    assert report.text is not None
    assert "38" not in report.text


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (CancelOrder(user_id=37, oms=OMS, order_id=9), 104),
        (CancelOrder(user_id=50, oms=OMS, order_id=1), 20),
        (CancelOrder(user_id=39, oms=OMS, order_id=1), 104),
        (CancelOrder(user_id=37, oms=OmsName(2), order_id=1), 104),
        (MassCancel(user_id=37, oms=OMS, scope=ALL), 20),
        (MassCancel(user_id=37, oms=OMS, scope=ALL, account_id=16), 20),
        (MassStatus(user_id=37, oms=OMS, scope=ALL, req_id="api"), 20),
        (OrderHistory(user_id=37, oms=OMS, scope=ALL), 20),
        (OrderHistory(user_id=37, oms=OMS, scope=Scope(ScopeType.INSTRUMENT), account_id=14), 104),
        (OrderHistory(user_id=1, oms=OMS, scope=ALL, account_id=99), 104),
        (OrderHistory(user_id=37, oms=OMS, scope=ALL, account_id=14, side="9"), 106),
        (OrderStatus(user_id=39, oms=OMS, order_id=1), 104),
        (new(account_id=16), 20),
        (new(instrument=InstrumentName(security_id="99")), 104),
    ],
)
def test_the_api_is_refused_by_the_same_rules(bench: ApiBench, request_: ApiRequest, code: int) -> None:
    """The same checks in the same order; what is refused changes nothing."""
    bench.enter(cl_ord_id="1")
    bench.door.take()
    [answered] = bench.api(request_)
    assert answered.refusal is not None
    assert answered.refusal.code == code
    assert bench.door.take() == []
    assert bench.desk.states[1].book[1].status is OrdStatus.NEW


def test_a_client_order_id_is_used_once_whatever_the_door(bench: ApiBench) -> None:
    """Refused if this user used it, or an open order of the account has it."""
    bench.ask("D", order("7"))
    for user_id in (37, 38):
        [answered] = bench.api(new(user_id, cl_ord_id="7"))
        assert answered.refusal is not None
        assert answered.refusal.failure is Failure.DUPLICATE_CL_ORD_ID
    bench.enter(cl_ord_id="8")
    bench.door.take()
    [refused] = bench.ask("D", order("8"))
    assert isinstance(refused, OrderRefused)
    assert refused.refusal.failure is Failure.DUPLICATE_CL_ORD_ID


def test_a_mass_cancel_says_of_each_order_what_became_of_it(bench: ApiBench) -> None:
    """Canceled, not known yet, or refused with the reason; each order taken on is in one of them."""
    first, second, third, fourth = (bench.enter() for _ in range(4))
    bench.venue(HoldCancels())
    bench.api(CancelOrder(user_id=37, oms=OMS, order_id=first))
    [answered] = bench.api(MassCancel(user_id=37, oms=OMS, scope=ALL, account_id=14))
    assert answered.pending == (second, third, fourth)
    assert [(order_id, why.failure) for order_id, why in answered.refused] == [
        (first, Failure.ALREADY_PENDING)
    ]
    bench.venue(ReleaseCancels())
    fifth, sixth = bench.enter(), bench.enter()
    bench.venue(RefuseCancel(sixth, "too busy"))
    [answered] = bench.api(MassCancel(user_id=37, oms=OMS, scope=ALL, owner_id=37))
    assert answered.canceled == (fifth,)
    assert [(order_id, why.code, why.detail) for order_id, why in answered.refused] == [
        (sixth, ErrorCode.OPERATION_FAILED, "too busy")
    ]
    [answered] = bench.api(MassCancel(user_id=37, oms=OMS, scope=ALL, owner_id=37))
    assert answered.canceled == (sixth,)
    [answered] = bench.api(MassCancel(user_id=37, oms=OMS, scope=ALL, owner_id=37))
    assert (answered.refusal, answered.canceled, answered.pending, answered.refused) == (None, (), (), ())


def test_an_order_that_is_refused_its_cancel_is_shown_as_it_stands(bench: ApiBench) -> None:
    """Too late, or already pending: the order that was meant is in the answer."""
    number = bench.enter()
    bench.venue(HoldCancels())
    [answered] = bench.api(CancelOrder(user_id=37, oms=OMS, order_id=number))
    assert [made.status for made in answered.orders] == [OrdStatus.PENDING_CANCEL]
    [answered] = bench.api(CancelOrder(user_id=37, oms=OMS, order_id=number))
    assert answered.refusal is not None
    assert answered.refusal.failure is Failure.ALREADY_PENDING
    assert [made.order_id for made in answered.orders] == [number]


def test_a_user_who_is_configured_no_more_is_refused(bench: ApiBench) -> None:
    """What he asked may be on its way when the configuration changes."""
    for request in (CancelOrder(user_id=99, oms=OMS, order_id=1), new(99)):
        [answered] = bench.api(request)
        assert answered.refusal is not None
        assert answered.refusal.code is ErrorCode.NOT_AUTHORIZED


def test_status_and_open_orders_are_what_fix_shows(bench: ApiBench) -> None:
    """GetOrderStatus and GetOpenOrders mirror H and AF."""
    bench.ask("D", order("a1"))
    bench.ask("D", order("a2"))
    bench.api(CancelOrder(user_id=37, oms=OMS, order_id=1))
    status, unknown, listed, bounded = bench.api(
        OrderStatus(user_id=37, oms=OMS, order_id=1),
        OrderStatus(user_id=37, oms=OMS, order_id=5),
        MassStatus(user_id=37, oms=OMS, scope=ALL, req_id="api", account_id=14, most=1),
        MassStatus(user_id=37, oms=OMS, scope=ALL, req_id="api", account_id=14, most=0),
    )
    assert [made.status for made in status.orders] == [OrdStatus.CANCELED]
    assert unknown.refusal is not None
    assert unknown.refusal.code is ErrorCode.RESOURCE_NOT_FOUND
    assert [made.order_id for made in listed.orders] == [2]
    assert bounded.refusal is not None
    assert bounded.refusal.code is ErrorCode.OPERATION_FAILED


def test_the_history_has_open_and_closed_orders_the_last_changed_first(bench: ApiBench) -> None:
    """Those of the scope only, from `skip` on, `most` of them."""
    numbers = [bench.enter() for _ in range(5)]
    other = bench.enter(38)
    bench.enter(37, account_id=15)
    bench.api(CancelOrder(user_id=37, oms=OMS, order_id=numbers[0]))

    def history(**fields: object) -> list[int]:
        values: dict[str, object] = {"scope": ALL, "account_id": 14, **fields}
        request = OrderHistory(user_id=37, oms=OMS, **values)  # type: ignore[arg-type]
        return [made.order_id for made in bench.api(request)[0].orders]

    assert history() == [other, *reversed(numbers)]
    assert history(owner_id=37) == list(reversed(numbers))
    assert history(most=2, skip=1) == list(reversed(numbers))[:2]
    assert history(since=NOW + timedelta(seconds=1)) == []
    one_account = Scope(ScopeType.INSTRUMENT, InstrumentName(symbol="ETH-USD"))
    assert history(scope=one_account) == []


def test_what_is_only_looked_at_is_not_journaled(bench: ApiBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit trail has what can change something, with the dialect as its door."""
    entries: list[Entry] = []
    commit = bench.journal.commit

    def committed(batch: Batch) -> None:
        commit(batch)
        entries.extend(batch.entries)

    monkeypatch.setattr(bench.journal, "commit", committed)
    number = bench.enter()
    bench.api(OrderStatus(user_id=37, oms=OMS, order_id=number), OrderHistory(user_id=1, oms=OMS, scope=ALL))
    bench.api(CancelOrder(user_id=37, oms=OMS, order_id=number), CancelOrder(user_id=37, oms=OMS, order_id=9))
    found = [(entry.door, entry.kind, entry.errorcode) for entry in entries]
    assert found == [("alphapoint", "D", 0), ("alphapoint", "F", 0), ("alphapoint", "F", 104)]


def test_watchers_hear_what_happens_in_their_accounts_in_order(bench: ApiBench) -> None:
    """Whoever did it, over whatever door; what ends at once is not told as pending before."""
    fourteen, sixteen = bench.watch(14), bench.watch(16)
    bench.ask("D", order("a1"))
    stop = bench.enter(38, ord_type=OrdType.STOP, price=None, stop_px=Decimal(90))
    bench.enter(39, cl_ord_id="9")
    bench.venue(FillOrder(1, Decimal(4)))
    bench.venue(TriggerOrder(stop))
    bench.venue(HoldCancels())
    bench.ask("q", mass("q1"))
    bench.venue(RefuseCancel(1, "no"))
    bench.venue(ReleaseCancels())
    bench.ask("F", cancel("c1", "a1"))
    assert [type(told.event) for told in fourteen] == [
        OrderEntered,
        OrderEntered,
        OrderFilled,
        OrderTriggered,
        CancelRequested,
        CancelRefused,
        OrderCanceled,
    ]
    assert [type(told.event) for told in sixteen] == [OrderEntered]
    filled, requested, refused, canceled = fourteen[2], fourteen[4], fourteen[5], fourteen[6]
    assert filled.exec_id > 0
    assert requested.order.status is OrdStatus.PENDING_CANCEL
    assert requested.cancel is not None
    assert requested.cancel.mass_cancel_id is not None
    assert (refused.exec_id, refused.order.status) == (0, OrdStatus.PARTIALLY_FILLED)
    assert refused.cancel == requested.cancel
    assert canceled.cancel is not None
    assert canceled.cancel.cl_ord_id == "c1"


def test_what_is_told_stands_in_its_place_between_the_answers(bench: ApiBench) -> None:
    """A list of open orders and the events that follow it fit together."""
    bench.desk.answers.watch(bench.heard.append, frozenset({14}))
    listing = MassStatus(user_id=37, oms=OMS, scope=ALL, req_id="api", account_id=14)
    bench.api(new(), listing, new(), CancelOrder(user_id=37, oms=OMS, order_id=1))
    kinds = [type(said.event).__name__ if isinstance(said, Happened) else said.number for said in bench.heard]
    assert kinds == ["OrderEntered", 0, 1, "OrderEntered", 2, "OrderCanceled", 3]
    listed = bench.heard[2]
    assert isinstance(listed, Answered)
    assert [made.order_id for made in listed.orders] == [1]


def test_a_cancel_that_cannot_reach_the_venue_shows_its_order(bench: ApiBench) -> None:
    """OrderCancelReject(9), FIX 4.4 volume 4: OrdStatus(39) is the order's, and OrderID(37) names it."""
    bench.ask("D", order("a1"))
    bench.venue(LoseVenue())
    [report] = bench.ask("F", cancel("c1", "a1"))
    assert isinstance(report, CancelReject)
    assert report.order == bench.desk.states[1].book[1]
    assert (report.cl_ord_id, report.orig_cl_ord_id) == ("c1", "a1")


def test_a_venue_out_of_reach_is_said_and_nothing_is_changed(bench: ApiBench) -> None:
    """102 on every door; what can be answered without the venue still is; and it may come back."""
    bench.ask("D", order("a1"))
    bench.venue(LoseVenue())
    bench.restart()
    refused: list[object] = []
    refused += bench.ask("D", order("a2"))
    refused += bench.ask("F", cancel("c1", "a1"))
    refused += bench.ask("q", mass("q1"))
    for report in refused:
        assert isinstance(report, OrderRefused | CancelReject | MassCancelReport)
        assert report.refusal is not None
        assert (report.refusal.code, report.refusal.failure) == (ErrorCode.SERVER_ERROR, Failure.VENUE_AWAY)
    answers = bench.api(
        new(),
        CancelOrder(user_id=37, oms=OMS, order_id=1),
        MassCancel(user_id=37, oms=OMS, scope=ALL, owner_id=37),
        OrderStatus(user_id=37, oms=OMS, order_id=1),
        CancelOrder(user_id=37, oms=OMS, order_id=9),
    )
    codes = [0 if said.refusal is None else int(said.refusal.code) for said in answers]
    assert codes == [102, 102, 102, 0, 104]
    assert bench.desk.states[1].book[1].status is OrdStatus.NEW
    bench.venue(FindVenue())
    [report] = bench.ask("F", cancel("c2", "a1"))
    assert isinstance(report, Execution)
    assert report.exec_type is ExecType.CANCELED
