"""The state of one OMS, and how each event changes it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from fixgw.core.book import OrderBook, Use
from fixgw.core.controls import Controls
from fixgw.core.directory import Directory, Oms, Permission, User
from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    ControlAnswered,
    DayEnded,
    Event,
    Locked,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderAccepted,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrdersCanceled,
    OrderTriggered,
    OutcomeUnknown,
    SessionGuarded,
    SessionLeft,
    TimerArmed,
    TimerDisarmed,
    TimerRanOut,
    Unlocked,
)
from fixgw.core.order import NOBODY, Order
from fixgw.core.requests import MassCancel
from fixgw.core.selector import CancelSelector

DAY = timedelta(days=1)
AGAIN_AFTER = timedelta(seconds=1)  # a timer whose venue was out of reach, or could not be read


class MassCancelProgress(Struct):
    """How far a mass cancel is: `left` orders whose end is not known, `canceled` ones, the others.

    `not_affected` are pairs (order id, ClOrdID). Until it is `accepted` its orders are not known.
    """

    mass_cancel_id: int
    request: MassCancel
    selector: CancelSelector
    left: int = 0
    canceled: int = 0
    not_affected: list[tuple[int, str | None]] = []
    accepted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the end of every order in it is known."""
        return self.accepted and self.left == 0


class OmsState:
    """The state that `decide` reads and only `evolve` changes.

    `users` maps a user's id to the user with those of his accounts that are on this OMS; NOBODY is the
    gateway itself, whose requests are those of whoever runs it.
    `day_start` is the last end of day that was passed; it never goes back.
    """

    def __init__(self, oms: Oms, directory: Directory, *, day_start: datetime, closed_max: int) -> None:
        self.oms = oms
        self.directory = directory
        self.book = OrderBook(closed_max)
        self.mass_cancels: dict[int, MassCancelProgress] = {}
        self.controls = Controls()
        self.day_start = day_start
        self.read_users()

    def read_users(self) -> None:
        """Take the users from the directory: at first, and whenever it has changed."""
        self.users = {user.user_id: self._here(user) for user in self.directory.users.values()}
        house = User(NOBODY, frozenset(self.directory.omses), permissions=frozenset({Permission.OPERATOR}))
        self.users[NOBODY] = house

    def _here(self, user: User) -> User:
        """`user` with those of his accounts that are on this OMS."""
        accounts, oms_id = self.directory.accounts, self.oms.oms_id
        here = frozenset(
            account_id
            for account_id in user.account_ids
            if account_id in accounts and accounts[account_id].oms_id == oms_id
        )
        default = user.default_account_id if user.default_account_id in here else None
        return replace(user, account_ids=here, default_account_id=default)

    def next_day_end(self) -> datetime:
        """When the current day ends (aware UTC)."""
        return self.day_start + DAY

    def recall(self, orders: Iterable[Order], uses: Iterable[tuple[str, Use]] = ()) -> None:
        """Know again what the journal remembers: at start, or what memory had forgotten."""
        known, put = self.book.get, self.book.put
        for order in orders:
            if known(order.order_id) is None:
                put(order)
        for cl_ord_id, use in uses:
            self.book.use(cl_ord_id, use)

    def restore(
        self,
        mass_cancel_id: int,
        request: MassCancel,
        left: int,
        canceled: int,
        not_affected: Iterable[tuple[int, str | None]],
        *,
        selector: CancelSelector,
        accepted: bool = True,
    ) -> None:
        """Know again how far a mass cancel was when the journal was last written."""
        progress = MassCancelProgress(
            mass_cancel_id, request, selector, left, canceled, list(not_affected), accepted
        )
        self.mass_cancels[mass_cancel_id] = progress


def day_start_before(at: datetime, oms: Oms) -> datetime:
    """The last end of day of `oms` at or before `at` (aware UTC)."""
    end = datetime.combine(at.astimezone(UTC).date(), oms.day_end, tzinfo=UTC)
    return end if end <= at else end - DAY


