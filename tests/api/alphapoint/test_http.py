"""The calls over HTTP against a running gateway: every documented example, and each error code."""

import base64
import re
from typing import Any

import httpx
import pytest

from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel
from tests.api.alphapoint.client import MESSAGES, OK, ORDER_KEYS, Web, assert_refused, fresh_id, order, signed
from tests.api.alphapoint.conftest import Visit
from tests.api.alphapoint.test_page import CONVERSATION
from tests.gateway import Gateway

LOGIN_KEYS = (
    "Authenticated",
    "SessionToken",
    "User",
    "Locked",
    "Requires2FA",
    "EnforceEnable2FA",
    "TwoFAType",
    "TwoFAToken",
    "errormsg",
)
WRONG = {"Authenticated": False, "Locked": False, "errormsg": "Invalid username or password"}


def calling(port: int, method: str, function: str, **kwargs: Any) -> Any:
    response = httpx.request(method, f"http://127.0.0.1:{port}/AP/{function}", **kwargs)
    assert response.status_code == 200, response.text
    return response.json()


# logging in


@pytest.mark.parametrize("function", ["AuthenticateUser", "Authenticate", "WebAuthenticateUser"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("form", ["basic", "signature"])
def test_logs_in_by_headers(gateway: Gateway, function: str, method: str, form: str) -> None:
    """By HTTP Basic and by the four headers of a signature, with GET and with POST."""
    word = base64.b64encode(b"trader37:trader37-demo").decode()
    headers = {"Authorization": f"Basic {word}"} if form == "basic" else signed("trader37")
    reply = calling(gateway.api_port, method, function, headers=headers)
    assert tuple(reply) == LOGIN_KEYS
    user = reply["User"]
    assert user == {
        "UserId": 37,
        "UserName": "trader37",
        "Email": "trader37@example.com",
        "EmailVerified": True,
        "AccountId": 14,
        "OMSId": 1,
        "Use2FA": False,
    }
    assert (reply["Authenticated"], reply["errormsg"]) == (True, None)
    token = {"aptoken": reply["SessionToken"]}
    assert calling(gateway.api_port, "GET", "GetUserAccounts", headers=token) == [14, 15]


@pytest.mark.parametrize("names", [("UserName", "Password"), ("username", "PASSWORD"), ("APIKey", "Nonce")])
def test_logs_in_by_a_body(gateway: Gateway, names: tuple[str, str]) -> None:
    """A POST may have the credentials in its body, as frames have them."""
    named = dict(zip(names, ("trader37", "trader37-demo"), strict=True))
    payload = signed("trader37") if "APIKey" in names else named
    assert calling(gateway.api_port, "POST", "AuthenticateUser", json=payload)["User"]["UserId"] == 37


def test_a_number_may_be_a_number_in_a_signature(gateway: Gateway) -> None:
    """UserId and Nonce were numbers in older documents."""
    said = signed("trader37")
    payload = {**said, "UserId": int(said["UserId"]), "Nonce": int(said["Nonce"])}
    assert calling(gateway.api_port, "POST", "AuthenticateUser", json=payload)["Authenticated"] is True


def test_a_login_that_fails_does_not_say_why(gateway: Gateway) -> None:
    """Wrong password, unknown user, wrong signature, used nonce, old token, nothing at all: one answer."""
    used = signed("trader37")
    calling(gateway.api_port, "GET", "Authenticate", headers=used)
    for payload in (
        {"UserName": "trader37", "Password": "x"},
        {"UserName": "nobody", "Password": "trader37-demo"},
        {"UserName": "trader37"},
        {**signed("trader37"), "Signature": "0" * 64},
        {**signed("trader37"), "UserId": "38"},
        used,
        {"SessionToken": "x"},
        {},
    ):
        assert calling(gateway.api_port, "POST", "AuthenticateUser", json=payload) == WRONG
    assert calling(gateway.api_port, "GET", "Authenticate", headers={"Authorization": "Basic ?"}) == WRONG


def test_credentials_are_given_once_and_not_in_a_query(gateway: Gateway) -> None:
    """A query is written into logs on its way; and two forms may be of two users."""
    port = gateway.api_port
    query = {"UserName": "trader37", "Password": "trader37-demo"}
    assert_refused(calling(port, "GET", "Authenticate", params=query), 100, "query")
    both = {**signed("trader37"), **query}
    assert_refused(calling(port, "POST", "Authenticate", json=both), 100, "not several")
    reply = calling(port, "POST", "Authenticate", json=query, headers=signed("trader37"))
    assert_refused(reply, 100, "once")
    assert_refused(calling(port, "POST", "Authenticate", json={"Passwort": "x"}), 100, "Passwort")
    basic = {"params": {"grant_type": "client_credentials"}, "auth": ("trader37", "trader37-demo")}
    assert calling(port, "GET", "Authenticate", **basic)["Authenticated"] is True


def test_each_call_may_be_signed(gateway: Gateway) -> None:
    """In place of a token, by a client that keeps none; a signature is good for one call."""
    said = signed("trader37")
    assert calling(gateway.api_port, "GET", "GetUserAccounts", headers=said) == [14, 15]
    assert_refused(calling(gateway.api_port, "GET", "GetUserAccounts", headers=said), 20)


def test_log_out_ends_the_token(visit: Visit) -> None:
    """What comes after it is not logged in."""
    web = visit("trader37")
    assert web.post("LogOut") == OK
    assert_refused(web.get("GetUserAccounts", OMSId=1), 20)


@pytest.mark.parametrize(
    "function", ["CancelAllOrders", "SendOrder", "GetEnums", "CancelReplaceOrder", "LogOut"]
)
def test_who_is_not_logged_in_is_told_so_with_http_200(visit: Visit, function: str) -> None:
    """404 would be read as something else; also with a token that is none."""
    web = visit("")
    assert_refused(web.post(function), 20, "log in")
    web.http.headers["APToken"] = "x"
    assert_refused(web.get(function), 20, "log in")


@pytest.mark.parametrize("prefix", ["/AP", "/ap"])
def test_public_calls_need_no_login(visit: Visit, prefix: str) -> None:
    """Ping, GetProducts and GetInstruments, on both spellings of the path."""
    web = visit("", prefix)
    assert web.get("Ping") == web.post("Ping") == {"msg": "PONG"}
    assert [one["Product"] for one in web.get("GetProducts", omsId=1)] == ["BTC", "USD", "ETH", "BTC-PERP"]
    pairs = [(one["Product1Symbol"], one["Product2Symbol"]) for one in web.post("GetInstruments", OMSId=1)]
    assert pairs == [("BTC", "USD"), ("ETH", "USD"), ("BTC-PERP", "USD")]
    assert [one["Symbol"] for one in web.get("GetInstruments", IntrumentId=26)] == ["ETH-USD"]
    assert_refused(web.get("GetInstruments", OMSId=2), 104, "OMSId=2")


@pytest.mark.parametrize("function", ["Foo", "sendorder", "Foo/Bar", ""])
def test_an_unknown_function_is_106(visit: Visit, function: str) -> None:
    """As standard reply, whoever asks."""
    assert_refused(visit("").get(function), 106)


# reference data


def test_accounts(web: Web, webs: dict[str, Web]) -> None:
    """Those of the user, or of another one for who may see them; an operator's are all."""
    for name in ("trader37", "Trader37@example.com"):
        assert web.get("GetUserAccounts", omsId=1, UserId=37, UserName=name) == [14, 15]
    assert webs["reader50"].get("GetUserAccounts", OMSId=1) == [14]
    assert webs["operator1"].get("GetUserAccounts", OMSId=1) == [14, 15, 16]
    assert webs["operator1"].post("GetUserAccounts", OMSId=1, UserId=38) == [14]
    assert_refused(web.get("GetUserAccounts", OMSId=1, UserId=38), 20)
    assert_refused(webs["operator1"].get("GetUserAccounts", OMSId=1, UserId=99), 104, "UserId=99")
    assert_refused(web.get("GetUserAccounts", OMSId=1, UserName="trader38"), 100, "UserName")


def test_account_info(web: Web, operator_web: Web) -> None:
    """Of an account within reach."""
    info = web.get("GetAccountInfo", OMSId=1, AccountId=14)
    assert (info["OMSID"], info["AccountId"], info["AccountName"]) == (1, 14, "14")
    assert_refused(web.get("GetAccountInfo", OMSId=1, AccountId=16), 20, "AccountId=16")
    assert_refused(operator_web.get("GetAccountInfo", OMSId=1, AccountId=99), 104, "AccountId=99")
    assert_refused(web.get("GetAccountInfo", OMSId=1), 100, "AccountId is missing")


def test_enums_have_the_documented_numbers(web: Web) -> None:
    """Requests use the numbers, replies the names."""
    found = {one["Property"]: {e["Name"]: e["Number"] for e in one["Enums"]} for one in web.get("GetEnums")}
    assert found["Side"] == {"Buy": 0, "Sell": 1, "Short": 2, "Unknown": 3}
    assert found["TimeInForce"]["GTC"] == 1
    assert found["OrderType"]["BlockTrade"] == 7
    assert found["ChangeReason"]["UserModified"] == 100


# orders


def test_the_documented_order_is_accepted(web: Web) -> None:
    """The example of the document, but for its ids."""
    reply = web.post(
        "SendOrder",
        InstrumentId=25,
        OMSId=1,
        AccountId=14,
        TimeInForce=1,
        ClientOrderId=fresh_id(),
        OrderIdOCO=0,
        UseDisplayQuantity=False,
        Side=0,
        Quantity=1,
        OrderType=2,
        PegPriceType=3,
        LimitPrice=8800,
    )
    assert list(reply) == ["status", "errormsg", "OrderId"]
    assert (reply["status"], reply["errormsg"]) == ("Accepted", "")


def test_the_order_object(web: Web) -> None:
    """All 46 keys in the documented spelling; Quantity is what remains."""
    own_id = fresh_id()
    order_id = web.enter(ClientOrderId=own_id, Quantity="1.500000000001", LimitPrice=8800.5)
    (found,) = web.get("GetOpenOrders", AccountId=14, OMSId=1)
    assert list(found) == ORDER_KEYS
    assert found["OrderId"] == found["OrigOrderId"] == order_id
    assert found["ClientOrderId"] == found["OrigClOrdId"] == own_id
    assert (found["Side"], found["OrderType"], found["OrderState"]) == ("Buy", "Limit", "Working")
    assert (found["Price"], found["Quantity"], found["OrigQuantity"]) == (
        8800.5,
        1.500000000001,
        1.500000000001,
    )
    assert (found["Instrument"], found["Account"], found["OMSId"], found["EnteredBy"]) == (25, 14, 1, 37)
    assert (found["UserName"], found["ChangeReason"]) == ("trader37", "NewInputAccepted")
    assert found["ReceiveTimeTicks"] // 10_000 - 62_135_596_800_000 == found["ReceiveTime"]
    assert web.post("CancelOrder", OMSId=1, AccountId=14, OrderId=order_id) == OK
    ended = web.get("GetOrderStatus", OMSId=1, AccountId=14, OrderId=order_id)
    assert list(ended) == ORDER_KEYS
    assert (ended["OrderState"], ended["Quantity"], ended["OrigQuantity"]) == ("Canceled", 0, 1.500000000001)
    assert (ended["ChangeReason"], ended["CancelReason"]) == ("UserModified", "UserModified")
    assert web.get("GetOpenOrders", AccountId=14, OMSId=1) == []
    assert web.get("GetOrdersHistory", AccountId=14, OMSId=1, Depth=1) == [ended]


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"AccountId": 16}, 20, "AccountId=16"),
        ({"InstrumentId": 99}, 104, "InstrumentId=99"),
        ({"OMSId": 7}, 104, "OMSId=7"),
        ({"TimeInForce": 3}, 106, "TimeInForce=IOC"),
        ({"TimeInForce": "FOK"}, 106, "TimeInForce=FOK"),
        ({"OrderType": 5}, 106, "OrderType=TrailingStopMarket"),
        ({"Side": 3}, 106, "Side=Unknown"),
        ({"OrderIdOCO": 4}, 106, "OrderIdOCO"),
        ({"UseDisplayQuantity": True}, 106, "UseDisplayQuantity"),
        ({"DisplayQuantity": 1}, 106, "DisplayQuantity"),
        ({"OrderType": 1}, 106, "LimitPrice"),
        ({"LimitOffset": 1}, 106, "LimitOffset"),
        ({"OrderType": 4, "StopPrice": 5, "PegPriceType": "Ask"}, 106, "PegPriceType=Ask"),
        ({"OrderType": 99}, 100, "OrderType is 99"),
        ({"Side": "Hold"}, 100, "Side is Hold"),
        ({"Quantity": 0}, 100, "Quantity is missing"),
        ({"Quantity": -1}, 100, "Quantity is -1"),
        ({"Quantity": "1e-13"}, 100, "Quantity is 1e-13"),
        ({"Quantity": True}, 100, "Quantity is true"),
        ({"LimitPrice": None}, 100, "LimitPrice is missing"),
        ({"Side": None}, 100, "Side is missing"),
        ({"TimeInForce": 0}, 106, "TimeInForce=Unknown"),
        ({"StopPrice": 5}, 100, "StopPrice"),
        ({"OrderType": 3}, 100, "StopPrice is missing"),
        ({"ClientOrderId": 2**63}, 100, "ClientOrderId"),
        ({"Quantiy": 1}, 100, "Quantiy is not a key of SendOrder"),
    ],
)
def test_an_order_is_rejected_with_a_word_and_a_sentence(
    web: Web, changes: dict[str, object], code: int, word: str
) -> None:
    """What cannot be honoured is refused by name, never ignored."""
    reply = web.post("SendOrder", **order(**changes))
    detail = reply.pop("detail")
    assert word in detail
    assert "(" not in detail.partition(" is not ")[0]
    assert reply == {"status": "Rejected", "errormsg": MESSAGES[code].replace(" ", "_"), "errorcode": code}


