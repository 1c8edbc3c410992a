"""The rules of the Logon (A): what is taken for one, who may log on, and what goes on to the engine."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import simplefix
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from fixgw.config_tables import SessionTable
from fixgw.edge.logon import LOGON_BYTES_MAX, Claim, Refused, forwarded, logout, outsider, problem, read
from fixgw.fix.settings import HEARTBEAT_RULE, REFUSED, SessionSettings
from fixgw.fix.settings import read as read_settings
from tests.gateway import ROOT, Gateway
from tests.wire import PATIENCE

SETTINGS = read_settings(ROOT / "config" / "quickfix.cfg")[0]
SECRET = "a-secret-of-the-gateway"
PASSWORD = b"my-little-secret"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

FIELDS: list[tuple[bytes, bytes]] = [
    (b"49", b"TRADER37"),
    (b"56", b"FIXGW"),
    (b"34", b"1"),
    (b"52", b"20261121-12:00:00.123"),
    (b"98", b"0"),
    (b"108", b"30"),
    (b"553", b"TRADER37"),
    (b"554", PASSWORD),
]


def framed(
    fields: list[tuple[bytes, bytes]], msg_type: bytes = b"A", begin_string: bytes = b"FIX.4.4"
) -> bytes:
    """A whole message, length and sum included."""
    body = b"".join(tag + b"=" + value + b"\x01" for tag, value in [(b"35", msg_type), *fields])
    message = b"8=%b\x019=%d\x01%b" % (begin_string, len(body), body)
    return message + b"10=%03d\x01" % (sum(message) % 256)


def logon(**changes: bytes | None) -> bytes:
    """A good Logon with fields changed (t34=b"2"), added, or left out (None)."""
    wanted = {name[1:].encode(): value for name, value in changes.items()}
    fields = [(tag, wanted.pop(tag, value)) for tag, value in FIELDS]
    return framed([(tag, value) for tag, value in [*fields, *wanted.items()] if value is not None])


def session(**keys: Any) -> SessionTable:
    """TRADER37's table, with these keys."""
    needed = {"comp_id": "TRADER37", "username": "T", "password_hash": SecretStr(""), "user": 37, "oms": 1}
    return SessionTable.model_validate({**needed, **keys})


def why(frame: bytes) -> str:
    """Why it is refused; the client is told nothing of it."""
    found = read(frame, SETTINGS)
    assert isinstance(found, Refused), found
    assert found.told == REFUSED
    return found.why


def claim(**changes: bytes | None) -> Claim:
    """What a good Logon claims."""
    found = read(logon(**changes), SETTINGS)
    assert isinstance(found, Claim), found
    return found


def test_a_logon_is_read() -> None:
    """What it claims, as it stands there."""
    assert claim() == Claim("TRADER37", "TRADER37", PASSWORD.decode(), 1, 30, False)
    assert claim(t141=b"Y", t34=b"0007").resets
    assert not claim(t141=b"N", t464=b"N").resets
    assert claim(t553=b"\xff\x00").username.encode("utf-8", "surrogateescape") == b"\xff\x00"


