"""What QuickFIX keeps of a client whose messages have a gap: all that come behind it, without a bound.

It gives them up when they are due, or when the connection ends; so that is how they are bounded here.
"""

from fixgw.edge.frames import Cut, value

OVERHEAD = 2_000  # bytes that QuickFIX needs for a message beside its text: an object for each field


class Gap:
    """The messages that QuickFIX keeps because one before them is missing; `kept` are their bytes.

    It begins to count when the engine asks for something again, and does so from then on: nothing that the
    client says ends it, or a client could end it too early.
    """

    def __init__(self) -> None:
        self.kept = 0
        self._sizes: dict[int, int] = {}
        self._due = 0  # the MsgSeqNum that QuickFIX waits for; 0: nothing was ever missing
        self._last = Cut(b"", [])

    def asked(self, cut: Cut) -> None:
        """Look for ResendRequests(2) in what the engine sent."""
        for frame in cut.frames():
            if b"\x0135=2\x01" in frame:
                is_first = not self._due
                self._due = _number(frame, b"7") or self._due
                if is_first:
                    self.sent(self._last)
        self._last = Cut(b"", [])

    def sent(self, cut: Cut) -> None:
        """Count what the client sent."""
        if not self._due:
            self._last = cut  # what is missing is missed because of these, most likely
            return
        for frame in cut.frames():
            number = _number(frame, b"34")
            is_reset = b"\x0135=4\x01" in frame
            if is_reset and b"\x01123=Y\x01" not in frame:
                self._due = max(self._due, _number(frame, b"36") or 0)
            elif number == self._due:
                self._due = max(self._due + 1, _number(frame, b"36") or 0) if is_reset else self._due + 1
            elif number is not None and number > self._due:
                size = len(frame) + OVERHEAD
                self.kept += size - self._sizes.get(number, 0)
                self._sizes[number] = size
            while self._due in self._sizes:
                self.kept -= self._sizes.pop(self._due)
                self._due += 1


def _number(frame: bytes, tag: bytes) -> int | None:
    digits = value(frame, tag)
    return int(digits) if digits is not None and digits.isdigit() and len(digits) < 19 else None
