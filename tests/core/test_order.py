"""The order and its one table of transitions: every pair of states, every change in every state."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.order import (
    SIDES,
    TRANSITIONS,
    IllegalTransitionError,
    Order,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
    is_quantity,
)
from tests.core.build import AT, CLOSED, OPEN, in_status, order, ref, stop_order

S = OrdStatus

LEGAL = {
    (S.PENDING_NEW, S.NEW),
    (S.PENDING_NEW, S.PENDING_TRIGGER),
    (S.PENDING_NEW, S.PENDING_CANCEL),
    (S.PENDING_NEW, S.REJECTED),
    (S.NEW, S.PARTIALLY_FILLED),
    (S.NEW, S.FILLED),
    (S.NEW, S.PENDING_CANCEL),
    (S.NEW, S.CANCELED),
    (S.NEW, S.EXPIRED),
    (S.PENDING_TRIGGER, S.NEW),
    (S.PENDING_TRIGGER, S.PENDING_CANCEL),
    (S.PENDING_TRIGGER, S.CANCELED),
    (S.PENDING_TRIGGER, S.EXPIRED),
    (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED),
    (S.PARTIALLY_FILLED, S.FILLED),
    (S.PARTIALLY_FILLED, S.PENDING_CANCEL),
    (S.PARTIALLY_FILLED, S.CANCELED),
    (S.PARTIALLY_FILLED, S.EXPIRED),
    (S.PENDING_CANCEL, S.PENDING_CANCEL),
    (S.PENDING_CANCEL, S.NEW),
    (S.PENDING_CANCEL, S.PENDING_TRIGGER),
    (S.PENDING_CANCEL, S.PARTIALLY_FILLED),
    (S.PENDING_CANCEL, S.FILLED),
    (S.PENDING_CANCEL, S.CANCELED),
    (S.PENDING_CANCEL, S.PENDING_NEW),  # refused before the venue had confirmed the order
    (S.PENDING_CANCEL, S.REJECTED),  # the venue did not take the order
    (S.PENDING_CANCEL, S.EXPIRED),
}
PAIRS = [(before, after) for before in OrdStatus for after in OrdStatus]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda status: status.name)
def test_every_pair_of_the_table(before: OrdStatus, after: OrdStatus) -> None:
    """An order goes where OrdStatus(39) may go (FIX 4.4, volume 4, appendix D), and only there."""
    assert (after in TRANSITIONS[before]) is ((before, after) in LEGAL)


def test_the_table_speaks_of_every_state() -> None:
    """The one table has a row for every OrdStatus(39) that an order can have."""
    assert set(TRANSITIONS) == set(OrdStatus)


@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.name)
def test_terminal_means_no_way_out(status: OrdStatus) -> None:
    """Filled, Canceled, Rejected and Expired are the terminal states (FIX 4.4, volume 4, appendix D)."""
    terminal = status in (S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED)
    assert in_status(status).is_open is not terminal
    assert (not TRANSITIONS[status]) is terminal


Change = Callable[[Order], Order]

ENDED_BY = {S.NEW, S.PENDING_TRIGGER, S.PARTIALLY_FILLED, S.PENDING_CANCEL}

CHANGES: dict[str, tuple[Change, dict[OrdStatus, OrdStatus]]] = {
    "pending cancel": (
        lambda held: held.to_pending_cancel(ref(), AT),
        dict.fromkeys({S.PENDING_NEW, S.NEW, S.PENDING_TRIGGER, S.PARTIALLY_FILLED}, S.PENDING_CANCEL),
    ),
    "canceled": (lambda held: held.to_canceled(AT), dict.fromkeys(ENDED_BY, S.CANCELED)),
    "cancel refused": (lambda held: held.to_cancel_refused(AT), {S.PENDING_CANCEL: S.NEW}),
    "triggered": (lambda held: held.to_triggered(AT), {S.PENDING_TRIGGER: S.NEW}),
    "filled in part": (
        lambda held: held.to_filled(Decimal(1), Decimal(100), AT),
        {
            S.NEW: S.PARTIALLY_FILLED,
            S.PARTIALLY_FILLED: S.PARTIALLY_FILLED,
            S.PENDING_CANCEL: S.PENDING_CANCEL,
        },
    ),
    "filled": (
        lambda held: held.to_filled(held.leaves_qty or Decimal(1), Decimal(100), AT),
        dict.fromkeys({S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL}, S.FILLED),
    ),
    "expired": (lambda held: held.to_expired(AT), dict.fromkeys(ENDED_BY, S.EXPIRED)),
}


@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.name)
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_in_every_state(name: str, status: OrdStatus) -> None:
    """A change leads where it says, and where it makes no sense it is a bug of ours and raises."""
    change, legal = CHANGES[name]
    if status in legal:
        changed = change(in_status(status))
        assert (changed.status, changed.changed_at) == (legal[status], AT)
    else:
        with pytest.raises(IllegalTransitionError, match="order 1: "):
            change(in_status(status))


def test_a_pending_cancel_remembers_who_asked_and_every_way_out_forgets_it() -> None:
    """A cancel is pending for one request, until the order is canceled, filled, expired, or rests again."""
    pending = order().to_pending_cancel(ref(cl_ord_id="c9"), AT)
    assert pending.pending_cancel == ref(cl_ord_id="c9")
    for ended in (
        pending.to_canceled(AT),
        pending.to_expired(AT),
        pending.to_cancel_refused(AT),
        pending.to_filled(Decimal(10), Decimal(100), AT),
    ):
        assert ended.pending_cancel is None


def test_a_second_cancel_of_a_pending_one_raises() -> None:
    """An order has at most one pending cancel: the second request is refused before it comes to this."""
    with pytest.raises(IllegalTransitionError, match="a cancel is pending already"):
        in_status(S.PENDING_CANCEL).to_pending_cancel(ref(cl_ord_id="c2"), AT)


RESTING = [
    (order(), S.NEW),
    (in_status(S.PARTIALLY_FILLED), S.PARTIALLY_FILLED),
    (stop_order(), S.PENDING_TRIGGER),
    (stop_order().to_triggered(AT), S.NEW),
]


@pytest.mark.parametrize(("resting", "status"), RESTING, ids=["new", "partly filled", "waiting", "triggered"])
def test_a_refused_cancel_leaves_the_order_resting_as_before(resting: Order, status: OrdStatus) -> None:
    """9 carries the order's real OrdStatus(39): after a refused cancel, the one it rests in."""
    pending = resting.to_pending_cancel(ref(), AT)
    assert pending.resting_status is resting.resting_status is status
    assert pending.to_cancel_refused(AT).status is status


