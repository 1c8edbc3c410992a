"""Faults in what is refused, and how: scenarios 501 to 569."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from fixgw.core import narrow, oms, permissions
from fixgw.core.decision import refuse
from fixgw.core.errors import Subject, not_found
from fixgw.core.events import CancelRequested, MassCancelRequested, OrderEntered
from fixgw.core.narrow import Asked
from fixgw.core.permissions import Ruling
from fixgw.core.requests import MassCancel, NewOrder
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.state import OmsState
from fixgw.engine.venues import Venues
from fixgw.fix import inbound
from fixgw.fix.fields import FieldError
from fixgw.fix.inbound import Inbound
from tests.mutants.orders import YES
from tests.mutants.shapes import Written, written
from tests.mutants.switch import add, fault

MISSING = {
    501: ScopeType.INSTRUMENT,
    502: ScopeType.UNDERLYING,
    503: ScopeType.PRODUCT,
    504: ScopeType.CFI_CODE,
    505: ScopeType.SECURITY_TYPE,
    506: ScopeType.TRADING_SESSION,
}
UNKNOWN = {number + 10: scope for number, scope in MISSING.items()}


def _missing_means_all(scenario: int, scope: ScopeType) -> None:
    def wrong(original: Any, self: Any, fields: dict[str, str], scope_type: str) -> Any:
        try:
            return original(self, fields, scope_type)
        except FieldError as error:
            if scope_type == scope.value and "is missing" in str(error):
                return Scope(ScopeType.ALL)
            raise

    def named() -> None: ...

    named.__name__ = f"missing_{scope.name.lower()}_means_all"
    named.__doc__ = f"Scope {scope.value} without its field cancels everything."
    add(scenario, Inbound, "_scope", wrong, named)


def _unknown_is_empty(scenario: int, scope: ScopeType) -> None:
    def wrong(original: Any, state: OmsState, request: Any, user: Any) -> Any:
        asked = original(state, request, user)
        if isinstance(asked, Asked) and request.scope.type is scope:
            return replace(asked, unknown=None)
        return asked

    def named() -> None: ...

    named.__name__ = f"unknown_{scope.name.lower()}_is_empty"
    named.__doc__ = f"Scope {scope.value} with a value that nobody knows is an empty success."
    add(scenario, oms, "read_selector", wrong, named)


for _number, _scope in MISSING.items():
    _missing_means_all(_number, _scope)
for _number, _scope in UNKNOWN.items():
    _unknown_is_empty(_number, _scope)


@fault(521, Scope, "problem")
def trading_session_beside_an_instrument_is_ignored(original: Any, self: Scope) -> Any:
    """Scope 1 with a TradingSessionID(336) is carried out without it."""
    is_meant = self.type is ScopeType.INSTRUMENT and self.trading_session_id is not None
    return None if is_meant else original(self)


@fault(522, Scope, "problem")
def symbol_beside_all_is_ignored(original: Any, self: Scope) -> Any:
    """Scope 7 with a Symbol(55) cancels everything."""
    return None if self.type is ScopeType.ALL and self.instrument.symbol is not None else original(self)


@fault(523, oms, "unsupported")
def what_cannot_be_honoured_is_ignored(original: Any, request: Any) -> Any:
    """A field that narrows, and that is not understood, is ignored."""
    return None if request.unsupported is not None else original(request)


@fault(524, Inbound, "_parties")
def other_roles_are_ignored(original: Any, self: Any, fields: dict[str, str], raw: str) -> Any:
    """A party with a PartyRole(452) that is not understood is ignored."""
    try:
        return original(self, fields, raw)
    except FieldError:
        return None, None


@fault(525, narrow, "oms_problem")
def other_markets_are_ignored(*_: Any) -> None:
    """A SecurityExchange(207) that nobody knows is ignored."""


@fault(526, oms, "unknown_names")
def unknown_account_is_empty(original: Any, state: Any, user: Any, _: Any, owner_id: Any) -> Any:
    """An account that does not exist is an empty success."""
    return original(state, user, None, owner_id)


@fault(527, oms, "unknown_names")
def unknown_user_is_empty(original: Any, state: Any, user: Any, account_id: Any, _: Any) -> Any:
    """A user who does not exist is an empty success."""
    return original(state, user, account_id, None)


@fault(528, oms, "_mass_cancel")
def existence_is_told(
    original: Any, state: OmsState, request: MassCancel, user: Any, at: datetime, number: int
) -> Any:
    """A trader learns which accounts there are."""
    if request.account_id is not None and request.account_id not in state.directory.accounts:
        refusal = not_found(f"Account(1)={request.account_id} is unknown", Subject.ACCOUNT)
        return refuse(request, refusal, at, "wrong")
    return original(state, request, user, at, number)


@fault(532, oms, "_mass_cancel")
def unknown_names_come_before_permission(
    original: Any, state: OmsState, request: MassCancel, user: Any, at: datetime, number: int
) -> Any:
    """An unknown underlying is told to somebody who may not ask at all."""
    asked = narrow.read_selector(state, request, user)
    if isinstance(asked, Asked) and asked.unknown is not None:
        return refuse(request, asked.unknown, at, "wrong")
    return original(state, request, user, at, number)


@written(541)
def unknown_symbol_is_other(report: Written) -> None:
    """OrdRejReason(103) of an order for an unknown symbol is 99."""
    if report.has((35, "8"), (103, "1")):
        report.put(103, "99")


def _granted(original: Any, rule: str, *args: Any) -> Ruling:
    ruling: Ruling = original(*args)
    return YES if ruling.rule == rule else ruling


@fault(542, permissions, "may_enter")
def orders_in_any_account(original: Any, *args: Any) -> Ruling:
    """Orders are entered in accounts of others."""
    return _granted(original, "account-not-own", *args)


@fault(543, permissions, "may_enter")
def readers_enter_orders(original: Any, *args: Any) -> Ruling:
    """Who may only look enters orders."""
    return _granted(original, "no-permission", *args)


@fault(544, permissions, "may_trade")
def readers_cancel_orders(*_: Any) -> Ruling:
    """Who may only look cancels orders."""
    return YES


@fault(545, permissions, "may_name")
def foreign_account_is_an_unknown_order(*_: Any) -> Ruling:
    """A cancel that names an account of somebody else is rejected as unknown, not as not authorized."""
    return YES


def _quantity_of_one(original: Any, msg_type: str, self: Any, fields: dict[str, str], tag: str) -> Any:
    found = original(self, fields, tag)
    return Decimal(1) if found is None and tag == "38" and fields["35"] == msg_type else found


@fault(546, Inbound, "_quantity")
def order_of_one_by_default(original: Any, self: Any, fields: dict[str, str], tag: str) -> Any:
    """An order without an OrderQty(38) is one for 1."""
    return _quantity_of_one(original, "D", self, fields, tag)


@fault(547, Inbound, "_quantity")
def cancel_without_a_quantity_is_taken(original: Any, self: Any, fields: dict[str, str], tag: str) -> Any:
    """A cancel needs no OrderQty(38)."""
    return _quantity_of_one(original, "F", self, fields, tag)


@fault(548, Inbound, "_instrument")
def cancel_without_an_instrument_is_taken(original: Any, self: Any, fields: Any, **_: Any) -> Any:
    """A cancel needs no instrument."""
    return original(self, fields, needed=fields["35"] == "D")


@fault(549, Inbound, "_unsupported")
def conditions_of_an_order_are_ignored(*_: Any) -> None:
    """An order with a MinQty(110) is entered without it."""


@fault(550, inbound, "_check_price")
def stop_without_a_price_is_taken(original: Any, label: str, value: Any, *args: Any, needed: bool) -> None:
    """A stop order needs no StopPx(99)."""
    original(label, value, *args, needed=needed and not label.startswith("StopPx"))


@fault(551, inbound, "_check_price")
def limit_without_a_price_is_taken(original: Any, label: str, value: Any, *args: Any, needed: bool) -> None:
    """A limit order needs no Price(44)."""
    original(label, value, *args, needed=needed and not label.startswith("Price"))


@fault(552, Inbound, "_id")
def ids_with_spaces_are_taken(_: Any, __: Any, fields: dict[str, str], tag: str) -> str:
    """An id that cannot be sent back as it came is taken."""
    return fields[tag].replace(" ", "_")


@written(553)
def nothing_named_is_unknown(report: Written) -> None:
    """A cancel that names no order has CxlRejReason(102)=1."""
    if report.has((35, "9"), (41, "NONE")):
        report.put(102, "1")


@written(554)
def text_without_a_code(report: Written) -> None:
    """Text(58) of a refusal does not have its code."""
    said = report.get(58)
    if said is not None and "(errorcode" in said:
        report.put(58, said.partition(": ")[2])


@fault(555, oms, "_no_such_order")
def another_users_order_is_told(
    original: Any, state: OmsState, request: Any, user: Any, at: Any, no: Any
) -> Any:
    """A cancel of somebody else's order says that there is one."""
    if state.book.named(request.orig_cl_ord_id or ""):
        refusal = not_found("OrigClOrdID(41) names an order of another user", Subject.ORDER)
        return refuse(request, refusal, at, "wrong")
    return original(state, request, user, at, no)


