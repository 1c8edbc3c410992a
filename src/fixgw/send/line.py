"""The connection of a call: TCP, or TLS with the acceptor's certificate checked."""

import socket
import ssl
from pathlib import Path
from typing import NamedTuple


class LineError(Exception):
    """There is no connection; the text says why."""


class Tls(NamedTuple):
    """PEM files: the CAs that are trusted (None: the system's); the client's certificate and key, if any."""

    ca: Path | None
    certificate: Path | None
    key: Path | None


def connect(host: str, port: int, tls: Tls | None, seconds: float) -> socket.socket:
    """A connection to the acceptor, within so many seconds. Raises LineError.

    With TLS (1.2 or later) the certificate must be from a trusted CA and have the name or address `host`.
    """
    try:
        line = socket.create_connection((host, port), timeout=seconds)
    except OSError as error:
        raise LineError(f"no connection to {host}:{port}: {error}") from None
    if tls is None:
        return line
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        return context.wrap_socket(line, server_hostname=host)
    except OSError as error:  # ssl.SSLError is one
        line.close()
        raise LineError(f"no TLS with {host}:{port}: {error}") from None
