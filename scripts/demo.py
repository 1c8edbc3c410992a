"""The demonstration: a gateway, two real QuickFIX clients, and their conversation as it happens.

Starts `fixgw serve` on a free port with the reference configuration and a data directory of its own, logs
on TRADER37 and OPERATOR1, and shows orders, cancels, mass cancels, a refusal, and the check that nothing is
left.
Exits with 0 when every answer was the expected one, with 1 and the reason otherwise.
"""

import queue
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import quickfix
from rich.console import Console
from rich.markup import escape

from fixgw.fix import decode, dictionary

ROOT = Path(__file__).parents[1]
SECONDS = 50.0  # the whole demonstration; it takes about five
ANSWER_SECONDS = 10.0

SETTINGS = """
[DEFAULT]
ConnectionType=initiator
ReconnectInterval=1
HeartBtInt=30
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketNodelay=Y
FileStorePath={store}
StartTime=00:00:00
EndTime=00:00:00
NonStopSession=Y
ResetOnLogon=Y
UseDataDictionary=Y
DataDictionary={dictionary}
BeginString=FIX.4.4
TargetCompID=FIXGW

[SESSION]
SenderCompID={name}
"""

out = Console(highlight=False, soft_wrap=True)
names = dictionary.load()


class DemoError(Exception):
    """Something did not go as it should; the text says what."""


class Client(quickfix.Application):
    """A FIX client as a trading firm would write it, which shows all it sends and receives."""

    def __init__(self, name: str, port: int, store: Path, color: str) -> None:
        super().__init__()
        self.name = name
        self._color = color
        self._answers: queue.Queue[dict[int, str]] = queue.Queue()
        self.logged_on = False
        file = store / f"{name}.cfg"
        settings = SETTINGS.format(
            port=port, store=store / name, dictionary=dictionary.spec_path(), name=name
        )
        file.write_text(settings)
        self._settings = quickfix.SessionSettings(str(file))
        self._store = quickfix.FileStoreFactory(self._settings)
        self._id = quickfix.SessionID("FIX.4.4", name, "FIXGW")
        self._initiator = quickfix.SocketInitiator(self, self._store, self._settings)
        self._initiator.start()

    def onCreate(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """QuickFIX made the session."""

    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Logged on."""
        self.logged_on = True

    def onLogout(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Logged off."""
        self.logged_on = False

    def toAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Put the credentials into the Logon, and show it."""
        if message.getHeader().getField(35) == "A":
            message.setField(553, self.name)
            message.setField(554, f"{self.name.lower()}-demo")
            self._show("->", message.toString())

    def fromAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Show the answer to the Logon, and whatever is rejected."""
        if message.getHeader().getField(35) in "A35":
            self._show("<-", message.toString())

    def toApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Show what is sent."""
        self._show("->", message.toString())

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Show what comes, and hand it to the script."""
        raw = message.toString()
        self._show("<-", raw)
        self._answers.put(dict(reversed(decode.split(raw))))

    def _show(self, arrow: str, raw: str) -> None:
        line = decode.one_line(decode.decode(raw, names))
        out.print(f"[{self._color}]{self.name:<9} {arrow}[/] {escape(line)}")

    def send(self, msg_type: str, *fields: tuple[int, object]) -> None:
        """Send a message; TransactTime(60) is put in where it belongs."""
        now = f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000"
        pairs = [(35, msg_type), *fields, *([] if msg_type in ("AF", "H") else [(60, now)])]
        raw = "8=FIX.4.4\x019=0\x01" + "".join(f"{tag}={value}\x01" for tag, value in pairs) + "10=000\x01"
        message = quickfix.Message(raw, quickfix.DataDictionary(str(dictionary.spec_path())), False)
        if not quickfix.Session.sendToTarget(message, self._id):
            raise DemoError(f"{self.name} could not send {msg_type}")

    def expect(self, what: str, **wanted: str) -> dict[int, str]:
        """The next answer, which must be as `wanted` (t<tag>=value)."""
        try:
            answer = self._answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise DemoError(f"{self.name} got no answer: {what}") from None
        for key, value in wanted.items():
            tag = int(key[1:])
            if answer.get(tag) != value:
                raise DemoError(f"{what}: {names.label(tag)} is {answer.get(tag)}, not {value}")
        return answer

    def stop(self) -> None:
        """Log out and stop."""
        self._initiator.stop()


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for `condition`. Raises DemoError when it does not come true in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"{what}: not within {ANSWER_SECONDS:.0f} s")
        time.sleep(0.01)


def title(text: str) -> None:
    """A step of the demonstration."""
    out.print(f"\n[bold]{text}[/]")


def order(
    cl_ord_id: str, account: int, symbol: str, side: int, qty: str, price: str
) -> tuple[tuple[int, object], ...]:
    """The fields of a limit order."""
    return (11, cl_ord_id), (1, account), (55, symbol), (54, side), (38, qty), (40, 2), (44, price), (59, 1)