@written(556)
def refused_order_has_an_id(report: Written) -> None:
    """OrderID(37) of an order that was not entered is a number."""
    if report.has((35, "8"), (150, "8"), (37, "NONE")):
        report.put(37, "1")


@written(557)
def refused_order_leaves_something(report: Written) -> None:
    """LeavesQty(151) of an order that was not entered is its OrderQty(38)."""
    if report.has((35, "8"), (150, "8"), (37, "NONE")):
        report.put(151, report.get(38) or "")


@written(558)
def refusal_counts_none(report: Written) -> None:
    """A refused mass cancel has a TotalAffectedOrders(533), as if it had been carried out."""
    if report.has((35, "r"), (531, "0")):
        report.put(533, "0")


@written(559)
def unsupported_type_is_other(report: Written) -> None:
    """BusinessRejectReason(380) of a message type that is not supported is 0."""
    if report.has((35, "j"), (380, "3")):
        report.put(380, "0")


@fault(560, Inbound, "_unsupported")
def other_times_in_force_are_day(original: Any, self: Any, fields: dict[str, str]) -> Any:
    """An immediate or cancel order rests for the day."""
    return original(self, {tag: value for tag, value in fields.items() if tag != "59"})


@written(561)
def refused_cancel_has_no_order_id(report: Written) -> None:
    """OrderID(37) of a reject is NONE although the order is known."""
    if report.has((35, "9")):
        report.put(37, "NONE")


