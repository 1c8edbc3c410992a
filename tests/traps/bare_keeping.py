"""A bare acceptor that keeps a message beyond its callback, and says at the end what it then holds."""

import quickfix

from tests.traps.plain import Plain, say, settings


class Keeping(Plain):
    """Keeps what it is lent."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[quickfix.Message] = []

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Keep the message itself."""
        self.kept.append(message)


def main() -> None:
    """Serve until a message is kept, and look at it."""
    application = Keeping()
    acceptor = quickfix.SocketAcceptor(application, quickfix.MemoryStoreFactory(), settings())
    acceptor.poll()
    say("ready")
    while not application.kept and acceptor.poll():
        pass
    say(application.kept[0].toString().replace("\x01", "|"))


if __name__ == "__main__":
    main()
