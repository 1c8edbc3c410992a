"""What QuickFIX lends to a callback is gone when the callback returns."""

import sys

import quickfix

from fixgw.engine.turn import Presence
from fixgw.fix.application import Application
from tests.traps.bare import LOGON, Bare
from tests.wire import Client, order

NAME = "TRADER37"


def test_bare_a_kept_message_is_dead_memory() -> None:
    """Trap: a Message that is used after its callback holds something else, or ends the process."""
    with Bare("bare_keeping") as bare:
        client = bare.client(NAME)
        client.send("A", *LOGON)
        client.receive()
        client.send("D", *order("the-order"))
        assert "the-order" not in bare.line()


def test_bare_two_session_ids_of_one_session_are_not_equal() -> None:
    """Trap: a SessionID has neither equality nor a hash of its own, and is no key."""
    one, other = (quickfix.SessionID("FIX.4.4", "FIXGW", NAME) for _ in range(2))
    assert one != other
    assert len({one: 1, other: 2}) == 2
    assert one.toString() == other.toString()


class Silent:
    """An engine that takes everything as it comes."""

    def is_disabled(self, _: str) -> bool:
        """Never."""
        return False

    def why_not(self, _: str, __: str) -> None:
        """Whatever is asked can be had."""

    def is_anew(self, _: str) -> bool:
        """Never."""
        return False

    def logged_on(self, _: str) -> None:
        """Nothing to do."""

    def resent(self, _: str, __: int, ___: int) -> None:
        """Nothing to do."""


def test_we_keep_text_and_nothing_else() -> None:
    """Cure: a callback reads what it needs as text; afterwards nobody but QuickFIX has its objects."""
    application = Application(
        "secret",
        {NAME: 1},
        Silent(),
        begin=lambda _: 2,
        is_sound=lambda _: True,
        is_new=lambda _, __: True,
        lay_out=lambda _, __, ___: None,
    )
    session_id = quickfix.SessionID("FIX.4.4", "FIXGW", NAME)
    client = Client(0, NAME)
    logon = message_of(client.encode("A", (*LOGON, (553, NAME), (554, "secret"), (141, "Y"))))
    new_order = message_of(client.encode("D", order("x")))
    rejected = message_of(client.encode("3", ((45, 1), (371, 1), (58, "why"))))
    before = [sys.getrefcount(lent) for lent in (session_id, logon, new_order, rejected)]
    application.onCreate(session_id)
    application.fromAdmin(logon, session_id)
    application.onLogon(session_id)
    application.fromApp(new_order, session_id)
    application.toApp(new_order, session_id)
    application.toAdmin(rejected, session_id)
    application.onLogout(session_id)
    after = [sys.getrefcount(lent) for lent in (session_id, logon, new_order, rejected)]
    assert after == before
    arrived = [one for one in application.received if not isinstance(one, Presence)]
    assert {type(part) for received in arrived for part in received} == {str, int}
    assert {type(one.session) for one in application.received if isinstance(one, Presence)} == {str}


def test_a_thousand_orders_are_what_they_were(clean_gateway: object, trader: Client) -> None:
    """Cure: what is read in the callback is still right when the turn decides on it."""
    assert clean_gateway
    for number in range(1000):
        trader.send("D", *order(f"kept-{number}", (1, 14 + number % 2), qty=number + 1))
    for number in range(1000):
        found = trader.next()
        assert (found[11], found[1], found[38]) == (f"kept-{number}", str(14 + number % 2), str(number + 1))
    trader.quiet()


def message_of(raw: bytes) -> quickfix.Message:
    return quickfix.Message(raw.decode(), False)
