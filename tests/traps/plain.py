"""What the bare scripts run: QuickFIX as its documentation shows it, without any of our cures.

A script is started with a port and a directory of its own as its first arguments, and says `ready`.
"""

import sys
import time
from pathlib import Path

import quickfix

OURS = Path(__file__).parents[2] / "spec" / "FIX44.xml"
STOCK = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
LIFE_SECONDS = 30.0  # a script ends by itself should its test not end it

PORT = sys.argv[1] if len(sys.argv) > 1 else "0"
DIRECTORY = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
ARGUMENTS = sys.argv[3:]


class Plain(quickfix.Application):
    """Does nothing: everybody may log on."""

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

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Nothing."""


def settings(*lines: str, dictionary: Path = OURS) -> quickfix.SessionSettings:
    """Two sessions of an acceptor, TRADER37 and TRADER39; `lines` are more settings for both."""
    text = [
        "[DEFAULT]",
        "ConnectionType=acceptor",
        "BeginString=FIX.4.4",
        "SenderCompID=FIXGW",
        f"SocketAcceptPort={PORT}",
        "UseDataDictionary=Y",
        f"DataDictionary={dictionary}",
        f"FileStorePath={DIRECTORY / 'store'}",
        f"FileLogPath={DIRECTORY / 'log'}",
        "NonStopSession=Y",
        *lines,
        *("[SESSION]", "TargetCompID=TRADER37", "[SESSION]", "TargetCompID=TRADER39"),
    ]
    found = quickfix.SessionSettings()
    found.setFromString("\n".join(text) + "\n")
    return found


def say(text: object) -> None:
    """A line for the test; `ready` is the first one: it may begin."""
    print(text, flush=True)  # noqa: T201


def serve(acceptor: quickfix.SocketAcceptor) -> None:
    """Drive the acceptor by `poll()` from this one thread, as the gateway does."""
    acceptor.poll()
    say("ready")
    end = time.monotonic() + LIFE_SECONDS
    while acceptor.poll() and time.monotonic() < end:
        time.sleep(0.0005)
