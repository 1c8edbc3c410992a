"""Fields of FIX messages: each is read, or said by name and tag to be wrong."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.errors import Refusal, Subject, invalid
from fixgw.core.order import QUANTITY_DIGITS
from fixgw.core.scope import Scope, ScopeType
from fixgw.fix.dictionary import SOH

Fields = dict[str, str]
"""The fields of a message by tag; of a tag that comes again, in a group, the last."""

NAME_MAX = 64  # characters of a Symbol(55) or SecurityID(48): no instrument has a longer one

ECHOED = re.compile(r"[\x21-\x7e]{1,64}")  # an id that can be sent back as it came
_NUMBER = re.compile(r"(?=\.?[0-9])[0-9]{0,15}(\.[0-9]{0,12})?")  # QUANTITY_DIGITS
_ID = re.compile(r"[0-9]{1,18}")  # an AccountId, UserId, OMSId or OrderID: it fits 64 bits


class FieldError(Exception):
    """A field that cannot be read; caught where the request is put together."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class NoEchoError(FieldError):
    """An id that cannot be echoed."""


class FieldReader:
    """Reads the fields that messages have in common; `label` gives the name of a tag.

    What cannot be read is raised as FieldError, or as NoEchoError, an id that cannot be echoed.
    """

    def __init__(self, label: Callable[[int], str]) -> None:
        self._label = label

    def _scope(self, fields: Fields, scope_type: str) -> Scope:
        names = _instrument_name(fields)
        scope = Scope(ScopeType(scope_type), names, fields.get("311"), fields.get("336"))
        if problem := scope.problem() or _security_id_problem(fields):
            raise FieldError(problem)
        return scope

    def _id(self, fields: Fields, tag: str) -> str:
        value = fields[tag]
        if ECHOED.fullmatch(value) is None:
            raise NoEchoError(
                invalid(f"{self._label(int(tag))} is not 1 to 64 printable ASCII characters without spaces")
            )
        return value

    def _order_id(self, fields: Fields) -> int | None:
        if "37" not in fields:
            return None
        value = self._id(fields, "37")
        return int(value) if _ID.fullmatch(value) else -1

    def _account(self, fields: Fields) -> int | None:
        value = fields.get("1")
        return None if value is None else _entity_id(value, "Account(1)", Subject.ACCOUNT)

    def _parties(self, fields: Fields, raw: str) -> tuple[int | None, int | None]:
        """The UserId and the OMSId that NoPartyIDs(453) names; None where it does not."""
        if "453" not in fields:
            return None, None
        named: dict[str, int | None] = {}
        group = raw[raw.index(f"{SOH}453=") :].split(f"{SOH}448=")[1:]
        for entry in group:
            party_id, *rest = entry.split(SOH)
            party = dict([part.split("=", 1) for part in rest[:2] if "=" in part])
            role = party.get("452")
            if role is None:
                raise FieldError(invalid("PartyRole(452) is missing", Subject.USER))
            if role not in ("11", "16"):
                raise FieldError(invalid(f"PartyRole(452)={shown(role)} is neither 11 nor 16", Subject.USER))
            if party.get("447") != "D":
                raise FieldError(invalid("PartyIDSource(447) is not D", Subject.USER))
            if role in named:
                raise FieldError(invalid(f"PartyRole(452)={role} is named twice", Subject.USER))
            subject = Subject.USER if role == "11" else Subject.OMS
            named[role] = _entity_id(party_id, f"PartyID(448) with PartyRole(452)={role}", subject)
        return named.get("11"), named.get("16")

    def _instrument(self, fields: Fields, *, needed: bool = True) -> InstrumentName:
        if problem := _security_id_problem(fields):
            raise FieldError(problem)
        names = _instrument_name(fields)
        if needed and not names.is_given:
            raise FieldError(invalid("Symbol(55) is missing", Subject.INSTRUMENT))
        return names

    def _quantity(self, fields: Fields, tag: str) -> Decimal | None:
        value = fields.get(tag)
        if value is None:
            return None
        number = _decimal(value)
        if number is None:
            raise FieldError(
                invalid(
                    f"{self._label(int(tag))}={shown(value)} is not a positive number of {QUANTITY_DIGITS}"
                )
            )
        return number


@lru_cache(maxsize=65_536)  # prices and quantities repeat; the bound is a few megabytes
def _decimal(value: str) -> Decimal | None:
    if _NUMBER.fullmatch(value) is None:
        return None
    number = Decimal(value)
    return number if number else None


def _instrument_name(fields: Fields) -> InstrumentName:
    get = fields.get
    symbol = get("55")
    return InstrumentName(
        None if symbol == "[N/A]" else symbol, get("48"), get("460"), get("461"), get("167")
    )


def _security_id_problem(fields: Fields) -> Refusal | None:
    """What is wrong between SecurityID(48) and its source, or with the length of a name."""
    security_id, source = fields.get("48"), fields.get("22")
    if security_id is not None and source != "8":
        problem = "SecurityIDSource(22) is missing or not 8, as SecurityID(48) needs it"
        return invalid(problem, Subject.INSTRUMENT)
    if source and security_id is None:
        return invalid("SecurityID(48) is missing, as SecurityIDSource(22) needs it", Subject.INSTRUMENT)
    if len(fields.get("55", "")) > NAME_MAX:
        return invalid(f"Symbol(55) is longer than {NAME_MAX} characters", Subject.INSTRUMENT)
    if security_id is not None and len(security_id) > NAME_MAX:
        return invalid(f"SecurityID(48) is longer than {NAME_MAX} characters", Subject.INSTRUMENT)
    return None


def _entity_id(value: str, label: str, subject: Subject) -> int | None:
    """An id of an account, a user or an OMS; 0 is absent (API document, version 4)."""
    if _ID.fullmatch(value) is None:
        raise FieldError(
            invalid(f"{label}={shown(value)} is not a decimal number of at most 18 digits", subject)
        )
    return int(value) or None


def oms_of(fields: Fields, oms_id: int | None) -> OmsName:
    name = fields.get("207")
    return _NO_OMS if oms_id is None and name is None else OmsName(oms_id, name)


_NO_OMS = OmsName()


def shown(value: str) -> str:
    """`value` as it can stand in an answer: short, printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in value[:32])
