"""Failures of the last minute: counted right, and in a table that has an end."""

from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.failures import KEYS_MAX, TIMES_MAX, Failures


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=60))
def test_what_is_counted_is_what_failed_in_the_last_minute(steps: list[tuple[str, int]]) -> None:
    """Against a list of everything that failed."""
    failures, everything, now = Failures[str](), [], 0.0
    for key, pause in steps:
        now += pause
        failures.add(key, now)
        everything.append((key, now))
        for asked in "abc":
            expected = [at for name, at in everything if name == asked and at > now - 60]
            assert failures.count(asked, now) == min(len(expected), TIMES_MAX)


def test_old_keys_are_forgotten() -> None:
    """A minute later nothing of it is left."""
    failures = Failures[int]()
    for key in range(1_000):
        failures.add(key, 0.0)
    failures.add(-1, 60.0)
    assert len(failures) == 1


def test_many_addresses_cannot_make_it_grow() -> None:
    """The one that failed last is known, however many there are."""
    failures = Failures[int]()
    for key in range(3 * KEYS_MAX):
        failures.add(key, key / 1_000)
    assert len(failures) == KEYS_MAX
    assert failures.count(3 * KEYS_MAX - 1, 30.0) == 1
    for _ in range(3 * TIMES_MAX):
        failures.add(-1, 30.0)
    assert failures.count(-1, 30.0) == TIMES_MAX
