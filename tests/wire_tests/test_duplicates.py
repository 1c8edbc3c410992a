"""A client order id is used once, over D, F and q together; PossResend(97)=Y tells the state again."""

from decimal import Decimal

import pytest

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from tests.gateway import Gateway
from tests.wire import Client, Message, Pairs, cancel, fresh, mass, order, timestamp, user, without

AGAIN = ((97, "Y"),)

USED = "58=Operation Failed (errorcode 101): ClOrdID(11)*"
REFUSALS = {"D": "8|150=8|103=6", "F": "9|102=6", "q": "r|531=0|532=99"}


def again(client: Client, msg_type: str, fields: Pairs) -> None:
    """Send it once more with PossResend, a new TransactTime(60) and other words in Text(58)."""
    changed = (*without(fields, 60, 58), (60, timestamp()), (58, fresh("words ")))
    client.send(msg_type, *changed, header=AGAIN)


@pytest.mark.parametrize("first", ["D", "F", "q"])
@pytest.mark.parametrize("second", ["D", "F", "q"])
def test_an_id_is_used_once_over_d_f_and_q(trader: Client, first: str, second: str) -> None:
    """Duplicate ClOrdID, over D, F and q together: a refusal with 101; nothing is done twice."""
    a, b = trader.rest(), trader.rest((1, 15), side="2")
    x = fresh("x")
    fields = {"D": order(x), "F": cancel(x, a.cl_ord_id), "q": mass(x, "7", (1, 14))}
    trader.send(first, *fields[first])
    trader.expect({"D": "8|150=0", "F": "8|150=4", "q": "r|533=1"}[first])
    if first == "q":
        trader.expect("8|150=4")
    others = {"D": order(x, side="2"), "F": cancel(x, b.cl_ord_id, side="2"), "q": mass(x)}
    trader.send(second, *others[second])
    trader.expect(f"{REFUSALS[second]}|11={x}|{USED}")
    trader.send("AF", (584, "left"), (585, "7"), (54, "2"))
    trader.expect(f"8|911=1|37={b.order_id}|39=0")
    trader.quiet()


def test_a_duplicate_new_order_is_told_the_state_of_the_existing_one(
    gateway: Gateway, trader: Client
) -> None:
    """Duplicate ClOrdID on D: 103=6, with state and quantities of the existing order (matrix F.1.b)."""
    a = trader.rest()
    number = int(a.order_id)
    trader.send("D", *order(a.cl_ord_id, qty=20, side="2", symbol="ETH-USD"))
    trader.expect(
        f"8|150=8|103=6|11={a.cl_ord_id}|37={a.order_id}|39=0|38=10|14=0|151=10|55=BTC-USD|54=1|{USED}"
    )
    gateway.say(FillOrder(number, Decimal(4)))
    trader.expect("8|150=F")
    trader.send("D", *order(a.cl_ord_id))
    trader.expect(f"8|150=8|103=6|37={a.order_id}|39=1|14=4|151=6|6=100|{USED}")
    trader.send("F", *cancel(fresh(), a.cl_ord_id))
    trader.expect("8|150=4")
    trader.send("D", *order(a.cl_ord_id))
    trader.expect(f"8|150=8|103=6|37={a.order_id}|39=4|14=4|151=0|6=100|{USED}")
    trader.quiet()


def test_a_duplicate_is_found_before_everything_else(trader: Client, colleague: Client) -> None:
    """Checked right after syntax, before everything else: before permission, names and the order's state."""
    a = trader.rest()
    for msg_type, fields in (
        ("D", order(a.cl_ord_id, (1, 99))),
        ("D", order(a.cl_ord_id, symbol="NO-SUCH")),
        ("D", order(a.cl_ord_id, (106, "issuer"))),
        ("F", cancel(a.cl_ord_id, "no-such")),
        ("F", cancel(a.cl_ord_id, a.cl_ord_id, side="2")),
        ("q", mass(a.cl_ord_id, "7", (1, 99))),
        ("q", mass(a.cl_ord_id, "1", (55, "NO-SUCH"))),
    ):
        trader.send(msg_type, *fields)
        trader.expect(f"{REFUSALS[msg_type]}|11={a.cl_ord_id}|{USED}")
    m = fresh("m")
    for _ in range(2):
        colleague.send("q", *mass(m))  # the whole OMS: refused with 20, and then with 101
        last = colleague.expect("r|531=0|532=99")
    assert last[58].startswith("Operation Failed (errorcode 101)")


