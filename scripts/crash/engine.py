"""A FIX client with the session logic of a real engine, which outlives any number of lost connections.

It keeps its own two next MsgSeqNums and a store of what it sent, never resets, answers ResendRequests, asks
for gaps, takes messages in order only, and watches that the gateway does as much: what it finds wrong about
the session itself it hands to `on_fault`, everything else to `on_report`.
"""

import socket
import time
from collections.abc import Callable

from scripts.bench.client import Fields, encode, utc_now

GATEWAY = "FIXGW"  # SenderCompID(49) of the gateway in the reference configuration
STOPPING = "the gateway is stopping"  # Text(58) of the only Logout(5) that is no fault
SESSION_TYPES = frozenset("012345A")
HEARTBEAT_SECONDS = 30
SPEAK_SECONDS = 10.0  # silent for so long, it sends a Heartbeat: well within HEARTBEAT_SECONDS
RECEIVE_BYTES = 1 << 18
CONNECT_SECONDS = 5.0
KEPT = 50_000  # messages of each direction that are kept: more than are ever asked for again
NOT_CONTENT = ("8=", "9=", "10=", "43=", "52=", "122=")  # what may differ when a message is sent again

Message = dict[str, str]
OnReport = Callable[[str, Message], None]
OnFault = Callable[[str, str], None]


