"""The engine's doorbell: with nothing to do it sleeps, and QuickFIX cannot wake it."""

import math
from collections.abc import Callable

AWAKE_SECONDS = 0.001  # after a message; the engine stays awake for twice as long


class Doorbell:
    """Has the engine woken by `ring` when something is sent to it after a while.

    Without a ring, or when it is lost, the engine looks by itself some milliseconds later.
    """

    def __init__(self) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._sent_at = -math.inf

    def sent(self, now: float) -> None:
        """Something was just sent to the engine over FIX; `now` is seconds from any point."""
        if now - self._sent_at > AWAKE_SECONDS:
            self.ring()
        self._sent_at = now
