"""Messages that get no answer of their own: j for what is unsupported or cannot be echoed, 3 for syntax."""

import pytest

from fixgw.fix.dictionary import load
from tests.wire import ADMIN, STOCK, Client, Pairs, cancel, fresh, least, mass, order, without

OURS = load()
SUPPORTED = {"D", "F", "q", "H", "AF"}
SESSION_TYPES = ADMIN | {
    "j"
}  # a client's j says that it could not read us: no answer, or it goes on for ever
ALL_TYPES = [value for value in STOCK.enums(35) if STOCK.msg_name(value) is not None]
UNSUPPORTED = [value for value in ALL_TYPES if value not in SUPPORTED | SESSION_TYPES]


def good(msg_type: str, request_id: str) -> Pairs:
    """A request of ours that would be answered in its own way, for an order that does not exist."""
    return {
        "D": order(request_id),
        "F": cancel(request_id, "no-such"),
        "q": mass(request_id),
        "H": ((11, request_id), (54, "1"), (790, request_id)),
        "AF": ((584, request_id), (585, "7")),
    }[msg_type]


def test_every_other_application_message_is_unsupported(trader: Client) -> None:
    """Any other FIX 4.4 application type: j with 380=3, 45, 372, 58=Unsupported Message Type, and no 379."""
    assert len(UNSUPPORTED) > 75
    for msg_type in UNSUPPORTED:
        seq_num = trader.sent
        trader.send(msg_type, *least(OURS, OURS.layout(msg_type)))
        trader.expect(f"j|45={seq_num}|372={msg_type}|379=|380=3|58=Unsupported Message Type")
    trader.quiet()


def test_a_clients_own_business_reject_is_not_answered(trader: Client) -> None:
    """A j of the client is no request: to answer it with another one could go on for ever."""
    trader.send("j", (45, 2), (372, "8"), (380, 0), (58, "what is this?"))
    trader.quiet()


def test_a_message_type_that_fix_does_not_know_is_rejected(trader: Client) -> None:
    """QuickFIX rejects what is in no dictionary: 3 with 373=11."""
    for msg_type in ("ZZ", "U1"):
        trader.send(msg_type, (58, "x"))
        trader.expect(f"3|372={msg_type}|373=11")
    trader.quiet()


@pytest.mark.parametrize("bad", ["with space", "x" * 65, "naïve", "tab\t", " "], ids=repr)
@pytest.mark.parametrize(
    ("msg_type", "tag", "label"),
    [
        ("D", 11, "ClOrdID(11)"),
        ("F", 11, "ClOrdID(11)"),
        ("F", 41, "OrigClOrdID(41)"),
        ("F", 37, "OrderID(37)"),
        ("q", 11, "ClOrdID(11)"),
        ("H", 11, "ClOrdID(11)"),
        ("H", 37, "OrderID(37)"),
        ("H", 790, "OrdStatusReqID(790)"),
        ("AF", 584, "MassStatusReqID(584)"),
    ],
)
def test_ids_that_cannot_be_echoed(trader: Client, msg_type: str, tag: int, label: str, bad: str) -> None:
    """Ids (11, 41, 37, 584, 790) not of 1 to 64 printable characters: j 380=0, no 379, tag in 58."""
    seq_num = trader.sent
    trader.send(msg_type, *without(good(msg_type, fresh()), tag), (tag, bad))
    trader.expect(f"j|45={seq_num}|372={msg_type}|379=|380=0|58=Invalid Request (errorcode 100): {label}*")
    trader.quiet()


@pytest.mark.parametrize("msg_type", ["D", "F", "q", "H", "AF"])
def test_ids_of_64_printable_characters_are_echoed(trader: Client, msg_type: str) -> None:
    """Ids of 1 to 64 printable ASCII characters are sent back as they came."""
    long = fresh("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~").ljust(64, "x")
    trader.send(msg_type, *good(msg_type, long))
    tag = 584 if msg_type == "AF" else 11
    assert trader.next()[tag] == long


def test_a_refused_status_request_names_its_id(trader: Client) -> None:
    """j carries 379 = the request's id, except on 380=3."""
    trader.send("AF", (584, "my-request"), (585, "1"))
    trader.expect("j|372=AF|379=my-request|380=0|58=Invalid Request (errorcode 100): Symbol(55)*")
    trader.send("H", (11, "my-order"), (54, 1), (1, "x"))
    trader.expect("j|372=H|379=my-order|380=0")


@pytest.mark.parametrize("msg_type", ["D", "F", "q", "H", "AF"])
def test_syntax_errors_are_session_rejects(trader: Client, msg_type: str) -> None:
    """3 for syntax: it names message, field and reason; nothing is done, and the session stays alive."""
    for tag in sorted(OURS.required(msg_type)):
        _rejected(trader, msg_type, without(good(msg_type, fresh()), tag), tag, 1)
    side = {"q": (530, "9"), "AF": (585, "9")}.get(msg_type, (54, "Z"))
    broken = without(good(msg_type, fresh()), side[0])
    _rejected(trader, msg_type, (*broken, side), side[0], 5)
    request = tuple(good(msg_type, fresh()))
    _rejected(trader, msg_type, (*request, (29999, "x")), 29999, 0)
    _rejected(trader, msg_type, (*request, (5001, "x")), 5001, 0)
    _rejected(trader, msg_type, (*request, (95, "1")), 95, 2)
    _rejected(trader, msg_type, (*request, (1, "")), 1, 4)
    _rejected(trader, msg_type, (*request, request[0]), request[0][0], 13)
    _rejected(trader, msg_type, (*request, (453, 2), (448, "37"), (447, "D"), (452, 11)), 453, 16)
    if msg_type != "H" and msg_type != "AF":
        _rejected(trader, msg_type, (*without(request, 60), (60, "yesterday")), 60, 6)
    trader.send("AF", (584, "open?"), (585, "7"))
    trader.expect("8|911=0")


def _rejected(client: Client, msg_type: str, fields: Pairs, tag: int, reason: int) -> None:
    seq_num = client.sent
    client.send(msg_type, *fields)
    client.expect(f"3|45={seq_num}|371={tag}|372={msg_type}|373={reason}")
    client.quiet()


def test_a_field_of_the_extended_dialect_is_not_taken_from_a_client(trader: Client) -> None:
    """ErrorCode(20002) and Completed(20003) are the gateway's to send: no request may hold them."""
    for tag, value in ((20002, "100"), (20003, "Y"), (1370, "1")):
        trader.send("q", *mass(fresh()), (tag, value))
        trader.expect(f"3|371={tag}|373=2")
    trader.quiet()


def test_a_session_survives_all_kinds_of_rejects_in_a_row(trader: Client) -> None:
    """The session stays alive after each reject, and numbers stay in step."""
    x = fresh("x")
    trader.send("D", *order(x, (54, "Z")))
    trader.send("D", *order("a b"))
    trader.send("E", *least(OURS, OURS.layout("E")))
    trader.send("D", *without(order(x), 11))
    trader.send("D", *order(x))
    # QuickFIX answers syntax while it reads; what the gateway decides follows when all has been read
    answers = sorted((trader.next() for _ in range(5)), key=lambda message: message.type)
    assert [message.type for message in answers] == ["3", "3", "8", "j", "j"]
    assert {message[373] for message in answers[:2]} == {"5", "1"}
    assert (answers[2][150], answers[2][11]) == ("0", x)
    assert [message[380] for message in answers[3:]] == ["0", "3"]
    trader.quiet()
