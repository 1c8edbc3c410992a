"""`fixgw journal show`: the audit trail by order, by session and by time, read in portions."""

import json
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from fixgw.core.controls import Guard, Lock, Timer, TimerKind
from fixgw.core.disconnect import CancelOn, OnDisconnect
from fixgw.core.errors import failed
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    ControlAnswered,
    DayEnded,
    Event,
    Locked,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderAccepted,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrdersCanceled,
    OrderTriggered,
    OutcomeUnknown,
    RequestRefused,
    SessionGuarded,
    SessionLeft,
    TimerArmed,
    TimerDisarmed,
    TimerRanOut,
    Unlocked,
)
from fixgw.core.order import CancelRef
from fixgw.core.requests import MassCancel
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.journal import fold
from fixgw.journal.contract import Batch, Counters, Entry
from fixgw.journal.reading import PORTION, Reader
from fixgw.journal.show import as_json, as_text
from fixgw.journal.sqlite import SqliteJournal
from fixgw.journal.trail import Happened, Line, Told, Wanted, remembered, trail
from tests.journals import CANCELED, EXPIRED, FILLED, HELD, OLD, OPEN, PARTLY, REFUSED, live
from tests.test_desk import NOW
from tests.test_journal import order

NO = failed("the venue says no")
MASS_CANCEL = MassCancel(user_id=37, session="TRADER37", cl_ord_id="m1", scope=Scope(ScopeType.ALL))
TIMER = Timer(3, TimerKind.DEAD_MAN, "TRADER37", MASS_CANCEL, CancelSelector(1, user_id=37), NOW, 1_000)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal in which something of everything has happened."""
    return live(tmp_path_factory.mktemp("lived"))


@pytest.fixture(params=["folded", "half-folded", "without-state"])
def data(request: pytest.FixtureRequest, lived: Path, tmp_path: Path) -> Path:
    """The same journal with its state up to date, far behind, and gone: what is shown must be the same."""
    made = Path(shutil.copytree(lived, tmp_path / "data"))
    if request.param != "folded":
        (made / "state.db").unlink()
    if request.param == "half-folded":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fold, "AT_A_TIME", 11)
            patch.setattr(fold, "TIME_EVERY", 3)
            patch.setattr(fold.Fold, "catch_up", _begin_only)
            SqliteJournal(made / "journal.db").close()
        with Reader(made) as reader:
            assert reader.folded() == 11
    return made


def _begin_only(self: fold.Fold) -> None:
    """A fold that gets no further than its first transaction."""
    if self._folded == 0:
        fold.fold(self._db, 0, fold.AT_A_TIME)
        self._folded, self.folded_at = self._marks()


def shown(data: Path, wanted: Wanted) -> list[str]:
    """The lines for a person, without their times."""
    with Reader(data) as reader:
        return [as_text(line).partition("  ")[2] for line in trail(reader, wanted)]


def lines(data: Path, wanted: Wanted) -> list[Line]:
    """The lines themselves."""
    with Reader(data) as reader:
        return list(trail(reader, wanted))


def test_the_life_of_one_order(data: Path) -> None:
    """Entered by whom on which session, its cancel requested by whom and how, and how that went."""
    assert shown(data, Wanted(order_id=CANCELED)) == [
        "TRADER37 D 2, user 37  order 2 entered: BUY 10 at 100 LIMIT GOOD_TILL_CANCEL, instrument 25, "
        "account 14, for user 37 with ClOrdID canceled, TRADER37 is told (rule own-account)",
        "TRADER37 F 4, user 37  order 2: cancel requested with ClOrdID c-canceled (rule own-order)",
        "TRADER37 F 4, user 37  order 2 canceled",
        "TRADER37 F 5, user 37  request c-late for order 2 refused: Operation Failed (errorcode 101): too "
        "late to cancel, the order is CANCELED (rule too-late)",
    ]


def test_an_order_that_mass_cancels_took_on(data: Path) -> None:
    """Which mass cancel, by whom and with which ClOrdID; also one that came while another was pending."""
    assert [line.partition("user 39  ")[2] or line for line in shown(data, Wanted(order_id=REFUSED))][1:] == [
        f"mass cancel {PARTLY} with ClOrdID m-partly takes on 2 orders: 4 5",
        "request c-again for order 5 refused: Operation Failed (errorcode 101): a cancel of this order is "
        "pending already (rule already-pending)",
        "link OrderAnswer  order 5: its cancel was refused: Operation Failed (errorcode 101): the venue says "
        "no",
        f"mass cancel {HELD} with ClOrdID m-held takes on 1 order: 5",
        "mass cancel 10 with ClOrdID m-again takes on 0 orders; already pending: 1 order: 5",
    ]


def test_what_the_venue_and_the_clock_did(data: Path) -> None:
    """Fills come over the link, expiry from the clock: nobody's session, and no rule."""
    assert shown(data, Wanted(order_id=FILLED))[1:] == ["link FillOrder  order 8 filled: 10 at 100"]
    assert shown(data, Wanted(order_id=EXPIRED))[1:] == ["clock OrderExpired  order 3 expired"]


