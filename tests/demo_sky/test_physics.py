from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from demo_sky import SURVEYS, Source, simulate_source
from demo_sky.cosmology import luminosity_distance_mpc
from demo_sky.emission_lines import active_nucleus_ratios, star_forming_ratios
from demo_sky.grids import LOG_WAVELENGTH, WAVELENGTH_ANGSTROM
from demo_sky.photometry import HSC_BANDS, band_transmission, bin_spectrum, nanomaggies
from demo_sky.population import draw_parameters
from demo_sky.quasars import forest_transmission
from demo_sky.sed import make_light
from demo_sky.stellar_spectra import star_spectrum, white_dwarf_spectrum

SEED = 11
Array = NDArray[Any]


def find(
    object_class: str, count: int, surveys: tuple[str, ...], brightest: float = 99
) -> list[Source]:
    """The first sources of a class, brighter than a magnitude."""
    found = []
    for index in range(100_000):
        drawn = draw_parameters(SEED, index, np.random.default_rng([SEED, index]))
        if drawn.object_class == object_class and drawn.magnitude_r < brightest:
            found.append(simulate_source(SEED, index, surveys))
            if len(found) == count:
                return found
    raise AssertionError(f"too few of {object_class}")


def synthetic_nanomaggies(wavelength: Array, flux: Array, band: str) -> float:
    """AB flux of a spectrum in 1e-17 erg/s/cm2/A, by the definition of the AB system."""
    response = band_transmission(band, wavelength)
    numerator = np.trapezoid(flux * 1e-17 * response * wavelength, wavelength)
    denominator = np.trapezoid(response * 2.99792458e18 / wavelength, wavelength)
    return float(numerator / denominator / 3.631e-29)


def test_luminosity_distance_follows_hubbles_law_nearby_and_the_textbook_far_away() -> None:
    assert luminosity_distance_mpc(0.001) == pytest.approx(299792.458 / 70 * 0.001, rel=2e-3)
    assert luminosity_distance_mpc(1.0) == pytest.approx(6607.7, rel=1e-3)


def test_the_4000_angstrom_break_is_redshifted() -> None:
    for source in find("elliptical", 4, ("desi",), 18.0):
        z = source.labels["z"]
        data = source.data["desi"]
        rest, flux = data["spectrum_lambda"] / (1 + z), data["spectrum_flux"]
        weight = data["spectrum_ivar"]

        def mean(low: float, high: float, rest=rest, flux=flux, weight=weight) -> float:
            inside = (rest > low) & (rest < high)
            return float(np.average(flux[inside], weights=weight[inside]))

        # D4000 with the narrow bands of Balogh et al. 1999.
        assert 1.4 < mean(4000, 4100) / mean(3850, 3950) < 2.6
        # At the observed 4,000 A, where the rest frame is ultraviolet, there is no such step.
        assert mean(4150, 4250) / mean(4050, 4140) < 1.3


def test_emission_lines_lie_at_one_plus_z() -> None:
    for source in find("irregular", 4, ("sdss",), 17.5):
        data, z = source.data["sdss"], source.labels["z"]
        wavelength = data["spectrum_lambda"].astype(float)
        flux = data["spectrum_flux"].astype(float)
        for line in (6564.61, 5008.24):
            near = np.abs(wavelength / (line * (1 + z)) - 1) < 0.003
            peak = wavelength[near][np.argmax(flux[near])]
            assert peak == pytest.approx(line * (1 + z), rel=3e-4)


def test_quasars_show_lyman_alpha_and_a_forest_blueward() -> None:
    generator = np.random.default_rng(1)
    low, high = (forest_transmission(z, generator) for z in (2.2, 3.2))
    forest = (WAVELENGTH_ANGSTROM > 1050) & (WAVELENGTH_ANGSTROM < 1180)
    assert high[forest].mean() < low[forest].mean() < 0.95
    assert (high[WAVELENGTH_ANGSTROM > 1230] == 1).all()
    sources = [s for s in find("quasar", 25, ("desi",), 19.5) if 2.2 < s.labels["z"] < 3.3]
    assert sources
    for source in sources:
        data = source.data["desi"]
        rest = data["spectrum_lambda"] / (1 + source.labels["z"])
        flux = data["spectrum_flux"]
        peak = np.median(flux[np.abs(rest - 1216) < 6])
        assert peak > 1.3 * np.median(flux[np.abs(rest - 1290) < 10])


