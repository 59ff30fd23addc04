from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from demo_sky.grids import INFRARED_PIXELS, rest_wavelength
from demo_sky.line_spread import FWHM_PER_SIGMA
from demo_sky.native import (
    NATIVE_INSTRUMENTS,
    NativeSource,
    observe_native,
    observe_native_source,
    true_flux,
)
from demo_sky.native_instruments import native_instrument
from demo_sky.native_population import draw_training_parameters, training_generator
from demo_sky.population import Parameters, StarParameters, draw_parameters
from demo_sky.resolved_light import ResolvedLight
from demo_sky.sed import make_light
from demo_sky.sky import simulate_source

SEED = 3
Array = NDArray[Any]


def star_flux(
    instrument: str,
    temperature_k: float = 5000.0,
    log_gravity: float = 4.4,
    metallicity: float = 0.0,
    velocity_km_s: float = 0.0,
) -> Array:
    """Flux without noise of a star of r = 12 that rotates slowly."""
    index = next(
        i
        for i in range(100)
        if draw_training_parameters(SEED, i, training_generator(SEED, i)).object_class == "star"
    )
    generator = training_generator(SEED, index)
    drawn = draw_training_parameters(SEED, index, generator)
    star = StarParameters(temperature_k, log_gravity, metallicity, np.nan, 0.0, 0.0, velocity_km_s)
    parameters = replace(
        drawn,
        star=star,
        redshift=velocity_km_s / 299792.458,
        magnitude_r=12.0,
        ebv_milky_way=0.0,
    )
    light = make_light(parameters, generator, INFRARED_PIXELS)
    return ResolvedLight(parameters, light, 3.0).flux(native_instrument(instrument))


def find_training(count: int, wanted: Any) -> list[tuple[int, Parameters]]:
    found = []
    for index in range(5000):
        drawn = draw_training_parameters(SEED, index, training_generator(SEED, index))
        if wanted(drawn):
            found.append((index, drawn))
            if len(found) == count:
                return found
    raise AssertionError("too few such sources")


def line_depth(wavelength: Array, flux: Array, line: float, half_width: float) -> float:
    inside = np.abs(wavelength - line) < half_width
    beside = (np.abs(wavelength - line) > 2 * half_width) & (
        np.abs(wavelength - line) < 4 * half_width
    )
    return float(1 - flux[inside].mean() / np.percentile(flux[beside], 80))


@pytest.fixture(scope="module")
def sources() -> list[NativeSource]:
    return list(observe_native(SEED, 0, 24, population="training"))


def test_a_source_depends_on_seed_and_index_alone(sources: list[NativeSource]) -> None:
    alone = observe_native_source(SEED, 7, population="training")
    assert repr(alone.labels) == repr(sources[7].labels)
    for name in NATIVE_INSTRUMENTS:
        only = observe_native_source(SEED, 7, (name,), population="training")
        assert tuple(only.spectra) == (name,)
        for part in ("wavelength_angstrom", "flux", "ivar", "mask", "expected"):
            expected = getattr(sources[7].spectra[name], part)
            np.testing.assert_array_equal(getattr(alone.spectra[name], part), expected)
            np.testing.assert_array_equal(getattr(only.spectra[name], part), expected)


def test_seeds_indices_and_populations_differ() -> None:
    keys = ((3, 4, "sky"), (3, 5, "sky"), (4, 4, "sky"), (3, 4, "training"))
    fluxes = [
        observe_native_source(seed, index, ("prism",), population).spectra["prism"].flux
        for seed, index, population in keys
    ]
    for number, flux in enumerate(fluxes):
        for other in fluxes[:number]:
            assert not np.array_equal(flux, other)


def test_the_sky_of_the_releases_is_seen_with_the_same_truth() -> None:
    for index in range(8):
        native = observe_native_source(11, index, ("prism",))
        labels = simulate_source(11, index, ()).labels
        for name in ("object_class", "spectral_class", "z", "temperature_k", "logg", "mag_r"):
            np.testing.assert_equal(native.labels[name], labels[name])
        star = draw_parameters(11, index, np.random.default_rng([11, index])).star
        if native.labels["object_class"] == "star":
            assert star is not None
            assert native.labels["feh"] == star.metallicity
        else:
            assert np.isnan(native.labels["feh"])


