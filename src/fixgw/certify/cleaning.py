"""The orders of a scenario, and how those that it left open are canceled."""

from dataclasses import dataclass

from fixgw.certify.cast import Cast, Failed
from fixgw.certify.message import Message, timestamp
from fixgw.certify.names import Names
from fixgw.certify.session import Session
from fixgw.fix.decode import split

CLOSED = frozenset("23489C")  # OrdStatus(39): filled, done for day, canceled, rejected, suspended, expired
MASS_CANCELS = 3  # a fill or a new order may come in between; more than that is a book that stays
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

    def sent(self, role: str, pairs: list[tuple[int, str]]) -> None:
        """Take note of what a script sends."""
        fields = dict(reversed(pairs))
        if fields.get(35) == "D" and 11 in fields:
            kept = tuple((tag, fields[tag]) for tag in _KEPT if tag in fields)
            self._orders.setdefault(fields[11], Order(role, fields[11], kept))

    def received(self, message: Message) -> None:
        """Take note of an ExecutionReport(8) or OrderCancelReject(9)."""
        order = self._orders.get(message.get(41) or "") or self._orders.get(message.get(11) or "")
        if order is None or message.type not in ("8", "9"):
            return
        if message.get(150) == "8" and order.order_id:
            return  # a second one with the same ClOrdID(11) was rejected, not this one
        if message.get(37) != "NONE":
            order.order_id = message.get(37) or ""
        order.is_open = message.get(39) not in CLOSED

    def clean_up(self, cast: Cast, names: Names) -> None:
        """Cancel what may be open, as the profile says. Raises Failed if something stays, and what sessions
        raise."""
        if self._orders and cast.profile.clean_up.how == "mass":
            self._cancel_all(cast, names)
        elif self._open():
            self._cancel_each(cast, names)

    def _open(self) -> list[Order]:
        return [order for order in self._orders.values() if order.is_open]

    def _cancel_all(self, cast: Cast, names: Names) -> None:
        session = _online(cast, cast.profile.clean_up.role)
        left: str | None = None
        for _ in range(MASS_CANCELS):
            request = split(cast.profile.clean_up.request)
            session.send([*request, (11, names.fill("{new clean}")), (60, timestamp())])
            answer = session.receive(cast.patience)
            while answer.type not in ("r", "3", "j"):
                answer = session.receive(cast.patience)
            left = answer.get(533)
            session.drain(cast.patience)
            if left == "0":
                return
        raise Failed(f"the book is not clean: TotalAffectedOrders(533) is {left}")

    def _cancel_each(self, cast: Cast, names: Names) -> None:
        for role in sorted({order.role for order in self._open()}):
            self._listen(_online(cast, role), cast.patience)
        for order in self._open():
            session = _online(cast, order.role)
            id_ = [(37, order.order_id)] if order.order_id else []
            request = [(35, "F"), (11, names.fill("{new clean}")), (41, order.cl_ord_id), *id_, *order.pairs]
            session.send([*request, (60, timestamp())])
            self._listen(session, cast.patience)
        left = ", ".join(order.cl_ord_id for order in self._open())
        if left:
            raise Failed(f"the book is not clean: {left} may be open")

    def _listen(self, session: Session, seconds: float) -> None:
        for message in session.drain(seconds):
            self.received(message)


def _online(cast: Cast, role: str) -> Session:
    session = cast.session(role)
    return session if session.is_logged_on else cast.log_on(role, is_first=True)
