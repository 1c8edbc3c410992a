"""Passwords and their argon2 hashes: how they are made, checked, and what a check may cost.

Checks wait for one another, so the cost of a hash is bounded.
"""

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

TIME_COST = 2  # passes; with MEMORY_KIB this is OWASP's first choice for argon2id and takes about 20 ms
MEMORY_KIB = 19_456
MAX_MEMORY_KIB = 65_536
MAX_COST = 3 * MAX_MEMORY_KIB  # passes x KiB: RFC 9106's second choice takes less than 0.2 s on one core

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
    cost = parameters.time_cost * parameters.memory_cost
    if cost > MAX_COST or parameters.memory_cost > MAX_MEMORY_KIB or parameters.parallelism != 1:
        return "costs too much to check (over 0.2 s, or several lanes); `fixgw passwd` makes a cheaper one"
    return None


def is_right(password: bytes, password_hash: str) -> bool:
    """Whether `password_hash` was made of `password`. Takes as long as the hash was made to take."""
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
