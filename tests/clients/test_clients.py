"""Clients that others wrote, as they are but for the address, against a gateway: see scripts/clients.sh."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway import ROOT, Gateway

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Gateway(tmp_path_factory.mktemp("clients") / "data", api=True) as gateway:
        yield f"http://127.0.0.1:{gateway.api_port}"


def run(cwd: Path, *command: str | Path, seconds: float = 90) -> str:
    """What a program of the clients' environment says. It must end well, in time."""
    alone = {name: text for name, text in os.environ.items() if not name.upper().endswith("_PROXY")}
    alone |= {"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"}
    done = subprocess.run(
        [PYTHON, *command], env=alone, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("client", ["openalgo", "ccxt"])
def test_a_client_that_others_wrote_gets_along(client: str, url: str, tmp_path: Path) -> None:
    run(tmp_path, HERE / f"by_{client}.py", url)


def test_what_the_page_says_is_what_is_answered(url: str, tmp_path: Path) -> None:
    """Schemathesis asks every call of all three dialects what its description allows, and what it does not.

    No answer is a server error; each has a status, a content type and a body that the description has.
    """
    login = httpx.get(f"{url}/AP/Authenticate", auth=("trader37", "trader37-demo"))
    checks = (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
    said = run(
        tmp_path,
        *("-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--checks", ",".join(checks)),
        *("--phases", "examples,coverage,fuzzing"),
        *("--header", "X-CoinAPI-Key: key37", "--header", f"APToken: {login.json()['SessionToken']}"),
        *("--exclude-path-regex", "LogOut"),  # the token is needed to the end
        *("--max-examples", "10", "--seed", "1", "--no-color", "--continue-on-failure"),
        seconds=400,
    )
    assert "Tested: 46" in said
