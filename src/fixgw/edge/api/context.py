"""What a dialect is given: the engine, who its clients are, what they are called, and its limits."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fixgw.config import Config
from fixgw.config_tables import ApiTable
from fixgw.core.directory import Directory
from fixgw.edge.api.identity import Identities
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import Tokens
from fixgw.edge.engine_link import EngineLink


class Reference:
    """Names and reference data of a configuration, which can change between two requests (`update`)."""

    def __init__(self, config: Config) -> None:
        self.update(config)

    def update(self, config: Config) -> None:
        """Have what is in `config` from now on."""
        self.directory: Directory = config.directory()
        sessions = {row.user: row.username for row in reversed(config.session)}
        users = {row.user: row.username for row in reversed(config.api_user)}
        self._user_names = sessions | users
        self._emails = {row.user: row.email for row in reversed(config.api_user)}

    def user_name(self, user_id: int) -> str:
        """What the user is called: over the API, or else his Username(553), or else his number."""
        return self._user_names.get(user_id, str(user_id))

    def email(self, user_id: int) -> str:
        """The user's address; "" when there is none."""
        return self._emails.get(user_id, "")

    def account_name(self, account_id: int) -> str:
        """What the account is called, which is its number."""
        return str(account_id)


@dataclass(frozen=True)
class Context:
    """What one [[dialect]] works with. `door` is its name, `omses` what it reaches, its default first.

    `tokens`, `rates` and `identities` are shared by all dialects. `settings` are those of [api], for as long
    as the process lives: a change of them starts it again. `stopping` is set a moment before every
    connection is ended.
    """

    door: str
    omses: tuple[int, ...]
    engine: EngineLink
    reference: Reference
    identities: Identities
    tokens: Tokens
    rates: Rates
    settings: ApiTable
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def clock(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)
