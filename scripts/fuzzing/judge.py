"""What may come from the gateway: whole messages of the documented types, valid by the dictionary."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from fixgw.fix.dictionary import load

TYPES = frozenset(["0", "1", "2", "3", "4", "5", "A", "8", "9", "r", "j"])  # what docs/fix-dialect.md has
NO_NUMBER = "RefSeqNum(45) is missing"
DISORDER = b"58=Tag specified out of required order\x01"
"""Documented together: a Reject(3) has no number where the header is in such disorder that none was read."""

SHAPES_MAX = 50_000  # kept; a run has some thousands
BUFFER_MAX = 1 << 24  # bytes without a whole message in them: nothing that the gateway sends is as long

_HEAD = re.compile(rb"8=FIX\.4\.4\x019=([1-9][0-9]{0,6})\x01")
_TRAILER = re.compile(rb"10=([0-9]{3})\x01")
_NUMBER = re.compile("[0-9]+")
_TRAILER_BYTES = len(b"10=000\x01")

# Values that are right for their field, whatever they are within this pattern: two messages that differ in
# nothing else are both valid or both not.
_FREE = re.compile(
    rb"(?<=\x01)(?:(34|7|16|36|45|14|38|151|911|533|37|17|1)=[0-9]{1,9}"
    rb"|(52|60|122)=[0-9]{8}-(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}\.[0-9]{3}"
    rb"|(11|41|58|112|372|379|584|790|9|10)=[!-~ ]+)(?=\x01)"
)


class Answer(NamedTuple):
    """A message of the gateway: MsgType(35), and itself."""

    type: str
    data: bytes

    def get(self, tag: int) -> bytes | None:
        """The first value of a field, None when it has none."""
        _, found, rest = self.data.partition(b"\x01%d=" % tag)
        return rest.partition(b"\x01")[0] if found else None


class Judge:
    """Looks at all that the gateway sends; `answers` counts by MsgType.

    `faults` says what is wrong: how often each kind, and where it was for the first time.
    """

    def __init__(self) -> None:
        self.answers = Counter[str]()
        self.faults = Counter[str]()
        self.first: dict[str, str] = {}
        self._dictionary = load()
        self._good: set[bytes] = set()

    def fault(self, what: str, where: str = "") -> None:
        """Note that something is wrong; what differs in its numbers only is of one kind."""
        kind = _NUMBER.sub("0", what)
        self.faults[kind] += 1
        self.first.setdefault(kind, f"{what} {where}".rstrip())

    def take(self, buffer: bytearray, who: str) -> Iterator[Answer]:
        """The whole messages at the beginning of `buffer`, which are taken out of it, each looked at."""
        begin, data = 0, bytes(buffer)
        while len(data) - begin > 30:
            head = _HEAD.match(data, begin)
            if head is None:
                self.fault("what comes is no message", f"{who}: {data[begin : begin + 200]!r}")
                begin = len(data)
                break
            body_end = head.end() + int(head[1])
            end = body_end + _TRAILER_BYTES
            if len(data) < end:
                break
            trailer = _TRAILER.fullmatch(data, body_end, end)
            if trailer is None or int(trailer[1]) != sum(data[begin:body_end]) % 256:
                self.fault("length or sum is wrong", f"{who}: {data[begin:end]!r}")
            yield self._look(data[begin:end], who)
            begin = end
        del buffer[:begin]
        if len(buffer) > BUFFER_MAX:
            self.fault(f"{len(buffer)} bytes and no whole message", who)

    def _look(self, message: bytes, who: str) -> Answer:
        answer = Answer(_type_of(message), message)
        self.answers[answer.type] += 1
        if answer.type not in TYPES:
            self.fault(f"MsgType(35)={answer.type} is not documented", f"{who}: {message!r}")
        shape = _FREE.sub(rb"\1\2\3", message)
        if shape not in self._good:
            problems = self._dictionary.validate(message.decode("utf-8", "surrogateescape"))
            if problems == [NO_NUMBER] and answer.type == "3" and DISORDER in message:
                problems = []
            if problems:
                self.fault("; ".join(problems), f"{who}: {message!r}")
            elif len(self._good) < SHAPES_MAX:
                self._good.add(shape)
        return answer


def _type_of(message: bytes) -> str:
    return message.split(b"\x01", 3)[2].partition(b"35=")[2].decode("ascii", "replace")
