"""What OpenAlgo's calls make of answers that an engine gives seldom; they are made up here."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

import pytest

from fixgw.config_tables import ApiTable
from fixgw.core.errors import ErrorCode, Failure, Refusal, Subject, failed, not_found
from fixgw.core.requests import ApiRequest, MassCancel, OrderHistory
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.openalgo.calls import NOT_KNOWN_YET, Calls
from fixgw.edge.api.openalgo.questions import CancelAllOrder, CancelOrder, OrderBook, OrderStatus
from fixgw.edge.api.openalgo.views import Reply
from fixgw.edge.engine_link import EngineAwayError, EngineLink
from fixgw.engine.turn import Answered, Happened
from tests.core.build import TRADER, order, two_omses

WHO = Identity(TRADER, "trader37")
NO_OMS = Answered(0, not_found("PartyID(448)=2 names no OMS of this user", Subject.OMS))
NO_ORDER = Answered(0, not_found("OrderID(37) names no order", Subject.ORDER))
AWAY = Answered(0, Refusal(ErrorCode.SERVER_ERROR, "the venue is away", failure=Failure.VENUE_AWAY))
OF_ANOTHER = Answered(0, Refusal(ErrorCode.INVALID_REQUEST, "not the order's user", Subject.USER))


class MadeUp:
    """Stands in for the link: answers each request by what `answer` says of it, and hears what is asked."""

    def __init__(self, answer: Callable[[ApiRequest], Answered | EngineAwayError]) -> None:
        self.asked: list[ApiRequest] = []
        self._answer = answer
        self._lost: list[Callable[[], None]] = []

    def ask(self, _: str, request: ApiRequest) -> "asyncio.Future[Answered]":
        self.asked.append(request)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        said = self._answer(request)
        if isinstance(said, EngineAwayError):
            answer.set_exception(said)
        else:
            answer.set_result(said)
            asyncio.get_running_loop().call_later(0.01, lambda: [lost() for lost in self._lost])
        return answer

    async def watch(
        self, _: Iterable[int], __: Callable[[Happened], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        self._lost.append(lost)
        return lost

    def unwatch(self, watch: Callable[[], None]) -> None:
        self._lost.remove(watch)


class Reference:
    directory = two_omses()


def ask(
    engine: MadeUp, call: Callable[[Calls], Coroutine[Any, Any, Reply]], omses: tuple[int, ...] = (1, 2)
) -> Reply:
    settings = ApiTable(orders_max=2)
    link, reference = cast("EngineLink", engine), cast("Any", Reference)
    nothing = cast("Any", None)
    context = Context("openalgo", omses, link, reference, nothing, nothing, nothing, settings)
    return asyncio.run(call(Calls(context)))


def cancel_all(engine: MadeUp) -> Reply:
    asked = CancelAllOrder(apikey=cast("Any", "key37"), strategy="S1")
    return ask(engine, lambda calls: calls.cancel_all_orders(WHO, asked))


def by_oms(**answers: Answered | EngineAwayError) -> MadeUp:
    """Answers by the OMS that is asked: `one` and `two`."""
    return MadeUp(lambda request: answers["one" if request.oms.oms_id == 1 else "two"])


def test_cancel_all_reaches_every_oms_of_the_dialect_and_nothing_but_the_users_own() -> None:
    engine = by_oms(one=Answered(1, canceled=(4,)), two=Answered(2, canceled=(3,)))
    assert cancel_all(engine).body["canceled_orders"] == ["3", "4"]
    asked = [request for request in engine.asked if isinstance(request, MassCancel)]
    assert [request.oms.oms_id for request in asked] == [1, 2]
    assert {(request.owner_id, request.strategy, request.account_id) for request in asked} == {
        (TRADER, "S1", None)
    }


def test_an_oms_that_the_user_has_not_is_passed_over() -> None:
    assert cancel_all(by_oms(one=Answered(1, canceled=(4,)), two=NO_OMS)).status_code == 200


def test_a_user_with_no_oms_at_all_is_told_so() -> None:
    assert cancel_all(by_oms(one=NO_OMS, two=NO_OMS)).status_code == 400


def test_one_oms_that_refuses_makes_a_cancel_of_all_no_success() -> None:
    """And what was done on the other is not kept from the client."""
    reply = cancel_all(by_oms(one=Answered(1, canceled=(4,), refused=((5, failed("no")),)), two=AWAY))
    assert reply.status_code == 500
    assert reply.body["message"] == (
        "the venue is away; on the other OMSes 1 orders were canceled and 1 were not"
    )


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_engine_that_is_away_for_one_oms_is_away(was_sent: bool) -> None:
    """The worse of two answers counts: once something was sent, the outcome is not known."""
    away = EngineAwayError("away", was_sent=False)
    with pytest.raises(EngineAwayError) as caught:
        cancel_all(by_oms(one=away, two=EngineAwayError("away", was_sent=was_sent)))
    assert caught.value.was_sent is was_sent


def test_an_engine_that_goes_away_leaves_pending_cancels_unknown() -> None:
    reply = cancel_all(by_oms(one=Answered(1, canceled=(4,), pending=(5,)), two=NO_OMS))
    assert reply.body["canceled_orders"] == ["4"]
    assert reply.body["failed_cancellations"] == [{"orderid": "5", "reason": NOT_KNOWN_YET}]


@pytest.mark.parametrize("first", [NO_OMS, NO_ORDER, OF_ANOTHER])
def test_an_order_is_looked_for_on_every_oms(first: Answered) -> None:
    asked = OrderStatus(apikey=cast("Any", "key37"), strategy="S1", orderid=cast("Any", "7"))
    found = Answered(2, orders=(order(7, oms_id=2, instrument_id=30),))
    reply = ask(by_oms(one=first, two=found), lambda calls: calls.order_status(WHO, asked))
    assert (reply.status_code, reply.body["data"]["exchange"]) == (200, "OTHER")
    none = ask(by_oms(one=first, two=first), lambda calls: calls.order_status(WHO, asked))
    assert none.status_code == 404


def test_a_refusal_of_one_order_ends_the_search() -> None:
    asked = CancelOrder(apikey=cast("Any", "key37"), strategy="S1", orderid=cast("Any", "7"))
    engine = by_oms(one=AWAY, two=NO_ORDER)
    assert ask(engine, lambda calls: calls.cancel_order(WHO, asked)).status_code == 500
    assert len(engine.asked) == 1


def test_the_order_book_has_what_is_open_of_whatever_day_once() -> None:
    asked = OrderBook(apikey=cast("Any", "key37"))

    def answer(request: ApiRequest) -> Answered:
        closed, still_open = order(2), order(1)
        return Answered(
            1, orders=(closed, still_open) if isinstance(request, OrderHistory) else (still_open,)
        )

    reply = ask(MadeUp(answer), lambda calls: calls.order_book(WHO, asked), (1,))
    assert [row["orderid"] for row in reply.body["data"]["orders"]] == ["2", "1"]


@pytest.mark.parametrize(
    "answer",
    [Answered(1, orders=tuple(order(number) for number in range(3))), Answered(1, failed("3 orders, more"))],
)
def test_an_order_book_that_is_too_long_is_not_cut_short_silently(answer: Answered) -> None:
    asked = OrderBook(apikey=cast("Any", "key37"))
    reply = ask(MadeUp(lambda _: answer), lambda calls: calls.order_book(WHO, asked), (1,))
    assert reply.status_code == 400
    assert "more than 2 orders" in reply.body["message"]
