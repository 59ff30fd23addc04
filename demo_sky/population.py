"""Who is in the sky: classes, brightness, distance, stars, gas and dust of every source."""

import math
from dataclasses import dataclass

import numpy as np

from demo_sky.cosmology import redshift_of_luminosity_distance
from demo_sky.placement import position_of, surveys_of

GALAXY_CLASSES = ("elliptical", "spiral", "edge_on", "irregular", "ring", "merger", "lens")
OBJECT_CLASSES = (*GALAXY_CLASSES, "quasar", "star", "white_dwarf")
GALAXY_SHARES = (0.305, 0.385, 0.120, 0.080, 0.030, 0.064, 0.009)

# Absolute r magnitude: mean and scatter (mag), and mean k-correction per unit redshift.
_LUMINOSITY = {
    "elliptical": (-21.9, 0.7, 1.0),
    "spiral": (-21.1, 0.8, 0.4),
    "edge_on": (-20.8, 0.8, 0.5),
    "irregular": (-18.7, 1.0, 0.1),
    "ring": (-21.2, 0.6, 0.5),
    "merger": (-21.5, 0.7, 0.4),
    "lens": (-22.7, 0.3, 1.1),
}
# log10 of the specific star formation rate of the disk (1/Gyr): mean and scatter (dex).
_SPECIFIC_RATE = {
    "elliptical": (-2.9, 0.4),
    "spiral": (-1.05, 0.28),
    "edge_on": (-1.15, 0.3),
    "irregular": (-0.55, 0.25),
    "ring": (-1.0, 0.25),
    "merger": (-0.6, 0.3),
    "lens": (-3.0, 0.3),
}
# Range of the shares of r-band light: bulge, and star-forming knots.
_BULGE_SHARE = {
    "elliptical": (0.75, 1.0),
    "spiral": (0.04, 0.42),
    "edge_on": (0.05, 0.40),
    "irregular": (0.0, 0.04),
    "ring": (0.15, 0.40),
    "merger": (0.15, 0.40),
    "lens": (0.85, 1.0),
}
_KNOT_SHARE = {
    "elliptical": (0.0, 0.0),
    "spiral": (0.05, 0.20),
    "edge_on": (0.02, 0.08),
    "irregular": (0.15, 0.35),
    "ring": (0.15, 0.35),
    "merger": (0.08, 0.25),
    "lens": (0.0, 0.0),
}


@dataclass(frozen=True)
class GalaxyParameters:
    """Stars, gas and dust of a galaxy, or of a quasar's host.

    Attributes
    ----------
    bulge_share, knot_share : float
        Shares of the observed r light; the rest is the disk's.
    specific_rate_per_gyr : float
        Star formation rate of the disk over its stellar mass.
    metallicity : float
        [M/H] of the stars.
    ebv : float
        Reddening of the disk's stars; the gas has 1 / 0.44 of it (Calzetti et al. 2000).
    dispersion_km_s : float
        Velocity dispersion of the stars.
    gas_sigma_km_s : float
        Width of the narrow lines.
    excitation_dex : float
        Offset from the star-forming [OIII]/H beta sequence.
    nucleus : str
        "" (none), "seyfert" or "liner".
    nucleus_strength : float
        [OIII] 5008 equivalent width of the nucleus in A.
    """

    bulge_share: float
    knot_share: float
    specific_rate_per_gyr: float
    metallicity: float
    ebv: float
    dispersion_km_s: float
    gas_sigma_km_s: float
    excitation_dex: float
    nucleus: str
    nucleus_strength: float


@dataclass(frozen=True)
class StarParameters:
    """Atmosphere, distance and motion of a star or white dwarf."""

    temperature_k: float
    log_gravity: float
    metallicity: float
    distance_pc: float
    proper_motion_ra_mas_yr: float
    proper_motion_dec_mas_yr: float
    radial_velocity_km_s: float


@dataclass(frozen=True)
class Parameters:
    """Everything about a source that its spectrum and picture follow from.

    Attributes
    ----------
    index : int
        Number of the source in its sky.
    surveys : tuple of str
        Surveys that observed it.
    object_class, spectral_class : str
        One of `OBJECT_CLASSES`; GALAXY, QSO or STAR.
    ra_deg, dec_deg : float
        True position.
    ebv_milky_way : float
        Foreground reddening in mag.
    redshift : float
        Heliocentric; radial velocity over c for stars.
    magnitude_r : float
        Apparent DES r, total, reddened by the Milky Way.
    galaxy, star : optional
        Present according to the class; quasars have a host galaxy.
    source_redshift : float
        Redshift of the galaxy behind a lens, else NaN.
    host_share : float
        Share of a quasar's r light that its host emits.
    """

    index: int
    surveys: tuple[str, ...]
    object_class: str
    spectral_class: str
    ra_deg: float
    dec_deg: float
    ebv_milky_way: float
    redshift: float
    magnitude_r: float
    galaxy: GalaxyParameters | None
    star: StarParameters | None
    source_redshift: float
    host_share: float


