"""Patches, gaps, bad pixels, scales and errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_spectra import see, source_flux

from aion_encoder import ObservationError
from aion_encoder.universal_spectra import NativeSpectrum, join_pieces, native_spectrum, prepare
from aion_encoder.universal_spectra.noise import pixel_noise
from aion_encoder.universal_spectra.patches import lay_out
from aion_encoder.universal_spectra.preparation import MAX_PATCHES
from aion_encoder.universal_spectra.scaling import flux_scale, squash, unsquash

GRIDS = {
    "sdss": 3800.0 * 10 ** (1e-4 * np.arange(3840)),
    "desi": 3600.0 + 0.8 * np.arange(7781),
    "prism": 6000.0 + 10.0 * np.cumsum(np.linspace(4.0, 15.0, 300)),
    "galah": np.concatenate([np.linspace(a, b, 4096) for a, b in [(4713, 4903), (5648, 5873)]]),
}


@pytest.mark.parametrize("name", GRIDS)
def test_real_grids_have_gaps_between_arms_only(name: str) -> None:
    wavelength = GRIDS[name]
    layout = lay_out(wavelength)
    assert layout.runs.size == (3 if name == "galah" else 2)
    assert len(layout.pixels) == sum(-(-int(n) // 32) for n in np.diff(layout.runs))
    np.testing.assert_array_equal(layout.pixels[layout.pixels >= 0], np.arange(wavelength.size))
    inside = layout.pixels >= 0
    np.testing.assert_array_equal(layout.wavelength_angstrom[inside], wavelength)
    assert np.all(np.diff(layout.wavelength_angstrom, axis=1) > 0.0)


def test_a_few_missing_pixels_are_no_gap() -> None:
    wavelength = np.delete(GRIDS["desi"], [100, 101, 102])
    assert lay_out(wavelength).runs.size == 2
    wavelength = np.delete(GRIDS["desi"], np.arange(100, 104))
    np.testing.assert_array_equal(lay_out(wavelength).runs, [0, 100, wavelength.size])


def test_a_change_of_step_is_no_gap() -> None:
    wavelength = np.concatenate([np.arange(4000.0, 5000.0, 0.2), np.arange(5000.0, 9000.0, 2.0)])
    assert lay_out(wavelength).runs.size == 2


def test_arms_that_take_turns_on_one_axis_are_no_gap() -> None:
    """The overlap of two arms with the same step, pixels almost on top of each other."""
    blue, red = 5000.0 + 0.2 * np.arange(2000), 5300.03 + 0.2 * np.arange(2000)
    assert lay_out(np.sort(np.concatenate([blue, red]))).runs.size == 2


@given(st.lists(st.tuples(st.integers(12, 90), st.floats(5.0, 900.0)), min_size=1, max_size=6))
def test_gaps_are_found(runs: list[tuple[int, float]]) -> None:
    steps = [np.append(np.ones(count - 1), gap) for count, gap in runs]
    wavelength = 4000.0 + 0.3 * np.cumsum(np.concatenate(steps))
    ends = np.cumsum([count for count, _ in runs])
    np.testing.assert_array_equal(lay_out(wavelength).runs, [0, *(ends - 1), ends[-1]])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 31, 32, 33])
def test_short_spectra_are_laid_out(size: int) -> None:
    layout = lay_out(5000.0 + np.arange(size))
    assert layout.pixels.shape == (-(-size // 32), 32)
    assert np.all(np.diff(layout.wavelength_angstrom, axis=1) > 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 100), st.floats(0.01, 30.0), st.floats(6.0, 500.0)),
        min_size=1,
        max_size=6,
    )
)
def test_no_patch_reaches_across_a_gap(runs: list[tuple[int, float, float]]) -> None:
    pieces, at = [], 1000.0
    for count, step, gap in runs:
        pieces.append(at + step * np.arange(count))
        at = pieces[-1][-1] + gap * step
    wavelength = np.concatenate(pieces)
    starts = tuple(np.cumsum([0, *(piece.size for piece in pieces[:-1])]).tolist())
    layout = lay_out(wavelength, starts)
    assert set(starts) <= set(layout.runs.tolist())
    np.testing.assert_array_equal(layout.pixels[layout.pixels >= 0], np.arange(wavelength.size))
    for patch in layout.pixels:
        real = patch[patch >= 0]
        steps = np.diff(wavelength[real])
        assert real.size > 0
        if steps.size > 1:
            assert steps.max() < 1.01 * steps.min()


def test_arms_as_pieces_or_on_one_axis() -> None:
    """Chips with gaps between them give the same patches either way, in any order."""
    chips = [
        see(np.linspace(first, last, 700), seed=4)
        for first, last in [(15150.0, 15800.0), (15870.0, 16430.0), (16490.0, 16950.0)]
    ]
    together = [
        np.concatenate([getattr(each, name) for each in chips]) for name in ("flux", "ivar")
    ]
    axis = np.concatenate([each.wavelength_angstrom for each in chips])
    one = prepare(native_spectrum(together[0], axis, together[1]))
    for order in ([0, 1, 2], [2, 0, 1]):
        pieces = prepare(join_pieces([chips[number] for number in order]))
        for name in ("flux", "errors", "good", "wavelength_angstrom", "valid", "pixels", "sigma"):
            np.testing.assert_array_equal(getattr(pieces, name), getattr(one, name))
        assert pieces.scale == one.scale


def test_what_comes_out_of_a_plain_spectrum() -> None:
    spectrum = see(snr=20.0)
    prepared = prepare(spectrum)
    assert prepared.tokens == 120
    assert prepared.scale == pytest.approx(np.median(spectrum.flux))
    assert prepared.brightness == pytest.approx(np.log10(np.median(spectrum.flux)))
    np.testing.assert_allclose(prepared.flux.ravel(), spectrum.flux / prepared.scale, rtol=1e-6)
    np.testing.assert_allclose(prepared.sigma, 1 / 20, rtol=0.02)
    np.testing.assert_allclose(prepared.errors, np.log1p(20.0) / np.log1p(1000.0), rtol=0.01)
    assert not prepared.ignored.any()
    assert not prepared.errors_estimated
    assert prepared.notes == ()
    assert not prepared.flux.flags.writeable


@pytest.mark.parametrize("factor", [2.0**-60, 1e-17, 3.7e5])
def test_the_unit_of_the_flux_changes_the_brightness_only(factor: float) -> None:
    spectrum = see()
    assert spectrum.ivar is not None
    scaled = see(flux=spectrum.flux * factor, ivar=spectrum.ivar / factor**2)
    one, other = prepare(spectrum), prepare(scaled)
    np.testing.assert_allclose(other.flux, one.flux, rtol=1e-6)
    np.testing.assert_allclose(other.errors, one.errors, rtol=1e-6)
    assert other.brightness == pytest.approx(one.brightness + np.log10(factor))


def test_bad_pixels_are_interpolated_in_their_run() -> None:
    wavelength = np.concatenate([4000.0 + np.arange(64), 5000.0 + np.arange(96)])
    flux = np.concatenate([np.linspace(1.0, 2.0, 64), np.full(96, 8.0)])
    flux[[10, 63, 64]] = [np.nan, 1e30, -1e30]
    mask = np.zeros(160, bool)
    mask[[10, 63, 64]] = True
    spectrum = NativeSpectrum(flux, wavelength, np.ones(160), mask)
    prepared = prepare(spectrum)
    filled = prepared.flux.ravel() * prepared.scale
    step = 1.0 / 63
    np.testing.assert_allclose(filled[[10, 63, 64]], [1 + 10 * step, 1 + 62 * step, 8.0], rtol=1e-6)
    np.testing.assert_array_equal(prepared.errors.ravel()[mask], 0.0)
    np.testing.assert_array_equal(~prepared.good.ravel(), mask)
    np.testing.assert_array_equal(prepared.ignored, mask)


def test_what_bad_pixels_hold_does_not_matter() -> None:
    mask = np.random.default_rng(2).random(3840) < 0.3
    spectrum = see(mask=mask)
    one = prepare(spectrum)
    other = prepare(see(mask=mask, flux=np.where(mask, np.inf, spectrum.flux)))
    for name in ("flux", "errors", "good", "valid", "sigma"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_patches_more_than_half_bad_are_invalid() -> None:
    mask = np.zeros(3840, bool)
    mask[:16] = True
    mask[32 : 32 + 17] = True
    prepared = prepare(see(mask=mask))
    assert prepared.valid[0]
    assert not prepared.valid[1]
    assert prepared.tokens == 119
    expected = mask.copy()
    expected[32:64] = True
    np.testing.assert_array_equal(prepared.ignored, expected)


def test_the_rest_of_a_run_is_padded() -> None:
    prepared = prepare(see(GRIDS["sdss"][:150]))
    np.testing.assert_array_equal(prepared.good[-1], np.arange(32) < 22)
    np.testing.assert_array_equal(prepared.pixels[-1, 22:], -1)
    assert np.all(prepared.flux[-1, 22:] == prepared.flux[-1, 21])
    np.testing.assert_allclose(
        prepared.wavelength_angstrom[-1], 3800.0 * 10 ** (1e-4 * (128 + np.arange(32))), rtol=1e-5
    )


def with_patches(good: int) -> NativeSpectrum:
    mask = np.arange(3840) >= 32 * good
    return NativeSpectrum(np.arange(3840.0), GRIDS["sdss"], None, mask)


def test_fewer_than_four_patches() -> None:
    assert prepare(with_patches(4)).tokens == 4
    with pytest.raises(
        ObservationError,
        match=r"at least 4 patches of 32 .*, got 3 of 120 \(96 good of 3840 pixels\)",
    ):
        prepare(with_patches(3))
    lone = NativeSpectrum(np.ones(1), np.array([5000.0]))
    with pytest.raises(ObservationError, match="got 0 of 1"):
        prepare(lone)


def test_more_patches_than_are_allowed() -> None:
    size = 32 * MAX_PATCHES + 16
    flux = np.arange(size, dtype=float)
    with pytest.raises(ObservationError, match=r"at most 4096 patches .*, got 4097; cut it, or"):
        prepare(NativeSpectrum(flux, 3000.0 + 0.01 * flux))


def test_fluxes_with_nothing_in_them() -> None:
    wavelength = GRIDS["sdss"]
    with pytest.raises(ObservationError, match=r"must differ, but all 3840 good ones are 2.5;"):
        prepare(NativeSpectrum(np.full(3840, 2.5), wavelength))
    sparse = np.where(np.arange(3840) % 3 == 0, 1.0, 0.0)
    with pytest.raises(
        ObservationError, match="more than half of the good fluxes are exactly zero"
    ):
        prepare(NativeSpectrum(sparse, wavelength))


def test_scales() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0.0, 1.0, 5001)
    assert flux_scale(noise + 3.0) == (pytest.approx(3.0, abs=0.1), True)
    scale, is_median = flux_scale(noise)
    assert not is_median
    assert scale == pytest.approx(0.3 * 0.6745, rel=0.05)
    assert flux_scale(noise - 5.0)[0] == pytest.approx(1.5, rel=0.05)
    assert flux_scale(np.array([0.0, 0.0, 0.0, 1.0])) == (0.0, True)


def test_a_spectrum_of_noise_is_kept_and_noted() -> None:
    noise = np.random.default_rng(6).normal(0.0, 1.0, 3840)
    prepared = prepare(NativeSpectrum(noise, GRIDS["sdss"], np.ones(3840)))
    assert np.std(prepared.flux) < 6.0
    assert "the median flux is negative or lost in the noise" in prepared.notes[0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_squashing_comes_back(values: list[float]) -> None:
    x = np.array(values)
    bent = squash(x)
    np.testing.assert_allclose(unsquash(bent), x, rtol=1e-9, atol=1e-300)
    assert np.all(np.abs(bent) < 25.0)
    np.testing.assert_array_equal(bent[np.abs(x) <= 10.0], x[np.abs(x) <= 10.0])
    assert np.all(np.diff(squash(np.sort(x))) >= 0.0)


def test_squashing_is_smooth_and_bounded() -> None:
    x = np.array([10.0 - 1e-4, 10.0, 10.0 + 1e-4])
    assert np.diff(squash(x)) == pytest.approx([1e-4, 1e-4], rel=1e-6)
    assert squash(np.array([np.inf, -1e300])) == pytest.approx([24.51, -24.51], abs=0.01)
    assert unsquash(np.array([1e3]))[0] == pytest.approx(1e6)


@pytest.mark.parametrize("name", ["sdss", "desi", "galah"])
def test_errors_are_estimated_from_known_noise(name: str) -> None:
    """Lines and slopes hardly move the estimate."""
    wavelength = GRIDS[name]
    flux = source_flux(wavelength, 8)
    sigma = 0.05 * float(np.median(flux))
    flux = flux + np.random.default_rng(9).normal(0.0, sigma, flux.size)
    runs = lay_out(wavelength).runs
    noise = pixel_noise(flux, np.ones(flux.size, bool), runs)
    np.testing.assert_allclose(noise, sigma, rtol=0.12)
    prepared = prepare(NativeSpectrum(flux, wavelength))
    assert prepared.errors_estimated
    assert prepared.notes == (
        "the spectrum has no errors: they are estimated from differences of its pixels",
    )
    np.testing.assert_allclose(prepared.sigma, 0.05, rtol=0.15)


def test_each_arm_has_its_own_noise() -> None:
    rng = np.random.default_rng(10)
    flux = 10.0 + np.concatenate([rng.normal(0, 0.1, 4096), rng.normal(0, 0.5, 4096)])
    runs = np.array([0, 4096, 8187, 8192])
    noise = pixel_noise(flux, np.ones(8192, bool), runs)
    assert noise[0] == pytest.approx(0.1, rel=0.1)
    assert noise[5000] == pytest.approx(0.5, rel=0.1)
    assert noise[-1] == pytest.approx((noise[0] + noise[5000]) / 2), "a short run gets the usual"


def test_a_spectrum_without_noise_gets_the_least_error() -> None:
    flux = np.where(np.arange(3840) < 1000, 1.0, 2.0)
    prepared = prepare(NativeSpectrum(flux, GRIDS["sdss"]))
    np.testing.assert_allclose(prepared.sigma, 1e-3)
    np.testing.assert_allclose(prepared.errors, 1.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-30, 30), st.floats(0.0, 0.6))
def test_any_spectrum_gives_bounded_numbers_or_a_reason(
    seed: int, exponent: float, bad: float
) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 700))
    wavelength = 3000.0 + np.cumsum(rng.exponential(1.0, size)) * rng.choice([0.01, 1.0, 40.0])
    flux = 10.0**exponent * rng.standard_cauchy(size) + rng.normal(0, 1)
    ivar = 10.0 ** rng.uniform(-60, 60, size) if rng.random() < 0.7 else None
    spectrum = NativeSpectrum(flux, wavelength, ivar, rng.random(size) < bad)
    try:
        prepared = prepare(spectrum)
    except ObservationError:
        return
    assert np.all(np.isfinite(prepared.flux))
    assert np.abs(prepared.flux).max() < 25.0
    assert prepared.errors.min() >= 0.0
    assert prepared.errors.max() <= 1.0
    assert np.all((prepared.sigma >= 0.9e-3) & (prepared.sigma <= 1.1e3))
    assert prepared.ignored.sum() == size - int((prepared.good & prepared.valid[:, None]).sum())
