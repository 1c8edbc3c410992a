"""The clients that fuzz the API: on raw sockets, because no library would send what they send.

Each says one thing, and takes what comes back: that something does, and that it is as it is documented, is
what the judge looks at.
"""

import json
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Final, Protocol

from scripts.fuzzing.api_author import Author, Call, Frame

SECONDS: Final = 15.0  # for an answer
QUIET_SECONDS: Final = 0.02  # in which an answer to half a request would be there
STATUSES: Final = frozenset({200, 307, 400, 401, 403, 404, 405, 413, 415, 421, 429, 431, 490})
CLOSE_CODES: Final = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1013})
ERRORS: Final = frozenset({0, 20, 100, 101, 104, 106})
EMS_TYPES: Final = ("MESSAGE_REJECT", "ORDER_EXEC_REPORT_UPDATE")
UPGRADE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{headers}"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ORDER_ID: Final = re.compile(r'"(?:OrderId|orderid|exchange_order_id)\\?":\s*\\?"?([1-9][0-9]*)')
_NUMBER: Final = re.compile("[0-9]+")
_HEAD_END: Final = b"\r\n\r\n"


class ApiJudge:
    """Counts answers and faults of each kind; `first` shows the first fault of a kind."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def fault(self, what: str, where: str = "") -> None:
        """Note that something is wrong; what differs in its numbers only is of one kind."""
        kind = _NUMBER.sub("0", what)
        self.faults[kind] += 1
        self.first.setdefault(kind, f"{what} {where}".rstrip())

    def json(self, data: str | bytes, where: str) -> object:
        """What JSON says; a fault when it is none."""
        try:
            return json.loads(data, parse_constant=_no_constant)
        except ValueError as error:
            self.fault(f"an answer is not JSON ({error})", f"{where}: {data[:200]!r}")
            return None


def _no_constant(name: str) -> object:
    raise ValueError(name)


class Peer(Protocol):
    """Says one thing after the other."""

    name: str
    messages: int

    def step(self) -> None:
        """Say the next thing."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class WebSocketPeer:
    """A client of a WebSocket: AlphaPoint's when there is a login to say, or EMS's."""

    def __init__(
        self, name: str, port: int, judge: ApiJudge, author: Author, *, key: str = "", user_id: int = 0
    ) -> None:
        self.name = name
        self.messages = 0
        self._port, self._judge, self._author = port, judge, author
        self._is_ems = bool(key)
        self._path = "/" if key else "/WSGateway/"
        self._headers = f"X-CoinAPI-Key: {key}\r\n" if key else ""
        self._user_id = user_id
        self._socket: socket.socket | None = None
        self._received = b""
        self._said: bytes = b""
        self._close_code: int | None = None

    def _where(self) -> str:
        return f"{self.name}, message {self.messages}: {self._said[:400]!r}"

    def _open(self) -> None:
        self.close()
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
        self._received, self._close_code = b"", None
        self._socket.sendall(UPGRADE.format(path=self._path, headers=self._headers).encode())
        while _HEAD_END not in self._received:
            self._more()
        head, _, self._received = self._received.partition(_HEAD_END)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode("latin-1"))
        if self._user_id:
            self._send(0x81, self._author.login(self._user_id))
            if (answer := self._answer()) is None or '\\"Authenticated\\":true' not in answer:
                self._judge.fault("no login", f"{self.name}: {answer}")

    def _more(self) -> None:
        assert self._socket is not None
        came = self._socket.recv(1 << 18)
        if not came:
            raise ConnectionError("closed")
        self._received += came

    def _send(self, first: int, payload: bytes, *, is_masked: bool = True) -> None:
        assert self._socket is not None
        mask = 0x80 if is_masked else 0
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", first, mask | size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", first, mask | 126, size)
        else:
            head = struct.pack(">BBQ", first, mask | 127, size)
        self._socket.sendall(head + (bytes(4) if is_masked else b"") + payload)

    def _frame(self) -> tuple[int, bytes]:
        """The next frame: its first byte and its payload. Raises OSError."""
        while True:
            data = self._received
            if len(data) >= 2:
                length, begin = data[1], 2
                if length > 125:
                    begin += 2 if length == 126 else 8
                    length = int.from_bytes(data[2:begin]) if len(data) >= begin else 1 << 40
                if len(data) >= begin + length:
                    self._received = data[begin + length :]
                    return data[0], data[begin : begin + length]
            self._more()

    def _answer(self) -> str | None:
        """The answer to what was said; None when the connection was closed instead. Raises OSError."""
        deadline = time.monotonic() + SECONDS
        while True:
            if time.monotonic() > deadline:  # although something else comes all the time
                raise TimeoutError
            first, payload = self._frame()
            if first == 0x88:
                self._close_code = int.from_bytes(payload[:2]) if payload else 1005
                return None
            if first in (0x89, 0x8A):
                if first == 0x89:
                    self._send(0x8A, payload)
                continue
            if first != 0x81:
                self._judge.fault("a frame that is no text", f"{self._where()}: {first:x} {payload[:100]!r}")
                return None
            text = payload.decode()
            if self._is_answer(text):
                self._author.order_ids += ORDER_ID.findall(text)[:1]
                del self._author.order_ids[:-50]
                return text

    def _is_answer(self, text: str) -> bool:
        """Whether this is an answer and not news; it must look like one of both."""
        judge, found = self._judge, self._judge.json(text, self._where())
        if not isinstance(found, dict):
            judge.fault("a frame is no object", f"{self._where()}: {text[:200]}")
            return True
        if self._is_ems:
            kind = found.get("type")
            if kind in EMS_TYPES:
                judge.answers[str(kind)] += 1
                # A report is an answer to a request, or news of an order: both are one frame.
                return True
            if kind not in ("SERVER_INFO", "ORDER_EXEC_REPORT_SNAPSHOT"):
                judge.fault("a frame of no documented type", f"{self._where()}: {text[:200]}")
            return False
        if sorted(found) != ["i", "m", "n", "o"] or not isinstance(found["o"], str):
            judge.fault("a frame is not of the documented form", f"{self._where()}: {text[:200]}")
            return True
        body = judge.json(found["o"], self._where())
        if found["m"] == 3:
            return False
        code = body.get("errorcode", 0) if isinstance(body, dict) else 0
        judge.answers[f"m {found['m']}, errorcode {code}"] += 1
        if found["m"] not in (1, 5) or code not in ERRORS:
            judge.fault(
                f"an answer with m {found['m']} and errorcode {code}", f"{self._where()}: {text[:300]}"
            )
        return True

    def step(self) -> None:
        """Say the next thing, and take its answer."""
        try:
            if self._socket is None:
                self._open()
        except OSError as error:
            self._judge.fault(f"cannot connect: {error}", self.name)
            time.sleep(0.2)
            return
        self.messages += 1
        if self.messages % 17 == 0:
            self._odd_frame()
            return
        frame = self._author.ems() if self._is_ems else self._author.alphapoint()
        self._say(frame)

    def _say(self, frame: Frame) -> None:
        self._said = frame.text
        try:
            for first, payload in self._author.websocket_frames(frame):
                self._send(first, payload)
            answer = self._until_probed() if self._is_ems else self._answer()
        except TimeoutError:
            self._judge.fault("no answer", self._where())
            self.close()
            return
        except OSError:
            self._judge.fault("the connection ended without a close frame", self._where())
            self.close()
            return
        if answer is None:
            self._judge.answers[f"close {self._close_code}"] += 1
            is_text = _is_utf8(frame.text)
            if self._close_code not in CLOSE_CODES or (is_text and len(frame.text) < 65_536):
                self._judge.fault(f"closed with {self._close_code}", self._where())
            self.close()

    def _until_probed(self) -> str | None:
        """The answer to a message that is always refused: an EMS answers what it accepts by reports alone."""
        probe = f"PROBE {self.messages}."
        self._send(0x81, json.dumps({"type": probe}).encode())
        while (answer := self._answer()) is not None and probe not in answer:
            pass
        return answer

    def _odd_frame(self) -> None:
        first, payload, is_masked = self._author.odd_frame()
        self._said = payload
        assert self._socket is not None
        try:
            self._send(first, payload, is_masked=is_masked)
            if first == 0x8A:  # a pong is no question
                return
            while (answer := self._answer()) is not None:
                if not self._is_ems or "MESSAGE_REJECT" in answer:  # a report may be news
                    self._judge.answers["an answer to an odd frame"] += 1
                    break
            else:
                self._judge.answers[f"close {self._close_code}"] += 1
            if self._close_code not in {*CLOSE_CODES, 1005, None}:
                self._judge.fault(
                    f"an odd frame closed with {self._close_code}", f"{first:x} {self._where()}"
                )
        except TimeoutError:
            self._judge.fault("no answer to an odd frame", f"{first:x} {self._where()}")
        except OSError:
            self._judge.answers["end without a close frame"] += 1
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class HttpPeer:
    """A client of HTTP, for all dialects."""

    def __init__(self, name: str, port: int, judge: ApiJudge, author: Author) -> None:
        self.name = name
        self.messages = 0
        self._port, self._judge, self._author = port, judge, author
        self._socket: socket.socket | None = None

    def step(self) -> None:
        """Send a request, and take its answer."""
        call = self._author.http()
        self.messages += 1
        where = f"{self.name}, message {self.messages}: {call.data[:600]!r}"
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
        except OSError as error:
            self._judge.fault(f"cannot connect: {error}", self.name)
            time.sleep(0.2)
            return
        try:
            if not call.is_whole:
                self._odd(call, where)
                return
            self._socket.sendall(call.data)
            self._take(call, where)
        except TimeoutError:
            self._judge.fault("no answer", where)
            self.close()
        except (OSError, HTTPException, ValueError) as error:
            self._judge.answers["the connection ended"] += 1
            if call.is_http:
                self._judge.fault(f"no answer but {type(error).__name__}: {error}", where)
            self.close()

    def _take(self, call: Call, where: str) -> None:
        assert self._socket is not None
        response = HTTPResponse(self._socket, method=call.method)
        response.begin()
        body = response.read()
        judge = self._judge
        judge.answers[f"HTTP {response.status}"] += 1
        if response.status not in STATUSES:
            judge.fault(f"HTTP status {response.status}", f"{where}: {body[:300]!r}")
        is_json = (response.headers.get("content-type") or "").startswith("application/json")
        is_page = response.headers.get("content-type", "").startswith("text/html") and "/docs" in call.path
        if body and call.is_http and is_json:
            found = judge.json(body, where)
            code = found.get("errorcode", 0) if isinstance(found, dict) else 0
            if code not in ERRORS:
                judge.fault(f"errorcode {code}", f"{where}: {body[:300]!r}")
            self._author.order_ids += ORDER_ID.findall(body.decode())[:1]
            del self._author.order_ids[:-50]
        elif body and call.is_http and not is_page:
            judge.fault("an answer that is not JSON", f"{where}: {body[:300]!r}")
        if response.will_close:
            self.close()

    def _odd(self, call: Call, where: str) -> None:
        """Send what is not a whole request: an answer may come, or none."""
        assert self._socket is not None
        self._socket.settimeout(QUIET_SECONDS)
        try:
            self._socket.sendall(call.data)
            self._take(call, where)
        except TimeoutError:
            self._judge.answers["no answer to half a request"] += 1
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Steady:
    """A client that behaves well: it enters an order, looks at it and cancels it, each time.

    `call` is its way to ask. `took` are the seconds of its longest wait each time.
    """

    def __init__(self, judge: ApiJudge, call: Callable[..., object], account: int, resting: int) -> None:
        self._judge, self._call, self._account = judge, call, account
        self.took: list[float] = []
        self._resting = [self._enter() for _ in range(resting)]

    def _enter(self) -> int:
        reply = self._call(
            "SendOrder",
            OMSId=1,
            AccountId=self._account,
            InstrumentId=25,
            Side=0,
            OrderType=2,
            TimeInForce=1,
            Quantity=2,
            LimitPrice=50,
        )
        order_id = reply.get("OrderId") if isinstance(reply, dict) else None
        if not isinstance(order_id, int):
            self._judge.fault("the well-behaved client cannot enter an order", repr(reply))
            return 0
        return order_id

    def step(self) -> None:
        """Enter an order, cancel it, and see that the others are as they were."""
        longest = 0.0
        number = 0
        for function in ("SendOrder", "GetOpenOrders", "CancelOrder"):
            started = time.monotonic()
            if function == "SendOrder":
                number = self._enter()
            elif function == "GetOpenOrders":
                self._look([*self._resting, number])
            else:
                reply = self._call("CancelOrder", OMSId=1, AccountId=self._account, OrderId=number)
                if not isinstance(reply, dict) or reply.get("result") is not True:
                    self._judge.fault("the well-behaved client cannot cancel", repr(reply))
            longest = max(longest, time.monotonic() - started)
        self.took.append(longest)

    def _look(self, wanted: list[int]) -> None:
        reply = self._call("GetOpenOrders", OMSId=1, AccountId=self._account)
        found = {(one["OrderId"], one["Quantity"]) for one in reply} if isinstance(reply, list) else set()
        if found != {(number, 2) for number in wanted}:
            self._judge.fault(
                f"the orders of account {self._account} are not what they were", repr(reply)[:300]
            )
