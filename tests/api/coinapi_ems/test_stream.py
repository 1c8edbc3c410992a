"""The WebSocket on a real gateway: what it begins with, what it tells, and what can be asked over it."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from socket import create_connection

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fixgw.core.requests import FillOrder
from fixgw.edge.api.coinapi_ems.models import MessageReject, OrderExecutionReport
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.api.coinapi_ems.client import PATIENCE, Json, Rest, Socket, new_order
from tests.gateway import Gateway, until
from tests.wire import Client, cancel, fresh, order

NEW, CANCEL, CANCEL_ALL = (
    "ORDER_NEW_SINGLE_REQUEST",
    "ORDER_CANCEL_SINGLE_REQUEST",
    "ORDER_CANCEL_ALL_REQUEST",
)


@pytest.fixture
def socket(clean_gateway: Gateway) -> Iterator[Socket]:
    """User 37's, past its snapshots."""
    with Socket(clean_gateway, "key37") as found:
        yield found.begin(2)


@pytest.fixture(scope="module")
def rest(gateway: Gateway) -> Iterator[Rest]:
    """User 37's calls."""
    made = Rest(gateway, "key37")
    yield made
    made.close()


def rejected(message: Json, text: str) -> str:
    """The reason of the MESSAGE_REJECT that `message` is, of what was sent as `text`."""
    MessageReject.model_validate(message)
    assert message["rejected_message"] == text
    return str(message["reject_reason"])


# The beginning


@pytest.mark.parametrize("query", ["", "?apikey=key99", "?apikey=key37&apikey=key38"])
def test_without_a_good_key_there_is_no_websocket(gateway: Gateway, query: str) -> None:
    url = f"ws://127.0.0.1:{gateway.api_port}/v1/{query}"
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["title"] == "Unauthorized"


