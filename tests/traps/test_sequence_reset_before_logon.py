"""A SequenceReset(4) on a connection that is bound to a session, but not logged on."""

import pytest

from tests.gateway import Gateway
from tests.traps.bare import Bare, closed, half_open, leave, undisturbed
from tests.traps.conftest import Connect
from tests.wire import Client

POSS_DUP = pytest.mark.parametrize("poss_dup", [False, True], ids=["no-HeartBtInt", "PossDup"])


@pytest.mark.parametrize(("poss_dup", "drive"), [(False, "start"), (True, "poll")])
def test_bare_a_low_newseqno_ends_the_process(poss_dup: bool, drive: str) -> None:
    """Trap: QuickFIX wants to reject the low NewSeqNo although nobody is logged on, and dies of it."""
    with Bare("bare_acceptor", "ours", drive) as bare:
        client = bare.client("TRADER37")
        half_open(client, poss_dup=poss_dup)
        client.send("4", (36, 0))
        assert bare.ended() not in (None, 0)


@POSS_DUP
@pytest.mark.parametrize("gap_fill", ["Y", "N"])
@pytest.mark.parametrize("new_seq_no", [0, 1, 1000])
def test_it_is_refused_as_a_logon(
    clean_gateway: Gateway,
    stranger: Client,
    connect: Connect,
    poss_dup: bool,
    gap_fill: str,
    new_seq_no: int,
) -> None:
    """Cure: before Logon a SequenceReset is refused with a Logout, and it moves no number of the session."""
    owner, anybody = connect("TRADER38"), connect("TRADER38")
    anybody.port, anybody.address = clean_gateway.engine_port, "127.0.0.1"
    owner.logon(reset=True)
    owner.rest()
    owner.logout()
    anybody.sent = owner.sent
    half_open(anybody, poss_dup=poss_dup)
    anybody.send("4", (36, new_seq_no), (123, gap_fill))
    assert closed(anybody)
    leave(anybody)
    undisturbed(stranger, clean_gateway)
    assert owner.logon().type == "A"
    owner.quiet()
