"""Who may ask what: default deny first, then each rule; the eight rows of the documented truth table."""

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from fixgw.core.directory import CancelScope, Permission, User
from fixgw.core.permissions import (
    Ruling,
    may_cancel,
    may_cancel_all,
    may_enter,
    may_look,
    may_look_at,
    may_look_at_all,
    may_name,
    may_trade,
)
from fixgw.core.selector import CancelSelector
from tests.core.build import (
    BTC_USD,
    COLLEAGUE,
    FOREIGN,
    NOBODY,
    OPERATOR,
    PRIVATE,
    READER,
    SHARED,
    STRANGER,
    TRADER,
    UNKNOWN_ACCOUNT,
    UNKNOWN_USER,
    directory,
    order,
    user,
)

INSTRUMENT = frozenset({BTC_USD})
BY_ACCOUNT, BY_USER = CancelScope.ACCOUNT, CancelScope.USER


def outcome(ruling: Ruling) -> tuple[bool, str]:
    assert bool(ruling.why) is not ruling.allowed, "a no says why, a yes needs no words"
    return ruling.allowed, ruling.rule


# default deny


@pytest.mark.parametrize("scope", CancelScope)
@pytest.mark.parametrize("user_id", [NOBODY, READER])
def test_without_trading_or_operator_nothing_is_canceled_or_entered(user_id: int, scope: CancelScope) -> None:
    """No Trading and no Operator permission: nothing, not even one's own."""
    asker = user(user_id)
    no = (False, "no-permission")
    assert outcome(may_trade(asker)) == no
    assert outcome(may_cancel(asker, order(user_id=user_id), scope)) == no
    assert outcome(may_enter(asker, SHARED, user_id)) == no
    for account_id in (None, SHARED):
        for user_named in (None, user_id):
            for instruments in (None, INSTRUMENT):
                asked = CancelSelector(1, account_id, user_named, instruments)
                assert outcome(may_cancel_all(asker, asked, scope)) == no


def test_without_any_permission_nothing_is_seen() -> None:
    """Status is for Trading, Operator or AccountReadOnly: a user with none of them sees nothing."""
    asker = user(NOBODY)
    no = (False, "no-permission")
    assert outcome(may_look(asker)) == no
    assert outcome(may_look_at(asker, order(user_id=NOBODY))) == no
    assert outcome(may_look_at_all(asker, CancelSelector(1, SHARED, NOBODY))) == no


# the eight rows


class Row(NamedTuple):
    """A row of the truth table: what of user, account and instrument is named."""

    user: bool
    account: bool
    instrument: bool


TABLE = {
    Row(user=True, account=True, instrument=True): "account",
    Row(user=True, account=True, instrument=False): "account",
    Row(user=True, account=False, instrument=True): "user",
    Row(user=True, account=False, instrument=False): "user",
    Row(user=False, account=True, instrument=True): "account",
    Row(user=False, account=True, instrument=False): "account",
    Row(user=False, account=False, instrument=True): "nobody",
    Row(user=False, account=False, instrument=False): "nobody",
}
"""What a Trading user's right hangs on in each row: `if account is his`, `if user is himself`, or never."""


def asked(row: Row, user_id: int, account_id: int) -> CancelSelector:
    return CancelSelector(
        1,
        account_id if row.account else None,
        user_id if row.user else None,
        INSTRUMENT if row.instrument else None,
    )


def expected(row: Row, user_id: int, account_id: int) -> tuple[bool, str]:
    match TABLE[row]:
        case "account":
            own = account_id in (SHARED, PRIVATE)
            return (True, "own-account") if own else (False, "account-not-own")
        case "user":
            return (True, "own-user") if user_id == TRADER else (False, "user-not-self")
        case _:
            return False, "all-users-needs-operator"


def row_name(row: Row) -> str:
    return "".join(letter for letter, named in zip("UAI", row, strict=True) if named) or "nothing"


NAMED_USERS = [TRADER, COLLEAGUE, STRANGER, UNKNOWN_USER]
NAMED_ACCOUNTS = [SHARED, PRIVATE, FOREIGN, UNKNOWN_ACCOUNT]


@pytest.mark.parametrize("account_id", NAMED_ACCOUNTS)
@pytest.mark.parametrize("user_id", NAMED_USERS)
@pytest.mark.parametrize("row", TABLE, ids=row_name)
def test_the_eight_rows_for_a_trading_user(row: Row, user_id: int, account_id: int) -> None:
    """A Trading user: the account named must be his; without one, the user must be himself; else no."""
    ruling = may_cancel_all(user(TRADER), asked(row, user_id, account_id), BY_ACCOUNT)
    assert outcome(ruling) == expected(row, user_id, account_id)