def test_the_long_grid_begins_with_the_light_of_the_releases() -> None:
    for index in range(12):
        lights = []
        for pixels in (12700, INFRARED_PIXELS):
            generator = np.random.default_rng([11, index])
            parameters = draw_parameters(11, index, generator)
            lights.append((make_light(parameters, generator, pixels), generator.random()))
        (short, after_short), (long, after_long) = lights
        assert after_short == after_long
        for name, component in short.components.items():
            # Paschen and helium lines, and the hot dust of quasars, are the long grid's alone.
            end = int(np.searchsorted(rest_wavelength(12700), 6000.0))
            np.testing.assert_allclose(
                long.components[name].rest_spectrum[:end],
                component.rest_spectrum[:end],
                rtol=2e-3,
            )


def test_grids_are_the_instruments_own() -> None:
    sdss, desi, galah, apogee, prism = (
        native_instrument(name).wavelength_angstrom for name in NATIVE_INSTRUMENTS
    )
    assert np.diff(np.log10(sdss)) == pytest.approx(1e-4)
    assert sdss[0] == pytest.approx(3600, abs=5)
    assert sdss[-1] == pytest.approx(10370, abs=10)

    ends = [(desi[arm][0], desi[arm][-1]) for arm in native_instrument("desi").arms]
    assert ends == [(3600.0, 5800.0), (5760.0, 7620.0), (7520.0, 9824.0)]
    for arm in native_instrument("desi").arms:
        assert np.diff(desi[arm]) == pytest.approx(0.8)

    arms = native_instrument("galah").arms
    assert [arm.stop - arm.start for arm in arms] == [4096] * 4
    expected = [(4714, 4903), (5650, 5874), (6480, 6739), (7587, 7889)]
    for arm, (low, high) in zip(arms, expected, strict=True):
        assert galah[arm][0] == pytest.approx(low, abs=1.5)
        assert galah[arm][-1] == pytest.approx(high, abs=1.5)
        # Linear in air: in vacuum nearly, not quite.
        steps = np.diff(galah[arm])
        assert 0 < np.ptp(steps) < 1e-4 * steps[0]

    assert len(apogee) == 8575
    assert np.diff(np.log10(apogee)) == pytest.approx(6e-6)
    assert np.log10(apogee[0]) == pytest.approx(4.179)
    chips = [(apogee[arm][0], apogee[arm][-1]) for arm in native_instrument("apogee").arms]
    for (_, stop), (start, _) in pairwise(chips):
        assert 60 < start - stop < 120
    assert 15140 < chips[0][0] < 15200
    assert 16900 < chips[-1][1] < 16960

    steps = np.diff(prism) / prism[:-1]
    assert 200 < len(prism) < 600
    assert (prism[0], prism[-1]) == pytest.approx((3400, 24000), rel=2e-3)
    assert steps.max() > 8 * steps.min()
    assert np.abs(np.diff(np.log(steps))).max() > 0.1


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("sdss", 1400, 2600),
        ("desi", 1900, 5300),
        ("galah", 26000, 29500),
        ("apogee", 21000, 23500),
        ("prism", 30, 300),
    ],
)
def test_a_narrow_line_is_as_wide_as_the_resolution_says(
    name: str, low: float, high: float
) -> None:
    instrument = native_instrument(name)
    wavelength, resolution = instrument.wavelength_angstrom, instrument.resolution
    assert resolution.min() >= low
    assert resolution.max() <= high
    arm = instrument.arms[0]
    middle = (arm.start + arm.stop) // 2
    fine = np.zeros(len(instrument.window), np.float32)
    log_wavelength = instrument.window.log_wavelength
    at = int(np.searchsorted(log_wavelength, np.log10(wavelength[middle])))
    fine[at] = 1.0
    profile = (instrument.line_spread @ fine)[arm]
    centre = np.average(wavelength[arm], weights=profile)
    sigma = np.sqrt(np.average((wavelength[arm] - centre) ** 2, weights=profile))
    assert centre == pytest.approx(wavelength[middle], rel=0.3 / resolution[middle])
    assert sigma * FWHM_PER_SIGMA == pytest.approx(centre / resolution[middle], rel=0.1)
    constant = instrument.line_spread @ np.ones(len(fine), np.float32)
    assert constant == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("instrument", "line", "temperature_k", "gravity"),
    [
        ("sdss", 6564.61, 7000.0, 4.2),  # H alpha
        ("galah", 6564.61, 5800.0, 4.4),
        ("galah", 4862.68, 5800.0, 4.4),  # H beta
        ("galah", 6719.54, 5000.0, 4.4),  # Ca I
        ("galah", 7774.08, 7000.0, 4.2),  # O I
        ("desi", 8544.44, 5000.0, 3.0),  # Ca II
        ("desi", 5891.58, 4500.0, 4.6),  # Na D
        ("apogee", 16113.7, 9500.0, 4.0),  # Brackett 13
        ("apogee", 15964.42, 4500.0, 2.0),  # Si I
        ("apogee", 16755.14, 4500.0, 2.0),  # Al I
    ],
)
def test_lines_of_stars_are_at_their_vacuum_wavelengths(
    instrument: str, line: float, temperature_k: float, gravity: float
) -> None:
    pixels = native_instrument(instrument)
    wavelength = pixels.wavelength_angstrom
    for velocity in (0.0, 150.0):
        flux = star_flux(instrument, temperature_k, gravity, 0.0, velocity)
        expected = line * (1 + velocity / 299792.458)
        near = np.abs(wavelength - expected) < max(3.0 * expected / 28000, 2.5)
        deepest = wavelength[near][np.argmin(flux[near])]
        pixel = float(np.diff(wavelength[near]).max())
        # The minimum of a line as wide as Brackett's is moved by the slope that it lies on.
        precision = 4e-5 if line == 16113.7 else 2e-5
        assert deepest == pytest.approx(expected, abs=max(1.5 * pixel, precision * expected))


