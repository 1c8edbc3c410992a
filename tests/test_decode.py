"""FIX messages shown to people: found, split, named, aligned; no password ever, no exception ever."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.fix.decode import (
    ROUTINE_TAGS,
    SECRET_TAGS,
    Decoded,
    decode,
    find_message,
    one_line,
    printable,
    redact,
    split,
    table,
)
from fixgw.fix.dictionary import SOH, load

OURS = load()

ORDER = (
    "8=FIX.4.4|9=112|35=D|49=CLIENT|56=FIXGW|34=2|52=20240101-00:00:00|11=a1|55=BTC-USD|54=1|38=1.5|10=027|"
)
LOGON = "8=FIX.4.4|9=99|35=A|49=CLIENT|56=FIXGW|34=1|98=0|108=30|553=desk|554=hunter2|925=hunter3|10=001|"


def soh(text: str) -> str:
    return text.replace("|", SOH)


def shown(raw: str) -> Decoded:
    return decode(raw, OURS)


# redact


def test_passwords_and_raw_data_are_not_shown() -> None:
    raw = soh("8=FIX.4.4|35=A|95=7|96=hunter1|553=desk|554=hunter2|925=hunter3|10=001|")
    assert redact(raw) == soh("8=FIX.4.4|35=A|95=***|96=***|553=desk|554=***|925=***|10=001|")


@pytest.mark.parametrize("separator", [SOH, "|", "^A", "\\u0001", "\\\\u0001", "\\x01"])
def test_a_whole_log_line_is_redacted_whatever_stands_between_the_fields(separator: str) -> None:
    line = f'{{"event": "in", "raw": "{LOGON.replace("|", separator)}", "seconds": 1}}'
    hidden = line.replace("hunter2", "***").replace("hunter3", "***")
    assert redact(line) == hidden


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("554=hunter2", "554=***"),
        (soh("554=hunter2|"), soh("554=***|")),
        (soh("8=FIX.4.4|554=hun"), soh("8=FIX.4.4|554=***")),
        (soh("8=FIX.4.4|554=hunter|2|more|10=001|"), soh("8=FIX.4.4|554=***|10=001|")),
        (soh("8=FIX.4.4|0554=hunter2|10=001|"), soh("8=FIX.4.4|0554=***|10=001|")),
        (soh("8=FIX.4.4|58=bad: 554=hunter2|10=001|"), soh("8=FIX.4.4|58=bad: 554=***|10=001|")),
        (soh("8=FIX.4.4|554=a^A1=b\\u00012=c|10=001|"), soh("8=FIX.4.4|554=***|10=001|")),
        (soh("1554=a|9554=b|55=554|"), soh("1554=a|9554=b|55=554|")),
        ("nothing of FIX", "nothing of FIX"),
        ("", ""),
    ],
)
def test_a_broken_message_rather_hides_too_much(raw: str, expected: str) -> None:
    assert redact(raw) == expected


@given(
    tag=st.sampled_from(sorted(SECRET_TAGS)),
    secret=st.text(min_size=1).filter(lambda text: SOH not in text)
    | st.text(alphabet="58=4|^A\\u01x*\n", min_size=1),
)
def test_no_secret_gets_through_whatever_it_is_made_of(tag: int, secret: str) -> None:
    raw = soh("8=FIX.4.4|35=A|{}=?|108=30|10=001|").format(tag).replace("?", secret)
    assert redact(raw) == soh(f"8=FIX.4.4|35=A|{tag}=***|108=30|10=001|")
    assert [field.value for field in shown(raw).fields if field.tag == tag] == ["***"]


# split


@pytest.mark.parametrize("separator", [SOH, "|", "^A"])
def test_each_separator_is_understood(separator: str) -> None:
    assert split("8=FIX.4.4|11=a=b|10=001|".replace("|", separator)) == [
        (8, "FIX.4.4"),
        (11, "a=b"),
        (10, "001"),
    ]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (soh("8=FIX.4.4|58=a|b^A9=c|").replace(f"a{SOH}b", "a|b"), [(8, "FIX.4.4"), (58, "a|b^A9=c")]),
        ("8=FIX.4.4^A58=a|9=b^A", [(8, "FIX.4.4"), (58, "a|9=b")]),
        ("8=FIX.4.4|58=a^A9=b|", [(8, "FIX.4.4"), (58, "a^A9=b")]),
    ],
)
def test_only_the_separator_that_follows_the_beginning_separates(
    raw: str, fields: list[tuple[int, str]]
) -> None:
    assert split(raw) == fields


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ("", []),
        ("hello", [(0, "hello")]),
        (
            "35=D||x|=1|-1=2|0=3|55=|11=a",
            [(35, "D"), *((0, part) for part in ("x", "=1", "-1=2", "0=3")), (55, ""), (11, "a")],
        ),
        ("٣=x|1=y", [(0, "٣=x"), (1, "y")]),
        ("9" * 5000 + "=x", [(0, "9" * 5000 + "=x")]),
        ("35=D|\r\n", [(35, "D")]),
    ],
)
def test_a_part_that_is_no_field_is_kept_as_it_is(raw: str, fields: list[tuple[int, str]]) -> None:
    assert split(raw) == fields


# find_message


@pytest.mark.parametrize(
    "line",
    [
        ORDER,
        soh(ORDER) + "\n",
        f"2024-01-01 INFO FIX.4.4:FIXGW->CLIENT in {ORDER.replace('|', '^A')} (2 ms)",
        f"20240101-00:00:00.000000000 : {soh(ORDER)}",
        json.dumps({"event": "fix_in", "raw": soh(ORDER), "n": 1}),
        json.dumps({"log": json.dumps({"raw": soh(ORDER)}) + "\n"}),
        f"received {soh(ORDER)!r}",
        f"two: {soh(ORDER)} and {soh(LOGON)}",
        f"a number before 18=FIX.4.4|9=1| it: {ORDER}",
    ],
)
def test_a_message_is_found_in_any_log_line(line: str) -> None:
    assert find_message(line) == soh(ORDER)


@pytest.mark.parametrize(
    "line", ["", "\n", "GET /8=FIX HTTP/1.1", "8=FIX.4.4", "8=FIX.4.4|hello", "10=001|", '{"raw": null}']
)
def test_a_line_without_a_message_gives_none(line: str) -> None:
    assert find_message(line) is None


def test_the_text_of_a_json_string_is_unescaped() -> None:
    raw = soh('8=FIX.4.4|9=5|35=8|58=say "é" \\ 10=1|10=001|')
    assert find_message(json.dumps({"raw": raw})) == raw


def test_a_text_that_only_looks_like_a_json_string_stays_as_it_is() -> None:
    line = r"8=FIX.4.4\u00019=5\u000158=C:\desk\u000110=001\u0001"
    assert find_message(line) == soh(r"8=FIX.4.4|9=5|58=C:\desk|10=001|")


def test_a_message_that_was_cut_off_reaches_to_the_end() -> None:
    raw = soh("8=FIX.4.4|9=5|35=D|58=10=123 and so")
    assert find_message(raw + "\n") == raw
    assert find_message(json.dumps({"raw": raw, "n": 1})) == raw


def test_the_last_field_needs_no_separator_after_it() -> None:
    assert find_message("8=FIX.4.4|9=5|35=0|10=123 bytes") == soh("8=FIX.4.4|9=5|35=0|10=123")


# decode


def test_fields_get_their_names_and_values_get_theirs() -> None:
    decoded = shown(soh(ORDER))
    assert (decoded.msg_type, decoded.name, decoded.title) == ("D", "NewOrderSingle", "NewOrderSingle(D)")
    assert decoded.fields[9] == (54, "Side", "1", "BUY", 0)
    assert decoded.fields[7] == (11, "ClOrdID", "a1", None, 0)


def test_groups_count_the_depth() -> None:
    decoded = shown("8=FIX.4.4|35=D|627=1|628=hop|453=2|448=a|802=1|523=s|803=2|448=b|447=D|11=x|10=1|")
    assert [(field.tag, field.depth) for field in decoded.fields] == [
        (8, 0), (35, 0), (627, 0), (628, 1),
        (453, 0), (448, 1), (802, 1), (523, 2), (803, 2), (448, 1), (447, 1),
        (11, 0), (10, 0),
    ]  # fmt: skip


def test_an_unknown_tag_in_a_group_does_not_end_it() -> None:
    depths = [field.depth for field in shown("8=FIX.4.4|35=r|534=1|41=o|29999=x|garbage|535=1|533=1").fields]
    assert depths == [0, 0, 0, 1, 1, 1, 1, 0]


def test_what_is_unknown_or_broken_is_shown_as_it_is() -> None:
    decoded = shown("8=FIX.4.4|35=ZZ|29999=x|54=Z|oops")
    assert (decoded.msg_type, decoded.name, decoded.title) == ("ZZ", "", "35=ZZ")
    assert decoded.fields[2:] == (
        (29999, "29999", "x", None, 0),
        (54, "Side", "Z", None, 0),
        (0, "", "oops", None, 0),
    )
    assert shown("hello").title == "35=?"


# one_line


def test_one_line_shows_what_matters() -> None:
    assert one_line(shown(ORDER)) == "NewOrderSingle(D) ClOrdID=a1 Symbol=BTC-USD Side=BUY OrderQty=1.5"


def test_one_line_hides_routine_fields_only() -> None:
    assert {8, 9, 10, 34, 35, 49, 52, 56} == ROUTINE_TAGS
    assert (
        one_line(shown("8=FIX.4.4|35=0|34=5|43=Y|112=t|10=1|")) == "Heartbeat(0) PossDupFlag=YES TestReqID=t"
    )


def test_one_line_quotes_text_with_spaces() -> None:
    line = one_line(shown("8=FIX.4.4|35=9|37=NONE|39=8|102=1|58=Not Authorized (errorcode 20)|29999=x|oops"))
    assert line == (
        "OrderCancelReject(9) OrderID=NONE OrdStatus=REJECTED CxlRejReason=UNKNOWN_ORDER "
        'Text="Not Authorized (errorcode 20)" 29999=x oops'
    )


def test_one_line_is_one_line_and_writes_nothing_to_the_terminal() -> None:
    line = one_line(shown(soh("8=FIX.4.4|35=8|58=a\nb\x1b[31m\ud800é|")))
    assert line == r"ExecutionReport(8) Text=a\nb\x1b[31m\ud800é"
    assert line.encode()


# table


def test_table_is_aligned_and_groups_are_indented() -> None:
    decoded = shown("8=FIX.4.4|35=D|11=a1|453=1|448=7|802=1|523=s|54=1|29999=x|oops|10=027|")
    assert table(decoded).split("\n") == [
        "NewOrderSingle(D)",
        "    8  BeginString      FIX.4.4",
        "   35  MsgType          D        NEW_ORDER_SINGLE",
        "   11  ClOrdID          a1",
        "  453  NoPartyIDs       1",
        "  448    PartyID        7",
        "  802    NoPartySubIDs  1",
        "  523      PartySubID   s",
        "   54  Side             1        BUY",
        "29999  29999            x",
        "                        oops",
        "   10  CheckSum         027",
    ]


def test_one_long_value_does_not_push_the_names_away() -> None:
    lines = table(shown(f"8=FIX.4.4|35=8|58={'x' * 500}|54=1|")).split("\n")
    assert lines[-1] == "54  Side         1" + " " * 31 + "BUY"


def test_no_password_is_shown() -> None:
    for text in (one_line(shown(LOGON)), table(shown(soh(LOGON)))):
        assert "hunter" not in text
        assert "***" in text
        assert "desk" in text


# Nothing raises

PIECES = st.sampled_from(
    [
        *(SOH, "|", "^A", "\\u0001", "\\\\u0001", "\\x01", "\n", '"', "\\", "=", "\ud800", "é", "٣"),
        *(
            "8=FIX.4.4",
            "8=FIXT.1.1",
            "9=",
            "35=D",
            "35=r",
            "453=1",
            "448=",
            "534=",
            "554=x",
            "95=-5",
            "96=",
            "10=123",
        ),
    ]
)
GARBAGE = st.text() | st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


@given(GARBAGE)
def test_garbage_never_raises_and_comes_out_as_printable_text(raw: str) -> None:
    found = find_message(raw)
    assert found is None or found.startswith("8=FIX")
    for text in (raw, found or ""):
        decoded = shown(text)
        assert one_line(decoded).isprintable()
        assert len(table(decoded).split("\n")) == 1 + len(split(redact(text)))
        assert all(line.isprintable() for line in table(decoded).split("\n"))


@given(GARBAGE)
def test_redacting_twice_is_redacting_once(raw: str) -> None:
    assert redact(redact(raw)) == redact(raw)


@given(st.text())
def test_printable_leaves_printable_text_alone(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text) == text or not text.isprintable()


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=10**9 - 1),
            st.text(alphabet=st.characters(exclude_characters=SOH + "\r\n")),
        ),
        min_size=2,
    )
)
def test_split_gives_back_what_was_joined(fields: list[tuple[int, str]]) -> None:
    assert split("".join(f"{tag}={value}{SOH}" for tag, value in fields)) == fields
