"""TLS of the FIX port, on real sockets: Python's own client against what the edge listens with."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fixgw import certificates
from fixgw.edge.tls import TlsError, certificate_names, server_context, warnings

PATIENCE = 10.0  # seconds
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=1000)  # the CA of then is still valid, and what it issued is not


class Settings(NamedTuple):
    """The table [tls]."""

    certificate: str = "server.pem"
    key: str = "server.key"
    client_ca: str = ""
    client_certificates: str = "optional"


ASKED = Settings(client_ca="ca.pem")
REQUIRED = Settings(client_ca="ca.pem", client_certificates="required")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA, the gateway's certificate, and TRADER37's."""
    directory = tmp_path_factory.mktemp("certificates")
    certificates.make(directory, ["fix.example.com"], ["TRADER37"], NOW)
    return directory


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same from another CA."""
    directory = tmp_path_factory.mktemp("others")
    certificates.make(directory, ["fix.example.com"], ["TRADER37"], NOW)
    return directory


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with certificates that have ended, from a CA that has not."""
    directory = tmp_path_factory.mktemp("old")
    certificates.make(directory, [], ["TRADER37"], LONG_AGO)
    return directory


def context_of(settings: Settings, directory: Path) -> ssl.SSLContext:
    context = server_context(settings, directory)
    assert context is not None
    return context


def client(directory: Path, certificate: Path | None = None) -> ssl.SSLContext:
    """A client that trusts the CA in `directory`, with the certificate in a file and the key beside it."""
    context = ssl.create_default_context(cafile=directory / "ca.pem")
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


class Peer(asyncio.Protocol):
    """One connection on the server's side: says whom it takes the client for, then echoes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        names = certificate_names(transport.get_extra_info("ssl_object"))
        transport.write(f"{names and sorted(names)}\n".encode())

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.transport.write(data)


class Server:
    """Takes each new connection with the context that `context` is then, as the edge does."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.refused: asyncio.Queue[str] = asyncio.Queue()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            peer, _ = await loop.sock_accept(self.socket)
            try:
                await loop.connect_accepted_socket(Peer, peer, ssl=self.context)
            except OSError as error:
                self.refused.put_nowait(str(error))


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[Server]:
    server = Server(context)
    running = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        running.cancel()
        server.socket.close()


class Connection:
    """A client's connection, and what it was taken for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self) -> str:
        """The next line; raises ssl.SSLError or ConnectionError when there is none."""
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        if not line:
            raise ConnectionError
        return line.decode().rstrip()

    async def echo(self, text: str) -> str:
        """What comes back."""
        self.writer.write(text.encode() + b"\n")
        return await self.line()


@asynccontextmanager
async def connected(server: Server, context: ssl.SSLContext) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=context, server_hostname="fix.example.com"
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def taken_for(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> str:
    """The names that the server sees."""

    async def run() -> str:
        async with listening(server_side) as server, connected(server, client_side) as connection:
            return await connection.line()

    return asyncio.run(run())


def why_refused(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> str:
    """What the server says of a client that it does not take; the client must see that it is not."""

    async def run() -> str:
        async with listening(server_side) as server:
            with pytest.raises(OSError):  # noqa: PT011  (which one differs with the version of TLS)
                async with connected(server, client_side) as connection:
                    await connection.line()
            return await asyncio.wait_for(server.refused.get(), PATIENCE)

    return asyncio.run(run())


# versions


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_taken(made: Path, version: ssl.TLSVersion) -> None:
    """Each alone; and none hands out a ticket to come back with."""
    context = client(made)
    context.minimum_version = context.maximum_version = version

    async def run() -> None:
        async with (
            listening(context_of(Settings(), made)) as server,
            connected(server, context) as connection,
        ):
            assert await connection.line() == "None"
            assert await connection.echo("hello") == "hello"
            tls: ssl.SSLObject = connection.writer.get_extra_info("ssl_object")
            assert tls.version() == version.name.replace("_", ".")
            assert tls.session is not None
            assert not tls.session.has_ticket

    asyncio.run(run())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(made: Path) -> None:
    """Whatever the client's own library thinks of it."""
    context = client(made)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert "unsupported protocol" in why_refused(context_of(Settings(), made), context)


def test_a_cipher_without_forward_secrecy_is_refused(made: Path) -> None:
    """Static RSA and CBC are not on offer, whoever built Python."""
    names = [cipher["name"] for cipher in context_of(Settings(), made).get_ciphers()]
    assert names
    assert all(name.startswith(("TLS_", "ECDHE-")) for name in names)
    assert all("GCM" in name or "CHACHA20" in name for name in names)


