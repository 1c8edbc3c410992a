"""Order Cancel Request (F): one order, found by its names, and told with its real state whatever happens."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway, write_config
from tests.wire import Client, Resting, cancel, fresh, mass, order, user, without


def fill(gateway: Gateway, resting: Resting, quantity: int) -> None:
    assert gateway.say(FillOrder(int(resting.order_id), Decimal(quantity))).errorcode == 0


# Which order


def test_by_the_clordid_that_this_user_entered(trader: Client) -> None:
    """OrigClOrdID(41) alone names an order among those that this session's user entered."""
    a = trader.rest()
    trader.send("F", *cancel("c-alone", a.cl_ord_id))
    trader.expect(
        f"8|11=c-alone|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|151=0|14=0|6=0|1=14|55=BTC-USD|54=1|38=10"
    )
    trader.quiet()


def test_by_the_order_id(trader: Client) -> None:
    """OrderID(37) names an order, and OrigClOrdID(41)=NONE means "see OrderID"."""
    a, b = trader.rest(), trader.rest((1, 15))
    c = fresh("c")
    trader.send("F", *cancel(c, "NONE", (37, a.order_id)))
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|151=0")
    trader.send("F", *cancel(fresh(), b.cl_ord_id, (37, b.order_id)))
    trader.expect(f"8|41={b.cl_ord_id}|37={b.order_id}|150=4|39=4|1=15")
    trader.quiet()


def test_two_names_must_name_the_same_order(trader: Client) -> None:
    """If OrderID and OrigClOrdID both name an order they must name the same one, else 100."""
    a, b = trader.rest(), trader.rest()
    trader.send("F", *cancel("c-two", b.cl_ord_id, (37, a.order_id)))
    trader.expect("9|11=c-two|434=1|102=99|58=Invalid Request (errorcode 100): OrderID(37)*")
    trader.send("F", *cancel(fresh(), "no-such", (37, a.order_id)))
    trader.expect("9|102=99|58=Invalid Request (errorcode 100): OrderID(37)*")
    only_open(trader, a, b)


def test_none_without_an_order_id_names_nothing(trader: Client) -> None:
    """OrigClOrdID(41)=NONE without OrderID(37) is 100."""
    c = fresh("c")
    trader.send("F", *cancel(c, "NONE"))
    trader.expect(f"9|11={c}|41=NONE|37=NONE|39=8|434=1|102=99|58=Invalid Request (errorcode 100): *")


def test_by_clordid_and_account_in_a_shared_account_ones_own_comes_first(
    trader: Client, colleague: Client
) -> None:
    """In a shared account one's own order comes first, then the account's."""
    his = trader.rest()
    theirs = colleague.rest()
    trader.send("D", *order("twin", (1, 15)))  # not in the shared account, so the id is free there
    mine = trader.expect("8|150=0|1=15")[37]
    colleague.send("D", *order("twin"))
    colleagues = colleague.expect("8|150=0|1=14")[37]

    trader.send("F", *cancel(fresh(), "twin", (1, 15)))
    trader.expect(f"8|37={mine}|150=4")
    trader.send("F", *cancel(fresh(), "twin", (1, 14)))
    trader.expect(f"8|37={colleagues}|150=4|41=twin")
    colleague.expect(f"8|37={colleagues}|150=4|11=twin|41=")

    trader.send("F", *cancel(fresh(), theirs.cl_ord_id))
    trader.expect("9|37=NONE|39=8|102=1")
    trader.send("F", *cancel(fresh(), theirs.cl_ord_id, (1, 14)))
    trader.expect(f"8|37={theirs.order_id}|150=4")
    trader.send("F", *cancel(fresh(), his.cl_ord_id))
    trader.expect(f"8|37={his.order_id}|150=4")
    trader.quiet()


def test_own_comes_first_when_a_colleague_used_the_same_id(trader: Client, colleague: Client) -> None:
    """In a shared account one's own order comes first, be it closed and the colleague's open."""
    c = fresh("same")
    trader.send("D", *order(c))
    mine = trader.expect("8|150=0")[37]
    trader.send("F", *cancel(fresh(), c))
    trader.expect("8|150=4")
    colleague.send("D", *order(c))  # the trader's is closed: the id is free for another user
    theirs = colleague.expect("8|150=0")[37]
    trader.send("F", *cancel(fresh(), c, (1, 14)))
    trader.expect(f"9|37={mine}|39=4|102=0")
    colleague.send("F", *cancel(fresh(), c, (1, 14)))
    colleague.expect(f"8|37={theirs}|150=4")
    trader.quiet()


