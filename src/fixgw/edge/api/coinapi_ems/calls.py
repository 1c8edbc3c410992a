"""What the calls of the dialect do: each asks the engine, and answers with what came of it or the problem."""

import asyncio
from uuid import uuid4

import msgspec

import fixgw
from fixgw.core.errors import ErrorCode, Failure
from fixgw.core.order import Order
from fixgw.core.requests import ApiRequest, MassStatus, OrderStatus
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.api.coinapi_ems.names import Exchange, Exchanges
from fixgw.edge.api.coinapi_ems.problems import Problem, away, invalid, no_order, refused, text_of
from fixgw.edge.api.coinapi_ems.reading import (
    Body,
    is_client_order_id,
    read_cancel,
    read_cancel_all,
    read_new_order,
)
from fixgw.edge.api.coinapi_ems.views import Report, Views, array, timestamp
from fixgw.edge.api.context import Context
from fixgw.edge.engine_link import EngineAwayError
from fixgw.engine.turn import Answered

ASKED_AGAIN = (Failure.ALREADY_PENDING, Failure.TOO_LATE)
"""Why a cancel changes nothing although its order is certain: the answer is the order as it stands."""


class Ems:
    """The calls of one [[dialect]]. Each takes the id of the user whose key it came with."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.exchanges = Exchanges(context.reference.directory, context.omses, context.clock)
        self._instance = str(uuid4())
        self._started = timestamp(context.clock())

    def views(self, user_id: int) -> Views:
        """How orders are shown to this user."""
        return Views(self.exchanges, self.context.reference, user_id)

    async def ask(
        self, request: ApiRequest, exchange: Exchange, *, changes: bool = True
    ) -> Answered | Problem:
        """Ask the engine at once; its answer, which may be a refusal."""
        try:
            return await self.context.engine.ask(self.context.door, request)
        except EngineAwayError as error:
            return away(error, exchange.text, changes=changes)

    async def new_order(self, user_id: int, body: Body) -> Report | Problem:
        """POST /v1/orders."""
        asked = read_new_order(body, self.exchanges, user_id)
        if isinstance(asked, Problem):
            return asked
        exchange, request = asked
        answered = await self.ask(request, exchange)
        if isinstance(answered, Problem):
            return answered
        views, refusal = self.views(user_id), answered.refusal
        if refusal is None:
            return views.report(answered.orders[0], exchange)
        if refusal.code is ErrorCode.OPERATION_FAILED:
            return views.rejected(request, exchange, self.context.clock(), text_of(refusal))
        return refused(refusal, exchange.text)

    async def cancel(self, user_id: int, body: Body) -> Report | Problem:
        """POST /v1/orders/cancel."""
        asked = read_cancel(body, self.exchanges, user_id)
        if isinstance(asked, Problem):
            return asked
        exchange, request = asked
        answered = await self.ask(request, exchange)
        if isinstance(answered, Problem):
            return answered
        views, refusal = self.views(user_id), answered.refusal
        if refusal is None:
            return views.canceled(answered, exchange)
        if refusal.failure in ASKED_AGAIN and answered.orders:
            return views.report(answered.orders[0], exchange, text_of(refusal))
        return refused(refusal, exchange.text)

    async def cancel_all(self, user_id: int, body: Body) -> Report | Problem:
        """POST /v1/orders/cancel/all. A body without a reject_reason: the venue was asked for each cancel."""
        asked = read_cancel_all(body, self.exchanges, user_id)
        if isinstance(asked, Problem):
            return asked
        exchange, request = asked
        answered = await self.ask(request, exchange)
        if isinstance(answered, Problem):
            return answered
        if answered.refusal is not None:
            return refused(answered.refusal, exchange.text)
        canceled, pending, failed = map(len, (answered.canceled, answered.pending, answered.refused))
        message = (
            f"{canceled + pending + failed} orders were open: {canceled} canceled, {pending} pending, "
            f"{failed} not canceled"
        )
        return {"type": "MESSAGE", "exchange_id": exchange.text, "message": message}

    async def open_orders(self, user_id: int, exchange_id: str | None) -> msgspec.Raw | Problem:
        """GET /v1/orders: the user's own on one exchange or on all of his, or everybody's in an account.

        The answer is JSON already.
        """
        if exchange_id is None:
            exchanges = self.exchanges_of(user_id)
        elif isinstance(exchange := self.exchanges.read(exchange_id), Exchange):
            exchanges = [exchange]
        else:
            return invalid(exchange)
        views, reports = self.views(user_id), list[bytes]()
        waiting = [self.ask(self.listing(user_id, found), found, changes=False) for found in exchanges]
        for exchange, answered in zip(exchanges, await asyncio.gather(*waiting), strict=True):
            if isinstance(answered, Problem):
                return answered
            if answered.refusal is not None:
                return refused(answered.refusal, exchange.text)
            reports += await views.encoded(answered.orders, exchange)
        return array(reports)

    async def status(self, user_id: int, client_order_id: str) -> Report | Problem:
        """GET /v1/orders/status/{client_order_id}: the user's own; an open one, or else the last entered."""
        if not is_client_order_id(client_order_id):
            return no_order("client_order_id names no order")
        exchanges = self.exchanges.all
        waiting = [
            self.ask(
                OrderStatus(
                    user_id=user_id, oms=exchange.oms, orig_cl_ord_id=client_order_id, owner_id=user_id
                ),
                exchange,
                changes=False,
            )
            for exchange in exchanges
        ]
        found: list[Order] = []
        for exchange, answered in zip(exchanges, await asyncio.gather(*waiting), strict=True):
            if isinstance(answered, Problem):
                return answered
            if answered.refusal is None:
                found += answered.orders
            elif answered.refusal.code is not ErrorCode.RESOURCE_NOT_FOUND:
                return refused(answered.refusal, exchange.text)
        if not found:
            return no_order(f"client_order_id {client_order_id} names no order of this user that is known")
        order = max(found, key=lambda order: (order.is_open, order.entered_at))
        return self.views(user_id).report(order)

    def exchanges_of(self, user_id: int) -> list[Exchange]:
        """The exchanges that the user is on."""
        user = self.context.reference.directory.users.get(user_id)
        mine = frozenset[int]() if user is None else user.oms_ids
        return [exchange for exchange in self.exchanges.all if exchange.oms_id in mine]

    def listing(self, user_id: int, exchange: Exchange) -> MassStatus:
        """The request for open orders on an exchange: the user's own, or everybody's in the account named."""
        account_id = exchange.account_id
        return MassStatus(
            user_id=user_id,
            oms=exchange.oms,
            scope=Scope(ScopeType.ALL),
            req_id="api",
            most=self.context.settings.orders_max,
            account_id=account_id,
            owner_id=user_id if account_id is None else None,
        )

    def server_info(self, exchange: Exchange, host: str, *, is_running: bool) -> Report:
        """The SERVER_INFO of an exchange, for a client that knows this machine as `host`."""
        return {
            "type": "SERVER_INFO",
            "time": timestamp(self.context.clock()),
            "instance_guid": self._instance,
            "exchange_id": exchange.text,
            "server_version": fixgw.__version__,
            "server_name": "fixgw",
            "dns_name": host,
            "is_running": is_running,
            "time_server_start": self._started,
        }
