"""What schemathesis is told, so that what it makes up gets past the login and can be sent at all."""

from typing import Any

import schemathesis

GOOD = {"apikey": "key37", "exchange": "SANDBOX", "symbol": "BTC-USD"}


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """The body, with good names in place of those that it has, where they are text."""
    if not isinstance(body, dict):
        return body
    good = {name: value for name, value in GOOD.items() if isinstance(body.get(name), str) and body[name]}
    return body | good


@schemathesis.hook
def map_headers(_: schemathesis.HookContext, headers: dict[str, str] | None) -> dict[str, str] | None:
    """The headers, without what HTTP cannot carry."""
    if headers is None:
        return None
    return {name: str(value).encode("ascii", "ignore").decode() for name, value in headers.items()}
