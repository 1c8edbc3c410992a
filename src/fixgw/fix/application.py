"""QuickFIX's callbacks, behind one fence.

QuickFIX borrows out what it passes to a callback, hangs for ever on an exception that is not its own, and
says False when it lost a message. So every callback stands behind one fence, keeps nothing of QuickFIX's,
and does nothing but append to a list.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from hmac import compare_digest
from typing import NoReturn, Protocol, TypeVar, cast

import quickfix
import structlog

from fixgw.engine.turn import DISABLED, Presence, Way
from fixgw.exits import EXIT_INVARIANT, EXIT_JOURNAL
from fixgw.fix.dictionary import SOH
from fixgw.fix.settings import HEARTBEAT_RULE, HEARTBEAT_SECONDS, REFUSED, WATCH_SESSION
from fixgw.journal.contract import JournalError

log = structlog.get_logger("fixgw.fix")

BEGUN_ANEW = "sequence numbers have begun anew: log on with MsgSeqNum(34)=1, or with ResetSeqNumFlag(141)=Y"

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


class Engine(Protocol):
    """What a callback tells or asks the engine at once, because QuickFIX goes on right after it."""

    def is_disabled(self, session: str) -> bool:
        """Whether the operator has disabled it, so that its client may not log on."""
        ...

    def why_not(self, session: str, asked: str) -> str | None:
        """Why CancelOrdersOnDisconnect(8013)=`asked` cannot be had on it; None when it can."""
        ...

    def is_anew(self, session: str) -> bool:
        """Whether we had its numbers begin anew, and the client has not logged on since."""
        ...

    def logged_on(self, session: str) -> None:
        """Commit that the client has logged on since its numbers began anew."""
        ...

    def resent(self, session: str, begin: int, end: int) -> None:
        """The client asked for the MsgSeqNums from `begin` to `end` (0: all) again, and gets them now."""
        ...


class Application(quickfix.Application):
    """QuickFIX's callbacks. `epochs` are the sessions' epochs. `begin` commits that a client has its numbers
    begin anew (a Logon with 141=Y), and returns the new epoch.

    `is_sound` says whether a session's numbers are as we left them, `is_new` whether an outbound number was
    not used before. `lay_out` has QuickFIX find the reports of a range that a client asks for again.
    `touched` are the sessions whose numbers something other than a request or a report may have moved, and
    whether they have just logged off.

    The supervisor's session is none of these: its numbers are its own affair, and nothing but session
    messages comes through it.

    Every Logon has the `secret` as its Password(554): the edge puts it in the place of the client's, which it
    has checked. QuickFIX can be brought to hand over messages of a connection that never logged on, so a
    message counts only when a Logon with the secret went before it on its connection.
    """

    def __init__(
        self,
        secret: str,
        epochs: dict[str, int],
        engine: Engine,
        begin: Callable[[str], int],
        is_sound: Callable[[str], bool],
        is_new: Callable[[str, int], bool],
        lay_out: Callable[[str, int, int], None],
    ) -> None:
        super().__init__()
        if not secret:
            raise ValueError("without a secret everybody could log on")
        self._secret = secret.encode()
        self._epochs = epochs
        self._engine = engine
        self._begin = begin
        self._is_sound = is_sound
        self._is_new = is_new
        self._lay_out = lay_out
        self._watch_logged_on = False
        self.logged_on: set[str] = set()
        self.received: list[tuple[str, int, str] | Presence] = []
        self._asked: dict[str, str | None] = {}
        self._said_goodbye: set[str] = set()
        self.touched: dict[str, bool] = {}
        self.sending_time = ""  # SendingTime(52) of the reports that are sent now
        self.wiped: set[str] = set()

    @fenced
    def onCreate(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """QuickFIX made the session."""

    @fenced
    def onLogon(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged on."""
        name = _name(sessionID)
        if name != WATCH_SESSION:
            log.info("logged on", session=name)
            self.received.append(Presence(name, Way.LOGGED_ON, self._asked.pop(name, None)))

    @fenced
    def onLogout(self, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """The session is logged off, or its connection was refused."""
        name = _name(sessionID)
        if name == WATCH_SESSION:
            self._watch_logged_on = False
            return
        self.touched.setdefault(name, False)
        if name in self.logged_on:
            self.logged_on.remove(name)
            self.touched[name] = True
            way = Way.LOGGED_OUT if name in self._said_goodbye else Way.DISCONNECTED
            self.received.append(Presence(name, way))
            log.info("logged off", session=name)

    @fenced
    def toAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message goes out. An old number on a new one means that the store was wiped."""
        name, header = _name(sessionID), message.getHeader()
        if name == WATCH_SESSION:
            return
        self.touched.setdefault(name, False)
        if not header.isSetField(43) and not self._is_new(name, int(header.getField(34))):
            self.wiped.add(name)
        if header.getField(35) == "3":
            said = fields_of(_text(message), ref_seq_num=45, tag=371, why=58)
            log.warning("rejected", session=name, **said)

    @fenced
    def toApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: ARG002, N802, N803
        """A report goes out, or a copy of one. Called with the session's mutex held: no more is done here."""
        if self.sending_time:
            message.getHeader().setField(52, self.sending_time)

    @fenced
    def fromAdmin(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """A session message came in: the secret and resets are looked at here."""
        name = _name(sessionID)
        msg_type = message.getHeader().getField(35)
        if name == WATCH_SESSION:
            self._from_watch(msg_type, message.toString())
            return
        self.touched.setdefault(name, False)
        if msg_type == "A":
            self._logon(name, message.toString())
        elif name in self.logged_on:
            if msg_type == "5":
                self._said_goodbye.add(name)
            elif msg_type == "2":
                begin, end = int(message.getField(7)), int(message.getField(16))
                self._lay_out(name, begin, end)
                self._engine.resent(name, begin, end)
        else:
            # a SequenceReset with a low NewSeqNo would even crash QuickFIX: it would answer on no connection
            self._refuse(name, f"MsgType(35)={msg_type} before Logon", REFUSED)

    def _logon(self, name: str, raw: str) -> None:
        fields = _fields(raw)
        self._check_secret(name, fields)
        if self._engine.is_disabled(name):
            self._refuse(name, DISABLED, DISABLED)
        heartbeat = fields.get("108", "")
        if not (heartbeat.isascii() and heartbeat.isdecimal() and int(heartbeat) in HEARTBEAT_SECONDS):
            self._refuse(name, HEARTBEAT_RULE, HEARTBEAT_RULE)
        if (asked := fields.get("8013")) is not None and (why_not := self._engine.why_not(name, asked)):
            self._refuse(name, why_not, why_not)
        if fields.get("141") == "Y":
            self._epochs[name] = self._begin(name)
        elif self._engine.is_anew(name):
            if fields["34"] != "1":
                self._refuse(name, f"MsgSeqNum(34)={fields['34']} after a reset", BEGUN_ANEW)
            self._engine.logged_on(name)
        elif not self._is_sound(name):
            self._refuse(name, "its numbers were moved by somebody else and are put right now", "try again")
        self.logged_on.add(name)
        self._said_goodbye.discard(name)
        self._asked[name] = fields.get("8013")

    def _check_secret(self, name: str, fields: dict[str, str]) -> None:
        if not compare_digest(fields.get("554", "").encode("utf-8", "surrogateescape"), self._secret):
            self._refuse(name, "wrong secret", REFUSED)

    def _from_watch(self, msg_type: str, raw: str) -> None:
        if msg_type == "A":
            self._check_secret(WATCH_SESSION, _fields(raw))
            self._watch_logged_on = True
        elif not self._watch_logged_on:
            self._refuse(WATCH_SESSION, f"MsgType(35)={msg_type} before Logon", REFUSED)

    def _refuse(self, name: str, why: str, told: str) -> NoReturn:
        log.warning("refused", session=name, why=why)
        raise quickfix.RejectLogon(told)

    @fenced
    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803
        """An application message came in: its text is kept, nothing of QuickFIX's is."""
        name = _name(sessionID)
        if name in self.logged_on:
            self.received.append((name, self._epochs[name], _text(message)))
        elif name == WATCH_SESSION:
            log.warning("refused", session=name, why="an application message on the supervisor's session")
        else:
            self.touched.setdefault(name, False)
            log.warning("refused", session=name, why="an application message before Logon")


def _text(message: quickfix.Message) -> str:
    """The message as text that can be encoded again: bytes that are no UTF-8 come as lone surrogates."""
    raw = message.toString()
    return raw if raw.isascii() else raw.encode("utf-8", "surrogateescape").decode("latin-1")


def _name(session_id: quickfix.SessionID) -> str:
    """The client's CompID; a SessionID of QuickFIX has neither equality nor a hash."""
    return session_id.toString().rpartition("->")[2]


def _fields(raw: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in raw.split(SOH))


def fields_of(raw: str, **tags: int) -> dict[str, str]:
    """The fields of `raw` with these tags, by the names given to them; those that it has."""
    fields = _fields(raw)
    return {name: fields[str(tag)] for name, tag in tags.items() if str(tag) in fields}
