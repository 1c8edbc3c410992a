"""What memory no longer knows and a request may mean: it is asked of the journal."""

from msgspec.structs import replace

from fixgw.core.order import Order
from fixgw.core.reports import Report
from fixgw.core.requests import ApiRequest, CancelOrder, ClientRequest, OrderStatus
from fixgw.core.state import OmsState
from fixgw.engine.outbox import Outbox
from fixgw.journal.contract import Journal

NAMING = (CancelOrder, OrderStatus)
"""The requests that name an order."""


class Recall:
    """Looks up in `journal`, and in `outbox` what the journal has not got yet."""

    def __init__(self, journal: Journal, outbox: Outbox) -> None:
        self._journal = journal
        self._outbox = outbox

    def for_request(self, state: OmsState, request: ClientRequest | ApiRequest, next_id: int) -> None:
        """Have `state` know what `request` may mean. `next_id` is above every id given out.

        Raises JournalError.
        """
        book, oms_id = state.book, state.oms.oms_id
        cl_ord_id = request.cl_ord_id
        if (
            book.complete_since is not None
            and cl_ord_id is not None
            and book.complete_since >= state.day_start
        ):
            uses = self._journal.uses(oms_id, cl_ord_id)
            state.recall(self._journal.orders_named(oms_id, cl_ord_id), ((cl_ord_id, use) for use in uses))
        if request.poss_resend and cl_ord_id is not None:
            for use in book.uses(cl_ord_id):
                if use.answer is None and use.session is not None and use.position >= 0:
                    book.use(cl_ord_id, replace(use, answer=self._answer(use.session, use.position)))
        if not isinstance(request, NAMING):
            return
        order_id, name = request.order_id, request.orig_cl_ord_id
        if order_id is not None and 0 < order_id < next_id and book.get(order_id) is None:
            order = self._journal.order(order_id)
            if order is not None and order.oms_id == oms_id:
                state.recall((order,))
        if name is not None and not any(_can_mean(request, order) for order in book.named(name)):
            state.recall(self._journal.orders_named(oms_id, name))

    def _answer(self, session: str, position: int) -> Report | None:
        found = self._outbox.report(session, position)
        return found or next(iter(self._journal.reports(session, position, 1)), None)


def _can_mean(request: CancelOrder | OrderStatus, order: Order) -> bool:
    """Whether a request that names `order` by its ClOrdID may mean it: then nothing older is looked for."""
    return order.is_of(request.user_id) or order.account_id == request.account_id
