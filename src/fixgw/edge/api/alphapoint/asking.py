"""What a call asks the engine, and how its messages name what they mean."""

from collections.abc import Callable

from msgspec import Struct

from fixgw.core.directory import InstrumentName
from fixgw.core.errors import ErrorCode, Refusal, Subject, invalid, not_found
from fixgw.core.requests import ApiRequest
from fixgw.core.scope import Scope, ScopeType
from fixgw.edge.api.alphapoint import models
from fixgw.edge.api.alphapoint.values import ID_MAX
from fixgw.edge.api.alphapoint.views import Body, Event, standard
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity
from fixgw.engine.turn import Answered

EVERYTHING = Scope(ScopeType.ALL)


class Ask(Struct, frozen=True):
    """A request for the engine, and what to make of its answer.

    `refused` is the reply to a refusal; `event` is what, in that case, subscribers are told besides. Not of a
    Server Error: it decides nothing, and a reject event would say that the cancel itself was rejected.
    """

    request: ApiRequest
    answered: Callable[[Answered], object]
    refused: Callable[[Refusal], Body] = standard
    event: Callable[[Answered, Refusal], Event | None] | None = None

    def reply(self, answer: Answered) -> tuple[object, Event | None]:
        """The reply to the call, and the event besides."""
        refusal = answer.refusal
        if refusal is None:
            return self.answered(answer), None
        is_decided = refusal.code is not ErrorCode.SERVER_ERROR
        event = self.event(answer, refusal) if self.event is not None and is_decided else None
        return self.refused(refusal), event


class Caller(Struct, frozen=True):
    """Who asks, and what he asks with; `identity` is None only in a public call."""

    context: Context
    identity: Identity | None

    @property
    def user_id(self) -> int:
        """The user who asks."""
        assert self.identity is not None
        return self.identity.user_id


def oms_id_of(context: Context, oms_id: int | None) -> int | Refusal:
    """The OMS that is meant, by default the dialect's first; 104 for one that it does not reach."""
    if oms_id is None:
        return context.omses[0]
    if oms_id in context.omses:
        return oms_id
    return not_found(f"OMSId={oms_id} names no OMS of this user", Subject.OMS)


def scope_of(instrument_id: int | None) -> Scope:
    """The orders of one instrument, or of all."""
    if instrument_id is None:
        return EVERYTHING
    return Scope(ScopeType.INSTRUMENT, InstrumentName(security_id=str(instrument_id)))


def names_no_order(asked: models.CancelOrder | models.GetOrderStatus) -> Refusal | None:
    """Why this names no order: OMSId and ClientOrderId alone may fit several."""
    if asked.OrderId is not None:
        return None
    if asked.ClientOrderId is None:
        return invalid("OrderId is missing; name the order by it, or by AccountId and ClientOrderId")
    if asked.AccountId is None:
        return invalid("AccountId is missing, as ClientOrderId needs it; or name the order by OrderId")
    return None


def order_id_of(order_id: int | None) -> int | None:
    """An OrderId as the core has it: -1 for one that no order can have."""
    return -1 if order_id is not None and order_id > ID_MAX else order_id


def cl_ord_id_of(client_order_id: int | None) -> str | None:
    """A ClientOrderId as the core has it: as text."""
    return None if client_order_id is None else str(client_order_id)
