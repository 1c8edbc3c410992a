"""Exactly once under kill -9: some kills in each run of the tests, and the test of the test itself."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scripts.bench.client import Fields, encode, utc_now
from scripts.crash import trial as trials
from scripts.crash.engine import Engine, Message, cut
from scripts.crash.plan import SESSIONS, Plan, Round
from scripts.crash.record import Fault, Record
from scripts.crash.sweep import conversation
from scripts.crash.trial import Trial

from tests.gateway import ROOT

SOME_KILLS = 5
MIDDLE_WRITES = (150, 130, 170)  # of the gateway's: its reports are committed and being stored


def test_nothing_is_lost_or_doubled() -> None:
    """A few kills at random moments; `scripts/torture.py` by itself does many more."""
    command = [sys.executable, "scripts/torture.py", "--kills", str(SOME_KILLS), "--seed", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert lines["kills"] == str(SOME_KILLS)
    assert int(lines["requests"]) == int(lines["outcomes"]) > 0
    assert (lines["lost"], lines["doubled"], lines["wrong"]) == ("0", "0", "0")


@pytest.mark.long
def test_a_gateway_that_forgets_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same crashes with and without a step of the recovery: without it reports are lost."""
    monkeypatch.setattr(trials, "PATIENCE_SECONDS", 3.0)
    assert list(found_after_crashes(tmp_path / "good", "fixgw")) == []
    found = list(found_after_crashes(tmp_path / "forgetful", "tests.forgetful_gateway"))
    assert {fault.kind for fault in found} == {"lost"}


def found_after_crashes(directory: Path, module: str) -> Iterator[Fault]:
    """Crash in the middle of a mass cancel's reports, and recover; what is wrong after it."""
    directory.mkdir()
    trial = Trial(directory, SESSIONS, module=module)
    try:
        for number, write in enumerate(MIDDLE_WRITES):
            trial.die_at(write, conversation(number))
            trial.start()
            trial.log_on()
            trial.settle()
            trial.kill()
            if trial.record.faults:
                break
    finally:
        trial.close()
    yield from trial.record.faults


def test_a_seed_is_a_plan() -> None:
    """The same seed asks the same and kills at the same moments; another one does not."""

    def rounds(seed: int) -> list[Round]:
        plan = Plan(seed)
        return [plan.round() for _ in range(10)]

    assert rounds(1) == rounds(1)
    assert rounds(1) != rounds(2)


# what the record finds


def report(text: str) -> Message:
    return dict(part.split("=") for part in f"35={text}".split())


NEW = "8 150=0 11=d1 37=1 17=1 54=1"
CANCELED = "8 150=4 11=f1 41=d1 37=1 17=2 54=1"
TOLD = "8 150=4 11=d1 37=1 17=2 54=1"  # the order's session, when another one asked


@pytest.mark.parametrize(
    ("told", "faults"),
    [
        ([NEW, CANCELED], []),
        ([NEW, NEW.replace("17=1", "17=9")], ["doubled"]),
        ([NEW, CANCELED, CANCELED.replace("17=2", "17=3")], ["doubled"] * 4),
        ([NEW, CANCELED, "9 11=f1 41=d1 37=1"], ["doubled"]),
        ([NEW, CANCELED, TOLD.replace("17=2", "17=3")], ["doubled"] * 2),
        ([NEW, "9 11=f1 41=d1 37=1", CANCELED], ["doubled"]),
        ([CANCELED, NEW], ["wrong"]),
        ([NEW, CANCELED.replace("37=1", "37=2")], ["wrong"]),
        ([NEW, CANCELED.replace("41=d1", "41=d2")], ["wrong"]),
        ([NEW.replace("11=d1", "11=d2")], ["wrong"]),
        ([NEW, TOLD.replace("17=2", "17=1")], ["doubled"]),
        (["j 45=1 380=0"], ["wrong"]),
        (["3 45=1 58=what"], ["wrong"]),
    ],
)
def test_the_record_of_single_requests(told: list[str], faults: list[str]) -> None:
    """A D and its F: one outcome each, in that order, of that order."""
    record = Record()
    record.asked("A", "D", "d1")
    record.asked("A", "F", "f1", "d1")
    for line in told:
        record.told("A", report(line))
    assert [fault.kind for fault in record.faults] == faults


