"""The tables of the configuration, each with its keys, their defaults and their bounds."""

import re
from datetime import time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from fixgw.core.directory import CancelScope, DefaultScope, PendingCancelReports, Permission
from fixgw.core.disconnect import CancelOn, DisconnectScope, OnDisconnect

Id = Annotated[int, Field(ge=1, le=10**18 - 1)]
Word = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Network = IPv4Network | IPv6Network


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None
    return text


def _network(said: object) -> Network:
    if not isinstance(said, str):
        raise ValueError("must be text, an address or a network")
    try:
        return ip_network(said)
    except ValueError as error:
        raise ValueError(f"no address and no network: {error}") from None


def _reset_policy(said: str) -> str:
    if said not in ("allowed", "refused"):
        reset_window(said)
    return said


def reset_window(policy: str) -> tuple[time, time]:
    """Begin and end of a window as "21:55-22:05", times of day in UTC. Raises ValueError when it is none."""
    match = re.fullmatch(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})", policy)
    try:
        if match is None:
            raise ValueError
        begin, end = (time.fromisoformat(part) for part in match.groups())
    except ValueError:
        raise ValueError(
            f'{policy!r} is neither "allowed" nor "refused" nor a UTC window as "21:55-22:05"'
        ) from None
    if begin == end:
        raise ValueError(f'{policy!r} ends when it begins; for the whole day say "allowed"')
    return begin, end


class Table(BaseModel):
    """One table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewayTable(Table):
    """[gateway]: where the gateway keeps what it must not lose."""

    data: Path = Path("../data")


class FixTable(Table):
    """[fix]: the FIX port. `port` is TCP; `engine_port`, where the engine is behind it, is TCP on loopback.

    An `engine_port` of 0 is a free one at each start.
    """

    settings: Path = Path("quickfix.cfg")
    host: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: Port = 9878
    engine_port: Annotated[int, Field(ge=0, le=65_535)] = 0


class EdgeTable(Table):
    """[edge]: the limits of the FIX port, which keep one peer from taking what all need.

    `connections_max` are all connections, `before_logon_max` those that are not logged on, and
    `before_logon_per_address_max` those of one address. `messages_per_second` and `bytes_per_second` are
    those of one connection, and so is `backlog_bytes_max`, what waits for a client that does not read.
    """

    connections_max: Annotated[int, Field(ge=2, le=100_000)] = 1_000
    before_logon_max: Annotated[int, Field(ge=1, le=10_000)] = 100
    before_logon_per_address_max: Annotated[int, Field(ge=1, le=10_000)] = 20
    logon_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    message_bytes_max: Annotated[int, Field(ge=4_096, le=1_048_576)] = 65_536
    messages_per_second: Annotated[int, Field(ge=10, le=1_000_000)] = 20_000
    bytes_per_second: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 16_777_216
    backlog_bytes_max: Annotated[int, Field(ge=1_048_576, le=1_073_741_824)] = 16_777_216


class WireTable(Table):
    """[wire]: the log of every message, and for how many days it is kept."""

    log: bool = True
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 30


class TlsTable(Table):
    """[tls]: PEM files, relative to the configuration; "" is none. Without a certificate there is no TLS."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    client_certificates: Literal["optional", "required"] = "optional"
    plain_tcp: Literal["loopback only", "everywhere, although passwords can be read on the way"] = (
        "loopback only"
    )


class ApiTable(Table):
    """[api]: the HTTP and WebSocket port. `port` is TCP.

    `connections_max` are those of one port, `subscriptions_max` those of one WebSocket. A user may ask for
    `requests_per_second`, and `requests_burst` at once after a pause; cancels are never counted.
    `backlog_bytes_max` is what waits for a WebSocket that does not read. `orders_max` bounds what one answer
    lists. `answer_seconds` is how long the engine is waited for, and `cancel_seconds` how long the end of a
    cancel, where the answer is to tell it.
    """

    enabled: bool = True
    host: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: Port = 8080
    connections_max: Annotated[int, Field(ge=1, le=10_000)] = 500
    connections_per_address_max: Annotated[int, Field(ge=1, le=10_000)] = 200
    body_bytes_max: Annotated[int, Field(ge=4_096, le=1_048_576)] = 65_536
    frame_bytes_max: Annotated[int, Field(ge=4_096, le=1_048_576)] = 65_536
    subscriptions_max: Annotated[int, Field(ge=1, le=10_000)] = 100
    requests_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    requests_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    backlog_bytes_max: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 16_777_216
    orders_max: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    answer_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    cancel_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    token_seconds: Annotated[int, Field(ge=60, le=86_400)] = 3_600


class JournalTable(Table):
    """[journal]: how durable a commit is, and how long closed orders stay in memory."""

    sync: Literal["full", "normal"] = "full"
    closed_seconds: Annotated[int, Field(ge=60, le=604_800)] = 86_400
    closed_max: Annotated[int, Field(ge=1_000, le=10_000_000)] = 200_000


class LimitsTable(Table):
    """[limits]: how much one turn of the engine does, in reports."""

    reports_per_turn: Annotated[int, Field(ge=1, le=5_000)] = 500


class SupervisorTable(Table):
    """[supervisor]: when the engine counts as hanging, and when starting it again is given up."""

    hang_seconds: Annotated[int, Field(ge=2, le=600)] = 30
    start_seconds: Annotated[int, Field(ge=1, le=3_600)] = 60
    crashes_max: Annotated[int, Field(ge=1, le=100)] = 5
    crashes_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600


