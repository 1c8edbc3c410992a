"""What outlives the request that asked for it: locks on new orders, timers that end in a mass cancel, and
the sessions that are watched for a disconnect."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from fixgw.core.disconnect import OnDisconnect
from fixgw.core.order import Side
from fixgw.core.requests import MassCancel
from fixgw.core.selector import CancelSelector


class Lock(Struct, frozen=True, array_like=True):
    """New orders within `selector` are refused until it is taken away.

    `lock_id` is the id of the mass cancel that it came with. `by` says in words who locked; of an operator's
    lock (`is_operators`) only an operator disposes.
    """

    lock_id: int
    selector: CancelSelector
    user_id: int
    by: str
    is_operators: bool
    at: datetime

    def covers(
        self,
        account_id: int,
        user_id: int,
        instrument_id: int | None,
        side: Side | None,
        strategy: str | None,
    ) -> bool:
        """Whether a new order would be within it; None for what is not known of the order."""
        selector = self.selector
        return (
            selector.account_id in (None, account_id)
            and selector.user_id in (None, user_id)
            and (selector.instrument_ids is None or instrument_id in selector.instrument_ids)
            and selector.side in (None, side)
            and selector.strategy in (None, strategy)
        )


class TimerKind(StrEnum):
    """What a timer is for."""

    DEAD_MAN = "dead man"
    DISCONNECT = "disconnect"


class Timer(Struct, frozen=True, array_like=True):
    """At `due_at` (aware UTC) what `request` asks happens to the orders within `selector`.

    `session` is the one that armed it, or whose client is gone. `mass_cancel_id` is that of the mass cancel
    once it ran out, None before.
    """

    timer_id: int
    kind: TimerKind
    session: str
    request: MassCancel
    selector: CancelSelector
    due_at: datetime
    window_ms: int
    mass_cancel_id: int | None = None


class Guard(Struct, frozen=True, array_like=True):
    """A session whose client is logged on, and what happens when it is gone."""

    session: str
    terms: OnDisconnect


class Controls(Struct, frozen=True, array_like=True):
    """All of them on one OMS, each in the order in which it came (any number)."""

    locks: tuple[Lock, ...] = ()
    timers: tuple[Timer, ...] = ()
    guards: tuple[Guard, ...] = ()

    @property
    def due(self) -> tuple[Timer, ...]:
        """The timers that have not run out."""
        if not self.timers:
            return ()
        return tuple(timer for timer in self.timers if timer.mass_cancel_id is None)

    def guard(self, session: str) -> Guard | None:
        """The guard of this session."""
        return next((guard for guard in self.guards if guard.session == session), None)

    def lock(self, lock_id: int) -> Lock | None:
        """The lock with this id."""
        return next((lock for lock in self.locks if lock.lock_id == lock_id), None)

    def timer_of(self, session: str, selector: CancelSelector) -> Timer | None:
        """The dead-man timer that this session has armed for this scope, and that has not run out."""
        return next(
            (
                timer
                for timer in self.due
                if timer.kind is TimerKind.DEAD_MAN
                and timer.session == session
                and timer.selector == selector
            ),
            None,
        )

    def with_lock(self, lock: Lock) -> "Controls":
        """With this lock, in place of one of the same user on the same scope."""
        kept = [
            other for other in self.locks if (other.selector, other.user_id) != (lock.selector, lock.user_id)
        ]
        return replace(self, locks=(*kept, lock))

    def without_lock(self, lock_id: int) -> "Controls":
        """Without the lock with this id."""
        return replace(self, locks=tuple(lock for lock in self.locks if lock.lock_id != lock_id))

    def with_timer(self, timer: Timer) -> "Controls":
        """With this timer, in place of the one with its id."""
        kept = [other for other in self.timers if other.timer_id != timer.timer_id]
        return replace(self, timers=(*kept, timer))

    def without_timer(self, timer_id: int) -> "Controls":
        """Without the timer with this id."""
        return replace(self, timers=tuple(timer for timer in self.timers if timer.timer_id != timer_id))

    def ran_out(self, timer_id: int, mass_cancel_id: int) -> "Controls":
        """With the timer of this id run out: its mass cancel is under way."""
        timers = tuple(
            replace(timer, mass_cancel_id=mass_cancel_id) if timer.timer_id == timer_id else timer
            for timer in self.timers
        )
        return replace(self, timers=timers)

    def settled(self, mass_cancel_id: int, again_at: datetime | None = None) -> "Controls":
        """The mass cancel of a timer was accepted, and the timer is done; or it is due `again_at`."""
        found = next((timer for timer in self.timers if timer.mass_cancel_id == mass_cancel_id), None)
        if found is None:
            return self
        if again_at is None:
            return self.without_timer(found.timer_id)
        return self.with_timer(replace(found, mass_cancel_id=None, due_at=again_at))

    def with_guard(self, guard: Guard) -> "Controls":
        """With this guard, in place of the session's old one."""
        return replace(self, guards=(*self.without_guard(guard.session).guards, guard))

    def without_guard(self, session: str) -> "Controls":
        """Without the guard of this session."""
        return replace(self, guards=tuple(guard for guard in self.guards if guard.session != session))
