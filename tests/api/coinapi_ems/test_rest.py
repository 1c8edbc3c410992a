"""The REST calls on a real gateway: each documented example and each documented error, key by key."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from fixgw.core.requests import FillOrder
from fixgw.edge.api.coinapi_ems.models import Message, MessageReject, OrderExecutionReport, ValidationError
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.api.coinapi_ems.client import Json, Rest, new_order
from tests.gateway import Gateway
from tests.wire import Client, cancel, fresh, mass

ALL = {"exchange_id": "SANDBOX"}


@pytest.fixture(scope="module")
def clients(gateway: Gateway) -> Iterator[dict[int, Rest]]:
    made = {user: Rest(gateway, f"key{user}") for user in (1, 37, 38, 39, 50)}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def rest(clients: dict[int, Rest], clean_gateway: Gateway) -> Rest:  # noqa: ARG001
    """User 37, whose default account is 14."""
    return clients[37]


def problem(answered: tuple[int, Any], status: int = 400) -> str:
    """What is wrong, in the documented form of a validation error."""
    found, body = answered
    assert found == status, body
    ValidationError.model_validate(body)
    assert body.keys() == {"type", "title", "status", "traceId", "errors"}
    assert body["status"] == status
    return str(body["errors"])


def reject(answered: tuple[int, Any], status: int) -> Json:
    """The MessageReject that was replied."""
    found, body = answered
    assert found == status, body
    MessageReject.model_validate(body)
    assert body.keys() == {"type", "reject_reason", "exchange_id", "message", "rejected_message"}
    assert body["type"] == "MESSAGE_REJECT"
    return dict(body)


# The documented examples


def test_a_new_order_is_answered_with_its_report(rest: Rest) -> None:
    asked = new_order()
    status, report = rest.post("/v1/orders", asked)
    assert status == 200
    entered = report["status_history"][0][1]
    assert report == {
        **{key: Decimal(str(value)) if isinstance(value, float) else value for key, value in asked.items()},
        "type": "ORDER_EXEC_REPORT_UPDATE",
        "client_order_id_format_exchange": asked["client_order_id"],
        "symbol_id_coinapi": "SANDBOX_SPOT_BTC_USD",
        "exec_inst": [],
        "exchange_order_id": report["exchange_order_id"],
        "amount_open": Decimal("0.045"),
        "amount_filled": 0,
        "avg_px": 0,
        "status": "NEW",
        "status_history": [["RECEIVED", entered], ["NEW", entered]],
        "error_message": "",
        "fills": [],
    }
    assert report["exchange_order_id"].isdigit()


@pytest.mark.parametrize("name", ["exchange_order_id", "client_order_id"])
def test_a_cancel_is_answered_with_the_report(rest: Rest, name: str) -> None:
    """By either id; where the venue answers at once, the order is canceled by then."""
    entered = rest.enter()
    status, report = rest.post("/v1/orders/cancel", {"exchange_id": "SANDBOX", name: entered[name]})
    assert status == 200
    assert report == entered | {
        "status": "CANCELED",
        "amount_open": 0,
        "status_history": [entered["status_history"][0], ["CANCELED", report["status_history"][1][1]]],
    }


def test_a_cancel_that_the_venue_holds_is_pending(gateway: Gateway, rest: Rest) -> None:
    """PENDING_CANCEL, also when it is asked for again; then CANCELED, which the status tells."""
    entered = rest.enter()
    asked = {"exchange_id": "SANDBOX", "client_order_id": entered["client_order_id"]}
    gateway.say(HoldCancels())
    status, report = rest.post("/v1/orders/cancel", asked)
    assert (status, report["status"], report["error_message"]) == (200, "PENDING_CANCEL", "")
    assert report["amount_open"] == Decimal("0.045")
    status, report = rest.post("/v1/orders/cancel", asked)
    assert (status, report["status"]) == (200, "PENDING_CANCEL")
    assert "pending already" in report["error_message"]
    gateway.say(ReleaseCancels())
    status, report = rest.get(f"/v1/orders/status/{entered['client_order_id']}")
    assert (status, report["status"], report["amount_open"]) == (200, "CANCELED", 0)


def test_a_cancel_of_all_says_what_it_reached_and_looks_like_no_refusal(gateway: Gateway, rest: Rest) -> None:
    ids = [rest.enter()["exchange_order_id"] for _ in range(3)]
    assert rest.open_ids() == ids
    gateway.say(RefuseCancel(int(ids[0]), "in transit"))
    status, body = rest.post("/v1/orders/cancel/all", ALL)
    Message.model_validate(body)
    message = "3 orders were open: 2 canceled, 0 pending, 1 not canceled"
    assert (status, body) == (200, {"type": "MESSAGE", "exchange_id": "SANDBOX", "message": message})
    assert rest.open_ids() == ids[:1]
    assert rest.post("/v1/orders/cancel/all", ALL)[0] == 200
    status, body = rest.post("/v1/orders/cancel/all", ALL)
    assert (status, body["message"][:18]) == (200, "0 orders were open")


def test_open_orders_are_reports(rest: Rest) -> None:
    """On one exchange, in one account, or on all exchanges."""
    first, second = rest.enter(), rest.enter(exchange_id="SANDBOX/15")
    assert second["exchange_id"] == "SANDBOX/15"
    assert rest.get("/v1/orders", exchange_id="SANDBOX") == (200, [first, second])
    assert rest.get("/v1/orders") == (200, [first, second])
    assert rest.get("/v1/orders", exchange_id="SANDBOX/15") == (200, [second])
    assert rest.get("/v1/orders", exchange_id="SANDBOX/14") == (
        200,
        [first | {"exchange_id": "SANDBOX/14"}],
    )


def test_the_key_may_come_in_the_query(clean_gateway: Gateway) -> None:
    base = f"http://127.0.0.1:{clean_gateway.api_port}"
    assert httpx.get(f"{base}/v1/orders?apikey=key37").json() == []
    assert httpx.post(f"{base}/v1/orders/cancel/all?apikey=key37", json=ALL).status_code == 200


# Keys


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"X-CoinAPI-Key": "key99"}, ""),
        ({"X-CoinAPI-Key": ""}, ""),
        ({}, "?apikey=key99"),
        ({"X-CoinAPI-Key": "key37"}, "?apikey=key38"),
        ({}, "?apikey=key37&apikey=key38"),
    ],
)
def test_without_a_good_key_there_is_401(gateway: Gateway, headers: dict[str, str], query: str) -> None:
    """None, an unknown one, or two that differ: nothing tells which."""
    base = f"http://127.0.0.1:{gateway.api_port}"
    replies = [
        httpx.get(f"{base}/v1/orders{query}", headers=headers),
        httpx.get(f"{base}/v1/orders/status/x{query}", headers=headers),
        httpx.post(f"{base}/v1/orders/cancel/all{query}", headers=headers, json=ALL),
        httpx.post(f"{base}/v1/orders{query}", headers=headers, content=b"not JSON"),
    ]
    for reply in replies:
        assert "X-CoinAPI-Key" in problem((reply.status_code, reply.json()), 401)
        assert reply.headers["www-authenticate"].startswith("ApiKey")


# Refusals


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/cancel", "/v1/orders/cancel/all"])
def test_what_cannot_be_read_is_400(rest: Rest, path: str) -> None:
    """Nothing is carried out, and the field is named."""
    kept = rest.enter()["exchange_order_id"]
    assert "not JSON" in problem(rest.post(path, b"{"))
    assert "unknown_key" in problem(rest.post(path, {"exchange_id": "SANDBOX", "unknown_key": 1}))
    assert "KRAKEN" not in problem(rest.post(path, {"exchange_id": "KRAKEN"}))
    assert "exchange_id is missing" in problem(rest.post(path, {}))
    assert "side" in problem(rest.post(f"{path}?side=BUY", ALL))
    assert rest.open_ids() == [kept]


def test_a_query_that_is_not_known_is_400(rest: Rest) -> None:
    """Ignored, it could have narrowed what was asked for."""
    assert "symbol" in problem(rest.get("/v1/orders", symbol="BTC-USD"))
    assert "exchange_id names no exchange" in problem(rest.get("/v1/orders", exchange_id="KRAKEN"))
    assert "twice" in problem(rest.get("/v1/orders?exchange_id=SANDBOX&exchange_id=SANDBOX"))


def test_an_unknown_instrument_is_400(rest: Rest) -> None:
    found = problem(rest.post("/v1/orders", new_order(symbol_id_exchange="XBT/USDT")))
    assert found == "Resource Not Found (errorcode 104): symbol_id_exchange=XBT/USDT is unknown"


def test_a_used_client_order_id_is_a_rejected_report(rest: Rest) -> None:
    """The order that has the id is untouched, and the report cannot be taken for one on it."""
    entered = rest.enter()
    again = new_order(client_order_id=entered["client_order_id"], amount_order=7)
    status, report = rest.post("/v1/orders", again)
    OrderExecutionReport.model_validate(report)
    assert (status, report["status"], report["exchange_order_id"]) == (200, "REJECTED", "")
    assert (report["amount_order"], report["amount_open"], report["amount_filled"]) == (7, 0, 0)
    used = f"client_order_id={entered['client_order_id']} was used before"
    assert report["error_message"] == f"Operation Failed (errorcode 101): {used}"
    assert rest.open_ids() == [entered["exchange_order_id"]]


def test_an_unknown_order_is_404(rest: Rest, clients: dict[int, Rest]) -> None:
    """Also another user's, in an account that is not shared."""
    asked = {"exchange_id": "SANDBOX", "exchange_order_id": "999999999"}
    found = reject(rest.post("/v1/orders/cancel", asked), 404)
    assert (found["reject_reason"], found["exchange_id"]) == ("ORDER_ID_NOT_FOUND", "SANDBOX")
    assert found["message"] == "Resource Not Found (errorcode 104): exchange_order_id names no order"
    assert '"999999999"' in found["rejected_message"]
    other = clients[39].enter()
    for name in ("exchange_order_id", "client_order_id"):
        asked = {"exchange_id": "SANDBOX", name: other[name]}
        reject(rest.post("/v1/orders/cancel", asked), 404)
    found = reject(rest.get(f"/v1/orders/status/{other['client_order_id']}"), 404)
    assert found["reject_reason"] == "ORDER_ID_NOT_FOUND"
    assert found["rejected_message"] == f"GET /v1/orders/status/{other['client_order_id']}"
    reject(rest.get("/v1/orders/status/a b"), 404)
    assert clients[39].open_ids() == [other["exchange_order_id"]]


