"""LockOrders(20011) and `fixgw kill`: a mass cancel that also keeps new orders of its scope out."""

import re
from collections.abc import Iterator

import pytest

from fixgw.control_commands import cancel_all
from fixgw.engine.turn import ReleaseLock, Status
from fixgw.link import call
from tests.gateway import Gateway
from tests.wire import Client, cancel, fresh, mass, order, user


@pytest.fixture
def trader(extended_gateway: Gateway) -> Iterator[Client]:
    """User 39 on the extended dialect."""
    extended_gateway.clean()
    yield extended_gateway.ready("TRADER39")
    for lock in call(extended_gateway.data, Status()).status.locks:
        extended_gateway.say(ReleaseLock(lock.lock_id, "the test"))


@pytest.fixture
def operator(extended_gateway: Gateway, trader: Client) -> Client:
    """User 1, an Operator, on the extended dialect."""
    assert trader is not None
    return extended_gateway.ready("OPERATOR1")


@pytest.fixture
def strict(extended_gateway: Gateway, trader: Client) -> Client:
    """User 37, beside them on the strict dialect."""
    assert trader is not None
    return extended_gateway.ready("TRADER37")


def refuses_order(
    client: Client, *extra: tuple[int, object], symbol: str = "BTC-USD", side: str = "1"
) -> str:
    """Send an order, which must be refused as locked; the Text."""
    client.send("D", *order(fresh(), *extra, symbol=symbol, side=side))
    return client.expect("8|150=8|39=8|103=0|58=Not Authorized (errorcode 20): new orders are locked by *")[
        58
    ]


def test_it_cancels_and_locks_until_it_is_unlocked(trader: Client) -> None:
    """20011=Y cancels as ever and refuses new orders: who locked, and how to unlock; =N cancels nothing."""
    resting = trader.rest()
    trader.send("q", *mass(fresh(), "7", (20011, "Y")))
    r = trader.expect("r|531=7|533=1|20011=Y|58=new orders are locked (lock *")
    lock_id = re.findall(r"lock (\d+)", r[58])[0]
    assert lock_id == r[37]
    trader.expect(f"8|150=4|41={resting.cl_ord_id}")
    trader.expect("r|20003=Y|533=1")
    said = refuses_order(trader)
    assert "user 39 since" in said
    assert f"lock {lock_id}" in said
    assert "LockOrders(20011)=N" in said
    assert f"fixgw unlock {lock_id}" in said
    trader.send("q", *mass(fresh(), "7", (20011, "N")))
    trader.expect("r|531=7|533=0|20011=N|58=new orders are unlocked; nothing was canceled|20003=")
    trader.rest()


def test_cancels_and_status_stay_open(trader: Client) -> None:
    """Under a lock F, q, H and AF work: only D does not."""
    trader.send("q", *mass(fresh(), "1", (55, "ETH-USD"), (20011, "Y")))
    trader.expect("r|533=0")
    trader.expect("r|20003=Y")
    one, two = trader.rest(), trader.rest()
    trader.send("q", *mass(fresh(), "7", (54, "2"), (20011, "Y")))
    trader.expect("r|533=0")
    trader.expect("r|20003=Y")
    trader.send("H", (11, one.cl_ord_id), (55, "BTC-USD"), (54, "1"))
    trader.expect("8|150=I|39=0")
    trader.send("F", *cancel(fresh(), one.cl_ord_id))
    trader.expect("8|150=4")
    trader.send("AF", (584, fresh()), (585, "7"))
    trader.expect(f"8|150=I|11={two.cl_ord_id}|911=1")
    trader.send("q", *mass(fresh()))
    trader.expect("r|533=1|20011=")


def test_it_locks_its_scope_and_nothing_else(trader: Client, operator: Client, strict: Client) -> None:
    """Account, user, instrument and side of the mass cancel are those of the lock."""
    operator.send("q", *mass(fresh(), "1", (55, "BTC-USD"), (54, "1"), *user(37), (20011, "Y")))
    operator.expect("r|531=1|533=0")
    operator.expect("r|20003=Y")
    assert "operator 1" in refuses_order(strict)
    strict.rest(side="2")
    strict.rest(symbol="ETH-USD")
    trader.rest()


def test_a_trader_locks_no_further_than_he_cancels(trader: Client, strict: Client) -> None:
    """A scope that he may not cancel he may not lock: 20, and nobody is locked out."""
    trader.send("q", *mass(fresh(), "7", (1, 14), (20011, "Y")))
    trader.expect("r|531=0|20002=20")
    strict.rest()


