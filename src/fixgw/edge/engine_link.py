"""The edge's end of the link: asks the engine for API clients, many at a time, and hears what happens."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic

import msgspec
import structlog
from msgspec.structs import replace

from fixgw.core.requests import ApiRequest, VenueRequest
from fixgw.engine.turn import Answered, Ask, Happened, WatchOrders
from fixgw.engine.venue_asks import ServeVenues, VenueAsk, VenueHealth, VenueSaid
from fixgw.link import LENGTH, SOCKET_NAME, Asked, decode_told, frame

log = structlog.get_logger("fixgw.edge")

TRY_SECONDS = 0.1  # between two attempts to connect: an engine that starts again is away for about a second
TRIES = 100  # in a row without success, and it is said
SWEEP_SECONDS = 0.25  # how late an answer that does not come is given up at most
SENT_TOGETHER = 4  # requests: with so many the engine begins while more are read
WAITING_MAX = 20_000  # requests without an answer; more are refused at once


class EngineAwayError(Exception):
    """The engine did not answer; the text says how. `was_sent`: the request may have been carried out."""

    def __init__(self, why: str, *, was_sent: bool) -> None:
        super().__init__(why)
        self.was_sent = was_sent


OnAnswer = Callable[[Answered | EngineAwayError], None]


class Watch:
    """Hears what happens to the orders of some accounts, until it is closed.

    `tell` gets it in the order in which it happened. When it is called, the answers to requests that came
    before are there (told, or `done`), and no others; whoever awaits one goes on a moment later.
    `lost` is called when something may have been missed; then nothing more comes.
    """

    def __init__(
        self, accounts: Iterable[int], tell: Callable[[Happened], None], lost: Callable[[], None]
    ) -> None:
        self.accounts = frozenset(accounts)
        self.tell = tell
        self.lost = lost


class _Connection(asyncio.Protocol):
    """One connection to the engine, from its beginning to its end."""

    def __init__(
        self, told: Callable[[Answered | Happened | VenueAsk], None], told_all: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended = self._loop.create_future()
        self._told = told
        self._told_all = told_all
        self._received = b""
        self._to_send: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has begun."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand on each whole frame, and say when all that have come are handed on."""
        try:
            self._hand_on(data)
        finally:
            self._told_all()

    def _hand_on(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        start, size = 0, len(data)
        while size - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, start)
            begin = start + LENGTH.size
            if size - begin < length:
                break
            start = begin + length
            try:
                told = decode_told(data[begin:start])
            except msgspec.MsgspecError:  # an engine of another release
                log.exception("the engine is not understood")
                self.close()
                return
            self._told(told)
        self._received = data[start:]

    def connection_lost(self, _: Exception | None) -> None:
        """It has ended."""
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(None)

    def send(self, said: Asked) -> None:
        """Send a request, together with others of this round of the event loop."""
        if not self._to_send:
            self._loop.call_soon(self._flush)
        self._to_send.append(frame(said))
        if len(self._to_send) == SENT_TOGETHER or isinstance(said, VenueSaid):  # that is many words already
            self._flush()

    def _flush(self) -> None:
        to_send, self._to_send = self._to_send, []
        if to_send and self._transport is not None:
            self._transport.writelines(to_send)

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()


