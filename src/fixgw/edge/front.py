"""The FIX port: takes connections, lets in who logs on as he should, and refuses all others alike.

Before its Logon a connection costs a bounded amount of everything, and the oldest makes room for the next: so
whoever sends his Logon at once always gets in. A refusal is a Logout(5) that tells nothing, at the same time
after the Logon whatever was wrong; the log has the cause. Nothing of it reaches the engine.
"""

import asyncio
import errno
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import structlog

from fixgw.config import Config
from fixgw.edge import logon
from fixgw.edge.doorbell import Doorbell
from fixgw.edge.logon import Claim, Refused
from fixgw.edge.pipe import Limits, Pipe, Take
from fixgw.edge.sides import EngineSide
from fixgw.edge.verifier import Verifier
from fixgw.edge.visitor import Stage, Visitor, to_end
from fixgw.edge.window import Company
from fixgw.engine.turn import DISABLED, EdgeSession

log = structlog.get_logger("fixgw.edge")

ENGINE_SECONDS = 10.0  # a Logon waits so long for an engine that is being started again
ENGINE_POLL_SECONDS = 0.05
TRIES_MAX = 5  # of a Logon that the engine leaves without an answer
AGAIN_SECONDS = 0.25  # between two of them
ANSWER_SECONDS = 30.0  # for the engine's answer to a Logon; one mass cancel of many orders may take ten
LINGER_SECONDS = 1.0  # how long a refused client may take to read why
FULL_SECONDS = 0.1  # without descriptors: then accepting is tried again
SILENT_SECONDS = 2.0  # beyond its HeartBtInt(108): then a connection counts as half-open
KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))
"""Seconds, seconds, tries and milliseconds: a peer that is gone is noticed within 30 s."""

