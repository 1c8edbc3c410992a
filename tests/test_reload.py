"""SIGHUP on a running gateway: what a user may changes while he is logged on, with his numbers."""

import json
import os
import signal
from pathlib import Path

from tests.gateway import Gateway, write_config
from tests.wire import Client, cancel, fresh

TRADING = 'accounts = [14, 15]\npermissions = ["Trading"]\n'


def reload(gateway: Gateway, *edits: tuple[str, str]) -> dict[str, object]:
    """Edit the reference configuration and have the engine read it; the log line that says so."""
    loaded = '"event":"configuration '
    before = len(gateway.log_lines(loaded, 0))
    write_config(gateway.config.parent, *edits)
    os.kill(gateway.engine, signal.SIGHUP)
    line: dict[str, object] = json.loads(gateway.log_lines(loaded, before + 1)[before])
    return line


def started(tmp_path: Path) -> Gateway:
    """A gateway on a configuration that can be edited."""
    return Gateway(tmp_path / "data", write_config(tmp_path / "config"))


def refused(client: Client, name: str, code: int) -> None:
    """An F for this order is refused with this code."""
    client.send("F", *cancel(fresh("c"), name))
    text = client.expect("9")[58]
    assert f"(errorcode {code})" in text, text


def test_a_permission_is_granted_and_taken_away_while_the_client_stays(tmp_path: Path) -> None:
    """The session keeps its connection and both its sequences."""
    with started(tmp_path) as gateway:
        trader, stranger = gateway.client("TRADER37"), gateway.client("TRADER39")
        name = trader.rest().cl_ord_id
        line = reload(gateway, (TRADING, "accounts = [14, 15]\npermissions = []\n"))
        assert (line["event"], line["changes"]) == (
            "configuration loaded",
            ["user 37 permissions: [Trading] -> []"],
        )
        refused(trader, name, 20)
        stranger.rest()
        line = reload(gateway)
        assert line["changes"] == ["user 37 permissions: [] -> [Trading]"]
        trader.send("F", *cancel(fresh("c"), name))
        trader.expect(f"8|150=4|41={name}")
        trader.quiet()
        trader.logout()
        assert trader.logon().type == "A"
        trader.quiet()
        assert not gateway.log_lines('"event":"reset"', 0)[1:]


def test_an_account_that_is_taken_away_is_out_of_reach(tmp_path: Path) -> None:
    """The order stays; who has lost its account cannot cancel it, who has got it can."""
    with started(tmp_path) as gateway:
        trader, stranger = gateway.client("TRADER37"), gateway.client("TRADER39")
        resting = trader.rest((1, 15))
        reload(
            gateway,
            (TRADING, 'accounts = [14]\npermissions = ["Trading"]\n'),
            ("accounts = [16]\n", "accounts = [15, 16]\n"),
        )
        refused(trader, resting.cl_ord_id, 104)
        stranger.send("F", *cancel(fresh("c"), "NONE", (37, resting.order_id)))
        stranger.expect(f"8|150=4|37={resting.order_id}")
        trader.expect(f"8|150=4|37={resting.order_id}")


def test_an_invalid_configuration_changes_nothing(tmp_path: Path) -> None:
    """Every problem is a line, and the gateway goes on by the old one."""
    with started(tmp_path) as gateway:
        trader = gateway.client("TRADER37")
        reload(
            gateway, (TRADING, 'accounts = [99]\npermissions = ["Nothing"]\n'), ("port = 9878", "port = 0")
        )
        lines = [json.loads(line) for line in gateway.log_lines("configuration not loaded", 2)]
        problems = " ".join(str(line["problem"]) for line in lines)
        assert "[[user]] 37 permissions" in problems
        assert "[fix] port" in problems
        trader.rest()
        gateway.config.unlink()
        os.kill(gateway.engine, signal.SIGHUP)
        assert "cannot read" in gateway.log_lines("configuration not loaded", len(lines) + 1)[-1]
        trader.rest()


def test_what_needs_a_start_waits_for_it(tmp_path: Path) -> None:
    """An instrument that is new, a time of resets: said, and not done."""
    with started(tmp_path) as gateway:
        line = reload(
            gateway,
            ('reset_at = "never"', "reset_at = 22:00:00"),
            ('symbol = "ETH-USD"', 'symbol = "ETH-EUR"'),
            ("reports_per_turn = 500", "reports_per_turn = 50"),
        )
        assert line["changes"] == ["[limits] reports_per_turn: 500 -> 50"]
        assert line["left_for_a_restart"] == [
            "session TRADER37 reset_at: none -> 22:00:00",
            "instrument 26 symbol: ETH-USD -> ETH-EUR",
        ]
        gateway.client("TRADER37").rest(symbol="ETH-USD")


def test_a_session_is_answered_in_another_way_from_the_next_request_on(tmp_path: Path) -> None:
    """`pending_cancel`, the one setting that is asked for within a turn."""
    with started(tmp_path) as gateway:
        trader = gateway.client("TRADER37")
        first, second = trader.rest(), trader.rest()
        trader.send("F", *cancel(fresh("c"), first.cl_ord_id))
        trader.expect(f"8|150=4|41={first.cl_ord_id}")
        reload(gateway, ('pending_cancel = "when_pending"', 'pending_cancel = "always"'))
        trader.send("F", *cancel(fresh("c"), second.cl_ord_id))
        trader.expect(f"8|150=6|41={second.cl_ord_id}")
        trader.expect(f"8|150=4|41={second.cl_ord_id}")


def test_reloading_under_load_loses_no_answer(tmp_path: Path) -> None:
    """Permissions come and go while cancels do: each has one answer, by one configuration or the other."""
    with started(tmp_path) as gateway:
        trader = gateway.client("TRADER37")
        names = [trader.rest().cl_ord_id for _ in range(200)]
        denied = (TRADING, "accounts = [14, 15]\npermissions = []\n")
        for number, name in enumerate(names):
            trader.send("F", *cancel(f"load{number}", name))
            if number % 20 == 0:
                write_config(gateway.config.parent, *([denied] if number % 40 == 0 else []))
                os.kill(gateway.engine, signal.SIGHUP)
        answered = {}
        for _ in names:
            answer = trader.next()
            assert answer.type == "9" or answer[150] == "4"
            assert answer.type != "9" or "(errorcode 20)" in answer[58]
            answered[answer[11]] = answer.type
        assert answered.keys() == {f"load{number}" for number in range(len(names))}
        trader.quiet()
