"""Supervision with real processes: crashes, hangs, exit codes, signals, and nothing that stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway import ROOT, Gateway, is_running, until, write_config
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


@pytest.mark.parametrize("code", [0, 69, 74, 78])
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


def test_a_slow_start_is_a_warning(odd: Odd) -> None:
    """A start is no hang, however long it takes; somebody is told."""
    with odd("slow", ("start_seconds = 60", "start_seconds = 1")) as gateway:
        gateway.client("TRADER37").rest()
    assert SLOW_SECONDS > HANG_SECONDS
    assert len(events(gateway, "engine is slow to start")) == 1
    assert len(events(gateway, "engine started")) == 1


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_stops_an_engine_that_is_starting(odd: Odd, number: signal.Signals) -> None:
    """Nobody was told anything yet: it ends at once, with exit code 0."""
    gateway = odd("slow")
    engine, started = launched(gateway), time.monotonic()
    assert gateway.stop(number) == 0
    assert time.monotonic() - started < SLOW_SECONDS
    assert not is_running(engine)
    with gateway:
        gateway.client("TRADER37").rest()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
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
    """`fixgw engine` is for the supervisor only."""
    command = [sys.executable, "-m", "fixgw", "engine", "--data", str(tmp_path / "data")]
    found = subprocess.run(
        command, input=said, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False
    )
    assert found.returncode == 1
    assert why in found.stderr
    assert not (tmp_path / "data").exists()


def test_the_secret_is_nowhere_to_be_read(tmp_path: Path) -> None:
    """Not on the engine's command line, and not in its environment."""
    environment = {"MARK": "its value"}
    with Gateway(tmp_path / "data", env=environment) as gateway:
        process = Path(f"/proc/{gateway.engine}")
        words = (process / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
        given = [
            "--config",
            str(gateway.config),
            "--data",
            str(gateway.data),
            "--fix-port",
            str(gateway.port),
        ]
        assert words[words.index("engine") + 1 :] == given
        names = {entry.partition("=")[0] for entry in (process / "environ").read_text().split("\0")}
        assert names - {""} <= {*os.environ, *environment}
