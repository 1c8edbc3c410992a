"""New reference data in place of the old: what changes between two requests, and what waits for a start."""

from datetime import time

from msgspec.structs import replace

from fixgw.core.directory import Account, Directory, Oms, Permission, Session, User
from fixgw.core.update import Update, update_of
from tests.core.build import FOREIGN, PRIVATE, SHARED, STRANGER, TRADER, reference


def edited(
    *,
    users: dict[int, User | None] | None = None,
    sessions: dict[str, Session | None] | None = None,
    accounts: dict[int, Account | None] | None = None,
    omses: tuple[Oms, ...] = (),
) -> Directory:
    """The reference data with what a test changes; None takes something out."""
    old = reference()
    return Directory(
        (*old.omses.values(), *omses),
        old.instruments.values(),
        [row for row in {**old.accounts, **(accounts or {})}.values() if row is not None],
        [row for row in {**old.users, **(users or {})}.values() if row is not None],
        [row for row in {**old.sessions, **(sessions or {})}.values() if row is not None],
    )


def taken(update: Update) -> Directory:
    """The reference data after the update."""
    directory = reference()
    directory.take(update.accounts, update.users, update.sessions)
    return directory


def test_the_same_again_changes_nothing() -> None:
    """A file that was touched and not edited."""
    update = update_of(reference(), reference())
    assert (update.changes, update.left) == ((), ())
    assert taken(update).users == reference().users


def test_what_a_user_may_changes_at_once() -> None:
    """Permissions, accounts and the default account, each said with what it was and is."""
    trader = replace(
        reference().users[TRADER],
        permissions=frozenset({Permission.OPERATOR}),
        account_ids=frozenset({PRIVATE}),
        default_account_id=None,
    )
    update = update_of(reference(), edited(users={TRADER: trader}, accounts={17: Account(17, 1)}))
    assert taken(update).users[TRADER] == trader
    assert taken(update).users[TRADER].is_operator
    assert update.changes == (
        "account 17 added",
        "user 37 account_ids: [14, 15] -> [15]",
        "user 37 permissions: [Trading] -> [Operator]",
        "user 37 default_account_id: 14 -> none",
    )
    assert update.left == ()


def test_a_session_changes_but_for_its_resets() -> None:
    """Whose it is and how it is answered change at once; `reset_at` is planned at a start."""
    session = reference().sessions["TRADER37"]
    new = replace(session, user_id=STRANGER, extended=True, orders_per_second=5, reset_at=time(22))
    update = update_of(reference(), edited(sessions={"TRADER37": new}))
    assert taken(update).sessions["TRADER37"] == replace(new, reset_at=None)
    assert update.changes == (
        "session TRADER37 user_id: 37 -> 39",
        "session TRADER37 extended: False -> True",
        "session TRADER37 orders_per_second: 0 -> 5",
    )
    assert update.left == ("session TRADER37 reset_at: none -> 22:00:00",)


def test_sessions_come_and_go_with_a_start() -> None:
    """Until then one that goes stays, with the user that it belongs to; one that comes is not there."""
    new = edited(
        users={STRANGER: None},
        accounts={FOREIGN: None},
        sessions={"TRADER39": None, "NEW": Session("NEW", TRADER, 1)},
    )
    update = update_of(reference(), new)
    assert taken(update).sessions == reference().sessions
    assert taken(update).users[STRANGER] == reference().users[STRANGER]
    assert FOREIGN not in taken(update).accounts
    assert update.changes == ("account 16 removed",)
    assert update.left == ("session TRADER39 removed", "session NEW added")


def test_a_session_on_an_oms_that_is_not_there_yet_stays_where_it_is() -> None:
    """The new OMS comes with a start, and the session with it."""
    session = replace(reference().sessions["TRADER37"], oms_id=2, extended=True)
    update = update_of(reference(), edited(sessions={"TRADER37": session}, omses=(Oms(2, "NEW"),)))
    assert taken(update).sessions["TRADER37"] == reference().sessions["TRADER37"]
    assert update.changes == ()
    assert update.left == (
        "session TRADER37 oms_id: 1 -> 2",
        "session TRADER37 extended: False -> True",
        "oms 2 added",
    )


def test_a_user_goes_when_no_session_is_his() -> None:
    """His orders stay, as after a start."""
    colleague = Session("TRADER39", TRADER, 1)
    update = update_of(reference(), edited(users={STRANGER: None}, sessions={"TRADER39": colleague}))
    assert STRANGER not in taken(update).users
    assert "user 39 removed" in update.changes
    assert SHARED in taken(update).accounts
