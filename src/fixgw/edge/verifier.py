"""Names and passwords: checked beside the event loop, one at a time, the least suspicious first.

A check takes as long as its hash was made to take (tens of milliseconds), so whoever has the right password
must not stand in line behind those who guess. What was right once is remembered and right at once. The rest
waits for its turn: fewest failures of this address with this session in the last minute first, then
fewest of the address, then who came first. An IPv6 address is its network of 64 bits, which one host has.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hmac import compare_digest, digest
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Protocol

from fixgw.edge.failures import Failures
from fixgw.edge.logon import Refused
from fixgw.passwords import is_right

REFUSAL_SECONDS = (
    0.25  # after a Logon, at the earliest: longer than the costliest check, so that it tells nothing
)
FREE_FAILURES = 10  # a minute and address, that are refused without delay
DELAY_SECONDS = 0.1  # what each one above that adds
DELAY_SECONDS_MAX = 1.0
LOWEST_PRIORITY = 19  # niceness


class Login(Protocol):
    """What is checked: a Logon(A), or a login over the API. Bytes that are no UTF-8 are surrogates."""

    @property
    def session(self) -> str:
        """By what the right credentials are known: the session, or the user of the API."""
        ...

    @property
    def username(self) -> str:
        """The name that was said."""
        ...

    @property
    def password(self) -> str:
        """The password that was said."""
        ...


class _Attempt:
    """A login that waits for its turn; `verdict` is whether its credentials are right."""

    def __init__(self, claim: Login, source: str, rank: tuple[int, int, int]) -> None:
        self.claim = claim
        self.source = source
        self.rank = rank
        self.verdict: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()


class Verifier:
    """Checks usernames and passwords. `credentials` are both, the password as its argon2 hash, by what the
    login calls its session. `clock` gives seconds that never go back.

    All methods are for the thread of one event loop.
    """

    def __init__(
        self, credentials: Mapping[str, tuple[str, str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._credentials = dict(credentials)
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: dict[str, bytes] = {}
        self._failed_addresses: Failures[str] = Failures()
        self._failed_pairs: Failures[tuple[str, str]] = Failures()
        self._waiting: list[_Attempt] = []
        self._is_busy = False
        self._arrived = 0
        self._thread = ThreadPoolExecutor(1, "verifier", initializer=_step_back)

    async def check(self, claim: Login, address: str) -> Refused | None:
        """What is wrong with the credentials of `claim`, which came from `address`; None when they are right.

        Cancelled while it waits for its turn, it costs nothing more.
        """
        if self.is_known(claim):
            return None
        source = source_of(address)
        attempt = _Attempt(claim, source, self._rank(claim, source))
        self._waiting.append(attempt)
        self._next()
        try:
            refused = await attempt.verdict
        finally:
            if attempt in self._waiting:
                self._waiting.remove(attempt)
        if refused is not None:
            self._failed_pairs.add((source, claim.session), self._clock())
        return refused

    def delay(self, address: str) -> float:
        """Count an attempt from `address` that failed; the seconds that its refusal has to wait."""
        source, now = source_of(address), self._clock()
        self._failed_addresses.add(source, now)
        above = self._failed_addresses.count(source, now) - FREE_FAILURES
        return min(max(above, 0) * DELAY_SECONDS, DELAY_SECONDS_MAX)

    async def let_wait(self, began: float, address: str) -> None:
        """Until a refusal may be said: after a whole number of REFUSAL_SECONDS, whatever was looked at.

        `began`, on the event loop's clock, is when the login from `address` came.
        """
        took = asyncio.get_running_loop().time() - began
        due = ceil(took / REFUSAL_SECONDS) * REFUSAL_SECONDS + self.delay(address)
        await asyncio.sleep(due - took)

    def update(self, credentials: Mapping[str, tuple[str, str]]) -> None:
        """From now on these are the right ones, for those who wait too."""
        self._credentials = dict(credentials)
        self._known = {name: known for name, known in self._known.items() if name in credentials}

    def close(self) -> None:
        """Let nobody wait any more: all attempts are cancelled."""
        for attempt in self._waiting:
            attempt.verdict.cancel()
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _rank(self, claim: Login, source: str) -> tuple[int, int, int]:
        """The place in the line. Those that wait count as failed, so that many at once gain nothing."""
        now = self._clock()
        self._arrived += 1
        same = [other for other in self._waiting if other.source == source]
        pair = sum(other.claim.session == claim.session for other in same)
        return (
            pair + self._failed_pairs.count((source, claim.session), now),
            len(same) + self._failed_addresses.count(source, now),
            self._arrived,
        )

    def _next(self) -> None:
        """Begin with the next one in line, unless one is being checked."""
        while self._waiting and not self._is_busy:
            attempt = min(self._waiting, key=lambda waiting: waiting.rank)
            self._waiting.remove(attempt)
            if attempt.verdict.done():  # its task is cancelled, and has not been told yet
                continue
            username, password_hash = self._credentials.get(attempt.claim.session, ("", ""))
            if not password_hash or attempt.claim.username != username:
                attempt.verdict.set_result(Refused("wrong username"))
                continue
            password = attempt.claim.password.encode("utf-8", "surrogateescape")
            running = asyncio.get_running_loop().run_in_executor(
                self._thread, is_right, password, password_hash
            )
            self._is_busy = True
            running.add_done_callback(partial(self._checked, attempt, (username, password_hash)))

    def _checked(
        self, attempt: _Attempt, credentials: tuple[str, str], running: "asyncio.Future[bool]"
    ) -> None:
        self._is_busy = False
        if running.cancelled():
            attempt.verdict.cancel()
            return
        if self._credentials.get(attempt.claim.session) != credentials:  # they were changed meanwhile
            self._waiting.append(attempt)
        elif running.result():
            self._known[attempt.claim.session] = self._fingerprint(attempt.claim)
            _settle(attempt, None)
        else:
            _settle(attempt, Refused("wrong password"))
        self._next()

    def is_known(self, claim: Login) -> bool:
        """Whether these credentials were right before, and still are."""
        known = self._known.get(claim.session)
        return known is not None and compare_digest(known, self._fingerprint(claim))

    def _fingerprint(self, claim: Login) -> bytes:
        """A hash of the claim and of the password hash that it was right for; it is of no use elsewhere."""
        password_hash = self._credentials[claim.session][1]
        parts = (claim.session, claim.username, password_hash, claim.password)
        return digest(self._key, "\x01".join(parts).encode("utf-8", "surrogateescape"), "sha256")


def _settle(attempt: _Attempt, verdict: Refused | None) -> None:
    if not attempt.verdict.done():
        attempt.verdict.set_result(verdict)


def source_of(address: str) -> str:
    """What counts as one address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))


def _step_back() -> None:
    """Everything else goes before this thread. Where threads have no niceness of their own, it has none."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY)
