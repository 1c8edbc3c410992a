"""The supervisor: keeps the engine and the edge running, each for itself, and starts and stops both.

It holds nothing that could be lost, and is one thread without QuickFIX and without a port that others reach.
"""

import os
import secrets
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from fixgw.config import Config, ConfigError, load
from fixgw.consequences import Consequence, changes, kept, read
from fixgw.exits import EXIT_INVARIANT, EXIT_OK, EXIT_UNAVAILABLE
from fixgw.logs import configure
from fixgw.supervised import Told
from fixgw.ward import Beats, Ward
from fixgw.watch import Watch

log = structlog.get_logger("fixgw.supervisor")

ENGINE = (sys.executable, "-P", "-m", "fixgw.engine")  # -P: no module of the current directory
EDGE = (sys.executable, "-P", "-m", "fixgw.edge")
OPEN = b"open"  # tells the edge to listen: the engine is ready
TICK_SECONDS = 0.25  # how late a deadline is noticed at most


class Supervisor:
    """Runs the commands `engine`, which listens on `engine_port`, and `edge` until both have ended for good.

    `flush` writes the log lines.
    """

    def __init__(
        self,
        config: Config,
        engine: Sequence[str],
        edge: Sequence[str],
        engine_port: int,
        flush: Callable[[], None],
    ) -> None:
        self._in_force = read(config)
        self._flush = flush
        self._selector = selectors.DefaultSelector()
        self._asked_to_stop: signal.Signals | None = None
        self._is_asked_to_reload = self._is_stopping = False
        self._first = EXIT_OK
        self._is_open = False
        self._to_say = b""
        secret = secrets.token_urlsafe(32)
        told = msgspec.json.encode(Told(os.getpid(), secret))
        self._engine = Ward(
            "engine",
            engine,
            config.supervisor,
            self._selector,
            words=[told],
            signs=lambda now: Watch(engine_port, secret, now),
            on_ready=self._on_engine_ready,
            flush=flush,
        )
        self._edge = Ward(
            "edge",
            edge,
            config.supervisor,
            self._selector,
            words=[told],
            signs=Beats,
            on_ready=lambda _: self._say(),
            flush=flush,
            waits=True,
        )
        self._wards = (self._edge, self._engine)  # in the order in which they are told to stop

    def run(self) -> int:
        """Until SIGINT or SIGTERM, or until a restart of either cannot help; the exit code."""
        self._listen_to_signals()
        try:
            while any(ward.code is None for ward in self._wards):
                now = time.monotonic()
                for ward in self._wards:
                    ward.step(now)
                self._stop_if_due()
                self._reload_if_due()
                self._wait()
            return next((code for code in (self._first, self._engine.code, self._edge.code) if code), EXIT_OK)
        except Exception:
            log.exception("our mistake")
            return EXIT_INVARIANT
        finally:
            for ward in self._wards:
                ward.close()
            self._flush()

    def _listen_to_signals(self) -> None:
        """Have a signal wake the selector; SIGCHLD says that a child has ended."""
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)

        def wake() -> None:
            with suppress(BlockingIOError):
                woken.recv(4_096)

        self._selector.register(woken, selectors.EVENT_READ, wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)

    def _on_hangup(self, _: int, __: FrameType | None) -> None:
        self._is_asked_to_reload = True

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked_to_stop = self._asked_to_stop or signal.Signals(number)

    def _wait(self) -> None:
        """Until something happens, or for a tick."""
        self._flush()
        for key, _ in self._selector.select(TICK_SECONDS):
            key.data()

    def _stop_if_due(self) -> None:
        """Stop both children, when we are asked to or because one of them has ended for good."""
        if self._is_stopping:
            return
        over = next((ward for ward in self._wards if ward.code is not None), None)
        if over is not None and over.code is not None:
            self._is_stopping, self._first = True, over.code
            why = {"why": "the other child has ended"}
        elif self._asked_to_stop is not None:
            self._is_stopping = True
            why = {"signal": self._asked_to_stop.name}
        else:
            return
        for ward in self._wards:
            ward.stop(**why)

    def _reload_if_due(self) -> None:
        """Read the configuration again when we are asked to, and have everybody do what its changes take."""
        if self._is_stopping or not self._is_asked_to_reload:
            return
        self._is_asked_to_reload = False
        try:
            new = read(load(self._in_force.config.path))
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration refused", problem=problem)
            return
        except Exception:
            log.exception("configuration refused", problem="it cannot be read, by our own mistake")
            return
        found = changes(self._in_force, new)
        self._in_force = kept(self._in_force, new)
        log.info("configuration read again", changes=sum(map(len, found.values())))
        if later := found.get(Consequence.START):
            log.warning("configuration needs a new start", changed=later)
        if changed := found.get(Consequence.ENGINE):
            self._engine.restart(changed=changed)
        else:
            self._engine.reload()
        self._edge.reload()

    def _on_engine_ready(self, line: bytes) -> None:
        """Let the edge listen, and say that the gateway is ready as soon as it does."""
        self._to_say = line + b"\n"
        if not self._is_open:
            self._is_open = True
            self._edge.tell(OPEN)
        self._say()

    def _say(self) -> None:
        """Pass the engine's ready line on, once for each of its starts, when the edge listens too."""
        if self._edge.is_ready and self._to_say:
            _pass_on(self._to_say)
            self._to_say = b""


def _pass_on(line: bytes) -> None:
    """Write a line to standard output, unless nobody takes it: nothing waits for that."""
    with suppress(OSError, ValueError):
        if sys.stdout is not None and select.select((), (sys.stdout,), (), 0)[1]:
            os.write(sys.stdout.fileno(), line)


def reserve(port: int) -> socket.socket:
    """Keep `port` (0: a free one) for the engine, as long as the socket lives. Raises OSError.

    Nobody listens on the socket. So the engine can bind the port besides, anew in each of its lives, because
    both say SO_REUSEADDR; and nobody is given it by chance. QuickFIX binds all addresses, so all are kept.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("0.0.0.0", port))  # noqa: S104  # bound, and never open
    except OSError:
        reserved.close()
        raise
    return reserved


def supervise(config: Config, *, data: Path, fix_port: int, api_port: int) -> int:
    """Run the gateway on the directory `data`, its clients' port being `fix_port`; the exit code."""
    lines = configure(config.log.format, config.log.level)
    try:
        reserved = reserve(config.fix.engine_port)
    except OSError as error:
        why = f"[fix] engine_port {config.fix.engine_port} cannot be had: {error.strerror}"
        log.critical("failed", why=why)
        print(f"fixgw: {why}", file=sys.stderr, flush=True)  # noqa: T201
        return EXIT_UNAVAILABLE
    with reserved:
        engine_port: int = reserved.getsockname()[1]
        common = [f"--config={config.path}", f"--data={data}", f"--fix-port={fix_port}"]
        common.append(f"--engine-port={engine_port}")
        return Supervisor(
            config, [*ENGINE, *common, f"--api-port={api_port}"], [*EDGE, *common], engine_port, lines.flush
        ).run()
