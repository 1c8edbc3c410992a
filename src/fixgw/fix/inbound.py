"""From FIX 4.4 messages to requests. Whatever is wrong with a field is said by name and tag.

QuickFIX has checked the message against spec/FIX44.xml before: required fields, types, listed values.
"""

import re
from collections.abc import Callable, Container, Sequence
from decimal import Decimal
from functools import lru_cache
from zlib import crc32

from fixgw.core.directory import InstrumentName, OmsName, Session
from fixgw.core.errors import Refusal, Subject, invalid, not_supported
from fixgw.core.order import QUANTITY_DIGITS, SIDES, OrdType, TimeInForce
from fixgw.core.requests import (
    CancelOrder,
    ClientRequest,
    Malformed,
    MassCancel,
    MassStatus,
    NewOrder,
    OrderStatus,
    RequestKind,
)
from fixgw.core.scope import Scope, ScopeType
from fixgw.fix.dictionary import SOH, Dictionary

Fields = dict[str, str]
Kept = Sequence[str]

NAME_MAX = 64  # characters of a Symbol(55) or SecurityID(48): no instrument has a longer one

_ECHOED = re.compile(r"[\x21-\x7e]{1,64}")  # an id that can be sent back as it came
_NUMBER = re.compile(
    r"(?=\.?[0-9])[0-9]{0,15}(\.[0-9]{0,12})?"
)  # 27 digits: sums and differences stay exact in 28
_ID = re.compile(r"[0-9]{1,18}")  # an AccountId, UserId, OMSId or OrderID: it fits 64 bits


def _tags(*tags: int) -> frozenset[str]:
    return frozenset(map(str, tags))


_SESSION_TAGS = _tags(
    *(8, 9, 35, 49, 56, 34, 52, 43, 97, 122, 50, 57, 142, 143, 115, 128, 116, 129, 144, 145, 347, 369),
    *(90, 91, 212, 213, 627, 10),
)
_MAY_DIFFER = _SESSION_TAGS | _tags(60, 58)  # between a message and its repetition with PossResend(97)=Y
_NAMING_TAGS = _tags(1, 453, 448, 447, 452, 55, 48, 22, 207, 460, 461, 167, 54)
_FREE_TAGS = _SESSION_TAGS | _tags(60, 58, 354, 355, 526)  # they change nothing that we do
_NEW_ORDER_TAGS = _FREE_TAGS | _NAMING_TAGS | _tags(11, 38, 40, 44, 99, 59, 21)
_SCOPE_TAGS = _FREE_TAGS | _NAMING_TAGS | _tags(11, 584, 530, 585, 311, 336)
_MASS_CANCEL_TAGS = _SCOPE_TAGS | _tags(20010, 20011, 20012)
_MILLISECONDS = re.compile(r"[0-9]{1,9}")
DEAD_MAN_MS = range(100, 86_400_001)
DEAD_MAN_RULE = "0 or a number of milliseconds from 100 to 86400000 (a day)"


