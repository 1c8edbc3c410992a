"""Clients that others wrote, as they are but for the address, against a gateway: see scripts/clients.sh."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import ROOT, Gateway

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Gateway(tmp_path_factory.mktemp("clients") / "data", api=True) as gateway:
        yield f"http://127.0.0.1:{gateway.api_port}"


def run(*command: str | Path, seconds: float = 60) -> str:
    """What a program of the clients' environment says. It must end well, in time."""
    alone = {name: text for name, text in os.environ.items() if not name.upper().endswith("_PROXY")}
    alone.pop("PYTHONPATH", None)
    done = subprocess.run(
        [PYTHON, *command], env=alone, cwd=HERE, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("client", ["openalgo", "ccxt"])
def test_a_client_that_others_wrote_gets_along(client: str, url: str) -> None:
    run(HERE / f"by_{client}.py", url)
