"""A real gateway for tests: `fixgw serve` and its children, on a free port and a directory of their own."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType

from fixgw.engine.sandbox import ReleaseCancels
from fixgw.fix.dictionary import load
from fixgw.link import Reply, Said, call
from tests.wire import STOCK, Client, fresh, mass

ROOT = Path(__file__).parents[1]
RUNNING: set["Gateway"] = set()
STOP_SECONDS = 15.0


_addresses = count()
_WIDTH = 12_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))  # below the kernel's own, from 32768
_FIRST = 20_000 + _WIDTH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_ports = count(_FIRST + os.getpid() % (_WIDTH // 2))


def free_port() -> int:
    """A TCP port that nobody listens on now, and that neither the kernel nor a test beside this one takes."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def own_address() -> str:
    """An address of loopback that nobody has used yet: the edge makes an address wait that failed often."""
    number = next(_addresses)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def write_config(directory: Path, *edits: tuple[str, str], cfg: tuple[tuple[str, str], ...] = ()) -> Path:
    """The reference configuration with parts of its text replaced; each edit must find its text."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, changes in (("gateway.toml", edits), ("quickfix.cfg", cfg)):
        text = (ROOT / "config" / name).read_text()
        for old, new in changes:
            assert old in text, f"{old!r} is not in {name}"
            text = text.replace(old, new)
        text = text.replace("../spec/", f"{ROOT / 'spec'}/")
        (directory / name).write_text(text)
    return directory / "gateway.toml"


def edit_session(comp_id: str, line: str) -> tuple[str, str]:
    """An edit that adds `line` to the [[session]] of `comp_id`, which has no such line yet."""
    return f'comp_id = "{comp_id}"\n', f'comp_id = "{comp_id}"\n{line}\n'


def is_running(pid: int) -> bool:
    """Whether this process runs; one that has ended and is not waited for by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def until(condition: Callable[[], bool], seconds: float = STOP_SECONDS) -> None:
    """Wait until `condition` holds; fails when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


class Gateway:
    """The supervisor's process and its children; a context manager that stops them, and asserts that they
    stopped cleanly.

    `process` is the supervisor; `engine`, `edge` and `api_pid` are the children's ids. `command` stands in
    for `python -m fixgw`. `password` is every client's, for an engine that has no edge before it. With `api`
    there is one, on `api_port`.
    """

    def __init__(
        self,
        data: Path,
        config: Path | None = None,
        env: dict[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "fixgw"),
        password: str | None = None,
        *,
        api: bool = False,
    ) -> None:
        self.command = command
        self.password = password
        self.data = data
        self.config = config or ROOT / "config" / "gateway.toml"
        self.port = free_port()
        self.api_port = free_port() if api else 0
        self.log = data.parent / f"{data.name}.log"
        self._env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[str] | None = None
        self._clients: list[Client] = []
        self._ready: dict[str, Client] = {}

    def start(self) -> "Gateway":
        """Start it and wait for its ready line."""
        self.launch()
        self.until_ready()
        return self

    def launch(self, **env: str) -> None:
        """Start it, with `env` added to its environment, and do not wait."""
        command = [*self.command, "serve", "--config", str(self.config)]
        command += ["--data", str(self.data), "--fix-port", str(self.port)]
        command += ["--api-port", str(self.api_port)] if self.api_port else ["--no-api"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**self._env, **env}, cwd=ROOT
            )
        RUNNING.add(self)

    def first_line(self) -> str:
        """What it says first on stdout: the ready line, or nothing when it ends before."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def until_ready(self) -> None:
        """Wait for the next ready line: of a start, or of a restart after `kill_engine`."""
        line = self.first_line()
        assert line.startswith("fixgw ready"), f"no ready line but {line!r}: {self.log.read_text()[-2000:]}"

    @property
    def engine(self) -> int:
        """The process id of the engine; of the last one when none runs."""
        return int((self.data / "lock").read_text())

    @property
    def edge(self) -> int:
        """The process id of the edge; of the last one when none runs."""
        return int(json.loads(self.log_lines('"event":"edge started"')[-1])["edge"])

    @property
    def api_pid(self) -> int:
        """The process id of the API; of the last one when none runs."""
        return int(json.loads(self.log_lines('"event":"api started"')[-1])["api"])

    def ended(self) -> int:
        """Wait until it has ended by itself; the exit code, negative for the signal that ended it."""
        assert self.process is not None
        self.process.wait(STOP_SECONDS)
        return self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        RUNNING.discard(self)
        self.close_clients()
        return code

    def close_clients(self) -> None:
        """Close the connections of its clients: before a stop, which would wait for their Logouts."""
        for client in self._clients:
            client.close()

    def kill(self) -> None:
        """kill -9: everything is gone at once."""
        self.stop(signal.SIGKILL)
        until(self._is_free)

    def _is_free(self) -> bool:
        """Whether nobody has the data directory."""
        try:
            with (self.data / "lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        return True

    def kill_engine(self, number: int = signal.SIGKILL) -> None:
        """kill -9 of the engine alone, which the supervisor starts again; see `until_ready`."""
        pid = self.engine
        os.kill(pid, number)
        until(lambda: not is_running(pid))

    @property
    def engine_port(self) -> int:
        """The engine's own port, behind the edge; at its last start."""
        return int(json.loads(self.log_lines('"event":"ready"')[-1])["engine_port"])

    def kill_edge(self, number: int = signal.SIGKILL) -> None:
        """kill -9 of the edge alone, which the supervisor starts again; see `until_edge_ready`."""
        pid = self.edge
        os.kill(pid, number)
        until(lambda: not is_running(pid))

    def until_edge_ready(self, pid: int) -> None:
        """Wait until an edge listens that is not the one that was `pid`."""
        until(lambda: self._listening("edge") not in (None, pid))

    def kill_api(self, number: int = signal.SIGKILL) -> None:
        """kill -9 of the API alone, which the supervisor starts again; see `until_api_ready`."""
        pid = self.api_pid
        os.kill(pid, number)
        until(lambda: not is_running(pid))

    def kill_venues(self) -> None:
        """kill -9 of the venues' process alone, which the supervisor starts again."""
        pid = int(json.loads(self.log_lines('"event":"venues started"')[-1])["venues"])
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_running(pid))

    def until_api_ready(self, pid: int) -> None:
        """Wait until an API listens that is not the one that was `pid`."""
        until(lambda: self._listening("api") not in (None, pid))

    def _listening(self, child: str) -> int | None:
        """The process id of the child that has said last that it listens."""
        lines = self.log_lines(f'"event":"{child} ready"')
        return int(json.loads(lines[-1])[child]) if lines else None

    def __enter__(self) -> "Gateway":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_clients()
        if self.process is not None:
            code = self.stop()
            assert kind is not None or code == 0, self.log.read_text()[-3000:]

    def client(self, name: str, *, logon: bool = True) -> Client:
        """A client of this gateway, logged on with sequence numbers reset."""
        extended = self._dialects.get(name) == "extended"
        dictionary = load() if extended else STOCK
        client = Client(self.port, name, password=self.password, dictionary=dictionary)
        if self.password is None:
            client.address = own_address()
        self._clients.append(client)
        if logon:
            assert client.logon(reset=True).type == "A"
        return client

    @property
    def _dialects(self) -> dict[str, str]:
        sessions = tomllib.loads(self.config.read_text())["session"]
        return {session["comp_id"]: session.get("dialect", "strict") for session in sessions}

    def ready(self, name: str) -> Client:
        """The client `name` that the tests of a file share: logged on, and nothing is on its way to it."""
        client = self._ready.get(name)
        if client is not None:
            try:
                client.drain()
                return client
            except (AssertionError, OSError):  # an earlier test left it in disorder
                client.close()
        self._ready[name] = self.client(name)
        return self._ready[name]

    def clean(self) -> None:
        """End what earlier tests left: no cancel is held, and no order is open."""
        self.say(ReleaseCancels())
        operator = self.ready("OPERATOR1")
        found = 1
        while found:
            operator.send("q", *mass(fresh("clean")))
            found = int(operator.until(lambda message: message.type == "r")[-1][533])
            operator.drain()

    def say(self, said: Said) -> Reply:
        """Say something over the engine's link; what became of it."""
        return call(self.data, said)

    def log_lines(self, wanted: str, count: int = 1) -> list[str]:
        """The log lines that contain `wanted`; waits a little until there are `count` of them."""
        deadline = time.monotonic() + 5
        while True:
            found = [line for line in self.log.read_text().splitlines() if wanted in line]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.01)
