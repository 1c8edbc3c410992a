"""The order rate: a bucket for each session, for New Order Singles and nothing else."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fixgw.core.directory import Session
from fixgw.core.errors import Failure
from fixgw.core.reports import BusinessReject, CancelReject, Execution, OrderRefused, OrderState, Report
from fixgw.engine.rate import Rates
from fixgw.engine.turn import Limits
from tests.gateway import Gateway, write_config
from tests.test_desk import NOW, Bench
from tests.wire import cancel, fresh, mass, order

START = datetime(2026, 3, 5, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

per_seconds, bursts = st.integers(1, 10_000), st.integers(1, 50)


def limited(per_second: int, burst: int) -> Session:
    """A session with a limit."""
    return Session("T", 1, 1, orders_per_second=per_second, orders_burst=burst)


# the bucket


@given(per_second=per_seconds, burst=bursts)
def test_a_full_bucket_holds_a_burst_and_no_more(per_second: int, burst: int) -> None:
    """As many orders at one time as `orders_burst` says."""
    rates, session = Rates(), limited(per_second, burst)
    taken = [rates.take(session, START) is None for _ in range(burst + 3)]
    assert taken == [True] * burst + [False] * 3


@given(per_second=per_seconds, burst=bursts, waits=st.lists(st.integers(0, 400_000), max_size=60))
def test_no_more_is_taken_than_the_limit_allows(per_second: int, burst: int, waits: list[int]) -> None:
    """From a full bucket on: at most the burst, and what the time that has passed is good for."""
    rates, session, at = Rates(), limited(per_second, burst), START
    taken = 0
    for microseconds in waits:
        at += timedelta(microseconds=microseconds)
        taken += rates.take(session, at) is None
        assert taken <= burst + (at - START) / timedelta(seconds=1) * per_second


@given(per_second=per_seconds, burst=bursts)
def test_who_waits_as_long_as_he_is_told_is_taken(per_second: int, burst: int) -> None:
    """The text's number of seconds is enough, and a millisecond less is not."""
    rates, session = Rates(), limited(per_second, burst)
    refusal = None
    while refusal is None:
        refusal = rates.take(session, START)
    wait = timedelta(seconds=float(refusal.detail.split()[-2]))
    assert wait <= timedelta(seconds=1 / per_second) + MILLISECOND
    assert rates.take(session, START + wait - MILLISECOND) is not None
    assert rates.take(session, START + wait) is None


def test_a_clock_that_stands_still_fills_nothing() -> None:
    """Nor does one that goes back, which the engine's clock never does."""
    rates, session = Rates(), limited(1, 1)
    assert rates.take(session, START) is None
    assert rates.take(session, START - timedelta(hours=1)) is not None
    assert rates.take(session, START) is not None
    assert rates.take(session, START + timedelta(seconds=1)) is None


def test_a_session_without_a_limit_has_none_and_begins_full_when_it_gets_one() -> None:
    """Limits change while running: 0 forgets the bucket, a smaller burst counts at once."""
    rates = Rates()
    assert all(rates.take(limited(0, 1), START) is None for _ in range(1_000))
    assert rates.take(limited(5, 10), START) is None
    assert rates.take(limited(5, 2), START) is None
    assert rates.take(limited(5, 2), START) is None
    assert rates.take(limited(5, 2), START) is not None


