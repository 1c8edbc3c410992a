"""The FIX door: QuickFIX's SocketAcceptor, driven by `poll()` from the engine's one thread.

QuickFIX borrows out what it passes to a callback, hangs for ever on an exception that is not its own, and
says False when it lost a message. So every callback stands behind one fence, keeps nothing of QuickFIX's,
and does nothing but append to a list; a send that fails stops the process.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar, cast

import quickfix
import structlog

from fixgw.core.directory import Directory
from fixgw.core.reports import Report
from fixgw.engine.desk import Arrival
from fixgw.fix.credentials import Credentials
from fixgw.fix.dictionary import SOH, Dictionary
from fixgw.fix.inbound import Inbound
from fixgw.fix.outbound import Outbound
from fixgw.fix.settings import BEGIN_STRING, SessionSettings

log = structlog.get_logger("fixgw.fix")

EXIT_INVARIANT = 70  # EX_SOFTWARE: an invariant does not hold; restart, and the journal mends it
HEARTBEAT_SECONDS = range(5, 61)  # HeartBtInt(108): 0 would switch all of QuickFIX's timeouts off
REFUSED = "Logon refused"  # one text for every cause: an attacker learns nothing

Callback = TypeVar("Callback", bound=Callable[..., object])


def die(why: str) -> None:
    """Stop the process at once, because going on could lose or double something; never returns."""
    log.critical("stopped", why=why, exc_info=sys.exc_info()[0] is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_INVARIANT)


def fenced(callback: Callback) -> Callback:
    """Let out of `callback` only what QuickFIX can take (RejectLogon); anything else ends the process.

    Any other exception would hang the engine for ever while its port still accepts.
    """

    @wraps(callback)
    def behind_fence(*args: object) -> object:
        try:
            return callback(*args)
        except quickfix.RejectLogon:
            raise
        except BaseException as error:
            die(f"a callback of QuickFIX failed: {error!r}")
            raise

    return cast(Callback, behind_fence)


class Application(quickfix.Application):
    """QuickFIX's callbacks. `on_reset` is called when a client's Logon resets the sequence numbers."""

    def __init__(self, credentials: Credentials, on_reset: Callable[[str], None]) -> None:
        super().__init__()
        self._credentials = credentials
        self._on_reset = on_reset
        self._logged_on: set[str] = set()
        self.received: list[tuple[str, str]] = []
        self.wiped: list[str] = []

    @fenced
    def onCreate(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """QuickFIX made the session."""

    @fenced
    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged on."""
        self._logged_on.add(_name(sessionID))
        log.info("logged on", session=_name(sessionID))

    @fenced
    def onLogout(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged off, or its connection was refused."""
        if _name(sessionID) in self._logged_on:
            self._logged_on.remove(_name(sessionID))
            log.info("logged off", session=_name(sessionID))

    @fenced
    def toAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message goes out; only a Reject is worth a line."""
        fields = message.getHeader().getField(35)
        if fields == "3":
            raw = message.toString()
            log.warning("rejected", session=_name(sessionID), **_fields(raw, ref_seq_num=45, tag=371, why=58))

    def toApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Called with the session's mutex held: nothing is done here, so there is nothing to fence."""

    @fenced
    def fromAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message came in: credentials and resets are looked at here."""
        name = _name(sessionID)
        msg_type = message.getHeader().getField(35)
        if msg_type == "A":
            self._logon(name, message.toString())
        elif msg_type == "4" and name not in self._logged_on:
            # with a low NewSeqNo QuickFIX would send a Reject to a connection it does not have, and crash
            log.warning("refused", session=name, why="SequenceReset before Logon")
            raise quickfix.RejectLogon(REFUSED)

    def _logon(self, name: str, raw: str) -> None:
        fields = dict(part.partition("=")[::2] for part in raw.split(SOH))
        wrong = self._credentials.problem(name, fields.get("553"), fields.get("554"))
        if wrong is not None:
            self._refuse(name, fields, wrong, REFUSED)
        heartbeat = fields.get("108", "")
        if not heartbeat.isdecimal() or int(heartbeat) not in HEARTBEAT_SECONDS:
            why = f"HeartBtInt(108) must be {HEARTBEAT_SECONDS[0]} to {HEARTBEAT_SECONDS[-1]} seconds"
            self._refuse(name, fields, why, why)
        if fields.get("141") == "Y":
            self._on_reset(name)

    def _refuse(self, name: str, fields: dict[str, str], why: str, told: str) -> None:
        log.warning("refused", session=name, why=why)
        if fields.get("141") == "Y":
            self.wiped.append(name)  # QuickFIX resets before it asks
        raise quickfix.RejectLogon(told)

    @fenced
    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """An application message came in: its text is kept, nothing of QuickFIX's is."""
        self.received.append((_name(sessionID), message.toString()))


def _name(session_id: quickfix.SessionID) -> str:
    """The client's CompID; a SessionID of QuickFIX has neither equality nor a hash."""
    return session_id.toString().rpartition("->")[2]


def _fields(raw: str, **tags: int) -> dict[str, str]:
    fields = dict(part.partition("=")[::2] for part in raw.split(SOH))
    return {name: fields[str(tag)] for name, tag in tags.items() if str(tag) in fields}


class Acceptor:
    """QuickFIX as the engine sees it: poll it, take what arrived, send, read numbers, stop it."""

    def __init__(
        self,
        directory: Directory,
        settings: SessionSettings,
        credentials: Credentials,
        dictionary: Dictionary,
        *,
        dictionary_path: Path,
        port: int,
        store: Path,
    ) -> None:
        self._directory = directory
        self._inbound = Inbound(dictionary)
        self._outbound = Outbound(directory)
        self._credentials = credentials
        self._dictionary = quickfix.DataDictionary(str(dictionary_path))
        self._settings_text = settings.render(port=port, store=store)
        self._ids = {
            name: quickfix.SessionID(BEGIN_STRING, settings.of(name, "SenderCompID") or "", name)
            for name in directory.sessions
        }
        self._epochs: dict[str, int] = {}
        self._native: dict[str, quickfix.Session] = {}
        self._acceptor: quickfix.SocketAcceptor | None = None

    def create(
        self,
        epochs: dict[str, int],
        on_reset: Callable[[str], int],
        on_wiped: Callable[[str, quickfix.Session], None],
    ) -> dict[str, quickfix.Session]:
        """Have QuickFIX create its sessions, returned by name; the port stays closed.

        `on_reset` commits a session's new epoch and returns it; `on_wiped` puts numbers back after a Logon
        that had QuickFIX reset them and was then refused. Raises OSError
        when QuickFIX does not take the settings.
        """
        self._epochs = epochs
        self._on_wiped = on_wiped

        def reset(name: str) -> None:
            self._epochs[name] = on_reset(name)

        self._application = Application(self._credentials, reset)
        self._settings = quickfix.SessionSettings()
        try:
            self._settings.setFromString(self._settings_text)
            self._store = quickfix.FileStoreFactory(self._settings)
            self._acceptor = quickfix.SocketAcceptor(self._application, self._store, self._settings)
        except (quickfix.RuntimeError, quickfix.ConfigError) as error:
            raise OSError(f"QuickFIX does not take the settings: {error}") from error
        for name, session_id in self._ids.items():
            native = quickfix.Session.lookupSession(session_id)
            if native is None:
                raise LookupError(name)
            self._native[name] = native
        return self._native

    def open(self) -> None:
        """Open the port. Raises OSError when it cannot be opened."""
        if self._acceptor is None:
            raise AssertionError("open comes after create")
        try:
            self._acceptor.poll()
        except (quickfix.RuntimeError, quickfix.ConfigError) as error:
            raise OSError(f"QuickFIX cannot open the port: {error}") from error

    def poll(self) -> list[Arrival]:
        """Let QuickFIX work once; the requests (any number) that came in, in order."""
        if self._acceptor is None or not self._acceptor.poll():
            die("QuickFIX has stopped by itself")
        while self._application.wiped:
            name = self._application.wiped.pop()
            self._on_wiped(name, self._native[name])
        received = self._application.received
        if not received:
            return []
        self._application.received = []
        return [arrival for name, raw in received if (arrival := self._arrival(name, raw)) is not None]

    def _arrival(self, name: str, raw: str) -> Arrival | None:
        session = self._directory.sessions[name]
        request = self._inbound.read(raw, session)
        msg_type = raw[raw.index("\x0135=") + 4 :].partition(SOH)[0]
        if msg_type == "j":
            # to answer a BusinessMessageReject with another one could go on for ever
            log.warning("client rejected a message", session=name, **_fields(raw, ref_seq_num=45, why=58))
            return None
        return Arrival(name, self._epochs[name], request.ref_seq_num, msg_type, request)

    def numbers(self, session: str) -> tuple[int, int]:
        """The next inbound and the next outbound MsgSeqNum of `session`."""
        native = self._native[session]
        return native.getExpectedTargetNum(), native.getExpectedSenderNum()

    def send(self, session: str, reports: Sequence[Report], first_seq_num: int) -> None:
        """Send `reports` (any number) with the numbers from `first_seq_num` on; ends the process if it fails.

        While the client is away QuickFIX stores and counts them, and the client asks for them at its return.
        """
        native, session_id = self._native[session], self._ids[session]
        if native.getExpectedSenderNum() != first_seq_num:
            die(f"{session}: next MsgSeqNum is {native.getExpectedSenderNum()}, journaled is {first_seq_num}")
        profile = self._directory.sessions[session]
        send = quickfix.Session.sendToTarget
        for report in reports:
            body, has_groups = self._outbound.render(report, profile)
            raw = f"8={BEGIN_STRING}\x019=0\x01{body}10=000\x01"
            message = (
                quickfix.Message(raw, self._dictionary, False) if has_groups else quickfix.Message(raw, False)
            )
            if not send(message, session_id):
                die(f"{session}: QuickFIX could not store a report")
        if native.getExpectedSenderNum() != first_seq_num + len(reports):
            die(f"{session}: QuickFIX did not count the reports that it took")

    def log_out(self) -> None:
        """Begin to log every client out; it takes some polls."""
        for native in self._native.values():
            native.logout("the gateway is stopping")

    @property
    def is_logged_on(self) -> bool:
        """Whether any client is logged on."""
        return any(native.isLoggedOn() for native in self._native.values())

    def close(self) -> None:
        """Close the port and every connection. The sessions' numbers can still be read."""
        if self._acceptor is not None:
            self._acceptor.stop(True)
