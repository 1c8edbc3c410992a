"""The supervisor: starts the engine, watches it, ends it when it hangs, and starts it again after a crash.

It holds nothing that could be lost, and is one thread without QuickFIX. The process that will face the
network is going to be its second child.
"""

import os
import secrets
import select
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from types import FrameType

import msgspec
import structlog

from fixgw.child import Child
from fixgw.config import Config
from fixgw.config_tables import SupervisorTable
from fixgw.exits import EXIT_INVARIANT, EXIT_OK, FINAL
from fixgw.logs import configure
from fixgw.supervised import Told
from fixgw.watch import Watch

log = structlog.get_logger("fixgw.supervisor")

ENGINE = (sys.executable, "-P", "-m", "fixgw", "engine")  # -P: no module of the current directory
TICK_SECONDS = 0.25  # how late a deadline is noticed at most
STOP_SECONDS = 13.0  # the engine waits 5 for Logouts; with ABORT_SECONDS a stop is over within 15
ABORT_SECONDS = 1.5  # writing all stacks takes milliseconds; a core dump that takes longer is cut off
PAUSE_FIRST_SECONDS = 0.5  # before the second restart in a row; the first comes at once
PAUSE_MAX_SECONDS = 10.0  # doubled up to this: a cause that passes is not waited for longer than it lasts


