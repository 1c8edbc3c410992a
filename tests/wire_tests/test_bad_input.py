"""Whatever a client sends: exactly one first answer, a session that lives on, a book that stays as it was."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixgw.core.requests import FillOrder, OrderAnswer, TriggerOrder
from fixgw.engine.sandbox import RefuseCancel
from fixgw.fix.dictionary import load
from fixgw.link import Said
from tests.gateway import Gateway
from tests.wire import Client, Message, cancel, fresh, holding, mass, order, user, without

OURS = load()
TYPES = ("D", "F", "q", "H", "AF")
OWN_ANSWERS = {"D": "8", "F": "89", "q": "r", "H": "8j", "AF": "8j"}
AT_ONCE = 100  # messages sent in one go: many, and still less than what fills a socket's buffer

Request = tuple[str, tuple[tuple[int, object], ...]]


def good(msg_type: str) -> tuple[tuple[int, object], ...]:
    """A request that is answered in its own way; only a D would change anything."""
    request_id = fresh("b")
    return {
        "D": order(request_id),
        "F": cancel(request_id, "no-such"),
        "q": mass(request_id),
        "H": ((11, request_id), (54, "1")),
        "AF": ((584, request_id), (585, "7")),
    }[msg_type]


def with_field(msg_type: str, tag: int, value: object) -> Request:
    """A good request in which one field, inside its groups if need be, has this value."""
    field = tuple((key, value if kept == "?" else kept) for key, kept in holding(OURS, msg_type, tag, "?"))
    return msg_type, (*without(good(msg_type), *dict(field)), *field)


def first_answers(client: Client, requests: list[Request]) -> list[Message]:
    """Send all requests; the first answers, exactly one to each request, in the requests' order."""
    found = []
    for start in range(0, len(requests), AT_ONCE):
        batch = requests[start : start + AT_ONCE]
        first = client.sent
        for msg_type, fields in batch:
            client.send(msg_type, *fields)
        answers: dict[str, list[Message]] = defaultdict(list)
        for message in client.drain():
            by_number = message.type in "3j"
            number = int(message[45]) - first if by_number else -1
            answers[_id(batch[number]) if by_number else message.get(584) or message[11]].append(message)
        for request in batch:
            of_this = answers.pop(_id(request), [])
            assert len(of_this) == 1, f"{request}: {of_this}"
            assert of_this[0].type in f"3j{OWN_ANSWERS[request[0]]}", f"{request}: {of_this}"
            found += of_this
        assert not answers, f"answers to no request: {answers}"
    return found


def _id(request: Request) -> str:
    msg_type, fields = request
    return str(dict(fields).get(584 if msg_type == "AF" else 11, f"none {id(fields)}"))


def open_ids(operator: Client) -> set[str]:
    operator.send("AF", (584, "open?"), (585, "7"))
    return {report[37] for report in operator.until(lambda report: report[912] == "Y")} - {"NONE"}


@pytest.fixture
def others(colleague: Client, stranger: Client) -> set[str]:
    """The OrderIDs of orders that nobody may touch here."""
    return {client.rest().order_id for client in (colleague, stranger)}


@pytest.mark.parametrize("msg_type", TYPES)
def test_every_listed_value_of_every_field(
    trader: Client, operator: Client, others: set[str], msg_type: str
) -> None:
    """Every value of spec/FIX44.xml for every enumerated field gets one first answer, in one session."""
    requests = [
        with_field(msg_type, tag, value)
        for tag in sorted(OURS.message_tags(msg_type))
        for value in OURS.enums(tag)
    ]
    assert len(requests) > 200
    answers = first_answers(trader, requests)
    assert not [answer for answer in answers if answer.type == "3"], "listed values are right syntax"
    trader.quiet()
    entered = {answer[37] for answer in answers if answer.get(150) == "0"}
    assert (len(entered) > 0) == (msg_type == "D")
    assert open_ids(operator) == others | entered


@pytest.mark.parametrize("msg_type", TYPES)
def test_a_value_that_is_not_listed_is_rejected(trader: Client, msg_type: str) -> None:
    """A value that an enumerated field does not have: 3 naming the field.

    QuickFIX looks into some groups only; there the gateway refuses what it reads, and gives one first answer.
    """
    for tag in sorted(OURS.message_tags(msg_type)):
        values = OURS.enums(tag)
        if not values:
            continue
        number = OURS.fields[tag].type == "INT"
        wrong = "98765" if number else next(char for char in "~^`" if char not in values)
        (answer,) = first_answers(trader, [with_field(msg_type, tag, wrong)])
        if tag in OURS.layout(msg_type).tags:
            assert (answer.type, answer[371]) == ("3", str(tag))
            assert answer[373] in "56"
        assert answer.get(150) != "0"
    trader.quiet()


