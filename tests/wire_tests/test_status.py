"""Status requests (H, AF): the documented way to see what a cancel did, or would do."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, ReleaseCancels
from tests.gateway import Gateway, write_config
from tests.wire import Client, cancel, fresh, mass, order, user, without

SCOPES: dict[str, tuple[tuple[int, object], ...]] = {
    "1": ((55, "BTC-USD"),),
    "2": ((311, "BTC"),),
    "3": ((460, 4),),
    "4": ((461, "IFXXXP"),),
    "5": ((167, "FOR"),),
    "6": ((336, "DAY"),),
    "7": (),
}


# Order Status Request (H)


def test_an_order_is_found_by_its_order_id_or_else_by_its_clordid(trader: Client) -> None:
    """H: found by 37, else by 11; 8 with 150=I, 17=0, its current state."""
    a, b = trader.rest(), trader.rest((1, 15), (40, "4"), (99, "90"), symbol="ETH-USD", side="2")
    trader.send("H", (11, a.cl_ord_id), (54, 1))
    trader.expect(f"8|150=I|17=0|11={a.cl_ord_id}|37={a.order_id}|39=0|151=10|14=0|6=0|790=|584=|911=")
    trader.send("H", (11, a.cl_ord_id), (37, b.order_id), (54, 2))
    trader.expect(f"8|150=I|17=0|11={b.cl_ord_id}|37={b.order_id}|39=0|1=15|55=ETH-USD|54=2|99=90|636=N")
    trader.quiet()


def test_the_request_id_is_echoed(trader: Client) -> None:
    """H: OrdStatusReqID(790) is echoed, found or not."""
    a = trader.rest()
    trader.send("H", (11, a.cl_ord_id), (54, 1), (55, "BTC-USD"), (1, 14), *user(37), (790, "ask-1"))
    trader.expect(f"8|150=I|37={a.order_id}|790=ask-1")
    trader.send("H", (11, "no-such"), (54, 1), (790, "ask-2"))
    trader.expect("8|150=I|37=NONE|790=ask-2")


def test_every_state_is_shown(gateway: Gateway, trader: Client) -> None:
    """H after each event: New, Partially Filled, Pending Cancel, Canceled, Filled, with quantities."""
    a, b = trader.rest(), trader.rest()

    def state(cl_ord_id: str, wanted: str) -> None:
        trader.send("H", (11, cl_ord_id), (54, 1))
        trader.expect(f"8|150=I|17=0|{wanted}")

    state(a.cl_ord_id, "39=0|151=10|14=0|6=0")
    gateway.say(FillOrder(int(a.order_id), Decimal(4)))
    trader.expect("8|150=F")
    state(a.cl_ord_id, "39=1|151=6|14=4|6=100")
    gateway.say(HoldCancels())
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect("8|150=6")
    state(a.cl_ord_id, "39=6|151=6|14=4|6=100")
    gateway.say(ReleaseCancels())
    trader.expect("8|150=4")
    state(a.cl_ord_id, "39=4|151=0|14=4|6=100")
    c = trader.rest()
    gateway.say(FillOrder(int(c.order_id), Decimal(10)))
    trader.expect("8|150=F")
    state(c.cl_ord_id, "39=2|151=0|14=10|6=100")
    trader.send("F", *cancel(fresh(), b.cl_ord_id))
    trader.expect("8|150=4")
    state(b.cl_ord_id, "39=4|151=0|14=0")


def test_unknown_or_not_yours(trader: Client, stranger: Client) -> None:
    """H, unknown or not yours, one answer: 150=I, 39=8, 103=5, 37=NONE, 17=0."""
    theirs = stranger.rest()
    for order_id in (theirs.order_id, "999999", "abc", "NONE", "0"):
        trader.send("H", (11, "some-id"), (37, order_id), (54, 1), (55, "BTC-USD"))
        trader.expect("8|150=I|11=some-id|39=8|103=5|37=NONE|17=0|55=BTC-USD|54=1|151=0|14=0|6=0|58=")
    for cl_ord_id in (theirs.cl_ord_id, "no-such"):
        trader.send("H", (11, cl_ord_id), (54, 1))
        trader.expect(f"8|150=I|11={cl_ord_id}|39=8|103=5|37=NONE|17=0|55=[N/A]|54=1|151=0|14=0|6=0")
    trader.quiet()
    stranger.quiet()


def test_who_may_look_at_an_order(
    trader: Client, colleague: Client, stranger: Client, reader: Client, operator: Client
) -> None:
    """Status: Trading, Operator or AccountReadOnly, within one's own orders and accounts."""
    shared, private = trader.rest((1, 14)), trader.rest((1, 15))
    for client, sees in (
        (colleague, (shared,)),
        (reader, (shared,)),
        (operator, (shared, private)),
        (stranger, ()),
    ):
        for resting in (shared, private):
            client.send("H", (11, resting.cl_ord_id), (37, resting.order_id), (54, 1))
            client.expect(f"8|150=I|37={resting.order_id if resting in sees else 'NONE'}")