def test_what_a_session_asked_and_was_told(data: Path) -> None:
    """Every request of the session, what came of it, and each report with its MsgSeqNum."""
    found = shown(data, Wanted(session="TRADER39"))
    asked = [line for line in found if line.startswith("TRADER39 q")]
    told = [line for line in found if line.startswith("TRADER39 is told")]
    assert len(asked) == 6
    assert told[2:5] == [
        "TRADER39 is told, MsgSeqNum 3:  OrderMassCancelReport with ClOrdID m-partly: 2 affected",
        "TRADER39 is told, MsgSeqNum 4:  ExecutionReport PENDING_CANCEL of order 4 with ClOrdID m-partly, "
        "PENDING_CANCEL",
        "TRADER39 is told, MsgSeqNum 5:  ExecutionReport PENDING_CANCEL of order 5 with ClOrdID m-partly, "
        "PENDING_CANCEL",
    ]
    assert "OrderMassCancelReport with ClOrdID m-partly: done, 1 canceled, 1 not" in "\n".join(told)
    assert not any("TRADER37" in line for line in found)


def test_reports_that_wait_have_no_number(data: Path) -> None:
    """What a session that is away is still to be sent."""
    told = [line for line in lines(data, Wanted(session="AWAY")) if isinstance(line, Told)]
    assert [line.msg_seq_num for line in told] == [1, 0, 0]
    assert (
        "AWAY is told, no MsgSeqNum yet:  ExecutionReport NEW of order 102"
        in shown(data, Wanted(session="AWAY"))[1]
    )


def test_since_a_time(data: Path) -> None:
    """Everything from that time on and nothing before it, wherever the index of times begins."""
    everything = lines(data, Wanted())
    for since in (OLD, OLD + timedelta(seconds=2), NOW, NOW + timedelta(seconds=2), NOW + timedelta(days=1)):
        expected = [line for line in everything if _at(line) >= since]
        assert lines(data, Wanted(since=since)) == expected
    assert len(everything) == 25


def _at(line: Line) -> datetime:
    assert isinstance(line, Happened)
    return line.entry.at


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(order_id=REFUSED),
        Wanted(session="TRADER37"),
        Wanted(order_id=FILLED, session="TRADER37"),
        Wanted(order_id=OPEN, session="TRADER39"),
        Wanted(session="TRADER37", since=NOW + timedelta(seconds=1)),
        Wanted(order_id=REFUSED, session="TRADER39", since=NOW),
        Wanted(order_id=999),
        Wanted(session="NOBODY"),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_filters_combine_and_a_limit_takes_the_newest(data: Path, wanted: Wanted, limit: int) -> None:
    """Each filter leaves out what does not fit; the newest `limit` lines are shown, oldest first."""
    found = lines(data, wanted)
    fits_nothing = wanted.order_id in (999, OPEN) or wanted.session == "NOBODY"
    assert bool(found) is not fits_nothing
    limited = Wanted(wanted.order_id, wanted.session, wanted.since, limit)
    assert lines(data, limited) == found[-limit:]


