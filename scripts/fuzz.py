"""Say a million wrong things to the gateway, and show that it lives, answers, and stays as it is.

Several clients log on and mix good messages with wrong ones, others never log on, and one behaves well all
the while. Everything that the gateway says is checked against the dictionary. Ends with exit code 0 only if
no process ended, no answer was wrong, the well-behaved client never waited too long, memory did not grow, and
no descriptor was left open. `--seed` says the same again; `--only` begins with one conversation.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from selectors import DefaultSelector

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from tests.gateway import Gateway, write_config

from scripts.fuzzing.judge import Judge
from scripts.fuzzing.peers import Attacker, Steady, Stranger
from scripts.fuzzing.processes import Process, children

MESSAGES = 1_000_000
ATTACKERS = ("TRADER37", "TRADER38", "OPERATOR1", "READER50")
STEADY = "TRADER39"  # alone on its account
STRANGERS = 4
PATIENCE_SECONDS = 5.0  # how long the well-behaved client waits for an answer
WAIT_SECONDS = 0.02
QUIET_SECONDS = 2.0  # in which the parts of the gateway find each other, before anything is measured
LOOK_SECONDS = 0.5  # between two looks at the processes
WARM_UP_SHARE = 0.25  # of the messages: then memory is measured for the first time
GROWTH_MAX = 96 << 20  # bytes, of either process: closed orders and used ids, SQLite's pages, the queues
LOST_SECONDS = 60.0  # without an answer, after which it is not waited for any more
SETTLE_SECONDS = 10.0  # in which the descriptors must be back
SMALL = (("closed_seconds = 86400", "closed_seconds = 60"), ("closed_max = 200000", "closed_max = 1000"))
"""Closed orders and used ids in memory: the least that may be configured, so that there are as many soon."""


class LostError(Exception):
    """A process of the gateway has ended, or nobody answers; the text says what was being said."""


class Fuzz:
    """A run on a gateway that was started; `wanted` messages are sent."""

    def __init__(
        self, gateway: Gateway, seed: str, wanted: int, only: str | None, *, with_strangers: bool
    ) -> None:
        if gateway.process is None:
            raise ValueError("the gateway does not run")
        self.judge = Judge()
        self._supervisor = gateway.process.pid
        self._processes = children(self._supervisor)
        self._wanted = wanted
        self._selector = DefaultSelector()
        port, selector, judge = gateway.port, self._selector, self.judge
        self.steady = Steady(port, selector, judge, STEADY, PATIENCE_SECONDS)
        strangers = [f"stranger{number}" for number in range(STRANGERS if with_strangers else 0)]
        self.others: list[Attacker | Stranger] = [
            *(Attacker(port, selector, judge, name, seed) for name in ATTACKERS),
            *(Stranger(port, selector, judge, name, seed) for name in strangers),
        ]
        if only is not None:
            name, _, number = only.partition(" ")
            self.others = [peer for peer in self.others if peer.name == name]
            for peer in self.others:
                peer.begin(int(number))
        self.grown: dict[str, tuple[int, int]] = {}  # memory in bytes after the warm-up and at the end

    @property
    def messages(self) -> int:
        """How many were sent."""
        return sum(peer.messages for peer in (self.steady, *self.others))

    def run(self) -> None:
        """Send until everything is said, and look whether all is as before. Raises LostError."""
        quiet_until = time.monotonic() + QUIET_SECONDS
        self._go_on(lambda: bool(self.steady.took) and time.monotonic() > quiet_until)
        descriptors = [process.descriptors for process in self._processes]
        self._go_on(lambda: self.messages > self._wanted * WARM_UP_SHARE, self.others)
        warm = [process.resident for process in self._processes]
        self._go_on(lambda: self.messages >= self._wanted, self.others)
        for peer in self.others:
            peer.close()
        answered = len(self.steady.took)
        self._go_on(lambda: len(self.steady.took) > answered + 1)
        for process, open_before, resident_before in zip(self._processes, descriptors, warm, strict=True):
            self.grown[process.name] = resident_before, process.resident
            if process.resident - resident_before > GROWTH_MAX:
                self.judge.fault(f"the {process.name} has grown")
            self._wait_for_descriptors(process, open_before)

    def close(self) -> None:
        """Close all connections."""
        for peer in (self.steady, *self.others):
            peer.close()
        self._selector.close()

    def _go_on(self, is_over: Callable[[], bool], others: Sequence[Attacker | Stranger] = ()) -> None:
        """Have the well-behaved client speak, and the `others`, until it is over. Raises LostError."""
        look_at = 0.0
        while not is_over():
            now = time.monotonic()
            if now >= look_at:
                look_at = now + LOOK_SECONDS
                self._look()
            self.steady.step(now)
            for peer in others:
                peer.step(now)
            for key, _ in self._selector.select(WAIT_SECONDS):
                key.data.ready()

    def _look(self) -> None:
        running, silent = children(self._supervisor), self.steady.silent_seconds
        if running != self._processes or silent > LOST_SECONDS:
            raise LostError(
                f"the processes were {self._processes}, and are {running}; no answer for {silent:.0f} s; "
                f"in the middle of: {', '.join(peer.what for peer in self.others)}"
            )

    def _wait_for_descriptors(self, process: Process, before: int) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        self._go_on(lambda: process.descriptors <= before or time.monotonic() > deadline)
        if process.descriptors > before:
            self.judge.fault(f"the {process.name} had {before} descriptors, and has {process.descriptors}")


def report(fuzz: Fuzz, seconds: float, seed: str) -> None:
    """Print what was said and answered, and what is wrong."""
    print(f"messages     {fuzz.messages} in {seconds:.0f} s, {fuzz.messages / seconds:.0f} each second")
    print(f"connections  {sum(peer.connections for peer in (fuzz.steady, *fuzz.others))}")
    print("answers      " + ", ".join(f"{kind}: {count}" for kind, count in fuzz.judge.answers.most_common()))
    if took := sorted(fuzz.steady.took):
        median, most = took[len(took) // 2], took[-1]
        print(f"well-behaved {len(took)} answers, median {median * 1e3:.1f} ms, at most {most * 1e3:.0f} ms")
    for name, (warm, end) in fuzz.grown.items():
        print(f"memory       {name}: {warm / 1e6:.0f} MB after the warm-up, {end / 1e6:.0f} MB at the end")
    print(f"faults       {fuzz.judge.faults.total()}")
    for kind, count in fuzz.judge.faults.most_common():
        print(f"{count} times: {fuzz.judge.first[kind]}")
    if fuzz.judge.faults:
        print(f"again: --seed {seed}; a client from one conversation on: --seed {seed} --only 'NAME NUMBER'")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"default: {MESSAGES:,}")
    parser.add_argument("--seed", default="1", help="what is said depends on it alone")
    parser.add_argument("--only", metavar="CONVERSATION", help="as a fault names it: 'TRADER37 12'")
    parser.add_argument("--logged-on-only", action="store_true", help="nothing before a Logon")
    given = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fixgw-fuzz-"))
    gateway = Gateway(directory / "data", write_config(directory / "config", *SMALL))
    try:
        gateway.start()
        begin = time.monotonic()
        fuzz = Fuzz(gateway, given.seed, given.messages, given.only, with_strangers=not given.logged_on_only)
        try:
            fuzz.run()
        except LostError as error:
            fuzz.judge.fault(str(error))
        finally:
            fuzz.close()
        if code := gateway.stop():
            fuzz.judge.fault(f"the gateway stops with {code}")
    finally:
        if gateway.process is not None:
            gateway.kill()
    report(fuzz, time.monotonic() - begin, given.seed)
    if fuzz.judge.faults:
        print(f"the log is in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
