"""What the engine asks of a journal, whatever it is made of: commit a batch, load, look up, close.

Nothing here assumes a local file: the same contract can be kept by a replicated log.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from fixgw.core.book import Use
from fixgw.core.controls import Controls
from fixgw.core.events import Event
from fixgw.core.order import Order
from fixgw.core.reports import Outgoing, Report
from fixgw.core.requests import ApiRequest, ClientRequest, MassCancel, VenueOrders, VenueRequest
from fixgw.core.selector import CancelSelector


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says why. Nothing was acknowledged."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One request of a turn and what came of it: a line of the audit trail.

    `door` is fix, link, clock, or the dialect of the API. `msg_seq_num` is the inbound one in the epoch of
    the session; 0 and None for other doors. `errorcode` is 0 for a request that was not refused.
    """

    at: datetime
    door: str
    kind: str
    oms_id: int
    user_id: int
    rule: str
    errorcode: int
    events: Sequence[Event]
    session: str | None = None
    epoch: int = 0
    msg_seq_num: int = 0
    cl_ord_id: str | None = None
    request: ClientRequest | ApiRequest | VenueRequest | VenueOrders | None = None


class UsedId(Struct, frozen=True):
    """A client order id and the request that used it."""

    oms_id: int
    cl_ord_id: str
    use: Use


class MassCancelRow(Struct, frozen=True):
    """How far a mass cancel is. `not_affected` are pairs (order id, ClOrdID). Its orders are not known until
    it is `accepted`."""

    oms_id: int
    mass_cancel_id: int
    request: MassCancel
    left: int
    canceled: int
    not_affected: tuple[tuple[int, str | None], ...]
    selector: CancelSelector
    accepted: bool = True

    @property
    def is_done(self) -> bool:
        """Whether the end of every order in it is known."""
        return self.accepted and self.left == 0


class Queued(Struct, frozen=True):
    """Reports put into a session's outbox: the first has the position `position`, the others follow."""

    session: str
    position: int
    reports: Sequence[Report]


class Assigned(Struct, frozen=True):
    """`count` reports from `position` on carry the outbound MsgSeqNums from `first_seq_num` on.

    `at` is their SendingTime(52), aware UTC: it is decided with their numbers, so that a copy has it too.
    With `again` they had numbers in an earlier epoch, and go out with PossResend(97)=Y.
    """

    session: str
    epoch: int
    first_seq_num: int
    position: int
    count: int
    at: datetime
    again: bool = False


class Sent(Struct, frozen=True):
    """A report with its outbound MsgSeqNum and its SendingTime(52), aware UTC."""

    seq_num: int
    at: datetime
    report: Outgoing


class Reset(StrEnum):
    """How far a reset of a session's numbers is."""

    NONE = ""
    DUE = "due"  # the epoch has begun, QuickFIX's store is still the old one's
    ANEW = "anew"  # we began it, and the client has not logged on since


class SessionNumbers(Struct, frozen=True, omit_defaults=True):
    """The numbers of a session.

    `next_in` and `next_out` are its next MsgSeqNums, `last_in` is that of the last request processed;
    all three begin anew with each `epoch`. `queued` and `sent` are outbox positions, which never do:
    reports from `sent` up to before `queued` have no MsgSeqNum yet.

    `began` is when the epoch did (aware UTC; None for the first). `undelivered` are blocks (MsgSeqNum,
    position, count) that were sent while the client was away and that it has not asked for since; `again`
    are blocks (position, count) of earlier epochs that have to be sent in this one, before all others. While
    it is `disabled` its client may not log on.
    """

    name: str
    epoch: int = 1
    next_in: int = 1
    next_out: int = 1
    last_in: int = 0
    queued: int = 0
    sent: int = 0
    began: datetime | None = None
    undelivered: tuple[tuple[int, int, int], ...] = ()
    again: tuple[tuple[int, int], ...] = ()
    reset: Reset = Reset.NONE
    disabled: bool = False


class Counters(Struct, frozen=True):
    """The next ids to be given out."""

    next_id: int = 1
    next_exec_id: int = 1