def test_a_used_client_order_id_is_rejected_as_documented(web: Web) -> None:
    """Open or not, on whichever account."""
    own_id = fresh_id()
    web.enter(ClientOrderId=own_id)
    again = web.post("SendOrder", **order(ClientOrderId=str(own_id), AccountId=15))
    assert again == {"status": "Rejected", "errormsg": "Invalid_ClientOrderId", "errorcode": 101}


def test_a_null_is_no_value(web: Web, gateway: Gateway) -> None:
    """As some libraries write what is not set; the order is good till canceled, as without the key."""
    nulls = dict.fromkeys(("TimeInForce", "StopPrice", "ClientOrderId", "OrderIdOCO", "UseMargin"))
    trader = gateway.ready("TRADER37")
    order_id = web.enter(**nulls)
    trader.expect(f"8|150=0|37={order_id}|59=1")


@pytest.mark.parametrize(
    ("kind", "name", "prices"),
    [
        (1, "Market", {"LimitPrice": 0}),
        ("stopmarket", "StopMarket", {"LimitPrice": 0, "StopPrice": 90}),
        ("4", "StopLimit", {"StopPrice": "90"}),
    ],
)
def test_other_order_types(web: Web, kind: object, name: str, prices: dict[str, object]) -> None:
    """By number, by name, and by a number as text."""
    order_id = web.enter(OrderType=kind, Side="Sell", **prices)
    found = web.get("GetOrderStatus", OMSId=1, OrderId=order_id)
    assert (found["OrderType"], found["Side"]) == (name, "Sell")
    assert found["StopPrice"] == (90 if "StopPrice" in prices else 0)