def test_line_ratios_are_atomic() -> None:
    for ratios in (star_forming_ratios(-0.5, 0.0), active_nucleus_ratios(9.0, 1.0)):
        assert ratios["[OIII]5008"] / ratios["[OIII]4960"] == pytest.approx(2.98)
        assert ratios["[NII]6585"] / ratios["[NII]6550"] == pytest.approx(2.96)
    assert star_forming_ratios(-0.5, 0.0)["Halpha"] == pytest.approx(2.86)
    metal_poor, metal_rich = star_forming_ratios(-1.3, 0.0), star_forming_ratios(-0.4, 0.0)
    assert metal_poor["[OIII]5008"] > 3 * metal_rich["[OIII]5008"]


def test_stars_follow_the_spectral_sequence() -> None:
    def depth(spectrum: Array, line: float, half_width: float) -> float:
        wave = WAVELENGTH_ANGSTROM
        inside = np.abs(wave - line) < half_width
        beside = (np.abs(wave - line) > 90) & (np.abs(wave - line) < 130)
        return float(1 - spectrum[inside].mean() / spectrum[beside].mean())

    hot, warm, cool = (star_spectrum(t, 4.4, 0.0) for t in (25000, 9500, 5500))
    assert depth(warm, 4862.7, 10) > 2 * depth(cool, 4862.7, 10)
    assert depth(warm, 4862.7, 10) > 2 * depth(hot, 4862.7, 10)
    assert depth(cool, 3934.8, 8) > depth(warm, 3934.8, 8)
    colours = [
        fluxes["des-r"] / fluxes["des-g"]
        for fluxes in (nanomaggies(bin_spectrum(s, 0.0)) for s in (hot, warm, cool))
    ]
    assert colours == sorted(colours)

    def wing(spectrum: Array) -> float:
        distance = np.abs(WAVELENGTH_ANGSTROM - 4862.7)
        near, far = (distance > 20) & (distance < 40), (distance > 200) & (distance < 230)
        return float(1 - spectrum[near].mean() / spectrum[far].mean())

    assert wing(white_dwarf_spectrum(12000)) > 2 * wing(star_spectrum(12000, 4.4, 0.0))


def test_light_has_the_magnitude_that_was_drawn_and_obeys_the_ab_definition() -> None:
    for index in range(12):
        generator = np.random.default_rng([SEED, index])
        parameters = draw_parameters(SEED, index, generator)
        light = make_light(parameters, generator)
        fluxes = light.fluxes()
        assert 22.5 - 2.5 * np.log10(fluxes["des-r"]) == pytest.approx(parameters.magnitude_r)
        wavelength = 10 ** np.arange(np.log10(3310), np.log10(11000), 2e-5)
        spectrum = light.observed(np.log10(wavelength))
        for band in ("des-g", "des-i", *HSC_BANDS[:4]):
            expected = synthetic_nanomaggies(wavelength, spectrum, band)
            assert fluxes[band] == pytest.approx(expected, rel=0.02)
    assert np.diff(LOG_WAVELENGTH) == pytest.approx(1e-4)


def aperture_sum(image: Array, scale: float, radius_arcsec: float) -> Array:
    rows, columns = np.indices(image.shape[-2:]) - (image.shape[-1] - 1) / 2
    inside = np.hypot(rows, columns) * scale < radius_arcsec
    return np.asarray((image * inside).sum(axis=(-2, -1)))


@pytest.mark.parametrize("object_class", ["star", "spiral", "elliptical", "edge_on"])
def test_pictures_add_up_to_the_catalogue_in_both_surveys(object_class: str) -> None:
    ratios = []
    for source in find(object_class, 7, ("legacysurvey", "hsc"), 17.5):
        legacy, hsc = source.data["legacysurvey"], source.data["hsc"]
        legacy_flux = aperture_sum(legacy["image_array"], 0.262, 10.0)
        hsc_flux = aperture_sum(hsc["image_array"], 0.168, 10.0) / 10**1.8
        catalogue = np.array([legacy[f"FLUX_{b}"] for b in "GRIZ"])
        ratios.append(
            [
                *(legacy_flux / catalogue),
                hsc_flux[1] / 10 ** (0.4 * (22.5 - hsc["r_cmodel_mag"])),
                # g is nearly the same band in both: a check that the zero points agree.
                hsc_flux[0] / legacy_flux[0],
            ]
        )
    # Neighbours add, large wings are cut: the median source is neither crowded nor huge.
    median = np.median(ratios, axis=0)
    np.testing.assert_allclose(median, 1.0, atol=0.12)


