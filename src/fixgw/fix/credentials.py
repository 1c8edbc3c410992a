"""Username(553) and Password(554) at Logon, checked against argon2 hashes."""

from fixgw.passwords import hash_password, is_right


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
        said = (password or "").encode("utf-8", "surrogateescape")
        if not is_right(said, password_hash if known else self._decoy):
            return "wrong password" if known else "wrong username"
        return None if known else "wrong username"
