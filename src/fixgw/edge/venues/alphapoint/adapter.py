"""The adapter of AlphaPoint: over a WebSocket, and over HTTP as long as there is none.

On the WebSocket the venue says by itself what happens to the orders of each account. Over HTTP it says
nothing: then the keeper sees it when it reads the open orders, as it does from time to time.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import structlog

from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.alphapoint import orders, replies, requests
from fixgw.edge.venues.alphapoint.names import Names
from fixgw.edge.venues.alphapoint.orders import NotOursError, Seen
from fixgw.edge.venues.alphapoint.replies import CodedRefusalError, Frame, UnreadableError
from fixgw.edge.venues.alphapoint.requests import Call
from fixgw.edge.venues.alphapoint.session import Session
from fixgw.edge.venues.client_ids import number_of
from fixgw.edge.venues.contract import (
    Reach,
    Tell,
    UnknownOutcomeError,
    VenueAwayError,
    VenueRefusedError,
)
from fixgw.edge.venues.place import Place

log = structlog.get_logger("fixgw.venues")

SAID_MAX = 1_000  # different things that are logged once

NATIVE = (frozenset({"account"}), frozenset({"account", "instrument"}))
"""What of a selector CancelAllOrders can say so that it reaches exactly that: the others are fanned out."""

_T = TypeVar("_T")


class AlphaPoint:
    """One venue that speaks AlphaPoint; see `fixgw.edge.venues.contract.Adapter`."""

    def __init__(self, place: Place, tell: Tell) -> None:
        self._name = place.settings.name
        self._tell = tell
        self._names = Names(place)
        self._session = Session(place, self._names, self._take)
        self._lists = asyncio.Semaphore(place.settings.requests_at_once)
        self._said: set[str] = set()

    @property
    def is_up(self) -> bool:
        """Whether it can be asked now."""
        return self._session.is_up

    @property
    def why_away(self) -> str:
        """Why it cannot; empty while it can."""
        return self._session.why_away

    @property
    def finds_together(self) -> bool:
        """Whether one look is enough for all: it is a request for each order."""
        return False

    async def run(self) -> None:
        """Keep connected until cancelled."""
        await self._session.run()

    # what the venue says by itself

    def know(self, order: Order) -> None:
        """From now on say what happens to this order under its order_id."""
        self._names.know(order)

    def forget(self, order: Order) -> None:
        """It has ended."""
        self._names.forget(order)

    def _take(self, frame: Frame) -> None:
        """Take a frame that answers nothing that is waited for. Raises nothing."""
        if frame.kind != replies.EVENT:
            if frame.kind == replies.ERROR:
                self._log_once(f"an error frame for {frame.function or 'nothing'}")
            return
        try:
            self._event(frame)
        except (UnreadableError, NotOursError) as error:
            self._log_once(f"{frame.function}: {error}")

    def _event(self, frame: Frame) -> None:
        """Raises UnreadableError and NotOursError."""
        match frame.function.lower():
            case "orderstateevent":
                keys = replies.keys_of(replies.loads(frame.payload))
                self._tell(orders.seen(keys, self._names).order)
            case "cancelorderrejectevent":
                reject = orders.cancel_reject(replies.keys_of(replies.loads(frame.payload)), self._names)
                if not replies.is_pending_already(reject.text):
                    self._tell(reject)
            case "cancelallordersrejectevent":
                log.warning("venue rejects a cancel-all", venue=self._name)

    def _log_once(self, what: str) -> None:
        if what not in self._said and len(self._said) < SAID_MAX:
            self._said.add(what)
            log.warning("venue's word left out", venue=self._name, what=what)

    # asking

    def reach(self, selector: CancelSelector) -> Reach:
        """How a mass cancel of this scope is carried out."""
        given = {
            name
            for name, value in (
                ("account", selector.account_id),
                ("user", selector.user_id),
                ("instrument", selector.instrument_ids),
                ("side", selector.side),
                ("strategy", selector.strategy),
            )
            if value is not None
        }
        is_one = selector.instrument_ids is None or len(selector.instrument_ids) == 1
        return Reach.NATIVE if is_one and given in NATIVE else Reach.FAN_OUT

    async def place(self, order: Order) -> VenueOrder:
        """Enter `order`, once; how it stands."""
        venue_order_id = await self._ask(requests.send_order(self._names, order), replies.accepted)
        self._names.order_id(venue_order_id, number_of(order), order.account_id)
        return VenueOrder(self._names.oms_id, order.order_id, venue_order_id, VenueStatus.OPEN)

    async def cancel(self, order: Order) -> VenueOrder | None:
        """Ask for the cancel of one order. The answer says that it was received; what comes of it is told."""
        venue_order_id = self._names.venue_order_id(order)
        try:
            await self._ask(requests.cancel_order(self._names, order, venue_order_id), replies.standard)
        except VenueRefusedError as error:
            if not replies.is_pending_already(error):
                raise
        return None

    async def cancel_all(self, selector: CancelSelector) -> None:
        """The venue's own cancel-all, for an account."""
        if self.reach(selector) is not Reach.NATIVE or selector.account_id is None:
            raise VenueRefusedError("CancelAllOrders cannot say that")
        account = self._names.accounts[selector.account_id]
        instrument = None
        if selector.instrument_ids is not None:
            (instrument_id,) = selector.instrument_ids
            instrument = self._names.instruments[instrument_id]
        await self._ask(requests.cancel_all_orders(self._names, account, instrument), replies.standard)

    async def open_orders(self, selector: CancelSelector | None) -> Sequence[VenueOrder]:
        """The open orders of the accounts that `selector` names."""
        accounts = self._names.accounts
        if selector is not None and selector.account_id is not None:
            wanted = [accounts[selector.account_id]]
        else:
            wanted = list(accounts.values())
        listed = await asyncio.gather(*map(self._open_orders_of, wanted))
        return [one.order for of_account in listed for one in of_account]

    async def _open_orders_of(self, account: int) -> list[Seen]:
        async with self._lists:
            try:
                return await self._ask(requests.get_open_orders(self._names, account), self._list)
            except CodedRefusalError as error:
                if error.code == replies.NOT_AUTHORIZED:
                    await self._session.log_in_anew()
                raise

    def _list(self, reply: object) -> list[Seen]:
        """The orders of a list that are ours to see. Raises UnreadableError."""
        if not isinstance(reply, list):
            raise UnreadableError("it is not a list")
        return list(self._seen(reply))

    def _seen(self, listed: list[object]) -> Iterator[Seen]:
        for one in listed:
            try:
                yield orders.seen(replies.keys_of(one), self._names)
            except (NotOursError, UnreadableError) as error:
                self._log_once(f"an order: {error}")

    async def find(self, order: Order) -> VenueOrder | None:
        """How `order` stands, by its id there or by its client id; None: the venue has no such order."""
        venue_order_id = self._names.venue_order_id(order)
        number = number_of(order)

        def read(reply: object) -> VenueOrder:
            try:
                found = orders.seen(replies.keys_of(reply), self._names)
            except NotOursError as error:
                raise UnreadableError(f"it is of {error}") from None
            if found.venue_order_id != venue_order_id and (venue_order_id or found.number != number):
                raise UnreadableError("it is another order")
            return found.order

        try:
            return await self._ask(requests.get_order_status(self._names, order, venue_order_id), read)
        except CodedRefusalError as error:
            if venue_order_id is None and error.code in (replies.INVALID_REQUEST, replies.NOT_SUPPORTED):
                found = await self._look_through(order, number)
                if found is None:
                    raise
                return found
            if error.code != replies.NOT_FOUND:
                raise
            return None if venue_order_id else await self._look_through(order, number)

    async def _look_through(self, order: Order, number: int) -> VenueOrder | None:
        """Look for an order by its ClientOrderId in the account's history: not every venue finds by that."""
        account = self._names.accounts[order.account_id]
        try:
            listed = await self._ask(requests.get_orders_history(self._names, account), self._list)
        except CodedRefusalError as error:
            if error.code in (replies.NOT_FOUND, replies.NOT_SUPPORTED):
                return None
            raise
        return next((one.order for one in listed if one.number == number), None)

    async def _ask(self, call: Call, read: Callable[[object], _T]) -> _T:
        """What `read` makes of the reply. Raises the contract's errors; never is a change asked twice."""
        reply = await self._session.call(call)
        try:
            if isinstance(reply, dict) and (refused := replies.no(replies.keys_of(reply))) is not None:
                replies.raise_for(refused, is_change=call.is_change)
            return read(reply)
        except UnreadableError as error:
            why = f"{call.function}: the answer makes no sense: {error}"
            raise (UnknownOutcomeError if call.is_change else VenueAwayError)(why) from None
