"""The venue cases on a venue that speaks alphapoint: another gateway, over sockets."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from tests.gateway import until
from tests.venue_cases.cases import Case, cases_for
from tests.venue_cases.stage import SLOW_SECONDS, Stage, opened
from tests.wire import Message, fresh, mass, order, user

OWNED = (
    (37, 14, "BTC-USD"),
    (37, 14, "ETH-USD"),
    (37, 15, "BTC-USD"),
    (37, 15, "ETH-USD"),
    (38, 14, "BTC-USD"),
    (38, 14, "ETH-USD"),
    (39, 16, "BTC-USD"),
)
"""An order each: of this user, in this account, of this instrument."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all cases."""
    with opened("alphapoint", tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.mark.parametrize("case", cases_for("alphapoint"), ids=str)
def test_case(stage: Stage, case: Case) -> None:
    """Each of the list."""
    case.run(stage)


@pytest.mark.parametrize("row", list(product((True, False), repeat=3)), ids=str)
def test_no_row_of_the_selector_reaches_further_than_it_says(
    stage: Stage, row: tuple[bool, bool, bool]
) -> None:
    """User, account and instrument, named or not: exactly those orders, here and on the venue."""
    stage.begin()
    operator = stage.operator
    prices: dict[Decimal, tuple[int, int, str]] = {stage.price(): owned for owned in OWNED}
    for price, (user_id, account, symbol) in prices.items():
        named = (*user(user_id), (1, account), (44, price))
        operator.send("D", *order(fresh("o"), *named, symbol=symbol))
        stage.until(operator, lambda one: one.get(150) == "0")
    before = stage.seen()
    wanted = [37 if row[0] else None, 14 if row[1] else None, "BTC-USD" if row[2] else None]
    inside = {
        price
        for price, owned in prices.items()
        if all(want in (None, has) for want, has in zip(wanted, owned, strict=True))
    }
    if not row[0] and not row[1]:
        inside.add(stage.outside.price)  # entered on the venue, it belongs to nobody
    fields = (*(user(37) if row[0] else ()), *(((1, 14),) if row[1] else ()))
    fields = (*fields, *(((55, "BTC-USD"),) if row[2] else ()))
    operator.send("q", *mass(name := fresh("q"), "1" if row[2] else "7", *fields))
    assert stage.until(operator, lambda one: one.type == "r")[-1][533] == str(len(inside))
    ends: list[Decimal] = []

    def is_last(one: Message) -> bool:
        if one.get(150) != "6":
            assert (one[11], one.get(150)) == (name, "4"), one
            ends.append(Decimal(one[44]))
        return len(ends) == len(inside)

    stage.until(operator, is_last)
    assert set(ends) == inside
    left = {entry for entry in before if entry.price not in inside}
    until(lambda: stage.seen() == stage.there() == left, SLOW_SECONDS)
    if stage.outside.price in inside:
        stage.put_outside()
