"""What is known of the orders on an OpenAlgo server, from one reading of its order book to the next. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.contract import CancelReject, UnknownOutcomeError
from fixgw.edge.venues.openalgo.orders import Names
from fixgw.edge.venues.openalgo.replies import Row


class Failed(Struct):
    """Why a cancel of all could not cancel an order; when its own cancel was taken after that (seconds)."""

    reason: str
    taken_at: float | None = None


_Told = tuple[VenueStatus, Decimal, Decimal | None, bool]


class Ledger:
    """Knows which row is which order of ours, and tells what has changed between two order books."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[int, Order] = {}
        self._by_name: dict[str, int] = {}
        self._by_id: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._being_sent: dict[int, Order] = {}
        self._rows: dict[str, Row] = {}
        self._told: dict[str, _Told] = {}
        self._open_there: set[str] = set()
        self._failed: dict[str, Failed] = {}
        self._is_whole = False
        self.strangers = 0
        """How many open orders of the last order book are none of ours, or cannot be read."""

    @property
    def has_open(self) -> bool:
        """Whether any order is known whose end is not."""
        return bool(self._known)

    @property
    def shows_open(self) -> bool:
        """Whether the last order book has an open order."""
        return any(row.is_open for row in self._rows.values())

    @property
    def is_ours_alone(self) -> bool:
        """Whether all that can be canceled there is known to be ours: nothing else would be hit."""
        return self._is_whole and not self.strangers

    def know(self, order: Order) -> None:
        """From now on this order is said under its id."""
        self._known[order.order_id] = order
        self._by_name[name_of(order)] = order.order_id
        if order.venue_order_id:
            self._bind(order.order_id, order.venue_order_id)
            self._told.pop(order.venue_order_id, None)  # to be said again: it may have been lost

    def forget(self, order: Order) -> None:
        """It has ended."""
        self._known.pop(order.order_id, None)
        self._by_name.pop(name_of(order), None)
        venue_order_id = self._ids.pop(order.order_id, None)
        if venue_order_id is not None:
            self._by_id.pop(venue_order_id, None)
            self._open_there.discard(venue_order_id)
            self._failed.pop(venue_order_id, None)

    def id_of(self, order: Order) -> str:
        """Its id on the venue; "" while that is not known."""
        return self._ids.get(order.order_id) or order.venue_order_id or ""

    def begin(self, order: Order) -> None:
        """It is being sent: a row that may be this order is nobody else's until `entered` or `end`."""
        self._being_sent[order.order_id] = order

    def entered(self, order: Order, venue_order_id: str) -> None:
        """The venue has taken it."""
        if order.order_id in self._known:
            self._bind(order.order_id, venue_order_id)

    def end(self, order: Order) -> None:
        """It is not being sent any more."""
        self._being_sent.pop(order.order_id, None)

    def _bind(self, order_id: int, venue_order_id: str) -> None:
        self._ids[order_id] = venue_order_id
        self._by_id[venue_order_id] = order_id

    # reading

    def take(self, rows: Sequence[Row], unreadable: int) -> list[VenueOrder]:
        """Take an order book, of which so many entries could not be read; what has changed since the last.

        Of orders that are not known here only those that are open, or were.
        """
        self._rows = {row.order_id: row for row in rows}
        missing = self._open_there - self._rows.keys()
        self._is_whole = not unreadable and not missing
        self._open_there = missing
        self.strangers = 0
        news, told = [], self._told
        self._told = {}
        for row in rows:
            said = self._stands(row, was_told=row.order_id in told)
            if row.is_open:
                self._open_there.add(row.order_id)
                self.strangers += said is None
            if said is None:
                continue
            state = (said.status, said.cum_qty, said.avg_px, said.triggered)
            self._told[row.order_id] = state
            if told.get(row.order_id) != state:
                news.append(said)
        return news

    def _stands(self, row: Row, *, was_told: bool) -> VenueOrder | None:
        order_id = self._order_id(row)
        if not order_id:
            if not row.is_open and not was_told:
                return None
            if row.strategy is None and any(
                self._names.is_like(row, order) for order in self._being_sent.values()
            ):
                return None
        return self._names.stands(row, order_id)

    def _order_id(self, row: Row) -> int:
        """Our id of a row's order, by its id there or by the strategy that it was entered with; or 0."""
        order_id = self._by_id.get(row.order_id, 0)
        if not order_id and row.strategy is not None and row.strategy in self._by_name:
            order_id = self._by_name[row.strategy]
            self._bind(order_id, row.order_id)
        return order_id

    def open_orders(self) -> list[VenueOrder]:
        """The open orders of the last order book, those that are none of ours aside."""
        stands = (self._stands(row, was_told=True) for row in self._rows.values() if row.is_open)
        return [said for said in stands if said is not None]

    def find(self, order: Order) -> VenueOrder | None:
        """How `order` stands in the last order book; None: it is not there.

        Raises UnknownOutcomeError where nobody can say: the order book may not be whole, or has an order like
        this one, and its server does not keep the strategies that orders are entered with.
        """
        venue_order_id = self.id_of(order)
        if venue_order_id:
            row = self._rows.get(venue_order_id)
            return None if row is None else self._names.stands(row, order.order_id)
        name = name_of(order)
        for row in self._rows.values():
            if row.strategy == name:
                return self._names.stands(row, order.order_id)
        if order.order_id in self._being_sent:
            return None
        if not self._is_whole:
            raise UnknownOutcomeError("the venue's order book is not whole, so what it lacks may be there")
        like = [
            row.order_id
            for row in self._rows.values()
            if row.strategy is None and row.order_id not in self._by_id and self._names.is_like(row, order)
        ]
        if like:
            raise UnknownOutcomeError(
                f"the venue's order book has no strategies: its order {like[0]} may be this one"
            )
        return None

    # cancels of all that could not

    def failed(self, reasons: dict[str, str]) -> None:
        """A cancel of all could not cancel these orders, by their ids there, for these reasons."""
        self._failed = {venue_order_id: Failed(reason) for venue_order_id, reason in reasons.items()}

    def reason(self, order: Order) -> str:
        """Why the last cancel of all could not cancel this order; "" when nothing is known."""
        failed = self._failed.get(self.id_of(order))
        return "" if failed is None else failed.reason

    def cancel_taken(self, order: Order, at: float) -> None:
        """Its own cancel was taken."""
        failed = self._failed.get(self.id_of(order))
        if failed is not None:
            failed.taken_at = at

    def rejects(self, before: float) -> Iterator[CancelReject]:
        """The orders that a cancel of all could not cancel, whose own cancel was taken before `before`, and
        that the last order book shows open all the same: each once.
        """
        for venue_order_id, failed in list(self._failed.items()):
            row = self._rows.get(venue_order_id)
            if row is None or not row.is_open:
                continue
            if failed.reason and failed.taken_at is not None and failed.taken_at < before:
                del self._failed[venue_order_id]
                yield CancelReject(failed.reason, self._by_id.get(venue_order_id, 0), venue_order_id)