def converse(trader: Client, operator: Client) -> None:
    """The conversation. Raises DemoError at the first answer that is not the expected one."""
    title("1. TRADER37 enters orders in both accounts, on three instruments")
    book = [
        ("a1", 14, "BTC-USD", 1, "2", "61000"),
        ("a2", 14, "ETH-USD", 2, "5", "3200.5"),
        ("a3", 15, "BTC-PERP", 1, "10", "60900"),
        ("a4", 15, "BTC-USD", 2, "1", "64000"),
        ("a5", 15, "ETH-USD", 1, "3", "3100"),
        ("a6", 14, "BTC-USD", 1, "1", "60500"),
    ]
    ids = {}
    for entry in book:
        trader.send("D", *order(*entry))
        ids[entry[0]] = trader.expect(f"order {entry[0]}", t35="8", t150="0", t39="0")[37]

    title("2. It cancels one order by OrigClOrdID(41), one by OrderID(37)")
    trader.send("F", (11, "c1"), (41, "a1"), (55, "BTC-USD"), (54, 1), (38, 2))
    trader.expect("cancel of a1", t35="8", t150="4", t11="c1", t41="a1")
    trader.send("F", (11, "c2"), (41, "NONE"), (37, ids["a2"]), (55, "ETH-USD"), (54, 2), (38, 5))
    trader.expect("cancel of a2", t35="8", t150="4", t11="c2", t41="a2")

    title("3. It cancels everything it has on one instrument: r first, then each order's outcome")
    trader.send("q", (11, "m1"), (530, 1), (55, "BTC-USD"))
    trader.expect("mass cancel m1", t35="r", t531="1", t533="2")
    for cl_ord_id in ("a4", "a6"):
        trader.expect(f"end of {cl_ord_id}", t35="8", t150="4", t11="m1", t41=cl_ord_id)

    title("4. It asks for an account that is not its own: refused, nothing is canceled")
    trader.send("q", (11, "m2"), (1, 16), (530, 7))
    refused = trader.expect("mass cancel m2", t35="r", t531="0", t532="99")
    if "(errorcode 20)" not in refused[58]:
        raise DemoError(f"the refusal should be code 20: {refused[58]}")

    title("5. OPERATOR1 enters an order for user 37, and cancels everything on the OMS")
    for_user = ((453, 1), (448, 37), (447, "D"), (452, 11))
    operator.send("D", *order("o1", 14, "BTC-PERP", 1, "4", "60000"), *for_user)
    operator.expect("order o1", t35="8", t150="0")
    operator.send("q", (11, "k1"), (530, 7))
    operator.expect("mass cancel k1", t35="r", t531="7", t533="3")
    for cl_ord_id in ("a3", "a5", "o1"):
        operator.expect(f"end of {cl_ord_id}", t35="8", t150="4", t11="k1", t41=cl_ord_id)

    title("6. TRADER37 is told of the orders that somebody else ended: unsolicited")
    for cl_ord_id in ("a3", "a5"):
        if 41 in trader.expect(f"end of {cl_ord_id}", t35="8", t150="4", t11=cl_ord_id):
            raise DemoError("an unsolicited report carries no OrigClOrdID(41)")

    title("7. Both check that nothing is left")
    for client in (trader, operator):
        client.send("AF", (584, "s1"), (585, 7))
        client.expect("status", t35="8", t150="I", t39="8", t911="0", t912="Y")


def run() -> None:
    """Start everything, converse, and stop everything. Raises DemoError."""
    with tempfile.TemporaryDirectory(prefix="fixgw-demo-") as directory:
        data, port = Path(directory), free_port()
        command = [
            sys.executable,
            "-m",
            "fixgw",
            "serve",
            "--data",
            str(data / "data"),
            "--fix-port",
            str(port),
            "--no-api",
        ]
        title("A gateway with the reference configuration")
        out.print(escape("$ fixgw " + " ".join(command[3:])))
        with (data / "log").open("w") as log:
            gateway = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        clients: list[Client] = []
        try:
            ready = gateway.stdout.readline() if gateway.stdout is not None else ""
            if not ready:
                raise DemoError("the gateway did not start:\n" + (data / "log").read_text())
            out.print(escape(ready.strip()))
            clients.append(Client("TRADER37", port, data, "cyan"))
            clients.append(Client("OPERATOR1", port, data, "magenta"))
            for client in clients:
                wait_until(f"Logon of {client.name}", lambda client=client: client.logged_on)  # type: ignore[misc]
            converse(*clients)
        finally:
            for client in clients:
                client.stop()
            gateway.send_signal(signal.SIGTERM)
            code = gateway.wait(15)
        if code != 0:
            raise DemoError(f"the gateway stopped with exit code {code}:\n" + (data / "log").read_text())


def main() -> int:
    """Run it within SECONDS; the exit code."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    started = time.monotonic()
    try:
        run()
    except DemoError as error:
        out.print(f"\n[bold red]failed[/] {escape(str(error))}")
        return 1
    out.print(f"\n[bold green]done[/] every outcome was told, in {time.monotonic() - started:.1f} s")
    return 0


def _too_long(*_: object) -> None:
    raise DemoError(f"the demonstration took longer than {SECONDS:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
