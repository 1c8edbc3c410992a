"""The doors to one gateway, for tests that compare them: each enters and cancels orders and shows them.

A view is what a door shows of the orders that a user sees, each as the fields of `Seen`, so that the views
of two doors can be compared however differently they write.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.gateway import Gateway
from tests.wire import Client, Message, fresh, mass, order, timestamp

SYMBOLS = {25: "BTC-USD", 26: "ETH-USD", 27: "BTC-PERP"}
EXCHANGE = "SANDBOX"
SECONDS = 20.0  # an answer that is not there by then is missing


class Seen(NamedTuple):
    """An order as a door shows it; what the door does not show is None, and so is what the order has not."""

    order_id: int
    symbol: str
    side: str  # BUY or SELL
    quantity: Decimal
    left: Decimal
    done: Decimal
    price: Decimal | None
    stop: Decimal | None
    average: Decimal
    state: str  # as the door with the fewest states of those compared can tell it
    account: int | None = None
    client_id: str | None = None


class New(NamedTuple):
    """An order to be entered. `kind` is LIMIT, MARKET, STOP or STOP_LIMIT."""

    account: int
    instrument: int
    side: str
    kind: str
    quantity: Decimal
    price: Decimal
    stop: Decimal

    @property
    def has_price(self) -> bool:
        """Whether it has a limit."""
        return self.kind in ("LIMIT", "STOP_LIMIT")

    @property
    def has_stop(self) -> bool:
        """Whether it waits for a trigger."""
        return self.kind in ("STOP", "STOP_LIMIT")


def exact(text: str) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


# FIX


class Fix:
    """A FIX session. Its view has every state: OrdStatus(39)."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def enter(self, new: New) -> None:
        """Enter it (D)."""
        kind = {"MARKET": "1", "LIMIT": "2", "STOP": "3", "STOP_LIMIT": "4"}[new.kind]
        fields: list[tuple[int, object]] = [
            (1, new.account),
            (40, kind),
            (38, f"{new.quantity:f}"),
            (59, "1"),
        ]
        fields += [(44, f"{new.price:f}")] if new.has_price else []
        fields += [(99, f"{new.stop:f}")] if new.has_stop else []
        made = order(
            fresh("f"), *fields, symbol=SYMBOLS[new.instrument], side="1" if new.side == "BUY" else "2"
        )
        self.client.send("D", *(pair for pair in made if pair[0] != 44 or new.has_price))

    def cancel(self, seen: Seen) -> None:
        """Cancel it (F)."""
        side = "1" if seen.side == "BUY" else "2"
        fields = [(11, fresh("c")), (41, "NONE"), (37, seen.order_id), (55, seen.symbol), (54, side)]
        self.client.send("F", *fields, (60, timestamp()), (38, f"{seen.quantity:f}"))

    def cancel_all(self, account: int | None, instrument: int | None) -> None:
        """Cancel all of an account, of an instrument, or of both (q)."""
        scope: list[tuple[int, object]] = [] if account is None else [(1, account)]
        scope += [] if instrument is None else [(55, SYMBOLS[instrument])]
        self.client.send("q", *mass(fresh("q"), "7" if instrument is None else "1", *scope))

    def settle(self) -> None:
        """Take what is on its way."""
        self.client.drain()

    def open(self, account: int | None = None) -> dict[int, Seen] | None:
        """The open orders (AF); None when they may not be seen."""
        asked = fresh("s")
        scope = () if account is None else ((1, account),)
        self.client.send("AF", (584, asked), (585, "7"), *scope)
        found = self.client.until(lambda message: message.type == "j" or message.get(912) == "Y")
        if found[-1].type == "j":
            return None
        return {int(one[37]): _from_fix(one) for one in found if one[37] != "NONE"}

    def status(self, seen: Seen) -> Seen | None:
        """The order as it stands (H); None when it may not be seen."""
        side = "1" if seen.side == "BUY" else "2"
        self.client.send("H", (11, "x"), (37, seen.order_id), (54, side), (55, seen.symbol))
        found = self.client.next()
        return None if found.type != "8" or found[37] == "NONE" else _from_fix(found)


