"""Fixtures of the AlphaPoint dialect's tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from fixgw.edge.api.alphapoint import openapi
from fixgw.edge.api.alphapoint.table import CALLS
from tests.api.alphapoint.client import Web
from tests.gateway import Gateway

Visit = Callable[..., Web]


def is_as_documented(response: httpx.Response) -> None:
    """Assert that a reply has the keys and types that the OpenAPI document gives it."""
    call = CALLS.get(response.url.path.rpartition("/")[2])
    if call is not None:
        documented: Any = openapi.of_call(call, "GET")["responses"][200]["model"]
        TypeAdapter(documented).validate_json(response.read())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the reference configuration and its API, shared by the tests of a file."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "data", api=True) as running:
        yield running


@pytest.fixture(scope="module")
def visit(gateway: Gateway) -> Iterator[Visit]:
    """Opens clients over HTTP, by username ("" is nobody) and prefix of the path; closes them at the end."""
    with ExitStack() as opened:

        def visit(username: str, prefix: str = "/AP") -> Web:
            web = Web(gateway.api_port, username, prefix)
            opened.callback(web.http.close)
            web.http.event_hooks["response"] = [is_as_documented]
            return web

        yield visit


@pytest.fixture(scope="module")
def webs(visit: Visit) -> dict[str, Web]:
    """A client over HTTP for each user of the reference configuration, logged in."""
    return {name: visit(name) for name in ("trader37", "trader38", "trader39", "operator1", "reader50")}


@pytest.fixture
def web(webs: dict[str, Web], gateway: Gateway) -> Web:
    """User 37, Trading, accounts 14 and 15; and no order is open."""
    gateway.clean()
    return webs["trader37"]


@pytest.fixture
def operator_web(webs: dict[str, Web]) -> Web:
    """User 1, Operator."""
    return webs["operator1"]
