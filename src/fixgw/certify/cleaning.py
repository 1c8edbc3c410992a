"""The orders of a scenario, so that what it left open can be canceled."""

from dataclasses import dataclass

from fixgw.certify.message import Message, timestamp
from fixgw.certify.names import Names
from fixgw.fix.decode import split

CLOSED = frozenset("23489C")  # OrdStatus(39): filled, done for day, canceled, rejected, suspended, expired
_KEPT = (1, 55, 48, 22, 207, 460, 461, 167, 54, 38)  # of the order, what its cancel repeats


@dataclass(slots=True)
class Order:
    """An order that a script has sent; it is open until something else is heard."""

    role: str
    cl_ord_id: str
    pairs: tuple[tuple[int, str], ...]
    order_id: str = ""
    is_open: bool = True


class Book:
    """What a scenario has entered."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}

    @property
    def has_orders(self) -> bool:
        """Whether an order was entered at all."""
        return bool(self._orders)

    @property
    def roles(self) -> list[str]:
        """Who has open orders."""
        return sorted({order.role for order in self.open_orders()})

    def open_orders(self) -> list[Order]:
        """Those of which no end was heard."""
        return [order for order in self._orders.values() if order.is_open]

    def sent(self, role: str, pairs: list[tuple[int, str]]) -> None:
        """Take note of what a script sends."""
        fields = dict(reversed(pairs))
        if fields.get(35) == "D" and 11 in fields:
            kept = tuple((tag, fields[tag]) for tag in _KEPT if tag in fields)
            self._orders.setdefault(fields[11], Order(role, fields[11], kept))

    def received(self, message: Message) -> None:
        """Take note of an ExecutionReport(8)."""
        if message.type == "8":
            order = self._orders.get(message.get(41) or "") or self._orders.get(message.get(11) or "")
            if order is not None:
                order.order_id = message.get(37) or ""
                order.is_open = message.get(39) not in CLOSED

    def cancel(self, order: Order, names: Names) -> list[tuple[int, str]]:
        """The OrderCancelRequest(F) of an order."""
        id_ = [(37, order.order_id)] if order.order_id else []
        return [
            (35, "F"),
            (11, names.fill("{new clean}")),
            (41, order.cl_ord_id),
            *id_,
            *order.pairs,
            (60, timestamp()),
        ]

    def mass(self, request: str, names: Names) -> list[tuple[int, str]]:
        """The request of the profile, with a fresh ClOrdID(11)."""
        return [*split(request), (11, names.fill("{new clean}")), (60, timestamp())]