def test_lines_of_galaxies_and_quasars_are_redshifted_into_the_infrared() -> None:
    prism = native_instrument("prism").wavelength_angstrom
    index, drawn = find_training(
        1, lambda p: p.object_class == "quasar" and 1.2 < p.redshift < 1.6
    )[0]
    flux = true_flux(SEED, index, "prism", "training")
    near = np.abs(prism / (6564.61 * (1 + drawn.redshift)) - 1) < 0.06
    assert prism[near][np.argmax(flux[near])] == pytest.approx(
        6564.61 * (1 + drawn.redshift), rel=0.01
    )
    index, drawn = find_training(1, lambda p: p.object_class == "irregular")[0]
    for line, instrument in ((6564.61, "sdss"), (5008.24, "desi"), (18756.1, "prism")):
        wavelength = native_instrument(instrument).wavelength_angstrom
        flux = true_flux(SEED, index, instrument, "training")
        width = 0.02 if instrument == "prism" else 0.003
        near = np.abs(wavelength / (line * (1 + drawn.redshift)) - 1) < width
        peak = wavelength[near][np.argmax(flux[near])]
        assert peak == pytest.approx(line * (1 + drawn.redshift), rel=width / 6)


@pytest.mark.parametrize("temperature_k", [3600.0, 4800.0, 5800.0, 9000.0])
def test_high_resolution_degraded_is_what_low_resolution_sees(temperature_k: float) -> None:
    """By another road than the matrices: a running Gaussian over GALAH's pixels."""
    sdss = native_instrument("sdss")
    galah = native_instrument("galah")
    low = star_flux("sdss", temperature_k)
    high = star_flux("galah", temperature_k)
    for arm in galah.arms:
        wavelength, flux = galah.wavelength_angstrom[arm], high[arm]
        inside = (sdss.wavelength_angstrom > wavelength[0] + 12) & (
            sdss.wavelength_angstrom < wavelength[-1] - 12
        )
        for centre, resolution, seen in zip(
            sdss.wavelength_angstrom[inside][::6],
            sdss.resolution[inside][::6],
            low[inside][::6],
            strict=True,
        ):
            sigma = centre / resolution / FWHM_PER_SIGMA
            kernel = np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2)
            assert np.average(flux, weights=kernel) == pytest.approx(seen, rel=0.01)


