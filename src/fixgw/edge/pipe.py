"""A session's connection after its Logon: bytes from the client to the engine and back, within bounds.

What the client sends is cut into frames, because nothing else may reach QuickFIX, and goes on as it came.
What the engine sends goes on at once: QuickFIX would queue it without a bound, so here it is bounded, and a
client that does not read is cut off. It gets everything by resend at its return.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from msgspec import Struct

from fixgw.edge.doorbell import Doorbell
from fixgw.edge.frames import Cut, Framer, sending_time
from fixgw.edge.gap import Gap
from fixgw.edge.inspection import for_the_engine, has_special
from fixgw.edge.pace import Pace
from fixgw.edge.resend import Resends
from fixgw.edge.sides import ClientSide
from fixgw.edge.window import PATIENCE_SECONDS, Company, Window
from fixgw.engine.turn import EdgeSession

log = structlog.get_logger("fixgw.edge")

WRITE_HIGH = 262_144  # bytes waiting for the engine, or of a resend for the client: above, it waits too
CLOSE_SECONDS = 5.0  # how long a connection that is closed may take its last bytes
STREAM_MESSAGES = 16  # of the engine's since the client was heard: those after them are a stream
STREAM_SECONDS = 0.002  # between two readings of them at most: in a slower one nothing would come together
GATHER_SECONDS = 0.001  # for which messages of a stream are let come together, after each reading
ENGINE_LONGEST = 1_048_576  # bytes of a message of the engine's: r with 1,000 orders is about 60,000

Take = Callable[[str, bytes, bytes], None]
"""Gets a session's messages: its name, the direction (`in` or `out`), and whole messages in one piece."""


class Limits(Struct, frozen=True):
    """The bounds of one connection: bytes, and per second."""

    message_bytes_max: int
    messages_per_second: int
    bytes_per_second: int
    backlog_bytes_max: int


