"""Resets begin a new epoch: numbers start at 1 again, and reports that were not delivered are not lost."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fixgw.cli import app
from tests.gateway import Gateway, until, write_config
from tests.wire import Client, Message, cancel, mass, order


def canceled_while_away(gateway: Gateway, *names: str) -> Client:
    """A trader who logged off, and whose orders (with these ClOrdIDs) the operator canceled since."""
    trader, operator = gateway.client("TRADER37"), gateway.client("OPERATOR1")
    trader.wants_old = True
    for name in names:
        trader.send("D", *order(name))
        trader.expect(f"8|150=0|11={name}")
    trader.logout()
    gateway.log_lines('"logged off"')
    operator.send("q", *mass("m1"))
    operator.expect(f"r|533={len(names)}")
    for name in names:
        operator.expect(f"8|150=4|41={name}")
    return trader


def canceled(trader: Client, *names: str, again: bool) -> list[Message]:
    """The reports that these orders (ClOrdIDs) are canceled; `again`: with PossResend(97)=Y."""
    mark = "97=Y" if again else "97="
    return [trader.expect(f"8|150=4|11={name}|43=|{mark}") for name in names]


def test_what_was_not_delivered_before_a_reset_comes_after_it(tmp_path: Path) -> None:
    """141=Y at the return: the reports of the time away come in the new epoch, with PossResend(97)=Y."""
    with Gateway(tmp_path / "data") as gateway:
        trader = canceled_while_away(gateway, "a1", "a2")
        assert trader.logon(reset=True).type == "A"
        reports = canceled(trader, "a1", "a2", again=True)
        assert [report[34] for report in reports] == ["2", "3"]
        trader.quiet()
        trader.send("D", *order("a3"))
        assert 97 not in trader.expect("8|150=0|11=a3")


def test_what_was_delivered_does_not_come_again(tmp_path: Path) -> None:
    """The client asked for what it missed, and then resets: it has got everything."""
    with Gateway(tmp_path / "data") as gateway:
        trader = canceled_while_away(gateway, "a1")
        assert trader.logon().type == "A"
        assert trader.next()[43] == "Y"
        trader.quiet()
        trader.logout()
        assert trader.logon(reset=True).type == "A"
        trader.quiet()


def test_only_the_rest_comes_when_a_part_was_asked_for(tmp_path: Path) -> None:
    """A client that asks in pieces, and resets in between, gets the pieces it has not asked for."""
    with Gateway(tmp_path / "data") as gateway:
        trader = canceled_while_away(gateway, "a1", "a2", "a3")
        missed = trader.expected
        trader.connect()
        trader.send("A", (98, 0), (108, 30), (553, trader.username), (554, trader.password))
        trader._asked_from = missed  # so that it does not ask for everything by itself
        assert trader.receive().type == "A"
        trader.send("2", (7, missed), (16, missed))
        assert trader.receive()[34] == str(missed)
        trader.close()
        gateway.log_lines('"logged off"', 2)
        assert trader.logon(reset=True).type == "A"
        canceled(trader, "a2", "a3", again=True)
        trader.quiet()


def test_a_report_sent_since_does_not_hide_what_was_not_delivered(tmp_path: Path) -> None:
    """The client is back, gets a new report, and resets before it asks for the old ones."""
    with Gateway(tmp_path / "data") as gateway:
        trader = canceled_while_away(gateway, "a1")
        trader.connect()
        trader.send("A", (98, 0), (108, 30), (553, trader.username), (554, trader.password))
        trader.send("D", *order("a2"))
        gateway.log_lines('"cl_ord_id":"a2"')
        trader.close()
        gateway.log_lines('"logged off"', 2)
        assert trader.logon(reset=True).type == "A"
        canceled(trader, "a1", again=True)
        trader.quiet()


@pytest.mark.parametrize(
    "resets", [pytest.param(0, marks=pytest.mark.long), pytest.param(1, marks=pytest.mark.long), 3]
)
def test_undelivered_reports_survive_crashes_and_resets(tmp_path: Path, resets: int) -> None:
    """Undelivered reports are the journal's: kill -9, resets by us and one by the client."""
    gateway = Gateway(tmp_path / "data").start()
    trader = canceled_while_away(gateway, "a1", "a2")
    gateway.kill()
    gateway.start()
    for _ in range(resets):
        reset(gateway, "TRADER37")
        gateway.kill()
        gateway.start()
    assert trader.logon(reset=True).type == "A"
    canceled(trader, "a1", "a2", again=True)
    trader.quiet()
    trader.close()
    assert gateway.stop() == 0


def test_a_reset_by_the_client_begins_one_epoch(tmp_path: Path) -> None:
    """Also after a crash, when the numbers before it were higher."""
    gateway = Gateway(tmp_path / "data").start()
    trader = canceled_while_away(gateway, "a1")
    gateway.kill()
    gateway.start()
    assert trader.logon(reset=True).type == "A"
    canceled(trader, "a1", again=True)
    trader.quiet()
    trader.close()
    gateway.kill()
    gateway.start()
    recovered = [line for line in gateway.log_lines('"recovered"', 15) if '"TRADER37"' in line][-1]
    assert '"epoch":3' in recovered
    assert '"event":"reset"' not in gateway.log.read_text()
    assert gateway.stop() == 0


