"""TLS of the FIX port: the context for new connections, and whom a client's certificate names.

Cryptography is loaded only where a certificate is read, so that a gateway without TLS starts without it.
"""

import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WARN_BEFORE = timedelta(days=30)
"""A certificate that ends within this time is worth a warning."""

_TLS_1_2_CIPHERS = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"
"""Those with forward secrecy and authenticated encryption, as all of TLS 1.3 are. Said here because some
distributions build Python with OpenSSL's own choice, which has others too."""

_MISMATCHES = frozenset(["KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"])
"""What OpenSSL says of a key that is not the certificate's; the last, for one of another kind."""


class TlsError(Exception):
    """The files of [tls] cannot be used; the text names the key and says what to do."""


class TlsSettings(Protocol):
    """What is read of the table [tls]. File names are relative to the configuration."""

    @property
    def certificate(self) -> str:
        """PEM: the server's certificate, then those between it and its CA; "" for no TLS."""
        ...

    @property
    def key(self) -> str:
        """PEM: the key of the certificate, not encrypted."""
        ...

    @property
    def client_ca(self) -> str:
        """PEM: the CAs that clients' certificates come from; "" when none are asked for."""
        ...

    @property
    def client_certificates(self) -> str:
        """Whether a client needs one: "optional" or "required"."""
        ...


def server_context(settings: TlsSettings, directory: Path) -> ssl.SSLContext | None:
    """What new connections are taken with, made from the files as they are now; None without TLS.

    TLS 1.2 or 1.3 with forward secrecy and authenticated encryption. No ALPN: FIX has no name there. Raises
    TlsError.
    """
    if not settings.certificate:
        return None
    if settings.client_certificates == "required" and not settings.client_ca:
        raise TlsError('[tls] client_certificates: "required" needs client_ca, the CAs that they come from')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    # FIX connections last for hours: resuming one wins nothing, and the client's certificate is not looked at
    # again then. With TLS 1.2's session ids it can still be done for two hours, or until a reload: Python has
    # no switch for them.
    context.num_tickets = 0  # TLS 1.3
    context.options |= ssl.OP_NO_TICKET  # TLS 1.2
    # Costs a server much more than a client. OpenSSL 3 refuses it by itself, OpenSSL 1.1.1 does not.
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load_own(context, directory / settings.certificate, directory / settings.key)
    if settings.client_ca:
        _load_client_ca(context, directory / settings.client_ca)
        is_required = settings.client_certificates == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    return context


def certificate_names(peer: ssl.SSLObject) -> frozenset[str] | None:
    """The subject's CN and the DNS names of the certificate that a client presented; None when it had none.

    The names stand as in the certificate: case counts, and a wildcard is no more than its letters. With a
    certificate that `client_ca` does not vouch for nobody gets so far.
    """
    certificate: Mapping[str, Any] | None = peer.getpeercert()
    if not certificate:
        return None
    subject = (pair for group in certificate.get("subject", ()) for pair in group)
    dns = (value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
    return frozenset([*(value for kind, value in subject if kind == "commonName"), *dns])


def warnings(settings: TlsSettings, directory: Path, now: datetime) -> list[str]:
    """What is no error but needs a person, for the log: at a start, at a reload, and once a day.

    That is a certificate or client CA that has ended, ends within `WARN_BEFORE`, or is not valid yet, each at
    `now`; and a key that every user of the machine can get at. Raises TlsError when a file cannot be read.
    """
    if not settings.certificate:
        return []
    found = _of_validity("certificate", directory / settings.certificate, now)
    if settings.client_ca:
        found += _of_validity("client_ca", directory / settings.client_ca, now)
    key = directory / settings.key
    with _readable("key", key):
        is_open_to_all = key.stat().st_mode & stat.S_IRWXO
    if is_open_to_all:
        found.append(
            f"[tls] key: every user of this machine can get at {key}; `chmod 600 {key}` changes that"
        )
    return found


def _of_validity(name: str, path: Path, now: datetime) -> list[str]:
    found = []
    for certificate in _certificates(name, path):
        starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        which = f"[tls] {name}: {certificate.subject.rfc4514_string()} in {path}"
        if now >= ends:
            found.append(f"{which} ended at {ends:%Y-%m-%d %H:%M} UTC, and nobody trusts it now: replace it")
        elif now < starts:
            found.append(f"{which} begins at {starts:%Y-%m-%d %H:%M} UTC, and nobody trusts it before")
        elif ends - now < WARN_BEFORE:
            found.append(f"{which} ends at {ends:%Y-%m-%d %H:%M} UTC: replace it before")
    return found


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def refuse_to_ask() -> str:
        raise TlsError(
            f"[tls] key: {key} is encrypted, and there is nobody to ask for its password: "
            f"`openssl pkey -in {key}` writes it without"
        )

    _certificates("certificate", certificate)
    _read("key", key)
    try:
        context.load_cert_chain(certificate, key, password=refuse_to_ask)
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise TlsError(f"[tls] key: {key} is not the key of the certificate in {certificate}") from error
        if error.reason is None:
            raise TlsError(f"[tls] key: {key} holds no PEM key that OpenSSL can read") from error
        raise TlsError(f"[tls] certificate: OpenSSL does not take {certificate}: {error.reason}") from error


def _load_client_ca(context: ssl.SSLContext, path: Path) -> None:
    _certificates("client_ca", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsError(f"[tls] client_ca: OpenSSL does not take {path}: {error.reason}") from error
    if not context.cert_store_stats()["x509_ca"]:
        raise TlsError(f"[tls] client_ca: no certificate in {path} is that of a CA")


def _certificates(name: str, path: Path) -> "list[Certificate]":
    """The certificates in a PEM file, at least one. Raises TlsError with the key's name."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(_read(name, path))
    except ValueError as error:
        raise TlsError(f"[tls] {name}: {path} holds no PEM certificate that can be read") from error


def _read(name: str, path: Path) -> bytes:
    with _readable(name, path):
        return path.read_bytes()


@contextmanager
def _readable(name: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TlsError(f"[tls] {name}: cannot read {path}: {error.strerror}") from error