def test_only_who_locked_or_an_operator_unlocks(
    extended_gateway: Gateway, trader: Client, operator: Client
) -> None:
    """A trader takes his own lock away, never an operator's; an operator any, and the command line any."""
    operator.send("q", *mass(fresh(), "7", *user(39), (20011, "Y")))
    operator.expect("r|531=7")
    operator.expect("r|20003=Y")
    trader.send("q", *mass(fresh(), "7", (20011, "N")))
    trader.expect("r|531=0|20002=20|58=Not Authorized (errorcode 20): new orders were locked by operator 1*")
    assert "an operator unlocks" in refuses_order(trader)
    operator.send("q", *mass(fresh(), "7", *user(39), (20011, "N")))
    operator.expect("r|531=7|533=0")
    trader.rest()
    trader.send("q", *mass(fresh(), "7", (20011, "Y")))
    lock_id = int(trader.expect("r|531=7")[37])
    trader.expect("8|150=4")
    trader.expect("r|20003=Y")
    assert extended_gateway.say(ReleaseLock(lock_id, "the operator ann")).errorcode == 0
    assert extended_gateway.say(ReleaseLock(lock_id, "the operator ann")).errorcode == 104
    trader.rest()


def test_unlocking_names_a_lock_exactly(trader: Client) -> None:
    """No lock has this scope: 104. A narrower or wider unlock opens nothing."""
    trader.send("q", *mass(fresh(), "7", (20011, "Y")))
    trader.expect("r|531=7")
    trader.expect("r|20003=Y")
    trader.send("q", *mass(fresh(), "1", (55, "BTC-USD"), (20011, "N")))
    trader.expect("r|531=0|20002=104|58=Resource Not Found (errorcode 104): LockOrders(20011)=N: no lock *")
    refuses_order(trader)


def test_locking_again_is_one_lock(extended_gateway: Gateway, trader: Client) -> None:
    """The same user and scope have one lock; one unlock opens it."""
    for _ in range(2):
        trader.send("q", *mass(fresh(), "7", (20011, "Y")))
        trader.expect("r|531=7")
        trader.expect("r|20003=Y")
    (lock,) = call(extended_gateway.data, Status()).status.locks
    assert (lock.by, lock.scope.user_id) == ("user 39", 39)
    trader.send("q", *mass(fresh(), "7", (20011, "N")))
    trader.expect("r|531=7")
    trader.rest()


def test_a_lock_survives_a_crash(tmp_path_factory: pytest.TempPathFactory) -> None:
    """kill -9: the lock is there after the start, and refuses before anything else could come in."""
    with Gateway(tmp_path_factory.mktemp("lock") / "data") as gateway:
        trader = gateway.client("TRADER37")
        cancel_all(gateway.data, 1, "ann", user_id=37)
        gateway.kill()
        gateway.start()
        trader = gateway.client("TRADER37")
        assert "the operator ann" in refuses_order(trader)
        gateway.client("TRADER39").rest()


def test_kill_ends_everything_and_keeps_it_out(
    extended_gateway: Gateway, trader: Client, strict: Client
) -> None:
    """The owners hear of it without a name; all are locked out; the count is the truth."""
    first, second = trader.rest(), strict.rest()
    answer = cancel_all(extended_gateway.data, 1, "ann")
    assert sorted(answer.canceled) == sorted(int(one.order_id) for one in (first, second))
    for client, resting in ((trader, first), (strict, second)):
        client.expect(f"8|150=4|11={resting.cl_ord_id}|41=|58=canceled by an operator's kill switch")
        assert "the operator ann" in refuses_order(client)


def test_kill_is_as_narrow_as_it_is_told(extended_gateway: Gateway, trader: Client, strict: Client) -> None:
    """User, account and instrument narrow each other; without a lock new orders are taken."""
    kept, other = trader.rest(), strict.rest(symbol="ETH-USD")
    killed = strict.rest()
    answer = cancel_all(
        extended_gateway.data, 1, "ann", user_id=37, account_id=14, symbol="BTC-USD", locks=False
    )
    assert answer.canceled == (int(killed.order_id),)
    strict.expect(f"8|150=4|11={killed.cl_ord_id}")
    strict.rest()
    for client, resting in ((trader, kept), (strict, other)):
        client.send("H", (11, resting.cl_ord_id), (54, "1"))
        client.expect("8|150=I|39=0")
    refused = cancel_all(extended_gateway.data, 1, "ann", symbol="NO-SUCH").refusal
    assert refused is not None
    assert refused.code == 104
