"""The model: what must not matter does not, and what must be learned can be."""

import numpy as np
import pytest
import torch
from made_up_spectra import SDSS_GRID, TINY, TINY_WITH_HEAD, WINDOWED_WITH_HEAD, see
from pydantic import ValidationError

from aion_encoder.universal_spectra import PAPER, SMALL, NativeSpectrum, UstConfig, prepare
from aion_encoder.universal_spectra.batches import SpectrumBatch, stack
from aion_encoder.universal_spectra.codes import WavelengthCodes, grid_features
from aion_encoder.universal_spectra.loss import residuals, weighted_loss
from aion_encoder.universal_spectra.model import UniversalSpectra, blank_model
from aion_encoder.universal_spectra.patches import lay_out

SIZES = (1000, 3840, 700, 2000)
"""Pixels of spectra in a ragged batch."""


def some(*sizes: int) -> list[NativeSpectrum]:
    return [see(SDSS_GRID[:size], seed=seed) for seed, size in enumerate(sizes)]


def batch_of(spectra: list[NativeSpectrum]) -> SpectrumBatch:
    return stack([prepare(each) for each in spectra])


def some_of(batch: SpectrumBatch, hidden: float) -> torch.Tensor:
    """True for patches to be seen: all but a share at random."""
    draw = torch.rand(batch.flux.shape[:2], generator=torch.Generator().manual_seed(3))
    keep = draw >= hidden
    return keep if batch.present is None else keep & batch.present


def pooled(model: UniversalSpectra, spectra: list[NativeSpectrum]) -> np.ndarray:
    return np.asarray(model.pooled(model.encode(batch_of(spectra))))


def parameters(config: UstConfig) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in UniversalSpectra(config).parameters())


