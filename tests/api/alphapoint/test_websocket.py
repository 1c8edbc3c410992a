"""Frames on a WebSocket against a running gateway: numbers, order, events, and what crosses over from FIX."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.api.alphapoint.client import OK, ORDER_KEYS, Frames, Web, assert_refused, fresh_id, order, signed
from tests.gateway import Gateway
from tests.wire import cancel, fresh

Dial = Callable[..., Frames]
ACCOUNT = {"OMSId": 1, "AccountId": 14}


@pytest.fixture
def dial(gateway: Gateway) -> Iterator[Dial]:
    """Opens WebSockets, by username ("" is nobody) and path; closes them at the end of the test."""
    with ExitStack() as opened:
        yield lambda *args: opened.enter_context(Frames(gateway.api_port, *args))


@pytest.fixture
def frames(dial: Dial, clean_gateway: Gateway) -> Frames:  # noqa: ARG001
    """User 37, subscribed to account 14; and no order is open."""
    frames = dial("trader37")
    assert frames.call("SubscribeAccountEvents", **ACCOUNT) == {"Subscribed": True}
    return frames


def entered(frames: Frames, **changes: object) -> int:
    """Enter an order in account 14; its OrderId, once its event is there."""
    reply = frames.call("SendOrder", **order(**changes))
    assert reply["status"] == "Accepted", reply
    assert frames.event("OrderStateEvent")["o"]["OrderId"] == reply["OrderId"]
    return int(reply["OrderId"])


# frames


@pytest.mark.parametrize("path", ["/WSGateway/", "/WSGateway", "/wsgateway/", "/wsgateway"])
def test_a_reply_echoes_number_and_function(dial: Dial, path: str) -> None:
    """From i=0 on, on every spelling of the path."""
    frames = dial("", path)
    for number in (0, 1, 2**53 + 1, -5):
        frame = frames.reply(frames.send("Ping", 0, number))
        assert frame == {"m": 1, "i": number, "n": "Ping", "o": {"msg": "PONG"}}


@pytest.mark.parametrize(
    ("text", "number", "code", "word"),
    [
        ("nonsense", 0, 100, "JSON object"),
        ("[1]", 0, 100, "JSON object"),
        ('{"m":0', 0, 100, "not JSON"),
        ("", 0, 100, "empty"),
        ('{"m":0,"i":7,"o":"{}"}', 7, 100, "n is missing"),
        ('{"m":0,"n":"Ping","o":"{}"}', 0, 100, "i is missing"),
        ('{"m":1,"i":7,"n":"Ping","o":"{}"}', 7, 100, "m is"),
        ('{"m":2,"i":7,"n":"CancelAllOrders","o":"{}"}', 7, 100, "subscribe"),
        ('{"m":4,"i":7,"n":"SubscribeAccountEvents","o":"{}"}', 7, 100, "unsubscribe"),
        ('{"m":0,"i":7,"n":"Ping","o":{}}', 7, 100, "o is not text"),
        ('{"m":0,"i":7,"n":"Ping","o":"[]"}', 7, 100, "o is not a JSON object"),
        ('{"m":0,"i":7,"n":"Ping","o":"{","x":1}', 7, 100, "x is not a key"),
        ('{"m":0,"i":7,"n":"Foo","o":"{}"}', 7, 106, "Foo"),
    ],
)
def test_a_bad_frame_gets_an_error_frame(dial: Dial, text: str, number: int, code: int, word: str) -> None:
    """With the standard reply and what can be echoed; the connection goes on."""
    frames = dial("")
    frames.socket.send(text)
    frame = frames.frame()
    assert (frame["m"], frame["i"]) == (5, number)
    assert_refused(frame["o"], code, word)
    assert frames.call("Ping") == {"msg": "PONG"}


def test_numbers_may_be_text_and_a_payload_may_be_missing(dial: Dial) -> None:
    """As some clients send them; the echo is a number."""
    frames = dial("")
    for text in ('{"m":"0","i":"4","n":"Ping"}', '{"M":0,"I":4,"N":"Ping","O":""}'):
        frames.socket.send(text)
        assert frames.frame() == {"m": 1, "i": 4, "n": "Ping", "o": {"msg": "PONG"}}


def test_requests_in_a_row_are_answered_in_their_order(frames: Frames) -> None:
    """Without waiting for replies, and whatever it is that takes longer."""
    functions = []
    for number in range(1_000, 1_200):
        function = ("GetOpenOrders", "Ping", "CancelAllOrders", "Foo", "GetUserAccounts")[number % 5]
        functions.append((number, function))
        frames.send(
            function, 0, number, **(ACCOUNT if function in ("GetOpenOrders", "CancelAllOrders") else {})
        )
    assert [(frame["i"], frame["n"]) for frame in (frames.frame() for _ in functions)] == functions


# logins


@pytest.mark.parametrize("function", ["WebAuthenticateUser", "AuthenticateUser"])
def test_a_websocket_logs_in_and_out(dial: Dial, function: str, webs: dict[str, Web]) -> None:
    """By name and password, by signature, and by the token of another login; LogOut ends it."""
    for payload in ({"UserName": "trader37", "Password": "trader37-demo"}, signed("trader37")):
        frames = dial("")
        assert_refused(frames.call("GetOpenOrders", **ACCOUNT), 20, "log in")
        token = frames.call(function, **payload)["SessionToken"]
        assert frames.call("GetUserAccounts") == [14, 15]
        other = dial("")
        assert other.call("WebAuthenticateUser", SessionToken=token)["SessionToken"] == token
        assert other.call("LogOut") == OK
        with pytest.raises(ConnectionClosed, match="1008"):
            frames.frame()
    wrong = dial("").call(function, UserName="trader37", Password="x")
    assert wrong == {"Authenticated": False, "Locked": False, "errormsg": "Invalid username or password"}
    assert webs["trader37"].get("GetUserAccounts") == [14, 15]


def test_what_follows_a_login_waits_for_it(dial: Dial) -> None:
    """A client may send its login and its first requests in one go."""
    frames = dial("")
    frames.send("WebAuthenticateUser", 0, 2, UserName="trader37", Password="trader37-demo")
    frames.send("GetUserAccounts", 0, 4)
    assert [frames.frame()["o"] for _ in range(2)][1] == [14, 15]


# events


@pytest.mark.parametrize("m", [0, 2])
def test_events_carry_the_number_of_the_subscription(dial: Dial, clean_gateway: Gateway, m: int) -> None:  # noqa: ARG001
    """Whether it came as request or as subscription; and the reply comes first."""
    frames = dial("trader37")
    assert frames.reply(frames.send("SubscribeAccountEvents", m, 77, **ACCOUNT))["o"] == {"Subscribed": True}
    order_id = frames.call("SendOrder", **order())["OrderId"]
    event = frames.event("OrderStateEvent")
    assert event["i"] == 77
    assert list(event["o"]) == ORDER_KEYS
    assert (event["o"]["OrderId"], event["o"]["ChangeReason"]) == (order_id, "NewInputAccepted")
    number = frames.send("UnsubscribeAccountEvents", 4 if m else 0, None, **ACCOUNT)
    assert frames.reply(number)["o"] == {"Unsubscribed": True}
    assert frames.call("CancelOrder", OMSId=1, OrderId=order_id) == OK
    frames.quiet()


def test_events_tell_the_life_of_an_order(frames: Frames, gateway: Gateway) -> None:
    """Entered, triggered, filled in part and to its end."""
    order_id = entered(frames, OrderType=4, StopPrice=90)
    gateway.say(TriggerOrder(order_id))
    assert frames.event("OrderStateEvent")["o"]["OrderState"] == "Working"
    gateway.say(FillOrder(order_id, Decimal(4), Decimal(95)))
    trade = frames.event("OrderTradeEvent")["o"]
    assert trade.pop("TradeId") > 0
    assert trade.pop("TradeTime") > 630_000_000_000_000_000
    assert trade == {
        "OMSId": 1,
        "OrderId": order_id,
        "AccountId": 14,
        "ClientOrderId": 0,
        "InstrumentId": 25,
        "Side": "Buy",
        "Quantity": 4,
        "Price": 95,
        "Value": 380,
        "ContraAcctId": None,
        "OrderTradeRevision": 1,
        "Direction": "NoChange",
    }
    state = frames.event("OrderStateEvent")["o"]
    assert (state["OrderState"], state["ChangeReason"], state["Quantity"]) == ("Working", "Trade", 6)
    assert (state["QuantityExecuted"], state["GrossValueExecuted"], state["AvgPrice"]) == (4, 380, 95)
    gateway.say(FillOrder(order_id, Decimal(6), Decimal(95)))
    frames.event("OrderTradeEvent")
    assert frames.event("OrderStateEvent")["o"]["OrderState"] == "FullyExecuted"


def test_a_cancel_is_acknowledged_and_then_rejected(frames: Frames, gateway: Gateway) -> None:
    """Its end is not known at once, and then the venue refuses."""
    order_id = entered(frames)
    gateway.say(HoldCancels())
    assert frames.call("CancelOrder", OMSId=1, OrderId=order_id) == OK
    frames.quiet()
    gateway.say(RefuseCancel(order_id, "in transit"))
    gateway.say(ReleaseCancels())
    assert frames.event("CancelOrderRejectEvent")["o"] == {
        "OMSId": 1,
        "AccountId": 14,
        "OrderId": order_id,
        "OrderRevision": 0,
        "OrderType": "Limit",
        "InstrumentId": 25,
        "Status": "Rejected",
        "RejectReason": "in transit",
    }
    gateway.say(RefuseCancel(order_id, "in transit"))
    assert frames.call("CancelAllOrders", **ACCOUNT) == OK
    assert frames.event("CancelOrderRejectEvent")["o"]["OrderId"] == order_id
    frames.quiet()


def test_a_refused_cancel_is_an_event_too(frames: Frames, webs: dict[str, Web]) -> None:
    """For the user who asked, on all his subscriptions to the account, and after the reply."""
    assert_refused(frames.call("CancelOrder", **ACCOUNT, OrderId=999_999), 104)
    event = frames.event("CancelOrderRejectEvent")["o"]
    assert (event["OrderId"], event["RejectReason"]) == (999_999, "Order Not Found")
    order_id = entered(frames)
    assert webs["trader37"].post("CancelOrder", OMSId=1, OrderId=order_id) == OK
    assert frames.event("OrderStateEvent")["o"]["OrderState"] == "Canceled"
    assert_refused(webs["trader37"].post("CancelOrder", OMSId=1, OrderId=order_id), 101)
    event = frames.event("CancelOrderRejectEvent")["o"]
    assert (event["OrderId"], event["OrderType"]) == (order_id, "Limit")
    assert_refused(webs["trader37"].post("CancelAllOrders", OMSId=1), 20)
    reject = {"OMSId": 1, "AccountId": 0, "InstrumentId": 0, "Status": "Rejected"}
    assert reject.items() <= frames.event("CancelAllOrdersRejectEvent")["o"].items()
    assert_refused(webs["trader37"].post("CancelAllOrders", **ACCOUNT, IntrumentId=99), 104)
    reject = {"OMSId": 1, "AccountId": 14, "InstrumentId": 99, "Status": "Rejected"}
    assert reject.items() <= frames.event("CancelAllOrdersRejectEvent")["o"].items()
    assert_refused(webs["trader38"].post("CancelAllOrders", **ACCOUNT, InstrumentId=99), 104)
    assert_refused(webs["trader37"].post("CancelAllOrders", OMSId=1, AccountId=15, InstrumentId=99), 104)
    frames.quiet()


def test_a_cancel_that_could_not_be_passed_on_is_no_event(
    frames: Frames, webs: dict[str, Web], gateway: Gateway
) -> None:
    """102 says nothing about the order: who hears a reject takes the cancel for rejected by the venue."""
    order_id = entered(frames)
    gateway.say(LoseVenue())
    try:
        for ask in (frames.call, webs["trader37"].post):
            assert_refused(ask("CancelOrder", **ACCOUNT, OrderId=order_id), 102, "nothing was sent")
            assert_refused(ask("CancelAllOrders", **ACCOUNT), 102, "nothing was sent")
    finally:
        gateway.say(FindVenue())
    frames.quiet()


def test_the_engine_says_who_may_subscribe(dial: Dial, frames: Frames) -> None:
    """Whoever may see the account; and twice is once, with the later number."""
    assert_refused(frames.call("SubscribeAccountEvents", OMSId=1, AccountId=16), 20, "AccountId=16")
    assert_refused(frames.call("SubscribeAccountEvents", OMSId=1, AccountId=0), 100, "AccountId")
    assert_refused(frames.call("SubscribeAccountEvents", OMSId=2, AccountId=14), 104, "OMSId=2")
    assert_refused(frames.call("SubscribeAccountEvents", OMSId=1), 100, "AccountId")
    assert_refused(dial("operator1").call("SubscribeAccountEvents", OMSId=1, AccountId=99), 104)
    reader = dial("reader50")
    assert reader.call("SubscribeAccountEvents", **ACCOUNT) == {"Subscribed": True}
    number = frames.send("SubscribeAccountEvents", **ACCOUNT)
    assert frames.reply(number)["o"] == {"Subscribed": True}
    order_id = frames.call("SendOrder", **order())["OrderId"]
    event = frames.event("OrderStateEvent")
    assert (event["i"], event["o"]["OrderId"]) == (number, order_id)
    frames.quiet()
    assert reader.event("OrderStateEvent")["o"]["OrderId"] == order_id


def test_a_snapshot_and_the_events_after_it_fit_together(frames: Frames) -> None:
    """What is in the reply of GetOpenOrders comes in no event after it, and what is not, does."""
    known: dict[int, str] = {}

    def take(frame: dict[str, Any]) -> None:
        body = frame["o"]
        if frame["n"] == "OrderStateEvent":
            known[body["OrderId"]] = body["OrderState"]
        elif frame["n"] == "GetOpenOrders":
            listed = {one["OrderId"] for one in body}
            assert listed == {one for one, state in known.items() if state == "Working"}

    for _ in range(20):
        frames.send("SendOrder", **order())
        frames.send("GetOpenOrders", **ACCOUNT)
        frames.send("SendOrder", **order())
        frames.send("CancelAllOrders", **ACCOUNT)
        frames.send("GetOpenOrders", **ACCOUNT)
    last = frames.send("Ping")
    while (frame := frames.frame())["i"] != last:
        take(frame)
    assert len(known) == 40


def test_log_out_ends_what_was_subscribed_to(frames: Frames, webs: dict[str, Web]) -> None:
    """Nobody is told anything any more."""
    assert frames.call("LogOut") == OK
    webs["trader37"].enter()
    frames.quiet()


# between FIX and this API


def test_an_order_from_fix_is_canceled_here_by_its_order_id(frames: Frames, gateway: Gateway) -> None:
    """Its ClOrdID is no number, so its ClientOrderId is 0; the FIX client is told, unsolicited."""
    trader = gateway.ready("TRADER37")
    resting = trader.rest()
    event = frames.event("OrderStateEvent")["o"]
    assert (event["OrderId"], event["ClientOrderId"]) == (int(resting.order_id), 0)
    assert frames.call("CancelOrder", OMSId=1, OrderId=int(resting.order_id)) == OK
    trader.expect(
        f"8|150=4|39=4|37={resting.order_id}|11={resting.cl_ord_id}|58=canceled, not at the request*"
    )
    assert frames.event("OrderStateEvent")["o"]["OrderState"] == "Canceled"


def test_an_order_from_here_is_canceled_over_fix(frames: Frames, gateway: Gateway) -> None:
    """Under its ClientOrderId as ClOrdID(11); and there is an event here."""
    trader = gateway.ready("TRADER37")
    own_id = fresh_id()
    order_id = entered(frames, ClientOrderId=own_id)
    trader.expect(f"8|150=0|37={order_id}|11={own_id}")
    trader.send("F", *cancel(fresh(), str(own_id)))
    trader.expect(f"8|150=4|37={order_id}|41={own_id}")
    event = frames.event("OrderStateEvent")["o"]
    assert (event["OrderId"], event["OrderState"], event["ClientOrderId"]) == (order_id, "Canceled", own_id)
    assert (event["ChangeReason"], event["Quantity"], event["OrigQuantity"]) == ("UserModified", 0, 10)


# habits of clients


def test_a_client_that_matches_by_number_alone(frames: Frames) -> None:
    """It takes every frame with its number for the reply: an event has the number of a call that is over."""
    first = frames.send("SendOrder", **order())
    second = frames.send("CancelAllOrders", **ACCOUNT)
    answers: dict[int, Any] = {}
    while len(answers) < 2:
        frame = frames.frame()
        if frame["i"] in (first, second):
            assert frame["i"] not in answers
            answers[frame["i"]] = frame["o"]
    assert answers[first]["status"] == "Accepted"
    assert answers[second] == OK


def test_a_restart_of_the_engine_closes_subscriptions(dial: Dial, gateway: Gateway) -> None:
    """1012: subscribe and read anew; what is not subscribed goes on."""
    subscribed, other = dial("trader37"), dial("trader37")
    subscribed.call("SubscribeAccountEvents", **ACCOUNT)
    gateway.kill_engine()
    assert subscribed.closed() == 1012
    reply = other.call("CancelAllOrders", **ACCOUNT)
    if reply != OK:  # the engine is not there again yet
        assert_refused(reply, 102, "nothing was sent")
    gateway.until_ready()