@pytest.mark.parametrize("temperature_k", [3600.0, 4800.0, 5800.0, 9000.0])
def test_resolved_stars_have_the_light_of_the_low_resolution_model(temperature_k: float) -> None:
    sdss = star_flux("sdss", temperature_k, 3.5, -0.3)
    prism = star_flux("prism", temperature_k, 3.5, -0.3)  # made without single lines
    wavelength = native_instrument("sdss").wavelength_angstrom
    coarse = native_instrument("prism").wavelength_angstrom
    for start in range(4000, 10000, 500):
        inside = (wavelength > start) & (wavelength < start + 500)
        beside = np.interp(wavelength[inside], coarse, prism)
        assert sdss[inside].mean() == pytest.approx(beside.mean(), rel=0.03)


@pytest.mark.parametrize(
    ("instrument", "line", "half_width", "temperature_k"),
    [
        ("galah", 6496.77, 0.25, 5200.0),  # Fe I
        ("galah", 5710.96, 0.25, 5200.0),  # Fe I
        ("apogee", 15298.74, 0.7, 4600.0),  # Fe I
        ("apogee", 15964.42, 0.7, 4600.0),  # Si I
        ("desi", 5270.9, 6.0, 5000.0),  # Fe I blend
        ("sdss", 5178.0, 12.0, 4800.0),  # Mg b
        ("sdss", 8544.44, 6.0, 4800.0),  # Ca II
    ],
)
def test_lines_of_metals_strengthen_with_metallicity(
    instrument: str, line: float, half_width: float, temperature_k: float
) -> None:
    wavelength = native_instrument(instrument).wavelength_angstrom
    depths = [
        line_depth(wavelength, star_flux(instrument, temperature_k, 3.5, m), line, half_width)
        for m in (-1.5, -1.0, -0.5, 0.0, 0.4)
    ]
    assert depths == sorted(depths)
    assert depths[-1] - depths[0] > 0.03


def test_temperature_and_gravity_act_at_every_resolution() -> None:
    def hydrogen(name: str, line: float, width: float) -> list[float]:
        wavelength = native_instrument(name).wavelength_angstrom
        return [
            line_depth(wavelength, star_flux(name, temperature), line, width)
            for temperature in (4500.0, 5500.0, 6500.0, 8000.0)
        ]

    for name in ("sdss", "desi", "galah"):
        depths = hydrogen(name, 6564.61, 3.0)
        assert depths == sorted(depths)
        assert depths[-1] > depths[0] + 0.15
    apogee = native_instrument("apogee").wavelength_angstrom
    bands = []
    for temperature in (3600.0, 4200.0, 5000.0, 6000.0):
        flux = star_flux("apogee", temperature, 2.0)
        before = flux[(apogee > 16130) & (apogee < 16185)].mean()
        bands.append(1 - flux[(apogee > 16190) & (apogee < 16240)].mean() / before)
    assert bands == sorted(bands, reverse=True)
    galah = native_instrument("galah").wavelength_angstrom
    # An ion's line over a neutral's: both of iron, so that only gravity is left.
    dwarf, giant = (star_flux("galah", 4800.0, gravity) for gravity in (4.5, 1.5))
    ion = [line_depth(galah, flux, 6517.88, 0.2) for flux in (dwarf, giant)]
    neutral = [line_depth(galah, flux, 6594.73, 0.2) for flux in (dwarf, giant)]
    assert ion[1] / ion[0] > neutral[1] / neutral[0]


def test_inverse_variance_describes_the_noise(sources: list[NativeSource]) -> None:
    for name in NATIVE_INSTRUMENTS:
        squares = []
        for source in sources:
            spectrum = source.spectra[name]
            good = ~spectrum.mask
            residual = spectrum.flux[good].astype(np.float64) - spectrum.expected[good]
            squares.append(residual**2 * spectrum.ivar[good])
        everything = np.concatenate(squares)
        assert everything.mean() == pytest.approx(1.0, abs=6 * np.sqrt(2 / len(everything)))