@pytest.mark.parametrize(
    ("told", "faults", "missing"),
    [
        (["r 11=q1 533=2", "8 0", "8 1"], [], 2),
        (["r 11=q1 533=2", "8 0", "9 1"], [], 1),
        (["r 11=q1 533=2", "8 0"], [], 1),
        (["r 11=q1 533=1", "8 0", "8 1"], ["doubled"], 2),
        (["8 0", "r 11=q1 533=1"], ["wrong"], 1),
        (["r 11=q1 533=0", "r 11=q1 533=0"], ["doubled"], 0),
        (["r 11=q1 533=2", "8 0", "8 0"], ["doubled"] * 2, 1),
    ],
)
def test_the_record_of_a_mass_cancel(told: list[str], faults: list[str], missing: int) -> None:
    """The r first, then as many final reports as it says; and the orders' own session is to be told."""
    record = Record()
    for number in "01":
        record.asked("A", "D", f"d{number}")
        record.told("A", report(f"8 150=0 11=d{number} 37={number} 17={number} 54=1"))
    record.asked("B", "q", "q1")
    for text in told:
        kind, number = text[0], text[2:]
        both = f"11=q1 41=d{number} 37={number} 17=1{number} 54=1"
        record.told("B", report({"8": f"8 150=4 {both}", "9": f"9 {both}"}.get(kind, text)))
    assert [fault.kind for fault in record.faults] == faults
    assert len([text for text in record.outstanding() if text.startswith("A was not told")]) == missing


def test_the_record_knows_what_is_outstanding() -> None:
    """What never comes is named."""
    record = Record()
    record.asked("A", "D", "d1")
    record.asked("A", "q", "q1")
    assert list(record.outstanding()) == ["D d1 of A has no outcome", "q q1 of A has no outcome"]
    record.told("A", report("r 11=q1 533=3"))
    record.told("A", report(NEW))
    record.told("A", report(TOLD))
    assert list(record.outstanding()) == [
        "q q1 of A has 0 final reports, not 3",
        "A was told that d1 is canceled, and nobody who asked was",
    ]
    assert not record.is_quiet


@pytest.mark.parametrize(("open_orders", "faults"), [(["d1"], []), (["d1", "d2"], ["wrong"]), ([], ["lost"])])
def test_the_record_is_compared_with_the_oms(open_orders: list[str], faults: list[str]) -> None:
    """An order that is open on one side only is a fault."""
    record = Record()
    record.asked("A", "D", "d1")
    record.told("A", report(NEW))
    record.compare([{"11": cl_ord_id, "39": "0"} for cl_ord_id in open_orders])
    assert [fault.kind for fault in record.faults] == faults


# the client's session


class Peer:
    """The other end of an engine's connection: what the engine sent, and raw messages to it."""

    def __init__(self, connection: socket.socket, engine: Engine) -> None:
        self._connection = connection
        self._engine = engine

    def send(self, *messages: tuple[str, int, Fields]) -> list[tuple[str, int, str]]:
        """Send messages (type, number, fields); type, number and 36, 7 or 43 of what comes back."""
        for msg_type, seq_num, fields in messages:
            self._connection.sendall(encode(msg_type, seq_num, "FIXGW", "A", fields, utc_now()))
        self._engine.read()
        return self.read()

    def read(self) -> list[tuple[str, int, str]]:
        self._engine.write()
        self._connection.settimeout(0.1)
        try:
            messages, _ = cut(self._connection.recv(65_536))
        except TimeoutError:
            return []
        found = []
        for raw in messages:
            fields = dict(part.split("=", 1) for part in raw.decode().split("\x01")[:-1])
            special = next((f"{tag}={fields[tag]}" for tag in ("36", "7", "43") if tag in fields), "")
            found.append((fields["35"], int(fields["34"]), special))
        return found


