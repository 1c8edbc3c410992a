"""Asks an OpenAlgo server, and reads its order book as long as anything is open: it says nothing itself."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from random import uniform
from typing import Any, NoReturn

import httpx
import structlog

from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.client_ids import PREFIX, name_of
from fixgw.edge.venues.contract import (
    Reach,
    Tell,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.openalgo import replies
from fixgw.edge.venues.openalgo.ledger import Ledger
from fixgw.edge.venues.openalgo.orders import Names
from fixgw.edge.venues.place import Place

log = structlog.get_logger("fixgw.venues")

BACK_SECONDS = 0.2  # before the first attempt to come back; then twice as long each time
BACK_SECONDS_MAX = 30.0
IDLE_SECONDS_MAX = 4.0  # a connection is not used again after so long: servers close them after 5
READ_SHARE = 2  # order books are read at most every so many slots of requests_per_second
REST_SHARE = 2  # times as long as one took none is read while cancels go out: it must not take their time
CALM_SECONDS = 0.25  # after the last cancel: no other one goes out
CALM_STEP = 0.05  # seconds between two looks whether that is so
STRATEGY = f"{PREFIX}gateway"  # of calls that are about no order of ours alone

_ERRORS = (VenueAwayError, VenueBusyError, VenueRefusedError, UnknownOutcomeError, VenueMistakenError)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class OpenAlgo:
    """An OpenAlgo server; see fixgw.edge.venues.contract.Adapter. `transport` stands in for the network."""

    def __init__(self, place: Place, tell: Tell, transport: httpx.AsyncBaseTransport | None = None) -> None:
        settings = place.settings
        self._settings = settings
        self._oms_id = place.oms_id
        self._api_key = place.api_key
        self._tell = tell
        self._names = Names(place)
        self._ledger = Ledger(self._names)
        self._http = httpx.AsyncClient(
            base_url=settings.url.rstrip("/") + "/api/v1/",
            timeout=settings.request_seconds,
            verify=ssl.create_default_context(),
            trust_env=False,
            transport=transport,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=IDLE_SECONDS_MAX),
        )
        self._reading = asyncio.Lock()
        self._read_began = -1.0
        self._read_seconds = 0.0  # how long the last one took
        self._canceled_at = -CALM_SECONDS  # when the last cancel was answered
        self._wake = asyncio.Event()
        self._sent: dict[int, asyncio.Event] = {}
        self._mistake = ""
        self._why_away = "the venue was not asked yet"
        self._has_native = True
        self._has_told_of_strangers = False

    def __repr__(self) -> str:
        return f"OpenAlgo({self._settings.name})"

    @property
    def is_up(self) -> bool:
        """Whether the last order book was read."""
        return not self._why_away

    @property
    def why_away(self) -> str:
        """Why it was not."""
        return self._why_away

    @property
    def finds_together(self) -> bool:
        """Whether one look is enough for all: it is, at the order book."""
        return True

    def know(self, order: Order) -> None:
        """From now on say what happens to this order under its order_id."""
        self._ledger.know(order)
        self._wake.set()

    def forget(self, order: Order) -> None:
        """It has ended."""
        self._ledger.forget(order)

    # reading the order book

    async def run(self) -> None:
        """Read the order book again and again, and come back with growing pauses."""
        back = BACK_SECONDS
        try:
            while not self._mistake:
                try:
                    await self._read()
                except VenueBusyError as busy:
                    pause = busy.seconds
                except VenueMistakenError:
                    continue
                except (VenueAwayError, VenueRefusedError, UnknownOutcomeError) as error:
                    self._is_away(str(error))
                    pause = uniform(back / 2, back)  # noqa: S311, chance is all that is wanted
                    back = min(back * 2, BACK_SECONDS_MAX)
                    await asyncio.sleep(pause)
                    continue
                else:
                    back, pause = BACK_SECONDS, self._pause
                await self._rest(pause)
            await asyncio.Event().wait()
        finally:
            await self._http.aclose()

    @property
    def _pause(self) -> float:
        """Until the next order book is read, in seconds."""
        if self._ledger.has_open:
            return max(self._settings.confirm_seconds / 2, self._least)
        return float(self._settings.poll_seconds)

    @property
    def _least(self) -> float:
        """Between two order books at least, in seconds."""
        return READ_SHARE / self._settings.requests_per_second

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until there is a reason to look before."""
        await asyncio.sleep(min(self._least, seconds))
        clock = asyncio.get_running_loop().time
        until = clock() + REST_SHARE * self._read_seconds
        while clock() < min(until, self._canceled_at + CALM_SECONDS):
            await asyncio.sleep(CALM_STEP)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds - self._least, 0)):
                await self._wake.wait()

    async def _read(self) -> None:
        """Have an order book whose reading began after this was called, and tell what is new in it."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._reading:
            if self._read_began >= asked:  # somebody else's, begun in the meantime
                return
            self._wake.clear()
            began = clock()
            said = await self._ask("orderbook")
            if self._settings.mode == "analyze" and "mode" not in said:
                self._is_mistaken("the venue does not say that it is in mode analyze, which is configured")
            rows, unreadable = replies.read_book(said)
            news = self._ledger.take(rows, unreadable)
            self._read_began, self._read_seconds = began, clock() - began
        self._is_back()
        for order in news:
            self._tell(order)
        for reject in self._ledger.rejects(began - self._settings.confirm_seconds):
            self._tell(reject)
        if (unreadable or self._ledger.strangers) and not self._has_told_of_strangers:
            self._has_told_of_strangers = True
            log.warning(
                "venue has orders that are not ours",
                venue=self._settings.name,
                open=self._ledger.strangers,
                unreadable=unreadable,
            )

    def _is_back(self) -> None:
        if self._why_away:
            self._why_away = ""
            self._has_native = True
            log.info("venue is up", venue=self._settings.name)

    def _is_away(self, why: str) -> None:
        if not self._why_away:
            log.warning("venue is away", venue=self._settings.name, why=why)
        self._why_away = why
        self._wake.set()

    def _is_mistaken(self, why: str) -> NoReturn:
        self._mistake = self._why_away = why
        self._wake.set()
        raise VenueMistakenError(why)

    # asking

    async def _ask(self, call: str, **fields: str) -> dict[str, Any]:
        """Ask, and read the reply. Raises what the contract has."""
        if self._mistake:
            raise VenueMistakenError(self._mistake)
        try:
            async with asyncio.timeout(2 * self._settings.request_seconds):
                reply = await self._http.post(call, json={"apikey": self._api_key, **fields})
        except _NOT_SENT as error:
            why = f"no connection to the venue: {_why(error)}"
            self._is_away(why)
            raise VenueAwayError(why) from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise UnknownOutcomeError(f"the venue did not answer: {_why(error)}") from None
        try:
            after = reply.headers.get("retry-after")
            return replies.read(reply.status_code, reply.content, after, self._settings.mode)
        except VenueMistakenError as error:
            self._is_mistaken(self._hidden(str(error)))
        except (VenueRefusedError, UnknownOutcomeError) as error:
            raise type(error)(self._hidden(str(error))) from None

    def _hidden(self, text: str) -> str:
        """A text of the venue without the key."""
        return text.replace(self._api_key, "(key)")

    def reach(self, selector: CancelSelector) -> Reach:
        """NATIVE for everything of the account, as long as nothing else is there; FAN_OUT for the rest."""
        whole = (
            selector.account_id in (None, self._names.account_id)
            and selector.user_id is None
            and selector.instrument_ids is None
            and selector.side is None
            and selector.strategy is None
        )
        return Reach.NATIVE if whole and self._has_native and self._ledger.is_ours_alone else Reach.FAN_OUT

    async def place(self, order: Order) -> VenueOrder:
        """Enter `order`, once, and look at it once: brokers take orders that they reject a moment later."""
        if not self.is_up and not self._mistake:
            raise VenueAwayError(self._why_away)
        self._ledger.know(order)
        self._ledger.begin(order)
        sent = self._sent[order.order_id] = asyncio.Event()
        try:
            said = await self._ask("placeorder", **self._names.to_place(order))
            venue_order_id = replies.read_order_id(said)
            self._ledger.entered(order, venue_order_id)
        finally:
            self._ledger.end(order)
            del self._sent[order.order_id]
            sent.set()
            self._wake.set()
        stands = None
        with suppress(*_ERRORS):
            stands = await self._status(order, venue_order_id)
        return stands or VenueOrder(self._oms_id, order.order_id, venue_order_id, VenueStatus.OPEN)

    async def cancel(self, order: Order) -> None:
        """Ask for the cancel of one order; whether it is canceled is seen in the order book."""
        venue_order_id = await self._id_of(order)
        try:
            await self._ask("cancelorder", strategy=name_of(order), orderid=venue_order_id)
        except VenueRefusedError as error:
            why, reason = str(error), self._ledger.reason(order)
            if reason and reason not in why:
                why = f"{why}; to its cancel of all orders the venue said: {reason}"
            raise VenueRefusedError(why) from None
        finally:
            self._canceled_at = asyncio.get_running_loop().time()
            self._wake.set()
        self._ledger.cancel_taken(order, asyncio.get_running_loop().time())

    async def _id_of(self, order: Order) -> str:
        """Its id on the venue, looked for a while where it is not known. Raises UnknownOutcomeError."""
        if (sent := self._sent.get(order.order_id)) is not None:
            await sent.wait()
        for pause in (0.0, self._settings.confirm_seconds / 2):
            if not self._ledger.id_of(order):
                await asyncio.sleep(pause)
                await self._read()
        venue_order_id = self._ledger.id_of(order)
        if not venue_order_id:
            raise UnknownOutcomeError("the venue does not show this order, so that it cannot be canceled yet")
        return venue_order_id

    async def cancel_all(self, _: CancelSelector) -> None:
        """Have the venue cancel everything of the key; what it says of it is kept as reasons, no more."""
        shows_open = self._ledger.shows_open
        try:
            said = await self._ask("cancelallorder", strategy=STRATEGY)
        finally:
            self._wake.set()
        failures = replies.read_failures(said)
        self._ledger.failed({order_id: self._hidden(why) for order_id, why in failures.items()})
        if shows_open and not failures and not replies.read_canceled(said):
            self._has_native = False
            log.warning("venue's cancel of all reaches nothing", venue=self._settings.name)

    async def open_orders(self, _: CancelSelector | None) -> Sequence[VenueOrder]:
        """All open orders of the key in instruments of ours."""
        await self._read()
        return self._ledger.open_orders()

    async def find(self, order: Order) -> VenueOrder | None:
        """How `order` stands: in the order book, and under its id where that lacks it."""
        await self._read()
        venue_order_id = self._ledger.id_of(order)
        said = self._ledger.find(order)
        return await self._status(order, venue_order_id) if said is None and venue_order_id else said

    async def _status(self, order: Order, venue_order_id: str) -> VenueOrder | None:
        """One order by its id there; None: there is no such order."""
        try:
            said = await self._ask("orderstatus", strategy=name_of(order), orderid=venue_order_id)
        except replies.NoSuchOrderError:
            return None
        return self._names.stands(replies.read_order(said), order.order_id)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
