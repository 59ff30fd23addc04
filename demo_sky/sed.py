"""From a source's parameters to the observed spectra of its parts.

A source is a few components (bulge, disk, knots, nucleus, arc), each with one spectrum and,
elsewhere, one shape on the sky. Pictures, spectra and catalogue fluxes of all surveys are made
from these alone, hence agree.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from demo_sky.cosmology import CM_PER_MPC, luminosity_distance_mpc
from demo_sky.emission_lines import active_nucleus_ratios, add_lines, star_forming_ratios
from demo_sky.grids import (
    KM_S_PER_PIXEL,
    LOG_START,
    LOG_STEP,
    OPTICAL_PIXELS,
    Float32Array,
    FloatArray,
    calzetti_curve,
    milky_way_extinction_mag,
    rest_log_wavelength,
    rest_wavelength,
)
from demo_sky.infrared_emission import add_infrared_lines
from demo_sky.photometry import BIN_CENTRES_ANGSTROM, bin_spectrum, nanomaggies
from demo_sky.population import GalaxyParameters, Parameters
from demo_sky.quasars import QuasarParameters, quasar_spectrum
from demo_sky.stellar_populations import population_spectrum, star_formation_history
from demo_sky.stellar_spectra import star_spectrum, white_dwarf_spectrum

HALPHA_ERG_S_PER_SOLAR_MASS_YR = 1.0 / 5.4e-42
"""H alpha luminosity per star formation rate (Kennicutt & Evans 2012, table 1, rounded)."""


@dataclass(frozen=True)
class Component:
    """One part of a source with one spectrum.

    Attributes
    ----------
    rest_spectrum : array
        Observed flux density, 1e-17 erg/s/cm2/A, without Milky Way dust, at each observed
        wavelength `grids.rest_wavelength` * (1 + redshift).
    redshift : float
    binned : array
        The same with Milky Way dust, averaged on `photometry.BIN_CENTRES_ANGSTROM`.
    fluxes : dict
        Band to nanomaggies.
    """

    rest_spectrum: Float32Array
    redshift: float
    binned: FloatArray
    fluxes: dict[str, float]


@dataclass(frozen=True)
class Light:
    """All components of a source, by name, and what follows from their sum.

    Attributes
    ----------
    components : dict
        Name ("bulge", "disk", "knots", "nucleus", "arc") to component.
    ebv_milky_way : float
    log_stellar_mass, log_star_formation_rate : float
        log10 of solar masses, and of solar masses a year; NaN for stars.
    """

    components: dict[str, Component]
    ebv_milky_way: float
    log_stellar_mass: float
    log_star_formation_rate: float

    def fluxes(self) -> dict[str, float]:
        """Total nanomaggies by band."""
        parts = [component.fluxes for component in self.components.values()]
        return {band: sum(part[band] for part in parts) for band in parts[0]}

    def observed(
        self, log_wavelength: FloatArray, shares: dict[str, float] | None = None
    ) -> FloatArray:
        """Flux density, 1e-17 erg/s/cm2/A, with Milky Way dust, at observed log10(wavelength).

        `shares` gives the part of each component's light that is caught; without it, all is.
        """
        total = np.zeros(len(log_wavelength))
        for name, component in self.components.items():
            share = 1.0 if shares is None else shares.get(name, 0.0)
            if share > 0:
                position = log_wavelength - np.log10(1.0 + component.redshift)
                spectrum = component.rest_spectrum
                total += share * np.interp(position, rest_log_wavelength(len(spectrum)), spectrum)
        wavelength = 10.0**log_wavelength
        dust = 10.0 ** (-0.4 * milky_way_extinction_mag(wavelength, self.ebv_milky_way))
        return np.asarray(total * dust)


def make_light(
    parameters: Parameters, generator: np.random.Generator, pixels: int = OPTICAL_PIXELS
) -> Light:
    """Build the spectra of a source's components, scaled to its r magnitude.

    Parameters
    ----------
    parameters : Parameters
    generator : numpy.random.Generator
        Draws what `parameters` leave open; as many numbers for any `pixels`.
    pixels : int
        Length of the spectra on the rest-frame grid.
    """
    raw: dict[str, tuple[Float32Array, float, float]] = {}  # spectrum, redshift, share of r
    masses: dict[str, tuple[float, float]] = {}  # mass of the raw spectrum, rate per mass
    z = parameters.redshift
    if parameters.star is not None:
        star = parameters.star
        if parameters.object_class == "white_dwarf":
            spectrum = white_dwarf_spectrum(star.temperature_k, pixels)
        else:
            spectrum = star_spectrum(star.temperature_k, star.log_gravity, star.metallicity, pixels)
        raw["nucleus"] = (spectrum, z, 1.0)
    else:
        assert parameters.galaxy is not None
        stars_share = 1.0
        if parameters.object_class == "quasar":
            stars_share = parameters.host_share
            quasar = _draw_quasar(generator)
            raw["nucleus"] = (quasar_spectrum(quasar, z, generator, pixels), z, 1.0 - stars_share)
        if parameters.object_class == "lens":
            arc_share = generator.uniform(0.10, 0.28)
            stars_share -= arc_share
            raw["arc"] = (_distant_galaxy(generator, pixels), parameters.source_redshift, arc_share)
        if stars_share > 0.01:
            for name, spectrum, share, rate in galaxy_spectra(parameters.galaxy, generator, pixels):
                raw[name] = (spectrum, z, share * stars_share)
                masses[name] = (1.0, rate)
    return _scale(parameters, raw, masses)


def _scale(
    parameters: Parameters,
    raw: dict[str, tuple[Float32Array, float, float]],
    masses: dict[str, tuple[float, float]],
) -> Light:
    target = 10.0 ** (0.4 * (22.5 - parameters.magnitude_r))
    dust = 10.0 ** (-0.4 * milky_way_extinction_mag(BIN_CENTRES_ANGSTROM, parameters.ebv_milky_way))
    area = 4.0 * np.pi * (luminosity_distance_mpc(max(parameters.redshift, 1e-3)) * CM_PER_MPC) ** 2
    components: dict[str, Component] = {}
    mass = rate = 0.0
    for name, (spectrum, redshift, share) in raw.items():
        binned = bin_spectrum(spectrum, redshift) * dust
        factor = share * target / nanomaggies(binned)["des-r"]
        if name in masses:
            component_mass = masses[name][0] * factor * area * (1.0 + redshift)
            mass += component_mass
            rate += component_mass * masses[name][1]
        binned = binned * factor
        components[name] = Component(
            (spectrum * np.float32(factor * 1e17)), redshift, binned, nanomaggies(binned)
        )
    with np.errstate(divide="ignore"):
        # The stars' remnants and winds return 40 % of the mass formed.
        log_mass = float(np.log10(0.6 * mass)) if mass > 0 else np.nan
        log_rate = float(np.log10(rate)) if rate > 0 else np.nan
    return Light(components, parameters.ebv_milky_way, log_mass, log_rate)


def galaxy_spectra(
    galaxy: GalaxyParameters, generator: np.random.Generator, pixels: int = OPTICAL_PIXELS
) -> list[tuple[str, Float32Array, float, float]]:
    """Bulge, disk and knots: (name, erg/s/A per solar mass, share of r, rate per mass in 1/yr)."""
    dust = calzetti_curve(pixels)
    oldest = generator.dirichlet([1.5, 2.5, 3.5])
    ratios = star_forming_ratios(
        float(np.clip(-0.48 + 0.75 * galaxy.metallicity, -1.6, -0.36)), galaxy.excitation_dex
    )
    disk_share = max(1.0 - galaxy.bulge_share - galaxy.knot_share, 0.0)
    gas_ebv = galaxy.ebv / 0.44
    result: list[tuple[str, Float32Array, float, float]] = []
    if galaxy.bulge_share > 0.0:
        history, rate = star_formation_history(
            min(galaxy.specific_rate_per_gyr * 0.03, 0.01), oldest * [0.3, 1.0, 1.5]
        )
        spectrum = population_spectrum(history, galaxy.metallicity + 0.1, pixels)
        spectrum *= 10.0 ** (-0.4 * 0.4 * galaxy.ebv * dust)
        spectrum = _broaden(spectrum, galaxy.dispersion_km_s)
        if galaxy.nucleus:
            _add_nucleus(spectrum, galaxy)
        result.append(("bulge", spectrum, galaxy.bulge_share, rate))
    if disk_share > 0.0:
        history, rate = star_formation_history(galaxy.specific_rate_per_gyr, oldest)
        spectrum = population_spectrum(history, galaxy.metallicity, pixels)
        spectrum *= 10.0 ** (-0.4 * galaxy.ebv * dust)
        spectrum = _broaden(spectrum, 0.6 * galaxy.dispersion_km_s)
        _add_star_forming_lines(spectrum, ratios, rate, galaxy.gas_sigma_km_s, gas_ebv)
        result.append(("disk", spectrum, disk_share, rate))
    if galaxy.knot_share > 0.0:
        history, rate = star_formation_history(2.5, oldest)
        spectrum = population_spectrum(history, galaxy.metallicity - 0.1, pixels)
        spectrum *= 10.0 ** (-0.4 * galaxy.ebv * dust)
        spectrum = _broaden(spectrum, 90.0)
        _add_star_forming_lines(spectrum, ratios, rate, galaxy.gas_sigma_km_s, gas_ebv)
        result.append(("knots", spectrum, galaxy.knot_share, rate))
    return result


def _add_star_forming_lines(
    spectrum: Float32Array, ratios: dict[str, float], rate: float, sigma: float, gas_ebv: float
) -> None:
    hbeta = rate * HALPHA_ERG_S_PER_SOLAR_MASS_YR / 2.86
    add_lines(spectrum, ratios, hbeta, sigma, gas_ebv)
    if len(spectrum) > OPTICAL_PIXELS:
        add_infrared_lines(spectrum, hbeta, sigma, gas_ebv, nucleus=False)


def _add_nucleus(spectrum: Float32Array, galaxy: GalaxyParameters) -> None:
    at_line = int((np.log10(5008.24) - LOG_START) / LOG_STEP)
    level = float(spectrum[at_line - 80 : at_line + 80].mean())
    oxygen, nitrogen = (9.0, 0.9) if galaxy.nucleus == "seyfert" else (2.2, 1.3)
    hbeta = galaxy.nucleus_strength * level / oxygen
    sigma = max(1.3 * galaxy.dispersion_km_s, 150.0)
    add_lines(spectrum, active_nucleus_ratios(oxygen, nitrogen), hbeta, sigma, galaxy.ebv)
    if len(spectrum) > OPTICAL_PIXELS:
        add_infrared_lines(spectrum, hbeta, sigma, galaxy.ebv, nucleus=True)


def _broaden(spectrum: Float32Array, sigma_km_s: float) -> Float32Array:
    return np.asarray(
        gaussian_filter1d(spectrum, sigma_km_s / KM_S_PER_PIXEL, mode="nearest", truncate=3.0),
        np.float32,
    )


def _draw_quasar(generator: np.random.Generator) -> QuasarParameters:
    return QuasarParameters(
        slope=float(generator.normal(-1.55, 0.2)),
        broad_sigma_km_s=float(np.clip(generator.lognormal(np.log(1900.0), 0.35), 800.0, 4500.0)),
        line_strength=float(generator.lognormal(0.0, 0.3)),
        iron_strength=float(generator.lognormal(0.0, 0.4)),
        narrow_strength=float(generator.lognormal(np.log(14.0), 0.8)),
        ebv=float(generator.exponential(0.03)),
        absorbed=bool(generator.random() < 0.08),
    )


def _distant_galaxy(generator: np.random.Generator, pixels: int) -> Float32Array:
    """The blue, star-forming galaxy that a lens shows."""
    history, rate = star_formation_history(generator.uniform(0.8, 2.5), np.array([0.5, 0.3, 0.2]))
    spectrum = population_spectrum(history, -0.6, pixels)
    spectrum *= 10.0 ** (-0.4 * generator.uniform(0.02, 0.12) * calzetti_curve(pixels))
    ratios = star_forming_ratios(-1.0, 0.1)
    _add_star_forming_lines(spectrum, ratios, rate, 90.0, 0.15)
    spectrum[: int(np.searchsorted(rest_wavelength(pixels), 912.0))] = 0.0
    return spectrum
