"""Differences over the same queries."""

import numpy as np
import pytest

from benchmarks.paired import Sample, joined, mean, median, r2, r2_log, sample_of
from indexer.evaluate.records import Gallery, Recorder


def drawn(seed: int, count: int = 400) -> tuple[Sample, Sample]:
    rng = np.random.default_rng(seed)
    hard = rng.normal(0.0, 1.0, count)
    keys = tuple(f"r:{number}" for number in range(count))
    a = hard + 0.1 + rng.normal(0.0, 0.2, count)
    b = hard + rng.normal(0.0, 0.2, count)
    return Sample(keys, a[:, None]), Sample(keys, b[:, None])


def test_a_paired_difference_is_that_of_the_values_and_its_interval_that_of_theory():
    a, b = drawn(1)
    apart = a.minus(b, mean, 0)
    differences = a.numbers[:, 0] - b.numbers[:, 0]
    assert apart.value == pytest.approx(differences.mean())
    # The mean of many is normal: 1.96 standard errors to either side.
    error = 1.96 * differences.std() / len(differences) ** 0.5
    assert apart.low == pytest.approx(differences.mean() - error, abs=0.15 * error)
    assert apart.high == pytest.approx(differences.mean() + error, abs=0.15 * error)
    assert apart.low > 0.0
    # Apart from each other, the two cannot be told from one another.
    alone = a.interval(mean, 0), b.interval(mean, 0)
    assert alone[0].low < alone[1].high


def test_only_queries_that_both_have_are_compared_whatever_their_order():
    a, b = drawn(2)
    turned = Sample(b.keys[::-1][:300], b.numbers[::-1][:300])
    apart = a.minus(turned, mean, 0)
    assert apart.queries == 300
    wanted = (a.numbers[100:, 0] - b.numbers[100:, 0]).mean()
    assert apart.value == pytest.approx(wanted)
    nobody = a.minus(Sample(("other:1",), np.ones((1, 1))), mean, 0)
    assert (nobody.queries, np.isnan(nobody.value)) == (0, True)


def test_statistics_by_hand():
    numbers = np.array([[1.0, 1.0], [2.0, 4.0], [6.0, 4.0]])
    assert mean(numbers) == pytest.approx(3.0)
    assert median(numbers) == pytest.approx(2.0)
    assert r2(numbers) == pytest.approx(1.0 - 8.0 / 6.0)
    told, true = np.log10(1.0 + numbers).T
    left, total = ((told - true) ** 2).sum(), ((true - true.mean()) ** 2).sum()
    assert r2_log(numbers) == pytest.approx(1.0 - left / total)


def test_queries_are_those_behind_the_very_number():
    recorder = Recorder("suite", "Suite", 0)
    about = {"keys": ["r:1", "r:2", "r:3"], "gallery": Gallery("g", 9), "mode": "exact"}
    recorder.add("share", np.array([0.0, 1.0, np.nan]), formula="one", **about)
    recorder.add("share", np.array([1.0, 1.0, 0.5]), formula="two", **about)
    told = recorder.add_statistic(
        "r2", lambda chosen: chosen.mean(axis=-1), 3, gallery=about["gallery"], mode="exact"
    )
    recorder.add_predictions(told, about["keys"], np.array([1.0, 2.0, 3.0]), np.arange(3.0))
    result = recorder.result()
    first, second, third = (sample_of(result, number) for number in range(3))
    assert first.keys == ("r:1", "r:2")
    assert second.numbers[:, 0].tolist() == [1.0, 1.0, 0.5]
    assert third.numbers.tolist() == [[1.0, 0.0], [2.0, 1.0], [3.0, 2.0]]
    both = joined([first, second])
    assert both.keys == ("r:1", "r:2", "r:1", "r:2", "r:3")
    assert both.numbers.shape == (5, 1)
