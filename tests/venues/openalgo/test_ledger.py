"""What is told between two order books, with orders that are ours, were entered there, or are not ours."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fixgw.core.order import Order, OrdStatus, OrdType
from fixgw.core.requests import VenueStatus
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.openalgo.ledger import Ledger
from fixgw.edge.venues.openalgo.orders import Names
from fixgw.edge.venues.openalgo.replies import STATUSES, Row
from tests.venues.openalgo.test_adapter import new, place_for

NAMES = Names(place_for("http://127.0.0.1:9"))


def row(order_id: str, status: str = "open", **fields: Any) -> Row:
    """A row of an order book, of a limit order in an instrument that is ours."""
    said: dict[str, Any] = {
        "exchange": "SANDBOX",
        "symbol": "BTC-USD",
        "action": "BUY",
        "pricetype": "LIMIT",
        "quantity": Decimal(10),
        "price": Decimal(100),
    }
    return Row(order_id, status=status, **{**said, **fields})


def known(venue_order_id: str) -> Order:
    """An order of ours that is on the venue."""
    return new(venue_order_id=venue_order_id, status=OrdStatus.NEW, on_venue=True)


def test_an_order_is_told_when_it_is_new_and_when_it_changes() -> None:
    """Ours under its id; one that was entered there with what it is; one that was over before not at all."""
    ledger = Ledger(NAMES)
    ours = known("a")
    ledger.know(ours)
    book = [row("a"), row("b", strategy="S1"), row("c", "complete")]
    told = ledger.take(book, 0)
    assert [(said.venue_order_id, said.order_id) for said in told] == [("a", ours.order_id), ("b", 0)]
    assert told[1].details is not None
    assert ledger.take(book, 0) == []
    [said] = ledger.take([row("a", filled=Decimal(4)), *book[1:]], 0)
    assert said.cum_qty == 4
    [said] = ledger.take([row("a", filled=Decimal(4)), row("b", "cancelled")], 0)
    assert (said.venue_order_id, said.status) == ("b", VenueStatus.CANCELED)


def test_an_order_that_is_said_to_be_known_again_is_told_again() -> None:
    """What was told before may have been lost."""
    ledger = Ledger(NAMES)
    ours = known("a")
    ledger.know(ours)
    assert len(ledger.take([row("a")], 0)) == 1
    assert ledger.take([row("a")], 0) == []
    ledger.know(ours)
    assert len(ledger.take([row("a")], 0)) == 1


def test_a_status_that_is_not_known_is_no_end_and_nothing_is_learned_from_it() -> None:
    """Of our own order it is open; another one would be hit by a cancel of all."""
    ledger = Ledger(NAMES)
    ours = known("a")
    ledger.know(ours)
    [said] = ledger.take([row("a", "put order req received"), row("b", "validation pending")], 0)
    assert (said.order_id, said.status) == (ours.order_id, VenueStatus.OPEN)
    assert ledger.strangers == 1
    assert not ledger.is_ours_alone


def test_an_order_that_cannot_be_understood_is_not_learned() -> None:
    """Another instrument, side or type; no quantity; a limit order without a price."""
    strange: list[dict[str, Any]] = [
        {"symbol": "SBIN"},
        {"exchange": "NSE"},
        {"action": "HOLD"},
        {"pricetype": "ICEBERG"},
        {"quantity": None},
        {"price": None},
        {"pricetype": "SL"},
    ]
    ledger = Ledger(NAMES)
    assert ledger.take([row(str(number), **fields) for number, fields in enumerate(strange)], 0) == []
    assert ledger.strangers == len(strange)


def test_an_order_book_with_entries_that_cannot_be_read_is_not_ours_alone() -> None:
    """They may be open orders of anybody."""
    ledger = Ledger(NAMES)
    ledger.take([], 0)
    assert ledger.is_ours_alone
    ledger.take([], 1)
    assert not ledger.is_ours_alone


def test_an_order_that_has_ended_and_is_forgotten_is_told_no_more() -> None:
    """Its row stays in the order book for the day."""
    ledger = Ledger(NAMES)
    ours = known("a")
    ledger.know(ours)
    ledger.take([row("a")], 0)
    assert len(ledger.take([row("a", "cancelled")], 0)) == 1
    ledger.forget(ours)
    assert not ledger.has_open
    assert ledger.take([row("a", "cancelled")], 0) == []


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abcd"), st.tuples(st.sampled_from(sorted(STATUSES)), st.integers(0, 10))
        )
    )
)
def test_what_was_told_last_is_how_an_order_stands(books: list[dict[str, tuple[str, int]]]) -> None:
    """Whatever order books come, in whatever order; and nothing is told twice in a row."""
    ledger = Ledger(NAMES)
    ours = new(ord_type=OrdType.MARKET, price=None)
    ledger.know(ours)
    ledger.know(known("b"))
    last: dict[str, Any] = {}
    for book in books:
        rows = [
            row(order_id, status, filled=Decimal(filled), strategy=name_of(ours) if order_id == "a" else None)
            for order_id, (status, filled) in book.items()
        ]
        for said in ledger.take(rows, 0):
            assert said.venue_order_id in book
            assert (said.order_id == ours.order_id) == (said.venue_order_id == "a")
            last[said.venue_order_id] = said
        for one in rows:
            if one.order_id in "ab" or one.is_open:
                assert last[one.order_id].status is STATUSES[one.status]
        assert {said.venue_order_id for said in ledger.open_orders()} == {
            one.order_id for one in rows if one.is_open
        }
