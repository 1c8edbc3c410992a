"""The reference configuration as a Directory, and small factories: every test changes one thing of them.

User 37 trades accounts 14 and 15, his colleague 38 account 14, the stranger 39 account 16; user 1 is an
operator, 50 reads account 14, and 60 has no permission at all. Order 1 is user 37's in account 14.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from fixgw.core.decision import Asking, Decision
from fixgw.core.directory import (
    Account,
    CancelScope,
    DefaultScope,
    Directory,
    Instrument,
    InstrumentName,
    Oms,
    Permission,
    Session,
    User,
)
from fixgw.core.errors import Refusal, invalid
from fixgw.core.events import Event, MassCancelAccepted, OrdersCanceled, single
from fixgw.core.oms import decide
from fixgw.core.order import TRANSITIONS, CancelRef, Order, OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import Report
from fixgw.core.requests import (
    CancelOrder,
    Malformed,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderAnswer,
    OrderStatus,
    RequestKind,
    VenueRequest,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.state import OmsState, evolve
from fixgw.core.tell import Told, tell
from fixgw.core.venue import decide_answers, decide_venue

DAY_START = datetime(2024, 3, 5, tzinfo=UTC)
AT = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
YESTERDAY = AT - timedelta(days=1)
SECOND = timedelta(seconds=1)

TRADER, COLLEAGUE, STRANGER, OPERATOR, READER, NOBODY, UNKNOWN_USER = 37, 38, 39, 1, 50, 60, 999
SHARED, PRIVATE, FOREIGN, UNKNOWN_ACCOUNT = 14, 15, 16, 99
BTC_USD, ETH_USD, BTC_PERP = 25, 26, 27

SESSIONS = {
    TRADER: "TRADER37",
    COLLEAGUE: "TRADER38",
    STRANGER: "TRADER39",
    OPERATOR: "OPERATOR1",
    READER: "READER50",
    NOBODY: "NOBODY60",
}

BTC = InstrumentName("BTC-USD")
ALL = Scope(ScopeType.ALL)

OMSES = (Oms(1, "SANDBOX"),)
INSTRUMENTS = (
    Instrument(BTC_USD, 1, "BTC-USD", "BTC", "4", "FOR", "IFXXXP", "DAY"),
    Instrument(ETH_USD, 1, "ETH-USD", "ETH", "4", "FOR", "IFXXXP", "DAY"),
    Instrument(BTC_PERP, 1, "BTC-PERP", "BTC", "12", "FUT", "FFSCSX", "EVENING"),
)
ACCOUNTS = (Account(SHARED, 1), Account(PRIVATE, 1), Account(FOREIGN, 1))


def _user(user_id: int, accounts: Iterable[int], default: int | None, *permissions: Permission) -> User:
    return User(user_id, frozenset({1}), frozenset(accounts), frozenset(permissions), default)


USERS = (
    _user(TRADER, (SHARED, PRIVATE), SHARED, Permission.TRADING),
    _user(COLLEAGUE, (SHARED,), SHARED, Permission.TRADING),
    _user(STRANGER, (FOREIGN,), FOREIGN, Permission.TRADING),
    _user(OPERATOR, (), None, Permission.OPERATOR),
    _user(READER, (SHARED,), SHARED, Permission.ACCOUNT_READ_ONLY),
)
REFERENCE_SESSIONS = tuple(
    Session(
        SESSIONS[user.user_id],
        user.user_id,
        1,
        DefaultScope.OMS if user.user_id in (COLLEAGUE, OPERATOR) else DefaultScope.OWN,
    )
    for user in USERS
)


def reference() -> Directory:
    """The Directory of the configuration that ships with the project, to the letter."""
    return Directory(OMSES, INSTRUMENTS, ACCOUNTS, USERS, REFERENCE_SESSIONS)


def directory(
    *,
    cancel_scope: CancelScope = CancelScope.ACCOUNT,
    sessions: dict[str, dict[str, Any]] | None = None,
    users: Iterable[User] = (),
) -> Directory:
    """The reference configuration with user 60, who has no permission, and with what a test changes.

    `sessions` maps a session's name to the settings that differ; `users` replace those of the same id.
    """
    changed = sessions or {}
    nobody = _user(NOBODY, (SHARED,), SHARED)
    all_sessions = (*REFERENCE_SESSIONS, Session(SESSIONS[NOBODY], NOBODY, 1))
    return Directory(
        [replace(OMSES[0], cancel_scope=cancel_scope)],
        INSTRUMENTS,
        ACCOUNTS,
        (*USERS, nobody, *users),
        [replace(session, **changed.get(session.name, {})) for session in all_sessions],
    )


def two_omses() -> Directory:
    """Two OMSes; user 37 is granted both, and account 20 and instrument 30 are of the second."""
    trader = replace(USERS[0], oms_ids=frozenset({1, 2}), account_ids=frozenset({SHARED, PRIVATE, 20}))
    return Directory(
        (*OMSES, Oms(2, "OTHER")),
        (*INSTRUMENTS, replace(INSTRUMENTS[0], instrument_id=30, oms_id=2)),
        (*ACCOUNTS, Account(20, 2)),
        (trader, *USERS[1:]),
        REFERENCE_SESSIONS,
    )


def user(user_id: int) -> User:
    """The user of this id."""
    return directory().users[user_id]


def order(order_id: int = 1, **changes: Any) -> Order:
    """A resting limit order: 37 buys 10 BTC-USD at 100 in account 14, entered as `o<order_id>`."""
    owner = changes.get("user_id", TRADER)
    resting = Order(
        order_id=order_id,
        oms_id=1,
        user_id=owner,
        account_id=SHARED,
        instrument_id=BTC_USD,
        cl_ord_id=f"o{order_id}",
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        order_qty=Decimal(10),
        price=Decimal(100),
        stop_px=None,
        strategy=None,
        session=SESSIONS.get(owner),
        content=order_id,
        entered_at=AT - timedelta(hours=1),
        status=OrdStatus.NEW,
    )
    return replace(resting, **changes)


def stop_order(order_id: int = 1, **changes: Any) -> Order:
    """The same as a stop order that waits for its trigger at 90."""
    return order(
        order_id,
        **{
            "ord_type": OrdType.STOP,
            "price": None,
            "stop_px": Decimal(90),
            "status": OrdStatus.PENDING_TRIGGER,
        }
        | changes,
    )


def ref(user_id: int = TRADER, cl_ord_id: str | None = "c1", **changes: Any) -> CancelRef:
    """The cancel `c1` of user 37 on his session."""
    return replace(CancelRef(user_id, SESSIONS[user_id], cl_ord_id), **changes)


def in_status(status: OrdStatus, order_id: int = 1, **changes: Any) -> Order:
    """An order in `status`, with all that belongs to it."""
    partly = {"cum_qty": Decimal(4), "gross_value": Decimal(400)}
    match status:
        case OrdStatus.PENDING_TRIGGER:
            return stop_order(order_id, **changes)
        case OrdStatus.PARTIALLY_FILLED:
            return order(order_id, **{"status": status, **partly, **changes})
        case OrdStatus.FILLED:
            full = {"cum_qty": Decimal(10), "gross_value": Decimal(1000)}
            return order(order_id, **{"status": status, **full, **changes})
        case OrdStatus.PENDING_CANCEL:
            return order(order_id, **{"status": status, "pending_cancel": ref(), **changes})
        case _:
            return order(order_id, **{"status": status, **changes})


OPEN = [status for status in OrdStatus if TRANSITIONS[status]]
CLOSED = [status for status in OrdStatus if not TRANSITIONS[status]]


def state(
    *orders: Order,
    cancel_scope: CancelScope = CancelScope.ACCOUNT,
    reference_data: Directory | None = None,
    oms_id: int = 1,
) -> OmsState:
    """The state of an OMS that holds `orders`."""
    data = directory(cancel_scope=cancel_scope) if reference_data is None else reference_data
    made = OmsState(data.omses[oms_id], data, day_start=DAY_START, closed_max=1_000)
    for one in orders:
        made.book.put(one)
    return made


def new_order(user_id: int = TRADER, **changes: Any) -> NewOrder:
    """D: buy 10 BTC-USD at 100, as `n1`."""
    made = NewOrder(
        user_id=user_id,
        session=SESSIONS[user_id],
        cl_ord_id="n1",
        content=7,
        ref_seq_num=2,
        instrument=BTC,
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        order_qty=Decimal(10),
        price=Decimal(100),
    )
    return replace(made, **changes)


def cancel(user_id: int = TRADER, **changes: Any) -> CancelOrder:
    """F: cancel order 1 by its OrderID, as `c1`."""
    made = CancelOrder(
        user_id=user_id,
        session=SESSIONS[user_id],
        cl_ord_id="c1",
        content=7,
        ref_seq_num=2,
        order_id=1,
        instrument=BTC,
        side="1",
        order_qty=Decimal(10),
    )
    return replace(made, **changes)


def mass_cancel(user_id: int = TRADER, **changes: Any) -> MassCancel:
    """q: cancel everything within the session's default scope, as `q1`."""
    made = MassCancel(
        user_id=user_id, session=SESSIONS[user_id], cl_ord_id="q1", content=7, ref_seq_num=2, scope=ALL
    )
    return replace(made, **changes)


