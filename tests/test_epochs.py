"""What of an epoch is undelivered: blocks of (MsgSeqNum, position, count)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.engine.epochs import assign, with_block, without
from fixgw.journal.contract import Assigned, SessionNumbers

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)

BLOCKS = ((3, 0, 4), (9, 4, 2))  # the MsgSeqNums 3 to 6, 9 and 10, at the positions 0 to 5


@pytest.mark.parametrize(
    ("begin", "end", "left"),
    [
        (1, 100, []),
        (1, 2, [(3, 0, 4), (9, 4, 2)]),
        (11, 100, [(3, 0, 4), (9, 4, 2)]),
        (7, 8, [(3, 0, 4), (9, 4, 2)]),
        (3, 6, [(9, 4, 2)]),
        (1, 4, [(5, 2, 2), (9, 4, 2)]),
        (4, 5, [(3, 0, 1), (6, 3, 1), (9, 4, 2)]),
        (6, 9, [(3, 0, 3), (10, 5, 1)]),
        (5, 4, [(3, 0, 4), (9, 4, 2)]),
    ],
)
def test_what_was_sent_again_is_delivered(begin: int, end: int, left: list[tuple[int, int, int]]) -> None:
    """Exactly the MsgSeqNums that the client asked for are taken out, with their positions."""
    assert without(BLOCKS, begin, end) == left


def numbers_of(blocks: object) -> dict[int, int]:
    """The position of each MsgSeqNum."""
    assert isinstance(blocks, list | tuple)
    return {first + n: position + n for first, position, count in blocks for n in range(count)}


@given(begin=st.integers(1, 14), end=st.integers(1, 14))
def test_taking_out_is_exact(begin: int, end: int) -> None:
    """For every range, as a set."""
    kept = {number: at for number, at in numbers_of(BLOCKS).items() if not begin <= number <= end}
    assert numbers_of(without(BLOCKS, begin, end)) == kept


def test_blocks_that_follow_on_are_joined() -> None:
    """A client that is away for long has one block, not one for each turn."""
    blocks = with_block((), Assigned("T", 1, 5, 0, 2, NOW))
    blocks = with_block(blocks, Assigned("T", 1, 7, 2, 3, NOW))
    assert blocks == ((5, 0, 5),)
    assert with_block(blocks, Assigned("T", 1, 11, 5, 1, NOW)) == ((5, 0, 5), (11, 5, 1))
    assert with_block(blocks, Assigned("T", 1, 6, 1, 1, NOW)) == blocks


def test_what_an_earlier_epoch_left_goes_first() -> None:
    """Blocks of earlier epochs, in part if need be, then the outbox; each with its place."""
    numbers = SessionNumbers("T", 2, queued=9, sent=8, again=((3, 2), (6, 1)))
    block, numbers = assign(numbers, 1, 1, NOW, is_away=False)
    assert block == Assigned("T", 2, 1, 3, 1, NOW, again=True)
    assert numbers.again == ((4, 1), (6, 1))
    block, numbers = assign(numbers, 2, 1, NOW, is_away=True)
    assert block == Assigned("T", 2, 2, 4, 1, NOW, again=True)
    assert (numbers.again, numbers.undelivered) == (((6, 1),), ((2, 4, 1),))
    _, numbers = assign(numbers, 3, 1, NOW, is_away=False)
    block, numbers = assign(numbers, 4, 1, NOW, is_away=False)
    assert block == Assigned("T", 2, 4, 8, 1, NOW)
    assert (numbers.again, numbers.sent) == ((), 9)
