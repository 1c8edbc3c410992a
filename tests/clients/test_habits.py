"""Habits of clients in the field that no package shows, each as the small client that has it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from fixgw.engine.sandbox import RefuseCancel
from tests.gateway import Gateway

ACCOUNT = {"OMSId": 1, "AccountId": 14}
LIMIT = {"Side": 0, "Quantity": 2, "OrderType": 2, "TimeInForce": 1, "LimitPrice": 64000}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("habits") / "data", api=True) as gateway:
        yield gateway


@pytest.fixture
def http(running: Gateway) -> Iterator[httpx.Client]:
    """Over HTTP, with the session token that a login gave."""
    running.clean()
    with httpx.Client(base_url=f"http://127.0.0.1:{running.api_port}") as client:
        login = client.get("/AP/Authenticate", auth=("trader37", "trader37-demo")).json()
        client.headers["APToken"] = login["SessionToken"]
        yield client


@pytest.fixture
def socket(running: Gateway) -> Iterator[ClientConnection]:
    """On a WebSocket whose path is in small letters, and that nobody has logged in on."""
    running.clean()
    with connect(f"ws://127.0.0.1:{running.api_port}/wsgateway/") as client:
        yield client


def say(socket: ClientConnection, number: int, name: str, payload: dict[str, Any], kind: int = 0) -> None:
    socket.send(json.dumps({"m": kind, "i": number, "n": name, "o": json.dumps(payload)}))


def hear(socket: ClientConnection) -> tuple[int, int, str, Any]:
    """Kind, number, name and payload of the next frame; the payload is JSON within JSON, always."""
    frame = json.loads(socket.recv(timeout=30))
    return frame["m"], frame["i"], frame["n"], json.loads(frame["o"])


def log_in(socket: ClientConnection, number: int = 0) -> None:
    say(socket, number, "WebAuthenticateUser", {"UserName": "trader37", "Password": "trader37-demo"})
    kind, echoed, name, answer = hear(socket)
    assert (kind, echoed, name, answer["Authenticated"]) == (1, number, "WebAuthenticateUser", True)


def place(http: httpx.Client, instrument_id: int = 25, **changes: Any) -> int:
    said = {**ACCOUNT, **LIMIT, "InstrumentId": instrument_id, **changes}
    answer = http.post("/AP/SendOrder", json=said).json()
    assert answer["status"] == "Accepted", answer
    return int(answer["OrderId"])


def open_ids(http: httpx.Client) -> set[int]:
    return {order["OrderId"] for order in http.get("/AP/GetOpenOrders", params=ACCOUNT).json()}


# AlphaPoint


@pytest.mark.parametrize(("on", "off"), [(2, 4), (0, 0)])
def test_who_matches_by_number_alone_hears_the_answer_before_any_event(
    socket: ClientConnection, on: int, off: int
) -> None:
    """Counts from 0, subscribes by whatever kind of frame, and tells frames apart by `i`."""
    log_in(socket, 0)
    say(socket, 7, "SubscribeAccountEvents", ACCOUNT, on)
    say(socket, 8, "SendOrder", {**ACCOUNT, **LIMIT, "InstrumentId": 25})
    heard = [hear(socket) for _ in range(3)]
    of_the_subscription = [payload for _, number, _, payload in heard if number == 7]
    assert of_the_subscription[0] == {"Subscribed": True}
    assert of_the_subscription[1]["OrderState"] == "Working"
    assert [payload["status"] for _, number, _, payload in heard if number == 8] == ["Accepted"]
    say(socket, 9, "UnsubscribeAccountEvents", ACCOUNT, off)
    assert hear(socket)[1] == 9


def test_who_writes_keys_and_values_his_own_way_is_understood(http: httpx.Client) -> None:
    said = {"omsid": "1", "ACCOUNTID": "14", "instrumentId": "25", "side": "Buy", "quantity": "2"}
    said |= {"ordertype": "Limit", "timeinforce": "GTC", "limitprice": "64000"}
    answer = http.post("/ap/SendOrder", json=said).json()
    assert answer["status"] == "Accepted", answer
    assert open_ids(http) == {answer["OrderId"]}


def test_who_asks_everything_by_get_is_answered(http: httpx.Client) -> None:
    order_id = place(http)
    answer = http.get("/ap/CancelOrder", params={"OMSId": 1, "OrderId": order_id})
    assert answer.json()["result"] is True
    assert open_ids(http) == set()


@pytest.mark.parametrize("key", ["IntrumentId", "InstrumentId"])
def test_who_misspells_the_instrument_cancels_no_more_than_who_does_not(http: httpx.Client, key: str) -> None:
    place(http)
    ether = place(http, 26)
    assert http.post("/AP/CancelAllOrders", json={**ACCOUNT, key: "25"}).json()["result"] is True
    assert open_ids(http) == {ether}


@pytest.mark.parametrize(
    "wrong", [{"IntrumentId": "25", "InstrumentId": 26}, {"Instrument": 25}, {"ClOrdId": 1}]
)
def test_who_is_not_understood_cancels_nothing_and_sees_no_404(
    http: httpx.Client, wrong: dict[str, Any]
) -> None:
    """404 would be read as a lost login."""
    order_id = place(http)
    answer = http.post("/AP/CancelAllOrders", json={**ACCOUNT, **wrong})
    assert (answer.status_code, answer.json()["errorcode"]) == (200, 100)
    assert open_ids(http) == {order_id}


def test_who_sends_a_client_id_without_an_account_is_told_that_it_may_name_several(
    http: httpx.Client,
) -> None:
    place(http, ClientOrderId=99)
    for key in ("ClOrderId", "ClientOrderId"):
        answer = http.post("/AP/CancelOrder", json={"OMSId": 1, key: 99})
        assert (answer.status_code, answer.json()["errorcode"]) == (200, 100)
    assert len(open_ids(http)) == 1


def test_who_means_all_by_zero_gets_all_of_the_account(http: httpx.Client) -> None:
    place(http)
    place(http, 26)
    said = {**ACCOUNT, "InstrumentId": 0}
    assert [http.post("/AP/CancelAllOrders", json=said).json()["result"] for _ in range(2)] == [True, True]
    assert open_ids(http) == set()


# CoinAPI EMS


def test_who_has_the_key_in_the_query_and_reads_content_and_no_headers(http: httpx.Client) -> None:
    del http.headers["APToken"]
    key = {"apikey": "key37"}
    order: dict[str, Any] = {
        "exchange_id": "SANDBOX",
        "client_order_id": "habit-1",
        "symbol_id_exchange": "BTC-USD",
    }
    order |= {"amount_order": 2, "price": 64000, "side": "BUY", "order_type": "LIMIT"}
    entered = http.post("/v1/orders", params=key, json={**order, "time_in_force": "GOOD_TILL_CANCEL"}).json()
    assert entered["status"] in ("NEW", "ROUTED"), entered
    ended = http.post("/v1/orders/cancel/all", params=key, json={"exchange_id": "SANDBOX"})
    assert ended.status_code == 200
    assert not ended.json().get("reject_reason")
    report = http.get("/v1/orders/status/habit-1", params=key).json()
    assert (report["status"], report["amount_open"]) == ("CANCELED", 0)


# OpenAlgo


def test_who_trusts_no_cancel_all_reads_the_book_and_cancels_what_is_left(
    running: Gateway, http: httpx.Client
) -> None:
    def ask(name: str, **fields: Any) -> Any:
        strategy = {} if name == "orderbook" else {"strategy": "habit"}
        return http.post(f"/api/v1/{name}", json={"apikey": "key37", **strategy, **fields}).json()

    order = {"exchange": "SANDBOX", "symbol": "BTC-USD", "action": "buy", "quantity": 2}
    ids = [ask("placeorder", **order)["orderid"] for _ in range(3)]
    running.say(RefuseCancel(int(ids[0]), "the venue says no"))
    assert [each["orderid"] for each in ask("cancelallorder")["failed_cancellations"]] == ids[:1]
    for _ in range(2):
        rows = ask("orderbook")["data"]["orders"]
        left = [row["orderid"] for row in rows if row["order_status"] in ("open", "trigger pending")]
        for order_id in left:
            assert ask("cancelorder", orderid=order_id) == {"status": "success", "orderid": order_id}
    assert left == []
