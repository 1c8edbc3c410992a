"""The engine's process: `python -P -m fixgw.engine`, which the supervisor starts, and nobody else can."""

import signal
import sys

from fixgw import supervised
from fixgw.config import ConfigError, load
from fixgw.exits import EXIT_CONFIG, EXIT_REFUSED


def main() -> int:
    """Run the engine; the exit code."""
    given = supervised.options("fixgw.engine", ("--fix-port", "--engine-port"))
    try:
        told = supervised.begin()
        config = load(given.config, look_outside=False)
    except supervised.SupervisionError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_REFUSED
    except ConfigError as error:
        for problem in error.problems:
            print(f"fixgw: {problem}", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIG
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from fixgw.server import serve  # QuickFIX is loaded only where it is needed

    return serve(
        config,
        data=given.data,
        fix_port=given.fix_port,
        engine_port=given.engine_port,
        secret=told.secret,
        is_orphan=supervised.is_orphan,
    )


if __name__ == "__main__":
    sys.exit(main())
