"""A child of the supervisor and how it does: it starts, is ready, shows that it lives, ends, starts again."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from selectors import BaseSelector
from typing import Protocol

import structlog

from fixgw.child import Child
from fixgw.config_tables import SupervisorTable
from fixgw.exits import EXIT_INVARIANT, EXIT_OK, FINAL
from fixgw.watch import STEP_MAX_SECONDS

log = structlog.get_logger("fixgw.supervisor")

STOP_SECONDS = (
    12.0  # the engine waits 5 for Logouts; with ABORT_SECONDS and the API's a stop takes 15 at most
)
ABORT_SECONDS = 1.5  # writing all stacks takes milliseconds; a core dump that takes longer is cut off
PAUSE_FIRST_SECONDS = 0.5  # before the second restart in a row; the first comes at once
PAUSE_MAX_SECONDS = 10.0  # doubled up to this: a cause that passes is not waited for longer than it lasts


class Signs(Protocol):
    """The signs of life of a child that is ready. `silent_seconds` is how long it owes one."""

    silent_seconds: float

    def step(self, now: float) -> None:
        """Look for signs; to be called several times a second. `now` is monotonic, in seconds."""
        ...

    def heard(self) -> None:
        """The child has said a line."""
        ...

    def close(self) -> None:
        """No more signs are wanted."""
        ...


class Beats:
    """Signs of life that come by themselves: lines on the child's standard output."""

    def __init__(self, now: float) -> None:
        self.silent_seconds = 0.0
        self._stepped = now

    def step(self, now: float) -> None:
        """Count the silence, but not what this process did not run itself."""
        self.silent_seconds += min(now - self._stepped, STEP_MAX_SECONDS)
        self._stepped = now

    def heard(self) -> None:
        """The child has said a line: it lives."""
        self.silent_seconds = 0.0

    def close(self) -> None:
        """Nothing to do."""


