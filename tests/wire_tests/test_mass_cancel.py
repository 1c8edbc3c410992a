"""Order Mass Cancel Request (q): exactly the orders of its scope, r first, then the end of each of them."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import NamedTuple

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway, write_config
from tests.wire import Client, Message, cancel, fresh, mass, order, user

Fields = tuple[tuple[int, object], ...]

SYMBOLS = ("BTC-USD", "ETH-USD", "BTC-PERP")
SCOPE_FIELDS: dict[str, Fields] = {
    "1": ((55, "BTC-USD"),),
    "2": ((311, "BTC"),),
    "3": ((460, 4),),
    "4": ((461, "IFXXXP"),),
    "5": ((167, "FOR"),),
    "6": ((336, "DAY"),),
    "7": (),
}


class Entered(NamedTuple):
    """An order of the book that these tests cancel from."""

    user: int
    account: int
    symbol: str
    side: str
    cl_ord_id: str
    order_id: str


Wanted = Callable[[Entered], bool]
Book = list[Entered]


@pytest.fixture
def book(trader: Client, colleague: Client, stranger: Client) -> Book:
    """24 orders: three users, each side of each instrument, in each of their accounts."""
    entered = []
    for client, number, accounts in ((trader, 37, (14, 15)), (colleague, 38, (14,)), (stranger, 39, (16,))):
        rows = [(fresh("o"), *row) for row in product(accounts, SYMBOLS, "12")]
        for name, account, symbol, side in rows:
            client.send("D", *order(name, (1, account), symbol=symbol, side=side))
        for name, account, symbol, side in rows:
            order_id = client.expect(f"8|150=0|11={name}")[37]
            entered.append(Entered(number, account, symbol, side, name, order_id))
    return entered


def open_ids(client: Client, *extra: tuple[int, object], scope: str = "7") -> set[str]:
    """The OrderIDs that a mass status request reports as open."""
    client.send("AF", (584, "open?"), (585, scope), *extra)
    reports = client.until(lambda message: message.get(912) == "Y" or message.type == "j")
    assert all(report.type == "8" for report in reports), reports
    return {report[37] for report in reports} - {"NONE"}


def everything(operator: Client) -> set[str]:
    return open_ids(operator)


def accepted(client: Client, cl_ord_id: str, expected: Book) -> Message:
    """Receive a whole accepted mass cancel: r first, then an 8 with 150=4 for each order, nothing else."""
    report = client.expect(f"r|11={cl_ord_id}|532=|58=|533={len(expected)}")
    assert set(zip(report.all(41), report.all(535), strict=True)) == {
        (each.cl_ord_id, each.order_id) for each in expected
    }
    ends = [client.expect(f"8|11={cl_ord_id}|150=4|39=4|151=0|14=0") for _ in expected]
    assert {(end[41], end[37], end[55], end[54], end[1]) for end in ends} == {
        (each.cl_ord_id, each.order_id, each.symbol, each.side, str(each.account)) for each in expected
    }
    client.quiet()
    return report


def own(symbols: str = "", account: int | None = None, side: str = "", number: int = 37) -> Wanted:
    """The orders of one user, narrowed by instruments (words), account and side."""

    def wanted(each: Entered) -> bool:
        return (
            each.user == number
            and (not symbols or each.symbol in symbols.split())
            and account in (None, each.account)
            and (not side or each.side == side)
        )

    return wanted


TRADER_SCOPES: dict[str, tuple[str, Fields, Wanted]] = {
    "instrument": ("1", ((55, "BTC-USD"),), own("BTC-USD")),
    "instrument-by-id": ("1", ((48, 26), (22, 8)), own("ETH-USD")),
    "instrument-by-both": ("1", ((55, "ETH-USD"), (48, 26), (22, 8)), own("ETH-USD")),
    "instrument-and-its-own-fields": (
        "1",
        ((55, "BTC-PERP"), (460, 12), (461, "FFSCSX"), (167, "FUT")),
        own("BTC-PERP"),
    ),
    "underlying": ("2", ((311, "BTC"),), own("BTC-USD BTC-PERP")),
    "product": ("3", ((460, 4),), own("BTC-USD ETH-USD")),
    "cfi-code": ("4", ((461, "FFSCSX"),), own("BTC-PERP")),
    "security-type": ("5", ((167, "FUT"),), own("BTC-PERP")),
    "trading-session": ("6", ((336, "DAY"),), own("BTC-USD ETH-USD")),
    "all": ("7", (), own()),
    "account": ("7", ((1, 14),), lambda each: each.account == 14),
    "account-0-is-absent": ("7", ((1, 0), *user(0)), own()),
    "account-and-user": ("7", ((1, 14), *user(37)), own(account=14)),
    "account-and-colleague": ("7", ((1, 14), *user(38)), own(number=38)),
    "user-himself": ("7", user(37), own()),
    "side": ("7", ((54, "2"),), own(side="2")),
    "a-side-that-has-no-order": ("7", ((54, "5"),), lambda _: False),
    "oms-by-name": ("7", ((207, "SANDBOX"),), own()),
    "oms-by-both": ("7", ((207, "SANDBOX"), *user(37, 1)), own()),
    "all-that-narrows": (
        "2",
        ((311, "BTC"), (1, 14), *user(38), (54, "1")),
        own("BTC-USD BTC-PERP", side="1", number=38),
    ),
}

OPERATOR_SCOPES: dict[str, tuple[str, Fields, Wanted]] = {
    "everything": ("7", (), lambda _: True),
    "instrument-of-all": ("1", ((55, "BTC-USD"),), lambda each: each.symbol == "BTC-USD"),
    "underlying-of-all": ("2", ((311, "ETH"),), lambda each: each.symbol == "ETH-USD"),
    "trading-session-of-all": ("6", ((336, "EVENING"),), lambda each: each.symbol == "BTC-PERP"),
    "account": ("7", ((1, 16),), lambda each: each.account == 16),
    "user": ("7", user(38), own(number=38)),
    "user-instrument": ("1", ((55, "ETH-USD"), *user(37)), own("ETH-USD")),
    "account-instrument": (
        "1",
        ((55, "ETH-USD"), (1, 14)),
        lambda each: each.symbol == "ETH-USD" and each.account == 14,
    ),
    "account-user-instrument": ("1", ((55, "ETH-USD"), (1, 15), *user(37)), own("ETH-USD", account=15)),
    "account-user": ("7", ((1, 15), *user(37)), own(account=15)),
    "no-such-pair": ("7", ((1, 16), *user(37)), lambda _: False),
}


@pytest.mark.parametrize("name", TRADER_SCOPES)
def test_a_trader_cancels_exactly_the_scope(
    trader: Client, colleague: Client, operator: Client, book: Book, name: str
) -> None:
    """The seven scopes of 530, narrowed by Account, user, OMS and Side, all conjunctive; default: his own."""
    scope, fields, wanted = TRADER_SCOPES[name]
    expected = [each for each in book if wanted(each)]
    before = open_ids(trader, *fields, scope=scope)
    cl_ord_id = fresh("m")
    trader.send("q", *mass(cl_ord_id, scope, *fields))
    report = accepted(trader, cl_ord_id, expected)
    assert (report[530], report[531]) == (scope, scope)
    assert report[37].isdecimal()
    for tag in (48, 55, 311, 460, 461, 167, 336, 54):
        assert report.get(tag) == {key: str(value) for key, value in fields}.get(tag), f"{tag} echoed"
    assert before == {each.order_id for each in expected}, "AF before shows exactly what q does"
    assert open_ids(trader, *fields, scope=scope) == set()
    assert everything(operator) == {each.order_id for each in book if each not in expected}
    colleagues = [each for each in expected if each.user == 38]
    assert {colleague.expect("8|150=4|41=")[37] for _ in colleagues} == {each.order_id for each in colleagues}
    colleague.quiet()


@pytest.mark.parametrize("name", OPERATOR_SCOPES)
def test_an_operator_cancels_exactly_the_scope(operator: Client, book: Book, name: str) -> None:
    """An Operator's q without account and user is the whole OMS here, as his session is configured."""
    scope, fields, wanted = OPERATOR_SCOPES[name]
    expected = [each for each in book if wanted(each)]
    cl_ord_id = fresh("m")
    operator.send("q", *mass(cl_ord_id, scope, *fields))
    accepted(operator, cl_ord_id, expected)
    assert everything(operator) == {each.order_id for each in book if each not in expected}


