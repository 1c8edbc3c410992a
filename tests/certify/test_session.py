"""Sessions of the kit against one another: an initiator and an acceptor, on one connection."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from fixgw.certify.message import Message, encode
from fixgw.certify.session import Identity, Session, Silent, WireError
from fixgw.certify.wire import Wire
from fixgw.fix.dictionary import load
from tests.certify.build import PATIENCE_SECONDS, message


class Both(NamedTuple):
    """Both sides, and what they have said."""

    wire: Wire
    client: Session
    venue: Session

    def connect(self) -> None:
        """Give them a new connection."""
        one, other = socket.socketpair()
        self.client.open(one)
        self.venue.open(other)

    def log_on(self, *pairs: tuple[int, str]) -> tuple[Message, Message]:
        """Connect and log on: the Logon(A) of each."""
        self.connect()
        self.client.logon(pairs)
        asked = self.venue.receive(PATIENCE_SECONDS, wanted="A")
        self.venue.logon()
        return asked, self.client.receive(PATIENCE_SECONDS, wanted="A")

    def types(self, role: str) -> str:
        """The MsgTypes that a role has received."""
        heard = [one.raw for one in self.wire.heard if one.role == role and not one.is_sent and one.raw]
        return " ".join(message(raw.rstrip("\x01").replace("\x01", "|")).type for raw in heard)


@pytest.fixture
def both() -> Iterator[Both]:
    """A client and a venue that do not know one another yet."""
    wire = Wire()
    client = Identity("T1", "VENUE", "t1", "secret-t1")
    venue = Identity("VENUE", "T1", is_acceptor=True)
    sides = Both(wire, Session("CLIENT", client, wire), Session("VENUE", venue, wire))
    yield sides
    sides.client.close()
    sides.venue.close()


def order(cl_ord_id: str) -> list[tuple[int, str]]:
    return [(35, "D"), (11, cl_ord_id)]


def test_a_logon_and_its_answer(both: Both) -> None:
    """The Logon has name and password; the answer repeats HeartBtInt and ResetSeqNumFlag."""
    asked, answered = both.log_on((108, "7"), (141, "Y"))
    assert (asked.get(553), asked.get(554), asked.get(108), asked.get(141)) == ("t1", "secret-t1", "7", "Y")
    assert (answered.get(49), answered.get(108), answered.get(141)) == ("VENUE", "7", "Y")
    assert both.client.is_logged_on
    assert both.venue.is_logged_on
    assert [(one.sent, one.expected) for one in (both.client, both.venue)] == [(2, 2), (2, 2)]


def test_messages_are_whole_and_numbered(both: Both) -> None:
    """The header first, BodyLength and CheckSum right, MsgSeqNum one after another."""
    both.log_on()
    for name in ("a", "b"):
        both.client.send([*order(name), (97, "Y")])
    for number, name in ((2, "a"), (3, "b")):
        came = both.venue.receive(PATIENCE_SECONDS)
        assert (came.number(34), came.get(11)) == (number, name)
        wrong = load().validate(came.raw)
        assert not [
            problem for problem in wrong if "Length" in problem or "Sum" in problem or "header" in problem
        ]


def test_what_is_wrong_on_purpose_is_sent_as_it_is() -> None:
    """BodyLength, CheckSum and the header's fields."""
    good = encode([(35, "0"), (8, "FIX.4.4"), (112, "x")])
    assert encode([(35, "0"), (8, "FIX.4.4"), (10, "000"), (112, "x")]) == good[:-4] + b"000\x01"
    short = encode([(35, "0"), (8, "FIX.4.2"), (9, "3"), (112, "x")])
    assert short.startswith(b"8=FIX.4.2\x019=3\x0135=0\x01112=x\x0110=")
    assert int(short[-4:-1]) == sum(short[:-7]) % 256


def test_a_test_request_is_answered_while_somebody_else_is_waited_for(both: Both) -> None:
    """`drain` proves that nothing is on its way, and gives what was."""
    both.log_on()
    assert both.client.drain(PATIENCE_SECONDS) == []
    both.venue.send([(35, "8"), (37, "1")])
    both.venue.send([(35, "3"), (45, "1")])
    assert [came.type for came in both.client.drain(PATIENCE_SECONDS)] == ["8", "3"]
    with pytest.raises(Silent):
        both.client.receive(0.01)


