"""Calls for reference data: instruments, enumerations, accounts."""

from fixgw.core.directory import OmsName
from fixgw.core.errors import Refusal, invalid
from fixgw.core.requests import OrderHistory
from fixgw.edge.api.alphapoint import listing, models
from fixgw.edge.api.alphapoint.asking import EVERYTHING, Ask, Caller, oms_id_of
from fixgw.edge.api.alphapoint.views import standard
from fixgw.engine.turn import Answered


def ping(_: Caller, __: models.Nothing) -> object:
    """Whether somebody is there."""
    return {"msg": "PONG"}


def get_products(caller: Caller, asked: models.GetProducts) -> object:
    """What instruments trade, and what for."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    return listing.products(caller.context.reference.directory, oms_id, asked.ProductId)


def get_instruments(caller: Caller, asked: models.GetInstruments) -> object:
    """The instruments."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    return listing.instruments(caller.context.reference.directory, oms_id, asked.InstrumentId)


def get_enums(_: Caller, __: models.Nothing) -> object:
    """The enumerations, with the numbers that requests use and the names that replies use."""
    return listing.enumerations()


def get_user_accounts(caller: Caller, asked: models.GetUserAccounts) -> object:
    """The ids of the accounts of a user; of an operator, all that there are. The engine says who may know."""
    context = caller.context
    oms_id = oms_id_of(context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    owner_id = asked.UserId or caller.user_id

    def accounts(_: Answered) -> object:
        names = (context.reference.user_name(owner_id).lower(), context.reference.email(owner_id).lower())
        if asked.UserName is not None and asked.UserName.lower() not in names:
            return standard(invalid(f"UserName is not the name of the user {owner_id}"))
        directory = context.reference.directory
        user = directory.users.get(owner_id)
        known = directory.accounts.values()
        own = frozenset() if user is None else user.account_ids
        if user is not None and user.is_operator:
            own = frozenset(account.account_id for account in known)
        return sorted(one.account_id for one in known if one.oms_id == oms_id and one.account_id in own)

    return Ask(_may_see(caller, oms_id, owner_id=owner_id), accounts)


def get_account_info(caller: Caller, asked: models.OfAccount) -> object:
    """What is known of an account."""
    oms_id = oms_id_of(caller.context, asked.OMSId)
    if isinstance(oms_id, Refusal):
        return standard(oms_id)
    body = {
        "OMSID": oms_id,
        "AccountId": asked.AccountId,
        "AccountName": caller.context.reference.account_name(asked.AccountId),
        "AccountHandle": None,
        "FirmId": None,
        "FirmName": None,
        "AccountType": "Asset",
        "FeeGroupID": 0,
        "ParentID": 0,
        "RiskType": "Normal",
        "VerificationLevel": 0,
        "FeeProductType": "BaseProduct",
        "FeeProduct": 0,
        "RefererId": 0,
        "SupportedVenueIds": [],
    }
    return may_see_account(caller, asked, body)


def may_see_account(caller: Caller, asked: models.OfAccount, body: object) -> Ask:
    """Asks whether this account is within the caller's reach; `body` is the reply if it is.

    The edge decides nothing: the engine is asked for the orders of the account, and one is enough.
    """
    return Ask(_may_see(caller, asked.OMSId, account_id=asked.AccountId), lambda _: body)


def _may_see(
    caller: Caller, oms_id: int, *, account_id: int | None = None, owner_id: int | None = None
) -> OrderHistory:
    return OrderHistory(
        user_id=caller.user_id,
        oms=OmsName(oms_id),
        scope=EVERYTHING,
        account_id=account_id,
        owner_id=owner_id,
        most=1,
    )
