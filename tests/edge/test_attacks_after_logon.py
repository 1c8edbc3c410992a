"""Attacks by those who have logged on: the others do not notice, and nothing of them stays."""

import time
from collections.abc import Iterator

import pytest

from tests.edge import after_logon
from tests.edge.after_logon import (
    HALF_OPEN_HEARTBEAT,
    HALF_OPEN_SECONDS,
    OTHER,
    RESEND_SECONDS_MAX,
    Crowded,
)
from tests.edge.attack import BUSY_RATIO_MAX, TRIES, TRIPS_MIN, TRY_AGAIN_SECONDS, Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The gateway of the file."""
    with Lab(tmp_path_factory.mktemp("lab"), *after_logon.EDITS) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def vanished(lab: Lab) -> Iterator[float]:
    """A client that logs on and is never heard again; when that was."""
    at = time.monotonic()
    client = lab.way.client(OTHER)
    client.logon(reset=True, heartbeat=HALF_OPEN_HEARTBEAT)
    yield at
    client.close()


def test_resend_requests_for_0_to_0_and_other_absurd_ranges(lab: Lab) -> None:
    """They are answered or rejected, and nothing is resent without an end."""
    lab.withstands(after_logon.absurd_ranges)


def test_sequence_numbers_that_are_too_high(lab: Lab) -> None:
    """QuickFIX keeps all of them until the gap is filled (trap 17); who sends too many is cut off."""
    lab.withstands(after_logon.too_high)
    assert lab.gateway.log_lines("cut off: too much behind a gap")


def test_sequence_resets_of_all_kinds(lab: Lab) -> None:
    """Who sets his own numbers to nonsense has to reset them, and nobody else."""
    lab.withstands(after_logon.sequence_resets)


def test_fields_behind_an_injected_soh(lab: Lab) -> None:
    """No answer has a field that the client made."""
    lab.withstands(after_logon.soh_injection)


def test_bytes_that_are_no_ascii(lab: Lab) -> None:
    """QuickFIX throws when they are set into a message (trap 13); nothing of them comes back."""
    lab.withstands(after_logon.non_ascii)


def test_messages_seem_to_begin_everywhere(lab: Lab) -> None:
    """Looking for the next one takes no longer than the bytes are worth."""
    lab.withstands(after_logon.garbled)


def test_a_client_that_dribbles_bytes(lab: Lab) -> None:
    """It waits for itself alone."""
    lab.withstands(after_logon.dribble)


def test_a_second_connection_for_a_session(lab: Lab) -> None:
    """The first one keeps it, and its owner is told."""
    lab.withstands(after_logon.second_connection)


def test_a_second_logon_on_a_connection(lab: Lab) -> None:
    """It ends the connection at worst."""
    lab.withstands(after_logon.second_logon)


@pytest.fixture(scope="module")
def crowded(lab: Lab) -> Crowded:
    """20,000 orders of one session."""
    return Crowded(lab)


def test_a_resend_of_20_000_messages(lab: Lab, crowded: Crowded) -> None:
    """No other session waits for it longer than a piece of it takes; `scripts/attacks.py` is stricter."""
    for number in range(TRIES):
        time.sleep(number * TRY_AGAIN_SECONDS)
        outcome = lab.run(lambda lab, _: after_logon.long_resend(lab, crowded))
        problems = outcome.problems(ratio_max=BUSY_RATIO_MAX)
        if max(outcome.during) <= RESEND_SECONDS_MAX and not problems:
            break
    assert not problems
    assert max(outcome.during) <= 3 * RESEND_SECONDS_MAX  # other tests run on the same cores


def test_a_reader_that_stops_during_a_mass_cancel_of_20_000_orders(lab: Lab, crowded: Crowded) -> None:
    """It is cut off at its backlog, the others go on, and it gets everything at its return."""
    outcome = lab.run(lambda lab, _: after_logon.stalled(lab, crowded))
    assert len(outcome.during) >= TRIPS_MIN


def test_a_client_that_vanished_is_let_in_again(lab: Lab, vanished: float) -> None:
    """A half-open connection keeps its owner out no longer than its heartbeats allow."""
    time.sleep(max(0.0, vanished + HALF_OPEN_HEARTBEAT + HALF_OPEN_SECONDS - time.monotonic()))
    owner = lab.way.client(OTHER)
    assert owner.logon(reset=True).type == "A"
    owner.logout()
