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
from aion_encoder.training.universal_spectra.decoder import DecoderRecipe, fit_decoder
from aion_encoder.training.universal_spectra.examples import Examples, read_examples, write_examples
from aion_encoder.training.universal_spectra.head import HeadRecipe, fit_head, windows_of
from aion_encoder.training.universal_spectra.loudness import rescaled
from aion_encoder.training.universal_spectra.resampling import (
    blurred,
    coarser,
    finer,
    joined,
)
from aion_encoder.training.universal_spectra.stages import recipe_from, run
from aion_encoder.training.universal_spectra.train import UstRecipe, train_universal_spectra
from aion_encoder.training.universal_spectra.views import PAIRS, VIEWS, kind_of
from aion_encoder.universal_spectra import NativeSpectrum, open_universal_encoder
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.model import blank_model
from aion_encoder.universal_spectra.pooling import WindowPool
from aion_encoder.universal_spectra.preparation import prepare
from demo_sky.native import observe_native_source

TINY = UstConfig(
    dim=24, heads=2, encoder_layers=1, decoder_layers=1, query_layers=1, periods=8, head_dim=8
)
WINDOWED = TINY.model_copy(update={"pooling": "windows", "window_dim": 4})
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
    made = coarser(row)
    assert len(made.flux) == count
    assert np.allclose(made.ivar.sum(), row.ivar.sum(), rtol=1e-5)
    assert np.allclose((made.flux * made.ivar).sum(), (row.flux * row.ivar).sum(), rtol=1e-4)


def test_a_pair_with_a_bad_pixel_is_bad_and_no_pair_spans_a_gap() -> None:
    mask = np.zeros(40, bool)
    mask[5] = True
    row = _row(np.ones(40), np.ones(40), mask)
    assert np.flatnonzero(coarser(row).mask).tolist() == [2]
    wavelength = row.wavelength_angstrom.copy()
    wavelength[21:] += 500.0
    made = coarser(row._replace(wavelength_angstrom=wavelength))
    assert len(made.flux) == 10 + 9
    assert np.all((made.wavelength_angstrom < 5021) | (made.wavelength_angstrom > 5500))


def test_finer_pixels_lie_between_and_a_line_stays_a_line() -> None:
    row = _row(2.0 + 0.5 * np.arange(30), np.full(30, 4.0))
    made = finer(row)
    assert len(made.flux) == 59
    assert np.allclose(np.diff(made.wavelength_angstrom), 0.5)
    assert np.allclose(made.flux, 2.0 + 0.25 * np.arange(59))
    assert np.allclose(made.ivar, 4.0)


def test_a_blurred_spectrum_has_one_irregular_grid_and_keeps_what_is_smooth() -> None:
    flux = 10.0 + 0.01 * np.arange(5000.0)
    row = _row(flux, np.full(5000, 4.0))
    made = blurred(row, seed=1)
    again = blurred(_row(2.0 * flux, np.ones(5000)), seed=1)
    assert np.array_equal(made.wavelength_angstrom, again.wavelength_angstrom)
    steps = np.diff(made.wavelength_angstrom)
    assert steps.min() > 10.0
    assert steps.max() < 166.0
    assert steps.max() > 1.2 * steps.min()
    assert len(made.flux) >= 119
    inside = slice(3, -3)
    expected = 10.0 + 0.01 * (made.wavelength_angstrom[inside] - 5000.0)
    assert np.allclose(made.flux[inside], expected, rtol=2e-3)
    # Inverse variances of the pixels of a step add up.
    assert np.allclose(made.ivar[1:-1], 4.0 * 0.5 * (steps[1:] + steps[:-1]), rtol=0.1, atol=5.0)
    gap = row._replace(mask=np.arange(5000) < 1500)
    lost = blurred(gap, seed=1)
    assert lost.mask[lost.wavelength_angstrom < 6400].all()
    assert not lost.mask[lost.wavelength_angstrom > 6600].any()


def test_instruments_are_joined_by_wavelength_and_no_coarse_pixel_lies_between() -> None:
    blue = _row(np.full(600, 2.0), np.ones(600))
    red = blue._replace(wavelength_angstrom=blue.wavelength_angstrom + 4000.0, flux=3.0 * blue.flux)
    row = joined([red, blue])
    assert np.all(np.diff(row.wavelength_angstrom) > 0)
    assert row.flux[0] == 2.0
    coarse = blurred(row, seed=3).wavelength_angstrom
    assert not np.any((coarse > 5650) & (coarse < 8950))
    with pytest.raises(ValueError, match="must not overlap"):
        joined([blue, blue])


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_another_scale_changes_flux_and_errors_alike(examples: Examples, spread: float) -> None:
    batch = examples["sdss"].batch(torch.arange(3))
    made = rescaled(batch, spread, torch.Generator().manual_seed(1))
    small = batch.good & (batch.flux.abs() < 2.0) & (batch.flux.abs() > 0.5)
    for row in range(3):
        inside = small[row]
        factor = made.flux[row][inside] / batch.flux[row][inside]
        assert torch.allclose(factor, factor[:1].expand_as(factor), rtol=1e-4)
        noise = made.sigma[row][inside] / batch.sigma[row][inside]
        assert torch.allclose(noise, factor, rtol=1e-4)
        assert bool(factor[0] == 1.0) is (spread == 0.0)
    assert torch.equal(made.good, batch.good)
    assert torch.all(made.errors[~batch.good] == 0.0)


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
    views = [
        name for name in {kind_of(view): 0 for view in VIEWS} if name in log[0] and name in log[1]
    ]
    assert sum(log[1][name] for name in views) < 0.8 * sum(log[0][name] for name in views)
    more = replace(recipe, steps=150)
    _, again = train_universal_spectra(short, more, seed=0, state_path=tmp_path / "state.pt")
    assert [row["step"] for row in again] == [50, 100, 150]