LATER = "the gateway is starting: try again"
TWICE = "this session is logged on already"
RESERVED = 64  # descriptors for everything but clients: files, the link, libraries
SESSION_DESCRIPTORS = 3  # its client, the engine and its wire log
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Front:
    """Everybody who is connected. `disabled` are the sessions that may not log on now.

    `take` gets every message of a logged-on session: its name, `in` or `out`, and one or more whole messages.
    `doorbell` wakes the engine.
    """

    def __init__(
        self, config: Config, engine_port: int, secret: str, context: ssl.SSLContext | None, take: Take
    ) -> None:
        self._engine_port = engine_port
        self._secret = secret
        self._take = take
        self._verifier = Verifier(config.credentials())
        self._pipes: dict[str, Pipe] = {}
        self._company = Company()
        self.doorbell = Doorbell()
        self._visitors: dict[Visitor, asyncio.Task[None]] = {}  # in the order in which they came
        self._ended: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []
        self.disabled: frozenset[str] = frozenset()
        self.change(config, context)

    def change(self, config: Config, context: ssl.SSLContext | None) -> None:
        """Have another configuration from now on. Who is logged on stays so, within the new limits."""
        self._edge = config.edge
        self._context = context
        self._settings = config.fix_settings
        self._rows = {row.comp_id: row for row in config.session}
        self._visitors_max = _most_visitors(self._edge.before_logon_max, len(self._rows))
        self._verifier.update(config.credentials())
        self._limits = Limits(
            self._edge.message_bytes_max,
            self._edge.messages_per_second,
            self._edge.bytes_per_second,
            self._edge.backlog_bytes_max,
        )
        for pipe in self._pipes.values():
            pipe.change(self._limits)

    def listen(self, listeners: Sequence[socket.socket]) -> None:
        """Take connections from now on; the sockets listen and do not block."""
        self._accepting = [asyncio.ensure_future(self._accept(listener)) for listener in listeners]

    async def close(self, seconds: float) -> None:
        """Take no new connections, and wait for the others to end, `seconds` at most."""
        for task in self._accepting:
            task.cancel()
        for visitor in list(self._visitors):
            self._end(visitor)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for pipe in self._pipes.values():
            pipe.cut_off()
        self._verifier.close()

    def sessions(self) -> tuple[EdgeSession, ...]:
        """Who is logged on (any number), as `fixgw status` shows it."""
        return tuple(pipe.status() for pipe in self._pipes.values())

    def say_ended(self) -> None:
        """Log how many connections had to make room since the last call, and of which address most."""
        if self._ended:
            address, count = self._ended.most_common(1)[0]
            log.warning("too many before Logon", ended=self._ended.total(), most_of=address, count=count)
            self._ended.clear()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, address = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in FULL:
                    count = len(self._visitors) + len(self._pipes)
                    log.warning("cannot accept", why=error.strerror, connections=count)
                    if self._visitors:
                        self._end(to_end(self._visitors))
                    await asyncio.sleep(FULL_SECONDS)
                continue
            self._make_room(address[0])
            visitor = Visitor(peer, address[0], self._edge.message_bytes_max)
            task = asyncio.ensure_future(self._welcome(visitor))
            self._visitors[visitor] = task
            self._tasks.add(task)
            task.add_done_callback(partial(self._forget, visitor))

    def _forget(self, visitor: Visitor, task: asyncio.Task[None]) -> None:
        self._visitors.pop(visitor, None)
        self._tasks.discard(task)

    def _make_room(self, address: str) -> None:
        """End one that has not logged on, if there are too many: of this address, or in all."""
        same = [visitor for visitor in self._visitors if visitor.address == address]
        if len(same) >= self._edge.before_logon_per_address_max:
            self._end(to_end(same))
        elif self._visitors and (
            len(self._visitors) >= self._visitors_max
            or len(self._visitors) + len(self._pipes) >= self._edge.connections_max
        ):
            self._end(to_end(self._visitors))

    def _end(self, visitor: Visitor) -> None:
        self._ended[visitor.address] += 1
        self._visitors.pop(visitor).cancel()
        visitor.abort()

    async def _welcome(self, visitor: Visitor) -> None:
        """Everything that happens to a connection until it is let in or refused."""
        try:
            _keep_alive(visitor.peer)
            async with asyncio.timeout(self._edge.logon_seconds):
                await visitor.connect(self._context, self._edge.logon_seconds)
                frame = await visitor.first_frame
        except TimeoutError:
            log.info("refused", address=visitor.address, why=f"no Logon within {self._edge.logon_seconds} s")
            visitor.abort()
            return
        except OSError as error:  # of which ssl.SSLError is one
            log.info("refused", address=visitor.address, why=str(error) or type(error).__name__)
            visitor.abort()
            return
        visitor.stage = Stage.CHECKED
        began = asyncio.get_running_loop().time()
        claim = logon.read(frame, self._settings)
        refused = claim if isinstance(claim, Refused) else await self._look(claim, frame, visitor)
        if refused is not None:
            session = "" if isinstance(claim, Refused) else claim.session
            log.warning("refused", session=session, address=visitor.address, why=refused.why)
            visitor.stage = Stage.REFUSED
            self._count_again(visitor)
            await self._verifier.let_wait(began, visitor.address)
            visitor.say_last(logon.logout(frame, refused.told))
            await asyncio.sleep(LINGER_SECONDS)
            visitor.abort()

    def _count_again(self, visitor: Visitor) -> None:
        """Have a visitor that was known, and is refused all the same, make room like any other."""
        task = asyncio.current_task()
        if visitor not in self._visitors and task is not None:
            self._make_room(visitor.address)
            self._visitors[visitor] = task

    async def _look(self, claim: Claim, frame: bytes, visitor: Visitor) -> Refused | None:
        """Let the client in, or say why not: first who he is, then whether he may."""
        row, names = self._rows[claim.session], visitor.certificate_names
        refused = logon.outsider(row, address=visitor.address, certificate_names=names)
        refused = refused or await self._verifier.check(claim, visitor.address)
        if refused is not None:
            return refused
        self._visitors.pop(visitor, None)  # he is known, and makes room for nobody
        if claim.session in self.disabled:
            return Refused(DISABLED, DISABLED)
        now = datetime.now(UTC)
        return (
            logon.problem(claim, row, address=visitor.address, certificate_names=names, now=now)
            or await self._wait_for_last(claim.session)
            or await self._enter(claim, frame, visitor)
        )

    async def _wait_for_last(self, session: str) -> Refused | None:
        """Wait until the engine has let go of this session's last connection; None when it is free.

        A connection that is alive keeps its session. One from which nothing was heard for longer than its
        heartbeats allow is half-open: it is ended, or its owner would be locked out.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ENGINE_SECONDS
        while (last := self._pipes.get(session)) is not None:
            if not last.is_closing:
                if loop.time() - last.heard_at <= last.heartbeat + SILENT_SECONDS:
                    return Refused(f"{TWICE}, from {last.address}", TWICE)
                log.warning("half-open", session=session, address=last.address)
                last.cut_off()
            try:
                async with asyncio.timeout_at(deadline):
                    await last.closed.wait()
            except TimeoutError:
                return Refused("the engine has not let go of its last connection", LATER)
            if self._pipes.get(session) is last:
                del self._pipes[session]
        return None

    async def _enter(self, claim: Claim, frame: bytes, visitor: Visitor) -> Refused | None:
        """Connect the client with the engine, and stay until both ended; so long its session is taken.

        An engine that is just going down may take a connection and answer nothing: that is tried again.
        """
        for _ in range(TRIES_MAX):
            pipe = await self._go_through(claim, frame, visitor)
            if pipe.is_answered or visitor.is_gone:
                return None
            await asyncio.sleep(AGAIN_SECONDS)
        return Refused("the engine does not answer", LATER)

    async def _go_through(self, claim: Claim, frame: bytes, visitor: Visitor) -> Pipe:
        """Connect the client with the engine once."""
        names = ", ".join(sorted(visitor.certificate_names or ()))
        log_on_again = partial(self._log_on_again, claim.session, visitor)
        pipe = Pipe(
            claim.session,
            visitor.address,
            names,
            claim.heartbeat,
            self._limits,
            self._take,
            log_on_again,
            self._company,
            self.doorbell,
        )
        self._pipes[claim.session] = pipe
        try:
            if await self._reach_engine(pipe, visitor):
                log.info("connected", session=pipe.session, address=pipe.address, certificate=names)
                pipe.begin(visitor.give_up(), frame, logon.forwarded(frame, self._secret), visitor.rest)
                await pipe.until_closed(ANSWER_SECONDS)
                counts = {"received": pipe.messages_in, "sent": pipe.messages_out}
                log.info("disconnected", session=pipe.session, **counts)
        finally:
            pipe.closed.set()
            if self._pipes.get(pipe.session) is pipe:
                del self._pipes[pipe.session]
        return pipe

    def _log_on_again(self, session: str, visitor: Visitor, frame: bytes) -> bytes:
        """What goes on in place of a Logon on a connection that is logged on; empty if that must not be."""
        claim = logon.read(frame, self._settings)
        refused: Refused | None
        if isinstance(claim, Refused):
            refused = claim
        elif claim.session != session or not self._verifier.is_known(claim):
            refused = Refused("not the credentials of this session")
        else:
            refused = logon.problem(
                claim,
                self._rows[session],
                address=visitor.address,
                certificate_names=visitor.certificate_names,
                now=datetime.now(UTC),
            )
        if refused is None:
            return logon.forwarded(frame, self._secret)
        log.warning("cut off", session=session, address=visitor.address, why=refused.why)
        return b""

    async def _reach_engine(self, pipe: Pipe, visitor: Visitor) -> bool:
        """Connect with the engine, which may be just starting again."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ENGINE_SECONDS
        while loop.time() < deadline and not visitor.is_gone:
            with suppress(OSError):
                await loop.create_connection(lambda: EngineSide(pipe), "127.0.0.1", self._engine_port)
                return True
            await asyncio.sleep(ENGINE_POLL_SECONDS)
        return False


def _most_visitors(configured: int, sessions: int) -> int:
    """How many may be before their Logon: as configured, and as leaves descriptors for every session."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return configured
    return max(1, min(configured, descriptors - RESERVED - SESSION_DESCRIPTORS * sessions))


def _keep_alive(peer: socket.socket) -> None:
    """Have the kernel notice a peer that is gone without a word."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):  # not on every system
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
