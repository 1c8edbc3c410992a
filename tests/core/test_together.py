"""The ends of a mass cancel that come together: one event, and everything as if there were one for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.book import OrderBook
from fixgw.core.errors import failed
from fixgw.core.events import CancelRefused, OrderCanceled, OrdersCanceled, single
from fixgw.core.order import IllegalTransitionError, OrdStatus
from fixgw.core.requests import OrderAnswer
from fixgw.core.selector import CancelSelector
from fixgw.core.state import evolve
from fixgw.core.venue import decide_answers
from tests.core.build import (
    AT,
    COLLEAGUE,
    OPERATOR,
    SESSIONS,
    SHARED,
    TRADER,
    Bench,
    directory,
    in_status,
    mass_cancel,
    order,
    ref,
    state,
)

NO = "the venue says no"


@given(
    st.lists(st.tuples(st.sampled_from((TRADER, COLLEAGUE)), st.booleans(), st.booleans()), max_size=6),
    st.sampled_from((TRADER, OPERATOR)),
    st.booleans(),
    st.booleans(),
)
def test_together_they_end_as_they_would_one_by_one(
    held: list[tuple[int, bool, bool]], asker: int, over_fix: bool, extended: bool
) -> None:
    """The same reports in the same order, the same book and progress, whoever asks and owns them."""

    def made(*, one_by_one: bool) -> Bench:
        settings = {name: {"extended": extended} for name in SESSIONS.values()}
        orders = [
            order(number, user_id=owner, session=SESSIONS[owner] if has_session else None)
            for number, (owner, has_session, _) in enumerate(held, 1)
        ]
        bench = Bench(state(*orders, reference_data=directory(sessions=settings)), one_by_one=one_by_one)
        bench.refusing = {number for number, (_, _, is_refused) in enumerate(held, 1) if is_refused}
        request = mass_cancel(asker, account_id=SHARED)
        bench.ask(request if over_fix else mass_cancel(asker, account_id=SHARED, session=None))
        return bench

    together, apart = made(one_by_one=False), made(one_by_one=True)
    assert together.take_told() == apart.take_told()
    assert (together.ended, together.canceled) == (apart.ended, apart.canceled)
    assert contents(together.state.book) == contents(apart.state.book)
    assert together.state.mass_cancels == apart.state.mass_cancels


def contents(book: OrderBook) -> tuple[object, ...]:
    """Everything that a book knows of its orders."""
    return (
        list(book),
        book.open_ids(),
        book.pending_cancels,
        list(book._forgettable),
        book._closed,
        [book.select(selector) for selector in (CancelSelector(1, account_id=SHARED), CancelSelector(1))],
    )


def test_a_refusal_in_between_keeps_its_place() -> None:
    """Reports go out in the order in which the orders were entered."""
    held = state(*(in_status(OrdStatus.PENDING_CANCEL, number) for number in range(1, 6)))
    answers = [OrderAnswer(number, NO if number == 3 else None) for number in range(1, 6)]
    assert list(decide_answers(held, answers, 100, AT)) == [
        OrdersCanceled(100, (1, 2), AT),
        CancelRefused(3, failed(NO), AT),
        OrdersCanceled(100, (4, 5), AT),
    ]
    assert list(decide_answers(held, answers[:1], None, AT)) == [OrderCanceled(1, AT)]
    assert list(decide_answers(held, (), 100, AT)) == []


def test_an_answer_that_cannot_be_true_is_our_bug() -> None:
    """Only what was asked is answered."""
    with pytest.raises(AssertionError):
        list(decide_answers(state(order(1)), [OrderAnswer(1, NO)], 100, AT))


def test_what_has_ended_cannot_end_again() -> None:
    """The table of transitions holds for many as for one, and nothing has changed."""
    pending = in_status(OrdStatus.PENDING_CANCEL, 1, pending_cancel=ref(mass_cancel_id=100))
    held = state(pending, in_status(OrdStatus.CANCELED, 2))
    held.restore(100, mass_cancel(), 2, 0, (), selector=CancelSelector(1))
    with pytest.raises(IllegalTransitionError):
        evolve(held, OrdersCanceled(100, (1, 2), AT))
    assert held.book[1] == pending
    assert held.mass_cancels[100].left == 2


def test_a_book_counts_what_it_takes_out() -> None:
    """An order cannot leave an index that it is not in."""
    book = OrderBook(10)
    book.put(in_status(OrdStatus.PENDING_CANCEL, 1))
    with pytest.raises(AssertionError):
        book.put_closed([in_status(OrdStatus.CANCELED, number) for number in (1, 2)])
    with pytest.raises(AssertionError):
        book.put_pending([in_status(OrdStatus.PENDING_CANCEL, 7)])


def test_taken_apart_there_is_an_event_for_each() -> None:
    """As the audit trail shows them."""
    other = CancelRefused(3, failed(NO), AT)
    events = list(single([OrdersCanceled(100, (1, 2), AT), other]))
    assert events == [OrderCanceled(1, AT), OrderCanceled(2, AT), other]
