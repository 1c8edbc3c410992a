"""The rules of the Logon(A): what one is, who may log on, and what of it goes on to the engine.

Whoever is not known to be the client learns nothing but REFUSED, so the order matters: `read` (is this a
Logon of a configured session?), `outsider` (may anybody come from there, with that certificate?; it costs
no password check), `Verifier.check` (the credentials), and only then `problem`, whose reasons may be told.
What has passed goes on as `forwarded`; what has not is answered with `logout`.

Nothing here raises, whatever the bytes. Fields end at SOH, always: the engine reads them so too, as its
dictionary has no fields of data whose length would say where they end.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from fixgw.config_tables import Network, SessionTable, reset_window
from fixgw.core.disconnect import agreed
from fixgw.edge.frames import SOH, sending_time
from fixgw.fix import dictionary
from fixgw.fix.dictionary import Dictionary
from fixgw.fix.framing import message
from fixgw.fix.settings import BEGIN_STRING, HEARTBEAT_RULE, HEARTBEAT_SECONDS, REFUSED, SessionSettings

LOGON_BYTES_MAX = 4_096  # a real one has a few hundred; reading a longer one would only keep others waiting
USER_DEFINED = 5_000  # the first tag that FIX leaves to its users

NEW_PASSWORD = 925  # of a later FIX; it goes no further

_FIELD = re.compile(rb"([1-9][0-9]{0,8})=([^\x01]+)")
_NUMBER = re.compile(rb"-?[0-9]{1,18}")
_TIME = re.compile(r"[0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3,9})?")
_SANE = rb"[\x21-\x7e]{1,64}"

_REQUIRED = (b"49", b"56", b"34", b"52", b"98", b"108", b"553", b"554")
_REPEATED = frozenset({b"372", b"385", b"628", b"629", b"630"})
"""The fields of the groups that a Logon may have, NoMsgTypes(384) and NoHops(627)."""


class Refused(Struct, frozen=True):
    """A Logon that is refused: `why` is for the log alone, `told` for the client."""

    why: str
    told: str = REFUSED


class Claim(Struct, frozen=True):
    """What a Logon claims: who it is, how often to speak (`heartbeat`, in seconds), and whether it `resets`.

    `on_disconnect` is CancelOrdersOnDisconnect(8013). `username` and `password` hold bytes that are no UTF-8
    as surrogates. The password never prints.
    """

    session: str
    username: str
    password: str
    msg_seq_num: int
    heartbeat: int
    resets: bool
    on_disconnect: str | None = None

    def __repr__(self) -> str:
        return f"Claim({self.session!r}, msg_seq_num={self.msg_seq_num}, heartbeat={self.heartbeat})"


def read(frame: bytes, settings: SessionSettings) -> Claim | Refused:
    """What the whole message `frame` claims, when it is a Logon of a session in `settings`."""
    if len(frame) > LOGON_BYTES_MAX:
        return Refused(f"{len(frame)} bytes are too many for a Logon")
    found = _fields(frame)
    if isinstance(found, str):
        return Refused(found)
    if found[b"8"] != BEGIN_STRING.encode():
        return Refused(f"BeginString(8) is {_shown(found[b'8'])}")
    if found[b"35"] != b"A":
        return Refused(f"MsgType(35)={_shown(found[b'35'])} before Logon")
    known = dictionary.load(settings.dictionary)
    for tag in _REQUIRED:
        if tag not in found:
            return Refused(f"{known.label(int(tag))} is missing")
    session, target = _text(found[b"49"]), _text(found[b"56"])
    if session not in settings.sessions:
        return Refused(f"SenderCompID(49)={_shown(found[b'49'])} is not configured")
    if target != settings.of(session, "SenderCompID"):
        return Refused(f"TargetCompID(56)={_shown(found[b'56'])} is not ours")
    if wrong := _misplaced(found, settings, session) or _malformed(found, known):
        return Refused(wrong)
    if not (_NUMBER.fullmatch(found[b"34"]) and _NUMBER.fullmatch(found[b"108"])):
        return Refused("MsgSeqNum(34) or HeartBtInt(108) is no number")  # whatever the dictionary says
    if int(found[b"34"]) <= 0:
        return Refused("MsgSeqNum(34) is not positive")
    if found[b"98"] != b"0":
        return Refused("EncryptMethod(98) is not 0")
    if found.get(b"43") == b"Y":
        return Refused("PossDupFlag(43)=Y on a Logon")
    return Claim(
        session,
        _text(found[b"553"]),
        _text(found[b"554"]),
        int(found[b"34"]),
        int(found[b"108"]),
        found.get(b"141") == b"Y",
        _text(found[b"8013"]) if b"8013" in found else None,
    )


def _fields(frame: bytes) -> dict[bytes, bytes] | str:
    """The fields of `frame` by their tags, or what is wrong with them."""
    *parts, rest = frame.split(SOH)
    if rest:
        return "it does not end with SOH"
    found: dict[bytes, bytes] = {}
    for number, part in enumerate(parts, 1):
        match = _FIELD.fullmatch(part)
        if match is None:
            return f"field number {number} is not tag=value"
        tag, value = match.groups()
        if tag in found and tag not in _REPEATED:
            return f"field {tag.decode()} is there twice"
        found[tag] = value
    tags = list(found)
    if tags[:3] != [b"8", b"9", b"35"] or tags[-1] != b"10":
        return "it does not begin with 8, 9 and 35 and end with 10"
    return found


def _misplaced(found: Mapping[bytes, bytes], settings: SessionSettings, session: str) -> str | None:
    """A field that is not a Logon's, or in a wrong place: QuickFIX would neither answer nor say anything."""
    known = dictionary.load(settings.dictionary)
    takes_unknown = settings.of(session, "AllowUnknownMsgFields") == "Y"
    takes_any_order = settings.of(session, "ValidateFieldsOutOfOrder") == "N"
    parts = (known.header_tags, known.message_tags("A"), known.trailer_tags)
    reached = 0
    for tag in map(int, found):
        part = next((number for number, tags in enumerate(parts) if tag in tags), None)
        if tag == NEW_PASSWORD or (part is None and takes_unknown and tag < USER_DEFINED):
            continue
        if part is None:
            return f"{known.label(tag)} is not a field of a Logon"
        if part < reached and not takes_any_order:
            return f"{known.label(tag)} stands in a wrong part of the message"
        reached = part
    return None


