"""Formulas: the check values of the protocol, closed forms, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from indexer.evaluate import measures

NAN = np.nan


def one_hot(*ranks: int, length: int = 10) -> np.ndarray:
    relevance = np.zeros((1, length))
    relevance[0, [rank - 1 for rank in ranks]] = 1.0
    return relevance


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize(
    ("ranks", "value"), [((10,), 0.064), ((4, 6), 0.173), ((4, 5), 0.180), ((1, 8), 0.290)]
)
def test_check_values_of_ndcg(gain, ranks, value):
    pool = np.repeat([1.0, 0.0], [12, 500])
    assert measures.ndcg(one_hot(*ranks), pool, 10, gain)[0] == pytest.approx(value, abs=5e-4)


def test_the_two_gains_differ_for_fractions():
    pool = np.array([1.0, 0.5, 0.0, 0.0])
    hits = np.array([[0.5, 1.0]])
    discount = np.log2(3.0)
    linear = (0.5 + 1.0 / discount) / (1.0 + 0.5 / discount)
    exponential = (2**0.5 - 1 + 1.0 / discount) / (1.0 + (2**0.5 - 1) / discount)
    assert measures.ndcg(hits, pool, 2, "linear")[0] == pytest.approx(linear)
    assert measures.ndcg(hits, pool, 2, "exponential")[0] == pytest.approx(exponential)
    assert abs(linear - exponential) > 0.01
    with pytest.raises(ValueError, match="a gain is linear or exponential, got 'square'"):
        measures.dcg(hits, "square")


def test_nothing_relevant_scores_zero_and_a_short_list_loses():
    assert measures.ndcg(one_hot(1), np.zeros(5), 10, "linear").tolist() == [0.0]
    pool = np.ones(20)
    assert measures.ndcg(np.ones((1, 10)), pool, 10, "linear")[0] == pytest.approx(1.0)
    short = np.concatenate([np.ones((1, 5)), np.zeros((1, 5))], axis=1)
    assert measures.ndcg(short, pool, 10, "linear")[0] < 0.7


pools = hnp.arrays(np.float64, st.integers(3, 40), elements=st.floats(0.0, 1.0))


@settings(deadline=None, max_examples=50)
@given(pools, st.integers(1, 12), st.randoms(use_true_random=False))
def test_ndcg_is_at_most_one_and_one_for_a_perfect_order(pool, k, random):
    shuffled = pool.tolist()
    random.shuffle(shuffled)
    for gain in ("linear", "exponential"):
        value = measures.ndcg(np.array([shuffled]), pool, k, gain)[0]
        assert 0.0 <= value <= 1.0 + 1e-12
        best = measures.ndcg(np.sort(pool)[None, ::-1], pool, k, gain)[0]
        assert best == pytest.approx(1.0 if pool.max() > 1e-9 else best)
        assert value <= best + 1e-12


def test_recall_counts_common_objects_whatever_their_order():
    exact = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, -1, -1, -1], [-1, -1, -1, -1]])
    found = np.array([[4, 3, 9, 9], [5, 6, -1, -1], [9, -1, -1, -1], [1, 2, 3, 4]])
    assert measures.recall(found, exact, 4).tolist()[:3] == [0.5, 0.5, 1.0]
    # A gallery without any answer says nothing.
    assert np.isnan(measures.recall(found, exact, 4)[3])
    assert measures.recall(found, exact, 1)[:3].tolist() == [0.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        measures.recall(found, exact, 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 8), st.integers(9, 30), st.integers(0, 2**31))
def test_exact_search_has_recall_one_and_random_has_k_over_n(k, n, seed):
    rng = np.random.default_rng(seed)
    exact = np.stack([rng.permutation(n) for _ in range(3)])
    assert (measures.recall(exact, exact, k) == 1.0).all()
    assert (measures.overlap(exact, exact, k) == 1.0).all()
    swapped = exact[:, ::-1]
    both = np.array([len(set(a[:k]) & set(b[:k])) for a, b in zip(exact, swapped, strict=True)])
    assert np.allclose(measures.recall(swapped, exact, k), both / k)
    assert np.allclose(measures.overlap(swapped, exact, k), both / k)


def test_ties_are_forgiven_within_the_margin_alone():
    exact = np.array([[0.9, 0.8, 0.7]])
    near, far = np.array([[0.9, 0.8, 0.6995]]), np.array([[0.9, 0.8, 0.698]])
    assert measures.tie_tolerant_recall(near, exact, 3)[0] == 1.0
    assert measures.tie_tolerant_recall(far, exact, 3)[0] == pytest.approx(2 / 3)
    short = np.array([[0.9, NAN, NAN]])
    assert measures.tie_tolerant_recall(short, exact, 3)[0] == pytest.approx(1 / 3)
    assert measures.tie_tolerant_recall(short, short, 3)[0] == 1.0


def test_the_wanted_one_is_found_or_not():
    lists = np.array([[3, 4, 5], [6, 7, -1]])
    assert measures.found_share(lists, np.array([4, 7]), 1).tolist() == [0.0, 0.0]
    assert measures.found_share(lists, np.array([4, 7]), 2).tolist() == [1.0, 1.0]


def test_the_rank_of_a_partner():
    scores = np.array([[0.9, 0.5, 0.5, 0.1], [0.2, 0.4, 0.6, 0.6], [0.1, 0.2, 0.3, 0.4]])
    partners = np.array([[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], bool)
    # A tie counts against it, another entry of its own source does not, and none is 0.
    assert measures.rank_of_partner(scores, partners).tolist() == [3, 1, 0]
    hidden = np.where(np.array([[1, 0, 0, 0], [0] * 4, [0] * 4], bool), -np.inf, scores)
    assert measures.rank_of_partner(hidden, partners).tolist() == [2, 1, 0]


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 30), st.integers(0, 2**31))
def test_ranks_agree_with_sorting(n, seed):
    rng = np.random.default_rng(seed)
    scores, partner = rng.permutation(n)[None, :].astype(float), rng.integers(n)
    own = np.zeros((1, n), bool)
    own[0, partner] = True
    order = np.argsort(-scores[0]).tolist()
    assert measures.rank_of_partner(scores, own)[0] == order.index(partner) + 1


def test_shuffled_partners_have_chance_recall():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4000, 100))
    own = np.zeros((4000, 100), bool)
    own[np.arange(4000), rng.integers(100, size=4000)] = True
    found = measures.rank_of_partner(scores, own) <= 10
    interval = measures.bootstrap(found.astype(float), 3)
    assert interval.low <= 0.1 <= interval.high
    assert np.median(measures.rank_of_partner(scores, own)) == pytest.approx(50, abs=3)


def test_the_chance_of_a_partner_with_several_entries():
    assert measures.chance_of_partner(np.array([1, 1]), 100, 10) == pytest.approx(0.1)
    # Of two entries: 1 - (90 * 89) / (100 * 99).
    two = 1.0 - 90 * 89 / (100 * 99)
    assert measures.chance_of_partner(np.array([2]), 100, 10) == pytest.approx(two)
    mixed = measures.chance_of_partner(np.array([1, 2]), 100, 10)
    assert mixed == pytest.approx(0.5 * (0.1 + two))
    assert measures.chance_of_partner(np.array([1]), 5, 10) == 1.0
    assert np.isnan(measures.chance_of_partner(np.empty(0, int), 5, 1))


def test_the_ceiling_of_recall():
    assert measures.recall_ceiling(40, 10) == 0.25
    assert measures.recall_ceiling(4, 10) == 1.0
    assert np.isnan(measures.recall_ceiling(0, 10))
    assert measures.relevant_found(np.array([[1.0, 0.0, 1.0]]), 2).tolist() == [1.0]


def test_scores_of_redshifts_in_closed_form():
    true = np.array([0.0, 1.0, 3.0, 0.5])
    predicted = true + (1.0 + true) * np.array([0.01, -0.03, 0.2, 0.06])
    scores = measures.redshift_scores(predicted, true)
    assert scores["outliers_005"] == 0.5
    assert scores["outliers_015"] == 0.25
    assert scores["bias"] == pytest.approx(0.035)
    # Deviations from the median: 0.025, 0.065, 0.165, 0.025.
    assert scores["sigma_nmad"] == pytest.approx(1.4826 * 0.045)
    residual = (1.0 + true) * np.array([0.01, -0.03, 0.2, 0.06])
    assert scores["mae"] == pytest.approx(np.abs(residual).mean())
    assert scores["r2"] == pytest.approx(1 - (residual**2).sum() / (true.var() * 4))
    perfect = measures.redshift_scores(true, true)
    assert [perfect[name] for name in ("r2", "r2_log", "sigma_nmad")] == [1.0, 1.0, 0.0]
    assert np.isnan(list(measures.redshift_scores(np.empty(0), np.empty(0)).values())).all()
    assert np.isnan(measures.r_squared(np.ones(3), np.ones(3)))
    assert measures.r_squared(np.full(4, true.mean()), true) == 0.0
    # Of resamples at once, each is what it is alone.
    chosen = np.random.default_rng(0).integers(4, size=(50, 4))
    for name, of in measures.REDSHIFT_SCORES.items():
        together = of(predicted[chosen], true[chosen])
        alone = [measures.redshift_scores(predicted[each], true[each])[name] for each in chosen]
        assert np.allclose(together, alone, equal_nan=True)


def test_the_nmad_of_a_normal_distribution_is_its_deviation():
    errors = np.random.default_rng(0).normal(0.3, 0.02, 200_000)
    assert measures.sigma_nmad(errors) == pytest.approx(0.02, rel=0.01)


def test_crps_of_one_value_is_the_absolute_error():
    values, weights = np.array([[0.4]]), np.array([[2.0]])
    assert measures.crps(values, weights, np.array([0.1]))[0] == pytest.approx(0.3)
    nothing = measures.crps(np.array([[NAN]]), np.array([[0.0]]), np.array([0.1]))
    assert np.isnan(nothing[0])


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(np.float64, 6, elements=st.floats(0.0, 2.0)),
    hnp.arrays(np.float64, 6, elements=st.floats(0.01, 1.0)),
    st.floats(-0.5, 2.5),
)
def test_crps_is_the_integral_of_the_squared_difference(values, weights, true):
    edges = np.unique(np.concatenate([values, [true, -1.0, 3.0]]))
    middles = 0.5 * (edges[1:] + edges[:-1])
    share = weights / weights.sum()
    cumulative = np.array([share[values <= at].sum() for at in middles])
    integral = ((cumulative - (middles >= true)) ** 2 * np.diff(edges)).sum()
    found = measures.crps(values[None, :], weights[None, :], np.array([true]))[0]
    assert found == pytest.approx(integral, abs=1e-9)


def test_crps_of_a_normal_distribution_in_closed_form():
    # Gneiting & Raftery 2007, eq. 21, at the mean: sigma (2 phi(0) - 1 / sqrt(pi)).
    from scipy.stats import norm

    levels = (np.arange(4000) + 0.5) / 4000
    values = norm.ppf(levels)[None, :]
    found = measures.crps(values, np.ones_like(values), np.zeros(1))[0]
    assert found == pytest.approx(2 * norm.pdf(0) - 1 / np.sqrt(np.pi), abs=1e-4)


def test_purity_leaves_out_what_is_unknown():
    classes = np.array([["a", "a", "b", ""], ["", "", "", ""], ["a", "a", "a", "a"]])
    found = measures.purity(classes, np.array(["a", "a", ""]), 4)
    assert found[0] == pytest.approx(2 / 3)
    assert np.isnan(found[1:]).all()
    assert measures.purity(classes, np.array(["a", "a", "a"]), 2)[0] == 1.0


def test_mutual_neighbours():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(60, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    turned = vectors @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert measures.mutual_neighbours(vectors, turned, 10).mean() == pytest.approx(1.0)
    other = rng.normal(size=(60, 4))
    by_chance = measures.mutual_neighbours(vectors, other, 10).mean()
    assert by_chance == pytest.approx(10 / 59, abs=0.05)
    with pytest.raises(ValueError, match="more than k = 10 rows, got 5"):
        measures.mutual_neighbours(vectors[:5], vectors[:5], 10)


def test_the_bootstrap_interval_is_that_of_the_mean():
    values = np.random.default_rng(8).normal(2.0, 1.0, 400)
    interval = measures.bootstrap(values, 0)
    assert interval.value == pytest.approx(values.mean())
    width = 1.96 * values.std() / 20.0
    assert interval.high - interval.value == pytest.approx(width, rel=0.15)
    assert interval.value - interval.low == pytest.approx(width, rel=0.15)
    assert measures.bootstrap(values, 0) == interval
    gaps = measures.bootstrap(np.array([1.0, NAN, 1.0]), 0)
    assert (gaps.value, gaps.low, gaps.high, gaps.queries) == (1.0, 1.0, 1.0, 2)
    median = measures.bootstrap(np.array([1.0, 2.0, 50.0]), 0, "median")
    assert median.value == 2.0
    nothing = measures.bootstrap(np.array([NAN]), 0)
    assert nothing.queries == 0
    assert np.isnan(nothing.value)
