"""The schedule that all training stages share."""

import pytest

from aion_encoder.training.schedule import LOWEST, Schedule


def test_rate_rises_then_falls_as_half_a_cosine() -> None:
    schedule = Schedule(steps=100, minutes=None, warm_up=0.1)
    assert schedule.rate(0.0) == pytest.approx(LOWEST)
    assert schedule.rate(0.1) == pytest.approx(1.0)
    assert schedule.rate(0.55) == pytest.approx((1.0 + LOWEST) / 2)
    assert schedule.rate(1.0) == pytest.approx(LOWEST)


def test_steps_alone_decide_without_a_limit_of_time() -> None:
    schedule = Schedule(steps=8, minutes=None, warm_up=0.1, spent=1e9)
    assert [schedule.share(step) for step in (0, 4, 8, 9)] == [0.0, 0.5, 1.0, 1.0]


def test_time_that_earlier_runs_took_counts() -> None:
    schedule = Schedule(steps=1000, minutes=10.0, warm_up=0.1, spent=300.0)
    assert schedule.share(1) == pytest.approx(0.5, abs=0.01)
    assert schedule.seconds >= 300.0
    assert Schedule(steps=1000, minutes=10.0, warm_up=0.1, spent=600.0).share(1) == 1.0
