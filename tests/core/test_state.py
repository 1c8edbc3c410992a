"""The state of one OMS: how each event changes it, and how far a mass cancel is."""

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.directory import Oms
from fixgw.core.errors import failed, not_authorized
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    DayEnded,
    Event,
    MassCancelAccepted,
    MassCancelRequested,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
    RequestRefused,
)
from fixgw.core.order import NOBODY, IllegalTransitionError, Order, OrdStatus
from fixgw.core.requests import RequestKind
from fixgw.core.selector import CancelSelector
from fixgw.core.state import MassCancelProgress, OmsState, day_start_before, evolve
from tests.core.build import (
    AT,
    DAY_START,
    PRIVATE,
    SHARED,
    TRADER,
    cancel,
    directory,
    in_status,
    mass_cancel,
    order,
    ref,
    state,
    stop_order,
    two_omses,
    user,
)

S = OrdStatus
BY_Q = ref(cl_ord_id="q1", mass_cancel_id=100)
NO = failed("the venue says no")
DAY = timedelta(days=1)


def test_an_entered_order_is_in_the_book() -> None:
    """OrderEntered: the order stands as it says."""
    held = state()
    assert evolve(held, OrderEntered(order(1))) == (None, order(1))
    assert held.book[1] == order(1)


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        (order(1), CancelRequested(1, ref(), AT), S.PENDING_CANCEL),
        (order(1), OrderCanceled(1, AT), S.CANCELED),
        (in_status(S.PENDING_CANCEL), OrderCanceled(1, AT), S.CANCELED),
        (in_status(S.PENDING_CANCEL), CancelRefused(1, NO, AT), S.NEW),
        (stop_order(1), OrderTriggered(1, AT), S.NEW),
        (order(1), OrderFilled(1, Decimal(1), Decimal(100), AT), S.PARTIALLY_FILLED),
        (order(1), OrderFilled(1, Decimal(10), Decimal(100), AT), S.FILLED),
        (order(1), OrderExpired(1, AT), S.EXPIRED),
    ],
)
def test_each_event_of_an_order_moves_it(before: Order, event: Event, after: OrdStatus) -> None:
    """Each fact about an order leads to the state that the table of transitions has for it."""
    held = state(before)
    was, now = evolve(held, event)
    assert was == before
    assert now is not None
    assert (now.status, now.changed_at) == (after, AT)
    assert held.book[1] == now


@pytest.mark.parametrize(
    "event",
    [OrderCanceled(1, AT), OrderExpired(1, AT), CancelRequested(1, ref(), AT), CancelRefused(1, NO, AT)],
)
def test_an_event_that_the_table_does_not_allow_raises(event: Event) -> None:
    """An impossible fact is a bug of ours: it raises, and the order stays as it was."""
    held = state(in_status(S.FILLED))
    with pytest.raises(IllegalTransitionError):
        evolve(held, event)
    assert held.book[1] == in_status(S.FILLED)


def test_a_refused_request_changes_nothing() -> None:
    """A refusal is a fact for the journal; the state stays as it is."""
    held = state(order(1))
    refused = RequestRefused(cancel(), not_authorized("no"), AT, 1)
    assert evolve(held, refused) == (None, None)
    assert list(held.book) == [order(1)]


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        (DAY_START + timedelta(days=1), DAY_START + timedelta(days=1)),
        (DAY_START - timedelta(days=1), DAY_START),
    ],
)
def test_a_day_s_end_is_never_taken_back(boundary: datetime, expected: datetime) -> None:
    """The boundary is passed once and never back, whatever the clock does."""
    held = state()
    assert evolve(held, DayEnded(1, boundary)) == (None, None)
    assert held.day_start == expected


def test_one_s_own_accounts_are_those_on_the_oms() -> None:
    """An account is on one OMS: on another it is not one of his own, nor his default there."""
    data = two_omses()
    here, there = state(reference_data=data), state(reference_data=data, oms_id=2)
    assert here.users[TRADER] == replace(data.users[TRADER], account_ids=frozenset({SHARED, PRIVATE}))
    assert there.users[TRADER] == replace(
        data.users[TRADER], account_ids=frozenset({20}), default_account_id=None
    )
    assert here.users.keys() == data.users.keys() | {NOBODY}
    assert here.users[NOBODY].is_operator


def test_an_account_that_is_not_configured_is_nobody_s() -> None:
    """A user's account that no OMS has is not one of his own."""
    data = directory(users=[replace(user(TRADER), account_ids=frozenset({PRIVATE, 99}))])
    assert state(reference_data=data).users[TRADER].account_ids == frozenset({PRIVATE})


# mass cancels


def taken_on(*orders: Order, pending: tuple[int, ...] = ()) -> OmsState:
    """A state in which q1 has taken on all `orders`; those in `pending` were pending already."""
    held = state(*orders)
    selector = CancelSelector(1, user_id=TRADER)
    evolve(held, MassCancelRequested(100, mass_cancel(), selector, AT))
    ids = tuple(one.order_id for one in orders if one.order_id not in pending)
    evolve(held, MassCancelAccepted(100, BY_Q, ids, pending, AT))
    return held


def progress(held: OmsState) -> tuple[int, int, list[tuple[int, str | None]]]:
    known = held.mass_cancels[100]
    return known.left, known.canceled, known.not_affected


def test_a_requested_mass_cancel_has_no_set_yet() -> None:
    """MassCancelRequested comes before the set is known."""
    held = state(order(1))
    evolve(held, MassCancelRequested(100, mass_cancel(), CancelSelector(1), AT))
    assert held.mass_cancels == {100: MassCancelProgress(100, mass_cancel(), CancelSelector(1))}
    assert held.book[1] == order(1)


