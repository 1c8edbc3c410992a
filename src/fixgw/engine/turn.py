"""What a turn of the desk takes and gives: arrivals, commands, its bounds, the door, log lines."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from fixgw.core.errors import Refusal
from fixgw.core.events import Event
from fixgw.core.order import CancelRef, Order
from fixgw.core.reports import Outgoing
from fixgw.core.requests import ApiRequest, ClientRequest, VenueRequest
from fixgw.engine.sandbox import SandboxCommand

CONSOLE = "console"  # the door of whoever runs the gateway: commands on its own machine
DISABLED = "session disabled by the operator"  # what the client is told, at its Logout and at a Logon


class Arrival(Struct, frozen=True, gc=False):
    """A request of a FIX client as it came in: `msg_seq_num` in the session's `epoch`."""

    session: str
    epoch: int
    msg_seq_num: int
    msg_type: str
    request: ClientRequest


class Way(StrEnum):
    """How a client came or went."""

    LOGGED_ON = "logged on"
    LOGGED_OUT = "logged out"  # with a Logout of its own
    DISCONNECTED = "disconnected"


class Presence(Struct, frozen=True, gc=False):
    """The client of a session came or went; it stands among its requests in their order.

    `asked` is CancelOrdersOnDisconnect(8013) of its Logon.
    """

    session: str
    way: Way
    asked: str | None = None


class ReleaseLock(Struct, frozen=True, tag=True, array_like=True):
    """Take the lock on new orders with this id away. `by` is who says so."""

    lock_id: int
    by: str


class ResetSession(Struct, frozen=True, tag=True, array_like=True):
    """Have the sequence numbers of this session begin anew."""

    session: str


class DisableSession(Struct, frozen=True, tag=True, array_like=True):
    """Log the client of this session out, and take no Logon until it is enabled. `by` is who says so."""

    session: str
    by: str


class EnableSession(Struct, frozen=True, tag=True, array_like=True):
    """Take Logons of this session again. `by` is who says so."""

    session: str
    by: str


class LogoutSession(Struct, frozen=True, tag=True, array_like=True):
    """Log the client of this session out; it may come back at once. `by` is who says so."""

    session: str
    by: str


SessionCommand = ResetSession | DisableSession | EnableSession | LogoutSession


class Status(Struct, frozen=True, tag=True, array_like=True):
    """Ask how the gateway is."""


class EdgeSession(Struct, frozen=True, array_like=True):
    """A connection of a client that is logged on, as the edge sees it; all counts are since its Logon.

    `certificate` is the name in the client's certificate, empty without one. `since` is aware UTC. `backlog`
    is how many bytes wait because the client reads too slowly.
    """

    name: str
    address: str
    certificate: str
    since: datetime
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    backlog: int


class EdgeReport(Struct, frozen=True, tag=True, array_like=True):
    """What the edge says each second: the connections that it has. It is told which sessions are disabled."""

    sessions: tuple[EdgeSession, ...]


class Ring(Struct, frozen=True, tag=True, array_like=True):
    """The edge has just sent something over FIX to an engine that may be asleep. It gets no answer."""


class Ask(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A request of an API client. `number` comes back in its answer; `door` is the dialect that it is in."""

    number: int
    door: str
    request: ApiRequest


class WatchOrders(Struct, frozen=True, tag=True, array_like=True):
    """From now on tell this connection what happens to the orders of these accounts (any number of ids).

    It replaces what the connection watched before, and is answered by `Answered`.
    """

    number: int
    accounts: frozenset[int]


class Answered(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The answer to the `Ask` of the same `number`, after everything that it says was committed.

    `refusal` is there when the whole request was refused. `orders` are: the order entered or canceled, the
    orders asked for, or with a refusal the one that was meant, where that is certain; each as it stood right
    after the request. Of a mass cancel each order taken on is in one of three: `canceled`, `pending` (ids;
    the end is not known yet), or `refused`, pairs of an id and why; of the cancel of one order, too, that is
    why the venue refused it at once. Of venues' words `refused` are those that cannot be, with the id of the
    order that each is about (0 for none).
    """

    number: int
    refusal: Refusal | None = None
    orders: tuple[Order, ...] = ()
    canceled: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    refused: tuple[tuple[int, Refusal], ...] = ()


class Happened(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """What happened to an order that is watched: `event`, and the `order` as it stood right after.

    An order that a mass cancel took on, and that did not end at once, is told of by a `CancelRequested`.
    `cancel` is the cancel that the event ended or that it began. `exec_id` is the ExecID(17), 0 when the
    event is none of an execution.
    """

    event: Event
    order: Order
    cancel: CancelRef | None = None
    exec_id: int = 0


class Command(Struct):
    """A venue's word, or an order to the sandbox, about a session, or about a lock, from the link.

    `answer` is told what became of it.
    """

    said: VenueRequest | SandboxCommand | SessionCommand | ReleaseLock
    answer: Callable[[Refusal | None], None]


class SessionDoor(Protocol):
    """What the desk needs of the door that sends to FIX sessions."""

    def numbers(self, session: str) -> tuple[int, int]:
        """The next inbound and the next outbound MsgSeqNum of `session`."""
        ...

    def sending_time(self) -> datetime:
        """The SendingTime(52) of what would be sent now (aware UTC)."""
        ...

    def send(self, session: str, reports: Sequence[Outgoing], first_seq_num: int, at: datetime) -> None:
        """Send `reports`, which are journaled as carrying the numbers from `first_seq_num` on, and `at`."""
        ...

    def is_away(self, session: str) -> bool:
        """Whether the client is logged off, so that what is sent only waits for it."""
        ...

    def reset(self, session: str, epoch: int) -> None:
        """Log the client out and have its numbers begin anew at 1; from now on it is `epoch`."""
        ...

    def log_out(self, session: str, why: str) -> None:
        """Send the client, if it is there, a Logout with Text(58)=`why`, and end its connection."""
        ...


class Limits(Struct, frozen=True):
    """The desk's bounds. `closed_for` and `closed_max` (a count) bound how long closed orders are known."""

    reports_per_turn: int = 500
    expire_per_turn: int = 500
    closed_for: timedelta = timedelta(hours=24)
    closed_max: int = 200_000


class RequestLine(Struct, gc=False):
    """The log line of one request: who asked what, what was decided by which rule, in how many microseconds.

    `orders` counts those taken on. `errorcode` is 0 and `detail` empty when it was not refused.
    """

    at: datetime
    level: str
    event: str
    session: str
    msg_seq_num: int
    msg_type: str
    user: int
    cl_ord_id: str | None
    decision: str
    rule: str
    orders: int
    micros: int
    errorcode: int
    detail: str


Line = RequestLine | dict[str, object]
"""A line for the log, of a request or of anything else."""