def test_spectra_are_finite_and_say_what_is_bad(sources: list[NativeSource]) -> None:
    for source in sources:
        for name, spectrum in source.spectra.items():
            assert np.isfinite(spectrum.flux).all()
            assert np.isfinite(spectrum.expected).all()
            assert ((spectrum.ivar > 0) == ~spectrum.mask).all()
            bad = spectrum.mask.mean()
            assert 0.0 < bad < (0.25 if name == "apogee" else 0.05) or name == "prism"
    apogee = sources[0].spectra["apogee"]
    gaps = np.ones(len(apogee.flux), bool)
    for arm in apogee.arms:
        gaps[arm] = False
    assert gaps.mean() == pytest.approx(0.157, abs=0.01)
    assert apogee.mask[gaps].all()
    assert (apogee.flux[gaps] == 0).all()
    # The deepest lines of the oxygen band cannot be corrected at high resolution.
    galah = sources[0].spectra["galah"]
    band = (galah.wavelength_angstrom > 7594) & (galah.wavelength_angstrom < 7660)
    assert 0.05 < galah.mask[band].mean() < 0.8


def test_noise_grows_where_little_light_arrives(sources: list[NativeSource]) -> None:
    for name in ("desi", "galah"):
        for arm in native_instrument(name).arms[:3]:
            ratios = []
            for source in sources:
                spectrum = source.spectra[name]
                middle = (arm.start + arm.stop) // 2
                centre = slice(middle - 300, middle + 300)
                end = slice(arm.stop - 30, arm.stop)
                ratios.append(
                    np.median(spectrum.ivar[end][~spectrum.mask[end]])
                    / np.median(spectrum.ivar[centre][~spectrum.mask[centre]])
                )
            assert np.median(ratios) < 0.7


def test_brighter_sources_are_seen_better() -> None:
    signal: dict[str, list[float]] = {name: [] for name in NATIVE_INSTRUMENTS}
    magnitudes = []
    for index, drawn in find_training(40, lambda p: p.spectral_class == "QSO"):
        source = observe_native_source(SEED, index, population="training")
        magnitudes.append(drawn.magnitude_r)
        for name, spectrum in source.spectra.items():
            good = ~spectrum.mask
            signal[name].append(
                float(np.median(spectrum.expected[good] * np.sqrt(spectrum.ivar[good])))
            )
    # The prism reaches what it aims at for all of them.
    for name in ("sdss", "desi", "galah", "apogee"):
        assert np.corrcoef(magnitudes, np.log(signal[name]))[0, 1] < -0.4, name


def test_arms_are_joined_by_their_weights(sources: list[NativeSource]) -> None:
    spectrum = sources[2].spectra["desi"]
    joined = spectrum.joined()
    assert joined.wavelength_angstrom == pytest.approx(3600 + 0.8 * np.arange(7781))
    assert joined.arms == (slice(0, 7781),)
    blue, red = spectrum.arms[:2]
    in_blue = np.isin(spectrum.wavelength_angstrom[blue], spectrum.wavelength_angstrom[red])
    assert in_blue.sum() == 51
    for wavelength in spectrum.wavelength_angstrom[blue][in_blue]:
        pair = spectrum.wavelength_angstrom == wavelength
        weight = spectrum.ivar[pair].astype(np.float64)
        at = np.searchsorted(joined.wavelength_angstrom, wavelength)
        assert joined.ivar[at] == pytest.approx(weight.sum(), rel=1e-5)
        if weight.sum() > 0:
            expected = (weight * spectrum.flux[pair]).sum() / weight.sum()
            assert joined.flux[at] == pytest.approx(expected, rel=1e-4)
            assert not joined.mask[at]
    galah = sources[2].spectra["galah"]
    np.testing.assert_array_equal(galah.joined().flux, galah.flux)


def test_training_classes_come_in_equal_parts() -> None:
    drawn = [draw_training_parameters(9, i, training_generator(9, i)) for i in range(300)]
    for spectral_class in ("STAR", "GALAXY", "QSO"):
        share = np.mean([p.spectral_class == spectral_class for p in drawn])
        assert share == pytest.approx(1 / 3, abs=0.02)
    stars = [p.star for p in drawn if p.star is not None and p.object_class == "star"]
    giants = np.mean([star.log_gravity < 3.7 for star in stars])
    assert 0.25 < giants < 0.5
    metallicities = [star.metallicity for star in stars]
    assert min(metallicities) < -1.2
    assert max(metallicities) > 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0), "at least 0"),
        ((0, -1), "at least 0"),
        ((0, 0, ("nirspec",)), "nirspec"),
        ((0, 0, ("sdss",), "moon"), "moon"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        observe_native_source(*arguments)
