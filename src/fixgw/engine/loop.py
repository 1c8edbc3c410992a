"""The engine's loop: poll QuickFIX, take from the link, process, idle; start and stop."""

import gc
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

import structlog

from fixgw.core.errors import Refusal
from fixgw.engine.answers import Tell
from fixgw.engine.clock import Clock
from fixgw.engine.desk import Desk
from fixgw.engine.overview import Overview
from fixgw.engine.turn import Answered, Ask, Command, Ring, Status, WatchOrders
from fixgw.engine.venue_asks import ServeVenues, VenueHealth, VenueSaid
from fixgw.fix.acceptor import Acceptor
from fixgw.fix.application import die
from fixgw.link import (
    ASKED_PER_TURN,
    Answer,
    EdgeReply,
    LinkServer,
    Question,
    Reply,
    StatusReply,
    Told,
)

log = structlog.get_logger("fixgw.engine")

SPIN_SECONDS = 0.002  # after the last work: a client that answers at once finds the loop awake
LOGOUT_SECONDS = (
    5.0  # how long a clean stop waits for the Logouts; what is not sent by then waits in the journal
)
KEEP_TIME_SECONDS = 0.5  # how often heartbeats and the supervisor are looked after, however busy the loop is
COLLECT_SECONDS = 1.0  # how often an idle loop collects what exceptions and the like left behind
ASKED_BESIDE_FIX = 2  # of one connection of the link at least, in a turn whose end a FIX client waits for
ASKED_NEAR_FIX = 10  # in a turn that a FIX client may have to wait for, because one was heard just before
PARK_SECONDS = 0.01  # the longest that an idle loop keeps a message of FIX waiting for which nobody rings
YIELDED_SECONDS = 0.00005  # a yield that took longer gave the core to somebody
CROWDED_SECONDS = 0.05  # so long after one there is no core to wait on: then the link is slept for
WAIT_SECONDS = 0.001  # the longest that a message of FIX waits meanwhile


class Loop:
    """Drives the acceptor, the link and the desk from one thread until it is told to stop.

    `is_orphan` says whether the process that started this one is gone: then it ends at once. `between_turns`
    is called before each turn, when nothing that came in is waiting for it.
    """

    def __init__(
        self,
        desk: Desk,
        acceptor: Acceptor,
        link: LinkServer,
        clock: Clock,
        overview: Overview,
        is_orphan: Callable[[], bool] = lambda: False,
        between_turns: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk = desk
        self._acceptor = acceptor
        self._link = link
        self._clock = clock
        self._overview = overview
        self._is_orphan = is_orphan
        self._between_turns = between_turns
        desk.answers.handed_out = link.ask_venues
        self._stopping = False
        self._keep_time_at = 0.0
        self._fix_until = self._crowded_until = 0.0

    def stop_on_signals(self) -> None:
        """Stop cleanly on SIGINT and SIGTERM. To be called after importing quickfix, which resets SIGINT."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        log.info("stopping", signal=signal.Signals(number).name)

    def run(self, flush: Callable[[], None]) -> None:
        """Until told to stop. `flush` is called when there is nothing to do. Raises what a turn raises."""
        awake_until = collect_at = 0.0
        is_roused = False
        gc.freeze()  # what a start has loaded stays
        gc.disable()  # orders and events hold no cycles; a collection in the middle of work would stall it
        while not self._stopping:
            if self.turn():
                awake_until = time.monotonic() + SPIN_SECONDS
                is_roused = False
            elif (now := time.monotonic()) > awake_until:
                flush()
                if now > collect_at:
                    gc.collect(1)
                    collect_at = now + COLLECT_SECONDS
                if is_roused:  # by somebody who sends, and does not read his answers
                    time.sleep(WAIT_SECONDS)
                is_roused = self._link.wait(PARK_SECONDS)
            elif now < self._crowded_until and now > self._fix_until:
                self._link.wait(WAIT_SECONDS)
            else:
                os.sched_yield()  # to the processes whose work is waited for, if there is no core for each
                if time.monotonic() - now > YIELDED_SECONDS:
                    self._crowded_until = now + CROWDED_SECONDS
        self._desk.alarm.is_stopping = True
        self._acceptor.log_out_all()
        deadline = time.monotonic() + LOGOUT_SECONDS
        while (self._acceptor.is_logged_on or self._desk.has_work) and time.monotonic() < deadline:
            self.turn()
        self._acceptor.close()
        self._desk.close(self._acceptor)

    def turn(self) -> bool:
        """One turn of the loop; whether there was anything to do."""
        self._between_turns()
        arrivals = self._acceptor.poll()
        is_second = (second := time.monotonic()) > self._keep_time_at
        if arrivals:
            self._fix_until = second + SPIN_SECONDS
        if is_second:
            self._acceptor.keep_time()
            self._keep_time_at = second + KEEP_TIME_SECONDS
            if self._is_orphan():
                die("the supervisor is gone")
        commands: list[Command] = []
        asked: list[tuple[Ask, Tell]] = []
        heard: list[tuple[VenueSaid, Tell]] = []
        questions: list[tuple[Question, Callable[[Told], None]]] = []
        is_near_fix = second < self._fix_until
        taken = self._link.take(_asked_max(len(arrivals), is_near_fix=is_near_fix))
        for said, answer in taken:
            if isinstance(said, Ask):
                asked.append((said, answer))
            elif isinstance(said, Ring):
                pass  # what it rings for has come by now, or comes in the next turn
            elif isinstance(said, WatchOrders):
                self._desk.answers.watch(answer, said.accounts)
                answer(Answered(said.number))
            elif isinstance(said, VenueSaid):
                heard.append((said, answer))
            elif isinstance(said, ServeVenues):
                self._desk.serve_venues(answer, said.oms_ids)
                answer(Answered(said.number))
            elif isinstance(said, VenueHealth):
                self._desk.venues.health(said, self._clock.now())
                answer(Answered(said.number))
            elif isinstance(said, Question):
                questions.append((said, answer))
            else:
                commands.append(Command(said, _answerer(answer)))
        now = self._clock.now()
        is_due = bool(arrivals or asked or heard or commands or self._desk.has_work or self._desk.is_due(now))
        if is_due:
            self._desk.turn(self._acceptor, arrivals, commands, now, asked, heard)
        for question, answer in questions:
            if isinstance(question, Status):
                answer(StatusReply(self._overview.status(now)))
            else:
                answer(EdgeReply(self._overview.take(question, now)))
        if is_second:
            self._desk.keep_numbers(self._acceptor)  # now that whatever QuickFIX has counted is decided
        has_more = self._link.flush(together=not arrivals)
        return is_due or has_more or self._acceptor.has_heard or bool(taken)


def _asked_max(arrivals: int, *, is_near_fix: bool) -> int:
    """How many requests of one connection of the link a turn takes beside so many of FIX: about as many."""
    if arrivals:
        return min(max(arrivals, ASKED_BESIDE_FIX), ASKED_PER_TURN)
    return ASKED_NEAR_FIX if is_near_fix else ASKED_PER_TURN


def _answerer(reply: Callable[[Answer], None]) -> Callable[[Refusal | None], None]:
    def answer(refusal: Refusal | None) -> None:
        reply(Reply() if refusal is None else Reply(refusal.code.value, refusal.text))

    return answer
