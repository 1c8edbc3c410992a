"""What can be wrong with a configuration whose tables are right: between them, and with what they name."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from pydantic import SecretStr

from fixgw.config_tables import (
    AccountTable,
    ApiTable,
    ApiUserTable,
    DialectTable,
    EdgeTable,
    FixTable,
    InstrumentTable,
    OmsTable,
    SessionTable,
    Table,
    TlsTable,
    UserTable,
    VenueTable,
)
from fixgw.config_venues import venue_problems
from fixgw.core.disconnect import CancelOn, DisconnectScope
from fixgw.fix import settings as fix_settings
from fixgw.fix.settings import WATCH_SESSION
from fixgw.passwords import hash_problem, is_right
from fixgw.secret_text import SecretError, secret_text

Tables = Mapping[str, Table | None]
Lists = Mapping[str, tuple[Table, ...]]


ROOTS = {
    "alphapoint": ("/AP", "/ap", "/WSGateway", "/wsgateway"),
    "coinapi_ems": ("/v1",),
    "openalgo": ("/api/v1",),
}
"""What the paths of each dialect begin with."""
PAGE_ROOTS = ("/docs", "/openapi.json")


def problems_between(path: Path, tables: Tables, lists: Lists) -> Iterator[str]:
    """Every mistake between tables, and with the files that they name; `path` is the configuration's.

    A table that could not be read is None, and is not looked at.
    """
    yield from _cross_check(lists)
    yield from venue_problems(
        path,
        [row for row in lists["venue"] if isinstance(row, VenueTable)],
        [row for row in lists["oms"] if isinstance(row, OmsTable)],
        [row for row in lists["account"] if isinstance(row, AccountTable)],
        [row for row in lists["instrument"] if isinstance(row, InstrumentTable)],
    )
    sessions = [row for row in lists["session"] if isinstance(row, SessionTable)]
    dialects = [row for row in lists["dialect"] if isinstance(row, DialectTable)]
    fix, edge, tls, api = tables["fix"], tables["edge"], tables["tls"], tables["api"]
    fix = fix if isinstance(fix, FixTable) else FixTable()
    yield from _check_fix(path, fix, sessions)
    if isinstance(edge, EdgeTable):
        yield from _check_edge(edge, sessions)
    if isinstance(tls, TlsTable):
        yield from _check_tls(path, tls, sessions)
        yield from _check_open_host("[fix]", fix.host, tls)
    if isinstance(api, ApiTable) and api.enabled:
        yield from _check_api(api, fix, dialects)
        if isinstance(tls, TlsTable):
            yield from _check_open_host("[api]", api.host, tls)


def secret_problems(path: Path, tables: Tables, lists: Lists) -> Iterator[str]:
    """Every secret that cannot be had, is there twice, or is the example's where others can connect."""
    fix, api = tables["fix"], tables["api"]
    if isinstance(fix, FixTable) and not is_loopback(fix.host):
        for row in lists["session"]:
            if isinstance(row, SessionTable):
                where = f"[[session]] {row.comp_id}"
                yield from _check_password(where, row.comp_id, row.password_hash, f"[fix] host {fix.host}")
    if not (isinstance(api, ApiTable) and api.enabled):
        return
    keys: dict[str, str] = {}
    for row in lists["api_user"]:
        if not isinstance(row, ApiUserTable):
            continue
        where = f"[[api_user]] {row.username}"
        examples = {"api_key": f"key{row.user}", "api_secret": f"secret{row.user}"}
        for name, example in examples.items():
            try:
                text = secret_text(getattr(row, name), path.parent)
            except SecretError as error:
                yield f"{where} {name}: {error}"
                continue
            if name == "api_key" and keys.setdefault(text, row.username) != row.username:
                yield f"{where} api_key: is that of {keys[text]} too, and must be of one user only"
            if text == example and not is_loopback(api.host):
                yield (
                    f"{where} {name}: is the example's, which everybody knows,"
                    f" and [api] host {api.host} is not loopback"
                )
        if not is_loopback(api.host):
            yield from _check_password(where, row.username, row.password_hash, f"[api] host {api.host}")