@pytest.mark.parametrize("scope", CancelScope)
@pytest.mark.parametrize("account_id", NAMED_ACCOUNTS)
@pytest.mark.parametrize("user_id", NAMED_USERS)
@pytest.mark.parametrize("row", TABLE, ids=row_name)
def test_the_eight_rows_for_an_operator(row: Row, user_id: int, account_id: int, scope: CancelScope) -> None:
    """An Operator: yes in every row, whatever the scope of the others."""
    ruling = may_cancel_all(user(OPERATOR), asked(row, user_id, account_id), scope)
    assert outcome(ruling) == (True, "operator")


@pytest.mark.parametrize("account_id", NAMED_ACCOUNTS)
@pytest.mark.parametrize("user_id", NAMED_USERS)
@pytest.mark.parametrize("row", TABLE, ids=row_name)
def test_the_eight_rows_under_cancel_scope_user(row: Row, user_id: int, account_id: int) -> None:
    """Under "user", another user named, or an account named without a user, is 20."""
    ruling = may_cancel_all(user(TRADER), asked(row, user_id, account_id), BY_USER)
    if row.user and user_id == TRADER:
        assert outcome(ruling) == expected(row, user_id, account_id)
    else:
        assert outcome(ruling) == (False, "cancel-scope-user")


@pytest.mark.parametrize("user_id", [READER, TRADER])
@pytest.mark.parametrize("row", TABLE, ids=row_name)
def test_the_eight_rows_for_looking(row: Row, user_id: int) -> None:
    """A mass status request is allowed as a mass cancel is, and for AccountReadOnly too."""
    ruling = may_look_at_all(user(user_id), asked(row, user_id, SHARED))
    rules = {"account": (True, "own-account"), "user": (True, "own-user")}
    assert outcome(ruling) == rules.get(TABLE[row], (False, "all-users-needs-operator"))
    if row.account:
        assert outcome(may_look_at_all(user(user_id), asked(row, user_id, FOREIGN))) == (
            False,
            "account-not-own",
        )


@pytest.mark.parametrize("row", TABLE, ids=row_name)
def test_an_operator_looks_at_everything(row: Row) -> None:
    """An Operator sees what he may cancel: everything."""
    assert outcome(may_look_at_all(user(OPERATOR), asked(row, UNKNOWN_USER, FOREIGN))) == (True, "operator")


def test_side_and_strategy_grant_nothing() -> None:
    """What narrows a selector further does not make it allowed: asked must lie within granted."""
    narrow = CancelSelector(1, instrument_ids=INSTRUMENT, strategy="grid")
    assert outcome(may_cancel_all(user(TRADER), narrow, BY_ACCOUNT)) == (False, "all-users-needs-operator")


def test_operator_and_trading_together_are_an_operator() -> None:
    """An Operator who trades too is not narrowed by it."""
    both: User = replace(
        user(TRADER), permissions=frozenset({Permission.TRADING, Permission.OPERATOR}), user_id=77
    )
    assert outcome(may_cancel_all(both, CancelSelector(1), BY_USER)) == (True, "operator")
    assert outcome(may_cancel(both, order(account_id=FOREIGN), BY_USER)) == (True, "operator")


# one order

ONE_ORDER = [
    # who asks, the order's user and account, under "account", under "user"
    (TRADER, TRADER, SHARED, "own-order", "own-order"),
    (TRADER, TRADER, PRIVATE, "own-order", "own-order"),
    (TRADER, COLLEAGUE, SHARED, "own-account", "-cancel-scope-user"),
    (TRADER, STRANGER, FOREIGN, "-account-not-own", "-account-not-own"),
    (TRADER, TRADER, FOREIGN, "-account-not-own", "-account-not-own"),
    (COLLEAGUE, TRADER, SHARED, "own-account", "-cancel-scope-user"),
    (COLLEAGUE, TRADER, PRIVATE, "-account-not-own", "-account-not-own"),
    (STRANGER, TRADER, SHARED, "-account-not-own", "-account-not-own"),
    (OPERATOR, TRADER, SHARED, "operator", "operator"),
    (OPERATOR, STRANGER, FOREIGN, "operator", "operator"),
]


@pytest.mark.parametrize(("asker", "owner", "account_id", "under_account", "under_user"), ONE_ORDER)
def test_who_may_cancel_one_order(
    asker: int, owner: int, account_id: int, under_account: str, under_user: str
) -> None:
    """CancelOrder: Trading, only for an account he is associated with; Operator, any; "user" is stricter."""
    held = order(user_id=owner, account_id=account_id)
    for scope, rule in ((BY_ACCOUNT, under_account), (BY_USER, under_user)):
        wanted = (not rule.startswith("-"), rule.lstrip("-"))
        assert outcome(may_cancel(user(asker), held, scope)) == wanted


