"""Formulas of statements with an uncertainty, and of rankings, against closed forms."""

import numpy as np
import pytest

from indexer.evaluate.forecasts import (
    covered,
    distance_from_uniform,
    expected_distance,
    reliability,
    shares_in_bins,
    uniformity,
    weighted_pit,
)
from indexer.evaluate.measures import crps
from indexer.evaluate.rankings import (
    area_under_curve,
    average_precision,
    enrichment,
    share_among_first,
)


def test_crps_of_a_point_is_the_absolute_error():
    values = np.array([[0.3], [0.3], [2.0]])
    true = np.array([0.3, 0.7, -1.0])
    np.testing.assert_allclose(crps(values, np.ones((3, 1)), true), [0.0, 0.4, 3.0], atol=1e-12)


@pytest.mark.parametrize("true", [0.0, 0.25, 0.5, 1.0, 1.5])
def test_crps_of_many_even_points_is_that_of_a_uniform_distribution(true):
    values = ((np.arange(4000) + 0.5) / 4000)[None]
    # The integral of z^2 below the truth and of (1 - z)^2 above it; further out, the distance.
    inside = min(true, 1.0)
    expected = (inside**3 + (1.0 - inside) ** 3) / 3.0 + (true - inside)
    assert crps(values, np.ones_like(values), np.array([true]))[0] == pytest.approx(
        expected, abs=1e-6
    )


def test_pit_of_weighted_values():
    values = np.array([[1.0, 2.0, 3.0, 4.0]] * 4)
    weights = np.array([[1.0, 1.0, 1.0, 1.0]] * 3 + [[0.0, 0.0, 0.0, 0.0]])
    found = weighted_pit(values, weights, np.array([2.5, 3.0, 9.0, 2.0]))
    np.testing.assert_allclose(found[:3], [0.5, 0.625, 1.0])
    assert np.isnan(found[3])
    assert np.isnan(weighted_pit(values[:1], weights[:1], np.array([np.nan]))[0])


def test_pit_of_right_forecasts_is_uniform_and_of_overconfident_ones_is_not():
    rng = np.random.default_rng(1)
    centre = rng.normal(size=2000)
    draws = centre[:, None] + rng.normal(size=(2000, 200))
    right = weighted_pit(draws, np.ones_like(draws), centre + rng.normal(size=2000))
    found = uniformity(right)
    assert found.value < 2.0 * expected_distance(2000)
    assert found.low == 0.0
    assert found.queries == 2000
    narrow = weighted_pit(draws, np.ones_like(draws), centre + 3.0 * rng.normal(size=2000))
    assert uniformity(narrow).low > 0.15
    shares = shares_in_bins(narrow, 10)
    assert shares[0] > 0.2 < shares[-1]
    np.testing.assert_allclose(shares_in_bins(right, 10), 0.1, atol=0.03)


def test_distance_from_uniform_in_closed_form():
    assert distance_from_uniform(np.array([0.5])) == 0.5
    # Evenly spread values are half a step away; all in one place, as far as that is from an end.
    assert distance_from_uniform((np.arange(10) + 0.5) / 10) == pytest.approx(0.05)
    assert distance_from_uniform(np.full(7, 0.9)) == pytest.approx(0.9)
    assert distance_from_uniform(np.array([np.nan, 0.5])) == 0.5
    assert np.isnan(distance_from_uniform(np.array([np.nan])))
    assert uniformity(np.array([np.nan])).queries == 0
    assert np.isnan(expected_distance(0))
    rng = np.random.default_rng(2)
    drawn = [distance_from_uniform(rng.uniform(size=400)) for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(expected_distance(400), rel=0.05)
    within = [uniformity(rng.uniform(size=100)).low == 0.0 for _ in range(400)]
    assert np.mean(within) > 0.93


def test_intervals_hold_their_ends():
    low, high = np.array([0.0, 0.0, 0.0, np.nan]), np.array([1.0, 1.0, 1.0, 1.0])
    found = covered(low, high, np.array([1.0, 0.0, 1.5, 0.5]))
    np.testing.assert_array_equal(found[:3], [1.0, 1.0, 0.0])
    assert np.isnan(found[3])


def test_reliability_of_stated_probabilities():
    stated = np.array([0.05, 0.95, 1.0, 0.91])
    right = np.array([0.0, 1.0, 1.0, 0.0])
    first, last = reliability(stated, right, 10)
    assert first == {"stated": 0.05, "observed": 0.0, "objects": 1}
    assert last["objects"] == 3
    assert last["observed"] == pytest.approx(2.0 / 3.0)
    assert last["stated"] == pytest.approx(2.86 / 3.0)


def test_a_perfect_ranking_and_its_reverse():
    marks = np.zeros(100)
    marks[:5] = 1.0
    scores = -np.arange(100.0)
    assert share_among_first(marks, 10) == 0.5
    assert enrichment(marks, 5) == pytest.approx(20.0)
    assert enrichment(marks, 10) == pytest.approx(10.0)
    assert enrichment(marks, 100) == pytest.approx(1.0)
    assert area_under_curve(scores, marks) == 1.0
    assert average_precision(marks) == 1.0
    reverse = marks[::-1]
    assert enrichment(reverse, 5) == 0.0
    assert area_under_curve(scores, reverse) == 0.0
    assert average_precision(reverse) == pytest.approx(
        np.mean([each / (95.0 + each) for each in range(1, 6)])
    )


def test_ties_count_half_and_nothing_marked_is_unknown():
    assert area_under_curve(np.ones(6), np.array([1, 0, 0, 1, 0, 0])) == 0.5
    for of in (area_under_curve(np.arange(3.0), np.zeros(3)), enrichment(np.zeros(3), 2)):
        assert np.isnan(of)
    assert np.isnan(average_precision(np.zeros(3)))
    assert np.isnan(area_under_curve(np.arange(3.0), np.ones(3)))
    with pytest.raises(ValueError, match="at least one of a ranking must count, got 0"):
        enrichment(np.ones(3), 0)


def test_many_rankings_at_once():
    marks = np.array([[1, 0, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(enrichment(marks, 2), [1.0, 0.0])
    np.testing.assert_allclose(average_precision(marks), [0.75, (1 / 3 + 1 / 2) / 2])
    scores = np.array([[4.0, 3.0, 2.0, 1.0]] * 2)
    np.testing.assert_allclose(area_under_curve(scores, marks), [0.5, 0.0])
