"""Puts the parts of the gateway together and runs them: what `fixgw serve` does."""

import fcntl
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import IO

import structlog

from fixgw import __version__
from fixgw.config import Config
from fixgw.core.directory import Directory
from fixgw.engine.desk import Desk, Limits
from fixgw.engine.loop import Loop
from fixgw.fix import dictionary, recovery
from fixgw.fix.acceptor import Acceptor
from fixgw.fix.application import EXIT_INVARIANT, EXIT_JOURNAL
from fixgw.fix.credentials import Credentials
from fixgw.journal.contract import JournalError
from fixgw.journal.sqlite import SqliteJournal
from fixgw.link import SOCKET_NAME, LinkServer
from fixgw.logs import LineBuffer, configure

log = structlog.get_logger("fixgw")

EXIT_OK = 0
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE: a port or the data directory is taken


class UnavailableError(Exception):
    """Something that the gateway needs is taken or cannot be had; the text says what."""


def lock(data: Path) -> IO[str]:
    """Take the data directory for this process alone. Raises UnavailableError when another one has it."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data / "lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnavailableError(f"another gateway runs on {data}") from error
    except OSError as error:
        raise UnavailableError(f"cannot use the data directory {data}: {error.strerror}") from error
    return file


class Gateway:
    """A gateway ready to run. Raises JournalError, UnavailableError or OSError when it cannot be made."""

    def __init__(self, config: Config, data: Path, fix_port: int, lines: LineBuffer) -> None:
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
        self.desk = Desk(directory, self._journal, loaded, limits, now, lines.requests)
        settings = config.fix_settings
        self.acceptor = Acceptor(
            directory,
            settings,
            Credentials(config.credentials()),
            dictionary.load(settings.dictionary),
            port=fix_port,
            store=data / "fix",
        )
        self._start(directory, loaded.clean_stop)
        self.link = LinkServer(data / SOCKET_NAME)
        self.acceptor.open()

    def _start(self, directory: Directory, after_clean_stop: bool) -> None:
        numbers = self.desk.outbox.of
        sessions = self.acceptor.create(
            {name: numbers(name).epoch for name in directory.sessions},
            self.desk.new_epoch,
            lambda name, native, next_in, next_out: recovery.keep_numbers(
                native,
                numbers(name),
                self._journal,
                next_in=next_in,
                next_out=next_out,
                store=self.acceptor.send,
            ),
        )
        for name, native in sessions.items():
            recovery.mend(
                native,
                numbers(name),
                self._journal,
                after_clean_stop=after_clean_stop,
                store=self.acceptor.send,
            )
        self.desk.resume(self.acceptor, datetime.now(UTC))

    def close(self) -> None:
        """Close the link and the journal."""
        self.link.close()
        self._journal.close()
        self._lock.close()


def serve(config: Config, *, data: Path, fix_port: int, api_port: int) -> int:
    """Run the gateway until SIGINT or SIGTERM; the exit code. Ready line to stdout, logs to stderr."""
    buffer = configure(config.log.format, config.log.level)
    started = perf_counter()
    try:
        gateway = Gateway(config, data, fix_port, buffer)
    except JournalError as error:
        return _failed(str(error), EXIT_JOURNAL)
    except (UnavailableError, OSError) as error:
        return _failed(str(error), EXIT_UNAVAILABLE)
    except Exception as error:
        log.exception("our mistake")
        return _failed(f"cannot start, by our own mistake: {error!r}", EXIT_INVARIANT)
    loop = Loop(gateway.desk, gateway.acceptor, gateway.link)
    loop.stop_on_signals()
    orders = sum(len(state.book) for state in gateway.desk.states.values())
    log.info(
        "ready",
        version=__version__,
        fix_port=fix_port,
        api_port=api_port,
        data=str(data),
        open_orders=orders,
        seconds=round(perf_counter() - started, 3),
    )
    buffer.flush()
    print(f"fixgw ready: FIX 127.0.0.1:{fix_port}, {orders} open orders, data {data}", flush=True)  # noqa: T201
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
