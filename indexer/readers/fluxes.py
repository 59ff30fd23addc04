"""Flux densities of any unit turned into 1e-17 erg/s/cm2/Angstrom, with their errors."""

import math
import re
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from indexer.readers.messages import caught_warnings

__all__ = [
    "FluxScale",
    "constant_ivar",
    "flux_scale",
    "guess_flux_scale",
    "pixel_noise",
    "reads_as_error",
]

TARGET = 1e-17 * u.erg / u.s / u.cm**2 / u.AA

PLAIN_MEDIAN = (1e-3, 5e3)
"""Median of |flux| that a spectrum without a stated unit may have to be taken as 1e-17
erg/s/cm2/Angstrom: AB magnitude 28 to 11 in r. Counts are usually larger."""

CGS_MEDIAN = (1e-22, 1e-11)
"""Median of |flux| of a spectrum in erg/s/cm2/Angstrom, for the same sources with some room."""

NORMALISED_MEDIAN = (0.5, 1.5)

_COUNTS = re.compile(r"\b(adu|counts?|ct|dn|du|electrons?|e-|photons?/pix\w*)\b", re.IGNORECASE)
_NONE = {"", "none", "-", "1", "dimensionless", "relative", "relativeflux", "arbitrary", "unitless"}


@dataclass(frozen=True)
class FluxScale:
    """How numbers become fluxes.

    Parameters
    ----------
    factor
        Number to multiply by, per pixel (shape (n,)).
    assumption
        In words; empty where the file states its unit.
    """

    factor: np.ndarray
    assumption: str = ""


def flux_scale(unit: str, wavelength_angstrom: np.ndarray) -> FluxScale | None:
    """Return the conversion from a stated unit; None if the text states none or only counts.

    f_nu (Jy, mJy, microjansky), f_lambda per Angstrom, nm or micron in erg or W, and photon rates
    are understood.

    Parameters
    ----------
    unit
        As the file or the person writes it. A lone ``A`` is an Angstrom here, never an ampere.
    wavelength_angstrom
        Where the pixels are, for units per frequency.

    Raises
    ------
    ValueError
        If the text is a unit, but not one of flux density, or cannot be understood.
    """
    if re.sub(r"[\s_]+", "", unit).casefold() in _NONE or _COUNTS.search(unit):
        return None
    with caught_warnings():
        try:
            parsed = u.Unit(_readable(unit))
            one = u.Quantity(np.ones(len(wavelength_angstrom)), parsed)
            converted = one.to(TARGET, equivalencies=u.spectral_density(wavelength_angstrom * u.AA))
        except (ValueError, TypeError, u.UnitConversionError):
            raise ValueError(
                f"the flux unit {unit!r} is not a flux density; give flux_unit, such as "
                "'1e-17 erg/s/cm2/Angstrom' or 'mJy'"
            ) from None
    return FluxScale(np.asarray(converted.value, np.float64))


def guess_flux_scale(flux: np.ndarray) -> FluxScale | None:
    """Guess the conversion of fluxes without a unit from their size; None where none fits."""
    finite = flux[np.isfinite(flux) & (flux != 0.0)]
    if finite.size == 0:
        return None
    median = float(np.median(np.abs(finite)))
    if PLAIN_MEDIAN[0] <= median <= PLAIN_MEDIAN[1]:
        words = "1e-17 erg/s/cm2/Angstrom assumed"
        if NORMALISED_MEDIAN[0] <= median <= NORMALISED_MEDIAN[1]:
            words += (
                f"; the median of {median:.2f} suggests a spectrum divided by its continuum, which "
                "is taken as it is"
            )
        return FluxScale(np.ones(flux.shape), words)
    if CGS_MEDIAN[0] <= median <= CGS_MEDIAN[1]:
        return FluxScale(
            np.full(flux.shape, 1e17),
            f"erg/s/cm2/Angstrom assumed, as the median of {median:.1e} suggests; converted to "
            "units of 1e-17",
        )
    return None


def pixel_noise(flux: np.ndarray) -> float:
    """Estimate the standard deviation of one pixel from the differences of neighbours.

    1.4826 times the median absolute difference, over the square root of 2: insensitive to lines
    and to the slope of the continuum. 0 for fewer than three finite pixels.
    """
    finite = flux[np.isfinite(flux)]
    if finite.size < 3:
        return 0.0
    return float(1.4826 * np.median(np.abs(np.diff(finite))) / np.sqrt(2.0))


def constant_ivar(flux: np.ndarray) -> np.ndarray:
    """Return one inverse variance for all finite pixels, from `pixel_noise`; 0 elsewhere."""
    finite = np.isfinite(flux)
    noise = pixel_noise(flux)
    if noise <= 0.0:
        # Noiseless models have no scatter: a hundredth of the typical flux keeps them usable.
        typical = float(np.median(np.abs(flux[finite]))) if finite.any() else 0.0
        noise = 0.01 * typical if typical > 0.0 else 1.0
    return np.where(finite, 1.0 / noise**2, 0.0)


def reads_as_error(flux: np.ndarray, values: np.ndarray) -> bool:
    """Whether an unnamed column fits the scatter of the flux better as error than as ivar."""
    noise = pixel_noise(flux)
    known = values[np.isfinite(values) & (values > 0.0)]
    if noise <= 0.0 or known.size == 0:
        return True
    typical = float(np.median(known))
    return abs(math.log(typical / noise)) <= abs(math.log(typical**-0.5 / noise))


def _readable(unit: str) -> str:
    text = unit.strip().strip("[]")
    text = re.sub(r"(?i)angstroms?|\bAng\b|Å|\bAA\b|\bA\b(?!\w)", "Angstrom", text)
    text = re.sub(r"(?i)\bergs\b", "erg", text)
    text = re.sub(r"(?i)\bmicrons?\b", "um", text)
    text = re.sub(r"(?i)\bmicro(?=Jy)|[µμ](?=Jy)", "u", text)
    text = re.sub(r"(?i)\bsec\b", "s", text)
    text = re.sub(r"(?<=[A-Za-z0-9])\^", "**", text)
    text = re.sub(r"\b(cm|um|nm|Angstrom|s|Hz|m)(-?\d)\b", r"\1**(\2)", text)
    text = re.sub(r"(?i)^\s*(1(?:\.0*)?)?e([+-]?\d+)", r"10**(\2)", text)
    return re.sub(r"(10\*\*\(?[+-]?\d+\)?)\s*\*?\s*(?=[A-Za-z])", r"\1 ", text)
