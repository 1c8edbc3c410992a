"""The paths of the dialect: /WSGateway/ for frames, /AP/<Function> for the same calls over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response, WebSocket

from fixgw.core.errors import Refusal, invalid, not_supported
from fixgw.edge.api.alphapoint import login, openapi
from fixgw.edge.api.alphapoint.asking import Ask, Caller
from fixgw.edge.api.alphapoint.events import Listeners
from fixgw.edge.api.alphapoint.keys import Pairs, pairs_of, read
from fixgw.edge.api.alphapoint.models import Login
from fixgw.edge.api.alphapoint.socket import Socket
from fixgw.edge.api.alphapoint.table import CALLS, Call, Kind, away, begin, our_mistake, run
from fixgw.edge.api.alphapoint.views import OK, encode, standard
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.engine_link import EngineAwayError

log = structlog.get_logger("fixgw.api")

ABOUT = """Each function is called over HTTP at `/AP/<Function>`, by GET with a query or by POST with JSON,
and on a WebSocket at `/WSGateway/`, in frames `{"m":0,"i":2,"n":"<Function>","o":"<JSON as a string>"}`. Log
in with `AuthenticateUser` (HTTP Basic, or the headers `APIKey`, `Signature`, `UserId` and `Nonce`) and send
the SessionToken of its reply as the header `APToken`; or sign each call. Refusals are HTTP 200 with the
standard reply."""
HTTP_PATHS = ("/AP", "/ap")
SOCKET_PATHS = ("/WSGateway/", "/WSGateway", "/wsgateway/", "/wsgateway")

NOT_IN_A_QUERY = {"password", "apikey", "signature", "sessiontoken"}
"""Secrets, in lower case: a query is written into logs on its way."""


class Http:
    """Answers HTTP requests, each by itself. Refusals are HTTP 200, as the document has it."""

    def __init__(self, context: Context, listeners: Listeners) -> None:
        self._context = context
        self._listeners = listeners

    async def answer(self, name: str, request: Request) -> Response:
        """The reply to one request for the function `name`."""
        call = CALLS.get(name)
        try:
            body = await self._body(name, request)
        except EngineAwayError as error:
            assert call is not None
            body = away(call, error)
        except Exception:
            log.exception("our mistake", call=name if call is not None else "")
            body = our_mistake(call or CALLS["Ping"])
        return Response(encode(body), media_type="application/json")

    async def _body(self, name: str, request: Request) -> object:
        caller = Caller(self._context, self._identity(name, request))
        call = begin(name, caller)
        if not isinstance(call, Call):
            return call
        pairs = await _pairs(call, request)
        if isinstance(pairs, Refusal):
            return standard(pairs)
        match call.kind:
            case Kind.LOGIN:
                return await self._log_in(call, request, pairs)
            case Kind.LOGOUT:
                self._context.tokens.revoke(request.headers.get(login.HEADER, ""))
                return OK
            case Kind.SUBSCRIBE | Kind.UNSUBSCRIBE:
                return standard(not_supported(f"{name} is there on a WebSocket only, at /WSGateway/"))
        begun = run(call, caller, pairs)
        if not isinstance(begun, Ask):
            return begun
        body, event = begun.reply(await self._context.engine.ask(self._context.door, begun.request))
        self._listeners.tell(caller.user_id, event)
        return body

    def _identity(self, name: str, request: Request) -> Identity | None:
        """Whose token or signature is in the headers; a nonce is used up by no call that needs none."""
        call = CALLS.get(name)
        if call is None or call.is_open:
            return None
        token = request.headers.get(login.HEADER)
        if token is not None:
            return self._context.tokens.find(token)
        signed = login.from_headers(request.headers)
        return None if signed is None else login.by_signature(self._context, signed)

    async def _log_in(self, call: Call, request: Request, pairs: Pairs) -> object:
        asked = read(Login, call.name, pairs)
        if isinstance(asked, Refusal):
            return standard(asked)
        in_headers = login.from_headers(request.headers)
        if in_headers is not None and asked.model_copy(update={"grant_type": None}) != Login():
            return standard(invalid("credentials are in the headers and in the request; give them once"))
        address = "" if request.client is None else request.client.host
        outcome = await login.log_in(self._context, in_headers or asked, address)
        return login.reply(self._context, outcome)


async def _pairs(call: Call, request: Request) -> Pairs | Refusal:
    """What the request says, in its query and in its body: both count, so that neither can widen a cancel."""
    query = tuple(request.query_params.multi_items())
    if call.kind is Kind.LOGIN and any(key.lower() in NOT_IN_A_QUERY for key, _ in query):
        return invalid("credentials do not belong into a query; send them as headers or in a JSON body")
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        return invalid("the body is not UTF-8")
    body = pairs_of(text, "the body")
    return body if isinstance(body, Refusal) else (*query, *body)


def router(context: Context) -> APIRouter:
    """The routes of the dialect."""
    routes = APIRouter()
    listeners = Listeners()
    http = Http(context, listeners)

    async def serve_socket(websocket: WebSocket) -> None:
        await Socket(context, websocket, listeners).run()

    for path in SOCKET_PATHS:
        routes.add_api_websocket_route(path, serve_socket)
    for path in HTTP_PATHS:
        for call in CALLS.values():
            for method in ("GET", "POST"):
                routes.add_api_route(
                    f"{path}/{call.name}",
                    _endpoint(http, call.name),
                    methods=[method],
                    include_in_schema=path == HTTP_PATHS[0],
                    **openapi.of_call(call, method),
                )
        routes.add_api_route(
            path + "/{function:path}", _unknown(http), methods=["GET", "POST"], include_in_schema=False
        )
    return routes


def _endpoint(http: Http, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await http.answer(name, request)

    return endpoint


def _unknown(http: Http) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        function: Any = request.path_params["function"]
        return await http.answer(str(function), request)

    return endpoint
