"""A bare acceptor driven by poll() that is stopped, and not asked to log out first, at SIGTERM."""

import signal

import quickfix

from tests.traps.plain import Plain, say, settings


def main() -> None:
    """Serve until SIGTERM."""
    acceptor = quickfix.SocketAcceptor(Plain(), quickfix.MemoryStoreFactory(), settings())
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    acceptor.poll()
    say("ready")
    while not stopping and acceptor.poll():
        pass
    acceptor.stop(True)


if __name__ == "__main__":
    main()
