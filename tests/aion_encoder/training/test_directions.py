"""Directions of cells: those that tell fluxes come first; each cell has its own usual values."""

import numpy as np

from aion_encoder.training.directions import cell_directions, usual


def test_the_first_directions_tell_fluxes_and_the_first_cell_its_own() -> None:
    rng = np.random.default_rng(3)
    surveys = [rng.normal(size=(900, 4, 20)).astype(np.float32) for _ in range(2)]
    bright, shape = rng.normal(size=20), rng.normal(size=20)
    fluxes = [
        np.concatenate([each[:, :1] @ bright[:, None], each[:, 1:] @ shape[:, None]], axis=1)
        for each in surveys
    ]
    fluxes[1][:50, 2] = np.nan
    found = cell_directions(surveys, fluxes, 7, first_apart=True)
    assert found.shape == (20, 7)
    assert np.array_equal(found, found.astype(np.float16))
    for column, truth in ((0, shape), (1, bright)):
        cosine = found[:, column] @ truth / np.linalg.norm(found[:, column]) / np.linalg.norm(truth)
        assert cosine > 0.999
    # Of one kind, they share what both can tell.
    (together, *_) = cell_directions(surveys, fluxes, 1, first_apart=False).T
    assert 0.8 < together @ shape / np.linalg.norm(together) / np.linalg.norm(shape) < 0.999


def test_without_fluxes_they_are_principal() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(3000, 5, 1))
    cells = (0.3 * rng.normal(size=(3000, 5, 8)) + common * np.ones(8)).astype(np.float32)
    (first, *_) = cell_directions([cells], None, 3, first_apart=False).T
    assert abs(first.sum()) / np.linalg.norm(first) / 8**0.5 > 0.99


def test_usual_values_are_those_of_each_cell() -> None:
    rng = np.random.default_rng(5)
    projected = rng.normal(size=(4000, 3, 2)) * [[1, 2], [3, 4], [5, 0]] + [[0, 1], [2, 3], [4, 5]]
    mean, spread = usual(projected.astype(np.float32))
    assert np.allclose(mean, [[0, 1], [2, 3], [4, 5]], atol=0.2)
    assert np.allclose(spread[:2], [[1, 2], [3, 4]], rtol=0.05)
    # What never varies is not blown up.
    assert spread[2, 1] > 0.1
