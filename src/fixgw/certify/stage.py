"""One scenario while it is played: its names, its orders, and what each kind of step does."""

from dataclasses import replace

from fixgw.certify.cast import Cast, Failed, shown
from fixgw.certify.cleaning import Book
from fixgw.certify.controls import Control
from fixgw.certify.grammar import AnyOrder, Ask, Connecting, Expect, Pause, Quiet, Script, Send, Step
from fixgw.certify.grammar import Control as Controlling
from fixgw.certify.matching import Match, match
from fixgw.certify.message import Message
from fixgw.certify.names import Names
from fixgw.certify.profile import STOCK_DICTIONARY
from fixgw.certify.session import Silent, WireError
from fixgw.fix import dictionary


class Stage:
    """Plays the steps of one script."""

    def __init__(self, cast: Cast, control: Control, script: Script) -> None:
        self._cast = cast
        self._profile = cast.profile
        self._control = control
        self._script = script
        self._names = Names(cast.profile)
        self._book = Book()
        self._met: set[str] = set()
        self._to_restore: list[str] = []

    def take(self, step: Step) -> None:
        """Play one step. Raises Failed and what sessions and controls raise."""
        match step:
            case Connecting():
                self._connecting(step)
            case Send():
                session = self._cast.session(step.role)
                pairs = self._names.pairs(step.items, session)
                self._book.sent(step.role, pairs)
                session.send(pairs)
            case Expect():
                message = self._receive(step)
                self._accept(self._match(step, message), message)
            case AnyOrder():
                self._any_order(step)
            case Quiet():
                self._quiet(step)
            case Controlling():
                self._controlling(step)
            case Pause():
                self._cast.wire.wait(lambda: False, step.seconds)
            case Ask():
                pass  # whoever watches shows it

    def worded(self, step: Step) -> Step:
        """The step as a person reads it before it begins."""
        return replace(step, text=self._names.fill(step.text)) if isinstance(step, Ask) else step

    def clean_up(self) -> None:
        """Restore the venue, cancel what is open, log out. Raises what `take` raises."""
        try:
            for name in reversed(self._to_restore):
                self._control(name, {})
            self._book.clean_up(self._cast, self._names)
        finally:
            for role in sorted({*self._script.roles, self._profile.clean_up.role} - {""}):
                self._cast.leave(role)

    def _connecting(self, step: Connecting) -> None:
        match step.verb:
            case "connect":
                self._cast.connect(step.role)
            case "logon":
                is_first = step.role not in self._met
                self._met.add(step.role)
                pairs = self._names.pairs(step.items, self._cast.session(step.role))
                self._cast.log_on(step.role, pairs, is_first=is_first)
            case "logout":
                self._cast.log_out(step.role)
            case "mute":
                self._cast.session(step.role).mute()
            case _:
                self._cast.session(step.role).close()

    def _receive(self, step: Expect) -> Message:
        session = self._cast.session(step.role)
        is_old = any(item.tag == 43 and item.text == "Y" for item in step.items)
        try:
            message = session.receive(self._cast.patience, wanted=step.msg_type, is_old=is_old)
        except Silent:
            wanted = "|".join(f"{tag}={text}" for tag, text in self._names.patterns(step.items, session))
            raise Failed(f"nothing came within {self._cast.patience:g} s; expected was {wanted}") from None
        self._book.received(message)
        self._check(step.role, message)
        return message

    def _match(self, step: Expect, message: Message) -> Match:
        return match(message, self._names.patterns(step.items, self._cast.session(step.role)))

    def _accept(self, found: Match, message: Message) -> None:
        if found.differences:
            raise Failed(f"{'; '.join(found.differences)}, in {shown(message)}")
        self._names.learn(found.captured)

    def _any_order(self, block: AnyOrder) -> None:
        waiting = list(block.expected)
        while waiting:
            role = waiting[0].role
            message = self._receive(waiting[0])
            tried = [(step, self._match(step, message)) for step in waiting if step.role == role]
            step, found = min(tried, key=lambda one: len(one[1].differences))
            if found.differences:
                lines = ", ".join(str(step.line) for step, _ in tried)
                raise Failed(
                    f"it fits none of the lines {lines}; as to line {step.line}: "
                    f"{'; '.join(found.differences)}, in {shown(message)}"
                )
            self._names.learn(found.captured)
            waiting.remove(step)

    def _quiet(self, step: Quiet) -> None:
        session = self._cast.session(step.role)
        if step.verb == "quiet":
            found = session.drain(self._cast.patience)
            for message in found:
                self._book.received(message)
            if found:
                raise Failed(f"nothing more was expected, and this came: {shown(found[0])}")
            return
        try:
            while True:
                session.receive(self._cast.patience)
        except Silent:
            raise Failed(f"the connection is still open after {self._cast.patience:g} s") from None
        except WireError:
            if session.problem:
                raise

    def _controlling(self, step: Controlling) -> None:
        arguments = {key: self._names.fill(value) for key, value in step.arguments}
        restoring = self._profile.restore.get(step.name)
        if restoring:
            self._to_restore.append(restoring)
        self._control(step.name, arguments)
        if step.name in self._to_restore:
            self._to_restore.remove(step.name)

    def _check(self, role: str, message: Message) -> None:
        dialect = self._profile.roles[role].dialect
        if dialect == "any":
            return
        known = dictionary.load(STOCK_DICTIONARY) if dialect == "strict" else dictionary.load()
        problems = known.validate(message.raw)
        if problems:
            raise Failed(f"against the dictionary: {'; '.join(problems)}, in {shown(message)}")
