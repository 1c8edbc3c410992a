"""Where the time goes: the gateway's stages, timed in this process while the load client runs in another.

Prints CPU microseconds per request for each stage, F on resting orders, `journal.sync = "normal"`. The timers
take about half a microsecond for each call that they time.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # so that the parts of the benchmark find each other

import quickfix
from rich.console import Console
from rich.table import Table

from fixgw import config as configuration
from fixgw.engine.desk import Desk
from fixgw.engine.loop import Loop
from fixgw.fix.acceptor import Acceptor
from fixgw.fix.inbound import Inbound
from fixgw.fix.outbound import Outbound
from fixgw.journal.sqlite import SqliteJournal
from fixgw.logs import LineBuffer, configure
from fixgw.server import Gateway
from scripts.bench.bare import free_port

MESSAGES = 20_000
WARM_UP = 1_000
SECRET = "known-to-the-client"

STAGES: tuple[tuple[str, object, str], ...] = (
    ("QuickFIX reads, parses, validates, calls back", quickfix.SocketAcceptor, "poll"),
    ("read the message (fix/inbound)", Inbound, "read"),
    ("decide, apply, tell (engine/desk, core)", Desk, "_take"),
    ("commit (journal/sqlite)", SqliteJournal, "commit"),
    ("write the report (fix/outbound)", Outbound, "render"),
    ("hand it to QuickFIX: store, number, send", Acceptor, "send"),
    ("log line", LineBuffer, "requests"),
    ("all turns of the loop", Loop, "turn"),
)


class Timers:
    """CPU seconds of this thread, by stage."""

    def __init__(self) -> None:
        self.spent = {name: 0.0 for name, _, _ in STAGES}

    def wrap(self, name: str, owner: Any, attribute: str) -> None:  # noqa: ANN401
        """Time every call of `owner.attribute`."""
        original: Callable[..., Any] = getattr(owner, attribute)

        def timed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            started = time.thread_time()
            try:
                return original(*args, **kwargs)
            finally:
                self.spent[name] += time.thread_time() - started

        setattr(owner, attribute, timed)


class Watched(Loop):
    """A loop that stops when the client has ended."""

    client: "subprocess.Popen[str]"

    def turn(self) -> bool:
        """One turn."""
        if self.client.poll() is not None:
            self._stopping = True
        return super().turn()


def main() -> None:
    """Run the gateway in this process and the client in another; print the table."""
    timers = Timers()
    for name, owner, attribute in STAGES:
        timers.wrap(name, owner, attribute)
    with tempfile.TemporaryDirectory(prefix="fixgw-stages-") as directory:
        root = Path(directory)
        toml = (ROOT / "config" / "gateway.toml").read_text().replace('sync = "full"', 'sync = "normal"')
        (root / "gateway.toml").write_text(toml)
        cfg = (ROOT / "config" / "quickfix.cfg").read_text().replace("../spec/", f"{ROOT}/spec/")
        (root / "quickfix.cfg").write_text(cfg)
        with (root / "log").open("w") as log:
            lines = configure("json", "info", log)
            port = free_port()
            gateway = Gateway(configuration.load(root / "gateway.toml"), root / "data", port, SECRET, lines)
            loop = Watched(gateway.desk, gateway.acceptor, gateway.link, gateway.clock, gateway.overview)
            loop.client = start_client(port)
            loop.run(lines.flush)
            gateway.close()
        printed, _ = loop.client.communicate()
    enter = json.loads(printed)["enter"]["messages"]
    show(timers, enter + WARM_UP + MESSAGES)


def start_client(port: int) -> "subprocess.Popen[str]":
    """The load client: enters the orders, then cancels them."""
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "client.py"), "--port", str(port)]
    command += ["--username", "TRADER37", "--password", SECRET, "--enter"]
    command += ["--messages", str(MESSAGES), "--warm-up", str(WARM_UP)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def show(timers: Timers, requests: int) -> None:
    """The table; half of the requests were orders, half cancels."""
    table = Table(title=f"CPU time per request, {requests:,} requests (half D, half F)", title_justify="left")
    table.add_column("stage")
    table.add_column("microseconds", justify="right")
    for name, _, _ in STAGES:
        table.add_row(name, f"{timers.spent[name] / requests * 1e6:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
