"""The demonstration of the bridge: one FIX client, three OMSes, three venues that speak three dialects.

Each venue is a gateway of its own that serves one dialect over HTTP and WebSocket. The bridge is a fourth
one, whose OMSes live on them. One q goes to each; one venue is killed in the middle, and the outcome of every
order is told.
Exits with 0 when every answer was the expected one, with 1 and the reason otherwise.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.markup import escape

sys.path.insert(0, str(Path(__file__).parents[1]))

from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels, SandboxCommand
from fixgw.engine.turn import Status
from fixgw.link import LinkError, call
from fixgw.status_command import venue_line
from scripts.demo import ROOT, Client, DemoError, free_port, order, out, title, wait_until

SECONDS = 150.0  # the whole demonstration; it takes about thirty
CONFIG = (ROOT / "config" / "gateway.toml").read_text()
LOGINS = {
    "alphapoint": 'oms = "1"\nuser_id = "37"\napi_key = "key37"\napi_secret = "secret37"',
    "coinapi_ems": 'oms = "SANDBOX"\napi_key = "key37"',
    "openalgo": 'oms = "SANDBOX"\napi_key = "key37"',
}
NAMES = {"alphapoint": "ALPHA", "coinapi_ems": "EMS", "openalgo": "ALGO"}
SYMBOLS = {"BTC-USD": "25", "ETH-USD": "26"}


class Gateway:
    """A gateway in a directory of its own, with the configuration `text`."""

    def __init__(self, name: str, directory: Path, text: str, *, has_api: bool) -> None:
        self.name = name
        self.fix_port, self.api_port = free_port(), free_port()
        self.data = directory / name / "data"
        self._config = directory / name / "gateway.toml"
        self._config.parent.mkdir()
        self._config.write_text(text)
        settings = (ROOT / "config" / "quickfix.cfg").read_text()
        (self._config.parent / "quickfix.cfg").write_text(settings.replace("../spec/", f"{ROOT / 'spec'}/"))
        self._has_api = has_api
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and show that it is ready. Raises DemoError."""
        command = [
            sys.executable,
            "-m",
            "fixgw",
            "serve",
            "--config",
            str(self._config),
            "--data",
            str(self.data),
        ]
        command += ["--fix-port", str(self.fix_port)]
        command += ["--api-port", str(self.api_port)] if self._has_api else ["--no-api"]
        with (self.data.parent / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        ready = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not ready:
            raise DemoError(f"{self.name} did not start:\n" + (self.data.parent / "log").read_text())
        out.print(f"[green]{self.name:<12}[/] {escape(ready.strip())}")

    def kill(self) -> None:
        """End all of its processes at once, as a power failure does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            wait_until(f"{self.name} is gone", self._is_gone)

    def _is_gone(self) -> bool:
        try:
            call(self.data, Status())
        except LinkError:
            return True
        return False

    def stop(self) -> None:
        """Stop it. Raises DemoError when that fails."""
        if self._process is not None:
            self._process.terminate()
            if code := self._process.wait(20):
                raise DemoError(
                    f"{self.name} stopped with exit code {code}:\n" + (self.data.parent / "log").read_text()
                )

    def say(self, said: SandboxCommand) -> None:
        """Tell its sandbox what to do."""
        call(self.data, said)


def bridge_config(venues: dict[str, Gateway]) -> str:
    """The reference configuration with three OMSes, each on one of the venues, with an account of its own."""
    head, rest = CONFIG.split("[[oms]]", 1)
    sessions = "[[session]]" + rest.split("[[session]]", 1)[1].partition("\n# The documented APIs")[0]
    parts = [head]
    for oms_id, kind in enumerate(venues, 1):
        parts.append(f'[[oms]]\nid = {oms_id}\nname = "{NAMES[kind]}"\nvenue = "{kind}"\n')
        parts.append(f"[[account]]\nid = {10 * oms_id}\noms = {oms_id}\n")
        for number, symbol in enumerate(SYMBOLS):
            values = f'symbol = "{symbol}"\nunderlying_symbol = "{symbol[:3]}"\nproduct = "4"\n'
            values += 'security_type = "FOR"\ncfi_code = "IFXXXP"\ntrading_session_id = "DAY"\n'
            parts.append(f"[[instrument]]\nid = {100 * oms_id + number}\noms = {oms_id}\n{values}")
    every = list(range(1, len(venues) + 1))
    permissions = {37: "Trading", 38: "Trading", 39: "Trading", 1: "Operator", 50: "AccountReadOnly"}
    for user, permission in permissions.items():
        accounts = [10 * oms_id for oms_id in every] if user == 37 else []
        granted = f'accounts = {accounts}\npermissions = ["{permission}"]\n'
        parts.append(f"[[user]]\nid = {user}\noms = {every}\n{granted}")
    for kind, venue in venues.items():
        oms_id = list(venues).index(kind) + 1
        parts.append(
            f'[[venue]]\nname = "{kind}"\nkind = "{kind}"\nurl = "http://127.0.0.1:{venue.api_port}"\n'
        )
        parts.append(f"{LOGINS[kind]}\nrequests_per_second = 100\nconfirm_seconds = 1\npoll_seconds = 1\n")
        parts.append(f'[venue.accounts]\n{10 * oms_id} = "14"\n[venue.instruments]\n')
        parts.extend(
            f'{symbol} = "{number if kind == "alphapoint" else symbol}"\n'
            for symbol, number in SYMBOLS.items()
        )
    return "\n".join([*parts, sessions])


def report(trader: Client, cl_ord_id: str, exec_type: str) -> dict[int, str]:
    """The next report on the order `cl_ord_id`; what is said of cancels that are pending may come between."""
    while True:
        answer = trader.expect(f"order {cl_ord_id}", t35="8")
        if answer.get(150) != "6":
            break
    if (answer.get(11), answer.get(150)) != (cl_ord_id, exec_type):
        raise DemoError(f"order {cl_ord_id}: 11={answer.get(11)} 150={answer.get(150)}, not {exec_type}")
    return answer


def enter(trader: Client, oms_id: int, name: str, cl_ord_id: str, symbol: str) -> None:
    """An order on the OMS `name`, pending and then confirmed by its venue."""
    trader.send("D", *order(cl_ord_id, 10 * oms_id, symbol, 1, "2", "61000"), (207, name))
    report(trader, cl_ord_id, "A")
    report(trader, cl_ord_id, "0")


def ends(trader: Client, *cl_ord_ids: str, **wanted: str) -> None:
    """A final answer for each of these orders, in whatever order they come."""
    left = set(cl_ord_ids)
    while left:
        answer = trader.expect("an outcome")
        if answer.get(150) == "6":
            continue
        for tag, value in ((35, wanted.get("t35", "8")), (39, wanted.get("t39", "4"))):
            if answer.get(tag) != value:
                raise DemoError(f"an outcome: {tag} is {answer.get(tag)}, not {value}")
        left.remove(answer[41])


def converse(trader: Client, bridge: Gateway, venues: dict[str, Gateway]) -> None:
    """The conversation. Raises DemoError at the first answer that is not the expected one."""
    title("1. TRADER37 enters two orders on each of three OMSes: pending, then confirmed by the venue")
    for oms_id, kind in enumerate(venues, 1):
        for number, symbol in enumerate(SYMBOLS, 1):
            cl_ord_id = f"{NAMES[kind].lower()}{number}"
            enter(trader, oms_id, NAMES[kind], cl_ord_id, symbol)

    title("2. AlphaPoint: cancel everything on ALPHA. r with the set, then the venue's confirmation of each")
    trader.send("q", (11, "q1"), (530, 7), (207, "ALPHA"))
    trader.expect("mass cancel q1", t35="r", t531="7", t533="2")
    ends(trader, "alpha1", "alpha2")

    title(
        "3. OpenAlgo: the venue refuses one of two cancels; the other is not harmed, and the reason is told"
    )
    venue = venues["openalgo"]
    venue.say(RefuseCancel(1, "the market is closed"))
    trader.send("q", (11, "q3"), (530, 7), (207, "ALGO"))
    trader.expect("mass cancel q3", t35="r", t531="7", t533="2")
    outcomes: dict[str, str] = {}
    while len(outcomes) < 2:
        answer = trader.expect("an outcome")
        if answer.get(150) != "6":
            outcomes[answer[41]] = answer[35]
    if sorted(outcomes.values()) != ["8", "9"]:
        raise DemoError(f"one order is canceled and one is not: {outcomes}")

    title("4. EMS: cancels are on their way when the venue is killed, all of its processes at once")
    venue = venues["coinapi_ems"]
    venue.say(HoldCancels())
    trader.send("q", (11, "q2"), (530, 7), (207, "EMS"))
    trader.expect("mass cancel q2", t35="r", t531="7", t533="2")
    for _ in range(2):
        trader.expect("pending cancel", t35="8", t150="6", t11="q2")
    venue.kill()
    out.print("[red]coinapi_ems  killed[/]")
    wait_until("the bridge notices", lambda: not _is_up(bridge, "coinapi_ems"))
    _show_venues(bridge)

    title("5. Meanwhile the other OMSes work, and a new order for EMS is refused: nothing was sent")
    enter(trader, 1, "ALPHA", "alpha3", "BTC-USD")
    trader.send("D", *order("ems3", 20, "BTC-USD", 1, "1", "60000"), (207, "EMS"))
    report(trader, "ems3", "8")

    title("6. The venue comes back: the bridge asks what became of the cancels, and tells it")
    venue.start()
    venue.say(ReleaseCancels())
    ends(trader, "ems1", "ems2")
    wait_until("EMS is up", lambda: _is_up(bridge, "coinapi_ems"))
    _show_venues(bridge)

    title("7. What is left: the order whose cancel was refused, and the last one")
    for name, total in (("ALPHA", "1"), ("EMS", "0"), ("ALGO", "1")):
        trader.send("AF", (584, f"s-{name}"), (585, 7), (207, name))
        trader.expect("status", t35="8", t150="I", t911=total)


def _is_up(bridge: Gateway, name: str) -> bool:
    return any(venue.name == name and venue.is_up for venue in call(bridge.data, Status()).status.venues)


def _show_venues(bridge: Gateway) -> None:
    out.print("$ fixgw venues")
    for venue in call(bridge.data, Status()).status.venues:
        out.print(escape(venue_line(venue)))


def run() -> None:
    """Start everything, converse, and stop everything. Raises DemoError."""
    with tempfile.TemporaryDirectory(prefix="fixgw-demo-") as name, ExitStack() as stack:
        directory = Path(name)
        title("Three venues, each a gateway that serves one dialect, and the bridge in front of them")
        venues = {}
        for kind in NAMES:
            venue = Gateway(kind, directory, CONFIG, has_api=True)
            stack.callback(venue.stop)
            venue.start()
            venues[kind] = venue
        bridge = Gateway("bridge", directory, bridge_config(venues), has_api=False)
        stack.callback(bridge.stop)
        bridge.start()
        trader = Client("TRADER37", bridge.fix_port, directory, "cyan")
        stack.callback(trader.stop)
        wait_until("Logon", lambda: trader.logged_on)
        for kind in venues:
            wait_until(f"{kind} is up", lambda kind=kind: _is_up(bridge, kind))  # type: ignore[misc]
        converse(trader, bridge, venues)


def main() -> int:
    """Run it within SECONDS; the exit code."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    started = time.monotonic()
    try:
        run()
    except DemoError as error:
        out.print(f"\n[bold red]failed[/] {escape(str(error))}")
        return 1
    out.print(f"\n[bold green]done[/] every outcome was told, in {time.monotonic() - started:.1f} s")
    return 0


def _too_long(*_: object) -> None:
    raise DemoError(f"the demonstration took longer than {SECONDS:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
