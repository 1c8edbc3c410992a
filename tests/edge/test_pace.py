"""The rates at which a connection is read."""

import pytest

from fixgw.edge.pace import Pace


def test_within_its_rates_a_connection_never_waits() -> None:
    pace = Pace(100, 10_000, 0.0)
    assert all(pace.spend(10, 1_000, second / 10) == 0 for second in range(1, 100))


def test_what_is_beyond_the_rates_is_waited_for() -> None:
    pace = Pace(100, 10_000, 0.0)
    assert pace.spend(150, 0, 0.0) == pytest.approx(0.5)
    assert pace.spend(0, 0, 0.5) == 0.0
    pace = Pace(100, 10_000, 0.0)
    assert pace.spend(1, 15_000, 0.0) == pytest.approx(0.5)


def test_a_pause_saves_up_no_more_than_a_second() -> None:
    pace = Pace(100, 10_000, 0.0)
    assert pace.spend(200, 0, 1_000.0) == pytest.approx(1.0)


def test_other_rates_hold_from_then_on() -> None:
    pace = Pace(100, 10_000, 0.0)
    pace.spend(100, 0, 0.0)
    pace.change(1_000, 10_000)
    assert pace.spend(200, 0, 0.1) == pytest.approx(0.1)
