"""What one port serves: the routes of its dialects, and a page that documents them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from msgspec import Struct
from starlette.types import ASGIApp

from fixgw import __version__
from fixgw.edge.api.context import Context
from fixgw.edge.api.dialects import Dialect
from fixgw.edge.api.guard import Guard

PAGE_FILES = Path(fastapi_offline.__file__).parent / "static"
PAGE_PATH = "/docs/files"
ABOUT = """A gateway that translates cancels. On this port it speaks the dialects below, all of them over the
same orders that FIX clients see. Each says how one logs in: users, passwords, keys and secrets are those of
`[[api_user]]` in the configuration. What is refused before a dialect sees it is JSON with a `detail`."""


class Served(Struct, frozen=True):
    """A [[dialect]] of a port: its name, the `path` in front of its routes, and what it works with."""

    name: str
    path: str
    context: Context


def build(served: Sequence[Served], dialects: Mapping[str, Dialect], body_bytes_max: int) -> ASGIApp:
    """The application of a port. Those of `served` that are not in `dialects` are left out."""
    here = [
        (row, f"{row.name} {row.path}".rstrip(), dialects[row.name]) for row in served if row.name in dialects
    ]
    app = FastAPI(
        title="fixgw",
        version=__version__,
        description=ABOUT,
        openapi_tags=[{"name": tag, "description": dialect.about} for _, tag, dialect in here],
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="fixgw",
            swagger_js_url=f"{PAGE_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{PAGE_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{PAGE_PATH}/favicon.png",
        )

    @app.exception_handler(Exception)
    async def our_mistake(_: Request, __: Exception) -> JSONResponse:  # the guard logs it
        return JSONResponse({"detail": "our own mistake; the gateway's log has it"}, 500)

    app.mount(PAGE_PATH, StaticFiles(directory=PAGE_FILES))
    for row, tag, dialect in here:
        app.include_router(dialect.router(row.context), prefix=row.path, tags=[tag])
    return Guard(app, body_bytes_max)