def test_by_clordid_ones_own_order_comes_first(
    trader: Client, stranger: Client, reader: Client, operator: Client
) -> None:
    """H by 11 finds one's own order, else one in reach; if several open ones are left it is 100."""
    x = fresh("x")
    trader.send("D", *order(x))
    mine = trader.expect("8|150=0")[37]
    stranger.send("D", *order(x))
    theirs = stranger.expect("8|150=0")[37]
    for client, found in ((trader, mine), (stranger, theirs), (reader, mine)):
        client.send("H", (11, x), (54, 1))
        client.expect(f"8|150=I|37={found}|11={x}|39=0")
    operator.send("H", (11, x), (54, 1))
    operator.expect(f"j|372=H|379={x}|380=0|58=Invalid Request (errorcode 100): *")
    for extra, found in ((((1, 16),), theirs), (user(37), mine)):
        operator.send("H", (11, x), (54, 1), *extra)
        operator.expect(f"8|150=I|37={found}|39=0")


def test_a_status_request_that_contradicts_the_order(trader: Client) -> None:
    """A refused H has no answer of its own: j with 380=0 and the request's id in 379."""
    a = trader.rest()
    for extra, label in (
        (((54, 2),), "Side(54)"),
        (((54, 1), (55, "ETH-USD")), "Symbol(55)"),
        (((54, 1), (1, 15), (37, a.order_id)), "Account(1)"),
        (((54, 1), *user(38), (37, a.order_id)), "PartyID(448)"),
        (((54, 1), (48, "25")), "SecurityIDSource(22)"),
        (((54, 1), (1, "x")), "Account(1)"),
    ):
        trader.send("H", (11, a.cl_ord_id), *extra)
        trader.expect(f"j|372=H|379={a.cl_ord_id}|380=0|58=Invalid Request (errorcode 100): {label}*")
    trader.send("H", (11, a.cl_ord_id), (54, 2), (790, "ask"))
    trader.expect("j|372=H|379=ask|380=0")


def test_an_order_is_looked_for_on_the_oms_that_is_named(trader: Client) -> None:
    """H: the OMS is a party with role 16, or SecurityExchange(207); both must agree; else the session's."""
    a = trader.rest()
    for named in (((207, "SANDBOX"),), user(37, 1), ((207, "SANDBOX"), *user(0, 1))):
        trader.send("H", (11, a.cl_ord_id), (54, 1), *named)
        trader.expect(f"8|150=I|37={a.order_id}|39=0")
    for named in (((207, "ELSEWHERE"),), user(37, 2)):
        trader.send("H", (11, a.cl_ord_id), (54, 1), *named)
        trader.expect("8|150=I|37=NONE|39=8|103=5")
    trader.send("H", (11, a.cl_ord_id), (54, 1), (207, "SANDBOX"), *user(37, 2))
    trader.expect(f"j|372=H|379={a.cl_ord_id}|380=0|58=Invalid Request (errorcode 100): *")


# Order Mass Status Request (AF)


def test_each_open_order_gets_a_report(gateway: Gateway, trader: Client) -> None:
    """AF: one 8 (150=I, 17=0) per open order with 584, 911 = total on each, 912=N and on the last Y."""
    a, b, c, closed = (trader.rest() for _ in range(4))
    trader.send("F", *cancel(fresh(), closed.cl_ord_id))
    trader.expect("8|150=4")
    gateway.say(FillOrder(int(a.order_id), Decimal(4)))
    trader.expect("8|150=F")
    gateway.say(HoldCancels())
    trader.send("F", *cancel(fresh(), b.cl_ord_id))
    trader.expect("8|150=6")
    trader.send("AF", (584, "all-of-mine"), (585, "7"))
    for resting, rest in ((a, "39=1|151=6|912=N"), (b, "39=6|151=10|912=N"), (c, "39=0|151=10|912=Y")):
        trader.expect(
            f"8|150=I|17=0|584=all-of-mine|911=3|11={resting.cl_ord_id}|37={resting.order_id}|790=|{rest}"
        )
    trader.quiet()


