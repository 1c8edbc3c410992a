"""The forms of a login: a signature, a name and password, a session token; in the payload or in headers."""

import base64
import binascii
from collections.abc import Mapping

from msgspec import Struct

from fixgw.core.errors import Refusal, invalid
from fixgw.edge.api.alphapoint.models import Login
from fixgw.edge.api.alphapoint.views import Body, standard
from fixgw.edge.api.context import Context
from fixgw.edge.api.identity import Identity

HEADER = "aptoken"
SIGNED = ("APIKey", "Signature", "UserId", "Nonce")

FAILED: Body = {"Authenticated": False, "Locked": False, "errormsg": "Invalid username or password"}
"""The reply of a login that failed, whatever was wrong."""


class LoggedIn(Struct, frozen=True):
    """A login that succeeded. The token is a secret."""

    identity: Identity
    token: str

    def __repr__(self) -> str:
        return f"LoggedIn({self.identity!r})"


def from_headers(headers: Mapping[str, str]) -> Login | None:
    """The credentials in the headers of an HTTP request, a signature or HTTP Basic; None: none."""
    signed = {name: headers[name.lower()] for name in SIGNED if name.lower() in headers}
    if signed:
        return Login(**signed)
    scheme, _, word = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(word.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return Login(UserName=name, Password=password) if colon else None


def by_signature(context: Context, asked: Login) -> Identity | None:
    """Whose signature this is; None when it is incomplete or wrong."""
    if asked.APIKey is None or asked.Signature is None or asked.UserId is None or asked.Nonce is None:
        return None
    return context.identities.by_signature(asked.APIKey, asked.UserId, asked.Nonce, asked.Signature)


def _forms(asked: Login) -> int:
    """How many forms of credentials are there, in whole or in part."""
    signed = any(value is not None for value in (asked.APIKey, asked.Signature, asked.UserId, asked.Nonce))
    named = asked.UserName is not None or asked.Password is not None
    return signed + named + (asked.SessionToken is not None)


async def log_in(context: Context, asked: Login, address: str) -> LoggedIn | Refusal | None:
    """Who this is, and the token he has from now on; None when the credentials are wrong.

    A refusal (100) when there are two forms at once, which may not be the same user's.
    """
    if _forms(asked) > 1:
        return invalid(
            "give one of these, not several: APIKey, Signature, UserId and Nonce; UserName and Password; "
            "SessionToken"
        )
    identity = None
    if asked.SessionToken is not None:
        identity = context.tokens.find(asked.SessionToken)
        return None if identity is None else LoggedIn(identity, asked.SessionToken)
    if asked.UserName is not None and asked.Password is not None:
        identity = await context.identities.by_password(asked.UserName, asked.Password, address)
    elif asked.APIKey is not None:
        identity = by_signature(context, asked)
    return None if identity is None else LoggedIn(identity, context.tokens.issue(identity))


def _account_id(context: Context, user_id: int) -> int:
    """The user's default account, or his first where that is on another OMS; 0 when he has none here."""
    directory = context.reference.directory
    user = directory.users.get(user_id)
    if user is None:
        return 0
    here = [
        account_id
        for account_id in sorted(user.account_ids)
        if (account := directory.accounts.get(account_id)) and account.oms_id == context.omses[0]
    ]
    return user.default_account_id if user.default_account_id in here else next(iter(here), 0)


def reply(context: Context, outcome: LoggedIn | Refusal | None) -> Body:
    """The reply to a login."""
    if outcome is None:
        return FAILED
    if isinstance(outcome, Refusal):
        return standard(outcome)
    identity = outcome.identity
    return {
        "Authenticated": True,
        "SessionToken": outcome.token,
        "User": {
            "UserId": identity.user_id,
            "UserName": identity.username,
            "Email": context.reference.email(identity.user_id),
            "EmailVerified": True,
            "AccountId": _account_id(context, identity.user_id),
            "OMSId": context.omses[0],
            "Use2FA": False,
        },
        "Locked": False,
        "Requires2FA": False,
        "EnforceEnable2FA": False,
        "TwoFAType": None,
        "TwoFAToken": None,
        "errormsg": None,
    }
