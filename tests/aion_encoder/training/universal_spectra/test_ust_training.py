"""Training of the universal spectral tokenizer: views, examples, a short run end to end."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aion_encoder.training.means import Means
from aion_encoder.training.native import NativeRow
from aion_encoder.training.universal_spectra.examples import Examples, read_examples, write_examples
from aion_encoder.training.universal_spectra.resampling import blurred, coarser, finer
from aion_encoder.training.universal_spectra.stages import recipe_from, run
from aion_encoder.training.universal_spectra.train import UstRecipe, train_universal_spectra
from aion_encoder.training.universal_spectra.views import PAIRS, VIEWS
from aion_encoder.universal_spectra import NativeSpectrum, open_universal_encoder
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.model import blank_model
from aion_encoder.universal_spectra.preparation import prepare
from demo_sky.native import observe_native_source

TINY = UstConfig(
    dim=24, heads=2, encoder_layers=1, decoder_layers=1, query_layers=1, periods=8, head_dim=8
)
RECIPE = UstRecipe(model=TINY, steps=6, tokens=1200, most=4)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Operations this small wait longer for a second thread than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("examples") / "0000.npz"
    write_examples(path, 5, 0, 4)
    return path


@pytest.fixture(scope="module")
def examples(file: Path) -> Examples:
    return read_examples([file])


def _row(flux: np.ndarray, ivar: np.ndarray, mask: np.ndarray | None = None) -> NativeRow:
    wavelength = 5000.0 + np.arange(len(flux))
    bad = np.zeros(len(flux), bool) if mask is None else mask
    return NativeRow(wavelength, flux.astype(np.float32), ivar.astype(np.float32), bad)


@given(st.integers(8, 60), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_joined_pixels_keep_the_weighted_sum_of_their_flux(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    row = _row(rng.normal(10, 1, 2 * count), rng.uniform(0.5, 2.0, 2 * count))
    joined = coarser(row)
    assert len(joined.flux) == count
    assert np.allclose(joined.ivar.sum(), row.ivar.sum(), rtol=1e-5)
    assert np.allclose((joined.flux * joined.ivar).sum(), (row.flux * row.ivar).sum(), rtol=1e-4)


def test_a_pair_with_a_bad_pixel_is_bad_and_no_pair_spans_a_gap() -> None:
    mask = np.zeros(40, bool)
    mask[5] = True
    row = _row(np.ones(40), np.ones(40), mask)
    assert np.flatnonzero(coarser(row).mask).tolist() == [2]
    wavelength = row.wavelength_angstrom.copy()
    wavelength[21:] += 500.0
    joined = coarser(row._replace(wavelength_angstrom=wavelength))
    assert len(joined.flux) == 10 + 9
    assert np.all((joined.wavelength_angstrom < 5021) | (joined.wavelength_angstrom > 5500))


def test_finer_pixels_lie_between_and_a_line_stays_a_line() -> None:
    row = _row(2.0 + 0.5 * np.arange(30), np.full(30, 4.0))
    made = finer(row)
    assert len(made.flux) == 59
    assert np.allclose(np.diff(made.wavelength_angstrom), 0.5)
    assert np.allclose(made.flux, 2.0 + 0.25 * np.arange(59))
    assert np.allclose(made.ivar, 4.0)


def test_a_blurred_spectrum_has_one_irregular_grid_and_keeps_what_is_smooth() -> None:
    flux = 10.0 + 0.01 * np.arange(2000.0)
    row = _row(flux, np.full(2000, 4.0))
    made = blurred(row, 6, 34, seed=1)
    again = blurred(_row(2.0 * flux, np.ones(2000)), 6, 34, seed=1)
    assert np.array_equal(made.wavelength_angstrom, again.wavelength_angstrom)
    steps = np.diff(made.wavelength_angstrom)
    assert 100 < len(made.flux) < 160
    assert steps[:10].mean() < 9
    assert steps[-10:].mean() > 20
    inside = slice(3, -3)
    expected = 10.0 + 0.01 * (made.wavelength_angstrom[inside] - 5000.0)
    assert np.allclose(made.flux[inside], expected, rtol=2e-3)
    gap = row._replace(mask=np.arange(2000) < 500)
    assert blurred(gap, 6, 34, seed=1).mask[:20].all()


def test_every_pair_names_views_of_one_source_that_differ() -> None:
    for one, other, weight in PAIRS:
        assert {one, other} <= set(VIEWS)
        assert one != other
        assert weight > 0


def test_examples_are_what_the_encoder_would_prepare(examples: Examples) -> None:
    source = observe_native_source(5, 2, population="training")
    spectrum = source.spectra["sdss"].joined()
    ready = prepare(
        NativeSpectrum(spectrum.flux, spectrum.wavelength_angstrom, spectrum.ivar, spectrum.mask)
    )
    expected = stack([ready])
    batch = examples["sdss"].batch(torch.tensor([2]))
    assert batch.present is not None
    kept = batch.present[0]
    assert kept.numpy().tolist() == ready.valid.tolist()
    assert torch.allclose(batch.flux[0, kept], expected.flux[0], atol=2e-2, rtol=1e-3)
    assert torch.equal(batch.good[0, kept], expected.good[0])
    assert torch.allclose(batch.errors[0, kept], expected.errors[0], atol=1e-3)


def test_a_shared_grid_gives_what_one_grid_each_gives(examples: Examples) -> None:
    model = blank_model(TINY, 0).eval()
    batch = examples["sdss coarser"].batch(torch.arange(3))
    each = replace(batch, wavelength_angstrom=batch.wavelength_angstrom.expand(3, -1, -1))
    with torch.inference_mode():
        one, other = model(batch), model(each)
    assert torch.allclose(one.flux, other.flux, atol=1e-5)
    assert one.aligned is not None
    assert other.aligned is not None
    assert torch.allclose(one.aligned, other.aligned, atol=1e-6)


def test_training_resumes_and_its_losses_fall(examples: Examples, tmp_path: Path) -> None:
    short = {
        name: replace(
            each, flux=each.flux[:, :12], sigma=each.sigma[:, :12], grid=each.grid[:, :12]
        )
        for name, each in examples.items()
    }
    recipe = replace(RECIPE, steps=100, hidden=0.0, cut=0.0, fast=False)
    _, log = train_universal_spectra(short, recipe, seed=0, state_path=tmp_path / "state.pt")
    assert [row["step"] for row in log] == [50, 100]
    views = [name for name in VIEWS if name in log[0] and name in log[1]]
    assert sum(log[1][name] for name in views) < 0.8 * sum(log[0][name] for name in views)
    more = replace(recipe, steps=150)
    _, again = train_universal_spectra(short, more, seed=0, state_path=tmp_path / "state.pt")
    assert [row["step"] for row in again] == [50, 100, 150]


def test_the_command_makes_a_checkpoint_that_opens(tmp_path: Path) -> None:
    recipe = {
        "sources": 4,
        "chunk": 4,
        "training": {
            "model": TINY.model_dump(mode="json"),
            "steps": 2,
            "tokens": 600,
            "most": 2,
        },
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    run(tmp_path, tmp_path / "recipe.json", Means())
    encoder = open_universal_encoder(str(tmp_path / "checkpoint"))
    assert encoder.identity.dim == 8
    assert "simulated" in encoder.title
    kept = recipe_from(tmp_path / "checkpoint" / "recipe.json")
    assert kept.training.model == TINY
    assert kept.sources == 4
    assert "simulated" in (tmp_path / "checkpoint" / "README.md").read_text()
