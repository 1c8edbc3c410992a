"""The edge's process: `python -m fixgw.edge`, which only the supervisor starts.

It binds the FIX port at once, so that a port that is taken is found at once; it listens when it is told
`open`, and says `listening`. From then on it says `beat` each second, by which the supervisor knows that it
does not hang.
"""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from fixgw import supervised
from fixgw.config import Config, ConfigError, load
from fixgw.edge import tls
from fixgw.edge.front import Front
from fixgw.edge.pipe import Take
from fixgw.edge.process import BEAT_SECONDS, KERNEL_QUEUE, OPEN, bound, failed, say, take_descriptors
from fixgw.edge.reporter import Reporter
from fixgw.edge.wirelog import WireLog
from fixgw.exits import EXIT_CONFIG, EXIT_INVARIANT, EXIT_OK, EXIT_REFUSED, EXIT_UNAVAILABLE
from fixgw.logs import configure

log = structlog.get_logger("fixgw.edge")

CLOSE_SECONDS = 10.0  # how long a stop waits for the engine to log the clients out
WARN_SECONDS = 86_400.0  # between two warnings that a certificate ends


class Edge:
    """The edge from its start to its end. `take` gets every message."""

    def __init__(
        self, config: Config, listener: socket.socket, engine_port: int, secret: str, take: Take
    ) -> None:
        self._config = config
        self._listener = listener
        self._front = Front(config, engine_port, secret, _context(config), take)
        self._stopped = asyncio.Event()
        self._is_listening = False
        self._failure: OSError | None = None
        self._loading: set[asyncio.Task[None]] = set()

    async def run(self, data: Path, flush: Callable[[], None]) -> None:
        """Until SIGTERM, and then until everybody is gone. `flush` writes the log lines."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self._load_soon)
        loop.add_reader(sys.stdin.fileno(), self._told)
        reporter = Reporter(data, self._front.sessions, self._disable)
        self._front.doorbell.ring = reporter.ring
        reporting = asyncio.ensure_future(reporter.run())
        warn_at = loop.time()
        while not self._stopped.is_set():
            if self._is_listening:
                say("beat")
            if loop.time() >= warn_at:
                warn_at += WARN_SECONDS
                self._warn()
            self._front.say_ended()
            flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._stopped.wait()
        log.info("edge stops")
        flush()
        await self._front.close(CLOSE_SECONDS)
        self._listener.close()
        reporting.cancel()
        if self._failure is not None:
            raise self._failure

    def _told(self) -> None:
        """Read what the supervisor says; its end is ours."""
        said = os.read(sys.stdin.fileno(), 4_096)
        if not said:
            os._exit(EXIT_INVARIANT)  # nobody is left to start us again, or to stop us
        if OPEN in said and not self._is_listening:
            try:
                self._listener.listen(KERNEL_QUEUE)
            except OSError as error:  # another program has bound and opened it since
                self._failure = error
                self._stopped.set()
                return
            self._front.listen([self._listener])
            self._is_listening = True
            say("listening")

    def _disable(self, sessions: frozenset[str]) -> None:
        self._front.disabled = sessions

    def _load_soon(self) -> None:
        task = asyncio.ensure_future(self._load())
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    async def _load(self) -> None:
        """Read the configuration again; a bad one changes nothing."""
        try:
            config = await asyncio.to_thread(load, self._config.path)
            context = _context(config)
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration not loaded", why=problem)
            return
        except tls.TlsError as error:
            log.error("configuration not loaded", why=str(error))
            return
        self._config = config
        self._front.change(config, context)
        self._warn()
        log.info("configuration loaded")

    def _warn(self) -> None:
        with suppress(tls.TlsError):  # the files are gone: nothing changes until the next load, which says so
            for warning in tls.warnings(self._config.tls, self._config.path.parent, datetime.now(UTC)):
                log.warning("tls", why=warning)


def _context(config: Config) -> ssl.SSLContext | None:
    return tls.server_context(config.tls, config.path.parent)


def _unused(_: str, __: bytes, ___: bytes) -> None:
    """No wire log."""


def main() -> int:
    """Run the edge; the exit code."""
    options = supervised.options("fixgw.edge", ("--fix-port", "--engine-port"))
    try:
        told = supervised.begin()
        config = load(options.config, look_outside=False)  # the supervisor has done so
    except supervised.SupervisionError as error:
        return failed(str(error), EXIT_REFUSED)
    except ConfigError as error:
        return failed("\n".join(error.problems), EXIT_CONFIG)
    lines = configure(config.log.format, config.log.level)
    where = f"{options.fix_port} on {config.fix.host}"
    try:
        listener = bound(config.fix.host, options.fix_port)
    except OSError as error:
        return failed(f"cannot open the FIX port {where}: {error.strerror}", EXIT_UNAVAILABLE)
    wire_log = WireLog(options.data / "wire", config.wire.keep_days) if config.wire.log else None

    async def run() -> None:
        take = _unused if wire_log is None else wire_log.take
        edge = Edge(config, listener, options.engine_port, told.secret, take)
        await edge.run(options.data, lines.flush)

    take_descriptors()
    try:
        asyncio.run(run())
    except tls.TlsError as error:
        return failed(str(error), EXIT_CONFIG)
    except OSError as error:
        return failed(f"cannot open the FIX port {where}: {error.strerror}", EXIT_UNAVAILABLE)
    except Exception:
        log.exception("our mistake")
        return EXIT_INVARIANT
    finally:
        if wire_log is not None:
            wire_log.close()
        lines.flush()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
