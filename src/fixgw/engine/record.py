"""What the requests of a turn came to: an entry in the audit trail and a line in the log for each of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import perf_counter_ns

from fixgw.core.controls import Timer
from fixgw.core.decision import Decision
from fixgw.core.events import Event
from fixgw.core.requests import ApiRequest, ClientRequest, RequestKind, VenueOrders, VenueRequest
from fixgw.engine.changes import Changes
from fixgw.engine.turn import Arrival, Ask, Line, RequestLine
from fixgw.journal.contract import Entry

CHANGING = {
    RequestKind.NEW_ORDER_SINGLE,
    RequestKind.ORDER_CANCEL_REQUEST,
    RequestKind.ORDER_MASS_CANCEL_REQUEST,
}
"""What is asked over the API is journaled when it can change something; FIX counts all its messages."""


class Record:
    """Gathers entries in `changes`, and lines until `write` is called. `log` takes the lines of a turn.

    `started` is when the work on a request began, in nanoseconds of perf_counter.
    """

    def __init__(self, changes: Changes, log: Callable[[list[Line]], None]) -> None:
        self._changes = changes
        self._log = log
        self._lines: list[Line] = []

    def arrival(
        self,
        arrival: Arrival,
        oms_id: int,
        decision: Decision,
        events: Sequence[Event],
        at: datetime,
        started: int,
    ) -> None:
        """A request that came over FIX."""
        request = arrival.request
        self._changes.entries.append(
            Entry(
                at,
                "fix",
                arrival.msg_type,
                oms_id,
                request.user_id,
                decision.rule,
                0 if decision.refusal is None else decision.refusal.code.value,
                events,
                arrival.session,
                arrival.epoch,
                arrival.msg_seq_num,
                request.cl_ord_id,
                request,
            )
        )
        self._request(
            arrival.session, arrival.msg_seq_num, arrival.msg_type, request, decision, at=at, started=started
        )

    def ask(
        self, ask: Ask, oms_id: int, decision: Decision, events: Sequence[Event], at: datetime, started: int
    ) -> None:
        """A request that came over the API."""
        request = ask.request
        kind = request.kind.value
        if request.kind in CHANGING:
            self._changes.entries.append(
                Entry(
                    at,
                    ask.door,
                    kind,
                    oms_id,
                    request.user_id,
                    decision.rule,
                    0 if decision.refusal is None else decision.refusal.code.value,
                    events,
                    cl_ord_id=request.cl_ord_id,
                    request=request,
                )
            )
        self._request(ask.door, 0, kind, request, decision, at=at, started=started)

    def timer(
        self,
        timer: Timer,
        oms_id: int,
        decision: Decision,
        events: Sequence[Event],
        at: datetime,
        started: int,
    ) -> None:
        """What a timer asked that ran out."""
        request, kind = timer.request, timer.request.kind.value
        self._changes.entries.append(
            Entry(
                at,
                "clock",
                kind,
                oms_id,
                request.user_id,
                decision.rule,
                0,
                events,
                cl_ord_id=request.cl_ord_id,
                request=request,
            )
        )
        self._request(timer.session, 0, kind, request, decision, at=at, started=started)

    def other(
        self,
        door: str,
        kind: str,
        oms_id: int,
        events: Sequence[Event],
        at: datetime,
        request: VenueRequest | VenueOrders | None = None,
    ) -> None:
        """Something that no client asked for: a venue's word, or that time has passed. It has no line."""
        entry = Entry(at, door, kind, oms_id, 0, door, 0, events, request=request)
        self._changes.entries.append(entry)

    def line(self, event: str, at: datetime, **what: object) -> None:
        """A line for the log."""
        self._lines.append({"at": at, "event": event, "level": "info", **what})

    def _request(
        self,
        session: str,
        msg_seq_num: int,
        msg_type: str,
        request: ClientRequest | ApiRequest,
        decision: Decision,
        *,
        at: datetime,
        started: int,
    ) -> None:
        refusal = decision.refusal
        code, detail = (0, "") if refusal is None else (refusal.code.value, refusal.detail)
        self._lines.append(
            RequestLine(
                at,
                "info",
                "request",
                session,
                msg_seq_num,
                msg_type,
                request.user_id,
                request.cl_ord_id,
                "refused" if code else "accepted",
                decision.rule,
                len(decision.to_cancel),
                (perf_counter_ns() - started) // 1000,
                code,
                detail,
            )
        )

    def write(self) -> None:
        """Log the lines: what they say is committed."""
        if self._lines:
            self._log(self._lines)
            self._lines = []
