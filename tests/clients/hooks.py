"""What schemathesis is told: a key that is good, most of the time, in the bodies that carry one."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """The body, with the key of user 37 where it has one at all that is text."""
    if isinstance(body, dict) and isinstance(body.get("apikey"), str) and body["apikey"]:
        return {**body, "apikey": "key37"}
    return body
