"""DeadManTimer(20010): a mass cancel that happens when its session does not ask for it anew in time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from fixgw.engine.sandbox import HoldCancels
from fixgw.engine.turn import ReleaseLock, Status
from fixgw.link import call
from tests.gateway import Gateway, edit_session, write_config
from tests.wire import Client, fresh, mass, order

LONG = (20010, 60_000)


@pytest.fixture
def trader(extended_gateway: Gateway) -> Iterator[Client]:
    """User 39 on the extended dialect, without a timer."""
    extended_gateway.clean()
    client = extended_gateway.ready("TRADER39")
    yield client
    for _ in call(extended_gateway.data, Status()).status.timers:
        client.drain()
        client.send("q", *mass(fresh(), "7", (20010, 0)))
        client.drain()


def test_it_arms_and_runs_out_with_everything_that_belongs_to_it(
    extended_gateway: Gateway, trader: Client
) -> None:
    """Silent but logged on: r for the cancel with the arming request's ids, 8s, and the second r."""
    resting, armed = trader.rest(), fresh("m")
    trader.send("q", *mass(armed, "7", (20010, 300)))
    began = time.monotonic()
    text = "the dead-man timer runs out in 300 ms; nothing was canceled"
    first = trader.expect(f"r|11={armed}|531=7|533=0|20010=300|58={text}|20003=")
    r = trader.expect(f"r|11={armed}|531=7|533=1|20010=300|58=the dead-man timer ran out|20003=")
    assert 0.25 < time.monotonic() - began < 5
    assert r[37] != first[37]
    trader.expect(f"8|150=4|11={armed}|41={resting.cl_ord_id}")
    trader.expect(f"r|37={r[37]}|20003=Y|533=1")
    trader.quiet()
    assert call(extended_gateway.data, Status()).status.timers == ()
    trader.rest()


def test_asked_again_in_time_it_does_not_run_out(extended_gateway: Gateway, trader: Client) -> None:
    """Each request of the same scope sets the timer anew; there is one timer."""
    resting = trader.rest()
    trader.send("q", *mass(fresh(), "7", (20010, 400)))
    trader.expect("r|20010=400")
    trader.send("q", *mass(fresh(), "7", LONG))
    trader.expect("r|20010=60000")
    time.sleep(0.6)
    trader.quiet()
    (timer,) = call(extended_gateway.data, Status()).status.timers
    assert (timer.kind, timer.session, timer.scope.user_id) == ("dead man", "TRADER39", 39)
    assert 30 < (timer.due_at - datetime.now(UTC)).total_seconds() < 60
    trader.send("H", (11, resting.cl_ord_id), (54, "1"))
    trader.expect("8|150=I|39=0")


def test_zero_disarms_it(extended_gateway: Gateway, trader: Client) -> None:
    """20010=0 with the same scope; a scope that has no timer is 104."""
    trader.rest()
    trader.send("q", *mass(fresh(), "7", (20010, 500)))
    trader.expect("r|20010=500")
    trader.send("q", *mass(fresh(), "1", (55, "BTC-USD"), (20010, 0)))
    trader.expect(
        "r|531=0|20002=104|58=Resource Not Found (errorcode 104): DeadManTimer(20010)=0: no timer *"
    )
    trader.send("q", *mass(fresh(), "7", (20010, 0)))
    trader.expect("r|531=7|533=0|20010=0|58=the dead-man timer is disarmed; nothing was canceled")
    time.sleep(0.7)
    trader.quiet()
    assert call(extended_gateway.data, Status()).status.timers == ()


def test_disarming_locks_nothing(extended_gateway: Gateway, trader: Client) -> None:
    """20010=0 with 20011 would say that it locked: refused, and the timer still runs."""
    trader.send("q", *mass(fresh(), "7", LONG))
    trader.expect("r|531=7")
    trader.send("q", *mass(fresh(), "7", (20010, 0), (20011, "Y")))
    trader.expect(
        "r|531=0|20002=100|58=Invalid Request (errorcode 100): DeadManTimer(20010)=0 and LockOrders*"
    )
    status = call(extended_gateway.data, Status()).status
    assert (len(status.timers), status.locks) == (1, ())


