"""New Order Single (D): there to have something to cancel, and nothing in it is ever ignored."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.fix.dictionary import load
from tests.gateway import Gateway
from tests.wire import Client, fresh, holding, order, user, without

OURS = load()
HONOURED = {1, 11, 21, 22, 38, 40, 44, 48, 54, 55, 59, 60, 99, 167, 207, 447, 448, 452, 453, 460, 461}
FREE = {58, 354, 355, 526}  # words, and the client's second name for the order: nothing to honour
PRICES: dict[str, tuple[tuple[int, object], ...]] = {
    "1": (),
    "2": ((44, "100.5"),),
    "3": ((99, "90"),),
    "4": ((44, "100.5"), (99, "90")),
}


@pytest.mark.parametrize("time_in_force", [None, "0", "1"])
@pytest.mark.parametrize("ord_type", ["1", "2", "3", "4"])
def test_market_limit_stop_and_stop_limit_orders_rest_as_new(
    trader: Client, ord_type: str, time_in_force: str | None
) -> None:
    """OrdType(40) 1 to 4, Day and GTC are taken, none is Day; nothing matches by itself."""
    cl_ord_id = fresh()
    extra = () if time_in_force is None else ((59, time_in_force),)
    trader.send("D", *without(order(cl_ord_id, (40, ord_type)), 44), *PRICES[ord_type], *extra)
    stop = "99=90|636=N" if ord_type in "34" else "99=|636="
    price = "44=100.5" if ord_type in "24" else "44="
    trader.expect(
        f"8|11={cl_ord_id}|41=|150=0|39=0|1=14|55=BTC-USD|48=25|22=8|54=1|38=10|40={ord_type}"
        f"|59={time_in_force or 0}|151=10|14=0|6=0|58=|103=|{price}|{stop}"
    )
    trader.quiet()


@pytest.mark.parametrize("side", ["1", "2", "5"])
def test_buy_sell_and_sell_short_can_be_entered(trader: Client, side: str) -> None:
    """Side(54) 1, 2 and 5 can be entered."""
    trader.send("D", *order(fresh(), side=side))
    trader.expect(f"8|150=0|54={side}")


def test_an_absent_account_is_the_default_account(
    trader: Client, colleague: Client, stranger: Client
) -> None:
    """Account(1) absent means the user's default account, and so does 0, which means absent."""
    for client, extra, account in (
        (trader, (), 14),
        (trader, ((1, 0),), 14),
        (trader, ((1, 15),), 15),
        (colleague, (), 14),
        (stranger, (), 16),
    ):
        client.send("D", *order(fresh(), *extra))
        client.expect(f"8|150=0|1={account}")


def test_an_operator_enters_for_a_user_and_must_name_the_account(operator: Client, trader: Client) -> None:
    """An Operator may enter for another user: then it is that user's order; he must name the Account."""
    cl_ord_id = fresh()
    operator.send("D", *order(cl_ord_id, (1, 15), *user(37)))
    order_id = operator.expect(f"8|150=0|1=15|11={cl_ord_id}")[37]
    trader.quiet()
    trader.send("AF", (584, "mine"), (585, "7"))
    trader.expect(f"8|150=I|911=1|912=Y|37={order_id}|11={cl_ord_id}")

    operator.send("D", *order(fresh(), *user(37)))
    operator.expect("8|150=8|103=99|58=Invalid Request (errorcode 100): Account(1)*")
    operator.send("D", *order(fresh()))
    operator.expect("8|150=8|103=99|58=Invalid Request (errorcode 100): Account(1)*")
    operator.send("D", *order(fresh(), (1, 16), *user(37)))
    operator.expect("8|150=8|103=99|58=Invalid Request (errorcode 100): Account(1)=16*")


def test_names_that_an_operator_gets_wrong_are_not_found(operator: Client) -> None:
    """Code 104 on D: OrdRejReason(103) 1 for the symbol, 15 for the account, 99 for user and OMS."""
    for extra, reason, named in (
        (((1, 14), (55, "NO-SUCH")), 1, "Symbol(55)=NO-SUCH"),
        (((1, 99), *user(37)), 15, "Account(1)=99"),
        (((1, 14), *user(99)), 99, "PartyID(448)=99"),
        (((1, 14), (207, "ELSEWHERE")), 99, ""),
        (((1, 14), *user(37, 2)), 99, ""),
    ):
        operator.send("D", *order(fresh(), *extra))
        operator.expect(f"8|150=8|39=8|37=NONE|103={reason}|58=Resource Not Found (errorcode 104): {named}*")


def test_an_unknown_security_id_is_not_found(trader: Client) -> None:
    """Code 104 for SecurityID(48), which names an InstrumentId, when there is no such instrument."""
    trader.send("D", *without(order(fresh(), (48, 99), (22, 8)), 55))
    trader.expect(
        "8|150=8|103=1|55=[N/A]|48=99|22=8|58=Resource Not Found (errorcode 104): SecurityID(48)=99*"
    )


