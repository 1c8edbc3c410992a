"""Supervision with real processes: crashes, hangs, exit codes, signals, and nothing that stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fixgw.supervisor import reserve
from tests.gateway import ROOT, Gateway, edit_session, free_port, is_running, until, write_config
from tests.lone_engine import SECRET
from tests.odd_engine import SHORT_SECONDS, SLOW_SECONDS
from tests.wire import Client

HANG_SECONDS = 2
MORE_SECONDS = 12.0  # what noticing, ending and starting again take on a busy machine

Odd = Callable[..., Gateway]


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    """Makes a gateway whose engine behaves as `odd_engine` says, with other limits of the supervisor."""

    def make(how: str, *edits: tuple[str, str]) -> Gateway:
        config = write_config(
            tmp_path / "config", ("hang_seconds = 30", f"hang_seconds = {HANG_SECONDS}"), *edits
        )
        return Gateway(tmp_path / "data", config, command=(sys.executable, "-m", "tests.odd_engine", how))

    return make


def events(gateway: Gateway, name: str, count: int = 1) -> list[dict[str, object]]:
    """The log lines of this event, `count` at least."""
    return [json.loads(line) for line in gateway.log_lines(f'"event":"{name}"', count)]


def goes_on(client: Client) -> None:
    """Assert that the client can log on with its own numbers, and that its orders are still there."""
    assert client.logon().type == "A"
    client.quiet()
    client.rest()


def launched(gateway: Gateway) -> int:
    """Launch the gateway; the id of its engine, which is starting."""
    gateway.launch()
    until(lambda: gateway.log.exists() and bool(events(gateway, "engine started")))
    return int(str(events(gateway, "engine started")[-1]["engine"]))


# crashes


def test_an_engine_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """It comes back at once, and a client goes on with its own numbers; the supervisor stays."""
    with Gateway(tmp_path / "data") as gateway:
        assert gateway.process is not None
        client = gateway.client("TRADER37")
        resting = client.rest()
        first = gateway.engine
        gateway.kill_engine()
        gateway.until_ready()
        assert first != gateway.engine
        goes_on(client)
        client.send("H", (11, resting.cl_ord_id), (55, "BTC-USD"), (54, "1"))
        client.expect(f"8|37={resting.order_id}|39=0")
        assert gateway.process.poll() is None
    ended, *_ = events(gateway, "engine ended", 2)
    assert (ended["supervisor"], ended["engine"], ended["signal"]) == (gateway_pid(gateway), first, "SIGKILL")
    assert [line["seconds"] for line in events(gateway, "engine restarts")] == [0.0]


def gateway_pid(gateway: Gateway) -> object:
    """The supervisor's process id, as it said it itself."""
    return events(gateway, "engine started")[0]["supervisor"]


def test_an_edge_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """It comes back with its port, and a client goes on with its own numbers; the engine notices nothing."""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        resting = client.rest()
        engine, edge = gateway.engine, gateway.edge
        gateway.kill_edge()
        gateway.until_edge_ready(edge)
        goes_on(client)
        client.send("H", (11, resting.cl_ord_id), (55, "BTC-USD"), (54, "1"))
        client.expect(f"8|37={resting.order_id}|39=0")
        assert gateway.engine == engine
    ended, *_ = events(gateway, "edge ended", 2)
    assert (ended["edge"], ended["signal"]) == (edge, "SIGKILL")
    assert len(events(gateway, "engine started")) == 1


def test_an_engine_that_is_killed_leaves_the_edge_as_it_is(tmp_path: Path) -> None:
    """Its port stays open: a Logon that comes while there is no engine waits for it."""
    with Gateway(tmp_path / "data") as gateway:
        client, edge = gateway.client("TRADER37"), gateway.edge
        client.rest()
        gateway.kill_engine()
        assert events(gateway, "engine ended")
        goes_on(client)
        gateway.until_ready()
        assert gateway.edge == edge
    assert len(events(gateway, "edge started")) == 1


@pytest.mark.long
def test_both_are_killed_and_the_gateway_says_when_it_is_ready_again(tmp_path: Path) -> None:
    """The ready line comes when both are there."""
    with Gateway(tmp_path / "data") as gateway:
        client, engine = gateway.client("TRADER37"), gateway.engine
        client.rest()
        os.kill(gateway.edge, signal.SIGKILL)
        os.kill(engine, signal.SIGKILL)
        gateway.until_ready()
        assert gateway.engine != engine
        goes_on(client)


