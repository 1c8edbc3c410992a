"""The end of a turn: what it changed is committed, and only then are reports and answers handed out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from fixgw.core.directory import Directory
from fixgw.core.reports import Again, Outgoing
from fixgw.engine.answers import Answers
from fixgw.engine.changes import Changes
from fixgw.engine.epochs import assign
from fixgw.engine.outbox import Outbox
from fixgw.engine.record import Record
from fixgw.engine.sandbox import Sandbox
from fixgw.engine.turn import SessionDoor
from fixgw.journal.contract import Assigned, Journal, Queued, SessionNumbers

SHARED_REPORTS = 20  # in a turn between whose reports others are answered: about a millisecond
SHARED_FOR = timedelta(milliseconds=100)  # after the last of them asked


class Delivery:
    """Commits to `journal` what was gathered in the other parts, and hands out what waits in them.

    `moved` are the sessions whose numbers moved, with the last inbound MsgSeqNum of each; `asking` those that
    a request of this turn came from.
    """

    def __init__(
        self,
        directory: Directory,
        journal: Journal,
        changes: Changes,
        outbox: Outbox,
        answers: Answers,
        record: Record,
        sandbox: Sandbox,
        now: datetime,
    ) -> None:
        self.moved: dict[str, int] = {}
        self.asking: set[str] = set()
        self._directory = directory
        self._journal = journal
        self._changes = changes
        self._outbox = outbox
        self._answers = answers
        self._record = record
        self._sandbox = sandbox
        self._is_shared_until = now

    def end_turn(
        self, door: SessionDoor, now: datetime, reports_per_turn: int, *, clean_stop: bool = False
    ) -> None:
        """Commit, and hand out `reports_per_turn` at most. Raises JournalError, having handed out nothing."""
        new = self._outbox.take_new()
        shares = self._outbox.share(self._reports_now(now, reports_per_turn))
        queued, assigned, sessions = [], [], []
        for session in dict.fromkeys((*shares, *new, *self.moved)):  # those with few reports first
            reports, count = new.get(session, []), shares.get(session, 0)
            numbers, block = self._number(session, reports, count, door)
            if reports:
                queued.append(Queued(session, numbers.queued - len(reports), reports))
            if block is not None:
                assigned.append(block)
            self._outbox.keep(numbers)
            sessions.append(numbers)
        batch = self._changes.take(now)
        if sessions or batch.entries or self._sandbox.changed or clean_stop:
            batch.queued, batch.assigned, batch.clean_stop = queued, assigned, clean_stop
            batch.sessions = sessions
            batch.sandbox = self._sandbox.state if self._sandbox.changed else None
            self._journal.commit(batch)
        self.moved.clear()
        self._sandbox.changed = False
        self._answers.hand_out()
        for block in assigned:
            door.send(block.session, self._reports(block), block.first_seq_num, block.at)
        self._record.write()

    def _number(
        self, session: str, reports: Sequence[object], count: int, door: SessionDoor
    ) -> tuple[SessionNumbers, Assigned | None]:
        """The numbers of a session after this turn, and the block of them that `count` reports get."""
        old = self._outbox.of(session)
        next_in, next_out = old.next_in, old.next_out
        if session in self._directory.sessions:
            next_in, next_out = door.numbers(session)
        numbers = replace(
            old,
            next_in=next_in,
            next_out=next_out + count,
            last_in=self.moved.get(session, old.last_in),
            queued=old.queued + len(reports),
        )
        if not count:
            return numbers, None
        at = door.sending_time()
        block, numbers = assign(numbers, next_out, count, at, is_away=door.is_away(session))
        return numbers, block

    def _reports_now(self, now: datetime, most: int) -> int:
        """How many reports this turn may send: few while others ask for answers between them."""
        if self._outbox.keeps_waiting(self.asking):
            self._is_shared_until = now + SHARED_FOR
        self.asking.clear()
        return min(most, SHARED_REPORTS) if now < self._is_shared_until else most

    def _reports(self, block: Assigned) -> Sequence[Outgoing]:
        if not block.again:
            return self._outbox.take(block.session, block.count)
        kept = self._journal.reports(block.session, block.position, block.count)
        return [Again(report) for report in kept]
