"""What a configuration means, in a person's words: what `fixgw check-config` prints."""

from rich.console import Console
from rich.table import Table

from fixgw.config import Config
from fixgw.config_checks import ROOTS, is_loopback
from fixgw.config_tables import SessionTable, TlsTable, UserTable
from fixgw.core.directory import CancelScope, DefaultScope, Permission
from fixgw.core.disconnect import CancelOn, DisconnectScope


def explain(config: Config, out: Console) -> None:
    """Print what `config` means: ports with their limits, OMSes, users with their rights, sessions, API."""
    out.print(f"{config.path}: no errors", soft_wrap=True)
    out.print(
        f"FIX on {config.fix.host}:{config.fix.port}, data in {config.data}, "
        f"journal sync {config.journal.sync}",
        soft_wrap=True,
    )
    for line in _edge(config):
        out.print(line, soft_wrap=True)
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
    _print(
        out,
        "Logon",
        ["CompID", "from", "client certificate", "141=Y", "new orders", "when the client is gone"],
        [
            [
                row.comp_id,
                _from(row),
                _certificate(row, config.tls),
                _reset_policy(row),
                _orders(row),
                _on_disconnect(row),
            ]
            for row in config.session
        ],
    )
    for line in _api(config):
        out.print(line, soft_wrap=True)
    if config.api.enabled:
        _print(
            out,
            "Dialects",
            ["name", "OMS", "port", "paths"],
            [
                [
                    row.name,
                    _ids(row.oms),
                    str(row.port or config.api.port),
                    ", ".join(row.path + root for root in ROOTS[row.name]),
                ]
                for row in config.dialect
            ],
        )
        _print(
            out,
            "API users",
            ["username", "user", "may cancel", "may look at"],
            [
                [row.username, str(row.user), _may_cancel(users[row.user]), _may_look(users[row.user])]
                for row in config.api_user
            ],
        )


def _api(config: Config) -> list[str]:
    api = config.api
    if not api.enabled:
        return ["No API over HTTP and WebSocket"]
    host = f"[{api.host}]" if ":" in api.host else api.host
    base = f"{'https' if config.tls.certificate else 'http'}://{host}:{api.port}"
    return [
        f"API on {base} (documentation: {base}/docs)",
        _transport(config.tls, api.host),
        f"At most {api.connections_max} connections to one port, {api.connections_per_address_max} from one"
        f" address; a body has at most {api.body_bytes_max} bytes, a frame {api.frame_bytes_max}; a WebSocket"
        f" is cut off when {api.backlog_bytes_max} bytes wait for it",
        f"A user may ask for {api.requests_per_second} requests a second, {api.requests_burst} at once; "
        "cancels are not counted",
        f"A list has at most {api.orders_max} orders; a login is forgotten {api.token_seconds} s after its"
        " last use",
    ]


def _edge(config: Config) -> list[str]:
    edge, wire = config.edge, config.wire
    return [
        _transport(config.tls, config.fix.host),
        f"At most {edge.connections_max} connections, {edge.before_logon_max} of them before Logon "
        f"({edge.before_logon_per_address_max} from one address), which has to come within "
        f"{edge.logon_seconds} s",
        f"A message has at most {edge.message_bytes_max} bytes; a connection is read at up to "
        f"{edge.messages_per_second} messages and {edge.bytes_per_second} bytes a second, and cut off when "
        f"{edge.backlog_bytes_max} bytes wait for it",
        f"Every message is written down, without passwords, and kept for {wire.keep_days} days"
        if wire.log
        else "Messages are not written down",
    ]


def _transport(tls: TlsTable, host: str) -> str:
    if tls.certificate:
        if not tls.client_ca:
            return "TLS: clients are not asked for certificates"
        return f"TLS: client certificates of {tls.client_ca} are {tls.client_certificates}"
    if is_loopback(host):
        return "Plain TCP: only this machine can connect"
    return "Plain TCP: passwords and orders can be read on the way"


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


def _from(session: SessionTable) -> str:
    if all(network.prefixlen == 0 for network in session.allow_from) and len(session.allow_from) == 2:
        return "anywhere"
    return ", ".join(str(network).removesuffix("/32").removesuffix("/128") for network in session.allow_from)


def _certificate(session: SessionTable, tls: TlsTable) -> str:
    if not tls.client_ca:
        return "none"
    is_required = "required" in (session.client_certificate, tls.client_certificates)
    return f"{session.certificate_name or session.comp_id}, {'required' if is_required else 'optional'}"


def _reset_policy(session: SessionTable) -> str:
    policy = session.reset_seq_num_flag
    return policy if policy in ("allowed", "refused") else f"within {policy} UTC"


def _on_disconnect(session: SessionTable) -> str:
    choice = "; a Logon may say otherwise" if session.disconnect_override else ""
    if session.cancel_on_disconnect is CancelOn.OFF:
        return f"orders stay{choice}"
    whose = {
        DisconnectScope.SESSION: "the session's orders",
        DisconnectScope.USER: "the user's orders",
        DisconnectScope.ACCOUNT: "all orders in the user's accounts",
    }[session.disconnect_scope]
    ways = {
        CancelOn.DISCONNECT: "a disconnect",
        CancelOn.LOGOUT: "a Logout",
        CancelOn.BOTH: "a disconnect or Logout",
    }[session.cancel_on_disconnect]
    restart = ", also of our own restart" if session.disconnect_on_restart else ""
    return f"{whose} are canceled {session.disconnect_window_ms} ms after {ways}{restart}{choice}"


def _orders(session: SessionTable) -> str:
    if session.orders_per_second == 0:
        return "no limit"
    return f"{session.orders_per_second} a second, {session.orders_burst} at once"
