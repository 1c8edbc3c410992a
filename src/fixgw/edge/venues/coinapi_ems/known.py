"""The orders that are known here, by their ids on the venue. Pure."""

from collections.abc import Iterable

from fixgw.core.order import NOBODY, Order
from fixgw.edge.venues.client_ids import name_of
from fixgw.edge.venues.coinapi_ems.reports import Report

ENDED_MAX = 10_000
"""Of so many orders that have ended the ids are kept: a late report must not look like one on a new order."""


class _Ids:
    """What an order is called there."""

    def __init__(self) -> None:
        self.client = ""
        self.exchange = ""


class Known:
    """Finds orders by what a report calls them, and remembers what the reports call them."""

    def __init__(self) -> None:
        self._ids: dict[int, _Ids] = {}
        self._by_client: dict[str, int] = {}
        self._by_exchange: dict[str, int] = {}
        self._ended: dict[int, None] = {}

    def know(self, order: Order) -> None:
        """Know it from now on: by the name that we gave it, unless it was entered there, and by its id."""
        self._ended.pop(order.order_id, None)
        ids = self._ids.get(order.order_id)
        if ids is not None and ids.client and ids.exchange:
            return  # what it is called is known, and stays
        client = "" if order.user_id == NOBODY else name_of(order)
        there = order.venue_order_id or ""
        self._add(order.order_id, client, "" if there == client else there)

    def forget(self, order: Order) -> None:
        """It has ended: forget it when so many others have ended, too."""
        if order.order_id not in self._ids:
            return
        self._ended[order.order_id] = None
        if len(self._ended) > ENDED_MAX:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            ids = self._ids.pop(oldest)
            for names, name in ((self._by_client, ids.client), (self._by_exchange, ids.exchange)):
                if names.get(name) == oldest:
                    del names[name]

    def learn(self, order: Order, report: Report) -> None:
        """The report is about `order`: keep what it calls it."""
        self._add(order.order_id, report.client_order_id, report.exchange_order_id)

    def order_id(self, report: Report) -> int:
        """Our id of the order that a report is about, 0 when it is not known; keeps the ids that are new."""
        found = self.named(report.client_order_id, report.exchange_order_id)
        if found:
            self._add(found, report.client_order_id, report.exchange_order_id)
        return found

    def named(self, client_order_id: str, exchange_order_id: str) -> int:
        """Our id of the order that has one of these ids (empty for none), 0 when it is not known."""
        by_exchange = self._by_exchange.get(exchange_order_id, 0) if exchange_order_id else 0
        if by_exchange:
            return by_exchange
        by_client = self._by_client.get(client_order_id, 0) if client_order_id else 0
        ids = self._ids.get(by_client)
        if ids is not None and exchange_order_id and ids.exchange and ids.exchange != exchange_order_id:
            return 0  # another order under a name that was used before
        return by_client

    def client_order_id(self, order: Order) -> str:
        """What the client that entered it called it, empty when that is not known."""
        ids = self._ids.get(order.order_id)
        return ids.client if ids is not None else "" if order.user_id == NOBODY else name_of(order)

    def exchange_order_id(self, order: Order) -> str:
        """What the exchange calls it, empty when that is not known."""
        ids = self._ids.get(order.order_id)
        return (order.venue_order_id or "") if ids is None else ids.exchange

    def find(self, order: Order, reports: Iterable[Report]) -> Report | None:
        """The report on `order` among these (any number)."""
        exchange, client = self.exchange_order_id(order), self.client_order_id(order)
        for report in reports:
            if exchange and report.exchange_order_id:
                if report.exchange_order_id == exchange:
                    return report
            elif report.client_order_id and report.client_order_id in (client, order.venue_order_id):
                return report
        return None

    def _add(self, order_id: int, client: str, exchange: str) -> None:
        ids = self._ids.setdefault(order_id, _Ids())
        if client and not ids.client:
            ids.client = client
            self._by_client[client] = order_id
        if exchange and not ids.exchange:
            ids.exchange = exchange
            self._by_exchange[exchange] = order_id
