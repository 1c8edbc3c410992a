"""Fixtures that several test files use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway, edit_session, write_config


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the reference configuration, shared by the tests of a file."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def extended_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The same, with OPERATOR1 and TRADER39 on the extended dialect."""
    directory = tmp_path_factory.mktemp("extended")
    config: Path = write_config(
        directory / "config",
        edit_session("OPERATOR1", 'dialect = "extended"'),
        edit_session("TRADER39", 'dialect = "extended"'),
    )
    with Gateway(directory / "data", config) as running:
        yield running
