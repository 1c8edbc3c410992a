"""How often something failed in the last minute, in a table that nobody can make grow."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

WINDOW_SECONDS = 60.0
KEYS_MAX = 10_000
TIMES_MAX = 20  # what is counted of one key: from there on one is as bad as another

Key = TypeVar("Key", bound=Hashable)


class Failures(Generic[Key]):
    """Failures by their key. Times are in seconds and never go back.

    Of more than KEYS_MAX keys those are forgotten that have not failed for longest.
    """

    def __init__(self) -> None:
        self._times: OrderedDict[Key, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def add(self, key: Key, now: float) -> None:
        """Count a failure at `now`."""
        self._times.setdefault(key, deque(maxlen=TIMES_MAX)).append(now)
        self._times.move_to_end(key)
        oldest = next(iter(self._times))
        while len(self._times) > KEYS_MAX or self._times[oldest][-1] <= now - WINDOW_SECONDS:
            del self._times[oldest]
            oldest = next(iter(self._times))

    def count(self, key: Key, now: float) -> int:
        """How many there were in the minute before `now`; TIMES_MAX stands for more."""
        times = self._times.get(key, ())
        return sum(time > now - WINDOW_SECONDS for time in times)
