"""Which patches training shows."""

import numpy as np
import pytest
import torch

from aion_encoder.training.universal_spectra.masking import shown
from aion_encoder.universal_spectra.batches import SpectrumBatch

COUNTS = (200, 137, 40, 5)


def _batch(counts: tuple[int, ...] = COUNTS) -> SpectrumBatch:
    shape = (len(counts), max(counts), 32)
    return SpectrumBatch(
        flux=torch.zeros(shape),
        errors=torch.zeros(shape),
        good=torch.ones(shape, dtype=torch.bool),
        sigma=torch.ones(shape),
        wavelength_angstrom=torch.ones(shape, dtype=torch.float64),
        present=torch.arange(shape[1]) < torch.tensor(counts)[:, None],
    )


def _shown(batch: SpectrumBatch, hidden: float, cut: float, seed: int = 1) -> np.ndarray:
    return shown(batch, hidden, cut, torch.Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize(("hidden", "cut"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.5), (0.9, 0.5)])
def test_four_patches_of_every_spectrum_are_shown_at_least(hidden: float, cut: float) -> None:
    batch = _batch()
    assert batch.present is not None
    keep = _shown(batch, hidden, cut)
    assert (keep.sum(axis=1) >= 4).all()
    assert not (keep & ~batch.present.numpy()).any()
    if not hidden and not cut:
        assert np.array_equal(keep, batch.present)


def test_a_share_is_hidden_at_random_and_a_seed_draws_the_same() -> None:
    batch = _batch((400,) * 100)
    keep = _shown(batch, 0.4, 0.0)
    # Three sigma of 40,000 draws, and of the mean over rows of one patch.
    assert keep.mean() == pytest.approx(0.6, abs=0.0075)
    assert np.abs(keep.mean(axis=0) - 0.6).max() < 0.25
    assert np.array_equal(keep, _shown(batch, 0.4, 0.0))
    assert not np.array_equal(keep, _shown(batch, 0.4, 0.0, seed=2))


def test_a_cut_takes_one_stretch_at_one_end() -> None:
    keep = _shown(_batch((200,) * 300), 0.0, 0.5)
    borders = np.abs(np.diff(keep.astype(int), axis=1)).sum(axis=1)
    assert borders.max() == 1
    lost = 1.0 - keep.mean(axis=1)
    assert lost.max() <= 0.5
    # Evenly from nothing to a half, from the blue as often as from the red.
    assert lost.mean() == pytest.approx(0.25, abs=0.03)
    assert keep[:, -1][lost > 0].mean() == pytest.approx(0.5, abs=0.1)
