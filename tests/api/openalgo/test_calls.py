"""The calls of OpenAlgo's API, over HTTP, against a gateway: what each answers, key by key."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from fixgw.core.requests import FillOrder
from fixgw.edge.api.openalgo import replies
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway, until, write_config
from tests.wire import fresh, order

KEY = "key37"
COLLEAGUE = "key38"  # shares account 14 with user 37
NO_CANCEL_YET = "the cancel was sent and its outcome is not known yet: look at the order book"
ROW_KEYS = set(replies.Row.model_fields)


class Api:
    """A client of OpenAlgo's API with the key of user 37, unless another one is given."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{gateway.api_port}", timeout=30)

    def post(self, name: str, **fields: Any) -> httpx.Response:
        """Ask; a field that is None is left out."""
        said = {"apikey": KEY, **({} if name == "orderbook" else {"strategy": "S1"}), **fields}
        said = {field: value for field, value in said.items() if value is not None}
        return self.http.post(f"/api/v1/{name}", json=said)

    def ask(self, name: str, status_code: int = 200, **fields: Any) -> Any:
        """The body of the answer, which must have this HTTP status; its numbers are exact."""
        response = self.post(name, **fields)
        assert response.status_code == status_code, response.text
        assert response.headers["content-type"] == "application/json"
        return json.loads(response.content, parse_float=Decimal)

    def place(self, **fields: Any) -> str:
        """Enter an order, a limit order of strategy S1 unless said otherwise; its id."""
        limit = {"pricetype": "LIMIT", "price": "64000"} if "pricetype" not in fields else {}
        said = {"exchange": "SANDBOX", "symbol": "BTC-USD", "action": "BUY", "quantity": "2"}
        answer = self.ask("placeorder", **(said | limit | fields))
        assert set(answer) == {"status", "orderid"}
        assert answer["status"] == "success"
        return str(answer["orderid"])

    def status(self, order_id: str, **fields: Any) -> str:
        """The order_status of an order."""
        return str(self.ask("orderstatus", orderid=order_id, **fields)["data"]["order_status"])

    def clean(self) -> None:
        """End what earlier tests left."""
        self.gateway.say(FindVenue())
        self.gateway.clean()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    directory = tmp_path_factory.mktemp("openalgo")
    config = write_config(
        directory / "config",
        ("cancel_seconds = 5", "cancel_seconds = 1"),
        ("requests_per_second = 200", "requests_per_second = 20"),
        ("requests_burst = 400", "requests_burst = 200"),
    )
    with Gateway(directory / "data", config, api=True) as gateway:
        client = Api(gateway)
        yield client
        client.http.close()


@pytest.fixture
def api(served: Api) -> Api:
    served.clean()
    return served


@pytest.fixture
def later() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def api_pending(api: Api) -> int:
    """How many open orders have a cancel pending, as a FIX client sees it."""
    operator = api.gateway.ready("OPERATOR1")
    operator.send("AF", (584, fresh("s")), (585, "7"))
    last = operator.until(lambda message: message.type == "8" and message.get(912) in (None, "Y"))
    return sum(message.get(39) == "6" for message in last)


# entering


