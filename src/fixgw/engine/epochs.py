"""Epochs: when the sequence numbers of a session begin anew, and what is not lost by it.

A reset is committed before QuickFIX's store is wiped, or, when the client asks for it with
ResetSeqNumFlag(141)=Y and QuickFIX has wiped the store already, before QuickFIX answers. So after a crash at
any point the journal says which numbers count. Reports that were sent while the client was away, and that it
has not asked for since, are undelivered: they go out in the new epoch, first, with PossResend(97)=Y.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from msgspec.structs import replace

from fixgw.engine.outbox import Outbox
from fixgw.engine.turn import SessionDoor
from fixgw.journal.contract import Assigned, Reset, SessionNumbers

_LAST = 2**63  # above every MsgSeqNum

Commit = Callable[[Sequence[SessionNumbers], datetime], None]


class Epochs:
    """Begins epochs. `schedule` maps a session to the time of day (UTC) of its reset.

    `commit` journals numbers; every method that changes some raises its JournalError.
    """

    def __init__(self, outbox: Outbox, schedule: Mapping[str, time], commit: Commit, now: datetime) -> None:
        self._outbox = outbox
        self._schedule = schedule
        self._commit = commit
        self._next: dict[str, datetime] = {}
        for session in schedule:
            numbers = outbox.of(session)
            if numbers.began is None:  # its first start: nothing is due before the next time of day
                outbox.keep(replace(numbers, began=now))
            self._plan(session)

    def _plan(self, session: str) -> None:
        began = self._outbox.of(session).began
        if session in self._schedule and began is not None:
            due = datetime.combine(began.astimezone(UTC).date(), self._schedule[session], tzinfo=UTC)
            self._next[session] = due if due > began else due + timedelta(days=1)

    def due(self, now: datetime) -> list[str]:
        """The sessions whose scheduled reset has come, or was missed (`now` is aware UTC)."""
        return [session for session, due in self._next.items() if now >= due]

    def begin(self, session: str, now: datetime) -> int:
        """Commit that the client has begun anew; the new epoch. QuickFIX has wiped its store already."""
        return self._begin(session, now, Reset.NONE)

    def reset(self, session: str, now: datetime, door: SessionDoor) -> int:
        """Begin anew by our own will: log the client out, wipe the store; the new epoch."""
        self._begin(session, now, Reset.DUE)
        return self.finish(session, now, door)

    def finish(self, session: str, now: datetime, door: SessionDoor) -> int:
        """Do the second half of a reset that is committed: until then QuickFIX's store is the old epoch's."""
        numbers = self._outbox.of(session)
        door.reset(session, numbers.epoch)
        self._change(replace(numbers, reset=Reset.ANEW), now)
        return numbers.epoch

    def _begin(self, session: str, now: datetime, reset: Reset) -> int:
        old = self._outbox.of(session)
        again = sorted([*old.again, *((position, count) for _, position, count in old.undelivered)])
        new = SessionNumbers(
            session,
            old.epoch + 1,
            queued=old.queued,
            sent=old.sent,
            began=now,
            again=tuple(again),
            reset=reset,
            disabled=old.disabled,
        )
        self._change(new, now)
        self._plan(session)
        return new.epoch

    def _change(self, numbers: SessionNumbers, now: datetime) -> None:
        self._commit([numbers], now)
        self._outbox.keep(numbers)

    def is_anew(self, session: str) -> bool:
        """Whether we began anew and the client has not logged on since.

        Then its Logon must begin at 1 too: one that goes on with old numbers would be asked to send all of
        its old messages again, and they would be taken for new ones.
        """
        return self._outbox.of(session).reset is Reset.ANEW

    def logged_on(self, session: str, now: datetime) -> None:
        """The client has logged on."""
        numbers = self._outbox.of(session)
        if numbers.reset is Reset.ANEW:
            self._change(replace(numbers, reset=Reset.NONE), now)

    def resent(self, session: str, begin: int, end: int) -> None:
        """The client was sent the MsgSeqNums from `begin` to `end` (0: to the last) again.

        It is committed with the next turn; lost before that, some reports are sent once more, marked as such.
        """
        numbers = self._outbox.of(session)
        if numbers.undelivered:
            left = tuple(without(numbers.undelivered, begin, end or _LAST))
            self._outbox.keep(replace(numbers, undelivered=left))

    def not_sent(self, session: str, blocks: Sequence[Assigned]) -> None:
        """A crash came between the numbers of these blocks (any number) and their sending."""
        numbers = self._outbox.of(session)
        undelivered = numbers.undelivered
        for block in blocks:
            undelivered = with_block(undelivered, block)
        self._outbox.keep(replace(numbers, undelivered=undelivered))


Blocks = tuple[tuple[int, int, int], ...]


def assign(
    numbers: SessionNumbers, first_seq_num: int, count: int, at: datetime, *, is_away: bool
) -> tuple[Assigned, SessionNumbers]:
    """Give the next `count` reports of a session the MsgSeqNums from `first_seq_num` on; its new numbers.

    `at` is their SendingTime(52), aware UTC. What an earlier epoch left comes before everything else. `count`
    may not be more than its first block.
    """
    name, epoch = numbers.name, numbers.epoch
    if numbers.again:
        (position, size), *rest = numbers.again
        block = Assigned(name, epoch, first_seq_num, position, count, at, again=True)
        left = ((position + count, size - count), *rest) if count < size else tuple(rest)
        numbers = replace(numbers, again=left)
    else:
        block = Assigned(name, epoch, first_seq_num, numbers.sent, count, at)
        numbers = replace(numbers, sent=numbers.sent + count)
    if is_away:
        numbers = replace(numbers, undelivered=with_block(numbers.undelivered, block))
    return block, numbers


def with_block(undelivered: Blocks, block: Assigned) -> Blocks:
    """`undelivered` and one more block: joined to the last one where it follows on from it."""
    if undelivered:
        first, position, count = undelivered[-1]
        if (first + count, position + count) == (block.first_seq_num, block.position):
            return (*undelivered[:-1], (first, position, count + block.count))
        if block.first_seq_num < first + count:
            return undelivered  # it is in there already
    return (*undelivered, (block.first_seq_num, block.position, block.count))


def without(undelivered: Blocks, begin: int, end: int) -> list[tuple[int, int, int]]:
    """`undelivered` (any number of blocks) without the MsgSeqNums from `begin` to `end`."""
    left = []
    for first, position, count in undelivered:
        before = min(max(begin - first, 0), count)
        after = min(max(first + count - 1 - end, 0), count)
        if before + after >= count:
            left.append((first, position, count))
            continue
        if before:
            left.append((first, position, before))
        if after:
            left.append((first + count - after, position + count - after, after))
    return left
