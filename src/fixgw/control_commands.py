"""`fixgw kill` and `fixgw unlock`: an operator's switch for everything, or for a part of it."""

from pathlib import Path
from typing import Annotated

import typer

from fixgw.command_line import DEFAULT_DATA, Data, err, operator, out, plain, say
from fixgw.core.directory import InstrumentName, OmsName
from fixgw.core.order import NOBODY
from fixgw.core.requests import MassCancel
from fixgw.core.scope import Scope, ScopeType
from fixgw.engine.turn import CONSOLE, Answered, Ask, ReleaseLock, Status
from fixgw.exits import EXIT_REFUSED
from fixgw.link import LinkError, ask, call

KILLED = "canceled by an operator's kill switch"


def cancel_all(
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


def kill(
    everything: Annotated[bool, typer.Option("--all", help="All orders of all users.")] = False,
    user: Annotated[int | None, typer.Option(min=1, help="The orders of this user.")] = None,
    account: Annotated[int | None, typer.Option(min=1, help="The orders in this account.")] = None,
    instrument: Annotated[str | None, typer.Option(help="The orders for this Symbol(55).")] = None,
    oms: Annotated[str | None, typer.Option(help="The name of the OMS; default: every OMS.")] = None,
    lock: Annotated[bool, typer.Option(help="Lock new orders of the scope as well.")] = True,
    data: Data = DEFAULT_DATA,
) -> None:
    """Cancel at once, and lock new orders until 'fixgw unlock'. Several options narrow each other."""
    is_narrowed = (user, account, instrument) != (None, None, None)
    if everything == is_narrowed:
        raise typer.BadParameter("say what: --all, or one or more of --user, --account, --instrument")
    try:
        chosen = [row for row in call(data, Status()).status.omses if oms in (None, row.name)]
        if not chosen:
            raise typer.BadParameter(f"there is no OMS {oms}", param_hint="--oms")
        answers = [
            (
                row.name,
                cancel_all(
                    data,
                    row.oms_id,
                    operator(),
                    user_id=user,
                    account_id=account,
                    symbol=instrument,
                    locks=lock,
                ),
            )
            for row in chosen
        ]
        locks = call(data, Status()).status.locks
    except LinkError as error:
        err.print(plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    for name, answer in answers:
        _show(name, answer)
    if locks:
        out.print(f"locks in force: {', '.join(str(found.lock_id) for found in locks)}; see 'fixgw status'")
    if any(answer.refusal is not None for _, answer in answers):
        raise typer.Exit(EXIT_REFUSED)


def _show(name: str, answer: Answered) -> None:
    if answer.refusal is not None:
        err.print(plain(f"{name}: {answer.refusal.text}"))
        return
    canceled, pending, refused = len(answer.canceled), len(answer.pending), len(answer.refused)
    out.print(plain(f"{name}: {canceled} orders canceled, {pending} pending, {refused} not canceled"))
    for order_id, refusal in answer.refused:
        out.print(plain(f"  order {order_id}: {refusal.text}"))


def unlock(
    lock_id: Annotated[int, typer.Argument(metavar="LOCK_ID", min=1, help="As 'fixgw status' shows it.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Take a lock on new orders away."""
    say(data, ReleaseLock(lock_id, f"the operator {operator()}"))
