"""A small CA: certificates for the gateway and its clients, for tests and where there is no other CA.

ECDSA with P-256, which every TLS library of today reads. A file that is there is never written over.
"""

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 1825
DAYS = 397  # a year, and a month to see the warning in
BACKDATED = timedelta(hours=1)  # for machines whose clock is behind
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_CLIENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class CertificatesError(Exception):
    """The certificates cannot be made; the text says why, and what to do."""


class Made(NamedTuple):
    """A file that was made, and what it is for."""

    path: Path
    purpose: str


class _Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make(directory: Path, hosts: Sequence[str], clients: Sequence[str], now: datetime) -> list[Made]:
    """Make certificates in `directory`: the CA's and the gateway's unless they are there, and the clients'.

    `hosts` are the names and addresses that clients connect to, besides those of loopback; `clients` are
    CompIDs. A CA that is there issues the others. Raises CertificatesError, having made nothing.
    """
    _check(directory, hosts, clients)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[Made] = []
    if _is_there(directory, "ca"):
        issuer = _existing_ca(directory)
    else:
        issuer = _new_ca(now)
        made += _write(
            directory,
            "ca",
            issuer,
            "the CA's certificate; clients check the gateway's with it, and the gateway theirs",
            "the CA's key; what it signs is trusted: keep it away from the gateway's machine",
        )
    if not _is_there(directory, "server"):
        server = _issue(issuer, "fixgw", ExtendedKeyUsageOID.SERVER_AUTH, [*hosts, *LOOPBACK], now)
        made += _write(directory, "server", server, "the gateway's certificate", "the gateway's key")
    for client in clients:
        issued = _issue(issuer, client, ExtendedKeyUsageOID.CLIENT_AUTH, [], now)
        made += _write(directory, f"client-{client}", issued, f"{client}'s certificate", f"{client}'s key")
    return made


def configuration(directory: Path, clients: Sequence[str]) -> str:
    """The lines of gateway.toml that use what `make` made."""
    name = {
        file: json.dumps(str(directory.resolve() / file)) for file in ("server.pem", "server.key", "ca.pem")
    }
    lines = ["[tls]", f"certificate = {name['server.pem']}", f"key = {name['server.key']}"]
    if clients:
        lines.append(f"client_ca = {name['ca.pem']}")
    for client in clients:
        lines += ["", f"[[session]]  # to the one that is there: {client}", 'client_certificate = "required"']
    return "\n".join(lines)


def _check(directory: Path, hosts: Sequence[str], clients: Sequence[str]) -> None:
    for host in hosts:
        if not _is_address(host) and not _HOST.fullmatch(host):
            raise CertificatesError(f"--host {host}: is neither a host name nor an address")
    for client in clients:
        if not _CLIENT.fullmatch(client):
            raise CertificatesError(
                f"--client {client}: is no CompID (letters, digits, _ . and -, at most 64)"
            )
        if clients.count(client) > 1:
            raise CertificatesError(f"--client {client}: is there twice")
        if _is_there(directory, f"client-{client}"):
            raise CertificatesError(_taken(directory, f"client-{client}"))
    if _is_there(directory, "server"):
        if not _is_there(directory, "ca"):
            raise CertificatesError(
                f"{directory} has a server.pem, but not the ca.pem and ca.key that it is from"
            )
        if hosts:
            raise CertificatesError(f"{_taken(directory, 'server')} (or leave out --host, and it stays)")
        if not clients:
            raise CertificatesError(f"{_taken(directory, 'server')}; --client makes another client's")


def _is_there(directory: Path, name: str) -> bool:
    """Whether a certificate and its key are there. Raises CertificatesError when it is one of the two."""
    files = [directory / f"{name}.pem", directory / f"{name}.key"]
    there = [file for file in files if os.path.lexists(file)]
    if len(there) == 1:
        raise CertificatesError(f"{there[0]} is there without its other half: complete it, or move it away")
    return bool(there)


def _taken(directory: Path, name: str) -> str:
    return (
        f"{directory / name}.pem is there, and nothing is written over: to renew it, move it and its key away"
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _new_ca(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fixgw CA of {now:%Y-%m-%d %H:%M:%S}")])
    certificate = (
        _builder(name, name, key.public_key(), key.public_key(), now, now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Pair(certificate, key)


def _existing_ca(directory: Path) -> _Pair:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        key = load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificatesError(f"the CA in {directory} cannot be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CertificatesError(f"{directory}/ca.key is not the key of ca.pem that this command made")
    return _Pair(certificate, key)


def _issue(
    issuer: _Pair, name: str, usage: x509.ObjectIdentifier, hosts: Sequence[str], now: datetime
) -> _Pair:
    """A certificate for `usage` alone; it ends no later than the CA's."""
    ca_ends = issuer.certificate.not_valid_after_utc
    if ca_ends <= now:
        raise CertificatesError(f"the CA ended at {ca_ends:%Y-%m-%d}: make a new one in another directory")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = min(now + timedelta(days=DAYS), ca_ends)
    builder = (
        _builder(subject, issuer.certificate.subject, key.public_key(), issuer.key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if hosts:
        names = [
            x509.IPAddress(ip_address(host)) if _is_address(host) else x509.DNSName(host)
            for host in dict.fromkeys(hosts)
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _Pair(builder.sign(issuer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    """What all certificates have in common (RFC 5280)."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(directory: Path, name: str, pair: _Pair, certificate_is: str, key_is: str) -> list[Made]:
    pem = pair.certificate.public_bytes(Encoding.PEM)
    key = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = [Made(directory / f"{name}.pem", certificate_is), Made(directory / f"{name}.key", key_is)]
    for (path, _), content, mode in zip(made, (pem, key), (0o644, 0o600), strict=True):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    return made
