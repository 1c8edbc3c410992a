"""The configuration: TOML and the QuickFIX settings beside it, read into frozen settings.

Every mistake is found at once and said by name; an unknown key is a mistake. Secrets never print.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fixgw.config_tables import (
    LISTS,
    MAY_BE_EMPTY,
    TABLES,
    AccountTable,
    ApiTable,
    ApiUserTable,
    DialectTable,
    EdgeTable,
    FixTable,
    GatewayTable,
    InstrumentTable,
    JournalTable,
    LimitsTable,
    LogTable,
    OmsTable,
    SessionTable,
    SupervisorTable,
    Table,
    TlsTable,
    UserTable,
    WireTable,
)
from fixgw.core.directory import Account, Directory, Instrument, Oms, Session, User
from fixgw.fix import settings as fix_settings
from fixgw.fix.settings import WATCH_SESSION, SessionSettings
from fixgw.passwords import hash_problem, is_right


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all its mistakes, each a line for a person."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Config(Table):
    """The whole configuration, free of mistakes. `path` is the file it came from."""

    path: Path
    gateway: GatewayTable
    fix: FixTable
    edge: EdgeTable
    wire: WireTable
    tls: TlsTable
    api: ApiTable
    journal: JournalTable
    limits: LimitsTable
    supervisor: SupervisorTable
    log: LogTable
    oms: tuple[OmsTable, ...]
    account: tuple[AccountTable, ...]
    instrument: tuple[InstrumentTable, ...]
    user: tuple[UserTable, ...]
    session: tuple[SessionTable, ...]
    dialect: tuple[DialectTable, ...]
    api_user: tuple[ApiUserTable, ...]

    @property
    def data(self) -> Path:
        """The data directory; relative to the file."""
        return (self.path.parent / self.gateway.data).resolve()

    @property
    def fix_settings(self) -> SessionSettings:
        """The QuickFIX settings beside the file."""
        return fix_settings.read(self.path.parent / self.fix.settings)[0]

    @property
    def closed_for(self) -> timedelta:
        """How long closed orders stay in memory."""
        return timedelta(seconds=self.journal.closed_seconds)

    def directory(self) -> Directory:
        """The reference data as the core reads it."""
        return Directory(
            [Oms(oms.id, oms.name, oms.cancel_scope, oms.day_end) for oms in self.oms],
            [
                Instrument(
                    row.id,
                    row.oms,
                    row.symbol,
                    row.underlying_symbol,
                    row.product,
                    row.security_type,
                    row.cfi_code,
                    row.trading_session_id,
                )
                for row in self.instrument
            ],
            [Account(account.id, account.oms) for account in self.account],
            [
                User(
                    user.id,
                    frozenset(user.oms),
                    frozenset(user.accounts),
                    frozenset(user.permissions),
                    user.default_account,
                )
                for user in self.user
            ],
            [
                Session(
                    row.comp_id,
                    row.user,
                    row.oms,
                    row.default_scope,
                    row.pending_cancel,
                    row.dialect == "extended",
                    row.affected_orders_max,
                    row.max_status_reports,
                    None if row.reset_at == "never" else row.reset_at,
                    row.orders_per_second,
                    row.orders_burst,
                )
                for row in self.session
            ],
        )

    def credentials(self) -> dict[str, tuple[str, str]]:
        """Username(553) and password hash of each session, by its name."""
        return {row.comp_id: (row.username, row.password_hash.get_secret_value()) for row in self.session}


def load(path: Path, *, find_examples: bool = True) -> Config:
    """The configuration in `path`. Raises ConfigError with every mistake in it, at once.

    To `find_examples` among the passwords takes 20 ms a session (on a host that is not loopback); whoever
    was started by somebody who has done it can do without.
    """
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name} is not TOML: {error}"]) from error
    problems = [f"{key}: unknown table" for key in raw if key not in TABLES and key not in LISTS]
    tables = {
        name: _read_table(model, raw.get(name, {}), f"[{name}]", problems) for name, model in TABLES.items()
    }
    lists = {name: _read_list(model, raw.get(name, []), name, problems) for name, model in LISTS.items()}
    problems += _cross_check(lists)
    sessions = [row for row in lists["session"] if isinstance(row, SessionTable)]
    fix, edge, tls = tables["fix"], tables["edge"], tables["tls"]
    fix = fix if isinstance(fix, FixTable) else FixTable()
    problems += _check_fix(path, fix, sessions)
    if find_examples:
        problems += _check_passwords(fix, sessions)
    if isinstance(edge, EdgeTable):
        problems += _check_edge(edge, sessions)
    if isinstance(tls, TlsTable):
        problems += _check_tls(path, tls, fix, sessions)
    if problems:
        raise ConfigError(problems)
    values: dict[str, Any] = {**tables, **lists}
    return Config(path=path.resolve(), **values)


_T = TypeVar("_T", bound=Table)


def _read_table(model: type[_T], raw: object, where: str, problems: list[str]) -> _T | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_url=False):
            field = ".".join(map(str, mistake["loc"]))
            what = "unknown key" if mistake["type"] == "extra_forbidden" else mistake["msg"]
            what = what.removeprefix("Value error, ")
            problems.append(f"{where} {field}: {what}" if field else f"{where}: {what}")
        return None


def _read_list(model: type[_T], raw: object, name: str, problems: list[str]) -> tuple[_T, ...]:
    if raw == [] and name in MAY_BE_EMPTY:
        return ()
    if not isinstance(raw, list) or not raw:
        problems.append(f"[[{name}]]: at least one is needed")
        return ()
    read = (
        _read_table(model, item, f"[[{name}]] {_title(item, number)}", problems)
        for number, item in enumerate(raw, 1)
    )
    return tuple(item for item in read if item is not None)


def _title(item: object, number: int) -> str:
    """How a person finds the entry: by its name or id where it has one, else by its place."""
    if isinstance(item, Mapping):
        for key in ("comp_id", "id", "symbol", "name"):
            if key in item:
                return f"{item[key]}"
    return f"number {number}"


def _cross_check(lists: Mapping[str, tuple[Table, ...]]) -> Iterator[str]:
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
    ):
        yield from _twice(name, [str(getattr(row, key)) for row in lists[name]], key)
    for key in ("comp_id", "username"):
        yield from _twice("session", [str(getattr(row, key)) for row in lists["session"]], key)
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


def _check_passwords(fix: FixTable, sessions: Sequence[SessionTable]) -> Iterator[str]:
    if is_loopback(fix.host):
        return
    for row in sessions:
        example, password_hash = f"{row.comp_id.lower()}-demo", row.password_hash.get_secret_value()
        if hash_problem(password_hash) is None and is_right(example.encode(), password_hash):
            yield (
                f"[[session]] {row.comp_id} password_hash: the password is the example's, which everybody"
                f" knows, and [fix] host {fix.host} is not loopback; `fixgw passwd` makes another"
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


def _check_tls(path: Path, tls: TlsTable, fix: FixTable, sessions: Sequence[SessionTable]) -> Iterator[str]:
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
    if not tls.certificate and not is_loopback(fix.host) and tls.plain_tcp == "loopback only":
        yield (
            f"[fix] host: {fix.host} is not loopback, and without TLS passwords can be read on the way:"
            " set [tls] certificate and key, or"
            ' plain_tcp = "everywhere, although passwords can be read on the way"'
        )
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
