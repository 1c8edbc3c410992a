"""Who is told: the requester gets his answer, the order's own session gets the end, nobody gets it twice."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from tests.gateway import ROOT, Gateway, write_config
from tests.wire import Client, Resting, cancel, fresh, mass, order, user

PEOPLE = ("TRADER", "OPERATOR", "37", "38", "39", "user", "colleague")


def told_of_the_end(owner: Client, resting: Resting) -> None:
    """Assert that the owner gets the end, unsolicited, with a Text that names no one, and nothing else."""
    end = owner.expect(f"8|11={resting.cl_ord_id}|41=|37={resting.order_id}|150=4|39=4|151=0|14=0")
    assert "canceled" in end[58]
    assert not any(name in end[58] for name in PEOPLE)
    owner.quiet()


def test_the_requester_alone_is_told_when_the_order_is_his(trader: Client, colleague: Client) -> None:
    """One report of an event per session, never two: a cancel of one's own is told once."""
    a = trader.rest()
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect(f"8|41={a.cl_ord_id}|150=4|58=")
    trader.quiet()
    colleague.quiet()


def test_the_owner_is_told_of_a_colleagues_cancel(trader: Client, colleague: Client) -> None:
    """The order's own session, if another, gets 8 150=4 with 11 = the order's ClOrdID, no 41, and a Text."""
    a = trader.rest()
    c = fresh("c")
    colleague.send("F", *cancel(c, a.cl_ord_id, (1, 14)))
    colleague.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|58=")
    colleague.quiet()
    told_of_the_end(trader, a)


def test_the_owners_are_told_of_an_operators_mass_cancel(
    operator: Client, trader: Client, colleague: Client, stranger: Client
) -> None:
    """The requester gets r and every end; each owner gets the end of his own orders, unsolicited."""
    orders = [(client, client.rest()) for client in (trader, colleague, stranger)]
    m = fresh("m")
    operator.send("q", *mass(m))
    operator.expect(f"r|11={m}|533=3")
    for _, resting in orders:
        operator.expect(f"8|11={m}|41={resting.cl_ord_id}|150=4|39=4")
    operator.quiet()
    for client, resting in orders:
        told_of_the_end(client, resting)


def test_the_owner_gets_only_the_end(gateway: Gateway, trader: Client, operator: Client) -> None:
    """While the cancel is pending the requester has 150=6 and the owner nothing; then both get the end."""
    a = trader.rest()
    gateway.say(HoldCancels())
    operator.send("F", *cancel(fresh(), "NONE", (37, a.order_id)))
    operator.expect("8|150=6|39=6")
    trader.quiet()
    gateway.say(ReleaseCancels())
    operator.expect(f"8|41={a.cl_ord_id}|150=4|39=4")
    operator.quiet()
    told_of_the_end(trader, a)


def test_fills_go_to_the_owner_and_the_refusal_to_the_requester(
    gateway: Gateway, trader: Client, operator: Client
) -> None:
    """A fill is told to the order's session; that it came too late, to the one who asked for the cancel."""
    a = trader.rest()
    c = fresh("c")
    gateway.say(HoldCancels())
    operator.send("F", *cancel(c, "NONE", (37, a.order_id)))
    operator.expect("8|150=6")
    gateway.say(FillOrder(int(a.order_id), Decimal(4)))
    trader.expect(f"8|11={a.cl_ord_id}|150=F|39=6|14=4")
    operator.quiet()
    gateway.say(FillOrder(int(a.order_id), Decimal(6)))
    trader.expect(f"8|11={a.cl_ord_id}|150=F|39=2|14=10")
    trader.quiet()
    operator.expect(f"9|11={c}|41={a.cl_ord_id}|37={a.order_id}|39=2|102=0")
    operator.quiet()


def test_a_refused_cancel_is_no_news_for_the_owner(
    gateway: Gateway, trader: Client, operator: Client
) -> None:
    """The owner gets only the end: that a cancel was refused by the venue is told to the requester alone."""
    a = trader.rest()
    gateway.say(RefuseCancel(int(a.order_id), "no"))
    operator.send("F", *cancel(fresh(), "NONE", (37, a.order_id)))
    operator.expect("9|39=0|102=99")
    trader.quiet()
    operator.quiet()


def test_the_session_that_an_order_came_from_is_told(
    gateway: Gateway, trader: Client, operator: Client
) -> None:
    """Told is the session that an order came from, also when an Operator entered it for another user."""
    cl_ord_id = fresh("o")
    operator.send("D", *order(cl_ord_id, (1, 14), *user(37)))
    resting = Resting(cl_ord_id, operator.expect("8|150=0")[37])
    gateway.say(FillOrder(int(resting.order_id), Decimal(1)))
    operator.expect(f"8|11={cl_ord_id}|150=F|39=1")
    trader.quiet()
    trader.send("F", *cancel(fresh(), cl_ord_id))
    trader.expect(f"8|41={cl_ord_id}|150=4")
    operator.expect(f"8|11={cl_ord_id}|41=|150=4|39=4")
    operator.quiet()
    trader.quiet()


def test_two_sessions_of_one_user_are_two_sessions(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OrigClOrdID alone finds what this session's user entered; the order's other session gets the end."""
    reader50 = (ROOT / "config" / "gateway.toml").read_text().split("[[session]]")[-1].partition("\n# ")[0]
    second = reader50.replace('comp_id = "READER50"', 'comp_id = "SECOND37"').replace(
        "user = 50", "user = 37"
    )
    second = second.replace('username = "READER50"', 'username = "SECOND37"')
    directory = tmp_path_factory.mktemp("second")
    config = write_config(
        directory / "config",
        (reader50, f"{reader50}\n[[session]]{second}"),
        cfg=(("TargetCompID=READER50", "TargetCompID=READER50\n\n[SESSION]\nTargetCompID=SECOND37"),),
    )
    with Gateway(directory / "data", config) as gateway:
        first = gateway.client("TRADER37")
        other = gateway.client("SECOND37", logon=False)
        other.password = "reader50-demo"
        assert other.logon(reset=True).type == "A"
        a = first.rest()
        other.send("F", *cancel("c1", a.cl_ord_id))
        other.expect(f"8|11=c1|41={a.cl_ord_id}|150=4|39=4")
        other.quiet()
        told_of_the_end(first, a)
        other.send("D", *order(a.cl_ord_id))
        other.expect(f"8|150=8|103=6|37={a.order_id}|39=4")
        b = first.rest()
        other.send("q", *mass("m1"))
        other.expect("r|533=1")
        other.expect(f"8|11=m1|41={b.cl_ord_id}|150=4")
        told_of_the_end(first, b)
