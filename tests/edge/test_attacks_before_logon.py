"""Attacks by those who never log on: nobody else notices, and nothing of them stays."""

import sys
import time
from collections.abc import Iterator

import pytest

from tests.edge import before_logon
from tests.edge.attack import Crowd, Lab, logon


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The gateway of the file, with the shortest deadline for a Logon."""
    with Lab(tmp_path_factory.mktemp("lab"), before_logon.LOGON_DEADLINE) as running:
        yield running


@pytest.fixture(scope="module")
def small_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A gateway that may have few descriptors, and would like many connections."""
    limit = f"--nofile={before_logon.FEW_DESCRIPTORS}"
    command = ("prlimit", limit, sys.executable, "-m", "fixgw")
    edits = before_logon.MANY
    with Lab(tmp_path_factory.mktemp("small"), *edits, command=command) as running:
        yield running


def test_logons_with_data_fields_of_negative_and_huge_length(lab: Lab) -> None:
    """QuickFIX crashes by them (trap 1)."""
    lab.withstands(before_logon.data_fields)


def test_sequence_resets(lab: Lab) -> None:
    """QuickFIX crashes by a low NewSeqNo(36) before Logon (trap 2)."""
    lab.withstands(before_logon.sequence_resets)


def test_messages_of_every_type(lab: Lab) -> None:
    """Nothing but a Logon is looked at."""
    lab.withstands(before_logon.first_messages)


def test_bytes_that_are_no_ascii(lab: Lab) -> None:
    """Nothing of them comes back."""
    lab.withstands(before_logon.non_ascii)


def test_fields_behind_an_injected_soh(lab: Lab) -> None:
    """Nothing of them comes back."""
    lab.withstands(before_logon.soh_injection)


def test_peers_that_dribble_bytes(lab: Lab) -> None:
    """They freeze QuickFIX (trap 5)."""
    lab.withstands(before_logon.dribble)


def test_a_giant_body_length(lab: Lab) -> None:
    """QuickFIX waits for it, and keeps what has come (trap 5)."""
    lab.withstands(before_logon.giant_body_length)


def test_endless_garbage(lab: Lab) -> None:
    """Its sender is cut off."""
    lab.withstands(before_logon.garbage)


def test_a_message_seems_to_begin_everywhere(lab: Lab) -> None:
    """Looking for the next one takes no longer than the bytes are worth."""
    lab.withstands(before_logon.false_beginnings)


def test_idle_connections(lab: Lab) -> None:
    """They end, also those that nobody else needs."""
    lab.withstands(before_logon.idle)
    assert lab.gateway.log_lines("too many before Logon")


def test_wrong_passwords_in_a_loop(lab: Lab) -> None:
    """Whoever has the right one is not slowed down, also from the same address."""
    lab.withstands(before_logon.wrong_passwords)


def test_a_first_logon_during_wrong_passwords(lab: Lab) -> None:
    """Credentials that were never seen before wait for nobody's failures at other addresses."""
    attacker, client = lab.address(), lab.way.client("READER50")
    with Crowd(lab.way, before_logon.PEERS) as crowd:
        for number in range(before_logon.PEERS):
            crowd.join(attacker).sendall(logon("READER50", password=f"guess{number}"))
        began = time.monotonic()
        assert client.logon(reset=True).type == "A"
        assert time.monotonic() - began < before_logon.AT_ONCE_SECONDS
    client.logout()


def test_resets_without_the_password(lab: Lab) -> None:
    """QuickFIX wipes its store before it asks for the password (trap 4)."""
    lab.withstands(before_logon.resets_without_password)


def test_a_flood_of_connections_up_to_the_descriptor_limit(small_lab: Lab) -> None:
    """There is always room for somebody who logs on: the oldest go before the limit is reached."""
    small_lab.withstands(before_logon.flood, seconds=1.0)
    assert not small_lab.gateway.log_lines("cannot accept", 0)
    assert small_lab.gateway.log_lines("too many before Logon")


def test_a_flood_of_connections_with_the_right_password(small_lab: Lab) -> None:
    """They make room too."""
    small_lab.withstands(before_logon.flood_of_known, seconds=1.5)
    assert not small_lab.gateway.log_lines("cannot accept", 0)
