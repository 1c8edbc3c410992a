"""From what a mass request names to the one selector that it asks for."""

from msgspec import Struct

from fixgw.core.directory import DefaultScope, User
from fixgw.core.errors import ErrorCode, Refusal, Subject, invalid, not_found, not_supported
from fixgw.core.order import SIDES
from fixgw.core.requests import CancelOrder, MassCancel, MassStatus, NewOrder, OrderHistory, OrderStatus
from fixgw.core.scope import ScopeType
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState


class Asked(Struct, frozen=True):
    """What is asked, and the unknown name in it (104), to be told only after permission was checked."""

    selector: CancelSelector
    unknown: Refusal | None = None


def read_selector(
    state: OmsState, request: MassCancel | MassStatus | OrderHistory, user: User
) -> Asked | Refusal:
    """The selector that `request` asks for; only a refusal with 100 is returned in its place.

    Account and user absent means the session's default scope; a door without sessions has none.
    """
    oms = oms_problem(state, request, user)
    if oms is not None and oms.code is ErrorCode.INVALID_REQUEST:
        return oms
    named = request.scope.instrument_ids(state.directory, state.oms.oms_id)
    if isinstance(named, Refusal) and named.code is ErrorCode.INVALID_REQUEST:
        return named
    if request.scope.type is ScopeType.PARTY and request.owner_id is None:
        return invalid("scope 8 needs a user: PartyID(448) with PartyRole(452)=11 is missing", Subject.USER)
    owner_id = request.owner_id
    if request.account_id is None and owner_id is None and request.session is not None:
        session = state.directory.sessions[request.session]
        owner_id = user.user_id if session.default_scope is DefaultScope.OWN else None
    unknown = named if isinstance(named, Refusal) else None
    selector = CancelSelector(
        oms_id=state.oms.oms_id,
        account_id=request.account_id,
        user_id=owner_id,
        instrument_ids=frozenset() if isinstance(named, Refusal) else named,
        side=SIDES.get(request.side or ""),
        strategy=request.strategy if isinstance(request, MassCancel) else None,
    )
    return Asked(selector, oms or unknown)


def oms_problem(
    state: OmsState,
    request: NewOrder | CancelOrder | MassCancel | OrderStatus | MassStatus | OrderHistory,
    user: User,
) -> Refusal | None:
    """Why `request` cannot be for this OMS: 100 for names that disagree, 104 for one not within reach."""
    oms_id = state.directory.oms(request.oms, state.oms.oms_id)
    if isinstance(oms_id, Refusal):
        return oms_id
    if oms_id != state.oms.oms_id or oms_id not in user.oms_ids:
        name = request.oms
        field = f"SecurityExchange(207)={name.name}" if name.name else f"PartyID(448)={name.oms_id}"
        return not_found(f"{field} names no OMS of this user", Subject.OMS)
    return None


def unknown_names(
    state: OmsState, user: User, account_id: int | None, owner_id: int | None
) -> Refusal | None:
    """104 for an account or user that does not exist, told to operators only: others must not learn it."""
    if not user.is_operator:
        return None
    if account_id is not None:
        account = state.directory.accounts.get(account_id)
        if account is None or account.oms_id != state.oms.oms_id:
            return not_found(f"Account(1)={account_id} is unknown", Subject.ACCOUNT)
    if owner_id is not None and owner_id not in state.directory.users:
        return not_found(f"PartyID(448)={owner_id} with PartyRole(452)=11 is unknown", Subject.USER)
    return None


def unsupported(request: MassCancel | MassStatus | OrderHistory) -> Refusal | None:
    """106 for a filter that cannot be honoured: it is refused, never ignored."""
    if request.side is not None and request.side not in SIDES:
        return not_supported(f"Side(54)={request.side} is not supported as a filter")
    return request.unsupported
