"""Attacks of clients who have logged on as they should. Rates are a second's."""

import re
import select
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from tests.edge.attack import Crowd, Lab, frame, header, heard, logon, messages, paced
from tests.edge.before_logon import false_blocks
from tests.gateway import until
from tests.wire import PATIENCE, timestamp

ATTACKER = "TRADER37"
OTHER = "TRADER38"
ORDERS = 20_000
BATCH = 500  # orders sent at one time
RECEIVE_BYTES = 4_096  # what the kernel takes for a client that does not read
RESEND_SECONDS_MAX = 0.1  # a round trip of another session during a long resend
CUT_OFF = "cut off: it does not read"
HALF_OPEN_HEARTBEAT = 5  # the least that is allowed
HALF_OPEN_SECONDS = 4.0  # beyond it, until the owner of a session that vanished is let in again
RUBBISH = b"\xff\xfe\x80\xc3\x28\xe2\x82\xac\x00\x7f"
ECHOED = (b"112", b"372")  # TestReqID and RefMsgType: QuickFIX answers with what the same client sent
HIGH = 1_000_000  # a MsgSeqNum that nobody has come to

EDITS = (
    ("backlog_bytes_max = 16777216", "backlog_bytes_max = 1048576"),
    ("closed_seconds = 86400", "closed_seconds = 60"),
    ("closed_max = 200000", "closed_max = 1000"),
)
"""Of the configuration: the smallest backlog, and as few closed orders in memory as may be."""

_ids = count(1)


