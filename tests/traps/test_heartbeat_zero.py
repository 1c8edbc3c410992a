"""HeartBtInt(108), the timers that hang on it, and resends in pieces."""

import socket
import time
from contextlib import suppress
from threading import Thread

import pytest

from tests.gateway import Gateway
from tests.traps.bare import Bare, closed, undisturbed
from tests.traps.conftest import Connect
from tests.wire import Client, cancel, order

GOOD = ((553, "TRADER37"), (554, "trader37-demo"))


def test_bare_heartbtint_0_switches_every_timeout_off() -> None:
    """Trap: a client that goes silent is dropped, but never one that asked for HeartBtInt 0."""
    with Bare("bare_acceptor", "ours", "poll") as bare:
        timed, untimed = bare.client("TRADER37"), bare.client("TRADER39")
        timed.send("A", (98, 0), (108, 1))
        untimed.send("A", (98, 0), (108, 0))
        assert timed.receive().type == untimed.receive().type == "A"
        assert timed._read(5.0).type == "0"
        assert timed._read(5.0).type == "1"  # and no answer to it
        with pytest.raises(ConnectionError):
            timed._read(5.0)
        with pytest.raises(TimeoutError):
            untimed._read(0.5)


@pytest.mark.parametrize("heartbeat", ["0", "-1", "1", "4", "61", "3600", "99999999999999999999", "x"])
def test_heartbtint_is_bounded(
    clean_gateway: Gateway, stranger: Client, connect: Connect, heartbeat: str
) -> None:
    """Cure: 5 to 60 seconds, anything else is refused with the reason."""
    client = connect("TRADER37")
    client.connect()
    client.send("A", (98, 0), (108, heartbeat), (141, "Y"), *GOOD)
    if heartbeat.lstrip("-").isdecimal() and len(heartbeat) < 10:
        refusal = client.receive()
        assert refusal.type == "5"
        assert "HeartBtInt(108) must be 5 to 60 seconds" in refusal[58]
        assert closed(client)
    undisturbed(stranger, clean_gateway)


@pytest.mark.parametrize("heartbeat", [5, 60])
def test_heartbtint_within_the_bounds(connect: Connect, heartbeat: int) -> None:
    """Cure: what is within the bounds is taken, and echoed."""
    client = connect("TRADER38")
    assert client.logon(reset=True, heartbeat=heartbeat)[108] == str(heartbeat)
    client.quiet()


def test_timers_run_while_another_client_is_busy(
    clean_gateway: Gateway, stranger: Client, connect: Connect
) -> None:
    """Cure: a client with HeartBtInt 5 gets its Heartbeat though another one never leaves the engine idle."""
    busy, waiting = connect("TRADER37"), connect("TRADER38")
    busy.logon(reset=True)
    waiting.logon(reset=True, heartbeat=5)
    start = time.monotonic()
    flood = Thread(target=keep_busy, args=(busy, start + 8))
    drain = Thread(target=read_away, args=(busy,))
    flood.start()
    drain.start()
    heard = waiting.receive(8.0)
    assert busy._socket is not None
    busy._socket.shutdown(socket.SHUT_RDWR)
    assert heard.type in "01"  # on a busy machine the question of a whole heartbeat later may come first
    assert time.monotonic() - start < 7.5
    flood.join()
    drain.join()
    undisturbed(stranger, clean_gateway)


def keep_busy(client: Client, until: float) -> None:
    """Send without a pause, until the connection is closed."""
    number = 0
    with suppress(OSError, AssertionError):
        while time.monotonic() < until:
            number += 50
            batch = (client.encode("F", cancel(f"b{number - one}", "no-such")) for one in range(50))
            client.send_bytes(b"".join(batch))


def read_away(client: Client) -> None:
    """Read without looking, until the connection is closed."""
    connection = client._socket
    assert connection is not None
    with suppress(OSError):
        while connection.recv(1 << 20):
            pass


def test_a_resend_request_in_pieces_with_one_msgseqnum(
    clean_gateway: Gateway, stranger: Client, connect: Connect
) -> None:
    """Cure: a ResendRequest can be served in pieces, sent one after the other with the same MsgSeqNum.

    Each piece is served, and the number moves once: something in front of the engine can bound a resend so.
    """
    client = connect("TRADER37")
    client.logon(reset=True)
    for number in range(6):
        client.send("D", *order(f"piece-{number}"))
        client.next()
    first, sent = 2, client.sent
    client.sent += 1
    for begin in (first, first + 2, first + 4):
        client.send("2", (7, begin), (16, begin + 1), seq_num=sent)
        for number in (begin, begin + 1):
            again = client._read(5.0)
            assert (again.type, again[34], again[43]) == ("8", str(number), "Y")
            assert again[11] == f"piece-{number - first}"
    client.quiet()
    undisturbed(stranger, clean_gateway)
