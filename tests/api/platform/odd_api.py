"""`fixgw` with an API of the tests' own. Arguments: how, and then the command line of `fixgw` or the API.

routes        speaks the tests' dialect in place of the documented ones
crash         the same, but ends with 1 when it is to listen and there is a file `crash` in the data directory
exit-N        ends with the exit code N instead of starting
"""

import os
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from fixgw import cli, supervisor
from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import OrdType, Side, TimeInForce
from fixgw.core.requests import NewOrder
from fixgw.edge.api import __main__ as api
from fixgw.edge.api.context import Context
from fixgw.edge.api.dialects import DIALECTS, Dialect
from fixgw.edge.api.identity import Identity
from fixgw.edge.api.server import Server

COMMAND = (sys.executable, "-m", "tests.api.platform.odd_api")


async def known(context: Context, headers: Mapping[str, str]) -> Identity | None:
    """Whom a request is of, by the first way of showing it that it uses."""
    if "token" in headers:
        return context.tokens.find(headers["token"])
    if "password" in headers:
        return await context.identities.by_password(headers["username"], headers["password"], "192.0.2.1")
    if "signature" in headers:
        key, user, nonce = headers["key"], headers["user"], headers["nonce"]
        return context.identities.by_signature(key, user, nonce, headers["signature"])
    return context.identities.by_key(headers.get("key", ""))


def routes(context: Context) -> APIRouter:
    """Who one is, and a new order."""
    router = APIRouter()

    @router.get("/who")
    async def who(request: Request) -> JSONResponse:
        identity = await known(context, request.headers)
        if identity is None:
            return JSONResponse({"who": None}, 401)
        names = (context.reference.user_name(identity.user_id), context.reference.email(identity.user_id))
        return JSONResponse(
            {"who": identity.username, "token": context.tokens.issue(identity), "names": names}
        )

    @router.post("/order")
    async def order(request: Request) -> JSONResponse:
        identity = await known(context, request.headers)
        assert identity is not None
        asked = NewOrder(
            user_id=identity.user_id,
            oms=OmsName(oms_id=context.omses[0]),
            account_id=14,
            cl_ord_id=None,
            instrument=InstrumentName(symbol="BTC-USD"),
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY,
            order_qty=Decimal(1),
            price=Decimal(100),
        )
        answered = await context.engine.ask(context.door, asked)
        return JSONResponse({"refused": answered.refusal is not None})

    return router


def main() -> None:
    """Run the supervisor with such an API, or the API itself."""
    how, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    if arguments[0] == "serve":
        supervisor.API = (*COMMAND, how)
        cli.main()
        return
    if how.startswith("exit-"):
        os._exit(int(how.removeprefix("exit-")))
    (data,) = (word.removeprefix("--data=") for word in arguments if word.startswith("--data="))
    listen = Server.listen

    def listen_or_crash(self: Server) -> None:
        if how == "crash" and (Path(data) / "crash").exists():
            os._exit(1)
        listen(self)

    Server.listen = listen_or_crash  # type: ignore[method-assign]
    DIALECTS["alphapoint"] = Dialect(routes, "The tests' own.")
    sys.exit(api.main())


if __name__ == "__main__":
    main()
