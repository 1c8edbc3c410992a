"""From reports to FIX 4.4 messages: stock tags for everyone, the extended ones for sessions that want them.

A body is written as tag=value fields with SOH after each; QuickFIX adds header and trailer. Rules: FIX 4.4
volume 4 and the error table of docs/error-codes.md.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from fixgw.core.directory import Directory, Session
from fixgw.core.errors import Refusal
from fixgw.core.order import ZERO, Order, OrdStatus
from fixgw.core.reports import (
    BusinessReject,
    CancelReject,
    ExecType,
    Execution,
    MassCancelReport,
    OrderRefused,
    OrderState,
    Report,
)
from fixgw.core.requests import MassCancel, MassStatus, NewOrder, OrderStatus
from fixgw.core.scope import Scope
from fixgw.fix.reasons import (
    business_reject_reason,
    cxl_rej_reason,
    mass_cancel_reject_reason,
    ord_rej_reason,
)

SOH = "\x01"
POSS_RESEND = "97=Y"  # a field of the header
TEXT_MAX = 256  # characters of Text(58): enough for every detail, too little to be a burden
AVG_PX_DIGITS = Decimal("1e-12")  # the precision of AvgPx(6), which can be a recurring decimal

_WHY = {ExecType.RESTATED: "378=99\x01", ExecType.REJECTED: "103=99\x01"}
"""ExecRestatementReason(378) and OrdRejReason(103) of a report about an order: other, as Text(58) says."""


def text(value: str) -> str:
    """`value` as it may stand in Text(58): printable ASCII, bounded; no SOH can get in."""
    if not (value.isascii() and value.isprintable()):
        value = "".join(char if " " <= char <= "~" else "?" for char in value)
    return value[:TEXT_MAX]


def with_header(body: str, *fields: str) -> str:
    """`body` with these fields of a header behind its MsgType(35)."""
    msg_type, _, rest = body.partition(SOH)
    return SOH.join((msg_type, *fields, rest))


_TWO, _THREE = [f"{number:02}" for number in range(100)], [f"{number:03}" for number in range(1000)]
"""Numbers in two and in three digits: to format six of them takes twice as long, strftime four times."""


@lru_cache(maxsize=64)
def timestamp(at: datetime) -> str:
    """`at` (aware UTC) as FIX's UTCTimestamp, in milliseconds."""
    date = f"{at.year:04}{_TWO[at.month]}{_TWO[at.day]}"
    return f"{date}-{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}.{_THREE[at.microsecond // 1000]}"


def _number(value: Decimal) -> str:
    if value is ZERO:
        return "0"
    digits = str(value)  # half the time of format, which only an exponent needs
    return format(value, "f") if "E" in digits else digits


def _avg_px(order: Order) -> str:
    return _number(order.avg_px.quantize(AVG_PX_DIGITS).normalize()) if order.cum_qty else "0"


def _status(order: Order | None) -> str:
    if order is None:
        return OrdStatus.REJECTED.value
    return "0" if order.status is OrdStatus.PENDING_TRIGGER else order.status


