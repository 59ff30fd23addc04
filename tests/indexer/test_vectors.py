"""Vectors on disk and the exact scan."""

from pathlib import Path

import numpy as np
import pytest

from indexer.coded_vectors import fit_scale
from indexer.errors import IndexFormatError, SearchError
from indexer.vectors import (
    PADDING,
    exact_scan,
    expect_scattered,
    map_vectors,
    pair_scores,
    rerank,
    write_vectors,
)


def _unit(count: int, seed: int = 0, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_blocks_become_one_file(tmp_path: Path):
    vectors = _unit(100)
    path = tmp_path / "a" / "v.npy"
    write_vectors(path, iter([vectors[:30], vectors[30:]]), (100, 16))
    mapped = map_vectors(path)
    assert mapped.dtype == np.float16
    np.testing.assert_array_equal(mapped, vectors.astype(np.float16))
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), mapped)


def test_the_announced_shape_must_come(tmp_path: Path):
    with pytest.raises(ValueError, match="5 vectors were announced, 4 were written"):
        write_vectors(tmp_path / "v.npy", [_unit(4)], (5, 16))
    with pytest.raises(ValueError, match=r"blocks must be \(n, 17\), got \(4, 16\)"):
        write_vectors(tmp_path / "v.npy", [_unit(4)], (4, 17))
    assert not (tmp_path / "v.npy").exists()


def test_other_files_are_refused(tmp_path: Path):
    path = tmp_path / "v.npy"
    with pytest.raises(IndexFormatError, match="cannot be read"):
        map_vectors(path)
    np.save(path, _unit(3))
    with pytest.raises(IndexFormatError, match=r"float16 matrix, got float32 of shape \(3, 16\)"):
        map_vectors(path)


def test_a_score_does_not_depend_on_its_company():
    vectors, query = _unit(1000).astype(np.float16), _unit(1, 5)[0]
    together = pair_scores(vectors, query)
    alone = np.array([pair_scores(vectors[i : i + 1], query)[0] for i in range(0, 1000, 37)])
    np.testing.assert_array_equal(together[::37], alone)


def test_equal_vectors_tie_by_row():
    vectors = _unit(300)
    vectors[[250, 3, 77, 120]] = vectors[3]
    rows = np.arange(300) * 2
    scores, found, counts = exact_scan(vectors.astype(np.float16), vectors[3:4], 3, rows=rows)
    assert list(found[0]) == [6, 154, 240]
    assert len(set(scores[0])) == 1
    assert list(counts) == [3]


def test_fewer_than_asked():
    vectors = _unit(4).astype(np.float16)
    _, found, counts = exact_scan(vectors, _unit(2, 1), 9, rows=np.arange(4))
    assert found.shape == (2, 4)
    assert list(counts) == [4, 4]
    empty = exact_scan(vectors, _unit(2, 1), 9, rows=np.arange(4), positions=np.empty(0, np.int64))
    assert list(empty[2]) == [0, 0]
    assert np.all(empty[1] == PADDING)
    assert np.all(np.isnan(empty[0]))
    with pytest.raises(SearchError, match="at least 1, got 0"):
        exact_scan(vectors, _unit(1), 0, rows=np.arange(4))


def test_blocks_do_not_change_the_answer(monkeypatch):
    vectors, queries = _unit(500).astype(np.float16), _unit(7, 3)
    whole = exact_scan(vectors, queries, 20, rows=np.arange(500))
    monkeypatch.setattr("indexer.vectors._BLOCK_ROWS", 33)
    for one, two in zip(whole, exact_scan(vectors, queries, 20, rows=np.arange(500)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_rerank_orders_candidates():
    vectors, query = _unit(50).astype(np.float16), _unit(1, 2)
    rows = np.arange(50) + 100
    candidates = np.array([[149, 101, 120, PADDING]])
    scores, found, counts = rerank(vectors, query, candidates, np.array([3]), 2, rows=rows)
    expected = {row: float(vectors[row - 100].astype(float) @ query[0]) for row in (149, 101, 120)}
    best = sorted(expected, key=lambda row: -expected[row])[:2]
    assert list(found[0]) == best
    np.testing.assert_allclose(scores[0], [expected[row] for row in best], atol=1e-6)
    assert list(counts) == [2]


@pytest.mark.parametrize("scale", [None, "fitted"])
def test_nothing_is_read_ahead_where_vectors_are_taken_here_and_there(tmp_path: Path, scale):
    """As the system itself says of what this process has mapped."""
    path = tmp_path / "image.npy"
    vectors = _unit(3000, 32)
    fitted = None if scale is None else fit_scale(vectors)
    write_vectors(path, [vectors], vectors.shape, scale=fitted)
    mapped = map_vectors(path)
    before = np.asarray(mapped[[5, 2999]])
    assert "rr" not in _advice_of(path)
    expect_scattered(mapped)
    assert "rr" in _advice_of(path)
    np.testing.assert_array_equal(mapped[[5, 2999]], before)
    # In memory there is nothing to say.
    expect_scattered(vectors.astype(np.float16))


def _advice_of(path: Path) -> list[str]:
    """Return the flags of the part of memory that a file is mapped to."""
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line[:1].islower() or line[:1].isdigit():
            here = line.endswith(str(path))
        elif here and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError(f"{path} is not mapped")
