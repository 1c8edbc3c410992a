"""A gateway that is killed while outcomes on its venue are not known finds them out after its start."""

from pathlib import Path

import pytest

from tests.gateway import until
from tests.venue_cases.bridge import Bridge
from tests.venue_cases.proxy import Do, Proxy
from tests.wire import cancel, order

pytestmark = pytest.mark.bridge


def test_what_was_in_flight_when_the_gateway_was_killed_is_found_and_not_sent_again(tmp_path: Path) -> None:
    """An order and a cancel that the venue has got, and whose answers nobody has heard."""
    bridge = Bridge(tmp_path, "openalgo", request_seconds=20, requests_per_second=1, poll_seconds=1)
    with Proxy(bridge.back.api_port) as proxy:
        try:
            bridge.start(proxy.url)
            assert bridge.front is not None
            trader = bridge.client("TRADER37")
            trader.send("D", *order("o1"))
            trader.until(lambda one: one.type == "8" and one[150] == "0")
            proxy.put(Do.LOSE_REPLY, "orderbook", times=100)
            proxy.put(Do.LOSE_REPLY, "cancelorder")
            trader.send("F", *cancel("c1", "o1"))
            until(lambda: proxy.count("cancelorder") == 1)
            proxy.put(Do.LOSE_REPLY, "placeorder")
            trader.send("D", *order("o2"))
            until(lambda: proxy.count("placeorder") == 2)
            bridge.front.kill()
            proxy.clear()
            bridge.front.start()
            trader = bridge.client("TRADER37")

            def status(name: str) -> str:
                trader.send("H", (11, name), (55, "BTC-USD"), (54, 1))
                return trader.until(lambda one: one.type == "8" and one[150] == "I")[-1][39]

            until(lambda: (status("o1"), status("o2")) == ("4", "0"))
            assert (proxy.count("placeorder"), proxy.count("cancelorder")) == (2, 1)
        finally:
            bridge.stop()