def test_the_password_of_a_claim_does_not_print() -> None:
    """Whoever logs a claim by accident logs no password."""
    assert PASSWORD.decode() not in f"{claim()} {claim()!r}"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"", "begin with 8, 9 and 35"),
        (b"\x01", "field number 1 is not tag=value"),
        (b"8=FIX.4.4", "does not end with SOH"),
        (logon()[:-1], "does not end with SOH"),
        (logon() + b"1=x\x01", "end with 10"),
        (logon().replace(b"8=FIX.4.4\x01", b""), "begin with 8, 9 and 35"),
        (framed(FIELDS, begin_string=b"FIX.4.2"), "BeginString(8) is 'FIX.4.2'"),
        (framed(FIELDS, msg_type=b"D"), "MsgType(35)='D' before Logon"),
        (framed([*FIELDS, (b"034", b"1")]), "field number 12 is not tag=value"),
        (framed([*FIELDS, (b"58", b"")]), "field number 12 is not tag=value"),
        (framed([*FIELDS, (b"554", b"x")]), "field 554 is there twice"),
        (framed([*FIELDS, (b"35", b"A")]), "field 35 is there twice"),
        (logon(t96=b"a\x01554=x"), "field 554 is there twice"),
        (logon(t49=b"NOBODY"), "SenderCompID(49)='NOBODY' is not configured"),
        (logon(t49=b"TRADER37\x00"), "SenderCompID(49)='TRADER37\\x00' is not configured"),
        (logon(t49=b"FIXGW-WATCH"), "SenderCompID(49)='FIXGW-WATCH' is not configured"),
        (logon(t56=b"OTHER"), "TargetCompID(56)='OTHER' is not ours"),
        (logon(t34=b"0"), "MsgSeqNum(34) is not positive"),
        (logon(t34=b"-1"), "the value of MsgSeqNum(34) is malformed"),
        (logon(t34=b"1" * 19), "the value of MsgSeqNum(34) is malformed"),
        (logon(t34="٣".encode()), "the value of MsgSeqNum(34) is malformed"),
        (logon(t52=b"yesterday"), "the value of SendingTime(52) is malformed"),
        (logon(t95=b"-5"), "the value of RawDataLength(95) is malformed"),
        (logon(t98=b"1"), "EncryptMethod(98) is not 0"),
        (logon(t108=b"thirty"), "the value of HeartBtInt(108) is malformed"),
        (logon(t141=b"y"), "the value of ResetSeqNumFlag(141) is malformed"),
        (logon(t52=b"20261121-12:00:00.1"), "the value of SendingTime(52) is malformed"),
        (logon(t9=b"x"), "field 9 is there twice"),
        (logon(t50=b"desk"), "SenderSubID(50) stands in a wrong part of the message"),
        (logon(t1=b"14"), "Account(1) is not a field of a Logon"),
        (logon(t5001=b"x"), "5001 is not a field of a Logon"),
        (logon(t93=b"1", t58=b"x"), "Text(58) is not a field of a Logon"),
        (logon(t93=b"1", t464=b"N"), "TestMessageIndicator(464) stands in a wrong part of the message"),
        (framed([(b"43", b"Y"), *FIELDS]), "PossDupFlag(43)=Y on a Logon"),
        (logon(t553=None), "Username(553) is missing"),
        (logon(t554=None), "Password(554) is missing"),
        (logon(t108=None), "HeartBtInt(108) is missing"),
        (logon(t58=b"x" * 100_000), "bytes are too many for a Logon"),
    ],
)
def test_what_is_no_logon_is_refused_and_the_log_says_why(frame: bytes, said: str) -> None:
    """One text for the client, the exact cause for the log."""
    assert said in why(frame)


def test_numbers_are_numbers_whatever_the_dictionary_says(tmp_path: Path) -> None:
    """A dictionary of one's own may call them what it likes."""
    text = SETTINGS.dictionary.read_text(encoding="utf-8")
    for field in ("name='MsgSeqNum' type='SEQNUM'", "name='HeartBtInt' type='INT'"):
        assert field in text
        text = text.replace(field, field.partition("type")[0] + "type='STRING'")
    (tmp_path / "own.xml").write_text(text, encoding="utf-8")
    settings = SessionSettings(
        tmp_path / "x", {**SETTINGS.defaults, "DataDictionary": "own.xml"}, SETTINGS.sessions
    )
    assert isinstance(read(logon(), settings), Claim)
    for frame in (logon(t34=b"one"), logon(t34=b"-1"), logon(t108=b"thirty")):
        assert isinstance(read(frame, settings), Refused)


def test_groups_of_a_logon_may_repeat_their_fields() -> None:
    """NoMsgTypes(384) is the one group of a Logon's body."""
    types = [(b"384", b"2"), (b"372", b"D"), (b"385", b"R"), (b"372", b"F"), (b"385", b"R")]
    assert isinstance(read(framed([*FIELDS, *types]), SETTINGS), Claim)


def test_sessions_that_take_more_log_on_with_more() -> None:
    """AllowUnknownMsgFields and ValidateFieldsOutOfOrder mean the same here as in QuickFIX."""
    for setting, frame in (
        ("AllowUnknownMsgFields=Y", logon(t58=b"hello")),
        ("AllowUnknownMsgFields=Y", logon(t4999=b"hello")),
        ("ValidateFieldsOutOfOrder=N", logon(t50=b"desk")),
    ):
        key, value = setting.split("=")
        taking = SessionSettings(SETTINGS.path, {**SETTINGS.defaults, key: value}, SETTINGS.sessions)
        assert isinstance(read(frame, taking), Claim)
        assert isinstance(read(frame, SETTINGS), Refused)
    assert isinstance(read(logon(t5000=b"hello"), taking), Refused)