class Raw:
    """A logged-on session whose bytes are one's own, and what has come is `data`.

    `reports` are the ExecutionReports that came. It reads in `until` and `is_open` alone.
    """

    def __init__(
        self, lab: Lab, name: str = ATTACKER, *, seq_num: int = 0, heartbeat: int = 30, receive_bytes: int = 0
    ) -> None:
        self.name = name
        self.data = bytearray()
        self.reports = 0
        self.seq_num = seq_num or 1
        self.connection = lab.keep(lab.way.plain(receive_bytes=receive_bytes))
        more = () if seq_num else (b"141=Y",)
        password = f"{name.lower()}-demo"
        self._send(logon(name, *more, password=password, seq_num=self.seq_num, heartbeat=heartbeat))
        self.until(lambda: b"\x0135=A\x01" in self.data)

    def _send(self, message: bytes) -> None:
        self.seq_num += 1
        self.connection.sendall(message)

    def say(self, msg_type: bytes, *fields: bytes) -> None:
        """Send a message with the next number."""
        self._send(frame(*header(msg_type, self.name, self.seq_num), *fields))

    def until(self, is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Read until something is so. Raises ConnectionError at the end, and fails when it takes too long."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"not within {seconds} s, and last came {self.data[-300:]!r}"
            if select.select([self.connection], [], [], 0.1)[0]:
                self._read()

    def is_open(self) -> bool:
        """Read what is there; whether the connection is still open."""
        with suppress(ConnectionError):
            while select.select([self.connection], [], [], 0)[0]:
                self._read()
            return True
        return False

    def is_answered(self) -> bool:
        """Whether a TestRequest(1) is answered."""
        word = b"word%d" % next(_ids)
        try:
            self.say(b"1", b"112=" + word)
            self.until(lambda: b"\x01112=" + word + b"\x01" in self.data)
        except ConnectionError:
            return False
        return True

    def _read(self) -> None:
        data = self.connection.recv(1_048_576)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        self.reports += (self.data[-5:] + data).count(b"\x0135=8\x01")
        self.data += data

    def check(self) -> None:
        """Assert that everything that came is in ASCII, and has no field that the client made."""
        for message in self.messages():
            for tag in ECHOED:
                message.pop(tag, None)
            assert all(value.isascii() and b"injected" not in value for value in message.values()), message

    def messages(self) -> list[dict[bytes, bytes]]:
        """The whole messages that came, by tags; of a field that is there again, the first value."""
        found = []
        for part in self.data.split(b"8=FIX.4.4\x01")[1:]:
            fields = [field.partition(b"=")[::2] for field in bytes(part).split(b"\x01")]
            if any(tag == b"10" for tag, _ in fields):
                found.append(dict(reversed(fields)))
        return found

    def close(self) -> None:
        """Close the connection without a word."""
        self.connection.close()


def _attack(lab: Lab, seconds: float, rate: float, say: Callable[[Raw, int], None]) -> None:
    """Say things, so many a second, and log on again whenever that has ended the session; and at the end."""
    raw = Raw(lab)
    for number in paced(seconds, rate):
        with suppress(ConnectionError):
            say(raw, number)
        if not raw.is_open():
            raw.check()
            raw.close()
            raw = Raw(lab)
    raw.close()
    raw.check()
    raw = Raw(lab)
    assert raw.is_answered()
    raw.close()


RANGES = (
    (b"0", b"0"),
    (b"1", b"0"),
    (b"0", b"999999999"),
    (b"1", b"999999999"),
    (b"999999999", b"0"),
    (b"999999999", b"1"),
    (b"5", b"1"),
    (b"2147483647", b"2147483647"),
    (b"1", b"2147483648"),
    (b"1", b"99999999999999999999"),
    (b"-1", b"0"),
    (b"1", b"-1"),
    (b"-2147483648", b"-2147483648"),
    (b"", b""),
    (b"x", b"y"),
    (b"1.5", b"0"),
)
"""BeginSeqNo(7) and EndSeqNo(16)."""


def absurd_ranges(lab: Lab, seconds: float) -> None:
    """ResendRequests for 0 to 0 and other absurd ranges, 100 a second."""

    def say(raw: Raw, number: int) -> None:
        begin, end = RANGES[number % len(RANGES)]
        raw.say(b"2", b"7=" + begin, b"16=" + end)

    _attack(lab, seconds, 100, say)


def too_high(lab: Lab, seconds: float) -> None:
    """Orders with MsgSeqNums that are too high, 2,000 a second, of a kilobyte each."""
    fields = [field for field in GOOD[b"D"] if field[:3] not in (b"60=", b"58=")]
    fields += [b"60=" + timestamp().encode(), b"58=" + b"x" * 1_000]

    def say(raw: Raw, number: int) -> None:
        numbers = range(HIGH + 20 * number, HIGH + 20 * number + 20)
        raw.connection.sendall(b"".join(frame(*header(b"D", ATTACKER, high), *fields) for high in numbers))

    _attack(lab, seconds, 100, say)


NEW_NUMBERS = (
    b"0",
    b"1",
    b"2",
    b"-1",
    b"2147483647",
    b"2147483648",
    b"99999999999999999999",
    b"",
    b"x",
    b"9",
)


def sequence_resets(lab: Lab, seconds: float) -> None:
    """SequenceResets of all kinds with NewSeqNo(36) low, high and malformed, 100 a second."""

    def say(raw: Raw, number: int) -> None:
        new = NEW_NUMBERS[number % len(NEW_NUMBERS)]
        kinds = ((b"123=Y",), (b"123=N",), (), (b"43=Y", b"122=" + timestamp().encode(), b"123=Y"))
        raw.say(b"4", *kinds[number // len(NEW_NUMBERS) % len(kinds)], b"36=" + new)

    _attack(lab, seconds, 100, say)


GOOD = {
    b"D": (b"11=%d", b"1=14", b"55=BTC-USD", b"54=1", b"60=%t", b"38=10", b"40=2", b"44=100", b"58=x"),
    b"F": (b"11=%d", b"41=unknown", b"1=14", b"55=BTC-USD", b"54=1", b"60=%t", b"38=10", b"58=x"),
    b"q": (b"11=%d", b"530=1", b"1=14", b"55=BTC-PERP", b"60=%t", b"58=x"),
    b"H": (b"11=unknown", b"37=999999", b"54=1", b"790=%d", b"1=14"),
    b"AF": (b"584=%d", b"585=1", b"55=BTC-PERP", b"1=14"),
    b"G": (b"11=%d", b"41=x", b"55=BTC-USD", b"54=1", b"60=%t", b"40=1", b"38=10"),
    b"1": (b"112=%d",),
    b"ZZ": (b"112=%d",),
}
"""The fields of messages that have an answer, or an effect; %d is a fresh id, %t a time."""


def _spoiled(number: int, spoil: Callable[[bytes], bytes]) -> tuple[bytes, tuple[bytes, ...]]:
    """The message of this number: its type, and its fields, one of which is spoiled."""
    msg_type, fields = list(GOOD.items())[number % len(GOOD)]
    made = [
        field.replace(b"%d", b"made%d" % next(_ids)).replace(b"%t", timestamp().encode()) for field in fields
    ]
    index = number // len(GOOD) % len(made)
    made[index] = spoil(made[index])
    return msg_type, tuple(made)


def soh_injection(lab: Lab, seconds: float) -> None:
    """Messages in which one text field ends early, with another field behind, 200 a second."""
    behind = (
        b"58=injected",
        b"354=8\x01355=injected",
        b"1=injected",
        b"11=injected",
        b"10=000\x018=injected",
    )

    def say(raw: Raw, number: int) -> None:
        msg_type, fields = _spoiled(number, lambda field: field + b"\x01" + behind[number % len(behind)])
        raw.say(msg_type, *fields)

    _attack(lab, seconds, 200, say)


def non_ascii(lab: Lab, seconds: float) -> None:
    """Messages with bytes that are neither ASCII nor UTF-8 in every field, 200 a second."""

    def say(raw: Raw, number: int) -> None:
        msg_type, fields = _spoiled(number, lambda field: field.partition(b"=")[0] + b"=" + RUBBISH)
        if number % 10 == 9:
            msg_type += RUBBISH
        raw.say(msg_type, *fields)

    _attack(lab, seconds, 200, say)


def garbled(lab: Lab, seconds: float) -> None:
    """A megabyte a second in which messages seem to begin, and none is one; the session goes on behind it."""
    blocks = false_blocks()

    def say(raw: Raw, number: int) -> None:
        raw.connection.sendall(blocks[number % len(blocks)])

    raw = Raw(lab)
    for number in paced(seconds, 64):
        say(raw, number)
    raw.connection.sendall(b"\x01" * 65_536)  # whatever was waited for has come
    assert raw.is_answered()
    raw.check()
    raw.close()


def dribble(lab: Lab, seconds: float) -> None:
    """A client that sends its messages byte by byte, 500 bytes a second."""
    raw = Raw(lab)
    message = frame(*header(b"1", ATTACKER, raw.seq_num), b"112=slowly")
    for number in paced(seconds, 500):
        raw.connection.sendall(message[number : number + 1])
    raw.close()


def second_connection(lab: Lab, seconds: float) -> None:
    """The session's own credentials on further connections, 20 a second: the first one goes on."""
    raw = Raw(lab)
    with Crowd(lab.way) as crowd:
        for number in paced(seconds, 20):
            more = (b"141=Y",) if number % 2 else ()
            crowd.join().sendall(logon(ATTACKER, *more, password="trader37-demo", seq_num=number + 1))
        assert raw.is_answered()
        (message,) = messages(heard(crowd.connections[-1]))  # the others may have had to make room
        assert message.type == "5", message
        assert message[58] == "this session is logged on already", message
    assert raw.is_answered()
    raw.check()
    raw.close()


def second_logon(lab: Lab, seconds: float) -> None:
    """Logons on a connection that is logged on, some resetting, some with a bad password, 20 a second."""

    def say(raw: Raw, number: int) -> None:
        more = (b"141=Y",) if number % 2 else ()
        password = "trader37-demo" if number % 4 < 2 else "wrong"
        raw.connection.sendall(logon(ATTACKER, *more, password=password, seq_num=raw.seq_num))
        raw.seq_num += 1

    _attack(lab, seconds, 20, say)


class Crowded:
    """The attacker's session after it has entered ORDERS orders, which rest; `seq_num` is its next one."""

    def __init__(self, lab: Lab) -> None:
        raw = Raw(lab)
        _cancel_all(raw)
        number = next(_ids)
        self.cl_ord_ids = [b"crowd%d-%d-" % (number, index) + b"x" * 40 for index in range(ORDERS)]
        at = timestamp().encode()
        for begin in range(0, ORDERS, BATCH):
            batch = bytearray()
            for cl_ord_id in self.cl_ord_ids[begin : begin + BATCH]:
                fields = (b"55=BTC-USD", b"54=1", b"60=" + at, b"38=10", b"40=2", b"44=100")
                batch += frame(*header(b"D", ATTACKER, raw.seq_num), b"11=" + cl_ord_id, *fields)
                raw.seq_num += 1
            raw.connection.sendall(batch)
            raw.until(lambda sent=begin + BATCH: raw.reports >= sent, 30.0)  # type: ignore[misc]
        assert raw.is_answered()
        self.seq_num = raw.seq_num
        self.expected = _highest(raw.data) + 1
        raw.close()


def _cancel_all(raw: Raw) -> None:
    """Cancel what is left, and read that it is."""
    raw.say(b"q", b"11=left%d" % next(_ids), b"530=7", b"60=" + timestamp().encode())
    raw.until(lambda: b"\x0135=r\x01" in raw.data, 30.0)
    (report,) = (message for message in raw.messages() if message[b"35"] == b"r")
    raw.until(lambda: raw.reports >= int(report[b"533"]), 30.0)
    raw.reports = 0


def stalled(lab: Lab, crowded: Crowded) -> None:
    """A mass cancel of all the orders, of whose outcome nothing is read; then everything is, once."""
    cuts = len(lab.gateway.log_lines(CUT_OFF, 0))
    stalled = Raw(lab, seq_num=crowded.seq_num, receive_bytes=RECEIVE_BYTES)
    stalled.say(b"q", b"11=all%d" % next(_ids), b"530=7", b"60=" + timestamp().encode())
    until(lambda: len(lab.gateway.log_lines(CUT_OFF, 0)) > cuts, 30.0)
    stalled.close()
    back = Raw(lab, seq_num=stalled.seq_num)
    back.say(b"2", b"7=%d" % crowded.expected, b"16=0")
    back.until(lambda: back.reports >= ORDERS, 30.0)
    assert back.is_answered()
    outcomes: dict[bytes, set[bytes]] = {}
    for message in back.messages():
        if message[b"35"] == b"8":
            assert message[b"39"] == b"4", message
            outcomes.setdefault(message[b"41"], set()).add(message[b"34"])
    missing = [cl_ord_id for cl_ord_id in crowded.cl_ord_ids if len(outcomes.get(cl_ord_id, ())) != 1]
    assert not missing, f"{len(missing)} orders have not one outcome"
    back.close()


def long_resend(lab: Lab, crowded: Crowded) -> None:
    """A ResendRequest for everything: all the reports of the orders."""
    raw = Raw(lab, seq_num=crowded.seq_num)
    raw.say(b"2", b"7=1", b"16=0")
    raw.until(lambda: raw.reports >= ORDERS, 30.0)
    assert raw.is_answered()
    crowded.seq_num = raw.seq_num
    raw.close()


def _highest(data: bytearray) -> int:
    """The highest MsgSeqNum(34)."""
    return max(int(number) for number in re.findall(rb"\x0134=([0-9]+)\x01", data))


EVERY = (
    absurd_ranges,
    too_high,
    sequence_resets,
    soh_injection,
    non_ascii,
    garbled,
    dribble,
    second_connection,
    second_logon,
)
"""All that need nothing prepared."""
