"""The venues' process: `python -m fixgw.edge.venues`, which only the supervisor starts, where there are any.

It says `ready` when it has begun, and `beat` each second: so the supervisor knows that it does not hang.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from fixgw import supervised
from fixgw.config import Config, ConfigError, load
from fixgw.core.directory import EMBEDDED
from fixgw.core.requests import VenueRequest
from fixgw.edge.engine_link import EngineAwayError, EngineLink
from fixgw.edge.process import BEAT_SECONDS, failed, say
from fixgw.edge.venues.adapters import ADAPTERS, place_of
from fixgw.edge.venues.keeper import HEALTH_SECONDS, Keeper
from fixgw.edge.venues.words import Words
from fixgw.engine.turn import Answered
from fixgw.engine.venue_asks import CancelOrders, PlaceOrder, ReadScope, VenueAsk
from fixgw.exits import EXIT_CONFIG, EXIT_INVARIANT, EXIT_OK, EXIT_REFUSED
from fixgw.logs import configure
from fixgw.secret_text import SecretError

log = structlog.get_logger("fixgw.venues")

ANSWER_SECONDS = 10.0


class Venues:
    """The venues from their start to their end."""

    def __init__(self, config: Config, data: Path) -> None:
        self._link = EngineLink(data, ANSWER_SECONDS, self._came, self._asked)
        self._stopped = asyncio.Event()
        self._mistake: BaseException | None = None
        self._words = Words(self._send, self._awaited)
        self._keepers = dict(self._made(config))

    def _made(self, config: Config) -> list[tuple[int, Keeper]]:
        directory = config.directory()
        made = []
        for oms in config.oms:
            if oms.venue != EMBEDDED:
                place = place_of(config, directory, oms)
                make = partial(ADAPTERS[place.settings.kind], place)
                made.append((oms.id, Keeper(oms.id, place.settings, make, self._words.say)))
        return made

    async def run(self, flush: Callable[[], None]) -> None:
        """Until SIGTERM. `flush` writes the log lines."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        loop.add_reader(sys.stdin.fileno(), self._told)
        tasks = [asyncio.ensure_future(self._link.run()), asyncio.ensure_future(self._say_health())]
        tasks += [asyncio.ensure_future(keeper.run()) for keeper in self._keepers.values()]
        for task in tasks:
            task.add_done_callback(self._ended)
        gc.freeze()  # what a start has loaded stays: a thousand orders would have all of it looked through
        say("ready")
        while not self._stopped.is_set():
            say("beat")
            flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._stopped.wait()
        log.info("venues stop")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._mistake is not None:
            raise self._mistake

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nothing of this ends by itself: without it venues would not be kept, and nobody would know."""
        if not self._stopped.is_set() and not task.cancelled():
            self._mistake = task.exception()
            self._stopped.set()

    def _told(self) -> None:
        """The supervisor's end is ours."""
        if not os.read(sys.stdin.fileno(), 4_096):
            os._exit(EXIT_INVARIANT)

    def _came(self) -> None:
        """There is an engine: take the venues over."""
        _settle(self._link.serve(self._keepers))
        self._health()

    def _asked(self, ask: VenueAsk) -> None:
        match ask:
            case PlaceOrder(order=order):
                oms_id = order.oms_id
            case CancelOrders():
                oms_id = ask.oms_id
            case ReadScope():
                oms_id = ask.selector.oms_id
            case _:
                oms_id = ask.oms_id
        self._keepers[oms_id].ask(ask)

    def _send(self, words: Sequence[VenueRequest]) -> None:
        _settle(self._link.say(words), self._lost)

    def _awaited(self) -> int:
        """How many outcomes venues still owe."""
        return sum(keeper.awaited for keeper in self._keepers.values())

    def _lost(self) -> None:
        """A word was not taken: what is said of an order the next time is said, also when it is the same."""
        for keeper in self._keepers.values():
            keeper.say_again()

    async def _say_health(self) -> None:
        while True:
            self._health()
            await asyncio.sleep(HEALTH_SECONDS)

    def _health(self) -> None:
        for keeper in self._keepers.values():
            _settle(self._link.health(keeper.health))


def _settle(answer: "asyncio.Future[Answered]", lost: Callable[[], None] = lambda: None) -> None:
    """Log why words of venues could not be taken, and call `lost` when one was not."""

    def look(answered: "asyncio.Future[Answered]") -> None:
        if answered.cancelled():
            return
        error = answered.exception()
        refused = () if error is not None else answered.result().refused
        if error is not None or refused:
            lost()
        if error is not None and not isinstance(error, EngineAwayError):
            log.error("our mistake", why=str(error))
        for order_id, refusal in refused:
            log.info("venue not heard", order_id=order_id, why=refusal.text)

    answer.add_done_callback(look)


def main() -> int:
    """Run the venues; the exit code."""
    options = supervised.options("fixgw.edge.venues", ())
    try:
        supervised.begin()
        config = load(options.config, look_outside=False)  # the supervisor has done so
    except supervised.SupervisionError as error:
        return failed(str(error), EXIT_REFUSED)
    except ConfigError as error:
        return failed("\n".join(error.problems), EXIT_CONFIG)
    lines = configure(config.log.format, config.log.level)

    async def run() -> None:
        await Venues(config, options.data).run(partial(lines.flush))

    try:
        asyncio.run(run())
    except SecretError as error:
        return failed(str(error), EXIT_CONFIG)
    except Exception:
        log.exception("our mistake")
        return EXIT_INVARIANT
    finally:
        lines.flush()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
