"""Attacks of peers who never log on. Rates are a second's; what the peers hold is bounded by the gateway."""

import random
import time
from contextlib import suppress
from pathlib import Path

from fixgw.fix.settings import REFUSED
from tests.edge.attack import (
    NORMAL,
    Crowd,
    Lab,
    frame,
    header,
    heard,
    is_closed,
    logon,
    messages,
    paced,
)
from tests.gateway import until

VICTIM = "TRADER37"  # whose name the attackers use
PEERS = 20  # as many as one address may have before Logon
LOGON_SECONDS = 1  # of the gateways that are attacked: the least that can be configured
BLOCK = 16_384  # bytes sent at one time
AT_ONCE_SECONDS = 1.0  # a Logon that waits for nobody, on a busy machine

DATA_FIELDS = (
    *((b"95=" + length, b"96=x") for length in (b"-5", b"0", b"2", b"65536", b"2147483647", b"4294967295")),
    (b"95=-2147483648", b"96="),
    (b"90=-1", b"91=x"),
    (b"93=999999999", b"89=x"),
    (b"212=-9", b"213=x"),
    (b"354=-1", b"355=x"),
    (b"95=18446744073709551615", b"96=x"),
)
"""RawData(96), SecureData(91), Signature(89), XmlData(213), EncodedText(355), with lengths that are wrong."""

FIRST_MESSAGES = (
    frame(*header(b"0", VICTIM)),
    frame(*header(b"1", VICTIM), b"112=hello"),
    frame(*header(b"2", VICTIM), b"7=1", b"16=0"),
    frame(*header(b"2", VICTIM), b"7=0", b"16=0"),
    frame(*header(b"3", VICTIM), b"45=1"),
    frame(*header(b"5", VICTIM)),
    frame(*header(b"D", VICTIM), b"11=x", b"55=BTC-USD", b"54=1", b"38=1", b"40=1"),
    frame(*header(b"q", VICTIM), b"11=x", b"530=7"),
    frame(*header(b"ZZ", VICTIM)),
    frame(b"35=", b"49=" + VICTIM.encode()),
    frame(b"35=A"),
)


def reset(seq_num: int, new_seq_no: bytes, *more: bytes) -> bytes:
    """A SequenceReset."""
    return frame(*header(b"4", VICTIM, seq_num), *more, b"36=" + new_seq_no)


SEQUENCE_RESETS = tuple(
    reset(seq_num, new, *more)
    for seq_num in (1, 2, 999_999_999)
    for new in (b"1", b"0", b"-1", b"2147483647", b"99999999999999999999")
    for more in ((), (b"123=Y",), (b"123=N",), (b"43=Y", b"122=20240101-00:00:00"))
)


def _send(lab: Lab, seconds: float, rate: float, *firsts: bytes) -> None:
    """First messages, one on each connection; whatever is answered is a Logout that tells nothing."""
    source = lab.address()
    with Crowd(lab.way, PEERS) as crowd:
        for number in paced(seconds, rate):
            crowd.join(source).sendall(firsts[number % len(firsts)])
        last = crowd.join(lab.address())
        last.sendall(firsts[0])
        answer = heard(last)
        assert answer
        refused(answer)
        for connection in crowd.connections:
            if connection is not last:
                refused(heard(connection, 0.01))


def refused(data: bytes) -> None:
    """Assert that this is nothing, or the Logout that everybody gets."""
    for message in messages(data):
        assert {tag for tag, _ in message.pairs} == {8, 9, 35, 34, 49, 52, 56, 58, 10}, message
        assert (message.type, message[58], message[34]) == ("5", REFUSED, "1"), message


def data_fields(lab: Lab, seconds: float) -> None:
    """Logons with data fields whose length is negative or huge, 40 a second (a crash of QuickFIX)."""
    _send(lab, seconds, 40, *(logon(VICTIM, *fields) for fields in DATA_FIELDS))


def sequence_resets(lab: Lab, seconds: float) -> None:
    """SequenceResets with low, huge and malformed NewSeqNo(36), 40 a second (a crash of QuickFIX)."""
    _send(lab, seconds, 40, *SEQUENCE_RESETS)


def first_messages(lab: Lab, seconds: float) -> None:
    """Every other type of message before Logon, ResendRequest(2) for everything among them, 40 a second."""
    _send(lab, seconds, 40, *FIRST_MESSAGES)


