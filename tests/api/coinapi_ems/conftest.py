"""A gateway that serves the API, and clients of this dialect."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from fixgw.config import load
from fixgw.edge.api.coinapi_ems.routes import router
from fixgw.edge.api.context import Context, Reference
from fixgw.edge.api.identity import Entry, Identities, Identity
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineLink
from tests.gateway import Gateway, free_port, write_config


def shim(gateway):
    port = free_port()
    config = load(gateway.config)
    started = threading.Event()

    def run():
        async def main():
            link = EngineLink(gateway.data, config.api.answer_seconds)
            linking = asyncio.ensure_future(link.run())
            entries = [
                Entry(
                    Identity(row.user, row.username),
                    row.password_hash,
                    row.api_key.get_secret_value()
                    if hasattr(row.api_key, "get_secret_value")
                    else row.api_key,
                    "s",
                )
                for row in config.api_user
            ]
            context = Context(
                "coinapi_ems",
                (1,),
                link,
                Reference(config),
                Identities(entries, time.time()),
                Tokens(1),
                Rates(200, 400),
                config.api,
            )
            app = FastAPI()
            app.include_router(router(context))
            server = uvicorn.Server(
                uvicorn.Config(app, port=port, log_level="warning", ws="websockets-sansio")
            )
            server.install_signal_handlers = lambda: None
            while not link.is_up:
                await asyncio.sleep(0.01)
            task = asyncio.ensure_future(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            started.set()
            await task

        asyncio.run(main())

    threading.Thread(target=run, daemon=True).start()
    started.wait(10)
    gateway.api_port = port


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("ems")
    config = write_config(directory / "config", ("answer_seconds = 10", "answer_seconds = 1"))
    with Gateway(directory / "data", config) as running:
        shim(running)
        yield running
