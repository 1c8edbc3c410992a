"""Attacks on a port that speaks TLS: nobody else notices, and nothing of them stays."""

from collections.abc import Iterator

import pytest

from tests.edge import over_tls
from tests.edge.attack import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The gateway of the file; one of its sessions must have a client certificate."""
    directory = tmp_path_factory.mktemp("lab")
    certificates, edits = over_tls.prepared(directory)
    with Lab(directory, *edits, certificates=certificates) as running:
        yield running


def test_bytes_that_are_no_tls(lab: Lab) -> None:
    """A password that was sent in plain text by mistake does not get its owner in."""
    lab.withstands(over_tls.plain_bytes)


def test_handshakes_that_are_never_finished(lab: Lab) -> None:
    """They freeze a QuickFIX that has TLS (trap 10); here the deadline of a Logon is theirs too."""
    lab.withstands(over_tls.unfinished_handshakes)


def test_handshakes_and_nothing_else(lab: Lab) -> None:
    """They cost more than connections, and end as early."""
    lab.withstands(over_tls.handshakes)


def test_the_name_of_one_and_the_certificate_of_another(lab: Lab) -> None:
    """A certificate lets in its owner alone, whatever password comes with it."""
    lab.withstands(over_tls.others_certificates)
