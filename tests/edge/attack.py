"""The harness of the attack suite: a gateway, a bystander who measures his round trips, and what must hold.

An attack is a function of a `Lab` and of the seconds that it is to last. It paces itself (`paced`): attacker,
bystander, edge and engine share the machine, and the gateway is to be measured, not the scheduler.
"""

import os
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import simplefix

from tests.gateway import ROOT, Gateway, until, write_config
from tests.wire import PATIENCE, Client, Message, timestamp

SOH = b"\x01"
LOOPBACK = "127.0.0.1"
BYSTANDER = "TRADER39"  # the only one who may use account 16
NORMAL = "OPERATOR1"  # who logs on after each attack
NAMES = ("TRADER37", "TRADER38", NORMAL, "READER50")  # who attack, and are attacked
SECONDS = 0.4  # of an attack
QUIET_SECONDS = 0.2
TRIES = 5  # of a measurement: the machine has other work too
TRY_AGAIN_SECONDS = 0.5  # before the second try, and each time as much longer: other work ends
RATIO_MAX = 2.0  # of the median round trips
BUSY_RATIO_MAX = 8.0  # the same where other tests run on the same cores
ALLOWANCE_SECONDS = 300e-6  # the noise of a median on two shared cores
TRIPS_MIN = 10  # fewer make no median
GROWTH_MAX = 4_194_304  # bytes of resident memory, once the same attack has been there before
DESCRIPTORS_MAX = 3  # more than before: SQLite and the link open some as needed; attackers would leave tens
SETTLE_SECONDS = 5.0  # until all descriptors are closed
RECORD = struct.Struct("dd")

_hosts = count(2)


class Way(NamedTuple):
    """How to reach a gateway: its port, and the directory of the certificates when it speaks TLS."""

    port: int
    certificates: Path | None = None

    def plain(self, source: str = LOOPBACK, receive_bytes: int = 0) -> socket.socket:
        """A TCP connection from the address `source`, which takes about `receive_bytes` unread."""
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.bind((source, 0))
        connection.connect((LOOPBACK, self.port))
        return connection

    def connect(self, source: str = LOOPBACK, certificate: str = "") -> socket.socket:
        """A connection that is ready for FIX; `certificate` is the CompID that it is of."""
        connection = self.plain(source)
        if self.certificates is None:
            return connection
        context = ssl.create_default_context(cafile=self.certificates / "ca.pem")
        if certificate:
            file = self.certificates / f"client-{certificate}.pem"
            context.load_cert_chain(file, file.with_suffix(".key"))
        return context.wrap_socket(connection, server_hostname="localhost")

    def client(self, name: str, source: str = LOOPBACK) -> "Caller":
        """A client that goes this way, with a certificate if there is one of his; not connected yet."""
        file = None if self.certificates is None else self.certificates / f"client-{name}.pem"
        return Caller(self, name, source, name if file is not None and file.exists() else "")


class Caller(Client):
    """A client that calls from any address, and by TLS if need be."""

    def __init__(self, way: Way, name: str, source: str, certificate: str) -> None:
        super().__init__(way.port, name)
        self._way = way
        self._source = source
        self._certificate = certificate

    def connect(self) -> None:
        """Connect, without a Logon."""
        self.close()
        self._asked_from = 0
        self._socket = self._way.connect(self._source, self._certificate)
        self._parser = simplefix.FixParser()

    @property
    def connection(self) -> socket.socket:
        """The socket of a client that is connected."""
        assert self._socket is not None
        return self._socket


class Crowd:
    """Connections of an attacker, `most` at one time: the oldest is closed for the next, all at the end."""

    def __init__(self, way: Way, most: int = 1_000) -> None:
        self._way = way
        self._most = most
        self.connections: deque[socket.socket] = deque()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self.connections:
            connection.close()

    def join(self, source: str = LOOPBACK) -> socket.socket:
        """One more, plain TCP."""
        if len(self.connections) == self._most:
            self.connections.popleft().close()
        self.connections.append(self._way.plain(source))
        return self.connections[-1]


class Usage(NamedTuple):
    """What the edge and the engine take: resident memory in bytes, and open descriptors."""

    memory: tuple[int, int]
    descriptors: tuple[int, int]


