"""A line of the wire log: one line, no secret, and otherwise the message exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fixgw.cli import app
from fixgw.edge.wireline import SECRETS_MAX, WireLine, escape, is_plain, messages, read, redact, unescape

AT = "2026-11-21T07:31:46.987528Z"
SECRET_TAGS = (b"554", b"925", b"95", b"96", b"0554", b"00096")

values = st.binary(max_size=30).map(lambda value: value.replace(b"\x01", b""))
other_tags = st.sampled_from([b"11", b"55", b"58", b"1554", b"5540", b"955", b"196", b"9", b"5", b"6", b"x"])
secrets = values.map(lambda value: b"\xfe" + value + b"\xfe")  # so that it cannot be found by accident


def framed(body: bytes) -> bytes:
    """A whole message around `body`, whose fields each end with SOH."""
    return b"8=FIX.4.4\x019=%d\x01%b10=000\x01" % (len(body), body)


def joined(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b=%b\x01" % field for field in fields)


def line_of(message: bytes) -> str:
    return f"{AT} in  {escape(redact(message)).decode('ascii')}\n"


@given(st.binary())
def test_a_message_can_be_read_back_from_its_line_exactly(message: bytes) -> None:
    """Whatever it is made of, it stands in one line of printable ASCII, and `|` is SOH and nothing else."""
    line = escape(message)
    assert line.decode("ascii").isprintable()
    assert line.count(b"|") == message.count(b"\x01")
    assert unescape(line.decode("ascii")) == message


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(SECRET_TAGS), other_tags, values, secrets),
        max_size=SECRETS_MAX,
    )
)
def test_no_secret_is_in_the_line_and_everything_else_is(
    drawn: list[tuple[bool, bytes, bytes, bytes, bytes]],
) -> None:
    """A secret field keeps its tag; a field that only looks like one keeps its value."""
    fields, expected = [], []
    for is_secret, secret_tag, other_tag, value, secret in drawn:
        fields.append((secret_tag, secret) if is_secret else (other_tag, value))
        expected.append((secret_tag, b"***") if is_secret else (other_tag, value))
    message, hidden = framed(joined(fields)), framed(joined(expected))
    hidden = hidden.replace(
        hidden[10 : hidden.index(b"\x01", 10)], message[10 : message.index(b"\x01", 10)], 1
    )
    found = read(line_of(message))
    assert found == WireLine(AT, "in", hidden)
    assert is_plain(message) <= (
        redact(message) == message and escape(message) == message.replace(b"\x01", b"|")
    )


@given(raw=st.binary(min_size=1).filter(lambda raw: b"10=" not in raw), after=values)
def test_raw_data_is_hidden_up_to_the_length_that_it_has(raw: bytes, after: bytes) -> None:
    """SOH in it does not end it, nor do fields that stand in it."""
    message = framed(b"35=A\x0195=%d\x0196=%b\x0158=%b\x01" % (len(raw), raw, after))
    assert redact(message).endswith(b"\x0135=A\x0195=***\x0196=***\x0158=%b\x0110=000\x01" % after)


@pytest.mark.parametrize("length", [b"0", b"3", b"999999999", b"99999999999", b"-5", b"", b"x"])
def test_a_wrong_length_hides_no_more_and_no_less_than_the_field(length: bytes) -> None:
    """QuickFIX reads the value up to the next SOH; nobody can hide what he asks for behind a length."""
    message = framed(b"35=D\x0195=%b\x0196=hunter2\x0111=a1\x01" % length)
    assert redact(message).endswith(b"\x0135=D\x0195=***\x0196=***\x0111=a1\x0110=000\x01")


def test_a_message_full_of_secrets_is_hidden_from_there_on() -> None:
    """No engine takes one, and to look at each of ten thousand would take too long."""
    message = framed(b"35=D\x01" + b"554=a\x01" * 10_000 + b"96=hunter2\x01")
    assert redact(message).endswith(b"\x0135=D\x01" + b"554=***\x01" * (SECRETS_MAX + 1) + b"10=000\x01")


@given(
    st.sampled_from([b"554=", b"95=7\x0196=", b"96=", b"95="]), st.sampled_from([b"", b"hunter", b"1", b"99"])
)
def test_a_message_that_is_cut_off_in_a_secret_does_not_show_it(tag: bytes, value: bytes) -> None:
    """Whatever is no whole message cannot be told apart from one that is."""
    assert redact(b"8=FIX.4.4\x0135=A\x01" + tag + value) == b"8=FIX.4.4\x0135=A\x01" + (
        tag.replace(b"=7", b"=***") + b"***"
    )


@given(st.lists(st.binary().map(framed), min_size=1))
def test_messages_are_told_apart_by_their_length(several: list[bytes]) -> None:
    """A message may hold what looks like the beginning of another."""
    several = [framed(b"58=\x018=FIX.4.4\x019=5\x0110=000\x018=\x01"), *several]
    assert messages(b"".join(several)) == several


@given(st.binary(min_size=1))
def test_what_is_no_message_stays_in_one_piece(data: bytes) -> None:
    """Nothing gets lost, whatever it is."""
    assert b"".join(messages(data)) == data
    assert messages(b"8=FIX.4.4\x01no length\x018=" + data) == [b"8=FIX.4.4\x01no length\x018=" + data]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nothing of it",
        f"{AT} --  12 messages are missing here",
        f"{AT} in  8=FIX.4.4|58=\\xZZ|",
        f"{AT} in  8=FIX.4.4|58=\u20ac|",
        f"{AT} in  8=FIX.4.4|58=\\u20ac|",
    ],
)
def test_any_other_line_is_not_one_of_a_wire_log(line: str) -> None:
    """Nothing raises."""
    assert read(line) is None


def test_decode_shows_the_time_and_the_direction() -> None:
    """`fixgw decode` reads the file as it is, and shows values as they went over the wire."""
    lines = [
        line_of(framed("35=3\x0134=2\x0145=1\x0158=a|b\\c caf\u00e9\n\x01".encode())),
        f"{AT} --  12 messages are missing here\n",
        line_of(framed(b"35=A\x01553=me\x01554=hunter2\x01")).replace(" in ", " out"),
    ]
    shown = CliRunner().invoke(app, ["decode", "--short"], input="".join(lines)).stdout.splitlines()
    assert shown == [
        f'{AT} in  Reject(3) RefSeqNum=1 Text="a|b\\c caf\u00e9\\n"',
        f"{AT} --  12 messages are missing here",
        f"{AT} out Logon(A) Username=me Password=***",
    ]
    first = CliRunner().invoke(app, ["decode"], input=lines[0]).stdout.splitlines()[0]
    assert first == f"{AT} in  Reject(3)"