def test_accounts_and_users_out_of_reach_are_refused_whether_they_exist_or_not(trader: Client) -> None:
    """A named account or user outside a Trading user's reach is 20 Not Authorized, existing or not."""
    for exists, does_not in ((((1, 16),), ((1, 99),)), (((1, 14), *user(38)), ((1, 14), *user(99)))):
        texts = []
        for extra in (exists, does_not):
            trader.send("D", *order(fresh(), *extra))
            refused = trader.expect("8|150=8|39=8|37=NONE|103=0|58=Not Authorized (errorcode 20): *")
            texts.append("".join(char for char in refused[58] if not char.isdigit()))
        assert texts[0] == texts[1]


def test_a_reader_may_enter_nothing(reader: Client) -> None:
    """No Trading and no Operator permission: nothing."""
    reader.send("D", *order(fresh()))
    reader.expect("8|150=8|39=8|37=NONE|103=0|58=Not Authorized (errorcode 20): *")


@pytest.mark.parametrize("tag", [54, 40, 59, 21])
def test_values_that_cannot_be_honoured_are_not_supported(trader: Client, tag: int) -> None:
    """What we cannot honour in D is an 8 that rejects with code 106 (OrdRejReason 11), never ignored."""
    taken = {54: "125", 40: "1234", 59: "01", 21: "12"}[tag]
    for value in OURS.enums(tag):
        if value in taken:
            continue
        cl_ord_id = fresh()
        trader.send("D", *order(cl_ord_id, (tag, value)))
        trader.expect(
            f"8|150=8|39=8|37=NONE|11={cl_ord_id}|103=11"
            f"|58=Operation Not Supported (errorcode 106): {OURS.label(tag)}={value}*"
        )
    trader.quiet()


def test_no_field_of_a_new_order_is_ignored(trader: Client) -> None:
    """Every field that D may hold is honoured or refused with code 106, OrdRejReason(103)=11."""
    tags = sorted(OURS.message_tags("D") - HONOURED - FREE - {802, 523, 803})
    assert len(tags) > 150
    for tag in tags:
        trader.send("D", *order(fresh(), *holding(OURS, "D", tag)))
        trader.expect("8|150=8|39=8|103=11|58=Operation Not Supported (errorcode 106): *")
    trader.quiet()


def test_a_field_that_is_not_supported_is_named(trader: Client) -> None:
    """Whatever is wrong with a field is said by name and tag."""
    for field, label in (((106, "an issuer"), "Issuer(106)"), ((110, "5"), "MinQty(110)")):
        trader.send("D", *order(fresh(), field))
        trader.expect(f"8|150=8|103=11|58=Operation Not Supported (errorcode 106): {label}*")


def test_missing_and_odd_fields_are_named_by_tag(trader: Client) -> None:
    """D without Symbol(55)/SecurityID(48) or OrderQty(38), or odd: an 8 with code 100 naming the tag."""
    good = order(fresh())
    for fields, label in (
        (without(good, 55), "Symbol(55)"),
        (order("", (55, "[N/A]")), "Symbol(55)"),
        (without(good, 38), "OrderQty(38)"),
        (without(good, 44), "Price(44)"),
        (order("", (40, "1")), "Price(44)"),
        ((*good, (99, "90")), "StopPx(99)"),
        (without(order("", (40, "3")), 44), "StopPx(99)"),
        ((*order("", (40, "3")), (99, "90")), "Price(44)"),
        (order("", (40, "4")), "StopPx(99)"),
        ((*good, (48, "25")), "SecurityIDSource(22)"),
        ((*good, (48, "25"), (22, "1")), "SecurityIDSource(22)"),
        ((*good, (22, "8")), "SecurityID(48)"),
        ((*good, (48, "26"), (22, "8")), "Symbol(55)=BTC-USD and SecurityID(48)=26"),
        ((*good, (460, "12")), "Product(460)"),
        ((*good, (461, "FFSCSX")), "CFICode(461)"),
        ((*good, (167, "FUT")), "SecurityType(167)"),
        ((*good, (1, "14x")), "Account(1)"),
        ((*good, *user("x")), "PartyID(448)"),
        (
            (*good, (207, "SANDBOX"), *user(37, 2)),
            "PartyID(448)=2 with PartyRole(452)=16 and SecurityExchange(207)",
        ),
    ):
        cl_ord_id = fresh()
        trader.send("D", (11, cl_ord_id), *without(fields, 11))
        trader.expect(
            f"8|150=8|39=8|37=NONE|11={cl_ord_id}|103=99|58=Invalid Request (errorcode 100): {label}*"
        )
    trader.quiet()