def _cross_check(lists: Lists) -> Iterator[str]:
    """Every mistake between entries: names that are used twice, and references that lead nowhere."""
    omses = {row.id for row in lists["oms"] if isinstance(row, OmsTable)}
    accounts = {row.id: row for row in lists["account"] if isinstance(row, AccountTable)}
    users = {row.id: row for row in lists["user"] if isinstance(row, UserTable)}
    for name, key in (
        ("oms", "id"),
        ("oms", "name"),
        ("account", "id"),
        ("instrument", "id"),
        ("user", "id"),
        ("venue", "name"),
    ):
        yield from _twice(name, [str(getattr(row, key)) for row in lists[name]], key)
    for key in ("comp_id", "username"):
        yield from _twice("session", [str(getattr(row, key)) for row in lists["session"]], key)
    yield from _twice(
        "api_user", [str(getattr(row, "username", "")) for row in lists["api_user"]], "username"
    )
    symbols = [
        f"{row.symbol} on OMS {row.oms}" for row in lists["instrument"] if isinstance(row, InstrumentTable)
    ]
    yield from _twice("instrument", symbols, "symbol")
    for row in (*lists["account"], *lists["instrument"]):
        if isinstance(row, AccountTable | InstrumentTable) and row.oms not in omses:
            kind = "account" if isinstance(row, AccountTable) else "instrument"
            yield f"[[{kind}]] {row.id} oms: there is no OMS {row.oms}"
    for user in users.values():
        yield from _check_user(user, omses, accounts)
    for session in lists["session"]:
        if isinstance(session, SessionTable):
            yield from _check_session(session, users)
    for dialect in lists["dialect"]:
        if isinstance(dialect, DialectTable):
            for oms_id in dialect.oms:
                if oms_id not in omses:
                    yield f"[[dialect]] {dialect.name} oms: there is no OMS {oms_id}"
    for api_user in lists["api_user"]:
        if isinstance(api_user, ApiUserTable):
            yield from _check_api_user(api_user, users)


def _twice(name: str, values: Sequence[str], key: str) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"[[{name}]] {key}: {value} is there {values.count(value)} times"


def _check_user(user: UserTable, omses: set[int], accounts: Mapping[int, AccountTable]) -> Iterator[str]:
    where = f"[[user]] {user.id}"
    for oms_id in user.oms:
        if oms_id not in omses:
            yield f"{where} oms: there is no OMS {oms_id}"
    for account_id in user.accounts:
        if account_id not in accounts:
            yield f"{where} accounts: there is no account {account_id}"
        elif accounts[account_id].oms not in user.oms:
            yield f"{where} accounts: account {account_id} is on an OMS that is not among the user's"
    if user.default_account is not None and user.default_account not in user.accounts:
        yield f"{where} default_account: {user.default_account} is not among the user's accounts"


def _check_session(session: SessionTable, users: Mapping[int, UserTable]) -> Iterator[str]:
    where = f"[[session]] {session.comp_id}"
    user = users.get(session.user)
    if session.comp_id == WATCH_SESSION:
        yield f"{where} comp_id: the supervisor's own session has this name"
    if user is None:
        yield f"{where} user: there is no user {session.user}"
    elif session.oms not in user.oms:
        yield f"{where} oms: user {session.user} is not granted OMS {session.oms}"
    if (
        session.disconnect_scope is DisconnectScope.ACCOUNT
        and session.cancel_on_disconnect is not CancelOn.OFF
        and user is not None
        and not user.accounts
    ):
        yield f"{where} disconnect_scope: user {session.user} has no accounts, so nothing would be canceled"
    if wrong := hash_problem(session.password_hash.get_secret_value()):
        yield f"{where} password_hash: {wrong}"


def _check_fix(path: Path, fix: FixTable, sessions: Sequence[SessionTable]) -> Iterator[str]:
    if fix.engine_port == fix.port:
        yield f"[fix] engine_port: {fix.engine_port} is the port that clients connect to"
    file = path.parent / fix.settings
    try:
        settings, problems = fix_settings.read(file)
    except (OSError, UnicodeDecodeError) as error:
        yield f"[fix] settings: cannot read {file}: {error}"
        return
    yield from problems
    named = {row.comp_id for row in sessions}
    for name in sorted(named - settings.sessions.keys()):
        yield f"[[session]] {name}: has no [SESSION] with TargetCompID={name} in {file.name}"
    for name in sorted(settings.sessions.keys() - named):
        yield f"{file.name}: TargetCompID={name} has no [[session]] in {path.name}"