class Outbound:
    """Writes reports as messages."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._constant: dict[tuple[object, ...], str] = {}

    def render(self, report: Report, session: Session) -> tuple[str, bool]:
        """The message as fields from 35 on, SOH after each, and whether it holds repeating groups."""
        match report:
            case Execution():
                return self._execution(report), False
            case CancelReject():
                return self._cancel_reject(report, session)
            case OrderState():
                return self._order_state(report), False
            case OrderRefused():
                return self._order_refused(report, session)
            case MassCancelReport():
                return self._mass_cancel_report(report, session)
            case BusinessReject():
                return _business_reject(report), False

    def _of_order(self, order: Order) -> str:
        """The fields that an order keeps for life; those that many orders share are written once."""
        key = (
            order.account_id,
            order.instrument_id,
            order.side,
            order.ord_type,
            order.time_in_force,
        )
        constant = self._constant.get(key)
        if constant is None:
            instrument = self._directory.instruments.get(order.instrument_id)
            symbol = "[N/A]" if instrument is None else instrument.symbol  # it is configured no more
            constant = (
                f"1={order.account_id}\x0155={symbol}\x0148={order.instrument_id}\x0122=8\x01"
                f"54={order.side}\x0140={order.ord_type}\x0159={order.time_in_force}\x01"
            )
            self._constant[key] = constant
        price = "" if order.price is None else f"44={_number(order.price)}\x01"
        if order.stop_px is None:
            return f"{constant}38={_number(order.order_qty)}\x01{price}"
        working = "Y" if order.triggered else "N"
        stop = f"99={_number(order.stop_px)}\x01636={working}\x01"
        return f"{constant}38={_number(order.order_qty)}\x01{price}{stop}"

    def _state(self, order: Order) -> str:
        return (
            f"37={order.shown_id}\x0139={_status(order)}\x01151={_number(order.leaves_qty)}\x01"
            f"14={_number(order.cum_qty)}\x016={_avg_px(order)}\x01{self._of_order(order)}"
        )

    def _execution(self, report: Execution) -> str:
        ids = "" if report.cl_ord_id is None else f"11={report.cl_ord_id}\x01"
        if report.orig_cl_ord_id is not None:
            ids += f"41={report.orig_cl_ord_id}\x01"
        last = ""
        if report.last_qty is not None and report.last_px is not None:
            last = f"32={_number(report.last_qty)}\x0131={_number(report.last_px)}\x01"
        said = "" if report.text is None else f"58={text(report.text)}\x01"
        why = _WHY.get(report.exec_type, "")
        return (
            f"35=8\x01{ids}17={report.exec_id}\x01150={report.exec_type}\x01"
            f"{self._state(report.order)}{last}60={timestamp(report.at)}\x01{said}{why}"
        )

    def _order_state(self, report: OrderState) -> str:
        request, order = report.request, report.order
        ids = f"35=8\x0117=0\x01150=I\x0160={timestamp(report.at)}\x01"
        if isinstance(request, MassStatus):
            last = "Y" if report.last else "N"
            ids += f"584={request.req_id}\x01911={report.total}\x01912={last}\x01"
        elif isinstance(request, OrderStatus) and request.req_id is not None:
            ids += f"790={request.req_id}\x01"
        if order is not None:
            own = "" if order.cl_ord_id is None else f"11={order.cl_ord_id}\x01"
            return f"{ids}{own}{self._state(order)}"
        if isinstance(request, MassStatus):
            named, side = request.scope.instrument, request.side
            own = ""
        else:
            if not isinstance(request, OrderStatus):
                raise AssertionError(report)
            named, side = request.instrument, request.side
            own = "" if request.cl_ord_id is None else f"11={request.cl_ord_id}\x01"
        return (
            f"{ids}{own}37=NONE\x0139=8\x01103=5\x0155={_echo(named.symbol) or '[N/A]'}\x01"
            f"54={side or '7'}\x01151=0\x0114=0\x016=0\x01"
        )

    def _order_refused(self, report: OrderRefused, session: Session) -> tuple[str, bool]:
        request, existing = report.request, report.existing
        exec_id, exec_type = ("0", "I") if report.as_status else (str(report.exec_id), "8")
        named = request.instrument
        side = request.side_text if isinstance(request, NewOrder) else request.side
        fields = [
            f"35=8\x0117={exec_id}\x01150={exec_type}\x0111={request.cl_ord_id}",
            f"103={ord_rej_reason(report.refusal)}\x0160={timestamp(report.at)}",
            f"58={text(report.refusal.text)}",
        ]
        groups = False
        if (
            existing is not None
        ):  # FIX 4.4, volume 4, appendix D: a reject combined with a status of the first
            fields.append(self._state(existing).removesuffix(SOH))
        else:
            fields.append(f"37=NONE\x0139=8\x01151=0\x0114=0\x016=0\x0154={side or '7'}")
            fields.append(f"55={_echo(named.symbol) or '[N/A]'}")
            if named.symbol is None and _echo(named.security_id):
                fields.append(f"48={named.security_id}\x0122=8")
            if isinstance(request, NewOrder):
                fields.append(f"38={_number(request.order_qty)}")
                if request.account_id is not None and not session.extended:
                    fields.append(f"1={request.account_id}")
        if session.extended:
            account_id, owner_id = None, None
            if isinstance(request, NewOrder):
                account_id = request.account_id if existing is None else None  # else it stands there already
                owner_id = request.owner_id
            groups = self._add_extended(fields, account_id, owner_id, report.refusal)
        return SOH.join(fields) + SOH, groups

    def _cancel_reject(self, report: CancelReject, session: Session) -> tuple[str, bool]:
        order, refusal = report.order, report.refusal
        fields = [
            f"35=9\x0137={order.shown_id if order else 'NONE'}\x0111={report.cl_ord_id}",
            f"41={report.orig_cl_ord_id or 'NONE'}\x0139={_status(order)}\x01434=1",
            f"102={cxl_rej_reason(refusal)}\x0160={timestamp(report.at)}\x0158={text(refusal.text)}",
        ]
        if order is not None and not session.extended:
            fields.append(f"1={order.account_id}")
        groups = False
        if session.extended:
            account_id, owner_id = (order.account_id, order.user_id) if order else (None, None)
            groups = self._add_extended(fields, account_id, owner_id, refusal)
        return SOH.join(fields) + SOH, groups

    def _mass_cancel_report(self, report: MassCancelReport, session: Session) -> tuple[str, bool]:
        request = report.request
        scope, side = request.scope, request.side
        scope_type = scope.type.value if scope is not None else "7"
        fields = [
            f"35=r\x0111={request.cl_ord_id}\x0137={report.mass_cancel_id or 'NONE'}",
            f"530={scope_type}\x01531={0 if report.refusal else scope_type}\x0160={timestamp(report.at)}",
        ]
        if report.refusal is not None:
            reason = mass_cancel_reject_reason(report.refusal)
            fields.append(f"532={reason}\x0158={text(report.refusal.text)}")
        else:
            fields.append(f"533={report.total_affected}")
            if report.text:
                fields.append(f"58={text(report.text)}")
        if scope is not None:
            fields.extend(self._scope(scope))
        if side is not None:
            fields.append(f"54={side}")
        groups = _add_group(fields, report.affected, 534, 41, 535)
        if session.extended:
            if report.completed:
                fields.append("20003=Y")
                groups |= _add_group(fields, report.not_affected, 1370, 1372, 1371)
            account_id, owner_id = None, None
            if isinstance(request, MassCancel):
                account_id, owner_id = request.account_id, request.owner_id
                fields.extend(_controls(request))
            groups |= self._add_extended(fields, account_id, owner_id, report.refusal)
        return SOH.join(fields) + SOH, groups

    def _scope(self, scope: Scope) -> list[str]:
        named = scope.instrument
        values = (
            (55, named.symbol),
            (48, named.security_id),
            (460, named.product),
            (461, named.cfi_code),
            (167, named.security_type),
            (311, scope.underlying_symbol),
            (336, scope.trading_session_id),
        )
        fields = [f"{tag}={value}" for tag, value in values if _echo(value)]
        if _echo(named.security_id):
            fields.append("22=8")
        return fields

    def _add_extended(
        self, fields: list[str], account_id: int | None, owner_id: int | None, refusal: Refusal | None
    ) -> bool:
        if account_id is not None:
            fields.append(f"1={account_id}")
        if refusal is not None:
            fields.append(f"20002={refusal.code.value}")
        if owner_id is None:
            return False
        fields.append(f"453=1\x01448={owner_id}\x01447=D\x01452=11")
        return True


def _controls(request: MassCancel) -> Iterator[str]:
    """What a mass cancel request asked for besides: DeadManTimer, LockOrders, DryRun."""
    if request.dead_man_ms is not None:
        yield f"20010={request.dead_man_ms}"
    if request.locks is not None:
        yield f"20011={'Y' if request.locks else 'N'}"
    if request.is_dry_run:
        yield "20012=Y"


def _add_group(
    fields: list[str],
    orders: tuple[tuple[int | str, str | None], ...],
    count_tag: int,
    id_tag: int,
    order_tag: int,
) -> bool:
    if orders:
        fields.append(f"{count_tag}={len(orders)}")
        fields.extend(f"{id_tag}={name or 'NONE'}\x01{order_tag}={number}" for number, name in orders)
    return bool(orders)


def _business_reject(report: BusinessReject) -> str:
    said = "Unsupported Message Type" if report.unsupported_type else report.refusal.text
    ref = "" if report.ref_id is None or report.unsupported_type else f"379={report.ref_id}\x01"
    return (
        f"35=j\x0145={report.ref_seq_num}\x01372={report.ref_msg_type}\x01{ref}"
        f"380={business_reject_reason(report)}\x0158={text(said)}\x01"
    )


def _echo(value: str | None) -> str | None:
    """`value` when it can be sent back as it came: printable ASCII of a bearable length."""
    if value is None or len(value) > 64 or not (value.isascii() and value.isprintable()):
        return None
    return value
