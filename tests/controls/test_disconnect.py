"""Cancel on disconnect: whose orders go when a client is gone, when they do not, and how it hears of it."""

import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fixgw.control_commands import cancel_all
from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import ResetSession, Status
from fixgw.journal.sqlite import SqliteJournal
from fixgw.journal.verify import verify
from fixgw.link import call
from tests.gateway import Gateway, edit_session, until, write_config
from tests.wire import Client, fresh, order, timestamp, user

WINDOW = "disconnect_window_ms = 1500"
AS_IT_IS = {
    "cancel_on_disconnect": 'cancel_on_disconnect = "off"',
    "disconnect_scope": 'disconnect_scope = "session"',
    "disconnect_window_ms": "disconnect_window_ms = 0",
    "disconnect_on_restart": "disconnect_on_restart = false",
    "disconnect_override": "disconnect_override = false",
}


def edits(*lines: str) -> list[tuple[str, str]]:
    """Have these lines in the reference configuration in place of what TRADER37 has there."""
    return [(AS_IT_IS[line.split()[0]], line) for line in lines]


def gateway(directory: Path, *lines: str) -> Gateway:
    """A gateway with these lines for TRADER37, not started."""
    return Gateway(directory / "data", write_config(directory / "config", *edits(*lines)))


def open_orders(running: Gateway) -> int:
    """How many orders are open."""
    return call(running.data, Status()).status.omses[0].open_orders


