"""A FIX client on a raw socket with simplefix: not QuickFIX, so that an engine's bug cannot hide."""

import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import simplefix

Fields = dict[str, str]
Pairs = Iterable[tuple[int, object]]

ADMIN = frozenset(["0", "1", "2", "3", "4", "5", "A"])
PATIENCE = 10.0  # seconds; an answer that is not there by then is missing


class Message:
    """A received message: the fields in order, and the first value of each tag."""

    def __init__(self, message: simplefix.FixMessage) -> None:
        self.pairs = [(int(tag), value.decode("latin-1")) for tag, value in message.pairs]
        self.raw = message.encode(raw=True).decode("latin-1")

    def __getitem__(self, tag: int) -> str:
        return next(value for key, value in self.pairs if key == tag)

    def get(self, tag: int) -> str | None:
        """The first value of `tag`, None when it is absent."""
        return next((value for key, value in self.pairs if key == tag), None)

    def all(self, tag: int) -> list[str]:
        """Every value of `tag`, in order."""
        return [value for key, value in self.pairs if key == tag]

    def __contains__(self, tag: int) -> bool:
        return any(key == tag for key, _ in self.pairs)

    @property
    def type(self) -> str:
        """MsgType(35)."""
        return self[35]

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value}" for tag, value in self.pairs)


def timestamp(at: datetime | None = None) -> str:
    """`at`, or now, as FIX writes it."""
    at = at or datetime.now(UTC)
    return f"{at:%Y%m%d-%H:%M:%S}.{at.microsecond // 1000:03}"