def refusals() -> Iterator[tuple[str, Fields, int, str]]:
    """Refused mass cancels of a trader: scope, fields, MassCancelRejectReason(532), beginning of the Text."""
    foreign: Fields = ((55, "BTC-USD"), (311, "BTC"), (460, 4), (461, "IFXXXP"), (167, "FOR"), (336, "DAY"))
    for scope, own_fields in SCOPE_FIELDS.items():
        for field in foreign:
            further = scope == "1" and field[0] in (460, 461, 167)
            if field not in own_fields and not further:
                yield scope, (*own_fields, field), 99, "Invalid Request (errorcode 100): "
        if scope != "1":
            yield (
                scope,
                (*own_fields, (48, 25), (22, 8)),
                99,
                "Invalid Request (errorcode 100): SecurityID(48)",
            )
            yield scope, (*own_fields, (48, 25)), 99, "Invalid Request (errorcode 100): Security"
    labels = ("Symbol(55)", "UnderlyingSymbol(311)", "Product(460)", "CFICode(461)", "SecurityType(167)")
    for number, label in enumerate((*labels, "TradingSessionID(336)"), 1):
        yield str(number), (), number, f"Invalid Request (errorcode 100): {label}"
        yield str(number), ((1, 14),), number, f"Invalid Request (errorcode 100): {label}"
    yield "1", ((55, "[N/A]"),), 1, "Invalid Request (errorcode 100): Symbol(55)"
    yield "1", ((48, 25),), 1, "Invalid Request (errorcode 100): SecurityIDSource(22)"
    yield "1", ((48, 25), (22, 1)), 1, "Invalid Request (errorcode 100): SecurityIDSource(22)"
    yield "1", ((55, "X" * 65),), 1, "Invalid Request (errorcode 100): Symbol(55)"
    for parties in (
        ((453, 1), (448, 37), (447, "D"), (452, 1)),
        ((453, 1), (448, 37), (447, "B"), (452, 11)),
        ((453, 2), *user(37)[1:], *user(37)[1:]),
        user("me"),
        ((1, "mine"),),
        ((207, "SANDBOX"), *user(37, 2)),
    ):
        yield "7", parties, 99, "Invalid Request (errorcode 100): "
    for extra in ((1, 16), (1, 99)):
        yield "7", (extra,), 99, "Not Authorized (errorcode 20): "
        yield "7", (extra, *user(37)), 99, "Not Authorized (errorcode 20): "
        yield "1", ((55, "NO-SUCH"), extra), 99, "Not Authorized (errorcode 20): "
    for number in (38, 39, 99):
        yield "7", user(number), 99, "Not Authorized (errorcode 20): "
    unknown: tuple[Fields, ...] = (
        ((55, "NO-SUCH"),),
        ((311, "NO-SUCH"),),
        ((460, 5),),
        ((461, "XXXXXX"),),
        ((167, "CORP"),),
        ((336, "NIGHT"),),
    )
    for number, fields in enumerate(unknown, 1):
        yield str(number), fields, number, "Resource Not Found (errorcode 104): "
    yield "1", ((48, 99), (22, 8)), 1, "Resource Not Found (errorcode 104): "
    yield "7", ((207, "ELSEWHERE"),), 99, "Resource Not Found (errorcode 104): "
    yield "7", user(37, 2), 99, "Resource Not Found (errorcode 104): "
    yield "7", ((54, "3"),), 0, "Operation Not Supported (errorcode 106): Side(54)=3"
    yield "1", ((55, "BTC-USD"), (54, "B")), 0, "Operation Not Supported (errorcode 106): Side(54)=B"
    yield "1", ((55, "BTC-USD"), (200, "202412")), 0, "Operation Not Supported (errorcode 106): "
    yield "7", ((625, "1"),), 0, "Operation Not Supported (errorcode 106): TradingSessionSubID(625)"
    yield "2", ((311, "BTC"), (309, "1")), 0, "Operation Not Supported (errorcode 106): "


