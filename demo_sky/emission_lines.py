"""Emission lines: where they are, and in what proportions gas of each kind shines in them."""

import numpy as np

from demo_sky.grids import (
    LOG_START,
    LOG_STEP,
    Float32Array,
    calzetti_curve,
    rest_wavelength,
)

LINE_ANGSTROM: dict[str, float] = {
    "Lya": 1215.67,
    "CIV": 1549.06,
    "HeII1640": 1640.42,
    "CIII]": 1908.73,
    "MgII": 2799.12,
    "[OII]3727": 3727.09,
    "[OII]3730": 3729.88,
    "[NeIII]": 3869.86,
    "Hepsilon": 3971.20,
    "Hdelta": 4102.89,
    "Hgamma": 4341.68,
    "[OIII]4364": 4364.44,
    "HeII4687": 4687.02,
    "Hbeta": 4862.68,
    "[OIII]4960": 4960.30,
    "[OIII]5008": 5008.24,
    "HeI5877": 5877.25,
    "[OI]6302": 6302.05,
    "[NII]6550": 6549.85,
    "Halpha": 6564.61,
    "[NII]6585": 6585.28,
    "[SII]6718": 6718.29,
    "[SII]6733": 6732.67,
    "[ArIII]": 7137.77,
    "[SIII]9071": 9071.1,
    "[SIII]9533": 9533.2,
}
"""Vacuum wavelengths."""

# Case B recombination at 10,000 K, over H beta (Osterbrock & Ferland 2006, table 4.4).
_BALMER = {"Halpha": 2.86, "Hbeta": 1.0, "Hgamma": 0.468, "Hdelta": 0.259, "Hepsilon": 0.159}


def star_forming_ratios(oxygen_index: float, excitation_scatter_dex: float) -> dict[str, float]:
    """Line fluxes over H beta, before dust, of gas lit by young stars.

    Parameters
    ----------
    oxygen_index : float
        log10([NII]6585 / H alpha), -1.6 (metal-poor) to -0.35 (metal-rich).
    excitation_scatter_dex : float
        Offset of log10([OIII]/H beta) from the star-forming sequence.

    Notes
    -----
    [OIII] follows the sequence of Kauffmann et al. 2003, eq. 1, shifted to its ridge. Doublets
    keep their atomic ratios: [OIII] 1:3 and [NII] 1:3.
    """
    ridge = 0.61 / (oxygen_index - 0.15) + 1.05
    oxygen = 10.0 ** float(np.clip(ridge + excitation_scatter_dex, -1.2, 0.85))
    nitrogen = 2.86 * 10.0**oxygen_index
    singly_ionised = 10.0 ** (0.50 - 0.15 * (oxygen_index + 0.8))
    sulphur = 2.86 * 10.0 ** (-0.50 + 0.12 * (oxygen_index + 0.6))
    return {
        **_BALMER,
        "[OIII]5008": oxygen,
        "[OIII]4960": oxygen / 2.98,
        "[OIII]4364": 0.008 * oxygen,
        "[NII]6585": nitrogen,
        "[NII]6550": nitrogen / 2.96,
        "[OII]3727": 0.42 * singly_ionised,
        "[OII]3730": 0.58 * singly_ionised,
        "[SII]6718": 0.57 * sulphur,
        "[SII]6733": 0.43 * sulphur,
        "HeI5877": 0.12,
        "[NeIII]": 0.08 * oxygen,
        "[OI]6302": 0.07,
        "[ArIII]": 0.06,
        "[SIII]9071": 0.13,
        "[SIII]9533": 0.32,
    }


def active_nucleus_ratios(
    oxygen_over_hbeta: float, nitrogen_over_halpha: float
) -> dict[str, float]:
    """Narrow-line fluxes over H beta, before dust, of gas lit by an active nucleus."""
    return {
        **_BALMER,
        "Halpha": 3.1,
        "[OIII]5008": oxygen_over_hbeta,
        "[OIII]4960": oxygen_over_hbeta / 2.98,
        "[OIII]4364": 0.015 * oxygen_over_hbeta,
        "[NII]6585": 3.1 * nitrogen_over_halpha,
        "[NII]6550": 3.1 * nitrogen_over_halpha / 2.96,
        "[OII]3727": 1.0,
        "[OII]3730": 1.2,
        "[SII]6718": 0.75,
        "[SII]6733": 0.70,
        "[OI]6302": 0.45,
        "[NeIII]": 0.10 * oxygen_over_hbeta,
        "HeII4687": 0.25,
        "HeI5877": 0.12,
        "[SIII]9071": 0.3,
        "[SIII]9533": 0.75,
    }


def add_line(
    spectrum: Float32Array, centre_angstrom: float, flux: float, sigma_km_s: float
) -> None:
    """Add a Gaussian line to a rest-frame spectrum, in place.

    Parameters
    ----------
    spectrum : array
        Per-angstrom values on `grids.rest_wavelength`.
    centre_angstrom, sigma_km_s : float
        Rest wavelength and width.
    flux : float
        Integral over wavelength, in the units of the spectrum times A.
    """
    sigma = centre_angstrom * sigma_km_s / 299792.458
    low, high = (
        int(
            np.clip(
                (np.log10(max(centre_angstrom + side * 5.0 * sigma, 100.0)) - LOG_START) / LOG_STEP,
                0,
                len(spectrum),
            )
        )
        for side in (-1, 1)
    )
    if high > low:
        offset = (rest_wavelength(len(spectrum))[low : high + 1] - centre_angstrom) / sigma
        profile = np.exp(-0.5 * offset**2) * (flux / (sigma * np.sqrt(2.0 * np.pi)))
        spectrum[low : high + 1] += profile.astype(np.float32)


def add_lines(
    spectrum: Float32Array,
    ratios: dict[str, float],
    hbeta: float,
    sigma_km_s: float,
    ebv_gas: float,
) -> None:
    """Add lines in proportion to H beta, dimmed by dust, in place."""
    curve = calzetti_curve(len(spectrum))
    for name, ratio in ratios.items():
        centre = LINE_ANGSTROM[name]
        at_line = min(int((np.log10(centre) - LOG_START) / LOG_STEP), len(curve) - 1)
        dust = 10.0 ** (-0.4 * ebv_gas * float(curve[at_line]))
        add_line(spectrum, centre, ratio * hbeta * dust, sigma_km_s)
