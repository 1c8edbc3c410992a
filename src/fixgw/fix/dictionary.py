"""The FIX dictionary: names, values and the layout of messages, and a check of a raw message against it."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

SOH = "\x01"

_NATURAL = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)")  # no exponent, no thousands separator
_DATE = r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{3})?"  # whole seconds or milliseconds only
_FORMATS: Mapping[str, re.Pattern[str]] = {  # FIX 4.4 volume 1, data types; any other type is free text
    **dict.fromkeys(("LENGTH", "NUMINGROUP", "SEQNUM"), _NATURAL),
    **dict.fromkeys(("AMT", "FLOAT", "PERCENTAGE", "PRICE", "PRICEOFFSET", "QTY"), _DECIMAL),
    **dict.fromkeys(("LOCALMKTDATE", "UTCDATEONLY"), re.compile(_DATE)),
    "INT": re.compile(r"-?[0-9]{1,18}"),
    "CHAR": re.compile(r".", re.DOTALL),
    "BOOLEAN": re.compile(r"[YN]"),
    "UTCTIMESTAMP": re.compile(f"{_DATE}-{_TIME}"),
    "UTCTIMEONLY": re.compile(_TIME),
    "MONTHYEAR": re.compile(r"[0-9]{4}(0[1-9]|1[0-2])([0-3][0-9]|w[1-5])?"),
}
_PART = re.compile(r"([1-9][0-9]{0,8})=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `values` maps its enumerated values to their names and is empty if any value may stand."""

    tag: int
    name: str
    type: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name}({self.tag})"


