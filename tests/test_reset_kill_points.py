"""A reset that is killed at any of its steps: both sides agree, and nothing undelivered is lost."""

import signal
import sys
from pathlib import Path

import pytest

from fixgw.engine.turn import ResetSession
from fixgw.link import LinkError
from tests.gateway import Gateway
from tests.lone_engine import SECRET
from tests.wire import Client, cancel, mass, order

TRADER = "TRADER37"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """An engine that does what the file `plan` says."""
    command = (sys.executable, "-m", "tests.faulty", "--plan", str(tmp_path / "plan"))
    return Gateway(tmp_path / "data", command=command, password=SECRET)


def plan(gateway: Gateway, what: str) -> None:
    """From now on `what` fails; nothing when it is empty."""
    (gateway.data.parent / "plan").write_text(what)


def away(gateway: Gateway) -> Client:
    """A trader with two orders who is logged off; the first one was canceled since."""
    gateway.start()
    trader, operator = gateway.client(TRADER), gateway.client("OPERATOR1")
    trader.wants_old = True
    trader.send("D", *order("a1"))
    trader.expect("8|150=0|11=a1")
    trader.send("D", *order("a2", symbol="ETH-USD"))
    trader.expect("8|150=0|11=a2")
    trader.logout()
    gateway.log_lines('"logged off"')
    operator.send("q", *mass("m1", "1", (55, "BTC-USD")))
    operator.expect("r|533=1")
    operator.expect("8|150=4|41=a1")
    return trader


def killed(gateway: Gateway) -> None:
    """The engine has killed itself; it is started again, without faults."""
    assert gateway.ended() == -signal.SIGKILL
    plan(gateway, "")
    gateway.start()


def goes_on(trader: Client) -> None:
    """What was canceled was told once, and the session works."""
    trader.quiet()
    trader.send("F", *cancel("c1", "a2", symbol="ETH-USD"))
    trader.expect("8|150=4|41=a2")
    trader.quiet()
    trader.close()


@pytest.mark.parametrize(
    ("point", "asks_141"),
    [
        ("after epoch 1", False),
        pytest.param("after epoch 1", True, marks=pytest.mark.long),
        pytest.param("before wipe 1", False, marks=pytest.mark.long),
        pytest.param("before wipe 1", True, marks=pytest.mark.long),
        ("after wipe 1", False),
        pytest.param("after wipe 1", True, marks=pytest.mark.long),
        pytest.param("before epoch 2", False, marks=pytest.mark.long),
        ("before epoch 2", True),
        pytest.param("after epoch 2", False, marks=pytest.mark.long),
        pytest.param("after epoch 2", True, marks=pytest.mark.long),
    ],
)
def test_a_reset_of_ours_that_was_committed_is_finished(gateway: Gateway, point: str, asks_141: bool) -> None:
    """From its first commit on the new epoch counts: the start wipes the store if that was not done."""
    trader = away(gateway)
    plan(gateway, f"{point} kill")
    with pytest.raises(LinkError):
        gateway.say(ResetSession(TRADER))
    killed(gateway)
    [*_, recovered] = [line for line in gateway.log_lines('"recovered"') if TRADER in line]
    assert '"epoch":3' in recovered
    trader.sent = trader.expected = 1
    trader.history.clear()
    assert trader.logon(reset=asks_141).type == "A"
    trader.expect("8|150=4|11=a1|97=Y")
    goes_on(trader)
    assert gateway.stop() == 0


def test_a_reset_of_ours_that_was_not_committed_has_not_been(gateway: Gateway) -> None:
    """Before its first commit nothing has happened: the client goes on with its old numbers."""
    trader = away(gateway)
    plan(gateway, "before epoch 1 kill")
    with pytest.raises(LinkError):
        gateway.say(ResetSession(TRADER))
    killed(gateway)
    assert trader.logon().type == "A"
    trader.expect("8|150=4|11=a1|43=Y|97=")
    goes_on(trader)
    assert gateway.stop() == 0


@pytest.mark.parametrize("point", ["before epoch 1", "after epoch 1"])
def test_a_reset_by_the_client_that_got_no_answer_is_asked_for_again(gateway: Gateway, point: str) -> None:
    """QuickFIX has wiped its store; killed before or after the commit, before its answer: 141=Y once more."""
    trader = away(gateway)
    plan(gateway, f"{point} kill")
    with pytest.raises((ConnectionError, TimeoutError)):
        trader.logon(reset=True)
    killed(gateway)
    assert trader.logon(reset=True).type == "A"
    trader.expect("8|150=4|11=a1|97=Y")
    goes_on(trader)
    assert gateway.stop() == 0


def test_a_client_may_take_its_reset_back_when_it_was_not_committed(gateway: Gateway) -> None:
    """Wiped, and killed before the commit: the old epoch counts, and its reports are put back."""
    trader = away(gateway)
    numbers = trader.sent, trader.expected
    history = dict(trader.history)
    plan(gateway, "before epoch 1 kill")
    with pytest.raises((ConnectionError, TimeoutError)):
        trader.logon(reset=True)
    killed(gateway)
    (trader.sent, trader.expected), trader.history = numbers, history
    assert trader.logon().type == "A"
    trader.expect("8|150=4|11=a1|43=Y|97=")
    goes_on(trader)
    assert gateway.stop() == 0
