"""FIX messages on the wire, by simplefix: how they are written, with wrong fields on purpose, and read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import simplefix

from fixgw.fix.dictionary import load

Pairs = Iterable[tuple[int, str]]

ADMIN = frozenset({"0", "1", "2", "3", "4", "5", "A"})


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was received: its fields in order."""

    pairs: tuple[tuple[int, str], ...]
    raw: str

    def get(self, tag: int) -> str | None:
        """The first value of `tag`, None when it is absent."""
        return next((value for key, value in self.pairs if key == tag), None)

    def all(self, tag: int) -> list[str]:
        """Every value of `tag`, in order."""
        return [value for key, value in self.pairs if key == tag]

    def number(self, tag: int) -> int:
        """The first value of `tag` as a number, 0 if it is absent or none."""
        found = self.get(tag) or ""
        return int(found) if found.isdecimal() and len(found) < 19 else 0

    @property
    def type(self) -> str:
        """MsgType(35), "" if there is none."""
        return self.get(35) or ""


def from_simplefix(message: simplefix.FixMessage) -> Message:
    """What the parser has found."""
    return Message(
        tuple((int(tag), value.decode("utf-8", "surrogateescape")) for tag, value in message.pairs),
        message.encode(raw=True).decode("utf-8", "surrogateescape"),
    )


def timestamp(at: datetime | None = None) -> str:
    """`at`, or now, in UTC with milliseconds, as FIX writes it."""
    at = at or datetime.now(UTC)
    return f"{at:%Y%m%d-%H:%M:%S}.{at.microsecond // 1000:03}"


def encode(pairs: Pairs) -> bytes:
    """A whole message, the header first; BodyLength(9) and CheckSum(10) are right unless they are given."""
    header = load().header_tags
    given = list(pairs)
    message = simplefix.FixMessage()
    wrong = {tag: value for tag, value in given if tag in (9, 10)}
    ordered = [pair for pair in given if pair[0] in header] + [
        pair for pair in given if pair[0] not in header
    ]
    for tag, value in ordered:
        if tag not in (9, 10):
            message.append_pair(tag, value.encode("utf-8", "surrogateescape"))
    data = bytes(message.encode())
    if 9 in wrong:
        begin, _, rest = data.partition(b"\x019=")
        _, _, body = rest.partition(b"\x01")
        data = begin + b"\x019=" + wrong[9].encode() + b"\x01" + body[: body.rindex(b"\x0110=") + 1]
        data += f"10={sum(data) % 256:03}\x01".encode()
    if 10 in wrong:
        data = data[: data.rindex(b"\x0110=") + 1] + f"10={wrong[10]}\x01".encode()
    return data
