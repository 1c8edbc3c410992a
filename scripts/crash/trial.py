"""A gateway that can be killed at any moment, the clients that face it, and one loop that serves them all."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tests.gateway import Gateway, write_config
from tests.lone_engine import SECRET

from fixgw.link import LinkError, Said
from scripts.bench.client import utc_now
from scripts.crash.engine import Engine
from scripts.crash.plan import OPERATOR, Ask, Victim
from scripts.crash.record import Record

PATIENCE_SECONDS = 30.0  # what has not come by then is lost
TICK_SECONDS = 0.05  # how long the loop waits for something to happen before it looks at its clock
SAY_AGAIN_SECONDS = 0.05
LONE_ENGINE = (sys.executable, "-m", "tests.lone_engine")  # a supervisor would start it again
DIE_SECONDS = 2.0  # cancels that the venue holds keep a gateway from being done
ECHO_SECONDS = 0.1
ECHOES = 300
LOG_LINES = 20
ROUTINE = ('"event":"request"', '"event":"venue"')
SAMPLE = 10  # canceled orders that are asked for by H


class GatewayDiedError(Exception):
    """The gateway ended, or did not start, though nobody killed it; the text has its last log lines."""


class Trial:
    """The gateway on a directory of its own, the engines of `sessions`, and the record of what they see.

    `edits` are made to the reference configuration; `module` is what is run as the gateway, `fixgw` or an
    engine alone.
    """

    def __init__(
        self, directory: Path, sessions: Iterable[str], *edits: tuple[str, str], module: str = "fixgw"
    ) -> None:
        self.record = Record()
        config = write_config(directory / "config", *edits)
        self.gateway = Gateway(directory / "data", config, command=(sys.executable, "-m", module))
        self.engines = {name: Engine(name, self.record.told, self.record.fault) for name in sessions}
        self._passwords = {name: engine.password for name, engine in self.engines.items()}
        if module != "fixgw":
            self._passwords = dict.fromkeys(self.engines, SECRET)
        self.start_seconds = 1.0
        self._shim = directory / "kill_at.so"
        self._words = 0
        self._edge_killed = 0

    def spawn(self) -> None:
        """Start the gateway, and wait for nothing."""
        self.gateway.launch()

    def die_at(self, write: int, asks: Iterable[Ask]) -> bool:
        """Start a gateway that kills itself before this write, and send `asks` if it comes to that.

        Whether it died so; if it did not, it is stopped cleanly when everything has come, or killed after
        DIE_SECONDS. Raises GatewayDiedError if it ends in another way.
        """
        if not self._shim.exists():
            source = Path(__file__).with_name("kill_at.c")
            subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", self._shim, source, "-ldl"], check=True)
        supervised, self.gateway.command = self.gateway.command, LONE_ENGINE
        passwords, self._passwords = self._passwords, dict.fromkeys(self.engines, SECRET)
        with suppress(AssertionError):
            self.gateway.launch(LD_PRELOAD=str(self._shim), FIXGW_KILL_AT=str(write))
            self.gateway.until_ready()
        self.gateway.command = supervised
        started = self.gateway.process
        assert started is not None
        self.connect()
        self._passwords = passwords
        self.pump(lambda: self.is_up or started.poll() is not None, PATIENCE_SECONDS)
        self.ask(asks)
        if not self.pump(lambda: self.record.is_quiet or started.poll() is not None, DIE_SECONDS):
            self.kill()
            return False
        code = self._end(PATIENCE_SECONDS)
        if code not in (0, -signal.SIGKILL):
            raise GatewayDiedError(f"the gateway ended by itself with exit code {code}\n{self.log_lines()}")
        return code != 0

    def start(self) -> None:
        """Start the gateway and wait for its ready line. Raises GatewayDiedError."""
        started = time.monotonic()
        try:
            self.gateway.start()
        except AssertionError as error:
            raise GatewayDiedError(str(error)) from error
        self.start_seconds = time.monotonic() - started

    def kill(self, victim: Victim = Victim.GATEWAY) -> None:
        """kill -9; what the gateway had sent until then is still read. Raises GatewayDiedError."""
        if self.gateway.process is None or self.gateway.process.poll() is not None:
            raise GatewayDiedError(f"the gateway had ended by itself\n{self.log_lines()}")
        if victim is Victim.GATEWAY:
            self.gateway.kill()
        if victim in (Victim.EDGE, Victim.CHILDREN):
            self._edge_killed = self.gateway.edge
            os.kill(self._edge_killed, signal.SIGKILL)
        if victim in (Victim.ENGINE, Victim.CHILDREN):
            self.gateway.kill_engine()
        self._read_to_end()

    def recover(self, victim: Victim) -> None:
        """Start what was killed, or wait until the supervisor has. Raises GatewayDiedError."""
        if victim is Victim.GATEWAY:
            self.start()
            return
        try:
            if victim is not Victim.EDGE:
                self.gateway.until_ready()
            if victim is not Victim.ENGINE:
                self.gateway.until_edge_ready(self._edge_killed)
        except AssertionError as error:
            raise GatewayDiedError(f"{error}\n{self.log_lines()}") from error

    def stop(self, kill_after: float | None = None) -> None:
        """A clean stop, the clients answering the Logouts; kill -9 after that many seconds if it is given.

        Raises GatewayDiedError if it does not end cleanly.
        """
        code = self._end(PATIENCE_SECONDS if kill_after is None else kill_after)
        if code != 0 and not (code == -signal.SIGKILL and kill_after is not None):
            raise GatewayDiedError(f"a clean stop ended with exit code {code}\n{self.log_lines()}")

    def _end(self, kill_after: float) -> int:
        """SIGTERM, and SIGKILL that many seconds later; the exit code."""
        running = self.gateway.process
        assert running is not None
        for engine in self.engines.values():
            engine.is_stop_expected = True
        running.terminate()
        self.pump(lambda: running.poll() is not None, kill_after)
        code = self.gateway.stop(signal.SIGKILL)
        self._read_to_end()
        for engine in self.engines.values():
            engine.is_stop_expected = False
        return code

    def _read_to_end(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for engine in self.engines.values():
            while engine.is_connected and time.monotonic() < deadline:
                select.select([engine], [], [], TICK_SECONDS)
                engine.read()
            engine.close()

    def connect(self) -> None:
        """Connect every engine that is not, and send its Logon."""
        for engine in self.engines.values():
            if not engine.is_connected:
                engine.password = self._passwords[engine.name]
                with suppress(OSError):  # then the gateway died just now, or `log_on` will find out
                    engine.connect(self.gateway.port)

    @property
    def is_up(self) -> bool:
        """Whether every client is logged on."""
        return all(engine.is_up for engine in self.engines.values())

    def log_on(self) -> None:
        """Connect every engine and wait until all are logged on."""
        self.connect()
        if not self.pump(lambda: self.is_up, PATIENCE_SECONDS):
            missing = [engine.name for engine in self.engines.values() if not engine.is_up]
            self.record.fault("wrong", f"no answer to the Logon of {', '.join(missing)}")

    def ask(self, asks: Iterable[Ask]) -> None:
        """Give requests to their engines, which send them if logged on, and else when they are asked for."""
        for ask in asks:
            self.record.asked(ask.session, ask.msg_type, ask.cl_ord_id, ask.orig)
            self.engines[ask.session].request(ask.msg_type, [*ask.fields, (60, utc_now())])
        for engine in self.engines.values():
            engine.write()

    def pump(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """Serve the connections until `is_done`, or `seconds` are over, or there is a fault; whether done."""
        deadline = time.monotonic() + seconds
        while (
            not (done := is_done()) and not self.record.faults and (left := deadline - time.monotonic()) > 0
        ):
            connected = [engine for engine in self.engines.values() if engine.is_connected]
            writing = [engine for engine in connected if engine.has_output]
            readable, writable, _ = select.select(connected, writing, [], min(left, TICK_SECONDS))
            for engine in readable:
                engine.read()
            for engine in writable:
                engine.write()
            for engine in connected:
                engine.keep_alive()
        return done

    def settle(self) -> None:
        """Wait until everything has come that must come; then for what else is on its way."""
        if not self.pump(lambda: self.record.is_quiet, PATIENCE_SECONDS):
            for text in self.record.outstanding():
                self.record.fault("lost", text)
            return
        for _ in range(2):  # what came in together with a TestRequest may be answered after it
            self._words += 1
            if not self._hear_echo(f"echo{self._words}"):
                self.record.fault("wrong", "a TestRequest is not answered")
                return

    def _hear_echo(self, word: str) -> bool:
        """Whether every client gets an answer to a TestRequest.

        It is asked again: when the gateway misses a number, session messages after it are filled by a gap.
        """
        for _ in range(ECHOES):
            silent = [engine for engine in self.engines.values() if engine.echoed != word]
            for engine in silent:
                engine.ask_for_echo(word)
            if self.pump(lambda: all(e.echoed == word for e in silent), ECHO_SECONDS):  # noqa: B023
                return True
        return False

    def compare(self) -> None:
        """Ask for all open orders, and for some that are canceled, and compare with the record."""
        operator, record = self.engines[OPERATOR], self.record
        record.statuses.clear()
        self._words += 1
        operator.request("AF", [(584, f"s{self._words}"), (585, 7)])
        if not self.pump(lambda: any(said.get("912") == "Y" for said in record.statuses), PATIENCE_SECONDS):
            record.fault("wrong", "no answer to an AF")
            return
        record.compare(record.statuses)
        canceled = [order for order in record.orders.values() if order.is_canceled][-SAMPLE:]
        record.statuses.clear()
        for order in canceled:
            fields = [(37, order.order_id), (11, order.cl_ord_id), (55, "[N/A]"), (54, order.side)]
            operator.request("H", fields)
        if not self.pump(lambda: len(record.statuses) >= len(canceled), PATIENCE_SECONDS):
            record.fault("wrong", "no answer to an H")
        for order, said in zip(canceled, record.statuses, strict=False):
            if (said["37"], said["39"]) != (order.order_id, "4"):
                record.fault("wrong", f"{order.cl_ord_id} was reported canceled, and H says {said}")

    def say(self, said: Said) -> None:
        """Say something to the venue, as often as it takes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.gateway.say(said)
                return
            except LinkError as error:
                if time.monotonic() > deadline:
                    raise GatewayDiedError(f"{error}\n{self.log_lines()}") from error
                time.sleep(SAY_AGAIN_SECONDS)

    def log_lines(self) -> str:
        """The last lines of the gateway's log, without those of single requests."""
        if not self.gateway.log.exists():
            return ""
        lines = self.gateway.log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if not any(word in line for word in ROUTINE)][-LOG_LINES:])

    def close(self) -> None:
        """End whatever is still there."""
        for engine in self.engines.values():
            engine.close()
        if self.gateway.process is not None:
            self.gateway.kill()
