"""From FIX 4.4 messages to requests. Whatever is wrong with a field is said by name and tag.

QuickFIX has checked the message against spec/FIX44.xml before: required fields, types, listed values.
"""

import re
from collections.abc import Callable, Container, Sequence
from decimal import Decimal
from zlib import crc32

from fixgw.core.directory import InstrumentName, Session
from fixgw.core.errors import Refusal, Subject, invalid, not_supported
from fixgw.core.order import SIDES, OrdType, TimeInForce
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
from fixgw.fix.fields import ECHOED, FieldError, FieldReader, Fields, NoEchoError, oms_of, shown

Kept = Sequence[str]


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


class Inbound(FieldReader):
    """Reads the messages of all sessions; `dictionary` gives the names that answers use for fields."""

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__(dictionary.label)
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
        except NoEchoError as bad:
            return self._malformed(fields, session, RequestKind(msg_type), bad.refusal, echo_id=False)
        except FieldError as bad:
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
            orig_cl_ord_id=orig if orig is not None and ECHOED.fullmatch(orig) else None,
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
            raise FieldError(invalid("OrderQty(38) is missing"))
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
            oms=oms_of(fields, oms_id),
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
                return not_supported(f"{self._label(int(tag))}={shown(value)} is not supported")
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
            raise FieldError(invalid("OrigClOrdID(41) is NONE and OrderID(37) is missing", Subject.ORDER))
        instrument = self._instrument(fields)
        order_qty = self._quantity(fields, "38")
        if order_qty is None:
            raise FieldError(invalid("OrderQty(38) is missing"))
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
            oms=oms_of(fields, oms_id),
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
            oms=oms_of(fields, oms_id),
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
            raise FieldError(invalid(f"DryRun(20012)=Y and {self._label(int(other))} exclude each other"))
        if locks == "N" and timer is not None:
            raise FieldError(invalid("LockOrders(20011)=N and DeadManTimer(20010) exclude each other"))
        if timer is None:
            return None, None if locks is None else locks == "Y", is_dry_run
        is_number = _MILLISECONDS.fullmatch(timer) is not None
        if not is_number or (int(timer) and int(timer) not in DEAD_MAN_MS):
            raise FieldError(invalid(f"DeadManTimer(20010)={shown(timer)} is not {DEAD_MAN_RULE}"))
        if not int(timer) and locks is not None:
            raise FieldError(invalid("DeadManTimer(20010)=0 and LockOrders(20011) exclude each other"))
        return int(timer), True if locks == "Y" else None, False

    def _order_status(self, fields: Fields, session: Session, raw: str, _: Kept) -> OrderStatus:
        cl_ord_id = self._id(fields, "11")
        req_id = self._id(fields, "790") if "790" in fields else None
        order_id = self._order_id(fields)
        owner_id, oms_id = self._parties(fields, raw)
        return OrderStatus(
            user_id=session.user_id,
            session=session.name,
            oms=oms_of(fields, oms_id),
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
            oms=oms_of(fields, oms_id),
            ref_seq_num=int(fields["34"]),
            scope=self._scope(fields, fields["585"]),
            req_id=req_id,
            account_id=account_id,
            owner_id=owner_id,
            side=fields.get("54"),
            unsupported=self._beyond(fields, _SCOPE_TAGS),
        )


_ORD_TYPES = {ord_type.value: ord_type for ord_type in OrdType}
_TIMES_IN_FORCE = {time_in_force.value: time_in_force for time_in_force in TimeInForce}
_LISTED: tuple[tuple[str, Container[str]], ...] = (
    ("54", SIDES),
    ("40", _ORD_TYPES),
    ("59", _TIMES_IN_FORCE),
    ("21", "12"),
)
"""The fields of a New Order Single that QuickFIX takes with more values than we do, and those that we do."""


def _check_price(label: str, value: Decimal | None, ord_type: OrdType, *, needed: bool) -> None:
    if needed and value is None:
        raise FieldError(invalid(f"{label} is missing, as OrdType(40)={ord_type.value} needs it"))
    if not needed and value is not None:
        raise FieldError(invalid(f"{label} does not belong to OrdType(40)={ord_type.value}"))


def _content(fields: Fields, kept: Kept) -> int:
    """A checksum of everything that a repetition with PossResend(97)=Y has to repeat.

    32 bits are enough: only messages with the same ClOrdID(11) of the same user are ever compared.
    """
    end = SOH if "453" in fields else ""  # as it stands in journals
    return crc32(f"{SOH.join(kept)}{end}".encode("utf-8", "replace"))
