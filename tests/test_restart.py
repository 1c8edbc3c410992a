"""A restart has every order, id and number as before: after a clean stop, and after kill -9 while idle."""

from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.wire import cancel, mass, order


@pytest.mark.parametrize(
    "killed", [pytest.param(False, marks=pytest.mark.long), True], ids=["clean-stop", "kill-9"]
)
def test_a_restart_loses_nothing(tmp_path: Path, killed: bool) -> None:
    """DESIGN of the journal: everything is committed before it is told, so what was told is still there."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    trader.send("D", *order("a1"))
    trader.send("D", *order("a2", (1, 15), symbol="ETH-USD"))
    trader.send("D", *order("a3"))
    ids = [trader.next()[37] for _ in range(3)]
    trader.send("F", *cancel("c1", "a1"))
    first_exec = int(trader.next()[17])
    if killed:
        gateway.kill()
    else:
        trader.logout()
        assert gateway.stop() == 0
    gateway.start()

    assert trader.logon().type == "A"
    trader.send("AF", (584, "s1"), (585, "7"))
    assert [trader.next()[37] for _ in range(2)] == ids[1:]
    trader.send("F", *cancel("c2", "a1"))
    late = trader.next()
    assert (late.type, late[37], late[39], late[102]) == ("9", ids[0], "4", "0")
    trader.send("D", *order("a1"))
    duplicate = trader.next()
    assert (duplicate[150], duplicate[103]) == ("8", "6")
    trader.send("D", *order("a4"))
    fresh = trader.next()
    assert int(fresh[37]) == int(ids[2]) + 1
    assert int(fresh[17]) > first_exec
    trader.send("q", *mass("m1"))
    assert trader.next()[533] == "3"
    assert {trader.next()[41] for _ in range(3)} == {"a2", "a3", "a4"}
    trader.quiet()
    assert gateway.stop() == 0


def test_reports_for_a_client_that_is_away_reach_it_by_resend(tmp_path: Path) -> None:
    """Reports for a session that is logged off are stored, and the client asks for them at its return."""
    with Gateway(tmp_path / "data") as gateway:
        trader, operator = gateway.client("TRADER37"), gateway.client("OPERATOR1")
        trader.send("D", *order("a1"))
        trader.next()
        trader.logout()
        operator.send("q", *mass("m1", "7", (1, 14)))
        assert operator.next()[533] == "1"
        assert operator.next()[41] == "a1"
        assert trader.logon().type == "A"
        told = trader.next()
        assert (told.type, told[150], told[11], told[43]) == ("8", "4", "a1", "Y")
        assert 41 not in told
        trader.quiet()