def test_pictures_and_spectra_of_a_point_source_have_the_same_colour() -> None:
    for source in find("star", 5, ("legacysurvey", "sdss", "desi", "gaia"), 16.0):
        legacy = source.data["legacysurvey"]
        for survey, bands in (("desi", ("des-g", "des-r", "des-i")), ("sdss", ("des-g", "des-r"))):
            data = source.data[survey]
            wavelength = data["spectrum_lambda"].astype(float)
            flux = np.where(data["spectrum_mask"], 0.0, data["spectrum_flux"]).astype(float)
            for band in bands:
                expected = synthetic_nanomaggies(wavelength, flux, band)
                measured = float(legacy[f"FLUX_{band[-1].upper()}"])
                assert measured == pytest.approx(expected, rel=0.12)


def test_desi_and_sdss_agree_within_their_noise() -> None:
    residuals = []
    for source in find("star", 6, ("sdss", "desi"), 17.0):
        sdss, desi = source.data["sdss"], source.data["desi"]
        grid = np.arange(4200.0, 9000.0, 40.0)
        means = []
        for data in (sdss, desi):
            wavelength = data["spectrum_lambda"].astype(float)
            good = ~data["spectrum_mask"]
            total = np.histogram(wavelength[good], grid, weights=data["spectrum_flux"][good])[0]
            means.append(total / np.histogram(wavelength[good], grid)[0])
        residuals.append(np.median(means[0] / means[1]) - 1)
    # Each has a calibration scatter of 2 per cent.
    assert np.abs(residuals).max() < 0.12


def test_inverse_variance_describes_the_noise() -> None:
    source = find("white_dwarf", 1, SURVEYS, 18.0)[0]
    legacy = source.data["legacysurvey"]
    corner = np.s_[:, :25, :25]
    scaled = legacy["image_array"][corner] * np.sqrt(legacy["image_ivar"][corner])
    spread = 1.4826 * np.median(np.abs(scaled - np.median(scaled)))
    assert spread == pytest.approx(1.0, abs=0.15)
    desi = source.data["desi"]
    steps = np.diff(desi["spectrum_flux"]) * np.sqrt(desi["spectrum_ivar"][1:] / 2)
    assert np.median(np.abs(steps)) * 1.4826 == pytest.approx(1.0, abs=0.1)


def test_fibres_lose_the_light_of_extended_sources() -> None:
    for source in find("spiral", 4, ("desi", "legacysurvey"), 17.0):
        data = source.data["desi"]
        wavelength = data["spectrum_lambda"].astype(float)
        caught = synthetic_nanomaggies(wavelength, data["spectrum_flux"].astype(float), "des-r")
        assert 0.01 < caught / source.data["legacysurvey"]["FLUX_R"] < 0.7


def test_xp_coefficients_fall_and_hold_the_flux() -> None:
    for source in find("star", 5, ("gaia",), 16.0):
        data = source.data["gaia"]
        signal = np.abs(data["coeff"]) / data["coeff_error"]
        for first in (0, 55):
            block = np.abs(data["coeff"][first : first + 55])
            assert block[:10].sum() > 0.9 * block.sum()
            assert signal[first] > 100
            assert np.median(signal[first + 35 : first + 50]) < 5
        magnitude = 25.3385 - 2.5 * np.log10(data["phot_bp_mean_flux"])
        assert magnitude == pytest.approx(float(data["phot_bp_mean_mag"]), abs=1e-3)
    hot, cool = (
        np.mean([float(s.data["gaia"]["bp_rp"]) for s in find(kind, 3, ("gaia",))])
        for kind in ("white_dwarf", "star")
    )
    assert hot < cool