class Ward:
    """Keeps one child running, through any number of lives, until it has ended for good with a `code`.

    The first line that the child says means that it is ready: `on_ready` gets it, and `signs` begins to look
    for signs of life. At each start the child is told `words`. `waits` says that it cannot be ready before it
    was told more (`tell`). `flush` writes the log lines.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        limits: SupervisorTable,
        selector: BaseSelector,
        *,
        words: Sequence[bytes],
        signs: Callable[[float], Signs],
        on_ready: Callable[[bytes], None],
        flush: Callable[[], None],
        waits: bool = False,
    ) -> None:
        self.code: int | None = None
        self._name = name
        self._limits = limits
        self._child = Child(command, selector, self._said)
        self._words = list(words)
        self._begin_signs = signs
        self._on_ready = on_ready
        self._flush = flush
        self._waits = waits
        self._log = log.bind(supervisor=os.getpid())
        self._crashes: deque[float] = deque()
        self._now = self._start_at = self._awaited_since = 0.0
        self._signs: Signs | None = None
        self._is_slow = self._is_stopping = self._is_restarting = self._is_to_reload = False
        self._end: tuple[float, signal.Signals] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it is ready, and is not about to end."""
        return self._signs is not None

    def step(self, now: float) -> None:
        """Do what is due: start, warn, ask for a sign of life, end, judge. `now` is monotonic, in seconds."""
        self._now = now
        if self._child.pid:
            code = self._child.exit_code()
            if code is None:
                self._look()
            else:
                self._ended(code)
        if not self._child.pid and self.code is None and now >= self._start_at:
            self._start()

    def tell(self, line: bytes) -> None:
        """Tell the child a line, now and at each further start."""
        self._now = time.monotonic()
        self._words.append(line)
        self._waits, self._awaited_since = False, self._now
        self._child.tell(line)

    def stop(self, **why: str) -> None:
        """End it for good: SIGTERM, and what ends a hanging child when that does not."""
        if self._is_stopping or self.code is not None:
            return
        self._is_stopping = True
        if not self._child.pid:
            self._log.info(f"{self._name} does not restart", **why)
            self.code = EXIT_OK
            return
        self._log.info(f"{self._name} stops", **why)
        self._ask_to_end()

    def restart(self, **why: object) -> None:
        """End it cleanly and start it again, which is no crash."""
        if self._is_stopping or not self._child.pid:
            return
        self._log.info(f"{self._name} restarts for a new configuration", **why)
        self._is_restarting = True
        self._ask_to_end()

    def begin_again(self) -> None:
        """Start it after it has ended for good, as if it had never crashed."""
        if self.code is not None and not self._is_stopping:
            self.code = None
            self._crashes.clear()
            self._start_at = 0.0

    def reload(self) -> None:
        """Have the child read its configuration again: SIGHUP, as soon as it is ready to take one."""
        if self._signs is not None:
            self._child.send(signal.SIGHUP)
        else:
            self._is_to_reload = self._child.pid != 0

    def close(self) -> None:
        """End the child at once if it still runs."""
        self._child.close()

    def _start(self) -> None:
        self._signs, self._end = None, None
        self._is_slow = self._is_restarting = self._is_to_reload = False
        self._awaited_since = self._now
        try:
            self._child.start(self._words)
        except OSError as error:
            self._log.error(f"{self._name} cannot be started", why=str(error))
            self._crashed()
            return
        self._log = log.bind(supervisor=os.getpid(), **{self._name: self._child.pid})
        self._log.info(f"{self._name} started")

    def _said(self, line: bytes) -> None:
        """The child has said a line: it is ready, or it shows that it lives."""
        self._now = time.monotonic()
        if self._signs is not None:
            self._signs.heard()
        elif self._end is None:
            self._signs = self._begin_signs(self._now)
            self._log.info(f"{self._name} ready", seconds=round(self._now - self._awaited_since, 3))
            if self._is_to_reload:
                self._child.send(signal.SIGHUP)
            self._on_ready(line)

    def _look(self) -> None:
        """Look after the child, which runs."""
        if self._end is not None:
            deadline, number = self._end
            if self._now > deadline:
                self._end_by(number)
        elif self._signs is not None:
            self._signs.step(self._now)
            if self._signs.silent_seconds > self._limits.hang_seconds:
                self._log.error(f"{self._name} hangs", silent_seconds=round(self._signs.silent_seconds, 1))
                self._end_by(signal.SIGABRT)
        elif not (self._waits or self._is_slow):
            seconds = self._now - self._awaited_since
            if seconds > self._limits.start_seconds:
                self._is_slow = True
                self._log.warning(f"{self._name} is slow to start", seconds=round(seconds, 1))

    def _no_more_signs(self) -> None:
        if self._signs is not None:
            self._signs.close()
            self._signs = None

    def _ask_to_end(self) -> None:
        self._no_more_signs()
        if self._end is None:
            self._child.send(signal.SIGTERM)
            self._end = self._now + STOP_SECONDS, signal.SIGABRT

    def _end_by(self, number: signal.Signals) -> None:
        """End the child: SIGABRT, which dumps its stacks, then SIGKILL."""
        self._log.warning(f"{self._name} is ended", signal=number.name)
        self._flush()  # before the dump begins, which is many small writes: a line would fall between two
        self._no_more_signs()
        self._child.send(number, signal.SIGCONT)  # a process that is stopped takes no SIGABRT
        self._end = self._now + (inf if number is signal.SIGKILL else ABORT_SECONDS), signal.SIGKILL

    def _ended(self, code: int) -> None:
        """The child has ended: for good, or it is started again."""
        self._log.info(f"{self._name} ended", **_named(code))
        self._no_more_signs()
        self._child.close()
        is_clean = code in (
            EXIT_OK,
            -signal.SIGTERM,
        )  # the latter before it was ready: nobody was told anything
        if self._is_stopping:
            self.code = EXIT_OK if is_clean else EXIT_INVARIANT if code < 0 else code
        elif self._is_restarting and is_clean:
            self._start_at = self._now
        elif code in FINAL:
            self.code = code
        else:
            self._crashed()

    def _crashed(self) -> None:
        """Start it again after a pause, or give up."""
        self._crashes.append(self._now)
        while self._crashes[0] < self._now - self._limits.crashes_seconds:
            self._crashes.popleft()
        crashes = len(self._crashes)
        if crashes >= self._limits.crashes_max:
            seconds = round(self._now - self._crashes[0], 1)
            self._log.critical("supervisor gives up", child=self._name, crashes=crashes, seconds=seconds)
            self.code = EXIT_INVARIANT
            return
        pause = 0.0 if crashes == 1 else min(PAUSE_FIRST_SECONDS * 2.0 ** (crashes - 2), PAUSE_MAX_SECONDS)
        self._log.warning(f"{self._name} restarts", seconds=pause, crashes=crashes)
        self._start_at = self._now + pause


def _named(code: int) -> dict[str, object]:
    """An exit code as a log line has it: `code`, or the `signal` that ended the process."""
    if code >= 0:
        return {"code": code}
    known = -code in set(signal.Signals)
    return {"signal": signal.Signals(-code).name if known else str(-code)}