def test_refused_requests_cancel_nothing(trader: Client, operator: Client, book: Book) -> None:
    """Refused: one r with 531=0, 532 as the error table says it, and 58; nothing canceled, no 8, no 9."""
    for scope, fields, reason, text in refusals():
        cl_ord_id = fresh("m")
        trader.send("q", *mass(cl_ord_id, scope, *fields))
        trader.expect(f"r|11={cl_ord_id}|530={scope}|531=0|532={reason}|533=|534=|58={text}*")
    trader.quiet()
    assert everything(operator) == {each.order_id for each in book}


@pytest.mark.parametrize(
    "further",
    [((460, 12),), ((461, "FFSCSX"),), ((167, "FUT"),), ((48, 26), (22, 8))],
    ids=["product", "cfi-code", "security-type", "security-id"],
)
def test_further_instrument_fields_must_be_the_instruments_own(
    trader: Client, operator: Client, book: Book, further: Fields
) -> None:
    """Scope 1: further Instrument fields must be that instrument's own, else the request is refused (100)."""
    trader.send("q", *mass(fresh("m"), "1", (55, "BTC-USD"), *further))
    trader.expect("r|531=0|58=Invalid Request (errorcode 100): *")
    trader.quiet()
    assert len(everything(operator)) == len(book)


