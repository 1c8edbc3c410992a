"""What is expected against what came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.certify.matching import Pattern, match
from tests.certify.build import message

CAME = message("35=8|37=1007|11=a1|38=100.0|58=too late to cancel|41=m1|535=4|41=m2|535=5|39=2")


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        (37, "1007"),
        (38, "100"),
        (38, "1e2"),
        (58, "/late/"),
        (58, "/^too.*cancel$/"),
        (58, "*"),
        (1, "!"),
        (37, "(id)"),
        (37, "(id:[0-9]+)"),
        (41, "m2"),
        (535, "5"),
    ],
)
def test_what_fits(tag: int, wanted: str) -> None:
    """A value, a number written otherwise, a regex, presence, absence, a capture, any field of the tag."""
    assert match(CAME, [Pattern(tag, wanted)]).differences == ()


@pytest.mark.parametrize(
    ("tag", "wanted", "difference"),
    [
        (37, "1008", "OrderID(37) is 1007, not 1008"),
        (37, "1007.0", "OrderID(37) is 1007, not 1007.0"),
        (38, "101", "OrderQty(38) is 100.0, not 101"),
        (58, "/late$/", "Text(58) is too late to cancel, not /late$/"),
        (1, "*", "Account(1) is absent, not there"),
        (1, "14", "Account(1) is absent, not 14"),
        (39, "!", "OrdStatus(39) is 2 and must be absent"),
        (37, "(id:[a-z]+)", "OrderID(37) is 1007, not /[a-z]+/"),
        (1, "(id)", "Account(1) is absent, not there"),
        (41, "m3", "OrigClOrdID(41) is m1 and m2, not m3"),
        (37, "", 'OrderID(37) is 1007, not ""'),
    ],
)
def test_what_does_not_fit_is_said_with_the_name_of_the_field(tag: int, wanted: str, difference: str) -> None:
    """Each difference says what came and what was expected."""
    assert match(CAME, [Pattern(tag, wanted)]).differences == (difference,)


def test_every_difference_is_said() -> None:
    """Not only the first one."""
    assert len(match(CAME, [Pattern(37, "1"), Pattern(11, "a1"), Pattern(39, "4")]).differences) == 2


def test_captures() -> None:
    """What a capture stands for is learned under its name."""
    found = match(CAME, [Pattern(37, "(id)"), Pattern(11, "(order:a.)")])
    assert found.captured == {"id": "1007", "order": "a1"}


def test_a_tag_that_is_named_twice_wants_two_fields() -> None:
    """In any order; a value chooses before what fits several, and no field is taken twice."""
    assert match(CAME, [Pattern(41, "(other)"), Pattern(41, "m1")]).captured == {"other": "m2"}
    assert match(CAME, [Pattern(41, "m2"), Pattern(41, "m1")]).differences == ()
    assert match(CAME, [Pattern(41, "m1"), Pattern(41, "m1")]).differences
    assert match(CAME, [Pattern(41, "*"), Pattern(41, "*"), Pattern(41, "*")]).differences


_pairs = st.lists(
    st.tuples(st.integers(1, 999), st.text("abc019", min_size=1, max_size=4)), min_size=1, max_size=12
)


@given(_pairs.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_a_message_fits_what_it_says(both: tuple[list[tuple[int, str]], list[tuple[int, str]]]) -> None:
    """All its fields, in whatever order they are expected."""
    pairs, shuffled = both
    came = message("|".join(f"{tag}={value}" for tag, value in pairs))
    expected = [Pattern(tag, value) for tag, value in shuffled]
    assert match(came, expected).differences == ()
