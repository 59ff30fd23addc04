"""Whitening against its closed form."""

import numpy as np

from aion_encoder.whitening import SHRINKAGE, whitening


def test_whitening_gives_unit_covariance_up_to_its_shrinkage() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(5000, 4)) * [1.0, 2.0, 0.5, 1.5] + 3.0
    mean, projection = whitening(vectors)
    white = (vectors - mean) @ projection
    assert np.allclose(white.mean(axis=0), 0.0, atol=1e-3)
    values, directions = np.linalg.eigh(np.cov(vectors, rowvar=False, bias=True))
    expected = values / ((1 - SHRINKAGE) * values + SHRINKAGE * values.mean())
    turned = directions.T @ np.cov(white, rowvar=False, bias=True) @ directions
    assert np.allclose(turned, np.diag(expected), atol=1e-4)


def test_the_strongest_directions_are_kept_whatever_the_signs() -> None:
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    vectors = rng.normal(size=(4000, 5)) * [4.0, 3.0, 0.3, 0.2, 0.1] @ turn
    mean, projection = whitening(vectors, 2)
    assert projection.shape == (5, 2)
    white = (vectors - mean) @ projection
    # Both kept directions get the same spread, less what the shrinkage adds, and none is shared.
    spread = np.cov(white, rowvar=False, bias=True)
    assert abs(spread[0, 1]) < 1e-6
    assert np.allclose(np.diag(spread), [1.09, 1.07], atol=0.03)
    # The plane is that of the two strong directions.
    outside = np.linalg.norm(projection.T @ turn[2:].T, axis=1)
    assert (outside < 0.02 * np.linalg.norm(projection, axis=0)).all()
    largest = np.abs(projection).argmax(axis=0)
    assert (projection[largest, [0, 1]] > 0).all()
    again = whitening(vectors[::-1], 2)[1]
    assert np.allclose(projection, again, atol=1e-9)


def test_keeping_all_directions_is_whitening() -> None:
    vectors = np.random.default_rng(4).normal(size=(300, 4))
    assert np.array_equal(whitening(vectors, 4)[1], whitening(vectors)[1])
    assert np.array_equal(whitening(vectors, 9)[1], whitening(vectors)[1])