# cancels of one order


def test_an_order_is_canceled_by_its_ids(web: Web) -> None:
    """By OrderId, by account and client id, by both; in both spellings of the document."""
    for spelling in ("ClientOrderId", "ClOrderId", "clorderid"):
        own_id = fresh_id()
        order_id = web.enter(ClientOrderId=own_id)
        assert_refused(web.post("CancelOrder", OMSId=1, **{spelling: own_id}), 100, "AccountId is missing")
        both = {"AccountId": 14, "OrderId": order_id + 1000, spelling: own_id}
        assert_refused(web.post("CancelOrder", OMSId=1, **both), 100, "OrderId=")
        assert web.post("CancelOrder", OMSId=1, AccountId=14, **{spelling: str(own_id)}) == OK
        assert web.state(order_id) == "Canceled"
    own_id = fresh_id()
    order_id = web.enter(ClientOrderId=own_id)
    assert web.get("CancelOrder", OMSId=1, OrderId=order_id, ClientOrderId=own_id) == OK
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id), 101, "too late")


def test_a_cancel_of_one_order_that_is_refused(web: Web, webs: dict[str, Web], gateway: Gateway) -> None:
    """Each of the codes, first of all an unknown order: 104 at once."""
    order_id = web.enter()
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=999_999), 104, "OrderId")
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=2**63 - 1), 104, "OrderId")
    assert_refused(webs["trader39"].post("CancelOrder", OMSId=1, OrderId=order_id), 104, "OrderId")
    assert_refused(webs["reader50"].post("CancelOrder", OMSId=1, OrderId=order_id), 20)
    assert_refused(web.post("CancelOrder", OMSId=1), 100, "OrderId is missing")
    assert_refused(web.post("CancelOrder", OrderId=order_id), 100, "OMSId is missing")
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id, AccountId=15), 100, "AccountId=15")
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id, Symbol="x"), 100, "Symbol")
    assert_refused(web.post("CancelReplaceOrder", OMSId=1, OrderId=order_id, Anything=[1]), 106)
    gateway.say(RefuseCancel(order_id, "no"))
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id), 101, "venue refused")
    gateway.say(HoldCancels())
    assert web.post("CancelOrder", OMSId=1, OrderId=order_id) == OK
    assert web.state(order_id) == "Working"
    assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id), 101, "pending already")


