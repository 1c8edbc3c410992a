"""A load client for any FIX 4.4 acceptor: a raw socket, messages encoded beforehand, no FIX engine.

Every contestant of the benchmark faces this same client. As a library: `log_on`, then build messages with the
session, then `throughput` or `round_trips`. As a program (`python client.py --help`) it runs in a process of
its own, so that it shares no interpreter with what it measures, and prints one line of JSON.
"""

import argparse
import json
import select
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

SOH: Final = b"\x01"
BEGIN: Final = b"8=FIX.4.4\x019="
CHECKSUM: Final = b"\x0110="
CHECKSUM_VALUE_BYTES: Final = len(b"000\x01")

EXECUTION_REPORT: Final = b"\x0135=8\x01"
"""Marks a message as an answer: what `throughput` and `round_trips` count unless told otherwise."""

CANCELED: Final = b"\x0139=4\x01"
"""Marks the final report of a canceled order, for acceptors that report Pending Cancel first."""

HEARTBEAT: Final = b"\x0135=0\x01"

RECEIVE_BYTES: Final = 1 << 18
TIMEOUT_SECONDS: Final = 30.0
SENDING_TIME_GOOD_FOR_SECONDS: Final = 120
"""QuickFIX's MaxLatency: a message built longer ago than that is rejected, so build just before sending."""

Fields = Iterable[tuple[int, object]]


class UnexpectedAnswerError(Exception):
    """The acceptor said something that spoils the measurement; the text shows it, with | for SOH."""

    def __init__(self, what: str, message: bytes) -> None:
        super().__init__(f"{what}: {message.replace(SOH, b'|').decode('ascii', 'replace')}")


@dataclass(frozen=True, slots=True)
class Throughput:
    """How long `messages` requests took, from the first byte sent to the last answer received."""

    messages: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def microseconds_each(self) -> float:
        return self.seconds / self.messages * 1e6


def utc_now() -> str:
    """The time as SendingTime(52) and TransactTime(60) want it, to the millisecond."""
    return datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


def encode(msg_type: str, seq_num: int, sender: str, target: str, fields: Fields, sending_time: str) -> bytes:
    """One message, BodyLength and CheckSum included."""
    body = f"35={msg_type}\x0134={seq_num}\x0149={sender}\x0152={sending_time}\x0156={target}\x01" + "".join(
        f"{tag}={value}\x01" for tag, value in fields
    )
    message = f"8=FIX.4.4\x019={len(body)}\x01{body}".encode("ascii")
    return b"%b10=%03d\x01" % (message, sum(message) % 256)