@pytest.mark.parametrize(
    ("asker", "owner", "account_id", "rule"),
    [
        (TRADER, TRADER, SHARED, "own-order"),
        (TRADER, TRADER, FOREIGN, "own-order"),
        (TRADER, COLLEAGUE, SHARED, "own-account"),
        (TRADER, STRANGER, FOREIGN, "-not-own"),
        (READER, TRADER, SHARED, "own-account"),
        (READER, TRADER, PRIVATE, "-not-own"),
        (STRANGER, TRADER, SHARED, "-not-own"),
        (OPERATOR, STRANGER, FOREIGN, "operator"),
    ],
)
def test_who_may_look_at_one_order(asker: int, owner: int, account_id: int, rule: str) -> None:
    """Status: within one's own orders and accounts."""
    ruling = may_look_at(user(asker), order(user_id=owner, account_id=account_id))
    assert outcome(ruling) == (not rule.startswith("-"), rule.lstrip("-"))


@pytest.mark.parametrize(
    ("asker", "owner", "account_id", "rule"),
    [
        (TRADER, TRADER, SHARED, "own-account"),
        (TRADER, TRADER, PRIVATE, "own-account"),
        (TRADER, TRADER, FOREIGN, "-account-not-own"),
        (TRADER, TRADER, UNKNOWN_ACCOUNT, "-account-not-own"),
        (TRADER, COLLEAGUE, SHARED, "-enter-for-other"),
        (TRADER, UNKNOWN_USER, SHARED, "-enter-for-other"),
        (OPERATOR, OPERATOR, SHARED, "operator"),
        (OPERATOR, TRADER, PRIVATE, "operator"),
    ],
)
def test_who_may_enter_an_order(asker: int, owner: int, account_id: int, rule: str) -> None:
    """D as CancelOrder: in one's own accounts; only an Operator enters for another user."""
    ruling = may_enter(user(asker), account_id, owner)
    assert outcome(ruling) == (not rule.startswith("-"), rule.lstrip("-"))


@pytest.mark.parametrize(
    ("user_id", "rule"), [(TRADER, "trading"), (OPERATOR, "operator"), (COLLEAGUE, "trading")]
)
def test_who_may_trade_at_all(user_id: int, rule: str) -> None:
    """Trading or Operator is what entering and canceling takes."""
    assert outcome(may_trade(user(user_id))) == (True, rule)


@pytest.mark.parametrize(
    ("user_id", "rule"), [(TRADER, "reader"), (READER, "reader"), (OPERATOR, "operator")]
)
def test_who_may_look_at_all(user_id: int, rule: str) -> None:
    """Trading, Operator or AccountReadOnly is what asking for status takes."""
    assert outcome(may_look(user(user_id))) == (True, rule)


# what may be named


NAMES = [
    # account and user named, under "account", under "user"
    (None, None, "own-orders", "own-orders"),
    (SHARED, None, "own-account", "own-account"),
    (FOREIGN, None, "-account-not-own", "-account-not-own"),
    (UNKNOWN_ACCOUNT, None, "-account-not-own", "-account-not-own"),
    (None, TRADER, "own-orders", "own-orders"),
    (None, COLLEAGUE, "own-orders", "-cancel-scope-user"),
    (None, STRANGER, "-user-not-in-reach", "-cancel-scope-user"),
    (None, UNKNOWN_USER, "-user-not-in-reach", "-cancel-scope-user"),
    (SHARED, COLLEAGUE, "own-account", "-cancel-scope-user"),
    (FOREIGN, TRADER, "-account-not-own", "-account-not-own"),
]


@pytest.mark.parametrize(("account_id", "owner_id", "under_account", "under_user"), NAMES)
def test_what_a_trading_user_may_name(
    account_id: int | None, owner_id: int | None, under_account: str, under_user: str
) -> None:
    """A named account or user outside his reach is 20, existing or not."""
    for scope, rule in ((BY_ACCOUNT, under_account), (BY_USER, under_user)):
        ruling = may_name(user(TRADER), account_id, owner_id, scope, directory())
        assert outcome(ruling) == (not rule.startswith("-"), rule.lstrip("-"))


@pytest.mark.parametrize("scope", CancelScope)
def test_an_operator_may_name_everything(scope: CancelScope) -> None:
    """An Operator reaches everything; what does not exist is told him as that."""
    ruling = may_name(user(OPERATOR), UNKNOWN_ACCOUNT, UNKNOWN_USER, scope, directory())
    assert outcome(ruling) == (True, "operator")


@pytest.mark.parametrize(
    ("one", "other"), [((FOREIGN, None), (UNKNOWN_ACCOUNT, None)), ((None, STRANGER), (None, UNKNOWN_USER))]
)
def test_not_yours_and_does_not_exist_are_one_answer(
    one: tuple[int | None, int | None], other: tuple[int | None, int | None]
) -> None:
    """Nothing leaks: the words differ in nothing but the number that was asked for."""

    def words(account_id: int | None, owner_id: int | None) -> tuple[str, str]:
        ruling = may_name(user(TRADER), account_id, owner_id, BY_ACCOUNT, directory())
        return ruling.rule, ruling.why.replace(str(account_id or owner_id), "N")

    assert words(*one) == words(*other)
