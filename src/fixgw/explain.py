"""What a configuration means, in a person's words: what `fixgw check-config` prints."""

from rich.console import Console
from rich.table import Table

from fixgw.config import Config, SessionTable, UserTable
from fixgw.core.directory import CancelScope, DefaultScope, Permission


def explain(config: Config, out: Console) -> None:
    """Print what `config` means: ports, OMSes, users with their rights, sessions with their scopes."""
    out.print(f"{config.path}: no errors", soft_wrap=True)
    out.print(
        f"FIX on {config.fix.host}:{config.fix.port}, data in {config.data}, "
        f"journal sync {config.journal.sync}",
        soft_wrap=True,
    )
    for oms in config.oms:
        reach = (
            "reaches a colleague's orders in a shared account"
            if oms.cancel_scope is CancelScope.ACCOUNT
            else "reaches his own orders only"
        )
        out.print(
            f"OMS {oms.id} ({oms.name}) on the venue {oms.venue}: a Trading user's cancel {reach}; "
            f"Day orders expire at {oms.day_end:%H:%M} UTC",
            soft_wrap=True,
        )
    _print(
        out,
        "Instruments",
        ["id", "symbol", "530=2", "530=3", "530=4", "530=5", "530=6"],
        [
            [
                str(i.id),
                i.symbol,
                i.underlying_symbol,
                i.product,
                i.cfi_code,
                i.security_type,
                i.trading_session_id,
            ]
            for i in config.instrument
        ],
    )
    users = {user.id: user for user in config.user}
    _print(
        out,
        "Users",
        ["user", "accounts", "default", "may cancel", "may look at"],
        [
            [
                str(user.id),
                _ids(user.accounts),
                str(user.default_account or "none"),
                _may_cancel(user),
                _may_look(user),
            ]
            for user in config.user
        ],
    )
    _print(
        out,
        "Sessions",
        ["CompID", "user", "OMS", "dialect", "q or AF without account and user means"],
        [
            [row.comp_id, str(row.user), str(row.oms), row.dialect, _default_scope(row, users[row.user])]
            for row in config.session
        ],
    )


def _print(out: Console, title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _ids(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids)) or "none"


def _may_cancel(user: UserTable) -> str:
    if Permission.OPERATOR in user.permissions:
        return "everything (Operator)"
    if Permission.TRADING in user.permissions:
        return "own orders, own accounts (Trading)"
    return "nothing"


def _may_look(user: UserTable) -> str:
    if Permission.OPERATOR in user.permissions:
        return "everything"
    return "own orders, own accounts" if user.permissions else "nothing"


def _default_scope(session: SessionTable, user: UserTable) -> str:
    if session.default_scope is DefaultScope.OWN:
        return "the user's own orders"
    if Permission.OPERATOR in user.permissions:
        return "the whole OMS"
    return "the whole OMS, so it is refused with code 20"