def test_an_order_that_was_placed_is_in_the_order_book_with_all_its_keys(api: Api) -> None:
    """The documented request and the documented reply; what is sent as text comes back as a number."""
    order_id = api.place(
        product="CNC", price="64000.50", quantity="2.5", trigger_price="0", disclosed_quantity="0"
    )
    answer = api.ask("orderbook")
    rows = [row for row in answer["data"]["orders"] if row["orderid"] == order_id]
    assert len(rows) == 1
    timestamp = rows[0].pop("timestamp")
    assert datetime.strptime(timestamp, "%d-%b-%Y %H:%M:%S").replace(tzinfo=UTC) <= datetime.now(UTC)
    assert rows[0] == {
        "orderid": order_id,
        "symbol": "BTC-USD",
        "exchange": "SANDBOX",
        "action": "BUY",
        "quantity": Decimal("2.5"),
        "price": Decimal("64000.50"),
        "trigger_price": 0,
        "pricetype": "LIMIT",
        "product": "CNC",
        "order_status": "open",
        "strategy": "S1",
        "filled_quantity": 0,
        "pending_quantity": Decimal("2.5"),
        "average_price": 0,
        "rejection_reason": "",
    }
    assert len(rows[0]) + 1 == 16


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"pricetype": "MARKET", "price": "0"}, ("MARKET", 0, 0, "open")),
        ({"pricetype": None}, ("MARKET", 0, 0, "open")),
        ({"pricetype": "LIMIT", "price": 64000}, ("LIMIT", 64000, 0, "open")),
        (
            {"pricetype": "SL", "price": 64000, "trigger_price": "63000"},
            ("SL", 64000, 63000, "trigger pending"),
        ),
        ({"pricetype": "SL-M", "trigger_price": 63000.5}, ("SL-M", 0, Decimal("63000.5"), "trigger pending")),
    ],
)
def test_every_type_of_order_rests_as_what_it_is(
    api: Api, fields: dict[str, Any], shown: tuple[object, ...]
) -> None:
    order_id = api.place(**fields)
    row = api.ask("orderstatus", orderid=order_id)["data"]
    assert (row["pricetype"], row["price"], row["trigger_price"], row["order_status"]) == shown


