"""Measures of the universal spectral tokenizer: closed forms, and a small run end to end."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aion_encoder.training.native import NativeRow
from aion_encoder.universal_spectra.checkpoint import write_checkpoint
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.model import blank_model
from benchmarks.spectra import PAIRS, measure
from benchmarks.spectra_baselines import COMPONENTS, GRID_ANGSTROM, CommonGrid, on_common_grid
from benchmarks.spectra_measures import class_accuracy, overlap_at, partners, ridge_probe
from benchmarks.spectra_page import page

RNG = np.random.default_rng(0)


def test_partners_that_are_equal_come_first_and_shuffled_ones_by_chance() -> None:
    vectors = RNG.normal(size=(500, 16)).astype(np.float32)
    found = partners(vectors, 3.0 * vectors, seed=0)
    assert (found.r_at_10, found.median_rank, found.gallery) == (1.0, 1.0, 500)
    assert found.interval == (1.0, 1.0)
    chance = partners(vectors, vectors[RNG.permutation(500)], seed=0)
    assert abs(chance.r_at_10 - 10 / 500) < 0.03
    assert chance.interval[0] <= chance.r_at_10 <= chance.interval[1]


def test_an_unchanged_query_keeps_all_neighbours_and_a_random_one_hardly_any() -> None:
    gallery = RNG.normal(size=(400, 8)).astype(np.float32)
    asking = gallery[:50]
    assert overlap_at(asking, 2.0 * asking, gallery, 10) == 1.0
    other = RNG.normal(size=(50, 8)).astype(np.float32)
    assert overlap_at(asking, other, gallery, 10) < 0.2


def test_probes_find_what_is_linear() -> None:
    x = RNG.normal(size=(600, 5))
    truth = x @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + 7.0
    known = truth.copy()
    known[::7] = np.nan
    told = ridge_probe(x[:400], known[:400], x[400:], ridge=1e-6)
    assert np.allclose(told, truth[400:], atol=1e-6)
    labels = np.where(x[:, 0] > 0.8, "A", np.where(x[:, 0] < -0.8, "B", "C"))
    assert class_accuracy(x[:400], labels[:400], x[400:], labels[400:]) > 0.95


def _row(wavelength: np.ndarray, flux: np.ndarray, mask: np.ndarray | None = None) -> NativeRow:
    bad = np.zeros(flux.size, bool) if mask is None else mask
    return NativeRow(wavelength, flux.astype(np.float32), np.ones(flux.size, np.float32), bad)


def test_a_common_grid_keeps_shape_and_leaves_what_is_not_covered_at_the_median() -> None:
    wavelength = np.arange(5000.0, 6000.0, 0.5)
    made = on_common_grid(_row(wavelength, 2.0 * wavelength))
    inside = (GRID_ANGSTROM > 5005) & (GRID_ANGSTROM < 5995)
    assert np.allclose(
        np.sinh(made[inside]), GRID_ANGSTROM[inside] / (5000.0 * 6000.0) ** 0.5, rtol=2e-3
    )
    assert np.allclose(np.sinh(made[~inside & (GRID_ANGSTROM < 4990)]), 1.0)
    coarse = np.geomspace(4000.0, 9000.0, 150)
    prism = on_common_grid(_row(coarse, coarse**2))
    within = (GRID_ANGSTROM > 4100) & (GRID_ANGSTROM < 8900)
    assert np.all(np.diff(prism[within]) > 0)
    empty = on_common_grid(_row(wavelength, wavelength, np.ones(wavelength.size, bool)))
    assert np.allclose(np.sinh(empty), 1.0)


def test_components_are_unit_vectors_that_tell_spectra_apart() -> None:
    spectra = RNG.normal(size=(120, GRID_ANGSTROM.size)).astype(np.float32)
    fitted = CommonGrid({"a": spectra[:60], "b": spectra[60:]})
    made = fitted(spectra)
    assert made.shape == (120, COMPONENTS)
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    assert partners(made, fitted(spectra + 0.01), seed=0).r_at_10 == 1.0


@pytest.fixture
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.usefixtures("_one_thread")
def test_everything_is_measured_and_told(tmp_path: Path) -> None:
    config = UstConfig(
        dim=12, heads=2, encoder_layers=1, decoder_layers=1, query_layers=1, periods=8, head_dim=8
    )
    write_checkpoint(tmp_path / "weights", blank_model(config, 0))
    weights = str(tmp_path / "weights")
    few = {"aion": False, "resampled": 6, "reconstructed": 2, "paper": config}
    measured = measure(tmp_path, weights, 36, **few)
    text, keys = page(measured)
    assert "simulated" in text
    for one, other in PAIRS:
        assert 0.0 <= keys[f"cross_instrument.{one}_to_{other}.r_at_10"] <= 1.0
        assert 0.0 <= keys[f"cross_instrument.{one}_to_{other}.baseline"] <= 1.0
    for name in ("class_accuracy", "resampling.overlap_at_10"):
        assert 0.0 <= keys[name] <= 1.0
    assert keys["rate.spectra_per_second"] > 0.0
    assert keys["rate.paper.spectra_per_second"] > 0.0
    assert 0.0 < keys["rate.paper.share_of_ceiling"] < 1.0
    assert ("No GPU was at hand." in text) == ("rate.paper.cuda.spectra_per_second" not in keys)
    # Without noise a spectrum is as far from its flux as the noise says.
    assert measured["reconstruction"]["native"]["desi"]["noise_free"] == pytest.approx(1.0, abs=0.1)
    again = measure(tmp_path, weights, 36, **few)
    assert again["probes"] == measured["probes"]
