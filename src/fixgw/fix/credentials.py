"""Username(553) and Password(554) at Logon, checked against argon2 hashes.

The check stalls the engine's loop, so a hash is only accepted when its cost is bounded.
"""

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

TIME_COST = 2  # passes; with MEMORY_KIB this is OWASP's first choice for argon2id and takes about 20 ms
MEMORY_KIB = 19_456
MAX_COST = TIME_COST * MEMORY_KIB  # passes x KiB: what stays below 50 ms on one core

_hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)


def hash_password(password: str) -> str:
    """An argon2id hash of `password` for the configuration."""
    return _hasher.hash(password)


def hash_problem(password_hash: str) -> str | None:
    """Why `password_hash` cannot be used, None when it can: not argon2, or too costly to check."""
    try:
        parameters = extract_parameters(password_hash)
    except InvalidHashError:
        return "is not an argon2 hash; `fixgw passwd` makes one"
    if parameters.time_cost * parameters.memory_cost > MAX_COST or parameters.parallelism != 1:
        return "costs too much to check (over 50 ms); `fixgw passwd` makes one that does not"
    return None


class Credentials:
    """The Username(553) and the password hash of each session, by the session's name."""

    def __init__(self, accepted: dict[str, tuple[str, str]]) -> None:
        self._accepted = accepted
        self._decoy = hash_password("")

    def problem(self, session: str, username: str | None, password: str | None) -> str | None:
        """What is wrong, for the log alone; None when both are right.

        A wrong name costs as much time as a wrong password, so that the time tells nothing either.
        """
        expected, password_hash = self._accepted.get(session, ("", self._decoy))
        known = username == expected and session in self._accepted
        try:
            _hasher.verify(
                password_hash if known else self._decoy, (password or "").encode("utf-8", "surrogateescape")
            )
        except Argon2Error:
            return "wrong password" if known else "wrong username"
        return None if known else "wrong username"
