"""What a person types, and what is put in that he left out."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.send.message import Gap, Ids, MessageError, Pairs, filled, gap, read, script

NOW = "20261121-12:00:00.000"
ORDER = {11: "a1", 37: "7", 54: "2", 55: "BTC-USD", 38: "10"}


def ids() -> Ids:
    return Ids(datetime(2026, 11, 21, 12, tzinfo=UTC))


def complete(text: str) -> dict[int, str]:
    """The message with everything that is put in."""
    msg_type, pairs = read(text)
    return dict(filled(msg_type, pairs, ids(), NOW, {"a1": ORDER, "7": ORDER}))


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("35=D|55=X|54=1|38=1|44=5", {40: "2", 60: NOW}),
        ("35=D|55=X|54=1|38=1|44=5|99=4", {40: "4"}),
        ("35=D|55=X|54=1|38=1|99=4", {40: "3"}),
        ("35=D|55=X|54=1|38=1|40=1|60=then", {40: "1", 60: "then"}),
        ("35=q|55=X", {530: "1", 60: NOW}),
        ("35=q|311=BTC", {530: "2"}),
        ("35=q|460=4", {530: "3"}),
        ("35=q|461=I", {530: "4"}),
        ("35=q|167=FUT", {530: "5"}),
        ("35=q|336=DAY", {530: "6"}),
        ("35=q|530=7", {530: "7"}),
        ("35=AF", {585: "7"}),
        ("35=AF|55=X", {585: "1"}),
        ("35=F|41=a1", {55: "BTC-USD", 54: "2", 38: "10", 60: NOW}),
        ("35=F|41=a1|38=3", {55: "BTC-USD", 54: "2", 38: "3"}),
        ("35=F|37=7", {41: "NONE", 55: "BTC-USD", 54: "2", 38: "10"}),
        ("35=H|11=a1", {55: "BTC-USD", 54: "2"}),
        ("35=H|37=7|48=25|22=8", {11: "NONE", 54: "2"}),
        ("35=H|37=8|48=25|54=1", {11: "NONE"}),
    ],
)
def test_what_is_left_out_is_put_in(text: str, added: dict[int, str]) -> None:
    """What the other fields, the clock or the order itself say; nothing that is there is changed."""
    found = complete(text)
    assert found.items() >= added.items()
    assert found.items() >= dict(read(text)[1]).items()
    assert (55 in found) == (55 in added or "|55=" in text)


@pytest.mark.parametrize("text", ["35=D|55=X", "35=F|41=a1", "35=q|530=7", "35=AF", "35=1"])
def test_a_request_without_an_id_gets_a_fresh_one(text: str) -> None:
    """Another one each time."""
    tag = {"AF": 584, "1": 112}.get(read(text)[0], 11)
    maker = ids()
    text = text.replace("55=X", "55=X|40=1")
    found = [dict(filled(*read(text), maker, NOW, {"a1": ORDER}))[tag] for _ in range(2)]
    assert len(set(found)) == 2
    assert all(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("35=q", "530=7 for all orders"),
        ("35=q|55=X|311=Y", "which scope is meant"),
        ("35=AF|55=X|311=Y", "which scope is meant"),
        ("35=D|55=X|54=1|38=1", "40=1 for a market order"),
        ("35=F|41=zz", "no open order zz is known here: say its Symbol(55) and Side(54) and OrderQty(38)"),
        ("35=H|11=zz|55=X", "say its Side(54)"),
    ],
)
def test_what_could_do_harm_is_not_guessed(text: str, says: str) -> None:
    """A scope, an order's type, an order: they must be said."""
    with pytest.raises(MessageError) as error:
        complete(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("55=X", "MsgType(35) is missing"),
        ("35=q|all", "'all' is no field"),
        ("35=A|98=0", "35)=A is the session's own"),
        ("35=4|36=1", "the session's own"),
        ("", "MsgType(35) is missing"),
    ],
)
def test_what_is_no_message_is_refused(text: str, says: str) -> None:
    """With what to do about it."""
    with pytest.raises(MessageError) as error:
        read(text)
    assert says in str(error.value)


def test_a_message_from_a_log_is_taken_without_its_session() -> None:
    """Header and trailer are made anew; PossResend(97) is the person's."""
    raw = "8=FIX.4.4\x019=5\x0135=F\x0149=ME\x0156=YOU\x0134=3\x0152=t\x0197=Y\x0111=c\x0110=000\x01"
    assert read(raw) == ("F", ((97, "Y"), (11, "c")))


def test_names_stand_for_ids_of_this_call() -> None:
    """{new x} makes one, {x} is the same; an unknown one is an error."""
    maker = ids()
    first = maker.put_in("35=D|11={new order}")
    assert maker.put_in("35=F|41={order}").partition("41=")[2] == first.partition("11=")[2]
    with pytest.raises(MessageError, match="is no name yet"):
        maker.put_in("35=F|41={other}")


def test_two_calls_make_other_ids() -> None:
    """As far as they do not begin in the same millisecond."""
    later = Ids(datetime(2026, 11, 21, 12, 0, 0, 1_000, tzinfo=UTC))
    assert ids().fresh() != later.fresh()


def test_a_script_has_comments_and_empty_lines() -> None:
    """They are passed over."""
    assert script(["# first", "", "  35=AF ", "35=q|530=7"]) == ["35=AF", "35=q|530=7"]


def test_a_gap_names_the_order() -> None:
    """By OrderID(37) if it is there; an F or H that is whole, or names no order, has none."""
    assert gap("F", ((41, "a"), (37, "9"))) == Gap("9", (55, 54, 38))
    assert gap("F", ((41, "NONE"),)) is None
    assert gap("H", ((11, "a"), (55, "X"), (54, "1"))) is None
    assert gap("D", ((11, "a"),)) is None


_VALUES = st.text(st.characters(codec="ascii", exclude_characters="\x01|^\\\r\n"), min_size=1, max_size=8)
_PAIRS = st.lists(st.tuples(st.sampled_from([1, 11, 41, 37, 55, 54, 38, 58, 530, 585, 97]), _VALUES)).map(
    tuple
)


@given(st.sampled_from(["D", "F", "q", "H", "AF", "1", "G", "U1"]), _PAIRS)
def test_nothing_that_was_typed_is_changed(msg_type: str, pairs: Pairs) -> None:
    """Fields are only added, each once, and none that is there already."""
    try:
        found = filled(msg_type, pairs, ids(), NOW, {})
    except MessageError:
        return
    added = found[: len(found) - len(pairs)]
    assert found[len(added) :] == pairs
    tags = [tag for tag, _ in added]
    assert len(set(tags)) == len(tags)
    assert not {tag for tag, _ in pairs} & set(tags)