def test_the_scopes_are_those_of_a_mass_cancel(trader: Client) -> None:
    """AF: 585 = 1 to 7 are the scopes of q, so that AF before and after a q shows what the q does."""
    for scope, fields in SCOPES.items():
        a = trader.rest()
        b = trader.rest(symbol="BTC-PERP")
        trader.send("AF", (584, "before"), (585, scope), *fields)
        shown = [trader.expect("8|150=I|584=before") for _ in range(1 if scope not in "27" else 2)]
        assert shown[-1][912] == "Y"
        trader.send("q", *mass(fresh("m"), scope, *fields))
        report = trader.expect(f"r|533={len(shown)}")
        assert report.all(535) == [message[37] for message in shown]
        for _ in shown:
            trader.expect("8|150=4")
        trader.send("AF", (584, "after"), (585, scope), *fields)
        trader.expect("8|150=I|584=after|911=0|912=Y")
        for resting in (a, b):
            if resting.order_id not in report.all(535):
                trader.send("F", *cancel(fresh(), "NONE", (37, resting.order_id), symbol="BTC-PERP"))
                trader.expect("8|150=4")
    trader.quiet()


def test_all_that_narrows_a_mass_cancel_narrows_a_status(
    trader: Client, colleague: Client, operator: Client
) -> None:
    """AF goes through the same parser as q: Account, user, OMS and Side narrow, with the same default."""
    mine, short, other = trader.rest(), trader.rest(side="2"), trader.rest((1, 15))
    theirs = colleague.rest()
    for client, scope, fields, shown in (
        (trader, "7", (), (mine, short, other)),
        (trader, "7", ((54, "2"),), (short,)),
        (trader, "7", ((1, 15),), (other,)),
        (trader, "7", ((1, 14),), (mine, short, theirs)),
        (trader, "7", ((1, 14), *user(38)), (theirs,)),
        (trader, "7", ((207, "SANDBOX"), (1, 0), *user(0, 1)), (mine, short, other)),
        (trader, "1", ((48, 25), (22, 8), (54, "1")), (mine, other)),
        (trader, "8", user(37), (mine, short, other)),
        (trader, "8", ((1, 14), *user(38)), (theirs,)),
        (operator, "7", (), (mine, short, other, theirs)),
        (operator, "7", ((1, 14),), (mine, short, theirs)),
        (operator, "8", user(38), (theirs,)),
    ):
        client.send("AF", (584, "which"), (585, scope), *fields)
        reports = [client.expect("8|150=I|584=which") for _ in shown]
        assert [report[37] for report in reports] == [resting.order_id for resting in shown]
        client.quiet()


def test_a_reader_sees_what_is_in_his_account(trader: Client, reader: Client) -> None:
    """AccountReadOnly: within one's own orders and accounts."""
    a = trader.rest((1, 14))
    trader.rest((1, 15))
    reader.send("AF", (584, "account"), (585, "7"), (1, 14))
    reader.expect(f"8|150=I|911=1|912=Y|37={a.order_id}")
    reader.send("AF", (584, "own"), (585, "7"))
    reader.expect("8|150=I|911=0|912=Y|37=NONE")
    reader.send("AF", (584, "other"), (585, "7"), (1, 15))
    reader.expect("j|372=AF|379=other|380=6|58=Not Authorized (errorcode 20): *")


def test_no_order_is_one_report(trader: Client) -> None:
    """None: one 8, 39=8, 103=5, 37=NONE, 17=0, 911=0, 912=Y, 55 echoed or [N/A], 54 echoed or 7."""
    for scope, fields in SCOPES.items():
        symbol = "BTC-USD" if scope == "1" else "[N/A]"
        for side, extra in (("7", ()), ("2", ((54, "2"),))):
            trader.send("AF", (584, "none"), (585, scope), *fields, *extra)
            trader.expect(
                f"8|150=I|39=8|103=5|37=NONE|17=0|584=none|911=0|912=Y|55={symbol}|54={side}|151=0|14=0|6=0"
            )
    trader.send("AF", (584, "none"), (585, "8"), *user(37))
    trader.expect("8|150=I|39=8|103=5|37=NONE|911=0|912=Y")
    trader.quiet()


