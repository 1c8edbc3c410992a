"""Session tokens and request rates, on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.api.identity import Identity
from fixgw.edge.api.limits import Rates
from fixgw.edge.api.tokens import TOKENS_MAX, Tokens

TRADER, READER = Identity(37, "trader37"), Identity(50, "reader50")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


# tokens


def test_a_token_is_good_for_a_time_after_its_last_use() -> None:
    """Each use makes it good for longer; then it is forgotten."""
    clock = Clock()
    tokens = Tokens(60.0, clock)
    token = tokens.issue(TRADER)
    for _ in range(3):
        clock.now += 60.0
        assert tokens.find(token) == TRADER
    clock.now += 60.1
    assert tokens.find(token) is None
    assert len(tokens) == 0


def test_a_token_that_is_revoked_is_not_good() -> None:
    """One, or all of a user, and nobody else's."""
    tokens = Tokens(60.0, Clock())
    first, second, other = tokens.issue(TRADER), tokens.issue(TRADER), tokens.issue(READER)
    tokens.revoke(first)
    tokens.revoke(first)
    assert [tokens.find(token) for token in (first, second, other)] == [None, TRADER, READER]
    tokens.revoke_all(TRADER)
    tokens.revoke_all(TRADER)
    assert [tokens.find(token) for token in (second, other)] == [None, READER]


def test_who_uses_a_token_is_told_when_it_ends() -> None:
    """However it ends, and as long as he wants to know."""
    clock = Clock()
    tokens = Tokens(60.0, clock)
    told: list[str] = []
    issued = {name: tokens.issue(TRADER) for name in ("revoked", "old", "all", "not any more")}
    for name, token in issued.items():
        undo = tokens.when_ended(token, lambda name=name: told.append(name))  # type: ignore[misc]
    undo()
    undo()
    tokens.revoke(issued["revoked"])
    tokens.revoke(issued["revoked"])
    assert told == ["revoked"]
    clock.now += 60.1
    assert tokens.find(issued["old"]) is None
    assert told == ["revoked", "old"]
    tokens.revoke_all(TRADER)
    assert told == ["revoked", "old", "all"]


def test_a_user_has_so_many_tokens() -> None:
    """The one that was not used for longest makes room; another user's never does."""
    clock = Clock()
    tokens = Tokens(60.0, clock)
    other = tokens.issue(READER)
    issued = []
    for _ in range(TOKENS_MAX):
        clock.now += 0.1
        issued.append(tokens.issue(TRADER))
    assert tokens.find(issued[0]) == TRADER
    tokens.issue(TRADER)
    assert tokens.find(issued[1]) is None
    assert tokens.find(issued[0]) == TRADER
    assert tokens.find(other) == READER
    assert len(tokens) == TOKENS_MAX + 1


def test_what_has_expired_is_forgotten_when_a_token_is_issued() -> None:
    """Nothing piles up of a user who never logs out."""
    clock = Clock()
    tokens = Tokens(60.0, clock)
    for _ in range(10):
        tokens.issue(TRADER)
    clock.now += 61.0
    tokens.issue(TRADER)
    assert len(tokens) == 1


def test_tokens_are_long_and_never_the_same() -> None:
    """256 bits of chance, of which nothing is kept but a hash."""
    tokens = Tokens(60.0, Clock())
    issued = {tokens.issue(TRADER) for _ in range(50)}
    assert len(issued) == 50
    assert all(len(token) == 43 for token in issued)
    assert tokens.find("") is None
    assert tokens.find("\ud800") is None


# rates


def test_a_burst_and_then_the_rate() -> None:
    """`burst` at once, then `per_second`; what is refused costs nothing."""
    clock = Clock()
    rates = Rates(10, 3, clock)
    assert [rates.wait(37) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rates.wait(37) == 0.1
    assert rates.wait(37) == 0.1
    assert rates.wait(50) == 0.0
    clock.now += 0.125
    assert rates.wait(37) == 0.0
    assert 0.0 < rates.wait(37) <= 0.1


@given(st.lists(st.floats(min_value=0.0, max_value=0.5), max_size=60))
def test_no_more_than_the_burst_and_the_rate_allow(pauses: list[float]) -> None:
    """In any time, `burst` and `per_second` times it, at most; and whoever waits as told may go on."""
    clock = Clock()
    rates = Rates(4, 2, clock)
    began, allowed = clock.now, 0
    for pause in pauses:
        clock.now += pause
        wait = rates.wait(37)
        allowed += wait == 0.0
        assert allowed <= 2 + (clock.now - began) * 4 + 1e-6
    wait = rates.wait(37)
    clock.now += wait + 1e-9
    assert not wait or rates.wait(37) == 0.0
