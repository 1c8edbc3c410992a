"""Plays scripts: one after another on real sessions, each from a clean book to a clean book."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

from fixgw.certify.cleaning import Book
from fixgw.certify.grammar import AnyOrder, Control, Expect, Pause, Quiet, Script, Send, Step
from fixgw.certify.grammar import Session as Connecting
from fixgw.certify.matching import Match, match
from fixgw.certify.message import Message
from fixgw.certify.names import FillError, Names
from fixgw.certify.profile import Profile
from fixgw.certify.results import Outcome, Played, Result
from fixgw.certify.wire import Identity, Session, Silent, Wire, WireError
from fixgw.fix import dictionary

CONTROL_SECONDS = 60.0
STOCK_DICTIONARY = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"

Connect = Callable[[str], socket]
"""A new connection for a role; raises OSError."""
Say = Callable[[str, Mapping[str, str]], None]
"""Makes the venue do something: the control's name and its arguments; raises ControlError."""


class ControlError(Exception):
    """The venue could not be made to do something; the text says why."""


class _Failed(Exception):  # noqa: N818 - an outcome
    """A step has failed; the text says what was expected and what came."""


class Player:
    """Plays scripts for one profile. `acceptors` are the roles whose other side connects and logs on."""

    def __init__(
        self,
        profile: Profile,
        connect: Connect,
        say: Say | None = None,
        *,
        acceptors: frozenset[str] = frozenset(),
    ) -> None:
        self.profile = profile
        self.wire = Wire()
        self._connect = connect
        self._say = say or controls_of(profile)
        self._acceptors = acceptors
        self._sessions: dict[str, Session] = {}

    def play(self, script: Script, tell: Callable[[Played], None] = lambda _: None) -> Result:
        """Play one script; `tell` is told of each step when it is over."""
        lacking = self.profile.lacks(script)
        if lacking:
            return Result(script, Outcome.NOT_APPLICABLE, lacking)
        started = time.monotonic()
        result = Result(script, Outcome.PASSED)
        stage = _Stage(self, script)
        for step in script.steps:
            with self._step(result, step.line, step.text) as played:
                stage.take(step)
            tell(played)
            if played.problem:
                break
        with self._step(result, 0, "clean up") as played:
            stage.clean_up()
        tell(played)
        self.wire.heard.clear()
        result.seconds = time.monotonic() - started
        return result

    @contextmanager
    def _step(self, result: Result, line: int, text: str) -> Iterator[Played]:
        played = Played(line, text)
        begin = len(self.wire.heard)
        try:
            yield played
        except (_Failed, WireError, FillError, ControlError, OSError) as error:
            played.problem = str(error)
        except Silent:
            played.problem = f"no answer within {self.profile.patience_seconds:g} s"
        played.heard = self.wire.heard[begin:]
        result.played.append(played)
        if played.problem and result.outcome is Outcome.PASSED:
            result.outcome = Outcome.FAILED
            result.reason = f"line {line}: {played.problem}" if line else f"{text}: {played.problem}"

    def session(self, role: str) -> Session:
        """The session of a role, connected or not."""
        if role not in self._sessions:
            own = self.profile.roles[role]
            self._sessions[role] = Session(
                role,
                Identity(
                    comp_id=own.comp_id,
                    peer=self.profile.connection.target_comp_id,
                    username=own.username,
                    password=self.profile.password(role),
                    heartbeat=self.profile.connection.heartbeat,
                    is_acceptor=role in self._acceptors,
                ),
                self.wire,
            )
        return self._sessions[role]

    def connect(self, role: str) -> Session:
        """The session of a role on a new connection. Raises OSError."""
        session = self.session(role)
        session.close()
        session.open(self._connect(role))
        return session

    def control(self, name: str, arguments: Mapping[str, str]) -> None:
        """Make the venue do something. Raises ControlError."""
        self._say(name, arguments)


