"""What the processes of the edge have in common: how they take a port, what they say, and how they fail."""

import os
import resource
import socket
import sys
from contextlib import suppress

import structlog

log = structlog.get_logger("fixgw.edge")

OPEN = b"open"  # what the supervisor says when it is time to listen
KERNEL_QUEUE = 1_024  # connections that the kernel keeps until they are accepted
BEAT_SECONDS = 1.0  # between two signs of life


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the port, and does not listen yet. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio send at once (TCP_NODELAY), and not wait 40 ms for an
    # acknowledgment of what it sent before.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def say(line: str) -> None:
    """Tell the supervisor a line."""
    with suppress(OSError):  # its reader is gone, and so will we be
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


def take_descriptors() -> None:
    """Have as many descriptors as this process may: each connection takes one or two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def failed(why: str, code: int) -> int:
    """Say why this process ends; `code`."""
    log.critical("failed", why=why)
    print(f"fixgw: {why}", file=sys.stderr, flush=True)  # noqa: T201
    return code