class SandboxState(Struct, frozen=True):
    """What the sandbox was told: whether it holds cancels, which orders' cancels it refuses and why, and
    whether it is out of reach."""

    holds: bool = False
    refusing: dict[int, str] = {}
    is_away: bool = False


class Batch(Struct):
    """Everything that one turn of the engine changes; committed as a whole or not at all.

    The sequences have any length. `orders` are stored as they stand; `canceled` are ids of orders that were
    stored by an earlier batch and to which nothing happened since but that they were canceled, at the time
    `at`. `day_starts` are pairs (OMS id, last end of day passed), `controls` pairs (OMS id, all that
    is in force).
    """

    entries: Sequence[Entry] = ()
    orders: Sequence[Order] = ()
    canceled: Sequence[int] = ()
    at: datetime | None = None
    used_ids: Sequence[UsedId] = ()
    mass_cancels: Sequence[MassCancelRow] = ()
    queued: Sequence[Queued] = ()
    assigned: Sequence[Assigned] = ()
    sessions: Sequence[SessionNumbers] = ()
    day_starts: Sequence[tuple[int, datetime]] = ()
    controls: Sequence[tuple[int, Controls]] = ()
    counters: Counters | None = None
    sandbox: SandboxState | None = None
    clean_stop: bool = False


class Loaded(Struct):
    """What a start needs: open orders, recent closed ones, recent ids, unfinished work, all numbers.

    `outbox` maps a session to its reports that have no MsgSeqNum yet, in order. `complete` says
    whether every id used since the day began is there; if not, the journal has to be asked. `last_at` is the
    time (aware UTC) of the last turn. `controls` maps OMS ids to what is in force there.
    """

    orders: list[Order]
    used_ids: list[UsedId]
    mass_cancels: list[MassCancelRow]
    sessions: dict[str, SessionNumbers]
    outbox: dict[str, list[Report]]
    day_starts: dict[int, datetime]
    counters: Counters
    sandbox: SandboxState
    clean_stop: bool
    complete: bool
    last_at: datetime | None = None
    controls: dict[int, Controls] = {}


class JournalStatus(Struct, frozen=True):
    """How far a journal is: the number of its last turn, how many of them are not folded in, when it was."""

    last_turn: int
    turns_not_folded: int
    last_commit_at: datetime | None


class Journal(Protocol):
    """The contract. Every method raises JournalError when the journal does not work."""

    @property
    def status(self) -> JournalStatus:
        """How far it is, without asking the disk."""
        ...

    @property
    def settled(self) -> datetime:
        """What was committed before this time is seen by `order`, `orders_named` and `uses`; later maybe."""
        ...

    def commit(self, batch: Batch) -> None:
        """Make `batch` durable as a whole before returning."""
        ...

    def load(self, *, since: datetime, closed_max: int) -> Loaded:
        """What a start needs; of closed orders and used ids those since `since`, `closed_max` at most."""
        ...

    def order(self, order_id: int) -> Order | None:
        """The order with this id, however old."""
        ...

    def orders_named(self, oms_id: int, cl_ord_id: str) -> list[Order]:
        """The orders that ever had this ClOrdID on this OMS, oldest first (0 or more)."""
        ...

    def uses(self, oms_id: int, cl_ord_id: str) -> list[Use]:
        """The other uses of this id on this OMS, oldest first (0 or more)."""
        ...

    def reports(self, session: str, position: int, count: int) -> list[Report]:
        """`count` reports of the session's outbox from `position` on, in order; fewer if there are fewer."""
        ...

    def assigned(self, session: str, epoch: int, first: int, last: int) -> list[Assigned]:
        """The blocks (any number) with MsgSeqNums of `epoch` from `first` to `last`, cut at both ends."""
        ...

    def sent(self, session: str, epoch: int, first: int, last: int) -> list[Sent]:
        """The reports (any number) with MsgSeqNums of `epoch` from `first` to `last`, in order."""
        ...

    def close(self) -> None:
        """Give up the journal's resources."""
        ...