def test_a_venue_out_of_reach_is_102(web: Web, gateway: Gateway) -> None:
    """Nothing was sent, and the detail says so."""
    order_id = web.enter()
    gateway.say(LoseVenue())
    try:
        assert_refused(web.post("CancelOrder", OMSId=1, OrderId=order_id), 102, "nothing was sent")
        assert_refused(web.post("CancelAllOrders", OMSId=1, AccountId=14), 102, "nothing was sent")
        reply = web.post("SendOrder", **order())
        assert (reply["status"], reply["errormsg"], reply["errorcode"]) == ("Rejected", "Server_Error", 102)
    finally:
        gateway.say(FindVenue())


# cancels of all orders: the eight rows

ROWS = [
    ((37, 14, 25), [0], True),
    ((37, 14, 0), [0, 1], True),
    ((37, 0, 25), [0, 2], True),
    ((37, 0, 0), [0, 1, 2], True),
    ((0, 14, 25), [0, 3], True),
    ((0, 14, 0), [0, 1, 3], True),
    ((0, 0, 25), [0, 2, 3, 4], False),
    ((0, 0, 0), [0, 1, 2, 3, 4], False),
]
ENTERED = [
    ("trader37", {"AccountId": 14, "InstrumentId": 25}),
    ("trader37", {"AccountId": 14, "InstrumentId": 26}),
    ("trader37", {"AccountId": 15, "InstrumentId": 25}),
    ("trader38", {"AccountId": 14, "InstrumentId": 25}),
    ("trader39", {"AccountId": 16, "InstrumentId": 25}),
]


