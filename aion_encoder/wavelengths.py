"""Wavelengths and frequencies of any unit and medium turned into vacuum Angstrom."""

import re

import numpy as np

__all__ = [
    "AIR_FROM_ANGSTROM",
    "AXIS_UNITS",
    "FREQUENCY_UNITS",
    "WAVELENGTH_UNITS",
    "air_to_vacuum",
    "guess_wavelength_unit",
    "to_angstrom",
    "vacuum_to_air",
    "wavelength_unit",
]

WAVELENGTH_UNITS = {
    "Angstrom": 1.0,
    "nm": 10.0,
    "um": 1e4,
    "mm": 1e7,
    "m": 1e10,
    "log10(Angstrom)": 0.0,
    "ln(Angstrom)": 0.0,
}
"""Names of the units that are understood, with their length in Angstrom; 0 for logarithms."""

FREQUENCY_UNITS = {"Hz": 1.0, "MHz": 1e6, "GHz": 1e9, "THz": 1e12}
"""Names of the units of frequency that are understood, in hertz."""

AXIS_UNITS = (*WAVELENGTH_UNITS, *FREQUENCY_UNITS)
"""All units that the axis of a spectrum may have."""

LIGHT_ANGSTROM_PER_SECOND = 2.99792458e18
"""Speed of light in vacuum; exact (SI)."""

AIR_FROM_ANGSTROM = 2000.0
"""Below this wavelength the air-vacuum relation is not defined, and everyone uses vacuum."""

_SYNONYMS = {
    "Angstrom": ("angstrom", "angstroms", "ang", "a", "aa", "å", "ångström", "0.1nm", "10**-10m"),
    "nm": ("nm", "nanometer", "nanometers", "nanometre", "nanometres"),
    "um": ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre"),
    "mm": ("mm", "millimeter", "millimetre"),
    "m": ("m", "meter", "meters", "metre", "metres"),
    "log10(Angstrom)": (
        "log10(angstrom)",
        "log10(angstroms)",
        "log(angstrom)",
        "log(angstroms)",
        "log10(a)",
        "log(a)",
        "log10(aa)",
        "log10angstrom",
        "log10angstroms",
        "logangstrom",
        "dex(angstrom)",
        "log10",
        "loglam",
    ),
    "ln(Angstrom)": ("ln(angstrom)", "ln(a)", "lnangstrom", "ln"),
    "Hz": ("hz", "hertz", "1/s", "s-1", "s^-1"),
    "MHz": ("mhz", "megahertz"),
    "GHz": ("ghz", "gigahertz"),
    "THz": ("thz", "terahertz"),
}
_NAMES = {name: unit for unit, names in _SYNONYMS.items() for name in names}


def wavelength_unit(text: str) -> str | None:
    """Return the name in `AXIS_UNITS` of a unit as people and files write it, or None."""
    plain = re.sub(r"[\s_]+", "", text).strip("[]\"'").casefold()
    return _NAMES.get(plain)


def guess_wavelength_unit(values: np.ndarray) -> str | None:
    """Guess a unit from the numbers alone, for optical spectra; None where none fits.

    3500-10000 Angstrom are 350-1000 nm, 0.35-1 micron, 3.5e-7-1e-6 m and 3.54-4 in log10.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    low, high = float(finite.min()), float(finite.max())
    for unit, first, last in (
        ("Angstrom", 1000.0, 60000.0),
        ("nm", 150.0, 5000.0),
        ("log10(Angstrom)", 3.0, 4.8),
        ("um", 0.1, 6.0),
        ("m", 1e-7, 6e-6),
    ):
        if first <= low and high <= last:
            return unit
    return None


def to_angstrom(values: np.ndarray, unit: str) -> np.ndarray:
    """Convert an axis in one of `AXIS_UNITS` to Angstrom, in double precision.

    A frequency gives its vacuum wavelength, c over it; zero gives infinity.

    Raises
    ------
    KeyError
        If the unit is not one of them.
    """
    exact = np.asarray(values, np.float64)
    if unit in FREQUENCY_UNITS:
        with np.errstate(divide="ignore"):
            return np.asarray(LIGHT_ANGSTROM_PER_SECOND / (exact * FREQUENCY_UNITS[unit]))
    length = WAVELENGTH_UNITS[unit]
    if length > 0.0:
        return exact * length
    with np.errstate(over="ignore"):
        return np.power(10.0, exact) if unit.startswith("log10") else np.exp(exact)


def vacuum_to_air(vacuum_angstrom: np.ndarray) -> np.ndarray:
    """Convert vacuum to air wavelengths, both in Angstrom.

    Morton (2000, ApJS 130, 403, equation 8), from Birch & Downs (1994), for dry air at 15 C and
    101325 Pa. Wavelengths under `AIR_FROM_ANGSTROM` stay.
    """
    vacuum = np.asarray(vacuum_angstrom, np.float64)
    return np.where(vacuum >= AIR_FROM_ANGSTROM, vacuum / _refraction(vacuum), vacuum)


def air_to_vacuum(air_angstrom: np.ndarray) -> np.ndarray:
    """Convert air to vacuum wavelengths, both in Angstrom: `vacuum_to_air` inverted.

    Iterated, because the refraction depends on the vacuum wavelength; three rounds reach 1e-9 A.
    """
    air = np.asarray(air_angstrom, np.float64)
    vacuum = air
    for _ in range(4):
        vacuum = np.where(air >= AIR_FROM_ANGSTROM, air * _refraction(vacuum), air)
    return vacuum


def _refraction(vacuum_angstrom: np.ndarray) -> np.ndarray:
    squared: np.ndarray = (1e4 / np.maximum(vacuum_angstrom, AIR_FROM_ANGSTROM / 2)) ** 2
    excess = 8.34254e-5 + 2.406147e-2 / (130.0 - squared) + 1.5998e-4 / (38.9 - squared)
    return np.asarray(1.0 + excess)
