"""What the placeholders of a script stand for: fresh ids, captured values, and what the profile says."""

import re
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import count

from fixgw.certify.grammar import PLACEHOLDER, Item, Placeholder, is_regex, is_repetition, placeholder
from fixgw.certify.matching import Pattern
from fixgw.certify.message import timestamp
from fixgw.certify.profile import Profile
from fixgw.certify.session import Session

_NAME_CHARS = 6  # of a name in a fresh id: some venues take ids of 20 characters only
_fresh = count(1)


class FillError(Exception):
    """A placeholder cannot be filled in; the text says why."""


RUN = secrets.token_hex(4)
"""Makes the ids of this run others than those of any other."""


class Names:
    """The values of one scenario."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._values: dict[str, str] = {}

    def learn(self, captured: Mapping[str, str]) -> None:
        """Take over what a message has captured."""
        self._values |= captured

    def fill(self, text: str, session: Session | None = None, *, is_escaped: bool = False) -> str:
        """The text with each placeholder filled in; `is_escaped` is for the inside of a regex."""

        def value(found: re.Match[str]) -> str:
            if is_escaped and is_repetition(found[1]):
                return found[0]  # a repetition
            filled = self._value(placeholder(found[1]), session)
            return re.escape(filled) if is_escaped else filled

        return PLACEHOLDER.sub(value, text)

    def pairs(self, items: Sequence[Item], session: Session) -> list[tuple[int, str]]:
        """The fields that a script sends."""
        found: list[tuple[int, str]] = []
        for item in items:
            if item.tag:
                found.append((item.tag, self.fill(item.text, session)))
            else:
                found.extend(self._fields(item))
        return found

    def patterns(self, items: Sequence[Item], session: Session) -> list[Pattern]:
        """The fields that a script expects."""
        found: list[Pattern] = []
        for item in items:
            if item.tag:
                is_escaped = is_regex(item.text) or item.text.startswith("(")
                found.append(Pattern(item.tag, self.fill(item.text, session, is_escaped=is_escaped)))
            else:
                found.extend(Pattern(tag, value) for tag, value in self._fields(item))
        return found

    def _fields(self, item: Item) -> tuple[tuple[int, str], ...]:
        one = placeholder(item.text[1:-1])
        if one.word == "instrument":
            return self._profile.instruments[one.key].pairs
        user = self._profile.roles[one.key].user
        return ((453, "1"), (448, user), (447, "D"), (452, "11"))

    def _value(self, one: Placeholder, session: Session | None) -> str:
        if one.is_new:
            number = next(_fresh)
            self._values[one.word] = f"{one.word[:_NAME_CHARS]}-{RUN}-{number}"
            return self._values[one.word]
        if one.table:
            value = self._profile.value(one.word, one.key)
        elif one.word in self._values:
            value = self._values[one.word]
        elif one.word == "now":
            value = timestamp()
        elif session is not None and one.word == "venue":
            value = session.identity.peer
        elif session is not None:
            value = str(session.sent if one.word == "next" else session.expected)
        else:
            raise FillError(f"{{{one.word}}} has no value here")
        return _moved(value, one.plus) if one.plus else value


def _moved(value: str, plus: str) -> str:
    try:
        return format(Decimal(value) + Decimal(plus), "f")
    except InvalidOperation:
        raise FillError(f"{value}{plus} cannot be calculated") from None
