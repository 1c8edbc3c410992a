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
LOOK_SECONDS = 0.5  # between two looks at the processes
WARM_UP_SHARE = 0.25  # of the messages: then memory is measured for the first time
GROWTH_MAX = 96 << 20  # bytes, of either process: closed orders and used ids, SQLite's pages, the queues
SETTLE_SECONDS = 10.0  # in which the descriptors must be back
FAULTS_MAX = 20
SMALL = (("closed_seconds = 86400", "closed_seconds = 60"), ("closed_max = 200000", "closed_max = 1000"))
"""Closed orders and used ids in memory: the least that may be configured, so that there are as many soon."""


class ProcessEndedError(Exception):
    """A process of the gateway has ended; the text says which, and what was being said."""


class Fuzz:
    """A run on a gateway that was started; `wanted` messages are sent."""

    def __init__(
        self, gateway: Gateway, seed: str, wanted: int, only: str | None, *, with_strangers: bool
    ) -> None:
        if gateway.process is None:
            raise ValueError("the gateway does not run")
        self.judge = Judge()
        self._supervisor = gateway.process.pid
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
        """Send until everything is said, or there are faults; then look whether all is as before."""
        first = children(self._supervisor)
        self._go_on(lambda: bool(self.steady.took))
        descriptors = {process: process.descriptors for process in first}
        self._attack(self._wanted * WARM_UP_SHARE, first)
        warm = {process: process.resident for process in first}
        self._attack(self._wanted, first)
        for peer in self.others:
            peer.close()
        answered = len(self.steady.took)
        self._go_on(lambda: len(self.steady.took) > answered + 1)
        for process in first:
            self.grown[process.name] = warm[process], process.resident
            if process.resident - warm[process] > GROWTH_MAX:
                self.judge.fault(f"the {process.name} has grown")
            self._wait_for_descriptors(process, descriptors[process])
        self._look(first)
        self.steady.close()

    def _attack(self, wanted: float, first: Sequence[Process]) -> None:
        """Have all clients speak until so many messages are sent in all."""
        look_at = 0.0

        def is_over() -> bool:
            nonlocal look_at
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                self._look(first)
            return self.messages >= wanted

        self._go_on(is_over, self.others)

    def _go_on(self, is_over: Callable[[], bool], others: Sequence[Attacker | Stranger] = ()) -> None:
        """Have the well-behaved client speak, and the `others`, until it is over or enough is wrong."""
        while not is_over() and len(self.judge.faults) < FAULTS_MAX:
            now = time.monotonic()
            self.steady.step(now)
            for peer in others:
                peer.step(now)
            for key, _ in self._selector.select(WAIT_SECONDS):
                key.data.ready()

    def _look(self, first: Sequence[Process]) -> None:
        """Raises ProcessEndedError."""
        now = children(self._supervisor)
        if now != first:
            said = ", ".join(peer.what for peer in self.others)
            raise ProcessEndedError(f"the processes were {first} and are {now}, in the middle of: {said}")

    def _wait_for_descriptors(self, process: Process, before: int) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while process.descriptors > before:
            if time.monotonic() > deadline:
                self.judge.fault(
                    f"the {process.name} had {before} descriptors, and has {process.descriptors}"
                )
                return
            self._go_on(lambda: True)
            time.sleep(WAIT_SECONDS)


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
    print(f"faults       {len(fuzz.judge.faults)}")
    for fault in fuzz.judge.faults:
        print(f"fault: {fault}")
    if fuzz.judge.faults:
        print(f"the same again: --seed {seed}; a conversation alone: --seed {seed} --only 'NAME NUMBER'")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"default: {MESSAGES:,}")
    parser.add_argument("--seed", default="1", help="what is said depends on it alone")
    parser.add_argument(
        "--only", metavar="CONVERSATION", help="as a fault names it, for example 'TRADER37 12'"
    )
    parser.add_argument("--logged-on-only", action="store_true", help="nothing before a Logon")
    given = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fixgw-fuzz-"))
    gateway = Gateway(directory / "data", write_config(directory / "config", *SMALL))
    begin = time.monotonic()
    try:
        gateway.start()
        fuzz = Fuzz(gateway, given.seed, given.messages, given.only, with_strangers=not given.logged_on_only)
        fuzz.run()
        if code := gateway.stop():
            fuzz.judge.fault(f"the gateway stops with {code}")
    except ProcessEndedError as error:
        fuzz.judge.fault(str(error))
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
