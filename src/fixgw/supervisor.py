"""The supervisor: keeps the engine, the edge and the API running, each for itself, and starts and stops them.

It holds nothing that could be lost, and is one thread without QuickFIX and without a port that others reach.
Without the engine or the edge there is no gateway. Without the API there is: when it has ended for good, FIX
goes on. Only an API that cannot start at all, for a port or the configuration, ends the gateway's start.
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
from fixgw.core.directory import EMBEDDED
from fixgw.exits import EXIT_INVARIANT, EXIT_OK, EXIT_UNAVAILABLE, FINAL
from fixgw.logs import configure
from fixgw.supervised import Told
from fixgw.ward import Beats, Ward
from fixgw.watch import Watch

log = structlog.get_logger("fixgw.supervisor")

LEAN = (sys.executable, "-P", "-m", "fixgw.lean")  # -P: no module of the current directory
ENGINE: tuple[str, ...] = (*LEAN, "fixgw.engine")
EDGE: tuple[str, ...] = (*LEAN, "fixgw.edge")
API: tuple[str, ...] = (*LEAN, "fixgw.edge.api")
VENUES: tuple[str, ...] = (*LEAN, "fixgw.edge.venues")
OPEN = b"open"  # tells the edge and the API to listen: the engine is ready
API_STOP_SECONDS = 1.5  # what an API that stops has, to answer what it was asked, before the engine stops too
TICK_SECONDS = 0.25  # how late a deadline is noticed at most


class Supervisor:
    """Runs the commands `engine`, `edge`, `api` and `venues` until all have ended for good.

    The engine listens on `engine_port`. No command for the API, or for the venues, means that there are none.
    `flush` writes the log lines.
    """

    def __init__(
        self,
        config: Config,
        engine: Sequence[str],
        edge: Sequence[str],
        api: Sequence[str],
        venues: Sequence[str],
        engine_port: int,
        flush: Callable[[], None],
    ) -> None:
        self._in_force = read(config)
        self._flush = flush
        self._selector = selectors.DefaultSelector()
        self._asked_to_stop: signal.Signals | None = None
        self._is_asked_to_reload = self._is_stopping = False
        self._first = EXIT_OK
        self._stop_rest_at: float | None = None
        self._is_open = self._has_said = self._is_api_over = False
        self._to_say = self._api_line = b""
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
        self._api = None
        if api:
            self._api = Ward(
                "api",
                api,
                config.supervisor,
                self._selector,
                words=[told],
                signs=Beats,
                on_ready=self._on_api_ready,
                flush=flush,
                waits=True,
            )
        self._venues = None
        if venues:
            self._venues = Ward(
                "venues",
                venues,
                config.supervisor,
                self._selector,
                words=[told],
                signs=Beats,
                on_ready=lambda _: None,
                flush=flush,
            )
        self._is_without_venues = False
        self._needed = (self._edge, self._engine)  # in the order in which they are told to stop
        others = (self._api, self._venues)
        self._wards = (*(ward for ward in others if ward is not None), *self._needed)

    def run(self) -> int:
        """Until SIGINT or SIGTERM, or until a restart of what is needed cannot help; the exit code."""
        self._listen_to_signals()
        try:
            while any(ward.code is None for ward in self._wards):
                now = time.monotonic()
                for ward in self._wards:
                    ward.step(now)
                self._stop_if_due()
                self._reload_if_due()
                self._wait()
            codes = [self._first, self._engine.code, self._edge.code]
            if self._api is not None and not self._is_api_over:
                codes.append(self._api.code)
            return next((code for code in codes if code), EXIT_OK)
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
        """Stop all children, when we are asked to or because one has ended for good that is needed."""
        if self._is_stopping:
            self._stop_rest_if_due()
            return
        self._look_after_venues()
        over = (
            next((ward for ward in self._needed if ward.code is not None), None) or self._api_that_is_over()
        )
        if over is not None and over.code is not None:
            self._is_stopping, self._first = True, over.code
            why = {"why": "another child has ended"}
        elif self._asked_to_stop is not None:
            self._is_stopping = True
            why = {"signal": self._asked_to_stop.name}
        else:
            return
        self._why_stopped = why
        self._stop_rest_at = time.monotonic()
        if self._api is not None:
            self._stop_rest_at += API_STOP_SECONDS
            self._api.stop(**why)
        self._stop_rest_if_due()

    def _stop_rest_if_due(self) -> None:
        """Stop what is needed, as soon as the API has ended: what it was asked is answered, if it can be."""
        if self._stop_rest_at is None:
            return
        has_api = self._api is not None and self._api.code is None
        if has_api and time.monotonic() < self._stop_rest_at:
            return
        self._stop_rest_at = None
        for ward in self._wards:
            ward.stop(**self._why_stopped)

    def _look_after_venues(self) -> None:
        """Say it once when the venues' process has ended for good: everything else goes on without it."""
        if self._venues is not None and self._venues.code is not None and not self._is_without_venues:
            self._is_without_venues = True
            why = "requests for their OMSes are answered with 102; SIGHUP starts it again"
            log.critical("venues are gone", code=self._venues.code, why=why)

    def _api_that_is_over(self) -> Ward | None:
        """The API, when it could not even start, and a person has to put something right."""
        if self._api is None or self._api.code is None or self._is_api_over:
            return None
        if self._api.code in FINAL and not self._has_said:
            return self._api
        self._is_api_over = True
        log.critical("api is gone", code=self._api.code, why="FIX goes on without it; SIGHUP starts it again")
        self._say()
        return None

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
        if self._venues is not None:
            if self._is_without_venues:
                self._is_without_venues = False
                self._venues.begin_again()
            elif Consequence.ENGINE in found:
                self._venues.restart(changed=found[Consequence.ENGINE])
        if self._api is None:
            return
        if self._is_api_over:
            self._is_api_over = False
            self._api.begin_again()
        elif changed := found.get(Consequence.API):
            self._api.restart(changed=changed)
        else:
            self._api.reload()

    def _on_engine_ready(self, line: bytes) -> None:
        """Let the others listen, and say that the gateway is ready as soon as they do."""
        self._to_say = line
        if not self._is_open:
            self._is_open = True
            for ward in (self._edge, self._api):
                if ward is not None:
                    ward.tell(OPEN)
        self._say()

    def _on_api_ready(self, line: bytes) -> None:
        """Remember where the API is, for the ready line."""
        self._api_line = b", " + line
        self._say()

    def _say(self) -> None:
        """Pass the engine's ready line on, once for each of its starts, when the others listen too.

        The API is waited for at the start alone.
        """
        is_api_awaited = self._api is not None and not (self._has_said or self._is_api_over or self._api_line)
        if self._edge.is_ready and self._to_say and not is_api_awaited:
            _pass_on(self._to_say + (b"" if self._is_api_over else self._api_line) + b"\n")
            self._to_say, self._has_said = b"", True


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


def supervise(config: Config, *, data: Path, fix_port: int, api_port: int, has_api: bool) -> int:
    """Run the gateway on the directory `data`, its clients' port being `fix_port`; the exit code.

    An `api_port` of 0 is what the configuration says, also after it has changed.
    """
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
        common = [f"--config={config.path}", f"--data={data}"]
        ports = [f"--fix-port={fix_port}", f"--engine-port={engine_port}"]
        api = [*API, *common, f"--api-port={api_port}"] if has_api else []
        engine, edge = [*ENGINE, *common, *ports], [*EDGE, *common, *ports]
        venues = [*VENUES, *common] if any(oms.venue != EMBEDDED for oms in config.oms) else []
        return Supervisor(config, engine, edge, api, venues, engine_port, lines.flush).run()
