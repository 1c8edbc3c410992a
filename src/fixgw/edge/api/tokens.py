"""Session tokens: what a client shows in place of its credentials once it has logged in."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from fixgw.edge.api.identity import Identity

TOKEN_BYTES = 32
TOKENS_MAX = 100  # of one user; the one that was not used for longest makes room for the next


class Tokens:
    """The tokens that are good now. One is forgotten `seconds` after its last use.

    `clock` gives seconds that never go back. Only hashes are kept, so that the time of a look-up tells
    nothing of a token.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._identities: dict[bytes, Identity] = {}
        self._used: dict[Identity, OrderedDict[bytes, float]] = {}  # the one used least recently first
        self._to_tell: dict[bytes, list[Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._identities)

    def issue(self, identity: Identity) -> str:
        """A new token of this user."""
        now = self._clock()
        self._make_room(identity, now)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        key = key_of(token)
        self._identities[key] = identity
        self._used.setdefault(identity, OrderedDict())[key] = now
        return token

    def find(self, token: str) -> Identity | None:
        """Whose token this is, None when it is not good; a token that is used is good for longer."""
        return self.use(key_of(token))

    def use(self, key: bytes) -> Identity | None:
        """Find it by its `key_of`, which one who asks often has kept."""
        now = self._clock()
        identity = self._identities.get(key)
        if identity is None:
            return None
        used = self._used[identity]
        if self._is_old(used[key], now):
            self._forget(key)
            return None
        used[key] = now
        used.move_to_end(key)
        return identity

    def when_ended(self, token: str, tell: Callable[[], None]) -> Callable[[], None]:
        """Call `tell` as soon as the token is good no more, until what is returned is called."""
        key = key_of(token)
        waiting = self._to_tell.setdefault(key, [])
        waiting.append(tell)

        def undo() -> None:
            if tell in waiting:
                waiting.remove(tell)
            if not waiting:
                self._to_tell.pop(key, None)

        return undo

    def revoke(self, token: str) -> None:
        """Have the token be good no more, if it was."""
        key = key_of(token)
        if key in self._identities:
            self._forget(key)

    def revoke_all(self, identity: Identity) -> None:
        """Have no token of this user be good any more."""
        for key in list(self._used.get(identity, ())):
            self._forget(key)

    def _make_room(self, identity: Identity, now: float) -> None:
        while used := self._used.get(identity):
            oldest = next(iter(used))
            if len(used) < TOKENS_MAX and not self._is_old(used[oldest], now):
                break
            self._forget(oldest)

    def _is_old(self, used: float, now: float) -> bool:
        return now - used > self.seconds

    def _forget(self, key: bytes) -> None:
        identity = self._identities.pop(key)
        used = self._used[identity]
        del used[key]
        if not used:
            del self._used[identity]
        for tell in list(self._to_tell.get(key, ())):
            tell()


def key_of(token: str) -> bytes:
    """What stands for a token here: its hash."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
