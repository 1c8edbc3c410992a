"""The sandbox: the embedded venue. It matches nothing by itself and does what it is told, at once.

It can be told to hold cancels (they stay pending until released) and to refuse the cancel of an order;
without that, "too late", "already pending" and partial success could not be shown.
"""

from collections.abc import Iterable

from msgspec import Struct

from fixgw.core.errors import Refusal, Subject, not_found, not_supported
from fixgw.core.order import OrdStatus
from fixgw.core.requests import OrderAnswer
from fixgw.core.state import OmsState
from fixgw.journal.contract import SandboxState


class HoldCancels(Struct, frozen=True, tag=True, array_like=True):
    """From now on leave every cancel unanswered."""


class ReleaseCancels(Struct, frozen=True, tag=True, array_like=True):
    """Answer every cancel that is pending, and from now on each one at once."""


class RefuseCancel(Struct, frozen=True, tag=True, array_like=True):
    """Refuse the next cancel of this order with `reason`, once."""

    order_id: int
    reason: str


class LoseVenue(Struct, frozen=True, tag=True, array_like=True):
    """From now on be out of reach: nothing can be entered or canceled."""


class FindVenue(Struct, frozen=True, tag=True, array_like=True):
    """Be within reach again."""


SandboxCommand = HoldCancels | ReleaseCancels | RefuseCancel | LoseVenue | FindVenue


class Sandbox:
    """The venue's own state: whether it `is_away`, whether it holds cancels, and which it will refuse."""

    def __init__(self, state: SandboxState) -> None:
        self.is_away = state.is_away
        self._holds = state.holds
        self._refusing = dict(state.refusing)
        self.changed = False

    @property
    def state(self) -> SandboxState:
        """What has to survive a restart."""
        return SandboxState(self._holds, dict(self._refusing), self.is_away)

    def cancel(self, order_ids: Iterable[int]) -> list[OrderAnswer]:
        """Answer the cancels of these orders (any number of ids): one answer each, none while it holds."""
        return [] if self._holds else [self._answer(order_id) for order_id in order_ids]

    def _answer(self, order_id: int) -> OrderAnswer:
        if not self._refusing or order_id not in self._refusing:
            return OrderAnswer(order_id)
        self.changed = True
        return OrderAnswer(order_id, self._refusing.pop(order_id))

    def told(self, command: SandboxCommand, states: Iterable[OmsState]) -> list[OrderAnswer]:
        """Do as `command` says; the answers (any number) that it brings out."""
        self.changed = True
        match command:
            case HoldCancels():
                self._holds = True
            case LoseVenue() | FindVenue():
                self.is_away = isinstance(command, LoseVenue)
            case RefuseCancel():
                self._refusing[command.order_id] = command.reason
            case ReleaseCancels():
                self._holds = False
                return self.cancel(pending_cancels(states))
        return []


def pending_cancels(states: Iterable[OmsState]) -> list[int]:
    """The ids of the orders whose cancel is pending, oldest first."""
    return [
        order_id
        for state in states
        for order_id in state.book.open_ids()
        if state.book[order_id].status is OrdStatus.PENDING_CANCEL
    ]


def elsewhere(order_id: int, state: OmsState | None) -> Refusal | None:
    """Why the sandbox can do nothing to an order, whose OMS has this `state` (None: nobody knows it)."""
    if state is None:
        return not_found(f"order {order_id} is unknown", Subject.ORDER)
    if state.oms.is_embedded:
        return None
    where = f"order {order_id} lives on the venue {state.oms.venue!r}"
    return not_supported(f"{where}: the sandbox can do nothing to it")
