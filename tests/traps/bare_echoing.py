"""A bare acceptor that sets what it read into another message, and prints what came of it."""

import quickfix

from tests.traps.plain import Plain, say, serve, settings


class Echoing(Plain):
    """Echoes Text(58)."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Set it into a new message."""
        value = message.getField(58)
        try:
            quickfix.Message().setField(58, value)
        except TypeError as error:
            say(f"{value!a} {type(error).__name__}")


if __name__ == "__main__":
    serve(quickfix.SocketAcceptor(Echoing(), quickfix.MemoryStoreFactory(), settings()))
