"""The calls on an engine that answers as a test says: several OMSes, and an engine that is away."""

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from fixgw.config import load
from fixgw.core.directory import OmsName
from fixgw.core.errors import Failure, Refusal, Subject, failed, not_authorized, not_found, server_error
from fixgw.core.order import Order
from fixgw.core.requests import ApiRequest
from fixgw.edge.api.coinapi_ems.calls import Ems
from fixgw.edge.api.coinapi_ems.problems import Problem, RejectReason, away, refused
from fixgw.edge.api.context import Context, Reference
from fixgw.edge.api.identity import Identities
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineAwayError, EngineLink
from fixgw.engine.turn import Answered
from tests.api.coinapi_ems.test_reading import body as new_order
from tests.core.build import order, two_omses
from tests.gateway import ROOT

T = TypeVar("T")


class Engine(EngineLink):
    """Knows these orders, and answers a request for one or for all of an OMS with them; or is away."""

    def __init__(self, *orders: Order, is_away: bool = False, refusal: Refusal | None = None) -> None:
        super().__init__(ROOT, 1)
        self._orders = orders
        self._is_away = is_away
        self._refusal = refusal
        self.asked: list[ApiRequest] = []

    def ask(self, door: str, request: ApiRequest) -> "asyncio.Future[Answered]":
        assert door == "coinapi_ems"
        self.asked.append(request)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        here = tuple(found for found in self._orders if found.oms_id == request.oms.oms_id)
        if self._is_away:
            answer.set_exception(EngineAwayError("the engine is away", was_sent=False))
        elif self._refusal is not None:
            answer.set_result(Answered(1, self._refusal))
        elif not here:
            answer.set_result(Answered(1, not_found("OrderID(37) names no order", Subject.ORDER)))
        else:
            answer.set_result(Answered(1, orders=here))
        return answer


def ems(engine: Engine) -> Ems:
    """The calls of a dialect that reaches two OMSes; user 37 is on both."""
    config = load(ROOT / "config" / "gateway.toml")
    reference = Reference(config)
    reference.directory = two_omses()
    context = Context(
        "coinapi_ems", (1, 2), engine, reference, Identities([], 0.0), Tokens(1), Rates(1, 1), config.api
    )
    return Ems(context)


def run(answer: Awaitable[T]) -> T:
    async def wait() -> T:
        return await answer

    return asyncio.run(wait())


def status(*orders: Order) -> Any:
    return run(ems(Engine(*orders)).status(37, "o1"))


NAMES = [oms.name for oms in two_omses().omses.values()]


def test_an_order_is_looked_for_on_every_exchange() -> None:
    """An open one is told before a closed one, and else the last one entered."""
    there = order(2, oms_id=2)
    assert status(there)["exchange_order_id"] == "2"
    closed = order(1).to_canceled(datetime(2024, 3, 5, 12, tzinfo=UTC))
    assert status(closed, there)["exchange_order_id"] == "2"
    later = order(3, entered_at=there.entered_at + timedelta(hours=1))
    assert status(later, there)["exchange_order_id"] == "3"
    found = status()
    assert isinstance(found, Problem)
    assert found.reason is RejectReason.ORDER_ID_NOT_FOUND


def test_a_user_with_no_permission_is_told_so() -> None:
    found = run(ems(Engine(refusal=not_authorized("no permission"))).status(37, "o1"))
    assert isinstance(found, Problem)
    assert (found.status, found.message) == (400, "Not Authorized (errorcode 20): no permission")


def test_without_an_exchange_all_exchanges_are_listed() -> None:
    """Each report says where its order is."""
    engine = Engine(order(1), order(2, oms_id=2))
    reports = run(ems(engine).open_orders(37, None))
    assert not isinstance(reports, Problem)
    shown = json.loads(bytes(reports))
    assert [str(report["exchange_id"]).split("/")[0] for report in shown] == NAMES
    assert [request.oms for request in engine.asked] == [
        OmsName(number, name) for number, name in enumerate(NAMES, 1)
    ]
    one = run(ems(engine).open_orders(37, NAMES[1]))
    assert not isinstance(one, Problem)
    assert [report["exchange_order_id"] for report in json.loads(bytes(one))] == ["2"]


@pytest.mark.parametrize("call", ["new_order", "cancel", "cancel_all"])
def test_an_engine_that_is_away_was_sent_nothing(call: str) -> None:
    body: dict[str, object] = {"exchange_id": NAMES[0]}
    if call == "cancel":
        body["exchange_order_id"] = "1"
    if call == "new_order":
        body = {**new_order(), **body}
    found = run(getattr(ems(Engine(is_away=True)), call)(37, body))
    assert isinstance(found, Problem)
    assert (found.status, found.reason) == (490, RejectReason.EXCHANGE_UNREACHABLE)
    assert found.exchange_id == NAMES[0]


@pytest.mark.parametrize(
    ("was_sent", "changes", "status", "reason"),
    [
        (True, True, 504, RejectReason.EXCHANGE_RESPONSE_TIMEOUT),
        (False, True, 490, RejectReason.EXCHANGE_UNREACHABLE),
        (True, False, 490, RejectReason.EXCHANGE_UNREACHABLE),
    ],
)
def test_only_what_changes_something_has_an_unknown_outcome(
    was_sent: bool, changes: bool, status: int, reason: RejectReason
) -> None:
    found = away(EngineAwayError("away", was_sent=was_sent), "SANDBOX", changes=changes)
    assert (found.status, found.reason, found.exchange_id) == (status, reason, "SANDBOX")


@pytest.mark.parametrize(
    ("refusal", "status", "reason"),
    [
        (server_error("lost", Failure.VENUE_AWAY), 490, RejectReason.EXCHANGE_UNREACHABLE),
        (server_error("a bug"), 500, RejectReason.OTHER),
        (not_found("none", Subject.ORDER), 404, RejectReason.ORDER_ID_NOT_FOUND),
        (not_found("none", Subject.INSTRUMENT), 400, RejectReason.OTHER),
        (failed("too many orders"), 400, RejectReason.OTHER),
        (not_authorized("no"), 400, RejectReason.OTHER),
    ],
)
def test_every_refusal_has_a_status_and_a_reason(refusal: Refusal, status: int, reason: RejectReason) -> None:
    found = refused(refusal, "SANDBOX")
    assert (found.status, found.reason) == (status, reason)
    assert refusal.code.message in found.message
