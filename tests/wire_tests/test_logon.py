"""Logon (A): who gets in, who does not, and that a refusal says nothing and breaks nothing."""

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway, own_address
from tests.wire import PATIENCE, Client, Message, cancel, fresh, mass, order

REFUSED = "Logon refused"


@pytest.fixture(autouse=True)
def _nobody_stays(gateway: Gateway) -> Iterator[None]:
    """Every connection of a test ends with it."""
    yield
    for client in gateway._clients:
        client.close()


def attempt(
    gateway: Gateway,
    name: str,
    *,
    username: str | None = None,
    password: str | None = None,
    heartbeat: object = 30,
    reset: bool = False,
    seq_num: int = 1,
) -> tuple[str, str] | None:
    """The type and Text of the answer to a Logon that ends the connection; None when it ends without one."""
    client = Client(gateway.port, name, password=password)
    client.address = own_address()
    client.connect()
    flag = ((141, "Y"),) if reset else ()
    named = ((553, username or name), (554, client.password))
    client.send("A", (98, 0), (108, heartbeat), *named, *flag, seq_num=seq_num)
    answers = list(until_the_end(client))
    assert len(answers) <= 1, answers
    return (answers[0].type, answers[0].get(58) or "") if answers else None


def test_wrong_password_and_wrong_username_are_one_answer(gateway: Gateway) -> None:
    """One Text for every cause: an attacker learns nothing."""
    for reset in (False, True):
        assert attempt(gateway, "READER50", password="wrong", reset=reset) == ("5", REFUSED)
        assert attempt(gateway, "READER50", username="TRADER37", reset=reset) == ("5", REFUSED)
        assert attempt(gateway, "READER50", username="nobody", reset=reset) == ("5", REFUSED)
        other = attempt(gateway, "READER50", username="TRADER37", password="trader37-demo", reset=reset)
        assert other == ("5", REFUSED)
        assert attempt(gateway, "READER50", password="wrong", heartbeat=0, reset=reset) == ("5", REFUSED)
    assert gateway.client("READER50").drain() == [], "with the right ones one gets in"


def test_no_password_leaves_its_trace_in_the_log(gateway: Gateway) -> None:
    """Secrets never print: neither a right nor a wrong password is logged."""
    attempt(gateway, "TRADER39", password="my-little-secret")
    assert gateway.log_lines("wrong password")
    text = gateway.log.read_text()
    assert "my-little-secret" not in text
    assert "-demo" not in text


def test_an_unknown_comp_id_is_refused_like_a_wrong_password(gateway: Gateway) -> None:
    """Which sessions there are is told to nobody."""
    assert attempt(gateway, "NOBODY") == ("5", REFUSED)
    other = Client(gateway.port, "READER50", target="OTHER")
    other.connect()
    other.send("A", (98, 0), (108, 30), (553, "READER50"), (554, other.password))
    assert other.receive()[58] == REFUSED
    other.close()


@pytest.mark.parametrize("heartbeat", [5, 30, 60])
def test_heartbeats_within_bounds(gateway: Gateway, heartbeat: int) -> None:
    """HeartBtInt(108) of 5 to 60 seconds is taken."""
    client = gateway.client("READER50", logon=False)
    answer = client.logon(reset=True, heartbeat=heartbeat)
    assert (answer.type, answer[108]) == ("A", str(heartbeat))
    client.logout()


@pytest.mark.parametrize("heartbeat", [0, 1, 4, 61, 3600, -5])
def test_heartbeats_out_of_bounds(gateway: Gateway, heartbeat: int) -> None:
    """HeartBtInt(108) out of bounds is refused with a Text that says so: 0 would switch all timeouts off."""
    refused = attempt(gateway, "READER50", heartbeat=heartbeat, reset=True)
    assert refused is not None
    assert refused[0] == "5"
    assert "HeartBtInt(108) must be 5 to 60 seconds" in refused[1]


def test_a_reset_begins_both_numbers_anew(gateway: Gateway) -> None:
    """ResetSeqNumFlag(141)=Y is allowed: both sides begin at 1, and what rests is still there."""
    client = gateway.client("TRADER37")
    a = client.rest()
    client.logout()
    answer = client.logon(reset=True)
    assert (answer.type, answer[34], answer[141]) == ("A", "1", "Y")
    assert (client.sent, client.expected) == (2, 2)
    client.send("F", *cancel(fresh(), a.cl_ord_id))
    client.expect("8|150=4|34=2")
    client.logout()


def test_a_reset_within_a_session(gateway: Gateway) -> None:
    """A Logon with 141=Y while logged on begins the numbers anew; every request is answered."""
    client = gateway.client("TRADER37")
    for _ in range(5):
        client.rest()
    client.sent = client.expected = 1
    client.send("A", (98, 0), (108, 30), (553, "TRADER37"), (554, "trader37-demo"), (141, "Y"))
    assert client.receive()[141] == "Y"
    for _ in range(6):
        client.rest()
    client.send("q", *mass(fresh()))
    client.expect("r|533=11")
    for _ in range(11):
        client.expect("8|150=4")
    client.quiet()
    client.logout()


