"""Inverted lists of product codes against an exact scan, and against what FAISS does in silence."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ann
from indexer.ann import product_codes
from indexer.ann.filling import read
from indexer.ann.kmeans import shares, two_level_kmeans
from indexer.ann.product_codes import (
    CODES,
    centres_of,
    lists_of,
    lists_to_visit,
    matrix_of,
    projection,
    search_lists,
)
from indexer.errors import SearchError
from indexer.row_sets import RowSet
from indexer.spaces import to_unit
from indexer.vectors import PADDING, exact_scan, rerank

DIM = 80
COUNT = 24_000
RECIPE = ann.Recipe("ivf_pq4", 256)


def _vectors(count: int, seed: int) -> np.ndarray:
    """Return unit vectors in clumps, of falling variance, as they are on disk."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((300, DIM))
    vectors = centres[rng.integers(0, 300, count)] + 0.8 * rng.standard_normal((count, DIM))
    unit = to_unit(vectors * np.arange(1, DIM + 1) ** -0.3)
    return unit.astype(np.float16).astype(np.float32)


VECTORS = _vectors(COUNT, 0)
ROWS = np.arange(COUNT) * 3 + 1000
QUERIES = _vectors(100, 1)


@pytest.fixture(scope="module")
def trained():
    return ann.train(RECIPE, VECTORS)


def _merged(trained, cuts):
    bounds = [0, *cuts, COUNT]
    # Neither vectors nor rows have a name once `fill` has returned.
    return ann.merge(
        ann.fill(trained, VECTORS[start:stop].copy(), np.array(ROWS[start:stop]))
        for start, stop in pairwise(bounds)
    )


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("product") / "image.faiss"
    ann.save(ann.for_serving(_merged(trained, [5000, 17_001])), path)
    return path


@pytest.fixture(scope="module")
def index(path):
    return ann.load(path)


def _exact(k, positions=None):
    half = VECTORS.astype(np.float16)
    return exact_scan(half, QUERIES, k, rows=ROWS, positions=positions)


def _bits(rows):
    return RowSet.of(rows, int(ROWS[-1]) + 1).bits


def _recall(index, k, **settings):
    candidates, positions = index.recipe.candidates(k), None
    if "allowed" in settings:
        positions = np.searchsorted(ROWS, settings["allowed"])
        settings = {**settings, "allowed": _bits(settings["allowed"])}
    _, found, counts = index.search(QUERIES, candidates, **settings)
    half = VECTORS.astype(np.float16)
    scores, best, _ = rerank(half, QUERIES, found, counts, k, rows=ROWS)
    exact_scores, exact, _ = _exact(k, positions)
    share = [np.isin(a, b).mean() for a, b in zip(exact, best, strict=True)]
    np.testing.assert_array_equal(
        scores[best == exact],
        exact_scores[best == exact],
        err_msg="scores after ranking again must be exact",
    )
    return float(np.mean(share))


def test_shards_merged_converted_saved_and_mapped_answer_like_an_exact_scan(index):
    assert (index.count, index.dim, index.recipe) == (COUNT, DIM, RECIPE)
    assert isinstance(lists_of(index.index), faiss.IndexIVFPQFastScan)
    assert _recall(index, 10) > 0.99
    scores, found, counts = index.search(QUERIES, 200)
    assert np.all(counts == 200)
    assert np.isin(found, ROWS).all()
    assert np.all(np.diff(scores, axis=1) <= 0)
    # The scores are estimates of inner products, not something in another scale.
    true = np.einsum("qd,qkd->qk", QUERIES, VECTORS[np.searchsorted(ROWS, found)])
    assert np.abs(scores - true).mean() < 0.05


def test_more_lists_find_more(index):
    by_lists = [_recall(index, 10, nprobe=nprobe) for nprobe in (1, 8, 256)]
    assert by_lists == sorted(by_lists)
    assert by_lists[0] < 0.9 < by_lists[2]


@pytest.mark.parametrize("stride", [2, 10, 100])
def test_only_allowed_rows(index, stride):
    allowed = ROWS[::stride]
    _, found, counts = index.search(QUERIES, 50, allowed=_bits(allowed))
    assert np.isin(found[found != PADDING], allowed).all()
    assert np.all(counts == 50)
    assert _recall(index, 10, allowed=allowed, nprobe=256) > 0.99