def test_sizes() -> None:
    """The paper's is about 19 + 19 million; the bundled one stays far below 15 MB in float16."""
    assert parameters(PAPER) == pytest.approx(38.0e6, rel=0.01)
    assert parameters(SMALL) * 2 < 9.3e6
    assert parameters(SMALL.model_copy(update={"head_dim": 256})) * 2 < 10e6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "dim must divide by heads, got 32 and 5"),
        ({"longest_angstrom": 1.0}, "longest_angstrom must be more than shortest_angstrom"),
        ({"last_window_angstrom": 900.0}, "last_window_angstrom must be more than"),
        ({"depth": 3}, "Extra inputs are not permitted"),
        ({"patch": 16}, "Input should be 32"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        UstConfig.model_validate(TINY.model_dump() | changes)


def test_weights_follow_the_seed_and_leave_the_callers_draws_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (blank_model(TINY, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["encoder.pixels.weight"], other["encoder.pixels.weight"])


def test_codes() -> None:
    codes = WavelengthCodes(SMALL)
    wavelength = torch.tensor([1000.0, 5000.0, 5000.05, 50000.0, 50000.05], dtype=torch.float64)
    values = codes(wavelength)
    assert values.shape == (5, 64)
    period = 2.0 * (1e5 / 2.0) ** (np.arange(32) / 31)
    exact = 2.0 * np.pi * wavelength.numpy()[:, None] / period
    np.testing.assert_allclose(values, np.hstack([np.sin(exact), np.cos(exact)]), atol=1e-6)
    # The longest period tells all wavelengths apart: they lie on half of its circle.
    assert torch.all(values[[0, 1, 3], 63].diff() < -0.01)
    assert codes.width == 64
    assert not codes.state_dict()


def test_grid_features() -> None:
    patches = torch.from_numpy(np.stack([5000 + 0.8 * np.arange(32), 16000 + 0.2 * np.arange(32)]))
    features = grid_features(patches).numpy()
    np.testing.assert_allclose(features[:, 1], np.log10([0.8, 0.2]), rtol=1e-5)
    np.testing.assert_allclose(features[:, 0], np.log10([5012.4, 16003.1]) - 3.8, rtol=1e-5)


def test_that_batch_mates_do_not_matter(tiny_model: UniversalSpectra) -> None:
    """Neither their number nor their order nor the padding that they cause."""
    spectra = some(*SIZES)
    together = pooled(tiny_model, spectra)
    alone = np.concatenate([pooled(tiny_model, [each]) for each in spectra])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    order = [2, 0, 3, 1]
    mixed = pooled(tiny_model, [spectra[number] for number in order])
    np.testing.assert_allclose(mixed, together[order], atol=2e-5)
    assert np.std(together, axis=0).max() > 1e-3, "different spectra have different vectors"
    flux = tiny_model(batch_of(spectra)).flux
    for row, spectrum in enumerate(spectra):
        own = tiny_model(batch_of([spectrum])).flux[0]
        np.testing.assert_allclose(flux[row, : len(own)], own, atol=2e-5)


def test_that_the_order_of_patches_does_not_matter(tiny_model: UniversalSpectra) -> None:
    batch = batch_of(some(2000))
    order = torch.randperm(batch.flux.shape[1], generator=torch.Generator().manual_seed(1))
    mixed = SpectrumBatch(
        flux=batch.flux[:, order],
        errors=batch.errors[:, order],
        good=batch.good[:, order],
        sigma=batch.sigma[:, order],
        wavelength_angstrom=batch.wavelength_angstrom[:, order],
        present=None,
    )
    one, other = (tiny_model.pooled(tiny_model.encode(each)) for each in (batch, mixed))
    np.testing.assert_allclose(one, other, atol=2e-5)


def test_that_invalid_patches_are_never_seen(tiny_model: UniversalSpectra) -> None:
    mask = np.zeros(3840, bool)
    mask[640:1280] = True
    one = see(mask=mask)
    other = see(mask=mask, flux=np.where(mask, 1e9, one.flux))
    np.testing.assert_array_equal(pooled(tiny_model, [one]), pooled(tiny_model, [other]))
    assert batch_of([one]).flux.shape == (1, 100, 32)


def test_that_wavelength_errors_and_flux_all_matter(tiny_model: UniversalSpectra) -> None:
    spectrum = see()
    assert spectrum.ivar is not None
    changed = [
        see(flux=spectrum.flux[::-1]),
        see(ivar=spectrum.ivar / 9.0),
        see(wavelength_angstrom=SDSS_GRID * 1.1),
        see(wavelength_angstrom=SDSS_GRID + 0.5),
    ]
    vector = pooled(tiny_model, [spectrum])
    for each in changed:
        assert np.abs(pooled(tiny_model, [each]) - vector).max() > 1e-5


def test_hidden_patches(tiny_model: UniversalSpectra) -> None:
    """They change nothing, are answered for, and what is kept counts as if it were alone."""
    batch = batch_of(some(*SIZES))
    keep = some_of(batch, 0.5)
    output = tiny_model(batch, keep)
    assert output.flux.shape == batch.flux.shape
    changed = SpectrumBatch(
        flux=torch.where(keep[..., None], batch.flux, 7.0),
        errors=batch.errors,
        good=batch.good,
        sigma=batch.sigma,
        wavelength_angstrom=batch.wavelength_angstrom,
        present=batch.present,
    )
    np.testing.assert_allclose(tiny_model(changed, keep).flux, output.flux, atol=1e-5)
    assert batch.present is not None
    np.testing.assert_allclose(
        tiny_model(batch, batch.present).flux[batch.present],
        tiny_model(batch).flux[batch.present],
        atol=2e-5,
    )
    tokens = tiny_model.encode(batch, keep)
    assert tokens.values.shape[1] == int(keep.sum(dim=1).max())


def test_any_grid_can_be_asked_for(tiny_model: UniversalSpectra) -> None:
    """And the answer at a wavelength does not depend on what else is asked."""
    tokens = tiny_model.encode(batch_of(some(3840)))
    prism = 6000.0 + np.cumsum(np.linspace(20.0, 90.0, 70))
    patches = torch.from_numpy(lay_out(prism).wavelength_angstrom)[None]
    flux = tiny_model.decode(tokens, patches)
    assert flux.shape == (1, 3, 32)
    np.testing.assert_allclose(tiny_model.decode(tokens, patches[:, 1:2]), flux[:, 1:2], atol=1e-5)


def test_gradients_reach_every_weight() -> None:
    for config in (TINY_WITH_HEAD, WINDOWED_WITH_HEAD):
        model = blank_model(config, 3)
        batch = batch_of(some(*SIZES))
        output = model(batch, some_of(batch, 0.3))
        loss = weighted_loss(output.flux, batch) + output.pooled.square().mean()
        if output.aligned is not None:
            loss = loss + output.aligned[:, 0].mean()
        loss.backward()  # type: ignore[no-untyped-call]
        for name, value in model.named_parameters():
            assert value.grad is not None, name
            assert torch.all(torch.isfinite(value.grad)), name
            assert value.grad.abs().max() > 0.0, name


def test_the_pooling_heads(tiny_model: UniversalSpectra) -> None:
    with pytest.raises(ValueError, match="this model has no retrieval head: its head_dim is 0"):
        tiny_model.aligned(torch.zeros(1, 32))
    batch = batch_of(some(*SIZES))
    aligned = blank_model(TINY_WITH_HEAD, 1)(batch).aligned
    assert aligned.shape == (4, 16)
    np.testing.assert_allclose(aligned.detach().norm(dim=1), 1.0, rtol=1e-5)
    windowed = blank_model(WINDOWED_WITH_HEAD, 1)
    vectors = windowed(batch).aligned.detach().numpy()
    own = windowed(batch_of(some(*SIZES)[:1])).aligned.detach().numpy()
    np.testing.assert_allclose(vectors[:1], own, atol=2e-5)


def test_that_it_learns_a_few_spectra() -> None:
    spectra = [see(SDSS_GRID[:640], seed=seed) for seed in range(4)]
    model, batch = blank_model(TINY, 5), batch_of(spectra)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        loss = weighted_loss(model(batch).flux, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 8


def test_the_loss() -> None:
    batch = batch_of(some(640, 3840))
    assert weighted_loss(batch.flux, batch) == 0.0
    shifted = batch.flux + 0.1
    sigma = np.hypot(0.05, 0.02)
    np.testing.assert_allclose(float(weighted_loss(shifted, batch)), (0.1 / sigma) ** 2, rtol=0.25)
    assert float(residuals(shifted, batch, floor=0.0)[1].mean()) == pytest.approx(2.0, rel=0.01)
    # Beyond five errors it grows linearly; with plain squares it does not.
    far, farther = (float(weighted_loss(batch.flux + d, batch)) for d in (10.0, 20.0))
    assert farther / far == pytest.approx(2.0, rel=0.05)
    plain = [float(weighted_loss(batch.flux + d, batch, robust=float("inf"))) for d in (10, 20)]
    assert plain[1] / plain[0] == pytest.approx(4.0, rel=1e-4)


def test_where_the_loss_counts() -> None:
    batch = batch_of(some(640, 1280))
    where = torch.zeros(2, 40, dtype=torch.bool)
    where[0, 3] = True
    wrong = batch.flux.clone()
    wrong[0, 4] = 99.0
    wrong[1] = 99.0
    assert weighted_loss(wrong, batch, where=where) == 0.0
    assert weighted_loss(wrong, batch) > 0.0
    assert weighted_loss(wrong, batch, where=torch.zeros_like(where)) == 0.0


def test_bad_pixels_and_padding_do_not_count() -> None:
    mask = np.random.default_rng(1).random(3840) < 0.2
    batch = batch_of([see(mask=mask), *some(700)])
    noise = torch.where(batch.good, 0.0, 1e4)
    assert weighted_loss(batch.flux + noise, batch) == 0.0


def test_bright_lines_do_not_rule_the_loss() -> None:
    flux = np.ones(640) + 0.01 * np.sin(np.arange(640))
    flux[300] = 1e4
    spectrum = NativeSpectrum(flux, SDSS_GRID[:640], np.full(640, 100.0**2))
    batch = batch_of([spectrum])
    answer = torch.where(batch.flux > 5.0, batch.flux + 0.02, batch.flux)
    # Two per cent of a flux of 10,000, where arcsinh turns a ratio into a difference.
    worst = residuals(answer, batch).abs().max()
    assert float(worst) == pytest.approx(1.0, rel=0.05)


def test_half_precision_while_training() -> None:
    model, batch = blank_model(TINY, 6), batch_of(some(*SIZES))
    exact = model(batch).flux
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(batch)
        loss = weighted_loss(output.flux, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    assert output.flux.dtype == torch.float32
    np.testing.assert_allclose(output.flux.detach(), exact.detach(), atol=0.02)
