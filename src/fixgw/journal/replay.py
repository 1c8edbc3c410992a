"""Replays the turns of a journal, one after the other, and says what in them does not add up.

What a turn stores is compared with what its events make of the turns before it. A journal that was compacted
begins in the middle: of an order or a session that is older, the first thing said is taken as it is.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from fixgw.core.controls import Controls
from fixgw.core.events import (
    CancelRefused,
    ControlAnswered,
    Event,
    MassCancelAccepted,
    MassCancelRefused,
    MassCancelRequested,
    OrderCanceled,
    OrderEntered,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from fixgw.core.order import IllegalTransitionError, Order, OrdStatus
from fixgw.core.reports import MassCancelReport
from fixgw.core.state import CONTROL_EVENTS, ORDER_EVENTS, OrderEvent, change, control
from fixgw.journal.contract import MassCancelRow
from fixgw.journal.numbering import Numbers
from fixgw.journal.reading import Turn


class Counted(Struct):
    """How much was replayed."""

    turns: int = 0
    requests: int = 0
    events: int = 0
    orders: int = 0
    mass_cancels: int = 0
    reports: int = 0


class Replay:
    """Takes turns in order. `complete` says that they begin with the first one there ever was."""

    def __init__(self, *, complete: bool) -> None:
        self.counted = Counted()
        self.orders = Orders(complete=complete)
        self._mass_cancels = MassCancels(complete=complete)
        self._controls = ControlsOf(complete=complete)
        self._numbers = Numbers(complete=complete)
        self._seq = 0 if complete else None

    def take(self, turn: Turn) -> Iterator[str]:
        """Replay `turn`; what is wrong with it, in a line each."""
        for problem in self._missing(turn.seq):
            yield problem
        for part in (self.orders, self._mass_cancels, self._controls, self._numbers):
            for problem in part.take(turn):
                yield f"turn {turn.seq}: {problem}"
        counted = self.counted
        counted.turns += 1
        counted.requests += len(turn.entries)
        counted.reports += sum(map(len, turn.reports.values()))
        for entry in turn.entries:
            counted.events += len(entry.events)
            for event in entry.events:
                counted.orders += isinstance(event, OrderEntered)
                counted.mass_cancels += isinstance(event, MassCancelAccepted)

    def end(self) -> Iterator[str]:
        """What is wrong with the turn taken last as the last one that there is."""
        if self.counted.turns and not self._numbers.last_has_counters:
            yield "the last turn has no counters: after a start ids would begin at 1 again"

    def pass_over(self, seq: int) -> Iterator[str]:
        """Go on without the turn `seq`, which cannot be read; what is missing before it."""
        yield from self._missing(seq)
        self._lost()

    def _missing(self, seq: int) -> Iterator[str]:
        last, self._seq = self._seq, seq
        if last is not None and seq != last + 1:
            gap = f"turn {last + 1} is" if seq == last + 2 else f"turns {last + 1} to {seq - 1} are"
            yield f"{gap} missing"
            self._lost()

    def _lost(self) -> None:
        """From here on it is as after a compaction: not every problem that follows is a new one."""
        self.orders = Orders(complete=False)
        self._mass_cancels = MassCancels(complete=False)
        self._controls = ControlsOf(complete=False)
        self._numbers = Numbers(complete=False)


class Orders:
    """The orders that the events make, beside those that are stored. `open` are the open ones, by id."""

    def __init__(self, *, complete: bool) -> None:
        self.complete = complete
        self.open: dict[int, Order] = {}
        self._unknown_to = 0 if complete else None  # ids up to this one may be older than the first turn
        self._ended: set[int] = set()  # of those, the ones whose end was seen

    def take(self, turn: Turn) -> Iterator[str]:
        """What is wrong with the orders of `turn`."""
        changed: dict[int, Order] = {}
        for entry in turn.entries:
            for event in entry.events:
                yield from self._apply(event, changed)
        stored = {row[0]: row for row in turn.orders}
        for order_id, (_, oms_id, cl_ord_id, is_open, _, order) in stored.items():
            columns = (order.order_id, order.oms_id, order.cl_ord_id, order.is_open)
            if (order_id, oms_id, cl_ord_id, is_open) != columns:
                yield f"order {order_id} is stored in columns that are not its own"
            if changed.get(order_id, order) != order:
                yield f"order {order_id} is stored as {order}, by its events it is {changed[order_id]}"
            yield from self._check_known(order_id, changed)
            self._keep(order)
        for order_id in turn.canceled:
            if order_id in stored:
                yield f"order {order_id} is stored as canceled, and once more otherwise"
            elif order_id in changed and changed[order_id].status is not OrdStatus.CANCELED:
                yield f"order {order_id} is stored as canceled, by its events it is {changed[order_id]}"
            yield from self._check_known(order_id, changed)
            self._end(order_id)
        for order_id in changed.keys() - stored.keys() - set(turn.canceled):
            yield f"order {order_id} was changed by an event, and is not stored"

    def _check_known(self, order_id: int, changed: dict[int, Order]) -> Iterator[str]:
        if order_id not in changed and not self._may_be_older(order_id):
            yield f"order {order_id} is stored, and no event of the turn is about it"

    def _apply(self, event: Event, changed: dict[int, Order]) -> Iterator[str]:
        match event:
            case OrderEntered(order=order):
                if self._unknown_to is None:
                    self._unknown_to = order.order_id - 1
                if order.order_id in self.open:
                    yield f"order {order.order_id} is entered a second time"
                changed[order.order_id] = self.open[order.order_id] = order
            case MassCancelAccepted():
                for order_id in event.order_ids:
                    yield from self._step(order_id, event, changed)
            case _ if isinstance(event, ORDER_EVENTS):
                yield from self._step(event.order_id, event, changed)

    def _step(
        self, order_id: int, event: OrderEvent | MassCancelAccepted, changed: dict[int, Order]
    ) -> Iterator[str]:
        order = self.open.get(order_id)
        if order is None:
            if not self._may_be_older(order_id):
                yield f"{type(event).__name__} of order {order_id}, which is not open"
            return
        try:
            if isinstance(event, MassCancelAccepted):
                after = order.to_pending_cancel(event.ref, event.at)
            else:
                after = change(order, event)
        except IllegalTransitionError as error:
            yield f"{type(event).__name__} cannot be: {error}"
            return
        changed[order_id] = self.open[order_id] = after

    def _may_be_older(self, order_id: int) -> bool:
        """Whether an order that is not known to be open may be one from before the first turn."""
        older = self._unknown_to is None or order_id <= self._unknown_to
        return not self.complete and older and order_id not in self._ended and order_id not in self.open

    def _keep(self, order: Order) -> None:
        if order.is_open:
            self.open[order.order_id] = order
        else:
            self._end(order.order_id)

    def _end(self, order_id: int) -> None:
        self.open.pop(order_id, None)
        if not self.complete and (self._unknown_to is None or order_id <= self._unknown_to):
            self._ended.add(order_id)


class ControlsOf:
    """The locks, timers and guards that the events make, beside those that are stored."""

    def __init__(self, *, complete: bool) -> None:
        self._found: dict[int, Controls] = defaultdict(Controls)
        self._is_known: dict[int, bool] = defaultdict(lambda: complete)

    def take(self, turn: Turn) -> Iterator[str]:
        """What is wrong with the controls of `turn`."""
        moved: set[int] = set()
        for entry in turn.entries:
            for event in entry.events:
                if isinstance(event, CONTROL_EVENTS):
                    before = self._found[entry.oms_id]
                    self._found[entry.oms_id] = after = control(before, event)
                    if before is not after:
                        moved.add(entry.oms_id)
        for key, value in turn.numbers.meta:
            kind, _, oms = key.partition(" ")
            if kind != "controls":
                continue
            stored, oms_id = _controls(value), int(oms)
            found = self._found[oms_id]
            if self._is_known[oms_id] and stored != found:
                yield f"the controls of OMS {oms_id} are stored as {stored}, by the events {found}"
            self._found[oms_id], self._is_known[oms_id] = stored, True
            moved.discard(oms_id)
        for oms_id in moved:
            if self._is_known[oms_id]:
                yield f"the controls of OMS {oms_id} were changed by an event, and are not stored"


_controls = msgspec.json.Decoder(Controls).decode


class _Progress(Struct):
    """Of a mass cancel; `is_answered` when it is known which orders it takes on, or that it takes on none."""

    total: int
    left: set[int]
    not_affected: set[int]
    canceled: int = 0
    is_answered: bool = False

    @property
    def is_done(self) -> bool:
        return self.is_answered and not self.left


class MassCancels:
    """How far each mass cancel is by the events, beside what is stored and what its client is told."""

    def __init__(self, *, complete: bool) -> None:
        self._complete = complete
        self._live: dict[int, _Progress] = {}
        self._of: dict[int, int] = {}  # order id to the mass cancel that is pending on it

    def take(self, turn: Turn) -> Iterator[str]:
        """What is wrong with the mass cancels of `turn`."""
        filled = {row[0] for row in turn.orders if row[5].status is OrdStatus.FILLED}
        moved: set[int] = set()
        begun: set[int] = set()
        for entry in turn.entries:
            for event in entry.events:
                number = self._apply(event, filled)
                if isinstance(event, MassCancelRequested):
                    begun.add(event.mass_cancel_id)
                if number is not None:
                    moved.add(number)
        for reports in turn.reports.values():
            for report in reports:
                if isinstance(report, MassCancelReport) and report.refusal is None:
                    yield from self._check_report(report)
        for number, is_done, row in turn.numbers.mass_cancels:
            moved.discard(number)
            yield from self._check_row(number, row, is_done=is_done)
        for number in moved:
            if number in begun and self._live[number].is_done:  # no start has to know of it
                del self._live[number]
                continue
            yield f"the count of mass cancel {number} has changed, and is not stored"

    def _apply(self, event: Event, filled: set[int]) -> int | None:
        """Count `event`; the mass cancel that it is about, if any."""
        if isinstance(event, MassCancelRequested):
            self._live[event.mass_cancel_id] = _Progress(0, set(), set())
            return event.mass_cancel_id
        if isinstance(event, MassCancelRefused):
            if (refused := self._live.get(event.mass_cancel_id)) is not None:
                refused.is_answered = True
            return event.mass_cancel_id
        if isinstance(event, ControlAnswered) and event.control_id in self._live:  # a dry run on a venue
            self._live[event.control_id].total = len(event.order_ids)
            self._live[event.control_id].is_answered = True
            return event.control_id
        if isinstance(event, MassCancelAccepted):
            number, ids = event.mass_cancel_id, event.order_ids
            total = len(ids) + len(event.already_pending)
            self._live[number] = _Progress(total, set(ids), set(event.already_pending), is_answered=True)
            self._of.update(dict.fromkeys(ids, number))
            return number
        is_end = isinstance(event, OrderCanceled | CancelRefused | OrderExpired | OrderRejected) or (
            isinstance(event, OrderFilled) and event.order_id in filled
        )
        if not is_end or not isinstance(event, ORDER_EVENTS) or event.order_id not in self._of:
            return None
        order_id = event.order_id
        number = self._of.pop(order_id)
        progress = self._live[number]
        progress.left.discard(order_id)
        if isinstance(event, OrderCanceled):
            progress.canceled += 1
        else:
            progress.not_affected.add(order_id)
        return number

    def _check_report(self, report: MassCancelReport) -> Iterator[str]:
        progress = self._live.get(report.mass_cancel_id)
        if progress is None:  # an answer that was told again, or a mass cancel from before the first turn
            return
        number, told = report.mass_cancel_id, report.total_affected
        if report.completed and told != progress.canceled:
            yield f"mass cancel {number}: {told} orders told as canceled, by the events {progress.canceled}"
        if not report.completed and told != progress.total:
            yield f"mass cancel {number}: {told} orders told as affected, by the events {progress.total}"

    def _check_row(self, number: int, row: MassCancelRow, *, is_done: bool) -> Iterator[str]:
        progress = self._live.get(number)
        if progress is None:
            if self._complete:
                yield f"mass cancel {number} is stored, and no event is about it"
            return
        stored = (row.left, row.canceled, {order_id for order_id, _ in row.not_affected})
        found = (len(progress.left), progress.canceled, progress.not_affected)
        if stored != found or is_done != row.is_done or row.mass_cancel_id != number:
            yield (
                f"mass cancel {number} is stored as {row.left} left, {row.canceled} canceled, "
                f"{len(row.not_affected)} not; by the events {found[0]}, {found[1]}, {len(found[2])}"
            )
        if is_done:
            del self._live[number]
