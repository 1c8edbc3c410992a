"""The controls on a venue outside this process: what it is asked, and what happens while it is away."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fixgw.core.reports import MassCancelReport, OrderRefused
from fixgw.core.requests import ScopeRead, VenueStatus
from fixgw.engine.turn import Presence, Way
from fixgw.engine.venue_asks import CancelOrders, ReadScope
from tests.test_desk import NOW
from tests.test_venue_desk import VenueBench, learned, shown, stands
from tests.wire import mass, order

NAME = "TRADER39"  # on the extended dialect


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[VenueBench]:
    """A desk on a journal of its own, and an order of user 39 on the venue."""
    made = VenueBench(tmp_path)
    made.ask("D", order("a1"), NAME)
    made.hear(stands(1))
    made.take()
    yield made
    made.journal.close()


def read_scope(bench: VenueBench) -> ReadScope:
    """What the venue was asked: to read a scope, and nothing else."""
    [asked] = bench.take()
    assert isinstance(asked, ReadScope)
    return asked


def test_a_dry_run_reads_the_venue_and_asks_nothing_else(bench: VenueBench) -> None:
    """What was entered on the venue is in the list; nothing is canceled, and nothing is left waiting."""
    assert bench.ask("q", (*mass("q1"), (1, 16), (20012, "Y")), NAME) == []
    asked = read_scope(bench)
    bench.hear(learned("X-9", account_id=16))
    bench.take()
    [report] = bench.hear(ScopeRead(1, asked.mass_cancel_id))
    assert isinstance(report, MassCancelReport)
    assert (report.total_affected, report.affected) == (2, ((1, "a1"), ("X-9", None)))
    assert bench.take() == []
    assert not bench.desk.states[1].mass_cancels


def test_a_lock_holds_although_the_venue_could_not_be_read(bench: VenueBench) -> None:
    """The cancel is refused with 102, and says that the lock stays: it is the safer half."""
    bench.ask("q", (*mass("q1"), (20011, "Y")), NAME)
    asked = read_scope(bench)
    [report] = bench.hear(ScopeRead(1, asked.mass_cancel_id, "no connection"))
    assert isinstance(report, MassCancelReport)
    assert report.refusal is not None
    said = "nothing was sent to the venue and new orders stay locked: no connection"
    assert report.refusal.detail == said
    [refused] = bench.ask("D", order("a2"), NAME)
    assert isinstance(refused, OrderRefused)
    assert "new orders are locked" in refused.refusal.text
    assert bench.take() == []


def test_a_timer_waits_for_a_venue_that_is_away_and_tries_again(bench: VenueBench) -> None:
    """Tried each second until the venue is there; then read, then canceled."""
    bench.ask("q", (*mass("q1"), (20010, 1_000)), NAME)
    bench.up(is_up=False)
    at = NOW + timedelta(seconds=1)
    assert bench.desk.is_due(at)
    bench.desk.turn(bench.door, [], [], at)
    assert (bench.door.take(), bench.take()) == ([], [])
    assert not bench.desk.is_due(at)
    at += timedelta(seconds=1)
    bench.up()
    assert bench.desk.is_due(at)
    bench.desk.turn(bench.door, [], [], at)
    asked = read_scope(bench)
    assert shown(bench.hear(ScopeRead(1, asked.mass_cancel_id, "timed out"), at)) == ["r 533=0 102"]
    at += timedelta(seconds=1)
    bench.desk.turn(bench.door, [], [], at)
    again = read_scope(bench)
    assert again.mass_cancel_id != asked.mass_cancel_id
    told = bench.hear(ScopeRead(1, again.mass_cancel_id), at)
    assert shown(told)[0] == "r 533=1"
    [cancels] = bench.take()
    assert isinstance(cancels, CancelOrders)
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED), at))[0] == "8 150=4 39=4 11=q1 41=a1"
    assert not bench.desk.is_due(at + timedelta(days=1) - timedelta(hours=13))


def test_cancel_on_disconnect_names_each_order(bench: VenueBench) -> None:
    """A venue knows nothing of our sessions: all of the OMS is read, and each order of the session named."""
    session = bench.directory.sessions[NAME]
    terms = type(session.on_disconnect)(type(session.on_disconnect.cancel_on)("disconnect"))
    fields = {name: getattr(session, name) for name in session.__struct_fields__}
    bench.directory.sessions[NAME] = type(session)(**{**fields, "on_disconnect": terms})
    for way in (Way.LOGGED_ON, Way.DISCONNECTED):
        bench.desk.turn(bench.door, [Presence(NAME, way)], [], NOW)
    assert bench.desk.is_due(NOW)
    bench.desk.turn(bench.door, [], [], NOW)
    asked = read_scope(bench)
    assert asked.selector.session is None
    bench.hear(learned("X-9", account_id=16))
    bench.take()
    assert bench.hear(ScopeRead(1, asked.mass_cancel_id)) == []
    [cancels] = bench.take()
    assert isinstance(cancels, CancelOrders)
    assert ([made.order_id for made in cancels.orders], cancels.selector) == ([1], None)
    assert shown(bench.hear(stands(1, VenueStatus.CANCELED))) == ["8 150=4 39=4 11=a1 41=None"]


def test_a_timer_that_waits_for_its_venue_is_asked_again_after_a_restart(bench: VenueBench) -> None:
    """The engine ends while the scope is read: the same mass cancel is read again, with its own selector."""
    bench.ask("q", (*mass("q1"), (1, 16), (20010, 1_000)), NAME)
    bench.desk.turn(bench.door, [], [], NOW + timedelta(seconds=1))
    asked = read_scope(bench)
    bench.restart(NOW + timedelta(seconds=2))
    again = [ask for ask in bench.take() if isinstance(ask, ReadScope)]
    assert [(ask.mass_cancel_id, ask.selector) for ask in again] == [(asked.mass_cancel_id, asked.selector)]
    told = bench.hear(ScopeRead(1, asked.mass_cancel_id), NOW + timedelta(seconds=2))
    assert shown(told)[0] == "r 533=1"
    assert bench.desk.states[1].controls.timers == ()
