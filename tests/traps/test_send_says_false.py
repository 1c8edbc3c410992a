"""A message that QuickFIX could not store is lost, and all that says so is a False."""

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, accepts, closed, silent
from tests.wire import order

SIZE = 64 << 20  # bytes; a file of this length cannot grow when it is also the limit


def fill_up(body: Path, process: subprocess.Popen[str]) -> None:
    """Leave no room in a store's file of messages, and in no other file that is in use."""
    os.truncate(body, SIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (SIZE, SIZE))


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
        fill_up(bare.directory / "FIX.4.4-FIXGW-TRADER37.body", bare.process)
        client.send("D", *order("y"))
        assert bare.line() == "False"
        assert silent(client)
        assert bare.ended(0.1) is None


def test_a_report_that_cannot_be_stored_stops_the_gateway(tmp_path: Path) -> None:
    """Cure: the gateway stops with a line that says why, and after the restart the client gets its report."""
    with Gateway(tmp_path / "data") as gateway:
        loses_a_report(gateway)


def loses_a_report(gateway: Gateway) -> None:
    assert gateway.process is not None
    client, neighbour = gateway.client("TRADER37"), gateway.client("TRADER39")
    kept = neighbour.rest()
    fill_up(gateway.data / "fix" / "FIX.4.4-FIXGW-TRADER37.body", gateway.process)
    client.send("D", *order("x"))
    assert gateway.process.wait(5) == 70
    assert closed(client)
    assert closed(neighbour)
    stopped = gateway.log_lines('"event":"stopped"')
    assert len(stopped) == 1
    assert "TRADER37: QuickFIX could not store a report" in stopped[0]
    restart(gateway)
    assert client.logon().type == "A"
    client.expect("8|11=x|150=0|43=Y")
    client.quiet()
    assert neighbour.logon().type == "A"
    neighbour.send("H", (11, kept.cl_ord_id), (55, "BTC-USD"), (54, "1"))
    neighbour.expect(f"8|37={kept.order_id}|39=0")


@pytest.mark.parametrize("reset", [False, True], ids=["in-a-turn", "in-a-callback"])
def test_a_journal_that_cannot_be_written_stops_the_gateway(tmp_path: Path, reset: bool) -> None:
    """Cure: what is not committed is not told, and the gateway stops and says why."""
    with Gateway(tmp_path / "data") as gateway:
        loses_its_journal(gateway, reset)


def loses_its_journal(gateway: Gateway, reset: bool) -> None:
    assert gateway.process is not None
    client = gateway.client("TRADER37")
    kept = client.rest()
    size = max(path.stat().st_size for path in (gateway.data / "journal.db-wal", gateway.log))
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, size))
    if reset:
        fields = ((553, "TRADER37"), (554, "trader37-demo"), (141, "Y"))
        client.send("A", *LOGON, *fields, seq_num=1)
    else:
        client.send("D", *order("x"))
    assert gateway.process.wait(5) == 74
    with pytest.raises(ConnectionError):
        client.receive()
    assert not accepts(gateway.port)
    assert "cannot write the journal" in gateway.log.read_text()
    restart(gateway)
    assert client.logon(reset=True).type == "A"
    client.send("AF", (584, "s"), (585, "7"))
    client.expect(f"8|37={kept.order_id}|911=1")
    client.quiet()


def test_a_full_disk_stops_it_although_nothing_can_be_logged(tmp_path: Path) -> None:
    """Cure: the exit code says what it was, when the log is on the disk that is full."""
    with Gateway(tmp_path / "data") as gateway:
        assert gateway.process is not None
        client = gateway.client("TRADER37")
        kept = client.rest()
        gateway.log_lines(kept.cl_ord_id)
        size = gateway.log.stat().st_size
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, size))
        client.send("D", *order("x"))
        assert gateway.process.wait(5) == 74
        assert closed(client)
        restart(gateway)
        assert client.logon(reset=True).type == "A"


def restart(gateway: Gateway) -> None:
    """Start it again after it stopped by itself."""
    assert gateway.process is not None
    assert gateway.process.stdout is not None
    gateway.process.stdout.close()
    gateway.start()
