"""What the clients asked and were told: each request and each order, and whatever is wrong about it.

`told` looks at every report as it comes, in the order of its session. `outstanding` says what is still to
come, which is lost if it never does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scripts.crash.engine import Message

STATUS = "I"  # ExecType(150) of an answer to H or AF: no event


class Fault(NamedTuple):
    """Something that must not be: `kind` is lost, doubled or wrong."""

    kind: str
    text: str


class Request:
    """A D, F or q of a session. `total` is TotalAffectedOrders(533) of a q, `finals` counts those that came.

    `outcome` is what answered it, None as long as nothing did. `orig` is the order that an F names.
    """

    __slots__ = ("cl_ord_id", "finals", "msg_type", "orig", "outcome", "pending", "session", "total")

    def __init__(self, session: str, msg_type: str, cl_ord_id: str, orig: str | None) -> None:
        self.session, self.msg_type, self.cl_ord_id, self.orig = session, msg_type, cl_ord_id, orig
        self.outcome: str | None = None
        self.total = self.finals = 0
        self.pending: set[str] = set()

    def __str__(self) -> str:
        return f"{self.msg_type} {self.cl_ord_id} of {self.session}"


class Order:
    """An order as the clients know it: `session` entered it, and hears of its end whoever asked for it."""

    __slots__ = (
        "canceled_for",
        "cl_ord_id",
        "exec_id",
        "is_entered",
        "is_told",
        "order_id",
        "session",
        "side",
    )

    def __init__(self, session: str, cl_ord_id: str) -> None:
        self.session, self.cl_ord_id = session, cl_ord_id
        self.order_id: str | None = None
        self.side = ""
        self.is_entered = False
        self.canceled_for: str | None = None  # ClOrdID of the request whose report said that it is canceled
        self.is_told = False  # whether its own session was told that it is canceled
        self.exec_id: str | None = None  # of the cancel: one event, one ExecID, whoever is told

    @property
    def is_canceled(self) -> bool:
        """Whether anybody was told that it is canceled."""
        return self.is_told or self.canceled_for is not None


class Record:
    """Everything asked and told over all sessions. ClOrdIDs must be used once over all of them."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.orders: dict[str, Order] = {}
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.statuses: list[Message] = []
        self._unanswered: set[str] = set()
        self._unfinished: set[str] = set()
        self._untold: set[str] = set()  # orders whose own session is still to be told that they are canceled
        self._unasked: set[str] = set()  # orders whose session was told, and nobody yet who asked for it
        self._exec_ids: set[tuple[str, str]] = set()

    def fault(self, kind: str, text: str) -> None:
        """Note a fault of this kind: lost, doubled or wrong."""
        self.faults.append(Fault(kind, text))

    def asked(self, session: str, msg_type: str, cl_ord_id: str, orig: str | None = None) -> None:
        """A request was given to the session's engine; `orig` is the ClOrdID of the order that an F names."""
        self.counts["requests"] += 1
        self.requests[cl_ord_id] = Request(session, msg_type, cl_ord_id, orig)
        self._unanswered.add(cl_ord_id)
        if msg_type == "D":
            self.orders[cl_ord_id] = Order(session, cl_ord_id)

    def told(self, session: str, message: Message) -> None:
        """A report reached the session, in its order."""
        match message["35"], message.get("150"):
            case "8", "I":
                self.statuses.append(message)
                return
            case "8", "0" | "8":
                self._entered(session, message)
            case "8", "6":
                self._pending(session, message)
            case "8", "4":
                self._canceled(session, message)
            case "9", _:
                self._refused(session, message)
            case "r", _:
                self._mass_report(session, message)
            case _:
                self.fault("wrong", f"{session} was told {_shown(message)}")
                return
        self.counts["reports"] += 1
        if message["35"] == "8":
            self._note_exec_id(session, message)

    @property
    def waiting(self) -> int:
        """How many requests have no outcome yet."""
        return len(self._unanswered)

    @property
    def is_quiet(self) -> bool:
        """Whether everything has come that must come."""
        return not (self._unanswered or self._unfinished or self._untold or self._unasked)

    def outstanding(self) -> Iterator[str]:
        """What must still come, each as one line."""
        for cl_ord_id in sorted(self._unanswered):
            yield f"{self.requests[cl_ord_id]} has no outcome"
        for cl_ord_id in sorted(self._unfinished):
            request = self.requests[cl_ord_id]
            yield f"{request} has {request.finals} final reports, not {request.total}"
        for cl_ord_id in sorted(self._untold):
            order = self.orders[cl_ord_id]
            yield f"{order.session} was not told that {cl_ord_id} is canceled for {order.canceled_for}"
        for cl_ord_id in sorted(self._unasked):
            session = self.orders[cl_ord_id].session
            yield f"{session} was told that {cl_ord_id} is canceled, and nobody who asked was"

    def open_orders(self) -> set[str]:
        """The orders that the clients know as open."""
        return {
            order.cl_ord_id for order in self.orders.values() if order.is_entered and not order.is_canceled
        }

    def compare(self, statuses: Iterable[Message]) -> None:
        """Compare with the open orders of the OMS, as the answers to an AF for all of them tell them."""
        found = {message.get("11", "") for message in statuses if message["39"] != "8"}
        known = self.open_orders()
        for cl_ord_id in sorted(found - known):
            order = self.orders.get(cl_ord_id)
            said = "canceled" if order is not None and order.is_canceled else "nothing of the kind"
            self.fault("wrong", f"{cl_ord_id} is open in the OMS, and the clients were told {said}")
        for cl_ord_id in sorted(known - found):
            self.fault("lost", f"{cl_ord_id} is not open in the OMS, and the clients were not told")

    def forget_done(self) -> None:
        """Drop what is complete, to keep a long run small; a report on it is then on an unknown request."""
        unfinished = self._unanswered | self._unfinished | self._untold | self._unasked
        self.orders = {
            name: order
            for name, order in self.orders.items()
            if name in unfinished or (order.is_entered and not order.is_canceled)
        }
        self.requests = {name: one for name, one in self.requests.items() if name in unfinished}
        self._exec_ids.clear()

    def _request(self, session: str, message: Message, *msg_types: str) -> Request | None:
        request = self.requests.get(message.get("11", ""))
        if request is None or request.session != session or request.msg_type not in msg_types:
            self.fault("wrong", f"{session} was told on no request that waits: {_shown(message)}")
            return None
        return request

    def _answered(self, request: Request, message: Message) -> bool:
        """Whether this is the first outcome of `request`."""
        if request.outcome is not None:
            text = f"{request} was answered {request.outcome}, and then {_shown(message)}"
            self.fault("doubled", text)
            return False
        request.outcome = _shown(message)
        self._unanswered.discard(request.cl_ord_id)
        self.counts["outcomes"] += 1
        return True

    def _entered(self, session: str, message: Message) -> None:
        request = self._request(session, message, "D")
        if request is not None and self._answered(request, message):
            order = self.orders[request.cl_ord_id]
            order.is_entered = message["150"] == "0"
            self._named(order, message)

    def _named(self, order: Order, message: Message) -> None:
        """An order has one OrderID(37), whoever is told of it."""
        order.side = message["54"]
        if order.order_id is None and message["37"] != "NONE":
            order.order_id = message["37"]
        elif order.order_id is not None and order.order_id != message["37"]:
            self.fault("wrong", f"{order.cl_ord_id} had OrderID {order.order_id}: {_shown(message)}")

    def _pending(self, session: str, message: Message) -> None:
        request = self._request(session, message, "F", "q")
        if request is None:
            return
        order = message["41"]
        if order in request.pending:
            self.fault("doubled", f"{request} was told twice of a pending cancel: {_shown(message)}")
        request.pending.add(order)
        self._check_turn(request, message)

    def _check_turn(self, request: Request, message: Message) -> bool:
        """A report on an order of a q comes after its r, one on the order of an F before its outcome."""
        if request.msg_type == "q" and request.outcome is None:
            self.fault("wrong", f"{request} was told before its r: {_shown(message)}")
        elif request.msg_type == "F" and request.outcome is not None:
            self.fault("doubled", f"{request} was answered {request.outcome}, and then {_shown(message)}")
        elif request.msg_type == "F" and request.orig != message["41"]:
            self.fault("wrong", f"{request} named {request.orig}: {_shown(message)}")
        else:
            return True
        return False

    def _canceled(self, session: str, message: Message) -> None:
        if "41" not in message:
            self._unsolicited(session, message)
            return
        request = self._request(session, message, "F", "q")
        order = self.orders.get(message["41"])
        if order is None or request is None:
            if request is not None:
                self.fault("wrong", f"{session} was told on an unknown order: {_shown(message)}")
            return
        if self._check_turn(request, message):
            self._ended(request, message)
        if order.canceled_for is not None:
            self.fault(
                "doubled", f"{order.cl_ord_id} was canceled for {order.canceled_for}: {_shown(message)}"
            )
        order.canceled_for = request.cl_ord_id
        self._unasked.discard(order.cl_ord_id)
        if order.session == session:
            self._tell_owner(order, message)
        elif not order.is_told:
            self._untold.add(order.cl_ord_id)
        self._is_one_event(order, message)

    def _unsolicited(self, session: str, message: Message) -> None:
        order = self.orders.get(message.get("11", ""))
        if order is None or order.session != session:
            self.fault("wrong", f"{session} was told of an order that is not its own: {_shown(message)}")
            return
        self._tell_owner(order, message)
        if order.canceled_for is None:
            self._unasked.add(order.cl_ord_id)
        self._is_one_event(order, message)

    def _tell_owner(self, order: Order, message: Message) -> None:
        if not order.is_entered:
            self.fault("wrong", f"{order.session} was not told yet that the order is new: {_shown(message)}")
        if order.is_told:
            self.fault("doubled", f"{order.session} was told before that it is canceled: {_shown(message)}")
        order.is_told = True
        self._untold.discard(order.cl_ord_id)

    def _is_one_event(self, order: Order, message: Message) -> None:
        self._named(order, message)
        if order.exec_id is None:
            order.exec_id = message["17"]
        elif order.exec_id != message["17"]:
            self.fault(
                "doubled", f"{order.cl_ord_id} was canceled as ExecID {order.exec_id}: {_shown(message)}"
            )

    def _refused(self, session: str, message: Message) -> None:
        request = self._request(session, message, "F", "q")
        if request is not None and self._check_turn(request, message):
            self._ended(request, message)

    def _ended(self, request: Request, message: Message) -> None:
        """The final report of an F, or of one order of a q."""
        if request.msg_type == "F":
            self._answered(request, message)
            return
        request.finals += 1
        if request.finals > request.total:
            text = f"{request} has {request.finals} final reports, not {request.total}: {_shown(message)}"
            self.fault("doubled", text)
        if request.finals >= request.total:
            self._unfinished.discard(request.cl_ord_id)

    def _mass_report(self, session: str, message: Message) -> None:
        request = self._request(session, message, "q")
        if request is None or not self._answered(request, message):
            return
        request.total = int(message.get("533", "0"))
        if request.total:
            self._unfinished.add(request.cl_ord_id)

    def _note_exec_id(self, session: str, message: Message) -> None:
        key = (session, message["17"])
        if key in self._exec_ids:
            self.fault("doubled", f"{session} was told this ExecID before: {_shown(message)}")
        self._exec_ids.add(key)


def _shown(message: Message) -> str:
    return "|".join(f"{tag}={value}" for tag, value in message.items())
