"""The adapter of AlphaPoint and a venue that does everything wrong: the contract's errors, and no others."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fixgw import certificates
from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.contract import (
    CancelReject,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueRefusedError,
)
from tests.gateway import free_port
from tests.venues.alphapoint.build import SHARED, Scene, new, place_at, running
from tests.venues.alphapoint.rough import HANG_UP, LOGGED_IN, SILENCE, Rough, rough

Script = Callable[[Rough, Scene], Awaitable[None]]

BROKEN: list[Any] = ["", "null", "{}", "[]", "7", '{"result":', "<html>", '{"result":null}', '{"Accepted":1}']
REFUSED = {"result": False, "errormsg": "Operation Failed", "errorcode": 101, "detail": "no"}
NOT_THERE = {"result": False, "errormsg": "Resource Not Found", "errorcode": 104, "detail": None}
WORKING = {"OMSId": 1, "Account": 14, "Instrument": 25, "OrderId": 5, "OrderState": "Working", "Side": "Buy"}
WORKING |= {"OrderType": "Limit", "OrigQuantity": 3, "Price": 2}


def play(script: Script, *, has_socket: bool = True, **answers: Any) -> None:
    """Run `script` with an adapter that is connected to a venue with these answers."""

    async def played() -> None:
        async with rough() as venue:
            venue.answers.update(answers)
            port = venue.socket_port if has_socket else free_port()
            place = place_at(venue.port, ws_url=f"ws://127.0.0.1:{port}/", request_seconds=1)
            async with running(place) as scene:
                await script(venue, scene)

    asyncio.run(played())


async def changes(scene: Scene, order: Order, error: type[Exception]) -> None:
    """Each change raises the error."""
    with pytest.raises(error):
        await scene.adapter.place(order)
    with pytest.raises(error):
        await scene.adapter.cancel(order)
    with pytest.raises(error):
        await scene.adapter.cancel_all(CancelSelector(1, SHARED))


async def looks(scene: Scene, order: Order, error: type[Exception]) -> None:
    """Each look raises the error."""
    with pytest.raises(error):
        await scene.adapter.open_orders(CancelSelector(1, SHARED))
    with pytest.raises(error):
        await scene.adapter.find(order)


@pytest.mark.parametrize("has_socket", [True, False], ids=["socket", "HTTP"])
def test_an_answer_that_makes_no_sense(*, has_socket: bool) -> None:
    """After a change nobody knows; a look has seen nothing, and never that there are no orders."""

    async def script(venue: Rough, scene: Scene) -> None:
        order = new()
        for broken in BROKEN:
            answer = broken if has_socket else (200, "", broken)
            for function in ("SendOrder", "CancelOrder", "CancelAllOrders", "GetOrderStatus"):
                venue.answers[function] = answer
            await changes(scene, order, UnknownOutcomeError)
            if broken != "[]":
                venue.answers["GetOpenOrders"] = answer
                await looks(scene, order, VenueAwayError)

    play(script, has_socket=has_socket)


def test_no_answer_and_a_connection_that_ends() -> None:
    """After a change nobody knows, and it is never sent twice; then it connects again."""

    async def script(venue: Rough, scene: Scene) -> None:
        order = new()
        with pytest.raises(UnknownOutcomeError, match="no answer within 1 s"):
            await scene.adapter.place(order)
        with pytest.raises(VenueAwayError, match="no answer within 3 s"):
            await scene.adapter.open_orders(CancelSelector(1, SHARED))
        venue.answers["CancelOrder"] = HANG_UP
        with pytest.raises(UnknownOutcomeError, match="the connection ended"):
            await scene.adapter.cancel(order)
        names = [function for function, _ in venue.asked]
        assert (names.count("SendOrder"), names.count("CancelOrder")) == (1, 1)
        await scene.until(lambda: scene.adapter.is_up)
        venue.answers["CancelOrder"] = {"result": True}
        await scene.adapter.cancel(order)

    play(script)


def test_a_list_that_takes_long_to_come_is_read() -> None:
    """The answers to pings wait behind it: that proves nothing about the venue."""

    async def script(venue: Rough, scene: Scene) -> None:
        venue.answers["GetOpenOrders"] = [WORKING | {"OrderId": number} for number in range(1, 1_501)]
        venue.slow["GetOpenOrders"] = 9
        assert len(await scene.adapter.open_orders(CancelSelector(1, SHARED))) == 1_500
        assert [function for function, _ in venue.asked].count("AuthenticateUser") == 1

    play(script)


def test_a_venue_that_falls_silent_is_given_up() -> None:
    """Nothing comes, not even the answer to a ping: then it connects again."""

    async def script(venue: Rough, scene: Scene) -> None:
        silent = venue.socket
        assert silent is not None
        silent.transport.pause_reading()
        await scene.until(lambda: [function for function, _ in venue.asked].count("AuthenticateUser") == 2)
        silent.transport.resume_reading()

    play(script)


@pytest.mark.parametrize(
    ("answer", "of_change", "of_look"),
    [
        (HANG_UP, UnknownOutcomeError, VenueAwayError),
        ((500, "", "oops"), UnknownOutcomeError, VenueAwayError),
        ((504, "", ""), UnknownOutcomeError, VenueAwayError),
        ((400, "", "{}"), VenueRefusedError, VenueRefusedError),
        ((302, "Location: /\r\n", ""), VenueRefusedError, VenueRefusedError),
        ((429, "Retry-After: 7\r\n", ""), VenueBusyError, VenueBusyError),
    ],
    ids=["hang up", "500", "504", "400", "302", "429"],
)
def test_what_a_status_means(answer: object, of_change: type[Exception], of_look: type[Exception]) -> None:
    """Over HTTP."""

    async def script(venue: Rough, scene: Scene) -> None:
        functions = ("SendOrder", "CancelOrder", "CancelAllOrders", "GetOrderStatus", "GetOpenOrders")
        venue.answers.update(dict.fromkeys(functions, answer))
        await changes(scene, new(), of_change)
        await looks(scene, new(), of_look)

    play(script, has_socket=False)


def test_how_long_a_busy_venue_wants_to_be_left_alone() -> None:
    """By its header, by its words, or a second."""

    async def script(venue: Rough, scene: Scene) -> None:
        for answer, seconds in (
            ((429, "Retry-After: 7\r\n", ""), 7.0),
            ((429, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", ""), 1.0),
            ((429, "Retry-After: nan\r\n", ""), 1.0),
            ((429, "Retry-After: -1\r\n", ""), 0.0),
            ({**REFUSED, "detail": "too many requests; ask again in 0.250 seconds."}, 0.25),
            ({**REFUSED, "errormsg": "Rate limit exceeded"}, 1.0),
        ):
            venue.answers["CancelOrder"] = answer
            with pytest.raises(VenueBusyError) as busy:
                await scene.adapter.cancel(new())
            assert busy.value.seconds == seconds

    play(script, has_socket=False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_refused_later(status: int) -> None:
    """Over HTTP it is no login any more, and a new one is made."""

    async def script(venue: Rough, scene: Scene) -> None:
        venue.answers["CancelOrder"] = (status, "", "")
        with pytest.raises(VenueRefusedError, match=f"refuses the login: HTTP {status}"):
            await scene.adapter.cancel(new())
        await scene.until(lambda: scene.adapter.is_up)

    play(script, has_socket=False)


def test_a_login_that_is_too_old_is_made_again() -> None:
    """Over HTTP with a token, and once; on a WebSocket with a new connection."""
    nobody = {"result": False, "errormsg": "Not Authorized", "errorcode": 20, "detail": None}

    async def over_http(venue: Rough, scene: Scene) -> None:
        venue.answers["GetOpenOrders"] = nobody
        venue.asked.clear()
        with pytest.raises(VenueRefusedError, match="errorcode 20"):
            await scene.adapter.open_orders(CancelSelector(1, SHARED))
        names = [function for function, _ in venue.asked]
        assert names == ["GetOpenOrders", "AuthenticateUser", "GetOpenOrders"]

    async def on_socket(venue: Rough, scene: Scene) -> None:
        venue.answers["GetOpenOrders"] = nobody
        before = venue.socket
        with pytest.raises(VenueRefusedError, match="errorcode 20"):
            await scene.adapter.open_orders(CancelSelector(1, SHARED))
        await scene.until(lambda: venue.socket is not before and scene.adapter.is_up)

    play(over_http, has_socket=False)
    play(on_socket)


def test_what_the_venue_says_of_orders_and_nobody_can_read_is_left_out() -> None:
    """And the connection goes on."""

    async def script(venue: Rough, scene: Scene) -> None:
        before = venue.socket
        for text in ("", "no JSON", "[]", "{}", '{"m":3,"i":"x","n":"OrderStateEvent","o":"{}"}', '{"o":7}'):
            await venue.raw(text)
        for payload in (
            "",
            "[]",
            "{}",
            "no JSON",
            {**WORKING, "OrderState": "Thinking"},
            {**WORKING, "OrderId": 0},
        ):
            await venue.event("OrderStateEvent", payload)
        for change in ({"Account": 99}, {"Instrument": 99}, {"OMSId": 2}, {"Side": 3}, {"OrigQuantity": 0}):
            await venue.event("OrderStateEvent", {**WORKING, **change})
        await venue.event("CancelOrderRejectEvent", {"OrderId": "many"})
        await venue.event("CancelAllOrdersRejectEvent", {})
        await venue.event("SomethingNew", {"a": 1})
        await venue.event("", REFUSED, 5)
        await venue.event("GetOpenOrders", [], 1)
        await venue.event("OrderStateEvent", WORKING)
        await scene.until(lambda: bool(scene.heard))
        (said,) = scene.heard
        assert isinstance(said, VenueOrder)
        assert (said.venue_order_id, said.status) == ("5", VenueStatus.OPEN)
        assert venue.socket is before

    play(script)


def test_one_order_of_a_list_that_cannot_be_read_hides_no_other() -> None:
    """It is left out, and logged once."""
    listed = [{**WORKING, "OrderId": "x"}, WORKING, 7]

    async def script(_: Rough, scene: Scene) -> None:
        found = await scene.adapter.open_orders(CancelSelector(1, SHARED))
        assert [one.venue_order_id for one in found] == ["5"]

    play(script, GetOpenOrders=listed)


def test_a_reject_of_a_cancel_on_its_way_is_none() -> None:
    """That another cancel came second changes nothing; any other reject is told."""

    async def script(venue: Rough, scene: Scene) -> None:
        reject = {"OMSId": 1, "AccountId": 14, "OrderId": 5, "RejectReason": "a cancel is pending already"}
        await venue.event("CancelOrderRejectEvent", reject)
        await venue.event("CancelOrderRejectEvent", {**reject, "RejectReason": "Order\x01Not Found"})
        await scene.until(lambda: bool(scene.heard))
        assert scene.heard == [CancelReject("Order?Not Found", 0, "5")]

    play(script)


def test_an_order_is_found_in_the_history_where_a_client_id_finds_nothing() -> None:
    """A venue need not find by ClientOrderId; what it does not show anywhere is not there."""
    order = new()

    async def script(venue: Rough, scene: Scene) -> None:
        scene.adapter.know(order)
        for answer in (NOT_THERE, {**NOT_THERE, "errorcode": 100}, {**NOT_THERE, "errorcode": 106}):
            venue.answers["GetOrderStatus"] = answer
            venue.answers["GetOrdersHistory"] = [{**WORKING, "OrderId": 4}]
            if answer is NOT_THERE:
                assert await scene.adapter.find(order) is None
                venue.answers["GetOrdersHistory"] = {**NOT_THERE, "errorcode": 106}
                assert await scene.adapter.find(order) is None
            else:
                with pytest.raises(VenueRefusedError):
                    await scene.adapter.find(order)
        number = next(asked["ClientOrderId"] for name, asked in venue.asked if name == "GetOrderStatus")
        ended = {
            **WORKING,
            "ClientOrderId": str(number),
            "OrderState": 3,
            "QuantityExecuted": "1.0",
            "AvgPrice": 2.5,
        }
        venue.answers["GetOrdersHistory"] = [WORKING | {"OrderId": 4}, ended]
        found = await scene.adapter.find(order)
        assert found is not None
        assert (found.order_id, found.status, str(found.cum_qty)) == (
            order.order_id,
            VenueStatus.CANCELED,
            "1",
        )

    play(script)


def test_another_order_than_the_one_that_was_asked_for_is_no_answer() -> None:
    """Neither by its id nor by its client id."""

    async def script(_: Rough, scene: Scene) -> None:
        with pytest.raises(VenueAwayError, match="another order"):
            await scene.adapter.find(new())
        with pytest.raises(VenueAwayError, match="another order"):
            await scene.adapter.find(new(venue_order_id="6"))

    play(script, GetOrderStatus=WORKING)


@pytest.mark.parametrize(
    ("login", "why"),
    [
        ({**LOGGED_IN, "Requires2FA": True, "Authenticated": False}, "second factor"),
        ({"Authenticated": False, "Locked": True}, "locked this user"),
        ({"Authenticated": False, "errormsg": None}, "refuses the login"),
        (REFUSED, "refuses the login: Operation Failed: no"),
        ({}, "not readable"),
        ("", "not readable"),
        (SILENCE, "no answer"),
        (HANG_UP, "ended"),
    ],
    ids=["2FA", "locked", "refused", "error", "empty", "nothing", "silence", "hang up"],
)
def test_why_there_is_no_login(login: object, why: str) -> None:
    """It is said, for a person."""

    async def played() -> None:
        async with rough() as venue:
            venue.answers["AuthenticateUser"] = login
            place = place_at(free_port(), ws_url=f"ws://127.0.0.1:{venue.socket_port}/", request_seconds=1)
            async with running(place, up=False) as scene:
                await scene.until(lambda: why in scene.adapter.why_away)
                assert not scene.adapter.is_up

    asyncio.run(played())


@pytest.mark.parametrize("has_socket", [True, False], ids=["socket", "HTTP"])
def test_a_certificate_that_nobody_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_socket: bool
) -> None:
    """It ends the attempt, before any secret is sent; with its authority among the system's it is good."""
    certificates.make(tmp_path, ["127.0.0.1"], [], datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")

    async def played() -> None:
        async with rough(context) as venue:
            port = venue.socket_port if has_socket else free_port()
            place = place_at(
                venue.port, url=f"https://127.0.0.1:{venue.port}", ws_url=f"wss://127.0.0.1:{port}/"
            )
            async with running(place, up=False) as scene:
                await scene.until(lambda: "over HTTP" in scene.adapter.why_away)
                assert not scene.adapter.is_up
                assert "CERTIFICATE_VERIFY_FAILED" in scene.adapter.why_away
                assert venue.asked == []
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            async with running(place) as scene:
                venue.answers["CancelOrder"] = {"result": True}
                await scene.adapter.cancel(new())

    asyncio.run(played())
