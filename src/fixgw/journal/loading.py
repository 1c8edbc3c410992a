"""What a start reads of the state and the journal."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from fixgw.core.book import Use
from fixgw.core.controls import Controls
from fixgw.core.order import ZERO, Order
from fixgw.journal import outboxes
from fixgw.journal.contract import Counters, Loaded, MassCancelRow, SandboxState, SessionNumbers, UsedId
from fixgw.journal.rows import EPOCH, MICROSECOND, TurnNumbers, micros, stored_order

SHARED_MAX = 16_384  # values that loaded orders share: more would take more memory than they save
DECODED_AT_A_TIME = 1_000  # orders: more would only take more memory for their text

_CLOSED = "SELECT entered_at, body, canceled_at FROM orders WHERE NOT is_open ORDER BY order_id DESC"
_USED = "SELECT used_at, body, oms_id, cl_ord_id FROM used_id ORDER BY seq DESC"

_T = TypeVar("_T")
_orders = msgspec.json.Decoder(list[Order]).decode
_use = msgspec.json.Decoder(Use).decode
_numbers = msgspec.json.Decoder(SessionNumbers).decode
_sandbox = msgspec.json.Decoder(SandboxState).decode
_controls = msgspec.json.Decoder(Controls).decode
_mass_cancel = msgspec.json.Decoder(MassCancelRow).decode
_turn_numbers = msgspec.json.Decoder(TurnNumbers).decode


def load(db: sqlite3.Connection, log: sqlite3.Connection, since: datetime, closed_max: int) -> Loaded:
    """What a start needs: of closed orders and used ids those since `since`, `closed_max` at most.

    `db` is the state with the `VIEWS` of `fold`, `log` the journal, all of which is folded in. Raises
    sqlite3.Error, msgspec.MsgspecError and LookupError for what is damaged.
    """
    meta: dict[str, str] = dict(db.execute("SELECT key, value FROM meta").fetchall())
    sessions = {
        name: _numbers(body) for name, body in db.execute("SELECT name, body FROM session").fetchall()
    }
    closed, all_orders = _newest(
        db.execute(_CLOSED), since, closed_max, lambda row: stored_order(row[1], row[2])
    )
    used, all_used = _newest(
        db.execute(_USED), since, closed_max, lambda row: UsedId(row[2], row[3], _use(row[1]))
    )
    opened = list(_shared(_decoded(db.execute("SELECT body FROM orders WHERE is_open ORDER BY order_id"))))
    sandbox = meta.get("sandbox")
    last = log.execute("SELECT numbers, at FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
    numbers = None if last is None else _turn_numbers(last[0])
    last_at = None if last is None else EPOCH + last[1] * MICROSECOND
    return Loaded(
        orders=closed + opened,
        used_ids=used,
        mass_cancels=[_mass_cancel(body) for (body,) in db.execute("SELECT body FROM mass_cancel")],
        sessions=sessions,
        outbox={
            name: outboxes.reports(db, name, numbers.sent, numbers.queued)
            for name, numbers in sessions.items()
        },
        day_starts={
            int(key.split()[1]): datetime.fromisoformat(value)
            for key, value in meta.items()
            if key.startswith("day_start ")
        },
        counters=(numbers and numbers.counters) or Counters(),
        sandbox=SandboxState() if sandbox is None else _sandbox(sandbox),
        clean_stop=numbers is None or numbers.clean_stop,
        complete=all_orders and all_used,
        last_at=last_at,
        controls={
            int(key.split()[1]): _controls(value)
            for key, value in meta.items()
            if key.startswith("controls ")
        },
    )


def _newest(
    rows: Iterable[tuple[Any, ...]], since: datetime, most: int, decode: Callable[[tuple[Any, ...]], _T]
) -> tuple[list[_T], bool]:
    """Of `rows`, newest first, those since `since`, decoded, oldest first; and whether `most` was enough."""
    start = micros(since)
    found: list[_T] = []
    for row in rows:
        if row[0] < start:
            break
        if len(found) == most:
            return found[::-1], False
        found.append(decode(row))
    return found[::-1], True


def _decoded(bodies: sqlite3.Cursor) -> Iterator[Order]:
    """The orders with these bodies (any number); many at one time, which is a sixth faster."""
    while rows := bodies.fetchmany(DECODED_AT_A_TIME):
        yield from _orders(f"[{','.join([body for (body,) in rows])}]")


def _shared(orders: Iterable[Order]) -> Iterator[Order]:
    """Orders that share what many of them have in common: a million take a fifth less memory for it."""
    numbers: dict[str, Decimal] = {}  # by their text: 1.0 is not written as 1, and text is hashed fast
    sessions: dict[str | None, str | None] = {}
    entered_at: datetime | None = None

    def share(number: Decimal) -> Decimal:
        text = str(number)
        found = numbers.get(text)
        if found is None:
            found = number
            if len(numbers) < SHARED_MAX:
                numbers[text] = number
        return found

    for order in orders:
        price = order.price
        if order.entered_at != entered_at:  # those of one turn, which come together, have the same time
            entered_at = order.entered_at
        yield replace(
            order,
            session=sessions.setdefault(order.session, order.session),
            entered_at=entered_at,
            order_qty=share(order.order_qty),
            price=price and share(price),
            cum_qty=order.cum_qty or ZERO,
            gross_value=order.gross_value or ZERO,
        )