@pytest.mark.parametrize("product", ["MIS", "NRML", "CNC"])
def test_the_product_of_an_order_is_kept(api: Api, product: str) -> None:
    order_id = api.place(product=product, action="sell")
    row = api.ask("orderstatus", orderid=order_id)["data"]
    assert (row["product"], row["action"]) == (product, "SELL")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"exchange": "NSE"}, "exchange=NSE names no OMS of this user"),
        ({"symbol": "DOGE"}, "symbol=DOGE is unknown"),
        ({"quantity": "0"}, "quantity must be a positive number"),
        ({"disclosed_quantity": "1"}, "disclosed_quantity must be 0"),
        ({"price": "1"}, "price must be 0 or left out: pricetype MARKET has none"),
        ({"pricetype": "SL-M"}, "trigger_price is missing"),
        ({"strategy": None}, "strategy is missing"),
        ({"target": "1"}, "target is not known here"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_words(api: Api, fields: dict[str, Any], why: str) -> None:
    said = {"exchange": "SANDBOX", "symbol": "BTC-USD", "action": "BUY", "quantity": "2"}
    answer = api.ask("placeorder", 400, **(said | fields))
    assert set(answer) == {"status", "message"}
    assert answer["status"] == "error"
    assert why in answer["message"]
    assert api.ask("orderbook")["data"]["statistics"]["total_open_orders"] == 0


# cancelling one


def test_a_canceled_order_cannot_be_canceled_again(api: Api) -> None:
    order_id = api.place()
    assert api.ask("cancelorder", orderid=order_id) == {"status": "success", "orderid": order_id}
    assert api.status(order_id) == "cancelled"
    assert api.ask("cancelorder", 400, orderid=order_id) == {
        "status": "error",
        "message": "too late to cancel, the order is CANCELED",
    }


def test_the_id_says_which_order_is_canceled_whatever_the_strategy(api: Api) -> None:
    order_id = api.place(strategy="S1")
    assert api.ask("cancelorder", orderid=int(order_id), strategy="S2")["status"] == "success"


@pytest.mark.parametrize("name", ["cancelorder", "orderstatus"])
@pytest.mark.parametrize("order_id", ["999999999", "250408001002736", "none", "1.5"])
def test_an_unknown_order_is_not_found(api: Api, name: str, order_id: str) -> None:
    answer = api.ask(name, 404, orderid=order_id)
    assert answer == {"status": "error", "message": "orderid names none of your orders"}


@pytest.mark.parametrize("key", [COLLEAGUE, "key39", "key1"])
def test_the_orders_of_other_users_do_not_exist_for_a_key(api: Api, key: str) -> None:
    """Not even for a colleague who shares the account, or for an operator: a key is its user's."""
    order_id = api.place()
    for name in ("cancelorder", "orderstatus"):
        assert api.ask(name, 404, orderid=order_id, apikey=key)["status"] == "error"
    assert api.ask("cancelallorder", apikey=key)["canceled_orders"] == []
    book = api.ask("orderbook", apikey=key)["data"]["orders"]
    assert order_id not in [row["orderid"] for row in book]
    assert api.status(order_id) == "open"


def test_a_cancel_that_the_venue_refuses_says_why(api: Api) -> None:
    order_id = api.place()
    api.gateway.say(RefuseCancel(int(order_id), "the venue says no"))
    answer = api.ask("cancelorder", 400, orderid=order_id)
    assert answer == {"status": "error", "message": "the venue says no"}
    assert api.status(order_id) == "open"


def test_a_cancel_is_answered_when_its_end_is_known(api: Api, later: ThreadPoolExecutor) -> None:
    order_id = api.place()
    api.gateway.say(HoldCancels())
    canceling: Future[Any] = later.submit(api.ask, "cancelorder", orderid=order_id)
    until(lambda: api_pending(api) == 1)
    api.gateway.say(ReleaseCancels())
    assert canceling.result() == {"status": "success", "orderid": order_id}


def test_an_order_that_is_filled_while_its_cancel_is_pending_was_not_canceled(
    api: Api, later: ThreadPoolExecutor
) -> None:
    order_id = api.place()
    api.gateway.say(HoldCancels())
    canceling: Future[Any] = later.submit(api.ask, "cancelorder", 400, orderid=order_id)
    until(lambda: api_pending(api) == 1)
    api.gateway.say(FillOrder(int(order_id), Decimal(2)))
    assert canceling.result()["message"] == "too late to cancel, the order is FILLED"
    row = api.ask("orderstatus", orderid=order_id)["data"]
    assert (row["order_status"], row["filled_quantity"], row["pending_quantity"]) == ("complete", 2, 0)
    assert row["average_price"] == 64000


def test_a_cancel_whose_end_is_not_known_in_time_says_so(api: Api) -> None:
    """Neither success nor failure would be true; a second cancel meanwhile is one too many."""
    order_id = api.place()
    api.gateway.say(HoldCancels())
    assert api.ask("cancelorder", 500, orderid=order_id) == {"status": "error", "message": NO_CANCEL_YET}
    again = api.ask("cancelorder", 400, orderid=order_id)
    assert again["message"] == "a cancel of this order is pending already"
    assert api.status(order_id) == "open"


# cancelling all


def test_cancel_all_is_for_one_strategy_of_one_user(api: Api) -> None:
    """Orders of the user with this label, those pending on a trigger included; and not one more."""
    mine = [api.place(), api.place(symbol="ETH-USD"), api.place(pricetype="SL-M", trigger_price="63000")]
    other_strategy = api.place(strategy="S2")
    others = [(key, api.place(apikey=key)) for key in (COLLEAGUE, "key39")]
    fix = api.gateway.ready("TRADER37")
    fix.send("D", *order(fresh("n")))
    over_fix = fix.until(lambda message: message.get(150) == "0")[-1][37]
    assert api.ask("cancelallorder") == {
        "status": "success",
        "message": "Canceled 3 orders. Failed to cancel 0 orders.",
        "canceled_orders": mine,
        "failed_cancellations": [],
        "mode": "live",
    }
    assert [api.status(order_id) for order_id in mine] == ["cancelled"] * 3
    assert [api.status(order_id) for order_id in (other_strategy, over_fix)] == ["open"] * 2
    assert [api.status(order_id, apikey=key) for key, order_id in others] == ["open"] * 2


def test_a_cancel_all_with_nothing_to_cancel_is_a_success(api: Api) -> None:
    assert api.ask("cancelallorder", strategy="nothing") == {
        "status": "success",
        "message": "Canceled 0 orders. Failed to cancel 0 orders.",
        "canceled_orders": [],
        "failed_cancellations": [],
        "mode": "live",
    }


def test_a_partial_success_gives_the_reason_for_each_order_that_stays(api: Api) -> None:
    ids = [api.place() for _ in range(3)]
    api.gateway.say(RefuseCancel(int(ids[1]), "the venue says no"))
    assert api.ask("cancelallorder") == {
        "status": "success",
        "message": "Canceled 2 orders. Failed to cancel 1 orders.",
        "canceled_orders": [ids[0], ids[2]],
        "failed_cancellations": [{"orderid": ids[1], "reason": "the venue says no"}],
        "mode": "live",
    }


def test_cancels_that_are_held_are_waited_for(api: Api, later: ThreadPoolExecutor) -> None:
    ids = [api.place() for _ in range(2)]
    api.gateway.say(HoldCancels())
    api.gateway.say(RefuseCancel(int(ids[0]), "the venue says no"))
    canceling: Future[Any] = later.submit(api.ask, "cancelallorder")
    until(lambda: api_pending(api) == 2)
    api.gateway.say(ReleaseCancels())
    answer = canceling.result()
    assert answer["canceled_orders"] == [ids[1]]
    assert answer["failed_cancellations"] == [{"orderid": ids[0], "reason": "the venue says no"}]


def test_cancels_whose_end_is_not_known_in_time_are_no_success(api: Api) -> None:
    ids = [api.place() for _ in range(2)]
    api.gateway.say(HoldCancels())
    answer = api.ask("cancelallorder")
    assert answer["message"] == "Canceled 0 orders. Failed to cancel 2 orders."
    assert answer["failed_cancellations"] == [{"orderid": each, "reason": NO_CANCEL_YET} for each in ids]
    again = api.ask("cancelallorder")["failed_cancellations"]
    assert [each["reason"] for each in again] == ["a cancel of this order is pending already"] * 2


# reading


def test_the_statistics_count_the_orders_of_the_book(api: Api) -> None:
    before = api.ask("orderbook", apikey="key39")["data"]["statistics"]
    assert set(before) == set(replies.Statistics.model_fields)
    for action in ("BUY", "SELL", "SELL"):
        last = api.place(apikey="key39", action=action)
    api.gateway.say(FillOrder(int(last), Decimal(2)))
    after = api.ask("orderbook", apikey="key39")["data"]["statistics"]
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {
        "total_buy_orders": 1,
        "total_sell_orders": 2,
        "total_completed_orders": 1,
        "total_open_orders": 2,
        "total_rejected_orders": 0,
    }


def test_the_order_book_begins_with_the_newest(api: Api) -> None:
    ids = [api.place() for _ in range(3)]
    book = api.ask("orderbook")["data"]["orders"]
    assert [row["orderid"] for row in book][:3] == ids[::-1]
    assert all(set(row) == ROW_KEYS for row in book)


# what every call has in common


@pytest.mark.parametrize("name", ["placeorder", "cancelorder", "cancelallorder", "orderbook", "orderstatus"])
class TestEveryCall:
    def test_a_wrong_key_is_told_to_the_letter(self, api: Api, name: str) -> None:
        for key in ("wrong", "key37 ", "ключ", "\ud800"):
            body = json.dumps({"apikey": key})
            response = api.http.post(
                f"/api/v1/{name}", content=body, headers={"Content-Type": "application/json"}
            )
            assert response.status_code == 403
            assert response.json() == {"status": "error", "message": "Invalid openalgo apikey"}

    def test_no_key_is_a_mistake(self, api: Api, name: str) -> None:
        for key in (None, "", 37):
            assert api.ask(name, 400, apikey=key)["message"] == "apikey is missing, or is no text"

    def test_what_is_no_json_is_refused_by_its_content_type(self, api: Api, name: str) -> None:
        response = api.http.post(f"/api/v1/{name}", content=b"{}", headers={"Content-Type": "text/plain"})
        assert response.status_code == 400
        assert response.json() == {
            "status": "error",
            "message": "the header Content-Type must be application/json",
        }

    def test_a_body_that_cannot_be_read_is_refused(self, api: Api, name: str) -> None:
        for body in (b"", b"{", b"[]", b'{"apikey":"key37","apikey":"key38"}', b"\xff"):
            response = api.http.post(
                f"/api/v1/{name}", content=body, headers={"Content-Type": "application/json"}
            )
            assert response.status_code == 400
            assert set(response.json()) == {"status", "message"}

    def test_an_unknown_field_is_refused(self, api: Api, name: str) -> None:
        assert "symbols is not known here" in api.ask(name, 400, symbols="BTC-USD")["message"]

    def test_a_slash_at_the_end_is_the_same(self, api: Api, name: str) -> None:
        assert api.post(f"{name}/", apikey="wrong").status_code == 403

    def test_only_post_is_served(self, api: Api, name: str) -> None:
        assert api.http.get(f"/api/v1/{name}").status_code == 405


def test_a_reader_may_look_and_not_touch(api: Api) -> None:
    assert api.ask("orderbook", apikey="key50")["status"] == "success"
    for answer in (
        api.ask("cancelallorder", 403, apikey="key50"),
        api.ask("cancelorder", 403, apikey="key50", orderid="1"),
        api.ask(
            "placeorder",
            403,
            apikey="key50",
            exchange="SANDBOX",
            symbol="BTC-USD",
            action="BUY",
            quantity="1",
        ),
    ):
        assert answer == {
            "status": "error",
            "message": "user 50 has neither the Trading nor the Operator permission",
        }


def test_a_venue_out_of_reach_is_said_to_be(api: Api) -> None:
    order_id = api.place()
    api.gateway.say(LoseVenue())
    for name, fields in (("cancelorder", {"orderid": order_id}), ("cancelallorder", {})):
        message = api.ask(name, 500, **fields)["message"]
        assert "the venue of OMS 1 is out of reach; nothing was sent to it" in message
    api.gateway.say(FindVenue())
    assert api.status(order_id) == "open"


def test_above_the_rate_the_body_has_no_status_and_cancels_go_on(api: Api) -> None:
    """So a real server answers; and a cancel is never refused because of its rate."""
    order_id = api.place(apikey="key38")
    for _ in range(2_000):
        response = api.post("orderbook", apikey="key38")
        if response.status_code == 429:
            break
    assert response.status_code == 429
    assert response.json() == {"message": "too many requests; the next one may come in 1 s"}
    assert response.headers["retry-after"] == "1"
    assert api.ask("cancelorder", apikey="key38", orderid=order_id)["status"] == "success"
    assert api.ask("cancelallorder", apikey="key38")["status"] == "success"


def test_an_engine_that_is_away_is_said_to_be(api: Api) -> None:
    """Whatever the moment: nothing was done, or the outcome is not known; and then all is as before."""
    order_id = api.place()
    api.gateway.kill_engine()
    message = api.ask("cancelallorder", 500)["message"]
    assert "nothing was sent" in message or "the outcome is not known" in message
    api.gateway.until_ready()
    until(lambda: api.post("orderbook").status_code == 200)
    assert order_id in [row["orderid"] for row in api.ask("orderbook")["data"]["orders"]]


def test_the_page_documents_every_call_with_an_example(api: Api) -> None:
    paths = api.http.get("/openapi.json").json()["paths"]
    for name in ("placeorder", "cancelorder", "cancelallorder", "orderbook", "orderstatus"):
        call = paths[f"/api/v1/{name}"]["post"]
        assert call["requestBody"]["content"]["application/json"]["example"]["apikey"] == KEY
        for status_code, response in call["responses"].items():
            content = response["content"]["application/json"]
            assert content["example"], (name, status_code)
            assert content["schema"], (name, status_code)