def test_refused_mass_status_requests(trader: Client, colleague: Client, operator: Client) -> None:
    """A refused AF: j with 380=6 for code 20, 2 or 1 for 104, 0 otherwise, Text as everywhere."""
    trader.rest()
    bad, unauthorized = "Invalid Request (errorcode 100)", "Not Authorized (errorcode 20)"
    unknown, unsupported = "Resource Not Found (errorcode 104)", "Operation Not Supported (errorcode 106)"
    for client, scope, fields, reason, text in (
        (trader, "7", ((1, 16),), 6, unauthorized),
        (trader, "7", ((1, 99),), 6, unauthorized),
        (trader, "7", user(39), 6, unauthorized),
        (trader, "8", user(38), 6, unauthorized),
        (colleague, "7", (), 6, unauthorized),
        (trader, "1", ((55, "NO-SUCH"),), 2, unknown),
        (trader, "1", ((48, 99), (22, 8)), 2, unknown),
        (operator, "7", ((1, 99),), 1, unknown),
        (operator, "8", user(99), 1, unknown),
        (trader, "7", ((207, "ELSEWHERE"),), 1, unknown),
        (trader, "1", (), 0, bad),
        (trader, "6", (), 0, bad),
        (trader, "8", (), 0, bad),
        (trader, "8", ((1, 14),), 0, bad),
        (trader, "8", (*user(37), (55, "BTC-USD")), 0, bad),
        (trader, "7", ((55, "BTC-USD"),), 0, bad),
        (trader, "6", ((336, "DAY"), (311, "BTC")), 0, bad),
        (trader, "7", ((453, 1), (448, 37), (447, "D"), (452, 1)), 0, bad),
        (trader, "7", ((1, "x"),), 0, bad),
        (trader, "7", ((54, "3"),), 0, unsupported),
        (trader, "1", ((55, "BTC-USD"), (200, "202412")), 0, unsupported),
    ):
        client.send("AF", (584, "refused"), (585, scope), *fields)
        client.expect(f"j|372=AF|379=refused|45={client.sent - 1}|380={reason}|58={text}: *")
    trader.quiet()


def test_an_unknown_scope_value_is_an_unknown_security(trader: Client) -> None:
    """A refused AF, an unknown instrument however it is named: BusinessRejectReason(380)=2."""
    for scope, field in (
        ("2", (311, "NO-SUCH")),
        ("3", (460, 5)),
        ("4", (461, "XXXXXX")),
        ("5", (167, "CORP")),
        ("6", (336, "NIGHT")),
    ):
        trader.send("AF", (584, "unknown"), (585, scope), field)
        trader.expect("j|379=unknown|380=2|58=Resource Not Found (errorcode 104): *")


def test_a_scope_with_too_many_orders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """More than max_status_reports: j 380=0."""
    directory = tmp_path_factory.mktemp("many")
    config = write_config(directory / "config", ("max_status_reports = 10000", "max_status_reports = 2"))
    with Gateway(directory / "data", config) as gateway:
        trader = gateway.client("TRADER37")
        for _ in range(2):
            trader.rest()
        trader.send("AF", (584, "two"), (585, "7"))
        for last in "NY":
            trader.expect(f"8|911=2|912={last}")
        trader.rest(symbol="ETH-USD")
        trader.send("AF", (584, "three"), (585, "7"))
        trader.expect("j|372=AF|379=three|380=0|58=Operation Failed (errorcode 101): *")
        trader.send("AF", (584, "narrower"), (585, "1"), (55, "BTC-USD"))
        for last in "NY":
            trader.expect(f"8|911=2|912={last}")
        trader.quiet()


def test_status_requests_change_nothing_and_use_no_id(trader: Client) -> None:
    """H and AF change nothing: the order is as before and their ids are free."""
    x = fresh("x")
    trader.send("H", (11, x), (54, 1))
    trader.expect("8|39=8")
    trader.send("AF", (584, x), (585, "7"))
    trader.expect("8|911=0")
    trader.send("D", *without(order(x), 58))
    trader.expect(f"8|150=0|11={x}")


def test_a_user_without_any_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No permission: nothing, each message refused with code 20 in its own way."""
    directory = tmp_path_factory.mktemp("none")
    config = write_config(directory / "config", ('permissions = ["AccountReadOnly"]', "permissions = []"))
    with Gateway(directory / "data", config) as gateway:
        nobody = gateway.client("READER50")
        for msg_type, fields, answer in (
            ("H", ((11, "h"), (54, 1)), "j|372=H|379=h|380=6"),
            ("AF", ((584, "af"), (585, "7")), "j|372=AF|379=af|380=6"),
            ("D", order("d"), "8|150=8|103=0"),
            ("F", cancel("f", "d"), "9|37=NONE|39=8|102=2"),
            ("q", mass("q"), "r|531=0|532=99"),
        ):
            nobody.send(msg_type, *fields)
            nobody.expect(f"{answer}|58=Not Authorized (errorcode 20): *")
        nobody.quiet()
