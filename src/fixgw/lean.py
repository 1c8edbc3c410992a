"""Runs a part of the gateway as a process of its own: `python -P -m fixgw.lean fixgw.edge ...`.

structlog loads rich, where it is installed, to show tracebacks on a terminal. None of these processes shows
any, and it takes 50 milliseconds of the processor and four megabytes for each of them: here it is not found.
"""

import runpy
import sys


def main() -> None:
    """Run the module that the command line names first; the other words are its own."""
    sys.modules["rich"] = None  # type: ignore[assignment]  # which is Python's way to say that there is none
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
