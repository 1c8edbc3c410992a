"""`fixgw` with an engine that misbehaves. Arguments: how, and then the command line of `fixgw` or the engine.

loop          hangs in an endless loop of Python as soon as there is a file `hang` in the data directory
exit-N        ends with the exit code N instead of starting
slow          takes SLOW_SECONDS longer to start
sleepy        sleeps for PARK_SECONDS when it has nothing to do
unbound       does not ask the kernel to end it with the supervisor
short-stop    is given less time for a clean stop (this one is about the supervisor)
"""

import ctypes
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

from fixgw import cli, supervisor, ward
from fixgw.engine import __main__ as engine

SLOW_SECONDS = 2.5
SHORT_SECONDS = 0.5
PARK_SECONDS = 5.0


def spin_for_ever() -> NoReturn:
    """Hang."""
    while True:
        pass


def misbehave(how: str, arguments: list[str]) -> None:
    """Do what `how` says, or prepare it, in the engine's process."""
    from fixgw.engine import loop  # loads QuickFIX

    if how == "loop":
        (data,) = (word.removeprefix("--data=") for word in arguments if word.startswith("--data="))
        hang, turn = Path(data) / "hang", loop.Loop.turn

        def turn_or_hang(self: loop.Loop) -> bool:
            if hang.exists():
                hang.unlink()
                spin_for_ever()
            return turn(self)

        loop.Loop.turn = turn_or_hang  # type: ignore[method-assign]
    elif how == "slow":
        time.sleep(SLOW_SECONDS)
    elif how == "sleepy":
        loop.PARK_SECONDS = PARK_SECONDS
    elif how == "unbound":
        kernel = SimpleNamespace(prctl=lambda *_: -1)
        ctypes.CDLL = lambda *_: kernel  # type: ignore[assignment,misc]
    elif how.startswith("exit-"):
        os._exit(int(how.removeprefix("exit-")))


def main() -> None:
    """Run the supervisor with such an engine, or the engine itself."""
    how, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    if arguments[0] == "serve":
        supervisor.ENGINE = (sys.executable, "-m", "tests.odd_engine", how)
        if how == "short-stop":
            ward.STOP_SECONDS = SHORT_SECONDS
        cli.main()
    else:
        misbehave(how, arguments)
        sys.exit(engine.main())


if __name__ == "__main__":
    main()
