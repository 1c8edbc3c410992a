"""What a login tells the client of its user."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixgw.core.directory import Account, Directory, User
from fixgw.edge.api.alphapoint import login
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity

ACCOUNTS = [Account(14, 1), Account(15, 1), Account(20, 2), Account(21, 2)]


@pytest.mark.parametrize(
    ("oms_id", "accounts", "default", "told"),
    [
        (1, {14, 15}, 15, 15),
        (1, {14, 15, 20}, 20, 14),
        (2, {14, 20, 21}, 14, 20),
        (2, {14}, 14, 0),
        (1, set(), None, 0),
    ],
)
def test_the_account_is_on_the_oms_that_is_told(
    oms_id: int, accounts: set[int], default: int | None, told: int
) -> None:
    """The default account belongs to one OMS, and the dialect may reach another."""
    user = User(37, frozenset({1, 2}), frozenset(accounts), frozenset(), default)
    directory = Directory([], [], ACCOUNTS, [user], [])
    context = cast(
        Context,
        SimpleNamespace(
            omses=(oms_id,), reference=SimpleNamespace(directory=directory, email=lambda _: "a@example.com")
        ),
    )
    reply: Any = login.reply(context, login.LoggedIn(Identity(37, "trader37"), "token"))
    assert (reply["User"]["AccountId"], reply["User"]["OMSId"]) == (told, oms_id)
