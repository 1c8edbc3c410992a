"""When the answer to a request is complete, and whether it was granted. Pure."""

from collections.abc import Callable, Mapping
from enum import IntEnum

Fields = Mapping[int, str]
"""A message by tag; of a tag that stands several times, all values with SOH between."""


class Verdict(IntEnum):
    """What became of a request; the value is the exit code."""

    ACCEPTED = 0
    REFUSED = 1
    NO_ANSWER = 2


class Outcome:
    """What has come of one request so far. Give it every message that comes after the request was sent.

    A D is done with its first ExecutionReport(8) that is not Pending New; an F with a final 8 or a 9; a q
    with r, and as many final 8s and 9s as TotalAffectedOrders(533) says, in whatever order they come; an H
    with one 8; an AF with LastRptRequested(912)=Y, or as many 8s as TotNumReports(911) says. Reject(3) and
    BusinessMessageReject(j) end any of them.
    """

    def __init__(self, msg_type: str, request: Fields, seq_num: int) -> None:
        self._request = request
        self._seq_num = str(seq_num)
        self._type = msg_type
        self._report: Fields | None = None  # the r
        self._ends: list[Fields] = []  # of orders, which may be those of a q
        self._count = 0
        self._read: Callable[[str, Fields], Verdict | None] = {
            "D": self._order,
            "F": self._cancel,
            "G": self._cancel,
            "q": self._mass_cancel,
            "H": self._status,
            "AF": self._statuses,
            "1": self._heartbeat,
        }.get(msg_type, lambda _type, _fields: None)

    def take(self, msg_type: str, fields: Fields) -> Verdict | None:
        """What `fields` makes of it: the verdict, None while there is more to come."""
        if msg_type in ("3", "j"):
            own_id = self._request.get({"AF": 584}.get(self._type, 11))
            is_ours = fields.get(45) == self._seq_num or (own_id is not None and fields.get(379) == own_id)
            return Verdict.REFUSED if is_ours else None
        return self._read(msg_type, fields)

    @property
    def has_refusals(self) -> bool:
        """Whether an order of a mass cancel that was accepted was not canceled."""
        return self._type == "q" and any(end[35] == "9" for end in self._own_ends())

    def _is_own(self, fields: Fields) -> bool:
        return fields.get(11) == self._request.get(11)

    def _order(self, msg_type: str, fields: Fields) -> Verdict | None:
        if msg_type != "8" or not self._is_own(fields) or fields.get(150) == "A":
            return None
        return Verdict.REFUSED if fields.get(39) == "8" or fields.get(150) == "8" else Verdict.ACCEPTED

    def _cancel(self, msg_type: str, fields: Fields) -> Verdict | None:
        if not self._is_own(fields):
            return None
        if msg_type == "9":
            return Verdict.REFUSED
        if msg_type != "8":
            return None
        if fields.get(150) == "8":
            return Verdict.REFUSED
        return Verdict.ACCEPTED if fields.get(150) in ("4", "5") else None

    def _mass_cancel(self, msg_type: str, fields: Fields) -> Verdict | None:
        if msg_type == "r" and self._is_own(fields) and self._report is None:
            if fields.get(531) == "0":
                return Verdict.REFUSED
            self._report = fields
        elif msg_type == "9" or (msg_type == "8" and fields.get(150) == "4"):
            self._ends.append({35: msg_type, **fields})
        if self._report is None:
            return None
        is_repeated = self._request.get(97) == "Y" and not self._ends  # the same r again, without 8s
        if not is_repeated and len(self._own_ends()) < _number(self._report.get(533)):
            return None
        return Verdict.REFUSED if self.has_refusals else Verdict.ACCEPTED

    def _own_ends(self) -> list[Fields]:
        """The ends that belong to the q: FIX leaves open which ClOrdID(11) they carry."""
        report = self._report or {}
        ids = set((report.get(535, "") + "\x01" + report.get(41, "")).split("\x01")) - {"", "NONE"}
        return [
            end for end in self._ends if self._is_own(end) or {end.get(37), end.get(41), end.get(11)} & ids
        ]

    def _status(self, msg_type: str, fields: Fields) -> Verdict | None:
        if msg_type != "8" or fields.get(150) != "I":
            return None
        asked = {tag: self._request[tag] for tag in (790, 37, 11) if tag in self._request}
        tag, value = next(iter(asked.items()), (0, ""))
        if fields.get(tag) != value and fields.get(11) != asked.get(11):
            return None
        return Verdict.REFUSED if fields.get(39) == "8" else Verdict.ACCEPTED

    def _statuses(self, msg_type: str, fields: Fields) -> Verdict | None:
        if msg_type != "8" or fields.get(584) != self._request.get(584):
            return None
        self._count += 1
        is_last = fields.get(912) == "Y" or self._count >= _number(fields.get(911), 10**9)
        return Verdict.ACCEPTED if is_last else None

    def _heartbeat(self, msg_type: str, fields: Fields) -> Verdict | None:
        is_echo = msg_type == "0" and fields.get(112) == self._request.get(112)
        return Verdict.ACCEPTED if is_echo else None


def _number(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else otherwise