def test_accounts_and_users_out_of_reach_are_refused_whether_they_exist_or_not(trader: Client) -> None:
    """A named account or user outside his reach: 20 Not Authorized, existing or not."""
    for exists, does_not in ((((1, 16),), ((1, 99),)), (user(39), user(99))):
        texts = []
        for extra in (exists, does_not):
            trader.send("q", *mass(fresh("m"), "7", *extra))
            refused = trader.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
            texts.append("".join(char for char in refused[58] if not char.isdigit()))
        assert texts[0] == texts[1]


def test_the_whole_oms_and_a_reader_are_refused(
    colleague: Client, reader: Client, operator: Client, book: Book
) -> None:
    """The default scope of TRADER38 is the whole OMS, which needs an Operator: 20; a reader may nothing."""
    for scope, fields in SCOPE_FIELDS.items():
        colleague.send("q", *mass(fresh("m"), scope, *fields))
        colleague.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
        reader.send("q", *mass(fresh("m"), scope, *fields))
        reader.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
    for client in (colleague, reader):
        client.quiet()
    assert everything(operator) == {each.order_id for each in book}


def test_names_that_an_operator_gets_wrong_are_not_found(operator: Client, book: Book) -> None:
    """Code 104 on r: 99 for account, user and OMS."""
    for fields, label in (
        (((1, 99),), "Account(1)=99"),
        (user(99), "PartyID(448)=99"),
        (((1, 99), *user(37)), "Account(1)=99"),
        (((207, "ELSEWHERE"),), ""),
    ):
        operator.send("q", *mass(fresh("m"), "7", *fields))
        operator.expect(f"r|531=0|532=99|58=Resource Not Found (errorcode 104): {label}*")
    operator.quiet()
    assert len(everything(operator)) == len(book)


def test_a_used_id_is_refused(trader: Client, operator: Client, book: Book) -> None:
    """Duplicate ClOrdID on q: a refusal with 101, MassCancelRejectReason(532)=99; nothing is canceled."""
    trader.send("q", *mass(book[0].cl_ord_id))
    trader.expect("r|531=0|532=99|58=Operation Failed (errorcode 101): ClOrdID(11)*")
    trader.quiet()
    assert len(everything(operator)) == len(book)


def test_an_empty_scope_is_a_success(trader: Client) -> None:
    """A mass cancel that matches nothing is a success with TotalAffectedOrders(533)=0 and no group."""
    for scope, fields in SCOPE_FIELDS.items():
        cl_ord_id = fresh("m")
        trader.send("q", *mass(cl_ord_id, scope, *fields))
        trader.expect(f"r|11={cl_ord_id}|530={scope}|531={scope}|532=|533=0|534=")
    trader.quiet()


def test_each_request_gets_an_id_of_its_own(trader: Client) -> None:
    """OrderID(37) of r is an id that the gateway assigns to this request."""
    ids = set()
    for _ in range(2):
        trader.send("q", *mass(fresh("m")))
        ids.add(trader.expect("r|533=0")[37])
    ids.add(trader.rest().order_id)
    assert len(ids) == 3


@pytest.mark.parametrize(("orders", "listed"), [(100, "100"), (101, "")])
def test_r_lists_the_orders_up_to_a_hundred(trader: Client, orders: int, listed: str) -> None:
    """Group NoAffectedOrders(534) is there when there are at most 100 orders, and 533 is always exact."""
    names = [fresh("o") for _ in range(orders)]
    for name in names:
        trader.send("D", *order(name))
    ids = [trader.expect("8|150=0")[37] for _ in names]
    cl_ord_id = fresh("m")
    trader.send("q", *mass(cl_ord_id))
    report = trader.expect(f"r|11={cl_ord_id}|533={orders}|534={listed}")
    if listed:
        assert list(zip(report.all(41), report.all(535), strict=True)) == list(zip(names, ids, strict=True))
    ends = [trader.expect(f"8|11={cl_ord_id}|150=4|39=4") for _ in names]
    assert [end[41] for end in ends] == names
    trader.quiet()


