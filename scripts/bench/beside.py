"""A load from another process, while something else is measured beside it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def beside(script: str, *words: str) -> Iterator[list[float]]:
    """Run `script` with these words; what it got in a second is there at the end.

    The script prints a line when it has begun, and its rate when its stdin ends. Raises RuntimeError when it
    is over before that.
    """
    found: list[float] = []
    command = [sys.executable, script, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield found
            if process.poll() is not None:
                raise RuntimeError("the load was over before the measurement was")
        finally:
            process.stdin.close()
        found.append(float(process.stdout.readline()))
