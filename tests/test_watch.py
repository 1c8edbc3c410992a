"""The supervisor's FIX session: who may log on to it, what comes through it, and how silence is measured."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixgw.fix.dictionary import SOH, load
from fixgw.fix.settings import WATCH_SESSION
from fixgw.journal.sqlite import SqliteJournal
from fixgw.watch import PROBE_SECONDS, STEP_MAX_SECONDS, Watch, message
from tests.gateway import ROOT, Gateway, free_port
from tests.traps.bare import closed, half_open, leave, silent
from tests.wire import Client, order

SECRET = "s3cret-of-this-start"


class Alone:
    """An engine whose supervisor is the test."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.log = data, free_port(), data.parent / "log"
        self._clients: list[Client] = []

    @contextmanager
    def run(self) -> Iterator["Alone"]:
        """Start it, and end it cleanly."""
        command = [
            sys.executable,
            "-m",
            "fixgw.engine",
            f"--config={ROOT / 'config' / 'gateway.toml'}",
            f"--data={self.data}",
            f"--fix-port={self.port}",
            f"--engine-port={self.port}",
        ]
        with self.log.open("w") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
            )
        assert process.stdin is not None
        with process:
            print(json.dumps({"supervisor": os.getpid(), "secret": SECRET}), file=process.stdin, flush=True)
            assert process.stdout is not None
            assert process.stdout.readline().startswith("fixgw ready"), self.log.read_text()
            try:
                yield self
            finally:
                for client in self._clients:
                    client.close()
                process.terminate()
                code = process.wait(15)
        assert code == 0, self.log.read_text()

    def client(self, name: str = WATCH_SESSION, password: str = SECRET) -> Client:
        """A client that is not connected yet."""
        self._clients.append(Client(self.port, name, password=password))
        return self._clients[-1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """One engine for the tests of this file."""
    with Alone(tmp_path_factory.mktemp("alone") / "data").run() as running:
        yield running


def test_it_answers_whoever_knows_the_secret(alone: Alone) -> None:
    """Logon, TestRequest, Heartbeat, Logout; its numbers begin anew at each Logon."""
    for _ in range(2):
        client = alone.client()
        assert client.logon()[34] == "1"
        client.send("1", (112, "are you there"))
        assert (answer := client.receive()).type == "0"
        assert answer[112] == "are you there"
        client.logout()


@pytest.mark.parametrize("password", ["wrong", SECRET + "x", SECRET[:-1]])
def test_a_wrong_secret_is_refused(alone: Alone, password: str) -> None:
    """As a wrong password is: without saying why."""
    client = alone.client(password=password)
    answer = client.logon((141, "Y"))
    assert (answer.type, answer[58]) == ("5", "Rejected Logon Attempt: Logon refused")
    client.close()


def test_no_secret_is_refused(alone: Alone) -> None:
    """Neither a Logon without one, nor anything before a Logon."""
    client = alone.client()
    client.connect()
    client.send("A", (98, 0), (108, 30))
    assert client.receive().type == "5"
    for msg_type, fields in (("1", ((112, "x"),)), ("4", ((36, 1),)), ("D", tuple(order("x")))):
        client = alone.client()
        client.connect()
        client.send(msg_type, *fields)
        assert closed(client)


def test_the_supervisor_is_logged_on_without_a_word(tmp_path: Path) -> None:
    """No log line tells of it, as long as all is well."""
    with Gateway(tmp_path / "data") as gateway:
        time.sleep(2 * PROBE_SECONDS)
        (numbers,) = (gateway.data / "fix").glob(f"*{WATCH_SESSION}.seqnums")
        _, _, next_in = numbers.read_text().partition(" : ")
        assert int(next_in) > 2
    assert WATCH_SESSION not in gateway.log.read_text()


def test_nobody_else_comes_in_while_it_is_logged_on(alone: Alone) -> None:
    """As with every session, a second connection is closed, and the first one goes on."""
    first, second = alone.client(), alone.client()
    first.logon()
    second.connect()
    second.send("A", (98, 0), (108, 30), (554, SECRET))
    assert closed(second)
    first.quiet()
    first.logout()


def test_nothing_but_session_messages_comes_through(tmp_path: Path) -> None:
    """An order is refused, and the session stays out of the journal, the counters and the log."""
    with Alone(tmp_path / "data").run() as alone:
        client = alone.client()
        client.logon()
        client.send("D", *order("x"))
        assert silent(client)
        client.send("1", (112, "still there"))
        assert client.receive()[112] == "still there"
        client.logout()
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    try:
        assert list(journal.entries()) == []
    finally:
        journal.close()
    assert WATCH_SESSION.encode() not in (tmp_path / "data" / "journal.db").read_bytes()
    about_it = [json.loads(line) for line in alone.log.read_text().splitlines() if WATCH_SESSION in line]
    assert [(line["level"], line["event"]) for line in about_it] == [("warning", "refused")]
    assert SECRET not in alone.log.read_text()


def test_it_takes_no_store(alone: Alone) -> None:
    """A message each second would fill the disk: nothing of it is kept."""
    client = alone.client()
    client.logon()
    for number in range(100):
        client.send("1", (112, number))
    for number in range(100):
        assert client.receive()[112] == str(number)
    client.logout()
    (body,) = (alone.data / "fix").glob(f"*{WATCH_SESSION}.body")
    assert body.stat().st_size == 0


# how silence is measured


def test_what_it_sends_is_fix() -> None:
    """Every message is a good one."""
    for msg_type, fields in (
        ("A", ((98, 0), (108, 30), (553, WATCH_SESSION), (554, SECRET))),
        ("1", ((112, 1),)),
        ("0", ((112, 1),)),
        ("5", ()),
    ):
        assert load().validate(message(msg_type, 1, *fields).decode()) == []
    assert message("5", 7).decode().split(SOH)[2:4] == ["35=5", "34=7"]


def test_whoever_takes_connections_and_says_nothing_is_silent() -> None:
    """The kernel accepts for a process that hangs; time counts as far as we ran ourselves."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        watch = Watch(hanging.getsockname()[1], SECRET, 100.0)
        watch.step(100.0)
        for number in range(1, 21):
            watch.step(100.0 + number / 4)
        assert watch.silent_seconds == 5.0
        watch.step(1_000.0)
        assert watch.silent_seconds == 5.0 + STEP_MAX_SECONDS
        watch.close()


def test_nobody_there_is_silence_too() -> None:
    """A port that is closed answers nothing."""
    watch = Watch(free_port(), SECRET, 0.0)
    for number in range(9):
        watch.step(number / 4)
    assert watch.silent_seconds == 2.0


def test_an_engine_that_turns_us_away_does_not_hang(alone: Alone) -> None:
    """Whoever sits on the session cannot have the engine ended: closing a connection is an answer."""
    squatter = alone.client()
    half_open(squatter)
    watch = Watch(alone.port, SECRET, time.monotonic())
    try:
        for longest in watched(watch, 3.0):
            assert longest < 1.0
        leave(squatter)
        for longest in watched(watch, 3.0):
            assert longest < 1.0
    finally:
        watch.close()


def watched(watch: Watch, seconds: float) -> Iterator[float]:
    """Step the watch in real time; how long it has heard nothing, each time."""
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        watch.step(now)
        yield watch.silent_seconds
        time.sleep(0.05)