def test_the_length_of_the_list_can_be_configured(tmp_path_factory: pytest.TempPathFactory) -> None:
    """How many orders r lists at most is the session's setting affected_orders_max."""
    directory = tmp_path_factory.mktemp("listed")
    config = write_config(directory / "config", ("affected_orders_max = 100", "affected_orders_max = 1"))
    with Gateway(directory / "data", config) as gateway:
        trader = gateway.client("TRADER37")
        a = trader.rest()
        trader.send("q", *mass("m1"))
        trader.expect(f"r|533=1|534=1|41={a.cl_ord_id}|535={a.order_id}")
        trader.expect("8|150=4")
        for _ in range(2):
            trader.rest()
        trader.send("q", *mass("m2"))
        trader.expect("r|533=2|534=")
        for _ in range(2):
            trader.expect("8|11=m2|150=4")
        trader.quiet()


def test_partial_success_tells_the_end_of_every_order(gateway: Gateway, trader: Client) -> None:
    """Final 8s + 9s = 533, always; one already Pending Cancel: 9 with 39=6, 102=3, at once."""
    going, pending, refused = trader.rest(), trader.rest(), trader.rest()
    filled, partly = trader.rest(), trader.rest()
    gateway.say(HoldCancels())
    gateway.say(RefuseCancel(int(refused.order_id), "the venue says no"))
    c, m = fresh("c"), fresh("m")
    trader.send("F", *cancel(c, pending.cl_ord_id))
    trader.expect("8|150=6")

    trader.send("q", *mass(m))
    trader.expect(f"r|11={m}|530=7|531=7|533=5|534=5")
    trader.expect(f"9|11={m}|41={pending.cl_ord_id}|37={pending.order_id}|39=6|434=1|102=3")
    for each in (going, refused, filled, partly):
        trader.expect(f"8|11={m}|41={each.cl_ord_id}|37={each.order_id}|150=6|39=6|151=10")
    trader.quiet()

    gateway.say(FillOrder(int(partly.order_id), Decimal(4)))
    trader.expect(f"8|11={partly.cl_ord_id}|41=|150=F|39=6|151=6")
    gateway.say(FillOrder(int(filled.order_id), Decimal(10)))
    trader.expect(f"8|11={filled.cl_ord_id}|41=|150=F|39=2|151=0")
    trader.expect(f"9|11={m}|41={filled.cl_ord_id}|37={filled.order_id}|39=2|434=1|102=0")
    gateway.say(ReleaseCancels())
    trader.expect(f"8|11={m}|41={going.cl_ord_id}|150=4|39=4|151=0")
    trader.expect(f"8|11={c}|41={pending.cl_ord_id}|150=4|39=4")
    trader.expect(
        f"9|11={m}|41={refused.cl_ord_id}|37={refused.order_id}|39=0|434=1|102=99"
        "|58=Operation Failed (errorcode 101): the venue says no*"
    )
    trader.expect(f"8|11={m}|41={partly.cl_ord_id}|150=4|39=4|151=0|14=4")
    trader.quiet()
    assert open_ids(trader) == {refused.order_id}


def test_all_orders_of_a_scope_may_be_pending_already(gateway: Gateway, trader: Client) -> None:
    """An order that is already Pending Cancel is in the set and ends at once; the count is exact."""
    a, b = trader.rest(), trader.rest()
    gateway.say(HoldCancels())
    first, second = fresh("m"), fresh("m")
    trader.send("q", *mass(first))
    trader.expect("r|533=2")
    for each in (a, b):
        trader.expect(f"8|11={first}|41={each.cl_ord_id}|150=6")
    trader.send("q", *mass(second))
    trader.expect(f"r|11={second}|531=7|533=2|534=2")
    for each in (a, b):
        trader.expect(f"9|11={second}|41={each.cl_ord_id}|39=6|102=3")
    gateway.say(ReleaseCancels())
    for each in (a, b):
        trader.expect(f"8|11={first}|41={each.cl_ord_id}|150=4")
    trader.quiet()