def non_ascii(lab: Lab, seconds: float) -> None:
    """Logons with bytes that are no ASCII, and no UTF-8, in each field, 40 a second."""
    rubbish = b"\xff\xfe\x80\x00\xc3\x28\xe2\x82"
    good = logon(VICTIM, b"58=x").split(b"\x01")[2:-2]
    logons = []
    for index in range(len(good)):
        fields = list(good)
        fields[index] = fields[index].partition(b"=")[0] + b"=" + rubbish
        logons.append(frame(*fields))
        fields[index] = rubbish + b"=x"
        logons.append(frame(*fields))
    _send(lab, seconds, 40, *logons, frame(*good, begin_string=rubbish))


def soh_injection(lab: Lab, seconds: float) -> None:
    """Logons whose text fields end early, with other fields behind, 40 a second."""
    injected = (b"58=injected", b"35=8", b"49=OPERATOR1", b"56=OPERATOR1", b"10=000", b"8=FIX.4.4")
    logons = []
    for field in injected:
        logons.append(logon(VICTIM, field))
        logons.append(frame(field, *header(b"A", VICTIM)))
        logons.append(frame(*header(b"A", VICTIM + "\x01" + field.decode()), b"98=0", b"108=30"))
        logons.append(frame(*header(b"D", VICTIM), b"11=x\x01" + field))
    _send(lab, seconds, 40, *logons)


