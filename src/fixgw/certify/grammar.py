"""The grammar of scenarios: a script is read into steps, and every error names its file and line."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

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
_FIELD = re.compile(r"([1-9][0-9]{0,8})=(.*)", re.DOTALL)
_SEPARATOR = re.compile(r"\|(?=[0-9]+=|\{)")
_CAPTURE = re.compile(rf"\(({_NAME})(?::(.*))?\)", re.DOTALL)
_FILE = re.compile(r"([0-9]{3})-([a-z0-9-]+)\.fix")
_ROLE = re.compile(r"[A-Z][A-Z0-9_]*")


class ScriptError(Exception):
    """A script cannot be read; the text names file and line, and says what to do."""


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
class Session(Step):
    """`connect`, `logon`, `logout` or `cut`: the connection of a role; `items` go into the Logon."""

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
class Script:
    """A scenario. `uses` are the names that the profile must know, as (table, name)."""

    number: int
    name: str
    path: str
    title: str
    rule: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]
    uses: frozenset[tuple[str, str]]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have a session in it, in alphabetical order."""
        return tuple(sorted(name for table, name in self.uses if table == "roles"))


@dataclass(slots=True)
class _Reader:
    """Reads one script; `known` are the names given so far."""

    path: str
    header: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    uses: set[tuple[str, str]] = field(default_factory=set)
    line: int = 0

    def error(self, problem: str) -> ScriptError:
        return ScriptError(f"{self.path}:{self.line}: {problem}")

    def steps(self, lines: Iterable[str]) -> Iterator[Step]:
        block: list[Expect] | None = None
        begin = 0
        for self.line, written in enumerate(lines, 1):
            text = written.strip()
            if not text or text.startswith("#"):
                continue
            key, colon, value = text.partition(":")
            if colon and key in ("title", "rule", "needs"):
                self.header[key] = value.strip()
            elif text == "any order":
                if block is not None:
                    raise self.error("a block within a block; write `end` first")
                block, begin = [], self.line
            elif text == "end":
                if not block:
                    raise self.error("`end` without `any order` and a message to expect before it")
                yield AnyOrder(begin, "any order", tuple(block))
                block = None
            else:
                step = self.step(text)
                if block is None:
                    yield step
                elif isinstance(step, Expect):
                    block.append(step)
                else:
                    raise self.error("only expected messages (ROLE < ...) may stand in `any order`")
        if block is not None:
            self.line = begin
            raise self.error("`any order` has no `end`")

    def step(self, text: str) -> Step:
        first, _, rest = text.partition(" ")
        rest = rest.strip()
        if first in ("connect", "logon", "logout", "cut"):
            name, _, fields = rest.partition(" ")
            items = self.items(fields.strip()) if fields.strip() else ()
            if items and first != "logon":
                raise self.error(f"`{first}` takes a role and no fields")
            return Session(self.line, text, first, self.role(name), items)
        if first == "control":
            return self.control(text, rest)
        if first == "pause":
            try:
                return Pause(self.line, text, float(rest))
            except ValueError:
                raise self.error(f"`pause` takes a number of seconds, not {rest!r}") from None
        role = self.role(first)
        if rest in ("quiet", "closed"):
            return Quiet(self.line, text, rest, role)
        sign, _, fields = rest.partition(" ")
        if sign not in ("<", ">"):
            raise self.error(f"after {first} comes `>` (send), `<` (expect), `quiet` or `closed`")
        if not fields.strip().startswith("35="):
            raise self.error("a message begins with 35=, its MsgType")
        if sign == ">":
            return Send(self.line, text, role, self.items(fields.strip()))
        return Expect(self.line, text, role, self.items(fields.strip(), is_pattern=True))

    def role(self, name: str) -> str:
        if not _ROLE.fullmatch(name):
            raise self.error(
                f"{name!r} is neither a role (as TRADER) nor connect, logon, logout, cut, control, pause, "
                "any order or end"
            )
        self.uses.add(("roles", name))
        return name

    def control(self, text: str, rest: str) -> Control:
        try:
            name, *arguments = shlex.split(rest)
        except ValueError as error:
            raise self.error(f"`control` takes a name and argument=value: {error}") from None
        pairs = []
        for argument in arguments:
            key, equals, value = argument.partition("=")
            if not equals:
                raise self.error(f"an argument of `control` is name=value, not {argument!r}")
            self.check(value)
            pairs.append((key, value))
        self.uses.add(("controls", name))
        return Control(self.line, text, name, tuple(pairs))

    def items(self, text: str, *, is_pattern: bool = False) -> tuple[Item, ...]:
        items = []
        captured: set[str] = set()
        for part in _SEPARATOR.split(text):
            found = _FIELD.fullmatch(part)
            if found:
                items.append(Item(int(found[1]), found[2]))
                captured |= self.pattern(found[2]) if is_pattern else set()
                self.check(found[2], is_pattern=is_pattern)
            else:
                whole = PLACEHOLDER.fullmatch(part)
                if not whole or self.check(part)[0].word not in FIELDS_OF:
                    raise self.error(
                        f"{part!r} is no field: write tag=value, {{instrument}} or {{party ROLE}}"
                    )
                items.append(Item(0, part))
        self.known |= captured
        return tuple(items)

    def pattern(self, text: str) -> set[str]:
        """The name that a pattern captures; a regex in it is compiled once, to see that it is one."""
        captures = _CAPTURE.fullmatch(text)
        regex = text[1:-1] if is_regex(text) else (captures[2] if captures else None)
        try:
            re.compile(PLACEHOLDER.sub("x", regex or ""))
        except re.error as error:
            raise self.error(f"{regex!r} is no regular expression: {error}") from None
        if captures and (captures[1] in KEYED or captures[1] in BY_ITSELF):
            raise self.error(f"({captures[1]}) is a word of the grammar: capture under another name")
        return {captures[1]} if captures else set()

    def check(self, text: str, *, is_pattern: bool = False) -> list[Placeholder]:
        """The placeholders of a text, each of which must be known here."""
        found = []
        for said in PLACEHOLDER.findall(text):
            if is_pattern and re.fullmatch(r"[0-9]*,?[0-9]*", said):
                continue  # a repetition in a regex
            try:
                one = placeholder(said)
            except ValueError as error:
                raise self.error(str(error)) from None
            if one.is_new:
                self.known.add(one.word)
            elif one.table:
                self.uses.add((one.table, one.key))
            elif one.word not in self.known and one.word not in BY_ITSELF:
                raise self.error(
                    f"{{{said}}} is not known here: name it with {{new {one.word}}}, or capture it with "
                    f"({one.word}), in a line before"
                )
            found.append(one)
        return found


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


def parse(text: str, path: str) -> Script:
    """Read a script; `path` ends in NNN-short-name.fix. Raises ScriptError."""
    reader = _Reader(path)
    found = _FILE.fullmatch(PurePath(path).name)
    if found is None:
        raise ScriptError(f"{path}: a script is called NNN-short-name.fix, with three digits")
    steps = tuple(reader.steps(text.splitlines()))
    for key in ("title", "rule"):
        if not reader.header.get(key):
            raise ScriptError(f"{path}:1: there is no `{key}:` line")
    if not steps:
        raise ScriptError(f"{path}:1: there is no step")
    needs = tuple(word.strip() for word in reader.header.get("needs", "").split(",") if word.strip())
    return Script(
        number=int(found[1]),
        name=found[2],
        path=path,
        title=reader.header["title"],
        rule=reader.header["rule"],
        needs=needs,
        steps=steps,
        uses=frozenset(reader.uses),
    )
