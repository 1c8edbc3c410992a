"""Who may ask what: what is asked must lie within what is granted. Default is no.

Source: the truth table of CancelAllOrders and the permission notes of CancelOrder in the API document.
"""

from msgspec import Struct

from fixgw.core.directory import CancelScope, Directory, User
from fixgw.core.order import Order
from fixgw.core.selector import CancelSelector


class Ruling(Struct, frozen=True, gc=False):
    """A decision, the name of the rule that made it, and for a no, why, in a person's words."""

    allowed: bool
    rule: str
    why: str = ""


def _yes(rule: str) -> Ruling:
    return Ruling(True, rule)


def _no(rule: str, why: str) -> Ruling:
    return Ruling(False, rule, why)


_OPERATOR = _yes("operator")
_TRADER = _yes("trading")
_OWN_ORDER = _yes("own-order")
_OWN_ACCOUNT = _yes("own-account")


def may_trade(user: User) -> Ruling:
    """Whether `user` may enter or cancel anything at all."""
    if user.is_operator:
        return _OPERATOR
    if user.is_trader:
        return _TRADER
    return _no("no-permission", f"user {user.user_id} has neither the Trading nor the Operator permission")


def may_look(user: User) -> Ruling:
    """Whether `user` may ask for the state of anything at all."""
    if user.is_operator:
        return _OPERATOR
    if user.permissions:
        return _yes("reader")
    return _no("no-permission", f"user {user.user_id} has no permission")


def may_cancel_all(user: User, selector: CancelSelector, cancel_scope: CancelScope) -> Ruling:
    """Whether `user` may cancel what `selector` names: the eight rows of the truth table."""
    may = may_trade(user)
    if not may.allowed or user.is_operator:
        return may
    if cancel_scope is CancelScope.USER and selector.user_id != user.user_id:
        return _no("cancel-scope-user", "only an operator cancels the orders of another user")
    return _within_reach(user, selector)


def may_look_at_all(user: User, selector: CancelSelector) -> Ruling:
    """Whether `user` may see the open orders that `selector` names: the same rows, readers included."""
    may = may_look(user)
    if not may.allowed or user.is_operator:
        return may
    return _within_reach(user, selector)


def _within_reach(user: User, selector: CancelSelector) -> Ruling:
    if selector.account_id is not None:
        if selector.account_id in user.account_ids:
            return _OWN_ACCOUNT
        return _no("account-not-own", f"Account(1)={selector.account_id} is not an account of this user")
    if selector.user_id is not None:
        if selector.user_id == user.user_id:
            return _yes("own-user")
        return _no("user-not-self", f"user {selector.user_id} is not this user")
    return _no("all-users-needs-operator", "all users of the OMS can be named by an operator only")


def may_cancel(user: User, order: Order, cancel_scope: CancelScope) -> Ruling:
    """Whether `user` may cancel `order`. For a Trading user a no means that he must not learn of it."""
    may = may_trade(user)
    if not may.allowed or user.is_operator:
        return may
    if order.account_id not in user.account_ids:
        return _no("account-not-own", "the order is in no account of this user")
    if order.user_id == user.user_id:
        return _OWN_ORDER
    if cancel_scope is CancelScope.USER:
        return _no("cancel-scope-user", "the order belongs to another user")
    return _OWN_ACCOUNT


def may_look_at(user: User, order: Order) -> Ruling:
    """Whether `user` may see `order`: his own orders and those in his accounts."""
    may = may_look(user)
    if not may.allowed or user.is_operator:
        return may
    if order.user_id == user.user_id:
        return _OWN_ORDER
    if order.account_id in user.account_ids:
        return _OWN_ACCOUNT
    return _no("not-own", "the order is neither his nor in one of his accounts")


def may_enter(user: User, account_id: int, owner_id: int) -> Ruling:
    """Whether `user` may enter an order for the user `owner_id` in the account `account_id`."""
    may = may_trade(user)
    if not may.allowed or user.is_operator:
        return may
    if owner_id != user.user_id:
        return _no("enter-for-other", "only an operator enters orders for another user")
    if account_id in user.account_ids:
        return _OWN_ACCOUNT
    return _no("account-not-own", f"Account(1)={account_id} is not an account of this user")


def may_name(
    user: User, account_id: int | None, owner_id: int | None, cancel_scope: CancelScope, directory: Directory
) -> Ruling:
    """Whether `user` may name this account and user at all when he asks for one order.

    A no hides whether they exist: "not yours" and "does not exist" are one answer.
    """
    if user.is_operator:
        return _OPERATOR
    if owner_id is not None and owner_id != user.user_id and cancel_scope is CancelScope.USER:
        return _no("cancel-scope-user", "only an operator cancels the orders of another user")
    if account_id is not None:
        if account_id in user.account_ids:
            return _OWN_ACCOUNT
        return _no("account-not-own", f"Account(1)={account_id} is not an account of this user")
    if owner_id is not None and not directory.shares_account(user, owner_id):
        return _no("user-not-in-reach", f"user {owner_id} shares no account with this user")
    return _yes("own-orders")