def _from_fix(message: Message) -> Seen:
    def number(tag: int) -> Decimal | None:
        found = message.get(tag)
        return None if found is None else Decimal(found)

    return Seen(
        int(message[37]),
        message[55],
        {"1": "BUY", "2": "SELL"}[message[54]],
        Decimal(message[38]),
        Decimal(message[151]),
        Decimal(message[14]),
        number(44),
        number(99),
        Decimal(message[6]),
        {"0": "NEW", "1": "PARTIALLY_FILLED", "2": "FILLED", "4": "CANCELED", "6": "PENDING_CANCEL"}[
            message[39]
        ],
        int(message[1]),
        message.get(11),
    )


# The API. Its numbers are read exactly; an average price has at most twelve digits after the point.


def rounded(average: Decimal | int) -> Decimal:
    """An average price as a door without room for a recurring decimal shows it."""
    return Decimal(average).quantize(Decimal("1e-12"))


def _or_none(value: Decimal | int | None) -> Decimal | None:
    return Decimal(value) if value else None


class AlphaPoint:
    """AlphaPoint, over a WebSocket, or with `is_http` over HTTP. It shows no pending cancel, no trigger."""

    def __init__(self, gateway: Gateway, username: str, *, is_http: bool = False) -> None:
        self._username, self._port = username, gateway.api_port
        self._numbers = count(2, 2)
        self._opened = ExitStack()
        self._websocket: ClientConnection | None = None
        password = f"{username}-demo"
        if is_http:
            basic = b64encode(f"{username}:{password}".encode()).decode()
            client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=SECONDS)
            self._http = self._opened.enter_context(client)
            logged_in = self._http.get("/AP/Authenticate", headers={"Authorization": f"Basic {basic}"})
            self.token = self._http.headers["APToken"] = logged_in.json()["SessionToken"]
        else:
            address = f"ws://127.0.0.1:{self._port}/WSGateway/"
            self._websocket = self._opened.enter_context(
                connect(address, open_timeout=SECONDS, max_queue=None)
            )
            logged_in = self.call("WebAuthenticateUser", UserName=username, Password=password)
            assert logged_in["Authenticated"], logged_in

    def call(self, function: str, **body: object) -> Any:
        """The reply to a call."""
        text = json.dumps(body, default="{:f}".format)
        if self._websocket is None:
            found = self._http.post(
                f"/AP/{function}", content=text, headers={"Content-Type": "application/json"}
            )
            assert found.status_code == 200, found.text
            return exact(found.text)
        number = next(self._numbers)
        self._websocket.send(json.dumps({"m": 0, "i": number, "n": function, "o": text}))
        frame = exact(str(self._websocket.recv(SECONDS)))
        assert (frame["m"], frame["i"], frame["n"]) in ((1, number, function), (5, number, function)), frame
        return exact(frame["o"])

    def enter(self, new: New) -> None:
        """Enter it (SendOrder)."""
        kind = {"MARKET": 1, "LIMIT": 2, "STOP": 3, "STOP_LIMIT": 4}[new.kind]
        body: dict[str, object] = {"OMSId": 1, "AccountId": new.account, "InstrumentId": new.instrument}
        body |= {"TimeInForce": 1, "Side": 0 if new.side == "BUY" else 1, "OrderType": kind}
        body |= {"Quantity": new.quantity, "ClientOrderId": int(fresh("9"))}
        body |= {"LimitPrice": new.price} if new.has_price else {}
        body |= {"StopPrice": new.stop} if new.has_stop else {}
        self.call("SendOrder", **body)

    def cancel(self, seen: Seen) -> None:
        """Cancel it (CancelOrder)."""
        self.call("CancelOrder", OMSId=1, AccountId=seen.account, OrderId=seen.order_id)

    def cancel_all(self, account: int | None, instrument: int | None) -> None:
        """Cancel all of an account, of an instrument, or of both (CancelAllOrders)."""
        names = {"AccountId": account, "InstrumentId": instrument}
        self.call("CancelAllOrders", OMSId=1, **{name: value for name, value in names.items() if value})

    def open(self, account: int) -> dict[int, Seen] | None:
        """The open orders of an account (GetOpenOrders); None when they may not be seen."""
        found = self.call("GetOpenOrders", OMSId=1, AccountId=account)
        if isinstance(found, dict):
            assert found["result"] is False, found
            return None
        return {int(one["OrderId"]): _from_alphapoint(one) for one in found}

    def status(self, seen: Seen) -> Seen | None:
        """The order as it stands (GetOrderStatus); None when it may not be seen."""
        found = self.call("GetOrderStatus", OMSId=1, AccountId=seen.account, OrderId=seen.order_id)
        return None if "OrderId" not in found else _from_alphapoint(found)

    @staticmethod
    def shows(fix: Seen) -> Seen:
        """What it has to show of an order that FIX shows so."""
        states = {"CANCELED": "Canceled", "FILLED": "FullyExecuted"}
        own = fix.client_id if fix.client_id and fix.client_id.isdigit() and fix.client_id[0] != "0" else None
        return fix._replace(
            state=states.get(fix.state, "Working"), average=rounded(fix.average), client_id=own
        )

    def close(self) -> None:
        """Close the connection."""
        self._opened.close()