@pytest.mark.parametrize(
    "frame",
    [
        logon(t141=b"Y"),
        logon(t141=b"Y", t34=b"0001", t108=b"030"),
        logon(t141=b"Y", t925=b"another"),
        logon(t141=b"Y", t95=b"99", t96=b"\xff\x00="),
        logon(t141=b"Y", t384=b"1", t372=b"D", t385=b"R"),
        logon(t141=b"Y", t52=b"20261121-12:00:00.123456789"),
        logon(t141=b"Y", t789=b"1", t383=b"5000", t464=b"N"),
        logon(t141=b"Y", t93=b"2", t89=b"ab"),
        framed([(b"43", b"N"), (b"97", b"N"), (b"50", b"desk"), *FIELDS, (b"141", b"Y")]),
    ],
)
def test_what_is_taken_for_a_logon_is_one_for_the_engine(gateway: Gateway, frame: bytes) -> None:
    """It answers each, because a Logon without an answer would keep its session occupied."""
    assert isinstance(read(frame, SETTINGS), Claim)
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as peer:
        peer.sendall(forwarded(frame, "trader37-demo"))
        assert b"\x0135=A\x01" in peer.recv(4096)
        peer.sendall(framed([field if field[0] != b"34" else (b"34", b"2") for field in FIELDS[:4]], b"5"))
        while peer.recv(4096):
            pass


def refusal(of: SessionTable, **changes: bytes | None) -> Refused | None:
    return problem(claim(**changes), of, address="192.0.2.7", certificate_names=None, now=NOON)


@pytest.mark.parametrize("heartbeat", [b"5", b"30", b"60", b"030"])
def test_a_heartbeat_within_bounds_is_right(heartbeat: bytes) -> None:
    """5 to 60 seconds."""
    assert refusal(session(), t108=heartbeat) is None


@pytest.mark.parametrize("heartbeat", [b"0", b"4", b"61", b"-5", b"999999999"])
def test_a_heartbeat_out_of_bounds_is_told(heartbeat: bytes) -> None:
    """The one who has the password may know why he does not get in."""
    assert refusal(session(), t108=heartbeat) == Refused(HEARTBEAT_RULE, HEARTBEAT_RULE)


@pytest.mark.parametrize(
    ("policy", "time", "is_right"),
    [
        ("allowed", "03:00", True),
        ("refused", "03:00", False),
        ("21:55-22:05", "21:54:59", False),
        ("21:55-22:05", "21:55", True),
        ("21:55-22:05", "22:04:59", True),
        ("21:55-22:05", "22:05", False),
        ("23:55-00:05", "23:55", True),
        ("23:55-00:05", "00:00", True),
        ("23:55-00:05", "00:05", False),
        ("23:55-00:05", "12:00", False),
    ],
)
def test_a_reset_needs_its_policy(policy: str, time: str, is_right: bool) -> None:
    """ResetSeqNumFlag(141)=Y: always, never, or within a UTC window that may pass midnight."""
    now = datetime.fromisoformat(f"2026-11-21T{time}+00:00")
    table = session(reset_seq_num_flag=policy)
    where: dict[str, Any] = {"address": "192.0.2.7", "certificate_names": None}
    found = problem(claim(t141=b"Y"), table, **where, now=now)
    assert (found is None) == is_right
    if found is not None:
        assert found.told.startswith("ResetSeqNumFlag(141)=Y is")
    assert problem(claim(), table, **where, now=now) is None


