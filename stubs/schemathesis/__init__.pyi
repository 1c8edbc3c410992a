# What tests/clients uses of schemathesis.

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

class HookContext: ...

def hook(function: _F) -> _F: ...