def test_no_certificate_is_no_tls(made: Path) -> None:
    """Then there is no context."""
    assert server_context(Settings(certificate="", key=""), made) is None
    assert warnings(Settings(certificate="", key=""), made, NOW) == []


# client certificates


@pytest.mark.parametrize("settings", [ASKED, REQUIRED], ids=["optional", "required"])
def test_a_client_certificate_says_who_it_is(made: Path, settings: Settings) -> None:
    """By its subject's CN."""
    names = taken_for(context_of(settings, made), client(made, made / "client-TRADER37.pem"))
    assert names == "['TRADER37']"


def test_a_client_without_certificate_comes_in_where_none_is_required(made: Path) -> None:
    """It has no names: None, which is not the same as a certificate that names nobody."""
    assert taken_for(context_of(ASKED, made), client(made)) == "None"


def test_a_client_without_certificate_is_refused_where_one_is_required(made: Path) -> None:
    """Before it has said anything."""
    assert "did not return a certificate" in why_refused(context_of(REQUIRED, made), client(made))


@pytest.mark.parametrize("settings", [ASKED, REQUIRED], ids=["optional", "required"])
def test_a_certificate_of_another_ca_is_refused(made: Path, others: Path, settings: Settings) -> None:
    """Also where none was required: with a wrong one nobody comes in as if he had none."""
    with_theirs = client(made, others / "client-TRADER37.pem")
    assert "unable to get local issuer" in why_refused(context_of(settings, made), with_theirs)


@pytest.mark.parametrize("settings", [ASKED, REQUIRED], ids=["optional", "required"])
def test_a_client_certificate_that_has_ended_is_refused(made: Path, old: Path, settings: Settings) -> None:
    """The CA is the right one and has not ended."""
    server_side = context_of(settings._replace(client_ca=str(old / "ca.pem")), made)
    why = why_refused(server_side, client(made, old / "client-TRADER37.pem"))
    assert "certificate has expired" in why


def test_the_servers_certificate_is_not_a_clients(made: Path) -> None:
    """The same CA has issued it, but not for clients."""
    why = why_refused(context_of(REQUIRED, made), client(made, made / "server.pem"))
    assert re.search("unsuitable|unsupported certificate purpose", why)


def test_a_dns_name_is_a_name_too(made: Path, tmp_path: Path) -> None:
    """CN and DNS names together; addresses are none."""
    hosts = ["fix.firm.example", "10.0.0.1"]
    issuer = certificates._existing_ca(made)
    pair = certificates._issue(issuer, "T37", ExtendedKeyUsageOID.CLIENT_AUTH, hosts, NOW)
    certificates._write(tmp_path, "own", pair, "", "")
    names = taken_for(context_of(ASKED, made), client(made, tmp_path / "own.pem"))
    assert names == "['T37', 'fix.firm.example']"


def test_a_reload_is_for_new_connections(made: Path, others: Path) -> None:
    """New certificates serve whoever comes after; who is there goes on with the old ones."""

    async def run() -> None:
        async with (
            listening(context_of(Settings(), made)) as server,
            connected(server, client(made)) as before,
        ):
            assert await before.line() == "None"
            server.context = context_of(REQUIRED, others)
            with pytest.raises(ssl.SSLCertVerificationError):
                async with connected(server, client(made)):
                    pass
            async with connected(server, client(others, others / "client-TRADER37.pem")) as after:
                assert await after.line() == "['TRADER37']"
                assert await after.echo("new") == "new"
                assert await before.echo("old") == "old"

    asyncio.run(run())


# mistakes


def mistake(settings: Settings, directory: Path) -> str:
    with pytest.raises(TlsError) as caught:
        server_context(settings, directory)
    return str(caught.value)


@pytest.mark.parametrize("key", ["certificate", "key", "client_ca"])
def test_a_file_that_is_missing(made: Path, key: str) -> None:
    """The key and the path are named."""
    said = mistake(ASKED._replace(**{key: "gone.pem"}), made)
    assert said == f"[tls] {key}: cannot read {made / 'gone.pem'}: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_the_gateway_may_not_read(made: Path, tmp_path: Path) -> None:
    """The reason is the system's."""
    key = tmp_path / "server.key"
    key.write_bytes((made / "server.key").read_bytes())
    key.chmod(0)
    assert "Permission denied" in mistake(Settings(key=str(key)), made)


def test_a_directory_instead_of_a_file(made: Path) -> None:
    """As when the key was forgotten."""
    assert mistake(Settings(key=""), made) == f"[tls] key: cannot read {made}: Is a directory"


