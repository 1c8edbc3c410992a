"""The engine without the supervisor, which would start it again: `python -m tests.lone_engine serve ...`.

There is no edge either: the engine itself listens on the port, and SECRET is the password of every client.
"""

import os
import sys
from collections.abc import Sequence

from fixgw import supervised
from fixgw.engine import __main__ as engine

SECRET = "known-to-every-client"


def run(arguments: Sequence[str]) -> None:
    """Run the engine with the options that follow `serve` in `arguments`."""
    supervised.begin = lambda: supervised.Told(os.getppid(), SECRET)
    supervised.is_orphan = lambda: False
    port = arguments[arguments.index("--fix-port") + 1]
    options = [word for word in arguments[1:] if word != "--no-api"]
    sys.argv = ["fixgw.engine", *options, "--engine-port", port]
    sys.exit(engine.main())


if __name__ == "__main__":
    run(sys.argv[1:])
