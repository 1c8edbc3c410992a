"""Attacks on a port that speaks TLS. Rates are a second's."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from fixgw import certificates
from tests.edge.attack import NORMAL, Crowd, Lab, heard, is_closed, logon, paced
from tests.edge.before_logon import LOGON_DEADLINE, LOGON_SECONDS, PEERS, VICTIM, refused

NEIGHBOUR = "TRADER38"  # who has a certificate of his own
TLS_ALERT = 21  # the first byte of a TLS record that says why (RFC 8446, 5.1)

PLAIN = (
    logon(VICTIM, password="trader37-demo"),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x00" * 4_096,
    b"\x16\x03\x01\xff\xff" + b"x" * 4_096,
)
"""What is no TLS: FIX, HTTP, nothing, and a record that is none."""

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 32


def prepared(directory: Path) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """Certificates, in a directory in `directory`, and the edits of a configuration that has them."""
    now = datetime.now(UTC)
    made, other = directory / "certificates", directory / "certificates" / "other"
    certificates.make(made, [], [VICTIM, NEIGHBOUR], now)
    certificates.make(other, [], [VICTIM], now)
    edits = (
        LOGON_DEADLINE,
        ('certificate = ""\nkey = ""', f'certificate = "{made}/server.pem"\nkey = "{made}/server.key"'),
        ('client_ca = ""', f'client_ca = "{made}/ca.pem"'),
        ('client_certificate = "optional"', 'client_certificate = "required"'),  # the victim's
    )
    return made, edits


def plain_bytes(lab: Lab, seconds: float) -> None:
    """Bytes that are no TLS, 60 connections a second: nothing comes back but an alert."""
    with Crowd(lab.way, PEERS) as crowd:
        for number in paced(seconds, 60):
            crowd.join().sendall(PLAIN[number % len(PLAIN)])
        for plain in PLAIN[:2]:
            peer = crowd.join()
            peer.sendall(plain)
            answer = heard(peer, LOGON_SECONDS + 2)
            assert b"8=FIX" not in answer
            assert not answer or answer[0] == TLS_ALERT
            assert is_closed(peer, 0.01)


def unfinished_handshakes(lab: Lab, seconds: float) -> None:
    """Handshakes that are begun, byte by byte and at once, and never finished, 40 a second."""
    with Crowd(lab.way) as crowd:
        for number in paced(seconds, 40):
            peer = crowd.join()
            if number % 2:
                peer.sendall(CLIENT_HELLO)
            else:
                peer.sendall(CLIENT_HELLO[: number % len(CLIENT_HELLO)])
        assert all(is_closed(peer, LOGON_SECONDS + 2) for peer in crowd.connections)


def handshakes(lab: Lab, seconds: float) -> None:
    """Whole handshakes, and nothing behind them, 20 a second."""
    peers = []
    for _ in paced(seconds, 20):
        peers.append(lab.keep(lab.way.connect()))
    assert all(is_closed(peer, LOGON_SECONDS + 2) for peer in peers[-PEERS:])


def others_certificates(lab: Lab, seconds: float) -> None:
    """Logons with the right password and the wrong certificate, or none, 15 a second."""
    source = lab.address()
    right = logon(VICTIM, password="trader37-demo")
    for number in paced(seconds, 15):
        certificate = ("", NEIGHBOUR)[number % 2]
        peer = lab.keep(lab.way.connect(source, certificate))
        peer.sendall(right)
    for certificate in ("", NEIGHBOUR):
        peer = lab.keep(lab.way.connect(lab.address(), certificate))
        peer.sendall(right)
        answer = heard(peer)
        assert answer
        refused(answer)
    peer = lab.keep(lab.way.connect(lab.address(), NEIGHBOUR))
    peer.sendall(logon(NORMAL, password="operator1-demo"))  # whose session asks for none: it has to be his
    refused(heard(peer))
    _from_another_ca(lab)
    owner = lab.way.client(VICTIM)
    assert owner.logon(reset=True).type == "A"
    owner.logout()


def _from_another_ca(lab: Lab) -> None:
    """The victim's name in a certificate that somebody else signed: no handshake."""
    assert lab.way.certificates is not None
    context = ssl.create_default_context(cafile=lab.way.certificates / "ca.pem")
    file = lab.way.certificates / "other" / f"client-{VICTIM}.pem"
    context.load_cert_chain(file, file.with_suffix(".key"))
    peer = lab.keep(lab.way.plain(lab.address()))
    try:
        secured = lab.keep(context.wrap_socket(peer, server_hostname="localhost"))
        secured.sendall(logon(VICTIM, password="trader37-demo"))
        answer = heard(secured)
    except OSError:  # of which ssl.SSLError is one
        return
    assert not answer


EVERY = (plain_bytes, unfinished_handshakes, handshakes, others_certificates)
