"""The venue cases: one numbered list that every venue passes, whatever it speaks.

A client asks the front over FIX, and what it is told is what counts: a request is answered at once, an end is
told when the venue has confirmed it, once, and nothing outside of what was asked is touched. In the end the
front shows the same open orders as its venue.
"""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from fixgw.engine.sandbox import FindVenue, LoseVenue
from tests.gateway import until
from tests.venue_cases.proxy import Do
from tests.venue_cases.stage import (
    ALWAYS,
    BOOK,
    CANCEL,
    CANCEL_ALL,
    MANY,
    NEWS,
    PLACE,
    SANDBOX,
    SLOW_SECONDS,
    Stage,
)
from tests.wire import cancel, fresh, order

Play = Callable[[Stage], None]


class Case(Struct, frozen=True):
    """One of the list. `why_not_sandbox` is there where it has no meaning without a wire."""

    number: int
    name: str
    play: Play
    why_not_sandbox: str

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    def is_for(self, kind: str) -> bool:
        """Whether it has a meaning there."""
        return kind != SANDBOX or not self.why_not_sandbox

    def run(self, stage: Stage) -> None:
        """Play it, between a good beginning and an end in which both sides agree."""
        stage.begin()
        try:
            self.play(stage)
            stage.settle()
        finally:
            stage.heal()


CASES: list[Case] = []


def case(name: str, why_not_sandbox: str = "") -> Callable[[Play], Play]:
    """Put a function on the list, under the next number."""

    def put(play: Play) -> Play:
        CASES.append(Case(len(CASES) + 1, name, play, why_not_sandbox))
        return play

    return put


def cases_for(kind: str) -> list[Case]:
    """Those that have a meaning there."""
    return [one for one in CASES if one.is_for(kind)]


NO_REPLY = "it answers in the same process: no reply can be lost"
NO_EVENTS = "it says each thing once and in order: there are no events on a wire"


@case("acknowledged, then the events")
def ack_then_events(stage: Stage) -> None:
    """A cancel that its venue has taken on is not canceled: that is told when the venue has said so."""
    [one] = stage.enter()
    if stage.kind == "openalgo":  # it acknowledges when it has canceled
        stage.hide()
    else:
        stage.hold()
    request = stage.cancel(one)
    stage.pending(request)
    if stage.kind == "openalgo":
        until(lambda: not stage.there())
    stage.trader.quiet()
    stage.heal()
    assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}


@case("acknowledged, then rejected")
def ack_then_reject(stage: Stage) -> None:
    """The venue's reason is told, and the order rests."""
    [one] = stage.enter()
    stage.refuse(one, "in an auction")
    if stage.kind != "openalgo":  # it answers when it knows
        stage.hold()
    request = stage.cancel(one)
    if stage.kind != "openalgo":
        stage.pending(request)
        stage.release()
    outcome = stage.outcome(request, [one])
    final = outcome.finals[one.cl_ord_id]
    assert (final.type, final[39], final[102]) == ("9", "0", "99")
    assert "in an auction" in final[58], final
    assert one.price in {row.price for row in stage.there()}


@case("a part of them")
def partial(stage: Stage) -> None:
    """A mass cancel of three orders: one is refused, and one was filled in part before."""
    first, second, third = orders = stage.enter(3)
    [beside] = stage.enter(symbol="ETH-USD")
    stage.fill(first, 4)
    stage.until(stage.trader, lambda one: one.get(150) == "F")
    stage.refuse(second, "not this one")
    request = stage.mass((55, "BTC-USD"), scope="1")
    assert stage.taken_on(request) == 3
    outcome = stage.outcome(request, orders)
    assert outcome.canceled == {first.cl_ord_id, third.cl_ord_id}
    assert outcome.finals[first.cl_ord_id][14] == "4"
    assert "not this one" in outcome.finals[second.cl_ord_id][58], outcome
    assert {row.price for row in stage.there()} >= {second.price, beside.price}


@case("a fill overtakes the cancel")
def fill_overtakes(stage: Stage) -> None:
    """Fills are told as fills; the order is filled, and the cancel too late."""
    [one] = stage.enter()
    stage.hold()
    request = stage.cancel(one)
    stage.pending(request)
    stage.fill(one, 4)
    told = stage.until(stage.trader, lambda _: True)[0]
    assert (told[150], told[39], told[14], told[151]) == ("F", "6", "4", "6")
    stage.fill(one, 6)
    outcome = stage.outcome(request, [one])
    assert [(told[39], told[14], told[32]) for told in outcome.fills] == [("2", "10", "6")]
    final = outcome.finals[one.cl_ord_id]
    assert (final.type, final[39], final[102]) == ("9", "2", "0")


