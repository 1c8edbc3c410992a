"""FIX messages for people: found in log lines, split, named and shown, never with a password.

Everything here is for reading. Nothing raises on any text: what is not understood is shown as it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fixgw.fix.dictionary import SOH, Dictionary, Layout

HIDDEN = "***"

# Password, NewPassword, and RawData with its length, in which FIX before 4.3 carried the password.
SECRET_TAGS = frozenset({554, 925, 95, 96})

# The same in every message of a session, or only of use to a machine.
ROUTINE_TAGS = frozenset({8, 9, 10, 34, 35, 49, 52, 56})

# SOH itself; what viewers and people write for it; what JSON (once or more) and Python make of it.
_SEPARATOR = r"\x01|\^A|\||\\{1,8}u0001|\\{1,8}x01"
_BEGIN = re.compile(rf"(?<![0-9])8=FIXT?[0-9.]{{0,8}}(?P<separator>{_SEPARATOR})(?=[0-9]+=)")
_BETWEEN = re.compile(rf"(?P<separator>{_SEPARATOR})(?=[0-9]+=|\Z)")
_PART = re.compile(r"([0-9]{1,9})=(.*)", re.DOTALL)
# No digit before the tag, unless it is the end of a separator that is written out.
_SECRET = rf"(?:(?<![0-9])|(?<=u0001)|(?<=x01))(0*(?:{'|'.join(map(str, sorted(SECRET_TAGS)))})=).*?"


class DecodedField(NamedTuple):
    """One field as it is shown; `depth` counts the repeating groups around it.

    `name` of an undefined tag is its number. A part that is no field has tag 0, no name, and itself as value.
    """

    tag: int
    name: str
    value: str
    enum: str | None
    depth: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message with names: `msg_type` and `name` are empty if there is no MsgType(35), or no name for it."""

    msg_type: str
    name: str
    fields: tuple[DecodedField, ...]

    @property
    def title(self) -> str:
        """`NewOrderSingle(D)`, or `35=ZZ` for a type without a name, or `35=?` without a type."""
        shown = printable(self.msg_type)
        return f"{self.name}({shown})" if self.name else f"35={shown or '?'}"


def redact(raw: str) -> str:
    """The text with each value of a secret field shown as `***`.

    Takes any text, also a whole log line. In doubt it hides too much: a value ends only where the text's own
    separator and another field follow.
    """
    end = rf"(?=(?:{re.escape(_separator(raw))})(?:[0-9]+=|\Z)|\Z)"
    return re.sub(_SECRET + end, rf"\1{HIDDEN}", raw, flags=re.DOTALL)


def split(raw: str) -> list[tuple[int, str]]:
    """Tag and value of each field, separated by SOH, `|` or `^A`; values are as they are, secret ones too.

    A part that is no field comes as tag 0 with the part as its value; an empty one is left out.
    """
    fields = []
    for part in raw.strip("\r\n").split(_separator(raw)):
        found = _PART.fullmatch(part)
        if found and int(found[1]):
            fields.append((int(found[1]), found[2]))
        elif part:
            fields.append((0, part))
    return fields


def find_message(line: str) -> str | None:
    """The first FIX message in a line of any log, with SOH after each field, or None if there is none.

    A message without CheckSum(10) reaches to the end of the line, or of the JSON string that it stands in.
    """
    begin = _BEGIN.search(line)
    if begin is None:
        return None
    separator = begin["separator"]
    text = line[begin.start() :]
    end = re.search(rf"{re.escape(separator)}10=[0-9]{{3}}(?:{re.escape(separator)}|(?![0-9]))", text)
    if end:
        text = text[: end.end()]
    elif separator.startswith("\\"):
        text = re.split(r'(?<!\\)\\*"', text, maxsplit=1)[0]
    text = text.rstrip("\r\n").replace(separator, SOH)
    return _without_escapes(text) if separator.endswith("u0001") else text


def decode(raw: str, dictionary: Dictionary) -> Decoded:
    """The message with the dictionary's names and without its secrets."""
    fields = split(redact(raw))
    msg_type = next((value for tag, value in fields if tag == 35), "")
    return Decoded(
        msg_type=msg_type,
        name=dictionary.msg_name(msg_type) or "",
        fields=tuple(
            DecodedField(
                tag=tag,
                name=(dictionary.field_name(tag) or str(tag)) if tag else "",
                value=value,
                enum=dictionary.enum_name(tag, value),
                depth=depth,
            )
            for (tag, value), depth in zip(fields, _depths(fields, msg_type, dictionary), strict=True)
        ),
    )


def one_line(decoded: Decoded) -> str:
    """The message on one line: its title, then name and value (an enumerated one by its name) of each field
    but the routine ones of header and trailer."""
    shown = [decoded.title]
    for field in decoded.fields:
        if field.tag not in ROUTINE_TAGS:
            value = printable(field.enum or field.value)
            value = f'"{value}"' if " " in value else value
            shown.append(f"{field.name}={value}" if field.tag else value)
    return " ".join(shown)


def table(decoded: Decoded) -> str:
    """The message as aligned lines: tag, name, value and the value's name; group entries are indented."""
    rows = [
        (str(field.tag or ""), "  " * field.depth + field.name, printable(field.value), field.enum or "")
        for field in decoded.fields
    ]
    tag_width, name_width, value_width = (
        max((min(len(row[column]), limit) for row in rows), default=0)
        for column, limit in ((0, 9), (1, 40), (2, 30))  # one long value must not push all names away
    )
    lines = (
        f"{tag:>{tag_width}}  {name:<{name_width}}  {value:<{value_width}}  {printable(enum)}".rstrip()
        for tag, name, value, enum in rows
    )
    return "\n".join([decoded.title, *lines])


def printable(text: str) -> str:
    """The text with control characters and the like escaped, so that a message cannot write to a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _separator(raw: str) -> str:
    """What stands between the fields: SOH wherever there is one, for nothing else is written with it."""
    if SOH in raw:
        return SOH
    found = _BEGIN.search(raw) or _BETWEEN.search(raw)
    return found["separator"] if found else "|"


def _without_escapes(text: str) -> str:
    """The text of a JSON string, or unchanged if it cannot be one."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _depths(fields: Iterable[tuple[int, str]], msg_type: str, dictionary: Dictionary) -> Iterator[int]:
    """How many groups each field stands in. A tag that the message does not know leaves the group open."""
    levels = [dictionary.header, dictionary.trailer]
    if dictionary.msg_name(msg_type):
        levels.append(dictionary.layout(msg_type))
    groups: list[Layout] = []
    for tag, _ in fields:
        home = next((level for level in (*reversed(groups), *levels) if tag in level.tags), None)
        while home and groups and groups[-1] is not home:
            groups.pop()
        yield len(groups)
        if home and tag in home.groups:
            groups.append(home.groups[tag])