@pytest.mark.parametrize("username", ["trader37", "operator1"])
@pytest.mark.parametrize(("named", "canceled", "trader_may"), ROWS)
def test_the_eight_rows(
    clean_gateway: Gateway,  # noqa: ARG001
    webs: dict[str, Web],
    username: str,
    named: tuple[int, int, int],
    canceled: list[int],
    trader_may: bool,
) -> None:
    """For a trader and for an operator: exactly the orders of the row, or nothing and 20."""
    ids = [webs[name].enter(**changes) for name, changes in ENTERED]
    user_id, account_id, instrument_id = named
    asked = {"OMSId": 1, "UserId": user_id, "AccountId": account_id, "InstrumentId": instrument_id}
    viewed = webs[username].post("GetOpenOrders", **asked)
    reply = webs[username].post("CancelAllOrders", **asked)
    still_open = {one["OrderId"] for one in webs["operator1"].get("GetOpenOrders", OMSId=1)}
    gone = [number for number, order_id in enumerate(ids) if order_id not in still_open]
    if username == "operator1" or trader_may:
        assert reply == OK
        assert gone == canceled
        assert [one["OrderId"] for one in viewed] == [ids[number] for number in canceled]
    else:
        assert_refused(reply, 20, "operator")
        assert_refused(viewed, 20, "operator")
        assert gone == []


