"""A bare acceptor; arguments: the dictionary (ours, stock), how it is driven (poll, start), more settings."""

import threading

import quickfix

from tests.traps.plain import ARGUMENTS, OURS, STOCK, Plain, say, serve, settings


def main() -> None:
    """Serve until the test ends us."""
    dictionary, drive, *lines = ARGUMENTS
    found = settings(*lines, dictionary=STOCK if dictionary == "stock" else OURS)
    acceptor = quickfix.SocketAcceptor(Plain(), quickfix.MemoryStoreFactory(), found)
    if drive == "poll":
        serve(acceptor)
    else:
        acceptor.start()
        say("ready")
        threading.Event().wait()


if __name__ == "__main__":
    main()
