"""The book: selecting equals a filter and costs the smallest index; client order ids; forgetting."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixgw.core.book import SPARSE_BYTES, OrderBook, Use
from fixgw.core.errors import failed
from fixgw.core.order import Order, OrdStatus, Side
from fixgw.core.reports import CancelReject
from fixgw.core.requests import RequestKind
from fixgw.core.selector import CancelSelector
from tests.core.build import (
    AT,
    BTC_PERP,
    BTC_USD,
    CLOSED,
    COLLEAGUE,
    ETH_USD,
    FOREIGN,
    OPEN,
    PRIVATE,
    SHARED,
    STRANGER,
    TRADER,
    in_status,
    order,
)

LATER = AT + timedelta(days=1)
MINUTE = timedelta(minutes=1)

instruments = st.sampled_from([BTC_USD, ETH_USD, BTC_PERP])
accounts = st.sampled_from([SHARED, PRIVATE, FOREIGN])
users = st.sampled_from([TRADER, COLLEAGUE, STRANGER])
sides = st.sampled_from(list(Side))
labels = st.sampled_from([None, "grid", "twap"])

selectors = st.builds(
    CancelSelector,
    oms_id=st.sampled_from([1, 1, 1, 2]),
    account_id=st.none() | accounts | st.just(99),
    user_id=st.none() | users | st.just(999),
    instrument_ids=st.none() | st.frozensets(instruments | st.just(99)),
    side=st.none() | sides,
    strategy=labels,
)


@st.composite
def orders(draw: st.DrawFn) -> list[Order]:
    """Orders in every state, spread over users, accounts, instruments, sides and labels."""
    drawn = draw(
        st.lists(st.tuples(users, accounts, instruments, sides, labels, st.sampled_from(OPEN)), max_size=30)
    )
    return [
        in_status(
            status,
            number,
            user_id=user_id,
            account_id=account_id,
            instrument_id=instrument_id,
            side=side,
            strategy=strategy,
        )
        for number, (user_id, account_id, instrument_id, side, strategy, status) in enumerate(drawn, 1)
    ]


def book(*held: Order, closed_max: int = 1_000) -> OrderBook:
    made = OrderBook(closed_max)
    for one in held:
        made.put(one)
    return made


def close(held: Order, at: datetime = AT) -> Order:
    return order(
        held.order_id,
        user_id=held.user_id,
        account_id=held.account_id,
        instrument_id=held.instrument_id,
        cl_ord_id=held.cl_ord_id,
        status=OrdStatus.CANCELED,
        changed_at=at,
    )


def assert_selects_like_a_filter(held: OrderBook, selector: CancelSelector) -> None:
    expected = sorted(
        (one for one in held if one.is_open and selector.matches(one)), key=lambda o: o.order_id
    )
    assert held.select(selector) == expected


@given(orders(), selectors)
def test_select_is_a_filter_over_all_open_orders(held: list[Order], selector: CancelSelector) -> None:
    """Every dimension narrows and nothing else does: select equals a filter over the whole book."""
    made = book(*held)
    assert made.select(selector) == [one for one in held if selector.matches(one)]
    assert len(made) == len(held)


@given(orders(), st.sets(st.integers(1, 30)), selectors)
def test_the_index_stays_right_after_closes(
    held: list[Order], closing: set[int], selector: CancelSelector
) -> None:
    """A closed order leaves every index and stays known; the open ones stay selectable."""
    made = book(*held)
    for one in held:
        if one.order_id in closing:
            made.put(close(one))
    left = [one for one in held if one.order_id not in closing]
    assert made.select(selector) == [one for one in left if selector.matches(one)]
    assert made.open_ids() == [one.order_id for one in left]
    assert len(made) == len(left)
    assert {one.order_id for one in made} == {one.order_id for one in held}


@given(orders(), selectors)
def test_a_new_state_replaces_the_old_one(held: list[Order], selector: CancelSelector) -> None:
    """An order that changes without closing is selected as it stands now, once."""
    made = book(*held)
    for one in held:
        made.put(
            in_status(
                OrdStatus.PENDING_CANCEL,
                one.order_id,
                user_id=one.user_id,
                account_id=one.account_id,
                instrument_id=one.instrument_id,
                side=one.side,
                strategy=one.strategy,
            )
        )
    found = made.select(selector)
    assert [one.order_id for one in found] == [one.order_id for one in held if selector.matches(one)]
    assert all(one.status is OrdStatus.PENDING_CANCEL for one in found)


@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.name)
def test_only_open_orders_are_selected(status: OrdStatus) -> None:
    """Terminal means that nothing can happen to an order any more: it is not selected."""
    made = book(in_status(status))
    assert bool(made.select(CancelSelector(1))) is (status in OPEN)
    assert made.get(1) == made[1] == in_status(status)
    assert made.open_ids() == ([1] if status in OPEN else [])


def test_an_order_that_nobody_knows() -> None:
    """An order that is unknown, or was forgotten, is None."""
    assert book().get(7) is None


class Counting(CancelSelector, frozen=True, array_like=True):
    """A selector that counts the orders that it looks at."""

    looked_at: ClassVar[list[int]] = []

    def matches(self, order: Order) -> bool:
        Counting.looked_at.append(order.order_id)
        return super().matches(order)


def looks(made: OrderBook, selector: CancelSelector) -> int:
    """How many orders the book looks at for `selector`."""
    Counting.looked_at.clear()
    made.select(
        Counting(
            selector.oms_id,
            selector.account_id,
            selector.user_id,
            selector.instrument_ids,
            selector.side,
            selector.strategy,
        )
    )
    return len(Counting.looked_at)


@given(orders(), selectors)
def test_the_work_is_that_of_the_smallest_index(held: list[Order], selector: CancelSelector) -> None:
    """Selecting starts from the smallest index that the selector names, and looks at no order twice."""
    sizes = [len(held)]
    if selector.account_id is not None:
        sizes.append(sum(one.account_id == selector.account_id for one in held))
    if selector.user_id is not None:
        sizes.append(sum(one.user_id == selector.user_id for one in held))
    if selector.instrument_ids is not None:
        sizes.append(sum(one.instrument_id in selector.instrument_ids for one in held))
    assert looks(book(*held), selector) == min(sizes)


@pytest.mark.parametrize(
    ("selector", "most"),
    [
        (CancelSelector(1, account_id=PRIVATE), 10),
        (CancelSelector(1, user_id=STRANGER), 20),
        (CancelSelector(1, instrument_ids=frozenset({BTC_PERP})), 30),
        (CancelSelector(1, instrument_ids=frozenset({BTC_PERP, ETH_USD})), 70),
        (CancelSelector(1, account_id=PRIVATE, instrument_ids=frozenset({BTC_USD})), 10),
        (CancelSelector(1, account_id=SHARED, user_id=STRANGER, instrument_ids=frozenset({BTC_PERP})), 20),
        (CancelSelector(1, account_id=99), 0),
        (CancelSelector(1), 1_060),
    ],
)
def test_the_work_does_not_grow_with_the_book(selector: CancelSelector, most: int) -> None:
    """Selecting a few orders of a large book looks at the few: one million resting orders are normal."""
    made = book()
    counts = {
        (PRIVATE, COLLEAGUE, BTC_USD): 10,
        (SHARED, STRANGER, ETH_USD): 20,
        (SHARED, TRADER, BTC_PERP): 30,
        (SHARED, COLLEAGUE, ETH_USD): 20,
        (SHARED, TRADER, BTC_USD): 980,
    }
    number = 0
    for (account_id, user_id, instrument_id), count in counts.items():
        for _ in range(count):
            number += 1
            made.put(order(number, account_id=account_id, user_id=user_id, instrument_id=instrument_id))
    assert looks(made, selector) == most


# client order ids


def use(cl_ord_user: int = TRADER, **changes: Any) -> Use:
    values: dict[str, Any] = {
        "user_id": cl_ord_user,
        "kind": RequestKind.ORDER_CANCEL_REQUEST,
        "content": 7,
        "used_at": AT,
        "answer": None,
    }
    return Use(**values | changes)


def test_an_id_is_known_by_the_orders_that_have_it() -> None:
    """A client order id names the known orders, open or closed, whoever entered them; oldest first."""
    first, second = order(1, cl_ord_id="x"), order(2, cl_ord_id="x", user_id=COLLEAGUE)
    made = book(first, second, order(3))
    assert made.named("x") == [first, second]
    made.put(close(first))
    assert made.named("x") == [close(first), second]
    assert made.is_known("x")
    assert made.uses("x") == []


def test_an_id_that_nobody_used() -> None:
    """An id that was never used names nothing."""
    made = book(order())
    assert not made.is_known("x")
    assert (made.named("x"), made.uses("x")) == ([], [])


def test_an_order_without_a_client_order_id() -> None:
    """An order that was entered elsewhere has no ClOrdID(11) and is known by its OrderID(37) alone."""
    made = book(order(cl_ord_id=None))
    assert made[1].cl_ord_id is None
    made.put(order(cl_ord_id=None, status=OrdStatus.CANCELED, changed_at=AT))
    made.forget(LATER, 10)
    assert made.get(1) is None


def test_recalled_orders_are_named_oldest_first() -> None:
    """`named` is oldest first also when an older order is recalled from the journal after a newer one."""
    made = book(close(order(2, cl_ord_id="x")), close(order(1, cl_ord_id="x")))
    assert [one.order_id for one in made.named("x")] == [1, 2]


def test_a_request_that_is_no_order_uses_an_id() -> None:
    """F and q use up an id as D does; an id may be used by an order and by requests of others."""
    made = book(order(1, cl_ord_id="x"))
    made.use("x", use())
    made.use("x", use(COLLEAGUE))
    made.use("y", use(STRANGER))
    assert made.uses("x") == [use(), use(COLLEAGUE)]
    assert [one.order_id for one in made.named("x")] == [1]
    assert made.uses("y") == [use(STRANGER)]
    assert made.named("y") == []


def test_a_newer_answer_replaces_the_older_one() -> None:
    """The last answer to a request is the one that a repetition gets: one user and content, one use."""
    answered = use(answer=CancelReject("c1", "o1", None, failed("too late"), AT))
    made = book()
    made.use("x", use())
    made.use("x", answered)
    assert made.uses("x") == [answered]
    made.use("x", use(content=8))
    assert made.uses("x") == [answered, use(content=8)]


# forgetting


def test_closed_orders_are_forgotten_after_their_time() -> None:
    """Closed orders stay known for the configured time, then are forgotten from memory, ids and all."""
    made = book(order(1), order(2))
    made.put(close(order(1), AT))
    made.forget(AT, 10)
    assert made.get(1) is not None
    assert made.complete_since is None
    made.forget(AT + MINUTE, 10)
    assert (made.get(1), made.named("o1"), made.is_known("o1")) == (None, [], False)
    assert made.complete_since == AT
    assert made.open_ids() == [2]


@pytest.mark.parametrize("status", CLOSED, ids=lambda status: status.name)
def test_an_order_that_comes_in_closed_is_forgotten_too(status: OrdStatus) -> None:
    """What is loaded from the journal as closed ends as a closed order does, by its last change or entry."""
    made = book(in_status(status))
    made.forget(order().entered_at, 10)
    assert made.get(1) is not None
    made.forget(AT, 10)
    assert made.get(1) is None


def test_a_closed_order_that_comes_again_is_forgotten_once() -> None:
    """A closed order that is put again stays as it is, and forgetting it once is enough."""
    made = book(close(order(1)), close(order(1)), order(2))
    made.forget(LATER, 10)
    assert [one.order_id for one in made] == [2]


def test_open_orders_are_never_forgotten() -> None:
    """An open order stays known however old it is."""
    made = book(*(in_status(status, number) for number, status in enumerate(OPEN, 1)), closed_max=0)
    made.forget(LATER, 100)
    assert len(list(made)) == len(OPEN)


def test_above_the_bound_the_oldest_go_first() -> None:
    """Closed orders are bounded in number too: above it, the oldest are forgotten before their time."""
    made = book(*(order(number) for number in range(1, 6)), closed_max=3)
    for number in range(1, 6):
        made.put(close(order(number), AT + number * MINUTE))
    made.forget(AT, 100)
    assert sorted(one.order_id for one in made) == [3, 4, 5]
    assert made.complete_since == AT + 2 * MINUTE


def test_forgetting_is_bounded_per_call() -> None:
    """One turn forgets a bounded number, so that nobody waits for it."""
    made = book(*(close(order(number)) for number in range(1, 6)))
    made.forget(LATER, 2)
    assert sorted(one.order_id for one in made) == [3, 4, 5]
    made.forget(LATER, 100)
    assert list(made) == []


def test_used_ids_are_forgotten_after_their_time() -> None:
    """Used ids are forgotten as closed orders are, each use at its own time."""
    made = book()
    made.use("x", use(used_at=AT))
    made.use("x", use(COLLEAGUE, used_at=AT + 2 * MINUTE))
    made.forget(AT + MINUTE, 10)
    assert made.uses("x") == [use(COLLEAGUE, used_at=AT + 2 * MINUTE)]
    made.forget(LATER, 10)
    assert not made.is_known("x")


def test_forgetting_one_of_several_leaves_the_others() -> None:
    """An id is forgotten with the last that has it: an order's end leaves a use, and the other way round."""
    made = book(close(order(1, cl_ord_id="x"), AT), order(2, cl_ord_id="x", user_id=COLLEAGUE))
    made.use("x", use(STRANGER, used_at=AT + 2 * MINUTE))
    made.forget(AT + MINUTE, 10)
    assert [one.order_id for one in made.named("x")] == [2]
    assert made.uses("x") == [use(STRANGER, used_at=AT + 2 * MINUTE)]
    made.forget(LATER, 10)
    assert [one.order_id for one in made.named("x")] == [2]
    assert made.uses("x") == []


