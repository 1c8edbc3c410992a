"""Fields of type DATA, whose length the peer says."""

import pytest

from fixgw.fix.dictionary import load
from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, undisturbed
from tests.traps.conftest import Connect
from tests.wire import STOCK, Client, order

LENGTHS = ["-5", "1000000000"]
DATA_TAGS = sorted(tag for tag, field in STOCK.fields.items() if field.type == "DATA")
SIGNATURE = 89  # the one whose length field, 93, is not the tag before it


@pytest.mark.parametrize(("length", "drive"), [("-5", "start"), ("1000000000", "poll")])
def test_bare_a_data_field_with_a_wrong_length_ends_the_process(length: str, drive: str) -> None:
    """Trap: a Logon from anybody with 95=-5 ends a QuickFIX acceptor with the stock dictionary."""
    with Bare("bare_acceptor", "stock", drive) as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON, (95, length), (96, "abc"))
        assert bare.ended() not in (None, 0)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_data_field_with_a_wrong_length_is_text_like_any_other(
    clean_gateway: Gateway, trader: Client, stranger: Client, connect: Connect, length: str
) -> None:
    """Cure: no field of our dictionary is of type DATA, so nothing reads a length, before Logon or after."""
    anybody = connect("TRADER38")
    for tag in DATA_TAGS:
        data = ((93 if tag == SIGNATURE else tag - 1, length), (tag, "abc"))
        trader.send("D", *order(f"d{length}-{tag}"), *data)
        trader.drain()
        anybody.connect()
        anybody.send("A", *LOGON, *data)
    undisturbed(stranger, clean_gateway)
    undisturbed(trader, clean_gateway)


def test_there_are_data_fields_and_ours_are_not_of_that_type() -> None:
    """Cure: what the stock dictionary declares DATA, ours declares STRING."""
    assert len(DATA_TAGS) > 10
    ours = load()
    assert {ours.fields[tag].type for tag in DATA_TAGS} == {"STRING"}
    assert not [field for field in ours.fields.values() if field.type == "DATA"]
