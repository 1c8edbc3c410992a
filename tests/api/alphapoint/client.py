"""Clients of the AlphaPoint dialect that know nothing of its code: one over HTTP, one on a WebSocket."""

import hashlib
import hmac
import json
import time
from contextlib import ExitStack
from itertools import count
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.wire import PATIENCE

OK = {"result": True, "errormsg": None, "errorcode": 0, "detail": None}
SECRETS = {"trader37": 37, "trader38": 38, "trader39": 39, "operator1": 1, "reader50": 50}
MESSAGES = {
    20: "Not Authorized",
    100: "Invalid Request",
    101: "Operation Failed",
    102: "Server Error",
    104: "Resource Not Found",
    106: "Operation Not Supported",
}
ORDER_KEYS = [
    "Side",
    "OrderId",
    "Price",
    "Quantity",
    "DisplayQuantity",
    "Instrument",
    "Account",
    "AccountName",
    "OrderType",
    "ClientOrderId",
    "OrderState",
    "ReceiveTime",
    "ReceiveTimeTicks",
    "LastUpdatedTime",
    "LastUpdatedTimeTicks",
    "OrigQuantity",
    "QuantityExecuted",
    "GrossValueExecuted",
    "ExecutableValue",
    "AvgPrice",
    "CounterPartyId",
    "ChangeReason",
    "OrigOrderId",
    "OrigClOrdId",
    "EnteredBy",
    "UserName",
    "IsQuote",
    "InsideAsk",
    "InsideAskSize",
    "InsideBid",
    "InsideBidSize",
    "LastTradePrice",
    "RejectReason",
    "IsLockedIn",
    "CancelReason",
    "OrderFlag",
    "UseMargin",
    "StopPrice",
    "PegPriceType",
    "PegOffset",
    "PegLimitOffset",
    "IpAddress",
    "IPv6a",
    "IPv6b",
    "ClientOrderIdUuid",
    "OMSId",
]

_ids = count(time.time_ns() // 1_000)


def fresh_id() -> int:
    """A ClientOrderId that no test has used before."""
    return next(_ids)


def signed(username: str) -> dict[str, str]:
    """The four fields of a signature of this user."""
    user_id = str(SECRETS[username])
    nonce, key, secret = str(time.time_ns()), f"key{user_id}", f"secret{user_id}"
    said = (nonce + user_id + key).encode()
    signature = hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
    return {"APIKey": key, "Signature": signature, "UserId": user_id, "Nonce": nonce}


def order(**changes: object) -> dict[str, object]:
    """A good SendOrder: buys 10 BTC-USD at 100 in account 14."""
    fields = {"OMSId": 1, "AccountId": 14, "InstrumentId": 25, "Side": 0, "OrderType": 2, "TimeInForce": 1}
    return {**fields, "Quantity": 10, "LimitPrice": 100, **changes}


def assert_refused(reply: object, code: int, *words: str) -> None:
    """`reply` is the standard reply of this code, and every one of `words` is in its detail."""
    assert isinstance(reply, dict), reply
    assert list(reply) == ["result", "errormsg", "errorcode", "detail"], reply
    assert (reply["result"], reply["errormsg"], reply["errorcode"]) == (False, MESSAGES[code], code), reply
    assert all(word in reply["detail"] for word in words), reply


class Web:
    """A client over HTTP, logged in by Basic as `username`; "" is nobody."""

    def __init__(self, port: int, username: str = "", prefix: str = "/AP") -> None:
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        self.prefix = prefix
        if username:
            reply = self.http.get("/AP/AuthenticateUser", auth=(username, f"{username}-demo")).json()
            self.http.headers["APToken"] = reply["SessionToken"]

    def post(self, function: str, /, **payload: object) -> Any:
        """The reply to a POST."""
        return self._read(self.http.post(f"{self.prefix}/{function}", json=payload))

    def get(self, function: str, /, **query: object) -> Any:
        """The reply to a GET."""
        params = {key: str(value) for key, value in query.items()}
        return self._read(self.http.get(f"{self.prefix}/{function}", params=params))

    def _read(self, response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()

    def enter(self, **changes: object) -> int:
        """Enter an order; its OrderId."""
        reply = self.post("SendOrder", **order(**changes))
        assert (reply["status"], reply["errormsg"]) == ("Accepted", ""), reply
        return int(reply["OrderId"])

    def state(self, order_id: int) -> str:
        """The OrderState of an order."""
        return str(self.post("GetOrderStatus", OMSId=1, OrderId=order_id)["OrderState"])


class Frames:
    """A client on a WebSocket, logged in as `username`; "" is nobody. It matches replies by `i`."""

    def __init__(self, port: int, username: str = "", path: str = "/WSGateway/") -> None:
        self._opened = ExitStack()
        opening = connect(f"ws://127.0.0.1:{port}{path}", open_timeout=PATIENCE, max_queue=None)
        self.socket: ClientConnection = self._opened.enter_context(opening)
        self.events: list[dict[str, Any]] = []
        self._numbers = count(0, 2)
        if username:
            login = self.call("WebAuthenticateUser", UserName=username, Password=f"{username}-demo")
            assert login["Authenticated"] is True

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def send(self, function: str, m: int = 0, i: int | None = None, /, **payload: object) -> int:
        """Send a request, and do not wait for its reply; its `i`."""
        number = next(self._numbers) if i is None else i
        self.socket.send(json.dumps({"m": m, "i": number, "n": function, "o": json.dumps(payload)}))
        return number

    def frame(self) -> dict[str, Any]:
        """The next frame, with its `o` decoded."""
        frame: dict[str, Any] = json.loads(self.socket.recv(PATIENCE))
        assert list(frame) == ["m", "i", "n", "o"]
        assert isinstance(frame["o"], str)
        return {**frame, "o": json.loads(frame["o"])}

    def reply(self, number: int) -> dict[str, Any]:
        """The frame that replies to the request `number`; events before it are kept."""
        while (frame := self.frame())["m"] == 3:
            self.events.append(frame)
        assert frame["i"] == number, frame
        return frame

    def call(self, function: str, /, **payload: object) -> Any:
        """The payload of the reply to a request."""
        return self.reply(self.send(function, **payload))["o"]

    def event(self, name: str) -> dict[str, Any]:
        """The next event, which must be of this name."""
        frame = self.events.pop(0) if self.events else self.frame()
        assert (frame["m"], frame["n"]) == (3, name), frame
        return frame

    def quiet(self) -> None:
        """Assert that nothing is on its way but the answer to a Ping."""
        assert self.call("Ping") == {"msg": "PONG"}
        assert not self.events, self.events

    def closed(self) -> int | None:
        """Wait until the gateway has closed the connection; the close code."""
        try:
            while True:
                self.socket.recv(PATIENCE)
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code
