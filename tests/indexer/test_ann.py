"""FAISS against an exact scan, and against what FAISS does in silence."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ann
from indexer.errors import IndexFormatError, SearchError
from indexer.row_sets import RowSet
from indexer.vectors import PADDING, exact_scan

DIM = 24


def _unit(count: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # As they are on disk.
    return vectors.astype(np.float16).astype(np.float32)


def _filled(
    recipe: ann.Recipe, vectors: np.ndarray, rows: np.ndarray, cuts: list[int]
) -> ann.AnnIndex:
    trained = ann.train(recipe, vectors)
    bounds = [0, *sorted(cuts), len(vectors)]
    shards = [
        ann.fill(trained, vectors[start:stop], rows[start:stop]) for start, stop in pairwise(bounds)
    ]
    return ann.AnnIndex(ann.merge(shards))


def _naive(vectors: np.ndarray, rows: np.ndarray, query: np.ndarray, k: int) -> np.ndarray:
    """Return the rows of the k best by sorting everything in float64."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    return rows[np.lexsort((rows, -np.round(scores, 9)))][:k]


@pytest.mark.parametrize("recipe", [ann.Recipe("flat"), ann.Recipe("ivf_sq8", 16)])
def test_shards_merged_equal_one_exact_scan(recipe: ann.Recipe):
    vectors, rows = _unit(3000), np.arange(3000) * 7 + 3
    queries = _unit(20, seed=1)
    index = _filled(recipe, vectors, rows, [700, 2100])
    assert index.count == 3000
    assert index.recipe == recipe
    scores, found, counts = index.search(queries, 10, nprobe=16)
    exact_scores, exact, _ = exact_scan(vectors.astype(np.float16), queries, 10, rows=rows)
    assert np.all(counts == 10)
    for query, row in zip(queries, exact, strict=True):
        np.testing.assert_array_equal(_naive(vectors, rows, query, 10), row)
    if recipe.name == "flat":
        np.testing.assert_array_equal(found, exact)
        np.testing.assert_allclose(scores, exact_scores, atol=1e-6)
    else:
        # All lists visited: only the 8-bit codes are approximate.
        np.testing.assert_allclose(scores, exact_scores, atol=0.02)
        overlap = [len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]
        assert np.mean(overlap) > 9


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(2, 80),
    cuts=st.lists(st.integers(1, 79), max_size=4),
    copies=st.integers(0, 30),
    k=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_any_division_into_shards_gives_the_same(count, cuts, copies, k, seed):
    vectors = _unit(count, seed)
    vectors[: min(copies, count)] = vectors[0]
    rows = np.cumsum(np.random.default_rng(seed).integers(1, 5, count))
    cuts = sorted({min(cut, count - 1) for cut in cuts})
    queries = _unit(3, seed + 1)
    queries[0] = vectors[0]
    index = _filled(ann.Recipe("flat"), vectors, rows, cuts)
    scores, found, counts = index.search(queries, k)
    _, exact, exact_counts = exact_scan(vectors.astype(np.float16), queries, k, rows=rows)
    np.testing.assert_array_equal(counts, exact_counts)
    np.testing.assert_array_equal(found, exact)
    assert np.all(np.isfinite(scores))


