"""The adapter with a venue that fails in every way, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from fixgw.core.order import NOBODY, Order, OrdStatus
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.coinapi_ems import connection
from fixgw.edge.venues.contract import (
    CancelReject,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from tests.venues.coinapi_ems.rig import CANCELED, FILLED, OPEN, Scene, new, place, play
from tests.venues.coinapi_ems.scripted import DROP, HANG, REPORT, Json, Venue, http, info, played, reject

NEW, CANCEL, CANCEL_ALL = "POST /v1/orders", "POST /v1/orders/cancel", "POST /v1/orders/cancel/all"
ACCOUNT = CancelSelector(1, account_id=14)


def resting(number: str = "x1", **fields: Any) -> Order:
    """An order that the venue has confirmed."""
    return new(**{"status": OrdStatus.NEW, "on_venue": True, "venue_order_id": number, **fields})


def about(order: Order, **fields: Any) -> Json:
    """A report on an order."""
    return {**REPORT, "client_order_id": name_of(order), "exchange_order_id": order.venue_order_id, **fields}


UNKNOWN = [
    http(504, reject("EXCHANGE_RESPONSE_TIMEOUT")),
    http(504, b"<html>gateway</html>"),
    http(500, {"title": "Server Error", "status": 500}),
    http(502),
    http(503, reject("OTHER")),
    http(302, b"", "Location: http://127.0.0.1:1/"),
    http(200),
    http(200, b'{"type":'),
    http(200, b"[]"),
    http(200, b"null"),
    http(200, b'"NEW"'),
    http(200, {**REPORT, "status": None}),
    http(200, {**REPORT, "status": "AMENDED"}),
    http(200, {**REPORT, "amount_filled": "many"}),
    http(200, {"type": "MESSAGE"}),
    http(200, reject("EXCHANGE_RESPONSE_TIMEOUT")),
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    DROP,
    HANG,
]
REFUSED = [
    (http(400, {"status": 400, "errors": "price is wrong"}), VenueRefusedError, "price is wrong"),
    (http(400, {"errors": {"Price": ["too", "low"]}}), VenueRefusedError, "Price: too low"),
    (http(400, reject("OTHER")), VenueRefusedError, "OTHER words"),
    (http(400, b"nothing to read"), VenueRefusedError, "HTTP 400"),
    (http(200, reject("METHOD_NOT_SUPPORTED")), VenueRefusedError, "METHOD_NOT_SUPPORTED"),
    (http(200, reject("ANOTHER_ONE")), VenueRefusedError, "ANOTHER_ONE"),
    (http(401, {"errors": "no"}), VenueRefusedError, "does not accept the api_key"),
    (http(403, {}), VenueRefusedError, "does not allow"),
    (http(404, reject("ORDER_ID_NOT_FOUND")), VenueRefusedError, "ORDER_ID_NOT_FOUND"),
    (http(404, b"<html>"), VenueRefusedError, "404"),
    (
        http(490, reject("EXCHANGE_UNREACHABLE"), content_type="appliction/json"),
        VenueAwayError,
        "unreachable",
    ),
    (http(490), VenueAwayError, "unreachable"),
    (http(200, reject("EXCHANGE_UNREACHABLE")), VenueAwayError, "EXCHANGE_UNREACHABLE"),
]


def test_what_may_have_been_done_is_unknown_and_is_asked_once() -> None:
    """For an order, a cancel, and a cancel of all."""

    async def script(scene: Scene, venue: Venue) -> None:
        for reply in UNKNOWN:
            order = resting()
            for path, asks in ((NEW, scene.adapter.place), (CANCEL, scene.adapter.cancel)):
                venue.asked.clear()
                venue.replies[path] = reply
                with pytest.raises(UnknownOutcomeError):
                    await asks(order)
                assert len(venue.changes()) == 1, reply
        for reply in (DROP, http(500), http(200, b"{"), http(200, reject("EXCHANGE_RESPONSE_TIMEOUT"))):
            venue.replies[CANCEL_ALL] = reply
            with pytest.raises(UnknownOutcomeError):
                await scene.adapter.cancel_all(ACCOUNT)

    played(script)


@pytest.mark.parametrize(("reply", "error", "words"), REFUSED)
def test_what_was_surely_not_done_is_refused_or_away(
    reply: bytes, error: type[Exception], words: str
) -> None:
    """In the venue's words where it has any."""

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies |= {NEW: reply, CANCEL: reply, CANCEL_ALL: reply}
        for asked in (
            scene.adapter.place(new()),
            scene.adapter.cancel(resting()),
            scene.adapter.cancel_all(ACCOUNT),
        ):
            with pytest.raises(error, match=words):
                await asked
        assert len(venue.changes()) == 3

    played(script)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After: 2.5", 2.5), ("X: y", 1.0), ("Retry-After: nan", 1.0), ("Retry-After: 1e9", 60.0)],
)
def test_a_venue_that_is_busy_says_how_long(header: str, seconds: float) -> None:
    """429, with a body that is no report; a time that cannot be is none."""

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies[NEW] = http(429, {"errors": "slow down"}, header)
        with pytest.raises(VenueBusyError, match="slow down") as busy:
            await scene.adapter.place(new())
        assert busy.value.seconds == seconds

    played(script)