NUMBERS = {
    "1": True,
    "10.50": True,
    "00010.5": True,
    "10.": True,
    "999999999999999.999999999999": True,
    "0.000000000001": True,
    "0": False,
    "0.0": False,
    "-0": False,
    "-1": False,
    "-0.5": False,
    "NaN": False,
    "nan": False,
    "inf": False,
    "-Infinity": False,
    "1e400": False,
    "1E5": False,
    "1e-5": False,
    "1" * 30: False,
    "1" * 10_000: False,
    "0.0000000000001": False,
    "0." + "3" * 10_000: False,
    "1,000": False,
    "1 000": False,
    " 1": False,
    "+1": False,
    "0x10": False,
    "1_000": False,
    "1.2.3": False,
    "٣": False,
    "½": False,
    ".": False,
    "-": False,
    "one": False,
}


@pytest.mark.parametrize("tag", [38, 44, 99])
def test_quantities_and_prices_of_an_order(
    trader: Client, operator: Client, others: set[str], tag: int
) -> None:
    """A number is positive, finite and decimal, of bounded length; else 3, or an 8 with code 100."""
    stop = ((40, "4"), (99, "90"))
    requests: list[Request] = [
        ("D", (*without(order(fresh("b"), *stop), tag), (tag, text))) for text in NUMBERS
    ]
    entered = set()
    for (text, accepted), answer in zip(NUMBERS.items(), first_answers(trader, requests), strict=True):
        if accepted:
            assert answer.get(150) == "0", f"{text}: {answer}"
            assert Decimal(answer[tag]) == Decimal(text)
            entered.add(answer[37])
        elif answer.type == "3":
            assert (answer[371], answer[373]) == (str(tag), "6"), f"{text}: {answer}"
        else:
            assert answer[58].startswith(f"Invalid Request (errorcode 100): {OURS.label(tag)}="), answer
    trader.quiet()
    assert open_ids(operator) == others | entered


def test_quantities_of_a_cancel(trader: Client, operator: Client, others: set[str]) -> None:
    """OrderQty(38) of F is a number like any other; what is none cancels nothing."""
    resting = trader.rest()
    for text, is_number in NUMBERS.items():
        if is_number:
            continue
        fields = cancel(fresh("b"), resting.cl_ord_id, qty=text)
        (answer,) = first_answers(trader, [("F", fields)])
        assert answer.type == "3" or answer[58].startswith("Invalid Request (errorcode 100): OrderQty(38)=")
    assert open_ids(operator) == others | {resting.order_id}


def test_the_largest_numbers_can_be_filled(gateway: Gateway, trader: Client) -> None:
    """15 digits before and 12 after the point: sums and averages of fills stay exact."""
    most = "9" * 15 + "." + "9" * 12
    resting = trader.rest((44, most), qty=most)
    gateway.say(FillOrder(int(resting.order_id), Decimal("0.000000000001")))
    trader.expect(f"8|150=F|14=0.000000000001|151={Decimal(most) - Decimal('0.000000000001')}|6={most}")
    gateway.say(FillOrder(int(resting.order_id), Decimal(most) - Decimal("0.000000000001")))
    trader.expect(f"8|150=F|39=2|14={most}|151=0|6={most}")


ODD: list[object] = [
    "",
    "x" * 10_000,
    "naïve",
    b"\xff\xfe",
    b"BTC-USD\xff",
    b"\xed\xa0\x80",
    "\x00",
    "\x02\x7f",
    "a=b",
    "8=FIX.4.4",
    "  ",
    "|",
    "NONE",
    "[N/A]",
    "-1",
    "0",
    "18446744073709551616",
]


@pytest.mark.parametrize("msg_type", TYPES)
def test_odd_values_of_every_field_that_is_read(
    trader: Client, operator: Client, others: set[str], msg_type: str
) -> None:
    """Empty, overlong, not ASCII, not even UTF-8, control characters: one first answer, no harm."""
    read = {
        1,
        11,
        22,
        37,
        41,
        48,
        54,
        55,
        58,
        60,
        167,
        207,
        311,
        336,
        448,
        452,
        460,
        461,
        526,
        530,
        584,
        585,
        790,
    }
    tags = sorted(read & OURS.message_tags(msg_type))
    requests = [with_field(msg_type, tag, value) for tag in tags for value in ODD]
    requests = [
        (kind, tuple((tag, _unique(tag, value)) for tag, value in fields)) for kind, fields in requests
    ]
    answers = first_answers(trader, requests)
    trader.quiet()
    entered = {answer[37] for answer in answers if answer.get(150) == "0"}
    assert open_ids(operator) == others | entered


