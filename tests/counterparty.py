"""A FIX client that keeps its session over every crash of the gateway, as a real FIX engine does."""

from collections import Counter
from contextlib import suppress

from fixgw.fix.dictionary import Dictionary
from tests.wire import ADMIN, PATIENCE, STOCK, Client, Message, Pairs, cancel, fresh, mass, order

NOT_CONTENT = {8, 9, 10, 43, 52, 122}  # what a PossDup copy of a message may differ in


class Counterparty(Client):
    """A session with its own numbers and its own store of what it sent; it is never reset.

    What is sent while no connection is there waits until the gateway asks for it. `told` are the application
    messages and Rejects that it got, each once and in the order of their MsgSeqNums. Every method that
    receives asserts that the gateway keeps to its own numbers: none goes back, none carries two messages, no
    gap fill takes back what was told, and neither side asks for a reset.
    """

    def __init__(self, port: int, name: str, dictionary: Dictionary = STOCK) -> None:
        super().__init__(port, name, dictionary=dictionary)
        self.told: list[Message] = []
        self.asked: dict[str, str] = {}  # ClOrdID to MsgType, of what changes orders
        self.open_orders: dict[str, str] = {}  # OrderID to ClOrdID, of those it was told of
        self._answers, self._ends = Counter[tuple[str, str]](), Counter[str]()
        self._taken_on: dict[str, int] = {}  # ClOrdID of a q to TotalAffectedOrders
        self._executions: set[str] = set()
        self._carried: dict[int, list[tuple[int, str]]] = {}
        self._awaited: str | None = None

    def send(
        self, msg_type: str, *pairs: tuple[int, object], header: Pairs = (), seq_num: int | None = None
    ) -> None:
        """Number and keep a message, and send it if the connection is there; if not it waits."""
        raw = self.encode(msg_type, pairs, seq_num=seq_num, header=header)
        if self._socket is not None:
            try:
                self.send_bytes(raw)
            except OSError:
                self.close()

    def ask(self, msg_type: str, fields: Pairs) -> str:
        """Send a D, F or q whose outcome `check` is to look at; its ClOrdID(11)."""
        cl_ord_id = str(dict(fields)[11])
        self.asked[cl_ord_id] = msg_type
        self.send(msg_type, *fields)
        return cl_ord_id

    def enter(self, count: int = 1) -> list[str]:
        """Ask for `count` orders; their ClOrdIDs."""
        return [self.ask("D", order(fresh("o"))) for _ in range(count)]

    def cancel(self, orig: str) -> str:
        """Ask for the cancel of one order."""
        return self.ask("F", cancel(fresh("c"), orig))

    def mass_cancel(self) -> str:
        """Ask for the cancel of all orders of the scope."""
        return self.ask("q", mass(fresh("m")))

    def come_back(self) -> None:
        """Connect with the numbers of before, and get and give everything that is missing."""
        self.connect()
        self._asked_from = 0
        self.send("A", (98, 0), (108, 30), (553, self.username), (554, self.password))
        answer = self.receive()
        assert answer.type == "A", answer
        self.drain()

    def lose(self) -> None:
        """Receive until the gateway ends the connection, and close it."""
        if self._socket is not None:
            with suppress(OSError):
                while True:
                    self.receive()
        self.close()

    def receive(self, timeout: float = PATIENCE) -> Message:
        """The next message in sequence, or a Logon. A ResendRequest is answered whatever its number is."""
        while True:
            found = self._read(timeout)
            assert 141 not in found, f"a reset: {found}"
            seq_num = int(found[34])
            if seq_num < self.expected:
                assert found.get(43) == "Y", f"MsgSeqNum below {self.expected}: {found}"
                self._compare(seq_num, found)
                continue
            if found.type == "2":
                self._fill_gap(int(found[7]))
                if self._awaited is not None:  # the gap was filled over our TestRequest
                    self.send("1", (112, self._awaited))
            if seq_num > self.expected:
                self._ask_again()
                if found.type == "A":
                    return found
                continue
            self._count(seq_num, found)
            return found

    def drain(self) -> list[Message]:
        """Application messages (and Rejects) that are on their way; afterwards both sides have everything."""
        first = len(self.told)
        for _ in range(2):  # one is not enough: see the Client's
            self._awaited = fresh("t")
            self.send("1", (112, self._awaited))
            while self.receive().get(112) != self._awaited:
                pass
        self._awaited = None
        return self.told[first:]

    def _ask_again(self) -> None:
        if self._asked_from != self.expected:
            self._asked_from = self.expected
            self.send("2", (7, self.expected), (16, 0))

    def _count(self, seq_num: int, found: Message) -> None:
        if found.type == "4":
            assert found.get(123) == "Y", f"a reset: {found}"
            assert int(found[36]) > seq_num, f"numbers go back: {found}"
            self.expected = int(found[36])
            return
        self.expected = seq_num + 1
        if found.type == "1":
            self.send("0", (112, found[112]))
        elif found.type not in ADMIN or found.type == "3":
            self._carried[seq_num] = _content(found)
            self._note(found)
        else:
            assert "MsgSeqNum" not in (found.get(58) or ""), f"out of step: {found}"

    def _compare(self, seq_num: int, again: Message) -> None:
        if again.type != "4":
            assert self._carried.get(seq_num) == _content(again), (
                f"MsgSeqNum {seq_num} is another one: {again}"
            )
            return
        lost = [number for number in range(seq_num, int(again[36])) if number in self._carried]
        assert not lost, f"no longer there: {lost}"

    def _note(self, message: Message) -> None:
        """Note what `message` is about, for `check`."""
        self.told.append(message)
        if message.get(17) not in (None, "0"):
            assert message[17] not in self._executions, f"told twice: {message}"
            self._executions.add(message[17])
        if message.type == "8" and message[150] == "0":
            self.open_orders[message[37]] = message[11]
        elif message.type == "8" and message[150] in "4C":
            self.open_orders.pop(message[37], None)  # who ends orders of others is told too
        if 11 in message:
            self._answers[message[11], _answered(message)] += 1
            self._ends[message[11]] += message.type == "9" or (message.type == "8" and message[150] == "4")
        if message.type == "r" and message[531] != "0":
            self._taken_on[message[11]] = int(message[533])

    def check(self) -> None:
        """Assert that everything that was asked for had one outcome, and each order of a q one end."""
        self.drain()
        for cl_ord_id, msg_type in self.asked.items():
            count = self._answers[cl_ord_id, msg_type]
            assert count == 1, f"{count} outcomes of {msg_type} {cl_ord_id}"
        for cl_ord_id, count in self._taken_on.items():
            assert self._ends[cl_ord_id] == count, f"{self._ends[cl_ord_id]} of {count} ends of q {cl_ord_id}"

    def check_orders(self) -> None:
        """Assert that the gateway has the orders open that this session was told of, and no others."""
        assert self._open_in_gateway() == sorted(self.open_orders)

    def _open_in_gateway(self) -> list[str]:
        self.send("AF", (584, fresh("s")), (585, "7"))
        reports = self.until(lambda message: message.get(912) == "Y")
        found = sorted(report[37] for report in reports if report[39] == "0")
        assert {report[911] for report in reports} == {str(len(found))}
        return found


def _answered(message: Message) -> str:
    """The MsgType that `message` answers for good: D, F or q; none for what comes on the way or besides."""
    if message.type == "8":
        return {"0": "D", "8": "D", "4": "F"}.get(message[150], "")
    return {"9": "F", "r": "q"}.get(message.type, "")


def _content(message: Message) -> list[tuple[int, str]]:
    return [pair for pair in message.pairs if pair[0] not in NOT_CONTENT]
