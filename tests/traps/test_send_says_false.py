"""A message that QuickFIX could not store is lost, and all that says so is a False."""

import os
import resource
from pathlib import Path

from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, accepts, closed, silent
from tests.wire import Client, order

SIZE = 64 << 20  # bytes; a store's file that is as long as the limit, and longer than any other file


def test_bare_a_lost_answer_is_a_false_that_nobody_sees() -> None:
    """Trap: True means sent or only stored; False, here with the disk full, that the answer is lost."""
    with Bare("bare_sending") as bare:
        assert bare.line() == "ready"
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        client.receive()
        client.send("D", *order("x"))
        assert bare.line() == "True"
        assert client.next().type == "j"
        os.truncate(bare.directory / "FIX.4.4-FIXGW-TRADER37.body", SIZE)
        resource.prlimit(bare.process.pid, resource.RLIMIT_FSIZE, (SIZE, SIZE))
        client.send("D", *order("y"))
        assert bare.line() == "False"
        assert silent(client)
        assert bare.ended(0.1) is None


def test_no_report_is_stored_there(tmp_path: Path) -> None:
    """Cure: the journal has it. (tests/test_disks.py: the same for the number, which stops the gateway.)"""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        os.truncate(gateway.data / "fix" / "FIX.4.4-FIXGW-TRADER37.body", SIZE)
        allow(gateway, SIZE)
        client.send("D", *order("x"))
        client.expect("8|11=x|150=0")
        client.close()
        assert client.logon().type == "A"
        client.send("2", (7, 1), (16, 0))
        client.expect("8|11=x|150=0|43=Y")


def enter_until_it_ends(client: Client) -> int:
    """Enter orders until the gateway is gone; how many of them were answered."""
    for told in range(5_000):
        try:
            client.send("D", *order(f"x{told}"))
            client.receive()
        except ConnectionError:
            return told
    raise AssertionError("the gateway goes on")


def reset_until_it_ends(client: Client) -> None:
    """Reset the session, again and again, until the gateway is gone."""
    for _ in range(5_000):
        client.expected = 1
        try:
            client.send("A", *LOGON, (553, "TRADER37"), (554, "trader37-demo"), (141, "Y"), seq_num=1)
            client.receive()
        except ConnectionError:
            return
    raise AssertionError("the gateway goes on")


def test_a_journal_that_cannot_be_written_stops_the_gateway(tmp_path: Path) -> None:
    """Cure: what is not committed is not told; the gateway stops, says why, and goes on after a restart."""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        kept = client.rest()
        allow(gateway, max(path.stat().st_size for path in (gateway.data / "journal.db-wal", gateway.log)))
        told = enter_until_it_ends(client)  # none, or more where the journal was shorter than the log
        assert stopped(gateway) == 74
        assert not accepts(gateway.port)
        assert "cannot write the journal" in gateway.log.read_text()
        gateway.start()
        assert client.logon(reset=True).type == "A"
        client.send("AF", (584, "s"), (585, "7"))
        client.expect(f"8|37={kept.order_id}|911={1 + told}")
        client.drain()


def test_it_stops_as_well_when_the_reset_of_a_session_cannot_be_written(tmp_path: Path) -> None:
    """Cure: the one commit inside a callback ends the process in the same way."""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        client.rest()
        allow(gateway, max(path.stat().st_size for path in (gateway.data / "journal.db-wal", gateway.log)))
        reset_until_it_ends(client)
        assert stopped(gateway) == 74
        assert "cannot write the journal" in gateway.log.read_text()


def test_it_stops_as_well_when_nothing_can_be_logged(tmp_path: Path) -> None:
    """Cure: the exit code still says what it was when the log is on the disk that is full."""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        kept = client.rest()
        gateway.log_lines(kept.cl_ord_id)
        allow(gateway, gateway.log.stat().st_size)
        client.send("D", *order("x"))
        assert closed(client)
        assert stopped(gateway) == 74


def allow(gateway: Gateway, size: int) -> None:
    """From now on no file of the engine can become longer than `size` bytes."""
    resource.prlimit(gateway.engine, resource.RLIMIT_FSIZE, (size, size))


def stopped(gateway: Gateway) -> int:
    """The exit code of a gateway that stops by itself; it can be started again."""
    assert gateway.process is not None
    gateway.process.wait(5)
    return gateway.stop()