# on the desk


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A desk whose TRADER37 may send two orders at once, and one each second."""
    made = Bench(tmp_path, Limits())
    session = made.directory.sessions["TRADER37"]
    made.directory.sessions["TRADER37"] = replace(session, orders_per_second=1, orders_burst=2)
    yield made
    made.journal.close()


def is_above_rate(reports: list[Report]) -> bool:
    """Whether the one report refuses an order because of the rate."""
    [report] = reports
    return isinstance(report, OrderRefused) and report.refusal.failure is Failure.ORDER_RATE


def test_an_order_above_the_limit_is_refused_and_its_id_can_be_sent_again(bench: Bench) -> None:
    """The client order id is not used up, also not over a restart."""
    assert isinstance(bench.ask("D", order("a1"))[0], Execution)
    assert isinstance(bench.ask("D", order("a2"))[0], Execution)
    assert is_above_rate(bench.ask("D", order("a3")))
    assert is_above_rate(bench.ask("D", order("a3")))
    later = NOW + timedelta(seconds=1)
    assert isinstance(bench.ask("D", order("a3"), now=later)[0], Execution)
    assert is_above_rate(bench.ask("D", order("a4"), now=later))
    bench.restart(later)
    assert isinstance(bench.ask("D", order("a4"), now=later)[0], Execution)


def test_a_repetition_is_answered_as_one_and_costs_nothing(bench: Bench) -> None:
    """A D whose id is known is no new order: PossResend(97)=Y tells its state, else it is a duplicate."""
    first = order("a1")
    bench.ask("D", first)
    for _ in range(5):
        [duplicate] = bench.ask("D", first)
        assert isinstance(duplicate, OrderRefused)
        assert duplicate.refusal.failure is Failure.DUPLICATE_CL_ORD_ID
    again = bench.arrival("D", first)
    repeated = replace(again, request=replace(again.request, poss_resend=True))
    bench.desk.turn(bench.door, [repeated], [], NOW)
    assert isinstance(bench.door.take()[0], OrderState)
    assert isinstance(bench.ask("D", order("a2"))[0], Execution)


def test_nothing_but_orders_is_limited(bench: Bench) -> None:
    """F, q, H and AF are answered however many orders came before; so are other sessions' orders."""
    for name in ("a1", "a2", "a3"):
        last = bench.ask("D", order(name))
    assert is_above_rate(last)
    assert isinstance(bench.ask("D", order("b1"), "TRADER38")[0], Execution)
    for number in range(5):
        assert isinstance(bench.ask("F", cancel(f"c{number}", "zz"))[0], CancelReject)
        assert bench.ask("AF", ((584, "s"), (585, "7")))
        assert isinstance(bench.ask("H", ((11, "a1"), (54, "1"), (55, "BTC-USD")))[0], OrderState)
        assert not isinstance(bench.ask("q", mass(f"m{number}"))[0], BusinessReject)


def test_a_refused_order_that_is_resent_is_not_decided_again(bench: Bench) -> None:
    """Its MsgSeqNum was processed, so what came of it stands, even when there is room by now."""
    bench.ask("D", order("a1"))
    bench.ask("D", order("a2"))
    refused = bench.arrival("D", order("a3"))
    bench.desk.turn(bench.door, [refused], [], NOW)
    assert is_above_rate(bench.door.take())
    bench.desk.turn(bench.door, [refused], [], NOW + timedelta(hours=1))
    assert bench.door.take() == []


# on the wire


def test_a_client_is_told_the_limit_and_when_to_try_again(tmp_path: Path) -> None:
    """An 8 that refuses, on a connection that stays; the same order is taken later, F at once."""
    edits = (("orders_per_second = 0", "orders_per_second = 1"), ("orders_burst = 100", "orders_burst = 2"))
    with Gateway(tmp_path / "data", write_config(tmp_path / "config", *edits)) as gateway:
        trader = gateway.client("TRADER37")
        names = [fresh("o") for _ in range(6)]
        for name in names:
            trader.send("D", *order(name))
        answers = [trader.next() for _ in names]
        assert [answer[11] for answer in answers] == names
        refused = [answer for answer in answers if answer[150] == "8"]
        assert [answer[150] for answer in answers[:2]] == ["0", "0"]
        assert refused
        for answer in refused:
            assert (answer[39], answer[103]) == ("8", "99")
            assert answer[58].startswith(
                "Operation Failed (errorcode 101): above the limit of this session, "
            )
            assert "1 orders a second and 2 at once" in answer[58]
        for answer in answers[:2]:
            trader.send("F", *cancel(fresh("c"), answer[11]))
            trader.expect(f"8|150=4|41={answer[11]}")
        name, deadline = refused[-1][11], time.monotonic() + 10
        trader.send("D", *order(name))
        while (again := trader.next())[150] == "8":
            assert time.monotonic() < deadline
            assert "was used before" not in again[58]
            time.sleep(float(again[58].split()[-2]))
            trader.send("D", *order(name))
        assert (again[150], again[11]) == ("0", name)