def test_padding_never_leaves(index):
    allowed = ROWS[:3]
    scores, found, counts = index.search(QUERIES, 10, allowed=_bits(allowed), nprobe=256)
    assert np.all(counts == 3)
    assert np.all(np.sort(found[:, :3]) == allowed)
    assert np.all(found[:, 3:] == PADDING)
    assert np.all(np.isnan(scores[:, 3:]))


def test_any_batch_gives_the_same(index):
    _, together, _ = index.search(QUERIES, 30)
    alone = [index.search(query[None, :], 30)[1][0] for query in QUERIES]
    np.testing.assert_array_equal(together, alone)


def test_equal_vectors_come_by_row(trained):
    copies = np.repeat(VECTORS[:1], 300, axis=0)
    shards = [ann.fill(trained, copies[:40], np.arange(40)[::-1] + 260)]
    shards += [ann.fill(trained, copies[40:], np.arange(260))]
    index = ann.AnnIndex(ann.for_serving(ann.merge(shards)))
    _, found, _ = index.search(VECTORS[:1], 25)
    np.testing.assert_array_equal(found[0], np.arange(25))


def test_the_same_input_gives_the_same_bytes(trained, path, tmp_path: Path):
    ann.save(ann.for_serving(_merged(trained, [])), tmp_path / "whole.faiss")
    assert (tmp_path / "whole.faiss").read_bytes() == path.read_bytes()
    ann.save(trained, tmp_path / "one.faiss")
    ann.save(ann.train(RECIPE, VECTORS), tmp_path / "two.faiss")
    assert (tmp_path / "one.faiss").read_bytes() == (tmp_path / "two.faiss").read_bytes()


def test_what_was_trained_is_read_again(trained, path, tmp_path: Path):
    ann.save(trained, tmp_path / "quantizer.faiss")
    again = ann.load_trained(tmp_path / "quantizer.faiss")
    ann.save(ann.for_serving(_merged(again, [100])), tmp_path / "again.faiss")
    assert (tmp_path / "again.faiss").read_bytes() == path.read_bytes()


# What FAISS 1.15 does in silence.


def test_no_precomputed_table_is_built(tmp_path: Path):
    coarse = faiss.IndexFlatL2(DIM)
    tempting = faiss.IndexIVFPQ(coarse, DIM, 16, 8, 4)
    tempting.train(VECTORS[:2000])
    faiss.write_index(tempting, str(tmp_path / "l2.faiss"))
    assert faiss.read_index(str(tmp_path / "l2.faiss")).precomputed_table.size() > 0
    assert read(tmp_path / "l2.faiss").precomputed_table.size() == 0


def test_no_table_is_built_for_shards(trained, tmp_path: Path):
    ann.save(_merged(trained, [100]), tmp_path / "shard.faiss")
    assert lists_of(read(tmp_path / "shard.faiss")).precomputed_table.size() == 0


def test_lists_made_for_scanning_are_not_merged(trained):
    one, two = (ann.fill(trained, VECTORS[:100], ROWS[:100]) for _ in range(2))
    with pytest.raises(SearchError, match="must be merged before they are made ready for serving"):
        ann.merge([one, ann.for_serving(two)])
    with pytest.raises(SearchError, match="must be merged before they are made ready for serving"):
        ann.merge([ann.for_serving(one)])


@pytest.mark.parametrize("name", ["ivf_sq8", "ivf_pq4"])
def test_nothing_prefetches(name, tmp_path: Path):
    recipe = ann.Recipe(name, 16)
    filled = ann.fill(ann.train(recipe, VECTORS[:2000]), VECTORS[:2000], ROWS[:2000])
    ann.save(ann.for_serving(filled), tmp_path / "mapped.faiss")
    mapped = ann.load(tmp_path / "mapped.faiss").index
    lists = (lists_of(mapped) or mapped).invlists
    assert not isinstance(faiss.downcast_InvertedLists(lists), faiss.OnDiskInvertedLists)