class Session:
    """One logged-on session: numbers and encodes what is sent, cuts what is received into whole messages.

    Messages must be sent in the order in which they were built, each once: building one takes its MsgSeqNum.
    """

    def __init__(self, connection: socket.socket, sender: str, target: str, next_seq_num: int) -> None:
        self.connection = connection
        self.sender = sender
        self.target = target
        self.next_seq_num = next_seq_num
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.log_out()
        finally:
            self.connection.close()

    def build(self, msg_type: str, fields: Fields, sending_time: str | None = None) -> bytes:
        """Encode a message of any type under the next MsgSeqNum."""
        message = encode(
            msg_type, self.next_seq_num, self.sender, self.target, fields, sending_time or utc_now()
        )
        self.next_seq_num += 1
        return message

    def new_order_single(
        self, cl_ord_id: str, *, symbol: str = "BTC-USD", account: str | None = None, now: str | None = None
    ) -> bytes:
        """NewOrderSingle(D): buy 1 at a limit of 1, good till canceled."""
        now = now or utc_now()
        fields: list[tuple[int, object]] = [(11, cl_ord_id)]
        if account is not None:
            fields.append((1, account))
        fields += [(55, symbol), (54, 1), (60, now), (38, 1), (40, 2), (44, 1), (59, 1)]
        return self.build("D", fields, now)

    def order_cancel_request(
        self, cl_ord_id: str, orig_cl_ord_id: str, *, symbol: str = "BTC-USD", now: str | None = None
    ) -> bytes:
        """OrderCancelRequest(F) for an order that `new_order_single` entered."""
        now = now or utc_now()
        fields = [(41, orig_cl_ord_id), (11, cl_ord_id), (55, symbol), (54, 1), (60, now), (38, 1)]
        return self.build("F", fields, now)

    def order_mass_cancel_request(self, cl_ord_id: str, *, now: str | None = None) -> bytes:
        """OrderMassCancelRequest(q) with MassCancelRequestType(530)=7: all orders in the session's scope."""
        now = now or utc_now()
        return self.build("q", [(11, cl_ord_id), (530, 7), (60, now)], now)

    def send(self, message: bytes) -> None:
        self.connection.sendall(message)

    def receive(self) -> bytes:
        """The whole messages, one or more, that have come; waits for the first.

        Raises TimeoutError when none comes for TIMEOUT_SECONDS, ConnectionError when the acceptor hangs up.
        """
        while True:
            came = self.connection.recv(RECEIVE_BYTES)
            if not came:
                raise ConnectionError("the acceptor closed the connection")
            self._received += came
            last = self._received.rfind(CHECKSUM, 0, len(self._received) - CHECKSUM_VALUE_BYTES)
            if last >= 0:
                end = last + len(CHECKSUM) + CHECKSUM_VALUE_BYTES
                whole, self._received = self._received[:end], self._received[end:]
                return whole

    def receive_idle(self, seconds: float) -> list[bytes]:
        """What comes within that time, for a session at rest between measurements; answers TestRequests."""
        deadline = time.monotonic() + seconds
        came: list[bytes] = []
        while (left := deadline - time.monotonic()) > 0 and select.select([self.connection], [], [], left)[0]:
            for message in messages_in(self.receive()):
                if (test_req_id := value_of(message, 112)) is not None and b"\x0135=1\x01" in message:
                    self.send(self.build("0", [(112, test_req_id)]))
                came.append(message)
        return came

    def log_out(self) -> None:
        """Say Logout(5), wait for the reply."""
        self.send(self.build("5", ()))
        while b"\x0135=5\x01" not in self.receive():
            pass


def messages_in(whole: bytes) -> list[bytes]:
    """Cut whole messages apart."""
    return [BEGIN + rest for rest in whole.split(BEGIN)[1:]]


def value_of(message: bytes, tag: int) -> str | None:
    """The first value of a field, None when the message has no such field."""
    _, found, rest = message.partition(b"\x01%d=" % tag)
    return rest.partition(SOH)[0].decode("ascii", "replace") if found else None


def log_on(
    port: int,
    sender: str,
    target: str,
    username: str | None = None,
    password: str | None = None,
    heartbeat: int = 30,
    *,
    reset: bool = True,
    next_seq_num: int = 1,
    host: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
) -> Session:
    """Connect and log on; heartbeat in seconds; without `reset`, `next_seq_num` is the Logon's MsgSeqNum.

    With a `context` the connection is TLS.

    Raises UnexpectedAnswerError when the answer is not a Logon, ConnectionError when there is none.
    """
    connection = socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        connection = context.wrap_socket(connection, server_hostname=host)
    session = Session(connection, sender, target, next_seq_num)
    fields: list[tuple[int, object]] = [(98, 0), (108, heartbeat)]
    if reset:
        fields.append((141, "Y"))
    if username is not None:
        fields.append((553, username))
    if password is not None:
        fields.append((554, password))
    try:
        session.send(session.build("A", fields))
        answer = session.receive()
        if b"\x0135=A\x01" not in answer:
            raise UnexpectedAnswerError("no Logon", answer)
    except BaseException:
        connection.close()
        raise
    return session


def count_answers(whole: bytes, answer: bytes, also_expected: Sequence[bytes]) -> int:
    """How many of these messages are answers; raises UnexpectedAnswerError on one that nobody expects."""
    answers = whole.count(answer)
    if answers != whole.count(CHECKSUM):  # rare enough to look at each
        for message in messages_in(whole):
            if not any(mark in message for mark in (answer, HEARTBEAT, *also_expected)):
                raise UnexpectedAnswerError("not an answer", message)
    return answers


