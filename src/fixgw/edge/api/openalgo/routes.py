"""The paths of OpenAlgo's API, each with what it is asked, what it answers, and an example of both."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.openalgo import questions, replies, views
from fixgw.edge.api.openalgo.calls import Calls
from fixgw.edge.api.openalgo.questions import BadRequestError, Question
from fixgw.edge.api.openalgo.views import Reply
from fixgw.edge.engine_link import EngineAwayError

log = structlog.get_logger("fixgw.api")

PREFIX = "/api/v1"
WRONG_KEY = "Invalid openalgo apikey"  # a real server's words, to the letter

ABOUT = """The REST API of OpenAlgo: every call is a POST with JSON, and the key of the user, his `api_key`,
is in it as `apikey`. A key reaches the orders of its user and nobody else's."""

_Asked = TypeVar("_Asked", bound=Question)
_Call = Callable[[Identity, _Asked], Awaitable[Reply]]

_NOT_READ = (400, "the request cannot be read, or not be done; nothing was changed", "strategy is missing")
_WRONG_KEY = (403, "the key is wrong, or its user may not do this; nothing was changed", WRONG_KEY)
_NOT_CANCELED = (400, "the request cannot be read, or the order cannot be canceled", "the venue says no")
_UNKNOWN = (404, "none of the user's orders has this id", "orderid names none of your orders")
_OUR_FAULT = (
    500,
    "the engine or the venue is out of reach: nothing was done, or the outcome is not known, as is said",
    "the engine is away; nothing was sent to it",
)


def router(context: Context) -> APIRouter:
    """The paths of this dialect, served with `context`."""
    calls = Calls(context)
    paths = _Paths(context)
    paths.add("placeorder", questions.PlaceOrder, calls.place_order, replies.OneOrder, _NOT_READ)
    paths.add(
        "cancelorder",
        questions.CancelOrder,
        calls.cancel_order,
        replies.OneOrder,
        _NOT_CANCELED,
        _UNKNOWN,
        is_cancel=True,
    )
    paths.add(
        "cancelallorder",
        questions.CancelAllOrder,
        calls.cancel_all_orders,
        replies.CanceledAll,
        _NOT_READ,
        is_cancel=True,
    )
    paths.add("orderbook", questions.OrderBook, calls.order_book, replies.OrderBook, _NOT_READ)
    paths.add(
        "orderstatus", questions.OrderStatus, calls.order_status, replies.OrderStatus, _NOT_READ, _UNKNOWN
    )
    return paths.router


class _Paths:
    """Serves each call at its path, with and without a slash at the end, as a real server does."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.router = APIRouter(prefix=PREFIX)

    def add(
        self,
        name: str,
        model: type[_Asked],
        call: _Call[_Asked],
        answer: type[BaseModel],
        *errors: tuple[int, str, str],
        is_cancel: bool = False,
    ) -> None:
        """Serve `call`, which is asked a `model` and answers an `answer`, or one of `errors`."""

        async def handle(request: Request) -> Response:
            try:
                reply = await self._reply(request, model, call, is_cancel=is_cancel)
            except BadRequestError as error:
                reply = views.error(400, str(error))
            except EngineAwayError as error:
                reply = views.error(500, str(error))
            except Exception:
                log.exception("our mistake", path=request.url.path)
                reply = views.error(500, "an internal error; whether anything was done is not known")
            headers = None if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
            return Response(views.encode(reply.body), reply.status_code, headers, "application/json")

        self.router.add_api_route(
            f"/{name}",
            handle,
            methods=["POST"],
            name=name,
            summary=(model.__doc__ or "").strip(),
            response_class=Response,
            responses=_responses(answer, (*errors, _WRONG_KEY, _OUR_FAULT), is_cancel=is_cancel),
            openapi_extra={"requestBody": _request_body(model)},
        )
        self.router.add_api_route(f"/{name}/", handle, methods=["POST"], include_in_schema=False)

    async def _reply(
        self, request: Request, model: type[_Asked], call: _Call[_Asked], *, is_cancel: bool
    ) -> Reply:
        """The answer to a request. Raises BadRequestError and EngineAwayError."""
        said = questions.read_json(request.headers.get("content-type", ""), await request.body())
        api_key = said.get("apikey")
        if not isinstance(api_key, str) or not api_key:
            raise BadRequestError("apikey is missing, or is no text")
        who = self._context.identities.by_key(api_key)
        if who is None:
            return views.error(403, WRONG_KEY)
        asked = questions.read(model, said)
        if not is_cancel and (seconds := self._context.rates.wait(who.user_id)):
            return views.too_many(seconds)
        return await call(who, asked)


def _request_body(model: type[Question]) -> dict[str, Any]:
    schema = model.model_json_schema()
    example = {"apikey": "key37"}
    example |= {
        name: field["examples"][0] for name, field in schema["properties"].items() if "examples" in field
    }
    example.pop("trigger_price", None)  # the example is a LIMIT order
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _responses(
    answer: type[BaseModel], errors: tuple[tuple[int, str, str], ...], *, is_cancel: bool
) -> dict[int | str, dict[str, Any]]:
    described = {200: _response(answer, (answer.__doc__ or "").strip(), replies.EXAMPLES[answer])}
    for status_code, description, message in errors:
        example = {"status": "error", "message": message}
        described[status_code] = _response(replies.Error, description, example)
    if not is_cancel:
        described[429] = _response(
            replies.TooMany,
            "too many requests of this user; cancels are never refused so",
            replies.EXAMPLES[replies.TooMany],
        )
    return dict(sorted(described.items()))


def _response(model: type[BaseModel], description: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": model,
        "description": description,
        "content": {"application/json": {"example": example}},
    }
