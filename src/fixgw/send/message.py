"""A message as a person types it, and what is put in that he left out. Pure: the time is given."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import NamedTuple

from fixgw.fix.decode import split

Pairs = tuple[tuple[int, str], ...]

SESSION_TAGS = frozenset({8, 9, 10, 34, 49, 52, 56})  # always the session's own, never what was typed
OF_AN_ORDER = (55, 54, 38)  # what FIX wants in an F besides the order's id
_SESSION_TYPES = frozenset({"A", "0", "2", "4", "5"})
_NEW = re.compile(r"\{new ([A-Za-z][\w-]*)\}|\{([A-Za-z][\w-]*)\}")
# MassCancelRequestType(530) and MassStatusReqType(585) by the field that the scope needs: FIX 4.4 volume 4.
_SCOPES = {55: "1", 48: "1", 311: "2", 460: "3", 461: "4", 167: "5", 336: "6"}


class MessageError(Exception):
    """A message that is not sent; the text says why and what to do."""


class Ids:
    """Ids for requests that have none, and those that a script gave names: `{new x}` makes one, `{x}` is it.

    They begin with the time at which this was made, so that another call makes others.
    """

    def __init__(self, at: datetime) -> None:
        self._prefix = f"s{at:%y%m%d%H%M%S}{at.microsecond // 1000:03}-"
        self._numbers = count(1)
        self._named: dict[str, str] = {}

    def fresh(self) -> str:
        """One that was not used before."""
        return f"{self._prefix}{next(self._numbers)}"

    def put_in(self, text: str) -> str:
        """The text with its names replaced. Raises MessageError for a name that was not made before."""

        def found(match: re.Match[str]) -> str:
            made, used = match[1], match[2]
            if made:
                self._named[made] = self.fresh()
            elif used not in self._named:
                raise MessageError(f"{{{used}}} is no name yet: `{{new {used}}}` makes an id and calls it so")
            return self._named[made or used]

        return _NEW.sub(found, text)


def read(text: str) -> tuple[str, Pairs]:
    """MsgType(35), and the other fields as they stand there but for those that the session writes itself.

    Fields are separated by `|`, SOH or `^A`. Raises MessageError.
    """
    pairs = split(text.strip())
    for tag, part in pairs:
        if not tag:
            raise MessageError(f"{part!r} is no field: a field is TAG=VALUE, and | stands between two")
    msg_type = next((value for tag, value in pairs if tag == 35), "")
    if not msg_type:
        raise MessageError("MsgType(35) is missing: begin with it, as in 35=q|530=7")
    if msg_type in _SESSION_TYPES:
        raise MessageError(f"MsgType(35)={msg_type} is the session's own: it is sent when it is due")
    return msg_type, tuple((tag, value) for tag, value in pairs if tag not in SESSION_TAGS | {35})


class Gap(NamedTuple):
    """Fields that an F or H lacks and that are known from its order: the order's id, and the tags."""

    order: str
    tags: tuple[int, ...]


def gap(msg_type: str, pairs: Pairs) -> Gap | None:
    """What is missing in an F or H and could be taken from the order that it names; None if nothing is."""
    given = dict(pairs)
    named = given.get(37, given.get(41 if msg_type == "F" else 11, "NONE"))
    wanted = {"F": OF_AN_ORDER, "H": OF_AN_ORDER[:2]}.get(msg_type, ())
    missing = tuple(tag for tag in wanted if tag not in given and not (tag == 55 and 48 in given))
    return Gap(named, missing) if missing and named != "NONE" else None


def filled(msg_type: str, pairs: Pairs, ids: Ids, now: str, orders: Mapping[str, Mapping[int, str]]) -> Pairs:
    """The fields with those that were left out. Raises MessageError where a guess could do harm.

    `now` is the time as FIX writes it; `orders` are those that are known, by ClOrdID(11) and by OrderID(37),
    each with its Symbol(55), Side(54) and OrderQty(38).
    """
    given = dict(pairs)
    extra: dict[int, str] = {}
    if msg_type in ("D", "F", "G", "q") and 11 not in given:
        extra[11] = ids.fresh()
    if msg_type in ("F", "H") and 37 in given:
        extra[41 if msg_type == "F" else 11] = "NONE"
    match msg_type:
        case "D":
            extra[40] = _ord_type(given)
        case "q":
            extra[530] = _scope(given, 530)
        case "AF":
            extra |= {584: given.get(584) or ids.fresh(), 585: _scope(given, 585)}
        case "1":
            extra[112] = ids.fresh()
        case _:
            extra |= _of_the_order(gap(msg_type, pairs), orders)
    if msg_type in ("D", "F", "G", "q"):
        extra[60] = now
    return (*((tag, value) for tag, value in extra.items() if tag not in given), *pairs)


def script(lines: Iterable[str]) -> list[str]:
    """The messages of a file: one on a line; empty lines and those that begin with `#` are passed over."""
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _ord_type(given: Mapping[int, str]) -> str:
    if 40 in given:
        return given[40]
    if 44 in given:
        return "4" if 99 in given else "2"
    if 99 in given:
        return "3"
    raise MessageError("OrdType(40) is missing: say a Price(44), or 40=1 for a market order")


def _scope(given: Mapping[int, str], tag: int) -> str:
    """The scope whose field is there. None is made up: "all" must be said."""
    found = {scope for field, scope in _SCOPES.items() if field in given}
    if tag in given:
        return given[tag]
    if len(found) == 1:
        return found.pop()
    if tag == 585 and not found:
        return "7"
    label = "MassCancelRequestType(530)" if tag == 530 else "MassStatusReqType(585)"
    why = (
        "say which scope is meant"
        if found
        else f"say Symbol(55) for one instrument, or {tag}=7 for all orders"
    )
    raise MessageError(f"{label} is missing: {why}")


def _of_the_order(gap: Gap | None, orders: Mapping[str, Mapping[int, str]]) -> dict[int, str]:
    if gap is None:
        return {}
    if gap.order not in orders:
        names = {55: "Symbol(55)", 54: "Side(54)", 38: "OrderQty(38)"}
        missing = " and ".join(names[tag] for tag in gap.tags)
        raise MessageError(f"no open order {gap.order} is known here: say its {missing}")
    return {tag: orders[gap.order][tag] for tag in gap.tags if tag in orders[gap.order]}
