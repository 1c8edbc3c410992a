"""The controls on orders that live on a venue, which is another gateway: two real gateways, a real socket."""

from collections.abc import Iterator

import pytest

from fixgw.control_commands import cancel_all
from fixgw.engine.turn import ReleaseLock, Status
from fixgw.link import call
from tests.gateway import Gateway, edit_session, until
from tests.venue_cases.bridge import Bridge
from tests.wire import fresh, mass, order


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge to an AlphaPoint venue, whose sessions may use the controls."""
    made = Bridge(tmp_path_factory.mktemp("bridge"), "alphapoint")
    made.start()
    try:
        assert made.front is not None
        assert made.front.stop() == 0
        config = made.front.config
        text = config.read_text()
        for old, new in (
            edit_session("TRADER39", 'dialect = "extended"'),
            ('cancel_on_disconnect = "off"', 'cancel_on_disconnect = "disconnect"'),
        ):
            assert old in text
            text = text.replace(old, new)
        config.write_text(text)
        made.front.start()
        until(lambda: is_up(made.front))
        yield made
    finally:
        made.stop()


def is_up(front: Gateway | None) -> bool:
    """Whether the venue is within reach."""
    assert front is not None
    return all(venue.is_up for venue in call(front.data, Status()).status.venues)


def open_on_venue(bridge: Bridge) -> int:
    """How many orders are open there."""
    return call(bridge.back.data, Status()).status.omses[0].open_orders


def test_dry_run_and_dead_man(bridge: Bridge) -> None:
    """The dry run leaves the order on the venue; the timer that runs out has it canceled there."""
    assert bridge.front is not None
    trader = bridge.front.ready("TRADER39")
    name = fresh("b")
    trader.send("D", *order(name, (59, "1")))
    trader.expect(f"8|150=A|11={name}")
    trader.expect(f"8|150=0|11={name}")
    trader.send("q", *mass(fresh(), "7", (20012, "Y")))
    assert trader.expect("r|531=7|533=1|20012=Y").all(41) == [name]
    assert open_on_venue(bridge) == 1
    armed = fresh("m")
    trader.send("q", *mass(armed, "7", (20010, 300)))
    trader.expect(f"r|11={armed}|533=0|20010=300")
    trader.expect(f"r|11={armed}|533=1|58=the dead-man timer ran out")
    trader.expect(f"8|150=6|11={armed}|41={name}")
    trader.expect(f"8|150=4|11={armed}|41={name}")
    trader.expect("r|20003=Y|533=1")
    assert open_on_venue(bridge) == 0


def test_cancel_on_disconnect_reaches_the_venue(bridge: Bridge) -> None:
    """The client is gone, its orders are gone there, another's stay; it is told at its return."""
    assert bridge.front is not None
    trader, other = bridge.front.client("TRADER37"), bridge.front.ready("TRADER39")
    name, kept = fresh("b"), fresh("b")
    for client, cl_ord_id in ((trader, name), (other, kept)):
        client.send("D", *order(cl_ord_id, (59, "1")))
        client.expect(f"8|150=A|11={cl_ord_id}")
        client.expect(f"8|150=0|11={cl_ord_id}")
    assert open_on_venue(bridge) == 2
    trader.close()
    until(lambda: open_on_venue(bridge) == 1)
    assert trader.logon().type == "A"
    trader.expect(f"8|150=4|11={name}|41=|58=canceled on disconnect")
    other.send("q", *mass(fresh()))
    assert other.expect("r|531=7|533=1").all(41) == [kept]
    other.until(lambda message: message.get(20003) == "Y")


def test_the_kill_switch_reaches_the_venue(bridge: Bridge) -> None:
    """Canceled there, its owner told, and nothing new goes there until it is unlocked."""
    assert bridge.front is not None
    trader = bridge.front.ready("TRADER39")
    name = fresh("b")
    trader.send("D", *order(name, (59, "1")))
    trader.expect("8|150=A")
    trader.expect(f"8|150=0|11={name}")
    answer = cancel_all(bridge.front.data, 1, "ann")
    assert (answer.refusal, len(answer.pending)) == (None, 1)
    trader.expect(f"8|150=4|11={name}|41=|58=canceled by an operator's kill switch")
    assert open_on_venue(bridge) == 0
    trader.send("D", *order(fresh()))
    trader.expect("8|150=8|103=0")
    assert open_on_venue(bridge) == 0
    [lock] = call(bridge.front.data, Status()).status.locks
    assert bridge.front.say(ReleaseLock(lock.lock_id, "the operator ann")).errorcode == 0
