"""Bytes that are no UTF-8, and values that would end their field."""

from decimal import Decimal

import pytest
import quickfix
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.fix.dictionary import load
from fixgw.fix.outbound import TEXT_MAX, text
from tests.gateway import Gateway
from tests.traps.bare import LOGON, Bare, undisturbed
from tests.wire import Client, Message, cancel, fresh, mass, order, timestamp

BYTES = [b"\xff\xfe", b"\xe9t\xe9", "é".encode(), b"\xed\xa0\x80", b"a\x00b", b"\x1b[31m"]
NAMED = [(1, "14"), (453, 1), (448, "37"), (447, "D"), (452, "11"), (55, "BTC-USD"), (48, "25"), (22, "8")]
INSTRUMENT = [(207, "SANDBOX"), (460, "4"), (461, "IFXXXP"), (167, "FOR"), (54, "1")]
REQUESTS: dict[str, list[tuple[int, object]]] = {
    "D": [(11, "?"), *NAMED, *INSTRUMENT, (38, 10), (40, "2"), (44, 100), (58, "t"), (60, timestamp())],
    "F": [(11, "?"), (41, "x"), (37, 1), *NAMED, *INSTRUMENT, (38, 10), (58, "t"), (60, timestamp())],
    "q": [(11, "?"), (530, "1"), *NAMED, *INSTRUMENT, (311, "BTC"), (336, "DAY"), (60, timestamp())],
    "H": [(11, "?"), (37, 1), (790, "r"), *NAMED, *INSTRUMENT],
    "AF": [(584, "?"), (585, "1"), *NAMED, *INSTRUMENT, (311, "BTC"), (336, "DAY")],
    "R": [(131, "r"), (146, 1), (55, "BTC-USD"), (58, "t")],
}
IDS = {"D": [11], "F": [11, 41, 37], "q": [11], "H": [11, 37, 790], "AF": [584]}


def test_bare_what_was_read_from_a_message_cannot_be_set_into_another() -> None:
    """Trap: QuickFIX gives such bytes as lone surrogates, and takes no lone surrogate back."""
    with Bare("bare_echoing") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        client.receive()
        client.send("D", *order("x"), (58, b"\xff\xfe"))
        assert bare.line() == "'\\udcff\\udcfe' TypeError"


def test_bare_a_separator_in_a_value_makes_fields() -> None:
    """Trap: QuickFIX writes a value as it is, and what follows a separator in it is a field for the peer."""
    message = quickfix.Message("8=FIX.4.4\x019=0\x0135=9\x0158=x\x0110=000\x01", False)
    message.setField(58, "no\x0139=2")
    assert "\x0139=2\x01" in message.toString()


@pytest.mark.parametrize("msg_type", REQUESTS)
def test_every_field_may_hold_any_bytes(
    clean_gateway: Gateway, trader: Client, stranger: Client, msg_type: str
) -> None:
    """Cure: one answer, in ASCII, whatever bytes stand in which field; nobody else notices."""
    fields = REQUESTS[msg_type]
    for at in range(len(fields)):
        for value in BYTES:
            found = [(tag, fresh("n") if kept == "?" else kept) for tag, kept in fields]
            trader.send(msg_type, *found[:at], (found[at][0], value), *found[at + 1 :])
            answers = trader.drain()
            assert answers
            assert answers[0].type in "389rj"
            assert all(answer.raw.isascii() for answer in answers)
    undisturbed(stranger, clean_gateway)


@pytest.mark.parametrize("value", BYTES)
@pytest.mark.parametrize(("msg_type", "tag"), [(kind, tag) for kind, tags in IDS.items() for tag in tags])
def test_an_id_that_cannot_be_echoed_is_named(trader: Client, msg_type: str, tag: int, value: bytes) -> None:
    """Cure: an id outside [\\x21-\\x7e]{1,64} is j 380=0 without 379, and the field is named in Text(58)."""
    fields = [(at, fresh("n") if kept == "?" else kept) for at, kept in REQUESTS[msg_type]]
    trader.send(msg_type, *((at, value if at == tag else kept) for at, kept in fields))
    refusal = trader.expect(f"j|372={msg_type}|380=0|379=|58=Invalid Request (errorcode 100): *")
    assert f"({tag})" in refusal[58]
    trader.quiet()


