"""A Logon with ResetSeqNumFlag(141)=Y that is no good: QuickFIX wipes its store before it asks anybody."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, half_open, leave, reframed, undisturbed, until_read
from tests.traps.conftest import Connect
from tests.wire import Client, cancel, fresh, timestamp

Way = Callable[[Client], bytes]

WRONG = (*LOGON, (553, "TRADER37"), (554, "wrong"), (141, "Y"))
OLD = b"\x0152=20200101-00:00:00.000\x01"


def wrong_password(client: Client) -> bytes:
    return client.encode("A", WRONG, seq_num=1)


def number_zero(client: Client) -> bytes:
    return client.encode("A", WRONG, seq_num=0)


def old_sending_time(client: Client) -> bytes:
    return reframed(client.encode("A", WRONG, seq_num=1), rb"\x0152=[^\x01]+\x01", OLD)


def possible_duplicate(client: Client) -> bytes:
    return client.encode("A", WRONG, seq_num=0, header=((43, "Y"), (122, timestamp())))


WAYS = pytest.mark.parametrize("way", [wrong_password, number_zero, old_sending_time, possible_duplicate])


@pytest.mark.parametrize("way", [number_zero, old_sending_time, possible_duplicate])
def test_bare_anybody_sets_a_sessions_numbers_back(way: Way) -> None:
    """Trap: the application is not even asked, and the session's owner gets numbers that it had before."""
    with Bare("bare_acceptor", "ours", "poll") as bare:
        owner = bare.client("TRADER37")
        owner.send("A", *LOGON)
        owner.receive()
        owner.quiet()
        owner.logout()
        anybody = bare.client("TRADER37")
        anybody.send_bytes(way(anybody))
        until_read(anybody)
        leave(anybody)
        owner.connect()
        owner.send("A", *LOGON)
        answer = owner._read(5.0)
        assert answer.type == "A"
        assert int(answer[34]) < owner.expected


@WAYS
@pytest.mark.parametrize("times", [1, 2])
def test_the_owner_finds_its_numbers_and_reports(
    clean_gateway: Gateway, stranger: Client, operator: Client, connect: Connect, way: Way, times: int
) -> None:
    """Cure: numbers that moved while nobody was logged on are put back, and the reports in the store too."""
    owner, anybody = connect("TRADER37"), connect("TRADER37")
    owner.logon(reset=True)
    before, after = owner.rest(), owner.rest()
    owner.logout()
    operator.send("F", *cancel(fresh("c"), before.cl_ord_id, (37, before.order_id)))
    operator.expect("8|150=4")
    for _ in range(times):
        anybody.connect()
        anybody.send_bytes(way(anybody))
        until_read(anybody)
        leave(anybody)
    operator.send("F", *cancel(fresh("c"), after.cl_ord_id, (37, after.order_id)))
    operator.expect("8|150=4")
    assert owner.logon().type == "A"
    found = owner.drain()
    assert [(report.type, report[11]) for report in found] == [
        ("8", before.cl_ord_id),
        ("8", after.cl_ord_id),
    ]
    owner.rest()
    owner.quiet()
    undisturbed(stranger, clean_gateway)


@WAYS
def test_the_same_from_a_client_that_is_logged_on(
    clean_gateway: Gateway, stranger: Client, operator: Client, connect: Connect, way: Way
) -> None:
    """Cure: a client that wipes its own session so harms nobody, not even itself after its next Logon."""
    owner = connect("TRADER37")
    owner.logon(reset=True)
    resting = [owner.rest() for _ in range(3)]
    owner.send_bytes(way(owner))
    until_read(owner)
    for one in resting:
        operator.send("F", *cancel(fresh("c"), one.cl_ord_id, (37, one.order_id)))
        operator.expect("8|150=4")
    undisturbed(stranger, clean_gateway)
    with suppress(OSError):
        leave(owner)
    assert owner.logon(reset=True).type == "A"
    owner.rest()
    owner.quiet()
    undisturbed(stranger, clean_gateway)


def begin_anew(owner: Client) -> None:
    """Log on with numbers from 1, when nothing that earlier tests left is undelivered."""
    owner.logon(reset=True)
    owner.drain()
    owner.logout()
    owner.logon(reset=True)


def test_a_wipe_is_seen_although_the_numbers_are_as_before(
    clean_gateway: Gateway, stranger: Client, operator: Client, connect: Connect
) -> None:
    """Cure: a wipe after which the numbers are brought to where they were is one too."""
    owner, anybody = connect("TRADER37"), connect("TRADER37")
    begin_anew(owner)
    resting = owner.rest()
    owner.logout()
    operator.send("F", *cancel(fresh("c"), resting.cl_ord_id, (37, resting.order_id)))
    operator.expect("8|150=4")
    half_open(anybody, poss_dup=True, fields=WRONG[2:])
    other_version = reframed(anybody.encode("0", (), seq_num=1), b"8=FIX.4.4\x01", b"8=FIX.4.3\x01")
    up = other_version * (owner.sent - 1)  # each counts both numbers up by one
    too_high = anybody.encode("0", (), seq_num=99)  # and this one the outbound number
    assert (owner.sent, owner.expected) == (4, 4)  # and one report that is not delivered
    anybody.send_bytes(possible_duplicate(anybody) + up + too_high)
    until_read(anybody)
    leave(anybody)
    assert owner.logon().type == "A"
    owner.expect(f"8|11={resting.cl_ord_id}|150=4|43=Y")
    owner.quiet()
    undisturbed(stranger, clean_gateway)


def test_orders_before_a_reset_in_the_same_segment(
    clean_gateway: Gateway, stranger: Client, connect: Connect
) -> None:
    """Cure: a message belongs to the epoch in which it came, so nothing after a reset seems a repetition."""
    owner = connect("TRADER37")
    begin_anew(owner)
    good = (*LOGON, (553, "TRADER37"), (554, "trader37-demo"), (141, "Y"))
    names = [fresh("o") for _ in range(5)]
    fields = [
        ((11, name), (55, "BTC-USD"), (54, "1"), (60, timestamp()), (38, 1), (40, "1")) for name in names
    ]
    segment = b"".join(owner.encode("D", order) for order in fields[:4])
    owner.send_bytes(segment + owner.encode("A", good, seq_num=1))
    owner.sent = 2
    answer = owner._read(5.0)
    assert (answer.type, answer[34], answer[141]) == ("A", "1", "Y")
    owner.expected = 2
    owner.send("D", *fields[4])
    assert [owner.next()[11] for _ in names] == names
    owner.quiet()
    undisturbed(stranger, clean_gateway)