def test_a_partial_fill_while_a_cancel_is_pending_shows_after_its_refusal() -> None:
    """Fills while a cancel is pending keep 39=6; refused then, the order is Partially Filled."""
    pending = order().to_pending_cancel(ref(), AT).to_filled(Decimal(3), Decimal(100), AT)
    assert (pending.status, pending.pending_cancel, pending.leaves_qty) == (
        S.PENDING_CANCEL,
        ref(),
        Decimal(7),
    )
    assert pending.to_cancel_refused(AT).status is S.PARTIALLY_FILLED


def test_the_fill_that_completes_an_order_ends_its_pending_cancel() -> None:
    """The fill that completes an order whose cancel is pending makes it 39=2."""
    filled = order().to_pending_cancel(ref(), AT).to_filled(Decimal(10), Decimal(100), AT)
    assert (filled.status, filled.pending_cancel, filled.leaves_qty) == (S.FILLED, None, Decimal(0))


def test_a_stop_order_is_triggered_once() -> None:
    """A stop rests as pending on its trigger, becomes live by it, and has no second trigger."""
    triggered = stop_order().to_triggered(AT)
    assert (triggered.status, triggered.triggered, triggered.waits_for_trigger) == (S.NEW, True, False)
    with pytest.raises(IllegalTransitionError, match="waits for no trigger"):
        triggered.to_triggered(AT)


def test_a_trigger_while_a_cancel_is_pending_leaves_it_pending() -> None:
    """A trigger does not answer a pending cancel; refused then, the order is live."""
    pending = stop_order().to_pending_cancel(ref(), AT).to_triggered(AT)
    assert (pending.status, pending.pending_cancel) == (S.PENDING_CANCEL, ref())
    assert pending.to_cancel_refused(AT).status is S.NEW


@pytest.mark.parametrize("held", [stop_order(), stop_order().to_pending_cancel(ref(), AT)])
def test_nothing_fills_before_its_trigger(held: Order) -> None:
    """A stop that waits for its trigger is not in the market, a cancel pending on it or not."""
    with pytest.raises(IllegalTransitionError, match="cannot fill"):
        held.to_filled(Decimal(1), Decimal(90), AT)
    assert held.to_triggered(AT).to_filled(Decimal(1), Decimal(90), AT).cum_qty == 1


