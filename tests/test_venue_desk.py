"""The desk and a venue outside this process: what is asked of it, and what its words lead to."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.directory import Directory, OmsName
from fixgw.core.errors import ErrorCode, Failure, Refusal
from fixgw.core.events import Event, OrderCanceled
from fixgw.core.order import OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport, OrderRefused, Report
from fixgw.core.requests import (
    CancelOrder,
    FillOrder,
    MassCancel,
    OrderAnswer,
    ScopeRead,
    TriggerOrder,
    Unknown,
    VenueDetails,
    VenueOrder,
    VenueOrders,
    VenueRequest,
    VenueStatus,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import Answered, Ask, Command, Happened, Limits
from fixgw.engine.venue_asks import (
    Believed,
    CancelOrders,
    PlaceOrder,
    ReadScope,
    VenueAsk,
    VenueHealth,
    VenueSaid,
)
from fixgw.journal.rows import entries_of
from fixgw.journal.verify import verify
from tests.test_desk import NOW, Bench
from tests.wire import cancel, mass, order

OPEN = VenueStatus.OPEN


class VenueBench(Bench):
    """A desk whose OMS 1 is on a venue outside, which is up, and of which we keep what it is asked."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[VenueAsk] = []
        self.told: list[Answered | Happened] = []
        self.journal_path = directory / "journal.db"
        super().__init__(directory, Limits())

    def restart(self, now: datetime = NOW) -> None:
        """A new desk, whose venue is served and up."""
        outside = self.directory.omses[1]
        values = {**{name: getattr(outside, name) for name in outside.__struct_fields__}, "venue": "outside"}
        self.directory = Directory(
            [type(outside)(**values)],
            self.directory.instruments.values(),
            self.directory.accounts.values(),
            self.directory.users.values(),
            self.directory.sessions.values(),
        )
        super().restart(now)
        self.desk.resume(self.door, now)
        self.desk.serve_venues(self.asked.append, [1])
        self.up()

    def up(self, *, is_up: bool = True) -> None:
        """How the venue is."""
        self.desk.venues.health(VenueHealth(1, 1, is_up=is_up, why="" if is_up else "no connection"), NOW)

    def hear(self, said: VenueRequest, now: datetime = NOW) -> list[Report]:
        """The venue says something; what is told in that turn."""
        refused: list[Refusal | None] = []
        self.desk.turn(self.door, [], [Command(said, refused.append)], now)
        assert refused == [None]
        return self.door.take()

    def hear_together(self, words: Sequence[VenueRequest]) -> tuple[list[Report], Answered]:
        """The venue says `words` in one message; what is told in that turn, and its answer."""
        answered: list[Answered | Happened] = []
        self.desk.turn(self.door, [], [], NOW, (), [(VenueSaid(7, tuple(words)), answered.append)])
        [answer] = answered
        assert isinstance(answer, Answered)
        return self.door.take(), answer

    def take(self) -> list[VenueAsk]:
        """What the venue was asked since the last call."""
        taken, self.asked[:] = list(self.asked), []
        return taken

    def resting(self, cl_ord_id: str, number: int) -> None:
        """An order that the venue has confirmed, under the id `v` and its number."""
        self.ask("D", order(cl_ord_id))
        self.hear(stands(number))
        self.take()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[VenueBench]:
    """A desk on a journal of its own."""
    made = VenueBench(tmp_path)
    made.take()
    yield made
    made.journal.close()


def stands(
    number: int, status: VenueStatus = OPEN, cum_qty: int = 0, avg_px: str = "100", **more: object
) -> VenueOrder:
    """The venue's word on one of our orders."""
    filled = Decimal(cum_qty), Decimal(avg_px)
    return VenueOrder(1, number, f"v{number}", status, *filled, **more)  # type: ignore[arg-type]


def learned(name: str, status: VenueStatus = OPEN, account_id: int = 14) -> VenueOrder:
    """The venue's word on an order that was entered there."""
    details = VenueDetails(
        account_id, 25, Side.SELL, OrdType.LIMIT, TimeInForce.GOOD_TILL_CANCEL, Decimal(3), Decimal(9)
    )
    return VenueOrder(1, 0, name, status, details=details)