def test_an_instrument_named_by_its_id(trader: Client) -> None:
    """Symbol(55), or SecurityID(48) with SecurityIDSource(22)=8, or both when they agree."""
    for fields in (
        without(cancel(fresh(), "", (48, 25), (22, 8)), 55),
        cancel(fresh(), "", (48, 25), (22, 8), symbol="[N/A]"),
        cancel(fresh(), "", (48, 25), (22, 8)),
    ):
        a = trader.rest()
        trader.send("F", *without(fields, 41), (41, a.cl_ord_id))
        trader.expect(f"8|37={a.order_id}|150=4")


def test_account_user_and_oms_that_are_the_orders(trader: Client) -> None:
    """Account and user in F must be the order's; 0 means absent; the OMS may be named twice if both agree."""
    for extra in (
        ((1, 14),),
        user(37),
        ((1, 0), *user(0)),
        ((1, 14), *user(37, 1), (207, "SANDBOX")),
        ((460, 4), (461, "IFXXXP"), (167, "FOR")),
    ):
        a = trader.rest()
        trader.send("F", *cancel(fresh(), a.cl_ord_id, *extra))
        trader.expect(f"8|37={a.order_id}|150=4")


@pytest.mark.parametrize("qty", ["10", "10.00", "4"])
def test_a_quantity_up_to_the_orders(trader: Client, qty: str) -> None:
    """OrderQty(38) above the order's is 100; up to it there is nothing to complain about."""
    a = trader.rest()
    trader.send("F", *cancel(fresh(), a.cl_ord_id, qty=qty))
    trader.expect(f"8|37={a.order_id}|150=4|38=10")


# Refusals


def test_every_contradiction_is_refused_and_names_its_field(trader: Client) -> None:
    """Symbol/SecurityID, Side, Account and user must be the order's, OrderQty not above it, else 100."""
    a = trader.rest()
    for fields, label in (
        (cancel("", a.cl_ord_id, symbol="ETH-USD"), "Symbol(55)"),
        (cancel("", a.cl_ord_id, symbol="NO-SUCH"), "Symbol(55)"),
        (without(cancel("", a.cl_ord_id, (48, 26), (22, 8)), 55), "SecurityID(48)"),
        (cancel("", a.cl_ord_id, (48, 26), (22, 8)), "S"),
        (cancel("", a.cl_ord_id, (461, "FFSCSX")), "CFICode(461)"),
        (cancel("", a.cl_ord_id, side="2"), "Side(54)"),
        (cancel("", a.cl_ord_id, side="7"), "Side(54)"),
        (cancel("", a.cl_ord_id, qty="10.000000000001"), "OrderQty(38)"),
        (cancel("", "NONE", (37, a.order_id), (1, 15)), "Account(1)"),
        (cancel("", "NONE", (37, a.order_id), *user(38)), "PartyID(448)=38"),
        (cancel("", a.cl_ord_id, (37, a.order_id), *user(38)), "PartyID(448)=38"),
    ):
        c = fresh("c")
        trader.send("F", (11, c), *without(fields, 11))
        trader.expect(
            f"9|11={c}|41={a.cl_ord_id}|37={a.order_id}|39=0|434=1|102=99"
            f"|58=Invalid Request (errorcode 100): {label}*"
        )
    only_open(trader, a)


def test_missing_and_odd_fields_are_named_by_tag(trader: Client) -> None:
    """F without Symbol(55)/SecurityID(48) or OrderQty(38), or with odd ones, is a 9 with code 100."""
    a = trader.rest()
    good = cancel("", a.cl_ord_id)
    for fields, label in (
        (without(good, 55), "Symbol(55)"),
        (cancel("", a.cl_ord_id, symbol="[N/A]"), "Symbol(55)"),
        (without(good, 38), "OrderQty(38)"),
        ((*good, (48, "25")), "SecurityIDSource(22)"),
        ((*good, (22, "8")), "SecurityID(48)"),
        (cancel("", a.cl_ord_id, qty="0"), "OrderQty(38)=0"),
        (cancel("", a.cl_ord_id, qty="-1"), "OrderQty(38)=-1"),
        ((*good, (1, "fourteen")), "Account(1)"),
        ((*good, (453, 1), (448, 37), (447, "D"), (452, 1)), "PartyRole(452)"),
        ((*good, (453, 2), *user(37)[1:], *user(37)[1:]), "PartyRole(452)"),
        ((*good, *user("me")), "PartyID(448)"),
        ((*good, (207, "SANDBOX"), *user(37, 2)), "PartyID(448)=2"),
    ):
        c = fresh("c")
        trader.send("F", (11, c), *without(fields, 11))
        trader.expect(f"9|11={c}|41={a.cl_ord_id}|434=1|102=99|58=Invalid Request (errorcode 100): {label}*")
    only_open(trader, a)