def test_who_begins_with_a_frame_that_is_too_long_is_no_mistake_of_ours(gateway: Gateway) -> None:
    """1009, although the server has not written yet what a client begins with. Nor is who has no key."""
    handshake = (
        b"GET /v1/?apikey=key37 HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    )
    handshake += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
    engine = gateway.engine
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{gateway.api_port}/v1/?apikey=key99"):
        pass
    with closing(create_connection(("127.0.0.1", gateway.api_port), PATIENCE)) as connection:
        os.kill(engine, signal.SIGSTOP)  # so that the orders are not there yet
        try:
            connection.sendall(handshake)
            assert connection.recv(4_096).startswith(b"HTTP/1.1 101")
            connection.sendall(b"\x81\xff" + (70_000).to_bytes(8) + bytes(4) + b"x" * 70_000)
            assert connection.recv(4_096)[2:4] == (1009).to_bytes(2)
        finally:
            os.kill(engine, signal.SIGCONT)
        with Socket(gateway, "key37") as later:
            later.begin(2)
    login = {"UserName": "who-is-logged-later", "Password": "x"}
    httpx.post(f"http://127.0.0.1:{gateway.api_port}/AP/Authenticate", json=login, trust_env=False)
    assert gateway.log_lines("who-is-logged-later")
    assert '"level":"error"' not in gateway.log.read_text()


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/?apikey=key37"])
def test_every_documented_way_in(gateway: Gateway, path: str) -> None:
    with Socket(gateway, "key37", path) as found:
        assert found.first["type"] == "SERVER_INFO"


def test_it_begins_with_the_server_and_the_open_orders(
    clean_gateway: Gateway, rest: Rest, trader: Client
) -> None:
    """One snapshot for each account of the user, an empty one too; what was entered over FIX is in them."""
    resting = trader.rest((59, "1"))
    entered = rest.enter(exchange_id="SANDBOX/15")
    with Socket(clean_gateway, "key37") as found:
        info = found.first
        assert info == {
            "type": "SERVER_INFO",
            "time": info["time"],
            "instance_guid": info["instance_guid"],
            "exchange_id": "SANDBOX",
            "server_version": info["server_version"],
            "server_name": "fixgw",
            "dns_name": "127.0.0.1",
            "is_running": True,
            "time_server_start": info["time_server_start"],
        }
        found.begin(2)
        (report,) = found.snapshots["SANDBOX"]
        OrderExecutionReport.model_validate(report)
        assert (report["client_order_id"], report["exchange_order_id"]) == tuple(resting)
        assert found.snapshots["SANDBOX/15"] == [entered]
    with Socket(clean_gateway, "key39") as found:
        assert found.begin(1).snapshots == {"SANDBOX": []}


def test_the_server_says_each_second_that_it_runs(socket: Socket) -> None:
    for _ in range(2):
        message = socket.receive()
        assert (message["type"], message["exchange_id"], message["is_running"]) == (
            "SERVER_INFO",
            "SANDBOX",
            True,
        )


def test_snapshot_and_updates_fit_together_exactly(clean_gateway: Gateway, trader: Client) -> None:
    """While orders are entered, each client hears of each order once: in the snapshot or after it."""
    count = 200
    ids = [fresh("fit-") for _ in range(count)]

    def enter() -> None:
        for an_id in ids:
            trader.send("D", *order(an_id))

    entering = threading.Thread(target=enter)
    entering.start()
    for _ in range(4):
        with Socket(clean_gateway, "key37") as found:
            heard = [report["client_order_id"] for report in found.begin(2).snapshots["SANDBOX"]]
            while len(heard) < count:
                heard.append(found.report("NEW")["client_order_id"])
            assert heard == ids
            found.quiet()
    entering.join()


# What happens


def test_what_happens_elsewhere_is_told(gateway: Gateway, socket: Socket, rest: Rest, trader: Client) -> None:
    """Entered over REST, filled by the venue, canceled over FIX."""
    entered = rest.enter(amount_order=10, price=100)
    assert socket.report("NEW") == entered
    gateway.say(FillOrder(int(entered["exchange_order_id"]), Decimal(4), Decimal(99)))
    filled = socket.report("PARTIALLY_FILLED")
    assert (filled["amount_filled"], filled["amount_open"], filled["avg_px"]) == (4, 6, 99)
    (fill,) = filled["fills"]
    assert fill == {"time": filled["status_history"][1][1], "price": 99, "amount": 4}
    trader.send("F", *cancel(fresh("c"), entered["client_order_id"]))
    canceled = socket.report("CANCELED")
    assert (canceled["amount_filled"], canceled["amount_open"], canceled["fills"]) == (4, 0, [])
    socket.quiet()


def test_other_users_orders_are_not_told(
    socket: Socket, trader: Client, colleague: Client, stranger: Client
) -> None:
    """A colleague's in the shared account neither: the stream is about the user's own, as the lists are."""
    colleague.rest()
    stranger.rest((1, 16))
    resting = trader.rest()
    assert socket.report("NEW")["exchange_order_id"] == resting.order_id
    socket.quiet()


def test_a_cancel_that_is_held_and_then_refused(gateway: Gateway, socket: Socket, rest: Rest) -> None:
    entered = rest.enter()
    socket.report("NEW")
    gateway.say(HoldCancels())
    text = socket.send(
        {"type": CANCEL, "exchange_id": "SANDBOX", "exchange_order_id": entered["exchange_order_id"]}
    )
    assert socket.report("PENDING_CANCEL")["amount_open"] == Decimal("0.045")
    socket.send(text)
    assert rejected(socket.next(), text) == "OTHER"
    gateway.say(RefuseCancel(int(entered["exchange_order_id"]), "in transit"))
    gateway.say(ReleaseCancels())
    assert socket.report("NEW")["error_message"] == "Operation Failed (errorcode 101): in transit"


# Requests


def test_an_order_is_entered_and_canceled(socket: Socket) -> None:
    """What is carried out is told by reports, and by nothing else."""
    asked = new_order(exchange_id="SANDBOX/15")
    socket.send({"type": NEW, **asked})
    entered = socket.report("NEW")
    assert (entered["client_order_id"], entered["exchange_id"]) == (asked["client_order_id"], "SANDBOX/15")
    socket.send({"type": CANCEL, "exchange_id": "SANDBOX", "client_order_id": asked["client_order_id"]})
    assert socket.report("CANCELED")["exchange_order_id"] == entered["exchange_order_id"]
    socket.quiet()


def test_all_orders_are_canceled(socket: Socket, colleague: Client) -> None:
    """The user's own."""
    resting = colleague.rest()
    for _ in range(3):
        socket.send({"type": NEW, **new_order()})
    ids = {socket.report("NEW")["exchange_order_id"] for _ in range(3)}
    socket.send({"type": CANCEL_ALL, "exchange_id": "SANDBOX"})
    assert {socket.report("CANCELED")["exchange_order_id"] for _ in range(3)} == ids
    socket.quiet()
    colleague.send("F", *cancel(fresh("c"), resting.cl_ord_id))
    colleague.expect("8|39=4")


def test_a_colleagues_order_is_canceled_by_its_id(socket: Socket, colleague: Client) -> None:
    """In a shared account. Whoever asked for it is told, although the order is not his."""
    resting = colleague.rest()
    socket.send({"type": CANCEL, "exchange_id": "SANDBOX", "exchange_order_id": resting.order_id})
    assert socket.report("CANCELED")["exchange_order_id"] == resting.order_id
    socket.quiet()


UNKNOWN = {"type": CANCEL, "exchange_id": "SANDBOX", "client_order_id": "BINANCE-7d8a-4888"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "JSON_ERROR"),
        ("[]", "JSON_ERROR"),
        ({}, "INVALID_TYPE"),
        ({"type": "ORDER_EXEC_REPORT_UPDATE"}, "INVALID_TYPE"),
        ({"type": 7}, "INVALID_TYPE"),
        (UNKNOWN, "ORDER_ID_NOT_FOUND"),
        ({"type": CANCEL_ALL}, "OTHER"),
        ({"type": CANCEL_ALL, "exchange_id": "SANDBOX", "side": "BUY"}, "OTHER"),
        ({"type": CANCEL_ALL, "exchange_id": "SANDBOX/16"}, "OTHER"),
        ({"type": NEW, **new_order(side="HOLD")}, "OTHER"),
    ],
)
def test_what_is_refused_is_said_with_the_message(socket: Socket, message: str | Json, reason: str) -> None:
    text = socket.send(message)
    assert rejected(socket.next(), text) == reason
    socket.quiet()