def shown(reports: list[Report]) -> list[str]:
    """Each report in a few words."""
    found = []
    for report in reports:
        match report:
            case Execution():
                ids = f"11={report.cl_ord_id} 41={report.orig_cl_ord_id}"
                found.append(f"8 150={report.exec_type} 39={report.order.status} {ids}")
            case CancelReject():
                status = None if report.order is None else report.order.status
                found.append(f"9 39={status} 11={report.cl_ord_id} 41={report.orig_cl_ord_id}")
            case MassCancelReport():
                refused = "" if report.refusal is None else f" {int(report.refusal.code)}"
                found.append(f"r 533={report.total_affected}{refused}")
            case _:
                found.append(type(report).__name__)
    return found


def test_an_order_is_pending_until_its_venue_confirms_it(bench: VenueBench) -> None:
    """8 with 150=A, then 150=0; the venue is asked once, after the commit."""
    assert shown(bench.ask("D", order("a1"))) == ["8 150=A 39=A 11=a1 41=None"]
    [place] = bench.take()
    assert isinstance(place, PlaceOrder)
    assert place.order.order_id == 1
    assert bench.hear(stands(1, VenueStatus.PENDING)) == []
    assert shown(bench.hear(stands(1))) == ["8 150=0 39=0 11=a1 41=None"]
    assert bench.hear(stands(1)) == []
    assert bench.take() == []


def test_a_venue_that_rejects_an_order_gives_its_reason(bench: VenueBench) -> None:
    """8 with 150=8 and the venue's words; a cancel of it that was pending is too late."""
    bench.ask("D", order("a1"))
    [report] = bench.hear(stands(1, VenueStatus.REJECTED, text="no money"))
    assert isinstance(report, Execution)
    assert (report.exec_type, report.order.status) == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert "no money" in (report.text or "")
    bench.ask("D", order("a2"))
    assert shown(bench.ask("F", cancel("c1", "a2"))) == ["8 150=6 39=6 11=c1 41=a2"]
    told = shown(bench.hear(stands(2, VenueStatus.REJECTED)))
    assert told == ["8 150=8 39=8 11=a2 41=None", "9 39=8 11=c1 41=a2"]


def test_a_cancel_ends_when_the_venue_confirms_it(bench: VenueBench) -> None:
    """Accepted is not canceled: 150=6 at once, 150=4 when the venue says so."""
    bench.resting("a1", 1)
    assert shown(bench.ask("F", cancel("c1", "a1"))) == ["8 150=6 39=6 11=c1 41=a1"]
    [asked] = bench.take()
    assert isinstance(asked, CancelOrders)
    assert [(made.order_id, made.venue_order_id) for made in asked.orders] == [(1, "v1")]
    assert bench.hear(stands(1)) == []  # said before the venue had seen the cancel
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED))) == ["8 150=4 39=4 11=c1 41=a1"]
    assert bench.hear(stands(1)) == []
    assert bench.hear(stands(1, VenueStatus.CANCELED)) == []


def test_fills_that_overtake_a_cancel_are_told_as_fills(bench: VenueBench) -> None:
    """What was filled in all is what counts: twice or late changes nothing; then 9 with 39=2."""
    bench.resting("a1", 1)
    bench.ask("F", cancel("c1", "a1"))
    [fill] = bench.hear(stands(1, OPEN, 4, "100"))
    assert isinstance(fill, Execution)
    assert (fill.exec_type, fill.last_qty, fill.last_px) == (ExecType.TRADE, Decimal(4), Decimal(100))
    assert bench.hear(stands(1, OPEN, 4, "100")) == []
    assert bench.hear(stands(1, OPEN, 2, "100")) == []
    fill, reject = bench.hear(stands(1, VenueStatus.FILLED, 10, "103"))
    assert isinstance(fill, Execution)
    assert (fill.last_qty, fill.last_px, fill.order.avg_px) == (Decimal(6), Decimal(105), Decimal(103))
    assert isinstance(reject, CancelReject)
    assert reject.refusal.failure is Failure.TOO_LATE


def test_a_refused_cancel_leaves_the_order_as_it_was(bench: VenueBench) -> None:
    """9 with the venue's reason; an order that was not confirmed yet is pending new again."""
    bench.ask("D", order("a1"))
    bench.ask("F", cancel("c1", "a1"))
    assert shown(bench.hear(OrderAnswer(1, "unknown order"))) == ["9 39=A 11=c1 41=a1"]
    assert shown(bench.hear(stands(1))) == ["8 150=0 39=0 11=a1 41=None"]