@pytest.mark.parametrize("order_id", ["999999", "0", "abc", "NONE", "-1", "9" * 40, "1.0"])
def test_an_unknown_order_id(trader: Client, order_id: str) -> None:
    """OrderID(37) is decimal; anything else is an unknown order (104), not a malformed one."""
    c = fresh("c")
    trader.send("F", *cancel(c, "NONE", (37, order_id)))
    trader.expect(
        f"9|11={c}|41=NONE|37=NONE|39=8|434=1|102=1|58=Resource Not Found (errorcode 104): OrderID(37)*"
    )


def test_an_order_out_of_sight_is_an_unknown_one(trader: Client, stranger: Client, reader: Client) -> None:
    """A named order he cannot see is 104, as if it did not exist; "not yours" is no answer."""
    theirs = stranger.rest()
    answers = []
    for order_id in (theirs.order_id, "999999"):
        trader.send("F", *cancel(fresh(), "NONE", (37, order_id)))
        answers.append(trader.expect("9|41=NONE|37=NONE|39=8|102=1")[58].replace(order_id, ""))
    for orig in (theirs.cl_ord_id, "no-such"):
        trader.send("F", *cancel(fresh(), orig, (1, 14)))
        answers.append(trader.expect(f"9|41={orig}|37=NONE|39=8|102=1")[58])
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    stranger.quiet()
    only_open(stranger, theirs)
    reader.quiet()


def test_accounts_and_users_out_of_reach_are_refused_whether_they_exist_or_not(
    trader: Client, stranger: Client
) -> None:
    """A named account or user outside his reach: 20 Not Authorized, existing or not."""
    theirs = stranger.rest()
    for exists, does_not in ((((1, 16),), ((1, 99),)), (user(39), user(99))):
        texts = []
        for extra in (exists, does_not):
            trader.send("F", *cancel(fresh(), theirs.cl_ord_id, *extra))
            refused = trader.expect("9|37=NONE|39=8|102=2|58=Not Authorized (errorcode 20): *")
            texts.append("".join(char for char in refused[58] if not char.isdigit()))
        assert texts[0] == texts[1]
    only_open(stranger, theirs)


def test_a_colleague_who_shares_an_account_may_be_named(trader: Client, colleague: Client) -> None:
    """A colleague's orders in a shared account are within reach, so naming him is 104 when there is none."""
    trader.send("F", *cancel(fresh(), "no-such", (1, 14), *user(38)))
    trader.expect("9|37=NONE|39=8|102=1|58=Resource Not Found (errorcode 104): *")
    theirs = colleague.rest()
    trader.send("F", *cancel(fresh(), theirs.cl_ord_id, (1, 14), *user(38)))
    trader.expect(f"8|37={theirs.order_id}|150=4")


def test_an_operator_may_cancel_any_order(operator: Client, trader: Client, stranger: Client) -> None:
    """Operator: any order; by 37, or by 41 + Account; what does not exist is 104 for him."""
    a, b = trader.rest(), stranger.rest()
    operator.send("F", *cancel("c-op", "NONE", (37, a.order_id)))
    operator.expect(f"8|11=c-op|41={a.cl_ord_id}|37={a.order_id}|150=4")
    operator.send("F", *cancel(fresh(), b.cl_ord_id))
    operator.expect("9|37=NONE|39=8|102=1")
    operator.send("F", *cancel(fresh(), b.cl_ord_id, (1, 16)))
    operator.expect(f"8|41={b.cl_ord_id}|37={b.order_id}|150=4")
    for extra, label in (((1, 99),), "Account(1)=99"), (user(99), "PartyID(448)=99"):
        operator.send("F", *cancel(fresh(), "no-such", *extra))
        operator.expect(f"9|37=NONE|39=8|102=1|58=Resource Not Found (errorcode 104): {label}*")
    operator.send("F", *cancel(fresh(), "no-such", (207, "ELSEWHERE")))
    operator.expect("9|37=NONE|39=8|102=1|58=Resource Not Found (errorcode 104): *")