@pytest.mark.parametrize("recipe", [ann.Recipe("flat"), ann.Recipe("ivf_sq8", 4)])
def test_written_and_mapped(recipe: ann.Recipe, tmp_path: Path):
    vectors, rows = _unit(500), np.arange(500) + 10**9
    index = _filled(recipe, vectors, rows, [])
    ann.save(index.index, tmp_path / "a.faiss")
    mapped = ann.load(tmp_path / "a.faiss")
    assert (mapped.count, mapped.dim, mapped.recipe) == (500, DIM, recipe)
    for one, two in zip(index.search(vectors[:9], 5), mapped.search(vectors[:9], 5), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not (tmp_path / "a.faiss.tmp").exists()


@pytest.mark.parametrize("recipe", [ann.Recipe("flat"), ann.Recipe("ivf_sq8", 8)])
def test_the_same_input_gives_the_same_bytes(recipe: ann.Recipe, tmp_path: Path):
    vectors, rows = _unit(2000), np.arange(2000)
    for name, cuts in (("one", []), ("two", [300, 1999])):
        ann.save(_filled(recipe, vectors, rows, cuts).index, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_ids_come_back_when_their_array_is_gone():
    vectors = _unit(1000)
    trained = ann.train(ann.Recipe("ivf_sq8", 8), vectors)
    index = ann.AnnIndex(ann.fill(trained, vectors, np.arange(5000, 6000)))
    _, found, _ = index.search(vectors, 1, nprobe=8)
    assert np.mean(found[:, 0] == np.arange(5000, 6000)) > 0.99


def test_filling_leaves_the_trained_index_empty():
    vectors = _unit(100)
    trained = ann.train(ann.Recipe("flat"), vectors)
    ann.fill(trained, vectors, np.arange(100))
    assert trained.ntotal == 0


def test_padding_never_leaves():
    index = _filled(ann.Recipe("flat"), _unit(5), np.arange(5), [])
    scores, rows, counts = index.search(_unit(2, 1), 50)
    assert rows.shape == (2, 5)
    assert list(counts) == [5, 5]
    lists = _filled(ann.Recipe("ivf_sq8", 4), _unit(40), np.arange(40), [])
    scores, rows, counts = lists.search(_unit(2, 1), 40, nprobe=1)
    for i in range(2):
        assert counts[i] < 40
        assert np.all(rows[i, : counts[i]] >= 0)
        assert np.all(rows[i, counts[i] :] == PADDING)
        assert np.all(np.isnan(scores[i, counts[i] :]))


def test_only_allowed_rows():
    vectors, rows = _unit(400), np.arange(400) * 3
    allowed = rows[::7]
    bits = RowSet.of(allowed, 1200).bits
    for recipe in (ann.Recipe("flat"), ann.Recipe("ivf_sq8", 4)):
        index = _filled(recipe, vectors, rows, [100])
        _, found, counts = index.search(vectors[:4], 10, allowed=bits, nprobe=None)
        assert np.isin(found[found >= 0], allowed).all()
        assert counts.min() > 0
        for nothing in (RowSet.of(allowed[:0], 1200).bits, bits[:0]):
            _, found, counts = index.search(vectors[:4], 10, allowed=nothing)
            assert list(counts) == [0] * 4
    _, exact, _ = exact_scan(
        vectors.astype(np.float16),
        vectors[:4],
        10,
        rows=rows,
        positions=np.arange(400)[::7],
    )
    flat = _filled(ann.Recipe("flat"), vectors, rows, [])
    np.testing.assert_array_equal(flat.search(vectors[:4], 10, allowed=bits)[1], exact)


def test_a_search_changes_nothing():
    index = _filled(ann.Recipe("ivf_sq8", 16), _unit(500), np.arange(500), [])
    before = index.index.nprobe
    first = index.search(_unit(3, 2), 5)
    index.search(_unit(3, 2), 5, nprobe=16)
    assert index.index.nprobe == before
    for one, two in zip(first, index.search(_unit(3, 2), 5), strict=True):
        np.testing.assert_array_equal(one, two)


def test_queries_that_do_not_fit():
    index = _filled(ann.Recipe("ivf_sq8", 4), _unit(100), np.arange(100), [])
    with pytest.raises(SearchError, match=r"must have 24 dimensions, got the shape \(2, 25\)"):
        index.search(_unit(2, dim=25), 5)
    with pytest.raises(SearchError, match="must be float32, got float64"):
        index.search(_unit(2).astype(np.float64), 5)
    with pytest.raises(SearchError, match="must be finite"):
        index.search(np.full((1, DIM), np.nan, np.float32), 5)
    with pytest.raises(SearchError, match="at least 1, got 0"):
        index.search(_unit(1), 0)
    with pytest.raises(SearchError, match="between 1 and the 4 lists, got 5"):
        index.search(_unit(1), 1, nprobe=5)


def test_shards_of_different_training_are_refused():
    one, two = (
        ann.fill(ann.train(ann.Recipe("ivf_sq8", lists), _unit(200)), _unit(200), np.arange(200))
        for lists in (4, 8)
    )
    with pytest.raises(SearchError, match="must come from one trained index"):
        ann.merge([one, two])
    with pytest.raises(SearchError, match="at least one shard"):
        ann.merge([])


def test_too_few_to_train_on():
    with pytest.raises(SearchError, match=r"64 lists need at least as many vectors .* got 10"):
        ann.train(ann.Recipe("ivf_sq8", 64), _unit(10))


def test_recipes_by_size():
    assert ann.recipe_for(1, 768) == ann.Recipe("flat")
    assert ann.recipe_for(50_000, 768) == ann.Recipe("flat")
    assert ann.recipe_for(50_001, 768) == ann.Recipe("ivf_sq8", 1024)
    assert ann.recipe_for(1_000_000, 768) == ann.Recipe("ivf_pq4", 16_000)
    assert ann.recipe_for(10_000_000, 768) == ann.Recipe("ivf_pq4", 50_596)
    # 128 MiB of 8-bit codes is where product codes begin.
    assert ann.recipe_for(2**19, 256) == ann.Recipe("ivf_sq8", 4096)
    assert ann.recipe_for(2**19 + 1, 256) == ann.Recipe("ivf_pq4", 11_585)
    assert ann.recipe_for(200_000_000, 128) == ann.Recipe("ivf_pq4", 65_536)
    for name, lists in (("flat", 3), ("ivf_sq8", 0), ("ivf_pq4", 0), ("ivf_rabitq", 16)):
        with pytest.raises(ValueError, match=f"'flat' without lists, .* got '{name}' with {lists}"):
            ann.Recipe(name, lists)


def test_what_a_search_does_by_default():
    assert [ann.Recipe("ivf_sq8", 2**n).default_nprobe for n in (4, 10, 12)] == [16, 48, 128]
    assert [ann.Recipe("ivf_pq4", 2**n).default_nprobe for n in (6, 14, 16)] == [64, 128, 256]
    recipes = (ann.Recipe("flat"), ann.Recipe("ivf_sq8", 16), ann.Recipe("ivf_pq4", 16))
    assert [each.candidates(10) for each in recipes] == [10, 40, 200]


def test_files_that_are_no_index():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.faiss"
        with pytest.raises(IndexFormatError, match=r"x\.faiss must be a FAISS file"):
            ann.load(path)
        path.write_bytes(b"nonsense" * 10)
        with pytest.raises(IndexFormatError, match=r"x\.faiss must be a FAISS file"):
            ann.load(path)
