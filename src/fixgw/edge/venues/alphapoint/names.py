"""Our names for accounts, instruments and orders, and the venue's."""

from collections import OrderedDict

from fixgw.core.order import Order
from fixgw.edge.venues.client_ids import number_of
from fixgw.edge.venues.place import Place

ENDED_MAX = 20_000  # orders that have ended, of which a late word is still known to be theirs


class Names:
    """The venue's OMSId, and its ids for our accounts and instruments by ours.

    Orders are known by their ids there and by the ClientOrderIds that we made.
    """

    def __init__(self, place: Place) -> None:
        self.oms_id = place.oms_id
        self.oms = int(place.settings.oms)
        self.accounts = {ours: int(theirs) for ours, theirs in place.accounts.items()}
        self.instruments = {ours.instrument_id: int(theirs) for ours, theirs in place.instruments.items()}
        self.our_account = {theirs: ours for ours, theirs in self.accounts.items()}
        self.our_instrument = {theirs: ours for ours, theirs in self.instruments.items()}
        self._by_number: dict[int, Order] = {}
        self._by_venue_id: dict[str, int] = {}
        self._venue_ids: dict[int, str] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    def know(self, order: Order) -> None:
        """From now on `order_id` finds it."""
        if order.venue_order_id and self._venue_ids.get(order.order_id) == order.venue_order_id:
            return  # it does so already
        self._by_number[number_of(order)] = order
        if order.venue_order_id:
            self._is(order.order_id, order.venue_order_id)

    def _is(self, order_id: int, venue_order_id: str) -> None:
        self._by_venue_id[venue_order_id] = order_id
        self._venue_ids[order_id] = venue_order_id

    def forget(self, order: Order) -> None:
        """It has ended. What is said of it late is its own still, and not that of an order not known here."""
        self._by_number.pop(number_of(order), None)
        venue_order_id = self._venue_ids.pop(order.order_id, None)
        if venue_order_id is None:
            return
        self._by_venue_id.pop(venue_order_id, None)
        self._ended[venue_order_id] = order.order_id
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def venue_order_id(self, order: Order) -> str | None:
        """The order's id on the venue; None while that is not known."""
        return order.venue_order_id or self._venue_ids.get(order.order_id)

    def order_id(self, venue_order_id: str, number: int = 0, account_id: int = 0) -> int:
        """Our id of an order; 0 when it is not one that is known here.

        `number` is its ClientOrderId, which counts in the account that the order was entered for.
        """
        found = self._by_venue_id.get(venue_order_id) or self._ended.get(venue_order_id)
        if found is not None:
            return found
        order = self._by_number.get(number)
        if order is None or order.account_id != account_id or order.order_id in self._venue_ids:
            return 0
        self._is(order.order_id, venue_order_id)
        return order.order_id