@dataclass(frozen=True, slots=True)
class Layout:
    """What may stand at one level: in a message's body, its header or trailer, or one entry of a group.

    Components are resolved into their fields. `first` is the delimiter if this is a group's entry.
    `choices` are the required components: of each, at least one of its tags must stand.
    """

    first: int
    tags: frozenset[int]
    required: frozenset[int]
    choices: tuple[tuple[int, ...], ...]
    groups: Mapping[int, "Layout"]

    def all_tags(self) -> frozenset[int]:
        """The tags of this level and of every group below it."""
        return self.tags.union(*(group.all_tags() for group in self.groups.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """A FIX dictionary in memory. Immutable; get one from `load`."""

    begin_string: str
    fields: Mapping[int, Field]
    header: Layout
    trailer: Layout
    _tags: Mapping[str, int]
    _messages: Mapping[str, tuple[str, Layout]]

    def field_name(self, tag: int) -> str | None:
        """The field's name, or None if the tag is not defined."""
        field = self.fields.get(tag)
        return field.name if field else None

    def tag(self, name: str) -> int:
        """The tag of the field called `name`. Raises KeyError if there is none."""
        return self._tags[name]

    def label(self, tag: int) -> str:
        """How a person is told of the field, `Symbol(55)`; an undefined tag is only its number."""
        field = self.fields.get(tag)
        return str(field) if field else str(tag)

    def enum_name(self, tag: int, value: str) -> str | None:
        """The name of an enumerated value, or None if it has none.

        A field that holds several values gives their names with a space between; those without a name stay.
        """
        names = self.enums(tag)
        if value in names or not self._is_multiple(tag):
            return names.get(value)
        parts = value.split(" ")
        return " ".join(names.get(part, part) for part in parts) if names.keys() & set(parts) else None

    def enums(self, tag: int) -> Mapping[str, str]:
        """Value to name of an enumerated field; empty for any other field and for an undefined tag."""
        field = self.fields.get(tag)
        return field.values if field else {}

    def msg_name(self, msg_type: str) -> str | None:
        """The name of the message with this MsgType(35), or None if there is none."""
        return self._messages[msg_type][0] if msg_type in self._messages else None

    def layout(self, msg_type: str) -> Layout:
        """The body's layout. Raises KeyError if there is no such message."""
        return self._messages[msg_type][1]

    def message_tags(self, msg_type: str) -> frozenset[int]:
        """All tags of the body, components and groups included. Raises KeyError if there is no such type."""
        return self.layout(msg_type).all_tags()

    def required(self, msg_type: str) -> frozenset[int]:
        """The tags that every body must hold. Raises KeyError if there is no such message."""
        return self.layout(msg_type).required

    @property
    def header_tags(self) -> frozenset[int]:
        """All tags of the standard header, its group included."""
        return self.header.all_tags()

    @property
    def trailer_tags(self) -> frozenset[int]:
        """All tags of the standard trailer."""
        return self.trailer.all_tags()

    def validate(self, raw: str) -> list[str]:
        """What is wrong with a raw message with SOH after each field, in words; empty if nothing is.

        Checked against this dictionary and FIX 4.4 volume 1, more strictly than by QuickFIX: framing,
        BodyLength(9), CheckSum(10), MsgType(35), required fields, fields that are not allowed or stand twice,
        types, enumerated values, groups. A required component, such as Instrument, must hold a field. Length
        and sum are those of the UTF-8 bytes. Raises nothing.
        """
        return [*_frame_problems(raw, self.begin_string), *_Check(self, _fields(raw)).run()]

    def value_problem(self, tag: int, value: str) -> str | None:
        """What is wrong with this value of a field, in words, or None. Raises KeyError if it is undefined."""
        field = self.fields[tag]
        if value == "":
            return f"{field} is empty"
        pattern = _FORMATS.get(field.type)
        if pattern and not pattern.fullmatch(value):
            return f"{field}={value} is not a {field.type}"
        parts = value.split(" ") if self._is_multiple(tag) else [value]
        if field.values and not all(part in field.values for part in parts):
            return f"{field}={value} is not one of its values"
        return None

    def _is_multiple(self, tag: int) -> bool:
        return tag in self.fields and self.fields[tag].type == "MULTIPLEVALUESTRING"


def spec_path() -> Path:
    """The file of our dictionary: installed beside the package, or in the repository's `spec` directory."""
    installed = Path(__file__).parents[1] / "spec" / "FIX44.xml"
    return installed if installed.is_file() else Path(__file__).parents[3] / "spec" / "FIX44.xml"


@cache
def load(path: Path | None = None) -> Dictionary:
    """Read a QuickFIX dictionary file once, by default ours.

    Raises OSError if it cannot be read; ET.ParseError, ValueError or KeyError if it is not a dictionary.
    """
    text = (path or spec_path()).read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - a file of this installation, never a peer's
    fields = {field.tag: field for field in map(_field, _part(root, "fields"))}
    reader = _Reader(
        tags={field.name: field.tag for field in fields.values()},
        components={component.get("name", ""): component for component in _part(root, "components")},
    )
    return Dictionary(
        begin_string=f"{root.get('type')}.{root.get('major')}.{root.get('minor')}",
        fields=fields,
        header=reader.layout(_part(root, "header")),
        trailer=reader.layout(_part(root, "trailer")),
        _tags=reader.tags,
        _messages={
            message.get("msgtype", ""): (message.get("name", ""), reader.layout(message))
            for message in _part(root, "messages")
        },
    )


def _part(root: ET.Element, name: str) -> ET.Element:
    part = root.find(name)
    if part is None:
        raise ValueError(f"the dictionary has no <{name}>")
    return part


def _field(element: ET.Element) -> Field:
    return Field(
        tag=int(element.get("number", "")),
        name=element.get("name", ""),
        type=element.get("type", ""),
        values={value.get("enum", ""): value.get("description", "") for value in element},
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Resolves the names in a dictionary file."""

    tags: Mapping[str, int]
    components: Mapping[str, ET.Element]

    def layout(self, parent: ET.Element) -> Layout:
        tags: list[int] = []
        required: set[int] = set()
        choices: list[tuple[int, ...]] = []
        groups: dict[int, Layout] = {}

        def read(container: ET.Element, *, container_needed: bool) -> None:
            for element in container:
                name = element.get("name", "")
                needed = container_needed and element.get("required") == "Y"
                start = len(tags)
                if element.tag == "component":
                    read(self.components[name], container_needed=needed)
                    if needed:
                        choices.append(tuple(tags[start:]))
                    continue
                tags.append(self.tags[name])
                if needed:
                    required.add(self.tags[name])
                if element.tag == "group":
                    groups[self.tags[name]] = self.layout(element)

        read(parent, container_needed=True)
        open_choices = tuple(choice for choice in choices if required.isdisjoint(choice))
        return Layout(tags[0] if tags else 0, frozenset(tags), frozenset(required), open_choices, groups)


def _fields(raw: str) -> list[tuple[int, str]]:
    parts = (_PART.fullmatch(part) for part in raw.split(SOH))
    return [(int(part[1]), part[2]) for part in parts if part]


def _frame_problems(raw: str, begin_string: str) -> Iterator[str]:
    """FIX 4.4 volume 1, standard header and trailer: the first three fields, the last one, length and sum."""
    parts = raw.split(SOH)
    if parts.pop() != "":
        yield "the message does not end with SOH"
    yield from (f"{part!r} is not tag=value" for part in parts if not _PART.fullmatch(part))
    fields = _fields(raw)
    if [tag for tag, _ in fields[:3]] != [8, 9, 35]:
        yield "the first three fields are not BeginString(8), BodyLength(9) and MsgType(35)"
        return
    if fields[-1][0] != 10:
        yield "the last field is not CheckSum(10)"
        return
    if fields[0][1] != begin_string:
        yield f"BeginString(8)={fields[0][1]} is not {begin_string}"
    try:
        wire = raw.encode("utf-8", "surrogateescape")  # as QuickFIX for Python turns bytes into text and back
    except UnicodeEncodeError:
        yield "the message cannot be turned into bytes"
        return
    end = wire.rfind(b"\x0110=") + 1
    length = end - (wire.index(b"\x01", wire.index(b"\x019=") + 1) + 1)
    if fields[1][1] != str(length):
        yield f"BodyLength(9)={fields[1][1]} is not {length}"
    checksum = f"{sum(wire[:end]) % 256:03}"
    if fields[-1][1] != checksum:
        yield f"CheckSum(10)={fields[-1][1]} is not {checksum}"


class _Check:
    """One walk over the fields of a message, header to trailer; `problems` grows on the way."""

    def __init__(self, dictionary: Dictionary, fields: list[tuple[int, str]]) -> None:
        self.dictionary = dictionary
        self.fields = fields
        self.at = 0
        self.msg_type = ""
        self.problems: list[str] = []

    def run(self) -> list[str]:
        msg_type = next((value for tag, value in self.fields if tag == 35), None)
        if msg_type is None:
            return ["MsgType(35) is missing"]
        if self.dictionary.msg_name(msg_type) is None:
            return [f"MsgType(35)={msg_type} is not known"]
        self.msg_type = msg_type
        header, trailer = self.dictionary.header, self.dictionary.trailer
        self.level(header, stop=lambda tag: tag not in header.tags)
        self.level(self.dictionary.layout(msg_type), stop=lambda tag: tag in trailer.tags)
        self.level(trailer, stop=lambda _: False)
        return self.problems

    def level(self, layout: Layout, *, stop: Callable[[int], bool], where: str = "") -> None:
        label = self.dictionary.label
        seen: set[int] = set()
        while self.at < len(self.fields) and not stop(self.fields[self.at][0]):
            tag, value = self.fields[self.at]
            self.at += 1
            if tag not in layout.tags:
                self.problems.append(self.misplaced(tag))
                continue
            if tag in seen:
                self.problems.append(f"{label(tag)} appears twice{where}")
            seen.add(tag)
            if problem := self.dictionary.value_problem(tag, value):
                self.problems.append(problem)
            if tag in layout.groups:
                self.group(tag, value, layout.groups[tag])
        missing = sorted(layout.required - seen)
        missing += [choice[0] for choice in layout.choices if seen.isdisjoint(choice)]
        self.problems += [f"{label(tag)} is missing{where}" for tag in missing]

    def group(self, count_tag: int, count: str, entry: Layout) -> None:
        label = self.dictionary.label
        entries = 0
        while self.at < len(self.fields) and (first := self.fields[self.at][0]) in entry.tags:
            if first != entry.first:
                self.problems.append(
                    f"an entry of {label(count_tag)} begins with {label(first)}, not {label(entry.first)}"
                )
            stop = partial(self.entry_ends, entry, self.at)
            self.level(entry, stop=stop, where=f" in {label(count_tag)}")
            entries += 1
        if count != str(entries):
            self.problems.append(f"{label(count_tag)}={count} but {entries} entries follow")

    def entry_ends(self, entry: Layout, start: int, tag: int) -> bool:
        return tag not in entry.tags or (tag == entry.first and self.at > start)

    def misplaced(self, tag: int) -> str:
        known = self.dictionary
        if tag not in known.fields:
            return f"tag {tag} is not defined"
        if tag in known.header_tags:
            return f"{known.label(tag)} stands outside the header"
        if tag in known.layout(self.msg_type).tags:
            return f"{known.label(tag)} stands after the trailer"
        if tag in known.message_tags(self.msg_type):
            return f"{known.label(tag)} stands outside its group"
        return f"{known.label(tag)} is not allowed in {known.msg_name(self.msg_type)}({self.msg_type})"