def test_a_reader_may_cancel_nothing(reader: Client, trader: Client) -> None:
    """No Trading and no Operator permission: nothing, whether the order exists or not."""
    a = trader.rest()
    for fields in (cancel(fresh(), "NONE", (37, a.order_id)), cancel(fresh(), "no-such")):
        reader.send("F", *fields)
        reader.expect("9|37=NONE|39=8|102=2|58=Not Authorized (errorcode 20): *")
    only_open(trader, a)


def test_too_late_to_cancel_tells_the_real_state(gateway: Gateway, trader: Client) -> None:
    """Code 101, too late: CxlRejReason(102)=0 and the order's real OrdStatus(39)."""
    canceled, filled = trader.rest(), trader.rest()
    trader.send("F", *cancel(fresh(), canceled.cl_ord_id))
    trader.expect("8|150=4")
    fill(gateway, filled, 10)
    trader.expect("8|150=F|39=2")
    for resting, status in ((canceled, "4"), (filled, "2")):
        c = fresh("c")
        trader.send("F", *cancel(c, resting.cl_ord_id))
        trader.expect(
            f"9|11={c}|41={resting.cl_ord_id}|37={resting.order_id}|39={status}|434=1|102=0"
            "|58=Operation Failed (errorcode 101): too late*"
        )
    trader.quiet()


def test_a_duplicate_tells_the_real_state_of_the_order_it_names(trader: Client) -> None:
    """A refused F has 41, 37, 39 of the order; only for 100, 20 and 104 may no order of his be certain."""
    a, b = trader.rest(), trader.rest()
    c = fresh("c")
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect("8|150=4")
    trader.send("F", *cancel(c, b.cl_ord_id))
    trader.expect(
        f"9|11={c}|41={b.cl_ord_id}|37={b.order_id}|39=0|434=1|102=6|58=Operation Failed (errorcode 101): *"
    )
    only_open(trader, b)


# Pending


def test_a_held_cancel_is_pending_and_then_done(gateway: Gateway, trader: Client) -> None:
    """8 with 150=6/39=6 if the end is not known in the same turn, then 8 with 150=4/39=4, LeavesQty 0."""
    a = trader.rest()
    c = fresh("c")
    gateway.say(HoldCancels())
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=6|39=6|151=10|14=0")
    trader.quiet()
    gateway.say(ReleaseCancels())
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|151=0|14=0")
    trader.quiet()


def test_a_second_cancel_of_an_order_is_already_pending(
    gateway: Gateway, trader: Client, operator: Client
) -> None:
    """Code 101, a cancel is pending already: CxlRejReason(102)=3 and 39=6, whoever asks."""
    a = trader.rest()
    gateway.say(HoldCancels())
    trader.send("F", *cancel("c-first", a.cl_ord_id))
    trader.expect("8|150=6")
    for client in (trader, operator):
        c = fresh("c")
        client.send("F", *cancel(c, "NONE", (37, a.order_id)))
        client.expect(
            f"9|11={c}|41={a.cl_ord_id}|37={a.order_id}|39=6|434=1|102=3"
            "|58=Operation Failed (errorcode 101): *"
        )
    gateway.say(ReleaseCancels())
    trader.expect("8|150=4|11=c-first")
    operator.quiet()


@pytest.mark.parametrize(("filled", "status"), [(0, "0"), (4, "1")])
def test_the_venue_may_refuse_a_cancel(gateway: Gateway, trader: Client, filled: int, status: str) -> None:
    """A venue that says no is a 9 with 102=99 and the state the order rests in; it can be tried again."""
    a = trader.rest()
    if filled:
        fill(gateway, a, filled)
        trader.expect("8|150=F|39=1")
    gateway.say(RefuseCancel(int(a.order_id), "the venue says no"))
    c = fresh("c")
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect(
        f"9|11={c}|41={a.cl_ord_id}|37={a.order_id}|39={status}|434=1|102=99"
        "|58=Operation Failed (errorcode 101): the venue says no*"
    )
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect(f"8|150=4|39=4|151=0|14={filled}")
    trader.quiet()


def test_the_venue_may_refuse_a_held_cancel(gateway: Gateway, trader: Client) -> None:
    """A cancel that was accepted may still fail: 8 with 150=6, then 9 with the order's real state."""
    a = trader.rest((40, "4"), (99, "90"))
    gateway.say(HoldCancels())
    gateway.say(RefuseCancel(int(a.order_id), "in transit"))
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect("8|150=6|39=6|636=N")
    gateway.say(TriggerOrder(int(a.order_id)))
    trader.expect(f"8|150=D|11={a.cl_ord_id}|41=|39=6|636=Y")
    gateway.say(ReleaseCancels())
    trader.expect(f"9|37={a.order_id}|39=0|102=99|58=Operation Failed (errorcode 101): in transit*")
    trader.quiet()


