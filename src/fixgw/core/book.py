"""The orders of one OMS with their indexes, and the client order ids in use.

Selecting costs as much as the smallest index that the selector names, not as much as the book.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from operator import attrgetter

from msgspec import Struct

from fixgw.core.order import NOBODY, Order
from fixgw.core.reports import Report
from fixgw.core.requests import RequestKind
from fixgw.core.selector import CancelSelector


class Use(Struct, frozen=True, array_like=True, gc=False):
    """A client order id used by a request that is no order of the book: a cancel, or a refused request.

    `answer` is its last answer, for PossResend(97)=Y. It is there when it was looked up: it stands in the
    outbox of `session` at `position` (-1 when there is none).
    """

    user_id: int
    kind: RequestKind
    content: int
    used_at: datetime
    answer: Report | None = None
    session: str | None = None
    position: int = -1


SPARSE_BYTES = 512  # for each id of a set; one that grows takes at most 128

_Entry = int | Use | tuple[int | Use, ...]


class OrderBook:
    """Orders by id, open ones indexed by account, user and instrument; closed ones known for a while.

    `closed_max` bounds the number of closed orders and of other used ids that are remembered.
    `pending_cancels` counts the orders whose cancel is pending.
    """

    def __init__(self, closed_max: int) -> None:
        self._closed_max = closed_max
        self._orders: dict[int, Order] = {}
        self._by_account: dict[int, set[int]] = {}
        self._by_user: dict[int, set[int]] = {}
        self._by_instrument: dict[int, set[int]] = {}
        self._closed: dict[tuple[int, int], dict[int, None]] = {}  # by account and user; as they closed
        self._venue_ids: dict[str, int] = {}
        self._ids: dict[str, _Entry] = {}
        self._forgettable: deque[tuple[datetime, int | str]] = deque()
        self.pending_cancels = 0
        self.complete_since: datetime | None = None

    def __len__(self) -> int:
        return sum(map(len, self._by_user.values()))

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def get(self, order_id: int) -> Order | None:
        """The order with this id, open or closed; None for one unknown or forgotten."""
        return self._orders.get(order_id)

    def __getitem__(self, order_id: int) -> Order:
        return self._orders[order_id]

    def on_venue(self, venue_order_id: str) -> Order | None:
        """The order that the venue knows under this id; None for one that is not known here."""
        order_id = self._venue_ids.get(venue_order_id)
        return None if order_id is None else self._orders.get(order_id)

    def is_shown(self, order_id: str) -> bool:
        """Whether an order that was entered on the venue is shown under this OrderID(37)."""
        order = self.on_venue(order_id)
        return order is not None and order.user_id == NOBODY and order.shown_id == order_id

    def open_ids(self) -> list[int]:
        """The ids of all open orders, oldest first."""
        return sorted(chain.from_iterable(self._by_user.values()))

    def put(self, order: Order) -> None:
        """Take in an order, or its new state."""
        order_id = order.order_id
        known = self._orders.get(order_id)
        self._orders[order_id] = order
        if order.venue_order_id is not None:
            self._venue_ids[order.venue_order_id] = order_id
        if order.pending_cancel is not None:
            self.pending_cancels += 1
        if known is None:
            self._name(order)
            if order.is_open:
                self._index(order)
            else:
                self._close(order)
            return
        if known.pending_cancel is not None:
            self.pending_cancels -= 1
        if not order.is_open and known.is_open:
            self._unindex(order)
            self._close(order)

    def put_pending(self, orders: Iterable[Order]) -> None:
        """Take in the new states of open orders (any number) whose cancel is pending from now on."""
        known = len(self._orders)
        pending = {order.order_id: order for order in orders}
        self._orders.update(pending)
        if len(self._orders) != known:
            raise AssertionError("an order became Pending Cancel that was not known")
        self.pending_cancels += len(pending)

    def put_closed(self, orders: Sequence[Order]) -> None:
        """Take in the new states of orders (any number), whose cancel was pending and that are closed now."""
        self._orders.update([(order.order_id, order) for order in orders])
        self.pending_cancels -= len(orders)
        for index, key_of in (
            (self._by_account, _account_id),
            (self._by_user, _user_id),
            (self._by_instrument, _instrument_id),
        ):
            closed: dict[int, list[int]] = {}
            for order in orders:
                closed.setdefault(key_of(order), []).append(order.order_id)
            for key, ids in closed.items():
                _remove(index, key, ids)
        for order in orders:
            self._close(order)

    def _close(self, order: Order) -> None:
        order_id, of_whom = order.order_id, (order.account_id, order.user_id)
        self._forgettable.append((order.changed_at or order.entered_at, order_id))
        try:  # nearly always: orders of theirs have closed before
            self._closed[of_whom][order_id] = None
        except KeyError:
            self._closed[of_whom] = {order_id: None}

    def _index(self, order: Order) -> None:
        order_id = order.order_id
        try:  # nearly always: an account that has open orders already
            self._by_account[order.account_id].add(order_id)
        except KeyError:
            self._by_account[order.account_id] = {order_id}
        try:
            self._by_user[order.user_id].add(order_id)
        except KeyError:
            self._by_user[order.user_id] = {order_id}
        try:
            self._by_instrument[order.instrument_id].add(order_id)
        except KeyError:
            self._by_instrument[order.instrument_id] = {order_id}

    def _unindex(self, order: Order) -> None:
        ids = (order.order_id,)
        _remove(self._by_account, order.account_id, ids)
        _remove(self._by_user, order.user_id, ids)
        _remove(self._by_instrument, order.instrument_id, ids)

    def select(self, selector: CancelSelector) -> list[Order]:
        """The open orders that `selector` names, oldest first (a list of any length, 0 included)."""
        orders = self._orders
        found = [orders[order_id] for order_id in self._smallest(selector)]
        return sorted(filter(selector.matches, found), key=_order_id)

    def _smallest(self, selector: CancelSelector) -> Iterable[int]:
        """The ids in the smallest index that the selector names; all open ones when it names none."""
        candidates: list[list[set[int]]] = []
        if selector.account_id is not None:
            candidates.append([self._by_account.get(selector.account_id, _NONE)])
        if selector.user_id is not None:
            candidates.append([self._by_user.get(selector.user_id, _NONE)])
        if selector.instrument_ids is not None:
            candidates.append([self._by_instrument.get(key, _NONE) for key in selector.instrument_ids])
        smallest = min(candidates, key=_size, default=self._by_user.values())
        return chain.from_iterable(smallest)

    def history(self, selector: CancelSelector, since: datetime | None, most: int) -> list[Order]:
        """The known orders, open or closed, that `selector` names: the `most` that changed last, those first.

        With `since` (aware UTC) only those entered since then.
        """

        def is_wanted(order: Order) -> bool:
            return selector.matches(order) and (since is None or order.entered_at >= since)

        found = list(filter(is_wanted, self.select(selector)))
        for (account_id, user_id), ids in self._closed.items():
            if selector.account_id in (None, account_id) and selector.user_id in (None, user_id):
                closed = (self._orders[order_id] for order_id in reversed(ids))
                found += islice(filter(is_wanted, closed), most)
        return sorted(found, key=_last_changed, reverse=True)[:most]

    def is_known(self, cl_ord_id: str) -> bool:
        """Whether any known order or use has this id."""
        return cl_ord_id in self._ids

    def named(self, cl_ord_id: str) -> list[Order]:
        """The known orders, open or closed, that have this ClOrdID, whoever entered them; oldest first."""
        entry = self._ids.get(cl_ord_id)
        if isinstance(entry, int):
            return [self._orders[entry]]
        ids = sorted(use for use in _uses(entry) if isinstance(use, int))
        return [self._orders[order_id] for order_id in ids]

    def uses(self, cl_ord_id: str) -> list[Use]:
        """The known uses of this client order id by requests that are no order of the book."""
        return [use for use in _uses(self._ids.get(cl_ord_id)) if isinstance(use, Use)]

    def use(self, cl_ord_id: str, use: Use) -> None:
        """Record that a request used this id, or (same user and content) that it has a newer answer."""
        entry = self._ids.get(cl_ord_id)
        if entry is None:
            self._ids[cl_ord_id] = use
            self._forgettable.append((use.used_at, cl_ord_id))
            return
        uses = _uses(entry)
        others = tuple(other for other in uses if isinstance(other, int) or not _is_same(other, use))
        self._ids[cl_ord_id] = (*others, use) if others else use
        known = (other for other in uses if not isinstance(other, int) and _is_same(other, use))
        if all(other.used_at != use.used_at for other in known):
            self._forgettable.append((use.used_at, cl_ord_id))

    def _name(self, order: Order) -> None:
        if order.cl_ord_id is None:
            return
        known = self._ids.get(order.cl_ord_id)
        self._ids[order.cl_ord_id] = order.order_id if known is None else (*_uses(known), order.order_id)

    @property
    def is_full(self) -> bool:
        """Whether more is remembered than the bound allows."""
        return len(self._forgettable) > self._closed_max

    def has_old(self, before: datetime) -> bool:
        """Whether there is something to `forget`."""
        return self.is_full or (bool(self._forgettable) and self._forgettable[0][0] < before)

    def forget(self, before: datetime, at_most: int, settled: datetime | None = None) -> None:
        """Forget closed orders and used ids older than `before` or above the bound, `at_most` per call.

        Nothing from `settled` on, which the journal could not be asked about yet; None: it could about all.
        """
        for _ in range(at_most):
            if not self.has_old(before):
                return
            since, what = self._forgettable[0]
            if settled is not None and since >= settled:
                return
            self._forgettable.popleft()
            self.complete_since = max(since, self.complete_since or since)
            if isinstance(what, int):
                order = self._orders.pop(what)
                del self._closed[order.account_id, order.user_id][what]
                if order.venue_order_id is not None:
                    self._venue_ids.pop(order.venue_order_id, None)
                if order.cl_ord_id is not None:
                    self._drop(order.cl_ord_id, what, since)
            else:
                self._drop(what, None, since)

    def _drop(self, cl_ord_id: str, order_id: int | None, since: datetime) -> None:
        left = tuple(
            use
            for use in _uses(self._ids.get(cl_ord_id))
            if not (use == order_id if isinstance(use, int) else order_id is None and use.used_at <= since)
        )
        if not left:
            self._ids.pop(cl_ord_id, None)
        else:
            self._ids[cl_ord_id] = left[0] if len(left) == 1 else left


_NONE: set[int] = set()


def _remove(index: dict[int, set[int]], key: int, order_ids: Collection[int]) -> None:
    """Take orders (any number) out of an index, and have those left take no more room than they need.

    A set stays as large as it ever was, and to go through it costs as much as if it were full. It is written
    anew when it is far emptier than one that has only grown, which costs little for each order taken out.
    """
    ids = index[key]
    left = len(ids) - len(order_ids)
    ids.difference_update(order_ids)
    if len(ids) != left:
        raise AssertionError("an order was closed that was not open")
    if ids.__sizeof__() > SPARSE_BYTES * (left + 1):
        index[key] = set(ids)


def _uses(entry: _Entry | None) -> tuple[int | Use, ...]:
    if entry is None:
        return ()
    return entry if isinstance(entry, tuple) else (entry,)


def _is_same(one: Use, other: Use) -> bool:
    return one.user_id == other.user_id and one.content == other.content


def _size(sets: list[set[int]]) -> int:
    return sum(map(len, sets))


_order_id = attrgetter("order_id")
_account_id = attrgetter("account_id")
_user_id = attrgetter("user_id")
_instrument_id = attrgetter("instrument_id")


def _last_changed(order: Order) -> tuple[datetime, int]:
    return order.changed_at or order.entered_at, order.order_id
