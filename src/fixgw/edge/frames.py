"""Frames: where a FIX message begins and ends in a stream of bytes.

A frame is `8=BeginString|9=BodyLength|35=...|10=CheckSum|`. What is none is garbled: it is left out, and the
next frame is looked for, as FIX 4.4 Volume 2 ("Ensuring message integrity") demands; its sender finds out by
the gap in the sequence numbers.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from fixgw.fix.framing import check_sum, message

SOH = b"\x01"

_BEGIN = b"8=FIX.4.4\x019="
_ANY_BEGIN = re.compile(rb"8=FIX[^\x01]{0,16}\x019=")
_HEADER = re.compile(rb"8=FIX[^\x01]{0,16}\x019=[0-9]{1,7}\x0135=")
_HEADER_MAX = 35  # bytes: the longest one
_ABSURD = re.compile(rb"\x01(7|16|36)=[+-]?[0-9]{10,}(?=\x01)")
_START = b"8=FIX"
_START_MAX = 24  # bytes: what has to be there before it is known whether a frame begins
_TRAILER_BYTES = 7  # 10=nnn and SOH
_LENGTH_DIGITS = 7  # and SOH after them; a frame of ten megabytes is too long for everybody


class Cut(NamedTuple):
    """Whole frames, one after the other in `data`; `ends` are their ends (any number of positions in it)."""

    data: bytes
    ends: list[int]

    def frames(self) -> list[bytes]:
        """The frames, each on its own."""
        starts = [0, *self.ends]
        return [self.data[start:end] for start, end in zip(starts, self.ends, strict=False)]


class Framer:
    """Cuts a stream into frames of at most `longest` bytes. `garbled` counts the bytes that were left out."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.garbled = 0
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What has come of the next frame so far."""
        return self._rest

    def feed(self, data: bytes) -> Cut:
        """The frames that are whole with `data`. Never raises, whatever the bytes are."""
        if self._rest:
            data = self._rest + data
        ends: list[int] = []
        kept: list[bytes] | None = None  # what is left of the data once something was garbled
        begin = position = 0  # of the frames not yet kept, and of the next one
        size = len(data)
        while position < size:
            end = self._end(data, position, size)
            if end > 0:
                position = end
                ends.append(end)
                continue
            if end == 0:
                break
            kept = [] if kept is None else kept
            kept.append(data[begin:position])
            begin = _next(data, -end, size)
            self.garbled += begin - position
            position = begin
        self._rest = data[position:]
        if kept is None:
            return Cut(data[:position], ends)
        return joined(b"".join((*kept, data[begin:position])))

    def _end(self, data: bytes, start: int, size: int) -> int:
        """Where the frame that begins at `start` ends; 0 if it is not whole yet.

        If it is none, from where on to look for the next one, as a negative number.
        """
        none = -start - 1
        if data.startswith(_BEGIN, start):
            digits = start + len(_BEGIN)
        elif found := _ANY_BEGIN.match(data, start):
            digits = found.end()
        elif size - start < _START_MAX and _may_begin(data[start:]):
            return 0
        else:
            return none
        soh = data.find(SOH, digits, digits + _LENGTH_DIGITS + 1)
        if soh < 0:
            return 0 if size < digits + _LENGTH_DIGITS and _is_number(data[digits:] or b"0") else none
        length = data[digits:soh]
        if not _is_number(length):
            return none
        trailer = soh + 1 + int(length)
        end = trailer + _TRAILER_BYTES
        if end - start > self.longest:
            return none
        if size < end:
            return 0
        if not data.startswith(b"35=", soh + 1) or not data.startswith(b"\x0110=", trailer - 1):
            return none
        if data[trailer + 3 : end] != b"%03d\x01" % check_sum(data[start:trailer]):
            return -end  # not what is in it: frames in frames would be summed up for ever
        return end


def value(frame: bytes, tag: bytes) -> bytes | None:
    """The first value of a field; None when the frame has no such field."""
    start = frame.find(b"\x01%s=" % tag)
    if start < 0:
        return None
    start += len(tag) + 2
    return frame[start : frame.find(SOH, start)]


def sending_time() -> bytes:
    """SendingTime(52) as of now."""
    return f"{datetime.now(UTC):%Y%m%d-%H:%M:%S.%f}"[:-3].encode("ascii")


def without_absurd_numbers(frame: bytes) -> bytes:
    """The same message, with an x for what has more digits than a MsgSeqNum: BeginSeqNo(7), EndSeqNo(16) and
    NewSeqNo(36).

    QuickFIX counts such a number modulo 2 to the 64th; an x it rejects, and names the tag.
    """
    if _ABSURD.search(frame) is None:
        return frame
    begin_string, _, rest = frame.partition(SOH)
    body = rest[rest.index(SOH) + 1 : -_TRAILER_BYTES]
    return message(begin_string[2:], _ABSURD.sub(b"\x01\\1=x", body))


def _next(data: bytes, start: int, size: int) -> int:
    """Where the next frame may begin, from `start` on."""
    if found := _HEADER.search(data, start):
        return found.start()
    begin = data.find(_START, max(start, size - _HEADER_MAX))
    return begin if begin >= 0 else max(size - len(_START) + 1, start)


def _is_number(digits: bytes) -> bool:
    return digits.isdigit()


def _may_begin(data: bytes) -> bool:
    """Whether a frame can begin with `data`, which is too short to tell."""
    if len(data) <= len(_START):
        return _START.startswith(data)
    _, soh, rest = data.partition(SOH)
    return data.startswith(_START) and (b"9=".startswith(rest[:2]) if soh else True)


def joined(data: bytes) -> Cut:
    """The cut of bytes that are known to be whole frames."""
    ends, position = [], 0
    while position < len(data):
        digits = data.index(b"\x019=", position) + 3
        soh = data.index(SOH, digits)
        position = soh + 1 + int(data[digits:soh]) + _TRAILER_BYTES
        ends.append(position)
    return Cut(data, ends)
