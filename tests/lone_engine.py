"""The engine without its supervisor, which would start it again: `python -m tests.lone_engine serve ...`."""

import os
import sys
from collections.abc import Sequence

from fixgw import cli, supervised


def run(arguments: Sequence[str]) -> None:
    """Run the engine with the options that follow `serve` in `arguments`."""
    supervised.begin = lambda: supervised.Told(os.getppid(), "")
    supervised.is_orphan = lambda: False
    sys.argv = ["fixgw", "engine", *arguments[1:]]
    cli.main()


if __name__ == "__main__":
    run(sys.argv[1:])
