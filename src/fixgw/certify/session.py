"""A FIX session on a socket, by simplefix and not by an engine, so that an engine's mistake cannot hide.

It numbers, answers TestRequests and ResendRequests, and asks for what is missing; as initiator or acceptor.
"""

import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import simplefix

from fixgw.certify.message import ADMIN, Message, Pairs, encode, from_simplefix, timestamp
from fixgw.certify.wire import Heard, Wire

ROUTINE = ADMIN - {"3", "5"}  # answered here, and of no interest unless a script asks for one
SEND_SECONDS = 10.0
RECV_BYTES = 65_536
ECHOES = 3  # times that a TestRequest is sent before its answer is missing
ECHO_SECONDS = 2.0  # until it is sent again, at most


class WireError(Exception):
    """The session is at an end, or the other side broke a rule of the FIX session."""


class Silent(Exception):  # noqa: N818 - nothing came: an outcome, not an error of the program
    """Nothing came in time."""


class Arrived(NamedTuple):
    """A message that waits to be looked at; a routine one is skipped unless it is asked for."""

    message: Message
    is_routine: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks to whom. The other side of an acceptor logs on to it; `heartbeat` is in seconds."""

    comp_id: str
    peer: str
    username: str = ""
    password: str = ""
    heartbeat: int = 30
    is_acceptor: bool = False


class Session:
    """One FIX session: `sent` and `expected` are its next MsgSeqNums, which outlive a connection."""

    def __init__(self, role: str, identity: Identity, wire: Wire) -> None:
        self.role = role
        self.identity = identity
        self.sent = 1
        self.expected = 1
        self.inbox: deque[Arrived] = deque()
        self.problem = ""
        self._wire = wire
        self._history: dict[int, tuple[tuple[tuple[int, str], ...], str]] = {}
        self._line: socket.socket | None = None
        self._asked_from = 0
        self._is_reset = False
        self._is_behind = False  # what is missing is asked for behind our own Logon
        self._is_muted = False
        self._last_sent = 0.0
        self._is_logged_on = False
        self._echoes = 0
        self._heartbeat = identity.heartbeat

    @property
    def is_logged_on(self) -> bool:
        """Whether a Logon(A) came on this connection and nobody has logged out since."""
        return self._is_logged_on

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._line is not None

    def open(self, line: socket.socket) -> None:
        """Take a new connection."""
        self.close()
        self.inbox.clear()
        self.problem = ""
        self._asked_from = 0
        self._is_behind = self._is_muted = False
        self._parser = simplefix.FixParser()
        with suppress(OSError):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line = line
        self._wire.add(line, self)
        self._event("connected")

    def close(self, event: str = "cut") -> None:
        """Close the connection without a word."""
        if self._line is not None:
            self._wire.remove(self._line)
            self._line.close()
            self._line = None
            self._is_logged_on = False
            self._event(event)

    def send(self, pairs: Pairs) -> None:
        """Send one message, with whatever it says itself of the header; raises WireError.

        A MsgSeqNum(34) of its own moves the session's next number only upward; a Logon(A) with
        ResetSeqNumFlag(141)=Y begins both sequences at 1. An application message for which there is no
        connection waits until the other side asks for it.
        """
        given = list(pairs)
        tags = {tag for tag, _ in given}
        kind = next((value for tag, value in given if tag == 35), "")
        if kind == "A" and (141, "Y") in given and not self.identity.is_acceptor:
            self._restart()
        number = next((int(value) for tag, value in given if tag == 34 and value.isdecimal()), self.sent)
        if number >= self.sent and (43, "Y") not in given:
            self.sent = number + 1
            if kind not in ADMIN:
                body = tuple(pair for pair in given if pair[0] not in (9, 10, 34, 43, 52, 122))
                self._history[number] = (body, timestamp())
        head = (
            (8, "FIX.4.4"),
            (49, self.identity.comp_id),
            (56, self.identity.peer),
            (34, str(number)),
            (52, timestamp()),
        )
        if kind == "5":
            self._is_logged_on = False  # the other side's Logout is the answer to this one
        if kind == "A" and self._is_reset and self.identity.is_acceptor and 141 not in tags:
            given.append((141, "Y"))
        if self._line is None and kind not in ADMIN:
            self._event(f"nobody is connected: MsgSeqNum(34)={number} waits for a ResendRequest(2)")
            return
        self._transmit(encode([*((tag, value) for tag, value in head if tag not in tags), *given]))
        if kind == "A" and self._is_behind:
            self._is_behind = False
            self._ask_for_missing()

    def logon(self, pairs: Pairs = ()) -> None:
        """Send a Logon(A), or as an acceptor answer the one that has come; `pairs` replace its own."""
        given = list(pairs)
        own: list[tuple[int, str]] = [(98, "0"), (108, str(self._heartbeat))]
        if not self.identity.is_acceptor:
            own += (
                [(553, self.identity.username), (554, self.identity.password)]
                if self.identity.username
                else []
            )
        tags = {tag for tag, _ in given}
        self.send([(35, "A"), *(pair for pair in own if pair[0] not in tags), *given])

    def _restart(self) -> None:
        self.sent = self.expected = 1
        self._history.clear()

    def receive(self, seconds: float, *, wanted: str = "", is_old: bool = False) -> Message:
        """The next message. Routine ones are skipped, unless of the MsgType `wanted`; `is_old` asks for those
        that were received before and come again with PossDupFlag(43)=Y.

        Raises Silent, and WireError when the connection is closed or a rule was broken.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._wire.wait(lambda: bool(self.inbox) or not self.is_open, deadline - time.monotonic())
            if not self.inbox:
                if self.problem or not self.is_open:
                    raise WireError(self.problem or "the connection is closed")
                raise Silent
            message, is_routine = self.inbox.popleft()
            if not is_routine or message.type == wanted or (is_old and message.get(43) == "Y"):
                return message

    def drain(self, seconds: float) -> list[Message]:
        """All messages that are on their way, but for the routine; raises as `receive` does.

        The answer to a TestRequest(1) may overtake application messages that came in together with it; the
        answer to a second one does not.
        """
        found: list[Message] = []
        for _ in range(2):
            self._echoes += 1
            self._collect(found, f"echo-{self._echoes}", seconds)
        return found

    def _collect(self, found: list[Message], word: str, seconds: float) -> None:
        """Up to the answer to a TestRequest. One that was sent in the middle of a resend may be answered by
        nothing but a gap, so it is sent again."""
        for attempt in range(ECHOES, 0, -1):
            self.send([(35, "1"), (112, word)])
            patience = seconds if attempt == 1 else min(ECHO_SECONDS, seconds / ECHOES)
            deadline = time.monotonic() + patience
            try:
                while (message := self.receive(deadline - time.monotonic(), wanted="0")).get(112) != word:
                    found += [message] if message.type != "0" else []
            except Silent:
                if attempt == 1:
                    raise
            else:
                return

    def mute(self) -> None:
        """On this connection send no Heartbeat(0) any more, and answer no TestRequest(1)."""
        self._is_muted = True

    def keep_alive(self) -> None:
        """Send a Heartbeat(0) if it is time for one."""
        if (
            self._is_logged_on
            and not self._is_muted
            and time.monotonic() - self._last_sent >= self._heartbeat
        ):
            with suppress(WireError):
                self.send([(35, "0")])

    def read(self) -> None:
        """Read what has come on the connection, and answer what the session itself must answer."""
        while self._line is not None:
            self._line.settimeout(0)
            try:
                data = self._line.recv(RECV_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            if not data:
                self.close("closed by the other side")
                return
            try:
                self._parser.append_buffer(data)
                while (found := self._parser.get_message()) is not None:
                    self._take(from_simplefix(found))
            except ValueError as error:
                self._break(f"what came is no FIX message: {error!r}")
            except WireError as error:
                self._break(str(error))

    def _take(self, message: Message) -> None:
        self._wire.heard.append(Heard(datetime.now(UTC), self.role, False, message.raw))
        number, kind = message.number(34), message.type
        is_old = message.get(43) == "Y"
        names = (message.get(49), message.get(56))
        if names != (self.identity.peer, self.identity.comp_id):
            raise WireError(
                f"SenderCompID(49) and TargetCompID(56) are {names[0]} and {names[1]}, "
                f"not {self.identity.peer} and {self.identity.comp_id}"
            )
        if kind == "A":
            self._logged_on(message)
        if kind == "4" and message.get(123) != "Y":
            self.expected = max(self.expected, message.number(36))
        elif number < self.expected:
            if not is_old:
                raise WireError(
                    f"MsgSeqNum(34) is {number}, {self.expected} is expected, and PossDupFlag(43) is not Y"
                )
            self.inbox.append(Arrived(message, is_routine=True))
            return
        elif number > self.expected:
            self._miss(message)
            return
        else:
            self.expected = message.number(36) if kind == "4" else number + 1
        self.inbox.append(Arrived(message, is_routine=kind in ROUTINE))
        self._answer(message)

    def _logged_on(self, message: Message) -> None:
        self._is_logged_on = True
        self._is_reset = message.get(141) == "Y"
        if self._is_reset and self.identity.is_acceptor:
            self._restart()
        elif self._is_reset:
            self.expected = message.number(34)
        if self.identity.is_acceptor:
            self._heartbeat = message.number(108) or self._heartbeat

    def _miss(self, message: Message) -> None:
        """Messages are missing: ask for them, this one included, unless that was done."""
        if message.type == "A":
            self.inbox.append(Arrived(message, is_routine=True))
            if self.identity.is_acceptor:
                self._is_behind = True
                return
        if message.type in ("2", "5"):  # do not wait until they come again
            self._answer(message)
        if message.type == "5":
            self.inbox.append(Arrived(message, is_routine=False))
        else:
            self._ask_for_missing()

    def _ask_for_missing(self) -> None:
        if self._asked_from != self.expected:
            self._asked_from = self.expected
            self.send([(35, "2"), (7, str(self.expected)), (16, "0")])

    def _answer(self, message: Message) -> None:
        if message.type == "1" and not self._is_muted:
            self.send([(35, "0"), (112, message.get(112) or "")])
        elif message.type == "2":
            self._resend(message.number(7), message.number(16))
        elif message.type == "5" and self._is_logged_on:
            self._is_logged_on = False
            with suppress(WireError):  # it may have closed already
                self.send([(35, "5")])

    def _resend(self, begin: int, end: int) -> None:
        """Answer a ResendRequest: application messages with PossDupFlag(43)=Y, gaps for the others."""
        last = self.sent - 1 if end == 0 else min(end, self.sent - 1)
        gap_from = begin = max(1, begin)
        for number in range(begin, last + 1):
            kept = self._history.get(number)
            if kept is None:
                continue
            self._fill_gap(gap_from, number)
            pairs, sent_at = kept
            self.send([*pairs, (34, str(number)), (43, "Y"), (122, sent_at)])
            gap_from = number + 1
        self._fill_gap(gap_from, last + 1)

    def _fill_gap(self, begin: int, end: int) -> None:
        if begin < end:
            at = timestamp()
            self.send([(35, "4"), (34, str(begin)), (43, "Y"), (122, at), (123, "Y"), (36, str(end))])

    def _transmit(self, data: bytes) -> None:
        if self._line is None:
            raise WireError(self.problem or "there is no connection")
        self._wire.heard.append(
            Heard(datetime.now(UTC), self.role, True, data.decode("utf-8", "surrogateescape"))
        )
        self._last_sent = time.monotonic()
        self._line.settimeout(SEND_SECONDS)
        try:
            self._line.sendall(data)
        except OSError as error:
            self.read()  # what the other side said last stays to be looked at
            raise WireError(f"the connection broke: {error}") from None

    def _break(self, problem: str) -> None:
        self.problem = problem
        self.close(problem)

    def _event(self, event: str) -> None:
        self._wire.heard.append(Heard(datetime.now(UTC), self.role, False, "", event))
