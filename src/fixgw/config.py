"""The configuration: TOML and the QuickFIX settings beside it, read into frozen settings.

Every mistake is found at once and said by name; an unknown key is a mistake. Secrets never print.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from pydantic import ValidationError

from fixgw.config_checks import problems_between, secret_problems
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
    VenueTable,
    WireTable,
)
from fixgw.core.directory import Account, Directory, Instrument, Oms, Session, User
from fixgw.fix import settings as fix_settings
from fixgw.fix.settings import SessionSettings


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
    venue: tuple[VenueTable, ...]

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
            [self._oms(row) for row in self.oms],
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
                    row.on_disconnect,
                )
                for row in self.session
            ],
        )

    def _oms(self, row: OmsTable) -> Oms:
        venue = next((venue for venue in self.venue if venue.name == row.venue), None)
        oms = Oms(row.id, row.name, row.cancel_scope, row.day_end)
        if venue is None:
            return oms
        seconds, waits = timedelta(seconds=venue.scope_seconds), venue.when_away == "wait"
        return replace(oms, venue=venue.name, scope_timeout=seconds, waits_for_venue=waits)

    def credentials(self) -> dict[str, tuple[str, str]]:
        """Username(553) and password hash of each session, by its name."""
        return {row.comp_id: (row.username, row.password_hash.get_secret_value()) for row in self.session}


def load(path: Path, *, look_outside: bool = True) -> Config:
    """The configuration in `path`. Raises ConfigError with every mistake in it, at once.

    To `look_outside` is to look at secrets too: whether they can be had, and are not those of the examples,
    which takes 20 ms a password (on a host that is not loopback). Whoever was started by somebody who has
    done it can do without.
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
    problems += problems_between(path, tables, lists)
    if look_outside:
        problems += secret_problems(path, tables, lists)
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