class Pipe:
    """Both connections of one logged-on session. `closed` is set when the engine has let go of the session.

    `take` gets every message. `log_on_again` gets a further Logon and says what goes on in its place, or
    nothing if the connection has to end. `company` and `doorbell` are shared by all pipes.

    `heard_at` is when the client was heard last (the loop's time), `heartbeat` its HeartBtInt(108), seconds.
    """

    def __init__(
        self,
        session: str,
        address: str,
        certificate: str,
        heartbeat: int,
        limits: Limits,
        take: Take,
        log_on_again: Callable[[bytes], bytes],
        company: Company,
        doorbell: Doorbell,
    ) -> None:
        self.session = session
        self.address = address
        self.certificate = certificate
        self.since = datetime.now(UTC)
        self.heartbeat = heartbeat
        self.closed = asyncio.Event()
        self.is_closing = self.is_answered = False
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = 0
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        self._take = take
        self._log_on_again = log_on_again
        self._limits = limits
        self._framer = Framer(limits.message_bytes_max)
        self._pace = Pace(limits.messages_per_second, limits.bytes_per_second, self.heard_at)
        self._resends = Resends(ENGINE_LONGEST, sending_time)
        self._gap = Gap()
        self._company = company
        self._doorbell = doorbell
        self._window = Window()
        self._patience: asyncio.TimerHandle | None = None
        self._client: asyncio.Transport | None = None
        self._engine: asyncio.Transport | None = None
        self._is_pausing = False  # between two pieces of a resend
        self._stops_reading: set[str] = set()  # why the client is not read now
        self._rest = b""
        self._unasked = 0  # messages of the engine's since the client was heard
        self._engine_heard_at = self.heard_at
        self._log = log.bind(session=session, address=address)

    # the client's side

    def begin(self, client: asyncio.Transport | None, logon: bytes, forwarded: bytes, rest: bytes) -> None:
        """Take over the client's connection, which is not being read, and send its Logon to the engine.

        `client` is None when it has ended meanwhile. `rest` came behind the Logon, and waits for its answer.
        """
        self._client = client
        if client is None or self._engine is None:
            self.cut_off()
            return
        client.set_protocol(ClientSide(self))
        client.set_write_buffer_limits(high=WRITE_HIGH)
        self._stops_reading.add("logon")
        self._rest = rest
        self.messages_in, self.bytes_in = 1, len(logon)
        self._take(self.session, b"in", logon)
        self._write(forwarded)

    def from_client(self, data: bytes) -> None:
        """Pass on what is whole of it."""
        self.heard_at = now = self._loop.time()
        if self._unasked > STREAM_MESSAGES and self._engine is not None:
            self._engine.resume_reading()
        self._unasked = 0
        garbled = self._framer.garbled
        cut = self._framer.feed(data)
        if self._framer.garbled != garbled:
            self._log.warning("garbled", bytes=self._framer.garbled - garbled)
        if cut.ends and self._engine is not None and not self._engine.is_closing():
            self.messages_in += len(cut.ends)
            self.bytes_in += len(cut.data)
            self._take(self.session, b"in", cut.data)
            self._company.heard(self.session, now)
            self._window.put(cut)
            self._pass_on()
        seconds = self._pace.spend(len(cut.ends), len(data), now)
        if seconds:
            self._stop_reading("pace")
            self._loop.call_later(seconds, self._read_on, "pace")

    def _pass_on(self) -> None:
        """Give the engine as much of what waits as it may have, and then the end of a client that is gone."""
        self._window.most = self._company.most(self.session, self._loop.time())
        while (cut := self._window.next()) is not None:
            self._to_engine(cut)
        if self._window.is_full:
            self._stop_reading("window")
        else:
            self._read_on("window")
        if not self._window.is_empty:
            if self._patience is None:
                self._patience = self._loop.call_later(
                    PATIENCE_SECONDS, self._lose_patience, self.messages_out
                )
        elif self.is_closing and self._engine is not None:
            self._engine.write_eof()
            self._doorbell.sent(self._loop.time())

    def _lose_patience(self, messages_out: int) -> None:
        """Expect no more answers if there was none in all that time."""
        self._patience = None
        if self.messages_out == messages_out:
            self._window.give_up()
        if not self._window.is_empty:
            self._pass_on()

    def _to_engine(self, cut: Cut) -> None:
        if self._engine is None or self._engine.is_closing():
            return
        data = cut.data
        if has_special(cut):
            now = self._loop.time()
            passed = for_the_engine(
                cut, lambda request: self._resends.asked(request, now), self._log_on_again, self._log
            )
            data = passed.data
            if passed.is_end:
                self._window.drop()
                self._loop.call_soon(self.cut_off)
        self._write(data)
        self._gap.sent(cut)
        if self._gap.kept > self._limits.backlog_bytes_max:
            self._log.warning("cut off: too much behind a gap", kept_bytes=self._gap.kept)
            self._window.drop()
            self.cut_off()

    def client_lost(self) -> None:
        """The client is gone: have QuickFIX see it, after everything that the client has sent."""
        self._client = None
        self._close_engine()

    def client_drained(self) -> None:
        """The client has read nearly everything."""
        self._next_piece()

    # the engine's side

    def engine_made(self, engine: asyncio.Transport) -> None:
        """The engine is connected."""
        self._engine = engine
        engine.set_write_buffer_limits(high=WRITE_HIGH)

    def from_engine(self, data: bytes) -> None:
        """Pass it on, and cut the client off if it does not read.

        The reports of a mass cancel come one by one, and to read and write each by itself costs ten times as
        much as all else. So they are let come together, where no answer is waited for.
        """
        now = self._loop.time()
        cut = self._resends.went_out(data, now)
        self._unasked += len(cut.ends)
        is_stream = self._unasked > STREAM_MESSAGES and now - self._engine_heard_at < STREAM_SECONDS
        self._engine_heard_at = now
        self._deliver(cut)
        if is_stream and self._window.is_answered and self._engine is not None:
            self._engine.pause_reading()
            self._loop.call_later(GATHER_SECONDS, self._engine.resume_reading)

    def _deliver(self, cut: Cut) -> None:
        if cut.ends:
            self.messages_out += len(cut.ends)
            self.bytes_out += len(cut.data)
            self._window.answered(len(cut.ends))
            if not self._window.is_empty:
                self._pass_on()
            self._take(self.session, b"out", cut.data)
            if b"\x0135=2\x01" in cut.data:
                self._gap.asked(cut)
        client = self._client
        if client is None or client.is_closing():
            return
        if cut.ends:
            client.write(cut.data)
            if not self.is_answered:
                self._answered()
        backlog = client.get_write_buffer_size()
        if backlog > self._limits.backlog_bytes_max:
            self._log.warning("cut off: it does not read", backlog_bytes=backlog)
            self.cut_off()
        elif self._resends.is_waiting and backlog <= WRITE_HIGH:
            self._next_piece()

    def _answered(self) -> None:
        """The engine has answered the Logon: what came behind it may follow now."""
        self.is_answered = True
        if self._rest:
            self.from_client(self._rest)
        self._read_on("logon")

    def engine_lost(self) -> None:
        """The engine has let go of the session, or has ended. A Logon that it did not answer is not lost."""
        self._deliver(self._resends.release())
        self._engine = None
        self.is_closing = True
        self.closed.set()
        if self._client is not None and self.is_answered:
            self._client.close()
            self._loop.call_later(CLOSE_SECONDS, self._abort_client)

    def engine_full(self, *, is_full: bool) -> None:
        """The engine does not take what waits for it, or does again."""
        if is_full:
            self._stop_reading("engine")
        else:
            self._read_on("engine")

    # both

    async def until_closed(self, answer_seconds: float) -> None:
        """Until both have ended; at once if the engine does not answer the Logon within so many seconds."""
        impatience = self._loop.call_later(answer_seconds, self._expect_answer)
        await self.closed.wait()
        impatience.cancel()

    def _expect_answer(self) -> None:
        if not self.is_answered:
            self._log.warning("cut off: the engine does not answer its Logon")
            self.cut_off()

    def status(self) -> EdgeSession:
        """What `fixgw status` says of it."""
        backlog = 0 if self._client is None else self._client.get_write_buffer_size()
        return EdgeSession(
            self.session,
            self.address,
            self.certificate,
            self.since,
            self.messages_in,
            self.messages_out,
            self.bytes_in,
            self.bytes_out,
            backlog,
        )

    def change(self, limits: Limits) -> None:
        """Have other limits from now on."""
        self._limits = limits
        self._framer.longest = limits.message_bytes_max
        self._pace.change(limits.messages_per_second, limits.bytes_per_second)

    def cut_off(self) -> None:
        """End both connections; what the client sent so far still reaches the engine, and at once."""
        while (cut := self._window.rest()) is not None:
            self._to_engine(cut)
        self._close_engine()
        self._abort_client()

    def _close_engine(self) -> None:
        self.is_closing = True
        if self._engine is None:
            self.closed.set()
        else:
            self._pass_on()

    def _abort_client(self) -> None:
        if self._client is not None:
            self._client.abort()

    def _next_piece(self) -> None:
        """Ask for the next piece when the last has come, after a pause."""
        seconds = None if self._is_pausing else self._resends.pause(self._loop.time())
        if seconds is not None:
            self._is_pausing = True
            self._loop.call_later(seconds, self._ask_on)

    def _ask_on(self) -> None:
        self._is_pausing = False
        if self._client is None or self._client.get_write_buffer_size() > WRITE_HIGH:
            return  # `client_drained` comes back to it
        piece = self._resends.next(self._loop.time())
        if piece and not self.is_closing:
            self._write(piece)

    def _write(self, data: bytes) -> None:
        if self._engine is not None:
            self._engine.write(data)
            self._doorbell.sent(self._loop.time())

    def _stop_reading(self, why: str) -> None:
        if not self._stops_reading and self._client is not None and not self._client.is_closing():
            self._client.pause_reading()
        self._stops_reading.add(why)

    def _read_on(self, why: str) -> None:
        if why not in self._stops_reading:
            return
        self._stops_reading.discard(why)
        if not self._stops_reading and self._client is not None and not self._client.is_closing():
            self._client.resume_reading()