def test_a_client_that_rejects_us_with_any_bytes(
    clean_gateway: Gateway, colleague: Client, stranger: Client
) -> None:
    """Cure: what a client says in j, 3, a TestRequest or a Logout is logged, or echoed by QuickFIX."""
    client = colleague
    for value in BYTES:
        client.send("j", (45, 1), (372, "8"), (379, value), (380, 0), (58, value))
        client.send("3", (45, 1), (371, 1), (372, "8"), (58, value))
        client.send("0", (112, value))
        client.quiet()
    client.send("5", (58, BYTES[0]))
    assert client.receive().type == "5"
    undisturbed(stranger, clean_gateway)


@given(st.text(max_size=2 * TEXT_MAX))
def test_text_is_printable_ascii_and_bounded(value: str) -> None:
    """Cure: no SOH, nothing but printable ASCII, and not more than fits gets into Text(58)."""
    found = text(value)
    assert found.isascii()
    assert not found or found.isprintable()
    assert len(found) == min(len(value), TEXT_MAX)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=TEXT_MAX))
def test_text_that_is_fine_stays_as_it_is(value: str) -> None:
    """Cure: what may stand in Text(58) is not touched."""
    assert text(value) == value


def test_a_venue_cannot_inject_fields_through_its_reason(clean_gateway: Gateway, trader: Client) -> None:
    """Cure: a separator in a venue's reason reaches the client as a question mark."""
    resting = trader.rest()
    clean_gateway.say(RefuseCancel(int(resting.order_id), "no\x0139=4\x01150=4\u00e9"))
    trader.send("F", *cancel(fresh("c"), resting.cl_ord_id))
    refused = trader.expect("9|39=0|150=")
    assert refused.all(39) == ["0"]
    assert "no?39=4?150=4?" in refused[58]
    trader.quiet()


def said(gateway: Gateway, client: Client) -> list[Message]:
    """Everything that the gateway can say to one client."""
    filled, held, refused, _ = (client.rest() for _ in range(4))
    client.send("D", *order(filled.cl_ord_id))
    client.send("D", *order(fresh("n"), symbol="NO-SUCH"))
    client.send("D", (11, fresh("n")))
    client.send("R", (131, "r"), (146, 1), (55, "BTC-USD"))
    gateway.say(FillOrder(int(filled.order_id), Decimal(3)))
    gateway.say(HoldCancels())
    for _ in range(2):
        client.send("F", *cancel(fresh("c"), held.cl_ord_id))
    found = client.drain()
    gateway.say(ReleaseCancels())
    gateway.say(RefuseCancel(int(refused.order_id), "not now"))
    client.send("H", (11, filled.cl_ord_id), (55, "BTC-USD"), (54, "1"))
    client.send("H", (11, "no-such"), (55, "BTC-USD"), (54, "1"))
    client.send("AF", (584, fresh("s")), (585, "7"))
    client.send("AF", (584, fresh("s")), (585, "1"))
    client.send("F", *cancel(fresh("c"), "no-such"))
    for scope in "177":
        client.send("q", *mass(fresh("m"), scope))
    return found + client.drain()


@pytest.mark.parametrize("name", ["TRADER37", "TRADER39"])
@pytest.mark.parametrize("dialect", ["strict", "extended"])
def test_every_outbound_message_is_valid(
    clean_gateway: Gateway, extended_gateway: Gateway, dialect: str, name: str
) -> None:
    """Cure: QuickFIX checks nothing that it sends, so each kind of message is checked here."""
    gateway = clean_gateway if dialect == "strict" else extended_gateway
    gateway.clean()
    found = said(gateway, gateway.ready(name))
    ours = load()
    assert [problem for message in found for problem in ours.validate(message.raw)] == []
    assert {message.type for message in found} == {"3", "8", "9", "j", "r"}
    assert {message.get(150) for message in found if message.type == "8"} >= {"F", "6", "4", "8", "I"}