class _FieldError(Exception):
    """A field that cannot be read; caught where the request is put together."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class _NoEchoError(_FieldError):
    """An id that cannot be echoed."""


class Inbound:
    """Reads the messages of all sessions; `dictionary` gives the names that answers use for fields."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._label = dictionary.label
        self._readers: dict[str, Callable[[Fields, Session, str, Kept], ClientRequest]] = {
            "D": self._new_order,
            "F": self._cancel_order,
            "q": self._mass_cancel,
            "H": self._order_status,
            "AF": self._mass_status,
        }

    def read(self, raw: str, session: Session) -> ClientRequest:
        """The request that `raw` (a message with SOH after each field) makes on `session`; never raises
        for what a peer can send: a request that cannot be read comes back as `Malformed`.
        """
        fields: Fields = {}
        kept = []  # what a repetition with PossResend(97)=Y has to repeat
        for part in raw.split(SOH)[:-1]:
            tag, _, value = part.partition("=")
            fields[tag] = value
            if tag not in _MAY_DIFFER:
                kept.append(part)
        msg_type = fields["35"]
        reader = self._readers.get(msg_type)
        if reader is None:
            refusal = not_supported("Unsupported Message Type")
            return self._malformed(fields, session, RequestKind.UNSUPPORTED, refusal, echo_id=False)
        try:
            return reader(fields, session, raw, kept)
        except _NoEchoError as bad:
            return self._malformed(fields, session, RequestKind(msg_type), bad.refusal, echo_id=False)
        except _FieldError as bad:
            return self._malformed(
                fields, session, RequestKind(msg_type), bad.refusal, echo_id=True, kept=kept
            )

    def _malformed(
        self,
        fields: Fields,
        session: Session,
        kind: RequestKind,
        refusal: Refusal,
        *,
        echo_id: bool,
        kept: Kept = (),
    ) -> Malformed:
        scope_type = fields.get("530") or fields.get("585")
        orig = fields.get("41")
        return Malformed(
            user_id=session.user_id,
            session=session.name,
            cl_ord_id=fields.get("11") if echo_id else None,
            content=_content(fields, kept) if kept else 0,
            ref_seq_num=int(fields["34"]),
            kind=kind,
            msg_type=fields["35"],
            refusal=refusal,
            echo_id=echo_id,
            instrument=InstrumentName(fields.get("55"), fields.get("48")),
            side=fields.get("54"),
            orig_cl_ord_id=orig if orig is not None and _ECHOED.fullmatch(orig) else None,
            scope=Scope(ScopeType(scope_type)) if scope_type is not None else None,
            req_id=(fields.get("584") or fields.get("790")) if echo_id else None,
        )

    def _new_order(self, fields: Fields, session: Session, raw: str, kept: Kept) -> NewOrder:
        cl_ord_id = self._id(fields, "11")
        owner_id, oms_id = self._parties(fields, raw)
        account_id = self._account(fields)
        instrument = self._instrument(fields)
        order_qty = self._quantity(fields, "38")
        if order_qty is None:
            raise _FieldError(invalid("OrderQty(38) is missing"))
        ord_type = _ORD_TYPES.get(fields["40"])
        price, stop_px = self._quantity(fields, "44"), self._quantity(fields, "99")
        if ord_type is not None:
            _check_price("Price(44)", price, ord_type, needed=ord_type.has_price)
            _check_price("StopPx(99)", stop_px, ord_type, needed=ord_type.has_trigger)
        time_in_force = _TIMES_IN_FORCE.get(fields.get("59", "0"))
        side = SIDES.get(fields["54"])
        return NewOrder(
            instrument,
            side,
            ord_type,
            time_in_force,
            order_qty,
            account_id,
            owner_id,
            price,
            stop_px,
            user_id=session.user_id,
            session=session.name,
            oms=_oms(fields, oms_id),
            cl_ord_id=cl_ord_id,
            content=_content(fields, kept),
            poss_resend=fields.get("97") == "Y",
            ref_seq_num=int(fields["34"]),
            unsupported=self._unsupported(fields),
            side_text=fields["54"],
        )

    def _unsupported(self, fields: Fields) -> Refusal | None:
        for tag, known in _LISTED:
            value = fields.get(tag)
            if value is not None and value not in known:
                return not_supported(f"{self._label(int(tag))}={_shown(value)} is not supported")
        return self._beyond(fields, _NEW_ORDER_TAGS)

    def _beyond(self, fields: Fields, known: frozenset[str]) -> Refusal | None:
        """106 for the first field that is not `known`: what cannot be honoured is not ignored."""
        if known.issuperset(fields):
            return None
        tag = next(tag for tag in fields if tag not in known)
        return not_supported(f"{self._label(int(tag))} is not supported")

    def _cancel_order(self, fields: Fields, session: Session, raw: str, kept: Kept) -> CancelOrder:
        cl_ord_id = self._id(fields, "11")
        orig = self._id(fields, "41")
        order_id = self._order_id(fields)
        owner_id, oms_id = self._parties(fields, raw)
        account_id = self._account(fields)
        if orig == "NONE" and order_id is None:
            raise _FieldError(invalid("OrigClOrdID(41) is NONE and OrderID(37) is missing", Subject.ORDER))
        instrument = self._instrument(fields)
        order_qty = self._quantity(fields, "38")
        if order_qty is None:
            raise _FieldError(invalid("OrderQty(38) is missing"))
        return CancelOrder(
            order_id,
            None if orig == "NONE" else orig,
            account_id,
            owner_id,
            instrument,
            fields["54"],
            order_qty,
            fields.get("37"),
            user_id=session.user_id,
            session=session.name,
            oms=_oms(fields, oms_id),
            cl_ord_id=cl_ord_id,
            content=_content(fields, kept),
            poss_resend=fields.get("97") == "Y",
            ref_seq_num=int(fields["34"]),
        )

    def _mass_cancel(self, fields: Fields, session: Session, raw: str, kept: Kept) -> MassCancel:
        cl_ord_id = self._id(fields, "11")
        owner_id, oms_id = self._parties(fields, raw)
        account_id = self._account(fields)
        dead_man_ms, locks, is_dry_run = self._controls(fields, session)
        return MassCancel(
            user_id=session.user_id,
            session=session.name,
            oms=_oms(fields, oms_id),
            cl_ord_id=cl_ord_id,
            content=_content(fields, kept),
            poss_resend=fields.get("97") == "Y",
            ref_seq_num=int(fields["34"]),
            scope=self._scope(fields, fields["530"]),
            account_id=account_id,
            owner_id=owner_id,
            side=fields.get("54"),
            unsupported=self._beyond(fields, _MASS_CANCEL_TAGS if session.extended else _SCOPE_TAGS),
            dead_man_ms=dead_man_ms,
            locks=locks,
            is_dry_run=is_dry_run,
        )

    def _controls(self, fields: Fields, session: Session) -> tuple[int | None, bool | None, bool]:
        """DeadManTimer(20010), LockOrders(20011) and DryRun(20012) of the extended dialect."""
        if not session.extended:
            return None, None, False
        timer, locks, is_dry_run = fields.get("20010"), fields.get("20011"), fields.get("20012") == "Y"
        if is_dry_run and (timer is not None or locks is not None):
            other = "20010" if timer is not None else "20011"
            raise _FieldError(invalid(f"DryRun(20012)=Y and {self._label(int(other))} exclude each other"))
        if locks == "N" and timer is not None:
            raise _FieldError(invalid("LockOrders(20011)=N and DeadManTimer(20010) exclude each other"))
        if timer is None:
            return None, None if locks is None else locks == "Y", is_dry_run
        is_number = _MILLISECONDS.fullmatch(timer) is not None
        if not is_number or (int(timer) and int(timer) not in DEAD_MAN_MS):
            raise _FieldError(invalid(f"DeadManTimer(20010)={_shown(timer)} is not {DEAD_MAN_RULE}"))
        if not int(timer) and locks is not None:
            raise _FieldError(invalid("DeadManTimer(20010)=0 and LockOrders(20011) exclude each other"))
        return int(timer), True if locks == "Y" else None, False

    def _order_status(self, fields: Fields, session: Session, raw: str, _: Kept) -> OrderStatus:
        cl_ord_id = self._id(fields, "11")
        req_id = self._id(fields, "790") if "790" in fields else None
        order_id = self._order_id(fields)
        owner_id, oms_id = self._parties(fields, raw)
        return OrderStatus(
            user_id=session.user_id,
            session=session.name,
            oms=_oms(fields, oms_id),
            cl_ord_id=cl_ord_id,
            ref_seq_num=int(fields["34"]),
            order_id=order_id,
            venue_order_id=fields.get("37"),
            orig_cl_ord_id=cl_ord_id,
            account_id=self._account(fields),
            owner_id=owner_id,
            instrument=self._instrument(fields, needed=False),
            side=fields["54"],
            req_id=req_id,
        )

    def _mass_status(self, fields: Fields, session: Session, raw: str, _: Kept) -> MassStatus:
        req_id = self._id(fields, "584")
        owner_id, oms_id = self._parties(fields, raw)
        account_id = self._account(fields)
        return MassStatus(
            user_id=session.user_id,
            session=session.name,
            oms=_oms(fields, oms_id),
            ref_seq_num=int(fields["34"]),
            scope=self._scope(fields, fields["585"]),
            req_id=req_id,
            account_id=account_id,
            owner_id=owner_id,
            side=fields.get("54"),
            unsupported=self._beyond(fields, _SCOPE_TAGS),
        )

    def _scope(self, fields: Fields, scope_type: str) -> Scope:
        names = _instrument_name(fields)
        scope = Scope(ScopeType(scope_type), names, fields.get("311"), fields.get("336"))
        if problem := scope.problem() or _security_id_problem(fields):
            raise _FieldError(problem)
        return scope

    def _id(self, fields: Fields, tag: str) -> str:
        value = fields[tag]
        if _ECHOED.fullmatch(value) is None:
            raise _NoEchoError(
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
                raise _FieldError(invalid("PartyRole(452) is missing", Subject.USER))
            if role not in ("11", "16"):
                raise _FieldError(
                    invalid(f"PartyRole(452)={_shown(role)} is neither 11 nor 16", Subject.USER)
                )
            if party.get("447") != "D":
                raise _FieldError(invalid("PartyIDSource(447) is not D", Subject.USER))
            if role in named:
                raise _FieldError(invalid(f"PartyRole(452)={role} is named twice", Subject.USER))
            subject = Subject.USER if role == "11" else Subject.OMS
            named[role] = _entity_id(party_id, f"PartyID(448) with PartyRole(452)={role}", subject)
        return named.get("11"), named.get("16")

    def _instrument(self, fields: Fields, *, needed: bool = True) -> InstrumentName:
        if problem := _security_id_problem(fields):
            raise _FieldError(problem)
        names = _instrument_name(fields)
        if needed and not names.is_given:
            raise _FieldError(invalid("Symbol(55) is missing", Subject.INSTRUMENT))
        return names

    def _quantity(self, fields: Fields, tag: str) -> Decimal | None:
        value = fields.get(tag)
        if value is None:
            return None
        number = _decimal(value)
        if number is None:
            raise _FieldError(
                invalid(
                    f"{self._label(int(tag))}={_shown(value)} is not a positive number of {QUANTITY_DIGITS}"
                )
            )
        return number


_ORD_TYPES = {ord_type.value: ord_type for ord_type in OrdType}
_TIMES_IN_FORCE = {time_in_force.value: time_in_force for time_in_force in TimeInForce}
_LISTED: tuple[tuple[str, Container[str]], ...] = (
    ("54", SIDES),
    ("40", _ORD_TYPES),
    ("59", _TIMES_IN_FORCE),
    ("21", "12"),
)
"""The fields of a New Order Single that QuickFIX takes with more values than we do, and those that we do."""


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


def _check_price(label: str, value: Decimal | None, ord_type: OrdType, *, needed: bool) -> None:
    if needed and value is None:
        raise _FieldError(invalid(f"{label} is missing, as OrdType(40)={ord_type.value} needs it"))
    if not needed and value is not None:
        raise _FieldError(invalid(f"{label} does not belong to OrdType(40)={ord_type.value}"))


def _entity_id(value: str, label: str, subject: Subject) -> int | None:
    """An id of an account, a user or an OMS; 0 is absent (API document, version 4)."""
    if _ID.fullmatch(value) is None:
        raise _FieldError(
            invalid(f"{label}={_shown(value)} is not a decimal number of at most 18 digits", subject)
        )
    return int(value) or None


def _oms(fields: Fields, oms_id: int | None) -> OmsName:
    name = fields.get("207")
    return _NO_OMS if oms_id is None and name is None else OmsName(oms_id, name)


_NO_OMS = OmsName()


def _content(fields: Fields, kept: Kept) -> int:
    """A checksum of everything that a repetition with PossResend(97)=Y has to repeat.

    32 bits are enough: only messages with the same ClOrdID(11) of the same user are ever compared.
    """
    end = SOH if "453" in fields else ""  # as it stands in journals
    return crc32(f"{SOH.join(kept)}{end}".encode("utf-8", "replace"))


def _shown(value: str) -> str:
    """`value` as it can stand in an answer: short, printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in value[:32])
