"""Attack a running gateway in every way that tests/edge knows, for longer, and print what that did.

A bystander in a process of his own asks for the status of an order, one request at a time, and measures his
round trips before each attack and during it. Each attack is made briefly first, so that what is kept once is
there. Ends with exit code 0 only if every attack was withstood: the median is at most twice the quiet one,
memory and descriptors are back, no process has ended, and a normal client logs on at once.
"""

import argparse
import statistics
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from rich.console import Console
from rich.table import Table
from tests.edge import after_logon, before_logon, over_tls
from tests.edge.attack import TRIES, Attack, Lab, Outcome

SECONDS = 10.0
QUIET_SECONDS = 2.0
WARM_UP_SECONDS = 0.6
CROWD_GROWTH_MAX = 67_108_864  # bytes: the index of 40,000 messages, and the orders of the last minute
MEGABYTE = 1_048_576

out = Console(highlight=False, width=140)


class Trial(NamedTuple):
    """An attack on a kind of gateway; `prepare` comes before each, unmeasured, and makes it."""

    kind: str
    name: str
    prepare: Callable[[Lab], Attack]
    growth_max: int | None = None


def _unprepared(attack: Attack) -> Callable[[Lab], Attack]:
    return lambda _: attack


def _long_resend(lab: Lab) -> Attack:
    crowded = after_logon.Crowded(lab)
    return lambda lab, _: after_logon.long_resend(lab, crowded)


def _stalled(lab: Lab) -> Attack:
    crowded = after_logon.Crowded(lab)
    return lambda lab, _: after_logon.stalled(lab, crowded)


def trials() -> list[Trial]:
    """All of them, by kinds of gateways."""
    every = [
        ("before", before_logon.EVERY),
        ("few descriptors", (before_logon.flood, before_logon.flood_of_known)),
        ("after", after_logon.EVERY),
        ("TLS", over_tls.EVERY),
    ]
    found = [
        Trial(kind, attack.__name__.replace("_", " "), _unprepared(attack))
        for kind, attacks in every
        for attack in attacks
    ]
    found.append(Trial("after", "long resend", _long_resend, CROWD_GROWTH_MAX))
    # while the mass cancel is decided the others wait: that is its work, not the reader's
    found.append(Trial("after", "stalled reader", _stalled, CROWD_GROWTH_MAX))
    return found


def lab_of(kind: str, directory: Path) -> Lab:
    """The gateway for attacks of this kind, not started."""
    if kind == "few descriptors":
        limit = f"--nofile={before_logon.FEW_DESCRIPTORS}"
        return Lab(directory, *before_logon.MANY, command=("prlimit", limit, sys.executable, "-m", "fixgw"))
    if kind == "TLS":
        certificates, edits = over_tls.prepared(directory)
        return Lab(directory, *edits, certificates=certificates)
    return Lab(directory, *(after_logon.EDITS if kind == "after" else (before_logon.LOGON_DEADLINE,)))


def make(trial: Trial, lab: Lab, seconds: float) -> tuple[Outcome, list[str]]:
    """Attack, at most TRIES times; what it did, and what does not hold at the best of them."""
    lab.run(trial.prepare(lab), WARM_UP_SECONDS)
    for _ in range(TRIES):
        outcome = lab.run(trial.prepare(lab), seconds, QUIET_SECONDS)
        problems = outcome.problems() if trial.growth_max is None else outcome.problems(trial.growth_max)
        if not problems:
            break
    return outcome, problems


def row(trial: Trial, outcome: Outcome) -> list[str]:
    """A line of the table."""
    before, after = outcome.before, outcome.after
    memory = [
        f"{then / MEGABYTE:.1f} -> {now / MEGABYTE:.1f}"
        for then, now in zip(before.memory, after.memory, strict=True)
    ]
    descriptors = [
        f"{then} -> {now}" for then, now in zip(before.descriptors, after.descriptors, strict=True)
    ]
    return [
        trial.kind,
        trial.name,
        f"{statistics.median(outcome.quiet) * 1e3:.2f}",
        f"{statistics.median(outcome.during) * 1e3:.2f}",
        f"{outcome.ratio:.2f}",
        f"{max(outcome.during) * 1e3:.0f}",
        *memory,
        *descriptors,
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of each attack (default: {SECONDS:g})"
    )
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    given = parser.parse_args(arguments)
    chosen = [trial for trial in trials() if given.only in trial.name]
    table = Table(
        "gateway",
        "attack",
        "quiet, ms",
        "during, ms",
        "ratio",
        "longest, ms",
        "edge, MB",
        "engine, MB",
        "edge, fds",
        "engine, fds",
    )
    failed: list[str] = []
    for kind in dict.fromkeys(trial.kind for trial in chosen):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fixgw-attacks-")))
            try:
                lab = stack.enter_context(lab_of(kind, directory))
                for trial in chosen:
                    if trial.kind == kind:
                        failed += attempt(trial, lab, given.seconds, table)
            except Exception:
                traceback.print_exc()
                failed.append(f"the gateway of {kind} did not live through it")
    out.print(table)
    for line in failed:
        print(line)
    return 1 if failed else 0


def attempt(trial: Trial, lab: Lab, seconds: float, table: Table) -> list[str]:
    """Make one, and put it into the table; what does not hold."""
    try:
        outcome, problems = make(trial, lab, seconds)
    except (AssertionError, OSError) as error:
        traceback.print_exc()
        return [f"{trial.name}: {error!r}"]
    table.add_row(*row(trial, outcome))
    return [f"{trial.name}: {problem}" for problem in problems]


if __name__ == "__main__":
    sys.exit(main())
