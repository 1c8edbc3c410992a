"""A bare acceptor one of whose callbacks raises; arguments: callback, exception, how it is driven."""

import builtins
import threading

import quickfix

from tests.traps.plain import ARGUMENTS, Plain, say, serve, settings


def main() -> None:
    """Serve until the test ends us; as a main program would, this one waits for the end."""
    callback, exception, drive = ARGUMENTS

    def failing(*_: object) -> None:
        raise getattr(builtins, exception)("a mistake")

    setattr(Plain, callback, failing)
    acceptor = quickfix.SocketAcceptor(Plain(), quickfix.MemoryStoreFactory(), settings())
    if drive == "poll":
        serve(acceptor)
    else:
        acceptor.start()
        say("ready")
        threading.Event().wait()


if __name__ == "__main__":
    main()