def test_an_id_is_used_up_by_a_refusal(trader: Client) -> None:
    """An id is used up by any answer but 3 and j: also by an 8, 9 or r that refuses."""
    for msg_type, bad in (
        ("D", order(fresh(), symbol="NO-SUCH")),
        ("D", without(order(fresh()), 38)),
        ("D", order(fresh(), (1, 16))),
        ("F", cancel(fresh(), "no-such")),
        ("F", without(cancel(fresh(), "no-such"), 55)),
        ("q", mass(fresh(), "1")),
        ("q", mass(fresh(), "7", (1, 16))),
    ):
        trader.send(msg_type, *bad)
        trader.expect({"D": "8|150=8", "F": "9", "q": "r|531=0"}[msg_type])
        x = str(dict(bad)[11])
        for kind, good in (("D", order(x)), ("F", cancel(x, "no-such")), ("q", mass(x))):
            trader.send(kind, *good)
            trader.expect(f"{REFUSALS[kind]}|11={x}|{USED}")
    trader.quiet()


def test_an_id_is_not_used_up_by_a_reject_of_any_kind(trader: Client) -> None:
    """An id is used up by any answer but 3 and j; H and AF use none."""
    x, y = fresh("x"), fresh("y")
    for msg_type, bad, answer in (
        ("D", order(x, (54, "Z")), "3|373=5"),
        ("F", without(cancel(x, "o"), 41), "3|373=1"),
        ("q", mass(x, "9"), "3|373=5"),
        ("F", cancel(x, "not printable"), "j|380=0"),
        ("F", cancel(x, "NONE", (37, "9" * 65)), "j|380=0"),
        ("H", ((11, x), (54, 1)), "8|150=I|39=8"),
        ("E", ((66, x), (394, 1), (68, 1), (73, 1), (11, x), (67, 1), (55, "BTC-USD"), (54, 1)), "j|380=3"),
    ):
        trader.send(msg_type, *bad)
        trader.expect(answer)
    trader.send("D", *order(x))
    trader.expect(f"8|150=0|11={x}")
    trader.send("AF", (584, y), (585, "7"))
    trader.expect("8|911=1")
    trader.send("q", *mass(y))
    trader.expect("r|533=1")
    trader.expect("8|150=4")
    trader.quiet()


def test_another_user_may_use_the_same_id(trader: Client, stranger: Client, colleague: Client) -> None:
    """Refused only if this user used it, or an open order of that user or account has it."""
    x = fresh("x")
    trader.send("D", *order(x))
    trader.expect("8|150=0")
    stranger.send("D", *order(x))
    stranger.expect("8|150=0|1=16")
    colleague.send("D", *order(x))
    colleague.expect(f"8|150=8|103=6|{USED}")
    y = fresh("y")
    trader.send("D", *order(y, (1, 15)))
    trader.expect("8|150=0|1=15")
    colleague.send("D", *order(y))
    colleague.expect("8|150=0|1=14")
    z = fresh("z")
    trader.send("D", *order(z))
    trader.expect("8|150=0")
    trader.send("F", *cancel(fresh(), z))
    trader.expect("8|150=4")
    colleague.send("D", *order(z))
    colleague.expect("8|150=0")
    for client in (trader, stranger, colleague):
        client.quiet()


def test_an_operator_cannot_use_an_id_of_the_user_he_enters_for(operator: Client, trader: Client) -> None:
    """Refused if an open order of that user or account has it, also when an Operator enters for the user."""
    a = trader.rest()
    for names in (((1, 15), *user(37)), ((1, 14),)):
        operator.send("D", *order(a.cl_ord_id, *names))
        operator.expect(f"8|150=8|103=6|37={a.order_id}|39=0|{USED}")
    operator.send("D", *order(a.cl_ord_id, (1, 16), *user(39)))
    operator.expect("8|150=0|1=16")
    trader.quiet()


@pytest.mark.parametrize("msg_type", ["D", "F", "q"])
def test_a_duplicate_says_nothing_of_orders_out_of_sight(
    trader: Client, stranger: Client, msg_type: str
) -> None:
    """Nothing leaks: whether an id is in use is not told to a user who may not see the order."""
    used = trader.rest()
    answers = []
    for names in (((1, 14),), user(37), ((1, 14), *user(37))):
        for x in (used.cl_ord_id, fresh("free")):
            fields = {"D": order(x, *names), "F": cancel(x, "o", *names), "q": mass(x, "7", *names)}
            stranger.send(msg_type, *fields[msg_type])
            answers.append(stranger.next())
        with_used, with_free = (_said(answer) for answer in answers[-2:])
        assert with_used == with_free
        trader.send("F", *cancel(fresh(), used.cl_ord_id))
        trader.expect("8|150=4")
        used = trader.rest()
    trader.quiet()


