"""Pools: their numbers, vectors and sources, and what a query leaves out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import SearchError
from indexer.evaluate.bench import Bench
from indexer.evaluate.photometry import photometry_of
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.searches import (
    exact_lists,
    feature_lists,
    index_lists,
    random_lists,
)
from indexer.neighbours import vector_of
from indexer.sky_parts import sources_of


def test_numbers_follow_releases_then_rows(bench: Bench):
    pool = pool_of(bench.index, "spectrum")
    assert pool.releases == ("fake-desi", "fake-sdss")
    numbers = np.array([0, len(pool) - 1, pool.starts["fake-sdss"]])
    keys = pool.keys(numbers)
    assert [key.partition(":")[0] for key in keys] == ["fake-desi", "fake-sdss", "fake-sdss"]
    for key, vector in zip(keys, pool.vectors(numbers), strict=True):
        release, _, object_id = key.partition(":")
        segment = bench.index.segment(release)
        row = segment.row_of(object_id)
        stored = vector_of(segment, "spectrum", "spectrum", row)
        assert np.allclose(stored, vector, atol=1e-6)
    assert np.allclose(np.linalg.norm(pool.vectors(np.arange(len(pool))), axis=1), 1.0)
    half = pool.only(np.arange(len(pool)) % 2 == 1)
    assert half.keys(np.arange(3)) == pool.keys(np.array([1, 3, 5]))
    assert len(pool_of(bench.index, "photometry")) == 0
    with pytest.raises(SearchError, match="a pool without objects has no vectors"):
        pool_of(bench.index, "photometry").vectors(np.arange(0))


def test_sources_join_what_is_linked(bench: Bench):
    sources = sources_of(bench.index)
    index = bench.index
    for release in index.releases:
        for row in range(0, len(index.segment(release)), 7):
            for other, there in index.links.source(release, row):
                assert sources[other][there] == sources[release][row]
    sizes = np.unique(np.concatenate(list(sources.values())), return_counts=True)[1]
    # At most one object of every release.
    assert sizes.min() >= 1
    assert sizes.max() == len(index.releases)


def test_a_query_leaves_out_itself_or_what_is_near(bench: Bench):
    pool, images = pool_of(bench.index, "spectrum"), pool_of(bench.index, "image")
    numbers = np.arange(0, len(pool), 5)
    alone = left_out(pool, pool, numbers, near=False)
    assert [each.tolist() for each in alone] == [[number] for number in numbers]
    assert all(not len(each) for each in left_out(pool, images, np.arange(5), near=False))
    for asking in (pool, images):
        numbers = np.arange(0, len(asking), 5)
        for number, gone in zip(numbers, left_out(pool, asking, numbers, near=True), strict=True):
            cosine = pool.points @ asking.points[number]
            separation = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) * 3600.0
            same = pool.sources == asking.sources[number]
            with np.errstate(invalid="ignore"):
                expected = np.flatnonzero((separation <= 2.0) | same)
            assert gone.tolist() == expected.tolist()


def brute_force(pool: Pool, vectors: np.ndarray, k: int, gone) -> list[list[int]]:
    scores = np.asarray(vectors, np.float64) @ pool.vectors(np.arange(len(pool))).T
    ranked = []
    for row, left in zip(scores, gone, strict=True):
        order = [n for n in np.lexsort((np.arange(len(row)), -np.round(row, 9))) if n not in left]
        ranked.append(order[:k])
    return ranked


@pytest.mark.parametrize("some", [False, True])
def test_exact_and_index_equal_brute_force(bench: Bench, some: bool):
    pool = pool_of(bench.index, "spectrum")
    asking = pool
    if some:
        # A selection inside FAISS, as a filter makes it.
        pool = pool.only(np.random.default_rng(0).uniform(size=len(pool)) < 0.3)
    numbers = np.arange(0, len(asking), 9)
    vectors = asking.vectors(numbers)
    gone = left_out(pool, asking, numbers, near=True)
    expected = brute_force(pool, vectors, 12, [set(each.tolist()) for each in gone])
    for lists in (exact_lists(pool, vectors, 12, gone), index_lists(pool, vectors, 12, gone)):
        scores = vectors @ pool.vectors(np.arange(len(pool))).T
        assert (lists.numbers >= 0).all()
        for at, row in enumerate(lists.numbers.tolist()):
            assert not set(row) & set(gone[at].tolist())
            # float16 on disk: objects may change places where scores agree to 1e-3.
            assert np.allclose(scores[at, row], scores[at, expected[at]], atol=1e-3)
            assert len(set(row) & set(expected[at])) >= 11
        assert (np.diff(lists.scores, axis=1) <= 0).all()


def test_a_list_is_never_shorter_than_what_is_left(bench: Bench):
    pool = pool_of(bench.index, "xp")
    numbers = np.arange(4)
    gone = left_out(pool, pool, numbers, near=True)
    lists = index_lists(pool, pool.vectors(numbers), len(pool) + 5, gone)
    counts = (lists.numbers >= 0).sum(axis=1)
    assert counts.tolist() == [len(pool) - len(each) for each in gone]
    assert np.isnan(lists.scores[lists.numbers < 0]).all()
    assert lists.take(np.arange(len(pool)) + 100.0, -5.0)[0, -1] == -5.0
    assert exact_lists(pool, np.empty((0, 32), np.float32), 3, []).numbers.shape == (0, 3)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 2**31))
def test_random_lists_hold_no_object_twice_and_none_that_is_left_out(size, k, seed):
    gone = [np.array([0]), np.arange(size // 2), np.empty(0, np.int64)]
    lists = random_lists(size, k, gone, seed)
    for row, left in zip(lists.numbers, gone, strict=True):
        true = row[row >= 0]
        assert len(np.unique(true)) == len(true) == min(k, size - len(left))
        assert not set(true.tolist()) & set(left.tolist())


def test_random_lists_favour_nothing():
    lists = random_lists(10, 2, [np.array([3])] * 9000, 1)
    counts = np.bincount(lists.numbers.ravel(), minlength=10)
    assert counts[3] == 0
    # 18,000 draws over nine objects: 2,000 each, with a deviation of about 40.
    assert np.abs(np.delete(counts, 3) - 2000).max() < 200


def test_features_are_ranked_by_distance():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(50, 3))
    gone = [np.array([number]) for number in range(5)]
    lists = feature_lists(features, features[:5], 49, gone)
    for number in range(5):
        distance = np.linalg.norm(features - features[number], axis=1)
        expected = [each for each in np.argsort(distance) if each != number]
        assert lists.numbers[number].tolist() == expected
        assert np.allclose(-lists.scores[number], distance[expected], atol=1e-6)


def test_photometry_is_colours_magnitude_and_size(bench: Bench):
    pool = pool_of(bench.index, "image")
    features = photometry_of(pool)
    # g - r, r - z, z and the size; the inverse variance is none of them.
    assert features.shape == (len(pool), 4)
    assert np.allclose(features.mean(axis=0), 0.0, atol=1e-9)
    assert np.allclose(features.std(axis=0), 1.0)
    assert photometry_of(pool_of(bench.index, "spectrum")) is None
    assert photometry_of(pool_of(bench.index, "xp")) is None
    # The size is proportional to the flux in g of the whole picture.
    record = bench.index.segment("fake-images").record(5)
    sizes = [bench.index.segment("fake-images").record(row)["shape_r"] for row in range(len(pool))]
    logs = np.log10(sizes)
    expected = (np.log10(record["shape_r"]) - logs.mean()) / logs.std()
    assert np.isclose(features[:, 3], expected, atol=1e-9).any()
