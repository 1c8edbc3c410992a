"""The small CA behind `fixgw certificates`."""

import os
import ssl
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from fixgw.certificates import CA_DAYS, DAYS, CertificatesError, configuration, make

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIENTS = ["TRADER37", "a.b_C-9"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where everything was made, for two hosts and two clients."""
    make(tmp_path / "new" / "certs", ["fix.example.com", "192.0.2.7"], CLIENTS, NOW)
    return tmp_path / "new" / "certs"


def certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def fixgw(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fixgw", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_all_the_files(directory: Path) -> None:
    """A pair for each; keys are for their owner alone, and so is the directory."""
    names = ["ca", "server", "client-TRADER37", "client-a.b_C-9"]
    assert sorted(contents(directory)) == sorted(
        f"{name}.{kind}" for name in names for kind in ("pem", "key")
    )
    assert directory.stat().st_mode & 0o777 == 0o700
    for name in names:
        assert (directory / f"{name}.key").stat().st_mode & 0o777 == 0o600
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")


def test_the_servers_certificate_is_good_for_its_names_and_for_nothing_else(directory: Path) -> None:
    """By the rules of the web, which are stricter than those of FIX clients; and loopback is always in it."""
    store = PolicyBuilder().store(Store([certificate(directory, "ca")])).time(NOW + timedelta(days=DAYS - 1))
    server = certificate(directory, "server")
    for name in ("fix.example.com", "localhost"):
        store.build_server_verifier(x509.DNSName(name)).verify(server, [])
    for address in ("192.0.2.7", "127.0.0.1", "::1"):
        store.build_server_verifier(x509.IPAddress(ip_address(address))).verify(server, [])
    with pytest.raises(x509.verification.VerificationError):
        store.build_server_verifier(x509.DNSName("other.example.com")).verify(server, [])
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_clients_certificate_names_it_and_is_for_clients_alone(directory: Path, name: str) -> None:
    """The CompID is the subject's CN."""
    issued = certificate(directory, f"client-{name}")
    assert issued.subject.rfc4514_string() == f"CN={name}"
    assert issued.issuer == certificate(directory, "ca").subject
    issued.verify_directly_issued_by(certificate(directory, "ca"))
    usage = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_another_client_gets_its_certificate_later(directory: Path) -> None:
    """From the same CA, and nothing that is there changes; it ends no later than the CA."""
    before = contents(directory)
    later = NOW + timedelta(days=CA_DAYS - 10)
    made = make(directory, [], ["OPERATOR1"], later)
    assert [path.name for path, _ in made] == ["client-OPERATOR1.pem", "client-OPERATOR1.key"]
    issued = certificate(directory, "client-OPERATOR1")
    issued.verify_directly_issued_by(certificate(directory, "ca"))
    assert issued.not_valid_after_utc == NOW + timedelta(days=CA_DAYS)
    assert contents(directory).items() >= before.items()


def test_a_certificate_is_renewed_when_the_old_one_was_moved_away(directory: Path) -> None:
    """The CA stays, so that nobody has to trust another one."""
    before = contents(directory)
    for kind in ("pem", "key"):
        (directory / f"server.{kind}").unlink()
    made = make(directory, ["fix.example.com"], [], NOW + timedelta(days=DAYS))
    assert [path.name for path, _ in made] == ["server.pem", "server.key"]
    assert contents(directory)["ca.pem"] == before["ca.pem"]
    assert contents(directory)["server.pem"] != before["server.pem"]


@pytest.mark.parametrize(
    ("hosts", "clients", "said"),
    [
        ([], ["OPERATOR1", "TRADER37"], "client-TRADER37.pem is there"),
        ([], [], "server.pem is there"),
        (["fix.example.com"], ["OPERATOR1"], "server.pem is there"),
        ([], ["OPERATOR1", "OPERATOR1"], "is there twice"),
        ([], ["OPERATOR 1"], "is no CompID"),
        ([], ["../OPERATOR1"], "is no CompID"),
        (["https://fix.example.com"], [], "neither a host name nor an address"),
        (["fix..example.com"], [], "neither a host name nor an address"),
    ],
)
def test_what_cannot_be_made(directory: Path, hosts: list[str], clients: list[str], said: str) -> None:
    """Nothing at all is made then, and nothing that is there changes."""
    before = contents(directory)
    with pytest.raises(CertificatesError, match=said):
        make(directory, hosts, clients, NOW)
    assert contents(directory) == before


@pytest.mark.parametrize("left", ["ca.pem", "ca.key", "server.pem", "server.key", "client-OPERATOR1.key"])
def test_a_file_without_its_other_half_stays(tmp_path: Path, left: str) -> None:
    """Also a link that leads nowhere is a file that is there."""
    (tmp_path / left).symlink_to("elsewhere")
    with pytest.raises(CertificatesError, match="other half"):
        make(tmp_path, [], ["OPERATOR1"], NOW)
    assert os.listdir(tmp_path) == [left]


def test_a_ca_that_cannot_issue(directory: Path, tmp_path: Path) -> None:
    """One that has ended, one with another's key, one that is unreadable, and none at all."""
    make(tmp_path / "other", [], [], NOW)
    with pytest.raises(CertificatesError, match="the CA ended at 2031-11-20"):
        make(directory, [], ["OPERATOR1"], NOW + timedelta(days=CA_DAYS))
    (directory / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(CertificatesError, match=r"is not the key of ca\.pem"):
        make(directory, [], ["OPERATOR1"], NOW)
    (directory / "ca.key").write_bytes(b"")
    with pytest.raises(CertificatesError, match="cannot be used"):
        make(directory, [], ["OPERATOR1"], NOW)
    (directory / "ca.key").unlink()
    (directory / "ca.pem").unlink()
    with pytest.raises(CertificatesError, match=r"not the ca\.pem and ca\.key"):
        make(directory, [], ["OPERATOR1"], NOW)


def test_the_lines_for_the_configuration(directory: Path) -> None:
    """They are TOML, and name the files."""
    lines = tomllib.loads(configuration(directory, CLIENTS))
    assert lines["tls"] == {
        "certificate": str(directory / "server.pem"),
        "key": str(directory / "server.key"),
        "client_ca": str(directory / "ca.pem"),
    }
    assert lines["session"] == [{"client_certificate": "required"}] * 2
    assert "client_ca" not in tomllib.loads(configuration(directory, []))["tls"]


def test_the_command(tmp_path: Path) -> None:
    """It says what each file is for, and the second time what to do."""
    words = ("certificates", "--directory", str(tmp_path / "certs"), "--client", "TRADER37")
    first = fixgw(*words, "--host", "fix.example.com")
    assert first.returncode == 0
    assert f"{tmp_path}/certs/client-TRADER37.key: TRADER37's key" in first.stdout
    assert f'client_ca = "{tmp_path}/certs/ca.pem"' in first.stdout
    second = fixgw(*words)
    assert second.returncode == 1
    assert "move it and its key away" in second.stderr
    (tmp_path / "file").touch()
    third = fixgw("certificates", "--directory", str(tmp_path / "file"))
    assert third.returncode == 1
    assert "file" in third.stderr
