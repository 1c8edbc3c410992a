"""Say very many wrong things to the API, and show that it lives, answers, and stays as it is.

Clients of every dialect, of two users and of nobody, mix good requests with wrong ones over HTTP and
WebSocket, while two others behave well. Ends with exit code 0 only if everything was answered as it is
documented, no process ended, nothing was logged as our mistake, no order changed that the wrong ones may not
touch, the well-behaved clients never waited long, memory did not grow, and no descriptor was left open.
`--seed` says the same again.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from tests.api.doors import AlphaPoint
from tests.gateway import Gateway, write_config

from scripts.fuzzing.api_author import KEY, READER, READER_ID, READER_KEY, USER, USER_ID, Author
from scripts.fuzzing.api_peers import ApiJudge, HttpPeer, Peer, Steady, WebSocketPeer
from scripts.fuzzing.processes import children

MESSAGES = 100_000
QUIET_SECONDS = 2.0  # in which the parts of the gateway find each other, before anything is measured
STEADY_EVERY = 100  # messages of the others
STEADY_SECONDS_MAX = 5.0  # that a well-behaved client waits
RESTING = 3  # orders of each well-behaved client, which nobody may touch
WARM_UP_SHARE = 0.25  # of the messages: then memory is measured for the first time
GROWTH_MAX = 64 << 20  # bytes, of any process
SETTLE_SECONDS = 15.0  # in which the descriptors must be back
OURS = ('"level":"error"', '"level":"critical"', "Traceback")
EDITS = (
    ("closed_seconds = 86400", "closed_seconds = 60"),
    ("closed_max = 200000", "closed_max = 1000"),
    ("requests_per_second = 200", "requests_per_second = 100000"),
    ("requests_burst = 400", "requests_burst = 100000"),
    ('level = "info"', 'level = "warning"'),
    ('format = "auto"', 'format = "json"'),
)


def peers(port: int, judge: ApiJudge, seed: str, only: str | None, tokens: tuple[str, str]) -> list[Peer]:
    """Those who say what is wrong."""

    def author(name: str) -> Author:
        made = Author(Random(f"{seed} {name}"))
        made.token, made.reader_token = tokens
        return made

    found: list[Peer] = [
        WebSocketPeer("alphapoint", port, judge, author("alphapoint"), user_id=USER_ID),
        WebSocketPeer("alphapoint reader", port, judge, author("alphapoint reader"), user_id=READER_ID),
        WebSocketPeer("alphapoint stranger", port, judge, author("alphapoint stranger")),
        WebSocketPeer("ems", port, judge, author("ems"), key=KEY),
        WebSocketPeer("ems reader", port, judge, author("ems reader"), key=READER_KEY),
        *(HttpPeer(f"http {number}", port, judge, author(f"http {number}")) for number in range(3)),
    ]
    return [peer for peer in found if only in (None, peer.name)]


class Fuzz:
    """A run on a gateway that was started."""

    def __init__(self, gateway: Gateway, seed: str, wanted: int, only: str | None) -> None:
        assert gateway.process is not None
        self.judge = ApiJudge()
        self.gateway = gateway
        self.grown: dict[str, tuple[int, int]] = {}  # memory in bytes after the warm-up and at the end
        self._supervisor = gateway.process.pid
        self._wanted = wanted
        self._doors = [AlphaPoint(gateway, name, is_http=True) for name in ("trader37", "trader39")]
        self._doors += [AlphaPoint(gateway, name, is_http=True) for name in (USER, READER)]
        tokens = self._doors[2].token, self._doors[3].token
        self._peers = peers(gateway.api_port, self.judge, seed, only, tokens)
        self.steady = [
            Steady(self.judge, door.call, account, RESTING)
            for door, account in zip(self._doors, (15, 16), strict=False)
        ]

    @property
    def messages(self) -> int:
        """How many wrong or good ones the others have sent."""
        return sum(peer.messages for peer in self._peers)

    def run(self) -> None:
        """Send until everything is said, and look whether all is as before."""
        time.sleep(QUIET_SECONDS)
        processes = children(self._supervisor)
        for steady in self.steady:
            steady.step()
        descriptors = [process.descriptors for process in processes]
        self._say(int(self._wanted * WARM_UP_SHARE))
        warm = [process.resident for process in processes]
        self._say(self._wanted)
        for peer in self._peers:
            peer.close()
        for steady in self.steady:
            steady.step()
            if max(steady.took) > STEADY_SECONDS_MAX:
                self.judge.fault("a well-behaved client waited", f"{max(steady.took):.1f} s")
        if children(self._supervisor) != processes:
            self.judge.fault("a process has ended", f"{processes} are {children(self._supervisor)}")
        for process, open_before, before in zip(processes, descriptors, warm, strict=True):
            self.grown[process.name] = before, process.resident
            if process.resident - before > GROWTH_MAX:
                self.judge.fault(f"the {process.name} has grown")
            deadline = time.monotonic() + SETTLE_SECONDS
            while process.descriptors > open_before and time.monotonic() < deadline:
                time.sleep(0.05)
            if process.descriptors > open_before:
                was = f"{open_before} descriptors, and has {process.descriptors}"
                self.judge.fault(f"the {process.name} had {was}")
        for door in self._doors:
            door.close()

    def _say(self, until: int) -> None:
        at_steady = 0
        while self.messages < until:
            for peer in self._peers:
                peer.step()
            if self.messages >= at_steady:
                at_steady = self.messages + STEADY_EVERY
                for steady in self.steady:
                    steady.step()


def our_mistakes(log: Path, judge: ApiJudge) -> None:
    """What the gateway logged as its own mistakes."""
    for line in log.read_text().splitlines():
        if any(mark in line for mark in OURS):
            try:
                said = json.loads(line)
            except ValueError:
                said = {"event": line}
            judge.fault(f"logged: {said.get('event')} {said.get('why', '')}", line[-1_500:])


def report(fuzz: Fuzz, seconds: float, seed: str) -> None:
    """Print what was said and answered, and what is wrong."""
    print(f"messages     {fuzz.messages} in {seconds:.0f} s, {fuzz.messages / seconds:.0f} each second")
    print("answers      " + ", ".join(f"{kind}: {count}" for kind, count in fuzz.judge.answers.most_common()))
    took = sorted(seconds for steady in fuzz.steady for seconds in steady.took)
    median, most = took[len(took) // 2], took[-1]
    print(f"well-behaved {len(took)} times, median {median * 1e3:.1f} ms, at most {most * 1e3:.0f} ms")
    for name, (warm, end) in fuzz.grown.items():
        print(f"memory       {name}: {warm / 1e6:.0f} MB after the warm-up, {end / 1e6:.0f} MB at the end")
    print(f"faults       {fuzz.judge.faults.total()}")
    for kind, count in fuzz.judge.faults.most_common():
        print(f"{count} times: {fuzz.judge.first[kind]}")
    if fuzz.judge.faults:
        print(f"again: --seed {seed}; one client alone: --seed {seed} --only NAME")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"default: {MESSAGES:,}")
    parser.add_argument("--seed", default="1", help="what is said depends on it alone")
    parser.add_argument("--only", metavar="NAME", help="one client alone, as a fault names it")
    given = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fixgw-fuzz-"))
    gateway = Gateway(directory / "data", write_config(directory / "config", *EDITS), api=True)
    try:
        gateway.start()
        begin = time.monotonic()
        fuzz = Fuzz(gateway, given.seed, given.messages, given.only)
        fuzz.run()
        if code := gateway.stop():
            fuzz.judge.fault(f"the gateway stops with {code}")
    finally:
        if gateway.process is not None:
            gateway.kill()
    our_mistakes(gateway.log, fuzz.judge)
    report(fuzz, time.monotonic() - begin, given.seed)
    if fuzz.judge.faults:
        print(f"the log is in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