def test_two_ids_of_different_orders_are_400(rest: Rest) -> None:
    first, second = rest.enter(), rest.enter()
    asked = {
        "exchange_id": "SANDBOX",
        "exchange_order_id": first["exchange_order_id"],
        "client_order_id": second["client_order_id"],
    }
    assert "name different orders" in problem(rest.post("/v1/orders/cancel", asked))
    elsewhere = {"exchange_id": "SANDBOX/15", "exchange_order_id": first["exchange_order_id"]}
    assert "account=15 is not the order's account" in problem(rest.post("/v1/orders/cancel", elsewhere))


def test_a_cancel_that_comes_too_late_tells_the_state(gateway: Gateway, rest: Rest) -> None:
    entered = rest.enter(amount_order=10, price=100)
    gateway.say(FillOrder(int(entered["exchange_order_id"]), Decimal(10)))
    asked = {"exchange_id": "SANDBOX", "exchange_order_id": entered["exchange_order_id"]}
    status, report = rest.post("/v1/orders/cancel", asked)
    assert (status, report["status"], report["amount_filled"]) == (200, "FILLED", 10)
    assert (report["amount_open"], report["avg_px"]) == (0, 100)
    assert "too late to cancel" in report["error_message"]


def test_a_cancel_that_the_venue_refuses_leaves_the_order_open(gateway: Gateway, rest: Rest) -> None:
    entered = rest.enter()
    gateway.say(RefuseCancel(int(entered["exchange_order_id"]), "in transit"))
    asked = {"exchange_id": "SANDBOX", "exchange_order_id": entered["exchange_order_id"]}
    status, report = rest.post("/v1/orders/cancel", asked)
    assert (status, report["status"]) == (200, "NEW")
    assert "in transit" in report["error_message"]


