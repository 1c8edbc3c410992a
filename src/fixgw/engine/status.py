"""How the gateway is: what `fixgw status` shows, and `--json` prints under the same names."""

from datetime import datetime, time

from msgspec import Struct

from fixgw.core.selector import CancelSelector
from fixgw.journal.contract import JournalStatus


class OmsStatus(Struct, frozen=True):
    """The orders of one OMS, counted."""

    oms_id: int
    name: str
    open_orders: int
    pending_cancels: int


class ConnectionStatus(Struct, frozen=True):
    """A client's connection as the edge last reported it: counts since its Logon, `backlog` in bytes.

    The rates are messages per second between the last two reports.
    """

    address: str
    certificate: str
    since: datetime
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    messages_in_per_second: float
    messages_out_per_second: float
    backlog: int


class SessionStatus(Struct, frozen=True):
    """A configured session. `next_in` and `next_out` are its next MsgSeqNums.

    `undelivered` counts the reports that its client has not asked for yet, or that have no MsgSeqNum yet.
    """

    name: str
    is_logged_on: bool
    is_disabled: bool
    epoch: int
    next_in: int
    next_out: int
    undelivered: int
    reset_at: time | None
    connection: ConnectionStatus | None


class VenueStatus(Struct, frozen=True):
    """A venue outside this gateway. `why` is empty while it `is_up`; its last answer took `seconds`.

    `waiting` counts what it was asked and has not answered, `unknown` the outcomes that are not known.
    """

    name: str
    oms_id: int
    is_up: bool
    why: str
    seconds: float
    waiting: int
    unknown: int
    open_orders: int
    pending_cancels: int


class LockStatus(Struct, frozen=True):
    """A lock on new orders; `by` says in words who locked."""

    oms_id: int
    lock_id: int
    scope: CancelSelector
    by: str
    since: datetime


class TimerStatus(Struct, frozen=True):
    """A timer that ends in a mass cancel: `kind` is "dead man" or "disconnect"; `due_at` is aware UTC."""

    oms_id: int
    kind: str
    session: str
    scope: CancelSelector
    due_at: datetime
    locks: bool


class GatewayStatus(Struct, frozen=True):
    """The gateway. `since` is the engine's start; the edge's last report is `edge_report_age` seconds old.

    `guarded` are the sessions whose orders are canceled when their client, which is there, is gone.
    """

    version: str
    since: datetime
    omses: tuple[OmsStatus, ...]
    journal: JournalStatus
    edge_report_age: float | None
    sessions: tuple[SessionStatus, ...]
    venues: tuple[VenueStatus, ...] = ()
    locks: tuple[LockStatus, ...] = ()
    timers: tuple[TimerStatus, ...] = ()
    guarded: tuple[str, ...] = ()
