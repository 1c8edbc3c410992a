"""The API's process: `python -m fixgw.edge.api`, which only the supervisor starts.

It binds its ports at once, so that one that is taken is found at once; it listens when it is told `open`, and
says where. From then on it says `beat` each second, by which the supervisor knows that it does not hang.
"""

import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from fixgw import supervised
from fixgw.config import Config, ConfigError, load
from fixgw.config_tables import DialectTable
from fixgw.edge import tls
from fixgw.edge.api import app
from fixgw.edge.api.context import Context, Reference
from fixgw.edge.api.dialects import DIALECTS
from fixgw.edge.api.identity import Entry, Identities, Identity
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.server import Server, take_logs
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineLink
from fixgw.edge.process import BEAT_SECONDS, OPEN, bound, failed, say, take_descriptors
from fixgw.exits import EXIT_CONFIG, EXIT_INVARIANT, EXIT_OK, EXIT_REFUSED, EXIT_UNAVAILABLE
from fixgw.logs import configure
from fixgw.secret_text import SecretError, secret_text

log = structlog.get_logger("fixgw.api")

NICENESS = 5  # where there is no core for each process, the engine and the FIX clients go first
AUTOGROUP = Path("/proc/self/autogroup")
UP_SECONDS = 0.01  # between two looks whether there is an engine to ask
SAY_SECONDS = 0.02  # for dialects to say that the server stops
ANSWER_SECONDS = 1.0  # how long a stop waits for the engine's answers
CLOSE_SECONDS = (
    0.3  # and then for clients to take theirs: the supervisor waits 1.5 s before it stops the engine
)