def test_a_crash_loop_is_given_up(odd: Odd) -> None:
    """The first restart comes at once, the next ones after longer and longer pauses; then it is over: 70."""
    gateway = odd("exit-3", ("crashes_max = 5", "crashes_max = 4"))
    gateway.launch()
    assert gateway.process is not None
    assert gateway.process.wait(30) == 70
    assert gateway.stop() == 70
    assert [line["code"] for line in events(gateway, "engine ended", 4)] == [3, 3, 3, 3]
    assert [line["seconds"] for line in events(gateway, "engine restarts", 3)] == [0.0, 0.5, 1.0]
    assert events(gateway, "supervisor gives up")[0]["crashes"] == 4


@pytest.mark.parametrize("code", [0, *(pytest.param(code, marks=pytest.mark.long) for code in (69, 74)), 78])
def test_no_restart_after_an_end_that_a_restart_cannot_help(odd: Odd, code: int) -> None:
    """A clean end, and what a person has to look at: the supervisor ends with the same code."""
    gateway = odd(f"exit-{code}")
    gateway.launch()
    assert gateway.process is not None
    assert gateway.process.wait(10) == code
    assert gateway.stop() == code
    assert len(events(gateway, "engine started")) == 1


# hangs


def test_a_stopped_engine_is_ended_and_started_again(odd: Odd) -> None:
    """SIGSTOP: no answer for `hang_seconds`; SIGABRT reaches it because it is continued."""
    with odd("") as gateway:
        client = gateway.client("TRADER37")
        client.rest()
        first, started = gateway.engine, time.monotonic()
        gateway.kill_engine(signal.SIGSTOP)
        took = time.monotonic() - started
        gateway.until_ready()
        assert HANG_SECONDS <= took < HANG_SECONDS + MORE_SECONDS
        assert first != gateway.engine
        goes_on(client)
    assert events(gateway, "engine ended")[0]["signal"] == "SIGABRT"
    hang = events(gateway, "engine hangs")[0]
    assert HANG_SECONDS <= float(str(hang["silent_seconds"])) < HANG_SECONDS + 1


def test_a_stopped_edge_is_ended_and_started_again(odd: Odd) -> None:
    """It says nothing for `hang_seconds`: then it goes the way of an engine that hangs."""
    with odd("") as gateway:
        client, engine, edge = gateway.client("TRADER37"), gateway.engine, gateway.edge
        started = time.monotonic()
        gateway.kill_edge(signal.SIGSTOP)
        since_last_beat = 1
        assert HANG_SECONDS - since_last_beat <= time.monotonic() - started < HANG_SECONDS + MORE_SECONDS
        gateway.until_edge_ready(edge)
        goes_on(client)
        assert gateway.engine == engine
    assert events(gateway, "edge ended")[0]["signal"] == "SIGABRT"
    hang = events(gateway, "edge hangs")[0]
    assert HANG_SECONDS <= float(str(hang["silent_seconds"])) < HANG_SECONDS + 1


def test_an_endless_loop_is_ended_and_says_where_it_was(odd: Odd) -> None:
    """The stacks of all threads are in the log, so that somebody can find the mistake."""
    with odd("loop") as gateway:
        client = gateway.client("TRADER37")
        client.rest()
        first, started = gateway.engine, time.monotonic()
        (gateway.data / "hang").touch()
        until(lambda: not is_running(first))
        assert HANG_SECONDS <= time.monotonic() - started < HANG_SECONDS + MORE_SECONDS
        gateway.until_ready()
        goes_on(client)
    assert "Fatal Python error: Aborted" in gateway.log.read_text()
    assert gateway.log_lines("in spin_for_ever")
    assert gateway.log_lines("in turn_or_hang")


@pytest.mark.long
def test_a_pause_that_is_no_hang_is_left_alone(odd: Odd) -> None:
    """An engine that is busy for less than `hang_seconds` goes on, and so do its connections."""
    with odd("") as gateway:
        client = gateway.client("TRADER37")
        for _ in range(3):
            os.kill(gateway.engine, signal.SIGSTOP)
            time.sleep(HANG_SECONDS * 0.6)
            os.kill(gateway.engine, signal.SIGCONT)
            client.rest()
    assert not events(gateway, "engine hangs", 0)