def test_requests_in_the_same_breath_as_a_reset(gateway: Gateway) -> None:
    """Every request gets exactly one first answer, also the one that came right before a reset."""
    client = gateway.client("TRADER37")
    for _ in range(5):
        client.rest()
    last = fresh("last")
    before = client.encode("D", order(last))
    client.sent = client.expected = 1
    logon = client.encode("A", ((98, 0), (108, 30), (553, "TRADER37"), (554, "trader37-demo"), (141, "Y")))
    client.send_bytes(before + logon)
    seen = [client._read(10) for _ in range(2)]
    client.expected = int(seen[-1][34]) + 1
    assert [message.type for message in seen] == ["A", "8"], (
        "the reset first, so the report is in the new epoch"
    )
    assert seen[1][11] == last
    a = client.rest()
    client.send("H", (11, a.cl_ord_id), (54, 1))
    client.expect(f"8|150=I|37={a.order_id}")
    client.send("q", *mass(fresh()))
    client.expect("r|533=7")
    for _ in range(7):
        client.expect("8|150=4")
    client.quiet()
    client.logout()


def test_a_second_connection_of_a_session_changes_nothing(gateway: Gateway) -> None:
    """A session has one connection: a second one is refused, whatever its password, and the first goes on."""
    client = gateway.client("TRADER37")
    for password, told in ((None, "this session is logged on already"), ("wrong", REFUSED)):
        for reset in (False, True):
            assert attempt(gateway, "TRADER37", password=password, reset=reset) == ("5", told)
    a = client.rest()
    client.send("F", *cancel(fresh(), a.cl_ord_id))
    client.expect("8|150=4")
    client.quiet()
    client.logout()


@pytest.mark.parametrize("reset", [False, True], ids=["numbers-as-they-are", "reset"])
def test_a_refused_logon_loses_no_report(gateway: Gateway, reset: bool) -> None:
    """Nothing may reset a session's store behind its back: its owner still gets what was stored for him."""
    client, operator = gateway.client("TRADER39"), gateway.client("OPERATOR1")
    a = client.rest()
    client.logout()
    operator.send("q", *mass(fresh(), "7", (1, 16)))
    operator.expect("r|533=1")
    operator.expect("8|150=4")
    operator.logout()
    assert attempt(gateway, "TRADER39", password="wrong", reset=reset, seq_num=client.sent) == (
        "5",
        REFUSED,
    )
    assert client.logon().type == "A"
    client.expect(f"8|150=4|11={a.cl_ord_id}|43=Y")
    client.logout()


@pytest.mark.parametrize(
    ("msg_type", "fields"),
    [
        ("A", ((98, 0), (108, 30), (95, -5), (96, "x"), (553, "TRADER39"), (554, "x"))),
        ("A", ((98, 0), (108, 30), (95, 2_000_000_000), (96, "x"), (553, "TRADER39"), (554, "x"))),
        ("4", ((36, 1),)),
        ("4", ((36, 1), (123, "Y"))),
        ("2", ((7, 1), (16, 0))),
        ("1", ((112, "hello"),)),
        ("5", ()),
        ("0", ()),
        ("D", order("before-logon")),
        ("3", ((45, 1),)),
    ],
    ids=["negative-length", "huge-length", "4", "4-gap-fill", "2", "1", "5", "0", "D", "3"],
)
def test_what_comes_in_place_of_a_logon_kills_nobody(
    gateway: Gateway, msg_type: str, fields: tuple[tuple[int, object], ...]
) -> None:
    """A first message that is no good Logon is no way in, and the gateway lives on."""
    for seq_num in (1, 999):
        client = Client(gateway.port, "TRADER39")
        client.connect()
        client.send(msg_type, *fields, seq_num=seq_num)
        assert all(answer.type == "5" for answer in until_the_end(client))
    client = gateway.client("TRADER39")
    client.quiet()
    client.send("AF", (584, "nothing"), (585, "7"))
    client.expect("8|911=0")


def test_what_follows_a_refused_logon_is_not_read(gateway: Gateway) -> None:
    """Nothing counts before a good Logon, also when it comes in the same breath as a bad one."""
    client = Client(gateway.port, "TRADER39", password="wrong")
    client.connect()
    bad = client.encode("A", ((98, 0), (108, 30), (553, "TRADER39"), (554, "wrong"), (141, "Y")))
    client.send_bytes(bad + client.encode("D", order(fresh())) + client.encode("q", mass(fresh())))
    assert [answer.type for answer in until_the_end(client)] == ["5"]
    good = gateway.client("TRADER39")
    good.send("AF", (584, "nothing"), (585, "7"))
    good.expect("8|911=0")
    good.quiet()


def until_the_end(client: Client) -> Iterator[Message]:
    """What comes until the gateway ends the connection."""
    try:
        while True:
            yield client._read(PATIENCE)
    except ConnectionError:
        return
    finally:
        client.close()
