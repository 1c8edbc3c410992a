"""The venues as the desk knows them: the sandbox, which answers at once, and those outside this process.

What those are asked waits for the commit, and is lost with this process: at its next start each order that
waits for its venue is among those believed open, and the venues' process finds out what became of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from fixgw.core.decision import Decision
from fixgw.core.errors import Failure, Refusal, server_error
from fixgw.core.events import CancelRequested, MassCancelRequested, OrderEntered
from fixgw.core.order import Order
from fixgw.core.requests import OrderAnswer
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.engine.sandbox import Sandbox
from fixgw.engine.venue_asks import Believed, CancelOrders, PlaceOrder, ReadScope, VenueAsk, VenueHealth

BELIEVED_MAX = 1_000  # orders in one message
SILENT_FOR = timedelta(seconds=5)  # without a word of how it is, a venue counts as away

Tell = Callable[[VenueAsk], None]


class Venues:
    """Has the venues do what was decided. `put` takes what is to be told after the commit, and to whom."""

    def __init__(self, sandbox: Sandbox, put: Callable[[Tell, VenueAsk], None]) -> None:
        self._sandbox = sandbox
        self._put = put
        self._serving: dict[int, Tell] = {}
        self._health: dict[int, tuple[VenueHealth, datetime]] = {}
        self._reading: dict[int, tuple[OmsState, ReadScope, datetime]] = {}  # mass cancels, and until when

    def serve(self, tell: Tell, states: Iterable[OmsState]) -> None:
        """Have `tell` serve the venues of these OMSes, and begin with what is believed of them."""
        for state in states:
            oms_id = state.oms.oms_id
            self._serving[oms_id] = tell
            self._health.pop(oms_id, None)
            orders = [state.book[order_id] for order_id in state.book.open_ids()]
            for start in range(0, max(len(orders), 1), BELIEVED_MAX):
                part = tuple(orders[start : start + BELIEVED_MAX])
                self._put(tell, Believed(oms_id, part, last=start + BELIEVED_MAX >= len(orders)))
            for reading, ask, _ in self._reading.values():
                if reading is state:
                    self._put(tell, ask)

    def forget(self, tell: Tell) -> None:
        """The process behind `tell` is gone, and with it the venues that it served."""
        for oms_id in [oms_id for oms_id, serving in self._serving.items() if serving == tell]:
            del self._serving[oms_id]
            self._health.pop(oms_id, None)

    def health(self, health: VenueHealth, now: datetime) -> None:
        """How a venue is, as of `now`."""
        if health.oms_id in self._serving:
            self._health[health.oms_id] = health, now

    def status(self, oms_id: int, now: datetime) -> VenueHealth:
        """How the venue of an OMS outside this process is."""
        found = self._health.get(oms_id)
        if oms_id not in self._serving:
            return VenueHealth(0, oms_id, is_up=False, why="nothing in this gateway serves it")
        if found is None or now - found[1] > SILENT_FOR:
            return VenueHealth(0, oms_id, is_up=False, why="it is not known how it is")
        return found[0]

    def away(self, state: OmsState, decision: Decision, now: datetime) -> Refusal | None:
        """Why what was decided cannot be done now, its venue being out of reach; None when it can."""
        oms = state.oms
        if oms.is_embedded and not self._sandbox.is_away:
            return None
        entered = any(isinstance(event, OrderEntered) for event in decision.events)
        kinds = (CancelRequested, MassCancelRequested)
        if not entered and not any(isinstance(event, kinds) for event in decision.events):
            return None
        if oms.is_embedded:
            why = ""
        elif oms.waits_for_venue and not entered:
            return None
        else:
            status = self.status(oms.oms_id, now)
            if status.is_up:
                return None
            why = f" ({status.why})"
        text = f"the venue of OMS {oms.oms_id} is out of reach; nothing was sent to it{why}"
        return server_error(text, Failure.VENUE_AWAY)

    def carry_out(self, state: OmsState, decision: Decision, now: datetime) -> Sequence[OrderAnswer]:
        """Have the venue do what was decided and applied; what the sandbox answers at once."""
        if state.oms.is_embedded:
            return self._sandbox.cancel(decision.to_cancel)
        for event in decision.events:
            if isinstance(event, OrderEntered):
                self._ask(state, PlaceOrder(event.order))
            elif isinstance(event, MassCancelRequested):
                self.read(state, event.mass_cancel_id, event.selector, now)
        self.cancel(state, decision.to_cancel, None)
        return ()

    def cancel(self, state: OmsState, order_ids: Sequence[int], selector: CancelSelector | None) -> None:
        """Have the venue cancel these orders."""
        if order_ids:
            orders = tuple(state.book[order_id] for order_id in order_ids)
            if selector is not None and selector.session is not None:
                selector = None  # a venue knows nothing of our sessions: each order is named
            self._ask(state, CancelOrders(state.oms.oms_id, orders, selector))

    def read(self, state: OmsState, mass_cancel_id: int, selector: CancelSelector, now: datetime) -> None:
        """Have the venue say which orders it has within `selector`, in time."""
        ask = ReadScope(mass_cancel_id, replace(selector, session=None))
        self._reading[mass_cancel_id] = state, ask, now + state.oms.scope_timeout
        self._ask(state, ask)

    def learned(self, state: OmsState, order: Order) -> None:
        """An order that was entered on the venue is known from now on, under an id of ours."""
        self._ask(state, Believed(state.oms.oms_id, (order,), last=False))

    def was_read(self, mass_cancel_id: int) -> None:
        """What a mass cancel reaches is known, or is waited for no longer."""
        self._reading.pop(mass_cancel_id, None)

    def overdue(self, now: datetime) -> Iterator[tuple[OmsState, int]]:
        """The mass cancels whose scope was not read in time."""
        for mass_cancel_id, (state, _, until) in list(self._reading.items()):
            if now >= until:
                yield state, mass_cancel_id

    def is_due(self, now: datetime) -> bool:
        """Whether there is one."""
        return any(now >= until for _, _, until in self._reading.values())

    def _ask(self, state: OmsState, ask: VenueAsk) -> None:
        """Ask whoever serves the venue; without one it is found again when there is one."""
        tell = self._serving.get(state.oms.oms_id)
        if tell is not None:
            self._put(tell, ask)
