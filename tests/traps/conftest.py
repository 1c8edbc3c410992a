"""Fixtures of the traps: one gateway goes through all of them, and each must leave it in order."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.gateway import Gateway
from tests.traps.bare import leave
from tests.wire import Client

Connect = Callable[[str], Client]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the reference configuration that goes through all the traps."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "data") as running:
        yield running


@pytest.fixture
def connect(clean_gateway: Gateway) -> Iterator[Connect]:
    """Gives clients of the gateway that are not connected, by name; at the end of the test they leave."""
    given: list[Client] = []

    def new(name: str) -> Client:
        shared = clean_gateway._ready.pop(name, None)
        if shared is not None and shared._socket is not None:
            with suppress(OSError):
                shared.send("5")
            leave(shared)
        given.append(clean_gateway.client(name, logon=False))
        return given[-1]

    yield new
    for client in given:
        if client._socket is not None:
            leave(client)