class Outcome(NamedTuple):
    """What an attack did: the bystander's round trips in seconds, quiet and during it, and the usage."""

    quiet: list[float]
    during: list[float]
    before: Usage
    after: Usage

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.during) / statistics.median(self.quiet)

    def problems(self, growth_max: int = GROWTH_MAX, ratio_max: float = RATIO_MAX) -> list[str]:
        """What does not hold and might by another try: the machine was busy, or the memory not warm."""
        if len(self.quiet) < TRIPS_MIN or len(self.during) < TRIPS_MIN:
            return [f"{len(self.quiet)} round trips before and {len(self.during)} during it"]
        found = []
        quiet, during = statistics.median(self.quiet), statistics.median(self.during)
        if during > ratio_max * quiet + ALLOWANCE_SECONDS:
            found.append(f"median round trip {quiet * 1e6:.0f} us before and {during * 1e6:.0f} us during it")
        for name, before, after in zip(
            ("edge", "engine"), self.before.memory, self.after.memory, strict=True
        ):
            if after - before > growth_max:
                found.append(f"memory of the {name} grew by {after - before:,} bytes")
        return found


class Lab:
    """A gateway under attack, on `directory`, and its bystander; a context manager.

    `edits` are those of the reference configuration, `command` stands in for `python -m fixgw`.
    """

    def __init__(
        self,
        directory: Path,
        *edits: tuple[str, str],
        command: Sequence[str] = (sys.executable, "-m", "fixgw"),
        certificates: Path | None = None,
    ) -> None:
        config = write_config(directory / "config", *edits)
        self.gateway = Gateway(directory / "data", config, command=command)
        self.way = Way(self.gateway.port, certificates)
        self._trips = directory / "trips"
        self._bystander: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._pids = (0, 0)
        self._at_rest = Usage((0, 0), (0, 0))
        self._kept: list[socket.socket] = []

    def __enter__(self) -> "Lab":
        self.gateway.start()
        self._pids = self._children()
        command = [
            sys.executable,
            "-m",
            "tests.edge.bystander",
            str(self.way.port),
            BYSTANDER,
            str(self._trips),
        ]
        if self.way.certificates is not None:
            command.append(str(self.way.certificates))
        self._bystander = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
        until(lambda: self._trips.exists() or self._ended())
        for name in NAMES:  # so that each has its files
            self.log_on(name)
        self._at_rest = self.usage()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bystander is not None and self._bystander.stdin is not None:
            self._bystander.stdin.close()
            code = self._bystander.wait(PATIENCE)
            assert kind is not None or code == 0, "the bystander was disturbed"
        self.gateway.__exit__(kind, error, trace)

    def _ended(self) -> bool:
        assert self._bystander is not None
        assert self._bystander.poll() is None, "the bystander has ended"
        return False

    def _children(self) -> tuple[int, int]:
        return self.gateway.edge, self.gateway.engine

    def address(self) -> str:
        """An address of loopback that nobody has used yet: its failures are its own."""
        number = next(_hosts)
        return f"127.0.{number // 250}.{number % 250 + 1}"

    def keep(self, connection: socket.socket) -> socket.socket:
        """A connection that is closed after this attack, also when it fails."""
        self._kept.append(connection)
        return connection

    def usage(self) -> Usage:
        """What the gateway takes now."""
        edge, engine = self._pids
        return Usage((_resident(edge), _resident(engine)), (_descriptors(edge), _descriptors(engine)))

    def run(
        self, attack: "Attack", seconds: float = SECONDS, quiet_seconds: float = QUIET_SECONDS
    ) -> Outcome:
        """Attack once. Fails when a process ended, a descriptor is left, or nobody can log on afterwards."""
        before, quiet_began = self.usage(), time.monotonic()
        time.sleep(quiet_seconds)
        began = time.monotonic()
        try:
            attack(self, seconds)
        finally:
            while self._kept:
                self._kept.pop().close()
        ended = time.monotonic()
        self._ended()
        assert self._children() == self._pids, "a process has ended, and was started again"
        self.log_on()
        self._settle(self._at_rest)
        trips = self._round_trips()
        return Outcome(
            [seconds for at, seconds in trips if quiet_began <= at and at + seconds <= began],
            [seconds for at, seconds in trips if began <= at <= ended],
            before,
            self.usage(),
        )

    def withstands(self, attack: "Attack", seconds: float = SECONDS, growth_max: int = GROWTH_MAX) -> Outcome:
        """Assert that the attack disturbs nobody and leaves nothing, at the best of some tries."""
        for number in range(TRIES):
            time.sleep(number * TRY_AGAIN_SECONDS)
            outcome = self.run(attack, seconds)
            problems = outcome.problems(growth_max, BUSY_RATIO_MAX)
            if not problems:
                break
        assert not problems, f"{problems}, see {self.gateway.log}"
        return outcome

    def log_on(self, name: str = NORMAL) -> None:
        """A normal client logs on, and out again."""
        client = self.way.client(name)
        assert client.logon(reset=True).type == "A"
        client.logout()

    def _settle(self, before: Usage) -> None:
        """Wait until the descriptors are what they were; after half of the time, until they nearly are."""
        began = time.monotonic()
        deadline = began + SETTLE_SECONDS
        while True:
            more = 1 if time.monotonic() < began + SETTLE_SECONDS / 2 else DESCRIPTORS_MAX
            pairs = zip(self.usage().descriptors, before.descriptors, strict=True)
            if all(now <= then + more for now, then in pairs):
                return
            left = [_open_files(pid) for pid in self._pids]
            assert time.monotonic() < deadline, f"{before.descriptors} descriptors before, now {left}"
            time.sleep(0.01)

    def _round_trips(self) -> list[tuple[float, float]]:
        """When they began, and how long they took, since the last call."""
        with self._trips.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = len(data) - len(data) % RECORD.size
        self._read += whole
        return list(RECORD.iter_unpack(data[:whole]))