def evolve(state: OmsState, event: Event) -> tuple[Order | None, Order | None]:
    """Apply `event`; the order it is about, before and after (None where there is none).

    Raises `fixgw.core.order.IllegalTransitionError` for an event that the table does not allow.
    """
    if isinstance(event, OrderEntered):
        state.book.put(event.order)
        return None, event.order
    if isinstance(event, ORDER_EVENTS):
        before = state.book[event.order_id]
        after = change(before, event)
        state.book.put(after)
        ref = before.pending_cancel
        if ref is not None and ref.mass_cancel_id is not None and after.pending_cancel is None:
            _count(state.mass_cancels[ref.mass_cancel_id], after, canceled=isinstance(event, OrderCanceled))
        return before, after
    if isinstance(event, CONTROL_EVENTS):
        state.controls = control(state.controls, event)
    match event:
        case MassCancelRequested():
            state.mass_cancels[event.mass_cancel_id] = MassCancelProgress(
                event.mass_cancel_id, event.request, event.selector
            )
        case MassCancelAccepted():
            _accept(state, event)
        case OrdersCanceled():
            _cancel_all(state, event)
        case MassCancelRefused():
            state.mass_cancels[event.mass_cancel_id].accepted = True
        case ControlAnswered() if event.control_id in state.mass_cancels:  # a dry run on a venue
            state.mass_cancels[event.control_id].accepted = True
        case DayEnded():
            state.day_start = max(state.day_start, event.boundary)
        case _:
            pass
    return None, None


ControlEvent = (
    Locked
    | Unlocked
    | TimerArmed
    | TimerDisarmed
    | TimerRanOut
    | SessionGuarded
    | SessionLeft
    | MassCancelAccepted
    | MassCancelRefused
)
CONTROL_EVENTS = get_args(ControlEvent)
"""The events that may change what outlives a request."""


def control(controls: Controls, event: ControlEvent) -> Controls:
    """`controls` as they are after `event`."""
    match event:
        case Locked():
            return controls.with_lock(event.lock)
        case Unlocked():
            return controls.without_lock(event.lock_id)
        case TimerArmed():
            return controls.with_timer(event.timer)
        case TimerDisarmed():
            return controls.without_timer(event.timer_id)
        case TimerRanOut():
            return controls.ran_out(event.timer_id, event.mass_cancel_id)
        case MassCancelAccepted():
            return controls.settled(event.mass_cancel_id)
        case MassCancelRefused():
            return controls.settled(event.mass_cancel_id, event.at + AGAIN_AFTER)
        case SessionGuarded():
            return controls.with_guard(event.guard)
        case _:
            return controls.without_guard(event.session)


OrderEvent = (
    OrderCanceled
    | CancelRequested
    | CancelRefused
    | OrderTriggered
    | OrderFilled
    | OrderExpired
    | OrderAccepted
    | OrderRejected
    | OutcomeUnknown
)
ORDER_EVENTS = get_args(OrderEvent)
"""The events that change one order."""


def change(order: Order, event: OrderEvent) -> Order:
    """`order` as it is after `event`. Raises `fixgw.core.order.IllegalTransitionError`."""
    match event:
        case OrderCanceled():
            return order.to_canceled(event.at)
        case CancelRequested():
            return order.to_pending_cancel(event.ref, event.at)
        case CancelRefused():
            return order.to_cancel_refused(event.at)
        case OrderTriggered():
            return order.to_triggered(event.at)
        case OrderFilled():
            return order.to_filled(event.last_qty, event.last_px, event.at)
        case OrderAccepted():
            return order.to_accepted(event.venue_order_id, event.at)
        case OrderRejected():
            return order.to_rejected(event.at)
        case OutcomeUnknown():
            return order
        case _:
            return order.to_expired(event.at)


def _accept(state: OmsState, event: MassCancelAccepted) -> None:
    book = state.book
    ref, at = event.ref, event.at
    book.put_pending([book[order_id].to_pending_cancel(ref, at) for order_id in event.order_ids])
    progress = state.mass_cancels[event.mass_cancel_id]
    progress.accepted = True
    progress.left = len(event.order_ids)
    progress.not_affected.extend((order_id, book[order_id].cl_ord_id) for order_id in event.already_pending)


def _cancel_all(state: OmsState, event: OrdersCanceled) -> None:
    book, at = state.book, event.at
    book.put_closed([book[order_id].to_canceled(at) for order_id in event.order_ids])
    progress = state.mass_cancels[event.mass_cancel_id]
    progress.left -= len(event.order_ids)
    progress.canceled += len(event.order_ids)


def _count(progress: MassCancelProgress, ended: Order, *, canceled: bool) -> None:
    progress.left -= 1
    if canceled:
        progress.canceled += 1
    else:
        progress.not_affected.append((ended.order_id, ended.cl_ord_id))
