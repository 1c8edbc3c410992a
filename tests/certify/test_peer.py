"""The catalogue against an acceptor that is not fixgw: it shows the peer's gaps, and nothing else."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixgw.certify import catalogue
from fixgw.certify.player import Player
from fixgw.certify.profile import Profile, load
from fixgw.certify.results import Outcome, Result
from fixgw.certify_commands import connector
from tests.gateway import ROOT
from tests.peer.run import Peer

PROFILE = ROOT / "tests" / "peer" / "peer.toml"

GAPS = {
    "an F for an unknown order gets no answer": r"nothing came within 5 s; .* 35=9\|.*\|37=NONE\|39=8",
    "a ClOrdID(11) may be used again": r"(OrdRejReason\(103\)|CxlRejReason\(102\)) is (absent|0), not 6",
    "PossResend(97) is not looked at": r"ExecType\(150\) is (0, not I|8, not I|absent, not 4|absent, not 6)",
    "an F is not compared with its order": r"MsgType\(35\) is 8, not 9",
    "TimeInForce(59) is not repeated": r"TimeInForce\(59\) is absent, not 1",
    "a limit order needs no Price(44)": r"OrdRejReason\(103\) is absent, not there",
    "a rejection does not repeat OrderQty(38)": r"OrderQty\(38\) is absent, not 100",
}
"""The peer's gaps, and how each is told; the first that fits counts."""

UNKNOWN, REUSED, RESENT, COMPARED, *OTHERS = GAPS

FAILED = {
    **dict.fromkeys((112, 124), UNKNOWN),
    **dict.fromkeys((150, 151, 154, 155, 156), REUSED),
    **dict.fromkeys((111, 157, 164, 165, 168), RESENT),
    **dict.fromkeys((105, 125, 126, 561), COMPARED),
    **dict(zip((103, 551, 557), OTHERS, strict=True)),
}
"""Which scenario shows which gap."""

PASSED = {101, 104, 106, 107, 108, 109, 110, 116, 133, 141, 153, *range(301, 308), 309, 403, 404, 409, 410}
PASSED |= {411, 413, 414, 416, 419, 420, 541}
"""What the peer does as it should: part of it is its own work, part of it QuickFIX's."""

LACKING = {
    113: "the profile has no controls.refuse",
    117: "the profile has no roles.OPERATOR",
    127: "the profile does not offer quantity-compared",
    129: "the profile does not offer account-selector",
    130: "the profile does not offer stop-orders",
    201: "the profile does not offer mass-cancel",
}
"""What cannot be played, and why: an example of each reason."""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A running peer."""
    with Peer(tmp_path_factory.mktemp("peer")) as running:
        yield running


def profile(directory: Path) -> Profile:
    """The profile of a peer that is told what to do in `directory`."""
    return load(PROFILE).with_values([f"python={sys.executable}", f"directory={directory}"])


def play(profile: Profile, port: int, only: str = "") -> dict[int, Result]:
    """What came of the scenarios, by number."""
    player = Player(profile, connector(profile, "127.0.0.1", port))
    try:
        return {script.number: player.play(script) for script in catalogue.choose(catalogue.load(), only)}
    finally:
        player.close()


@pytest.fixture(scope="module")
def played(peer: Peer) -> dict[int, Result]:
    """The whole catalogue."""
    return play(profile(peer.directory), peer.port)


def test_what_fails_is_a_gap_of_the_peer(played: dict[int, Result]) -> None:
    """What fails does so for a known gap, and each gap is shown by the scenarios that are about it."""
    shown = {
        number: next((gap for gap, told in GAPS.items() if re.search(told, result.reason)), result.reason)
        for number, result in played.items()
        if result.outcome is Outcome.FAILED
    }
    assert set(shown.values()) <= GAPS.keys()
    assert {number: shown.get(number) for number in FAILED} == FAILED


def test_what_the_peer_does_right_passes(played: dict[int, Result]) -> None:
    """And is not taken for a gap."""
    assert {number for number in PASSED if played[number].outcome is not Outcome.PASSED} == set()


def test_what_the_profile_lacks_is_not_applicable(played: dict[int, Result]) -> None:
    """With the reason; it is never counted as passed."""
    lacking = {
        number: result.reason for number, result in played.items() if result.outcome is Outcome.NOT_APPLICABLE
    }
    assert {number: lacking.get(number) for number in LACKING} == LACKING
    assert not [reason for reason in lacking.values() if not reason.startswith("the profile ")]
    needing = {number for number, result in played.items() if "mass-cancel" in result.script.needs}
    assert needing <= lacking.keys()


def test_a_mass_cancel_that_is_claimed_and_not_supported_fails(peer: Peer) -> None:
    """A profile that says too much: the j is shown, and what was expected instead."""
    own = profile(peer.directory)
    claiming = own.model_copy(update={"features": own.features | {"mass-cancel"}})
    result = play(claiming, peer.port, "246")[246]
    assert result.outcome is Outcome.FAILED
    assert "MsgType(35) is j, not r" in result.reason
    assert "380=3" in result.reason


def test_the_peer_is_not_fixgw() -> None:
    """Nothing of the gateway is in it."""
    for name in ("acceptor", "book", "tell", "initiator"):
        text = (ROOT / "tests" / "peer" / f"{name}.py").read_text()
        assert not re.search(r"^\s*(from|import) +(fixgw|simplefix)", text, re.MULTILINE)
