"""How the gateway leaves."""

import signal
import time
from pathlib import Path

from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare
from tests.wire import Client, Message, mass, order


def test_bare_stop_cuts_the_connection_without_a_logout() -> None:
    """Trap: under poll() nobody sends the Logout that stop() asks for."""
    with Bare("bare_stopping") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        client.receive()
        bare.process.send_signal(signal.SIGTERM)
        found = everything(client)
        assert "5" not in [message.type for message in found]
        assert bare.ended() == 0


def test_every_client_gets_a_logout_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """Cure: Logout to each, whether it answers or not; then exit 0, and no number moves over the restart."""
    with Gateway(tmp_path / "data") as gateway:
        assert gateway.process is not None
        polite, mute = gateway.client("TRADER37"), gateway.client("TRADER39")
        resting = polite.rest()
        mute.rest()
        start = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        for client in (polite, mute):
            told = client.receive()
            assert told.type == "5"
            assert told[58] == "the gateway is stopping"
        polite.send("5")
        assert everything(polite) == everything(mute) == []
        gateway.process.wait(10)
        assert time.monotonic() - start < 6
        assert gateway.stop() == 0
        assert gateway.log_lines('"event":"stopped"')
        gateway.start()
        answer = polite.logon()
        assert (answer.type, int(answer[34])) == ("A", polite.expected - 1)
        polite.quiet()
        polite.send("H", (11, resting.cl_ord_id), (55, "BTC-USD"), (54, "1"))
        polite.expect(f"8|37={resting.order_id}|39=0")
        answer = mute.logon()
        assert (answer.type, int(answer[34])) == ("A", mute.expected - 1)
        mute.quiet()


def test_a_mass_cancel_in_the_middle_of_a_stop(tmp_path: Path) -> None:
    """Cure: what is not told before the Logout is told after the next Logon, each end once."""
    count = 1500
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        client.send_bytes(b"".join(client.encode("D", order(f"s{number}")) for number in range(count)))
        for _ in range(count):
            client.next()
        client.send("q", *mass("m"))
        report = client.next()
        assert (report.type, report[533]) == ("r", str(count))
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGTERM)
        found = everything(client)
        gateway.process.wait(10)
        assert gateway.stop() == 0
        gateway.start()
        client.logon()
        found += client.drain()
        ended = [message[41] for message in found if message.type == "8"]
        assert len(ended) == count
        assert set(ended) == {f"s{number}" for number in range(count)}
        client.quiet()


def everything(client: Client) -> list[Message]:
    """All that comes up to the end of the connection; a Logout is answered."""
    found: list[Message] = []
    try:
        while True:
            found.append(client.receive())
            if found[-1].type == "5":
                client.send("5")
    except ConnectionError:
        return found
