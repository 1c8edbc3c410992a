"""HeartBtInt(108), the timers that hang on it, and resends in pieces."""

import time
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


def test_timers_run_while_another_client_is_busy(stranger: Client, connect: Connect) -> None:
    """Cure: a client with HeartBtInt 5 gets its Heartbeat though another one never leaves the engine idle."""
    busy, waiting = stranger, connect("TRADER38")
    waiting.logon(reset=True, heartbeat=5)
    start = time.monotonic()
    heard: list[str] = []

    def listen() -> None:
        heard.append(waiting.receive(8.0).type)

    listener = Thread(target=listen)
    listener.start()
    number = 0
    while listener.is_alive():
        batch = range(number, number + 50)
        number = batch.stop
        busy.send_bytes(b"".join(busy.encode("F", cancel(f"b{one}", "no-such")) for one in batch))
        for _ in batch:
            assert busy.next().type == "9"
    listener.join()
    assert heard == ["0"]
    assert time.monotonic() - start < 7


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