def _from_alphapoint(one: dict[str, Any]) -> Seen:
    assert len(one) == 46, sorted(one)
    return Seen(
        int(one["OrderId"]),
        SYMBOLS[int(one["Instrument"])],
        one["Side"].upper(),
        one["OrigQuantity"],
        one["Quantity"],
        one["QuantityExecuted"],
        _or_none(one["Price"]),
        _or_none(one["StopPrice"]),
        rounded(one["AvgPrice"]),
        one["OrderState"],
        int(one["Account"]),
        str(one["ClientOrderId"]) if one["ClientOrderId"] else None,
    )


class Ems:
    """CoinAPI's EMS over HTTP. It shows no stop prices, and nobody that waits for a trigger."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{gateway.api_port}", headers={"X-CoinAPI-Key": key}, timeout=SECONDS
        )

    def _post(self, path: str, **body: object) -> None:
        # Numbers are numbers here, and a Decimal is to be written as it is.
        text = ", ".join(
            f'"{key}": {f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)}'
            for key, value in body.items()
        )
        found = self._http.post(path, content=f"{{{text}}}", headers={"Content-Type": "application/json"})
        assert found.status_code in (200, 400, 490), found.text

    @staticmethod
    def _exchange(account: int | None) -> str:
        return EXCHANGE if account is None else f"{EXCHANGE}/{account}"

    def enter(self, new: New) -> None:
        """Enter it: always a limit order."""
        self._post(
            "/v1/orders",
            exchange_id=self._exchange(new.account),
            client_order_id=fresh("e"),
            symbol_id_exchange=SYMBOLS[new.instrument],
            amount_order=new.quantity,
            price=new.price,
            side=new.side,
            order_type="LIMIT",
            time_in_force="GOOD_TILL_CANCEL",
        )

    def cancel(self, seen: Seen) -> None:
        """Cancel it, by its exchange's id."""
        self._post(
            "/v1/orders/cancel",
            exchange_id=self._exchange(seen.account),
            exchange_order_id=str(seen.order_id),
        )

    def cancel_all(self, account: int | None, _: int | None) -> None:
        """Cancel all of an account, or one's own: it has no other filter."""
        self._post("/v1/orders/cancel/all", exchange_id=self._exchange(account))

    def open(self, account: int) -> dict[int, Seen] | None:
        """The open orders of an account; None when they may not be seen."""
        found = self._http.get("/v1/orders", params={"exchange_id": self._exchange(account)})
        if found.status_code != 200:
            return None
        shown = exact(found.text)
        return {int(one["exchange_order_id"]): _from_ems(one) for one in shown}

    def status(self, seen: Seen) -> Seen | None:
        """The order as it stands, by its client order id; None when it may not be seen."""
        found = self._http.get(f"/v1/orders/status/{seen.client_id}")
        assert found.status_code in (200, 400, 404), found.text
        return _from_ems(exact(found.text)) if found.status_code == 200 else None

    @staticmethod
    def shows(fix: Seen) -> Seen:
        """What it has to show of an order that FIX shows so."""
        return fix._replace(stop=None, average=rounded(fix.average), account=None)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _from_ems(one: dict[str, Any]) -> Seen:
    return Seen(
        int(one["exchange_order_id"]),
        one["symbol_id_exchange"],
        one["side"],
        one["amount_order"],
        one["amount_open"],
        one["amount_filled"],
        _or_none(one["price"]),
        None,
        rounded(one["avg_px"]),
        one["status"],
        None,
        one["client_order_id"] or None,
    )