@pytest.mark.parametrize("last_qty", ["0", "-1", "10.1", "11"])
def test_a_fill_is_positive_and_within_what_is_left(last_qty: str) -> None:
    """LastQty(32) lies above 0 and at or below LeavesQty(151)."""
    with pytest.raises(IllegalTransitionError, match=f"cannot fill {last_qty} of 10"):
        order().to_filled(Decimal(last_qty), Decimal(100), AT)


@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.name)
def test_leaves_is_what_is_open_and_zero_in_a_terminal_state(status: OrdStatus) -> None:
    """LeavesQty(151) is OrderQty less CumQty, and 0 once nothing can happen (FIX 4.4, volume 4)."""
    held = in_status(status)
    assert held.leaves_qty == (held.order_qty - held.cum_qty if status in OPEN else 0)


def test_a_canceled_order_keeps_what_was_filled() -> None:
    """After 39=4 LeavesQty is 0 while CumQty(14) and AvgPx(6) stay."""
    canceled = in_status(S.PARTIALLY_FILLED).to_canceled(AT)
    left = (canceled.leaves_qty, canceled.cum_qty, canceled.avg_px)
    assert left == (Decimal(0), Decimal(4), Decimal(100))


def test_avg_px_of_nothing_is_zero() -> None:
    """AvgPx(6) is 0 when nothing was filled."""
    assert order().avg_px == 0


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 1000)), min_size=1, max_size=8))
def test_fills_add_up(fills: list[tuple[int, int]]) -> None:
    """CumQty(14) is the sum of the fills, AvgPx(6) their average weighed by quantity."""
    total = sum(quantity for quantity, _ in fills)
    held = order(order_qty=Decimal(total) + 1)
    for quantity, price in fills:
        held = held.to_filled(Decimal(quantity), Decimal(price), AT)
    value = sum(quantity * price for quantity, price in fills)
    assert (held.cum_qty, held.leaves_qty) == (Decimal(total), Decimal(1))
    assert held.status is S.PARTIALLY_FILLED
    assert held.avg_px == Decimal(value) / Decimal(total)
    assert held.to_filled(Decimal(1), Decimal(1), AT).status is S.FILLED


def test_an_order_is_never_changed_in_place() -> None:
    """Every change returns a new order: the journal and the reports keep the one they were given."""
    held = order()
    held.to_pending_cancel(ref(), AT).to_filled(Decimal(1), Decimal(1), AT)
    assert held == order()


@pytest.mark.parametrize(
    ("ord_type", "price", "trigger"),
    [
        (OrdType.MARKET, False, False),
        (OrdType.LIMIT, True, False),
        (OrdType.STOP, False, True),
        (OrdType.STOP_LIMIT, True, True),
    ],
)
def test_what_belongs_to_an_order_type(ord_type: OrdType, *, price: bool, trigger: bool) -> None:
    """OrdType(40) says whether Price(44) and StopPx(99) belong to an order."""
    assert (ord_type.has_price, ord_type.has_trigger) == (price, trigger)


@pytest.mark.parametrize("number", ["0.000000000001", "1", "999999999999999.999999999999", "1E+14"])
def test_what_can_be_a_quantity(number: str) -> None:
    """A quantity or price is positive and has at most 15 digits before and 12 after the point."""
    assert is_quantity(Decimal(number))


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "-1", "1E+15", "1e30", "0.0000000000001", "1e-13", "NaN", "sNaN", "Infinity", "-Infinity"],
)
def test_what_cannot_be_a_quantity(number: str) -> None:
    """Anything else would not stay exact in sums and differences, or is no number at all."""
    assert not is_quantity(Decimal(number))


def test_the_enumerations_are_fix_values() -> None:
    """The values are those of FIX 4.4, and hash as the strings they are, so that either finds a key."""
    assert [side.value for side in Side] == ["1", "2", "5"]
    assert [kind.value for kind in OrdType] == ["1", "2", "3", "4"]
    assert [span.value for span in TimeInForce] == ["0", "1"]
    assert {S.NEW.value, S.FILLED.value, S.CANCELED.value, S.PENDING_CANCEL.value} == {"0", "2", "4", "6"}
    assert SIDES["2"] is Side.SELL
    assert {Side.SELL: "sell"}["2"] == "sell"  # type: ignore[index]
    assert len(OPEN) + len(CLOSED) == len(OrdStatus) == 9