def test_without_a_connection_nothing_was_sent() -> None:
    """Nobody listens there."""

    async def script(scene: Scene) -> None:
        for asked in (scene.adapter.place(new()), scene.adapter.cancel(resting()), scene.adapter.find(new())):
            with pytest.raises(VenueAwayError):
                await asked
        await scene.until(lambda: "no connection" in scene.adapter.why_away)

    play(place("http://127.0.0.1:1"), script, until_up=False)


@pytest.mark.parametrize(
    "reply", [http(404, b"<html>"), http(500), http(200, b"{"), http(200, b"{}"), http(200, b"[7]"), DROP]
)
def test_what_cannot_be_read_is_not_taken_for_nothing(reply: bytes) -> None:
    """A list or an order that cannot be read is no empty list, and no order that is not there."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting()
        venue.replies["/v1/orders"] = reply
        with pytest.raises(VenueAwayError):
            await scene.adapter.open_orders(None)
        with pytest.raises(VenueAwayError):
            await scene.adapter.find(order)
        venue.replies["/v1/orders"] = http(200, b"[]")
        venue.replies[f"/v1/orders/status/{name_of(order)}"] = reply
        if reply != http(200, b"{}"):
            with pytest.raises(VenueAwayError):
                await scene.adapter.find(order)

    played(script)


def test_an_order_that_is_on_its_way_to_the_exchange_is_pending() -> None:
    """RECEIVED, ROUTING and ROUTED are the EMS's word, and not the exchange's; an unknown status is none."""

    async def script(scene: Scene, venue: Venue) -> None:
        for status in ("RECEIVED", "ROUTING", "ROUTED"):
            order = new()
            scene.adapter.know(order)
            report = about(order, exchange_order_id=None, status=status)
            venue.replies[NEW] = venue.replies[f"/v1/orders/status/{name_of(order)}"] = http(200, report)
            assert (await scene.adapter.place(order)).status is VenueStatus.PENDING
            found = await scene.adapter.find(order)
            assert found is not None
            assert found.status is VenueStatus.PENDING
            venue.replies[f"/v1/orders/status/{name_of(order)}"] = http(200, {**report, "status": "AMENDED"})
            found = await scene.adapter.find(order)
            assert found is not None
            assert found.status is VenueStatus.PENDING

    played(script)


def test_what_is_open_after_an_end_is_not_believed() -> None:
    """A capture of a real EMS keeps amount_open at the full amount after CANCELED."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting()
        scene.adapter.know(order)
        await venue.say(about(order, status="CANCELED", amount_open=10, amount_filled="0.5", avg_px="1e2"))
        said = await scene.hears(order.order_id, CANCELED)
        assert (said.cum_qty, said.avg_px) == (Decimal("0.5"), Decimal(100))

    played(script)