class OpenAlgo:
    """OpenAlgo. It shows a user's own orders, closed ones too, and which wait for their trigger."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{gateway.api_port}", timeout=SECONDS)
        self._key = key

    def _post(self, call: str, **body: object) -> Any:
        found = self._http.post(f"/api/v1/{call}", json={"apikey": self._key, **body})
        assert found.status_code in (200, 400, 403, 404, 500), found.text
        assert "internal" not in found.text, found.text
        return exact(found.text)

    def enter(self, new: New) -> None:
        """Enter it, into the user's default account, which is all it can."""
        kind = {"MARKET": "MARKET", "LIMIT": "LIMIT", "STOP": "SL-M", "STOP_LIMIT": "SL"}[new.kind]
        prices = {"price": f"{new.price:f}"} if new.has_price else {}
        prices |= {"trigger_price": f"{new.stop:f}"} if new.has_stop else {}
        self._post(
            "placeorder",
            strategy=f"S{new.instrument}",
            exchange=EXCHANGE,
            symbol=SYMBOLS[new.instrument],
            action=new.side,
            quantity=f"{new.quantity:f}",
            pricetype=kind,
            product="NRML",
            **prices,
        )

    def cancel(self, seen: Seen) -> None:
        """Cancel it."""
        self._post("cancelorder", strategy="S", orderid=str(seen.order_id))

    def cancel_all(self, _: int | None, instrument: int | None) -> None:
        """Cancel all of one's own of a strategy, which the doors here call after the instrument."""
        self._post("cancelallorder", strategy=f"S{instrument}")

    def book(self) -> dict[int, Seen] | None:
        """All of one's own orders; None when they may not be seen."""
        found = self._post("orderbook")
        if found["status"] != "success":
            return None
        return {int(one["orderid"]): _from_openalgo(one) for one in found["data"]["orders"]}

    def status(self, seen: Seen) -> Seen | None:
        """The order as it stands; None when it is not one's own."""
        found = self._post("orderstatus", strategy="S", orderid=str(seen.order_id))
        return _from_openalgo(found["data"]) if found["status"] == "success" else None

    @staticmethod
    def shows(fix: Seen) -> Seen:
        """What it has to show of an order that FIX shows so; `open` is also what waits for its trigger."""
        states = {"CANCELED": "cancelled", "FILLED": "complete"}
        return fix._replace(
            state=states.get(fix.state, "open"), average=rounded(fix.average), account=None, client_id=None
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _from_openalgo(one: dict[str, Any]) -> Seen:
    state = one["order_status"]
    assert state != "trigger pending" or one["trigger_price"], one
    return Seen(
        int(one["orderid"]),
        one["symbol"],
        one["action"],
        one["quantity"],
        one["pending_quantity"],
        one["filled_quantity"],
        _or_none(one["price"]),
        _or_none(one["trigger_price"]),
        rounded(one["average_price"]),
        "open" if state == "trigger pending" else state,
        None,
        None,
    )


def ids(found: Iterable[Seen]) -> set[int]:
    """The ids of these orders."""
    return {one.order_id for one in found}