def _said(answer: Message) -> dict[int, str]:
    own_way = {9, 10, 34, 52, 60, 11, 17}
    return {tag: value for tag, value in answer.pairs if tag not in own_way}


# PossResend


def test_a_new_order_sent_again_tells_its_current_state(gateway: Gateway, trader: Client) -> None:
    """PossResend=Y with the same content (all but 60 and 58): 8 with 150=I, nothing is done twice."""
    x = fresh("x")
    fields = order(x, (1, 15))
    trader.send("D", *fields)
    order_id = trader.expect("8|150=0")[37]
    again(trader, "D", fields)
    trader.expect(f"8|11={x}|37={order_id}|150=I|17=0|39=0|151=10|14=0|1=15")
    gateway.say(FillOrder(int(order_id), Decimal(4)))
    trader.expect("8|150=F")
    again(trader, "D", fields)
    trader.expect(f"8|11={x}|37={order_id}|150=I|17=0|39=1|151=6|14=4")
    trader.send("F", *cancel(fresh(), x))
    trader.expect("8|150=4")
    again(trader, "D", fields)
    trader.expect(f"8|11={x}|37={order_id}|150=I|17=0|39=4|151=0|14=4")
    trader.quiet()


def test_other_content_is_refused_although_it_says_it_is_sent_again(trader: Client) -> None:
    """PossResend=Y with other content: the refusal of a duplicate, for D, F and q."""
    a, b, c = trader.rest(), trader.rest(), fresh("c")
    trader.send("D", *order(a.cl_ord_id, qty=11), header=AGAIN)
    trader.expect(f"8|150=8|103=6|37={a.order_id}|39=0|{USED}")
    trader.send("F", *cancel(c, a.cl_ord_id))
    trader.expect("8|150=4")
    trader.send("F", *cancel(c, b.cl_ord_id), header=AGAIN)
    trader.expect(f"9|11={c}|102=6|{USED}")
    trader.send("D", *order(c), header=AGAIN)
    trader.expect(f"8|150=8|103=6|11={c}|{USED}")
    m = fresh("m")
    trader.send("q", *mass(m, "7", (54, "2")))
    trader.expect("r|533=0")
    trader.send("q", *mass(m), header=AGAIN)
    trader.expect(f"r|11={m}|531=0|532=99|{USED}")
    trader.quiet()
    trader.send("AF", (584, "left"), (585, "7"))
    trader.expect(f"8|911=1|37={b.order_id}|39=0")


def test_a_refused_new_order_sent_again_tells_the_refusal_as_a_state(trader: Client) -> None:
    """PossResend=Y of a D that was refused: 8 with 150=I, 39=8 and the reason, and still no order."""
    for fields, reason in ((order(fresh(), (1, 16)), 0), (order(fresh(), symbol="NO-SUCH"), 1)):
        trader.send("D", *fields)
        refused = trader.expect(f"8|150=8|39=8|103={reason}")
        again(trader, "D", fields)
        repeated = trader.expect(f"8|150=I|39=8|103={reason}|37=NONE|17=0")
        assert repeated[58] == refused[58]
    trader.quiet()


def test_a_cancel_sent_again_tells_its_last_answer(gateway: Gateway, trader: Client) -> None:
    """PossResend=Y of an F: its last 8 or 9."""
    a = trader.rest()
    c = fresh("c")
    fields = cancel(c, a.cl_ord_id)
    gateway.say(HoldCancels())
    trader.send("F", *fields)
    trader.expect("8|150=6")
    again(trader, "F", fields)
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=6|39=6")
    gateway.say(FillOrder(int(a.order_id), Decimal(1)))
    trader.expect("8|150=F|39=6")
    again(trader, "F", fields)
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|150=6|39=6")
    gateway.say(ReleaseCancels())
    trader.expect(f"8|11={c}|150=4")
    again(trader, "F", fields)
    trader.expect(f"8|11={c}|41={a.cl_ord_id}|37={a.order_id}|150=4|39=4|151=0")
    trader.quiet()


