"""Native spectra: the same sources through instruments of any wavelength range and resolution.

Sources are those of the simulated sky (`population="sky"`) or of one made for training
(`population="training"`, `native_population`). Their light is that of the releases, continued to
2.4 um; stars gain the single lines that high resolution shows. Nothing here draws from the streams
of the releases, which stay what they are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo_sky.grids import INFRARED_PIXELS, Float32Array
from demo_sky.native_exposure import expose
from demo_sky.native_instruments import NATIVE_INSTRUMENTS, native_instrument
from demo_sky.native_population import draw_training_parameters, training_generator
from demo_sky.native_spectrum import NativeSpectrum
from demo_sky.population import Parameters, StarParameters, draw_parameters
from demo_sky.resolved_light import ResolvedLight
from demo_sky.sed import Light, make_light
from demo_sky.shapes import Shape, draw_shape
from demo_sky.spectroscopy import fibre_shares

__all__ = [
    "NATIVE_INSTRUMENTS",
    "POPULATIONS",
    "NativeSource",
    "NativeSpectrum",
    "observe_native",
    "observe_native_source",
    "true_flux",
]

POPULATIONS = ("sky", "training")
_STREAM = 0x4E41


@dataclass(frozen=True)
class NativeSource:
    """One source and its native spectra.

    Attributes
    ----------
    index : int
    labels : dict
        `object_class`, `spectral_class` (GALAXY, QSO or STAR), `z`, `temperature_k`, `logg`, `feh`
        ([Fe/H]; like temperature and gravity NaN where it does not apply) and `mag_r`.
    spectra : dict
        Instrument to spectrum.
    """

    index: int
    labels: dict[str, Any]
    spectra: dict[str, NativeSpectrum]


def observe_native(
    seed: int,
    start: int,
    stop: int,
    instruments: Sequence[str] = NATIVE_INSTRUMENTS,
    population: str = "sky",
) -> Iterator[NativeSource]:
    """Observe the sources start to stop - 1 of a sky, one after the other.

    Parameters are those of `observe_native_source`.
    """
    for index in range(start, stop):
        yield observe_native_source(seed, index, instruments, population)


def observe_native_source(
    seed: int,
    index: int,
    instruments: Sequence[str] = NATIVE_INSTRUMENTS,
    population: str = "sky",
) -> NativeSource:
    """Observe one source, from (seed, index) alone.

    Parameters
    ----------
    seed, index : int
        Which sky, and which of its sources; both at least 0.
    instruments : sequence of str
        Among `NATIVE_INSTRUMENTS`. An instrument's spectrum does not depend on which others are
        made.
    population : str
        "sky": the very source that `simulate_source` makes. "training": of another population, with
        stars, galaxies and quasars in equal parts.

    Raises
    ------
    ValueError
        For a negative number, or an unknown instrument or population.
    """
    parameters, light, shape = _source(seed, index, population)
    star = parameters.star
    metal = star is not None and parameters.object_class != "white_dwarf"
    labels = {
        "object_class": parameters.object_class,
        "spectral_class": parameters.spectral_class,
        "z": parameters.redshift,
        "temperature_k": star.temperature_k if star else math.nan,
        "logg": star.log_gravity if star else math.nan,
        "feh": star.metallicity if star is not None and metal else math.nan,
        "mag_r": parameters.magnitude_r,
    }
    resolved = ResolvedLight(parameters, light, _velocity_spread(seed, index, star))
    spectra = {}
    for name in instruments:
        instrument = native_instrument(name)
        stream = [seed, index, 10 + NATIVE_INSTRUMENTS.index(name), _STREAM]
        generator = np.random.Generator(np.random.SFC64(stream))
        seeing = 1.2 * float(generator.lognormal(0.0, 0.12))
        shares = fibre_shares(shape, tuple(light.components), instrument.fibre_arcsec, seeing)
        spectra[name] = expose(instrument, resolved.flux(instrument, shares), generator)
    return NativeSource(index, labels, spectra)


def true_flux(seed: int, index: int, instrument: str, population: str = "sky") -> Float32Array:
    """Return what an instrument would see of a whole source without noise or calibration error.

    1e-17 erg/s/cm2/A on the instrument's pixels; all of the light is caught, not only the fibre's.
    """
    parameters, light, _ = _source(seed, index, population)
    resolved = ResolvedLight(parameters, light, _velocity_spread(seed, index, parameters.star))
    return resolved.flux(native_instrument(instrument))


def _source(seed: int, index: int, population: str) -> tuple[Parameters, Light, Shape]:
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must be at least 0, got {seed} and {index}")
    if population not in POPULATIONS:
        raise ValueError(f"population must be one of {POPULATIONS}, got {population!r}")
    if population == "sky":
        generator = np.random.default_rng([seed, index])
        parameters = draw_parameters(seed, index, generator)
    else:
        generator = training_generator(seed, index)
        parameters = draw_training_parameters(seed, index, generator)
    light = make_light(parameters, generator, INFRARED_PIXELS)
    return parameters, light, draw_shape(parameters, light.log_stellar_mass, generator)


def _velocity_spread(seed: int, index: int, star: StarParameters | None) -> float:
    """Sigma (km/s) of the lines from rotation and large-scale motions; hot stars rotate fast."""
    if star is None:
        return 0.0
    generator = np.random.default_rng([seed, index, 9, _STREAM])
    if star.temperature_k > 7000:
        rotation = generator.uniform(20.0, 200.0)
    elif star.temperature_k > 6100:
        rotation = generator.uniform(5.0, 40.0)
    else:
        rotation = generator.lognormal(math.log(4.0), 0.5)
    # A rotating disk's profile has about 0.45 of the equatorial velocity as its sigma.
    return float(np.hypot(0.45 * rotation, 2.5))
