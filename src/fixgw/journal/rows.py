"""A turn as a row of the journal, and an order as a row of the state: JSON, for `fold` and for people."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fixgw.core.events import MassCancelAccepted, RequestRefused, single
from fixgw.core.order import Order
from fixgw.journal.contract import Batch, Counters, Entry, MassCancelRow, SessionNumbers, UsedId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_encode = msgspec.json.Encoder().encode
_order = msgspec.json.Decoder(Order).decode
_entries = msgspec.json.Decoder(list[Entry]).decode


@lru_cache(maxsize=16)  # all of a turn has the same time
def micros(at: datetime) -> int:
    """`at` (aware UTC) as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


class TurnNumbers(msgspec.Struct, omit_defaults=True):
    """The small things of a turn: numbers, positions, marks; the rows of the tables as `fold` reads them.

    `order_ids` are those of all orders that the turn is about: changed by it, or named in vain.
    """

    counters: Counters | None = None
    clean_stop: bool = False
    queued: list[tuple[str, int, int]] = []
    assigned: list[tuple[str, int, int, int, int, int, bool]] = []
    sessions: list[tuple[str, SessionNumbers]] = []
    mass_cancels: list[tuple[int, bool, MassCancelRow]] = []
    meta: list[tuple[str, str]] = []
    order_ids: list[int] = []


def turn_row(batch: Batch) -> tuple[int | str | None, ...]:
    """`batch` as a row of the journal's table turn, without its number."""
    numbers = TurnNumbers(
        batch.counters,
        batch.clean_stop,
        [(block.session, block.position, len(block.reports)) for block in batch.queued],
        [
            (
                block.session,
                block.epoch,
                block.first_seq_num,
                block.position,
                block.count,
                micros(block.at),
                block.again,
            )
            for block in batch.assigned
        ],
        [(session.name, session) for session in batch.sessions],
        [(row.mass_cancel_id, row.is_done, row) for row in batch.mass_cancels],
        [(f"day_start {oms_id}", start.isoformat()) for oms_id, start in batch.day_starts],
    )
    numbers.meta += [(f"controls {oms_id}", _json(controls)) for oms_id, controls in batch.controls]
    numbers.order_ids = _order_ids(batch)
    if batch.sandbox is not None:
        numbers.meta.append(("sandbox", _json(batch.sandbox)))
    return (
        0 if batch.at is None else micros(batch.at),
        _json(numbers),
        _json(batch.canceled) if batch.canceled else None,
        _json([_order_row(order) for order in batch.orders]) if batch.orders else None,
        _json([_used_row(used) for used in batch.used_ids]) if batch.used_ids else None,
        _json({block.session: block.reports for block in batch.queued}) if batch.queued else None,
        _json(batch.entries) if batch.entries else None,
    )


def _order_ids(batch: Batch) -> list[int]:
    """The ids of all orders that `batch` is about, for the audit trail of one of them."""
    found = [order.order_id for order in batch.orders]
    found += batch.canceled
    for entry in batch.entries:
        if entry.errorcode or entry.kind == "q":
            for event in entry.events[:4]:  # a mass cancel has its orders' ends after them
                if isinstance(event, RequestRefused) and event.order_id is not None:
                    found.append(event.order_id)
                elif isinstance(event, MassCancelAccepted):
                    found += event.already_pending
    return found


def entries_of(body: str) -> list[Entry]:
    """The entries (any number) in the column `entries`, with an event for each order of those about many.

    Raises msgspec.DecodeError.
    """
    return [replace(entry, events=list(single(entry.events))) for entry in _entries(body)]


def _json(value: object) -> str:
    return _encode(value).decode()


def _order_row(order: Order) -> tuple[object, ...]:
    return (
        order.order_id,
        order.oms_id,
        order.cl_ord_id,
        order.is_open,
        micros(order.entered_at),
        order,
    )


def _used_row(used: UsedId) -> tuple[object, ...]:
    use = used.use
    return (used.oms_id, used.cl_ord_id, use.user_id, use.content, micros(use.used_at), use)


def stored_order(body: str, canceled_at: int | None) -> Order:
    """An order as it stands: a cancel that was all that happened to it is stored beside its body."""
    order = _order(body)
    return order if canceled_at is None else order.to_canceled(EPOCH + canceled_at * MICROSECOND)