def test_parties_name_the_user_and_the_oms_only(trader: Client) -> None:
    """Any other PartyRole, a role named twice and a malformed id are 100; UserId 0 means absent."""
    for parties, label in (
        (((453, 1), (448, 37), (447, "D"), (452, 1)), "PartyRole(452)"),
        (((453, 1), (448, 37), (447, "D")), "PartyRole(452)"),
        (((453, 1), (448, 37), (447, "C"), (452, 11)), "PartyIDSource(447)"),
        (((453, 1), (448, 37), (452, 11)), "PartyIDSource(447)"),
        (((453, 2), *user(37)[1:], *user(37)[1:]), "PartyRole(452)=11"),
        (user("-1"), "PartyID(448)"),
        (user("9" * 19), "PartyID(448)"),
    ):
        trader.send("D", *order(fresh(), *parties))
        trader.expect(f"8|150=8|103=99|58=Invalid Request (errorcode 100): {label}*")
    for parties in (user(37), user(0), user(37, 1), user(0, 0), ((453, 0),)):
        trader.send("D", *order(fresh(), *parties))
        trader.expect("8|150=0|1=14")


def test_an_instrument_can_be_named_in_two_ways_that_agree(trader: Client) -> None:
    """Symbol(55), or SecurityID(48) with SecurityIDSource(22)=8; both must agree; 55=[N/A] is absent."""
    for fields in (
        order(fresh(), symbol="ETH-USD"),
        without(order(fresh(), (48, 26), (22, 8)), 55),
        order(fresh(), (48, 26), (22, 8), symbol="ETH-USD"),
        order(fresh(), (48, 26), (22, 8), symbol="[N/A]"),
        order(fresh(), (460, 4), (461, "IFXXXP"), (167, "FOR"), symbol="ETH-USD"),
    ):
        trader.send("D", *fields)
        trader.expect("8|150=0|55=ETH-USD|48=26|22=8")


def test_an_oms_can_be_named_in_two_ways_that_agree(trader: Client) -> None:
    """The OMS is a party with role 16, or SecurityExchange(207); both must agree; absent: the session's."""
    for extra in ((), ((207, "SANDBOX"),), user(37, 1), ((207, "SANDBOX"), *user(37, 1)), user(37, 0)):
        trader.send("D", *order(fresh(), *extra))
        trader.expect("8|150=0|1=14")
    for extra in (((207, "ELSEWHERE"),), user(37, 2)):
        trader.send("D", *order(fresh(), *extra))
        trader.expect("8|150=8|103=99|58=Resource Not Found (errorcode 104): *")


def test_a_stop_is_shown_as_new_and_not_working_until_it_is_triggered(
    gateway: Gateway, trader: Client
) -> None:
    """A stop rests as pending on its trigger: 39=0 and WorkingIndicator(636)=N; nothing fills it before."""
    stop = trader.rest((40, "4"), (99, "90"))
    number = int(stop.order_id)
    assert gateway.say(FillOrder(number, Decimal(1))).errorcode == 101
    trader.quiet()
    assert gateway.say(TriggerOrder(number)).errorcode == 0
    trader.expect(f"8|11={stop.cl_ord_id}|150=D|378=99|39=0|636=Y|99=90|151=10")
    assert gateway.say(TriggerOrder(number)).errorcode == 101
    assert gateway.say(FillOrder(number, Decimal(10))).errorcode == 0
    trader.expect(f"8|11={stop.cl_ord_id}|150=F|39=2|636=Y|31=100|32=10")
    trader.quiet()


def test_fills_are_reported_with_their_sums(gateway: Gateway, trader: Client) -> None:
    """An ExecutionReport of a fill has LastQty, LastPx, LeavesQty, CumQty and AvgPx."""
    resting = trader.rest()
    number = int(resting.order_id)
    gateway.say(FillOrder(number, Decimal(4), Decimal(90)))
    trader.expect(f"8|11={resting.cl_ord_id}|41=|150=F|39=1|32=4|31=90|151=6|14=4|6=90")
    gateway.say(FillOrder(number, Decimal(6)))
    trader.expect(f"8|11={resting.cl_ord_id}|41=|150=F|39=2|32=6|31=100|151=0|14=10|6=96")
    assert gateway.say(FillOrder(number, Decimal(1))).errorcode == 101
    trader.quiet()


def test_a_fill_of_a_market_order_needs_a_price(gateway: Gateway, trader: Client) -> None:
    """A market order has no price of its own: its fill has to say one."""
    cl_ord_id = fresh()
    trader.send("D", *without(order(cl_ord_id, (40, "1")), 44))
    number = int(trader.expect("8|150=0")[37])
    assert gateway.say(FillOrder(number, Decimal(10))).errorcode == 100
    trader.quiet()
    assert gateway.say(FillOrder(number, Decimal(10), Decimal("99.5"))).errorcode == 0
    trader.expect(f"8|11={cl_ord_id}|150=F|39=2|31=99.5|6=99.5|44=")
