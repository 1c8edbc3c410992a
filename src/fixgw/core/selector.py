"""CancelSelector: which orders a request names."""

from msgspec import Struct

from fixgw.core.order import Order, Side


class CancelSelector(Struct, frozen=True, array_like=True):
    """Seven dimensions, all conjunctive; None matches everything. `instrument_ids` is a set of InstrumentIds.

    Source: CancelAllOrders(OMSId, AccountId?, UserId?, InstrumentId?), widened by the sets of
    instruments that MassCancelRequestType(530) can name, Side(54), and a strategy label. The `session` that
    an order came from is named by cancel on disconnect only.
    """

    oms_id: int
    account_id: int | None = None
    user_id: int | None = None
    instrument_ids: frozenset[int] | None = None
    side: Side | None = None
    strategy: str | None = None
    session: str | None = None

    def matches(self, order: Order) -> bool:
        """Whether `order` is one of those named."""
        return (
            order.oms_id == self.oms_id
            and (self.account_id is None or order.account_id == self.account_id)
            and (self.user_id is None or order.user_id == self.user_id)
            and (self.instrument_ids is None or order.instrument_id in self.instrument_ids)
            and (self.side is None or order.side is self.side)
            and (self.strategy is None or order.strategy == self.strategy)
            and (self.session is None or order.session == self.session)
        )
