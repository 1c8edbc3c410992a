"""Passwords and their argon2 hashes: how they are made, checked, and what a check may cost."""

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

TIME_COST = 2  # passes; with MEMORY_KIB this is OWASP's first choice for argon2id and takes about 20 ms
MEMORY_KIB = 19_456
MAX_COST = 4 * 65_536  # passes x KiB: about a fifth of a second, in which nobody else's password is checked

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
        return (
            "costs too much to check (over 0.2 s, or several lanes); `fixgw passwd` makes one that does not"
        )
    return None


def is_right(password: bytes, password_hash: str) -> bool:
    """Whether `password_hash` was made of `password`. Takes as long as the hash was made to take."""
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
