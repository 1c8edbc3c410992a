"""A gateway that serves the API."""

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway, write_config


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One whose API gives the engine up after a second, and whose users soon ask too much; for a file."""
    directory = tmp_path_factory.mktemp("ems")
    config = write_config(
        directory / "config",
        ("answer_seconds = 10", "answer_seconds = 1"),
        ("requests_per_second = 200", "requests_per_second = 20"),
    )
    with Gateway(directory / "data", config, api=True) as running:
        yield running