def test_an_id_used_again_on_a_later_day_is_forgotten_in_the_end() -> None:
    """Used ids are bounded: one that the same request uses again after the day's end goes like any other."""
    made = book()
    made.use("x", use(used_at=AT))
    made.use("x", use(used_at=AT + MINUTE))
    made.forget(LATER, 10)
    assert not made.is_known("x")


def test_what_is_recalled_does_not_move_the_memory_back() -> None:
    """The journal is asked about what memory no longer knows: recalling an older order hides no later gap.

    An order of today is forgotten; then one of yesterday is recalled and forgotten. Memory is complete
    only since today's, and ids used before it must still be looked up.
    """
    made = book(close(order(2), AT))
    made.forget(AT + MINUTE, 10)
    made.put(close(order(1), AT - timedelta(days=1)))
    made.forget(AT + MINUTE, 10)
    assert made.complete_since == AT


def test_an_incomplete_start_stays_incomplete() -> None:
    """After a start that could not load the whole day, forgetting older orders hides no gap of today."""
    made = book(close(order(1), AT - timedelta(days=1)))
    made.complete_since = AT
    made.forget(AT, 10)
    assert made.complete_since == AT


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enter", "close", "use", "forget"]), st.integers(1, 8), st.sampled_from("abc")
        ),
        max_size=40,
    )
)
def test_ids_and_orders_agree_after_any_history(steps: list[tuple[str, int, str]]) -> None:
    """Whatever is entered, closed, used and forgotten: an id names exactly the known orders that have it."""
    made = OrderBook(closed_max=4)
    at = AT
    for what, number, name in steps:
        at += MINUTE
        known = made.get(number)
        if what == "enter" and known is None:
            made.put(order(number, cl_ord_id=name))
        elif what == "close" and known is not None and known.is_open:
            made.put(close(known, at))
        elif what == "use":
            made.use(name, use(number, used_at=at))
        elif what == "forget":
            made.forget(at - 10 * MINUTE, number)
        for one in "abc":
            having = {held.order_id for held in made if held.cl_ord_id == one}
            assert {held.order_id for held in made.named(one)} == having
            assert made.is_known(one) is bool(having or made.uses(one))
    for selector in (
        CancelSelector(1, account_id=a, user_id=u) for a, u in product((None, SHARED), (None, TRADER))
    ):
        assert_selects_like_a_filter(made, selector)


def test_an_index_that_was_large_is_not_gone_through_as_if_it_still_were() -> None:
    """Python's sets do not shrink by themselves: a mass cancel would cost as much as in the largest book."""
    book = OrderBook(10)
    held = [order(number) for number in range(1, 20_001)]
    for one in held:
        book.put(one)
    for left in (1_000, 10, 0):
        for one in held[left : len(book)]:
            book.put(in_status(OrdStatus.CANCELED, one.order_id))
        assert len(book) == left
        assert index_bytes(book) <= 3 * SPARSE_BYTES * (left + 1)
        assert [one.order_id for one in book.select(CancelSelector(1))] == list(range(1, left + 1))


def index_bytes(book: OrderBook) -> int:
    """How much the indexes of open orders take, which is what it costs to go through them."""
    indexes = (book._by_account, book._by_user, book._by_instrument)
    return sum(ids.__sizeof__() for index in indexes for ids in index.values())