def test_a_refused_cancel_sent_again_tells_the_refusal(gateway: Gateway, trader: Client) -> None:
    """PossResend=Y of an F that got a 9: the 9 again, although the order could be canceled by now."""
    a = trader.rest()
    gateway.say(RefuseCancel(int(a.order_id), "no"))
    fields = cancel(fresh("c"), a.cl_ord_id)
    trader.send("F", *fields)
    trader.expect(f"9|41={a.cl_ord_id}|37={a.order_id}|39=0|102=99")
    again(trader, "F", fields)
    trader.expect(f"9|41={a.cl_ord_id}|37={a.order_id}|39=0|102=99")
    unknown = cancel(fresh("c"), "no-such")
    trader.send("F", *unknown)
    trader.expect("9|41=no-such|37=NONE|39=8|102=1")
    again(trader, "F", unknown)
    trader.expect("9|41=no-such|37=NONE|39=8|102=1")
    trader.quiet()
    trader.send("AF", (584, "left"), (585, "7"))
    trader.expect(f"8|911=1|37={a.order_id}|39=0")


def test_a_cancel_that_came_too_late_sent_again(gateway: Gateway, trader: Client) -> None:
    """PossResend=Y of an F whose order was filled meanwhile: its last answer is the 9."""
    a = trader.rest()
    fields = cancel(fresh("c"), a.cl_ord_id)
    gateway.say(HoldCancels())
    trader.send("F", *fields)
    trader.expect("8|150=6")
    gateway.say(FillOrder(int(a.order_id), Decimal(10)))
    trader.expect("8|150=F|39=2")
    trader.expect("9|39=2|102=0")
    again(trader, "F", fields)
    trader.expect(f"9|41={a.cl_ord_id}|37={a.order_id}|39=2|102=0")
    trader.quiet()


def test_a_mass_cancel_sent_again_tells_the_same_r(trader: Client) -> None:
    """PossResend=Y of a q: the same r, without 8s, and an order entered since is not touched."""
    a = trader.rest()
    fields = mass(fresh("m"))
    trader.send("q", *fields)
    report = trader.expect(f"r|533=1|41={a.cl_ord_id}")
    trader.expect("8|150=4")
    b = trader.rest()
    again(trader, "q", fields)
    repeated = trader.expect(f"r|37={report[37]}|530=7|531=7|533=1|534=1|41={a.cl_ord_id}|535={a.order_id}")
    assert repeated[11] == report[11]
    trader.quiet()
    trader.send("AF", (584, "left"), (585, "7"))
    trader.expect(f"8|911=1|37={b.order_id}|39=0")

    refused = mass(fresh("m"), "7", (1, 16))
    trader.send("q", *refused)
    trader.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
    again(trader, "q", refused)
    trader.expect("r|531=0|532=99|58=Not Authorized (errorcode 20): *")
    trader.quiet()


def test_a_request_that_never_arrived_is_done_when_sent_again(trader: Client) -> None:
    """PossResend=Y on an id that nobody used is a request like any other."""
    x = fresh("x")
    trader.send("D", *order(x), header=AGAIN)
    trader.expect(f"8|11={x}|150=0|39=0")
    trader.send("F", *cancel(fresh(), x), header=AGAIN)
    trader.expect(f"8|41={x}|150=4")
    trader.rest()
    trader.send("q", *mass(fresh()), header=AGAIN)
    trader.expect("r|533=1")
    trader.expect("8|150=4")
    trader.quiet()


# PossDup


def test_a_message_seen_before_is_dropped(trader: Client) -> None:
    """PossDupFlag(43)=Y below the expected MsgSeqNum is dropped: no answer, nothing done twice."""
    sent = trader.sent
    a = trader.rest()
    dup = ((43, "Y"), (122, timestamp()))
    trader.send("D", *order(a.cl_ord_id), seq_num=sent, header=dup)
    trader.send("D", *order(fresh()), seq_num=sent, header=dup)
    trader.quiet()
    trader.send("AF", (584, "one"), (585, "7"))
    trader.expect(f"8|911=1|37={a.order_id}")


def test_a_possible_duplicate_that_is_expected_is_a_request(trader: Client) -> None:
    """PossDupFlag(43)=Y at the expected MsgSeqNum is delivered and answered."""
    x = fresh("x")
    trader.send("D", *order(x), header=((43, "Y"), (122, timestamp())))
    trader.expect(f"8|11={x}|150=0")
    trader.quiet()