def test_what_comes_again_and_is_not_delivered_comes_once_more(tmp_path: Path) -> None:
    """A reset by us while the client is away: it waits in the new epoch, and is asked for as usual."""
    with Gateway(tmp_path / "data") as gateway:
        trader = canceled_while_away(gateway, "a1")
        reset(gateway, "TRADER37")
        trader.sent = trader.expected = 1
        trader.history.clear()
        assert trader.logon().type == "A"
        told = trader.expect("8|150=4|11=a1|43=Y|97=Y")
        assert told[34] == "1"
        trader.quiet()


def reset(gateway: Gateway, name: str) -> None:
    """`fixgw session reset`."""
    done = CliRunner().invoke(app, ["session", "reset", name, "--data", str(gateway.data)])
    assert (done.exit_code, done.output) == (0, "done\n")


def test_a_reset_by_hand_logs_the_client_out_and_begins_at_one(tmp_path: Path) -> None:
    """Logout, then numbers from 1; the client begins anew too, with or without ResetSeqNumFlag(141)."""
    with Gateway(tmp_path / "data") as gateway:
        trader = gateway.client("TRADER37")
        trader.send("D", *order("a1"))
        trader.expect("8|150=0|11=a1")
        reset(gateway, "TRADER37")
        trader.expect("5")
        trader.sent = trader.expected = 1
        trader.history.clear()
        assert trader.logon()[34] == "1"
        trader.send("F", *cancel("c1", "a1"))
        assert trader.expect("8|150=4|41=a1")[34] == "2"
        assert gateway.log_lines('"event":"reset"')


def test_a_client_that_goes_on_with_old_numbers_after_our_reset_is_refused(tmp_path: Path) -> None:
    """Else it would be asked to send its old requests again, and they would be taken for new ones."""
    with Gateway(tmp_path / "data") as gateway:
        trader = gateway.client("TRADER37")
        trader.send("D", *order("a1"))
        trader.expect("8|150=0|11=a1")
        reset(gateway, "TRADER37")
        trader.expect("5")
        trader.connect()
        trader.expected = 1
        trader.send("A", (98, 0), (108, 30), (553, trader.username), (554, trader.password))
        refused = trader.expect("5|58=Rejected Logon Attempt: sequence numbers have begun anew*")
        assert refused[34] == "1"
        assert trader.logon(reset=True).type == "A"
        trader.quiet()


def test_a_session_that_is_not_configured_cannot_be_reset(tmp_path: Path) -> None:
    """The command says which name is wrong, and nothing happens."""
    with Gateway(tmp_path / "data") as gateway:
        done = CliRunner().invoke(app, ["session", "reset", "NOBODY", "--data", str(gateway.data)])
        assert done.exit_code == 1
        assert "NOBODY" in done.output


def soon(seconds: float) -> datetime:
    """A whole second that is at least so many seconds away."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds + 1)


def test_a_scheduled_reset_comes_once_a_day_at_its_time(tmp_path: Path) -> None:
    """reset_at: the client is logged out, both begin at 1, and nothing is canceled by it."""
    at = soon(7)  # a loaded machine takes seconds to start the gateway
    config = write_config(tmp_path / "config", ('reset_at = "never"', f"reset_at = {at:%H:%M:%S}"))
    with Gateway(tmp_path / "data", config) as gateway:
        trader = gateway.client("TRADER37")
        trader.send("D", *order("a1"))
        trader.expect("8|150=0|11=a1")
        trader.expect("5")
        assert datetime.now(UTC) >= at
        trader.sent = trader.expected = 1
        trader.history.clear()
        assert trader.logon()[34] == "1"
        trader.quiet()
        trader.send("F", *cancel("c1", "a1"))
        trader.expect("8|150=4|41=a1")
    [line] = [line for line in gateway.log.read_text().splitlines() if '"event":"reset"' in line]
    assert '"why":"schedule"' in line


def test_a_scheduled_reset_that_was_missed_is_done_at_the_start(tmp_path: Path) -> None:
    """The gateway was down at the time: it begins anew before its port opens."""
    at = soon(6)
    config = write_config(tmp_path / "config", ('reset_at = "never"', f"reset_at = {at:%H:%M:%S}"))
    gateway = Gateway(tmp_path / "data", config).start()
    trader = gateway.client("TRADER37")
    trader.send("D", *order("a1"))
    trader.expect("8|150=0|11=a1")
    gateway.kill()
    until(lambda: datetime.now(UTC) >= at)
    gateway.start()
    recovered = [line for line in gateway.log_lines('"recovered"') if "TRADER37" in line][-1]
    assert re.search(r'"next_in":1,"next_out":1', recovered)
    trader.sent = trader.expected = 1
    assert trader.logon().type == "A"
    trader.send("F", *cancel("c1", "a1"))
    trader.expect("8|150=4|41=a1")
    trader.close()
    assert gateway.stop() == 0
