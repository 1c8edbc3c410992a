"""A gateway that is made to fail, and the clients that come back to it afterwards."""

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.counterparty import Counterparty
from tests.gateway import Gateway, write_config
from tests.lone_engine import SECRET

TURN = 100  # reports in one turn: few, so that a mass cancel of some hundred orders takes several


class Rig:
    """A gateway on the directory `data` (default: in `directory`) that can be made to fail, and its clients.

    The plan, the log and all else that is not the gateway's stay in `directory`.
    """

    def __init__(self, directory: Path, data: Path | None = None) -> None:
        self._plan = directory / "plan"
        data = directory / "data" if data is None else data
        config = write_config(directory / "config", ("reports_per_turn = 500", f"reports_per_turn = {TURN}"))
        command = (sys.executable, "-m", "tests.faulty", "--plan", str(self._plan))
        self.gateway = Gateway(data, config, command=command, password=SECRET)
        self.gateway.log = directory / "log"
        self.store = data / "fix"
        self.gateway.start()
        port = self.gateway.port
        self.trader, self.operator = Counterparty(port, "TRADER37"), Counterparty(port, "OPERATOR1")
        self.clients = (self.trader, self.operator)
        for client in self.clients:
            client.password = SECRET
        self.is_sound = True
        self._journaled, self._known = 0, set[str]()
        self.come_back()

    def plan(self, what: str) -> None:
        """From now on `what` fails, as tests/faulty.py says it."""
        self._plan.write_text(what)

    def ends(self, code: int = -signal.SIGKILL, said: str = "") -> None:
        """Assert that the gateway ends with `code` (negative: by that signal), and says `said` at its end."""
        for client in self.clients:
            client.lose()
        self._ended(code, said)

    def _ended(self, code: int, said: str) -> None:
        ended = self.gateway.ended()
        assert ended == code, f"ended with {ended}, see {self.gateway.log}"
        self._plan.unlink(missing_ok=True)
        if said:
            last = self.gateway.log.read_text().splitlines()[-1]
            assert last.startswith("fixgw: "), last
            assert said in last, last

    def ends_at_start(self, code: int = -signal.SIGKILL, said: str = "", plan: str = "") -> None:
        """Start the gateway, which must end in the same way before it is ready."""
        self.plan(plan)
        self.gateway.launch()
        assert self.gateway.first_line() == ""
        self._ended(code, said)

    def kill(self) -> None:
        """kill -9, when everything that was asked for is done."""
        if self.gateway.process is not None:
            self.gateway.kill()
        for client in self.clients:
            client.close()

    def restart(self) -> dict[str, object]:
        """Start the gateway again; what it recovered of the trader's session.

        The clients were told nothing that the journal has not. They come back, and everything that they have
        asked for so far has one outcome.
        """
        self._check_journal()
        self.gateway.start()
        lines = self.gateway.log_lines('"event":"recovered"')
        recovered: dict[str, object] = json.loads([line for line in lines if '"TRADER37"' in line][-1])
        self.come_back()
        self.check()
        return recovered

    def check(self) -> None:
        """Assert that everything asked for had one outcome, and that the gateway has the orders told of."""
        for client in self.clients:
            client.check()
        self.trader.check_orders()
        self.is_sound = True

    def _check_journal(self) -> None:
        with closing(sqlite3.connect(self.gateway.data / "journal.db")) as journal:
            rows = journal.execute(
                "SELECT seq, entries FROM turn WHERE entries IS NOT NULL AND seq > ?", (self._journaled,)
            ).fetchall()
        for seq, entries in rows:
            self._journaled = seq
            self._known.update(entry[11] for entry in json.loads(entries))
        for client in self.clients:
            told = {message[11] for message in client.told if 11 in message}
            client.told.clear()
            assert told & client.asked.keys() <= self._known

    def come_back(self) -> None:
        """Have the clients connect again."""
        for client in self.clients:
            client.come_back()

    def next_out(self) -> int:
        """The trader's next MsgSeqNum as QuickFIX's files have it."""
        return int((self.store / "FIX.4.4-FIXGW-TRADER37.seqnums").read_text().partition(" : ")[0])

    def work(self) -> None:
        """Ask for some of everything, on two sessions."""
        kept = self.trader.open_orders.values()
        self.trader.cancel(next(iter(kept)))
        self.trader.enter()
        self.operator.mass_cancel()
        self.trader.enter()

    def stop(self) -> None:
        """Have the gateway stop; the clients answer its Logouts."""
        assert self.gateway.process is not None
        os.kill(self.gateway.process.pid, signal.SIGTERM)
        for client in self.clients:
            while client.receive().type != "5":
                pass
            client.send("5")


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; on a busy machine that takes some seconds."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
