"""A bare QuickFIX acceptor, the yardstick: answers every OrderCancelRequest with a constant ExecutionReport.

It reads nothing of the request but its type, decides nothing and remembers nothing, so it shows what Python
on QuickFIX with a file store can reach at most, either on QuickFIX's own thread (`--mode start`) or driven
from Python's (`--mode poll`). With `--commit` it commits a row to SQLite before it answers, which is what a
gateway that loses nothing cannot go below. It prints `ready` and its port once it listens, and ends on
SIGTERM or SIGINT.
"""

import argparse
import contextlib
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import quickfix as fix

SPEC = Path(__file__).resolve().parents[2] / "spec" / "FIX44.xml"
INSTALLED_SPEC = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"

SETTINGS = """\
[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketNodelay=Y
SocketReuseAddress=Y
FileStorePath={store}
StartTime=00:00:00
EndTime=00:00:00
NonStopSession=Y
UseDataDictionary=Y
DataDictionary={dictionary}

[SESSION]
BeginString=FIX.4.4
SenderCompID={sender}
TargetCompID={target}
"""

ORDER_CANCEL_REQUEST = "F"
EXECUTION_REPORT = "\x01".join(
    (
        *(
            "8=FIX.4.4",
            "9=0",
            "35=8",
            "37=10000",
            "11=c10000",
            "41=a10000",
            "17=10000",
            "150=4",
            "39=4",
            "1=14",
        ),
        *("55=BTC-USD", "48=25", "22=8", "54=1", "38=1", "40=2", "44=1", "59=1", "151=0", "14=0", "6=0"),
        *("60=20260101-00:00:00.000", "10=000", ""),
    )
)
"""The same fields as fixgw's report on a canceled order."""

IDLE_POLLS_BEFORE_PARKING = 200
"""About half a millisecond of polling: a busy peer's next message comes sooner than that."""

PARK_SECONDS = 0.0005
STOP_SECONDS = 5.0


ROW_TEXTS = (300, 150, 200, 450)
"""Characters in the columns of a row: as many as fixgw journals for a cancel."""


class Canceler(fix.Application):
    """Answers every OrderCancelRequest with the same report, after a commit where there is a `journal`."""

    def __init__(self, journal: sqlite3.Connection | None) -> None:
        super().__init__()
        self.received = 0
        self._journal = journal
        self._row = ["x" * size for size in ROW_TEXTS]

    def onCreate(self, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def onLogon(self, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def onLogout(self, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def toAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def fromAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def toApp(self, message: fix.Message, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        pass

    def fromApp(self, message: fix.Message, session_id: fix.SessionID) -> None:  # noqa: N802 (QuickFIX's name)
        self.received += 1
        if message.getHeader().getField(35) == ORDER_CANCEL_REQUEST:
            if self._journal is not None:
                self._journal.execute("INSERT INTO turn VALUES (NULL, ?, ?, ?, ?)", self._row)
            fix.Session.sendToTarget(fix.Message(EXECUTION_REPORT, False), session_id)


def journal_in(directory: Path) -> sqlite3.Connection:
    """A journal with the settings of fixgw's under `journal.sync = "normal"`."""
    journal = sqlite3.connect(directory / "journal.db", isolation_level=None)
    journal.execute("PRAGMA journal_mode=WAL")
    journal.execute("PRAGMA synchronous=NORMAL")
    journal.execute("CREATE TABLE turn (seq INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT)")
    return journal


def serve_by_start(
    acceptor: fix.SocketAcceptor, session_id: fix.SessionID, stop: threading.Event, port: int
) -> None:
    """Let QuickFIX's own thread call the application, as its examples do."""
    acceptor.start()
    announce(port)
    stop.wait()
    say_logout(acceptor, session_id, turn=lambda: None)


def serve_by_poll(
    acceptor: fix.SocketAcceptor,
    session_id: fix.SessionID,
    application: Canceler,
    stop: threading.Event,
    port: int,
) -> None:
    """Drive QuickFIX from this thread; park when nothing has come for a while."""
    acceptor.poll()
    announce(port)
    received, idle = 0, 0
    while not stop.is_set():
        acceptor.poll()
        if application.received != received:
            received, idle = application.received, 0
        elif idle < IDLE_POLLS_BEFORE_PARKING:
            idle += 1
        else:
            time.sleep(PARK_SECONDS)
    say_logout(acceptor, session_id, turn=acceptor.poll)


def say_logout(acceptor: fix.SocketAcceptor, session_id: fix.SessionID, turn: Callable[[], object]) -> None:
    """Log a client out that is still there, and wait for its reply while `turn` keeps QuickFIX going."""
    session = fix.Session.lookupSession(session_id)
    if session is None:
        return
    session.logout()
    deadline = time.monotonic() + STOP_SECONDS
    while acceptor.isLoggedOn() and time.monotonic() < deadline:
        turn()
        time.sleep(PARK_SECONDS)


def announce(port: int) -> None:
    print(f"ready {port}", flush=True)


def free_port() -> int:
    """A port that nobody listens on now; QuickFIX cannot be asked for one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def store_directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bare-") as temporary:
        yield Path(temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=("start", "poll"), required=True, help="whose thread runs QuickFIX")
    parser.add_argument("--commit", action="store_true", help="commit a row before each answer")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--store", type=Path, help="where QuickFIX keeps its messages (default: temporary)")
    parser.add_argument("--dictionary", type=Path, default=SPEC if SPEC.exists() else INSTALLED_SPEC)
    parser.add_argument("--sender", default="FIXGW", help="the acceptor's own CompID")
    parser.add_argument("--target", default="TRADER37", help="the client's CompID")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    port = arguments.port or free_port()
    stop = threading.Event()
    # After the import of quickfix, which takes SIGINT for itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with store_directory(arguments.store) as store:
        settings_file = store / "bare.cfg"
        settings_file.write_text(
            SETTINGS.format(
                port=port,
                store=store,
                dictionary=arguments.dictionary,
                sender=arguments.sender,
                target=arguments.target,
            )
        )
        settings = fix.SessionSettings(str(settings_file))
        application = Canceler(journal_in(store) if arguments.commit else None)
        acceptor = fix.SocketAcceptor(application, fix.FileStoreFactory(settings), settings)
        session_id = fix.SessionID("FIX.4.4", arguments.sender, arguments.target)
        if arguments.mode == "start":
            serve_by_start(acceptor, session_id, stop, port)
        else:
            serve_by_poll(acceptor, session_id, application, stop, port)
    # Not acceptor.stop(): after start() it crashes now and then, because QuickFIX's thread deletes the server
    # that stop() is just closing; and an acceptor that was not stopped may not be deleted either.
    os._exit(0)


if __name__ == "__main__":
    main()
