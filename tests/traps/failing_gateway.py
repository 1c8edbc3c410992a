"""The real gateway with a mistake in one of QuickFIX's callbacks; arguments: callback, exception."""

import builtins
import sys
from pathlib import Path

import quickfix

from fixgw import server
from fixgw.config import load
from fixgw.fix.application import Application
from fixgw.journal.contract import JournalError
from tests.gateway import ROOT
from tests.lone_engine import SECRET


def main() -> int:
    """Run it; the exit code."""
    port, directory, callback, name = sys.argv[1:]
    exception = {"JournalError": JournalError, "FieldNotFound": quickfix.FieldNotFound}.get(name)

    def failing(*_: object) -> None:
        raise (exception or getattr(builtins, name))("a mistake")

    fence = getattr(Application, callback)
    fence.__closure__[0].cell_contents = failing  # behind the fence, in place of the callback
    config = load(ROOT / "config" / "gateway.toml")
    return server.serve(
        config,
        data=Path(directory) / "data",
        fix_port=int(port),
        engine_port=int(port),
        secret=SECRET,
    )


if __name__ == "__main__":
    sys.exit(main())