def test_a_line_of_json_has_every_field_by_name(data: Path) -> None:
    """One object in each line, with the names that the journal leaves out."""
    made = [json.loads(as_json(line)) for line in lines(data, Wanted(order_id=CANCELED))]
    assert [line["event"]["type"] for line in made] == [
        "OrderEntered",
        "CancelRequested",
        "OrderCanceled",
        "RequestRefused",
    ]
    entered, requested, _, refused = made
    assert entered["event"]["order"]["order_qty"] == "10"
    assert (requested["session"], requested["user_id"], requested["rule"]) == ("TRADER37", 37, "own-order")
    assert requested["event"]["ref"]["cl_ord_id"] == "c-canceled"
    assert (refused["errorcode"], refused["event"]["refusal"]["code"]) == (101, 101)
    assert requested["at"] == "2026-01-04T12:00:01.000000Z"
    told = [json.loads(as_json(line)) for line in lines(data, Wanted(session="AWAY"))]
    assert [(line["told"], line["msg_seq_num"], line["report"]["type"]) for line in told] == [
        (True, 1, "Execution"),
        (True, 0, "Execution"),
        (True, 0, "Execution"),
    ]
    asked = [
        json.loads(as_json(line)) for line in lines(data, Wanted(session="TRADER37")) if _is_status(line)
    ]
    assert [(line["event"], line["request"]["type"]) for line in asked] == [(None, "OrderStatus")]


def _is_status(line: Line) -> bool:
    return isinstance(line, Happened) and line.event is None


def test_what_a_client_wrote_cannot_move_the_cursor() -> None:
    """A text with control characters is shown with their codes."""
    entry = Entry(NOW, "fix", "H", 1, 37, "own-order", 0, (), "TRADER37", 1, 2, "\x1b[31mred")
    assert "request \\x1b[31mred answered" in as_text(Happened(1, entry, None))


def test_of_a_long_journal_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    """A trail is read in portions as it is asked for; one order's turns are found without reading others."""
    _make_long(tmp_path, turns=12 * PORTION)
    with Reader(tmp_path) as reader:
        assert reader.folded() == 12 * PORTION
        asked: list[str] = []
        reader.journal.set_trace_callback(asked.append)
        assert _turn_of(next(iter(trail(reader, Wanted())))) == 1
        assert len(asked) < 5
        asked.clear()
        assert [line.turn for line in trail(reader, Wanted(order_id=700))] == [700, 701]
        assert len(asked) < 6
        asked.clear()
        since = NOW + timedelta(seconds=12 * PORTION - 5)
        assert next(line.turn for line in trail(reader, Wanted(since=since))) == 12 * PORTION - 5
        assert len(asked) < 6
        asked.clear()
        assert [line.turn for line in trail(reader, Wanted(limit=3))][-1] == 12 * PORTION
        assert len(asked) < 6


def _turn_of(line: Line) -> int:
    return line.turn


def _make_long(directory: Path, turns: int) -> None:
    """A journal in which each turn enters an order and cancels the one before it."""
    journal = SqliteJournal(directory / "journal.db", "normal")
    for number in range(1, turns + 1):
        at = NOW + timedelta(seconds=number)
        entered = Entry(
            at, "fix", "D", 1, 37, "own-account", 0, (OrderEntered(order(number)),), "S", 1, number
        )
        ended = Entry(at, "link", "OrderAnswer", 1, 0, "link", 0, (OrderCanceled(number - 1, at),))
        batch = Batch(entries=[entered], orders=[order(number)], at=at, counters=Counters(number + 1, 1))
        if number > 1:
            batch.entries, batch.canceled = [entered, ended], [number - 1]
        journal.commit(batch)
    journal.close()


