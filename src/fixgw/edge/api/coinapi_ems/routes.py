"""The paths of the dialect: who asks is read, the call is made, and its answer or its problem is replied."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response, Security, WebSocket
from fastapi.security import APIKeyHeader, APIKeyQuery
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from fixgw.edge.api.coinapi_ems import models
from fixgw.edge.api.coinapi_ems.calls import Ems
from fixgw.edge.api.coinapi_ems.problems import (
    OUR_FAULT,
    UNKNOWN_KEY,
    Problem,
    invalid,
    too_many,
)
from fixgw.edge.api.coinapi_ems.reading import Body, read_object
from fixgw.edge.api.coinapi_ems.socket import Stream
from fixgw.edge.api.coinapi_ems.views import Report, encode
from fixgw.edge.api.context import Context

log = structlog.get_logger("fixgw.api")

KEY_HEADER = "X-CoinAPI-Key"
KEY_QUERY = "apikey"
JSON = "application/json"
ABOUT = """The REST calls of CoinAPI's Execution Management System, and its WebSocket on `/v1/`. One shows an
API key, in the header `X-CoinAPI-Key` or as the parameter `apikey` of the query."""

Call = Callable[[int, Body], Awaitable[Report | Problem]]

_SECURITY = [
    Security(APIKeyHeader(name=KEY_HEADER, auto_error=False)),
    Security(APIKeyQuery(name=KEY_QUERY, auto_error=False)),
]


def router(context: Context) -> APIRouter:
    """The paths of one [[dialect]]; the app adds what is configured to go before them."""
    ems = Ems(context)
    routes = APIRouter(dependencies=_SECURITY)

    @routes.post(
        "/v1/orders/cancel/all",
        summary="Cancel all orders",
        responses=_replies(models.Message, models.MESSAGE_EXAMPLE, 490, 504),
        openapi_extra=_body(models.CancelAllRequest, {"exchange_id": "SANDBOX"}),
    )
    async def cancel_all(request: Request) -> Response:
        """Without an account in exchange_id: the user's own orders. With one: all orders in that account.

        200 without a reject_reason says that each order's cancel was asked of the venue; what becomes of each
        order is in its reports.
        """
        return await _posted(context, request, ems.cancel_all)

    @routes.post(
        "/v1/orders/cancel",
        summary="Cancel an order",
        responses=_replies(models.OrderExecutionReport, models.CANCELED_EXAMPLE, 404, 490, 504),
        openapi_extra=_body(models.CancelRequest, {"exchange_id": "SANDBOX", "exchange_order_id": "1"}),
    )
    async def cancel(request: Request) -> Response:
        """Cancel one order, named by one of its ids or by both. The report tells its state after that."""
        return await _posted(context, request, ems.cancel)

    @routes.post(
        "/v1/orders",
        summary="Send a new order",
        responses=_replies(models.OrderExecutionReport, models.REPORT_EXAMPLE, 429, 490, 504),
        openapi_extra=_body(models.NewOrderRequest, models.REQUEST_EXAMPLE),
    )
    async def new_order(request: Request) -> Response:
        """Enter a limit order that is good till canceled. One that is refused is a report, too: REJECTED."""
        return await _posted(context, request, ems.new_order, is_counted=True)

    @routes.get(
        "/v1/orders",
        summary="Get open orders",
        responses=_replies(list[models.OrderExecutionReport], [models.REPORT_EXAMPLE], 429, 490),
        openapi_extra=_parameter(
            "exchange_id", "query", "One exchange, or one account on it as NAME/account.", "SANDBOX"
        ),
    )
    async def open_orders(request: Request) -> Response:
        """The user's own open orders; where exchange_id names an account, all open orders in it."""
        return await _asked(
            context,
            request,
            lambda user_id: ems.open_orders(user_id, request.query_params.get("exchange_id")),
            parameters=("exchange_id",),
        )

    @routes.get(
        "/v1/orders/status/{client_order_id:path}",
        summary="Get the report on an order",
        responses=_replies(models.OrderExecutionReport, models.REPORT_EXAMPLE, 404, 429, 490),
        openapi_extra=_parameter("client_order_id", "path", "The client's own id of the order.", "o1"),
    )
    async def status(request: Request) -> Response:
        """The user's own order with this id, open or closed, as long as it is known."""
        client_order_id = request.path_params["client_order_id"]
        return await _asked(context, request, lambda user_id: ems.status(user_id, client_order_id))

    @routes.websocket("/")
    @routes.websocket("/v1")
    @routes.websocket("/v1/")
    async def stream(websocket: WebSocket) -> None:
        """Reports as they come, and requests."""
        problem = _query_problem(websocket, ())
        key = _key(websocket)
        identity = None if key is None else context.identities.by_key(key)
        if problem is None and (identity is None or key is None):
            problem = UNKNOWN_KEY
        elif problem is None and identity is not None and (wait := context.rates.wait(identity.user_id)):
            problem = too_many(wait)
        if problem is not None or identity is None or key is None:
            await websocket.send_denial_response(
                _problem(problem or UNKNOWN_KEY, f"GET {websocket.url.path}")
            )
            return
        await Stream(ems, websocket, identity, key).serve()

    return routes


