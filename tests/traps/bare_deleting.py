"""A bare acceptor that nobody refers to any more after its first Logon."""

import gc
import threading
import time

import quickfix

from tests.traps.plain import Plain, say, settings


class Waiting(Plain):
    """Tells of a Logon."""

    def __init__(self) -> None:
        super().__init__()
        self.logged_on = threading.Event()

    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Tell it."""
        self.logged_on.set()


def main() -> None:
    """Serve, forget the acceptor, wait."""
    application = Waiting()
    acceptor = quickfix.SocketAcceptor(application, quickfix.MemoryStoreFactory(), settings())
    acceptor.start()
    say("ready")
    application.logged_on.wait(20)
    del acceptor
    gc.collect()
    time.sleep(20)


if __name__ == "__main__":
    main()