def test_a_venue_out_of_reach_is_490_and_nothing_was_sent(gateway: Gateway, rest: Rest) -> None:
    entered = rest.enter()
    one = {"exchange_id": "SANDBOX", "exchange_order_id": entered["exchange_order_id"]}
    gateway.say(LoseVenue())
    try:
        answers = [
            rest.post(path, body)
            for path, body in (
                ("/v1/orders", new_order()),
                ("/v1/orders/cancel", one),
                ("/v1/orders/cancel/all", ALL),
            )
        ]
    finally:
        gateway.say(FindVenue())
    for answer in answers:
        found = reject(answer, 490)
        assert (found["reject_reason"], found["exchange_id"]) == ("EXCHANGE_UNREACHABLE", "SANDBOX")
        assert found["message"].startswith("Server Error (errorcode 102): ")
    assert rest.open_ids() == [entered["exchange_order_id"]]


def test_an_engine_that_does_not_answer_is_504(gateway: Gateway, rest: Rest) -> None:
    """The outcome is not known: what was asked for may well be done, as it is here. A read has no outcome."""
    asked = new_order()
    engine = gateway.engine
    os.kill(engine, signal.SIGSTOP)
    try:
        found = reject(rest.post("/v1/orders", asked), 504)
        read = reject(rest.get("/v1/orders"), 490)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert (found["reject_reason"], found["exchange_id"]) == ("EXCHANGE_RESPONSE_TIMEOUT", "SANDBOX")
    assert "the outcome is not known" in found["message"]
    assert read["reject_reason"] == "EXCHANGE_UNREACHABLE"
    status, report = rest.get(f"/v1/orders/status/{asked['client_order_id']}")
    assert (status, report["status"]) == (200, "NEW")