def test_a_list_that_has_an_order_in_two_accounts_is_of_another_venue() -> None:
    """One that does not know accounts would cancel all of both."""

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies["/v1/orders"] = http(200, [{**REPORT, "exchange_id": "SANDBOX"}])
        with pytest.raises(VenueMistakenError, match="x1"):
            await scene.adapter.open_orders(None)
        assert len(await scene.adapter.open_orders(ACCOUNT)) == 1
        venue.replies["/v1/orders"] = http(200, [REPORT])
        [said, _] = await scene.adapter.open_orders(None)
        assert said.details is not None
        assert said.details.account_id == 14

    played(script)


def test_orders_that_are_not_ours_are_left_alone() -> None:
    """Of another account, instrument or exchange: neither listed nor told."""

    async def script(scene: Scene, venue: Venue) -> None:
        others = [
            {**REPORT, "exchange_id": "SANDBOX/99"},
            {**REPORT, "exchange_id": "KRAKEN"},
            {**REPORT, "symbol_id_exchange": "DOGE-USD", "symbol_id_coinapi": "SANDBOX_SPOT_DOGE_USD"},
            {**REPORT, "side": "NONE"},
            {**REPORT, "amount_order": 0},
        ]
        venue.replies["/v1/orders"] = http(200, others)
        assert await scene.adapter.open_orders(ACCOUNT) == []
        await venue.say(*others, {**REPORT, "exchange_id": "SANDBOX"}, REPORT)
        assert (await scene.hears(0, OPEN)).venue_order_id == "x1"
        assert len(scene.told) == 1

    played(script)


def test_an_order_of_others_is_found_by_the_name_that_its_client_gave_it() -> None:
    """Which the reports tell; so its end is known, too, when it is open no longer."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting(user_id=NOBODY)
        scene.adapter.know(order)
        assert await scene.adapter.find(order) is None
        venue.replies["/v1/orders"] = http(200, [{**REPORT, "client_order_id": "their/1"}])
        assert len(await scene.adapter.open_orders(ACCOUNT)) == 1
        venue.replies["/v1/orders"] = http(200, b"[]")
        filled = {**REPORT, "client_order_id": "their/1", "status": "FILLED", "amount_filled": 10}
        venue.replies["/v1/orders/status/their%2F1"] = http(200, filled)
        found = await scene.adapter.find(order)
        assert found is not None
        assert (found.order_id, found.status) == (order.order_id, FILLED)
        venue.replies["/v1/orders/status/their%2F1"] = http(200, {**filled, "exchange_order_id": "x2"})
        assert await scene.adapter.find(order) is None

    played(script)


def test_the_reply_to_a_cancel_is_believed_only_where_it_is_certain() -> None:
    """An end is; an open order is refused only with a reason; REJECTED could be the cancel."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting()
        scene.adapter.know(order)
        for status, error_message, certain in (
            ("CANCELED", "", CANCELED),
            ("FILLED", "too late", FILLED),
            ("PENDING_CANCEL", "", None),
            ("PENDING_CANCEL", "pending already", None),
            ("NEW", "", None),
            ("REJECTED", "", None),
        ):
            venue.replies[CANCEL] = http(200, about(order, status=status, error_message=error_message))
            said = await scene.adapter.cancel(order)
            assert (None if said is None else said.status) is certain
        venue.replies[CANCEL] = http(200, about(order, error_message="in the auction"))
        with pytest.raises(VenueRefusedError, match="in the auction"):
            await scene.adapter.cancel(order)
        venue.replies[CANCEL] = http(200, about(order, exchange_order_id="x2", status="CANCELED"))
        with pytest.raises(UnknownOutcomeError, match="another order"):
            await scene.adapter.cancel(order)
        assert venue.asked[-1][2] == {"exchange_id": "SANDBOX/14", "exchange_order_id": "x1"}

    played(script)


@pytest.mark.parametrize("body", [b"", b"{}", b'"ok"', json.dumps({"message": "relayed"}).encode()])
def test_a_cancel_of_all_is_relayed_whatever_the_body_says(body: bytes) -> None:
    """No document shows it: without a reject_reason it is no refusal."""

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies[CANCEL_ALL] = http(200, body)
        await scene.adapter.cancel_all(ACCOUNT)
        assert venue.asked[-1][2] == {"exchange_id": "SANDBOX/14"}

    played(script)