@pytest.mark.parametrize(
    ("address", "networks", "is_right"),
    [
        ("192.0.2.7", ["192.0.2.7"], True),
        ("192.0.2.8", ["192.0.2.7"], False),
        ("10.1.2.3", ["192.0.2.7", "10.0.0.0/8"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("fe80::1%eth0", ["fe80::/10"], True),
        ("", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_an_address_that_is_not_allowed_learns_nothing(
    address: str, networks: list[str], is_right: bool
) -> None:
    """The allow list is looked at before anything else, and never told."""
    table = session(allow_from=networks)
    assert table.allow_from == tuple(map(ip_network, networks))
    found = outsider(table, address=address, certificate_names=None)
    assert found == (None if is_right else Refused("the address is not in allow_from"))
    out_of_bounds = claim(t108=b"0")
    told = problem(out_of_bounds, table, address=address, certificate_names=None, now=NOON)
    assert told is not None
    assert told.told == (HEARTBEAT_RULE if is_right else REFUSED)


@pytest.mark.parametrize(
    ("keys", "names", "said"),
    [
        ({}, None, None),
        ({}, {"TRADER37"}, None),
        ({}, {"somebody", "TRADER37"}, None),
        ({}, {"TRADER38"}, "that of TRADER38"),
        ({}, set(), "that of nobody"),
        ({"client_certificate": "required"}, None, "there is no client certificate"),
        ({"client_certificate": "required"}, {"TRADER37"}, None),
        ({"certificate_name": "desk.example"}, {"TRADER37"}, "that of TRADER37"),
        ({"certificate_name": "desk.example"}, {"desk.example"}, None),
    ],
)
def test_a_certificate_must_have_the_name_of_the_session(
    keys: dict[str, str], names: set[str] | None, said: str | None
) -> None:
    """One that was presented must fit, whether it is required or not."""
    presented = None if names is None else frozenset(names)
    found = outsider(session(**keys), address="192.0.2.7", certificate_names=presented)
    assert (found is None) if said is None else (found is not None and said in found.why)
    assert found is None or found.told == REFUSED


# What goes on, and what goes back


def pairs(message: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a whole message, read by somebody else's parser."""
    parser = simplefix.FixParser()
    parser.append_buffer(message)
    parsed = parser.get_message()
    assert parsed is not None
    assert parser.get_message() is None
    return list(parsed.pairs)


def as_sent(message: bytes) -> bytes:
    """The same message with its length and sum made by somebody else."""
    made = simplefix.FixMessage()
    for tag, value in pairs(message):
        if int(tag) not in (9, 10):
            made.append_pair(int(tag), value)
    encoded: bytes = made.encode()
    return encoded


def test_the_engine_gets_the_secret_and_no_password() -> None:
    """Password(554) is the secret, NewPassword(925) is gone, all else is as it was."""
    before = logon(t925=b"another-secret", t141=b"Y")
    after = forwarded(before, SECRET)
    assert after == as_sent(after)
    expected = [
        (tag, SECRET.encode() if int(tag) == 554 else value)
        for tag, value in pairs(before)
        if int(tag) not in (9, 10, 925)
    ]
    assert [pair for pair in pairs(after) if int(pair[0]) not in (9, 10)] == expected


def test_a_refusal_is_a_logout_that_answers_the_logon() -> None:
    """CompIDs swapped, MsgSeqNum(34)=1, and the text."""
    said = dict(pairs(logout(logon(), "Logon refused\x01554=x")))
    assert {int(tag): value for tag, value in said.items()}.items() >= {
        35: b"5",
        34: b"1",
        49: b"FIXGW",
        56: b"TRADER37",
        58: b"Logon refused 554=x",
    }.items()
    assert logout(logon(), REFUSED) == as_sent(logout(logon(), REFUSED))


@pytest.mark.parametrize("name", [b"", b"A B", b"\xff", b"x" * 65])
def test_whoever_has_no_sane_name_is_not_answered(name: bytes) -> None:
    """Nothing of what a stranger sends is sent back, but a name that can be one."""
    assert logout(framed([(b"49", name), (b"56", b"FIXGW")]), REFUSED) == b""


TAGS = st.sampled_from([b"8", b"9", b"10", b"34", b"35", b"49", b"52", b"56", b"95", b"96", b"141", b"372"])
VALUES = st.one_of(st.binary(max_size=20), st.sampled_from([b"Y", b"N", b"A", b"0", b"1", b"-1", b"9" * 30]))
MUTATIONS: dict[str, Callable[..., bytes]] = {
    "cut": lambda frame, at, _: frame[:at],
    "drop": lambda frame, at, junk: frame[:at] + frame[at + len(junk) :],
    "put": lambda frame, at, junk: frame[:at] + junk + frame[at:],
    "over": lambda frame, at, junk: frame[:at] + junk + frame[at + len(junk) :],
}


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A Logon with fields added, left out or changed, and then with bytes damaged."""
    fields = list(FIELDS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(fields)))
        fields[at : at + draw(st.integers(0, 1))] = [(draw(TAGS), draw(VALUES))]
    frame = framed(fields)
    for _ in range(draw(st.integers(0, 2))):
        change = MUTATIONS[draw(st.sampled_from(sorted(MUTATIONS)))]
        frame = change(frame, draw(st.integers(0, len(frame))), draw(st.binary(max_size=10)))
    return frame


@given(st.one_of(st.binary(max_size=400), mutated()))
def test_no_bytes_are_too_odd(frame: bytes) -> None:
    """Nothing raises; what is taken is plain; what goes on has no password and is a good message."""
    found = read(frame, SETTINGS)
    answer = logout(frame, REFUSED)
    assert answer == b"" or answer == as_sent(answer)
    sent = forwarded(frame, SECRET)
    body = sent.split(b"\x01", 2)[2][: -len(b"10=000\x01")]
    assert sent.startswith(b"8=FIX.4.4\x019=%d\x01" % len(body))
    assert sent.endswith(b"10=%03d\x01" % (sum(sent[: -len(b"10=000\x01")]) % 256))
    if isinstance(found, Refused):
        assert found.told == REFUSED
        assert found.why.isprintable()
        return
    assert len(frame) <= LOGON_BYTES_MAX
    tags = [tag for tag, _ in pairs(frame) if int(tag) not in (372, 385, 628, 629, 630)]
    assert len(tags) == len(set(tags))
    assert found.session in SETTINGS.sessions
    assert found.msg_seq_num > 0
    assert PASSWORD not in sent
    assert sent == as_sent(sent)
    problem(found, session(), address="192.0.2.7", certificate_names=None, now=NOON)