# Whose orders


def test_a_cancel_of_all_touches_the_users_own_orders_only(rest: Rest, clients: dict[int, Rest]) -> None:
    """Those of his colleague in the shared account, and of strangers, stay; those in all his accounts go."""
    rest.enter()
    rest.enter(exchange_id="SANDBOX/15")
    colleagues, strangers = clients[38].enter(), clients[39].enter()
    status, body = rest.post("/v1/orders/cancel/all", ALL)
    assert (status, body["message"][:18]) == (200, "2 orders were open")
    assert rest.open_ids() == []
    assert clients[38].open_ids() == [colleagues["exchange_order_id"]]
    assert clients[39].open_ids() == [strangers["exchange_order_id"]]


def test_a_cancel_of_all_in_an_account_touches_that_account_only(
    rest: Rest, clients: dict[int, Rest]
) -> None:
    """All orders in it, a colleague's too, as the account is what is named."""
    kept, gone = rest.enter(), rest.enter(exchange_id="SANDBOX/15")
    colleagues = clients[38].enter()
    status, body = rest.post("/v1/orders/cancel/all", {"exchange_id": "SANDBOX/15"})
    assert (status, body["exchange_id"], body["message"][:18]) == (200, "SANDBOX/15", "1 orders were open")
    assert gone["exchange_order_id"] not in rest.open_ids()
    both = [kept["exchange_order_id"], colleagues["exchange_order_id"]]
    assert rest.open_ids("SANDBOX/14") == both
    assert clients[38].post("/v1/orders/cancel/all", {"exchange_id": "SANDBOX/14"})[0] == 200
    assert rest.open_ids("SANDBOX/14") == []