def test_what_the_supervisor_slept_itself_counts_not(odd: Odd) -> None:
    """A supervisor that was stopped, or on a machine that slept, does not take its own sleep for a hang."""
    with odd("") as gateway:
        assert gateway.process is not None
        client, first = gateway.client("TRADER37"), gateway.engine
        gateway.process.send_signal(signal.SIGSTOP)
        time.sleep(HANG_SECONDS * 2)
        gateway.process.send_signal(signal.SIGCONT)
        time.sleep(HANG_SECONDS)
        client.rest()
        assert gateway.engine == first
    assert not events(gateway, "engine hangs", 0)


@pytest.mark.long
def test_a_slow_start_is_a_warning(odd: Odd) -> None:
    """A start is no hang, however long it takes; somebody is told."""
    with odd("slow", ("start_seconds = 60", "start_seconds = 1")) as gateway:
        gateway.client("TRADER37").rest()
    assert SLOW_SECONDS > HANG_SECONDS
    assert len(events(gateway, "engine is slow to start")) == 1
    assert len(events(gateway, "engine started")) == 1


# signals


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_that_comes_twice_stops_it_cleanly_once(tmp_path: Path, number: signal.Signals) -> None:
    """The engine stops once, the Logout is sent, and the exit code is 0."""
    gateway = Gateway(tmp_path / "data").start()
    client = gateway.client("TRADER37")
    assert gateway.process is not None
    gateway.process.send_signal(number)
    assert client.next().type == "5"
    gateway.process.send_signal(number)
    gateway.process.send_signal(number)
    client.send("5")
    assert gateway.stop() == 0
    assert len(events(gateway, "stopping")) == len(events(gateway, "engine stops")) == 1
    assert events(gateway, "engine ended")[0]["code"] == 0


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_stops_an_engine_that_is_starting(odd: Odd, number: signal.Signals) -> None:
    """Nobody was told anything yet: it ends at once, with exit code 0."""
    gateway = odd("slow")
    engine, started = launched(gateway), time.monotonic()
    assert gateway.stop(number) == 0
    assert time.monotonic() - started < SLOW_SECONDS
    assert not is_running(engine)
    with gateway:
        gateway.client("TRADER37").rest()


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_the_pause_before_a_restart(odd: Odd, number: signal.Signals) -> None:
    """The pauses become long: nobody has to wait for one."""
    gateway = odd("exit-70")
    gateway.launch()
    until(lambda: len(events(gateway, "engine restarts", 0)) >= 4)
    started = time.monotonic()
    assert gateway.stop(number) == 0
    assert time.monotonic() - started < 1.8
    assert events(gateway, "engine does not restart")[0]["signal"] == number.name


def test_a_signal_to_the_engine_itself_is_a_clean_stop(tmp_path: Path) -> None:
    """Some send their signals to every process there is: QuickFIX does not take the handler away."""
    gateway = Gateway(tmp_path / "data").start()
    os.kill(gateway.engine, signal.SIGINT)
    assert gateway.process is not None
    assert gateway.process.wait(10) == 0
    assert gateway.stop() == 0
    assert events(gateway, "stopped")


def test_an_engine_that_does_not_stop_is_ended(odd: Odd) -> None:
    """A hang in the middle of a stop: ended with a dump as any other, in bounded time, and no restart."""
    gateway = odd("short-stop").start()
    os.kill(gateway.engine, signal.SIGSTOP)
    started = time.monotonic()
    assert gateway.stop() == 70
    assert SHORT_SECONDS <= time.monotonic() - started < SHORT_SECONDS + MORE_SECONDS
    assert [line["signal"] for line in events(gateway, "engine is ended")] == ["SIGABRT"]
    assert len(events(gateway, "engine started")) == 1


# a new configuration


def reread(gateway: Gateway, *edits: tuple[str, str]) -> None:
    """Make the edits to the reference configuration, have the gateway read it, and wait until it has."""
    before = len(events(gateway, "configuration read again", 0))
    write_config(gateway.config.parent, *edits)
    hang_up(gateway)
    assert len(events(gateway, "configuration read again", before + 1)) == before + 1


