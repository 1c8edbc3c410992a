"""Fixtures that several test files use."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.gateway import RUNNING, Gateway, edit_session, write_config
from tests.rig import Rig
from tests.wire import Client

# A gateway is several processes: where bytecode is not kept, each of them compiles all sources anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Several tests run on the same cores: how long one example takes says nothing of it.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


LONGEST_FIRST = (
    "test_journal_commands",
    "test_supervisor",
    "test_recovery",
    "test_disconnect",
    "test_resets",
    "test_process",
    "test_cli",
    "test_certify",
    "test_client",
    "test_peer",
    "test_kill_points",
    "test_torture",
    "test_views_agree",
    "test_session_commands",
    "test_disks",
    "test_cases",
)
"""The files that take longest: a worker gets a file whole, and the last one must be a short one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest files come first."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(autouse=True)
def _no_gateway_is_left() -> Iterator[None]:
    """End the gateways that a test started and, because it failed, did not stop."""
    before = set(RUNNING)
    yield
    for left in RUNNING - before:
        left.kill()


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


@pytest.fixture
def clean_gateway(gateway: Gateway) -> Gateway:
    """The gateway of the file, without open orders."""
    gateway.clean()
    return gateway


@pytest.fixture
def trader(clean_gateway: Gateway) -> Client:
    """User 37, Trading, accounts 14 (his default) and 15."""
    return clean_gateway.ready("TRADER37")


@pytest.fixture
def colleague(clean_gateway: Gateway) -> Client:
    """User 38, Trading, account 14, which he shares with user 37; his mass cancels mean the whole OMS."""
    return clean_gateway.ready("TRADER38")


@pytest.fixture
def stranger(clean_gateway: Gateway) -> Client:
    """User 39, Trading, account 16, which he shares with nobody."""
    return clean_gateway.ready("TRADER39")


@pytest.fixture
def operator(clean_gateway: Gateway) -> Client:
    """User 1, Operator, no account; his mass cancels mean the whole OMS."""
    return clean_gateway.ready("OPERATOR1")


@pytest.fixture
def reader(clean_gateway: Gateway) -> Client:
    """User 50, AccountReadOnly, account 14."""
    return clean_gateway.ready("READER50")


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Rig]]:
    """One goes through all the crashes of a file; there is another one only after a failed test."""
    made = [Rig(tmp_path_factory.mktemp("rig"))]
    yield made
    for rig in made:
        rig.kill()


@pytest.fixture
def rig(rigs: list[Rig], tmp_path: Path) -> Rig:
    """A gateway that can be made to fail, with a few orders in it and nothing on its way."""
    rig = rigs[-1]
    if not rig.is_sound or rig.gateway.process is None:
        rig.kill()
        rig = Rig(tmp_path)
        rigs.append(rig)
    rig.trader.enter(5)
    rig.trader.drain()
    rig.is_sound = False
    return rig
