"""A FIX session of the supervisor's own with the engine, by which it sees whether the engine still answers.

It speaks to the port that the edge passes the clients' messages to, so a Heartbeat(0) that answers a
TestRequest(1) has gone the way of every message: through QuickFIX, the engine's one thread and its callbacks.
Nothing blocks here for longer than CONNECT_SECONDS.
"""

import re
import socket
from datetime import UTC, datetime

import structlog

from fixgw.fix import framing
from fixgw.fix.settings import BEGIN_STRING, WATCH_SESSION, WATCHED

log = structlog.get_logger("fixgw.supervisor")

PROBE_SECONDS = 1.0  # between two TestRequests: a message each second costs nothing
STEP_MAX_SECONDS = 1.0  # four of the supervisor's ticks: what is beyond, it did not run itself
CONNECT_SECONDS = 0.5  # on loopback the kernel answers at once, or its queue is full
HEARTBEAT_SECONDS = 30  # HeartBtInt(108): the TestRequests come before any timeout of it
BUFFER_MAX = 65_536  # bytes; what the engine says here is about a hundred at a time

_MESSAGE = re.compile(rb"8=FIX\.4\.4\x01.*?\x0110=[0-9]{3}\x01", re.DOTALL)


class Watch:
    """Asks the engine for a sign of life each second; `step` is to be called several times a second.

    `silent_seconds` is how long the engine owes an answer, not counting what this process did not run itself
    (it was stopped, or the machine slept). A connection that the engine turns away is an answer too: whoever
    hangs closes nothing.
    """

    def __init__(self, port: int, secret: str, now: float) -> None:
        self.silent_seconds = 0.0
        self._port = port
        self._secret = secret
        self._stepped = self._probe_at = now
        self._is_owed = False
        self._is_refused = False
        self._logged_on = False
        self._seq_num = 0
        self._asked = 0
        self._socket: socket.socket | None = None
        self._buffer = b""

    def step(self, now: float) -> None:
        """Read what came, and ask again when it is time. `now` is monotonic, in seconds."""
        self._read()
        if self._is_owed:
            self.silent_seconds += min(now - self._stepped, STEP_MAX_SECONDS)
        self._stepped = now
        if now >= self._probe_at:
            self._probe_at = now + PROBE_SECONDS
            self._probe()

    def heard(self) -> None:
        """The engine has said something on its standard output, which is no answer."""

    def close(self) -> None:
        """Log out and close the connection."""
        if self._logged_on:
            self._send("5")
        self._disconnect()

    def _probe(self) -> None:
        self._is_owed = True
        if self._socket is None:
            self._connect()
        elif self._logged_on:
            self._asked += 1
            self._send("1", (112, self._asked))

    def _connect(self) -> None:
        peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        peer.settimeout(CONNECT_SECONDS)
        try:
            peer.connect(("127.0.0.1", self._port))
        except OSError:  # whoever answers listens: this is silence
            peer.close()
            return
        peer.setblocking(False)
        self._socket = peer
        self._buffer, self._seq_num, self._asked = b"", 0, 0
        self._send("A", (98, 0), (108, HEARTBEAT_SECONDS), (553, WATCH_SESSION), (554, self._secret))

    def _disconnect(self) -> None:
        self._logged_on = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, msg_type: str, *fields: tuple[int, object]) -> None:
        self._seq_num += 1
        whole = message(msg_type, self._seq_num, *fields)
        try:
            if self._socket is not None and self._socket.send(whole) < len(whole):
                self._disconnect()
        except OSError:  # reading will say why; a full buffer means that nobody reads
            return

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            received = self._socket.recv(BUFFER_MAX)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        self._buffer += received
        end = 0
        for found in _MESSAGE.finditer(self._buffer):
            self._take(dict(part.partition(b"=")[::2] for part in found[0].split(b"\x01")))
            end = found.end()
        self._buffer = self._buffer[end:]
        if not received or len(self._buffer) > BUFFER_MAX:
            self._turned_away("the connection was closed")

    def _take(self, fields: dict[bytes, bytes]) -> None:
        match fields.get(b"35"):
            case b"A":
                self._answered(still_owed=False)
                self._logged_on, self._is_refused = True, False
            case b"0" if (asked := fields.get(b"112", b"")).isdigit():
                self._answered(still_owed=int(asked) < self._asked)
            case b"1":
                self._send("0", (112, fields.get(b"112", b"").decode("ascii", "replace")))
            case b"5":
                self._turned_away(fields.get(b"58", b"Logout").decode("ascii", "replace"))

    def _answered(self, *, still_owed: bool) -> None:
        self.silent_seconds, self._is_owed = 0.0, still_owed

    def _turned_away(self, why: str) -> None:
        if not (self._logged_on or self._is_refused or self._socket is None):  # said once, not each second
            log.warning("watch refused", why=why)
            self._is_refused = True
        self._answered(still_owed=False)
        self._disconnect()


def message(msg_type: str, seq_num: int, *fields: tuple[int, object]) -> bytes:
    """A whole message of the supervisor's session; the fields are ASCII."""
    sent_at = f"{datetime.now(UTC):%Y%m%d-%H:%M:%S.%f}"[:-3]
    header = ((35, msg_type), (34, seq_num), (49, WATCH_SESSION), (52, sent_at), (56, WATCHED))
    body = "".join(f"{tag}={value}\x01" for tag, value in (*header, *fields))
    return framing.message(BEGIN_STRING.encode(), body.encode("ascii"))
