"""How often a user may ask: a bucket of requests for each, which fills up by the second."""

import time
from collections.abc import Callable


class Rates:
    """The requests of each user: `per_second` fill up his bucket of `burst`. Cancels are never asked about.

    `clock` gives seconds that never go back.
    """

    def __init__(self, per_second: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}  # what was left, and when

    def change(self, per_second: int, burst: int) -> None:
        """Have other rates from now on."""
        self._per_second, self._burst = per_second, burst

    def wait(self, user_id: int) -> float:
        """0.0 if the user's request may go on, which is counted; else in how many seconds one may."""
        now = self._clock()
        left, at = self._buckets.get(user_id, (float(self._burst), now))
        left = min(left + (now - at) * self._per_second, float(self._burst))
        if left >= 1.0:
            self._buckets[user_id] = left - 1.0, now
            return 0.0
        self._buckets[user_id] = left, now
        return (1.0 - left) / self._per_second