class Api:
    """The API from its start to its end. `listeners` have the ports, by their number."""

    def __init__(
        self, config: Config, listeners: dict[int, socket.socket], api_port: int, data: Path
    ) -> None:
        self._config = config
        self._engine = EngineLink(data, config.api.answer_seconds)
        self._reference = Reference(config)
        self._identities = Identities(_entries(config), time.time())
        self._tokens = Tokens(config.api.token_seconds)
        self._rates = Rates(config.api.requests_per_second, config.api.requests_burst)
        self._context = _tls_context(config)
        self._stopped = asyncio.Event()
        self._is_listening = False
        self._opening: asyncio.Task[None] | None = None
        self._failure: OSError | None = None
        self._loading: set[asyncio.Task[None]] = set()
        self._servers = {
            port: Server(self._app(port, api_port), listener, config.api, self._context)
            for port, listener in listeners.items()
        }

    def _app(self, port: int, api_port: int) -> ASGIApp:
        served = [
            app.Served(row.name, row.path, self._dialect_context(row))
            for row in self._config.dialect
            if (row.port or api_port) == port
        ]
        return app.build(served, DIALECTS, self._config.api.body_bytes_max)

    def _dialect_context(self, row: DialectTable) -> Context:
        return Context(
            door=row.name,
            omses=row.oms,
            engine=self._engine,
            reference=self._reference,
            identities=self._identities,
            tokens=self._tokens,
            rates=self._rates,
            settings=self._config.api,
            stopping=self._stopped,
        )

    async def run(self, flush: Callable[[], None]) -> None:
        """Until SIGTERM, and then until what was asked is answered. `flush` writes the log lines."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self._load_soon)
        loop.add_reader(sys.stdin.fileno(), self._told)
        link = asyncio.ensure_future(self._engine.run())
        while not self._stopped.is_set():
            if self._is_listening:
                say("beat")
            for server in self._servers.values():
                server.step()
            flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._stopped.wait()
        log.info("api stops")
        flush()
        if self._opening is not None:
            self._opening.cancel()
        await self._close()
        link.cancel()
        if self._failure is not None:
            raise self._failure

    async def _close(self) -> None:
        for server in self._servers.values():
            server.stop()
        await asyncio.sleep(SAY_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while self._engine.waiting:
                    await asyncio.sleep(0.01)
        await asyncio.gather(*(server.close(CLOSE_SECONDS) for server in self._servers.values()))
        self._identities.close()

    def _told(self) -> None:
        """Read what the supervisor says; its end is ours."""
        said = os.read(sys.stdin.fileno(), 4_096)
        if not said:
            os._exit(EXIT_INVARIANT)  # nobody is left to start us again, or to stop us
        if OPEN in said and self._opening is None:
            self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        """Listen, and say so, once there is an engine to ask: the first request is to be answered."""
        while not self._engine.is_up:
            await asyncio.sleep(UP_SECONDS)
        try:
            for server in self._servers.values():
                server.listen()
        except OSError as error:  # another program has bound and opened it since
            self._failure = error
            self._stopped.set()
            return
        self._is_listening = True
        say(", ".join(map(self._where, self._servers)))

    def _where(self, port: int) -> str:
        host = self._config.api.host
        base = (
            f"{'http' if self._context is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}"
        )
        return f"API {base} (documentation: {base}/docs)"

    def _load_soon(self) -> None:
        task = asyncio.ensure_future(self._load())
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    async def _load(self) -> None:
        """Read the configuration again; a bad one changes nothing, and neither does another [api]."""
        try:
            config = await asyncio.to_thread(partial(load, self._config.path, look_outside=False))
            context, entries = _tls_context(config), _entries(config)
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration not loaded", why=problem)
            return
        except (tls.TlsError, SecretError) as error:
            log.error("configuration not loaded", why=str(error))
            return
        for server in self._servers.values():
            server.context = context
        self._reference.update(config)
        for identity in self._identities.update(entries):
            self._tokens.revoke_all(identity)
        log.info("configuration loaded")


def _tls_context(config: Config) -> ssl.SSLContext | None:
    context = tls.server_context(config.tls, config.path.parent)
    if context is not None:
        context.set_alpn_protocols(["http/1.1"])
    return context


def _entries(config: Config) -> list[Entry]:
    """The users of the API, with their secrets. Raises SecretError."""
    directory = config.path.parent
    return [
        Entry(
            Identity(row.user, row.username),
            row.password_hash.get_secret_value(),
            secret_text(row.api_key, directory),
            secret_text(row.api_secret, directory),
        )
        for row in config.api_user
    ]


def _give_way() -> None:
    """Be nicer than the engine and the edge.

    Where Linux weighs sessions against each other (autogroup in sched(7)), what counts between processes of
    different sessions, as the supervisor's children are, is how nice the session is.
    """
    os.nice(NICENESS)
    with suppress(OSError):  # not every kernel has it
        AUTOGROUP.write_text(str(NICENESS))


def main() -> int:
    """Run the API; the exit code."""
    options = supervised.options("fixgw.edge.api", ("--api-port",))
    try:
        supervised.begin()
        config = load(options.config, look_outside=False)  # the supervisor has done so
    except supervised.SupervisionError as error:
        return failed(str(error), EXIT_REFUSED)
    except ConfigError as error:
        return failed("\n".join(error.problems), EXIT_CONFIG)
    _give_way()
    lines = configure(config.log.format, config.log.level)
    take_logs()
    api_port: int = options.api_port or config.api.port
    wanted = {row.port or api_port: f"[[dialect]] {row.name}" for row in reversed(config.dialect)}
    listeners: dict[int, socket.socket] = {}
    where = ""
    try:
        for port, table in {**wanted, api_port: "[api]"}.items():
            where = f"{table} port {port} on {config.api.host}"
            listeners[port] = bound(config.api.host, port)
    except OSError as error:
        return failed(f"cannot open {where}: {error.strerror}", EXIT_UNAVAILABLE)

    async def run() -> None:
        await Api(config, listeners, api_port, options.data).run(lines.flush)

    take_descriptors()
    try:
        asyncio.run(run())
    except (tls.TlsError, SecretError) as error:
        return failed(str(error), EXIT_CONFIG)
    except OSError as error:
        ports = ", ".join(map(str, listeners))
        return failed(
            f"cannot open [api] port {ports} on {config.api.host}: {error.strerror}", EXIT_UNAVAILABLE
        )
    except Exception:
        log.exception("our mistake")
        return EXIT_INVARIANT
    finally:
        lines.flush()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
