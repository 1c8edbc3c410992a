"""A child process of the supervisor: how it is started, what it says, and how it ends."""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

READ_MAX = 65_536  # bytes read at one time; a child says a short line a second at most


class Child:
    """A process of its own session, so that Ctrl-C reaches the supervisor alone.

    Its standard input ends when the supervisor does, its standard error is the supervisor's own, and each
    whole line of its standard output is given to `on_line`. The selector's keys have what to call as `data`.
    """

    def __init__(
        self, command: Sequence[str], selector: selectors.BaseSelector, on_line: Callable[[bytes], None]
    ) -> None:
        self._command = command
        self._selector = selector
        self._on_line = on_line
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    @property
    def pid(self) -> int:
        """Its process id; 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    def start(self, told: Iterable[bytes]) -> None:
        """Start it, and tell it some lines. Raises OSError."""
        self._said = b""
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both were asked for")
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._read)
        for line in told:
            self.tell(line)

    def tell(self, line: bytes) -> None:
        """Tell it a line, if it still runs."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already, which is seen by its exit code
                self._process.stdin.write(line + b"\n")

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return
        said = os.read(self._process.stdout.fileno(), READ_MAX)
        if not said:
            self._selector.unregister(self._process.stdout)
            self._process.stdout.close()
        *whole, self._said = (self._said + said).split(b"\n")
        for line in whole:
            self._on_line(line)

    def exit_code(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        return None if self._process is None else self._process.poll()

    def send(self, *signals: signal.Signals) -> None:
        """Send it signals, if it still runs."""
        if self._process is not None:
            for number in signals:
                self._process.send_signal(number)

    def close(self) -> None:
        """End it if it still runs, and forget it."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._selector.unregister(self._process.stdout)
            self._process.stdout.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
