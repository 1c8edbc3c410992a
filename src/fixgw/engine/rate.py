"""How many New Order Singles(D) a session may send: a token bucket for each, filled by the engine's clock.

Nothing else is ever counted: whoever wants out with F or q must not wait for what he entered.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from fixgw.core.directory import Session
from fixgw.core.errors import Failure, Refusal, failed

ORDER = 1_000_000  # what one order takes out of a bucket; one order a second fills in one each microsecond

_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = 1_000  # microseconds


class Bucket(NamedTuple):
    """What was left for a session (in millionths of an order) at some time (aware UTC)."""

    left: int
    at: datetime

    def filled(self, per_second: int, burst: int, now: datetime) -> "Bucket":
        """As it is `now`: fuller by `per_second` orders a second, up to `burst` of them, and never less."""
        passed = max(0, (now - self.at) // _MICROSECOND)
        return Bucket(min(self.left + passed * per_second, burst * ORDER), max(now, self.at))

    def wait(self, per_second: int) -> int:
        """In how many milliseconds there is enough in it for an order; 0 for at once."""
        return -(-max(0, ORDER - self.left) // (per_second * _MILLISECOND))


class Rates:
    """The buckets of all sessions. One that is not known yet is full: that of each session after a start."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def take(self, session: Session, now: datetime) -> Refusal | None:
        """Count one order of `session` at the time `now`, or say why it is one too many."""
        per_second, burst = session.orders_per_second, session.orders_burst
        if not per_second:
            self._buckets.pop(session.name, None)
            return None
        bucket = self._buckets.get(session.name, Bucket(burst * ORDER, now)).filled(per_second, burst, now)
        wait = bucket.wait(per_second)
        if not wait:
            bucket = bucket._replace(left=bucket.left - ORDER)
        self._buckets[session.name] = bucket
        if not wait:
            return None
        return failed(
            f"above the limit of this session, {per_second} orders a second and {burst} at once; "
            f"ClOrdID(11) is not used up: send the order again in {wait / 1000:.3f} seconds",
            Failure.ORDER_RATE,
        )
