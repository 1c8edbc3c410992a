"""Who plays the roles of the scripts: sessions that outlive a scenario, and how they log on and out."""

from collections.abc import Callable
from contextlib import suppress
from socket import socket

from fixgw.certify.message import Message, Pairs
from fixgw.certify.profile import Profile
from fixgw.certify.session import Identity, Session, Silent, WireError
from fixgw.certify.wire import Wire

Connect = Callable[[str], socket]
"""A new connection for a role: made, or for an acceptor's taken. Raises OSError."""


class Failed(Exception):  # noqa: N818 - an outcome, not an error of the program
    """Something else came than was expected; the text says both."""


class Cast:
    """The sessions of all roles. Those in `acceptors` are logged on to by the other side."""

    def __init__(self, profile: Profile, connect: Connect, acceptors: frozenset[str] = frozenset()) -> None:
        self.profile = profile
        self.wire = Wire()
        self._connect = connect
        self._acceptors = acceptors
        self._sessions: dict[str, Session] = {}

    @property
    def patience(self) -> float:
        """How long an answer may take, in seconds."""
        return self.profile.patience_seconds

    def session(self, role: str) -> Session:
        """The session of a role, connected or not."""
        if role not in self._sessions:
            own, venue = self.profile.roles[role], self.profile.connection.target_comp_id
            is_acceptor = role in self._acceptors
            identity = Identity(
                comp_id=venue if is_acceptor else own.comp_id,
                peer=own.comp_id if is_acceptor else venue,
                username=own.username,
                password=self.profile.password(role),
                heartbeat=self.profile.connection.heartbeat,
                is_acceptor=is_acceptor,
            )
            self._sessions[role] = Session(role, identity, self.wire)
        return self._sessions[role]

    def connect(self, role: str) -> Session:
        """The session of a role, on a new connection. Raises OSError."""
        session = self.session(role)
        session.close()
        session.open(self._connect(role))
        return session

    def log_on(self, role: str, pairs: Pairs = (), *, is_first: bool = False) -> Session:
        """Connect and log on. The first time in a scenario the numbers begin at 1, if the profile says so,
        and what an earlier scenario left undelivered is passed over.

        Raises Failed, OSError, Silent and WireError.
        """
        session = self.connect(role)
        given = list(pairs)
        if session.identity.is_acceptor:
            self._expect_logon(session)
            session.logon(given)
            return session
        if is_first and self.profile.connection.reset and not any(tag == 141 for tag, _ in given):
            given.append((141, "Y"))
        session.logon(given)
        self._expect_logon(session)
        if is_first:
            session.drain(self.patience)
        return session

    def log_out(self, role: str) -> None:
        """Log out, and close the connection. Raises Silent and WireError."""
        session = self.session(role)
        if session.is_logged_on:
            session.send([(35, "5")])
            while session.receive(self.patience).type != "5":
                pass
        session.close("logged out")

    def leave(self, role: str) -> None:
        """Log out as well as it goes."""
        with suppress(Silent, WireError):
            self.log_out(role)
        self.session(role).close()

    def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            session.close()

    def _expect_logon(self, session: Session) -> None:
        answer = session.receive(self.patience, wanted="A")
        if answer.type != "A":
            raise Failed(f"a Logon(A) was expected, and this came: {shown(answer)}")


def shown(message: Message) -> str:
    """A message in a line, for people."""
    return "|".join(f"{tag}={value}" for tag, value in message.pairs)