def test_an_unknown_outcome_is_said_and_changes_nothing(bench: VenueBench) -> None:
    """The order stays pending; the client is told at once, with a clear Text."""
    bench.ask("D", order("a1"))
    [report] = bench.hear(Unknown(1, "no answer within 5 s"))
    assert shown([report]) == ["8 150=A 39=A 11=a1 41=None"]
    assert isinstance(report, Execution)
    assert report.text == "no answer within 5 s"
    bench.hear(stands(1))
    bench.ask("F", cancel("c1", "a1"))
    [report] = bench.hear(Unknown(1, "connection lost"))
    assert shown([report]) == ["8 150=6 39=6 11=c1 41=a1"]
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED))) == ["8 150=4 39=4 11=c1 41=a1"]


def test_a_mass_cancel_waits_until_its_orders_are_read(bench: VenueBench) -> None:
    """The set is fixed first, then r with 533, then the venue is asked; what is learned is in it."""
    bench.resting("a1", 1)
    assert bench.ask("q", (*mass("q1"), (1, 14))) == []
    [read] = bench.take()
    assert isinstance(read, ReadScope)
    assert read.selector.account_id == 14
    assert bench.hear(learned("X-9")) == []
    told = bench.hear(ScopeRead(1, read.mass_cancel_id))
    assert shown(told)[0] == "r 533=2"
    [report] = [report for report in told if isinstance(report, MassCancelReport)]
    assert report.affected == ((1, "a1"), ("X-9", None))
    known, asked = bench.take()
    assert isinstance(known, Believed)
    assert [made.venue_order_id for made in known.orders] == ["X-9"]
    assert isinstance(asked, CancelOrders)
    assert asked.selector == read.selector
    assert [made.venue_order_id for made in asked.orders] == ["v1", "X-9"]
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED))) == ["8 150=4 39=4 11=q1 41=a1"]
    [last] = bench.hear(learned("X-9", VenueStatus.CANCELED))
    assert isinstance(last, Execution)
    assert (last.cl_ord_id, last.orig_cl_ord_id, last.order.shown_id) == ("q1", "NONE", "X-9")
    assert not bench.desk.states[1].mass_cancels


def test_what_a_venue_is_asked_leaves_before_any_report(bench: VenueBench) -> None:
    """The reports of a large mass cancel take longer than the venue does."""
    bench.resting("a1", 1)
    asked: list[tuple[list[VenueAsk], list[Report]]] = []
    bench.desk.answers.handed_out = lambda: asked.append((bench.take(), bench.door.take()))
    assert shown(bench.ask("F", cancel("c1", "a1"))) == ["8 150=6 39=6 11=c1 41=a1"]
    [([ask], before)] = asked
    assert isinstance(ask, CancelOrders)
    assert not before


def test_a_scope_that_cannot_be_read_in_time_is_refused_and_nothing_is_sent(bench: VenueBench) -> None:
    """r with 102; the id is used up; what comes later is for nobody."""
    bench.resting("a1", 1)
    bench.ask("q", mass("q1"))
    [read] = bench.take()
    assert isinstance(read, ReadScope)
    later = NOW + timedelta(seconds=5)
    assert bench.desk.is_due(later)
    bench.desk.turn(bench.door, [], [], later)
    assert shown(bench.door.take()) == ["r 533=0 102"]
    assert bench.take() == []
    refused: list[Refusal | None] = []
    bench.desk.turn(bench.door, [], [Command(ScopeRead(1, read.mass_cancel_id), refused.append)], later)
    assert refused[0] is not None
    assert bench.door.take() == []
    assert bench.desk.states[1].book[1].status is OrdStatus.NEW
    assert not bench.desk.is_due(later)
    [report] = bench.ask("q", mass("q1"), now=later)
    assert isinstance(report, MassCancelReport)
    assert report.refusal is not None
    assert report.refusal.failure is Failure.DUPLICATE_CL_ORD_ID


def test_orders_that_were_entered_on_the_venue_are_canceled_by_their_id_there(bench: VenueBench) -> None:
    """By those whose account they are in; they have no ClOrdID; whose they are nobody knows."""
    bench.hear(learned("777"))
    bench.hear(learned("888", account_id=16))
    wanted = cancel("c1", "NONE", (37, "777"), side="2", qty=3)
    assert shown(bench.ask("F", wanted)) == ["8 150=6 39=6 11=c1 41=NONE"]
    foreign = cancel("c2", "NONE", (37, "888"), side="2", qty=3)
    assert shown(bench.ask("F", foreign)) == ["9 39=None 11=c2 41=None"]
    ours = cancel("c3", "NONE", (37, "1"), side="2", qty=3)  # our number of it names nothing
    assert shown(bench.ask("F", ours)) == ["9 39=None 11=c3 41=None"]
    assert shown(bench.ask("q", (*mass("q1"), (1, 16)))) == ["r 533=0 20"]