def test_times_that_go_back_hide_nothing(tmp_path: Path) -> None:
    """A clock that was set back: everything that says it is later is shown, wherever it stands."""
    journal = SqliteJournal(tmp_path / "journal.db")
    seconds = [0, 100, 200, 50, 60, 300]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "AT_A_TIME", 1)
        for number, second in enumerate(seconds, 1):
            at = NOW + timedelta(seconds=second)
            journal.commit(Batch(entries=[_entered(number, at)], at=at, counters=Counters(number + 1, 1)))
        journal.close()
    since = NOW + timedelta(seconds=60)
    assert [line.turn for line in lines(tmp_path, Wanted(since=since))] == [2, 3, 5, 6]


def _entered(number: int, at: datetime) -> Entry:
    return Entry(at, "fix", "D", 1, 37, "own-account", 0, (OrderEntered(order(number)),), "S", 1, number, "x")


def test_what_the_state_remembers_of_an_order(lived: Path) -> None:
    """An order as it stands, for one whose turns are forgotten; nothing for one that never was."""
    with Reader(lived) as reader:
        known = remembered(reader, OPEN)
        assert known is not None
        assert (known.cl_ord_id, known.status.name) == ("open", "NEW")
        assert remembered(reader, 999) is None


def test_the_events_of_a_trail_are_those_of_the_journal(lived: Path) -> None:
    """Nothing is left out and nothing is shown twice."""
    journal = SqliteJournal(lived / "journal.db")
    kept = [event for entry in journal.entries() for event in entry.events]
    journal.close()
    assert _events(lines(lived, Wanted())) == kept
    assert any(isinstance(event, RequestRefused) for event in kept)


def _events(found: Iterable[Line]) -> list[object]:
    return [line.event for line in found if isinstance(line, Happened) and line.event is not None]


OF_EVERY_KIND: dict[type, Event] = {
    type(event): event
    for event in (
        OrderEntered(order(1)),
        RequestRefused(MASS_CANCEL, NO, NOW),
        CancelRequested(1, CancelRef(37, "TRADER37", "c1"), NOW),
        MassCancelRequested(2, MASS_CANCEL, CancelSelector(1, session="TRADER37"), NOW),
        MassCancelAccepted(2, CancelRef(37, "TRADER37", "m1", 2), (1,), (), NOW),
        MassCancelRefused(2, NO, NOW),
        OrderAccepted(1, "V-1", NOW),
        OrderRejected(1, NO, NOW),
        OutcomeUnknown(1, "connection lost", NOW),
        OrderCanceled(1, NOW),
        OrdersCanceled(2, (1,), NOW),
        CancelRefused(1, NO, NOW),
        OrderTriggered(1, NOW),
        OrderFilled(1, Decimal(1), Decimal(2), NOW),
        OrderExpired(1, NOW),
        DayEnded(1, NOW),
        ControlAnswered(3, replace(MASS_CANCEL, is_dry_run=True), "dry run", (1,), NOW),
        Locked(Lock(3, CancelSelector(1), 37, "user 37", is_operators=False, at=NOW)),
        Unlocked(3, "the operator ann", NOW),
        TimerArmed(TIMER, NOW),
        TimerDisarmed(3, NOW),
        TimerRanOut(3, 4, NOW),
        SessionGuarded(Guard("TRADER37", OnDisconnect(CancelOn.BOTH)), NOW),
        SessionLeft("TRADER37", NOW),
    )
}


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_can_be_shown(kind: type) -> None:
    """The trail of a bad day is read on a bad day: nothing in it may stop the reader."""
    event = OF_EVERY_KIND[kind]
    entry = Entry(NOW, "clock", kind.__name__, 1, 0, "clock", 0, (event,))
    line = Happened(1, entry, event)
    assert as_text(line).startswith("2026-" if NOW.year == 2026 else str(NOW.year))
    assert json.loads(as_json(line))