def test_fills_while_a_cancel_is_pending(gateway: Gateway, trader: Client) -> None:
    """Fills while a cancel is pending: 8 with 150=F, 11 = the order's own id, 39=6; the rest is canceled."""
    a = trader.rest()
    c = fresh("c")
    gateway.say(HoldCancels())
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect("8|150=6")
    fill(gateway, a, 3)
    trader.expect(f"8|11={a.cl_ord_id}|41=|37={a.order_id}|150=F|39=6|32=3|151=7|14=3")
    gateway.say(ReleaseCancels())
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|151=0|14=3|6=100")
    trader.quiet()


def test_the_fill_that_completes_an_order_while_its_cancel_is_pending(
    gateway: Gateway, trader: Client
) -> None:
    """The fill that completes the order has 39=2, and then comes a 9 with 39=2, 102=0."""
    a = trader.rest()
    c = fresh("c")
    gateway.say(HoldCancels())
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect("8|150=6")
    fill(gateway, a, 4)
    trader.expect("8|150=F|39=6")
    fill(gateway, a, 6)
    trader.expect(f"8|11={a.cl_ord_id}|41=|150=F|39=2|32=6|151=0|14=10")
    trader.expect(f"9|11={c}|41={a.cl_ord_id}|37={a.order_id}|39=2|434=1|102=0")
    gateway.say(ReleaseCancels())
    trader.quiet()


def test_pending_cancel_can_be_wanted_always(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The session setting pending_cancel = "always" sends 150=6 although the end is known at once."""
    directory = tmp_path_factory.mktemp("always")
    config = write_config(
        directory / "config", ('pending_cancel = "when_pending"', 'pending_cancel = "always"')
    )
    with Gateway(directory / "data", config) as gateway:
        trader = gateway.client("TRADER37")
        a = trader.rest()
        trader.send("F", *cancel("c1", a.cl_ord_id))
        trader.expect(f"8|11=c1|41={a.cl_ord_id}|150=6|39=6|151=10")
        trader.expect(f"8|11=c1|41={a.cl_ord_id}|150=4|39=4|151=0")
        b, d = trader.rest(), trader.rest()
        trader.send("q", *mass("m1"))
        trader.expect("r|533=2")
        for kind in ("6", "4"):
            for resting in (b, d):
                trader.expect(f"8|11=m1|41={resting.cl_ord_id}|150={kind}|39={kind}")
        trader.quiet()


def test_cancel_scope_user_keeps_a_colleagues_orders_out_of_reach(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """cancel_scope = "user": another user, or an account alone, is 20; a colleague's order is 104."""
    directory = tmp_path_factory.mktemp("user")
    config = write_config(directory / "config", ('cancel_scope = "account"', 'cancel_scope = "user"'))
    with Gateway(directory / "data", config) as gateway:
        trader, colleague = gateway.client("TRADER37"), gateway.client("TRADER38")
        a, theirs = trader.rest(), colleague.rest()
        trader.send("F", *cancel(fresh(), "NONE", (37, theirs.order_id)))
        trader.expect("9|37=NONE|39=8|102=1|58=Resource Not Found (errorcode 104): *")
        trader.send("F", *cancel(fresh(), theirs.cl_ord_id, (1, 14)))
        trader.expect("9|37=NONE|39=8|102=1|58=Resource Not Found (errorcode 104): *")
        trader.send("F", *cancel(fresh(), theirs.cl_ord_id, (1, 14), *user(38)))
        trader.expect("9|37=NONE|39=8|102=2|58=Not Authorized (errorcode 20): *")
        for named in (((1, 14),), user(38), ((1, 14), *user(38))):
            trader.send("q", *mass(fresh(), "7", *named))
            trader.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
        trader.send("q", *mass(fresh(), "7", (1, 14), *user(37)))
        trader.expect(f"r|533=1|41={a.cl_ord_id}")
        trader.expect("8|150=4")
        colleague.send("H", (11, theirs.cl_ord_id), (54, 1))
        colleague.expect(f"8|150=I|37={theirs.order_id}|39=0")
        trader.quiet()


def only_open(client: Client, *expected: Resting) -> None:
    """Assert that these, and no others, are the user's open orders, untouched."""
    client.send("AF", (584, "open?"), (585, "7"))
    found = [client.expect("8|150=I|39=0|584=open?") for _ in expected]
    assert [message[37] for message in found] == [resting.order_id for resting in expected]
    client.quiet()