Attack = Callable[[Lab, float], None]


def paced(seconds: float, rate: float) -> Iterator[int]:
    """Count for so long, at most `rate` times a second; at least once."""
    began = time.monotonic()
    for number in count():
        yield number
        due = began + (number + 1) / rate
        if due > began + seconds:
            return
        time.sleep(max(0.0, due - time.monotonic()))


def frame(*fields: bytes, begin_string: bytes = b"FIX.4.4") -> bytes:
    """The message with these fields, whatever they hold."""
    body = b"".join(field + SOH for field in fields)
    whole = b"8=%b\x019=%d\x01%b" % (begin_string, len(body), body)
    return whole + b"10=%03d\x01" % (sum(whole) % 256)


def header(msg_type: bytes, name: str, seq_num: int = 1) -> tuple[bytes, ...]:
    """The first fields of a message to FIXGW."""
    return (
        b"35=" + msg_type,
        b"49=" + name.encode(),
        b"56=FIXGW",
        b"34=%d" % seq_num,
        b"52=" + timestamp().encode(),
    )


def logon(name: str, *more: bytes, password: str = "wrong", seq_num: int = 1, heartbeat: int = 30) -> bytes:
    """A Logon with fields of one's own at its end."""
    fields = (b"98=0", b"108=%d" % heartbeat, b"553=" + name.encode(), b"554=" + password.encode())
    return frame(*header(b"A", name, seq_num), *fields, *more)


def heard(connection: socket.socket, seconds: float = PATIENCE) -> bytes:
    """All that comes until the other side closes, or has been silent for so long."""
    data = b""
    connection.settimeout(seconds)
    try:
        while more := connection.recv(65_536):
            data += more
    except (TimeoutError, ConnectionError):
        pass
    return data


def is_closed(connection: socket.socket, seconds: float = PATIENCE) -> bool:
    """Whether the other side closes within so many seconds."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def messages(data: bytes) -> list[Message]:
    """What the bytes say, which are whole messages."""
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    found = []
    while (message := parser.get_message()) is not None:
        found.append(Message(message))
    assert not data or data.endswith(SOH), f"half a message: {data[-200:]!r}"
    return found


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _open_files(pid: int) -> list[str]:
    """What the open descriptors are."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(str(descriptor.readlink()))
    return found
