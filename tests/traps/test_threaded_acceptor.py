"""QuickFIX's ThreadedSocketAcceptor, which is not used."""

import resource
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.gateway import ROOT, Gateway, until, write_config
from tests.traps.bare import LOGON, Bare, silent, undisturbed
from tests.traps.conftest import Connect
from tests.wire import Client, mass, order

FILES = 40  # descriptors that the bare acceptor may have open
CONNECTIONS = 60
ORDERS = 500  # of a mass cancel: enough for SQLite to want a file for its own use


@contextmanager
def exhausted(port: int) -> Iterator[None]:
    """Open more connections than the acceptor has descriptors for, and close them again."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connections[-1].recv(1)  # the acceptor has had its time
    yield
    for connection in connections:
        connection.close()


@contextmanager
def out_of_descriptors(gateway: Gateway) -> Iterator[None]:
    """Have strangers on the engine's own port take all descriptors that it may have open."""
    limits = resource.prlimit(gateway.engine, resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path(f"/proc/{gateway.engine}/fd").iterdir())
    resource.prlimit(gateway.engine, resource.RLIMIT_NOFILE, (highest + 10, limits[1]))
    with exhausted(gateway.engine_port):
        yield
    resource.prlimit(gateway.engine, resource.RLIMIT_NOFILE, limits)


def test_bare_its_listener_ends_when_descriptors_run_out() -> None:
    """Trap: after one accept that failed it never accepts again, while its port still takes connections."""
    with Bare("bare_threaded", "ThreadedSocketAcceptor", f"files={FILES}") as bare:
        with exhausted(bare.port):
            pass
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        assert silent(client, 1.0)
        assert bare.ended(0.1) is None


def test_bare_it_hands_over_messages_of_addresses_that_are_not_allowed() -> None:
    """Trap: what follows in the same segment as the Logon that it refused reaches the application."""
    with Bare("bare_threaded", "ThreadedSocketAcceptor", "AllowedRemoteAddresses=10.1.2.3") as bare:
        client = bare.client("TRADER37")
        refused = client.encode("A", LOGON, seq_num=1)
        client.send_bytes(refused + client.encode("A", LOGON) + client.encode("D", order("x")))
        assert bare.line() == "fromApp 35=D"


def test_we_live_through_running_out_of_descriptors(
    clean_gateway: Gateway, stranger: Client, connect: Connect
) -> None:
    """Cure: the SocketAcceptor that we drive ourselves goes on, for those logged on and for new ones.

    What is written and read for those who are logged on needs descriptors, too: one is kept for that.
    """
    with out_of_descriptors(clean_gateway):
        entered = stranger.rest()
        stranger.expected -= 1
        stranger.send("2", (7, stranger.expected), (16, stranger.expected))
        assert stranger.receive()[37] == entered.order_id
        stranger.quiet()
    undisturbed(stranger, clean_gateway)
    newcomer = connect("TRADER38")
    newcomer.logon(reset=True)
    newcomer.quiet()


@pytest.mark.parametrize("sync", ["full", pytest.param("normal", marks=pytest.mark.long)])
def test_nor_does_the_journal_need_any(tmp_path: Path, sync: str) -> None:
    """Cure: what folds the turns into the state opens no file, however much it has to do."""
    config = write_config(tmp_path / "config", ('sync = "full"', f'sync = "{sync}"'))
    with Gateway(tmp_path / "data", config) as gateway:
        trader = gateway.client("TRADER37")
        for number in range(ORDERS):
            trader.send("D", *order(f"many{number}"))
        trader.until(lambda message: message.get(11) == f"many{ORDERS - 1}")
        with out_of_descriptors(gateway):
            trader.send("q", *mass("m"))
            trader.until(lambda message: message.get(41) == f"many{ORDERS - 1}")
            last = turns(gateway, "journal.db", "SELECT max(seq) FROM turn")
            folded = "SELECT value FROM meta WHERE key = 'folded'"
            until(lambda: turns(gateway, "state.db", folded) >= last)
            undisturbed(trader, gateway)


def turns(gateway: Gateway, name: str, question: str) -> int:
    """How far a database of the gateway's is."""
    with closing(sqlite3.connect(gateway.data / name)) as db:
        number: int = db.execute(question).fetchone()[0]
        return number


def test_no_source_names_it() -> None:
    """Cure: it is not used, nor is any other thread of QuickFIX's."""
    for source in (ROOT / "src").rglob("*.py"):
        assert "Threaded" not in source.read_text(), source
    acceptor = (ROOT / "src" / "fixgw" / "fix" / "acceptor.py").read_text()
    assert "quickfix.SocketAcceptor(" in acceptor
    assert ".start()" not in acceptor
    assert ".block()" not in acceptor
