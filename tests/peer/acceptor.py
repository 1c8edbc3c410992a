"""The peer: a QuickFIX acceptor with a book, as a small venue would write it; nothing of fixgw is in it.

`python -m tests.peer.acceptor PORT DIRECTORY` says `ready` and runs until SIGTERM. It takes
NewOrderSingle(D), OrderCancelRequest(F) and OrderStatusRequest(H). What it does not do, and a certification
has to find:

- OrderMassCancelRequest(q) and OrderMassStatusRequest(AF) get a BusinessMessageReject(j) with 380=3;
- an F for an unknown order gets no answer at all;
- a ClOrdID(11) may be used again, and PossResend(97)=Y is not looked at: the order is entered twice;
- Symbol(55) and Side(54) of an F are not compared with the order's, nor OrderID(37) with OrigClOrdID(41);
- TimeInForce(59) is not repeated, a limit order may come without a Price(44), and the report that rejects an
  order does not repeat its OrderQty(38).
"""

import signal
import socket
import sys
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import quickfix

from tests.peer.book import SYMBOLS, Book, Order, Pairs, refused, too_late, unknown

SESSIONS = ("TRADER", "STRANGER")
STOCK = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
BeginString=FIX.4.4
SenderCompID=PEER
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketNodelay=Y
UseDataDictionary=Y
DataDictionary={dictionary}
NonStopSession=Y
"""


class Venue(quickfix.Application):
    """Answers from one book, always on the session that a message came from."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()

    def onCreate(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""

    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""

    def onLogout(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""

    def toAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""

    def toApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""

    def fromAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing: everybody may log on."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """One request."""
        parts = (part.partition("=") for part in message.toString().split("\x01")[:-1])
        fields = {int(tag): value for tag, _, value in parts}
        owner = fields[49]
        match fields[35]:
            case "D":
                self._new(owner, fields)
            case "F":
                self._cancel(owner, fields)
            case "H":
                self._status(owner, fields)
            case _:
                raise quickfix.UnsupportedMessageType

    def _new(self, owner: str, fields: dict[int, str]) -> None:
        if fields[55] not in SYMBOLS:
            send(owner, "8", refused(fields, 1, "unknown symbol"))
            return
        send(owner, "8", self.book.report(self.book.enter(owner, fields), "0"))

    def _cancel(self, owner: str, fields: dict[int, str]) -> None:
        order = self.book.find(owner, fields.get(37), fields[41])
        if order is None:
            return
        if not order.is_open:
            send(owner, "9", too_late(order, fields[11], 0))
        elif order.cancel:
            send(owner, "9", too_late(order, fields[11], 3))
        else:
            order.cancel = fields[11]
            if self.book.is_holding:
                order.status = "6"
                send(owner, "8", self.book.report(order, "6", (11, order.cancel), (41, order.cl_ord_id)))
            else:
                self._end(order)

    def _end(self, order: Order) -> None:
        order.status = "4"
        send(order.owner, "8", self.book.report(order, "4", (11, order.cancel), (41, order.cl_ord_id)))

    def _status(self, owner: str, fields: dict[int, str]) -> None:
        order = self.book.find(owner, fields.get(37), fields[11])
        extra = [(790, fields[790])] if 790 in fields else []
        send(owner, "8", [*(unknown(fields) if order is None else self.book.report(order, "I")), *extra])

    def told(self, words: list[str]) -> str:
        """Do what somebody at the venue says; `done`, or why not."""
        match words:
            case ["hold"]:
                self.book.is_holding = True
            case ["release"]:
                self.book.is_holding = False
                for order in self.book.orders.values():
                    if order.cancel and order.is_open:
                        self._end(order)
            case ["fill", order_id, quantity] if order_id in self.book.orders:
                self._fill(self.book.orders[order_id], Decimal(quantity))
            case _:
                return f"not understood: {words}"
        return "done"

    def _fill(self, order: Order, quantity: Decimal) -> None:
        order.filled += quantity
        is_full = order.filled == order.quantity
        order.status = "2" if is_full else order.status if order.cancel else "1"
        send(order.owner, "8", self.book.report(order, "F", (31, order.price), (32, quantity)))
        if is_full and order.cancel:
            send(order.owner, "9", too_late(order, order.cancel, 0))


def send(owner: str, msg_type: str, pairs: Pairs) -> None:
    """Send a message to the owner's session; QuickFIX keeps it while he is away."""
    message = quickfix.Message()
    message.getHeader().setField(35, msg_type)
    for tag, value in pairs:
        message.setField(tag, str(value))
    quickfix.Session.sendToTarget(message, quickfix.SessionID("FIX.4.4", "PEER", owner))


def listen(directory: Path) -> socket.socket:
    """The socket that `tests.peer.tell` speaks to."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    heard.bind(str(directory / "venue"))
    heard.listen()
    heard.setblocking(False)
    return heard


def hear(heard: socket.socket, venue: Venue) -> None:
    """Do what one teller says, if there is one."""
    with suppress(BlockingIOError):
        teller, _ = heard.accept()
        with teller:
            teller.settimeout(5.0)
            teller.sendall(venue.told(teller.recv(1_024).decode().split()).encode())


def main() -> None:
    """Serve until SIGTERM."""
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    settings = quickfix.SessionSettings()
    text = SETTINGS.format(port=port, dictionary=STOCK)
    settings.setFromString(text + "".join(f"[SESSION]\nTargetCompID={name}\n" for name in SESSIONS))
    venue = Venue()
    acceptor = quickfix.SocketAcceptor(venue, quickfix.MemoryStoreFactory(), settings)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    with listen(directory) as heard:
        acceptor.poll()
        print("ready", flush=True)  # noqa: T201
        while not stopped:
            acceptor.poll()
            hear(heard, venue)
            time.sleep(0.002)
    acceptor.stop(True)


if __name__ == "__main__":
    main()
