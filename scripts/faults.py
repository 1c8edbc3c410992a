"""Show that no scenario of the catalogue passes whatever an acceptor does: each has a fault that it notices.

    python scripts/faults.py [--only 2xx]

One gateway, whose engine and edge have every fault of tests/mutants built in, is right or wrong in one way at
a time. Each scenario must pass on it when it is right, and fail where it looks at an answer when it has the
fault that the scenario is made to notice. The exit code is 0 if all do.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from tests.mutants.matrix import Verdict, WrongGateway, verdicts

from fixgw.certify import catalogue

SHOWN = 160  # characters of what a scenario says


def line(verdict: Verdict) -> str:
    """What came of a scenario and a fault, for people."""
    name = f"{verdict.script.number} {verdict.fault}"
    if verdict.problem:
        return f"{name}: the true gateway: {verdict.problem}"
    return f"{name}: {verdict.noticed[:SHOWN] or 'is not noticed'}"


def main() -> int:
    """Play them; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="scenarios with such numbers: 101,2xx,31x")
    scripts = catalogue.choose(catalogue.load(), parser.parse_args().only)
    bad: list[Verdict] = []
    count = 0
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="fixgw-faults-") as directory,
        WrongGateway(Path(directory)) as gateway,
    ):
        for verdict in verdicts(gateway, scripts):
            count += 1
            if not verdict.is_good:
                bad.append(verdict)
            print(f"{'ok ' if verdict.is_good else 'BAD'} {line(verdict)}", flush=True)
    for verdict in bad:
        print(f"BAD {line(verdict)}")
    print(f"{count} faults in {time.monotonic() - started:.0f} s: {count - len(bad)} noticed, {len(bad)} not")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