# The WebSocket


async def told_until(scene: Scene, venue: Venue, number: str) -> list[VenueOrder | CancelReject]:
    """What was told before an order with this number, which is said last."""
    await venue.say({**REPORT, "exchange_order_id": number})
    await scene.until(lambda: getattr(scene.told[-1] if scene.told else None, "venue_order_id", "") == number)
    told, scene.told[:] = scene.told[:-1], []
    return told


def test_a_cancel_is_rejected_when_the_order_is_open_again() -> None:
    """PENDING_CANCEL back to NEW or PARTIALLY_FILLED, seen in that order; a fill in between is a fill."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting("x5")
        scene.adapter.know(order)
        pending = about(order, status="PENDING_CANCEL")
        partly = about(order, status="PARTIALLY_FILLED", amount_filled=1)
        for number, (messages, rejects) in enumerate(
            [
                ([about(order)], 0),
                ([pending, about(order)], 1),
                ([about(order)], 0),
                ([pending, partly], 0),
                ([partly], 0),
                ([pending, {**partly, "error_message": "too late"}], 1),
                ([{**pending, "amount_filled": 1}, partly], 1),
                ([pending, about(order, status="CANCELED"), about(order)], 0),
            ]
        ):
            await venue.say(*messages)
            told = await told_until(scene, venue, f"end{number}")
            found = [said for said in told if isinstance(said, CancelReject)]
            assert len(found) == rejects, messages
            assert all(said.order_id == order.order_id for said in found)

    played(script)


def test_a_rejected_message_is_a_refusal_only_of_one_cancel() -> None:
    """Named by `rejected_message`; a time-out is none, and of an order it is looked up what became of it."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting("x5")
        scene.adapter.know(order)
        by_name = {"type": "ORDER_CANCEL_SINGLE_REQUEST", "client_order_id": name_of(order)}
        entered = {"type": "ORDER_NEW_SINGLE_REQUEST", "client_order_id": name_of(order), "amount_order": 1}
        for number, (reason, rejected, rejects) in enumerate(
            [
                ("ORDER_ID_NOT_FOUND", json.dumps(by_name), 1),
                ("OTHER", json.dumps({"exchange_order_id": "x5"}), 1),
                ("OTHER", {"exchange_order_id": "x5"}, 1),
                ("EXCHANGE_RESPONSE_TIMEOUT", json.dumps(by_name), 0),
                ("OTHER", json.dumps(entered), 0),
                ("OTHER", json.dumps({"type": "ORDER_CANCEL_ALL_REQUEST"}), 0),
                ("OTHER", json.dumps({**by_name, "client_order_id": "another"}), 0),
                ("OTHER", "{", 0),
                ("OTHER", None, 0),
            ]
        ):
            await venue.say(reject(reason, rejected_message=rejected))
            told = await told_until(scene, venue, f"end{number}")
            assert [said.order_id for said in told] == [order.order_id] * rejects, rejected

    played(script)


def test_what_cannot_be_read_ends_no_connection() -> None:
    """Broken JSON, other types, binary frames, reports that are none, a snapshot with one that is."""

    async def script(scene: Scene, venue: Venue) -> None:
        messages: list[object] = ["", "{", b"\xff", "[]", "7", {}, {"type": 7}, {"type": "SYMBOLS_SNAPSHOT"}]
        messages += [{"type": "ORDER_EXEC_REPORT_UPDATE"}, {**REPORT, "price": "NaN"}]
        messages += [{**REPORT, "status": "AMENDED"}, "[" * 100_000, b'{"type": "SERVER_INFO"}']
        snapshot = {"type": "ORDER_EXEC_REPORT_SNAPSHOT", "exchange_id": "SANDBOX/15"}
        data = [None, {}, {key: value for key, value in REPORT.items() if key != "exchange_id"}]
        await venue.say(*messages, {**snapshot, "data": None}, {**snapshot, "data": data})
        said = await scene.hears(0, OPEN)
        assert said.details is not None
        assert said.details.account_id == 15
        assert len(scene.told) == 1
        assert venue.connections == 1
        assert scene.adapter.is_up

    played(script)


