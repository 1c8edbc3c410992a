"""`fixgw kill`: an operator's switch for everything, a user, an account or an instrument."""

from pathlib import Path

from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import NOBODY
from fixgw.core.requests import MassCancel
from fixgw.core.scope import Scope, ScopeType
from fixgw.engine.turn import CONSOLE, Answered, Ask, Status
from fixgw.link import ask, call

KILLED = "canceled by an operator's kill switch"


def kill(
    data: Path,
    oms_id: int,
    by: str,
    *,
    user_id: int | None = None,
    account_id: int | None = None,
    symbol: str | None = None,
    locks: bool = True,
) -> Answered:
    """Cancel the orders of an OMS that are all of these, and lock new ones of this scope.

    `by` is the name of the person who says so. Raises LinkError when no gateway answers.
    """
    whole = Scope(ScopeType.ALL)
    request = MassCancel(
        user_id=NOBODY,
        oms=OmsName(oms_id),
        scope=whole if symbol is None else Scope(ScopeType.INSTRUMENT, InstrumentName(symbol=symbol)),
        account_id=account_id,
        owner_id=user_id,
        locks=locks or None,
        reason=KILLED,
        by=f"the operator {by}",
    )
    return ask(data, Ask(1, CONSOLE, request))


def omses(data: Path) -> list[tuple[int, str]]:
    """The OMSes of the gateway, id and name (at least one). Raises LinkError."""
    return [(oms.oms_id, oms.name) for oms in call(data, Status()).status.omses]
