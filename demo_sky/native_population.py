"""Sources for training on native spectra: classes in equal parts, bright enough to be seen.

Of the sky of the releases 71 % are galaxies, 22 % stars and 7 % quasars, and hardly any is a source
that a high-resolution spectrograph would be pointed at. Here stars, galaxies and quasars are a
third each, brightness covers what each instrument can do and what it cannot, and stars fill
temperature, gravity and metallicity. Draws have a stream of their own.
"""

import math

import numpy as np

from demo_sky.population import (
    GALAXY_CLASSES,
    GALAXY_SHARES,
    Parameters,
    StarParameters,
    draw_galaxy,
    galaxy_redshift,
)

_STREAM = 0x7A1E
_WHITE_DWARFS = 0.06
"""Share of the stars."""

# Magnitudes (DES r): bright and faint limit, and slope of log10 counts.
_STAR_MAGNITUDES = (9.5, 16.5, 0.05)
_WHITE_DWARF_MAGNITUDES = (12.5, 18.0, 0.05)
_GALAXY_MAGNITUDES = (13.8, 19.5, 0.10)
_QUASAR_MAGNITUDES = (15.2, 20.0, 0.10)


def training_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator of a training source: no draw of the sky comes from it."""
    return np.random.default_rng([seed, index, _STREAM])


def draw_training_parameters(seed: int, index: int, generator: np.random.Generator) -> Parameters:
    """Draw a source for training.

    Parameters
    ----------
    seed, index : int
        The class goes by the index, golden sections of a third, so that any run has the shares of
        the whole.
    generator : numpy.random.Generator
        Of `training_generator`; every other property comes from it. The source has no position and
        no survey.
    """
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    share = (index * golden + 0.1234 * (seed % 8)) % 1.0
    galaxy, star = None, None
    source_redshift, host_share = math.nan, 0.0
    if share < 1.0 / 3.0:
        spectral_class = "STAR"
        object_class = "white_dwarf" if generator.random() < _WHITE_DWARFS else "star"
        dwarf = object_class == "white_dwarf"
        magnitude = _magnitude(_WHITE_DWARF_MAGNITUDES if dwarf else _STAR_MAGNITUDES, generator)
        star = _white_dwarf(generator) if dwarf else _star(generator)
        redshift = star.radial_velocity_km_s / 299792.458
    elif share < 2.0 / 3.0:
        spectral_class = "GALAXY"
        object_class = str(
            generator.choice(GALAXY_CLASSES, p=np.array(GALAXY_SHARES) / sum(GALAXY_SHARES))
        )
        magnitude = _magnitude(_GALAXY_MAGNITUDES, generator)
        redshift = galaxy_redshift(object_class, magnitude, generator)
        galaxy = draw_galaxy(object_class, generator)
        if object_class == "lens":
            source_redshift = redshift + generator.uniform(0.6, 1.6)
    else:
        spectral_class, object_class = "QSO", "quasar"
        magnitude = _magnitude(_QUASAR_MAGNITUDES, generator)
        redshift = float(np.clip(0.05 + generator.gamma(2.3, 0.6), 0.05, 4.2))
        galaxy = draw_galaxy("spiral" if generator.random() < 0.4 else "elliptical", generator)
        host_share = float(0.55 * generator.random() * np.exp(-((redshift / 0.55) ** 2)))
    reddening = generator.exponential(0.05 if spectral_class == "STAR" else 0.03)
    return Parameters(
        index=index,
        surveys=(),
        object_class=object_class,
        spectral_class=spectral_class,
        ra_deg=math.nan,
        dec_deg=math.nan,
        ebv_milky_way=float(min(reddening, 0.4)),
        redshift=redshift,
        magnitude_r=magnitude,
        galaxy=galaxy,
        star=star,
        source_redshift=source_redshift,
        host_share=host_share,
    )


def _magnitude(limits: tuple[float, float, float], generator: np.random.Generator) -> float:
    bright, faint, slope = limits
    low, high = 10.0 ** (slope * bright), 10.0 ** (slope * faint)
    return math.log10(low + generator.random() * (high - low)) / slope


def _star(generator: np.random.Generator) -> StarParameters:
    """Dwarfs from M to B and red giants, of metallicity -1.6 to 0.4 whatever they are."""
    draw = generator.random()
    speed_km_s = 40.0
    metallicity = float(generator.normal(-0.2, 0.3))
    if generator.random() < 0.25:
        metallicity, speed_km_s = float(generator.uniform(-1.6, -0.4)), 130.0
    gravity = float(generator.normal(4.45, 0.12))
    if draw < 0.38:
        temperature = float(generator.uniform(4400.0, 6700.0))
    elif draw < 0.75:
        gravity = float(generator.uniform(1.2, 3.6))
        # The giant branch: cooler upward, and cooler when metal-rich.
        temperature = 3950.0 + 420.0 * (gravity - 1.2) - 300.0 * metallicity
        temperature += float(generator.normal(0.0, 90.0))
    elif draw < 0.88:
        temperature, gravity = float(generator.uniform(2950.0, 4300.0)), gravity + 0.35
    elif draw < 0.96:
        temperature = float(generator.uniform(6700.0, 10000.0))
        gravity = float(generator.normal(4.0, 0.25))
    else:
        temperature = float(generator.uniform(10000.0, 32000.0))
        gravity = float(generator.normal(4.0, 0.3))
    metallicity = float(np.clip(metallicity, -1.6, 0.4))
    return _resting(temperature, gravity, metallicity, float(generator.normal(0.0, speed_km_s)))


def _white_dwarf(generator: np.random.Generator) -> StarParameters:
    temperature = float(np.clip(generator.lognormal(math.log(14500), 0.45), 6800, 65000))
    gravity = float(generator.normal(8.0, 0.1))
    return _resting(temperature, gravity, math.nan, float(generator.normal(0.0, 40.0)))


def _resting(
    temperature_k: float, log_gravity: float, metallicity: float, radial_velocity_km_s: float
) -> StarParameters:
    """Return a star without distance and motion across the sky, which no spectrum shows."""
    return StarParameters(
        temperature_k=max(temperature_k, 2950.0),
        log_gravity=log_gravity,
        metallicity=metallicity,
        distance_pc=math.nan,
        proper_motion_ra_mas_yr=0.0,
        proper_motion_dec_mas_yr=0.0,
        radial_velocity_km_s=radial_velocity_km_s,
    )
