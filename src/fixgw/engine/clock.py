"""The engine's time: what every event, report and end of day is dated by.

It begins with the wall clock and goes on by a clock that never jumps. A step of the wall clock (somebody set
it, or a wrong one was corrected) is followed, but a hundredth as fast as time passes: so no decision and no
order of events changes with it, and an end of day is not passed for a mistake that is mended a minute later.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

log = structlog.get_logger("fixgw.engine")

FOLLOWED = 0.01  # of the time that has passed: an hour's step is made up for within four days
STEP_SECONDS = 1.0  # above so much the wall clock's step is worth a line in the log

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # it counts a suspended machine's time too


def steady() -> float:
    """Seconds since some moment in the past, never going back."""
    return time.clock_gettime(_STEADY)


class Clock:
    """Aware UTC times that never go back: not before `not_before` (the journal's last) either."""

    def __init__(
        self,
        not_before: datetime | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._last = steady()
        self._time = wall()
        if not_before is not None:
            self._time = max(self._time, not_before.timestamp())
        self._off = self._wall() - self._time

    def now(self) -> datetime:
        """What time it is."""
        last = self._steady()
        passed, self._last = last - self._last, last
        self._time += passed
        off = self._wall() - self._time
        if abs(off - self._off) > STEP_SECONDS:
            log.warning("the wall clock jumped", by_seconds=round(off - self._off, 3), off_by=round(off, 3))
        bound = passed * FOLLOWED
        self._time += min(max(off, -bound), bound)
        self._off = self._wall() - self._time
        return datetime.fromtimestamp(self._time, UTC)
