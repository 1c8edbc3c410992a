"""`fixgw` whose engine and edge can be wrong: `python -m tests.mutants.wrong_gateway serve ...`.

The environment variable FIXGW_FAULT holds the path of the file that names the active fault; it is empty for
none.
"""

import os
import sys
from pathlib import Path

from fixgw import cli, supervisor
from fixgw.edge import __main__ as edge
from tests.mutants import switch


def main() -> None:
    """Run the supervisor with such children, or one of them."""
    which, *arguments = sys.argv[1:]
    if which == "serve":
        module = (sys.executable, "-m", "tests.mutants.wrong_gateway")
        supervisor.ENGINE, supervisor.EDGE = (*module, "engine"), (*module, "edge")
        cli.main()
        return
    sys.argv[1:] = arguments
    switch.install(Path(os.environ[switch.SWITCH]))
    if which == "engine":
        from fixgw.engine import __main__ as engine  # loads QuickFIX

        sys.exit(engine.main())
    sys.exit(edge.main())


if __name__ == "__main__":
    main()