class EngineLink:
    """Speaks to the engine that runs on the directory `data`; connects again whenever the link is lost.

    `answer_seconds` is how long an answer is waited for. `came` is called whenever there is an engine to ask,
    and `asked` with what an engine wants of the venues. All methods are for the thread of one event loop.
    """

    def __init__(
        self,
        data: Path,
        answer_seconds: float,
        came: Callable[[], None] = lambda: None,
        asked: Callable[[VenueAsk], None] = lambda _: None,
    ) -> None:
        self._came = came
        self._asked = asked
        self._path = data / SOCKET_NAME
        self._answer_seconds = answer_seconds
        self._connection: _Connection | None = None
        self._number = 0
        self._waiting: dict[int, tuple[OnAnswer, float]] = {}  # the oldest first
        self._watches: set[Watch] = set()
        self._watched: frozenset[int] = frozenset()
        self._is_telling = False
        self._then: list[Callable[[], None]] = []

    @property
    def is_up(self) -> bool:
        """Whether there is an engine to ask."""
        return self._connection is not None

    @property
    def waiting(self) -> int:
        """How many requests have no answer yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        sweeping = asyncio.ensure_future(self._sweep())
        failures = 0
        try:
            while True:
                try:
                    await self._connect()
                    failures = 0
                except OSError as error:
                    failures += 1
                    if failures == TRIES:
                        log.warning("engine does not hear the api", why=str(error))
                await asyncio.sleep(TRY_SECONDS)
        finally:
            sweeping.cancel()

    async def _connect(self) -> None:
        """Connect, and wait for the end of the connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(
            lambda: _Connection(self._told, self._told_all), str(self._path)
        )
        self._connection = connection
        self._came()
        try:
            await connection.ended
        finally:
            self._connection = None
            connection.close()
            self._lost()

    def _lost(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for answered, _ in waiting.values():
            answered(EngineAwayError("the engine went away; the outcome is not known", was_sent=True))
        watches, self._watches, self._watched = self._watches, set(), frozenset()
        for watch in watches:
            watch.lost()

    async def _sweep(self) -> None:
        """Give up what was not answered in time."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = monotonic()
            for number, (answered, deadline) in list(self._waiting.items()):
                if deadline > now:
                    break
                del self._waiting[number]
                seconds = f"{self._answer_seconds:g} s"
                why = f"the engine has not answered for {seconds}; the outcome is not known"
                answered(EngineAwayError(why, was_sent=True))

    def ask(self, door: str, request: ApiRequest) -> "asyncio.Future[Answered]":
        """Ask at once, and get the answer when it comes; requests are decided in the order of the calls.

        The future raises EngineAwayError. Raises UnicodeEncodeError at once for a text that is none.
        """
        return self._send(Ask(self._number + 1, door, request))

    def ask_for(self, door: str, request: ApiRequest, answered: OnAnswer) -> None:
        """Ask as `ask` does, and have `answered` called as soon as the answer is there; it raises nothing.

        It costs less than a future does. An engine that is away is told of before this returns.
        """
        self._say(Ask(self._number + 1, door, request), answered)

    def serve(self, oms_ids: Iterable[int]) -> "asyncio.Future[Answered]":
        """Take over the venues of these OMSes, for as long as this link lasts.

        The future raises EngineAwayError.
        """
        return self._send(ServeVenues(self._number + 1, frozenset(oms_ids)))

    def say(self, words: Sequence[VenueRequest]) -> "asyncio.Future[Answered]":
        """Say venues' words, WORDS_MAX at most; they are answered when they are committed.

        The future raises EngineAwayError.
        """
        return self._send(VenueSaid(self._number + 1, tuple(words)))

    def health(self, health: VenueHealth) -> "asyncio.Future[Answered]":
        """Say how a venue is. The future raises EngineAwayError."""
        return self._send(replace(health, number=self._number + 1))

    def _send(self, said: Asked) -> "asyncio.Future[Answered]":
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._say(said, partial(_settle, answer))
        return answer

    def _say(self, said: Asked, answered: OnAnswer) -> None:
        if self._connection is None:
            answered(EngineAwayError("the engine is away; nothing was sent to it", was_sent=False))
        elif len(self._waiting) >= WAITING_MAX:
            answered(EngineAwayError("too much waits for the engine already", was_sent=False))
        else:
            self._connection.send(said)
            self._number = said.number
            self._waiting[said.number] = answered, monotonic() + self._answer_seconds

    async def watch(
        self, accounts: Iterable[int], tell: Callable[[Happened], None], lost: Callable[[], None]
    ) -> Watch:
        """Hear of everything that happens to the orders of these accounts after the next request, or sooner.

        Raises EngineAwayError.
        """
        watch = Watch(accounts, tell, lost)
        self._watches.add(watch)
        try:
            if not watch.accounts <= self._watched:
                await self._say_watched()
            if watch not in self._watches:
                raise EngineAwayError("the engine went away", was_sent=False)
        except BaseException:
            self._watches.discard(watch)
            raise
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Hear nothing more for `watch`."""
        self._watches.discard(watch)
        if self._connection is not None:
            with suppress(EngineAwayError):
                self._say_watched().add_done_callback(lambda said: said.cancelled() or said.exception())

    def _say_watched(self) -> "asyncio.Future[Answered]":
        wanted = frozenset[int]().union(*(watch.accounts for watch in self._watches))
        answer = self._send(WatchOrders(self._number + 1, wanted))
        if self._connection is not None:
            self._watched = wanted
        return answer

    def soon(self, do: Callable[[], None]) -> None:
        """Call `do` when everything is told that the engine says now; if it says nothing, in the next round.

        That is a round of the event loop less for each answer.
        """
        if self._is_telling:
            self._then.append(do)
        else:
            asyncio.get_running_loop().call_soon(do)

    def _told_all(self) -> None:
        then, self._then, self._is_telling = self._then, [], False
        for do in then:
            try:
                do()
            except Exception:
                log.exception("our mistake")

    def _told(self, told: Answered | Happened | VenueAsk) -> None:
        self._is_telling = True
        if isinstance(told, Answered):
            answered, _ = self._waiting.pop(told.number, (None, 0.0))
            if answered is not None:
                answered(told)
        elif isinstance(told, Happened):
            for watch in list(self._watches):
                if told.order.account_id in watch.accounts:
                    try:
                        watch.tell(told)
                    except Exception:
                        log.exception("our mistake")
        else:
            self._asked(told)


def _settle(answer: "asyncio.Future[Answered]", told: Answered | EngineAwayError) -> None:
    """Have the answer there for whoever still awaits it."""
    if answer.done():
        return
    if isinstance(told, EngineAwayError):
        answer.set_exception(told)
    else:
        answer.set_result(told)
