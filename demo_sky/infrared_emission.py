"""What gas and hot dust add beyond 0.95 um: lines of galaxies and quasars, the torus of quasars."""

import numpy as np

from demo_sky.emission_lines import add_line
from demo_sky.grids import LOG_START, LOG_STEP, Float32Array, calzetti_curve, rest_wavelength

INFRARED_LINE_ANGSTROM: dict[str, float] = {
    "Padelta": 10052.1,
    "HeI10833": 10833.3,
    "Pagamma": 10941.1,
    "[FeII]12570": 12570.2,
    "Pabeta": 12821.6,
    "[FeII]16440": 16440.0,
    "Paalpha": 18756.1,
    "Brdelta": 19450.9,
    "H2_21218": 21218.3,
    "Brgamma": 21661.2,
}
"""Vacuum wavelengths."""

# Over H beta, before dust. Hydrogen: case B at 10,000 K (Osterbrock & Ferland 2006, table 4.4). The
# others are typical of star-forming galaxies and of Seyfert nuclei in near-infrared surveys
# (Riffel et al. 2006), in round numbers.
_STAR_FORMING = {
    "Padelta": 0.0555,
    "HeI10833": 0.25,
    "Pagamma": 0.0904,
    "[FeII]12570": 0.020,
    "Pabeta": 0.163,
    "[FeII]16440": 0.015,
    "Paalpha": 0.339,
    "Brdelta": 0.0181,
    "H2_21218": 0.010,
    "Brgamma": 0.0275,
}
_NUCLEUS = {
    **_STAR_FORMING,
    "HeI10833": 0.60,
    "[FeII]12570": 0.15,
    "[FeII]16440": 0.12,
    "H2_21218": 0.06,
}

# Broad lines of quasars: vacuum wavelength and equivalent width (A) in the mean quasar
# (Glikman et al. 2006, rounded).
_BROAD_LINES = (
    (8448.7, 16.0),
    (10052.1, 12.0),
    (10833.3, 45.0),
    (10941.1, 28.0),
    (11290.0, 12.0),
    (12821.6, 35.0),
    (18756.1, 60.0),
    (19450.9, 6.0),
    (21661.2, 10.0),
)
TORUS_K = 1260.0
"""Temperature of the hottest dust (Glikman et al. 2006)."""
_PLANCK_EXPONENT_ANGSTROM_K = 1.438777e8


def add_infrared_lines(
    spectrum: Float32Array, hbeta: float, sigma_km_s: float, ebv_gas: float, nucleus: bool
) -> None:
    """Add near-infrared lines in proportion to H beta, dimmed by dust, in place.

    Parameters
    ----------
    spectrum : array
        On the long rest-frame grid.
    hbeta : float
        Flux of H beta before dust.
    sigma_km_s, ebv_gas : float
    nucleus : bool
        Lit by an active nucleus rather than by young stars.
    """
    curve = calzetti_curve(len(spectrum))
    for name, ratio in (_NUCLEUS if nucleus else _STAR_FORMING).items():
        centre = INFRARED_LINE_ANGSTROM[name]
        at_line = int((np.log10(centre) - LOG_START) / LOG_STEP)
        dust = 10.0 ** (-0.4 * ebv_gas * float(curve[at_line]))
        add_line(spectrum, centre, ratio * hbeta * dust, sigma_km_s)


def add_torus(
    spectrum: Float32Array, level_1um: float, line_strength: float, broad_sigma_km_s: float
) -> None:
    """Add hot dust and broad near-infrared lines to a quasar's spectrum, in place.

    Parameters
    ----------
    spectrum : array
        On the long rest-frame grid.
    level_1um : float
        Continuum of the accretion disk at 1 um, where it still dominates.
    line_strength : float
        Factor on the mean equivalent widths.
    broad_sigma_km_s : float
        Width of H beta.

    Notes
    -----
    The dust equals 0.75 of the disk's light at 1 um when it peaks at 2.3 um: then the spectrum has
    its minimum near 1 um and is about flat in flux per A beyond, as the mean quasar is.
    """
    wave = rest_wavelength(len(spectrum))
    exponent = _PLANCK_EXPONENT_ANGSTROM_K / TORUS_K
    peak = 2.8977e7 / TORUS_K
    shape = (peak / wave) ** 5 * np.expm1(exponent / peak)
    shape /= np.expm1(np.minimum(exponent / wave, 600.0))
    spectrum += (0.75 * level_1um * shape).astype(np.float32)
    for centre, width in _BROAD_LINES:
        level = float(spectrum[int((np.log10(centre) - LOG_START) / LOG_STEP)])
        flux = line_strength * width * level
        add_line(spectrum, centre, 0.55 * flux, 0.5 * broad_sigma_km_s)
        add_line(spectrum, centre, 0.45 * flux, 1.5 * broad_sigma_km_s)
