"""Heads on linked pairs."""

import numpy as np

from indexer.align import Aligned, Pairs, fit_heads, held_out_cells, recall
from indexer.spaces import to_unit


def _pairs(count: int, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((count, 6))
    left = to_unit(common @ rng.standard_normal((6, 12)) + 0.1 * rng.standard_normal((count, 12)))
    right = to_unit(common @ rng.standard_normal((6, 9)) + 0.1 * rng.standard_normal((count, 9)))
    return Pairs(left, right, rng.integers(0, 12 * 4**29, count))


def test_heads_find_what_is_common():
    fitted = fit_heads(_pairs(800))
    assert isinstance(fitted, Aligned)
    assert fitted.facts["dimensions"] == 9
    assert fitted.facts["pairs"] + fitted.facts["held_out_pairs"] == 800
    assert fitted.facts["recall_at_10_image_to_spectrum"] > 0.8
    assert fitted.facts["recall_at_10_spectrum_to_image"] > 0.8


def test_unrelated_pairs_are_measured_as_such():
    pairs = _pairs(800)
    shuffled = Pairs(pairs.left, pairs.right[::-1].copy(), pairs.healpix_29)
    fitted = fit_heads(shuffled)
    assert isinstance(fitted, Aligned)
    assert fitted.facts["recall_at_10_image_to_spectrum"] < 0.25


def test_too_few_pairs_are_refused_with_the_number():
    assert fit_heads(_pairs(99)) == (
        "images and spectra are not aligned: at least 100 linked pairs are needed, there are 99"
    )
    assert isinstance(fit_heads(_pairs(100)), Aligned)


def test_whole_cells_are_held_out():
    rng = np.random.default_rng(0)
    healpix = rng.integers(0, 12 * 4**29, 5000)
    held_out, order = held_out_cells(healpix)
    assert 0.1 < held_out.mean() < 0.3
    cells = healpix >> (2 * (29 - order))
    assert not set(cells[held_out]) & set(cells[~held_out])
    assert order == 4
    small = (5 << 58) + rng.integers(0, 4**20, 500)
    held_out, order = held_out_cells(small)
    assert order > 4
    assert 0.05 < held_out.mean() < 0.4


def test_recall_counts_ties_against():
    same = np.ones((20, 2), np.float32)
    assert recall(same, same) == (0.0, 0.0)
    assert recall(same[:0], same[:0]) == (0.0, 0.0)
    own = np.eye(20, dtype=np.float32)
    assert recall(own, own) == (1.0, 1.0)
