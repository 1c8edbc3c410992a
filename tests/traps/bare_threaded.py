"""A bare acceptor of the kind that is the first argument; further ones are settings, or `files=N`."""

import resource
import threading

import quickfix

from tests.traps.plain import ARGUMENTS, Plain, say, settings


class Printing(Plain):
    """Prints what reaches the application."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Print it."""
        say(f"fromApp 35={message.getHeader().getField(35)}")


def main() -> None:
    """Serve until the test ends us."""
    kind, *arguments = ARGUMENTS
    found = settings(*(line for line in arguments if not line.startswith("files=")))
    store = quickfix.MemoryStoreFactory()
    acceptor: quickfix.SocketAcceptor | quickfix.ThreadedSocketAcceptor
    if kind == "ThreadedSocketAcceptor":
        acceptor = quickfix.ThreadedSocketAcceptor(Printing(), store, found)
    else:
        acceptor = quickfix.SocketAcceptor(Printing(), store, found)
    acceptor.start()
    for line in arguments:
        if line.startswith("files="):
            files = int(line.removeprefix("files="))
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    say("ready")
    threading.Event().wait(20)
    say("end")


if __name__ == "__main__":
    main()
