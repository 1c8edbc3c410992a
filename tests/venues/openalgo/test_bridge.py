"""A whole gateway whose OMS is on another one, which serves OpenAlgo's API, with a proxy between them."""

from collections.abc import Callable, Iterator

import pytest

from tests.gateway import until
from tests.venue_cases.bridge import Bridge
from tests.venue_cases.proxy import Do, Proxy
from tests.wire import Client, Message, cancel, fresh, mass, order

pytestmark = pytest.mark.bridge

PLACE, CANCEL, CANCEL_ALL, BOOK = "placeorder", "cancelorder", "cancelallorder", "orderbook"


class Scene:
    """The bridge, its proxy, and a trader on it."""

    def __init__(self, bridge: Bridge, proxy: Proxy) -> None:
        self.bridge = bridge
        self.proxy = proxy
        self.trader = bridge.client("TRADER37")
        self.operator = bridge.client("OPERATOR1")

    def enter(self, count: int = 1) -> list[str]:
        """Orders that the venue has confirmed; their ClOrdIDs."""
        names = [fresh("o") for _ in range(count)]
        for name in names:
            self.trader.send("D", *order(name))
        until_all(self.trader, "0", names)
        return names


def is_report(exec_type: str) -> Callable[[Message], bool]:
    """Whether a message is an 8 of this kind."""
    return lambda one: one.type == "8" and one[150] == exec_type


def until_all(client: Client, exec_type: str, names: list[str]) -> None:
    """Wait for such an 8 of each of these orders by its ClOrdID."""
    waiting = set(names)

    def is_last(one: Message) -> bool:
        if is_report(exec_type)(one):
            waiting.discard(one[11])
        return not waiting

    client.until(is_last)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    bridge = Bridge(tmp_path_factory.mktemp("bridge"), "openalgo", request_seconds=1)
    with Proxy(bridge.back.api_port) as proxy:
        try:
            bridge.start(proxy.url)
            yield Scene(bridge, proxy)
        finally:
            bridge.stop()


@pytest.fixture
def scene(running: Scene) -> Scene:
    """Nothing is done to what passes, and nothing is on its way."""
    running.proxy.clear()
    for client in (running.trader, running.operator):
        client.drain()
    return running


def test_an_order_whose_answer_is_lost_is_found_and_never_sent_again(scene: Scene) -> None:
    """It is on the venue: it is confirmed, however late that is seen."""
    before = scene.proxy.count(PLACE)
    scene.proxy.put(Do.LOSE_REPLY, PLACE)
    [name] = scene.enter()
    assert scene.proxy.count(PLACE) - before == 1
    scene.trader.send("F", *cancel(fresh("c"), name))
    scene.trader.until(is_report("4"))


def test_a_cancel_whose_answer_is_lost_ends_as_the_order_did(scene: Scene) -> None:
    """Canceled, as the order book shows; it was not asked again."""
    [name] = scene.enter()
    before = scene.proxy.count(CANCEL)
    scene.proxy.put(Do.LOSE_REPLY, CANCEL)
    scene.trader.send("F", *cancel(fresh("c"), name))
    scene.trader.until(is_report("4"))
    assert scene.proxy.count(CANCEL) - before == 1


@pytest.mark.parametrize("status_code", [429, 500, 504])
def test_a_cancel_that_did_not_reach_the_venue_is_asked_again(scene: Scene, status_code: int) -> None:
    """After a pause that the venue asked for, or when the order is seen to be open still."""
    [name] = scene.enter()
    before = scene.proxy.count(CANCEL)
    scene.proxy.answer(status_code, match=CANCEL)
    scene.trader.send("F", *cancel(fresh("c"), name))
    scene.trader.until(is_report("4"))
    assert scene.proxy.count(CANCEL) - before == 2


def test_a_mass_cancel_of_everything_ends_every_order_whatever_the_venue_says(scene: Scene) -> None:
    """Its cancel of all answers nonsense, and one of the cancels as well."""
    names = scene.enter(3)
    scene.proxy.put(Do.GARBLE, CANCEL_ALL)
    scene.proxy.put(Do.GARBLE, CANCEL)
    scene.operator.send("q", *mass(fresh("m")))
    assert scene.operator.until(lambda one: one.type == "r")[-1][533] == "3"
    until_all(scene.trader, "4", names)


def test_a_venue_that_is_away_is_said_to_be_and_is_asked_again_when_it_is_back(scene: Scene) -> None:
    """102 while it refuses connections; the order that was there is known as before."""
    [name] = scene.enter()
    scene.proxy.refuse()

    def refused() -> bool:
        scene.trader.send("D", *order(fresh("o")))
        [report] = scene.trader.until(lambda one: one.type == "8")[-1:]
        return report[150] == "8" and "102" in report[58]

    until(refused)
    scene.proxy.listen()

    def canceled() -> bool:
        scene.trader.send("F", *cancel(fresh("c"), name))
        report = scene.trader.until(lambda one: one.type == "9" or is_report("4")(one))[-1]
        return report.type == "8"

    until(canceled)
