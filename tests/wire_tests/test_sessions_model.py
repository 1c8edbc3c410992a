"""Sessions at random against a model: who loses which order, and who is told, as the truth table says."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixgw.core.requests import FillOrder
from fixgw.engine.sandbox import HoldCancels, ReleaseCancels
from tests.gateway import Gateway
from tests.wire import Message, cancel, fresh, mass, order, user

USERS: dict[str, tuple[int, tuple[int, ...]]] = {
    "TRADER37": (37, (14, 15)),
    "TRADER38": (38, (14,)),
    "TRADER39": (39, (16,)),
    "OPERATOR1": (1, ()),
    "READER50": (50, (14,)),
}
TRADERS = ("TRADER37", "TRADER38", "TRADER39")
WHOLE_OMS = ("TRADER38", "OPERATOR1")  # what q means there when it names neither account nor user
SYMBOLS = ("BTC-USD", "ETH-USD")

Told = tuple[str, str, str, bool]  # MsgType; ExecType, CxlRejReason or 531; OrderID; has OrigClOrdID


@dataclass
class Entered:
    """An order as the model has it; `pending` is the session whose cancel is on its way."""

    session: str
    account: int
    symbol: str
    side: str
    order_id: str = ""
    left: int = 10
    pending: str = ""


class Model:
    """What should happen: the truth table, and who is told."""

    def __init__(self) -> None:
        self.orders: list[Entered] = []
        self.holds = False
        self.told: Counter[tuple[str, Told]] = Counter()

    def named(
        self, asker: str, owner: int | None, account: int | None, symbol: str | None, side: str | None
    ) -> list[Entered] | None:
        """The open orders that a mass cancel takes on, None when it is refused: the truth table."""
        me, accounts = USERS[asker]
        if owner is None and account is None and asker not in WHOLE_OMS:
            owner = me
        allowed = account in accounts or (account is None and owner == me)
        if asker == "READER50" or not (allowed or asker == "OPERATOR1"):
            return None
        wanted = (owner, account, symbol, side)
        rows = [(o, (USERS[o.session][0], o.account, o.symbol, o.side)) for o in self.orders if o.left]
        return [
            o for o, row in rows if all(want in (None, has) for want, has in zip(wanted, row, strict=True))
        ]

    def tell(self, session: str, *told: Any) -> None:
        self.told[session, told] += 1

    def end(self, entered: Entered, asker: str) -> None:
        entered.left, entered.pending = 0, ""
        self.tell(asker, "8", "4", entered.order_id, True)
        if asker != entered.session:
            self.tell(entered.session, "8", "4", entered.order_id, False)

    def take_on(self, entered: Entered, asker: str) -> None:
        if entered.pending:
            self.tell(asker, "9", "3", entered.order_id, True)
        elif self.holds:
            entered.pending = asker
            self.tell(asker, "8", "6", entered.order_id, True)
        else:
            self.end(entered, asker)

    def cancel(self, asker: str, entered: Entered) -> None:
        if asker == "READER50":
            self.tell(asker, "9", "2", "NONE", True)
        elif asker != "OPERATOR1" and entered.account not in USERS[asker][1]:
            self.tell(asker, "9", "1", "NONE", True)
        elif not entered.left:
            self.tell(asker, "9", "0", entered.order_id, True)
        else:
            self.take_on(entered, asker)

    def mass(self, asker: str, *named: Any) -> None:
        found = self.named(asker, *named)
        self.tell(asker, "r", "0" if found is None else "7" if named[2] is None else "1", "", False)
        for entered in found or ():
            self.take_on(entered, asker)

    def fill(self, entered: Entered, quantity: int) -> None:
        if quantity > entered.left:
            return
        entered.left -= quantity
        self.tell(entered.session, "8", "F", entered.order_id, False)
        if not entered.left and entered.pending:
            self.tell(entered.pending, "9", "0", entered.order_id, True)

    def release(self) -> None:
        self.holds = False
        for entered in self.orders:
            if entered.left and entered.pending:
                self.end(entered, entered.pending)


def heard(message: Message) -> Told:
    if message.type == "r":
        return "r", message[531], "", False
    what = message[150] if message.type == "8" else message[102]
    return message.type, what, message[37], 41 in message


ENTER = st.tuples(
    st.just("enter"),
    st.sampled_from(TRADERS),
    st.integers(0, 1),
    st.sampled_from(SYMBOLS),
    st.sampled_from("12"),
)
STEP = st.one_of(
    ENTER,
    st.tuples(st.just("cancel"), st.sampled_from(list(USERS)), st.integers(0, 30)),
    st.tuples(
        st.just("mass"),
        st.sampled_from(list(USERS)),
        st.sampled_from([None, None, 37, 38, 39]),
        st.sampled_from([None, None, 14, 15, 16]),
        st.sampled_from([None, *SYMBOLS]),
        st.sampled_from([None, None, "1", "2"]),
    ),
    st.tuples(st.just("fill"), st.integers(0, 30), st.sampled_from([1, 4, 10])),
    st.tuples(st.just("hold")),
    st.tuples(st.just("release")),
)


class Wire:
    """The same steps over the real wire, side by side with the model."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.clients = {name: gateway.ready(name) for name in USERS}
        self.model = Model()
        self.exec_ids: set[tuple[str, str]] = set()

    def step(self, kind: str, *what: Any) -> None:
        getattr(self, kind)(*what)
        reports = [(name, report) for name, client in self.clients.items() for report in client.drain()]
        assert Counter((name, heard(report)) for name, report in reports) == self.model.told, (kind, *what)
        exec_ids = [(name, report[17]) for name, report in reports if report.type == "8"]
        assert len({*exec_ids, *self.exec_ids}) == len(exec_ids) + len(self.exec_ids), "an ExecID came twice"
        self.exec_ids.update(exec_ids)
        self.model.told.clear()

    def enter(self, session: str, which: int, symbol: str, side: str) -> None:
        accounts = USERS[session][1]
        account = accounts[which % len(accounts)]
        client = self.clients[session]
        client.send("D", *order(fresh(), (1, account), symbol=symbol, side=side))
        self.model.orders.append(Entered(session, account, symbol, side, client.expect("8|150=0")[37]))

    def cancel(self, asker: str, at: int) -> None:
        entered = self.model.orders[at % len(self.model.orders)]
        named = {"symbol": entered.symbol, "side": entered.side}
        self.clients[asker].send("F", *cancel(fresh(), "NONE", (37, entered.order_id), **named))
        self.model.cancel(asker, entered)

    def mass(
        self, asker: str, owner: int | None, account: int | None, symbol: str | None, side: str | None
    ) -> None:
        fields: list[tuple[int, object]] = [] if owner is None else list(user(owner))
        fields += [
            (tag, value) for tag, value in ((1, account), (55, symbol), (54, side)) if value is not None
        ]
        self.clients[asker].send("q", *mass(fresh(), "7" if symbol is None else "1", *fields))
        self.model.mass(asker, owner, account, symbol, side)

    def fill(self, at: int, quantity: int) -> None:
        entered = self.model.orders[at % len(self.model.orders)]
        self.gateway.say(FillOrder(int(entered.order_id), Decimal(quantity)))
        self.model.fill(entered, quantity)

    def hold(self) -> None:
        self.gateway.say(HoldCancels())
        self.model.holds = True

    def release(self) -> None:
        self.gateway.say(ReleaseCancels())
        self.model.release()

    def compare(self) -> None:
        """The operator sees as open exactly what the model has."""
        operator = self.clients["OPERATOR1"]
        operator.send("AF", (584, "open"), (585, "7"))
        reports = operator.until(lambda report: report[912] == "Y")
        found = {report[37]: (report[151], report[39] == "6") for report in reports} | {"NONE": ("0", False)}
        expected = {o.order_id: (str(o.left), bool(o.pending)) for o in self.model.orders if o.left}
        assert found == expected | {"NONE": ("0", False)}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(entered=st.lists(ENTER, min_size=4, max_size=6), steps=st.lists(STEP, min_size=5, max_size=15))
def test_sessions_lose_what_the_truth_table_says(
    gateway: Gateway, entered: list[tuple[Any, ...]], steps: list[tuple[Any, ...]]
) -> None:
    """The truth table of cancels, and who is told of which end, for any interleaving of five sessions."""
    gateway.clean()
    wire = Wire(gateway)
    for step in (*entered, *steps):
        wire.step(*step)
    wire.compare()
