"""The adapter: the contract of a venue, carried out over REST, with reports from the WebSocket."""

import asyncio
import ssl
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote

import httpx
import msgspec
import structlog

from fixgw.core.order import Order
from fixgw.core.requests import VenueOrder, VenueStatus
from fixgw.core.selector import CancelSelector
from fixgw.edge.venues.coinapi_ems.connection import Connection, LostError
from fixgw.edge.venues.coinapi_ems.known import Known
from fixgw.edge.venues.coinapi_ems.names import Body, Names
from fixgw.edge.venues.coinapi_ems.replies import TIMEOUT, NoSuchOrderError, read_reply
from fixgw.edge.venues.coinapi_ems.reports import (
    MessageReject,
    Report,
    ServerInfo,
    UnreadableError,
    read_messages,
    read_report,
)
from fixgw.edge.venues.contract import (
    CancelReject,
    Reach,
    Tell,
    UnknownOutcomeError,
    VenueAwayError,
    VenueBusyError,
    VenueMistakenError,
    VenueRefusedError,
)
from fixgw.edge.venues.place import Place
from fixgw.secret_text import SecretError

log = structlog.get_logger("fixgw.venues")

KEY_HEADER = "X-CoinAPI-Key"
IDLE_SECONDS = 2.0  # an idle connection is closed by us, before the venue does so with a request on its way

REACHES: dict[tuple[bool, bool, bool], Reach] = {
    (True, True, True): Reach.FAN_OUT,
    (True, True, False): Reach.FAN_OUT,
    (True, False, True): Reach.FAN_OUT,
    (True, False, False): Reach.FAN_OUT,
    (False, True, True): Reach.FAN_OUT,
    (False, True, False): Reach.NATIVE,  # EXCHANGE/account is all that a cancel-all can name
    (False, False, True): Reach.FAN_OUT,
    (False, False, False): Reach.FAN_OUT,  # EXCHANGE may be more than our accounts, or less
}
"""How each kind of mass cancel is carried out, by whether it names a user, an account and an instrument.

One that names a side or a strategy, too, is always fanned out.
"""

_TWICE = (
    "the venue lists order {} in two accounts: it does not tell them apart, and canceling all in one could "
    "cancel all in both"
)

_encode = msgspec.json.Encoder(decimal_format="number").encode