def draw_parameters(seed: int, index: int, generator: np.random.Generator) -> Parameters:
    """Draw one source.

    Parameters
    ----------
    seed, index : int
        Which sky and which source: they fix the place and the surveys.
    generator : numpy.random.Generator
        Seeded from both; every other property comes from it.
    """
    surveys = surveys_of(seed, index)
    ra_deg, dec_deg = position_of(seed, index, generator)
    object_class = _draw_class(surveys, generator)
    ebv = 0.035 + 0.018 * math.sin(ra_deg * 1.3) * math.cos(dec_deg * 1.7 + 0.4)
    magnitude = _draw_magnitude(object_class, surveys, generator)
    galaxy: GalaxyParameters | None = None
    star: StarParameters | None = None
    source_redshift, host_share = math.nan, 0.0
    if object_class in GALAXY_CLASSES:
        spectral_class = "GALAXY"
        redshift = galaxy_redshift(object_class, magnitude, generator)
        galaxy = draw_galaxy(object_class, generator)
        if object_class == "lens":
            source_redshift = redshift + generator.uniform(0.6, 1.6)
    elif object_class == "quasar":
        spectral_class = "QSO"
        redshift = float(np.clip(0.12 + generator.gamma(2.6, 0.55), 0.12, 3.6))
        galaxy = draw_galaxy("spiral" if generator.random() < 0.4 else "elliptical", generator)
        host_share = float(0.55 * generator.random() * np.exp(-((redshift / 0.55) ** 2)))
    else:
        spectral_class = "STAR"
        star = _draw_star(object_class, magnitude, generator)
        redshift = star.radial_velocity_km_s / 299792.458
    return Parameters(
        index=index,
        surveys=surveys,
        object_class=object_class,
        spectral_class=spectral_class,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        ebv_milky_way=ebv,
        redshift=redshift,
        magnitude_r=magnitude,
        galaxy=galaxy,
        star=star,
        source_redshift=source_redshift,
        host_share=host_share,
    )


def _draw_class(surveys: tuple[str, ...], generator: np.random.Generator) -> str:
    if "gaia" in surveys:
        star, quasar = 0.97, 0.03
    elif "legacysurvey" in surveys:
        star, quasar = 0.0, 0.05  # its selection leaves out stars
    elif "hsc" in surveys:
        star, quasar = 0.0, 0.10
    elif len(surveys) == 2:
        star, quasar = 0.30, 0.20
    else:
        star, quasar = 0.45, 0.20
    draw = generator.random()
    if draw < star:
        return "white_dwarf" if generator.random() < 0.09 else "star"
    if draw < star + quasar:
        return "quasar"
    shares = np.array(GALAXY_SHARES)
    return str(generator.choice(GALAXY_CLASSES, p=shares / shares.sum()))


def _draw_magnitude(
    object_class: str, surveys: tuple[str, ...], generator: np.random.Generator
) -> float:
    """Counts rise as 10**(slope * magnitude) between the limits of the faintest-limited survey."""
    if object_class == "lens":
        bright, faint, slope = 18.2, 20.2, 0.15
    elif object_class == "quasar":
        bright, faint, slope = 16.8, 18.2 if "gaia" in surveys else 20.3, 0.25
    elif object_class in ("star", "white_dwarf"):
        bright, faint, slope = (13.0, 17.6, 0.2) if "gaia" in surveys else (15.0, 19.3, 0.1)
    elif "sdss" in surveys:
        bright, faint, slope = 15.3, 18.3, 0.2
    elif "desi" in surveys:
        bright, faint, slope = 15.8, 20.0, 0.15
    else:
        bright, faint, slope = 15.5, 20.5, 0.10
    low, high = 10.0 ** (slope * bright), 10.0 ** (slope * faint)
    return math.log10(low + generator.random() * (high - low)) / slope


def galaxy_redshift(object_class: str, magnitude: float, generator: np.random.Generator) -> float:
    mean, scatter, k_correction = _LUMINOSITY[object_class]
    absolute = generator.normal(mean, scatter)
    redshift = 0.1
    for _ in range(4):
        modulus = magnitude - absolute - k_correction * redshift
        redshift = redshift_of_luminosity_distance(10.0 ** (0.2 * modulus - 5.0))
    return float(np.clip(redshift, 0.006, 0.85))


