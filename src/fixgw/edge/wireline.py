"""A line of the wire log: when, which way, and the message, without its secrets and exactly otherwise.

    2026-11-21T07:31:46.987528Z in  8=FIX.4.4|9=63|35=0|...|10=073|

`|` stands for SOH. Lines are plain ASCII, so that grep never takes a file for a binary one: a `|` of the
message is written `\\x7c`, a backslash `\\x5c`, any other byte that is not printable ASCII `\\n`, `\\r`,
`\\t` or `\\xNN`. Nothing else begins with a backslash, so a line can be turned back into the message.
"""

import re
from typing import NamedTuple

SOH = b"\x01"
HIDDEN = b"***"
SECRETS_MAX = 8  # hidden one by one; each can be in a good message once

_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b"|\\") + SOH
# Password, NewPassword, RawDataLength and RawData. They are looked for in what is left of a message without
# the bytes that none of them has: that is twice as quick, and finds 0554= too, which QuickFIX reads as 554=.
_SECRETS = (b"\x01554=", b"\x01925=", b"\x0195=", b"\x0196=")
_IN_NO_SECRET = bytes(set(range(256)) - set(b"".join(_SECRETS)))
_LENGTH = re.compile(rb"[0-9]{1,9}")
_HEAD = re.compile(rb"8=[^\x01]*\x019=([0-9]{1,9})\x01")
_TRAILER_BYTES = len(b"10=000\x01")
_SECRET = re.compile(rb"\x010*(554|925|95|96)=")
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (in|out) +(.*)", re.ASCII)

# Stand-ins for a backslash and a | while the others are escaped. Only bytes are below 256.
_BACKSLASH, _BAR = "\ue05c", "\ue07c"


class WireLine(NamedTuple):
    """A line as it was read: `at` as it stands there (UTC), `direction` `in` or `out`, and the message."""

    at: str
    direction: str
    message: bytes


def messages(data: bytes) -> list[bytes]:
    """The whole messages in `data` one by one, as BodyLength(9) says where each ends.

    What is not a whole message comes in one piece, as it is.
    """
    if b"\x018=" not in data:
        return [data]
    found, begin = [], 0
    while begin < len(data):
        head = _HEAD.match(data, begin)
        end = head.end() + int(head[1]) + _TRAILER_BYTES if head else len(data)
        found.append(data[begin:end])
        begin = end
    return found


def is_plain(data: bytes) -> bool:
    """Whether nothing in `data` has to be hidden or escaped; quick, and in doubt it says no."""
    if data.translate(None, _PLAIN):
        return False
    left = data.translate(None, _IN_NO_SECRET)
    return not any(secret in left for secret in _SECRETS)


def redact(message: bytes) -> bytes:
    """The message with `***` for each value of a secret field.

    RawData(96) may hold SOH: its value is as long as the RawDataLength(95) before it says, if that ends with
    a field. A message with more than SECRETS_MAX of them, which no engine takes, is hidden from there on.
    """
    parts: list[bytes] = []
    begin = raw_data_at = raw_data_length = 0
    while found := _SECRET.search(message, begin):
        start, end = found.end(), message.find(SOH, found.end())
        whole = start + raw_data_length
        if found[1] == b"96" and found.start() == raw_data_at and message[whole : whole + 1] == SOH:
            end = whole
        elif found[1] == b"95" and _LENGTH.fullmatch(message, start, end):
            raw_data_at, raw_data_length = end, int(message[start:end])
        if end < 0 or len(parts) == 2 * SECRETS_MAX:
            trailer = message.rfind(b"\x0110=", start)
            end = len(message) if trailer < 0 else trailer
        parts += [message[begin:start], HIDDEN]
        begin = end
    return b"".join((*parts, message[begin:]))


def escape(message: bytes) -> bytes:
    """The message as it stands in a line."""
    text = message.decode("latin-1").replace("\\", _BACKSLASH).replace("|", _BAR).replace("\x01", "|")
    return text.encode("unicode_escape").replace(rb"\ue0", rb"\x")


def unescape(text: str) -> bytes:
    """The bytes of a message that stands in a line. Raises ValueError when it is none of this log's."""
    return text.replace("|", "\x01").encode("ascii").decode("unicode_escape").encode("latin-1")


def read(line: str) -> WireLine | None:
    """Read a line; None when it is not one of a wire log, or says what is missing."""
    found = _LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        return None
    try:
        return WireLine(found[1], found[2], unescape(found[3]))
    except ValueError:
        return None