def test_a_restart_asks_what_became_of_everything(bench: VenueBench) -> None:
    """Nothing is sent again; a mass cancel that waits for its orders is read again."""
    bench.resting("a1", 1)
    bench.ask("D", order("a2"))
    bench.ask("F", cancel("c1", "a1"))
    bench.ask("q", mass("q1"))
    bench.take()
    bench.restart()
    believed, read = bench.take()
    assert isinstance(believed, Believed)
    assert isinstance(read, ReadScope)
    assert [(made.order_id, made.status) for made in believed.orders] == [
        (1, OrdStatus.PENDING_CANCEL),
        (2, OrdStatus.PENDING_NEW),
    ]
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED))) == ["8 150=4 39=4 11=c1 41=a1"]
    assert shown(bench.hear(ScopeRead(1, read.mass_cancel_id)))[0] == "r 533=1"


def test_the_sandbox_answers_for_no_other_venue(bench: VenueBench) -> None:
    """Its cancels are released; one that is pending elsewhere ends by the word of its own venue alone."""
    bench.resting("a1", 1)
    bench.ask("F", cancel("c1", "a1"))
    assert bench.say(HoldCancels()) == []
    assert bench.say(ReleaseCancels()) == []
    assert bench.desk.states[1].book[1].status is OrdStatus.PENDING_CANCEL


@pytest.mark.parametrize("said", [FillOrder(1, Decimal(1)), TriggerOrder(1), RefuseCancel(1, "no")])
def test_the_sandbox_does_nothing_to_an_order_that_lives_elsewhere(
    bench: VenueBench, said: FillOrder | TriggerOrder | RefuseCancel
) -> None:
    """106, and the venue is named: its own word is the only one that counts."""
    bench.resting("a1", 1)
    refused: list[Refusal | None] = []
    bench.desk.turn(bench.door, [], [Command(said, refused.append)], NOW)
    assert refused[0] is not None
    assert refused[0].code is ErrorCode.OPERATION_NOT_SUPPORTED
    assert "'outside'" in refused[0].detail
    assert bench.door.take() == []
    assert bench.desk.states[1].book[1].status is OrdStatus.NEW


def test_a_day_order_that_outlives_its_day_is_canceled_on_its_venue(bench: VenueBench) -> None:
    """A venue may have no Day orders: then it rests there as good till cancel, and we end it."""
    bench.resting("a1", 1)
    tomorrow = NOW + timedelta(days=1)
    bench.desk.turn(bench.door, [], [], tomorrow)
    [asked] = bench.take()
    assert isinstance(asked, CancelOrders)
    assert bench.door.take() == []
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED), tomorrow)) == ["8 150=4 39=4 11=a1 41=None"]


def test_an_absurd_average_price_does_no_harm(bench: VenueBench) -> None:
    """What a venue says of a price is not trusted to be one."""
    bench.resting("a1", 1)
    for status, cum_qty, price in ((OPEN, 1, "1e300"), (OPEN, 2, "-5"), (VenueStatus.FILLED, 10, "0")):
        [fill] = bench.hear(stands(1, status, cum_qty, price))
        assert isinstance(fill, Execution)
        assert fill.last_px is not None
        assert fill.last_px > 0


def test_a_venue_that_is_down_is_said(bench: VenueBench) -> None:
    """102 and nothing is sent, unless the OMS waits for it: then a cancel is taken, an order never."""
    bench.resting("a1", 1)
    bench.up(is_up=False)
    [report] = bench.ask("F", cancel("c1", "a1"))
    assert isinstance(report, CancelReject)
    assert report.refusal.code is ErrorCode.SERVER_ERROR
    assert "no connection" in report.refusal.detail
    text = report.refusal.text  # Text(58) ends where it is too long: what matters comes before the reason
    assert text.index("nothing was sent") < text.index("no connection")
    [refused] = bench.ask("D", order("a2"))
    assert isinstance(refused, OrderRefused)
    assert bench.take() == []
    bench.up()
    assert shown(bench.ask("F", cancel("c2", "a1"))) == ["8 150=6 39=6 11=c2 41=a1"]
    bench.desk.gone(bench.asked.append)


