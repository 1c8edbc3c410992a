"""What an operator does to a session: reset it, disable it, enable it, or log its client out.

Orders stay as they are, and reports wait for the client, as for any that is away.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec.structs import replace

from fixgw.engine.epochs import Commit, Epochs
from fixgw.engine.outbox import Outbox
from fixgw.engine.turn import (
    DISABLED,
    DisableSession,
    EnableSession,
    ResetSession,
    SessionCommand,
    SessionDoor,
)

log = structlog.get_logger("fixgw.desk")

LOGGED_OUT = "logged out by the operator"


class Sessions:
    """Does it, and logs who said so. `commit` journals numbers; its JournalError is raised.

    `will_reset` is told of a client that is logged on before its reset logs it out.
    """

    def __init__(
        self, outbox: Outbox, epochs: Epochs, commit: Commit, will_reset: Callable[[str], None]
    ) -> None:
        self._outbox = outbox
        self._epochs = epochs
        self._commit = commit
        self._will_reset = will_reset

    def do(self, said: SessionCommand, now: datetime, door: SessionDoor) -> None:
        """Do as `said` says to a session that there is, at the time `now` (aware UTC)."""
        match said:
            case ResetSession():
                self.reset(said.session, now, door, "link")
            case DisableSession():
                self._have_disabled(said.session, now, disabled=True)
                log.warning("session disabled", session=said.session, by=said.by)
                door.log_out(said.session, DISABLED)
            case EnableSession():
                self._have_disabled(said.session, now, disabled=False)
                log.warning("session enabled", session=said.session, by=said.by)
            case _:
                log.warning("session logged out", session=said.session, by=said.by)
                door.log_out(said.session, LOGGED_OUT)

    def reset(self, session: str, now: datetime, door: SessionDoor, why: str) -> None:
        """Have its numbers begin anew."""
        if not door.is_away(session):
            self._will_reset(session)
        epoch = self._epochs.reset(session, now, door)
        log.warning("reset", session=session, epoch=epoch, why=why)

    def _have_disabled(self, session: str, now: datetime, *, disabled: bool) -> None:
        numbers = self._outbox.of(session)
        if numbers.disabled != disabled:
            numbers = replace(numbers, disabled=disabled)
            self._commit([numbers], now)
            self._outbox.keep(numbers)
