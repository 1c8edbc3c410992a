"""Puts together how the gateway is: from the desk, the journal, the FIX door, and the edge's reports."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from fixgw.core.state import OmsState
from fixgw.engine.desk import Desk
from fixgw.engine.status import (
    ConnectionStatus,
    GatewayStatus,
    LockStatus,
    OmsStatus,
    SessionStatus,
    TimerStatus,
    VenueStatus,
)
from fixgw.engine.turn import EdgeReport, EdgeSession, SessionDoor
from fixgw.journal.contract import Journal, SessionNumbers


class Overview:
    """Puts the status together, and keeps what the edge reported last. `since` is the engine's start."""

    def __init__(
        self, version: str, since: datetime, desk: Desk, journal: Journal, door: SessionDoor
    ) -> None:
        self._version = version
        self._since = since
        self._desk = desk
        self._journal = journal
        self._door = door
        self._connections: dict[str, ConnectionStatus] = {}
        self._reported_at: datetime | None = None

    def take(self, report: EdgeReport, now: datetime) -> tuple[str, ...]:
        """Take the edge's report; the names of the sessions (any number) whose clients may not log on."""
        seconds = 0.0 if self._reported_at is None else (now - self._reported_at).total_seconds()
        self._connections = {
            one.name: _connection(one, self._connections.get(one.name), seconds) for one in report.sessions
        }
        self._reported_at = now
        return tuple(name for name in self._desk.directory.sessions if self._desk.outbox.of(name).disabled)

    def status(self, now: datetime) -> GatewayStatus:
        """How everything is at the time `now` (aware UTC)."""
        age = None if self._reported_at is None else (now - self._reported_at).total_seconds()
        states = self._desk.states.values()
        return GatewayStatus(
            self._version,
            self._since,
            tuple(map(_oms, states)),
            self._journal.status,
            age,
            tuple(map(self._session, self._desk.directory.sessions)),
            tuple(
                self._venue(state, now) for state in self._desk.states.values() if not state.oms.is_embedded
            ),
            tuple(chain.from_iterable(map(_locks, states))),
            tuple(chain.from_iterable(map(_timers, states))),
            tuple(guard.session for state in states for guard in state.controls.guards),
        )

    def _venue(self, state: OmsState, now: datetime) -> VenueStatus:
        health = self._desk.venues.status(state.oms.oms_id, now)
        return VenueStatus(
            state.oms.venue,
            state.oms.oms_id,
            health.is_up,
            health.why,
            health.seconds,
            health.waiting,
            health.unknown,
            len(state.book),
            state.book.pending_cancels,
        )

    def _session(self, name: str) -> SessionStatus:
        numbers = self._desk.outbox.of(name)
        next_in, next_out = self._door.numbers(name)
        return SessionStatus(
            name,
            is_logged_on=not self._door.is_away(name),
            is_disabled=numbers.disabled,
            epoch=numbers.epoch,
            next_in=next_in,
            next_out=next_out,
            undelivered=undelivered(numbers),
            reset_at=self._desk.directory.sessions[name].reset_at,
            connection=self._connections.get(name),
        )


def undelivered(numbers: SessionNumbers) -> int:
    """How many reports of a session are not known to be on their way to its client."""
    away = sum(count for _, _, count in numbers.undelivered)
    return away + sum(count for _, count in numbers.again) + numbers.queued - numbers.sent


def _oms(state: OmsState) -> OmsStatus:
    return OmsStatus(state.oms.oms_id, state.oms.name, len(state.book), state.book.pending_cancels)


def _locks(state: OmsState) -> Iterator[LockStatus]:
    for lock in state.controls.locks:
        yield LockStatus(state.oms.oms_id, lock.lock_id, lock.selector, lock.by, lock.at)


def _timers(state: OmsState) -> Iterator[TimerStatus]:
    for timer in state.controls.timers:
        locks = timer.request.locks is True
        kind, scope = timer.kind.value, timer.selector
        yield TimerStatus(state.oms.oms_id, kind, timer.session, scope, timer.due_at, locks)


def _connection(now: EdgeSession, before: ConnectionStatus | None, seconds: float) -> ConnectionStatus:
    """What is reported of a connection, with its rates since the report `before`, `seconds` ago."""
    is_same = before is not None and before.since == now.since

    def rate(count: int, earlier: int) -> float:
        return round((count - earlier) / seconds, 1) if seconds > 0 else 0.0

    return ConnectionStatus(
        now.address,
        now.certificate,
        now.since,
        now.messages_in,
        now.messages_out,
        now.bytes_in,
        now.bytes_out,
        rate(now.messages_in, before.messages_in if before is not None and is_same else 0),
        rate(now.messages_out, before.messages_out if before is not None and is_same else 0),
        now.backlog,
    )
