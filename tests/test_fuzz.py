"""The fuzzer itself: it says the same again for a seed, and it finds what is wrong."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from scripts import fuzz
from scripts.fuzzing.author import Author, frame
from scripts.fuzzing.judge import Judge
from scripts.fuzzing.processes import children

from fixgw.fix.dictionary import SOH, load
from tests.gateway import until

HEARTBEAT = [
    (b"35", b"0"),
    (b"34", b"7"),
    (b"49", b"FIXGW"),
    (b"52", b"20261121-07:31:46.987"),
    (b"56", b"A"),
]


def judged(data: bytes) -> tuple[list[str], Judge]:
    """The types of the messages that are found in `data`, and what is said about them."""
    judge = Judge()
    return [answer.type for answer in judge.take(bytearray(data), "A 1")], judge


def test_a_seed_is_a_conversation() -> None:
    """The same numbers make the same bytes, but for the time; another seed makes others."""

    def said(seed: int) -> list[bytes]:
        author = Author(Random(seed), "TRADER37", "x")
        author._now = b"20261121-07:31:46.987"
        return [author.part().data for _ in range(500)]

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_good_messages_are_good() -> None:
    """A fuzzer whose messages are all refused at the door would find nothing."""
    author = Author(Random(1), "TRADER37", "x")
    good = [write for _ in range(50) for write in author._good]
    messages = [frame(write()) for write in good] + [author.logon(), author.clear(), author.fill(1)]
    for message in messages:
        assert load().validate(message.decode()) == [], message


def test_what_is_right_is_no_fault() -> None:
    """Whole messages are found one after the other, and the beginning of another is kept."""
    message = frame(HEARTBEAT)
    buffer = bytearray(message * 3 + message[:40])
    judge = Judge()
    assert [answer.get(34) for answer in judge.take(buffer, "A 1")] == [b"7"] * 3
    assert buffer == message[:40]
    assert not judge.faults


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (frame(HEARTBEAT, checksum=1), "length or sum is wrong"),
        (frame(HEARTBEAT, length=-1) + b" " * 9, "length or sum is wrong"),
        (b"x" + frame(HEARTBEAT), "what comes is no message"),
        (frame([(b"35", b"D"), *HEARTBEAT[1:]]), "is not documented"),
        (frame(HEARTBEAT[:-1]), "TargetCompID(56) is missing"),
        (frame([HEARTBEAT[0], (b"34", b"9223372036854775808"), *HEARTBEAT[2:]]), "is not a SEQNUM"),
        (frame([*HEARTBEAT[:3], (b"52", b"20261121-25:31:46.987"), HEARTBEAT[4]]), "is not a UTCTIMESTAMP"),
        (frame([*HEARTBEAT, (b"58", b"x")]), "Text(58) is not allowed"),
        (frame([*HEARTBEAT, (b"112", b"")]), "is empty"),
        (frame([*HEARTBEAT, (b"112", b"x"), (b"112", b"x")]), "appears twice"),
    ],
)
def test_what_is_wrong_is_a_fault(data: bytes, fault: str) -> None:
    """Also behind a good message of the same make, which is remembered."""
    for ahead in (b"", frame(HEARTBEAT) + frame([*HEARTBEAT, (b"112", b"y")])):
        _, judge = judged(ahead + data)
        assert any(fault in found for found in judge.first.values()), judge.first


def test_faults_of_a_kind_are_counted_together() -> None:
    """They differ in numbers only; the first is shown."""
    wrong = [frame([HEARTBEAT[0], (b"34", b"%d" % (1 << power)), *HEARTBEAT[2:]]) for power in (63, 64, 65)]
    _, judge = judged(b"".join(wrong))
    assert list(judge.faults.values()) == [3]
    assert "34=9223372036854775808" in next(iter(judge.first.values())).replace(SOH, "|")


@pytest.mark.parametrize("of", ["engine", pytest.param("edge", marks=pytest.mark.long)])
def test_a_process_that_ends_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], of: str
) -> None:
    """Although the supervisor starts it again at once."""
    monkeypatch.setattr(fuzz, "QUIET_SECONDS", 0.0)
    go_on, run = fuzz.Fuzz._go_on, []

    def kill_once(self: fuzz.Fuzz, is_over: Callable[[], bool], *others: object) -> None:
        run.append(self)
        if len(run) == 2:
            [pid] = [process.pid for process in self._processes if process.name == of]
            os.kill(pid, signal.SIGKILL)
            until(lambda: children(self._supervisor) != self._processes)
        go_on(self, is_over, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(fuzz.Fuzz, "_go_on", kill_once)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path))
    assert fuzz.main(["--messages", "100"]) == 1
    assert "the processes were" in capsys.readouterr().out


def test_mutated_conversations_find_nothing() -> None:
    """Whatever is sent, on some hundred connections: `make fuzz` does the same at length."""
    assert fuzz.main(["--messages", "10000", "--seed", "1"]) == 0