@pytest.mark.parametrize("key", ["certificate", "client_ca"])
@pytest.mark.parametrize("content", ["server.key", ""], ids=["a key", "nothing"])
def test_a_file_without_a_certificate(made: Path, tmp_path: Path, key: str, content: str) -> None:
    """A key in its place, or nothing."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes((made / content).read_bytes() if content else b"")
    said = mistake(ASKED._replace(**{key: str(wrong)}), made)
    assert said == f"[tls] {key}: {wrong} holds no PEM certificate that can be read"


def test_a_file_without_a_key(made: Path) -> None:
    """The certificate in its place."""
    said = mistake(Settings(key="server.pem"), made)
    assert said == f"[tls] key: {made / 'server.pem'} holds no PEM key that OpenSSL can read"


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_key_of_another_certificate(made: Path, others: Path, tmp_path: Path, kind: str) -> None:
    """Of the same kind, or of another kind."""
    key = others / "server.key"
    if kind == "RSA":
        key = tmp_path / "rsa.key"
        rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key.write_bytes(rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    said = mistake(Settings(key=str(key)), made)
    assert said == f"[tls] key: {key} is not the key of the certificate in {made / 'server.pem'}"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key(made: Path, tmp_path: Path, form: PrivateFormat) -> None:
    """Nobody is asked for a password on the terminal."""
    plain = load_pem_private_key((made / "server.key").read_bytes(), password=None)
    key = tmp_path / "server.key"
    key.write_bytes(plain.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    said = mistake(Settings(key=str(key)), made)
    assert "is encrypted" in said
    assert f"`openssl pkey -in {key}`" in said


def test_a_key_that_is_too_short(tmp_path: Path) -> None:
    """What OpenSSL says about it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fixgw")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    (tmp_path / "server.pem").write_bytes(certificate)
    (tmp_path / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    assert mistake(Settings(), tmp_path).endswith("server.pem: EE_KEY_TOO_SMALL")


def test_a_client_ca_that_is_no_ca(made: Path) -> None:
    """It could vouch for nobody."""
    said = mistake(Settings(client_ca="client-TRADER37.pem"), made)
    assert said == f"[tls] client_ca: no certificate in {made / 'client-TRADER37.pem'} is that of a CA"


def test_required_certificates_need_a_ca(made: Path) -> None:
    """Without one none would be asked for."""
    assert "needs client_ca" in mistake(Settings(client_certificates="required"), made)


# warnings


def at(days: float) -> datetime:
    return NOW + timedelta(days=days)


def test_nothing_to_warn_about(made: Path) -> None:
    """Fresh certificates, and a key that is the gateway's alone."""
    assert warnings(REQUIRED, made, NOW) == []


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (certificates.DAYS - 31, []),
        (certificates.DAYS - 29, ["server.pem ends at "]),
        (certificates.DAYS + 1, ["server.pem ended at "]),
        (certificates.CA_DAYS - 29, ["server.pem ended at ", "ca.pem ends at "]),
        (-1, ["server.pem begins at ", "ca.pem begins at "]),
    ],
)
def test_a_certificate_that_ends_or_has_not_begun(made: Path, days: float, words: list[str]) -> None:
    """A month before, afterwards, and too early: a line for each certificate, with the date."""
    found = warnings(REQUIRED, made, at(days))
    assert len(found) == len(words)
    for line, word in zip(found, words, strict=True):
        assert word in line
    if "ends at" in "".join(words):
        assert f"{at(round(days) + 29):%Y-%m-%d %H:%M} UTC" in found[-1]


def test_a_context_is_made_of_a_certificate_that_has_ended(old: Path) -> None:
    """It is for clients to refuse it; the gateway starts."""
    assert server_context(Settings(), old) is not None
    assert len(warnings(Settings(), old, NOW)) == 1


def test_a_key_that_everybody_can_read(made: Path, tmp_path: Path) -> None:
    """Others count, the group does not: some keep keys in one."""
    key = tmp_path / "server.key"
    key.write_bytes((made / "server.key").read_bytes())
    key.chmod(0o640)
    assert warnings(Settings(key=str(key)), made, NOW) == []
    key.chmod(0o644)
    (said,) = warnings(Settings(key=str(key)), made, NOW)
    assert f"`chmod 600 {key}`" in said


def test_warnings_need_the_files(made: Path) -> None:
    """A key that has gone since is an error."""
    with pytest.raises(TlsError, match="cannot read"):
        warnings(Settings(key="gone.key"), made, NOW)
