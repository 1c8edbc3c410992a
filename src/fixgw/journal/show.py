"""How a line of the audit trail reads: for a person, or as JSON."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum

import msgspec
from msgspec import Struct

from fixgw.core.events import (
    CancelRefused,
    CancelRequested,
    ControlAnswered,
    DayEnded,
    Event,
    Locked,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderAccepted,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrdersCanceled,
    OrderTriggered,
    OutcomeUnknown,
    RequestRefused,
    SessionGuarded,
    SessionLeft,
    TimerArmed,
    TimerDisarmed,
    TimerRanOut,
    Unlocked,
)
from fixgw.core.order import Order
from fixgw.core.reports import (
    BusinessReject,
    CancelReject,
    Execution,
    MassCancelReport,
    OrderRefused,
    OrderState,
    Report,
)
from fixgw.core.requests import MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OrderEvent
from fixgw.journal.contract import Entry
from fixgw.journal.trail import Happened, Line

Control = (
    ControlAnswered
    | Locked
    | Unlocked
    | TimerArmed
    | TimerDisarmed
    | TimerRanOut
    | SessionGuarded
    | SessionLeft
)

LISTED_MAX = 10  # orders of a mass cancel that a line for a person names; the JSON has them all

_encode = msgspec.json.Encoder().encode


def as_text(line: Line) -> str:
    """`line` for a person: when, where it came from, who asked, what happened, by which rule.

    What a client wrote cannot move the cursor: what is not printable is shown as its code.
    """
    if isinstance(line, Happened):
        entry = line.entry
        text = f"{_time(entry.at)}  {_origin(entry)}  {_happened(entry, line.event)}"
    else:
        number = f"MsgSeqNum {line.msg_seq_num}" if line.msg_seq_num else "no MsgSeqNum yet"
        text = f"{_time(line.at)}  {line.session} is told, {number}:  {_told(line.report)}"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _time(at: datetime | None) -> str:
    return "no time" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _origin(entry: Entry) -> str:
    if entry.session is None:
        who = f", user {entry.user_id}" if entry.user_id else ""
        return f"{entry.door} {entry.kind}{who}"
    return f"{entry.session} {entry.kind} {entry.msg_seq_num}, user {entry.user_id}"


def _happened(entry: Entry, event: Event | None) -> str:
    if event is None:
        code = f", errorcode {entry.errorcode}" if entry.errorcode else ""
        asked = "" if entry.cl_ord_id is None else f" {entry.cl_ord_id}"
        return f"request{asked} answered{code} (rule {entry.rule})"
    by = f" (rule {entry.rule})" if isinstance(event, _DECIDED) and entry.user_id else ""
    return _what(event) + by


_DECIDED = (OrderEntered, CancelRequested, MassCancelRequested, RequestRefused)
"""The events that a rule decided; the others follow from them, or come from the venue or the clock."""


def _what(event: Event) -> str:
    match event:
        case OrderEntered(order=order):
            return f"order {order.order_id} entered: {_order(order)}"
        case RequestRefused(request=request, refusal=refusal):
            named = "" if request.cl_ord_id is None else f" {request.cl_ord_id}"
            about = "" if event.order_id is None else f" for order {event.order_id}"
            return f"request{named}{about} refused: {refusal.text}"
        case MassCancelRequested():
            asked = f"mass cancel {event.mass_cancel_id} requested{_with(event.request.cl_ord_id)}"
            return f"{asked}: {_scope(event.request, event.selector)}"
        case MassCancelAccepted():
            taken = f"mass cancel {event.mass_cancel_id}{_with(event.ref.cl_ord_id)} takes on"
            pending = f"; already pending: {_ids(event.already_pending)}" if event.already_pending else ""
            return f"{taken} {_ids(event.order_ids)}{pending}"
        case OrdersCanceled():
            return f"mass cancel {event.mass_cancel_id}: canceled are {_ids(event.order_ids)}"
        case MassCancelRefused():
            return f"mass cancel {event.mass_cancel_id} refused: {event.refusal.text}"
        case DayEnded():
            return f"the day of OMS {event.oms_id} ended at {_time(event.boundary)}"
        case _:
            return _of_order(event) if isinstance(event, OrderEvent) else _of_control(event)


def _of_order(event: OrderEvent) -> str:
    match event:
        case OrderCanceled():
            return f"order {event.order_id} canceled"
        case CancelRequested():
            return f"order {event.order_id}: cancel requested{_with(event.ref.cl_ord_id)}"
        case CancelRefused():
            return f"order {event.order_id}: its cancel was refused: {event.refusal.text}"
        case OrderTriggered():
            return f"order {event.order_id} triggered"
        case OrderFilled():
            return f"order {event.order_id} filled: {event.last_qty} at {event.last_px}"
        case OrderAccepted():
            return f"order {event.order_id} accepted by its venue as {event.venue_order_id}"
        case OrderRejected():
            return f"order {event.order_id} rejected by its venue: {event.refusal.text}"
        case OutcomeUnknown():
            return f"order {event.order_id}: its outcome is not known yet: {event.text}"
        case OrderExpired():
            return f"order {event.order_id} expired"


def _of_control(event: Control) -> str:
    match event:
        case ControlAnswered():
            found = f"; {_ids(event.order_ids)}" if event.request.is_dry_run else ""
            return f"request{_with(event.request.cl_ord_id)} answered: {event.text}{found}"
        case Locked(lock=lock):
            return f"lock {lock.lock_id} by {lock.by}: new orders of {_selected(lock.selector)} are refused"
        case Unlocked():
            return f"lock {event.lock_id} taken away by {event.by}"
        case TimerArmed(timer=timer):
            due, scope = _time(timer.due_at), _selected(timer.selector)
            return f"{timer.kind} timer {timer.timer_id} of {timer.session} runs out at {due}: {scope}"
        case TimerDisarmed():
            return f"timer {event.timer_id} called off"
        case TimerRanOut():
            return f"timer {event.timer_id} ran out: mass cancel {event.mass_cancel_id}"
        case SessionGuarded(guard=guard):
            terms = guard.terms
            how = f"on {terms.cancel_on}, scope {terms.scope}, {terms.window_ms} ms"
            return f"{guard.session} is there; when it is gone its orders are canceled ({how})"
        case SessionLeft():
            return f"{event.session} is gone, or watched no more"


def _with(cl_ord_id: str | None) -> str:
    return "" if cl_ord_id is None else f" with ClOrdID {cl_ord_id}"


def _order(order: Order) -> str:
    price = f" at {order.price}" if order.price is not None else ""
    trigger = f", stop {order.stop_px}" if order.stop_px is not None else ""
    by = "" if order.entered_by is None else f" by user {order.entered_by}"
    told = "" if order.session is None else f", {order.session} is told"
    return (
        f"{order.side.name} {order.order_qty}{price} {order.ord_type.name}{trigger} "
        f"{order.time_in_force.name}, instrument {order.instrument_id}, account {order.account_id}, "
        f"for user {order.user_id}{by}{_with(order.cl_ord_id)}{told}"
    )


def _scope(request: MassCancel, selector: CancelSelector) -> str:
    return f"scope {request.scope.type.name}, {_selected(selector)}"


def _selected(selector: CancelSelector) -> str:
    parts = [f"OMS {selector.oms_id}"]
    if selector.account_id is not None:
        parts.append(f"account {selector.account_id}")
    if selector.user_id is not None:
        parts.append(f"user {selector.user_id}")
    if selector.instrument_ids is not None:
        parts.append(f"instruments {' '.join(map(str, sorted(selector.instrument_ids)))}")
    if selector.side is not None:
        parts.append(f"side {selector.side.name}")
    if selector.strategy is not None:
        parts.append(f"strategy {selector.strategy}")
    if selector.session is not None:
        parts.append(f"session {selector.session}")
    return ", ".join(parts)


def _ids(ids: tuple[int, ...]) -> str:
    more = f" and {len(ids) - LISTED_MAX} more" if len(ids) > LISTED_MAX else ""
    named = " ".join(map(str, ids[:LISTED_MAX]))
    return f"{len(ids)} {'order' if len(ids) == 1 else 'orders'}" + (f": {named}{more}" if ids else "")


def _told(report: Report) -> str:
    match report:
        case Execution():
            about = f"ExecutionReport {report.exec_type.name} of order {report.order.order_id}"
            return f"{about}{_with(report.cl_ord_id)}, {report.order.status.name}"
        case OrderRefused():
            return f"ExecutionReport REJECTED{_with(report.request.cl_ord_id)}: {report.refusal.text}"
        case OrderState(order=order):
            state = "no such order" if order is None else f"order {order.order_id} is {order.status.name}"
            return f"ExecutionReport ORDER_STATUS: {state}"
        case CancelReject(order=order):
            about = "" if order is None else f" for order {order.order_id}"
            return f"OrderCancelReject{about}{_with(report.cl_ord_id)}: {report.refusal.text}"
        case MassCancelReport():
            return f"OrderMassCancelReport{_with(report.request.cl_ord_id)}: {_affected(report)}"
        case BusinessReject():
            return f"BusinessMessageReject of message {report.ref_seq_num}: {report.refusal.text}"


def _affected(report: MassCancelReport) -> str:
    if report.refusal is not None:
        return report.refusal.text
    if report.completed:
        return f"done, {report.total_affected} canceled, {len(report.not_affected)} not"
    return f"{report.total_affected} affected"


def as_json(line: Line) -> str:
    """`line` as a JSON object; times are ISO 8601 in UTC, quantities and prices strings."""
    if not isinstance(line, Happened):
        return _encode({**_named_fields(line), "at": _time(line.at), "told": True}).decode()
    entry, event = line.entry, line.event
    known = {"turn": line.turn, **_named_fields(entry)}
    del known["events"]
    if event is not None:
        del known["request"]  # it is in the event, or would be in each event of a mass cancel
    known["event"] = None if event is None else named(event)
    return _encode(known).decode()


def _named_fields(struct: Struct) -> dict[str, object]:
    return {name: named(getattr(struct, name)) for name in struct.__struct_fields__}


def named(value: object) -> object:
    """`value` with the names of its fields, which the journal leaves out; `type` is a struct's name."""
    match value:
        case Struct():
            return {"type": type(value).__name__, **_named_fields(value)}
        case IntEnum():  # the error codes
            return value.value
        case Enum():
            return value.name
        case datetime():
            return _time(value)
        case Decimal():
            return str(value)
        case tuple() | list() | frozenset():
            return [named(one) for one in value]
        case _:
            return value