def cut(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages at the head of `buffer`, and the rest. Raises ValueError if one does not add up."""
    found: list[bytes] = []
    start = 0
    while (value := buffer.find(b"\x019=", start)) >= 0 and (body := buffer.find(b"\x01", value + 3)) >= 0:
        end = body + 1 + int(buffer[value + 3 : body]) + len(b"10=000\x01")
        if end > len(buffer):
            break
        raw = buffer[start:end]
        if raw[-7:-4] != b"10=" or sum(raw[:-7]) % 256 != int(raw[-4:-1]):
            raise ValueError(f"length or sum is wrong: {shown(raw)}")
        found.append(raw)
        start = end
    return found, buffer[start:]


def shown(raw: bytes) -> str:
    """A message for people to read: | for SOH."""
    return raw.decode("ascii", "replace").replace("\x01", "|")


class Engine:
    """One session. `next_out` and `expected` are its next MsgSeqNums; they only rise.

    `seen` counts all messages received, `again` those of them that came with PossDupFlag(43)=Y. `echoed` is
    what the last answer to a TestRequest said. A Logout(5) is a fault unless `is_stop_expected`.
    `password` is by default that of the reference configuration.
    """

    def __init__(self, name: str, on_report: OnReport, on_fault: OnFault) -> None:
        self.name = name
        self.password = f"{name.lower()}-demo"
        self.next_out = self.expected = 1
        self.is_up = False
        self.is_stop_expected = False
        self.seen = self.again = 0
        self.echoed: str | None = None
        self._on_report, self._on_fault = on_report, on_fault
        self._sent: dict[int, tuple[str, Fields, str]] = {}
        self._received: dict[int, str] = {}
        self._asked_from = 0
        self._spoke_at = 0.0
        self._socket: socket.socket | None = None
        self._in = b""
        self._out = bytearray()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, logged on or about to be."""
        return self._socket is not None

    @property
    def has_output(self) -> bool:
        """Whether something waits until the connection takes more."""
        return bool(self._out)

    def fileno(self) -> int:
        """The connection's descriptor, for select. Only while connected."""
        assert self._socket is not None
        return self._socket.fileno()

    def connect(self, port: int) -> None:
        """Connect and send a Logon with its own next number. Raises OSError."""
        self.close()
        self._asked_from, self._in, self._out = 0, b"", bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        credentials = [(553, self.name), (554, self.password)]
        self._say("A", [(98, 0), (108, HEARTBEAT_SECONDS), *credentials])

    def close(self) -> None:
        """Drop the connection, with whatever was not read or written yet."""
        self.is_up = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def request(self, msg_type: str, fields: Fields) -> int:
        """Number and store a message, and send it if logged on; the gateway asks for it if not."""
        seq_num, now = self.next_out, utc_now()
        self._sent[seq_num] = (msg_type, fields, now)
        self.next_out += 1
        if len(self._sent) > KEPT:
            del self._sent[next(iter(self._sent))]
        if self.is_up:
            self._put(encode(msg_type, seq_num, self.name, GATEWAY, fields, now))
        return seq_num

    def ask_for_echo(self, word: str) -> None:
        """Send a TestRequest; `echoed` is `word` once it was answered."""
        self._say("1", [(112, word)])

    def keep_alive(self) -> None:
        """Send a Heartbeat if nothing was said for SPEAK_SECONDS."""
        if self.is_up and time.monotonic() > self._spoke_at + SPEAK_SECONDS:
            self._say("0", ())

    def _say(self, msg_type: str, fields: Fields) -> None:
        """A session message: it takes a number and is not stored, so that a gap takes its place."""
        self._put(encode(msg_type, self.next_out, self.name, GATEWAY, fields, utc_now()))
        self.next_out += 1

    def _put(self, raw: bytes) -> None:
        self._out += raw
        self._spoke_at = time.monotonic()

    def write(self) -> None:
        """Hand on what waits, as much as the connection takes."""
        if self._socket is not None and self._out:
            try:
                del self._out[: self._socket.send(self._out)]
            except BlockingIOError:
                pass
            except OSError:  # what is lost here is in the store; what has come is still to be read
                self._out.clear()

    def read(self) -> None:
        """Take what has come; the connection is closed when the gateway has closed it."""
        if self._socket is None:
            return
        try:
            came = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            self.close()
            return
        try:
            messages, self._in = cut(self._in + came)
        except ValueError as error:
            self._on_fault("wrong", f"{self.name} got what is no message: {error}")
            self.close()
            return
        for raw in messages:
            if self._socket is not None:
                self._take(raw)

    def _take(self, raw: bytes) -> None:
        parts = raw.decode("ascii", "replace").split("\x01")[:-1]
        message = {tag: value for tag, _, value in [part.partition("=") for part in parts]}
        seq_num, msg_type, again = int(message["34"]), message["35"], message.get("43") == "Y"
        self.seen += 1
        self.again += again
        if again and "122" not in message:
            self._on_fault("wrong", f"{self.name}: sent again without OrigSendingTime(122): {shown(raw)}")
        if msg_type == "4":
            self._skip(seq_num, message, raw)
            return
        self._compare(seq_num, parts, raw)
        if msg_type == "A":
            self.is_up = True
            if message.get("141") == "Y":
                self._on_fault("wrong", f"{self.name} was told to reset: {shown(raw)}")
        elif msg_type == "2":  # also when its own number is too high: else both sides would wait for ever
            self._send_again(int(message["7"]), int(message["16"]))
        elif msg_type == "5":
            self._logged_out(message, raw)
        if seq_num > self.expected:
            self._ask()
        elif seq_num == self.expected:
            self.expected += 1
            self._in_order(msg_type, message)
        elif not again:
            self._on_fault("wrong", f"{self.name} expected MsgSeqNum {self.expected}: {shown(raw)}")

    def _in_order(self, msg_type: str, message: Message) -> None:
        if msg_type not in SESSION_TYPES or msg_type == "3":
            self._on_report(self.name, message)
        elif msg_type == "1":
            self._say("0", [(112, message["112"])])
        elif msg_type == "0" and "112" in message:
            self.echoed = message["112"]

    def _compare(self, seq_num: int, parts: list[str], raw: bytes) -> None:
        """A number stands for one message, whenever and however often it comes."""
        content = "|".join([part for part in parts if not part.startswith(NOT_CONTENT)])
        before = self._received.setdefault(seq_num, content)
        if before != content:
            self._on_fault("wrong", f"{self.name}: one number, two messages: {before} and {shown(raw)}")
        if len(self._received) > KEPT:
            del self._received[next(iter(self._received))]

    def _skip(self, seq_num: int, message: Message, raw: bytes) -> None:
        """A SequenceReset: as a GapFill only, and only over session messages."""
        if message.get("123") != "Y":
            self._on_fault("wrong", f"{self.name} was told to reset: {shown(raw)}")
        elif seq_num > self.expected:
            self._ask()
        elif seq_num == self.expected:
            after = int(message["36"])
            for number in range(seq_num, after):
                kept = self._received.get(number, "35=0|")
                if kept[3 : kept.index("|")] not in SESSION_TYPES:
                    self._on_fault("lost", f"{self.name}: a gap in place of {kept}")
            self.expected = after
        elif message.get("43") != "Y":
            self._on_fault("wrong", f"{self.name} expected MsgSeqNum {self.expected}: {shown(raw)}")

    def _logged_out(self, message: Message, raw: bytes) -> None:
        if not (self.is_stop_expected and message.get("58", STOPPING) == STOPPING):
            self._on_fault("wrong", f"{self.name} was logged out: {shown(raw)}")
        if self.is_up:
            self._say("5", ())
            self.write()
        self.is_up = False

    def _ask(self) -> None:
        if self.is_up and self._asked_from != self.expected:
            self._asked_from = self.expected
            self._say("2", [(7, self.expected), (16, 0)])

    def _send_again(self, begin: int, end: int) -> None:
        """Answer a ResendRequest: requests with PossDupFlag(43)=Y, gaps in place of session messages."""
        gap_from = begin
        last = self.next_out - 1 if end == 0 else min(end, self.next_out - 1)
        for seq_num in range(begin, last + 1):
            if seq_num in self._sent:
                self._fill(gap_from, seq_num)
                msg_type, fields, sent_at = self._sent[seq_num]
                fields = [(43, "Y"), (122, sent_at), *fields]
                self._put(encode(msg_type, seq_num, self.name, GATEWAY, fields, utc_now()))
                gap_from = seq_num + 1
        self._fill(gap_from, last + 1)

    def _fill(self, begin: int, after: int) -> None:
        if begin < after:
            fields: Fields = [(43, "Y"), (123, "Y"), (36, after)]
            self._put(encode("4", begin, self.name, GATEWAY, fields, utc_now()))
