"""The FIX door: QuickFIX's SocketAcceptor, driven by `poll()` from the engine's one thread.

QuickFIX borrows out what it passes to a callback, hangs for ever on an exception that is not its own, and
says False when it lost a message. So every callback stands behind one fence, keeps nothing of QuickFIX's,
and does nothing but append to a list; a send that fails stops the process.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import NoReturn, TypeVar, cast

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
from fixgw.journal.contract import JournalError

log = structlog.get_logger("fixgw.fix")

EXIT_INVARIANT = 70  # EX_SOFTWARE: an invariant does not hold; restart, and the journal mends it
EXIT_JOURNAL = 74  # EX_IOERR: the journal does not work; nothing was acknowledged that is not in it
GUARDED_PER_POLL = 64  # sessions whose numbers are looked at in one poll: half a microsecond each
HEARTBEAT_SECONDS = range(5, 61)  # HeartBtInt(108): 0 would switch all of QuickFIX's timeouts off
REFUSED = "Logon refused"  # one text for every cause: an attacker learns nothing

OnMoved = Callable[[str, quickfix.Session, int, int], None]
Callback = TypeVar("Callback", bound=Callable[..., object])


def die(why: str, code: int = EXIT_INVARIANT) -> NoReturn:
    """Stop the process at once, because going on could lose or double something."""
    try:
        log.critical("stopped", why=why, exc_info=sys.exc_info()[0] is not None)
        print(f"fixgw: stopped: {why}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(code)


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
        except JournalError as error:
            die(str(error), EXIT_JOURNAL)
        except BaseException as error:
            die(f"a callback of QuickFIX failed: {error!r}")

    return cast(Callback, behind_fence)


class Application(quickfix.Application):
    """QuickFIX's callbacks. `epochs` are the sessions' epochs; `on_reset` commits a new one (a Logon with
    141=Y).

    QuickFIX can be brought to hand over messages of a connection that never logged on, so a message counts
    only when a Logon with good credentials went before it on its connection.
    """

    def __init__(
        self,
        credentials: Credentials,
        epochs: dict[str, int],
        on_reset: Callable[[str], None],
        is_sound: Callable[[str], bool],
    ) -> None:
        super().__init__()
        self._credentials = credentials
        self._epochs = epochs
        self._on_reset = on_reset
        self._is_sound = is_sound
        self.logged_on: set[str] = set()
        self.received: list[tuple[str, int, str]] = []
        self.left: list[str] = []

    @fenced
    def onCreate(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """QuickFIX made the session."""

    @fenced
    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged on."""
        log.info("logged on", session=_name(sessionID))

    @fenced
    def onLogout(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged off, or its connection was refused."""
        name = _name(sessionID)
        if name in self.logged_on:
            self.logged_on.remove(name)
            self.left.append(name)
            log.info("logged off", session=name)

    @fenced
    def toAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message goes out; only a Reject is worth a line."""
        if message.getHeader().getField(35) == "3":
            said = _fields(_text(message), ref_seq_num=45, tag=371, why=58)
            log.warning("rejected", session=_name(sessionID), **said)

    def toApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """Called with the session's mutex held: nothing is done here, so there is nothing to fence."""

    @fenced
    def fromAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message came in: credentials and resets are looked at here."""
        name = _name(sessionID)
        msg_type = message.getHeader().getField(35)
        if msg_type == "A":
            self._logon(name, message.toString())
        elif name not in self.logged_on:
            # a SequenceReset with a low NewSeqNo would even crash QuickFIX: it would answer on no connection
            self._refuse(name, f"MsgType(35)={msg_type} before Logon", REFUSED)

    def _logon(self, name: str, raw: str) -> None:
        fields = dict(part.partition("=")[::2] for part in raw.split(SOH))
        wrong = self._credentials.problem(name, fields.get("553"), fields.get("554"))
        if wrong is not None:
            self._refuse(name, wrong, REFUSED)
        heartbeat = fields.get("108", "")
        if not (heartbeat.isascii() and heartbeat.isdecimal() and int(heartbeat) in HEARTBEAT_SECONDS):
            why = f"HeartBtInt(108) must be {HEARTBEAT_SECONDS[0]} to {HEARTBEAT_SECONDS[-1]} seconds"
            self._refuse(name, why, why)
        if fields.get("141") == "Y":
            self._on_reset(name)
        elif not self._is_sound(name):
            self._refuse(name, "its numbers were moved by somebody else and are put right now", "try again")
        self.logged_on.add(name)

    def _refuse(self, name: str, why: str, told: str) -> NoReturn:
        log.warning("refused", session=name, why=why)
        raise quickfix.RejectLogon(told)

    @fenced
    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """An application message came in: its text is kept, nothing of QuickFIX's is."""
        name = _name(sessionID)
        if name in self.logged_on:
            self.received.append((name, self._epochs[name], _text(message)))
        else:
            log.warning("refused", session=name, why="an application message before Logon")


def _text(message: quickfix.Message) -> str:
    """The message as text that can be encoded again: bytes that are no UTF-8 come as lone surrogates."""
    raw = message.toString()
    return raw if raw.isascii() else raw.encode("utf-8", "surrogateescape").decode("latin-1")


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
        self._seen: dict[str, tuple[int, int]] = {}
        self._to_guard: deque[str] = deque()
        self._native: dict[str, quickfix.Session] = {}
        self._acceptor: quickfix.SocketAcceptor | None = None

    def create(
        self, epochs: dict[str, int], on_reset: Callable[[str], int], on_moved: OnMoved
    ) -> dict[str, quickfix.Session]:
        """Have QuickFIX create its sessions, returned by name; the port stays closed.

        `on_reset` commits a session's new epoch and returns it. `on_moved` puts the two next MsgSeqNums that
        it is given back into a session, which somebody moved who never logged on. Raises OSError when
        QuickFIX does not take the settings.
        """
        self._on_moved = on_moved

        def reset(name: str) -> None:
            epochs[name] = on_reset(name)
            self._seen[name] = (1, 1)

        def is_sound(name: str) -> bool:
            return self._read_numbers(name) == self._seen[name]

        self._reset = reset
        self._application = Application(self._credentials, epochs, reset, is_sound)
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
        self._seen = {name: self._read_numbers(name) for name in self._native}
        self._to_guard.extend(self._native)
        try:
            self._acceptor.poll()
        except (quickfix.RuntimeError, quickfix.ConfigError) as error:
            raise OSError(f"QuickFIX cannot open the port: {error}") from error

    def poll(self) -> list[Arrival]:
        """Let QuickFIX work once; the requests (any number) that came in, in order."""
        if self._acceptor is None or not self._acceptor.poll():
            die("QuickFIX has stopped by itself")
        self._guard_some()
        received = self._application.received
        if not received:
            return []
        self._application.received = []
        arrivals = (self._arrival(name, epoch, raw) for name, epoch, raw in received)
        return [arrival for arrival in arrivals if arrival is not None]

    def _guard_some(self) -> None:
        left = self._application.left
        while left:
            self._guard(left.pop(), left=True)
        for _ in range(min(GUARDED_PER_POLL, len(self._to_guard))):
            self._guard(self._to_guard[0])
            self._to_guard.rotate(-1)

    def _guard(self, name: str, *, left: bool = False) -> None:
        """Put the session's next numbers right if somebody moved them who may not.

        A Logon with 141=Y makes QuickFIX wipe its store before it asks for credentials, or checks anything;
        other messages before Logon count up the inbound number. A client that is logged on, and so had the
        store wiped, has reset its session. `left` says that the session has just logged off: its numbers went
        up.
        """
        numbers, seen = self._read_numbers(name), self._seen[name]
        if numbers != seen:
            logged_on = name in self._application.logged_on
            if numbers[1] < seen[1] and logged_on:
                log.warning(
                    "reset", session=name, why="a Logon with 141=Y that QuickFIX did not ask us about"
                )
                self._reset(name)
            elif numbers[1] < seen[1] or not (logged_on or left):
                self._on_moved(name, self._native[name], *seen)
            self._seen[name] = self._read_numbers(name)

    def _read_numbers(self, name: str) -> tuple[int, int]:
        native = self._native[name]
        return native.getExpectedTargetNum(), native.getExpectedSenderNum()

    def _arrival(self, name: str, epoch: int, raw: str) -> Arrival | None:
        session = self._directory.sessions[name]
        request = self._inbound.read(raw, session)
        msg_type = raw[raw.index("\x0135=") + 4 :].partition(SOH)[0]
        if msg_type == "j":
            # to answer a BusinessMessageReject with another one could go on for ever
            log.warning("client rejected a message", session=name, **_fields(raw, ref_seq_num=45, why=58))
            return None
        return Arrival(name, epoch, request.ref_seq_num, msg_type, request)

    def numbers(self, session: str) -> tuple[int, int]:
        """The next inbound and the next outbound MsgSeqNum of `session`."""
        return self._read_numbers(session)

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
        self._seen[session] = self._read_numbers(session)

    def keep_time(self) -> None:
        """Let the sessions look at the clock: QuickFIX does so only in a poll that found nothing to do."""
        now = quickfix.UtcTimeStamp.now()
        for native in self._native.values():
            if native.isLoggedOn():
                native.next(now)

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
