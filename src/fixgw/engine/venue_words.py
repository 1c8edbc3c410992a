"""What venues say: each word becomes the events that are missing, or a refusal that says why it cannot be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import structlog

from fixgw.core.errors import Failure, Refusal, Subject, not_found, server_error
from fixgw.core.events import ControlAnswered, Event, MassCancelRefused, OrderEntered, OrdersCanceled
from fixgw.core.oms import accept_mass_cancel
from fixgw.core.requests import ScopeRead, VenueOrder, VenueOrders, VenueRequest
from fixgw.core.state import OmsState
from fixgw.core.venue import decide_venue, ends_of
from fixgw.engine.answers import Answers
from fixgw.engine.changes import Changes
from fixgw.engine.record import Record
from fixgw.engine.venues import Venues

log = structlog.get_logger("fixgw.desk")


class VenueWords:
    """Takes them. `happened` applies an event, and queues what is told of it."""

    def __init__(
        self,
        states: Mapping[int, OmsState],
        changes: Changes,
        record: Record,
        answers: Answers,
        venues: Venues,
        happened: Callable[[OmsState, Event], None],
    ) -> None:
        self._states = states
        self._changes = changes
        self._record = record
        self._answers = answers
        self._venues = venues
        self._happened = happened

    def state_of(self, order_id: int) -> OmsState | None:
        """The state of the OMS that knows this order."""
        return next((state for state in self._states.values() if state.book.get(order_id) is not None), None)

    def heard(self, words: Iterable[VenueRequest], door: str, at: datetime) -> list[tuple[int, Refusal]]:
        """Venues said `words`, one after the other, at the time `at` (aware UTC), through `door`.

        Those that cannot be, each with the id of the order that it is about (0 for none), and why.
        """
        refused: list[tuple[int, Refusal]] = []
        for ended, run in groupby(words, self._ended_by):
            if ended is not None:
                ends = {word.order_id: word for word in run if isinstance(word, VenueOrder)}
                self._ended_together(*ended, ends, door, at)
                continue
            for word in run:
                if (refusal := self.said(word, door, at)) is not None:
                    refused.append((getattr(word, "order_id", 0), refusal))
        return refused

    def _ended_by(self, word: VenueRequest) -> tuple[OmsState, int] | None:
        """The OMS and the mass cancel of which a word ends an order, and says nothing else; else None."""
        if not isinstance(word, VenueOrder):
            return None
        state = self._states.get(word.oms_id)
        mass_cancel_id = None if state is None else ends_of(state, word)
        return None if state is None or mass_cancel_id is None else (state, mass_cancel_id)

    def _ended_together(
        self,
        state: OmsState,
        mass_cancel_id: int,
        ends: Mapping[int, VenueOrder],
        door: str,
        at: datetime,
    ) -> None:
        """Apply that these orders of a mass cancel are canceled."""
        event = OrdersCanceled(mass_cancel_id, tuple(ends), at)
        self._happened(state, event)
        said = VenueOrders(tuple(ends.values()))
        self._record.other(door, VenueOrder.__name__, state.oms.oms_id, (event,), at, said)
        self._record.line(
            "venue", at, said=VenueOrder.__name__, mass_cancel_id=mass_cancel_id, orders=len(ends)
        )

    def said(self, said: VenueRequest, door: str, at: datetime) -> Refusal | None:
        """A venue said so at the time `at` (aware UTC), through `door`; why that cannot be, if it cannot."""
        if isinstance(said, VenueOrder | ScopeRead):
            state, missing = self._states.get(said.oms_id), f"OMS {said.oms_id} is unknown"
        else:
            state, missing = self.state_of(said.order_id), f"order {said.order_id} is unknown"
        if state is None:
            return not_found(missing, Subject.ORDER)
        if isinstance(said, ScopeRead):
            return self.scope_read(state, said, door, at)
        try:
            events = decide_venue(state, said, at, self._changes.next_id)
        except Exception:
            return _our_mistake(said)
        if isinstance(events, Refusal):
            return events
        self._changed(state, events, said, door, at)
        return None

    def scope_read(self, state: OmsState, said: ScopeRead, door: str, at: datetime) -> Refusal | None:
        """What a mass cancel reaches is known now: take these orders on, or refuse it as a whole."""
        try:
            found = accept_mass_cancel(state, said.mass_cancel_id, at)
        except Exception:
            return _our_mistake(said)
        if found is None:
            return not_found(f"no mass cancel {said.mass_cancel_id} waits", Subject.ORDER)
        self._venues.was_read(said.mass_cancel_id)
        if said.refused is not None:
            locked = " and new orders stay locked" if state.controls.lock(said.mass_cancel_id) else ""
            why = f"nothing was sent to the venue{locked}: {said.refused}"
            refusal = server_error(why, Failure.VENUE_AWAY)
            self._changed(state, (MassCancelRefused(said.mass_cancel_id, refusal, at),), said, door, at)
            self._answers.mass_cancel_refused(said.mass_cancel_id, refusal)
            return None
        accepted, selector = found
        self._changed(state, (accepted,), said, door, at)
        if isinstance(accepted, ControlAnswered):
            return None
        self._answers.taken_on(state, accepted, ())
        self._answers.mass_cancel_accepted(accepted)
        self._venues.cancel(state, accepted.order_ids, selector)
        return None

    def _changed(
        self, state: OmsState, events: Sequence[Event], said: VenueRequest, door: str, at: datetime
    ) -> None:
        """Apply what a venue's word led to, if it was any news."""
        for event in events:
            self._happened(state, event)
            if isinstance(event, OrderEntered):
                self._venues.learned(state, event.order)
        if events:
            kind = type(said).__name__
            self._record.other(door, kind, state.oms.oms_id, events, at, said)
            order_id = getattr(said, "order_id", 0)
            self._record.line("venue", at, said=kind, order_id=order_id, events=len(events))


def _our_mistake(said: VenueRequest) -> Refusal:
    """The answer when nothing could be decided. Once it is being applied, a mistake ends the engine."""
    log.exception("our mistake", said=repr(said))
    return server_error("an internal error; nothing was changed")
