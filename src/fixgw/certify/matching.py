"""What a script expects against what came: a pure comparison that says each difference."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from fixgw.certify.grammar import capture_of, is_regex
from fixgw.certify.message import Message
from fixgw.fix.dictionary import load

ABSENT = "!"
ANY = "*"
_NUMBERS = frozenset({"AMT", "FLOAT", "PERCENTAGE", "PRICE", "PRICEOFFSET", "QTY"})


class Pattern(NamedTuple):
    """A field that is expected: `wanted` is a value, `*`, `!`, `/regex/`, `(name)` or `(name:regex)`."""

    tag: int
    wanted: str


class Match(NamedTuple):
    """The differences, in words, and what was captured; a message fits if there is no difference."""

    differences: tuple[str, ...]
    captured: dict[str, str]


def match(message: Message, patterns: Sequence[Pattern]) -> Match:
    """Compare a message with what is expected of it.

    A tag that is named several times wants as many fields, in any order: each takes another one.
    """
    differences: list[str] = []
    captured: dict[str, str] = {}
    taken: set[int] = set()
    for tag, wanted in sorted(patterns, key=_certainty):
        places = [place for place, (key, _) in enumerate(message.pairs) if key == tag]
        if wanted == ABSENT:
            if places:
                differences.append(
                    f"{_label(tag)} is {_shown(message.pairs[places[0]][1])} and must be absent"
                )
            continue
        fits = _fits(tag, wanted)
        found = next(
            (place for place in places if place not in taken and fits(message.pairs[place][1])), None
        )
        if found is None:
            differences.append(f"{_label(tag)} is {_values(message, tag)}, not {_wanted(wanted)}")
            continue
        taken.add(found)
        capture = capture_of(wanted)
        if capture:
            captured[capture[0]] = message.pairs[found][1]
    return Match(tuple(differences), captured)


def _certainty(pattern: Pattern) -> int:
    """Values choose their field first, then what fits several."""
    if pattern.wanted == ANY or capture_of(pattern.wanted):
        return 2
    return 1 if is_regex(pattern.wanted) else 0


def _fits(tag: int, wanted: str) -> Callable[[str], bool]:
    capture = capture_of(wanted)
    if wanted == ANY or (capture and capture[1] is None):
        return lambda _: True
    if capture:
        whole = re.compile(capture[1] or "")
        return lambda value: whole.fullmatch(value) is not None
    if is_regex(wanted):
        part = re.compile(wanted[1:-1])
        return lambda value: part.search(value) is not None
    return lambda value: (
        value == wanted or (_is_number(tag) and _number(value) == _number(wanted) is not None)
    )


def _is_number(tag: int) -> bool:
    field = load().fields.get(tag)
    return field is not None and field.type in _NUMBERS


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _label(tag: int) -> str:
    return load().label(tag)


def _shown(value: str) -> str:
    return value if value else '""'


def _values(message: Message, tag: int) -> str:
    values = message.all(tag)
    return " and ".join(map(_shown, values)) if values else "absent"


def _wanted(wanted: str) -> str:
    capture = capture_of(wanted)
    if wanted == ANY or (capture and capture[1] is None):
        return "there"
    return f"/{capture[1]}/" if capture else _shown(wanted)
