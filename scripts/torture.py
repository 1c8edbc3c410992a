"""Kill the gateway with SIGKILL, again and again, and show that no outcome is lost, doubled or wrong.

A real gateway faces four FIX clients with a session logic of their own, which enter orders, cancel them one
by one and by mass, and write down what they asked and what they were told. `--seed` gives the same requests
and the same moments of the kills again. Ends with exit code 0 only if nothing was wrong.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from scripts.crash.plan import SECONDS_MAX, SESSIONS, Moment, Plan, Round, Start, Victim
from scripts.crash.record import Record
from scripts.crash.sweep import Sweep
from scripts.crash.trial import PATIENCE_SECONDS, GatewayDiedError, Trial

KILLS = 50
FAULTS_SHOWN = 20
FORGIVING = (("crashes_max = 5", "crashes_max = 100"), ("crashes_seconds = 600", "crashes_seconds = 10"))
"""A supervisor that does not give up, and does not pause for long."""


class Torture:
    """Rounds of `plan` on `trial`, until there were enough kills or something is wrong."""

    def __init__(self, trial: Trial, plan: Plan, kills: int) -> None:
        self._trial = trial
        self._plan = plan
        self._wanted = kills
        self._aside = ThreadPoolExecutor(1)
        self.kills: Counter[Moment] = Counter()
        self.victims: Counter[Victim] = Counter()

    def run(self) -> None:
        """All rounds, and a clean stop and start at the end. Raises GatewayDiedError."""
        trial = self._trial
        trial.start()
        trial.log_on()
        while self.kills.total() < self._wanted and not trial.record.faults:
            self._round(self._plan.round())
        self._check(compares=True)
        if not trial.record.faults:
            trial.stop()
            trial.start()
            trial.log_on()
            self._check(compares=True)

    def _check(self, *, compares: bool) -> None:
        if not self._trial.record.faults:
            self._trial.settle()
        if compares and not self._trial.record.faults:
            self._trial.compare()

    def _kill(
        self, moment: Moment, stop_seconds: float | None = None, victim: Victim = Victim.GATEWAY
    ) -> None:
        if stop_seconds is None:
            self._trial.kill(victim)
        else:
            self._trial.stop(stop_seconds)
        self.kills[moment] += 1
        self.victims[victim] += 1

    def _round(self, one: Round) -> None:
        trial = self._trial
        trial.ask(one.before)
        if one.before or one.moment is Moment.IDLE:
            trial.settle()
        if trial.record.faults:
            return
        if one.moment is Moment.FIRST:
            trial.stop()
            trial.start()
            trial.log_on()
        if one.moment is Moment.HELD:
            self._hold(one.refused)
        self._ask_and_wait(one)
        # the venue is told again and again until it has heard it, over the kill and the restart
        released = self._aside.submit(trial.say, ReleaseCancels()) if one.releases else None
        time.sleep(one.pause)
        self._kill(one.moment, one.stop_seconds, one.victim)
        trial.ask(one.offline)
        for start in one.starts:
            if self.kills.total() < self._wanted:
                self._killed_start(start)
        trial.recover(one.victim)
        trial.log_on()
        if released is not None:
            released.result()
        elif one.moment is Moment.HELD:
            trial.say(ReleaseCancels())
        if one.settles:
            self._check(compares=one.compares)

    def _hold(self, refused: Sequence[str]) -> None:
        self._trial.say(HoldCancels())
        for cl_ord_id in refused:
            order_id = self._trial.record.orders[cl_ord_id].order_id
            if order_id is not None:
                self._trial.say(RefuseCancel(int(order_id), "the venue says no"))

    def _ask_and_wait(self, one: Round) -> None:
        """Send the requests of the round, and wait for its moment."""
        trial, record = self._trial, self._trial.record
        is_mass = one.moment is Moment.MASS
        counted = "reports" if is_mass else "outcomes"
        expected = len(one.before) if is_mass else len(one.asks)
        start = record.counts[counted]
        trial.ask(one.asks)
        if one.away is not None:
            trial.pump(lambda: record.counts[counted] - start >= one.away_share * expected, PATIENCE_SECONDS)
            trial.engines[one.away].close()
        if one.seconds is not None:
            trial.pump(lambda: False, one.seconds)
        else:
            # what goes to a client that is away is not seen here, so the moment may not come
            patience = PATIENCE_SECONDS if one.away is None else one.share * SECONDS_MAX
            trial.pump(lambda: record.counts[counted] - start >= one.share * expected, patience)

    def _killed_start(self, start: Start) -> None:
        trial = self._trial
        if start.moment is Moment.WRITE:
            trial.die_at(start.write, start.asks)
            self.kills[start.moment] += 1
            return
        if start.moment is Moment.STARTING:
            trial.spawn()
            time.sleep(start.share * trial.start_seconds)
        else:
            trial.start()
            if start.moment is Moment.LOGON:
                trial.connect()
            trial.pump(lambda: False, start.seconds)
        self._kill(start.moment)


def report(title: str, kills: int, record: Record, again: int, seconds: float) -> None:
    """Print what was done and what was found."""
    kinds = Counter(fault.kind for fault in record.faults)
    print(title)
    print(f"kills     {kills}")
    for what in ("requests", "outcomes"):
        print(f"{what:9} {record.counts[what]}")
    for kind in ("lost", "doubled", "wrong"):
        print(f"{kind:9} {kinds[kind]}")
    print(f"\n{record.counts['reports']} reports; {again} messages came again with PossDupFlag(43)=Y")
    print(f"{seconds:.1f} s, {seconds / max(1, kills):.2f} s for each kill")
    for fault in record.faults[:FAULTS_SHOWN]:
        print(f"{fault.kind}: {fault.text}")
    if len(record.faults) > FAULTS_SHOWN:
        print(f"... and {len(record.faults) - FAULTS_SHOWN} more")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"how often (default: {KILLS})")
    parser.add_argument("--seed", type=int, default=1, help="what to ask and when to kill (default: 1)")
    parser.add_argument(
        "--every-write",
        action="store_true",
        help="instead: one short conversation, with a crash before each single write of the gateway",
    )
    given = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fixgw-torture-"))
    trial = Trial(directory, SESSIONS, *FORGIVING)
    torture, sweep = Torture(trial, Plan(given.seed), given.kills), Sweep(trial)
    started = time.monotonic()
    try:
        if given.every_write:
            sweep.run()
        else:
            torture.run()
    except GatewayDiedError as error:
        trial.record.fault("wrong", str(error))
    finally:
        trial.close()
    again = sum(engine.again for engine in trial.engines.values())
    title = "every write" if given.every_write else f"seed      {given.seed}"
    kills = sweep.kills + torture.kills.total()
    report(title, kills, trial.record, again, time.monotonic() - started)
    for counts in (torture.kills, torture.victims):
        print(", ".join(f"{what}: {count}" for what, count in counts.most_common()))
    if trial.record.faults:
        print(f"\nthe last lines of the log; everything is in {directory}\n{trial.log_lines()}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
