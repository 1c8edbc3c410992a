"""An exception that a callback lets out, and that QuickFIX does not know."""

import re
from contextlib import suppress

import pytest

from fixgw.fix.application import Application
from tests.gateway import ROOT
from tests.lone_engine import SECRET
from tests.traps.bare import LOGON, Bare, accepts, closed, silent, until_read
from tests.wire import Client, order

OURS = ((553, "TRADER37"), (554, SECRET))


def provoke(client: Client, *fields: tuple[int, object]) -> None:
    """Have every callback called: a Logon, an order, a message that is rejected, a Logout."""
    with suppress(OSError, AssertionError):
        client.send("A", *LOGON, *fields)
        client.receive()
        client.send("D", *order("x"))
        client.send("D", (11, "y"))
        client.send("5")


@pytest.mark.parametrize("callback", ["fromApp", "fromAdmin", "onLogon"])
def test_bare_a_foreign_exception_hangs_the_engine_while_its_port_accepts(callback: str) -> None:
    """Trap: QuickFIX ends the interpreter from its own thread, which waits for a main thread that waits."""
    with Bare("bare_raising", callback, "ValueError", "start") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        until_read(client)
        client.send("D", *order("x"))
        assert silent(client)
        assert bare.ended(0.2) is None
        assert "a mistake" in bare.log
        assert accepts(bare.port)


def test_bare_an_exit_in_a_callback_ends_the_process_as_if_all_were_well() -> None:
    """Trap: driven by poll(), the same ends the process in the middle of its work, here with exit code 0."""
    with Bare("bare_raising", "fromApp", "SystemExit", "poll") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        client.receive()
        client.send("D", *order("x"))
        assert bare.ended() in (0, 1)


@pytest.mark.parametrize(
    ("callback", "exception", "code"),
    [
        ("fromApp", "FieldNotFound", 70),
        ("toAdmin", "KeyboardInterrupt", 70),
        ("onLogout", "SystemExit", 70),
        ("fromAdmin", "JournalError", 74),
    ],
)
def test_a_mistake_in_a_callback_stops_the_gateway_at_once(callback: str, exception: str, code: int) -> None:
    """Cure: one fence around every callback ends the process with a line that says why."""
    with Bare("failing_gateway", callback, exception) as gateway:
        client = gateway.client("TRADER37")
        provoke(client, *OURS)
        assert gateway.ended() == code
        assert not accepts(gateway.port)
        assert closed(client)
        stopped = [line for line in gateway.log.splitlines() if '"event":"stopped"' in line]
        assert len(stopped) == 1
        assert "a mistake" in stopped[0]


def test_every_callback_is_behind_the_fence() -> None:
    """Cure: a callback is fenced, or does nothing at all."""
    for name in ("onCreate", "onLogon", "onLogout", "toAdmin", "toApp", "fromAdmin", "fromApp"):
        callback = vars(Application)[name]
        does_nothing = callback.__code__.co_names == () and not callback.__code__.co_freevars
        assert hasattr(callback, "__wrapped__") or does_nothing, name


def test_we_raise_nothing_into_quickfix_but_a_refused_logon() -> None:
    """Cure: even the exceptions that QuickFIX takes leak, so j and our own answers are sent instead."""
    sources = (ROOT / "src").rglob("*.py")
    raised = {name for source in sources for name in re.findall(r"raise quickfix\.(\w+)", source.read_text())}
    assert raised == {"RejectLogon"}
