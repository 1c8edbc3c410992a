"""The error codes: their order of precedence, their texts to the letter, and the refusal that carries one."""

import pytest

from fixgw.core.errors import (
    ErrorCode,
    Failure,
    Refusal,
    Subject,
    failed,
    invalid,
    not_authorized,
    not_found,
    not_supported,
    server_error,
)

DOCUMENTED = [
    (100, "Invalid Request"),
    (20, "Not Authorized"),
    (104, "Resource Not Found"),
    (106, "Operation Not Supported"),
    (101, "Operation Failed"),
    (102, "Server Error"),
]


def test_the_codes_stand_in_their_documented_order_of_precedence() -> None:
    """First hit wins, in the order 100, 20, 104, 106, 101, 102: the enum is written in it."""
    assert [code.value for code in ErrorCode] == [value for value, _ in DOCUMENTED]


@pytest.mark.parametrize(("value", "text"), DOCUMENTED)
def test_the_texts_are_the_documented_ones(value: int, text: str) -> None:
    """`errormsg` is the documented text of the code, which clients compare to the letter."""
    assert ErrorCode(value).message == text


MADE = [
    (invalid("x"), 100, None, None),
    (invalid("x", Subject.OMS), 100, Subject.OMS, None),
    (not_authorized("x"), 20, None, None),
    (not_found("x", Subject.CFI_CODE), 104, Subject.CFI_CODE, None),
    (not_supported("x"), 106, None, None),
    (failed("x"), 101, None, None),
    (failed("x", Failure.TOO_LATE), 101, None, Failure.TOO_LATE),
    (server_error("x"), 102, None, None),
]


@pytest.mark.parametrize(("made", "code", "subject", "failure"), MADE)
def test_each_maker_makes_its_code(
    made: Refusal, code: int, subject: Subject | None, failure: Failure | None
) -> None:
    """A refusal has a documented code, a detail, and what FIX's own reject reasons distinguish."""
    assert made == Refusal(ErrorCode(code), "x", subject, failure)


def test_the_text_of_a_refusal() -> None:
    """Text(58) is the documented text with `(errorcode N)`, then `: ` and the detail."""
    refusal = not_authorized("user 38 is not this user")
    assert refusal.text == "Not Authorized (errorcode 20): user 38 is not this user"
