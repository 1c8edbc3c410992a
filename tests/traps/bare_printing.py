"""A bare acceptor that prints what reaches the application, and whether its session is logged on."""

import quickfix

from tests.traps.plain import Plain, say, serve, settings


class Printing(Plain):
    """Prints each application message's type."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Print it."""
        session = quickfix.Session.lookupSession(sessionID)
        assert session is not None
        msg_type = message.getHeader().getField(35)
        say(f"fromApp 35={msg_type} logged on: {session.isLoggedOn()}")


if __name__ == "__main__":
    serve(quickfix.SocketAcceptor(Printing(), quickfix.MemoryStoreFactory(), settings()))
