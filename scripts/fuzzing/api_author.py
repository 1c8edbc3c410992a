"""What is said to the API: requests of every dialect, good ones and others.

What is said depends on the random numbers alone.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple
from urllib.parse import quote

from scripts.fuzzing.api_spoil import (
    KEYS,
    MESSAGE_BYTES_MAX,
    NUMBERS,
    TEXTS,
    Pairs,
    Spoiler,
    in_text,
    members,
    text,
)

USER, KEY, SECRET, USER_ID = "trader38", "key38", "secret38", 38
READER, READER_KEY, READER_ID = "reader50", "key50", 50
WRONG_SHARE = 0.75  # of the requests; the others are good


class Frame(NamedTuple):
    """A frame's text, and whether what is in it may end the connection."""

    text: bytes
    is_fatal: bool = False


class Call(NamedTuple):
    """An HTTP request, whole or not. An answer may be missing only where the request is not whole."""

    data: bytes
    method: str
    path: str
    is_whole: bool = True
    is_http: bool = True


class Author:
    """Writes one thing after the other. `new_id` is told the ids of orders that came back."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._spoiler = Spoiler(random)
        self._count = 0
        self.order_ids: list[str] = ["1"]
        self.token = ""
        self.reader_token = ""

    # AlphaPoint

    def _functions(self) -> dict[str, Pairs]:
        """Each function of AlphaPoint with a good body."""
        order_id = self._random.choice(self.order_ids)
        order: Pairs = [
            ("InstrumentId", "25"),
            ("OMSId", "1"),
            ("AccountId", "14"),
            ("TimeInForce", "1"),
            ("ClientOrderId", self._number()),
            ("OrderIdOCO", "0"),
            ("UseDisplayQuantity", "false"),
            ("Side", "0"),
            ("Quantity", "1.5"),
            ("OrderType", "2"),
            ("PegPriceType", "3"),
            ("LimitPrice", "100"),
        ]
        which: Pairs = [("OMSId", "1"), ("AccountId", "14"), ("OrderId", order_id)]
        of_account: Pairs = [("OMSId", "1"), ("AccountId", "14")]
        signature = self._signature(KEY, SECRET, USER_ID)
        password: Pairs = [("UserName", text(USER)), ("Password", text(f"{USER}-wrong"))]
        if self._random.random() < 0.98:  # a password takes its time
            password = [("SessionToken", text(self._random.choice([self.token, "wrong"])))]
        return {
            "Ping": [],
            "GetProducts": [("OMSId", "1")],
            "GetInstruments": [("OMSId", "1")],
            "GetUserAccounts": [("OMSId", "1"), ("UserId", str(USER_ID))],
            "GetAccountInfo": of_account,
            "SendOrder": order,
            "CancelOrder": which,
            "CancelAllOrders": [*of_account, ("UserId", str(USER_ID)), ("InstrumentId", "25")],
            "CancelReplaceOrder": which,
            "GetOpenOrders": of_account,
            "GetOrderStatus": which,
            "GetOrdersHistory": [*of_account, ("Depth", "10")],
            "SubscribeAccountEvents": of_account,
            "UnsubscribeAccountEvents": of_account,
            "GetEnums": [],
            "AuthenticateUser": signature,
            "WebAuthenticateUser": password,
            "NoSuchFunction": of_account,
        }

    def _signature(self, key: str, secret: str, user_id: int) -> Pairs:
        nonce = str(self._random.getrandbits(60))
        signed = hmac.new(secret.encode(), f"{nonce}{user_id}{key}".encode(), hashlib.sha256).hexdigest()
        values = {"APIKey": key, "Signature": signed, "UserId": str(user_id), "Nonce": nonce}
        return [(name, text(value)) for name, value in values.items()]

    def login(self, user_id: int) -> bytes:
        """The frame that logs in this user of the reference configuration."""
        body = members(self._signature(f"key{user_id}", f"secret{user_id}", user_id))
        return members(
            [("m", "0"), ("i", "0"), ("n", text("AuthenticateUser")), ("o", in_text(body))]
        ).encode()

    def alphapoint(self) -> Frame:
        """A frame of AlphaPoint."""
        name, body = self._random.choice(list(self._functions().items()))
        if not self._is_wrong():
            return Frame(self._outer(name, in_text(members(body))))
        if self._random.random() < 0.6:
            return Frame(self._spoiler.cut(self._outer(name, in_text(self._spoiler.wrong(body)))))
        pairs: Pairs = [("m", "0"), ("i", self._number()), ("n", text(name)), ("o", in_text(members(body)))]
        place = self._random.randrange(len(pairs))
        pairs[place] = (pairs[place][0], self._odd_frame_value(pairs[place][0], body))
        return Frame(self._spoiler.cut(self._spoiler.wrong(pairs).encode("utf-8", "surrogatepass")))

    def _odd_frame_value(self, key: str, body: Pairs) -> str:
        if key == "o":
            whole = members(body)
            return self._random.choice(
                [whole, in_text(in_text(whole)), text(""), "null", text("{"), self._spoiler.value()]
            )
        if key == "n":
            return self._random.choice(
                [text("ping"), text("CANCELALLORDERS"), text("x" * 50_000), self._spoiler.value()]
            )
        return self._random.choice([str(self._random.randrange(-3, 12)), self._spoiler.value()])

    def _outer(self, name: str, body: str) -> bytes:
        kind = "2" if name == "SubscribeAccountEvents" else "4" if name == "UnsubscribeAccountEvents" else "0"
        frame = members([("m", kind), ("i", self._number()), ("n", text(name)), ("o", body)])
        return frame.encode("utf-8", "surrogatepass")

    # EMS over its WebSocket

    def ems(self) -> Frame:
        """A frame of the EMS's WebSocket."""
        kind, (_, body) = self._random.choice(
            list(
                zip(
                    ("ORDER_NEW_SINGLE_REQUEST", "ORDER_CANCEL_SINGLE_REQUEST", "ORDER_CANCEL_ALL_REQUEST"),
                    self._ems_calls(),
                    strict=True,
                )
            )
        )
        pairs: Pairs = [("type", text(kind)), *body]
        if not self._is_wrong():
            return Frame(members(pairs).encode())
        return Frame(self._spoiler.cut(self._spoiler.wrong(pairs).encode("utf-8", "surrogatepass")))

    def _ems_calls(self) -> list[tuple[str, Pairs]]:
        new: Pairs = [
            ("exchange_id", text("SANDBOX")),
            ("client_order_id", text(f"e{self._number()}")),
            ("symbol_id_exchange", text("BTC-USD")),
            ("amount_order", "0.5"),
            ("price", "100.25"),
            ("side", text("BUY")),
            ("order_type", text("LIMIT")),
            ("time_in_force", text("GOOD_TILL_CANCEL")),
        ]
        order_id = self._random.choice(self.order_ids)
        one: Pairs = [("exchange_id", text("SANDBOX/14")), ("exchange_order_id", text(order_id))]
        return [
            ("/v1/orders", new),
            ("/v1/orders/cancel", one),
            ("/v1/orders/cancel/all", [("exchange_id", text("SANDBOX/14"))]),
        ]

    # HTTP

    def http(self) -> Call:
        """An HTTP request of any dialect, or something like one."""
        path, body, query = self._random.choice(self._calls)()
        if self._random.random() < 0.1:
            return self._odd_http(path)
        method = "GET" if query and not body else "POST"
        said = members(body)
        headers = self._headers(path)
        if self._is_wrong():
            said = self._spoiler.wrong(body)
            if query:
                place = self._random.randrange(len(query))
                query[place] = query[place][0], self._random.choice([*NUMBERS, *TEXTS])[:8_000]
            for _ in range(self._random.randrange(3)):
                method, path = self._odd(method, path, query, headers)
        data = said.encode("utf-8", "surrogatepass") if method != "GET" else b""
        if data and self._random.random() < 0.1:
            data = self._spoiler.odd_bytes(said)
        target = path + ("?" + "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in query) if query else "")
        headers.append(("Content-Length", str(len(data))))
        return Call(_head(method, target, headers) + data, method, path)

    @property
    def _calls(self) -> list[Callable[[], tuple[str, Pairs, Pairs]]]:
        return [self._alphapoint_call, self._alphapoint_call, self._ems_call, self._openalgo_call]

    def _alphapoint_call(self) -> tuple[str, Pairs, Pairs]:
        name, body = self._random.choice([*self._functions().items(), ("Authenticate", [])])
        path = self._random.choice(["/AP/", "/ap/"]) + name
        if self._random.random() < 0.4:
            return path, [], [(key, value.strip('"')) for key, value in body]
        return path, body, []

    def _ems_call(self) -> tuple[str, Pairs, Pairs]:
        if self._random.random() < 0.3:
            return "/v1/orders", [], [("exchange_id", "SANDBOX")]
        if self._random.random() < 0.3:
            value = self._random.choice([*TEXTS, "e1", "e2"])
            return (
                f"/v1/orders/status/{quote(value.encode('utf-8', 'surrogatepass'), safe='')[:8_000]}",
                [],
                [("x", "1")][:0],
            )
        path, body = self._random.choice(self._ems_calls())
        return path, body, []

    def _openalgo_call(self) -> tuple[str, Pairs, Pairs]:
        strategy = ("strategy", text("S1"))
        order_id = ("orderid", text(self._random.choice(self.order_ids)))
        order: Pairs = [
            strategy,
            ("exchange", text("SANDBOX")),
            ("symbol", text("BTC-USD")),
            ("action", text("BUY")),
            ("quantity", text("2")),
            ("pricetype", text("LIMIT")),
            ("product", text("MIS")),
            ("price", text("100")),
        ]
        calls: list[tuple[str, Pairs]] = [
            ("placeorder", order),
            ("cancelorder", [strategy, order_id]),
            ("cancelallorder", [strategy]),
            ("orderbook", []),
            ("orderstatus", [strategy, order_id]),
        ]
        name, body = self._random.choice(calls)
        key = self._random.choice([KEY, KEY, READER_KEY, "wrong"])
        return f"/api/v1/{name}", [("apikey", text(key)), *body], []

    def _headers(self, path: str) -> Pairs:
        headers: Pairs = [("Host", "127.0.0.1"), ("Content-Type", "application/json")]
        if path.lower().startswith("/ap/"):
            basic = base64.b64encode(f"{USER}:{USER}-wrong".encode()).decode()
            headers += self._random.choice(
                [
                    [("APToken", self.token)],
                    [("APToken", self.token)],
                    [("APToken", self.reader_token)],
                    [("APToken", "wrong")],
                    [("Authorization", f"Basic {basic}" if self._random.random() < 0.02 else "Basic x")],
                    [("Nonce", "1"), ("APIKey", KEY), ("Signature", "0" * 64), ("UserId", "38")],
                    [],
                ]
            )
        elif path.startswith("/v1/"):
            headers += self._random.choice([[("X-CoinAPI-Key", KEY)], [("X-CoinAPI-Key", READER_KEY)], []])
        return headers

    def _odd(self, method: str, path: str, query: Pairs, headers: Pairs) -> tuple[str, str]:
        """Change something about a request that is whole all the same."""
        what = self._random.randrange(8)
        if what == 0:
            method = self._random.choice(
                ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"]
            )
        elif what == 1:
            tails = ["/", "//", "/x", "%00", "%2e%2e/", ";x", ".json", "%ff", "%", "\u00e9"]
            path += self._random.choice(tails).encode().decode("latin-1")
        elif what == 2:
            path = self._random.choice(
                ["/", "//", "/AP", "/AP/", "/v1", "/api/v1/", "/x", "/docs", "/openapi.json", path.upper()]
            )
        elif what == 3:
            query.append((self._random.choice(KEYS), self._random.choice([*NUMBERS, *TEXTS])[:8_000]))
        elif what == 4:
            types = [
                "",
                "text/plain",
                "application/json; charset=utf-16",
                "application/xml",
                "multipart/form-data",
                "x" * 2_000,
            ]
            headers[1] = "Content-Type", self._random.choice(types)
        elif what == 5:
            names = [
                "APToken",
                "X-CoinAPI-Key",
                "Authorization",
                "Nonce",
                "UserId",
                "Signature",
                "Cookie",
                "Origin",
                "X",
            ]
            values = [
                "",
                "Basic",
                "Basic x",
                "Basic " + "A" * 3_000,
                "Basic OjpA/w==",
                "Bearer x",
                "\u00ff",
                "9" * 5_000,
                "x" * 9_000,
            ]
            headers.append((self._random.choice(names), self._random.choice(values)))
        elif what == 6:
            headers.append(("Content-Encoding", self._random.choice(["gzip", "br", "identity", "x"])))
        else:
            headers.append(("Expect", "100-continue"))
        return method, path

    def _odd_http(self, path: str) -> Call:
        """What is no request, or not a whole one."""
        host = "Host: 127.0.0.1\r\n"
        good = f"POST {path} HTTP/1.1\r\n{host}Content-Type: application/json\r\n"
        odd = [
            (f"{good}Content-Length: 100\r\n\r\n{{", False, True),
            (f"{good}Content-Length: -1\r\n\r\n", True, False),
            (f"{good}Content-Length: 1e3\r\n\r\n", True, False),
            (f"{good}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}", False, False),
            (f"{good}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n", True, True),
            (f"{good}Transfer-Encoding: chunked\r\n\r\nzz\r\n", False, False),
            (f"{good}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", False, False),
            (f"{good}Transfer-Encoding: x\r\nContent-Length: 2\r\n\r\n{{}}", False, False),
            (f"{good}Content-Length: {MESSAGE_BYTES_MAX + 1}\r\n\r\n", False, True),
            (f"{good}Content-Length: {10**18}\r\n\r\n", False, True),
            (f"POST {path} HTTP/9.9\r\n{host}\r\n", False, False),
            (f"POST  {path}\r\n\r\n", False, False),
            (f"GET {'/x' * 40_000} HTTP/1.1\r\n{host}\r\n", False, False),
            (f"GET / HTTP/1.1\r\n{host}X: {'y' * 100_000}\r\n\r\n", False, False),
            (
                "GET / HTTP/1.1\r\n" + "".join(f"X{number}: y\r\n" for number in range(5_000)) + "\r\n",
                False,
                False,
            ),
            (
                "GET /WSGateway/ HTTP/1.1\r\n" + host + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                False,
                False,
            ),
            ("GET /WSGateway/ HTTP/1.1\r\n" + host + "\r\n", True, True),
            (self._random.randbytes(200).decode("latin-1"), False, False),
            ("\r\n\r\n", False, False),
            ("\x16\x03\x01\x02\x00\x01", False, False),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False, False),
        ]
        said, is_whole, is_http = self._random.choice(odd)
        return Call(said.encode("latin-1"), "POST", path, is_whole, is_http)

    # What can be wrong

    def _is_wrong(self) -> bool:
        return self._random.random() < WRONG_SHARE

    def _number(self) -> str:
        self._count += 1
        return str(self._count)

    # Frames below the text

    def websocket_frames(self, frame: Frame) -> Iterator[tuple[int, bytes]]:
        """The first byte and payload of each WebSocket frame that carries `frame`, now and then in parts."""
        if self._random.random() < 0.9 or len(frame.text) < 3:
            yield 0x81, frame.text
            return
        middle = self._random.randrange(1, len(frame.text))
        yield 0x01, frame.text[:middle]
        if self._random.random() < 0.5:
            yield 0x89, b"ping"
        yield 0x80, frame.text[middle:]

    def odd_frame(self) -> tuple[int, bytes, bool]:
        """A WebSocket frame that is not to be sent: its first byte, its payload, whether it is masked."""
        return self._random.choice(
            [
                (0x82, b'{"m":0,"i":2,"n":"Ping","o":"{}"}', True),  # binary
                (0x82, b"\x00\xff" * 100, True),
                (0x81, b"\xff\xfe", True),  # not UTF-8
                (0x81, b"x" * (MESSAGE_BYTES_MAX + 1), True),
                (0xC1, b"{}", True),  # compressed, which was not agreed on
                (0x80, b"{}", True),  # the end of nothing
                (0x83, b"{}", True),  # opcodes that do not exist
                (0x8F, b"{}", True),
                (0x89, b"x" * 126, True),  # a ping that is too long
                (0x09, b"x", True),  # a ping in parts
                (0x81, b"{}", False),  # not masked
                (0x88, b"\x03\xe8bye", True),  # closes
                (0x88, b"\x00", True),
                (0x88, b"\x00\x00", True),
                (0x88, b"\x03\xe8\xff", True),
                (0x8A, b"pong", True),
            ]
        )


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


def _head(method: str, target: str, headers: Pairs) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace")