def order_status(user_id: int = TRADER, **changes: Any) -> OrderStatus:
    """H: the state of the order entered as `o1`."""
    made = OrderStatus(
        user_id=user_id,
        session=SESSIONS[user_id],
        cl_ord_id="o1",
        orig_cl_ord_id="o1",
        ref_seq_num=2,
        side="1",
    )
    return replace(made, **changes)


def mass_status(user_id: int = TRADER, **changes: Any) -> MassStatus:
    """AF: the open orders within the session's default scope, as `s1`."""
    made = MassStatus(user_id=user_id, session=SESSIONS[user_id], ref_seq_num=2, scope=ALL, req_id="s1")
    return replace(made, **changes)


def malformed(kind: RequestKind, **changes: Any) -> Malformed:
    """A request of user 37 that cannot be read: a field is missing."""
    made = Malformed(
        user_id=TRADER,
        session=SESSIONS[TRADER],
        cl_ord_id="m1",
        ref_seq_num=2,
        kind=kind,
        msg_type=kind.value,
        refusal=invalid("OrderQty(38) is missing"),
    )
    return replace(made, **changes)


class Bench:
    """A state with the smallest engine around it: events are applied and told, a venue answers at once.

    `one_by_one`: the orders of a mass cancel are canceled by an event for each of them. While it `holds`, the
    venue leaves cancels unanswered; it refuses those of the orders in `refusing`, once. `last_id` is the id
    that the last request was given; `ended` are the orders that are over, in the order in which they ended,
    and `canceled` those of them that were canceled.
    """

    def __init__(self, held: OmsState, *, always_pending: bool = False, one_by_one: bool = False) -> None:
        self.state = held
        self.holds = False
        self.refusing: set[int] = set()
        self.at = AT
        self.told: list[Told] = []
        self.canceled: list[int] = []
        self.ended: list[int] = []
        self.last_id = 99
        self._always_pending = always_pending
        self._one_by_one = one_by_one
        self._next_exec_id = 0

    def _exec_id(self) -> int:
        self._next_exec_id += 1
        return self._next_exec_id

    def ask(self, request: Asking) -> Decision:
        """Decide `request` and apply what it leads to, the venue's answers included."""
        self.at += SECOND
        self.last_id += 1
        decision = decide(self.state, request, self.at, self.last_id)
        session = request.session
        if session is not None:
            self.told.extend((session, reply) for reply in decision.replies)
        ends = set() if self.holds else set(decision.to_cancel)
        changes = [(event, *evolve(self.state, event)) for event in decision.events]
        for event, before, after in changes:
            self._tell(event, before, after, ends)
        accepted = (event for event in decision.events if isinstance(event, MassCancelAccepted))
        mass_cancel_id = next((event.mass_cancel_id for event in accepted), None)
        answers = [] if self.holds else [self._answer(order_id) for order_id in decision.to_cancel]
        events = list(decide_answers(self.state, answers, mass_cancel_id, self.at))
        for event in single(events) if self._one_by_one else events:
            self.apply(event)
        return decision

    def _answer(self, order_id: int) -> OrderAnswer:
        if order_id not in self.refusing:
            return OrderAnswer(order_id)
        self.refusing.remove(order_id)
        return OrderAnswer(order_id, "the venue says no")

    def say(self, said: VenueRequest) -> Event:
        """Apply a venue's word, which must be possible."""
        events = decide_venue(self.state, said, self.at, self.last_id + 1)
        assert not isinstance(events, Refusal), events
        [event] = events
        self.apply(event)
        return event

    def release(self) -> None:
        """The venue answers every cancel that is pending."""
        self.holds = False
        for order_id in self.state.book.open_ids():
            if self.state.book[order_id].status is OrdStatus.PENDING_CANCEL:
                self.say(self._answer(order_id))

    def apply(self, event: Event) -> None:
        """Apply `event` and tell whoever is to be told."""
        self._tell(event, *evolve(self.state, event), set())

    def _tell(self, event: Event, before: Order | None, after: Order | None, ends: set[int]) -> None:
        if before is not None and after is not None and before.is_open and not after.is_open:
            self.ended.append(after.order_id)
            if after.status is OrdStatus.CANCELED:
                self.canceled.append(after.order_id)
        if isinstance(event, OrdersCanceled):
            self.ended += event.order_ids
            self.canceled += event.order_ids
        self.told.extend(
            tell(
                self.state,
                event,
                before,
                after,
                next_exec_id=self._exec_id,
                shows_pending=lambda _, order_id: self._always_pending or order_id not in ends,
            )
        )

    def take_told(self) -> Sequence[tuple[str, Report]]:
        """What was told since the last call: pairs of a session and a report."""
        told, self.told = self.told, []
        return told