@case("no answer in time, and it was canceled", NO_REPLY)
def timeout_then_canceled(stage: Stage) -> None:
    """It is said that the outcome is not known, and then what it is."""
    [one] = stage.enter()
    stage.hide()
    stage.proxy.put(Do.LOSE_REPLY, stage.word(CANCEL))
    request = stage.cancel(one)
    stage.pending(request)
    stage.unknown(request)
    stage.show()
    assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}


@case("no answer in time, and it is still open", NO_REPLY)
def timeout_then_open(stage: Stage) -> None:
    """The cancel is sent again, which is safe."""
    [one] = stage.enter()
    stage.proxy.put(Do.LOSE_REQUEST, stage.word(CANCEL))
    request = stage.cancel(one)
    stage.pending(request)
    stage.unknown(request)
    assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}


@case("disconnected between the request and its reply", NO_REPLY)
def disconnected(stage: Stage) -> None:
    """Once when the venue has got the request, and once when it has not."""
    for do in (Do.CUT_REPLY, Do.CUT_REQUEST):
        [one] = stage.enter()
        if do is Do.CUT_REPLY:
            stage.hide()
        stage.proxy.put(do, stage.word(CANCEL))
        request = stage.cancel(one)
        stage.pending(request)
        stage.unknown(request)
        stage.show()
        assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}
        stage.until_up()


@case("every event twice", NO_EVENTS)
def duplicates(stage: Stage) -> None:
    """Each is told once. A venue without events says everything again in each order book."""
    one, other = stage.enter(2)
    if stage.kind != "openalgo":
        stage.proxy.put(Do.DUPLICATE, stage.word(NEWS), times=ALWAYS)
    stage.fill(one, 4)
    told = stage.until(stage.trader, lambda _: True)[0]
    assert (told[150], told[14]) == ("F", "4")
    request = stage.cancel(one)
    outcome = stage.outcome(request, [one])
    assert outcome.canceled == {one.cl_ord_id}
    assert not outcome.fills
    if stage.kind == "openalgo":
        seen = stage.proxy.count(stage.word(BOOK))
        until(lambda: stage.proxy.count(stage.word(BOOK)) > seen + 2)
    request = stage.cancel(other)
    stage.outcome(request, [other])


@case("events out of order", NO_EVENTS)
def out_of_order(stage: Stage) -> None:
    """The end comes before the fill that came first; without events both are seen at once."""
    [one] = stage.enter()
    if stage.kind == "openalgo":
        stage.hide()
        stage.fill(one, 4)
        request = stage.cancel(one)
        stage.pending(request)
        until(lambda: not stage.there())
        stage.show()
    else:
        stage.hold()
        request = stage.cancel(one)
        stage.pending(request)
        stage.proxy.put(Do.LOSE_REPLY, '"OrderTradeEvent"', times=ALWAYS)  # it would come in between
        stage.proxy.put(Do.SWAP, stage.word(NEWS))
        stage.fill(one, 4)
        stage.release()
    outcome = stage.outcome(request, [one])
    assert outcome.canceled == {one.cl_ord_id}
    assert [fill[32] for fill in outcome.fills] == ["4"]
    assert outcome.finals[one.cl_ord_id][14] == "4"


@case("success, and orders are left", "it has no cancel-all of its own: each order is canceled by itself")
def empty_success(stage: Stage) -> None:
    """What the venue's own cancel-all has left is canceled one by one."""
    orders = stage.enter(3)
    match stage.kind:
        case "alphapoint":
            for one in orders:
                stage.refuse(one, "left")
            stage.proxy.put(Do.LOSE_REPLY, '"CancelOrderRejectEvent"', times=3)
        case "coinapi_ems":
            stage.proxy.answer(200, b"{}", match=stage.word(CANCEL_ALL))
        case "openalgo":
            stage.proxy.refuse()  # when it is back, its cancel-all is tried
            stage.until_up(is_up=False)
            stage.proxy.listen()
            stage.until_up()
            body = b'{"status": "success", "message": "Canceled 0 orders.", "canceled_orders": []}'
            stage.proxy.answer(200, body, match=stage.word(CANCEL_ALL))
    before = stage.proxy.count(stage.word(CANCEL_ALL))
    request = stage.mass((1, 14))
    assert stage.taken_on(request) == 3
    assert stage.outcome(request, orders).canceled == {one.cl_ord_id for one in orders}
    assert stage.proxy.count(stage.word(CANCEL_ALL)) > before


