"""What API clients are told: the answer to each of their requests, and what happens to orders they watch.

Both wait here, in one order, until the turn is committed.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from fixgw.core.decision import Decision
from fixgw.core.errors import ALREADY_PENDING, Refusal, Subject, not_found
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    Event,
    MassCancelAccepted,
    OrderCanceled,
    OrderEntered,
    OrdersCanceled,
)
from fixgw.core.order import CancelRef, Order
from fixgw.core.reports import OrderState
from fixgw.core.requests import ApiRequest, CancelOrder, MassCancel, NewOrder, OrderStatus
from fixgw.core.state import OmsState
from fixgw.engine.turn import Answered, Ask, Happened

Tell = Callable[[Answered | Happened], None]
_Told = TypeVar("_Told")


class Answers:
    """Keeps what is to be told after the commit, and who watches the orders of which accounts.

    `handed_out` is called when all of it was told, before any report is sent.
    """

    def __init__(self) -> None:
        self.handed_out: Callable[[], None] = lambda: None
        self._waiting: list[Callable[[], None]] = []
        self._mass_cancels: dict[int, tuple[Tell, int]] = {}
        self._watching: dict[Tell, frozenset[int]] = {}

    def watch(self, tell: Tell, accounts: frozenset[int]) -> None:
        """Have `tell` hear of the orders of these accounts, in place of those it heard of before."""
        self._watching.pop(tell, None)
        if accounts:
            self._watching[tell] = accounts

    def forget(self, tell: Tell) -> None:
        """Nobody listens to `tell` any more."""
        self._watching.pop(tell, None)
        for mass_cancel_id in [number for number, (told, _) in self._mass_cancels.items() if told == tell]:
            del self._mass_cancels[mass_cancel_id]

    def put(self, tell: Callable[[_Told], None], what: _Told) -> None:
        """Have `tell` told something, or what a venue has to do, after the commit."""
        self._waiting.append(partial(tell, what))

    def wait(self, mass_cancel_id: int, tell: Tell, number: int) -> None:
        """Answer the request `number` when it is known which orders its mass cancel takes on."""
        self._mass_cancels[mass_cancel_id] = tell, number

    def mass_cancel_accepted(self, event: MassCancelAccepted) -> None:
        """It is known now."""
        if (waiting := self._mass_cancels.pop(event.mass_cancel_id, None)) is not None:
            tell, number = waiting
            refused = tuple((order_id, ALREADY_PENDING) for order_id in event.already_pending)
            self.put(tell, Answered(number, pending=event.order_ids, refused=refused))

    def mass_cancel_refused(self, mass_cancel_id: int, refusal: Refusal) -> None:
        """It cannot be known."""
        if (waiting := self._mass_cancels.pop(mass_cancel_id, None)) is not None:
            tell, number = waiting
            self.put(tell, Answered(number, refusal))

    def happened(self, event: Event, order: Order | None, cancel: CancelRef | None, exec_id: int) -> None:
        """Tell those who watch the account of `order` what happened to it."""
        if order is None or not self._watching:
            return
        told = None
        for tell, accounts in self._watching.items():
            if order.account_id in accounts:
                told = told or Happened(event, order, cancel, exec_id)
                self.put(tell, told)

    def taken_on(self, state: OmsState, event: MassCancelAccepted, ended: Iterable[int]) -> None:
        """Tell of the orders that a mass cancel took on and that did not end at once."""
        if not self._watching:
            return
        for order_id in set(event.order_ids).difference(ended):
            requested = CancelRequested(order_id, event.ref, event.at)
            self.happened(requested, state.book[order_id], event.ref, 0)

    def all_canceled(self, state: OmsState, event: OrdersCanceled, first_exec_id: int) -> None:
        """Tell of each order that a mass cancel has ended; their executions have the ids from this one on."""
        if not self._watching:
            return
        request = state.mass_cancels[event.mass_cancel_id].request
        ref = CancelRef(request.user_id, request.session, request.cl_ord_id, event.mass_cancel_id)
        for place, order_id in enumerate(event.order_ids):
            canceled = OrderCanceled(order_id, event.at)
            self.happened(canceled, state.book[order_id], ref, first_exec_id + place)

    def hand_out(self) -> None:
        """Tell everything, in order: the turn is committed."""
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell()
        if waiting:
            self.handed_out()


def answered(ask: Ask, state: OmsState, decision: Decision, events: Sequence[Event]) -> Answered:
    """The answer to `ask`, which led to `decision` and at last to `events`; `state` is what came of them."""
    number, request = ask.number, ask.request
    if decision.refusal is not None:
        return Answered(number, decision.refusal, _meant(state, decision))
    match request:
        case CancelOrder():  # the most frequent first
            orders = tuple([state.book[order_id] for order_id in decision.to_cancel])
            return Answered(number, orders=orders, refused=tuple(_refused(events).items()))
        case MassCancel():
            return _mass_canceled(number, state, events)
        case NewOrder():
            entered = (event.order.order_id for event in events if isinstance(event, OrderEntered))
            return Answered(number, orders=tuple(state.book[order_id] for order_id in entered))
    return _found(number, request, decision)


def _meant(state: OmsState, decision: Decision) -> tuple[Order, ...]:
    """The order that a refused request meant, where that is certain."""
    for event in decision.events:
        order_id = getattr(event, "order_id", None)
        order = None if order_id is None else state.book.get(order_id)
        if order is not None:
            return (order,)
    return ()


def _mass_canceled(number: int, state: OmsState, events: Sequence[Event]) -> Answered:
    accepted = next(event for event in events if isinstance(event, MassCancelAccepted))
    if not (accepted.order_ids or accepted.already_pending):
        return Answered(number)
    refused = _refused(events) | dict.fromkeys(accepted.already_pending, ALREADY_PENDING)
    left = [order_id for order_id in accepted.order_ids if order_id not in refused]
    return Answered(
        number,
        canceled=tuple(order_id for order_id in left if not state.book[order_id].is_open),
        pending=tuple(order_id for order_id in left if state.book[order_id].is_open),
        refused=tuple(sorted(refused.items())),
    )


def _refused(events: Sequence[Event]) -> dict[int, Refusal]:
    """Why the venue refused at once to cancel some orders, by their ids."""
    return {event.order_id: event.refusal for event in events if isinstance(event, CancelRefused)}


def _found(number: int, request: ApiRequest, decision: Decision) -> Answered:
    orders = [reply.order for reply in decision.replies if isinstance(reply, OrderState)]
    found = tuple(order for order in orders if order is not None)
    if not found and isinstance(request, OrderStatus):
        return Answered(number, not_found("OrderID(37) names no order", Subject.ORDER))
    return Answered(number, orders=found)