class Supervisor:
    """Runs `command`, the engine that listens on `fix_port`, until it has ended for good.

    `flush` writes the log lines. The engine gets what `begin` in `supervised.py` reads.
    """

    def __init__(
        self, limits: SupervisorTable, command: Sequence[str], fix_port: int, flush: Callable[[], None]
    ) -> None:
        self._limits = limits
        self._fix_port = fix_port
        self._flush = flush
        self._selector = selectors.DefaultSelector()
        self._engine = Child(command, self._selector)
        self._asked_to_stop: signal.Signals | None = None
        self._crashes: deque[float] = deque()
        self._log = log.bind(supervisor=os.getpid())
        self._secret = ""
        self._watch: Watch | None = None
        self._started = 0.0
        self._is_slow = False
        self._end: tuple[float, signal.Signals] | None = None

    def run(self) -> int:
        """Until SIGINT or SIGTERM, or until a restart cannot help; the exit code."""
        self._listen_to_signals()
        try:
            while self._asked_to_stop is None:
                self._live()
                code = self._verdict()
                self._engine.close()
                if code is not None:
                    return code
                self._pause()
            self._log.info("engine does not restart", signal=self._asked_to_stop.name)
            return EXIT_OK
        except Exception:
            self._log.exception("our mistake")
            return EXIT_INVARIANT
        finally:
            self._engine.close()
            self._flush()

    def _listen_to_signals(self) -> None:
        """Have a signal wake the selector; SIGCHLD says that a child has ended."""
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked_to_stop = self._asked_to_stop or signal.Signals(number)

    def _wait(self, seconds: float) -> None:
        """Until something happens, or for so many seconds."""
        self._flush()
        for key, _ in self._selector.select(seconds):
            if isinstance(key.fileobj, socket.socket):
                with suppress(BlockingIOError):
                    key.fileobj.recv(4_096)
                continue
            for line in self._engine.lines():
                self._said(line)

    def _live(self) -> None:
        """One life of the engine, from its start to its end."""
        self._watch, self._end, self._is_slow = None, None, False
        self._started = time.monotonic()
        self._secret = secrets.token_urlsafe(32)
        try:
            self._engine.start(msgspec.json.encode(Told(os.getpid(), self._secret)))
        except OSError as error:
            self._log.error("engine cannot be started", why=str(error))
            return
        self._log = log.bind(supervisor=os.getpid(), engine=self._engine.pid)
        self._log.info("engine started")
        while self._engine.exit_code() is None:
            self._look(time.monotonic())
            self._wait(TICK_SECONDS)
        if self._watch is not None:
            self._watch.close()

    def _said(self, line: bytes) -> None:
        """Pass on a line of the engine's: it is ready, and from now on it has to answer."""
        now = time.monotonic()
        _pass_on(line + b"\n")
        if self._watch is None:
            self._watch = Watch(self._fix_port, self._secret, now)
            self._log.info("engine ready", seconds=round(now - self._started, 3))

    def _look(self, now: float) -> None:
        """Do what is due: stop, end, warn, or ask for a sign of life."""
        if self._end is not None:
            deadline, number = self._end
            if now > deadline:
                self._end_by(number, now)
        elif self._asked_to_stop is not None:
            self._log.info("engine stops", signal=self._asked_to_stop.name)
            if self._watch is not None:
                self._watch.close()
            self._engine.send(signal.SIGTERM)
            self._end = now + STOP_SECONDS, signal.SIGABRT
        elif self._watch is not None:
            self._watch.step(now)
            if self._watch.silent_seconds > self._limits.hang_seconds:
                self._log.error("engine hangs", silent_seconds=round(self._watch.silent_seconds, 1))
                self._end_by(signal.SIGABRT, now)
        elif now - self._started > self._limits.start_seconds and not self._is_slow:
            self._is_slow = True
            self._log.warning("engine is slow to start", seconds=round(now - self._started, 1))

    def _end_by(self, number: signal.Signals, now: float) -> None:
        """End the engine: SIGABRT, which dumps its stacks, then SIGKILL."""
        self._log.warning("engine is ended", signal=number.name)
        self._flush()  # before the dump begins, which is many small writes: a line would fall between two
        self._engine.send(number, signal.SIGCONT)  # a process that is stopped takes no SIGABRT
        self._end = now + (inf if number is signal.SIGKILL else ABORT_SECONDS), signal.SIGKILL

    def _verdict(self) -> int | None:
        """What the engine's end means: the exit code to end with, or None to start it again."""
        code = self._engine.exit_code()
        if code is not None:
            self._log.info("engine ended", **_named(code))
        if self._asked_to_stop is not None:
            if code == -signal.SIGTERM:  # it was not ready yet, so nobody was told anything
                return EXIT_OK
            return EXIT_INVARIANT if code is None or code < 0 else code
        if code in FINAL:
            return code
        now = time.monotonic()
        self._crashes.append(now)
        while self._crashes[0] < now - self._limits.crashes_seconds:
            self._crashes.popleft()
        if len(self._crashes) < self._limits.crashes_max:
            return None
        seconds = round(now - self._crashes[0], 1)
        self._log.critical("supervisor gives up", crashes=len(self._crashes), seconds=seconds)
        return EXIT_INVARIANT

    def _pause(self) -> None:
        """Before the engine is started again; ended by a signal to stop."""
        doublings = len(self._crashes) - 2
        seconds = 0.0 if doublings < 0 else min(PAUSE_FIRST_SECONDS * 2**doublings, PAUSE_MAX_SECONDS)
        self._log.warning("engine restarts", seconds=seconds, crashes=len(self._crashes))
        until = time.monotonic() + seconds
        while self._asked_to_stop is None and (left := until - time.monotonic()) > 0:
            self._wait(left)


def _named(code: int) -> dict[str, object]:
    """An exit code as a log line has it: `code`, or the `signal` that ended the process."""
    if code >= 0:
        return {"code": code}
    known = -code in set(signal.Signals)
    return {"signal": signal.Signals(-code).name if known else str(-code)}


def _pass_on(line: bytes) -> None:
    """Write a line to standard output, unless nobody takes it: nothing waits for that."""
    with suppress(OSError, ValueError):
        if sys.stdout is not None and select.select((), (sys.stdout,), (), 0)[1]:
            os.write(sys.stdout.fileno(), line)


def supervise(config: Config, command: Sequence[str], *, fix_port: int) -> int:
    """Run `command`, the engine that listens on `fix_port`, under supervision; the exit code."""
    lines = configure(config.log.format, config.log.level)
    return Supervisor(config.supervisor, command, fix_port, lines.flush).run()