def test_coarse_views_are_learned_while_native_tokens_stay(
    examples: Examples, tmp_path: Path
) -> None:
    start = blank_model(WINDOWED, 4)
    recipe = replace(RECIPE, model=WINDOWED, steps=50, kept=2, fast=False)
    change = {}
    for keeping in (0.0, 100.0):
        # Warm-up has no rate to speak of, so the first row tells all there is.
        _, log = train_universal_spectra(
            examples, replace(recipe, keeping=keeping), seed=0, start=start
        )
        assert set(log[0]) == {"step", "seconds", "coarse", "coarse = coarse", "kept"}
        change[keeping] = log[0]["kept"]
    assert change[100.0] < 0.5 * change[0.0]


def test_tokens_cannot_stay_those_of_a_start_that_is_not_there(examples: Examples) -> None:
    recipe = replace(RECIPE, model=WINDOWED, steps=50, kept=2, fast=False)
    with pytest.raises(ValueError, match=r"kept must be 0 where no trained .* got 2: name one"):
        train_universal_spectra(examples, recipe, seed=0)


def test_a_decoder_learns_on_a_frozen_encoder(examples: Examples, tmp_path: Path) -> None:
    model = blank_model(TINY, 4).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recipe = DecoderRecipe(steps=100, tokens=300, fast=False, learning_rate=2e-3)
    log = fit_decoder(model, examples, recipe, seed=1, state_path=tmp_path / "decoder.pt")
    assert log[1]["coarse"] < log[0]["coarse"]
    longer = replace(recipe, steps=150)
    again = fit_decoder(model, examples, longer, seed=1, state_path=tmp_path / "decoder.pt")
    assert [row["step"] for row in again] == [50, 100, 150]
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert all(name.startswith("decoder") for name in changed)


def test_a_head_learns_on_a_frozen_encoder_and_resumes(examples: Examples, tmp_path: Path) -> None:
    model = blank_model(WINDOWED, 4).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    windows = windows_of(model, examples, 3)
    assert len(windows["galah"].usable) == 3
    assert len(windows["desi"].usable) == 4
    # By the second road: the pooled vector of the whole model.
    ready = examples["sdss"].batch(torch.arange(4))
    pool = model.pool
    assert isinstance(pool, WindowPool)
    made = pool.join(windows["sdss"].means.float(), windows["sdss"].covered.float())
    assert torch.allclose(made, model.pooled(model.encode(ready)), atol=5e-3)
    recipe = HeadRecipe(steps=100, batch=4, most=3, dropped=0.2)
    log = fit_head(model, windows, recipe, seed=1, state_path=tmp_path / "head.pt")
    first, last = (np.mean([v for k, v in row.items() if " = " in k]) for row in log)
    assert last < 0.8 * first
    longer = replace(recipe, steps=150)
    again = fit_head(model, windows, longer, seed=1, state_path=tmp_path / "head.pt")
    assert [row["step"] for row in again] == [50, 100, 150]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) is name.startswith(("encoder", "decoder"))


def test_the_command_makes_a_checkpoint_that_opens(tmp_path: Path) -> None:
    recipe = {
        "sources": 4,
        "chunk": 4,
        "training": {
            "model": WINDOWED.model_dump(mode="json"),
            "steps": 2,
            "tokens": 600,
            "most": 2,
        },
        "head": {"steps": 60, "batch": 4},
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    run(tmp_path, tmp_path / "recipe.json", Means())
    encoder = open_universal_encoder(str(tmp_path / "checkpoint"))
    assert encoder.identity.dim == 8
    assert "simulated" in encoder.title
    kept = recipe_from(tmp_path / "checkpoint" / "recipe.json")
    taught = ((3597.0, 10394.0), (15100.0, 17001.0))
    assert kept.training.model == WINDOWED.model_copy(update={"taught_angstrom": taught})
    assert kept.sources == 4
    assert "simulated" in (tmp_path / "checkpoint" / "README.md").read_text()
