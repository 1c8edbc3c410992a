"""The configuration: TOML and the QuickFIX settings beside it, read into frozen settings.

Every mistake is found at once and said by name; an unknown key is a mistake. Secrets never print.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from fixgw.core.directory import (
    Account,
    CancelScope,
    DefaultScope,
    Directory,
    Instrument,
    Oms,
    PendingCancelReports,
    Permission,
    Session,
    User,
)
from fixgw.fix import settings as fix_settings
from fixgw.fix.credentials import hash_problem
from fixgw.fix.settings import WATCH_SESSION, SessionSettings

LOOPBACK = "127.0.0.1"

Id = Annotated[int, Field(ge=1, le=10**18 - 1)]
Word = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
PortOrAny = Annotated[int, Field(ge=0, le=65_535)]


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all its mistakes, each a line for a person."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewayTable(_Table):
    """[gateway]: where the gateway keeps what it must not lose."""

    data: Path = Path("../data")


class FixTable(_Table):
    """[fix]: the FIX port. `port` is TCP, and so is `engine_port`, on loopback; 0 is a free one."""

    settings: Path = Path("quickfix.cfg")
    host: str = "127.0.0.1"
    port: Port = 9878
    engine_port: PortOrAny = 0


class ApiTable(_Table):
    """[api]: the HTTP and WebSocket port, which this release does not open yet. `port` is TCP."""

    host: str = "127.0.0.1"
    port: Port = 8080


class JournalTable(_Table):
    """[journal]: how durable a commit is, and how long closed orders stay in memory."""

    sync: Literal["full", "normal"] = "full"
    closed_seconds: Annotated[int, Field(ge=60, le=604_800)] = 86_400
    closed_max: Annotated[int, Field(ge=1_000, le=10_000_000)] = 200_000


class LimitsTable(_Table):
    """[limits]: how much one turn of the engine does, in reports."""

    reports_per_turn: Annotated[int, Field(ge=1, le=5_000)] = 500


class SupervisorTable(_Table):
    """[supervisor]: when the engine counts as hanging, and when starting it again is given up."""

    hang_seconds: Annotated[int, Field(ge=2, le=600)] = 30
    start_seconds: Annotated[int, Field(ge=1, le=3_600)] = 60
    crashes_max: Annotated[int, Field(ge=1, le=100)] = 5
    crashes_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600


class LogTable(_Table):
    """[log]: how log lines look and which ones there are."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class OmsTable(_Table):
    """[[oms]]: an order management system and the venue it lives on."""

    id: Id
    name: Word
    venue: Literal["sandbox"] = "sandbox"
    cancel_scope: CancelScope = CancelScope.ACCOUNT
    day_end: time = time(0, 0)


class AccountTable(_Table):
    """[[account]]: an account on an OMS."""

    id: Id
    oms: Id


class InstrumentTable(_Table):
    """[[instrument]]: an instrument with the values of every scope that can name it."""

    id: Id
    oms: Id
    symbol: Word
    underlying_symbol: Word
    product: Annotated[str, Field(pattern=r"^[0-9]{1,2}$")]
    security_type: Word
    cfi_code: Annotated[str, Field(pattern=r"^[A-Z]{6}$")]
    trading_session_id: Word


class UserTable(_Table):
    """[[user]]: what a user is granted."""

    id: Id
    oms: tuple[Id, ...]
    accounts: tuple[Id, ...] = ()
    permissions: tuple[Permission, ...] = ()
    default_account: Id | None = None


class SessionTable(_Table):
    """[[session]]: who logs on as which user, and how he is answered."""

    comp_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    username: Word
    password_hash: SecretStr
    user: Id
    oms: Id
    default_scope: DefaultScope = DefaultScope.OWN
    dialect: Literal["strict", "extended"] = "strict"
    pending_cancel: PendingCancelReports = PendingCancelReports.WHEN_PENDING
    affected_orders_max: Annotated[int, Field(ge=0, le=1_000)] = 100
    max_status_reports: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    reset_at: time | Literal["never"] = "never"


_TABLES: dict[str, type[_Table]] = {
    "gateway": GatewayTable,
    "fix": FixTable,
    "api": ApiTable,
    "journal": JournalTable,
    "limits": LimitsTable,
    "supervisor": SupervisorTable,
    "log": LogTable,
}
_LISTS: dict[str, type[_Table]] = {
    "oms": OmsTable,
    "account": AccountTable,
    "instrument": InstrumentTable,
    "user": UserTable,
    "session": SessionTable,
}


class Config(_Table):
    """The whole configuration, free of mistakes. `path` is the file it came from."""

    path: Path
    gateway: GatewayTable
    fix: FixTable
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
                )
                for row in self.session
            ],
        )

    def credentials(self) -> dict[str, tuple[str, str]]:
        """Username(553) and password hash of each session, by its name."""
        return {row.comp_id: (row.username, row.password_hash.get_secret_value()) for row in self.session}


def load(path: Path) -> Config:
    """The configuration in `path`. Raises ConfigError with every mistake in it, at once."""
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name} is not TOML: {error}"]) from error
    problems = [f"{key}: unknown table" for key in raw if key not in _TABLES and key not in _LISTS]
    tables = {
        name: _read_table(model, raw.get(name, {}), f"[{name}]", problems) for name, model in _TABLES.items()
    }
    lists = {name: _read_list(model, raw.get(name, []), name, problems) for name, model in _LISTS.items()}
    problems += _cross_check(lists)
    fix = tables["fix"]
    problems += _check_fix(path, fix if isinstance(fix, FixTable) else FixTable(), lists["session"])
    if problems:
        raise ConfigError(problems)
    values: dict[str, Any] = {**tables, **lists}
    return Config(path=path.resolve(), **values)


_T = TypeVar("_T", bound=_Table)


def _read_table(model: type[_T], raw: object, where: str, problems: list[str]) -> _T | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_url=False):
            field = ".".join(map(str, mistake["loc"]))
            what = "unknown key" if mistake["type"] == "extra_forbidden" else mistake["msg"]
            problems.append(f"{where} {field}: {what}" if field else f"{where}: {what}")
        return None


def _read_list(model: type[_T], raw: object, name: str, problems: list[str]) -> tuple[_T, ...]:
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


def _cross_check(lists: Mapping[str, tuple[_Table, ...]]) -> Iterator[str]:
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


def _check_fix(path: Path, fix: FixTable, sessions: tuple[_Table, ...]) -> Iterator[str]:
    if fix.host != LOOPBACK:
        yield f"[fix] host: {fix.host} is not {LOOPBACK}, and QuickFIX must not meet bytes from elsewhere"
    file = path.parent / fix.settings
    try:
        settings, problems = fix_settings.read(file)
    except (OSError, UnicodeDecodeError) as error:
        yield f"[fix] settings: cannot read {file}: {error}"
        return
    yield from problems
    named = {row.comp_id for row in sessions if isinstance(row, SessionTable)}
    for name in sorted(named - settings.sessions.keys()):
        yield f"[[session]] {name}: has no [SESSION] with TargetCompID={name} in {file.name}"
    for name in sorted(settings.sessions.keys() - named):
        yield f"{file.name}: TargetCompID={name} has no [[session]] in {path.name}"
