"""Reads a script into steps; every error names its file and line, and says what to write instead."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from fixgw.certify.grammar import (
    BY_ITSELF,
    FIELDS_OF,
    KEYED,
    PLACEHOLDER,
    AnyOrder,
    Ask,
    Connecting,
    Control,
    Expect,
    Item,
    Pause,
    Placeholder,
    Quiet,
    Script,
    Send,
    Step,
    Use,
    capture_of,
    is_regex,
    is_repetition,
    placeholder,
)

_FIELD = re.compile(r"([1-9][0-9]{0,8})=(.*)", re.DOTALL)
_SEPARATOR = re.compile(r"\|(?=[0-9]+=|\{)")
_FILE = re.compile(r"([0-9]{3})-([a-z0-9-]+)\.fix")
_ROLE = re.compile(r"[A-Z][A-Z0-9_]*")
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_HEADER = ("title", "rule", "needs", "short")


class ScriptError(Exception):
    """A script cannot be read; the text names file and line, and says what to do."""


@dataclass(slots=True)
class _Reader:
    """Reads one script; `known` are the names given so far."""

    path: str
    header: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    uses: set[Use] = field(default_factory=set)
    line: int = 0
    has_begun: bool = False

    def error(self, problem: str) -> ScriptError:
        return ScriptError(f"{self.path}:{self.line}: {problem}")

    def head(self, key: str, value: str) -> None:
        if key in self.header or self.has_begun:
            raise self.error(f"`{key}:` stands once, before the first step")
        if not value or (key == "short" and value != "yes"):
            raise self.error(f"`{key}:` says nothing" if not value else "`short:` is yes, or left out")
        self.header[key] = value

    def steps(self, lines: Iterable[str]) -> Iterator[Step]:
        block: list[Expect] | None = None
        begin = 0
        for self.line, written in enumerate(lines, 1):
            text = written.strip()
            if not text or text.startswith("#"):
                continue
            key, colon, value = text.partition(":")
            if colon and key in _HEADER:
                self.head(key, value.strip())
            elif text == "any order":
                if block is not None:
                    raise self.error("a block within a block; write `end` first")
                block, begin = [], self.line
            elif text == "end":
                if not block:
                    raise self.error("`end` without `any order` and a message to expect before it")
                lines = "\n".join(f"    {one.text}" for one in block)
                yield AnyOrder(begin, f"any order\n{lines}\nend", tuple(block))
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
        self.has_begun = True
        first, _, rest = text.partition(" ")
        rest = rest.strip()
        if first in ("connect", "logon", "logout", "cut", "mute"):
            name, _, fields = rest.partition(" ")
            items = self.items(fields.strip()) if fields.strip() else ()
            if items and first != "logon":
                raise self.error(f"`{first}` takes a role and no fields")
            return Connecting(self.line, text, first, self.role(name), items)
        if first == "control":
            return self.control(text, rest)
        if first == "ask":
            self.check(rest)
            return Ask(self.line, rest)
        if first == "pause":
            if not _SECONDS.fullmatch(rest):
                raise self.error(f"`pause` takes a number of seconds below 1000, not {rest!r}")
            return Pause(self.line, text, float(rest))
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
                f"{name!r} is neither a role (as TRADER) nor connect, logon, logout, cut, mute, control, "
                "pause, ask, any order or end"
            )
        self.uses.add(Use("roles", name))
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
        self.uses.add(Use("controls", name))
        return Control(self.line, text, name, tuple(pairs))

    def items(self, text: str, *, is_pattern: bool = False) -> tuple[Item, ...]:
        items = []
        captured: set[str] = set()
        for part in _SEPARATOR.split(text):
            found = _FIELD.fullmatch(part)
            if found and ("|" not in found[2] or (is_pattern and found[2][0] in "/(")):
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
        capture = capture_of(text)
        regex = text[1:-1] if is_regex(text) else (capture[1] if capture else None)
        try:
            re.compile(PLACEHOLDER.sub("x", regex or ""))
        except re.error as error:
            raise self.error(f"{regex!r} is no regular expression: {error}") from None
        if capture and (capture[0] in KEYED or capture[0] in BY_ITSELF):
            raise self.error(f"({capture[0]}) is a word of the grammar: capture under another name")
        return {capture[0]} if capture else set()

    def check(self, text: str, *, is_pattern: bool = False) -> list[Placeholder]:
        """The placeholders of a text, each of which must be known here."""
        found = []
        for said in PLACEHOLDER.findall(text):
            if is_pattern and is_repetition(said):
                continue  # a repetition in a regex
            try:
                one = placeholder(said)
            except ValueError as error:
                raise self.error(str(error)) from None
            if one.is_new and is_pattern:
                raise self.error(
                    f"{{{said}}} would be an id that nobody has sent; capture it with ({one.word})"
                )
            if one.is_new:
                self.known.add(one.word)
            elif one.table:
                self.uses.add(Use(one.table, one.key, one.word))
            elif one.word not in self.known and one.word not in BY_ITSELF:
                raise self.error(
                    f"{{{said}}} is not known here: name it with {{new {one.word}}}, or capture it with "
                    f"({one.word}), in a line before"
                )
            found.append(one)
        return found


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
        is_short="short" in reader.header,
        steps=steps,
        uses=frozenset(reader.uses),
    )
