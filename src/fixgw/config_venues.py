"""What can be wrong with [[venue]]: whom it names, what it needs to log in, and where it may send secrets."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from fixgw.config_tables import AccountTable, InstrumentTable, OmsTable, VenueTable
from fixgw.core.directory import EMBEDDED
from fixgw.secret_text import SecretError, secret_text

_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "alphapoint": (("api_key", "api_secret", "user_id"), ("username", "password")),
    "coinapi_ems": (("api_key",),),
    "openalgo": (("api_key",),),
}
"""What each kind needs to log in: all of one of these."""


def venue_problems(
    path: Path,
    venues: Sequence[VenueTable],
    omses: Sequence[OmsTable],
    accounts: Sequence[AccountTable],
    instruments: Sequence[InstrumentTable],
) -> Iterator[str]:
    """Every mistake in the venues, and in the OMSes that are on them; `path` is the configuration's."""
    by_name = {venue.name: venue for venue in venues}
    if EMBEDDED in by_name:
        yield f"[[venue]] {EMBEDDED} name: is the embedded venue's"
    for oms in omses:
        if oms.venue != EMBEDDED and oms.venue not in by_name:
            yield f"[[oms]] {oms.id} venue: there is no [[venue]] {oms.venue}"
    for venue in venues:
        where = f"[[venue]] {venue.name}"
        served = [oms for oms in omses if oms.venue == venue.name]
        if len(served) != 1:
            yield f"{where}: exactly one [[oms]] must have venue = {venue.name!r}, and {len(served)} have"
            continue
        yield from _check_names(where, venue, served[0], accounts, instruments)
        yield from _check_login(where, venue, path)


def _check_names(
    where: str,
    venue: VenueTable,
    oms: OmsTable,
    accounts: Sequence[AccountTable],
    instruments: Sequence[InstrumentTable],
) -> Iterator[str]:
    here = {account.id for account in accounts if account.oms == oms.id}
    for account_id in venue.accounts:
        if account_id not in here:
            yield f"{where} accounts: account {account_id} is not one of OMS {oms.id}"
    for account_id in sorted(here - venue.accounts.keys()):
        yield f"{where} accounts: account {account_id} of OMS {oms.id} is missing"
    symbols = {instrument.symbol for instrument in instruments if instrument.oms == oms.id}
    for symbol in venue.instruments:
        if symbol not in symbols:
            yield f"{where} instruments: {symbol} is not one of OMS {oms.id}"
    for symbol in sorted(symbols - venue.instruments.keys()):
        yield f"{where} instruments: {symbol} of OMS {oms.id} is missing"
    for key, names in (("accounts", venue.accounts.values()), ("instruments", venue.instruments.values())):
        listed = list(names)
        for name in sorted({name for name in listed if listed.count(name) > 1}):
            yield f"{where} {key}: {name} is there {listed.count(name)} times"
    if venue.kind == "openalgo" and len(venue.accounts) > 1:
        yield f"{where} accounts: an OpenAlgo key has one account, and {len(venue.accounts)} are named"
    for symbol, name in venue.instruments.items():
        if venue.kind == "openalgo" and not venue.oms and ":" not in name:
            yield f"{where} instruments: {symbol} has no exchange: write EXCHANGE:{name}, or give oms"
    if venue.kind != "openalgo" and not venue.oms:
        yield f"{where} oms: is missing: the venue's own name or number of the OMS or exchange"
    if venue.kind == "coinapi_ems" and "/" in venue.oms:
        yield f"{where} oms: {venue.oms} has an account in it: what follows the / belongs in accounts"
    if venue.kind == "alphapoint":
        yield from _check_numbers(where, venue)


def _check_numbers(where: str, venue: VenueTable) -> Iterator[str]:
    """AlphaPoint names everything by numbers."""
    for key, names in (
        ("oms", [venue.oms]),
        ("accounts", venue.accounts.values()),
        ("instruments", venue.instruments.values()),
    ):
        for name in names:
            if name and not (name.isascii() and name.isdecimal() and name == str(int(name[:20]))):
                yield f"{where} {key}: {name} is not a number, as an AlphaPoint venue has it"


def _check_login(where: str, venue: VenueTable, path: Path) -> Iterator[str]:
    given = set()
    for key in ("password", "api_key", "api_secret"):
        secret = getattr(venue, key)
        if not secret.get_secret_value():
            continue
        given.add(key)
        try:
            secret_text(secret, path.parent)
        except SecretError as error:
            yield f"{where} {key}: {error}"
    given |= {key for key in ("username", "user_id") if getattr(venue, key)}
    ways = _NEEDED[venue.kind]
    if not any(given.issuperset(way) for way in ways):
        yield f"{where}: to log in it needs {' or '.join(' and '.join(way) for way in ways)}"
    for key in ("url", "ws_url"):
        url = urlsplit(getattr(venue, key))
        if url.scheme in ("http", "ws") and not _is_here(url.hostname or ""):
            yield f"{where} {key}: would send secrets without TLS to {url.hostname}: use {url.scheme}s"


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