@pytest.mark.parametrize("spelling", ["InstrumentId", "IntrumentId", "intrumentid", "instrumentID"])
@pytest.mark.parametrize("value", [25, "25"])
def test_no_spelling_of_the_instrument_widens_a_cancel(web: Web, spelling: str, value: object) -> None:
    """The document misspells it from 3.4 on, and a widely used client sends that, as text."""
    kept = web.enter(InstrumentId=26)
    gone = web.enter(InstrumentId=25)
    assert web.post("CancelAllOrders", omsId=1, AccountId=14, **{spelling: value}) == OK
    assert (web.state(kept), web.state(gone)) == ("Working", "Canceled")


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ({"OMSId": 1, "AccountId": 14, "InstrumentId": 25, "IntrumentId": 26}, "given twice"),
        ({"OMSId": 1, "AccountId": 14, "InstrumentId": 25, "instrumentid": "26"}, "given twice"),
        ({"OMSId": 1, "AccountId": 14, "Instrument": 25}, "Instrument is not a key"),
        ({"OMSId": 1, "AccountId": 14, "InstrumentId": "BTC-USD"}, "InstrumentId is BTC-USD"),
        ({"OMSId": 1, "AccountId": 14, "InstrumentId": None}, "InstrumentId is empty"),
        ({"OMSId": 1, "AccountId": 14, "InstrumentId": ""}, "InstrumentId is empty"),
        ({"OMSId": 1, "AccountId": -14}, "AccountId is -14"),
        ({"OMSId": 1, "AccountId": 14.0}, "AccountId is 14.0"),
        ({"OMSId": 1, "AccountId": True}, "AccountId is true"),
        ({"OMSId": 1, "AccountId": [14]}, "AccountId is"),
        ({"AccountId": 14}, "OMSId is missing"),
    ],
)
def test_a_cancel_that_is_not_understood_cancels_nothing(
    web: Web, payload: dict[str, object], word: str
) -> None:
    """100, and the order stays."""
    order_id = web.enter()
    assert_refused(web.post("CancelAllOrders", **payload), 100, word)
    assert web.state(order_id) == "Working"


def test_a_query_and_a_body_are_read_together(web: Web) -> None:
    """So that what is in one of them cannot be lost: both must agree."""
    kept, gone = web.enter(InstrumentId=26), web.enter(InstrumentId=25)
    path = "/AP/CancelAllOrders?InstrumentId=25"
    assert web.http.post(path, json={"OMSId": 1, "AccountId": 14}).json() == OK
    assert (web.state(kept), web.state(gone)) == ("Working", "Canceled")
    both = web.http.post(path, json={"OMSId": 1, "AccountId": 14, "InstrumentId": 26}).json()
    assert_refused(both, 100, "InstrumentId is given twice")
    twice = web.http.get("/AP/CancelAllOrders?OMSId=1&AccountId=14&InstrumentId=26&instrumentid=25").json()
    assert_refused(twice, 100, "InstrumentId is given twice")


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"x",
        b'{"OMSId":1',
        b'{"OMSId":1,"AccountId":14,"AccountId":15}',
        b"\xff",
        b'{"OMSId":NaN}',
        b"[" * 9_999,
    ],
)
def test_a_body_that_is_no_json_object_is_100(web: Web, content: bytes) -> None:
    """Also one that has a key twice."""
    assert_refused(web.http.post("/AP/CancelAllOrders", content=content).json(), 100)


def test_nothing_open_is_a_success(web: Web, webs: dict[str, Web]) -> None:
    """0 and absent are the same; names that nobody has are told to an operator only."""
    assert web.post("CancelAllOrders", OMSId=1, AccountId=14, UserId=0, InstrumentId=0) == OK
    assert web.post("CancelAllOrders", OMSId=1, AccountId="15") == OK
    assert_refused(web.post("CancelAllOrders", OMSId=1, AccountId=99), 20, "AccountId=99")
    assert_refused(webs["operator1"].post("CancelAllOrders", OMSId=1, AccountId=99), 104, "AccountId=99")
    assert_refused(webs["operator1"].post("CancelAllOrders", OMSId=1, UserId=99), 104, "UserId=99")
    assert_refused(
        web.post("CancelAllOrders", OMSId=1, AccountId=14, InstrumentId=99), 104, "InstrumentId=99"
    )
    assert_refused(webs["reader50"].post("CancelAllOrders", OMSId=1, AccountId=14), 20)