def _check_password(where: str, name: str, password_hash: SecretStr, on: str) -> Iterator[str]:
    example, found = f"{name.lower()}-demo", password_hash.get_secret_value()
    if hash_problem(found) is None and is_right(example.encode(), found):
        yield (
            f"{where} password_hash: the password is the example's, which everybody"
            f" knows, and {on} is not loopback; `fixgw passwd` makes another"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address `host`."""
    address = ip_address(host)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _check_edge(edge: EdgeTable, sessions: Sequence[SessionTable]) -> Iterator[str]:
    """Connections that never log on must not take the place of those that do."""
    needed = len(sessions) + edge.before_logon_max
    if edge.connections_max < needed:
        yield (
            f"[edge] connections_max: must be {needed} at least,"
            f" {len(sessions)} for the sessions and before_logon_max for the others"
        )


def _check_tls(path: Path, tls: TlsTable, sessions: Sequence[SessionTable]) -> Iterator[str]:
    for key in ("certificate", "key", "client_ca"):
        name = getattr(tls, key)
        if name and not (path.parent / name).is_file():
            yield f"[tls] {key}: {name} is not a file"
    if tls.key and not tls.certificate:
        yield "[tls] certificate: is missing, and there is a key"
    if tls.certificate and not tls.key:
        yield "[tls] key: is missing, and there is a certificate"
    if tls.client_ca and not tls.certificate:
        yield "[tls] client_ca: client certificates need TLS, and certificate is missing"
    if tls.client_ca:
        return
    if tls.client_certificates == "required":
        yield "[tls] client_certificates: cannot be required without client_ca"
    for row in sessions:
        where = f"[[session]] {row.comp_id}"
        if row.client_certificate == "required":
            yield f"{where} client_certificate: cannot be required without [tls] client_ca"
        if row.certificate_name:
            yield f"{where} certificate_name: nobody is asked for a certificate without [tls] client_ca"


def _check_open_host(table: str, host: str, tls: TlsTable) -> Iterator[str]:
    if not tls.certificate and not is_loopback(host) and tls.plain_tcp == "loopback only":
        yield (
            f"{table} host: {host} is not loopback, and without TLS passwords can be read on the way:"
            " set [tls] certificate and key, or"
            ' plain_tcp = "everywhere, although passwords can be read on the way"'
        )


def _check_api_user(row: ApiUserTable, users: Mapping[int, UserTable]) -> Iterator[str]:
    where = f"[[api_user]] {row.username}"
    if row.user not in users:
        yield f"{where} user: there is no user {row.user}"
    if wrong := hash_problem(row.password_hash.get_secret_value()):
        yield f"{where} password_hash: {wrong}"


def _check_api(api: ApiTable, fix: FixTable, dialects: Sequence[DialectTable]) -> Iterator[str]:
    """Ports that are taken, and dialects of one port that would answer the same paths."""
    ports = {"[api]": api.port} | {f"[[dialect]] {row.name}": row.port for row in dialects if row.port}
    for where, port in ports.items():
        if port == fix.port and api.host == fix.host:
            yield f"{where} port: {port} is the FIX port"
        if port == fix.engine_port:
            yield f"{where} port: {port} is the engine's port"
    taken = {(port, root): "the documentation" for port in ports.values() for root in PAGE_ROOTS}
    for row in dialects:
        port = row.port or api.port
        own = [row.path + root for root in ROOTS[row.name]]
        for (_, other), whose in [(key, whose) for key, whose in taken.items() if key[0] == port]:
            for root in own:
                if f"{root}/".startswith(f"{other}/") or f"{other}/".startswith(f"{root}/"):
                    yield (
                        f"[[dialect]] {row.name} path: {root} is in the way of {other} of {whose} on port"
                        f" {port}; give one of them another path or port"
                    )
        taken |= {(port, root): row.name for root in own}