async def _posted(context: Context, request: Request, call: Call, *, is_counted: bool = False) -> Response:
    """The reply to a POST with a JSON object."""
    raw = await request.body()

    async def answer(user_id: int) -> Report | Problem:
        body = read_object(raw)
        return body if isinstance(body, Problem) else await call(user_id, body)

    return await _answered(context, request, answer, raw.decode("utf-8", "replace"), is_counted=is_counted)


async def _asked(
    context: Context,
    request: Request,
    answer: Callable[[int], Awaitable[object]],
    parameters: Iterable[str] = (),
) -> Response:
    """The reply to a GET, whose query may have these parameters."""
    line = f"GET {request.url.path}"
    return await _answered(context, request, answer, line, parameters, is_counted=True)


async def _answered(
    context: Context,
    request: Request,
    answer: Callable[[int], Awaitable[object]],
    rejected: str,
    parameters: Iterable[str] = (),
    *,
    is_counted: bool,
) -> Response:
    """The reply to a request, which is shown as `rejected` where it is refused."""
    try:
        key = _key(request)
        identity = None if key is None else context.identities.by_key(key)
        if identity is None:
            return _problem(UNKNOWN_KEY, rejected)
        if is_counted and (wait := context.rates.wait(identity.user_id)):
            return _problem(too_many(wait), rejected)
        found = _query_problem(request, parameters) or await answer(identity.user_id)
        return _problem(found, rejected) if isinstance(found, Problem) else _json(found, 200)
    except Exception:
        log.exception("a call failed", call=f"{request.method} {request.url.path}")
        return _problem(OUR_FAULT, rejected)


def _key(connection: HTTPConnection) -> str | None:
    """The key that came with it, None without one or with several."""
    keys = {*connection.headers.getlist(KEY_HEADER), *connection.query_params.getlist(KEY_QUERY)}
    return keys.pop() if len(keys) == 1 else None


def _query_problem(connection: HTTPConnection, known: Iterable[str]) -> Problem | None:
    """What is wrong with the query: a parameter that is not known, or one that is there twice."""
    names = [name for name, _ in connection.query_params.multi_items() if name != KEY_QUERY]
    if wrong := [name for name in names if name not in known]:
        return invalid(f"the query has a parameter that this call has not: {wrong[0][:32]!a}")
    if len(names) != len(set(names)):
        return invalid("the query has a parameter twice")
    return None


def _problem(problem: Problem, rejected: str) -> Response:
    response = _json(problem.body(rejected), problem.status)
    if problem is UNKNOWN_KEY:
        response.headers["WWW-Authenticate"] = f'ApiKey header="{KEY_HEADER}"'
    if problem.retry_after:
        response.headers["Retry-After"] = str(int(problem.retry_after) + 1)
    return response


def _json(body: object, status: int) -> Response:
    return Response(encode(body), status, media_type=JSON)


_DESCRIPTIONS: dict[int, tuple[str, type[BaseModel]]] = {
    400: ("The request is malformed, or not allowed", models.ValidationError),
    401: ("No API key, or none that is good", models.ValidationError),
    404: ("No such order", models.MessageReject),
    429: ("Too many requests of this user", models.ValidationError),
    490: ("The exchange is out of reach; nothing was sent", models.MessageReject),
    500: ("The fault is fixgw's", models.ValidationError),
    504: ("The outcome is not known", models.MessageReject),
}


def _replies(model: object, example: object, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The replies of a call for the page that describes the API: a good one, and those with a problem."""
    replies: dict[int | str, dict[str, Any]] = {
        200: {"model": model, "description": "OK", "content": {JSON: {"example": example}}}
    }
    for status in (400, 401, *statuses, 500):
        text, problem = _DESCRIPTIONS[status]
        shown = models.ERROR_EXAMPLE | {"status": status}
        if problem is models.MessageReject:
            shown = models.REJECT_EXAMPLE
        replies[status] = {"model": problem, "description": text, "content": {JSON: {"example": shown}}}
    return replies


def _parameter(name: str, where: str, description: str, example: str) -> dict[str, Any]:
    """A parameter of the path or the query for that page."""
    parameter = {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": {"type": "string"},
        "description": description,
        "example": example,
    }
    return {"parameters": [parameter]}


def _body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The body of a request for that page."""
    content = {JSON: {"schema": model.model_json_schema(), "example": example}}
    return {"requestBody": {"required": True, "content": content}}
