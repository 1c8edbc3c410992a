"""Puts the parts of the engine together and runs them: the child process that `fixgw serve` starts."""

import errno
import fcntl
import gc
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import IO

import structlog

from fixgw import __version__
from fixgw.config import Config
from fixgw.core.directory import Directory
from fixgw.core.disconnect import agreed
from fixgw.engine.clock import Clock
from fixgw.engine.desk import Desk
from fixgw.engine.loop import Loop
from fixgw.engine.overview import Overview
from fixgw.engine.turn import Limits
from fixgw.exits import EXIT_INVARIANT, EXIT_JOURNAL, EXIT_OK, EXIT_UNAVAILABLE
from fixgw.fix import dictionary, filestore, recovery
from fixgw.fix.acceptor import Acceptor
from fixgw.fix.filestore import Stored, StoreError
from fixgw.journal.contract import JournalError, Reset
from fixgw.journal.sqlite import SqliteJournal
from fixgw.link import SOCKET_NAME, LinkServer
from fixgw.logs import LineBuffer, configure
from fixgw.reload import Reload

log = structlog.get_logger("fixgw")

LOCK_SECONDS = 3.0  # an engine that is killed gives back a gigabyte of memory, and then its lock, in one
LOCK_POLL_SECONDS = 0.02


class UnavailableError(Exception):
    """Something that the gateway needs is taken or cannot be had; the text says what."""


def lock(data: Path) -> IO[str]:
    """Take the data directory for this process alone, and write its id into the file `lock`.

    An engine that was killed a moment ago is given LOCK_SECONDS to be gone. Raises UnavailableError when
    another one keeps the directory.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        file = (data / "lock").open("a+")  # not "w": until it is ours, the id in it is another's
        while not _locked(file):
            if time.monotonic() > deadline:
                raise UnavailableError(f"another gateway runs on {data}")
            time.sleep(LOCK_POLL_SECONDS)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise UnavailableError(f"cannot use the data directory {data}: {error.strerror}") from error
    return file


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Gateway:
    """An engine ready to run, with its FIX port open on `engine_port`.

    Raises JournalError, StoreError, UnavailableError or OSError when it cannot be made.
    """

    def __init__(self, config: Config, data: Path, engine_port: int, secret: str, lines: LineBuffer) -> None:
        self._lock = lock(data)
        now = datetime.now(UTC)
        directory = config.directory()
        limits = Limits(
            reports_per_turn=config.limits.reports_per_turn,
            closed_for=config.closed_for,
            closed_max=config.journal.closed_max,
        )
        self._journal = SqliteJournal(data / "journal.db", config.journal.sync)
        loaded = self._journal.load(
            since=now - max(config.closed_for, timedelta(days=1)), closed_max=config.journal.closed_max
        )
        self.clock = Clock(loaded.last_at)
        now = self.clock.now()
        self.desk = Desk(directory, self._journal, loaded, limits, now, lines.requests)
        settings = config.fix_settings
        self.acceptor = Acceptor(
            directory,
            settings,
            secret,
            dictionary.load(settings.dictionary),
            self._journal,
            port=engine_port,
            store=data / "fix",
        )
        # of a session that the journal does not know it is no wonder that there are no files
        names = {name: settings.store_name(name) for name in directory.sessions if name in loaded.sessions}
        self._start(directory, loaded.clean_stop, data / "fix", names)
        self.overview = Overview(__version__, now, self.desk, self._journal, self.acceptor)
        self.link = LinkServer(data / SOCKET_NAME, self.desk.gone)
        self.acceptor.open()

    def _start(
        self, directory: Directory, after_clean_stop: bool, files: Path, names: dict[str, str]
    ) -> None:
        numbers = self.desk.outbox.of
        stored = filestore.look(files, names)
        callbacks = _Callbacks(self.desk, self.clock)
        sessions = self.acceptor.create(
            {name: numbers(name).epoch for name in directory.sessions},
            callbacks,
            callbacks.begin,
            lambda name, native, *seen: recovery.keep_numbers(native, name, *seen),
        )
        epochs, now = self.desk.epochs, self.clock.now()
        due = epochs.due(now)
        for name, native in sessions.items():
            if numbers(name).reset is Reset.DUE:
                epochs.finish(name, now, self.acceptor)
                stored.pop(name, None)
            if name in due:
                epochs.reset(name, now, self.acceptor)
                stored.pop(name, None)
            not_sent = recovery.mend(
                native,
                numbers(name),
                self._journal,
                after_clean_stop=after_clean_stop,
                stored=stored.get(name, Stored()),
            )
            epochs.not_sent(name, not_sent)
        filestore.vouch(files)
        self.desk.resume(self.acceptor, now)

    def close(self) -> None:
        """Close the link and the journal."""
        self.link.close()
        self._journal.close()
        with suppress(OSError):
            self._lock.truncate(0)
        self._lock.close()


class _Callbacks:
    """What QuickFIX's callbacks tell the engine at once; they raise JournalError."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._epochs = desk.epochs
        self._now = clock.now
        self._outbox = desk.outbox
        self._sessions = desk.directory.sessions
        self.is_anew = desk.epochs.is_anew
        self.resent = desk.epochs.resent

    def is_disabled(self, session: str) -> bool:
        """Whether the operator has disabled it."""
        return self._outbox.of(session).disabled

    def why_not(self, session: str, asked: str) -> str | None:
        """Why a Logon cannot have CancelOrdersOnDisconnect(8013)=`asked`."""
        terms = agreed(self._sessions[session].on_disconnect, asked)
        return terms if isinstance(terms, str) else None

    def begin(self, session: str) -> int:
        """The client has its numbers begin anew."""
        return self._epochs.begin(session, self._now())

    def logged_on(self, session: str) -> None:
        """The client has logged on since its numbers began anew."""
        self._epochs.logged_on(session, self._now())


