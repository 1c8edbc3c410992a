"""The reference data that requests are read against: OMSes, instruments, accounts, users, sessions."""

from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from fixgw.core.disconnect import OnDisconnect
from fixgw.core.errors import Refusal, Subject, invalid, not_found


class Permission(StrEnum):
    """What a user may do at all; a user with none of them may do nothing."""

    TRADING = "Trading"
    OPERATOR = "Operator"
    ACCOUNT_READ_ONLY = "AccountReadOnly"


class CancelScope(StrEnum):
    """How far a Trading user reaches into an account that he shares.

    ACCOUNT: to everybody's orders in it (the current API document). USER: to his own only (the older one).
    """

    ACCOUNT = "account"
    USER = "user"


class DefaultScope(StrEnum):
    """What a mass cancel that names neither account nor user means on a session."""

    OWN = "own"
    OMS = "oms"


class PendingCancelReports(StrEnum):
    """When an accepted cancel is first answered with ExecType(150)=6."""

    WHEN_PENDING = "when_pending"
    ALWAYS = "always"


EMBEDDED = "sandbox"


class Oms(Struct, frozen=True):
    """An order management system. `day_end` is the UTC time of day at which Day orders expire.

    Its orders live on `venue`; EMBEDDED is the one in this process. On another one reading what a mass cancel
    reaches may take `scope_timeout`, and while it is away requests are refused, or with `waits_for_venue` are
    taken and carried out when it is back.
    """

    oms_id: int
    name: str
    cancel_scope: CancelScope = CancelScope.ACCOUNT
    day_end: time = time(0, 0)
    venue: str = EMBEDDED
    scope_timeout: timedelta = timedelta(seconds=5)
    waits_for_venue: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether its orders live in this process."""
        return self.venue == EMBEDDED


class Instrument(Struct, frozen=True):
    """An instrument, with the values of every scope that MassCancelRequestType(530) can name it by."""

    instrument_id: int
    oms_id: int
    symbol: str
    underlying_symbol: str
    product: str
    security_type: str
    cfi_code: str
    trading_session_id: str


class Account(Struct, frozen=True):
    """An account on an OMS."""

    account_id: int
    oms_id: int


class User(Struct, frozen=True, dict=True):
    """What a user is granted. `oms_ids` and `account_ids` are sets of ids."""

    user_id: int
    oms_ids: frozenset[int]
    account_ids: frozenset[int] = frozenset()
    permissions: frozenset[Permission] = frozenset()
    default_account_id: int | None = None

    @cached_property
    def is_operator(self) -> bool:
        """Whether the Operator permission is among his."""
        return Permission.OPERATOR in self.permissions

    @cached_property
    def is_trader(self) -> bool:
        """Whether the Trading permission is among his."""
        return Permission.TRADING in self.permissions


class Session(Struct, frozen=True):
    """How a FIX session asks and is answered. `name` is the client's SenderCompID(49).

    `affected_orders_max` and `max_status_reports` count orders. `reset_at` is the time of day (UTC) at which
    its sequence numbers begin anew; None: never by themselves. `orders_per_second` bounds its New Order
    Singles, `orders_burst` how many of them may come at once; 0 a second: there is no bound. `on_disconnect`
    says what becomes of its orders when its client is gone.
    """

    name: str
    user_id: int
    oms_id: int
    default_scope: DefaultScope = DefaultScope.OWN
    pending_cancel: PendingCancelReports = PendingCancelReports.WHEN_PENDING
    extended: bool = False
    affected_orders_max: int = 100
    max_status_reports: int = 10_000
    reset_at: time | None = None
    orders_per_second: int = 0
    orders_burst: int = 100
    on_disconnect: OnDisconnect = OnDisconnect()


class OmsName(Struct, frozen=True, array_like=True, gc=False):
    """How a request names an OMS: by its id, by its name, by both (which must agree), or not at all."""

    oms_id: int | None = None
    name: str | None = None


class InstrumentName(Struct, frozen=True, array_like=True, gc=False):
    """How a request names an instrument. The last three do not name one: they must be its own.

    Symbol(55), SecurityID(48) with SecurityIDSource(22)=8, Product(460), CFICode(461), SecurityType(167).
    """

    symbol: str | None = None
    security_id: str | None = None
    product: str | None = None
    cfi_code: str | None = None
    security_type: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether it names an instrument at all."""
        return self.symbol is not None or self.security_id is not None

    def contradiction(self, instrument: Instrument) -> Refusal | None:
        """Why this cannot be `instrument`, naming the field; None when all that is given is its own."""
        symbol, security_id = self.symbol, self.security_id
        if symbol is not None and symbol != instrument.symbol:
            wrong = f"Symbol(55) is {symbol}, the instrument is {instrument.symbol}"
            return invalid(wrong, Subject.INSTRUMENT)
        if security_id is not None and security_id != str(instrument.instrument_id):
            wrong = f"SecurityID(48) is {security_id}, the instrument is {instrument.instrument_id}"
            return invalid(wrong, Subject.INSTRUMENT)
        return self.further_contradiction(instrument)

    def further_contradiction(self, instrument: Instrument) -> Refusal | None:
        """Why the further Instrument fields are not those of `instrument`; None when they are."""
        if self.product is None and self.cfi_code is None and self.security_type is None:
            return None
        for given, own, field in (
            (self.product, instrument.product, "Product(460)"),
            (self.cfi_code, instrument.cfi_code, "CFICode(461)"),
            (self.security_type, instrument.security_type, "SecurityType(167)"),
        ):
            if given is not None and given != own:
                return invalid(
                    f"{field} is {given}, that of {instrument.symbol} is {own}", Subject.INSTRUMENT
                )
        return None


