"""A bare acceptor with a FileLog."""

import quickfix

from tests.traps.plain import Plain, serve, settings

if __name__ == "__main__":
    found = settings()
    log = quickfix.FileLogFactory(found)
    serve(quickfix.SocketAcceptor(Plain(), quickfix.MemoryStoreFactory(), found, log))