@case("too many requests", "it takes as many as there are")
def rate_limit(stage: Stage) -> None:
    """A cancel waits for the pause that the venue asks for, and is sent then; no outcome is unknown."""
    orders = stage.enter(3)
    word = stage.word(CANCEL)
    if stage.kind == "alphapoint":  # it can say so over HTTP only
        stage.proxy.answer(503, match="/WSGateway/", times=ALWAYS)
        logins = stage.proxy.count("/AuthenticateUser")
        stage.proxy.cut()
        until(lambda: stage.proxy.count("/AuthenticateUser") > logins)
        stage.until_up()
        word = "/CancelOrder"
    stage.proxy.answer(429, b'{"message": "slow down"}', word, 4, "Retry-After: 1\r\n")
    request = stage.mass((55, "BTC-USD"), scope="1")
    assert stage.taken_on(request) == 3
    outcome = stage.outcome(request, orders)
    assert outcome.canceled == {one.cl_ord_id for one in orders}
    assert all("unknown" not in (one.get(58) or "") for one in outcome.others)
    assert stage.proxy.count(word) >= 7


@case("restarted with a cancel on its way")
def restart(stage: Stage) -> None:
    """All processes of the gateway are killed: the end is told after the client's next Logon."""
    one, other = stage.enter(2)
    stage.hold()
    requests = [stage.cancel(one), stage.cancel(other)]
    for request in requests:
        stage.pending(request)
    stage.kill()
    if stage.has_wire:
        stage.fill(other, 10)
        stage.release()
    stage.start()
    if not stage.has_wire:
        stage.release()
    outcome = stage.outcome(requests, [one, other])
    assert one.cl_ord_id in outcome.canceled
    if stage.has_wire:
        assert [fill[14] for fill in outcome.fills] == ["10"]
        final = outcome.finals[other.cl_ord_id]
        assert (final.type, final[39], final[102]) == ("9", "2", "0")


@case("very many orders")
def very_many(stage: Stage) -> None:
    """One mass cancel ends each of them once."""
    orders = stage.enter(MANY)
    request = stage.mass((1, 14))
    assert stage.taken_on(request) == MANY
    assert stage.outcome(request, orders).canceled == {one.cl_ord_id for one in orders}
    assert not stage.reports(stage.trader)
    stage.look_again()


@case("no answer to an order", NO_REPLY)
def order_in_flight(stage: Stage) -> None:
    """It is said that its outcome is not known; it is found, and never sent again."""
    stage.hide()
    stage.proxy.put(Do.LOSE_REPLY, stage.word(PLACE))
    price = stage.price()
    stage.trader.send("D", *order(name := fresh("o"), (44, price)))
    assert stage.until(stage.trader, lambda _: True)[0].get(150) == "A"
    stage.unknown(name, "A")
    stage.show()
    assert stage.until(stage.trader, lambda _: True)[0].get(150) == "0"
    assert [row.price for row in stage.there()].count(price) == 1


@case("an answer that makes no sense", NO_REPLY)
def garbled(stage: Stage) -> None:
    """It is no answer: the outcome is not known, and then it is."""
    [one] = stage.enter()
    stage.hide()
    stage.proxy.put(Do.GARBLE, stage.word(CANCEL))
    request = stage.cancel(one)
    stage.pending(request)
    stage.unknown(request)
    stage.show()
    assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}


@case("the venue's own venue is away")
def behind_is_away(stage: Stage) -> None:
    """Where it says that nothing was sent, the client is told so; else the outcome is not known."""
    [one] = stage.enter()
    stage.say(LoseVenue())
    request = stage.cancel(one)
    if stage.kind in ("coinapi_ems", SANDBOX):  # 490
        outcome = stage.refused(request)
        assert "nothing was sent" in outcome[58]
        stage.say(FindVenue())
        assert one.price in {row.price for row in stage.there()}
    else:
        stage.pending(request)
        stage.unknown(request)
        stage.say(FindVenue())
        assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}


@case("the venue is away")
def away(stage: Stage) -> None:
    """D, F and q are refused with 102 and nothing is sent; when it is back they are taken."""
    [one] = stage.enter()
    if stage.has_wire:
        stage.proxy.refuse()
        stage.until_up(is_up=False)
    else:
        stage.say(LoseVenue())
    told = [stage.refused(stage.cancel(one)), stage.refused(stage.mass((1, 14)))]
    stage.trader.send("D", *order(fresh("o"), (44, stage.price())))
    told += stage.until(stage.trader, lambda _: True)
    assert [(answer.type, "errorcode 102" in answer[58]) for answer in told] == [
        ("9", True),
        ("r", True),
        ("8", True),
    ]
    assert all("nothing was sent" in answer[58] for answer in told)
    if stage.has_wire:
        stage.proxy.listen()
        stage.until_up()
    else:
        stage.say(FindVenue())
    assert {row.price for row in stage.seen() & stage.there()} >= {one.price}
    assert stage.outcome(stage.cancel(one), [one]).canceled == {one.cl_ord_id}