def test_an_api_client_is_answered_when_its_mass_cancel_has_its_orders(bench: VenueBench) -> None:
    """Its answer waits for the scope as r does."""
    bench.resting("a1", 1)
    request = MassCancel(user_id=37, oms=OmsName(1), scope=Scope(ScopeType.ALL), owner_id=37)
    bench.desk.turn(bench.door, [], [], NOW, [(Ask(7, "alphapoint", request), bench.told.append)])
    assert bench.told == []
    [read] = bench.take()
    assert isinstance(read, ReadScope)
    bench.hear(ScopeRead(1, read.mass_cancel_id))
    assert bench.told == [Answered(7, pending=(1,))]
    bench.desk.turn(bench.door, [], [], NOW, [(Ask(8, "alphapoint", request), bench.told.append)])
    [_, read] = bench.take()
    assert isinstance(read, ReadScope)
    bench.hear(ScopeRead(1, read.mass_cancel_id, "no connection"))
    answered = bench.told[-1]
    assert isinstance(answered, Answered)
    assert answered.refusal is not None
    assert answered.refusal.code is ErrorCode.SERVER_ERROR


def test_an_api_client_that_is_gone_is_answered_no_more(bench: VenueBench) -> None:
    """Its mass cancel goes on: only nobody waits for the answer."""
    bench.resting("a1", 1)
    request = MassCancel(user_id=37, oms=OmsName(1), scope=Scope(ScopeType.ALL), owner_id=37)
    tell = bench.told.append
    bench.desk.turn(bench.door, [], [], NOW, [(Ask(7, "alphapoint", request), tell)])
    [read] = bench.take()
    assert isinstance(read, ReadScope)
    bench.desk.gone(tell)
    assert not bench.desk.answers._mass_cancels
    bench.hear(ScopeRead(1, read.mass_cancel_id))
    assert bench.told == []
    [asked] = bench.take()
    assert isinstance(asked, CancelOrders)


def test_an_id_that_the_venue_and_we_have_given_out_never_means_the_wrong_order(bench: VenueBench) -> None:
    """The number is ours; the venue's has a word before it, which it keeps."""
    bench.resting("a1", 1)
    bench.hear(learned("1"))  # our order 1, and theirs
    [one] = [made for made in bench.desk.states[1].book if made.user_id == 0]
    assert one.shown_id == "venue:1"
    assert shown(bench.ask("F", cancel("c1", "NONE", (37, "1")))) == ["8 150=6 39=6 11=c1 41=a1"]
    theirs = cancel("c2", "NONE", (37, "venue:1"), side="2", qty=3)
    assert shown(bench.ask("F", theirs)) == ["8 150=6 39=6 11=c2 41=NONE"]
    assert [asked.orders[0].venue_order_id for asked in bench.take() if isinstance(asked, CancelOrders)] == [
        "v1",
        "1",
    ]
    unknown = cancel("c3", "NONE", (37, "venue:2"), side="2", qty=3)
    assert shown(bench.ask("F", unknown)) == ["9 39=None 11=c3 41=None"]


def test_no_id_is_given_out_that_an_order_of_the_venue_is_shown_under(bench: VenueBench) -> None:
    """So the number means that order, now and later, also after a restart."""
    bench.hear(learned("3"))  # our own id of it is 1
    bench.hear(learned("4"))
    bench.resting("a1", 5)
    [ours] = [made for made in bench.desk.states[1].book if made.user_id == 37]
    assert ours.order_id == 5
    bench.restart()
    for number in ("3", "venue:4"):
        wanted = cancel(f"c{number}", "NONE", (37, number), side="2", qty=3)
        assert shown(bench.ask("F", wanted)) == [f"8 150=6 39=6 11=c{number} 41=NONE"]


def test_an_order_of_the_venue_is_canceled_over_the_api_by_the_id_that_is_shown_there(
    bench: VenueBench,
) -> None:
    """Those clients have numbers only: it is our own."""
    bench.hear(learned("777"))
    [made] = bench.desk.states[1].book
    request = CancelOrder(user_id=37, oms=OmsName(1), order_id=made.order_id)
    bench.desk.turn(bench.door, [], [], NOW, [(Ask(7, "alphapoint", request), bench.told.append)])
    [answered] = bench.told
    assert isinstance(answered, Answered)
    assert answered.refusal is None
    assert answered.orders[0].status is OrdStatus.PENDING_CANCEL