@pytest.mark.parametrize("name", ["ivf_sq8", "ivf_pq4"])
def test_shards_share_what_was_trained(name):
    first, second = (
        ann.train(ann.Recipe(name, 16), sample) for sample in (VECTORS[:2000], VECTORS[2000:4000])
    )
    one, two = (ann.fill(each, VECTORS[:100], ROWS[:100]) for each in (first, second))
    with pytest.raises(SearchError, match="must come from one trained index"):
        ann.merge([one, two])
    # Of the same centroids, but with other codes, FAISS alone would merge them.
    altered = faiss.clone_index(first)
    values = altered.sq.trained if name == "ivf_sq8" else lists_of(altered).pq.centroids
    faiss.copy_array_to_vector(1.1 * faiss.vector_to_array(values), values)
    first.check_compatible_for_merge(altered)
    with pytest.raises(SearchError, match="their codes stand for different values"):
        ann.merge([one, ann.fill(altered, VECTORS[:100], ROWS[:100])])


def test_a_served_index_outlives_what_it_was_made_of(trained):
    filled = ann.fill(trained, VECTORS, ROWS)
    index = ann.AnnIndex(ann.for_serving(filled))
    del filled
    taken = [np.ones(10**6) for _ in range(20)]
    assert len(taken) == 20
    assert _recall(index, 10) > 0.99
    assert ann.for_serving(index.index) is index.index


# Projection and k-means.


@pytest.mark.parametrize("dim", [24, 64, 192])
def test_an_even_space_is_rotated_as_it_is(dim):
    vectors = np.random.default_rng(0).standard_normal((4000, dim)).astype(np.float32)
    matrix = projection(vectors)
    assert len(matrix) % CODES == 0
    assert len(matrix) >= dim
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(dim), atol=1e-5)


def test_codes_share_what_the_axes_carry():
    """RaBitQ and product codes on unrotated axes are wasted on the weak ones."""
    scales = np.arange(1, 193) ** -0.6
    vectors = np.random.default_rng(0).standard_normal((4000, 192)) * scales
    matrix = projection(vectors.astype(np.float32))
    assert matrix.shape == (128, 192)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(128), atol=1e-5)
    # The strongest directions are those kept.
    kept = np.square(vectors @ matrix.T).sum()
    assert kept / np.square(vectors).sum() > np.square(scales[:128]).sum() / np.sum(
        np.square(scales)
    )
    carried = np.square(vectors @ matrix.T).reshape(-1, CODES, 2).sum(axis=(0, 2))
    unrotated = np.square(vectors[:, :128]).reshape(-1, CODES, 2).sum(axis=(0, 2))
    assert carried.max() / carried.min() < 20 < unrotated.max() / unrotated.min()


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any),
    part=st.floats(0, 1),
)
def test_shares_are_in_proportion(sizes, part):
    sizes = np.array(sizes)
    least, most = int((sizes > 0).sum()), int(sizes.sum())
    total = least + int(part * (most - least))
    divided = shares(sizes, total)
    assert divided.sum() == total
    assert np.all(divided <= sizes)
    assert np.all((divided > 0) == (sizes > 0))


def test_shares_of_a_plain_case():
    assert shares(np.array([50, 30, 20, 0]), 10).tolist() == [5, 3, 2, 0]


def test_two_levels_are_nearly_as_good_as_one():
    # 300 clumps without order among them are the hardest case.
    centroids = two_level_kmeans(VECTORS, 256)
    assert centroids.shape == (256, DIM)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(centroids, two_level_kmeans(VECTORS, 256))
    best = (VECTORS @ centroids.T).max(axis=1).mean()
    one = faiss.Kmeans(DIM, 256, niter=10, spherical=True, seed=1)
    one.train(VECTORS)
    assert best > 0.9 * (VECTORS @ one.centroids.T).max(axis=1).mean()


def test_as_many_clusters_as_vectors():
    centroids = two_level_kmeans(VECTORS[:20], 20)
    order = np.argmax(VECTORS[:20] @ centroids.T, axis=1)
    np.testing.assert_allclose(centroids[order], to_unit(VECTORS[:20]), atol=1e-6)


class _Reaching:
    """A graph that reaches some lists only, as the FAISS graph of many lists now and then does."""

    def __init__(self, graph, unreached):
        self._graph, self._unreached = graph, unreached

    def search(self, queries, k, *, params):
        scores, found = self._graph.search(queries, k, params=params)
        lost = np.isin(found, self._unreached)
        return np.where(lost, -3.4e38, scores).astype(np.float32), np.where(lost, -1, found)


def _never():
    raise AssertionError("few lists are found by the graph")