@case("the venue is away, and is waited for", "it cannot wait: nothing is ever on its way")
def waited_for(stage: Stage) -> None:
    """With when_away = "wait" an F and a q are taken, and carried out when it is back; a D is refused."""
    stage.kill()
    stage.start(when_away="wait")
    one, other, third = stage.enter(3)
    stage.proxy.refuse()
    stage.until_up(is_up=False)
    request = stage.cancel(one)
    stage.pending(request)
    stage.trader.send("D", *order(fresh("o"), (44, stage.price())))
    assert "errorcode 102" in stage.until(stage.trader, lambda _: True)[0][58]
    stage.proxy.listen()
    assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}
    stage.until_up()
    request = stage.mass((1, 14))
    assert stage.taken_on(request) == 2
    assert stage.outcome(request, [other, third]).canceled == {other.cl_ord_id, third.cl_ord_id}
    stage.kill()
    stage.start()


@case("entered on the venue", "there is no other side on which an order could be entered")
def learned(stage: Stage) -> None:
    """Its OrderID(37) is the venue's, it has no ClOrdID(11); it is canceled by that, or with its account."""
    [ours] = stage.enter()
    there = [stage.enter_at(stage.owner, "BTC-USD") for _ in range(2)]
    until(lambda: stage.seen() == stage.there(), SLOW_SECONDS)
    reports = {Decimal(report[44]): report for report in stage.reports(stage.operator)}
    assert (reports[ours.price][37], reports[ours.price][11]) == (ours.order_id, ours.cl_ord_id)
    shown = {}
    for entered in there:
        shown[entered.order_id] = reports[entered.price][37]
        assert shown[entered.order_id] in (entered.order_id, f"venue:{entered.order_id}")
        assert 11 not in reports[entered.price]
    last = there.pop()
    stage.trader.send("F", *cancel(name := fresh("c"), "NONE", (37, shown[last.order_id])))
    told = stage.until(stage.trader, lambda one: one.get(150) != "6")
    assert [(one[11], one[37], one.get(150)) for one in told] == [
        (name, shown[last.order_id], "6"),
        (name, shown[last.order_id], "4"),
    ]
    stage.owner_is_told(last)
    request = stage.mass((1, 14))
    assert stage.taken_on(request) == 1 + len(there)
    ends: set[tuple[str, str]] = set()
    while len(ends) < 1 + len(there):
        one = stage.until(stage.trader, lambda one: one.get(150) != "6")[-1]
        assert (one[11], one.get(150)) == (request, "4"), one
        assert (one[37], one[41]) not in ends, one
        ends.add((one[37], one[41]))
    assert ends == {(shown[entered.order_id], "NONE") for entered in there} | {
        (ours.order_id, ours.cl_ord_id)
    }


@case("restarted with an order on its way", NO_REPLY)
def restart_with_order(stage: Stage) -> None:
    """All processes are killed when the venue has an order and nobody knows: it is found, not sent again."""
    stage.hide()
    stage.proxy.put(Do.LOSE_REPLY, stage.word(PLACE))
    price, sent = stage.price(), stage.orders_sent
    stage.trader.send("D", *order(name := fresh("o"), (44, price)))
    assert stage.until(stage.trader, lambda _: True)[0].get(150) == "A"
    until(lambda: price in {row.price for row in stage.there()})
    stage.kill()
    stage.show()
    stage.start()
    *before, last = stage.until(stage.trader, lambda one: one.get(150) == "0")
    assert last[11] == name
    assert all((one[11], one.get(150)) == (name, "A") for one in before), before
    assert stage.orders_sent == sent + 1
    assert [row.price for row in stage.there()].count(price) == 1


@case("one process killed with a cancel on its way", "it lives in the engine: case 12")
def one_process_killed(stage: Stage) -> None:
    """The engine alone, or the venues' process alone: the other one finds out what became of it."""
    for process in ("engine", "venues"):
        [one] = stage.enter()
        stage.hold()
        request = stage.cancel(one)
        stage.pending(request)
        stage.kill_one(process)
        stage.release()
        assert stage.outcome(request, [one]).canceled == {one.cl_ord_id}
        stage.until_up()
