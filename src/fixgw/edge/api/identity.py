"""Who an API client is: by name and password, by a key, or by a signature with the key's secret."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest, new

import structlog
from msgspec import Struct

from fixgw.edge.api.nonces import Nonces
from fixgw.edge.failures import TIMES_MAX, Failures
from fixgw.edge.verifier import Verifier, source_of

log = structlog.get_logger("fixgw.api")

LOGINS_MAX = (
    500  # by password, that wait to be checked or refused: a client that is gone does not take its back
)
LOGINS_PER_ADDRESS_MAX = 20
SHOWN_MAX = 64  # characters of a name that is logged, as many as a real one can have


class Identity(Struct, frozen=True):
    """A user of the gateway, and the name that he has over the API."""

    user_id: int
    username: str


class Entry(Struct, frozen=True):
    """A row of [[api_user]], with its secrets as they are. They never print."""

    identity: Identity
    password_hash: str
    api_key: str
    api_secret: str

    def __repr__(self) -> str:
        return f"Entry({self.identity!r})"


class _Login(Struct, frozen=True):
    """A name and a password, as the Verifier reads them."""

    username: str
    password: str

    @property
    def session(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"_Login({self.username!r})"


class Identities:
    """The users of the API, and how each of them is known. `started` is when this process did, since 1970.

    No answer says what of the credentials was wrong; the log does, as far as that is no secret. All methods
    are for the thread of one event loop.
    """

    def __init__(self, entries: Sequence[Entry], started: float) -> None:
        self._started = started
        self._verifier = Verifier({})
        self._nonces: dict[str, Nonces] = {}  # by API key
        self._refused: Failures[str] = Failures()
        self._logins: Counter[str] = Counter()  # by password that are looked at now, by address
        self._entries: dict[str, Entry] = {}
        self._by_key: list[tuple[bytes, Entry]] = []
        self.update(entries)

    def update(self, entries: Sequence[Entry]) -> frozenset[Identity]:
        """From now on these are the users. Returns those whose credentials are not what they were."""
        before, self._entries = self._entries, {entry.identity.username: entry for entry in entries}
        self._by_key = [(_fingerprint(entry.api_key), entry) for entry in entries]
        self._verifier.update({name: (name, entry.password_hash) for name, entry in self._entries.items()})
        return frozenset(entry.identity for name, entry in before.items() if self._entries.get(name) != entry)

    def close(self) -> None:
        """Let nobody wait any more."""
        self._verifier.close()

    async def by_password(self, username: str, password: str, address: str) -> Identity | None:
        """Whose name and password these are. A refusal takes a while, and longer the more `address` gets.

        Of those that were not right before, one address can have LOGINS_PER_ADDRESS_MAX looked at at once.
        """
        login, source = _Login(username, password), source_of(address)
        if not self._verifier.is_known(login):
            if self._logins.total() >= LOGINS_MAX or self._logins[source] >= LOGINS_PER_ADDRESS_MAX:
                self._say_refused(address, "too many logins at once", username=username[:SHOWN_MAX])
                return None
            self._logins[source] += 1
            try:
                if not await self._is_right(login, address):
                    return None
            finally:
                self._logins[source] -= 1
                self._logins += Counter()  # forgets those that have none
        entry = self._entries.get(username)
        return None if entry is None else entry.identity

    async def _is_right(self, login: _Login, address: str) -> bool:
        began = asyncio.get_running_loop().time()
        if await self._verifier.check(login, address) is None:
            return True
        self._say_refused(address, "wrong username or password", username=login.username[:SHOWN_MAX])
        await self._verifier.let_wait(began, address)
        return False

    def by_key(self, api_key: str) -> Identity | None:
        """Whose key this is. Takes the same time for every key."""
        entry = self._entry(api_key)
        if entry is None:
            self._say_refused("", "unknown key")
            return None
        return entry.identity

    def by_signature(self, api_key: str, user_id: str, nonce: str, signature: str) -> Identity | None:
        """Whose key this is, when the signature is right and of this user, and the nonce was never used.

        The signature is the HMAC-SHA256 of nonce, user id and key, with the key's secret, in lower-case hex.
        """
        entry = self._entry(api_key)
        secret = "" if entry is None else entry.api_secret
        right = new(_bytes(secret), _bytes(nonce + user_id + api_key), "sha256").hexdigest()
        is_right = compare_digest(right.encode("ascii"), _bytes(signature))
        if entry is None or not is_right or user_id != str(entry.identity.user_id):
            self._say_refused("", "wrong key, user or signature")
            return None
        username = entry.identity.username
        if not self._nonces.setdefault(api_key, Nonces(self._started)).take(nonce):
            self._say_refused(username, "its nonce was used, or may have been", username=username)
            return None
        return entry.identity

    def _entry(self, api_key: str) -> Entry | None:
        """The row of this key, looked for among all of them however soon it is found."""
        said, found = _fingerprint(api_key), None
        for fingerprint, entry in self._by_key:
            if compare_digest(fingerprint, said):
                found = entry
        return found

    def _say_refused(self, source: str, why: str, **who: str) -> None:
        """Log a refusal, unless its source has had many in the last minute: no guesser fills the log."""
        now = time.monotonic()
        if self._refused.count(source, now) < TIMES_MAX:
            log.warning("refused", why=why, source=source, **who)
        self._refused.add(source, now)


def _fingerprint(api_key: str) -> bytes:
    return sha256(_bytes(api_key)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
