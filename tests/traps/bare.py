"""A script of this directory in a process of its own, and what the tests do to a connection."""

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.gateway import ROOT, Gateway, free_port
from tests.wire import PATIENCE, Client, Pairs, timestamp

TIME_WAIT = "06"  # as /proc/net/tcp writes the state of a connection that is over
LOGON = ((98, 0), (108, 30))  # a Logon for whoever asks for no password


class Bare:
    """A script in a process; a context manager that ends it. The script gets a port and a directory first."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory()
        self.directory = Path(self._directory.name)
        command = [sys.executable, "-m", f"tests.traps.{script}", str(self.port), str(self.directory)]
        self._log = self.directory / "stderr"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
            )
        self._clients: list[Client] = []

    def __enter__(self) -> "Bare":
        assert "ready" in self.line(), self.log
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._directory.cleanup()

    def client(self, name: str) -> Client:
        """A client, connected and not logged on."""
        client = Client(self.port, name)
        client.connect()
        self._clients.append(client)
        return client

    @property
    def log(self) -> str:
        """What the script wrote to stderr so far."""
        return self._log.read_text()

    def line(self) -> str:
        """The next line that the script prints; empty at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ended(self, seconds: float = 5.0) -> int | None:
        """The exit code (negative: the signal that ended it), None when it still runs after `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def undisturbed(neighbour: Client, gateway: Gateway) -> None:
    """Assert that the gateway runs, and serves another session on the connection that it had before."""
    assert gateway.process is not None
    assert gateway.process.poll() is None, gateway.log.read_text()[-3000:]
    neighbour.quiet()
    neighbour.rest()


def reframed(message: bytes, old: bytes, new: bytes) -> bytes:
    """The message with what matches `old` replaced, and BodyLength(9) and CheckSum(10) made good again."""
    body = re.sub(old, new, message[message.index(b"\x0135=") + 1 : message.rindex(b"10=")], count=1)
    head = message[: message.index(b"\x01") + 1]
    if re.match(old, head):
        head = new
    whole = head + b"9=%d\x01" % len(body) + body
    return whole + b"10=%03d\x01" % (sum(whole) % 256)


def silent(client: Client, seconds: float = 0.5) -> bool:
    """Whether the connection stays, but nothing more comes for so long; what came before is passed over."""
    try:
        while True:
            client.receive(seconds)
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def closed(client: Client) -> bool:
    """Whether the peer closes the connection, whatever it says before."""
    return not silent(client, PATIENCE)


def until_read(client: Client) -> None:
    """Wait until the peer has read all that the client sent: what is sent now comes in on its own.

    QuickFIX leaves bytes that come together with a connection's first message alone until others come.
    """
    assert client._socket is not None
    _until_no_line(client._socket.getsockname()[1], lambda _, unread: unread > 0)


def leave(client: Client) -> None:
    """Close the connection, and wait until the peer has closed it too: a session can be logged on again."""
    assert client._socket is not None
    port = client._socket.getsockname()[1]
    client.close()
    _until_no_line(port, lambda state, _: state != TIME_WAIT)


def _until_no_line(client_port: int, wanted: Callable[[str, int], bool]) -> None:
    """Until the kernel has no such peer of `client_port`; `wanted` gets its state and its unread bytes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state, queues, *_ = line.split()
            found = remote.endswith(f":{client_port:04X}") and wanted(
                state, int(queues.partition(":")[2], 16)
            )
            if found and time.monotonic() < deadline:
                break
        else:
            return


def half_open(client: Client, *, poss_dup: bool = False, fields: Pairs = ()) -> None:
    """Leave the client's connection bound to its session, but not logged on; nobody asks for a password.

    QuickFIX does not disconnect after a Logon without a required field, nor after one that is a PossDup
    with a number that is too low.
    """
    client.connect()
    if poss_dup:
        header: Pairs = ((43, "Y"), (122, timestamp()))
        client.send("A", *LOGON, *fields, seq_num=0, header=header)
    else:
        client.send("A", (98, 0), *fields, seq_num=client.sent)
    until_read(client)


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
