"""A client's engine, QuickFIX's own, and the person before it: prompts come on stdin, one on a line.

`python -m tests.peer.initiator PORT DIRECTORY [FAULT]` connects and does what lines with `>>> ` ask, until
the end of stdin. Nothing of fixgw is in it. With a FAULT it does one thing as clients do it that were not
certified; `FAULTS` are those.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import quickfix

STOCK = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
FAULTS = {
    "same-id": "a cancel has the ClOrdID(11) of its order",
    "rest-quantity": "a cancel has the OrderQty(38) that is left, not the order's",
    "rejected-chain": "after a rejected cancel OrigClOrdID(41) is the cancel's",
    "repeats": "a rejected cancel is sent again by the machine",
    "believes-r": "an accepted mass cancel counts as the end of every order",
    "resets": "every Logon has ResetSeqNumFlag(141)=Y",
    "forgets": "what was sent is not kept for a resend",
    "quantity": "it buys 10 when it is asked for 100",
}
SETTINGS = """
[DEFAULT]
ConnectionType=initiator
ReconnectInterval=1
HeartBtInt=2
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketNodelay=Y
FileStorePath={store}
NonStopSession=Y
UseDataDictionary=Y
DataDictionary={dictionary}
BeginString=FIX.4.4
SenderCompID=DESK
TargetCompID=VENUE
{more}
[SESSION]
"""


@dataclass(slots=True)
class Order:
    """An order as the desk sees it."""

    cl_ord_id: str
    leaves: str = "100"
    is_open: bool = True
    rejected_cancel: str = ""


class Desk(quickfix.Application):
    """Sends what it is asked for, and keeps its orders by what it is told."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.orders: list[Order] = []
        self._cancels: dict[str, Order] = {}
        self._ids = count(1)
        self._prefix = f"{datetime.now(UTC):%H%M%S%f}-"

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
        """Nothing."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Take note of what became of an order."""
        parts = (part.partition("=") for part in message.toString().split("\x01")[:-1])
        fields = {int(tag): value for tag, _, value in parts}
        order = next(
            (one for one in self.orders if one.cl_ord_id in (fields.get(41), fields.get(11))), Order("")
        )
        match fields[35]:
            case "8":
                order.leaves = fields[151]
                order.is_open = fields[39] in "016A"
            case "9" if fields[39] in "016A" or self.fault == "repeats":
                order.rejected_cancel = fields[11]
                if self.fault == "repeats":
                    self.cancel(order)
            case "r" if self.fault == "believes-r" and fields[531] != "0":
                for one in self.orders:
                    one.is_open = False
            case _:
                pass

    def do(self, prompt: str) -> None:
        """What a person does who reads the prompt."""
        if "limit order to buy 100" in prompt:
            order = Order(self._fresh())
            self.orders.append(order)
            quantity = 10 if self.fault == "quantity" else 100
            self._send("D", [(11, order.cl_ord_id), *self._about(quantity), (40, 2), (44, "61000")])
        elif "Cancel all orders" in prompt:
            self._send("q", [(11, self._fresh()), (530, 7), (60, now())])
        elif "Cancel both" in prompt:
            for order in self.orders:
                if order.is_open:
                    self.cancel(order)
        elif "Cancel" in prompt:
            left = [order for order in self.orders if order.is_open]
            if left:
                self.cancel(left[-1])
        elif "status of this order" in prompt:
            self._send("H", [(11, self.orders[-1].cl_ord_id), (55, "BTC-USD"), (54, 1)])

    def cancel(self, order: Order) -> None:
        """Cancel one order."""
        id_ = order.cl_ord_id if self.fault == "same-id" else self._fresh()
        original = order.rejected_cancel if self.fault == "rejected-chain" else ""
        quantity = order.leaves if self.fault == "rest-quantity" else 100
        self._send("F", [(11, id_), (41, original or order.cl_ord_id), *self._about(quantity)])

    def _about(self, quantity: object) -> list[tuple[int, object]]:
        return [(55, "BTC-USD"), (54, 1), (38, quantity), (60, now())]

    def _fresh(self) -> str:
        return f"{self._prefix}{next(self._ids)}"

    def _send(self, msg_type: str, pairs: list[tuple[int, object]]) -> None:
        message = quickfix.Message()
        message.getHeader().setField(35, msg_type)
        for tag, value in pairs:
            message.setField(tag, str(value))
        quickfix.Session.sendToTarget(message, quickfix.SessionID("FIX.4.4", "DESK", "VENUE"))


def now() -> str:
    """TransactTime(60)."""
    return f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000"


def main() -> None:
    """Do what is asked for until there is nothing more to read."""
    port, directory, fault = sys.argv[1], Path(sys.argv[2]), (*sys.argv[3:], "")[0]
    more = {"resets": "ResetOnLogon=Y", "forgets": "PersistMessages=N"}.get(fault, "")
    settings = quickfix.SessionSettings()
    settings.setFromString(SETTINGS.format(port=port, store=directory / "store", dictionary=STOCK, more=more))
    desk = Desk(fault)
    initiator = quickfix.SocketInitiator(desk, quickfix.FileStoreFactory(settings), settings)
    initiator.start()
    for line in sys.stdin:
        _, sign, prompt = line.partition(">>> ")
        if sign:
            desk.do(prompt)
    initiator.stop(True)


if __name__ == "__main__":
    main()
