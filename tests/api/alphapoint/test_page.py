"""The page on this API stays true: it has every call, key and code; `test_http` holds its conversations."""

import re

import pytest

from fixgw.core.errors import ErrorCode
from fixgw.edge.api.alphapoint.table import CALLS
from tests.gateway import ROOT

PAGE = (ROOT / "docs" / "api-alphapoint.md").read_text()
CONVERSATION = re.findall(r"^(GET|POST) (/AP/\S+)(?: (\{.*\}))?\n  (.*)$", PAGE, re.MULTILINE)
"""Method, path, body and reply of each request that the page shows."""


@pytest.mark.parametrize("name", CALLS)
def test_the_page_has_every_call_and_key(name: str) -> None:
    """In the table of calls, or in that of SendOrder."""
    assert re.search(rf"^\| (\w+, )*{name}(, \w+)* \|", PAGE, re.MULTILINE)
    if name != "CancelReplaceOrder":
        assert [key for key in CALLS[name].model.model_fields if key not in PAGE] == []


def test_the_page_has_the_error_codes_in_their_order() -> None:
    """With the messages to the letter."""
    rows = re.findall(r"^\| ([0-9]+) \| ([A-Z][A-Za-z ]+) \|", PAGE, re.MULTILINE)
    assert rows == [(str(code.value), code.message) for code in ErrorCode]
