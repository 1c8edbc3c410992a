"""ResendRequests in pieces, so that no resend stops the other sessions for long.

QuickFIX serves a ResendRequest(2) as a whole before it does anything else: 200,000 messages take six
seconds. It also serves one that comes again with the same MsgSeqNum(34), and moves no number for it. So a
long range is asked for in pieces, each when the one before has come and the client has taken it. What is new
meanwhile waits for the end of the last one: the client gets everything in order, as from QuickFIX itself.
"""

from collections.abc import Callable

from fixgw.edge.frames import SOH, Cut, Framer, joined, value
from fixgw.fix.framing import message

PIECE = 1_000  # messages: 30 to 50 ms of the engine's time
PAUSE_SHARE = 1.0  # of the time that a piece took, in which the others come first
PAUSE_MAX_SECONDS = 0.2  # so long a piece may be said to have taken: the rest was the client's
PATIENCE_SECONDS = 10.0  # without the end of a piece: then it is not waited for any longer
HELD_MAX = 1 << 24  # bytes of new messages that wait for the end of a resend: more are not kept back
RANGES_MAX = 64  # ranges asked for and not yet served; more become one that holds them all


class Resends:
    """What one client asks for again, and what its engine's messages say about it.

    `now` is the time in seconds, from any point; `sending_time` is SendingTime(52) as of now.
    """

    def __init__(self, longest: int, sending_time: Callable[[], bytes], piece: int = PIECE) -> None:
        self._framer = Framer(longest)
        self._sending_time = sending_time
        self._piece = piece
        self._last = Cut(b"", [])  # the frames of the engine's that came last
        self._last_out = 0  # the highest MsgSeqNum of its new messages, as far as `_last` was looked at
        self._ranges: list[tuple[int, int]] = []
        self._header = b""
        self._awaited = 0  # the MsgSeqNum that ends the piece which is on its way; 0: none is
        self._awaited_since = 0.0
        self._is_split = False  # a resend is under way that takes several pieces
        self._held: list[bytes] = []  # new messages that wait for its end

    @property
    def is_waiting(self) -> bool:
        """Whether a further piece will have to be asked for."""
        return bool(self._ranges)

    def went_out(self, data: bytes, now: float) -> Cut:
        """Take what came from the engine; what the client gets of it now."""
        cut = self._framer.feed(data)
        if cut.ends:
            self._last = cut
            if self._awaited:
                self._look()
            if self._is_split:
                return self._in_order(cut, now)
        return cut

    def release(self) -> Cut:
        """The messages that were held; none is from now on."""
        held, self._held, self._is_split = self._held, [], False
        return joined(b"".join(held))

    def _in_order(self, cut: Cut, now: float) -> Cut:
        """What is sent again, and after its end what is new: one after the other, as without pieces."""
        again: list[bytes] = []
        for frame in cut.frames():
            (again if b"\x0143=Y\x01" in frame else self._held).append(frame)
        if (not self._ranges and not self._is_on_its_way(now)) or sum(map(len, self._held)) > HELD_MAX:
            again += self.release().frames()
        return joined(b"".join(again))

    def asked(self, frame: bytes, now: float) -> bytes:
        """What to pass on at once in place of `frame`, the client's ResendRequest."""
        fields = dict(part.partition(b"=")[::2] for part in frame.split(SOH))
        begin, end = _number(fields.get(b"7")), _number(fields.get(b"16"))
        self._look()
        if self._awaited and now - self._awaited_since > PATIENCE_SECONDS:
            self._awaited = 0
        if begin is None or end is None or b"34" not in fields:
            return frame  # the engine says what is wrong with it
        end = self._last_out if end == 0 or end > self._last_out else end
        if self._held:  # what is held will come by itself, and must not come again before
            end = min(end, (_number(value(self._held[0], b"34")) or 1) - 1)
            begin = min(begin, end)
        if begin < 1 or begin > end:
            return frame
        self._header = b"35=2\x0134=%s\x0149=%s\x0156=%s\x01" % (
            fields[b"34"],
            fields.get(b"49", b""),
            fields.get(b"56", b""),
        )
        if self._awaited or self._ranges:
            self._add(begin + 1, end)  # the request itself has to go on: its number counts
            return self._request(begin, begin)
        self._awaited, self._awaited_since = min(end, begin + self._piece - 1), now
        if end == self._awaited:
            return frame
        self._add(self._awaited + 1, end)
        return self._request(begin, self._awaited)

    def pause(self, now: float) -> float | None:
        """The seconds until the next piece may be asked for, when the last has come; None when there is none.

        The others come first for a while, in proportion to the time for which they had to wait.
        """
        if not self._ranges or self._is_on_its_way(now):
            return None
        return min(now - self._awaited_since, PAUSE_MAX_SECONDS) * PAUSE_SHARE

    def _is_on_its_way(self, now: float) -> bool:
        return bool(self._awaited) and now - self._awaited_since <= PATIENCE_SECONDS

    def next(self, now: float) -> bytes:
        """The next piece to ask for; empty while one is on its way, and when there is none."""
        if self._is_on_its_way(now):
            return b""
        self._awaited = 0
        if not self._ranges:
            return b""
        begin, end = self._ranges.pop(0)
        self._awaited, self._awaited_since = min(end, begin + self._piece - 1), now
        if self._awaited < end:
            self._ranges.insert(0, (self._awaited + 1, end))
        return self._request(begin, self._awaited)

    def _look(self) -> None:
        """See how far the engine's last messages are."""
        for frame in self._last.frames():
            number = _number(value(frame, b"34"))
            if number is None:
                continue
            if b"\x0143=Y\x01" not in frame:
                self._last_out = max(self._last_out, number)
                continue
            reached = number
            if b"\x0135=4\x01" in frame:
                reached = (_number(value(frame, b"36")) or 1) - 1
            if reached >= self._awaited:
                self._awaited = 0
        self._last = Cut(b"", [])

    def _add(self, begin: int, end: int) -> None:
        """Have `begin` to `end` served too, each number once."""
        if begin > end:
            return
        merged: list[tuple[int, int]] = []
        for low, high in sorted([*self._ranges, (begin, end)]):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(high, merged[-1][1])
            else:
                merged.append((low, high))
        self._is_split = True
        self._ranges = merged if len(merged) <= RANGES_MAX else [(merged[0][0], merged[-1][1])]

    def _request(self, begin: int, end: int) -> bytes:
        body = b"%s52=%s\x017=%d\x0116=%d\x01" % (self._header, self._sending_time(), begin, end)
        return message(b"FIX.4.4", body)


def _number(digits: bytes | None) -> int | None:
    return int(digits) if digits is not None and digits.isdigit() and len(digits) < 10 else None