def _unique(tag: int, value: object) -> object:
    """An odd id that can be echoed is used up by its first use, here as everywhere."""
    echoable = (
        isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value.strip()) < 60
    )
    return f"{value}{fresh('.')}" if tag in (11, 584) and echoable and value in ODD else value


@pytest.mark.parametrize("msg_type", TYPES)
def test_every_field_repeated_or_empty(
    trader: Client, operator: Client, others: set[str], msg_type: str
) -> None:
    """A field that stands twice or holds nothing is 3 for syntax, whatever the field."""
    layout = OURS.layout(msg_type)
    tags = sorted(layout.tags - layout.groups.keys())
    twice = [(msg_type, (*fields, fields[-1])) for _, fields in (_last(msg_type, tag) for tag in tags)]
    assert {answer.type for answer in first_answers(trader, twice)} == {"3"}
    empty = [with_field(msg_type, tag, "") for tag in tags]
    assert {answer.type for answer in first_answers(trader, empty)} == {"3"}
    trader.quiet()
    assert open_ids(operator) == others


def _last(msg_type: str, tag: int) -> Request:
    """A good request with the field at its end."""
    fields = good(msg_type)
    kept = dict(fields).get(tag)
    return with_field(msg_type, tag, dict(holding(OURS, msg_type, tag))[tag] if kept is None else kept)


def test_contradictory_fields(trader: Client, operator: Client, others: set[str]) -> None:
    """What contradicts itself is refused with 100, and one first answer."""
    resting = trader.rest()
    twice = ((453, 2), *user(37)[1:], *user(38)[1:])
    other_oms = ((207, "SANDBOX"), *user(37, 2))
    both = ((55, "BTC-USD"), (48, 26), (22, 8))
    requests: list[Request] = [
        ("D", order(fresh("b"), *both)),
        ("D", order(fresh("b"), *twice)),
        ("D", order(fresh("b"), *other_oms)),
        ("F", cancel(fresh("b"), resting.cl_ord_id, *both)),
        ("F", cancel(fresh("b"), resting.cl_ord_id, *twice)),
        ("F", cancel(fresh("b"), resting.cl_ord_id, *other_oms)),
        ("F", cancel(fresh("b"), "another", (37, resting.order_id))),
        ("q", mass(fresh("b"), "1", *both)),
        ("q", mass(fresh("b"), "7", *twice)),
        ("q", mass(fresh("b"), "7", *other_oms)),
        ("q", mass(fresh("b"), "2", (311, "BTC"), (55, "BTC-USD"))),
        ("H", ((11, resting.cl_ord_id), (54, 1), *both)),
        ("H", ((11, resting.cl_ord_id), (54, 2))),
        ("AF", ((584, fresh("b")), (585, 1), *both)),
        ("AF", ((584, fresh("b")), (585, 8), *twice)),
    ]
    for request in requests:
        (answer,) = first_answers(trader, [request])
        assert answer[58].startswith("Invalid Request (errorcode 100): "), f"{request}: {answer}"
    trader.quiet()
    assert open_ids(operator) == others | {resting.order_id}


# Mutations of good messages

HEADER_TAGS = OURS.header_tags | OURS.trailer_tags
TAGS = sorted((OURS.fields.keys() - HEADER_TAGS) | {4999, 5000, 9999, 29999})
TEXTS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    st.text(st.characters(blacklist_characters="\x01", blacklist_categories=["Cs"]), max_size=6),
    st.binary(max_size=8).map(lambda data: data.replace(b"\x01", b"")),
    st.sampled_from(
        ["37", "38", "1", "7", "11", "14", "15", "BTC-USD", "ETH-USD", "NONE", "D", "8", "10.5", "Y"]
    ),
)
MUTATIONS = st.one_of(
    st.tuples(st.just("drop"), st.integers(0, 9), st.just("")),
    st.tuples(st.just("repeat"), st.integers(0, 9), st.just("")),
    st.tuples(st.just("swap"), st.integers(0, 9), st.just("")),
    st.tuples(st.just("set"), st.integers(0, 9), TEXTS),
    st.tuples(st.just("add"), st.sampled_from(TAGS), TEXTS),
    st.tuples(
        st.just("add"),
        st.sampled_from([1, 37, 41, 48, 22, 54, 55, 167, 207, 311, 336, 447, 448, 452, 453, 460, 461]),
        TEXTS,
    ),
)