@contextmanager
def connected(reports: list[str], faults: list[str]) -> Iterator[tuple[Engine, Peer]]:
    """An engine that is logged on: both sides' next number is 2."""
    engine = Engine(
        "A", lambda _, message: reports.append(message["11"]), lambda kind, _: faults.append(kind)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        engine.connect(server.getsockname()[1])
        with server.accept()[0] as connection:
            peer = Peer(connection, engine)
            assert peer.read() == [("A", 1, "")]
            assert peer.send(("A", 1, [(98, 0), (108, 30)])) == []
            assert engine.is_up
            yield engine, peer
        engine.close()


def execution(seq_num: int, cl_ord_id: str, *header: tuple[int, object]) -> tuple[str, int, Fields]:
    return "8", seq_num, [*header, (11, cl_ord_id)]


AGAIN = ((43, "Y"), (122, "20260101-00:00:00"))


def test_the_client_takes_messages_in_order_only() -> None:
    """A gap is asked for once; what comes too early counts when it comes again."""
    reports: list[str] = []
    faults: list[str] = []
    with connected(reports, faults) as (_, peer):
        assert peer.send(execution(3, "b"), execution(4, "c")) == [("2", 2, "7=2")]
        assert reports == []
        peer.send(execution(2, "a", *AGAIN), execution(3, "b", *AGAIN))
        peer.send(("4", 4, [*AGAIN, (36, 4), (123, "Y")]))
        assert reports == ["a", "b"]
        peer.send(execution(4, "c", *AGAIN), execution(4, "c", *AGAIN))
        assert reports == ["a", "b", "c"]
    assert faults == []


def test_the_client_sends_again_what_it_is_asked_for() -> None:
    """Requests with PossDupFlag(43)=Y, also those made while away; gaps in place of session messages."""
    faults: list[str] = []
    with connected([], faults) as (engine, peer):
        engine.request("D", [(11, "d1")])
        assert peer.send(("1", 2, [(112, "x")])) == [("D", 2, ""), ("0", 3, "")]
        engine.is_up = False
        engine.request("D", [(11, "d2")])
        assert peer.read() == []
        engine.is_up = True
        asked = peer.send(("2", 3, [(7, 1), (16, 0)]))
        assert asked == [("4", 1, "36=2"), ("D", 2, "43=Y"), ("4", 3, "36=4"), ("D", 4, "43=Y")]
    assert faults == []


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (execution(2, "other", *AGAIN), "wrong"),
        (execution(2, "a"), "wrong"),
        (execution(3, "b", (43, "Y")), "wrong"),
        (("A", 3, [(141, "Y")]), "wrong"),
        (("4", 3, [(36, 1)]), "wrong"),
        (("5", 3, [(58, "MsgSeqNum too low")]), "wrong"),
    ],
    ids=["another-content", "a-number-that-went-back", "no-122", "reset", "hard-reset", "logout"],
)
def test_the_client_finds_what_is_wrong_with_the_session(message: tuple[str, int, Fields], kind: str) -> None:
    """What a gateway may not do to a session after a crash."""
    reports: list[str] = []
    faults: list[str] = []
    with connected(reports, faults) as (_, peer):
        peer.send(execution(2, "a"))
        assert faults == []
        peer.send(message)
    assert faults == [kind]


def test_a_report_may_not_become_a_gap() -> None:
    """A report that was seen too early must come again; a gap in its place means that it is lost."""
    faults: list[str] = []
    with connected([], faults) as (_, peer):
        peer.send(execution(3, "b"))
        peer.send(("4", 2, [*AGAIN, (36, 4), (123, "Y")]))
    assert faults == ["lost"]


def test_a_logout_is_no_fault_when_the_gateway_stops() -> None:
    """It is answered then."""
    faults: list[str] = []
    with connected([], faults) as (engine, peer):
        engine.is_stop_expected = True
        assert peer.send(("5", 2, [(58, "the gateway is stopping")])) == [("5", 2, "")]
        assert not engine.is_up
    assert faults == []