def hang_up(gateway: Gateway) -> None:
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)


@pytest.fixture
def edited(tmp_path: Path) -> Gateway:
    """A gateway whose configuration can be changed."""
    return Gateway(tmp_path / "data", write_config(tmp_path / "config"))


def test_a_reload_touches_no_process(edited: Gateway) -> None:
    """What can change while all runs is passed on; the connections stay."""
    with edited as gateway:
        client, engine, edge = gateway.client("TRADER37"), gateway.engine, gateway.edge
        reread(gateway, ("reports_per_turn = 500", "reports_per_turn = 50"))
        reread(gateway)
        client.rest()
        assert (gateway.engine, gateway.edge) == (engine, edge)
    assert [line["changes"] for line in events(gateway, "configuration read again")] == [1, 1]


def test_mistakes_are_said_and_the_old_configuration_stays(edited: Gateway) -> None:
    """Each problem has a line; the next good file is taken."""
    with edited as gateway:
        client = gateway.client("TRADER37")
        write_config(
            gateway.config.parent, ("hang_seconds = 30", "hang_seconds = 0"), ("port = 8080", "port = -1")
        )
        hang_up(gateway)
        problems = [str(line["problem"]) for line in events(gateway, "configuration refused", 2)]
        assert any("[supervisor] hang_seconds" in problem for problem in problems)
        assert any("[api] port" in problem for problem in problems)
        reread(gateway)
        client.rest()
    assert len(events(gateway, "engine started")) == len(events(gateway, "edge started")) == 1


def test_the_engine_restarts_cleanly_for_what_it_cannot_change(edited: Gateway) -> None:
    """Clients are logged out, and come back to the new configuration; no crash is counted."""
    with edited as gateway:
        client, engine, edge = gateway.client("TRADER37"), gateway.engine, gateway.edge
        reread(gateway, edit_session("READER50", "reset_at = 01:00:00"))
        logout = client.next()
        assert (logout.type, "stopping" in logout[58]) == ("5", True)
        client.send("5")
        gateway.until_ready()
        goes_on(client)
        assert gateway.engine != engine
        assert gateway.edge == edge
    restart = events(gateway, "engine restarts for a new configuration")[0]
    assert restart["changed"] == ["[[session]] READER50 reset_at"]
    assert [line["code"] for line in events(gateway, "engine ended", 2)] == [0, 0]
    assert not events(gateway, "engine restarts", 0)


def test_what_needs_a_new_start_is_said_and_left(edited: Gateway) -> None:
    """As often as it is asked for."""
    with edited as gateway:
        client, other = gateway.client("TRADER37"), free_port()
        for _ in range(2):
            reread(gateway, ("\nport = 9878", f"\nport = {other}"))
        assert events(gateway, "configuration needs a new start", 2)[1]["changed"] == ["[fix] port"]
        client.rest()


def test_a_new_configuration_comes_while_the_engine_starts(odd: Odd) -> None:
    """It is not ended by the signal, but gets it when it is ready; or is started anew."""
    gateway = odd("slow")
    hang = ("hang_seconds = 30", f"hang_seconds = {HANG_SECONDS}")
    launched(gateway)
    reread(gateway, hang, ("reports_per_turn = 500", "reports_per_turn = 50"))
    reread(gateway, hang, ("reports_per_turn = 500", "reports_per_turn = 50"), ('"full"', '"normal"'))
    gateway.until_ready()
    gateway.client("TRADER37").rest()
    assert gateway.stop() == 0
    assert [line.get("signal") for line in events(gateway, "engine ended", 2)] == ["SIGTERM", None]
    assert not events(gateway, "engine restarts", 0)


# the ports


def test_a_port_that_is_taken_is_said_and_ends_both(tmp_path: Path) -> None:
    """Exit code 69, at once, and no engine is left."""
    gateway = Gateway(tmp_path / "data")
    with socket.create_server(("127.0.0.1", gateway.port)):
        gateway.launch()
        assert gateway.ended() == 69
    assert f"fixgw: cannot open the FIX port {gateway.port} on 127.0.0.1" in gateway.log.read_text()
    assert not is_running(int(str(events(gateway, "engine started")[0]["engine"])))


