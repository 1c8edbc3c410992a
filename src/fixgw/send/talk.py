"""One session for the time of a call: Logon, the requests one by one, Logout; everything is shown."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from fixgw.certify.message import Message, encode, timestamp
from fixgw.certify.session import Session, Silent, WireError
from fixgw.certify.wire import Heard, Wire
from fixgw.fix.decode import split
from fixgw.fix.dictionary import Dictionary
from fixgw.send.message import Ids, MessageError, filled, gap, read
from fixgw.send.numbers import Numbers
from fixgw.send.outcome import Outcome, Verdict

AHEAD = 1_000  # numbers taken in advance, so that after a kill the next call's are too high and never too low
LOGOUT_SECONDS = 3.0


class TalkError(Exception):
    """It could not be said, or no answer came; the text says why and what to do."""


class Talk:
    """What a call says and hears on `session`; `show` gets everything in its order.

    An answer is waited for at most `seconds`. With `as_is` a message is sent as it was typed: nothing but the
    header is added, and nothing checked.
    """

    def __init__(
        self,
        session: Session,
        wire: Wire,
        numbers: Numbers,
        dictionary: Dictionary,
        show: Callable[[Heard], None],
        *,
        seconds: float,
        as_is: bool,
    ) -> None:
        self._session, self._wire, self._numbers, self._dictionary = session, wire, numbers, dictionary
        self._show, self._seconds, self._as_is = show, seconds, as_is
        self._ids = Ids(datetime.now(UTC))
        self._orders: dict[str, Mapping[int, str]] = {}
        self._ahead = 0
        session.sent, session.expected = numbers.sent, numbers.expected

    def logon(self, *, reset: bool) -> None:
        """Log on with the numbers that were kept, or with `reset` with both at 1. Raises TalkError."""
        before = self._session.sent, self._session.expected
        self._keep()
        problem = self._logged_on([(141, "Y")] if reset else [])
        if problem:
            self._tell()
            self._session.close()
            # A number too high is mended by a gap fill, one too low by nobody: what the other side may not
            # have counted of its own is not counted, and what it may have counted of ours is.
            self._numbers.save(before[0] + (0 if reset else 1), before[1])
            raise TalkError(f"{problem}. {_advice(problem)}")
        self._keep()

    def _logged_on(self, pairs: list[tuple[int, str]]) -> str:
        """Send the Logon, and say what is wrong with its answer; "" if nothing is."""
        try:
            self._session.logon(pairs)
            deadline = time.monotonic() + self._seconds
            answer = self._session.receive(deadline - time.monotonic(), wanted="A")
            while answer.type not in ("A", "5", "3"):
                answer = self._session.receive(deadline - time.monotonic(), wanted="A")
        except Silent:
            return f"no answer to the Logon within {self._seconds:g} s"
        except WireError as error:
            said = [dict(split(heard.raw)) for heard in self._wire.heard if not heard.is_sent and heard.raw]
            refusals = [fields.get(58, "") for fields in said if fields.get(35) == "5"]
            return f"the Logon is refused: {refusals[-1]}" if refusals else f"no Logon: {error}"
        if answer.type == "A":
            self._tell()
            return ""
        return f"the Logon is refused: {answer.get(58) or 'without a reason'}"

    def ask(self, text: str) -> Verdict:
        """Send the message that a person typed, and wait until its answer is complete. Raises TalkError."""
        try:
            msg_type, pairs = read(self._ids.put_in(text))
            if not self._as_is:
                pairs = self._complete(msg_type, pairs)
            verdict = self._said(msg_type, pairs)
        except MessageError as error:
            raise TalkError(f"not sent: {error}") from None
        except Silent:
            raise TalkError(f"no complete answer within {self._seconds:g} s: {text}") from None
        except WireError as error:
            raise TalkError(f"the session ended before the answer was complete: {error}") from None
        return verdict

    def watch(self) -> None:
        """Show what comes until KeyboardInterrupt. Raises TalkError when the session ends by itself."""
        try:
            while True:
                try:
                    self._receive(time.monotonic() + 1.0)
                except Silent:
                    self._keep()
        except WireError as error:
            raise TalkError(f"the session ended: {error}") from None

    def logout(self) -> None:
        """Log out, show what still comes before the answer, and keep the numbers."""
        try:
            self._session.send([(35, "5")])
            while self._receive(time.monotonic() + LOGOUT_SECONDS).type != "5":
                pass
        except (WireError, Silent):
            self._tell()
        self._session.close()
        self._numbers.save(self._session.sent, self._session.expected)

    def _complete(self, msg_type: str, pairs: tuple[tuple[int, str], ...]) -> tuple[tuple[int, str], ...]:
        """The fields with what was left out. What is missing of an open order is asked for with an AF."""
        lacking = gap(msg_type, pairs)
        if lacking is not None and lacking.order not in self._orders:
            self._said("AF", ((584, self._ids.fresh()), (585, "7")))
        complete = filled(msg_type, pairs, self._ids, timestamp(), self._orders)
        raw = encode([*self._head(msg_type), *complete]).decode("utf-8", "surrogateescape")
        wrong = self._dictionary.validate(raw)
        if wrong:
            raise MessageError(f"{'; '.join(wrong)} (--as-is sends it all the same)")
        return complete

    def _head(self, msg_type: str) -> tuple[tuple[int, str], ...]:
        identity = self._session.identity
        return (
            *((8, "FIX.4.4"), (35, msg_type), (49, identity.comp_id), (56, identity.peer)),
            *((34, str(self._session.sent)), (52, timestamp())),
        )

    def _said(self, msg_type: str, pairs: tuple[tuple[int, str], ...]) -> Verdict:
        fields = _fields(pairs)
        if msg_type == "D" and {11, 55, 54, 38} <= fields.keys():
            self._orders[fields[11]] = fields
        outcome = Outcome(msg_type, fields, self._session.sent)
        self._session.send([(35, msg_type), *pairs])
        deadline = time.monotonic() + self._seconds
        while True:
            message = self._receive(deadline, wanted="0")
            found = _fields(message.pairs)
            if message.type == "8" and {11, 37, 55, 54, 38} <= found.keys():
                self._orders[found[37]] = found
                self._orders.setdefault(found.get(41, found[11]), found)
            verdict = outcome.take(message.type, found)
            if verdict is not None:
                return verdict

    def _receive(self, deadline: float, *, wanted: str = "") -> Message:
        try:
            return self._session.receive(max(0.0, deadline - time.monotonic()), wanted=wanted)
        finally:
            self._tell()
            self._keep()

    def _tell(self) -> None:
        for heard in self._wire.heard:
            self._show(heard)
        self._wire.heard.clear()

    def _keep(self) -> None:
        if self._session.sent + AHEAD // 2 > self._ahead:
            self._ahead = self._session.sent + AHEAD
        self._numbers.save(self._ahead, self._session.expected)


def _advice(problem: str) -> str:
    """What to do about a Logon that was not taken."""
    if "MsgSeqNum" not in problem and "sequence" not in problem.lower():
        return "Are CompID and password right, and is nobody else logged on as it?"
    return (
        "Somebody else has used this session, or the other side has begun anew. If nobody else has it, "
        "--reset begins both sequences at 1; if it is a client's, leave it alone and use one of your own"
    )


def _fields(pairs: tuple[tuple[int, str], ...]) -> dict[int, str]:
    """By tag; all values of a tag that stands several times, with SOH between."""
    found: dict[int, str] = {}
    for tag, value in pairs:
        found[tag] = f"{found[tag]}\x01{value}" if tag in found else value
    return found