def test_many_lists_are_those_with_the_nearest_centres(index, monkeypatch):
    codes = lists_of(index.index)
    given = np.einsum("qd,od->qo", QUERIES, matrix_of(index.index))
    centres = centres_of(codes)
    scores = given.astype(np.float64) @ centres.T.astype(np.float64)
    monkeypatch.setattr(product_codes, "GRAPH_UP_TO", 8)
    for lists in (9, 40, RECIPE.lists):
        near, found = lists_to_visit(codes, given, index._parameters(lists, None), lambda: centres)
        assert found.shape == (len(given), lists)
        for row, own in enumerate(scores):
            assert set(found[row]) == set(np.argsort(-own)[:lists])
        np.testing.assert_allclose(near, np.take_along_axis(scores, found, 1), atol=1e-5)
        # And what is found there does not hang on how they were.
        by_us = index.search(QUERIES, 10, nprobe=lists)
        with monkeypatch.context() as patch:
            patch.setattr(product_codes, "GRAPH_UP_TO", RECIPE.lists)
            by_graph = index.search(QUERIES, 10, nprobe=lists)
        assert np.mean(by_us[1] == by_graph[1]) > 0.95
    alone = index.search(QUERIES[3:4], 10, nprobe=40)
    np.testing.assert_array_equal(alone[1][0], index.search(QUERIES, 10, nprobe=40)[1][3])


def test_lists_that_the_graph_does_not_reach_do_not_drown_the_others(index):
    codes = lists_of(index.index)
    given = np.einsum("qd,od->qo", QUERIES, matrix_of(index.index))
    parameters = index._parameters(RECIPE.lists, None)
    whole = search_lists(
        codes, given, 10, lists_to_visit(codes, given, parameters, _never), parameters
    )
    farthest = np.unique(lists_to_visit(codes, given, parameters, _never)[1][:, -1])[:1]
    reaching = SimpleNamespace(quantizer=_Reaching(codes.quantizer, farthest))
    visited = lists_to_visit(reaching, given, parameters, _never)
    assert (visited[1] == -1).any()
    assert visited[0].min() > -10.0
    found = search_lists(codes, given, 10, visited, parameters)
    # Of a few queries that list holds some of the nearest.
    same = found[1] == whole[1]
    assert same.mean() > 0.97
    assert np.allclose(found[0][same], whole[0][same], atol=0.02)
    # Without that, a query says nothing any more.
    drowned = np.where(visited[1] < 0, np.float32(-3.4e38), visited[0]), visited[1]
    assert (search_lists(codes, given, 10, drowned, parameters)[1] == whole[1]).mean() < 0.5


@pytest.mark.parametrize("files", [1, 2])
def test_it_is_known_how_near_the_list_of_a_row_is(trained, index, files):
    numbers, _ = ann.nearest_lists(trained, VECTORS)
    if files == 2:
        halves = (slice(None, COUNT // 3), slice(COUNT // 3, None))
        parts = [ann.fill(trained, VECTORS[part].copy(), ROWS[part].copy()) for part in halves]
        index = ann.AnnIndex(*(ann.for_serving(part) for part in parts[:1]), tuple(
            ann.for_serving(part) for part in parts[1:]
        ))  # fmt: skip
    centres = centres_of(lists_of(index.index))
    chosen = np.array([0, 17, COUNT // 3, COUNT - 1])
    for query in QUERIES[:3]:
        expected = centres[numbers[chosen]] @ (matrix_of(index.index) @ query)
        np.testing.assert_allclose(index.nearness(query, ROWS[chosen]), expected, rtol=1e-5)


def test_it_is_known_how_many_lists_are_read_before_that_of_a_hit(trained, index):
    numbers, _ = ann.nearest_lists(trained, VECTORS)
    centres, nprobe = centres_of(lists_of(index.index)), 32
    agree = []
    for query in QUERIES[:20]:
        near = centres @ (matrix_of(index.index) @ query)
        place = np.empty(RECIPE.lists, np.int64)
        place[np.argsort(-near)] = np.arange(RECIPE.lists)
        rows = index.search(query[None, :], 40, nprobe=nprobe)[1][0]
        found = np.searchsorted(ROWS, rows)
        before = index.lists_before(query, VECTORS[found], nprobe)
        assert before.max() < nprobe
        agree.append(before == place[numbers[found]])
    # The graph gives a few vectors to another list than the nearest.
    assert np.mean(agree) > 0.97