def test_its_scope_is_its_own(trader: Client) -> None:
    """A timer for one instrument cancels that instrument's orders; another timer runs beside it."""
    btc = trader.rest()
    eth = trader.rest(symbol="ETH-USD")
    trader.send("q", *mass(fresh(), "7", LONG))
    trader.expect("r|531=7")
    trader.send("q", *mass(fresh(), "1", (55, "BTC-USD"), (20010, 200)))
    trader.expect("r|531=1|533=0")
    trader.expect("r|531=1|533=1|58=the dead-man timer ran out")
    trader.expect(f"8|150=4|41={btc.cl_ord_id}")
    trader.expect("r|20003=Y")
    trader.send("H", (11, eth.cl_ord_id), (54, "1"))
    trader.expect("8|150=I|39=0")


@pytest.mark.parametrize("value", ["99", "86400001", "-1", "+5000", "1e3", "4294967296"])
def test_a_time_that_cannot_be_is_refused(trader: Client, value: str) -> None:
    """Under 100 ms, over a day, no number: 100 (or QuickFIX's own reject), and nothing is armed."""
    trader.send("q", *mass(fresh(), "7", (20010, value)))
    answer = trader.next()
    assert answer.type == "3" or (answer[531], answer[20002]) == ("0", "100")
    assert "20010" in (answer[58] if answer.type == "r" else answer[371])


def test_it_needs_the_right_to_cancel(trader: Client) -> None:
    """Armed by somebody who may not cancel the scope: 20."""
    trader.send("q", *mass(fresh(), "7", (1, 14), (20010, 200)))
    trader.expect("r|531=0|20002=20")


def test_it_can_lock_as_well(extended_gateway: Gateway, trader: Client) -> None:
    """With 20011=Y the lock comes when it runs out, not when it is armed."""
    trader.send("q", *mass(fresh(), "7", (20010, 300), (20011, "Y")))
    trader.expect("r|533=0|20010=300|20011=Y")
    trader.rest()
    trader.expect("r|533=1|58=the dead-man timer ran out; new orders are locked (lock *")
    trader.expect("8|150=4")
    trader.expect("r|20003=Y")
    trader.send("D", *order(fresh()))
    trader.expect("8|150=8|103=0")
    for lock in call(extended_gateway.data, Status()).status.locks:
        assert extended_gateway.say(ReleaseLock(lock.lock_id, "the test")).errorcode == 0


def test_what_is_pending_already_is_told_as_such(extended_gateway: Gateway, trader: Client) -> None:
    """533 counts every order of the set, each told: one that was pending already is a 9 with 102=3."""
    held = trader.rest()
    extended_gateway.say(HoldCancels())
    trader.send("q", *mass(fresh()))
    trader.expect("r|533=1")
    trader.expect("8|150=6")
    trader.send("q", *mass(fresh(), "7", (20010, 200)))
    trader.expect("r|533=0")
    trader.expect("r|533=1|58=the dead-man timer ran out")
    trader.expect(f"9|41={held.cl_ord_id}|39=6|102=3")


@pytest.mark.parametrize("end", ["kill", pytest.param("stop", marks=pytest.mark.long)])
def test_it_survives_a_restart_and_the_client_is_told_at_its_return(
    tmp_path_factory: pytest.TempPathFactory, end: str
) -> None:
    """A timer that was running when the gateway ended runs out at its time, or right at the start."""
    directory = tmp_path_factory.mktemp("dead-man")
    config = write_config(directory / "config", edit_session("TRADER39", 'dialect = "extended"'))
    with Gateway(directory / "data", config) as gateway:
        trader = gateway.client("TRADER39")
        resting, armed = trader.rest(), fresh("m")
        trader.send("q", *mass(armed, "7", (20010, 1_000)))
        trader.expect("r|533=0")
        gateway.kill() if end == "kill" else gateway.stop()
        gateway.start()
        assert trader.logon().type == "A"
        trader.expect(f"r|11={armed}|533=1|58=the dead-man timer ran out")
        trader.expect(f"8|150=4|11={armed}|41={resting.cl_ord_id}")
        trader.expect("r|20003=Y|533=1")
        trader.quiet()
