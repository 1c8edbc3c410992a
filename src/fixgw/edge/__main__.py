"""The edge's process, for the time being a plain relay: `python -P -m fixgw.edge`.

It checks the password of each Logon, puts the secret in its place, and passes all other bytes on as they are.
"""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

import structlog

from fixgw import supervised
from fixgw.config import ConfigError, load
from fixgw.exits import EXIT_CONFIG, EXIT_INVARIANT, EXIT_OK, EXIT_REFUSED, EXIT_UNAVAILABLE
from fixgw.fix.credentials import Credentials
from fixgw.logs import LineBuffer, configure

log = structlog.get_logger("fixgw.edge")

BEAT_SECONDS = 1.0
STOP_SECONDS = 10.0  # for what is still connected
ENGINE_SECONDS = 10.0  # a Logon waits so long for the engine
AGAIN_SECONDS = 0.5  # a Logon that is cut off is tried again: the engine may not know yet that another left
FIRST_MAX = 65_536  # bytes of the first message
BUFFER_BYTES = 1 << 18

_END = re.compile(rb"\x0110=[0-9]{3}\x01")
_LOGON = re.compile(rb"8=[^\x01]*\x019=[0-9]+\x0135=A\x01.*?\x0110=[0-9]{3}\x01", re.DOTALL)


class Relay:
    """All connections, and the listener."""

    def __init__(
        self, path: Path, listener: socket.socket, engine_port: int, secret: str, lines: LineBuffer
    ) -> None:
        self._path = path
        self._listener = listener
        self._engine_port = engine_port
        self._secret = secret.encode()
        self._lines = lines
        self._connections: set[asyncio.Task[None]] = set()
        self._opened, self._stopped = asyncio.Event(), asyncio.Event()
        self.reload()

    def reload(self) -> None:
        """Read the configuration again; raises nothing."""
        try:
            self._credentials = Credentials(load(self._path).credentials())
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration refused", problem=problem)

    def heard(self) -> None:
        """The supervisor has said something, or is gone."""
        said = os.read(sys.stdin.fileno(), 1_024)
        if not said:
            os._exit(EXIT_INVARIANT)
        if b"open" in said.split(b"\n"):
            self._opened.set()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises OSError when somebody else listens already."""
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self.heard)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        await _first(self._opened.wait(), self._stopped.wait())
        if self._stopped.is_set():
            return
        server = await asyncio.start_server(self._serve, sock=self._listener, limit=BUFFER_BYTES)
        _say("listening")
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), BEAT_SECONDS)
            _say("beat")
            self._lines.flush()
        server.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=STOP_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a connection is served by a task")
        self._connections.add(task)
        try:
            with suppress(OSError, EOFError, ValueError):
                await self._relay(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._connections.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = b""
        while _END.search(first) is None and len(first) < FIRST_MAX:
            if not (more := await reader.read(FIRST_MAX)):
                return
            first += more
        first = _LOGON.sub(self._with_secret, first)
        deadline = asyncio.get_running_loop().time() + AGAIN_SECONDS
        while True:
            inner, outer = await self._connect()
            try:
                outer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                outer.write(first)
                if self._secret in first:
                    with suppress(TimeoutError):
                        answer = await asyncio.wait_for(inner.read(BUFFER_BYTES), AGAIN_SECONDS)
                        if not answer and asyncio.get_running_loop().time() < deadline:
                            await asyncio.sleep(0.02)
                            continue
                        writer.write(answer)
                await _first(self._pass_in(reader, outer), _pass(inner, writer))
                return
            finally:
                outer.close()

    async def _pass_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(BUFFER_BYTES):
            writer.write(_LOGON.sub(self._with_secret, data))
            await writer.drain()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = asyncio.get_running_loop().time() + ENGINE_SECONDS
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", self._engine_port, limit=BUFFER_BYTES)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.02)

    def _with_secret(self, found: re.Match[bytes]) -> bytes:
        logon = found[0]
        fields = logon.split(b"\x01")[:-1]
        values = dict(field.partition(b"=")[::2] for field in fields)
        text = {
            tag: values.get(tag, b"").decode("utf-8", "surrogateescape") for tag in (b"49", b"553", b"554")
        }
        wrong = self._credentials.problem(text[b"49"], text[b"553"], text[b"554"])
        if wrong is not None:
            log.warning("refused", session=text[b"49"], why=wrong)
            return logon
        body = b"".join(
            (b"554=" + self._secret if field.startswith(b"554=") else field) + b"\x01"
            for field in fields
            if not field.startswith((b"8=", b"9=", b"10=", b"925="))
        )
        whole = b"8=" + values[b"8"] + b"\x019=%d\x01" % len(body) + body
        return whole + b"10=%03d\x01" % (sum(whole) % 256)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(BUFFER_BYTES):
        writer.write(data)
        await writer.drain()


async def _first(*waiting: Coroutine[object, object, object]) -> None:
    """Until one of them is over; the others are canceled."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> int:
    """Run the edge; the exit code."""
    given = supervised.options("fixgw.edge", ("--fix-port", "--engine-port"))
    try:
        told = supervised.begin()
        config = load(given.config)
    except supervised.SupervisionError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_REFUSED
    except ConfigError as error:
        for problem in error.problems:
            print(f"fixgw: {problem}", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIG
    lines = configure(config.log.format, config.log.level)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    async def run() -> None:
        await Relay(given.config, listener, given.engine_port, told.secret, lines).run()

    try:
        listener.bind((config.fix.host, given.fix_port))
        asyncio.run(run())
    except OSError as error:
        why = f"cannot open the FIX port {given.fix_port} on {config.fix.host}: {error.strerror}"
        log.critical("failed", why=why)
        print(f"fixgw: {why}", file=sys.stderr, flush=True)  # noqa: T201
        return EXIT_UNAVAILABLE
    lines.flush()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