def _malformed(found: Mapping[bytes, bytes], known: Dictionary) -> str | None:
    """A value that its field cannot have. Times may be finer than FIX 4.4 has them: clients send such."""
    for tag, value in found.items():
        field = known.fields.get(int(tag))
        if field is None:
            continue
        if field.type == "UTCTIMESTAMP":
            is_wrong = not _TIME.fullmatch(_text(value))
        else:
            is_wrong = known.value_problem(field.tag, _text(value)) is not None
        if is_wrong:
            return f"the value of {field} is malformed"
    return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _shown(value: bytes) -> str:
    """A value as a log line can take it: short, and in ASCII."""
    return ascii(value[:64].decode("latin-1"))


def outsider(
    session: SessionTable, *, address: str, certificate_names: frozenset[str] | None
) -> Refused | None:
    """Why nobody gets in from this IP `address`, or with a certificate of these names (None: without one)."""
    if not _is_among(address, session.allow_from):
        return Refused("the address is not in allow_from")
    if certificate_names is None:
        if session.client_certificate == "required":
            return Refused("there is no client certificate")
    elif (session.certificate_name or session.comp_id) not in certificate_names:
        return Refused(
            f"the client certificate is that of {', '.join(sorted(certificate_names)) or 'nobody'}"
        )
    return None


def _is_among(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:  # from a socket that takes both
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)


def problem(
    claim: Claim,
    session: SessionTable,
    *,
    address: str,
    certificate_names: frozenset[str] | None,
    now: datetime,
) -> Refused | None:
    """Why a Logon with the right credentials is refused; what is told may be told to their owner only."""
    if refused := outsider(session, address=address, certificate_names=certificate_names):
        return refused
    if claim.heartbeat not in HEARTBEAT_SECONDS:
        return Refused(HEARTBEAT_RULE, HEARTBEAT_RULE)
    terms = agreed(session.on_disconnect, claim.on_disconnect)
    if isinstance(terms, str):
        return Refused(terms, terms)
    if claim.resets and (rule := _reset_rule(session.reset_seq_num_flag, now)):
        return Refused(rule, rule)
    return None


def _reset_rule(policy: str, now: datetime) -> str | None:
    """The rule that ResetSeqNumFlag(141)=Y breaks at this moment."""
    if policy == "allowed":
        return None
    if policy == "refused":
        return "ResetSeqNumFlag(141)=Y is not allowed"
    begin, end = reset_window(policy)
    at = now.astimezone(UTC).time()
    is_within = begin <= at < end if begin < end else at >= begin or at < end
    return (
        None if is_within else f"ResetSeqNumFlag(141)=Y is allowed from {begin:%H:%M} to {end:%H:%M} UTC only"
    )


def forwarded(frame: bytes, secret: str) -> bytes:
    """The Logon `frame` as the engine gets it: with `secret` for a password, and no NewPassword(925)."""
    kept = []
    for part in frame.split(SOH):
        tag = part.partition(b"=")[0]
        if tag == b"554":
            kept.append(b"554=" + secret.encode())
        elif part and tag not in (b"8", b"9", b"10", b"925"):
            kept.append(part)
    return _framed(kept)


def logout(frame: bytes, text: str) -> bytes:
    """A Logout(5) that answers the Logon `frame`; empty when it names nobody who could be answered."""
    start = frame[:LOGON_BYTES_MAX]
    sender, target = (re.search(SOH + tag + b"=(" + _SANE + b")" + SOH, start) for tag in (b"49", b"56"))
    if sender is None or target is None:
        return b""
    said = text.replace("\x01", " ").encode("ascii", "replace")
    return _framed(
        [
            b"35=5",
            b"34=1",
            b"49=" + target[1],
            b"52=" + sending_time(),
            b"56=" + sender[1],
            b"58=" + said,
        ]
    )


def _framed(parts: list[bytes]) -> bytes:
    return message(BEGIN_STRING.encode(), b"".join(part + SOH for part in parts))