def test_an_engine_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """Exit code 69, and nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = write_config(tmp_path / "config", ("engine_port = 0", f"engine_port = {port}"))
        gateway = Gateway(tmp_path / "data", config)
        gateway.launch()
        assert gateway.ended() == 69
    assert f"fixgw: [fix] engine_port {port} cannot be had" in gateway.log.read_text()
    assert not events(gateway, "engine started", 0)


def test_the_engines_port_is_kept_for_it(tmp_path: Path) -> None:
    """While it is reserved QuickFIX can open it, in one life after another, and nobody is given it."""
    with reserve(0) as reserved:
        command = (sys.executable, "-m", "tests.lone_engine")
        gateway = Gateway(tmp_path / "data", command=command, password=SECRET)
        gateway.port = reserved.getsockname()[1]
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", gateway.port))
            with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", gateway.port))
            gateway.start()
            gateway.client("TRADER37").rest()
            gateway.kill()


@pytest.mark.long
def test_the_engines_port_is_one_that_the_configuration_says(tmp_path: Path) -> None:
    """For those who want to name it in a firewall."""
    port = free_port()
    config = write_config(tmp_path / "config", ("engine_port = 0", f"engine_port = {port}"))
    with Gateway(tmp_path / "data", config) as gateway:
        gateway.client("TRADER37").rest()
        assert events(gateway, "ready")[0]["engine_port"] == port
        client = Client(port, "TRADER38")
        assert client.logon((141, "Y"))[58] == "Rejected Logon Attempt: Logon refused"
        client.close()


# nothing stays behind


def test_no_engine_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """Both are gone at once, and the next start finds the directory and the port free."""
    gateway = Gateway(tmp_path / "data").start()
    client = gateway.client("TRADER37")
    client.rest()
    engine = gateway.engine
    gateway.stop(signal.SIGKILL)
    started = time.monotonic()
    gateway.start()
    assert time.monotonic() - started < MORE_SECONDS
    assert not is_running(engine)
    goes_on(client)
    gateway.kill()
    assert not is_running(gateway.engine)


@pytest.mark.long
def test_no_engine_is_left_when_the_supervisor_is_killed_while_it_starts(odd: Odd) -> None:
    """The engine asks who its parent is, before it takes anything."""
    gateway = odd("slow")
    engine = launched(gateway)
    gateway.stop(signal.SIGKILL)
    until(lambda: not is_running(engine), SLOW_SECONDS + MORE_SECONDS)
    assert not (gateway.data / "lock").exists()


def test_an_engine_sees_by_itself_that_the_supervisor_is_gone(odd: Odd) -> None:
    """Where the kernel does not end it, the end of its standard input does."""
    gateway = odd("unbound").start()
    gateway.client("TRADER37")
    engine = gateway.engine
    gateway.kill()
    until(lambda: not is_running(engine))
    assert "the supervisor is gone" in gateway.log.read_text()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "which said nothing"),
        ("hello\n", "which said nothing"),
        ('{"supervisor":1,"secret":"x"}\n', "the supervisor 1 has ended"),
    ],
)
def test_an_engine_does_not_start_alone(tmp_path: Path, said: str, why: str) -> None:
    """It is for the supervisor only."""
    command = [sys.executable, "-m", "fixgw.engine", f"--config={ROOT / 'config' / 'gateway.toml'}"]
    command += [f"--data={tmp_path / 'data'}", "--fix-port=1", "--engine-port=2"]
    found = subprocess.run(
        command, input=said, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False
    )
    assert found.returncode == 1
    assert why in found.stderr
    assert not (tmp_path / "data").exists()


def test_the_secret_is_nowhere_to_be_read(tmp_path: Path) -> None:
    """Not on the command line of a child, and not in its environment."""
    environment = {"MARK": "its value"}
    with Gateway(tmp_path / "data", env=environment, api=True) as gateway:
        for pid in (gateway.engine, gateway.edge, gateway.api_pid):
            process = Path(f"/proc/{pid}")
            words = (process / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
            flags = [word.partition("=")[0] for word in words if word.startswith("--")]
            ports = ["--api-port"] if pid == gateway.api_pid else ["--fix-port", "--engine-port"]
            assert flags == ["--config", "--data", *ports]
            names = {entry.partition("=")[0] for entry in (process / "environ").read_text().split("\0")}
            assert names - {""} <= {*os.environ, *environment}