# lists


def test_history_is_listed_in_parts(web: Web) -> None:
    """Last changed first; a filter that cannot be honoured is 106, a depth above the bound 101."""
    ids = [web.enter() for _ in range(3)]
    found = web.get("GetOrdersHistory", OMSId=1, AccountId=14, Depth=2, StartTimeStamp=1)
    assert [one["OrderId"] for one in found] == [ids[2], ids[1]]
    later = web.get("GetOrdersHistory", OMSId=1, AccountId=14, Depth=1, StartIndex=2, Side="Buy")
    assert [one["OrderId"] for one in later] == [ids[0]]
    assert web.get("GetOrdersHistory", OMSId=1, AccountId=14, StartTimestamp=4_000_000_000_000) == []
    assert_refused(web.get("GetOrdersHistory", OMSId=1, AccountId=14, EndTimestamp=5), 106, "EndTimestamp")
    assert_refused(web.get("GetOrdersHistory", OMSId=1, AccountId=14, Depth=99_999), 101, "Depth")
    assert_refused(web.get("GetOrdersHistory", OMSId=1, AccountId=14, StartTimestamp=10**18), 100, "9999")
    assert_refused(web.get("GetOrdersHistory", OMSId=1), 20)


def test_status_by_client_order_id(web: Web, webs: dict[str, Web]) -> None:
    """How a client finds out what became of an order whose reply it has not got."""
    own_id = fresh_id()
    order_id = web.enter(ClientOrderId=own_id)
    assert web.get("GetOrderStatus", OMSId=1, AccountId=14, ClOrderId=own_id)["OrderId"] == order_id
    assert_refused(web.get("GetOrderStatus", OMSId=1, AccountId=14, ClOrderId=fresh_id()), 104)
    assert_refused(web.get("GetOrderStatus", OMSId=1, ClOrderId=own_id), 100, "AccountId")
    assert_refused(web.get("GetOrderStatus", OMSId=1, OrderId=order_id, ClOrderId=own_id), 100, "one of them")
    assert_refused(webs["trader39"].get("GetOrderStatus", OMSId=1, OrderId=order_id), 104)
    assert webs["reader50"].get("GetOrderStatus", OMSId=1, OrderId=order_id)["OrderState"] == "Working"


def test_subscriptions_are_for_websockets(web: Web) -> None:
    """106 says where they are."""
    assert_refused(web.post("SubscribeAccountEvents", OMSId=1, AccountId=14), 106, "WebSocket")


def test_the_openapi_document_has_every_call(gateway: Gateway) -> None:
    """With its keys and an example; generated from the table of calls."""
    document = httpx.get(f"http://127.0.0.1:{gateway.api_port}/openapi.json").json()
    post = document["paths"]["/AP/CancelAllOrders"]["post"]["requestBody"]["content"]["application/json"]
    assert set(post["schema"]["properties"]) == {"OMSId", "AccountId", "UserId", "InstrumentId"}
    assert post["example"]["InstrumentId"] == 25
    query = document["paths"]["/AP/CancelAllOrders"]["get"]["parameters"]
    assert {one["name"] for one in query if one["in"] == "query"} == set(post["schema"]["properties"])
    assert "/ap/CancelAllOrders" not in document["paths"]
    assert list(document["components"]["schemas"]["Order"]["properties"]) == ORDER_KEYS


def test_the_conversations_of_the_page(web: Web) -> None:
    """Every request gets the reply that stands below it; "..." stands for what differs each time."""
    order_id = ""
    assert len(CONVERSATION) > 10
    for method, path, body, wanted in CONVERSATION:
        path, body, wanted = (
            re.sub(r'(?<=OrderId=)1\b|(?<="OrderId":)1\b|(?<="OrigOrderId":)1\b', order_id or "1", text)
            for text in (path, body, wanted)
        )
        reply = web.http.request(method, path, content=body or None).text
        if "Accepted" in reply:
            order_id = re.findall(r"[0-9]+", reply)[-1]
            wanted = wanted.replace('"OrderId":1}', f'"OrderId":{order_id}}}')
        pattern = ".*?".join(re.escape(part) for part in wanted.split("..."))
        assert re.fullmatch(pattern, reply), f"{method} {path} {body}\n{reply}\n{wanted}"
