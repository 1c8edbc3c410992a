"""DryRun(20012)=Y: a mass cancel that says what it would cancel, and cancels nothing."""

import pytest

from fixgw.engine.sandbox import HoldCancels
from tests.gateway import Gateway
from tests.wire import Client, fresh, mass, user


@pytest.fixture
def trader(extended_gateway: Gateway) -> Client:
    """User 39 on the extended dialect."""
    extended_gateway.clean()
    return extended_gateway.ready("TRADER39")


def test_it_lists_what_a_cancel_would_take_and_takes_nothing(trader: Client) -> None:
    """r with 533 and the 534 list, as the mass cancel right after it has them."""
    bought, sold = trader.rest(), trader.rest(side="2", symbol="ETH-USD")
    shown, real = fresh("m"), fresh("m")
    trader.send("q", *mass(shown, "7", (20012, "Y")))
    r = trader.expect(f"r|11={shown}|531=7|533=2|20012=Y|58=dry run: nothing was canceled|20003=")
    assert (r.all(41), r.all(535)) == ([bought.cl_ord_id, sold.cl_ord_id], [bought.order_id, sold.order_id])
    trader.quiet()
    trader.send("q", *mass(real))
    again = trader.expect(f"r|11={real}|531=7|533=2|20012=|58=")
    assert (again.all(41), again.all(535)) == (r.all(41), r.all(535))
    assert r[37] != again[37]
    for resting in (bought, sold):
        trader.expect(f"8|150=4|41={resting.cl_ord_id}")


def test_it_is_as_narrow_as_the_cancel(trader: Client) -> None:
    """Instrument, side and account narrow a dry run as they narrow a cancel; an empty one is a success."""
    trader.rest()
    sold = trader.rest(side="2", symbol="ETH-USD")
    trader.send("q", *mass(fresh(), "1", (55, "ETH-USD"), (54, "2"), (1, 16), (20012, "Y")))
    assert trader.expect("r|531=1|533=1").all(41) == [sold.cl_ord_id]
    trader.send("q", *mass(fresh(), "1", (55, "ETH-USD"), (54, "1"), (20012, "Y")))
    trader.expect("r|531=1|533=0|534=")


def test_what_is_pending_is_listed_too(extended_gateway: Gateway, trader: Client) -> None:
    """An order whose cancel is pending would be in the set, so it is in the list."""
    held = trader.rest()
    extended_gateway.say(HoldCancels())
    trader.send("q", *mass(fresh()))
    trader.expect("r|533=1")
    trader.expect("8|150=6")
    trader.send("q", *mass(fresh(), "7", (20012, "Y")))
    assert trader.expect("r|533=1|20012=Y").all(41) == [held.cl_ord_id]


def test_what_may_not_be_canceled_may_not_be_listed(trader: Client) -> None:
    """The same permission as for the cancel itself: 20, and nothing is told."""
    trader.send("q", *mass(fresh(), "7", (1, 14), (20012, "Y")))
    trader.expect("r|531=0|20002=20|534=|533=")
    trader.send("q", *mass(fresh(), "7", *user(37), (20012, "Y")))
    trader.expect("r|531=0|20002=20")


def test_its_id_is_used_and_its_answer_is_repeated(trader: Client) -> None:
    """A dry run uses its ClOrdID; with PossResend(97)=Y the same answer comes again."""
    trader.rest()
    shown = fresh("m")
    fields = mass(shown, "7", (20012, "Y"))
    trader.send("q", *fields)
    first = trader.expect("r|533=1")
    trader.send("q", *fields, header=((97, "Y"),))
    again = trader.expect("r|533=1")
    assert (again[37], again.all(535)) == (first[37], first.all(535))
    trader.send("q", *mass(shown))
    trader.expect("r|531=0|20002=101")


@pytest.mark.parametrize("other", [(20010, 1000), (20011, "Y"), (20011, "N")])
def test_it_goes_with_no_other_control(trader: Client, other: tuple[int, object]) -> None:
    """A dry run that also locks or arms is refused with 100, and names both fields."""
    trader.send("q", *mass(fresh(), "7", (20012, "Y"), other))
    trader.expect("r|531=0|20002=100|58=Invalid Request (errorcode 100): DryRun(20012)=Y and *")


def test_a_strict_session_does_not_know_it(extended_gateway: Gateway, trader: Client) -> None:
    """On the strict dialect it is refused with 106: ignored, it would cancel."""
    assert trader is not None
    strict = extended_gateway.ready("TRADER37")
    resting = strict.rest()
    for tag, value in ((20010, "1000"), (20011, "Y"), (20012, "Y")):
        strict.send("q", *mass(fresh(), "7", (tag, value)))
        refused = strict.expect("r|531=0|532=0")
        assert f"({tag}) is not supported" in refused[58]
    strict.send("H", (11, resting.cl_ord_id), (55, "BTC-USD"), (54, "1"))
    strict.expect("8|150=I|39=0")
