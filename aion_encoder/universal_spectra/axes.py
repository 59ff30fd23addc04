"""The axis of a spectrum, however it comes, as ascending vacuum wavelengths in Angstrom.

Every step that changed something is put into words, for the person whose spectrum it is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from aion_encoder.errors import ObservationError
from aion_encoder.wavelengths import (
    AXIS_UNITS,
    FREQUENCY_UNITS,
    air_to_vacuum,
    guess_wavelength_unit,
    to_angstrom,
    wavelength_unit,
)

__all__ = ["Axis", "ascending_vacuum"]

MEDIA = ("vacuum", "air")


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis brought to ascending vacuum wavelengths. Made by `ascending_vacuum`.

    Attributes
    ----------
    wavelength_angstrom
        Strictly ascending.
    pixels
        The pixels of the axis as given that are left, in the order of their wavelengths.
    places
        For each of `pixels` its place on `wavelength_angstrom`; pixels of one wavelength share
        it.
    steps
        What was done, in words; empty if the axis was as it should be.
    """

    wavelength_angstrom: Float64[np.ndarray, " n"]
    pixels: Int64[np.ndarray, " kept"]
    places: Int64[np.ndarray, " kept"]
    steps: tuple[str, ...]


def ascending_vacuum(values: np.ndarray, unit: str = "Angstrom", medium: str = "vacuum") -> Axis:
    """Bring an axis to ascending vacuum wavelengths in Angstrom.

    Parameters
    ----------
    values
        Shape (n,), wavelengths, their logarithms or frequencies, in any order. Pixels whose value
        is not finite or gives no positive wavelength are left out.
    unit
        As people and files write it, such as ``nm``, ``log10(Angstrom)`` or ``GHz``; empty to
        guess it from the range of the numbers.
    medium
        ``vacuum`` or ``air``. Air wavelengths are converted by Morton (2000, ApJS 130, 403,
        equation 8), from 2000 Angstrom on; see `aion_encoder.wavelengths`.

    Raises
    ------
    ObservationError
        If unit or medium are not understood, or no pixel is left.
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 1:
        raise ObservationError(f"an axis must have one dimension, got the shape {given.shape}")
    name, steps = _unit(given, unit)
    if medium not in MEDIA:
        raise ObservationError(f"the medium must be {' or '.join(MEDIA)}, got {medium!r}")
    wavelength = to_angstrom(given, name)
    if name in FREQUENCY_UNITS:
        steps.append(f"vacuum wavelengths computed from frequencies in {name}")
    elif name != "Angstrom":
        steps.append(f"wavelengths converted from {name} to Angstrom")
    if medium == "air":
        if name in FREQUENCY_UNITS:
            raise ObservationError(
                "a frequency is the same in air and in vacuum; state the medium of wavelengths only"
            )
        wavelength = air_to_vacuum(wavelength)
        steps.append("air wavelengths converted to vacuum (Morton 2000)")
    kept = np.flatnonzero(np.isfinite(wavelength) & (wavelength > 0.0))
    if kept.size < given.size:
        steps.append(f"{given.size - kept.size} pixels without a positive wavelength left out")
    if kept.size == 0:
        raise ObservationError("no pixel has a finite, positive wavelength")
    pixels = kept[np.argsort(wavelength[kept], kind="stable")]
    steps += _order_steps(wavelength[kept])
    ordered = wavelength[pixels]
    new = np.ones(ordered.size, bool)
    new[1:] = ordered[1:] > ordered[:-1]
    repeated = int((~new).sum())
    if repeated:
        steps.append(f"{repeated} pixels that repeat a wavelength joined with the one before")
    return Axis(ordered[new], pixels, np.cumsum(new) - 1, tuple(steps))


def _unit(values: np.ndarray, stated: str) -> tuple[str, list[str]]:
    known = ", ".join(AXIS_UNITS)
    if stated:
        name = wavelength_unit(stated)
        if name is None:
            raise ObservationError(f"the unit of an axis must be one of {known}, got {stated!r}")
        return name, []
    name = guess_wavelength_unit(values)
    if name is None:
        raise ObservationError(f"the numbers of the axis fit no unit; state one of {known}")
    return name, [f"no unit stated: {name} assumed by the range of the numbers"]


def _order_steps(wavelength: np.ndarray) -> list[str]:
    change = np.diff(wavelength)
    if np.all(change >= 0.0):
        return []
    if np.all(change <= 0.0):
        return ["descending wavelengths reversed"]
    return ["pixels sorted by wavelength"]
