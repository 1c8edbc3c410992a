"""The selector: six dimensions, all conjunctive; None matches everything."""

from typing import Any

import pytest

from fixgw.core.order import Side
from fixgw.core.selector import CancelSelector
from tests.core.build import BTC_PERP, BTC_USD, ETH_USD, FOREIGN, SHARED, STRANGER, TRADER, order

OWN: dict[str, Any] = {
    "oms_id": 1,
    "account_id": SHARED,
    "user_id": TRADER,
    "instrument_ids": frozenset({BTC_USD, BTC_PERP}),
    "side": Side.BUY,
    "strategy": "grid",
}
"""Every dimension set to what the order has."""

OTHER: dict[str, Any] = {
    "oms_id": 2,
    "account_id": FOREIGN,
    "user_id": STRANGER,
    "instrument_ids": frozenset({ETH_USD}),
    "side": Side.SELL,
    "strategy": "twap",
}
"""Every dimension set to what the order has not."""


def test_all_dimensions_together_match() -> None:
    """A selector names the orders that have everything it gives."""
    assert CancelSelector(**OWN).matches(order(strategy="grid"))


@pytest.mark.parametrize("dimension", OTHER)
def test_one_dimension_that_differs_is_enough(dimension: str) -> None:
    """The dimensions are conjunctive: one that does not fit, and the order is not named."""
    selector = CancelSelector(**OWN | {dimension: OTHER[dimension]})
    assert not selector.matches(order(strategy="grid"))


@pytest.mark.parametrize("dimension", [name for name in OTHER if name != "oms_id"])
def test_each_dimension_alone(dimension: str) -> None:
    """Each dimension narrows by itself, in both directions."""
    fits: dict[str, Any] = {"oms_id": 1, dimension: OWN[dimension]}
    fits_not: dict[str, Any] = {"oms_id": 1, dimension: OTHER[dimension]}
    assert CancelSelector(**fits).matches(order(strategy="grid"))
    assert not CancelSelector(**fits_not).matches(order(strategy="grid"))


def test_none_matches_everything_but_another_oms() -> None:
    """CancelAllOrders without account, user and instrument is everything on the OMS, and on no other."""
    assert CancelSelector(1).matches(order())
    assert not CancelSelector(2).matches(order())


def test_an_empty_set_of_instruments_matches_nothing() -> None:
    """A set of no instruments is not the absence of the dimension: it names no order."""
    assert not CancelSelector(1, instrument_ids=frozenset()).matches(order())


def test_a_label_that_the_order_does_not_carry() -> None:
    """A strategy asked for does not match an order without one."""
    assert not CancelSelector(1, strategy="grid").matches(order())