def test_what_is_missing_is_asked_for(both: Both) -> None:
    """After a gap: a ResendRequest, the messages with PossDupFlag=Y in their order, a gap for the others."""
    both.log_on()
    both.venue.close()
    for name in ("a", "b"):
        both.venue.send([(35, "8"), (11, name)])
    with pytest.raises(WireError, match="no connection"):
        both.venue.send([(35, "0")])
    both.log_on()
    assert [both.client.receive(PATIENCE_SECONDS).get(11) for _ in "ab"] == ["a", "b"]
    both.client.drain(PATIENCE_SECONDS)
    assert both.client.expected == both.venue.sent
    assert both.types("VENUE").split().count("2") == 1
    assert "4" in both.types("CLIENT").split()


def test_a_part_that_is_asked_for_by_hand_comes_as_old(both: Both) -> None:
    """A resend of what was received already is passed over, unless it is asked for."""
    both.log_on()
    for name in ("a", "b", "c"):
        both.venue.send([(35, "8"), (11, name)])
        both.client.receive(PATIENCE_SECONDS)
    both.client.send([(35, "2"), (7, "3"), (16, "3")])
    came = both.client.receive(PATIENCE_SECONDS, is_old=True)
    assert (came.get(11), came.get(34), came.get(43)) == ("b", "3", "Y")
    assert came.get(122)
    assert both.client.drain(PATIENCE_SECONDS) == []


def test_a_number_of_ones_own_moves_the_next_one_upward_only(both: Both) -> None:
    """34 above the next one leaves a gap, which is filled when it is asked for; below it changes nothing."""
    both.log_on()
    both.client.send([*order("a"), (34, "9")])
    assert both.client.sent == 10
    assert both.venue.receive(PATIENCE_SECONDS).get(11) == "a"
    both.client.send([*order("b"), (34, "3"), (43, "Y")])
    assert both.client.sent == 10
    assert both.venue.receive(PATIENCE_SECONDS, is_old=True).get(11) == "b"


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        (((34, "1"),), r"MsgSeqNum\(34\) is 1, 2 is expected"),
        (((49, "STRANGE"),), r"are STRANGE and T1, not VENUE and T1"),
    ],
)
def test_a_broken_rule_ends_the_session(both: Both, pairs: tuple[tuple[int, str], ...], problem: str) -> None:
    """A number that is too low, or names that are not ours: the connection is closed, and why is said."""
    both.log_on()
    both.venue.send([(35, "8"), *pairs])
    with pytest.raises(WireError, match=problem):
        both.client.receive(PATIENCE_SECONDS)
    assert not both.client.is_open


def test_bytes_that_are_no_fix_end_the_session(both: Both) -> None:
    """Neither a crash nor a silence."""
    line, other = socket.socketpair()
    with other:
        both.client.open(line)
        other.sendall(b"HTTP/1.1 400 Bad Request\r\nx=1\x01")
        with pytest.raises(WireError, match="no FIX message"):
            both.client.receive(PATIENCE_SECONDS)


def test_a_sequence_reset_moves_what_is_expected(both: Both) -> None:
    """Reset mode: whatever its own number is."""
    both.log_on()
    both.venue.send([(35, "4"), (34, "1"), (36, "20")])
    assert both.client.receive(PATIENCE_SECONDS, wanted="4").get(36) == "20"
    assert both.client.expected == 20


def test_a_logout_is_answered_once(both: Both) -> None:
    """By the other side, and not again by this one; then the connection is closed."""
    both.log_on()
    both.client.send([(35, "5")])
    assert both.client.receive(PATIENCE_SECONDS).type == "5"
    assert both.venue.receive(PATIENCE_SECONDS).type == "5"
    both.client.close()
    with pytest.raises(WireError, match="the connection is closed"):
        both.venue.receive(PATIENCE_SECONDS)
    assert both.types("VENUE") == "A 5"


def test_heartbeats_go_out_while_nothing_is_said(both: Both) -> None:
    """After HeartBtInt seconds without a message."""
    both.log_on((108, "1"))
    came = both.client.receive(PATIENCE_SECONDS, wanted="0")
    assert came.type == "0"
    assert came.get(112) is None