class CoinapiEms:
    """One EMS, as its `place` says; `tell` hears what it says by itself. See Adapter.

    Raises SecretError for a key that cannot be one.
    """

    def __init__(self, place: Place, tell: Tell) -> None:
        settings = place.settings
        if not (place.api_key.isascii() and place.api_key.isprintable()):
            raise SecretError(f"[[venue]] {settings.name} api_key: is not printable ASCII")
        headers = {KEY_HEADER: place.api_key}
        self._oms_id = place.oms_id
        self._log = log.bind(venue=settings.name)
        self._tell = tell
        self._names = Names(place)
        self._known = Known()
        self._pending: dict[int, Decimal] = {}  # what was filled of orders shown as PENDING_CANCEL
        self._skipped = 0
        self._seconds = float(settings.request_seconds)
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={**headers, "Content-Type": "application/json"},
            timeout=self._seconds,
            verify=ssl.create_default_context(),
            trust_env=False,
            limits=httpx.Limits(
                max_keepalive_connections=settings.requests_at_once, keepalive_expiry=IDLE_SECONDS
            ),
        )
        # "http" and "https" become "ws" and "wss"
        socket_url = settings.ws_url or f"ws{settings.url.rstrip('/').removeprefix('http')}/v1/"
        self._connection = Connection(
            settings.name, socket_url, headers, self._seconds, self._heard, self._begin
        )

    @property
    def is_up(self) -> bool:
        """Whether it can be asked now."""
        return self._connection.is_up

    @property
    def why_away(self) -> str:
        """Why it cannot, for a person; empty while it can."""
        return self._connection.why_away

    @property
    def finds_together(self) -> bool:
        """Whether one look is enough for all: it is a request for each order."""
        return False

    def know(self, order: Order) -> None:
        """From now on say what happens to this order under its order_id."""
        self._known.know(order)

    def forget(self, order: Order) -> None:
        """It has ended, and nothing more is said of it."""
        self._known.forget(order)
        self._pending.pop(order.order_id, None)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        try:
            await self._connection.run()
        finally:
            await self._client.aclose()

    def reach(self, selector: CancelSelector) -> Reach:
        """How a mass cancel of this scope is carried out."""
        account_id = selector.account_id
        if selector.side is not None or selector.strategy is not None:
            return Reach.FAN_OUT
        if account_id is not None and not self._names.has_name(account_id):
            return Reach.FAN_OUT
        is_named = (selector.user_id, account_id, selector.instrument_ids)
        user, account, instrument = (one is not None for one in is_named)
        return REACHES[user, account, instrument]

    async def place(self, order: Order) -> VenueOrder:
        """Enter `order`, once; how it stands."""
        report = await self._changed("/v1/orders", self._names.new_order(order), order)
        return report.stands(self._oms_id, order.order_id, VenueStatus.PENDING)

    async def cancel(self, order: Order) -> VenueOrder | None:
        """Ask for the cancel of one order. How it stands where it has ended.

        That an order is open as before is a refusal only where the venue says why.
        """
        known = self._known
        body = self._names.cancel(order, known.exchange_order_id(order), known.client_order_id(order))
        report = await self._changed("/v1/orders/cancel", body, order)
        if report.status in ("NEW", "PARTIALLY_FILLED") and report.error_message:
            raise VenueRefusedError(report.error_message)
        if report.venue_status in (VenueStatus.FILLED, VenueStatus.CANCELED):
            return report.stands(self._oms_id, order.order_id, VenueStatus.PENDING)
        return None  # REJECTED, too: the order or its cancel?

    async def cancel_all(self, selector: CancelSelector) -> None:
        """The venue's own cancel-all of one account. That it was relayed is all that its answer can say."""
        if selector.account_id is None or self.reach(selector) is not Reach.NATIVE:
            raise AssertionError(selector)
        body: Body = {"exchange_id": self._names.exchange_id(selector.account_id)}
        await self._asked("POST", "/v1/orders/cancel/all", body)

    async def open_orders(self, selector: CancelSelector | None) -> Sequence[VenueOrder]:
        """The open orders in the account that `selector` names, or in all of ours."""
        account_id = None if selector is None else selector.account_id
        account_ids = self._names.account_ids if account_id is None else (account_id,)
        listed_in: dict[str, int] = {}
        found: list[VenueOrder] = []
        skipped = 0
        for account_id in account_ids:
            for report in await self._listed(account_id):
                said = self._said(report, account_id, VenueStatus.OPEN)
                if said is None:
                    skipped += 1
                    continue
                where = self._names.account_id(report.exchange_id, account_id) or account_id
                if listed_in.setdefault(report.venue_order_id, where) != where:
                    raise VenueMistakenError(_TWICE.format(report.venue_order_id))
                found.append(said)
        if selector is None and skipped != self._skipped:
            self._skipped = skipped
            self._log.warning("orders on the venue in no account or instrument of ours", count=skipped)
        return found

    async def find(self, order: Order) -> VenueOrder | None:
        """How `order` stands: by its client's id, and else among the open orders."""
        client_order_id = self._known.client_order_id(order)
        if client_order_id:
            try:
                body = await self._asked("GET", f"/v1/orders/status/{quote(client_order_id, safe='')}")
            except NoSuchOrderError:
                pass
            else:
                report = self._known.find(order, [_read(body)])
                if report is not None and self._names.is_here(report.exchange_id):
                    return self._learn(order, report)
        report = self._known.find(order, await self._listed(order.account_id))
        return None if report is None else self._learn(order, report, VenueStatus.OPEN)

    # asking

    async def _changed(self, path: str, body: Body, order: Order) -> Report:
        """The report that answers a request about `order`."""
        answer = await self._asked("POST", path, body)
        try:
            report = read_report(answer, self._names.exchange)
        except UnreadableError as error:
            raise UnknownOutcomeError(f"the venue's answer cannot be read: {error}") from None
        if self._known.find(order, [report]) is None:
            raise UnknownOutcomeError("the venue's answer is about another order")
        if report.venue_status is None:
            raise UnknownOutcomeError(f"the venue's answer has an unknown status, {report.status}")
        self._known.learn(order, report)
        return report

    async def _listed(self, account_id: int) -> list[Report]:
        """The open orders that the venue lists in an account."""
        exchange_id = self._names.exchange_id(account_id)
        body = await self._asked("GET", "/v1/orders", exchange_id=exchange_id)
        if not isinstance(body, list):
            raise VenueAwayError("the venue's list of open orders is none")
        return [_read(item, exchange_id) for item in body]

    async def _asked(self, method: str, path: str, body: Body | None = None, **query: str) -> object:
        """The body of the answer to a request. Raises what the contract has, and NoSuchOrderError."""
        changes = body is not None
        content = None if body is None else _encode(body)
        try:
            async with asyncio.timeout(2 * self._seconds):
                reply = await self._client.request(method, path, content=content, params=query or None)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise VenueAwayError(f"no connection to the venue: {type(error).__name__}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            why = f"no answer from the venue: {type(error).__name__}"
            raise (UnknownOutcomeError(why) if changes else VenueAwayError(why)) from None
        retry_after = reply.headers.get("Retry-After", "")
        return read_reply(reply.status_code, reply.content, retry_after, changes=changes)

    async def _begin(self) -> None:
        """See that the key is good, and that each account is there."""
        try:
            for account_id in self._names.account_ids:
                await self._listed(account_id)
        except VenueBusyError as busy:
            await asyncio.sleep(busy.seconds)
            raise LostError(str(busy)) from None
        except (VenueAwayError, VenueRefusedError) as error:
            raise LostError(str(error)) from None

    # hearing

    def _heard(self, content: str | bytes) -> bool:
        """Take a message of the WebSocket; whether it says that the exchange runs. Raises LostError."""
        is_running = False
        try:
            for message in read_messages(content):
                match message:
                    case ServerInfo():
                        is_running |= self._is_running(message)
                    case MessageReject():
                        self._rejected(message)
                    case Report():
                        self._reported(message)
        except UnreadableError as error:
            self._log.warning("a message of the venue cannot be read", why=str(error))
        return is_running

    def _is_running(self, info: ServerInfo) -> bool:
        """Whether our exchange runs, as far as this message says it."""
        is_ours = not info.exchange_id or self._names.is_here(info.exchange_id)
        if is_ours and not info.is_running:
            raise LostError("the venue says that it stops")
        return is_ours

    def _reported(self, report: Report) -> None:
        """Take a report that came by itself."""
        said = self._said(report, None, VenueStatus.PENDING)
        if said is None:
            return
        if report.venue_status is None:
            self._log.warning("a report has an unknown status", status=report.status)
            return
        self._tell(said)
        if said.order_id:
            self._see_pending(report, said.order_id)

    def _see_pending(self, report: Report, order_id: int) -> None:
        """See whether a cancel was rejected: the order is not PENDING_CANCEL any more, and is open.

        A fill that overtook the cancel looks so, too; but for the fill.
        """
        if report.status == "PENDING_CANCEL":
            self._pending[order_id] = report.amount_filled
            return
        filled = self._pending.pop(order_id, None)
        if filled is None or report.status not in ("NEW", "PARTIALLY_FILLED"):
            return
        if report.error_message or report.amount_filled == filled:
            why = report.error_message or f"the order is {report.status} again"
            self._tell(CancelReject(why, order_id, report.exchange_order_id))

    def _rejected(self, reject: MessageReject) -> None:
        """Take a MESSAGE_REJECT: of one cancel it is a refusal. What became of the rest is looked up."""
        order_id = self._known.named(reject.client_order_id, reject.exchange_order_id)
        self._log.warning(
            "the venue rejected a message", why=reject.text, type=reject.rejected_type, order=order_id
        )
        is_cancel = not reject.is_order and reject.rejected_type in ("", "ORDER_CANCEL_SINGLE_REQUEST")
        if order_id and is_cancel and reject.reason != TIMEOUT:
            self._tell(CancelReject(reject.text or "the venue rejected the cancel", order_id))

    def _said(self, report: Report, asked: int | None, unknown: VenueStatus) -> VenueOrder | None:
        """A report in our words, None for one on an order that is not ours; an unknown status is `unknown`.

        `asked` is the account whose orders were asked for, None where none was.
        """
        if not self._names.is_here(report.exchange_id):
            return None
        order_id = self._known.order_id(report)
        said = report.stands(self._oms_id, order_id, unknown)
        if order_id:
            return said
        details = self._names.details(report, asked)
        return None if details is None else msgspec.structs.replace(said, details=details)

    def _learn(self, order: Order, report: Report, unknown: VenueStatus = VenueStatus.PENDING) -> VenueOrder:
        """What the report on `order` says, and what it calls it; an unknown status is `unknown`."""
        self._known.learn(order, report)
        return report.stands(self._oms_id, order.order_id, unknown)


def _read(body: object, exchange_id: str = "") -> Report:
    try:
        return read_report(body, exchange_id)
    except UnreadableError as error:
        raise VenueAwayError(f"the venue's answer cannot be read: {error}") from None
