"""The whole core against an independent model of the truth table, over random histories of several users.

The model knows orders as rows and rights as sets; it shares no code with the core. After every step it is
compared who lost which order, which cancels are pending, and what each session was told about its end.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fixgw.core.day import end_day, expire
from fixgw.core.directory import CancelScope, InstrumentName
from fixgw.core.order import OrdStatus, OrdType, Side, TimeInForce
from fixgw.core.reports import CancelReject, ExecType, Execution, MassCancelReport
from fixgw.core.requests import FillOrder, MassCancel, OrderAnswer, TriggerOrder
from fixgw.core.scope import Scope, ScopeType
from fixgw.core.selector import CancelSelector
from tests.core.build import (
    BTC_PERP,
    BTC_USD,
    COLLEAGUE,
    ETH_USD,
    FOREIGN,
    NOBODY,
    OPERATOR,
    PRIVATE,
    READER,
    SESSIONS,
    SHARED,
    STRANGER,
    TRADER,
    Bench,
    cancel,
    directory,
    mass_cancel,
    new_order,
    state,
)

ACCOUNTS_OF = {TRADER: {SHARED, PRIVATE}, COLLEAGUE: {SHARED}, STRANGER: {FOREIGN}}
DEFAULT_ACCOUNTS = {TRADER: SHARED, COLLEAGUE: SHARED, STRANGER: FOREIGN}
WHOLE_OMS_BY_DEFAULT = {COLLEAGUE, OPERATOR}
SCOPES: dict[str, tuple[Scope, set[int]]] = {
    "all": (Scope(ScopeType.ALL), {BTC_USD, ETH_USD, BTC_PERP}),
    "ETH-USD": (Scope(ScopeType.INSTRUMENT, InstrumentName("ETH-USD")), {ETH_USD}),
    "underlying BTC": (Scope(ScopeType.UNDERLYING, underlying_symbol="BTC"), {BTC_USD, BTC_PERP}),
    "type FOR": (Scope(ScopeType.SECURITY_TYPE, InstrumentName(security_type="FOR")), {BTC_USD, ETH_USD}),
    "session EVENING": (Scope(ScopeType.TRADING_SESSION, trading_session_id="EVENING"), {BTC_PERP}),
}
SYMBOLS = {BTC_USD: "BTC-USD", ETH_USD: "ETH-USD", BTC_PERP: "BTC-PERP"}

askers = st.sampled_from([TRADER, COLLEAGUE, STRANGER, OPERATOR, READER, NOBODY])
traders = st.sampled_from([TRADER, COLLEAGUE, STRANGER])
accounts = st.sampled_from([SHARED, PRIVATE, FOREIGN])
picks = st.integers(0, 1_000)


class Row(NamedTuple):
    """An open order as the model knows it."""

    user: int
    account: int
    instrument: int
    side: str


def reach(
    rows: dict[int, Row],
    asker: int,
    user: int | None,
    account: int | None,
    instruments: set[int],
    side: str | None,
) -> set[int] | None:
    """The truth table: the orders that `asker` loses for himself or others; None for Not Authorized."""
    if asker != OPERATOR:
        if asker not in ACCOUNTS_OF or (account is None and user != asker):
            return None
        if account is not None and account not in ACCOUNTS_OF[asker]:
            return None
    return {
        number
        for number, row in rows.items()
        if user in (None, row.user) and account in (None, row.account) and row.instrument in instruments
        if side in (None, row.side)
    }


def reaches(row: Row, asker: int, *, own_only: bool) -> bool:
    """CancelOrder: Operator, any; Trading, in one's own accounts, and under "user" one's own orders."""
    own = row.account in ACCOUNTS_OF.get(asker, set())
    return asker == OPERATOR or (own and (not own_only or row.user == asker))


class Gateway(RuleBasedStateMachine):
    """Random D, F, q, fills, triggers, refusals, holds and ends of day, from several users."""

    @initialize(scope=st.sampled_from(list(CancelScope)), always=st.booleans(), extended=st.booleans())
    def start(self, scope: CancelScope, *, always: bool, extended: bool) -> None:
        data = directory(
            cancel_scope=scope, sessions={name: {"extended": extended} for name in SESSIONS.values()}
        )
        self.own_only = scope is CancelScope.USER
        self.extended = extended
        self.bench = Bench(state(reference_data=data), always_pending=always)
        self.open: dict[int, Row] = {}
        self.pending: set[int] = set()
        self.lost: set[int] = set()
        self.refusing: set[int] = set()
        self.sets: dict[tuple[str, str], int] = {}
        self.finals: Counter[tuple[str, str]] = Counter()
        self.completed: Counter[tuple[str, str]] = Counter()
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"id{self.names}"

    def pick(self, number: int) -> int:
        ids = sorted(self.open)
        return ids[number % len(ids)]

    def end(self, *order_ids: int) -> None:
        """In the model these orders are over."""
        for order_id in order_ids:
            del self.open[order_id]
        self.pending.difference_update(order_ids)

    def cancels(self, order_ids: set[int]) -> None:
        """In the model the venue is asked to cancel these orders."""
        if self.bench.holds:
            self.pending |= order_ids
            return
        refused = order_ids & self.refusing
        self.refusing -= refused
        self.loses(order_ids - refused)

    def loses(self, order_ids: set[int]) -> None:
        """In the model these orders are canceled."""
        self.lost |= order_ids
        self.end(*order_ids)

    # requests

    @rule(
        asker=askers,
        owner=st.none() | traders,
        account=st.none() | accounts,
        instrument=st.sampled_from(list(SYMBOLS)),
        side=st.sampled_from(["1", "2"]),
        stop=st.booleans(),
        day=st.booleans(),
    )
    def enter(
        self,
        asker: int,
        owner: int | None,
        account: int | None,
        instrument: int,
        side: str,
        *,
        stop: bool,
        day: bool,
    ) -> None:
        """D: of oneself or for another; entered or refused as the rule for one order has it."""
        user = owner or asker
        if user == asker:
            account = account or DEFAULT_ACCOUNTS.get(asker)
        fits = account in ACCOUNTS_OF.get(user, set())
        allowed = account is not None and (user == OPERATOR or fits) and asker in (user, OPERATOR)
        stopped: dict[str, Any] = {"ord_type": OrdType.STOP, "price": None, "stop_px": Decimal(90)}
        decision = self.bench.ask(
            new_order(
                asker,
                owner_id=owner,
                account_id=account,
                cl_ord_id=self.name(),
                instrument=InstrumentName(SYMBOLS[instrument]),
                side=Side(side),
                time_in_force=TimeInForce.DAY if day else TimeInForce.GOOD_TILL_CANCEL,
                **(stopped if stop else {}),
            )
        )
        assert (decision.refusal is None) is allowed
        if account is not None and allowed:
            self.open[self.bench.last_id] = Row(user, account, instrument, side)

    @precondition(lambda self: self.open)
    @rule(asker=askers, number=picks, by_name=st.booleans())
    def cancel_one(self, asker: int, number: int, *, by_name: bool) -> None:
        order_id = self.pick(number)
        row = self.open[order_id]
        held = self.bench.state.book[order_id]
        named: dict[str, Any] = {"order_id": order_id}
        if by_name:
            named = {"order_id": None, "orig_cl_ord_id": held.cl_ord_id, "account_id": row.account}
        decision = self.bench.ask(
            cancel(
                asker,
                cl_ord_id=self.name(),
                instrument=InstrumentName(SYMBOLS[row.instrument]),
                side=row.side,
                **named,
            )
        )
        if not reaches(row, asker, own_only=self.own_only):
            assert decision.refusal is not None
            assert decision.refusal.code in (20, 104)
        elif order_id in self.pending:
            assert decision.refusal is not None
            assert decision.refusal.code == 101
        else:
            assert decision.refusal is None
            self.cancels({order_id})

    @rule(
        asker=askers,
        user=st.none() | traders,
        account=st.none() | accounts,
        scope=st.sampled_from(list(SCOPES)),
        side=st.none() | st.sampled_from(["1", "2"]),
    )
    def cancel_all(
        self, asker: int, user: int | None, account: int | None, scope: str, side: str | None
    ) -> None:
        asked, instruments = SCOPES[scope]
        name = self.name()
        request = mass_cancel(
            asker, owner_id=user, account_id=account, scope=asked, side=side, cl_ord_id=name
        )
        if user is None and account is None and asker not in WHOLE_OMS_BY_DEFAULT:
            user = asker
        expected = reach(self.open, asker, user, account, instruments, side)
        if self.own_only and asker != OPERATOR and user != asker:
            expected = None
        decision = self.bench.ask(request)
        if expected is None:
            assert decision.refusal is not None
            assert decision.refusal.code == 20
        else:
            assert decision.refusal is None
            self.sets[SESSIONS[asker], name] = len(expected)
            self.cancels(expected - self.pending)

    # the venue

    @rule()
    def hold(self) -> None:
        self.bench.holds = True

    @rule()
    def release(self) -> None:
        self.bench.release()
        answered, self.pending = self.pending, set()
        self.cancels(answered)

    @precondition(lambda self: self.open)
    @rule(number=picks)
    def refuse_next(self, number: int) -> None:
        self.refusing.add(self.pick(number))
        self.bench.refusing.add(self.pick(number))

    @precondition(lambda self: self.pending)
    @rule(number=picks, refused=st.booleans())
    def answer_one(self, number: int, *, refused: bool) -> None:
        order_id = sorted(self.pending)[number % len(self.pending)]
        self.bench.say(OrderAnswer(order_id, "the venue says no" if refused else None))
        if refused:
            self.pending.remove(order_id)
        else:
            self.loses({order_id})

    @precondition(lambda self: self.open)
    @rule(number=picks)
    def cancel_by_itself(self, number: int) -> None:
        order_id = self.pick(number)
        self.bench.say(OrderAnswer(order_id))
        self.loses({order_id})

    @precondition(lambda self: self.open)
    @rule(number=picks, part=st.booleans())
    def fill(self, number: int, *, part: bool) -> None:
        order_id = self.pick(number)
        held = self.bench.state.book[order_id]
        if held.waits_for_trigger:
            self.bench.say(TriggerOrder(order_id))
            return
        quantity = held.leaves_qty / 2 if part and held.leaves_qty > 1 else held.leaves_qty
        self.bench.say(FillOrder(order_id, quantity))
        if quantity == held.leaves_qty:
            self.end(order_id)

    @rule()
    def pass_midnight(self) -> None:
        self.bench.at += timedelta(days=1)
        held = self.bench.state
        day_ended = end_day(held, self.bench.at)
        assert day_ended is not None
        self.bench.apply(day_ended)
        for order_id in held.book.open_ids():
            expired = expire(held, order_id, self.bench.at)
            is_day = held.book[order_id].time_in_force is TimeInForce.DAY
            assert (expired is not None) is is_day
            if expired is not None:
                self.bench.apply(expired)
                self.end(order_id)

    @rule()
    def forget(self) -> None:
        self.bench.state.book.forget(self.bench.at, 100)

    # what has to hold after every step

    @invariant()
    def who_lost_which_order(self) -> None:
        """The core and the model agree on the open orders, the pending ones, and the canceled ones."""
        book = self.bench.state.book
        assert set(book.open_ids()) == set(self.open)
        for user in (*ACCOUNTS_OF, OPERATOR):
            selected = {held.order_id for held in book.select(CancelSelector(1, user_id=user))}
            assert selected == {number for number, row in self.open.items() if row.user == user}
        pending = {number for number in self.open if book[number].status is OrdStatus.PENDING_CANCEL}
        assert pending == self.pending
        assert set(self.bench.canceled) == self.lost

    @invariant()
    def each_order_ends_at_most_once(self) -> None:
        """An order is canceled, filled or expired: once, and by one of them."""
        assert len(self.bench.ended) == len(set(self.bench.ended))

    @invariant()
    def finals_count_up_to_533(self) -> None:
        """Final 8s and 9s of a mass cancel never exceed its 533, and are 533 when nothing is pending."""
        for session, report in self.bench.take_told():
            match report:
                case MassCancelReport(refusal=None, completed=True):
                    self.completed[session, report.request.cl_ord_id or ""] += 1
                case MassCancelReport(refusal=None):
                    key = (session, report.request.cl_ord_id or "")
                    assert report.total_affected == self.sets[key]
                    assert isinstance(report.request, MassCancel)
                case Execution(exec_type=ExecType.CANCELED, orig_cl_ord_id=str()) | CancelReject():
                    self.finals[session, report.cl_ord_id or ""] += 1
                case _:
                    pass
        for key, count in self.sets.items():
            assert self.finals[key] <= count
            if not self.pending:
                assert self.finals[key] == count
            done = self.extended and self.finals[key] == count
            assert self.completed[key] == (1 if done else 0)

    def teardown(self) -> None:
        self.release()
        self.who_lost_which_order()
        self.finals_count_up_to_533()


TestGateway = Gateway.TestCase
TestGateway.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