class Directory:
    """All reference data, with the look-ups that the core needs.

    Accounts, users and sessions can change between two requests (`take`), so whoever needs one looks it up.
    """

    def __init__(
        self,
        omses: Iterable[Oms],
        instruments: Iterable[Instrument],
        accounts: Iterable[Account],
        users: Iterable[User],
        sessions: Iterable[Session],
    ) -> None:
        self.omses = {oms.oms_id: oms for oms in omses}
        self.instruments = {instrument.instrument_id: instrument for instrument in instruments}
        self.accounts = {account.account_id: account for account in accounts}
        self.users = {user.user_id: user for user in users}
        self.sessions = {session.name: session for session in sessions}
        self._oms_ids = {oms.name: oms.oms_id for oms in self.omses.values()}
        self._symbols = {(i.oms_id, i.symbol): i for i in self.instruments.values()}
        self._security_ids = {(i.oms_id, str(i.instrument_id)): i for i in self.instruments.values()}

    def take(
        self,
        accounts: Mapping[int, Account],
        users: Mapping[int, User],
        sessions: Mapping[str, Session],
    ) -> None:
        """Have these accounts and users in place of those that there are, and these settings of sessions."""
        self.accounts, self.users = dict(accounts), dict(users)
        self.sessions.update(sessions)

    def oms(self, name: OmsName, default: int) -> int | Refusal:
        """The id of the OMS that `name` names, `default` when it names none.

        An id that is not configured is returned as it is: whoever may ask about it decides what that means.
        """
        if name.name is None:
            return default if name.oms_id is None else name.oms_id
        named = self._oms_ids.get(name.name)
        if name.oms_id is not None and name.oms_id != named:
            return invalid(
                f"PartyID(448)={name.oms_id} with PartyRole(452)=16 and SecurityExchange(207)={name.name} "
                "name different OMSes",
                Subject.OMS,
            )
        return -1 if named is None else named

    def instrument(self, name: InstrumentName, oms_id: int) -> Instrument | Refusal:
        """The one instrument that `name` names: 100 for names that disagree, 104 for an unknown one."""
        found: Instrument | None
        if name.symbol is None:
            found = self._security_ids.get((oms_id, name.security_id or ""))
        else:
            found = self._symbols.get((oms_id, name.symbol))
            if name.security_id is not None:
                other = self._security_ids.get((oms_id, name.security_id))
                if other is not found:
                    return invalid(
                        f"Symbol(55)={name.symbol} and SecurityID(48)={name.security_id} "
                        "name different instruments",
                        Subject.INSTRUMENT,
                    )
        if found is None:
            field = "SecurityID(48)" if name.symbol is None else "Symbol(55)"
            return not_found(f"{field}={name.symbol or name.security_id} is unknown", Subject.INSTRUMENT)
        return name.further_contradiction(found) or found

    def first_session(self, user_id: int) -> str | None:
        """The first configured session of the user, which is told of his orders from elsewhere."""
        return next((name for name, session in self.sessions.items() if session.user_id == user_id), None)

    def shares_account(self, user: User, other_id: int) -> bool:
        """Whether the user `other_id` is `user` himself or has an account in common with him."""
        other = self.users.get(other_id)
        return other_id == user.user_id or (
            other is not None and not user.account_ids.isdisjoint(other.account_ids)
        )
