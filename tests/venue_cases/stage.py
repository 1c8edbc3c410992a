"""Where the venue cases are played: a FIX client, a gateway, what is between, and the venue's own side."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import NamedTuple

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import FindVenue, HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.engine.status import VenueStatus
from fixgw.engine.turn import Status
from fixgw.link import Reply, Said, call
from tests.gateway import Gateway, until
from tests.venue_cases.bridge import Bridge
from tests.venue_cases.proxy import Do, Proxy
from tests.wire import ADMIN, Client, Message, cancel, fresh, mass, order

SANDBOX = "sandbox"
PLACE, CANCEL, CANCEL_ALL, NEWS, BOOK = range(5)
WORDS: dict[str, tuple[str, ...]] = {
    "alphapoint": (
        "SendOrder",
        "CancelOrder",
        '"CancelAllOrders"',
        '"OrderStateEvent"',
        '"GetOpenOrders"',
    ),
    "coinapi_ems": (
        "POST /v1/orders {",
        "POST /v1/orders/cancel {",
        "POST /v1/orders/cancel/all",
        "ORDER_EXEC_REPORT_UPDATE",
        "GET /v1/orders?",
    ),
    "openalgo": ("/placeorder", "/cancelorder", "/cancelallorder", "/orderbook", "/orderbook"),
}
"""What stands in the messages of each dialect, and in no others, by what they are for."""

MANY = int(os.environ.get("FIXGW_VENUE_ORDERS", "200"))
"""The orders of the largest case; 5,000 take too long to be in every run."""

ALWAYS = 1_000_000  # messages
SLOW_SECONDS = 30.0 * max(1, MANY / 500)


class Row(NamedTuple):
    """An order as an AF shows it; each order of a stage has a price of its own."""

    price: Decimal
    account: str
    symbol: str
    side: str
    qty: Decimal
    cum: Decimal
    status: str


class Entered(NamedTuple):
    """An order that the client entered."""

    cl_ord_id: str
    order_id: str
    price: Decimal
    symbol: str


class Outcome(NamedTuple):
    """The final answers to a request, by OrigClOrdID(41), and what came in between."""

    finals: dict[str, Message]
    others: list[Message]

    @property
    def fills(self) -> list[Message]:
        """The fills that were told."""
        return [one for one in self.others if one.get(150) == "F"]

    @property
    def canceled(self) -> set[str]:
        """Those that were canceled; the others were refused."""
        return {name for name, one in self.finals.items() if (one.type, one[39]) == ("8", "4")}


class Stage:
    """One front and one back for all cases of a kind. Of the sandbox they are the same gateway.

    `trader` is user 37, who asks; `operator` only looks. There is always an order outside of what is asked.
    """

    def __init__(self, kind: str, front: Gateway, bridge: Bridge | None, proxy: Proxy | None) -> None:
        self.kind = kind
        self.front = front
        self.back = front if bridge is None else bridge.back
        self._bridge = bridge
        self._proxy = proxy
        self._prices = (Decimal(number) / 100 for number in count(10_001))
        self._told: Counter[tuple[int, str, str]] = Counter()
        self.trader, self.operator = self._log_on(front)
        self.owner, self._looker = (self.trader, self.operator) if bridge is None else self._log_on(self.back)
        self._stranger = self.back.client("TRADER39")
        self.until_up()
        self.put_outside()

    @staticmethod
    def _log_on(gateway: Gateway) -> tuple[Client, Client]:
        return gateway.client("TRADER37"), gateway.client("OPERATOR1")

    @property
    def proxy(self) -> Proxy:
        """What stands between."""
        assert self._proxy is not None
        return self._proxy

    @property
    def has_wire(self) -> bool:
        """Whether anything stands between."""
        return self._proxy is not None

    def put_outside(self) -> None:
        """Enter the order that no case touches, on the venue's own side."""
        self.outside = self.enter_at(self._stranger, "BTC-USD")

    # before and after a case

    def begin(self) -> None:
        """End what an earlier case left when it failed."""
        self.heal()
        self.until_up()
        self.operator.drain()
        while self.seen() - {self._outside_row}:
            self.operator.send("q", *mass(fresh("clean")))
            self.until(self.operator, lambda one: one.type == "r")
            until(lambda: not self.seen(), SLOW_SECONDS)
            self.put_outside()
        for client in (self.trader, self.operator, self.owner, self._looker, self._stranger):
            client.drain()
        self._told.clear()

    def settle(self) -> None:
        """Both sides agree in the end, nothing outside was touched, and nothing more is told."""
        if self.has_wire:
            self.proxy.clear()
        until(lambda: self.seen() == self.there(), SLOW_SECONDS)
        assert self._outside_row in self.book(self._looker)
        for client in (self.trader, self.operator):
            found = client.drain()
            assert not found, found
        self.until_known()

    def until_known(self) -> None:
        """Wait until no outcome is awaited."""
        until(lambda: all(not (one.waiting or one.unknown) for one in self.venues()), SLOW_SECONDS)

    # the two sides

    def venues(self) -> tuple[VenueStatus, ...]:
        """How the front's venues are; none of the sandbox."""
        return tuple(call(self.front.data, Status()).status.venues)

    def until_up(self, *, is_up: bool = True) -> None:
        """Wait until the venue is up, or away."""
        until(lambda: all(one.is_up is is_up for one in self.venues()), SLOW_SECONDS)

    def reports(self, client: Client) -> list[Message]:
        """What an AF of all that `client` may see shows."""
        name = fresh("s")
        client.send("AF", (584, name), (585, 7))
        found = self.until(client, lambda one: one.get(584) == name and one.get(912) == "Y")
        shown = [one for one in found if one.get(584) == name]
        if client is self.trader:  # the others are also told what happens
            assert shown == found, found
        return [one for one in shown if one[911] != "0"]

    def book(self, client: Client) -> set[Row]:
        """The open orders."""
        rows = [_row(one) for one in self.reports(client)]
        assert len(rows) == len(set(rows)), rows
        return set(rows)

    def seen(self) -> set[Row]:
        """The open orders as the front's AF shows them."""
        return self.book(self.operator)

    def there(self) -> set[Row]:
        """The open orders as the back's own AF shows them, as far as the front can see them."""
        return {row for row in self.book(self._looker) if row.account in self._accounts}

    @property
    def _accounts(self) -> tuple[str, ...]:
        return ("14",) if self.kind == "openalgo" else ("14", "15", "16")

    @property
    def _outside_row(self) -> Row:
        return Row(self.outside.price, "16", "BTC-USD", "1", Decimal(10), Decimal(0), "0")

    def id_there(self, entered: Entered) -> int:
        """The id of an order on its venue."""
        reports = self.reports(self._looker)
        [found] = [one[37] for one in reports if Decimal(one[44]) == entered.price]
        return int(found)

    # what happens on the venue

    def say(self, said: Said) -> None:
        """Have the venue do something."""
        assert self.back.say(said) == Reply()

    def fill(self, entered: Entered, qty: int) -> None:
        """A fill on the venue."""
        self.say(FillOrder(self.id_there(entered), Decimal(qty)))

    def refuse(self, entered: Entered, why: str) -> None:
        """Have the venue refuse the next cancel of an order."""
        self.say(RefuseCancel(self.id_there(entered), why))

    def hold(self) -> None:
        """From now on no cancel ends."""
        if self.kind == "openalgo":  # its answer is the end, so there must be none
            self.proxy.answer(
                429, match=WORDS[self.kind][CANCEL], times=ALWAYS, headers="Retry-After: 0.1\r\n"
            )
        else:
            self.say(HoldCancels())

    def release(self) -> None:
        """Let them end."""
        if self.kind == "openalgo":
            self.proxy.clear()
        else:
            self.say(ReleaseCancels())

    def hide(self) -> None:
        """From now on the venue's news do not come; of a venue that has none its order book."""
        if self.kind == "openalgo":
            self.proxy.answer(429, match=self.word(BOOK), times=ALWAYS, headers="Retry-After: 0.1\r\n")
            return
        self.proxy.put(Do.LOSE_REPLY, self.word(NEWS), times=ALWAYS)
        if self.kind == "coinapi_ems":
            self.proxy.answer(429, match=self.word(BOOK), times=ALWAYS, headers="Retry-After: 0.1\r\n")

    def show(self) -> None:
        """Let pass whatever comes."""
        self.proxy.clear()

    def heal(self) -> None:
        """Nothing is held, hidden or away any more."""
        for said in (FindVenue(), ReleaseCancels()):
            self.say(said)
        if self.has_wire:
            self.proxy.clear()

    @property
    def orders_sent(self) -> int:
        """How many times an order was sent to the venue."""
        request = r'"SendOrder","o":"{\"OMSId'  # its reply, on the same WebSocket, has the name too
        return self.proxy.count(request if self.kind == "alphapoint" else self.word(PLACE))

    def word(self, of: int) -> str:
        """What stands in these messages of the dialect."""
        return WORDS[self.kind][of]

    def kill(self) -> None:
        """Kill all processes of the front at once."""
        self.front.kill()

    def kill_one(self, process: str) -> None:
        """Kill the engine or the venues' process of the front, which is started again."""
        if process == "engine":
            self.front.kill_engine()
            self.front.until_ready()
            for client in (self.trader, self.operator):
                assert client.logon().type == "A"
        else:
            self.front.kill_venues()

    def start(self, **settings: object) -> None:
        """Start the front again; its clients log on again and lose nothing."""
        if self._bridge is None:
            self.front.start()
        else:
            self._bridge.start_front(**settings)
        for client in {self.trader, self.operator, *(() if self.has_wire else (self._stranger,))}:
            assert client.logon().type == "A"
        self.until_up()

    # what the client does and sees

    def enter(self, amount: int = 1, symbol: str = "BTC-USD") -> list[Entered]:
        """Enter orders, all at once; each is confirmed."""
        prices = [self.price() for _ in range(amount)]
        names = {fresh("o"): price for price in prices}
        for name, price in names.items():
            self.trader.send("D", *order(name, (44, price), symbol=symbol))
        found: dict[str, str] = {}

        def is_last(one: Message) -> bool:
            if one.get(150) == "0":
                assert one[11] not in found, one
                found[one[11]] = one[37]
            else:
                assert one.get(150) == "A", one
            return len(found) == len(names)

        self.until(self.trader, is_last)
        return [Entered(name, found[name], price, symbol) for name, price in names.items()]

    def enter_at(self, client: Client, symbol: str) -> Entered:
        """Enter an order on the venue's own side."""
        price = self.price()
        name = fresh("v")
        client.send("D", *order(name, (44, price), symbol=symbol))
        told = self.until(client, lambda one: (one.get(150), one.get(11)) == ("0", name))
        return Entered(name, told[-1][37], price, symbol)

    def price(self) -> Decimal:
        """One that no order has had yet."""
        return next(self._prices)

    def look_again(self) -> None:
        """Those who did not listen for long log on again: their heartbeats were missed."""
        for client in {self.operator, self.owner, self._looker, self._stranger} - {self.trader}:
            assert client.logon(reset=True).type == "A"

    def owner_is_told(self, entered: Entered) -> None:
        """Whoever entered an order on the venue's side hears that it was canceled."""
        self.until(self.owner, lambda one: (one.get(150), one.get(37)) == ("4", entered.order_id))

    def refused(self, request: str) -> Message:
        """The 9 or r that refuses a request; a pending cancel may be told before."""
        one = self.until(self.trader, lambda one: one.get(150) != "6")[-1]
        assert one[11] == request, one
        assert one.type == "9" or (one.type, one[531]) == ("r", "0"), one
        return one

    def cancel(self, entered: Entered) -> str:
        """Send an F; its ClOrdID."""
        name = fresh("c")
        self.trader.send("F", *cancel(name, entered.cl_ord_id, symbol=entered.symbol))
        return name

    def mass(self, *extra: tuple[int, object], scope: str = "7") -> str:
        """Send a q; its ClOrdID."""
        name = fresh("q")
        self.trader.send("q", *mass(name, scope, *extra))
        return name

    def taken_on(self, name: str) -> int:
        """The r of a q: how many orders it took on. Nothing else comes before."""
        answer = self.until(self.trader, lambda one: one.type == "r")[-1]
        assert (answer[11], answer[531] != "0") == (name, True), answer
        return int(answer[533])

    def outcome(self, request: str | Sequence[str], entered: Iterable[Entered]) -> Outcome:
        """Read until each of these orders has its final 8 or 9, of this request or one of these."""
        requests = (request,) if isinstance(request, str) else request
        left = {one.cl_ord_id for one in entered}
        finals: dict[str, Message] = {}

        def is_last(one: Message) -> bool:
            if one.get(11) in requests and (one.type == "9" or one.get(150) == "4"):
                assert one[41] in left, one
                left.discard(one[41])
                finals[one[41]] = one
            return not left

        found = self.until(self.trader, is_last)
        return Outcome(finals, [one for one in found if one not in finals.values()])

    def pending(self, request: str) -> None:
        """The 8 that says that a cancel is pending, and nothing about an outcome."""
        one = self.until(self.trader, lambda _: True)[0]
        assert (one.type, one.get(150), one.get(11), one.get(58)) == ("8", "6", request, None), one

    def unknown(self, request: str, exec_type: str = "6") -> None:
        """The 8 that says at once that an outcome is not known."""
        one = self.until(self.trader, lambda _: True)[0]
        assert (one.type, one.get(150), one.get(11)) == ("8", exec_type, request), one
        assert "unknown" in one[58], one

    def until(self, client: Client, is_last: Callable[[Message], bool]) -> Sequence[Message]:
        """What comes up to and with the one that is the last; no report twice."""
        deadline = time.monotonic() + SLOW_SECONDS
        found: list[Message] = []
        while True:
            assert time.monotonic() < deadline, found[-20:]  # heartbeats come for ever
            try:
                one = client.receive(SLOW_SECONDS)
            except TimeoutError:
                raise AssertionError(found[-20:]) from None
            if one.type in ADMIN and one.type not in "35":
                continue
            found.append(one)
            if one.type == "8" and one[17] != "0":
                self._told[client.port, client.name, one[17]] += 1
                assert self._told[client.port, client.name, one[17]] == 1, one
            if is_last(one):
                return found


def _row(one: Message) -> Row:
    return Row(Decimal(one[44]), one[1], one[55], one[54], Decimal(one[38]), Decimal(one[14]), one[39])


@contextmanager
def opened(kind: str, directory: Path) -> Iterator[Stage]:
    """A stage of this kind."""
    if kind == SANDBOX:
        with Gateway(directory / "data") as gateway:
            yield Stage(kind, gateway, None, None)
        return
    bridge = Bridge(
        directory,
        kind,
        request_seconds=1 if MANY <= 500 else 10,  # also a list of all orders is one request
        scope_seconds=5 if MANY <= 500 else 30,
        confirm_seconds=1,
        poll_seconds=60 if kind == "alphapoint" else 1,  # it says everything by itself
        requests_per_second=2_000,
        requests_at_once=16,
    )
    with Proxy(bridge.back.api_port) as proxy:
        try:
            bridge.start(proxy.url)
            assert bridge.front is not None
            yield Stage(kind, bridge.front, bridge, proxy)
        finally:
            bridge.stop()
