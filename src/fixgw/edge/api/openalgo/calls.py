"""The five calls of OpenAlgo's API that are about orders: from what is asked to the answer.

A key reaches the orders of its user and nobody else's, also where an account is shared.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import ErrorCode, Refusal, Subject, not_found
from fixgw.core.order import ZERO, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.requests import CancelOrder, MassCancel, MassStatus, NewOrder, OrderHistory, OrderStatus
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.state import day_start_before
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.openalgo import questions, views
from fixgw.edge.api.openalgo.ends import Ends
from fixgw.edge.api.openalgo.views import Reply
from fixgw.edge.engine_link import EngineAwayError
from fixgw.engine.turn import Answered

NOT_KNOWN_YET = "the cancel was sent and its outcome is not known yet: look at the order book"

_ORD_TYPES = {
    "MARKET": OrdType.MARKET,
    "LIMIT": OrdType.LIMIT,
    "SL": OrdType.STOP_LIMIT,
    "SL-M": OrdType.STOP,
}
_ALL = Scope(ScopeType.ALL)
_NO_OMS = not_found("this dialect has no OMS", Subject.OMS)


class Calls:
    """Answers the calls of one [[dialect]]. Every method can raise EngineAwayError."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def place_order(self, who: Identity, asked: questions.PlaceOrder) -> Reply:
        """Enter an order. All are good for the day, as a real server enters them whatever their product."""
        names = self._context.reference.directory.omses
        oms_id = next((each for each in self._context.omses if names[each].name == asked.exchange), None)
        if oms_id is None:
            return views.error(400, f"exchange={asked.exchange} names no OMS of this user")
        request = NewOrder(
            user_id=who.user_id,
            oms=self._oms(oms_id),
            instrument=InstrumentName(asked.symbol),
            side=Side.BUY if asked.action.upper() == "BUY" else Side.SELL,
            ord_type=_ORD_TYPES[asked.pricetype],
            time_in_force=TimeInForce.DAY,
            order_qty=asked.quantity,
            price=None if asked.price == ZERO else asked.price,
            stop_px=None if asked.trigger_price == ZERO else asked.trigger_price,
            strategy=asked.strategy,
            product=asked.product,
        )
        answer = await self._context.engine.ask(self._context.door, request)
        if answer.refusal is not None:
            return views.refused(answer.refusal)
        return views.one_order(answer.orders[0].order_id)

    async def cancel_order(self, who: Identity, asked: questions.CancelOrder) -> Reply:
        """Cancel one order, and wait for its end."""
        async with self._watch(who) as ends:
            answer = await self._first(
                CancelOrder(
                    user_id=who.user_id,
                    oms=self._oms(oms_id),
                    order_id=asked.orderid,
                    owner_id=who.user_id,
                )
                for oms_id in self._context.omses
            )
            if answer.refusal is not None:
                unknown = views.is_unknown_order(answer.refusal)
                return views.no_such_order() if unknown else views.refused(answer.refusal)
            order = answer.orders[0]
            if order.status is OrdStatus.CANCELED:
                return views.one_order(order.order_id)
            if order.status is not OrdStatus.PENDING_CANCEL:
                return _not_canceled(ends.refused(order.order_id))
            known = await ends.wait((order.order_id,), self._context.settings.cancel_seconds)
            if order.order_id not in known:
                return views.error(500, NOT_KNOWN_YET)
            end = known[order.order_id]
            return views.one_order(order.order_id) if end is None else _not_canceled(end)

    async def cancel_all_orders(self, who: Identity, asked: questions.CancelAllOrder) -> Reply:
        """Cancel every open order of the user and this strategy, and wait for the end of each of them."""
        async with self._watch(who) as ends:
            answers, refusal = await self._all(
                MassCancel(
                    user_id=who.user_id,
                    oms=self._oms(oms_id),
                    scope=_ALL,
                    owner_id=who.user_id,
                    strategy=asked.strategy,
                )
                for oms_id in self._context.omses
            )
            if refusal is not None and not answers:
                return views.refused(refusal)
            canceled = [order_id for answer in answers for order_id in answer.canceled]
            failures = [
                (order_id, views.reason(why)) for answer in answers for order_id, why in answer.refused
            ]
            pending = [order_id for answer in answers for order_id in answer.pending]
            known = await ends.wait(pending, self._context.settings.cancel_seconds)
        for order_id in pending:
            end = known.get(order_id)
            if end is not None:
                failures.append((order_id, views.reason(end)))
            elif order_id in known:
                canceled.append(order_id)
            else:
                failures.append((order_id, NOT_KNOWN_YET))
        if refusal is not None:  # by one OMS of several: to call that a success would hide it
            done = f"on the other OMSes {len(canceled)} orders were canceled and {len(failures)} were not"
            return views.error(500, f"{views.reason(refusal)}; {done}")
        return views.canceled(sorted(canceled), sorted(failures))

    async def order_book(self, who: Identity, _: questions.OrderBook) -> Reply:
        """The user's orders of today, and those of earlier days that are open; the newest first."""
        context = self._context
        most, omses = context.settings.orders_max, context.reference.directory.omses
        now = context.clock()
        answers, refusal = await self._all(
            request
            for oms_id in context.omses
            for request in (
                OrderHistory(
                    user_id=who.user_id,
                    oms=self._oms(oms_id),
                    scope=_ALL,
                    owner_id=who.user_id,
                    since=day_start_before(now, omses[oms_id]),
                    most=most + 1,
                ),
                MassStatus(
                    user_id=who.user_id,
                    oms=self._oms(oms_id),
                    scope=_ALL,
                    owner_id=who.user_id,
                    req_id="api",
                    most=most,
                ),
            )
        )
        if refusal is not None and refusal.code is not ErrorCode.OPERATION_FAILED:
            return views.refused(refusal)
        orders = {order.order_id: order for answer in answers for order in answer.orders}
        if refusal is not None or len(orders) > most:
            return views.error(400, f"the order book has more than {most} orders, too many for one answer")
        newest_first = sorted(orders.values(), key=lambda order: order.order_id, reverse=True)
        return views.order_book(newest_first, context.reference.directory)

    async def order_status(self, who: Identity, asked: questions.OrderStatus) -> Reply:
        """One order, of whatever day."""
        answer = await self._first(
            OrderStatus(
                user_id=who.user_id,
                oms=self._oms(oms_id),
                order_id=asked.orderid,
                owner_id=who.user_id,
            )
            for oms_id in self._context.omses
        )
        if answer.refusal is not None:
            unknown = views.is_unknown_order(answer.refusal)
            return views.no_such_order() if unknown else views.refused(answer.refusal)
        row = views.order_row(answer.orders[0], self._context.reference.directory)
        return Reply(200, {"status": "success", "data": row})

    def _oms(self, oms_id: int) -> OmsName:
        """The OMS by its id and its name, so that a refusal can say its name."""
        return OmsName(oms_id, self._context.reference.directory.omses[oms_id].name)

    async def _first(self, requests: Iterable[CancelOrder | OrderStatus]) -> Answered:
        """The answer of the first OMS that knows the order, the last answer when none does."""
        answer = Answered(0, _NO_OMS)
        for request in requests:
            answer = await self._context.engine.ask(self._context.door, request)
            if answer.refusal is None or not views.is_unknown_order(answer.refusal):
                break
        return answer

    async def _all(
        self, requests: Iterable[MassCancel | MassStatus | OrderHistory]
    ) -> tuple[Sequence[Answered], Refusal | None]:
        """The answers of every OMS that did not refuse, and a refusal; an OMS that the user has not is none.

        All are asked at once. Raises EngineAwayError.
        """
        ask, door = self._context.engine.ask, self._context.door
        answers: list[Answered] = []
        away: list[EngineAwayError] = []
        for asked in [ask(door, request) for request in requests]:
            try:
                answers.append(await asked)
            except EngineAwayError as error:  # the others are waited for too: they must not be lost
                away.append(error)
        if away:
            raise max(away, key=lambda error: error.was_sent)
        accepted = [answer for answer in answers if answer.refusal is None]
        refusals = [answer.refusal for answer in answers if answer.refusal is not None]
        meant = [refusal for refusal in refusals if not views.is_unknown_oms(refusal)]
        if not meant and not accepted:
            meant = refusals
        return accepted, meant[0] if meant else None

    @asynccontextmanager
    async def _watch(self, who: Identity) -> AsyncIterator[Ends]:
        """Hear of the ends of cancels in the user's accounts. Raises EngineAwayError: nothing was sent."""
        directory = self._context.reference.directory
        user = directory.users[who.user_id]
        ends = Ends()
        engine = self._context.engine
        try:
            accounts = directory.accounts if user.is_operator else user.account_ids
            watch = await engine.watch(accounts, ends.tell, ends.lost)
        except EngineAwayError:  # whatever became of the watch, no cancel was sent
            raise EngineAwayError("the engine is away; nothing was sent to it", was_sent=False) from None
        try:
            yield ends
        finally:
            engine.unwatch(watch)


def _not_canceled(why: Refusal | None) -> Reply:
    return views.error(400, "the venue refused the cancel") if why is None else views.refused(why)