def test_the_documented_reject_key_by_key(socket: Socket) -> None:
    text = socket.send(UNKNOWN)
    assert socket.next() == {
        "type": "MESSAGE_REJECT",
        "reject_reason": "ORDER_ID_NOT_FOUND",
        "exchange_id": "SANDBOX",
        "message": "Resource Not Found (errorcode 104): client_order_id names no order",
        "rejected_message": text,
    }


def test_a_used_client_order_id_is_rejected_without_a_report(socket: Socket, rest: Rest) -> None:
    """A report would be taken for one on the order that has the id."""
    entered = rest.enter()
    socket.report("NEW")
    text = socket.send({"type": NEW, **new_order(client_order_id=entered["client_order_id"])})
    assert rejected(socket.next(), text) == "OTHER"
    socket.quiet()


def test_a_venue_out_of_reach_is_said(gateway: Gateway, socket: Socket) -> None:
    gateway.say(LoseVenue())
    try:
        text = socket.send({"type": CANCEL_ALL, "exchange_id": "SANDBOX"})
        assert rejected(socket.next(), text) == "EXCHANGE_UNREACHABLE"
    finally:
        gateway.say(FindVenue())


def test_a_binary_frame_ends_the_connection(socket: Socket) -> None:
    """Frames are text: 1003."""
    socket.send_bytes(b"{}")
    with pytest.raises(ConnectionClosed) as closed:
        socket.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def test_requests_are_pipelined_and_carried_out_in_order(socket: Socket) -> None:
    """Many at once, each order entered before the cancel of all that follows it."""
    asked = [new_order() for _ in range(50)]
    for one in asked:
        socket.send({"type": NEW, **one})
    texts = [socket.send({**UNKNOWN, "client_order_id": f"no{number}"}) for number in range(150)]
    socket.send({"type": CANCEL_ALL, "exchange_id": "SANDBOX"})
    last = socket.send({"type": "the last"})
    messages = socket.until(lambda message: message.get("rejected_message") == last)
    rejects = [found["rejected_message"] for found in messages if found["type"] == "MESSAGE_REJECT"]
    assert rejects == [*texts, last]
    wanted = [one["client_order_id"] for one in asked]
    for status in ("NEW", "CANCELED"):
        told = [found["client_order_id"] for found in messages if found.get("status") == status]
        assert told == wanted


# The end


def ends(found: Socket) -> int:
    """That it is told first that the server does not run, and the close code that it ends with."""
    found.until(lambda message: not message.get("is_running", True))
    with pytest.raises(ConnectionClosed) as closed:
        found.next()
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def test_when_the_engine_starts_again_the_client_has_to_as_well(clean_gateway: Gateway, rest: Rest) -> None:
    """It is told that the server does not run, and closed with 1012; then it finds its orders again."""
    entered = rest.enter()
    with Socket(clean_gateway, "key37") as found:
        found.begin(2)
        clean_gateway.kill_engine()
        assert ends(found) == 1012
    clean_gateway.until_ready()

    def begins() -> bool:
        with Socket(clean_gateway, "key37") as again:
            if not again.first["is_running"]:
                return False
            return again.begin(2).snapshots["SANDBOX"] == [entered]

    until(begins)


def test_who_loses_his_key_or_gets_an_account_has_to_begin_again(gateway: Gateway) -> None:
    """1008 for a key that is not good any more; 1012 for accounts that were not watched."""
    with Socket(gateway, "key39") as without_key, Socket(gateway, "key38") as with_account:
        without_key.begin(1)
        with_account.begin(1)
        text = gateway.config.read_text()
        text = text.replace('api_key = "key39"', 'api_key = "another"')
        text = text.replace("id = 38\noms = [1]\naccounts = [14]", "id = 38\noms = [1]\naccounts = [14, 15]")
        gateway.config.write_text(text)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        assert ends(without_key) == 1008
        assert ends(with_account) == 1012
    with Socket(gateway, "key38") as again:
        assert again.begin(2).snapshots.keys() == {"SANDBOX", "SANDBOX/15"}


def test_a_stop_is_said_before_the_connection_ends(gateway: Gateway) -> None:
    """Of the whole gateway, so this test is the last."""
    with Socket(gateway, "key37") as found:
        found.begin(2)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGTERM)
        assert ends(found) == 1012
    assert gateway.ended() == 0
