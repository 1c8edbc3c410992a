"""The page that describes the API: every call, every reply that it can have, and examples that are true."""

from typing import Any

import pytest
from fastapi import FastAPI

from fixgw.config import load
from fixgw.edge.api.coinapi_ems import models
from fixgw.edge.api.coinapi_ems.problems import RejectReason
from fixgw.edge.api.coinapi_ems.reading import (
    CANCEL_ALL_KEYS,
    CANCEL_KEYS,
    NEW_ORDER_KEYS,
)
from fixgw.edge.api.coinapi_ems.routes import router
from fixgw.edge.api.context import Context, Reference
from fixgw.edge.api.identity import Identities
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineLink
from tests.gateway import ROOT

CALLS = {
    ("post", "/v1/orders/cancel/all"): {"200", "400", "401", "490", "500", "504"},
    ("post", "/v1/orders/cancel"): {"200", "400", "401", "404", "490", "500", "504"},
    ("post", "/v1/orders"): {"200", "400", "401", "429", "490", "500", "504"},
    ("get", "/v1/orders"): {"200", "400", "401", "429", "490", "500"},
    ("get", "/v1/orders/status/{client_order_id}"): {"200", "400", "401", "404", "429", "490", "500"},
}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    config = load(ROOT / "config" / "gateway.toml")
    context = Context(
        "coinapi_ems",
        (1,),
        EngineLink(ROOT, 1),
        Reference(config),
        Identities([], 0.0),
        Tokens(1),
        Rates(1, 1),
        config.api,
    )
    app = FastAPI()
    app.include_router(router(context))
    return app.openapi()


def test_every_call_is_there_with_its_replies_and_its_keys(page: dict[str, Any]) -> None:
    found = {
        (method, path): set(call["responses"])
        for path, methods in page["paths"].items()
        for method, call in methods.items()
    }
    assert found == CALLS
    schemes = page["components"]["securitySchemes"]
    assert {(scheme["in"], scheme["name"]) for scheme in schemes.values()} == {
        ("header", "X-CoinAPI-Key"),
        ("query", "apikey"),
    }
    for methods in page["paths"].values():
        for call in methods.values():
            assert len(call["security"]) == 2  # either of them


def test_the_models_of_requests_have_the_keys_that_are_read() -> None:
    for model, keys in (
        (models.NewOrderRequest, NEW_ORDER_KEYS),
        (models.CancelRequest, CANCEL_KEYS),
        (models.CancelAllRequest, CANCEL_ALL_KEYS),
    ):
        assert model.model_fields.keys() == keys


def test_every_example_fits_its_model() -> None:
    models.NewOrderRequest.model_validate(models.REQUEST_EXAMPLE)
    models.OrderExecutionReport.model_validate(models.REPORT_EXAMPLE)
    models.OrderExecutionReport.model_validate(models.CANCELED_EXAMPLE)
    models.Message.model_validate(models.MESSAGE_EXAMPLE)
    models.MessageReject.model_validate(models.REJECT_EXAMPLE)
    models.ValidationError.model_validate(models.ERROR_EXAMPLE)


@pytest.mark.parametrize("reason", RejectReason)
def test_every_reason_is_in_the_model(reason: RejectReason) -> None:
    models.MessageReject.model_validate(models.REJECT_EXAMPLE | {"reject_reason": reason.value})