@pytest.mark.parametrize("account", [16, 99])
def test_an_account_that_is_not_his_is_400_existing_or_not(rest: Rest, account: int) -> None:
    exchange_id = f"SANDBOX/{account}"
    why = f"Not Authorized (errorcode 20): account={account} is not an account of this user"
    assert problem(rest.post("/v1/orders/cancel/all", {"exchange_id": exchange_id})) == why
    assert problem(rest.get("/v1/orders", exchange_id=exchange_id)) == why
    assert problem(rest.post("/v1/orders", new_order(exchange_id=exchange_id))) == why
    one = {"exchange_id": exchange_id, "client_order_id": "x"}
    assert problem(rest.post("/v1/orders/cancel", one)) == why


def test_a_reader_sees_an_account_and_changes_nothing(rest: Rest, clients: dict[int, Rest]) -> None:
    entered, reader = rest.enter(), clients[50]
    assert reader.open_ids() == []
    assert reader.open_ids("SANDBOX/14") == [entered["exchange_order_id"]]
    one = {"exchange_id": "SANDBOX", "exchange_order_id": entered["exchange_order_id"]}
    for answered in (
        reader.post("/v1/orders", new_order()),
        reader.post("/v1/orders/cancel", one),
        reader.post("/v1/orders/cancel/all", ALL),
    ):
        assert problem(answered).startswith("Not Authorized (errorcode 20): ")


def test_an_operator_means_his_own_orders_too_unless_he_names_an_account(
    rest: Rest, clients: dict[int, Rest]
) -> None:
    operator, entered = clients[1], rest.enter()
    assert "account is missing" in problem(operator.post("/v1/orders", new_order()))
    own = operator.enter(exchange_id="SANDBOX/16")
    assert operator.open_ids() == [own["exchange_order_id"]]
    status, body = operator.post("/v1/orders/cancel/all", ALL)
    assert (status, body["message"][:18]) == (200, "1 orders were open")
    assert rest.open_ids() == [entered["exchange_order_id"]]
    status, body = operator.post("/v1/orders/cancel/all", {"exchange_id": "SANDBOX/14"})
    assert (status, body["message"][:18]) == (200, "1 orders were open")
    assert rest.open_ids() == []
    assert "Account" not in problem(operator.post("/v1/orders/cancel/all", {"exchange_id": "SANDBOX/99"}))


def test_more_than_one_may_ask_is_429_but_cancels_go_on(clients: dict[int, Rest]) -> None:
    reader = clients[50]
    answers = (reader.get("/v1/orders/status/x") for _ in range(1_000))
    found = next(answered for answered in answers if answered[0] != 404)
    assert "try again in" in problem(found, 429)
    assert problem(reader.post("/v1/orders/cancel/all", ALL)).startswith("Not Authorized")


# Across the doors


def test_an_order_over_fix_is_listed_and_canceled_here(rest: Rest, trader: Client) -> None:
    """Its owner's session is told, unsolicited."""
    resting = trader.rest((59, "1"))
    status, reports = rest.get("/v1/orders", exchange_id="SANDBOX")
    assert status == 200
    (report,) = reports
    assert report["client_order_id"] == resting.cl_ord_id
    assert report["exchange_order_id"] == resting.order_id
    assert (report["amount_order"], report["price"], report["status"]) == (10, 100, "NEW")
    asked = {"exchange_id": "SANDBOX", "client_order_id": resting.cl_ord_id}
    assert rest.post("/v1/orders/cancel", asked)[1]["status"] == "CANCELED"
    trader.expect(f"8|150=4|39=4|37={resting.order_id}|11={resting.cl_ord_id}|41=|151=0")
    trader.quiet()


def test_an_order_from_here_is_known_over_fix(rest: Rest, trader: Client) -> None:
    """Its user's session can cancel it, under the same id."""
    entered = rest.enter(amount_order=10)
    trader.drain()
    c = fresh("c")
    trader.send("F", *cancel(c, entered["client_order_id"]))
    trader.expect(f"8|11={c}|41={entered['client_order_id']}|37={entered['exchange_order_id']}|150=4|39=4")
    assert rest.open_ids() == []
    trader.send("q", *mass(fresh("q")))
    trader.expect("r|531=7|533=0")