def gone(running: Gateway) -> None:
    """Wait until no order is open."""
    until(lambda: open_orders(running) == 0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a session of each kind."""
    directory = tmp_path_factory.mktemp("disconnect")
    file = write_config(
        directory / "config",
        *edits('cancel_on_disconnect = "disconnect"', "disconnect_override = true"),
        edit_session("TRADER38", 'cancel_on_disconnect = "both"\ndisconnect_scope = "account"'),
        edit_session("TRADER39", 'cancel_on_disconnect = "logout"\ndisconnect_scope = "user"'),
    )
    with Gateway(directory / "data", file) as running:
        yield running


@pytest.fixture
def alone(shared: Gateway) -> Gateway:
    """The shared gateway with nobody logged on and no order open."""
    shared.close_clients()
    until(lambda: not any(row.is_logged_on for row in call(shared.data, Status()).status.sessions))
    cancel_all(shared.data, 1, "the test", locks=False)
    assert open_orders(shared) == 0
    return shared


def leave(running: Gateway, client: Client, way: str) -> None:
    """Have `client` leave in this way, and wait until the gateway has noticed."""
    seen = len(running.log_lines('"logged off"', 0))
    client.close() if way == "cut" else client.logout()
    assert len(running.log_lines('"logged off"', seen + 1)) > seen


@pytest.mark.parametrize(
    ("name", "way", "is_canceled"),
    [
        ("OPERATOR1", "cut", False),
        ("OPERATOR1", "logout", False),
        ("TRADER37", "cut", True),
        ("TRADER37", "logout", False),
        ("TRADER39", "cut", False),
        ("TRADER39", "logout", True),
        ("TRADER38", "cut", True),
        ("TRADER38", "logout", True),
    ],
)
def test_the_way_of_leaving_decides(alone: Gateway, name: str, way: str, is_canceled: bool) -> None:
    """Off, on disconnect, on logout, on both; the cancels are reported at the client's return."""
    client = alone.client(name)
    resting = client.rest((1, 16)) if name == "OPERATOR1" else client.rest()
    leave(alone, client, way)
    if is_canceled:
        gone(alone)
    time.sleep(0.1)
    assert open_orders(alone) == (0 if is_canceled else 1)
    assert client.logon().type == "A"
    if is_canceled:
        client.expect(f"8|150=4|39=4|11={resting.cl_ord_id}|41=|58=canceled on disconnect")
    client.quiet()
    client.send("q", (11, fresh()), (530, "7"), (60, timestamp()))
    client.drain()


def test_a_return_within_the_window_calls_it_off(tmp_path: Path) -> None:
    """And a return after it does not: then the orders are gone, and the client is told."""
    with gateway(tmp_path, 'cancel_on_disconnect = "both"', WINDOW) as running:
        trader = running.client("TRADER37")
        resting = trader.rest()
        trader.close()
        until(lambda: bool(call(running.data, Status()).status.timers))
        assert trader.logon().type == "A"
        until(lambda: not call(running.data, Status()).status.timers)
        time.sleep(1.7)
        trader.quiet()
        assert open_orders(running) == 1
        trader.close()
        gone(running)
        assert trader.logon().type == "A"
        trader.expect(f"8|150=4|11={resting.cl_ord_id}|58=canceled on disconnect")
        trader.quiet()


def for_37(operator: Client) -> str:
    """Have the operator enter an order for user 37 in his account 15; its ClOrdID."""
    name = fresh("for-37-")
    operator.send("D", *order(name, (1, 15), *user(37)))
    operator.expect(f"8|150=0|11={name}")
    return name


def test_a_session_s_orders_are_those_entered_on_it(alone: Gateway) -> None:
    """What the operator entered for the same user, and what others have in his account, stays."""
    trader, operator = alone.client("TRADER37"), alone.ready("OPERATOR1")
    trader.rest()
    for_37(operator)
    leave(alone, trader, "cut")
    until(lambda: open_orders(alone) == 1)
    operator.quiet()


def test_a_user_s_orders_are_those_from_any_door(alone: Gateway) -> None:
    """8013=Y: also what the operator entered for him, who hears of its end on his own session."""
    trader, operator = alone.client("TRADER37", logon=False), alone.ready("OPERATOR1")
    assert trader.logon((8013, "Y"), reset=True).type == "A"
    colleague = alone.client("TRADER38")
    trader.rest()
    kept = colleague.rest()
    name = for_37(operator)
    leave(alone, trader, "cut")
    operator.expect(f"8|150=4|11={name}|58=canceled on disconnect")
    until(lambda: open_orders(alone) == 1)
    colleague.send("H", (11, kept.cl_ord_id), (54, "1"))
    colleague.expect("8|150=I|39=0")


def test_an_account_s_orders_are_everybody_s(alone: Gateway) -> None:
    """User 38 is gone: a colleague's orders in account 14 go too, his in 15 stay."""
    colleague, trader = alone.client("TRADER38"), alone.client("TRADER37")
    colleague.rest()
    lost, kept = trader.rest(), trader.rest((1, 15))
    leave(alone, colleague, "cut")
    trader.expect(f"8|150=4|11={lost.cl_ord_id}|41=|58=canceled on disconnect")
    trader.send("H", (11, kept.cl_ord_id), (54, "1"))
    trader.expect("8|150=I|39=0")


@pytest.mark.parametrize(("asked", "left"), [("S", 1), ("N", 2)])
def test_a_logon_may_say_otherwise_where_that_is_allowed(alone: Gateway, asked: str, left: int) -> None:
    """CancelOrdersOnDisconnect(8013): S the session's orders, N none; Y stands above."""
    trader = alone.client("TRADER37", logon=False)
    assert trader.logon((8013, asked), reset=True).type == "A"
    trader.rest()
    for_37(alone.ready("OPERATOR1"))
    leave(alone, trader, "cut")
    until(lambda: open_orders(alone) == left)
    time.sleep(0.1)
    assert open_orders(alone) == left


@pytest.mark.parametrize(
    ("name", "asked", "why"),
    [("TRADER37", "X", "is neither Y, S nor N"), ("TRADER39", "Y", "is not allowed for this session")],
)
def test_what_cannot_be_had_is_no_logon(alone: Gateway, name: str, asked: str, why: str) -> None:
    """Not ignored: a client that believes its orders are guarded must not get in; its numbers stay."""
    trader = alone.client(name)
    trader.logout()
    refused = alone.client(name, logon=False).logon((8013, asked))
    assert (refused.type, refused[58]) == ("5", f"CancelOrdersOnDisconnect(8013) {why}")
    assert trader.logon().type == "A"


@pytest.mark.parametrize("comes_back", [pytest.param(True, marks=pytest.mark.long), False])
def test_it_survives_a_crash(tmp_path: Path, comes_back: bool) -> None:
    """Logged on when the gateway was killed: back within the window the orders stay, else they go."""
    with gateway(tmp_path, 'cancel_on_disconnect = "disconnect"', "disconnect_window_ms = 4000") as running:
        trader = running.client("TRADER37")
        resting = trader.rest()
        running.kill()
        running.start()
        if comes_back:
            assert trader.logon().type == "A"
            until(lambda: not call(running.data, Status()).status.timers)
            assert call(running.data, Status()).status.guarded == ("TRADER37",)
            assert open_orders(running) == 1
            return
        assert open_orders(running) == 1
        gone(running)
        assert trader.logon().type == "A"
        trader.expect(f"8|150=4|11={resting.cl_ord_id}|58=canceled on disconnect")


@pytest.mark.parametrize("counts", [False, pytest.param(True, marks=pytest.mark.long)])
def test_our_own_clean_restart_is_no_disconnect_unless_so_configured(tmp_path: Path, counts: bool) -> None:
    """SIGTERM and a start: the orders stay, or with disconnect_on_restart go after the window."""
    lines = ['cancel_on_disconnect = "both"', f"disconnect_on_restart = {'true' if counts else 'false'}"]
    with gateway(tmp_path, *lines) as running:
        trader = running.client("TRADER37")
        resting = trader.rest()
        running.stop()
        running.start()
        if counts:
            gone(running)
        else:
            time.sleep(0.3)
            assert open_orders(running) == 1
        assert trader.logon().type == "A"
        if counts:
            trader.receive()
            trader.expect(f"8|150=4|11={resting.cl_ord_id}|58=canceled on disconnect")
        assert open_orders(running) == (0 if counts else 1)


@pytest.mark.parametrize("counts", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_reset_by_us_is_no_disconnect_unless_so_configured(tmp_path: Path, counts: bool) -> None:
    """`fixgw session reset` logs the client out: its orders stay; but a disconnect after it counts."""
    lines = ['cancel_on_disconnect = "both"', f"disconnect_on_restart = {'true' if counts else 'false'}"]
    with gateway(tmp_path, *lines) as running:
        trader = running.client("TRADER37")
        trader.rest()
        assert running.say(ResetSession("TRADER37")).errorcode == 0
        until(lambda: not any(row.is_logged_on for row in call(running.data, Status()).status.sessions))
        time.sleep(0.2)
        assert open_orders(running) == (0 if counts else 1)
        trader.close()
        assert trader.logon(reset=True).type == "A"
        trader.close()
        gone(running)


def test_a_client_that_does_not_answer_our_logout_is_stopped_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clean stop that a client does not say goodbye to is no crash: its orders stay."""
    with gateway(tmp_path, 'cancel_on_disconnect = "both"') as running:
        trader = running.client("TRADER37")
        trader.rest()
        monkeypatch.setattr(running, "close_clients", lambda: None)
        assert running.stop() == 0
        running.start()
        time.sleep(0.3)
        assert open_orders(running) == 1
        trader.close()


def test_a_window_that_was_open_is_open_again_after_a_restart(tmp_path: Path) -> None:
    """Disconnected, then a restart within the window: it has its whole length again."""
    with gateway(tmp_path, 'cancel_on_disconnect = "both"', "disconnect_window_ms = 3000") as running:
        trader = running.client("TRADER37")
        trader.rest()
        trader.close()
        until(lambda: bool(call(running.data, Status()).status.timers))
        running.stop()
        time.sleep(2)
        running.start()
        assert open_orders(running) == 1
        assert trader.logon().type == "A"
        until(lambda: not call(running.data, Status()).status.timers)
        assert open_orders(running) == 1


def test_every_outcome_is_told_at_the_return(tmp_path: Path) -> None:
    """One is canceled, one is filled while its cancel is pending, one is refused by the venue."""
    with gateway(tmp_path, 'cancel_on_disconnect = "disconnect"') as running:
        trader = running.client("TRADER37")
        canceled, filled, refused = trader.rest(), trader.rest(), trader.rest()
        running.say(HoldCancels())
        running.say(RefuseCancel(int(refused.order_id), "auction"))
        trader.close()
        until(lambda: call(running.data, Status()).status.omses[0].pending_cancels == 3)
        running.say(FillOrder(int(filled.order_id), Decimal(10)))
        running.say(ReleaseCancels())
        until(lambda: open_orders(running) == 1)
        assert trader.logon().type == "A"
        found = {}
        for _ in range(3):
            message = trader.next()
            found[message[11]] = (message.type, message[150], message[39])
            if message[11] == refused.cl_ord_id:
                assert message[58].startswith("could not be canceled on disconnect: ")
                assert "auction" in message[58]
        assert found == {
            canceled.cl_ord_id: ("8", "4", "4"),
            filled.cl_ord_id: ("8", "F", "2"),
            refused.cl_ord_id: ("8", "I", "0"),
        }
        trader.quiet()


def test_the_audit_trail_has_it(tmp_path: Path) -> None:
    """That the client left, that the timer was armed and ran out, and what was canceled."""
    lines = ('cancel_on_disconnect = "disconnect"', "disconnect_window_ms = 1234")
    with gateway(tmp_path, *lines) as running:
        trader: Client = running.client("TRADER37")
        trader.rest()
        trader.close()
        gone(running)
        assert running.stop() == 0
        journal = SqliteJournal(running.data / "journal.db")
        kinds = [(entry.door, type(event).__name__) for entry in journal.entries() for event in entry.events]
        journal.close()
        wanted = [
            ("session", "SessionGuarded"),
            ("session", "SessionLeft"),
            ("session", "TimerArmed"),
            ("clock", "TimerRanOut"),
            ("clock", "MassCancelRequested"),
            ("clock", "MassCancelAccepted"),
            ("clock", "OrderCanceled"),
        ]
        assert [kind for kind in kinds if kind in wanted] == wanted
    assert [found.text for found in verify(running.data) if found.is_problem] == []
    with sqlite3.connect(running.data / "journal.db") as db:
        armed = "SELECT seq FROM turn WHERE instr(entries, 'TimerArmed')"
        db.execute(f"UPDATE turn SET numbers = replace(numbers, '1234', '1235') WHERE seq = ({armed})")
    db.close()
    found = [found.text for found in verify(running.data) if found.is_problem]
    assert any("the controls of OMS 1 are stored as Controls(" in text for text in found)
