"""`fixgw certify` against a gateway: the short catalogue, what its exit codes say, and the reports."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixgw import certificates
from fixgw.certify import catalogue
from tests.certify.build import HEADER
from tests.gateway import ROOT, Gateway, free_port, write_config

PROFILE = ROOT / "config" / "certify-fixgw.toml"
FIXGW = Path(sys.executable).with_name("fixgw")
RUN_SECONDS = 120


def certify(
    address: str, *arguments: str, profile: Path = PROFILE, data: Path = Path("none")
) -> subprocess.CompletedProcess[str]:
    """Run `fixgw certify` with the profile of fixgw, told where the gateway's data are."""
    command = [sys.executable, "-m", "fixgw", "certify", address, "--profile", str(profile)]
    command += ["--set", f"data={data}", "--set", f"fixgw={FIXGW}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=RUN_SECONDS)


def of(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Certify a gateway."""
    return certify(f"127.0.0.1:{gateway.port}", *arguments, data=gateway.data)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as the profile describes it, shared by the tests of this file."""
    config = ROOT / "config" / "certify-gateway.toml"
    with Gateway(tmp_path_factory.mktemp("gateway") / "data", config) as running:
        yield running


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenarios of a desk: one that fails, one that does not apply."""
    directory = tmp_path_factory.mktemp("ours")
    steps = "logon TRADER\nTRADER > 35=H|11={new order}|{instrument}|54=1\nTRADER < 35=8|39=0\n"
    (directory / "901-fails.fix").write_text(HEADER + steps)
    (directory / "902-does-not-apply.fix").write_text(HEADER + "needs: magic\nlogon TRADER\n")
    return directory


def test_the_gateway_passes_the_short_catalogue(gateway: Gateway, tmp_path: Path) -> None:
    """Every scenario, with nothing left out; the reports are written."""
    junit, html = tmp_path / "report.xml", tmp_path / "report.html"
    said = of(gateway, "--short", "--junit", str(junit), "--html", str(html))
    assert said.returncode == 0, said.stdout + said.stderr
    count = len(catalogue.choose(catalogue.load(), is_short=True))
    assert f"{count} passed, 0 failed, 0 not applicable" in said.stdout
    assert junit.read_text().count("<testcase ") == count
    assert "NewOrderSingle(D)" in html.read_text()


def test_the_controls_of_the_profile_work(gateway: Gateway) -> None:
    """Those that hold and release cancels, as commands."""
    said = of(gateway, "--only", "106")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_scenario_of_ones_own_that_fails(gateway: Gateway, ours: Path) -> None:
    """Exit code 1; the line says what was expected and what came; the others are played all the same."""
    said = of(gateway, "--scenarios", str(ours), "--only", "101,9xx")
    assert said.returncode == 1
    assert f"{ours}/901-fails.fix:5 TRADER < 35=8|39=0" in said.stdout
    assert "OrdStatus(39) is 8, not 0" in said.stdout
    assert "the profile does not offer magic" in said.stdout
    assert "3 scenarios" in said.stdout
    assert "1 passed, 1 failed, 1 not applicable" in said.stdout


def test_only_what_does_not_apply_is_no_failure(gateway: Gateway, ours: Path) -> None:
    """Not applicable is neither passed nor failed."""
    assert of(gateway, "--scenarios", str(ours), "--only", "902").returncode == 0


@pytest.mark.certify
def test_over_tls_with_a_certificate_of_the_client(tmp_path: Path) -> None:
    """The venue's certificate is checked, and the client's is shown."""
    certificates.make(tmp_path, [], ["TRADER37"], datetime.now(UTC))
    tls = (
        'certificate = ""\nkey = ""',
        f'certificate = "{tmp_path}/server.pem"\nkey = "{tmp_path}/server.key"',
    )
    asked = 'client_ca = ""', f'client_ca = "{tmp_path}/ca.pem"'
    needed = 'client_certificate = "optional"', 'client_certificate = "required"'
    named = 'certificate_name = ""', 'certificate_name = "TRADER37"'
    profile = tmp_path / "tls.toml"
    text = PROFILE.read_text()
    text = text.replace("reset = true", 'reset = true\ntls = true\ncertificate_authority = "ca.pem"')
    text = text.replace(
        'user = "37"', 'user = "37"\ncertificate = "client-TRADER37.pem"\nkey = "client-TRADER37.key"'
    )
    profile.write_text(text)
    with Gateway(tmp_path / "data", write_config(tmp_path / "config", tls, asked, needed, named)) as gateway:
        address = f"127.0.0.1:{gateway.port}"
        said = certify(address, "--only", "101", profile=profile)
        assert said.returncode == 0, said.stdout + said.stderr
        assert certify(address, "--only", "101").returncode == 1


@pytest.mark.certify
def test_what_cannot_be_run_ends_with_2(tmp_path: Path) -> None:
    """Nobody listens, the profile or a script is wrong, a flag is: on stderr, what to do about it."""
    closed = f"127.0.0.1:{free_port()}"
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("name = 1")
    (tmp_path / "101-x.fix").write_text("title: x\nrule: y\njump\n")
    for arguments, profile, problem in (
        ((closed,), PROFILE, f"cannot connect to {closed}"),
        ((closed,), wrong, "wrong.toml: connection: Field required"),
        ((closed,), tmp_path / "none.toml", "none.toml: No such file"),
        ((closed, "--scenarios", str(tmp_path)), PROFILE, "101-x.fix:3: 'jump' is neither a role"),
        ((closed, "--only", "abc"), PROFILE, "--only takes numbers"),
        ((closed, "--set", "x=y"), PROFILE, "--set x=y"),
        (("9878",), PROFILE, "'9878' is not HOST:PORT"),
    ):
        said = certify(*arguments, profile=profile)
        assert said.returncode == 2, arguments
        assert problem in said.stderr.replace("\n", " "), said.stderr
        assert "Traceback" not in said.stderr


def test_a_report_that_cannot_be_written(gateway: Gateway, tmp_path: Path) -> None:
    """It is said, and the exit code is not that of a success."""
    said = of(gateway, "--only", "101", "--html", str(tmp_path / "none" / "report.html"))
    assert said.returncode == 2
    assert "the report cannot be written" in said.stderr