def dribble(lab: Lab, seconds: float) -> None:
    """Peers that send a Logon byte by byte, 500 bytes a second together; each is cut off at its deadline."""
    began = time.monotonic()
    message = logon(VICTIM)
    with Crowd(lab.way, PEERS) as crowd:
        peers = [crowd.join() for _ in range(PEERS // 2)]
        for number in paced(seconds, 500):
            position = number // len(peers) % len(message)
            with suppress(ConnectionError):  # it is over for this one
                peers[number % len(peers)].sendall(message[position : position + 1])
        for peer in peers:
            assert is_closed(peer, LOGON_SECONDS + 2)
            assert time.monotonic() - began < max(seconds, LOGON_SECONDS) + 2


def _pour(lab: Lab, seconds: float, begin: bytes, block: bytes) -> None:
    """Each peer sends `begin`, and then `block` for ever: 64 a second, and the next one when it is closed."""
    with Crowd(lab.way, PEERS) as crowd:
        peer = crowd.join()
        peer.sendall(begin)
        for _ in paced(seconds, 64):
            try:
                peer.sendall(block)
            except ConnectionError:
                peer = crowd.join()
                peer.sendall(begin)
        peer = crowd.join()
        peer.sendall(begin)
        with suppress(ConnectionError):
            for _ in range(1_048_576 // len(block)):
                peer.sendall(block)
        assert not heard(peer, LOGON_SECONDS + 2)
        assert is_closed(peer, 0.01)


def giant_body_length(lab: Lab, seconds: float) -> None:
    """Messages of a gigabyte, as their BodyLength(9) says, a megabyte a second."""
    for length in (b"1073741824", b"999999", b"65600"):
        begin = b"8=FIX.4.4\x019=" + length + b"\x0135=A\x01"
        _pour(lab, seconds / 3, begin, b"58=" + b"x" * BLOCK + b"\x01")


def garbage(lab: Lab, seconds: float) -> None:
    """A megabyte a second in which no message begins."""
    noise = random.Random(4).randbytes(BLOCK).replace(b"8=", b"??")
    _pour(lab, seconds / 2, b"", noise)
    _pour(lab, seconds / 2, b"", b"\x01" * BLOCK)


def false_blocks() -> list[bytes]:
    """Blocks in which a message seems to begin everywhere, and none is one.

    In the last, each message is inside of others, and all but the CheckSum(10) of each is right.
    """
    parts = [b"8=FIX", b"8=FIX.4.4\x019=", b"8=FIX.4.4\x019=5\x0135=A\x01"]
    nested = b"8=FIX.4.4\x019=%05d\x0135=A\x0110=000\x01"
    size = len(nested % 0)
    parts.append(nested % (60_000 // size * size - len(b"8=FIX.4.4\x019=00000\x01") - len(b"10=000\x01")))
    return [part * (BLOCK // len(part)) for part in parts]


def false_beginnings(lab: Lab, seconds: float) -> None:
    """A megabyte a second in which messages seem to begin, and none is one."""
    for block in false_blocks():
        _pour(lab, seconds / 4, b"", block)


def idle(lab: Lab, seconds: float) -> None:
    """Connections that say nothing, 100 a second; the oldest makes room, and none outlives the deadline."""
    with Crowd(lab.way) as crowd:
        for _ in paced(seconds, 100):
            crowd.join()
        assert all(is_closed(peer, LOGON_SECONDS + 2) for peer in crowd.connections)


def wrong_passwords(lab: Lab, seconds: float) -> None:
    """15 a second, from the address of somebody who knows his: he gets in at once, five times a second.

    More would fill one of two cores with argon2, though at the lowest priority.
    """
    owner = lab.way.client(VICTIM)
    with Crowd(lab.way) as crowd:
        for number in paced(seconds, 20):
            if number % 4:
                crowd.join().sendall(logon((VICTIM, NORMAL)[number % 2], password=f"guess{number}"))
                continue
            began = time.monotonic()
            assert owner.logon(reset=True).type == "A"
            assert time.monotonic() - began < AT_ONCE_SECONDS
            owner.logout()
        for connection in list(crowd.connections)[-PEERS:]:
            refused(heard(connection, 0.01))


def _store(lab: Lab) -> dict[Path, bytes]:
    """What QuickFIX keeps of the victim's session."""
    return {path: path.read_bytes() for path in (lab.gateway.data / "fix").glob(f"*-{VICTIM}.*")}


def _is_still(lab: Lab) -> bool:
    """Whether nothing is written to the store for a moment: the end of a Logout is, after its answer."""
    before = _store(lab)
    time.sleep(0.1)
    return _store(lab) == before


def resets_without_password(lab: Lab, seconds: float) -> None:
    """141=Y with a wrong password, or none, 30 a second: QuickFIX's store is not touched, nor any number."""
    owner = lab.way.client(VICTIM)
    owner.logon(reset=True)
    owner.rest()
    owner.logout()
    until(lambda: bool(_store(lab)) and _is_still(lab))
    before = _store(lab)
    logons = [logon(VICTIM, b"141=Y", seq_num=seq_num) for seq_num in (1, 2, 1_000)]
    logons.append(frame(*header(b"A", VICTIM), b"98=0", b"108=30", b"141=Y"))
    logons.append(frame(*header(b"A", VICTIM), b"98=0", b"108=30", b"553=TRADER37", b"554=", b"141=Y"))
    _send(lab, seconds, 30, *logons)
    assert _store(lab) == before
    assert owner.logon().type == "A"  # without a reset
    owner.rest()
    owner.logout()


def flood(lab: Lab, seconds: float) -> None:
    """200 connections a second that say nothing, none is closed by us: more than there are descriptors.

    Somebody who logs on at once gets in meanwhile.
    """
    owner = lab.way.client(VICTIM)
    with Crowd(lab.way) as crowd:
        for number in paced(seconds, 200):
            crowd.join(f"127.0.1.{number % 250 + 1}")
        began = time.monotonic()
        assert owner.logon(reset=True).type == "A"
        assert time.monotonic() - began < AT_ONCE_SECONDS
        owner.logout()


def flood_of_known(lab: Lab, seconds: float) -> None:
    """100 connections a second, each with the right password for a session that is logged on already."""
    owner, other = lab.way.client(VICTIM), lab.way.client(NORMAL)
    owner.logon(reset=True)
    right = logon(VICTIM, password=owner.password)
    with Crowd(lab.way) as crowd:
        for _ in paced(seconds, 100):
            crowd.join().sendall(right)
        began = time.monotonic()
        assert other.logon(reset=True).type == "A"
        assert time.monotonic() - began < AT_ONCE_SECONDS
        other.logout()
    owner.logout()


EVERY = (
    data_fields,
    sequence_resets,
    first_messages,
    non_ascii,
    soh_injection,
    dribble,
    giant_body_length,
    garbage,
    false_beginnings,
    idle,
    wrong_passwords,
    resets_without_password,
)
"""All but the floods, which need a gateway that may have few descriptors."""

LOGON_DEADLINE = ("logon_seconds = 10", f"logon_seconds = {LOGON_SECONDS}")
MANY = (
    ("connections_max = 1000", "connections_max = 2000"),
    ("before_logon_max = 100", "before_logon_max = 1000"),
    ("before_logon_per_address_max = 20", "before_logon_per_address_max = 1000"),
)
"""Edits with which the descriptors end before any limit of the configuration."""
FEW_DESCRIPTORS = 128
