"""The extended dialect: error codes as fields, who was named, and a second r when a mass cancel is done."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.fix.dictionary import load
from tests.gateway import Gateway
from tests.wire import STOCK, Client, Message, cancel, fresh, mass, order, user, without

EXTENSIONS = load().fields.keys() - STOCK.fields.keys()


@pytest.fixture
def trader(extended_gateway: Gateway) -> Client:
    """User 39 on the extended dialect."""
    extended_gateway.clean()
    return extended_gateway.ready("TRADER39")


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


def extensions(message: Message) -> dict[int, str]:
    return {tag: value for tag, value in message.pairs if tag in EXTENSIONS}


def not_affected(message: Message) -> set[tuple[str, str]]:
    """The group NoNotAffectedOrders(1370): NotAffOrigClOrdID(1372) and NotAffectedOrderID(1371)."""
    return set(zip(message.all(1372), message.all(1371), strict=True))


# The second r


def test_a_second_r_says_that_the_mass_cancel_is_done(trader: Client) -> None:
    """A second r when the last order is done: same 37 and 11, 533 = canceled, 20003=Y."""
    a, b, m = trader.rest(), trader.rest(), fresh("m")
    trader.send("q", *mass(m))
    first = trader.expect(f"r|11={m}|530=7|531=7|533=2|534=2|1370=|20003=|20002=")
    for resting in (a, b):
        trader.expect(f"8|11={m}|41={resting.cl_ord_id}|150=4")
    trader.expect(f"r|11={m}|37={first[37]}|530=7|531=7|533=2|1370=|20003=Y|20002=")
    trader.quiet()


def test_an_empty_mass_cancel_is_done_at_once(trader: Client) -> None:
    """A mass cancel that matches nothing is accepted and done: two r with 533=0."""
    m = fresh("m")
    trader.send("q", *mass(m))
    first = trader.expect(f"r|11={m}|533=0|20003=")
    trader.expect(f"r|11={m}|37={first[37]}|533=0|1370=|20003=Y")
    trader.quiet()


def test_a_refused_mass_cancel_has_no_second_r(trader: Client) -> None:
    """Refused: one r, with the error code in 20002."""
    for fields, code in (
        (mass(fresh(), "1"), 100),
        (mass(fresh(), "7", (1, 14)), 20),
        (mass(fresh(), "1", (55, "NO-SUCH")), 104),
        (mass(fresh(), "7", (54, "B")), 106),
    ):
        trader.send("q", *fields)
        trader.expect(f"r|531=0|20002={code}|20003=|1370=")
        trader.send("q", *mass(str(dict(fields)[11])))
        trader.expect("r|531=0|20002=101|20003=|1370=")
    trader.quiet()


def test_orders_that_were_not_canceled_are_listed(extended_gateway: Gateway, trader: Client) -> None:
    """The second r lists in group 1370 {1372 ClOrdID, 1371 OrderID} what was not canceled; 533 = canceled."""
    gateway = extended_gateway
    going, pending, refused, filled = (trader.rest() for _ in range(4))
    gateway.say(HoldCancels())
    gateway.say(RefuseCancel(int(refused.order_id), "no"))
    trader.send("F", *cancel(fresh(), pending.cl_ord_id))
    trader.expect("8|150=6")
    m = fresh("m")
    trader.send("q", *mass(m))
    first = trader.expect(f"r|11={m}|533=4|534=4|20003=|1370=")
    trader.expect(f"9|41={pending.cl_ord_id}|39=6|102=3|20002=101")
    for each in (going, refused, filled):
        trader.expect(f"8|11={m}|41={each.cl_ord_id}|150=6")
    gateway.say(FillOrder(int(filled.order_id), Decimal(10)))
    trader.expect("8|150=F|39=2")
    trader.expect(f"9|11={m}|41={filled.cl_ord_id}|39=2|102=0|20002=101")
    trader.quiet()
    gateway.say(ReleaseCancels())
    ends = [trader.next() for _ in range(3)]
    assert sorted(end.type for end in ends) == ["8", "8", "9"]
    second = trader.expect(f"r|11={m}|37={first[37]}|533=1|534=|1370=3|20003=Y")
    assert not_affected(second) == {tuple(each) for each in (pending, refused, filled)}
    trader.quiet()


def test_nothing_could_be_canceled(extended_gateway: Gateway, trader: Client) -> None:
    """All orders already pending: both r at once, the 9s between them, 533=0 in the second."""
    a = trader.rest()
    extended_gateway.say(HoldCancels())
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect("8|150=6")
    m = fresh("m")
    trader.send("q", *mass(m))
    trader.expect(f"r|11={m}|533=1|20003=")
    trader.expect(f"9|11={m}|39=6|102=3")
    second = trader.expect(f"r|11={m}|533=0|1370=1|20003=Y")
    assert not_affected(second) == {tuple(a)}
    trader.quiet()


def test_a_mass_cancel_sent_again_tells_the_first_r(trader: Client) -> None:
    """PossResend of a q: the same r, without 8s."""
    a, m = trader.rest(), mass(fresh("m"))
    trader.send("q", *m)
    first = trader.expect("r|533=1")
    trader.expect("8|150=4")
    trader.expect("r|20003=Y")
    trader.send("q", *m, header=((97, "Y"),))
    trader.expect(f"r|37={first[37]}|533=1|534=1|41={a.cl_ord_id}|20003=")
    trader.quiet()


# Error codes, accounts and users


def test_r_says_who_was_named(operator: Client, strict: Client) -> None:
    """r also has Account and Parties, as the request named them, accepted or refused."""
    strict.rest((1, 15))
    operator.send("q", *mass(fresh(), "7", (1, 15), *user(37)))
    named = "1=15|453=1|448=37|447=D|452=11"
    operator.expect(f"r|533=1|534=1|{named}")
    operator.expect("8|150=4|1=15")
    operator.expect(f"r|533=1|20003=Y|{named}")
    operator.send("q", *mass(fresh(), "7", (1, 99), *user(37)))
    operator.expect("r|531=0|532=99|1=99|448=37|452=11|20002=104")
    operator.send("q", *mass(fresh(), "7", *user(99)))
    operator.expect("r|531=0|1=|448=99|20002=104")
    operator.quiet()


def test_a_cancel_reject_says_whose_order_it_is(operator: Client, strict: Client) -> None:
    """9 also has Account, Parties and 20002=ErrorCode."""
    a = strict.rest((1, 15))
    operator.send("F", *cancel(fresh(), "NONE", (37, a.order_id), side="2"))
    operator.expect(f"9|37={a.order_id}|102=99|1=15|453=1|448=37|447=D|452=11|20002=100")
    operator.send("F", *cancel(fresh(), "NONE", (37, "999999")))
    operator.expect("9|37=NONE|102=1|20002=104")
    operator.quiet()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (without(order(""), 38), 100),
        (order("", (1, 14)), 20),
        (order("", symbol="NO-SUCH"), 104),
        (order("", (106, "issuer")), 106),
    ],
)
def test_a_rejecting_8_says_the_code(
    trader: Client, fields: tuple[tuple[int, object], ...], code: int
) -> None:
    """An 8 that rejects also has 20002=ErrorCode; a duplicate has 101."""
    x = fresh("x")
    trader.send("D", *without(fields, 11), (11, x))
    trader.expect(f"8|150=8|20002={code}")
    trader.send("D", *order(x))
    trader.expect("8|150=8|20002=101")
    trader.quiet()


def test_a_rejecting_8_says_who_was_named(operator: Client) -> None:
    """A rejecting 8 also has Account and Parties."""
    operator.send("D", *order(fresh(), (1, 99), *user(37)))
    operator.expect("8|150=8|1=99|453=1|448=37|447=D|452=11|20002=104")


def test_reports_that_refuse_nothing_are_the_stock_ones(trader: Client) -> None:
    """Account, Parties and ErrorCode are added to r, 9 and rejecting 8; other reports have none of it."""
    a = trader.rest()
    trader.send("H", (11, a.cl_ord_id), (54, 1))
    assert extensions(trader.expect("8|150=I|1=16")) == {}
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    assert extensions(trader.expect("8|150=4|1=16")) == {}
    trader.send("H", (11, "no-such"), (54, 1))
    assert extensions(trader.expect("8|150=I|39=8")) == {}
    trader.quiet()


# The strict dialect


def test_the_strict_dialect_has_stock_tags_only(strict: Client, operator: Client) -> None:
    """Replies use stock 4.4 tags only: a stock dictionary refuses a r with Account, Parties or 1369."""
    assert strict.dictionary is STOCK, (
        "whatever this client receives is validated against the stock dictionary"
    )
    a, b = strict.rest(), strict.rest((1, 15))
    strict.send("F", *cancel(fresh(), a.cl_ord_id, side="2"))
    strict.expect("9|20002=|453=")
    strict.send("D", *order(fresh(), (1, 16), *user(37)))
    strict.expect("8|150=8|20002=|453=")
    strict.send("q", *mass(fresh(), "7", (1, 14), *user(37)))
    strict.expect("r|533=1|1=|453=|20003=")
    strict.expect("8|150=4")
    strict.send("q", *mass(fresh(), "7", (1, 16), *user(37)))
    strict.expect("r|531=0|1=|453=|20002=")
    operator.send("q", *mass(fresh()))
    operator.expect("r|533=1")
    operator.expect("8|150=4")
    operator.expect("r|20003=Y")
    strict.expect(f"8|150=4|37={b.order_id}|41=|20002=")
    strict.quiet()
