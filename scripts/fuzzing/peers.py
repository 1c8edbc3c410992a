"""The fuzzer's clients: some that misbehave, one that behaves well; none of them ever blocks."""

import socket
import time
from collections.abc import Iterator
from random import Random
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from scripts.fuzzing.author import Author
from scripts.fuzzing.judge import Answer, Judge

RECEIVE_BYTES = 1 << 18
BURST_MAX = 150  # messages sent together
MESSAGES_MAX = 600  # of a conversation
MARK_SECONDS = 0.3  # how long the answer to a burst is waited for: when numbers are in disorder there is none
SILENCES_MAX = 3  # bursts without an answer, after which the numbers will not get into order any more
FILLS = 0.98  # of the gaps that the gateway asks for are filled
LOGON_SECONDS = 15.0  # a good Logon may wait for an engine that is busy, but not for ever
LOGON_AGAIN_SECONDS = 0.05  # a Logon is refused while the gateway has not seen that the one before is gone
LOGON = b"Logon"
SAY_SECONDS = 3.0  # how long a stranger stays


class Peer:
    """A connection, made anew for each conversation; `step` is to be called again and again."""

    def __init__(self, port: int, selector: BaseSelector, judge: Judge) -> None:
        self.messages = self.connections = 0
        self.what = ""  # which conversation it is in
        self.judge = judge
        self._port = port
        self._selector = selector
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._to_send = bytearray()
        self._is_writing = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    @property
    def is_sending(self) -> bool:
        """Whether something is left to be sent."""
        return bool(self._to_send)

    def connect(self) -> None:
        """Connect, anew if need be."""
        self.close()
        self.connections += 1
        peer = socket.socket()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            peer.connect(("127.0.0.1", self._port))
        except OSError:  # whether the gateway is there at all is looked at elsewhere
            peer.close()
            return
        peer.setblocking(False)
        self._socket = peer
        self._selector.register(peer, EVENT_READ, self)

    def send(self, data: bytes) -> None:
        """Send, now or when the socket takes it."""
        self._to_send += data
        self._flush()

    def ready(self) -> None:
        """The selector says that there is something to read, or room to write."""
        self._flush()
        if self._socket is None:
            return
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.close()
            return
        self._received += received
        for answer in self.judge.take(self._received, self.what):
            self.hear(answer)

    def hear(self, answer: Answer) -> None:
        """A message has come."""

    def _flush(self) -> None:
        if self._socket is None:
            return
        try:
            while self._to_send:
                del self._to_send[: self._socket.send(self._to_send[:RECEIVE_BYTES])]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._is_writing != bool(self._to_send):
            self._is_writing = bool(self._to_send)
            self._selector.modify(self._socket, EVENT_READ | EVENT_WRITE * self._is_writing, self)

    def close(self) -> None:
        """Close the connection without a word."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket = None
        self._is_writing = False
        self._received.clear()
        self._to_send.clear()


class Attacker(Peer):
    """Logs on well, and then goes on with everything that can be wrong; conversations are numbered."""

    def __init__(self, port: int, selector: BaseSelector, judge: Judge, name: str, seed: str) -> None:
        super().__init__(port, selector, judge)
        self.name = name
        self._seed = seed
        self._conversation = 0
        self._is_logged_on = False
        self._wait_until = self._give_up_at = 0.0
        self._mark = b""
        self._said = self._silences = 0
        self.begin(1)

    def begin(self, conversation: int) -> None:
        """Begin this conversation; the next one follows it."""
        self._conversation = conversation
        self.what = f"{self.name} {self._conversation}"
        self._random = Random(f"{self._seed} {self.what}")
        self._author = Author(self._random, self.name, f"{self._seed}-{self.name[-2:]}-{self._conversation}")
        self._give_up_at = time.monotonic() + LOGON_SECONDS
        self._is_logged_on = False
        self._said = self._silences = 0

    def step(self, now: float) -> None:
        """Go on, if it is time."""
        if not self.is_connected:
            if self._is_logged_on:
                self.begin(self._conversation + 1)
                self._wait_until = now
            if now >= self._wait_until:
                self._log_on(now)
        elif self._is_logged_on and not self.is_sending and (not self._mark or now >= self._wait_until):
            self._silences = self._silences + 1 if self._mark else 0
            if self._said < MESSAGES_MAX and self._silences < SILENCES_MAX:
                self._burst(now)
            else:
                self.close()

    def _log_on(self, now: float) -> None:
        if now > self._give_up_at:
            self.judge.fault("a good Logon is not answered", self.what)
            self._give_up_at = now + LOGON_SECONDS
        self._wait_until = now + LOGON_AGAIN_SECONDS
        self.connect()
        self.send(self._author.logon())

    def _burst(self, now: float) -> None:
        parts = [] if self._said else [self._author.clear()]  # no more orders than one conversation enters
        parts += [self._author.part().data for _ in range(self._random.randint(1, BURST_MAX))]
        self._said += len(parts)
        self._mark = f"mark{self._said}".encode()
        parts.append(self._author.test_request(self._mark))
        self.messages += len(parts)
        self._wait_until = now + MARK_SECONDS
        self.send(b"".join(parts))

    def hear(self, answer: Answer) -> None:
        """Fill gaps, as an engine does; else its numbers would stay in disorder."""
        match answer.type:
            case "A":
                self._is_logged_on = True
                self._mark = b""
            case "0" if answer.get(112) == self._mark:
                self._mark = b""
            case "1":
                self.send(self._author.heartbeat(answer.get(112) or b""))
            case "2" if self._random.random() < FILLS:
                fill = self._author.fill(int(answer.get(7) or b"1"))
                self.send(fill + self._author.test_request(self._mark))  # the one before was filled over
            case _:
                pass


class Stranger(Peer):
    """Never logs on: what it says comes before a Logon, or in one that must be refused."""

    def __init__(self, port: int, selector: BaseSelector, judge: Judge, name: str, seed: str) -> None:
        super().__init__(port, selector, judge)
        self.name = name
        self._seed = seed
        self.begin(1)

    def begin(self, conversation: int) -> None:
        """Begin this conversation; the next one follows it."""
        self._conversation = conversation
        self._leave_at = 0.0

    def step(self, now: float) -> None:
        """Go on, if it is time."""
        if self.is_connected and now < self._leave_at:
            return
        self.what = f"{self.name} {self._conversation}"
        self._conversation += 1
        random = Random(f"{self._seed} {self.what}")
        self.connect()
        self._leave_at = now + SAY_SECONDS * random.random() ** 3
        for data in _strange(random):
            self.messages += 1
            self.send(data)


def _strange(random: Random) -> Iterator[bytes]:
    """What a stranger says: nothing that could be a good Logon."""
    author = Author(random, random.choice(("TRADER37", "OPERATOR1", "READER50", "NOBODY")), "s")
    wrong = random.choice((b"wrong", b"", b"\xff", b"x" * 5_000, b"x\x0135=D"))
    odd = (b"95", random.choice((b"-5", b"0", b"99999999", b"x"))), (b"96", b"x\x01y")
    match random.randrange(9):
        case 0:
            yield random.randbytes(random.choice((10, 1_000, 200_000)))
        case 1:
            yield from (author.part().data for _ in range(random.randint(1, 20)))
        case 2:
            yield author.logon(*odd, password=wrong)
        case 3:
            yield author.logon(password=wrong, number=random.choice((0, -1, 1, 1 << 31, 1 << 64)))
            yield from (author.part().data for _ in range(random.randint(0, 20)))
        case 4:
            yield author.logon(password=wrong)[: random.randrange(60)]
        case 5:
            number = random.choice((0, 1, 5, 1 << 40))
            author.number = number
            yield author.reset(random.choice((b"-1", b"0", b"1", b"%d" % (1 << 31))))
        case 6:
            yield random.choice((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))
        case 7:
            yield b"8=FIX.4.4\x019=%d\x0135=A\x01" % random.choice((1_000_000_000, 65_536, 1 << 63))
            yield b"x" * random.choice((10, 100_000))
        case _:
            yield b""


class Steady(Peer):
    """Behaves well: enters an order, cancels it, and notes how long each answer took, in seconds."""

    def __init__(self, port: int, selector: BaseSelector, judge: Judge, name: str, patience: float) -> None:
        super().__init__(port, selector, judge)
        self.took: list[float] = []
        self.what = name
        self._patience = patience
        self._author = Author(Random(name), name, "steady")
        self._asked_at = 0.0
        self._wanted = b""  # the ClOrdID(11) of what is not answered yet, or LOGON
        self._count = 0
        self._connect_at = 0.0
        self._has_complained = False

    @property
    def silent_seconds(self) -> float:
        """How long it has been waiting for an answer."""
        return time.monotonic() - self._asked_at if self._asked_at and self._wanted else 0.0

    def step(self, now: float) -> None:
        """Ask the next, or find out that an answer is missing."""
        if not self.is_connected and now >= self._connect_at:
            if self._asked_at:
                self.judge.fault("the well-behaved client was cut off")
            self._asked_at = self._asked_at or now
            self._connect_at = now + LOGON_SECONDS
            self._wanted = LOGON
            self.connect()
            self.send(self._author.logon())
        elif self.is_connected and not self._wanted:
            self._ask(now)
        elif self.silent_seconds > self._patience and not self._has_complained:
            self._has_complained = True
            self.judge.fault(f"the well-behaved client has no answer after {self._patience} s")

    def _ask(self, now: float) -> None:
        order, is_cancel = b"steady%d" % (self._count // 2), self._count % 2
        self._wanted = b"c" + order if is_cancel else order
        self._asked_at = now
        self._has_complained = False
        self._count += 1
        self.messages += 1
        self.send(self._author.cancel(self._wanted, order) if is_cancel else self._author.order(order))

    def hear(self, answer: Answer) -> None:
        """Whatever has the ClOrdID that was asked under is the answer."""
        if answer.type == "A":
            self._wanted = b""
        elif answer.type == "1":
            self.send(self._author.heartbeat(answer.get(112) or b""))
        elif answer.type in "89" and answer.get(11) == self._wanted:
            self.took.append(time.monotonic() - self._asked_at)
            self._wanted = b""
        elif answer.type in "3j":
            self.judge.fault("the well-behaved client is rejected", repr(answer.data))
