"""QuickFIX's callbacks, behind one fence.

QuickFIX borrows out what it passes to a callback, hangs for ever on an exception that is not its own, and
says False when it lost a message. So every callback stands behind one fence, keeps nothing of QuickFIX's,
and does nothing but append to a list.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, TypeVar, cast

import quickfix
import structlog

from fixgw.fix.credentials import Credentials
from fixgw.fix.dictionary import SOH
from fixgw.journal.contract import JournalError

log = structlog.get_logger("fixgw.fix")

EXIT_INVARIANT = 70  # EX_SOFTWARE: an invariant does not hold; restart, and the journal mends it
EXIT_JOURNAL = 74  # EX_IOERR: the journal does not work; nothing was acknowledged that is not in it
HEARTBEAT_SECONDS = range(5, 61)  # HeartBtInt(108): 0 would switch all of QuickFIX's timeouts off
REFUSED = "Logon refused"  # one text for every cause: an attacker learns nothing

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

    `is_sound` says whether a session's numbers are as we left them, `is_new` whether an outbound number was
    not used before.

    QuickFIX can be brought to hand over messages of a connection that never logged on, so a message counts
    only when a Logon with good credentials went before it on its connection.
    """

    def __init__(
        self,
        credentials: Credentials,
        epochs: dict[str, int],
        on_reset: Callable[[str], None],
        is_sound: Callable[[str], bool],
        is_new: Callable[[str, int], bool],
    ) -> None:
        super().__init__()
        self._credentials = credentials
        self._epochs = epochs
        self._on_reset = on_reset
        self._is_sound = is_sound
        self._is_new = is_new
        self.logged_on: set[str] = set()
        self.received: list[tuple[str, int, str]] = []
        self.left: list[str] = []
        self.wiped: set[str] = set()

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
        """A session message goes out. An old number on a new one means that the store was wiped."""
        name, header = _name(sessionID), message.getHeader()
        if not header.isSetField(43) and not self._is_new(name, int(header.getField(34))):
            self.wiped.add(name)
        if header.getField(35) == "3":
            said = fields_of(_text(message), ref_seq_num=45, tag=371, why=58)
            log.warning("rejected", session=name, **said)

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


def fields_of(raw: str, **tags: int) -> dict[str, str]:
    """The fields of `raw` with these tags, by the names given to them; those that it has."""
    fields = dict(part.partition("=")[::2] for part in raw.split(SOH))
    return {name: fields[str(tag)] for name, tag in tags.items() if str(tag) in fields}
