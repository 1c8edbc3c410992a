"""The peer's book: a dictionary of orders, and the fields of what is answered about them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

Pairs = list[tuple[int, object]]
SYMBOLS = frozenset({"BTC-USD", "ETH-USD", "BTC-PERP"})
OPEN = frozenset("016")


@dataclass(slots=True)
class Order:
    """One order; `status` is OrdStatus(39), and `cancel` the ClOrdID(11) of a cancel that is held."""

    order_id: str
    cl_ord_id: str
    owner: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    filled: Decimal = Decimal(0)
    status: str = "0"
    cancel: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled or canceled."""
        return self.status in OPEN


class Book:
    """All orders, by OrderID(37)."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.is_holding = False
        self._ids = count(1)
        self._executions = count(1)

    def enter(self, owner: str, fields: dict[int, str]) -> Order:
        """A new order, whatever its ClOrdID(11): the peer does not look for duplicates."""
        order = Order(
            order_id=f"P{next(self._ids)}",
            cl_ord_id=fields[11],
            owner=owner,
            symbol=fields[55],
            side=fields[54],
            price=Decimal(fields.get(44, "0")),
            quantity=Decimal(fields.get(38, "0")),
        )
        self.orders[order.order_id] = order
        return order

    def find(self, owner: str, order_id: str | None, cl_ord_id: str | None) -> Order | None:
        """The owner's newest order with this OrderID(37), else with this ClOrdID(11)."""
        own = [order for order in reversed(self.orders.values()) if order.owner == owner]
        by_id = next((order for order in own if order.order_id == order_id), None)
        return by_id or next((order for order in own if order.cl_ord_id == cl_ord_id), None)

    def report(self, order: Order, exec_type: str, *extra: tuple[int, object]) -> Pairs:
        """The body of an ExecutionReport(8) about `order`; `extra` goes before what it would be otherwise."""
        fields: dict[int, object] = {
            6: order.price if order.filled else 0,
            11: order.cl_ord_id,
            14: order.filled,
            17: next(self._executions) if exec_type != "I" else 0,
            37: order.order_id,
            38: order.quantity,
            39: order.status,
            54: order.side,
            55: order.symbol,
            60: now(),
            150: exec_type,
            151: order.quantity - order.filled if order.is_open else 0,
        }
        return list((fields | dict(extra)).items())


def now() -> str:
    """TransactTime(60)."""
    return f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000"


def refused(fields: dict[int, str], reason: int, text: str) -> Pairs:
    """The body of the ExecutionReport(8) that refuses a NewOrderSingle(D)."""
    return [
        *((6, 0), (11, fields[11]), (14, 0), (17, 0), (37, "NONE"), (39, 8), (54, fields[54])),
        *((55, fields[55]), (58, text), (60, now()), (103, reason), (150, 8), (151, 0)),
    ]


def unknown(fields: dict[int, str]) -> Pairs:
    """The body of the ExecutionReport(8) that answers an OrderStatusRequest(H) for no order."""
    return [
        *((6, 0), (11, fields[11]), (14, 0), (17, 0), (37, "NONE"), (39, 8), (54, fields[54])),
        *((55, fields[55]), (103, 5), (150, "I"), (151, 0)),
    ]


def too_late(order: Order, cancel_id: str, reason: int) -> Pairs:
    """The body of the OrderCancelReject(9) for an order that is not canceled."""
    return [
        *((11, cancel_id), (37, order.order_id), (39, order.status), (41, order.cl_ord_id)),
        *((60, now()), (102, reason), (434, 1)),
    ]
