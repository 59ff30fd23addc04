"""Synthetic vectors, and how they come to a benchmark's folder."""

import numpy as np
import pytest

from benchmarks import index_scale, synthetic_vectors
from benchmarks.synthetic_vectors import SyntheticVectors

DIM = 48


@pytest.fixture(scope="module")
def source():
    return SyntheticVectors(DIM, seed=3)


@pytest.fixture(scope="module")
def chunk(source):
    return source.chunk(4)


def test_a_chunk_is_made_alone(source, chunk):
    assert chunk.shape == (synthetic_vectors.CHUNK, DIM)
    # Rounded to float16, as they are stored.
    np.testing.assert_allclose(np.linalg.norm(chunk, axis=1), 1.0, atol=1e-3)
    np.testing.assert_array_equal(chunk, chunk.astype(np.float16))
    again = source.chunk(4)[:: synthetic_vectors.BLOCK]
    np.testing.assert_array_equal(again, chunk[:: synthetic_vectors.BLOCK])
    first = next(source.chunks(1000))
    assert first.shape == (1000, DIM)
    assert not np.array_equal(first, chunk[:1000])


def test_they_are_built_like_embeddings(source, chunk):
    block = chunk[: synthetic_vectors.BLOCK]
    variance = np.square(block - block.mean(axis=0)).mean(axis=0)
    # In principal directions, falling, none empty.
    assert variance[:8].sum() > 3 * variance[-8:].sum() > 0
    # Every twentieth is a near copy, and in no other block.
    scores = block[:500] @ block.T
    scores[np.arange(500), np.arange(500)] = 0
    share = (scores.max(axis=1) > 0.999).mean()
    assert 0.05 < share < 0.15
    queries = source.queries(200)
    assert queries.shape == (200, DIM)
    assert (queries @ block.T).max() < 0.999


def test_dimensions_there_are(source):
    with pytest.raises(ValueError, match="dim must be from 1 to 768, got 769"):
        SyntheticVectors(769, seed=1)


def test_vectors_and_their_truth_are_made_once(source, tmp_path):
    filling, truth = index_scale.written(tmp_path, source, 3000, 5)
    vectors = np.array(filling.vectors())
    np.testing.assert_array_equal(vectors, next(source.chunks(3000)))
    scores = source.queries(5).astype(np.float64) @ vectors.astype(np.float64).T
    np.testing.assert_array_equal(truth, np.argsort(-scores, axis=1)[:, : index_scale.K])
    before = filling.vectors_path.stat().st_mtime_ns
    _, again = index_scale.written(tmp_path, source, 3000, 5)
    np.testing.assert_array_equal(again, truth)
    assert filling.vectors_path.stat().st_mtime_ns == before