def mutated(
    fields: tuple[tuple[int, object], ...], mutations: list[tuple[str, int, object]]
) -> tuple[tuple[int, object], ...]:
    found = list(fields)
    for kind, where, value in mutations:
        at = where % len(found) if found else 0
        if kind == "add":
            found.append((where, value))
        elif not found:
            continue
        elif kind == "drop":
            del found[at]
        elif kind == "repeat":
            found.append(found[at])
        elif kind == "swap":
            found.append(found.pop(at))
        else:
            found[at] = (found[at][0], value)
    return tuple(found)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(msg_type=st.sampled_from(TYPES), mutations=st.lists(MUTATIONS, min_size=1, max_size=4))
def test_mutated_messages(gateway: Gateway, msg_type: str, mutations: list[tuple[str, int, object]]) -> None:
    """Any mutation of a good request gets exactly one first answer; after r and 8 come the ends, no more."""
    client = gateway.ready("TRADER37")
    client.send(msg_type, *mutated(good(msg_type), mutations))
    first, *rest = client.drain()
    assert first.type in f"3j{OWN_ANSWERS[msg_type]}"
    if first.type == "r" and first[531] != "0":
        assert len(rest) == int(first[533])
        assert all(end.get(150) == "4" and end[11] == first[11] for end in rest)
    elif first.type == "8" and msg_type == "AF":
        assert len(rest) == max(0, int(first[911]) - 1)
    else:
        assert rest == []
    stranger = gateway.ready("TRADER39")
    assert stranger.drain() == [], "nobody else's order was touched"


# What a venue may say


@pytest.fixture(scope="module")
def venue_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that may be killed by what its venue says, without taking the other tests with it."""
    with Gateway(tmp_path_factory.mktemp("venue") / "data") as running:
        yield running


@pytest.mark.parametrize(
    "said",
    [
        FillOrder(0, Decimal("NaN")),
        FillOrder(0, Decimal("Infinity")),
        FillOrder(0, Decimal(0)),
        FillOrder(0, Decimal(-1)),
        FillOrder(0, Decimal(11)),
        FillOrder(0, Decimal("1e30")),
        FillOrder(0, Decimal("1e-20")),
        FillOrder(0, Decimal(1), Decimal("NaN")),
        FillOrder(0, Decimal(1), Decimal("1e30")),
        FillOrder(0, Decimal(1), Decimal("1e-20")),
        FillOrder(0, Decimal(1), Decimal(-1)),
        FillOrder(0, Decimal(1), Decimal(0)),
        OrderAnswer(0, "no cancel is pending"),
        TriggerOrder(0),
    ],
    ids=repr,
)
def test_a_venue_cannot_say_what_cannot_be(venue_gateway: Gateway, said: Said) -> None:
    """A venue's word that cannot be true of the order is refused, and nobody is told anything."""
    trader = venue_gateway.ready("TRADER37")
    resting = trader.rest()
    assert venue_gateway.say(_about(said, int(resting.order_id))).errorcode in (100, 101)
    assert venue_gateway.say(_about(said, 999_999)).errorcode in (100, 104)
    trader.quiet()
    trader.send("H", (11, resting.cl_ord_id), (54, 1))
    trader.expect("8|150=I|39=0|151=10|14=0")


def _about(said: Said, order_id: int) -> Said:
    match said:
        case FillOrder():
            return FillOrder(order_id, said.last_qty, said.last_px)
        case OrderAnswer():
            return OrderAnswer(order_id, said.refused)
        case _:
            return TriggerOrder(order_id)


def test_a_venues_reason_is_told_in_printable_words(gateway: Gateway, trader: Client) -> None:
    """Text(58) holds printable ASCII of a bounded length, so that no SOH can inject a field."""
    resting = trader.rest()
    gateway.say(RefuseCancel(int(resting.order_id), "no\x0139=4\x01" + "é" + "x" * 10_000))
    trader.send("F", *cancel(fresh(), resting.cl_ord_id))
    refused = trader.expect("9|39=0|102=99|58=Operation Failed (errorcode 101): no?39=4??xxx*")
    assert refused.all(39) == ["0"]
    assert len(refused[58]) <= 256