class _Stage:
    """One script while it is played."""

    def __init__(self, player: Player, script: Script) -> None:
        self._player = player
        self._profile = player.profile
        self._patience = player.profile.patience_seconds
        self._script = script
        self._names = Names(player.profile)
        self._book = Book()
        self._met: set[str] = set()
        self._to_restore: list[str] = []

    def take(self, step: Step) -> None:
        """Play one step. Raises _Failed and what sessions and controls raise."""
        match step:
            case Connecting():
                self._session_step(step)
            case Send():
                session = self._player.session(step.role)
                pairs = self._names.pairs(step.items, session)
                self._book.sent(step.role, pairs)
                session.send(pairs)
            case Expect():
                message = self._receive(step)
                self._fit(self._match(step, message), message)
            case AnyOrder():
                self._any_order(step)
            case Quiet():
                self._quiet(step)
            case Control():
                self._control(step)
            case Pause():
                self._player.wire.wait(lambda: False, step.seconds)

    def _session_step(self, step: Connecting) -> None:
        session = self._player.session(step.role)
        match step.verb:
            case "connect":
                self._player.connect(step.role)
            case "logon":
                self._logon(step)
            case "logout":
                self._logout(session)
            case _:
                session.close()

    def _logon(self, step: Connecting) -> None:
        self.log_on(step.role, self._names.pairs(step.items, self._player.session(step.role)))

    def log_on(self, role: str, given: list[tuple[int, str]] | None = None) -> Session:
        """Connect and log on; the first time in a script from MsgSeqNum 1, if the profile says so."""
        session = self._player.connect(role)
        pairs = list(given or ())
        if session.identity.is_acceptor:
            self._expect_logon(session)
            session.logon(pairs)
            return session
        is_first = role not in self._met
        self._met.add(role)
        if is_first and self._profile.connection.reset and not any(tag == 141 for tag, _ in pairs):
            pairs.append((141, "Y"))
        session.logon(pairs)
        self._expect_logon(session)
        if is_first:
            session.drain(self._patience)  # what an earlier scenario left undelivered
        return session

    def _expect_logon(self, session: Session) -> None:
        answer = session.receive(self._patience, wanted="A")
        if answer.type != "A":
            raise _Failed(f"a Logon(A) was expected, and this came: {_shown(answer)}")

    def _logout(self, session: Session) -> None:
        if session.is_open:
            session.send([(35, "5")])
            while session.receive(self._patience).type != "5":
                pass
            session.close("logged out")

    def _receive(self, step: Expect) -> Message:
        session = self._player.session(step.role)
        is_old = any(item.tag == 43 and item.text == "Y" for item in step.items)
        try:
            message = session.receive(self._patience, wanted=step.msg_type, is_old=is_old)
        except Silent:
            wanted = "|".join(f"{tag}={text}" for tag, text in self._names.patterns(step.items, session))
            raise _Failed(f"nothing came within {self._patience:g} s; expected was {wanted}") from None
        self._book.received(message)
        self._check(step.role, message)
        return message

    def _match(self, step: Expect, message: Message) -> Match:
        return match(message, self._names.patterns(step.items, self._player.session(step.role)))

    def _fit(self, found: Match, message: Message) -> None:
        if found.differences:
            raise _Failed(f"{'; '.join(found.differences)}, in {_shown(message)}")
        self._names.learn(found.captured)

    def _any_order(self, block: AnyOrder) -> None:
        waiting = list(block.expected)
        while waiting:
            message = self._receive(waiting[0])
            role = waiting[0].role
            tried = [(step, self._match(step, message)) for step in waiting if step.role == role]
            step, found = min(tried, key=lambda one: len(one[1].differences))
            if found.differences:
                lines = ", ".join(str(step.line) for step, _ in tried)
                raise _Failed(
                    f"no line of {lines} fits; the nearest is {step.line}: {'; '.join(found.differences)}, "
                    f"in {_shown(message)}"
                )
            self._names.learn(found.captured)
            waiting.remove(step)

    def _quiet(self, step: Quiet) -> None:
        session = self._player.session(step.role)
        if step.verb == "quiet":
            found = session.drain(self._patience)
            for message in found:
                self._book.received(message)
            if found:
                raise _Failed(f"nothing more was expected, and this came: {_shown(found[0])}")
            return
        try:
            while True:
                session.receive(self._patience)
        except Silent:
            raise _Failed(f"the connection is still open after {self._patience:g} s") from None
        except WireError:
            if session.problem:
                raise

    def _control(self, step: Control) -> None:
        arguments = {key: self._names.fill(value) for key, value in step.arguments}
        restoring = self._profile.restore.get(step.name)
        if restoring:
            self._to_restore.append(restoring)
        self._player.control(step.name, arguments)
        if step.name in self._to_restore:
            self._to_restore.remove(step.name)

    def _check(self, role: str, message: Message) -> None:
        """A message must be as the dictionary of the role's dialect has it."""
        dialect = self._profile.roles[role].dialect
        if dialect == "any":
            return
        known = dictionary.load(STOCK_DICTIONARY) if dialect == "strict" else dictionary.load()
        problems = known.validate(message.raw)
        if problems:
            raise _Failed(f"against the dictionary: {'; '.join(problems)}, in {_shown(message)}")

    def clean_up(self) -> None:
        """Restore the venue, cancel what is open, log out."""
        for name in reversed(self._to_restore):
            self._player.control(name, {})
        if self._book.has_orders:
            if self._profile.clean_up.how == "mass":
                self._cancel_all()
            else:
                self._cancel_each()
        for role in sorted(self._met | {self._profile.clean_up.role} - {""}):
            session = self._player.session(role)
            with suppress(WireError, Silent):
                self._logout(session)
            session.close()

    def _cancel_all(self) -> None:
        role = self._profile.clean_up.role
        session = self._online(role)
        left = "?"
        for _ in range(3):
            session.send(self._book.mass(self._profile.clean_up.request, self._names))
            answer = session.receive(self._patience)
            while answer.type not in ("r", "3", "j"):
                answer = session.receive(self._patience)
            left = answer.get(533) or "?"
            session.drain(self._patience)
            if left == "0":
                return
        raise _Failed(f"the book is not clean: TotalAffectedOrders(533) is {left}")

    def _cancel_each(self) -> None:
        for role in self._book.roles:
            session = self._online(role)
            for message in session.drain(self._patience):
                self._book.received(message)
        for order in self._book.open_orders():
            session = self._online(order.role)
            session.send(self._book.cancel(order, self._names))
            for message in session.drain(self._patience):
                self._book.received(message)
        left = self._book.open_orders()
        if left:
            raise _Failed(
                f"the book is not clean: {', '.join(order.cl_ord_id for order in left)} may be open"
            )

    def _online(self, role: str) -> Session:
        session = self._player.session(role)
        return session if session.is_open else self.log_on(role)


def _shown(message: Message) -> str:
    return "|".join(f"{tag}={value}" for tag, value in message.pairs)


def controls_of(profile: Profile) -> Say:
    """Controls as commands of the operating system, as the profile has them."""

    def say(name: str, arguments: Mapping[str, str]) -> None:
        known = {**profile.values, **arguments}
        try:
            command = [word.format_map(known) for word in profile.controls[name]]
        except KeyError as error:
            raise ControlError(f"control {name} needs {error}") from None
        try:
            done = subprocess.run(  # noqa: S603 - the user's own commands, from his own profile
                command, capture_output=True, text=True, timeout=CONTROL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ControlError(f"control {name}: {error}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ControlError(f"control {name} ended with {done.returncode}: {said}")

    return say