def draw_galaxy(object_class: str, generator: np.random.Generator) -> GalaxyParameters:
    bulge = generator.uniform(*_BULGE_SHARE[object_class])
    mean, scatter = _SPECIFIC_RATE[object_class]
    if object_class in ("spiral", "edge_on"):
        mean -= 1.2 * (bulge - 0.2)
    log_rate = generator.normal(mean, scatter)
    vigour = float(np.clip((log_rate + 1.6) / 1.2, 0.0, 1.0))
    low, high = _KNOT_SHARE[object_class]
    early = object_class in ("elliptical", "lens")
    metallicity = generator.normal(0.12 if early else -0.05, 0.12)
    dust = generator.gamma(2.0, 0.012 if early else 0.055)
    if object_class == "irregular":
        metallicity, dust = generator.normal(-0.75, 0.2), dust * 0.4
    if object_class == "merger":
        dust *= 1.4
    nucleus = ""
    if object_class != "irregular":
        draw = generator.random()
        nucleus = "seyfert" if draw < 0.06 else "liner" if draw < 0.22 else ""
    strength = generator.lognormal(3.0 if nucleus == "seyfert" else 0.5, 0.5)
    return GalaxyParameters(
        bulge_share=bulge,
        knot_share=low + (high - low) * (0.3 * generator.random() + 0.7 * vigour),
        specific_rate_per_gyr=10.0**log_rate,
        metallicity=float(np.clip(metallicity, -1.15, 0.3)),
        ebv=float(min(dust, 0.45)),
        dispersion_km_s=generator.uniform(150, 300) if early else generator.uniform(70, 160),
        gas_sigma_km_s=generator.uniform(60, 140),
        excitation_dex=generator.normal(0.0, 0.12),
        nucleus=nucleus,
        nucleus_strength=float(strength) if nucleus else 0.0,
    )


_MAIN_SEQUENCE_K = (2900, 3200, 3500, 4000, 5000, 5800, 6500, 8000, 10000, 15000, 35000)
_MAIN_SEQUENCE_MAGNITUDE = (13.0, 11.0, 9.3, 7.8, 6.1, 4.5, 3.5, 2.1, 1.0, -0.6, -4.0)


def _draw_star(
    object_class: str, magnitude: float, generator: np.random.Generator
) -> StarParameters:
    metallicity = generator.normal(-0.25, 0.28)
    speed_km_s = 35.0
    if object_class == "white_dwarf":
        temperature = float(np.clip(generator.lognormal(math.log(14500), 0.45), 6800, 65000))
        gravity = generator.normal(8.0, 0.1)
        absolute = float(
            np.interp(
                math.log(temperature), np.log([6500, 10000, 25000, 65000]), [14.0, 12.0, 10.2, 8.5]
            )
        )
    else:
        draw = generator.random()
        gravity = generator.normal(4.45, 0.1)
        if draw < 0.50:
            temperature = generator.normal(5500.0, 500.0)
        elif draw < 0.64:
            temperature = generator.normal(4700.0, 220.0)
            gravity = generator.uniform(1.6, 3.0)
        elif draw < 0.80:
            temperature = generator.normal(3500.0, 280.0)
            gravity = generator.normal(4.8, 0.1)
        elif draw < 0.88:
            temperature, gravity = generator.normal(8500.0, 900.0), generator.normal(3.7, 0.3)
        elif draw < 0.92:
            temperature, gravity = generator.uniform(12000, 35000), generator.normal(4.3, 0.3)
        else:
            temperature, metallicity = generator.normal(6250.0, 250.0), generator.normal(-1.3, 0.25)
            speed_km_s = 150.0
        temperature = float(max(temperature, 2950.0))
        absolute = float(np.interp(temperature, _MAIN_SEQUENCE_K, _MAIN_SEQUENCE_MAGNITUDE))
        if gravity < 3.2:
            absolute = -3.0 + 1.5 * gravity
    absolute += generator.normal(0.0, 0.25)
    distance_pc = 10.0 ** (0.2 * (magnitude - absolute) + 1.0)
    motion = speed_km_s / (4.74047 * distance_pc / 1000.0)
    return StarParameters(
        temperature_k=temperature,
        log_gravity=float(gravity),
        metallicity=float(np.clip(metallicity, -1.6, 0.4)),
        distance_pc=distance_pc,
        proper_motion_ra_mas_yr=generator.normal(0.0, motion),
        proper_motion_dec_mas_yr=generator.normal(0.0, motion),
        radial_velocity_km_s=generator.normal(0.0, 1.1 * speed_km_s),
    )
