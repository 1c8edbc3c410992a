"""The engine's clock: steady whatever the wall clock does, and never before what the journal has."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from fixgw.engine.clock import FOLLOWED, Clock

START = datetime(2026, 3, 5, 23, 59, tzinfo=UTC)
HOUR = 3600.0


class Machine:
    """A wall clock that can be set, and a steady one that cannot."""

    def __init__(self) -> None:
        self.wall = START.timestamp()
        self.steady = 100.0

    def wait(self, seconds: float) -> None:
        """Both clocks go on."""
        self.wall += seconds
        self.steady += seconds

    def clock(self, not_before: datetime | None = None) -> Clock:
        """An engine's clock that starts now."""
        return Clock(not_before, lambda: self.wall, lambda: self.steady)


def test_it_goes_with_the_wall_clock() -> None:
    """As long as nobody sets the wall clock, both say the same."""
    machine = Machine()
    clock = machine.clock()
    for seconds in range(5):
        assert clock.now() == START + timedelta(seconds=seconds)
        machine.wait(1)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_of_an_hour_is_hardly_seen(jump: float) -> None:
    """The wall clock jumps an hour and back: times stay in order, within a hundredth of what has passed."""
    machine = Machine()
    clock = machine.clock()
    times = [clock.now()]
    machine.wall += jump
    for _ in range(60):
        machine.wait(1)
        times.append(clock.now())
    machine.wall -= jump
    for _ in range(60):
        machine.wait(1)
        times.append(clock.now())
    assert times == sorted(times)
    steps = [(later - before).total_seconds() for before, later in pairwise(times)]
    assert all(1 - FOLLOWED - 1e-5 <= step <= 1 + FOLLOWED + 1e-5 for step in steps)
    assert abs((times[-1] - START).total_seconds() - 120) < 2 * 60 * FOLLOWED


def test_a_wall_clock_that_was_wrong_is_followed_in_the_end() -> None:
    """A step that stays is made up for, slowly."""
    machine = Machine()
    clock = machine.clock()
    machine.wall += 30
    for _ in range(3_100):
        machine.wait(1)
        clock.now()
    assert abs(clock.now().timestamp() - machine.wall) < 0.01


def test_it_does_not_begin_before_the_last_event() -> None:
    """The wall clock was set back while the gateway was stopped: the order of events stays."""
    machine = Machine()
    last = START + timedelta(hours=1)
    clock = machine.clock(last)
    machine.wait(1)
    assert last < clock.now() < last + timedelta(seconds=1)
