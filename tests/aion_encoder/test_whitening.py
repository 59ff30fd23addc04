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
