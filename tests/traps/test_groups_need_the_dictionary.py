"""A message with a repeating group that QuickFIX is given as text."""

import pytest
import quickfix

from fixgw.engine.sandbox import RefuseCancel
from fixgw.fix.dictionary import load, spec_path
from tests.gateway import Gateway
from tests.wire import STOCK, fresh, mass

BODY = "8=FIX.4.4|9=0|35=r|11=m|37=1|530=7|531=7|533=2|534=2|41=a|535=1|41=b|535=2|10=000|".replace(
    "|", "\x01"
)
GROUP = [(534, "2"), (41, "a"), (535, "1"), (41, "b"), (535, "2")]


def pairs_of(message: quickfix.Message) -> list[tuple[int, str]]:
    parts = (part.partition("=") for part in message.toString().split("\x01")[:-1])
    return [(int(tag), value) for tag, _, value in parts]


def test_bare_without_the_dictionary_the_fields_of_a_group_are_scattered() -> None:
    """Trap: QuickFIX sorts the fields of a message, and without the dictionary a group's are like others."""
    pairs = pairs_of(quickfix.Message(BODY, False))
    start = pairs.index((534, "2"))
    assert pairs[start : start + 5] != GROUP


def test_with_the_dictionary_the_group_stays_together() -> None:
    """Cure: a message with groups is built with the dictionary."""
    pairs = pairs_of(quickfix.Message(BODY, quickfix.DataDictionary(str(spec_path())), False))
    start = pairs.index((534, "2"))
    assert pairs[start : start + 5] == GROUP


@pytest.mark.parametrize("name", ["TRADER37", "OPERATOR1"])
def test_a_mass_cancel_report_lists_its_orders_in_a_group(clean_gateway: Gateway, name: str) -> None:
    """Cure: r comes with NoAffectedOrders(534), and each entry's fields next to one another."""
    trader = clean_gateway.ready("TRADER37")
    resting = [trader.rest() for _ in range(3)]
    client = clean_gateway.ready(name)
    client.send("q", *mass(fresh("m"), "7", (1, 14)))
    report = client.next()
    start = report.pairs.index((534, "3"))
    entries = [pair for one in resting for pair in ((41, one.cl_ord_id), (535, one.order_id))]
    assert report.pairs[start + 1 : start + 7] == entries
    assert load().validate(report.raw) == STOCK.validate(report.raw) == []


def test_extended_groups_and_parties_too(extended_gateway: Gateway) -> None:
    """Cure: the groups of the extended dialect, NoNotAffectedOrders(1370) and NoPartyIDs(453), as well."""
    operator = extended_gateway.ready("OPERATOR1")
    trader = extended_gateway.ready("TRADER37")
    one, other = trader.rest(), trader.rest()
    extended_gateway.say(RefuseCancel(int(one.order_id), "not now"))
    operator.send("q", *mass(fresh("m"), "7", (1, 14), (453, 1), (448, 37), (447, "D"), (452, 11)))
    found = operator.until(lambda message: message.get(20003) == "Y")
    last = found[-1]
    start = last.pairs.index((1370, "1"))
    assert last.pairs[start + 1 : start + 3] == [(1372, one.cl_ord_id), (1371, one.order_id)]
    assert other.cl_ord_id in [message.get(41) for message in found]
    parties = last.pairs.index((453, "1"))
    assert last.pairs[parties + 1 : parties + 4] == [(448, "37"), (447, "D"), (452, "11")]
    assert load().validate(last.raw) == []
