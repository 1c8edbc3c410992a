"""A well-behaved client in a process of its own: one H after the other, and how long each answer took.

It runs until its standard input ends. Each round trip is two doubles in the file given: when it began, on the
clock that all processes share, and its seconds.
"""

import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

from tests.edge.attack import Way
from tests.wire import PATIENCE

RECORD = struct.Struct("dd")
PAUSE_SECONDS = 0.002  # between an answer and the next H: nobody who behaves well fills the machine
HEARTBEAT = 30


def main() -> None:
    """Log on, enter an order, say so, and ask."""
    port, name, file, *certificates = sys.argv[1:]
    way = Way(int(port), Path(certificates[0]) if certificates else None)
    client = way.client(name)
    client.logon(reset=True, heartbeat=HEARTBEAT)
    resting = client.rest()
    connection = client.connection
    connection.settimeout(PATIENCE)
    fields = ((11, resting.cl_ord_id), (37, resting.order_id), (54, 1))
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, RECORD.pack(0.0, 0.0))
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        request = client.encode("H", fields)
        began = time.monotonic()
        connection.sendall(request)
        _await_report(connection)
        os.write(out, RECORD.pack(began, time.monotonic() - began))


def _await_report(connection: socket.socket) -> None:
    """Read up to the end of a message, until an ExecutionReport was among what was read."""
    read = b""
    while not (b"\x0135=8\x01" in read and read.endswith(b"\x01")):
        data = connection.recv(65_536)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        read += data


if __name__ == "__main__":
    main()
