"""The FIX door: QuickFIX's SocketAcceptor, driven by `poll()` from the engine's one thread.

QuickFIX keeps no message that it sends (PersistMessages=N): the journal has every report and its number. What
a client asks for again is laid out for QuickFIX at that moment. A number that QuickFIX could not store stops
the process.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import quickfix
import structlog

from fixgw.core.directory import Directory
from fixgw.core.reports import Again, Outgoing
from fixgw.core.requests import Malformed
from fixgw.engine.turn import Arrival, Presence
from fixgw.exits import EXIT_JOURNAL
from fixgw.fix.application import Application, Engine, die, fields_of
from fixgw.fix.copies import Copies
from fixgw.fix.dictionary import Dictionary
from fixgw.fix.filestore import Spare, StoreError, lay_out, stored_numbers
from fixgw.fix.inbound import Inbound
from fixgw.fix.outbound import POSS_RESEND, Outbound, timestamp, with_header
from fixgw.fix.settings import BEGIN_STRING, SessionSettings
from fixgw.journal.contract import Journal

log = structlog.get_logger("fixgw.fix")

GUARDED_PER_POLL = 64  # sessions whose numbers are looked at in one poll: two microseconds each
GUARD_SECONDS = 0.005  # between two such looks

STORE_CURE = "; its message store, fix/ in the data directory, must be writable and its disk not full"

OnMoved = Callable[[str, quickfix.Session, int, int], None]


class Acceptor:
    """QuickFIX as the engine sees it: poll it, take what arrived, send, read numbers, stop it.

    `has_heard`: the last poll found any message of a client, also one that only QuickFIX has to do with.
    """

    def __init__(
        self,
        directory: Directory,
        settings: SessionSettings,
        secret: str,
        dictionary: Dictionary,
        journal: Journal,
        *,
        port: int,
        store: Path,
    ) -> None:
        self._directory = directory
        self._inbound = Inbound(dictionary)
        self._outbound = Outbound(directory)
        self._copies = Copies(directory, settings, self._outbound, journal)
        self._files = store
        self._store_name = settings.store_name
        self._secret = secret
        self._dictionary = quickfix.DataDictionary(str(settings.dictionary))
        self._message = quickfix.Message()  # written anew for each report: twice as fast as a new one
        self._settings_text = settings.render(port=port, store=store)
        self._ids = {
            name: quickfix.SessionID(BEGIN_STRING, settings.of(name, "SenderCompID") or "", name)
            for name in directory.sessions
        }
        self._seen: dict[str, tuple[int, int]] = {}
        self._to_guard: deque[str] = deque()
        self._guard_at = 0.0
        self._native: dict[str, quickfix.Session] = {}
        self._laid_out: list[str] = []
        self._spare = Spare()
        self.has_heard = False
        self._acceptor: quickfix.SocketAcceptor | None = None

    def create(
        self, epochs: dict[str, int], engine: Engine, on_begin: Callable[[str], int], on_moved: OnMoved
    ) -> dict[str, quickfix.Session]:
        """Have QuickFIX create its sessions, returned by name; the port stays closed.

        `engine` is told what a callback has to tell at once. `on_begin` commits that a client has its numbers
        begin anew, and returns the new epoch. `on_moved` puts the two next MsgSeqNums that it is given back
        into a session, which somebody moved who never logged on. Raises OSError when QuickFIX does not take
        the settings.
        """
        self._on_moved = on_moved

        def is_sound(name: str) -> bool:
            return self._numbers(name) == self._seen[name]

        def begin(name: str) -> int:
            self._seen[name] = (1, 1)
            return on_begin(name)

        def is_new(name: str, seq_num: int) -> bool:
            return seq_num >= self._seen[name][1]

        self._epochs = epochs
        self._begin = begin
        self._application = Application(self._secret, epochs, engine, begin, is_sound, is_new, self._lay_out)
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
            self._seen[name] = self._numbers(name)
        return self._native

    def open(self) -> None:
        """Open the port. Raises OSError when it cannot be opened."""
        if self._acceptor is None:
            raise AssertionError("open comes after create")
        self._seen = {name: self._numbers(name) for name in self._native}
        self._to_guard.extend(self._native)
        try:
            self._acceptor.poll()
        except (quickfix.RuntimeError, quickfix.ConfigError) as error:
            raise OSError(f"QuickFIX cannot open the port: {error}") from error

    def poll(self) -> list[Arrival | Presence]:
        """Let QuickFIX work once; what came in, in order: requests (any number), and who came or went."""
        if self._acceptor is None or not self._acceptor.poll():
            die("QuickFIX has stopped by itself")
        while self._laid_out:
            self._native[self._laid_out.pop()].setPersistMessages(False)
        self.has_heard = bool(self._application.received or self._application.touched)
        for name in self._application.logged_on:  # one may begin a new epoch, before anything is decided
            self._guard(name, left=False)
        received = self._application.received
        if not received or self._application.touched:
            self._guard_some()
            if not received:
                return []
        self._application.received = []
        arrivals = [one if isinstance(one, Presence) else self._arrival(*one) for one in received]
        return [arrival for arrival in arrivals if arrival is not None]

    def _guard_some(self) -> None:
        touched, self._application.touched = self._application.touched, {}
        for name, left in touched.items():
            with self._spare:
                stored = stored_numbers(self._files, self._store_name(name))
            if stored != self._numbers(name):
                die(f"{name}: QuickFIX could not store its numbers{STORE_CURE}", EXIT_JOURNAL)
            self._guard(name, left=left)
        if (now := time.monotonic()) < self._guard_at:
            return
        self._guard_at = now + GUARD_SECONDS
        for _ in range(min(GUARDED_PER_POLL, len(self._to_guard))):
            self._guard(self._to_guard[0], left=False)
            self._to_guard.rotate(-1)

    def _guard(self, name: str, *, left: bool) -> None:
        """Put the session's next numbers right if somebody moved them who may not.

        A Logon with 141=Y makes QuickFIX wipe its store before it asks for credentials, or checks anything;
        other messages before Logon count up the inbound number. A client that is logged on, and so had the
        store wiped, has reset its session. `left` says that the session has just logged off: its numbers went
        up.
        """
        numbers, seen = self._numbers(name), self._seen[name]
        wiped = name in self._application.wiped or numbers[1] < seen[1]
        self._application.wiped.discard(name)
        if numbers != seen or wiped:
            logged_on = name in self._application.logged_on
            if wiped and logged_on:
                log.warning(
                    "reset", session=name, why="a Logon with 141=Y that QuickFIX did not ask us about"
                )
                self._epochs[name] = self._begin(name)
            elif wiped or not (logged_on or left):
                if wiped:
                    self._native[name].setNextSenderMsgSeqNum(1)
                self._on_moved(name, self._native[name], *seen)
            self._seen[name] = self._numbers(name)

    def _arrival(self, name: str, epoch: int, raw: str) -> Arrival | None:
        session = self._directory.sessions[name]
        request = self._inbound.read(raw, session)
        msg_type = request.msg_type if isinstance(request, Malformed) else request.kind
        if msg_type == "j":
            # to answer a BusinessMessageReject with another one could go on for ever
            log.warning("client rejected a message", session=name, **fields_of(raw, ref_seq_num=45, why=58))
            return None
        return Arrival(name, epoch, request.ref_seq_num, msg_type, request)

    def numbers(self, session: str) -> tuple[int, int]:
        """The next inbound and the next outbound MsgSeqNum of `session`."""
        if self._to_guard and self.is_away(session):  # the port is open
            # it may just have logged off, or somebody else may have moved them since the last look
            self._guard(session, left=self._application.touched.get(session, False))
        numbers = self._numbers(session)
        if numbers[1] < self._seen[session][1]:  # a commit is under way, in which no epoch may begin
            die(f"{session}: its store was wiped outside of a poll")
        return numbers

    def _numbers(self, session: str) -> tuple[int, int]:
        native = self._native[session]
        return native.getExpectedTargetNum(), native.getExpectedSenderNum()

    def is_away(self, session: str) -> bool:
        """Whether the client is logged off, so that what is sent only waits for it."""
        return session not in self._application.logged_on

    def reset(self, session: str, epoch: int) -> None:
        """Log the client out and wipe its store; its numbers begin anew at 1, in `epoch`."""
        self._native[session].reset()
        self._epochs[session] = epoch
        self._seen[session] = self._numbers(session)
        if self._seen[session] != (1, 1):
            die(f"{session}: QuickFIX did not begin anew but at {self._seen[session]}")

    def sending_time(self) -> datetime:
        """The SendingTime(52) of what would be sent now: the wall clock's, as in QuickFIX's own messages."""
        return datetime.now(UTC)

    def send(self, session: str, reports: Sequence[Outgoing], first_seq_num: int, at: datetime) -> None:
        """Send `reports` (any number) with the numbers from `first_seq_num` on, and SendingTime(52) `at`.

        Ends the process if it fails.

        While the client is away they are only counted, and the client asks for them at its return.
        """
        native = self._native[session]
        if native.getExpectedSenderNum() != first_seq_num:
            die(f"{session}: next MsgSeqNum is {native.getExpectedSenderNum()}, journaled is {first_seq_num}")
        if self.is_away(session):
            native.setNextSenderMsgSeqNum(first_seq_num + len(reports))
            self._seen[session] = self._numbers(session)
            return
        profile, render = self._directory.sessions[session], self._outbound.render
        send, message = native.send, self._message
        self._application.sending_time = timestamp(at)
        for report in reports:
            if isinstance(report, Again):
                body, has_groups = render(report.report, profile)
                body = with_header(body, POSS_RESEND)
            else:
                body, has_groups = render(report, profile)
            raw = f"8={BEGIN_STRING}\x019=0\x01{body}10=000\x01"
            if has_groups:
                message.setString(raw, False, self._dictionary)
            else:
                message.setString(raw, False)
            if not send(message):
                die(f"{session}: QuickFIX could not store the number of a report{STORE_CURE}", EXIT_JOURNAL)
        self._application.sending_time = ""
        if native.getExpectedSenderNum() != first_seq_num + len(reports):
            die(f"{session}: QuickFIX did not count the reports that it took")
        self._seen[session] = self._numbers(session)

    def _lay_out(self, session: str, begin: int, end: int) -> None:
        """Have QuickFIX find the reports from `begin` to `end` (0: to the last), which it sends again now.

        It reads its files only while it is said to store messages; until the end of this poll it is.
        """
        native = self._native[session]
        last = native.getExpectedSenderNum() - 1
        last = last if end == 0 else min(end, last)
        copies = self._copies.of(session, self._epochs[session], begin, last)
        try:
            with self._spare:
                lay_out(self._files, self._store_name(session), copies)
                native.refresh()
        except StoreError as error:
            die(f"{session}: {error}{STORE_CURE}", EXIT_JOURNAL)
        native.setPersistMessages(True)
        self._laid_out.append(session)

    def keep_time(self) -> None:
        """Let the sessions look at the clock: QuickFIX does so only in a poll that found nothing to do."""
        now = quickfix.UtcTimeStamp.now()
        for native in self._native.values():
            if native.isLoggedOn():
                native.next(now)

    def log_out(self, session: str, why: str) -> None:
        """Send the client, if it is there, a Logout with Text(58)=`why`, and end its connection."""
        native = self._native[session]
        if not native.isLoggedOn():
            return
        native.logout(why)
        native.next(quickfix.UtcTimeStamp.now())
        native.disconnect()
        native.logon()  # not QuickFIX but `Application` says whether it may come back

    def log_out_all(self) -> None:
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
