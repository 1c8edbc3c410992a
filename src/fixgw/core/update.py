"""What of new reference data can take the place of the old while requests are served, and what that changes.

Accounts, users and how sessions are answered can. Which sessions, OMSes and instruments there are cannot, nor
when a session's numbers begin anew: those wait for a start, and until then the old ones stay.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from fixgw.core.directory import Account, Directory, Session, User


class Update(Struct, frozen=True):
    """The new accounts, users and sessions; `changes` and what is `left` for a start (lines for a person)."""

    accounts: dict[int, Account]
    users: dict[int, User]
    sessions: dict[str, Session]
    changes: tuple[str, ...]
    left: tuple[str, ...]


def update_of(old: Directory, new: Directory) -> Update:
    """What changes when `new` comes in place of `old`.

    A session that `new` has not got, or has on an OMS that is new too, stays as it is with its user.
    """
    sessions = {name: _session(old, new, session) for name, session in old.sessions.items()}
    users = dict(new.users)
    for session in sessions.values():
        if session.user_id not in users:
            users[session.user_id] = old.users[session.user_id]
    changes = (
        *_differences("account", old.accounts, new.accounts),
        *_differences("user", old.users, users),
        *_differences("session", old.sessions, sessions),
    )
    left = (
        *_differences("session", sessions, new.sessions),
        *_differences("oms", old.omses, new.omses),
        *_differences("instrument", old.instruments, new.instruments),
    )
    return Update(dict(new.accounts), users, sessions, changes, left)


def _session(old: Directory, new: Directory, session: Session) -> Session:
    found = new.sessions.get(session.name)
    if found is None or found.oms_id not in old.omses:
        return session
    return replace(found, reset_at=session.reset_at)


_T = TypeVar("_T", bound=Struct)


def _differences(kind: str, before: Mapping[Any, _T], after: Mapping[Any, _T]) -> Iterator[str]:
    """What is not the same (any number of lines), named as the core names it."""
    for key in {**before, **after}:
        if key not in after:
            yield f"{kind} {key} removed"
        elif key not in before:
            yield f"{kind} {key} added"
        else:
            was, now = asdict(before[key]), asdict(after[key])
            for field, value in now.items():
                if was[field] != value:
                    yield f"{kind} {key} {field}: {_shown(was[field])} -> {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(map(str, value)))}]"
    return "none" if value is None else str(value)