def serve(
    config: Config,
    *,
    data: Path,
    fix_port: int,
    engine_port: int,
    secret: str,
    is_orphan: Callable[[], bool] = lambda: False,
) -> int:
    """Run the engine until SIGINT or SIGTERM; the exit code. Ready line to stdout, logs to stderr.

    `fix_port` is the edge's, which passes to `engine_port` what it lets through: Logons with `secret`.
    `is_orphan` says whether the supervisor is gone.
    """
    buffer = configure(config.log.format, config.log.level)
    reload = Reload(config)
    started = perf_counter()
    gc.disable()  # a start only gathers what stays: to look through it for garbage takes seconds
    try:
        gateway = Gateway(config, data, engine_port, secret, buffer)
    except (JournalError, StoreError) as error:
        return _failed(str(error), EXIT_JOURNAL)
    except (UnavailableError, OSError) as error:
        return _failed(str(error), EXIT_UNAVAILABLE)
    except Exception as error:
        log.exception("our mistake")
        return _failed(f"cannot start, by our own mistake: {error!r}", EXIT_INVARIANT)
    loop = Loop(
        gateway.desk,
        gateway.acceptor,
        gateway.link,
        gateway.clock,
        gateway.overview,
        is_orphan,
        between_turns=lambda: reload.step(gateway.desk),
    )
    loop.stop_on_signals()
    orders = sum(len(state.book) for state in gateway.desk.states.values())
    seconds = round(perf_counter() - started, 3)
    ports = {"fix_port": fix_port, "engine_port": engine_port}
    log.info("ready", version=__version__, **ports, data=str(data), open_orders=orders, seconds=seconds)
    buffer.flush()
    print(f"fixgw ready: FIX {config.fix.host}:{fix_port}, {orders} open orders, data {data}", flush=True)  # noqa: T201
    try:
        loop.run(buffer.flush)
        gateway.close()
    except JournalError as error:
        return _failed(str(error), EXIT_JOURNAL)
    except Exception:
        log.exception("stopped by our own mistake")
        buffer.flush()
        return EXIT_INVARIANT
    log.info("stopped")
    buffer.flush()
    return EXIT_OK


def _failed(why: str, code: int) -> int:
    try:
        log.critical("failed", why=why)
        print(f"fixgw: {why}", file=sys.stderr, flush=True)  # noqa: T201
        sys.stderr.flush()
    except OSError:  # a full disk may be the very cause; Python itself would make 120 of the exit code
        os._exit(code)
    return code
