"""The words of a scenario: its steps, its fields, and the placeholders in them."""

import re
from dataclasses import dataclass
from typing import NamedTuple

FIELDS_OF = frozenset({"instrument", "party"})
"""Placeholders that stand for whole fields, not for a value."""

KEYED = {
    "instrument": "instruments",
    "symbol": "instruments",
    "underlying": "instruments",
    "product": "instruments",
    "cfi": "instruments",
    "type": "instruments",
    "session": "instruments",
    "price": "instruments",
    "account": "accounts",
    "party": "roles",
    "user": "roles",
    "username": "roles",
    "password": "roles",
    "comp_id": "roles",
}
"""Placeholders that the profile answers, as `{symbol B}`, and which of its tables is asked."""

BY_ITSELF = frozenset({"now", "next", "expected", "venue"})
"""Placeholders that need nothing but the session."""

DEFAULT_KEY = {"instruments": "A"}

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = r"[a-z][a-z0-9_]*"
_SAID = re.compile(
    rf"new (?P<new>{_NAME})|(?P<word>{_NAME})(?: (?P<key>[A-Z][A-Z0-9_]*))?(?P<plus>[+-][0-9.]+)?"
)
_CAPTURE = re.compile(rf"\(({_NAME})(?::(.*))?\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands in braces: `{new order}`, `{order}`, `{symbol B}`, `{next+5}`."""

    word: str
    key: str = ""
    plus: str = ""
    is_new: bool = False

    @property
    def table(self) -> str:
        """The table of the profile that answers it, or "" if none does."""
        return KEYED.get(self.word, "")


@dataclass(frozen=True, slots=True)
class Item:
    """A field as it is written, or with tag 0 a placeholder for whole fields."""

    tag: int
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script: its number, and how it is written."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Connecting(Step):
    """`connect`, `logon`, `logout`, `cut` or `mute`: the connection of a role; `items` go into the Logon."""

    verb: str
    role: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Send(Step):
    """`ROLE > fields`."""

    role: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Expect(Step):
    """`ROLE < fields`: the next message that the role receives."""

    role: str
    items: tuple[Item, ...]

    @property
    def msg_type(self) -> str:
        """MsgType(35) that is expected."""
        return self.items[0].text


@dataclass(frozen=True, slots=True)
class AnyOrder(Step):
    """`any order` ... `end`: as many messages as lines, whichever comes first."""

    expected: tuple[Expect, ...]


@dataclass(frozen=True, slots=True)
class Quiet(Step):
    """`ROLE quiet`: nothing else came. `ROLE closed`: the other side closes the connection."""

    verb: str
    role: str


@dataclass(frozen=True, slots=True)
class Control(Step):
    """`control NAME argument=value`: something that the venue is made to do."""

    name: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pause(Step):
    """`pause SECONDS`: time passes, and heartbeats are answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ask(Step):
    """`ask TEXT`: what a person at the other side is asked to do."""


class Use(NamedTuple):
    """Something of the profile: what `{word key}` stands for; without a word, the key alone."""

    table: str
    key: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A scenario. `uses` is what the profile must know; a short one is played where there is little time."""

    number: int
    name: str
    path: str
    title: str
    rule: str
    needs: tuple[str, ...]
    is_short: bool
    steps: tuple[Step, ...]
    uses: frozenset[Use]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that are named in it, in alphabetical order."""
        return tuple(sorted({use.key for use in self.uses if use.table == "roles"}))


def placeholder(said: str) -> Placeholder:
    """Read what stands between the braces. Raises ValueError."""
    found = _SAID.fullmatch(said)
    if found is None:
        raise ValueError(
            f"{{{said}}} is no placeholder, as {{new order}}, {{order}}, {{symbol B}} or {{next+5}}"
        )
    if found["new"]:
        if found["new"] in KEYED or found["new"] in BY_ITSELF:
            raise ValueError(f"{{{said}}}: {found['new']} is a word of the grammar; choose another name")
        return Placeholder(found["new"], is_new=True)
    word, key = found["word"], found["key"] or ""
    table = KEYED.get(word, "")
    if key and not table:
        raise ValueError(f"{{{said}}}: {word} takes no name")
    if table and not key:
        key = DEFAULT_KEY.get(table, "")
        if not key:
            raise ValueError(f"{{{said}}} needs a name of the profile's {table}, as {{{word} TRADER}}")
    return Placeholder(word, key, found["plus"] or "")


def is_regex(text: str) -> bool:
    """Whether a pattern is a regular expression between slashes."""
    return len(text) > 2 and text.startswith("/") and text.endswith("/")


def capture_of(text: str) -> tuple[str, str | None] | None:
    """The name that a pattern captures and the regex that must match all of it, or None."""
    found = _CAPTURE.fullmatch(text)
    return (found[1], found[2]) if found else None


def is_repetition(said: str) -> bool:
    """Whether braces around this are a repetition in a regex, as {2} or {1,3}, and no placeholder."""
    return re.fullmatch(r"[0-9]*,?[0-9]*", said) is not None
