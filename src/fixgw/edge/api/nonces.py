"""Nonces that were used already, so that a signed login that somebody captured is of no use to him."""

from heapq import heappop, heappush

import structlog

log = structlog.get_logger("fixgw.api")

NONCES_MAX = 20_000  # remembered of one key
NONCE_LENGTH_MAX = 64  # characters; nanoseconds since 1970 have 19
CLOCK_SECONDS = 5.0  # that a client's clock may be late, for its logins to be taken right after a start
EARLIEST = (
    1_735_689_600  # 2025-01-01 in seconds since 1970: nothing older has ever been sent to an API of fixgw
)
UNITS = (1, 10**3, 10**6, 10**9)  # in a second: clients take the time in seconds, ms, us or ns as their nonce


class Nonces:
    """The nonces of one key, each of which is good once. `started` is when this process did, since 1970.

    A start forgets them all. So a nonce that reads as a time before `started` is refused: it may have been
    used with the process before. Of more than NONCES_MAX numbers the smallest are forgotten, and from then on
    no smaller one is good; other texts are good until there are so many.
    """

    def __init__(self, started: float) -> None:
        self._before = started - CLOCK_SECONDS
        self._numbers: set[int] = set()
        self._smallest_first: list[int] = []
        self._forgotten = -1
        self._texts: set[str] = set()

    def take(self, nonce: str) -> bool:
        """Whether this nonce is good; it is not any more."""
        if not 1 <= len(nonce) <= NONCE_LENGTH_MAX:
            return False
        if nonce.isascii() and nonce.isdecimal():
            return self._take_number(int(nonce))
        if nonce in self._texts or len(self._texts) >= NONCES_MAX:
            return False
        self._texts.add(nonce)
        if len(self._texts) == NONCES_MAX:
            log.warning("nonces are used up", why="this key has used too many that are not whole numbers")
        return True

    def _take_number(self, number: int) -> bool:
        if number <= self._forgotten or number in self._numbers or self._is_from_before(number):
            return False
        self._numbers.add(number)
        heappush(self._smallest_first, number)
        if len(self._numbers) > NONCES_MAX:
            self._forgotten = heappop(self._smallest_first)
            self._numbers.remove(self._forgotten)
        return True

    def _is_from_before(self, number: int) -> bool:
        return any(EARLIEST * unit <= number < self._before * unit for unit in UNITS)
