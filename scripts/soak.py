"""Run the gateway under load for minutes, with a restart every 20 seconds, and show that it stays as it is.

The load is half of the most that the gateway and these clients reach together, which is measured first.
SIGTERM and SIGKILL take turns; the last life is a fifth of the time long. Ends with exit code 0 only if
nothing was lost, doubled or wrong, and if the gateway's memory does not grow with the messages that it sends,
neither from life to life nor within the last one.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from rich.console import Console
from rich.table import Table

from scripts.crash.load import Load
from scripts.crash.plan import SESSIONS
from scripts.crash.record import Record
from scripts.crash.trial import GatewayDiedError, Trial

MINUTES = 10.0
RESTART_SECONDS = 20.0
LAST_SHARE = 0.2  # of the time, without a restart: long enough to tell a leak from the ups and downs
WARM_UP_SECONDS = 2.0
MEASURE_SECONDS = 4.0
WINDOW = 500  # requests without an answer while the most is measured: a turn or two
SHARE = 0.5
WAITING_MAX = 20_000  # requests without an answer under load: some seconds' work
STEP_SECONDS = 0.005
SAMPLE_SECONDS = 1.0
FULL_SECONDS = 12.0  # of a life: until closed orders, used ids and SQLite's pages are as many as they may be
PAGE_BYTES = 4096
BYTES_MAX = 32  # growth for each message sent, at most: less than anything that would be kept of it
LIVES_MIN = 5  # fewer make no line
SAMPLES_MIN = 60  # within a life: memory goes up and down by some megabytes while the journal folds its turns
FAULTS_SHOWN = 20
SMALL = (("closed_seconds = 86400", "closed_seconds = 60"), ("closed_max = 200000", "closed_max = 1000"))
"""Closed orders and used ids in memory: the least that may be configured, so that there are as many soon."""

out = Console(highlight=False, width=110)


class Sample(NamedTuple):
    """`age` seconds after the start: messages that the gateway ever sent, and its memory in bytes."""

    age: float
    sent: int
    resident: int


class Life(NamedTuple):
    """One life of the gateway, from its ready line to the signal that ended it."""

    end: str
    start_seconds: float
    seconds: float
    requests: int
    samples: list[Sample]

    @property
    def full(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [sample for sample in self.samples if sample.age >= FULL_SECONDS]


def slope(samples: Sequence[Sample], at_least: int) -> float | None:
    """Bytes of memory for each message sent, by a straight line; None when there are too few samples."""
    if len(samples) < at_least or len({sample.sent for sample in samples}) == 1:
        return None
    line = statistics.linear_regression([one.sent for one in samples], [one.resident for one in samples])
    return line.slope


class Soak:
    """The run: a trial, its load, and the lives of the gateway so far."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.lives: list[Life] = []
        self.most: float | None = None

    def run(self, minutes: float, rate: float | None) -> None:
        """Load and restart until `minutes` are over; `rate` in requests per second, measured when None.

        Raises GatewayDiedError.
        """
        trial = self._trial
        trial.start()
        trial.log_on()
        if rate is None:
            self.most = self._measure()
            rate = self.most * SHARE
        begin = time.monotonic()
        load, seconds = Load(rate, begin, "s"), minutes * 60
        last_begin = begin + seconds * (1 - LAST_SHARE)
        while time.monotonic() < last_begin and not trial.record.faults:
            self._live(load, RESTART_SECONDS)
            self._ask(load)
            trial.start()
            trial.log_on()
            trial.record.forget_done()
        self._live(load, seconds * LAST_SHARE, is_last=True)

    def _measure(self) -> float:
        """How many requests per second are answered when there are always some on their way."""
        trial, record = self._trial, self._trial.record
        load = Load(0.0, 0.0, "m")
        counted, started = 0, 0.0
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + WARM_UP_SECONDS + MEASURE_SECONDS:
            if not started and now > begin + WARM_UP_SECONDS:
                started, counted = now, record.counts["outcomes"]
            trial.ask(load.take(WINDOW - record.waiting))
            trial.pump(lambda: record.waiting < WINDOW // 2, STEP_SECONDS)
        most = (record.counts["outcomes"] - counted) / (time.monotonic() - started)
        trial.settle()
        return most

    def _ask(self, load: Load) -> None:
        """What is due, as long as not too much waits for an answer: others may use the machine too."""
        self._trial.ask(load.due(time.monotonic(), WAITING_MAX - self._trial.record.waiting))

    def _live(self, load: Load, seconds: float, *, is_last: bool = False) -> None:
        """Load the gateway for so long, and end it: the last one when everything has come."""
        trial, record = self._trial, self._trial.record
        asked, begin, samples = record.counts["requests"], time.monotonic(), [self._sample(0.0)]
        while (age := time.monotonic() - begin) < seconds and not record.faults:
            self._ask(load)
            trial.pump(lambda: False, STEP_SECONDS)
            if age > len(samples) * SAMPLE_SECONDS:
                samples.append(self._sample(age))
        if is_last and not record.faults:
            trial.settle()
        if is_last and not record.faults:
            trial.compare()
        requests, took = record.counts["requests"] - asked, time.monotonic() - begin
        is_stop, start_seconds = is_last or len(self.lives) % 2 == 0, trial.start_seconds
        if is_stop:
            trial.stop()
        else:
            trial.kill()
        end = "SIGTERM" if is_stop else "SIGKILL"
        self.lives.append(Life(end, start_seconds, took, requests, samples))

    def _sample(self, age: float) -> Sample:
        pages = int(Path(f"/proc/{self._trial.gateway.engine}/statm").read_text().split()[1])
        sent = sum(engine.expected - 1 for engine in self._trial.engines.values())
        return Sample(age, sent, pages * PAGE_BYTES)


def growths(lives: Sequence[Life]) -> dict[str, float | None]:
    """Bytes for each message sent, from life to life and within the last one."""
    each = [
        Sample(0.0, life.full[-1].sent, round(statistics.median(sample.resident for sample in life.full)))
        for life in lives
        if life.full
    ]
    within = lives[-1].full if lives else []
    return {"life to life": slope(each, LIVES_MIN), "last life": slope(within, SAMPLES_MIN)}


def report(soak: Soak, record: Record, grown: dict[str, float | None]) -> None:
    """Print the lives and what was found."""
    table = Table("ended by", "ready after", "seconds", "requests/s", "MB, start", "MB, end", "messages sent")
    for life in soak.lives:
        memory = [f"{life.samples[number].resident / 1e6:.1f}" for number in (0, -1)]
        rate = f"{life.requests / life.seconds:,.0f}"
        sent = f"{life.samples[-1].sent:,}"
        table.add_row(life.end, f"{life.start_seconds:.2f} s", f"{life.seconds:.0f}", rate, *memory, sent)
    if soak.most is not None:
        out.print(f"at most {soak.most:,.0f} requests/s; the load is {SHARE:.0%} of it")
    out.print(table)
    kinds = Counter(fault.kind for fault in record.faults)
    print(f"restarts  {len(soak.lives) - 1}")
    for what in ("requests", "outcomes"):
        print(f"{what:9} {record.counts[what]}")
    for kind in ("lost", "doubled", "wrong"):
        print(f"{kind:9} {kinds[kind]}")
    for where, value in grown.items():
        told = "too few samples to tell" if value is None else f"{value:.0f} bytes for each message sent"
        print(f"memory, {where}: {told} (allowed: {BYTES_MAX})")
    for fault in record.faults[:FAULTS_SHOWN]:
        print(f"{fault.kind}: {fault.text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    parser.add_argument("--rate", type=float, help="requests per second, instead of half of the most")
    given = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fixgw-soak-"))
    trial = Trial(directory, SESSIONS, *SMALL)
    soak = Soak(trial)
    try:
        soak.run(given.minutes, given.rate)
    except GatewayDiedError as error:
        trial.record.fault("wrong", str(error))
    finally:
        trial.close()
    grown = growths(soak.lives)
    report(soak, trial.record, grown)
    if trial.record.faults or any(value is not None and value > BYTES_MAX for value in grown.values()):
        print(f"\nthe last lines of the log; everything is in {directory}\n{trial.log_lines()}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
