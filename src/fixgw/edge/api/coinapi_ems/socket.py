"""One WebSocket of the dialect: what happens to its user's orders goes out, and requests come in."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from fixgw.core.order import Order
from fixgw.core.requests import ApiRequest, NewOrder
from fixgw.edge.api.coinapi_ems.calls import Ems
from fixgw.edge.api.coinapi_ems.problems import (
    OUR_FAULT,
    Problem,
    RejectReason,
    away,
    invalid,
    refused,
    text_of,
    too_many,
)
from fixgw.edge.api.coinapi_ems.reading import (
    Asked,
    read_cancel,
    read_cancel_all,
    read_new_order,
    read_object,
)
from fixgw.edge.api.coinapi_ems.views import Report, array, encode
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.outbound import Outbound
from fixgw.edge.engine_link import EngineAwayError, Watch
from fixgw.engine.turn import Answered, Happened

log = structlog.get_logger("fixgw.api")

HEARTBEAT_SECONDS = 1.0
SNAPSHOT_SECONDS = 30.0  # for a client to take the orders that it begins with
GOODBYE_SECONDS = 1.0  # for a client to take the last that it is told
PIPELINED_MAX = 100  # requests of one client without an answer; then no more is read
HELD_MAX = 10_000  # reports that wait until the snapshots are taken

POLICY_VIOLATION = 1008  # close codes of RFC 6455 and its registry
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013

_READERS = {
    "ORDER_NEW_SINGLE_REQUEST": read_new_order,
    "ORDER_CANCEL_SINGLE_REQUEST": read_cancel,
    "ORDER_CANCEL_ALL_REQUEST": read_cancel_all,
}


class _Request(NamedTuple):
    """A message of the client, what it asks for, and the answer to come; or the problem with it."""

    text: str
    asked: Asked[ApiRequest] | None
    answer: "asyncio.Future[Answered] | Problem"


class _RefusedError(Exception):
    """The client may not have what the WebSocket is for; the text says why."""


class Stream:
    """Serves one WebSocket of `identity`, who showed `key`."""

    def __init__(self, ems: Ems, websocket: WebSocket, identity: Identity, key: str) -> None:
        self._ems = ems
        self._context = ems.context
        self._engine = ems.context.engine
        self._websocket = websocket
        self._identity = identity
        self._key = key
        self._user_id = identity.user_id
        self._views = ems.views(identity.user_id)
        self._host = websocket.url.hostname or ""
        self._out = Outbound(websocket, ems.context.settings.backlog_bytes_max, ems.context.engine.soon)
        self._watch: Watch | None = None
        self._listings: dict[int, asyncio.Future[Answered]] = {}  # by OMS
        self._held: list[Happened] | None = []  # what happened after the listings, until those are sent
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._requests: asyncio.Queue[_Request] = asyncio.Queue(PIPELINED_MAX)

    def end(self, code: int, why: str) -> None:
        """Say that this server does not run any more, and close with a close code of RFC 6455."""
        if not self._end.done():
            self._end.set_result((code, why))

    async def serve(self) -> None:
        """Serve it to its end."""
        tasks: list[asyncio.Future[None]] = []
        try:
            await self._websocket.accept()
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                await self._begin()
            parts = (self._out.run(), self._beat(), self._read(), self._answer())
            tasks = [asyncio.ensure_future(part) for part in parts]
            waited: list[asyncio.Future[Any]] = [self._end, *tasks]
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        except WebSocketDisconnect:
            return
        except (EngineAwayError, TimeoutError) as error:
            self.end(TRY_AGAIN_LATER, str(error) or "the client does not read")
        except _RefusedError as error:
            self.end(POLICY_VIOLATION, str(error))
        except Exception:
            log.exception("a stream failed", user=self._user_id)
            self.end(INTERNAL_ERROR, "the fault is fixgw's")
        finally:
            self._forget(tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._end.done():
            await self._say_goodbye(*self._end.result())

    def _forget(self, tasks: Iterable["asyncio.Future[None]"]) -> None:
        if self._watch is not None:
            self._engine.unwatch(self._watch)
        for task in tasks:
            task.cancel()
        for listing in self._listings.values():
            listing.cancel()
        while not self._requests.empty():
            answer = self._requests.get_nowait().answer
            if not isinstance(answer, Problem):
                answer.cancel()

    async def _say_goodbye(self, code: int, why: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._say_running(is_running=False)
                await self._websocket.close(code, why[:100])

    async def _say_running(self, *, is_running: bool) -> None:
        for exchange in self._ems.exchanges_of(self._user_id):
            await self._send(self._ems.server_info(exchange, self._host, is_running=is_running))

    async def _send(self, body: Report) -> None:
        """Send before the writer runs, or after: the client is waited for."""
        await self._websocket.send_text(encode(body).decode())

    async def _begin(self) -> None:
        """Send what the client begins with: that the server runs, and the user's open orders."""
        orders = await self._listed()
        await self._say_running(is_running=True)
        snapshots = self._snapshots(orders)
        for exchange_id in list(snapshots):
            data = array(await self._views.encoded(snapshots.pop(exchange_id)))
            await self._send({"type": "ORDER_EXEC_REPORT_SNAPSHOT", "exchange_id": exchange_id, "data": data})
        held, self._held = self._held or [], None
        for told in held:
            self._out.send(encode(self._views.happened(told)))

    async def _listed(self) -> list[Order]:
        """The user's open orders, from which on what happens to them is heard."""
        exchanges = self._ems.exchanges_of(self._user_id)
        accounts = self._accounts()
        while True:
            self._watch = await self._engine.watch(accounts, self._tell, self._lost)
            self._listings = {
                exchange.oms_id: self._engine.ask(
                    self._context.door, self._ems.listing(self._user_id, exchange)
                )
                for exchange in exchanges
            }
            answers = await asyncio.gather(*self._listings.values())
            for answered in answers:
                if answered.refusal is not None:
                    raise _RefusedError(text_of(answered.refusal))
            orders = [order for answered in answers for order in answered.orders]
            elsewhere = {order.account_id for order in orders} - accounts
            if not elsewhere:
                return orders
            self._engine.unwatch(self._watch)  # some are in accounts that are not his any more
            accounts |= elsewhere
            self._listings, self._held = {}, []

    def _accounts(self) -> frozenset[int]:
        """Where the user's orders can be."""
        directory = self._context.reference.directory
        user = directory.users.get(self._user_id)
        if user is None:
            return frozenset()
        return frozenset(
            account.account_id
            for account in directory.accounts.values()
            if self._ems.exchanges.has(account.oms_id)
            and (user.is_operator or account.account_id in user.account_ids)
        )

    def _snapshots(self, orders: Iterable[Order]) -> dict[str, list[Order]]:
        """The orders by exchange_id, with none for those where he has none."""
        snapshots: dict[str, list[Order]] = {}
        directory = self._context.reference.directory
        user = directory.users[self._user_id]
        for exchange in self._ems.exchanges_of(self._user_id):
            snapshots[exchange.text] = []
            for account_id in sorted(user.account_ids - {user.default_account_id}):
                account = directory.accounts.get(account_id)
                if account is not None and account.oms_id == exchange.oms_id:
                    snapshots[exchange.at(account_id).text] = []
        for order in orders:
            snapshots.setdefault(self._views.exchange_of(order).text, []).append(order)
        return snapshots

    def _tell(self, told: Happened) -> None:
        """Take what happened to an order in one of his accounts; what came before the listing is in it."""
        listing = self._listings.get(told.order.oms_id)
        if told.order.user_id != self._user_id or listing is None or not listing.done():
            return
        if self._held is None:
            self._out.send(encode(self._views.happened(told)))
        else:
            self._held.append(told)
            if len(self._held) > HELD_MAX:
                self.end(TRY_AGAIN_LATER, "too much waits for this client")

    def _lost(self) -> None:
        self.end(SERVICE_RESTART, "the engine went away: connect again")

    async def _beat(self) -> None:
        """Say each second, and when it changes, whether the server runs; end when the user's rights do."""
        stopping, is_running = self._context.stopping, True
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await (stopping.wait() if is_running else asyncio.sleep(HEARTBEAT_SECONDS))
            is_running = not stopping.is_set()
            if self._context.identities.by_key(self._key) != self._identity:
                raise _RefusedError("the API key is not good any more")
            if self._watch is None or not self._accounts() <= self._watch.accounts:
                self.end(SERVICE_RESTART, "the user has other accounts now: connect again")
                return
            for exchange in self._ems.exchanges_of(self._user_id):
                info = self._ems.server_info(exchange, self._host, is_running=is_running)
                self._out.send(encode(info))

    async def _read(self) -> None:
        """Take the client's messages as they come, and ask the engine at once."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._requests.put(self._take(message["text"]))

    def _take(self, text: str) -> _Request:
        try:
            asked = self._asked(text)
        except Exception:
            log.exception("a message failed", user=self._user_id)
            asked = OUR_FAULT
        if isinstance(asked, Problem):
            return _Request(text, None, asked)
        return _Request(text, asked, self._engine.ask(self._context.door, asked.request))

    def _asked(self, text: str) -> Asked[ApiRequest] | Problem:
        body = read_object(text)
        if isinstance(body, Problem):
            return body
        message_type = body.pop("type", None)
        reader = _READERS.get(message_type) if isinstance(message_type, str) else None
        if reader is None:
            return invalid(f"type is not {' or '.join(_READERS)}", reason=RejectReason.INVALID_TYPE)
        asked: Asked[ApiRequest] | Problem = reader(body, self._ems.exchanges, self._user_id)
        if isinstance(asked, Asked) and isinstance(asked.request, NewOrder):
            wait = self._context.rates.wait(self._user_id)
            return too_many(wait) if wait else asked
        return asked

    async def _answer(self) -> None:
        """Answer the client's messages, in their order: what was carried out is told by reports."""
        while True:
            text, asked, answer = await self._requests.get()
            problem = answer if isinstance(answer, Problem) else None
            if asked is not None and not isinstance(answer, Problem):
                problem = await self._problem(asked, answer)
            if problem is not None:
                self._out.send(encode(problem.message_reject(text)))

    async def _problem(self, asked: Asked[ApiRequest], answer: "asyncio.Future[Answered]") -> Problem | None:
        exchange_id = asked.exchange.text
        try:
            answered = await answer
        except EngineAwayError as error:
            return away(error, exchange_id, changes=True)
        if answered.refusal is not None:
            return refused(answered.refusal, exchange_id)
        for order in answered.orders:
            if order.user_id != self._user_id:  # of a colleague: this is all that he is told about it
                self._out.send(encode(self._views.canceled(answered, asked.exchange)))
        return None