@written(562)
def reference_is_not_given(report: Written) -> None:
    """RefSeqNum(45) of a BusinessMessageReject(j) is another number."""
    if report.has((35, "j")):
        report.put(45, "1")


def _away(scenario: int, kind: type) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """What an event of this `kind` needs of the venue is not waited for, though it is out of reach."""

    def register(named: Callable[[], None]) -> Callable[[], None]:
        def wrong(original: Any, self: Venues, state: OmsState, decision: Any, now: datetime) -> Any:
            is_meant = any(isinstance(event, kind) for event in decision.events)
            return None if is_meant else original(self, state, decision, now)

        add(scenario, Venues, "away", wrong, named)
        return named

    return register


@_away(571, OrderEntered)
def orders_are_taken_for_a_lost_venue() -> None:
    """An order is acknowledged although its venue cannot be reached."""


@_away(572, CancelRequested)
def cancels_are_taken_for_a_lost_venue() -> None:
    """A cancel is said to be done although the venue cannot be reached."""


@_away(573, MassCancelRequested)
def mass_cancels_are_taken_for_a_lost_venue() -> None:
    """A mass cancel is said to be done although the venue cannot be reached."""


@fault(574, oms, "new_order")
def account_of_the_user_by_default(
    original: Any, state: OmsState, request: NewOrder, user: Any, at: datetime, number: int
) -> Any:
    """An operator's order for a user that names no account goes into the user's default one."""
    owner = state.users.get(request.owner_id or 0)
    if request.account_id is None and owner is not None:
        request = replace(request, account_id=owner.default_account_id)
    return original(state, request, user, at, number)