def test_a_late_report_on_an_order_that_has_ended_is_about_that_order() -> None:
    """It must not look like one on an order that was never seen."""

    async def script(scene: Scene, venue: Venue) -> None:
        order = resting("x5")
        scene.adapter.know(order)
        scene.adapter.forget(order)
        await venue.say(about(order))
        assert (await scene.hears(order.order_id, OPEN)).details is None

    played(script)


def test_a_message_that_takes_long_to_come_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are signs of life, and the heartbeat has to wait behind it."""
    monkeypatch.setattr(connection, "SILENT_SECONDS", 1.0)

    async def script(scene: Scene, venue: Venue) -> None:
        async def slowly() -> AsyncIterator[str]:
            text = json.dumps({"type": "ORDER_EXEC_REPORT_SNAPSHOT", "exchange_id": "SANDBOX", "data": []})
            for part in (text[:20], text[20:40], text[40:60], text[60:80], text[80:]):
                yield part
                await asyncio.sleep(0.5)

        [socket] = venue.sockets
        await socket.send(slowly())
        assert scene.adapter.is_up
        assert venue.connections == 1

    played(script)


@pytest.mark.parametrize("why", ["stops", "silent", "closed"])
def test_a_venue_that_stops_or_is_silent_is_away_until_it_is_back(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """is_running false, no heartbeat for some seconds, and a connection that is closed."""
    monkeypatch.setattr(connection, "SILENT_SECONDS", 1.0)

    async def script(scene: Scene, venue: Venue) -> None:
        if why == "stops":
            await venue.say(info(is_running=False))
        elif why == "silent":
            venue.beats = False
        else:
            await venue.sockets[0].close()
        await scene.until(lambda: why in scene.adapter.why_away)
        assert not scene.adapter.is_up
        venue.beats = True
        await scene.up()
        assert venue.connections > 1

    played(script)


def test_the_pauses_between_two_tries_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a longest one; a venue that answers and is of no use gets no more tries than one that is gone."""
    monkeypatch.setattr(connection, "PAUSE_SECONDS_MAX", 0.8)

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies["/v1/orders"] = http(401, {})
        await venue.sockets[0].close()
        began = asyncio.get_running_loop().time()
        await scene.until(lambda: venue.connections >= 5)
        assert asyncio.get_running_loop().time() - began > 0.5 * (0.2 + 0.4 + 0.8 + 0.8)
        await scene.until(lambda: "api_key" in scene.adapter.why_away)

    played(script)


def test_a_redirect_is_not_followed() -> None:
    """Neither over HTTP nor to another WebSocket: the key would go along."""
    asked: list[str] = []

    async def script(scene: Scene, venue: Venue) -> None:
        async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readline()).decode())
            writer.close()

        async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            venue.redirect = f"ws://127.0.0.1:{port}/v1/"
            venue.replies["/v1/orders"] = http(307, b"", f"Location: http://127.0.0.1:{port}/")
            with pytest.raises(VenueAwayError, match="307"):
                await scene.adapter.open_orders(None)
            await venue.sockets[0].close()
            await scene.until(lambda: "HTTP 307" in scene.adapter.why_away)

    played(script)
    assert asked == []


def test_no_key_is_written_anywhere(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by us nor by the libraries, at their most talkative; nor shown in a representation."""
    caplog.set_level("DEBUG")

    async def script(scene: Scene, venue: Venue) -> None:
        venue.replies[NEW] = http(400, {})
        with pytest.raises(VenueRefusedError) as refused:
            await scene.adapter.place(new())
        assert "very-secret" not in repr(refused.value)
        await venue.sockets[0].close()
        await scene.until(lambda: venue.connections > 1)

    played(script, key="very-secret")
    assert "very-secret" not in repr(place("http://127.0.0.1:1", key="very-secret"))
    shown = capsys.readouterr()
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert ours  # the venue's own part writes down what it gets, and is not ours
    assert "very-secret" not in shown.out + shown.err + "".join(ours)
