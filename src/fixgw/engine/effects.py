"""What an event does: the state changes, reports are queued, and the journal gets what it has to store."""

from collections.abc import Sequence
from datetime import datetime

from fixgw.core.decision import Decision
from fixgw.core.directory import Directory, PendingCancelReports
from fixgw.core.events import CancelRequested, Event, MassCancelAccepted, OrdersCanceled
from fixgw.core.order import Order
from fixgw.core.requests import ApiRequest, ClientRequest
from fixgw.core.state import OmsState, evolve
from fixgw.core.tell import Pending, tell
from fixgw.core.venue import decide_answers
from fixgw.engine.answers import Answers
from fixgw.engine.changes import Changes, Told, requester_of
from fixgw.engine.outbox import Outbox
from fixgw.engine.venues import Venues


def _always(_: str, __: int) -> bool:
    """Pending Cancel is to be reported: no end is known yet."""
    return True


class Effects:
    """Applies events. What comes of them waits in `changes`, `outbox` and `answers` for the commit."""

    def __init__(
        self, directory: Directory, changes: Changes, outbox: Outbox, answers: Answers, venues: Venues
    ) -> None:
        self._directory = directory
        self._changes = changes
        self._outbox = outbox
        self._answers = answers
        self._venues = venues

    def decided(
        self, state: OmsState, request: ClientRequest | ApiRequest, decision: Decision, at: datetime
    ) -> Sequence[Event]:
        """Do what was decided of `request` at `at` (aware UTC); all events, with those of a venue's answers.

        An embedded venue answers at once: then only the end of a cancel is told, and not that it is pending.
        """
        if request.session is not None:
            for reply in decision.replies:
                self._outbox.put(request.session, reply)
        changes = [(event, evolve(state, event)) for event in decision.events]
        answers = self._venues.carry_out(state, decision, at)
        ends = {answer.order_id for answer in answers} if answers else set()
        mass_cancel_id: int | None = None

        def shows_pending(session: str, order_id: int) -> bool:
            return order_id not in ends or self._wants_pending(session)

        for event, (before, after) in changes:
            if (
                ends
                and isinstance(event, CancelRequested)
                and not shows_pending(event.ref.session or "", event.order_id)
            ):
                self._changes.note(state, event, before, after)  # its end is told below, in this same turn
            else:
                self._applied(state, event, before, after, shows_pending)
            if after is None and isinstance(event, MassCancelAccepted):
                mass_cancel_id = event.mass_cancel_id
                self._answers.taken_on(state, event, ends)
        if not answers:
            return decision.events
        ended = list(decide_answers(state, answers, mass_cancel_id, at))
        for event in ended:
            self.happened(state, event)
        return (*decision.events, *ended)

    def _wants_pending(self, session: str) -> bool:
        """Whether Pending Cancel is reported to `session` also when the end is known already."""
        settings = self._directory.sessions.get(session)
        return settings is not None and settings.pending_cancel is PendingCancelReports.ALWAYS

    def happened(self, state: OmsState, event: Event) -> None:
        """Apply one event, and queue what is told of it."""
        before, after = evolve(state, event)
        self._applied(state, event, before, after)

    def _applied(
        self,
        state: OmsState,
        event: Event,
        before: Order | None,
        after: Order | None,
        shows_pending: Pending = _always,
    ) -> None:
        """Queue the reports of an event that was just applied, and note what the journal has to store."""
        changes = self._changes
        changes.note(state, event, before, after)
        last_exec_id = changes.last_exec_id
        reports = tell(
            state, event, before, after, next_exec_id=changes.next_exec_id, shows_pending=shows_pending
        )
        ref = requester_of(event, before)
        if isinstance(event, OrdersCanceled):
            self._answers.all_canceled(state, event, last_exec_id + 1)
        else:
            exec_id = changes.last_exec_id if changes.last_exec_id > last_exec_id else 0
            self._answers.happened(event, after, ref, exec_id)
        is_end_of_many = before is not None and ref is not None and ref.mass_cancel_id is not None
        if is_end_of_many or isinstance(event, OrdersCanceled):
            for session, report in reports:  # the answer of a mass cancel is its r, which was kept before
                self._outbox.put(session, report)
            return
        told: list[Told] = []
        for session, report in reports:
            position = self._outbox.put(session, report)
            if ref is None or session == ref.session:
                told.append((report, position))
        changes.remember(state, event, before, told)
