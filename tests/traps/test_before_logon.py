"""Messages on a connection that is bound to a session, but on which nobody ever gave a password."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, closed, half_open, leave, reframed, undisturbed
from tests.traps.conftest import Connect
from tests.wire import PATIENCE, Client, Pairs, cancel, fresh, mass, order, timestamp

Way = Callable[[Client], None]

WRONG_PASSWORD = ((553, "TRADER37"), (554, "wrong"))


def reset_left_open(client: Client) -> None:
    """A Logon with 141=Y that is dropped as a PossDup: QuickFIX goes on as if a reset were under way."""
    half_open(client, poss_dup=True, fields=((141, "Y"), *WRONG_PASSWORD))
    client.sent = 1


def logout_left_open(client: Client) -> None:
    """A message of another FIX version: QuickFIX says Logout, stays, and takes anything from then on."""
    client.sent = 1
    half_open(client, fields=WRONG_PASSWORD)
    client.send_bytes(reframed(client.encode("0", ()), b"8=FIX.4.4\x01", b"8=FIX.4.3\x01"))
    assert client._read(PATIENCE).type == "5"


WAYS = pytest.mark.parametrize("way", [reset_left_open, logout_left_open])


@WAYS
def test_bare_an_order_reaches_the_application_without_a_logon(way: Way) -> None:
    """Trap: QuickFIX hands over messages of a session that is not logged on."""
    with Bare("bare_printing") as bare:
        client = bare.client("TRADER37")
        way(client)
        client.send("D", *order("stolen"))
        assert bare.line() == "fromApp 35=D logged on: False"


@WAYS
def test_nobody_cancels_or_orders_without_a_logon(
    clean_gateway: Gateway, stranger: Client, connect: Connect, way: Way
) -> None:
    """Cure: what comes before a Logon with a good password is not an order, a cancel or a mass cancel."""
    owner, thief = connect("TRADER37"), connect("TRADER37")
    thief.port, thief.address = clean_gateway.engine_port, "127.0.0.1"
    owner.logon(reset=True)
    first, second = owner.rest(), owner.rest()
    owner.logout()
    way(thief)
    thief.sent = owner.sent  # which anybody can find out by trying
    thief.send("D", *order(fresh("stolen")))
    thief.send("F", *cancel(fresh("stolen"), first.cl_ord_id))
    thief.send("q", *mass(fresh("stolen")))
    leave(thief)
    undisturbed(stranger, clean_gateway)
    assert owner.logon(reset=True).type == "A"
    owner.send("AF", (584, "s"), (585, "7"))
    assert [owner.next()[37] for _ in range(2)] == [first.order_id, second.order_id]
    owner.quiet()


@pytest.mark.parametrize(
    ("msg_type", "fields"),
    [
        ("0", ()),
        ("1", ((112, "hello?"),)),
        ("2", ((7, 1), (16, 0))),
        ("3", ((45, 1),)),
        ("4", ((36, 9),)),
        ("5", ()),
        ("A", (*LOGON, *WRONG_PASSWORD)),
        ("D", order("x")),
        ("ZZ", ()),
    ],
)
@pytest.mark.parametrize("bound", [False, True], ids=["first", "bound"])
def test_no_message_before_logon_moves_the_sessions_numbers(
    clean_gateway: Gateway, stranger: Client, connect: Connect, bound: bool, msg_type: str, fields: Pairs
) -> None:
    """Cure: whatever comes before Logon, the owner of the session logs on afterwards as if nothing had."""
    owner, anybody = connect("TRADER38"), connect("TRADER38")
    owner.logon(reset=True)
    owner.rest()
    owner.logout()
    anybody.sent = owner.sent
    if bound:
        half_open(anybody)
    else:
        anybody.connect()
    with suppress(OSError):
        anybody.send(msg_type, *fields)
        anybody.send(msg_type, *fields)
    leave(anybody)
    undisturbed(stranger, clean_gateway)
    assert owner.logon().type == "A"
    owner.quiet()


def test_a_second_connection_does_not_take_over_a_session(
    clean_gateway: Gateway, stranger: Client, connect: Connect
) -> None:
    """Cure: a session that is logged on keeps its connection, with a good password or not, reset or not."""
    owner = connect("TRADER37")
    owner.logon(reset=True)
    for fields in (WRONG_PASSWORD, ((553, "TRADER37"), (554, "trader37-demo"))):
        for more in ((), ((141, "Y"),)):
            other = connect("TRADER37")
            other.connect()
            other.send("A", *LOGON, *fields, *more)
            assert closed(other)
            leave(other)
            owner.rest()
            owner.quiet()
    undisturbed(stranger, clean_gateway)


@pytest.mark.parametrize(
    ("header", "more"),
    [((), ()), (((43, "Y"), (122, timestamp())), ()), ((), ((789, 1),)), ((), ((789, 99),))],
    ids=["again", "PossDup", "789-low", "789-high"],
)
def test_a_second_logon_on_a_connection(
    clean_gateway: Gateway, stranger: Client, connect: Connect, header: Pairs, more: Pairs
) -> None:
    """Cure: a Logon on a connection that is logged on ends it at worst, and the client logs on again."""
    owner = connect("TRADER37")
    owner.logon(reset=True)
    owner.rest()
    owner.send("A", *LOGON, (553, "TRADER37"), (554, "trader37-demo"), *more, header=header)
    assert closed(owner)
    leave(owner)
    undisturbed(stranger, clean_gateway)
    owner.sent -= 1
    assert owner.logon().type == "A"
    owner.quiet()