class Client:
    """One session; `sent` and `expected` are its next MsgSeqNums, which outlive a connection."""

    def __init__(self, port: int, name: str, *, target: str = "FIXGW", password: str | None = None) -> None:
        self.port = port
        self.name = name
        self.target = target
        self.username = name
        self.password = f"{name.lower()}-demo" if password is None else password
        self.sent = 1
        self.expected = 1
        self.history: dict[int, tuple[str, tuple[tuple[int, object], ...], str]] = {}
        self._asked_from = 0
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect, without a Logon."""
        self.close()
        self._asked_from = 0
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = simplefix.FixParser()

    def encode(self, msg_type: str, pairs: Pairs, *, seq_num: int | None = None, header: Pairs = ()) -> bytes:
        """A whole message with header and trailer; takes the next MsgSeqNum unless one is given."""
        if seq_num is None:
            seq_num = self.sent
            self.sent += 1
            if msg_type not in ADMIN:
                self.history[seq_num] = (msg_type, tuple(pairs), timestamp())
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4", header=True)
        message.append_pair(35, msg_type, header=True)
        for tag, value in ((49, self.name), (56, self.target), (34, seq_num), (52, timestamp()), *header):
            message.append_pair(tag, value, header=True)
        for tag, value in pairs:
            message.append_pair(tag, value)
        return bytes(message.encode())

    def send(
        self, msg_type: str, *pairs: tuple[int, object], header: Pairs = (), seq_num: int | None = None
    ) -> None:
        """Send one message."""
        self.send_bytes(self.encode(msg_type, pairs, seq_num=seq_num, header=header))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self._socket is not None
        self._socket.sendall(data)

    def receive(self, timeout: float = PATIENCE) -> Message:
        """The next message in sequence, whatever it is; what is missing is asked for, as an engine does it.

        Raises TimeoutError, and ConnectionError at the end.
        """
        while True:
            found = self._read(timeout)
            seq_num = int(found[34])
            if found.type == "4":
                self.expected = int(found[36])
                return found
            if seq_num < self.expected:
                assert found.get(43) == "Y", f"MsgSeqNum below {self.expected}: {found}"
                continue
            if seq_num > self.expected:
                if self._asked_from != self.expected:
                    self._asked_from = self.expected
                    self.send("2", (7, self.expected), (16, 0))
                if found.type == "A":
                    return found
                continue
            self.expected += 1
            if found.type == "1":
                self.send("0", (112, found[112]))
            if found.type == "2":
                self._fill_gap(int(found[7]))
            return found

    def _fill_gap(self, begin: int) -> None:
        """Answer a ResendRequest: application messages again with PossDupFlag(43)=Y, gaps for the others."""
        fill_from = begin
        for seq_num in range(begin, self.sent):
            kept = self.history.get(seq_num)
            if kept is None:
                continue
            if fill_from < seq_num:
                self.send("4", (123, "Y"), (36, seq_num), seq_num=fill_from, header=((43, "Y"),))
            msg_type, pairs, sent_at = kept
            self.send(msg_type, *pairs, seq_num=seq_num, header=((43, "Y"), (122, sent_at)))
            fill_from = seq_num + 1
        if fill_from < self.sent:
            self.send("4", (123, "Y"), (36, self.sent), seq_num=fill_from, header=((43, "Y"),))

    def _read(self, timeout: float) -> Message:
        assert self._socket is not None
        deadline = time.monotonic() + timeout
        while (message := self._parser.get_message()) is None:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the gateway closed the connection")
            self._parser.append_buffer(data)
        return Message(message)

    def next(self, timeout: float = PATIENCE) -> Message:
        """The next application message, or Reject(3), Logout(5)."""
        while True:
            message = self.receive(timeout)
            if message.type not in ADMIN or message.type in "35":
                return message

    def logon(self, *pairs: tuple[int, object], reset: bool = False, heartbeat: int = 30) -> Message:
        """Connect, log on, and return the answer."""
        self.connect()
        if reset:
            self.sent = self.expected = 1
            self.history.clear()
            pairs = (*pairs, (141, "Y"))
        self.send("A", (98, 0), (108, heartbeat), (553, self.username), (554, self.password), *pairs)
        return self.receive()

    def logout(self) -> None:
        """Log out and close."""
        self.send("5")
        while self.receive().type != "5":
            pass
        self.close()

    def close(self) -> None:
        """Close the connection without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def quiet(self) -> None:
        """Assert that nothing but an answer to a TestRequest comes: nothing else is on its way."""
        self.send("1", (112, "quiet?"))
        message = self.receive()
        while message.type in "24":
            message = self.receive()
        assert message.type == "0", f"unexpected {message}"
        assert message[112] == "quiet?"

    def until(self, is_last: Callable[[Message], bool], timeout: float = PATIENCE) -> list[Message]:
        """Application messages up to and with the one that is the last."""
        found = [self.next(timeout)]
        while not is_last(found[-1]):
            found.append(self.next(timeout))
        return found


def order(
    cl_ord_id: str, *extra: tuple[int, object], symbol: str = "BTC-USD", side: str = "1", qty: object = 10
) -> tuple[tuple[int, object], ...]:
    """The fields of a good New Order Single: limit, at 100."""
    given = {tag for tag, _ in extra}
    fields = [(11, cl_ord_id), (55, symbol), (54, side), (60, timestamp()), (38, qty), (40, "2"), (44, "100")]
    return (*(pair for pair in fields if pair[0] not in given), *extra)


def cancel(
    cl_ord_id: str,
    orig: str,
    *extra: tuple[int, object],
    symbol: str = "BTC-USD",
    side: str = "1",
    qty: object = 10,
) -> tuple[tuple[int, object], ...]:
    """The fields of a good Order Cancel Request."""
    given = {tag for tag, _ in extra}
    fields = [(11, cl_ord_id), (41, orig), (55, symbol), (54, side), (60, timestamp()), (38, qty)]
    return (*(pair for pair in fields if pair[0] not in given), *extra)


def mass(cl_ord_id: str, scope: str = "7", *extra: tuple[int, object]) -> tuple[tuple[int, object], ...]:
    """The fields of a good Order Mass Cancel Request."""
    return ((11, cl_ord_id), (530, scope), (60, timestamp()), *extra)