def test_the_set_becomes_pending_cancel() -> None:
    """MassCancelAccepted: its orders are Pending Cancel, those already pending are not affected by it."""
    first = ref(cl_ord_id="c0")
    held = taken_on(order(1), order(2), in_status(S.PENDING_CANCEL, 3, pending_cancel=first), pending=(3,))
    assert [held.book[number].pending_cancel for number in (1, 2, 3)] == [BY_Q, BY_Q, first]
    assert progress(held) == (2, 0, [(3, "o3")])


def test_two_mass_cancels_have_a_count_of_their_own() -> None:
    """The lists of two mass cancels are not one list."""
    held = taken_on(in_status(S.PENDING_CANCEL, 1), pending=(1,))
    evolve(held, MassCancelRequested(101, mass_cancel(), CancelSelector(1), AT))
    assert held.mass_cancels[101].not_affected == []


@pytest.mark.parametrize(
    ("end", "canceled", "not_affected"),
    [
        (OrderCanceled(1, AT), 1, []),
        (CancelRefused(1, NO, AT), 0, [(1, "o1")]),
        (OrderFilled(1, Decimal(10), Decimal(100), AT), 0, [(1, "o1")]),
        (OrderExpired(1, AT), 0, [(1, "o1")]),
    ],
)
def test_each_end_is_counted_once(
    end: Event, canceled: int, not_affected: list[tuple[int, str | None]]
) -> None:
    """Each order of the set ends on its own: canceled, or could not be canceled."""
    held = taken_on(order(1), order(2))
    evolve(held, end)
    assert progress(held) == (1, canceled, not_affected)
    evolve(held, OrderCanceled(2, AT))
    assert progress(held) == (0, canceled + 1, not_affected)


@pytest.mark.parametrize(
    ("held_order", "event"),
    [(order(1), OrderFilled(1, Decimal(1), Decimal(100), AT)), (stop_order(1), OrderTriggered(1, AT))],
)
def test_what_is_no_end_is_not_counted(held_order: Order, event: Event) -> None:
    """Fills in part and triggers while the cancel is pending are not counted."""
    held = taken_on(held_order)
    evolve(held, event)
    assert progress(held) == (1, 0, [])


def test_an_order_that_ends_again_after_a_refused_cancel_is_not_counted_twice() -> None:
    """After its refused cancel an order is no longer the mass cancel's."""
    held = taken_on(order(1), order(2))
    evolve(held, CancelRefused(1, NO, AT))
    evolve(held, OrderCanceled(1, AT))
    assert progress(held) == (1, 0, [(1, "o1")])


def test_the_end_of_a_single_cancel_counts_for_no_mass_cancel() -> None:
    """An order that was already pending belongs to the cancel that came first."""
    single = in_status(S.PENDING_CANCEL, 1)
    held = taken_on(single, pending=(1,))
    evolve(held, OrderCanceled(1, AT))
    assert progress(held) == (0, 0, [(1, "o1")])


# what the journal remembers


def test_recall_brings_back_what_is_not_known() -> None:
    """What memory knows is newer than what the journal gives back; what it has forgotten comes back."""
    held = state(in_status(S.PENDING_CANCEL, 1))
    use = Use(TRADER, RequestKind.ORDER_CANCEL_REQUEST, 7, AT)
    held.recall([order(1), in_status(S.FILLED, 2)], [("c1", use)])
    assert held.book[1].status is S.PENDING_CANCEL
    assert held.book[2].status is S.FILLED
    assert held.book.uses("c1") == [use]
    held.recall([])
    assert len(list(held.book)) == 2


def test_restore_goes_on_counting() -> None:
    """A mass cancel that was under way at the stop goes on from where it was."""
    held = state(in_status(S.PENDING_CANCEL, 1, pending_cancel=BY_Q))
    given = [(7, "o7")]
    held.restore(100, mass_cancel(), 1, 3, given, selector=CancelSelector(1))
    evolve(held, CancelRefused(1, NO, AT))
    assert progress(held) == (0, 3, [(7, "o7"), (1, "o1")])
    assert given == [(7, "o7")]


@pytest.mark.parametrize(
    ("at", "day_end", "start"),
    [
        (datetime(2024, 3, 5, 12, tzinfo=UTC), time(0), datetime(2024, 3, 5, tzinfo=UTC)),
        (datetime(2024, 3, 5, tzinfo=UTC), time(0), datetime(2024, 3, 5, tzinfo=UTC)),
        (datetime(2024, 3, 5, 12, tzinfo=UTC), time(17), datetime(2024, 3, 4, 17, tzinfo=UTC)),
        (datetime(2024, 3, 1, 16, 59, tzinfo=UTC), time(17), datetime(2024, 2, 29, 17, tzinfo=UTC)),
        (datetime(2024, 3, 5, 17, tzinfo=UTC), time(17), datetime(2024, 3, 5, 17, tzinfo=UTC)),
        (
            datetime(2024, 3, 5, 1, tzinfo=timezone(timedelta(hours=2))),
            time(0),
            datetime(2024, 3, 4, tzinfo=UTC),
        ),
    ],
)
def test_the_last_end_of_day(at: datetime, day_end: time, start: datetime) -> None:
    """day_end is a time of day in UTC, whatever zone the moment is given in."""
    assert day_start_before(at, Oms(1, "SANDBOX", day_end=day_end)) == start