def test_a_mass_cancel_that_is_answered_later_is_no_damage(bench: VenueBench, tmp_path: Path) -> None:
    """Its r comes when its orders are read from the venue, in a turn of its own."""
    bench.resting("a", 1)
    for name, answer in (("m-waits", None), ("m-read", ""), ("m-refused", "no connection")):
        assert bench.ask("q", mass(name)) == []
        [ask] = [ask for ask in bench.take() if isinstance(ask, ReadScope)]
        if answer is not None:
            bench.hear(ScopeRead(1, ask.mass_cancel_id, answer or None))
    assert [finding.text for finding in verify(tmp_path) if finding.is_problem] == []


MANY = 4  # orders of each example


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VenueBench, VenueBench]]:
    """Two desks that are the same."""
    made = VenueBench(tmp_path_factory.mktemp("together")), VenueBench(tmp_path_factory.mktemp("apart"))
    yield made
    for bench in made:
        bench.journal.close()


@given(
    st.sets(st.integers(0, MANY - 1)),
    st.lists(
        st.tuples(
            st.integers(0, MANY),
            st.sampled_from((VenueStatus.CANCELED, VenueStatus.CANCELED, *VenueStatus)),
            st.integers(0, 3),
        ),
        max_size=8,
    ),
)
def test_words_that_come_together_lead_to_what_each_would(
    pair: tuple[VenueBench, VenueBench], named: set[int], said: list[tuple[int, VenueStatus, int]]
) -> None:
    """Said twice, late, with fills, of orders of a mass cancel and of others: the same reports and events."""
    together, apart = pair
    told = []
    for bench in pair:
        first = bench.desk._changes.next_id
        for number in range(first, first + MANY):
            bench.resting(f"a{number}", number)
        for number in named:
            bench.ask("F", cancel(f"c{first + number}", f"a{first + number}"))
        bench.ask("q", mass(f"m{first}"))
        bench.hear(ScopeRead(1, first + MANY))
        words = [stands(first + number, status, filled) for number, status, filled in said]
        words.append(stands(first, VenueStatus.CANCELED))
        if bench is together:
            reports, answer = bench.hear_together(words)
            assert answer == Answered(7)
        else:
            reports = [report for word in words for report in bench.hear(word)]
        told.append((reports, [bench.desk.states[1].book[first + number] for number in range(MANY)]))
        bench.hear_together([stands(first + number, VenueStatus.CANCELED) for number in range(MANY)])
        assert not bench.desk.states[1].book.pending_cancels
        bench.take()
    assert told[0] == told[1]
    assert journaled(together) == journaled(apart)


def journaled(bench: VenueBench) -> list[Event]:
    """The events in the journal, one for each order."""
    with closing(sqlite3.connect(bench.journal_path)) as journal:
        rows = journal.execute("SELECT entries FROM turn WHERE entries IS NOT NULL ORDER BY seq").fetchall()
    return [event for (entries,) in rows for entry in entries_of(entries) for event in entry.events]


def test_the_ends_of_a_mass_cancel_in_one_message_are_one_event(bench: VenueBench) -> None:
    """What the venue said of each stays in the journal, and a word in between is taken in its place."""
    for number in range(1, 5):
        bench.resting(f"a{number}", number)
    bench.ask("q", mass("m1"))
    bench.hear(ScopeRead(1, 5))
    words: list[VenueRequest] = [stands(number, VenueStatus.CANCELED, text="as asked") for number in (1, 2)]
    words += [OrderAnswer(3, "no"), OrderAnswer(9), stands(4, VenueStatus.CANCELED)]
    reports, answer = bench.hear_together(words)
    assert [report.split()[0] for report in shown(reports)] == ["8", "8", "9", "8"]
    assert [order_id for order_id, _ in answer.refused] == [9]
    with closing(sqlite3.connect(bench.journal_path)) as journal:
        [(entries,)] = journal.execute("SELECT entries FROM turn ORDER BY seq DESC LIMIT 1").fetchall()
    first, refused, last = entries_of(entries)
    assert first.request == VenueOrders(tuple(words[:2]))  # type: ignore[arg-type]
    assert first.events == [OrderCanceled(number, NOW) for number in (1, 2)]
    assert refused.request == words[2]
    assert last.events == [OrderCanceled(4, NOW)]
