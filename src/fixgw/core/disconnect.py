"""Cancel on disconnect: under which terms a session's orders are canceled when its client is gone."""

from enum import StrEnum

from msgspec import Struct


class CancelOn(StrEnum):
    """Which way of leaving has the orders canceled. A connection that ends without Logout is a disconnect."""

    OFF = "off"
    DISCONNECT = "disconnect"
    LOGOUT = "logout"
    BOTH = "both"


class DisconnectScope(StrEnum):
    """Whose orders: those entered on the session, all of its user, or all in the accounts of its user."""

    SESSION = "session"
    USER = "user"
    ACCOUNT = "account"


class OnDisconnect(Struct, frozen=True, array_like=True):
    """The terms of one session.

    A client that is back within `window_ms` milliseconds calls it off. `on_restart`: our own clean stop
    counts as a disconnect. `may_override`: the client may say otherwise at its Logon.
    """

    cancel_on: CancelOn = CancelOn.OFF
    scope: DisconnectScope = DisconnectScope.SESSION
    window_ms: int = 0
    on_restart: bool = False
    may_override: bool = False

    def fires(self, *, said_goodbye: bool) -> bool:
        """Whether leaving in this way has the orders canceled."""
        way = CancelOn.LOGOUT if said_goodbye else CancelOn.DISCONNECT
        return self.cancel_on in (way, CancelOn.BOTH)


FIELD = "CancelOrdersOnDisconnect(8013)"


def agreed(configured: OnDisconnect, asked: str | None) -> OnDisconnect | str:
    """The terms for a client that asks for `asked` at its Logon, or why it cannot have them.

    Y: its user's orders (or more, where so configured), S: those of the session, N: none; as crypto venues
    use this field. Y and S keep a configured way of leaving, else both ways count.
    """
    if asked is None:
        return configured
    if not configured.may_override:
        return f"{FIELD} is not allowed for this session"
    cancel_on = configured.cancel_on
    if cancel_on is CancelOn.OFF:
        cancel_on = CancelOn.BOTH
    scope = configured.scope
    if asked == "N":
        cancel_on = CancelOn.OFF
    elif asked == "S":
        scope = DisconnectScope.SESSION
    elif asked == "Y":
        scope = DisconnectScope.USER if scope is DisconnectScope.SESSION else scope
    else:
        return f"{FIELD} is neither Y, S nor N"
    return OnDisconnect(
        cancel_on, scope, configured.window_ms, configured.on_restart, configured.may_override
    )