def test_an_order_that_stands_before_a_mass_cancel_is_inside_it(trader: Client, stranger: Client) -> None:
    """Requests are taken in one total order: D before q in the same breath is canceled, D after it rests."""
    before, after, m = fresh("o"), fresh("o"), fresh("m")
    trader.send_bytes(
        trader.encode("D", order(before)) + trader.encode("q", mass(m)) + trader.encode("D", order(after))
    )
    trader.expect(f"8|11={before}|150=0")
    trader.expect(f"r|11={m}|533=1|41={before}")
    trader.expect(f"8|11={m}|41={before}|150=4")
    left = trader.expect(f"8|11={after}|150=0")[37]
    stranger.quiet()
    assert open_ids(trader) == {left}


def test_a_mass_cancel_of_more_orders_than_a_turn_can_tell(
    operator: Client, trader: Client, stranger: Client
) -> None:
    """Final 8s + 9s = 533, always, also when telling takes many turns; the next request is answered after."""
    names = [fresh("o") for _ in range(1_200)]
    for client, mine in ((trader, names[:700]), (stranger, names[700:])):
        for name in mine:
            client.send("D", *order(name))
        for name in mine:
            client.expect(f"8|150=0|11={name}")
    m = fresh("m")
    operator.send("q", *mass(m))
    operator.send("AF", (584, "after"), (585, "7"))
    operator.expect(f"r|11={m}|533=1200|534=")
    assert [operator.expect(f"8|11={m}|150=4|39=4")[41] for _ in names] == names
    operator.expect("8|150=I|584=after|911=0")
    for client, mine in ((trader, names[:700]), (stranger, names[700:])):
        assert [client.expect("8|150=4|41=")[11] for _ in mine] == mine
        client.quiet()


OTHER_OMS = """\
[[oms]]
id = 2
name = "OTHER"

[[account]]
id = 17
oms = 2

[[instrument]]
id = 28
oms = 2
symbol = "BTC-USD"
underlying_symbol = "BTC"
product = "4"
security_type = "FOR"
cfi_code = "IFXXXP"
trading_session_id = "DAY"

[[account]]
id = 15
"""


@pytest.fixture(scope="module")
def two_omses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """User 37 on a gateway with a second OMS, where he has the account 17."""
    directory = tmp_path_factory.mktemp("omses")
    config = write_config(
        directory / "config",
        ("[[account]]\nid = 15\n", OTHER_OMS),
        ("oms = [1]\naccounts = [14, 15]", "oms = [1, 2]\naccounts = [14, 15, 17]"),
    )
    with Gateway(directory / "data", config) as gateway:
        yield gateway.client("TRADER37")


OTHER: tuple[Fields, ...] = ((*user(0, 2),), ((207, "OTHER"),), ((207, "OTHER"), *user(0, 2)))


def test_an_oms_is_a_boundary(two_omses: Client) -> None:
    """The OMS is the session's unless another is named, by its id, its name, or both; nothing crosses it."""
    trader = two_omses
    for other in OTHER:
        here = trader.rest()
        there = trader.rest((1, 17), *other)
        trader.send("AF", (584, "here"), (585, "7"))
        trader.expect(f"8|911=1|37={here.order_id}|48=25")
        trader.send("AF", (584, "there"), (585, "7"), *other)
        trader.expect(f"8|911=1|37={there.order_id}|48=28|1=17")
        trader.send("H", (11, there.cl_ord_id), (54, 1))
        trader.expect("8|39=8|37=NONE")
        trader.send("F", *cancel(fresh(), "NONE", (37, there.order_id)))
        trader.expect("9|37=NONE|39=8|102=1")
        m = fresh("m")
        trader.send("q", *mass(m))
        trader.expect(f"r|11={m}|533=1|535={here.order_id}")
        trader.expect(f"8|37={here.order_id}|150=4")
        trader.send("q", *mass(fresh(), "1", (55, "BTC-USD"), *other))
        trader.expect(f"r|533=1|535={there.order_id}")
        trader.expect(f"8|37={there.order_id}|150=4|48=28")
        trader.quiet()


def test_an_account_belongs_to_one_oms(two_omses: Client) -> None:
    """An account is on an OMS: an order cannot be entered on another one, named or by default."""
    trader = two_omses
    for extra in (((1, 14), (207, "OTHER")), ((207, "OTHER"),), ((1, 17),), ((1, 17), (207, "SANDBOX"))):
        trader.send("D", *order(fresh(), *extra))
        trader.expect("8|150=8|39=8|37=NONE")
    trader.quiet()