def throughput(
    session: Session,
    messages: Sequence[bytes],
    *,
    window: int = 200,
    answer: bytes = EXECUTION_REPORT,
    also_expected: Sequence[bytes] = (),
) -> Throughput:
    """Send built messages with at most `window` unanswered, until each has its answer.

    An answer is a message that contains the bytes `answer`, exactly one per request. Any other message but a
    Heartbeat and those that contain one of `also_expected` raises UnexpectedAnswerError. Keep the window at
    1,000 or below: more may not fit the sockets' buffers, and a peer that stops reading until it is read
    would block both.
    """
    sent = answered = 0
    started = time.perf_counter()
    while answered < len(messages):
        if room := window - (sent - answered):
            session.send(b"".join(messages[sent : sent + room]))
            sent = min(sent + room, len(messages))
        answered += count_answers(session.receive(), answer, also_expected)
    seconds = time.perf_counter() - started
    if answered > len(messages):
        raise RuntimeError(f"{len(messages)} requests got {answered} answers")
    return Throughput(len(messages), seconds)


def round_trips(
    session: Session,
    messages: Sequence[bytes],
    *,
    answer: bytes = EXECUTION_REPORT,
    also_expected: Sequence[bytes] = (),
) -> list[float]:
    """Send built messages one by one, each after the answer to the one before; the seconds that each took."""
    took: list[float] = []
    for message in messages:
        started = time.perf_counter()
        session.send(message)
        while not count_answers(session.receive(), answer, also_expected):
            pass
        took.append(time.perf_counter() - started)
    return took


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def warm_up_and_measure(session: Session, arguments: argparse.Namespace) -> dict[str, object]:
    """Enter orders if asked, then cancel: a warm-up, then at full speed, then one by one."""
    answer = CANCELED if arguments.enter else EXECUTION_REPORT
    expected = (EXECUTION_REPORT,) if arguments.enter else ()
    counts = (arguments.warm_up, arguments.messages, arguments.round_trips)
    measured: dict[str, object] = {}
    ids = [f"{time.time_ns():x}-{number}" for number in range(sum(counts))]
    if arguments.enter:
        now = utc_now()
        orders = [
            session.new_order_single(cl_ord_id, account=arguments.account, now=now) for cl_ord_id in ids
        ]
        entered = throughput(session, orders, window=arguments.window)
        measured["enter"] = {**asdict(entered), "per_second": entered.per_second}

    def cancels(first: int, count: int) -> list[bytes]:
        now = utc_now()
        return [
            session.order_cancel_request(f"c{orig_cl_ord_id}", orig_cl_ord_id, now=now)
            for orig_cl_ord_id in ids[first : first + count]
        ]

    throughput(session, cancels(0, counts[0]), window=arguments.window, answer=answer, also_expected=expected)
    fast = throughput(
        session, cancels(counts[0], counts[1]), window=arguments.window, answer=answer, also_expected=expected
    )
    measured["cancel"] = {**asdict(fast), "per_second": fast.per_second}
    if counts[2]:
        took = round_trips(
            session, cancels(counts[0] + counts[1], counts[2]), answer=answer, also_expected=expected
        )
        measured["round_trip_microseconds"] = {
            f"p{percent:g}": round(percentile(took, percent) * 1e6, 1) for percent in (50, 90, 99, 99.9, 100)
        }
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sender", default="TRADER37", help="the client's own CompID")
    parser.add_argument("--target", default="FIXGW", help="the acceptor's CompID")
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--heartbeat", type=int, default=30, help="seconds")
    parser.add_argument("--account", help="Account(1) of the orders entered")
    parser.add_argument("--enter", action="store_true", help="enter the orders first that are then canceled")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--warm-up", type=int, default=1_000)
    parser.add_argument("--round-trips", type=int, default=0)
    parser.add_argument("--window", type=int, default=200, help="requests in flight at most")
    arguments = parser.parse_args()
    with log_on(
        arguments.port,
        arguments.sender,
        arguments.target,
        arguments.username,
        arguments.password,
        arguments.heartbeat,
    ) as session:
        measured = warm_up_and_measure(session, arguments)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
