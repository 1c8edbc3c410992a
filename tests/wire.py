"""A FIX client on a raw socket with simplefix: not QuickFIX, so that an engine's bug cannot hide."""

import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import NamedTuple

import simplefix

from fixgw.fix.dictionary import Dictionary, Layout, load

Fields = dict[str, str]
Pairs = Iterable[tuple[int, object]]

ADMIN = frozenset(["0", "1", "2", "3", "4", "5", "A"])
ECHOES = 5  # times that a TestRequest is sent, within PATIENCE
PATIENCE = 10.0  # seconds; an answer that is not there by then is missing
STOCK = load(Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml")  # all that a stock client knows

_ids = count(1)


def fresh(prefix: str = "x") -> str:
    """A client order id that no test has used before."""
    return f"{prefix}{next(_ids)}"


class Message:
    """A received message: the fields in order, and the first value of each tag."""

    def __init__(self, message: simplefix.FixMessage) -> None:
        self.pairs = [(int(tag), value.decode("utf-8", "surrogateescape")) for tag, value in message.pairs]
        self.raw = message.encode(raw=True).decode("utf-8", "surrogateescape")

    def __getitem__(self, tag: int) -> str:
        found = self.get(tag)
        if found is None:
            raise KeyError(f"{tag} in {self}")
        return found

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


class Resting(NamedTuple):
    """An order that a client entered: its ClOrdID(11) and its OrderID(37)."""

    cl_ord_id: str
    order_id: str


class Client:
    """One session; `sent` and `expected` are its next MsgSeqNums, which outlive a connection.

    Every message that it receives is validated against `dictionary`: the stock one, as long as nobody gives
    the client another.
    """

    def __init__(
        self,
        port: int,
        name: str,
        *,
        target: str = "FIXGW",
        password: str | None = None,
        dictionary: Dictionary = STOCK,
    ) -> None:
        self.port = port
        self.dictionary = dictionary
        self.name = name
        self.target = target
        self.username = name
        self.password = f"{name.lower()}-demo" if password is None else password
        self.sent = 1
        self.expected = 1
        self.history: dict[int, tuple[str, tuple[tuple[int, object], ...], str]] = {}
        self.address = "127.0.0.1"  # its own; QuickFIX takes connections from no other
        self.wants_old = False  # what an earlier test left undelivered comes with PossResend(97)=Y
        self._asked_from = 0
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect, without a Logon."""
        self.close()
        self._asked_from = 0
        self._socket = socket.create_connection(
            ("127.0.0.1", self.port), timeout=PATIENCE, source_address=(self.address, 0)
        )
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
                if found.type == "2":  # is answered at once: it does not come again
                    self._fill_gap(int(found[7]))
                if self._asked_from != self.expected:
                    self._asked_from = self.expected
                    self.send("2", (7, self.expected), (16, 0))
                if found.type == "A":
                    return found
                continue
            self.expected += 1
            if found.get(97) == "Y" and not self.wants_old:
                continue
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
        found = Message(message)
        problems = [*self.dictionary.validate(found.raw), *_wrong_sums(found)]
        assert not problems, f"{problems} in {found}"
        return found

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
        """Assert that nothing but answers to TestRequests comes: nothing else is on its way."""
        found = self.drain()
        assert not found, f"unexpected {found}"

    def expect(self, wanted: str) -> Message:
        """The next application message (or Reject, Logout), which must be as `wanted` says it.

        `wanted` is the MsgType and fields, as `8|150=4|41=|58=Not Authorized*`: a tag without a value must be
        absent, and a value that ends in `*` must begin with what stands before it.
        """
        message = self.next()
        wrong = _mismatches(message, wanted)
        assert not wrong, f"{', '.join(wrong)} in {message}"
        return message

    def _receive_or_ask_again(self, word: str) -> Message:
        """The next message. A TestRequest that came in the middle of a resend may be filled by a gap."""
        for _ in range(ECHOES):
            with suppress(TimeoutError):
                return self.receive(PATIENCE / ECHOES)
            self.send("1", (112, word))
        return self.receive()

    def drain(self) -> list[Message]:
        """Application messages (and Rejects) that are on their way, up to the answer to a second TestRequest.

        A session message is answered before the application messages that came in together with it, so the
        answer to one TestRequest does not say that theirs have been sent; but then they are sent at once.
        """
        found: list[Message] = []
        for word in ("first", "second"):
            self.send("1", (112, word))
            while (message := self._receive_or_ask_again(word)).get(112) != word:
                if message.type not in ADMIN or message.type in "35":
                    found.append(message)
        return found

    def rest(
        self, *extra: tuple[int, object], symbol: str = "BTC-USD", side: str = "1", qty: object = 10
    ) -> Resting:
        """Enter an order as `order` makes it, under a fresh id; it must be accepted."""
        cl_ord_id = fresh("o")
        self.send("D", *order(cl_ord_id, *extra, symbol=symbol, side=side, qty=qty))
        return Resting(cl_ord_id, self.expect(f"8|150=0|11={cl_ord_id}")[37])

    def until(self, is_last: Callable[[Message], bool], timeout: float = PATIENCE) -> list[Message]:
        """Application messages up to and with the one that is the last."""
        found = [self.next(timeout)]
        while not is_last(found[-1]):
            found.append(self.next(timeout))
        return found


def _wrong_sums(message: Message) -> list[str]:
    """What does not add up in an ExecutionReport (FIX 4.4 volume 4: LeavesQty = OrderQty - CumQty)."""
    if message.type != "8" or 38 not in message:
        return []
    order_qty, leaves_qty, cum_qty = (Decimal(message[tag]) for tag in (38, 151, 14))
    is_open = message[39] in "016A"
    wrong = []
    if leaves_qty != (order_qty - cum_qty if is_open else 0):
        wrong.append("LeavesQty is not what is left")
    if cum_qty > order_qty or (message[39] == "2") != (cum_qty == order_qty):
        wrong.append("CumQty does not go with OrderQty and OrdStatus")
    if (message[39] == "1" and not cum_qty) or (message[39] == "0" and cum_qty):
        wrong.append("CumQty does not go with OrdStatus")
    if bool(Decimal(message[6])) != bool(cum_qty):
        wrong.append("AvgPx does not go with CumQty")
    return wrong


def _mismatches(message: Message, wanted: str) -> list[str]:
    msg_type, *parts = wanted.split("|")
    wrong = [] if message.type == msg_type else [f"MsgType is not {msg_type}"]
    for part in parts:
        tag, _, value = part.partition("=")
        found = message.get(int(tag))
        if value.endswith("*"):
            good = found is not None and found.startswith(value[:-1])
        else:
            good = found == (value or None)
        if not good:
            wrong.append(f"{tag} is {found}, not {value or 'absent'}")
    return wrong


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


def without(fields: Pairs, *tags: int) -> tuple[tuple[int, object], ...]:
    """`fields` without those of `tags`."""
    return tuple(pair for pair in fields if pair[0] not in tags)


def user(user_id: object, oms_id: object = None) -> tuple[tuple[int, object], ...]:
    """The Parties that name a user, and an OMS if one is given."""
    named = [(user_id, "11")] + ([] if oms_id is None else [(oms_id, "16")])
    entries = [((448, party), (447, "D"), (452, role)) for party, role in named]
    return ((453, len(named)), *(pair for entry in entries for pair in entry))


def sample(dictionary: Dictionary, tag: int) -> str:
    """A value that the field may hold."""
    field = dictionary.fields[tag]
    if field.values:
        return next(iter(field.values))
    by_type = {
        "UTCTIMESTAMP": timestamp(),
        "UTCTIMEONLY": "12:00:00",
        "UTCDATEONLY": "20240229",
        "LOCALMKTDATE": "20240229",
        "MONTHYEAR": "202402",
        "BOOLEAN": "N",
        "CURRENCY": "USD",
        "COUNTRY": "US",
    }
    return by_type.get(field.type, "1")


def least(
    dictionary: Dictionary,
    layout: Layout,
    wanted: int | None = None,
    value: str | None = None,
    *,
    entry: bool = False,
) -> list[tuple[int, str]]:
    """The least that `layout` must hold, and the field `wanted` with `value`, inside its groups if need be.

    `value` is by default one that the field may hold; `entry` is for a group's entry, which begins with its
    delimiter.
    """
    needed = set(layout.required)
    needed |= {choice[0] for choice in layout.choices if needed.isdisjoint(choice)}
    if wanted in layout.tags:
        needed.add(wanted)
    else:
        needed |= {tag for tag, group in layout.groups.items() if wanted in group.all_tags()}
    first = {layout.first} if entry else set()
    found: list[tuple[int, str]] = []
    for tag in (*first, *sorted(needed - first)):
        if tag in layout.groups:
            found += [(tag, "1"), *least(dictionary, layout.groups[tag], wanted, value, entry=True)]
        elif tag == wanted and value is not None:
            found.append((tag, value))
        else:
            found.append((tag, sample(dictionary, tag)))
    return found


def holding(
    dictionary: Dictionary, msg_type: str, tag: int, value: str | None = None
) -> tuple[tuple[int, str], ...]:
    """What makes a message of this type hold the field `tag`: the field alone, or the group around it."""
    layout = dictionary.layout(msg_type)
    count_tag = tag if tag in layout.groups else None
    for candidate, group in layout.groups.items():
        if tag in group.all_tags():
            count_tag = candidate
    if count_tag is None:
        return ((tag, sample(dictionary, tag) if value is None else value),)
    return ((count_tag, "1"), *least(dictionary, layout.groups[count_tag], tag, value, entry=True))