class LogTable(Table):
    """[log]: how log lines look and which ones there are."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class OmsTable(Table):
    """[[oms]]: an order management system and the venue it lives on."""

    id: Id
    name: Word
    venue: Word = "sandbox"
    cancel_scope: CancelScope = CancelScope.ACCOUNT
    day_end: time = time(0, 0)


class AccountTable(Table):
    """[[account]]: an account on an OMS."""

    id: Id
    oms: Id


class InstrumentTable(Table):
    """[[instrument]]: an instrument with the values of every scope that can name it."""

    id: Id
    oms: Id
    symbol: Word
    underlying_symbol: Word
    product: Annotated[str, Field(pattern=r"^[0-9]{1,2}$")]
    security_type: Word
    cfi_code: Annotated[str, Field(pattern=r"^[A-Z]{6}$")]
    trading_session_id: Word


class UserTable(Table):
    """[[user]]: what a user is granted."""

    id: Id
    oms: tuple[Id, ...]
    accounts: tuple[Id, ...] = ()
    permissions: tuple[Permission, ...] = ()
    default_account: Id | None = None


class VenueTable(Table):
    """[[venue]]: a venue outside this gateway, and how it is asked.

    A secret may be in a file or in the environment, as in [[api_user]]. `accounts` and `instruments` give the
    venue's own names for ours: by account, and by symbol. `requests_per_second` and `requests_at_once` bound
    what is asked of it, `request_seconds` is how long one answer is waited for. What becomes of a cancel is
    asked after `confirm_seconds` when the venue has not said it; its orders are read again each
    `poll_seconds`, and before a mass cancel within `scope_seconds`.
    """

    name: Word
    kind: Literal["alphapoint", "coinapi_ems", "openalgo"]
    url: Annotated[str, Field(pattern=r"^https?://[^/?#]+(/[^?#]*)?$")]
    ws_url: Annotated[str, Field(pattern=r"^(wss?://[^/?#]+(/[^?#]*)?)?$")] = ""
    oms: Annotated[str, Field(max_length=64)] = ""
    username: Annotated[str, Field(max_length=64)] = ""
    password: SecretStr = SecretStr("")
    user_id: Annotated[str, Field(max_length=20)] = ""
    api_key: SecretStr = SecretStr("")
    api_secret: SecretStr = SecretStr("")
    mode: Literal["live", "analyze"] = "live"
    product: Literal["", "MIS", "NRML", "CNC"] = ""
    accounts: Annotated[dict[Id, Word], Field(min_length=1)]
    instruments: Annotated[dict[Word, Word], Field(min_length=1)]
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 10
    requests_at_once: Annotated[int, Field(ge=1, le=256)] = 8
    request_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    confirm_seconds: Annotated[int, Field(ge=1, le=60)] = 2
    poll_seconds: Annotated[int, Field(ge=1, le=3_600)] = 5
    scope_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    when_away: Literal["answer", "wait"] = "answer"
    cancel_first: Literal["oldest", "largest"] = "oldest"


class DialectTable(Table):
    """[[dialect]]: a documented API, where it is served, and which OMSes it reaches.

    `path` goes before the paths that the API's document has. A `port` (TCP) of 0 is that of [api].
    """

    name: Literal["alphapoint", "coinapi_ems", "openalgo"]
    oms: Annotated[tuple[Id, ...], Field(min_length=1)]
    path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.~-]{1,64}){0,8}$")] = ""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0


class ApiUserTable(Table):
    """[[api_user]]: what proves over the API that one is a certain user.

    `api_secret` signs; `api_key` names the signer, and stands alone where a dialect has no more than a key.
    A secret may be in a file, as "file:PATH" (relative to the configuration), or in the environment,
    as "env:NAME".
    """

    username: Word
    password_hash: SecretStr
    user: Id
    api_key: SecretStr
    api_secret: SecretStr
    email: Annotated[str, Field(max_length=254)] = ""


class SessionTable(Table):
    """[[session]]: who logs on as which user, from where, and how he is answered.

    `orders_per_second` of 0 is no limit. `disconnect_override` lets the client choose at its Logon, with
    CancelOrdersOnDisconnect(8013).
    """

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
    allow_from: Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], Field(min_length=1)] = (
        IPv4Network("0.0.0.0/0"),
        IPv6Network("::/0"),
    )
    client_certificate: Literal["optional", "required"] = "optional"
    certificate_name: Annotated[str, Field(max_length=255)] = ""
    reset_seq_num_flag: Annotated[str, AfterValidator(_reset_policy)] = "allowed"
    orders_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    orders_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    cancel_on_disconnect: CancelOn = CancelOn.OFF
    disconnect_scope: DisconnectScope = DisconnectScope.SESSION
    disconnect_window_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    disconnect_on_restart: bool = False
    disconnect_override: bool = False

    @property
    def on_disconnect(self) -> OnDisconnect:
        """What becomes of its orders when its client is gone."""
        return OnDisconnect(
            self.cancel_on_disconnect,
            self.disconnect_scope,
            self.disconnect_window_ms,
            self.disconnect_on_restart,
            self.disconnect_override,
        )


TABLES: dict[str, type[Table]] = {
    "gateway": GatewayTable,
    "fix": FixTable,
    "edge": EdgeTable,
    "wire": WireTable,
    "tls": TlsTable,
    "api": ApiTable,
    "journal": JournalTable,
    "limits": LimitsTable,
    "supervisor": SupervisorTable,
    "log": LogTable,
}
LISTS: dict[str, type[Table]] = {
    "oms": OmsTable,
    "account": AccountTable,
    "instrument": InstrumentTable,
    "user": UserTable,
    "session": SessionTable,
    "dialect": DialectTable,
    "api_user": ApiUserTable,
    "venue": VenueTable,
}
MAY_BE_EMPTY = {"dialect", "api_user", "venue"}
